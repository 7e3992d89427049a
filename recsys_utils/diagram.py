"""The picture of a two-tower model: what goes in, the layers, where the towers meet, and the loss."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

QUERY, CANDIDATE, MEET, PLAIN = "#9ecae1", "#fdbe85", "#b7dfb0", "#dddddd"  # boxes, under dark text in either theme
INK, LINE = "#1a1a1a", "#7f7f7f"  # text in boxes; lines and names beside them, legible on white and on black
WIDTH, HEIGHT, GAP = 3.6, 0.62, 0.5  # of a box, and between two of them, inches


class Tower(NamedTuple):
    """One side of a two-tower model, from its inputs up."""

    name: str  # such as 'user tower'
    inputs: Mapping[str, int]  # what goes in, and how many numbers (or, of an id, how many ids) each is
    layers: Sequence[str]  # from the inputs up, such as 'Dense 128, relu'; the last one gives the vector
    joins: Mapping[str, int] = MappingProxyType({})  # what goes past the layers into the last one, such as an id


def draw_two_towers(query: Tower, candidate: Tower, meet: str, loss: str) -> "Figure":
    """Draw two towers side by side: inputs at the bottom, layers above them, where they meet, and the loss on top.

    The background is transparent, so that the picture is legible on a light and on a dark page.

    Parameters
    ----------
    query, candidate : the towers, left and right, with at least one input and one layer each
    meet : where their vectors meet, such as 'dot product'
    loss : what is minimised, such as 'in-batch softmax'

    Returns
    -------
    Figure
        As the last expression of a cell it is shown; close it with `plt.close` where it is not wanted.

    Raises
    ------
    ValueError
        A tower without inputs or layers.
    """
    for side, tower in (("query", query), ("candidate", candidate)):
        for what in ("inputs", "layers"):
            if not getattr(tower, what):
                raise ValueError(f"{side} has no {what}; expected at least one")
    import matplotlib.pyplot as plt

    floors = max(len(query.layers), len(candidate.layers))
    rows = floors + 3  # inputs, layers, meeting point, loss
    size = (2 * WIDTH + 1.2, rows * (HEIGHT + GAP) + 0.3)
    figure, axes = plt.subplots(figsize=size, facecolor="none", layout="none")
    axes.set(xlim=(0, size[0]), ylim=(0, size[1]), facecolor="none", xticks=[], yticks=[])
    axes.set_position((0, 0, 1, 1))
    axes.set_axis_off()
    middles = [0.2 + WIDTH / 2, size[0] - 0.2 - WIDTH / 2]
    level = [0.3 + HEIGHT / 2 + row * (HEIGHT + GAP) for row in range(rows)]
    for tower, x, colour in zip((query, candidate), middles, (QUERY, CANDIDATE), strict=True):
        _draw_tower(axes, tower, x, level, floors, colour)
    centre = size[0] / 2
    _draw_box(axes, centre, level[-2], meet, MEET)
    _draw_box(axes, centre, level[-1], f"loss: {loss}", PLAIN)
    _draw_arrow(axes, (centre, level[-2] + HEIGHT / 2), (centre, level[-1] - HEIGHT / 2))
    plt.close(figure)  # a notebook would show it twice
    return figure


def _draw_tower(axes: "Axes", tower: Tower, x: float, level: list[float], floors: int, colour: str) -> None:
    centre = axes.get_xlim()[1] / 2
    inwards = 1 if x < centre else -1
    trunk, width = (x + inwards * 0.2 * WIDTH, 0.6 * WIDTH) if tower.joins else (x, WIDTH)
    boxes = [(level[0], _list_inputs(tower.inputs), PLAIN, trunk, width)]
    boxes += [(level[1 + floor], layer, colour, trunk, width) for floor, layer in enumerate(tower.layers)]
    boxes[-1] = (*boxes[-1][:3], x, WIDTH)
    for y, text, fill, middle, wide in boxes:
        _draw_box(axes, middle, y, text, fill, wide)
    for (below, *_), (above, *_) in pairwise(boxes):
        _draw_arrow(axes, (trunk, below + HEIGHT / 2), (trunk, above - HEIGHT / 2))
    if tower.joins:
        aside = x - inwards * 0.32 * WIDTH
        _draw_box(axes, aside, level[0], _list_inputs(tower.joins), PLAIN, 0.36 * WIDTH)
        _draw_arrow(axes, (aside, level[0] + HEIGHT / 2), (aside, boxes[-1][0] - HEIGHT / 2))
    top = boxes[-1][0] + HEIGHT / 2
    edge, align = x - inwards * WIDTH / 2, "left" if inwards > 0 else "right"
    axes.text(edge, top + 0.1, tower.name, color=LINE, ha=align, va="bottom", fontsize=11, fontweight="bold")
    start, end = x + inwards * WIDTH / 4, centre - inwards * WIDTH / 4
    _draw_arrow(axes, (start, top), (end, level[-2] - HEIGHT / 2))


def _list_inputs(inputs: Mapping[str, int]) -> str:
    return "\n".join(f"{name} ({size:,})" for name, size in inputs.items())


def _draw_box(axes: "Axes", x: float, y: float, text: str, fill: str, width: float = WIDTH) -> None:
    from matplotlib.patches import FancyBboxPatch

    corner = (x - width / 2, y - HEIGHT / 2)
    style = "round,pad=0,rounding_size=0.12"
    axes.add_patch(FancyBboxPatch(corner, width, HEIGHT, boxstyle=style, facecolor=fill, edgecolor=LINE))
    axes.text(x, y, text, color=INK, ha="center", va="center", fontsize=10 if "\n" not in text else 9)


def _draw_arrow(axes: "Axes", start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": LINE, "linewidth": 1.2})
