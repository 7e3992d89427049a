import numpy as np
import pandas as pd
import pytest
from scipy.sparse import coo_array, csr_array
from surprise import BaselineOnly, Dataset, KNNBaseline, KNNBasic, NormalPredictor, Reader

from recsys_utils import baselines
from recsys_utils.baselines import (
    DAY,
    LIKES_RIVALS,
    RANKING_RIVALS,
    RATING_RIVALS,
    _fit_biases,
    bpr_factors,
    faded_history,
    fit_directed,
    fit_ease,
    fit_item_cf,
    fold_in,
    ials_factors,
    load_rival_lists,
    load_rival_predictions,
    load_tuned,
    predict_with_surprise,
    predict_with_trees,
    rank,
    rank_likes,
    rank_with_bpr,
    rank_with_ials,
    rank_with_popularity,
    rank_with_recent_popularity,
    rating_model,
    stack_features,
)
from recsys_utils.columns import ITEM_ID, RATING, TIMESTAMP, USER_ID
from recsys_utils.datasets.movielens import load_movielens
from recsys_utils.datasets.social import LANGUAGES, cut_world, generate_social, lay_out
from recsys_utils.datasets.synthetic import CATEGORICAL, generate_planted, load_synthetic
from recsys_utils.metrics import RankingTask, evaluate_lists, make_ranking_task, recommend, rmse
from recsys_utils.splits import split_by_time, split_random


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


def random_events(n_users: int = 12, n_items: int = 15, share: float = 0.5) -> tuple[pd.DataFrame, RankingTask]:
    """Training events in any order, some at the same second, and a task with one more item for each user."""
    rng = np.random.default_rng(3)
    user, item = np.nonzero(rng.random((n_users, n_items)) < share)
    train = pd.DataFrame({USER_ID: user + 5, ITEM_ID: 10 * item, TIMESTAMP: DAY * rng.integers(0, 40, len(user))})
    test = pd.DataFrame({USER_ID: np.unique(train[USER_ID]), ITEM_ID: 10 * n_items})
    return train.sample(frac=1, random_state=1), make_ranking_task(train, test, items=10 * np.arange(n_items + 2))


