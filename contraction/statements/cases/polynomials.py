"""Polynomial fields over the rationals for the statements of Appendices C and D, and direct composition in powers of h.

The direct composition multiplies truncated polynomials in h with Fractions. It uses neither trees nor
`contraction.expansions.Series`, so the expansions can be compared with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from contraction import expansions as ex
from contraction.types import Vector

__all__ = ["Table", "composed", "descent_tables", "fields_of", "point", "random_tables", "steps_apart", "total"]

Table = list[dict[tuple[int, ...], Fraction]]


def _fraction(rng: np.random.Generator) -> Fraction:
    return Fraction(int(rng.integers(-9, 10)), int(rng.integers(1, 7)))


def _exponents(d: int, degree: int) -> list[tuple[int, ...]]:
    if d == 0:
        return [()]
    return [(e, *rest) for e in range(degree + 1) for rest in _exponents(d - 1, degree - e)]


def random_tables(seed: int, count: int, d: int = 2, degree: int = 3) -> list[Table]:
    """``count`` polynomial fields on Q^d, of degree ``degree`` and one less in turn; no gradients."""
    rng = np.random.default_rng([seed, 1])
    return [[{e: _fraction(rng) for e in _exponents(d, degree - i % 2)} for _ in range(d)] for i in range(count)]


def descent_tables(seed: int, count: int, d: int = 2, degree: int = 4) -> list[Table]:
    """Fields −∇L_i of ``count`` polynomial losses of the given degree."""
    rng = np.random.default_rng([seed, 2])
    tables = []
    for _ in range(count):
        loss = {e: _fraction(rng) for e in _exponents(d, degree)}
        tables.append([{(*e[:k], e[k] - 1, *e[k + 1 :]): -c * e[k] for e, c in loss.items() if e[k]} for k in range(d)])
    return tables


def point(seed: int, d: int = 2) -> np.ndarray:
    """Return a rational point of Q^d."""
    rng = np.random.default_rng([seed, 3])
    return ex.rational_vector([_fraction(rng) for _ in range(d)])


def fields_of(tables: Sequence[Table]) -> list[ex.VectorField]:
    """Return the fields of the tables, with all derivatives."""
    return [ex.polynomial_field(table) for table in tables]


def composed(tables: Sequence[Table], word: Sequence[int], theta: np.ndarray, order: int) -> list[list[Fraction]]:
    """Coefficients of h^0 … h^order of T_word(θ), T_i = 1 + hV_i, by composing the polynomials in h."""
    state = [[Fraction(x), *[Fraction(0)] * order] for x in theta]
    for index in reversed(word):
        velocity = [_at(component, state, order) for component in tables[index - 1]]
        for x, v in zip(state, velocity, strict=True):
            for k in range(order, 0, -1):
                x[k] += v[k - 1]
    return [[x[k] for x in state] for k in range(order + 1)]


def _times(a: list[Fraction], b: list[Fraction], order: int) -> list[Fraction]:
    return [sum((a[i] * b[k - i] for i in range(k + 1)), Fraction(0)) for k in range(order + 1)]


def _at(component: dict[tuple[int, ...], Fraction], state: list[list[Fraction]], order: int) -> list[Fraction]:
    result = [Fraction(0)] * (order + 1)
    for e, c in component.items():
        term = [c, *[Fraction(0)] * order]
        for x, power in zip(state, e, strict=True):
            for _ in range(power):
                term = _times(term, x, order)
        result = [a + b for a, b in zip(result, term, strict=True)]
    return result


def total(vectors: Sequence[Vector]) -> Vector:
    """Their sum; there must be at least one."""
    result = vectors[0]
    for vector in vectors[1:]:
        result = result + vector
    return result


def steps_apart(k: int) -> tuple[Fraction, Fraction, Fraction]:
    """T_1T_2(0), T_2T_1(0) and h = 4^{-k} for V_1 = |x|^{3/2}, V_2 = 1, exactly: V_1(h) = 8^{-k}, V_1(0) = 0."""
    h, root = Fraction(1, 4**k), Fraction(1, 2**k)
    return h + h * root**3, h, h
