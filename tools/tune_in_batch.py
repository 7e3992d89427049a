"""Try lesson 11's learning rates and epochs on validation, and write data/in_batch_grid.json: about ten minutes.

The lesson's own functions train the models, each rate with each seed. After each epoch the validation part is ranked:
as the model scores it, and for the plain in-batch softmax also with log q added. Of each way that one is chosen which
takes the fewest epochs within 0.0005 of the best: seeds differ by more.
"""

import json
from datetime import date
from importlib.metadata import version
from pathlib import Path

import numpy as np
from basics import ROOT
from bench.editions import EMBEDDED, Edition, load_edition
from bench.taught import retrieval_lesson

RESULT = ROOT / "data" / "in_batch_grid.json"
SEEDS = (1, 2, 3, 4, 5, 6)  # three do not tell near settings apart
PLAIN, ADDED, LOGQ = "plain", "plain, log q added", "logQ"
RATES = (0.01, 0.02, 0.035, 0.05, 0.07, 0.1, 0.2)
WAYS = {  # rates, number of epochs, seeds
    PLAIN: ((0.2, 0.4, 0.8, 1.6), 20, SEEDS[:1]),  # learns slowly
    ADDED: (RATES, 10, SEEDS),
    LOGQ: (RATES, 10, SEEDS),
}
WITHIN = 0.0005  # of the best NDCG@10


def try_rates(data: Edition) -> list[list]:
    """Train each way at each rate; return rows of way, rate, epoch, mean NDCG@10, and that of each seed or None."""
    names, task = retrieval_lesson(data), data.validation_task
    log_share = np.log(np.maximum(task.popularity / task.popularity.sum(), 1e-6)).astype(np.float32)  # (n_items,)
    score = names["score"]
    rows = []
    for way, (rates, epochs, seeds) in WAYS.items():
        names["score"] = (lambda model: score(model) + log_share) if way == ADDED else score
        kind = names["InBatchSoftmaxLogQ" if way == LOGQ else "InBatchSoftmax"]
        for rate in rates:
            settings = {"epochs": epochs, "rate": rate, "task": task}
            curves = [names["train_model"](kind, data.validation.train, seed=seed, **settings)[1] for seed in seeds]
            ndcg = np.stack([curve["NDCG@10"] for curve in curves])  # (n_seeds, epochs)
            rows += [[way, rate, 1 + epoch, *_round(each)] for epoch, each in enumerate(ndcg.T)]
            print(f"{way}, rate {rate}: {ndcg.mean(axis=0).max():.4f}", flush=True)
    return rows


def _round(of_seeds: np.ndarray) -> list[float | None]:
    return [round(float(value), 5) for value in (of_seeds.mean(), *of_seeds)] + [None] * (len(SEEDS) - len(of_seeds))


def choose(rows: list[list]) -> list[list]:
    """Choose a row for each way: the fewest epochs within 0.0005 of the best, and of those the best."""
    best = {way: max(row[3] for row in rows if row[0] == way) for way in dict.fromkeys(row[0] for row in rows)}
    near = {way: [row for row in rows if row[0] == way and row[3] > highest - WITHIN] for way, highest in best.items()}
    return [min(those, key=lambda row: (row[2], -row[3])) for those in near.values()]


def write(path: Path, rows: list[list]) -> None:
    """Write the rows, one on a line, under what a reader has to know about them."""
    about = {
        "command": "python tools/tune_in_batch.py",
        "date": str(date.today()),
        "data": "MovieLens latest-small, 2016-10 edition: the validation part of the split by time",
        "versions": {name: version(name) for name in ("tensorflow", "tf-keras", "tensorflow-recommenders", "numpy")},
        "columns": ["way", "rate", "epoch", "NDCG@10", *(f"seed {seed}" for seed in SEEDS)],
    }
    head = json.dumps(about, indent=1).removesuffix("\n}")
    parts = {"chosen": choose(rows), "tried": rows}
    lines = {name: ",\n".join(f"  {json.dumps(row)}" for row in part) for name, part in parts.items()}
    body = ",\n".join(f' "{name}": [\n{those}\n ]' for name, those in lines.items())
    path.write_text(f"{head},\n{body}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    write(RESULT, try_rates(load_edition(EMBEDDED, None)))
    print(f"written to {RESULT.relative_to(ROOT)}")
