"""`make run`, `make notebooks` and `make badges` on a small project of two lessons."""

import itertools
import json
import shutil
import sys
from unittest.mock import Mock

import badges
import lessons
import nbformat
import pictures
import pytest
import run
from matplotlib.figure import Figure
from matplotlib.text import Text

import notebooks

GOOD = """# %% [markdown]
# # Count to three


# %%
def count():
    return 1 + 2


print(count())
"""
BAD = """# %% [markdown]
# # Fall over

# %%
apples = 3
apples / 0
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Two paired lessons in a folder with a space in its name; the first one fails."""
    root = tmp_path / "two towers"
    folder, scripts, build = root / "notebooks", root / "notebooks" / "scripts", root / "build"
    scripts.mkdir(parents=True)
    (folder / "images").mkdir()
    shutil.copy(lessons.ROOT / "pyproject.toml", root)
    (scripts / "01_fall_over.py").write_text(BAD, encoding="utf-8")
    (scripts / "02_count.py").write_text(GOOD, encoding="utf-8")
    for variable in ("TWO_TOWERS_LEADERBOARD", "TWO_TOWERS_ITEM_VECTORS"):
        monkeypatch.setenv(variable, "")  # the tools set them; this puts them back before nbval runs the lessons
    for module, name, value in [
        (lessons, "NOTEBOOKS", folder),
        (run, "NOTEBOOKS", folder),
        (run, "BUILD", build),
        (notebooks, "ROOT", root),
        (notebooks, "NOTEBOOKS", folder),
        (notebooks, "SCRIPTS", scripts),
        (badges, "ROOT", root),
    ]:
        monkeypatch.setattr(module, name, value)
    return root


def test_rebuild_of_an_unchanged_lesson_gives_the_same_bytes(project, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["notebooks.py", "02"])
    notebooks.main()
    path = project / "notebooks" / "02_count.ipynb"
    script = project / "notebooks" / "scripts" / "02_count.py"
    first, source = path.read_bytes(), script.read_bytes()
    notebooks.main()
    assert path.read_bytes() == first
    assert script.read_bytes() == source, "a rebuild should leave a script that nobody edited as it was"
    built = nbformat.reads(first.decode(), as_version=4)
    assert built.cells[1].outputs[0].text == "3\n"


def test_solutions_are_rebuilt_with_their_lesson_and_leave_no_vectors(project, monkeypatch):
    scripts = project / "notebooks" / "scripts"
    (scripts / "solutions").mkdir()
    solution = "# %%\nimport os\n\nos.environ['TWO_TOWERS_ITEM_VECTORS']\n"
    for name in ("02_count", "03_of_no_lesson"):
        (scripts / "solutions" / f"{name}.py").write_text(solution, encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["notebooks.py", "2"])
    notebooks.main()
    built = nbformat.read(project / "notebooks" / "solutions" / "02_count.ipynb", as_version=4)
    assert built.metadata.jupytext.formats == "notebooks/solutions//ipynb,notebooks/scripts/solutions//py:percent"
    assert built.cells[0].outputs[0]["data"]["text/plain"] == "''", "lesson 16's vectors are the lesson's own"
    assert not (project / "notebooks" / "solutions" / "03_of_no_lesson.ipynb").exists()


def test_a_failing_cell_is_named_and_the_other_lessons_still_run(project, monkeypatch, capsys):
    for script in ("01_fall_over", "02_count"):
        cells = [nbformat.v4.new_markdown_cell("# Title $x^2$"), nbformat.v4.new_code_cell("apples = 3")]
        cells.append(nbformat.v4.new_code_cell("apples / 0" if script.startswith("01") else "apples / 1"))
        nbformat.write(nbformat.v4.new_notebook(cells=cells), project / "notebooks" / f"{script}.ipynb")
    monkeypatch.setattr(sys, "argv", ["run.py"])
    monkeypatch.setattr(run.website, "build", Mock())
    assert run.main() == 1
    assert run.website.build.called, "the site shows how far each lesson came"
    error = capsys.readouterr().err
    assert "01_fall_over.ipynb failed" in error and "apples / 0" in error and "ZeroDivisionError" in error
    report = json.loads((project / "build" / "run.json").read_text(encoding="utf-8"))
    assert [(row["lesson"], row["ok"]) for row in report["lessons"]] == [("01", False), ("02", True)]
    assert all(row["seconds"] > 0 and row["peak_mb"] > 20 for row in report["lessons"])
    assert report["machine"]["cores"] >= 1 and {row["lesson"] for row in report["leaderboard"]} == {"tune"}


def test_unknown_lesson_is_refused_with_the_known_ones(project, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["notebooks.py", "77"])
    with pytest.raises(SystemExit, match=r"LESSON is '77'; expected one of 01, 02"):
        notebooks.main()


