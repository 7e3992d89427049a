"""The set-up cell and `make colab-check`: what is there stays, a restart is asked for only when needed."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import colab
import jupytext
import nbformat
import pip
import pytest
from lessons import SCRIPTS

SET_UP = next(
    cell.source for cell in jupytext.read(min(SCRIPTS.glob("*.py"))).cells if "colab" in cell.metadata.get("tags", [])
)
# Stands in the place of pip: notes how it was called, and what it was told to keep, then does as a test says.
FAKE_PIP = """
import json, os, pathlib, sys
site, arguments = pathlib.Path(os.environ["PYTHONPATH"]), sys.argv[1:]
pins = sorted(sys.stdin.read().splitlines()) if "-c" in arguments else None
with (site / "calls").open("a") as calls:
    print(json.dumps([arguments[2], pins]), file=calls)
def have(name, version):
    for old in site.glob(f"{name}-*.dist-info"):
        (old / "METADATA").unlink()
        old.rmdir()
    folder = site / f"{name}-{version}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
"""
INSTALL = "have('two-towers', '0.1.0'); (site / 'recsys_utils.py').touch()\n"


@pytest.fixture
def session(tmp_path):
    """Return a function that runs the set-up cell where only `apples 1.0` and a pip that does as told are installed."""
    site = tmp_path / "site"
    (site / "apples-1.0.dist-info").mkdir(parents=True)
    (site / "apples-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: apples\nVersion: 1.0\n")
    (site / "pip").mkdir()
    (site / "pip" / "__init__.py").touch()

    def run(pip, first="", **settings):
        (site / "pip" / "__main__.py").write_text(FAKE_PIP + pip, encoding="utf-8")
        command = [sys.executable, "-S", "-c", first + SET_UP]  # -S: without the packages of our own environment
        return subprocess.run(
            command, cwd=tmp_path, env={"PYTHONPATH": str(site), **settings}, capture_output=True, text=True
        )

    def calls():
        path = site / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    run.site, run.calls = site, calls
    return run


def test_set_up_does_nothing_where_the_course_is_there(session):
    (session.site / "recsys_utils.py").touch()
    result = session("sys.exit('pip was called')")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert session.calls() == []


def test_set_up_installs_from_the_given_source_keeps_what_is_there_and_prints_one_line(session):
    result = session(INSTALL + "print('a warning', file=sys.stderr)", TWO_TOWERS_SOURCE="/a/folder[lessons]")
    assert (result.returncode, result.stdout, result.stderr) == (0, "The course is installed.\n", "")
    assert session.calls() == [["/a/folder[lessons]", ["apples==1.0"]]]
    again = session(INSTALL)
    assert (again.returncode, again.stdout) == (0, "") and len(session.calls()) == 1


def test_set_up_installs_the_main_branch_unless_told_otherwise(session):
    session(INSTALL)
    ((course, _),) = session.calls()
    assert course.startswith("two-towers[lessons] @ https://github.com/") and course.endswith("/heads/main.zip")


def test_a_package_that_another_of_its_name_hides_is_not_pinned_too(session):
    hidden = session.site / "hidden" / "apples-0.5.dist-info"
    hidden.mkdir(parents=True)
    (hidden / "METADATA").write_text("Metadata-Version: 2.1\nName: apples\nVersion: 0.5\n")
    result = session(INSTALL, first=f"import sys; sys.path.append({str(hidden.parent)!r})\n")
    assert result.returncode == 0, result.stderr
    assert session.calls()[0][1] == ["apples==1.0"], "the import system takes the first"


def test_where_something_must_be_replaced_set_up_asks_for_a_restart_and_then_all_is_well(session):
    result = session("if pins: sys.exit('apples==1.0 is in the way')\nhave('apples', '2.0')\n" + INSTALL)
    assert result.returncode and result.stdout == ""
    last = result.stderr.splitlines()[-1]
    assert last == "AssertionError: restart the session and run again: pip has replaced apples==1.0"
    assert [pins for _, pins in session.calls()] == [["apples==1.0"], None]
    assert session("sys.exit('pip was called')").returncode == 0


def test_where_only_the_pins_were_in_the_way_no_restart_is_needed(session):
    result = session("if pins: sys.exit('an odd pin')\nhave('pears', '1.0')\n" + INSTALL)
    assert (result.returncode, result.stdout) == (0, "The course is installed.\n")


def test_set_up_shows_why_pip_failed(session):
    result = session("sys.exit('ERROR: no space left on device')")
    assert result.returncode and "pip could not install the course:\nERROR: no space left on device" in result.stderr
    assert "CalledProcessError" not in result.stderr and "restart" not in result.stderr.splitlines()[-1]


def write_wheel(folder, name, version, *needs, files=()):
    """Write a wheel that pip takes."""
    about = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {need}\n" for need in needs)
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}")
        wheel.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        for file in files:
            wheel.writestr(file, "")
        wheel.writestr(f"{about}/RECORD", "")


@pytest.mark.skipif(os.name == "nt", reason="Colab is Linux; Windows has no /dev/stdin to read the pins from")
@pytest.mark.parametrize(
    ("needs", "says", "then"),
    [
        ("pears", "The course is installed.", {"apples": "1.0", "pears": "1.0"}),
        ("apples>=2", "restart the session and run again: pip has replaced apples==1.0", {"apples": "2.0"}),
        ("plums", "No matching distribution found for plums", {"apples": "1.0"}),
    ],
)
def test_pip_itself_takes_an_older_pear_rather_than_another_apple(tmp_path, needs, says, then):
    """Pears 2.0 need apples 2.0, which would replace the 1.0 that is there; pears 1.0 do not."""
    write_wheel(tmp_path, "apples", "1.0")
    write_wheel(tmp_path, "apples", "2.0")
    write_wheel(tmp_path, "pears", "1.0", "apples")
    write_wheel(tmp_path, "pears", "2.0", "apples>=2")
    write_wheel(tmp_path, "two_towers", "0.1.0", needs, files=["recsys_utils.py"])
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "env"], check=True)
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "pip").symlink_to(Path(pip.__file__).parent)  # quicker than another copy of pip
    python = tmp_path / "env" / colab.INTERPRETER.relative_to(colab.FOLDER / "env")
    own = {
        "PYTHONPATH": str(tmp_path / "path"),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(tmp_path),
        "PIP_CONFIG_FILE": "/dev/null",
    }
    settings = own | {"TWO_TOWERS_SOURCE": str(tmp_path / "two_towers-0.1.0-py3-none-any.whl")}
    subprocess.run([python, "-m", "pip", "install", "-q", "apples==1.0"], env=own, check=True)
    result = subprocess.run([python, "-c", SET_UP], env=settings, cwd=tmp_path, capture_output=True, text=True)
    assert says in (result.stderr or result.stdout).strip().splitlines()[-1], result.stderr
    listed = subprocess.run([python, "-m", "pip", "list", "--format=json"], env=own, capture_output=True, text=True)
    versions = {one["name"]: one["version"] for one in json.loads(listed.stdout)}
    assert then.items() <= versions.items(), versions


PLANTED = """import importlib.metadata as metadata
found = metadata.distributions
def planted():
    for one in found():
        if one.name == "numpy":
            one = type("Planted", (), {"name": "numpy", "version": "9.9", "files": []})
        yield one
