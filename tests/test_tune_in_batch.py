"""What lesson 11's rates and epochs are chosen from: the committed grid, and the tool that writes it."""

import json
import os

import numpy as np
import pandas as pd
import pytest
import tune_in_batch
from bench.editions import EMBEDDED, load_edition

GRID = json.loads(tune_in_batch.RESULT.read_text(encoding="utf-8"))
TRIED = pd.DataFrame(GRID["tried"], columns=GRID["columns"])
SEEDS = [f"seed {seed}" for seed in tune_in_batch.SEEDS]


def test_the_grid_is_whole():
    for way, (rates, epochs, seeds) in tune_in_batch.WAYS.items():
        tried = TRIED[TRIED["way"] == way]
        assert tried[SEEDS].notna().sum(axis=1).eq(len(seeds)).all()
        assert tried.groupby("rate")["epoch"].apply(list).to_dict() == {rate: [*range(1, epochs + 1)] for rate in rates}
    assert set(TRIED["way"]) == set(tune_in_batch.WAYS)
    assert np.allclose(TRIED[SEEDS].mean(axis=1), TRIED["NDCG@10"], atol=2e-5)


@pytest.mark.parametrize("way", tune_in_batch.WAYS)
def test_the_best_lies_inside(way):
    tried = TRIED[TRIED["way"] == way]
    best = tried.loc[tried["NDCG@10"].idxmax()]
    assert tried["rate"].min() < best["rate"] < tried["rate"].max()
    assert 1 < best["epoch"] < tried["epoch"].max()


def test_the_fewest_epochs_near_the_best_are_chosen():
    rows = [["a", 0.1, 1, 0.4990], ["a", 0.1, 2, 0.4996], ["a", 0.2, 2, 0.4997], ["a", 0.1, 3, 0.5], ["b", 0.1, 9, 0.1]]
    assert tune_in_batch.choose(rows) == [["a", 0.2, 2, 0.4997], ["b", 0.1, 9, 0.1]]
    assert tune_in_batch.choose(GRID["tried"]) == GRID["chosen"]


def test_a_small_search_is_written_as_the_large_one(tmp_path, monkeypatch):
    for name in ("TF_USE_LEGACY_KERAS", "TF_CPP_MIN_LOG_LEVEL"):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # the lesson sets them
    monkeypatch.setattr(tune_in_batch, "WAYS", {way: ((0.05,), 2, tune_in_batch.SEEDS) for way in tune_in_batch.WAYS})
    rows = tune_in_batch.try_rates(load_edition(EMBEDDED, 16))
    tune_in_batch.write(tmp_path / "grid.json", rows)
    written = json.loads((tmp_path / "grid.json").read_text(encoding="utf-8"))
    assert set(written) == set(GRID) and written["columns"] == GRID["columns"]
    assert [row[:3] for row in written["tried"]] == [
        [way, 0.05, epoch] for way in tune_in_batch.WAYS for epoch in (1, 2)
    ]
    assert all(0 <= score <= 1 for row in written["tried"] for score in row[3:])
