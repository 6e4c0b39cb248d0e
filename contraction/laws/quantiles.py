"""Wasserstein distances of exact laws on R, by their quantile functions, in Fractions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

from contraction.arguments import check_real, check_type
from contraction.laws._words import as_fraction
from contraction.laws.exact import ExactLaw
from contraction.types import Exact, Number

__all__ = ["check_order", "wasserstein", "wasserstein_to_uniform"]


def wasserstein(first: ExactLaw, second: ExactLaw, p: float = 1) -> Number:
    """W_p between two exact real laws, by their quantile functions.

    W_p^p = int_0^1 |F^{-1}(u) - G^{-1}(u)|^p du, and W_inf is the largest difference of quantiles. The result is a
    Fraction for p = 1 and p = inf, and a float otherwise.

    That the coupling by quantiles is optimal for every p >= 1 is a classical theorem of optimal transport on the real
    line.

    Raises
    ------
    ValueError
        If p < 1 or a law is not real.

    Examples
    --------
    >>> from fractions import Fraction
    >>> from contraction import laws
    >>> one, two = laws.ExactLaw({0: 1}), laws.ExactLaw({0: Fraction(1, 2), 1: Fraction(1, 2)})
    >>> laws.wasserstein(one, two)
    Fraction(1, 2)
    """
    check_order(p)
    gaps = [(mass, abs(x - y)) for mass, x, y in _aligned(_sorted(first), _sorted(second))]
    if p == math.inf:
        return max(gap for _, gap in gaps)
    if p == 1:
        return sum((m * g for m, g in gaps), Fraction(0))
    return float(sum((m * g ** _exact_power(p) for m, g in gaps), Fraction(0))) ** (1 / p)


def wasserstein_to_uniform(law: ExactLaw, low: Exact, high: Exact, p: float = 1) -> Number:
    """W_p between an exact real law and the uniform law on [low, high]; a Fraction for p = 1 and inf, else a float.

    An atom x of quantile levels [u, v] is moved to the interval [q(u), q(v)], q(u) = low + (high - low) u.

    Raises
    ------
    ValueError
        If p < 1 or the interval is empty.

    Examples
    --------
    >>> from fractions import Fraction
    >>> from contraction import laws
    >>> laws.wasserstein_to_uniform(laws.bernoulli_law(Fraction(1, 2), 3), 0, 1)
    Fraction(1, 16)
    """
    check_order(p)
    low, width = as_fraction(low), as_fraction(high) - as_fraction(low)
    if width <= 0:
        raise ValueError(f"a uniform law needs low < high, got {low} and {high}")
    level, farthest, total = Fraction(0), Fraction(0), 0
    for x, mass in _sorted(law):
        a, b = low + width * level - x, low + width * (level + mass) - x
        farthest = max(farthest, abs(a), abs(b))
        if p != math.inf:
            total += (_signed_power(b, p) - _signed_power(a, p)) / (width * (int(p) + 1 if p == int(p) else p + 1))
        level += mass
    if p == math.inf:
        return farthest
    return Fraction(total) if p == 1 else float(total) ** (1 / p)


def _signed_power(x: Fraction, p: float) -> Number:
    """sign(x) |x|^(p+1), the antiderivative of (p+1) |x|^p; exact for integer p."""
    power = abs(x) ** (int(p) + 1) if p == int(p) else float(abs(x)) ** (p + 1)
    return power if x >= 0 else -power


def _exact_power(p: float) -> int | float:
    return int(p) if p == int(p) else p


def _sorted(law: ExactLaw) -> list[tuple[Fraction, Fraction]]:
    check_type("a law", law, ExactLaw, "an ExactLaw")
    atoms = sorted(law.counter().items())
    if isinstance(atoms[0][0], tuple):
        raise ValueError("the quantile formula needs laws on R, got points with several coordinates")
    return atoms


def _aligned(first: list, second: list) -> Iterator[tuple[Fraction, Fraction, Fraction]]:
    """Pieces (mass, x, y) of the monotone coupling."""
    i = j = 0
    left, right = first[0][1], second[0][1]
    while True:
        mass = min(left, right)
        yield mass, first[i][0], second[j][0]
        left, right = left - mass, right - mass
        if not left:
            i += 1
            if i == len(first):
                return
            left = first[i][1]
        if not right:
            j += 1
            right = second[j][1]


def check_order(p: float) -> None:
    """Raise ValueError unless p >= 1, and TypeError unless it is a number."""
    check_real("the order p of W_p", p, least=1)
