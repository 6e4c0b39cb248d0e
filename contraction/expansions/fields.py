"""Vector fields V on flat vectors, given by callables, for the expansions of maps T = 1 + hV.

Vectors are one-dimensional arrays: float NumPy arrays, object arrays (Fractions, mpmath numbers, SymPy expressions),
or tensors of another library. The expansions only use ``+``, ``-``, scalar ``*``, indexing and ``.shape``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass, field
from itertools import combinations
from math import factorial, prod
from typing import Protocol, runtime_checkable

import numpy as np

from contraction.arguments import check_function
from contraction.expansions.series import Series
from contraction.maps.comparing import equal
from contraction.maps.errors import DeclarationRefuted, NotDeterministic, TrainingInReverseError
from contraction.types import Scalar, Vector

__all__ = [
    "MissingDerivative",
    "VectorField",
    "check_fields",
    "check_not_text",
    "check_theta",
    "check_word",
    "descent_field",
    "numpy_field",
    "zeros_stack",
]

STEP = 1e-5  # of a difference quotient, relative to the point; its error is of the order STEP² + rounding/STEP


@runtime_checkable
class _Tensor(Protocol):
    @property
    def shape(self) -> tuple[int, ...]: ...
    def new_zeros(self, shape: tuple[int, ...]) -> object: ...


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
    _tried: set[tuple[int, ...]] = field(default_factory=set, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_function("value", self.value, "of a vector theta")
        for name, given in (
            ("jvp", self.jvp),
            ("derivative", self.derivative),
            ("series", self.series),
            ("linearize", self.linearize),
        ):
            if given is not None:
                check_function(name, given)

    def __call__(self, theta: Vector) -> Vector:
        """Return V(θ)."""
        return self.value(theta)

    def check(self, theta: Vector) -> None:
        """Try the field near a point, once per shape: V(θ) repeats, and V'(θ)v agrees with a difference quotient.

        Only float arrays of NumPy are tried. Nothing is decided where V or V' cannot be computed, or where quotients
        over two lengths differ. `taylor`, `differential` and `linearized` call this.

        Parameters
        ----------
        theta
            A point, shape (d,).

        Raises
        ------
        NotDeterministic
            If V has two values at one point.
        DeclarationRefuted
            If the derivative that the field supplies is not that of its value.

        Examples
        --------
        >>> import numpy as np
        >>> from contraction.expansions import VectorField
        >>> VectorField(value=np.sin, jvp=lambda x, v: np.cos(x) * v).check(np.zeros(1))
        """
        if not isinstance(theta, np.ndarray) or theta.dtype.kind != "f" or theta.shape in self._tried:
            return
        self._tried.add(theta.shape)
        rng = np.random.default_rng(0xF1E1D)
        size = 1 + np.abs(theta)
        point = theta + 1e-3 * size * rng.standard_normal(theta.shape)  # beside a kink at the point itself
        direction = size * rng.choice([-1.0, 1.0], theta.shape)
        with np.errstate(all="ignore"):
            try:
                self._compare(point, direction)
            except (NotDeterministic, DeclarationRefuted):
                raise
            except (TypeError, ValueError, ArithmeticError):  # outside the domain; the call itself reports that
                return

    def _compare(self, point: Vector, direction: Vector) -> None:
        first, again = (np.array(self.value(point.copy()), dtype=float) for _ in range(2))
        if not equal(first, again):
            raise NotDeterministic(
                f"V gave two values at one point, {first.tolist()} and {again.tolist()} at {point.tolist()}: a field "
                "must depend on its argument alone. Draw random numbers before, and use them in the function"
            )
        slope = np.asarray(self._derivative(point, (direction,)), dtype=float)
        quotients = []
        for t in (STEP, STEP / 2):
            ends = [np.asarray(self.value(point + s * t * direction), dtype=float) for s in (1, -1)]
            quotients.append((ends[0] - ends[1]) / (2 * t))
        coarse, fine = quotients
        if not (slope.shape == fine.shape == first.shape and all(np.isfinite(v).all() for v in (slope, coarse, fine))):
            return
        room = 4 * np.max(np.abs(coarse - fine)) + STEP * (np.max(np.abs(fine)) + np.max(np.abs(first)))
        if np.max(np.abs(slope - fine), initial=0.0) > room:
            raise DeclarationRefuted(
                f"the derivative that the field supplies is not that of its value: at {point.tolist()} along "
                f"{direction.tolist()} it is {slope.tolist()}, but the difference quotient of V is {fine.tolist()}. "
                "Correct jvp=, derivative=, series= or linearize="
            )

    def differential(self, theta: Vector, vectors: Sequence[Vector]) -> Vector:
        """Return V^(m)(θ)(v₁, …, v_m) for the m given vectors; V(θ) for none.

        If only ``series`` is given, it uses polarisation of Taylor coefficients, Σ_S (−1)^{m−|S|} [t^m] V(θ + t Σ_S v),
        which is exact in exact arithmetic.

        Raises
        ------
        MissingDerivative
            If the field supplies no derivative of that order.
        """
        if vectors:
            self.check(theta)
        return self._derivative(theta, vectors)

    def _derivative(self, theta: Vector, vectors: Sequence[Vector]) -> Vector:
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
        self.check(coefficients[0])
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
        self.check(theta)
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
    check_function("function", function, "of a vector theta, written in NumPy")

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


def check_fields(fields: Sequence[VectorField]) -> Sequence[VectorField]:
    """Return a list of fields.

    Raises
    ------
    TypeError
        If it is not a list of `VectorField`; the message names the first other entry.
    """
    if isinstance(fields, str | bytes | VectorField) or not isinstance(fields, Sized):
        raise TypeError(f"fields must be a list of VectorField, got {fields!r}")
    for i, one in enumerate(fields):
        if not isinstance(one, VectorField):
            raise TypeError(
                f"fields[{i}] must be a VectorField, got {one!r}: numpy_field(function) makes one of a function"
            )
    return fields


def check_not_text(name: str, value: Scalar) -> None:
    """Raise ValueError for text in place of a number, of whatever kind: exact, float, tensor or symbol."""
    if value is None or isinstance(value, str | bytes):
        raise ValueError(f"{name} must be a number, got {value!r}")


def check_not_negative(name: str, value: Scalar) -> None:
    """Raise ValueError for what is not a number of at least 0, of whatever kind: exact, float, tensor or symbol."""
    check_not_text(name, value)
    try:
        right = not isinstance(value, bool) and bool(value >= 0)
    except TypeError:  # complex numbers, functions, symbols of unknown sign
        right = False
    if not right:
        raise ValueError(f"{name} must be a number of at least 0, got {value!r}")


def check_vectors(name: str, values: Sequence[Vector], axes: int) -> Sequence[Vector]:
    """Return a list of arrays or tensors that have one shape of so many axes, integers as floats.

    Raises
    ------
    TypeError
        If it is not a list of arrays or tensors.
    ValueError
        If an entry has another number of axes, or another shape than the first.
    """
    if isinstance(values, str | bytes) or not isinstance(values, Sized):
        raise TypeError(f"{name} must be a list of arrays, got {values!r}")
    for value in values:
        if not isinstance(value, np.ndarray | _Tensor):
            raise TypeError(f"{name} must be a list of arrays, got the entry {value!r}")
        if len(value.shape) != axes or value.shape != values[0].shape:
            shapes = [tuple(one.shape) for one in values if isinstance(one, np.ndarray | _Tensor)]
            raise ValueError(f"{name} must be arrays of one shape with {axes} axes, got the shapes {shapes}")
    return [as_floats(value) for value in values]


def as_floats(value: Vector) -> Vector:
    """Return integer arrays as floats, since products of integers wrap around, and others as they are."""
    return value.astype(float) if isinstance(value, np.ndarray) and value.dtype.kind in "iub" else value


def check_theta(theta: Vector) -> Vector:
    """Return a vector (d,): a NumPy array or a tensor as it is, a list of numbers as an array, integers as floats.

    Raises
    ------
    TypeError
        If it is neither an array nor a tensor nor a list.
    ValueError
        If it is not of shape (d,), has entries that are not numbers, or has NaN.

    Examples
    --------
    >>> check_theta([1, 2.5])
    array([1. , 2.5])
    """
    if isinstance(theta, list | tuple):
        try:
            theta = np.asarray(theta)
        except ValueError:
            raise ValueError(f"theta must be a vector of numbers, got {theta!r}") from None
    if isinstance(theta, np.ndarray):
        if theta.ndim != 1 or theta.dtype.kind not in "fciubO":
            raise ValueError(f"theta must be a vector (d,) of numbers, got {theta!r}")
        if theta.dtype.kind in "fc" and np.isnan(theta).any():
            raise ValueError(f"theta must not contain NaN, got {theta!r}")
        return as_floats(theta)
    if not isinstance(theta, _Tensor):
        raise TypeError(f"theta must be a vector (d,): a NumPy array, a list of numbers or a tensor, got {theta!r}")
    return theta


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
    TypeError
        If the word is not a list.
    ValueError
        If an entry is not an integer in 1 … available; the paper's maps are counted from 1.
    """
    if not isinstance(word, Iterable):
        raise TypeError(f"the word must be a list of the maps' numbers, such as [2, 1], got {word!r}")
    listed = tuple(word)  # an iterator is read only once
    for i in listed:
        if isinstance(i, bool) or not isinstance(i, (int, np.integer)) or not 1 <= i <= available:
            raise ValueError(f"the word names map {i!r}; the maps are 1 … {available} (counted from 1)")
    return tuple(int(i) for i in listed)


def _partitions(total: int, largest: int) -> Iterator[tuple[int, ...]]:
    """Partitions of ``total`` into parts of at most ``largest``, decreasing."""
    if total == 0:
        yield ()
    for part in range(min(total, largest), 0, -1):
        for rest in _partitions(total - part, part):
            yield (part, *rest)
