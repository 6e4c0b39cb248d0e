"""Beyond Section 4: the best loss so far. The forward path takes the best of n draws, the backward path has one draw.

Problem
    Constant maps (Example 2.4) send every point to one of M points with the losses l_1 < … < l_M and given weights. The
    quantity is the best loss among iterates 1 … n. The same is checked for an AR(1) path with the loss θ²/2.
Guarantee (Exact)
    In the forward order E best = Σ_i l_i (q_i^n − q_{i+1}^n), where q_i is the weight of the losses ≥ l_i. In the
    backward order it is E l(T_1) for every n ≥ 1. So the best of the backward path is that of one draw, and the best of
    the forward path is the least of n draws.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from contraction.families import Gaussian, QuadraticSGD
from contraction.maps.iterates import paired_iterates
from contraction.maps.orders import Backward, Forward
from contraction.statements.cases.error_rates import FALSE_ALARM, deviation
from contraction.statements.cases.exact_words import iid, rows
from contraction.statements.records import Row, Statement, Tier, Verdict
from contraction.statements.section_2.equality_of_laws import random_weights

NAME, ROWS = "best_so_far", (73,)


def expected_best(losses: Sequence[Fraction], weights: Sequence[Fraction], n: int) -> tuple[Fraction, Fraction]:
    """E min of the losses of iterates 1 … n, forward and backward, over all words of constant maps."""
    words = iid(weights, n)
    maps = [lambda x, value=value: 0 * x + value for value in losses]
    chances = np.array(list(words.values()), dtype=object)
    forward, backward = (
        Fraction(np.sum(chances * rows(maps, list(words), [0], order)[:, 1:, 0].min(axis=1)))
        for order in (Forward(), Backward())
    )
    return forward, backward


def check(losses: Sequence[Fraction], weights: Sequence[Fraction], n: int) -> Verdict:
    """Compare both expectations with the formulas; measured and claimed are the forward ones."""
    forward, backward = expected_best(losses, weights, n)
    order = sorted(range(len(losses)), key=lambda i: losses[i])
    least, tail = Fraction(0), Fraction(1)
    for i in order:
        least += losses[i] * (tail**n - (tail - weights[i]) ** n)
        tail -= weights[i]
    one = sum((w * x for w, x in zip(weights, losses, strict=True)), Fraction(0))
    return Verdict(
        NAME,
        ROWS,
        "exact",
        (forward, backward) == (least, one) and forward <= backward,
        float(forward),
        float(least),
        hypotheses="The maps are constant, so that k = 0.",
        note=f"n={n}: backward {backward}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: two to four points with losses up to 10; all words up to length 9."""
    for _ in range(7 if tier == "standard" else 40):
        M = int(rng.integers(2, 5))
        losses = [Fraction(int(x), 3) for x in rng.choice(31, M, replace=False)]
        yield {"losses": losses, "weights": random_weights(rng, M), "n": int(rng.integers(1, {2: 10, 3: 7, 4: 6}[M]))}


def check_printed(h: float = 0.1, start: float = 3.0, N: int = 400, replicas: int = 1000, seed: int = 0) -> Verdict:
    """Measure how often a backward path has a worse best loss than its forward path (a tie counts half).

    Test: Hoeffding at fixed n, against ½ (claimed), where neither order is favoured. False alarm 1e-9; a
    fraction above ½ by two deviations is missed with at most the same chance.
    """
    operators = QuadraticSGD(h, Gaussian()).sample(N, seed, replicas=replicas)
    best = [np.min(p[:, :, 0] ** 2, axis=1) / 2 for p in paired_iterates(operators, start)]
    worse = float(np.mean(np.where(best[1] == best[0], 0.5, best[1] > best[0])))
    return Verdict(
        NAME,
        ROWS,
        "beyond",
        worse > 0.5 + deviation(replicas),
        worse,
        0.5,
        seed=seed,
        paths=replicas,
        error_rates=(FALSE_ALARM, FALSE_ALARM),
        note=f"h={h}: the best backward loss in {N} steps is worse on {worse:.3g} of the seeds; the mean best loss is "
        f"{best[0].mean():.1e} forward and {best[1].mean():.1e} backward",
    )


STATEMENT = Statement(
    name=NAME,
    paper=("Section 4", "Appendix A"),
    claim="for constant maps E min_{j≤n} loss is that of the least of n draws forward, and of one draw backward",
    hypotheses="The maps are i.i.d.; the quantity is a functional of the path, not of the law at n.",
    rows=(
        Row(
            73,
            "Section 4, what it does not say: the best loss so far",
            "BEYOND",
            beyond="A forward path visits the law of θ* again and again, and a backward path is one draw of it, so "
            "the best loss so far favours the forward path in the model of Section 3.1.",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    test="tests/theory/statements/section_4_5/test_best_so_far.py",
)
