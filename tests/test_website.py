"""What the site is made from, before Sphinx comes in: results, links, and the copies of lessons."""

import json

import pytest
import website
from lessons import NOTEBOOKS, find_lessons

ROW = dict.fromkeys(
    "rmse_random rmse_by_time recall_at_10 ndcg_at_10 ndcg_at_10_low ndcg_at_10_high coverage_at_10 train_seconds "
    "query_ms date".split()
)


@pytest.fixture
def build(tmp_path, monkeypatch):
    monkeypatch.setattr(website, "BUILD", tmp_path)
    return tmp_path


def test_results_are_those_of_the_readme_where_nothing_was_run_here(build):
    leaderboard, costs = website.results()
    assert "| history tower" in leaderboard and "NDCG@10" in leaderboard.splitlines()[0]
    heading, _, *rows = costs.splitlines()
    assert heading == "| # | lesson | minutes | peak GB |"
    assert len(rows) == len(find_lessons(NOTEBOOKS, ".ipynb", [])) and "](../notebooks/" in rows[0]


def test_results_are_those_of_the_last_run_here(build):
    lesson = {"lesson": "01", "title": "Title", "seconds": 3, "peak_mb": 400, "ok": True, "date": None}
    row = ROW | {"model": "mine", "lesson": "01", "kind": "baseline", "ndcg_at_10": 0.5}
    report = {"machine": {"cores": 2}, "lessons": [lesson], "leaderboard": [row]}
    (build / "run.json").write_text(json.dumps(report), encoding="utf-8")
    leaderboard, costs = website.results()
    assert "mine" in leaderboard and "history tower" not in leaderboard
    assert "400" in costs and costs.endswith("On cores 2.")


def test_a_copy_that_was_run_from_another_text_is_not_shown(build):
    lesson = find_lessons(NOTEBOOKS, ".ipynb", ["01"])[0]
    assert website.executed(lesson) == lesson
    text = lesson.read_text(encoding="utf-8")
    ran = build / lesson.name
    ran.write_text(text, encoding="utf-8")
    assert website.executed(lesson) == ran
    notebook = json.loads(text)
    notebook["cells"][0]["source"] = ["# An older title"]
    ran.write_text(json.dumps(notebook), encoding="utf-8")
    assert website.executed(lesson) == lesson


def test_lessons_and_solutions_keep_their_places(build):
    website.stage(build)
    staged, here = (
        {
            path.relative_to(folder).as_posix()
            for pattern in ("[0-9]*", "solutions/[0-9]*")
            for path in folder.glob(pattern)
        }
        for folder in (build / "notebooks", NOTEBOOKS)
    )
    assert staged == here


def test_columns_are_cut_out_by_name_and_lessons_become_links():
    table = "| model | kind | lesson |\n|---|---|---:|\n| EASE | baseline | 03 |\n| mine | baseline | tune |"
    cut = website.link_lessons(website.columns(table, ["lesson", "model"]))
    assert cut.splitlines()[:2] == ["| lesson | model |", "| ---: | --- |"]
    assert cut.splitlines()[2] == "| [03](../notebooks/03_rank_with_classic_baselines.ipynb) | EASE |"
    assert cut.splitlines()[3] == "| tune | mine |"
    assert website.columns("(no rows)", ["model"]) == "(no rows)"
