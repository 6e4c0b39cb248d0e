"""Wasserstein distances of exact laws on R, by their quantile functions, in Fractions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

from contraction.arguments import check_real, check_type
from contraction.laws._words import as_fraction
from contraction.laws.exact import ExactLaw
from contraction.maps.rounding import fraction_up
from contraction.types import Exact, Number

__all__ = ["check_order", "power_bounds", "wasserstein", "wasserstein_bounds", "wasserstein_to_uniform"]

SAFE = (Fraction(1, 10**290), Fraction(10) ** 290)  # numbers whose floats neither underflow nor overflow
EXACT_POWERS = 64  # integer p up to which sums of powers are computed in Fractions


def wasserstein(first: ExactLaw, second: ExactLaw, p: float = 1) -> Number:
    """W_p between two exact real laws, by their quantile functions.

    W_p^p = int_0^1 |F^{-1}(u) - G^{-1}(u)|^p du, and W_inf is the largest difference of quantiles. The result is a
    Fraction for p = 1 and p = inf, and a float otherwise.

    That the coupling by quantiles is optimal for every p >= 1 is a classical theorem of optimal transport on the real
    line.

    Raises
    ------
    ValueError
        If p < 1 or a law is not real, or the result is beyond floats although p is neither 1 nor inf.

    Examples
    --------
    >>> from fractions import Fraction
    >>> from contraction import laws
    >>> one, two = laws.ExactLaw({0: 1}), laws.ExactLaw({0: Fraction(1, 2), 1: Fraction(1, 2)})
    >>> laws.wasserstein(one, two)
    Fraction(1, 2)
    """
    check_order(p)
    gaps = _gaps(first, second)
    if p == math.inf:
        return max(gap for _, gap in gaps)
    if p == 1:
        return sum((m * g for m, g in gaps), Fraction(0))
    if p == int(p) and p <= EXACT_POWERS:
        return _root(sum((m * g ** int(p) for m, g in gaps), Fraction(0)), int(p))
    root, largest, _ = _power_mean(gaps, p)
    return _scaled(largest, root)


def wasserstein_bounds(first: ExactLaw, second: ExactLaw, p: float) -> tuple[float, float]:
    """Return floats lower <= W_p <= upper for 1 < p < inf, which differ by some roundings."""
    return power_bounds(_gaps(first, second), p)


def power_bounds(gaps: list[tuple[Fraction, Fraction]], p: float) -> tuple[float, float]:
    """Return floats below and above (Σ m g^p)^(1/p) for pairs (m, g) with m > 0, g >= 0 and Σ m = 1."""
    root, largest, operations = _power_mean(gaps, p)
    room = Fraction(operations) / 2**52
    value = largest * Fraction(root)
    upper = fraction_up(min(value * (1 + room), largest))
    least = value * (1 - room)
    lower = fraction_up(least)
    return (math.nextafter(lower, 0.0) if lower > least else lower), upper


def _power_mean(gaps: list[tuple[Fraction, Fraction]], p: float) -> tuple[float, Fraction, float]:
    """Return (Σ m (g/G)^p)^(1/p), the largest g = G, and a bound on the relative error, in 2^-52.

    Small integers p are exact up to the root. Otherwise logarithms of m and g/G are added, so that neither underflows.
    """
    largest = max(g for _, g in gaps)
    if not largest:
        return 0.0, largest, 0.0
    if p == int(p) and p <= EXACT_POWERS:
        log = _log(sum((m * (g / largest) ** int(p) for m, g in gaps), Fraction(0)))
        error = 2 * abs(log) + 4
    else:
        logs = [(_log(m), p * _log(g / largest)) for m, g in gaps if g]
        top = max(a + b for a, b in logs)
        log = top + math.log(math.fsum(math.exp(a + b - top) for a, b in logs))
        heavy = [abs(a) + abs(b) for a, b in logs if a + b - top > -800]
        error = 8 * (max(heavy) + abs(top) + abs(log)) + len(logs) + 8
    return math.exp(log / p), largest, error / p + abs(log) / p + 8


def _root(total: Fraction, p: int) -> float:
    """Return total^(1/p) for total >= 0, by its logarithm where the total is far from 1."""
    if not total or SAFE[0] < total < SAFE[1]:
        return float(total) ** (1 / p)
    exponent = (total.numerator.bit_length() - total.denominator.bit_length()) // p
    return _scaled(Fraction(2) ** exponent, math.exp(_log(total / Fraction(2) ** (exponent * p)) / p))


def _log(x: Fraction) -> float:
    """Return ln x to within 4 · 2^-52 |ln x| for x > 0."""
    if 2 * x > 1 and x < 2:
        return math.log1p(float(x - 1))
    # numerator and denominator are scaled to one size, so that their logarithms do not cancel
    shift = x.numerator.bit_length() - x.denominator.bit_length()
    rest = x / Fraction(2) ** shift  # between 1/2 and 2
    return shift * math.log(2) + math.log1p(float(rest - 1))


def _scaled(largest: Fraction, root: float) -> float:
    """Return largest · root; a number beyond the largest float is refused."""
    try:
        return float(largest * Fraction(root))
    except OverflowError:
        raise ValueError(
            "the distance is beyond the largest float; p = 1 and p = inf give Fractions, and so do laws in another unit"
        ) from None


def _gaps(first: ExactLaw, second: ExactLaw) -> list[tuple[Fraction, Fraction]]:
    return [(mass, abs(x - y)) for mass, x, y in _aligned(_sorted(first), _sorted(second))]


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
    level, pieces = Fraction(0), []
    for x, mass in _sorted(law):
        pieces.append((low + width * level - x, low + width * (level + mass) - x))
        level += mass
    farthest = max(max(abs(a), abs(b)) for a, b in pieces)
    if p == math.inf:
        return farthest
    if p == int(p) and p <= EXACT_POWERS:
        q = int(p) + 1
        total = sum((_signed_power(b, q) - _signed_power(a, q) for a, b in pieces), Fraction(0)) / (width * q)
        return total if p == 1 else _root(total, int(p))
    sides = [side for a, b in pieces for side in (((a, b),) if a * b >= 0 else ((a, Fraction(0)), (Fraction(0), b)))]
    ends = [sorted((abs(a) / farthest, abs(b) / farthest)) for a, b in sides]
    summed = math.fsum(_powers_between(s, t, p + 1) for s, t in ends)
    return _scaled(farthest, math.exp((math.log(summed) + _log(farthest / width) - math.log(p + 1)) / p))


def _powers_between(s: Fraction, t: Fraction, q: float) -> float:
    """Return t^q - s^q for 0 <= s <= t <= 1, without cancellation."""
    if not t:
        return 0.0
    whole = math.exp(q * _log(t))
    return whole if not s else -whole * math.expm1(q * _log(s / t))


def _signed_power(x: Fraction, q: int) -> Fraction:
    """sign(x) |x|^q, the antiderivative of q |x|^(q-1)."""
    return abs(x) ** q if x >= 0 else -(abs(x) ** q)


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
