"""Tables for the reader, made with tabulate."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from tabulate import tabulate


def results_table(frame: pd.DataFrame, digits: int = 3) -> str:
    """Lay a frame out as an HTML table that Jupyter shows.

    Parameters
    ----------
    frame : one row a model; the column names are the headings, the index is left out
    digits : decimals of every float; a missing value shows as a dash

    Returns
    -------
    str
        HTML; the last expression of a cell shows it as a table.
    """
    cells = frame.astype(object).where(frame.notna(), None)  # tabulate shows None as missing, but not NaN
    return tabulate(cells, headers="keys", tablefmt="html", showindex=False, floatfmt=f".{digits}f", missingval="–")


# --- tables that notebooks written for the old course-lab helper ask for ----------------------------------------------


def pprint_train(
    x_train: np.ndarray, features: Sequence[str], vs: int, u_s: int, maxcount: int = 5, user: bool = True
) -> str:
    """Show the first rows of a feature matrix.

    Parameters
    ----------
    x_train : (n_rows, n_features) unscaled
    features : n_features names
    vs : first genre column
    u_s : first column that a model uses; the names before it are put in brackets
    maxcount : rows to show
    user : whether the genre columns hold averages (one decimal) or flags (none)

    Returns
    -------
    str
        HTML table.
    """
    x_train = np.asarray(x_train)
    if x_train.ndim != 2 or x_train.shape[1] != len(features):
        raise ValueError(
            f"x_train has the shape {x_train.shape}; expected (n_rows, {len(features)}), one column a name"
        )
    if not 0 <= u_s <= vs <= len(features):
        raise ValueError(f"vs is {vs} and u_s is {u_s}; expected 0 <= u_s <= vs <= {len(features)}")
    names = [f"[{name}]" for name in features[:u_s]] + list(features[u_s:])
    digits = [".0f"] * (vs - 1) + [".1f"] + [".1f" if user else ".0f"] * (len(features) - vs)
    return tabulate(x_train[:maxcount], headers=names, tablefmt="html", floatfmt=digits, numalign="center")


def print_pred_movies(y_p: np.ndarray, item: np.ndarray, movie_dict: Mapping[int, Mapping], maxcount: int = 10) -> str:
    """Show predictions for a new user.

    Parameters
    ----------
    y_p : (n_items,) or (n_items, 1) stars, best first
    item : (n_items, n_features) in the same order, unscaled: movie id, year, average rating, ...
    movie_dict : {movie_id: {"title": str, "genres": str}}
    maxcount : rows to show

    Returns
    -------
    str
        HTML table.
    """
    y_p = _column("y_p", y_p, len(item))
    rows = [
        (stars, int(row[0]), row[2], movie_dict[int(row[0])]["title"], movie_dict[int(row[0])]["genres"])
        for stars, row in zip(y_p[:maxcount], item[:maxcount], strict=True)
    ]
    return tabulate(
        rows, ["y_p", "movie id", "rating ave", "title", "genres"], tablefmt="html", floatfmt=(".1f", "", ".1f")
    )


def print_existing_user(
    y_p: np.ndarray,
    y: np.ndarray,
    user: np.ndarray,
    items: np.ndarray,
    ivs: int,
    uvs: int,
    movie_dict: Mapping[int, Mapping],
    maxcount: int = 10,
) -> str:
    """Show predictions beside the ratings that a user gave; movies without one (y = 0) are skipped.

    Parameters
    ----------
    y_p, y : (n_items,) or (n_items, 1) stars, predicted and given, in one order
    user : (n_items, n_features) the user's vector, repeated, unscaled
    items : (n_items, n_features) in the order of `y_p`, unscaled
    ivs, uvs : first genre column of `items` and of `user`
    movie_dict : {movie_id: {"title": str, "genres": str}}
    maxcount : rows to show

    Returns
    -------
    str
        HTML table; "user genre ave" lists the user's averages in the genres of the movie.
    """
    y_p, y = _column("y_p", y_p, len(items)), _column("y", y, len(items))
    if len(user) != len(items):
        raise ValueError(f"user has {len(user)} rows; expected {len(items)}, one for each row of items")
    rows = []
    for row in np.flatnonzero(y)[:maxcount]:
        movie_id = int(items[row, 0])
        averages = user[row, uvs:][items[row, ivs:] == 1]
        movie = movie_dict[movie_id]
        genre_averages = ", ".join(f"{average:.1f}" for average in averages)
        rows.append(
            (
                y_p[row],
                y[row],
                int(user[row, 0]),
                genre_averages,
                items[row, 2],
                movie_id,
                movie["title"],
                movie["genres"],
            )
        )
    headers = ["y_p", "y", "user", "user genre ave", "movie rating ave", "movie id", "title", "genres"]
    return tabulate(rows, headers, tablefmt="html", floatfmt=(".1f", ".1f", "", "", ".1f"), disable_numparse=[3])


def _column(name: str, values: np.ndarray, length: int) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    if values.shape not in ((length,), (length, 1)):
        raise ValueError(f"{name} has the shape {values.shape}; expected ({length},) or ({length}, 1)")
    return values.reshape(length)
