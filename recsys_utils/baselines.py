"""Classic baselines that several lessons compare with; Surprise and implicit are imported when they are called."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recsys_utils.checks import RATING_HIGH, RATING_LOW, check_columns, check_ratings
from recsys_utils.columns import ITEM_ID, RATING, USER_ID
from recsys_utils.evaluation import RankingTask

if TYPE_CHECKING:
    from surprise import AlgoBase


def predict_with_surprise(algorithm: "AlgoBase", train: pd.DataFrame, test: pd.DataFrame) -> np.ndarray:
    """Fit an algorithm of the Surprise library and predict the ratings of the test's pairs (lesson 02).

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
    algorithm.fit(data.build_full_trainset())
    pairs = zip(test[USER_ID], test[ITEM_ID], strict=True)
    return np.array([algorithm.predict(user, item).est for user, item in pairs])


def rank_with_ials(
    task: RankingTask,
    factors: int = 32,
    regularization: float = 0.01,
    alpha: float = 1.0,
    iterations: int = 15,
    seed: int = 1,
) -> np.ndarray:
    """Score the catalogue for every user by implicit alternating least squares (lesson 02).

    Hu, Koren and Volinsky (2008): every seen pair is a 1 with weight `alpha`, every other pair a 0 with weight 1.

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
    ndarray of float32, (n_users, n_items)
        Higher is better; rows and columns as in `task`; seen items are scored as well. The same on every run.
    """
    from implicit.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"):  # implicit has threads of its own, and warns if BLAS adds more
        model = AlternatingLeastSquares(
            factors, regularization=regularization, alpha=alpha, iterations=iterations, random_state=seed
        )
        model.fit(csr_matrix(task.seen, dtype=np.float32), show_progress=False)
    return model.user_factors @ model.item_factors.T
