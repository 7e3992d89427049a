"""Classic baselines that several lessons compare with, and the settings that a search chose for them.

Surprise and implicit are imported when they are called.
"""

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, issparse

from recsys_utils.checks import RATING_HIGH, RATING_LOW, check_choice, check_columns, check_ratings, check_scores
from recsys_utils.columns import ITEM_ID, RATING, TIMESTAMP, USER_ID
from recsys_utils.datasets.files import course_file
from recsys_utils.datasets.social import LANGUAGES, LikesTask
from recsys_utils.metrics import RankingTask

if TYPE_CHECKING:
    from surprise import AlgoBase

DAY = 24 * 60 * 60  # seconds
PAIRS = 10_000_000  # of events that are counted at a time, which bounds the memory

# --- rating models ----------------------------------------------------------------------------------------------------


def rating_model(name: str, **settings: Any) -> "AlgoBase":
    """Make a rating model of the Surprise library by its name in the tables of this course, ready to be fitted.

    Parameters
    ----------
    name : 'biases', 'SVD', 'SVD++', 'user CF' or 'item CF'; CF is KNNBaseline: neighbours by the correlation of their
        deviations from the biases, shrunk (Koren, 2010)
    settings : of Surprise's constructor, over its defaults; `load_tuned` has good ones

    Returns
    -------
    AlgoBase
        For `predict_with_surprise`. The same on every run: the biases are found by alternating least squares, SVD and
        SVD++ draw from the seed 1, or from `random_state=`.

    Raises
    ------
    ValueError
        An unknown name.
    """
    from surprise import SVD, BaselineOnly, KNNBaseline, SVDpp

    check_choice("name", name, RATING_RIVALS)
    if name == "biases":
        return BaselineOnly(**settings)
    if name == "SVD":
        return SVD(**{"random_state": 1} | settings)
    if name == "SVD++":
        return SVDpp(**{"random_state": 1, "cache_ratings": True} | settings)
    similarity = {"name": "pearson_baseline", "user_based": name == "user CF"}
    return KNNBaseline(**settings | {"sim_options": similarity | settings.get("sim_options", {})})


RATING_RIVALS = ["biases", "SVD", "SVD++", "user CF", "item CF"]


def predict_with_surprise(algorithm: "AlgoBase", train: pd.DataFrame, test: pd.DataFrame) -> np.ndarray:
    """Fit an algorithm of the Surprise library and predict the ratings of the test's pairs (lesson 02).

    Neighbourhood algorithms get the similarities that Surprise would compute, from blocks: see `_similarities`. The
    order of the rows of `train` matters to some: SVD learns in it, and equally similar neighbours are taken in it.

    Parameters
    ----------
    algorithm : an algorithm of Surprise, such as `SVD(random_state=1)`; it is fitted in place and told to be silent
    train : DataFrame with user_id, item_id, rating
    test : DataFrame with user_id, item_id; a rating is not needed

    Returns
    -------
    ndarray of float, (n_test,)
        Stars from 0.5 to 5, aligned with the rows of `test`. What a user or an item that training never saw gets is
        up to the algorithm: its bias alone, or the mean of the training ratings.

    Raises
    ------
    ValueError
        Missing column, empty frame, bad or duplicate rating.
    """
    from surprise import Dataset, Reader

    check_ratings(train, "train")
    check_columns("test", test, [USER_ID, ITEM_ID])
    reader = Reader(rating_scale=(RATING_LOW, RATING_HIGH))
    data = Dataset.load_from_df(train[[USER_ID, ITEM_ID, RATING]], reader)
    algorithm.verbose = False
    if algorithm.sim_options.get("name") in ("cosine", "pearson_baseline"):
        algorithm.compute_similarities = lambda: _similarities(algorithm)
    algorithm.fit(data.build_full_trainset())
    vars(algorithm).pop("compute_similarities", None)  # or the algorithm holds itself, and its matrix, in memory
    pairs = zip(test[USER_ID], test[ITEM_ID], strict=True)
    return np.array([algorithm.predict(user, item).est for user, item in pairs])


