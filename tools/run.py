"""Run the lessons into build/: executed copies, pages, a table of costs and the leaderboard."""

import datetime
import html
import json
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
import psutil
from lessons import BUILD, NOTEBOOKS, Lesson, find_lessons, number, progress_bar, render, write_whole
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from pictures import draw_cost, draw_leaderboard
from tabulate import tabulate
from tqdm import tqdm

from recsys_utils.baselines import load_tuned
from recsys_utils.leaderboard import Leaderboard

PICTURES = """<p><img src="leaderboard.png" alt="NDCG@10 with its 95 % interval, one line for each model, best on top">
<img src="cost.png" alt="NDCG@10 with its 95 % interval against the seconds of training, a point for each model"></p>"""


def run_lesson(lesson: Lesson, progress: tqdm) -> tuple[str | None, list[dict]]:
    """Execute one lesson, write its copy and its page; return what failed, or None, and its leaderboard rows."""
    failure = None

    def on_cell() -> None:
        progress.update()
        done = sum(cell.get("execution_count") is not None for cell in lesson.notebook.cells)
        progress.set_postfix_str(f"cell {done} of {lesson.code_cells}")

    for cell in lesson.notebook.cells:
        if cell.cell_type == "code":
            cell.execution_count, cell.outputs = None, []
    progress.set_description(lesson.path.stem)
    with tempfile.TemporaryDirectory() as leaderboard:
        os.environ["TWO_TOWERS_LEADERBOARD"] = leaderboard
        try:
            lesson.execute(on_cell)
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            code = [cell for cell in lesson.notebook.cells if cell.cell_type == "code"]
            started = [cell for cell in code if cell.execution_count is not None] or code[:1]
            what = f"{error.ename}: {error.evalue}" if isinstance(error, CellExecutionError) else str(error)
            failure = f"{started[-1].source}\n------------------\n{what}"
        files = sorted(Path(leaderboard).glob("*.json"))
        rows = [row for file in files for row in json.loads(file.read_text(encoding="utf-8"))]
    write_whole(BUILD / lesson.path.name, nbformat.writes(lesson.notebook) + "\n")
    write_page(lesson.path, lesson.notebook)
    return failure, rows


def write_page(path: Path, notebook: nbformat.NotebookNode) -> None:
    write_whole(BUILD / f"{path.stem}.html", render(notebook, path.stem))


def write_pages_of_the_rest(run_here: set[str]) -> None:
    """Give lessons that never ran here a page of their committed outputs, so that no link between pages is dead."""
    missing = []
    for path in find_lessons(NOTEBOOKS, ".ipynb", []):
        page = BUILD / f"{path.stem}.html"
        if path.stem not in run_here and not (page.exists() and page.stat().st_mtime > path.stat().st_mtime):
            missing.append(path)
    for path in tqdm(missing, unit="page", desc="pages of lessons not run here", disable=not missing):
        write_page(path, nbformat.read(path, as_version=4))


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


