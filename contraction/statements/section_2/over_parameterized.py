"""Remark 2.3 for over-parameterised models: no uniform contraction there, but contraction along invariant leaves.

Problem
    Least squares on N rows x_i of R^d with N < d and labels with or without noise. A step on a batch B of b rows is T θ
    = θ − h X_Bᵀ(X_B θ − y_B)/b.
Guarantee (Exact for null directions and leaves; Upper for the rate along a leaf)
    The rank of H_B is at most b times the number of outputs, which is less than d. So there is a v ≠ 0 orthogonal to
    the rows, T(θ + v) = T(θ) + v, and ‖I − hH_B‖ ≥ 1 for every h. Two common zeros p ≠ q give d(T p, T q) = d(p, q), so
    T does not contract in any metric.
    The difference θ_n − θ_0 stays in the span of the rows, which is orthogonal to every null vector of X.
    One epoch makes the N single-row steps in any order. If 0 < h|x_i|² < 2, it contracts that span by κ < 1, the
    maximum of ‖A_{s(N)} … A_{s(1)}‖ over all orders s. So two starts on one leaf approach each other as κ^epochs.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from contraction.maps.iterates import backward_iterates, forward_iterates
from contraction.maps.operators import Operators
from contraction.maps.rounding import gamma
from contraction.statements import comparisons
from contraction.statements.records import Row, Statement, Tier, Verdict

ROWS = (26,)
NAME = "over_parameterized"


def null_vector(X: list[list[Fraction]]) -> list[Fraction]:
    """Return a non-zero vector orthogonal to every row, by elimination; there is one whenever rows < columns."""
    rows, d = [list(r) for r in X], len(X[0])
    pivots: list[int] = []
    for column in range(d):
        r = len(pivots)
        result = next((i for i in range(r, len(rows)) if rows[i][column] != 0), None)
        if result is None:
            continue
        rows[r], rows[result] = rows[result], rows[r]
        rows[r] = [v / rows[r][column] for v in rows[r]]
        for i in range(len(rows)):
            if i != r:
                rows[i] = [a - rows[i][column] * b for a, b in zip(rows[i], rows[r], strict=True)]
        pivots.append(column)
    free = next((c for c in range(d) if c not in pivots), None)
    if free is None:
        raise ValueError(f"{len(X)} rows of length {d} have full column rank: no null vector")
    v = [Fraction(0)] * d
    v[free] = Fraction(1)
    for row, column in zip(rows, pivots, strict=False):
        v[column] = -row[free]
    return v


def step(X: NDArray, y: NDArray, h):
    """Return θ -> θ - h X^T (X θ - y)/b, on (..., d) points of any exact or float type."""
    return lambda theta: theta - h * ((theta @ X.T - y) @ X) / len(X)


def check(kind: str, h: float, N: int, dim: int, seed: int, epochs: int = 5, interpolate: bool = True) -> Verdict:
    """Check null directions or leaves, by kind.

    "null": exact null directions and leaves; "leaf": coupled starts along a leaf against kappa^epochs, in floats.

    Rounding of "leaf": every step commits at most gamma(8 d + 20) (|θ| + h |x|(|x||θ| + |y|)), and the single
    steps do not expand, so two iterates after N epochs steps differ by at most 2 N epochs times that.

    Raises
    ------
    ValueError
        If there are not fewer rows than dimensions, or the kind is unknown.
    """
    if not 1 <= N < dim:
        raise ValueError(f"over-parameterised means 1 <= N < dim, got N={N}, dim={dim}")
    rng = np.random.default_rng([seed, N, dim])
    note = f"{kind}, h={h}, N={N}, dim={dim}, {'interpolating' if interpolate else 'label noise'}"
    if kind == "null":
        return _null(Fraction(h), N, dim, rng, interpolate, note)
    if kind != "leaf":
        raise ValueError(f"kind must be null or leaf, got {kind!r}")
    X = rng.standard_normal((N, dim))
    X /= np.linalg.norm(X, axis=-1)[:, None]
    y = X @ rng.standard_normal(dim) + (0 if interpolate else rng.standard_normal(N))
    basis = np.linalg.qr(X.T)[0]  # (d, N): the span of the rows
    restricted = [basis.T @ (np.eye(dim) - h * np.outer(x, x)) @ basis for x in X]
    kappa = max(
        np.linalg.norm(np.linalg.multi_dot([restricted[i] for i in s]) if N > 1 else restricted[s[0]], 2)
        for s in permutations(range(N))
    )
    single = max(np.linalg.norm(np.eye(dim) - h * np.outer(x, x), 2) for x in X)
    order = np.concatenate([rng.permutation(N) for _ in range(epochs)])
    operators = Operators.from_maps([step(X[i : i + 1], y[i : i + 1], h) for i in order])
    theta = rng.standard_normal(dim)
    other = theta + basis @ rng.standard_normal(N)
    at = [N * e for e in range(epochs + 1)]
    measured = []
    for iterates in (forward_iterates, backward_iterates):
        pair = iterates(operators, np.stack([theta, other]), at=at)
        measured.append(np.linalg.norm(pair[0] - pair[1], axis=-1))
    claimed = np.linalg.norm(theta - other) * kappa ** np.arange(epochs + 1)
    size = float(np.linalg.norm(theta) + np.linalg.norm(other) + np.max(np.abs(y)) * N * epochs)
    rounding = 2 * (N * epochs + 2) * gamma(8 * dim + 20 * N + 20) * (1 + h) * size
    return Verdict.upper(
        NAME,
        ROWS,
        [*measured[0], *measured[1], 1.0, kappa],
        [*claimed, *claimed, single, 1.0],
        rounding=rounding,
        seed=seed,
        hypotheses="0 < h|x_i|² < 2, every epoch uses each row once, and the starts are on one leaf.",
        note=f"{note}, κ={kappa:.6f}",
    )


def _null(h: Fraction, N: int, dim: int, rng: np.random.Generator, interpolate: bool, note: str) -> Verdict:
    data = [[Fraction(int(v)) for v in row] for row in rng.integers(-5, 6, (N, dim))]
    X = np.array(data, dtype=object).reshape(N, dim)
    truth = np.array([Fraction(int(v), 3) for v in rng.integers(-9, 10, dim)])
    y = X @ truth + (0 if interpolate else np.array([Fraction(int(v)) for v in rng.integers(1, 9, N)]))
    v = np.array(null_vector(data))
    picks = [rng.choice(N, int(rng.integers(1, N + 1)), replace=False) for _ in range(6)]
    operators = Operators.from_maps([step(X[p], y[p], h) for p in picks])
    theta = np.array([Fraction(int(t), 2) for t in rng.integers(-9, 10, dim)])
    moved = [T(theta + v) - T(theta) for T in operators]
    leaves = [row @ v for f in (forward_iterates, backward_iterates) for row in f(operators, theta) - theta]
    zeros = [T(p) - p for T in operators for p in (truth, truth + v)] if interpolate else []
    measured = [*moved, *leaves, *zeros, int(any(v != 0))]
    claimed = [*[v] * len(moved), *[0] * len(leaves), *[0 * v] * len(zeros), 1]
    return comparisons.equal(NAME, ROWS, measured, claimed, hypotheses="rank H_B < d, and h is arbitrary.", note=note)


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: one to four rows, up to fifty dimensions, with and without label noise, h over (0, 2) and beyond."""
    for interpolate in (True, False):
        for h in (0.0, 0.1, 1.0, 5.0):
            for N, dim in ((1, 2), (3, 4), (4, 12)):
                yield {
                    "kind": "null",
                    "h": h,
                    "N": N,
                    "dim": dim,
                    "seed": int(rng.integers(2**31)),
                    "interpolate": interpolate,
                }
        for h in (0.1, 1.0, 1.9):
            for N in (1, 2, 3, 4):
                yield {
                    "kind": "leaf",
                    "h": h,
                    "N": N,
                    "dim": int(rng.integers(N + 1, 51)),
                    "epochs": 30,
                    "seed": int(rng.integers(2**31)),
                    "interpolate": interpolate,
                }