def predict_with_trees(
    train: pd.DataFrame,
    test: pd.DataFrame,
    users: pd.DataFrame,
    items: pd.DataFrame,
    categories: Sequence[str],
    *,
    first: str = "trees",
    leaves: int = 3,
    rate: float = 0.2,
    rounds: int = 400,
    penalty: float = 15.0,
) -> np.ndarray:
    """Predict ratings with boosted trees on features and biases of ids: a rival that reads what towers read.

    One is fitted to the deviations from the mean, the other to what that leaves over. The trees are scikit-learn's
    histogram gradient boosting (lesson 04).

    Parameters
    ----------
    train : DataFrame with user_id, item_id, rating
    test : DataFrame with user_id, item_id; a rating is not needed
    users, items : DataFrames with user_id or item_id, one row each, and features; columns of text are left out
    categories : columns of `users` and `items` that are categories, whole numbers from 0 to 254
    first : what is fitted first, 'trees' or 'biases'
    leaves : of a tree, 2 or more; rate : step of a tree; rounds : number of trees
    penalty : of the biases, in ratings

    Returns
    -------
    ndarray of float, (n_test,)
        Stars, aligned with the rows of `test`. A user or an item that training never saw has no bias.

    Raises
    ------
    ValueError
        Missing column, a pair without features, bad or duplicate rating, an unknown `first`.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    check_choice("first", first, ["trees", "biases"])
    check_ratings(train, "train")
    check_columns("test", test, [USER_ID, ITEM_ID])
    both, n = pd.concat([train[[USER_ID, ITEM_ID]], test[[USER_ID, ITEM_ID]]]), len(train)
    sides = []
    for name, table, column in (("users", users, USER_ID), ("items", items, ITEM_ID)):
        check_columns(name, table, [column])
        if unknown := set(both[column]) - set(table[column]):
            raise ValueError(f"{name} has no row of {column} {min(unknown)}; expected features of every pair")
        sides.append(table.set_index(column).loc[both[column]].select_dtypes("number").reset_index(drop=True))
    x = pd.concat(sides, axis=1)  # (n_train + n_test, n_features)
    check_columns("users and items", x, categories)
    trees = HistGradientBoostingRegressor(
        categorical_features=list(categories),
        max_leaf_nodes=leaves,
        learning_rate=rate,
        max_iter=rounds,
        early_stopping=False,
    )
    fits = {
        "trees": lambda rest: trees.fit(x[:n], rest).predict(x),
        "biases": lambda rest: _fit_biases(both, rest, penalty),
    }
    stars = train[RATING].to_numpy(float)
    predicted = np.full(len(both), stars.mean())  # (n_train + n_test,)
    with threadpool_limits(1):  # for tables as small as ours, threads cost more than they gain
        for part in (first, *(fits.keys() - {first})):
            predicted += fits[part](stars - predicted[:n])
    return predicted[n:]


def _fit_biases(pairs: pd.DataFrame, rest: np.ndarray, penalty: float, epochs: int = 10) -> np.ndarray:
    """Fit a bias for each user and item to what is left of the first pairs' ratings; return the sum for all pairs.

    Alternating least squares, items first, as Surprise's BaselineOnly with reg_u = reg_i = `penalty`.
    """
    user, item = (pd.factorize(pairs[column])[0] for column in (USER_ID, ITEM_ID))  # (n_pairs,) each
    of_user, of_item = np.zeros(user.max() + 1), np.zeros(item.max() + 1)
    n = len(rest)
    n_user, n_item = (np.bincount(rows[:n], minlength=rows.max() + 1) for rows in (user, item))
    for _ in range(epochs):
        of_item = np.bincount(item[:n], rest - of_user[user[:n]], len(of_item)) / np.maximum(n_item + penalty, 1)
        of_user = np.bincount(user[:n], rest - of_item[item[:n]], len(of_user)) / np.maximum(n_user + penalty, 1)
    return of_user[user] + of_item[item]


def _similarities(algorithm: "AlgoBase", block: int = 100) -> np.ndarray:
    # Surprise holds five n × n matrices of float64 while it compares n items: 2.8 GB for 8,402 movies. The same sums
    # over common raters are sparse matrix products; a block of rows at a time, only the result is n × n (float32).
    from scipy.sparse import csr_array

    options, trainset = algorithm.sim_options, algorithm.trainset
    user, item, value = (np.array(column) for column in zip(*trainset.all_ratings(), strict=True))
    least, shrinkage = options.get("min_support", 1), 0
    if options["name"] == "pearson_baseline":
        user_bias, item_bias = algorithm.compute_baselines()
        value = value - (trainset.global_mean + user_bias[user] + item_bias[item])
        least, shrinkage = max(2, least), options.get("shrinkage", 100)
    place = (user, item) if options["user_based"] else (item, user)
    values, squares, ones = (csr_array((v, place)) for v in (value, value**2, np.ones(len(value))))
    similarities = np.empty((values.shape[0],) * 2, dtype=np.float32)
    for start in range(0, len(similarities), block):
        rows = slice(start, start + block)
        common = (ones[rows] @ ones.T).toarray()  # (block, n) common raters
        norms = np.sqrt((squares[rows] @ ones.T).toarray() * (ones[rows] @ squares.T).toarray())
        cosine = np.divide((values[rows] @ values.T).toarray(), norms, out=np.zeros_like(norms), where=norms > 0)
        shrunk = cosine if shrinkage == 0 else cosine * (common - 1) / (common - 1 + shrinkage)
        similarities[rows] = np.where(common >= least, shrunk, 0)
    np.fill_diagonal(similarities, 1)
    return similarities


# --- rankings by popularity -------------------------------------------------------------------------------------------


def rank_with_popularity(task: RankingTask) -> np.ndarray:
    """Score every item by its number of training interactions, the same for every user.

    Returns
    -------
    ndarray of float32, (n_users, n_items)
        A read-only view of one row.
    """
    return np.broadcast_to(task.popularity.astype(np.float32), task.seen.shape)


def rank_with_recent_popularity(
    train: pd.DataFrame, task: RankingTask, half_life: float = 365.0, later_too: bool = False
) -> np.ndarray:
    """Score every item by what was popular when the user was last seen.

    An interaction counts ½ to the power of age / half-life. Its age is measured from the user's own latest training
    interaction, because a split by each user's time ends at another moment for each of them.

    Parameters
    ----------
    train : DataFrame with user_id, item_id, timestamp (seconds)
    task : users and items to score; its users are in `train`
    half_life : days, above 0
    later_too : count what others did after that moment, too, by its distance in time. Nobody could have known that at
        the moment; but under a split by each user's time, every model that trains on all users has seen it

    Returns
    -------
    ndarray of float32, (n_users, n_items)

    Raises
    ------
    ValueError
        Missing column, empty frame, text timestamps, a user or an item that `task` and `train` do not share, a
        half-life that is not above 0.
    """
    _check_number("half_life", half_life, above=0)
    row, column, time = _events(train, task)
    moment = np.full(len(task.users), -np.inf)  # (n_users,) seconds
    np.maximum.at(moment, row, time)
    if np.isinf(moment).any():
        raise ValueError(f"train has no row of user {task.users[moment.argmin()]}; expected each of task's users")
    scores = _recent(column, time / DAY, moment / DAY, half_life, len(task.items))
    if later_too:  # the same with the time turned round; what happened at the very moment is in the first part
        scores += _recent(column, -time / DAY, -moment / DAY, half_life, len(task.items), including=False)
    return scores


def _recent(
    column: np.ndarray, time: np.ndarray, moment: np.ndarray, half_life: float, n_items: int, including: bool = True
) -> np.ndarray:
    # One pass over the events in the order of time: between two moments, all that was counted fades by one factor.
    order = np.argsort(time, kind="stable")
    column, time = column[order], time[order]
    counted = np.searchsorted(time, moment, side="right" if including else "left")  # (n_users,) events so far
    scores = np.empty((len(moment), n_items), dtype=np.float32)
    popularity, clock, start = np.zeros(n_items), time[0], 0
    for row in np.argsort(moment, kind="stable"):
        now, stop = moment[row], counted[row]
        fresh = 0.5 ** ((now - time[start:stop]) / half_life)
        popularity *= 0.5 ** ((now - clock) / half_life)
        popularity += np.bincount(column[start:stop], fresh, n_items)
        scores[row], clock, start = popularity, now, stop
    return scores


# --- histories --------------------------------------------------------------------------------------------------------


def faded_history(train: pd.DataFrame, task: RankingTask, power: float = 0.5) -> np.ndarray:
    """Weigh what each user did by (1 + rank)^-power, rank 0 being the latest: a history that fades (lesson 14).

    Parameters
    ----------
    train : DataFrame with user_id, item_id, timestamp; ties in time are ordered by item id, as `split_by_time` does
    task : its users are the rows, its items the columns; what a user saw in `train` counts, not `task.seen`
    power : how fast it fades, 0 (all count the same) or more

    Returns
    -------
    ndarray of float32, (n_users, n_items)
        0 where `train` has nothing; for `Ease.scores` and `ItemToItem.scores`.

    Raises
    ------
    ValueError
        Missing column, empty frame, text timestamps, a user or an item outside `task`, a negative power.
    """
    _check_number("power", power, least=0)
    row, column, _ = _events(train, task)
    rank = np.searchsorted(row, row, side="right") - 1 - np.arange(len(row))  # (n_events,)
    history = np.zeros(task.seen.shape, dtype=np.float32)
    history[row, column] = (1.0 + rank) ** -power
    return history


class _Events(NamedTuple):
    row: np.ndarray  # (n_events,) of the user, ascending
    column: np.ndarray  # (n_events,) of the item
    time: np.ndarray  # (n_events,) seconds, ascending for each user


def _events(train: pd.DataFrame, task: RankingTask) -> _Events:
    check_columns("train", train, [USER_ID, ITEM_ID, TIMESTAMP])
    times = train[TIMESTAMP]
    if pd.api.types.is_datetime64_any_dtype(times):
        epoch = pd.Timestamp(0, tz=times.dt.tz)
        train = train.assign(**{TIMESTAMP: (times - epoch) / pd.Timedelta(seconds=1)})
    elif not pd.api.types.is_numeric_dtype(times):
        raise ValueError(
            f"train has {times.dtype} in {TIMESTAMP!r}; expected seconds, as numbers, or dates of pd.to_datetime"
        )
    ordered = train.sort_values([USER_ID, TIMESTAMP, ITEM_ID])
    places = []
    for column, known in ((USER_ID, task.users), (ITEM_ID, task.items)):
        ids = ordered[column].to_numpy()
        unknown = ids[~np.isin(ids, known)]
        if len(unknown):
            raise ValueError(f"train has the {column} {unknown[0]}; expected one of the task's {len(known)}")
        places.append(np.searchsorted(known, ids))
    return _Events(*places, ordered[TIMESTAMP].to_numpy(dtype=float))


# --- item to item -----------------------------------------------------------------------------------------------------


class ItemToItem(NamedTuple):
    """Weights from items in a history to items to recommend."""

    weights: csr_array  # (n_items, n_items) float32, sparse; row: in the history, column: to be scored

    def scores(self, history: np.ndarray | csr_array) -> np.ndarray:
        """Score the catalogue for histories, of anybody, weighted or not.

        Parameters
        ----------
        history : (n_rows, n_items) numbers, sparse or not, 0 where an item was not seen

        Returns
        -------
        ndarray of float32, (n_rows, n_items)
            Higher is better; seen items are scored as well.

        Raises
        ------
        ValueError
            A history with another number of items, a NaN.
        """
        history = csr_array(_as_floats("history", history, self.weights.shape[0]), dtype=np.float32)
        return (history @ self.weights).toarray()


def fit_item_cf(
    x: np.ndarray | csr_array,
    history_power: float = 0.5,
    item_power: float = 0.5,
    shrinkage: float = 0.0,
    neighbours: int | None = None,
) -> ItemToItem:
    """Compare items by the users they share (lesson 03).

    Items i and j that n_ij users share, of n_i and n_j users in all, have the weight

        n_ij / (n_i ** history_power * n_j ** item_power) * n_ij / (n_ij + shrinkage):

    the cosine with both powers at ½ and no shrinkage, Aiolli's (2013) asymmetric cosine with powers that add up to 1.

    Parameters
    ----------
    x : (n_users, n_items) what each user saw in training, sparse or not; what is not 0 counts as 1
    history_power : how far a popular item of the history is discounted, 0 or more
    item_power : how far a popular item is discounted as a recommendation, 0 or more
    shrinkage : how many common users halve the weight, 0 or more
    neighbours : how many items, those with the largest weights, may speak for an item; by default all

    Returns
    -------
    ItemToItem
        The diagonal is 0.

    Raises
    ------
    ValueError
        A negative setting, a NaN, neighbours that are not a whole number above 0.
    """
    if neighbours is not None:
        _check_number("neighbours", neighbours, least=1, whole=True)
    for name, value in (("history_power", history_power), ("item_power", item_power), ("shrinkage", shrinkage)):
        _check_number(name, value, least=0)
    seen = csr_array(_as_floats("x", x) != 0, dtype=np.float32)
    common = csr_array(seen.T @ seen)  # (n_items, n_items)
    if shrinkage:
        common.data *= common.data / (common.data + np.float32(shrinkage))
    common.data[_rows(common) == common.indices] = 0
    weights = _discount(common, seen.sum(axis=0), history_power, item_power)
    return ItemToItem(weights if neighbours is None else _keep_largest(weights, neighbours))


def _keep_largest(weights: csr_array, n: int) -> csr_array:
    """Keep the n largest weights of each column, and what equals the n-th."""
    weights = weights.tocsc()
    for start, stop in pairwise(weights.indptr):
        column = weights.data[start:stop]  # a view
        if len(column) > n:
            column[column < np.partition(column, -n)[-n]] = 0
    weights.eliminate_zeros()
    return weights.tocsr()


def fit_directed(
    train: pd.DataFrame,
    task: RankingTask,
    distance_power: float = 0.5,
    window: int = 200,
    history_power: float = 0.5,
    item_power: float = 0.3,
    both_ways: bool = False,
) -> ItemToItem:
    """Count which item follows which: co-occurrence that knows the direction of time (lesson 03).

    For every item j that a user took d steps after item i, d no more than the window, the weight from i to j grows by
    d ** -distance_power; in the end it is divided by n_i ** history_power * n_j ** item_power, the items' popularity.
    Score a history that fades with it: `faded_history`.

    Parameters
    ----------
    train : DataFrame with user_id, item_id, timestamp; ties in time are ordered by item id
    task : its items are the rows and columns of the weights
    distance_power : how fast the count fades with the distance, 0 or more
    window : largest distance in steps, 1 or more
    history_power : how far a popular item of the history is discounted, 0 or more
    item_power : how far a popular item is discounted as a recommendation, 0 or more
    both_ways : count the item before as well as the item after, which forgets the direction

    Returns
    -------
    ItemToItem

    Raises
    ------
    ValueError
        As `faded_history`; a window that is not a whole number above 0.
    """
    for name, value in (
        ("distance_power", distance_power),
        ("history_power", history_power),
        ("item_power", item_power),
    ):
        _check_number(name, value, least=0)
    _check_number("window", window, least=1, whole=True)
    row, column, _ = _events(train, task)
    column = column.astype(np.int32)
    n_events, n_items = len(row), len(task.items)
    place = np.arange(n_events, dtype=np.int32)
    end = np.searchsorted(row, row, side="right")  # (n_events,) where the user's events end
    following = np.minimum(end - place - 1, window)  # (n_events,) events within the window
    start = np.concatenate([[0], np.cumsum(following)])  # (n_events + 1,) of each event's pairs
    by_distance = np.concatenate([[0], np.arange(1.0, window + 1) ** -distance_power]).astype(np.float32)
    counts = csr_array((n_items, n_items), dtype=np.float32)
    first = 0
    while first < n_events:  # some events at a time, which bounds the memory
        last = max(first + 1, np.searchsorted(start, start[first] + PAIRS, side="right") - 1)
        pairs, own = following[first:last], start[first : last + 1] - start[first]
        earlier = np.repeat(place[first:last], pairs)  # (n_pairs,)
        distance = np.arange(1, own[-1] + 1, dtype=np.int32) - np.repeat(own[:-1].astype(np.int32), pairs)
        after = csr_array((by_distance[distance], column[earlier + distance], own), shape=(last - first, n_items))
        is_item = np.ones(last - first, dtype=np.float32), (column[first:last], place[: last - first])
        counts = counts + csr_array(is_item, shape=(n_items, last - first)) @ after
        first = last
    counts = csr_array(counts + counts.T if both_ways else counts)
    return ItemToItem(_discount(counts, np.bincount(column, minlength=n_items), history_power, item_power))


def _discount(counts: csr_array, popularity: np.ndarray, history_power: float, item_power: float) -> csr_array:
    popularity = np.maximum(popularity, 1).astype(float)
    scale = (popularity**-history_power)[_rows(counts)] * (popularity**-item_power)[counts.indices]
    return csr_array(((counts.data * scale).astype(np.float32), counts.indices, counts.indptr), shape=counts.shape)


def _rows(matrix: csr_array) -> np.ndarray:
    return np.repeat(np.arange(matrix.shape[0], dtype=np.int32), np.diff(matrix.indptr))


# --- factors ----------------------------------------------------------------------------------------------------------


class Factors(NamedTuple):
    """A factor model: the score of a user and an item is the product of their rows."""

    users: np.ndarray  # (n_users, factors)
    items: np.ndarray  # (n_items, factors)


def ials_factors(
    task: RankingTask,
    factors: int = 64,
    regularization: float = 10.0,
    alpha: float = 1.0,
    iterations: int = 15,
    seed: int = 1,
) -> Factors:
    """Factorise what was seen by implicit alternating least squares (lesson 03).

    Hu, Koren and Volinsky (2008): every seen pair is a 1 with weight `alpha`, every other pair a 0 with weight 1. The
    defaults are lesson 03's choice, made on a validation part of MovieLens' training ratings.

    Parameters
    ----------
    task : what each user saw in training
    factors : length of the user and item vectors
    regularization : weight of their squared norms
    alpha : weight of a seen pair, above 0
    iterations : number of sweeps over users and items
    seed : of the first item vectors

    Returns
    -------
    Factors
        float32, rows as in `task`. The same on every run.

    Raises
    ------
    ValueError
        Factors or iterations that are not whole numbers above 0, an alpha not above 0, a negative regularization.
    """
    _check_number("factors", factors, least=1, whole=True)
    _check_number("iterations", iterations, least=1, whole=True)
    _check_number("regularization", regularization, least=0)
    _check_number("alpha", alpha, above=0)
    from implicit.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix
    from threadpoolctl import threadpool_limits

    users_by_items = csr_matrix(task.seen, dtype=np.float32)
    with threadpool_limits(1, "blas"):  # implicit has threads of its own, and warns if BLAS adds more
        model = AlternatingLeastSquares(
            factors, regularization=regularization, alpha=alpha, iterations=iterations, random_state=seed
        )
        model.fit(users_by_items, show_progress=False)
    return Factors(model.user_factors, model.item_factors)


def rank_with_ials(task: RankingTask, *args, **options) -> np.ndarray:
    """Score the catalogue for every user by iALS; the arguments are those of `ials_factors`.

    Returns
    -------
    ndarray of float32, (n_users, n_items)
        Higher is better; rows and columns as in `task`; seen items are scored as well. The same on every run.
    """
    users, items = ials_factors(task, *args, **options)
    return users @ items.T


def fold_in(
    history: np.ndarray | csr_array, vectors: np.ndarray, regularization: float = 10.0, alpha: float = 1.0
) -> np.ndarray:
    """Find the vectors that iALS gives to new rows, users by what they saw, with its other side fixed (lesson 15).

    One step of the fit, in closed form: with the items' vectors Y, weights w of what a user saw and Y_s the rows of it,
    the user's vector solves (YᵀY + Y_sᵀ diag(alpha w - 1) Y_s + regularization I) u = alpha Y_sᵀ w.

    Parameters
    ----------
    history : (n_rows, n_columns) sparse or not, what each new row saw: 1, or a weight above 0; 0 is not seen. Rows are
        users and columns items, or the other way round, or columns are features
    vectors : (n_columns, factors) of the fit, such as `ials_factors(...).items`
    regularization, alpha : those of the fit

    Returns
    -------
    ndarray of the type of `vectors`, (n_rows, factors)
        `fold_in(...) @ vectors.T` scores the columns. A row without history is 0.

    Raises
    ------
    ValueError
        A history with another number of columns, a weight below 0, a NaN; a setting that `ials_factors` refuses.
    """
    _check_number("regularization", regularization, least=0)
    _check_number("alpha", alpha, above=0)
    history = csr_array(_as_floats("history", history, len(vectors)), copy=True)
    history.eliminate_zeros()
    if len(history.data) and history.data.min() < 0:
        raise ValueError(f"history has the weight {history.data.min()}; expected weights of at least 0")
    gram = vectors.T @ vectors + regularization * np.eye(vectors.shape[1])  # (factors, factors)
    folded = np.zeros((history.shape[0], vectors.shape[1]), vectors.dtype)
    for row, (start, stop) in enumerate(pairwise(history.indptr)):
        seen, weight = vectors[history.indices[start:stop]], alpha * history.data[start:stop]
        folded[row] = np.linalg.solve(gram + (seen.T * (weight - 1)) @ seen, weight @ seen)
    return folded


def bpr_factors(
    task: RankingTask,
    factors: int = 32,
    iterations: int = 50,
    learning_rate: float = 0.02,
    regularization: float = 0.03,
    seed: int = 1,
) -> Factors:
    """Factorise what was seen by Bayesian personalised ranking (lesson 03).

    Rendle et al. (2009): in every step a seen item of a user should score above one that the user has not seen. The
    defaults are lesson 03's choice, made on a validation part of MovieLens' training ratings.

    Parameters
    ----------
    task : what each user saw in training
    factors : length of the vectors; one more column holds the items' biases
    iterations : number of passes over the seen pairs
    learning_rate : step of the gradient ascent
    regularization : weight of the squared norms
    seed : of the first vectors and of the draws

    Returns
    -------
    Factors
        float32, rows as in `task`. The same on every run, because one thread does the work.

    Raises
    ------
    ValueError
        Factors or iterations that are not whole numbers above 0; a learning rate not above 0; a regularization below 0.
    """
    _check_number("factors", factors, least=1, whole=True)
    _check_number("iterations", iterations, least=1, whole=True)
    _check_number("learning_rate", learning_rate, above=0)
    _check_number("regularization", regularization, least=0)
    from implicit.bpr import BayesianPersonalizedRanking
    from scipy.sparse import csr_matrix

    model = BayesianPersonalizedRanking(
        factors,
        learning_rate=learning_rate,
        regularization=regularization,
        iterations=iterations,
        num_threads=1,
        random_state=seed,
    )
    model.fit(csr_matrix(task.seen, dtype=np.float32), show_progress=False)
    return Factors(model.user_factors, model.item_factors)


def rank_with_bpr(task: RankingTask, *args, **options) -> np.ndarray:
    """Score the catalogue for every user by BPR; the arguments are those of `bpr_factors`.

    Returns
    -------
    ndarray of float32, (n_users, n_items)
        Higher is better; rows and columns as in `task`; seen items are scored as well. The same on every run.
    """
    users, items = bpr_factors(task, *args, **options)
    return users @ items.T


# --- EASE -------------------------------------------------------------------------------------------------------------


class Ease(NamedTuple):
    """EASE's weights, in a form that needs no matrix of items by items."""

    x: np.ndarray  # (n_users, n_items) what each user saw in training
    a: np.ndarray  # (n_users, n_items) the A of `fit_ease`
    unexplained: np.ndarray  # (n_items,) 1 - Σᵤ Xᵤ ∘ Aᵤ

    def scores(self, history: np.ndarray | csr_array) -> np.ndarray:
        """Score the catalogue for histories: of the users that EASE was fitted to or of others, weighted or not.

        Parameters
        ----------
        history : (n_rows, n_items) numbers, sparse or not, 0 where an item was not seen

        Returns
        -------
        ndarray of the type of `x`, (n_rows, n_items)
            Higher is better; seen items are scored as well.

        Raises
        ------
        ValueError
            A history with another number of items than `x`, a NaN or an infinite number.
        """
        history = _dense(_as_floats("history", history, self.x.shape[1])).astype(self.x.dtype, copy=False)
        scores = (history @ self.x.T) @ self.a
        scores -= history
        scores /= self.unexplained
        scores += history
        return scores


