"""Run the lessons into build/: executed copies, pages, a table of costs and the leaderboard."""

import datetime
import html
import json
import os
import platform
import sys

import nbformat
import psutil
from lessons import BUILD, NOTEBOOKS, Lesson, find_lessons, number, progress_bar, render
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from pictures import draw_cost, draw_leaderboard
from tabulate import tabulate
from tqdm import tqdm

LEADERBOARD = BUILD / "leaderboard"
PICTURES = """<p><img src="leaderboard.png" alt="NDCG@10 with its 95 % interval, one line for each model, best on top">
<img src="cost.png" alt="NDCG@10 with its 95 % interval against the seconds of training, a point for each model"></p>"""


def run_lesson(lesson: Lesson, progress: tqdm) -> str | None:
    """Execute one lesson and write its copy and its page; return what failed, or None."""
    failure = None

    def on_cell() -> None:
        progress.update()
        done = sum(cell.get("execution_count") is not None for cell in lesson.notebook.cells)
        progress.set_postfix_str(f"cell {done} of {lesson.code_cells}")

    for cell in lesson.notebook.cells:
        if cell.cell_type == "code":
            cell.execution_count, cell.outputs = None, []
    progress.set_description(lesson.path.stem)
    try:
        lesson.execute(on_cell)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        code = [cell for cell in lesson.notebook.cells if cell.cell_type == "code"]
        started = [cell for cell in code if cell.execution_count is not None] or code[:1]
        what = f"{error.ename}: {error.evalue}" if isinstance(error, CellExecutionError) else str(error)
        failure = f"{started[-1].source}\n------------------\n{what}"
    nbformat.write(lesson.notebook, BUILD / lesson.path.name)
    page = render(lesson.notebook, lesson.path.stem)
    (BUILD / f"{lesson.path.stem}.html").write_text(page, encoding="utf-8")
    return failure


def machine() -> dict:
    """Describe what the figures were measured on."""
    return {
        "date": datetime.date.today().isoformat(),
        "system": platform.system(),
        "processor": platform.machine(),
        "cores": len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "python": platform.python_version(),
    }


def costs_table(lessons: list[dict], style: str) -> str:
    rows = [
        [row["lesson"], row["title"], f"{row['seconds']:.0f}", f"{row['peak_mb']:,.0f}", "yes" if row["ok"] else "NO"]
        for row in lessons
    ]
    rows.append(["", "all", f"{sum(row['seconds'] for row in lessons):.0f}", "", ""])
    align = ["left", "left", "right", "right", "left"]
    return tabulate(rows, ["lesson", "", "seconds", "peak MB", "ran"], style, disable_numparse=True, colalign=align)


def leaderboard_table(rows: list[dict], style: str) -> str:
    """Lay the leaderboard out, best NDCG first, then the models that only predict ratings, best RMSE first."""

    def figure(value: float | None, digits: int) -> str:
        return "–" if value is None else f"{value:.{digits}f}"

    def rank(row: dict) -> tuple:
        rated = row["rmse_by_time"] if row["rmse_by_time"] is not None else float("inf")
        return (row["ndcg_at_10"] is None, -(row["ndcg_at_10"] or 0), rated)

    cells = [
        [
            row["model"],
            row["lesson"],
            row["kind"],
            figure(row["rmse_random"], 3),
            figure(row["rmse_by_time"], 3),
            figure(row["recall_at_10"], 3),
            figure(row["ndcg_at_10"], 3),
            "–" if row["ndcg_at_10"] is None else f"{row['ndcg_at_10_low']:.3f} to {row['ndcg_at_10_high']:.3f}",
            figure(row["coverage_at_10"], 2),
            figure(row["train_seconds"], 1),
            figure(row["query_ms"], 1),
        ]
        for row in sorted(rows, key=rank)
    ]
    heading = ["model", "lesson", "kind", "RMSE random", "RMSE by time", "Recall@10", "NDCG@10"]
    heading += ["95 % interval", "coverage@10", "seconds to train", "query ms"]
    align = ["left"] * 3 + ["right"] * 8
    return tabulate(cells, heading, style, disable_numparse=True, colalign=align) if cells else "(no rows)"


