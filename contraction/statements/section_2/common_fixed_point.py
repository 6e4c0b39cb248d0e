"""Remark 2.3: condition (2) by a common zero of the losses, and what that assumption leaves of the theorem.

Problem
    The maps are T_i θ = θ − h∇L_i(θ). Each loss L_i ≥ 0 is m-strongly convex with an M-Lipschitz gradient and L_i(p) =
    0, and k = max(|1−hm|, |1−hM|) < 1.
Guarantee (Upper, attained)
    T_i p = p for all i, so |T_n…T_1 θ − p| and |T_1…T_n θ − p| are both at most k^n |θ − p|, with equality for m = M.
    The forward iterates converge to the same point at the same rate.
    Without a common zero, d(θ, T_i θ) = h|∇L_i(θ)|. So for finitely many batches (2) holds at every θ, with D = h max_i
    |∇L_i(θ)|.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from contraction.maps.iterates import backward_iterates, forward_iterates
from contraction.maps.operators import Operators
from contraction.maps.rounding import gamma, iterate_rounding
from contraction.statements.cases.random_contractions import spread
from contraction.statements.records import Row, Statement, Tier, Verdict

ROWS = (23, 24, 25)
NAME = "common_fixed_point"


def drawn_gradient(rng: np.random.Generator, center: NDArray, m: float, M: float) -> Callable[[NDArray], NDArray]:
    """Gradient Q phi(Q y), y = θ - center, of sum phi_j: phi' = m + (M - m) s(t) with s a tanh, a ramp or 1.

    phi(t) = m t + (M - m) tanh(t), m t + (M - m) clip(t, -1, 1), m t or M t, a coordinate each; Q a reflection.
    """
    dim = len(center)
    v = rng.standard_normal(dim)
    v /= np.linalg.norm(v)
    choice = rng.integers(0, 4, dim)

    def gradient(theta: NDArray) -> NDArray:
        y = theta - center
        t = y - 2 * (y @ v)[..., None] * v
        bend = np.choose(choice, [np.tanh(t), np.clip(t, -1, 1), 0 * t, t])
        w = m * t + (M - m) * bend
        return w - 2 * (w @ v)[..., None] * v

    return gradient


def check(m: float, M: float, h: float, dim: int, n: int, seed: int, reach: float = 1.0) -> Verdict:
    """Compare both orders with k^n |θ - p|; and the displacement at a start of no meaning against h max |grad L_i|.

    Rounding: a step commits gamma(12 dim + 60) relative to |p| + |y| + h M |y| with |y| <= reach.

    Raises
    ------
    ValueError
        If the steps expand.
    """
    rng = np.random.default_rng([seed, dim, n])
    center = rng.uniform(-5, 5, dim)
    gradients = [drawn_gradient(rng, center, m, M) for _ in range(n)]
    operators = Operators.from_maps([lambda x, g=g: x - h * g(x) for g in gradients])
    direction = rng.standard_normal(dim)
    theta = center + reach * direction / np.linalg.norm(direction)
    at = spread(n)
    k = max(abs(1 - h * m), abs(1 - h * M))
    if not k <= 1:
        raise ValueError(f"the steps must not expand, got k = {k}")
    claimed = np.linalg.norm(theta - center) * k ** np.array(at)
    forward = np.linalg.norm(forward_iterates(operators, theta, at) - center, axis=-1)
    backward = np.linalg.norm(backward_iterates(operators, theta, at) - center, axis=-1)
    fixed = np.array([np.linalg.norm(T(center) - center) for T in operators])
    moved = max(np.linalg.norm(T(theta) - theta) for T in operators)
    bound = abs(h) * max(np.linalg.norm(g(theta)) for g in gradients)
    scale = float(np.linalg.norm(center)) + reach * (2 + abs(h) * M)
    rounding = iterate_rounding(k, n, scale, 12 * dim + 60) + gamma(12 * dim + 60) * scale
    return Verdict.upper(
        NAME,
        ROWS,
        [*forward, *backward, *fixed, moved, bound],
        [*claimed, *claimed, *(0 * fixed), bound, moved],
        rounding=rounding,
        seed=seed,
        hypotheses="T_i p = p for all i, and the maps have a common factor k ≤ 1.",
        note=f"m={m}, M={M}, h={h}, dim={dim}, n={n}, reach={reach}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: m = M (equality), conditioned 10 and 1e6; h over (0, 2/M] with its edges; starts up to 1e6 away."""
    for m, M in ((1.0, 1.0), (1.0, 10.0), (1e-6, 1.0)):
        for h in (0.0, 0.1 / M, 2 / (m + M), 1.9 / M, 2 / M):
            for reach in (1.0, 1e6):
                yield {
                    "m": m,
                    "M": M,
                    "h": h,
                    "dim": int(rng.integers(1, 51)),
                    "n": int(rng.choice([5, 50, 200])),
                    "seed": int(rng.integers(2**31)),
                    "reach": reach,
                }


