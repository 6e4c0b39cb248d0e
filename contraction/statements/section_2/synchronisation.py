"""Theorem 2.2 without its constants: backward iterates converge if and only if forward runs synchronise (row 78).

Problem
    T_1, T_2, … are i.i.d. maps of a complete separable space, and θ_0 is fixed. X_k is forward iterate k from the same
    θ_0, made from further maps that are independent of T_1 … T_n.
Guarantee (Exact at each n and m)
    P(d(θ_n^B, θ_m^B) > ε) = P(d(T_n … T_1 θ_0, T_n … T_1 X_{m−n}) > ε). So the backward iterates converge in
    probability if and only if, for each ε, these chances tend to 0 uniformly in m > n as n → ∞.
    Three questions are kept apart: (a) whether the iterates from θ_0 are a Cauchy sequence, which is the question
    above; (b) whether θ_0 and T'θ_0 synchronise; (c) whether θ_0 and an independent start do. (a) implies (b), and (a)
    does not need (c).
In probability, not almost surely
    On {0, 1, 2, …} let T(0) = Y with P(Y > n) = 1/(n+1), and T(x) = max(x−1, 1) for x ≥ 1. Then θ_n^B is 1 except with
    the chance 1/(n+1), independently in n, so θ_n^B → 1 in probability and is infinitely often not 1. The forward
    iterates reach 1 and stay there: in this chain the roles of the two orders are reversed.
Smallest wrong claim that is detected
    Chances are compared exactly, so every wrong claim is detected. Examples are X_{m−n−1} for X_{m−n}, a start at the
    image of one map, and one map fewer on one side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from contraction.maps.orders import Backward, CustomOrder, Forward
from contraction.statements import comparisons
from contraction.statements.cases.exact_words import Map, WordLaw, iid, random_fraction, rows
from contraction.statements.records import Control, Row, Statement, Tier, Verdict
from contraction.statements.section_2.equality_of_laws import random_maps, random_weights

NAME, ROWS = "synchronisation", (78,)


def tail_chance(gaps: np.ndarray, words: WordLaw, eps: Fraction) -> Fraction:
    """P(gap > eps) over words."""
    return sum((p for gap, p in zip(gaps.tolist(), words.values(), strict=True) if gap > eps), Fraction(0))


def backward_gaps(maps: Sequence[Map], words: WordLaw, theta0: Fraction, n: int, m: int) -> np.ndarray:
    """|θ_n^B - θ_m^B| of every word of m maps."""
    result = rows(maps, np.array(list(words), dtype=int), [theta0], Backward(), at=[n, m])[:, :, 0]
    return np.abs(result[:, 0] - result[:, 1])


def forward_gaps(maps: Sequence[Map], words: WordLaw, theta0: Fraction, n: int, m: int, own: int) -> np.ndarray:
    """|T_n … T_1 θ_0 - T_n … T_1 X| of every word: X is the forward iterate of its ``own`` next maps, n + 1 on."""
    spelled = {1: range(n, 0, -1), 2: [*range(n, 0, -1), *range(n + own, n, -1)]}
    order = CustomOrder(words=lambda k: tuple(spelled[k]))
    result = rows(maps, np.array(list(words), dtype=int), [theta0], order, at=[1, 2])[:, :, 0]
    return np.abs(result[:, 0] - result[:, 1])


def check(
    maps: Sequence[Map], weights: Sequence[Fraction], theta0: Fraction, n: int, m: int, seed: int = 0, own: int = 0
) -> Verdict:
    """Compare the two chances at every distance that occurs on either side; ``own`` other than 0 replaces m - n."""
    words = iid(weights, m)
    backward = backward_gaps(maps, words, theta0, n, m)
    forward = forward_gaps(maps, words, theta0, n, m, own or m - n)
    levels = sorted({*backward.tolist(), *forward.tolist(), Fraction(0)})
    return comparisons.equal(
        NAME,
        ROWS,
        [tail_chance(backward, words, eps) for eps in levels],
        [tail_chance(forward, words, eps) for eps in levels],
        seed=seed,
        hypotheses="The maps are i.i.d., and X starts from the same θ_0.",
        note=f"{len(maps)} maps, n={n}, m={m}, {len(levels)} levels",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: 1 to 3 nonlinear maps, some of them expanding, words of up to 6."""
    for k in range(8 if tier == "standard" else 60):
        M = int(rng.integers(1, 4))
        m = int(rng.integers(2, 6))
        yield {
            "maps": random_maps(rng, M),
            "weights": random_weights(rng, M),
            "theta0": random_fraction(rng, -3, 3),
            "n": int(rng.integers(1, m)),
            "m": m,
            "seed": k,
        }


