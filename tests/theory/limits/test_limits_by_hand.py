"""Rounding of composed maps, bounds of prefixes, boxes of integers and draws of chains, in small numbers."""

from __future__ import annotations

import math
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

import contraction as ct
from contraction.families import Cyclic, FiniteFamily, MarkovModulated
from contraction.limits.composed import (
    composed,
    moment_prefixes,
    prefix_bounds,
    rounding_of_one,
)
from contraction.limits.nested_boxes import _check_monotone, _rounding
from contraction.limits.settled import Settling, lengths
from contraction.limits.stationary import _draw
from contraction.maps.errors import NotCertified
from contraction.maps.known import Known
from contraction.maps.rounding import gamma
from contraction.maps.spaces import Euclidean, L1Simplex, Metric, Space, SupNorm, WeightedEuclidean

PER_MAP = 64 + 16 * 2  # roundings per coordinate in two dimensions
NORMS: dict[str, tuple[Space, float]] = {
    "Euclidean": (Euclidean(), math.sqrt(2)),
    "sup": (SupNorm(), 1.0),
    "l1": (L1Simplex(), 2.0),
    "P": (WeightedEuclidean(np.diag([4.0, 9.0])), 3 * math.sqrt(2)),
}


@pytest.mark.parametrize("name", NORMS)
def test_the_rounding_of_one_map_is_that_of_its_largest_coordinate(name: str) -> None:
    """2 γ(64 + 16 d) max |x_j| in every coordinate, and the norm of such a vector."""
    space, norm = NORMS[name]
    expected = norm * gamma(PER_MAP) * 2 * 8.0
    assert rounding_of_one(space, np.array([3.0, -8.0])) == pytest.approx(expected, rel=1e-12, abs=0)
    single = rounding_of_one(space, np.array([3.0, -8.0], dtype=np.float32))
    assert single == pytest.approx(norm * gamma(PER_MAP, 2.0**-24) * 2 * 8.0, rel=1e-12)
    for exact in (np.array([3, 8]), np.array([F(1, 3), F(8)]), np.array([True, False]), np.array([3, 8], dtype="u1")):
        assert rounding_of_one(space, exact) == 0.0


def test_the_rounding_of_one_map_in_a_metric_is_seen_in_its_distances() -> None:
    """The larger of the distances to the points moved by the error up and down, and 5 % more."""
    cubes = Metric(lambda x, y: np.abs(x**3 - y**3).sum(axis=-1))
    x = np.array([1.0, -2.0])
    each = gamma(PER_MAP) * 2 * 2.0
    expected = 1.05 * max(float(np.sum(np.abs(x**3 - (x + s * each) ** 3))) for s in (1, -1))
    assert rounding_of_one(cubes, x) == pytest.approx(expected, rel=1e-12, abs=0)
    one_sided = Metric(lambda x, y: np.where((y > x).any(axis=-1), np.inf, np.abs(x - y).sum(axis=-1)))
    assert rounding_of_one(one_sided, x) == pytest.approx(1.05 * 2 * each, rel=1e-3, abs=0)
    nowhere = Metric(lambda x, y: np.full(np.shape(x)[:-1], np.nan))
    assert rounding_of_one(nowhere, x) == math.inf


@pytest.mark.parametrize("k", [0.5, 0.0, 1.0])
def test_prefixes_of_a_common_factor_are_its_powers(k: float) -> None:
    operators = FiniteFamily([(0.5, 1.0)]).sample(3)
    assert prefix_bounds(operators, 3, k).tolist() == [1.0, k, k**2, k**3]


def test_prefixes_of_single_factors_are_their_products() -> None:
    family = ct.RandomOperator(lambda rng: rng.uniform(0, 2), lambda x, u: u * np.sin(x), lipschitz=lambda u: abs(u))
    operators = family.sample(4)
    exact = [F(1)]
    for draw in operators.draws:
        exact.append(exact[-1] * F(float(draw)))
    found = prefix_bounds(operators, 4, None)
    for value, product in zip(found.tolist(), exact, strict=True):
        assert product <= F(value) <= product * (1 + F(2.0**-18))
    assert prefix_bounds(operators, 0, None).tolist() == [1.0 * (1 + 2.0**-20)]
    unknown = ct.RandomOperator(lambda rng: rng.uniform(), lambda x, u: u * np.sin(x))
    with pytest.raises(NotCertified, match=r"the rounding of T_1 … T_2 is unknown: no Lipschitz constant"):
        prefix_bounds(unknown.sample(2), 2, None)
    assert prefix_bounds(unknown.sample(2), 0, None).shape == (1,)


