"""Exact nearest neighbours, a block of rows at a time."""

from typing import NamedTuple

import numpy as np

from recsys_utils.checks import check_k
from recsys_utils.metrics import top_k

GROUP = 64  # columns that are looked at together


class Neighbours(NamedTuple):
    """The k nearest other rows of every row of a matrix, nearest first."""

    index: np.ndarray  # (n, k) row numbers
    squared_distance: np.ndarray  # (n, k) float32, squared Euclidean (min=0; max=4 between rows of length 1)


def nearest_neighbours(vectors: np.ndarray, k: int, block_size: int = 1024) -> Neighbours:
    """Find the k nearest other rows of every row, by squared Euclidean distance.

    The nearest b to a has the highest a·b - |b|²/2, so a matrix product ranks a whole block against all rows. Between
    rows of length 1 that order is the order of the cosine, because |a - b|² = 2 - 2 a·b. Takes 8 n block_size bytes.

    Parameters
    ----------
    vectors : (n, dim) finite numbers
    k : neighbours of each row, 1 to n - 1; a row is never its own
    block_size : rows to compare with all others at a time; it does not change the answer

    Returns
    -------
    Neighbours
        Rows that are equally far, to single precision, come in the order of their numbers.

    Raises
    ------
    ValueError
        Vectors that are not a matrix or not finite, k outside 1..n - 1, block_size below 1.
    """
    vectors = np.asarray(vectors, dtype=float)
    if vectors.ndim != 2:
        raise ValueError(f"vectors has the shape {vectors.shape}; expected (n, dim)")
    if not np.isfinite(vectors).all():
        row, column = (int(i) for i in np.argwhere(~np.isfinite(vectors))[0])
        raise ValueError(f"vectors has {vectors[row, column]} at {(row, column)}; expected finite numbers")
    n = len(vectors)
    check_k(k, n - 1)
    if block_size < 1:
        raise ValueError(f"block_size is {block_size}; expected at least 1")

    # Double precision, so that a tie does not hang on how the product was cut into blocks.
    n_groups = -(-n // GROUP)
    right = np.zeros((n_groups * GROUP, vectors.shape[1] + 1))
    right[:n] = np.column_stack([vectors, -np.square(vectors).sum(axis=1) / 2])
    left = np.column_stack([vectors, np.ones(n)])
    scores = np.empty((min(block_size, n), len(right)))
    index, squared_distance = np.empty((n, k), dtype=int), np.empty((n, k), dtype=np.float32)
    for start in range(0, n, block_size):
        rows = np.arange(start, min(start + block_size, n))
        block = np.matmul(left[rows], right.T, out=scores[: len(rows)])  # (block, columns)
        block[:, n:] = -np.inf
        block[np.arange(len(rows)), rows] = -np.inf
        columns = _top_k_by_groups(block.reshape(len(rows), n_groups, GROUP), k)  # (block, k)
        gaps = [np.square(vectors[rows] - vectors[column]).sum(axis=1) for column in columns.T]
        squared = np.stack(gaps, axis=1).astype(np.float32)  # (block, k)
        order = np.argsort(squared, axis=1, kind="stable")
        index[rows] = np.take_along_axis(columns, order, axis=1)
        squared_distance[rows] = np.take_along_axis(squared, order, axis=1)
    return Neighbours(index, squared_distance)


def _top_k_by_groups(scores: np.ndarray, k: int) -> np.ndarray:
    """Find each row's k best columns, ascending, in the k groups with the best maxima; there is none elsewhere."""
    best = scores.max(axis=2).astype(np.float32)  # (block, groups)
    groups = np.sort(top_k(best, min(k, best.shape[1])), axis=1)
    candidates = np.take_along_axis(scores, groups[:, :, None], axis=1).reshape(len(scores), -1).astype(np.float32)
    position = np.sort(top_k(candidates, k), axis=1)
    return np.take_along_axis(groups, position // GROUP, axis=1) * GROUP + position % GROUP
