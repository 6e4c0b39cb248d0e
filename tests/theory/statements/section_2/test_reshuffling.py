"""Fresh shuffles (row 40): at n = 3 forward and backward differ in law; the forward law oscillates for ever."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.families.index_laws import IID, ShuffledOnce
from contraction.laws import exact_laws
from contraction.statements.cases.exact_words import variance
from contraction.statements.section_2 import reshuffling as statement


@given(n=st.integers(0, 12), start=st.fractions(-50, 50, max_denominator=9))
def test_variances_at_every_n(n, start):
    verdict = statement.check(n, start)
    assert verdict, verdict


def test_atoms_and_moments_at_three_by_another_arithmetic():
    maps = [(Fraction(1, 2), Fraction(a, 2)) for a in range(2)]
    forward, backward = exact_laws(maps, 3, index_law=statement.Reshuffled(2))
    assert [sorted(law) for law in (forward, backward)] == [[Fraction(a, 8) for a in r] for r in statement.AT_THREE]
    assert [law.mean() for law in (forward, backward)] == [Fraction(7, 16)] * 2
    assert [law.variance() for law in (forward, backward)] == [Fraction(17, 256), Fraction(5, 256)]


def test_limits():
    """Exact distances to 1/60 and 1/15 shrink by 16 at every epoch."""
    for n in range(2, 14):
        forward, backward = statement.claimed_variances(n)
        assert abs(forward - (Fraction(1, 15) if n % 2 else Fraction(1, 60))) <= Fraction(1, 16 ** (n // 2))
        assert abs(backward - Fraction(1, 60)) <= Fraction(1, 16 ** (n // 2))


@pytest.mark.control
@pytest.mark.parametrize("law", [IID(2), ShuffledOnce(2)])
def test_other_index_laws_are_caught(monkeypatch, law):
    """I.i.d. maps (limit 1/12) and one shuffle repeated (limit 1/36) have other variances and equal laws."""
    monkeypatch.setattr(statement, "Reshuffled", lambda size: law)
    assert not statement.check(3)
    assert not statement.check(8)


def test_one_shuffle_repeated_has_another_limit():
    words = ShuffledOnce(2).word_law(12)
    law = statement.iterate_law(statement.MAPS, words, [0], statement.Forward())
    assert abs(variance(law) - Fraction(1, 36)) < Fraction(1, 10**3)


@pytest.mark.control
def test_orders_exchanged_are_caught(monkeypatch):
    real = statement.claimed_variances
    monkeypatch.setattr(statement, "claimed_variances", lambda n: real(n)[::-1])
    assert not statement.check(3)
