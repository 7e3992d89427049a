"""Tune every baseline and write data/tuned_baselines.json: the settings, and all that was tried for them.

Settings are chosen on validation parts alone, cut from the training parts as the test was cut from everything; those
for new users and movies, of the towers of lesson 15 too, on three folds of the users and movies outside the test. Each
rival's search starts with a coarse grid (and the library's defaults) and then walks: the neighbours of the best on
every axis are tried until none is better. So the best lies inside what was tried, or at an axis' natural end. When all
is chosen, each rival is fitted to its whole training part and meets the test. What was tried is kept in
build/tune.jsonl until the search is complete: start again after Ctrl-C, and it goes on.
"""

import argparse
import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from recsys_utils.baselines import predict_with_surprise, predict_with_trees, rank, rank_likes, rating_model
from recsys_utils.columns import RATING
from recsys_utils.comparison import bootstrap_interval
from recsys_utils.datasets.movielens import load_movielens
from recsys_utils.datasets.social import LikesTask, cut_world, generate_social, lay_out
from recsys_utils.datasets.synthetic import CATEGORICAL, load_synthetic
from recsys_utils.lessons import run_lesson
from recsys_utils.metrics import RankingTask, evaluate_ranking, mae, make_ranking_task, rmse
from recsys_utils.splits import Split, split_by_time, split_random

ROOT = Path(__file__).parent.parent
RESULT = ROOT / "data" / "tuned_baselines.json"
TRIED = ROOT / "build" / "tune.jsonl"
SPLITTERS = {
    "random": split_random,
    "by time": split_by_time,
    "ranking": split_by_time,
    "ablations": split_by_time,
    "noise": split_random,
    "planted": split_random,
}
WORLDS = ("noise", "planted")  # the tables on synthetic data; the others are on MovieLens, and likes on the social app
COLD = ("cold users", "new movies")  # the tables of lesson 15, on MovieLens
RANKINGS = ("ranking", "ablations", "likes", *COLD)  # the tables of rankings: a higher score is better
LIKES_CUTS = (38, 48, 60)  # days: validation begins, the test begins, the end
SEEDS = (1, 2, 3)
LIBRARIES = (
    "scikit-surprise", "implicit", "scikit-learn", "numpy", "tensorflow", "tf-keras", "tensorflow-recommenders",
)  # fmt: skip
FOLDS = (0, 1, 2)  # of lesson 15's users
DIGITS = 5  # of a score; what is level up to here is level


# --- what is searched -------------------------------------------------------------------------------------------------


class Axis(NamedTuple):
    """The values that a setting may take."""

    values: list  # in order; the search steps to neighbours
    coarse: list  # those of the first grid
    default: Any  # what the library, or the formula as published, has
    ends: dict = {}  # noqa: RUF012 value at an end of `values`: why there is nothing beyond


class Rival(NamedTuple):
    axes: dict[str, Axis]  # a name 'a.b' stands for the entry b of the setting a, a dict
    seed: str = ""  # the setting that seeds it, if chance plays a part
    fixed: dict = {}  # noqa: RUF012 settings that are not searched


