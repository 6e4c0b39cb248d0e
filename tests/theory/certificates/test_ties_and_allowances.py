"""Certificates at exact ties, and allowances for rounding as the formulas that they stand for."""

from __future__ import annotations

import math
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

import contraction as ct
from contraction.certificates.average import _of_products
from contraction.certificates.find_region import _minimum
from contraction.certificates.majorants import CommonNorm, MeanSquareMoments, _near_one
from contraction.certificates.region import certify_region
from contraction.certificates.step_bounds import gram_inverse
from contraction.families import FiniteFamily, OwnLossSteps, Reshuffled, Uniform
from contraction.maps.domains import RotatedBox
from contraction.maps.errors import NotCertified
from contraction.maps.intervals import Intervals
from contraction.maps.rounding import gamma

BELOW_ONE = math.nextafter(1.0, 0.0)


def test_a_factor_of_exactly_one_is_no_contraction() -> None:
    for family in (
        ct.families.QuadraticSGD(2.0, Uniform(-1, 1)),
        FiniteFamily([(1.0, 1.0)]),
        FiniteFamily([(-1.0, 1.0)]),
    ):
        for moment in (None, 1.0):
            with pytest.raises(NotCertified, match="≥ 1"):
                ct.certify(family, 0.0, moment=moment)


def test_a_declared_factor_is_compared_as_it_is() -> None:
    """A declared number is not rounded: 1 is no contraction, and the float below it is one."""
    maps = lambda rng: rng.choice([-1.0, 1.0]), lambda x, u: np.sin(x) * 0.5 + u
    declared = ct.RandomOperator(*maps, contraction=1.0, displacement=1.0)
    for given in ({}, {"moment": 1.0}, {"ball": 5.0}):
        with pytest.raises(NotCertified, match="k ≥ 1"):
            ct.certify(declared, [0.0], **given)  # type: ignore[arg-type]
    below = ct.RandomOperator(*maps, contraction=BELOW_ONE, displacement=1.0)
    assert ct.certify(below, [0.0]).k == BELOW_ONE


def test_a_factor_just_below_one_is_one_when_it_is_rounded_up() -> None:
    """1 - 2^-53 is refused for its rounding; below it k is at least the factor and below 1 from some float on."""
    with pytest.raises(NotCertified, match=r"k = 0\.9999999999999999 is 1\.0000000000000007 when rounded up"):
        ct.certify(FiniteFamily([(BELOW_ONE, 1.0)]), 0.0)
    for ulps in (8, 9, 10, 100):
        factor = 1 - ulps * 2.0**-53
        assert factor <= ct.certify(FiniteFamily([(factor, 1.0)]), 0.0).k < 1


@pytest.mark.parametrize(("size", "error"), [(3.0, 0.0), (0.3, 0.7), (1e-200, 1e-210), (1e200, 1.0), (1e-5, 1e5)])
def test_a_number_and_its_error_are_scaled_by_the_larger_of_both(size: float, error: float) -> None:
    x, scaled, power = _near_one(np.array([size, 0.0]), error)
    assert 0.5 <= max(float(x[0]), scaled) < 1
    assert math.ldexp(float(x[0]), power) == size
    assert math.ldexp(scaled, power) == error


@pytest.mark.parametrize("d", [2, 3, 5])
def test_the_error_of_a_product_is_that_of_sums_of_all_its_terms(d: int) -> None:
    """The trace vanishes, so that the bound is the root of √d times the error: γ(d²) ‖E A⊗A‖ ‖M‖ for one map."""
    M = np.zeros((d, d))
    M[0, 1] = 1.0
    found = MeanSquareMoments(np.eye(d * d) / 4, 0.0, M.ravel(), 0.0)
    assert found.bound(np.array(0)) == 0.0
    expected = math.sqrt(math.sqrt(d) * gamma(d * d) * (d / 4) * 1.0)
    assert float(found.bound(np.array(1))) == pytest.approx(expected, rel=1e-6)
    with_errors = MeanSquareMoments(np.eye(d * d) / 4, 1e-6, M.ravel(), 1e-5)
    error = (d / 4) * 1e-5 + 1e-6 * (1 + 1e-5) + gamma(d * d) * (d / 4)
    assert float(with_errors.bound(np.array(1))) == pytest.approx(math.sqrt(math.sqrt(d) * error), rel=1e-6)
    squared = 2 * (d / 4) * 1e-6 + 1e-12 + gamma(d * d) * (d / 4) ** 2  # of (E A⊗A)², the norm of which is d/16
    error = (d / 16) * 1e-5 + squared * (1 + 1e-5) + gamma(d * d) * (d / 16)
    assert float(with_errors.bound(np.array(2))) == pytest.approx(math.sqrt(math.sqrt(d) * error), rel=1e-6)


