"""Row 67: one order's second-order term has the sum of commutators as its curl."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contraction.statements.appendix_d import single_order_term as statement


@settings(max_examples=15)
@given(c=st.integers(2, 4), d=st.integers(1, 3), seed=st.integers(0, 2**31))
def test_curl_is_the_sum_of_commutators(c, d, seed):
    verdict = statement.check(c, d, seed)
    assert verdict, verdict


def test_it_is_no_gradient():
    assert statement.check_printed()


@pytest.mark.control
def test_the_other_order_has_the_opposite_curl(monkeypatch):
    real = statement.ex.fixed_order_curl
    monkeypatch.setattr(statement.ex, "fixed_order_curl", lambda matrices: real(matrices[::-1]))
    assert not statement.check(3, 2, 0)


@pytest.mark.control
def test_a_gradient_has_no_curl(monkeypatch):
    real = statement.jacobian
    monkeypatch.setattr(
        statement, "jacobian", lambda fields, theta, pairs: real(fields, theta, [*pairs, *((j, i) for i, j in pairs)])
    )
    assert not statement.check_printed()
