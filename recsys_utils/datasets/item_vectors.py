"""Item vectors that one lesson leaves for another."""

import os
import zipfile
import zlib
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

    The folder is made if it is missing.

    Parameters
    ----------
    lesson : two digits, the lesson whose tower made them
    item_id : (n_items,) ids, each once, in any order
    vectors : (n_items, dim) not all zero in any row; rows are scaled to length 1 and kept in half precision

    Raises
    ------
    ValueError
        Lengths that differ, an id that is repeated or not whole, a vector that is zero or has a NaN; raised whether or
        not a file is written.
    """
    unit = _normalise(np.asarray(item_id), np.asarray(vectors, dtype=np.float32))
    folder = os.environ.get("TWO_TOWERS_ITEM_VECTORS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        ids, halved = unit.item_id.astype(np.int32), unit.vectors.astype(np.float16)
        np.savez(Path(folder, f"item_vectors_{lesson}.npz"), item_id=ids, vectors=halved)


def _normalise(item_id: np.ndarray, vectors: np.ndarray) -> ItemVectors:
    """Check ids and vectors; sort them by id, and scale each vector to length 1."""
    if vectors.ndim != 2 or item_id.shape != (len(vectors),):
        raise ValueError(
            f"vectors has the shape {vectors.shape}; expected ({item_id.size}, dim), one row for each item_id"
        )
    if len(np.unique(item_id)) < len(item_id):
        raise ValueError("item_id has an id more than once; expected each id once")
    if item_id.dtype.kind not in "iu":
        raise ValueError(f"item_id has the type {item_id.dtype}; expected whole numbers")
    if (np.abs(item_id) >= 2**31).any():
        raise ValueError(f"item_id has {item_id[np.abs(item_id).argmax()]}; expected ids below 2**31")
    length = np.linalg.norm(vectors, axis=1, keepdims=True)  # (n_items, 1)
    bad = ~(np.isfinite(length) & (length > 0))[:, 0]
    if bad.any():
        raise ValueError(f"vectors has the length {length[bad][0, 0]} for item {item_id[bad][0]}; expected one above 0")
    order = np.argsort(item_id)
    return ItemVectors(item_id[order], (vectors / length)[order])


def load_item_vectors(lesson: str) -> ItemVectors:
    """Load the item vectors that a lesson left, so that another can use them without training.

    Parameters
    ----------
    lesson : two digits, '07' for the towers that predict ratings or '11' for those that retrieve

    Returns
    -------
    ItemVectors
        Rows of length 1 again, after half precision.

    Raises
    ------
    FileNotFoundError
        That lesson left none.
    ValueError
        The file is damaged, holds pickled objects or lacks an array; ids and vectors as `save_item_vectors` refuses.
    """
    path = course_file(f"item_vectors_{lesson}.npz")
    try:
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as saved:
            return _normalise(saved["item_id"], saved["vectors"].astype(np.float32))
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(
            f"{path} is no sound file of item vectors ({error}); expected an .npz file with the arrays item_id and "
            "vectors, as save_item_vectors writes it"
        ) from error