def fit_ease(x: np.ndarray | csr_array, strength: float) -> Ease:
    """Fit EASE, the linear autoencoder in closed form (lesson 03).

    Steck (2019): B minimises |X - XB|² + strength |B|² with zeros on its diagonal. With A = (XXᵀ + strength I)⁻¹ X, the
    scores HB of a history H are H - (H - HXᵀA) / (1 - Σᵤ Xᵤ ∘ Aᵤ), so only a matrix of users by users is inverted.

    Parameters
    ----------
    x : (n_users, n_items) what each user saw in training, 1 or 0: numbers or booleans, sparse or not
    strength : weight of the squared weights, above 0

    Returns
    -------
    Ease
        Dense float32 if `x` is, or is boolean or of small whole numbers; else float64. `scores(history)` takes
        histories of other users, or with other weights, too.

    Raises
    ------
    ValueError
        A strength that is not positive, a NaN or an infinite number, x of another type or not a matrix.
    """
    _check_number("strength", strength, above=0)
    x = _dense(_as_floats("x", x))
    kernel = x @ x.T + strength * np.eye(len(x), dtype=x.dtype)  # (n_users, n_users)
    a = np.linalg.solve(kernel, x)  # (n_users, n_items)
    return Ease(x, a, 1 - np.einsum("ui,ui->i", x, a))


