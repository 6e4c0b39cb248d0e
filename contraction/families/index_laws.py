"""Laws of the index word, which says which of M maps is T_1, T_2, …: independent choices and dependent ones.

Theorem 2.6 needs only that (T_1 … T_n) and (T_n … T_1) have the same law (row 39). ``is_reversible(n)`` decides this by
enumerating all words. Letters are 0 … M-1; T_j is the map whose letter is at position j of the word.
"""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from contraction.arguments import check_integer
from contraction.families._checks import check_weights
from contraction.families._letters import choose, cumulative_of, dtype_of, same, sequence_generator
from contraction.maps.draws import map_generator
from contraction.maps.errors import DeclarationRefuted
from contraction.maps.stated import overridden
from contraction.types import Number, override

__all__ = [
    "IID",
    "Cyclic",
    "ExchangeableMixture",
    "IndexLaw",
    "Reshuffled",
    "ShuffledOnce",
    "check_independence",
    "one_letter",
    "reversal_gaps",
]

WORDS_LIMIT = 10**6
#: Letters 0 … M-1, position 1 first.
Word: TypeAlias = tuple[int, ...]


class IndexLaw(ABC):
    """A law of infinite words over the letters 0 … size-1.

    Examples
    --------
    >>> import contraction as ct
    >>> law = ct.families.MarkovModulated([[0.5, 0.5], [1.0, 0.0]])  # letter 1 is always followed by 0
    >>> word = law.letters(20, seed=0)
    >>> word.shape, (1, 1) in zip(word, word[1:])
    ((20,), False)
    >>> {word: round(float(p), 3) for word, p in law.word_law(2).items()}
    {(0, 0): 0.333, (0, 1): 0.333, (1, 0): 0.333}
    >>> law.is_reversible(3), ct.families.Cyclic(3).is_reversible(3)
    (True, False)
    >>> list(ct.families.Cyclic(3).words(4))
    [((0, 1, 2, 0), Fraction(1, 1))]
    """

    #: number of letters
    size: int
    #: whether the letters are independent with one law
    is_iid: bool = False
    #: whether the letters are known to be a Markov chain that starts in its stationary law
    is_stationary_chain: bool = False

    @property
    @abstractmethod
    def marginal(self) -> tuple[Number, ...] | None:
        """Law of one letter if it is the same at every position, None otherwise."""

    @abstractmethod
    def letters(self, n: int, seed: int, replicas: int | None = None) -> NDArray:
        """Return the first n letters, shape (n,) or (n, R); a longer word with the same seed begins with them."""

    def words(self, n: int) -> Iterator[tuple[Word, Number]]:
        """Every word of length n of positive probability, once, with its probability (a Fraction if exact).

        Raises
        ------
        ValueError
            If n is negative or there would be more than 10^6 words.
        """
        n = check_integer("the length of a word n", n)
        self._check_words(n)
        yield from self._words(n)

    def _words(self, n: int) -> Iterator[tuple[Word, Number]]:
        raise TypeError(f"{type(self).__name__} cannot list words: it defines neither words(n) nor _words(n)")

    def _check_words(self, n: int) -> None:
        if self.size > 1 and n * math.log(self.size) > math.log(WORDS_LIMIT) + 1e-9:
            count = self.size**n if n <= 64 else f"{self.size}^{n}"  # a short number
            raise ValueError(
                f"there are up to {count} words of length {n} over {self.size} letters, above the limit {WORDS_LIMIT}"
            )

    def word_law(self, n: int) -> dict[Word, Number]:
        """Probability of every word of length n."""
        return dict(self.words(n))

    def is_reversible(self, n: int) -> bool:
        """Whether (T_1 … T_n) and (T_n … T_1) have the same law, by enumeration.

        Exact weights are compared exactly, float weights up to the rounding of 2n products and of a stationary law.
        """
        return not reversal_gaps(self.word_law(n), n)


def reversal_gaps(law: Mapping[Word, Number], n: int) -> dict[Word, Number]:
    """Return P(w) - P(w reversed) for all words w of length n where it is not 0: none if the law is reversible.

    Exact probabilities are compared exactly, floats up to the rounding of 2n products and of a stationary law.
    """
    gaps: dict[Word, Number] = {}
    letters = 1 + max((max(word, default=0) for word in law), default=0)
    for word, p in law.items():
        q = law.get(word[::-1], 0)
        if not same(p, q, n + letters**3):
            gaps[word], gaps[word[::-1]] = p - q, q - p
    return gaps


