"""Splits by their properties, metrics by hand, intervals, the leaderboard, and every bad input."""

import json
import time
import tracemalloc
from math import log2, sqrt
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from recsys_utils import checks, evaluation
from recsys_utils.columns import ITEM_ID, RATING, TIMESTAMP, USER_ID
from recsys_utils.data import load_movielens
from recsys_utils.evaluation import (
    Leaderboard,
    RankingTask,
    bootstrap_interval,
    evaluate_ranking,
    mae,
    make_ranking_task,
    query_milliseconds,
    rmse,
    split_by_global_time,
    split_by_time,
    split_random,
    top_k,
)

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


# --- splits ---------------------------------------------------------------------------------------------------------


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


# --- rating metrics -------------------------------------------------------------------------------------------------


def test_rmse_and_mae_by_hand():
    actual, predicted = [4, 3, 5, 1], [3, 3, 3, 2]  # errors 1, 0, 2, -1
    assert rmse(actual, predicted) == pytest.approx(sqrt(6 / 4))
    assert mae(actual, predicted) == pytest.approx(4 / 4)
    assert rmse(actual, actual) == mae(actual, actual) == 0
    small = np.array([250, 5], dtype=np.uint8), np.array([5, 250], dtype=np.uint8)  # 5 - 250 wraps around in uint8
    assert rmse(*small) == mae(*small) == 245


@pytest.mark.parametrize("metric", [rmse, mae])
def test_rating_metrics_refuse_bad_input(metric):
    with pytest.raises(ValueError, match=r"predicted has the shape \(2,\); expected \(3,\)"):
        metric([1, 2, 3], [1, 2])
    with pytest.raises(ValueError, match=r"predicted has the shape \(3, 1\); expected \(3,\)"):
        metric(np.ones(3), np.ones((3, 1)))  # would broadcast to nine errors
    with pytest.raises(ValueError, match=r"predicted has 1 NaN, the first at \(1,\); expected numbers"):
        metric([1, 2], [1, np.nan])
    with pytest.raises(ValueError, match=r"actual has 2 NaN, the first at \(0,\); expected numbers"):
        metric([np.nan, np.nan], [1, 2])
    with pytest.raises(ValueError, match="actual is empty; expected at least one rating"):
        metric([], [])


# --- ranking --------------------------------------------------------------------------------------------------------

# Five items, three users; S was seen in training, R is relevant in the test.
#            10  20  30  40  50
#   user 1    S       R       R
#   user 2    R   S       S
#   user 3        S           R
TRAIN = pd.DataFrame({USER_ID: [1, 2, 2, 3], ITEM_ID: [10, 20, 40, 20]})
TEST = pd.DataFrame({USER_ID: [1, 1, 2, 3], ITEM_ID: [30, 50, 10, 50]})
SCORES = np.array(
    [
        [9, 5, 4, 3, 1],  # unseen in order: 20, 30, 40, 50; lists 20, 30
        [2, 8, 3, 7, 2],  # unseen in order: 30, then 10 and 50 tie and 10 comes first; lists 30, 10
        [4, 9, 3, 2, 1],  # unseen in order: 10, 30, 40, 50; lists 10, 30
    ]
)


def test_ranking_task_by_hand():
    task = make_ranking_task(TRAIN, TEST)
    assert task.users.tolist() == [1, 2, 3] and task.items.tolist() == [10, 20, 30, 40, 50]
    assert task.seen.astype(int).tolist() == [[1, 0, 0, 0, 0], [0, 1, 0, 1, 0], [0, 1, 0, 0, 0]]
    assert task.relevant.astype(int).tolist() == [[0, 0, 1, 0, 1], [1, 0, 0, 0, 0], [0, 0, 0, 0, 1]]
    assert task.popularity.tolist() == [1, 2, 0, 1, 0]
    wider = make_ranking_task(TRAIN, TEST, items=np.array([60, 50, 40, 30, 20, 10, 5]))
    assert wider.items.tolist() == [5, 10, 20, 30, 40, 50, 60] and wider.seen.sum() == 4


