import numpy as np
import pandas as pd
import pytest
from surprise import BaselineOnly, Dataset, KNNBaseline, KNNBasic, NormalPredictor, Reader

from recsys_utils.baselines import bpr_factors, fit_ease, ials_factors, predict_with_surprise, rank_with_ials
from recsys_utils.columns import ITEM_ID, RATING, USER_ID
from recsys_utils.metrics import RankingTask, make_ranking_task


def frame(*rows: tuple[int, int, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=[USER_ID, ITEM_ID, RATING])


def random_ratings(n_users: int = 40, n_items: int = 60, share: float = 0.3) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    user, item = np.nonzero(rng.random((n_users, n_items)) < share)
    return pd.DataFrame({USER_ID: user, ITEM_ID: item, RATING: rng.integers(1, 11, len(user)) / 2})


def two_circles() -> RankingTask:
    """Users 0 to 3 share items 0 to 3, users 4 to 7 share items 4 to 7; each has yet to see one of their own circle."""
    pairs = [(user, item) for user in range(8) for item in range(8) if user // 4 == item // 4]
    train = [pair for pair in pairs if pair[0] != pair[1]]
    test = [pair for pair in pairs if pair[0] == pair[1]]
    columns = [USER_ID, ITEM_ID]
    return make_ranking_task(pd.DataFrame(train, columns=columns), pd.DataFrame(test, columns=columns))


# --- predict_with_surprise ------------------------------------------------------------------------------------------


def test_item_neighbours_give_the_rating_of_the_only_neighbour():
    train = frame((1, 10, 2.0), (1, 20, 4.0), (2, 10, 3.0))
    item_based = KNNBasic(sim_options={"name": "cosine", "user_based": False})
    # User 2 has rated item 10 alone, so the weighted mean over the neighbours of item 20 is that rating.
    assert predict_with_surprise(item_based, train, frame((2, 20, 1.0))) == pytest.approx([3.0])


def test_user_neighbours_are_weighted_by_their_cosine():
    train = frame(
        (1, 10, 3.0), (1, 20, 4.0), (2, 10, 3.0), (2, 20, 4.0), (2, 30, 5.0), (3, 10, 4.0), (3, 20, 3.0), (3, 30, 1.0)
    )
    user_based = KNNBasic(sim_options={"name": "cosine", "user_based": True})
    same, swapped = 1, (3 * 4 + 4 * 3) / (5 * 5)  # user 1 against users 2 and 3, over items 10 and 20
    expected = (same * 5 + swapped * 1) / (same + swapped)
    assert predict_with_surprise(user_based, train, frame((1, 30, 1.0))) == pytest.approx([expected])


def test_predictions_follow_the_rows_of_test_and_leave_it_alone():
    train = random_ratings()
    test = pd.DataFrame({ITEM_ID: [5, 3, 9], USER_ID: [2, 2, 0]}, index=[70, 50, 60])
    before = test.copy()
    predicted = predict_with_surprise(BaselineOnly(), train, test)
    reversed_ = predict_with_surprise(BaselineOnly(), train, test.iloc[::-1])
    assert predicted.shape == (3,)
    np.testing.assert_array_equal(predicted, reversed_[::-1])
    pd.testing.assert_frame_equal(test, before)


def test_an_unknown_user_or_item_gets_what_is_left():
    train = frame((1, 10, 1.0), (1, 20, 3.0), (2, 10, 5.0))
    unknown = frame((99, 98, 1.0))
    assert predict_with_surprise(KNNBasic(), train, unknown) == pytest.approx([3.0]), "the mean of the training ratings"
    assert predict_with_surprise(BaselineOnly(), train, unknown) == pytest.approx([3.0])


def test_predictions_are_stars():
    train = frame(*((1, item, 5.0) for item in range(20)), *((2, item, 0.5) for item in range(19)), (3, 0, 5.0))
    everyone = frame(*((user, item, 1.0) for user in (1, 2, 3) for item in range(20)))
    predicted = predict_with_surprise(BaselineOnly(bsl_options={"reg_u": 0, "reg_i": 0}), train, everyone)
    assert predicted.min() >= 0.5
    assert predicted.max() <= 5


@pytest.mark.parametrize("user_based", [True, False])
@pytest.mark.parametrize("algorithm", [KNNBasic, KNNBaseline])
@pytest.mark.parametrize(
    "options", [{"name": "cosine"}, {"name": "pearson_baseline"}, {"name": "cosine", "min_support": 3}]
)
def test_similarities_in_blocks_are_those_of_surprise(algorithm, options, user_based):
    train, test = random_ratings().iloc[::2], random_ratings().iloc[1::2]
    options = {**options, "user_based": user_based}
    ours = algorithm(sim_options=options)
    predicted = predict_with_surprise(ours, train, test)
    theirs = algorithm(sim_options=options, verbose=False)
    theirs.fit(Dataset.load_from_df(train, Reader(rating_scale=(0.5, 5))).build_full_trainset())
    np.testing.assert_allclose(ours.sim, theirs.sim, atol=1e-6)
    expected = [theirs.predict(user, item).est for user, item in zip(test[USER_ID], test[ITEM_ID], strict=True)]
    np.testing.assert_allclose(predicted, expected, atol=1e-4)


def test_items_without_a_common_rater_are_not_similar():
    algorithm = KNNBaseline(sim_options={"name": "pearson_baseline", "user_based": False})
    predict_with_surprise(algorithm, frame((1, 10, 2.0), (2, 20, 4.0)), frame((1, 20, 3.0)))
    assert algorithm.sim[0, 1] == 0


def test_surprise_is_silent(capfd):
    predict_with_surprise(KNNBaseline(sim_options={"name": "pearson_baseline"}), random_ratings(), frame((1, 2, 3.0)))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (frame((1, 10, 6.0)), frame((1, 10, 3.0)), "train has the rating 6.0"),
        (frame((1, 10, 3.0), (1, 10, 4.0)), frame((1, 10, 3.0)), "train has user 1.*more than once"),
        (frame((1, 10, 3.0)), frame().iloc[:0], "test is empty"),
        (frame((1, 10, 3.0)), frame((1, 10, 3.0)).drop(columns=ITEM_ID), "test lacks the column 'item_id'"),
    ],
)
def test_bad_ratings_are_named(train, test, message):
    with pytest.raises(ValueError, match=message):
        predict_with_surprise(NormalPredictor(), train, test)


