"""Taylor coefficients of a loss of one row of data in the few linear features through which it sees the parameters.

A loss phi(θ, row) of a small network depends on θ only through linear combinations of parameters: the inputs of
its activations, its output weights. These *features* s = s_0 + A u are found while the loss runs on symbols, and its
Taylor coefficients in s, of which few differ from 0, are carried through every operation (Griewank and Walther,
Evaluating Derivatives, chapter 13). With intervals the coefficients enclose D^a phi / a! at every point of a box; with
floats they are its derivatives at points. All rows of a batch go at once: a coefficient is an array over rows.
"""

from __future__ import annotations

import functools
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from contraction.maps.errors import MapRefused
from contraction.maps.intervals import ELEMENTARY, Intervals, above, as_intervals, boxed, derivatives
from contraction.types import RowLoss, override

__all__ = ["Jet", "Linear", "Monomial", "Number", "Tape", "as_floats", "differentiate"]

Number: TypeAlias = float | NDArray | Intervals  # over rows
Operand: TypeAlias = "Number | Symbol"
Monomial: TypeAlias = tuple[int, ...]  # features in increasing order, with repetitions


class Tape:
    """The features that a loss has used so far, and how far each may move.

    Parameters
    ----------
    center
        θ at the centre: numbers (d,), each a float, an array over points, or intervals.
    order
        Highest order of Taylor coefficients, 1 to 3.
    basis, radii
        The box {center + Q u: |u_j| <= r_j} over which coefficients are enclosed; None at single points.
    """

    def __init__(
        self, center: Sequence[Number], order: int, basis: NDArray | None = None, radii: NDArray | None = None
    ) -> None:
        self.center, self.order, self.basis, self.radii = center, order, basis, radii
        self.rows: list[dict[int, Number]] = []

    def theta(self) -> NDArray:
        """Return the parameters as an array (d,) of `Linear`."""
        out = np.empty(len(self.center), dtype=object)
        out[:] = [Linear(self, 0.0, {m: 1.0}) for m in range(len(self.center))]
        return out.view(Symbols)

    def feature(self, constant: Number, row: dict[int, Number]) -> Jet:
        """Return a linear combination of parameters as a new feature."""
        value = constant
        for m, coefficient in row.items():
            value = value + self.center[m] * coefficient
        self.rows.append(row)
        if self.basis is not None and self.radii is not None:
            reach = np.sum(direction(row, self.basis).magnitude * self.radii, axis=-1)
            value = as_intervals(value + np.zeros(len(reach))).widened(above(reach, 2 * len(self.radii)))
        return Jet(self, {(): value, (len(self.rows) - 1,): 1.0})


def direction(row: dict[int, Number], basis: NDArray) -> Intervals:
    """Return the row of A that belongs to a feature: Σ_m c_m Q_m, shape (n, d) or (1, d)."""
    columns = [np.atleast_1d(c.mid if isinstance(c, Intervals) else np.asarray(c, dtype=float)) for c in row.values()]
    spreads = [np.atleast_1d(c.rad) if isinstance(c, Intervals) else np.zeros(1) for c in row.values()]
    n = max(len(c) for c in columns)
    mid, rad = (np.stack([np.broadcast_to(c, (n,)) for c in part], axis=-1) for part in (columns, spreads))
    return Intervals(mid, rad) @ basis[list(row)]


#: How NumPy and Python name the symbols on which a loss is run, in their messages.
INTERNAL = re.compile(r"'(Linear|Jet|Symbols|Rows|Intervals)'")


