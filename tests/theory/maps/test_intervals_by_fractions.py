"""Radii of intervals against exact fractions: large enough for every corner, and not larger than the roundings need."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction as F

import numpy as np
import pytest

from contraction.maps.errors import NotCertified
from contraction.maps.intervals import Intervals, above, as_intervals, below, boxed, derivatives
from contraction.maps.rounding import EPS, UNIT

MIDDLES = (0.0, 0.1, -0.7, 1 / 3, 3.0, -1e8, 1e16)
RADII = (0.0, 2.0**-54, 0.3, 1e7)
PAIRS = list(itertools.product(itertools.product(MIDDLES, RADII), repeat=2))


def ends(mid: float, rad: float) -> tuple[F, F]:
    return F(mid) - F(rad), F(mid) + F(rad)


def check(found: Intervals, corners: list[F], roundings: float = 16) -> None:
    """The radius reaches all corners, and no farther than some roundings of the midpoint and of itself."""
    mid, rad = F(float(found.mid)), F(float(found.rad))
    needed = max(abs(corner - mid) for corner in corners)
    assert needed <= rad
    assert rad <= needed * (1 + F(roundings * EPS)) + F(2 * EPS) * abs(mid) + F(1e-299)
    assert F(float(found.low)) <= mid - rad
    assert F(float(found.high)) >= mid + rad
    assert F(float(found.magnitude)) >= max(map(abs, corners))
    assert F(float(found.magnitude)) <= (abs(mid) + rad) * (1 + F(8 * EPS)) + F(1e-299)


@pytest.mark.parametrize("name", ["+", "-", "*"])
def test_the_radius_of_a_result_is_what_its_corners_need(name: str) -> None:
    exact: Callable[[F, F], F] = {"+": F.__add__, "-": F.__sub__, "*": F.__mul__}[name]
    of_intervals = {"+": Intervals.__add__, "-": Intervals.__sub__, "*": Intervals.__mul__}[name]
    for x, y in PAIRS:
        found = of_intervals(Intervals(*x), Intervals(*y))
        check(found, [exact(a, b) for a in ends(*x) for b in ends(*y)])


def test_the_radius_of_a_reciprocal_is_what_its_ends_need() -> None:
    taken = 0
    for mid, rad in itertools.product((0.1, -0.7, 3.0, -1e8), (0.0, 2.0**-54, 0.05, 0.5)):
        if rad < abs(mid):
            taken += 1
            check(Intervals(mid, rad).reciprocal(), [1 / end for end in ends(mid, rad)], 64)
    assert taken == 15


@pytest.mark.parametrize("mid", [1.0, -1.0, 0.1])
def test_an_interval_that_ends_at_zero_has_no_reciprocal(mid: float) -> None:
    with pytest.raises(NotCertified, match="contains 0"):
        Intervals(mid, abs(mid)).reciprocal()
    with pytest.raises(NotCertified, match="contains 0"):
        Intervals(0.0).reciprocal()
    with pytest.raises(NotCertified, match="contains 0"):
        Intervals([1.0, mid], [0.0, abs(mid)]).reciprocal()
    assert Intervals(mid, abs(mid) * (1 - 2.0**-40)).reciprocal().mid == 1 / mid


def test_numbers_and_arrays_on_either_side() -> None:
    x = Intervals([2.0, 4.0], [0.5, 0.0])
    for found, mid, rad in (
        (x + 1, [3, 5], [0.5, 0]),
        (1 + x, [3, 5], [0.5, 0]),
        (x - 1, [1, 3], [0.5, 0]),
        (1 - x, [-1, -3], [0.5, 0]),
        (x * 2, [4, 8], [1, 0]),
        (2 * x, [4, 8], [1, 0]),
        (x / 2, [1, 2], [0.25, 0]),
        (np.array([1.0, 2.0]) + x, [3, 6], [0.5, 0]),
        (np.array([1.0, 2.0]) - x, [-1, -2], [0.5, 0]),
        (np.array([1.0, 2.0]) * x, [2, 8], [0.5, 0]),
        (np.array([1.0, 2.0]) / x, [0.5, 0.5], [1 / 6, 0]),
        (1 / x, [0.5, 0.25], [1 / 6, 0]),
        (np.negative(x), [-2, -4], [0.5, 0]),
        (np.positive(x), [2, 4], [0.5, 0]),
        (+x, [2, 4], [0.5, 0]),
        (-x, [-2, -4], [0.5, 0]),
        (np.square(x), [4, 16], [2.25, 0]),
        (np.power(x, 2), [4, 16], [2.25, 0]),
        (x**0, [1, 1], [0, 0]),
        (x @ np.array([1.0, 2.0]), 10, 0.5),
        (np.array([1.0, 2.0]) @ x, 10, 0.5),
        (x.sum(), 6, 0.5),
    ):
        assert isinstance(found, Intervals)
        assert found.mid.tolist() == mid
        assert np.all(np.asarray(rad) <= found.rad + 1e-15)
        assert np.all(found.rad <= np.asarray(rad) + 1e-14)


def test_what_is_no_number_is_left_to_the_other_side() -> None:
    x = Intervals(2.0)
    for operation in (x.__add__, x.__sub__, x.__mul__, x.__truediv__):
        assert operation("a") is NotImplemented
        assert operation(np.array([1.0], dtype=object)) is NotImplemented
    for exponent in (-1, 0.5, "a"):
        with pytest.raises(TypeError, match="must be an integer of at least 0, got "):
            x**exponent
    for call in (lambda: np.add.reduce(Intervals([1.0, 2.0])), lambda: np.arctan(x), lambda: np.add(x, x, where=True)):
        with pytest.raises(TypeError):
            call()
    with pytest.raises(AttributeError, match="arctan"):
        x.arctan  # noqa: B018
    entries = np.array([1.0, 2.0], dtype=object) * x
    assert [float(one.mid) for one in entries] == [2.0, 4.0]
    assert boxed(x).shape == ()
    assert boxed(x)[()] is x
    assert as_intervals(x) is x
    assert repr(Intervals(1.0, 0.5)) == "Intervals(array(1.), array(0.5))"


def test_functions_reach_intervals_as_methods_and_through_numpy() -> None:
    x = Intervals([0.25, 0.5], [0.0, 0.125])
    for found in (np.exp(x), x.exp()):
        assert np.all(found.low <= np.exp([0.25, 0.375]))
        assert np.all(found.high >= np.exp([0.25, 0.625]))
        assert np.all(found.rad <= [1e-15, (math.exp(0.625) - math.exp(0.375)) / 2 + 1e-14])


@pytest.mark.parametrize("n", [1, 2, 7, 50])
def test_matrix_products_and_sums_have_the_radius_of_their_terms(n: int) -> None:
    """For x = (m ± r) the products differ from that of midpoints by |a| s + r (|b| + s), summed."""
    rng = np.random.default_rng(n)
    a, b = rng.standard_normal((2, n))
    r, s = rng.uniform(0, 1, (2, n))
    terms = [tuple(F(v) for v in row) for row in zip(a.tolist(), b.tolist(), r.tolist(), s.tolist(), strict=True)]
    product, total = Intervals(a, r) @ Intervals(b, s), Intervals(a, r).sum()
    of_moduli = sum(abs(x * y) for x, y, *_ in terms), sum(abs(x) for x, *_ in terms)
    exact = sum((x * y for x, y, *_ in terms), F(0)), sum((x for x, *_ in terms), F(0))
    spread = sum(abs(x) * v + u * (abs(y) + v) for x, y, u, v in terms), sum(u for *_, u, _ in terms)
    for found, value, moduli, needed in zip((product, total), exact, of_moduli, spread, strict=True):
        assert abs(F(float(found.mid)) - value) + needed <= F(float(found.rad))
        assert F(float(found.rad)) <= needed * (1 + (3 * n + 16) * F(EPS)) + (n + 3) * F(UNIT) * moduli * F(1.01)
    plain = Intervals(a) @ Intervals(b)  # without radii, only roundings of the sum of moduli are left
    assert (n + 2) * F(UNIT) * of_moduli[0] <= F(float(plain.rad)) <= (n + 3) * F(UNIT) * of_moduli[0]
    assert (n + 2) * F(UNIT) * of_moduli[1] <= F(float(Intervals(a).sum().rad)) <= (n + 3) * F(UNIT) * of_moduli[1]


def test_sums_along_an_axis() -> None:
    x = Intervals([[1.0, 2.0, 4.0], [8.0, 16.0, 32.0]], [[0.5, 0.0, 0.0], [0.0, 0.25, 0.0]])
    for axis, mid, rad in ((0, [9, 18, 36], [0.5, 0.25, 0]), (1, [7, 56], [0.5, 0.25]), (None, 63, 0.75)):
        found = x.sum(axis)
        assert found.mid.tolist() == mid
        assert np.all(rad <= found.rad)
        assert np.all(found.rad <= np.asarray(rad) + 1e-13)
        n = 6 if axis is None else x.shape[axis]
        assert np.all(found.rad >= np.asarray(rad) + (n + 1) * UNIT * np.asarray(mid))


@pytest.mark.parametrize("operations", [0, 1, 5, 1000, 10**6])
def test_numbers_above_and_below_allow_for_every_rounding(operations: int) -> None:
    """Each of n roundings changes a number by at most the factor 1 ± u, and what is added is little more than that."""
    for x in (1.0, 0.1, 1e-290, 3e200):
        upper, lower = F(float(above(x, operations))), F(float(below(x, operations)))
        assert upper >= F(x) / (1 - F(UNIT)) ** min(operations, 1000)
        assert F(x) * (1 + operations * F(EPS)) <= upper <= F(x) * (1 + (operations + 4) * F(EPS)) + F(2e-300)
        assert lower <= F(x) * (1 - operations * F(EPS))
        assert F(x) * (1 - (operations + 4) * F(EPS)) - F(2e-300) <= lower
    assert float(above(0.0, operations)) > 0
    assert float(below(0.0, operations)) == 0.0
    assert float(below(1e-301, operations)) == 0.0


def test_widening_adds_to_the_radius() -> None:
    x = Intervals([1.0, 2.0], [0.5, 0.1]).widened([0.25, 0.2])
    assert x.mid.tolist() == [1.0, 2.0]
    for found, exact in zip(x.rad.tolist(), (F(0.5) + F(0.25), F(0.1) + F(0.2)), strict=True):
        assert exact <= F(found) <= exact * (1 + F(6 * EPS))


def test_an_interval_contains_its_ends_and_nothing_a_unit_beyond() -> None:
    x = Intervals([1.0, -1.0], [0.5, 0.5])
    assert x.contains([0.5, -1.5]).tolist() == [True, True]
    assert x.contains([1.5, -0.5]).tolist() == [True, True]
    assert x.contains(np.nextafter([0.5, -1.5], -5)).tolist() == [True, True]  # the ends are rounded outwards once
    assert x.contains(np.nextafter(np.nextafter([0.5, -1.5], -5), -5)).tolist() == [False, False]
    assert x.contains(np.nextafter(np.nextafter([1.5, -0.5], 5), 5)).tolist() == [False, False]
    assert x.contains([1.0, 1.0]).tolist() == [True, False]


def test_parts_and_transposes_keep_their_radii() -> None:
    x = Intervals([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [[0.0, 0.5, 0.0], [0.25, 0.0, 0.0]])
    assert x.shape == (2, 3)
    assert (x.T.mid[1, 0], x.T.rad[1, 0], x.T.rad[0, 1]) == (2.0, 0.5, 0.25)
    assert (float(x[1, 0].mid), float(x[1, 0].rad)) == (4.0, 0.25)
    assert x[0].rad.tolist() == [0.0, 0.5, 0.0]
    assert Intervals([1.0, 2.0], 0.5).rad.tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("matrix", "radius", "definite"),
    [
        ([[1.0]], 0.0, True),
        ([[0.0]], 0.0, False),
        ([[5e-324]], 0.0, False),  # the lower end of this interval is 0
        ([[-1.0]], 0.0, False),
        ([[1.0]], 1.0, False),
        ([[1.0]], 0.875, True),
        ([[1.0, 1.0], [1.0, 1.0]], 0.0, False),
        ([[1.0, 2.0], [2.0, 1.0]], 0.0, False),
        ([[2.0, 1.0], [1.0, 2.0]], 0.0, True),
        ([[2.0, 1.0], [1.0, 2.0]], 0.6, False),  # 1.4² < 1.6²
        ([[2.0, 1.0], [1.0, 2.0]], 0.3, True),  # 1.7² > 1.3²
        ([[4.0, 2.0, 0.0], [2.0, 2.0, 1.0], [0.0, 1.0, 1.5]], 0.0, True),  # pivots 4, 1, 1/2
        ([[4.0, 2.0, 0.0], [2.0, 2.0, 1.0], [0.0, 1.0, 0.5]], 0.0, False),  # pivots 4, 1, -1/2
        ([[4.0, 4.0, 0.0], [4.0, 2.0, 0.0], [0.0, 0.0, 1.0]], 0.0, False),  # pivots 4, -2
    ],
    ids=lambda x: None if isinstance(x, list) else str(x),
)
def test_definite_matrices_have_positive_pivots(matrix: list, radius: float, definite: bool) -> None:
    assert Intervals(matrix, radius).positive_definite() is definite


@pytest.mark.parametrize("name", ["log", "log1p", "sqrt"])
def test_one_interval_outside_the_domain_is_enough_to_refuse(name: str) -> None:
    shift = 1.0 if name == "log1p" else 0.0
    inside = derivatives(name, Intervals([1.0, 2.0], [0.25, 0.0]), 1)
    assert [one.shape for one in inside] == [(2,), (2,)]
    for mid in ([1.0, -2.0 - shift], [-2.0 - shift, 1.0]):
        with pytest.raises(NotCertified, match="of an interval that is not positive"):
            derivatives(name, Intervals(mid, [0.25, 0.25]), 1)
    with pytest.raises(NotCertified, match="contains 0"):
        derivatives(name, Intervals([1.0, 0.5 - shift], [0.25, 0.5]), 1)


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_ranges_of_monotone_functions_end_at_the_values_of_their_ends(order: int) -> None:
    """Taylor coefficients of exp, 1/x and log over [1/2, 2] at both ends, which the range attains."""
    coefficients: dict[str, Callable[[float, int], float]] = {
        "exp": lambda x, k: math.exp(x) / math.factorial(k),
        "reciprocal": lambda x, k: (-1) ** k / x ** (k + 1),
        "log": lambda x, k: math.log(x) if k == 0 else (-1) ** (k - 1) / (k * x**k),
        "sqrt": lambda x, k: math.sqrt(x) * (1, 1 / (2 * x), -1 / (8 * x**2), 1 / (16 * x**3))[k],
    }
    for name, exact in coefficients.items():
        found = derivatives(name, Intervals(1.25, 0.75), order)
        assert len(found) == order + 1
        for k, one in enumerate(found):
            low, high = sorted((exact(0.5, k), exact(2.0, k)))
            assert low - 1e-13 <= float(one.low) <= low + 1e-15
            assert high - 1e-15 <= float(one.high) <= high + 1e-13
