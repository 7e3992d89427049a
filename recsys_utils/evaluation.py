"""Splits, metrics, intervals and the leaderboard: one protocol for every model of the course."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from recsys_utils.checks import check_columns, check_k, check_probability, check_ratings, check_scores
from recsys_utils.columns import ITEM_ID, TIMESTAMP, USER_ID

# --- splits ---------------------------------------------------------------------------------------------------------


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


# --- rating metrics -------------------------------------------------------------------------------------------------


def rmse(actual: np.ndarray, predicted: np.ndarray) -> float:
    """Root mean squared error, in stars (min=0); raise ValueError on NaN, unequal shapes or no rating."""
    return float(np.sqrt(np.mean(_errors(actual, predicted) ** 2)))


def mae(actual: np.ndarray, predicted: np.ndarray) -> float:
    """Mean absolute error, in stars (min=0); raise ValueError on NaN, unequal shapes or no rating."""
    return float(np.mean(np.abs(_errors(actual, predicted))))


def _errors(actual: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    actual, predicted = np.asarray(actual, float), np.asarray(predicted, float)
    check_scores("actual", actual, actual.shape)
    check_scores("predicted", predicted, actual.shape)
    if actual.size == 0:
        raise ValueError("actual is empty; expected at least one rating")
    return actual - predicted


# --- ranking --------------------------------------------------------------------------------------------------------


BLOCK = 64  # users ranked at a time, which bounds the memory; it does not change the answer


class RankingTask(NamedTuple):
    """What a ranking model is asked: order the catalogue for each user, with the seen items out of the way."""

    users: np.ndarray  # (n_users,) user ids, ascending: the rows of a score matrix
    items: np.ndarray  # (n_items,) item ids, ascending: its columns
    seen: np.ndarray  # (n_users, n_items) bool: rated in training, never recommended
    relevant: np.ndarray  # (n_users, n_items) bool: rated in the test

    @property
    def popularity(self) -> np.ndarray:
        """Training interactions of each item, (n_items,)."""
        return self.seen.sum(axis=0)


def make_ranking_task(train: pd.DataFrame, test: pd.DataFrame, items: np.ndarray | None = None) -> RankingTask:
    """Lay training and test interactions out as matrices.

    Parameters
    ----------
    train, test : DataFrames with user_id, item_id; each pair at most once
    items : ids of the catalogue; by default every item in either frame

    Returns
    -------
    RankingTask
        One row for every training user, so that scores align with a model of all of them; test items that training
        never saw stay in the catalogue, and so in the denominator of every metric.

    Raises
    ------
    ValueError
        Missing column, empty frame, a pair twice or in both frames, a training user with no test item (`drop` it or
        split again), a test user without training, an item outside `items`.
    """
    check_columns("train", train, [USER_ID, ITEM_ID])
    check_columns("test", test, [USER_ID, ITEM_ID])
    users = np.unique(train[USER_ID])
    if items is None:
        items = np.union1d(train[ITEM_ID], test[ITEM_ID])
    items = np.unique(items)
    seen = _as_matrix("train", train, users, items)
    relevant = _as_matrix("test", test, users, items)
    if (seen & relevant).any():
        row, column = np.argwhere(seen & relevant)[0]
        raise ValueError(f"user {users[row]}, item {items[column]} is in train and in test; expected it in one of them")
    without = users[~relevant.any(axis=1)]
    if len(without):
        raise ValueError(
            f"test has no item for {len(without)} of train's {len(users)} users, the first is user {without[0]}; "
            "expected at least one test item for every user"
        )
    return RankingTask(users, items, seen, relevant)


def _as_matrix(name: str, interactions: pd.DataFrame, users: np.ndarray, items: np.ndarray) -> np.ndarray:
    position = {}
    for column, known in ((USER_ID, users), (ITEM_ID, items)):
        ids = interactions[column].to_numpy()
        unknown = ids[~np.isin(ids, known)]
        if len(unknown):
            raise ValueError(f"{name} has the {column} {unknown[0]}; expected one of the {len(known)} known ids")
        position[column] = np.searchsorted(known, ids)
    matrix = np.zeros((len(users), len(items)), dtype=bool)
    matrix[position[USER_ID], position[ITEM_ID]] = True
    if matrix.sum() < len(interactions):
        twice = interactions[interactions.duplicated([USER_ID, ITEM_ID])].astype(object).iloc[0]
        raise ValueError(f"{name} has user {twice[USER_ID]}, item {twice[ITEM_ID]} more than once; expected it once")
    return matrix


def top_k(scores: np.ndarray, k: int) -> np.ndarray:
    """Find the columns of each row's k highest scores.

    Parameters
    ----------
    scores : (n_rows, n_columns) numbers without NaN; -inf marks what must come last
    k : number of columns to return, 1 to n_columns

    Returns
    -------
    ndarray of int, (n_rows, k)
        Best first; equal scores in the order of their columns, so that the answer is the same on every machine.

    Raises
    ------
    ValueError
        k outside 1..n_columns, a NaN, or scores that are not a matrix.
    """
    scores = _as_floats(scores)
    if scores.ndim != 2:
        raise ValueError(f"scores has the shape {scores.shape}; expected (n_rows, n_columns)")
    check_k(k, scores.shape[1])
    check_scores("scores", scores, scores.shape)
    kth = np.partition(scores, -k, axis=1)[:, -k, None]  # (n_rows, 1)
    above, level = scores > kth, scores == kth
    room = k - above.sum(axis=1, keepdims=True)
    chosen = above | (level & (level.cumsum(axis=1, dtype=np.int32) <= room))  # exactly k a row
    columns = np.nonzero(chosen)[1].reshape(len(scores), k)
    order = np.argsort(-np.take_along_axis(scores, columns, axis=1), axis=1, kind="stable")
    return np.take_along_axis(columns, order, axis=1)


def _as_floats(scores: np.ndarray) -> np.ndarray:
    """Make whole numbers floats: an unsigned one cannot be negated, and none can be -inf; floats stay as they are."""
    scores = np.asarray(scores)
    return scores.astype(np.result_type(scores, np.float32), copy=False)


class RankingMetrics(NamedTuple):
    """How well a model ranked, user by user; the means are what tables show."""

    k: int
    recall: np.ndarray  # (n_users,) share of the user's test items among the first k (min=0, max=1)
    ndcg: np.ndarray  # (n_users,) the same, discounted by rank (min=0, max=1)
    reciprocal_rank: np.ndarray  # (n_users,) 1 / rank of the first hit in the whole catalogue (min=0, max=1)
    coverage: float  # share of the catalogue that is recommended to somebody (min=0, max=1)
    popularity: float  # mean training interactions of a recommended item

    def summary(self) -> dict[str, float]:
        """Means over users, with the 95 % bootstrap interval of NDCG."""
        low, high = bootstrap_interval(self.ndcg)
        return {
            f"Recall@{self.k}": float(self.recall.mean()),
            f"NDCG@{self.k}": float(self.ndcg.mean()),
            "low": low,
            "high": high,
            "MRR": float(self.reciprocal_rank.mean()),
            "coverage": self.coverage,
            "popularity": self.popularity,
        }


def evaluate_ranking(scores: np.ndarray, task: RankingTask, k: int = 10) -> RankingMetrics:
    """Rank the catalogue for every user, seen items excluded, and compare with the test.

    NDCG has binary gains 1 / log2(1 + rank) and the ideal cut at min(k, relevant) (Järvelin and Kekäläinen, 2002).

    Parameters
    ----------
    scores : (n_users, n_items) higher is better, rows and columns as in `task`; not changed. Equal scores rank in the
        order of the columns; -inf ranks last, but before every seen item
    task : what was seen and what is relevant
    k : length of the recommendation list, 1 to n_items

    Returns
    -------
    RankingMetrics

    Raises
    ------
    ValueError
        Scores of the wrong shape or with NaN, k outside 1..n_items, a user with no test item.
    """
    scores = _as_floats(scores)
    check_scores("scores", scores, task.seen.shape)
    count = task.relevant.sum(axis=1)  # (n_users,)
    if (count == 0).any():
        user = task.users[np.argmin(count)]
        raise ValueError(f"task has no test item for user {user}; expected at least one for every user")
    blocks = np.split(np.arange(len(scores)), range(BLOCK, len(scores), BLOCK))
    ranked = [_rank(scores, task, k, rows) for rows in blocks]
    best, rank = (np.concatenate(parts) for parts in zip(*ranked, strict=True))  # (n_users, k), (n_users,)
    hit = np.take_along_axis(task.relevant, best, axis=1)  # (n_users, k)
    gain = 1 / np.log2(np.arange(2, k + 2))  # (k,)
    ideal = gain.cumsum()[np.minimum(count, k) - 1]  # (n_users,)
    listed = best[~np.take_along_axis(task.seen, best, axis=1)]  # a seen item fills a list only when all else is in it
    return RankingMetrics(
        k=k,
        recall=hit.sum(axis=1) / count,
        ndcg=(hit * gain).sum(axis=1) / ideal,
        reciprocal_rank=1 / rank,
        coverage=len(np.unique(listed)) / len(task.items),
        popularity=float(task.popularity[listed].mean()),
    )


def _rank(scores: np.ndarray, task: RankingTask, k: int, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the k best columns of some users, (n_rows, k), and the rank of each one's first hit, (n_rows,)."""
    scores = np.maximum(scores[rows], np.finfo(scores.dtype).min)  # -inf, too, stands before a seen item
    unseen = np.where(task.seen[rows], -np.inf, scores)  # (n_rows, n_items)
    first = np.where(task.relevant[rows], unseen, -np.inf).argmax(axis=1)[:, None]  # column of the first hit
    level = np.take_along_axis(unseen, first, axis=1)  # (n_rows, 1)
    ahead = (unseen > level) | ((unseen == level) & (np.arange(len(task.items)) < first))  # (n_rows, n_items)
    return top_k(unseen, k), 1 + ahead.sum(axis=1)