# --- rank_with_ials -------------------------------------------------------------------------------------------------


def test_ials_finds_the_missing_item_of_each_circle():
    task = two_circles()
    scores = rank_with_ials(task, factors=2, regularization=0.1)
    assert scores.shape == (8, 8)
    unseen = np.where(task.seen.toarray(), -np.inf, scores)
    np.testing.assert_array_equal(unseen.argmax(axis=1), np.arange(8))


def test_ials_repeats_itself_and_follows_its_seed():
    task = two_circles()
    first = rank_with_ials(task, factors=3, regularization=0.1, iterations=2)
    np.testing.assert_array_equal(first, rank_with_ials(task, factors=3, regularization=0.1, iterations=2))
    assert not np.array_equal(first, rank_with_ials(task, factors=3, regularization=0.1, iterations=2, seed=2))


def test_ials_is_silent(capfd, recwarn):
    rank_with_ials(two_circles(), factors=2)
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


def test_ials_scores_are_the_product_of_its_factors():
    task = two_circles()
    users, items = ials_factors(task, factors=3, regularization=0.1)
    assert users.shape == items.shape == (8, 3)
    np.testing.assert_array_equal(users @ items.T, rank_with_ials(task, factors=3, regularization=0.1))


# --- bpr_factors ----------------------------------------------------------------------------------------------------


def test_bpr_finds_the_missing_item_of_each_circle():
    task = two_circles()
    users, items = bpr_factors(task, factors=4, iterations=500, learning_rate=0.05, regularization=0.001)
    assert users.shape == items.shape == (8, 5)
    unseen = np.where(task.seen.toarray(), -np.inf, users @ items.T)
    np.testing.assert_array_equal(unseen.argmax(axis=1), np.arange(8))


def test_bpr_repeats_itself_and_follows_its_seed():
    first, same, other = (bpr_factors(two_circles(), factors=3, iterations=5, seed=seed).users for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


def test_bpr_is_silent(capfd, recwarn):
    bpr_factors(two_circles(), factors=2, iterations=2)
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


# --- EASE -----------------------------------------------------------------------------------------------------------


def ease_by_inverting_items(x: np.ndarray, strength: float) -> np.ndarray:
    """EASE as Steck (2019) writes it: the weights, (n_items, n_items), by one inverse."""
    inverse = np.linalg.inv(x.T @ x + strength * np.eye(x.shape[1]))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


def test_ease_is_the_published_closed_form():
    x = (np.random.default_rng(0).random((12, 9)) < 0.4).astype(float)
    np.testing.assert_allclose(fit_ease(x, 3.0).scores(x), x @ ease_by_inverting_items(x, 3.0), atol=1e-12)


def test_ease_scores_other_histories_with_the_same_weights():
    rng = np.random.default_rng(0)
    x = (rng.random((12, 9)) < 0.4).astype(float)
    history = rng.random((3, 9))  # three other users, every item with a weight of its own
    before = history.copy()
    expected = history @ ease_by_inverting_items(x, 3.0)
    np.testing.assert_allclose(fit_ease(x, 3.0).scores(history), expected, atol=1e-12)
    assert np.array_equal(history, before)


def test_ease_keeps_the_type():
    assert fit_ease(np.eye(3, dtype=np.float32), 1.0).scores(np.ones((2, 3))).dtype == np.float32


@pytest.mark.parametrize(
    ("x", "strength", "history", "message"),
    [
        (np.eye(3), 0, np.eye(3), "strength is 0; expected a number above 0"),
        (np.eye(3), 1, np.ones((2, 4)), r"history has the shape \(2, 4\)"),
        (np.eye(3), 1, np.array([[1, np.nan, 0]]), "history has 1 NaN"),
        (np.array([[1, np.nan]]), 1, np.eye(2), "x has 1 NaN"),
    ],
)
def test_ease_names_bad_input(x, strength, history, message):
    with pytest.raises(ValueError, match=message):
        fit_ease(x, strength).scores(history)
