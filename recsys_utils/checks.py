"""Checks of what callers hand in; each error names the argument, the value and what was expected."""

from collections.abc import Sequence
from difflib import get_close_matches

import numpy as np
import pandas as pd

from recsys_utils.columns import ITEM_ID, RATING, USER_ID

RATING_LOW, RATING_HIGH = 0.5, 5.0  # stars


def check_columns(name: str, frame: pd.DataFrame, columns: Sequence[str]) -> None:
    """Raise ValueError if `frame` lacks a column, has no row, or has a gap in one of these columns."""
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise ValueError(f"{name} lacks the column {missing[0]!r}; it has {list(frame.columns)}")
    if len(frame) == 0:
        raise ValueError(f"{name} is empty; expected at least one row")
    for column in columns:
        gaps = frame[column].isna().to_numpy()
        if gaps.any():
            row = frame.index[gaps.argmax()]
            raise ValueError(f"{name} has NaN in {column!r}, first in row {row} ({gaps.sum()} in all); expected values")


def check_ratings(ratings: pd.DataFrame, name: str = "ratings") -> None:
    """Raise ValueError unless every row is one user's one rating of one item, between 0.5 and 5 stars."""
    check_columns(name, ratings, [USER_ID, ITEM_ID, RATING])
    bad = ~ratings[RATING].between(RATING_LOW, RATING_HIGH)
    if bad.any():
        row = ratings[bad].astype(object).iloc[0]  # else the ids become floats
        raise ValueError(
            f"{name} has the rating {row[RATING]} for user {row[USER_ID]}, item {row[ITEM_ID]}; "
            f"expected a number from {RATING_LOW} to {RATING_HIGH} ({bad.sum()} such rows)"
        )
    twice = ratings.duplicated([USER_ID, ITEM_ID])
    if twice.any():
        row = ratings[twice].astype(object).iloc[0]
        raise ValueError(
            f"{name} has user {row[USER_ID]}, item {row[ITEM_ID]} more than once; expected one rating a pair "
            f"({twice.sum()} such rows)"
        )


def check_probability(name: str, value: float) -> None:
    """Raise ValueError unless 0 < value < 1."""
    if not 0 < value < 1:
        raise ValueError(f"{name} is {value}; expected a number above 0 and below 1")


def check_scores(name: str, scores: np.ndarray, shape: tuple[int, ...]) -> None:
    """Raise ValueError unless `scores` has this shape and no NaN."""
    if scores.shape != shape:
        raise ValueError(f"{name} has the shape {scores.shape}; expected {shape}")
    if np.isnan(scores).any():
        where = tuple(int(i) for i in np.argwhere(np.isnan(scores))[0])
        raise ValueError(f"{name} has {int(np.isnan(scores).sum())} NaN, the first at {where}; expected numbers")


def check_k(k: int, size: int) -> None:
    """Raise ValueError unless k items can be taken from a catalogue of `size`."""
    if not isinstance(k, int | np.integer) or not 1 <= k <= size:
        raise ValueError(f"k is {k!r}; expected a whole number from 1 to {size}, the size of the catalogue")


def check_choice(name: str, value: str, known: Sequence[str]) -> None:
    """Raise ValueError, with the nearest name, unless `value` is one of `known`."""
    if value not in known:
        nearest = get_close_matches(str(value), known, n=1)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
        raise ValueError(f"{name} is {value!r}; expected one of {', '.join(map(repr, known))}{hint}")
