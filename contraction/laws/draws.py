"""Words of finitely many maps with their probabilities, and the iterates that they lead to, in exact arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Protocol, TypeAlias, TypeGuard, cast, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_integer
from contraction.families.finite import FiniteFamily
from contraction.families.index_laws import IID
from contraction.laws import _words
from contraction.laws._words import as_fraction
from contraction.laws.exact import ExactLaw
from contraction.maps.operators import AffineMaps, RandomOperator
from contraction.maps.orders import Order, check_order, full_word
from contraction.types import Atom, Exact, Number, Numbers

__all__ = [
    "Draws",
    "ExactMap",
    "ExactMaps",
    "IndexLawLike",
    "affine_pairs",
    "as_function",
    "independent_maps",
    "listed_words",
]

#: More words than this are not listed.
MOST_WORDS = 2**25

#: Words of map numbers with their probabilities.
Words: TypeAlias = Iterable[tuple[Sequence[int], Number]]
LawOfLength: TypeAlias = Callable[[int], Words]


@runtime_checkable
class LawOfWords(Protocol):
    """A law of words, such as those of `contraction.families`."""

    def words(self, n: int) -> Words:
        """Return every word of length n of positive probability with this probability."""
        ...


#: Weights (i.i.d.; None: equal), an object with ``words(n)``, or a function n -> pairs (word, probability).
IndexLawLike: TypeAlias = Sequence[Number] | LawOfWords | LawOfLength | None
#: An affine map as a pair (A, b) of exact numbers, or a function of one point.
ExactMap: TypeAlias = tuple[Numbers, Numbers] | Callable[[Atom], Atom]
ExactMaps: TypeAlias = FiniteFamily | Iterable[ExactMap | AffineMaps]


class Draws:
    """All words of n maps with their masses: every word of i.i.d. maps, or the words that an index law lists."""

    def __init__(self, maps: ExactMaps, index_law: IndexLawLike, n: int) -> None:
        self.maps, index_law = _unpack(maps, index_law)
        self.n = check_integer("the number of maps n", n)
        M = len(self.maps)
        pairs = affine_pairs(self.maps)
        self.affine = None if pairs is None else _words.scaled_maps(pairs)
        self.words: NDArray | None = None
        self.masses: NDArray | None = None
        if _is_iid(index_law):
            if self.n * math.log2(M) > math.log2(MOST_WORDS) + 1e-9:
                raise ValueError(f"{M}^{n} words are more than {MOST_WORDS}: merge atoms step by step with merged_law")
            numerators, denominator = _words.integers(_weights(index_law, M))
            self.total = denominator**self.n
            if M == 1:  # one word, however long
                self.words, self.masses, self.total = np.zeros((1, self.n), dtype=int), np.ones(1, dtype=int), 1
            elif len(set(numerators)) == 1:
                self.total = M**self.n
            else:
                masses, weights = _words.array([1], self.total), _words.array(numerators, self.total)
                for _ in range(self.n):
                    masses = np.multiply.outer(masses, weights).ravel()
                self.masses = masses
        else:
            self.words, masses, self.total = listed_words(index_law, self.n, M)
            self.masses = _words.array(masses, self.total)

    def values(self, order: Order, theta0: Numbers) -> tuple[NDArray | list[Atom], int, bool]:
        """Return the iterate for every word: integers (K, d) with their scale, or a list of points for functions."""
        check_order(order, [self.n], self.n)
        positions = full_word(order, self.n)
        if self.affine is None:
            functions = [as_function(m) for m in self.maps]
            words = self.words if self.words is not None else _words.all_words(len(self.maps), self.n)
            return _words.callable_values(functions, positions, words, _point(theta0)), 1, True
        start, scale, scalar = _words.scale_start(self.affine, theta0)
        if self.words is None:
            values, scale = _words.outer_values(self.affine, positions, self.n, start, scale)
        else:
            values, scale = _words.listed_values(self.affine, positions, self.words, start, scale)
        return values, scale, scalar

    def law(self, values: NDArray | list[Atom], scale: int, scalar: bool) -> ExactLaw:
        """Return the law of what `values` returned."""
        if isinstance(values, np.ndarray):
            return ExactLaw.from_integers(values, scale, self.masses, self.total, scalar)
        totals: dict[Atom, int] = {}
        weights = [1] * len(values) if self.masses is None else self.masses.tolist()
        for point, mass in zip(values, weights, strict=True):
            totals[point] = totals.get(point, 0) + mass
        return ExactLaw({p: Fraction(m, self.total) for p, m in totals.items()})


def _unpack(maps: ExactMaps, index_law: IndexLawLike) -> tuple[list[ExactMap], IndexLawLike]:
    """Return a list of pairs (A, b) or of functions, and weights or a law of words."""
    if isinstance(maps, FiniteFamily):
        forms = [m if isinstance(m, AffineMaps) else _on_numbers(m) for m in maps.forms]
        index_law = maps.law if index_law is None else index_law
    elif isinstance(maps, RandomOperator):
        raise TypeError(f"exact laws need a FiniteFamily or a list of maps, got {maps!r}")
    else:
        if not isinstance(maps, Iterable) or isinstance(maps, str | bytes):
            raise TypeError(f"maps must be a FiniteFamily or a list of pairs (A, b) or of functions, got {maps!r}")
        forms = list(maps)
    if not forms:
        raise ValueError("there must be at least one map, got none")
    for m in forms:
        if not (callable(m) or isinstance(m, AffineMaps) or (isinstance(m, tuple | list) and len(m) == 2)):
            raise TypeError(f"a map must be a pair (A, b) or a function of a point, got {m!r}")
    return [(m.A, m.b) if isinstance(m, AffineMaps) else m for m in forms], _without_words(index_law)


def independent_maps(maps: ExactMaps, weights: Sequence[Exact] | None) -> tuple[list[ExactMap], list[Fraction]]:
    """Return a list of maps and their probabilities, which must not depend on the position in the word.

    Raises
    ------
    ValueError
        If the maps are not independent, or there is not one probability per map.
    """
    listed, law = _unpack(maps, weights)
    if not _is_iid(law):
        raise ValueError(f"this law needs independent maps, got {law!r}; use exact_law for other laws of words")
    return listed, _weights(law, len(listed))


def affine_pairs(maps: Sequence[ExactMap]) -> list[tuple[Numbers, Numbers]] | None:
    """Return the maps if all of them are pairs (A, b), None otherwise."""
    pairs = [m for m in maps if not callable(m)]
    return pairs if len(pairs) == len(maps) else None


def _without_words(index_law: IndexLawLike) -> IndexLawLike:
    """Return the weights of i.i.d. indices, which need no list of words; any other law unchanged."""
    return index_law.weights if isinstance(index_law, IID) else index_law


def _on_numbers(function: Callable[[NDArray], ArrayLike]) -> Callable[[Atom], Atom]:
    """Wrap a family's function of points (..., d) so that it also takes a number as a point with one coordinate."""

    def apply(x: Atom) -> Atom:
        if isinstance(x, np.ndarray):
            return np.asarray(function(x))
        return np.asarray(function(np.array([x], dtype=object))).reshape(-1)[0]

    return apply


