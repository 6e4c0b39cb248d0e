"""Theorem 2.2 without completeness: Cauchy sequences of backward iterates whose limit is missing from the space.

Problem
    The map T x = x/2 acts on Ω = (0, ∞). On Ω = Q the maps are T_i x = x/b + a_i, where the a_i are the base-b digits
    of √m and m is not a square.
Guarantee (Exact)
    On (0, ∞) the iterates are θ_n = 2^{−n} θ > 0, whose only candidate limit 0 is not in the space.
    On Q the iterates from 0 are θ_n = ⌊b^{n−1} √m⌋/b^{n−1}. They are rational, and θ_n² < m < (θ_n + b^{1−n})² at every
    n, so the only candidate limit is √m, which is not in Q. The factor is 1/b, and the displacement is at most
    max(⌊√m⌋, b−1).
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from math import isqrt

import numpy as np

from contraction.maps.iterates import backward_iterates
from contraction.maps.operators import Operators
from contraction.statements import comparisons
from contraction.statements.records import Row, Statement, Tier, Verdict

ROWS = (21,)
NAME = "necessity_of_completeness"


def digits_of_root(m: int, base: int, n: int) -> list[int]:
    """a_1 = isqrt(m), then the first n-1 digits of sqrt(m) after the point, in the base."""
    floors = [isqrt(m * base ** (2 * j)) for j in range(n)]
    return [floors[0], *(b - base * a for a, b in pairwise(floors))]


def check(space: str, n: int, m: int = 2, base: int = 10) -> Verdict:
    """Check backward iterates 1 … n in exact arithmetic, on "positive" numbers or on "rationals"."""
    hypotheses = f"The space Ω = {'(0, ∞)' if space == 'positive' else 'ℚ'} is not complete."
    if space == "positive":
        start = Fraction(m)
        rows = backward_iterates(Operators.from_maps([lambda x: x / 2] * n), np.array([start]))[:, 0]
        claimed = [start / 2**j for j in range(n + 1)]
        inside = all(x > 0 for x in rows)
        return comparisons.equal(NAME, ROWS, [*rows, int(inside)], [*claimed, 1], hypotheses=hypotheses, note=f"n={n}")
    if space != "rationals":
        raise ValueError(f"space must be positive or rationals, got {space!r}")
    if isqrt(m) ** 2 == m:
        raise ValueError(f"m must not be a square, so that sqrt(m) is irrational, got {m}")
    digits = digits_of_root(m, base, n)
    maps = [lambda x, a=a: x / base + a for a in digits]
    rows = backward_iterates(Operators.from_maps(maps), np.array([Fraction(0)]))[1:, 0]
    claimed = [Fraction(isqrt(m * base ** (2 * j)), base**j) for j in range(n)]
    bracket = all(x**2 < m < (x + Fraction(1, base**j)) ** 2 for j, x in enumerate(rows))
    bounded = all(0 <= a <= max(isqrt(m), base - 1) for a in digits)
    return comparisons.equal(
        NAME,
        ROWS,
        [*rows, int(bracket), int(bounded)],
        [*claimed, 1, 1],
        hypotheses=hypotheses,
        note=f"√{m} in base {base}, n={n}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: (0, inf), sqrt(2) in base ten, and roots of other numbers in other bases."""
    yield {"space": "positive", "n": 200}
    yield {"space": "rationals", "n": 60}
    for _ in range(6 if tier == "standard" else 60):
        m = int(rng.integers(2, 10**6))
        yield {"space": "rationals", "n": 30, "m": m + (isqrt(m) ** 2 == m), "base": int(rng.integers(2, 17))}


STATEMENT = Statement(
    name=NAME,
    paper=("Theorem 2.2",),
    claim="on ℚ, T_i x = x/10 + a_i with the digits of √2: θ_n² < 2 < (θ_n + 10^{1−n})², so the limit is not in ℚ",
    hypotheses="Every hypothesis of Theorem 2.2 but completeness holds.",
    rows=(
        Row(
            21,
            "Theorem 2.2, completeness",
            "BEYOND",
            beyond="Completeness cannot be dropped: x/2 on (0, ∞), and maps x/10 + digit on the rational numbers, "
            "have backward iterates without a limit.",
        ),
    ),
    check=check,
    cases=cases,
    test="tests/theory/statements/section_2/test_necessity_of_completeness.py",
)
