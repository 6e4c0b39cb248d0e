"""Every space against brute force: norms of matrices are reached on extreme points of the ball, never exceeded."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import linalg

from contraction.maps.spaces import (
    BoxNorm,
    Euclidean,
    GridFunctions,
    L1Simplex,
    Metric,
    Space,
    SupNorm,
    WeightedEuclidean,
    Words,
)

DIMENSIONS = (1, 2, 3, 5)


def root(d: int) -> np.ndarray:
    return np.random.default_rng(d).standard_normal((d, d)) + 2 * np.eye(d)


def spaces(d: int) -> dict[str, tuple[Space, np.ndarray | None]]:
    """Name -> (space, extreme points of its unit ball, or None where the ball is round)."""
    corners = np.array(list(itertools.product((-1.0, 1.0), repeat=d)))
    R = root(d)
    return {
        "Euclidean": (Euclidean(), None),
        "weighted": (WeightedEuclidean(R.T @ R), None),
        "diagonal weights": (WeightedEuclidean(np.diag(np.arange(1.0, d + 1) ** 2)), None),
        "sup": (SupNorm(), corners),
        "box": (BoxNorm(R), corners @ np.linalg.inv(R).T),
        "l1": (L1Simplex(), np.concatenate([np.eye(d), -np.eye(d)])),
    }


def norm(space: Space, v: np.ndarray) -> np.ndarray:
    """Lengths of vectors (..., d), written out once more."""
    match space:
        case Euclidean():
            return np.sqrt(np.sum(v * v, axis=-1))
        case WeightedEuclidean():
            return np.sqrt(np.einsum("...i,ij,...j->...", v, np.asarray(space.P), v))
        case SupNorm():
            return np.max(np.abs(v), axis=-1)
        case BoxNorm():
            return np.max(np.abs(np.einsum("ij,...j->...i", space.R, v)), axis=-1)
    return np.sum(np.abs(v), axis=-1)


def matrices(d: int) -> np.ndarray:
    rng = np.random.default_rng(40 + d)
    return np.stack(
        [
            np.eye(d),
            -np.eye(d),
            np.diag(np.linspace(-2.0, 0.5, d)),
            rng.standard_normal((d, d)),
            -np.abs(rng.standard_normal((d, d))),
            np.outer(rng.standard_normal(d), np.eye(d)[0]),
            np.outer(np.eye(d)[-1], rng.standard_normal(d)),
            np.zeros((d, d)),
        ]
    )


NAMES = sorted(spaces(1))


@pytest.mark.parametrize("d", DIMENSIONS)
@pytest.mark.parametrize("name", NAMES)
def test_norms_of_matrices_are_those_of_the_extreme_points(name, d):
    """Largest length of A x over extreme points x of the unit ball; for round balls the square root of the largest
    eigenvalue of AᵀPA beside P."""
    space, extreme = spaces(d)[name]
    found = np.asarray(space.operator_norm(matrices(d)))
    assert found.shape == (len(matrices(d)),)
    for A, value in zip(matrices(d), found, strict=True):
        if extreme is None:
            P = np.asarray(getattr(space, "P", np.eye(d)))
            expected = math.sqrt(max(0.0, linalg.eigh(A.T @ P @ A, P, eigvals_only=True)[-1]))
        else:
            assert norm(space, extreme) == pytest.approx(1.0, rel=1e-12)
            expected = float(np.max(norm(space, extreme @ A.T)))
        assert value == pytest.approx(expected, rel=1e-10, abs=1e-14)
        assert float(space.operator_norm(A)) == pytest.approx(float(value), rel=1e-13, abs=1e-300)


@pytest.mark.parametrize("d", DIMENSIONS)
@pytest.mark.parametrize("name", NAMES)
def test_norms_of_diagonals_are_those_of_their_matrices(name, d):
    space, _ = spaces(d)[name]
    rows = np.random.default_rng(d).standard_normal((6, d))
    expected = [float(space.operator_norm(np.diag(row))) for row in rows]
    assert np.asarray(space.diagonal_norm(rows)) == pytest.approx(expected, rel=1e-12)
    assert float(space.diagonal_norm(rows[0])) == pytest.approx(expected[0], rel=1e-12)


@pytest.mark.parametrize("d", DIMENSIONS)
@pytest.mark.parametrize("name", NAMES)
def test_distances_are_lengths_of_differences(name, d):
    space, _ = spaces(d)[name]
    rng = np.random.default_rng(d)
    x, y = rng.standard_normal((4, 1, d)), rng.standard_normal((3, d))
    found = np.asarray(space.distance(x, y))
    assert found.shape == (4, 3)
    assert found == pytest.approx(norm(space, x - y), rel=1e-12)
    assert np.asarray(space.distance(x, x)).max() == 0
    if space.isometry is not None:
        both = np.linalg.norm((x - y) @ np.asarray(space.isometry).T, axis=-1)
        assert both == pytest.approx(found, rel=1e-12)
    else:
        assert name in ("Euclidean", "sup", "box", "l1")
    assert space.is_normed


@pytest.mark.parametrize("d", DIMENSIONS)
@pytest.mark.parametrize("name", NAMES)
def test_the_directions_that_are_searched_reach_the_norm(name, d):
    """Those that a space adds to the Euclidean, sup and l1 ones: together they reach ‖A‖ for every matrix."""
    space, _ = spaces(d)[name]
    for A in matrices(d)[:-1]:
        row, column = np.argmax(np.abs(A).sum(1)), np.argmax(np.abs(A).sum(0))
        usual = [np.linalg.svd(A)[2][0], np.where(A[row] < 0, -1.0, 1.0), np.eye(d)[column]]
        best = max(float(norm(space, A @ v) / norm(space, v)) for v in [*usual, *space.stretched_directions(A)])
        assert best <= float(space.operator_norm(A)) * (1 + 1e-10)
        if name != "box":  # no direction is added for it
            assert best == pytest.approx(float(space.operator_norm(A)), rel=1e-10)


def test_equal_spaces_are_equal():
    """By class and numbers, not by identity; 0 and −0 are one number."""
    P, diagonal, times = np.array([[2.0, 0.5], [0.5, 1.0]]), np.diag([2.0, 1.0]), np.array([0.0, 1.0])
    signed = np.where(diagonal == 0, -0.0, diagonal)
    classes = [
        [Euclidean(), Euclidean()],
        [SupNorm(), SupNorm()],
        [L1Simplex(), L1Simplex()],
        [WeightedEuclidean(P), WeightedEuclidean(P.copy()), WeightedEuclidean(P.tolist())],
        [WeightedEuclidean(P.T[::-1, ::-1])],
        [WeightedEuclidean(diagonal), WeightedEuclidean(signed)],
        [WeightedEuclidean(np.eye(3))],
        [BoxNorm(P), BoxNorm(P.copy())],
        [BoxNorm(2 * P)],
        [BoxNorm(diagonal), BoxNorm(signed)],
        [Words(2), Words(2)],
        [Words(3)],
        [GridFunctions(times, 1.0), GridFunctions(times.copy(), 1)],
        [GridFunctions(times, 0.5)],
        [GridFunctions(np.array([0.0, 2.0]), 1.0)],
        [GridFunctions(np.array([0.0, 1.0, 2.0]), 1.0)],
    ]
    for i, row in enumerate(classes):
        for j, other in enumerate(classes):
            for a, b in itertools.product(row, other):
                assert (a == b) == (i == j)
                if i == j:
                    assert hash(a) == hash(b)


@pytest.mark.parametrize("rate", [0.0, 0.5, 2.0])
def test_functions_on_a_grid_are_weighted_from_its_first_time_on(rate):
    times = np.array([1.0, 1.5, 4.0])
    space = GridFunctions(times, rate)
    f, g = np.array([[1.0, -2.0, 3.0], [0.0, 0.0, 1.0]]), np.array([0.0, 0.5, 3.5])
    weights = [math.exp(-rate * (t - 1.0)) for t in times]
    expected = [max(w * abs(a - b) for w, a, b in zip(weights, row, g, strict=True)) for row in f]
    assert np.asarray(space.distance(f, g)) == pytest.approx(expected, rel=1e-14)
    assert np.asarray(space.weights) == pytest.approx(weights, rel=1e-15)


@pytest.mark.parametrize("base", [2, 3, 10])
def test_words_differ_at_their_first_unlike_letter(base):
    space = Words(base)
    for x, y in itertools.product(range(30), repeat=2):
        letters = [[(n // base**i) % base for i in range(6)] for n in (x, y)]
        first = next((i for i in range(6) if letters[0][i] != letters[1][i]), None)
        assert space.first_difference(x, y) == first
        points = (np.array([n], dtype=object) for n in (x, y))
        assert space.distance(*points) == (0 if first is None else Fraction(1, base**first))
        assert space.letters(x, 6) == tuple(letters[0])
    drawn = space.random_points(np.random.default_rng(0), np.array([0], dtype=object), 20)
    assert drawn.shape == (20, 1)
    assert all(isinstance(n, int) and n >= 0 for n in drawn[:, 0])
    assert len(set(drawn[:, 0])) > 10


def test_points_of_the_simplex_are_told_to_the_stated_tolerance():
    space = L1Simplex()
    for off in (0.0, 0.9e-9, -0.9e-9):
        space.validate([0.25, 0.75 + off])
    for bad in ([0.25, 0.75 + 2e-9], [0.25, 0.75 - 2e-9], [1 + 1e-12, -1e-12], [[0.5, 0.5], [0.5, 0.6]]):
        with pytest.raises(ValueError, match="entries >= 0 with sum 1"):
            space.validate(bad)
    space.validate([0.25, 0.75 + 1e-3], tolerance=1e-2)
    points = space.random_points(np.random.default_rng(0), np.zeros(4), 40)
    assert points.shape == (40, 4)
    space.validate(points)
    vertices = np.isclose(points.max(axis=1), 1.0, atol=1e-15)
    assert vertices[::3].all()
    assert not vertices[1::3].any()


def test_a_metric_of_ones_own_has_no_norm():
    space = Metric(lambda x, y: np.abs(x - y).sum(-1) ** 0.5)
    assert not space.is_normed
    assert space.isometry is None
    assert float(space.distance(np.array([0.0, 4.0]), np.array([5.0, 0.0]))) == 3.0