def test_powers_neither_underflow_nor_overflow_on_the_way() -> None:
    """T(x) = A x with A = 1/2 or 3/2: the bound is |A|^n times the start, to rounding, wherever that is a float."""
    for factor, n in ((0.5, 3), (0.5, 1000), (0.5, 1061), (1.5, 1500), (0.5, 10**6), (1.5, 10**6)):
        found = float(MeanSquareMoments(np.array([[factor**2]]), 0.0, np.array([4.0]), 0.0).bound(np.array(n)))
        exact = 2 * F(factor) ** min(n, 4000)
        if n > 4000:
            assert found == (5e-324 if factor < 1 else math.inf)
        else:
            assert exact <= F(found) <= exact * (1 + F(2.0**-40)) + 2 * F(5e-324)


def rest(kind: str) -> tuple[ct.RandomOperator, list]:
    """Affine maps of the plane with linear parts of one kind, and these as matrices."""
    rng = np.random.default_rng(3)
    parts = {
        "scalar": [0.5, -0.25, 3.0],
        "diagonal": [np.array([0.5, -2.0]), np.array([0.25, 0.1]), np.array([3.0, -0.3])],
        "matrix": list(rng.uniform(-1, 1, (3, 2, 2))),
    }[kind]
    family = FiniteFamily([(A, rng.uniform(-1, 1, 2)) for A in parts])
    return family, [A * np.eye(2) if np.ndim(A) < 2 else A for A in parts]


@pytest.mark.parametrize("kind", ["scalar", "diagonal", "matrix"])
@pytest.mark.parametrize("leaf", [None, [1.0, 0.0], [0.6, 0.8]], ids=str)
def test_logarithms_of_products_are_those_of_the_products(kind: str, leaf: list[float] | None) -> None:
    family, parts = rest(kind)
    operators = family.sample(5, replicas=4)
    Q = None if leaf is None else np.array(leaf)[:, None]
    found = _of_products(operators, Q, ct.Euclidean(), 2)
    for r in range(4):
        product = np.eye(2)
        for i in range(5):
            product = product @ parts[int(np.asarray(operators.draws[i])[r])]
        norm = np.linalg.norm(product if Q is None else Q.T @ product @ Q, 2)
        assert found[r] == pytest.approx(math.log(norm), abs=1e-10)


def test_the_logarithm_of_a_product_that_vanishes_is_minus_infinity() -> None:
    E = np.array([[0.0, 1.0], [0.0, 0.0]])
    zero = FiniteFamily([(E, [0.0, 0.0])])
    assert _of_products(zero.sample(1, replicas=2), None, ct.Euclidean(), 2).tolist() == [0.0, 0.0]
    assert _of_products(zero.sample(2, replicas=2), None, ct.Euclidean(), 2).tolist() == [-math.inf] * 2
    across = np.array([[1.0], [0.0]])  # E sends the leaf to zero, and what is orthogonal to it into it
    assert _of_products(zero.sample(1, replicas=2), across, ct.Euclidean(), 2).tolist() == [-math.inf] * 2
    small = FiniteFamily([(1e-200 * np.eye(2), [0.0, 0.0])])
    found = _of_products(small.sample(4, replicas=2), None, ct.Euclidean(), 2)
    np.testing.assert_allclose(found, 4 * math.log(1e-200), rtol=1e-12)


