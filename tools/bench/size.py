"""Cost of an epoch against the number of interactions: seconds, processor seconds, peak memory."""

import os
import time

import numpy as np
import pandas as pd
from lessons import MemoryPeak

from bench.processes import median_seconds
from bench.taught import taught
from recsys_utils.columns import ITEM_ID, USER_ID

COSTS = ("seconds", "cpu_seconds", "peak_mb")  # of an epoch


def size(interactions: int, runs: int) -> dict:
    """Train lesson 11's model on generated interactions: seconds and peak memory of an epoch."""
    rng = np.random.default_rng(1)
    n_items, n_users = 10_000, interactions // 100
    catalogue = {
        "item_id": np.arange(n_items),
        "year": rng.integers(1920, 2020, n_items),
        "genres": (rng.random((n_items, 20)) < 0.1).astype(np.float32),
    }
    share = 1 / np.arange(1, n_items + 1)
    item = rng.choice(n_items, interactions, p=share / share.sum())
    train = pd.DataFrame({USER_ID: rng.integers(n_users, size=interactions), ITEM_ID: item})
    names = taught("11")
    names.update(items=catalogue["item_id"], users=np.arange(n_users), catalogue=catalogue)
    model = names["InBatchSoftmaxLogQ"](catalogue["item_id"])
    model.compile(optimizer=names["tf"].keras.optimizers.Adagrad(names["LEARNING_RATE"]), steps_per_execution=100)
    model.fit(names["read_batches"](train.head(100 * names["BATCH"]), seed=1), verbose=0)  # traces
    peak = MemoryPeak(os.getpid())
    batches = names["read_batches"](train, seed=1)
    runs = max(1, min(runs, 3_000_000 // interactions))
    cpu_before = time.process_time()
    seconds = median_seconds(lambda: model.fit(batches, verbose=0), runs)
    return {
        "interactions": interactions,
        "epochs_timed": runs,
        "seconds": seconds,
        "cpu_seconds": (time.process_time() - cpu_before) / runs,
        "peak_mb": round(peak.megabytes),
    }


def slope(sizes: list[dict], cost: str) -> float:
    """Fit the exponent of cost ~ interactions^slope; 1 is linear."""
    logs = np.log([[row["interactions"], row[cost]] for row in sizes])  # (n_sizes, 2)
    return float(np.polyfit(*logs.T, deg=1)[0])
