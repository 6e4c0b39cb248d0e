"""Theorem 2.6's scope (row 39): which laws of indices give both iterates one law, by enumeration of all words."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.families.index_laws import IID, Cyclic, ExchangeableMixture, Reshuffled, ShuffledOnce
from contraction.laws import compare_orders
from contraction.statements.section_2 import reversible_words as statement


@st.composite
def weights(draw, size):
    parts = draw(st.lists(st.integers(1, 9), min_size=size, max_size=size))
    return [Fraction(p, sum(parts)) for p in parts]


@given(data=st.data(), size=st.integers(1, 3), components=st.integers(1, 2), n=st.integers(1, 4))
def test_exchangeable_words_are_reversible(data, size, components, n):
    law = ExchangeableMixture([data.draw(weights(size)) for _ in range(components)], data.draw(weights(components)))
    verdict = statement.check(law, n, True)
    assert verdict, verdict


@given(size=st.integers(1, 4), n=st.integers(1, 6))
def test_shuffles(size, n):
    assert statement.check(ShuffledOnce(size), n, True)
    assert statement.check(Reshuffled(size), n, statement.fresh_is_reversible(size, n))
    assert statement.check(Cyclic(size), n, statement.cyclic_is_reversible(size, n))


@given(conductances=st.tuples(*[st.integers(1, 9)] * 3), p=st.fractions(0, 1, max_denominator=9), n=st.integers(1, 3))
def test_chains_are_reversible_when_they_are(conductances, p, n):
    assert statement.check(statement.reversible_chain(*conductances), n, True)
    assert statement.check(statement.rotating_chain(p), n, n == 1 or p == Fraction(1, 2))


def test_standard_cases_and_independent_enumeration():
    """The laws of iterates through the package's exact laws, an arithmetic of its own, say the same."""
    for case in statement.cases(np.random.default_rng(0), "standard"):
        law, n = case["law"], case["n"]
        maps = [(Fraction(1, law.size), Fraction(a, law.size)) for a in range(law.size)]
        assert bool(compare_orders(maps, n, index_law=law)) == case["reversible"], (law, n)


@pytest.mark.control
def test_a_wrong_rule_for_fresh_shuffles_is_caught():
    """Both "reversible iff n <= N + 1" and "only multiples of N" fail somewhere."""
    sizes = [(size, n) for size in (2, 3) for n in range(1, 7)]
    assert not all(statement.check(Reshuffled(size), n, n <= size + 1) for size, n in sizes)
    assert not all(statement.check(Reshuffled(size), n, n % size == 0) for size, n in sizes)


@pytest.mark.control
def test_maps_that_forget_letters_do_not_decide():
    """Constant maps see one letter: their iterates agree in law although the words of a rotating chain do not."""
    law = statement.rotating_chain(Fraction(1))
    assert compare_orders([(0, a) for a in range(3)], 3, index_law=law)
    assert not law.is_reversible(3)


@pytest.mark.control
def test_independent_words_claimed_irreversible_are_caught():
    assert not statement.check(IID(2), 3, False)
