"""Content features of users and movies, from training ratings only and without a row's own rating."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from recsys_utils.checks import check_choice, check_columns, check_ratings
from recsys_utils.columns import GENRES, ITEM_ID, RATING, TIMESTAMP, USER_ID, YEAR

GENRE_NAMES = (
    *("Action", "Adventure", "Animation", "Children", "Comedy", "Crime", "Documentary", "Drama"),
    *("Fantasy", "Horror", "Mystery", "Romance", "Sci-Fi", "Thriller"),
)
USER_FEATURES = ("user id", "rating count", "rating ave", *GENRE_NAMES)
MOMENT_FEATURES = ("date", "log days", "log ratings", "last 5", "last 20")
ITEM_FEATURES = ("movie id", "year", "ave rating", *GENRE_NAMES)


def user_features(
    rows: pd.DataFrame, train: pd.DataFrame, items: pd.DataFrame, statistics: str = "leave-one-out"
) -> np.ndarray:
    """Describe the user of each row by what they rated: columns USER_FEATURES.

    Parameters
    ----------
    rows : DataFrame with user_id; with item_id too, a row's own rating can be left out
    train : DataFrame with user_id, item_id, rating: all that is known
    items : DataFrame with item_id, genres ('Action|Drama'), year: every movie of `train`
    statistics : 'leave-one-out' takes a row's own rating out of its features if the row is in `train`;
        'leaky' leaves it in, so that the features of a row contain the rating that is to be predicted

    Returns
    -------
    ndarray of float, (n_rows, 17)
        User id; number of ratings; their average, in stars; the average in each of the 14 genres, in stars. With
        nothing rated in a genre, its average is the user's average; with nothing rated at all, the count is 0 and
        every average is that of the training ratings (for a row in `train`, of the other ones).

    Raises
    ------
    ValueError
        Missing column, empty frame, bad or duplicate rating, a movie that `items` lacks, an unknown `statistics`,
        fewer than two training ratings.
    """
    own = _own_rating(rows, train, statistics, USER_ID)
    flags, known = genre_flags(items), pd.Index(items[ITEM_ID])
    rated = flags[_positions("train", train, known)]  # (n_train, 14)
    stars = train[[RATING]].to_numpy(float)
    sums = _sums(train[USER_ID], np.hstack([np.ones_like(stars), stars, rated, rated * stars]), rows[USER_ID])
    if ITEM_ID in rows:
        flag = flags[_positions("rows", rows, known)]  # (n_rows, 14)
        left_out, star = ~np.isnan(own)[:, None], np.nan_to_num(own)[:, None]
        sums = sums - left_out * np.hstack([np.ones_like(star), star, flag, flag * star])
    count, total, genre_count, genre_total = np.split(sums, [1, 2, 2 + len(GENRE_NAMES)], axis=1)
    average = _average(total, count, _training_mean(own, train))
    genre_average = _average(genre_total, genre_count, average)
    return np.hstack([rows[[USER_ID]].to_numpy(float), count, average, genre_average])


def item_features(
    rows: pd.DataFrame, train: pd.DataFrame, items: pd.DataFrame, statistics: str = "leave-one-out"
) -> np.ndarray:
    """Describe the movie of each row: columns ITEM_FEATURES.

    Parameters
    ----------
    rows : DataFrame with item_id; with user_id too, a row's own rating can be left out; `items` itself gives one row
        for each movie of the catalogue
    train, items, statistics : as in `user_features`

    Returns
    -------
    ndarray of float, (n_rows, 17)
        Movie id; year (the median where unknown); average rating, in stars; 14 genre flags, 0 or 1. A movie with no
        training rating left has the average of the training ratings (for a row in `train`, of the other ones).

    Raises
    ------
    ValueError
        As in `user_features`.
    """
    own = _own_rating(rows, train, statistics, ITEM_ID)
    flags, position = genre_flags(items), _positions("rows", rows, pd.Index(items[ITEM_ID]))
    stars = train[[RATING]].to_numpy(float)
    sums = _sums(train[ITEM_ID], np.hstack([np.ones_like(stars), stars]), rows[ITEM_ID])
    sums = sums - ~np.isnan(own)[:, None] * np.column_stack([np.ones(len(own)), np.nan_to_num(own)])
    average = _average(sums[:, 1:], sums[:, :1], _training_mean(own, train))
    years = items[YEAR].where(items[YEAR] > 0, items.loc[items[YEAR] > 0, YEAR].median()).to_numpy()
    return np.column_stack([rows[ITEM_ID].to_numpy(float), years[position], average, flags[position]])


def genre_flags(items: pd.DataFrame) -> np.ndarray:
    """Say which of GENRE_NAMES each movie has: (n_items, 14) of 0 and 1, in the order of `items`."""
    check_columns("items", items, [ITEM_ID, GENRES, YEAR])
    if items[ITEM_ID].duplicated().any():
        raise ValueError(f"items has the item {items[ITEM_ID][items[ITEM_ID].duplicated()].iloc[0]} more than once")
    flags = items[GENRES].str.get_dummies("|").reindex(columns=list(GENRE_NAMES), fill_value=0)
    return flags.to_numpy(float)


class Biases(NamedTuple):
    """What a rating owes to its user and its item."""

    user: np.ndarray  # (n_users,) mean of all ratings plus the user's bias, stars
    item: np.ndarray  # (n_items,) stars
    residual: np.ndarray  # (n_ratings,) what both leave, stars


def shrunk_biases(
    user: np.ndarray, item: np.ndarray, stars: np.ndarray, n_users: int, n_items: int, shrink: float, sweeps: int = 15
) -> Biases:
    """Find the biases of users and items by turns (lesson 07; Koren, 2010, sec. 2.1).

    Parameters
    ----------
    user, item : (n_ratings,) whole numbers from 0, the row of each
    stars : (n_ratings,)
    n_users, n_items : how many there are; one without ratings has the bias 0
    shrink : ratings' worth of deviation 0 that is added to each average, above 0
    sweeps : how often items and then users take their turn

    Returns
    -------
    Biases

    Raises
    ------
    ValueError
        No rating, lengths that differ, a `shrink` that is not above 0.
    """
    if not len(stars) or not len(user) == len(item) == len(stars):
        raise ValueError(
            f"user, item and stars have {len(user)}, {len(item)}, {len(stars)}; expected as many, 1 or more"
        )
    if not shrink > 0:
        raise ValueError(f"shrink is {shrink}; expected above 0")
    n_user, n_item = np.bincount(user, minlength=n_users), np.bincount(item, minlength=n_items)
    of_user, of_item, mean = np.zeros(n_users), np.zeros(n_items), np.mean(stars)
    for _ in range(sweeps):
        of_item = np.bincount(item, stars - mean - of_user[user], n_items) / (n_item + shrink)
        of_user = np.bincount(user, stars - mean - of_item[item], n_users) / (n_user + shrink)
    return Biases(mean + of_user, of_item, stars - mean - of_user[user] - of_item[item])


def moment_features(
    rows: pd.DataFrame, known: pd.DataFrame, residuals: np.ndarray, look_ahead: bool, shrink: float = 4.0
) -> np.ndarray:
    """Describe the moment of each row by the known ratings of its user: columns MOMENT_FEATURES (lesson 07).

    Parameters
    ----------
    rows : DataFrame with user_id, timestamp (seconds)
    known : DataFrame with user_id, timestamp: the ratings that are known; a row of `rows` must not be among them
    residuals : (n_known,) what a model leaves of these ratings, in stars
    look_ahead : whether ratings at and after the moment count in the averages, as many as before
    shrink : ratings' worth of residual 0 that is added to an average, 0 or more

    Returns
    -------
    ndarray of float, (n_rows, 5)
        The timestamp; log(1 + days since the user's first known rating); log(1 + known ratings before); the mean
        residual of the 5 and of the 20 nearest ones, 0 where there is none.

    Raises
    ------
    ValueError
        A missing column, residuals of another length, a negative `shrink`.
    """
    check_columns("rows", rows, [USER_ID, TIMESTAMP])
    check_columns("known", known, [USER_ID, TIMESTAMP])
    if len(residuals) != len(known):
        raise ValueError(f"residuals has {len(residuals)} numbers; expected {len(known)}, one for each known rating")
    if not shrink >= 0:
        raise ValueError(f"shrink is {shrink}; expected 0 or more")
    line, ids = 1e10, pd.Index(pd.concat([known[USER_ID], rows[USER_ID]]).unique())  # a line of seconds for each user
    at = line * ids.get_indexer(known[USER_ID]) + known[TIMESTAMP].to_numpy(float)  # (n_known,)
    order = np.argsort(at, kind="stable")
    at, total = at[order], np.concatenate([[0.0], np.cumsum(np.asarray(residuals, float)[order])])
    now, whose = rows[TIMESTAMP].to_numpy(float), line * ids.get_indexer(rows[USER_ID])
    start, before, end = (np.searchsorted(at, point) for point in (whose, whose + now, whose + line))
    after = np.searchsorted(at, whose + now, "right") if look_ahead else before
    first = np.where(end > start, at[np.minimum(start, len(at) - 1)], whose + now)
    days = np.maximum(whose + now - first, 0) / 86_400
    columns = [now, np.log1p(days), np.log1p(before - start)]
    for width in (5, 20):
        low, high = np.maximum(before - width, start), np.minimum(after + width * look_ahead, end)
        columns.append((total[high] - total[low]) / np.maximum(high - low + shrink, 1))
    return np.column_stack(columns)


def _own_rating(rows: pd.DataFrame, train: pd.DataFrame, statistics: str, column: str) -> np.ndarray:
    """Check the arguments; find the rating to leave out of each row's features, NaN where there is none."""
    check_columns("rows", rows, [column])
    check_ratings(train, "train")
    check_choice("statistics", statistics, ["leave-one-out", "leaky"])
    if len(train) < 2:
        raise ValueError("train has 1 row; expected at least 2, so that one is left when one is left out")
    pair = [USER_ID, ITEM_ID]
    if statistics == "leaky" or not set(pair) <= set(rows.columns):
        return np.full(len(rows), np.nan)
    return rows[pair].merge(train[[*pair, RATING]], how="left", on=pair)[RATING].to_numpy(float)


def _positions(name: str, frame: pd.DataFrame, known: pd.Index) -> np.ndarray:
    position = known.get_indexer(frame[ITEM_ID])
    if (position < 0).any():
        raise ValueError(f"{name} has the item {frame[ITEM_ID].iloc[np.argmin(position)]}; expected one that items has")
    return position


def _sums(ids: pd.Series, values: np.ndarray, wanted: pd.Series) -> np.ndarray:
    """Column sums of `values` by id, a row for each wanted id; 0 for an id without values."""
    return pd.DataFrame(values).groupby(ids.to_numpy()).sum().reindex(wanted, fill_value=0).to_numpy()


def _average(total: np.ndarray, count: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    return np.where(count > 0, total / np.maximum(count, 1), otherwise)


def _training_mean(own: np.ndarray, train: pd.DataFrame) -> np.ndarray:
    """Mean of the training ratings without the row's own, (n_rows, 1)."""
    left_out = ~np.isnan(own)
    mean = (train[RATING].sum() - np.nan_to_num(own)) / (len(train) - left_out)
    return mean.reshape(-1, 1)
