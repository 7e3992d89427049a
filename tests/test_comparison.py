"""Bootstrap intervals."""

from math import sqrt

import numpy as np
import pytest

from recsys_utils.comparison import bootstrap_interval


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
