"""A lesson lends the cells that make its model, takes other data and settings, and says what it cannot take."""

import re
import traceback

import numpy as np
import pandas as pd
import pytest

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


@pytest.fixture(autouse=True)
def scripts(tmp_path, monkeypatch):
    (tmp_path / "21_lent.py").write_text(SCRIPT, encoding="utf-8")
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


def test_lessons_11_and_14_lend_their_models(monkeypatch):
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"^lesson is '05'; expected one of '11', '14'$"):
        lessons.borrow("05", movies=own_data())