@pytest.mark.parametrize("block", [1, 2, 3, 64])
@pytest.mark.parametrize("dtype", [float, np.float32, np.int64, np.uint8])
def test_ranking_metrics_by_hand(dtype, block, monkeypatch):
    monkeypatch.setattr(evaluation, "BLOCK", block)
    scores = SCORES.astype(dtype)
    before = scores.copy()
    metrics = evaluate_ranking(scores, make_ranking_task(TRAIN, TEST), k=2)
    assert np.array_equal(scores, before)
    second = 1 / log2(3)  # what a hit on rank 2 is worth; on rank 1 it is worth 1
    assert metrics.recall == pytest.approx([1 / 2, 1, 0])
    assert metrics.ndcg == pytest.approx([second / (1 + second), second / 1, 0])
    assert metrics.reciprocal_rank == pytest.approx([1 / 2, 1 / 2, 1 / 4])
    assert metrics.coverage == pytest.approx(3 / 5)  # 10, 20, 30
    assert metrics.popularity == pytest.approx((2 + 0 + 0 + 1 + 1 + 0) / 6)
    summary = metrics.summary()
    assert list(summary) == ["Recall@2", "NDCG@2", "low", "high", "MRR", "coverage", "popularity"]
    assert summary["Recall@2"] == pytest.approx(1 / 2) and summary["MRR"] == pytest.approx(5 / 12)
    assert summary["low"] <= summary["NDCG@2"] <= summary["high"]


def test_perfect_and_worst_ranking():
    task = make_ranking_task(TRAIN, TEST)
    perfect, worst = (evaluate_ranking(sign * task.relevant.astype(float), task, k=3) for sign in (1, -1))
    assert perfect.recall.tolist() == perfect.ndcg.tolist() == perfect.reciprocal_rank.tolist() == [1, 1, 1]
    # With 4, 3 and 4 unseen items the best relevant item comes 3rd of user 1's, 3rd of user 2's and 4th of user 3's.
    assert worst.reciprocal_rank == pytest.approx([1 / 3, 1 / 3, 1 / 4])


def test_items_that_training_never_saw_stay_in_the_denominator():
    task = make_ranking_task(TRAIN, TEST)
    known = np.where(task.popularity > 0, 1.0, -np.inf)  # a model that can only score what it has seen: 10, 20, 40
    metrics = evaluate_ranking(np.tile(known, (3, 1)), task, k=3)  # lists 20, 40, 30; 10, 30, 50; 10, 40, 30
    assert metrics.recall.tolist() == [1 / 2, 1, 0]


def test_minus_infinity_ranks_last_but_before_seen_items():
    # One user, four items: 1 and 2 seen, 4 relevant, and the model knows nothing.
    task = RankingTask(
        np.array([7]), np.array([1, 2, 3, 4]), np.array([[1, 1, 0, 0]], bool), np.array([[0, 0, 0, 1]], bool)
    )
    metrics = evaluate_ranking(np.full((1, 4), -np.inf), task, k=2)  # lists 3, 4
    assert metrics.reciprocal_rank == pytest.approx([1 / 2])
    assert metrics.ndcg == pytest.approx([1 / log2(3)])
    whole = evaluate_ranking(np.full((1, 4), -np.inf), task, k=4)  # only two items are left to list
    assert whole.coverage == 2 / 4 and whole.popularity == 0 and whole.recall == 1


def test_constant_scores_rank_by_item_id():
    task = make_ranking_task(TRAIN, TEST)
    metrics = evaluate_ranking(np.zeros((3, 5)), task, k=1)  # lists 20, 10, 10
    assert metrics.recall.tolist() == [0, 1, 0] and metrics.coverage == 2 / 5
    assert metrics.reciprocal_rank == pytest.approx([1 / 2, 1, 1 / 4])


def test_top_k_breaks_ties_by_column():
    scores = np.array([[1, 3, 3, 2, 3], [0, 0, 0, 0, 0], [5, 4, 3, 2, 1]])
    assert top_k(scores, 1).tolist() == [[1], [0], [0]]
    assert top_k(scores, 2).tolist() == [[1, 2], [0, 1], [0, 1]]
    assert top_k(scores, 4).tolist() == [[1, 2, 4, 3], [0, 1, 2, 3], [0, 1, 2, 3]]
    assert top_k(scores, 5).tolist() == [[1, 2, 4, 3, 0], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4]]
    assert top_k(np.array([[-np.inf, 1, -np.inf]]), 3).tolist() == [[1, 0, 2]]
    assert top_k(np.array([[0, 255, 7]], dtype=np.uint8), 3).tolist() == [[1, 2, 0]]
    assert top_k(np.array([[False, True]]), 2).tolist() == [[1, 0]]
    assert top_k(np.empty((0, 4)), 2).shape == (0, 2)


