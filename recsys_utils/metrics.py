"""What every model is measured by: errors in stars, and the ranking of the whole catalogue."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from recsys_utils.checks import check_columns, check_k, check_once, check_scores, id_kinds
from recsys_utils.columns import ITEM_ID, USER_ID
from recsys_utils.comparison import bootstrap_interval

# --- rating metrics -------------------------------------------------------------------------------------------------


def rmse(actual: np.ndarray, predicted: np.ndarray) -> float:
    """Root mean squared error, in stars (min=0); raise ValueError on NaN, infinity, unequal shapes or no rating."""
    return float(np.sqrt(np.mean(_errors(actual, predicted) ** 2)))


def mae(actual: np.ndarray, predicted: np.ndarray) -> float:
    """Mean absolute error, in stars (min=0); raise ValueError on NaN, infinity, unequal shapes or no rating."""
    return float(np.mean(np.abs(_errors(actual, predicted))))


def auc_parts(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Write an AUC as a mean over users, so that two AUCs can be compared user by user (DeLong et al., 1988).

    A user's part counts how many users with the other label the scores put on the right side of this one.

    Parameters
    ----------
    scores : (n,) finite numbers, one a user
    labels : (n,) of 0 and 1, or of False and True; both occur

    Returns
    -------
    (n,) floats, whose mean is the area under the ROC curve (min=0, max=1; a tie counts one half)

    Raises
    ------
    ValueError
        Labels of another length than the scores, other than 0 and 1, all the same; a score that is not finite.
    """
    scores, labels = np.asarray(scores, float), np.asarray(labels)
    check_scores("scores", scores, (scores.size,), finite=True)
    check_scores("labels", labels, scores.shape)
    if set(np.unique(labels)) != {0, 1}:
        raise ValueError(f"labels has the values {np.unique(labels)[:5].tolist()}; expected 0 and 1, both of them")
    positive = labels == 1
    beaten = np.empty(len(scores))  # the share of the other label that a score is above
    for these in (positive, ~positive):
        others = np.sort(scores[~these])
        below = np.searchsorted(others, scores[these], "left") + np.searchsorted(others, scores[these], "right")
        beaten[these] = below / (2 * len(others))
    right = np.where(positive, beaten, 1 - beaten)
    share = np.where(positive, positive.mean(), 1 - positive.mean())  # of the users with the same label
    auc = right[positive].mean()
    return auc + (right - auc) / share


