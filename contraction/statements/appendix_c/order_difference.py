"""Theorem C.2: backward minus forward iterates, in powers of h.

Problem
    T_i = 1 + hV_i and n is fixed. The bracket [V, W] = V'W − W'V is minus the Lie bracket of differential geometry.
Guarantee (Exact)
    T_1 … T_n − T_n … T_1 = h² Σ_{i<j} [V_i, V_j] + O(h³). To order p, the difference is that of the two words' sums
    over trees, and the same is true of any two orders of the same maps.
    In the paper, parentheses are missing in the sum, and the theorem does not demand any smoothness, as in Lemma C.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from contraction import expansions as ex
from contraction.statements import comparisons
from contraction.statements.cases.polynomials import composed, fields_of, point, random_tables, steps_apart
from contraction.statements.records import Row, Statement, Tier, Verdict

NAME, ROWS = "order_difference", (57,)


def check(left: Sequence[int], right: Sequence[int], order: int, seed: int) -> Verdict:
    """Compare the difference of the composed polynomials with the theorem and with the sums over trees.

    The coefficients of 1 and h are 0; that of h² is the sum of brackets over the pairs that change places.

    ``right`` is a permutation of ``left``; for (1, …, n) and (n, …, 1) every pair changes places.
    """
    tables, theta = random_tables(seed, max(left)), point(seed)
    fields = fields_of(tables)
    a, b = composed(tables, left, theta, order), composed(tables, right, theta, order)
    measured = [[x - y for x, y in zip(p, q, strict=True)] for p, q in zip(a, b, strict=True)]
    brackets = theta * 0
    for u, i in enumerate(left):
        for j in left[u + 1 :]:
            if right.index(i) > right.index(j):  # i outside j on the left, inside it on the right
                brackets = brackets + ex.minus_lie_bracket(fields[i - 1], fields[j - 1], theta)
    claimed = ex.difference_coefficients(fields, left, right, theta, order)
    zero = [0] * len(theta)
    return comparisons.equal(
        NAME,
        ROWS,
        [*measured[:3], *measured[1:]],
        [zero, zero, list(brackets), *map(list, claimed)],
        seed=seed,
        hypotheses="The fields are polynomials, and n is fixed.",
        note=f"{tuple(left)} less {tuple(right)}, order {order}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: backward less forward for n = 2 … 5, and pairs of drawn orders of four maps."""
    for n in (2, 3, 4, 5):
        word = tuple(range(1, n + 1))
        yield {"left": word, "right": word[::-1], "order": 4 if n < 4 else 3, "seed": int(rng.integers(2**31))}
    for _ in range(4 if tier == "standard" else 40):
        left, right = (tuple(int(i) + 1 for i in rng.permutation(4)) for _ in range(2))
        yield {"left": left, "right": right, "order": 3, "seed": int(rng.integers(2**31))}


def check_printed(k: int = 8) -> Verdict:
    """Check that the theorem fails for fields that are only C¹.

    T_1T_2(0) − T_2T_1(0) = h^{5/2} for V_1 = |x|^{3/2}, V_2 = 1, where the bracket is 0.
    """
    outer, inner, h = steps_apart(k)
    gap = outer - inner
    return Verdict(
        NAME,
        ROWS,
        "refuted",
        gap**2 == h**5,
        float(gap / h**3),
        ratio=float(gap / h**3),
        note=f"V_1 = |x|^(3/2), V_2 = 1 at 0, h = 4^-{k}: the bracket is 0, the difference {float(gap / h**3):g} h³, "
        "and the factor grows without bound as h → 0",
    )


def printed_cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: h from 4^-2 to 4^-30."""
    for k in (2, 10, 30):
        yield {"k": k}


STATEMENT = Statement(
    name=NAME,
    paper=("Theorem C.2",),
    claim="T_1…T_n − T_n…T_1 = h² Σ_{i<j}[V_i, V_j] + O(h³), [V, W] = V'W − W'V",
    hypotheses="The V_i are in C^{1,1} near θ, and n is fixed.",
    rows=(
        Row(
            57,
            "Theorem C.2",
            "HYP",
            quote="The backward and forward iterates of the sequence are related by the following identity: T_1 ⋯ "
            "T_n(θ) = T_n ⋯ T_1(θ) + h² Σ_{1≤i<j≤n} [V_i, V_j](θ) + O(h³) where the [V_i, V_j](θ) = V'_i(θ)V_j(θ) − "
            "V'_j(θ)V_i(θ) is the Lie bracket between the vector fields V_i and V_j.",
            why="As in Lemma C.1. Two small points: in the proof the difference under the sum needs parentheses, and "
            "the bracket is minus the usual Lie bracket of vector fields.",
            correct="The V_i are C^{1,1} near θ, and n is fixed as h → 0.",
            severity="repairable",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    printed_cases=printed_cases,
    derivation="proofs/symbolic/composition_expansion.py:bracket_with_its_sign",
    test="tests/theory/statements/appendix_c/test_order_difference.py",
)