def events(*rows: tuple[int, int, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=[USER_ID, ITEM_ID, TIMESTAMP])


def task_of(train: pd.DataFrame, items: list[int]) -> RankingTask:
    seen = csr_array((len(np.unique(train[USER_ID])), len(items)), dtype=bool)
    return RankingTask(np.unique(train[USER_ID]), np.array(items), seen, seen)


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


# --- predict_with_trees -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world():
    return generate_planted(100, 60, 3_000)


@pytest.mark.parametrize("first", ["trees", "biases"])
def test_trees_read_the_features_of_a_new_item(world, first):
    train, test = world.ratings[world.ratings[ITEM_ID] > 10], world.ratings[world.ratings[ITEM_ID] <= 10]
    predicted = predict_with_trees(train, test, world.users, world.items, CATEGORICAL, first=first, rounds=100)
    assert predicted.shape == (len(test),)
    mean = np.full(len(test), train[RATING].mean())
    assert rmse(test[RATING], predicted) < 0.9 * rmse(test[RATING], mean)
    backwards = predict_with_trees(train, test[::-1], world.users, world.items, CATEGORICAL, first=first, rounds=100)
    assert backwards[::-1] == pytest.approx(predicted), "aligned with the rows of the test"


def test_what_is_fitted_first_matters(world):
    by_order = [
        predict_with_trees(world.ratings, world.ratings, world.users, world.items, CATEGORICAL, first=first, rounds=20)
        for first in ("trees", "biases")
    ]
    assert np.abs(by_order[0] - by_order[1]).max() > 0.01
    with pytest.raises(ValueError, match="first is 'ids'; expected one of 'trees', 'biases'"):
        predict_with_trees(world.ratings, world.ratings, world.users, world.items, CATEGORICAL, first="ids")


def test_biases_of_what_is_left_are_surprises(world):
    mixed = world.ratings.sample(frac=1, random_state=1)
    mean = mixed[RATING][:2000].mean()
    fitted = mean + _fit_biases(mixed, mixed[RATING][:2000].to_numpy() - mean, penalty=15.0)
    surprise = rating_model("biases", bsl_options={"reg_u": 15, "reg_i": 15, "n_epochs": 10})
    assert fitted == pytest.approx(predict_with_surprise(surprise, mixed[:2000], mixed))
    new = frame((1, 1, 4.0), (2, 2, 2.0), (3, 3, 3.0))
    assert _fit_biases(new, np.array([1.0, -1.0]), penalty=0.0)[2] == 0, "no rating, no bias"


def test_trees_want_features_of_every_pair(world):
    with pytest.raises(ValueError, match="items has no row of item_id 1; expected features of every pair"):
        predict_with_trees(world.ratings, world.ratings, world.users, world.items[1:], ["region"])
    with pytest.raises(ValueError, match="colour"):
        predict_with_trees(world.ratings, world.ratings, world.users, world.items, ["colour"])


# --- rating_model ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RATING_RIVALS)
def test_every_rating_model_repeats_itself(name):
    train, test = random_ratings().iloc[::2], random_ratings().iloc[1::2]
    first, again = (predict_with_surprise(rating_model(name), train, test) for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_a_rating_model_takes_surprise_settings():
    assert rating_model("SVD", n_factors=7, random_state=2).n_factors == 7
    user_based = rating_model("user CF", k=3, sim_options={"shrinkage": 5})
    assert user_based.k == 3
    assert user_based.sim_options == {"name": "pearson_baseline", "user_based": True, "shrinkage": 5}


def test_an_unknown_rating_model_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"name is 'svd'; expected one of 'biases', 'SVD'.*"):
        rating_model("svd")


# --- popularity -----------------------------------------------------------------------------------------------------


def test_popularity_counts_the_training():
    train, task = random_events()
    expected = [(train[ITEM_ID] == item).sum() for item in task.items]
    np.testing.assert_array_equal(rank_with_popularity(task), np.tile(expected, (len(task.users), 1)))


def test_recent_popularity_halves_with_every_half_life():
    train = events((1, 10, 0), (1, 20, 10 * DAY), (2, 10, 10 * DAY), (2, 30, 20 * DAY), (3, 30, 30 * DAY))
    scores = rank_with_recent_popularity(train, task_of(train, [10, 20, 30]), half_life=10)
    np.testing.assert_allclose(
        scores, [[1 / 2 + 1, 1, 0], [1 / 4 + 1 / 2, 1 / 2, 1], [1 / 8 + 1 / 4, 1 / 4, 1 / 2 + 1]]
    )
    both = rank_with_recent_popularity(train, task_of(train, [10, 20, 30]), half_life=10, later_too=True)
    np.testing.assert_allclose(both[0], [1 / 2 + 1, 1, 1 / 2 + 1 / 4])
    np.testing.assert_allclose(both[2], scores[2]), "nothing comes later than the last"


@pytest.mark.parametrize("later_too", [False, True])
def test_recent_popularity_is_the_sum_over_events(later_too):
    train, task = random_events()
    expected = np.zeros(task.seen.shape)
    for row, user in enumerate(task.users):
        age = (train[TIMESTAMP][train[USER_ID] == user].max() - train[TIMESTAMP]) / DAY  # (n_events,) days
        weight = np.where((age >= 0) | later_too, 0.5 ** (age.abs() / 7), 0)
        np.add.at(expected[row], np.searchsorted(task.items, train[ITEM_ID]), weight)
    scores = rank_with_recent_popularity(train, task, half_life=7, later_too=later_too)
    np.testing.assert_allclose(scores, expected, rtol=1e-5)


def test_a_long_half_life_is_popularity_so_far_and_a_short_one_does_not_overflow():
    train, task = random_events()
    far = rank_with_recent_popularity(train, task, half_life=1e9, later_too=True)
    np.testing.assert_allclose(far, rank_with_popularity(task), rtol=1e-5)
    with np.errstate(all="raise", under="ignore"):
        assert np.isfinite(rank_with_recent_popularity(train, task, half_life=1e-3, later_too=True)).all()


# --- faded_history --------------------------------------------------------------------------------------------------


def test_a_history_fades_with_its_rank_and_breaks_ties_by_item():
    train = events((1, 30, 5), (1, 10, 9), (1, 20, 5), (2, 20, 1))
    history = faded_history(train, task_of(train, [10, 20, 30]), power=1.0)
    np.testing.assert_allclose(history, [[1, 1 / 3, 1 / 2], [0, 1, 0]])
    np.testing.assert_array_equal(faded_history(train, task_of(train, [10, 20, 30]), power=0) > 0, history > 0)
    assert history.dtype == np.float32


# --- item to item ---------------------------------------------------------------------------------------------------


def test_item_cf_is_the_cosine_of_the_columns():
    x = np.random.default_rng(0).random((12, 9)) < 0.4
    unit = x / np.maximum(np.linalg.norm(x, axis=0), 1)
    expected = unit.T @ unit
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(fit_item_cf(x).weights.toarray(), expected, atol=1e-6)
    history = np.random.default_rng(1).random((3, 9))
    np.testing.assert_allclose(fit_item_cf(csr_array(x)).scores(history), history @ expected, atol=1e-6)


def test_item_cf_shrinks_and_keeps_the_nearest_neighbours():
    x = np.array([[1, 1, 1], [1, 1, 0], [1, 0, 0]])
    full = fit_item_cf(x, history_power=1, item_power=0).weights.toarray()
    np.testing.assert_allclose(full, [[0, 2 / 3, 1 / 3], [1, 0, 1 / 2], [1, 1, 0]], rtol=1e-6)
    shrunk = fit_item_cf(x, history_power=1, item_power=0, shrinkage=2).weights.toarray()
    np.testing.assert_allclose(shrunk, full * [[0, 1 / 2, 1 / 3], [1 / 2, 0, 1 / 3], [1 / 3, 1 / 3, 0]], rtol=1e-6)
    nearest = fit_item_cf(x, history_power=1, item_power=0, neighbours=1).weights.toarray()
    np.testing.assert_allclose(nearest, [[0, 0, 0], [1, 0, 1 / 2], [1, 1, 0]], rtol=1e-6)  # 1 and 1 are level


def test_directed_counts_what_follows_within_the_window():
    train = events((1, 10, 1), (1, 20, 2), (1, 30, 3), (2, 10, 1), (2, 20, 5))
    task = task_of(train, [10, 20, 30])
    counted = fit_directed(train, task, history_power=0, item_power=0).weights.toarray()
    np.testing.assert_allclose(counted, [[0, 2, 2**-0.5], [0, 0, 1], [0, 0, 0]], rtol=1e-6)
    next_only = fit_directed(train, task, window=1, history_power=0, item_power=0).weights.toarray()
    np.testing.assert_allclose(next_only, [[0, 2, 0], [0, 0, 1], [0, 0, 0]])
    discounted = fit_directed(train, task, window=1, history_power=1, item_power=0.5).weights.toarray()
    np.testing.assert_allclose(discounted, [[0, 2 / 2 / 2**0.5, 0], [0, 0, 1 / 2], [0, 0, 0]], rtol=1e-6)


@pytest.mark.parametrize("pairs", [7, baselines.PAIRS])
def test_directed_is_the_sum_over_pairs_of_events(pairs, monkeypatch):
    monkeypatch.setattr(baselines, "PAIRS", pairs)
    train, task = random_events()
    ordered = train.sort_values([USER_ID, TIMESTAMP, ITEM_ID])
    expected = np.zeros((len(task.items),) * 2)
    for _, own in ordered.groupby(USER_ID):
        columns = np.searchsorted(task.items, own[ITEM_ID])
        for later in range(len(columns)):
            for earlier in range(max(later - 4, 0), later):
                expected[columns[earlier], columns[later]] += (later - earlier) ** -0.7
    popularity = np.maximum(task.popularity, 1)
    expected /= popularity[:, None] ** 0.4 * popularity**0.2
    settings = {"distance_power": 0.7, "window": 4, "history_power": 0.4, "item_power": 0.2}
    directed = fit_directed(train, task, **settings)
    np.testing.assert_allclose(directed.weights.toarray(), expected, rtol=1e-5)
    undirected = fit_directed(train, task, **settings, both_ways=True).weights.toarray()
    discount = popularity[:, None] ** 0.4 * popularity**0.2
    np.testing.assert_allclose(undirected, expected + (expected * discount).T / discount, rtol=1e-5)


def test_directed_of_one_item_each_is_empty():
    train = events((1, 10, 1), (2, 20, 1))
    assert fit_directed(train, task_of(train, [10, 20])).weights.nnz == 0


# --- bad events and settings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["recently popular", "EASE that fades", "item to next item"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda train: train.drop(columns=TIMESTAMP), "train lacks the column 'timestamp'"),
        (
            lambda train: train.astype({TIMESTAMP: str}),
            r"train has (str|object) in 'timestamp'; expected seconds",
        ),
        (lambda train: train.assign(user_id=99), "train has the user_id 99; expected one of the task's 12"),
        (lambda train: train.assign(item_id=-1), "train has the item_id -1; expected one of the task's 17"),
        (lambda train: train.iloc[:0], "train is empty"),
    ],
)
def test_bad_events_are_named(name, change, message):
    train, task = random_events()
    with pytest.raises(ValueError, match=message):
        rank(name, change(train), task)