def check_printed() -> Verdict:
    """Check that (1, 0) and (0, 1) are fixed by every step on x + y = 1, at every h, so that no k < 1 exists."""
    p, q = np.array([Fraction(1), Fraction(0)]), np.array([Fraction(0), Fraction(1)])
    X, y = np.array([[Fraction(1), Fraction(1)]]), np.array([Fraction(1)])
    images = [(step(X, y, Fraction(j, 10))(p), step(X, y, Fraction(j, 10))(q)) for j in range(1, 40)]
    ratio = min(sum((a - b) ** 2) / sum((p - q) ** 2) for a, b in images)
    return Verdict(
        NAME,
        ROWS,
        "beyond",
        ratio == 1,
        float(ratio),
        None,
        hypotheses="There are two distinct common zeros, and h is arbitrary.",
        note=f"one datum in the plane, common zeros p and q: d(Tp, Tq)²/d(p, q)² = {ratio} for h = .1, .2, …, 3.9",
    )


STATEMENT = Statement(
    name=NAME,
    paper=("Remark 2.3",),
    claim="rank H_B < d: |I − hH_B| ≥ 1 for every h; along θ_0 + row space an epoch contracts by κ < 1",
    hypotheses="Least squares is over-parameterised. On a leaf, 0 < h|x_i|² < 2 and every epoch uses each row once.",
    rows=(
        Row(
            26,
            "Remark 2.3, over-parameterised models",
            "OK",
            quote="Both assumptions are completely reasonable for over-parameterized models like deep neural networks.",
            beyond="Both assumptions are reasonable. It does not follow from them that the maps contract: every "
            "common zero of the losses is a fixed point of every T_i, and a map with two fixed points is not a "
            "contraction in any metric. Theorem 2.2 therefore does not cover over-parameterised models with several "
            "common zeros. Contraction on average, or along the affine subspaces that the steps of least squares do "
            "not leave, can take its place.",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    test="tests/theory/statements/section_2/test_over_parameterized.py",
)
