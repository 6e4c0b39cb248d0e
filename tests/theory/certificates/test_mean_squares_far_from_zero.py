"""Bounds in mean square at a start far from 0, where exact second moments about it are differences of large numbers.

The maps are a x + b_i with chance 1/2 each. The true mean square E |θ* - θ_n|² is a^(2n) (Var b / (1 - a²) + m²), where
m = E b / (1 - a) - θ_0; it is computed in Fractions from the floats that the program gets.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from contraction import NotCertified, certify
from contraction.certificates.error_bound import ErrorBound
from contraction.certificates.mean_square import certify_mean_square
from contraction.families import AffineLaw, FiniteFamily, RandomAffine
from contraction.maps.second_moments import SecondMoments

#: a, θ_0 and the two numbers b.
CASES = {
    "constant maps": (0.0, 343.135, (343.154399, 343.173798)),
    "a small factor": (0.0078125, 6747.895, (6695.1795013125, 6695.1819323125)),
    "a larger factor": (0.25, 524.073, (393.05498, 393.05521)),
    "small moves of a large number": (0.25, 1e6, (750000.0 + 2.0**-6, 750000.0 - 2.0**-7)),
    "a move that a rounded map does not make": (0.9, 1.0, (0.1, 0.1)),
    "moves below the last digit": (0.7, 1e6, (300000.0, 300000.0)),
}


def bound_and_truth(a: float, theta: float, b: tuple[float, float]) -> tuple[ErrorBound, Fraction, Fraction]:
    """Return the bound, E |θ* - θ_0|² and E |T θ_0 - θ_0|²."""
    family = RandomAffine([a, a], [[x] for x in b])
    found = certify_mean_square(family, np.array([theta]), None, family.contraction)
    assert found is not None
    A, x, exact = Fraction(a), Fraction(theta), [Fraction(value) for value in b]
    mean = sum(exact) / 2
    variance = sum((value - mean) ** 2 for value in exact) / 2
    square = variance / (1 - A * A) + (mean / (1 - A) - x) ** 2
    return found, square, sum(((A * x + value - x) ** 2 for value in exact), Fraction(0)) / 2


@pytest.mark.parametrize("case", CASES)
def test_bounds_hold_for_the_maps_of_these_floats(case: str) -> None:
    found, square, moved = bound_and_truth(*CASES[case])
    factor = Fraction(CASES[case][0]) ** 2
    assert Fraction(found.D) ** 2 >= moved
    assert all(Fraction(found.bound(n)) ** 2 >= square * factor**n for n in (0, 1, 2, 5))


def test_drawn_starts_and_moves() -> None:
    """Starts from 1 to 1e5, whose distance to θ* is between 1e-16 and 1e-4 of them."""
    rng = np.random.default_rng(0)
    wrong = []
    for _ in range(60):
        theta, a = float(10.0 ** rng.uniform(0, 5)), float(rng.uniform(0.05, 0.9))
        size = theta * 10.0 ** rng.uniform(-16, -4)
        case = a, theta, tuple(float(x) for x in (1 - a) * theta + size * rng.standard_normal(2))
        found, square, moved = bound_and_truth(*case)
        if Fraction(found.D) ** 2 < moved or Fraction(found.bound(0)) ** 2 < square:
            wrong.append(case)
    assert not wrong


@pytest.mark.control
def test_a_start_at_0_that_no_map_moves_is_the_limit() -> None:
    """There nothing cancels, and 0 is exact."""
    found, square, _ = bound_and_truth(0.5, 0.0, (0.0, 0.0))
    assert square == 0 == found.bound(0)


def drawn_maps(rng: np.random.Generator) -> tuple[list[float], list[float], float]:
    """Return factors a_i, moves b_i and a start: fixed points up to 1e12, moves between 1e-12 and 10 of them."""
    count = int(rng.integers(1, 4))
    point = float(rng.choice([0.0, 1.0])) * float(10.0 ** rng.uniform(-3, 12))
    factors = [float(x) for x in rng.uniform(-0.9, 0.9, count)]
    size = max(point, 1.0) * 10.0 ** rng.uniform(-12, 1)
    moves = [(1 - a) * point + float(size * rng.standard_normal()) for a in factors]
    start = float(rng.choice([0.0, point, point + size]))
    return factors, moves, start


def exact_square(factors: list[float], moves: list[float], start: float) -> tuple[Fraction, Fraction]:
    """Return E |θ* - θ_0|² for equal chances, and E a², in Fractions: with c_i = a_i θ_0 + b_i - θ_0 as the moves.

    y = θ* - θ_0 solves y = a y + c in law, so E y = E c / (1 - E a) and E y² = (2 E ac E y + E c²) / (1 - E a²).
    """
    A, n, x = [Fraction(a) for a in factors], len(factors), Fraction(start)
    c = [a * x + Fraction(b) - x for a, b in zip(A, moves, strict=True)]
    mean = sum(c) / n / (1 - sum(A) / n)
    squares = sum(a * a for a in A) / n
    both = sum(a * one for a, one in zip(A, c, strict=True)) / n
    return (2 * both * mean + sum(one * one for one in c) / n) / (1 - squares), squares


def test_given_moments_give_bounds_that_are_little_above_the_truth() -> None:
    """Of 2000 drawn laws: the bound holds at n = 0, 1, 7, and exceeds the truth by no more than roundings explain.

    Moments about 0 are sums of squares of numbers of size s = |θ_0| + |b|: they are known up to some roundings of s²,
    and E |θ* - θ_0|² up to these, times at most (1 - |a|)^-4 for the two linear systems, one of which enters the other.
    """
    rng = np.random.default_rng(0)
    too_small, too_large = [], []
    for _ in range(2000):
        factors, moves, start = drawn_maps(rng)
        weights = [1 / len(factors)] * len(factors)
        moments = SecondMoments.from_maps([[[a]] for a in factors], [[b] for b in moves], weights)
        family = AffineLaw(lambda rng: (0.0, np.zeros(1)), dim=1, moments=moments)
        found = certify_mean_square(family, np.array([start]), None)
        square, rate = exact_square(factors, moves, start)
        assert found is not None
        too_small += [(factors, moves, start, n) for n in (0, 1, 7) if Fraction(found.bound(n)) ** 2 < square * rate**n]
        largest = max(abs(a) for a in factors)
        roundings = 4000 * 2.0**-53 * (abs(start) + max(map(abs, moves))) ** 2 / (1 - largest) ** 4
        if found.bound(0) ** 2 > float(square) * (1 + 1e-9) + roundings:
            too_large.append((factors, moves, start, found.bound(0) ** 2, float(square), roundings))
    assert not too_small
    assert not too_large


@pytest.mark.parametrize("point", [1e3, 1e6, 1e7, 1e9, 1e12])
def test_a_start_at_zero_is_certified_however_far_the_fixed_point_is(point: float) -> None:
    """x/2 + point/2 ± 1: E |θ*|² is point² + 4/3."""
    moves = [point / 2 - 1, point / 2 + 1]
    moments = SecondMoments.from_maps([[[0.5]], [[0.5]]], [[b] for b in moves], [0.5, 0.5])
    family = AffineLaw(lambda rng: (0.5, np.array([rng.choice(moves)])), dim=1, moments=moments)
    bound = certify(family, 0.0, moment=2).bound(0)
    assert Fraction(bound) ** 2 >= Fraction(point) ** 2 + Fraction(4, 3)
    assert bound <= math.sqrt(point**2 + 4 / 3) * (1 + 1e-11)


def test_bounds_of_small_noise_are_no_larger_than_those_of_listed_maps() -> None:
    """x/2 ± 1e-9 from 0: E |θ*|² = 4/3 · 1e-18, and every map contracts by 1/2, so that |θ*| is at most 2e-9."""
    moments = SecondMoments.from_maps([[[0.5]], [[0.5]]], [[-1e-9], [1e-9]], [0.5, 0.5])
    family = AffineLaw(lambda rng: (0.5, rng.choice([-1e-9, 1e-9], 1)), dim=1, moments=moments)
    bound = certify(family, 0.0, moment=2).bound(0)
    exact = 1e-9 * math.sqrt(4 / 3)
    assert exact <= bound <= exact * (1 + 1e-9)
    assert bound <= certify(FiniteFamily([(0.5, -1e-9), (0.5, 1e-9)]), 0.0, moment=2).bound(0)


def test_the_reason_is_that_of_the_moments() -> None:
    """E a is 1 - 1e-16, which floats hardly tell from 1."""
    one = np.array([[1 - 2.0**-53]])
    moments = SecondMoments(one, np.ones(1), one, np.zeros((1, 1)), np.zeros((1, 1)), np.ones(1))
    family = AffineLaw(lambda rng: (1 - 2.0**-53, np.array([rng.choice([-1.0, 1.0])])), dim=1, moments=moments)
    with pytest.raises(NotCertified, match="too ill-conditioned for a bound: condition number"):
        certify_mean_square(family, np.zeros(1), None)
