"""The commands as a reader calls them: `make` in a small project of two lessons, Ctrl-C among them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from unittest.mock import Mock

import environment
import nbformat
import pytest
from lessons import ROOT

pytestmark = pytest.mark.skipif(os.name == "nt", reason="sends SIGINT to a process group")

FAKE_PIP = """import os, pathlib, sys, time
print("Collecting something", flush=True)
pathlib.Path("pip-has-started").touch()
time.sleep(float(os.environ["FAKE_PIP_SECONDS"]))
"""
FAKE_SPHINX = """import pathlib, sys
pathlib.Path(sys.argv[-1]).mkdir(parents=True)
"""
SLOW = "import pathlib, time\npathlib.Path('../cell-has-started').touch()\ntime.sleep(60)"


def write_lesson(root, name, *cells):
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell("# Title\n\n[other](01_quick.ipynb) [next](02_next.ipynb)")]
        + [nbformat.v4.new_code_cell(cell, execution_count=1) for cell in cells]
    )
    nbformat.write(notebook, root / "notebooks" / f"{name}.ipynb")
    script = root / "notebooks" / "scripts" / f"{name}.py"
    script.parent.mkdir(exist_ok=True)
    script.touch()


@pytest.fixture
def project(tmp_path):
    """Our commands beside two lessons, in a folder with a space in its name, with no environment yet."""
    root = tmp_path / "two towers"
    (root / "notebooks" / "scripts").mkdir(parents=True)
    (root / "notebooks" / "images").mkdir()
    (root / "tests").mkdir()
    (root / "tests" / "test_one.py").write_text("def test_one():\n    pass\n", encoding="utf-8")
    (root / "data").mkdir()
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "data/README.md"):
        shutil.copy(ROOT / name, root / name)
    shutil.copytree(ROOT / "docs", root / "docs")
    shutil.copytree(ROOT / "tools", root / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    write_lesson(root, "01_quick", "print(1)")
    write_lesson(root, "02_next", "print(2)")
    return root


@pytest.fixture
def fake_pip(tmp_path):
    """Settings under which `python -m pip` installs nothing and takes FAKE_PIP_SECONDS over it."""
    package = tmp_path / "fakes" / "pip"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(FAKE_PIP, encoding="utf-8")
    return {"PYTHONPATH": str(package.parent)}


def give_environment(root):
    """Let the project use the environment of these tests, and a Sphinx that makes no page, as if set up here."""
    fake = root / ".venv" / "fakes" / "sphinx"
    fake.mkdir(parents=True)
    (fake / "__init__.py").touch()
    (fake / "__main__.py").write_text(FAKE_SPHINX, encoding="utf-8")
    python = root / ".venv" / "bin" / "python"
    python.parent.mkdir()
    path = f'"{fake.parent}:$PYTHONPATH"'
    python.write_text(f'#!/bin/sh\nPYTHONPATH={path} exec "{sys.executable}" "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    code = """from environment import *
