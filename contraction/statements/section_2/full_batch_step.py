"""Example 2.1: the full-batch gradient step near a minimum, its linear part and the learning rates that contract.

Problem
    T θ = θ − h∇L(θ) is a gradient step, ∇L(θ*) = 0, H is the Hessian of L at θ*, and A = 1 − hH.
Guarantee (Tight; Upper for the nonlinear map)
    The operator norm of A is max_i |1 − hλ_i|. For h > 0 it is below 1 if and only if all λ_i are positive and h <
    2/λ_max. For h < 0 it is below 1 if and only if all λ_i are negative and h > 2/λ_min, which is ascent to a maximum.
    If ‖∇²L(θ) − H‖ ≤ c |θ − θ*|, then the map T itself has the factor k' = ‖A‖ + |h|cr on the ball B(θ*, r). If k' < 1,
    the ball is invariant and |T^n θ − θ*| ≤ k'^n |θ − θ*|.
    T equals its linear map only if L is quadratic.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from contraction.maps.iterates import forward_iterates
from contraction.maps.operators import Operators
from contraction.maps.rounding import gamma, iterate_rounding
from contraction.statements.records import Row, Statement, Tier, Verdict

ROWS = (6, 7, 8)
NAME = "full_batch_step"


def norm_formula(h, eigenvalues):
    """max_i |1 - h lambda_i|."""
    return max(abs(1 - h * e) for e in eigenvalues)


def contracts(h, eigenvalues: Sequence) -> bool:
    """Whether 0 < h < 2/lambda_max and H is positive definite, or 2/lambda_min < h < 0 and H is negative definite."""
    if h > 0:
        return min(eigenvalues) > 0 and h * max(eigenvalues) < 2
    return h < 0 and max(eigenvalues) < 0 and h * min(eigenvalues) < 2


def drawn_basis(rng: np.random.Generator, dim: int) -> NDArray:
    """Eigenvectors as the reflection I - 2 v v^T."""
    v = rng.standard_normal(dim)
    v /= np.linalg.norm(v)
    return np.eye(dim) - 2 * np.outer(v, v)


def check(kind: str, h: float, eigenvalues: Sequence[float], seed: int, n: int = 50) -> Verdict:
    """Check the linear step or the nonlinear one, by kind.

    "norm": the spectral norm of I - hH against the formula, and the iff in Fractions; "ball": the nonlinear map.

    Rounding of "norm": H = Q diag Q^T is formed with entries wrong by gamma(3d + 20) lambda, hence d gamma in norm, and
    the singular values add gamma(20 d) d; together gamma(40 d + 40) d (1 + |h| max|lambda|).

    Raises
    ------
    ValueError
        If the kind is unknown.
    """
    rng = np.random.default_rng([seed, len(eigenvalues)])
    note = f"{kind}, h={h}, eigenvalues={np.round(eigenvalues, 3).tolist()[:4]}…, dim={len(eigenvalues)}"
    Q = drawn_basis(rng, len(eigenvalues))
    if kind == "ball":
        return _ball(h, np.asarray(eigenvalues), Q, rng, n, note)
    if kind != "norm":
        raise ValueError(f"kind must be norm or ball, got {kind!r}")
    H = (Q * np.asarray(eigenvalues)) @ Q.T
    d, size = len(eigenvalues), 1 + abs(h) * float(np.max(np.abs(eigenvalues)))
    exact = [Fraction(e) for e in eigenvalues]
    below_one = norm_formula(Fraction(h), exact) < 1
    return Verdict.tight(
        NAME,
        ROWS,
        [np.linalg.norm(np.eye(d) - h * H, 2), float(below_one)],
        [norm_formula(h, eigenvalues), float(contracts(Fraction(h), exact))],
        rounding=[gamma(40 * d + 40) * d * size, 0.0],
        seed=seed,
        hypotheses="H is symmetric, and h is arbitrary.",
        note=note,
    )


def _ball(h: float, eigenvalues: NDArray, Q: NDArray, rng: np.random.Generator, n: int, note: str) -> Verdict:
    """Check the nonlinear step of grad L = H y + (c/2) V (V^T y)^2, y = θ - θ*.

    The Hessian moves by c V diag(V^T y) V^T, norm <= c |y|.

    r is the largest radius with k' <= (1 + |A|)/2, that is |h| c r = (1 - |A|)/2.

    Raises
    ------
    ValueError
        If |A| >= 1.
    """
    A = norm_formula(h, eigenvalues)
    if not A < 1:
        raise ValueError(f"the linear part must contract, got |1 - hH| = {A}")
    d, c = len(eigenvalues), 3.0
    V, r, center = drawn_basis(rng, d), (1 - A) / (2 * abs(h) * 3.0), rng.uniform(-5, 5, d)
    H, factor = (Q * eigenvalues) @ Q.T, A + abs(h) * c * r

    def gradient_step(theta: NDArray) -> NDArray:
        y = theta - center
        return theta - h * (y @ H + c / 2 * (y @ V) ** 2 @ V.T)

    directions = rng.standard_normal((20, d))
    directions /= np.linalg.norm(directions, axis=-1)[:, None]
    x, y = center + r * directions[:10], center + r * rng.random((10, 1)) * directions[10:]
    gap = np.linalg.norm(x - y, axis=-1)
    moved = np.linalg.norm(gradient_step(x) - gradient_step(y), axis=-1)
    rows = forward_iterates(Operators.from_maps([gradient_step] * n), x)
    distances = np.linalg.norm(rows - center, axis=-1)
    # one step: gamma(8 d + 30) d relative to |theta*| + r, and |h| times a gradient of size (lambda + c r) r
    scale = d * (float(np.linalg.norm(center)) + r + abs(h) * (float(np.max(eigenvalues)) + c * r) * r)
    rounding = 2 * iterate_rounding(factor, n, scale, 8 * d + 30)
    measured = np.concatenate([moved, distances.ravel()])
    claimed = np.concatenate([factor * gap, np.tile(r * factor ** np.arange(n + 1), 10)])
    return Verdict.upper(
        NAME,
        (6,),
        measured,
        claimed,
        rounding=rounding,
        hypotheses="|1 − hH| < 1, and the Hessian is c-Lipschitz.",
        note=note,
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: h at 0, inside, at and beyond 2/lambda_max and negative; every signature of H.

    Dimensions 1 to 50.
    """
    for low, high in ((0.5, 4.0), (4.0, 4.0), (0.0, 4.0), (-0.1, 4.0), (1e-6, 1.0), (-3.0, -1.0)):
        for h in (0.0, 0.4, 1.9 / 4, 0.5, 0.6, -0.1):
            for dim in (1, 2, int(rng.integers(3, 51))):
                inner = rng.uniform(low, high, max(dim - 2, 0)).tolist()
                eigenvalues = [high] if dim == 1 else [low, high, *inner]
                seed = int(rng.integers(2**31))
                yield {"kind": "norm", "h": h, "eigenvalues": eigenvalues, "seed": seed}
                if norm_formula(h, eigenvalues) < 1:
                    yield {"kind": "ball", "h": h, "eigenvalues": eigenvalues, "seed": seed, "n": 20}


