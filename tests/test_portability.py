"""`make portability` and `make floors`: the emulation takes hold, and a failure on one machine is named."""

import platform
import shutil
import subprocess
import sys

import floors
import nbformat
import portability
import pytest
import trials
from lessons import ROOT

x86_64 = pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="emulates x86-64 processors")

PROBE = """
import numpy as np, scipy.linalg, threadpoolctl
from numpy._core._multiarray_umath import __cpu_features__ as features
blas = [row for row in threadpoolctl.threadpool_info() if row["internal_api"] == "openblas"]
print("OpenBLAS", *sorted({f"{row['architecture']} {row['num_threads']}" for row in blas}))
print("NumPy", [name for name in ("X86_V3", "X86_V4") if features[name]])
import tensorflow as tf
print("product", tf.matmul(tf.ones((300, 300)), tf.ones((300, 300)))[0, 0].numpy())
"""
ISA, THREADS = "onednn_verbose,v1,info,cpu,isa:", "onednn_verbose,v1,info,cpu,runtime:threadpool,nthr:"
EXPECTED = {
    "SSE4.1, 1 thread": ["OpenBLAS Nehalem 1", "NumPy []", ISA + "Intel SSE4.1", THREADS + "1"],
    "AVX, no oneDNN, 2 threads": ["OpenBLAS Sandybridge 2", "NumPy ['X86_V3']", ISA + "Intel AVX", THREADS + "2"],
    "AVX2, 4 threads": [
        f"OpenBLAS Haswell {min(4, trials.cores())}",
        "NumPy ['X86_V3']",
        ISA + "Intel AVX2",
        THREADS + "4",
    ],
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty notebooks/ in the place of ours."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    for module in (portability, floors):
        monkeypatch.setattr(module, "NOTEBOOKS", folder)
    monkeypatch.setattr(portability, "BUILD", tmp_path / "build")
    monkeypatch.setattr(sys, "argv", ["portability.py"])
    return tmp_path


def write_lesson(project, name, *cells):
    notebook = nbformat.v4.new_notebook()
    for source, printed in cells:
        output = nbformat.v4.new_output("stream", text=printed)
        cell = nbformat.v4.new_code_cell(source, execution_count=1, outputs=[output] if printed else [])
        cell.metadata["tags"] = ["nbval-check-output"] if printed else []
        notebook.cells.append(cell)
    nbformat.write(notebook, project / "notebooks" / f"{name}.ipynb")


@x86_64
@pytest.mark.parametrize("name", portability.MACHINES)
def test_what_is_emulated_takes_hold(name, tmp_path):
    environment = trials.environment_with(portability.MACHINES[name]) | {"ONEDNN_VERBOSE": "1"}
    result = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    for expected in EXPECTED[name]:
        assert expected in lines, result.stdout


def test_three_machines_differ_in_every_setting():
    for setting in ("OPENBLAS_CORETYPE", "ONEDNN_MAX_CPU_ISA", "OMP_NUM_THREADS"):
        assert len({settings[setting] for settings in portability.MACHINES.values()}) == len(portability.MACHINES) >= 3


@x86_64
def test_a_lesson_that_fails_on_one_machine_is_named_with_its_cell(project, capsys):
    compare = "import os\nprint(os.environ['OMP_NUM_THREADS'] == '4')"
    write_lesson(project, "01_same", ("apples = 1", ""), ("print(apples)", "1\n"))
    write_lesson(
        project,
        "02_depends",
        ("import os", ""),
        ("assert os.environ['OPENBLAS_CORETYPE'] != 'Sandybridge', 'rounds otherwise'", ""),
        (compare, "False\n"),
    )
    assert portability.main() == 1
    output = capsys.readouterr().out
    rows = {line[:2]: [part for part in line.split("  ") if part] for line in output.splitlines()}
    assert [part.strip() for part in rows["01"]] == ["01", "ok", "ok", "ok"]
    assert [part.strip() for part in rows["02"]] == ["02", "ok", "cell 1", "cell 2"]
    assert "=== 02_depends.ipynb, cell 1, AVX, no oneDNN, 2 threads ===" in output and "rounds otherwise" in output
    assert "ok alone" not in output


@x86_64
def test_one_lesson_can_be_chosen_and_all_green_is_success(project, monkeypatch, capsys):
    write_lesson(project, "01_fails", ("assert False", ""))
    write_lesson(project, "02_passes", ("assert True", ""))
    monkeypatch.setattr(sys, "argv", ["portability.py", "2"])
    assert portability.main() == 0
    assert "01" not in capsys.readouterr().out.replace("0.1", "")


@x86_64
def test_in_turn_each_lesson_runs_on_one_machine(project, monkeypatch, capsys):
    for number in (1, 2):
        write_lesson(project, f"0{number}_counts", ("import os\nprint(os.environ['OMP_NUM_THREADS'])", f"{number}\n"))
    monkeypatch.setattr(sys, "argv", ["portability.py", "--in-turn"])
    assert portability.main() == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("0")]
    assert ["01", "ok", "–"] in rows and ["02", "–", "ok"] in rows


