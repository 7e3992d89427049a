"""Vectors of one user: repeated, looked up, made from stated tastes; and what unknown users and tastes get."""

import numpy as np
import pytest

from recsys_utils.features import GENRE_NAMES, USER_FEATURES
from recsys_utils.users import gen_user_vecs, get_user_vecs, new_user_vec

TASTES = {"Action": 5, "Adventure": 5, "Crime": 3, "Fantasy": 5, "Mystery": 4, "Sci-Fi": 5, "Thriller": 4}


def make_users():
    """Three rows of user 1, one of user 2, one of user 5."""
    users = np.full((5, len(USER_FEATURES)), 3.0)
    users[:, 0] = [1, 1, 1, 2, 5]
    users[:, 1] = [20, 20, 20, 40, 100]
    users[:, 2] = [3, 4, 5, 2, 3.5]
    return users


def test_gen_user_vecs_repeats_a_row():
    row = np.arange(4.0)
    for user_vec in (row, row[None, :]):
        vecs = gen_user_vecs(user_vec, 3)
        assert vecs.shape == (3, 4) and (vecs == row).all()


@pytest.mark.parametrize(
    ("user_vec", "num_items", "message"),
    [
        (np.ones((2, 4)), 3, r"user_vec has the shape \(2, 4\); expected"),
        (np.ones((1, 2, 4)), 3, r"user_vec has the shape \(1, 2, 4\); expected"),
        (np.ones(4), 0, "num_items is 0; expected 1 or more"),
    ],
)
def test_gen_user_vecs_refuses(user_vec, num_items, message):
    with pytest.raises(ValueError, match=message):
        gen_user_vecs(user_vec, num_items)


def test_get_user_vecs_by_hand():
    item_vecs = np.array([[10, 1990.0], [20, 1991], [30, 1992]])
    ratings = {1: {"movies": {10: 4.5, 30: 2.0}}, 2: {"movies": {20: 3.0}}}
    user_vecs, y = get_user_vecs(1, make_users(), item_vecs, ratings)
    assert user_vecs.shape == (3, len(USER_FEATURES))
    assert (user_vecs[:, 0] == 1).all() and (user_vecs[:, 2] == 4).all(), "the mean of the user's rows"
    assert y.tolist() == [4.5, 0, 2]


def test_unknown_user_is_told_of_known_ones():
    ratings = {user: {"movies": {}} for user in (1, 2, 5, 90)}
    with pytest.raises(ValueError, match=r"user_id is 6; expected one of 4 known ids, such as \[5, 2, 1\]"):
        get_user_vecs(6, make_users(), np.ones((2, 3)), ratings)


def test_scaled_users_are_refused():
    with pytest.raises(ValueError, match="user_train has no row of user 2"):
        get_user_vecs(2, make_users() / 100, np.ones((2, 3)), {2: {"movies": {}}})


def test_new_user_has_stated_tastes_and_is_otherwise_the_median_user():
    vec = dict(zip(USER_FEATURES, new_user_vec(TASTES, make_users())[0], strict=True))
    assert {genre: vec[genre] for genre in TASTES} == TASTES
    assert vec["rating count"] == 40 and vec["rating ave"] == 3, "medians over users, not over rows"
    assert {vec[genre] for genre in GENRE_NAMES if genre not in TASTES} == {3.0}
    assert vec["user id"] == 0


def test_new_user_without_tastes_is_allowed():
    assert new_user_vec({}, make_users()).shape == (1, 17)


@pytest.mark.parametrize("stars", [-0.5, 5.5, float("nan"), "4", None])
def test_taste_out_of_range(stars):
    with pytest.raises(ValueError, match="for Action; expected stars from 0 to 5"):
        new_user_vec({"Action": stars}, make_users())


@pytest.mark.parametrize(("wrong", "right"), [("Scifi", "Sci-Fi"), ("action", "Action"), ("Comedie", "Comedy")])
def test_unknown_genre_is_told_of_near_ones(wrong, right):
    with pytest.raises(ValueError, match=f"tastes has the genre '{wrong}'; expected one such as .*'{right}'"):
        new_user_vec({wrong: 3}, make_users())


def test_genre_like_no_other_is_told_of_all():
    with pytest.raises(ValueError, match=r"expected one such as .*'Action'.*'Thriller'"):
        new_user_vec({"qq": 3}, make_users())


def test_user_train_of_the_wrong_width():
    with pytest.raises(ValueError, match=r"user_train has the shape \(5, 16\); expected \(n_rows, 17\)"):
        new_user_vec({}, make_users()[:, 1:])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_new_user_takes_no_nan_and_no_infinity(value):
    users = make_users()
    users[3, 2] = value
    with pytest.raises(ValueError, match=r"user_train has .*\(3, 2\)"):
        new_user_vec({}, users)
    with pytest.raises(ValueError, match=f"user_id is {value}; expected a finite number"):
        new_user_vec({}, make_users(), user_id=value)
