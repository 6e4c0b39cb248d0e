"""Footnote to Section 2: a Cauchy sequence has d(θ_n, θ_m) → 0 as n, m → ∞; the paper prints n, m → 0.

Problem
    The Cauchy modulus of a sequence on a window is the maximum of d(θ_n, θ_m) over N ≤ n ≤ m ≤ N + w.
Guarantee (Upper, attained)
    Let T_i x = K_i x + b_i with |K_i| ≤ k and |b_i| ≤ D. The modulus of the backward iterates from 0 is at most D k^N
    (1 − k^w)/(1−k) for every w, so it tends to 0 as N → ∞. The bound is an equality for T_i x = kx + D.
    Near 0, the printed condition concerns only n = m = 0, so every sequence would be a Cauchy sequence, θ_n = n among
    them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np

from contraction.maps.iterates import backward_iterates
from contraction.maps.operators import Operators
from contraction.statements import comparisons
from contraction.statements.records import Row, Statement, Tier, Verdict

ROWS = (4,)


def modulus(theta: Sequence[Fraction], first: int, last: int) -> Fraction:
    """Largest distance between θ_n and θ_m with first <= n, m <= last."""
    window = theta[first : last + 1]
    return max(window) - min(window)


def check(kind: str, k: Fraction, D: Fraction, N: int, w: int, seed: int = 0) -> Verdict:
    """Compare the modulus on N … N+w: "drawn" maps with the bound, "aligned" ones against the equality.

    In Fractions.
    """
    rng = np.random.default_rng([seed, N, w])
    grid = [(k * Fraction(int(s), 8), D * Fraction(int(t), 8)) for s, t in rng.integers(-8, 9, (N + w, 2))]
    forms = grid if kind == "drawn" else [(k, D)] * (N + w)
    maps = [lambda x, K=K, b=b: K * x + b for K, b in forms]
    theta = list(backward_iterates(Operators.from_maps(maps), np.array([Fraction(0)]))[:, 0])
    compare = comparisons.at_most if kind == "drawn" else comparisons.equal
    return compare(
        "cauchy_footnote",
        ROWS,
        modulus(theta, N, N + w),
        D * k**N * (1 - k**w) / (1 - k),
        seed=seed,
        hypotheses="0 ≤ k < 1, and the displacement is bounded.",
        note=f"{kind}, k={k}, D={D}, N={N}, w={w}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: k from 0 to 1 - 1e-6, windows of up to 40 iterates after N."""
    for k in (Fraction(0), Fraction(1, 2), Fraction(99, 100), 1 - Fraction(1, 10**6)):
        for kind in ("drawn", "aligned"):
            for N in (0, 1, 40):
                w = int(rng.integers(1, 30))
                yield {"kind": kind, "k": k, "D": Fraction(5, 3), "N": N, "w": w, "seed": int(rng.integers(2**31))}


def check_printed(n: int = 50) -> Verdict:
    """Check that θ_n = n satisfies the printed condition although no increment of it is below 1."""
    theta = [Fraction(j) for j in range(n + 1)]
    near_zero = modulus(theta, 0, 0)
    increments = min(abs(b - a) for a, b in pairwise(theta))
    return Verdict(
        "cauchy_footnote",
        ROWS,
        "refuted",
        near_zero == 0 and increments >= 1,
        float(increments),
        note="the sequence θ_n = n satisfies the printed condition and does not converge",
    )


STATEMENT = Statement(
    name="cauchy_footnote",
    paper=("Section 2",),
    claim="sup over m ≥ n ≥ N of d(θ_n, θ_m) ≤ D k^N/(1−k) → 0 as N → ∞",
    hypotheses="0 ≤ k < 1, and the displacement is bounded.",
    rows=(
        Row(
            4,
            "Section 2, footnote on complete metric spaces",
            "TYPO",
            quote="Recall that a complete metric space (Ω, d) is a set Ω, equipped with a distance metric d(θ_1, "
            "θ_2) for which all Cauchy sequences (i.e., sequences θ_n such that d(θ_n, θ_m) → 0 as n, m → 0) "
            "converge to points in the space; typically ℝ^d with the Euclidean distance is a complete metric space.",
            why="With indices near 0 the condition asks nothing, and every sequence would be a Cauchy sequence.",
            correct="n, m → ∞.",
            severity="typo",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    test="tests/theory/statements/section_2/test_cauchy_footnote.py",
)
