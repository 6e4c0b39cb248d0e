"""Enumerate all words of finitely many maps: exact laws of iterates, of pairs of iterates, and of the words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from contraction.arguments import check_type
from contraction.families.index_laws import reversal_gaps
from contraction.laws import _words
from contraction.laws.draws import Draws, ExactMaps, IndexLawLike, as_function, independent_maps, listed_words
from contraction.laws.exact import ExactLaw, LawComparison, compare_laws
from contraction.maps.orders import Backward, Forward, Order
from contraction.types import Atom, Exact, Numbers

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


def exact_law(
    maps: ExactMaps, n: int, theta0: Numbers = 0, *, order: Order | None = None, index_law: IndexLawLike = None
) -> ExactLaw:
    """Return the exact law of iterate n over all draws of T_1, …, T_n from finitely many maps.

    For independent maps in the forward order it is δ P^n of Section 2.2, δ the unit mass at θ_0 (row 33).

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

    Examples
    --------
    >>> from fractions import Fraction
    >>> from contraction import laws
    >>> half = Fraction(1, 2)
    >>> law = laws.exact_law([(half, Fraction(0)), (half, half)], 2)
    >>> law.mean(), law.variance()
    (Fraction(3, 8), Fraction(5, 64))
    """
    return exact_laws(maps, n, theta0, orders=(order or Forward(),), index_law=index_law)[0]


def exact_laws(
    maps: ExactMaps,
    n: int,
    theta0: Numbers = 0,
    *,
    orders: Sequence[Order] = (Forward(), Backward()),
    index_law: IndexLawLike = None,
) -> tuple[ExactLaw, ...]:
    """Exact laws of iterate n under several orders over the same words; see `exact_law` for the parameters.

    Theorem 2.6 says when those of the forward and of the backward order are equal; see `compare_orders`.

    Examples
    --------
    >>> from fractions import Fraction
    >>> from contraction import laws
    >>> half = Fraction(1, 2)
    >>> forward, backward = laws.exact_laws([(half, Fraction(0)), (half, half)], 5)
    >>> forward == backward
    True
    """
    draws = Draws(maps, index_law, n)
    out = []
    for order in orders:
        values, scale, scalar = draws.values(order, theta0)
        out.append(draws.law(values, scale, scalar))
    return tuple(out)


def compare_orders(
    maps: ExactMaps,
    n: int,
    theta0: Numbers = 0,
    *,
    orders: tuple[Order, Order] = (Forward(), Backward()),
    index_law: IndexLawLike = None,
) -> LawComparison:
    """Decide exactly whether iterate n has the same law under two orders (Theorem 2.6); if not, name an atom.

    References
    ----------
    Dherin, B., et al. (2025). Training in reverse. arXiv:2502.01557v1, Theorem 2.6.

    Examples
    --------
    >>> from fractions import Fraction
    >>> from contraction import laws
    >>> half = Fraction(1, 2)
    >>> bool(laws.compare_orders([(half, Fraction(0)), (half, half)], 4))
    True
    """
    return compare_laws(*exact_laws(maps, n, theta0, orders=orders, index_law=index_law))


def pair_law(
    maps: ExactMaps,
    n: int,
    theta0: Numbers = 0,
    *,
    orders: tuple[Order, Order] = (Forward(), Backward()),
    index_law: IndexLawLike = None,
) -> ExactLaw:
    """Return the exact joint law of iterate n under two orders of the same maps; points are pairs.

    `exchangeable_pair` asks whether this law stays the same when the two iterates are exchanged (row 73).

    Examples
    --------
    >>> from fractions import Fraction
    >>> from contraction import laws
    >>> half = Fraction(1, 2)
    >>> len(laws.pair_law([(half, Fraction(0)), (half, half)], 2))
    4
    """
    draws = Draws(maps, index_law, n)
    (x, x_scale, scalar), (y, y_scale, _) = (draws.values(order, theta0) for order in orders)
    if not (isinstance(x, np.ndarray) and isinstance(y, np.ndarray)):
        return draws.law(list(zip(x, y, strict=True)), 1, False)
    scale = math.lcm(x_scale, y_scale)
    values = np.concatenate([_words.rescaled(x, scale // x_scale), _words.rescaled(y, scale // y_scale)], axis=1)
    law = draws.law(values, scale, False)
    if scalar:
        return law
    d = x.shape[1]
    return law.image(lambda p: (p[:d], p[d:]))


def exchangeable_pair(maps: ExactMaps, n: int, theta0: Numbers = 0, *, index_law: IndexLawLike = None) -> LawComparison:
    """Whether (forward iterate n, backward iterate n) is exchangeable, which `sign_flip_test` assumes (row 73).

    Examples
    --------
    >>> from fractions import Fraction
    >>> from contraction import laws
    >>> half = Fraction(1, 2)
    >>> bool(laws.exchangeable_pair([(half, Fraction(0)), (half, half)], 3))
    True
    """
    law = pair_law(maps, n, theta0, index_law=index_law)
    return compare_laws(law, law.image(lambda p: (p[1], p[0])))


def word_law(index_law: IndexLawLike, n: int, count: int | None = None) -> ExactLaw:
    """Return the law of the word: points are tuples of map numbers, position 1 first.

    Examples
    --------
    >>> import contraction as ct
    >>> len(ct.laws.word_law(ct.families.Reshuffled(3), 3))
    6
    """
    words, masses, total = listed_words(index_law, n, count)
    law: dict[tuple[int, ...], Fraction] = {}
    for word, mass in zip(words.tolist(), masses, strict=True):
        law[tuple(word)] = law.get(tuple(word), Fraction(0)) + Fraction(mass, total)
    return ExactLaw(law)


def reversible(index_law: IndexLawLike, n: int, count: int | None = None) -> LawComparison:
    """Decide whether the word of length n has the law of its reversal, which suffices for Theorem 2.6 (row 39).

    References
    ----------
    Dherin, B., et al. (2025). Training in reverse. arXiv:2502.01557v1, Theorem 2.6.

    Examples
    --------
    >>> import contraction as ct
    >>> bool(ct.laws.reversible(ct.families.IID(3), 4)), bool(ct.laws.reversible(ct.families.Cyclic(3), 4))
    (True, False)
    """
    law = word_law(index_law, n, count).counter()
    gaps = reversal_gaps(law, n)
    if not gaps:
        return LawComparison(True, total_variation=Fraction(0))
    word = max(gaps, key=lambda w: abs(gaps[w]))
    masses = law.get(word, Fraction(0)), law.get(word[::-1], Fraction(0))
    return LawComparison(False, word, masses, Fraction(sum(abs(gap) for gap in gaps.values())) / 2)


def is_stationary(law: ExactLaw, maps: ExactMaps, weights: Sequence[Exact] | None = None) -> LawComparison:
    """Whether a law is stationary: compare the law of T(X), T independent of X, with that of X.

    A law with this property is what Theorem 2.6 calls stationary; that the backward limit has it needs continuous maps
    (row 37).

    Examples
    --------
    >>> from fractions import Fraction
    >>> from contraction import laws
    >>> half = Fraction(1, 2)
    >>> bool(laws.is_stationary(laws.ExactLaw({0: 1}), [(half, Fraction(0))]))
    True
    """
    return compare_laws(push_forward(law, maps, weights), law)


def push_forward(law: ExactLaw, maps: ExactMaps, weights: Sequence[Exact] | None = None) -> ExactLaw:
    """Return the law of T(X) for X of the given law and an independent T with the given weights (None: equal).

    Examples
    --------
    >>> from fractions import Fraction
    >>> from contraction import laws
    >>> half = Fraction(1, 2)
    >>> start = laws.ExactLaw({0: 1})
    >>> laws.push_forward(start, [(half, Fraction(0)), (half, half)]).mean()
    Fraction(1, 4)
    """
    check_type("a law", law, ExactLaw, "an ExactLaw")
    listed, chances = independent_maps(maps, weights)
    functions = [as_function(m) for m in listed]
    masses: dict[Atom, Fraction] = {}
    for point, mass in law.counter().items():
        for function, chance in zip(functions, chances, strict=True):
            key = _words.as_hashable(function(point))
            masses[key] = masses.get(key, Fraction(0)) + mass * chance
    return ExactLaw(masses)
