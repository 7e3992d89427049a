"""The vectorised metrics against a slow one that follows the definitions word by word, and against other libraries."""

from math import inf, log2

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sklearn_metrics

from recsys_utils.comparison import bootstrap_interval
from recsys_utils.metrics import RankingTask, evaluate_ranking, mae, rmse, top_k


def rank_slowly(scores, seen):
    """Columns that were not seen, best first, equal scores by column."""
    candidates = [column for column in range(len(scores)) if not seen[column]]
    return sorted(candidates, key=lambda column: (-scores[column], column))


def evaluate_slowly(scores, task, k):
    """Follow the protocol one user and one item at a time."""
    times_seen = [sum(row[item] for row in task.seen) for item in range(len(task.items))]
    recall, ndcg, reciprocal_rank, listed = [], [], [], []
    for user_scores, seen, relevant in zip(scores.tolist(), task.seen.tolist(), task.relevant.tolist(), strict=True):
        ranking = rank_slowly(user_scores, seen)
        wanted = sum(relevant)
        recommended = ranking[:k]
        listed.extend(recommended)
        recall.append(sum(relevant[item] for item in recommended) / wanted)
        gain = sum(1 / log2(rank + 1) for rank, item in enumerate(recommended, start=1) if relevant[item])
        ndcg.append(gain / sum(1 / log2(rank + 1) for rank in range(1, min(k, wanted) + 1)))
        reciprocal_rank.append(next(1 / rank for rank, item in enumerate(ranking, start=1) if relevant[item]))
    popularity = sum(times_seen[item] for item in listed) / len(listed)
    return recall, ndcg, reciprocal_rank, len(set(listed)) / len(task.items), popularity


def random_task(rng, n_users, n_items):
    """Everybody has seen some items, and has one relevant item or more among the others."""
    seen = rng.random((n_users, n_items)) < rng.uniform(0, 0.9)
    relevant = ~seen & (rng.random((n_users, n_items)) < rng.uniform(0, 0.9))
    column = rng.integers(n_items, size=n_users)
    without = ~relevant.any(axis=1)
    relevant[without, column[without]] = True
    return RankingTask(np.arange(n_users), np.arange(n_items), seen & ~relevant, relevant)


def random_scores(rng, shape):
    """Scores of many sorts: without ties, with many, all equal, with -inf and inf, in every type."""
    sort = rng.integers(7)
    if sort == 0:
        return rng.normal(size=shape)
    if sort == 1:
        return rng.normal(size=shape).astype(np.float32)
    if sort == 2:
        return rng.integers(-2, 3, size=shape)
    if sort == 3:
        return rng.integers(0, 4, size=shape).astype(np.uint8)
    if sort == 4:
        return np.where(rng.random(shape) < 0.5, -inf, rng.integers(0, 3, size=shape))
    if sort == 5:
        return rng.choice([-inf, -1.0, 0.0, 1.0, inf], size=shape).astype(np.float32)
    return np.full(shape, rng.choice([-inf, 0.0, 3.0]))


@pytest.mark.parametrize("seed", range(300))
def test_ranking_metrics_agree_with_the_slow_ones(seed):
    rng = np.random.default_rng(seed)
    n_users, n_items = rng.integers(1, 12), rng.integers(2, 25)
    task = random_task(rng, n_users, n_items)
    scores = random_scores(rng, task.seen.shape)
    k = int(rng.integers(1, n_items + 1))
    fast = evaluate_ranking(scores, task, k)
    recall, ndcg, reciprocal_rank, coverage, popularity = evaluate_slowly(scores, task, k)
    assert fast.recall == pytest.approx(recall)
    assert fast.ndcg == pytest.approx(ndcg)
    assert fast.reciprocal_rank == pytest.approx(reciprocal_rank)
    assert fast.coverage == pytest.approx(coverage)
    assert fast.popularity == pytest.approx(popularity)


@pytest.mark.parametrize("seed", range(50))
def test_top_k_agrees_with_a_stable_sort(seed):
    rng = np.random.default_rng(seed)
    scores = random_scores(rng, (7, rng.integers(1, 30)))
    for k in range(1, scores.shape[1] + 1):
        expected = [rank_slowly(row, [False] * len(row))[:k] for row in scores.astype(float).tolist()]
        assert top_k(scores, k).tolist() == expected


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("k", [1, 5, 30])
def test_ndcg_agrees_with_scikit_learn(seed, k):
    rng = np.random.default_rng(seed)
    task = random_task(rng, 8, 30)
    scores = rng.normal(size=task.seen.shape)  # no ties: scikit-learn averages over them, or breaks them backwards
    ndcg = evaluate_ranking(scores, task, k).ndcg
    for row, unseen in enumerate(~task.seen):
        if unseen.sum() > 1:  # one document is not a ranking to scikit-learn
            truth, guess = task.relevant[row, unseen].astype(int)[None], scores[row, unseen][None]
            assert ndcg[row] == pytest.approx(sklearn_metrics.ndcg_score(truth, guess, k=k))


@pytest.mark.parametrize("seed", range(20))
def test_mrr_agrees_with_scikit_learn_where_one_item_is_relevant(seed):
    rng = np.random.default_rng(seed)
    relevant = np.eye(30, dtype=bool)[rng.integers(30, size=8)]
    task = RankingTask(np.arange(8), np.arange(30), np.zeros((8, 30), bool), relevant)
    scores = rng.normal(size=(8, 30))
    ours = evaluate_ranking(scores, task, 10).reciprocal_rank.mean()  # then average precision is 1 / rank
    assert ours == pytest.approx(sklearn_metrics.label_ranking_average_precision_score(relevant, scores))


@pytest.mark.parametrize("seed", range(20))
def test_rating_metrics_agree_with_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    actual, predicted = rng.integers(1, 11, size=50) / 2, rng.normal(3, 1, size=50)
    assert rmse(actual, predicted) == pytest.approx(sklearn_metrics.root_mean_squared_error(actual, predicted))
    assert mae(actual, predicted) == pytest.approx(sklearn_metrics.mean_absolute_error(actual, predicted))


@pytest.mark.parametrize("seed", range(5))
def test_bootstrap_interval_agrees_with_scipy(seed):
    values = np.random.default_rng(seed).exponential(size=300)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=5000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    ours = bootstrap_interval(values, resamples=5000)
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.05 * (theirs.high - theirs.low))
