"""`make bench` on a few users and interactions: what it reports, not how fast it was."""

import functools
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from bench import editions, quality
from bench.plan import QUICK, Plan, benchmark
from bench.processes import measure
from bench.report import markdown
from bench.size import slope
from lessons import ROOT
from run import tuned_name

from recsys_utils.baselines import load_tuned
from recsys_utils.metrics import RankingMetrics

TINY = Plan(
    runs=1, seeds=1, users=16, loop_rows=5, sizes=(2_048, 4_096), evaluations=((70, 500), (140, 1_000)), thorough=True
)


@pytest.fixture(scope="module")
def report():
    """The whole benchmark in this process, without the content towers of lesson 07, which the lesson itself tests."""
    patch = pytest.MonkeyPatch()
    patch.setattr(editions, "load_movielens", functools.cache(editions.load_movielens))
    for name in ("MOVIELENS_PATH", "MOVIELENS_MIRROR"):
        patch.delenv(name, raising=False)
    for name in ("TF_USE_LEGACY_KERAS", "TF_CPP_MIN_LOG_LEVEL"):
        patch.setenv(name, os.environ.get(name, ""))  # the lessons set them; undo() puts them back

    def call(part, *arguments):
        if part is quality.lesson_07:
            return {"rows": [], "by_user": {}}
        return json.loads(json.dumps(part(*arguments)))

    yield list(benchmark(TINY, call))[-1]
    patch.undo()


def test_an_unknown_argument_measures_nothing():
    run = subprocess.run([sys.executable, ROOT / "tools" / "bench", "--help"], capture_output=True, text=True)
    assert run.returncode == 1 and run.stderr == "bench is given --help; expected nothing, 1, sequences or develop\n"


def test_a_row_is_the_mean_over_its_seeds():
    first = RankingMetrics(10, np.array([0.0, 0.5]), np.array([0.2, 0.4]), np.array([1.0, 1.0]), 0.1, 7.0)
    mean = quality.over_seeds(
        [first._replace(recall=np.array([1.0, 0.5]), ndcg=np.array([0.4, 0.0]), coverage=0.9), first]
    )
    assert np.allclose(mean.ndcg, [0.3, 0.2]) and np.allclose(mean.recall, [0.5, 0.5])
    assert (mean.coverage, mean.popularity) == (0.1, 7.0)


def test_every_model_has_its_figures(report):
    rows = {row["model"]: row for row in report["editions"][0]["rows"]}
    ranked = [tuned_name("ranking", name) if rival.settings else name for name, rival in load_tuned().items()]
    in_batch = [f"in-batch softmax{more}" for more in ("", ", log q added when ranking", " + logQ")]
    towers = [*in_batch, "history tower"]
    rated = ["mean", *(tuned_name("random", name) for name in load_tuned("random"))]
    assert set(rows) == {*ranked, *towers, *rated} and "most popular" in rows and "biases, tuned" in rows
    for model in rated:
        assert 0.5 < rows[model]["rmse_random"] < 2 and 0.5 < rows[model]["rmse_by_time"] < 2
    for model in [*ranked, *towers]:
        assert 0 <= rows[model]["ndcg_at_10_low"] <= rows[model]["ndcg_at_10"] <= rows[model]["ndcg_at_10_high"] <= 1
    for model in towers:
        assert rows[model]["ndcg_at_10_of_seeds"] == [rows[model]["ndcg_at_10"]]
        assert rows[model]["query_ms"] > 0 and rows[model]["train_seconds"] > 0


def test_an_edition_that_is_missing_says_how_to_get_it(report):
    for edition in report["editions"][1:]:
        assert "MOVIELENS_PATH" in edition["missing"] and "MOVIELENS_MIRROR" in edition["missing"]
    text = markdown(report)
    for name in ("ml-latest-small", "ml-100k", "ml-1m"):
        assert f"**{name}**: not measured. Set MOVIELENS_PATH" in text


