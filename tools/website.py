"""Build the site in build/site from docs/ and the lessons as they were run; nothing in it comes from another host."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib
import nbformat
from lessons import BUILD, NOTEBOOKS, ROOT, find_lessons, find_solutions, number
from tables import costs_table, leaderboard_table

from recsys_utils.diagram import Tower, draw_two_towers

ALT = (
    "The user tower turns a user's id and last movies into a user vector, the item tower turns a movie's id and genres "
    "into an item vector. The dot product of the two is the score; the loss is an in-batch softmax."
)
BEST = ["model", "lesson", "NDCG@10", "95 % interval"]  # the columns of the landing page's five rows
TO_FIRST_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Two Towers</title>
<meta http-equiv="refresh" content="0; url=docs/index.html"></head>
<body><a href="docs/index.html">Two Towers</a></body></html>
"""


def executed(published: Path) -> Path:
    """Choose a lesson's copy in build/, where this text of it was run; otherwise the one in notebooks/."""
    ran = BUILD / published.name
    same = ran.exists() and _text(ran) == _text(published)
    return ran if same else published


def _text(path: Path) -> list[str]:
    return [cell.source for cell in nbformat.read(path, as_version=4).cells]


def results() -> tuple[str, str]:
    """Return the leaderboard and the costs as Markdown: of the runs here, or where there were none, of README.md."""
    if (BUILD / "run.json").exists():
        report = json.loads((BUILD / "run.json").read_text(encoding="utf-8"))
        machine = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in report["machine"].items())
        costs = f"{costs_table(report['lessons'], 'github')}\n\nOn {machine}."
        return leaderboard_table(report["leaderboard"], "github"), costs
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    leaderboard, costs = (
        re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", readme, re.DOTALL)[1]
        for name in ("leaderboard", "lessons")
    )
    return leaderboard, columns(costs, ["#", "lesson", "minutes", "peak GB"]).replace("](notebooks/", "](../notebooks/")


def columns(table: str, names: list[str]) -> str:
    """Cut some columns, by the names in the heading, out of a Markdown table."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("|")]
    if not rows:
        return table
    places = [rows[0].index(name) for name in names]
    return "\n".join(f"| {' | '.join(row[place] for place in places)} |" for row in rows)


def link_lessons(table: str) -> str:
    """Link the two digits of a lesson, alone in a cell, to the lesson."""
    names = {number(path): path.name for path in find_lessons(NOTEBOOKS, ".ipynb", [])}
    return re.sub(r"(?<=\| )(\d\d)(?= +\|)", lambda digits: f"[{digits[0]}](../notebooks/{names[digits[0]]})", table)


def draw_diagram(path: Path) -> None:
    """Draw the landing page's two towers, with the same bytes each time."""
    user = Tower("user tower", {"user id": 671, "last movies": 50}, ["layers", "user vector"])
    item = Tower("item tower", {"movie id": 9_066, "genres": 20}, ["layers", "item vector"])
    with matplotlib.rc_context({"svg.hashsalt": "two towers"}):
        figure = draw_two_towers(user, item, meet="dot product = score", loss="in-batch softmax")
        for text in figure.axes[0].texts:
            text.set_fontsize(1.7 * text.get_fontsize())  # the picture is shown at half its size
        figure.savefig(path, transparent=True, bbox_inches="tight", metadata={"Date": None})


def stage(source: Path) -> None:
    """Lay pages, lessons and images out as in the repository, so that links between them hold, and fill pages in."""
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(ROOT / "docs", source / "docs", ignore=shutil.ignore_patterns("conf.py", "_*", "*.lock"))
    shutil.copytree(NOTEBOOKS / "images", source / "notebooks" / "images")
    for picture in ("leaderboard.png", "cost.png"):
        if (BUILD / picture).exists():
            shutil.copy(BUILD / picture, source / "notebooks" / "images")
    for lesson in find_lessons(NOTEBOOKS, ".ipynb", []):
        shutil.copy(executed(lesson), source / "notebooks")
    (source / "notebooks" / "solutions").mkdir()
    for solution in find_solutions(NOTEBOOKS, ".ipynb", []):
        shutil.copy(solution, source / "notebooks" / "solutions")
    (source / "data").mkdir()
    shutil.copy(ROOT / "data" / "README.md", source / "data")
    draw_diagram(source / "docs" / "two_towers.svg")
    leaderboard, costs = results()
    best = columns("\n".join(leaderboard.splitlines()[:7]), BEST)
    parts = {"leaderboard": link_lessons(leaderboard), "best": link_lessons(best), "costs": link_lessons(costs)}
    parts["diagram"] = f"![{ALT}](two_towers.svg)"
    for page in source.glob("docs/*.md"):
        text = page.read_text(encoding="utf-8")
        for name, part in parts.items():
            text = text.replace(f"<!-- {name} -->", part)
        page.write_text(text, encoding="utf-8")


def build(strict: bool = False) -> Path:
    """Build the site anew and return its first page; `strict` lets no warning of Sphinx pass."""
    source, site = BUILD / "site-source", BUILD / "site"
    stage(source)
    shutil.rmtree(site, ignore_errors=True)
    command = [sys.executable, "-m", "sphinx", "--fresh-env", "--quiet", "--conf-dir", str(ROOT / "docs")]
    command += ["--doctree-dir", str(BUILD / "site-doctrees"), *(["--fail-on-warning"] if strict else [])]
    sphinx = subprocess.run([*command, str(source), str(site)], capture_output=True, text=True)
    if sphinx.returncode:
        sys.exit(f"The site could not be built:\n{sphinx.stdout}{sphinx.stderr}")
    (site / "index.html").write_text(TO_FIRST_PAGE, encoding="utf-8")
    return site / "index.html"


if __name__ == "__main__":
    print(f"Read the course at {build(strict=True)}")
