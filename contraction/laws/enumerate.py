"""Enumerate all words of finitely many maps: exact laws of iterates, of pairs of iterates, and of the words."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from contraction.arguments import check_integer
from contraction.families.finite import FiniteFamily
from contraction.families.index_laws import IID
from contraction.laws import _words
from contraction.laws._words import as_fraction
from contraction.laws.exact import ExactLaw, LawComparison, compare_laws
from contraction.maps.operators import AffineMaps, RandomOperator
from contraction.maps.orders import Backward, Forward, Order, check_order, full_word

__all__ = [
    "compare_orders",
    "exact_law",
    "exact_laws",
    "exchangeable_pair",
    "is_stationary",
    "pair_law",
    "push_forward",
    "reversible",
    "word_law",
]

MOST_WORDS = 2**25

#: Weights (i.i.d.; None: equal), an object with ``words(n)``, or a function n -> pairs (word, probability).
IndexLaw: TypeAlias = Any


def exact_law(
    maps: Any, n: int, theta0: Any = 0, *, order: Order | None = None, index_law: IndexLaw = None
) -> ExactLaw:
    """The exact law of iterate n over all draws of T_1, …, T_n from finitely many maps.

    Parameters
    ----------
    maps
        The maps, numbered from 0: affine maps as pairs (A, b) with rational entries (A a number, a diagonal or a
        matrix), which are faster; or functions of one point, such as ``lambda x: x / 2 if x else Fraction(1)``; or a
        `contraction.families.FiniteFamily`, whose law of indices is then the default.
    n
        Number of maps.
    theta0
        The start: a rational number, or a sequence of rational numbers.
    order
        Any order (default: `contraction.maps.orders.Forward`).
    index_law
        The law of the word of map numbers (position 1 first): weights of i.i.d. draws (default: equal), an object with
        ``words(n)`` (such as those of `contraction.families`), or a function n -> iterable of (word, probability). The
        probabilities must be rational with sum one.

    Returns
    -------
    ExactLaw

    Raises
    ------
    TypeError
        If a number is not rational: floats are refused.
    ValueError
        If there are no maps, the weights do not sum to one, or there are more than 2^25 words (see `merged_law`).
    """
    return exact_laws(maps, n, theta0, orders=(order or Forward(),), index_law=index_law)[0]


def exact_laws(
    maps: Any,
    n: int,
    theta0: Any = 0,
    *,
    orders: Sequence[Order] = (Forward(), Backward()),
    index_law: IndexLaw = None,
) -> tuple[ExactLaw, ...]:
    """Exact laws of iterate n under several orders over the same words; see `exact_law` for the parameters."""
    draws = _Draws(maps, index_law, n)
    out = []
    for order in orders:
        values, scale, scalar = draws.values(order, theta0)
        out.append(draws.law(values, scale, scalar))
    return tuple(out)


def compare_orders(
    maps: Any,
    n: int,
    theta0: Any = 0,
    *,
    orders: tuple[Order, Order] = (Forward(), Backward()),
    index_law: IndexLaw = None,
) -> LawComparison:
    """Decide exactly whether iterate n has the same law under two orders (Theorem 2.6); if not, name an atom."""
    return compare_laws(*exact_laws(maps, n, theta0, orders=orders, index_law=index_law))


def pair_law(
    maps: Any,
    n: int,
    theta0: Any = 0,
    *,
    orders: tuple[Order, Order] = (Forward(), Backward()),
    index_law: IndexLaw = None,
) -> ExactLaw:
    """The exact joint law of iterate n under two orders of the same maps; points are pairs."""
    draws = _Draws(maps, index_law, n)
    pairs = [draws.values(order, theta0) for order in orders]
    if draws.affine is None:
        return draws.law([(p, q) for p, q in zip(pairs[0][0], pairs[1][0], strict=True)], 1, False)
    scale = math.lcm(pairs[0][1], pairs[1][1])
    values = np.concatenate([_words.rescaled(x, scale // s) for x, s, _ in pairs], axis=1)
    law = draws.law(values, scale, False)
    if pairs[0][2]:
        return law
    d = pairs[0][0].shape[1]
    return law.image(lambda p: (p[:d], p[d:]))


def exchangeable_pair(maps: Any, n: int, theta0: Any = 0, *, index_law: IndexLaw = None) -> LawComparison:
    """Whether (forward iterate n, backward iterate n) is exchangeable, which `sign_flip_test` assumes (row 73)."""
    law = pair_law(maps, n, theta0, index_law=index_law)
    return compare_laws(law, law.image(lambda p: (p[1], p[0])))


def word_law(index_law: IndexLaw, n: int, count: int | None = None) -> ExactLaw:
    """The law of the word: points are tuples of map numbers, position 1 first."""
    words, masses, total = _listed(index_law, n, count)
    law: dict[tuple[int, ...], Fraction] = {}
    for word, mass in zip(words.tolist(), masses, strict=True):
        law[tuple(word)] = law.get(tuple(word), Fraction(0)) + Fraction(mass, total)
    return ExactLaw(law)


def reversible(index_law: IndexLaw, n: int, count: int | None = None) -> LawComparison:
    """Whether the word of length n has the law of its reversal, which suffices for Theorem 2.6 (row 39)."""
    law = word_law(index_law, n, count)
    return compare_laws(law, law.image(lambda word: word[::-1]))


def is_stationary(law: ExactLaw, maps: Any, weights: Sequence[Any] | None = None) -> LawComparison:
    """Whether a law is stationary: compare the law of T(X), T independent of X, with that of X."""
    return compare_laws(push_forward(law, maps, weights), law)


def push_forward(law: ExactLaw, maps: Any, weights: Sequence[Any] | None = None) -> ExactLaw:
    """The law of T(X) for X of the given law and an independent T with the given weights (None: equal)."""
    listed, weights = _unpack(maps, weights)
    functions = [_function(m) for m in listed]
    chances = _weights(weights, len(functions))
    masses: dict[Any, Fraction] = {}
    for point, mass in law.counter().items():
        for function, chance in zip(functions, chances, strict=True):
            key = _words.as_hashable(function(point))
            masses[key] = masses.get(key, Fraction(0)) + mass * chance
    return ExactLaw(masses)


# --- the draws ------------------------------------------------------------------------------------------------------


class _Draws:
    """All words with their masses: every word of M i.i.d. maps, or the words that an index law lists."""

    def __init__(self, maps: Any, index_law: IndexLaw, n: int) -> None:
        self.maps, index_law = _unpack(maps, index_law)
        self.n = check_integer("the number of maps n", n)
        M = len(self.maps)
        self.affine = _words.scaled_maps(self.maps) if not any(map(callable, self.maps)) else None
        self.words: NDArray | None = None
        self.masses: NDArray | None = None
        if _is_iid(index_law):
            if self.n * math.log2(M) > math.log2(MOST_WORDS) + 1e-9:
                raise ValueError(f"{M}^{n} words are more than {MOST_WORDS}: merge atoms step by step with merged_law")
            numerators, denominator = _words.integers(_weights(index_law, M))
            self.total = denominator**self.n
            if len(set(numerators)) == 1:
                self.total = M**self.n
            else:
                masses, weights = _words.array([1], self.total), _words.array(numerators, self.total)
                for _ in range(self.n):
                    masses = np.multiply.outer(masses, weights).ravel()
                self.masses = masses
        else:
            self.words, masses, self.total = _listed(index_law, self.n, M)
            self.masses = _words.array(masses, self.total)

    def values(self, order: Order, theta0: Any) -> tuple[Any, int, bool]:
        """The iterate for every word: integers (K, d) with their scale, or a list of points if maps are functions."""
        check_order(order, [self.n], self.n)
        positions = full_word(order, self.n)
        if self.affine is None:
            functions = [_function(m) for m in self.maps]
            words = self.words if self.words is not None else _words.all_words(len(self.maps), self.n)
            return _words.callable_values(functions, positions, words, _point(theta0)), 1, True
        start, scale, scalar = _words.scale_start(self.affine, theta0)
        if self.words is None:
            values, scale = _words.outer_values(self.affine, positions, self.n, start, scale)
        else:
            values, scale = _words.listed_values(self.affine, positions, self.words, start, scale)
        return values, scale, scalar

    def law(self, values: Any, scale: int, scalar: bool) -> ExactLaw:
        if self.affine is not None:
            return ExactLaw.from_integers(values, scale, self.masses, self.total, scalar)
        totals: dict[Any, int] = {}
        weights = [1] * len(values) if self.masses is None else self.masses.tolist()
        for point, mass in zip(values, weights, strict=True):
            totals[point] = totals.get(point, 0) + mass
        return ExactLaw({p: Fraction(m, self.total) for p, m in totals.items()})


def _unpack(maps: Any, index_law: IndexLaw) -> tuple[list[Any], IndexLaw]:
    """A list of pairs (A, b) or of functions, and weights or a law of words."""
    of_family = isinstance(maps, FiniteFamily)
    if of_family:
        index_law = maps.law if index_law is None else index_law
        maps = maps.forms
    elif isinstance(maps, RandomOperator):
        raise TypeError(f"exact laws need a FiniteFamily or a list of maps, got {maps!r}")
    listed = [(m.A, m.b) if isinstance(m, AffineMaps) else m for m in maps]
    if not listed:
        raise ValueError("there must be at least one map, got none")
    if of_family:
        listed = [_on_numbers(m) if callable(m) else m for m in listed]
    return listed, _without_words(index_law)


def _without_words(index_law: IndexLaw) -> IndexLaw:
    """The weights of i.i.d. indices, which need no list of words; any other law unchanged."""
    return index_law.weights if isinstance(index_law, IID) else index_law


def _on_numbers(function: Callable[[NDArray], Any]) -> Callable[[Any], Any]:
    """Wrap a family's function of points (..., d) so that it also takes a number as a point with one coordinate."""

    def apply(x: Any) -> Any:
        if isinstance(x, np.ndarray):
            return np.asarray(function(x))
        return np.asarray(function(np.array([x], dtype=object))).reshape(-1)[0]

    return apply