# --- all of them, with the settings that a search chose ---------------------------------------------------------------


def rank(name: str, train: pd.DataFrame, task: RankingTask, **settings: Any) -> np.ndarray:
    """Score the catalogue for every user by a ranking rival, by its name in the tables of this course.

    Parameters
    ----------
    name : one of `RANKING_RIVALS`
    train : DataFrame with user_id, item_id, timestamp: what the task's users saw
    task : users and items to score
    settings : of the rival; those of `load_tuned()[name].settings` are good ones. EASE takes a strength; the rivals
        that score a history that fades take its `power` as well

    Returns
    -------
    ndarray of float32, (n_users, n_items)
        Higher is better; seen items are scored as well.

    Raises
    ------
    ValueError
        An unknown name, and what the rival's own function refuses.
    """
    check_choice("name", name, list(RANKING_RIVALS))
    return RANKING_RIVALS[name](train, task, **settings)


def _rank_with_ease(train: pd.DataFrame, task: RankingTask, strength: float = 500.0) -> np.ndarray:
    return fit_ease(task.seen, strength).scores(task.seen)


def _rank_with_fading_ease(
    train: pd.DataFrame, task: RankingTask, strength: float = 500.0, power: float = 0.5
) -> np.ndarray:
    return fit_ease(task.seen, strength).scores(faded_history(train, task, power))


