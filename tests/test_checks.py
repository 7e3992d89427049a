"""Checks of what callers hand in."""

import numpy as np
import pandas as pd
import pytest

from recsys_utils import checks
from recsys_utils.columns import ITEM_ID, RATING, TIMESTAMP, USER_ID


def frame_of(*rows):
    return pd.DataFrame(rows, columns=[USER_ID, ITEM_ID, RATING, TIMESTAMP])


GOOD = frame_of((1, 10, 4.0, 100), (1, 20, 3.5, 200), (2, 10, 5.0, 300))


def test_good_input_passes_every_check():
    checks.check_columns("ratings", GOOD, [USER_ID, TIMESTAMP])
    checks.check_ratings(GOOD.assign(rating=[0.5, 5, 5]))
    checks.check_probability("share", 0.5)
    checks.check_scores("scores", np.array([[1, 2]]), (1, 2))
    for k in (1, 5, np.int64(3)):
        checks.check_k(k, 5)
    checks.check_choice("edition", "ml-1m", ["ml-1m"])


def refusal(check, *args):
    """The message of the ValueError."""
    with pytest.raises(ValueError) as caught:
        check(*args)
    return str(caught.value)


# --- columns --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_a_table_read_with_the_wrong_separator_is_told_of_sep(mark):
    frame = pd.DataFrame({mark.join(GOOD.columns): ["1"]})
    message = refusal(checks.check_columns, "ratings", frame, [USER_ID])
    assert message.startswith("ratings lacks the column 'user_id'; it has [")
    assert message.endswith(f"; read the file with sep={mark!r}")


def test_clicks_without_a_rating_or_a_time_are_told_what_to_do():
    message = refusal(checks.check_ratings, GOOD.drop(columns=RATING))
    assert message.endswith("; clicks have none: assign(rating=1.0)")
    message = refusal(checks.check_times, "ratings", GOOD.drop(columns=TIMESTAMP))
    assert message.endswith("; if there are no times, use split_random")


# --- ids ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("column", [USER_ID, ITEM_ID])
@pytest.mark.parametrize("value", [7.9, np.inf, -0.5])
@pytest.mark.parametrize("dtype", [float, object])
def test_an_id_that_is_not_whole_is_refused(column, value, dtype):
    message = refusal(checks.check_ratings, GOOD.assign(**{column: pd.Series([1, value, value], dtype=dtype)}))
    assert message == f"ratings has {value} in '{column}', first in row 1 (2 in all); expected whole numbers or text"


def test_ids_of_two_types_are_refused():
    message = refusal(checks.check_ratings, GOOD.assign(item_id=pd.Series([10, "20", 30], dtype=object)))
    expected = "expected ids of one type: ratings['item_id'].astype(str)"
    assert message == f"ratings has numbers and str in 'item_id'; {expected}"


@pytest.mark.parametrize("ids", [[1.0, 2.0, 3.0], ["a", "b", "c"], np.array([1, np.int64(2), 3.0], dtype=object)])
@pytest.mark.parametrize("dtype", [None, object])
def test_whole_numbers_and_text_are_ids(ids, dtype):
    checks.check_ratings(GOOD.assign(user_id=pd.Series(ids, dtype=dtype)))


def test_a_repeated_pair_is_told_of_drop_duplicates():
    ratings = pd.concat([GOOD, GOOD.iloc[[1]].assign(rating=1.0)], ignore_index=True)
    message = refusal(checks.check_ratings, ratings)
    remedy = "ratings.drop_duplicates(['user_id', 'item_id'], keep='last')"
    assert message.startswith("ratings has user 1, item 20 more than once; expected one rating a pair (1 such rows)")
    assert message.endswith(f"; to keep the last: {remedy}")
    kept = eval(remedy, {"ratings": ratings})
    checks.check_ratings(kept)
    assert kept[RATING].tolist() == [4.0, 5.0, 1.0]


