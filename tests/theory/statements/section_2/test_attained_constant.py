"""The constant D/(1-k) is attained (row 17), exactly, with theta* out of reach of floats."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.statements.section_2 import attained_constant

factors = st.one_of(st.sampled_from([Fraction(0), 1 - Fraction(1, 10**12)]), st.fractions(0, Fraction(999, 1000)))


@given(
    k=factors, D=st.fractions(0, 1000, max_denominator=100), n=st.integers(0, 120), dim=st.sampled_from([1, 2, 5, 50])
)
def test_equality_at_every_iterate(k, D, n, dim):
    verdict = attained_constant.check(k, D, n if dim == 1 else n % 20, dim)
    assert verdict, verdict


def test_a_thousand_iterates_far_below_the_smallest_float():
    assert attained_constant.check(Fraction(1, 3), Fraction(1), 1000)


def test_the_strict_sign_can_be_weakened():
    verdict = attained_constant.check_printed()
    assert verdict
    assert verdict.kind == "beyond"


@pytest.mark.control
def test_a_smaller_constant_is_caught(monkeypatch):
    """Maps that move by less do not attain the constant: the equality must fail."""
    real = attained_constant.distances

    def smaller(k, moves, later, dim, at):
        return real(k, [m * Fraction(999, 1000) for m in moves], later, dim, at)

    monkeypatch.setattr(attained_constant, "distances", smaller)
    cases = list(attained_constant.cases(np.random.default_rng(0), "standard"))
    assert not any(attained_constant.check(**c) for c in cases if c["n"] < 50)


@pytest.mark.control
def test_order_makes_no_difference_to_one_map_but_to_two(monkeypatch):
    """In the forward order the strict sequence D (1 - 2^-i) breaks the bracket."""
    from contraction.maps.iterates import forward_iterates

    monkeypatch.setattr(attained_constant, "backward_iterates", forward_iterates)
    assert not attained_constant.check(Fraction(1, 2), Fraction(1), 20)
