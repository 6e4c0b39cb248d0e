"""Theorem 2.6: forward and backward iterates have the same law at every n, so the forward law tends to that of θ*.

Problem
    T_1, T_2, … are i.i.d. maps, θ_n^F = T_n … T_1 θ_0, and θ_n^B = T_1 … T_n θ_0.
Guarantee (Exact at each n, Upper in the limit)
    θ_n^F and θ_n^B have the same law for every n. Hence, if the maps have a common contraction factor k, the distance
    W_1 between the law of θ_n^F and the law of θ* is at most k^n E d(θ_0, T θ_0)/(1−k).
    The paper states only in its proof that the backward iterates converge almost surely. Convergence in probability is
    enough, and θ_0 must be independent of the maps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from contraction.maps.orders import Backward, Forward
from contraction.statements.cases.exact_words import Map, equal_laws, iid, iterate_law, random_fraction
from contraction.statements.records import Row, Statement, Tier, Verdict

NAME, ROWS = "equality_of_laws", (36,)


def kink(a: Fraction, b: Fraction, c: Fraction) -> Map:
    """Return the map x -> a x + c |x| + b of each coordinate: nonlinear, exact in rationals, Lip = |a| + |c|."""
    return lambda x: a * x + c * abs(x) + b


def bend(a: Fraction, b: Fraction, c: Fraction) -> Map:
    """Return the map x -> a x + c x/(1+x²) + b: smooth, exact in rationals, digits triple at each step.

    Lip <= |a| + |c|.
    """
    return lambda x: a * x + c * (x / (1 + x * x)) + b


def check(
    maps: Sequence[Map], weights: Sequence[Fraction], theta0: Sequence[Fraction], n: int, seed: int = 0
) -> Verdict:
    """Compare the exact laws of the n-th forward and backward iterates; measured is the mass that they share."""
    words = iid(weights, n)
    forward, backward = (iterate_law(maps, words, theta0, order) for order in (Forward(), Backward()))
    return equal_laws(
        NAME,
        ROWS,
        forward,
        backward,
        seed=seed,
        hypotheses="The maps are i.i.d. and otherwise arbitrary.",
        note=f"{len(maps)} maps, n={n}, {len(forward)} atoms",
    )


def random_weights(rng: np.random.Generator, M: int) -> list[Fraction]:
    """M positive rational weights with sum one."""
    parts = rng.integers(1, 8, M)
    return [Fraction(int(p), int(parts.sum())) for p in parts]


def random_maps(rng: np.random.Generator, M: int, smooth: bool = False) -> list[Map]:
    """M nonlinear maps with slopes in [-1, 1] and kinks (or bends) in [-1/2, 1/2]; some of them expand."""
    make = bend if smooth else kink
    return [
        make(random_fraction(rng, -1, 1, 6), random_fraction(rng, -2, 2, 3), random_fraction(rng, -1, 1, 4) / 2)
        for _ in range(M)
    ]


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: 1 to 4 nonlinear maps with unequal weights, one to three coordinates, all words up to length 6."""
    for k in range(12 if tier == "standard" else 80):
        M = int(rng.integers(1, 5))
        smooth = k % 4 == 3
        n = int(rng.integers(1, 5)) if smooth or M == 4 else int(rng.integers(1, 7))
        yield {
            "maps": random_maps(rng, M, smooth),
            "weights": random_weights(rng, M),
            "n": n,
            "theta0": [random_fraction(rng, -3, 3) for _ in range(int(rng.integers(1, 4)))],
            "seed": k,
        }


STATEMENT = Statement(
    name=NAME,
    paper=("Theorem 2.6", "Section 2.2", "Appendix E"),
    claim="law(T_n…T_1 θ_0) = law(T_1…T_n θ_0) for every n; if T_1…T_n θ_0 → θ* then law(T_n…T_1 θ_0) → law(θ*)",
    hypotheses="The maps are i.i.d., θ_0 is independent of them, and convergence is almost sure or in probability.",
    rows=(Row(36, "Theorem 2.6, convergence in law to the law of θ*", "OK"),),
    check=check,
    cases=cases,
    test="tests/theory/statements/section_2/test_equality_of_laws.py",
)
