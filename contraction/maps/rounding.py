"""Derived bounds on rounding in floating point; this project uses no tuned tolerances.

`round_up` rounds every bound outwards. u = 2^-53 is the unit roundoff of float64, and gamma(n) = n u /
(1 - n u) bounds the relative error of n operations (Higham, Accuracy and Stability of Numerical Algorithms, 2002,
Section 3.1).
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.types import Number, Numbers

__all__ = [
    "EPS",
    "TINY",
    "UNIT",
    "as_exact",
    "cancelled",
    "euclidean_norm",
    "float_up",
    "fraction_up",
    "gamma",
    "geometric_tail",
    "iterate_rounding",
    "log_gamma_up",
    "norm_of_entries",
    "power_mean",
    "products_up",
    "root_of_log_up",
    "root_up",
    "round_down",
    "round_up",
]

UNIT = 2.0**-53  # largest relative error of one rounded operation
EPS = 2.0**-52  # distance from 1 to the next float
TINY = 5e-324  # the smallest positive float, to which a positive number that underflows is rounded up


def round_up(x: ArrayLike, operations: float = 0) -> Numbers:
    """Round outwards, so that a computed number becomes an upper bound of the real number.

    Parameters
    ----------
    x : float or array_like
        Computed numbers.
    operations : float
        Number of rounded operations that produced each of them, each with a relative error of 2^-52 (default: 0).

    Returns
    -------
    float or ndarray
        x + operations * 2^-52 * |x|, plus one unit in the last place; exact zeros stay zero, and infinities infinite.

    Examples
    --------
    >>> float(round_up(1.0)) - 1.0 == EPS, float(round_up(0.0, 8)), float(round_up(np.inf))
    (True, 0.0, inf)
    """
    x = np.asarray(x, dtype=float)
    with np.errstate(over="ignore", invalid="ignore"):
        larger = np.nextafter(x + np.abs(x) * (operations * EPS), np.inf)
    return np.where((x == 0) | np.isinf(x), x, larger)[()]


def float_up(value: Number) -> float:
    """Return the least float that is not below a number of any kind, such as a Fraction.

    Examples
    --------
    >>> from fractions import Fraction
    >>> float_up(Fraction(1, 3)) > Fraction(1, 3), float_up(Fraction(1, 2))
    (True, 0.5)
    """
    nearest = float(value)
    return math.nextafter(nearest, math.inf) if nearest < value else nearest


def products_up(factors: ArrayLike) -> NDArray:
    """1, K_1, K_1 K_2, … for factors K_i >= 0 along the first axis, each rounded up.

    A product that underflows becomes the smallest positive float, and 0 only if a factor is 0.

    Examples
    --------
    >>> products_up([1e-200, 1e-200, 0.0])[2:].tolist()
    [5e-324, 0.0]
    """
    K = np.asarray(factors, dtype=float)
    out = np.ones((len(K) + 1, *K.shape[1:]))
    out[1:] = K
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        out = np.multiply.accumulate(out, axis=0)
        if np.all(out > 2.0**-960):
            return round_up(out, len(K)) if len(K) else out
        for n, factor in enumerate(K):
            out[n + 1] = np.where((out[n] > 0) & (factor > 0), np.nextafter(out[n] * factor, np.inf), 0.0)
    return out


def norm_of_entries(x: NDArray) -> float:
    """Return the root of the sum of squares of all entries; the squares neither overflow nor underflow."""
    largest = float(np.max(np.abs(x), initial=0.0))
    if largest == 0 or not math.isfinite(largest):
        return largest
    return largest * float(np.linalg.norm((x / largest).ravel()))


def euclidean_norm(v: ArrayLike) -> NDArray:
    """Return the Euclidean norm over the last axis: exact for one coordinate, and its squares never underflow.

    Nor do they overflow where the norm itself is a float.

    Examples
    --------
    >>> euclidean_norm([[3e-200, 4e-200], [3e180, 4e180]]).tolist()
    [5e-200, 5e+180]
    """
    v = np.asarray(v)
    if v.shape[-1] == 1:
        return np.abs(v[..., 0])
    v = v.astype(float if v.dtype == object else np.result_type(v, float), copy=False)
    largest = np.max(np.abs(v), axis=-1, initial=0.0)
    safe = np.all((largest == 0) | ((largest > 1e-140) & (largest < 1e140)))
    if safe:
        return np.sqrt(np.einsum("...i,...i->...", v, v))
    scale = np.where((largest > 0) & np.isfinite(largest), largest, 1.0)
    w = v / scale[..., None]
    return scale * np.sqrt(np.einsum("...i,...i->...", w, w))


def power_mean(values: ArrayLike, p: float, weights: ArrayLike = 1.0) -> NDArray:
    """Return (Σ w_i x_i^p)^(1/p) over the first axis, for x_i >= 0 and p > 0; no power of the largest x_i underflows.

    Parameters
    ----------
    values : array_like
        Shape (M, …).
    p : float
        The exponent, > 0.
    weights : float or array_like
        Numbers w_i >= 0, one for all or shape (M,) (default: 1, which gives the p-norm).

    Examples
    --------
    >>> float(power_mean([3e-200, 4e-200], 2)), float(power_mean([3.0, 3.0], 400, [0.5, 0.5]))
    (5e-200, 3.0)
    """
    x = np.asarray(values, dtype=float)
    w = np.broadcast_to(np.asarray(weights, dtype=float), x.shape[:1])
    counted = np.where((w > 0).reshape(-1, *[1] * (x.ndim - 1)), x, 0.0)
    largest = np.max(counted, axis=0, initial=0.0)
    scale = np.where((largest > 0) & np.isfinite(largest), largest, 1.0)
    with np.errstate(under="ignore"):
        return scale * np.tensordot(w, (counted / scale) ** p, 1) ** (1 / p)


def root_up(x: ArrayLike, p: float, operations: float = 0) -> Numbers:
    """x^(1/p) rounded up, for computed x >= 0 with a relative error of ``operations`` times 2^-52.

    The exponent 1/p is itself rounded, which changes the root by the factor x^(u/p): its logarithm grows with |ln x|.

    Examples
    --------
    >>> float(root_up(2.0, 2)) ** 2 > 2, float(root_up(0.0, 0.5))
    (True, 0.0)
    """
    x = np.asarray(x, dtype=float)
    with np.errstate(divide="ignore", over="ignore", under="ignore", invalid="ignore"):
        roots, size = np.power(x, 1 / p), np.where((x > 0) & np.isfinite(x), np.abs(np.log(x)), 0.0)
        # one for the power, u for 1/p, and the error of x divided by p; a root that underflows is the smallest float
        larger = np.nextafter(roots + roots * ((operations + size) / p + 2) * (EPS * (1 + 2.0**-20)), np.inf)
    return np.where(x == 0, 0.0, larger)[()]


def log_gamma_up(x: float) -> float:
    """Return an upper bound on ln Γ(x) for x >= 1, by Stirling's formula; infinite if it is near the largest float.

    ln Γ(x) lies between (x - 1/2) ln x - x + (ln 2π) / 2 + 1 / (12 x) - 1 / (360 x^3) and the same without the last
    term. The allowance for rounding counts each of its terms with its own size, and is the larger part of what the
    bound exceeds ln Γ(x) by from about x = 1000 on.

    Examples
    --------
    >>> 0 < log_gamma_up(171.0) - math.log(math.factorial(170)) < 1e-9
    True
    """
    if x > 2.0**1012:  # the sum of the terms may overflow
        return math.inf
    terms = (x - 0.5) * math.log(x), -x, math.log(2 * math.pi) / 2, 1 / (12 * x)
    return float(round_up(math.fsum(terms) + 4 * EPS * math.fsum(map(abs, terms))))


def root_of_log_up(log: float, p: float) -> float:
    """Return exp(log / p) rounded up, for p >= 1 and a logarithm with an error of at most 4 · 2^-52 (1 + |log|).

    Examples
    --------
    >>> root_of_log_up(math.log(8.0), 3.0) >= 2
    True
    """
    exponent = log / p
    with np.errstate(over="ignore"):
        return float(round_up(np.exp(exponent), 4 * (1 + abs(log)) / p + abs(exponent) + 4))


def round_down(x: float) -> float:
    """Return the next smaller float: 1 - k is rounded down before it divides."""
    return math.nextafter(x, -math.inf)


def as_exact(x: Number) -> Fraction:
    """Return a finite number as a Fraction: exactly, or the next larger float of a number without an integer ratio."""
    if isinstance(x, np.floating):
        return Fraction(*x.as_integer_ratio())
    if isinstance(x, np.integer):
        return Fraction(int(x))
    try:
        return Fraction(x)
    except TypeError:  # numbers of other packages
        return Fraction(math.nextafter(float(x), math.inf))


def fraction_up(x: Fraction, shift: int = 0) -> float:
    """Return the least float that is at least x 2^shift, for x >= 0: infinite beyond the largest, never 0 for x > 0.

    Examples
    --------
    >>> fraction_up(Fraction(1, 10**400)), fraction_up(Fraction(10) ** 400), fraction_up(Fraction(1, 2))
    (5e-324, inf, 0.5)
    """
    if not x:
        return 0.0
    top = (
        x.numerator.bit_length() - x.denominator.bit_length() + shift
    )  # x 2^shift lies between 2^(top - 1) and 2^(top + 1)
    if top > 1025:
        return math.inf
    if top < -1080:
        return TINY
    unit = max(top - 54, -1074)  # the last place of the result is 2^unit or larger
    scaled = x * Fraction(2) ** (shift - unit)
    whole = -(-scaled.numerator // scaled.denominator)
    if whole.bit_length() > 53:  # round up to 53 digits
        extra = whole.bit_length() - 53
        whole, unit = -(-whole >> extra), unit + extra
    try:
        return math.ldexp(whole, unit)
    except OverflowError:
        return math.inf


def geometric_tail(k: Number, n: int, scale: Number) -> Number:
    """Return k^n scale / (1 - k) for 0 <= k < 1: exact for exact numbers, else a float that is not smaller.

    Powers are taken with 256 binary digits, each product rounded up, so that they neither underflow nor grow long.

    Examples
    --------
    >>> geometric_tail(Fraction(1, 2), 3, 1), geometric_tail(0.5, 1100, 1e300) > 1.4e-31
    (Fraction(1, 4), True)
    """
    if all(isinstance(x, int | Fraction | np.integer) for x in (k, scale)):
        return Fraction(k) ** n * as_exact(scale) / (1 - Fraction(k))
    factor, size = as_exact(k), as_exact(scale)
    if factor >= 1:
        return math.inf
    power, shift = Fraction(1), 0
    for bit in bin(n)[2:]:
        power, shift = _short(power * power, 2 * shift)
        if bit == "1":
            power, shift = _short(power * factor, shift)
        if not power:
            return 0.0
        if shift < -(10**6):
            return TINY if size else 0.0
    return fraction_up(power * size / (1 - factor), shift)


def _short(x: Fraction, shift: int) -> tuple[Fraction, int]:
    """Return (y, s) with y 2^s >= x 2^shift, y an integer of at most 257 binary digits."""
    if not x:
        return x, shift
    drop = x.numerator.bit_length() - x.denominator.bit_length() - 256
    scaled = x * Fraction(2) ** -drop
    return Fraction(-(-scaled.numerator // scaled.denominator)), shift + drop


def gamma(n: float, unit: float = UNIT) -> float:
    """gamma(n) = n u / (1 - n u), the relative error of n rounded operations (u = ``unit``, default: float64's)."""
    if n * unit >= 1:
        raise ValueError(f"gamma(n) needs n u < 1, got n = {n}, u = {unit}")
    return n * unit / (1 - n * unit)


def cancelled(terms: int, d: int, size: ArrayLike, condition: float = 1.0) -> NDArray:
    """Bound on what a norm of a computed A = I - h H (d, d) may lose to rounding; 0 for ``terms`` = 0, given numbers.

    Terms near 1 cancel, so that it scales with ‖I‖ + ‖h H‖ <= 2 + ``size`` and not with the computed norm ``size``.
    Each entry is off by at most gamma(terms) times its terms, whose matrix has a Frobenius norm of at most d (2 + ‖A‖);
    the sup and l1 norms differ from it by √d at most, and that of another quadratic norm by its condition number.
    """
    size = np.asarray(size, dtype=float)
    return gamma(terms + 2) * d * d * condition * (2 + size) if terms else np.zeros(size.shape)


def iterate_rounding(k: float, n: int, scale: float, operations: int) -> float:
    """Bound on the rounding error of n maps of factor k applied to points of norm at most ``scale``.

    Each map adds an error of at most gamma(operations) * scale, which all maps applied after it contract. The sum is
    gamma(operations) * scale * (1 + k + … + k^(n-1)).
    """
    terms = float(n) if k >= 1 else min(float(n), 1.0 / (1.0 - k))
    growth = 1.0 if k <= 1 else k**n
    return gamma(operations) * scale * terms * growth
