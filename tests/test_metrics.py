"""Metrics by hand, and every bad input."""

import time
import tracemalloc
from math import log2, sqrt

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.metrics import roc_auc_score

from recsys_utils import metrics as metrics_module
from recsys_utils.columns import ITEM_ID, USER_ID
from recsys_utils.metrics import (
    RankingTask,
    ask_for,
    auc_by_user,
    auc_parts,
    evaluate_lists,
    evaluate_ranking,
    mae,
    make_ranking_task,
    recommend,
    rmse,
    top_k,
)


def test_rmse_and_mae_by_hand():
    actual, predicted = [4, 3, 5, 1], [3, 3, 3, 2]  # errors 1, 0, 2, -1
    assert rmse(actual, predicted) == pytest.approx(sqrt(6 / 4))
    assert mae(actual, predicted) == pytest.approx(4 / 4)
    assert rmse(actual, actual) == mae(actual, actual) == 0
    small = np.array([250, 5], dtype=np.uint8), np.array([5, 250], dtype=np.uint8)  # 5 - 250 wraps around in uint8
    assert rmse(*small) == mae(*small) == 245


def test_auc_parts_by_hand_and_as_scikit_learn():
    # positives 3 and 1, negatives 2, 1 and 0: pairs 1 + 1 + 1 + 0 + 1/2 + 1 = 4.5 of 6
    assert auc_parts([3, 1, 2, 1, 0], [1, 1, 0, 0, 0]).mean() == pytest.approx(0.75)
    assert auc_parts([2, 1], [True, False]).mean() == pytest.approx(1)
    assert auc_parts([1, 1, 1], [0, 1, 1]).mean() == pytest.approx(0.5)
    rng = np.random.default_rng(1)
    labels, scores = rng.integers(0, 2, size=200), rng.integers(0, 20, size=200)
    assert auc_parts(scores, labels).mean() == pytest.approx(roc_auc_score(labels, scores))


def test_auc_parts_give_the_spread_of_an_auc():
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1], [300, 100])
    drawn = [rng.normal(labels) for _ in range(500)]  # every draw a new sample of the same two normals
    parts = [auc_parts(scores, labels) for scores in drawn]
    estimated = np.mean([np.std(part) / 20 for part in parts])  # of a mean over 400 users
    assert estimated == pytest.approx(np.std([part.mean() for part in parts]), rel=0.1)


def test_auc_parts_refuse_bad_input():
    with pytest.raises(ValueError, match=r"labels has the shape \(2,\); expected \(3,\)"):
        auc_parts([1, 2, 3], [0, 1])
    with pytest.raises(ValueError, match=r"labels has the values \[1\]; expected 0 and 1, both of them"):
        auc_parts([1, 2], [1, 1])
    with pytest.raises(ValueError, match=r"labels has the values \[0, 2\]; expected 0 and 1, both of them"):
        auc_parts([1, 2], [0, 2])
    with pytest.raises(ValueError, match=r"scores has inf at \(1,\); expected finite numbers"):
        auc_parts([1, np.inf], [0, 1])
    with pytest.raises(ValueError, match=r"scores has the shape \(2, 1\); expected \(2,\)"):
        auc_parts([[1], [2]], [0, 1])


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
    with pytest.raises(ValueError, match=r"actual has inf at \(0,\); expected finite numbers"):
        metric([np.inf], [np.inf])
    with pytest.raises(ValueError, match=r"predicted has -inf at \(1,\); expected finite numbers"):
        metric([1, 2], [1, -np.inf])


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
    assert task.seen.toarray().astype(int).tolist() == [[1, 0, 0, 0, 0], [0, 1, 0, 1, 0], [0, 1, 0, 0, 0]]
    assert task.relevant.toarray().astype(int).tolist() == [[0, 0, 1, 0, 1], [1, 0, 0, 0, 0], [0, 0, 0, 0, 1]]
    assert task.popularity.tolist() == [1, 2, 0, 1, 0]
    wider = make_ranking_task(TRAIN, TEST, items=np.array([60, 50, 40, 30, 20, 10, 5]))
    assert wider.items.tolist() == [5, 10, 20, 30, 40, 50, 60] and wider.seen.sum() == 4


