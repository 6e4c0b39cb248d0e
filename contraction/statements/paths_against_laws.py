"""Section 4, what it does not say: at a fixed n forward and backward iterates have one law, so one performance.

Problem
    i.i.d. (or exchangeable) batches, any maps, any loss or accuracy f, any n: no contraction.
Guarantee (Exact)
    (theta_n^F, theta_n^B) is an exchangeable pair: reversing the batches exchanges the two. So E f(theta_n^F) =
    E f(theta_n^B), and f(theta_n^F) - f(theta_n^B) is symmetric about 0: sign flips are an exact test.
    What differs are functionals of the path: see `settling_times`, `hitting_times`, `best_so_far`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

import numpy as np

from contraction.maps.orders import Backward, Forward
from contraction.statements._base import Row, Statement, Tier, Verdict
from contraction.statements._finite import Law, Map, WordLaw, iid, law_of, overlap, random_fraction, rows
from contraction.statements.equality_of_laws import random_maps, random_weights

NAME, ROWS = "paths_against_laws", (73,)
Loss = Callable[[Sequence[Fraction]], Fraction]


def pair_law(maps: Sequence[Map], words: WordLaw, theta0: Sequence[Fraction]) -> Law:
    """The exact law of (theta_n^F, theta_n^B): points are 2 d numbers."""
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
    """The law of the pair in the other order."""
    half = len(next(iter(law))) // 2
    return {(*point[half:], *point[:half]): weight for point, weight in law.items()}


def expected_losses(law: Law, loss: Loss) -> tuple[Fraction, Fraction]:
    """E f(theta_n^F) and E f(theta_n^B)."""
    half = len(next(iter(law))) // 2
    forward = sum((w * loss(p[:half]) for p, w in law.items()), Fraction(0))
    return forward, sum((w * loss(p[half:]) for p, w in law.items()), Fraction(0))


def quartic(center: Fraction) -> Loss:
    """A loss with many critical points, bounded by nothing: sum of (x² - c)² + x."""
    return lambda point: sum(((x * x - center) ** 2 + x for x in point), Fraction(0))


def check(
    maps: Sequence[Map],
    weights: Sequence[Fraction] | WordLaw,
    theta0: Sequence[Fraction],
    n: int,
    loss: Loss,
    seed: int = 0,
) -> Verdict:
    """The pair against the exchanged pair, exactly; measured and claimed are the expected losses, backward and forward.

    ``weights`` may be a law of words (exchangeable indices) in place of i.i.d. weights.
    """
    words = weights if isinstance(weights, dict) else iid(weights, n)
    law = pair_law(maps, words, theta0)
    forward, backward = expected_losses(law, loss)
    holds = law == exchanged(law) and forward == backward and reversal_exchanges(maps, words, theta0)
    return Verdict(
        NAME, ROWS, "exact", holds, float(backward), float(forward), seed=seed,
        hypotheses="i.i.d. or exchangeable batches, any maps, any loss, fixed n",
        note=f"{len(maps)} maps, n={n}, {len(law)} pairs, common mass {overlap(law, exchanged(law))}",
    )  # fmt: skip


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """2 or 3 nonlinear maps, some of them expanding, in one or two dimensions; all words up to length 6."""
    for k in range(8 if tier == "standard" else 60):
        M = int(rng.integers(2, 4))
        yield {
            "maps": random_maps(rng, M), "weights": random_weights(rng, M), "n": int(rng.integers(1, 8 - M)),
            "theta0": [random_fraction(rng, -2, 2) for _ in range(int(rng.integers(1, 3)))],
            "loss": quartic(random_fraction(rng, 0, 2)), "seed": k,
        }  # fmt: skip


def check_printed(n: int = 5, seed: int = 0) -> Verdict:
    """Three batches of (theta² - c)²-like maps: the expected loss at step n, backward (measured) and forward (claimed).

    The paper speaks of realizations; at a fixed n the two are equal, and so no claim of the paper is refuted.
    """
    rng = np.random.default_rng(seed)
    maps, weights = random_maps(rng, 3), random_weights(rng, 3)
    forward, backward = expected_losses(pair_law(maps, iid(weights, n), [Fraction(3, 2)]), quartic(Fraction(1)))
    return Verdict(
        NAME, ROWS, "beyond", backward == forward, float(backward), float(forward), seed=seed,
        note=f"three maps, n = {n}, all {3**n} words: the expected loss is {float(backward):.6g} backward "
        f"and {float(forward):.6g} forward",
    )  # fmt: skip


STATEMENT = Statement(
    name=NAME,
    paper=("Section 1", "Section 4", "Appendix A"),
    claim="(θ_n^F, θ_n^B) =law (θ_n^B, θ_n^F): E f(θ_n^F) = E f(θ_n^B) for every n and every f",
    hypotheses="i.i.d. or exchangeable batches; no contraction",
    rows=(
        Row(
            73, "Section 4, what it does not say: values at a fixed step", "BEYOND",
            quote="We are interested in the variability per realization of the backward and forward trajectories.",
            beyond="At each fixed n the two iterates have one law if the batches are i.i.d. or exchangeable, for "
            "every network and without contraction. The expected loss or accuracy at step n, and its spread over "
            "seeds, are therefore the same in both orders; the orders differ along a path.",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    test="tests/theory/test_paths_against_laws.py",
)  # fmt: skip
