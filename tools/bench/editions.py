"""Load the editions of MovieLens that are there, cut by the course's protocol."""

import os
from typing import NamedTuple

import numpy as np
import pandas as pd

from recsys_utils.columns import ITEM_ID, USER_ID
from recsys_utils.datasets.movielens import GROUPLENS, load_movielens
from recsys_utils.metrics import RankingTask, make_ranking_task
from recsys_utils.splits import Split, split_by_time

EMBEDDED = "2016-10"


class Edition(NamedTuple):
    """An edition of MovieLens, or its first users, laid out for the course's protocol."""

    ratings: pd.DataFrame
    items: pd.DataFrame  # those that somebody rated
    validation: Split
    test: Split
    validation_task: RankingTask
    test_task: RankingTask


def load_edition(name: str, users: int | None) -> Edition:
    ratings, items, _ = load_movielens(name)
    if users:
        ratings = ratings[ratings[USER_ID].isin(np.unique(ratings[USER_ID])[:users])]
    items = items[items[ITEM_ID].isin(ratings[ITEM_ID])].reset_index(drop=True)
    test = split_by_time(ratings)
    splits = split_by_time(test.train), test
    return Edition(ratings, items, *splits, *(make_ranking_task(*split, items=items[ITEM_ID]) for split in splits))


def what_is_missing(name: str) -> str | None:
    """Say how to get an edition that is not there; return None for one that is."""
    if name != EMBEDDED and not (os.environ.get("MOVIELENS_PATH") or os.environ.get("MOVIELENS_MIRROR")):
        return (
            f"Set MOVIELENS_PATH to a folder that holds {name}.zip, or MOVIELENS_MIRROR to the address of one on the "
            f"web, such as {GROUPLENS}"
        )
    try:
        load_movielens(name)
    except (OSError, ValueError, ImportError) as error:
        return str(error)
    return None
