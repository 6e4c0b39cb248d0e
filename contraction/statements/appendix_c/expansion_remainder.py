"""Beyond Lemma C.1: an explicit bound on the remainder of the expansion to order p, and its observed order p + 1.

Problem
    R = T_word(θ) − Σ_{q≤p} E_q h^q for words of n maps 1 + hV_i, with M_m ≥ sup ‖V_i^(m)‖ on B(θ, nhM_0) for m = 0 … p.
Guarantee (Upper)
    ‖R‖ ≤ h^{p+1} Σ_{|τ|=p+1} N_n(τ)/σ(τ) Π M_{children}, where N_n(τ) is the number of increasing maps of the tree into
    the positions. For p = 2 the bound is h³ [C(n,3) L²G + (n−1)n(2n−1)/12 · M_2 G²]. The difference of two orders has
    twice this bound.
"""

from __future__ import annotations

from collections.abc import Iterator

import mpmath
import numpy as np

from contraction import expansions as ex
from contraction.statements.records import Statement, Tier, Verdict

NAME, ROWS = "expansion_remainder", ()


DIGITS = 60


def sine_fields(seed: int, n: int, d: int) -> tuple[list[ex.VectorField], list[float]]:
    """V_i(θ) = a∘sin(Bθ + c), with M_0 = max ‖a‖ and M_m = max |a|·‖B‖^m everywhere, m = 1 … 5.

    The coefficients are drawn as floats and held as mpmath numbers; the norms are rounded up.
    """
    rng = np.random.default_rng(seed)
    fields, bounds = [], np.zeros(6)
    for _ in range(n):
        a, b, c = rng.standard_normal(d), rng.standard_normal((d, d)), rng.standard_normal(d)
        exact = [high_precision(x) for x in (a, b, c)]
        fields.append(ex.numpy_field(lambda theta, x=exact: x[0] * np.sin(x[1] @ theta + x[2])))
        norm, top = np.linalg.norm(b, 2), np.max(np.abs(a))
        bounds = np.maximum(bounds, [np.linalg.norm(a), *(top * norm**m for m in range(1, 6))])
    return fields, list(bounds * (1 + 1e-12))


def high_precision(x: np.ndarray) -> np.ndarray:
    """Return the same numbers as an object array of mpmath numbers."""
    return np.frompyfunc(mpmath.mpf, 1, 1)(x)


def check(n: int, d: int, order: int, h: float, seed: int) -> Verdict:
    """Compare with the bounds the remainders of a backward word, and of the backward less the forward word.

    Computed with 60 digits, so that remainders far below the rounding of floats are seen.
    """
    words = (tuple(range(1, n + 1)), tuple(range(n, 0, -1)))
    with mpmath.workdps(DIGITS):
        fields, bounds = sine_fields(seed, n, d)
        theta = high_precision(np.random.default_rng([seed, 1]).standard_normal(d))
        rate = mpmath.mpf(h)
        left = [
            ex.compose(fields, word, theta, rate) - ex.evaluate_series(ex.word_series(fields, word, theta, order), rate)
            for word in words
        ]
        norms = [float(mpmath.sqrt(sum(x * x for x in r))) for r in (left[0], left[0] - left[1])]
    return Verdict.upper(
        NAME,
        ROWS,
        norms,
        [ex.remainder_bound(n, h, order, bounds), ex.difference_remainder_bound(n, h, order, bounds)],
        seed=seed,
        hypotheses="M_0 … M_p bound the derivatives on B(θ, nhM_0).",
        note=f"n={n}, d={d}, order {order}, h={h}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: random sine fields, up to 8 maps in up to 3 dimensions, order 1 to 5."""
    for k in range(20 if tier == "standard" else 200):
        yield {
            "n": int(rng.integers(2, 9)),
            "d": int(rng.integers(1, 4)),
            "order": 1 + k % 5,
            "h": float(10 ** rng.uniform(-3, -0.3)),
            "seed": int(rng.integers(2**31)),
        }


STATEMENT = Statement(
    name=NAME,
    paper=("beyond Lemma C.1",),
    claim="‖T_word − expansion to order p‖ ≤ h^{p+1} Σ_{|τ|=p+1} N_n(τ)/σ(τ) Π M_{children}",
    hypotheses="M_m ≥ sup ‖V_i^(m)‖ on B(θ, nhM_0) for m = 0 … p.",
    rows=(),
    check=check,
    cases=cases,
    derivation="proofs/symbolic/composition_expansion.py:third_order",
    test="tests/theory/statements/appendix_c/test_expansion_remainder.py",
)
