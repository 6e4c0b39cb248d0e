"""Row 82: contraction in mean square, exactly for affine maps over all words."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contraction.statements.section_2 import mean_square_contraction as statement


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10**6), maps=st.integers(1, 3), d=st.integers(1, 2), n=st.integers(1, 2), lag=st.integers(1, 2)
)
def test_mean_squares_are_formulas_in_second_moments(seed, maps, d, n, lag):
    rng = np.random.default_rng(seed)
    start = np.array([Fraction(int(v), 2) for v in rng.integers(-4, 5, d)], dtype=object)
    verdict = statement.check(statement.random_pairs(rng, maps, d), [Fraction(1, maps)] * maps, start, n, n + lag)
    assert verdict, verdict


def test_the_bound_holds_where_half_of_the_maps_expand():
    for n in range(5):
        verdict = statement.check_bound(None, n, n + 3)
        assert verdict, verdict
    assert statement.check_printed()


def test_roots_are_rounded_up():
    for x in (Fraction(1, 2), Fraction(18, 25), Fraction(4)):
        above = statement.root_above(x)
        assert above**2 >= x > (above - Fraction(2, 10**9)) ** 2


@pytest.mark.control
def test_wrong_claims_are_noticed():
    assert statement.STATEMENT.undetected() == []


@pytest.mark.control
def test_dependent_maps_are_caught():
    """The word aa or bb: each map has the same law, and the formula for independent ones fails."""
    pairs = [statement.scalar(Fraction(1, 3), Fraction(1)), statement.scalar(Fraction(1), Fraction(1, 2))]
    words = {(a,) * 3: Fraction(1, 2) for a in range(2)}
    assert statement.check(pairs, statement.HALVES, statement.START, 1, 3)
    assert not statement.check(pairs, words, statement.START, 1, 3)