COUNT = {1: "the smallest whole number"}
POWERS = [round(0.1 * step, 1) for step in range(11)]
NO_POWER = {0.0: "no discount", 1.0: "a full discount"}
SHRINKAGE = Axis(
    [0, 5, 10, 20, 30, 50, 70, 100, 150, 200, 300, 400, 600, 800, 1200, 2000, 3000, 5000, 8000, 12000],
    [20, 100],
    100,
    {0: "no shrinkage"},
)
REG_U = Axis([0, 0.5, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 50], [3, 8], 15, {0: "no shrinkage"})
REG_I = Axis([0, 0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 7, 10, 15, 20, 30, 50], [1, 3], 10, {0: "no shrinkage"})
NEIGHBOURS = {
    "k": Axis([5, 10, 15, 20, 30, 40, 60, 80, 120, 160, 240, 320, 480], [20, 60], 40),
    "min_k": Axis([1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50], [3, 12], 1, COUNT),
    "sim_options.shrinkage": SHRINKAGE,
    "bsl_options.reg_u": REG_U._replace(coarse=[5]),
    "bsl_options.reg_i": REG_I._replace(coarse=[2.5]),
}
RATING_GRIDS = {
    "biases": Rival(
        {
            "bsl_options.n_epochs": Axis([1, 2, 3, 5, 7, 10, 15, 20, 40, 80], [5, 20], 10, COUNT),
            "bsl_options.reg_u": REG_U,
            "bsl_options.reg_i": REG_I,
        }
    ),
    "user CF": Rival(NEIGHBOURS),
    "item CF": Rival(NEIGHBOURS),
    "SVD": Rival(
        {
            "n_factors": Axis([2, 3, 5, 8, 12, 25, 50, 100, 200, 400, 800, 1600], [50, 200], 100),
            "n_epochs": Axis([10, 20, 40, 60, 80, 120, 160, 240, 320, 480, 640, 960, 1280, 1920, 2560], [20, 60], 20),
            "lr_all": Axis([0.001, 0.002, 0.003, 0.005, 0.007, 0.01, 0.015, 0.02, 0.03], [0.005, 0.01], 0.005),
            "reg_all": Axis([0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2], [0.06, 0.1], 0.02),
        },
        seed="random_state",
    ),
    "SVD++": Rival(
        {
            "n_factors": Axis([1, 2, 5, 10, 20, 40, 80], [5, 20], 20, COUNT | {80: "a fit takes two minutes"}),
            "n_epochs": Axis([5, 10, 15, 20, 30, 40, 60, 80, 120], [20, 40], 20, {120: "a fit takes four minutes"}),
            "lr_all": Axis([0.002, 0.003, 0.005, 0.007, 0.01, 0.015, 0.02], [0.005, 0.01], 0.007),
            "reg_all": Axis([0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.15], [0.04, 0.1], 0.02),
        },
        seed="random_state",
    ),
}
# On ratings that depend on nothing the best prediction is the mean: the axes go on until a model is as good as that.
MEAN = "as good as the mean"
NOISE_REG_U = Axis([0, 1, 3, 5, 10, 15, 30, 100, 300, 1000, 3000, 10000], [30, 300], REG_U.default, {10000: MEAN})
NOISE_REG_I = NOISE_REG_U._replace(default=REG_I.default)
NOISE_NEIGHBOURS = {
    "k": NEIGHBOURS["k"],
    "min_k": Axis([1, 3, 5, 8, 12, 20, 30, 50], [8, 20], 1, COUNT | {50: "nobody has as many"}),
    "sim_options.shrinkage": SHRINKAGE,
    "bsl_options.reg_u": NOISE_REG_U._replace(coarse=[300]),
    "bsl_options.reg_i": NOISE_REG_I._replace(coarse=[300]),
}
NOISE_FACTORS = {
    "n_factors": Axis([1, 2, 5, 10, 20, 50, 100, 200], [5, 20], 100, COUNT),
    "n_epochs": Axis([1, 2, 5, 10, 20, 40, 60, 80], [5, 20], 20, COUNT),
    "lr_all": Axis(
        [0.00001, 0.00003, 0.0001, 0.0003, 0.001, 0.002, 0.005, 0.007, 0.01], [0.001], 0.005, {0.00001: MEAN}
    ),
    "reg_all": Axis([0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10], [0.1, 1], 0.02, {10: MEAN}),
}
NOISE_GRIDS = {
    "biases": Rival(
        {
            "bsl_options.n_epochs": Axis([1, 2, 3, 5, 10, 20, 40], [5, 10], 10, COUNT),
            "bsl_options.reg_u": NOISE_REG_U,
            "bsl_options.reg_i": NOISE_REG_I,
        }
    ),
    "user CF": Rival(NOISE_NEIGHBOURS),
    "item CF": Rival(NOISE_NEIGHBOURS),
    "SVD": Rival(NOISE_FACTORS, seed="random_state"),
    "SVD++": Rival(
        NOISE_FACTORS
        | {name: NOISE_FACTORS[name]._replace(default=value) for name, value in (("n_factors", 20), ("lr_all", 0.007))},
        seed="random_state",
    ),
}
# The planted world has few ratings and few factors, so SVD++ is quick there and its axes need no early end.
SVDPP = RATING_GRIDS["SVD++"].axes
PLANTED_SVDPP = SVDPP | {
    "n_factors": SVDPP["n_factors"]._replace(ends=COUNT),
    "n_epochs": Axis(
        [5, 10, 15, 20, 30, 40, 60, 80, 120, 160, 240, 320, 480, 640, 960],
        [20, 40],
        20,
        {960: "a fit takes twenty seconds"},
    ),
    "lr_all": SVDPP["lr_all"]._replace(values=[*SVDPP["lr_all"].values, 0.03]),
}
# Trees read features, which the planted world alone has. The rate, leaves and rounds of the default are scikit-learn's.
TREES = Rival(
    {
        "first": Axis(
            ["biases", "trees"], ["biases", "trees"], "biases", {"biases": "there are two", "trees": "there are two"}
        ),
        "leaves": Axis([2, 3, 4, 6, 8, 12, 16, 31, 63], [3, 8], 31, {2: "no tree has fewer"}),
        "rate": Axis([0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6], [0.1], 0.1),
        "rounds": Axis([50, 100, 200, 400, 800, 1200, 1600, 2400, 3200, 4800], [400, 1600], 100),
        "penalty": Axis([0, 2, 5, 8, 10, 15, 20, 30, 50], [15], 15, {0: "no shrinkage"}),
    }
)
PLANTED_GRIDS = RATING_GRIDS | {"SVD++": Rival(PLANTED_SVDPP, seed="random_state"), "boosted trees": TREES}
STRENGTH = [10, 25, 50, 100, 150, 200, 300, 400, 500, 700, 1000, 1500, 2000, 3000, 5000]
FADE = [0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0, 1.125, 1.25, 1.5, 2.0]
RANKING_GRIDS = {
    "most popular": Rival({}),
    "recently popular": Rival(
        {
            "half_life": Axis(
                [7, 15, 30, 60, 90, 120, 180, 270, 365, 550, 730, 1100, 1460, 2200],
                [30, 90, 180, 365, 730, 1460],
                365,
            ),
            "later_too": Axis([False, True], [False, True], False, {False: "there are two", True: "there are two"}),
        }
    ),
    "EASE": Rival({"strength": Axis(STRENGTH, STRENGTH, 500)}),
    "EASE that fades": Rival(
        {
            "strength": Axis(STRENGTH, [100, 300, 1000], 500),
            "power": Axis(FADE, [0.25, 0.5, 0.75, 1.0], 0.5, {0.0: "all count the same"}),
        }
    ),
    "item to next item": Rival(
        {
            "distance_power": Axis(FADE, [0.5, 0.75], 0.5, {0.0: "near and far count the same"}),
            "window": Axis([5, 10, 20, 50, 100, 200, 400, 800, 1600], [100, 200], 200),
            "history_power": Axis(POWERS, [0.4, 0.6], 0.5, NO_POWER),
            "item_power": Axis(POWERS, [0.3, 0.5], 0.3, NO_POWER),
            "power": Axis(FADE, [0.75, 1.0], 0.75, {0.0: "all count the same"}),
        }
    ),
    "item CF": Rival(
        {
            "history_power": Axis(POWERS, [0.3, 0.5], 0.5, NO_POWER),
            "item_power": Axis(POWERS, [0.4, 0.5], 0.5, NO_POWER),
            "shrinkage": Axis([0, 1, 2, 3, 5, 7, 10, 15, 20, 30, 50], [0, 5], 0, {0: "no shrinkage"}),
            "neighbours": Axis(
                [20, 50, 100, 200, 300, 400, 600, 800, 1200, 1600, None], [200, 600], None, {None: "all items"}
            ),
        }
    ),
    "iALS": Rival(
        {
            "factors": Axis([4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384], [32, 64, 128], 64),
            "regularization": Axis([0.1, 0.3, 1, 3, 5, 10, 15, 20, 30, 50, 70, 100, 150, 200], [10, 30, 100], 10),
            "alpha": Axis([0.3, 0.5, 1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 40], [1, 3, 10], 1),
            "iterations": Axis([2, 3, 5, 7, 10, 15, 20, 30, 50], [15], 15),
        },
        seed="seed",
    ),
    "BPR": Rival(
        {
            "factors": Axis([4, 8, 16, 32, 64, 128, 256], [32, 64], 32),
            "iterations": Axis([12, 25, 50, 75, 100, 150, 200, 300, 400, 600], [50, 150], 50),
            "learning_rate": Axis([0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.12], [0.01, 0.03], 0.02),
            "regularization": Axis([0.001, 0.003, 0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2], [0.01, 0.05], 0.03),
        },
        seed="seed",
    ),
}
# Item to next item without its direction, or without the fading of the history (lesson 03): each with its own search.
NEXT = RANKING_GRIDS["item to next item"].axes | {
    "distance_power": Axis(FADE, [0.25, 0.5], 0.5, {0.0: "near and far count the same"}),
    "window": Axis([5, 10, 20, 50, 100, 200, 400, 800, 1600], [200], 200),
}
ABLATION_GRIDS = {
    "without direction": Rival(NEXT, fixed={"both_ways": True}),
    "without fading": Rival({name: axis for name, axis in NEXT.items() if name != "power"}, fixed={"power": 0.0}),
}
# What a view without a like counts in a history where a like counts 1.
PASSED = {"passed": Axis([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0], [0.0, 0.3], 0.0, {0.0: "likes alone"})}
LIKES_IALS = {
    "factors": Axis([2, 4, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96], [8, 16], 64),
    "regularization": Axis([1, 3, 5, 7, 10, 15, 20, 30, 40, 60, 80, 120, 160, 240], [10, 40], 10),
    "alpha": Axis([0.3, 0.5, 1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 40, 60], [3, 10], 1),
    "iterations": Axis([2, 3, 5, 7, 10, 15, 20, 30, 50, 80], [15], 15),
}
WEIGHT = Axis([0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0], [1.0], 1.0, {0.0: "no features"})
LIKES_GRIDS = {
    "most popular": Rival({}),
    "most popular in country and language": Rival({}),
    "item CF": Rival(RANKING_GRIDS["item CF"].axes | PASSED),
    "EASE": Rival({"strength": Axis(STRENGTH, [50, 100, 200, 400, 1000], 500)} | PASSED),
    "EASE with features": Rival(
        {"strength": Axis(STRENGTH, [50, 100, 200, 400, 1000], 500)}
        | PASSED
        | {"user_weight": WEIGHT, "post_weight": WEIGHT}
    ),
    "iALS": Rival(LIKES_IALS | PASSED, seed="seed"),
    "iALS with features": Rival(LIKES_IALS | PASSED | {"user_weight": WEIGHT, "post_weight": WEIGHT}, seed="seed"),
}
# Lesson 15: rivals that learn from the first movies of lives alone, or from whole ones; and towers.
FIRST = {
    "first": Axis(
        [5, 10, 15, 20, 25, 35, 50, 100, 200, 10_000], [20, 10_000], 10_000, {5: "the question", 10_000: "whole lives"}
    )
}
COLD_POWER = Axis(FADE, [0.5, 1.0], 0.0, {0.0: "all count the same"})
COLD_STRENGTH = Axis([30, 100, 200, 500, 1000, 2000, 3000, 5000, 10_000, 20_000, 50_000, 100_000], [500, 3000], 500)
COLD_IALS = {
    "factors": Axis([1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128], [8, 32], 64, COUNT),
    "regularization": Axis([0.01, 0.03, 0.1, 0.3, 1, 2, 3, 5, 10, 20, 30, 50, 100], [3, 10], 10),
}
TOWER = {
    "batch": Axis([4, 8, 16, 32, 64, 128, 256], [16], 64),
    "epochs": Axis([3, 4, 6, 8, 10, 12, 16, 20, 24, 32], [16], 16),
    "rate": Axis([0.025, 0.035, 0.05, 0.07, 0.1, 0.14, 0.2, 0.28], [0.07], 0.1),
    "dropout": Axis([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8], [0.4], 0.5, {0.0: "nothing is left out"}),
}
TITLES = Axis([0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0], [0.3, 1.0], 1.0, {0.0: "no titles"})
COLD_GRIDS = {
    "recently popular": Rival(
        FIRST
        | {"half_life": Axis([15, 30, 60, 90, 120, 180, 270, 365, 550, 730, 1100, 1460, 2200], [90, 365, 1460], 365)}
    ),
    "iALS": Rival(FIRST | COLD_IALS | {"alpha": Axis([0.1, 0.3, 0.5, 1, 2, 3, 5, 10, 20], [1], 1)}, seed="seed"),
    "EASE": Rival(FIRST | {"strength": COLD_STRENGTH, "power": COLD_POWER}),
    "EASE with features": Rival(FIRST | {"strength": COLD_STRENGTH, "power": COLD_POWER, "feature_weight": WEIGHT}),
    "item to next item": Rival(
        FIRST
        | {
            "distance_power": Axis(FADE, [0.5], 0.5, {0.0: "near and far count the same"}),
            "window": Axis([5, 10, 20, 50, 100, 200, 400, 800], [200], 200),
            "history_power": Axis(POWERS, [0.3], 0.5, NO_POWER),
            "item_power": Axis(POWERS, [0.1], 0.3, NO_POWER),
            "power": COLD_POWER,
        }
    ),
    "history tower": Rival(TOWER, seed="seed"),
}
NEW_TOWER = {
    "epochs": Axis([2, 3, 4, 6, 8, 12, 16], [6], 6),
    "hide": Axis([0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0], [0.8, 0.9], 0.0, {0.0: "nothing", 1.0: "everything"}),
}
LATER = {"until": 120, "batch": 32}  # movies of a life, and windows of a step
NEW_GRIDS = {
    "content neighbours": Rival(
        {
            "text_weight": TITLES._replace(coarse=[0.0, 0.3, 1.0, 3.0]),
            "power": Axis(FADE, [0.0, 0.5, 1.0], 0.0, {0.0: "all count the same"}),
        }
    ),
    "popular by features": Rival(
        {
            "text_weight": TITLES._replace(coarse=[0.0, 0.3, 1.0, 3.0]),
            "penalty": Axis([0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000], [0.1, 1, 10, 100], 1),
        }
    ),
    "iALS by features": Rival(
        {
            "text_weight": TITLES,
            "penalty": Axis([0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300], [0.1, 1], 1),
        }
        | COLD_IALS,
        seed="seed",
    ),
    "EASE with features": Rival(
        {"text_weight": TITLES, "feature_weight": WEIGHT, "strength": COLD_STRENGTH, "power": COLD_POWER}
    ),
    "tower": Rival(NEW_TOWER, seed="seed", fixed=LATER),
    # The other settings are those that the tower without titles chose.
    "tower with titles": Rival(
        {"text_weight": TITLES._replace(values=[0.05, *TITLES.values[1:]], ends={0.05: "hardly any titles"})},
        seed="seed",
        fixed=LATER | {"epochs": 4, "hide": 0.8},
    ),
}
TABLES = {
    "ranking": RANKING_GRIDS,
    "ablations": ABLATION_GRIDS,
    "random": RATING_GRIDS,
    "by time": RATING_GRIDS,
    "noise": NOISE_GRIDS,
    "planted": PLANTED_GRIDS,
    "likes": LIKES_GRIDS,
    "cold users": COLD_GRIDS,
    "new movies": NEW_GRIDS,
}


