"""Section 4 (row 73, best so far): the forward path's best loss is better."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.statements.section_4_5 import best_so_far as statement


@given(
    points=st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=2, max_size=3, unique_by=lambda p: p[0]),
    n=st.integers(1, 5),
)
def test_exact_expectations(points, n):
    total = sum(w for _, w in points)
    verdict = statement.check([Fraction(x) for x, _ in points], [Fraction(w, total) for _, w in points], n)
    assert verdict, verdict


@pytest.mark.parametrize("h", [0.1, 0.3, 1.5])
def test_ar1_paths(h):
    """1,000 seeds, 400 steps; Hoeffding, false alarm 1e-9."""
    verdict = statement.check_printed(h)
    assert verdict, verdict


@pytest.mark.control
def test_one_step_favours_neither_order():
    """With one step both paths are one: all ties, a fraction of exactly one half."""
    verdict = statement.check_printed(N=1)
    assert not verdict
    assert verdict.measured == 0.5


@pytest.mark.control
def test_exchanged_orders_are_caught(monkeypatch):
    real = statement.expected_best
    monkeypatch.setattr(statement, "expected_best", lambda *a: real(*a)[::-1])
    assert not statement.check([Fraction(0), Fraction(1)], [Fraction(1, 2)] * 2, 3)


@pytest.mark.control
@pytest.mark.parametrize("off", [(Fraction(-1, 100), Fraction(0)), (Fraction(0), Fraction(1, 100))])
def test_an_expectation_that_is_off_is_caught_though_the_order_is_right(monkeypatch, off):
    """Forward a little lower or backward a little higher: forward stays below backward, and the formula fails."""
    real = statement.expected_best
    monkeypatch.setattr(statement, "expected_best", lambda *a: tuple(x + d for x, d in zip(real(*a), off, strict=True)))
    assert not statement.check([Fraction(0), Fraction(1)], [Fraction(1, 2)] * 2, 3)
