"""Section 3.2: closed forms of the forward and backward iterates of SGD on a quadratic near its minimum.

Problem
    The maps are T_i(θ) = θ − h(H(θ − θ*) − ε_i) on R^d, with H symmetric.
Guarantee (Exact)
    Let A = I − hH. For every h and H,
        T_n … T_1 θ = θ* + A^n (θ − θ*) + h Σ_i A^{n−i} ε_i,
        T_1 … T_n θ = θ* + A^n (θ − θ*) + h Σ_i A^{i−1} ε_i.
    The map T_i itself is θ* + A(θ − θ*) + hε_i; the paper prints θ* − θ in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from contraction.maps.iterates import iterates
from contraction.maps.operators import Operators, RandomOperator
from contraction.maps.orders import Backward, Forward
from contraction.statements.cases.exact_words import random_fraction
from contraction.statements.records import Row, Statement, Tier, Verdict
from contraction.statements.section_3.taylor_of_gradient import symmetric
from contraction.types import Numbers

NAME, ROWS = "linearized_sgd", (52,)


def sgd_maps(H: NDArray, theta_star: NDArray, h: Fraction, eps: Sequence[NDArray]) -> Operators:
    """Return the maps θ - h (H (θ - θ*) - eps_i), exact, one for each noise vector."""
    family = RandomOperator(
        draw=lambda rng: eps[int(rng.integers(len(eps)))],
        apply=lambda theta, e: theta - h * ((theta - theta_star) @ H.T - e),
        name="SGD near a minimum",
    )
    return Operators(family, list(eps))


def closed_forms(
    H: NDArray, theta_star: NDArray, h: Fraction, eps: Sequence[NDArray], theta: NDArray
) -> tuple[NDArray, NDArray]:
    """Return the two sums of Section 3.2 for n = len(eps), forward and backward, by powers of A = I - h H."""
    A = np.array([[Fraction(int(a == b)) for b in range(len(H))] for a in range(len(H))], dtype=object) - h * H
    powers = [A * 0 + np.array([[int(a == b) for b in range(len(H))] for a in range(len(H))], dtype=object)]
    for _ in eps:
        powers.append(powers[-1] @ A)
    n = len(eps)
    drift = theta_star + powers[n] @ (theta - theta_star)
    forward = drift + h * sum((powers[n - i] @ eps[i - 1] for i in range(1, n + 1)), 0 * theta)
    backward = drift + h * sum((powers[i - 1] @ eps[i - 1] for i in range(1, n + 1)), 0 * theta)
    return forward, backward


def check(H: Numbers, theta_star: Numbers, h: Fraction, eps: Numbers, theta: Numbers) -> Verdict:
    """Compare both iterates with their sums in rationals; measured and claimed are the coordinate sums of the worse."""
    H, theta_star, theta = (np.array(v, dtype=object) for v in (H, theta_star, theta))
    noise = [np.array(e, dtype=object) for e in eps]
    operators = sgd_maps(H, theta_star, h, noise)
    claimed = closed_forms(H, theta_star, h, noise, theta)
    measured = [iterates(operators, theta, order, at=[len(noise)])[0] for order in (Forward(), Backward())]
    gaps = [np.abs(m - c).sum() for m, c in zip(measured, claimed, strict=True)]
    worse = int(gaps[1] > gaps[0])
    return Verdict(
        NAME,
        ROWS,
        "exact",
        sum(gaps) == 0,
        float(measured[worse].sum()),
        float(claimed[worse].sum()),
        hypotheses="H is symmetric, and h is arbitrary.",
        note=f"d={len(theta)}, n={len(noise)}, h={h}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: dimensions 1 to 5, n up to 12, any signature of H, h from -1 to 3."""
    for _ in range(10 if tier == "standard" else 80):
        d, n = int(rng.integers(1, 6)), int(rng.integers(1, 13))
        vectors = [[random_fraction(rng, -3, 3, 4) for _ in range(d)] for _ in range(n + 2)]
        yield {
            "H": symmetric(rng, d, 2),
            "theta_star": vectors[0],
            "theta": vectors[1],
            "eps": vectors[2:],
            "h": random_fraction(rng, -1, 3, 10),
        }


def check_printed(
    H: Numbers = ((1, 0), (0, 2)), theta_star: Numbers = (1, 1), theta: Numbers = (2, 3), h: Fraction = Fraction(1, 10)
) -> Verdict:
    """Compare one step by the definition with the printed θ* + (I - hH)(θ* - θ), without noise.

    For h = 1/10 the step gives (1.9, 2.6), the printed form (0.1, -0.6); first coordinates are compared.
    """
    H, theta_star, theta = (np.array(v, dtype=object) for v in (H, theta_star, theta))
    step = sgd_maps(H, theta_star, h, [0 * theta])[0](theta)
    back = theta_star - theta
    printed = theta_star + back - h * (H @ back)
    return Verdict(
        NAME,
        (49,),
        "refuted",
        bool(np.any(step != printed)),
        float(step[0]),
        float(printed[0]),
        note=f"T(θ) = {tuple(map(float, step))}, printed {tuple(map(float, printed))}",
    )


STATEMENT = Statement(
    name=NAME,
    paper=("Section 3.2",),
    claim="T_1…T_n θ = θ* + A^n(θ−θ*) + h Σ_i A^{i−1} ε_i, T_n…T_1 θ = θ* + A^n(θ−θ*) + h Σ_i A^{n−i} ε_i, A = I − hH",
    hypotheses="L is quadratic, so that H is symmetric, and h is arbitrary.",
    rows=(
        Row(
            49,
            "Section 3.2, one gradient update",
            "WRONG",
            quote="Using gradient approximation (3) we have that a single gradient update is given in a form very "
            "similar to that of the previous example: T_i(θ) = θ − h(g(θ) − ε_i) ≃ θ* + (1 − hH)(θ* − θ) + hε_i "
            "where H denotes the Hessian evaluated at the minimum θ*.",
            why="The sign of θ* − θ is reversed; the later formulas have the right one.",
            correct="θ* + (1 − hH)(θ − θ*) + hε_i.",
            severity="typo",
        ),
        Row(52, "Section 3.2, forward and backward sums", "OK"),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    derivation="proofs/symbolic/linearized_sgd.py:backward_by_induction",
    test="tests/theory/statements/section_3/test_linearized_sgd.py",
)
