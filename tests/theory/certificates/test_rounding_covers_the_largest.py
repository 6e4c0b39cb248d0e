"""Slack for rounding grows with what is rounded: the largest matrix of several, the number of terms, far numbers.

Each bound is compared with what one rounding of the largest intermediate number may do. A slack that is taken from the
smallest matrix, or falls with the number of terms, is below that.
"""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import contraction as ct
from contraction.certificates.best_norm import factor_in_norm
from contraction.certificates.region import _check_invariance
from contraction.certificates.region_epochs import EpochBounds
from contraction.certificates.words import word_norms
from contraction.limits.nested_boxes import _rounding
from contraction.maps.domains import RotatedBox
from contraction.maps.errors import NotCertified
from contraction.maps.intervals import Intervals
from contraction.maps.rounding import UNIT
from contraction.maps.spaces import Euclidean, WeightedEuclidean
from contraction.maps.step_enclosures import StepEnclosure


@pytest.mark.parametrize("count", [1, 10, 1000])
def test_a_mean_square_factor_covers_the_sum_of_its_terms(count: int) -> None:
    """Σ w AᵀA over M equal diagonal maps is 1/4 exactly; a sum of M terms has an error of M - 1 roundings."""
    parts = [(1 / count, np.diag([0.5, 0.25]))] * count
    found = factor_in_norm(parts, WeightedEuclidean(np.eye(2)))
    assert 0.25 * (1 + count * UNIT) <= found <= 0.25 * (1 + 1e4 * (count + 8) * UNIT)


def test_a_mean_square_factor_covers_large_terms() -> None:
    """AᵀA = 10^6 AᵀA / 10^6: where the terms are large, so are their roundings."""
    big, small = (factor_in_norm([(1.0, s * np.eye(2))], WeightedEuclidean(np.eye(2))) / s**2 for s in (1e3, 1.0))
    assert big - 1 == pytest.approx(small - 1, rel=0.1, abs=0)


@pytest.mark.parametrize("order", [1, -1])
def test_norms_of_words_cover_products_that_cancel(order: int) -> None:
    """A B has one entry that is not 0, 10^8 (fl(0.3) - 3 fl(0.1)), of which floats keep nothing or too much."""
    A, B = np.array([[1e8, 3e8], [0.0, 0.0]]), np.array([[0.3, 0.0], [-0.1, 0.0]])
    exact = abs(10**8 * Fraction(0.3) - 3 * 10**8 * Fraction(0.1))
    words = word_norms([A, B][::order], 2, Euclidean())
    assert words[1 if order == 1 else 2] >= exact > 1e-9  # the word A B
    assert abs((A @ B)[0, 0] - (10**8 * Fraction(0.3) - 3 * 10**8 * Fraction(0.1))) > 1e-9  # what has to be covered


@pytest.mark.parametrize("far", [1.0, 1e6, 1e12])
def test_the_rounding_of_a_box_grows_with_its_numbers(far: float) -> None:
    halves = ct.RandomOperator(lambda rng: rng.uniform(-1, 1), lambda x, u: x / 2 + far)
    x = np.array([2.0])
    image = halves.sample(1, 0).apply(1, x)
    slack = float(np.max(_rounding(halves.sample(1, 0), 1, x, x, image)))
    assert far * UNIT <= slack <= 1000 * (far + 2) * UNIT
    sums = ct.RandomOperator(lambda rng: rng.uniform(-1, 1), lambda x, u: (x + far) - far)  # the rounding of x + far
    x = np.array([far])
    assert float(np.max(_rounding(sums.sample(1, 0), 1, x, x, np.array([0.5])))) >= far * UNIT


@pytest.mark.parametrize("d", [1, 5, 20])
def test_the_rounding_of_a_box_under_an_affine_map_grows_with_its_sums(d: int) -> None:
    """A row of A x + b is a sum of d + 1 numbers, and has an error of d + 1 roundings of |A| |x| + |b|."""
    family = ct.families.FiniteFamily([(np.full((d, d), -0.5 / d), np.full(d, 3.0))])
    operators, x, y = family.sample(1, 0), np.full(d, -4.0), np.full(d, 2.0)
    slack = _rounding(operators, 1, x, y, operators.apply(1, x))
    assert np.shape(slack) == (d,)
    assert np.all((d + 1) * UNIT * 5.0 <= slack)
    assert np.all(slack <= 10 * (d + 1) * UNIT * 5.0)


def of_curvature(*hessian: float) -> StepEnclosure:
    """A step of rate 1/10 on a quadratic loss with this diagonal Hessian."""
    H = np.diag(hessian)
    return StepEnclosure(0.1, Intervals(np.zeros(2)), Intervals(H), Intervals(np.zeros((2, 2, 2))))


def test_the_factor_of_an_epoch_by_hand() -> None:
    """Steps with Hessians (1, -1/5) and (-1/5, 1), h = 1/10.

    The product of the factors is 1.02². The mean Hessian is 2/5, so that a step of rate 1/5 on it has factor 0.92, and
    the rest is 1.1² - 1 - 1/5 = 0.01.
    """
    region = RotatedBox(np.zeros(2), np.ones(2), np.eye(2))
    steps = [of_curvature(1.0, -0.2), of_curvature(-0.2, 1.0)]
    unused: Any = None
    assert EpochBounds(region, steps, unused, unused, unused).factor() == pytest.approx(0.93, rel=1e-9)
    alone = EpochBounds(region, steps[:1], unused, unused, unused).factor()
    assert alone == pytest.approx(1.02, rel=1e-9)
    strong = EpochBounds(region, [of_curvature(5.0, 4.0)] * 2, unused, unused, unused).factor()
    assert strong == pytest.approx(0.36, rel=1e-9)  # 0.6² is below |1 - 1| + 1.5² - 1 - 1


def test_the_error_names_the_map_and_the_coordinate_that_leave_the_box_farthest() -> None:
    def map_with(*image: float) -> Any:
        return SimpleNamespace(
            image=lambda r: np.array(image), h=0.1, pull=Intervals(np.array([3.0, 5.0])), slope=Intervals(np.eye(2))
        )

    r = np.array([1.0, 2.0])
    _check_invariance([map_with(0.5, 2.0), map_with(1.0, 0.0)], r)
    with pytest.raises(NotCertified, match=r"map 1 may send coordinate 1 of the box to 3 r_1 .*h\|G_j\(0\)\| = 0\.5,"):
        _check_invariance([map_with(2.5, 1.0), map_with(1.5, 6.0)], r)
    with pytest.raises(NotCertified, match=r"2 of 4 coordinates of all maps fail"):
        _check_invariance([map_with(0.5, 3.0), map_with(1.5, 1.0)], r)
    with pytest.raises(NotCertified, match="map 1 may send coordinate 0 of the box to nan"):
        _check_invariance([map_with(9.0, 1.0), map_with(np.nan, 1.0)], r)
