"""Definition C.3, (7), (8) and Section 5: the approximate backward iterate, and how far it reaches.

Problem
    θ̃_n = θ_n^F + h² Σ_{i<j} [∇L_i, ∇L_j](θ_0).
Guarantee (Exact at fixed n)
    θ̃_n and θ_n^B have the same coefficients of 1, h and h², and different coefficients of h³. The constant in O(h³)
    grows like n³, and the correction itself outgrows the iterates. On the quadratic of Section 3.1 it is h²C_n with C_n
    = Σ_i (n+1−2i) ε_i, whose standard deviation h²σ√(n(n²−1)/3) tends to infinity, while both iterates have a standard
    deviation of at most σ√(h/(2−h)).
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product

import numpy as np

from contraction import expansions as ex
from contraction.statements import comparisons
from contraction.statements.cases.polynomials import composed, descent_tables, fields_of, point
from contraction.statements.records import Row, Statement, Tier, Verdict

NAME, ROWS = "approximate_backward", (58,)


def correction(fields: list[ex.VectorField], theta: np.ndarray) -> np.ndarray:
    """C_n = Σ_{i<j} [∇L_i, ∇L_j] at θ_0, as Definition C.3 writes it: H_i ∇L_j − H_j ∇L_i, by the double loop."""
    total = theta * 0
    for i, v in enumerate(fields):
        for w in fields[i + 1 :]:
            total = total + ex.minus_lie_bracket(v, w, theta)
    return total


def check(n: int, seed: int) -> Verdict:
    """Compare the coefficients of 1, h, h² of θ̃_n and θ_n^B for polynomial losses, and Var C_n over all signs."""
    tables, theta = descent_tables(seed, n), point(seed)
    forward = composed(tables, range(n, 0, -1), theta, 2)
    backward = composed(tables, range(1, n + 1), theta, 2)
    bracket = correction(fields_of(tables), theta)
    corrected = [forward[0], forward[1], [a + b for a, b in zip(forward[2], bracket, strict=True)]]
    signs = np.array(list(product((-1, 1), repeat=n)))
    variance = Fraction(int(np.sum(ex.quadratic_correction(signs) ** 2)), len(signs))
    return comparisons.equal(
        NAME,
        ROWS,
        [*corrected, [variance]],
        [*backward, [Fraction(n * (n * n - 1), 3)]],
        seed=seed,
        hypotheses="The V_i are in C^{1,1}, and n is fixed.",
        note=f"n={n}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: one to six maps."""
    for n in range(1, 7 if tier == "standard" else 12):
        yield {"n": n, "seed": int(rng.integers(2**31))}


def check_printed(n: int = 1000, h: Fraction = Fraction(1, 20)) -> Verdict:
    """Read as uniform in n: the variance of the correction against that of the iterates, at most hσ²/(2−h)."""
    correction_variance = h**4 * Fraction(n * (n * n - 1), 3)
    k = (1 - h) ** 2
    iterate_variance = h * h * (1 - k**n) / (1 - k)
    holds = iterate_variance <= h / (2 - h) < correction_variance
    return Verdict(
        NAME,
        ROWS,
        "beyond",
        holds,
        float(correction_variance) ** 0.5,
        float(iterate_variance) ** 0.5,
        note=f"quadratic of Section 3.1, σ=1, n={n}, h={h}: the standard deviation of h²C_n is "
        f"{float(correction_variance) ** 0.5:.6g}, that of θ_n is {float(iterate_variance) ** 0.5:.6g}",
    )


STATEMENT = Statement(
    name=NAME,
    paper=("Definition C.3", "(7)", "(8)", "Section 5, correction"),
    claim="θ̃_n = θ_n + h²Σ_{i<j}[∇L_i,∇L_j](θ_0) = θ_n^B + O(h³) at fixed n; sd(h²C_n) = h²σ√(n(n²−1)/3) → ∞",
    hypotheses="The V_i are in C^{1,1} near θ_0, and n is fixed.",
    rows=(
        Row(
            58,
            "Definition C.3 and equations (7), (8)",
            "OK",
            quote="Theorem C.2 tells us that the true backward iterate and its approximation are within O(h³) of "
            "each other: ‖θ̃_n − θ_n^B‖ = O(h³), which allows us to use the approximation for learning rates small "
            "enough so that the terms in O(h³) can be neglected.",
            beyond="This is for fixed n. The constant grows with n: on the quadratic of Section 3.1 the correction "
            "h²C_n has standard deviation h²σ√(n(n² − 1)/3), which tends to infinity, while both iterates stay "
            "bounded. The approximation is useful where nh is small, which agrees with the authors' remark that "
            "higher orders matter in practice.",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    test="tests/theory/statements/appendix_c/test_approximate_backward.py",
)
