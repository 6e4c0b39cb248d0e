"""Theorem 2.2 in mean square: maps that contract on average of squares, though not every map contracts (row 82).

Problem
    T_1, T_2, … are independent with one law, ρ² = sup E d(Tx, Ty)²/d(x, y)² over x ≠ y, and D = ‖d(θ_0, T θ_0)‖_2.
Guarantee (Upper; Exact for affine maps)
    If ρ < 1, the backward iterates converge in L² and almost surely, and (E d(θ*, θ_n)²)^{1/2} ≤ ρ^n D/(1−ρ).
    For affine maps Aθ + b, E |θ_m − θ_n|² = tr S^n(I) M, where S(P) = E AᵀPA and M is the second moment of θ_{m−n} −
    θ_0. In one dimension this is (E a²)^n E(θ_{m−n} − θ_0)².
Independence is needed
    One draw from {0, 1.2x + 1} that is repeated is an exchangeable sequence with ρ² = .72, and E d(θ_{n+1}, θ_n)²
    grows.
Smallest wrong claim that is detected
    Affine maps are compared exactly, so every wrong claim is detected. Examples are (E a)² for E a², and one power of S
    fewer. The bound is an inequality, which detects one repeated map in place of independent ones.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from contraction.maps.orders import Backward
from contraction.statements import comparisons
from contraction.statements.cases.exact_words import Map, WordLaw, iid, random_fraction, rows
from contraction.statements.records import Control, Row, Statement, Tier, Verdict
from contraction.statements.section_2.equality_of_laws import random_weights

NAME, ROWS = "mean_square_contraction", (82,)
Pair = tuple[NDArray, NDArray]  # A (d, d) and b (d,), of Fractions


def affine(pair: Pair) -> Map:
    """Return θ -> A θ + b on (..., d) points of Fractions."""
    A, b = pair
    return lambda theta: theta @ A.T + b


def mean_square(pairs: Sequence[Pair], words: WordLaw, theta0: NDArray, n: int, m: int) -> Fraction:
    """E |θ_m^B - θ_n^B|², over all words."""
    array = np.array(list(words), dtype=int)
    result = rows([affine(p) for p in pairs], array, theta0, Backward(), at=[n, m])
    gaps = np.sum((result[:, 0] - result[:, 1]) ** 2, axis=-1)
    return sum((p * g for p, g in zip(words.values(), gaps.tolist(), strict=True)), Fraction(0))


def from_moments(pairs: Sequence[Pair], weights: Sequence[Fraction], theta0: NDArray, n: int, m: int) -> Fraction:
    """Return tr S^n(I) M, with M from all words of m - n maps."""
    d = len(theta0)
    S = np.array([[Fraction(int(i == j)) for j in range(d)] for i in range(d)], dtype=object)
    for _ in range(n):
        S = np.sum([np.asarray(w) * (A.T @ S @ A) for w, (A, _) in zip(weights, pairs, strict=True)], axis=0)
    words = iid(weights, m - n)
    array = np.array(list(words), dtype=int)
    ends = rows([affine(p) for p in pairs], array, theta0, Backward(), at=[m - n])[:, 0] - theta0
    return sum((p * (e @ S @ e) for p, e in zip(words.values(), ends, strict=True)), Fraction(0))


def root_above(x: Fraction, places: int = 10**9) -> Fraction:
    """Return a fraction that is at least the root of x, and by less than 1/places."""
    return Fraction(math.isqrt(x.numerator * places**2 // x.denominator) + 1, places)


def check(
    pairs: Sequence[Pair], weights: Sequence[Fraction] | WordLaw, theta0: NDArray, n: int, m: int, seed: int = 0
) -> Verdict:
    """Compare the formula with the mean over all words of m maps, exactly."""
    words = weights if isinstance(weights, dict) else iid(weights, m)
    single = [Fraction(0)] * len(pairs)
    for word, p in words.items():
        single[word[0]] += p
    return comparisons.equal(
        NAME,
        ROWS,
        [mean_square(pairs, words, theta0, n, m)],
        [from_moments(pairs, single, theta0, n, m)],
        seed=seed,
        hypotheses="The maps are i.i.d. and affine, with finite second moments.",
        note=f"{len(pairs)} maps of dimension {len(theta0)}, n={n}, m={m}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: one to three affine maps in one or two dimensions, many of them expanding."""
    for k in range(10 if tier == "standard" else 60):
        M, d = int(rng.integers(1, 4)), int(rng.integers(1, 3))
        m = int(rng.integers(2, 6))
        yield {
            "pairs": random_pairs(rng, M, d),
            "weights": random_weights(rng, M),
            "theta0": np.array([random_fraction(rng, -2, 2) for _ in range(d)], dtype=object),
            "n": int(rng.integers(1, m)),
            "m": m,
            "seed": k,
        }