def _rank_with_directed(train: pd.DataFrame, task: RankingTask, power: float = 0.75, **settings: Any) -> np.ndarray:
    return fit_directed(train, task, **settings).scores(faded_history(train, task, power))


RANKING_RIVALS = {
    "most popular": lambda train, task: rank_with_popularity(task),
    "recently popular": rank_with_recent_popularity,
    "item CF": lambda train, task, **settings: fit_item_cf(task.seen, **settings).scores(task.seen),
    "BPR": lambda train, task, **settings: rank_with_bpr(task, **settings),
    "iALS": lambda train, task, **settings: rank_with_ials(task, **settings),
    "EASE": _rank_with_ease,
    "EASE that fades": _rank_with_fading_ease,
    "item to next item": _rank_with_directed,
}


# --- rivals that learn from likes -------------------------------------------------------------------------------------


def rank_likes(name: str, task: LikesTask, **settings: Any) -> np.ndarray:
    """Score the social app's posts for every user, by the name of a rival in the tables of lesson 10.

    Parameters
    ----------
    name : one of `LIKES_RIVALS`
    task : what users liked and passed before a cut, and their features
    settings : of the rival; those of `load_tuned("likes")[name].settings` are good ones. `passed` is what a view
        without a like counts in a history where a like counts 1; the other settings are those of `fit_item_cf`,
        `fit_ease`, `ials_factors` and `stack_features`. 'iALS with features' takes a `lift`, too: posts that nobody
        has viewed are left out of the fit, and their features alone give scores, times the lift

    Returns
    -------
    ndarray of float, (n_users, n_posts)
        Higher is better; viewed posts are scored as well.

    Raises
    ------
    ValueError
        An unknown name, and what the rival's own function refuses.
    """
    check_choice("name", name, list(LIKES_RIVALS))
    return LIKES_RIVALS[name](task, **settings)


