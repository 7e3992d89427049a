"""Checks of what callers hand in; each error names the argument, the value and what was expected."""

from collections.abc import Sequence
from difflib import get_close_matches
from numbers import Number, Real

import numpy as np
import pandas as pd

from recsys_utils.columns import ITEM_ID, RATING, TIMESTAMP, USER_ID

RATING_LOW, RATING_HIGH = 0.5, 5.0  # stars
ISO_DATE = r"\d{4}-\d\d-\d\d"
WITHOUT = {  # what to do without a column
    RATING: "clicks have none: assign(rating=1.0)",
    TIMESTAMP: "if there are no times, use split_random",
}


def check_columns(name: str, frame: pd.DataFrame, columns: Sequence[str]) -> None:
    """Raise ValueError if `frame` lacks a column, has no row, or has a gap or a broken id in one of these columns."""
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        only = str(frame.columns[0]) if len(frame.columns) == 1 else ""
        separators = [mark for mark in ";\t|" if mark in only]
        hint = f"read the file with sep={separators[0]!r}" if separators else WITHOUT.get(missing[0])
        raise ValueError(
            f"{name} lacks the column {missing[0]!r}; it has {list(frame.columns)}{f'; {hint}' if hint else ''}"
        )
    if len(frame) == 0:
        raise ValueError(f"{name} is empty; expected at least one row")
    for column in columns:
        gaps = frame[column].isna().to_numpy()
        if gaps.any():
            row = frame.index[gaps.argmax()]
            raise ValueError(f"{name} has NaN in {column!r}, first in row {row} ({gaps.sum()} in all); expected values")
    for column in columns:
        if column in (USER_ID, ITEM_ID):
            _check_ids(name, frame[column])


def _check_ids(name: str, ids: pd.Series) -> None:
    kinds = id_kinds(ids)
    if len(kinds) > 1:
        remedy = f"{name}[{ids.name!r}].astype(str)"
        raise ValueError(f"{name} has {' and '.join(kinds)} in {ids.name!r}; expected ids of one type: {remedy}")
    if kinds == ["numbers"] and not pd.api.types.is_integer_dtype(ids):
        broken = (ids.astype(float) % 1 != 0).to_numpy()  # of infinity it is NaN
        if broken.any():
            row = broken.argmax()
            raise ValueError(
                f"{name} has {ids.iloc[row]} in {ids.name!r}, first in row {ids.index[row]} ({broken.sum()} in all); "
                "expected whole numbers or text"
            )


def id_kinds(ids: pd.Series) -> list[str]:
    """Name the types of the ids that cannot be compared with each other: 'numbers', 'str', ..."""
    if pd.api.types.is_numeric_dtype(ids):
        return ["numbers"]
    if isinstance(ids.dtype, pd.StringDtype):
        return ["str"]
    return sorted({"numbers" if isinstance(value, Number) else type(value).__name__ for value in ids})


def check_once(name: str, frame: pd.DataFrame, columns: Sequence[str], expected: str) -> None:
    """Raise ValueError if two rows have the same values in these columns of ids."""
    twice = frame.duplicated(columns)
    if twice.any():
        row = frame[twice].astype(object).iloc[0]  # else the ids become floats
        ids = ", ".join(f"{column.removesuffix('_id')} {row[column]}" for column in columns)
        raise ValueError(
            f"{name} has {ids} more than once; expected {expected} ({twice.sum()} such rows); "
            f"to keep the last: {name}.drop_duplicates({list(columns)}, keep='last')"
        )


