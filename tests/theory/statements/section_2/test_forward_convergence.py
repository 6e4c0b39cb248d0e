"""Section 2.2 (row 76): forward iterates converge exactly when the maps share a fixed point."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.families import LinearizedSGD
from contraction.maps.iterates import forward_iterates
from contraction.statements.cases.error_rates import FALSE_ALARM
from contraction.statements.section_2 import forward_convergence as statement

fractions = st.fractions(-2, 2, max_denominator=5)


@given(
    h=st.fractions(0, Fraction(5, 2), max_denominator=10),
    eps=st.lists(fractions, min_size=1, max_size=3),
    theta0=fractions,
    n=st.integers(0, 4),
)
def test_mean_square_steps(h, eps, theta0, n):
    M = len(eps)
    weights = [Fraction(2 * (i + 1), M * (M + 1)) for i in range(M)]
    verdict = statement.check(h, eps, weights, theta0, n)
    assert verdict, verdict


def test_fair_bits_at_one_half():
    far = statement.step_formula(Fraction(1, 2), [0, 1], [Fraction(1, 2)] * 2, Fraction(0), 60)
    assert abs(far - Fraction(1, 12)) < Fraction(1, 4**59)


@given(
    slopes=st.lists(st.fractions(Fraction(-9, 10), Fraction(9, 10), max_denominator=10), min_size=1, max_size=3),
    fixed=fractions,
    gap=st.fractions(Fraction(1, 5), 3, max_denominator=5),
    n=st.integers(1, 5),
)
def test_a_shared_fixed_point_attracts_forward_paths(slopes, fixed, gap, n):
    assert statement.check_printed(slopes, fixed, fixed + gap, n)


def test_steps_in_the_plane_by_simulation():
    """E|θ_{n+1} − θ_n|² = 2 h tr(H S) for H = diag(1, 3), h = 0.2 and standard Gaussian noise, S = h/(λ(2−hλ)).

    20,000 pairs at n = 60. A step is Gaussian with independent coordinates of variance v_i = 2h²/(2−hλ_i), so its mean
    square leaves the sum by more than 2 sqrt(x sum v²/R) + 2 x max v/R (Laurent and Massart, 2000) with probability at
    most 2 e^-x: false alarm 1e-9; the backward value, 0 to 1e-9, would be missed never.
    """
    h, eigenvalues, R = 0.2, np.array([1.0, 3.0]), 20_000
    operators = LinearizedSGD([1.0, -1.0], np.diag(eigenvalues), h).sample(61, 5, replicas=R)
    path = forward_iterates(operators, [1.0, -1.0], at=[60, 61])
    measured = np.mean(np.sum((path[:, 1] - path[:, 0]) ** 2, axis=-1))
    v, x = 2 * h**2 / (2 - h * eigenvalues), np.log(2 / FALSE_ALARM)
    assert np.isclose(v.sum(), 2 * h * np.sum(eigenvalues * h / (eigenvalues * (2 - h * eigenvalues))))
    assert abs(measured - v.sum()) <= 2 * np.sqrt(x * np.sum(v**2) / R) + 2 * x * v.max() / R


@pytest.mark.control
def test_a_slope_of_one_attracts_nothing():
    """A slope of 1 shares every point and does not contract: the paths do not come closer."""
    assert not statement.check_printed((Fraction(1, 2), Fraction(1)))


@pytest.mark.control
def test_backward_in_place_of_forward_is_caught(monkeypatch):
    """Backward steps shrink like (1-h)^n: their mean square is not the formula's."""
    from contraction.maps.orders import Backward

    monkeypatch.setattr(statement, "Forward", Backward)
    assert not all(statement.check(**case) for case in statement.cases(np.random.default_rng(0), "standard"))
