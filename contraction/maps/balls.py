"""Ball arithmetic (python-flint's ``arb``) on numbers, vectors and matrices, and affine maps enclosed by it.

A ball stands for every real number that it contains; each operation returns a ball that contains every exact result.
"""

from __future__ import annotations

import importlib
import math
from fractions import Fraction
from types import ModuleType
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from contraction.types import Number

__all__ = [
    "AffineEnclosure",
    "Ball",
    "Matrix",
    "Vector",
    "ball",
    "load_flint",
    "matrix",
    "product",
    "times",
    "transpose",
    "upper",
    "upper_end",
    "vector",
]

Ball: TypeAlias = Any  # flint.arb or mpmath.mpf, of packages without types
Vector: TypeAlias = list[Ball]
Matrix: TypeAlias = list[list[Ball]]


class AffineEnclosure(NamedTuple):
    """Maps T(θ) = c + A (θ - c) + e that share A and c, in balls, with e in a box.

    Attributes
    ----------
    A : list of lists of balls
        The linear part, shape (d, d).
    center : list of balls
        c, shape (d,).
    low, high : list of balls, or None
        The ends of a box that contains e over the support, shape (d,); None if e is unbounded. Give one list for both
        where e is a single vector. The smallest box gives the smallest displacement; any box gives a bound.
    """

    A: Matrix
    center: Vector
    low: Vector | None
    high: Vector | None


def load_flint() -> ModuleType:
    """Import python-flint, or raise an error that says how to install it."""
    try:
        return importlib.import_module("flint")
    except ImportError:
        raise ImportError(
            'rigorous=True needs python-flint: pip install python-flint, or in a checkout pip install -e ".[rigorous]"'
        ) from None


def ball(x: Number | Ball) -> Ball:
    """Return a number as a ball: floats, integers and Fractions are exact (to the working precision)."""
    flint = load_flint()
    if isinstance(x, Fraction):
        return flint.arb(flint.fmpq(x.numerator, x.denominator))
    if isinstance(x, int | np.integer) and not isinstance(x, bool):
        return flint.arb(int(x))
    if isinstance(x, flint.arb):
        return x
    if not math.isfinite(x):
        raise ValueError(f"ball arithmetic needs finite numbers, got {x!r}")
    return flint.arb(float(x))


def upper(x: Ball) -> float:
    """Return a float that is at least every number of the ball."""
    flint = load_flint()
    top = x.upper()
    value = float(top)
    while not flint.arb(value) >= top:
        value = math.nextafter(value, math.inf)
    return value


def upper_end(x: Ball) -> Fraction:
    """Return the upper end of a ball, which is a binary fraction, exactly."""
    mantissa, exponent = (int(part) for part in x.upper().man_exp())
    return Fraction(mantissa) * Fraction(2) ** exponent


def vector(x: ArrayLike) -> Vector:
    """Numbers (d,) as balls."""
    return [ball(v) for v in np.asarray(x, dtype=object).reshape(-1)]


def matrix(A: ArrayLike) -> Matrix:
    """Return a matrix as rows of balls."""
    return [[ball(v) for v in row] for row in np.asarray(A, dtype=object)]


def times(A: Matrix, x: Vector) -> Vector:
    """Return A x."""
    return [sum((a * v for a, v in zip(row, x, strict=True)), ball(0)) for row in A]


def product(A: Matrix, B: Matrix) -> Matrix:
    """Return A B."""
    flint = load_flint()
    C = flint.arb_mat(A) * flint.arb_mat(B)
    return [[C[i, j] for j in range(len(B[0]))] for i in range(len(A))]


def transpose(A: Matrix) -> Matrix:
    """Return the transpose of A."""
    return [list(row) for row in zip(*A, strict=True)]
