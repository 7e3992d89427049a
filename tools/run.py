"""Run the lessons into build/: executed copies, a table of costs, the leaderboard, and the site that shows them."""

import datetime
import json
import os
import platform
import sys
import tempfile
from pathlib import Path

import nbformat
import psutil
import website
from lessons import BUILD, NOTEBOOKS, Lesson, find_lessons, number, progress_bar, write_whole
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from pictures import draw_cost, draw_leaderboard
from tables import costs_table, leaderboard_table
from tqdm import tqdm

from recsys_utils.baselines import load_tuned
from recsys_utils.leaderboard import Leaderboard


def run_lesson(lesson: Lesson, progress: tqdm) -> tuple[str | None, list[dict]]:
    """Execute one lesson, write its copy; return what failed, or None, and its leaderboard rows."""
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
    return failure, rows


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
    if any(row["ndcg_at_10_low"] is not None for row in report["leaderboard"]):
        draw_leaderboard(report["leaderboard"], BUILD / "leaderboard.png")
        draw_cost(report["leaderboard"], BUILD / "cost.png")
    print("\n" + costs_table([row for row in report["lessons"] if row["lesson"] in ran], "simple"))
    shown = report["leaderboard"]
    if sys.argv[1:]:
        shown = [row for row in shown if row["lesson"] in ran]
    print("\n" + leaderboard_table(shown, "simple"))
    print(f"\nRead the lessons at {website.build()}")
    for name, failure in failures.items():
        print(f"\n=== {name} failed in this cell ===\n{failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
