"""Derived bounds on rounding in floating point: no tolerance in this project is tuned.

u = 2^-53 is the unit roundoff of float64 and gamma(n) = n u / (1 - n u) bounds the relative error of n operations
(Higham, Accuracy and Stability of Numerical Algorithms, 2002, Section 3.1).
"""

from __future__ import annotations

__all__ = ["UNIT", "gamma", "iterate_rounding"]

UNIT = 2.0**-53


def gamma(n: float, unit: float = UNIT) -> float:
    """gamma(n) = n u / (1 - n u), the relative error of n rounded operations (u = ``unit``, default: float64's)."""
    if n * unit >= 1:
        raise ValueError(f"gamma(n) needs n u < 1, got n = {n}, u = {unit}")
    return n * unit / (1 - n * unit)


def iterate_rounding(k: float, n: int, scale: float, operations: int) -> float:
    """Bound on the rounding error of n maps of factor k applied to points of norm at most ``scale``.

    Each map makes an error of at most gamma(operations) * scale, which the maps outside it contract: the sum is
    gamma(operations) * scale * (1 + k + … + k^(n-1)).
    """
    terms = float(n) if k >= 1 else min(float(n), 1.0 / (1.0 - k))
    growth = 1.0 if k <= 1 else k**n
    return gamma(operations) * scale * terms * growth
