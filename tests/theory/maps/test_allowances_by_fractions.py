"""What is added for rounding: no less than the roundings that are counted, in exact arithmetic, and hardly more."""

from __future__ import annotations

import math
from fractions import Fraction as F
from typing import Any

import mpmath
import numpy as np
import pytest

from contraction.maps.rounding import (
    EPS,
    TINY,
    UNIT,
    as_exact,
    cancelled,
    euclidean_norm,
    float_up,
    fraction_up,
    gamma,
    geometric_tail,
    norm_of_entries,
    power_mean,
    products_up,
    root_of_log_up,
    root_up,
    round_down,
    round_up,
)


@pytest.mark.parametrize("operations", [0, 1, 7, 1000])
def test_a_number_grows_by_its_roundings_and_one_unit(operations: int) -> None:
    numbers = [1.0, 0.1, -3.0, 2.0**52 + 1, 1e-290, -1e290]
    for x, found in zip(numbers, round_up(numbers, operations).tolist(), strict=True):
        wanted = F(x) + operations * F(EPS) * abs(F(x))
        assert wanted < F(found) <= wanted + 2 * F(math.ulp(x))
    kept = [0.0, math.inf, -math.inf]
    assert round_up(kept, operations).tolist() == kept


def test_one_unit_is_added_where_no_roundings_are_named() -> None:
    assert round_up(1.0) == 1 + EPS
    assert round_up([2.0, 0.0]).tolist() == [2 * (1 + EPS), 0.0]
    assert round_down(1.0) == 1 - UNIT
    assert round_down(-1.0) == -1 - EPS


@pytest.mark.parametrize("x", [F(1, 3), F(2, 3), F(-1, 3), F(-2, 3), F(1, 10), F(1, 2), F(10**17 + 1), F(1, 10**320)])
def test_the_least_float_that_is_not_below_a_number(x: F) -> None:
    assert F(math.nextafter(float_up(x), -math.inf)) < x <= F(float_up(x))


def test_products_of_moderate_factors_allow_for_all_roundings() -> None:
    factors = np.array([[0.3, 0.5], [0.7, 0.5], [1.9, 2.0], [0.1, 1.0]])
    found = products_up(factors)
    assert found.shape == (5, 2)
    for column in range(2):
        exact = F(1)
        for n in range(5):
            exact = exact * F(factors[n - 1, column]) if n else exact
            assert exact * (1 + 3 * F(EPS)) < F(found[n, column]) <= exact * (1 + 10 * F(EPS))
    assert products_up([0.5, 0.5]).tolist() == [1 + 3 * EPS, 0.5 * (1 + 3 * EPS), 0.25 * (1 + 3 * EPS)]
    assert products_up([]).tolist() == [1.0]
    assert products_up(np.zeros((0, 2))).tolist() == [[1.0, 1.0]]


@pytest.mark.parametrize("position", [0, 1, 3])
def test_products_with_one_tiny_factor_are_rounded_up_one_by_one(position: int) -> None:
    """Halves and one factor 2^-1000: each product is exact, so that n units are what n steps upwards add."""
    factors = [0.5, 0.5, 0.5]
    factors.insert(position, 2.0**-1000)
    found, exact = products_up(factors), F(1)
    assert found[0] == 1.0
    for n, factor in enumerate(factors, 1):
        exact *= F(factor)
        assert exact < F(found[n]) <= exact * (1 + F(EPS)) ** n
    small = products_up([1e-200, 1e-200, 3.0, 0.5])
    assert small.tolist()[2:] == [TINY, 4 * TINY, 3 * TINY]
    both = products_up([[1e-200, 0.5], [1e-200, 0.0], [1.0, 2.0]])
    assert both[2:].tolist() == [[TINY, 0.0], [2 * TINY, 0.0]]
    assert F(0.5) < F(both[1, 1]) <= F(0.5) * (1 + F(EPS))


@pytest.mark.parametrize("scale", [1.0, 2.0**-700, 2.0**700])
def test_a_norm_of_all_entries_neither_underflows_nor_overflows(scale: float) -> None:
    for entries, norm in (
        ([[3.0, 0.0], [0.0, -4.0]], 5.0),
        ([[1.0, 1.0], [1.0, 1.0]], 2.0),
        ([-6.0], 6.0),
        ([[0.0, 0.0]], 0.0),
        (np.zeros((0, 2)), 0.0),
    ):
        assert norm_of_entries(scale * np.asarray(entries)) == scale * norm
    assert norm_of_entries(np.array([1.0, -math.inf])) == math.inf
    assert math.isnan(norm_of_entries(np.array([1.0, math.nan])))


