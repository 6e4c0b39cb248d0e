"""Proof of Theorem 2.2, the geometric sum: its number of terms, and an exponent whose sign is printed wrongly.

Problem
    The maps T_i are k-Lipschitz with d(θ, T_i θ) ≤ D, and A = d(T_1…T_n θ, T_1…T_m θ) for m > n.
Guarantee (Exact, attained)
    A ≤ D k^n (1 + k + … + k^{m−n−1}) = D k^n (1 − k^{m−n})/(1−k), with equality for T_i x = kx + D at θ = 0.
    The printed sum ends with the exponent m−n+1. It has two terms too many, but is still a bound. The printed closed
    form has 1 − k^{n−m+2}, which is 0 at m = n+2 and negative beyond, so it is not a bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from contraction.maps.iterates import backward_iterates
from contraction.maps.operators import Operators
from contraction.statements import comparisons
from contraction.statements.records import Row, Statement, Tier, Verdict

ROWS = (13, 14)


def distance_of_iterates(k: Fraction, D: Fraction, n: int, m: int) -> Fraction:
    """Return A = |θ_m - θ_n| for T_i x = k x + D from 0, by applying the maps."""
    operators = Operators.from_maps([lambda x: k * x + D] * m)
    low, high = backward_iterates(operators, np.array([Fraction(0)]), at=[n, m])[:, 0]
    return abs(high - low)


def corrected_bound(k: Fraction, D: Fraction, n: int, m: int) -> Fraction:
    """D k^n (1 - k^(m-n))/(1-k)."""
    return D * k**n * (1 - k ** (m - n)) / (1 - k)


def printed_sum(k: Fraction, D: Fraction, n: int, m: int) -> Fraction:
    """k^n (D + D k + … + D k^(m-n+1)), as printed."""
    return k**n * D * sum((k**j for j in range(m - n + 2)), Fraction(0))


def printed_bound(k: Fraction, D: Fraction, n: int, m: int) -> Fraction:
    """D k^n (1 - k^(n-m+2))/(1-k), as printed; for k = 0 and m > n+2 it divides by zero."""
    return D * k**n * (1 - k ** (n - m + 2)) / (1 - k)


def check(k: Fraction, D: Fraction, n: int, m: int) -> Verdict:
    """Compare the corrected bound and the sum of m-n terms with the distance of the iterates, in Fractions."""
    A = distance_of_iterates(k, D, n, m)
    terms = k**n * D * sum((k**j for j in range(m - n)), Fraction(0))
    return comparisons.equal(
        "geometric_sum",
        ROWS,
        [A, A],
        [terms, corrected_bound(k, D, n, m)],
        hypotheses="0 ≤ k < 1, m > n, and T_i x = kx + D.",
        note=f"k={k}, D={D}, n={n}, m={m}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: k = 0, 1/2, near 1 and drawn; gaps 1 to 60, n up to 200."""
    for k in (Fraction(0), Fraction(1, 2), Fraction(999_999, 10**6)):
        for gap in (1, 2, 3, 60):
            yield {"k": k, "D": Fraction(3, 2), "n": int(rng.integers(0, 200)), "m": 200 + gap}
    for _ in range(20 if tier == "standard" else 300):
        n = int(rng.integers(0, 60))
        k = Fraction(int(rng.integers(0, 1000)), 1000)
        yield {"k": k, "D": Fraction(int(rng.integers(1, 99)), 7), "n": n, "m": n + int(rng.integers(1, 60))}


def check_printed(
    row: int = 14, k: Fraction = Fraction(1, 2), D: Fraction = Fraction(1), n: int = 0, gap: int = 2
) -> Verdict:
    """Compare two printed bounds, over D k^n, with the distance: the sum (row 13) and its closed form (row 14).

    For k > 0 the sum holds and is not sharp; the closed form fails.

    The sum is above the distance; the closed form is at most 0 for a gap m - n >= 2.
    """
    m = n + gap
    unit = D * k**n
    A = distance_of_iterates(k, D, n, m) / unit
    printed = (printed_sum if row == 13 else printed_bound)(k, D, n, m) / unit
    kind, holds = ("loose", printed > A) if row == 13 else ("refuted", printed <= 0 < A)
    return Verdict(
        "geometric_sum",
        (row,),
        kind,
        holds,
        float(A),
        float(printed),
        hypotheses="k > 0 and m ≥ n + 2.",
        note=f"A/(D kⁿ) at k={k}, m − n = {gap}",
    )


def printed_cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: k = 1/2 with gaps 2 to 5, where the printed factor is 0, -2, -6, -14, and drawn ones."""
    for row in ROWS:
        for gap in (2, 3, 4, 5):
            yield {"row": row, "gap": gap}
        for _ in range(10):
            yield {
                "row": row,
                "k": Fraction(int(rng.integers(300, 900)), 1000),
                "n": int(rng.integers(0, 20)),
                "gap": int(rng.integers(2, 8)),
            }


STATEMENT = Statement(
    name="geometric_sum",
    paper=("Theorem 2.2",),
    claim="D k^n (1 + k + … + k^{m−n−1}) = D k^n (1 − k^{m−n})/(1−k), which is attained",
    hypotheses="0 ≤ k < 1 and m > n.",
    rows=(
        Row(
            13,
            "Theorem 2.2, proof: the sum of the displacements",
            "LOOSE",
            quote="At this point, we can use the condition in (2) for the first term d(θ, T_{n+1}(θ)) < D and in "
            "conjunction with the contraction property for the subsequent terms in the sum, yielding: A ≤ k^n (D + D "
            "· k + ⋯ + D · k^{m−n+1}) ≤ D · k^n · ((1 − k^{n−m+2})/(1 − k)) ≤ (D · k^n)/(1 − k), where we used the "
            "sum of a geometric series.",
            why="The triangle inequality gives m − n terms, so the last exponent is m − n − 1. The two terms that "
            "the printed sum adds leave a valid bound.",
            correct="A ≤ k^n (D + D · k + ⋯ + D · k^{m−n−1}).",
            severity="typo",
        ),
        Row(
            14,
            "Theorem 2.2, proof: the closed form of the sum",
            "WRONG",
            quote="At this point, we can use the condition in (2) for the first term d(θ, T_{n+1}(θ)) < D and in "
            "conjunction with the contraction property for the subsequent terms in the sum, yielding: A ≤ k^n (D + D "
            "· k + ⋯ + D · k^{m−n+1}) ≤ D · k^n · ((1 − k^{n−m+2})/(1 − k)) ≤ (D · k^n)/(1 − k), where we used the "
            "sum of a geometric series.",
            why="The closed form in the middle is 0 at m = n + 2 and negative for m > n + 2, so it bounds no "
            "distance. The last bound is right, and the rest of the proof needs no change.",
            correct="D · k^n · (1 − k^{m−n})/(1 − k) in the middle.",
            severity="repairable",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    printed_cases=printed_cases,
    derivation="proofs/symbolic/geometric_sum.py:printed_slip",
    test="tests/theory/statements/section_2/test_geometric_sum.py",
)