@pytest.mark.parametrize("name", ["recently popular", "EASE that fades", "item to next item"])
@pytest.mark.parametrize("zone", [None, "UTC"])
def test_dates_count_as_their_seconds(name, zone):
    train, task = random_events()
    dates = pd.to_datetime(train[TIMESTAMP], unit="s").dt.tz_localize(zone)
    scores = rank(name, train.assign(timestamp=dates), task)
    np.testing.assert_allclose(scores, rank(name, train, task), rtol=1e-5)


def test_recent_popularity_needs_every_user():
    train, task = random_events()
    with pytest.raises(ValueError, match="train has no row of user 7; expected each of task's users"):
        rank_with_recent_popularity(train[train[USER_ID] != 7], task)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("recently popular", {"half_life": 0}, "half_life is 0; expected a number above 0"),
        ("recently popular", {"half_life": float("nan")}, "half_life is nan; expected a number above 0"),
        ("EASE", {"strength": float("nan")}, "strength is nan; expected a number above 0"),
        ("EASE", {"strength": float("inf")}, "strength is inf; expected a number above 0"),
        ("EASE", {"strength": "500"}, "strength is '500'; expected a number above 0"),
        ("EASE that fades", {"power": -1}, "power is -1; expected a number of at least 0"),
        ("item CF", {"shrinkage": -1}, "shrinkage is -1; expected a number of at least 0"),
        ("item CF", {"neighbours": 0}, "neighbours is 0; expected a whole number of at least 1"),
        ("item to next item", {"window": 0}, "window is 0; expected a whole number of at least 1"),
        ("item to next item", {"window": 2.5}, "window is 2.5; expected a whole number of at least 1"),
        ("item to next item", {"item_power": -0.1}, "item_power is -0.1; expected a number of at least 0"),
        ("iALS", {"factors": 0}, "factors is 0; expected a whole number of at least 1"),
        ("iALS", {"factors": True}, "factors is True; expected a whole number of at least 1"),
        ("iALS", {"alpha": 0}, "alpha is 0; expected a number above 0"),
        ("iALS", {"regularization": -1}, "regularization is -1; expected a number of at least 0"),
        ("iALS", {"iterations": 0}, "iterations is 0; expected a whole number of at least 1"),
        ("BPR", {"factors": 0}, "factors is 0; expected a whole number of at least 1"),
        ("BPR", {"learning_rate": 0}, "learning_rate is 0; expected a number above 0"),
        ("BPR", {"iterations": -1}, "iterations is -1; expected a whole number of at least 1"),
    ],
)
def test_bad_settings_are_named(name, settings, message):
    train, task = random_events()
    with pytest.raises(ValueError, match=message):
        rank(name, train, task, **settings)


