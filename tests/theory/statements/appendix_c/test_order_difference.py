"""Theorem C.2 (row 57): the difference of any two orders, its bracket and the bracket's sign."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contraction.statements.appendix_c import order_difference as statement


@settings(max_examples=20)
@given(orders=st.permutations([1, 2, 3, 4]), seed=st.integers(0, 2**31), order=st.integers(2, 3))
def test_any_two_orders(orders, seed, order):
    verdict = statement.check((1, 2, 3, 4), tuple(orders), order, seed)
    assert verdict, verdict


@pytest.mark.parametrize("case", list(statement.cases(np.random.default_rng(0), "standard")))
def test_standard_cases(case):
    assert statement.check(**case)


@pytest.mark.parametrize("case", list(statement.printed_cases(np.random.default_rng(0), "standard")))
def test_printed_form_without_smoothness_is_refuted(case):
    assert statement.check_printed(**case)


@pytest.mark.control
def test_the_other_sign_of_the_bracket_is_caught(monkeypatch):
    real = statement.ex.minus_lie_bracket
    monkeypatch.setattr(statement.ex, "minus_lie_bracket", lambda v, w, theta: real(w, v, theta))
    assert not statement.check((1, 2, 3), (3, 2, 1), 2, 0)


@pytest.mark.control
def test_all_pairs_for_the_pairs_that_change_places_is_caught():
    """(1, 2, 3) less (2, 1, 3) is [V_1, V_2] alone, not the sum over all i < j."""
    ex, tables, theta = statement.ex, statement.random_tables(0, 3), statement.point(0)
    fields = statement.fields_of(tables)
    measured = ex.difference_coefficients(fields, (1, 2, 3), (2, 1, 3), theta, 2)[1]
    assert list(measured) == list(ex.minus_lie_bracket(fields[0], fields[1], theta))
    assert list(measured) != list(ex.minus_lie_bracket_sum(fields, theta))
