"""Bootstrap intervals, and the table that compares models."""

from math import sqrt

import numpy as np
import pandas as pd
import pytest

from recsys_utils import comparison
from recsys_utils.columns import RATING, USER_ID
from recsys_utils.comparison import bootstrap_interval, compare, compare_rmse
from recsys_utils.metrics import rmse


def test_bootstrap_interval_of_known_samples():
    assert bootstrap_interval(np.full(50, 0.25)) == pytest.approx((0.25, 0.25))
    values = np.random.default_rng(0).normal(3, 2, size=200)
    low, high = bootstrap_interval(values, resamples=20_000)
    half = 1.96 * values.std() / sqrt(200)  # what the central limit theorem says
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.05 * half)
    low, high = bootstrap_interval(values)
    assert bootstrap_interval(values) == (low, high), "the same seed gives the same interval"
    assert bootstrap_interval(values, seed=2) != (low, high)
    narrow = bootstrap_interval(values, level=0.5)
    assert low < narrow[0] < values.mean() < narrow[1] < high


def test_bootstrap_interval_holds_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(0)
    held = 0
    for seed in range(300):
        low, high = bootstrap_interval(rng.exponential(size=100), level=0.9, resamples=300, seed=seed)
        held += low <= 1 <= high
    assert 0.83 < held / 300 < 0.95  # 90 %, a little less on a skewed sample of 100; standard error 1.7 points


def test_bootstrap_interval_refuses_bad_input():
    with pytest.raises(ValueError, match=r"level is 95; expected a number above 0 and below 1"):
        bootstrap_interval([1, 2], level=95)
    with pytest.raises(ValueError, match=r"values has 1 NaN, the first at \(1,\); expected numbers"):
        bootstrap_interval([1, np.nan])
    with pytest.raises(ValueError, match="values is empty; expected at least one number"):
        bootstrap_interval([])
    with pytest.raises(ValueError, match=r"values has the shape \(2, 2\); expected \(2,\)"):
        bootstrap_interval(np.ones((2, 2)))
    for values in ([1, np.inf], [-np.inf, 1]):
        with pytest.raises(ValueError, match=r"values has -?inf; expected finite numbers"):
            bootstrap_interval(values)
    with pytest.raises(ValueError, match="resamples is 0; expected 1 or more"):
        bootstrap_interval([1, 2], resamples=0)


def test_size_of_the_blocks_does_not_change_an_interval(monkeypatch):
    values = np.random.default_rng(0).normal(size=50)
    whole = bootstrap_interval(values)
    monkeypatch.setattr(comparison, "DRAWS", 777)
    assert bootstrap_interval(values) == whole


# --- comparisons ----------------------------------------------------------------------------------------------------


def ndcg_like(rng, n_users):
    """Many zeros, the rest skewed, as NDCG by user is."""
    return rng.beta(0.4, 2, size=n_users) * (rng.random(n_users) < 0.5)


@pytest.mark.parametrize(("n_others", "n_seeds"), [(1, 1), (5, 1), (5, 3)])
def test_a_table_without_differences_is_wrong_less_often_than_it_says(n_others, n_seeds):
    false, tables = 0, 300
    for table in range(tables):
        rng = np.random.default_rng(table)
        base = ndcg_like(rng, 80)
        values = {}
        for model in range(n_others + 1):  # as good as the others on average: for every user, and with every seed
            of_seed = rng.normal(0, 0.01, size=(n_seeds, 1)) if n_seeds > 1 else 0
            values[f"model {model}"] = base + of_seed + rng.normal(0, 0.08, size=(n_seeds, 80))
        rows = compare(values, "model 0", resamples=2000, seed=table)
        false += rows["verdict"].isin(["better", "worse"]).any()
    print(f"{n_others} comparisons, {n_seeds} seeds: {false / tables:.1%} false tables")
    assert false / tables < 0.05


def test_real_differences_are_found_and_named():
    rng = np.random.default_rng(1)
    base = ndcg_like(rng, 500)
    values = {
        "up": base + 0.05 + rng.normal(0, 0.1, size=500),
        "rival": base,
        "down": base - 0.05 + rng.normal(0, 0.1, size=500),
        "same": base + rng.normal(0, 0.1, size=500),
    }
    rows = compare(values, "rival").set_index("model")
    assert rows["verdict"].to_dict() == {
        "up": "better",
        "rival": "compared with",
        "down": "worse",
        "same": "cannot tell",
    }
    assert rows.loc["up", "mean"] == pytest.approx(values["up"].mean())
    assert rows.loc["up", "difference"] == pytest.approx((values["up"] - base).mean())
    assert rows.loc["up", "low"] < rows.loc["up", "difference"] < rows.loc["up", "high"]
    assert rows.loc["rival", ["difference", "low", "high"]].isna().all() and rows["seed_spread"].isna().all()
    errors = compare(values, "rival", lower_is_better=True).set_index("model")
    assert errors.loc["up", "verdict"] == "worse" and errors.loc["down", "verdict"] == "better"


def test_interval_of_one_comparison_is_that_of_the_paired_difference():
    rng = np.random.default_rng(2)
    first, second = rng.normal(size=400), rng.normal(size=400)
    row = compare({"a": first, "b": second}, "b").iloc[0]
    assert (row["low"], row["high"]) == pytest.approx(bootstrap_interval(first - second, resamples=10_000), abs=5e-3)


