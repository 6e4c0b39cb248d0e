"""Section 5, "an accurate idea of whether a specific hyper-parameter setting is promising": at a fixed step (row 80).

Problem
    Two settings A and B are trained on the same batches, and ranked at step n by a score f of the iterate alone, such
    as the loss on all data.
Guarantee (Exact)
    If the word of batches is reversible in law, (θ_n^A, θ_n^B) has the same law in both orders, since reversing the
    word exchanges forward and backward for both settings at once. So the probability to rank the settings rightly at a
    fixed n is the same in both orders. The conjecture of the paper is about whole curves, about which this statement
    says nothing. A score that depends on the newest batch is not a function of the iterate, and its probabilities
    differ (row 75).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from contraction.maps.orders import Backward, Forward, Order
from contraction.statements import comparisons
from contraction.statements.cases.exact_words import Law, WordLaw, affine_map, iid, law_of, random_fraction, rows
from contraction.statements.records import Row, Statement, Tier, Verdict
from contraction.statements.section_2.equality_of_laws import random_weights

NAME, ROWS = "early_judgement", (80,)
#: L_i = s (theta - c)²/2 for each batch (s, c)
Batches = Sequence[tuple[Fraction, Fraction]]
Rates = tuple[Fraction, Fraction]


def ends(batches: Batches, rates: Rates, words: WordLaw, theta0: Fraction, order: Order) -> NDArray:
    """Iterate n of SGD with both rates on the same batches, for every word: shape (words, 2)."""
    n = len(next(iter(words)))
    result = [
        rows([affine_map(1 - h * s, h * s * c) for s, c in batches], list(words), [theta0], order, at=[n])[:, 0, 0]
        for h in rates
    ]
    return np.stack(result, axis=1)


def pair_law(batches: Batches, rates: Rates, words: WordLaw, theta0: Fraction, order: Order) -> Law:
    """Return the exact joint law of the iterates of the two settings."""
    return law_of(ends(batches, rates, words, theta0, order), words.values())


def full_loss(batches: Batches, theta: NDArray) -> NDArray:
    """Return the mean of the losses of all batches, entry by entry."""
    losses = np.array([s * (theta - c) ** 2 / 2 for s, c in batches], dtype=object)
    return np.sum(losses, axis=0) / Fraction(len(batches))


def chance_of_larger(scores: NDArray, chances: Sequence[Fraction]) -> Fraction:
    """P(score of A > score of B) + P(equal)/2."""
    half = [1 if a > b else Fraction(int(a == b), 2) for a, b in scores]
    return sum((p * x for p, x in zip(chances, half, strict=True)), Fraction(0))


def larger_for_first(
    batches: Batches, rates: Rates, words: WordLaw, theta0: Fraction, newest: bool = False
) -> list[Fraction]:
    """P(A has the larger loss), forward and backward: of the full loss, or of that on the newest batch."""
    last = np.array(list(words), dtype=int)[:, -1]
    curvature, center = (np.array([b[j] for b in batches], dtype=object)[last, None] for j in range(2))
    result = []
    for order in (Forward(), Backward()):
        theta = ends(batches, rates, words, theta0, order)
        scores = curvature * (theta - center) ** 2 / 2 if newest else full_loss(batches, theta)
        result.append(chance_of_larger(scores, list(words.values())))
    return result


def check(
    batches: Batches, weights: Sequence[Fraction] | WordLaw, rates: Rates, theta0: Fraction, n: int, seed: int = 0
) -> Verdict:
    """Compare the joint laws of the two settings, and the chances to rank them by the full loss, in both orders."""
    words = weights if isinstance(weights, dict) else iid(weights, n)
    laws = [pair_law(batches, rates, words, theta0, order) for order in (Forward(), Backward())]
    forward, backward = larger_for_first(batches, rates, words, theta0)
    points = sorted(set(laws[0]) | set(laws[1]))
    return comparisons.equal(
        NAME,
        ROWS,
        [backward, *(laws[1].get(x, Fraction(0)) for x in points)],
        [forward, *(laws[0].get(x, Fraction(0)) for x in points)],
        seed=seed,
        hypotheses="The batches are reversible in law, the score depends on the iterate alone, and n is fixed.",
        note=f"{len(batches)} batches, rates {rates[0]} and {rates[1]}, n={n}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: 1 to 3 quadratic batches, two rates from 0 to 2, up to 6 steps."""
    for k in range(8 if tier == "standard" else 60):
        M = int(rng.integers(1, 4))
        yield {
            "batches": [(random_fraction(rng, 0, 2, 4), random_fraction(rng, -2, 2, 3)) for _ in range(M)],
            "weights": random_weights(rng, M),
            "n": int(rng.integers(1, 7)),
            "theta0": random_fraction(rng, -2, 2),
            "rates": (random_fraction(rng, 0, 2, 10), random_fraction(rng, 0, 2, 10)),
            "seed": k,
        }


THREE = ((Fraction(1), Fraction(1)), (Fraction(1), Fraction(-1)), (Fraction(1, 2), Fraction(1, 2)))


def check_printed(rates: Rates = (Fraction(1, 5), Fraction(1, 2)), n: int = 5) -> Verdict:
    """Compare P(the first rate has the larger full loss), backward (measured) and forward (claimed).

    For the loss on the newest batch the two chances differ, so the condition on the score is needed.
    """
    words = iid([Fraction(1, 3)] * 3, n)
    forward, backward = larger_for_first(THREE, rates, words, Fraction(3, 2))
    newest = larger_for_first(THREE, rates, words, Fraction(3, 2), newest=True)
    return Verdict(
        NAME,
        ROWS,
        "beyond",
        forward == backward and newest[0] != newest[1],
        float(backward),
        float(forward),
        note=f"three quadratics, n={n}, all {3**n} words: the rate {rates[0]} has a larger full loss than the rate "
        f"{rates[1]} with probability {float(forward):.6g} forward and {float(backward):.6g} backward, and a larger "
        f"loss on the newest batch with {float(newest[0]):.6g} and {float(newest[1]):.6g}",
    )


STATEMENT = Statement(
    name=NAME,
    paper=("Section 5, early judgement",),
    claim="(θ_n^A, θ_n^B) has the same law in both orders, and so has the ranking of two settings at a fixed n",
    hypotheses="The batches are reversible in law, the score depends on the iterate alone, and n is fixed.",
    rows=(
        Row(
            80,
            "Section 5, what it does not say: early judgement at a fixed step",
            "BEYOND",
            quote="Similarly, application of the backward order at the very beginning of training may give an "
            "accurate idea of whether a specific hyper-parameter setting is promising or needs to be aborted by "
            "creating stabler trajectories whose learning curves are easier to interpret early on.",
            beyond="The sentence is about whole curves, and we have nothing to set against it. At a fixed step n, and "
            "for a score that depends on the iterate alone, the probability to rank two settings rightly is the same "
            "in both orders if the batches are reversible in law: what can help is the curve, not its value at n.",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    test="tests/theory/statements/section_4_5/test_early_judgement.py",
)
