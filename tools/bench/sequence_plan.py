"""Measure everything on the sequence protocol, part by part, and write it down for people."""

import json
from collections.abc import Callable

from basics import BUILD, write_whole
from tabulate import tabulate

from bench import processes
from bench.sequences import EDITION, RIVALS, differences, measure_rival, sequences_missing, with_published

TOWERS = ("pooled history tower", "self-attention history tower")


def measure_sequences(
    folder: str | None = None, epochs: int | None = None, measure: Callable[..., dict] = processes.measure
) -> dict:
    """Measure the rivals and the towers, each in a process of its own; a part that is done is kept while others run.

    Parameters
    ----------
    folder : of sequences, see `read_sequences`; by default the official edition
    epochs : of each tower; by default its own
    measure : calls a function with arguments
    """
    missing = sequences_missing(folder)
    report = {"data": folder or EDITION, "missing": missing, "rows": [], "differences": []}
    if missing:
        return report
    from bench.sequence_towers import measure_tower

    for name in RIVALS:
        report["rows"].append(measure(measure_rival, name, folder))
    for name in TOWERS:
        report["rows"].append(measure(measure_tower, name, folder, epochs))
    for part in report["rows"][0]["parts"]:
        report["differences"] += differences(report["rows"], part)
    for row in report["rows"]:
        for part in row["parts"].values():
            del part["by_user"]
    return report


def sequence_markdown(report: dict) -> str:
    """Write the report for people."""
    lines = ["## A protocol that others chose: MovieLens-1M, last item left out, whole catalogue"]
    if report["missing"]:
        return "\n\n".join([*lines, f"**{report['data']}**: not measured. {report['missing']}"])
    rows = with_published(report["rows"]) if report["data"] == EDITION else report["rows"]
    parts = list(report["rows"][0]["parts"])
    lines.append(
        f"Of {report['data']}: HR@10 and NDCG@10 with its 95 % interval over users, seen items filtered; seconds to "
        "fit, and peak memory of the process. A rival's settings are chosen on each user's last training item. Rows "
        "with a source are as published, on the test."
    )
    for part in parts:
        cells = []
        for row in rows:
            if part not in row["parts"]:
                continue
            found = row["parts"][part]
            interval = "" if found["low"] is None else f"{found['low']:.3f} to {found['high']:.3f}"
            cost = [f"{row['seconds']:,.0f}", f"{row['peak_mb']:,}"] if "seconds" in row else ["", ""]
            cells.append(
                [row["model"], f"{found['hr']:.3f}", f"{found['ndcg']:.3f}", interval, *cost, row.get("source", "")]
            )
        users = report["rows"][0]["parts"][part]["users"]
        lines += [f"**{part}**, {users:,} users", _table(cells)]
    for row in report["differences"]:
        lines.append(
            f"{row['part']}: {row['model']} less {row['against']}, NDCG@10 user by user: {row['difference']:+.3f} "
            f"({row['low']:+.3f} to {row['high']:+.3f}), {row['verdict']}."
        )
    settings = [f"{row['model']}: {json.dumps(row['settings'])}" for row in report["rows"] if row["settings"]]
    return "\n\n".join([*lines, "Settings:", "\n".join(f"- {line}" for line in settings)])


def _table(cells: list[list]) -> str:
    columns = {"model": "left", "HR@10": "right", "NDCG@10": "right", "95 % interval": "left"}
    columns |= {"seconds to fit": "right", "peak MB": "right", "published by": "left"}
    return tabulate(cells, [*columns], "github", disable_numparse=True, colalign=[*columns.values()])


def write_sequences(folder: str | None) -> None:
    """Measure, print and write build/sequences.json and build/sequences.md."""
    report = measure_sequences(folder)
    text = sequence_markdown(report) + "\n"
    BUILD.mkdir(exist_ok=True)
    write_whole(BUILD / "sequences.json", json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    write_whole(BUILD / "sequences.md", text)
    print(text)
