"""Theorem 2.6, "stationary" (row 37): true for continuous maps, false as printed."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.laws import exact_law, is_stationary
from contraction.maps.orders import Forward
from contraction.statements.cases.exact_words import iid, iterate_law
from contraction.statements.section_2 import stationarity_needs_continuity as statement


@st.composite
def finite_maps(draw):
    m = draw(st.integers(1, 4))
    tables = draw(st.lists(st.lists(st.integers(0, m - 1), min_size=m, max_size=m), min_size=1, max_size=3))
    parts = draw(st.lists(st.integers(1, 9), min_size=len(tables), max_size=len(tables)))
    return tables, [Fraction(p, sum(parts)) for p in parts]


@given(family=finite_maps(), n=st.integers(0, 4))
def test_law_is_as_close_to_the_invariant_one_as_the_words_have_met(family, n):
    tables, weights = family
    verdict = statement.check(tables, weights, n)
    assert verdict, verdict


@given(
    k=st.fractions(Fraction(1, 10), Fraction(9, 10), max_denominator=10),
    c=st.fractions(Fraction(1, 10), 1, max_denominator=10),
    start=st.fractions(Fraction(1, 10), 1, max_denominator=10),
)
def test_printed_form_fails_for_every_jump(k, c, start):
    assert statement.check_printed(k, c, start)


def test_law_from_the_limit_moves_on_at_every_step():
    """From 0 itself the law at n is the Dirac measure at k^(n-1) c: no two of them are equal."""
    T = statement.jump(Fraction(1, 2), Fraction(1))
    for n in range(1, 6):
        assert iterate_law([T], iid([Fraction(1)], n), [Fraction(0)], Forward()) == {(Fraction(1, 2 ** (n - 1)),): 1}


def test_uniqueness_is_not_implied():
    """T = id: the backward iterates from 0 and from 1 converge, to two different invariant laws."""
    laws = [exact_law([(1, 0)], 4, start) for start in (0, 1)]
    assert laws[0] != laws[1]
    assert all(is_stationary(law, [(1, 0)]) for law in laws)


@pytest.mark.control
def test_a_continuous_map_is_not_refuted():
    """Without the jump (c = 0) the limit is invariant, and the refutation must not hold."""
    assert not statement.check_printed(Fraction(1, 2), Fraction(0), Fraction(1))


@pytest.mark.control
def test_forward_coalescence_in_place_of_backward_is_caught(monkeypatch):
    """Equal iterates of two starts do not make the law stationary if the maps of the law get other weights."""
    real = statement.stationary_law
    monkeypatch.setattr(statement, "stationary_law", lambda tables, weights: real(tables, weights[::-1]))
    verdicts = [statement.check(**case) for case in statement.cases(np.random.default_rng(0), "standard")]
    assert not all(verdicts)