class Symbol(ABC):
    """What `Linear` and `Jet` share: NumPy's functions reach them in arrays of objects and by themselves."""

    __hash__ = None  # type: ignore[assignment]
    tape: Tape

    @abstractmethod
    def jet(self) -> Jet: ...

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Operand, **kwargs: object) -> Symbol | NDArray:
        arrays = [x for x in inputs if isinstance(x, np.ndarray) and x.dtype == object]
        if arrays:  # an array of symbols with one symbol: entry by entry
            entries = [x if isinstance(x, np.ndarray) and x.dtype == object else boxed(x) for x in inputs]
            return getattr(ufunc, method)(*entries, **kwargs)
        rule = _UFUNCS.get(ufunc.__name__)
        if method != "__call__" or kwargs:
            raise MapRefused(f"a loss uses {ufunc.__name__}.{method}, which has no enclosure")
        if rule is not None:
            return rule(*inputs)
        return self._elementary(ufunc.__name__)

    def __getattr__(self, name: str) -> Callable[[], Symbol]:
        if name in ELEMENTARY and not name.startswith("_"):
            return lambda: self._elementary(name)
        raise AttributeError(name)

    def _elementary(self, name: str) -> Symbol:
        if name not in ELEMENTARY:
            raise MapRefused(_refusal(name))
        jet = self.jet()
        if jet.exponents and name in ("log", "log1p"):
            terms = (*((0.0,) if name == "log1p" else ()), *jet.exponents)
            return cast("Symbol", functools.reduce(_logaddexp, terms))
        composed = jet.compose(_coefficients(name, jet.terms[()], self.tape.order))
        composed.exponents = (jet,) if name == "exp" else ()
        return composed

    def __sub__(self, other: Operand) -> Symbol:
        return self + (-other)

    def __rsub__(self, other: Operand) -> Symbol:
        return (-self) + other

    def __radd__(self, other: Operand) -> Symbol:
        return self + other

    def __rmul__(self, other: Operand) -> Symbol:
        return self * other

    def __rtruediv__(self, other: Operand) -> Symbol:
        return self._elementary("reciprocal") * other

    def __truediv__(self, other: Operand) -> Symbol:
        if isinstance(other, Symbol):
            return self * other._elementary("reciprocal")
        exact = isinstance(self.tape.center[0], Intervals)
        return self * (1.0 / (as_intervals(other) if exact else other))

    def __pow__(self, exponent: object) -> Operand:
        if not isinstance(exponent, int | np.integer) or exponent < 0:
            shown = "that depends on theta" if isinstance(exponent, Symbol) else repr(exponent)
            raise MapRefused(f"a loss uses a power {shown}: only integers of at least 0 have an enclosure")
        out: Operand = 1.0
        for _ in range(int(exponent)):
            out = self * out
        return out

    @abstractmethod
    def __add__(self, other: Operand) -> Symbol: ...

    @abstractmethod
    def __mul__(self, other: Operand) -> Symbol: ...

    def __neg__(self) -> Symbol:
        return self * -1.0

    def __bool__(self) -> bool:
        raise MapRefused("a loss must not branch on the parameters: write it with smooth functions only")

    __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = lambda self, other: bool(self)


class Symbols(np.ndarray):
    """An array of symbols, or of numbers of a row. NumPy's functions reach each of its entries.

    A number of a row, which is an array over rows (`Rows`) or intervals, counts as one number beside it.
    """

    @override
    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: object, **kwargs: object) -> object:
        plain = [_plain(one) for one in inputs]
        if "out" in kwargs:
            kwargs["out"] = tuple(_plain(one) for one in cast("tuple[object, ...]", kwargs["out"]))
        entrywise = ufunc
        if ufunc.__name__ in ELEMENTARY or not any("O" in types for types in ufunc.types):
            entrywise = np.frompyfunc(lambda *entries: ufunc(*entries), ufunc.nin, ufunc.nout)
        try:
            value = getattr(entrywise, method)(*plain, **kwargs)
        except (TypeError, AttributeError) as error:  # NumPy finds no method for it in a symbol
            if ufunc.__name__ in _UFUNCS or ufunc.__name__ in ELEMENTARY:
                raise MapRefused(f"a loss uses {ufunc.__name__} in a way that has no enclosure: {error}") from error
            raise MapRefused(_refusal(ufunc.__name__)) from error
        return value.view(Symbols) if isinstance(value, np.ndarray) and value.dtype == object else value


class Rows(np.ndarray):
    """One number of a row of data, for all rows: beside an array of symbols it is one number, not an array."""

    @override
    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: object, **kwargs: object) -> object:
        if any(isinstance(one, Symbol | Symbols) for one in inputs):
            return NotImplemented
        if any(isinstance(one, np.ndarray) and one.dtype == object for one in inputs):
            return getattr(ufunc, method)(*(_plain(one) for one in inputs), **kwargs)
        if "out" in kwargs:
            kwargs["out"] = tuple(np.asarray(one) for one in cast("tuple[ArrayLike, ...]", kwargs["out"]))
        value = getattr(ufunc, method)(*(np.asarray(one) if isinstance(one, Rows) else one for one in inputs), **kwargs)
        return value.view(Rows) if method == "__call__" and isinstance(value, np.ndarray) else value


