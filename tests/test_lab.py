"""`make lab` works on copies, keeps what somebody did to them, and says what root can do."""

import os
import sys

import lab
import nbformat
import pytest


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "notebooks" / "images").mkdir(parents=True)
    for name, value in [
        ("NOTEBOOKS", tmp_path / "notebooks"),
        ("LAB", tmp_path / "build" / "lab"),
        ("MADE", tmp_path / "build" / "lab.json"),
    ]:
        monkeypatch.setattr(lab, name, value)
    write_lesson(tmp_path, "01_a", "first edition")
    write_lesson(tmp_path, "02_b", "first edition")
    return tmp_path


def write_lesson(project, name, text):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text, id="cell-000")])
    notebook.metadata["jupytext"] = {"formats": "notebooks//ipynb,notebooks/scripts//py:percent"}
    nbformat.write(notebook, project / "notebooks" / f"{name}.ipynb")


def copy_of(name):
    return nbformat.read(lab.LAB / f"{name}.ipynb", as_version=4)


def test_a_copy_follows_the_course_until_its_reader_changes_it(project):
    assert lab.copy_notebooks() == []
    assert copy_of("01_a").cells[0].source == "first edition" and "jupytext" not in copy_of("01_a").metadata
    mine = copy_of("01_a")
    mine.cells[0].source = "my own work"
    nbformat.write(mine, lab.LAB / "01_a.ipynb")
    assert lab.copy_notebooks() == [], "the course has nothing newer"
    for name in ("01_a", "02_b"):
        write_lesson(project, name, "second edition")
    assert lab.copy_notebooks() == ["01_a.ipynb"]
    assert copy_of("01_a").cells[0].source == "my own work"
    assert copy_of("02_b").cells[0].source == "second edition"
    (lab.LAB / "01_a.ipynb").unlink()
    assert lab.copy_notebooks() == []
    assert copy_of("01_a").cells[0].source == "second edition"


def test_a_file_that_was_there_before_the_copy_is_kept(project):
    lab.LAB.mkdir(parents=True)
    (lab.LAB / "01_a.ipynb").write_text("somebody's", encoding="utf-8")
    assert lab.copy_notebooks() == ["01_a.ipynb"]
    assert (lab.LAB / "01_a.ipynb").read_text(encoding="utf-8") == "somebody's"


def test_solutions_are_copied_by_the_same_rule_and_reach_the_lesson_and_the_images(project):
    assert lab.copy_notebooks() == [], "a course without solutions"
    (project / "notebooks" / "solutions").mkdir()
    (project / "notebooks" / "images" / "badge.svg").touch()
    for name in ("solutions/01_a", "solutions/02_b"):
        write_lesson(project, name, "[lesson](../01_a.ipynb)")
    assert lab.copy_notebooks() == []
    assert copy_of("solutions/01_a").cells[0].source == "[lesson](../01_a.ipynb)"
    assert copy_of("01_a").cells[0].source == "first edition", "a lesson and its solutions have the same file name"
    assert (lab.LAB / "solutions" / "../01_a.ipynb").exists() and (lab.LAB / "solutions/../images/badge.svg").exists()
    mine = copy_of("solutions/01_a")
    mine.cells[0].source = "my own work"
    nbformat.write(mine, lab.LAB / "solutions" / "01_a.ipynb")
    for name in ("solutions/01_a", "solutions/02_b"):
        write_lesson(project, name, "second edition")
    assert lab.copy_notebooks() == ["solutions/01_a.ipynb"]
    assert copy_of("solutions/01_a").cells[0].source == "my own work"
    assert copy_of("solutions/02_b").cells[0].source == "second edition"


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="there is no root here")
@pytest.mark.parametrize(("user", "asked", "allowed"), [(0, [], None), (0, ["1"], True), (1000, [], False)])
def test_root_is_told_how_and_others_are_not_bothered(project, monkeypatch, user, asked, allowed):
    started = []

    class Process:
        def __init__(self, command):
            started.append(command)

        def wait(self):
            if len(started) == 1:
                started.append("asked to stop")
                raise KeyboardInterrupt  # JupyterLab asks its user whether to stop, so we stay
            return 0

    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(lab.subprocess, "Popen", Process)
    monkeypatch.setattr(sys, "argv", ["lab.py", *asked])
    if allowed is None:
        with pytest.raises(SystemExit, match=r"^You are root, .*`make lab ROOT=1`.*$"):
            lab.main()
        assert started == []
    else:
        assert lab.main() == 0
        assert ("--allow-root" in started[0]) == allowed
        assert str(lab.LAB / "01_a.ipynb") in started[0]