# --- rank -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RANKING_RIVALS)
def test_every_rival_scores_everybody_and_repeats_itself(name):
    train, task = random_events()
    scores = rank(name, train, task)
    assert scores.shape == task.seen.shape
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(scores, rank(name, train, task))
    np.testing.assert_allclose(scores, rank(name, train.sample(frac=1, random_state=5), task), rtol=1e-5, atol=1e-6)


def test_an_unknown_rival_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match=r"name is 'iAlS'; expected one of .*; did you mean 'iALS'\?"):
        rank("iAlS", *random_events())


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


# --- fold_in ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [1.0, 4.0])
@pytest.mark.parametrize("sparse", [False, True])
def test_fold_in_solves_the_weighted_least_squares(alpha, sparse):
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(9, 3))
    history = rng.integers(0, 3, size=(5, 9))  # 0 is not seen, 2 counts twice
    history[2] = 0
    folded = fold_in(csr_array(history) if sparse else history, vectors, 0.5, alpha)
    for weights, vector in zip(history, folded, strict=True):
        weight, target = np.where(weights > 0, alpha * weights, 1), weights > 0
        root = np.sqrt(weight)[:, None]
        rows = np.vstack([root * vectors, np.sqrt(0.5) * np.eye(3)])
        expected = np.linalg.lstsq(rows, np.append(root[:, 0] * target, np.zeros(3)), rcond=None)[0]
        np.testing.assert_allclose(vector, expected, rtol=1e-6, atol=1e-12)
    assert (folded[2] == 0).all(), "nothing was seen"


