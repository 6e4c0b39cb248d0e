"""Scope of Appendix C (row 55): momentum is not of the form θ + hV, and parts the orders at h."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.statements import stateful_optimizers as statement

fractions = st.fractions(-5, 5, max_denominator=50)


@given(
    slopes=st.tuples(fractions, fractions), targets=st.tuples(fractions, fractions),
    beta=st.fractions(0, 1, max_denominator=50), theta=fractions,
)  # fmt: skip
def test_heavy_ball_at_first_order(slopes, targets, beta, theta):
    verdict = statement.check(slopes, targets, beta, theta)
    assert verdict, verdict


def test_orders_do_not_coincide_at_first_order():
    assert statement.check_printed()


@pytest.mark.control
def test_without_momentum_they_do():
    assert not statement.check_printed(beta=Fraction(0))


@pytest.mark.control
def test_a_lost_velocity_is_caught(monkeypatch):
    def forgetful(state, slope, target, beta, h):
        return state[0] - h * slope * (state[0] - target), state[1]

    monkeypatch.setattr(statement, "heavy_ball", forgetful)
    assert not statement.check((Fraction(1), Fraction(2)), (Fraction(0), Fraction(1)), Fraction(1, 2), Fraction(1))
