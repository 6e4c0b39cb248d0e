"""Theorem 2.6, continued: the law of a pair of backward iterates is that of two forward runs on the same maps (row 77).

Problem
    T_1 … T_m is a word of maps, 0 ≤ n ≤ m, and θ_0 is fixed. X = T_{n+1} … T_m θ_0 is made from the *next* maps.
Guarantee (Exact)
    If (T_1 … T_n, T_{n+1} … T_m) and (T_n … T_1, T_{n+1} … T_m) have the same law, then
        (θ_n^B, θ_m^B) and (T_n … T_1 θ_0, T_n … T_1 X) have the same law.
    This is so for i.i.d. and exchangeable maps, and for fresh shuffles of N maps if n ≤ N or N divides n. If only the
    whole word has the law of its reversal (one shuffle repeated, or a reversible chain), then
        (θ_n^B, θ_m^B) and (T_m … T_{m−n+1} θ_0, T_m … T_1 θ_0) have the same law.
    Two forward runs therefore give the law of the increment, or of a tail, for each n by itself.
Smallest wrong claim that is detected
    Laws of pairs are compared exactly, so every wrong claim is detected. Examples are X from independent maps where the
    maps are exchangeable, the first form for one shuffle repeated, fresh shuffles beyond an epoch, and a cyclic order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from contraction.families.index_laws import ExchangeableMixture, IndexLaw, Reshuffled, ShuffledOnce
from contraction.maps.orders import Backward, CustomOrder, Order
from contraction.statements.cases.exact_words import (
    Law,
    Map,
    WordLaw,
    equal_laws,
    iid,
    law_of,
    law_of_words,
    random_fraction,
    rows,
)
from contraction.statements.records import Control, Row, Statement, Tier, Verdict
from contraction.statements.section_2.equality_of_laws import kink, random_maps, random_weights
from contraction.statements.section_2.reversible_words import reversible_chain

NAME, ROWS = "increments_from_forward_runs", (77,)


def backward_pair(maps: Sequence[Map], words: WordLaw, theta0: Sequence[Fraction], n: int, m: int) -> Law:
    """Return the exact law of (θ_n^B, θ_m^B)."""
    return _pair(maps, words, theta0, Backward(), [n, m])


def forward_pair(maps: Sequence[Map], words: WordLaw, theta0: Sequence[Fraction], n: int, m: int, whole: bool) -> Law:
    """Return the exact law of the two forward runs, from θ_0 and from X.

    With ``whole`` it is the law of the last n maps and of all maps.

    Iterates 1 and 2 of an order whose words are spelled out, outermost map first.
    """
    if whole:
        spelled = {1: range(m, m - n, -1), 2: range(m, 0, -1)}
    else:
        spelled = {1: range(n, 0, -1), 2: [*range(n, 0, -1), *range(n + 1, m + 1)]}
    return _pair(maps, words, theta0, CustomOrder(words=lambda k: tuple(spelled[k])), [1, 2])


def _pair(maps: Sequence[Map], words: WordLaw, theta0: Sequence[Fraction], order: Order, at: Sequence[int]) -> Law:
    array = np.array(list(words), dtype=int)
    return law_of(rows(maps, array, theta0, order, at=at), words.values())


def check(
    maps: Sequence[Map], words: WordLaw, theta0: Sequence[Fraction], n: int, whole: bool = False, seed: int = 0
) -> Verdict:
    """Compare the exact joint laws of the backward pair and of the two forward runs; measured is the mass they share.

    The words have length m, which must be at least 2 (the order that spells the runs out has two iterates) and n.
    """
    m = len(next(iter(words)))
    backward = backward_pair(maps, words, theta0, n, m)
    forward = forward_pair(maps, words, theta0, n, m, whole)
    return equal_laws(
        NAME,
        ROWS,
        backward,
        forward,
        seed=seed,
        hypotheses="(T_1…T_n, T_{n+1}…T_m) =law (T_n…T_1, T_{n+1}…T_m), or the whole word is reversible in law.",
        note=f"{len(maps)} maps, n={n}, m={m}, {len(backward)} atoms" + (", whole word" if whole else ""),
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: nonlinear maps and words of up to 5 or 6.

    Words of up to 5 are i.i.d., exchangeable or fresh shuffles; of up to 6 they are one shuffle or a chain.
    """
    longest = 5 if tier == "standard" else 7
    for n, m in ((1, 2), (2, 3), (1, 4), (3, longest)):
        weights = random_weights(rng, 3)
        coins = [[Fraction(1, 4), Fraction(3, 4), Fraction(0)], weights]
        for words in (iid(weights, m), law_of_words(ExchangeableMixture(coins), m)):
            yield _case(rng, words, n)
    for size, n, m in ((3, 2, 3), (3, 2, 5), (3, 3, 5), (2, 2, 5), (2, 4, 5)):
        yield _case(rng, law_of_words(Reshuffled(size), m), n)
    for n, m in ((1, 2), (2, 5), (4, 6)):
        yield _case(rng, law_of_words(ShuffledOnce(3), m), n, whole=True)
        yield _case(rng, law_of_words(reversible_chain(*map(int, rng.integers(1, 9, 3))), m), n, whole=True)


