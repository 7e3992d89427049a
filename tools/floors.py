"""Run some lessons with the lowest versions that pyproject.toml allows, in an environment of its own in build/."""

import hashlib
import json
import os
import subprocess
import sys
import tomllib
from importlib.metadata import version

from lessons import BUILD, NOTEBOOKS, ROOT, find_lessons, write_whole
from trials import Trial, at_once, print_table, run_trials

LESSONS = ["02", "04", "06", "11"]  # Surprise; NumPy; Keras 3; TFRS on Keras 2
PYTHON = "3.11"  # the lowest of requires-python
FOLDER = BUILD / "floors"
INTERPRETER = FOLDER / "env" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = FOLDER / "env" / "made-from"  # written last, so that a half-made environment is stale
RUNNERS = [f"{name}=={version(name)}" for name in ("nbval", "pytest")]


def wanted() -> str:
    """Describe the environment that pyproject.toml asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    ranges = [project["dependencies"], project["optional-dependencies"]["lessons"], RUNNERS, PYTHON, str(ROOT)]
    return hashlib.sha256(json.dumps(ranges).encode()).hexdigest() + "\n"


def make_environment() -> None:
    if STAMP.exists() and STAMP.read_text(encoding="utf-8") == wanted():
        return
    print("Making build/floors/env with the lowest versions that pyproject.toml allows.", flush=True)
    same = sys.version_info[:2] == tuple(int(part) for part in PYTHON.split("."))
    uv("venv", "--clear", "--no-python-downloads", "--python", sys.executable if same else PYTHON, str(FOLDER / "env"))
    # Only what pyproject.toml names goes to its floor; what that needs in turn is the newest that fits.
    ranges = ["--resolution", "lowest-direct", "-r", "pyproject.toml", "--extra", "lessons"]
    uv("pip", "install", "--python", str(INTERPRETER), *ranges, *RUNNERS)
    write_whole(STAMP, wanted())


def uv(*arguments: str) -> None:
    if subprocess.run([sys.executable, "-m", "uv", "--quiet", *arguments], cwd=ROOT).returncode:
        sys.exit(f"uv {arguments[0]} failed; make floors needs Python {PYTHON}, a package index and 2.5 GB of disk")


def main() -> int:
    make_environment()
    folder = FOLDER / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"PYTHONPATH": str(ROOT)}
    lessons = find_lessons(NOTEBOOKS, ".ipynb", sys.argv[1:] or LESSONS)
    trials = [Trial("lowest versions", lesson, str(INTERPRETER), settings, folder) for lesson in lessons]
    run_trials(trials, at_once(), "lowest versions")
    return print_table(trials)


if __name__ == "__main__":
    sys.exit(main())