def plain(settings: dict) -> dict:
    """Turn {'a.b': 1, 'c': 2} into the keyword arguments {'a': {'b': 1}, 'c': 2}."""
    nested = {}
    for name, value in settings.items():
        outer, _, inner = name.rpartition(".")
        (nested.setdefault(outer, {}) if outer else nested)[inner] = value
    return nested


# --- one setting ------------------------------------------------------------------------------------------------------


class Point(NamedTuple):
    table: str  # of TABLES
    rival: str
    settings: dict  # by axis

    @property
    def key(self) -> str:
        return json.dumps(self)


@cache
def part(table: str, validation: bool) -> tuple[Split, RankingTask | None]:
    """Cut the part that chooses, or the one that is read at the end, with its ranking task."""
    ratings, items, *_ = load_synthetic(table) if table in WORLDS else load_movielens()
    cut = SPLITTERS[table]
    split = cut(cut(ratings).train) if validation else cut(ratings)
    task = make_ranking_task(*split, items=items.item_id.to_numpy()) if table in RANKINGS else None
    return split, task


@cache
def likes_part(validation: bool) -> LikesTask:
    """Cut the social app before and after the moment that chooses, or before and after the test's."""
    return lay_out(cut_world(generate_social(), *(LIKES_CUTS[:2] if validation else LIKES_CUTS[1:])))


