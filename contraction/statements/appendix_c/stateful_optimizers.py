"""Appendix C, "any optimizer of the form θ + hV_i(θ)": what that form excludes.

Problem
    The heavy ball method acts on the state (θ, v) by v ← βv − V_i(θ), θ ← θ − hv. For β = 0 it is the step θ + hV_i(θ).
    Adam (Kingma and Ba, 2015) acts on (θ, m, v, t) by m ← β1 m + (1−β1) g, v ← β2 v + (1−β2) g², t ← t + 1, θ ← θ − h
    (m/(1−β1^t)) / (√(v/(1−β2^t)) + ε).
Guarantee (Exact for heavy ball in rationals; the library's `HeavyBall` and Adam within derived rounding)
    At h = 0 a heavy ball step is the identity on θ, but it moves the state by (0, (β−1)v − V_i(θ)), so it is not of the
    form 1 + hW. From v = 0, T_1T_2 − T_2T_1 on θ is hβ(V_2 − V_1) + O(h²): with momentum, the two orders differ already
    at order h.
    From rest and on linear losses with the gradients a and b, the difference T_1T_2 − T_2T_1 of Adam on θ is exactly h
    [s(a) − s(b) + r(a, b) − r(b, a)], where s(g) = g/(|g| + ε), r(x, y) = (β1 x + y)/(1+β1) / (√((β2 x² + y²)/(1+β2)) +
    ε), and x is the first gradient.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Literal

import numpy as np

from contraction.families import HeavyBall, TwoPoint
from contraction.maps.rounding import gamma
from contraction.statements import comparisons
from contraction.statements.records import Row, Statement, Tier, Verdict

NAME, ROWS = "stateful_optimizers", (55,)

State = tuple[Fraction, Fraction]
Pair = tuple[Fraction, Fraction]
AdamState = tuple[float, float, float, int]


def heavy_ball(state: State, slope: Fraction, target: Fraction, beta: Fraction, h: Fraction) -> State:
    """One step on the loss slope·(θ − target)²/2, V = −slope·(θ − target)."""
    theta, v = state
    v = beta * v + slope * (theta - target)
    return theta - h * v, v


def library_difference(
    slopes: Pair, targets: Pair, beta: Fraction, theta: Fraction, h: Fraction
) -> tuple[float, float]:
    """T_1T_2 − T_2T_1 on θ from rest by `families.HeavyBall`, whose state is (θ_t, θ_{t−1}), and its rounding.

    Rounding: a step commits at most γ(16) G S, G = 1 + 2β + |h| max|slope| its growth, S = |θ| + max|target| + 1 the
    size; the second step enlarges by G: γ(64) G² S for each of the two words.
    """
    families = [HeavyBall(float(s), float(h), float(beta), TwoPoint()) for s in slopes]
    forces = [np.array([float(s * t)]) for s, t in zip(slopes, targets, strict=True)]
    ends = []
    for word in ((0, 1), (1, 0)):  # outermost first
        state = np.full(2, float(theta))
        for i in reversed(word):
            state = families[i].apply(state, forces[i])
        ends.append(float(state[0]))
    growth = 1 + 2 * float(beta) + float(abs(h) * max(map(abs, slopes)))
    size = 1 + float(abs(theta) + max(map(abs, targets)))
    return ends[0] - ends[1], 2 * gamma(64) * growth**2 * size


def adam(state: AdamState, gradient: float, h: float, beta1: float, beta2: float, epsilon: float) -> AdamState:
    """One step of Adam on (θ, m, v, t), as published: t counts steps from 1."""
    theta, m, v, t = state
    m, v, t = beta1 * m + (1 - beta1) * gradient, beta2 * v + (1 - beta2) * gradient**2, t + 1
    corrected = math.sqrt(v / (1 - beta2**t)) + epsilon
    return theta - h * (m / (1 - beta1**t)) / corrected, m, v, t


def adam_coefficient(a: float, b: float, beta1: float, beta2: float, epsilon: float) -> float:
    """(T_1T_2 − T_2T_1)/h on θ from rest, gradients a of T_1 and b of T_2, with the bias corrections written out."""

    def second(x: float, y: float) -> float:
        v = (beta2 * x**2 + y**2) / (1 + beta2)
        return (beta1 * x + y) / (1 + beta1) / (math.sqrt(v) + epsilon)

    # T_1T_2 takes b, then a: −s(b) − r(b, a); the other order −s(a) − r(a, b)
    return a / (abs(a) + epsilon) - b / (abs(b) + epsilon) + second(a, b) - second(b, a)


def check_adam(a: float, b: float, beta1: float, beta2: float = 0.999, epsilon: float = 1e-8) -> Verdict:
    """Compare both orders of two Adam steps at h = 1 with the coefficient; and h = 0 moves the state, not θ.

    Rounding: 1 − β2 and 1 − β2^t are off by u/(1−β2) relatively, 1 − β1^t likewise, and |m̂|/√v̂ <= 3 for two gradients:
    four steps commit at most 4 · 3 · γ(16 + 4/(1−β2) + 4/(1−β1)).
    """
    ends = []
    for gradients in ((b, a), (a, b)):  # T_1T_2 applies T_2 first
        state: AdamState = (0.0, 0.0, 0.0, 0)
        for g in gradients:
            state = adam(state, g, 1.0, beta1, beta2, epsilon)
        ends.append(state[0])
    still = adam((0.0, 0.0, 0.0, 0), a, 0.0, beta1, beta2, epsilon)
    moves = still[0] == 0.0 and still[3] == 1 and (still[2] > 0) == (a * a * (1 - beta2) > 0)
    rounding = 12 * gamma(16 + 4 / (1 - beta2) + 4 / (1 - beta1))
    verdict = Verdict.tight(
        NAME,
        ROWS,
        ends[0] - ends[1],
        adam_coefficient(a, b, beta1, beta2, epsilon),
        rounding=rounding,
        part="Adam",
        hypotheses="Adam starts from rest, and the losses are linear.",
        note=f"gradients {a}, {b}, β1={beta1}, β2={beta2}, ε={epsilon}",
    )
    return verdict if moves else replace(verdict, holds=False, part="Adam at h = 0")


def check(
    slopes: Pair,
    targets: Pair,
    beta: Fraction,
    theta: Fraction,
    optimizer: Literal["heavy ball", "Adam"] = "heavy ball",
) -> Verdict:
    """Compare the state's displacement at h = 0, and the coefficient of h in the difference of the two orders.

    Heavy ball: θ is a polynomial of degree 2 in h for two linear maps, so three values of h give its coefficients
    exactly in Fractions; the library's family must give the same differences. Adam: `check_adam` with the gradients at
    θ and β1 = 9β/10.
    """
    fields = [-s * (theta - t) for s, t in zip(slopes, targets, strict=True)]
    if optimizer == "Adam":
        return check_adam(-float(fields[0]), -float(fields[1]), float(beta) * 0.9)
    v0 = Fraction(3, 2)
    moved = heavy_ball((theta, v0), slopes[0], targets[0], beta, Fraction(0))

    def difference(h: Fraction) -> Fraction:
        ends = []
        for word in ((0, 1), (1, 0)):  # outermost first
            state = (theta, Fraction(0))
            for i in reversed(word):
                state = heavy_ball(state, slopes[i], targets[i], beta, h)
            ends.append(state[0])
        return ends[0] - ends[1]

    agrees = []
    for h in (Fraction(1, 4), Fraction(1), Fraction(2)):
        result, rounding = library_difference(slopes, targets, beta, theta, h)
        agrees.append(int(abs(result - float(difference(h))) <= rounding))
    first = (4 * difference(Fraction(1)) - difference(Fraction(2)) - 3 * difference(Fraction(0))) / 2
    return comparisons.equal(
        NAME,
        ROWS,
        [moved[0] - theta, moved[1] - v0, difference(Fraction(0)), first, *agrees],
        [0, (beta - 1) * v0 - fields[0], 0, beta * (fields[1] - fields[0]), 1, 1, 1],
        parts=("θ at h = 0", "v at h = 0", "orders at h = 0", "orders at first order", *["families.HeavyBall"] * 3),
        hypotheses="The optimizer is heavy ball, and the losses are quadratic.",
        note=f"beta={beta}, slopes={slopes}, targets={targets}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: two quadratic losses and a momentum in [0, 1), all rational; beta = 0 among them."""
    for k in range(10 if tier == "standard" else 100):
        case: dict[str, object] = {
            "slopes": (Fraction(int(rng.integers(1, 9)), 4), Fraction(int(rng.integers(1, 9)), 3)),
            "targets": (Fraction(int(rng.integers(-9, 0)), 5), Fraction(int(rng.integers(1, 9)), 5)),
            "beta": Fraction(k % 10, 10),
            "theta": Fraction(int(rng.integers(-9, 9)), 7),
        }
        yield case
        yield case | {"optimizer": "Adam"}


