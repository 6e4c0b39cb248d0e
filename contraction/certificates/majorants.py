"""Formulas that bound the distance of the n-th backward iterate to its limit, one small class per formula.

A majorant holds its constants, names its formula and evaluates it: ``Geometric(0.5, 1.0).bound(3)`` is D k³/(1−k)
rounded up. If ``r`` is None, the iterates start at the reference point.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from contraction.certificates import bounds
from contraction.certificates.blocks import after_blocks, p_after_blocks
from contraction.maps.balls import ball, load_flint, upper
from contraction.maps.rounding import TINY, gamma, norm_of_entries, round_up
from contraction.types import Numbers, override
from contraction.values import Value

__all__ = [
    "PRECISION",
    "AfterBlocks",
    "AtLimit",
    "CommonNorm",
    "DrawnTail",
    "Geometric",
    "GeometricBalls",
    "GeometricMoment",
    "InRegion",
    "Majorant",
    "MeanSquareMoments",
    "PMean",
    "PMeanBlocks",
    "Smaller",
    "WithinSeen",
]

PRECISION = 192  # bits of ball arithmetic


class Majorant(Value, ABC):
    """An upper bound on a distance as a function of n."""

    @property
    @abstractmethod
    def formula(self) -> str:
        """The bound as mathematics."""

    @abstractmethod
    def bound(self, n: NDArray) -> Numbers:
        """Return the bound for an array of integers n >= 0, of the same shape (replicas in front)."""


def _geometric(r: float | Fraction | None) -> str:
    """Return the formula of Theorem 2.2, with the distance r of another start or without."""
    return "D kⁿ/(1−k)" if r is None else "(D/(1−k) + r) kⁿ"


@dataclass(frozen=True, eq=False)
class Geometric(Majorant):
    """Theorem 2.2: D kⁿ/(1−k), and (D/(1−k) + r) kⁿ from a start at distance r from the reference point."""

    k: float
    D: float
    r: float | None = None

    @property
    @override
    def formula(self) -> str:
        return _geometric(self.r)

    @override
    def bound(self, n: NDArray) -> Numbers:
        return bounds.other_start(self.k, self.D, self.r or 0.0, n)


@dataclass(frozen=True, eq=False)
class InRegion(Majorant):
    """kⁿ min(reach, D/(1−k)) on an invariant set, no point of which is further than ``reach`` from the start.

    With q > 1 the set is invariant under epochs of q maps, which contract by k; D bounds how far the first maps of an
    epoch lead from the start, from which n maps may do an unfinished epoch first: k^⌊n/q⌋ (min(reach, D/(1−k)) + D).
    """

    k: float
    D: float
    reach: float
    q: int = 1

    @property
    @override
    def formula(self) -> str:
        return "kⁿ min(reach, D/(1−k))" if self.q == 1 else f"k^⌊n/{self.q}⌋ (min(reach, D/(1−k)) + D)"

    @override
    def bound(self, n: NDArray) -> Numbers:
        blocks, behind = n // self.q, 0.0 if self.q == 1 else self.D
        moved = bounds.other_start(self.k, self.D, behind, blocks)
        return np.minimum(moved, bounds.other_start(self.k, 0.0, float(round_up(self.reach + behind)), blocks))


@dataclass(frozen=True, eq=False)
class CommonNorm(Geometric):
    """`Geometric` in another norm, in which the maps contract, multiplied by c, where ‖x‖ <= c ‖x‖_other."""

    c: float = field(kw_only=True)

    @property
    @override
    def formula(self) -> str:
        return f"c {super().formula}"

    @override
    def bound(self, n: NDArray) -> Numbers:
        with np.errstate(over="ignore", under="ignore"):
            inner = super().bound(n)
            return np.where(inner > 0, np.maximum(round_up(self.c * inner, 4), TINY), 0.0)[()]


@dataclass(frozen=True, eq=False)
class PMean(Majorant):
    """Contraction in p-mean, rho = E Kᵖ < 1."""

    rho: float
    p: float
    D: float
    r: float | None = None

    @property
    @override
    def formula(self) -> str:
        if self.p >= 1:
            return "rhoⁿᐟᵖ D/(1−rho^(1/p))" if self.r is None else "rhoⁿᐟᵖ (D/(1−rho^(1/p)) + r)"
        return "[rhoⁿ Dᵖ/(1−rho)]^(1/p)" if self.r is None else "[rhoⁿ (Dᵖ/(1−rho) + rᵖ)]^(1/p)"

    @override
    def bound(self, n: NDArray) -> Numbers:
        return bounds.p_mean(self.rho, self.p, self.D, n, self.r or 0.0)


@dataclass(frozen=True, eq=False)
class GeometricMoment(PMean):
    """A common factor k and a moment p < 1, for which E dᵖ satisfies the triangle inequality; rho is kᵖ rounded up."""

    @property
    @override
    def formula(self) -> str:
        return f"[Dᵖ/(1−kᵖ){'' if self.r is None else ' + rᵖ'}]^(1/p) kⁿ"


@dataclass(frozen=True, eq=False)
class AfterBlocks(Majorant):
    """Words of length q have factor at most kappa, words of length j < q at most L_j, the j-th of ``shorter``."""

    shorter: tuple[float, ...]
    kappa: float
    D: float
    r: float | None = None

    @property
    @override
    def formula(self) -> str:
        start = "" if self.r is None else " + r kappa^⌊n/q⌋ L_(n mod q)"
        return f"D Σ_(m≥n) kappa^⌊m/q⌋ L_(m mod q){start}, L_j over words of length j, q = {len(self.shorter)}"

    @override
    def bound(self, n: NDArray) -> Numbers:
        return after_blocks(self.shorter, self.kappa, self.D, n, self.r or 0.0)


@dataclass(frozen=True, eq=False)
class PMeanBlocks(Majorant):
    """Contraction in p-mean of words of length q: kappa = E Lip(T_1 … T_q)ᵖ < 1; ``shorter`` lists those for j < q."""

    shorter: tuple[float, ...]
    kappa: float
    p: float
    D: float
    r: float | None = None

    @property
    @override
    def formula(self) -> str:
        return f"p-mean over blocks of q = {len(self.shorter)} maps, kappa = E Lip(T_1…T_q)ᵖ, and shorter words"

    @override
    def bound(self, n: NDArray) -> Numbers:
        return p_after_blocks(self.shorter, self.kappa, self.p, self.D, n, self.r or 0.0)


@dataclass(frozen=True, eq=False)
class MeanSquareMoments(Majorant):
    """Affine maps in mean square: [tr Sⁿ(I) M]^(1/2), S(P) = E AᵀPA, plus bounds on all rounding errors.

    ``EAA`` is E A⊗A and ``X`` is vec M, M = E (θ* - θ)(θ* - θ)^T. Each has a bound on its error in the
    Frobenius norm, which is propagated to the powers of E A⊗A.
    """

    EAA: NDArray
    EAA_error: float
    X: NDArray
    X_error: float

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "_powers", [_near_one(self.EAA, self.EAA_error)])

    @property
    @override
    def formula(self) -> str:
        return "[tr Sⁿ(I) M]^(1/2), S(P) = E AᵀPA, M = E (θ*−θ)(θ*−θ)ᵀ"

    @override
    def bound(self, n: NDArray) -> Numbers:
        unique, where = np.unique(n, return_inverse=True)
        return np.array([self._one(int(m)) for m in unique], dtype=float)[where].reshape(n.shape)[()]

    def _one(self, n: int) -> float:
        d = math.isqrt(len(self.X))
        v, error, exponent = _near_one(self.X, self.X_error)
        bit = 0
        while n >> bit:
            if n >> bit & 1:
                power, wrong, shift = self._power(bit)
                size, length = norm_of_entries(power), norm_of_entries(v)
                error = size * error + wrong * (length + error) + gamma(d * d) * size * length
                v, error, more = _near_one(power @ v, error)
                exponent += shift + more
            bit += 1
        if not (math.isfinite(error) and np.all(np.isfinite(v))):
            return math.inf
        trace = float(np.trace(v.reshape(d, d)))
        # the errors are sums of some hundred rounded terms: 2^-30 is far more than their own rounding
        square = max(trace, 0.0) + math.sqrt(d) * error * (1 + 2.0**-30) + gamma(d) * abs(trace)
        root = round_up(math.sqrt(float(round_up(square, 8)) * (1 + exponent % 2)), 8)
        with np.errstate(over="ignore", under="ignore"):
            return (
                0.0
                if root == 0
                else max(float(np.nextafter(np.ldexp(root, max(min(exponent // 2, 5000), -5000)), np.inf)), TINY)
            )

    def _power(self, bit: int) -> tuple[NDArray, float, int]:
        """L, e, s: (E A⊗A)^(2^bit) is L 2^s, with an error of at most e 2^s; powers are cached."""
        powers: list[tuple[NDArray, float, int]] = self._powers  # pyright: ignore[reportAttributeAccessIssue]
        while len(powers) <= bit:
            L, wrong, shift = powers[-1]
            size = norm_of_entries(L)
            L, wrong, more = _near_one(L @ L, 2 * size * wrong + wrong * wrong + gamma(len(L)) * size * size)
            powers.append((L, wrong, 2 * shift + more))
        return powers[bit]


def _near_one(x: NDArray, error: float) -> tuple[NDArray, float, int]:
    """Divide an array and a bound on its error by a power of two, so that the larger of both is in [1/2, 1)."""
    power = math.frexp(max(norm_of_entries(x), error))[1]
    with np.errstate(under="ignore"):
        return np.ldexp(x, -power), float(np.ldexp(error, -power)), power


@dataclass(frozen=True, eq=False)
class Smaller(Majorant):
    """The smaller of two bounds on the same distance, both of which hold."""

    one: Majorant
    other: Majorant

    @property
    @override
    def formula(self) -> str:
        return f"min({self.one.formula}, {self.other.formula})"

    @override
    def bound(self, n: NDArray) -> Numbers:
        return np.minimum(self.one.bound(n), self.other.bound(n))


@dataclass(frozen=True, eq=False)
class GeometricBalls(Majorant):
    """`Geometric` in ball arithmetic (python-flint); its constants are exact upper ends of balls."""

    k: Fraction
    D: Fraction
    r: Fraction | None = None

    @property
    @override
    def formula(self) -> str:
        return _geometric(self.r)

    @override
    def bound(self, n: NDArray) -> Numbers:
        with load_flint().ctx.workprec(PRECISION):
            k, D, r = ball(self.k), ball(self.D), ball(self.r or 0)
            values = [upper((D / (1 - k) + r) * (k ** int(m) if m else ball(1))) for m in n.flat]
        return np.array(values, dtype=float).reshape(n.shape)[()]


@dataclass(frozen=True, eq=False)
class DrawnTail(Majorant):
    """Drawn maps: the sums of the terms after n, as a table with n along the last axis."""

    table: NDArray
    factors: str
    r: float | None = None

    @property
    @override
    def formula(self) -> str:
        start = "" if self.r is None else f" + r {self.factors}"
        return f"Σ_(n<i≤N) Lip(T_1…T_(i−1)) d(θ_0, T_iθ_0), Lip ≤ {self.factors}{start}"

    @override
    def bound(self, n: NDArray) -> Numbers:
        return self.table[..., n]


@dataclass(frozen=True, eq=False)
class AtLimit(Majorant):
    """The bound 0: every map fixes the start, so the start is the limit."""

    @property
    @override
    def formula(self) -> str:
        return "0"

    @override
    def bound(self, n: NDArray) -> Numbers:
        return np.zeros(np.shape(n))[()]


@dataclass(frozen=True, eq=False)
class WithinSeen(Majorant):
    """A distance measured at a horizon, as an estimate: constant from the horizon on, infinite before it."""

    horizon: int
    seen: float

    @property
    @override
    def formula(self) -> str:
        return f"seen for n ≥ {self.horizon}, nothing for smaller n"

    @override
    def bound(self, n: NDArray) -> Numbers:
        return np.where(np.asarray(n) >= self.horizon, self.seen, np.inf)[()]
