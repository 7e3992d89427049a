"""Open JupyterLab on copies of the notebooks, so that the course's own stay as they are."""

import hashlib
import json
import os
import shutil
import subprocess
import sys

import nbformat
from lessons import BUILD, NOTEBOOKS, find_lessons, find_solutions, write_whole

LAB = BUILD / "lab"  # laid out like notebooks/, so that links hold
MADE = BUILD / "lab.json"  # what each copy was when it was made, to tell whether its reader has changed it


def copy_notebooks() -> list[str]:
    """Copy what is new or changed, but never over a copy that somebody has worked in; return the names of those."""
    LAB.mkdir(parents=True, exist_ok=True)
    made = json.loads(MADE.read_text(encoding="utf-8")) if MADE.exists() else {}
    kept = []
    for path in [*find_lessons(NOTEBOOKS, ".ipynb", []), *find_solutions(NOTEBOOKS, ".ipynb", [])]:
        name = path.relative_to(NOTEBOOKS).as_posix()
        notebook = nbformat.read(path, as_version=4)
        notebook.metadata.pop("jupytext", None)  # a copy has no script beside it
        text, copy = nbformat.writes(notebook), LAB / name
        before, new = made.get(name), fingerprint(text)
        if not copy.exists() or fingerprint(copy.read_text(encoding="utf-8")) == before != new:
            copy.parent.mkdir(exist_ok=True)
            write_whole(copy, text)
            made[name] = new
            write_whole(MADE, json.dumps(made, indent=1))
        elif before != new:
            kept.append(name)
    shutil.copytree(NOTEBOOKS / "images", LAB / "images", dirs_exist_ok=True)
    return kept


def fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def main() -> int:
    options = []
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        if sys.argv[1:] != ["1"]:
            sys.exit("You are root, and JupyterLab refuses to start as root; `make lab ROOT=1` starts it all the same.")
        options = ["--allow-root"]
    kept = copy_notebooks()
    print("JupyterLab opens copies in build/lab; the notebooks of the course stay as they are.", flush=True)
    if kept:
        print(f"Newer than your copy, which stays until you delete or rename it: {', '.join(kept)}", flush=True)
    first = find_lessons(LAB, ".ipynb", [])[0]
    lab = subprocess.Popen([sys.executable, "-m", "jupyter", "lab", str(first), *options])
    while True:
        try:
            return lab.wait()
        except KeyboardInterrupt:  # JupyterLab hears it too, and asks whether it should stop
            continue


if __name__ == "__main__":
    sys.exit(main())
