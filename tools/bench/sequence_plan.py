"""Measure everything on the sequence protocol, part by part, and write it down for people."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from basics import BUILD, write_whole
from tabulate import tabulate

from bench import processes
from bench.sequences import (
    EDITION,
    PARTS,
    PUBLISHED,
    RIVALS,
    SIZE,
    describe,
    develop,
    differences,
    load_sequences,
    measure_rival,
    measure_tower,
    sequences_missing,
)

TOWERS = ("pooled history tower", "self-attention history tower", "both towers side by side")


def measure_sequences(
    folder: str | None = None,
    epochs: int | None = None,
    measure: Callable[..., dict] = processes.measure,
    keep: Callable[[dict], None] = lambda report: None,
) -> dict:
    """Measure the rivals and the towers, each in a process of its own.

    Parameters
    ----------
    folder : of sequences, see `read_sequences`; by default the official edition
    epochs : of each tower; by default its own
    measure : calls a function with arguments
    keep : gets the report after each model, with what is measured so far
    """
    missing = sequences_missing(folder)
    report = {"data": folder or EDITION, "missing": missing, "size": "", "rows": [], "differences": []}
    if missing:
        return report
    report["size"] = describe(load_sequences(folder))
    print(f"{report['data']}: {report['size']}", file=sys.stderr)
    calls = [(measure_rival, name, folder) for name in RIVALS]
    calls += [(measure_tower, name, folder, epochs) for name in TOWERS]
    rows = []
    for call in calls:
        rows.append(measure(*call))
        report["differences"] = [row for part in rows[0]["parts"] for row in differences(rows, part)]
        report["rows"] = [row | {"parts": {part: _means(row["parts"][part]) for part in row["parts"]}} for row in rows]
        keep(report)
    return report


def _means(found: dict) -> dict:
    return {name: value for name, value in found.items() if name != "by_user"}


def sequence_markdown(report: dict) -> str:
    """Write the report for people."""
    lines = ["## A protocol that others chose: MovieLens-1M, last item left out, whole catalogue"]
    if report["missing"]:
        return "\n\n".join([*lines, f"**{report['data']}**: not measured. {report['missing']}"])
    lines.append(
        f"{report['data']}: {report['size']}. HR@10 and NDCG@10 with its 95 % interval over users, seen items "
        "filtered; seconds to fit, and peak memory of the process. A rival's settings are chosen on each user's last "
        "training item; those of the towers were, once. One seed."
    )
    for part in PARTS:
        cells = [_cells(row, row["parts"][part]) for row in report["rows"] if part in row["parts"]]
        if part == "test":
            cells = [[row["model"], *_metrics(row), *[""] * 3, row["source"]] for row in PUBLISHED] + cells
        heading = f"**{part}**"
        if part in report["rows"][0]["parts"]:
            heading += f", {report['rows'][0]['parts'][part]['users']:,} users"
        else:
            heading += ": its targets are not there; nothing here is measured on it"
        if part == "test":
            heading += f"; rows with a source as published, on the test of all {SIZE['users']:,}"
        lines += [heading, _table(cells)] if cells else [heading]
    for row in report["differences"]:
        lines.append(
            f"{row['part']}: {row['model']} less {row['against']}, NDCG@10 user by user: {row['difference']:+.3f} "
            f"({row['low']:+.3f} to {row['high']:+.3f}), {row['verdict']}."
        )
    lines.append("Settings:")
    settings = []
    for row in report["rows"]:
        edge = f"; the best {' and '.join(row['at_edge'])} at an end of what was tried" if row.get("at_edge") else ""
        if row["settings"]:
            settings.append(f"- {row['model']}: {json.dumps(row['settings'])}{edge}")
    return "\n\n".join([*lines, "\n".join(settings)])


def _cells(row: dict, found: dict) -> list[str]:
    interval = f"{found['low']:.3f} to {found['high']:.3f}"
    return [row["model"], *_metrics(found), interval, f"{row['seconds']:,.0f}", f"{row['peak_mb']:,}", ""]


def _metrics(found: dict) -> list[str]:
    return [f"{found[name]:.3f}" for name in ("hr", "ndcg")]


def _table(cells: list[list]) -> str:
    columns = {"model": "left", "HR@10": "right", "NDCG@10": "right", "95 % interval": "left"}
    columns |= {"seconds to fit": "right", "peak MB": "right", "published by": "left"}
    return tabulate(cells, [*columns], "github", disable_numparse=True, colalign=[*columns.values()])


def write_sequences(folder: str = "") -> None:
    """Measure, print and, after each model, write build/sequences.json and .md; a folder has to hold all files."""
    folder = str(Path(folder).expanduser().resolve()) if folder else None
    report = measure_sequences(folder, keep=_write)
    if report["missing"] and folder:
        raise SystemExit(f"FOLDER is {folder!r}: {report['missing']}")
    print(_write(report))


def _write(report: dict) -> str:
    BUILD.mkdir(exist_ok=True)
    write_whole(BUILD / "sequences.json", json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    text = sequence_markdown(report) + "\n"
    write_whole(BUILD / "sequences.md", text)
    return text


def print_development(name: str, *more: str) -> None:
    """Train a tower for choosing its settings, print what it reaches; `more` are a folder and such as dropout=0.5."""
    settings = {key: json.loads(value) for key, _, value in (one.partition("=") for one in more) if value}
    folder = next((one for one in more if "=" not in one), None)
    print(json.dumps({"model": name, "changes": settings} | develop(name, folder, settings)))
