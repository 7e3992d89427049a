"""Run lessons as on Colab: its versions, NumPy and pandas loaded, one notebook alone, the course not yet installed."""

import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from lessons import BUILD, CELL_TIMEOUT, NOTEBOOKS, ROOT, find_lessons, number
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from tabulate import tabulate
from tqdm import tqdm
from trials import COLOUR, environment_with

LESSONS = ["02", "06", "10", "11"]  # Surprise; Keras 3; PostgreSQL; TFRS on Keras 2
VERSIONS = ROOT / "tools" / "colab.txt"
PYTHON = (3, 12)  # Colab's
FOLDER = BUILD / "colab"
INTERPRETER = FOLDER / "env" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
OURS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "MOVIELENS_PATH", "MOVIELENS_MIRROR")  # nobody sets them on Colab
# What a cell of ours asks the kernel before its set-up cell and after it; it loads what Colab's kernel has loaded.
PROBE = """import importlib.metadata, json, time, numpy, pandas
megabytes = lambda package: sum(file.size or 0 for file in package.files or []) / 1e6
packages = {one.name: [one.version, megabytes(one)] for one in importlib.metadata.distributions()}
print(json.dumps({"time": time.time(), "packages": packages}))"""


@dataclass
class Visit:
    """A lesson's run on Colab: what its set-up cell did to the packages there, and what failed, by cell."""

    lesson: Path
    failures: dict[str, str] = field(default_factory=dict)
    added: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    megabytes: float = 0.0
    set_up_seconds: float = 0.0
    seconds: float = 0.0


def find_python() -> str:
    """Find a Python of Colab's version, on the path or among pyenv's; else take our own, and say so."""
    name = "python{}.{}".format(*PYTHON)
    pyenv = os.path.expanduser("~/.pyenv/versions/{}.{}.*/bin/python".format(*PYTHON))
    check = f"import sys; sys.exit(sys.version_info[:2] != {PYTHON})"
    for candidate in [sys.executable, name, *sorted(glob.glob(pyenv))]:
        if shutil.which(candidate) and not subprocess.run([candidate, "-c", check], capture_output=True).returncode:
            return candidate
    print(f"Colab has {name}, which is not here; trying Python {sys.version.split()[0]} in its place.", flush=True)
    return sys.executable


def uv(*arguments: str) -> None:
    if subprocess.run([sys.executable, "-m", "uv", "--quiet", *arguments], cwd=ROOT).returncode:
        sys.exit(f"uv {arguments[0]} failed; make colab-check needs a package index and 3 GB of disk")


def reset_environment() -> None:
    """Make build/colab/env hold what tools/colab.txt lists and nothing else, as a new session does."""
    if not INTERPRETER.exists():
        print("Making build/colab/env with Colab's versions.", flush=True)
        uv("venv", "--clear", "--no-python-downloads", "--python", find_python(), str(FOLDER / "env"))
    uv("pip", "sync", "--python", str(INTERPRETER), str(VERSIONS))


