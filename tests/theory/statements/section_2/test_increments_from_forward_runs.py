"""Row 77: pairs of backward iterates and pairs of forward runs have one law, exactly; what is close by fails."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contraction.families.index_laws import Cyclic, ExchangeableMixture, Reshuffled, ShuffledOnce
from contraction.statements.cases.exact_words import iid
from contraction.statements.section_2 import increments_from_forward_runs as statement
from contraction.statements.section_2.equality_of_laws import kink
from contraction.statements.section_2.reversible_words import rotating_chain

number = st.fractions(-2, 2, max_denominator=5)
ZERO = [Fraction(0)]


@settings(max_examples=40)
@given(
    maps=st.lists(st.builds(kink, number, number, number), min_size=2, max_size=2),
    parts=st.lists(st.integers(1, 9), min_size=4, max_size=4),
    theta0=st.lists(number, min_size=1, max_size=2),
    n=st.integers(0, 4),
    m=st.integers(2, 5),
)
def test_exchangeable_maps_without_any_contraction(maps, parts, theta0, n, m):
    """Mixtures of two coins, of which one coin is a case; n up to m, which includes the whole word."""
    coins = [[Fraction(p, p + q), Fraction(q, p + q)] for p, q in (parts[:2], parts[2:])]
    verdict = statement.check(maps, ExchangeableMixture(coins).word_law(m), theta0, min(n, m))
    assert verdict, verdict


@pytest.mark.parametrize(("size", "n", "m"), [(2, 1, 4), (2, 2, 3), (2, 4, 6), (3, 3, 4), (3, 2, 5)])
def test_fresh_shuffles_up_to_an_epoch_or_at_whole_epochs(size, n, m):
    assert statement.check(statement.THREE[:size], Reshuffled(size).word_law(m), ZERO, n)


@pytest.mark.parametrize("m", [2, 3, 4, 6])
def test_one_shuffle_repeated_as_a_whole_word(m):
    for n in range(m + 1):
        assert statement.check(statement.THREE, ShuffledOnce(3).word_law(m), ZERO, n, whole=True)


@pytest.mark.control
@pytest.mark.parametrize(
    ("law", "n", "m", "whole"),
    [
        (Reshuffled(2), 3, 4, False),
        (Reshuffled(2), 3, 5, True),
        (Reshuffled(3), 4, 5, False),
        (ShuffledOnce(3), 3, 4, False),
        (Cyclic(3), 2, 3, False),
        (Cyclic(3), 1, 3, True),
        (rotating_chain(Fraction(1, 9)), 2, 3, False),
        (rotating_chain(Fraction(1, 9)), 1, 2, True),
    ],
)
def test_words_without_the_symmetry_are_caught(law, n, m, whole):
    assert not statement.check(statement.THREE[: law.size], law.word_law(m), ZERO, n, whole=whole)


@pytest.mark.control
def test_an_independent_copy_serves_independent_maps_only():
    """From {x/2 + 1, 0} without replacement increment 1 is 0; an independent map gives 1/2 with chance 1/4."""
    independent = iid([Fraction(1, 3), Fraction(2, 3)], 3)
    assert statement.check_independent_copy(independent, 2)
    assert not statement.check_independent_copy(Reshuffled(2).word_law(2), 1)
    assert not statement.check_independent_copy(ExchangeableMixture([[1, 0], [0, 1]]).word_law(3), 2)


@pytest.mark.control
def test_the_runs_in_another_order_are_caught(monkeypatch):
    """X from the maps before, or the second run backward."""
    words = iid([Fraction(1, 2), Fraction(1, 2)], 4)
    real = statement.forward_pair
    assert statement.check(statement.THREE[:2], words, ZERO, 2)
    monkeypatch.setattr(
        statement, "forward_pair", lambda maps, words, theta0, n, m, whole: real(maps, words, theta0, n, m, not whole)
    )
    assert statement.check(statement.THREE[:2], words, ZERO, 2)  # i.i.d. words are reversible as a whole as well
    monkeypatch.setattr(
        statement, "forward_pair", lambda maps, words, theta0, n, m, whole: real(maps, words, theta0, n - 1, m, whole)
    )
    assert not statement.check(statement.THREE[:2], words, ZERO, 2)


def test_controls_are_detected():
    assert all(control.detected(0) for control in statement.CONTROLS)
