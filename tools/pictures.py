"""Draw the leaderboard: what ranks best, and what that costs."""

import itertools
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox


def draw_leaderboard(rows: list[dict], path: Path) -> None:
    """Draw NDCG@10 with its interval, best on top, baselines and two-tower models in two colours."""
    ranked = sorted(
        (row for row in rows if None not in (row["ndcg_at_10"], row["ndcg_at_10_low"])),
        key=lambda row: row["ndcg_at_10"],
    )
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
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)


def draw_cost(rows: list[dict], path: Path) -> None:
    """Draw NDCG@10 with its interval against the seconds of training, each point with its name."""
    rows = [row for row in rows if None not in (row["ndcg_at_10"], row["ndcg_at_10_low"], row["train_seconds"])]
    rows.sort(key=lambda row: -row["ndcg_at_10"])
    seconds = [max(row["train_seconds"], 0.01) for row in rows]
    plt.style.use("recsys_utils.two_towers")
    figure, axes = plt.subplots(figsize=(7.2, 5.4))
    for kind, colour in (("baseline", "C0"), ("two-tower", "C1")):
        chosen = [place for place, row in enumerate(rows) if row["kind"] == kind]
        middle = np.array([rows[place]["ndcg_at_10"] for place in chosen])
        bounds = np.array([(rows[place]["ndcg_at_10_low"], rows[place]["ndcg_at_10_high"]) for place in chosen])
        reach = np.abs(bounds.reshape(-1, 2) - middle[:, None]).T  # (2, n_chosen)
        x = [seconds[place] for place in chosen]
        axes.errorbar(x, middle, yerr=reach, fmt="o", color=colour, elinewidth=1, label=kind)
    axes.set(xscale="log", xlabel="seconds to train, logarithmic", ylabel="NDCG@10, mean over users with 95 % interval")
    axes.set(title="What ranking costs, MovieLens 2016-10", ylim=(0, None))
    axes.margins(x=0.2)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.legend(loc="upper left")
    figure.canvas.draw()
    taken = [axes.get_legend().get_window_extent()]
    for x, row in zip(seconds, rows, strict=True):
        low, high = axes.transData.transform([(x, row["ndcg_at_10_low"]), (x, row["ndcg_at_10_high"])])
        taken.append(Bbox([low - 4, high + 4]))
    for x, row in zip(seconds, rows, strict=True):
        line = {"arrowstyle": "-", "color": "C6", "linewidth": 0.6, "shrinkB": 4}
        label = axes.annotate(
            row["model"], (x, row["ndcg_at_10"]), (0, 0), textcoords="offset points", fontsize=8.5, arrowprops=line
        )
        _put_where_it_is_free(label, taken, axes.bbox)
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)


def _put_where_it_is_free(label: Annotation, taken: list[Bbox], inside: Bbox) -> None:
    """Move a label to the nearest place beside its point that covers no other, and note it as taken."""
    heights = sorted(range(-90, 91, 9), key=abs)
    for up, right in itertools.product(heights, (8, -8)):  # points
        label.set(position=(right, up), ha="left" if right > 0 else "right", va="center")
        label.update_positions(label.figure.canvas.get_renderer())
        box = Text.get_window_extent(label)  # without the line to its point
        if box.x0 >= inside.x0 and box.x1 <= inside.x1 and not any(box.overlaps(other) for other in taken):
            break
    taken.append(box)