def full_benchmark() -> dict | None:
    """Read what the last full `make bench` measured, if there was one."""
    path = BUILD / "bench.json"
    benchmark = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"quick": True}
    return None if benchmark["quick"] else benchmark


def rows_of_benchmark(known: set[str]) -> list[dict]:
    """Take the baselines that no lesson has from the last full `make bench`."""
    benchmark = full_benchmark()
    rows = benchmark["editions"][0]["rows"] if benchmark else []
    return [row for row in rows if row["kind"] == "baseline" and row["model"] not in known]


def write_index(report: dict) -> None:
    """Write build/index.html: a link to each rendered lesson, what it cost, and the leaderboard with its pictures."""
    pictures = ""
    if any(row["ndcg_at_10"] is not None for row in report["leaderboard"]):
        draw_leaderboard(report["leaderboard"], BUILD / "leaderboard.png")
        draw_cost(report["leaderboard"], BUILD / "cost.png")
        pictures = PICTURES
    links = "\n".join(
        f'<li><a href="{row["file"]}.html">{row["lesson"]} · {html.escape(row["title"])}</a>'
        f"{'' if row['ok'] else ' <strong>failed</strong>'}</li>"
        for row in report["lessons"]
    )
    machine = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in report["machine"].items())
    page = f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Two Towers</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; color: #222; }}
table {{ border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .3rem .7rem; border-bottom: 1px solid #ddd; }}
td {{ white-space: nowrap; }}
ul {{ padding-left: 1.2rem; }}
img {{ max-width: 100%; }}
</style></head><body>
<h1>Two Towers</h1>
<ul>{links}</ul>
<h2>Leaderboard</h2>
<p>MovieLens 2016-10. RMSE in stars on both splits; ranking on the split by time, over the whole catalogue, seen items
excluded. Rows without a lesson's number come from <code>make bench</code>.</p>
{leaderboard_table(report["leaderboard"], "html")}
{pictures}
<h2>Cost of each lesson</h2>
{costs_table(report["lessons"], "html")}
<p>{html.escape(machine)}.</p>
</body></html>
"""
    (BUILD / "index.html").write_text(page, encoding="utf-8")


def main() -> int:
    lessons = [Lesson(path) for path in find_lessons(NOTEBOOKS, ".ipynb", sys.argv[1:])]
    LEADERBOARD.mkdir(parents=True, exist_ok=True)
    for stale in LEADERBOARD.glob("*.json"):
        stale.unlink()
    os.environ["TWO_TOWERS_LEADERBOARD"] = str(LEADERBOARD)
    report = {"machine": machine(), "lessons": [], "leaderboard": []}
    failures = {}
    with progress_bar(sum(lesson.code_cells for lesson in lessons)) as progress:
        for lesson in lessons:
            failure = run_lesson(lesson, progress)
            if failure:
                failures[lesson.path.name] = failure
            title = lesson.notebook.cells[0].source.splitlines()[0].removeprefix("# ")
            report["lessons"].append(
                {
                    "lesson": number(lesson.path),
                    "title": title,
                    "file": lesson.path.stem,
                    "seconds": round(lesson.seconds, 1),
                    "peak_mb": round(lesson.peak_mb),
                    "ok": failure is None,
                }
            )
    for rows in sorted(LEADERBOARD.glob("*.json")):
        report["leaderboard"] += json.loads(rows.read_text(encoding="utf-8"))
    if len(lessons) > 1:
        report["leaderboard"] += rows_of_benchmark({row["model"] for row in report["leaderboard"]})
    (BUILD / "run.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    write_index(report)
    print("\n" + costs_table(report["lessons"], "simple"))
    print("\n" + leaderboard_table(report["leaderboard"], "simple"))
    print(f"\nRead the lessons at {BUILD / 'index.html'}")
    for name, failure in failures.items():
        print(f"\n=== {name} failed in this cell ===\n{failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
