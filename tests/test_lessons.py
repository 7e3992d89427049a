"""A lesson runs for its solutions, and lends its model to other data; both say what they cannot take."""

import re
import traceback

import numpy as np
import pandas as pd
import pytest
from basics import SCRIPTS
from matplotlib import pyplot

from recsys_utils import lessons
from recsys_utils.datasets.table import load_ratings

SCRIPT = """# ---
# jupyter: a head
# ---

# %% [markdown]
# # A lesson

# %% tags=["model"]
from recsys_utils.splits import split_by_time

# %% tags=["parameters"]
BATCH = 8
EPOCHS = 6

# %%
movies = "the lesson's own"

# %% tags=["model"]
items, in_all = movies.items, EPOCHS * BATCH
validation_split = split_by_time(movies.ratings)

# %% tags=["model", "nbval-check-output"]
def fail():
    raise RuntimeError("here")

# %% tags=["nbval-check-output"]
assert False, "a run of the lesson"
"""

# Of a lesson as a solution runs it. The heading in the code is none of the lesson's.
RUN = """# ---
# jupyter: a head
# ---

# %% [markdown]
# # Count
#
# print("prose is not run")

# %% tags=["colab"]
raise RuntimeError("the set-up cell")

# %%
import sys

import matplotlib.pyplot as plt
from IPython.display import display

# %% [markdown]
# ## Settings

# %% tags=["parameters"]
EPOCHS, DIM = 6, 4
NAMES = ["a"]
steps = 10 * EPOCHS

# %%
default = (EPOCHS, DIM) == (6, 4)

# %% [markdown]
# ## Train
# Text that follows a heading.
#
# ### In steps

# %%
print("shown", file=sys.stderr)
print("shown")
display("shown")
plt.plot([1, 2])
trained = [EPOCHS]

# %% tags=["nbval-check-output"]
# ## In the code
trained

# %% [markdown]
# ## Evaluate

# %%
def fail():
    raise RuntimeError("here")


assert not default or DIM == 4
score = sum(trained)
"""


@pytest.fixture(autouse=True)
def scripts(tmp_path, monkeypatch):
    (tmp_path / "21_lent.py").write_text(SCRIPT, encoding="utf-8")
    (tmp_path / "23_run.py").write_text(RUN, encoding="utf-8")
    (tmp_path / "solutions").mkdir()
    (tmp_path / "solutions" / "24_alone.py").write_text(RUN, encoding="utf-8")
    (tmp_path / "22_kept.py").write_text(SCRIPT.replace('"model"', '"other"'), encoding="utf-8")
    monkeypatch.setattr(lessons, "_folder", lambda: tmp_path)


def own_data(rows_each=10, **names):
    person = np.repeat([1, 2], rows_each)
    table = pd.DataFrame({"who": person, "what": np.arange(2 * rows_each), "when": np.arange(2 * rows_each)})
    return load_ratings(table, user="who", item="what", **{"time": "when", "time_format": "s"} | names)


def test_only_the_model_is_borrowed_with_the_data_in_place_of_the_lessons():
    own = own_data()
    lesson = lessons.borrow("21", movies=own)
    assert lesson.items is own.items and lesson.in_all == 48
    assert len(lesson.validation_split.train) == 16


def test_parameters_are_set_before_the_model_is_made():
    assert lessons.borrow("21", movies=own_data(), EPOCHS=2).in_all == 16
    assert lessons.borrow("21", movies=own_data()).in_all == 48, "a loan changes nothing for the next"


def test_a_failure_points_at_the_line_of_the_script(tmp_path):
    lesson = lessons.borrow("21", movies=own_data())
    with pytest.raises(RuntimeError) as raised:
        lesson.fail()
    last = traceback.extract_tb(raised.value.__traceback__)[-1]
    assert (last.filename, last.line) == (str(tmp_path / "21_lent.py"), 'raise RuntimeError("here")')


@pytest.mark.parametrize(
    ("lesson", "values", "error", "message"),
    [
        ("22", {}, ValueError, "lesson is '22'; expected one of '21'"),
        ("21", {"EPOCH": 2}, ValueError, "parameter is 'EPOCH'; expected one of 'BATCH', 'EPOCHS'; did you mean"),
        ("21", {"BATCH": 15}, ValueError, "BATCH is 15, and movies has 14 examples to choose a model by"),
        ("21", {"movies": None}, TypeError, "movies is NoneType; expected movies=load_ratings(...)"),
        ("21", {"movies": pd.DataFrame({"user_id": [1]})}, TypeError, "movies is DataFrame; expected movies="),
        ("21", {"movies": own_data(time=None)}, ValueError, "movies has no times"),
        ("21", {"movies": own_data(3)}, ValueError, "one has 3; expected 4 or more, one for the test and one for val"),
    ],
)
def test_what_a_lesson_cannot_take_is_refused(lesson, values, error, message):
    with pytest.raises(error, match=re.escape(message)):
        lessons.borrow(lesson, **{"movies": own_data()} | values)