def check_printed(slip: str) -> Verdict:
    """Check one slip: "h" or "positive" losses (rows 23 and 24), or "no distinction" (row 25, which is true)."""
    if slip == "h":
        slope, h, theta = Fraction(4), Fraction(1, 10), Fraction(1)  # L = 2 theta^2
        printed, step = theta - slope * theta, theta - h * slope * theta
        holds = printed != step and abs(printed) > 1 > abs(step)
        return Verdict(
            NAME, (23,), "refuted", holds, float(step), float(printed), note="one step from θ = 1 for L = 2θ², h = .1"
        )
    if slip == "positive":
        losses = [Fraction(1, 3), Fraction(2, 7), Fraction(1, 10**9)]
        mean = sum(losses, Fraction(0)) / len(losses)
        return Verdict(
            NAME,
            (24,),
            "refuted",
            min(losses) > 0 and mean > 0,
            float(mean),
            0.0,
            note="a mean of positive numbers does not vanish",
        )
    if slip == "no distinction":
        # a common zero: forward converges as backward does; distinct minima: (2) holds all the same
        verdict = check(0.5, 1.0, 1.0, 3, 60, seed=1)
        contrast = forward_still_moves()
        return Verdict(
            NAME,
            (25,),
            "beyond",
            verdict.holds and contrast,
            verdict.measured,
            verdict.claimed,
            note="with a common zero forward converges too; without one (2) holds and only backward converges",
        )
    raise ValueError(f"slip must be h, positive or no distinction, got {slip!r}")


def forward_still_moves(n: int = 40) -> bool:
    """Whether forward iterates of T_i x = x/2 + c_i/2, c alternating 0, 1, keep moving while backward ones settle."""
    maps = [lambda x, c=Fraction(i % 2): (x + c) / 2 for i in range(n)]
    operators, start = Operators.from_maps(maps), np.array([Fraction(0)])
    forward, backward = (f(operators, start, at=[n - 1, n])[:, 0] for f in (forward_iterates, backward_iterates))
    return abs(forward[1] - forward[0]) > Fraction(3, 10) and abs(backward[1] - backward[0]) <= Fraction(1, 2**n)


def printed_cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: the three slips."""
    yield from ({"slip": slip} for slip in ("h", "positive", "no distinction"))


STATEMENT = Statement(
    name=NAME,
    paper=("Remark 2.3",),
    claim="T_i p = p for all i: |T_n…T_1 θ − p| and |T_1…T_n θ − p| are both at most k^n |θ − p|",
    hypotheses="The T_i are k-Lipschitz and have a common fixed point p.",
    rows=(
        Row(
            23,
            "Remark 2.3, the operators",
            "TYPO",
            quote="For SGD, the operators are T_i(θ) = θ − ∇L_i(θ).",
            why="The learning rate is missing; the next formula has it.",
            correct="T_i(θ) = θ − h∇L_i(θ).",
            severity="typo",
        ),
        Row(
            24,
            "Remark 2.3, the losses",
            "TYPO",
            quote="We further assume that the L_i(θ) are positive and that there exists at least one point θ* where "
            "the full loss vanishes (which implies that L_i(θ*) = 0 for all i's).",
            why="The mean of positive losses is positive and does not vanish.",
            correct="“non-negative” in place of “positive”.",
            severity="typo",
        ),
        Row(
            25,
            "Remark 2.3, condition (2)",
            "LOOSE",
            quote="Now it is easy to see that condition in 2 is satisfied: d(θ*, T_i(θ*)) = ‖θ* − θ* − h∇L_i(θ*)‖ = "
            "0, since the global zero θ* is a critical point for all the L_i's.",
            beyond="This is true. If contractions share the fixed point θ*, their forward iterates converge to θ* as "
            "well, and at the same rate, so the setting of this remark does not separate the two orders. The "
            "assumption can be dropped: for finitely many batches (2) holds at every θ, for each D > h max_i "
            "‖∇L_i(θ)‖.",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    printed_cases=printed_cases,
    test="tests/theory/statements/section_2/test_common_fixed_point.py",
)
