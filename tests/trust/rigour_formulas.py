"""Bounds as functions of their constants, against the same formulas in balls."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import flint
import numpy as np
from flint import arb

from contraction.certificates import bounds, majorants
from tests.trust.rigour import BITS, Case

__all__ = [
    "after_blocks",
    "after_q",
    "agreeing_orders",
    "common_norm",
    "draw_factor",
    "draw_horizon",
    "draw_scale",
    "geometric",
    "geometric_balls",
    "geometric_moment",
    "in_region",
    "mean_square",
    "p_mean",
    "p_mean_blocks",
    "power",
    "prefix_tail",
    "printed_other_start",
    "product_tail",
    "steps",
]

LAST = 1 - 2.0**-53  # the largest float below 1


def draw_factor(rng: np.random.Generator) -> float:
    """Return a contraction factor in [0, 1): a tenth each 0, tiny or the last float below 1, most near 1."""
    kind = rng.integers(10)
    if kind == 0:
        return 0.0
    if kind == 1:
        return float(10.0 ** rng.uniform(-300, -1))
    if kind == 2:
        return LAST if rng.random() < 0.5 else float(1 - 10.0 ** rng.uniform(-15.5, -12))
    if kind <= 4:
        return float(rng.uniform(0.01, 0.99))
    return float(1 - 10.0 ** rng.uniform(-12, -0.3))


def draw_scale(rng: np.random.Generator, zero: float = 0.05) -> float:
    """Return 0 or a number between 1e-150 and 1e150."""
    return 0.0 if rng.random() < zero else float(rng.uniform(1, 10) * 10.0 ** rng.uniform(-150, 149))


def draw_horizon(rng: np.random.Generator, k: float, decades: float = 900.0) -> int:
    """Return n >= 0: a few maps, or so many that k^n falls to as little as 10^-decades."""
    if rng.random() < 0.3:
        return int(rng.integers(0, 50))
    per_map = -math.log(k) if k > 0 else math.inf
    return min(round(rng.uniform(0, decades) * math.log(10) / per_map), 2**60) if math.isfinite(per_map) else 1


def power(x: Any, n: int) -> Any:
    """x^n for a ball and an integer n >= 0, with 0^0 = 1."""
    return x**n if n else arb(1)


def root(x: Any, p: float) -> Any:
    """x^(1/p), 0 for 0."""
    return arb(0) if x == 0 else x ** (1 / arb(p))


def _balls() -> None:
    flint.ctx.prec = BITS


def _one(value: Any) -> float:
    return float(np.asarray(value, dtype=float))


def geometric(rng: np.random.Generator) -> Case:
    """(D/(1-k) + r) k^n."""
    k, D, r = draw_factor(rng), draw_scale(rng), draw_scale(rng, 0.3)
    n = draw_horizon(rng, k)
    claimed = _one(majorants.Geometric(k, D, r if r else None).bound(np.asarray(n)))
    _balls()
    return Case(claimed, (arb(D) / (1 - arb(k)) + arb(r)) * power(arb(k), n), f"k={k!r}, D={D!r}, r={r!r}, n={n}")


def geometric_balls(rng: np.random.Generator) -> Case:
    """The same with rational constants."""
    k, D, r = draw_factor(rng), draw_scale(rng), draw_scale(rng, 0.3)
    n = draw_horizon(rng, k)
    third = Fraction(int(rng.integers(1, 4)), 3)
    claimed = _one(majorants.GeometricBalls(Fraction(k), third * Fraction(D), Fraction(r)).bound(np.asarray(n)))
    _balls()
    ball = arb(third.numerator) / third.denominator * arb(D)
    return Case(claimed, (ball / (1 - arb(k)) + arb(r)) * power(arb(k), n), f"k={k!r}, D={third}*{D!r}, r={r!r}, n={n}")


def printed_other_start(rng: np.random.Generator) -> Case:
    """(D + (1+k) r) k^n / (1-k)."""
    k, D, r = draw_factor(rng), draw_scale(rng), draw_scale(rng)
    n = draw_horizon(rng, k)
    claimed = _one(bounds.printed_other_start(k, D, r, n))
    _balls()
    exact = (arb(D) + (1 + arb(k)) * arb(r)) / (1 - arb(k)) * power(arb(k), n)
    return Case(claimed, exact, f"k={k!r}, D={D!r}, r={r!r}, n={n}")


def agreeing_orders(rng: np.random.Generator) -> Case:
    """2 k^p D / (1-k)."""
    k, D = draw_factor(rng), draw_scale(rng)
    n = draw_horizon(rng, k)
    claimed = _one(bounds.agreeing_orders(k, D, n))
    _balls()
    return Case(claimed, 2 * arb(D) / (1 - arb(k)) * power(arb(k), n), f"k={k!r}, D={D!r}, p={n}")


def in_region(rng: np.random.Generator) -> Case:
    """k^n min(reach, D/(1-k)), and k^floor(n/q) (min(reach, D/(1-k)) + D) for epochs of q maps."""
    k, D, q = draw_factor(rng), draw_scale(rng), int(rng.choice([1, 1, 2, 7]))
    reach = D * float(10.0 ** rng.uniform(-1, 13)) if rng.random() < 0.7 else draw_scale(rng)
    n = min(draw_horizon(rng, k) * q + int(rng.integers(q)), 2**60)
    claimed = _one(majorants.InRegion(k, D, reach, q).bound(np.asarray(n)))
    _balls()
    far = arb(D) / (1 - arb(k))
    least = arb(reach) if arb(reach) < far else far
    exact = (least + (arb(D) if q > 1 else 0)) * power(arb(k), n // q)
    return Case(claimed, exact, f"k={k!r}, D={D!r}, reach={reach!r}, q={q}, n={n}")


def common_norm(rng: np.random.Generator) -> Case:
    """C (D/(1-k) + r) k^n."""
    k, D, r = draw_factor(rng), draw_scale(rng), draw_scale(rng, 0.3)
    c, n = float(10.0 ** rng.uniform(-10, 10)), draw_horizon(rng, k)
    claimed = _one(majorants.CommonNorm(k, D, r if r else None, c=c).bound(np.asarray(n)))
    _balls()
    exact = arb(c) * (arb(D) / (1 - arb(k)) + arb(r)) * power(arb(k), n)
    return Case(claimed, exact, f"k={k!r}, D={D!r}, r={r!r}, c={c!r}, n={n}")


def _draw_p(rng: np.random.Generator) -> float:
    return float(rng.choice([0.1, 0.25, 1 / 3, 0.5, 0.9, 1.0, 1.5, 2.0, 3.0, 4.0]))


def p_mean(rng: np.random.Generator) -> Case | None:
    """By the triangle inequality in L^p (p >= 1) or for E d^p (p < 1)."""
    rho, D, r, p = draw_factor(rng), draw_scale(rng), draw_scale(rng, 0.3), _draw_p(rng)
    n = draw_horizon(rng, rho, 900 * min(p, 1))
    try:
        claimed = _one(majorants.PMean(rho, p, D, r if r else None).bound(np.asarray(n)))
    except ValueError as refused:
        if "too near 1" in str(refused):
            return None
        raise
    _balls()
    return Case(claimed, _p_mean_exact(rho, D, r, p, n), f"rho={rho!r}, p={p!r}, D={D!r}, r={r!r}, n={n}")


def _p_mean_exact(rho: float, D: float, r: float, p: float, n: int) -> Any:
    if p >= 1:
        k = root(arb(rho), p)
        return (arb(D) / (1 - k) + arb(r)) * power(k, n)
    sums = ((arb(D) ** arb(p) if D else 0) / (1 - arb(rho)) + (arb(r) ** arb(p) if r else 0)) * power(arb(rho), n)
    return root(sums, p)


def geometric_moment(rng: np.random.Generator) -> Case:
    """A common factor and a moment p < 1: the same as in p-mean, whose rho is k^p rounded up."""
    rho, D, r = draw_factor(rng), draw_scale(rng), draw_scale(rng, 0.3)
    p = float(rng.uniform(0.05, 0.99))
    n = draw_horizon(rng, rho, 900 * p)
    claimed = _one(majorants.GeometricMoment(rho, p, D, r if r else None).bound(np.asarray(n)))
    _balls()
    return Case(claimed, _p_mean_exact(rho, D, r, p, n), f"rho={rho!r}, p={p!r}, D={D!r}, r={r!r}, n={n}")


def after_q(rng: np.random.Generator) -> Case:
    """(D q/(1-kappa) + r) max(1, lip)^(q-1) kappa^floor(n/q)."""
    kappa, D, r, q = draw_factor(rng), draw_scale(rng), draw_scale(rng, 0.3), int(rng.integers(1, 9))
    lip = float(10.0 ** rng.uniform(-3, 3)) if rng.random() < 0.8 else draw_scale(rng)
    n = min(draw_horizon(rng, kappa) * q + int(rng.integers(q)), 2**60)
    claimed = _one(bounds.after_q(q, kappa, lip, D, n, r))
    _balls()
    growth = power(arb(max(1.0, lip)), q - 1)
    exact = (arb(D) * q / (1 - arb(kappa)) + arb(r)) * growth * power(arb(kappa), n // q)
    return Case(claimed, exact, f"q={q}, kappa={kappa!r}, lip={lip!r}, D={D!r}, r={r!r}, n={n}")


def _shorter(rng: np.random.Generator) -> tuple[float, ...]:
    q = int(rng.integers(1, 6))
    return (1.0, *(float(10.0 ** rng.uniform(-3, 3)) for _ in range(q - 1)))


def _blocks_exact(shorter: list[Any], kappa: Any, D: Any, r: Any, n: int) -> Any:
    q, s = len(shorter), n % len(shorter)
    total = sum(shorter[s:], arb(0)) + kappa / (1 - kappa) * sum(shorter, arb(0))
    return (D * total + r * shorter[s]) * power(kappa, n // q)


def after_blocks(rng: np.random.Generator) -> Case:
    """The sum over blocks of q maps, with the norms of shorter words."""
    shorter, kappa, D, r = _shorter(rng), draw_factor(rng), draw_scale(rng), draw_scale(rng, 0.3)
    q = len(shorter)
    n = min(draw_horizon(rng, kappa) * q + int(rng.integers(q)), 2**60)
    claimed = _one(majorants.AfterBlocks(shorter, kappa, D, r if r else None).bound(np.asarray(n)))
    _balls()
    exact = _blocks_exact([arb(x) for x in shorter], arb(kappa), arb(D), arb(r), n)
    return Case(claimed, exact, f"shorter={shorter}, kappa={kappa!r}, D={D!r}, r={r!r}, n={n}")


def p_mean_blocks(rng: np.random.Generator) -> Case | None:
    """The same in p-mean."""
    shorter, kappa, D, r = _shorter(rng), draw_factor(rng), draw_scale(rng), draw_scale(rng, 0.3)
    p, q = _draw_p(rng), len(shorter)
    n = min(draw_horizon(rng, kappa, 900 * min(p, 1)) * q + int(rng.integers(q)), 2**60)
    try:
        claimed = _one(majorants.PMeanBlocks(shorter, kappa, p, D, r if r else None).bound(np.asarray(n)))
    except ValueError as refused:
        if "too near 1" in str(refused):
            return None
        raise
    _balls()
    if p >= 1:
        exact = _blocks_exact([root(arb(x), p) for x in shorter], root(arb(kappa), p), arb(D), arb(r), n)
    else:
        powers = [arb(x) ** arb(p) if x else arb(0) for x in (D, r)]
        exact = root(_blocks_exact([arb(x) for x in shorter], arb(kappa), *powers, n), p)
    return Case(claimed, exact, f"shorter={shorter}, kappa={kappa!r}, p={p!r}, D={D!r}, r={r!r}, n={n}")


def mean_square(rng: np.random.Generator) -> Case:
    """[tr S^n(I) M]^(1/2) for moments anywhere within the stated errors."""
    d = int(rng.integers(1, 4))
    A = rng.standard_normal((3, d, d))
    EAA = np.mean([np.kron(a, a) for a in A], axis=0)
    EAA *= max(draw_factor(rng), 1e-3) / np.max(np.abs(np.linalg.eigvals(EAA)))
    half = rng.standard_normal((d, d)) * (draw_scale(rng, 0.0) if rng.random() < 0.5 else 10.0 ** rng.uniform(-6, 6))
    X = (half @ half.T).ravel()
    errors = [float(np.linalg.norm(x) * 10.0 ** rng.uniform(-16, -10)) for x in (EAA, X)]
    n = int(2.0 ** rng.uniform(0, 40)) if rng.random() < 0.5 else int(rng.integers(0, 200))
    claimed = _one(majorants.MeanSquareMoments(EAA, errors[0], X, errors[1]).bound(np.asarray(n)))
    _balls()
    true = []
    for x, error in zip((EAA, X.reshape(-1, 1)), errors, strict=True):
        off = rng.standard_normal(x.shape)
        off *= 0.999 * error / np.linalg.norm(off)
        true.append(
            flint.arb_mat(
                [
                    [arb(a) + arb(b) for a, b in zip(*rows, strict=True)]
                    for rows in zip(x.tolist(), off.tolist(), strict=True)
                ]
            )
        )
    v = true[0] ** n * true[1] if n else true[1]
    trace = sum((v[i * d + i, 0] for i in range(d)), arb(0))
    exact = trace.sqrt() if trace > 0 else arb(0)
    return Case(claimed, exact, f"d={d}, EAA={EAA.tolist()}, X={X.tolist()}, n={n}")


def prefix_tail(rng: np.random.Generator) -> Case:
    """The sum over i = n+1 … N of L_(i-1) d_i."""
    N = int(rng.integers(1, 30))
    L = np.concatenate([[1.0], [draw_scale(rng) for _ in range(N)]])
    d = np.array([draw_scale(rng) for _ in range(N)])
    n = int(rng.integers(0, N))
    claimed = float(bounds.prefix_tail(L, d)[n])
    _balls()
    exact = sum((arb(a) * arb(b) for a, b in zip(L[n:-1].tolist(), d[n:].tolist(), strict=True)), arb(0))
    return Case(claimed, exact, f"L={L.tolist()}, d={d.tolist()}, n={n}")


def product_tail(rng: np.random.Generator) -> Case:
    """K_1 … K_n D/(1-k)."""
    N, k, D = int(rng.integers(1, 60)), draw_factor(rng), draw_scale(rng)
    low, high = sorted(rng.uniform(-20, 2, 2))
    K = 10.0 ** rng.uniform(low, high, N)
    n = int(rng.integers(0, N + 1))
    claimed = float(bounds.product_tail(K, k, D)[n])
    _balls()
    exact = math.prod((arb(x) for x in K[:n].tolist()), start=arb(1)) * arb(D) / (1 - arb(k))
    return Case(claimed, exact, f"K={K.tolist()}, k={k!r}, D={D!r}, n={n}")


def steps(rng: np.random.Generator) -> Case | None:
    """The bound after ``steps`` maps is at most eps."""
    k, C = draw_factor(rng), draw_scale(rng, 0.0)
    if k > 1 - 1e-9:
        return None  # the plain search would take long, and is not what is checked
    eps = C * float(10.0 ** rng.uniform(-100, 3)) if rng.random() < 0.7 else draw_scale(rng, 0.0)
    n = bounds.steps(k, C, eps)
    _balls()
    return Case(eps, arb(C) * power(arb(k), n), f"k={k!r}, C={C!r}, eps={eps!r}, n={n}")
