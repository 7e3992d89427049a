"""Intervals, and the one table in which models are compared: users are the unit, and every claim is corrected."""

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.special import ndtr, stdtrit

from recsys_utils.checks import check_columns, check_probability, check_scores
from recsys_utils.columns import USER_ID

DRAWS = 2_000_000  # numbers drawn at a time, which bounds the memory; it does not change the answer
BETTER, WORSE, CANNOT_TELL, RIVAL = "better", "worse", "cannot tell", "compared with"


def bootstrap_interval(
    values: np.ndarray, level: float = 0.95, resamples: int = 2000, seed: int = 1
) -> tuple[float, float]:
    """Find the percentile bootstrap interval of a mean (Efron and Tibshirani, 1993, ch. 13).

    Parameters
    ----------
    values : (n,) one finite number a user; for a paired comparison, the difference of two models
    level : share of resampled means inside the interval, in (0, 1)
    resamples : number of resamples, 1 or more
    seed : of the resampling

    Returns
    -------
    (low, high)

    Raises
    ------
    ValueError
        No value, a value that is not finite, a level outside (0, 1), fewer than one resample.
    """
    values = _check_values("values", values)
    check_probability("level", level)
    means = np.concatenate([counts @ values / len(values) for counts in _resample(len(values), resamples, seed)])
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def compare(
    values: Mapping[str, np.ndarray],
    against: str,
    *,
    lower_is_better: bool = False,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 1,
) -> pd.DataFrame:
    """Compare models with a rival: the difference of their means over users, its interval, and a verdict.

    Users are drawn with replacement, the same ones for every model, and so are the seeds of each model that has
    several. Intervals are percentiles of the differences. They are as wide as the Holm correction (1979) asks: if
    nothing differs, a table has a false verdict with a probability of at most 1 - level.

    Parameters
    ----------
    values : for each model (n_users,) finite numbers, or (n_seeds, n_users) for one that was trained with several
        seeds; users in the same order everywhere
    against : the model that the others are compared with, usually the strongest rival
    lower_is_better : for errors
    level : of the whole table, in (0, 1)
    resamples : number of resamples, 2,000 or more
    seed : of the resampling

    Returns
    -------
    DataFrame
        A row a model, in the order of `values`: model, mean, seed_spread (largest less smallest mean of a seed; NaN for
        one seed), difference (mean less the rival's), low, high, verdict ('better', 'worse', 'cannot tell').

    Raises
    ------
    ValueError
        A model of another length, a value that is not finite, an unknown rival, fewer than two models, two users or
        2,000 resamples.
    """
    matrices = _as_matrices(values)
    return _compare(matrices, None, lambda mean: mean, against, lower_is_better, level, resamples, seed)


def compare_rmse(
    predictions: Mapping[str, np.ndarray],
    test: pd.DataFrame,
    actual: str,
    against: str,
    *,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 1,
) -> pd.DataFrame:
    """Compare the RMSE of models as `compare` does, where a user brings all their test rows along.

    Parameters
    ----------
    predictions : for each model (n_test,) finite numbers, or (n_seeds, n_test), aligned with the rows of `test`
    test : DataFrame with user_id and the column `actual`
    actual : name of the column that was predicted
    against, level, resamples, seed : as for `compare`

    Returns
    -------
    DataFrame
        As `compare`, where a mean is the RMSE over rows, in the units of `actual`; lower is better.

    Raises
    ------
    ValueError
        As `compare`; a missing column.
    """
    check_columns("test", test, [USER_ID, actual])
    place, users = pd.factorize(test[USER_ID])
    truth, count = test[actual].to_numpy(float), np.bincount(place)
    sums = {}
    for model, matrix in _as_matrices(predictions).items():
        check_scores(model, matrix, (len(matrix), len(test)))
        sums[model] = np.stack([np.bincount(place, (row - truth) ** 2, len(users)) for row in matrix])
    return _compare(sums, count, np.sqrt, against, True, level, resamples, seed)


def compare_steps(
    predictions: Mapping[str, np.ndarray], test: pd.DataFrame, actual: str, *, level: float = 0.95, seed: int = 1
) -> pd.DataFrame:
    """Compare the RMSE of each model with that of the one before it: a ladder (lesson 07).

    Each of the n - 1 comparisons has the level 1 - (1 - level) / (n - 1) (Bonferroni), so that a table has a false
    verdict with a probability of at most 1 - level.

    Parameters
    ----------
    predictions, test, actual, level, seed : as for `compare_rmse`; the order of `predictions` is that of the ladder

    Returns
    -------
    DataFrame
        As `compare_rmse`: a row a model, where the difference is to the model above it. The first has none.

    Raises
    ------
    ValueError
        As `compare_rmse`.
    """
    check_probability("level", level)
    names = list(_as_matrices(predictions))
    each = 1 - (1 - level) / (len(names) - 1)
    rows = []
    for before, after in pairwise(names):
        pair = {name: predictions[name] for name in (before, after)}
        table = compare_rmse(pair, test, actual, against=before, level=each, seed=seed)
        rows += [table] if not rows else [table[1:]]
    return pd.concat(rows, ignore_index=True)