@cache
def lesson_15() -> dict[str, Any]:
    """Run lesson 15 without the cells that use the test's answers: its data, rivals, towers and questions."""
    namespace = {}
    run_lesson("15", namespace, until="In practice", without="test")
    return namespace


@cache
def cold_parts(table: str, validation: bool) -> list[tuple]:
    """Cut the three folds, or the test: each a world of lesson 15 and what it is asked."""
    lesson = lesson_15()
    if validation:  # a fold that asks for no new movie hides none
        worlds = [lesson["make_fold"](fold, hide_movies=table == "new movies") for fold in FOLDS]
    else:
        worlds = [lesson["world"]]
    if table == "new movies":
        return [(world, lesson["ask_for_new"](world)) for world in worlds]
    return [(world, lesson["ask_after"](lesson["NAMED"], world)) for world in worlds]


def measure_cold(point: Point, validation: bool, settings: dict) -> dict[str, float]:
    """Fit a rival or a tower to the known users of each part, and measure it on the new ones of all."""
    lesson, metrics = lesson_15(), []
    for fold, (world, question) in enumerate(cold_parts(point.table, validation)):
        if "tower" in point.rival:  # another seed for each fold
            model = lesson["train_model"](world.seen, **settings | {"seed": settings["seed"] + fold})
            scores = lesson["score"](model, question.windows)
            scores = scores[:, world.new_movies] if point.table == "new movies" else scores
        elif point.table == "new movies":
            scores = lesson["rank_new"](point.rival, world, question, **settings)
        else:
            scores = lesson["fit_rival"](point.rival, world.seen, **settings)(question)
        metrics.append(evaluate_ranking(scores, question.task))
    ndcg, recall = (np.concatenate([getattr(each, name) for each in metrics]) for name in ("ndcg", "recall"))
    low, high = bootstrap_interval(ndcg)
    return {"NDCG@10": ndcg.mean(), "Recall@10": recall.mean(), "low": low, "high": high}


