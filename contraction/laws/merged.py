"""Exact laws of i.i.d. maps by merging atoms after every map, for more maps than enumeration of words allows.

The two orders use different recursions, so that comparing their laws is a real test. Forward updates the law of the
point, law(θ_n) = sum_i w_i law(T_i(θ_{n-1})). Backward updates the law of the composed map T_1 … T_n,
x -> P x + q, by appending the innermost map, (P, q) -> (P A_i, q + P b_i), and applies it to θ_0 only at the end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from contraction.arguments import check_integer
from contraction.laws import _words
from contraction.laws.draws import ExactMaps, affine_pairs, independent_maps
from contraction.laws.exact import ExactLaw
from contraction.maps.orders import Backward, Forward, Order
from contraction.types import Exact, Numbers

__all__ = ["merged_law"]


def merged_law(
    maps: ExactMaps, n: int, theta0: Numbers = 0, *, order: Order | None = None, weights: Sequence[Exact] | None = None
) -> ExactLaw:
    """Return the exact law of iterate n for i.i.d. rational affine maps, atoms merged after each map.

    Parameters
    ----------
    maps
        Pairs (A, b) with rational entries, or a family of them.
    n
        Number of maps. The cost grows with the number of distinct atoms, not with the number of words.
    theta0
        The start: a rational number, or a sequence of rational numbers.
    order
        `contraction.maps.orders.Forward` (default) or `contraction.maps.orders.Backward`.
    weights
        Probabilities of the maps, rational with sum one (default: equal).

    Raises
    ------
    TypeError
        If a map is a function, because compositions of functions cannot be merged.
    ValueError
        If the order is neither forward nor backward.

    Examples
    --------
    >>> from fractions import Fraction
    >>> from contraction import laws
    >>> half = Fraction(1, 2)
    >>> laws.merged_law([(half, Fraction(0)), (half, half)], 10).mean()
    Fraction(1023, 2048)
    """
    n = check_integer("the number of maps n", n)
    listed, probabilities = independent_maps(maps, weights)
    pairs = affine_pairs(listed)
    if pairs is None:
        raise TypeError("merged_law needs affine maps as pairs (A, b); use exact_law for functions")
    forms = _words.scaled_maps(pairs)
    chances, denominator = _words.integers(probabilities)
    order = order or Forward()
    if not isinstance(order, Forward | Backward):
        raise ValueError(f"merged_law takes Forward() or Backward(), got {order!r}; use exact_law for other orders")
    start, scale, scalar = _words.scale_start(forms, theta0)
    total = denominator**n
    masses = _words.array([1], total)
    if isinstance(order, Forward):
        point, steps = forms.steps(start, scale, n)
        values = point[None]
        for step in steps:
            values = np.concatenate([values @ a.T + b for a, b in zip(step.alpha, step.beta, strict=True)])
            values, masses = _words.collect(values, np.concatenate([masses * c for c in chances]))
        scale = steps[-1].after if steps else scale
    else:
        values, scale, masses = _composed(forms, start, scale, n, masses, chances)
    return ExactLaw.from_integers(values, scale, masses, total, scalar)


def _composed(
    forms: _words.ScaledMaps, start: NDArray, scale: int, n: int, masses: NDArray, chances: list[int]
) -> tuple[NDArray, int, NDArray]:
    """Values (K, d), their scale and masses of T_1 … T_n θ_0, from the law of the composed map."""
    d = len(start)
    row_sum, shift = int(np.abs(forms.alpha).sum(axis=-1).max()), int(np.abs(forms.beta).max())
    size_P, size_q, p_scale, q_scale = 1, 0, 1, 1
    plan = []
    for _ in range(n):
        after = math.lcm(q_scale, p_scale * forms.R)
        plan.append((after // q_scale, after // (p_scale * forms.R)))
        size_q = size_q * plan[-1][0] + d * size_P * shift * plan[-1][1]
        size_P, p_scale, q_scale = size_P * d * row_sum, p_scale * forms.Q, after
    after = math.lcm(q_scale, p_scale * scale)
    to_P, to_q = after // (p_scale * scale), after // q_scale
    largest = max(size_q * to_q + d * size_P * to_P * max(abs(int(x)) for x in start), size_P, size_q, row_sum, shift)
    largest = max([largest, to_P, to_q, *(f for pair in plan for f in pair)])
    alpha, beta = _words.array(forms.alpha, largest), _words.array(forms.beta, largest)
    rows = _words.array([*np.eye(d, dtype=int).ravel().tolist(), *[0] * d], largest)[
        None
    ]  # each row is P and q of one map
    for grow, factor in plan:
        P, q = rows[:, : d * d].reshape(-1, d, d), rows[:, d * d :] * grow
        pieces = [
            np.concatenate([(P @ a).reshape(-1, d * d), q + factor * (P @ b)], axis=1)
            for a, b in zip(alpha, beta, strict=True)
        ]
        rows, masses = _words.collect(np.concatenate(pieces), np.concatenate([masses * c for c in chances]))
    P, q = rows[:, : d * d].reshape(-1, d, d), rows[:, d * d :]
    return (P @ _words.array(start, largest)) * to_P + q * to_q, after, masses
