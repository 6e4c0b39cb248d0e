"""Vector fields V on flat vectors, given by callables, for the expansions of maps T = 1 + hV.

Vectors are one-dimensional arrays: float NumPy arrays, object arrays (Fractions, mpmath numbers, SymPy expressions),
or tensors of another library. The expansions only use ``+``, ``-``, scalar ``*``, indexing and ``.shape``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import factorial, prod

import numpy as np

from contraction.expansions.series import Series
from contraction.maps.errors import TrainingInReverseError
from contraction.types import Vector

__all__ = ["MissingDerivative", "VectorField", "check_word", "descent_field", "numpy_field", "zeros_stack"]


class MissingDerivative(TrainingInReverseError, ValueError):
    """A coefficient needs a derivative that the field does not supply: pass ``jvp``, ``derivative`` or ``series``.

    Examples
    --------
    >>> import numpy as np
    >>> from contraction import expansions as ex
    >>> bare = ex.VectorField(value=lambda x: -np.tanh(x))  # no derivative
    >>> try:
    ...     ex.minus_lie_bracket_sum([bare, bare], np.ones(1))
    ... except ex.MissingDerivative as error:
    ...     print(error)
    the derivative of order 1 of V is needed and this field does not give it: supply jvp=, derivative= or series=
    """


@dataclass(frozen=True, kw_only=True)
class VectorField:
    """A vector field V on flat vectors, with as many derivatives as the user can supply.

    Parameters
    ----------
    value
        θ (d,) → V(θ) (d,).
    jvp
        (θ, v) → V'(θ)v, the Jacobian-vector product. A vector-Jacobian product (V')ᵀv is the same only where V'
        is symmetric, that is, for gradient fields.
    derivative
        (θ, (v₁, …, v_m)) → V^(m)(θ)(v₁, …, v_m), for m ≥ 1.
    series
        X of shape (q, d), the coefficients of X(t) = Σ X[k] tᵏ → those of V(X(t)), shape (q, d), for any q ≥ 1.
    linearize
        θ → (V(θ), v ↦ V'(θ)v), where several products reuse one evaluation.

    Examples
    --------
    >>> import numpy as np
    >>> from contraction.expansions import VectorField
    >>> field = VectorField(value=np.sin, jvp=lambda x, v: np.cos(x) * v)
    >>> zero, one = np.zeros(1), np.ones(1)
    >>> field.differential(zero, []), field.differential(zero, [one])  # V(0) and V'(0) 1
    (array([0.]), array([1.]))
    >>> value, product = field.linearized(zero)
    >>> product(2 * one)
    array([2.])
    >>> field.taylor(np.array([[0.0], [1.0]]))  # sin(t) = t + O(t²)
    array([[0.],
           [1.]])
    """

    value: Callable[[Vector], Vector]
    jvp: Callable[[Vector, Vector], Vector] | None = None
    derivative: Callable[[Vector, Sequence[Vector]], Vector] | None = None
    series: Callable[[Vector], Vector] | None = None
    linearize: Callable[[Vector], tuple[Vector, Callable[[Vector], Vector]]] | None = None

    def __call__(self, theta: Vector) -> Vector:
        """Return V(θ)."""
        return self.value(theta)

    def differential(self, theta: Vector, vectors: Sequence[Vector]) -> Vector:
        """Return V^(m)(θ)(v₁, …, v_m) for the m given vectors; V(θ) for none.

        If only ``series`` is given, it uses polarisation of Taylor coefficients, Σ_S (−1)^{m−|S|} [t^m] V(θ + t Σ_S v),
        which is exact in exact arithmetic.

        Raises
        ------
        MissingDerivative
            If the field supplies no derivative of that order.
        """
        m = len(vectors)
        if m == 0:
            return self.value(theta)
        if m == 1 and self.jvp is not None:
            return self.jvp(theta, vectors[0])
        if self.derivative is not None:
            return self.derivative(theta, tuple(vectors))
        if m == 1 and self.linearize is not None:
            return self.linearize(theta)[1](vectors[0])
        if self.series is None:
            raise MissingDerivative(
                f"the derivative of order {m} of V is needed and this field does not give it: "
                f"supply {'jvp=, ' if m == 1 else ''}derivative= or series="
            )
        total = None
        for size in range(1, m + 1):
            for subset in combinations(range(m), size):
                line = zeros_stack(theta, m + 1)
                line[0] = theta
                line[1] = sum((vectors[i] for i in subset[1:]), vectors[subset[0]])
                term = self.series(line)[m] * (-1) ** (m - size)
                total = term if total is None else total + term
        return total

    def taylor(self, coefficients: Vector) -> Vector:
        """Return the coefficients of V(X(t)) from those of X(t), both of shape (q, d).

        It uses ``series`` if given, otherwise the formula of Faà di Bruno with ``differential``.
        """
        if self.series is not None:
            return self.series(coefficients)
        theta, q = coefficients[0], coefficients.shape[0]
        result = zeros_stack(theta, q)
        result[0] = self.value(theta)
        for k in range(1, q):
            for parts in _partitions(k, k):
                weight = prod(factorial(parts.count(part)) for part in set(parts))
                term = self.differential(theta, [coefficients[part] for part in parts])
                result[k] = result[k] + (term / weight if weight > 1 else term)
        return result

    def linearized(self, theta: Vector) -> tuple[Vector, Callable[[Vector], Vector]]:
        """Return V(θ) and the function v ↦ V'(θ)v, with ``linearize`` if it is given."""
        if self.linearize is not None:
            return self.linearize(theta)
        return self.value(theta), lambda v: self.differential(theta, (v,))


def descent_field(
    gradient: Callable[[Vector], Vector],
    hvp: Callable[[Vector, Vector], Vector] | None = None,
    *,
    linearize: Callable[[Vector], tuple[Vector, Callable[[Vector], Vector]]] | None = None,
) -> VectorField:
    """Return V = −∇L from a gradient and a Hessian-vector product, so that 1 + hV is a step of gradient descent.

    Parameters
    ----------
    gradient
        θ → ∇L(θ), shape (d,).
    hvp
        (θ, v) → ∇²L(θ)v, shape (d,).
    linearize
        θ → (∇L(θ), v ↦ ∇²L(θ)v), if both can share one evaluation.

    Examples
    --------
    >>> import numpy as np
    >>> from contraction.expansions import descent_field
    >>> field = descent_field(lambda x: x**3, hvp=lambda x, v: 3 * x**2 * v)  # L(x) = x⁴/4
    >>> field(np.array([2.0])), field.jvp(np.array([2.0]), np.array([1.0]))
    (array([-8.]), array([-12.]))
    """

    def linearized(theta: Vector) -> tuple[Vector, Callable[[Vector], Vector]]:
        assert linearize is not None
        value, product = linearize(theta)
        return -value, lambda v: -product(v)

    return VectorField(
        value=lambda theta: -gradient(theta),
        jvp=None if hvp is None else lambda theta, v: -hvp(theta, v),
        linearize=None if linearize is None else linearized,
    )


def numpy_field(function: Callable[[Vector], Vector]) -> VectorField:
    """Return the field of a function written in NumPy, with all its derivatives by truncated Taylor arithmetic.

    ``function`` takes a vector (d,) and returns a vector (d,), using arithmetic, ``@``, indexing, and the functions
    that `contraction.expansions.Series` knows; no derivative is approximated by differences.

    Examples
    --------
    >>> import numpy as np
    >>> from contraction import expansions as ex
    >>> field = ex.numpy_field(lambda x: np.cos(x))
    >>> field.value(np.array([0.0])), field.jvp(np.array([0.0]), np.array([1.0])) + 0.0
    (array([1.]), array([0.]))
    """

    def series(coefficients: Vector) -> Vector:
        result = function(Series(coefficients))
        if not isinstance(result, Series):  # a constant field
            constant = zeros_stack(coefficients[0], coefficients.shape[0])
            constant[0] = result
            return constant
        return result.coefficients

    def jvp(theta: Vector, v: Vector) -> Vector:
        line = zeros_stack(theta, 2)
        line[0], line[1] = theta, v
        return series(line)[1]

    def value(theta: Vector) -> Vector:
        if isinstance(theta, np.ndarray) and theta.dtype.kind == "O":  # NumPy has no tanh of such numbers, Series has
            return series(theta[None])[0]
        return function(theta)

    return VectorField(value=value, jvp=jvp, series=series)


def zeros_stack(theta: Vector, rows: int) -> Vector:
    """Return zeros of shape (rows, d), of the kind and dtype of ``theta`` (floating where that is an integer)."""
    if isinstance(theta, np.ndarray):
        dtype = np.result_type(theta.dtype, np.float64) if theta.dtype.kind in "iub" else theta.dtype
        return np.zeros((rows, *theta.shape), dtype=dtype)
    return theta.new_zeros((rows, *theta.shape))


def check_word(word: Sequence[int], available: int) -> tuple[int, ...]:
    """Return the word as a tuple of 1-based indices, leftmost outermost, after checking it.

    Raises
    ------
    ValueError
        If an entry is not an integer in 1 … available; the paper's maps are counted from 1.
    """
    for i in word:
        if isinstance(i, bool) or not isinstance(i, (int, np.integer)) or not 1 <= i <= available:
            raise ValueError(f"the word names map {i!r}; the maps are 1 … {available} (counted from 1)")
    return tuple(int(i) for i in word)


def _partitions(total: int, largest: int) -> Iterator[tuple[int, ...]]:
    """Partitions of ``total`` into parts of at most ``largest``, decreasing."""
    if total == 0:
        yield ()
    for part in range(min(total, largest), 0, -1):
        for rest in _partitions(total - part, part):
            yield (part, *rest)
