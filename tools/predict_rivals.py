"""Fit every tuned rating rival of MovieLens and keep what it predicts for the test: data/rival_predictions.npz.

SVD and SVD++ take minutes to fit, which is more than a lesson has; lessons 02 and 07 compare with them user by user.
Run it after `make tune` has found other settings. Rivals can be named: the predictions of the others are kept.
"""

import argparse
from itertools import product
from pathlib import Path

import numpy as np

from recsys_utils.baselines import RATING_RIVALS, load_tuned, predict_with_surprise, rating_model
from recsys_utils.datasets.movielens import load_movielens
from recsys_utils.splits import split_by_time, split_random

RESULT = Path(__file__).parent.parent / "data" / "rival_predictions.npz"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rivals", nargs="*", default=RATING_RIVALS, metavar="RIVAL", help=", ".join(RATING_RIVALS))
    ratings = load_movielens().ratings
    two_splits = {"random": split_random(ratings), "by time": split_by_time(ratings)}
    for name, (table, split) in product(parser.parse_args().rivals, two_splits.items()):
        model = rating_model(name, **load_tuned(table)[name].settings)
        predicted = predict_with_surprise(model, *split)
        kept = dict(np.load(RESULT)) if RESULT.exists() else {}
        np.savez_compressed(RESULT, **kept | {f"{table}: {name}": predicted.astype(np.float16)})
        print(f"{table}: {name}", flush=True)


if __name__ == "__main__":
    main()
