"""Section 3.1: closed forms of the forward and backward iterates of SGD on a quadratic, and when they contract.

Problem
    The maps are T_i(θ) = (1−h) θ + hε_i on R.
Guarantee (Tight)
        T_n … T_1 θ = (1−h)^n θ + h Σ_i (1−h)^{n−i} ε_i,
        T_1 … T_n θ = (1−h)^n θ + h Σ_i (1−h)^{i−1} ε_i.
    The Lipschitz constant of a map is exactly |1 − h|, so the maps are contractions if and only if 0 < h < 2.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from contraction.families import QuadraticSGD, Uniform
from contraction.maps.iterates import iterates, plain_iterates
from contraction.maps.operators import Operator
from contraction.maps.orders import Backward, Forward
from contraction.maps.rounding import gamma
from contraction.statements.records import Row, Statement, Tier, Verdict

ROWS = (44, 45)


def quotient(T: Operator, x: float, y: float) -> float:
    """|T x - T y| / |x - y|."""
    return abs(T(np.array([x]))[0] - T(np.array([y]))[0]) / abs(x - y)


def check(h: float, n: int, theta0: float, seed: int) -> Verdict:
    """Compare the n-th forward and backward iterates with the sums of Section 3.1, and T_1's quotient with |1 - h|.

    Both the affine path and the plain loop over the maps are compared. Rounding: both sides add 2n terms of size at
    most s = |1-h|^n |θ| + |h| sum |1-h|^j |eps|, each with at most n + 4 rounded operations, so they differ by at
    most 2 gamma(3n + 8) s; an operation that underflows loses 2^-1074, weighted by sum |1-h|^j. The quotient subtracts
    two values of at most four rounded operations and divides by a distance of at least 1 + |θ|.
    """
    operators = QuadraticSGD(h, Uniform(-1, 1)).sample(n, seed)
    eps = np.array([operators[i].draw[0] for i in range(n)])
    weights = (1 - h) ** np.arange(n)
    drift = (1 - h) ** n * theta0
    x, y = theta0, 1 + theta0 + abs(theta0)
    sums = [drift + h * np.sum(weights[::-1] * eps), drift + h * np.sum(weights * eps)]
    claimed = np.array([*sums, *sums, abs(1 - h)])
    engines = (iterates, plain_iterates)
    ends = [engine(operators, theta0, o, at=[n])[0, 0] for engine in engines for o in (Forward(), Backward())]
    measured = np.array([*ends, quotient(operators[0], x, y)])
    size = abs(drift) + abs(h) * np.sum(np.abs(weights))
    moved = (abs(1 - h) * (abs(x) + abs(y)) + 2 * abs(h)) / abs(x - y)
    lost = (6 * n + 16) * 2.0**-1074 * (1 + np.sum(np.abs(weights)))
    rounding = np.array([2 * gamma(3 * n + 8) * size + lost] * 4 + [2 * gamma(8) * (moved + abs(1 - h))])
    return Verdict.tight(
        "quadratic_sgd",
        ROWS,
        measured,
        claimed,
        rounding=rounding,
        seed=seed,
        hypotheses="h is arbitrary; the maps contract if and only if 0 < h < 2.",
        note=f"h={h}, n={n}, theta={theta0}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: h over [-0.1, 2.1] with its edges, n up to 300, starts up to 1000."""
    edges = (-0.1, 0.0, 0.3, 1.0, 1.7, 2.0, 2.1)
    for h in (*edges, *rng.uniform(0, 2, 20 if tier == "standard" else 200)):
        yield {
            "h": float(h),
            "n": int(rng.integers(1, 300)),
            "theta0": float(rng.uniform(-1e3, 1e3)),
            "seed": int(rng.integers(2**31)),
        }


def check_printed(row: int = 46, h: float = 0.3, n: int = 7, seed: int = 0) -> Verdict:
    """Check one slip of the section.

    Row 46: the backward display is labelled T_n … T_1; with that label it is false, the two sums differ. Row 45:
    "contractions provided that θ in (0, 1)": the quotient of two such points is measured, against the bound 1.
    """
    if row == 45:
        result = quotient(QuadraticSGD(h, Uniform(-1, 1)).sample(1, seed)[0], 0.25, 0.75)
        note = f"|T θ1 − T θ2|/|θ1 − θ2| at h={h} for θ1, θ2 inside (0, 1)"
        return Verdict("quadratic_sgd", (45,), "refuted", result >= 1 - gamma(64), result, 1.0, seed=seed, note=note)
    operators = QuadraticSGD(h, Uniform(-1, 1)).sample(n, seed)
    eps = np.array([operators[i].draw[0] for i in range(n)])
    printed = h * np.sum((1 - h) ** np.arange(n) * eps)
    forward = iterates(operators, 0.0, Forward(), at=[n])[0, 0]
    holds = abs(printed - forward) > 4 * gamma(3 * n + 8)
    return Verdict(
        "quadratic_sgd",
        (46,),
        "refuted",
        holds,
        float(forward),
        float(printed),
        seed=seed,
        note=f"the forward iterate and the printed sum at h={h}, n={n}, θ=0",
    )


def printed_cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: the label at h = 0.3, the range of h at both of its ends."""
    yield {"row": 46, "seed": int(rng.integers(2**31))}
    for h in (2.1, -0.1):
        yield {"row": 45, "h": h, "seed": int(rng.integers(2**31))}


STATEMENT = Statement(
    name="quadratic_sgd",
    paper=("Section 3.1",),
    claim="T_1…T_n θ = (1−h)^n θ + h Σ_i (1−h)^{i−1} ε_i, T_n…T_1 θ = (1−h)^n θ + h Σ_i (1−h)^{n−i} ε_i; Lip T = |1−h|",
    hypotheses="h is arbitrary; the maps contract if and only if 0 < h < 2.",
    rows=(
        Row(44, "Section 3.1, T_i and its forward expansion", "OK"),
        Row(
            45,
            "Section 3.1, when the maps contract",
            "WRONG",
            quote="These maps are uniform contractions provided that θ ∈ (0, 1) since |T_i(θ_1) − T_i(θ_2)| = |(1 − "
            "h)(θ_1 − θ_2)| ≤ |1 − h||θ_1 − θ_2|.",
            why="The condition is on h and not on θ.",
            correct="h ∈ (0, 1), or in full h ∈ (0, 2), where k = |1 − h| < 1.",
            severity="typo",
        ),
        Row(
            46,
            "Section 3.1, the backward iterates",
            "TYPO",
            quote="By switching indices, for the backward iterates we obtain: T_n ⋯ T_1(θ) = (1 − h)^n θ + hε_1 + ⋯ "
            "+ h(1 − h)^{n−1}ε_n.",
            why="The right side is the backward iterate.",
            correct="T_1 ⋯ T_n(θ) on the left.",
            severity="typo",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    printed_cases=printed_cases,
    derivation="proofs/symbolic/quadratic_sgd.py:backward_by_induction",
    test="tests/theory/statements/section_3/test_quadratic_sgd.py",
)
