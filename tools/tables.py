"""Lay out what a run measured: the leaderboard, and what each lesson cost."""

from tabulate import tabulate


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
