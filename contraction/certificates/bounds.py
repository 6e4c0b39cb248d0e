"""Bounds on d(θ*, T_1 … T_n θ) as pure functions of their constants, exact or rounded upwards.

Every function takes n as an integer or an array. With rationals (int, Fraction) the result is exact. With floats it is
rounded up by more than the rounding errors of its operations, and 1 - k is rounded down, so that the result is an upper
bound of the exact value for these floats. 0^0 = 1, and an exact zero stays zero. D is the displacement
sup d(θ, T_i θ) at the reference point θ, k the common contraction factor, K_i the factor of T_i.
"""

from __future__ import annotations

import math
from fractions import Fraction
from numbers import Rational

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_integer, check_positive
from contraction.maps.rounding import TINY, products_up, root_up, round_down, round_up
from contraction.types import Number, Numbers

__all__ = [
    "after_q",
    "agreeing_orders",
    "check_factor",
    "geometric",
    "other_start",
    "p_mean",
    "prefix_tail",
    "printed_other_start",
    "product_tail",
    "steps",
]


def check_factor(k: Number, name: str = "k") -> None:
    """Raise ValueError unless a contraction factor is in [0, 1)."""
    if not 0 <= k < 1:
        raise ValueError(f"a contraction factor {name} must be in [0, 1), got {k!r}")


def _check_size(name: str, value: Number) -> None:
    if not (value >= 0 and (isinstance(value, Rational) or math.isfinite(value))):
        raise ValueError(f"{name} must be a finite number >= 0, got {value!r}")


def check_index(n: ArrayLike) -> NDArray:
    """Return n as an array of non-negative integers; raise ValueError otherwise."""
    n = np.asarray(n)
    if n.dtype.kind not in "iu" or (n.size and n.min() < 0):
        raise ValueError(f"n must be an integer >= 0 or an array of them, got {n}")
    return n


def _exact(*numbers: Number) -> bool:
    return all(isinstance(x, Rational) for x in numbers)


def _scaled_power(C: Number, k: Number, n: NDArray) -> Numbers:
    """C k^n, exact for rationals, rounded up for floats (an underflow becomes the smallest positive float)."""
    if _exact(C, k):
        values = [Fraction(C) * Fraction(k) ** int(m) for m in n.flat]
        return values[0] if n.ndim == 0 else np.array(values, dtype=object).reshape(n.shape)
    return scaled_power(float(C), float(k), n)


def scaled_power(C: ArrayLike, k: float, n: NDArray) -> Numbers:
    """C k^n for floats C >= 0 (of the shape of n, or one number), rounded up; an underflow becomes `TINY`.

    Examples
    --------
    >>> scaled_power(1e150, 1e-160, np.asarray(2)) > 1e-170, scaled_power(1.0, 1e-200, np.asarray(2))
    (np.True_, np.float64(5e-324))
    """
    C = np.asarray(C, dtype=float)
    half = n // 2  # k^n may underflow although C k^n does not: multiply in two equal parts, and once for an odd n
    with np.errstate(under="ignore", over="ignore", invalid="ignore"):
        part = np.power(k, _float_below(half))
        values = C * part * part * np.where(n % 2 == 1, k, 1.0)
    values = np.where(np.isinf(C), np.inf, values)
    zero = (C == 0) | ((k == 0) & (n > 0))
    return np.where(zero, 0.0, np.maximum(round_up(values, 12), TINY))[()]


def _float_below(n: NDArray) -> NDArray:
    """Return n as floats, of which those beyond 2^53 are rounded down."""
    near = n.astype(float)
    return np.where(near.astype(n.dtype) > n, np.nextafter(near, 0.0), near)


def _over_gap(D: Number, k: Number) -> Numbers:
    """D / (1 - k), rounded up unless rational."""
    if _exact(D, k):
        return Fraction(D) / (1 - Fraction(k))
    return 0.0 if D == 0 else float(round_up(float(D) / round_down(1 - float(k))))


def geometric(k: Number, D: Number, n: ArrayLike) -> Numbers:
    """D k^n / (1 - k): Theorem 2.2 at the reference point; attained at every n by T_i x = k x + D from 0."""
    check_factor(k)
    _check_size("D", D)
    return _scaled_power(_over_gap(D, k), k, check_index(n))


def other_start(k: Number, D: Number, r: Number, n: ArrayLike) -> Numbers:
    """(D / (1 - k) + r) k^n: iterates from a start at distance r from the reference point, sharp (row 16)."""
    check_factor(k)
    _check_size("D", D)
    _check_size("r", r)
    C = _over_gap(D, k) + r
    return _scaled_power(C if _exact(D, k, r) or C == 0 else float(round_up(float(C))), k, check_index(n))


def printed_other_start(k: Number, D: Number, r: Number, n: ArrayLike) -> Numbers:
    """(D + (1 + k) r) k^n / (1 - k): the bound with D~ of the paper's proof, larger by 2 k r k^n / (1 - k)."""
    check_factor(k)
    _check_size("D", D)
    _check_size("r", r)
    wide = D + (1 + k) * r
    return geometric(k, wide if _exact(D, k, r) else round_up(float(wide), 8), n)