def _errors(actual: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    actual, predicted = np.asarray(actual, float), np.asarray(predicted, float)
    check_scores("actual", actual, actual.shape, finite=True)
    check_scores("predicted", predicted, actual.shape, finite=True)
    if actual.size == 0:
        raise ValueError("actual is empty; expected at least one rating")
    return actual - predicted


# --- ranking --------------------------------------------------------------------------------------------------------


BLOCK = 64  # users ranked at a time, which bounds the memory; it does not change the answer


class RankingTask(NamedTuple):
    """What a ranking model is asked: order the catalogue for each user, with the seen items out of the way."""

    users: np.ndarray  # (n_users,) user ids, ascending: the rows of a score matrix
    items: np.ndarray  # (n_items,) item ids, ascending: its columns
    seen: csr_array  # (n_users, n_items) bool, sparse: rated in training, never recommended
    relevant: csr_array  # (n_users, n_items) bool, sparse: rated in the test

    @property
    def popularity(self) -> np.ndarray:
        """Training interactions of each item, (n_items,)."""
        return self.seen.sum(axis=0)


def make_ranking_task(train: pd.DataFrame, test: pd.DataFrame, items: np.ndarray | None = None) -> RankingTask:
    """Lay training and test interactions out as sparse matrices.

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
        Missing column, empty frame, ids of two types, a pair twice or in both frames, a training user with no test
        item, a test user without training, an item outside `items`.
    """
    check_columns("train", train, [USER_ID, ITEM_ID])
    check_columns("test", test, [USER_ID, ITEM_ID])
    _check_same_kind(USER_ID, train, "test", test)
    _check_same_kind(ITEM_ID, train, "test", test)
    if items is None:
        items = np.union1d(train[ITEM_ID], test[ITEM_ID])
    else:
        catalogue = pd.DataFrame({ITEM_ID: items})
        check_columns("items", catalogue, [ITEM_ID])
        _check_same_kind(ITEM_ID, train, "items", catalogue)
    users, items = np.unique(train[USER_ID]), np.unique(items)
    seen = _as_matrix("train", train, users, items)
    relevant = _as_matrix("test", test, users, items)
    both = seen.multiply(relevant)
    if both.nnz:
        row, column = (int(place[0]) for place in both.nonzero())
        raise ValueError(f"user {users[row]}, item {items[column]} is in train and in test; expected it in one of them")
    without = users[np.diff(relevant.indptr) == 0]
    if len(without):
        raise ValueError(
            f"test has no item for {len(without)} of train's {len(users)} users, the first is user {without[0]}; "
            "expected at least one test item for every user: leave the others out with "
            f"train[train['{USER_ID}'].isin(test['{USER_ID}'])], or split users with more ratings"
        )
    return RankingTask(users, items, seen, relevant)


def ask_for(task: RankingTask, wanted: np.ndarray) -> tuple[np.ndarray, RankingTask]:
    """Ask for some items alone: the catalogue stays, and only these are relevant (lesson 10).

    Parameters
    ----------
    task : the whole question
    wanted : (n_items,) bool, the items to find

    Returns
    -------
    (rows, task)
        The rows of the users for whom such an item is relevant, (n_rows,), and the question for them.

    Raises
    ------
    ValueError
        `wanted` of another shape or type, or relevant to nobody.
    """
    wanted = np.asarray(wanted)
    if wanted.dtype != bool or wanted.shape != task.items.shape:
        raise ValueError(f"wanted is {wanted.dtype} {wanted.shape}; expected bool {task.items.shape}, one an item")
    relevant = csr_array(task.relevant.multiply(wanted[None, :]))
    relevant.eliminate_zeros()
    rows = np.flatnonzero(relevant.sum(axis=1))
    if len(rows) == 0:
        raise ValueError("wanted holds no relevant item; expected one that a user of the task should be shown")
    return rows, RankingTask(task.users[rows], task.items, csr_array(task.seen)[rows], relevant[rows])


def _check_same_kind(column: str, train: pd.DataFrame, name: str, other: pd.DataFrame) -> None:
    (ours,), (theirs,) = id_kinds(train[column]), id_kinds(other[column])
    if ours != theirs:
        raise ValueError(
            f"train has {ours} in {column!r}, and {name} has {theirs}; "
            "expected ids of one type: use astype(str) on both"
        )


def _as_matrix(name: str, interactions: pd.DataFrame, users: np.ndarray, items: np.ndarray) -> csr_array:
    position = {}
    for column, known in ((USER_ID, users), (ITEM_ID, items)):
        ids = interactions[column].to_numpy()
        unknown = ids[~np.isin(ids, known)]
        if len(unknown):
            remedy = (
                "; training never saw it: test[test['user_id'].isin(train['user_id'])]" if column == USER_ID else ""
            )
            raise ValueError(
                f"{name} has the {column} {unknown[0]}; expected one of the {len(known)} known ids{remedy}"
            )
        position[column] = np.searchsorted(known, ids)
    check_once(name, interactions, [USER_ID, ITEM_ID], "it once")
    place = position[USER_ID], position[ITEM_ID]
    return csr_array((np.ones(len(interactions), dtype=bool), place), shape=(len(users), len(items)))


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
    chosen = scores >= kth  # k a row, or more where the last place is shared
    count = np.count_nonzero(chosen, axis=1)  # (n_rows,)
    for row in np.flatnonzero(count > k):
        level = np.flatnonzero(scores[row] == kth[row])
        chosen[row, level[len(level) + k - count[row] :]] = False  # the first ones stay
    columns = np.flatnonzero(chosen).reshape(len(scores), k) % scores.shape[1]
    order = np.argsort(-np.take_along_axis(scores, columns, axis=1), axis=1, kind="stable")
    return np.take_along_axis(columns, order, axis=1)


def recommend(scores: np.ndarray, seen: csr_array | np.ndarray, k: int = 10) -> np.ndarray:
    """Find the columns of each row's k highest scores, seen items last.

    Parameters
    ----------
    scores : (n_rows, n_items) numbers without NaN; not changed
    seen : (n_rows, n_items) bool, sparse or not: the same rows of `RankingTask.seen`
    k : number of columns to return, 1 to n_items

    Returns
    -------
    ndarray of int, (n_rows, k)
        Best first, as `top_k` breaks ties. A row with fewer than k unseen items ends in seen ones.

    Raises
    ------
    ValueError
        As `top_k`; `seen` of another shape than `scores`.
    """
    scores, seen = np.array(_as_floats(scores)), csr_array(seen)
    check_scores("scores", scores, seen.shape)
    scores[seen.nonzero()] = -np.inf
    return top_k(scores, k)


def _as_floats(scores: np.ndarray) -> np.ndarray:
    """Make whole numbers floats: an unsigned one cannot be negated, and none can be -inf; floats stay as they are."""
    scores = np.asarray(scores)
    return scores.astype(np.result_type(scores, np.float32), copy=False)


def auc_by_user(scores: np.ndarray, positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Find how often a positive item of a user scores above a negative one of the same user (lesson 10).

    Parameters
    ----------
    scores : (n_users, n_items) without NaN, higher is better
    positive, negative : (n_users, n_items) bool

    Returns
    -------
    ndarray of float, (n_users,)
        The area under each user's ROC curve (min=0, max=1), where a tie counts ½. NaN for a user who has no positive
        or no negative item: leave such users out of means.

    Raises
    ------
    ValueError
        Matrices of different shapes, a NaN.
    """
    scores, positive, negative = np.asarray(scores), np.asarray(positive), np.asarray(negative)
    check_scores("scores", scores, positive.shape)
    if negative.shape != positive.shape:
        raise ValueError(f"negative has the shape {negative.shape}; expected {positive.shape}")
    areas = np.full(len(scores), np.nan)
    for row in np.flatnonzero(positive.any(axis=1) & negative.any(axis=1)):
        gap = scores[row, positive[row], None] - scores[row, negative[row]]  # (n_positive, n_negative)
        areas[row] = (gap > 0).mean() + (gap == 0).mean() / 2
    return areas


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


def evaluate_ranking(
    scores: np.ndarray | Callable[[np.ndarray], np.ndarray], task: RankingTask, k: int = 10
) -> RankingMetrics:
    """Rank the catalogue for every user, seen items excluded, and compare with the test.

    NDCG has binary gains 1 / log2(1 + rank) and the ideal cut at min(k, relevant) (Järvelin and Kekäläinen, 2002).
    Users are ranked a block at a time: given a function, the memory does not grow with users × items.

    Parameters
    ----------
    scores : (n_users, n_items) higher is better, rows and columns as in `task`; not changed. Equal scores rank in the
        order of the columns; -inf ranks last, but before every seen item. Or a function from row numbers, (n_rows,),
        to their scores, (n_rows, n_items)
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
    seen, relevant = csr_array(task.seen), csr_array(task.relevant)
    check_k(k, len(task.items))
    count = _count_relevant(task)  # (n_users,)
    if not callable(scores):
        scores = _as_floats(scores)
        check_scores("scores", scores, seen.shape)
        scores = scores.__getitem__
    shown = np.zeros(len(task.items), dtype=int)  # (n_items,) how often an item is recommended
    hits, ranks = [], []
    for start in range(0, len(count), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(count)))
        ranked = _rank(scores(rows), seen[rows].toarray(), relevant[rows].toarray(), k)
        hits.append(ranked.hit)
        ranks.append(ranked.first)
        shown += np.bincount(ranked.listed, minlength=len(shown))
    return _measure(np.concatenate(hits), count, shown, task)._replace(reciprocal_rank=1 / np.concatenate(ranks))


def evaluate_lists(lists: np.ndarray, task: RankingTask) -> RankingMetrics:
    """Compare lists with the test: what an index, a server or a file recommended, where no scores are at hand.

    Parameters
    ----------
    lists : (n_users, k) whole numbers, columns of `task`, best first, a row for each of its users; none twice in a row.
        A seen item takes a place and is no hit
    task : what was seen and what is relevant

    Returns
    -------
    RankingMetrics
        As `evaluate_ranking` gives for the scores behind the lists; but `reciprocal_rank` is 0 where a list has no hit.

    Raises
    ------
    ValueError
        Lists of the wrong shape or type, a column outside the catalogue or twice in a list, a user with no test item.
    """
    lists, count = np.asarray(lists), _count_relevant(task)
    if lists.ndim != 2 or len(lists) != len(count) or not np.issubdtype(lists.dtype, np.integer):
        raise ValueError(f"lists is {lists.dtype} {lists.shape}; expected whole numbers, ({len(count)}, k)")
    check_k(lists.shape[1], len(task.items))
    if lists.min() < 0 or lists.max() >= len(task.items):
        outside = lists[(lists < 0) | (lists >= len(task.items))][0]
        raise ValueError(f"lists has the column {outside}; expected 0 to {len(task.items) - 1}")
    twice = (np.diff(np.sort(lists, axis=1), axis=1) == 0).any(axis=1)
    if twice.any():
        raise ValueError(f"lists has a column twice for user {task.users[twice.argmax()]}; expected each once")
    rows = np.arange(len(lists))[:, None]
    hit, seen = (csr_array(matrix)[rows, lists].toarray() for matrix in (task.relevant, task.seen))  # (n_users, k)
    return _measure(hit, count, np.bincount(lists[~seen], minlength=len(task.items)), task)


def _count_relevant(task: RankingTask) -> np.ndarray:
    """Count each user's test items, (n_users,); raise ValueError where there is none."""
    count = csr_array(task.relevant).sum(axis=1)
    if (count == 0).any():
        user = task.users[np.argmin(count)]
        raise ValueError(f"task has no test item for user {user}; expected at least one for every user")
    return count


def _measure(hit: np.ndarray, count: np.ndarray, shown: np.ndarray, task: RankingTask) -> RankingMetrics:
    """Measure lists: `hit` is (n_users, k), `count` relevant items (n_users,), `shown` recommendations (n_items,)."""
    k = hit.shape[1]
    gain = 1 / np.log2(np.arange(2, k + 2))  # (k,)
    return RankingMetrics(
        k=k,
        recall=hit.sum(axis=1) / count,
        ndcg=(hit * gain).sum(axis=1) / gain.cumsum()[np.minimum(count, k) - 1],
        reciprocal_rank=(hit / np.arange(1, k + 1)).max(axis=1),
        coverage=np.count_nonzero(shown) / len(shown),
        popularity=float(shown @ task.popularity / shown.sum()),
    )


class _Ranked(NamedTuple):
    hit: np.ndarray  # (n_rows, k) bool: is the item at this place relevant
    first: np.ndarray  # (n_rows,) rank of the first hit in the whole catalogue
    listed: np.ndarray  # columns of all recommended items; a seen item fills a list only when all else is in it


def _rank(scores: np.ndarray, seen: np.ndarray, relevant: np.ndarray, k: int) -> _Ranked:
    """Rank the catalogue for a block of users; all matrices are (n_rows, n_items)."""
    scores = _as_floats(scores)
    check_scores("scores", scores, seen.shape)
    scores = np.maximum(scores, np.finfo(scores.dtype).min)  # -inf, too, stands before a seen item
    scores[seen] = -np.inf
    first = np.where(relevant, scores, -np.inf).argmax(axis=1)[:, None]  # column of the first hit
    level = np.take_along_axis(scores, first, axis=1)  # (n_rows, 1)
    ahead = np.count_nonzero(scores > level, axis=1)  # (n_rows,)
    for row in np.flatnonzero(np.count_nonzero(scores >= level, axis=1) > ahead + 1):  # others have the same score
        ahead[row] += np.count_nonzero(scores[row, : first[row, 0]] == level[row])
    best = top_k(scores, k)  # (n_rows, k)
    listed = best[~np.take_along_axis(seen, best, axis=1)]
    return _Ranked(np.take_along_axis(relevant, best, axis=1), 1 + ahead, listed)
