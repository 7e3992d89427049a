"""Lessons run from elsewhere, a solution or data of your own: a lesson is the one place where its code is written."""

import ast
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pandas as pd

from recsys_utils.checks import check_choice, check_columns
from recsys_utils.columns import ITEM_ID, TIMESTAMP, USER_ID

MARK = re.compile(r"^# %%(.*)\n", re.MULTILINE)  # the line above a cell
LEAST = 4  # rows of a user: one for the test, one for validation, two to train on


class Cell(NamedTuple):
    """A cell of a lesson's script: its tags, whether it is prose, how many lines stand above it, and its text."""

    tags: list[str]
    prose: bool
    lines_above: int
    text: str


def run_lesson(
    lesson: str, namespace: dict[str, Any], until: str | None = None, without: str | None = None, **values: Any
) -> None:
    """Run the cells of a lesson, without their output, so that what they define is at hand.

    Parameters
    ----------
    lesson : two digits, such as '03'
    namespace : what the cells define goes here; in a notebook `globals()`
    until : text of a heading of the lesson, such as 'Evaluate'; the cells above it alone are run. None runs all.
    without : a tag; cells that have it are not run. None runs all.
    values : the lesson's parameters by name, such as EPOCHS=3, where they shall differ from the lesson's own

    Raises
    ------
    ValueError
        No such lesson, heading or parameter; or values for parameters that stand below the heading.
    """
    from IPython.utils.capture import capture_output

    check_choice("lesson", lesson, list(scripts := _scripts()))
    cells = _read(scripts[lesson])
    _check_parameters(cells, values)
    if until is not None:
        headings = [re.findall(r"^# #+ (.+)$", cell.text, re.MULTILINE) if cell.prose else [] for cell in cells]
        check_choice("until", until, [heading for some in headings for heading in some])
        cells = cells[: next(place for place, some in enumerate(headings) if until in some)]
        if values and not _parameters(cells):
            raise ValueError(f"until is {until!r}, above the parameters of the lesson; expected a heading below them")
    code = [cell for cell in cells if not cell.prose and not {"colab", without} & {*cell.tags}]
    with capture_output():
        _run(code, scripts[lesson], namespace, values)
        if pyplot := sys.modules.get("matplotlib.pyplot"):
            pyplot.close("all")
    print(f"Ran {len(code)} cells of lesson {lesson}.")


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
    scripts = _scripts()
    read = {number: _read(path) for number, path in scripts.items()}
    check_choice("lesson", lesson, [one for one, cells in read.items() if any("model" in cell.tags for cell in cells)])
    _check_movies(movies := values.pop("movies", None))
    module = ModuleType(f"lesson_{lesson}", f"The model of lesson {lesson}, out of {scripts[lesson].name}")
    module.__file__, module.movies = str(scripts[lesson]), movies
    lent = [cell for cell in read[lesson] if {"parameters", "model"} & set(cell.tags)]
    _check_parameters(lent, values)
    _run(lent, scripts[lesson], vars(module), values)
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


def _scripts() -> dict[str, Path]:
    """Find the script of each lesson by its two digits."""
    return {path.name[:2]: path for path in sorted(_folder().glob("[0-9][0-9]_*.py"))}


def _read(path: Path) -> list[Cell]:
    """Cut a script into its cells."""
    text = path.read_text(encoding="utf-8")
    marks = [*MARK.finditer(text)]
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    cells = []
    for mark, end in zip(marks, ends, strict=True):
        tags, prose, above = (
            re.findall(r'"([\w-]+)"', mark[1]),
            "[markdown]" in mark[1],
            text.count("\n", 0, mark.end()),
        )
        cells.append(Cell(tags, prose, above, text[mark.end() : end]))
    return cells


def _run(cells: list[Cell], path: Path, namespace: dict[str, Any], values: dict[str, Any]) -> None:
    """Run cells in a namespace; where parameters are set, the new values take the place of the lesson's."""
    for cell in cells:
        # Blank lines keep the script's numbering, for tracebacks and for TensorFlow, which reads the source again.
        parsed = ast.parse("\n" * cell.lines_above + cell.text, str(path))
        if "parameters" not in cell.tags:
            exec(compile(parsed, str(path), "exec"), namespace)
            continue
        for statement in parsed.body:  # one by one, since a later one may follow from an earlier one
            exec(compile(ast.Module([statement], []), str(path), "exec"), namespace)
            namespace.update(values)


def _parameters(cells: list[Cell]) -> list[str]:
    """Name, in their order, what the cells with the tag 'parameters' set."""
    text = "\n".join(cell.text for cell in cells if "parameters" in cell.tags)
    targets = [target for one in ast.parse(text).body if isinstance(one, ast.Assign) for target in one.targets]
    names = [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]
    return [name for name in names if name.isupper()]


def _check_parameters(cells: list[Cell], values: dict[str, Any]) -> None:
    for name in values:
        check_choice("parameter", name, _parameters(cells))


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
