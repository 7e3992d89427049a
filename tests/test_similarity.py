"""Nearest neighbours: against a double loop, against scikit-learn, with ties, in blocks of any size."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from recsys_utils.similarity import nearest_neighbours


def by_double_loop(vectors, k):
    """Sort each row's distances to all others, ties by row number."""
    index, squared = [], []
    for i, one in enumerate(vectors):
        distances = [(np.float32(((one - other) ** 2).sum()), j) for j, other in enumerate(vectors) if j != i]
        nearest = sorted(distances)[:k]
        squared.append([distance for distance, _ in nearest])
        index.append([j for _, j in nearest])
    return np.array(index), np.array(squared)


def random_vectors(n, dim, seed=1):
    return np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)


def test_three_points_on_a_line():
    index, squared_distance = nearest_neighbours([[0.0], [1.0], [3.0]], k=2)
    assert index.tolist() == [[1, 2], [0, 2], [1, 0]]
    assert squared_distance.tolist() == [[1, 9], [1, 4], [4, 9]]


@pytest.mark.parametrize(("n", "dim", "k"), [(2, 1, 1), (63, 3, 62), (64, 3, 5), (65, 3, 1), (200, 8, 70)])
def test_equals_the_double_loop(n, dim, k):
    vectors = random_vectors(n, dim)
    found = nearest_neighbours(vectors, k, block_size=50)
    index, squared = by_double_loop(vectors.astype(float), k)
    np.testing.assert_array_equal(found.index, index)
    np.testing.assert_allclose(found.squared_distance, squared, rtol=1e-6)


def test_equals_scikit_learn():
    vectors = random_vectors(700, 32)
    found = nearest_neighbours(vectors, k=10)
    reference = NearestNeighbors(n_neighbors=10, algorithm="brute").fit(vectors.astype(float))
    distance, index = reference.kneighbors()  # of the training rows themselves: without self
    np.testing.assert_array_equal(found.index, index)
    np.testing.assert_allclose(found.squared_distance, distance**2, rtol=1e-5)


def test_rows_of_any_length_are_compared_by_distance_and_not_by_dot_product():
    vectors = random_vectors(300, 4) * np.linspace(0.01, 100, 300)[:, None]
    index, _ = by_double_loop(vectors, 5)
    np.testing.assert_array_equal(nearest_neighbours(vectors, k=5).index, index)


def test_squared_distance_between_unit_rows_is_two_minus_two_cosines():
    vectors = random_vectors(300, 16)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index, squared_distance = nearest_neighbours(vectors, k=3)
    cosine = (vectors[:, None] * vectors[index]).sum(axis=2)
    np.testing.assert_allclose(squared_distance, 2 - 2 * cosine, atol=1e-6)


@pytest.mark.parametrize("block_size", [1, 2, 7, 64, 149, 150, 1000])
def test_block_size_does_not_change_the_answer(block_size):
    vectors = random_vectors(30, 8)[np.random.default_rng(2).integers(30, size=150)]  # many rows are equal
    whole = nearest_neighbours(vectors, k=12, block_size=150)
    blocks = nearest_neighbours(vectors, k=12, block_size=block_size)
    np.testing.assert_array_equal(blocks.index, whole.index)
    np.testing.assert_array_equal(blocks.squared_distance, whole.squared_distance)


@pytest.mark.parametrize("k", [1, 4, 65, 129])
def test_ties_come_in_the_order_of_the_rows(k):
    vectors = np.random.default_rng(3).integers(0, 2, size=(130, 3))  # eight corners of a cube, many times each
    found = nearest_neighbours(vectors, k)
    index, squared = by_double_loop(vectors.astype(float), k)
    np.testing.assert_array_equal(found.index, index)
    np.testing.assert_array_equal(found.squared_distance, squared)


def test_equal_rows_are_at_distance_zero_and_never_their_own_neighbours():
    index, squared_distance = nearest_neighbours(np.full((200, 5), 0.3), k=199)
    assert (squared_distance == 0).all()
    for row, others in enumerate(index):
        assert others.tolist() == [other for other in range(200) if other != row]


def test_types_and_input_kept():
    vectors = random_vectors(20, 3)
    before = vectors.copy()
    index, squared_distance = nearest_neighbours(vectors, k=2)
    assert index.shape == squared_distance.shape == (20, 2)
    assert np.issubdtype(index.dtype, np.integer) and squared_distance.dtype == np.float32
    np.testing.assert_array_equal(vectors, before)


@pytest.mark.parametrize("k", [0, 5, 2.0])
def test_k_outside_the_other_rows(k):
    with pytest.raises(ValueError, match=rf"k is {k}; expected a whole number from 1 to 4"):
        nearest_neighbours(random_vectors(5, 3), k)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_vectors_with_a_gap(bad):
    vectors = random_vectors(5, 3)
    vectors[3, 1] = bad
    with pytest.raises(ValueError, match=rf"vectors has {bad} at \(3, 1\); expected finite numbers"):
        nearest_neighbours(vectors, k=1)


def test_vectors_that_are_not_a_matrix():
    with pytest.raises(ValueError, match=r"vectors has the shape \(4,\); expected \(n, dim\)"):
        nearest_neighbours(np.ones(4), k=1)


def test_block_of_no_rows():
    with pytest.raises(ValueError, match=r"block_size is 0; expected at least 1"):
        nearest_neighbours(random_vectors(5, 3), k=1, block_size=0)
