"""Compare the best two-tower with the baselines, the lessons' speed with the tutorial's, blocks with the loop."""

import itertools

import numpy as np

from bench.speed import METRICS_OFF, PUBLISHED
from recsys_utils.comparison import bootstrap_interval

# Rivals that the best two-tower is compared with, strongest first.
TARGETS = ("item to next item, tuned", "EASE that fades, tuned", "EASE, tuned", "iALS, tuned")


def ratios(report: dict, by_user: dict[str, dict]) -> list[dict]:
    """Compare the best two-tower with the baselines, the lessons' speed with the tutorial's, blocks with the loop."""

    def ratio(what, value, low=None, high=None):
        return {"what": what, "ratio": value, "low": low, "high": high}

    rows = [
        row for row in report["editions"][0]["rows"] if row["kind"] == "two-tower" and row["ndcg_at_10"] is not None
    ]
    best = max(rows, key=lambda row: row["ndcg_at_10"])["model"]
    compared = []
    for metric, other in itertools.product(("ndcg", "recall"), TARGETS):
        ours, theirs = (np.array(by_user[model][metric]) for model in (best, other))
        name = {"ndcg": "NDCG@10", "recall": "Recall@10"}[metric]
        bounds = (1 + bound / theirs.mean() for bound in bootstrap_interval(ours - theirs))
        compared.append(ratio(f"{name}: {best} / {other}", ours.mean() / theirs.mean(), *bounds))
    speed = {(row["pipeline"], row["width"]): row for row in report["speeds"]}
    for lesson, width in (key for key in speed if key[0].startswith("lesson") and (METRICS_OFF, key[1]) in speed):
        ours, at = speed[lesson, width], f"vectors of {width}"
        for other in (name for name in (PUBLISHED, METRICS_OFF) if (name, width) in speed):
            value = ours["examples_per_second"] / speed[other, width]["examples_per_second"]
            compared.append(ratio(f"training examples a second, {at}: {lesson} / {other}", value))
        value = speed[METRICS_OFF, width]["evaluate_seconds"] / ours["evaluate_seconds"]
        compared.append(ratio(f"speed of evaluation, {at}: {lesson} / TFRS tutorial", value))
    near = report["similarity"]
    value = near["loop_seconds_extrapolated"] / near["blocks_seconds"]
    compared.append(ratio("speed of all-pairs similarity: blocks / double loop (extrapolated)", value))
    return compared
