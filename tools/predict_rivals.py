"""Fit the tuned rating rivals and keep what they predict for the test: data/rival_predictions.npz.

On MovieLens SVD and SVD++ take minutes to fit, which is more than lesson 07 has; on the planted world SVD and boosted
trees take a third of a minute, which lesson 05 needs for its towers. Run it after `make tune` has found other settings.
Rivals can be named: the predictions of the others are kept.
"""

import argparse
from itertools import product
from pathlib import Path

import numpy as np

from recsys_utils.baselines import (
    RATING_RIVALS,
    load_tuned,
    predict_with_surprise,
    predict_with_trees,
    rating_model,
)
from recsys_utils.datasets.movielens import load_movielens
from recsys_utils.datasets.synthetic import CATEGORICAL, load_synthetic
from recsys_utils.splits import split_by_time, split_random

RESULT = Path(__file__).parent.parent / "data" / "rival_predictions.npz"


TREES, PLANTED = "boosted trees", "planted"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    rivals = [*RATING_RIVALS, TREES]
    parser.add_argument("rivals", nargs="*", default=rivals, metavar="RIVAL", help=", ".join(rivals))
    ratings, planted = load_movielens().ratings, load_synthetic(PLANTED)
    tables = {
        "random": split_random(ratings),
        "by time": split_by_time(ratings),
        PLANTED: split_random(planted.ratings),
    }
    for name, (table, split) in product(parser.parse_args().rivals, tables.items()):
        settings = load_tuned(table)
        if name not in settings or (table == PLANTED and name not in ("SVD", TREES)):
            continue
        if name == TREES:
            features = (planted.users, planted.items, CATEGORICAL)
            predicted = predict_with_trees(*split, *features, **settings[name].settings)
        else:
            predicted = predict_with_surprise(rating_model(name, **settings[name].settings), *split)
        kept = dict(np.load(RESULT)) if RESULT.exists() else {}
        np.savez_compressed(RESULT, **kept | {f"{table}: {name}": predicted.astype(np.float16)})
        print(f"{table}: {name}", flush=True)


if __name__ == "__main__":
    main()