def test_more_comparisons_ask_for_wider_intervals():
    rng = np.random.default_rng(3)
    base = rng.normal(size=300)
    noise = rng.normal(0, 0.18, size=300)
    doubtful = base + noise - noise.mean() + 2.5 * noise.std() / sqrt(300)  # clear of zero alone, and not among ten
    alone = compare({"rival": base, "doubtful": doubtful}, "rival").iloc[1]
    others = {f"noise {i}": base + rng.normal(0, 0.18, size=300) for i in range(9)}
    among = compare({"rival": base, "doubtful": doubtful, **others}, "rival").iloc[1]
    assert alone["verdict"] == "better" and among["verdict"] == "cannot tell"
    assert among["low"] < 0 < alone["low"] and among["difference"] == alone["difference"]


def test_seeds_that_disagree_widen_the_interval_and_show_their_spread():
    rng = np.random.default_rng(4)
    base = rng.normal(size=300)
    steady = base + 0.05 + rng.normal(0, 0.2, size=(3, 300))
    shaky = steady + np.array([[-0.1], [0.0], [0.1]])
    rows = compare({"rival": base, "steady": steady, "shaky": shaky}, "rival").set_index("model")
    assert rows.loc["shaky", "seed_spread"] == pytest.approx(np.ptp(shaky.mean(axis=1)))
    assert rows.loc["shaky", "mean"] == pytest.approx(rows.loc["steady", "mean"])
    assert rows.loc["steady", "verdict"] == "better" and rows.loc["shaky", "verdict"] == "cannot tell"


def test_rmse_is_over_rows_and_its_unit_is_the_user():
    rng = np.random.default_rng(5)
    user = np.concatenate([np.zeros(900, int), np.arange(1, 101)])  # one user gives nine tenths of the rows
    test = pd.DataFrame({USER_ID: user, RATING: rng.normal(3, 1, size=1000)})
    off = np.where(user == 0, 0.9, 1.0)  # better for that user alone
    predictions = {"rival": test[RATING].to_numpy() + 1, "busy": test[RATING].to_numpy() + off}
    rows = compare_rmse(predictions, test, RATING, "rival").set_index("model")
    assert rows.loc["busy", "mean"] == pytest.approx(rmse(test[RATING], predictions["busy"]))
    assert rows.loc["busy", "difference"] < -0.05 and rows.loc["busy", "verdict"] == "cannot tell"
    spread = {"rival": predictions["rival"], "all": test[RATING].to_numpy() + 0.95}
    assert compare_rmse(spread, test, RATING, "rival")["verdict"].tolist() == ["compared with", "better"]


def test_comparisons_refuse_bad_input():
    good = {"a": np.ones(5), "b": np.zeros(5)}
    for values, options, message in [
        ({"a": np.ones(5)}, {}, "values has 1 models; expected two or more"),
        (good, {"against": "c"}, r"against is 'c'; expected one of \['a', 'b'\]"),
        ({"a": np.ones(5), "b": np.ones(4)}, {}, r"b has the shape \(4,\); expected \(5,\) or \(n_seeds, 5\)"),
        ({"a": np.ones(5), "b": np.array([0, 0, np.inf, 0, 0])}, {}, "b has inf; expected finite numbers"),
        ({"a": np.ones(5), "b": np.array([0, 0, np.nan, 0, 0])}, {}, "b has 1 NaN"),
        ({"a": np.ones(1), "b": np.zeros(1)}, {}, "a has 1 user; expected two or more"),
        (good, {"resamples": 100}, "resamples is 100; expected 2000 or more"),
        (good, {"level": 95}, "level is 95; expected a number above 0 and below 1"),
    ]:
        with pytest.raises(ValueError, match=message):
            compare(values, **{"against": "a", **options})
    test = pd.DataFrame({USER_ID: [1, 1, 2], RATING: [1.0, 2.0, 3.0]})
    with pytest.raises(ValueError, match="test lacks the column 'stars'"):
        compare_rmse({"a": np.ones(3), "b": np.ones(3)}, test, "stars", "a")
    with pytest.raises(ValueError, match=r"a has the shape \(1, 2\); expected \(1, 3\)"):
        compare_rmse({"a": np.ones(2), "b": np.ones(2)}, test, RATING, "a")


# --- compare_steps ----------------------------------------------------------------------------------------------------


def test_steps_are_the_pairs_of_neighbours_at_a_stricter_level():
    rng = np.random.default_rng(1)
    test = pd.DataFrame({"user_id": np.repeat(np.arange(50), 8), "rating": rng.normal(size=400)})
    models = {
        name: test["rating"] + rng.normal(0, noise, 400) for name, noise in zip("abc", (1.0, 0.5, 0.5), strict=True)
    }
    table = comparison.compare_steps(models, test, "rating")
    assert table["model"].tolist() == ["a", "b", "c"]
    assert table["verdict"].tolist() == ["compared with", "better", "cannot tell"]
    for place, (before, after) in enumerate((("a", "b"), ("b", "c")), 1):
        pair = comparison.compare_rmse(
            {one: models[one] for one in (before, after)}, test, "rating", before, level=0.975
        )
        pd.testing.assert_series_equal(table.loc[place], pair.loc[1], check_names=False)


def test_steps_refuse_a_single_model():
    test = pd.DataFrame({"user_id": [1, 2], "rating": [1.0, 2.0]})
    with pytest.raises(ValueError, match="expected two or more"):
        comparison.compare_steps({"a": np.ones(2)}, test, "rating")