def random_pairs(rng: np.random.Generator, M: int, d: int) -> list[Pair]:
    """M affine maps (A, b) of R^d with random rational entries."""
    number = functools.partial(random_fraction, rng, -2, 2, 5)
    return [
        (
            np.array([[number() for _ in range(d)] for _ in range(d)], dtype=object),
            np.array([number() for _ in range(d)], dtype=object),
        )
        for _ in range(M)
    ]


def scalar(a: Fraction, b: Fraction) -> Pair:
    """Return the map x -> a x + b of the line."""
    return np.array([[a]], dtype=object), np.array([b], dtype=object)


EXPANDING = (scalar(Fraction(0), Fraction(0)), scalar(Fraction(6, 5), Fraction(1)))
HALVES = (Fraction(1, 2), Fraction(1, 2))
START = np.array([Fraction(0)], dtype=object)


def check_bound(words: WordLaw | None = None, n: int = 4, m: int = 8) -> Verdict:
    """Compare E |θ_m - θ_n|² with the square of rho^n D/(1-rho) for {0, 1.2 x + 1}, equally likely."""
    rho, D = root_above(Fraction(18, 25)), root_above(Fraction(1, 2))
    result = mean_square(EXPANDING, iid(HALVES, m) if words is None else words, START, n, m)
    return comparisons.at_most(
        NAME,
        ROWS,
        [result],
        [(rho**n * D / (1 - rho)) ** 2],
        hypotheses="The maps are i.i.d., and ρ < 1.",
        note=f"{{0, 1.2 x + 1}}, rho² = .72, n={n}, m={m}",
    )


def check_printed(n: int = 4, m: int = 8) -> Verdict:
    """Check the bound for maps of which half expand; a single draw that is repeated exceeds every bound on E d²."""
    inside = check_bound(None, n, m)
    repeated = [
        mean_square(EXPANDING, {(a,) * (k + 1): Fraction(1, 2) for a in range(2)}, START, k, k + 1) for k in range(21)
    ]
    grows = all(b > a for a, b in pairwise(repeated[1:]))
    assert inside.measured is not None
    return Verdict(
        NAME,
        ROWS,
        "beyond",
        bool(inside) and grows and repeated[20] > 700,
        inside.measured,
        inside.claimed,
        note=f"{{0, 1.2 x + 1}}, ½ each: E|θ_{m} − θ_{n}|² = {inside.measured:.6g} ≤ {inside.claimed:.6g}; one draw "
        f"repeated has E|θ_21 − θ_20|² = {float(repeated[20]):.6g}",
    )


def _one_repeated(seed: int) -> Verdict:
    return check_bound({(a,) * 21: Fraction(1, 2) for a in range(2)}, 20, 21)


def _mean_for_square(seed: int) -> Verdict:
    pairs = [scalar(Fraction(1, 3), Fraction(1)), scalar(Fraction(1), Fraction(0))]
    result = mean_square(pairs, iid(HALVES, 4), START, 2, 4)
    mean = Fraction(2, 3) ** 2
    ends = from_moments(pairs, HALVES, START, 0, 2)
    return comparisons.equal(NAME, ROWS, [result], [mean**2 * ends], note="(E a)² for E a²")


STATEMENT = Statement(
    name=NAME,
    paper=("Theorem 2.2",),
    claim="sup E d(Tx,Ty)²/d(x,y)² = ρ² < 1: (E d(θ*,θ_n)²)^(1/2) ≤ ρⁿ‖d(θ_0,Tθ_0)‖₂/(1−ρ); affine maps: tr Sⁿ(I)M",
    hypotheses="The maps are i.i.d. and have finite second moments.",
    rows=(
        Row(
            82,
            "Theorem 2.2, contraction in mean square",
            "BEYOND",
            beyond="Independent maps need not contract one by one. It is enough that they contract on average of "
            "squares, sup E d(Tx, Ty)²/d(x, y)² < 1 over pairs of points, which is less than E Lip(T)² < 1 and holds "
            "for SGD with a constant rate on convex losses whose mean is strongly convex: steps on batches of fewer "
            "rows than unknowns have Lipschitz constant 1. For affine maps the mean square of the distance to the "
            "limit is a formula in second moments. Exchangeable maps are not enough.",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    controls=(
        Control("one repeated map in place of independent ones", _one_repeated),
        Control("(E a)² for E a²", _mean_for_square),
    ),
    test="tests/theory/statements/section_2/test_mean_square_contraction.py",
)
