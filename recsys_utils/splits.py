"""Splits into training and test: at random, by each user's time, at one moment for all."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from recsys_utils.checks import check_columns, check_probability, check_ratings
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
        Missing column, empty frame, bad or duplicate rating, share outside (0, 1).
    """
    check_ratings(ratings)
    check_probability("test_share", test_share)
    order = np.random.default_rng(seed).permutation(len(ratings))
    is_test = np.zeros(len(ratings), dtype=bool)
    is_test[order[: round(len(ratings) * test_share)]] = True
    return Split(ratings[~is_test], ratings[is_test])


def split_by_time(ratings: pd.DataFrame, test_share: float = 0.2) -> Split:
    """Cut the last share of each user's ratings off as the test, ties in time broken by item id.

    A user with n ratings gives the last round(n * test_share) to the test, and always keeps one to train on. Users
    are cut at different moments, so one user's test can lie before another's training: see `split_by_global_time`.

    Parameters
    ----------
    ratings : DataFrame with user_id, item_id, rating, timestamp
    test_share : share of each user's rows in the test, in (0, 1)

    Returns
    -------
    Split
        Rows sorted by user, time, item.

    Raises
    ------
    ValueError
        Missing column, empty frame, bad or duplicate rating, share outside (0, 1).
    """
    check_ratings(ratings)
    check_columns("ratings", ratings, [TIMESTAMP])
    check_probability("test_share", test_share)
    ordered = ratings.sort_values([USER_ID, TIMESTAMP, ITEM_ID])
    users = ordered.groupby(USER_ID)
    from_the_end = users.cumcount(ascending=False)
    count = users[ITEM_ID].transform("size")
    in_test = np.minimum((count * test_share).round(), count - 1)
    is_test = from_the_end < in_test
    return Split(ordered[~is_test], ordered[is_test])


def split_by_global_time(ratings: pd.DataFrame, test_share: float = 0.2) -> Split:
    """Cut all ratings at one moment: what a model in production can know.

    Parameters
    ----------
    ratings : DataFrame with user_id, item_id, rating, timestamp
    test_share : wanted share of the rows in the test, in (0, 1); rows of the same second stay together

    Returns
    -------
    Split
        Every test timestamp is later than every training timestamp. Rows sorted by time, user, item.

    Raises
    ------
    ValueError
        Missing column, empty frame, bad or duplicate rating, share outside (0, 1).
    """
    check_ratings(ratings)
    check_columns("ratings", ratings, [TIMESTAMP])
    check_probability("test_share", test_share)
    ordered = ratings.sort_values([TIMESTAMP, USER_ID, ITEM_ID])
    cut = ordered[TIMESTAMP].iloc[max(len(ordered) - round(len(ordered) * test_share) - 1, 0)]
    is_test = ordered[TIMESTAMP] > cut
    return Split(ordered[~is_test], ordered[is_test])
