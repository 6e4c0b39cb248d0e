"""Appendix D.1 and D.2: the second-order term of a single order is not a gradient.

Problem
    F = Σ_{i>j} V_i'V_j = Σ_{i>j} H_i g_j for V_i = −∇L_i.
Guarantee (Exact)
    The Jacobian of F less its transpose is Σ_{i>j} (H_iH_j − H_jH_i). So F is locally a gradient exactly where this sum
    of commutators vanishes. The symmetrised sum Σ_{i≠j} is always a gradient.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from contraction import expansions as ex
from contraction.statements import comparisons
from contraction.statements.cases.polynomials import descent_tables, fields_of, point
from contraction.statements.records import Row, Statement, Tier, Verdict

NAME, ROWS = "single_order_term", (67,)


def jacobian(fields: list[ex.VectorField], theta: np.ndarray, pairs: list[tuple[int, int]]) -> np.ndarray:
    """Jacobian of Σ V_i'V_j over the pairs: column k is Σ V_i''(V_j, e_k) + V_i'V_j'e_k."""
    d = len(theta)
    columns = []
    for k in range(d):
        unit = ex.rational_vector([int(m == k) for m in range(d)])
        column = theta * 0
        for i, j in pairs:
            column = column + fields[i].differential(theta, (fields[j](theta), unit))
            column = column + fields[i].differential(theta, (fields[j].differential(theta, (unit,)),))
        columns.append(column)
    return np.stack(columns, axis=1)


def hessians(fields: list[ex.VectorField], theta: np.ndarray) -> list[np.ndarray]:
    """H_i = −V_i' at θ."""
    units = [ex.rational_vector([int(m == k) for m in range(len(theta))]) for k in range(len(theta))]
    return [-np.stack([field.differential(theta, (e,)) for e in units], axis=1) for field in fields]


def check(c: int, d: int, seed: int) -> Verdict:
    """Check that J − Jᵀ of the term of one order is the sum of commutators, and that the symmetrised term has none."""
    fields, theta = fields_of(descent_tables(seed, c, d, degree=3)), point(seed, d)
    one = jacobian(fields, theta, [(i, j) for i in range(c) for j in range(i)])
    both = jacobian(fields, theta, [(i, j) for i in range(c) for j in range(c) if i != j])
    H = hessians(fields, theta)
    double = sum((H[i] @ H[j] - H[j] @ H[i] for i in range(c) for j in range(i)), np.zeros((d, d), dtype=object))
    return comparisons.equal(
        NAME,
        ROWS,
        [one - one.T, ex.fixed_order_curl(H), both - both.T],
        [double, double, np.full((d, d), Fraction(0))],
        seed=seed,
        hypotheses="V_i = −∇L_i.",
        note=f"c={c}, d={d}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: two to four batches in one to three dimensions."""
    for c in (2, 3, 4):
        for d in (1, 2, 3):
            for _ in range(1 if tier == "standard" else 10):
                yield {"c": c, "d": d, "seed": int(rng.integers(2**31))}


def check_printed(c: int = 3, seed: int = 0) -> Verdict:
    """Read as the gradient of a regulariser, its curl would vanish; it does not."""
    fields, theta = fields_of(descent_tables(seed, c, 2, degree=3)), point(seed)
    one = jacobian(fields, theta, [(i, j) for i in range(c) for j in range(i)])
    curl = one[0, 1] - one[1, 0]
    return Verdict(
        NAME,
        ROWS,
        "beyond",
        curl != 0,
        float(curl),
        0.0,
        seed=seed,
        note=f"c={c}: the Jacobian J of the term of one order has J_12 − J_21 = {float(curl):.6g}, not 0",
    )


STATEMENT = Statement(
    name=NAME,
    paper=("Appendix D.1, single order",),
    claim="curl of Σ_{i>j} H_ig_j = Σ_{i>j}[H_i, H_j]: a gradient only where the sum of commutators vanishes",
    hypotheses="V_i = −∇L_i.",
    rows=(
        Row(
            67,
            "Appendix D.1, the term of one order",
            "LOOSE",
            quote="So we can attribute the second order regularization effect of small batch training to this "
            "additional term, in line with the computations in [15].",
            beyond="For one fixed order the additional term is not the gradient of a function: its Jacobian minus "
            "the transpose is Σ_{i>j} [H_i, H_j]. The term averaged over the orders, of Appendix D.2, is a gradient.",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    derivation="proofs/symbolic/small_batches.py:one_order_is_no_gradient",
    test="tests/theory/statements/appendix_d/test_single_order_term.py",
)
