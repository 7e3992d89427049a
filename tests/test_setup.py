"""Setting a lesson up; each case in a process of its own, because a process keeps its Keras."""

import json
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest

from recsys_utils.setup import set_up


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


def test_bad_arguments():
    with pytest.raises(ValueError, match="keras is 4; expected 2, 3 or None"):
        set_up(keras=4)
    with pytest.raises(ValueError, match="deterministic is True, keras is None"):
        set_up(deterministic=True)