def steps(**options: Any) -> OwnLossSteps:
    return OwnLossSteps(
        lambda t, x: (2 * (t[0] - x) ** 2 + (t[1] + 3 * x) ** 2) / 2,
        ([1.0, -1.0],),
        2,
        **{"h": 0.1, "batches": [[0], [1]], **options},
    )


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("coordinate", [0, 1])
def test_a_start_on_the_edge_of_a_region_lies_in_it(side: int, coordinate: int) -> None:
    basis = np.array([[0.6, -0.8], [0.8, 0.6]])
    theta = side * 5.0 * basis[:, coordinate]
    frame = Intervals(basis)
    radii = np.full(2, 8.0)
    place = (
        gram_inverse(RotatedBox(np.zeros(2), radii, basis)) @ (frame.T @ (Intervals(theta) - np.zeros(2)))
    ).magnitude
    radii[coordinate] = place[coordinate]
    assert certify_region(steps(), theta, RotatedBox(np.zeros(2), radii, basis)).certified
    radii[coordinate] = np.nextafter(place[coordinate], 0)
    with pytest.raises(ValueError, match=rf"theta0 must lie in the region: coordinate {coordinate} of "):
        certify_region(steps(), theta, RotatedBox(np.zeros(2), radii, basis))


@pytest.mark.parametrize("law", [None, Reshuffled])
@pytest.mark.parametrize("coordinate", [0, 1])
def test_the_box_that_is_found_is_certified_and_no_coordinate_is_much_too_wide(coordinate: int, law: Any) -> None:
    family = steps(law=law, h=0.02)
    region = ct.find_region(family, [0.0, 0.0], grow=False)
    assert ct.certify(family, region.center, region=region).certified
    radii = region.radii.copy()
    radii[coordinate] *= 0.9
    with pytest.raises(NotCertified):
        ct.certify(family, region.center, region=RotatedBox(region.center, radii, region.basis))


@pytest.mark.parametrize(("curvature", "flat"), [(0.0, True), (1e-12, True), (1.1e-12, False), (0.5, False)])
def test_a_curvature_that_is_lost_beside_another_is_flat(curvature: float, flat: bool) -> None:
    family = OwnLossSteps(lambda t, x: curvature / 2 * t[0] ** 2 + x / 2 * t[1] ** 2, ([1.0],), 2, h=0.1, batches=[[0]])
    if flat:
        with pytest.raises(NotCertified, match="the mean loss is flat where its gradient is 0"):
            _minimum(family, np.zeros(2), 3)
    else:
        assert _minimum(family, np.zeros(2), 3)[0].tolist() == [0.0, 0.0]


def test_the_number_of_pairs_falls_with_the_dimension() -> None:
    """About a million numbers are compared for each map: 24 pairs up to d = 43,690, and fewer above."""
    family = ct.RandomOperator(lambda rng: rng.uniform(), lambda x, u: x / 2 + u, contraction=0.5)
    points = lambda rng, count: np.broadcast_to(rng.uniform(size=(count, 1)), (count, d))  # noqa: E731
    for d, pairs in ((2, 24), (2**16, 16)):
        assert ct.search_violation(family, np.zeros(d), maps=1, points=points).pairs == pairs


def test_a_bound_in_another_norm_is_c_times_the_bound_and_zero_stays() -> None:
    """c D k^n / (1 - k): for k = 0 nothing is left after one map, and a bound that underflows is not 0."""
    assert np.asarray(CommonNorm(0.0, 3.0, None, c=2.0).bound(np.arange(3))).tolist()[1:] == [0.0, 0.0]
    for n, value in enumerate(np.asarray(CommonNorm(0.25, 3.0, None, c=2.0).bound(np.arange(4))).tolist()):
        assert F(8, 4**n) <= F(value) <= F(8, 4**n) * (1 + F(2.0**-44))
    assert float(CommonNorm(0.25, 3.0, None, c=1e-300).bound(np.array(200))) == 5e-324
