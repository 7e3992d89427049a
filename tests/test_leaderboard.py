"""The leaderboard and query times."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from recsys_utils.columns import ITEM_ID, USER_ID
from recsys_utils.leaderboard import Leaderboard, query_milliseconds
from recsys_utils.metrics import evaluate_ranking, make_ranking_task

TRAIN = pd.DataFrame({USER_ID: [1, 2, 2, 3], ITEM_ID: [10, 20, 40, 20]})
TEST = pd.DataFrame({USER_ID: [1, 1, 2, 3], ITEM_ID: [30, 50, 10, 50]})
SCORES = np.array(
    [
        [9, 5, 4, 3, 1],  # unseen in order: 20, 30, 40, 50; lists 20, 30
        [2, 8, 3, 7, 2],  # unseen in order: 30, then 10 and 50 tie and 10 comes first; lists 30, 10
        [4, 9, 3, 2, 1],  # unseen in order: 10, 30, 40, 50; lists 10, 30
    ]
)


@pytest.fixture
def board():
    board = Leaderboard("02")
    board.add("mean", "baseline", rmse_random=1.06, train_seconds=0.1)
    task = make_ranking_task(TRAIN, TEST, items=np.arange(0, 110, 10))
    ranking = evaluate_ranking(np.zeros((3, 11)), task, k=10)
    board.add("towers", "two-tower", rmse_by_time=0.9, ranking=ranking, query_ms=2.5)
    return board


def test_leaderboard_writes_only_when_asked(board, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    board.save()
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("TWO_TOWERS_LEADERBOARD", str(tmp_path))
    board.save()
    assert [path.name for path in tmp_path.iterdir()] == ["02.json"]
    mean, towers = json.loads((tmp_path / "02.json").read_text(encoding="utf-8"))
    assert mean == {
        "model": "mean",
        "lesson": "02",
        "kind": "baseline",
        "rmse_random": 1.06,
        "rmse_by_time": None,
        "recall_at_10": None,
        "ndcg_at_10": None,
        "ndcg_at_10_low": None,
        "ndcg_at_10_high": None,
        "coverage_at_10": None,
        "train_seconds": 0.1,
        "query_ms": None,
    }
    assert list(towers) == list(mean) and towers["kind"] == "two-tower" and towers["rmse_random"] is None
    assert towers["query_ms"] == 2.5
    assert 0 < towers["ndcg_at_10_low"] <= towers["ndcg_at_10"] <= towers["ndcg_at_10_high"] < 1
    assert towers["recall_at_10"] == 1 and towers["coverage_at_10"] == 1


def test_leaderboard_makes_its_folder_and_writes_numpy_numbers(tmp_path, monkeypatch):
    board = Leaderboard("02")
    board.add("mean", "baseline", rmse_random=np.float32(0.5), train_seconds=np.int64(3))
    monkeypatch.setenv("TWO_TOWERS_LEADERBOARD", str(tmp_path / "not" / "there"))
    board.save()
    (row,) = json.loads((tmp_path / "not" / "there" / "02.json").read_text(encoding="utf-8"))
    assert row["rmse_random"] == 0.5 and row["train_seconds"] == 3


def test_query_time_is_the_median_of_one_user_at_a_time(monkeypatch):
    task = make_ranking_task(TRAIN, TEST, items=np.arange(0, 110, 10))
    ticks = iter([0, 9, 20, 20.001, 30, 30.002, 40, 40.006])  # the first call warms up
    monkeypatch.setattr("recsys_utils.leaderboard.time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    rows = []
    assert query_milliseconds(lambda row: rows.append(row) or np.zeros(11), task, users=3) == pytest.approx(2)
    assert rows == [0, 1, 2, 0]


def test_leaderboard_refuses_bad_rows(board):
    with pytest.raises(ValueError, match="kind is 'tower'; expected 'baseline' or 'two-tower'"):
        board.add("towers", "tower")
    ranking = evaluate_ranking(SCORES, make_ranking_task(TRAIN, TEST), k=5)
    with pytest.raises(ValueError, match="ranking has k = 5; expected 10"):
        board.add("towers", "two-tower", ranking=ranking)
    for value in (np.nan, np.float32("inf"), "0.9"):
        with pytest.raises(ValueError, match=r"rmse_random is .*; expected a finite number"):
            board.add("towers", "two-tower", rmse_random=value)
    assert [row["model"] for row in board.rows] == ["mean", "towers"], "a refused row is not kept"