def bootstrap_interval(
    values: np.ndarray, level: float = 0.95, resamples: int = 2000, seed: int = 1
) -> tuple[float, float]:
    """Find the percentile bootstrap interval of a mean (Efron and Tibshirani, 1993, ch. 13).

    Parameters
    ----------
    values : (n,) one number a user; for a paired comparison, the difference of two models
    level : share of resampled means inside the interval, in (0, 1)
    resamples : number of resamples
    seed : of the resampling

    Returns
    -------
    (low, high)
    """
    values = np.asarray(values, float)
    if values.size == 0:
        raise ValueError("values is empty; expected at least one number")
    check_probability("level", level)
    check_scores("values", values, (len(values),))
    counts = np.random.default_rng(seed).multinomial(len(values), np.full(len(values), 1 / len(values)), size=resamples)
    means = counts @ values / len(values)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


# --- leaderboard ----------------------------------------------------------------------------------------------------


def query_milliseconds(score: Callable[[int], np.ndarray], task: RankingTask, users: int = 20) -> float:
    """Time how long it takes to rank the catalogue for one user and list ten unseen items, one user at a time.

    Parameters
    ----------
    score : from a row of the task to that user's scores, (n_items,); it holds whatever can be computed beforehand
    task : what was seen; the catalogue has at least ten items
    users : number of rows to time, after one call to warm up

    Returns
    -------
    float
        Milliseconds of wall-clock time, the median over the rows.
    """
    seconds = []
    for row in np.arange(users + 1) % len(task.users):
        start = time.perf_counter()
        top_k(np.where(task.seen[row], -np.inf, score(row))[None], k=10)
        seconds.append(time.perf_counter() - start)
    return 1000 * float(np.median(seconds[1:]))


