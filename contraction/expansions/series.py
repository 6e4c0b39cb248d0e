"""Truncated power series in one variable with array coefficients: the arithmetic of forward Taylor mode.

A `Series` of q coefficients behaves as an array of shape ``shape``: functions written in NumPy run on it unchanged and
return the coefficients of the result. Elementary functions use the recurrences of their differential equations
(Griewank and Walther, Evaluating Derivatives, chapter 13), without finite differences.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from types import EllipsisType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from contraction.types import Scalar, Vector

__all__ = ["Series"]

#: What selects entries of an array.
Index: TypeAlias = int | slice | EllipsisType | NDArray | tuple[int | slice | EllipsisType | NDArray | None, ...] | None


def _elementary(function: Callable[..., np.ndarray], x: np.ndarray) -> np.ndarray:
    """Apply a ufunc to leading coefficients; object arrays (mpmath, Fractions) go through mpmath."""
    if x.dtype != object:
        return function(x)
    import mpmath

    return np.frompyfunc(getattr(mpmath, function.__name__), 1, 1)(x)


class Series:
    """X(t) = Σ_{k<q} X[k] t^k + O(t^q) with coefficients of one shape and dtype.

    Parameters
    ----------
    coefficients
        Array (q, …): float, or object for exact or high-precision numbers.

    Raises
    ------
    ValueError
        If ``coefficients`` is empty.

    Examples
    --------
    >>> import numpy as np
    >>> from contraction.expansions import Series
    >>> t = Series(np.array([0.0, 1.0, 0.0, 0.0]))  # t + O(t⁴)
    >>> np.exp(t).coefficients.round(4)
    array([1.    , 1.    , 0.5   , 0.1667])
    >>> x = Series(np.array([[0.0, 1.0], [1.0, 1.0]]))  # the vector (t, 1 + t) + O(t²)
    >>> x.sum().coefficients, x.mean().coefficients
    (array([1., 2.]), array([0.5, 1. ]))
    >>> x.reshape(2, 1).shape, x.reshape(2, 1).ravel().shape
    ((2, 1), (2,))
    """

    __slots__ = ("coefficients",)
    __array_priority__ = 1000
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, coefficients: Vector) -> None:
        coefficients = np.asarray(coefficients)
        if coefficients.ndim == 0 or len(coefficients) == 0:
            raise ValueError("a series needs at least one coefficient, along the leading axis")
        self.coefficients = coefficients if coefficients.dtype.kind in "fcO" else coefficients.astype(float)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one coefficient."""
        return self.coefficients.shape[1:]

    @property
    def ndim(self) -> int:
        """The number of axes of one coefficient."""
        return self.coefficients.ndim - 1

    @property
    def size(self) -> int:
        """The number of entries of one coefficient."""
        return int(np.prod(self.shape))

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("a series of scalars has no length")
        return self.shape[0]

    def __repr__(self) -> str:
        return f"Series({self.coefficients!r})"

    # structure: every operation acts on each coefficient

    def _each(self, function: Callable[[Vector], Vector]) -> Series:
        return Series(np.stack([np.asarray(function(c)) for c in self.coefficients]))

    def __getitem__(self, key: Index) -> Series:
        return Series(self.coefficients[(slice(None), *(key if isinstance(key, tuple) else (key,)))])

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    @property
    def T(self) -> Series:
        """The series of the transposed coefficients."""
        return Series(self.coefficients.transpose(0, *range(self.ndim, 0, -1)))

    def reshape(self, *shape: int | tuple[int, ...]) -> Series:
        """Reshape every coefficient."""
        shape = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
        return self._each(lambda c: c.reshape(shape))

    def ravel(self) -> Series:
        """Flatten every coefficient to one axis."""
        return self.reshape(-1)

    def transpose(self, *axes: int | tuple[int, ...]) -> Series:
        """Permute the axes of every coefficient (default: reverse them).

        Examples
        --------
        >>> import numpy as np
        >>> from contraction.expansions import Series
        >>> Series(np.zeros((4, 2, 3))).transpose(1, 0).coefficients.shape  # four coefficients of shape (3, 2)
        (4, 3, 2)
        """
        order = axes[0] if len(axes) == 1 and isinstance(axes[0], tuple | list) else axes
        return self._each(lambda c: c.transpose(*order))

    def sum(self, axis: int | tuple[int, ...] | None = None, *, keepdims: bool = False) -> Series:
        """Sum every coefficient over the axis or axes (default: all of them)."""
        return self._each(lambda c: c.sum(axis=axis, keepdims=keepdims))

    def mean(self, axis: int | tuple[int, ...] | None = None, *, keepdims: bool = False) -> Series:
        """Average every coefficient over the axis or axes (default: all of them)."""
        return self._each(lambda c: c.mean(axis=axis, keepdims=keepdims))

    # arithmetic

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Vector, **kwargs: object) -> Series:
        rule = _UFUNCS.get(ufunc.__name__)
        if method != "__call__" or rule is None:
            raise TypeError(_unknown(f"np.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")))
        if kwargs:
            raise TypeError(f"np.{ufunc.__name__} of a Taylor series takes no keyword, got {', '.join(kwargs)}=")
        return rule(*inputs)

    def __array_function__(
        self, function: Callable[..., Vector], types: object, args: tuple[Vector, ...], kwargs: dict[str, object]
    ) -> Series:
        name = function.__name__
        if name in ("sum", "mean", "reshape", "ravel", "transpose"):
            given = (kwargs.pop("axes"),) if kwargs.get("axes") is not None else args[1:]
            return getattr(args[0], name)(*given, **kwargs)
        if name == "dot" and len(args) == 2:
            return _dot(*args)
        if name == "outer" and len(args) == 2:
            first, second = (x.ravel() if isinstance(x, Series) else np.ravel(np.asarray(x)) for x in args)
            return _multiply(_column(first), second)
        if name in ("concatenate", "stack"):
            q = next(len(a.coefficients) for a in args[0] if isinstance(a, Series))
            parts = [_pad(a, q) for a in args[0]]
            return Series(np.stack([function([p[k] for p in parts], *args[1:], **kwargs) for k in range(q)]))
        full = f"{function.__module__}.{name}".replace("numpy", "np", 1)
        raise TypeError(_unknown(full))

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        raise TypeError(_unknown("np.array or np.asarray of it"))

    def _refused(self, name: str) -> TypeError:
        return TypeError(_unknown(name))

    def __float__(self) -> float:
        raise self._refused("float(x)")

    def __int__(self) -> int:
        raise self._refused("int(x)")

    def __bool__(self) -> bool:
        raise self._refused("a test of its value, as in if x:")

    def __round__(self, digits: int | None = None) -> Series:
        raise self._refused("round(x)")

    def __lt__(self, other: Vector) -> bool:
        raise self._refused("a comparison such as x < y")

    __gt__ = __le__ = __ge__ = __lt__

    def __eq__(self, other: object) -> bool:
        raise self._refused("a comparison such as x == y")

    __ne__ = __eq__

    def __floordiv__(self, other: Vector) -> Series:
        raise self._refused("the floor division //")

    __rfloordiv__ = __floordiv__

    def __mod__(self, other: Vector) -> Series:
        raise self._refused("the remainder %")

    __rmod__ = __mod__

    def __add__(self, other: Vector) -> Series:
        return _add(self, other)

    def __radd__(self, other: Vector) -> Series:
        return _add(other, self)

    def __sub__(self, other: Vector) -> Series:
        return _add(self, _negative(other))

    def __rsub__(self, other: Vector) -> Series:
        return _add(other, _negative(self))

    def __mul__(self, other: Vector) -> Series:
        return _multiply(self, other)

    def __rmul__(self, other: Vector) -> Series:
        return _multiply(other, self)

    def __truediv__(self, other: Vector) -> Series:
        return _divide(self, other)

    def __rtruediv__(self, other: Vector) -> Series:
        return _divide(other, self)

    def __matmul__(self, other: Vector) -> Series:
        return _matmul(self, other)

    def __rmatmul__(self, other: Vector) -> Series:
        return _matmul(other, self)

    def __pow__(self, exponent: Scalar) -> Series:
        return _power(self, exponent)

    def __neg__(self) -> Series:
        return Series(-self.coefficients)

    def __pos__(self) -> Series:
        return self


