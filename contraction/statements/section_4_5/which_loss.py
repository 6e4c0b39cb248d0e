"""Section 4, "the training loss at each update", and on which batch it is.

Problem
    θ_n^F = T_n … T_1 θ_0, θ_n^B = T_1 … T_n θ_0, and batch i has the loss L_i. The newest batch is n. The outermost
    batch, which is applied last, is n forward and 1 backward; the innermost is 1 forward and n backward.
Guarantee (Exact)
    (θ_n^F, T_n, T_1) and (θ_n^B, T_1, T_n) have the same law. So the loss on the outermost batch has the same law
    forward and backward, and so have the losses on the innermost batch and on any fixed set. The loss on the newest
    batch does not, since the newest batch is the outermost forward and the innermost backward. The outermost batch of
    the backward order is batch 1 at every n.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from contraction.maps.orders import Backward, Forward
from contraction.statements.cases.exact_words import affine_map, iid, law_of, random_fraction, rows
from contraction.statements.records import Row, Statement, Tier, Verdict
from contraction.statements.section_2.equality_of_laws import random_weights

NAME, ROWS = "which_loss", (75,)
Batches = Sequence[tuple[Fraction, Fraction]]


def ends(batches: Batches, weights: Sequence[Fraction], h: Fraction, theta0: Fraction, n: int) -> tuple:
    """Words (W, n), chances, and iterate n of SGD on L_i = s_i (θ - c_i)²/2 for each, forward and backward."""
    words = iid(weights, n)
    maps = [affine_map(1 - h * s, h * s * c) for s, c in batches]
    array = np.array(list(words), dtype=int)
    forward, backward = (rows(maps, array, [theta0], order, at=[n])[:, 0, 0] for order in (Forward(), Backward()))
    return array, np.array(list(words.values()), dtype=object), forward, backward


def loss(batches: Batches, index: NDArray, theta: NDArray) -> NDArray:
    """L_i(θ), entry by entry."""
    s, c = (np.array([b[j] for b in batches], dtype=object)[index] for j in range(2))
    return s * (theta - c) ** 2 / 2


def expected(chances: NDArray, values: NDArray) -> Fraction:
    """Return the mean of values with the given chances."""
    return Fraction(np.sum(chances * values))


def check(
    batches: Batches, weights: Sequence[Fraction], h: Fraction, theta0: Fraction, n: int, seed: int = 0
) -> Verdict:
    """Compare the two joint laws, and the expected loss on the outermost batch, backward (measured) and forward."""
    words, chances, forward, backward = ends(batches, weights, h, theta0, n)
    first, last = words[:, 0], words[:, -1]
    triples = [
        law_of(np.stack([theta, outer.astype(object), inner.astype(object)], axis=1), chances)
        for theta, outer, inner in ((forward, last, first), (backward, first, last))
    ]
    outermost = expected(chances, loss(batches, last, forward)), expected(chances, loss(batches, first, backward))
    fixed = [
        expected(chances, np.sum([w * loss(batches, 0 * first + i, theta) for i, w in enumerate(weights)], axis=0))
        for theta in (forward, backward)
    ]
    holds = triples[0] == triples[1] and outermost[0] == outermost[1] and fixed[0] == fixed[1]
    return Verdict(
        NAME,
        ROWS,
        "exact",
        holds,
        float(outermost[1]),
        float(outermost[0]),
        seed=seed,
        hypotheses="The batches are i.i.d.",
        note=f"{len(batches)} batches, h={h}, n={n}; on the full loss {float(fixed[0]):.4g}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: 1 to 3 quadratic batches of different curvature and center, h from 0 to 2, n up to 6."""
    for k in range(10 if tier == "standard" else 80):
        M = int(rng.integers(1, 4))
        yield {
            "batches": [(random_fraction(rng, 0, 2, 4), random_fraction(rng, -2, 2, 3)) for _ in range(M)],
            "weights": random_weights(rng, M),
            "h": random_fraction(rng, 0, 2, 10),
            "seed": k,
            "theta0": random_fraction(rng, -2, 2),
            "n": int(rng.integers(1, 7)),
        }


TWO = ((Fraction(1), Fraction(1)), (Fraction(1), Fraction(-1)))


def check_printed(batches: Batches = TWO, h: Fraction = Fraction(3, 10), n: int = 6) -> Verdict:
    """Compare the expected loss on the newest batch at update n: backward (measured) and forward (claimed).

    Forward has just stepped on it; backward has stepped on it first and on n-1 others since.
    """
    weights = [Fraction(1, len(batches))] * len(batches)
    words, chances, forward, backward = ends(batches, weights, h, Fraction(0), n)
    newest = [expected(chances, loss(batches, words[:, -1], theta)) for theta in (forward, backward)]
    return Verdict(
        NAME,
        ROWS,
        "beyond",
        newest[0] != newest[1],
        float(newest[1]),
        float(newest[0]),
        note=f"two quadratics, h={h}, n={n}: the expected loss on the newest batch is {float(newest[1]):.6g} backward "
        f"and {float(newest[0]):.6g} forward",
    )


STATEMENT = Statement(
    name=NAME,
    paper=("Section 4",),
    claim="(θ_n^F, T_n, T_1) =law (θ_n^B, T_1, T_n): losses on the outermost batch agree, on the newest not",
    hypotheses="The batches are i.i.d.",
    rows=(
        Row(
            75,
            "Section 4, the training loss at each update",
            "LOOSE",
            quote="In Figure 2, we recorded the learning curves at each gradient update for both the forward and "
            "backward iterations for 2000 steps.",
            beyond="We have a question: on which batch is the training loss evaluated? On the newest batch, forward "
            "and backward losses differ in law, whatever the order does for training; on the outermost batch, the "
            "backward curve reports batch 1 at every step. The loss on a fixed set, or on all data, avoids both "
            "effects.",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    test="tests/theory/statements/section_4_5/test_which_loss.py",
)
