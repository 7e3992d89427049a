"""Carry the last `make run` and `make bench` into README.md: two tables, two pictures, and what was how much faster."""

import json
import re
import sys

from badges import repository
from bench.report import ratio_table
from lessons import BUILD, NOTEBOOKS, ROOT, find_lessons, number
from pictures import draw_cost, draw_leaderboard
from run import full_benchmark
from tables import leaderboard_table
from tabulate import tabulate

IMAGES = NOTEBOOKS / "images"


def lesson_table(lessons: list[dict]) -> str:
    repo = repository()
    rows = []
    for row in lessons:
        path = f"notebooks/{row['file']}.ipynb"
        colab = f"[Colab](https://colab.research.google.com/github/{repo}/blob/main/{path})"
        binder = f"[Binder](https://mybinder.org/v2/gh/{repo}/main?urlpath=lab/tree/{path})"
        minutes = "under 1" if row["seconds"] < 60 else f"about {row['seconds'] / 60:.0f}"
        rows.append(
            [row["lesson"], f"[{row['title']}]({path})", minutes, f"{row['peak_mb'] / 1000:.1f}", colab, binder]
        )
    heading = ["#", "lesson", "minutes", "peak GB", "open in", ""]
    return tabulate(rows, heading, "github", disable_numparse=True)


def replace_block(text: str, name: str, block: str) -> str:
    """Replace what stands between the comments <!-- name --> and <!-- /name -->."""
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"README.md has no block <!-- {name} -->")
    return pattern.sub(lambda match: match[1] + block + "\n" + match[2], text)


def main() -> None:
    if not (BUILD / "run.json").exists():
        sys.exit("build/run.json does not exist; run `make run` first")
    report = json.loads((BUILD / "run.json").read_text(encoding="utf-8"))
    ran = [row["lesson"] for row in report["lessons"] if row["ok"]]
    every = [number(path) for path in find_lessons(NOTEBOOKS, ".ipynb", [])]
    if ran != every:
        sys.exit(f"build/run.json holds lessons {', '.join(ran)}; expected all of {', '.join(every)}, none failed")
    machine = report["machine"]
    source = f"`make run` on {machine['date']}, {machine['cores']} cores, {machine['system']} {machine['processor']}."
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    text = replace_block(text, "lessons", lesson_table(report["lessons"]))
    text = replace_block(text, "leaderboard", f"{leaderboard_table(report['leaderboard'], 'github')}\n\n{source}")
    benchmark = full_benchmark()
    if benchmark:
        source = f"`make bench` on {benchmark['machine']['date']}, {benchmark['machine']['cores']} cores."
        text = replace_block(text, "benchmark", f"{ratio_table(benchmark['ratios'])}\n\n{source}")
    draw_leaderboard(report["leaderboard"], IMAGES / "leaderboard.png")
    draw_cost(report["leaderboard"], IMAGES / "cost.png")
    readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