def measure(point: Point, validation: bool, seed: int = 1) -> dict[str, float]:
    """Fit a rival to the training part, and measure it on the other."""
    _, seeded, fixed = TABLES[point.table][point.rival]
    settings = plain(point.settings) | fixed | ({seeded: seed} if seeded else {})
    if point.table in COLD:
        errors = measure_cold(point, validation, settings)
    elif point.table in RANKINGS:
        if point.table == "likes":
            likes = likes_part(validation)
            scores, task = rank_likes(point.rival, likes, **settings)[likes.asked], likes.ranking
        else:
            (train, _), task = part(point.table, validation)
            rival = "item to next item" if point.table == "ablations" else point.rival
            scores = rank(rival, train, task, **settings)
        metrics = evaluate_ranking(scores, task)
        low, high = bootstrap_interval(metrics.ndcg)
        errors = {"NDCG@10": metrics.ndcg.mean(), "Recall@10": metrics.recall.mean(), "low": low, "high": high}
    else:
        (train, test), _ = part(point.table, validation)
        if point.rival == "boosted trees":
            world = load_synthetic(point.table)
            stars = predict_with_trees(train, test, world.users, world.items, CATEGORICAL, **settings)
        else:
            stars = predict_with_surprise(rating_model(point.rival, **settings), train, test)
        errors = {"RMSE": rmse(test[RATING], stars), "MAE": mae(test[RATING], stars)}
    return {name: round(float(value), DIGITS) for name, value in errors.items()}


