"""Appendix D.1 (rows 62, 63): the index order of the second-order term, and batches of unequal size."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contraction.statements.appendix_d import small_batches as statement


@settings(max_examples=25)
@given(c=st.integers(1, 5), seed=st.integers(0, 2**31))
def test_second_order_of_small_batches(c, seed):
    verdict = statement.check(c, seed)
    assert verdict, verdict


@pytest.mark.parametrize("case", list(statement.printed_cases(np.random.default_rng(0), "standard")))
def test_printed_forms_are_refuted(case):
    assert statement.check_printed(**case)


def test_unknown_slips_are_refused():
    with pytest.raises(ValueError, match="the slip must be"):
        statement.check_printed("i = j")


@pytest.mark.control
def test_i_below_j_is_caught(monkeypatch):
    real = statement.pair_sum
    monkeypatch.setattr(
        statement, "pair_sum", lambda fields, theta, pairs: real(fields, theta, [(j, i) for i, j in pairs])
    )
    assert statement.check(1, 0)
    assert not statement.check(3, 0)
    assert not statement.check_printed("i < j")


@given(x=st.lists(st.integers(-9, 9), min_size=2, max_size=6))
def test_what_couples_a_batch_is_the_normalisation(x):
    """Without it the mean over equal batches is the field of the union, for any data."""
    x = [Fraction(v) for v in x]
    pairs = [[a, -a] for a in x]
    union = statement.descent_behind_normalisation([v for pair in pairs for v in pair], coupled=False)
    parts = [statement.descent_behind_normalisation(pair, coupled=False) for pair in pairs]
    assert union == sum(parts, Fraction(0)) / len(parts)


@pytest.mark.parametrize("c", [2, 3, 4])
def test_batch_normalisation_refutes_the_sum_and_nothing_coupled_does_not(c):
    """Quadratic mean against arithmetic mean of the spreads: 5 and 4 for c = 2."""
    verdict = statement.check_printed("batch normalisation", c)
    assert verdict
    assert verdict.kind == "refuted"
    assert verdict.measured > verdict.claimed
    large, mean = statement.normalised_fields(c, coupled=False)
    assert large == mean


def test_unequal_sizes_are_outside_the_printed_setting():
    verdict = statement.check_printed("unequal sizes")
    assert verdict
    assert verdict.kind == "beyond"


def test_a_variance_without_a_rational_root_is_refused():
    with pytest.raises(ValueError, match="rational square"):
        statement.descent_behind_normalisation([Fraction(0), Fraction(1), Fraction(2)])


@pytest.mark.control
def test_equal_sizes_are_not_refuted(monkeypatch):
    real = statement.mean_table
    monkeypatch.setattr(statement, "mean_table", lambda tables, sizes: real(tables, [1] * len(sizes)))
    assert not statement.check_printed("unequal sizes")
