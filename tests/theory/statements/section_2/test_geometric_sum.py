"""The geometric sum in the proof of Theorem 2.2 (rows 13, 14): the printed sum holds, the closed form does not."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.statements.section_2 import geometric_sum

factors = st.one_of(st.sampled_from([Fraction(0), Fraction(10**9 - 1, 10**9)]), st.fractions(0, Fraction(999, 1000)))


@given(k=factors, D=st.fractions(0, 1000, max_denominator=1000), n=st.integers(0, 150), gap=st.integers(1, 100))
def test_sum_is_attained(k, D, n, gap):
    verdict = geometric_sum.check(k, D, n, n + gap)
    assert verdict, verdict


@given(
    k=st.fractions(Fraction(1, 1000), Fraction(999, 1000), max_denominator=1000),
    D=st.fractions(Fraction(1, 100), 1000, max_denominator=1000),
    n=st.integers(0, 30),
    gap=st.integers(2, 40),
)
def test_the_printed_sum_is_loose_and_the_closed_form_fails(k, D, n, gap):
    for row, kind in ((13, "loose"), (14, "refuted")):
        verdict = geometric_sum.check_printed(row, k, D, n, gap)
        assert verdict, verdict
        assert verdict.kind == kind


def test_each_slip_runs_on_its_own():
    """Row 13 adds terms, so it is above the distance; row 14 is no bound."""
    found = geometric_sum.STATEMENT.refutations()
    assert found[13].claimed > found[13].measured > 0
    assert found[14].claimed <= 0 < found[14].measured


def test_the_numbers_of_the_audit():
    """k = 1/2: printed 1, 0, -2, -6, -14 against 1, 3/2, 7/4, 15/8, 31/16 at gaps 1 … 5; printed sum 15/8 at gap 2."""
    half, one = Fraction(1, 2), Fraction(1)
    assert [geometric_sum.printed_bound(half, one, 0, g) for g in range(1, 6)] == [1, 0, -2, -6, -14]
    true = [geometric_sum.distance_of_iterates(half, one, 0, g) for g in range(1, 6)]
    assert true == [Fraction(2**g - 1, 2 ** (g - 1)) for g in range(1, 6)]
    assert geometric_sum.printed_sum(half, one, 0, 2) == Fraction(15, 8)


def test_printed_form_divides_by_zero_at_k_zero():
    with pytest.raises(ZeroDivisionError):
        geometric_sum.printed_bound(Fraction(0), Fraction(1), 0, 3)


@pytest.mark.control
@pytest.mark.parametrize("shift", [-1, 1, 2])
def test_shifted_exponent_is_caught(monkeypatch, shift):
    real = geometric_sum.corrected_bound
    monkeypatch.setattr(geometric_sum, "corrected_bound", lambda k, D, n, m: real(k, D, n, m + shift))
    verdicts = [
        geometric_sum.check(**c) for c in geometric_sum.cases(np.random.default_rng(0), "standard") if c["k"] > 0
    ]
    assert not any(verdicts)


@pytest.mark.control
def test_printed_form_at_gap_one_is_not_refuted():
    """At m = n+1 the printed closed form happens to be right, and the check says so."""
    assert not geometric_sum.check_printed(gap=1)
