"""Sync the scripts with the notebooks, run them, and write outputs that a rebuild reproduces byte for byte."""

import os
import sys

import nbformat
from jupytext.cli import jupytext
from lessons import NOTEBOOKS, ROOT, SCRIPTS, Lesson, find_lessons, find_solutions, progress_bar, write_whole


def normalise(notebook: nbformat.NotebookNode, formats: str) -> None:
    """Keep nothing that differs between two runs of the same lesson on one machine."""
    for position, cell in enumerate(notebook.cells):
        cell.id = f"cell-{position:03}"
        cell.metadata = {"tags": cell.metadata.tags} if cell.metadata.get("tags") else {}
    notebook.metadata = {
        "jupytext": {"formats": formats},
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    nbformat.validate(notebook)


def main() -> None:
    wanted = sys.argv[1:]
    lessons, solutions = (find(SCRIPTS, ".py", wanted) for find in (find_lessons, find_solutions))
    for script in [*lessons, *solutions]:
        # Lessons 07 and 11 leave their vectors for lesson 16; a solution runs them with other settings.
        os.environ["TWO_TOWERS_ITEM_VECTORS"] = str(ROOT / "data") if script in lessons else ""
        jupytext(["--quiet", "--sync", str(script)])
        lesson = Lesson(NOTEBOOKS / script.relative_to(SCRIPTS).with_suffix(".ipynb"))
        with progress_bar(lesson.code_cells) as progress:
            progress.set_description(lesson.path.stem)
            lesson.execute(lambda: progress.update())
        folders = [folder.relative_to(ROOT).as_posix() for folder in (lesson.path.parent, script.parent)]
        normalise(lesson.notebook, "{}//ipynb,{}//py:percent".format(*folders))
        write_whole(lesson.path, nbformat.writes(lesson.notebook) + "\n")
        script.touch()  # the newer of a pair rewrites the other at the next sync; nobody has edited the notebook yet


if __name__ == "__main__":
    main()