def check_times(name: str, frame: pd.DataFrame) -> pd.Series:
    """Raise ValueError unless every row has a timestamp that says what came first.

    Returns
    -------
    Series
        Numbers or dates to sort by, aligned with `frame`: text is taken only as 2024-12-31, or 2024-12-31 23:59:59.
    """
    check_columns(name, frame, [TIMESTAMP])
    times = frame[TIMESTAMP]
    if pd.api.types.is_datetime64_any_dtype(times):
        return times
    if pd.api.types.is_numeric_dtype(times) and not pd.api.types.is_bool_dtype(times):
        bad = ~(times.astype(float).abs() < 2.0**63).to_numpy()
        expected = "seconds since 1970, finite and below 2**63"
    else:
        text = times.astype(str)
        dates = pd.to_datetime(text.where(text.str.match(ISO_DATE)), format="ISO8601", utc=True, errors="coerce")
        if dates.notna().all():
            return dates
        bad = dates.isna().to_numpy()
        expected = (
            "points in time, as numbers or dates, because text sorts by its letters: "
            f"pd.to_datetime({name}['{TIMESTAMP}'], dayfirst=True) if days come first, "
            f"pd.to_numeric({name}['{TIMESTAMP}']) for seconds"
        )
    if bad.any():
        row = bad.argmax()
        raise ValueError(
            f"{name} has the timestamp {times.astype(object).iloc[row]!r} in row {times.index[row]} "
            f"({bad.sum()} such rows); expected {expected}"
        )
    return times


def check_ratings(ratings: pd.DataFrame, name: str = "ratings") -> None:
    """Raise ValueError unless every row is one user's one rating of one item, between 0.5 and 5 stars."""
    check_columns(name, ratings, [USER_ID, ITEM_ID, RATING])
    if not pd.api.types.is_numeric_dtype(ratings[RATING]):
        text = ratings[pd.to_numeric(ratings[RATING], errors="coerce").isna()]
        row = (text if len(text) else ratings).iloc[0]
        comma = "," in str(row[RATING])
        remedy = "read the file with decimal=','" if comma else f"pd.to_numeric({name}['{RATING}'])"
        raise ValueError(
            f"{name} has the rating {row[RATING]!r} for user {row[USER_ID]}, item {row[ITEM_ID]}; "
            f"expected numbers: {remedy}"
        )
    bad = ~ratings[RATING].between(RATING_LOW, RATING_HIGH)
    if bad.any():
        row = ratings[bad].astype(object).iloc[0]  # else the ids become floats
        raise ValueError(
            f"{name} has the rating {row[RATING]} for user {row[USER_ID]}, item {row[ITEM_ID]}; "
            f"expected a number from {RATING_LOW} to {RATING_HIGH} ({bad.sum()} such rows)"
        )
    check_once(name, ratings, [USER_ID, ITEM_ID], "one rating a pair")


def check_probability(name: str, value: float) -> None:
    """Raise ValueError unless 0 < value < 1."""
    if not 0 < value < 1:
        raise ValueError(f"{name} is {value}; expected a number above 0 and below 1")


def check_scores(name: str, scores: np.ndarray, shape: tuple[int, ...], finite: bool = False) -> None:
    """Raise ValueError unless `scores` has this shape and no NaN; if `finite`, no infinity either."""
    if scores.shape != shape:
        raise ValueError(f"{name} has the shape {scores.shape}; expected {shape}")
    if np.isnan(scores).any():
        where = tuple(int(i) for i in np.argwhere(np.isnan(scores))[0])
        raise ValueError(f"{name} has {int(np.isnan(scores).sum())} NaN, the first at {where}; expected numbers")
    if finite and np.isinf(scores).any():
        where = tuple(int(i) for i in np.argwhere(np.isinf(scores))[0])
        raise ValueError(f"{name} has {scores[where]} at {where}; expected finite numbers")


def check_finite(name: str, value: float) -> None:
    """Raise ValueError unless `value` is a finite number."""
    if not isinstance(value, Real) or isinstance(value, bool) or not np.isfinite(value):
        raise ValueError(f"{name} is {value!r}; expected a finite number")


def check_k(k: int, size: int) -> None:
    """Raise ValueError unless k items can be taken from a catalogue of `size`."""
    if not isinstance(k, int | np.integer) or isinstance(k, bool) or not 1 <= k <= size:
        raise ValueError(f"k is {k!r}; expected a whole number from 1 to {size}, the size of the catalogue")


def check_choice(name: str, value: str, known: Sequence[str]) -> None:
    """Raise ValueError, with the nearest name, unless `value` is one of `known`."""
    if value not in known:
        nearest = get_close_matches(str(value), known, n=1)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
        raise ValueError(f"{name} is {value!r}; expected one of {', '.join(map(repr, known))}{hint}")