def test_leaderboard_is_ordered_and_null_shows_as_a_dash():
    ranking_figures = "recall_at_10 ndcg_at_10 ndcg_at_10_low ndcg_at_10_high coverage_at_10".split()
    row = dict.fromkeys(["rmse_random", "rmse_by_time", *ranking_figures, "train_seconds", "query_ms"])
    rated = {**row, "model": "only rates", "lesson": "02", "kind": "baseline", "rmse_by_time": 0.9}
    ranking = {"recall_at_10": 0.1, "ndcg_at_10": 0.2, "ndcg_at_10_low": 0.1, "ndcg_at_10_high": 0.3}
    ranked = {**row, **ranking, "model": "ranks", "lesson": "08", "kind": "two-tower"}
    better = {**ranked, "model": "ranks better", "ndcg_at_10": 0.25}
    lines = run.leaderboard_table([rated, ranked, better], "simple").splitlines()[2:]
    assert [line.split("  ")[0] for line in lines] == ["ranks better", "ranks", "only rates"]
    assert "0.100 to 0.300" in lines[0] and "–" in lines[2] and "None" not in "".join(lines)


def test_leaderboard_takes_missing_baselines_from_a_full_benchmark(project):
    rows = [{"model": "SVD", "kind": "baseline"}, {"model": "SVD++", "kind": "baseline"}]
    report = {"editions": [{"rows": [*rows, {"model": "towers", "kind": "two-tower"}]}]}
    assert run.rows_of_benchmark({"SVD"}) == []
    run.BUILD.mkdir()
    for quick, expected in ((False, ["SVD++"]), (True, [])):
        (run.BUILD / "bench.json").write_text(json.dumps(report | {"quick": quick}), encoding="utf-8")
        assert [row["model"] for row in run.rows_of_benchmark({"SVD"})] == expected


def test_leaderboard_shows_the_tuned_rivals_beside_the_lessons_own():
    rows = {row["model"]: row for row in run.rows_of_tuned_rivals(set())}
    assert rows["biases, tuned"]["rmse_random"] < 0.89 and rows["biases, tuned"]["rmse_by_time"] < 0.91
    assert rows["item to next item, tuned"]["ndcg_at_10"] > 0.172 and rows["EASE, tuned"]["rmse_random"] is None
    assert run.tuned_name("ranking", "item CF") != run.tuned_name("random", "item CF")
    assert "EASE, tuned" not in {row["model"] for row in run.rows_of_tuned_rivals({"EASE, tuned"})}
    first, *_ = run.leaderboard_table(list(rows.values()), "simple").splitlines()[2:]
    assert first.startswith("item to next item, tuned") and "0.159 to 0.189" in first


def test_labels_of_the_cost_picture_do_not_cover_each_other(monkeypatch):
    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    rows = [
        {
            "model": f"model {place} with a long name",
            "kind": "baseline" if place % 2 else "two-tower",
            "ndcg_at_10": 0.1 + place / 1000,
            "ndcg_at_10_low": 0.09,
            "ndcg_at_10_high": 0.12,
            "train_seconds": 1 + place / 4,
        }
        for place in range(5)
    ]
    pictures.draw_cost([*rows, {**rows[0], "model": "only rates", "ndcg_at_10": None}], "cost.png")
    boxes = {label.get_text(): Text.get_window_extent(label) for label in drawn[0].axes[0].texts}
    assert set(boxes) == {row["model"] for row in rows}
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes.values(), 2))


def test_badges_rewrite_every_address(project, monkeypatch):
    old = badges.repository()
    lesson = project / "notebooks" / "scripts" / "02_count.py"
    solution = project / "notebooks" / "solutions" / "02_count.ipynb"
    solution.parent.mkdir()
    readme = project / "README.md"
    readme.write_text(f"https://mybinder.org/v2/gh/{old}/main https://github.com/{old}", encoding="utf-8")
    citation = shutil.copy(lessons.ROOT / "CITATION.cff", project / "CITATION.cff")
    colab = f"https://colab.research.google.com/github/{old}/blob"
    lesson.write_text(f"# {colab} @ https://github.com/{old}/archive/refs/heads/main.zip", encoding="utf-8")
    shutil.copy(lesson, solution)
    monkeypatch.setattr(sys, "argv", ["badges.py", "someone/else"])
    badges.main()
    assert badges.repository() == "someone/else"
    for path in (readme, lesson, solution):
        text = path.read_text(encoding="utf-8")
        assert old not in text and text.count("someone/else") == 2
    assert "repository-code: https://github.com/someone/else\n" in citation.read_text(encoding="utf-8")
