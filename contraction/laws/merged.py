"""Exact laws of i.i.d. maps by merging atoms after every map: more maps than words can be enumerated.

The two recursions are different, so that comparing them says something: forward pushes the law of the point outward,
law(theta_n) = sum_i w_i law(T_i(theta_{n-1})); backward keeps the law of the composed map T_1 … T_n, x -> P x + q,
appends the innermost map, (P, q) -> (P A_i, q + P b_i), and meets theta_0 only at the end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from contraction.laws import _words
from contraction.laws.enumerate import _unpack, _weights
from contraction.laws.exact import ExactLaw
from contraction.orders import Backward, Forward, Order

__all__ = ["merged_law"]


def merged_law(
    maps: Any, n: int, theta0: Any = 0, *, order: Order | None = None, weights: Sequence[Any] | None = None
) -> ExactLaw:
    """The exact law of iterate n for i.i.d. rational affine maps, atoms merged after each map.

    Parameters
    ----------
    maps
        Pairs (A, b) with rational entries, or a family of them.
    n
        Number of maps: the cost is that of the atoms that stay distinct, not of the words.
    theta0
        The start: a rational, or a sequence of them.
    order
        `contraction.orders.Forward` (unless given) or `contraction.orders.Backward`.
    weights
        Of the maps, rational with sum one; None: equal.

    Raises
    ------
    TypeError
        If a map is a function: a composition of those can't be stored.
    ValueError
        If the order is neither forward nor backward.
    """
    listed, weights = _unpack(maps, weights)
    if any(map(callable, listed)):
        raise TypeError("merged_law needs affine maps as pairs (A, b); use exact_law for functions")
    forms = _words.scaled_maps(listed)
    chances, denominator = _words.integers(_weights(weights, len(listed)))
    order = order or Forward()
    if not isinstance(order, Forward | Backward):
        raise ValueError(f"merged_law knows Forward() and Backward(), got {order!r}; use exact_law for other orders")
    start, scale, scalar = _words.scale_start(forms, theta0)
    masses = np.array([1], dtype=object)
    if isinstance(order, Forward):
        values, steps = start[None], forms.steps(start, scale, n)[1]
        for step in steps:
            alpha, beta = step.alpha.astype(object), step.beta.astype(object)
            values = np.concatenate([values @ a.T + b for a, b in zip(alpha, beta, strict=True)])
            values, masses = _words.collect(values, np.concatenate([masses * c for c in chances]))
            values = values.astype(object)
        scale = steps[-1].after if steps else scale
        return ExactLaw.from_integers(values, scale, masses, denominator**n, scalar)
    d = len(start)
    rows = np.concatenate([np.eye(d, dtype=int).astype(object).ravel(), np.zeros(d, dtype=int).astype(object)])[None]
    p_scale = q_scale = 1  # P = rows[:, :d*d] / p_scale, q = rows[:, d*d:] / q_scale
    for _ in range(n):
        after = math.lcm(q_scale, p_scale * forms.R)
        P, q = rows[:, : d * d].reshape(-1, d, d), rows[:, d * d :] * (after // q_scale)
        factor = after // (p_scale * forms.R)
        pieces = [
            np.concatenate([(P @ a).reshape(-1, d * d), q + factor * (P @ b)], axis=1)
            for a, b in zip(forms.alpha, forms.beta, strict=True)
        ]
        rows, masses = _words.collect(np.concatenate(pieces), np.concatenate([masses * c for c in chances]))
        rows, masses = rows.astype(object), masses.astype(object)
        p_scale, q_scale = p_scale * forms.Q, after
    after = math.lcm(q_scale, p_scale * scale)
    P, q = rows[:, : d * d].reshape(-1, d, d), rows[:, d * d :]
    values = (P @ start) * (after // (p_scale * scale)) + q * (after // q_scale)
    return ExactLaw.from_integers(values, after, masses, denominator**n, scalar)