STAMP.write_text(wanted(LOCK))
SITE_STAMP.write_text(wanted(SITE_LOCK))"""
    subprocess.run([sys.executable, "-c", code], cwd=root / "tools", check=True, env=environ(PYTHONPATH=""))


def environ(**settings):
    return os.environ | {"PYTHON": sys.executable} | settings


def make(root, *arguments, **settings):
    return subprocess.run(
        ["make", *arguments], cwd=root, env=environ(**settings), capture_output=True, text=True, timeout=300
    )


def interrupt(root, *arguments, when, **settings):
    """Call make, press Ctrl-C once the file `when` appears, and return what was printed, less make's own last line."""
    process = subprocess.Popen(
        ["make", *arguments],
        cwd=root,
        env=environ(**settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 200
    while not (root / when).exists():
        assert time.monotonic() < deadline and process.poll() is None, process.communicate()[0]
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    output = process.communicate(timeout=60)[0]
    (root / when).unlink()
    assert process.returncode, output
    assert "Traceback" not in output and "most recent call last" not in output, output
    return [line for line in output.splitlines() if not line.startswith("make: ***")]


@pytest.mark.parametrize("command", ["run", "notebooks", "solutions", "portability", "setup"])
def test_an_unknown_lesson_is_refused_before_anything_is_installed(project, command):
    result = make(project, command, "LESSON=99")
    assert result.returncode
    assert result.stderr.splitlines()[0] == "LESSON is '99'; expected one of 01, 02"
    assert result.stdout == "" and not (project / ".venv").exists()


def test_one_digit_and_several_lessons_are_understood(project):
    give_environment(project)
    for wanted, expected in (("2", ["02"]), ("02 1", ["01", "02"])):
        result = make(project, "run", f"LESSON={wanted}")
        assert result.returncode == 0, result.stderr
        report = json.loads((project / "build" / "run.json").read_text(encoding="utf-8"))
        assert [row["lesson"] for row in report["lessons"]] == expected


def write_solution(root, name, *cells):
    (root / "notebooks" / "solutions").mkdir(exist_ok=True)
    write_lesson(root, f"solutions/{name}", *cells)


def test_solutions_are_run_where_there_are_some(project):
    give_environment(project)
    result = make(project, "solutions")
    assert (result.returncode, result.stdout) == (0, "Lessons without solutions: 01, 02\n"), result.stderr
    write_solution(project, "01_quick", "import os\nassert os.path.exists('../01_quick.ipynb')")
    for wanted in ("1", "01", "02 1"):
        result = make(project, "solutions", f"LESSON={wanted}")
        assert result.returncode == 0, result.stdout
        assert result.stdout.splitlines()[-1].split() == ["01", "ok"]
        assert ("without solutions: 02" in result.stdout) == ("2" in wanted)
    write_solution(project, "02_next", "assert 1 + 1 == 3, 'wrong sum'")
    result = make(project, "solutions", "LESSON=2")
    assert result.returncode and "=== 02_next.ipynb, cell 0, solutions ===" in result.stdout
    assert "wrong sum" in result.stdout and "01" not in result.stdout
    assert make(project, "test").returncode == 0, "make test leaves the solutions to make test-all"


def test_ctrl_c_during_set_up_ends_in_one_line_and_the_next_call_recovers(project, fake_pip):
    lines = interrupt(project, "setup", when="pip-has-started", FAKE_PIP_SECONDS="60", **fake_pip)
    assert lines[1:] == ["Stopped. The next call makes anew what is unfinished."], lines
    assert (project / ".venv").exists() and not (project / ".venv" / "made-from").exists()
    result = make(project, "setup", FAKE_PIP_SECONDS="0", **fake_pip)
    assert result.returncode == 0, result.stderr
    installed = result.stdout.splitlines()[1:]
    assert installed == [
        "  1 packages installed from requirements.lock",
        "  recsys_utils, from this folder, installed",
    ]
    assert make(project, "setup", **fake_pip).stdout == "", "a finished environment is left alone"


def test_ctrl_c_during_the_doctor_s_checks_ends_in_one_line(project, tmp_path):
    git = tmp_path / "fakes" / "git"
    git.parent.mkdir()
    git.write_text("#!/bin/sh\ntouch checks-have-started\nsleep 60\n", encoding="utf-8")
    git.chmod(0o755)
    path = f"{git.parent}{os.pathsep}{os.environ['PATH']}"
    lines = interrupt(project, "doctor", when="checks-have-started", PATH=path)
    assert lines[1:] == ["Stopped. The next call makes anew what is unfinished."], lines


def test_an_environment_that_is_half_replaced_does_not_look_whole(tmp_path, monkeypatch):
    stamp = tmp_path / "made-from"
    stamp.write_text("an older lock", encoding="utf-8")
    monkeypatch.setattr(environment, "STAMP", stamp)
    monkeypatch.setattr(environment.venv, "create", Mock(side_effect=KeyboardInterrupt))
    monkeypatch.setattr(sys, "argv", ["environment.py"])
    with pytest.raises(KeyboardInterrupt):
        environment.main()
    assert not stamp.exists()


def test_ctrl_c_during_a_run_ends_in_one_line_and_keeps_what_was_finished(project):
    give_environment(project)
    write_lesson(project, "02_next", SLOW)
    lines = interrupt(project, "run", when="cell-has-started")
    lines = [line for line in lines if "cell" not in line and line]  # the progress bar
    assert lines == ["Stopped. The next call makes anew what is unfinished."], lines
    report = json.loads((project / "build" / "run.json").read_text(encoding="utf-8"))
    assert [row["lesson"] for row in report["lessons"]] == ["01"]
    write_lesson(project, "02_next", "print(2)")
    result = make(project, "run")
    assert result.returncode == 0, result.stderr
    assert not [path.name for path in (project / "build").iterdir() if "unfinished" in path.name]


def test_ctrl_c_during_tests_shows_no_traceback_and_leaves_no_kernel(project):
    give_environment(project)
    write_lesson(project, "02_next", "import os, pathlib\npathlib.Path('../kernel').write_text(str(os.getpid()))", SLOW)
    lines = interrupt(project, "test", when="cell-has-started")
    assert any("passed" in line for line in lines[-2:]), lines
    kernel = int((project / "kernel").read_text(encoding="utf-8"))
    for _ in range(100):
        if not os.path.exists(f"/proc/{kernel}"):
            return
        time.sleep(0.1)
    pytest.fail(f"kernel {kernel} is still there")


def test_ctrl_c_while_a_tool_imports_its_libraries_ends_in_one_line(project):
    give_environment(project)
    started = "import pathlib, time\npathlib.Path('imports-have-started').touch()\ntime.sleep(60)\n"
    (project / "tools" / "pictures.py").write_text(started, encoding="utf-8")
    lines = interrupt(project, "run", when="imports-have-started")
    assert lines == ["Stopped. The next call makes anew what is unfinished."], lines


def test_a_run_of_one_lesson_keeps_the_rows_and_pages_of_the_others(project):
    give_environment(project)
    save = """import json, os, pathlib
names = "rmse_random rmse_by_time recall_at_10 ndcg_at_10 ndcg_at_10_low ndcg_at_10_high coverage_at_10".split()
row = dict.fromkeys([*names, "train_seconds", "query_ms"])
row |= {{"lesson": "{0}", "model": "model of {0}", "kind": "baseline"}}
pathlib.Path(os.environ["TWO_TOWERS_LEADERBOARD"], "{0}.json").write_text(json.dumps([row]))"""
    write_lesson(project, "01_quick", save.format("01"))
    write_lesson(project, "02_next", save.format("02"))
    assert make(project, "run").returncode == 0
    path = project / "build" / "run.json"
    yesterday = json.loads(path.read_text(encoding="utf-8"))
    for row in [*yesterday["lessons"], *yesterday["leaderboard"]]:
        row["date"] = "2026-01-31"
    path.write_text(json.dumps(yesterday), encoding="utf-8")
    result = make(project, "run", "LESSON=02")
    assert result.returncode == 0, result.stderr
    assert "model of 02" in result.stdout and "model of 01" not in result.stdout
    report = json.loads(path.read_text(encoding="utf-8"))
    assert [row["lesson"] for row in report["lessons"]] == ["01", "02"]
    models = [row["model"] for row in report["leaderboard"]]
    assert models[:2] == ["model of 01", "model of 02"] and len(set(models)) == len(models), "and each tuned rival once"
    assert report["leaderboard"][0]["date"] == "2026-01-31" != report["leaderboard"][1]["date"]
    results = (project / "build" / "site-source" / "docs" / "results.md").read_text(encoding="utf-8")
    assert results.count("2026-01-31") == 2 and "model of 01" in results
    assert (project / "build" / "01_quick.ipynb").exists()
    path.write_text(path.read_text(encoding="utf-8")[:100], encoding="utf-8")
    assert make(project, "run", "LESSON=02").returncode == 0, "half a report is made anew"


def test_the_site_shows_a_lesson_as_it_ran_here_and_the_others_as_published(project):
    give_environment(project)
    assert make(project, "run", "LESSON=2").returncode == 0
    staged = project / "build" / "site-source" / "notebooks"
    printed = [nbformat.read(staged / f"{name}.ipynb", 4).cells[1].outputs for name in ("01_quick", "02_next")]
    assert printed[0] == [] and printed[1][0]["text"] == "2\n"
    assert (staged / "images").is_dir()
