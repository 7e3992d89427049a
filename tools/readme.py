"""Carry the last `make run` into README.md: the lesson table, the leaderboard and its picture."""

import json
import re
import sys

import matplotlib.pyplot as plt
from badges import repository
from lessons import BUILD, NOTEBOOKS, ROOT, find_lessons, number
from run import leaderboard_table
from tabulate import tabulate

PICTURE = NOTEBOOKS / "images" / "leaderboard.png"


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


def draw(rows: list[dict]) -> None:
    """Draw NDCG@10 with its interval, best on top, baselines and two-tower models in two colours."""
    ranked = sorted((row for row in rows if row["ndcg_at_10"] is not None), key=lambda row: row["ndcg_at_10"])
    plt.style.use("recsys_utils.two_towers")
    figure, axes = plt.subplots(figsize=(7.2, 0.6 + 0.36 * len(ranked)))
    for kind, colour in (("baseline", "C0"), ("two-tower", "C1")):
        chosen = [(place, row) for place, row in enumerate(ranked) if row["kind"] == kind]
        places = [place for place, _ in chosen]
        figures = [row["ndcg_at_10"] for _, row in chosen]
        below = [row["ndcg_at_10"] - row["ndcg_at_10_low"] for _, row in chosen]
        above = [row["ndcg_at_10_high"] - row["ndcg_at_10"] for _, row in chosen]
        axes.errorbar(figures, places, xerr=[below, above], fmt="o", color=colour, capsize=3, label=kind)
    axes.set_yticks(range(len(ranked)), [row["model"] for row in ranked])
    axes.set(
        xlabel="NDCG@10, mean over users with 95 % interval", title="Every model on one protocol, MovieLens 2016-10"
    )
    axes.set_xlim(left=0)
    axes.legend(loc="lower right")
    figure.savefig(PICTURE, metadata={"Software": None})


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
    draw(report["leaderboard"])
    readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