def check_printed(beta: Fraction = Fraction(9, 10)) -> Verdict:
    """Check that the orders differ at order h with momentum, whose steps are not of the printed form θ + hV.

    Measured is β(V_2 − V_1), claimed the 0 of the printed form. The library's heavy ball must give it at h = 2^-20
    up to the term of order h² over h, h |H_1H_2(t_1 − t_2)| with curvatures 1, 2 and minima −1, 1: below 8 h.
    """
    slopes, targets, h = (Fraction(1), Fraction(2)), (Fraction(-1), Fraction(1)), Fraction(1, 2**20)
    verdict = check(slopes, targets, beta, Fraction(0))
    coefficient = beta * (2 - (-1))
    result, rounding = library_difference(slopes, targets, beta, Fraction(0), h)
    near = abs(result / float(h) - float(coefficient)) <= 8 * float(h) + rounding / float(h)
    return Verdict(
        NAME,
        ROWS,
        "beyond",
        bool(verdict) and near and coefficient != 0,
        float(coefficient),
        0.0,
        note=f"heavy ball with β={beta}: the coefficient of h in T_1T_2 − T_2T_1 is {coefficient}, not 0",
    )


STATEMENT = Statement(
    name=NAME,
    paper=("Appendix C, scope",),
    claim="heavy ball: T_1T_2 − T_2T_1 = hβ(V_2 − V_1) + O(h²) on θ from rest; at h = 0 a step is not 1",
    hypotheses="Heavy ball acts on (θ, v) and starts from v = 0; Adam starts from rest.",
    rows=(
        Row(
            55,
            "Appendix C, the form of the optimizer",
            "OK",
            quote="Our approximation is valid for any optimizer of the form T_i(θ) = θ + hV_i(θ), where V_i(θ) is a "
            "random vector field on the parameter space depending on the randomly sampled batch of data B_i.",
            beyond="Optimizers with a state, such as momentum and Adam, are not of this form: at h = 0 their state "
            "map is not the identity. With momentum the two orders already differ at order h.",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    test="tests/theory/statements/appendix_c/test_stateful_optimizers.py",
)
