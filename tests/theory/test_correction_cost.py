"""What Corollary C.4 costs (row 61): evaluations counted, against the formulas and against backward iterates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contraction.statements import correction_cost as statement


@settings(max_examples=15)
@given(n=st.integers(1, 9), d=st.integers(1, 4), seed=st.integers(0, 2**31))
def test_counts(n, d, seed):
    verdict = statement.check(n, d, seed)
    assert verdict, verdict


@pytest.mark.parametrize("case", list(statement.printed_cases(np.random.default_rng(0), "standard")))
def test_correction_is_not_cheaper(case):
    assert statement.check_printed(**case)


@pytest.mark.control
def test_for_many_maps_in_a_low_dimension_it_is():
    assert not statement.check_printed(n=1000, d=10)


@pytest.mark.control
def test_a_forgotten_product_is_caught(monkeypatch):
    real = statement.counted
    monkeypatch.setattr(statement, "counted", lambda fields, counts: [fields[0], *real(fields, counts)[1:]])
    assert not statement.check(3, 2, 0)
