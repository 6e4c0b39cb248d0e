"""Theorem 2.2 without condition (2): needed as stated, not necessary, and the weaker condition that is enough.

Problem
    The maps T_i have any Lipschitz constants K_i, also above 1, and displacements δ_i = d(θ, T_i θ) that are not
    bounded.
Guarantee (Upper; exact for nonnegative affine maps)
    d(θ_m, θ_n) ≤ Σ_{n<i≤m} K_1 … K_{i−1} δ_i. This is an equality for T_i x = K_i x + b_i with K_i, b_i ≥ 0 and θ = 0,
    and such iterates converge if and only if the sum converges.
    For T_i x = x/2 + 2^i the iterates θ_n = 2n diverge. For T_i x = x/2 + i the displacements δ_i are not bounded
    either, but θ_n = 4 − (n+2) 2^{1−n} → 4.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from contraction.maps.iterates import backward_iterates
from contraction.maps.operators import Operators
from contraction.maps.rounding import gamma
from contraction.statements import comparisons
from contraction.statements.records import Row, Statement, Tier, Verdict

ROWS = (20,)
NAME = "necessity_of_bounded_displacement"


def affine(K: list[Fraction], b: list[Fraction], start: Fraction = Fraction(0)) -> list[Fraction]:
    """Backward iterates 0 … n of x -> K_i x + b_i, by applying the maps."""
    maps = [lambda x, Ki=Ki, bi=bi: Ki * x + bi for Ki, bi in zip(K, b, strict=True)]
    return list(backward_iterates(Operators.from_maps(maps), np.array([start]))[:, 0])


def certificate(K: list, delta: list) -> list:
    """sum_{i<=n} K_1 … K_{i-1} delta_i for n = 0 … N."""
    sums, product = [0 * delta[0]], 1
    for Ki, di in zip(K, delta, strict=True):
        sums.append(sums[-1] + product * di)
        product = product * Ki
    return sums


def check(kind: str, n: int, dim: int = 1, seed: int = 0) -> Verdict:
    """Compare backward iterates with the sum, by kind.

    "powers" and "linear" are the two examples and "affine" the equality for drawn K_i, b_i >= 0, all in Fractions;
    "sine" bounds |θ_m - θ_n| for T_i x = K_i sin(x) + b_i with some K_i > 1 and Student-t(2) b_i.

    Rounding for "sine": a map commits at most gamma(dim+12)(K_i sqrt(dim) + |b_i|), which the maps outside multiply by
    K_1 … K_{i-1}; the two iterates, the certificate and the distance together at most four times the sum of that.

    Raises
    ------
    ValueError
        If the kind is unknown.
    """
    hypotheses = "Σ K_1…K_{i−1} d(θ, T_iθ) is finite, or is shown to be infinite."
    half = [Fraction(1, 2)] * n
    if kind == "powers":
        rows = affine(half, [Fraction(2**i) for i in range(1, n + 1)])
        return comparisons.equal(NAME, ROWS, rows, [2 * j for j in range(n + 1)], hypotheses=hypotheses, note=f"n={n}")
    if kind == "linear":
        rows = affine(half, [Fraction(i) for i in range(1, n + 1)])
        claimed = [4 - (j + 2) * 2 * Fraction(1, 2**j) for j in range(n + 1)]
        return comparisons.equal(NAME, ROWS, rows, claimed, hypotheses=hypotheses, note=f"n={n}")
    rng = np.random.default_rng([seed, n, dim])
    if kind == "affine":
        K = [Fraction(int(v), 8) for v in rng.integers(0, 12, n)]
        b = [Fraction(int(v), 4) for v in rng.integers(0, 99, n) ** 2]
        return comparisons.equal(NAME, ROWS, affine(K, b), certificate(K, b), hypotheses=hypotheses, note=f"n={n}")
    if kind != "sine":
        raise ValueError(f"kind must be powers, linear, affine or sine, got {kind!r}")
    K = np.where(rng.random(n) < 0.2, rng.uniform(1, 1.5, n), rng.uniform(0, 0.8, n))
    b = rng.standard_t(2, (n, dim))
    maps = [lambda x, i=i: K[i] * np.sin(x) + b[i] for i in range(n)]
    theta0 = np.zeros(dim)
    rows = backward_iterates(Operators.from_maps(maps), theta0)
    delta = np.linalg.norm(b, axis=-1)
    sums = np.array(certificate(list(K), list(delta)))
    errors = np.array(certificate(list(K), list(gamma(dim + 12) * (K * np.sqrt(dim) + delta))))
    later = np.minimum(np.arange(n + 1) + 5, n)
    measured = np.concatenate([np.linalg.norm(rows[-1] - rows, axis=-1), np.linalg.norm(rows[later] - rows, axis=-1)])
    claimed = np.concatenate([sums[-1] - sums, sums[later] - sums])
    return Verdict.upper(
        NAME,
        ROWS,
        measured,
        claimed,
        rounding=4 * errors[-1] + gamma(2 * n + 4) * sums[-1],
        seed=seed,
        hypotheses=hypotheses,
        note=f"sine, n={n}, dim={dim}, {int(np.sum(K > 1))} expanding maps",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: the two examples, drawn exact sequences, and expanding nonlinear maps with heavy tails."""
    yield {"kind": "powers", "n": 60}
    yield {"kind": "linear", "n": 60}
    for _ in range(6 if tier == "standard" else 100):
        yield {"kind": "affine", "n": int(rng.integers(1, 60)), "seed": int(rng.integers(2**31))}
        yield {
            "kind": "sine",
            "n": int(rng.integers(1, 300)),
            "dim": int(rng.integers(1, 51)),
            "seed": int(rng.integers(2**31)),
        }


STATEMENT = Statement(
    name=NAME,
    paper=("Theorem 2.2",),
    claim="d(θ_m, θ_n) ≤ Σ_{n<i≤m} K_1…K_{i−1} d(θ, T_iθ); x/2 + 2^i: θ_n = 2n; x/2 + i: θ* = 4",
    hypotheses="K_i = Lip T_i. Equality is checked for nonnegative affine maps.",
    rows=(
        Row(
            20,
            "Theorem 2.2, condition (2): whether it is needed",
            "BEYOND",
            beyond="Condition (2) cannot be dropped: for T_i x = x/2 + 2^i the backward iterates tend to infinity. "
            "It can be weakened: if K_i is the Lipschitz constant of T_i, then Σ_i K_1 ⋯ K_{i−1} d(θ, T_i θ) < ∞ is "
            "enough.",
        ),
    ),
    check=check,
    cases=cases,
    test="tests/theory/statements/section_2/test_necessity_of_bounded_displacement.py",
)
