"""Definition C.3 (row 58): second-order agreement at fixed n, and the growth that ends it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contraction import expansions
from contraction.statements.appendix_c import approximate_backward as statement


@settings(max_examples=20)
@given(n=st.integers(1, 7), seed=st.integers(0, 2**31))
def test_agreement_to_second_order_and_variance(n, seed):
    verdict = statement.check(n, seed)
    assert verdict, verdict


def test_it_is_not_uniform_in_n():
    verdict = statement.check_printed()
    assert verdict, verdict
    assert verdict.measured == pytest.approx(45.6, abs=0.05)
    assert verdict.claimed == pytest.approx(0.160, abs=0.0005)


def test_third_order_differs():
    tables, theta = statement.descent_tables(0, 3), statement.point(0)
    fields = statement.fields_of(tables)
    assert any(expansions.difference_coefficients(fields, (1, 2, 3), (3, 2, 1), theta, 3)[2])


@pytest.mark.control
def test_for_few_steps_the_correction_is_small():
    assert not statement.check_printed(n=2)


@pytest.mark.control
@pytest.mark.parametrize("weights", ["n − 2i", "i"])
def test_shifted_weights_are_caught(monkeypatch, weights):
    def shifted(noise):
        n = noise.shape[-1]
        i = np.arange(1, n + 1)
        return noise @ (n - 2 * i if weights == "n − 2i" else i)

    monkeypatch.setattr(statement.ex, "quadratic_correction", shifted)
    assert not statement.check(4, 0)


@pytest.mark.control
def test_reversed_brackets_are_caught(monkeypatch):
    real = statement.correction
    monkeypatch.setattr(statement, "correction", lambda fields, theta: -real(fields, theta))
    assert not statement.check(3, 0)