def _plain(one: object) -> object:
    """Return an array of symbols as a plain array of objects, and a number of a row in a box without axes."""
    if isinstance(one, Symbols):
        return one.view(np.ndarray)
    return boxed(one) if isinstance(one, Rows | Intervals) else one


def _refusal(name: str) -> str:
    known = ", ".join(n for n in ELEMENTARY if n != "softplus")
    return f"a loss uses {name}, which has no enclosure: known are +, -, *, /, @, integer powers, {known} and logaddexp"


class Linear(Symbol):
    """constant + Σ_m c_m θ_m, coefficients over rows; it becomes a feature where a loss is not linear in it."""

    def __init__(self, tape: Tape, constant: Number, row: dict[int, Number]) -> None:
        self.tape, self.constant, self.row = tape, constant, row
        self._jet: Jet | None = None

    @override
    def jet(self) -> Jet:
        if self._jet is None:
            self._jet = self.tape.feature(self.constant, self.row)
        return self._jet

    def __add__(self, other: Operand) -> Symbol:
        if isinstance(other, Linear):
            row = dict(self.row)
            for m, c in other.row.items():
                row[m] = row[m] + c if m in row else c
            return Linear(self.tape, self.constant + other.constant, row)
        if isinstance(other, Symbol):
            return other + self.jet()
        if isinstance(other, np.ndarray) and other.dtype == object:
            return NotImplemented
        return Linear(self.tape, other + self.constant, self.row)

    def __mul__(self, other: Operand) -> Symbol:
        if isinstance(other, Symbol):
            return self.jet() * other.jet()
        if isinstance(other, np.ndarray) and other.dtype == object:
            return NotImplemented
        return Linear(self.tape, other * self.constant, {m: other * c for m, c in self.row.items()})


class Jet(Symbol):
    """Taylor coefficients by monomial of features, up to the order of the tape; no entry means 0."""

    def __init__(self, tape: Tape, terms: dict[Monomial, Number]) -> None:
        self.tape, self.terms = tape, terms
        #: x, y, … on e^x + e^y + …, whose logarithm has a separate enclosure.
        self.exponents: tuple[Operand, ...] = ()

    @override
    def jet(self) -> Jet:
        return self

    def __add__(self, other: Operand) -> Symbol:
        if isinstance(other, np.ndarray) and other.dtype == object:
            return NotImplemented
        terms = dict(self.terms)
        for key, value in (other.jet().terms if isinstance(other, Symbol) else {(): other}).items():
            terms[key] = terms[key] + value if key in terms else value
        total = Jet(self.tape, terms)
        if self.exponents:
            total.exponents = _exponents(self.exponents, other)
        return total

    def __mul__(self, other: Operand) -> Symbol:
        if isinstance(other, np.ndarray) and other.dtype == object:
            return NotImplemented
        if isinstance(other, Symbol):
            return Jet(self.tape, _times(self.terms, other.jet().terms, self.tape.order))
        return Jet(self.tape, {key: other * value for key, value in self.terms.items()})

    def compose(self, c: Sequence[Number]) -> Jet:
        """Σ_k c_k (self - value)^k, the composition with a function of Taylor coefficients c."""
        small = {key: value for key, value in self.terms.items() if key}
        terms: dict[Monomial, Number] = {(): c[0]}
        power: dict[Monomial, Number] = {(): 1.0}
        for k in range(1, self.tape.order + 1):
            power = _times(power, small, self.tape.order)
            for key, value in power.items():
                added = c[k] * value
                terms[key] = terms[key] + added if key in terms else added
        return Jet(self.tape, terms)


def _times(a: dict[Monomial, Number], b: dict[Monomial, Number], order: int) -> dict[Monomial, Number]:
    out: dict[Monomial, Number] = {}
    for p, x in a.items():
        for q, y in b.items():
            if len(p) + len(q) <= order:
                key = tuple(sorted(p + q))
                out[key] = out[key] + x * y if key in out else x * y
    return out


def _coefficients(name: str, x: Number, order: int) -> Sequence[Number]:
    if isinstance(x, Intervals):
        return derivatives(name, x, order)
    return _FLOATS[name](np.asarray(x, dtype=float))[: order + 1]


