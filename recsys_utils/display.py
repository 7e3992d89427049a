"""Tables for the reader: text to the left and numbers to the right, on every page that shows notebooks."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from tabulate import JupyterHTMLStr, tabulate


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
    return _aligned(
        tabulate(cells, headers="keys", tablefmt="html", showindex=False, floatfmt=f".{digits}f", missingval="–")
    )


def frame_html(frame: pd.DataFrame) -> str | None:
    """Lay a frame out as pandas does in a notebook, with text to the left and numbers to the right.

    `recsys_utils.setup.set_up` registers it, so that a frame at the end of a cell looks like `results_table`.

    Parameters
    ----------
    frame : any; one that is too wide to be shown whole keeps pandas' alignment

    Returns
    -------
    str or None
        HTML; None where pandas is set to show no HTML.
    """
    html = frame._repr_html_()
    levels = [frame.index.get_level_values(level) for level in range(frame.index.nlevels)]
    columns = levels + [frame.iloc[:, place] for place in range(frame.shape[1])]
    sides = ["right" if pd.api.types.is_numeric_dtype(column) else "left" for column in columns]
    row = re.compile(r"<tr.*?</tr>", re.DOTALL)
    if any(len(re.findall(r"<t[hd]", each)) != len(sides) for each in row.findall(html or "")):
        return html  # columns are left out, or headings span several

    def align(found: re.Match) -> str:
        side = iter(sides)
        return re.sub(r"<(t[hd])>", lambda cell: _opened(cell[1], next(side)), found[0])

    return html and row.sub(align, html)


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
    table = tabulate(x_train[:maxcount], headers=names, tablefmt="html", floatfmt=digits, numalign="center")
    return _aligned(table)


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
    table = tabulate(
        rows, ["y_p", "movie id", "rating ave", "title", "genres"], tablefmt="html", floatfmt=(".1f", "", ".1f")
    )
    return _aligned(table)


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
    table = tabulate(rows, headers, tablefmt="html", floatfmt=(".1f", ".1f", "", "", ".1f"), disable_numparse=[3])
    return _aligned(table)


def _aligned(table: str) -> JupyterHTMLStr:
    """Say the side of every cell: tabulate leaves it out for text, which JupyterLab then sets to the right."""
    table = re.sub(r"<(t[hd])>", lambda cell: _opened(cell[1], "left"), str(table))
    return JupyterHTMLStr(
        re.sub(r'<(t[hd]) style="text-align: (\w+);">', lambda cell: _opened(cell[1], cell[2]), table)
    )


def _opened(tag: str, side: str) -> str:
    return f'<{tag} align="{side}" style="text-align: {side};">'  # GitHub reads the one, JupyterLab the other


def _column(name: str, values: np.ndarray, length: int) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    if values.shape not in ((length,), (length, 1)):
        raise ValueError(f"{name} has the shape {values.shape}; expected ({length},) or ({length}, 1)")
    return values.reshape(length)
