"""Expansions at their edges: one zero among many, an error that is met exactly, the smallest network."""

from __future__ import annotations

import numpy as np
import pytest

from contraction.expansions import VectorField, word_series
from contraction.expansions.exact import polynomial_field
from contraction.expansions.models import tanh_network_field
from contraction.expansions.reach import CorrectionReach, correction_reach
from contraction.expansions.regularisers import large_batch_step
from contraction.expansions.remainders import remainder_bound
from contraction.expansions.series import Series


@pytest.mark.parametrize(
    "function", [np.abs, np.sqrt, lambda x: np.maximum(x, 0), lambda x: np.minimum(0, x), lambda x: x**1.5]
)
def test_one_zero_entry_is_refused(function):
    """A vector is refused if any of its entries is at the kink, and expanded if none is."""
    rates = np.ones(3)
    with pytest.raises(ValueError, match="no Taylor series"):
        function(Series(np.stack([[1.0, 0.0, 2.0], rates])))
    found = function(Series(np.stack([[1.0, 3.0, 2.0], rates])))
    assert np.isfinite(found.coefficients).all()


@pytest.mark.parametrize("start", [[-1.0, 4.0], [4.0, -1.0]])
def test_one_coordinate_outside_the_domain_is_refused(start):
    """The derivative of x^(3/2) is 3/2 x^(1/2): at (4, 1) the step of rate 1 leads to (12, 2)."""
    root = VectorField(value=lambda x: x**1.5, jvp=lambda x, v: 1.5 * np.sqrt(x) * v)
    with pytest.raises(ValueError, match=r"is NaN at .* start inside the domain"):
        word_series([root], [1], np.array(start), 1)
    assert word_series([root], [1], np.array([4.0, 1.0]), 1).sum(axis=0).tolist() == [12.0, 2.0]


def test_an_error_of_exactly_the_tolerance_is_within_reach():
    errors = np.array([[[0.1, 0.5, 0.6, 0.2]]])
    found = CorrectionReach(np.array([10]), np.array([0.01, 0.02, 0.03, 0.04]), np.array([1]), errors)
    assert found.reach(0.5).tolist() == [[0.2]]
    assert found.reach(0.6).tolist() == [[0.4]]
    assert found.reach(0.09).tolist() == [[0.0]]


def test_a_network_of_one_unit():
    """h = tanh(w x + c), output v h + b: the gradient of the mean of half squared residuals, by hand."""
    x, y = np.array([[0.5], [-1.0]]), np.array([1.0, 0.25])
    field = tanh_network_field(x, y, 1)
    w, c, v, b = theta = np.array([0.7, -0.2, 1.5, 0.1])
    hidden = np.tanh(w * x[:, 0] + c)
    residual = v * hidden + b - y
    slope = residual * v * (1 - hidden**2)
    gradient = [np.mean(slope * x[:, 0]), np.mean(slope), np.mean(residual * hidden), np.mean(residual)]
    np.testing.assert_allclose(field.value(theta), -np.array(gradient), rtol=1e-14)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        tanh_network_field(x, y, 0)


def test_transposes_of_series():
    """By NumPy's function and by the attribute: of every coefficient, with the axes of the matrix exchanged."""
    coefficients = np.arange(12.0).reshape(2, 2, 3)
    series = Series(coefficients)
    for found in (np.transpose(series), series.T):
        np.testing.assert_array_equal(found.coefficients, coefficients.transpose(0, 2, 1))


def test_at_learning_rate_zero_nothing_remains():
    assert remainder_bound(3, 0, 2, [1, 2, 3]) == 0
    assert remainder_bound(3, 1, 2, [1, 2, 3]) > 0
    with pytest.raises(ValueError, match="at least 0, got -1"):
        remainder_bound(3, -1, 2, [1, 2, 3])


@pytest.mark.parametrize("sizes", [(1, 0, 2), (1, -1, 2), (1, float("nan"), 1), (1, 2), (0, 0, 0)])
def test_every_batch_has_a_size(sizes):
    fields = [polynomial_field([{(0,): k}]) for k in (1, 2, 3)]
    with pytest.raises(ValueError, match="3 batches need 3 positive sizes"):
        large_batch_step(fields, np.array([0.0]), 0.5, sizes=sizes)


@pytest.mark.parametrize(("at", "orders"), [((2,), (0, 1)), ((2,), (-1, 2)), ((1, 2), (1,)), ((), (1,)), ((2,), ())])
def test_reach_needs_iterates_from_two_and_orders_from_one(at, orders):
    fields = [polynomial_field([{(1,): k}]) for k in (1, 2)]
    with pytest.raises(ValueError, match="at least 2 and orders at least 1"):
        correction_reach(fields, np.array([1.0]), [0.1], at=at, orders=orders)