@pytest.mark.parametrize("block", [1, 2, 3, 64])
@pytest.mark.parametrize("dtype", [float, np.float32, np.int64, np.uint8])
def test_ranking_metrics_by_hand(dtype, block, monkeypatch):
    monkeypatch.setattr(metrics_module, "BLOCK", block)
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


def test_lists_are_measured_as_the_scores_behind_them():
    task = make_ranking_task(TRAIN, TEST)
    lists = recommend(SCORES, task.seen, k=2)
    of_lists, of_scores = evaluate_lists(lists.astype(np.uint16), task), evaluate_ranking(SCORES, task, k=2)
    for name in ("k", "coverage", "popularity"):
        assert getattr(of_lists, name) == getattr(of_scores, name), name
    assert of_lists.recall.tolist() == of_scores.recall.tolist() and of_lists.ndcg.tolist() == of_scores.ndcg.tolist()
    assert of_lists.reciprocal_rank == pytest.approx([1 / 2, 1 / 2, 0])  # the third hit is on rank 4 of the catalogue
    with_seen = evaluate_lists(np.array([[0, 4], [1, 0], [1, 4]]), task)  # the first of each has been seen
    assert with_seen.recall == pytest.approx([1 / 2, 1, 1])
    assert with_seen.coverage == pytest.approx(2 / 5)


@pytest.mark.parametrize(
    "lists, message",
    [
        ([[0, 1]], r"lists is int64 \(1, 2\); expected whole numbers, \(3, k\)"),
        ([[0.0], [1.0], [2.0]], r"lists is float64 \(3, 1\); expected whole numbers"),
        ([[0, 1], [1, 5], [0, 2]], "lists has the column 5; expected 0 to 4"),
        ([[0, 1], [1, -1], [0, 2]], "lists has the column -1; expected 0 to 4"),
        ([[0, 1], [3, 3], [0, 2]], "lists has a column twice for user 2"),
        (np.zeros((3, 6), int), "k is 6; expected a whole number from 1 to 5"),
        (np.zeros((3, 0), int), "k is 0; expected a whole number from 1 to 5"),
    ],
)
def test_bad_lists(lists, message):
    with pytest.raises(ValueError, match=message):
        evaluate_lists(np.array(lists), make_ranking_task(TRAIN, TEST))


def test_perfect_and_worst_ranking():
    task = make_ranking_task(TRAIN, TEST)
    perfect, worst = (evaluate_ranking(sign * task.relevant.toarray().astype(float), task, k=3) for sign in (1, -1))
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


@pytest.mark.parametrize("dtype", [bool, int, np.uint8, float])
def test_recommend_leaves_seen_items_out_whatever_their_type(dtype):
    scores, seen = np.array([[4, 3, 2, 1], [1, 2, 3, 4]]), np.array([[1, 0, 1, 0], [0, 0, 0, 1]], dtype=dtype)
    for matrix in (seen, csr_array(seen)):
        assert recommend(scores, matrix, k=2).tolist() == [[1, 3], [2, 1]]
    assert recommend(scores, seen, k=4).tolist() == [[1, 3, 0, 2], [2, 1, 0, 3]], "a short list ends in seen items"
    with pytest.raises(ValueError, match=r"scores has the shape \(2, 4\); expected \(1, 4\)"):
        recommend(scores, seen[:1], k=2)


@pytest.mark.parametrize("k", [0, -1, 6, 2.0, "2", None, True])
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
    task = task._replace(relevant=task.relevant.multiply(np.array([[1], [0], [1]], bool)))
    with pytest.raises(ValueError, match="task has no test item for user 2; expected at least one for every user"):
        evaluate_ranking(SCORES, task, k=2)


