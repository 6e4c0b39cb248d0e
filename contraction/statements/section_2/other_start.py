"""Theorem 2.2 from a start other than the one where the displacement is known: the constant C that is valid.

Problem
    The maps T_i are k-Lipschitz with d(θ, T_i θ) ≤ D. The iterates start at x, at the distance r = d(θ, x) from θ.
Guarantee (Upper, attained)
    d(θ*, T_1 … T_n x) ≤ (D/(1−k) + r) k^n, with equality for T_i y = ky + D at θ = 0 and x = −r.
    The paper's proof uses the displacement D + (1+k) r at x, which gives (D + (1+k) r) k^n/(1−k). This bound is larger
    by 2kr k^n/(1−k).
    The proof says that D changes with the start: C = D/(1−k) with the D of θ is valid for x = θ.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from contraction.maps.iterates import backward_iterates
from contraction.maps.operators import Operators
from contraction.statements import comparisons
from contraction.statements.cases.random_contractions import cases_of_starts, draw, spread
from contraction.statements.records import Row, Statement, Tier, Verdict

ROWS = (16,)


def sharp(k, D, r):
    """D/(1-k) + r."""
    return D / (1 - k) + r


def through_displacement(k, D, r):
    """(D + (1+k) r)/(1-k), the constant of the proof."""
    return (D + (1 + k) * r) / (1 - k)


def extremal(k: Fraction, D: Fraction, r: Fraction, at: list[int]) -> list[Fraction]:
    """d(θ*, T_1 … T_n x) for T_i y = k y + D from x = -r; θ* = D/(1-k)."""
    operators = Operators.from_maps([lambda y: k * y + D] * max(at))
    rows = backward_iterates(operators, np.array([-r]), at=at)[:, 0]
    return [abs(D / (1 - k) - y) for y in rows]


def check(kind: str, k: float, D: float, dim: int, n: int, seed: int, reach: float = 1.0) -> Verdict:
    """Compare distances to θ* from another start with the sharp constant; kind "extremal" is the equality."""
    hypotheses, note = "sup_i d(θ, T_iθ) ≤ D and r = d(θ, x).", f"{kind}, k={k}, D={D}, dim={dim}, n={n}, r={reach}"
    at = spread(n)
    if kind == "extremal":
        k_, D_, r = Fraction(k), Fraction(D), Fraction(reach)
        claimed = [sharp(k_, D_, r) * k_**j for j in at]
        return comparisons.equal(
            "other_start", ROWS, extremal(k_, D_, r, at), claimed, hypotheses=hypotheses, note=note
        )
    T = draw(kind, k, D, dim, n, seed, reach)
    limit, _, others = T.limit_and_iterates(at)
    r = T.distance(T.theta0, T.other_start)[()]
    claimed = [float(sharp(T.k, T.D, r) * T.k**j) for j in at]
    measured = [float(d) for d in T.distance(limit, others)]
    return Verdict.upper(
        "other_start", ROWS, measured, claimed, rounding=T.rounding(n), seed=seed, hypotheses=hypotheses, note=note
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Return cases: every kind and the equality, k over [0, 1), r up to 1e6."""
    return cases_of_starts(rng, tier, (0.0, 0.5, 0.9, 1 - 2.0**-20), "extremal", 60, (0.5, 5.0, 1e6))


def check_printed(
    k: Fraction = Fraction(9, 10), D: Fraction = Fraction(1), r: Fraction = Fraction(5), n: int = 7
) -> Verdict:
    """Check that the sharp constant, below that of the proof (in which D changes with the start), is attained."""
    distance, printed = extremal(k, D, r, [n])[0], D / (1 - k) * k**n
    larger = through_displacement(k, D, r) * k**n
    holds = printed < distance <= larger
    return Verdict(
        "other_start",
        ROWS,
        "beyond",
        holds,
        float(distance),
        float(printed),
        hypotheses="The start is x ≠ θ, and k > 0.",
        note=f"k={k}, D={D}, r={r}, n={n}: the distance to the limit is {float(distance):.6g}, the sharp bound "
        f"{float(sharp(k, D, r) * k**n):.6g}, the bound by the proof {float(larger):.6g}",
    )


STATEMENT = Statement(
    name="other_start",
    paper=("Theorem 2.2",),
    claim="d(θ*, T_1…T_n x) ≤ (D/(1−k) + d(θ, x)) k^n, which is attained",
    hypotheses="sup_i d(θ, T_iθ) ≤ D at the reference point θ, and the T_i are k-Lipschitz.",
    rows=(
        Row(
            16,
            "Theorem 2.2, proof: the constant at another start",
            "OK",
            quote="Let us show that if this happens for a single point θ, this happens for all points, provided we "
            "change the constant D.",
            beyond="From a start at distance r from θ the proof gives C = (D + (1 + k) r)/(1 − k). The best constant "
            "is C = D/(1 − k) + r.",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    test="tests/theory/statements/section_2/test_other_start.py",
)