def check_printed(slip: str) -> Verdict:
    """Check one slip: "iff" h < 2/lambda_max (row 8), the "maximum eigenvalue" (row 7), or "equality" (row 6).

    Around a minimum, with a learning rate h > 0, H is positive semidefinite: only a singular H refutes the "iff".

    Raises
    ------
    ValueError
        If the slip is unknown.
    """
    if slip == "iff":
        h, eigenvalues = Fraction(2, 5), [Fraction(0), Fraction(4)]
        norm, below = norm_formula(h, eigenvalues), h * max(eigenvalues) < 2
        note = f"H = diag(0, 4), h = {h} < 2/λ_max = 1/2: the norm is {norm}, not below 1"
        return Verdict(NAME, (8,), "refuted", below and norm >= 1, float(norm), 1.0, note=note)
    if slip == "maximum eigenvalue":
        norm, largest = norm_formula(Fraction(2, 5), [Fraction(4)]), 1 - Fraction(2, 5) * 4
        holds = norm == Fraction(3, 5) and largest == -norm
        note = "the norm of 1 − hH and its largest eigenvalue at H = 4, h = 2/5"
        return Verdict(NAME, (7,), "refuted", holds, float(norm), float(largest), note=note)
    if slip == "equality":
        h, theta = Fraction(1, 10), Fraction(2)  # L = theta^2/2 + theta^4/4, theta* = 0, H = 1
        nonlinear, linear = theta - h * (theta + theta**3), (1 - h) * theta
        far = Fraction(10)
        ratio = abs(far - h * (far + far**3)) / far
        holds = nonlinear != linear and ratio > abs(1 - h)
        note = f"L = θ²/2 + θ⁴/4, h={h}: |T(10) − T(0)|/10 is {float(ratio):.6g}, by the linear map {float(1 - h):.6g}"
        return Verdict(NAME, (6,), "beyond", holds, float(nonlinear), float(linear), note=note)
    raise ValueError(f"slip must be iff, maximum eigenvalue or equality, got {slip!r}")


