"""Appendix D.1 (rows 62, 63): the index order of the second-order term, and batches of unequal size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contraction.statements import small_batches as statement


@settings(max_examples=25)
@given(c=st.integers(1, 5), seed=st.integers(0, 2**31))
def test_second_order_of_small_batches(c, seed):
    verdict = statement.check(c, seed)
    assert verdict, verdict


@pytest.mark.parametrize("case", list(statement.printed_cases(np.random.default_rng(0), "standard")))
def test_printed_forms_are_refuted(case):
    assert statement.check_printed(**case)


def test_unknown_slips_are_refused():
    with pytest.raises(ValueError, match="the slip must be"):
        statement.check_printed("i = j")


@pytest.mark.control
def test_i_below_j_is_caught(monkeypatch):
    real = statement.pair_sum
    monkeypatch.setattr(
        statement, "pair_sum", lambda fields, theta, pairs: real(fields, theta, [(j, i) for i, j in pairs])
    )
    assert statement.check(1, 0)
    assert not statement.check(3, 0)
    assert not statement.check_printed("i < j")


@pytest.mark.control
def test_equal_sizes_are_not_refuted(monkeypatch):
    real = statement.mean_table
    monkeypatch.setattr(statement, "mean_table", lambda tables, sizes: real(tables, [1] * len(sizes)))
    assert not statement.check_printed("unequal sizes")