#: Value and slope in floats, for gradients at points.
_FLOATS: dict[str, Callable[[NDArray], list[NDArray]]] = {
    "tanh": lambda x: [t := np.tanh(x), 1 - t * t],
    "softplus": lambda x: [np.logaddexp(0.0, x), special.expit(x)],
    "expit": lambda x: [s := special.expit(x), s * (1 - s)],
    "exp": lambda x: [e := np.exp(x), e],
    "log": lambda x: [np.log(x), 1 / x],
    "log1p": lambda x: [np.log1p(x), 1 / (1 + x)],
    "reciprocal": lambda x: [1 / x, -1 / x**2],
    "sqrt": lambda x: [r := np.sqrt(x), 0.5 / r],
    "sin": lambda x: [np.sin(x), np.cos(x)],
    "cos": lambda x: [np.cos(x), -np.sin(x)],
}


def _exponents(known: tuple[Operand, ...], added: Operand) -> tuple[Operand, ...]:
    """Return the exponents of a sum of exponentials and of what is added: 0, 1 or such a sum; () for anything else."""
    if isinstance(added, Jet):
        return (*known, *added.exponents) if added.exponents else ()
    if not isinstance(added, int | float) or added not in (0, 1):
        return ()
    return (0.0, *known) if added == 1 else known


def _logaddexp(a: Operand, b: Operand) -> Symbol:
    """log(e^a + e^b) = a + softplus(b - a), a being the argument that is not symbolic, if there is one."""
    a, symbol = (a, b) if isinstance(b, Symbol) else (b, cast("Symbol", a))
    return (symbol - a)._elementary("softplus") + a


_UFUNCS: dict[str, Callable[..., Symbol]] = {
    "add": lambda a, b: a + b if isinstance(a, Symbol) else b + a,
    "subtract": lambda a, b: a - b if isinstance(a, Symbol) else (-b) + a,
    "multiply": lambda a, b: a * b if isinstance(a, Symbol) else b * a,
    "divide": lambda a, b: a / b if isinstance(a, Symbol) else b._elementary("reciprocal") * a,
    "negative": lambda a: -a,
    "positive": lambda a: a,
    "square": lambda a: a * a,
    "power": lambda a, n: a**n,
    "logaddexp": _logaddexp,
}


def differentiate(loss: RowLoss, tape: Tape, data: tuple[ArrayLike, ...]) -> dict[Monomial, Number]:
    """Run a loss of one row on symbols and return the Taylor coefficients of its value, over all rows.

    Parameters
    ----------
    loss
        ``loss(theta, *row)`` -> number, written for one row: θ (d,) and one entry of each array of ``data``.
    tape
        Where features are collected.
    data
        Arrays with the rows along the first axis.

    Raises
    ------
    MapRefused
        If the loss uses a function without an enclosure, branches on the parameters, or does not give one number.
    """
    exact = tape.basis is not None or isinstance(tape.center[0], Intervals)
    wrap = Intervals if exact else lambda rows: rows.view(Rows)
    rows = tuple(_columns(np.asarray(one, dtype=float), wrap) for one in data)
    try:
        value = loss(tape.theta(), *rows)
    except MapRefused:
        raise
    except (TypeError, AttributeError, ValueError, IndexError) as error:
        # NumPy's own error, as where a list of symbols meets a function that arrays of objects do not have
        raise MapRefused(
            "a loss must be a function of theta and one row of data, in arrays and NumPy's smooth functions: "
            f"{INTERNAL.sub('a number that depends on theta', str(error))}"
        ) from error
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(-1)[0]
    if isinstance(value, np.ndarray):
        raise MapRefused(f"a loss must return one number for one row of data, got an array of shape {value.shape}")
    if not isinstance(value, Symbol):
        raise MapRefused(f"a loss must give one number for one row that depends on theta, got {type(value).__name__}")
    return value.jet().terms


def as_floats(value: Number) -> NDArray:
    """Return a coefficient of a tape of floats as an array.

    Raises
    ------
    TypeError
        If the tape has intervals.
    """
    if isinstance(value, Intervals):
        raise TypeError("the coefficient is an enclosure, not a float")
    return np.asarray(value, dtype=float)


def _columns(rows: NDArray, wrap: Callable[[NDArray], Number]) -> Number:
    """One row of data as symbols: a number (n,) stays one, and (n, p, …) becomes an object array (p, …) of numbers."""
    if rows.ndim == 1:
        return wrap(rows)
    out = np.empty(rows.shape[1:], dtype=object)
    for place in np.ndindex(out.shape):
        out[place] = wrap(np.ascontiguousarray(rows[(slice(None), *place)]))
    return out.view(Symbols)
