"""Section 3.2, the noise model: additive noise, independent of the parameter, is a model and not what batches give.

Problem
    Least squares with batches L_i(theta) = (x_i·theta - y_i)²/2, each drawn with probability 1/N; g = mean of the g_i,
    eps_i(theta) = g(theta) - g_i(theta), theta* a minimum of the mean loss, H_i = x_i x_i^T, H their mean.
Guarantee (Exact)
    mean eps_i = 0 and eps_i(theta) = eps_i(theta*) + (H - H_i)(theta - theta*): independent of theta iff all H_i
    are equal. In the additive model every map moves theta* by h eps_i, E|T theta* - theta*|² = h² E|eps|²; Remark 2.3
    asks that no map moves it. Both together leave eps = 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contraction.families import LinearizedSGD, TwoPoint
from contraction.statements._base import Row, Statement, Tier, Verdict
from contraction.statements._finite import random_fraction

NAME, ROWS = "noise_model", (53,)


def noises(x: NDArray, y: NDArray, theta: NDArray) -> NDArray:
    """eps_i(theta) for every batch, shape (N, d), from the residuals."""
    gradients = x * (x @ theta - y)[:, None]
    return gradients.sum(axis=0) / Fraction(len(x)) - gradients


def power(eps: NDArray) -> Fraction:
    """E |eps|² over the batches."""
    return Fraction(np.sum(eps * eps)) / len(eps)


def paired_data(x: Any, theta_star: Any, labels: Any) -> tuple[NDArray, NDArray, NDArray]:
    """Batches in pairs with labels x·theta* + r and x·theta* - r: theta* minimises the mean loss, whatever the r."""
    x, star = np.array(x, dtype=object), np.array(theta_star, dtype=object)
    r = np.array(labels, dtype=object)
    return np.concatenate([x, x]), np.concatenate([x @ star + r, x @ star - r]), star


def check(x: Any, theta_star: Any, labels: Any, theta: Any, h: Fraction) -> Verdict:
    """Compare E|eps(theta)|² with the decomposition, and the displacement of theta* under both models, in rationals.

    The package's additive family (two-point noise of the same strength) moves theta* by h² sigma² in mean square, to
    rounding; batches move it by h² E|eps(theta*)|² = h² E r²|x|², 0 without label noise r (Remark 2.3).
    """
    x, y, star = paired_data(x, theta_star, labels)
    theta = np.array(theta, dtype=object)
    found, at_star = noises(x, y, theta), noises(x, y, star)
    H_i = x[:, :, None] * x[:, None, :]
    spread = H_i.sum(axis=0) / Fraction(len(x)) - H_i
    expected = at_star + np.stack([S @ (theta - star) for S in spread])
    moved = power(np.stack([h * e for e in at_star]))
    r = np.array([*labels, *labels], dtype=object)
    holds = bool(np.all(found == expected)) and not np.any(found.sum(axis=0))
    holds &= power(at_star) == Fraction(np.sum(r * r * np.sum(x * x, axis=1))) / len(x)
    sigma = float(power(at_star)) ** 0.5
    family = LinearizedSGD(np.zeros(1), np.eye(1), float(h), TwoPoint(-1, 1) if sigma else TwoPoint(0, 0))
    step = abs(float(family.sample(1, 0)[0](np.zeros(1))[0])) * sigma
    holds &= abs(step**2 - float(moved)) <= 2.0**-48 * float(moved)
    return Verdict(
        NAME, ROWS, "exact", holds, float(power(found)), float(power(expected)),
        hypotheses="least squares, one row a batch",
        note=f"{len(x)} batches, d={len(star)}: E|ε(θ*)|² = {power(at_star)}",
    )  # fmt: skip


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """1 to 4 pairs of batches in dimensions 1 to 3, with and without label noise."""
    for k in range(12 if tier == "standard" else 100):
        m, d = int(rng.integers(1, 5)), int(rng.integers(1, 4))
        yield {
            "x": [[random_fraction(rng, -2, 2, 3) for _ in range(d)] for _ in range(m)],
            "theta_star": [random_fraction(rng, -2, 2) for _ in range(d)],
            "labels": [random_fraction(rng, -1, 1) * (k % 3 > 0) for _ in range(m)],
            "theta": [random_fraction(rng, -3, 3) for _ in range(d)], "h": random_fraction(rng, 0, 2),
        }  # fmt: skip


def check_printed(x: Any = ((1,), (2,)), labels: Any = (1, 1), away: Fraction = Fraction(3)) -> Verdict:
    """E|eps|² at a parameter away from theta* = 0 (measured) and at theta* (claimed): equal if independent of theta."""
    x, y, star = paired_data(x, [0] * len(x[0]), labels)
    here, there = power(noises(x, y, star + away)), power(noises(x, y, star))
    return Verdict(
        NAME, ROWS, "beyond", here != there, float(here), float(there),
        note=f"least squares: E|ε|² is {float(there):.6g} at θ* and {float(here):.6g} at distance {away} from it",
    )  # fmt: skip


STATEMENT = Statement(
    name=NAME,
    paper=("Section 3.2",),
    claim="g − g_i = ε_i + (H − H_i)(θ − θ*): additive noise ⇔ equal H_i; with Remark 2.3 also ε_i = 0",
    hypotheses="least squares",
    rows=(
        Row(
            53, "Section 3.2, the model of the noise", "OK",
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
    test="tests/theory/test_noise_model.py",
)  # fmt: skip