def validate(point: Point) -> tuple[float, float]:
    """Return a point's score on the validation part, RMSE or NDCG@10, and the processor seconds that took.

    Rankings that depend on chance are measured over the seeds: there it moves the score as far as a step does. Of a
    tower, lesson 15's three folds have a seed each.
    """
    start = time.process_time()
    seeded = point.table in RANKINGS and TABLES[point.table][point.rival].seed and "tower" not in point.rival
    seeds = SEEDS if seeded else SEEDS[:1]
    with threadpool_limits(1, "blas"):
        scores = [next(iter(measure(point, validation=True, seed=seed).values())) for seed in seeds]
    return round(sum(scores) / len(scores), DIGITS), time.process_time() - start


# --- the search -------------------------------------------------------------------------------------------------------


Measure = Callable[[list[dict]], list[float]]


def search(axes: dict[str, Axis], measure_all: Measure, table: str) -> Iterator[list[tuple[dict, float]]]:
    """Walk from a coarse grid to a point with no better neighbour; yield all that was tried, best first, each round."""
    default = {name: axis.default for name, axis in axes.items()}
    grid = itertools.product(*(axis.coarse for axis in axes.values()))
    wanted = [default, *(dict(zip(axes, values, strict=True)) for values in grid)]
    tried = {}  # key: (settings, score), in the order of trying
    while wanted:
        fresh = {json.dumps(settings): settings for settings in wanted if json.dumps(settings) not in tried}
        tried |= {
            key: (settings, score)
            for (key, settings), score in zip(fresh.items(), measure_all(list(fresh.values())), strict=True)
        }
        ranked = sorted(tried.values(), key=lambda each: -each[1] if table in RANKINGS else each[1])
        yield ranked
        neighbours = (ranked[0][0] | step for step in steps(axes, ranked[0][0]))
        wanted = [settings for settings in neighbours if json.dumps(settings) not in tried]