def test_fold_in_is_a_step_of_ials():
    task = two_circles()
    settings = {"regularization": 0.1, "alpha": 2.0}
    users, items = ials_factors(task, factors=2, iterations=50, **settings)
    np.testing.assert_allclose(fold_in(task.seen, items, **settings), users, atol=0.02)  # the fit has converged
    assert fold_in(task.seen, items).dtype == items.dtype


def test_fold_in_passes_over_stored_zeros():
    history = csr_array((np.array([1.0, 0.0]), np.array([0, 1]), np.array([0, 2])), shape=(1, 3))
    vectors = np.random.default_rng(1).normal(size=(3, 2))
    np.testing.assert_array_equal(fold_in(history, vectors), fold_in(np.array([[1.0, 0, 0]]), vectors))
    assert history.nnz == 2, "the caller's matrix stays as it is"


@pytest.mark.parametrize(
    ("history", "settings", "message"),
    [
        (np.ones((1, 2)), {}, r"history has the shape \(1, 2\); expected \(n_users, 3\)"),
        (np.array([[1, -1, 0]]), {}, "history has the weight -1.0; expected weights of at least 0"),
        (np.array([[1, np.nan, 0]]), {}, "history"),
        (np.ones((1, 3)), {"alpha": 0}, "alpha is 0; expected a number above 0"),
        (np.ones((1, 3)), {"regularization": -1}, "regularization is -1; expected a number of at least 0"),
    ],
)
def test_fold_in_names_bad_input(history, settings, message):
    with pytest.raises(ValueError, match=message):
        fold_in(history, np.ones((3, 2)), **settings)


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


def test_bpr_scores_are_the_product_of_its_factors():
    users, items = bpr_factors(two_circles(), factors=3, iterations=5)
    np.testing.assert_array_equal(users @ items.T, rank_with_bpr(two_circles(), factors=3, iterations=5))


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


