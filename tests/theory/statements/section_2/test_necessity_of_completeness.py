"""Completeness (row 21): rational iterates that close in on an irrational number, exactly."""

from __future__ import annotations

from math import isqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.maps.iterates import forward_iterates
from contraction.statements.section_2 import necessity_of_completeness as statement

not_squares = st.integers(2, 10**9).filter(lambda m: isqrt(m) ** 2 != m)


@given(m=not_squares, base=st.integers(2, 36), n=st.integers(1, 60))
def test_rational_iterates_bracket_an_irrational_limit(m, base, n):
    verdict = statement.check("rationals", n, m, base)
    assert verdict, verdict


@given(m=st.integers(1, 10**6), n=st.integers(0, 300))
def test_positive_numbers_lose_their_limit(m, n):
    assert statement.check("positive", n, m)


@pytest.mark.parametrize(("arguments", "rule"), [(("reals", 3), "space must be"), (("rationals", 3, 9), "square")])
def test_bad_input(arguments, rule):
    with pytest.raises(ValueError, match=rule):
        statement.check(*arguments)


@pytest.mark.control
def test_forward_order_does_not_spell_the_digits(monkeypatch):
    monkeypatch.setattr(statement, "backward_iterates", forward_iterates)
    assert not statement.check("rationals", 30)


@pytest.mark.control
def test_a_wrong_digit_is_caught(monkeypatch):
    real = statement.digits_of_root
    monkeypatch.setattr(statement, "digits_of_root", lambda m, b, n: [*real(m, b, n)[:-1], real(m, b, n)[-1] + 1])
    assert not statement.check("rationals", 20)
