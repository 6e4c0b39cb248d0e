"""Section 3.1: closed forms of the forward and backward iterates of SGD on a quadratic, and when they contract.

Problem
    T_i(theta) = (1 - h) theta + h eps_i on R.
Guarantee (Tight)
    T_n … T_1 theta = (1-h)^n theta + h sum_i (1-h)^(n-i) eps_i,
    T_1 … T_n theta = (1-h)^n theta + h sum_i (1-h)^(i-1) eps_i; Lipschitz constant exactly |1 - h|, a contraction
    iff 0 < h < 2.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from contraction.families import QuadraticSGD, Uniform
from contraction.iterates import iterates
from contraction.orders import Backward, Forward
from contraction.rounding import gamma
from contraction.statements._base import Row, Statement, Tier, Verdict

ROWS = (44, 46)


def check(h: float, n: int, theta0: float, seed: int) -> Verdict:
    """Compare the n-th forward and backward iterates with the sums of Section 3.1.

    Rounding: both sides add 2n terms of size at most s = |1-h|^n |theta| + |h| sum |1-h|^j |eps|, each with at most
    n + 4 rounded operations, so they differ by at most 2 gamma(3n + 8) s.
    """
    operators = QuadraticSGD(h, Uniform(-1, 1)).sample(n, seed)
    eps = np.array([operators[i].draw[0] for i in range(n)])
    weights = (1 - h) ** np.arange(n)
    drift = (1 - h) ** n * theta0
    claimed = np.array([drift + h * np.sum(weights[::-1] * eps), drift + h * np.sum(weights * eps)])
    measured = np.array([iterates(operators, theta0, o, at=[n])[0, 0] for o in (Forward(), Backward())])
    size = abs(drift) + abs(h) * np.sum(np.abs(weights))
    return Verdict.tight(
        "quadratic_sgd", ROWS, measured, claimed, rounding=2 * gamma(3 * n + 8) * size, seed=seed,
        hypotheses="any h", note=f"h={h}, n={n}, theta={theta0}",
    )  # fmt: skip


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """h over [-0.1, 2.1] with its edges, n up to 300, starts up to 1000."""
    edges = (-0.1, 0.0, 0.3, 1.0, 1.7, 2.0, 2.1)
    for h in (*edges, *rng.uniform(0, 2, 20 if tier == "standard" else 200)):
        yield {
            "h": float(h), "n": int(rng.integers(1, 300)), "theta0": float(rng.uniform(-1e3, 1e3)),
            "seed": int(rng.integers(2**31)),
        }  # fmt: skip


def check_printed(h: float = 0.3, n: int = 7, seed: int = 0) -> Verdict:
    """The backward display is labelled T_n … T_1: with that label it is false (the two sums differ)."""
    operators = QuadraticSGD(h, Uniform(-1, 1)).sample(n, seed)
    eps = np.array([operators[i].draw[0] for i in range(n)])
    printed = h * np.sum((1 - h) ** np.arange(n) * eps)
    forward = iterates(operators, 0.0, Forward(), at=[n])[0, 0]
    holds = abs(printed - forward) > 4 * gamma(3 * n + 8)
    return Verdict("quadratic_sgd", (46,), "refuted", holds, forward, printed, seed=seed, note=f"h={h}, n={n}, theta=0")


STATEMENT = Statement(
    name="quadratic_sgd",
    paper=("Section 3.1",),
    claim="T_1…T_n θ = (1−h)^n θ + h Σ_i (1−h)^{i−1} ε_i, T_n…T_1 θ = (1−h)^n θ + h Σ_i (1−h)^{n−i} ε_i",
    hypotheses="any h",
    rows=(
        Row(44, "Section 3.1, T_i and its forward expansion", "OK"),
        Row(
            46, "Section 3.1, second display of iterates", "TYPO", "T_n⋯T_1(θ) = … + hε_1 + … + h(1−h)^{n−1}ε_n",
            "the right side is the backward iterate", "label T_1⋯T_n", "typo",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    proof="proofs/coq/quadratic_sgd.v",
    derivation="proofs/symbolic/quadratic_sgd.py",
    test="tests/theory/test_quadratic_sgd.py",
)  # fmt: skip
