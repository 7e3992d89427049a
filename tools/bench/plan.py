"""Say how much is measured, and measure it, one process after the other."""

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from run import machine

from bench import history, processes, quality, speed
from bench.editions import EMBEDDED, load_edition, what_is_missing
from bench.evaluation import evaluation
from bench.neighbours import similarity
from bench.ratios import ratios
from bench.sequence_plan import measure_sequences
from bench.size import COSTS, size, slope
from recsys_utils.datasets.movielens import EDITIONS


class Plan(NamedTuple):
    """How much is measured."""

    runs: int  # of everything that is timed; tables show the median
    seeds: int  # trainings of each two-tower that ranks
    users: int | None  # the first so many of each edition; None for all
    loop_rows: int  # of the double loop
    sizes: tuple[int, ...]  # interactions to train on
    evaluations: tuple[tuple[int, int], ...]  # users and items to rank
    thorough: bool  # also other encoders, the parts of the history tower, and the recipe at that tower's width


FULL = Plan(
    runs=3,
    seeds=3,
    users=None,
    loop_rows=200,
    sizes=(100_000, 1_000_000, 10_000_000),
    evaluations=((671, 9_066), (138_000, 27_000)),
    thorough=True,
)


QUICK = Plan(
    runs=1, seeds=1, users=60, loop_rows=50, sizes=(20_000, 200_000), evaluations=((671, 9_066),), thorough=False
)


def benchmark(plan: Plan, measure: Callable[..., dict] = processes.measure) -> Iterator[dict]:
    """Measure everything that the plan asks for; yield the report, and again after the hour of the sequences."""
    start = time.perf_counter()
    editions, by_user = [], {}
    for name in (EMBEDDED, *EDITIONS):
        missing = what_is_missing(name)
        editions.append({"edition": name, "missing": missing, "ratings": None, "rows": []})
        if missing:
            continue
        here = name == EMBEDDED
        editions[-1]["ratings"] = len(load_edition(name, plan.users).ratings)
        parts = [quality.rating_baselines, quality.ranking_baselines, quality.lesson_07]
        measured = [measure(part, name, plan.users) for part in parts]
        parts = [quality.lesson_11, quality.lesson_14]
        measured += [measure(part, name, plan.users, plan.seeds if here else 1) for part in parts]
        editions[-1]["rows"] = [row for part in measured for row in part["rows"]]
        if here:
            by_user = {model: metrics for part in measured for model, metrics in part["by_user"].items()}
    report = {"machine": machine(), "quick": plan != FULL, "plan": plan._asdict(), "editions": editions}
    if plan.thorough:
        report |= measure(history.encoders, EMBEDDED, plan.users) | measure(history.ablation, EMBEDDED, plan.users)
    widths = speed.WIDTHS if plan.thorough else speed.WIDTHS[:1]
    speeds = measure(speed.lesson_11, plan.users, plan.runs)["speeds"]
    for part in (speed.lesson_14, speed.tutorial):
        speeds += [row for width in widths for row in measure(part, width, plan.users, plan.runs)["speeds"]]
    report["speeds"] = speeds
    report["similarity"] = measure(similarity, plan.loop_rows, plan.runs)
    report["sizes"] = [measure(size, interactions, plan.runs) for interactions in plan.sizes]
    report["slopes"] = {cost: slope(report["sizes"], cost) for cost in COSTS}
    report["evaluations"] = [measure(evaluation, *shape) for shape in plan.evaluations]
    report["ratios"] = ratios(report, by_user)
    report["minutes"] = (time.perf_counter() - start) / 60
    yield report
    if plan.thorough:
        report["sequences"] = measure_sequences(measure=measure)
        report["minutes"] = (time.perf_counter() - start) / 60
        yield report
