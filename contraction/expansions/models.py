"""Fields −∇L with their Taylor series written out: quadratic losses, and a network with one tanh layer.

A truncated series turns a product with a matrix into one product with a stack of q vectors, and tanh into a recurrence
on the hidden layer, so the series of a composition to third order costs a small multiple of the composition itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from contraction.arguments import check_integer
from contraction.expansions.fields import VectorField
from contraction.maps.arrays import numbers
from contraction.types import Vector

__all__ = ["quadratic_field", "tanh_network_dimension", "tanh_network_field"]


def quadratic_field(hessian: Vector, shift: Vector) -> VectorField:
    """Return V(θ) = shift − Hθ, the descent field of L(θ) = ½θᵀHθ − shift·θ.

    Parameters
    ----------
    hessian
        Symmetric matrix, (d, d); float, or object for exact numbers.
    shift
        Vector, (d,).

    Raises
    ------
    ValueError
        If the shapes disagree or the matrix is not symmetric.

    Examples
    --------
    >>> import numpy as np
    >>> from contraction import expansions as ex
    >>> field = ex.quadratic_field(np.array([[2.0]]), np.array([1.0]))  # L(θ) = θ² - θ
    >>> field.value(np.array([3.0]))
    array([-5.])
    """
    hessian, shift = np.asarray(hessian), np.asarray(shift)
    if shift.ndim != 1 or hessian.shape != (len(shift), len(shift)):
        raise ValueError(f"a (d, d) matrix and a (d,) shift are needed, got {hessian.shape} and {shift.shape}")
    for name, x in (("matrix", hessian), ("shift", shift)):
        if x.dtype.kind not in "fiubO" or (x.dtype != object and not np.all(np.isfinite(x))):
            raise ValueError(f"the {name} of a quadratic loss must have finite entries, got {x.tolist()}")
    exact = hessian.dtype == object
    if not (np.all(hessian == hessian.T) if exact else np.allclose(hessian, hessian.T, rtol=1e-12, atol=0)):
        raise ValueError("the matrix of a quadratic loss must be symmetric; use numpy_field for other linear fields")

    def series(coefficients: Vector) -> Vector:
        result = -(coefficients @ hessian)  # H is symmetric
        first = result[0] + shift
        result = result.astype(first.dtype, copy=False)  # exact numbers in one of H and the shift alone
        result[0] = first
        return result

    def derivative(theta: Vector, vectors: Sequence[Vector]) -> Vector:
        return -(hessian @ vectors[0]) if len(vectors) == 1 else theta * 0

    return VectorField(
        value=lambda theta: shift - hessian @ theta,
        jvp=lambda theta, v: -(hessian @ v),
        derivative=derivative,
        series=series,
    )


def tanh_network_dimension(inputs: int, width: int) -> int:
    """Return the number of parameters: width·(inputs + 1) + width + 1.

    Examples
    --------
    >>> from contraction import expansions as ex
    >>> ex.tanh_network_dimension(2, 4)
    17
    """
    return width * (inputs + 2) + 1


def tanh_network_field(inputs: Vector, targets: Vector, width: int) -> VectorField:
    """Return −∇L for L(θ) = ½ mean (f_θ(x) − y)² and f_θ(x) = a·tanh(Wx + b) + a_0.

    θ holds the rows of (W | b), shape (width, k + 1), then a, then a_0.

    Parameters
    ----------
    inputs
        (B, k) float array, one example per row.
    targets
        (B,) float array.
    width
        Number of hidden units.

    Returns
    -------
    VectorField
        With ``value``, ``jvp`` and ``series`` to every order.

    Raises
    ------
    ValueError
        If the shapes disagree or the width is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> from contraction.expansions import tanh_network_dimension, tanh_network_field
    >>> inputs, targets = np.linspace(-1, 1, 4)[:, None], np.array([1.0, 0.0, 0.0, 1.0])
    >>> field = tanh_network_field(inputs, targets, width=3)
    >>> theta = np.full(tanh_network_dimension(1, 3), 0.1)
    >>> field(theta).shape, round(float(field(theta)[-1]), 3)  # the last entry is -dL/da_0
    ((10,), 0.37)
    """
    inputs, targets = numbers("inputs", inputs), numbers("targets", targets)
    if inputs.ndim != 2 or targets.shape != inputs.shape[:1] or not len(inputs):
        raise ValueError(f"inputs (B, k) and targets (B,) are needed, got {inputs.shape} and {targets.shape}")
    check_integer("the width", width, 1)
    batch, k = inputs.shape
    first = width * (k + 1)
    dimension = tanh_network_dimension(k, width)
    extended = np.concatenate([inputs, np.ones((batch, 1))], axis=1)
    transposed = np.ascontiguousarray(extended.T)

    def value(theta: Vector) -> Vector:
        outer = theta[first:-1]
        hidden = np.tanh(theta[:first].reshape(width, k + 1) @ transposed)
        residual = (outer @ hidden + (theta[-1] - targets)) / -batch
        delta = (1 - hidden * hidden) * residual
        delta *= outer[:, None]
        result = np.empty(dimension)
        np.matmul(delta, extended, out=result[:first].reshape(width, k + 1))
        np.matmul(hidden, residual, out=result[first:-1])
        result[-1] = residual.sum()
        return result

    def series(coefficients: Vector) -> Vector:
        coefficients = np.ascontiguousarray(coefficients, dtype=float)
        q = len(coefficients)
        outer = coefficients[:, first:-1]
        z = (coefficients[:, :first].reshape(q * width, k + 1) @ transposed).reshape(q, width, batch)
        hidden, slope = _tanh_and_slope(z)
        blocks = np.matmul(outer, hidden)  # [j, i]: outer coefficient i times hidden coefficient j
        residual = np.empty((q, batch))
        for n in range(q):
            residual[n] = sum((blocks[j, n - j] for j in range(1, n + 1)), blocks[0, n]) + coefficients[n, -1]
        residual[0] -= targets
        residual /= -batch
        delta = np.empty((q, width, batch))
        back = [outer[: n + 1].T @ residual[n::-1] for n in range(q)]
        for n in range(q):
            np.multiply(back[0], slope[n], out=delta[n])
            for j in range(1, n + 1):
                delta[n] += back[j] * slope[n - j]
        result = np.empty((q, dimension))
        result[:, :first] = (delta.reshape(q * width, batch) @ extended).reshape(q, first)
        blocks = np.matmul(hidden, residual.T)  # [j, :, i]
        for n in range(q):
            result[n, first:-1] = sum((blocks[j, :, n - j] for j in range(1, n + 1)), blocks[0, :, n])
        result[:, -1] = residual.sum(axis=1)
        return result

    def jvp(theta: Vector, v: Vector) -> Vector:
        return series(np.stack([theta, v]))[1]

    return VectorField(value=value, jvp=jvp, series=series)


def _tanh_and_slope(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of y = tanh(z) and s = 1 − y², from n y_n = Σ j z_j s_{n−j} and s_n = −Σ y_i y_{n−i}."""
    y, s = np.empty_like(z), np.empty_like(z)
    np.tanh(z[0], out=y[0])
    np.multiply(y[0], y[0], out=s[0])
    np.subtract(1.0, s[0], out=s[0])
    for n in range(1, len(z)):
        np.multiply(z[n], s[0], out=y[n])
        for j in range(1, n):
            y[n] += (j / n) * z[j] * s[n - j]
        np.multiply(y[0], y[n], out=s[n])
        s[n] *= -2.0
        for i in range(1, (n + 1) // 2):
            s[n] -= 2.0 * y[i] * y[n - i]
        if n % 2 == 0:
            s[n] -= y[n // 2] * y[n // 2]
    return y, s
