"""Two synthetic worlds with a known noise floor: one of pure noise, one with a planted signal.

`write_worlds("data")` writes the CSV files that `load_synthetic` reads, byte for byte.
"""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from recsys_utils.checks import RATING_HIGH, RATING_LOW, check_choice
from recsys_utils.columns import ITEM_ID, RATING, TIMESTAMP, TITLE, USER_ID
from recsys_utils.datasets.files import course_file

EXPECTED = "expected"  # the column that holds a rating's value without its noise, in stars
DEVICES = ("desktop", "mobile", "tablet")
REGIONS = ("north", "east", "south", "west", "centre")
CATEGORIES = ("books", "games", "garden", "kitchen", "music", "office", "outdoor", "sport", "tools", "toys")
CATEGORY_TREND = np.linspace(-0.2, 0.2, len(CATEGORIES))  # stars in two years, as planted: books fall, toys rise
NOISE_STD = {"noise": 2**0.5, "planted": 0.5}  # stars; a uniform draw from 1..5 has the variance 2
START = 1_704_067_200  # 2024-01-01, UTC seconds
DURATION = 2 * 365 * 24 * 3600  # two years, seconds
CATEGORICAL = ("region", "device", "category", "subcategory", "brand")  # features that are numbers of categories
DECIMALS = 2  # of every float, so that the last bits of a machine's logarithm do not reach a file


class Synthetic(NamedTuple):
    """A synthetic world."""

    ratings: pd.DataFrame  # user_id, item_id, rating, expected (stars), timestamp (seconds); by user, time, item
    users: pd.DataFrame  # user_id, age, gender, interactions, region, device; one row a user
    items: pd.DataFrame  # item_id, title, category, subcategory, price, brand, discount; one row an item
    noise_std: float  # stars: the error that even the best predictor keeps


def generate_noise(n_users: int = 1_000, n_items: int = 500, n_ratings: int = 10_000, seed: int = 1) -> Synthetic:
    """Draw ratings of 1 to 5 stars that depend on nothing, so that the mean is the best predictor.

    Parameters
    ----------
    n_users, n_items : rows of the two feature tables, at least 1
    n_ratings : distinct user-item pairs, 1 to n_users * n_items
    seed : of every draw

    Returns
    -------
    Synthetic
        `expected` is 3 everywhere, `noise_std` is √2. Features as in `generate_planted`.

    Raises
    ------
    ValueError
        A count below 1, or more ratings than pairs.
    """
    _check_counts(n_users, n_items, n_ratings)
    rng = np.random.default_rng(seed)
    users, items = _draw_users(rng, n_users), _draw_items(rng, n_items)
    user, item = np.divmod(np.sort(rng.choice(n_users * n_items, size=n_ratings, replace=False)), n_items)
    rating = rng.integers(1, 6, size=n_ratings).astype(float)
    seconds = rng.integers(0, DURATION, size=n_ratings)
    ratings = _as_ratings(user, item, rating, np.full(n_ratings, 3.0), seconds)
    return Synthetic(ratings, users, items, NOISE_STD["noise"])


def generate_planted(
    n_users: int = 1_000,
    n_items: int = 500,
    n_ratings: int = 60_000,
    noise_std: float = NOISE_STD["planted"],
    seed: int = 1,
) -> Synthetic:
    """Draw ratings with a planted signal and Gaussian noise of known size.

    With `age` and `price` scaled to 0..1 and `time` from 0 to 1 over the two years, a rating is

        rating = expected + noise                       noise ~ Normal(0, noise_std), kept within 0.5..5 stars
        expected = 3 + user effect + item effect + fit + drift
        user effect = 0.1 (interactions - 2.5) + own    own ~ Normal(0, 0.12)
        item effect = made[brand] + 0.8 (discount - 0.25) + own
                                                        made ~ Uniform(-0.25, 0.25), own ~ Normal(0, 0.12)
        fit = 0.5 cos(2π (region / 5 - category / 10))  neighbouring regions like neighbouring categories
            + 1.2 exp(-((age - price) / 0.5)²) - 0.8    the young like it cheap, the old like it dear
            + bargain[device] (discount - 0.25)         bargain = -1 desktop, 1 mobile, 0 tablet
            + 0.3 p[user] q[item]                       p, q ~ Uniform(-1, 1): a latent factor, in no feature
        drift = trend[category] (time - 0.5)            trend evenly from -0.2 to 0.2

    `gender` and `subcategory` have no effect. Who rates what: pairs are drawn without repetition with a weight of
    1 / popularity rank (Zipf) times the user's activity (log-normal), so the head of the popularity curve bends where
    an item runs out of users.

    One seed stands for one world: with another `n_ratings` or `noise_std` the users, the items and their effects stay
    the same, and n_ratings = n_users * n_items shows the expectation of every pair.

    Parameters
    ----------
    n_users, n_items : rows of the two feature tables, at least 1
    n_ratings : distinct user-item pairs, 1 to n_users * n_items
    noise_std : standard deviation of the noise, stars, 0 or more; above 0.6 more than 1 % of the ratings are moved to a
        bound, and the floor lies clearly below noise_std
    seed : of every draw

    Returns
    -------
    Synthetic

    Raises
    ------
    ValueError
        A count below 1, more ratings than pairs, a negative noise_std.
    """
    _check_counts(n_users, n_items, n_ratings)
    if not 0 <= noise_std < np.inf:
        raise ValueError(f"noise_std is {noise_std}; expected a number of stars, 0 or more")
    rng = np.random.default_rng(seed)
    users, items = _draw_users(rng, n_users), _draw_items(rng, n_items)
    own_user, own_item = rng.normal(0, 0.12, size=n_users), rng.normal(0, 0.12, size=n_items)
    p, q = rng.uniform(-1, 1, size=n_users), rng.uniform(-1, 1, size=n_items)
    made = rng.uniform(-0.25, 0.25, size=50)  # one a brand
    bargain = np.array([-1.0, 1.0, 0.0])  # one a device
    user, item = _draw_pairs(rng, n_users, n_items, n_ratings)  # (n_ratings,) row numbers
    seconds = rng.integers(0, DURATION, size=n_ratings)

    by_user = {name: column.to_numpy()[user] for name, column in users.items()}  # each (n_ratings,)
    by_item = {name: column.to_numpy()[item] for name, column in items.items()}
    age, price = (by_user["age"] - 18) / 46, (by_item["price"] - 5) / 195
    discount = by_item["discount"] - 0.25
    wheel = by_user["region"] / len(REGIONS) - by_item["category"] / len(CATEGORIES)

    user_effect = 0.1 * (by_user["interactions"] - 2.5) + own_user[user]
    item_effect = made[by_item["brand"]] + 0.8 * discount + own_item[item]
    fit = 0.5 * np.cos(2 * np.pi * wheel) + 1.2 * np.exp(-(((age - price) / 0.5) ** 2)) - 0.8
    fit += bargain[by_user["device"]] * discount + 0.3 * p[user] * q[item]
    drift = CATEGORY_TREND[by_item["category"]] * (seconds / DURATION - 0.5)
    expected = 3 + user_effect + item_effect + fit + drift
    rating = expected + rng.normal(0, noise_std, size=n_ratings)
    return Synthetic(_as_ratings(user, item, rating, expected, seconds), users, items, noise_std)