class Declared(ct.RandomOperator):
    """T(x) = A sin x with A of 1/4 and 3/4, whose factor in mean square is √(5/16)."""

    is_iid = True

    def __init__(self, **known: Any) -> None:
        super().__init__(
            lambda rng: rng.choice([0.25, 0.75]),
            lambda x, a: a * np.sin(x),
            lipschitz=lambda a: a,
            known=Known(**known),
        )


def test_moments_of_prefixes_from_a_declared_factor() -> None:
    found = moment_prefixes(Declared(mean_square=0.75), 3, 2.0)
    assert found is not None
    np.testing.assert_allclose(found, [1, 0.75, 0.75**2, 0.75**3], rtol=1e-12)
    assert moment_prefixes(Declared(mean_square=1.0), 3, 2.0) is None
    assert moment_prefixes(Declared(), 3, 2.0) is None
    of_factors = moment_prefixes(Declared(lipschitz_moment=lambda p: 0.125), 3, 3.0)
    assert of_factors is not None
    np.testing.assert_allclose(of_factors, [1, 0.5, 0.25, 0.125], rtol=1e-12)
    assert moment_prefixes(Declared(lipschitz_moment=lambda p: 1.0), 3, 3.0) is None
    assert moment_prefixes(Declared(lipschitz_moment=lambda p: 0.125), 3, 0.5) is None


def test_moments_of_prefixes_of_affine_maps_are_traces() -> None:
    """E |A_1 … A_j|_F² of independent matrices A = ± R/2 with a rotation R, of which each product has 2 / 4^j."""
    R = np.array([[0.0, -0.5], [0.5, 0.0]])
    found = moment_prefixes(FiniteFamily([(R, [1.0, 0.0]), (-R, [0.0, 1.0])]), 3, 2.0)
    assert found is not None
    np.testing.assert_allclose(found, [math.sqrt(2 / 4**j) for j in range(4)], rtol=1e-5)
    assert np.all(found >= [math.sqrt(2 / 4**j) for j in range(4)])


@pytest.mark.parametrize("kind", ["i8", "u1", "f8", "O"])
def test_chains_of_a_box_are_points_of_its_type(kind: str) -> None:
    """A map that falls between 2 and 3 is refused, whether points are integers, floats or Fractions."""
    seen: list[np.ndarray] = []

    def apply(x: np.ndarray, draw: Any) -> np.ndarray:
        seen.append(x)
        return np.where(x > 2, x - x, x)

    operators = ct.RandomOperator(lambda rng: 0.0, apply).sample(1)
    low, high = (np.array([v], dtype=kind) if kind != "O" else np.array([F(v)]) for v in (0, 8))
    with pytest.raises(ValueError, match="T_1 is not monotone"):
        _check_monotone(operators, 1, low, high, 0.0)
    for x in seen:
        assert x.dtype.kind in ("iu" if kind in ("i8", "u1") else low.dtype.kind)
        assert np.all((low <= x) & (x <= high))
        assert np.all(x[1:] >= x[:-1])
    if kind in ("i8", "u1"):
        assert len({int(v) for x in seen for v in x.ravel()}) > 4
    seen.clear()
    rising = ct.RandomOperator(lambda rng: 0.0, lambda x, u: x + x).sample(1)
    _check_monotone(rising, 1, low, high, 0.0)


def test_a_fall_within_the_slack_is_not_one() -> None:
    falls = ct.RandomOperator(lambda rng: 0.0, lambda x, u: np.where(x >= 1, x - 0.5, x)).sample(1)
    low, high = np.array([0.0]), np.array([2.0])
    _check_monotone(falls, 1, low, high, 0.3)
    with pytest.raises(ValueError, match="is not monotone: it sends"):
        _check_monotone(falls, 1, low, high, 0.1)


def test_a_draw_of_a_chain_is_its_forward_iterate() -> None:
    """Of a stationary chain T_n … T_1 is taken, of independent maps T_1 … T_n; both by hand, for every replica."""
    maps = [(0.5, 0.0), (0.5, 1.0), (0.25, 3.0)]
    chain = MarkovModulated([[F(0), F(1), F(0)], [F(0), F(0), F(1)], [F(1), F(0), F(0)]], [F(1, 3)] * 3)
    for family, backward in ((FiniteFamily(maps, law=chain), False), (FiniteFamily(maps), True)):
        operators = family.sample(4, replicas=6)
        letters = np.array([np.asarray(operators.draws[i]) for i in range(4)])
        expected = []
        for replica in range(6):
            x = 2.0
            for i in reversed(range(4)) if backward else range(4):
                a, b = maps[int(letters[i, replica])]
                x = a * x + b
            expected.append([x])
        np.testing.assert_allclose(_draw(operators, np.full((6, 1), 2.0)), expected, rtol=1e-14)
    assert not FiniteFamily(maps, law=Cyclic(3)).is_iid


