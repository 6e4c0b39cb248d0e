"""Section 3.2, the noise model: additive noise, independent of the parameter, is a model that batches do not satisfy.

Problem
    Least squares with the batches L_i(θ) = (x_i·θ − y_i)²/2, each drawn with the probability 1/N. Let g be the mean of
    the gradients g_i, ε_i(θ) = g(θ) − g_i(θ), θ* a minimum of the mean loss, H_i = x_i x_iᵀ, and H their mean.
Guarantee (Tight: the library's maps in floats against rationals)
    The mean of the ε_i is 0, and ε_i(θ) = ε_i(θ*) + (H − H_i)(θ − θ*), so the noise is independent of θ if and only if
    all H_i are equal. In the additive model every map moves θ* by hε_i, so that E|T θ* − θ*|² = h² E|ε|², whereas
    Remark 2.3 demands that no map moves it. Both together leave only ε = 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from contraction.families import LeastSquares, LinearizedSGD, TwoPoint
from contraction.maps.rounding import gamma
from contraction.statements.cases.exact_words import random_fraction
from contraction.statements.records import Row, Statement, Tier, Verdict
from contraction.types import Numbers

NAME, ROWS = "noise_model", (53,)


def noises(x: NDArray, y: NDArray, theta: NDArray) -> NDArray:
    """eps_i(θ) for every batch, shape (N, d), from the residuals."""
    gradients = x * (x @ theta - y)[:, None]
    return gradients.sum(axis=0) / Fraction(len(x)) - gradients


def power(eps: NDArray) -> Fraction:
    """E |eps|² over the batches."""
    return Fraction(np.sum(eps * eps)) / len(eps)


def paired_data(x: Numbers, theta_star: Numbers, labels: Numbers) -> tuple[NDArray, NDArray, NDArray]:
    """Batches in pairs with labels x·θ* + r and x·θ* - r: θ* minimises the mean loss, whatever the r."""
    x, star = np.array(x, dtype=object), np.array(theta_star, dtype=object)
    r = np.array(labels, dtype=object)
    return np.concatenate([x, x]), np.concatenate([x @ star + r, x @ star - r]), star


def noises_of_maps(x: NDArray, y: NDArray, theta: NDArray, h: float) -> tuple[NDArray, float]:
    """eps_i(θ) from the maps of `LeastSquares` alone, (T_i θ - mean T θ)/h, and its rounding.

    Rounding: a step rounds d + 8 times relative to S = |θ| + h max |x_i| (|x_i·θ| in absolute values + |y_i|),
    data and point included; the mean over N and the quotient by h add N + 4, the difference doubles all of it.
    """
    X, Y, point = (np.asarray(a, dtype=float) for a in (x, y, theta))
    family = LeastSquares(X, Y, h)
    draws = np.stack([np.array([[i], [0.0]]) for i in range(len(X))])
    moved = np.stack([family.apply(point, draw) for draw in draws])
    S = np.max(np.abs(point)) + h * np.max(np.abs(X)) * np.max(np.abs(X) @ np.abs(point) + np.abs(Y))
    return (moved - moved.mean(axis=0)) / h, 2 * gamma(len(point) + len(X) + 12) * float(S) / h


def additive_noises(H: NDArray, star: NDArray, theta: NDArray, h: float) -> NDArray:
    """Return h eps, (2, d), of the two maps of the additive model at θ.

    It is what `LinearizedSGD` adds to its mean step.
    """
    family = LinearizedSGD(np.asarray(star, dtype=float), np.asarray(H, dtype=float), h, TwoPoint(-1, 1))
    moved = np.stack([family.apply(np.asarray(theta, dtype=float), sign * np.ones(len(star))) for sign in (-1.0, 1.0)])
    return moved - moved.mean(axis=0)


def check(x: Numbers, theta_star: Numbers, labels: Numbers, theta: Numbers, h: Fraction) -> Verdict:
    """Compare the noise of `LeastSquares` with the decomposition in rationals, at θ and at θ*.

    Parts, each within its rounding: the noise at θ; at θ*, where it is -r_i x_i and its strength E r²|x|², 0
    without label noise r (Remark 2.3); and the library's additive family, whose noise is h eps at both points.
    Measured and claimed are E|eps(θ)|² of the maps and of the decomposition.
    """
    x, y, star = paired_data(x, theta_star, labels)
    theta, rate = np.array(theta, dtype=object), float(h) or 1.0
    r = np.array([*labels, *[-one for one in labels]], dtype=object)
    at_star = x * r[:, None]  # -(x·theta* - y) x with y = x·theta* + r, whose mean over each pair is 0
    H_i = x[:, :, None] * x[:, None, :]
    H = H_i.sum(axis=0) / Fraction(len(x))
    expected = at_star + np.stack([(H - one) @ (theta - star) for one in H_i])
    exact = bool(np.all(noises(x, y, theta) == expected)) and not np.any(expected.sum(axis=0))
    apart = []
    for point, claimed in ((theta, expected), (star, at_star)):
        result, rounding = noises_of_maps(x, y, point, rate)
        apart.append(float(np.max(np.abs(result - claimed.astype(float)))) <= rounding)
    size = 1 + float(np.max(np.abs(H))) * rate
    for point in (theta, star):
        reach = size * (1 + float(np.max(np.abs(point.astype(float)))) + float(np.max(np.abs(star.astype(float)))))
        result = additive_noises(H, star, point, rate)
        apart.append(bool(np.all(np.abs(np.abs(result) - rate) <= gamma(4 * len(star) + 20) * len(star) * reach)))
    strength = power(at_star) == Fraction(np.sum(r * r * np.sum(x * x, axis=1))) / len(x)
    names = ("maps at θ", "maps at θ*", "additive family at θ", "additive family at θ*", "rationals", "strength at θ*")
    wrong = [name for name, right in zip(names, (*apart, exact, strength), strict=True) if not right]
    measured = float(np.mean(np.sum(noises_of_maps(x, y, theta, rate)[0] ** 2, axis=1)))
    return Verdict(
        NAME,
        ROWS,
        "tight",
        not wrong,
        measured,
        float(power(expected)),
        part=wrong[0] if wrong else "",
        hypotheses="The losses are those of least squares with one row per batch.",
        note=f"{len(x)} batches, d={len(star)}: E|ε(θ*)|² = {power(at_star)}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: 1 to 4 pairs of batches in dimensions 1 to 3, with and without label noise."""
    for k in range(12 if tier == "standard" else 100):
        m, d = int(rng.integers(1, 5)), int(rng.integers(1, 4))
        yield {
            "x": [[random_fraction(rng, -2, 2, 3) for _ in range(d)] for _ in range(m)],
            "theta_star": [random_fraction(rng, -2, 2) for _ in range(d)],
            "labels": [random_fraction(rng, -1, 1) * (k % 3 > 0) for _ in range(m)],
            "theta": [random_fraction(rng, -3, 3) for _ in range(d)],
            "h": random_fraction(rng, 0, 2),
        }