def _is_iid(index_law: IndexLawLike) -> TypeGuard[Sequence[Number] | None]:
    return not callable(index_law) and not isinstance(index_law, LawOfWords)


def _weights(weights: Sequence[Number] | None, count: int) -> list[Fraction]:
    if weights is None:
        return [Fraction(1, count)] * count
    exact = [as_fraction(w) for w in weights]
    if len(exact) != count or any(w < 0 for w in exact) or sum(exact) != 1:
        raise ValueError(f"weights must be {count} numbers >= 0 with sum one, got {[str(w) for w in exact]}")
    return exact


def listed_words(index_law: IndexLawLike, n: int, count: int | None) -> tuple[NDArray, list[int], int]:
    """Words (K, n) of positive probability, their masses as integers, and the total of these."""
    if _is_iid(index_law):
        if index_law is None and count is None:
            raise ValueError("the word of equally likely maps needs their count")
        if index_law is not None and not isinstance(index_law, Iterable):
            raise TypeError(
                f"an index law must be weights, an object with words(n), or a function n -> pairs, got {index_law!r}"
            )
        index_law = None if index_law is None else list(index_law)
        size = int(count or 0) if index_law is None else len(index_law)
        listed: Words = IID(_weights(index_law, size)).words(n)
    else:
        listed = index_law.words(n) if isinstance(index_law, LawOfWords) else cast("LawOfLength", index_law)(n)
    pairs = [(tuple(word), as_fraction(mass)) for word, mass in listed]
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


def as_function(one: ExactMap) -> Callable[[Atom], Atom]:
    """Return an exact map of one point: the function itself, or an affine pair (A, b)."""
    if callable(one):
        return one
    form = _words.scaled_maps([one])
    A = [[Fraction(a, form.Q) for a in row] for row in form.alpha[0]]
    b = [Fraction(x, form.R) for x in form.beta[0]]

    def apply(x: Atom) -> Atom:
        if not isinstance(x, tuple | list | np.ndarray):
            if len(b) > 1:
                raise ValueError(f"the maps act on {len(b)} coordinates, got the point {x}")
            return A[0][0] * as_fraction(x) + b[0]
        point = [as_fraction(p) for p in x]
        return tuple(sum((a * p for a, p in zip(row, point, strict=True)), c) for row, c in zip(A, b, strict=True))

    return apply


def _point(theta0: Atom) -> Atom:
    """Return a start for functions: numbers become Fractions, lists and arrays object arrays.

    Other points stay unchanged.

    Raises
    ------
    TypeError
        If the start is a float, or contains one.
    """
    if isinstance(theta0, np.ndarray | list):
        return np.array([as_fraction(x) for x in np.asarray(theta0, dtype=object)], dtype=object)
    if isinstance(theta0, float):
        raise TypeError(f"exact laws need integers or Fractions, got the start {theta0!r}")
    return as_fraction(theta0) if isinstance(theta0, int | Fraction | np.integer) else theta0
