"""Bounds in mean square at a start far from 0, where exact second moments about it are differences of large numbers.

The maps are a x + b_i with chance 1/2 each. The true mean square E |θ* - θ_n|² is a^(2n) (Var b / (1 - a²) + m²), where
m = E b / (1 - a) - θ_0; it is computed in Fractions from the floats that the program gets.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from contraction.certificates.error_bound import ErrorBound
from contraction.certificates.mean_square import certify_mean_square
from contraction.families import RandomAffine

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
