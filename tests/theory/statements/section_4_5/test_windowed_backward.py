"""Sections 4 and 5 (row 74): windowed backward iterates have the forward law, and converge inside a window only."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.families.index_laws import Reshuffled
from contraction.maps.orders import Forward, Windowed
from contraction.statements.cases.exact_words import affine_map, iterate_law
from contraction.statements.section_4_5 import windowed_backward as statement

fractions = st.fractions(-1, 1, max_denominator=4)


@given(
    parameters=st.lists(st.tuples(fractions, fractions, fractions), min_size=1, max_size=2),
    theta0=st.lists(fractions, min_size=1, max_size=2),
    w=st.integers(1, 5),
    n=st.integers(1, 5),
)
def test_law_blocks_and_forgetting(parameters, theta0, w, n):
    weights = [Fraction(1)] if len(parameters) == 1 else [Fraction(1, 3), Fraction(2, 3)]
    verdict = statement.check(parameters, weights, theta0, w, n)
    assert verdict, verdict


@given(h=st.fractions(Fraction(1, 10), Fraction(19, 10), max_denominator=10), w=st.integers(1, 3), m=st.integers(0, 1))
def test_steps_between_window_ends(h, w, m):
    found, formula = statement.step_between_ends(h, w, m)
    assert found == formula
    assert statement.check_printed(h, w, m)


@pytest.mark.control
def test_dependent_maps_are_caught(monkeypatch):
    """Under fresh shuffles of two maps, windows of two and forward iterates differ in law at n = 3."""
    words = Reshuffled(2).word_law(3)
    maps = [affine_map(Fraction(1, 2), 0), affine_map(Fraction(1, 2), Fraction(1, 2))]
    assert iterate_law(maps, words, [0], Windowed(3)) != iterate_law(maps, words, [0], Forward())
    monkeypatch.setattr(statement, "iid", lambda weights, n: words)
    parameters = [(Fraction(1, 2), Fraction(a, 2), Fraction(0)) for a in range(2)]
    assert not statement.check(parameters, [Fraction(1, 2)] * 2, [Fraction(0)], 3, 3)


@pytest.mark.control
def test_no_reset_between_windows_is_caught(monkeypatch):
    """Plain backward iterates in place of windowed ones are no chain of blocks."""
    monkeypatch.setattr(statement, "Windowed", lambda w: statement.Backward())
    assert not all(statement.check(**case) for case in statement.cases(np.random.default_rng(0), "standard"))
    with pytest.raises(AssertionError):
        test_steps_between_window_ends.hypothesis.inner_test(Fraction(1, 2), 2, 1)