def check_independence(law: IndexLaw) -> None:
    """Refuse a law of a user's own that calls itself independent, and whose words of two letters are not.

    Laws that cannot list their words pass, as do words of more than two letters.

    Raises
    ------
    DeclarationRefuted
        If a word's probability is not the product of its letters' probabilities.
    """
    if not (law.is_iid and overridden(law) and law.size**2 <= WORDS_LIMIT):
        return
    try:
        pairs = law.word_law(2)
    except TypeError:
        return
    marginal = law.marginal
    if marginal is None:
        raise DeclarationRefuted(f"{law!r} has is_iid = True, but states no law of one letter: marginal is None")
    for word in itertools.product(range(law.size), repeat=2):
        p, q = pairs.get(word, 0), marginal[word[0]] * marginal[word[1]]
        if not same(p, q, 2):
            raise DeclarationRefuted(
                f"{law!r} has is_iid = True, but the word {word} has the probability {p} by words(2), and {q} if its "
                "letters were independent"
            )


class IID(IndexLaw):
    """Independent letters with the given probabilities; an integer M means M equal ones.

    The word has the law of its reversal at every n, which Theorem 2.6 uses (row 39).

    Examples
    --------
    >>> import contraction as ct
    >>> bool(ct.laws.reversible(ct.families.IID(4), 3))
    True
    >>> import numpy as np
    >>> law = ct.families.IID([0.25, 0.75])
    >>> law.word_law(1)
    {(0,): 0.25, (1,): 0.75}
    >>> law.letter(np.random.default_rng(0), 3).tolist()  # one letter for each of three replicas
    [1, 1, 0]
    """

    is_iid = True
    is_stationary_chain = True

    def __init__(self, weights: Iterable[Number] | int) -> None:
        if isinstance(weights, int):
            check_integer("the number of letters", weights, 1)
            weights = [Fraction(1, weights)] * weights
        self.weights = check_weights(weights, None)
        self.size = len(self.weights)
        self._cumulative = cumulative_of(self.weights)

    def __repr__(self) -> str:
        return f"IID({[str(w) if isinstance(w, Fraction) else w for w in self.weights]})"

    @property
    @override
    def marginal(self) -> tuple[Number, ...]:
        return self.weights

    def letter(self, rng: np.random.Generator, replicas: int | None) -> NDArray:
        """One letter, or one per replica, from the generator of a map."""
        return _choose_iid(self._cumulative, rng, replicas).astype(dtype_of(self.size))

    @override
    def letters(self, n: int, seed: int, replicas: int | None = None) -> NDArray:
        shape = (n,) if replicas is None else (n, replicas)
        out = np.empty(shape, dtype=dtype_of(self.size))
        for i in range(n):
            out[i] = self.letter(map_generator(seed, i), replicas)
        return out

    def _words(self, n: int) -> Iterator[tuple[Word, Number]]:
        support = [a for a in range(self.size) if self.weights[a] > 0]
        for word in itertools.product(support, repeat=n):
            p: Number = Fraction(1)
            for a in word:
                p = p * self.weights[a]
            yield word, p

    def is_reversible(self, n: int) -> bool:
        """Return True for every n, without enumeration."""
        check_integer("the length of a word n", n)
        return True


def _choose_iid(cumulative: NDArray, rng: np.random.Generator, replicas: int | None) -> NDArray:
    u = rng.random(replicas)
    if len(cumulative) <= 8:
        return choose(cumulative, u)
    return np.searchsorted(cumulative[:-1], u, side="right")


def one_letter(law: IndexLaw, rng: np.random.Generator, replicas: int | None) -> NDArray:
    """Draw one letter, or one per replica, from the law that every letter has.

    Raises
    ------
    ValueError
        If the law of a letter depends on its position.
    """
    if isinstance(law, IID):
        return law.letter(rng, replicas)
    if law.marginal is None:
        raise ValueError(f"under {law!r} the law of a letter depends on its position: sample(n) draws letters together")
    return _choose_iid(cumulative_of(law.marginal), rng, replicas)


class ExchangeableMixture(IndexLaw):
    """One of several i.i.d. laws, drawn once for the whole word (de Finetti): reversible at every n.

    For these words Theorem 2.6's equality of laws holds, but forward iterates are not a Markov chain (row 39).

    Parameters
    ----------
    components
        Probability vectors of equal length.
    weights
        Their probabilities (default: equal).

    Examples
    --------
    >>> from fractions import Fraction
    >>> import contraction as ct
    >>> low, high = Fraction(1, 10), Fraction(9, 10)
    >>> bool(ct.laws.reversible(ct.families.ExchangeableMixture([[low, high], [high, low]]), 3))
    True
    """

    def __init__(self, components: Iterable[Iterable[Number]], weights: Iterable[Number] | None = None) -> None:
        self.components = tuple(check_weights(c, None, "the weights of a component") for c in components)
        self.weights = check_weights(weights, len(self.components))
        sizes = {len(c) for c in self.components}
        if len(sizes) != 1:
            raise ValueError(f"every component must have the same number of letters, got {sorted(sizes)}")
        self.size = sizes.pop()
        self._cumulative = np.stack([cumulative_of(c) for c in self.components])

    def __repr__(self) -> str:
        return f"ExchangeableMixture({len(self.components)} components, {self.size} letters)"

    @property
    @override
    def marginal(self) -> tuple[Number, ...]:
        return tuple(
            sum(w * c[a] for w, c in zip(self.weights, self.components, strict=True)) for a in range(self.size)
        )

    @override
    def letters(self, n: int, seed: int, replicas: int | None = None) -> NDArray:
        chosen = _choose_iid(cumulative_of(self.weights), sequence_generator(seed, 1), replicas)
        thresholds = self._cumulative[chosen]
        out = np.empty((n,) if replicas is None else (n, replicas), dtype=dtype_of(self.size))
        for i in range(n):
            out[i] = choose(thresholds, map_generator(seed, i).random(replicas))
        return out

    def _words(self, n: int) -> Iterator[tuple[Word, Number]]:
        for word in itertools.product(range(self.size), repeat=n):
            p: Number = Fraction(0)
            for w, c in zip(self.weights, self.components, strict=True):
                for a in word:
                    w = w * c[a]
                p = p + w
            if p > 0:
                yield word, p