@pytest.mark.parametrize("k", [0, -1, 6, 2.0, "2", None])
def test_k_outside_the_catalogue(k):
    message = rf"k is {k!r}; expected a whole number from 1 to 5, the size of the catalogue"
    with pytest.raises(ValueError, match=message):
        top_k(SCORES, k)
    with pytest.raises(ValueError, match=message):
        evaluate_ranking(SCORES, make_ranking_task(TRAIN, TEST), k=k)


def test_bad_scores():
    task = make_ranking_task(TRAIN, TEST)
    with pytest.raises(ValueError, match=r"scores has the shape \(5, 3\); expected \(3, 5\)"):
        evaluate_ranking(SCORES.T, task, k=2)
    with pytest.raises(ValueError, match=r"scores has the shape \(5,\); expected \(3, 5\)"):
        evaluate_ranking(SCORES[0], task, k=2)
    with pytest.raises(ValueError, match=r"scores has the shape \(5,\); expected \(n_rows, n_columns\)"):
        top_k(SCORES[0], 2)
    with_gap = SCORES.astype(float)
    with_gap[1, 3] = np.nan  # of a seen item, and still refused
    for call in (lambda: evaluate_ranking(with_gap, task, k=2), lambda: top_k(with_gap, 2)):
        with pytest.raises(ValueError, match=r"scores has 1 NaN, the first at \(1, 3\); expected numbers"):
            call()


def test_user_without_a_test_item():
    with pytest.raises(
        ValueError, match="test has no item for 1 of train's 3 users, the first is user 3; expected at least"
    ):
        make_ranking_task(TRAIN, TEST[TEST[USER_ID] != 3])
    task = make_ranking_task(TRAIN, TEST)
    task.relevant[1] = False
    with pytest.raises(ValueError, match="task has no test item for user 2; expected at least one for every user"):
        evaluate_ranking(SCORES, task, k=2)


def test_bad_frames_for_a_ranking_task():
    twice = pd.concat([TRAIN, TRAIN.iloc[[2]]])
    cases = [
        (TRAIN.drop(columns=ITEM_ID), TEST, None, "train lacks the column 'item_id'"),
        (TRAIN, TEST.drop(columns=USER_ID), None, "test lacks the column 'user_id'"),
        (TRAIN, TEST.iloc[:0], None, "test is empty; expected at least one row"),
        (twice, TEST, None, "train has user 2, item 40 more than once; expected it once"),
        (
            TRAIN,
            pd.concat([TEST, TRAIN.iloc[[0]]]),
            None,
            "user 1, item 10 is in train and in test; expected it in one",
        ),
        (TRAIN[TRAIN[USER_ID] != 3], TEST, None, "test has the user_id 3; expected one of the 2 known ids"),
        (TRAIN, TEST, np.array([10, 20, 30, 50]), "train has the item_id 40; expected one of the 4 known ids"),
    ]
    for train, test, items, message in cases:
        with pytest.raises(ValueError) as caught:
            make_ranking_task(train, test, items)
        assert message in str(caught.value)


def test_ranking_metrics_of_movielens_take_under_a_second():
    rng = np.random.default_rng(1)
    seen = rng.random((671, 9066)) < 0.013
    relevant = (rng.random((671, 9066)) < 0.003) & ~seen
    task = RankingTask(np.arange(671), np.arange(9066), seen, relevant)
    scores = rng.normal(size=seen.shape)
    start = time.process_time()
    evaluate_ranking(scores, task, k=10).summary()
    seconds = time.process_time() - start
    print(f"671 users x 9,066 items: {seconds:.2f} s of CPU")
    assert seconds < 3, f"took {seconds:.1f} s of CPU; about 0.4 s is normal"


def test_ranking_copies_a_block_of_the_scores_and_not_all_of_them():
    seen = np.zeros((1000, 2000), dtype=bool)
    relevant = np.eye(1000, 2000, dtype=bool)
    task = RankingTask(np.arange(1000), np.arange(2000), seen, relevant)
    scores = np.random.default_rng(1).normal(size=seen.shape).astype(np.float32)
    tracemalloc.start()
    evaluate_ranking(scores, task)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < scores.nbytes, f"{peak:,} bytes, beside {scores.nbytes:,} of scores"


# --- intervals ------------------------------------------------------------------------------------------------------


def test_bootstrap_interval_of_known_samples():
    assert bootstrap_interval(np.full(50, 0.25)) == pytest.approx((0.25, 0.25))
    values = np.random.default_rng(0).normal(3, 2, size=200)
    low, high = bootstrap_interval(values, resamples=20_000)
    half = 1.96 * values.std() / sqrt(200)  # what the central limit theorem says
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.05 * half)
    low, high = bootstrap_interval(values)
    assert bootstrap_interval(values) == (low, high), "the same seed gives the same interval"
    assert bootstrap_interval(values, seed=2) != (low, high)
    narrow = bootstrap_interval(values, level=0.5)
    assert low < narrow[0] < values.mean() < narrow[1] < high


