"""Beyond Section 4: hitting times. The forward path reaches every target; the backward path may never reach one.

Problem
    Constant maps (Example 2.4): T_i jumps to one of M points with given weights, and the target is hit when the iterate
    is there. The same is checked for an AR(1) path, T_i(θ) = (1−h) θ + hε_i.
Guarantee (Exact)
    Let p be the weight of the target. The probability to hit it by step n is 1 − (1−p)^n in the forward order, and p in
    the backward order for every n ≥ 1: the backward path has one chance. Both orders have the same probability p to be
    at the target *at* n.
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

NAME, ROWS = "hitting_times", (73,)


def hitting(weights: Sequence[Fraction], n: int) -> list[tuple[Fraction, Fraction]]:
    """P(point 0 hit by step n) and P(there at step n), forward and backward, over all words; the start is elsewhere."""
    words = iid(weights, n)
    maps = [lambda x, c=c: 0 * x + c for c in range(len(weights))]
    out = []
    for order in (Forward(), Backward()):
        there = rows(maps, list(words), [-1], order)[:, 1:, 0] == 0
        chances = np.array(list(words.values()), dtype=object)
        out.append((Fraction(np.sum(chances[there.any(axis=1)])), Fraction(np.sum(chances[there[:, -1]]))))
    return out


def check(weights: Sequence[Fraction], n: int) -> Verdict:
    """Compare both pairs of probabilities with the formulas; measured and claimed are the forward hitting ones."""
    p = weights[0]
    forward, backward = hitting(weights, n)
    holds = forward == (1 - (1 - p) ** n, p) and backward == (p, p)
    return Verdict(
        NAME,
        ROWS,
        "exact",
        holds,
        float(forward[0]),
        float(1 - (1 - p) ** n),
        hypotheses="The maps are constant, so that k = 0.",
        note=f"p={p}, n={n}: backward {backward[0]}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: Example 2.4 and up to four points; all words up to length 9."""
    yield {"weights": [Fraction(1, 2)] * 2, "n": 9}
    for _ in range(6 if tier == "standard" else 40):
        M = int(rng.integers(2, 5))
        yield {"weights": random_weights(rng, M), "n": int(rng.integers(1, {2: 10, 3: 7, 4: 6}[M]))}


def check_printed(
    h: float = 0.1, start: float = 3.0, target: float = 0.05, N: int = 400, replicas: int = 2000, seed: int = 0
) -> Verdict:
    """Compare the shares of AR(1) paths that never come close to the minimum: backward (measured) and forward.

    Test: each fraction is within Hoeffding's deviation (half the false alarm rate each) of its probability; it holds if
    the backward probability is surely larger. False alarm 1e-9; a difference of probabilities above four deviations is
    missed with at most the same chance.
    """
    operators = QuadraticSGD(h, Gaussian()).sample(N, seed, replicas=replicas)
    never = [float(np.mean(np.all(np.abs(p[:, :, 0]) > target, axis=1))) for p in paired_iterates(operators, start)]
    slack = deviation(replicas, FALSE_ALARM / 2)
    return Verdict(
        NAME,
        ROWS,
        "beyond",
        never[1] - never[0] > 2 * slack,
        never[1],
        never[0],
        seed=seed,
        paths=replicas,
        error_rates=(FALSE_ALARM, FALSE_ALARM),
        note=f"h={h}: {never[1]:.3g} of the backward and {never[0]:.3g} of the forward paths never come within "
        f"{target} of the minimum in {N} steps, each ± {slack:.2g}",
    )


STATEMENT = Statement(
    name=NAME,
    paper=("Section 4", "Appendix A"),
    claim="for constant maps P(hit by n) is 1 − (1−p)^n forward and p backward",
    hypotheses="The maps are i.i.d.; the quantity is a functional of the path, not of the law at n.",
    rows=(
        Row(
            73,
            "Section 4, what it does not say: hitting times",
            "BEYOND",
            beyond="Faster convergence along one path is not an earlier first passage. In the model of Section 3.1 a "
            "backward path may settle away from the minimum and never come close to it, where nearly every forward "
            "path passes close to it.",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    test="tests/theory/statements/section_4_5/test_hitting_times.py",
)
