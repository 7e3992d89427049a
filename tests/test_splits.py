"""Splits by their properties, and every bad input."""

import numpy as np
import pandas as pd
import pytest

from recsys_utils.columns import ITEM_ID, RATING, TIMESTAMP, USER_ID
from recsys_utils.datasets.movielens import load_movielens
from recsys_utils.metrics import evaluate_ranking, make_ranking_task, rmse
from recsys_utils.splits import match_histories, split_by_global_time, split_by_time, split_random

SPLITS = [split_random, split_by_time, split_by_global_time]
SHARES = [0.05, 0.2, 0.5, 0.9]


def random_ratings(seed, seconds=40):
    """Users with 1 to 14 ratings, rows in no order, and few enough seconds that many tie."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 15, size=30)
    frame = pd.DataFrame(
        {
            USER_ID: np.repeat(rng.permutation(1000)[:30], counts),
            ITEM_ID: np.concatenate([rng.choice(50, size=count, replace=False) for count in counts]),
            RATING: rng.integers(1, 11, size=counts.sum()) / 2,
            TIMESTAMP: rng.integers(0, seconds, size=counts.sum()),
        }
    )
    return frame.sample(frac=1, random_state=seed)


def frame_of(*rows):
    return pd.DataFrame(rows, columns=[USER_ID, ITEM_ID, RATING, TIMESTAMP])


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("seed", range(5))
def test_split_loses_nothing_and_repeats_nothing(split, share, seed):
    ratings = random_ratings(seed)
    before = ratings.copy()
    train, test = split(ratings, share)
    pd.testing.assert_frame_equal(ratings, before)  # the caller's frame is left alone
    assert set(train.index).isdisjoint(test.index)
    pd.testing.assert_frame_equal(pd.concat([train, test]).sort_index(), ratings.sort_index())


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("seed", range(5))
def test_random_split_has_the_asked_size_and_keeps_the_order(share, seed):
    ratings = random_ratings(0)
    train, test = split_random(ratings, share, seed=seed)
    assert len(test) == round(share * len(ratings))
    for part in (train, test):
        assert part.index.tolist() == [label for label in ratings.index if label in part.index]
    assert test.equals(split_random(ratings, share, seed=seed).test)
    assert not test.index.equals(split_random(ratings, share, seed=seed + 1).test.index)


def test_random_split_takes_every_row_equally_often():
    ratings = random_ratings(0)
    hits = sum(ratings.index.isin(split_random(ratings, 0.2, seed=seed).test.index) for seed in range(400))
    # a count is binomial with the standard deviation sqrt(400 * 0.2 * 0.8) = 8
    assert abs(hits - 80).max() < 5 * 8 and abs(hits.mean() - 80) < 1


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("seed", range(5))
def test_split_by_time_has_no_future_of_the_user_in_training(share, seed):
    ratings = random_ratings(seed)
    train, test = split_by_time(ratings, share)
    for user, rows in ratings.groupby(USER_ID):
        past, future = train[train[USER_ID] == user], test[test[USER_ID] == user]
        assert len(future) == min(round(share * len(rows)), len(rows) - 1)
        latest = max(zip(past[TIMESTAMP], past[ITEM_ID], strict=True))  # of one second, the higher item id is later
        assert all(moment > latest for moment in zip(future[TIMESTAMP], future[ITEM_ID], strict=True))
    shuffled = split_by_time(ratings.sample(frac=1, random_state=seed + 1), share)
    assert shuffled.train.equals(train) and shuffled.test.equals(test), "the order of the rows must not matter"
    for part in (train, test):
        assert part.equals(part.sort_values([USER_ID, TIMESTAMP, ITEM_ID]))


def test_split_by_time_breaks_ties_by_item_id():
    ratings = frame_of((1, 30, 4.0, 7), (1, 10, 4.0, 7), (1, 50, 4.0, 7), (1, 20, 4.0, 7), (1, 40, 4.0, 7))
    train, test = split_by_time(ratings, 0.4)
    assert train[ITEM_ID].tolist() == [10, 20, 30] and test[ITEM_ID].tolist() == [40, 50]


@pytest.mark.parametrize(("count", "in_test"), [(1, 0), (2, 0), (3, 1), (5, 1), (8, 2), (20, 4)])
def test_split_by_time_of_users_with_few_ratings(count, in_test):
    ratings = frame_of(*((1, item, 3.0, item) for item in range(count)))
    train, test = split_by_time(ratings)
    assert (len(train), len(test)) == (count - in_test, in_test)
    assert len(split_by_time(ratings, 0.99).train) >= 1, "a user always keeps a rating to train on"


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("seed", range(5))
def test_global_split_is_strictly_later_and_as_large_as_whole_seconds_allow(share, seed):
    ratings = random_ratings(seed)
    train, test = split_by_global_time(ratings, share)
    assert test[TIMESTAMP].min() > train[TIMESTAMP].max()
    wanted = round(share * len(ratings))
    last_second = (train[TIMESTAMP] == train[TIMESTAMP].max()).sum()
    assert len(test) <= wanted < len(test) + last_second
    apart = random_ratings(seed).assign(**{TIMESTAMP: np.arange(len(ratings))})
    assert len(split_by_global_time(apart, share).test) == wanted


def test_splits_of_movielens_have_the_sizes_of_the_protocol():
    ratings = load_movielens().ratings
    assert [len(part) for part in split_random(ratings)] == [80_003, 20_001]
    train, test = split_by_time(ratings)
    assert (len(train), len(test)) == (80_001, 20_003)
    # An independent program gave 1.0650 and, by popularity, Recall@10 0.041 and NDCG@10 0.083 on this split.
    assert rmse(test[RATING], np.full(len(test), train[RATING].mean())) == pytest.approx(1.0650, abs=5e-5)
    task = make_ranking_task(train, test)
    popular = evaluate_ranking(np.broadcast_to(task.popularity, task.seen.shape), task)
    assert popular.recall.mean() == pytest.approx(0.041, abs=5e-4)
    assert popular.ndcg.mean() == pytest.approx(0.083, abs=5e-4)


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("share", [0, 1, -0.2, 1.5, float("nan")])
def test_split_needs_a_share_between_0_and_1(split, share):
    with pytest.raises(ValueError, match=rf"test_share is {share}; expected a number above 0 and below 1"):
        split(random_ratings(0), share)


GOOD = frame_of((1, 10, 4.0, 100), (1, 20, 3.5, 200), (2, 10, 5.0, 300))
BAD_RATINGS = [
    (GOOD.drop(columns=USER_ID), "ratings lacks the column 'user_id'; it has ['item_id', 'rating', 'timestamp']"),
    (GOOD.drop(columns=ITEM_ID), "ratings lacks the column 'item_id'"),
    (GOOD.drop(columns=RATING), "ratings lacks the column 'rating'"),
    (GOOD.iloc[:0], "ratings is empty; expected at least one row"),
    (GOOD.assign(rating=[4, np.nan, 5]), "ratings has NaN in 'rating', first in row 1 (1 in all); expected values"),
    (GOOD.assign(user_id=[np.nan, 1, np.nan]), "ratings has NaN in 'user_id', first in row 0 (2 in all)"),
    (GOOD.assign(rating=[4, 0.4, 5]), "has the rating 0.4 for user 1, item 20; expected a number from 0.5 to 5.0"),
    (GOOD.assign(rating=[4, 4, 5.1]), "has the rating 5.1 for user 2, item 10; expected a number from 0.5 to 5.0"),
    (GOOD.assign(rating=[4, np.inf, 5]), "has the rating inf for user 1, item 20"),
    (GOOD.assign(item_id=10), "has user 1, item 10 more than once; expected one rating a pair (1 such rows)"),
]


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize(("ratings", "message"), BAD_RATINGS)
def test_split_refuses_bad_ratings(split, ratings, message):
    with pytest.raises(ValueError) as caught:
        split(ratings)
    assert message in str(caught.value)


@pytest.mark.parametrize("split", [split_by_time, split_by_global_time])
def test_split_by_time_needs_times(split):
    with pytest.raises(ValueError, match="ratings lacks the column 'timestamp'"):
        split(GOOD.drop(columns=TIMESTAMP))
    with pytest.raises(ValueError, match="ratings has NaN in 'timestamp', first in row 2"):
        split(GOOD.assign(timestamp=[1, 2, np.nan]))


# --- times and tests that say too little ----------------------------------------------------------------------------

BY_TIME = [split_by_time, split_by_global_time]


def as_dates(ratings):
    return ratings.assign(timestamp=pd.to_datetime(ratings[TIMESTAMP] * 100_000, unit="s"))  # more than a day apart


@pytest.mark.parametrize("split", BY_TIME)
@pytest.mark.parametrize(
    "change",
    [
        as_dates,
        lambda ratings: ratings.assign(timestamp=as_dates(ratings)[TIMESTAMP].dt.tz_localize("UTC")),
        lambda ratings: ratings.assign(timestamp=as_dates(ratings)[TIMESTAMP].dt.strftime("%Y-%m-%d %H:%M:%S")),
        lambda ratings: ratings.astype({TIMESTAMP: float}),
    ],
)
def test_dates_split_as_seconds_do_and_come_back_as_they_were(split, change):
    ratings = random_ratings(1)
    changed = change(ratings)
    for ours, theirs in zip(split(changed), split(ratings), strict=True):
        pd.testing.assert_frame_equal(ours, changed.loc[theirs.index])


@pytest.mark.parametrize("split", BY_TIME)
def test_rows_with_the_same_label_are_not_mixed_up(split):
    ratings = as_dates(random_ratings(1))
    relabelled = ratings.set_axis(np.zeros(len(ratings), int))
    for ours, theirs in zip(split(relabelled), split(ratings), strict=True):
        pd.testing.assert_frame_equal(ours.reset_index(drop=True), theirs.reset_index(drop=True))


@pytest.mark.parametrize("split", BY_TIME)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda day: day.dt.strftime("%d.%m.%Y"), "pd.to_datetime(ratings['timestamp'], dayfirst=True)"),
        (lambda day: 1e30, "ratings has the timestamp 1e+30 in row"),
        (lambda day: np.inf, "ratings has the timestamp inf in row"),
    ],
)
def test_times_without_an_order_are_refused(split, change, message):
    ratings = as_dates(random_ratings(1))
    with pytest.raises(ValueError) as caught:
        split(ratings.assign(timestamp=change(ratings[TIMESTAMP])))
    assert message in str(caught.value)


def test_one_timestamp_says_no_order():
    ratings = random_ratings(1).assign(timestamp=7)
    with pytest.raises(
        ValueError, match=r"one timestamp a user, 7 for all \d+ of user .*order is unknown;.*split_random"
    ):
        split_by_time(ratings)
    with pytest.raises(ValueError, match=r"the last timestamp, 7, in (\d+) of \1 rows.*test is empty;.*split_random"):
        split_by_global_time(ratings)
    with pytest.raises(ValueError, match="order is unknown"):
        split_by_time(ratings.assign(timestamp=ratings[USER_ID]))  # a batch for each user
    assert len(split_random(ratings).test) == round(0.2 * len(ratings))


@pytest.mark.parametrize(("share", "least"), [(0.05, 11), (0.1, 6), (0.2, 3), (0.5, 2), (0.9, 2)])
def test_users_with_too_few_ratings_are_told_how_many_they_need(share, least):
    few = frame_of(*((user, item, 3.0, item) for user in range(5) for item in range(least - 1)))
    with pytest.raises(ValueError) as caught:
        split_by_time(few, share)
    message = str(caught.value)
    assert f"at most {least - 1} a user, and test_share is {share}: the test is empty" in message
    assert f"expected users with {least} ratings or more" in message
    ratings = pd.concat([few, frame_of(*((9, item, 3.0, item) for item in range(least)))], ignore_index=True)
    kept = eval(message.partition("this keeps: ")[2], {"ratings": ratings})
    assert set(kept[USER_ID]) == {9} and len(split_by_time(kept, share).test) >= 1


@pytest.mark.parametrize(("share", "in_test"), [(0.01, 0), (0.99, 3)])
def test_random_split_leaves_no_part_empty(share, in_test):
    with pytest.raises(
        ValueError, match=f"test_share is {share}, which gives the test {in_test} of 3 ratings; expected"
    ):
        split_random(GOOD, share)


def test_global_split_leaves_the_test_no_room_to_be_empty():
    last_second = GOOD.assign(timestamp=[1, 2, 2])
    with pytest.raises(
        ValueError, match=r"the last timestamp, 2, in 2 of 3 rows, and test_share is 0\.4: the test is empty"
    ):
        split_by_global_time(last_second, 0.4)
    assert len(split_by_global_time(last_second, 0.7).test) == 2


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"user_id": [7.9, 1, 2]}, "ratings has 7.9 in 'user_id'"),
        ({"item_id": np.array([10, "20", 10], dtype=object)}, "ratings has numbers and str in 'item_id'"),
        ({"rating": ["4,5", "3", "2"]}, "ratings has the rating '4,5' for user 1, item 10"),
    ],
)
def test_split_refuses_broken_ids_and_text(split, change, message):
    with pytest.raises(ValueError) as caught:
        split(GOOD.assign(**change))
    assert message in str(caught.value)


# --- parts of equal size ----------------------------------------------------------------------------------------------


def test_matched_histories_have_equal_lengths_and_keep_their_first_rows():
    ratings = random_ratings(1)
    few = ratings[ratings[USER_ID].isin(ratings[USER_ID].unique()[:12])]
    matched = match_histories(few, ratings, seed=3)
    lengths = [np.sort(frame.groupby(USER_ID).size()) for frame in matched]
    np.testing.assert_array_equal(*lengths)
    assert len(lengths[0]) == 12 and lengths[0].sum() < len(few)
    for frame, whole in zip(matched, (few, ratings), strict=True):
        for user, rows in frame.groupby(USER_ID):
            assert rows.index.tolist() == whole[whole[USER_ID] == user].index[: len(rows)].tolist()
    again, other = match_histories(few, ratings, seed=3)[1], match_histories(few, ratings, seed=4)[1]
    assert again.equals(matched[1]) and not other.equals(matched[1])


def test_matching_needs_enough_users():
    ratings = random_ratings(2)
    with pytest.raises(ValueError, match="many has 1 users; expected as many as few has or more, 30"):
        match_histories(ratings, ratings[ratings[USER_ID] == ratings[USER_ID].iloc[0]])
    with pytest.raises(ValueError, match="few is empty"):
        match_histories(ratings[:0], ratings)
    with pytest.raises(ValueError, match="many lacks the column 'user_id'"):
        match_histories(ratings, ratings.drop(columns=USER_ID))
