"""Corollary C.4: the correction computed step by step, and the order in which its three variables must be updated.

Problem
    g_n = Σ_{i<n} ∇L_i, H_n = Σ_{i<n} ∇²L_i and C_n = C_{n−1} + H_n ∇L_n − ∇²L_n g_n, all at θ_0.
Guarantee (Exact)
    For n ≥ 2, starting from g_1 = H_1 = C_1 = 0 and updating g and H before C, C_n = Σ_{i<j≤n} [∇L_i, ∇L_j]. A dense H,
    products with replayed batches, and two passes for a single n give the same result. At n = 1 the recursion names a
    loss L_0 that does not exist.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from contraction import expansions as ex
from contraction.statements import comparisons
from contraction.statements.cases.polynomials import composed, descent_tables, fields_of, point, random_tables
from contraction.statements.records import Row, Statement, Tier, Verdict

NAME, ROWS = "streamed_correction", (59, 60)


def check(n: int, seed: int, gradients: bool = True) -> Verdict:
    """Compare θ̃_n of both streams and of the two passes with the h² coefficients of the composed polynomials."""
    tables = descent_tables(seed, n) if gradients else random_tables(seed, n)
    theta, h = point(seed), Fraction(1, 10**6)
    fields = fields_of(tables)
    forward = ex.compose(fields, range(n, 0, -1), theta, h)
    last, first = (composed(tables, w, theta, 2)[2] for w in (range(n, 0, -1), range(1, n + 1)))
    claimed = [x + h * h * (b - a) for x, a, b in zip(forward, last, first, strict=True)]
    measured = []
    for variant in ("dense", "replay"):
        stream = ex.ApproximateBackward(theta, h, variant)
        for field in fields:
            stream.step(field)
        measured.append(list(stream.iterate))
    measured.append(list(ex.approximate_backward_iterate(fields, theta, h)))
    return comparisons.equal(
        NAME,
        ROWS,
        measured,
        [claimed] * 3,
        seed=seed,
        hypotheses="n ≥ 1, and g and H are updated before C.",
        note=f"n={n}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: one to six maps, gradients and other fields."""
    for n in range(1, 7 if tier == "standard" else 20):
        for gradients in (True, False):
            yield {"n": n, "seed": int(rng.integers(2**31)), "gradients": gradients}


def recursion(fields: list[ex.VectorField], theta: np.ndarray, *, start: int, correction_first: bool) -> list[Fraction]:
    """Return the printed recursion on V_i = −∇L_i from n = start; index 0 is then, as in a program, the last loss."""
    units = [ex.rational_vector([int(i == k) for i in range(len(theta))]) for k in range(len(theta))]
    values = [field(theta) for field in fields]
    hessians = [np.stack([field.differential(theta, (e,)) for e in units], axis=1) for field in fields]
    g, total, hessian = theta * 0, theta * 0, hessians[0] * 0
    for n in range(start - 1, len(fields)):
        if correction_first:
            total = total + hessian @ values[n] - hessians[n] @ g
        g, hessian = g + values[n - 1], hessian + hessians[n - 1]
        if not correction_first:
            total = total + hessian @ values[n] - hessians[n] @ g
    return list(total)


def check_printed(slip: str, n: int = 4, seed: int = 0) -> Verdict:
    """Check two mistakes of an implementation: to start at n = 1 with L_0 the last loss, and to update C first.

    This goes beyond row 59, which holds.

    Raises
    ------
    ValueError
        If the slip is neither "from n = 1" nor "C first".
    """
    if slip not in ("from n = 1", "C first"):
        raise ValueError(f'the slip must be "from n = 1" or "C first", got {slip!r}')
    fields, theta = fields_of(descent_tables(seed, n)), point(seed)
    right = list(ex.minus_lie_bracket_sum(fields, theta))
    wrong = recursion(fields, theta, start=1 if slip == "from n = 1" else 2, correction_first=slip == "C first")
    proper = recursion(fields, theta, start=2, correction_first=False)
    worst = max(range(len(right)), key=lambda k: abs(wrong[k] - right[k]))
    return Verdict(
        NAME,
        (59,),
        "beyond",
        proper == right and wrong != right,
        float(right[worst]),
        float(wrong[worst]),
        seed=seed,
        note=f"one coordinate of C_{n} is {float(right[worst]):.6g}, and {float(wrong[worst]):.6g} with “{slip}”",
    )


def printed_cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: C updated before g and H, on drawn losses; the initial values exclude a start at n = 1."""
    for slip in ("C first",):
        for _ in range(3):
            yield {"slip": slip, "n": int(rng.integers(3, 7)), "seed": int(rng.integers(2**31))}


STATEMENT = Statement(
    name=NAME,
    paper=("Corollary C.4",),
    claim="C_n = C_{n−1} + H_n∇L_n − ∇²L_n g_n = Σ_{i<j≤n}[∇L_i,∇L_j] for n ≥ 2, C_1 = 0, with g and H updated first",
    hypotheses="n ≥ 2, and all terms are taken at θ_0.",
    rows=(
        Row(
            59,
            "Corollary C.4, the recursion",
            "OK",
            quote="In the notation above, we can obtain the approximate backward SGD iterate θ̃_n from the forward "
            "SGD iterate θ_n starting at θ_0 in an iterative fashion as follows: θ_n = θ_{n−1} − h∇L_n(θ_{n−1}) g_n "
            "= g_{n−1} + ∇L_{n−1}(θ_0) H_n = H_{n−1} + ∇²L_{n−1}(θ_0) C_n = C_{n−1} + H_n∇L_n(θ_0) − ∇²L_n(θ_0)g_n "
            "θ̃_n = θ_n + h²C_n with g_0 = g_1 = 0, H_0 = H_1 = 0, and c_0 = c_1 = 0.",
            beyond="The initial values let the recursions of g, H and C begin at n = 2. For an implementation it is "
            "worth saying that g_n and H_n are updated before C_n, as the order of the lines suggests.",
        ),
        Row(
            60,
            "Corollary C.4, the initial values",
            "TYPO",
            quote="In the notation above, we can obtain the approximate backward SGD iterate θ̃_n from the forward "
            "SGD iterate θ_n starting at θ_0 in an iterative fashion as follows: θ_n = θ_{n−1} − h∇L_n(θ_{n−1}) g_n "
            "= g_{n−1} + ∇L_{n−1}(θ_0) H_n = H_{n−1} + ∇²L_{n−1}(θ_0) C_n = C_{n−1} + H_n∇L_n(θ_0) − ∇²L_n(θ_0)g_n "
            "θ̃_n = θ_n + h²C_n with g_0 = g_1 = 0, H_0 = H_1 = 0, and c_0 = c_1 = 0.",
            why="The variable is C.",
            correct="C_0 = C_1 = 0.",
            severity="typo",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    printed_cases=printed_cases,
    derivation="proofs/symbolic/correction_recursion.py:recursion",
    test="tests/theory/statements/appendix_c/test_streamed_correction.py",
)