class Leaderboard:
    """A lesson's rows of the course's one table of results.

    Parameters
    ----------
    lesson : two digits, the lesson the rows come from
    """

    def __init__(self, lesson: str) -> None:
        self.lesson = lesson
        self.rows: list[dict] = []

    def add(
        self,
        model: str,
        kind: str,
        *,
        rmse_random: float | None = None,
        rmse_by_time: float | None = None,
        ranking: RankingMetrics | None = None,
        train_seconds: float | None = None,
        query_ms: float | None = None,
    ) -> None:
        """Add a model's row; None where a figure does not apply.

        Parameters
        ----------
        model : the name readers see
        kind : 'baseline' or 'two-tower'
        rmse_random, rmse_by_time : stars, on the two splits of the protocol
        ranking : metrics at k = 10 on the split by time
        train_seconds : wall-clock time of training alone
        query_ms : milliseconds to rank the catalogue for one user, see `query_milliseconds`
        """
        if kind not in ("baseline", "two-tower"):
            raise ValueError(f"kind is {kind!r}; expected 'baseline' or 'two-tower'")
        if ranking is not None and ranking.k != 10:
            raise ValueError(f"ranking has k = {ranking.k}; expected 10")
        summary = ranking.summary() if ranking is not None else {}
        self.rows.append(
            {
                "model": model,
                "lesson": self.lesson,
                "kind": kind,
                "rmse_random": rmse_random,
                "rmse_by_time": rmse_by_time,
                "recall_at_10": summary.get("Recall@10"),
                "ndcg_at_10": summary.get("NDCG@10"),
                "ndcg_at_10_low": summary.get("low"),
                "ndcg_at_10_high": summary.get("high"),
                "coverage_at_10": summary.get("coverage"),
                "train_seconds": train_seconds,
                "query_ms": query_ms,
            }
        )

    def save(self) -> None:
        """Write the rows as JSON into the folder TWO_TOWERS_LEADERBOARD, which `make run` sets; else do nothing."""
        folder = os.environ.get("TWO_TOWERS_LEADERBOARD")
        if folder:
            Path(folder, f"{self.lesson}.json").write_text(json.dumps(self.rows, indent=1), encoding="utf-8")
