"""Beyond Section 4: at a fixed n forward and backward iterates have the same law, and so the same performance.

Problem
    The batches are i.i.d. (or exchangeable). The maps, the loss or accuracy f and n are arbitrary, and the maps need
    not contract.
Guarantee (Exact)
    (θ_n^F, θ_n^B) is an exchangeable pair, since reversing the batches exchanges the two. So E f(θ_n^F) = E f(θ_n^B),
    and f(θ_n^F) − f(θ_n^B) is symmetric about 0, which makes sign flips an exact test. The orders differ in functionals
    of the path: see `settling_times`, `hitting_times` and `best_so_far`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

import numpy as np

from contraction.maps.orders import Backward, Forward
from contraction.statements.cases.exact_words import (
    Law,
    Map,
    WordLaw,
    affine_map,
    iid,
    law_of,
    overlap,
    random_fraction,
    rows,
)
from contraction.statements.records import Row, Statement, Tier, Verdict
from contraction.statements.section_2.equality_of_laws import random_maps, random_weights

NAME, ROWS = "paths_against_laws", (73,)
Loss = Callable[[Sequence[Fraction]], Fraction]


def pair_law(maps: Sequence[Map], words: WordLaw, theta0: Sequence[Fraction]) -> Law:
    """Return the exact law of (θ_n^F, θ_n^B): points are 2 d numbers."""
    n = len(next(iter(words)))
    ends = [rows(maps, list(words), theta0, order, at=[n])[:, 0] for order in (Forward(), Backward())]
    return law_of(np.stack(ends, axis=1), words.values())


def reversal_exchanges(maps: Sequence[Map], words: WordLaw, theta0: Sequence[Fraction]) -> bool:
    """Whether backward iterate n of every word is forward iterate n of the reversed word, exactly."""
    array = np.array(list(words), dtype=int)
    n = array.shape[1]
    backward = rows(maps, array, theta0, Backward(), at=[n])
    return bool(np.all(backward == rows(maps, array[:, ::-1], theta0, Forward(), at=[n])))


def exchanged(law: Law) -> Law:
    """Return the law of the pair in the other order."""
    half = len(next(iter(law))) // 2
    return {(*point[half:], *point[:half]): weight for point, weight in law.items()}


def expected_losses(law: Law, loss: Loss) -> tuple[Fraction, Fraction]:
    """E f(θ_n^F) and E f(θ_n^B)."""
    half = len(next(iter(law))) // 2
    forward = sum((w * loss(p[:half]) for p, w in law.items()), Fraction(0))
    return forward, sum((w * loss(p[half:]) for p, w in law.items()), Fraction(0))


def quartic(center: Fraction) -> Loss:
    """Return a loss with many critical points, bounded by nothing: sum of (x² - c)² + x."""
    return lambda point: sum(((x * x - center) ** 2 + x for x in point), Fraction(0))


def by_hand(
    maps: Sequence[Map], words: WordLaw, theta0: Sequence[Fraction], loss: Loss
) -> tuple[Law, tuple[Fraction, Fraction]]:
    """Return the law of the pair and both expected losses, by composing the maps one by one without the package."""
    law: Law = {}
    losses = [Fraction(0), Fraction(0)]
    for word, weight in words.items():
        ends = []
        for letters in (word, word[::-1]):  # forward applies the first map first, backward the last
            x = np.array(theta0, dtype=object)
            for letter in letters:
                x = maps[letter](x)
            ends.append(tuple(x.tolist()))
        for i, end in enumerate(ends):
            losses[i] += weight * loss(end)
        law[(*ends[0], *ends[1])] = law.get((*ends[0], *ends[1]), Fraction(0)) + weight
    return law, (losses[0], losses[1])


def check(
    maps: Sequence[Map],
    weights: Sequence[Fraction] | WordLaw,
    theta0: Sequence[Fraction],
    n: int,
    loss: Loss,
    seed: int = 0,
) -> Verdict:
    """Compare the package's pair with the one composed by hand and with the exchanged pair, exactly.

    Measured is the package's expected backward loss, claimed the forward one by hand. ``weights`` may be a law of words
    (exchangeable indices) in place of i.i.d. weights.
    """
    words = weights if isinstance(weights, dict) else iid(weights, n)
    law = pair_law(maps, words, theta0)
    forward, backward = expected_losses(law, loss)
    composed, claimed = by_hand(maps, words, theta0, loss)
    right = {
        "the pair by hand": law == composed,
        "exchangeable": law == exchanged(law),
        "expected losses": backward == claimed[0] and forward == claimed[1],
        "reversal": reversal_exchanges(maps, words, theta0),
    }
    wrong = [name for name, holds in right.items() if not holds]
    return Verdict(
        NAME,
        ROWS,
        "exact",
        not wrong,
        float(backward),
        float(claimed[0]),
        seed=seed,
        part=wrong[0] if wrong else "",
        hypotheses="The batches are i.i.d. or exchangeable, the maps and the loss are arbitrary, and n is fixed.",
        note=f"{len(maps)} maps, n={n}, {len(law)} pairs, common mass {overlap(law, exchanged(law))}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: 2 or 3 nonlinear maps, some of them expanding, in one or two dimensions.

    All words up to length 6.
    """
    for k in range(8 if tier == "standard" else 60):
        M = int(rng.integers(2, 4))
        yield {
            "maps": random_maps(rng, M),
            "weights": random_weights(rng, M),
            "n": int(rng.integers(1, 8 - M)),
            "theta0": [random_fraction(rng, -2, 2) for _ in range(int(rng.integers(1, 3)))],
            "loss": quartic(random_fraction(rng, 0, 2)),
            "seed": k,
        }


