"""The picture of two towers: what it says, and that none of it is cut off or covered."""

import itertools

import matplotlib.pyplot as plt
import pytest
from matplotlib.patches import FancyBboxPatch
from matplotlib.text import Annotation

from recsys_utils.diagram import Tower, draw_two_towers

USER = Tower("user tower", {"count": 1, "average by genre": 14}, ["Dense 256, relu", "Dense 32"], {"user id": 671})
MOVIE = Tower("movie tower", {"genres": 14}, ["Dense 128, relu", "Dense 64, relu", "Dense 32"])


def test_every_part_is_in_the_picture_once():
    figure = draw_two_towers(USER, MOVIE, "dot product", "mean squared error")
    shown = [text.get_text() for text in figure.axes[0].texts if not isinstance(text, Annotation)]
    said = [tower.name for tower in (USER, MOVIE)] + [*USER.layers, *MOVIE.layers, "dot product"]
    said += ["loss: mean squared error", "count (1)\naverage by genre (14)", "user id (671)", "genres (14)"]
    assert sorted(shown) == sorted(said)
    arrows = [text for text in figure.axes[0].texts if isinstance(text, Annotation)]
    assert (
        len(arrows) == len(USER.layers) + len(MOVIE.layers) + 4
    )  # up each tower, past one, to where they meet, to the loss
    assert plt.get_fignums() == [], "a notebook would show it twice"


def test_texts_fit_into_the_picture_and_do_not_cover_each_other():
    figure = draw_two_towers(USER, MOVIE, "dot product", "mean squared error")
    figure.canvas.draw()
    texts = [text for text in figure.axes[0].texts if not isinstance(text, Annotation)]
    boxes = [text.get_window_extent() for text in texts]
    for text, box in zip(texts, boxes, strict=True):
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1, text.get_text()
        assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1, text.get_text()
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    drawn = [patch.get_window_extent() for patch in figure.axes[0].patches if isinstance(patch, FancyBboxPatch)]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(drawn, 2))


def test_background_is_transparent():
    figure = draw_two_towers(USER, MOVIE, "dot product", "mean squared error")
    assert figure.get_facecolor()[3] == 0 and figure.axes[0].get_facecolor()[3] == 0
    ticks = [tick for axis in (figure.axes[0].xaxis, figure.axes[0].yaxis) for tick in axis.get_ticklabels()]
    assert ticks == [], "JupyterLab puts white behind a transparent figure with dark ticks, even if they are hidden"


def test_a_tower_needs_inputs_and_layers():
    with pytest.raises(ValueError, match="query has no inputs; expected at least one"):
        draw_two_towers(USER._replace(inputs={}), MOVIE, "dot product", "loss")
    with pytest.raises(ValueError, match="candidate has no layers; expected at least one"):
        draw_two_towers(USER, MOVIE._replace(layers=[]), "dot product", "loss")
