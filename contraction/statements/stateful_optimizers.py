"""Appendix C, "any optimizer of the form θ + hV_i(θ)": what that form excludes.

Problem
    Heavy ball on the state (θ, v): v ← βv − V_i(θ), θ ← θ − hv; for β = 0 it is the step θ + hV_i(θ).
Guarantee (Exact)
    At h = 0 a step is the identity on θ, but moves the state by (0, (β−1)v − V_i(θ)), so it is not 1 + hW; and
    T_1T_2 − T_2T_1 on θ from v = 0 is hβ(V_2 − V_1) + O(h²): with momentum, orders part at h already.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from contraction.statements import _exact
from contraction.statements._base import Row, Statement, Tier, Verdict

NAME, ROWS = "stateful_optimizers", (55,)

State = tuple[Fraction, Fraction]


def heavy_ball(state: State, slope: Fraction, target: Fraction, beta: Fraction, h: Fraction) -> State:
    """One step on the loss slope·(θ − target)²/2, V = −slope·(θ − target)."""
    theta, v = state
    v = beta * v + slope * (theta - target)
    return theta - h * v, v


def check(
    slopes: tuple[Fraction, Fraction], targets: tuple[Fraction, Fraction], beta: Fraction, theta: Fraction
) -> Verdict:
    """The state's displacement at h = 0, and the coefficient of h of the two orders' difference, in Fractions.

    θ is a polynomial of degree 2 in h for two linear maps, so three values of h give its coefficients exactly.
    """
    v0 = Fraction(3, 2)
    moved = heavy_ball((theta, v0), slopes[0], targets[0], beta, Fraction(0))
    fields = [-s * (theta - t) for s, t in zip(slopes, targets, strict=True)]

    def difference(h: Fraction) -> Fraction:
        ends = []
        for word in ((0, 1), (1, 0)):  # outermost first
            state = (theta, Fraction(0))
            for i in reversed(word):
                state = heavy_ball(state, slopes[i], targets[i], beta, h)
            ends.append(state[0])
        return ends[0] - ends[1]

    first = (4 * difference(Fraction(1)) - difference(Fraction(2)) - 3 * difference(Fraction(0))) / 2
    return _exact.equal(
        NAME, ROWS, [moved[0] - theta, moved[1] - v0, difference(Fraction(0)), first],
        [0, (beta - 1) * v0 - fields[0], 0, beta * (fields[1] - fields[0])],
        hypotheses="heavy ball, quadratic losses", note=f"beta={beta}, slopes={slopes}, targets={targets}",
    )  # fmt: skip


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Two quadratic losses and a momentum in [0, 1), all rational; beta = 0 among them."""
    for k in range(10 if tier == "standard" else 100):
        yield {
            "slopes": (Fraction(int(rng.integers(1, 9)), 4), Fraction(int(rng.integers(1, 9)), 3)),
            "targets": (Fraction(int(rng.integers(-9, 0)), 5), Fraction(int(rng.integers(1, 9)), 5)),
            "beta": Fraction(k % 10, 10),
            "theta": Fraction(int(rng.integers(-9, 9)), 7),
        }


def check_printed(beta: Fraction = Fraction(9, 10)) -> Verdict:
    """Outside of the printed form θ + hV: with momentum the orders do not coincide at order h."""
    verdict = check((Fraction(1), Fraction(2)), (Fraction(-1), Fraction(1)), beta, Fraction(0))
    coefficient = beta * (2 - (-1))
    return Verdict(
        NAME, ROWS, "beyond", bool(verdict) and coefficient != 0, float(coefficient), 0.0,
        note=f"heavy ball with β={beta}: the coefficient of h in T_1T_2 − T_2T_1 is {coefficient}, not 0",
    )  # fmt: skip


STATEMENT = Statement(
    name=NAME,
    paper=("Appendix C, scope",),
    claim="heavy ball: T_1T_2 − T_2T_1 = hβ(V_2 − V_1) + O(h²) on θ from rest; its state map at h = 0 is not 1",
    hypotheses="heavy ball on (θ, v) from v = 0",
    rows=(
        Row(
            55, "Appendix C, the form of the optimizer", "OK",
            quote="Our approximation is valid for any optimizer of the form T_i(θ) = θ + hV_i(θ), where V_i(θ) is a "
            "random vector field on the parameter space depending on the randomly sampled batch of data B_i.",
            beyond="Optimizers with a state, such as momentum and Adam, are not of this form: at h = 0 their state "
            "map is not the identity. With momentum the two orders already differ at order h.",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    test="tests/theory/test_stateful_optimizers.py",
)  # fmt: skip
