"""Section 3.2, equation (3) (row 48): the linearised gradient and its remainder, exactly."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.statements import taylor_of_gradient as statement

fractions = st.fractions(-3, 3, max_denominator=6)


@given(seed=st.integers(0, 2**31), d=st.integers(1, 3), data=st.data())
def test_remainder_is_of_second_order(seed, d, data):
    rng = np.random.default_rng(seed)
    H, C = statement.symmetric(rng, d, 2), statement.symmetric(rng, d, 3)
    points = [data.draw(st.lists(fractions, min_size=d, max_size=d)) for _ in range(2)]
    verdict = statement.check(H, C, *points)
    assert verdict, verdict


@given(c=st.integers(1, 9), x=fractions)
def test_the_bound_is_attained_in_dimension_one(c, x):
    assert statement.check([[2]], [[[c]]], [0], [x]).ratio == 1


def test_equality_for_quadratic_losses():
    rng = np.random.default_rng(1)
    H = statement.symmetric(rng, 3, 2)
    assert statement.check(H, 0 * statement.symmetric(rng, 3, 3), [1, 2, 3], [0, Fraction(1, 2), 7]).measured == 0


@pytest.mark.control
def test_a_hessian_at_another_point_is_caught(monkeypatch):
    """With twice the quadratic part the linear map is wrong and the remainder is of first order."""
    real = statement.gradient
    monkeypatch.setattr(statement, "gradient", lambda H, C, x: real(2 * H, C, x))
    verdicts = [statement.check(**case) for case in statement.cases(np.random.default_rng(0), "standard")]
    assert not all(verdicts)


@pytest.mark.control
def test_half_the_constant_is_caught():
    """The claimed factor one half is needed: with one quarter (C/2 in the bound) dimension one fails."""
    verdict = statement.check([[2]], [[[3]]], [0], [1])
    assert verdict.measured > verdict.claimed / 2