def _is_iid(index_law: IndexLaw) -> bool:
    return index_law is None or (not callable(index_law) and not hasattr(index_law, "words"))


def _weights(weights: Any, count: int) -> list[Fraction]:
    if weights is None:
        return [Fraction(1, count)] * count
    exact = [as_fraction(w) for w in weights]
    if len(exact) != count or any(w < 0 for w in exact) or sum(exact) != 1:
        raise ValueError(f"weights must be {count} numbers >= 0 with sum one, got {[str(w) for w in exact]}")
    return exact


def _listed(index_law: IndexLaw, n: int, count: int | None) -> tuple[NDArray, list[int], int]:
    """Words (K, n) of positive probability, their masses as integers, and the total of these."""
    if _is_iid(index_law):
        if index_law is None and count is None:
            raise ValueError("the word of equally likely maps needs their count")
        index_law = IID(_weights(index_law, int(count or 0) if index_law is None else len(index_law)))
    source = index_law.words if hasattr(index_law, "words") else index_law
    pairs = [(tuple(word), as_fraction(mass)) for word, mass in source(n)]
    total = sum((mass for _, mass in pairs), Fraction(0))
    if total != 1 or any(mass < 0 for _, mass in pairs):
        raise ValueError(f"an index law must give words of length {n} masses >= 0 with sum one, got the sum {total}")
    pairs = [(word, mass) for word, mass in pairs if mass]
    for word, _ in pairs:
        if len(word) != n:
            raise ValueError(f"an index law must give words of length {n}, got {word}")
    words = np.array([word for word, _ in pairs], dtype=np.int64).reshape(len(pairs), n)
    if count is not None and words.size and (words.min() < 0 or words.max() >= count):
        raise ValueError(f"an index law must name maps 0 … {count - 1}, got {words.max()} or {words.min()}")
    masses, scale = _words.integers([mass for _, mass in pairs])
    return words, masses, scale