def test_bootstrap_interval_holds_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(0)
    held = 0
    for seed in range(300):
        low, high = bootstrap_interval(rng.exponential(size=100), level=0.9, resamples=300, seed=seed)
        held += low <= 1 <= high
    assert 0.83 < held / 300 < 0.95  # 90 %, a little less on a skewed sample of 100; standard error 1.7 points


def test_bootstrap_interval_refuses_bad_input():
    with pytest.raises(ValueError, match=r"level is 95; expected a number above 0 and below 1"):
        bootstrap_interval([1, 2], level=95)
    with pytest.raises(ValueError, match=r"values has 1 NaN, the first at \(1,\); expected numbers"):
        bootstrap_interval([1, np.nan])
    with pytest.raises(ValueError, match="values is empty; expected at least one number"):
        bootstrap_interval([])
    with pytest.raises(ValueError, match=r"values has the shape \(2, 2\); expected \(2,\)"):
        bootstrap_interval(np.ones((2, 2)))


# --- leaderboard ----------------------------------------------------------------------------------------------------


@pytest.fixture
def board():
    board = Leaderboard("02")
    board.add("mean", "baseline", rmse_random=1.06, train_seconds=0.1)
    task = make_ranking_task(TRAIN, TEST, items=np.arange(0, 110, 10))
    ranking = evaluate_ranking(np.zeros((3, 11)), task, k=10)
    board.add("towers", "two-tower", rmse_by_time=0.9, ranking=ranking, query_ms=2.5)
    return board


def test_leaderboard_writes_only_when_asked(board, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    board.save()
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("TWO_TOWERS_LEADERBOARD", str(tmp_path))
    board.save()
    assert [path.name for path in tmp_path.iterdir()] == ["02.json"]
    mean, towers = json.loads((tmp_path / "02.json").read_text(encoding="utf-8"))
    assert mean == {
        "model": "mean",
        "lesson": "02",
        "kind": "baseline",
        "rmse_random": 1.06,
        "rmse_by_time": None,
        "recall_at_10": None,
        "ndcg_at_10": None,
        "ndcg_at_10_low": None,
        "ndcg_at_10_high": None,
        "coverage_at_10": None,
        "train_seconds": 0.1,
        "query_ms": None,
    }
    assert list(towers) == list(mean) and towers["kind"] == "two-tower" and towers["rmse_random"] is None
    assert towers["query_ms"] == 2.5
    assert 0 < towers["ndcg_at_10_low"] <= towers["ndcg_at_10"] <= towers["ndcg_at_10_high"] < 1
    assert towers["recall_at_10"] == 1 and towers["coverage_at_10"] == 1


def test_query_time_is_the_median_of_one_user_at_a_time(monkeypatch):
    task = make_ranking_task(TRAIN, TEST, items=np.arange(0, 110, 10))
    ticks = iter([0, 9, 20, 20.001, 30, 30.002, 40, 40.006])  # the first call warms up
    monkeypatch.setattr("recsys_utils.evaluation.time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    rows = []
    assert query_milliseconds(lambda row: rows.append(row) or np.zeros(11), task, users=3) == pytest.approx(2)
    assert rows == [0, 1, 2, 0]


def test_leaderboard_refuses_bad_rows(board):
    with pytest.raises(ValueError, match="kind is 'tower'; expected 'baseline' or 'two-tower'"):
        board.add("towers", "tower")
    ranking = evaluate_ranking(SCORES, make_ranking_task(TRAIN, TEST), k=5)
    with pytest.raises(ValueError, match="ranking has k = 5; expected 10"):
        board.add("towers", "two-tower", ranking=ranking)
    assert [row["model"] for row in board.rows] == ["mean", "towers"]


# --- checks ---------------------------------------------------------------------------------------------------------


def test_good_input_passes_every_check():
    checks.check_columns("ratings", GOOD, [USER_ID, TIMESTAMP])
    checks.check_ratings(GOOD.assign(rating=[0.5, 5, 5]))
    checks.check_probability("share", 0.5)
    checks.check_scores("scores", np.array([[1, 2]]), (1, 2))
    for k in (1, 5, np.int64(3)):
        checks.check_k(k, 5)
    checks.check_choice("edition", "ml-1m", ["ml-1m"])
