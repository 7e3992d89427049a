"""The set-up cell with a stand-in for pip, and `make colab-check` on notebooks that break its rules."""

import json
import os
import subprocess
import sys
from pathlib import Path

import colab
import jupytext
import nbformat
import pytest
from badges import repository
from lessons import SCRIPTS, find_lessons

# Notes what it was asked for, then does what HABIT says to apples 1.0, the one package there.
PIP = """
import json, os, pathlib, sys
folder, habit = pathlib.Path(__file__).parent.parent, os.environ["HABIT"]
held = sys.stdin.read().split() if "-c" in sys.argv else None
with (folder / "asked.jsonl").open("a") as file:
    file.write(json.dumps([sys.argv[1:], held]) + "\\n")
print("pip talks a lot")
if habit == "breaks":
    sys.exit("ERROR: no such host")
if habit == "replaces":
    if held:
        sys.exit("ERROR: ResolutionImpossible")
    (folder / "apples-1.0.dist-info" / "METADATA").write_text("Name: apples\\nVersion: 2.0\\n")
    (folder / "apples-1.0.dist-info").rename(folder / "apples-2.0.dist-info")
"""


def set_up_cell():
    lesson = jupytext.read(find_lessons(SCRIPTS, ".py", [])[0])
    return next(cell.source for cell in lesson.cells if "colab" in cell.metadata.get("tags", []))


@pytest.fixture
def run_cell(tmp_path):
    """Run the set-up cell in a Python that sees `tmp_path` and the standard library; return it and pip's calls."""
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "__init__.py").touch()
    (tmp_path / "pip" / "__main__.py").write_text(PIP, encoding="utf-8")
    (tmp_path / "apples.py").touch()
    (tmp_path / "apples-1.0.dist-info").mkdir()
    (tmp_path / "apples-1.0.dist-info" / "METADATA").write_text("Name: apples\nVersion: 1.0\n", encoding="utf-8")

    def run(habit="installs", source=None):
        environment = {key: value for key, value in os.environ.items() if key != "TWO_TOWERS_SOURCE"}
        environment |= {"PYTHONPATH": str(tmp_path), "HABIT": habit}
        if source:
            environment["TWO_TOWERS_SOURCE"] = source
        command = [sys.executable, "-S", "-c", "import apples\n" + set_up_cell()]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        asked = tmp_path / "asked.jsonl"
        return done, [json.loads(line) for line in asked.read_text().splitlines()] if asked.exists() else []

    return run


def test_set_up_cell_does_nothing_where_the_course_is(run_cell, tmp_path):
    (tmp_path / "recsys_utils.py").touch()
    done, calls = run_cell()
    assert (done.returncode, done.stdout, done.stderr, calls) == (0, "", "", [])


def test_set_up_cell_installs_main_and_holds_what_is_there(run_cell):
    done, [(arguments, held)] = run_cell()
    assert (done.returncode, done.stdout, done.stderr) == (0, "The course is installed.\n", "")
    address = f"https://github.com/{repository()}/archive/refs/heads/main.zip"
    assert arguments == ["install", "--quiet", f"two-towers[lessons] @ {address}", "-c", "/dev/stdin"]
    assert held == ["apples==1.0"]


def test_set_up_cell_installs_from_the_address_that_is_set(run_cell):
    done, [(arguments, _)] = run_cell(source="/somewhere/course.whl")
    assert done.stdout == "The course is installed.\n" and arguments[2] == "/somewhere/course.whl"


def test_set_up_cell_asks_for_a_restart_when_a_loaded_package_was_replaced(run_cell):
    done, calls = run_cell("replaces")
    assert done.returncode and done.stdout == ""
    last = done.stderr.splitlines()[-1]
    assert last == "AssertionError: restart the session and run again: pip has replaced apples==1.0"
    assert [held for _, held in calls] == [["apples==1.0"], None], "first with what is there held, then free"


