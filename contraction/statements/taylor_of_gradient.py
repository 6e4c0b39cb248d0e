"""Section 3.2, equation (3): the gradient near a minimum is the Hessian's linear map, up to a second-order remainder.

Problem
    L with minimum theta*, x = theta - theta*; g = grad L, H the Hessian at theta*.
Guarantee (Upper)
    |g(theta) - H x| <= M |x|²/2 with M a Lipschitz constant of the Hessian; 0 if L is quadratic. For a cubic
    L = x·Hx/2 + C[x, x, x]/6 the remainder is exactly C[x, x]/2, and M = |C| (Frobenius).
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contraction.statements._base import Row, Statement, Tier, Verdict
from contraction.statements._finite import random_fraction

NAME, ROWS = "taylor_of_gradient", (48,)


def loss(H: Any, C: Any, x: Any) -> Fraction:
    """x·Hx/2 + C[x, x, x]/6 at x, exactly."""
    return (x @ H @ x) / 2 + (((C @ x) @ x) @ x) / 6


def gradient(H: NDArray, C: NDArray, x: NDArray) -> NDArray:
    """The gradient by the five-point formula on values of the loss, exact for polynomials up to degree four."""
    out = np.empty(len(x), dtype=object)
    for a in range(len(x)):
        e = np.array([Fraction(int(a == b)) for b in range(len(x))], dtype=object)
        near, far = (loss(H, C, x + s * e) - loss(H, C, x - s * e) for s in (1, 2))
        out[a] = (8 * near - far) / 12
    return out


def check(H: Any, C: Any, theta_star: Any, theta: Any) -> Verdict:
    """Compare |g(theta) - H (theta - theta*)|² with |C|² |theta - theta*|⁴ / 4, in rationals."""
    H, C = np.array(H, dtype=object), np.array(C, dtype=object)
    x = np.array(theta, dtype=object) - np.array(theta_star, dtype=object)
    remainder = gradient(H, C, x) - H @ x
    measured = remainder @ remainder
    claimed = Fraction(np.sum(C * C)) * (x @ x) ** 2 / 4
    return Verdict(
        NAME, ROWS, "upper", measured <= claimed, float(measured) ** 0.5, float(claimed) ** 0.5,
        hypotheses="Hessian M-Lipschitz near θ*; equality if L is quadratic", note=f"d={len(x)}",
    )  # fmt: skip


def symmetric(rng: np.random.Generator, d: int, order: int) -> NDArray:
    """A random symmetric tensor with integer entries."""
    out = np.zeros((d,) * order, dtype=object)
    for index in np.ndindex(*out.shape):
        if list(index) == sorted(index):
            value = Fraction(int(rng.integers(-4, 5)))
            for place in {tuple(np.array(index)[list(p)]) for p in _permutations(order)}:
                out[place] = value
    return out


def _permutations(order: int) -> list[tuple[int, ...]]:
    return [(0, 1), (1, 0)] if order == 2 else [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Dimensions 1 to 4; quadratic losses (remainder 0), cubic ones, and d = 1 where the bound is attained."""
    for k in range(12 if tier == "standard" else 100):
        d = int(rng.integers(1, 5))
        C = symmetric(rng, d, 3) * (k % 3 > 0)
        points = [[random_fraction(rng, -3, 3) for _ in range(d)] for _ in range(2)]
        yield {"H": symmetric(rng, d, 2), "C": C, "theta_star": points[0], "theta": points[1]}


STATEMENT = Statement(
    name=NAME,
    paper=("Section 3.2",),
    claim="|g(θ) − H(θ−θ*)| ≤ M|θ−θ*|²/2",
    hypotheses="g(θ*) = 0, Hessian M-Lipschitz near θ*",
    rows=(Row(48, "Section 3.2, equation (3)", "OK"),),
    check=check,
    cases=cases,
    test="tests/theory/test_taylor_of_gradient.py",
)