def test_norms_of_points_of_very_different_sizes() -> None:
    points = [[3.0, 4.0], [3e-200, 4e-200], [0.0, 0.0], [3 * 2.0**660, -4 * 2.0**660], [0.0, -1.0]]
    assert euclidean_norm(points).tolist() == [5.0, 5e-200, 0.0, 5 * 2.0**660, 1.0]
    assert euclidean_norm(points[:1] + points[2:3]).tolist() == [5.0, 0.0]
    assert euclidean_norm(points[:2]).tolist() == [5.0, 5e-200]
    assert euclidean_norm(np.array([[F(-1, 3)], [F(2)]])).tolist() == [F(1, 3), 2]
    assert euclidean_norm(np.array([F(3), F(-4)])) == 5.0
    assert euclidean_norm(np.zeros((2, 0))).tolist() == [0.0, 0.0]
    single = euclidean_norm(np.array([3.0, 4.0], np.float32))
    assert (single, single.dtype) == (5.0, np.float64)
    assert euclidean_norm([math.inf, 1.0]) == math.inf


def test_power_means_of_columns_count_what_has_weight_alone() -> None:
    values = np.array([[1.0, 2.0, math.inf], [4.0, 1.0, 7.0], [8.0, 0.0, 2.0]])
    found = power_mean(values, 2, [0.0, 0.5, 0.25])
    np.testing.assert_allclose(found, np.sqrt([8 + 16, 0.5, 24.5 + 1]), rtol=1e-15)
    np.testing.assert_allclose(power_mean(values[1:], 3), np.cbrt([64 + 512, 1, 343 + 8]), rtol=1e-15)
    np.testing.assert_allclose(power_mean(values[1:], 3, 2.0), np.cbrt([1152, 2, 702]), rtol=1e-15)
    assert power_mean([[[3.0]], [[4.0]]], 2).tolist() == [[5.0]]


@pytest.mark.parametrize("operations", [0, 1, 10, 1000, 2**23])
@pytest.mark.parametrize(
    ("x", "p", "root"),
    [
        (4.0, 2.0, 2.0),
        (16.0, 4.0, 2.0),
        (0.25, 2.0, 0.5),
        (2.0**60, 4.0, 2.0**15),
        (2.0**-60, 0.5, 2.0**-120),
        (1.0, 5.0, 1.0),
    ],
)
def test_a_root_grows_by_its_roundings_and_those_of_its_exponent(
    x: float, p: float, root: float, operations: int
) -> None:
    """In units of 2^-52 of the root: those of x and |ln x|, divided by p, and two; 2^-20 of these more."""
    units = (F(float(root_up(x, p, operations))) / F(root) - 1) / F(EPS)
    counted = ((operations + abs(math.log(x))) / p + 2) * (1 + 2.0**-20)
    assert counted + 0.49 <= units <= counted + 1.51


def test_roots_of_zero_and_of_infinity_and_of_a_batch() -> None:
    assert root_up([0.0, math.inf, 4.0], 2).tolist()[:2] == [0.0, math.inf]
    assert root_up(1e-300, 0.5) == TINY  # 1e-600
    assert root_up(0.0, 3, 10) == 0.0


@pytest.mark.parametrize(
    ("log", "p"), [(0.0, 1.0), (0.0, 4.0), (1024.0, 1024.0), (-700.0, 1.0), (700.0, 1.0), (9.0, 3.0)]
)
def test_a_root_of_a_logarithm_grows_by_its_error_and_that_of_its_exponent(log: float, p: float) -> None:
    """In units of 2^-52: 4 (1 + |log|) / p of the logarithm, |log| / p of the quotient, and four of the exponential."""
    with mpmath.workdps(60):
        units = (mpmath.mpf(root_of_log_up(log, p)) / mpmath.exp(mpmath.mpf(log) / p) - 1) / EPS
    counted = 4 * (1 + abs(log)) / p + abs(log) / p + 4
    assert counted - 0.5 <= units <= counted + 2.5
    assert root_of_log_up(1000.0, 1.0) == math.inf