def check_printed(n: int = 5, seed: int = 0) -> Verdict:
    """Compare the law of both iterates of T(θ) = (θ + b)/2, b a fair digit, with the uniform law on (j + θ_0)/2^n.

    Measured is the package's expected backward loss at step n, claimed the mean over these points, with a loss and a
    start that are drawn. Along a path the orders differ: E(θ_n − θ_{n−1})² is E(b − θ_0)²/4^n backward and
    E(b − X)²/4 forward, X = θ_{n−1} of the known law, n − 1 in place of n. The paper speaks of realizations; at a fixed
    n the two are equal, and so no claim of the paper is refuted.
    """
    rng = np.random.default_rng(seed)
    start, loss = random_fraction(rng, -2, 2), quartic(random_fraction(rng, 0, 2))
    half, maps = Fraction(1, 2), [affine_map(Fraction(1, 2), 0), affine_map(Fraction(1, 2), Fraction(1, 2))]
    words = iid([half, half], n)
    forward, backward = expected_losses(pair_law(maps, words, [start]), loss)
    known = [[(j + start) / 2**m for j in range(2**m)] for m in (n, n - 1)]
    expected = sum((loss([x]) for x in known[0]), Fraction(0)) / 2**n
    steps = []
    for order in (Forward(), Backward()):
        ends = rows(maps, list(words), [start], order, at=[n - 1, n])[:, :, 0]
        steps.append(Fraction(np.sum((ends[:, 1] - ends[:, 0]) ** 2)) / 2**n)
    moves = [
        sum(((b - x) ** 2 for x in known[1] for b in (0, 1)), Fraction(0)) / 2 ** (n + 2),
        sum(((b - start) ** 2 for b in (0, 1)), Fraction(0)) / 2 / 4**n,
    ]
    apart = n == 1 or steps[0] != steps[1]
    return Verdict(
        NAME,
        ROWS,
        "beyond",
        forward == backward == expected and steps == moves and apart,
        float(backward),
        float(expected),
        seed=seed,
        note=f"(θ + b)/2 with a fair digit b, n = {n}, all {2**n} words: the expected loss is {float(backward):.6g} "
        f"backward and {float(forward):.6g} forward; the mean square of step {n} is {float(steps[1]):.6g} backward and "
        f"{float(steps[0]):.6g} forward",
    )


STATEMENT = Statement(
    name=NAME,
    paper=("Section 1", "Section 4", "Appendix A"),
    claim="(θ_n^F, θ_n^B) =law (θ_n^B, θ_n^F): E f(θ_n^F) = E f(θ_n^B) for every n and every f",
    hypotheses="The batches are i.i.d. or exchangeable; the maps need not contract.",
    rows=(
        Row(
            73,
            "Section 4, what it does not say: values at a fixed step",
            "BEYOND",
            quote="We are interested in the variability per realization of the backward and forward trajectories.",
            beyond="At each fixed n the two iterates have one law if the batches are i.i.d. or exchangeable, for "
            "every network and without contraction. The expected loss or accuracy at step n, and its spread over "
            "seeds, are therefore the same in both orders; the orders differ along a path.",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    test="tests/theory/statements/section_4_5/test_paths_against_laws.py",
)
