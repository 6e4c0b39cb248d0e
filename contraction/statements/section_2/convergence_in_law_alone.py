"""The converse of Theorem 2.6 fails: forward laws may converge while backward iterates do not.

Problem
    T(x) = x + a mod m, where a is uniform on {0, …, m−1} and m ≥ 2. These maps are isometries, so they do not contract.
Guarantee (Exact)
    The law of θ_n^F is uniform for every n ≥ 1. For every n, P(θ_{n+1}^B ≠ θ_n^B) = 1 − 1/m, and these events are
    independent. So almost surely infinitely many of them happen, and the backward iterates do not converge.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from contraction.maps.orders import Backward, Forward
from contraction.statements.cases.exact_words import all_words, law_of, rows
from contraction.statements.records import Row, Statement, Tier, Verdict

NAME, ROWS = "convergence_in_law_alone", (41,)


def check(m: int, n: int, start: int = 0) -> Verdict:
    """Count all m^n words: the forward law at every step, and all patterns of moves of the backward path.

    Measured is the chance that the last backward step moves; the law of the whole pattern of moves is compared with
    independent moves of chance 1 - 1/m.
    """
    words = all_words(m, n)
    maps = [lambda x, a=a: (x + a) % m for a in range(m)]
    equal = [Fraction(1, m**n)] * len(words)
    forward, backward = (rows(maps, words, [start % m], order)[:, :, 0] for order in (Forward(), Backward()))
    uniform = {(x,): Fraction(1, m) for x in range(m)}
    flat = all(law_of(forward[:, j], equal) == uniform for j in range(1, n + 1))
    moves = law_of(backward[:, 1:] != backward[:, :-1], equal)
    stay, move = Fraction(1, m), 1 - Fraction(1, m)
    independent = all(weight == move ** sum(pattern) * stay ** (n - sum(pattern)) for pattern, weight in moves.items())
    last = sum((w for pattern, w in moves.items() if pattern[-1]), Fraction(0))
    return Verdict(
        NAME,
        ROWS,
        "exact",
        flat and independent,
        float(last),
        float(move),
        hypotheses="The maps are isometries of a finite set.",
        note=f"rotations of {m} points, n={n}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: 2 to 6 points, at most 4,096 words."""
    for m, n in ((2, 1), (2, 10), (3, 7), (4, 6), (5, 5), (6, 4)):
        yield {"m": m, "n": n, "start": int(rng.integers(m))}


STATEMENT = Statement(
    name=NAME,
    paper=("Theorem 2.6",),
    claim="T ∈ {x + a mod m} uniform: forward law uniform for n ≥ 1, P(θ^B_{n+1} ≠ θ^B_n) = 1 − 1/m for every n",
    hypotheses="This is the converse of Theorem 2.6, which the paper does not claim.",
    rows=(
        Row(
            41,
            "Theorem 2.6, its converse",
            "BEYOND",
            beyond="The paper does not claim the converse, and it is false: if T x is x or x + 1 modulo 2 with equal "
            "probabilities, the law of the forward iterates converges and the backward iterates do not.",
        ),
    ),
    check=check,
    cases=cases,
    test="tests/theory/statements/section_2/test_convergence_in_law_alone.py",
)
