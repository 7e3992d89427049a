"""Fit tuned rivals and keep what they say of the test: data/rival_predictions.npz, data/rival_lists.npz.

SVD and SVD++ take up to minutes to fit, which is more than a lesson has; lessons 02, 04 to 07 compare with them
user by user. Lesson 03 fits the ranking rivals; lessons 11 and 12 load their lists, written here (`--table ranking`).
Run it after `make tune` has found other settings. Rivals and tables can be named: the others are kept.
"""

import argparse
from itertools import product
from pathlib import Path

import numpy as np

from recsys_utils.baselines import (
    RANKING_RIVALS,
    RATING_RIVALS,
    load_tuned,
    predict_with_surprise,
    predict_with_trees,
    rank,
    rating_model,
)
from recsys_utils.columns import ITEM_ID
from recsys_utils.datasets.movielens import load_movielens
from recsys_utils.datasets.synthetic import CATEGORICAL, load_synthetic
from recsys_utils.metrics import make_ranking_task, recommend
from recsys_utils.splits import split_by_time, split_random

DATA = Path(__file__).parent.parent / "data"
TREES = "boosted trees"  # on the planted world alone
SEEDS = {"iALS": (1, 2, 3), "BPR": (1, 2, 3)}  # those that start at random


def main() -> None:
    movies, world = load_movielens(), load_synthetic("planted")
    by_time = split_by_time(movies.ratings)
    cuts = {"random": split_random(movies.ratings), "by time": by_time, "planted": split_random(world.ratings)}
    cuts["ranking"] = by_time
    of_table = {table: [*RATING_RIVALS] for table in cuts} | {"ranking": [*RANKING_RIVALS]}
    of_table["planted"] = [*RATING_RIVALS, TREES]
    rivals = [*dict.fromkeys([*of_table["planted"], *RANKING_RIVALS])]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rivals", nargs="*", default=rivals, metavar="RIVAL", help=", ".join(rivals))
    parser.add_argument("--table", nargs="+", choices=cuts, default=[*cuts])
    given = parser.parse_args()
    task = make_ranking_task(*by_time, items=movies.items[ITEM_ID])
    for name, table in product(given.rivals, given.table):
        if name not in of_table[table]:
            continue
        settings, (train, test) = load_tuned(table)[name].settings, cuts[table]
        if table == "ranking":
            seeds = [{"seed": seed} for seed in SEEDS[name]] if name in SEEDS else [{}]
            lists = [recommend(rank(name, train, task, **settings, **seed), task.seen) for seed in seeds]
            keep("rival_lists.npz", name, np.stack(lists).astype(np.uint16))  # (n_seeds, n_users, 10)
        elif name == TREES:
            predicted = predict_with_trees(train, test, world.users, world.items, CATEGORICAL, **settings)
            keep("rival_predictions.npz", f"{table}: {name}", predicted.astype(np.float16))
        else:
            predicted = predict_with_surprise(rating_model(name, **settings), train, test)
            keep("rival_predictions.npz", f"{table}: {name}", predicted.astype(np.float16))
        print(f"{table}: {name}", flush=True)


def keep(file: str, name: str, values: np.ndarray) -> None:
    """Put an array into a file of the data folder, beside what is there."""
    known = dict(np.load(DATA / file)) if (DATA / file).exists() else {}
    np.savez_compressed(DATA / file, **known | {name: values})


if __name__ == "__main__":
    main()
