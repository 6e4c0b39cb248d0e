"""Exact evaluation in integers of all words of finitely many maps, the arithmetic of exact laws.

Rational affine maps T_i(x) = alpha_i x / Q + beta_i / R with integers alpha, beta act on integers X = s x: the scale s
becomes s' = lcm(Q s, R) and X becomes alpha_i (s'/Qs) X + beta_i (s'/R). Every intermediate number is first bounded in
Python integers. If the bound is below 2^63, the arithmetic uses int64, otherwise Python integers, so nothing overflows.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from numbers import Complex, Rational

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.types import Atom, Exact, Numbers

__all__ = [
    "ScaledMaps",
    "all_words",
    "as_fraction",
    "as_hashable",
    "callable_values",
    "collect",
    "integers",
    "listed_values",
    "outer_values",
    "rescaled",
    "scale_start",
    "scaled_maps",
]

INT64 = 2**63 - 1


def as_fraction(x: Atom) -> Fraction:
    """Return a rational number as a Fraction; floats are refused, because the float 0.1 is not exactly 1/10."""
    if isinstance(x, Rational):
        return Fraction(int(x.numerator), int(x.denominator))
    if isinstance(x, np.integer):
        return Fraction(int(x))
    if all(hasattr(x, name) for name in ("p", "q")):  # rationals of python-flint and SymPy
        return Fraction(int(x.p), int(x.q))
    raise TypeError(f"exact laws need integers or Fractions, got {x!r}: write Fraction(1, 10) for 0.1")


def integers(values: Sequence[Exact]) -> tuple[list[int], int]:
    """Rationals over their common denominator: (numerators, denominator)."""
    exact = [as_fraction(v) for v in values]
    scale = math.lcm(*{f.denominator for f in exact})
    return [f.numerator * (scale // f.denominator) for f in exact], scale


def array(values: ArrayLike, bound: int) -> NDArray:
    """Integers as int64 if ``bound`` fits, as Python integers otherwise."""
    return np.array(values, dtype=np.int64 if bound <= INT64 else object)


def rescaled(values: NDArray, factor: int) -> NDArray:
    """Integers times a factor, as int64 if they fit and as Python integers if not."""
    if factor == 1:
        return values
    largest = max(abs(int(values.max())), abs(int(values.min())), 1) * factor
    return values * factor if largest <= INT64 else values.astype(object) * factor


@dataclass(frozen=True)
class Step:
    """One map applied to points of one scale: X -> alpha_i X + beta_i, integers, giving points of scale ``after``."""

    alpha: NDArray
    beta: NDArray
    after: int


@dataclass(frozen=True)
class ScaledMaps:
    """T_i(x) = alpha_i x / Q + beta_i / R in Python integers: alpha (M, d, d), beta (M, d)."""

    alpha: NDArray
    beta: NDArray
    Q: int
    R: int

    def steps(self, start: NDArray, scale: int, length: int) -> tuple[NDArray, list[Step]]:
        """Return the start and ``length`` steps, as int64 if no number can overflow, else as Python integers."""
        row_sum = int(np.abs(self.alpha).sum(axis=-1).max())
        shift = int(np.abs(self.beta).max())
        size = largest = max(abs(int(x)) for x in start)
        factors: list[tuple[int, int, int]] = []
        for _ in range(length):
            after = math.lcm(self.Q * scale, self.R)
            factors.append((after // (self.Q * scale), after // self.R, after))
            size = row_sum * factors[-1][0] * size + shift * factors[-1][1]
            largest = max(largest, size, row_sum * factors[-1][0])
            scale = after
        return array(start, largest), [
            Step(array(self.alpha * f, largest), array(self.beta * g, largest), after) for f, g, after in factors
        ]


def scaled_maps(maps: Sequence[tuple[Numbers, Numbers]]) -> ScaledMaps:
    """Affine maps (A, b) with rational entries over one denominator; A is a number, a diagonal or a matrix."""
    forms = [(np.asarray(A, dtype=object), np.atleast_1d(np.asarray(b, dtype=object))) for A, b in maps]
    dims = {len(b) for _, b in forms} | {A.shape[-1] for A, _ in forms if A.ndim}
    d = max(dims)
    if dims - {1, d} or any(A.shape not in ((), (d,), (d, d), (1,), (1, 1)) or b.ndim > 1 for A, b in forms):
        shapes = [(A.shape, b.shape) for A, b in forms]
        raise ValueError(f"affine maps (A, b) must share one dimension, got shapes {shapes}")
    diagonals = (A if A.shape == (d, d) else np.diag(np.broadcast_to(A.reshape(-1), (d,))) for A, _ in forms)
    alpha, Q = integers([x for matrix in diagonals for x in matrix.ravel()])
    beta, R = integers([x for _, b in forms for x in np.broadcast_to(b, (d,))])
    shape = (len(forms), d)
    return ScaledMaps(
        np.array(alpha, dtype=object).reshape(*shape, d), np.array(beta, dtype=object).reshape(shape), Q, R
    )


def scale_start(maps: ScaledMaps, theta0: Numbers) -> tuple[NDArray, int, bool]:
    """Return the start as integers (d,), their scale, and whether points are plain numbers."""
    entries = np.asarray(theta0, dtype=object)
    d = maps.beta.shape[1]
    if entries.ndim > 1 or entries.size not in (1, d):
        raise ValueError(f"the start must be a number or a point with {d} coordinates, got {theta0!r}")
    numbers, scale = integers(list(np.broadcast_to(entries.reshape(-1), (d,))))
    return np.array(numbers, dtype=object), scale, d == 1 and entries.ndim == 0


def all_words(count: int, n: int) -> NDArray:
    """All count^n words as rows (count^n, n) in lexicographic order, position 1 slowest."""
    words = np.empty((count,) * n + (n,), dtype=np.int16 if count > 127 else np.int8)
    for j in range(n):
        words[..., j] = np.arange(count).reshape((count,) + (1,) * (n - 1 - j))
    return words.reshape(count**n, n)


def outer_values(
    maps: ScaledMaps, positions: Sequence[int], n: int, start: NDArray, start_scale: int
) -> tuple[NDArray, int]:
    """Values of a word over all M^n draws of (T_1, …, T_n), in lexicographic order of the draws, with their scale.

    Axis j - 1 of the array of values belongs to the draw of T_j; it has length 1 until that map is applied, and length
    M afterwards. So maps that were not yet applied cost nothing, and the total is about two operations per word.
    """
    M, d = maps.beta.shape
    first, steps = maps.steps(start, start_scale, len(positions))
    values = first.reshape((1,) * n + (d,))
    for step, j in zip(steps, reversed(positions), strict=True):
        axis = j - 1
        drawn_before = values.shape[axis] == M
        values = np.concatenate(
            [
                _linear(step.alpha[i], _entry(values, axis, i) if drawn_before else values) + step.beta[i]
                for i in range(M)
            ],
            axis=axis,
        )
    values = np.broadcast_to(values, (M,) * n + (d,)).reshape(-1, d)
    return values, steps[-1].after if steps else start_scale


def _entry(values: NDArray, axis: int, i: int) -> NDArray:
    """Entry i along an axis; the axis remains with length 1."""
    return values[(slice(None),) * axis + (slice(i, i + 1),)]


def _linear(alpha: NDArray, X: NDArray) -> NDArray:
    return X * alpha[0, 0] if alpha.shape == (1, 1) else X @ alpha.T


def listed_values(
    maps: ScaledMaps, positions: Sequence[int], words: NDArray, start: NDArray, start_scale: int
) -> tuple[NDArray, int]:
    """Values of a word for the listed draws only: words (K, n) of map numbers -> (K, d), with their scale."""
    first, steps = maps.steps(start, start_scale, len(positions))
    X = np.repeat(first[None], len(words), axis=0)
    for step, j in zip(steps, reversed(positions), strict=True):
        chosen = words[:, j - 1]
        if maps.beta.shape[1] == 1:
            X = step.alpha[:, 0, 0][chosen, None] * X + step.beta[chosen]
        else:
            X = (step.alpha[chosen] @ X[..., None])[..., 0] + step.beta[chosen]
    return X, steps[-1].after if steps else start_scale


def callable_values(
    maps: Sequence[Callable[[Atom], Atom]], positions: Sequence[int], words: NDArray, theta0: Atom
) -> list[Hashable]:
    """Values of a word for the listed draws by applying the maps themselves; common inner parts are applied once."""
    known: dict[tuple[int, ...], Atom] = {(): theta0}
    out = []
    for word in words.tolist():
        inner = tuple(word[j - 1] for j in reversed(positions))
        length = len(inner)
        while inner[:length] not in known:
            length -= 1
        for k in range(length, len(inner)):
            value = maps[inner[k]](known[inner[:k]])
            known[inner[: k + 1]] = int(value) if isinstance(value, np.integer) else value
        out.append(as_hashable(known[inner]))
    return out


def as_hashable(point: Atom) -> Hashable:
    """Return a point of a law: arrays and lists become tuples; floats are refused."""
    if isinstance(point, np.ndarray):
        point = point.tolist()
    if isinstance(point, list | tuple):
        return tuple(as_hashable(p) for p in point)
    if point is None:
        raise TypeError("a map returned None in place of a point: does the function end without a return?")
    if isinstance(point, float | np.floating | Decimal):
        kind = "Decimal" if isinstance(point, Decimal) else "float"
        raise TypeError(f"a map returned the {kind} {point!r}: exact laws need maps that return exact numbers")
    if isinstance(point, int | Rational | np.integer | np.bool_):
        return as_fraction(int(point) if isinstance(point, np.bool_) else point)
    if isinstance(point, Complex):
        raise TypeError(f"a map returned {point!r}: exact laws need maps that return exact numbers, which are real")
    return point


def collect(values: NDArray, masses: NDArray | None) -> tuple[NDArray, NDArray]:
    """Distinct rows of values (K, d) in lexicographic order with their summed integer masses (None: one each)."""
    if values.dtype == object or (masses is not None and masses.dtype == object):
        totals: dict[tuple[int, ...], int] = {}
        weights = itertools.repeat(1) if masses is None else masses.tolist()
        for point, mass in zip(map(tuple, values.tolist()), weights, strict=False):
            totals[point] = totals.get(point, 0) + mass
        points = sorted(p for p, mass in totals.items() if mass)
        atoms = np.array(points, dtype=values.dtype).reshape(len(points), values.shape[1])
        return atoms, array([totals[p] for p in points], sum(totals.values()))
    if masses is not None and not masses.all():
        values, masses = values[masses != 0], masses[masses != 0]
    if values.shape[1] == 1 and masses is None:
        ordered = np.sort(values, axis=0)
    else:
        order = np.argsort(values[:, 0], kind="stable") if values.shape[1] == 1 else np.lexsort(values.T[::-1])
        ordered = values[order]
        masses = None if masses is None else masses[order]
    changes = np.ones(len(ordered), dtype=bool)
    changes[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    starts = np.flatnonzero(changes)
    if masses is None:
        return ordered[starts], np.diff(starts, append=len(ordered))
    return ordered[starts], np.add.reduceat(masses, starts)
