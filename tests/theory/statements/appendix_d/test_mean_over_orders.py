"""Appendix D.2 (rows 64, 65): the mean over all orders, enumerated and in closed form."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contraction import expansions
from contraction.statements.appendix_d import mean_over_orders as statement


@settings(max_examples=15)
@given(c=st.integers(1, 4), order=st.integers(2, 3), seed=st.integers(0, 2**31))
def test_mean_over_orders(c, order, seed):
    verdict = statement.check(c, order, seed)
    assert verdict, verdict


@pytest.mark.control
def test_one_order_is_not_the_mean(monkeypatch):
    monkeypatch.setattr(statement, "permutations", lambda items: [tuple(items)] * 2)
    assert not statement.check(3, 2, 0)


@pytest.mark.control
def test_weights_one_over_density_fail_for_repeated_labels(monkeypatch):
    """1/(γσ) for every labelled tree is wrong where siblings share a label: V_1''(V_2, V_2) has weight ½·½, not ½·⅓."""
    real = expansions.average_coefficient
    tree = (1, ((2, ()), (2, ())))
    assert 4 * real(2, 3)[tree] == 1

    def hook(c, order):
        return {t: w * 2 / 3 if t == tree else w for t, w in real(c, order).items()}

    monkeypatch.setattr(statement.ex, "average_coefficient", hook)
    assert statement.check(2, 2, 0)
    assert not statement.check(2, 3, 0)
