"""Paths, lessons by number, whole files, a quiet Ctrl-C: plain Python, for use before anything is installed."""

import sys
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
SCRIPTS = NOTEBOOKS / "scripts"
BUILD = ROOT / "build"


def number(lesson: Path) -> str:
    """Return a lesson's two digits."""
    return lesson.name[:2]


def find_lessons(folder: Path, suffix: str, wanted: list[str]) -> list[Path]:
    """List the lessons in a folder, in order; `wanted` numbers such as '05' or '5' select some, none selects all."""
    lessons = sorted(folder.glob(f"[0-9][0-9]_*{suffix}"))
    known = [number(lesson) for lesson in lessons]
    for one in wanted:
        if one.zfill(2) not in known:
            raise SystemExit(f"LESSON is {one!r}; expected one of {', '.join(known)}")
    return [lesson for lesson in lessons if not wanted or number(lesson) in {one.zfill(2) for one in wanted}]


def find_solutions(folder: Path, suffix: str, wanted: list[str]) -> list[Path]:
    """List the solutions beside the lessons in a folder, in order; `wanted` selects those of some lessons."""
    lessons = {number(lesson) for lesson in find_lessons(folder, suffix, wanted)}
    return [path for path in sorted((folder / "solutions").glob(f"[0-9][0-9]_*{suffix}")) if number(path) in lessons]


def write_whole(path: Path, text: str) -> None:
    """Write a file so that whoever stops us leaves the old one or the new one, never a half."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


def _end_in_one_line(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        after_the_echo = "\n" if sys.stderr.isatty() else ""  # a terminal shows ^C without ending its line
        print(f"{after_the_echo}Stopped. The next call makes anew what is unfinished.", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _end_in_one_line  # set on import: Ctrl-C may come while a tool still imports its libraries
