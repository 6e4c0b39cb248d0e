"""All words of finitely many maps at once, in exact arithmetic, through the package's own iterates.

A law on finitely many points is a dictionary {point (tuple): weight (Fraction)}. Words are rows of map numbers
0 … M-1, position 1 first; every word is one replica, so one call gives the iterates of all of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import TypeAlias, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.families.index_laws import IndexLaw
from contraction.maps.iterates import iterates
from contraction.maps.operators import Operators, RandomOperator
from contraction.maps.orders import Order
from contraction.statements.comparisons import numbers
from contraction.statements.records import Verdict, VerdictFields
from contraction.types import Numbers, Vector

__all__ = [
    "Law",
    "Map",
    "WordLaw",
    "affine_map",
    "all_words",
    "equal_laws",
    "expectation",
    "iid",
    "iterate_law",
    "law_of",
    "law_of_words",
    "overlap",
    "random_fraction",
    "rows",
    "unit_noises",
    "variance",
    "wasserstein",
]

Map: TypeAlias = Callable[[Vector], Vector]
Law: TypeAlias = dict[tuple, Fraction]
WordLaw: TypeAlias = dict[tuple[int, ...], Fraction]


def random_fraction(rng: np.random.Generator, low: int, high: int, denominator: int = 12) -> Fraction:
    """Return a uniform multiple of 1/denominator in [low, high]."""
    return Fraction(int(rng.integers(low * denominator, high * denominator + 1)), denominator)


def affine_map(a: Fraction | int, b: Fraction | int) -> Map:
    """Return the map x -> a x + b of each coordinate."""
    return lambda x: a * x + b


def all_words(M: int, n: int) -> NDArray:
    """Every word of length n over 0 … M-1, shape (M^n, n)."""
    return np.array(list(itertools.product(range(M), repeat=n)), dtype=int).reshape(M**n, n)


def law_of_words(law: IndexLaw, n: int) -> WordLaw:
    """Return the law of the word of length n of a law of indices with exact weights.

    Raises
    ------
    TypeError
        If a probability is a float.
    """
    return dict(zip((word for word, _ in law.words(n)), numbers([p for _, p in law.words(n)]), strict=True))


def iid(weights: Sequence[Fraction], n: int) -> WordLaw:
    """Return the law of n independent indices with the given weights."""
    law: WordLaw = {}
    for word in itertools.product(range(len(weights)), repeat=n):
        weight = Fraction(1)
        for i in word:
            weight *= weights[i]
        if weight:
            law[word] = weight
    return law


def rows(
    maps: Sequence[Map], words: ArrayLike, theta0: Numbers, order: Order, at: Iterable[int] | None = None
) -> NDArray:
    """Return iterates of every word: words (W, n), θ_0 (d,) of exact numbers -> (W, n+1 or len(at), d), exact."""
    words = np.asarray(words, dtype=int)

    def apply(theta: NDArray, index: NDArray) -> NDArray:
        out = np.empty_like(theta)
        for m in np.unique(index):
            chosen = index == m
            out[..., chosen, :] = maps[m](theta[..., chosen, :])
        return out

    family = RandomOperator(draw=lambda rng: None, apply=apply, vectorized=True, name="all words")
    operators = Operators(family, list(words.T), replicas=len(words))
    return iterates(operators, np.array(theta0, dtype=object), order, at)


def unit_noises(family: RandomOperator, n: int) -> Operators:
    """Return n maps of a family with additive noise on R, and n replicas: replica i has noise 1 in its map i, else 0.

    The iterates of replica i are the coefficients of the i-th noise, for maps that are linear in point and noise.
    """
    return Operators(family, list(np.eye(n)[:, :, None]), replicas=n)


def law_of(points: NDArray, weights: Iterable[Fraction]) -> Law:
    """Return the law that gives each point (W, …) its weight; equal points share an atom."""
    law: Law = {}
    for point, weight in zip(points.reshape(len(points), -1), weights, strict=True):
        key = tuple(point.tolist())
        law[key] = law.get(key, Fraction(0)) + weight
    return law


def iterate_law(maps: Sequence[Map], words: WordLaw, theta0: Numbers, order: Order) -> Law:
    """Return the exact law of the last iterate of the words under an order."""
    array = np.array(list(words), dtype=int)
    return law_of(rows(maps, array, theta0, order, at=[array.shape[1]]), words.values())


def overlap(p: Law, q: Law) -> Fraction:
    """Return the mass that two laws share, 1 - (total variation distance): 1 if and only if they are equal."""
    return sum((min(weight, q[x]) for x, weight in p.items() if x in q), Fraction(0))


def equal_laws(
    statement: str, audited: tuple[int, ...], first: Law, second: Law, **extra: Unpack[VerdictFields]
) -> Verdict:
    """Return the verdict on the equality of two exact laws: measured is the mass that they share, claimed is 1."""
    return Verdict(statement, audited, "exact", first == second, float(overlap(first, second)), 1.0, **extra)


def expectation(law: Law, f: Callable[[tuple], Fraction] = lambda x: x[0]) -> Fraction:
    """E f; of the first coordinate unless f is given."""
    return sum((weight * f(x) for x, weight in law.items()), Fraction(0))


def variance(law: Law) -> Fraction:
    """Variance of the first coordinate."""
    mean = expectation(law)
    return expectation(law, lambda x: (x[0] - mean) ** 2)


def wasserstein(p: Law, q: Law) -> Fraction:
    """W_1 of two laws on the line, exactly: the integral of |F - G|."""
    points = sorted({x[0] for x in p} | {x[0] for x in q})
    gap, total = Fraction(0), Fraction(0)
    for here, there in itertools.pairwise(points):
        gap += p.get((here,), Fraction(0)) - q.get((here,), Fraction(0))
        total += abs(gap) * (there - here)
    return total