# --- ratings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratings", "value", "remedy"),
    [
        (["4", "4,5", "5"], "4,5", "read the file with decimal=','"),
        (["4", "3.5", "5"], "4", "pd.to_numeric(ratings['rating'])"),
        (["4", "good", "5"], "good", "pd.to_numeric(ratings['rating'])"),
        (pd.Series([4, 3.5, "5"], dtype=object), 4, "pd.to_numeric(ratings['rating'])"),
    ],
)
def test_ratings_that_are_text_are_told_how_to_become_numbers(ratings, value, remedy):
    message = refusal(checks.check_ratings, GOOD.assign(rating=ratings))
    assert message.startswith(f"ratings has the rating {value!r} for user 1, item ")
    assert message.endswith(f"; expected numbers: {remedy}")


# --- times ----------------------------------------------------------------------------------------------------------

DAYS = pd.to_datetime(["2024-12-31", "2025-01-02", "2025-01-10"])


@pytest.mark.parametrize(
    "times",
    [
        [1, 2, 3],
        [-1.5, 0.0, 2.0**62],
        DAYS,
        DAYS.tz_localize("Europe/Berlin"),
        list(DAYS.date),
        ["2024-12-31", "2025-01-02", "2025-01-10"],
        ["2024-12-31 23:59:59", "2025-01-02 08:00:00", "2025-01-10 00:00:00"],
        ["2025-01-01T01:00:00+02:00", "2025-01-01T00:00:00Z", "2025-01-01T00:30:00+00:00"],
    ],
)
def test_times_sort_by_what_they_mean(times):
    sortable = checks.check_times("ratings", GOOD.assign(timestamp=times))
    assert sortable.index.equals(GOOD.index)
    assert sortable.iloc[::-1].sort_values().index.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("times", "value", "remedy"),
    [
        (["31.12.2024", "02.01.2025", "10.01.2025"], "'31.12.2024'", "dayfirst=True"),
        (["2024-12-31", "12/31/2024", "2025-01-01"], "'12/31/2024'", "pd.to_datetime(ratings['timestamp']"),
        (["2024-12-31", "2024-13-31", "2025-01-01"], "'2024-13-31'", "pd.to_datetime(ratings['timestamp']"),
        (["9", "10", "11"], "'9'", "pd.to_numeric(ratings['timestamp'])"),
        ([1.0, 1e30, 2.0], "1e+30", "seconds since 1970, finite and below 2**63"),
        ([1.0, np.inf, 2.0], "inf", "seconds since 1970, finite and below 2**63"),
        ([-np.inf, 1.0, 2.0], "-inf", "seconds since 1970, finite and below 2**63"),
        ([True, False, True], "True", "points in time"),
    ],
)
def test_times_that_would_sort_wrong_are_refused(times, value, remedy):
    message = refusal(checks.check_times, "ratings", GOOD.assign(timestamp=times))
    assert message.startswith(f"ratings has the timestamp {value} in row ") and remedy in message


@pytest.mark.parametrize("gap", [np.nan, pd.NaT, None])
def test_a_missing_time_is_refused(gap):
    message = refusal(checks.check_times, "ratings", GOOD.assign(timestamp=[1, gap, gap]))
    assert message == "ratings has NaN in 'timestamp', first in row 1 (2 in all); expected values"


# --- numbers --------------------------------------------------------------------------------------------------------


def test_scores_are_finite_only_where_that_is_asked():
    scores = np.array([[1.0, -np.inf]])
    checks.check_scores("scores", scores, (1, 2))
    message = refusal(checks.check_scores, "scores", scores, (1, 2), True)
    assert message == "scores has -inf at (0, 1); expected finite numbers"


@pytest.mark.parametrize("value", [np.nan, -np.inf, "3", None, True, 1j])
def test_a_figure_that_is_no_finite_number_is_refused(value):
    assert refusal(checks.check_finite, "share", value) == f"share is {value!r}; expected a finite number"


def test_finite_numbers_pass():
    for value in (0, -1.5, np.float32(2), np.int64(3)):
        checks.check_finite("share", value)