def test_set_up_cell_shows_why_pip_failed(run_cell):
    done, _ = run_cell("breaks")
    assert done.returncode and done.stdout == ""
    assert "pip could not install the course:\nERROR: no such host" in done.stderr


# A lesson's first cell brings pears 1.0; its set-up cell is the part that each test plants.
FIRST = """import os, sys
def write(version):
    os.makedirs("pears.dist-info", exist_ok=True)
    with open("pears.dist-info/METADATA", "w") as file:
        file.write(f"Name: pears\\nVersion: {version}\\n")
write("1.0")
sys.path.append(os.getcwd())"""


@pytest.fixture
def check(tmp_path, monkeypatch, capsys):
    """Run `make colab-check`, in our own environment, on one lesson with this set-up cell and this last cell."""
    monkeypatch.setattr(colab, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(colab, "FOLDER", tmp_path / "build")
    monkeypatch.setattr(colab, "INTERPRETER", Path(sys.executable))
    monkeypatch.setattr(colab, "reset_environment", lambda: None)
    monkeypatch.setattr(colab, "pack_course", lambda archive: "our/course")
    monkeypatch.setattr(sys, "argv", ["colab.py", "all"])

    def run(set_up, last="1 + 1"):
        cells = [nbformat.v4.new_code_cell(source) for source in (FIRST, set_up, last)]
        cells[1].metadata["tags"] = ["colab"]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "02_pears.ipynb")
        code = colab.main()
        said = capsys.readouterr().out
        row = next(line for line in said.splitlines() if line.startswith("02"))
        return code, " ".join(row.split()[1:-3]), said  # without megabytes and seconds

    return run


def test_check_passes_what_adds_a_package_and_prints_a_line(check):
    last = "assert os.environ['TWO_TOWERS_SOURCE'] == 'our/course' and len(os.listdir()) == 2, os.listdir()"
    plant = "os.mkdir('figs.dist-info')\nopen('figs.dist-info/METADATA', 'w').write('Name: figs\\nVersion: 3\\n')\n"
    code, row, said = check(plant + "print('done')", last)
    assert (code, row) == (0, "ok 1 0"), said
    assert "added: figs 3" in said


@pytest.mark.parametrize(
    ("set_up", "last", "row", "reason"),
    [
        ("write('2.0')\nprint('done')", "", "set-up 0 1", "the set-up cell replaced pears 1.0 by 2.0"),
        ("os.rename('pears.dist-info', 'pears')\nprint('done')", "", "set-up 0 1", "replaced pears 1.0 by nothing"),
        ("print('done')\nprint('indeed')", "", "set-up 0 0", r"printed 'done\nindeed\n'; expected one line"),
        ("pass", "", "set-up 0 0", "printed ''; expected one line"),
        ("print('done')", "1 / 0", "cell 2 0 0", "ZeroDivisionError"),
        ("raise RuntimeError('restart')", "", "cell 1 0 0", "RuntimeError: restart"),
    ],
)
def test_check_fails_and_says_where(check, set_up, last, row, reason):
    code, seen, said = check(set_up, last)
    assert (code, seen) == (1, row), said
    assert reason in said


def test_check_names_a_python_that_is_not_colabs(monkeypatch, capsys):
    monkeypatch.setattr(colab, "PYTHON", (3, 99))
    assert colab.find_python() == sys.executable
    assert "Colab has python3.99, which is not here; trying Python 3." in capsys.readouterr().out


def test_versions_of_colab_are_dated_pins():
    text = colab.VERSIONS.read_text(encoding="utf-8")
    assert "January 2026" in text.split("\nabsl")[0]
    pins = dict(line.split("==") for line in text.splitlines() if line[0] != "#")
    assert (pins["numpy"], pins["pandas"], pins["tensorflow"], pins["keras"]) == ("2.0.2", "2.2.2", "2.19.0", "3.10.0")