def printed_cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: the three slips."""
    yield from ({"slip": slip} for slip in ("iff", "maximum eigenvalue", "equality"))


STATEMENT = Statement(
    name=NAME,
    paper=("Example 2.1",),
    claim="|1 − hH| = max_i |1 − hλ_i|, < 1 iff 0 < h < 2/λ_max and H ≻ 0; near θ* the factor is |1 − hH| + |h|cr",
    hypotheses="H is symmetric. For the nonlinear map, the Hessian is c-Lipschitz and |1 − hH| + |h|cr < 1.",
    rows=(
        Row(
            6,
            "Example 2.1, T near a minimum",
            "OK",
            quote="More precisely, around a minimum θ* the operator T can be approximated using a first-order "
            "expansion of the gradient around the minimum as T(θ) = θ* + (1 − hH)(θ − θ*), where H = ∇²L(θ*).",
            beyond="Inequality (1) is for the linearised map. The map itself contracts near the minimum as well: for "
            "every k' between ‖1 − hH‖ and 1 there is a ball around θ* on which T is a k'-contraction, and T maps "
            "this ball into itself because θ* is fixed.",
        ),
        Row(
            7,
            "Example 2.1, operator norm",
            "LOOSE",
            quote="Now we have that ‖T(θ_1) − T(θ_2)‖ ≤ ‖1 − hH‖_{op} ‖θ_1 − θ_2‖, where ‖1 − hH‖_{op} is the "
            "operator norm of 1 − hH, that is the operator maximum eigenvalue: max_i |1 − hλ_i| (here the λ_i's are "
            "eigenvalues of H).",
            why="The largest eigenvalue of 1 − hH is 1 − hλ_min. The formula max_i |1 − hλ_i| is right.",
            correct="The largest absolute eigenvalue of the operator.",
            severity="typo",
        ),
        Row(
            8,
            "Example 2.1, range of the learning rate",
            "HYP",
            quote="It is easy to verify that ‖1 − hH‖_{op} < 1 if and only if the learning rate is strictly smaller "
            "than 2/λ_{max} where λ_{max} is the largest eigenvalue of H.",
            why="At a minimum H is positive semidefinite, and the equivalence fails where H is singular: along a "
            "flat direction nothing contracts.",
            correct="H is positive definite.",
            severity="repairable",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    printed_cases=printed_cases,
    test="tests/theory/statements/section_2/test_full_batch_step.py",
)
