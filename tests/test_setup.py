"""Setting a lesson up; each case in a process of its own, because a process keeps its Keras."""

import base64
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import nbclient
import nbformat
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from recsys_utils.setup import STYLE, set_up

SCRIPTS = Path(__file__).parents[1] / "notebooks" / "scripts"


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_seed_and_style_without_tensorflow():
    draws = []
    for _ in range(2):
        set_up(seed=7)
        draws.append(np.random.rand())  # noqa: NPY002
    assert draws[0] == draws[1]
    assert plt.rcParams["axes.spines.top"] is False
    code = "import sys; from recsys_utils.setup import set_up; set_up(); print('tensorflow' in sys.modules)"
    assert run(code).stdout == "False\n"


def contrast(one, other):
    """Return the contrast of WCAG 2 between two colours, from 1 to 21."""
    channels = np.array([to_rgb(one), to_rgb(other)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    darker, lighter = np.sort(linear @ [0.2126, 0.7152, 0.0722])
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize(("page", "of_ink"), [("white", 4.5), ("#111111", 4.0)])
def test_ink_and_curves_are_legible_on_jupyterlabs_light_and_dark_page(page, of_ink):
    with plt.style.context(STYLE):
        inks = "text.color axes.edgecolor axes.labelcolor xtick.color ytick.color patch.edgecolor".split()
        for ink in inks:
            assert contrast(plt.rcParams[ink], page) >= of_ink, ink
        curves = plt.rcParams["axes.prop_cycle"].by_key()["color"]
    for colour in (*curves[:4], curves[6]):
        assert contrast(colour, page) >= 3, colour
    for colour in curves[4:6]:  # orange and sky blue: darker ones are too near to C1 and C0 for colour-blind readers
        assert contrast(colour, page) >= 2.2, colour
    assert len(set(curves)) == 7


def test_a_saved_figure_has_nothing_behind_it():
    with plt.style.context(STYLE):
        figure, axes = plt.subplots()
        axes.plot([0, 1], label="line")
        axes.legend()
        figure.savefig(content := io.BytesIO())
        plt.close(figure)
    content.seek(0)
    assert (plt.imread(content)[..., 3] == 0).mean() > 0.8


def test_lessons_draw_in_no_colour_that_a_page_may_have():
    """Black and white, and greys but the style's own C6, which are legible on one page alone."""
    words = r"""["'](black|white|gray|grey|0\.\d+|1\.0|[kw][-:.,ox+*]*|#(000|fff)(000|fff)?)["']"""
    for path in SCRIPTS.glob("*.py"):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            found = not line.startswith("#") and re.search(words, line, re.IGNORECASE)
            assert not found, f"{path.name}, line {number}: {line.strip()}"


def test_a_notebook_shows_transparent_figures_and_aligned_frames():
    cells = [
        "import pandas as pd, matplotlib.pyplot as plt",
        "plt.plot([0, 1]); plt.show()  # the backend is at work before set_up",
        "from recsys_utils.setup import set_up; set_up()",
        "plt.plot([0, 1]); plt.show()",
        "pd.DataFrame({'title': ['a'], 'year': [1995]})",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(notebook).execute()
    before, figure, frame = (notebook.cells[place].outputs[0] for place in (1, 3, 4))
    assert [alpha_of_corner(output) for output in (before, figure)] == [1, 0]
    assert "needs_background" not in figure.metadata, "JupyterLab would put white behind it on a dark page"
    assert '<td align="left" style="text-align: left;">a</td>' in frame.data["text/html"]
    assert frame.data["text/plain"] == "  title  year\n0     a  1995"


def alpha_of_corner(output):
    return plt.imread(io.BytesIO(base64.b64decode(output.data["image/png"])))[0, 0, 3]


def test_outside_a_notebook_pandas_stays_as_it_is():
    code = """
import sys
from recsys_utils.setup import set_up
set_up()
import pandas
print("align=" in pandas.DataFrame({"title": ["a"]})._repr_html_(), "IPython" in sys.modules)"""
    assert run(code).stdout == "False False\n"


@pytest.mark.parametrize("keras", [2, 3])
def test_keras_of_the_asked_version_with_its_seed_and_no_noise(keras):
    code = f"""
import json
from recsys_utils.setup import set_up
set_up(keras={keras}, seed=3, deterministic=True)
import tensorflow as tf
first = float(tf.random.uniform(()))
set_up(keras={keras}, seed=3)
print(json.dumps([tf.keras.layers.Layer.__module__, first, float(tf.random.uniform(()))]))
"""
    result = run(code)
    assert result.returncode == 0 and result.stderr == "", result.stderr
    module, first, second = json.loads(result.stdout)
    assert module.startswith({2: "tf_keras.", 3: "keras."}[keras]) and first == second


def test_the_other_keras_in_the_same_process_is_refused():
    code = "from recsys_utils.setup import set_up; set_up(keras=3); set_up(keras=2)"
    result = run(code)
    assert "keras is 2, but this process already uses Keras 3" in result.stderr
    assert "restart the kernel" in result.stderr


def test_threads_are_set_before_tensorflow_works_and_left_alone_afterwards():
    code = """
from recsys_utils.setup import set_up
set_up(keras=2, threads=1)
import tensorflow as tf
tf.ones(1)
set_up(keras=2, threads=2)
set_up(keras=2)
print(tf.config.threading.get_intra_op_parallelism_threads())"""
    result = run(code)
    assert result.stdout == "1\n" and result.stderr == "", result.stderr


def test_bad_arguments():
    with pytest.raises(ValueError, match="keras is 4; expected 2, 3 or None"):
        set_up(keras=4)
    with pytest.raises(ValueError, match="deterministic is True, keras is None"):
        set_up(deterministic=True)
    for wrong in ({"threads": 1}, {"threads": 0, "keras": 2}):
        with pytest.raises(ValueError, match="expected threads of at least 1, and keras=2 or keras=3"):
            set_up(**wrong)
