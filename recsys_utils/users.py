"""Feature vectors of one user, known or new, laid out for prediction."""

from collections.abc import Mapping
from difflib import get_close_matches
from numbers import Real
from typing import NamedTuple

import numpy as np

from recsys_utils.checks import check_finite, check_scores
from recsys_utils.columns import GENRES, ITEM_ID, RATING, TITLE, USER_ID
from recsys_utils.datasets.movielens import load_movielens
from recsys_utils.features import GENRE_NAMES, ITEM_FEATURES, USER_FEATURES, item_features, user_features

TASTE_LOW, TASTE_HIGH = 0, 5  # stars


class ContentData(NamedTuple):
    """MovieLens as content features, in the order that notebooks written for the old course-lab helper unpack."""

    item_train: np.ndarray  # (n_ratings, 17) the movie of each rating
    user_train: np.ndarray  # (n_ratings, 17) its user
    y_train: np.ndarray  # (n_ratings,) its stars
    item_features: list[str]  # names of the 17 columns of a movie; the genres start at column 3
    user_features: list[str]  # names of the 17 columns of a user; the genres start at column 3
    item_vecs: np.ndarray  # (n_items, 17) every movie once
    movie_dict: dict[int, dict]  # {movie_id: {"title": str, "genres": str}}
    user_to_genre: dict[int, dict]  # {user_id: {"movies": {movie_id: stars}}}


def load_data(statistics: str = "leave-one-out") -> ContentData:
    """Load MovieLens 2016-10 as the content features of `recsys_utils.features`, one row a rating.

    Parameters
    ----------
    statistics : 'leave-one-out' takes each rating out of its own features; 'leaky' leaves it in

    Returns
    -------
    ContentData
        `item_vecs` has the averages over all ratings.

    Raises
    ------
    ValueError
        Unknown `statistics`.

    Notes
    -----
    Rows are described by all other ratings. If you split these rows into training and test, training features know of
    test ratings. To measure a model, split the ratings first and build its features with `user_features` and
    `item_features`.
    """
    ratings, items, _ = load_movielens()
    described = items.set_index(ITEM_ID)[[TITLE, GENRES]]
    return ContentData(
        item_features(ratings, ratings, items, statistics),
        user_features(ratings, ratings, items, statistics),
        ratings[RATING].to_numpy(),
        list(ITEM_FEATURES),
        list(USER_FEATURES),
        item_features(items, ratings, items),
        described.to_dict("index"),
        {
            user: {"movies": dict(zip(rated[ITEM_ID], rated[RATING], strict=True))}
            for user, rated in ratings.groupby(USER_ID)
        },
    )


def gen_user_vecs(user_vec: np.ndarray, num_items: int) -> np.ndarray:
    """Repeat a user's vector, one row for each item to score.

    Parameters
    ----------
    user_vec : (n_features,) or (1, n_features)
    num_items : number of rows wanted, 1 or more

    Returns
    -------
    ndarray, (num_items, n_features)
    """
    user_vec = np.atleast_2d(user_vec)
    if user_vec.ndim != 2 or len(user_vec) != 1:
        raise ValueError(f"user_vec has the shape {user_vec.shape}; expected (n_features,) or (1, n_features)")
    if num_items < 1:
        raise ValueError(f"num_items is {num_items}; expected 1 or more")
    return np.tile(user_vec, (num_items, 1))


def get_user_vecs(
    user_id: int, user_train: np.ndarray, item_vecs: np.ndarray, user_to_genre: Mapping[int, Mapping]
) -> tuple[np.ndarray, np.ndarray]:
    """Pair a known user with every movie.

    Parameters
    ----------
    user_id : id of a user in `user_to_genre`
    user_train : (n_rows, n_features) as `load_data` returns it: unscaled, the user id in the first column
    item_vecs : (n_items, n_item_features) unscaled, the movie id in the first column
    user_to_genre : {user_id: {"movies": {movie_id: rating}}}

    Returns
    -------
    user_vecs : (n_items, n_features)
        The mean of the user's rows in `user_train`, repeated. Where each row leaves its own rating out, this mean
        holds the averages over all of the user's ratings.
    y : (n_items,)
        The user's ratings in stars, 0 where unrated.

    Raises
    ------
    ValueError
        An unknown user id (the nearest known ones are named), or no row of that user in `user_train`.
    """
    if user_id not in user_to_genre:
        nearest = sorted(user_to_genre, key=lambda known: (abs(known - user_id), known))[:3]
        raise ValueError(f"user_id is {user_id}; expected one of {len(user_to_genre)} known ids, such as {nearest}")
    own = np.asarray(user_train)[np.asarray(user_train)[:, 0] == user_id]  # (n_own, n_features)
    if len(own) == 0:
        raise ValueError(f"user_train has no row of user {user_id}; expected it unscaled, the user id in column 0")
    movies = user_to_genre[user_id]["movies"]
    y = np.array([movies.get(int(movie_id), 0.0) for movie_id in np.asarray(item_vecs)[:, 0]])
    return gen_user_vecs(own.mean(axis=0), len(y)), y


def new_user_vec(tastes: Mapping[str, float], user_train: np.ndarray, user_id: int = 0) -> np.ndarray:
    """Turn stated genre tastes into the vector of a user who has rated nothing yet.

    Parameters
    ----------
    tastes : stars from 0 to 5 by genre name; a genre that is not named gets the average rating
    user_train : (n_rows, 17) unscaled columns USER_FEATURES: gives the new user the median user's rating count and
        average, because 0 would be a user such as training never saw
    user_id : what stands in the first column; 0 is nobody's

    Returns
    -------
    ndarray, (1, 17)
        Columns USER_FEATURES.

    Raises
    ------
    ValueError
        A taste outside 0 to 5, an unknown genre (the nearest names are offered), `user_train` of the wrong width, a NaN
        or infinity in it or as `user_id`.
    """
    user_train = np.asarray(user_train, dtype=float)
    if user_train.ndim != 2 or user_train.shape[1] != len(USER_FEATURES) or len(user_train) == 0:
        raise ValueError(f"user_train has the shape {user_train.shape}; expected (n_rows, {len(USER_FEATURES)})")
    check_scores("user_train", user_train, user_train.shape, finite=True)
    check_finite("user_id", user_id)
    for genre, stars in tastes.items():
        if genre not in GENRE_NAMES:
            by_lower = {name.lower(): name for name in GENRE_NAMES}
            near = [by_lower[name] for name in get_close_matches(str(genre).lower(), by_lower, cutoff=0.3)]
            raise ValueError(f"tastes has the genre {genre!r}; expected one such as {near or list(GENRE_NAMES)}")
        if not isinstance(stars, Real) or not TASTE_LOW <= stars <= TASTE_HIGH:  # a NaN is not between
            raise ValueError(f"tastes has {stars!r} for {genre}; expected stars from {TASTE_LOW} to {TASTE_HIGH}")
    first_rows = np.unique(user_train[:, 0], return_index=True)[1]  # one row a user
    count, average = np.median(user_train[first_rows, 1:3], axis=0)
    return np.array([[user_id, count, average, *(tastes.get(genre, average) for genre in GENRE_NAMES)]], dtype=float)