def earlier_report() -> dict:
    """Read what earlier runs left of the lessons that are still there: a run of one lesson keeps the others' rows."""
    try:
        report = json.loads((BUILD / "run.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        report = {"lessons": [], "leaderboard": []}
    here = {lesson.stem for lesson in find_lessons(NOTEBOOKS, ".ipynb", [])}
    kept = [row for row in report["lessons"] if row["file"] in here]
    numbers = {row["lesson"] for row in kept}
    rows = [row for row in report["leaderboard"] if row["lesson"] in numbers]
    for row in [*kept, *rows]:
        row.setdefault("date", report["machine"]["date"])
    return {"machine": machine(), "lessons": kept, "leaderboard": rows}


def replace_lesson(rows: list[dict], lesson: str, new: list[dict]) -> list[dict]:
    """Put a lesson's new rows in the place of its old ones, with today's date."""
    today = datetime.date.today().isoformat()
    others = [row for row in rows if row["lesson"] != lesson]
    return sorted([*others, *({**row, "date": today} for row in new)], key=lambda row: row["lesson"])


def show(rows: list[list], heading: list[str], align: list[str], dates: list[str | None], style: str) -> str:
    """Lay a table out; where its rows were measured on several days, a last column says which."""
    if len({date for date in dates if date}) > 1:
        rows = [[*row, date or "–"] for row, date in zip(rows, dates, strict=True)]
        heading, align = [*heading, "date"], [*align, "left"]
    return tabulate(rows, heading, style, disable_numparse=True, colalign=align) if rows else "(no rows)"


def costs_table(lessons: list[dict], style: str) -> str:
    rows = [
        [row["lesson"], row["title"], f"{row['seconds']:.0f}", f"{row['peak_mb']:,.0f}", "yes" if row["ok"] else "NO"]
        for row in lessons
    ]
    rows.append(["", "all", f"{sum(row['seconds'] for row in lessons):.0f}", "", ""])
    align = ["left", "left", "right", "right", "left"]
    dates = [*(row["date"] for row in lessons), ""]
    return show(rows, ["lesson", "", "seconds", "peak MB", "ran"], align, dates, style)


def leaderboard_table(rows: list[dict], style: str) -> str:
    """Lay the leaderboard out, best NDCG first, then the models that only predict ratings, best RMSE first."""

    def figure(value: float | None, digits: int) -> str:
        return "–" if value is None else f"{value:.{digits}f}"

    def rank(row: dict) -> tuple:
        rated = row["rmse_by_time"] if row["rmse_by_time"] is not None else float("inf")
        return (row["ndcg_at_10"] is None, -(row["ndcg_at_10"] or 0), rated)

    rows = sorted(rows, key=rank)
    cells = [
        [
            row["model"],
            row["lesson"],
            row["kind"],
            figure(row["rmse_random"], 3),
            figure(row["rmse_by_time"], 3),
            figure(row["recall_at_10"], 3),
            figure(row["ndcg_at_10"], 3),
            "–" if row["ndcg_at_10_low"] is None else f"{row['ndcg_at_10_low']:.3f} to {row['ndcg_at_10_high']:.3f}",
            figure(row["coverage_at_10"], 2),
            figure(row["train_seconds"], 1),
            figure(row["query_ms"], 1),
        ]
        for row in rows
    ]
    heading = ["model", "lesson", "kind", "RMSE random", "RMSE by time", "Recall@10", "NDCG@10"]
    heading += ["95 % interval", "coverage@10", "seconds to train", "query ms"]
    align = ["left"] * 3 + ["right"] * 8
    return show(cells, heading, align, [row.get("date") for row in rows], style)


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


def tuned_name(table: str, rival: str) -> str:
    """Name a tuned rival on the leaderboard, where 'item CF' stands for a model of stars and one of rankings."""
    kind = {"user CF": ", deviations", "item CF": ", watched" if table == "ranking" else ", deviations"}
    return f"{rival}{kind.get(rival, '')}, tuned"


def rows_of_tuned_rivals(known: set[str]) -> list[dict]:
    """Take what `make tune` measured with the settings that it chose, unless the benchmark has measured that too."""
    figures = {"RMSE": {"random": "rmse_random", "by time": "rmse_by_time"}}
    ranked = {"NDCG@10": "ndcg_at_10", "low": "ndcg_at_10_low", "high": "ndcg_at_10_high", "Recall@10": "recall_at_10"}
    figures |= {name: {"ranking": column} for name, column in ranked.items()}
    board, rows = Leaderboard("tune"), {}
    for table in ("random", "by time", "ranking"):
        for rival, tuned in load_tuned(table).items():
            if not tuned.settings:  # nothing to tune: the lesson's row is the same
                continue
            model = tuned_name(table, rival)
            if model not in rows:
                board.add(model, "baseline")
                rows[model] = board.rows[-1]
            rows[model] |= {columns[table]: tuned.test[name] for name, columns in figures.items() if table in columns}
    return [row for model, row in rows.items() if model not in known]


def write_index(report: dict) -> None:
    """Write build/index.html: a link to each rendered lesson, what it cost, and the leaderboard with its pictures."""
    pictures = ""
    if any(row["ndcg_at_10_low"] is not None for row in report["leaderboard"]):
        draw_leaderboard(report["leaderboard"], BUILD / "leaderboard.png")
        draw_cost(report["leaderboard"], BUILD / "cost.png")
        pictures = PICTURES
    links = "\n".join(
        f'<li><a href="{file}.html">{file[:2]} · {html.escape(title)}</a>{remark}</li>'
        for file, title, remark in contents(report)
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
excluded. Rows without a lesson's number come from <code>make tune</code> and <code>make bench</code>.</p>
{leaderboard_table(report["leaderboard"], "html")}
{pictures}
<h2>Cost of each lesson</h2>
{costs_table(report["lessons"], "html")}
<p>{html.escape(machine)}.</p>
</body></html>
"""
    write_whole(BUILD / "index.html", page)


def contents(report: dict) -> list[tuple[str, str, str]]:
    """List file, title and a remark for every lesson, run here or not."""
    ran = {row["file"]: row for row in report["lessons"]}
    lines = []
    for path in find_lessons(NOTEBOOKS, ".ipynb", []):
        if path.stem not in ran:
            lines.append((path.stem, title(nbformat.read(path, as_version=4)), " (not run here: as published)"))
        else:
            row = ran[path.stem]
            lines.append((path.stem, row["title"], "" if row["ok"] else " <strong>failed</strong>"))
    return lines


def write_report(report: dict) -> None:
    write_whole(BUILD / "run.json", json.dumps(report, indent=1, ensure_ascii=False) + "\n")


def title(notebook: nbformat.NotebookNode) -> str:
    return notebook.cells[0].source.splitlines()[0].removeprefix("# ")


def main() -> int:
    lessons = [Lesson(path) for path in find_lessons(NOTEBOOKS, ".ipynb", sys.argv[1:])]
    BUILD.mkdir(parents=True, exist_ok=True)
    report = earlier_report()
    failures = {}
    with progress_bar(sum(lesson.code_cells for lesson in lessons)) as progress:
        for lesson in lessons:
            failure, rows = run_lesson(lesson, progress)
            if failure:
                failures[lesson.path.name] = failure
            costs = {
                "lesson": number(lesson.path),
                "title": title(lesson.notebook),
                "file": lesson.path.stem,
                "seconds": round(lesson.seconds, 1),
                "peak_mb": round(lesson.peak_mb),
                "ok": failure is None,
            }
            report["lessons"] = replace_lesson(report["lessons"], costs["lesson"], [costs])
            report["leaderboard"] = replace_lesson(report["leaderboard"], costs["lesson"], rows)
            write_report(report)
    ran = {number(lesson.path) for lesson in lessons}
    if len(report["lessons"]) > 1:
        report["leaderboard"] = [row for row in report["leaderboard"] if row["lesson"].isdigit()]
        for more in (rows_of_benchmark, rows_of_tuned_rivals):
            report["leaderboard"] += more({row["model"] for row in report["leaderboard"]})
    write_report(report)
    shutil.copytree(NOTEBOOKS / "images", BUILD / "images", dirs_exist_ok=True)
    write_pages_of_the_rest({row["file"] for row in report["lessons"]})
    write_index(report)
    print("\n" + costs_table([row for row in report["lessons"] if row["lesson"] in ran], "simple"))
    shown = report["leaderboard"]
    if sys.argv[1:]:
        shown = [row for row in shown if row["lesson"] in ran]
    print("\n" + leaderboard_table(shown, "simple"))
    print(f"\nRead the lessons at {BUILD / 'index.html'}")
    for name, failure in failures.items():
        print(f"\n=== {name} failed in this cell ===\n{failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