def test_a_far_start_is_taken_through_the_same_maps() -> None:
    """After n halvings a start at 5 is 5 / 2^n from the image of 0, and costs n applications more."""
    family = ct.RandomOperator(lambda rng: rng.uniform(-1, 1), lambda x, u: x / 2 + u)
    plain = ct.backward_limit(family, 0.0, 0.25, delta=0.5, alpha=0.5)
    found = ct.backward_limit(family, 0.0, 0.25, delta=0.5, alpha=0.5, start=5.0)
    assert found.value == plain.value
    assert plain.far is None
    assert found.far == pytest.approx(5 / 2**found.maps, rel=1e-9)
    assert found.applications == plain.applications + found.maps


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("n", [1, 2, 5])
def test_the_rounding_of_a_composition_is_a_sum_over_prefixes(name: str, n: int) -> None:
    """Σ_(i<n) Lip(T_1 … T_i) times the norm of 2 γ(64 + 16 d) max |x_j| in every coordinate, over all points met."""
    space, norm = NORMS[name]
    family = FiniteFamily([(np.eye(2) / 2, [1.0, -8.0])], space=space)
    prefixes = 0.5 ** np.arange(n + 1.0)
    value, rounding = composed(family.sample(n), np.array([3.0, 0.0]), n, prefixes)
    x, largest = np.array([3.0, 0.0]), 3.0
    for _ in range(n):
        x = x / 2 + [1.0, -8.0]
        largest = max(largest, float(np.max(np.abs(x))))
    np.testing.assert_allclose(value, x, rtol=1e-14)
    expected = float(np.sum(prefixes[:n])) * norm * gamma(PER_MAP) * 2 * largest
    assert rounding == pytest.approx(expected, rel=1e-5, abs=0)
    assert rounding >= expected
    start = np.array([3.0, 0.0])
    assert composed(family.sample(n), start, 0, prefixes)[1] == 0.0
    exact = FiniteFamily([(F(1, 2), F(1))]).sample(n)
    assert composed(exact, np.array([F(3)]), n, prefixes)[1] == 0.0


@pytest.mark.parametrize(("patience", "asked"), [(1, [1]), (4, [1, 2, 4]), (5, [1, 2, 4, 8])])
def test_paths_that_come_no_nearer_are_given_up_from_the_asked_horizon_on(patience: int, asked: list[int]) -> None:
    moves = ct.RandomOperator(lambda rng: rng.uniform(-1, 1), lambda x, u: x + u)
    told: list[int] = []
    with pytest.raises(
        ct.NotSettled, match=rf"no start comes nearer: .* under {asked[-1]} maps, none nearer than before"
    ):
        ct.backward_limit(moves, 0.0, 1e-6, patience=patience, progress=lambda n, far: told.append(n))
    assert told == asked


def test_the_cost_of_an_estimated_limit_by_hand() -> None:
    """Constant maps that are not known as such settle at the horizons 1 and 2.

    At each horizon n first one fresh start of every length m is tried, and then the number that the level needs: each
    costs m fresh maps and n maps of the path, and the path from the start itself another n.
    """
    family = ct.RandomOperator(lambda rng: rng.uniform(-1, 1), lambda x, u: 0 * x + u)
    found = ct.backward_limit(family, 0.0, 0.25, alpha=0.3, delta=0.4)
    rule, cost = Settling(0.25, 0.3, 0.4), 0
    for n in (1, 2):
        for starts in (1, rule.starts):
            cost += starts * sum(lengths(n)) + n * (starts * len(lengths(n)) + 1)
        rule.after([1.0], [0.0])
    assert (found.maps, found.applications) == (2, cost)
    assert found.value.tolist() == [float(family.sample(1, 0).draws[0])]


def test_a_box_at_zero_has_room_for_numbers_that_underflow() -> None:
    zero = np.zeros(1)
    for family in (FiniteFamily([(0.5, 0.0)]), ct.RandomOperator(lambda rng: 0.0, lambda x, u: x / 2)):
        slack = np.asarray(_rounding(family.sample(1), 1, zero, zero, zero))
        assert np.all((slack > 0) & (slack < 1e-290))
    exact = np.array([F(0)])
    assert _rounding(FiniteFamily([(F(1, 2), F(0))]).sample(1), 1, exact, exact, exact) == 0.0
