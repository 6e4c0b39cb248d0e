"""Contractions without a common factor (rows 19, 22): backward iterates that diverge, exactly."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.maps.iterates import forward_iterates
from contraction.statements.section_2 import necessity_of_common_factor as statement


@given(
    a=st.fractions(1, 20, max_denominator=5),
    D=st.fractions(0, 100, max_denominator=20),
    n=st.integers(0, 150),
    theta0=st.fractions(-1000, 1000, max_denominator=20),
)
def test_divergence_in_closed_form(a, D, n, theta0):
    verdict = statement.check(a, D, n, theta0)
    assert verdict, verdict


def test_the_number_of_the_audit():
    """n/2 + H_n/2 at n = 1000, and the float nearest to it."""
    n = 1000
    theta = statement.backward(Fraction(1), Fraction(1), [n], Fraction(0))[0]
    assert theta == Fraction(n, 2) + sum((Fraction(1, 2 * j) for j in range(1, n + 1)), Fraction(0))
    assert float(theta) == 503.74273543027516


def test_the_common_factor_that_the_text_carries_is_needed():
    verdict = statement.check_printed()
    assert verdict
    assert verdict.kind == "beyond"


@pytest.mark.control
def test_forward_order_is_another_sequence(monkeypatch):
    monkeypatch.setattr(statement, "backward_iterates", forward_iterates)
    cases = [c for c in statement.cases(np.random.default_rng(0), "standard") if c["n"] > 1]
    assert not any(statement.check(**c) for c in cases)


@pytest.mark.control
def test_with_a_common_factor_nothing_diverges(monkeypatch):
    monkeypatch.setattr(statement, "factors", lambda a, n: [Fraction(3, 4)] * n)
    assert not statement.check_printed()
    assert not statement.check(Fraction(1), Fraction(1), 10)
