"""Splits into training and test: at random, by each user's time, at one moment for all; and parts of equal size."""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from recsys_utils.checks import check_columns, check_probability, check_ratings, check_times
from recsys_utils.columns import ITEM_ID, TIMESTAMP, USER_ID


class Split(NamedTuple):
    """Two frames with the columns and index labels of the frame they were cut from; no row is in both."""

    train: pd.DataFrame
    test: pd.DataFrame


def split_random(ratings: pd.DataFrame, test_share: float = 0.2, seed: int = 1) -> Split:
    """Cut a random share of the ratings off as the test.

    Comparable with other people's tables, but a user's future helps to predict their past: see `split_by_time`.

    Parameters
    ----------
    ratings : DataFrame with user_id, item_id, rating
    test_share : share of the rows in the test, in (0, 1); the count is rounded
    seed : of the permutation

    Returns
    -------
    Split
        Rows keep the order of `ratings`.

    Raises
    ------
    ValueError
        Missing column, empty frame, bad or duplicate rating, share outside (0, 1) or too near either to leave both
        parts a row.
    """
    check_ratings(ratings)
    check_probability("test_share", test_share)
    in_test = round(len(ratings) * test_share)
    if not 0 < in_test < len(ratings):
        raise ValueError(
            f"test_share is {test_share}, which gives the test {in_test} of {len(ratings)} ratings; "
            "expected at least one in the test and one in training"
        )
    order = np.random.default_rng(seed).permutation(len(ratings))
    is_test = np.zeros(len(ratings), dtype=bool)
    is_test[order[:in_test]] = True
    return Split(ratings[~is_test], ratings[is_test])


def split_by_time(ratings: pd.DataFrame, test_share: float = 0.2) -> Split:
    """Cut the last share of each user's ratings off as the test, ties in time broken by item id.

    A user with n ratings gives the last round(n * test_share) to the test, and always keeps one to train on. Users
    are cut at different moments, so one user's test can lie before another's training: see `split_by_global_time`.

    Parameters
    ----------
    ratings : DataFrame with user_id, item_id, rating, timestamp (numbers, dates, or text such as 2024-12-31 23:59:59)
    test_share : share of each user's rows in the test, in (0, 1)

    Returns
    -------
    Split
        Rows sorted by user, time, item.

    Raises
    ------
    ValueError
        Missing column, empty frame, bad or duplicate rating, bad timestamp, share outside (0, 1). Of several users:
        none with two different times, none with enough ratings for the test.
    """
    check_ratings(ratings)
    times = check_times("ratings", ratings)
    check_probability("test_share", test_share)
    ordered = _sort(ratings, times, [USER_ID, TIMESTAMP, ITEM_ID])
    users = ordered.groupby(USER_ID)
    from_the_end = users.cumcount(ascending=False)
    count = users[ITEM_ID].transform("size")
    in_test = np.minimum((count * test_share).round(), count - 1)
    is_test = from_the_end < in_test
    if users.ngroups > 1:  # a single user may be too short for a test, or be split by item id
        _check_test(is_test, count, test_share)
        _check_order(ratings, times)
    return Split(ordered[~is_test], ordered[is_test])


def _check_test(is_test: pd.Series, count: pd.Series, test_share: float) -> None:
    if not is_test.any():
        least = max(2, math.floor(0.5 / test_share) + 1)
        raise ValueError(
            f"ratings has at most {count.max()} a user, and test_share is {test_share}: the test is empty; expected "
            f"users with {least} ratings or more, which this keeps: "
            f"ratings[ratings.groupby('{USER_ID}')['{ITEM_ID}'].transform('size') >= {least}]"
        )


def _check_order(ratings: pd.DataFrame, times: pd.Series) -> None:
    by_user = times.groupby(ratings[USER_ID].to_numpy())
    if (by_user.min() == by_user.max()).all():
        user = by_user.size().idxmax()
        raise ValueError(
            f"ratings has one timestamp a user, {by_user.min()[user]} for all {by_user.size()[user]} of user {user}: "
            "their order is unknown; expected a time for each rating, or use split_random"
        )


def split_by_global_time(ratings: pd.DataFrame, test_share: float = 0.2) -> Split:
    """Cut all ratings at one moment: what a model in production can know.

    Parameters
    ----------
    ratings : DataFrame with user_id, item_id, rating, timestamp (numbers, dates, or text such as 2024-12-31 23:59:59)
    test_share : wanted share of the rows in the test, in (0, 1); rows of the same second stay together

    Returns
    -------
    Split
        Every test timestamp is later than every training timestamp. Rows sorted by time, user, item.

    Raises
    ------
    ValueError
        Missing column, empty frame, bad or duplicate rating, bad timestamp, share outside (0, 1) or too small for the
        rows of the last second.
    """
    check_ratings(ratings)
    times = check_times("ratings", ratings)
    check_probability("test_share", test_share)
    ordered = _sort(ratings, times, [TIMESTAMP, USER_ID, ITEM_ID])
    times = times.sort_values()
    cut = times.iloc[max(len(ordered) - round(len(ordered) * test_share) - 1, 0)]
    is_test = (times > cut).to_numpy()
    if not is_test.any():
        last, count = times.iloc[-1], (times == times.iloc[-1]).sum()
        raise ValueError(
            f"ratings has the last timestamp, {last}, in {count} of {len(times)} rows, and test_share is {test_share}: "
            "the test is empty; expected a larger share, or use split_random if the times say no order"
        )
    return Split(ordered[~is_test], ordered[is_test])


def match_histories(few: pd.DataFrame, many: pd.DataFrame, seed: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cut two frames to equally many users with equally long histories, to compare what models learn from them.

    As many users of `many` are drawn as `few` has. The users of both are paired from the shortest history to the
    longest, and of each pair the longer history loses its last rows (lesson 03).

    Parameters
    ----------
    few, many : DataFrames with user_id; `many` has as many users as `few` or more
    seed : of the draw

    Returns
    -------
    (few, many)
        Rows of both, in their order.

    Raises
    ------
    ValueError
        Missing column, empty frame, `many` with fewer users than `few`.
    """
    for name, frame in (("few", few), ("many", many)):
        check_columns(name, frame, [USER_ID])
    sizes = [frame.groupby(USER_ID).size() for frame in (few, many)]  # (n_users,) each
    n_users = len(sizes[0])
    if len(sizes[1]) < n_users:
        raise ValueError(f"many has {len(sizes[1])} users; expected as many as few has or more, {n_users}")
    sizes[1] = sizes[1].sample(n_users, random_state=seed)
    sizes = [size.sort_values(kind="stable") for size in sizes]
    shorter = np.minimum(*(size.to_numpy() for size in sizes))  # (n_users,)
    limits = (
        frame[USER_ID].map(pd.Series(shorter, size.index)) for frame, size in zip((few, many), sizes, strict=True)
    )
    few, many = (
        frame[frame.groupby(USER_ID).cumcount() < limit]  # the limit of a user who was not drawn is NaN
        for frame, limit in zip((few, many), limits, strict=True)
    )
    return few, many


def _sort(ratings: pd.DataFrame, times: pd.Series, columns: list[str]) -> pd.DataFrame:
    """Sort the rows by these columns, the timestamps by what they mean."""
    keys = ratings[[USER_ID, ITEM_ID]].reset_index(drop=True)
    keys[TIMESTAMP] = times.reset_index(drop=True)
    return ratings.iloc[keys.sort_values(columns).index]