@pytest.mark.parametrize("kind", [bool, np.int8, np.int64, np.uint8, np.float32])
@pytest.mark.parametrize("form", [np.asarray, csr_array, coo_array])
def test_ease_takes_any_numbers_sparse_or_not(kind, form):
    # 200 users: what they share overflows int8, and is true or false as a boolean.
    x = np.random.default_rng(0).random((200, 9)) < 0.9
    history = np.random.default_rng(1).random((3, 9))
    ease = fit_ease(form(x.astype(kind)), 3.0)
    expected = ease_by_inverting_items(x.astype(float), 3.0)
    np.testing.assert_allclose(ease.scores(history), history @ expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(ease.scores(form(x.astype(kind))), x @ expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("x", "strength", "history", "message"),
    [
        (np.eye(3), np.nan, np.eye(3), "strength is nan; expected a number above 0"),
        (np.eye(3), 1, np.array([[1, np.inf, 0]]), "history has 1 infinite numbers"),
        (np.eye(3), 1, csr_array([[1, np.nan, 0]]), "history has 1 NaN"),
        (np.array([["1", "0"]]), 1, np.eye(2), "x has the type <U1; expected numbers or booleans"),
        (np.ones(3), 1, np.eye(3), r"x has the shape \(3,\); expected \(n_users, n_items\)"),
        (np.eye(3), 0, np.eye(3), "strength is 0; expected a number above 0"),
        (np.eye(3), 1, np.ones((2, 4)), r"history has the shape \(2, 4\)"),
        (np.eye(3), 1, np.array([[1, np.nan, 0]]), "history has 1 NaN"),
        (np.array([[1, np.nan]]), 1, np.eye(2), "x has 1 NaN"),
    ],
)
def test_ease_names_bad_input(x, strength, history, message):
    with pytest.raises(ValueError, match=message):
        fit_ease(x, strength).scores(history)


# --- likes ------------------------------------------------------------------------------------------------------------


def likes_task():
    return lay_out(cut_world(generate_social(n_users=60, n_posts=40, views=12, seed=2), 40, 60))


def test_popularity_is_ranked_by_readable_language_then_country_then_all():
    task = likes_task()
    popular, nearby = (rank_likes(name, task) for name in ("most popular", "most popular in country and language"))
    assert np.array_equal(popular, np.tile(task.liked.sum(axis=0), (len(task.liked), 1)))
    country = task.user_features[:, 1 : -len(LANGUAGES) - 1]
    tongue = slice(-len(LANGUAGES), None)
    for user in range(len(task.liked)):
        same = (country @ country[user]) > 0  # users of the same known country
        likes = task.liked[same].sum(axis=0)
        readable = (task.post_features[:, tongue] > 0) @ (task.user_features[user, tongue] > 0)
        expected = 1_000 * readable + likes + popular[user] / 1_000
        assert np.allclose(nearby[user], expected)


def test_what_was_passed_counts_as_much_as_it_is_told_to():
    task = likes_task()
    everything = task._replace(liked=task.liked | task.passed, passed=np.zeros_like(task.passed))
    assert np.allclose(
        rank_likes("EASE", task, strength=20, passed=1.0), rank_likes("EASE", everything, strength=20), atol=1e-5
    )
    assert not np.allclose(rank_likes("EASE", task, strength=20), rank_likes("EASE", task, strength=20, passed=0.5))


def test_features_stand_beside_and_below_a_history():
    history, users, posts = np.array([[1, 0, 0.5]]), np.array([[1, 0]]), np.array([[1], [0], [1]])
    stacked = stack_features(history, users, posts, user_weight=2, post_weight=3)
    assert stacked.tolist() == [[1, 0, 0.5, 2, 0], [3, 0, 3, 0, 0]]
    task = likes_task()
    settings = {"factors": 4, "regularization": 5, "alpha": 3, "passed": 0.3}
    plain = rank_likes("iALS", task, **settings)
    reading = rank_likes("iALS with features", task, **settings)
    assert plain.shape == reading.shape == task.liked.shape
    without = ~(task.liked | task.passed).any(axis=1)  # users before whom nothing is known but features
    if without.any():
        assert np.allclose(plain[without], 0, atol=1e-6) and (reading[without] != 0).any()


def test_ease_with_features_is_ease_on_a_taller_and_wider_history():
    task = likes_task()
    stacked = stack_features(task.liked, task.user_features, task.post_features, 0.5, 2)
    expected = fit_ease(stacked, 20).scores(stacked)[: len(task.liked), : task.liked.shape[1]]
    weights = {"user_weight": 0.5, "post_weight": 2}
    assert np.allclose(rank_likes("EASE with features", task, strength=20, **weights), expected)


def test_a_lift_scores_unviewed_posts_by_their_features_alone():
    task, settings = likes_task(), {"factors": 3, "regularization": 5, "alpha": 3, "passed": 0.3, "post_weight": 2}
    new = np.arange(task.liked.shape[1]) >= 35
    task = task._replace(liked=task.liked & ~new, passed=task.passed & ~new)
    unviewed = ~(task.liked | task.passed).any(axis=0)  # `new` and maybe more
    once, twice = (rank_likes("iALS with features", task, **settings, lift=lift) for lift in (1, 2))
    assert np.allclose(twice, np.where(unviewed, 2 * once, once)) and (once[:, unviewed] != 0).any()
    fitted = task._replace(**{name: getattr(task, name)[:, ~unviewed] for name in ("liked", "passed")})
    fitted = fitted._replace(post_features=task.post_features[~unviewed])
    assert np.allclose(once[:, ~unviewed], rank_likes("iALS with features", fitted, **settings), atol=1e-5)
    same = task._replace(post_features=np.ones_like(task.post_features))
    scores = rank_likes("iALS with features", same, **settings, lift=1)[:, unviewed]
    assert np.allclose(scores, scores[:, :1]), "the same features, the same scores"


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("EASI", {}, "name is 'EASI'; expected one of 'most popular'"),
        ("EASE", {"passed": -1}, "passed is -1; expected a number of at least 0"),
        ("iALS with features", {"user_weight": -1}, "user_weight is -1; expected a number of at least 0"),
        ("iALS with features", {"post_weight": float("nan")}, "post_weight is nan"),
        ("EASE with features", {"post_weight": -1}, "post_weight is -1; expected a number of at least 0"),
        ("iALS with features", {"lift": -1}, "lift is -1; expected a number of at least 0"),
    ],
)
def test_likes_name_bad_input(name, settings, message):
    with pytest.raises(ValueError, match=message):
        rank_likes(name, likes_task(), **settings)