metadata.distributions = planted
print("done")"""


@pytest.mark.parametrize(
    ("set_up", "then", "verdict", "error"),
    [
        ("print('done')", "import os\nassert os.getcwd().endswith('content') and os.listdir() == []", "ok", ""),
        ("print('done')", "assert 1 + 1 == 3, 'wrong sum'", "cell 1", "wrong sum"),
        ("print('done')\nprint('twice')", "1", "set-up", "expected one line"),
        ("1", "1", "set-up", "expected one line"),
        (PLANTED, "1", "set-up", "by 9.9"),
        ("raise RuntimeError('no network')", "1", "cell 0", "no network"),
    ],
)
def test_the_check_is_green_only_if_all_is_well(set_up, then, verdict, error, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(colab, "INTERPRETER", sys.executable)
    monkeypatch.setattr(colab, "FOLDER", tmp_path)
    cells = [nbformat.v4.new_code_cell(source) for source in (set_up, then)]
    cells[0].metadata["tags"] = ["colab"]
    lesson = tmp_path / "01_try.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), lesson)
    visit = colab.visit(lesson, "no source")
    assert colab.print_report([visit]) == (verdict != "ok")
    output = capsys.readouterr().out
    assert output.splitlines()[3].split("  ")[0] == "01" and f" {verdict} " in output.splitlines()[3]
    assert error in output
    assert bool(visit.replaced) == (set_up == PLANTED)


def test_what_was_added_is_listed_with_its_size(tmp_path):
    visit = colab.Visit(tmp_path / "01_try.ipynb")
    before = {"time": 5.0, "packages": {"apples": ["1.0", 3.0], "plums": ["1.0", 9.0]}}
    after = {"time": 9.0, "packages": {"apples": ["1.0", 3.0], "pears": ["2.0", 4.0]}}
    colab.compare(visit, before, after)
    assert (visit.added, visit.megabytes, visit.set_up_seconds) == (["pears 2.0"], 4.0, 4.0)
    assert visit.failures == {"set-up": "the set-up cell replaced plums 1.0 by nothing"}


def test_every_lesson_meets_the_environment_as_new(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(colab, "INTERPRETER", tmp_path / "python")
    monkeypatch.setattr(colab, "uv", lambda *arguments: calls.append(arguments[:2]))
    colab.reset_environment()
    (tmp_path / "python").touch()
    colab.reset_environment()
    assert [call[0] for call in calls] == ["venv", "pip", "pip"] and calls[1] == calls[2] == ("pip", "sync")


def test_without_the_python_of_colab_the_check_says_what_it_takes(monkeypatch, capsys):
    monkeypatch.setattr(colab, "PYTHON", (3, 99))
    assert colab.find_python() == sys.executable
    assert "Colab has python3.99, which is not here; trying Python 3." in capsys.readouterr().out


def test_the_archive_is_that_of_the_checkout(tmp_path):
    source = colab.pack_course(tmp_path / "main.zip")
    assert source == f"two-towers[lessons] @ {(tmp_path / 'main.zip').as_uri()}"
    with zipfile.ZipFile(tmp_path / "main.zip") as archive:
        names = archive.namelist()
    assert "two-towers-main/pyproject.toml" in names and "two-towers-main/recsys_utils/__init__.py" in names
    assert not any(name.startswith(("two-towers-main/build/", "two-towers-main/.venv/")) for name in names)
