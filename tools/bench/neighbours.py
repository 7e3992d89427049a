"""Time of all-pairs similarity: in blocks, and by the double loop of lesson 16."""

from bench.processes import median_seconds
from bench.taught import taught
from recsys_utils.datasets.item_vectors import load_item_vectors
from recsys_utils.similarity import nearest_neighbours


def similarity(rows: int, runs: int) -> dict:
    """Time the nearest neighbour of every movie, in blocks and by lesson 16's double loop over some rows."""
    vectors = load_item_vectors("11").vectors
    double_loop = taught("16")["double_loop"]
    part = median_seconds(lambda: double_loop(vectors[:rows]), runs)
    return {
        "rows": len(vectors),
        "width": vectors.shape[1],
        "blocks_seconds": median_seconds(lambda: nearest_neighbours(vectors, k=1), runs),
        "loop_rows": rows,
        "loop_seconds_extrapolated": part * (len(vectors) / rows) ** 2,
    }
