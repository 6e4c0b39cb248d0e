"""Randomly generated sequences of contractions whose limits are known exactly.

Every map has the form T(x) = θ_0 + D u + k F(x - θ_0) with |u| <= 1, F(0) = 0 and F nonexpansive, or is given by
a stochastic matrix or a prefix of a word. T_1 … T_N are drawn; every later map is one contraction G whose fixed point p
is known. Hence θ* = lim T_1 … T_N G^j x = T_1 … T_N p exactly, however slowly G contracts, and p is put as far from
θ_0 as condition (2) allows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from contraction.maps.iterates import iterates
from contraction.maps.operators import Operators
from contraction.maps.orders import Backward
from contraction.maps.rounding import gamma, iterate_rounding
from contraction.maps.spaces import Euclidean, L1Simplex, Space, SupNorm, Words
from contraction.statements.records import Tier
from contraction.types import Scalar

__all__ = ["KINDS", "Drawn", "cases_of_starts", "draw", "spread"]

#: How F is made: an isometry, smooth, with a dead zone, the identity with every u equal (the worst case), maxima of
#: coordinates in the sup norm, PageRank steps in l1, prefixes of words in an ultrametric.
KINDS = ("reflection", "sine", "threshold", "aligned", "maxima", "pagerank", "prefix")

PointMap: TypeAlias = Callable[[NDArray], NDArray]


@dataclass(frozen=True)
class Drawn:
    """T_1 … T_N with k, D, the fixed point of all later maps, and what bounds the rounding."""

    operators: Operators
    theta0: NDArray
    k: Scalar
    D: Scalar
    fixed_point: NDArray
    other_start: NDArray
    scale: float
    operations: int

    @property
    def space(self) -> Space:
        """The metric space of the maps."""
        return self.operators.family.space

    def distance(self, x: NDArray, y: NDArray) -> NDArray:
        """Return the distance of x and y."""
        return self.space.distance(x, y)

    def rounding(self, n: int) -> float:
        """Bound on the error of a distance between two computed words of at most n maps (0 in exact arithmetic).

        Each word carries iterate_rounding; the distance itself adds gamma(operations) times its size.
        """
        if self.operations == 0:
            return 0.0
        return 2 * iterate_rounding(float(self.k), n, self.scale, self.operations) + gamma(self.operations) * self.scale

    def limit_and_iterates(self, at: list[int]) -> tuple[NDArray, NDArray, NDArray]:
        """θ*, the backward iterates ``at`` of θ_0, and those of the other start."""
        starts = np.stack([self.theta0, self.fixed_point, self.other_start])
        rows = iterates(self.operators, starts, Backward(), at=[*at, len(self.operators)])
        return rows[1, -1], rows[0, :-1], rows[2, :-1]


def spread(n: int, count: int = 12) -> list[int]:
    """0, n, and points between them: all of the first few, then geometrically spaced."""
    points = {0, 1, 2, 3, n - 1, n, *np.unique(np.geomspace(1, max(n, 1), count).astype(int)).tolist()}
    return sorted(p for p in points if 0 <= p <= n)


def draw(kind: str, k: float, D: float, dim: int, n: int, seed: int, reach: float = 1.0) -> Drawn:
    """Draw T_1 … T_n of a kind with common factor k and displacement at most D at θ_0.

    ``reach`` is the distance of the other start (where the space has room for it). For prefixes k becomes base^-length,
    and for PageRank D is the largest displacement of the maps that were drawn.
    """
    rng = np.random.default_rng([seed, n, dim, KINDS.index(kind)])
    if kind == "prefix":
        return _prefixes(dim, n, rng)
    if kind == "pagerank":
        return _pagerank(k, max(dim, 2), n, rng)
    sup = kind == "maxima"
    theta0 = rng.uniform(-10, 10, dim)

    def unit() -> NDArray:
        v = rng.choice([-1.0, 1.0], dim) if sup else rng.standard_normal(dim)
        return v if sup else v / np.linalg.norm(v)

    u0 = unit()

    def one() -> PointMap:
        if kind == "aligned":
            return _shifted(theta0, k, D * u0, lambda y: y)
        shift = D * (u0 if rng.random() < 0.3 else unit()) * rng.choice([1.0, 1.0, rng.random()])
        if sup:
            p, q, signs = rng.permutation(dim), rng.permutation(dim), rng.choice([-1.0, 1.0], dim)
            return _shifted(theta0, k, shift, lambda y: signs * np.maximum(y[..., p], y[..., q]))
        v = unit()
        if kind == "reflection":
            return _shifted(theta0, k, shift, lambda y: _reflect(y, v))
        if kind == "sine":
            return _shifted(theta0, k, shift, lambda y: np.sin(_reflect(y, v)))
        t = D * rng.random()
        return _shifted(theta0, k, shift, lambda y: _shrink(_reflect(y, v), t))

    operators = Operators.from_maps([one() for _ in range(n)], space=SupNorm() if sup else Euclidean())
    radius = D / (1 - k)
    other = theta0 + reach * (-u0 if rng.random() < 0.5 else unit())
    # An exact map moves points of the ball of radius R = D/(1-k) + reach; a computed one commits, relative to
    # |theta0| + 2R + D: d + 2 roundings in v, 2d + 6 in the reflection, 8 in the sine, 4 in the rest, all doubled.
    scale = float(np.linalg.norm(theta0)) + 2 * (radius + reach) + D
    return Drawn(operators, theta0, k, D, theta0 + radius * u0, other, scale, 6 * dim + 40)


def _shifted(theta0: NDArray, k: float, shift: NDArray, F: PointMap) -> PointMap:
    return lambda x: theta0 + (shift + k * F(x - theta0))


def _reflect(y: NDArray, v: NDArray) -> NDArray:
    return y - 2 * (y @ v)[..., None] * v


def _shrink(y: NDArray, t: float) -> NDArray:
    return np.sign(y) * np.maximum(np.abs(y) - t, 0)


def _pagerank(k: float, dim: int, n: int, rng: np.random.Generator) -> Drawn:
    """Return x -> k x P + (1 - k) v, P a stochastic matrix: factor k in l1.

    Later maps: k x + (1 - k) w, fixed point w.
    """
    theta0, w = rng.dirichlet(np.ones(dim)), np.eye(dim)[rng.integers(dim)]
    steps = [(rng.dirichlet(np.full(dim, 0.3) + 0.01, dim), rng.dirichlet(np.full(dim, 0.5))) for _ in range(n)]
    maps = [lambda x, P=P, v=v: k * (x @ P) + (1 - k) * v for P, v in steps]
    space = L1Simplex()
    displacements = [float(space.distance(theta0, T(theta0))) for T in maps]
    D = max([(1 - k) * float(space.distance(theta0, w)), *displacements])
    other = np.eye(dim)[rng.integers(dim)]
    return Drawn(Operators.from_maps(maps, space=space), theta0, k, D, w, other, 4.0, 6 * dim + 40)


def _prefixes(dim: int, n: int, rng: np.random.Generator) -> Drawn:
    """Return w -> prefix w on infinite words: factor base^-length, exact.

    Later maps put zeros in front, fixed point 000… .
    """
    base, length = 2 + dim % 3, 1 + dim % 2
    space, k = Words(base), Fraction(1, base**length)
    sizes = (length + rng.integers(0, 3, n)).tolist()
    fronts = [int(rng.integers(base**size)) for size in sizes]
    maps = [lambda x, c=c, s=s: c + base**s * x for c, s in zip(fronts, sizes, strict=True)]
    theta0, zero, other = (np.array([int(v)], dtype=object) for v in (rng.integers(1, 10**6), 0, rng.integers(10**6)))
    moved = [np.array([int(T(int(theta0[0])))], dtype=object) for T in maps] + [base**length * theta0]
    D = max(Fraction(space.distance(theta0, m).item()) for m in moved)
    return Drawn(Operators.from_maps(maps, space=space), theta0, k, D, zero, other, 1.0, 0)


def cases_of_starts(
    rng: np.random.Generator, tier: Tier, factors: Sequence[float], equality: str, n: int, reaches: Sequence[float]
) -> Iterator[dict]:
    """Yield cases of every kind and of equality, for each factor, with starts at the distances ``reaches``."""
    for k in factors:
        for kind in (*KINDS, equality):
            for _ in range(1 if tier == "standard" else 10):
                yield {
                    "kind": kind,
                    "k": k,
                    "D": float(rng.choice([0.0, 1.0, 1e3])),
                    "dim": int(rng.integers(1, 51)),
                    "n": n,
                    "seed": int(rng.integers(2**31)),
                    "reach": float(rng.choice(reaches)),
                }