def descending_chain(N: int) -> tuple[list[Map], list[Fraction]]:
    """Return the maps of the chain above for N steps: letter j has Y = j + 1; the last one stands for all Y > N."""

    def one(y: int) -> Map:
        return lambda x: np.where(x == 0, y, np.maximum(x - 1, 1)).astype(object)

    weights = [Fraction(1, y) - Fraction(1, y + 1) for y in range(1, N + 1)] + [Fraction(1, N + 1)]
    return [one(y) for y in range(1, N + 2)], weights


def check_printed(N: int = 4) -> Verdict:
    """Check the chain over all words: P(θ_n^B != 1) = 1/(n+1), independent in n; forward iterates stay at 1.

    Measured is the chance that θ_n^B = 1 for all n in N//2+1 … N, claimed the product of n/(n+1); it tends to 0
    with N however late the stretch begins. Also exactly: the identity is Cauchy from any start, and two starts keep
    their distance, so that (a) does not need (c).
    """
    maps, weights = descending_chain(N)
    words = iid(weights, N)
    array, chances = np.array(list(words), dtype=int), list(words.values())
    backward = rows(maps, array, [Fraction(0)], Backward())[:, 1:, 0]
    forward = rows(maps, array, [Fraction(0)], Forward())[:, 1:, 0]
    away = backward != 1
    single = [sum((p for p, a in zip(chances, away[:, n], strict=True) if a), Fraction(0)) for n in range(N)]
    late = ~away[:, N // 2 :].any(axis=1)
    stays = sum((p for p, s in zip(chances, late, strict=True) if s), Fraction(0))
    product = Fraction(N // 2 + 1, N + 1)
    never_back = bool(np.all((forward[:, :-1] != 1) | (forward[:, 1:] == 1)))
    identity = rows([lambda x: x], np.zeros((1, N), dtype=int), [Fraction(3)], Backward())[0, :, 0]
    holds = (
        single == [Fraction(1, n + 2) for n in range(N)]
        and stays == product
        and never_back
        and all(x == 3 for x in identity)
    )
    return Verdict(
        NAME,
        ROWS,
        "beyond",
        holds,
        float(stays),
        float(product),
        note=f"all {len(words)} words of {N} steps of the chain: P(θ_n^B ≠ 1) = 1/(n+1) at every n, and "
        f"P(θ_n^B = 1 for all n from {N // 2 + 1} to {N}) = {float(stays):.6g}; forward iterates stay at 1",
    )


def _wrong(own: int, n: int = 2, m: int = 4):
    def run(seed: int) -> Verdict:
        maps, weights = random_maps(np.random.default_rng([seed, 78]), 2), [Fraction(1, 3), Fraction(2, 3)]
        return check(maps, weights, Fraction(0), n, m, seed, own=own)

    return run


CONTROLS = (
    Control("X trained one step less", _wrong(own=1)),
    Control("a near start for a tail: X = T'θ_0 at m = n + 3", _wrong(own=1, n=1)),
)

STATEMENT = Statement(
    name=NAME,
    paper=("Theorem 2.2",),
    claim="θ_n^B converges in probability ⇔ lim_n sup_k P(d(T_n…T_1 θ_0, T_n…T_1 X_k) > ε) = 0, X_k from the same θ_0",
    hypotheses="The maps are i.i.d., and the space is complete and separable.",
    rows=(
        Row(
            78,
            "Theorem 2.2, convergence without constants",
            "BEYOND",
            beyond="For i.i.d. maps, backward iterates from θ_0 converge in probability if and only if forward runs "
            "from θ_0 and from X_k, an iterate k from the same θ_0 on fresh batches, come together on the same "
            "batches, uniformly in k. This can be measured on forward runs. It is another question whether an "
            "independent initialization is forgotten: least squares with fewer rows than unknowns converges "
            "backward and keeps the distance of two starts forever. Convergence in probability need not be "
            "almost sure.",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    controls=CONTROLS,
    test="tests/theory/statements/section_2/test_synchronisation.py",
)