class _Shuffles(IndexLaw):
    """Permutations of M letters, one per epoch."""

    def __init__(self, size: int) -> None:
        self.size = check_integer("the number of letters", size, 1)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.size})"

    @property
    def marginal(self) -> tuple[Fraction, ...]:
        return (Fraction(1, self.size),) * self.size

    def _shuffle(self, seed: int, epoch: int, replicas: int | None) -> NDArray:
        """One permutation (M,), or one per replica (M, R)."""
        rng = sequence_generator(seed, 2, epoch)
        if replicas is None:
            return rng.permutation(self.size)
        return rng.permuted(np.tile(np.arange(self.size, dtype=dtype_of(self.size)), (replicas, 1)), axis=1).T


class Reshuffled(_Shuffles):
    """A fresh uniform permutation of the M letters in every epoch of M maps.

    Its word law is reversible iff n <= M or M divides n (row 39).

    Examples
    --------
    >>> import contraction as ct
    >>> [bool(ct.laws.reversible(ct.families.Reshuffled(3), n)) for n in (3, 4, 6)]
    [True, False, True]
    """

    @override
    def letters(self, n: int, seed: int, replicas: int | None = None) -> NDArray:
        epochs = [self._shuffle(seed, e, replicas) for e in range(-(-n // self.size))]
        shape = (0,) if replicas is None else (0, replicas)
        return np.concatenate([np.empty(shape, dtype=dtype_of(self.size)), *epochs])[:n].astype(dtype_of(self.size))

    def _words(self, n: int) -> Iterator[tuple[Word, Fraction]]:
        full, rest = divmod(n, self.size)
        blocks = [list(itertools.permutations(range(self.size)))] * full if full else []  # M! of them
        if rest:
            blocks.append(list(itertools.permutations(range(self.size), rest)))
        p = Fraction(1)
        for block in blocks:
            p /= len(block)
        for parts in itertools.product(*blocks):
            yield tuple(itertools.chain.from_iterable(parts)), p


class ShuffledOnce(_Shuffles):
    """One uniform permutation of the M letters, repeated in every epoch: reversible at every n (row 39).

    Examples
    --------
    >>> import contraction as ct
    >>> [bool(ct.laws.reversible(ct.families.ShuffledOnce(3), n)) for n in (3, 4, 6)]
    [True, True, True]
    """

    @override
    def letters(self, n: int, seed: int, replicas: int | None = None) -> NDArray:
        order = self._shuffle(seed, 0, replicas)
        return order[np.arange(n) % self.size].astype(dtype_of(self.size))

    def _words(self, n: int) -> Iterator[tuple[Word, Fraction]]:
        count = min(n, self.size)
        firsts = list(itertools.permutations(range(self.size), count))
        for first in firsts:
            yield tuple(first[i % self.size] for i in range(n)) if count else (), Fraction(1, len(firsts))


class Cyclic(IndexLaw):
    """The deterministic letters 0, 1, …, M-1, 0, 1, …; not reversible for n >= 2 if M > 1 (row 39).

    Examples
    --------
    >>> import contraction as ct
    >>> bool(ct.laws.reversible(ct.families.Cyclic(3), 2))
    False
    """

    def __init__(self, size: int) -> None:
        self.size = check_integer("the number of letters", size, 1)

    def __repr__(self) -> str:
        return f"Cyclic({self.size})"

    @property
    @override
    def marginal(self) -> tuple[Fraction, ...] | None:
        return (Fraction(1),) if self.size == 1 else None

    @override
    def letters(self, n: int, seed: int, replicas: int | None = None) -> NDArray:
        word = (np.arange(n) % self.size).astype(dtype_of(self.size))
        return word if replicas is None else np.repeat(word[:, None], replicas, axis=1)

    def words(self, n: int) -> Iterator[tuple[Word, Fraction]]:
        """Yield the only word of length n."""
        check_integer("the length of a word n", n)
        yield tuple(i % self.size for i in range(n)), Fraction(1)
