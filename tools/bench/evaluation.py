"""Time and memory of evaluating a model that ranks so many items for so many users."""

import os
import time

import numpy as np
from lessons import MemoryPeak
from scipy.sparse import csr_array

from recsys_utils.metrics import RankingTask, evaluate_ranking

WIDTH = 64  # of the vectors
SEEN, RELEVANT = 115, 29  # items drawn for each user, for training and for the test; an item drawn again counts once


def evaluation(users: int, items: int) -> dict:
    """Rank all items for all users with random vectors, and draw the interval: seconds, and peak memory of the process.

    Items are drawn with a probability that falls as 1 / rank, as films are chosen.
    """
    peak = MemoryPeak(os.getpid())
    rng = np.random.default_rng(1)
    queries = rng.normal(size=(users, WIDTH)).astype(np.float32)
    candidates = rng.normal(size=(items, WIDTH)).astype(np.float32)
    share = 1 / np.arange(1, items + 1)

    def draw(each: int) -> np.ndarray:
        item = rng.choice(items, users * each, p=share / share.sum())
        return np.unique(np.repeat(np.arange(users), each) * items + item)

    def as_matrix(pairs: np.ndarray) -> csr_array:
        return csr_array((np.ones(len(pairs), dtype=bool), np.divmod(pairs, items)), shape=(users, items))

    seen, relevant = draw(SEEN), draw(RELEVANT)
    relevant = np.setdiff1d(relevant, seen, assume_unique=True)
    task = RankingTask(np.arange(users), np.arange(items), as_matrix(seen), as_matrix(relevant))
    start = time.perf_counter()
    evaluate_ranking(lambda rows: queries[rows] @ candidates.T, task).summary()
    seconds = time.perf_counter() - start
    return {"users": users, "items": items, "seconds": seconds, "peak_mb": round(peak.megabytes)}
