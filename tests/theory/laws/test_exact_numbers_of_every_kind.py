"""Exact numbers of every kind stay exact: NumPy's integers do not wrap around, and inexact numbers are refused."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import contraction as ct
from contraction import expansions as ex
from contraction import families, laws

HALF, BIG = Fraction(1, 2), 2**62


def test_points_of_laws() -> None:
    law = laws.ExactLaw({np.int64(BIG): HALF, np.int64(-BIG): HALF})
    assert law.variance() == law.expectation(lambda x: x**2) == BIG**2
    constant = laws.exact_law([lambda x: np.int64(2**40), lambda x: x * 2**40], 2, Fraction(1))
    assert constant.counter() == {Fraction(2**40): HALF, Fraction(2**80): HALF}
    assert laws.ExactLaw({np.True_: 1}) == laws.ExactLaw({1: 1})


@pytest.mark.parametrize("value", [0.5j, np.complex128(1), np.float32(0.5)])
def test_inexact_points_are_refused(value: complex) -> None:
    with pytest.raises(TypeError, match="exact laws need maps that return exact numbers"):
        laws.exact_law([lambda x: value], 1)


def test_iterates_of_affine_maps() -> None:
    a, b = 2**31, 2**62 - 1
    expected = [5, 5 * a + b, (5 * a + b) * a + b, ((5 * a + b) * a + b) * a + b]
    for pair in [(np.int64(a), np.int64(b)), ([np.int64(a)], [np.int64(b)]), (np.array([a]), np.array([b]))]:
        family = families.FiniteFamily([pair])
        assert ct.forward_iterates(family.sample(3, seed=0), [np.int64(5)])[:, 0].tolist() == expected
    halving = families.FiniteFamily([(HALF, np.int64(1))])
    start = np.array([np.int64(BIG)], dtype=object)
    assert ct.forward_iterates(halving.sample(2, seed=0), start)[2].tolist() == [Fraction(BIG, 4) + Fraction(3, 2)]


def test_moments_of_a_bernoulli_convolution() -> None:
    values: Any = np.int64(-BIG), np.int64(BIG)
    given = families.BernoulliConvolution(HALF, values)
    plain = families.BernoulliConvolution(HALF, (-BIG, BIG))
    assert (given.mean(2, 1), given.variance()) == (plain.mean(2, 1), plain.variance())


def test_bounds_and_fields() -> None:
    assert laws.coupling_bound(HALF, np.int64(BIG), 1) == BIG  # pyright: ignore[reportArgumentType]
    assert laws.coupling_bound(0.5, np.int64(BIG), 1) == float(BIG)  # pyright: ignore[reportArgumentType]
    bounds = [10**10] * 3
    assert ex.majorant_coefficient(4, 3, [np.int64(x) for x in bounds]) == ex.majorant_coefficient(4, 3, bounds)
    field = ex.polynomial_field([{(2,): np.int64(2**40)}])  # pyright: ignore[reportArgumentType]
    assert field(ex.rational_vector(np.array([2**20]))).tolist() == [Fraction(2**80)]


def test_one_map_has_a_law_after_any_number_of_maps() -> None:
    expected = {2 - Fraction(1, 2**99): Fraction(1)}
    assert laws.exact_law([(HALF, 1)], 100).counter() == expected
    assert laws.exact_law([lambda x: x / 2 + 1], 100, index_law=[1]).counter() == expected
    assert laws.pair_law([(HALF, 1)], 100).counter() == {(*expected, *expected): Fraction(1)}


@pytest.mark.parametrize("n", [-1, 2.0, "3", True])
def test_the_number_of_maps_is_an_integer(n: int) -> None:
    for law in (
        lambda: laws.merged_law([(HALF, 0)], n),
        lambda: laws.bernoulli_law(HALF, n),
        lambda: laws.golden_law(n),
    ):
        with pytest.raises(ValueError, match="the number of maps n must be an integer"):
            law()


@pytest.mark.parametrize("n", [1, 10, 45, 80, 200])
def test_golden_values_of_large_numbers_that_cancel(n: int) -> None:
    """With a + b φ = φ^-n the two terms are about φ^n, and the difference is φ^-n."""
    a, b = 1, 0
    for _ in range(n):
        a, b = b - a, a
    phi = (1 + 5**0.5) / 2
    assert laws.golden_value((a, b)) == pytest.approx(phi**-n, rel=1e-13, abs=0.0)


def test_complex_numbers_are_refused_and_not_cut() -> None:
    one, flat, matrix, vector = np.array([[1 + 1j]]), np.array([1 + 1j]), np.eye(1), np.ones(1)
    for refused in (
        lambda: laws.AffineMoments(one, vector, matrix, vector),
        lambda: laws.AffineMoments(matrix, vector, matrix, flat),
        lambda: laws.affine_moments(families.QuadraticSGD(h=0.5), flat),
        lambda: laws.RandomAffineMoments.from_maps(flat, matrix),
        lambda: families.HeavyBall(one, h=0.5, beta=0.25),
        lambda: families.AffineLaw(lambda rng: (flat[0], vector), dim=1).sample(1, seed=0).apply(1, np.zeros(1)),
    ):
        with pytest.raises(ValueError, match="must be an array of numbers"):
            refused()


def test_a_letter_without_probability_is_named() -> None:
    family = families.FiniteFamily([(0.5, 0.0), (0.5, 1.0), (0.3, 0.0)], law=families.IID([HALF, HALF, 0]))
    with pytest.raises(ValueError, match=r"every letter must have positive stationary probability, but \[2\]"):
        laws.modulated_moments(family)
