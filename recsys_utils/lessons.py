"""The models of the lessons, for data of your own: a lesson is the one place where its model is written."""

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd

from recsys_utils.checks import check_choice, check_columns
from recsys_utils.columns import ITEM_ID, TIMESTAMP, USER_ID

CELL = re.compile(r"^# %%(.*)\n", re.MULTILINE)
BORROWED = ("parameters", "model")  # tags
LEAST = 4  # rows of a user: one for the test, one for validation, two to train on


def borrow(lesson: str, **values: Any) -> ModuleType:
    """Run the cells of a lesson that make its model, and nothing else of it.

    These are the cells with the tag 'parameters' or 'model'; the lesson's own data are not among them.

    Parameters
    ----------
    lesson : two digits, '11' or '14'
    values : movies, the data in the place of the lesson's, as `load_ratings` returns them; and any of the lesson's
        parameters, such as EPOCHS=3

    Returns
    -------
    module
        Holds what these cells define: splits, tasks, classes, functions.

    Raises
    ------
    ValueError
        A lesson that lends no model, a value that it has no parameter for, movies without times, with a user of fewer
        than four rows, or with too few rows for one batch.
    TypeError
        No movies, or movies of another kind.
    """
    scripts = {path.name[:2]: path for path in _folder().glob("*.py")}
    lent = {number: cells for number, path in sorted(scripts.items()) if (cells := _cells(path))}
    check_choice("lesson", lesson, list(lent))
    _check_movies(movies := values.pop("movies", None))
    module = ModuleType(f"lesson_{lesson}", f"The model of lesson {lesson}, out of {scripts[lesson].name}")
    module.__file__, module.movies = str(scripts[lesson]), movies
    for tag, lines_above, source in lent[lesson]:
        # Blank lines keep the script's numbering, for tracebacks and for TensorFlow, which reads the source again.
        exec(compile("\n" * lines_above + source, module.__file__, "exec"), vars(module))
        if tag == "parameters":
            known = [name for name in vars(module) if name.isupper()]
            for name, value in values.items():
                check_choice("parameter", name, known)
                setattr(module, name, value)
    train = module.validation_split.train  # the shortest part that a model is trained on
    examples = len(train) - train[USER_ID].nunique()  # a user's first row has no history
    if examples < module.BATCH:
        raise ValueError(
            f"BATCH is {module.BATCH}, and movies has {examples} examples to choose a model by; expected at least one "
            "batch: pass a smaller one, such as BATCH=128, or more data"
        )
    return module


def _folder() -> Path:
    """Find the scripts: in the repository's notebooks/scripts/, or in the wheel's copy of it."""
    package = Path(__file__).parent
    copy = package / "_scripts"
    return copy if copy.is_dir() else package.parent / "notebooks" / "scripts"


def _cells(path: Path) -> list[tuple[str, int, str]]:
    """List tag, lines above and source of the cells that a lesson lends; none if it lends no model."""
    text = path.read_text(encoding="utf-8")
    marks = [*CELL.finditer(text)]
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    cells = [
        (tag, text.count("\n", 0, mark.end()), text[mark.end() : end])
        for mark, end in zip(marks, ends, strict=True)
        for tag in BORROWED
        if f'"{tag}"' in mark[1]
    ]
    return cells if any(tag == "model" for tag, *_ in cells) else []


def _check_movies(movies: Any) -> None:
    ratings = getattr(movies, "ratings", None)
    if not isinstance(ratings, pd.DataFrame):
        raise TypeError(f"movies is {type(movies).__name__}; expected movies=load_ratings(...)")
    if TIMESTAMP not in ratings:
        raise ValueError(
            "movies has no times, and the lesson's test is what came last; expected load_ratings(..., time=...)"
        )
    check_columns("movies.ratings", ratings, [USER_ID, ITEM_ID, TIMESTAMP])
    count = ratings[USER_ID].value_counts()
    if count.min() < LEAST:
        raise ValueError(
            f"movies has users with fewer than {LEAST} rows, one has {count.min()}; expected {LEAST} or more, one for "
            f"the test and one for validation among them: load_ratings(..., min_per_user={LEAST})"
        )
