"""Row 78: tails of backward iterates are tails of two forward runs, exactly; convergence in probability only."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contraction.statements.cases.exact_words import iid
from contraction.statements.section_2 import synchronisation as statement
from contraction.statements.section_2.equality_of_laws import kink

number = st.fractions(-2, 2, max_denominator=5)


@settings(max_examples=30)
@given(
    maps=st.lists(st.builds(kink, number, number, number), min_size=1, max_size=2),
    theta0=number,
    n=st.integers(1, 3),
    lag=st.integers(1, 3),
)
def test_tails_are_equal_without_any_contraction(maps, theta0, n, lag):
    verdict = statement.check(maps, [Fraction(1, len(maps))] * len(maps), theta0, n, n + lag)
    assert verdict, verdict


@pytest.mark.parametrize("N", [1, 3])
def test_the_chain_that_converges_in_probability_only(N):
    verdict = statement.check_printed(N)
    assert verdict, verdict


def test_the_weights_of_the_chain_sum_to_one():
    maps, weights = statement.descending_chain(6)
    assert sum(weights) == 1
    assert [m(np.array([0, 1, 5], dtype=object)).tolist() for m in maps[:2]] == [[1, 1, 4], [2, 1, 4]]


@pytest.mark.control
def test_dependent_maps_are_caught(monkeypatch):
    """One draw for ever: the word aa…a, where the next maps are no independent copy."""
    constant = {(a,) * 3: Fraction(1, 2) for a in range(2)}
    maps = [kink(Fraction(1, 2), Fraction(1), Fraction(0)), kink(Fraction(1, 3), Fraction(-1), Fraction(1, 4))]
    weights = [Fraction(1, 2), Fraction(1, 2)]
    assert statement.check(maps, weights, Fraction(0), 1, 3)
    real = statement.forward_gaps
    monkeypatch.setattr(
        statement, "forward_gaps", lambda maps, words, *rest: np.resize(real(maps, constant, *rest), len(words))
    )
    assert not statement.check(maps, weights, Fraction(0), 1, 3)


@pytest.mark.control
def test_another_lag_and_another_start_are_caught():
    maps = [kink(Fraction(1, 2), Fraction(1), Fraction(1, 4)), kink(Fraction(-1, 3), Fraction(-2), Fraction(1, 5))]
    weights = [Fraction(1, 3), Fraction(2, 3)]
    assert not statement.check(maps, weights, Fraction(0), 2, 4, own=1)
    words = iid(weights, 3)
    gaps = statement.backward_gaps(maps, words, Fraction(0), 1, 3)
    other = statement.forward_gaps(maps, words, Fraction(1), 1, 3, 2)
    assert statement.tail_chance(gaps, words, Fraction(1)) != statement.tail_chance(other, words, Fraction(1))


@pytest.mark.control
def test_a_chain_with_a_lighter_tail_is_caught(monkeypatch):
    """P(Y > n) = 2^-n is summable: then the convergence is almost sure, and the numbers differ."""
    real = statement.descending_chain

    def lighter(N):
        return real(N)[0], [Fraction(1, 2**y) for y in range(1, N + 1)] + [Fraction(1, 2**N)]

    monkeypatch.setattr(statement, "descending_chain", lighter)
    assert not statement.check_printed(4)


def test_controls_are_detected():
    assert all(control.detected(seed) for control in statement.CONTROLS for seed in range(3))
