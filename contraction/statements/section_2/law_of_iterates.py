"""Section 2.2: the law of a forward iterate is the expected image of the start's Dirac measure.

Problem
    T_1, T_2, … are drawn independently from finitely many maps with the weights p_i, and θ_n = T_n … T_1 θ_0.
Guarantee (Exact)
    The law of θ_n is E[(T_n … T_1)_* δ_{θ_0}] = δ_{θ_0} P^n, where μP = Σ_i p_i (T_i)_* μ. The printed (T_n … T_1)_*
    δ_{θ_0} is the random Dirac measure at θ_n.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from contraction.maps.orders import Forward
from contraction.statements.cases.exact_words import (
    Law,
    Map,
    equal_laws,
    iid,
    iterate_law,
    law_of,
    random_fraction,
    rows,
)
from contraction.statements.records import Row, Statement, Tier, Verdict
from contraction.statements.section_2.equality_of_laws import random_maps, random_weights

NAME, ROWS = "law_of_iterates", (33,)


def transition(law: Law, maps: Sequence[Map], weights: Sequence[Fraction]) -> Law:
    """Return mu P = sum_i p_i (T_i)_* mu, atom by atom."""
    after: Law = {}
    for point, mass in law.items():
        for T, weight in zip(maps, weights, strict=True):
            image = tuple(np.asarray(T(np.array(point, dtype=object))).tolist())
            after[image] = after.get(image, Fraction(0)) + mass * weight
    return after


def check(
    maps: Sequence[Map], weights: Sequence[Fraction], theta0: Sequence[Fraction], n: int, seed: int = 0
) -> Verdict:
    """Compare the average over all words of the image of the start with n steps of the transition operator."""
    measured = iterate_law(maps, iid(weights, n), theta0, Forward())
    claimed: Law = {tuple(theta0): Fraction(1)}
    for _ in range(n):
        claimed = transition(claimed, maps, weights)
    return equal_laws(
        NAME,
        ROWS,
        measured,
        claimed,
        seed=seed,
        hypotheses="The maps are i.i.d.",
        note=f"{len(maps)} maps, n={n}, {len(claimed)} atoms",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: 1 to 3 nonlinear maps with unequal weights, one or two coordinates, words up to length 6."""
    for k in range(12 if tier == "standard" else 80):
        M = int(rng.integers(1, 4))
        yield {
            "maps": random_maps(rng, M),
            "weights": random_weights(rng, M),
            "n": int(rng.integers(0, 7)),
            "theta0": [random_fraction(rng, -3, 3) for _ in range(int(rng.integers(1, 3)))],
            "seed": k,
        }


def check_printed(x0: int = 0, y0: int = 1, n: int = 5) -> Verdict:
    """Check that the printed measure has one atom of mass 1 for every word (Example 2.4, S = x0 and U = y0).

    Measured is the largest atom of the law of θ_n, the printed form gives 1.
    """
    maps, words = [lambda x: 0 * x + x0, lambda x: 0 * x + y0], iid([Fraction(1, 2)] * 2, n)
    law = iterate_law(maps, words, [0], Forward())
    ends = rows(maps, list(words), [0], Forward(), at=[n])
    printed = [law_of(end[None], [Fraction(1)]) for end in ends]
    return Verdict(
        NAME,
        ROWS,
        "refuted",
        all(one != law for one in printed),
        float(max(law.values())),
        1.0,
        cases=len(printed),
        note=f"largest atom of the law of θ_{n} in Example 2.4",
    )


STATEMENT = Statement(
    name=NAME,
    paper=("Section 2.2", "Appendix E"),
    claim="law(T_n…T_1 θ_0) = E[(T_n…T_1)_* δ_{θ_0}] = δ_{θ_0} P^n",
    hypotheses="The maps are i.i.d.",
    rows=(
        Row(
            33,
            "Section 2.2 and Appendix E.2, the law of a forward iterate",
            "WRONG",
            quote="In other words, starting at initial point θ_0 the distribution μ_n = (T_n)_* ⋯ (T_1)_* δ_{θ_0} of "
            "the forward iterate θ_n converges to a stationary distribution μ_{θ*}.",
            why="For random maps the right side is a random measure, the Dirac measure at θ_n: in Example 2.4 it is "
            "δ_{x_0} or δ_{y_0}, and never (1/2, 1/2). The same formula is in Appendix E.2.",
            correct="μ_n = E[(T_n ⋯ T_1)_* δ_{θ_0}].",
            severity="repairable",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    test="tests/theory/statements/section_2/test_law_of_iterates.py",
)
