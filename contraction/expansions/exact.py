"""Exact fields: polynomials over the rationals, and SymPy expressions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import product
from math import prod

import numpy as np

from contraction.arguments import check_type
from contraction.expansions.fields import VectorField
from contraction.expansions.series import Series
from contraction.types import Scalar, Vector

__all__ = ["polynomial_field", "rational_vector", "symbolic_field"]


def rational_vector(values: Sequence[int | Fraction | str] | np.ndarray) -> np.ndarray:
    """Return an object array of Fractions; floats are refused, because they would be rounded decimals.

    Raises
    ------
    TypeError
        If a value is not an integer, a Fraction or a string such as "2/3".

    Examples
    --------
    >>> from contraction import expansions as ex
    >>> ex.rational_vector([1, "1/3"])
    array([Fraction(1, 1), Fraction(1, 3)], dtype=object)
    """
    for value in values:
        if isinstance(value, bool) or not isinstance(value, (int, np.integer, Fraction, str)):
            raise TypeError(f"exact vectors take integers, Fractions or strings such as '2/3', got {value!r}")
    result = np.empty(len(values), dtype=object)
    result[:] = [exact_number(value) for value in values]
    return result


def exact_number(value: float | Fraction | str) -> Fraction:
    """Return a number, or text such as "2/3", as a Fraction; ValueError if it is neither, or not finite."""
    try:
        return Fraction(int(value) if isinstance(value, np.integer) else value)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        raise ValueError(f"exact numbers are integers, Fractions or strings such as '2/3', got {value!r}") from None


def polynomial_field(components: Sequence[Mapping[tuple[int, ...], int | Fraction | str]]) -> VectorField:
    """Return the polynomial field whose component k is Σ c θ^e over the items (e, c) of ``components[k]``.

    Parameters
    ----------
    components
        One mapping for each of the d coordinates: exponents (e_1, …, e_d) → rational coefficient.

    Returns
    -------
    VectorField
        Exact on `rational_vector` arguments, with all derivatives.

    Raises
    ------
    ValueError
        If an exponent tuple is not d integers of at least 0.

    Examples
    --------
    >>> from contraction import expansions as ex
    >>> field = ex.polynomial_field([{(2,): 3}])  # V(θ) = 3θ²
    >>> field.value(ex.rational_vector(["1/2"]))
    array([Fraction(3, 4)], dtype=object)
    """
    d = len(components)
    for component in components:
        check_type("each component", component, Mapping, "a dictionary {exponents: coefficient}")
    tables = [{e: exact_number(c) for e, c in component.items()} for component in components]
    for e in (e for table in tables for e in table):
        if len(e) != d or any(not isinstance(power, int) or power < 0 for power in e):
            raise ValueError(f"exponents must be {d} integers of at least 0, got {e!r}")

    def vector(entries: Sequence[object]) -> np.ndarray:
        result = np.empty(d, dtype=object)
        result[:] = entries
        return result

    def derivative(theta: Vector, vectors: Sequence[Vector]) -> Vector:
        return vector([_directional(table, theta, vectors) for table in tables])

    def series(coefficients: Vector) -> Vector:
        x = Series(coefficients)
        columns = [x[k] for k in range(d)]
        result = np.empty((len(coefficients), d), dtype=object)
        for k, table in enumerate(tables):
            column = columns[0] * 0 + _polynomial(table, columns)
            result[:, k] = column.coefficients
        return result

    return VectorField(
        value=lambda theta: vector([_polynomial(table, theta) for table in tables]),
        derivative=derivative,
        series=series,
    )


def _partial(table: Mapping[tuple[int, ...], Fraction], k: int) -> dict[tuple[int, ...], Fraction]:
    return {(*e[:k], e[k] - 1, *e[k + 1 :]): c * e[k] for e, c in table.items() if e[k]}


def symbolic_field(expressions: Sequence[object], symbols: Sequence[object]) -> VectorField:
    """Return the field with the given SymPy components in the given symbols.

    Vectors are object arrays of SymPy expressions; the point may be the symbols themselves, so that coefficients
    come out as expressions in θ.

    Parameters
    ----------
    expressions
        d SymPy expressions (or what ``sympify`` takes).
    symbols
        The d coordinates.

    Raises
    ------
    ValueError
        If the numbers of expressions and symbols differ.

    Examples
    --------
    >>> import numpy as np
    >>> import sympy
    >>> from contraction import expansions as ex
    >>> x = sympy.Symbol("x")
    >>> fields = [ex.symbolic_field([sympy.sin(x)], [x]), ex.symbolic_field([x**2], [x])]
    >>> ex.minus_lie_bracket_sum(fields, np.array([x]))[0]  # V_1'V_2 - V_2'V_1
    x**2*cos(x) - 2*x*sin(x)
    """
    import sympy

    if len(expressions) != len(symbols):
        raise ValueError(f"{len(symbols)} coordinates need as many components, got {len(expressions)}")
    components = [sympy.sympify(expression) for expression in expressions]

    def at(expression: Scalar, theta: Vector) -> Scalar:
        return expression.subs(dict(zip(symbols, theta, strict=True)), simultaneous=True)

    def vector(entries: Sequence[object]) -> np.ndarray:
        result = np.empty(len(entries), dtype=object)
        result[:] = entries
        return result

    def derivative(theta: Vector, vectors: Sequence[Vector]) -> Vector:
        entries = []
        for component in components:
            total = sympy.Integer(0)
            for directions in product(range(len(symbols)), repeat=len(vectors)):
                partial: Scalar = component
                for k in directions:
                    partial = partial.diff(symbols[k])
                weight = prod((v[k] for v, k in zip(vectors, directions, strict=True)), start=sympy.Integer(1))
                total += at(partial, theta) * weight
            entries.append(total)
        return vector(entries)

    return VectorField(value=lambda theta: vector([at(c, theta) for c in components]), derivative=derivative)


def _polynomial(table: Mapping[tuple[int, ...], Fraction], theta: Vector) -> Scalar:
    """Σ c θ^e over the items (e, c) of a table."""
    total: Scalar = Fraction(0)
    for e, c in table.items():
        total = total + c * prod((theta[k] ** power for k, power in enumerate(e) if power), start=Fraction(1))
    return total


def _directional(table: Mapping[tuple[int, ...], Fraction], theta: Vector, vectors: Sequence[Vector]) -> Scalar:
    """Return the derivative of the polynomial of a table at θ in the directions of all vectors."""
    total: Scalar = Fraction(0)
    for directions in product(range(len(theta)), repeat=len(vectors)):
        partial = table
        for k in directions:
            partial = _partial(partial, k)
        if partial:
            total += _polynomial(partial, theta) * prod(v[k] for v, k in zip(vectors, directions, strict=True))
    return total