def test_ratios_come_first_and_follow_from_the_figures(report):
    assert report["quick"] and report["machine"]["cores"] >= 1 and report["minutes"] > 0
    text = markdown(report)
    assert text.index("## Ratios") < text.index("## Quality") < text.index("## Cost against size")
    assert "QUICK=1" in text and "first 16 users" in text and "extrapolated" in text and "None" not in text
    ratios = {row["what"]: row for row in report["ratios"]}
    speed = {(row["pipeline"], row["width"]): row["examples_per_second"] for row in report["speeds"]}
    published, off = "TFRS tutorial, FactorizedTopK on", "TFRS tutorial, FactorizedTopK off"
    for course, width, other in (
        ("lesson 11", 64, published),
        ("lesson 11", 64, off),
        ("lesson 14", 64, published),
        ("lesson 14", 512, off),
    ):
        what = f"training examples a second, vectors of {width}: {course} / {other}"
        assert ratios[what]["ratio"] == pytest.approx(speed[course, width] / speed[other, width])
    for what, row in ratios.items():
        if "@10" in what:
            assert row["low"] <= row["ratio"] <= row["high"]
        else:
            assert row["ratio"] > 0


def test_cost_is_reported_for_every_size(report):
    assert [row["interactions"] for row in report["sizes"]] == list(TINY.sizes)
    assert all(row["seconds"] > 0 and row["peak_mb"] > 100 and row["epochs_timed"] == 1 for row in report["sizes"])
    linear = [{"interactions": 10**power, "seconds": 3 * 10**power} for power in (2, 3, 5)]
    assert slope(linear, "seconds") == pytest.approx(1)
    assert all(np.isfinite(report["slopes"][cost]) for cost in ("seconds", "cpu_seconds", "peak_mb"))


def test_evaluation_is_reported_for_every_number_of_users_and_items(report):
    assert [(row["users"], row["items"]) for row in report["evaluations"]] == list(TINY.evaluations)
    for row in report["evaluations"]:
        assert row["seconds"] > 0 and row["peak_mb"] > 100
        assert re.search(rf"\| +{row['users']} \| +{row['items']:,} \| +[0-9.]+ \| +[0-9,]+ \|", markdown(report))


def test_a_part_is_measured_in_a_process_of_its_own(capfd):
    assert "MOVIELENS_PATH" in measure(editions.what_is_missing, "ml-100k")
    with pytest.raises(SystemExit, match=r"editions\.what_is_missing ml-100k 2 failed"):
        measure(editions.what_is_missing, "ml-100k", 2)
    assert "TypeError" in capfd.readouterr().err


def test_every_encoder_is_compared_with_recency(report):
    rows = {row["encoder"]: row for row in report["encoders"]}
    assert list(rows) == ["recency", "recency + convolution", "GRU", "recency + GRU"]
    assert rows["recency"]["low"] == rows["recency"]["high"] == 0
    for encoder, row in rows.items():
        assert 0 <= row["ndcg_at_10"] <= 1 and row["low"] <= row["high"] and row["train_seconds"] > 0
        assert f"| {encoder} " in markdown(report)
    first_look = report | {"plan": report["plan"] | {"thorough": QUICK.thorough}}
    assert "## Encoders" in markdown(report) and "## Encoders" not in markdown(first_look)


def test_every_part_of_the_history_tower_is_taken_away(report):
    first, *others = report["ablation"]
    assert first["removed"] == "nothing" and first["lost"] == first["low"] == first["high"] == 0
    parts = [
        "recency",
        "genres",
        "logQ correction",
        "own movies left out of the negatives",
        "two tables of movie vectors",
    ]
    assert [row["removed"] for row in others] == parts
    for row in others:
        assert row["lost"] == pytest.approx(first["ndcg_at_10"] - row["ndcg_at_10"])
        assert row["low"] <= row["lost"] <= row["high"]
        assert f"| {row['removed']} " in markdown(report)
