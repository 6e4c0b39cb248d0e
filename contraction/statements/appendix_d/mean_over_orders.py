"""Appendix D.2, (9): the mean over all orders of c small batches.

Problem
    T_perm = (1/c!) Σ_σ (1+h'V_{σ(1)}) … (1+h'V_{σ(c)}) with h' = h/c.
Guarantee (Exact)
    T_perm = T_large + ½h'² Σ_{i≠j} V_i'V_j + O(h³). To order p, a labelled tree with k labels has as its weight the
    number of linear orders of the labels that put parents first, divided by k! σ. If the labels are distinct, this
    weight is 1/γ.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import permutations

import numpy as np

from contraction import expansions as ex
from contraction.statements import comparisons
from contraction.statements.cases.polynomials import composed, fields_of, point, random_tables, total
from contraction.statements.records import Row, Statement, Tier, Verdict

NAME, ROWS = "mean_over_orders", (64, 65)


def check(c: int, order: int, seed: int) -> Verdict:
    """Compare the mean of the composed polynomials over all c! orders with ½Σ_{i≠j} V_i'V_j and the closed form."""
    tables, theta = random_tables(seed, c), point(seed)
    fields = fields_of(tables)
    words = list(permutations(range(1, c + 1)))
    expansions = [composed(tables, word, theta, order) for word in words]
    mean = [[sum(e[p][k] for e in expansions) / Fraction(len(words)) for k in range(2)] for p in range(order + 1)]
    closed = [list(ex.evaluate_formal(ex.average_coefficient(c, p), fields, theta)) for p in range(1, order + 1)]
    half = theta * 0
    for i in range(c):
        for j in range(c):
            if i != j:
                half = half + fields[i].differential(theta, (fields[j](theta),)) / 2
    large = list(total([f(theta) for f in fields]))
    return comparisons.equal(
        NAME,
        ROWS,
        [*mean[1:], mean[1], mean[2]],
        [*closed, large, list(half)],
        seed=seed,
        hypotheses="The batches have equal sizes, and c is fixed.",
        note=f"c={c}, order {order}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: one to four batches, to order 4 for up to three of them."""
    for c in (1, 2, 3, 4):
        for _ in range(2 if tier == "standard" else 12):
            yield {"c": c, "order": 4 if c < 4 else 3, "seed": int(rng.integers(2**31))}


STATEMENT = Statement(
    name=NAME,
    paper=("Appendix D.2", "(9)"),
    claim="T_perm = T_large + ½h'² Σ_{i≠j} V_i'V_j + O(h³); order p: weight e(τ)/(k!σ(τ)) for each labelled tree",
    hypotheses="The batches have equal sizes, and c is fixed.",
    rows=(
        Row(
            64,
            "Appendix D.2, equation (9)",
            "TYPO",
            quote="This begs the question of whether we can instead take the average over all possible iteration "
            "orders so as to produce an iterate for which no particular order is preferred: T_{perm}(θ) = 1/(c!) "
            "(Σ_{σ∈Perm_c} (1 + h'V_{σ(1)}) ⋯ (1 + h'V_{σ(n)})(θ)), where Perm_c is the permutations of c elements.",
            why="There are c batches.",
            correct="σ(c) in place of σ(n).",
            severity="typo",
        ),
        Row(65, "Appendix D.2, second order of T_perm", "OK"),
    ),
    check=check,
    cases=cases,
    derivation="proofs/symbolic/small_batches.py:mean_over_orders",
    test="tests/theory/statements/appendix_d/test_mean_over_orders.py",
)
