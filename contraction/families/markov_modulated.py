"""Letters that are a Markov chain, and its stationary law."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from contraction.families._checks import check_weights
from contraction.families._letters import choose, cumulative_of, dtype_of, same
from contraction.families.index_laws import IndexLaw, Word
from contraction.maps.draws import map_generator
from contraction.types import Number, override

__all__ = ["MarkovModulated"]


class MarkovModulated(IndexLaw):
    """Letters that are a Markov chain.

    Words of a stationary chain have the law of their reversal if the chain is reversible, and in general not (row 39).

    Parameters
    ----------
    P
        Transition probabilities; row a is the law of the letter after a. Fractions stay exact.
    initial
        Law of the first letter (default: the stationary law, computed exactly if P is exact).

    Raises
    ------
    ValueError
        If P is not square, a row does not sum to one, or the stationary law is not unique and no initial law is given.

    Examples
    --------
    >>> from fractions import Fraction
    >>> import contraction as ct
    >>> half, quarter = Fraction(1, 2), Fraction(1, 4)
    >>> chain = ct.families.MarkovModulated([[half, half], [quarter, 3 * quarter]])
    >>> bool(ct.laws.reversible(chain, 4))
    True
    """

    def __init__(self, P: Iterable[Iterable[Number]], initial: Iterable[Number] | None = None) -> None:
        rows = [list(row) for row in P]
        if not rows or any(len(row) != len(rows) for row in rows):
            raise ValueError(f"P must be a square matrix, got rows of lengths {[len(row) for row in rows]}")
        self.P = tuple(check_weights(row, len(rows), "a row of P") for row in rows)
        self.size = len(rows)
        self.initial = _stationary(self.P) if initial is None else check_weights(initial, self.size, "initial")
        self._cumulative = np.stack([cumulative_of(row) for row in self.P])

    def __repr__(self) -> str:
        return f"MarkovModulated({self.size} letters)"

    @property
    def marginal(self) -> tuple[Number, ...] | None:
        """The initial law if it is stationary, None otherwise."""
        after = [sum(p * row[b] for p, row in zip(self.initial, self.P, strict=True)) for b in range(self.size)]
        stationary = all(same(p, q, self.size) for p, q in zip(self.initial, after, strict=True))
        return self.initial if stationary else None

    @property
    @override
    def is_stationary_chain(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether the initial law is stationary."""
        return self.marginal is not None

    @override
    def letters(self, n: int, seed: int, replicas: int | None = None) -> NDArray:
        out = np.empty((n,) if replicas is None else (n, replicas), dtype=dtype_of(self.size))
        thresholds = cumulative_of(self.initial)
        for i in range(n):
            out[i] = choose(thresholds, map_generator(seed, i).random(replicas))
            thresholds = self._cumulative[out[i]]
        return out

    def _words(self, n: int) -> Iterator[tuple[Word, Number]]:
        law: dict[Word, Number] = {(): Fraction(1)}
        for i in range(n):
            longer: dict[Word, Number] = defaultdict(lambda: Fraction(0))
            for word, p in law.items():
                for b, q in enumerate(self.P[word[-1]] if i else self.initial):
                    if q > 0:
                        longer[(*word, b)] = p * q
            law = longer
        yield from law.items()


def _stationary(P: Sequence[Sequence[Number]]) -> tuple[Number, ...]:
    """Return the stationary law of a stochastic matrix: exact (by sympy) if P is exact, else to rounding."""
    size = len(P)
    if all(isinstance(q, Fraction) for row in P for q in row):
        from sympy import Matrix, Rational, eye

        M = Matrix(size, size, lambda a, b: Rational(P[a][b].numerator, P[a][b].denominator))
        null = (M.T - eye(size)).nullspace()
        if len(null) == 1:
            total = sum(null[0])
            return tuple(Fraction(int(x.p), int(x.q)) for x in (v / total for v in null[0]))
        raise ValueError("P has more than one stationary law: give the initial one")
    A = np.array([[float(q) for q in row] for row in P])
    recurrent = _recurrent(A > 0)
    if recurrent is None:
        raise ValueError("P has more than one stationary law: give the initial one")
    part = _eliminated(A[np.ix_(recurrent, recurrent)])
    if part is None:
        raise ValueError("the stationary law of P underflows: give the initial one, or P in Fractions")
    law = [0.0] * size  # of letters that are left for ever
    for letter, p in zip(recurrent.tolist(), part, strict=True):
        law[letter] = p
    return tuple(law)


def _recurrent(leads: NDArray) -> NDArray | None:
    """Return the letters that the chain comes back to, from which letters lead to which; None if they form two groups.

    They are the letters that can be reached from every letter that they lead to.
    """
    reached = leads | np.eye(len(leads), dtype=bool)
    for _ in range(len(leads).bit_length()):
        reached = reached @ reached
    recurrent = np.flatnonzero(np.all(~reached | reached.T, axis=1))
    return recurrent if np.all(reached[np.ix_(recurrent, recurrent)]) else None


def _eliminated(P: NDArray) -> tuple[float, ...] | None:
    """Return the stationary law of a stochastic matrix by elimination without subtractions, or None if that fails.

    Every entry has a relative error of at most about M³ roundings for M letters, whatever the condition (Grassmann,
    Taksar and Heyman 1985). It fails where a letter leads to none of the letters before it, directly or through later
    ones, or where that underflows.
    """
    A, size = P.copy(), len(P)
    for k in range(size - 1, 0, -1):
        total = A[k, :k].sum()
        if not total > 0:
            return None
        A[:k, k] /= total
        A[:k, :k] += np.outer(A[:k, k], A[k, :k])
    law = np.ones(size)
    for k in range(1, size):
        law[k] = law[:k] @ A[:k, k]
    return tuple((law / law.sum()).tolist())