def stack_features(
    history: np.ndarray,
    user_features: np.ndarray,
    post_features: np.ndarray,
    user_weight: float = 1.0,
    post_weight: float = 1.0,
) -> np.ndarray:
    """Put features beside and below a history, so that a model of histories reads them (Jeunen et al., 2020).

    A feature of users is one more item, which users who have it "liked"; a feature of items is one more user, who
    "liked" the items that have it.

    Parameters
    ----------
    history : (n_users, n_items) numbers
    user_features : (n_users, n_user_features)
    post_features : (n_items, n_item_features)
    user_weight, post_weight : what a feature counts, 0 or more; 0 leaves it out

    Returns
    -------
    ndarray of float32, (n_users + n_item_features, n_items + n_user_features)

    Raises
    ------
    ValueError
        A negative weight.
    """
    _check_number("user_weight", user_weight, least=0)
    _check_number("post_weight", post_weight, least=0)
    nothing = np.zeros((post_features.shape[1], user_features.shape[1]))
    blocks = [[history, user_weight * user_features], [post_weight * post_features.T, nothing]]
    return np.block(blocks).astype(np.float32)


def _likes_history(task: LikesTask, passed: float) -> np.ndarray:
    _check_number("passed", passed, least=0)
    return (task.liked + passed * task.passed).astype(np.float32)  # (n_users, n_posts)


