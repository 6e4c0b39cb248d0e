"""Section 2.1, last paragraph: contraction near minima is enough only on a set that the maps do not leave.

Problem
    The maps T_i are k-Lipschitz on the closed ball B(θ_0, r), and arbitrary outside it, with d(θ_0, T_i θ_0) ≤ (1−k) r.
Guarantee (Upper, attained)
    The ball is invariant, d(θ_0, θ_n) ≤ (1 − k^n) r, and d(θ*, θ_n) ≤ k^n r. Both are equalities for T_i x = kx + (1−k)
    r at 0. The condition on the displacement is needed: T x = x/2 + 6/10 contracts on [−1, 1] and leaves it.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from contraction.maps.iterates import backward_iterates
from contraction.maps.operators import Operators
from contraction.statements import comparisons
from contraction.statements.cases.random_contractions import draw, spread
from contraction.statements.records import Row, Statement, Tier, Verdict

ROWS = (32,)
NAME = "invariant_ball"


def expanding_outside(T, theta0: NDArray, radius: float, norm: float | None):
    """Return the map T on the ball of the radius, x -> θ_0 + 10 (x - θ_0) outside."""

    def wild(x: NDArray) -> NDArray:
        inside = np.linalg.norm(x - theta0, ord=norm, axis=-1, keepdims=True) <= radius
        return np.where(inside, T(x), theta0 + 10 * (x - theta0))

    return wild


def check(kind: str, k: float, r: float, dim: int, n: int, seed: int) -> Verdict:
    """Compare distances to θ_0 and to θ* along backward iterates with the bounds.

    The kind "extremal" is the case of equality, in Fractions.

    Drawn maps contract on the ball of radius r + rounding and expand tenfold outside, so one step out of it shows.
    """
    note, at = f"{kind}, k={k}, r={r}, dim={dim}, n={n}", spread(n)
    if kind == "extremal":
        k_, r_ = Fraction(k), Fraction(r)
        T = Operators.from_maps([lambda x: np.where(abs(x) <= r_, k_ * x + (1 - k_) * r_, 10 * x)] * n)
        rows = backward_iterates(T, np.array([Fraction(0)]), at=at)[:, 0]
        measured, claimed = [*rows, *(r_ - x for x in rows)], [(1 - k_**j) * r_ for j in at]
        hypotheses = "d(θ_0, T_iθ_0) ≤ (1−k) r."
        return comparisons.equal(
            NAME, ROWS, measured, [*claimed, *(k_**j * r_ for j in at)], hypotheses=hypotheses, note=note
        )
    drawn = draw(kind, k, (1 - k) * r, dim, n, seed, reach=0.0)
    rounding, norm = drawn.rounding(n), np.inf if kind == "maxima" else None
    wild = [expanding_outside(T, drawn.theta0, r + rounding, norm) for T in drawn.operators]
    tame_limit = drawn.limit_and_iterates([0])[0]
    rows = backward_iterates(Operators.from_maps(wild, space=drawn.space), drawn.theta0, at=at)
    powers = float(k) ** np.array(at)
    measured = [*drawn.distance(rows, drawn.theta0), *drawn.distance(rows, tame_limit)]
    return Verdict.upper(
        NAME,
        ROWS,
        measured,
        [*((1 - powers) * r), *(powers * r)],
        rounding=rounding,
        seed=seed,
        hypotheses="d(θ_0, T_iθ_0) ≤ (1−k) r.",
        note=note,
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: vector kinds and the equality; k from 0 to 1 - 2^-30, small and large balls."""
    for k in (0.0, 0.5, 0.99, 1 - 2.0**-30):
        for kind in ("reflection", "sine", "threshold", "aligned", "maxima", "extremal"):
            for r in (1e-3, 1.0, 1e4):
                yield {
                    "kind": kind,
                    "k": k,
                    "r": r,
                    "dim": int(rng.integers(1, 51)),
                    "n": int(rng.integers(1, 60)),
                    "seed": int(rng.integers(2**31)),
                }


def check_printed(n: int = 20, shift: Fraction = Fraction(6, 10)) -> Verdict:
    """Check that a step of a loss that is strongly convex on [-1, 1] only, x/2 + 6/10 there, leaves it and diverges."""
    half, edge = Fraction(1, 2), Fraction(1)
    T = Operators.from_maps([lambda x: np.where(abs(x) <= edge, half * x + shift, 3 * x)] * n)
    rows = backward_iterates(T, np.array([Fraction(0)]))[:, 0]
    exits = half * edge + shift > edge and shift > (1 - half) * edge
    holds = exits and max(rows) > edge and all(b > 2 * a for a, b in pairwise(rows[5:]))
    return Verdict(
        NAME,
        ROWS,
        "refuted",
        holds,
        float(rows[-1]),
        float(edge),
        hypotheses="The map contracts only on [−1, 1].",
        note=f"backward iterate θ_{n} and the edge of the region where x/2 + .6 contracts; T(0) = .6 > (1−k) r = .5",
    )


STATEMENT = Statement(
    name=NAME,
    paper=("Section 2.1",),
    claim="d(θ_0, T_iθ_0) ≤ (1−k) r keeps B(θ_0, r) invariant; then d(θ*, θ_n) ≤ k^n r",
    hypotheses="The T_i are k-Lipschitz on the closed ball B(θ_0, r), and d(θ_0, T_iθ_0) ≤ (1−k) r.",
    rows=(
        Row(
            32,
            "Section 2.1, last paragraph",
            "HYP",
            quote="Now if we suppose that batch losses L_i's are strictly convex (possibly near global minima), then "
            "Lemma 2.5 tells us that the SGD maps T_i(θ) = θ − h∇L_i(θ) are uniform contractions. Thus we can apply "
            "Theorem 2.2 and see that the sequence of backward iterates, θ_n = T_1T_2 ⋯ T_n(θ), converges to a "
            "point.",
            why="Theorem 2.2 needs one k for all maps and condition (2). If the losses are strongly convex only near "
            "a minimum, the iterates may also leave the region where the maps contract.",
            correct="All L_i have the same m and M, (2) holds, and the region is not left: for a ball B(θ_0, r) on "
            "which the maps contract, d(θ_0, T_iθ_0) ≤ (1 − k) r is enough.",
            severity="repairable",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    test="tests/theory/statements/section_2/test_invariant_ball.py",
)