def pack_course(archive: Path) -> str:
    """Zip the checkout as its host would; return what pip is to install."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in names:
            if (ROOT / name).exists():
                packed.write(ROOT / name, f"two-towers-main/{name}")
    return f"two-towers[lessons] @ {archive.as_uri()}"


class Kernel(AsyncKernelManager):
    """A kernel of build/colab/env."""

    @property
    def kernel_spec(self) -> KernelSpec:
        return KernelSpec(
            argv=[str(INTERPRETER), "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        )


def visit(lesson: Path, source: str) -> Visit:
    """Run one notebook alone in an empty folder, in a kernel that has no course yet."""
    visit = Visit(lesson)
    notebook = nbformat.read(lesson, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in cells:
        cell.execution_count, cell.outputs = None, []
    set_up = next(cell for cell in cells if "colab" in cell.metadata.get("tags", []))
    before, after = (nbformat.v4.new_code_cell(f"exec({PROBE!r}, {{}})") for _ in range(2))
    place = notebook.cells.index(set_up)
    notebook.cells[place : place + 1] = [before, set_up, after]
    start = time.perf_counter()
    try:
        run_alone(notebook, source, FOLDER / f"{lesson.stem}.log")
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        started = [place for place, cell in enumerate(cells) if cell.execution_count is not None]
        visit.failures[f"cell {max(started, default=0)}"] = COLOUR.sub("", str(error))
    visit.seconds = time.perf_counter() - start
    if after.outputs:
        compare(visit, *(json.loads(probe.outputs[0].text) for probe in (before, after)))
        printed = "".join(output.get("text", "") for output in set_up.outputs)
        if len(set_up.outputs) != 1 or printed.count("\n") != 1:
            visit.failures["set-up"] = f"the set-up cell printed {printed!r}; expected one line"
    return visit


def run_alone(notebook: nbformat.NotebookNode, source: str, log: Path) -> None:
    """Run a notebook with nothing of the checkout in reach but what its set-up cell installs from `source`."""
    with tempfile.TemporaryDirectory() as folder, log.open("w") as said:
        content = Path(folder) / "content"
        content.mkdir()
        own = {"TWO_TOWERS_SOURCE": source, "TWO_TOWERS_CACHE": f"{folder}/cache", "IPYTHONDIR": f"{folder}/ipython"}
        environment = {name: value for name, value in environment_with(own).items() if name not in OURS}
        client = NotebookClient(notebook, kernel_manager_class=Kernel, timeout=CELL_TIMEOUT)
        client.execute(env=environment, cwd=str(content), stdout=said, stderr=said)


def compare(visit: Visit, before: dict, after: dict) -> None:
    """Note what the set-up cell added and replaced; whatever was there must stay as it was."""
    old, new = before["packages"], after["packages"]
    visit.set_up_seconds = after["time"] - before["time"]
    visit.added = sorted(f"{name} {new[name][0]}" for name in new.keys() - old.keys())
    visit.megabytes = sum(new[name][1] for name in new.keys() - old.keys())
    for name, (version, _) in sorted(old.items()):
        now = new.get(name, ["nothing"])[0]
        if now != version:
            visit.replaced.append(f"{name} {version} by {now}")
    if visit.replaced:
        visit.failures["set-up"] = "the set-up cell replaced " + ", ".join(visit.replaced)


def print_report(visits: list[Visit]) -> int:
    """Print a row for each lesson, what was added, and each failure; return the code."""
    rows = [
        [
            number(one.lesson),
            ", ".join(one.failures) or "ok",
            len(one.added),
            len(one.replaced),
            f"{one.megabytes:.0f}",
            f"{one.set_up_seconds:.0f}",
            f"{one.seconds:.0f}",
        ]
        for one in visits
    ]
    heading = ["lesson", "ran", "packages added", "replaced", "MB", "seconds of set-up", "of all"]
    print("\n" + tabulate(rows, heading, disable_numparse=True, colalign=["left"] * 2 + ["right"] * 5))
    for packages in sorted({", ".join(one.added) for one in visits if one.added}):
        print(f"\nadded: {packages}")
    for one in visits:
        for place, error in one.failures.items():
            print(f"\n=== {one.lesson.name}, {place} ===\n{error}")
    return int(any(one.failures for one in visits))


def main() -> int:
    wanted = sys.argv[1:] or LESSONS
    lessons = find_lessons(NOTEBOOKS, ".ipynb", [] if wanted == ["all"] else wanted)
    FOLDER.mkdir(parents=True, exist_ok=True)
    source = pack_course(FOLDER / "main.zip")
    visits = []
    for lesson in tqdm(lessons, unit="lesson", desc="Colab", mininterval=0.1 if sys.stderr.isatty() else 60):
        reset_environment()
        visits.append(visit(lesson, source))
    return print_report(visits)


if __name__ == "__main__":
    sys.exit(main())
