"""One call that sets a lesson up: seed, style of figures and tables, log level, and which Keras TensorFlow uses."""

import importlib
import os
import random
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recsys_utils.display import frame_html

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

STYLE = "recsys_utils.two_towers"


def set_up(keras: int | None = None, seed: int = 1, deterministic: bool = False, threads: int | None = None) -> None:
    """Set seed, style of figures and tables; for a lesson with towers in TensorFlow also its log level and its Keras.

    Call it before TensorFlow or Keras is imported: a process uses one Keras. The style is legible on a light and on a
    dark page; in a notebook pandas' frames get it, too.

    Parameters
    ----------
    keras : 3, or 2 (the package tf-keras) for TensorFlow Recommenders; None for a lesson without TensorFlow
    seed : of Python's, NumPy's and TensorFlow's global generators
    deterministic : let TensorFlow run only operations that give the same bits each time, which costs some speed
    threads : how many share one operation of TensorFlow; for matrices of a few hundred rows, more than one costs more
        than it gains. None leaves it to TensorFlow, and so does a process in which TensorFlow is already at work

    Raises
    ------
    ValueError
        Another `keras`; `deterministic` or `threads` without TensorFlow; fewer threads than one.
    RuntimeError
        The other Keras is already in use in this process.
    """
    if keras not in (None, 2, 3):
        raise ValueError(f"keras is {keras!r}; expected 2, 3 or None")
    if deterministic and keras is None:
        raise ValueError("deterministic is True, keras is None; expected keras=2 or keras=3 with it")
    if threads is not None and (keras is None or threads < 1):
        raise ValueError(
            f"threads is {threads}, keras is {keras}; expected threads of at least 1, and keras=2 or keras=3"
        )
    import matplotlib.pyplot as plt

    plt.style.use(STYLE)
    if "IPython" in sys.modules and (shell := sys.modules["IPython"].get_ipython()):
        _set_up_notebook(shell)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002, for libraries that draw from the global generator
    if keras is not None:
        _set_up_tensorflow(keras, seed, deterministic, threads)


def _set_up_notebook(shell: "InteractiveShell") -> None:
    shell.display_formatter.formatters["text/html"].for_type(pd.DataFrame, frame_html)
    from matplotlib_inline.backend_inline import set_matplotlib_formats
    from matplotlib_inline.config import InlineBackend

    # Not `figure.facecolor` in the style: JupyterLab would put white behind a figure that is itself transparent.
    InlineBackend.instance(parent=shell).print_figure_kwargs["facecolor"] = "none"
    set_matplotlib_formats("png")


def _set_up_tensorflow(keras: int, seed: int, deterministic: bool, threads: int | None) -> None:
    os.environ["TF_USE_LEGACY_KERAS"] = "1" if keras == 2 else "0"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    tensorflow = importlib.import_module("tensorflow")
    used = 2 if tensorflow.keras.layers.Layer.__module__.startswith("tf_keras") else 3
    if used != keras:
        raise RuntimeError(
            f"keras is {keras}, but this process already uses Keras {used}; restart the kernel and call set_up first"
        )
    if threads is not None:
        with suppress(RuntimeError):  # TensorFlow is at work, and keeps its threads
            tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
    tensorflow.get_logger().setLevel("ERROR")
    tensorflow.keras.utils.set_random_seed(seed)
    if deterministic:
        tensorflow.config.experimental.enable_op_determinism()