# --- load_tuned -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "low", "high"), [("random", 0.8, 1), ("by time", 0.8, 1), ("noise", 1.4, 1.5), ("planted", 0.5, 0.8)]
)
def test_tuned_rating_models_can_be_made(table, low, high):
    tuned = load_tuned(table)
    assert ("boosted trees" in tuned) == (table == "planted"), "they need features"
    assert set(tuned) - {"boosted trees"} == set(RATING_RIVALS)
    for name, rival in tuned.items():
        if name in RATING_RIVALS:
            assert rating_model(name, **rival.settings), name
        assert low < rival.test["RMSE"] < high
        assert rival.test["MAE"] < rival.test["RMSE"]


def test_tuned_rankings_can_be_made():
    train, task = random_events()
    tuned = load_tuned()
    assert {"EASE", "iALS", "item to next item"} <= set(tuned) <= set(RANKING_RIVALS)
    for name, rival in tuned.items():
        assert rank(name, train, task, **rival.settings).shape == task.seen.shape
        assert 0 < rival.test["Recall@10"] < rival.test["NDCG@10"] < 1
    assert fit_ease(task.seen, **tuned["EASE"].settings)


def test_tuned_ablations_can_be_made():
    train, task = random_events()
    whole, tuned = load_tuned()["item to next item"], load_tuned("ablations")
    for name, off in (("without direction", {"both_ways": True}), ("without fading", {"power": 0})):
        assert rank("item to next item", train, task, **off, **tuned[name].settings).shape == task.seen.shape
        assert tuned[name].validation < whole.validation


def test_tuned_likes_can_be_ranked():
    task = likes_task()
    tuned = load_tuned("likes")
    assert set(tuned) == set(LIKES_RIVALS)
    for name, rival in tuned.items():
        scores = rank_likes(name, task, **rival.settings)
        assert scores.shape == task.liked.shape and np.isfinite(scores).all()
        assert 0 < rival.test["low"] < rival.test["NDCG@10"] < rival.test["high"] < 1


def test_unknown_tables_and_rivals_are_answered_with_the_known_ones():
    tables = "'ranking', 'ablations', 'random', 'by time', 'noise', 'planted', 'likes', 'cold users', 'new movies'"
    with pytest.raises(ValueError, match=f"table is 'time'; expected one of {tables}"):
        load_tuned("time")
    with pytest.raises(KeyError, match=r"EASI is not a tuned rival; expected one of most popular, .*EASE"):
        load_tuned()["EASI"]


# --- load_rival_predictions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "table, cut", [("random", split_random), ("by time", split_by_time), ("planted", split_random)]
)
def test_rival_predictions_reach_the_error_that_the_search_measured(table, cut):
    world = load_synthetic("planted") if table == "planted" else load_movielens()
    test = cut(world.ratings).test
    predictions, tuned = load_rival_predictions(table), load_tuned(table)
    assert set(predictions) == {*RATING_RIVALS, *(["boosted trees"] if table == "planted" else [])}
    for name, stars in predictions.items():
        assert np.isclose(rmse(test[RATING], stars), tuned[name].test["RMSE"], atol=5e-4), name


def test_rival_predictions_of_an_unknown_split():
    with pytest.raises(ValueError, match="table is 'time'"):
        load_rival_predictions("time")


# --- load_rival_lists -------------------------------------------------------------------------------------------------


def test_rival_lists_reach_the_ndcg_that_the_search_measured_and_are_what_the_rivals_recommend():
    movies = load_movielens()
    train, test = split_by_time(movies.ratings)
    task = make_ranking_task(train, test, items=movies.items[ITEM_ID])
    lists, tuned = load_rival_lists(), load_tuned()
    assert set(lists) == set(tuned)
    assert {name: len(of_seeds) for name, of_seeds in lists.items() if len(of_seeds) > 1} == {"iALS": 3, "BPR": 3}
    for name, of_seeds in lists.items():
        ndcg = [evaluate_lists(one, task).ndcg.mean() for one in of_seeds]
        spread = 0.006 if len(ndcg) > 1 else 5e-4  # the search read the test with a seed of its own
        assert np.isclose(np.mean(ndcg), tuned[name].test["NDCG@10"], atol=spread), name
    for name in ("most popular", "item to next item"):
        again = recommend(rank(name, train, task, **tuned[name].settings), task.seen)
        assert np.mean(again == lists[name][0]) > 0.999, name  # near ties may turn on another processor