def steps(axes: dict[str, Axis], settings: dict) -> Iterator[dict]:
    for name, axis in axes.items():
        place = axis.values.index(settings[name])
        for near in axis.values[max(place - 1, 0) : place + 2]:
            if near != settings[name]:
                yield {name: near}


def describe(axes: dict[str, Axis], ranked: list[tuple[dict, float]]) -> dict:
    """Say where the best lies in what was tried; raise SystemExit if the grid is to be extended."""
    best, grid, ends = ranked[0][0], {}, {}
    for name, axis in axes.items():
        grid[name] = [value for value in axis.values if any(settings[name] == value for settings, _ in ranked)]
        if best[name] in (axis.values[0], axis.values[-1]):
            if best[name] not in axis.ends:
                raise SystemExit(f"the best {name} is {best[name]}, at the end of its values; extend them and go on")
            ends[name] = axis.ends[best[name]]
    return {"grid": grid, "ends": ends}


class Notebook:
    """What was tried, kept in a file as soon as it is known."""

    def __init__(self, path: Path, jobs: int):
        self.path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self.known = {entry["point"]: (entry["score"], entry["seconds"]) for entry in map(json.loads, lines)}
        self.pool = ProcessPoolExecutor(jobs) if jobs > 1 else None

    def measure_all(self, table: str, rival: str, points: list[dict]) -> list[float]:
        points = [Point(table, rival, settings) for settings in points]
        new = [point for point in points if point.key not in self.known]
        results = self.pool.map(validate, new) if self.pool else map(validate, new)
        self.path.parent.mkdir(exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            for point, (score, seconds) in zip(new, results, strict=True):
                self.known[point.key] = score, seconds
                print(json.dumps({"point": point.key, "score": score, "seconds": round(seconds, 2)}), file=file)
                file.flush()
        return [self.known[point.key][0] for point in points]

    def seconds(self, table: str, rival: str, ranked: list[tuple[dict, float]]) -> float:
        return sum(self.known[Point(table, rival, settings).key][1] for settings, _ in ranked)


def choose(notebook: Notebook, table: str, name: str) -> dict:
    """Search one rival's settings; return its entry of the result, without the test."""
    axes = TABLES[table][name].axes
    for ranked in search(axes, lambda points: notebook.measure_all(table, name, points), table):
        said = ", ".join(f"{axis} {value}" for axis, value in ranked[0][0].items())
        print(f"  {table} · {name}: {len(ranked)} tried, best {ranked[0][1]:.4f} ({said})", flush=True)
    default = {axis: values.default for axis, values in axes.items()}
    return {
        "settings": ranked[0][0],
        "validation": ranked[0][1],
        "default": {"settings": default, "validation": next(score for tried, score in ranked if tried == default)},
        **describe(axes, ranked),
        "tried": [[*settings.values(), score] for settings, score in ranked],
        "seconds": round(notebook.seconds(table, name, ranked)),
        "date": str(date.today()),
    }


def read_test(table: str, name: str, entry: dict) -> dict:
    """Fit the default and the chosen settings to the whole training part, and measure them on the test."""
    chosen, default = (
        _over_seeds(table, name, settings) for settings in (entry["settings"], entry["default"]["settings"])
    )
    print(f"  {table} · {name}: default {default['test']}, tuned {chosen['test']}", flush=True)
    result = {**entry, "settings": plain(entry["settings"]), **chosen}
    result["default"] = {**entry["default"], "settings": plain(entry["default"]["settings"]), **default}
    return result


def _over_seeds(table: str, name: str, settings: dict) -> dict:
    seeds = SEEDS if TABLES[table][name].seed else SEEDS[:1]
    tests = [measure(Point(table, name, settings), validation=False, seed=seed) for seed in seeds]
    over_seeds = {metric: [test[metric] for test in tests] for metric in tests[0]}
    return {"test": tests[0], "seeds": over_seeds} if len(seeds) > 1 else {"test": tests[0]}


# --- the file ---------------------------------------------------------------------------------------------------------


ORDER = [
    "settings", "validation", "test", "seeds", "default", "grid", "ends", "seconds", "date", "tried",
]  # fmt: skip


def write(path: Path, tables: dict) -> None:
    """Write the result: what was tried on one line each, everything else as usual."""
    result = {
        "command": "make tune",
        "date": max(entry["date"] for table in tables.values() for entry in table.values()),
        "data": (
            "MovieLens latest-small, 2016-10 edition; noise and planted: the course's synthetic worlds; likes: its "
            "social app"
        ),
        "protocol": (
            "Each part is cut twice: by split_random (random, noise, planted), by split_by_time (by time, ranking, "
            "ablations), at days 38 and 48 of 60 (likes). Settings are chosen on the part cut from the training part: "
            "by RMSE, or by NDCG@10 over the whole catalogue, seen items out; where chance plays a part in a ranking, "
            "by the mean over three seeds. Then each rival is fitted to the whole training part, and measured on the "
            "test with seed 1, and with three ('seeds') where chance plays a part. Cold users and new movies are those "
            "of lesson 15: three folds choose, in each of which a third of the users outside the test is new (and a "
            "fifth of the movies, for new movies), and towers have one seed for each fold. What was "
            "tried is listed best first: the settings in the order of 'grid', then the validation score. Seconds are "
            "those that a processor spent on all of that."
        ),
        "versions": {name: version(name) for name in LIBRARIES},
        "tables": {
            table: {name: {key: entry[key] for key in ORDER if key in entry} for name, entry in rivals.items()}
            for table, rivals in tables.items()
        },
    }
    path.write_text(dump(result) + "\n", encoding="utf-8")


def dump(value: Any, depth: int = 0) -> str:
    """Write JSON with a line for each entry, and what fits on one line on it."""
    flat = json.dumps(value, ensure_ascii=False)
    inside = 2 * (depth + 1) * " "
    if (depth > 1 and len(flat) + len(inside) < 110) or not isinstance(value, dict | list) or not value:
        return flat
    if isinstance(value, dict):
        lines = [f"{json.dumps(key, ensure_ascii=False)}: {dump(each, depth + 1)}" for key, each in value.items()]
    else:
        lines = [dump(each, depth + 1) for each in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return f"{opening}\n{inside}" + f",\n{inside}".join(lines) + f"\n{inside[2:]}{closing}"


def summary(tables: dict) -> pd.DataFrame:
    rows = []
    for table, rivals in tables.items():
        for name, entry in rivals.items():
            metric = next(iter(entry["test"]))
            row = {"table": table, "rival": name, "tried": len(entry["tried"]), "seconds": entry["seconds"]}
            rows.append(
                row | {"test": metric, "default": entry["default"]["test"][metric], "tuned": entry["test"][metric]}
            )
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    every = list(dict.fromkeys(name for rivals in TABLES.values() for name in rivals))
    parser.add_argument("rivals", nargs="*", metavar="RIVAL", help="search these alone, and keep the others' results")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=[*TABLES], help="search in these alone")
    parser.add_argument("--jobs", type=int, default=min(os.cpu_count() or 1, 2), help="processes (default: up to 2)")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.rivals if name not in every]
    if unknown:
        sys.exit(f"there is no rival {unknown[0]!r}; expected one of {', '.join(map(repr, every))}")
    notebook = Notebook(TRIED, arguments.jobs)
    wanted = [
        (table, name) for table in arguments.tables for name in TABLES[table] if name in (arguments.rivals or every)
    ]
    chosen = {place: choose(notebook, *place) for place in wanted}
    print("Everything is chosen; now the test.")
    old = json.loads(RESULT.read_text(encoding="utf-8"))["tables"] if RESULT.exists() else {}
    tables = {table: {} for table in TABLES}
    for table, rivals in TABLES.items():
        for name in rivals:
            if (table, name) in chosen:
                tables[table][name] = read_test(table, name, chosen[table, name])
            elif name in old.get(table, {}):
                tables[table][name] = old[table][name]
    write(RESULT, tables)
    TRIED.unlink()
    print(summary(tables).to_string(index=False))
    print(f"written to {RESULT.relative_to(ROOT)}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped; what was tried is kept, and the next `make tune` goes on from there")
