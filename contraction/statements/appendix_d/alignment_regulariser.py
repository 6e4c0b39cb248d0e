"""Appendix D.2: the effect of the term λ Σ_{i≠j} V_i'V_j, and its sign.

Problem
    V_i = −g_i = −∇L_i, and R = Σ_{i<j} ⟨g_i, g_j⟩ = ½(‖Σg_i‖² − Σ‖g_i‖²) = ½[c(c−1)‖ḡ‖² − Σ‖g_i − ḡ‖²].
Guarantee (Exact)
    Σ_{i≠j} V_i'V_j = Σ_i H_i(Σ_j g_j − g_i) = +∇R. If it is added to θ, it *ascends* the alignment R, and the effective
    loss is hL_B − λR. At λ = h'²/2 it adds −(ch'/4)‖ḡ‖² + (h'/4c)Σ‖g_i‖² per unit step h, which is the implicit
    regulariser of small batches (Smith et al. 2021) less that of the large batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from contraction import expansions as ex
from contraction.statements import comparisons
from contraction.statements.cases.polynomials import descent_tables, fields_of, point, total
from contraction.statements.records import Row, Statement, Tier, Verdict

NAME, ROWS = "alignment_regulariser", (66,)


def alignment_slopes(fields: list[ex.VectorField], theta: np.ndarray) -> list[Fraction]:
    """∇R, coordinate by coordinate, as the t-coefficient of R along θ + t e_k: Taylor arithmetic on the double loop."""
    slopes = []
    for k in range(len(theta)):
        line = np.stack([theta, ex.rational_vector([int(i == k) for i in range(len(theta))])])
        series = [field.taylor(line) for field in fields]
        slope = Fraction(0)
        for i, a in enumerate(series):
            for b in series[:i]:
                slope += a[0] @ b[1] + a[1] @ b[0]
        slopes.append(slope)
    return slopes


def check(c: int, h: Fraction, seed: int) -> Verdict:
    """Compare three ways to compute the term, three forms of R, and the difference of Smith et al.

    The term is computed by the double loop, in two passes, and as ∇R.
    """
    fields, theta = fields_of(descent_tables(seed, c)), point(seed)
    double = theta * 0
    for i in range(c):
        for j in range(c):
            if i != j:
                double = double + fields[i].differential(theta, (fields[j](theta),))
    gradients = [-field(theta) for field in fields]
    mean = total(gradients) / c
    pairs = sum((gradients[i] @ gradients[j] for i in range(c) for j in range(i)), Fraction(0))
    spread = sum(((g - mean) @ (g - mean) for g in gradients), Fraction(0))
    lam = ex.regularisation_strength(1, h, c, unit="derived")
    slopes = alignment_slopes(fields, theta)
    return comparisons.equal(
        NAME,
        ROWS,
        [
            list(ex.alignment_gradient(fields, theta)),
            list(double),
            [ex.alignment(fields, theta), pairs],
            [-lam * pairs / h],
        ],
        [
            slopes,
            slopes,
            [pairs, (c * (c - 1) * (mean @ mean) - spread) / 2],
            [ex.small_batch_modified_loss(gradients, h)],
        ],
        seed=seed,
        hypotheses="V_i = −∇L_i, and the batches have equal sizes.",
        note=f"c={c}, h={h}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: two to five batches of quartic losses."""
    for c in (2, 3, 4, 5):
        for _ in range(2 if tier == "standard" else 20):
            yield {"c": c, "h": Fraction(int(rng.integers(1, 20)), 13), "seed": int(rng.integers(2**31))}


def check_printed(c: int = 3, seed: int = 0) -> Verdict:
    """Read as a penalty (descent on R), the term would lower R: its slope along the step is ‖∇R‖² > 0, not < 0."""
    fields, theta = fields_of(descent_tables(seed, c)), point(seed)
    term = ex.alignment_gradient(fields, theta)
    slope = sum((a * b for a, b in zip(alignment_slopes(fields, theta), term, strict=True)), Fraction(0))
    return Verdict(
        NAME,
        ROWS,
        "beyond",
        slope > 0,
        float(slope),
        float(-slope),
        seed=seed,
        note=f"the slope of R along the term is {float(slope):.6g}, so the term increases R",
    )


STATEMENT = Statement(
    name=NAME,
    paper=("Appendix D.2, regulariser",),
    claim="Σ_{i≠j}V_i'V_j = +∇R, R = Σ_{i<j}⟨g_i,g_j⟩; effective loss hL_B − λR",
    hypotheses="V_i = −∇L_i, and the batches have equal sizes.",
    rows=(
        Row(
            66,
            "Appendix D.2, the regulariser",
            "LOOSE",
            quote="In the next section, we show that the iteration-order-averaging term, that we can extract from "
            "the computation above, namely, λ Σ_{i≠j} V'_i(θ)V_j(θ), produces a more powerful regularizer than the "
            "one obtained from a single ordering of the small batches.",
            beyond="The sign of this regulariser is worth saying. The term is a step of ascent on R = Σ_{i<j} ⟨∇L_i, "
            "∇L_j⟩: for λ > 0 it rewards alignment of the batch gradients, and the effective loss is hL_B − λR. It "
            "can destabilise: for c = 2 commuting quadratics with eigenvalues λ_1 and λ_2 the factor of a step is 1 "
            "− h(λ_1 + λ_2)/2 + 2λλ_1λ_2.",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    derivation="proofs/symbolic/small_batches.py:regulariser_is_a_gradient",
    test="tests/theory/statements/appendix_d/test_alignment_regulariser.py",
)
