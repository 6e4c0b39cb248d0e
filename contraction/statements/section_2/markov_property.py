"""Section 2.2: forward iterates are a Markov chain because each map is independent of the past.

Problem
    θ_n = T_n(θ_{n−1}), where each map is one of finitely many. The check enumerates all words of a law on their
    indices.
Guarantee (Exact)
    If T_n is independent of T_1 … T_{n−1}, then P(θ_n | θ_0 … θ_{n−1}) = P(θ_n | θ_{n−1}). If the maps are also
    identically distributed, this kernel does not depend on n. The recursion alone, which the paper gives as the reason,
    is not enough.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from contraction.maps.orders import Forward
from contraction.statements.cases.exact_words import Law, Map, WordLaw, iid, overlap, random_fraction, rows
from contraction.statements.records import Row, Statement, Tier, Verdict
from contraction.statements.section_2.equality_of_laws import random_maps, random_weights

NAME, ROWS = "markov_property", (34,)


def memory(maps: Sequence[Map], words: WordLaw, theta0: Sequence[Fraction], *, homogeneous: bool = True) -> Fraction:
    """Largest total variation distance between laws of the next iterate given two pasts with the same present.

    With ``homogeneous`` the two pasts may have different lengths: 0 says that one kernel serves every step.
    """
    paths = rows(maps, list(words), theta0, Forward())
    following: dict[tuple, Law] = defaultdict(dict)
    for path, weight in zip(paths, words.values(), strict=True):
        points = [tuple(p.tolist()) for p in path]
        for n in range(1, len(points)):
            law = following[tuple(points[:n])]
            law[points[n]] = law.get(points[n], Fraction(0)) + weight
    by_present: dict[tuple, list[Law]] = defaultdict(list)
    for past, law in following.items():
        total = sum(law.values(), Fraction(0))
        key = past[-1] if homogeneous else (len(past), past[-1])
        by_present[key].append({x: weight / total for x, weight in law.items()})
    gaps = [1 - overlap(laws[0], law) for laws in by_present.values() for law in laws]
    return max(gaps, default=Fraction(0))


def check(
    maps: Sequence[Map], weights: Sequence[Fraction], theta0: Sequence[Fraction], n: int, seed: int = 0
) -> Verdict:
    """Measure how much the law of the next iterate depends on more than the present; claimed is 0, exactly."""
    gap = memory(maps, iid(weights, n), theta0)
    return Verdict(
        NAME,
        ROWS,
        "exact",
        gap == 0,
        float(gap),
        0.0,
        seed=seed,
        hypotheses="The maps are i.i.d.",
        note=f"{len(maps)} maps, n={n}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: maps that meet (x -> c|x| + b from 0 and constant maps), so that different pasts share a present."""
    for k in range(10 if tier == "standard" else 60):
        M = int(rng.integers(2, 4))
        constants = [lambda x, c=int(c): 0 * x + c for c in rng.integers(-2, 3, M)]
        maps = constants[: M - k % 2] + (random_maps(rng, 1) if k % 2 else [])
        yield {
            "maps": maps,
            "weights": random_weights(rng, M),
            "n": int(rng.integers(2, 6)),
            "theta0": [random_fraction(rng, -1, 1)],
            "seed": k,
        }


def coin_mixture(coins: Sequence[Fraction], n: int) -> WordLaw:
    """One of the coins is chosen, then thrown n times: exchangeable indices 0 and 1 that are not independent."""
    law: WordLaw = {}
    for p in coins:
        for word, weight in iid([1 - p, p], n).items():
            law[word] = law.get(word, Fraction(0)) + weight / len(coins)
    return law


def check_printed(low: Fraction = Fraction(1, 4), high: Fraction = Fraction(3, 4), n: int = 4) -> Verdict:
    """Check that the past informs for a coin of unknown bias, although θ_n = T_n(θ_{n-1}) for every word.

    Maps of Example 2.4 chosen by the same coin throughout, whose bias is low or high. Measured is the dependence on the
    past, the printed reason gives 0.
    """
    maps = [lambda x: 0 * x, lambda x: 0 * x + 1]
    gap = memory(maps, coin_mixture([low, high], n), [Fraction(1, 2)])
    return Verdict(
        NAME,
        ROWS,
        "refuted",
        gap > 0,
        float(gap),
        0.0,
        note="distance of the laws of the next iterate given two pasts with one present; Example 2.4 with one "
        f"coin, of bias {low} or {high}",
    )


STATEMENT = Statement(
    name=NAME,
    paper=("Section 2.2",),
    claim="P(θ_n | θ_0 … θ_{n−1}) = P(θ_n | θ_{n−1}), the same kernel for every n",
    hypotheses="T_n is independent of T_1 … T_{n−1}; for one kernel, the maps are also identically distributed.",
    rows=(
        Row(
            34,
            "Section 2.2, the Markov chain",
            "HYP",
            quote="Observe that the forward iterates θ_n form a sequence of random variables, which is a Markov "
            "chain (since for the forward iterates we have that θ_n = T_n(θ_{n−1})).",
            why="The recursion holds for dependent maps as well, and then the past informs about T_n.",
            correct="T_n is independent of T_1, …, T_{n−1} (and the maps are identically distributed, if the chain "
            "is to be homogeneous). Theorem 2.6 assumes this.",
            severity="repairable",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    test="tests/theory/statements/section_2/test_markov_property.py",
)
