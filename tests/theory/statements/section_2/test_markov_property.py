"""Section 2.2 (row 34): independence of the maps makes the chain, not the recursion."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.statements.cases.exact_words import affine_map
from contraction.statements.section_2 import markov_property as statement

bias = st.fractions(Fraction(1, 10), Fraction(9, 10), max_denominator=10)


@given(
    maps=st.lists(st.tuples(st.sampled_from([-1, 0, 1]), st.integers(-2, 2)), min_size=1, max_size=3),
    theta0=st.lists(st.integers(-2, 2), min_size=1, max_size=4),
    n=st.integers(1, 5),
    data=st.data(),
)
def test_independent_maps_forget_the_past(maps, theta0, n, data):
    parts = data.draw(st.lists(st.integers(1, 9), min_size=len(maps), max_size=len(maps)))
    verdict = statement.check([affine_map(*m) for m in maps], [Fraction(p, sum(parts)) for p in parts], theta0, n)
    assert verdict, verdict


@given(coins=st.lists(bias, min_size=2, max_size=2, unique=True), n=st.integers(3, 5))
def test_a_coin_of_unknown_bias_remembers(coins, n):
    assert statement.check_printed(*coins, n)


@pytest.mark.control
def test_a_coin_of_known_bias_does_not_remember():
    assert not statement.check_printed(Fraction(1, 3), Fraction(1, 3), 4)


def test_independent_maps_of_two_laws_are_markov_but_not_homogeneous():
    """A fair coin at odd steps, a biased one at even steps: Markov for the kernel of each step, not for one kernel."""
    maps = [affine_map(0, 0), affine_map(0, 1)]
    words = {
        (i, j, k): Fraction(1, 2) * (Fraction(1, 4), Fraction(3, 4))[j] * Fraction(1, 2)
        for i in range(2)
        for j in range(2)
        for k in range(2)
    }
    assert statement.memory(maps, words, [5], homogeneous=False) == 0
    assert statement.memory(maps, words, [5]) == Fraction(1, 4)


@pytest.mark.control
def test_dependence_is_caught(monkeypatch):
    """With the coin mixture in place of i.i.d. indices the check itself fails."""
    mixtures = {n: statement.coin_mixture([Fraction(1, 4), Fraction(3, 4)], n) for n in range(5)}
    monkeypatch.setattr(statement, "iid", lambda weights, n: mixtures[n])
    assert not statement.check([affine_map(0, 0), affine_map(0, 1)], [Fraction(1, 2)] * 2, [0], 4)
