"""Intervals and comparisons: users are the unit."""

import numpy as np

from recsys_utils.checks import check_probability, check_scores


def bootstrap_interval(
    values: np.ndarray, level: float = 0.95, resamples: int = 2000, seed: int = 1
) -> tuple[float, float]:
    """Find the percentile bootstrap interval of a mean (Efron and Tibshirani, 1993, ch. 13).

    Parameters
    ----------
    values : (n,) one number a user; for a paired comparison, the difference of two models
    level : share of resampled means inside the interval, in (0, 1)
    resamples : number of resamples
    seed : of the resampling

    Returns
    -------
    (low, high)
    """
    values = np.asarray(values, float)
    if values.size == 0:
        raise ValueError("values is empty; expected at least one number")
    check_probability("level", level)
    check_scores("values", values, (len(values),))
    counts = np.random.default_rng(seed).multinomial(len(values), np.full(len(values), 1 / len(values)), size=resamples)
    means = counts @ values / len(values)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
