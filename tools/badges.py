"""Point pyproject.toml, every badge and every set-up cell at another repository."""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def repository() -> str:
    """Read owner/name from pyproject.toml, the one place it is set."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project["urls"]["Repository"].removeprefix("https://github.com/")


def main() -> None:
    if len(sys.argv) != 2 or not re.fullmatch(r"[\w.-]+/[\w.-]+", sys.argv[1]):
        sys.exit(f"REPO is {' '.join(sys.argv[1:])!r}; expected owner/name, as in make badges REPO={repository()}")
    old, new = repository(), sys.argv[1]
    notebooks = [*ROOT.glob("notebooks/**/*.ipynb"), *ROOT.glob("notebooks/**/*.py")]  # lessons and solutions
    for path in [ROOT / "pyproject.toml", ROOT / "README.md", ROOT / "CITATION.cff", *notebooks]:
        text = path.read_text(encoding="utf-8")
        for before in ("github.com/", "colab.research.google.com/github/", "mybinder.org/v2/gh/"):
            text = text.replace(before + old, before + new)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
