"""Bernoulli convolutions in exact arithmetic: atoms at finite n, Cantor's limit law, and colliding words.

The maps are θ -> (1 - h) θ + h epsilon, where epsilon has two equally likely values (Section 3.1). For values 0
and 1 the limit law is uniform on [0, 1] at h = 1/2 and Cantor's law at h = 2/3 (the family `BernoulliConvolution`
evaluates these laws in floats). At h = 1 - 1/phi, where phi is the golden ratio, different words give the same point.
The arithmetic over Q(√5) is exact: the pair (a, b) stands for a + b phi, and division by phi is an integer matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from contraction.laws._words import as_fraction
from contraction.laws.exact import ExactLaw
from contraction.laws.merged import merged_law
from contraction.maps.orders import Order
from contraction.maps.rounding import as_exact
from contraction.types import Exact

__all__ = ["bernoulli_law", "cantor_cdf", "golden_law", "golden_value"]


def bernoulli_law(
    h: Exact, n: int, theta0: Exact = 0, *, values: Sequence[Exact] = (0, 1), order: Order | None = None
) -> ExactLaw:
    """Return the exact law of iterate n: 2^n equally likely words, at (1-h)^n θ_0 + h sum_j (1-h)^j epsilon_j.

    Parameters
    ----------
    h
        Learning rate, a rational number.
    n, theta0, order
        As in `merged_law`.
    values
        The two values of epsilon, rational.

    Raises
    ------
    ValueError
        If there are not two values.

    Examples
    --------
    >>> from fractions import Fraction
    >>> from contraction import laws
    >>> laws.bernoulli_law(Fraction(1, 2), 3).variance()
    Fraction(21, 256)
    """
    h = as_fraction(h)
    if len(values) != 2:
        raise ValueError(f"a Bernoulli convolution needs two values, got {len(values)}")
    return merged_law([(1 - h, h * as_fraction(v)) for v in values], n, theta0, order=order)


def cantor_cdf(x: Exact) -> Fraction:
    """Cantor's distribution function at a rational, exactly: the limit law at h = 2/3.

    The ternary digits of a rational are eventually periodic, and one period gives a linear equation for the value.

    Examples
    --------
    >>> from fractions import Fraction
    >>> from contraction import laws
    >>> laws.cantor_cdf(Fraction(1, 4))
    Fraction(1, 3)
    """
    x = as_fraction(x)
    if x <= 0:
        return Fraction(0)
    if x >= 1:
        return Fraction(1)
    seen: dict[Fraction, tuple[Fraction, Fraction]] = {}
    value, weight = Fraction(0), Fraction(1)  # F(start) = value + weight * F(x)
    while x not in seen:
        seen[x] = value, weight
        digit, x = divmod(3 * x, 1)
        weight /= 2
        if digit == 1:
            return value + weight
        if digit == 2:
            value += weight
        if x == 0:
            return value
    before, before_weight = seen[x]
    at_x = (value - before) / (before_weight - weight)  # value + weight F(x) = before + before_weight F(x)
    return value + weight * at_x


def golden_law(n: int, *, order: Order | None = None) -> ExactLaw:
    """Return the exact law of iterate n from 0 at h = 1 - 1/phi, epsilon in {0, 1}: points (a, b) stand for a + b phi.

    Multiplication by 1 - h = 1/phi = phi - 1 sends (a, b) to (b - a, a), and h = 2 - phi. Different words give the same
    point, because 1/phi = 1/phi^2 + 1/phi^3.

    Examples
    --------
    >>> from contraction.laws import golden_law, golden_value
    >>> law = golden_law(3)
    >>> len(law.floats()[1])  # 2^3 words give 7 points, because 1/phi = 1/phi² + 1/phi³
    7
    >>> sorted(round(golden_value(point), 4) for point in law.counter())
    [0.0, 0.1459, 0.2361, 0.382, 0.5279, 0.618, 0.7639]
    """
    shrink = np.array([[-1, 1], [1, 0]], dtype=object)
    return merged_law([(shrink, [0, 0]), (shrink, [2, -1])], n, [0, 0], order=order)


def golden_value(point: Sequence[Exact]) -> float:
    """Return a + b phi as a float, accurate to some roundings; a and b are taken as exact numbers.

    Examples
    --------
    >>> from contraction.laws import golden_value
    >>> round(golden_value((2, -1)), 4)  # 2 - phi
    0.382
    """
    a, b = (as_exact(x) for x in point)
    first, second = a + b / 2, b / 2  # a + b phi = first + second √5
    if first * second >= 0:
        return float(first + second * Fraction(5**0.5))
    # the terms cancel: (first² - 5 second²) / (first - second √5), with an exact numerator
    return float((first**2 - 5 * second**2) / (first - second * Fraction(5**0.5)))
