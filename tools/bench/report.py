"""Write the report for people: build/bench.md, and the table of ratios that README.md shows."""

import json

from basics import BUILD, write_whole
from run import leaderboard_table
from tabulate import tabulate

from bench.editions import EMBEDDED
from bench.evaluation import RELEVANT, SEEN, WIDTH
from bench.quality import SLOW
from bench.sequence_plan import sequence_markdown
from bench.speed import WIDTHS


def markdown(report: dict) -> str:
    """Write the report for people, ratios first."""
    at = report["machine"]
    plan = report["plan"]
    runs = "one run" if plan["runs"] == 1 else f"medians of {plan['runs']} runs"
    command = "make bench QUICK=1" if report["quick"] else "make bench"
    lines = [
        "# Benchmark",
        f"`{command}` on {at['date']}: {at['cores']} cores, {at['memory_gb']} GB, {at['system']} {at['processor']}, "
        f"Python {at['python']}; {report['minutes']:.1f} minutes. Times are {runs}.",
    ]
    if report["quick"]:
        lines.append(
            f"**A quick look**: the first {plan['users']} users of each edition, {runs}, smaller sizes. Its figures "
            "are not those of the full run."
        )
    lines += ["## Ratios", ratio_table(report["ratios"]), "## Quality"]
    for edition in report["editions"]:
        if edition["missing"]:
            lines.append(f"**{edition['edition']}**: not measured. {edition['missing']}")
            continue
        lines += [
            f"**{edition['edition']}**, {edition['ratings']:,} ratings",
            leaderboard_table(edition["rows"], "github"),
        ]
        for row in edition["rows"]:
            if len(row.get("ndcg_at_10_of_seeds", [])) > 1:
                of_seeds = ", ".join(f"{ndcg:.3f}" for ndcg in row["ndcg_at_10_of_seeds"])
                lines.append(f"{row['model']}, NDCG@10 by seed: {of_seeds}.")
        if edition["ratings"] > SLOW:
            lines.append(f"SVD++ and the neighbours of stars run on editions up to {SLOW:,} ratings.")
    if plan["thorough"]:
        lines += [
            "## Encoders of the watch history",
            f"Lesson 14's small model on the validation part of {EMBEDDED}; the interval is that of the difference "
            "from recency, user by user.",
            _encoder_table(report["encoders"]),
            "## Parts of the history tower",
            f"The model that lesson 14 keeps, trained again with one thing removed; {EMBEDDED}, validation part, one "
            "seed.",
            _ablation_table(report["ablation"]),
        ]
    if "sequences" in report:
        lines.append(sequence_markdown(report["sequences"]))
    lines += [
        "## Training and evaluation",
        f"{EMBEDDED}, split by time: lesson 11's in-batch softmax with logQ, lesson 14's history tower, and the recipe "
        f"of TFRS's retrieval tutorial with its metric on while it trains, as published (at {min(WIDTHS)} alone), and "
        "off.",
        _speed_table(report["speeds"]),
    ]
    near = report["similarity"]
    lines += [
        "## All-pairs similarity",
        f"{near['rows']:,} vectors of {near['width']}: {near['blocks_seconds']:.2f} s in blocks; the double loop would "
        f"take {near['loop_seconds_extrapolated']:.0f} s, extrapolated from {near['loop_rows']} rows.",
        "## Cost against size",
        "Lesson 11's model on generated interactions, 10,000 items, one user for each 100 interactions.",
        _size_table(report["sizes"]),
        f"Seconds grow as interactions to the power of {report['slopes']['seconds']:.2f} (those of the processor "
        f"{report['slopes']['cpu_seconds']:.2f}), peak memory to the power of {report['slopes']['peak_mb']:.2f}; 1 is "
        "linear.",
        "## Cost of evaluation",
        f"Random vectors of {WIDTH}, every item ranked for every user, a block of users at a time. {SEEN} items a user "
        f"are drawn for training and {RELEVANT} for the test, popular ones more often; one drawn again counts once. "
        "One run; the memory is that of the whole process, data and all.",
        _evaluation_table(report["evaluations"]),
    ]
    return "\n\n".join(lines) + "\n"


def write(report: dict) -> str:
    """Write build/bench.json and build/bench.md; return the latter's text."""
    BUILD.mkdir(exist_ok=True)
    write_whole(BUILD / "bench.json", json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    text = markdown(report)
    write_whole(BUILD / "bench.md", text)
    return text


def ratio_table(rows: list[dict]) -> str:
    cells = []
    for row in rows:
        interval = "" if row["low"] is None else f"{row['low']:.2f} to {row['high']:.2f}"
        cells.append([row["what"], f"{row['ratio']:.2f}" if row["ratio"] < 10 else f"{row['ratio']:,.0f}", interval])
    return _table(cells, {"": "left", "ratio": "right", "95 % interval": "left"})


def _encoder_table(rows: list[dict]) -> str:
    cells = []
    for row in rows:
        interval = "–" if row["encoder"] == "recency" else f"{row['low']:+.3f} to {row['high']:+.3f}"
        cells.append([row["encoder"], f"{row['ndcg_at_10']:.3f}", interval, f"{row['train_seconds']:.1f}"])
    return _table(cells, {"encoder": "left", "NDCG@10": "right", "difference": "left", "seconds to train": "right"})


def _ablation_table(rows: list[dict]) -> str:
    cells = []
    for row in rows:
        lost = (
            ["–", "–"]
            if row["removed"] == "nothing"
            else [f"{row['lost']:.3f}", f"{row['low']:.3f} to {row['high']:.3f}"]
        )
        cells.append([row["removed"], f"{row['ndcg_at_10']:.3f}", *lost])
    return _table(cells, {"removed": "left", "NDCG@10": "right", "lost": "right", "95 % interval": "left"})


def _speed_table(rows: list[dict]) -> str:
    cells = []
    for row in sorted(rows, key=lambda row: row["width"]):
        evaluation = "–" if row["evaluate_seconds"] is None else f"{row['evaluate_seconds']:.2f}"
        cells.append([row["pipeline"], row["width"], f"{row['examples_per_second']:,.0f}", evaluation])
    figures = ["vectors of", "training examples a second", "seconds to evaluate"]
    return _table(cells, {"pipeline": "left"} | dict.fromkeys(figures, "right"))


def _size_table(rows: list[dict]) -> str:
    cells = []
    for row in rows:
        times = [f"{row[name]:.1f}" for name in ("seconds", "cpu_seconds")]
        cells.append([f"{row['interactions']:,}", *times, f"{row['peak_mb']:,}", row["epochs_timed"]])
    heading = ["interactions", "seconds an epoch", "processor seconds", "peak MB", "epochs timed"]
    return _table(cells, dict.fromkeys(heading, "right"))


def _evaluation_table(rows: list[dict]) -> str:
    cells = [[f"{row['users']:,}", f"{row['items']:,}", f"{row['seconds']:.1f}", f"{row['peak_mb']:,}"] for row in rows]
    return _table(cells, dict.fromkeys(["users", "items", "seconds", "peak MB"], "right"))


def _table(cells: list[list], columns: dict[str, str]) -> str:
    """Lay rows out below a heading; `columns` says how each one is aligned."""
    return tabulate(cells, [*columns], "github", disable_numparse=True, colalign=[*columns.values()])
