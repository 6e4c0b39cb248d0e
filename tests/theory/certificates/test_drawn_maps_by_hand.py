"""Certificates of drawn maps: prefixes, displacements and tails in small numbers, with their allowances."""

from __future__ import annotations

import math
from fractions import Fraction as F

import numpy as np
import pytest

import contraction as ct
from contraction.certificates.drawn import _affine_prefixes, _near_one, prefix_lipschitz
from contraction.families import FiniteFamily
from contraction.maps.affine import AffineMaps
from contraction.maps.errors import NotCertified
from contraction.maps.rounding import EPS, TINY
from contraction.maps.spaces import Euclidean, Metric, SupNorm, WeightedEuclidean


def units(found: float, exact: float) -> float:
    return float((F(float(found)) - F(exact)) / F(EPS))


@pytest.mark.parametrize("common", [True, False])
@pytest.mark.parametrize("space", [Euclidean(), WeightedEuclidean(np.diag([4.0, 9.0]))], ids=["I", "P"])
def test_norms_of_products_allow_for_their_roundings(common: bool, space: Euclidean | WeightedEuclidean) -> None:
    """2 d (n + 1) units of the product of Frobenius norms, for n maps, times the condition of the norm."""
    A = np.diag([0.5, 0.25])
    maps = AffineMaps(A if common else np.stack([A] * 3), np.zeros((3, 2)), "matrix", common)
    found = _affine_prefixes(maps, 3, space)
    condition = 1.0 if isinstance(space, Euclidean) else 1.5
    frobenius = math.sqrt(0.3125)
    assert found[0] == 1.0
    for n in (1, 2, 3):
        expected = 2 * 2 * (n + 1) * condition * frobenius**n
        assert units(found[n], 0.5**n) == pytest.approx(expected, abs=2.0 * 0.5 ** (n - 1))


@pytest.mark.parametrize("kind", ["scalar", "diagonal", "matrix"])
def test_products_of_signs_zeros_and_tiny_factors(kind: str) -> None:
    """A product that is 0 is 0, and one that underflows is not."""
    one = {
        "scalar": np.array([-2.0, 1e-200, 1e-200, 0.0]),
        "diagonal": np.array([[-2.0, 1.0], [1e-200, 1e-300], [1e-200, 0.0], [0.0, 5.0]]),
        "matrix": np.stack([np.diag(a) for a in ([-2.0, 1.0], [1e-200, 1e-300], [1e-200, 0.0], [0.0, 5.0])]),
    }[kind]
    found = _affine_prefixes(AffineMaps(one, np.zeros((4, 2)), kind), 4, Euclidean())
    assert found[0] == 1.0
    assert 2.0 <= found[1] <= 2.0 * (1 + 32 * EPS)
    assert 2e-200 <= found[2] <= 2e-200 * (1 + 64 * EPS)
    assert 0 < found[3] <= 2 * TINY
    assert found[4] == 0.0 or kind == "matrix"
    assert found[4] < 1e-300


def test_signs_matter_where_a_norm_mixes_coordinates() -> None:
    """A = diag(1, -1) reflects: in a norm with P = ((1, c), (c, 1)) it expands, and its square is the identity."""
    c = 0.6
    space = WeightedEuclidean(np.array([[1.0, c], [c, 1.0]]))
    found = _affine_prefixes(AffineMaps(np.array([[1.0, -1.0]] * 2), np.zeros((2, 2)), "diagonal"), 2, space)
    assert found[1] == pytest.approx(math.sqrt((1 + c) / (1 - c)), rel=1e-9)
    assert found[2] == pytest.approx(1.0, rel=1e-9)


def test_replicas_have_products_of_their_own() -> None:
    A = np.array([[0.5, 0.25], [3.0, 2.0]])  # two maps of two replicas
    for maps in (
        AffineMaps(A, np.zeros((2, 2, 1)), "scalar"),
        AffineMaps(A[..., None], np.zeros((2, 2, 1)), "diagonal"),
        AffineMaps(A[..., None, None], np.zeros((2, 2, 1)), "matrix"),
    ):
        found = _affine_prefixes(maps, 2, Euclidean())
        np.testing.assert_allclose(found, [[1, 1], [0.5, 0.25], [1.5, 0.5]], rtol=1e-12)


