"""Appendix A.1 (row 70): 101 equally spaced points, and the network experiments use them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.statements import regression_grid as statement


@given(N=st.integers(1, 500))
def test_grid(N):
    assert statement.check(N)


def test_printed_count_is_refuted():
    assert statement.check_printed()


def test_the_experiments_train_on_these_points():
    synthetic = pytest.importorskip("nn_experiments.datasets.synthetic")
    train = synthetic.regression("square")[0]
    assert np.array_equal(train[:, 0], np.array([float(x) for x in statement.grid()]))


@pytest.mark.control
def test_the_true_count_is_not_refuted():
    assert not statement.check_printed(101)


@pytest.mark.control
def test_a_missing_end_is_caught(monkeypatch):
    real = statement.grid
    monkeypatch.setattr(statement, "grid", lambda N=100: real(N)[:-1])
    assert not statement.check()