def test_numbers_of_any_kind_as_fractions() -> None:
    numbers: list[Any] = [0.1, np.float32(0.1), np.float64(-0.3), np.longdouble(0.1), 3, F(1, 3)]
    for x in numbers:
        assert as_exact(x) == (F(x) if isinstance(x, int | float | F) else F(*x.as_integer_ratio()))
    with mpmath.workdps(40):
        tenth = mpmath.mpf(1) / 10
    assert as_exact(tenth) == F(math.nextafter(0.1, 1.0))


@pytest.mark.parametrize("shift", [0, 5, -5, -1000, -1060, -1074, 900])
@pytest.mark.parametrize("x", [F(1), F(1, 3), F(2**54 + 1), F(2**53 - 1), F(2**53 + 1), F(10**20 + 1, 7), F(3, 2)])
def test_the_least_float_above_a_scaled_fraction(x: F, shift: int) -> None:
    found, exact = fraction_up(x, shift), x * F(2) ** shift
    assert F(math.nextafter(found, -math.inf)) < exact <= F(found)


def test_fractions_beyond_the_range_of_floats() -> None:
    largest = F(2) ** 1024 - F(2) ** 971
    assert fraction_up(largest) == float(largest)
    assert fraction_up(largest + 1) == math.inf
    assert fraction_up(F(1), 1024) == math.inf
    assert fraction_up(F(1), 5000) == math.inf
    assert fraction_up(F(1, 3), -1074) == TINY
    assert fraction_up(F(1), -1074) == TINY
    assert fraction_up(F(3, 2), -1074) == 2 * TINY
    assert fraction_up(F(1), -5000) == TINY
    assert fraction_up(F(0), 5000) == 0.0


@pytest.mark.parametrize("n", [0, 1, 2, 5, 13, 300])
def test_the_tail_of_a_geometric_series_is_the_next_float(n: int) -> None:
    for k in (*(F(1, d) for d in range(2, 30)), 0.3, 0.9, 1 - 2.0**-30):
        for scale in (1.0, 0.1, 3, F(7, 3)):
            exact = F(k) ** n * F(scale) / (1 - F(k))
            found = geometric_tail(k, n, scale)
            if isinstance(k, F) and isinstance(scale, int | F):
                assert (found, type(found)) == (exact, F)
            else:
                assert exact <= found
                assert F(math.nextafter(found, 0)) <= exact * (1 + F(1, 2**200))
    assert geometric_tail(1.0, n, 1.0) == math.inf == geometric_tail(1.5, n, 1)
    assert geometric_tail(F(3, 2), n, 1.0) == math.inf
    assert geometric_tail(0.5, n, 0.0) == 0.0


def test_tails_below_all_floats() -> None:
    assert geometric_tail(0.5, 10**7, 1.0) == TINY
    assert geometric_tail(0.5, 10**7, 0.0) == 0.0
    assert geometric_tail(0.0, 3, 1.0) == 0.0
    assert geometric_tail(0.0, 0, 1.0) == 1.0


@pytest.mark.parametrize("unit", [UNIT, 2.0**-24])
def test_gamma_is_a_quotient_that_needs_few_roundings(unit: float) -> None:
    assert gamma(7) == gamma(7, UNIT) == pytest.approx(7 * UNIT, rel=1e-14, abs=0)
    assert gamma(0, unit) == 0.0
    assert gamma(0.5 / unit, unit) == 1.0
    assert gamma(0.75 / unit, unit) == 3.0
    assert gamma(1 / unit - 1, unit) == pytest.approx(1 / unit - 1, rel=1e-6)
    for too_many in (1 / unit, 2 / unit):
        with pytest.raises(ValueError, match=r"gamma\(n\) needs n u < 1, got n = "):
            gamma(too_many, unit)


@pytest.mark.parametrize("terms", [1, 2, 50])
@pytest.mark.parametrize("d", [1, 3])
def test_what_cancels_is_counted_by_its_terms_its_size_and_its_norm(terms: int, d: int) -> None:
    """γ(terms + 2) d · d · condition · (2 + size): entries, their Frobenius norm, and another norm."""
    for size in (0.0, 0.5, 30.0):
        one = gamma(terms + 2) * (2 + size)
        assert float(cancelled(terms, d, size)) == pytest.approx(d**2 * one, rel=1e-14, abs=0)
        assert float(cancelled(terms, d, size, 7.0)) == pytest.approx(7 * d**2 * one, rel=1e-14, abs=0)
    assert cancelled(terms, d, [0.0, 1.0]).shape == (2,)
    assert cancelled(0, d, [0.0, 1.0]).tolist() == [0.0, 0.0]