def _unknown(name: str) -> str:
    """Return the message about an operation that has no Taylor series here."""
    return (
        f"no Taylor series is known of {name}, which a function of numpy_field applies to its argument. Use +, -, *, "
        "/, @, ** with a number, indexing, sum, mean, reshape, ravel, transpose, dot, outer, concatenate, stack and "
        f"{', '.join(sorted(_NAMED))}"
    )


def _pad(x: Vector, q: int) -> np.ndarray:
    """Coefficients (q, …) of a series or of a constant."""
    if isinstance(x, Series):
        return x.coefficients
    x = np.asarray(x)
    result = np.zeros((q, *x.shape), dtype=x.dtype if x.dtype.kind in "fcO" else float)
    result[0] = x
    return result


def _column(x: Vector) -> Vector:
    return x[:, None] if isinstance(x, Series) else np.asarray(x)[:, None]


def _lift(coefficients: np.ndarray, ndim: int) -> np.ndarray:
    """Insert axes after the leading one so that each coefficient broadcasts to ``ndim`` dimensions."""
    missing = ndim - (coefficients.ndim - 1)
    return coefficients.reshape(coefficients.shape[0], *(1,) * max(missing, 0), *coefficients.shape[1:])


def _same_length(a: Series, b: Series) -> int:
    if len(a.coefficients) != len(b.coefficients):
        raise ValueError(
            f"series of one truncation are needed, got {len(a.coefficients)} and {len(b.coefficients)} coefficients"
        )
    return len(a.coefficients)


