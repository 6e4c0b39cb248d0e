"""Proof of Theorem 2.2, first step: bounded displacement at one point is bounded displacement at every point.

Problem
    T is k-Lipschitz and d(θ, T θ) ≤ D. Another point x lies at the distance r from θ.
Guarantee (Upper, attained)
    The displacement at x is d(x, T x) ≤ D + (1+k) r. The bound is an equality for T y = θ + Du − k(y − θ) and x = θ −
    ru with |u| = 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from contraction.maps.spaces import SupNorm
from contraction.statements import comparisons
from contraction.statements.cases.random_contractions import cases_of_starts, draw
from contraction.statements.records import Row, Statement, Tier, Verdict

ROWS = (10,)


def check(kind: str, k: float, D: float, dim: int, n: int, seed: int, reach: float = 1.0) -> Verdict:
    """Compare every displacement of n drawn maps at another start with the bound.

    The kind "opposed" is the case of equality, in Fractions.
    """
    hypotheses, note = "d(θ, T_iθ) ≤ D, and the T_i are k-Lipschitz.", f"{kind}, k={k}, D={D}, dim={dim}, reach={reach}"
    if kind == "opposed":
        k_, D_, r = Fraction(k), Fraction(D), Fraction(reach)
        rng = np.random.default_rng(seed)
        theta = np.array([Fraction(int(v), 7) for v in rng.integers(-99, 99, dim)])
        u = np.array([Fraction(int(s)) for s in rng.choice([-1, 1], dim)])
        x = theta - r * u
        moved = SupNorm().distance(x, theta + D_ * u - k_ * (x - theta))
        bound = D_ + (1 + k_) * r
        return comparisons.equal("displacement_everywhere", ROWS, moved, bound, hypotheses=hypotheses, note=note)
    T = draw(kind, k, D, dim, n, seed, reach)
    bound = T.D + (1 + T.k) * T.distance(T.theta0, T.other_start)
    moved = [float(T.distance(T.other_start, S(T.other_start))) for S in T.operators]
    return Verdict.upper(
        "displacement_everywhere",
        ROWS,
        moved,
        float(bound),
        rounding=T.rounding(1),
        seed=seed,
        hypotheses=hypotheses,
        note=note,
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Return cases: every kind and the case of equality, k over [0, 1), other starts up to 1e6 away."""
    return cases_of_starts(rng, tier, (0.0, 0.5, 0.99, 1 - 1e-9), "opposed", 20, (0.0, 1.0, 1e6))


STATEMENT = Statement(
    name="displacement_everywhere",
    paper=("Theorem 2.2",),
    claim="d(x, T_i x) ≤ D + (1+k) d(θ, x), which is attained",
    hypotheses="d(θ, T_iθ) ≤ D, and the T_i are k-Lipschitz.",
    rows=(Row(10, "proof of Theorem 2.2, the constant at another point", "OK"),),
    check=check,
    cases=cases,
    test="tests/theory/statements/section_2/test_displacement_everywhere.py",
)
