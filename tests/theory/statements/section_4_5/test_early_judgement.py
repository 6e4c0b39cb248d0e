"""Section 5 (row 80): at a fixed step two settings are ranked rightly with one probability in both orders, exactly."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contraction.statements.cases.exact_words import iid
from contraction.statements.section_4_5 import early_judgement as statement

number = st.fractions(-2, 2, max_denominator=4)
positive = st.fractions(0, 2, max_denominator=4)


@settings(max_examples=25)
@given(
    batches=st.lists(st.tuples(positive, number), min_size=1, max_size=3),
    rates=st.tuples(positive, positive),
    theta0=number,
    n=st.integers(1, 5),
)
def test_one_law_of_both_settings(batches, rates, theta0, n):
    verdict = statement.check(batches, [Fraction(1, len(batches))] * len(batches), rates, theta0, n)
    assert verdict, verdict


def test_exchangeable_batches_qualify():
    """Without replacement from two batches, twice the same order is impossible: not i.i.d., and reversible."""
    words = {(0, 1): Fraction(1, 2), (1, 0): Fraction(1, 2)}
    assert statement.check(statement.THREE, words, (Fraction(1, 5), Fraction(1)), Fraction(0), 2)


def test_numbers_of_the_errata():
    verdict = statement.check_printed()
    assert verdict, verdict
    assert verdict.kind == "beyond"
    assert 0 < verdict.measured == verdict.claimed < 1


@pytest.mark.control
def test_a_fixed_order_of_batches_is_caught():
    words = {(0, 1): Fraction(1)}
    assert not statement.check(statement.THREE, words, (Fraction(1, 5), Fraction(1)), Fraction(0), 2)


@pytest.mark.control
def test_a_score_of_the_newest_batch_is_no_score_of_the_iterate():
    words = iid([Fraction(1, 3)] * 3, 4)
    forward, backward = statement.larger_for_first(
        statement.THREE, (Fraction(1, 5), Fraction(1, 2)), words, Fraction(3, 2), newest=True
    )
    assert forward != backward


@pytest.mark.control
def test_two_settings_in_two_orders_are_caught(monkeypatch):
    """One law of each setting is not enough: the first backward and the second forward are another pair."""
    real = statement.ends

    def mixed(batches, rates, words, theta0, order):
        found = real(batches, rates, words, theta0, order)
        if isinstance(order, statement.Backward):
            found[:, 1] = real(batches, rates, words, theta0, statement.Forward())[:, 1]
        return found

    monkeypatch.setattr(statement, "ends", mixed)
    weights = [Fraction(1, 3)] * 3
    assert not statement.check(statement.THREE, weights, (Fraction(1, 5), Fraction(1, 2)), Fraction(3, 2), 3)