def _likes_popular(task: LikesTask) -> np.ndarray:
    return np.broadcast_to(task.liked.sum(axis=0).astype(np.float32), task.liked.shape)


def _likes_popular_nearby(task: LikesTask) -> np.ndarray:
    # Posts in a language that the user reads come first, then what is liked most in the user's country.
    n_languages = len(LANGUAGES)
    country, reads = task.user_features[:, 1 : -n_languages - 1], task.user_features[:, -n_languages:]
    nearby = country @ (country.T @ task.liked)  # (n_users, n_posts) likes; 0 where the country is unknown
    readable = reads @ task.post_features[:, -n_languages:].T > 0
    return 1_000 * readable + nearby + _likes_popular(task) / 1_000  # ties by all likes


def _likes_item_cf(task: LikesTask, passed: float = 0.0, **settings: Any) -> np.ndarray:
    return fit_item_cf(task.liked, **settings).scores(_likes_history(task, passed))


def _likes_ease(task: LikesTask, strength: float = 500.0, passed: float = 0.0) -> np.ndarray:
    history = _likes_history(task, passed)
    return fit_ease(history, strength).scores(history)


def _likes_ease_with_features(
    task: LikesTask,
    strength: float = 500.0,
    passed: float = 0.0,
    user_weight: float = 1.0,
    post_weight: float = 1.0,
) -> np.ndarray:
    history = _likes_history(task, passed)
    stacked = stack_features(history, task.user_features, task.post_features, user_weight, post_weight)
    return fit_ease(stacked, strength).scores(stacked)[: len(history), : history.shape[1]]


def _likes_ials(task: LikesTask, passed: float = 0.0, **settings: Any) -> np.ndarray:
    return _ials_scores(_likes_history(task, passed), settings)


def _likes_ials_with_features(
    task: LikesTask,
    passed: float = 0.0,
    user_weight: float = 1.0,
    post_weight: float = 1.0,
    lift: float | None = None,
    **settings: Any,
) -> np.ndarray:
    history, n_users = _likes_history(task, passed), len(task.liked)
    viewed = (task.liked | task.passed).any(axis=0) if lift is not None else np.ones(history.shape[1], bool)
    stacked = stack_features(
        history[:, viewed], task.user_features, task.post_features[viewed], user_weight, post_weight
    )
    users, posts = _ials_factors(stacked, settings)
    scores = np.empty(history.shape, users.dtype)  # (n_users, n_posts)
    scores[:, viewed] = users[:n_users] @ posts[: viewed.sum()].T
    if not viewed.all():
        _check_number("lift", lift, least=0)
        features = post_weight * task.post_features[~viewed]  # (n_new, n_features), seen by the rows below the users
        step = {name: settings[name] for name in ("regularization", "alpha") if name in settings}
        vectors = fold_in(features, users[n_users:], **step)  # (n_new, factors)
        scores[:, ~viewed] = lift * users[:n_users] @ vectors.T
    return scores


def _ials_scores(history: np.ndarray, settings: dict[str, Any]) -> np.ndarray:
    users, posts = _ials_factors(history, settings)
    return users @ posts.T


def _ials_factors(history: np.ndarray, settings: dict[str, Any]) -> Factors:
    nothing = csr_array(history.shape, dtype=bool)
    task = RankingTask(np.arange(history.shape[0]), np.arange(history.shape[1]), csr_array(history), nothing)
    return ials_factors(task, **settings)