def test_matrices_are_divided_by_a_power_of_two() -> None:
    A = np.array([[[0.0, -3.0], [1.0, 0.0]], [[0.25, 0.0], [0.0, 0.0]], [[4.0, 0.0], [0.0, 0.0]]])
    scaled, powers = _near_one(A)
    assert powers.tolist() == [2, -1, 3]
    assert scaled[:, 0].tolist() == [[0.0, -0.75], [0.5, 0.0], [0.5, 0.0]]
    np.testing.assert_array_equal(np.ldexp(scaled, powers[:, None, None]), A)


def test_where_factors_of_prefixes_come_from() -> None:
    draws, apply = (lambda rng: rng.uniform()), (lambda x, u: x / 2)
    for options, factors, origin in (
        ({"lipschitz": lambda u: 0.5}, [1.0, 0.5, 0.25], "declared"),
        ({"contraction": 0.75}, [1.0, 0.75, 0.5625], "declared"),
        ({"lipschitz": lambda u: 0.5, "contraction": 0.75}, [1.0, 0.5, 0.25], "declared"),
    ):
        known = prefix_lipschitz(ct.RandomOperator(draws, apply, **options).sample(2))  # type: ignore[arg-type]
        assert known is not None
        np.testing.assert_allclose(known[0], factors, rtol=1e-14)
        assert known[1:] == ("K_1…K_n", origin)
        assert prefix_lipschitz(ct.RandomOperator(draws, apply, **options).sample(2), SupNorm()) is None  # type: ignore[arg-type]
    assert prefix_lipschitz(ct.RandomOperator(draws, apply).sample(2)) is None
    affine = prefix_lipschitz(FiniteFamily([(0.5, 1.0)]).sample(2), SupNorm())
    assert affine is not None
    assert affine[1:] == ("‖A_1…A_n‖", "drawn")
    metric = FiniteFamily([(0.5, 1.0)], space=Metric(lambda x, y: np.abs(x - y)[..., 0]))
    assert prefix_lipschitz(metric.sample(2)) is None or prefix_lipschitz(metric.sample(2))[1] == "K_1…K_n"  # type: ignore[index]


def test_the_certificate_of_drawn_maps_by_hand() -> None:
    """x/2 + 1 and x/4 at 0: D = 1; the tails are sums of products times what each map moves."""
    family = FiniteFamily([(0.5, 1.0), (0.25, 0.0)])
    operators = family.sample(5, 1)
    letters = [int(draw) for draw in operators.draws]
    assert {*letters} == {0, 1}
    slopes, moves = np.array([0.5, 0.25])[letters], np.array([1.0, 0.0])[letters]
    products = np.cumprod([1.0, *slopes])
    tail = [sum(products[i] * moves[i] for i in range(n, 5)) for n in range(6)]
    found = ct.certify(operators, 0.0)
    bounds = np.asarray(found.bound(np.arange(6)))
    np.testing.assert_allclose(bounds, tail, rtol=1e-12, atol=1e-300)
    assert np.all(bounds >= tail)
    assert pytest.approx(1.0, rel=1e-14) == found.D
    assert found.D >= 1
    assert found.k == pytest.approx(max(slopes), rel=1e-12)
    assert (found.horizon, found.target) == (5, "T_1…T_5 θ_0")
    started = ct.certify(operators, 0.0, start=3.0)
    np.testing.assert_allclose(started.bound(np.arange(6)), np.array(tail) + products * 3, rtol=1e-12)
    assert found.constants["D"].source == "largest d(θ_0, T_iθ_0), i ≤ 5"
    assert found.constants["k"].source == "largest of ‖A_1…A_n‖ / ‖A_1…A_(n−1)‖"


def test_what_drawn_maps_move_is_rounded_up_by_the_start() -> None:
    """(d + 4) units of D + √d |θ|."""
    family = FiniteFamily([(0.5, [30.0, 1.0])])
    found = ct.certify(family.sample(1), np.array([60.0, 4.0]))
    assert units(found.D, 1.0) == pytest.approx(6 * (1 + math.sqrt(2) * 60) + 1, abs=2)
    still = ct.certify(family.sample(1), np.array([0.0, 0.0]))
    assert math.hypot(30, 1) <= still.D
    zero = FiniteFamily([(0.5, [0.0, 0.0])])
    assert ct.certify(zero.sample(3), np.zeros(2)).D == 0.0
    large = FiniteFamily([(1e200, [1.0])])
    with pytest.raises(NotCertified, match="overflow: the bound is infinite"):
        ct.certify(large.sample(3), np.ones(1))