def check_printed(x: Numbers = ((1,), (2,)), labels: Numbers = (1, 1), away: Fraction = Fraction(3)) -> Verdict:
    """Compare E|eps|² at a parameter away from θ* = 0 (measured) with that at θ* (claimed)."""
    x, y, star = paired_data(x, [0] * len(x[0]), labels)
    here, there = power(noises(x, y, star + away)), power(noises(x, y, star))
    return Verdict(
        NAME,
        ROWS,
        "beyond",
        here != there,
        float(here),
        float(there),
        note=f"least squares: E|ε|² is {float(there):.6g} at θ* and {float(here):.6g} at distance {away} from it",
    )


STATEMENT = Statement(
    name=NAME,
    paper=("Section 3.2",),
    claim="g − g_i = ε_i + (H − H_i)(θ − θ*): additive noise ⇔ equal H_i; with Remark 2.3 also ε_i = 0",
    hypotheses="The losses are those of least squares.",
    rows=(
        Row(
            53,
            "Section 3.2, the model of the noise",
            "OK",
            quote="We can model this stochastic gradient as follows: g_i(x) = g(x) − ε_i, where we assume that the "
            "differences ε_i = g(x) − g_i(x) are i.i.d random vectors with zero mean.",
            beyond="This model and Remark 2.3 exclude each other unless ε_i = 0, because ε_i vanishes at a common "
            "zero of the losses. For batches of a data set, the noise depends on the parameter unless all batch "
            "Hessians are equal.",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    test="tests/theory/statements/section_3/test_noise_model.py",
)
