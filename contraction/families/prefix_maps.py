"""Maps that prepend a random prefix to an infinite word: the theorem in an ultrametric space, in exact integers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from contraction.families._checks import check_weights
from contraction.families.index_laws import IID
from contraction.maps.constants import Constant
from contraction.maps.operators import RandomOperator
from contraction.maps.rounding import power_mean
from contraction.maps.spaces import Words
from contraction.types import Draw, Number, Numbers, override

__all__ = ["PrefixMaps"]


class PrefixMaps(RandomOperator):
    """T_u(w) = u w for one of finitely many finite words u over {0, …, base-1}.

    In the first-difference ultrametric each map divides distances by base^|u| exactly. With a word as the integer
    sum of w_i base^i, T_u(x) = value(u) + base^|u| x, without rounding. Backward iterates T_1 … T_n begin with the
    prefixes u_1 … u_n for all later n, whereas forward iterates change their first letters at every step.

    Theorem 2.2 holds with k = base^-|u| for the shortest u, in a space that is not a vector space.

    Parameters
    ----------
    prefixes
        The words u, each a non-empty sequence of letters such as (0, 1) (default: all single letters).
    weights
        Their probabilities (default: equal).
    base
        Number of letters of the alphabet.

    Examples
    --------
    >>> import contraction as ct
    >>> family = ct.families.PrefixMaps([(0,), (1, 1)])
    >>> maps = family.sample(20, seed=0)
    >>> rows = ct.backward_iterates(maps, [0], at=[5, 10, 20])
    >>> [family.space.letters(int(x[0]), 6) for x in rows]  # they begin with the same letters
    [(1, 1, 1, 1, 0, 1), (1, 1, 1, 1, 0, 1), (1, 1, 1, 1, 0, 1)]
    >>> rows = ct.forward_iterates(maps, [0], at=[5, 10, 20])
    >>> [family.space.letters(int(x[0]), 6) for x in rows]
    [(1, 1, 1, 1, 0, 1), (1, 1, 1, 1, 0, 0), (0, 1, 1, 0, 1, 1)]
    >>> [(probability, one([0])) for probability, one in family.support()]
    [(Fraction(1, 2), array([0], dtype=object)), (Fraction(1, 2), array([3], dtype=object))]
    >>> family.contraction.value
    0.5
    """

    vectorized = True
    dim = 1

    def __init__(
        self, prefixes: Iterable[Sequence[int]] | None = None, weights: Iterable[Number] | None = None, base: int = 2
    ) -> None:
        self.space: Words = Words(base)
        self.base, self.name = base, "PrefixMaps"
        self.prefixes = tuple(tuple(u) for u in ([(a,) for a in range(base)] if prefixes is None else prefixes))
        if not self.prefixes:
            raise ValueError("there must be at least one prefix, got none")
        for u in self.prefixes:
            if not u or any(isinstance(a, bool) or not isinstance(a, int | np.integer) or not 0 <= a < base for a in u):
                raise ValueError(f"a prefix must be a non-empty sequence of letters 0 … {base - 1}, got {u!r}")
        self.law = IID(check_weights(weights, len(self.prefixes)))
        self.weights = self.law.weights
        self._values, self._powers = (np.empty(len(self.prefixes), dtype=object) for _ in range(2))
        for i, u in enumerate(self.prefixes):
            self._values[i] = sum(int(a) * base**j for j, a in enumerate(u))
            self._powers[i] = base ** len(u)

    def __repr__(self) -> str:
        return f"PrefixMaps({len(self.prefixes)} prefixes, base={self.base})"

    def draw_block(self, rng: np.random.Generator, replicas: int | None) -> Draw:
        """Index of the prefix, a number or (R,)."""
        return self.law.letter(rng, replicas)

    @override
    def apply(self, theta: NDArray, draw: Draw) -> NDArray:
        points = _exact_words(theta)
        value, power = self._values[draw], self._powers[draw]
        if np.ndim(draw):
            value, power = value[..., None], power[..., None]
        return value + power * points

    def support(self) -> list[tuple[Number, Draw]]:
        """(probability, map) pairs of positive probability."""
        maps = [lambda theta, i=i: self.apply(np.asarray(theta), i) for i in range(len(self.prefixes))]
        return [(w, m) for w, m in zip(self.weights, maps, strict=True) if w > 0]

    def _live(self) -> list[int]:
        return [i for i, w in enumerate(self.weights) if w > 0]

    def lipschitz(self, draw: Draw) -> Numbers:
        """base^-|u|, which holds with equality for every pair of words."""
        return 1 / self._powers[draw].astype(float) if np.ndim(draw) else 1 / self._powers[draw]

    @property
    @override
    def contraction(self) -> Constant:
        shortest = min(len(self.prefixes[i]) for i in self._live())
        return Constant(float(self.base) ** -shortest, "proved", "base^-|u| of the shortest prefix, an equality")

    def _moves(self, theta0: NDArray) -> NDArray:
        theta = _exact_words(np.asarray(theta0))
        rows = [self.space.distance(theta, self.apply(theta, i)) for i in self._live()]
        return np.stack([np.asarray(r, dtype=float).reshape(-1) for r in rows])

    def displacement(self, theta0: NDArray) -> Constant:
        """Return the exact maximum of d(θ_0, u θ_0) over the prefixes."""
        return Constant(float(np.max(self._moves(theta0))), "proved", "largest over the prefixes, an equality")

    @override
    def displacement_moment(self, theta0: NDArray, p: float) -> Constant:
        if np.isinf(p):
            return self.displacement(theta0)
        w = np.array([float(self.weights[i]) for i in self._live()])
        value = float(np.max(power_mean(self._moves(theta0), p, w)))
        return Constant(value, "proved", f"(sum w d^p)^(1/p) over the prefixes at p = {p:g}")


def _exact_words(theta: NDArray) -> NDArray:
    if theta.dtype.kind not in "iuO":
        raise ValueError(f"words must be exact integers, got points of dtype {theta.dtype}")
    return theta.astype(object)