def _function(one: Any) -> Callable[[Any], Any]:
    """An exact map of one point: the function itself, or an affine pair (A, b)."""
    if callable(one):
        return one
    form = _words.scaled_maps([one])
    A = [[Fraction(a, form.Q) for a in row] for row in form.alpha[0]]
    b = [Fraction(x, form.R) for x in form.beta[0]]

    def apply(x: Any) -> Any:
        if not isinstance(x, tuple | list | np.ndarray):
            if len(b) > 1:
                raise ValueError(f"the maps act on {len(b)} coordinates, got the point {x}")
            return A[0][0] * as_fraction(x) + b[0]
        point = [as_fraction(p) for p in x]
        return tuple(sum((a * p for a, p in zip(row, point, strict=True)), c) for row, c in zip(A, b, strict=True))

    return apply


def _point(theta0: Any) -> Any:
    """A start for functions: numbers become Fractions, lists and arrays object arrays; other points stay unchanged."""
    if isinstance(theta0, np.ndarray | list):
        return np.array([as_fraction(x) for x in np.asarray(theta0, dtype=object)], dtype=object)
    if isinstance(theta0, float):
        raise TypeError(f"exact laws need integers or Fractions, got the start {theta0!r}")
    return as_fraction(theta0) if isinstance(theta0, int | Fraction | np.integer) else theta0
