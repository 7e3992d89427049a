"""Take the two-tower models from the lessons: what a script imports, sets and defines, given the data."""

import ast
import sys
from types import ModuleType

import numpy as np
from basics import SCRIPTS

from bench.editions import Edition
from recsys_utils.baselines import load_tuned
from recsys_utils.columns import GENRES, ITEM_ID, YEAR


def taught(lesson: str) -> dict:
    """Execute a lesson's set-up, imports, settings, parameters, functions and classes, and nothing else of it.

    Parameters
    ----------
    lesson : two digits

    Returns
    -------
    dict
        The lesson's names. Its functions look up their data here, so put it in.
    """
    (script,) = SCRIPTS.glob(f"{lesson}_*.py")
    kept = [node for node in ast.parse(script.read_text(encoding="utf-8")).body if _is_definition(node)]
    module = sys.modules[script.stem] = ModuleType(script.stem)  # where TensorFlow looks for their source
    exec(compile(ast.Module(kept, type_ignores=[]), str(script), "exec"), vars(module))
    return vars(module)


def _is_definition(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assign):
        return ast.unparse(node.targets[0]).isupper() or ast.unparse(node.value).startswith("namedtuple(")
    if isinstance(node, ast.Expr):
        return ast.unparse(node).startswith("set_up(")  # above the imports: it says which Keras TensorFlow brings
    return isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef)


def rating_lesson(data: Edition) -> dict:
    """Execute lesson 07's definitions and give them an edition."""
    names = taught("07")
    genres = data.items[GENRES].str.get_dummies("|").drop(columns="(no genres listed)", errors="ignore")
    names.update(items=data.items, users=data.test_task.users, genres=genres)
    return names


def retrieval_lesson(data: Edition) -> dict:
    """Execute lesson 11's definitions and give them an edition."""
    names = taught("11")
    catalogue = {
        "item_id": data.items[ITEM_ID].to_numpy(),
        "year": data.items[YEAR].to_numpy(),
        "genres": data.items[GENRES].str.get_dummies("|").to_numpy(np.float32),
    }
    names.update(items=data.items, users=data.test_task.users, catalogue=catalogue)
    names.update(test_split=data.test, test_task=data.test_task)
    return names


def history_lesson(data: Edition) -> dict:
    """Execute lesson 14's definitions and give them an edition's movies."""
    names = taught("14")
    flags = data.items[GENRES].str.get_dummies("|").to_numpy(np.float32)
    genres = names["tf"].constant(flags / np.sqrt(np.maximum(flags.sum(axis=1, keepdims=True), 1)))
    names.update(movie_ids=data.items[ITEM_ID].to_numpy(), genres=genres, n_movies=len(data.items), tuned=load_tuned())
    return names
