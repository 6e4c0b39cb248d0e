"""Appendix A.1 (row 70): 101 equally spaced points, and the network experiments use them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.statements.section_4_5 import regression_grid as statement


@given(N=st.integers(1, 500))
def test_grid(N):
    assert statement.check(N)


def test_printed_count_is_refuted():
    assert statement.check_printed()


@pytest.mark.parametrize("name", ["square", "cosine", "cube"])
def test_the_experiments_train_on_these_points(name):
    """The training points of the data set, as it makes them, and its targets at the points of the text."""
    synthetic = pytest.importorskip("nn_experiments.datasets.synthetic")
    x, y = synthetic.regression(name)[:2]
    assert statement.check(100, x)
    assert np.array_equal(x[:, 0], np.array([float(point) for point in statement.grid()]))
    f = {"square": lambda v: v**2, "cosine": lambda v: np.cos(10 * v), "cube": lambda v: v**3}[name]
    assert np.array_equal(y[:, 0], f(np.array([float(point) for point in statement.grid()])))


OTHERS = {
    "first missing": lambda x: x[1:],
    "last missing": lambda x: x[:-1],
    "sampled": lambda x: np.sort(np.random.default_rng(0).uniform(-1, 1, len(x))),
    "shifted": lambda x: x + 1e-9,
    "printed count": lambda x: np.linspace(-1, 1, 100),
    "descending": lambda x: x[::-1],
    "none": lambda x: x[:0],
}


@pytest.mark.control
@pytest.mark.parametrize("name", OTHERS)
def test_other_points_are_caught(name):
    assert not statement.check(100, OTHERS[name](np.linspace(-1, 1, 101)))


@pytest.mark.control
def test_the_test_points_are_not_those_of_the_text():
    synthetic = pytest.importorskip("nn_experiments.datasets.synthetic")
    assert not statement.check(100, synthetic.regression("square")[2])


@pytest.mark.control
def test_the_true_count_is_not_refuted():
    assert not statement.check_printed(101)


@pytest.mark.control
def test_a_missing_end_is_caught(monkeypatch):
    real = statement.grid
    monkeypatch.setattr(statement, "grid", lambda N=100: real(N)[:-1])
    assert not statement.check()