def after_q(q: int, kappa: Number, lip: Number, D: Number, n: ArrayLike, r: Number = 0) -> Numbers:
    """(D q / (1 - kappa) + r) max(1, lip)^(q-1) kappa^floor(n/q).

    For maps of Lipschitz constant at most ``lip`` all of whose words of length ``q`` contract by ``kappa``: the sum of
    D Lip(T_1 … T_m) over m >= n, since Lip(T_1 … T_m) <= max(1, lip)^(q-1) kappa^floor(m/q).
    """
    check_factor(kappa, "kappa")
    check_integer("q", q, 1)
    for name, value in (("lip", lip), ("D", D), ("r", r)):
        _check_size(name, value)
    blocks = check_index(n) // int(q)
    if _exact(kappa, lip, D, r):
        return _scaled_power((_over_gap(D, kappa) * q + r) * max(1, lip) ** (q - 1), kappa, blocks)
    start = _over_gap(D, kappa) * q + r
    with np.errstate(over="ignore"):
        growth = np.float_power(max(1.0, float(lip)), q - 1)  # infinite beyond the range of floats
        return _scaled_power(0.0 if start == 0 else float(round_up(start * growth, q + 8)), kappa, blocks)


def p_mean(
    rho: Number, p: float, D: Number, n: ArrayLike, r: Number = 0, q: int = 1, rho_one: Number | None = None
) -> Numbers:
    """Upper bound on (E d^p)^(1/p) under contraction in p-mean, E Lip(T_1 … T_q)^p <= rho < 1.

    For p >= 1 this is `after_q` with rho^(1/p), by the triangle inequality in L^p. For p < 1 the same sum bounds E d^p,
    of which the root is taken. ``D`` is ‖d(θ, T θ)‖_p, and ``rho_one`` bounds E K^p (rho itself for q = 1).

    Raises
    ------
    ValueError
        If p is not positive, rho is not in [0, 1), or its root rounds to 1.
    """
    check_positive("p", p)
    check_factor(rho, "rho_p")
    single = rho if rho_one is None else rho_one
    if p >= 1:
        kappa, lip = (float(root_up(float(x), p)) for x in (rho, single))
        if kappa >= 1:
            raise ValueError(f"rho_p^(1/p) rounds to {kappa}: too near 1 for a bound in floats")
        return after_q(q, kappa, lip, float(D), n, float(r))
    sums = after_q(
        q, float(rho), float(single), float(round_up(float(D) ** p, 8)), n, float(round_up(float(r) ** p, 8))
    )
    return root_up(sums, p)


def prefix_tail(lipschitz: ArrayLike, displacements: ArrayLike) -> NDArray:
    """Sum over i = n+1 … N of Lip(T_1 … T_(i-1)) d(θ, T_i θ), for n = 0 … N.

    Parameters
    ----------
    lipschitz
        Bounds on Lip(T_1 … T_n) for n = 0 … N (the first is 1), shape (N+1, …).
    displacements
        d(θ, T_i θ) for i = 1 … N, shape (N, …).

    Returns
    -------
    ndarray
        Shape (N+1, …): bounds on d(θ_N, θ_n) for backward iterates. Object arrays of rationals stay exact.

    Raises
    ------
    ValueError
        Unless the number of Lipschitz constants is the number of displacements plus one.
    """
    L, d = np.asarray(lipschitz), np.asarray(displacements)
    if len(L) != len(d) + 1:
        raise ValueError(f"Lip(T_1 … T_n) is needed for n = 0 … N: got {len(L)} values for N = {len(d)} displacements")
    shape = np.broadcast_shapes(L.shape[1:], d.shape[1:])
    exact = L.dtype == object or d.dtype == object
    tail = np.zeros((len(L), *shape), dtype=object if exact else float)
    if exact:
        tail[:] = Fraction(0)
    if len(d):
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            terms = L[:-1] * d
            if not exact:
                terms = np.where((L[:-1] > 0) & (d > 0), np.nextafter(terms, np.inf), terms)
            tail[:-1] = np.cumsum(terms[::-1], axis=0)[::-1]
    return tail if exact else round_up(tail, 4 * len(L))


def product_tail(factors: ArrayLike, k: Number, D: Number) -> NDArray:
    """K_1 … K_n D / (1 - k), n = 0 … N: bounds d(θ*, θ_n); K_i of the drawn maps, k and D over the support."""
    check_factor(k)
    _check_size("D", D)
    K = np.asarray(factors)
    exact = K.dtype == object and _exact(k, D)
    if exact:
        products = np.ones((len(K) + 1, *K.shape[1:]), dtype=object)
        products[1:] = K
        return np.multiply.accumulate(products, axis=0) * _over_gap(D, k)
    products, far = products_up(K), float(_over_gap(D, k))
    with np.errstate(over="ignore", under="ignore"):
        return np.where((products > 0) & (far > 0), np.nextafter(round_up(products * far, 4), np.inf), 0.0)


def agreeing_orders(k: Number, D: Number, p: ArrayLike) -> Numbers:
    """2 k^p D / (1 - k): bounds the distance of two iterates that agree on the p outermost maps (row 71)."""
    return geometric(k, 2 * D, p)


def steps(k: float, C: float, eps: float) -> int:
    """Least n with C k^n <= eps (rounded up): ceil(ln(C/eps) / ln(1/k)), 0 if C <= eps."""
    check_factor(k)
    _check_size("C", C)
    check_positive("eps", eps)
    if eps >= C:
        return 0
    if k == 0:
        return 1
    n = max(0, math.floor((math.log(C) - math.log(eps)) / -math.log(k)) - 1)
    while _scaled_power(float(C), float(k), np.asarray(n)) > eps:
        n += 1
    return n