def _case(rng: np.random.Generator, words: WordLaw, n: int, whole: bool = False) -> dict:
    letters = 1 + max(max(word) for word in words)
    theta0 = [random_fraction(rng, -3, 3) for _ in range(int(rng.integers(1, 3)))]
    return {"maps": random_maps(rng, letters), "words": words, "theta0": theta0, "n": n, "whole": whole}


#: Three maps of the controls; no two of their words of one length agree at 0.
THREE = (
    kink(Fraction(1, 2), Fraction(1), Fraction(1, 4)),
    kink(Fraction(-1, 3), Fraction(-2), Fraction(1, 5)),
    kink(Fraction(1, 7), Fraction(1, 3), Fraction(-1, 2)),
)


def check_independent_copy(words: WordLaw, n: int, lag: int = 1) -> Verdict:
    """Check the claim with X made by ``lag`` maps of an independent word instead of the next maps."""
    doubled = {first[:n] + other[:lag]: Fraction(0) for first in words for other in words}
    for first, p in words.items():
        for other, q in words.items():
            doubled[first[:n] + other[:lag]] += p * q
    theta0 = [Fraction(0)]
    backward = backward_pair(THREE, words, theta0, n, n + lag)
    forward = forward_pair(THREE, doubled, theta0, n, n + lag, whole=False)
    return equal_laws(NAME, ROWS, backward, forward, note=f"independent copy, n={n}")


def _refused(law: IndexLaw, n: int, m: int):
    return lambda seed: check(THREE[: law.size], law_of_words(law, m), [Fraction(0)], n, seed=seed)


CONTROLS = (
    Control(
        "X from independent maps, without replacement",
        lambda seed: check_independent_copy(law_of_words(Reshuffled(2), 2), 1),
    ),
    Control("fresh shuffles of 2 maps at n = 3", _refused(Reshuffled(2), 3, 4)),
    Control("one shuffle of 3 maps repeated, X from the next maps", _refused(ShuffledOnce(3), 3, 4)),
)

STATEMENT = Statement(
    name=NAME,
    paper=("Theorem 2.6",),
    claim="(θ_n^B, θ_m^B) =law (T_n…T_1 θ_0, T_n…T_1 X), X = T_{n+1}…T_m θ_0: backward increments at forward cost",
    hypotheses="(T_1…T_n, T_{n+1}…T_m) =law (T_n…T_1, T_{n+1}…T_m), or the whole word is reversible in law.",
    rows=(
        Row(
            77,
            "Theorem 2.6, pairs of backward iterates",
            "BEYOND",
            beyond="For i.i.d. or exchangeable maps the distance of two backward iterates n < m has the law of the "
            "distance of two forward runs on T_1, …, T_n, one from θ_0 and one from X = T_{n+1} ⋯ T_m(θ_0). So two "
            "forward runs give the law of the backward increment for each n by itself, at 2N steps for all n up to N. "
            "X comes from the next maps: an independent copy serves only where the maps are independent.",
        ),
    ),
    check=check,
    cases=cases,
    controls=CONTROLS,
    test="tests/theory/statements/section_2/test_increments_from_forward_runs.py",
)