def _negative(x: Vector) -> Vector:
    return -x if isinstance(x, Series) else np.negative(x)


def _add(a: Vector, b: Vector) -> Series:
    if isinstance(a, Series) and isinstance(b, Series):
        _same_length(a, b)
        ndim = max(a.ndim, b.ndim)
        return Series(_lift(a.coefficients, ndim) + _lift(b.coefficients, ndim))
    series, constant = (a, np.asarray(b)) if isinstance(a, Series) else (b, np.asarray(a))
    shape = np.broadcast_shapes(series.shape, constant.shape)
    lifted = _lift(series.coefficients, len(shape))
    dtype = np.result_type(lifted, constant)
    result = np.array(np.broadcast_to(lifted, (len(lifted), *shape)), dtype=dtype)
    result[0] = result[0] + constant
    return Series(result)


def _convolve(a: Series, b: Series, product: Callable[[Vector, Vector], Vector]) -> Series:
    q, x, y = _same_length(a, b), a.coefficients, b.coefficients
    rows = []
    for k in range(q):
        total = product(x[0], y[k])
        for i in range(1, k + 1):
            total = total + product(x[i], y[k - i])
        rows.append(total)
    return Series(np.stack([np.asarray(row) for row in rows]))


def _multiply(a: Vector, b: Vector) -> Series:
    if isinstance(a, Series) and isinstance(b, Series):
        return _convolve(a, b, operator.mul)
    series, constant = (a, np.asarray(b)) if isinstance(a, Series) else (b, np.asarray(a))
    return Series(_lift(series.coefficients, max(series.ndim, constant.ndim)) * constant)


def _matmul(a: Vector, b: Vector) -> Series:
    if isinstance(a, Series) and isinstance(b, Series):
        return _convolve(a, b, np.matmul)
    if isinstance(a, Series):
        matrix = np.asarray(b)
        if a.ndim == 0 or matrix.ndim > 2:  # the axis of the coefficients is none of a stack of matrices
            return a._each(lambda c: c @ matrix)
        return Series(np.matmul(a.coefficients, matrix))
    matrix = np.asarray(a)
    if matrix.ndim > 2:
        return b._each(lambda c: matrix @ c)
    if b.ndim == 1:  # one product for all coefficients
        return Series(b.coefficients @ (matrix if matrix.ndim == 1 else matrix.T))
    return Series(np.matmul(matrix, b.coefficients))


def _dot(a: Vector, b: Vector) -> Series:
    """np.dot: a product of numbers, vectors and matrices; of arrays with more axes it is not that of ``@``."""
    axes = [x.ndim if isinstance(x, Series) else np.ndim(x) for x in (a, b)]
    if max(axes) > 2:
        raise TypeError(_unknown("np.dot of arrays with more than two axes"))
    return _matmul(a, b) if min(axes) else _multiply(a, b)


def _divide(a: Vector, b: Vector) -> Series:
    if not isinstance(b, Series):
        constant = np.asarray(b)
        return Series(_lift(a.coefficients, max(a.ndim, constant.ndim)) / constant)
    y = b.coefficients
    x = _pad(a, len(y))
    _same_length(Series(x), b)
    rows: list[Vector] = []
    for k in range(len(y)):
        total = x[k]
        for i in range(k):
            total = total - rows[i] * y[k - i]
        rows.append(total / y[0])
    return Series(np.stack(rows))


