"""Section 1: the first and second iterates of SGD in both orders, written out in gradients.

Problem
    The maps are SGD steps, T_i θ = θ − h g_i(θ), where g_i is the gradient of the loss of batch i.
Guarantee (Exact)
    The first iterate is θ − h g_1(θ) in both orders. The second iterates are
        T_2 T_1 θ = θ − h g_1(θ) − h g_2(θ − h g_1(θ)) in the forward order,
        T_1 T_2 θ = θ − h g_2(θ) − h g_1(θ − h g_2(θ)) in the backward order.
    The check computes them in integers and Fractions for the gradients Hθ + cθ³ + a of quartic losses, with H
    symmetric.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from contraction.maps.iterates import iterates
from contraction.maps.operators import Operators
from contraction.maps.orders import Backward, Forward
from contraction.statements import comparisons
from contraction.statements.records import Row, Statement, Tier, Verdict

ROWS = (1,)

Gradient = Callable[[NDArray], NDArray]


def quartic_gradient(rng: np.random.Generator, dim: int) -> Gradient:
    """Gradient of θ^T H θ/2 + c sum θ_j^4/4 + a θ with integer coefficients, on exact points."""
    half = rng.integers(-3, 4, (dim, dim))
    H, c, a = (half + half.T).astype(object), int(rng.integers(-2, 3)), rng.integers(-5, 6, dim).astype(object)
    return lambda theta: theta @ H + c * theta**3 + a


def displayed(g1: Gradient, g2: Gradient, h: Fraction, theta: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Return the right sides of Section 1: the common first iterate, T_2 T_1 θ and T_1 T_2 θ."""
    forward = theta - h * g1(theta) - h * g2(theta - h * g1(theta))
    backward = theta - h * g2(theta) - h * g1(theta - h * g2(theta))
    return theta - h * g1(theta), forward, backward


def check(h: Fraction, dim: int, seed: int) -> Verdict:
    """Compare iterates 1 and 2 of the package's two orders with the displays, at a drawn rational point."""
    rng = np.random.default_rng([seed, dim])
    g1, g2 = quartic_gradient(rng, dim), quartic_gradient(rng, dim)
    theta = np.array([Fraction(int(v), 3) for v in rng.integers(-20, 21, dim)])
    operators = Operators.from_maps([lambda x: x - h * g1(x), lambda x: x - h * g2(x)])
    forward, backward = (iterates(operators, theta, order, at=[1, 2]) for order in (Forward(), Backward()))
    first, second_forward, second_backward = displayed(g1, g2, h, theta)
    return comparisons.equal(
        "two_step_sgd",
        ROWS,
        [forward[0], backward[0], forward[1], backward[1]],
        [first, first, second_forward, second_backward],
        seed=seed,
        hypotheses="The gradients and h are arbitrary.",
        note=f"h={h}, dim={dim}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: h = 0, small, 1, large and negative; dimensions 1 to 50."""
    for h in (Fraction(0), Fraction(1, 1000), Fraction(1), Fraction(7, 2), Fraction(-1, 10)):
        for dim in (1, 2, 7, *([50] if tier == "thorough" or h == 1 else [])):
            yield {"h": h, "dim": dim, "seed": int(rng.integers(2**31))}


STATEMENT = Statement(
    name="two_step_sgd",
    paper=("Section 1",),
    claim="T_2T_1θ = θ − h∇L_1(θ) − h∇L_2(θ − h∇L_1(θ)); T_1T_2θ is the same with 1 and 2 exchanged",
    hypotheses="The losses are differentiable, and h is arbitrary.",
    rows=(Row(1, "Section 1, second iterates of SGD", "OK"),),
    check=check,
    cases=cases,
    derivation="proofs/symbolic/quadratic_sgd.py:first_words",
    test="tests/theory/statements/section_1/test_two_step_sgd.py",
)
