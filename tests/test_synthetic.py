"""The synthetic worlds: reproduced byte for byte, and planted as documented."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys_utils.checks import check_ratings
from recsys_utils.datasets.synthetic import (
    CATEGORY_TREND,
    DURATION,
    GENERATORS,
    START,
    generate_noise,
    generate_planted,
    load_synthetic,
    write_worlds,
)
from recsys_utils.metrics import rmse

DATA = Path(__file__).parents[1] / "data"
FILES = [f"{world}_{table}.csv" for world in GENERATORS for table in ("ratings", "users", "items")]


@pytest.fixture(scope="module")
def planted():
    return generate_planted()


@pytest.fixture(scope="module")
def joined(planted):
    """One row a rating, with its user's and its item's features and the time from 0 to 1."""
    frame = planted.ratings.merge(planted.users, on="user_id", validate="many_to_one")
    frame = frame.merge(planted.items, on="item_id", validate="many_to_one")
    return frame.assign(time=(frame["timestamp"] - START) / DURATION)


# --- files ----------------------------------------------------------------------------------------------------------


def test_the_module_writes_the_committed_files_byte_for_byte(tmp_path):
    write_worlds(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (DATA / name).read_bytes(), name


def test_files_have_plain_line_ends_and_are_small():
    content = [(DATA / name).read_bytes() for name in FILES]
    assert not any(b"\r" in text for text in content)
    assert sum(map(len, content)) < 2_500_000


@pytest.mark.parametrize("world", GENERATORS)
def test_loading_gives_what_was_generated(world):
    loaded, generated = load_synthetic(world), GENERATORS[world]()
    for table in ("ratings", "users", "items"):
        pd.testing.assert_frame_equal(getattr(loaded, table), getattr(generated, table), check_exact=True)
    assert loaded.noise_std == generated.noise_std


def test_an_interrupted_write_leaves_the_old_file_and_no_part(tmp_path, monkeypatch):
    (tmp_path / FILES[0]).write_text("old")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_worlds(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [FILES[0]]
    assert (tmp_path / FILES[0]).read_text() == "old"


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(OSError, match="absent"):
        write_worlds(tmp_path / "absent")


# --- both worlds ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("generate", GENERATORS.values())
def test_ratings_are_valid_and_join_the_features(generate):
    world = generate()
    check_ratings(world.ratings)  # stars in range, one rating a pair
    assert world.users["user_id"].tolist() == list(range(1, 1_001))
    assert world.items["item_id"].tolist() == list(range(1, 501))
    assert world.ratings["user_id"].isin(world.users["user_id"]).all()
    assert world.ratings["item_id"].isin(world.items["item_id"]).all()
    assert world.ratings["timestamp"].between(START, START + DURATION - 1).all()
    assert world.ratings.equals(world.ratings.sort_values(["user_id", "timestamp", "item_id"], ignore_index=True))


@pytest.mark.parametrize("generate", GENERATORS.values())
def test_features_cover_their_ranges(generate):
    world = generate()
    ranges = {"age": (18, 64), "gender": (0, 1), "interactions": (1, 4), "region": (0, 4), "device": (0, 2)}
    for column, span in ranges.items():
        assert (world.users[column].min(), world.users[column].max()) == span, column
    for column, span in {"category": (0, 9), "subcategory": (0, 4), "brand": (0, 49)}.items():
        assert (world.items[column].min(), world.items[column].max()) == span, column
    assert world.items["price"].between(5, 200).all()
    assert world.items["discount"].between(0, 0.5).all()


@pytest.mark.parametrize("generate", GENERATORS.values())
def test_the_seed_decides_everything(generate):
    first, again, other = generate(seed=3), generate(seed=3), generate(seed=4)
    for table in ("ratings", "users", "items"):
        pd.testing.assert_frame_equal(getattr(first, table), getattr(again, table), check_exact=True)
        assert not getattr(first, table).equals(getattr(other, table))


@pytest.mark.parametrize("generate", GENERATORS.values())
def test_every_pair_can_be_drawn(generate):
    world = generate(n_users=4, n_items=3, n_ratings=12)
    assert len(world.ratings) == 12
    check_ratings(world.ratings)


@pytest.mark.parametrize("generate", GENERATORS.values())
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_users": 0}, "n_users is 0; expected 1 or more"),
        ({"n_items": -2}, "n_items is -2; expected 1 or more"),
        ({"n_ratings": 0}, "n_ratings is 0; expected 1 to 500000"),
        ({"n_users": 2, "n_items": 3, "n_ratings": 7}, "n_ratings is 7; expected 1 to 6"),
    ],
)
def test_impossible_counts_are_refused(generate, arguments, message):
    with pytest.raises(ValueError, match=message):
        generate(**arguments)


@pytest.mark.parametrize("noise_std", [-0.1, float("nan"), float("inf")])
def test_impossible_noise_is_refused(noise_std):
    with pytest.raises(ValueError, match=f"noise_std is {noise_std}"):
        generate_planted(noise_std=noise_std)


def test_an_unknown_world_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'plantd'.*'noise', 'planted'"):
        load_synthetic("plantd")


# --- noise ----------------------------------------------------------------------------------------------------------


def test_noise_depends_on_nothing():
    world = generate_noise()
    ratings = world.ratings
    assert len(ratings) == 10_000
    assert sorted(ratings["rating"].unique()) == [1, 2, 3, 4, 5]
    assert (ratings["expected"] == 3).all()
    assert world.noise_std == pytest.approx(np.sqrt(2))
    assert rmse(ratings["rating"], ratings["expected"]) == pytest.approx(np.sqrt(2), rel=0.02)
    frame = ratings.merge(world.users, on="user_id").merge(world.items, on="item_id")
    features = frame.drop(columns=["rating", "expected", "title"])
    assert features.corrwith(frame["rating"]).abs().max() < 4 / np.sqrt(len(frame))


# --- planted --------------------------------------------------------------------------------------------------------


def test_noise_has_the_planted_size_and_shape(planted):
    noise = planted.ratings["rating"] - planted.ratings["expected"]
    assert len(noise) == 60_000
    assert noise.std() == pytest.approx(planted.noise_std, rel=0.01)
    assert abs(noise.mean()) < 0.01
    assert abs(noise.corr(planted.ratings["expected"])) < 0.02
    assert noise.abs().gt(2 * planted.noise_std).mean() == pytest.approx(0.0455, abs=0.005)  # as a Gaussian has


@pytest.mark.parametrize("noise_std", [0.5, 0.6])
def test_few_ratings_lie_at_a_bound(noise_std):
    ratings = generate_planted(noise_std=noise_std).ratings
    assert ratings["rating"].isin([0.5, 5.0]).mean() < 0.01
    assert ratings["expected"].between(0.5, 5, inclusive="neither").all()


def test_noise_can_be_switched_off():
    ratings = generate_planted(noise_std=0).ratings
    assert (ratings["rating"] == ratings["expected"]).all()


def test_more_ratings_show_more_of_the_same_world(planted):
    every_pair = generate_planted(n_ratings=1_000 * 500)
    pd.testing.assert_frame_equal(every_pair.users, planted.users)
    pd.testing.assert_frame_equal(every_pair.items, planted.items)
    both = planted.ratings.merge(every_pair.ratings, on=["user_id", "item_id"], validate="one_to_one")
    assert len(both) == len(planted.ratings)
    difference = both["expected_x"] - both["expected_y"]
    assert difference.abs().max() < 0.21, "the moment is drawn anew, and drift is at most 0.2 from end to end"


def test_popularity_follows_zipf(planted):
    counts = planted.ratings["item_id"].value_counts().to_numpy()  # descending
    rank = np.arange(1, len(counts) + 1)
    tail = rank >= 50
    slope = np.polyfit(np.log(rank[tail]), np.log(counts[tail]), 1)[0]
    assert -1.1 < slope < -0.8
    assert counts[0] > 0.9 * len(planted.users), "the head is full"


def test_every_user_has_a_history(planted):
    activity = planted.ratings["user_id"].value_counts()
    assert len(activity) == len(planted.users)
    assert activity.min() >= 10
    assert activity.max() > 10 * activity.min(), "some users rate far more than others"


def test_regions_and_categories_lie_on_a_wheel(joined):
    mean = joined.pivot_table("expected", "region", "category")  # (5, 10)
    fit = mean.sub(mean.mean(axis=1), axis=0) - mean.mean(axis=0) + mean.to_numpy().mean()
    wheel = np.cos(2 * np.pi * (np.arange(5)[:, None] / 5 - np.arange(10) / 10))
    assert np.corrcoef(fit.to_numpy().ravel(), wheel.ravel())[0, 1] > 0.95


def test_the_young_like_it_cheap_and_the_old_like_it_dear(joined):
    age, price, expected = joined["age"], joined["price"], joined["expected"]
    assert expected[(age < 30) & (price < 55)].mean() > expected[(age < 30) & (price > 150)].mean() + 0.4
    assert expected[(age > 52) & (price > 150)].mean() > expected[(age > 52) & (price < 55)].mean() + 0.4


def test_phones_look_for_bargains(joined):
    slope = [
        np.polyfit(rows["discount"], rows["expected"], 1)[0]
        for _, rows in joined.groupby("device")  # desktop, mobile, tablet
    ]
    assert slope[0] < slope[2] < slope[1]


def test_categories_drift_apart(joined):
    slopes = [np.polyfit(rows["time"], rows["expected"], 1)[0] for _, rows in joined.groupby("category")]
    assert np.corrcoef(slopes, CATEGORY_TREND)[0, 1] > 0.9
    np.testing.assert_allclose(CATEGORY_TREND, np.linspace(-0.2, 0.2, 10))


def test_gender_and_subcategory_have_no_effect(joined):
    for column in ("gender", "subcategory"):
        means = joined.groupby(column)["expected"].mean()
        assert means.max() - means.min() < 0.12, column  # the chance differences of 1,000 users and 500 items
