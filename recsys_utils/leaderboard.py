"""The course's one table of results: each lesson's rows, and what a query costs."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from recsys_utils.checks import check_finite
from recsys_utils.metrics import RankingMetrics, RankingTask, recommend


def query_milliseconds(score: Callable[[int], np.ndarray], task: RankingTask, users: int = 20) -> float:
    """Time how long it takes to rank the catalogue for one user and list ten unseen items, one user at a time.

    Parameters
    ----------
    score : from a row of the task to that user's scores, (n_items,); it holds whatever can be computed beforehand
    task : what was seen; the catalogue has at least ten items
    users : number of rows to time, after one call to warm up

    Returns
    -------
    float
        Milliseconds of wall-clock time, the median over the rows.
    """
    seconds = []
    for row in np.arange(users + 1) % len(task.users):
        start = time.perf_counter()
        recommend(score(row)[None], task.seen[[row]], k=10)
        seconds.append(time.perf_counter() - start)
    return 1000 * float(np.median(seconds[1:]))


class Leaderboard:
    """A lesson's rows of the course's one table of results.

    Parameters
    ----------
    lesson : two digits, the lesson the rows come from
    """

    def __init__(self, lesson: str) -> None:
        self.lesson = lesson
        self.rows: list[dict] = []

    def add(
        self,
        model: str,
        kind: str,
        *,
        rmse_random: float | None = None,
        rmse_by_time: float | None = None,
        ranking: RankingMetrics | None = None,
        train_seconds: float | None = None,
        query_ms: float | None = None,
    ) -> None:
        """Add a model's row; None where a figure does not apply.

        Parameters
        ----------
        model : the name readers see
        kind : 'baseline' or 'two-tower'
        rmse_random, rmse_by_time : stars, on the two splits of the protocol
        ranking : metrics at k = 10 on the split by time
        train_seconds : wall-clock time of training alone
        query_ms : milliseconds to rank the catalogue for one user, see `query_milliseconds`

        Raises
        ------
        ValueError
            An unknown kind, a ranking at another k, a figure that is not a finite number.
        """
        if kind not in ("baseline", "two-tower"):
            raise ValueError(f"kind is {kind!r}; expected 'baseline' or 'two-tower'")
        if ranking is not None and ranking.k != 10:
            raise ValueError(f"ranking has k = {ranking.k}; expected 10")
        summary = ranking.summary() if ranking is not None else {}
        figures = {
            "rmse_random": rmse_random,
            "rmse_by_time": rmse_by_time,
            "recall_at_10": summary.get("Recall@10"),
            "ndcg_at_10": summary.get("NDCG@10"),
            "ndcg_at_10_low": summary.get("low"),
            "ndcg_at_10_high": summary.get("high"),
            "coverage_at_10": summary.get("coverage"),
            "train_seconds": train_seconds,
            "query_ms": query_ms,
        }
        for name, value in figures.items():
            if value is not None:
                check_finite(name, value)
                figures[name] = float(value)  # JSON knows no NumPy
        self.rows.append({"model": model, "lesson": self.lesson, "kind": kind} | figures)

    def save(self) -> None:
        """Write the rows as JSON into the folder TWO_TOWERS_LEADERBOARD, which `make run` sets; else do nothing.

        The folder is made if it is missing.
        """
        folder = os.environ.get("TWO_TOWERS_LEADERBOARD")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            text = json.dumps(self.rows, indent=1, allow_nan=False)
            Path(folder, f"{self.lesson}.json").write_text(text, encoding="utf-8")
