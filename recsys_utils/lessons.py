"""The models of the lessons, for data of your own: a lesson is the one place where its model is written."""

import re
from pathlib import Path
from types import ModuleType
from typing import Any

from recsys_utils.checks import check_choice

CELL = re.compile(r"^# %%(.*)\n", re.MULTILINE)
BORROWED = ("parameters", "model")


def borrow(lesson: str, **values: Any) -> ModuleType:
    """Run the cells of a lesson that make its model, and nothing else of it.

    These are the cells with the tag 'parameters' or 'model'; the lesson's own data are not among them.

    Parameters
    ----------
    lesson : two digits, '11' or '14'
    values : movies, the data in the lesson's place, as `load_ratings` returns them; and any of the lesson's parameters,
        such as EPOCHS=3

    Returns
    -------
    module
        Holds what these cells define: splits, tasks, classes, functions.

    Raises
    ------
    ValueError
        Another lesson, a value that the lesson has no parameter for.
    TypeError
        No movies.
    """
    scripts = {path.name[:2]: path for path in _folder().glob("*.py")}
    lendable = sorted(number for number, path in scripts.items() if any(tag == "model" for tag, *_ in _cells(path)))
    check_choice("lesson", lesson, lendable)
    if "movies" not in values:
        raise TypeError("borrow lacks movies; expected movies=load_ratings(...), the data for the lesson's model")
    module = ModuleType(f"lesson_{lesson}", f"The model of lesson {lesson}, from {scripts[lesson].name}")
    module.__file__ = str(scripts[lesson])
    module.movies = values.pop("movies")
    for tag, line, source in _cells(scripts[lesson]):
        # Blank lines above keep the numbers of the script's lines, for tracebacks and for TensorFlow, which reads them.
        exec(compile("\n" * line + source, module.__file__, "exec"), module.__dict__)
        if tag == "parameters":
            known = [name for name in vars(module) if name.isupper()]
            for name, value in values.items():
                check_choice("parameter", name, known)
                setattr(module, name, value)
    return module


def _folder() -> Path:
    """Find the scripts: in the repository's notebooks/scripts/, or in the wheel's copy of it."""
    package = Path(__file__).parent
    copy = package / "_scripts"
    return copy if copy.is_dir() else package.parent / "notebooks" / "scripts"


def _cells(path: Path) -> list[tuple[str, int, str]]:
    """List tag, number of lines above, and source of each cell that is lent."""
    text = path.read_text(encoding="utf-8")
    marks = [*CELL.finditer(text)]
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    return [
        (tag, text.count("\n", 0, mark.end()), text[mark.end() : end])
        for mark, end in zip(marks, ends, strict=True)
        for tag in BORROWED
        if f'"{tag}"' in mark[1]
    ]
