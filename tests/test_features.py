"""Content features: by hand, against a slow double loop, and the property that a rating does not describe itself."""

import pickle

import numpy as np
import pandas as pd
import pytest

from recsys_utils.columns import GENRES, ITEM_ID, RATING, TIMESTAMP, USER_ID, YEAR
from recsys_utils.datasets.item_vectors import load_item_vectors, save_item_vectors
from recsys_utils.datasets.movielens import load_movielens
from recsys_utils.features import (
    GENRE_NAMES,
    ITEM_FEATURES,
    MOMENT_FEATURES,
    USER_FEATURES,
    genre_flags,
    item_features,
    moment_features,
    shrunk_biases,
    user_features,
)

ITEMS = pd.DataFrame(
    {
        ITEM_ID: [10, 20, 30, 40],
        YEAR: [1990, 2000, 0, 2010],
        GENRES: ["Action|Drama", "Drama", "(no genres listed)", "Sci-Fi|Western"],
    }
)
TRAIN = pd.DataFrame({USER_ID: [1, 1, 1, 2], ITEM_ID: [10, 20, 30, 10], RATING: [5.0, 2.0, 4.0, 3.0]})


def as_frame(values, names):
    return pd.DataFrame(values, columns=list(names))


def test_names_are_the_old_ones():
    assert len(USER_FEATURES) == len(ITEM_FEATURES) == 17
    assert USER_FEATURES[3:] == ITEM_FEATURES[3:] == GENRE_NAMES
    assert GENRE_NAMES[0] == "Action" and GENRE_NAMES[-1] == "Thriller"


def test_flags_ignore_genres_outside_the_list():
    flags = as_frame(genre_flags(ITEMS), GENRE_NAMES)
    assert flags.sum(axis=1).tolist() == [2, 1, 0, 1]
    assert flags["Drama"].tolist() == [1, 1, 0, 0]


def test_user_of_an_unseen_row_by_hand():
    rows = pd.DataFrame({USER_ID: [1], ITEM_ID: [40]})
    user = as_frame(user_features(rows, TRAIN, ITEMS), USER_FEATURES).iloc[0]
    assert (user["user id"], user["rating count"]) == (1, 3)
    assert user["rating ave"] == pytest.approx(11 / 3)
    assert (user["Action"], user["Drama"]) == (5, 3.5)
    assert user["Horror"] == pytest.approx(11 / 3), "a genre without ratings has the user's average"


def test_own_rating_is_left_out_by_hand():
    user = as_frame(user_features(TRAIN, TRAIN, ITEMS), USER_FEATURES).iloc[0]  # user 1 on item 10, 5 stars
    assert (user["rating count"], user["rating ave"]) == (2, 3)
    assert (user["Action"], user["Drama"]) == (3, 2), "no other Action movie, so the user's average"
    item = as_frame(item_features(TRAIN, TRAIN, ITEMS), ITEM_FEATURES).iloc[0]
    assert (item["movie id"], item["year"], item["ave rating"]) == (10, 1990, 3)


def test_user_and_movie_with_nothing_left_have_the_mean_of_the_others():
    user = as_frame(user_features(TRAIN, TRAIN, ITEMS), USER_FEATURES).iloc[3]  # the only rating of user 2
    assert user["rating count"] == 0
    assert user["rating ave"] == user["Drama"] == pytest.approx(11 / 3)
    item = as_frame(item_features(TRAIN, TRAIN, ITEMS), ITEM_FEATURES).iloc[1]  # the only rating of item 20
    assert item["ave rating"] == 4


def test_unknown_user_and_unrated_movie_have_the_training_mean():
    rows = pd.DataFrame({USER_ID: [99], ITEM_ID: [40]})
    user, item = user_features(rows, TRAIN, ITEMS)[0], item_features(rows, TRAIN, ITEMS)[0]
    assert user[:2].tolist() == [99, 0] and (user[2:] == 3.5).all()
    assert item[:3].tolist() == [40, 2010, 3.5]


def test_unknown_year_is_the_median_of_the_known():
    assert item_features(ITEMS, TRAIN, ITEMS)[:, 1].tolist() == [1990, 2000, 2000, 2010]


def test_catalogue_and_user_table_use_every_rating():
    assert item_features(ITEMS, TRAIN, ITEMS)[:, 2].tolist() == [4, 2, 4, 3.5]
    users = user_features(pd.DataFrame({USER_ID: [2, 1]}), TRAIN, ITEMS)
    assert users[:, 1].tolist() == [1, 3]


