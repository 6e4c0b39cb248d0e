"""Appendix D.2 (row 66): the regulariser is the ascent of the alignment, and small batches' implicit regulariser."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contraction.statements.appendix_d import alignment_regulariser as statement


@settings(max_examples=20)
@given(c=st.integers(2, 5), h=st.fractions(Fraction(1, 100), 3, max_denominator=100), seed=st.integers(0, 2**31))
def test_term_is_the_gradient_of_the_alignment(c, h, seed):
    verdict = statement.check(c, h, seed)
    assert verdict, verdict


@pytest.mark.parametrize("seed", range(5))
def test_it_is_no_penalty(seed):
    assert statement.check_printed(seed=seed)


@pytest.mark.control
def test_descent_is_caught(monkeypatch):
    real = statement.ex.alignment_gradient
    monkeypatch.setattr(statement.ex, "alignment_gradient", lambda fields, theta: -real(fields, theta))
    assert not statement.check(3, Fraction(1, 2), 0)
    assert not statement.check_printed()


@pytest.mark.control
def test_twice_the_derived_strength_is_caught(monkeypatch):
    real = statement.ex.regularisation_strength
    monkeypatch.setattr(statement.ex, "regularisation_strength", lambda m, h, c, unit: 2 * real(m, h, c, unit=unit))
    assert not statement.check(3, Fraction(1, 2), 0)