def test_what_fails_beside_another_lesson_runs_again_alone_and_the_table_says_so(project, capsys):
    write_lesson(
        project,
        "01_slow_beside_others",
        ("from pathlib import Path\nhere = Path('been-here')\nbefore = here.exists()\nhere.touch()", ""),
        ("assert before, 'too slow'", ""),
    )
    write_lesson(project, "02_always_fails", ("assert False, 'always'", ""))
    build = project / "build"
    build.mkdir()
    lessons = sorted((project / "notebooks").glob("*.ipynb"))
    trial = [trials.Trial("here", lesson, sys.executable, {}, build) for lesson in lessons]
    trials.run_trials(trial, 2, "trials")
    assert trials.print_table(trial) == 1
    output = capsys.readouterr().out
    assert [one.verdict for one in trial] == ["ok alone", "cell 0"]
    assert "ok alone: failed while another lesson ran beside it" in output and "too slow" not in output


def test_what_only_follows_from_an_error_is_not_listed(project):
    write_lesson(project, "01_falls", ("assert 0", ""), ("print(1)", "2\n"), ("pears", ""), ("pears + 1", ""))
    (lesson,) = (project / "notebooks").glob("*.ipynb")
    trial = trials.Trial("here", lesson, sys.executable, {}, project)
    trials.run_trials([trial], 1, "trials")
    assert trial.verdict == "cell 0, cell 1, cell 2"
    assert "name 'pears' is not defined" in trial.failures["cell 2"] and "x1B" not in "".join(trial.failures.values())


def test_a_process_that_dies_is_a_failure(project, capsys):
    write_lesson(project, "01_fine", ("assert True", ""))
    (lesson,) = (project / "notebooks").glob("*.ipynb")
    dying = project / "python"
    dying.write_text("#!/bin/sh\necho illegal instruction\nexit 132\n", encoding="utf-8")
    dying.chmod(0o755)
    trial = trials.Trial("here", lesson, str(dying), {}, project)
    trials.run_trials([trial], 1, "trials")
    assert trials.print_table([trial]) == 1
    assert "exit 132" in trial.verdict and "illegal instruction" in capsys.readouterr().out


def test_settings_of_this_machine_do_not_reach_an_emulated_one(monkeypatch):
    monkeypatch.setenv("OPENBLAS_L2_SIZE", "512")
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")
    monkeypatch.setenv("HOME_SWEET_HOME", "kept")
    environment = trials.environment_with({"OMP_NUM_THREADS": "1"})
    assert not {"OPENBLAS_L2_SIZE", "TF_ENABLE_ONEDNN_OPTS"} & set(environment)
    assert environment["OMP_NUM_THREADS"] == "1" and environment["HOME_SWEET_HOME"] == "kept"


def test_floors_are_made_anew_when_a_range_changes_and_only_then(tmp_path, monkeypatch):
    calls = []

    def uv(*arguments):
        calls.append(arguments)
        (tmp_path / "env").mkdir(exist_ok=True)

    for name, value in [
        ("ROOT", tmp_path),
        ("FOLDER", tmp_path),
        ("STAMP", tmp_path / "env" / "made-from"),
        ("uv", uv),
    ]:
        monkeypatch.setattr(floors, name, value)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    floors.make_environment()
    assert [call[0] for call in calls] == ["venv", "pip"] and "lowest-direct" in calls[1]
    floors.make_environment()
    assert len(calls) == 2
    project = tmp_path / "pyproject.toml"
    project.write_text(project.read_text(encoding="utf-8").replace("numpy>=2.0", "numpy>=2.1"), encoding="utf-8")
    floors.make_environment()
    assert len(calls) == 4