def _check_counts(n_users: int, n_items: int, n_ratings: int) -> None:
    for name, count in (("n_users", n_users), ("n_items", n_items)):
        if count < 1:
            raise ValueError(f"{name} is {count}; expected 1 or more")
    if not 1 <= n_ratings <= n_users * n_items:
        raise ValueError(f"n_ratings is {n_ratings}; expected 1 to {n_users * n_items}, the number of user-item pairs")


def _draw_users(rng: np.random.Generator, n_users: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            USER_ID: np.arange(1, n_users + 1),
            "age": rng.integers(18, 65, size=n_users),  # years
            "gender": rng.integers(0, 2, size=n_users),
            "interactions": rng.integers(1, 5, size=n_users),
            "region": rng.integers(0, len(REGIONS), size=n_users),
            "device": rng.integers(0, len(DEVICES), size=n_users),
        }
    )


def _draw_items(rng: np.random.Generator, n_items: int) -> pd.DataFrame:
    category, brand = rng.integers(0, len(CATEGORIES), size=n_items), rng.integers(0, 50, size=n_items)
    return pd.DataFrame(
        {
            ITEM_ID: np.arange(1, n_items + 1),
            TITLE: [f"{CATEGORIES[c].capitalize()} by brand {b}" for c, b in zip(category, brand, strict=True)],
            "category": category,
            "subcategory": rng.integers(0, 5, size=n_items),
            "price": rng.uniform(5, 200, size=n_items).round(DECIMALS),
            "brand": brand,
            "discount": rng.uniform(0, 0.5, size=n_items).round(DECIMALS),  # share of the price
        }
    )


def _draw_pairs(rng: np.random.Generator, n_users: int, n_items: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw distinct weighted pairs: those of the largest Gumbel keys (Efraimidis and Spirakis, 2006), in order."""
    activity = np.maximum(rng.normal(0, 0.7, size=n_users), -1.2)  # (n_users,) logarithm
    popularity = -np.log(rng.permutation(n_items) + 1.0)  # (n_items,) logarithm of 1 / rank
    keys = activity[:, None] + popularity + rng.gumbel(size=(n_users, n_items))
    chosen = np.argsort(-keys, axis=None)[:count]
    return np.divmod(np.sort(chosen), n_items)


def _as_ratings(user, item, rating, expected, seconds) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            USER_ID: user + 1,
            ITEM_ID: item + 1,
            RATING: rating.clip(RATING_LOW, RATING_HIGH).round(DECIMALS),
            EXPECTED: expected.round(DECIMALS),
            TIMESTAMP: START + seconds,
        }
    )
    return frame.sort_values([USER_ID, TIMESTAMP, ITEM_ID], ignore_index=True)


GENERATORS = {"noise": generate_noise, "planted": generate_planted}


def load_synthetic(world: str) -> Synthetic:
    """Load a synthetic world from the CSV files that the course ships.

    Parameters
    ----------
    world : 'noise' (10,000 ratings that depend on nothing) or 'planted' (60,000 ratings with a known signal)

    Returns
    -------
    Synthetic
        Exactly what `this module` generates with its default arguments.

    Raises
    ------
    ValueError
        Unknown world.
    """
    check_choice("world", world, list(GENERATORS))
    tables = (pd.read_csv(course_file(f"{world}_{table}.csv")) for table in ("ratings", "users", "items"))
    return Synthetic(*tables, NOISE_STD[world])


def write_worlds(folder: str | Path) -> None:
    """Write both worlds into an existing folder as CSV files, the same bytes on every platform.

    A file is written beside its place and moved there whole, so that an interruption leaves the old one.
    """
    for world, generate in GENERATORS.items():
        synthetic = generate()
        for table in ("ratings", "users", "items"):
            path = Path(folder, f"{world}_{table}.csv")
            part = path.with_suffix(".part")
            try:
                getattr(synthetic, table).to_csv(
                    part, index=False, float_format=f"%.{DECIMALS}f", lineterminator="\n", encoding="utf-8"
                )
                os.replace(part, path)
            finally:
                part.unlink(missing_ok=True)