def random_ratings(seed, n_users=8, n_items=9, share=0.4):
    rng = np.random.default_rng(seed)
    pairs = np.argwhere(rng.random((n_users, n_items)) < share)
    genres = [
        "|".join(rng.choice([*GENRE_NAMES[:4], "Western"], size=rng.integers(1, 4), replace=False))
        for _ in range(n_items)
    ]
    items = pd.DataFrame(
        {ITEM_ID: rng.permutation(n_items) * 7, YEAR: rng.integers(1950, 2000, n_items), GENRES: genres}
    )
    ratings = pd.DataFrame(
        {USER_ID: pairs[:, 0], ITEM_ID: pairs[:, 1] * 7, RATING: rng.integers(1, 11, len(pairs)) / 2}
    )
    order = rng.permutation(len(ratings))
    return ratings.iloc[order], items  # shuffled, with index labels that are not positions


def slow_average(stars, otherwise):
    return sum(stars) / len(stars) if stars else otherwise


def slow_features(rows, train, items, leave_out):
    """The same by two loops over rows and training ratings."""
    genres = dict(zip(items[ITEM_ID], items[GENRES].str.split("|"), strict=True))
    known = list(train[[USER_ID, ITEM_ID, RATING]].itertuples(index=False, name=None))
    user_rows, item_rows = [], []
    for user, item in rows[[USER_ID, ITEM_ID]].itertuples(index=False, name=None):
        kept = [row for row in known if not (leave_out and row[0] == user and row[1] == item)]
        mean = slow_average([stars for _, _, stars in kept], None)
        own = [(other, stars) for who, other, stars in kept if who == user]
        average = slow_average([stars for _, stars in own], mean)
        by_genre = [slow_average([stars for o, stars in own if genre in genres[o]], average) for genre in GENRE_NAMES]
        user_rows.append([user, len(own), average, *by_genre])
        item_rows.append(slow_average([stars for _, other, stars in kept if other == item], mean))
    return np.array(user_rows), np.array(item_rows)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("statistics", ["leave-one-out", "leaky"])