def test_bad_frames_for_a_ranking_task():
    twice = pd.concat([TRAIN, TRAIN.iloc[[2]]])
    cases = [
        (TRAIN.drop(columns=ITEM_ID), TEST, None, "train lacks the column 'item_id'"),
        (TRAIN, TEST.drop(columns=USER_ID), None, "test lacks the column 'user_id'"),
        (TRAIN, TEST.iloc[:0], None, "test is empty; expected at least one row"),
        (twice, TEST, None, "train has user 2, item 40 more than once; expected it once"),
        (twice, TEST, None, "to keep the last: train.drop_duplicates(['user_id', 'item_id'], keep='last')"),
        (
            TRAIN,
            TEST[TEST[USER_ID] != 3],
            None,
            "leave the others out with train[train['user_id'].isin(test['user_id'])]",
        ),
        (
            TRAIN,
            TEST.astype({USER_ID: str}),
            None,
            "train has numbers in 'user_id', and test has str; expected ids of one",
        ),
        (TRAIN, TEST.astype({ITEM_ID: str}), None, "train has numbers in 'item_id', and test has str"),
        (TRAIN, TEST, np.array(["10", "20"]), "train has numbers in 'item_id', and items has str"),
        (TRAIN, TEST, np.array([10, 20.5]), "items has 20.5 in 'item_id'"),
        (TRAIN, TEST, np.array([10, np.nan]), "items has NaN in 'item_id'"),
        (TRAIN.assign(user_id=7.9), TEST, None, "train has 7.9 in 'user_id'"),
        (
            TRAIN,
            pd.concat([TEST, TRAIN.iloc[[0]]]),
            None,
            "user 1, item 10 is in train and in test; expected it in one",
        ),
        (TRAIN[TRAIN[USER_ID] != 3], TEST, None, "test has the user_id 3; expected one of the 2 known ids"),
        (TRAIN[TRAIN[USER_ID] != 3], TEST, None, "training never saw it: test[test['user_id'].isin(train['user_id'])]"),
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


# --- questions of users ---------------------------------------------------------------------------------------------


def test_auc_by_user_is_scikit_learns():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(1)
    scores = rng.integers(0, 5, size=(20, 30)).astype(float)  # with ties
    positive = rng.random((20, 30)) < 0.3
    negative = ~positive & (rng.random((20, 30)) < 0.6)
    positive[0], negative[1] = False, False
    areas = auc_by_user(scores, positive, negative)
    assert np.isnan(areas[:2]).all()
    for user in range(2, 20):
        either = positive[user] | negative[user]
        assert areas[user] == pytest.approx(roc_auc_score(positive[user, either], scores[user, either]))
    with pytest.raises(ValueError, match=r"negative has the shape \(20, 29\); expected \(20, 30\)"):
        auc_by_user(scores, positive, negative[:, 1:])


def test_some_items_can_be_asked_for_alone():
    train = pd.DataFrame({"user_id": [1, 2, 3], "item_id": [1, 1, 1]})
    test = pd.DataFrame({"user_id": [1, 1, 2, 3], "item_id": [2, 3, 2, 3]})
    task = make_ranking_task(train, test, items=np.array([1, 2, 3, 4]))
    rows, asked = ask_for(task, task.items == 3)
    assert rows.tolist() == [0, 2] and asked.users.tolist() == [1, 3]
    assert asked.relevant.toarray().tolist() == [[False, False, True, False]] * 2
    assert asked.seen.toarray().tolist() == [[True, False, False, False]] * 2
    scores = np.array([[0, 3, 2, 1], [0, 1, 3, 2]])
    assert evaluate_ranking(scores, asked, k=1).ndcg.tolist() == [0, 1]
    with pytest.raises(ValueError, match="wanted holds no relevant item"):
        ask_for(task, task.items == 4)
    with pytest.raises(ValueError, match=r"wanted is int64 \(1,\); expected bool \(4,\)"):
        ask_for(task, np.array([3]))
