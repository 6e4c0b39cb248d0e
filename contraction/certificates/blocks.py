"""Bounds from blocks of q maps that also use the norms of shorter words.

With L_j the largest norm of words of length j (L_0 = 1) and kappa that of length q,
Lip(T_1 … T_m) <= kappa^a L_s for m = a q + s, s < q. So the sum of D Lip(T_1 … T_m) over m >= n = a q + s is at most
D kappa^a [L_s + … + L_(q-1) + kappa/(1 - kappa) (L_0 + … + L_(q-1))].
In p-mean, for independent maps and p >= 1, L_j is the p-norm (E Lip(T_1 … T_j)^p)^(1/p). For p < 1 the same bound holds
for E d^p with L_j = E Lip(T_1 … T_j)^p.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from contraction.certificates.bounds import check_factor, check_index, scaled_power
from contraction.maps.rounding import TINY, root_up, round_down, round_up
from contraction.types import Numbers

__all__ = ["after_blocks", "p_after_blocks"]


def after_blocks(shorter: Sequence[float], kappa: float, D: float, n: ArrayLike, r: float = 0.0) -> Numbers:
    """Bound on d(θ*, θ_n): the sum in the module docstring, plus r Lip(T_1 … T_n) for a start at distance r.

    Parameters
    ----------
    shorter
        L_0 = 1, L_1, …, L_(q-1).
    kappa
        L_q < 1.
    D
        Supremum of d(θ, T θ) over the support.
    n
        An integer >= 0, or an array of them.
    r
        Distance from θ to the start.

    Returns
    -------
    float or ndarray
        The bound, rounded up.

    Examples
    --------
    >>> [round(float(after_blocks([1.0], 0.5, 1.0, n)), 6) for n in (0, 1)]
    [2.0, 1.0]
    """
    check_factor(kappa, "kappa")
    n = check_index(n)
    L = np.array(shorter, dtype=float)
    q = len(L)
    blocks, rest = n // q, n % q
    whole = 0.0 if kappa == 0 else float(round_up(kappa / round_down(1 - kappa))) * float(L.sum())
    later = np.cumsum(L[::-1])[::-1][rest]  # L_s + … + L_(q-1)
    with np.errstate(under="ignore", over="ignore"):
        C = D * (later + whole) + r * L[rest]
        C = np.where((C == 0) & ((D > 0) & (later + whole > 0) | (r > 0) & (L[rest] > 0)), TINY, C)
    return scaled_power(round_up(C, 3 * q + 12), float(kappa), blocks)


def p_after_blocks(shorter: Sequence[float], kappa: float, p: float, D: float, n: ArrayLike, r: float = 0.0) -> Numbers:
    """`after_blocks` in p-mean: ``shorter`` and ``kappa`` are E Lip(T_1 … T_j)^p, D is ‖d(θ, T θ)‖_p."""
    if p >= 1:
        norms = [float(root_up(float(x), p)) for x in (*shorter, kappa)]
        if norms[-1] >= 1:
            raise ValueError(f"kappa^(1/p) rounds to {norms[-1]}: too near 1 for a bound in floats")
        return after_blocks(norms[:-1], norms[-1], D, n, r)
    sums = after_blocks(shorter, kappa, float(round_up(D**p, 8)), n, float(round_up(r**p, 8)))
    return root_up(sums, p)
