"""Item vectors that one lesson leaves for another."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from recsys_utils.datasets.files import course_file


class ItemVectors(NamedTuple):
    """What an item tower says about every movie."""

    item_id: np.ndarray  # (n_items,) ascending
    vectors: np.ndarray  # (n_items, dim) float32, rows of length 1


def save_item_vectors(lesson: str, item_id: np.ndarray, vectors: np.ndarray) -> None:
    """Write item vectors into the folder TWO_TOWERS_ITEM_VECTORS, which `make notebooks` sets; else do nothing.

    Parameters
    ----------
    lesson : two digits, the lesson whose tower made them
    item_id : (n_items,) ids, each once, in any order
    vectors : (n_items, dim) not all zero in any row; rows are scaled to length 1 and kept in half precision

    Raises
    ------
    ValueError
        Lengths that differ, a repeated id, a vector that is zero or has a NaN; raised whether or not a file is written.
    """
    item_id, vectors = np.asarray(item_id), np.asarray(vectors, dtype=np.float32)
    if vectors.ndim != 2 or item_id.shape != (len(vectors),):
        raise ValueError(
            f"vectors has the shape {vectors.shape}; expected ({item_id.size}, dim), one row for each item_id"
        )
    if len(np.unique(item_id)) < len(item_id):
        raise ValueError("item_id has an id more than once; expected each id once")
    length = np.linalg.norm(vectors, axis=1, keepdims=True)  # (n_items, 1)
    bad = ~(np.isfinite(length) & (length > 0))[:, 0]
    if bad.any():
        raise ValueError(f"vectors has the length {length[bad][0, 0]} for item {item_id[bad][0]}; expected one above 0")
    folder = os.environ.get("TWO_TOWERS_ITEM_VECTORS")
    if folder:
        order = np.argsort(item_id)
        unit = (vectors / length)[order].astype(np.float16)
        np.savez(Path(folder, f"item_vectors_{lesson}.npz"), item_id=item_id[order].astype(np.int32), vectors=unit)


def load_item_vectors(lesson: str) -> ItemVectors:
    """Load the item vectors that a lesson left, so that another can use them without training.

    Parameters
    ----------
    lesson : two digits, '05' for the towers that predict ratings or '08' for those that retrieve

    Returns
    -------
    ItemVectors
        Rows of length 1 again, after half precision.

    Raises
    ------
    FileNotFoundError
        That lesson left none.
    """
    path = course_file(f"item_vectors_{lesson}.npz")
    with np.load(path) as saved:
        vectors = saved["vectors"].astype(np.float32)
        return ItemVectors(saved["item_id"], vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
