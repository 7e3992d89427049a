"""Try lesson 11's learning rates and epochs on validation, and write data/in_batch_grid.json: about eight minutes.

The lesson's own functions train the models, each rate with each seed. After each epoch the validation part is ranked:
as the model scores it, and for the plain in-batch softmax also with log q added.
"""

import json
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path

import numpy as np
from basics import ROOT
from bench.editions import EMBEDDED, Edition, load_edition
from bench.taught import retrieval_lesson

from recsys_utils.metrics import evaluate_ranking

RESULT = ROOT / "data" / "in_batch_grid.json"
RATES = (0.01, 0.02, 0.035, 0.05, 0.07, 0.1, 0.2)
EPOCHS = 10
SEEDS = (1, 2, 3)
PLAIN, ADDED, LOGQ = "plain", "plain, log q added", "logQ"


def try_rates(data: Edition, rates: Sequence[float], epochs: int, seeds: Sequence[int]) -> list[list]:
    """Train both models at each rate; return rows of way, rate, epoch, mean NDCG@10, and that of each seed."""
    names, task = retrieval_lesson(data), data.validation_task
    log_share = np.log(np.maximum(task.popularity / task.popularity.sum(), 1e-6)).astype(np.float32)  # (n_items,)
    score, with_log_q = names["score"], []

    def score_twice(model):
        scores = score(model)  # (n_users, n_items)
        with_log_q.append(evaluate_ranking(scores + log_share, task).ndcg.mean())
        return scores

    names["score"] = score_twice
    rows = []
    for way, kind in ((PLAIN, "InBatchSoftmax"), (LOGQ, "InBatchSoftmaxLogQ")):
        for rate in rates:
            with_log_q.clear()
            settings = {"epochs": epochs, "rate": rate, "task": task}
            curves = [
                names["train_model"](names[kind], data.validation.train, seed=seed, **settings)[1] for seed in seeds
            ]
            found = {way: np.stack([curve["NDCG@10"] for curve in curves])}  # (n_seeds, epochs)
            if way == PLAIN:
                found[ADDED] = np.reshape(with_log_q, (len(seeds), epochs))
            for name, ndcg in found.items():
                rows += [[name, rate, epoch, *_round(ndcg[:, epoch - 1])] for epoch in range(1, epochs + 1)]
            print(f"rate {rate}: " + ", ".join(f"{name} {each.mean(axis=0).max():.4f}" for name, each in found.items()))
    return rows


def _round(of_seeds: np.ndarray) -> list[float]:
    return [round(float(value), 5) for value in (of_seeds.mean(), *of_seeds)]


def write(path: Path, rows: list[list]) -> None:
    """Write the rows, one on a line, under what a reader has to know about them."""
    about = {
        "command": "python tools/tune_in_batch.py",
        "date": str(date.today()),
        "data": "MovieLens latest-small, 2016-10 edition; the validation part of the split by time",
        "versions": {name: version(name) for name in ("tensorflow", "tf-keras", "tensorflow-recommenders", "numpy")},
        "columns": ["way", "rate", "epoch", "NDCG@10", *(f"seed {seed}" for seed in SEEDS)],
    }
    head = json.dumps(about, indent=1).removesuffix("\n}")
    lines = ",\n".join(f"  {json.dumps(row)}" for row in rows)
    path.write_text(f'{head},\n "tried": [\n{lines}\n ]\n}}\n', encoding="utf-8")


if __name__ == "__main__":
    write(RESULT, try_rates(load_edition(EMBEDDED, None), RATES, EPOCHS, SEEDS))
    print(f"written to {RESULT.relative_to(ROOT)}")