def test_same_as_a_slow_double_loop(seed, statistics):
    ratings, items = random_ratings(seed)
    train, rows = ratings.iloc[len(ratings) // 4 :], ratings  # rows in and out of training
    users, averages = slow_features(rows, train, items, leave_out=statistics == "leave-one-out")
    np.testing.assert_allclose(user_features(rows, train, items, statistics), users)
    np.testing.assert_allclose(item_features(rows, train, items, statistics)[:, 2], averages)


@pytest.mark.parametrize("seed", range(5))
def test_a_rating_describes_itself_only_when_leaky(seed):
    ratings, items = random_ratings(seed)
    changed = ratings.copy()
    changed.iloc[3, changed.columns.get_loc(RATING)] = 5.5 - changed.iloc[3][RATING]  # never the same
    for features, column in ((user_features, 2), (item_features, 2)):
        before, after = (features(frame.iloc[[3]], frame, items) for frame in (ratings, changed))
        np.testing.assert_array_equal(before, after)
        before, after = (features(frame.iloc[[3]], frame, items, "leaky") for frame in (ratings, changed))
        assert before[0, column] != after[0, column]


def test_order_of_the_training_rows_does_not_matter():
    ratings, items = random_ratings(1)
    shuffled = ratings.sample(frac=1, random_state=2)
    np.testing.assert_allclose(user_features(ratings, shuffled, items), user_features(ratings, ratings, items))


@pytest.mark.parametrize("features", [user_features, item_features])
class TestBadInput:
    def test_unknown_statistics(self, features):
        with pytest.raises(ValueError, match=r"statistics is 'leeky'.*did you mean 'leaky'"):
            features(TRAIN, TRAIN, ITEMS, "leeky")

    def test_empty_rows(self, features):
        with pytest.raises(ValueError, match="rows is empty"):
            features(TRAIN.iloc[:0], TRAIN, ITEMS)

    def test_missing_column(self, features):
        with pytest.raises(ValueError, match="items lacks the column 'genres'"):
            features(TRAIN, TRAIN, ITEMS.drop(columns=GENRES))

    def test_bad_rating(self, features):
        with pytest.raises(ValueError, match=r"train has the rating 6\.0 for user 2, item 10"):
            features(TRAIN, TRAIN.assign(rating=[5, 2, 4, 6.0]), ITEMS)

    def test_unknown_movie(self, features):
        with pytest.raises(ValueError, match="the item 30; expected one that items has"):
            features(TRAIN, TRAIN, ITEMS[ITEMS[ITEM_ID] != 30])

    def test_repeated_movie(self, features):
        with pytest.raises(ValueError, match="items has the item 10 more than once"):
            features(TRAIN, TRAIN, pd.concat([ITEMS, ITEMS.iloc[:1]]))

    def test_one_training_row(self, features):
        with pytest.raises(ValueError, match="train has 1 row"):
            features(TRAIN, TRAIN.iloc[:1], ITEMS)


def test_movielens_has_a_row_for_each_rating():
    ratings, items, _ = load_movielens()
    users = user_features(ratings, ratings, items)  # (100004, 17)
    movies = item_features(ratings, ratings, items)
    assert users.shape == movies.shape == (100_004, 17)
    assert np.isfinite(users).all() and np.isfinite(movies).all()
    assert (users[:, 2:] >= 0.5).all() and (users[:, 2:] <= 5).all()
    count = ratings.groupby(USER_ID)[RATING].transform("size")
    np.testing.assert_array_equal(users[:, 1], count - 1)


def test_item_vectors_come_back_with_length_one(tmp_path, monkeypatch):
    monkeypatch.setenv("TWO_TOWERS_ITEM_VECTORS", str(tmp_path))
    monkeypatch.setattr("recsys_utils.datasets.item_vectors.course_file", lambda name: tmp_path / name)
    vectors = np.random.default_rng(1).normal(size=(4, 8))
    save_item_vectors("07", np.array([30, 10, 20, 40]), vectors)
    content = (tmp_path / "item_vectors_07.npz").read_bytes()
    saved = load_item_vectors("07")
    assert saved.item_id.tolist() == [10, 20, 30, 40]
    np.testing.assert_allclose(np.linalg.norm(saved.vectors, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(saved.vectors[0], vectors[1] / np.linalg.norm(vectors[1]), atol=1e-3)
    save_item_vectors("07", np.array([30, 10, 20, 40]), vectors)
    assert (tmp_path / "item_vectors_07.npz").read_bytes() == content, "the same vectors make the same bytes"


def test_item_vectors_are_saved_only_where_a_folder_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_item_vectors("07", np.array([1]), np.ones((1, 2)))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileNotFoundError, match=r"no data file 'item_vectors_99\.npz'"):
        load_item_vectors("99")


@pytest.mark.parametrize(
    ("item_id", "vectors", "message"),
    [
        ([1, 2], np.ones((3, 2)), "vectors has the shape"),
        ([1, 1], np.ones((2, 2)), "item_id has an id more than once"),
        ([1, 2], np.array([[1, 0], [0, 0]]), "vectors has the length 0.0 for item 2"),
        ([1, 2], np.array([[1, 0], [np.nan, 0]]), "vectors has the length nan for item 2"),
        ([1, 7.9], np.eye(2), "item_id has the type float64; expected whole numbers"),
        ([1, 2**40], np.eye(2), "item_id has 1099511627776; expected ids below 2"),
    ],
)
def test_bad_item_vectors_are_refused(item_id, vectors, message):
    with pytest.raises(ValueError, match=message):
        save_item_vectors("07", np.array(item_id), vectors)


@pytest.fixture
def vectors_file(tmp_path, monkeypatch):
    monkeypatch.setattr("recsys_utils.datasets.item_vectors.course_file", lambda name: tmp_path / name)
    return tmp_path / "item_vectors_07.npz"


def test_item_vectors_make_their_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TWO_TOWERS_ITEM_VECTORS", str(tmp_path / "not" / "there"))
    save_item_vectors("07", np.array([1]), np.ones((1, 2)))
    assert (tmp_path / "not" / "there" / "item_vectors_07.npz").is_file()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"item_id": [1, 2], "vectors": [[1, 0], [np.nan, 0]]}, "vectors has the length nan for item 2"),
        ({"item_id": [1, 2], "vectors": [[1.0, 0], [0, 0]]}, "vectors has the length 0.0 for item 2"),
        ({"item_id": [1, 2, 3], "vectors": np.eye(2)}, r"vectors has the shape \(2, 2\); expected \(3, dim\)"),
        ({"item_id": [1, 1], "vectors": np.eye(2)}, "item_id has an id more than once"),
        ({"item_id": [1, 7.9], "vectors": np.eye(2)}, "item_id has the type float64"),
        ({"item_id": np.array([1, "a"], dtype=object), "vectors": np.eye(2)}, "allow_pickle=False"),
        ({"item_id": [1, 2]}, "vectors is not a file in the archive"),
    ],
)
def test_bad_item_vectors_are_not_loaded(arrays, message, vectors_file):
    np.savez(vectors_file, **arrays)
    with pytest.raises(ValueError, match=rf"item_vectors_07\.npz is no sound file of item vectors \(.*{message}"):
        load_item_vectors("07")


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:200] + bytes([content[200] ^ 255]) + content[201:],
        lambda content: b"",
        lambda content: b"no archive",
        lambda content: pickle.dumps(np.eye(2)),
    ],
)
def test_a_damaged_file_of_item_vectors_is_named(damage, vectors_file):
    np.savez(vectors_file, item_id=np.arange(1, 10), vectors=np.eye(9))
    assert len(load_item_vectors("07").vectors) == 9
    vectors_file.write_bytes(damage(vectors_file.read_bytes()))
    with pytest.raises(
        ValueError, match=r"item_vectors_07\.npz is no sound file .*; expected an \.npz file with the arrays"
    ):
        load_item_vectors("07")