LIKES_RIVALS = {
    "most popular": _likes_popular,
    "most popular in country and language": _likes_popular_nearby,
    "item CF": _likes_item_cf,
    "EASE": _likes_ease,
    "EASE with features": _likes_ease_with_features,
    "iALS": _likes_ials,
    "iALS with features": _likes_ials_with_features,
}


class Tuned(NamedTuple):
    """What a search on the validation part chose for a rival; its test was read once, afterwards."""

    settings: dict[str, Any]
    validation: float  # RMSE in stars, or NDCG@10
    test: dict[str, float]  # 'RMSE', 'MAE' in stars; or 'NDCG@10' with 'low' and 'high' of its interval, 'Recall@10'


class TunedRivals(dict[str, Tuned]):
    """Tuned rivals by name; an unknown name is answered with the known ones."""

    def __missing__(self, name: str) -> Tuned:
        raise KeyError(f"{name} is not a tuned rival; expected one of {', '.join(self)}")


def load_tuned(table: str = "ranking") -> TunedRivals:
    """Load the settings of the rivals that `make tune` chose, from data/tuned_baselines.json.

    Parameters
    ----------
    table : 'ranking', by time; 'ablations': item to next item without one of its parts (lesson 03); 'random' or 'by
        time': rating models on that split of MovieLens; 'noise' or 'planted': rating models on that synthetic world,
        split at random; 'likes': ranking models on the social app; 'cold users' or 'new movies': rivals and towers of
        lesson 15

    Returns
    -------
    TunedRivals
        For `rank(name, train, task, **settings)`, `rating_model(name, **settings)` or `rank_likes(name, task,
        **settings)`; those of 'boosted trees', of the planted world, for `predict_with_trees`. The file holds more: the
        grids, every setting that was tried, the date and the command.

    Raises
    ------
    ValueError
        An unknown table.
    KeyError
        An unknown name, asked of the result.
    """
    tables = json.loads(course_file("tuned_baselines.json").read_text(encoding="utf-8"))["tables"]
    check_choice("table", table, list(tables))
    return TunedRivals(
        {name: Tuned(rival["settings"], rival["validation"], rival["test"]) for name, rival in tables[table].items()}
    )


def load_rival_predictions(table: str) -> dict[str, np.ndarray]:
    """Load what the tuned rating rivals predicted for a test, from data/rival_predictions.npz.

    Parameters
    ----------
    table : 'random' or 'by time', that split of MovieLens; 'planted': that synthetic world, split at random

    Returns
    -------
    dict
        For each of RATING_RIVALS that was fitted, and for the 'boosted trees' of the planted world, (n_test,) stars,
        aligned with the test that `split_random(ratings)` or `split_by_time(ratings)` cuts; kept in half precision.

    Raises
    ------
    ValueError
        An unknown table.
    """
    check_choice("table", table, ["random", "by time", "planted"])
    with np.load(course_file("rival_predictions.npz")) as saved:
        kept = [name for name in [*RATING_RIVALS, "boosted trees"] if f"{table}: {name}" in saved]
        return {name: saved[f"{table}: {name}"].astype(float) for name in kept}


def load_rival_lists() -> dict[str, np.ndarray]:
    """Load what the tuned ranking rivals recommend on the test, from data/rival_lists.npz.

    Returns
    -------
    dict
        For each of RANKING_RIVALS (n_seeds, n_users, 10) columns of `make_ranking_task(*split_by_time(ratings),
        items=...)` on the embedded MovieLens with its whole catalogue, best first, seen movies left out: three seeds
        where the fit starts at random, as iALS and BPR do, else one. For `evaluate_lists`.
    """
    with np.load(course_file("rival_lists.npz")) as saved:
        return {name: saved[name].astype(int) for name in RANKING_RIVALS}


# --- checks -----------------------------------------------------------------------------------------------------------


def _check_number(
    name: str, value: float, least: float | None = None, above: float | None = None, whole: bool = False
) -> None:
    """Raise ValueError unless value is a finite number, at least `least` or above `above`."""
    bound = f"above {above}" if least is None else f"of at least {least}"
    right_type = isinstance(value, int | np.integer if whole else int | float | np.integer | np.floating)
    right = right_type and not isinstance(value, bool) and np.isfinite(value)
    if not right or (value < least if above is None else value <= above):
        raise ValueError(f"{name} is {value!r}; expected a {'whole ' if whole else ''}number {bound}")


def _as_floats(name: str, matrix: np.ndarray | csr_array, n_columns: int | None = None) -> np.ndarray | csr_array:
    """Check a matrix, sparse or not; booleans and whole numbers become floats, or their sums would overflow."""
    sparse = issparse(matrix)
    matrix = matrix if sparse else np.asarray(matrix)
    if matrix.dtype.kind not in "buif":
        raise ValueError(f"{name} has the type {matrix.dtype}; expected numbers or booleans")
    if matrix.ndim != 2 or 0 in matrix.shape or n_columns not in (None, matrix.shape[1]):
        columns = "n_items" if n_columns is None else n_columns
        raise ValueError(f"{name} has the shape {matrix.shape}; expected (n_users, {columns}), at least one of each")
    matrix = matrix.astype(np.result_type(matrix.dtype, np.float32), copy=False)
    values = matrix.data if sparse else matrix
    check_scores(name, values, values.shape)
    if np.isinf(values).any():
        raise ValueError(f"{name} has {int(np.isinf(values).sum())} infinite numbers; expected finite ones")
    return matrix


def _dense(matrix: np.ndarray | csr_array) -> np.ndarray:
    return matrix.toarray() if issparse(matrix) else matrix