def _as_matrices(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Bring every model's values into the shape (n_seeds, n)."""
    if len(values) < 2:
        raise ValueError(f"values has {len(values)} models; expected two or more")
    matrices = {model: np.atleast_2d(np.asarray(value, float)) for model, value in values.items()}
    size = next(iter(matrices.values())).shape[-1]
    for model, matrix in matrices.items():
        if matrix.ndim != 2 or matrix.shape[1] != size or len(matrix) == 0:
            raise ValueError(
                f"{model} has the shape {np.shape(values[model])}; expected ({size},) or (n_seeds, {size})"
            )
        _check_values(model, matrix.ravel())
    return matrices


def _compare(
    sums: dict[str, np.ndarray],
    weights: np.ndarray | None,
    finish: Callable[[np.ndarray], np.ndarray],
    against: str,
    lower_is_better: bool,
    level: float,
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    """Compare finish(sum over users / weight of the users); `sums` are (n_seeds, n_users), `weights` default to 1."""
    if against not in sums:
        raise ValueError(f"against is {against!r}; expected one of {list(sums)}")
    check_probability("level", level)
    if resamples < 2000:
        raise ValueError(f"resamples is {resamples}; expected 2000 or more")
    n_users = sums[against].shape[1]
    if n_users < 2:
        raise ValueError(f"{against} has {n_users} user; expected two or more")
    weights = np.ones(n_users) if weights is None else weights
    by_seed = {model: finish(matrix.sum(axis=1) / weights.sum()) for model, matrix in sums.items()}
    drawn = {model: [] for model in sums}
    for counts in _resample(n_users, resamples, seed):
        total = (counts @ weights)[:, None]
        for model, matrix in sums.items():
            drawn[model].append(finish(counts @ matrix.T / total))  # (n_resamples, n_seeds)
    rng = np.random.default_rng(seed)
    means = {model: _draw_seeds(np.concatenate(parts), rng) for model, parts in drawn.items()}  # (resamples,) each
    others = [model for model in sums if model != against]
    gaps = {model: means[model] - means[against] for model in others}
    bounds = _holm_intervals(gaps, level, n_users)
    rows = []
    for model, of_seeds in by_seed.items():
        low, high = bounds.get(model, (np.nan, np.nan))
        spread = np.ptp(of_seeds) if len(of_seeds) > 1 else np.nan
        difference = of_seeds.mean() - by_seed[against].mean() if model != against else np.nan
        above, below = (WORSE, BETTER) if lower_is_better else (BETTER, WORSE)
        verdict = RIVAL if model == against else above if low > 0 else below if high < 0 else CANNOT_TELL
        rows.append((model, of_seeds.mean(), spread, difference, low, high, verdict))
    return pd.DataFrame(rows, columns=["model", "mean", "seed_spread", "difference", "low", "high", "verdict"])


def _draw_seeds(means: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Average over seeds drawn with replacement, anew in every resample; `means` is (resamples, n_seeds)."""
    n_seeds = means.shape[1]
    counts = rng.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), size=len(means))
    return (means * counts).sum(axis=1) / n_seeds


def _holm_intervals(gaps: dict[str, np.ndarray], level: float, n_users: int) -> dict[str, tuple[float, float]]:
    """Widen each interval as Holm's step-down asks, so that it is clear of zero just where Holm rejects.

    Percentiles are moved out twice: a bootstrap is too narrow by about 1 / n_users (Hesterberg, 2015, sec. 3.3), and a
    tail counted in so many resamples is uncertain by its standard error.
    """
    share = {model: min((gap <= 0).mean(), (gap >= 0).mean()) for model, gap in gaps.items()}  # half the p-value
    resamples = len(next(iter(gaps.values())))
    bounds, tail = {}, (1 - level) / 2
    stopped = None
    for place, model in enumerate(sorted(share, key=share.get)):
        at = stopped or tail / (len(gaps) - place)
        certain = at - np.sqrt(at * (1 - at) / resamples)
        moved = ndtr(np.sqrt(n_users / (n_users - 1)) * stdtrit(n_users - 1, certain))
        bounds[model] = tuple(float(bound) for bound in np.quantile(gaps[model], [moved, 1 - moved]))
        if not (bounds[model][0] > 0 or bounds[model][1] < 0):
            stopped = at
    return bounds


def _resample(n: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Draw how often each of n users is in each resample; yields (some resamples, n), all of them together."""
    if resamples < 1:
        raise ValueError(f"resamples is {resamples}; expected 1 or more")
    rng = np.random.default_rng(seed)
    at_once = max(1, DRAWS // n)
    for start in range(0, resamples, at_once):
        yield rng.multinomial(n, np.full(n, 1 / n), size=min(at_once, resamples - start))


def _check_values(name: str, values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, float)
    if values.size == 0:
        raise ValueError(f"{name} is empty; expected at least one number")
    check_scores(name, values, (len(values),))
    if not np.isfinite(values).all():
        raise ValueError(f"{name} has {values[~np.isfinite(values)][0]}; expected finite numbers")
    return values
