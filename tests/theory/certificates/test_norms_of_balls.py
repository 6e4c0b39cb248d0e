"""Norms in ball arithmetic, and displacements in another norm, against numbers by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import contraction as ct
from contraction.certificates.change_of_metric import displacement_in, equivalence
from contraction.certificates.rigorous import _displacement, operator_norm_ball, vector_norm_ball
from contraction.maps.balls import AffineEnclosure, ball, matrix, vector
from contraction.maps.errors import NotCertified
from contraction.maps.spaces import Euclidean, L1Simplex, SupNorm, WeightedEuclidean

WEIGHTED = WeightedEuclidean([[4.0, 0.0], [0.0, 1.0]])
VECTOR = [3.0, -4.0]
MATRIX = [[1.0, -2.0], [3.0, 0.5]]


def ends(x: Any) -> tuple[float, float]:
    middle, radius = float(x.mid()), float(x.rad())
    return middle - radius, middle + radius


def holds(x: Any, exact: float) -> bool:
    """Whether a ball holds a number, and nothing that is farther from it than roundings."""
    low, high = ends(x)
    return low <= exact * (1 + 1e-15) and exact * (1 - 1e-15) <= high and high - low <= 1e-12


@pytest.mark.parametrize(
    ("space", "norm"),
    [(SupNorm(), 4.0), (L1Simplex(), 7.0), (Euclidean(), 5.0), (WEIGHTED, math.sqrt(4 * 9 + 16))],
    ids=["sup", "l1", "Euclidean", "weighted"],
)
def test_norms_of_a_vector(space: Any, norm: float) -> None:
    assert holds(vector_norm_ball(space, vector(np.array(VECTOR))), norm)


@pytest.mark.parametrize(
    ("space", "norm"),
    [(SupNorm(), 3.5), (L1Simplex(), 4.0)],  # the largest row sum and the largest column sum
    ids=["sup", "l1"],
)
def test_norms_of_a_matrix_that_are_sums(space: Any, norm: float) -> None:
    assert holds(operator_norm_ball(space, matrix(np.array(MATRIX))), norm)


def test_the_norm_of_a_diagonal_is_its_largest_entry() -> None:
    assert holds(operator_norm_ball(Euclidean(), matrix(np.diag([0.25, -0.75]))), 0.75)


def test_norms_of_spaces_that_have_none_in_balls_are_refused() -> None:
    absolute = ct.Metric(lambda x, y: np.abs(x - y).max(-1))
    with pytest.raises(NotCertified, match="no norm in ball arithmetic"):
        vector_norm_ball(absolute, vector(np.array(VECTOR)))
    with pytest.raises(NotCertified, match="no operator norm in ball arithmetic"):
        operator_norm_ball(absolute, matrix(np.array(MATRIX)))


def test_the_farthest_corner_of_a_box() -> None:
    """T(x) = x / 2 + e from x = (2, 0), e in [-1, 2] x [0, 3]: T(x) - x has corners (-2, …, 1) x (0, …, 3)."""
    half = [[ball(0.5), ball(0)], [ball(0), ball(0.5)]]
    box = AffineEnclosure(half, vector(np.zeros(2)), vector(np.array([-1.0, 0.0])), vector(np.array([2.0, 3.0])))
    start = vector(np.array([2.0, 0.0]))
    assert holds(_displacement(SupNorm(), box, start), 3.0)
    assert holds(_displacement(Euclidean(), box, start), math.sqrt(13))
    low, high = ends(_displacement(WEIGHTED, box, start))
    assert math.sqrt(4 * 4 + 9) <= low <= high <= 2 * math.sqrt(13) * (1 + 1e-9)  # at most √λ_max times the Euclidean
    unbounded = AffineEnclosure(half, vector(np.zeros(2)), None, None)
    assert _displacement(Euclidean(), unbounded, start) is None


MAPS = [(0.5, [1.0, 2.0]), (0.5, [0.0, -3.0])]


def test_a_displacement_in_another_norm_is_that_of_listed_maps() -> None:
    family, start = ct.families.FiniteFamily(MAPS, weights=[0.25, 0.75]), np.zeros(2)
    sure = displacement_in(family, start, SupNorm(), None)
    second = displacement_in(family, start, SupNorm(), 2.0)
    assert sure is not None
    assert sure.value == 3.0
    assert sure.source == "largest of 2 maps"
    assert second is not None
    assert second.value == pytest.approx(math.sqrt(0.25 * 4 + 0.75 * 9), rel=1e-14)
    assert second.value >= math.sqrt(7.75)
    assert second.source == "mean over 2 maps"


def test_listed_maps_that_fix_the_start_move_it_by_0() -> None:
    family = ct.families.FiniteFamily([(0.5, [0.0, 0.0]), (0.25, [0.0, 0.0])])
    for moment in (None, 2.0):
        found = displacement_in(family, np.zeros(2), SupNorm(), moment)
        assert found is not None
        assert found.value == 0.0


def test_a_displacement_of_maps_that_cannot_be_listed_is_compared() -> None:
    """‖x‖_1 <= √2 ‖x‖_2 in R²; with nothing known in the family's norm, nothing is known in the other."""
    noise = ct.families.Uniform(-1, 1)
    family = ct.families.QuadraticSGD(0.5, noise, dim=2)
    found, known = displacement_in(family, np.zeros(2), L1Simplex(), None), family.displacement(np.zeros(2))
    assert found is not None
    assert found.value == pytest.approx(known.value * math.sqrt(2), rel=1e-14)
    assert found.value >= known.value * math.sqrt(2)
    own = ct.RandomOperator(lambda rng: rng.uniform(-1, 1, 2), lambda x, u: x / 2 + u)
    assert displacement_in(own, np.zeros(2), L1Simplex(), None) is None


def test_how_much_longer_vectors_are_in_another_norm() -> None:
    """The largest ratio of two norms in R³, by the vector at which it is attained."""
    weighted = WeightedEuclidean(np.diag([4.0, 1.0, 0.25]))
    for old, new, c in (
        (SupNorm(), Euclidean(), math.sqrt(3)),
        (Euclidean(), SupNorm(), 1.0),
        (Euclidean(), L1Simplex(), math.sqrt(3)),
        (L1Simplex(), Euclidean(), 1.0),
        (Euclidean(), weighted, 2.0),
        (weighted, Euclidean(), 2.0),
        (weighted, weighted, 1.0),
    ):
        assert c <= equivalence(old, new, 3) <= c * (1 + 1e-12), (old, new)
