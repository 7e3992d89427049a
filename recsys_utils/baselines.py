"""Classic baselines that several lessons compare with; Surprise and implicit are imported when they are called."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from recsys_utils.checks import RATING_HIGH, RATING_LOW, check_columns, check_ratings, check_scores
from recsys_utils.columns import ITEM_ID, RATING, USER_ID
from recsys_utils.metrics import RankingTask

if TYPE_CHECKING:
    from surprise import AlgoBase


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


def _similarities(algorithm: "AlgoBase", block: int = 500) -> np.ndarray:
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
    """
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
    """
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


class Ease(NamedTuple):
    """EASE's weights, in a form that needs no matrix of items by items."""

    x: np.ndarray  # (n_users, n_items) what each user saw in training
    a: np.ndarray  # (n_users, n_items) the A of `fit_ease`
    unexplained: np.ndarray  # (n_items,) 1 - Σᵤ Xᵤ ∘ Aᵤ

    def scores(self, history: np.ndarray) -> np.ndarray:
        """Score the catalogue for histories: of the users that EASE was fitted to or of others, weighted or not.

        Parameters
        ----------
        history : (n_rows, n_items) floats, 0 where an item was not seen

        Returns
        -------
        ndarray of the type of `x`, (n_rows, n_items)
            Higher is better; seen items are scored as well.

        Raises
        ------
        ValueError
            A history with another number of items than `x`, a NaN.
        """
        history = np.asarray(history, dtype=self.x.dtype)
        check_scores("history", history, (len(history), self.x.shape[1]))
        scores = (history @ self.x.T) @ self.a
        scores -= history
        scores /= self.unexplained
        scores += history
        return scores


def fit_ease(x: np.ndarray, strength: float) -> Ease:
    """Fit EASE, the linear autoencoder in closed form (lesson 03).

    Steck (2019): B minimises |X - XB|² + strength |B|² with zeros on its diagonal. With A = (XXᵀ + strength I)⁻¹ X, the
    scores HB of a history H are H - (H - HXᵀA) / (1 - Σᵤ Xᵤ ∘ Aᵤ), so only a matrix of users by users is inverted.

    Parameters
    ----------
    x : (n_users, n_items) floats: what each user saw in training, 1 or 0
    strength : weight of the squared weights, above 0

    Returns
    -------
    Ease
        `scores(history)` takes histories of other users, or with other weights, too.

    Raises
    ------
    ValueError
        A strength that is not positive, a NaN.
    """
    x = np.asarray(x)
    if strength <= 0:
        raise ValueError(f"strength is {strength}; expected a number above 0")
    check_scores("x", x, (len(x), x.shape[-1]))
    kernel = x @ x.T + strength * np.eye(len(x), dtype=x.dtype)  # (n_users, n_users)
    a = np.linalg.solve(kernel, x)  # (n_users, n_items)
    return Ease(x, a, 1 - np.einsum("ui,ui->i", x, a))
