"""The loops that numba compiles, as Python: one layer forward and back, and the error of the outputs, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("numba")

from nn_experiments.engine.kernels import blocked, mlp_numba

FORWARD = {"few": mlp_numba._forward_few, "many": blocked.forward}
BACKWARD = {"few": mlp_numba._backward_few, "many": blocked.backward}
#: Rows of the batch, units, inputs: below, at and beyond the blocks of four, with and without a rest.
SHAPES = [(1, 1, 1), (3, 5, 2), (4, 4, 3), (4, 7, 1), (5, 2, 4), (9, 8, 3), (8, 9, 5)]


def layer(rows: int, outs: int, ins: int) -> tuple[np.ndarray, ...]:
    """Return weights, biases, inputs of a layer (some exactly 0, as behind a ReLU), and the error of its outputs."""
    rng = np.random.default_rng([rows, outs, ins])
    below, error = rng.standard_normal((rows, ins)), rng.standard_normal((rows, outs))
    below[rng.random(below.shape) < 0.3] = 0
    error[rng.random(error.shape) < 0.3] = 0
    return rng.standard_normal((outs, ins)), rng.standard_normal(outs), below, error


def close(found: np.ndarray, right: np.ndarray) -> bool:
    """Sums of at most 9 products of numbers of size 5 in another order: 9 · 25 · 9 units of rounding."""
    return bool(np.all(np.abs(found - right) <= 2025 * np.finfo(float).eps))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("which", FORWARD)
def test_one_layer_forward(which, last, relu, shape):
    weight, bias, below, _ = layer(*shape)
    above = np.full(shape[:2], np.nan)
    FORWARD[which].py_func(weight, bias, below, above, last, relu)
    right = below @ weight.T + bias
    assert close(above, right if last else np.maximum(right, 0) if relu else np.tanh(right))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("which", BACKWARD)
def test_one_layer_back(which, first, relu, shape, monkeypatch):
    """The error below is with the old weights and times the activation's slope; at 0 a ReLU's is 0."""
    for name in ("_pass_down", "_change", "_backward_one", "_change_one", "through_activation"):
        monkeypatch.setattr(blocked, name, getattr(blocked, name).py_func)
    weight, bias, below, error = layer(*shape)
    below = np.maximum(below, 0) if relu else np.tanh(below)
    under = np.full(below.shape, 7.0)
    slope = (below > 0) if relu else 1 - below**2
    passed, changed, shifted = (error @ weight) * slope, weight - 0.1 * error.T @ below, bias - 0.1 * error.sum(0)
    BACKWARD[which].py_func(weight, bias, below, error, under, first, relu, 0.1)
    assert close(weight, changed)
    assert close(bias, shifted)
    assert np.all(under == 7.0) if first else close(under, passed)


@pytest.mark.parametrize("relu", [True, False])
def test_what_is_not_finite_stays_so(relu):
    for which in FORWARD:
        above = np.zeros((4, 2))
        weight, below = np.ones((2, 1)), np.full((4, 1), np.nan)
        FORWARD[which].py_func(weight, np.zeros(2), below, above, False, relu)
        assert np.isnan(above).all()


def test_the_error_of_the_outputs_is_the_slope_of_the_loss():
    rng = np.random.default_rng(1)
    outputs, numbers = rng.standard_normal((2, 5, 3))
    error, labels = np.empty((5, 3)), np.array([0, 2, 1, 2, 0])
    mlp_numba._output_error.py_func(outputs, numbers, labels, True, error)
    assert close(error, 2 * (outputs - numbers) / 15)  # of the mean of 15 squares
    mlp_numba._output_error.py_func(outputs, numbers, labels, False, error)
    share = np.exp(outputs) / np.exp(outputs).sum(1, keepdims=True)
    assert close(error, (share - np.eye(3)[labels]) / 5)


def test_large_outputs_do_not_overflow():
    """The largest output is taken out before the exponential: exp(1000) has no floating-point number."""
    error = np.empty((2, 3))
    outputs = np.array([[1000.0, 0.0, -1000.0], [-1000.0, 1000.0, 1000.0]])
    mlp_numba._output_error.py_func(outputs, np.empty((2, 0)), np.array([0, 0]), False, error)
    assert np.array_equal(error, [[0, 0, 0], [-0.5, 0.25, 0.25]])
