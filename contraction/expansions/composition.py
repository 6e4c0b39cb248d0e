"""The h-series of a composition by Taylor arithmetic, and the composition itself.

One sweep over the word carries the coefficients X[0 … p] of T_{i_u} … T_{i_n}(θ): a map adds hV(X(h)), so row k gains
row k − 1 of V along X. Each map costs one Taylor evaluation of its field to order p − 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from contraction.arguments import check_iterates
from contraction.expansions.coefficients import check_order_of_expansion
from contraction.expansions.fields import (
    VectorField,
    as_floats,
    check_fields,
    check_not_text,
    check_theta,
    check_word,
    zeros_stack,
)
from contraction.maps.orders import Order, check_order, full_word
from contraction.types import Scalar, Vector

__all__ = ["compose", "evaluate_series", "iterate_series", "prefix_series", "word_series"]


def compose(fields: Sequence[VectorField], word: Sequence[int], theta: Vector, h: Scalar) -> Vector:
    """Return T_word(θ) for T_i = 1 + hV_i: the plain loop, innermost (rightmost) first.

    Examples
    --------
    >>> import numpy as np
    >>> from contraction import expansions as ex
    >>> fields = [ex.quadratic_field(np.array([[a]]), np.array([0.0])) for a in (1.0, 2.0)]
    >>> ex.compose(fields, [1, 2], np.array([1.0]), 0.5)
    array([0.])
    """
    check_fields(fields)
    theta = check_theta(theta)
    check_not_text("the learning rate h", h)
    for index in reversed(check_word(word, len(fields))):
        theta = theta + h * fields[index - 1](theta)
    return theta


def word_series(fields: Sequence[VectorField], word: Sequence[int], theta: Vector, order: int) -> Vector:
    """Return the coefficients of h ↦ T_word(θ) up to h^order, shape (order + 1, d); row 0 is θ.

    Parameters
    ----------
    fields
        V_1, …, V_N; ``fields[0]`` is V_1.
    word
        1-based indices, leftmost outermost (applied last).
    theta
        The starting point, shape (d,).
    order
        At least 0.

    Returns
    -------
    array (order + 1, d)
        Of the kind and dtype of ``theta`` (tensors give tensors). Evaluate it with `evaluate_series`.

    Raises
    ------
    ValueError
        If the word names no map, the order is negative, or a field returns another shape than (d,).
    MissingDerivative
        If a field lacks a derivative that is needed.

    References
    ----------
    Dherin, B., et al. (2025). Training in reverse. arXiv:2502.01557v1, Lemma C.1.

    Hairer, E., Lubich, C., and Wanner, G. (2006). Geometric Numerical Integration. Second edition, Springer,
    Chapter III.

    Examples
    --------
    >>> import numpy as np
    >>> from contraction import expansions as ex
    >>> fields = [ex.quadratic_field(np.array([[a]]), np.array([0.0])) for a in (1.0, 2.0)]
    >>> ex.word_series(fields, [1, 2], np.array([1.0]), 2)[:, 0]  # (1 - h)(1 - 2h)
    array([ 1., -3.,  2.])
    """
    check_order_of_expansion(order, 0)
    check_fields(fields)
    theta = check_theta(theta)
    coefficients = zeros_stack(theta, order + 1)
    coefficients[0] = theta
    if order:
        for index in reversed(check_word(word, len(fields))):
            _advance(coefficients, fields[index - 1])
    return coefficients


def prefix_series(
    fields: Sequence[VectorField], theta: Vector, order: int, at: Sequence[int]
) -> tuple[list[Vector], list[Vector]]:
    """Return the series of the forward and of the backward iterates n in ``at``, each (order + 1, d).

    Forward iterates extend one another; each backward word T_1 … T_n is expanded anew.

    Each is the series of Lemma C.1, continued to higher orders (row 56); their difference at h² is Theorem C.2 (row
    57).

    Examples
    --------
    >>> import numpy as np
    >>> from contraction.expansions import prefix_series, quadratic_field
    >>> fields = [quadratic_field(np.eye(1), np.array([b])) for b in (0.0, 1.0)]
    >>> forward, backward = prefix_series(fields, np.ones(1), 2, [2])
    >>> forward[0].ravel().tolist(), backward[0].ravel().tolist()  # 1 - h + h² and 1 - h
    ([1.0, -1.0, 1.0], [1.0, -1.0, 0.0])
    """
    check_order_of_expansion(order)
    check_fields(fields)
    theta = check_theta(theta)
    at = check_iterates(at, len(fields))
    coefficients = zeros_stack(theta, order + 1)
    coefficients[0] = theta
    forward = {0: coefficients + 0}
    for n, field in enumerate(fields[: max(at, default=0)], start=1):
        _advance(coefficients, field)
        if n in at:
            forward[n] = coefficients + 0
    return [forward[n] for n in at], [word_series(fields, range(1, n + 1), theta, order) for n in at]


def iterate_series(
    fields: Sequence[VectorField], theta: Vector, order: int, at: Sequence[int], iteration: Order
) -> list[Vector]:
    """Return the series of the iterates ``at`` of any iteration order, each (order + 1, d).

    Each is the series of Lemma C.1, continued to higher orders (row 56).

    Parameters
    ----------
    fields
        V_1, …, V_N.
    theta
        The starting point, shape (d,).
    order
        Powers of h to keep, at least 0.
    at
        Indices of iterates; they may exceed N if the words name only maps 1 … N.
    iteration
        The order, an object with ``anchor(n)`` and ``word(n)`` such as `contraction.maps.orders.PairedReversal`.

    Raises
    ------
    ValueError
        If a word names a map that does not exist, or another argument is invalid.
    MissingDerivative
        If a field lacks a derivative that is needed.

    Examples
    --------
    >>> import numpy as np
    >>> from contraction.expansions import iterate_series, quadratic_field
    >>> from contraction.maps.orders import PairedReversal
    >>> field = quadratic_field(np.eye(1), np.zeros(1))  # T(x) = (1 - h) x
    >>> [series[:, 0].tolist() for series in iterate_series([field], np.ones(1), 2, [1], PairedReversal())]
    [[1.0, -2.0, 1.0]]
    """
    numbers = check_iterates(at, None)
    check_order(iteration, numbers, len(fields))
    return [word_series(fields, full_word(iteration, n), theta, order) for n in numbers]


def _advance(coefficients: Vector, field: VectorField) -> None:
    """Replace X by X + hV(X), truncated, in place."""
    with np.errstate(invalid="ignore"):  # NaN is refused below
        velocity = field.taylor(coefficients[:-1])
    if velocity.shape != coefficients[:-1].shape:
        raise ValueError(
            f"V must map vectors of shape {tuple(coefficients.shape[1:])} to that shape, "
            f"its series came out as {tuple(velocity.shape)}"
        )
    if _has_nan(velocity) and not _has_nan(coefficients[:-1]):
        raise ValueError(
            f"V or one of its derivatives is NaN at {coefficients[0].tolist()} (coefficients {velocity.tolist()}): "
            "start inside the domain of the field"
        )
    exact = [isinstance(x, np.ndarray) and x.dtype == object for x in (velocity, coefficients)]
    if exact == [True, False]:
        raise TypeError(
            f"V gives exact numbers, so theta must hold exact numbers too: use rational_vector, got "
            f"{coefficients[0].tolist()}"
        )
    coefficients[1:] += velocity


def _has_nan(x: Vector) -> bool:
    return isinstance(x, np.ndarray) and x.dtype.kind == "f" and bool(np.isnan(x).any())


def evaluate_series(coefficients: Vector, h: Scalar) -> Vector:
    """Return Σ coefficients[k] h^k by Horner's rule, shape (d,).

    Raises
    ------
    ValueError
        If ``coefficients`` is empty.

    Examples
    --------
    >>> import numpy as np
    >>> from contraction import expansions as ex
    >>> ex.evaluate_series(np.array([[1.0], [-3.0], [2.0]]), 0.5)
    array([0.])
    """
    if isinstance(coefficients, str) or len(coefficients) == 0:
        raise ValueError(f"a series needs at least one coefficient, got {coefficients!r}")
    check_not_text("the learning rate h", h)
    coefficients = as_floats(coefficients)
    total = coefficients[-1]
    for k in range(len(coefficients) - 2, -1, -1):
        total = coefficients[k] + h * total
    return total