def _power(x: Vector, exponent: Scalar) -> Series:
    if isinstance(exponent, Series) or not isinstance(x, Series):
        raise TypeError("the exponent of a power of a series must be a number")
    at_zero = not np.all(x.coefficients[0] != 0)
    whole = isinstance(exponent, (int, np.integer)) or (
        at_zero and isinstance(exponent, (float, np.floating)) and float(exponent).is_integer()
    )
    if whole and exponent >= 0:
        result = x * 0 + 1
        for _ in range(int(exponent)):
            result = result * x
        return result
    c = x.coefficients
    if at_zero:
        raise ValueError(f"x**{exponent} has no Taylor series at x = 0")
    rows = [c[0] ** exponent]
    for k in range(1, len(c)):
        total = sum((exponent * j - (k - j)) * c[j] * rows[k - j] for j in range(1, k + 1))
        rows.append(total / (k * c[0]))
    return Series(np.stack(rows))


def _integrate(x: np.ndarray, derivative: Callable[[int, list[Vector]], Vector], first: Vector) -> Series:
    """Solve y' = f x' from y[0] = first, where ``derivative(k, y)`` is coefficient k of f from y[0 … k]."""
    rows, factors = [first], []
    for k in range(1, len(x)):
        factors.append(derivative(k - 1, rows))
        total = sum(j * x[j] * factors[k - j] for j in range(1, k + 1))
        rows.append(total / k)
    return Series(np.stack([np.asarray(row) for row in rows]))


def _product_at(k: int, y: list[Vector], z: list[Vector]) -> Vector:
    return sum(y[i] * z[k - i] for i in range(k + 1))


def _exp(x: Series) -> Series:
    return _integrate(x.coefficients, lambda k, y: y[k], _elementary(np.exp, x.coefficients[0]))


def _tanh(x: Series) -> Series:
    first = _elementary(np.tanh, x.coefficients[0])
    return _integrate(x.coefficients, lambda k, y: (1 if k == 0 else 0) - _product_at(k, y, y), first)


def _log(x: Series) -> Series:
    reciprocal = (1 / x).coefficients
    return _integrate(x.coefficients, lambda k, y: reciprocal[k], _elementary(np.log, x.coefficients[0]))


def _sin(x: Series, shift: int = 0) -> Series:
    c = x.coefficients
    s: list[Vector] = [_elementary(np.sin, c[0])]
    o: list[Vector] = [_elementary(np.cos, c[0])]
    for k in range(1, len(c)):
        s.append(sum(j * c[j] * o[k - j] for j in range(1, k + 1)) / k)
        o.append(-sum(j * c[j] * s[k - j] for j in range(1, k + 1)) / k)
    return Series(np.stack(o if shift else s))


def _piecewise(x: Series, name: str, chosen: Callable[[np.ndarray], np.ndarray]) -> Series:
    if not np.all(x.coefficients[0] != 0):
        raise ValueError(f"{name} has no Taylor series where its argument is 0")
    return x * chosen(x.coefficients[0])


def _maximum(a: Vector, b: Vector) -> Series:
    return (a + b + _piecewise(a - b, "maximum", np.sign)) / 2


#: Functions of `_UFUNCS` that a message names; the others are operators.
_NAMED = {
    "absolute",
    "cos",
    "exp",
    "expit",
    "expm1",
    "log",
    "log1p",
    "maximum",
    "minimum",
    "reciprocal",
    "sin",
    "sqrt",
    "square",
    "tanh",
}
_UFUNCS: dict[str, Callable[..., Series]] = {
    "add": _add,
    "subtract": lambda a, b: _add(a, _negative(b)),
    "multiply": _multiply,
    "matmul": _matmul,
    "divide": _divide,
    "true_divide": _divide,
    "negative": _negative,
    "positive": lambda x: x,
    "power": _power,
    "square": lambda x: x * x,
    "sqrt": lambda x: _power(x, 0.5),
    "reciprocal": lambda x: 1 / x,
    "exp": _exp,
    "expm1": lambda x: _exp(x) - 1,
    "log": _log,
    "log1p": lambda x: _log(1 + x),
    "tanh": _tanh,
    "sin": _sin,
    "cos": lambda x: _sin(x, 1),
    "expit": lambda x: (1 + _tanh(x / 2)) / 2,
    "absolute": lambda x: _piecewise(x, "abs", np.sign),
    "maximum": _maximum,
    "minimum": lambda a, b: -_maximum(-a, -b),
}
