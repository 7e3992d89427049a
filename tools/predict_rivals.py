"""Fit tuned rating rivals and keep what they predict for the test: data/rival_predictions.npz.

SVD and SVD++ take up to minutes to fit, which is more than a lesson has; lessons 02, 04 to 07 compare with them
user by user. Run it after `make tune` has found other settings. Rivals and tables can be named: the others are kept.
"""

import argparse
from itertools import product
from pathlib import Path

import numpy as np

from recsys_utils.baselines import RATING_RIVALS, load_tuned, predict_with_surprise, predict_with_trees, rating_model
from recsys_utils.datasets.movielens import load_movielens
from recsys_utils.datasets.synthetic import CATEGORICAL, load_synthetic
from recsys_utils.splits import split_by_time, split_random

RESULT = Path(__file__).parent.parent / "data" / "rival_predictions.npz"
TREES = "boosted trees"  # on the planted world alone


def main() -> None:
    ratings, world = load_movielens().ratings, load_synthetic("planted")
    cuts = {"random": split_random(ratings), "by time": split_by_time(ratings), "planted": split_random(world.ratings)}
    rivals = [*RATING_RIVALS, TREES]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rivals", nargs="*", default=rivals, metavar="RIVAL", help=", ".join(rivals))
    parser.add_argument("--table", nargs="+", choices=cuts, default=[*cuts])
    given = parser.parse_args()
    for name, table in product(given.rivals, given.table):
        if name == TREES and table != "planted":
            continue
        settings, (train, test) = load_tuned(table)[name].settings, cuts[table]
        if name == TREES:
            predicted = predict_with_trees(train, test, world.users, world.items, CATEGORICAL, **settings)
        else:
            predicted = predict_with_surprise(rating_model(name, **settings), train, test)
        kept = dict(np.load(RESULT)) if RESULT.exists() else {}
        np.savez_compressed(RESULT, **kept | {f"{table}: {name}": predicted.astype(np.float16)})
        print(f"{table}: {name}", flush=True)


if __name__ == "__main__":
    main()