def test_lessons_11_13_and_14_lend_their_models(monkeypatch):
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"^lesson is '05'; expected one of '11', '13', '14'$"):
        lessons.borrow("05", movies=own_data())


def run(*arguments, **values):
    namespace = {}
    lessons.run_lesson(*arguments, namespace, **values)
    return namespace


def test_a_lesson_is_run_without_its_output_and_without_its_set_up_cell(capfd):
    pyplot.close("all")
    lesson = run("23")
    assert lesson["score"] == 6 and lesson["default"]
    assert capfd.readouterr() == ("Ran 6 cells of lesson 23.\n", "")
    assert pyplot.get_fignums() == [], "a figure that is left open would be shown below the call"


def test_the_cells_above_a_heading_are_run_and_no_others():
    assert "score" not in run("23", until="Evaluate") and run("23", until="Evaluate")["trained"] == [6]
    assert "trained" not in run("23", until="In steps") and "default" in run("23", until="Train")
    assert "EPOCHS" not in run("23", until="Settings")


def test_cells_with_a_tag_can_be_left_out(capfd):
    run("23", without="nbval-check-output")
    assert capfd.readouterr() == ("Ran 5 cells of lesson 23.\n", "")


def test_parameters_take_the_values_of_the_call_whatever_cell_follows():
    lesson = run("23", EPOCHS=2, NAMES=["b"])
    assert lesson["score"] == 2 and lesson["NAMES"] == ["b"] and lesson["DIM"] == 4 and not lesson["default"]
    assert lesson["steps"] == 20, "what follows from a parameter in its own cell"
    assert run("23", DIM=5)["DIM"] == 5, "the second on its line"
    assert run("23", until="Evaluate", EPOCHS=3)["trained"] == [3]
    assert run("23")["score"] == 6, "a run changes nothing for the next"


def test_what_was_in_the_namespace_stays():
    namespace = {"mine": 1, "trained": "an earlier run's"}
    lessons.run_lesson("23", namespace)
    assert namespace["mine"] == 1 and namespace["trained"] == [6]


def test_a_failure_shows_and_points_at_the_line_of_the_lesson(tmp_path):
    namespace = run("23")
    with pytest.raises(RuntimeError, match=r"^here$") as raised:
        namespace["fail"]()
    last = traceback.extract_tb(raised.value.__traceback__)[-1]
    assert (last.filename, last.line) == (str(tmp_path / "23_run.py"), 'raise RuntimeError("here")')
    (tmp_path / "25_broken.py").write_text(RUN.replace("DIM == 4", "DIM == 5"), encoding="utf-8")
    with pytest.raises(AssertionError) as raised:
        run("25")
    last = traceback.extract_tb(raised.value.__traceback__)[-1]
    assert (last.filename, last.line) == (str(tmp_path / "25_broken.py"), "assert not default or DIM == 5")


@pytest.mark.parametrize(
    ("lesson", "values", "message"),
    [
        ("24", {}, "lesson is '24'; expected one of '21', '22', '23'"),
        (23, {}, "lesson is 23; expected one of '21', '22', '23'; did you mean '23'?"),
        ("23", {"until": "Evaluation"}, "'Settings', 'Train', 'In steps', 'Evaluate'; did you mean 'Evaluate'?"),
        ("23", {"until": "In the code"}, "until is 'In the code'; expected one of 'Count', 'Settings', 'Train'"),
        ("23", {"EPOCH": 2}, "parameter is 'EPOCH'; expected one of 'EPOCHS', 'DIM', 'NAMES'; did you mean 'EPOCHS'?"),
        ("23", {"trained": 2}, "parameter is 'trained'; expected one of 'EPOCHS', 'DIM', 'NAMES'"),
        ("23", {"until": "Settings", "EPOCHS": 2}, "until is 'Settings', above the parameters of the lesson; expected"),
    ],
)
def test_an_unknown_lesson_heading_or_parameter_is_refused_before_a_cell_is_run(lesson, values, message):
    namespace = {}
    with pytest.raises(ValueError, match=re.escape(message)):
        lessons.run_lesson(lesson, namespace, **values)
    assert namespace == {}


def test_the_scripts_are_those_of_the_repository_or_the_wheel_s_copy(tmp_path, monkeypatch):
    monkeypatch.undo()
    assert lessons._folder() == SCRIPTS
    copy = tmp_path / "recsys_utils" / "_scripts"
    copy.mkdir(parents=True)
    monkeypatch.setattr(lessons, "__file__", str(copy.parent / "lessons.py"))
    assert lessons._folder() == copy


def test_parameters_may_share_a_line():
    cells = [lessons.Cell(["parameters"], False, 0, "SEED = 0\nHIDDEN, DIM = 32, 8\n")]
    assert lessons._parameters(cells) == ["SEED", "HIDDEN", "DIM"]