# --- moment_features --------------------------------------------------------------------------------------------------

DAY = 86_400  # seconds
KNOWN = pd.DataFrame({USER_ID: [2, 1, 1, 1, 1], TIMESTAMP: [0, 4 * DAY, DAY, 2 * DAY, 2 * DAY]})
LEFT = np.array([9.0, -1.0, 1.0, 0.5, -2.0])


def test_moment_by_hand():
    rows = pd.DataFrame({USER_ID: [1, 3], TIMESTAMP: [2 * DAY, DAY]})
    back = as_frame(moment_features(rows, KNOWN, LEFT, look_ahead=False, shrink=1), MOMENT_FEATURES)
    assert np.allclose(back.iloc[0], [2 * DAY, np.log(2), np.log(2), 1 / 2, 1 / 2])
    assert np.allclose(back.iloc[1], [DAY, 0, 0, 0, 0]), "a user without ratings"
    ahead = as_frame(moment_features(rows, KNOWN, LEFT, look_ahead=True, shrink=1), MOMENT_FEATURES)
    assert np.isclose(ahead["last 5"][0], (1 + 0.5 - 2 - 1) / 5), "the same second and later count, too"


def test_moment_counts_as_many_as_it_says():
    known = pd.DataFrame({USER_ID: 1, TIMESTAMP: np.arange(30)})
    row = pd.DataFrame({USER_ID: [1], TIMESTAMP: [25]})
    left = np.where(np.arange(30) >= 20, 1.0, 0.0)
    back = as_frame(moment_features(row, known, left, look_ahead=False, shrink=0), MOMENT_FEATURES)
    assert back["last 5"][0] == 1 and back["last 20"][0] == 0.25


def test_moment_that_looks_back_knows_nothing_of_later():
    rows = pd.DataFrame({USER_ID: [1], TIMESTAMP: [2 * DAY]})
    early = KNOWN[TIMESTAMP].to_numpy() < 2 * DAY
    whole = moment_features(rows, KNOWN, LEFT, look_ahead=False)
    part = moment_features(rows, KNOWN[early], LEFT[early], look_ahead=False)
    assert np.array_equal(whole, part)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"residuals": LEFT[:2]}, "residuals has 2 numbers; expected 5"),
        ({"shrink": -1}, "shrink is -1; expected 0 or more"),
        ({"known": KNOWN[[USER_ID]]}, "known"),
        ({"rows": KNOWN[[USER_ID]]}, "rows"),
    ],
)
def test_moment_refuses(change, message):
    good = {"rows": KNOWN, "known": KNOWN, "residuals": LEFT, "look_ahead": False}
    with pytest.raises(ValueError, match=message):
        moment_features(**good | change)


# --- shrunk_biases ----------------------------------------------------------------------------------------------------


def test_biases_are_the_shrunk_means_of_what_the_others_leave():
    rng = np.random.default_rng(1)
    user, item, stars = rng.integers(0, 6, 40), rng.integers(0, 9, 40), rng.integers(1, 11, 40) / 2
    found = shrunk_biases(user, item, stars, 7, 10, shrink=2.0, sweeps=200)
    bias = found.user - stars.mean()
    for one in range(7):
        left = (stars - stars.mean() - found.item[item])[user == one]
        assert np.isclose(bias[one], left.sum() / (len(left) + 2))
    assert bias[6] == 0 and found.item[9] == 0, "nobody and nothing has a bias of 0"
    assert np.allclose(found.residual, stars - found.user[user] - found.item[item])


def test_biases_refuse():
    with pytest.raises(ValueError, match="have 1, 2, 2; expected as many"):
        shrunk_biases(np.zeros(1, int), np.zeros(2, int), np.ones(2), 1, 1, 1.0)
    with pytest.raises(ValueError, match="have 0, 0, 0"):
        shrunk_biases(np.zeros(0, int), np.zeros(0, int), np.ones(0), 1, 1, 1.0)
    with pytest.raises(ValueError, match="shrink is 0; expected above 0"):
        shrunk_biases(np.zeros(1, int), np.zeros(1, int), np.ones(1), 1, 1, 0)
