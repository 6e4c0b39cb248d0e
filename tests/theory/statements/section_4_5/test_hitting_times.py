"""Section 4 (row 73, hitting): forward paths reach a target that backward paths may never reach."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.statements.section_4_5 import hitting_times as statement


@given(parts=st.lists(st.integers(1, 9), min_size=2, max_size=3), n=st.integers(1, 5))
def test_exact_probabilities(parts, n):
    verdict = statement.check([Fraction(p, sum(parts)) for p in parts], n)
    assert verdict, verdict


@pytest.mark.parametrize("h", [0.1, 0.3])
def test_ar1_paths(h):
    """2,000 paths of 400 steps; Hoeffding, false alarm 1e-9."""
    verdict = statement.check_printed(h)
    assert verdict, verdict


@pytest.mark.control
def test_a_wide_target_favours_neither_order():
    """A target that every path passes on its way is hit by all of both kinds."""
    assert not statement.check_printed(target=2.5)


@pytest.mark.control
def test_exchanged_orders_are_caught(monkeypatch):
    real = statement.paired_iterates
    monkeypatch.setattr(statement, "paired_iterates", lambda ops, theta: real(ops, theta)[::-1])
    assert not statement.check_printed()
    monkeypatch.setattr(statement, "Forward", statement.Backward)
    assert not statement.check([Fraction(1, 3), Fraction(2, 3)], 3)
