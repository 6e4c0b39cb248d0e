"""Bounds on the remainder of an expansion, and observed orders of the remainder.

With M_m = sup ‖V_i^(m)‖ over all i on the ball B(θ, nhM_0), m = 0 … p (M_0 = G, M_1 = L), every word of n maps has

    ‖T_word(θ) − Σ_{q≤p} E_q h^q‖ ≤ h^{p+1} Σ_{|τ|=p+1} N_n(τ)/σ(τ) Π_{nodes} M_{number of children},

N_n(τ) the number of increasing maps of τ into n positions: the next coefficient, with each field replaced by its
bound. For p = 2 it is h³[C(n,3)L²G + (n−1)n(2n−1)/12·M_2G²]; it grows as (nh)^{p+1}.

Proof, by induction on p for V_u along the word: in Taylor's formula of V_u at θ to order p − 1 the last term is at most
M_p/p!·‖δ‖^p with ‖δ‖ ≤ (n−u)hG, and a product a·b of truncated series leaves Σ_i a_i h^i·r_{p−i}(b) + r_p(a)·b; both
are dominated term by term by the recursion that defines the sum over trees.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence, Sized
from fractions import Fraction
from itertools import pairwise
from math import prod

import numpy as np

from contraction.arguments import check_function
from contraction.expansions.coefficients import check_order_of_expansion
from contraction.expansions.fields import check_not_negative, check_not_text
from contraction.expansions.trees import RootedTree, increasing_maps, rooted_trees, symmetry
from contraction.maps.rounding import as_exact, fraction_up
from contraction.types import Scalar

__all__ = ["difference_remainder_bound", "majorant_coefficient", "observed_orders", "remainder_bound"]


def majorant_coefficient(n: int, order: int, bounds: Sequence[Scalar]) -> Scalar:
    """Return Σ_{|τ|=order} N_n(τ)/σ(τ) Π M_{children}: a bound of ‖E_order‖ for any word of n maps.

    The sum over trees is that of Lemma C.1 at every order (row 56).

    Parameters
    ----------
    n
        Length of the word.
    order
        Number of nodes, at least 1.
    bounds
        M_0, M_1, …, M_{order−1}: suprema of ‖V‖, ‖V'‖ (operator norm), ‖V''‖, … Numbers of any exact or
        inexact kind; the result is rounded up where they are floats.

    Raises
    ------
    ValueError
        If there are fewer than ``order`` bounds or one is negative.

    Examples
    --------
    >>> from contraction.expansions import majorant_coefficient
    >>> G, L, M2 = 2, 3, 5  # bounds of |V|, |V'| and |V''|
    >>> majorant_coefficient(4, 3, [G, L, M2])  # n = 4 maps: C(4, 3) L²G + (3 · 4 · 7/12) M2 G²
    212.0
    """
    _check_bounds(order, bounds)
    return _scaled_sum(n, 1, 0, order, bounds)


def _check_bounds(order: int, bounds: Sequence[Scalar]) -> None:
    check_order_of_expansion(order)
    if isinstance(bounds, str | bytes) or not isinstance(bounds, Sized):
        raise ValueError(f"the bounds M_0, M_1, … must be a list of numbers, got {bounds!r}")
    for k, bound in enumerate(bounds):
        check_not_negative(f"the bound M_{k}", bound)
    if len(bounds) < order:
        raise ValueError(f"order {order} needs the {order} bounds M_0 … M_{order - 1}, got {bounds!r}")


def _scaled_sum(n: int, h: Scalar, power: int, order: int, bounds: Sequence[Scalar]) -> Scalar:
    """h^power Σ_{|τ|=order} N_n(τ)/σ(τ) Π M_{children}; a product with a factor 0 is 0, and floats are rounded up."""
    used = (h, *bounds[:order])
    exact = all(isinstance(x, Fraction) for x in used[1:]) and isinstance(h, int | Fraction)
    floats = not exact and all(isinstance(x, int | float | Fraction | np.integer | np.floating) for x in used)
    finite = not floats or all(math.isfinite(x) for x in used)

    def factors(tree: RootedTree) -> list[Scalar]:
        return [bounds[len(tree)], *(x for child in tree for x in factors(child))]

    terms = [(factors(tree), increasing_maps(tree, n), symmetry(tree)) for tree in rooted_trees(order)]
    live = [(M, count, share) for M, count, share in terms if count and all(x != 0 for x in M)]
    if floats and finite:
        total = sum((prod(map(as_exact, M)) * Fraction(count, share) for M, count, share in live), Fraction(0))
        return fraction_up(as_exact(h) ** power * total)
    if floats:
        return math.inf if live and h != 0 else 0.0
    total = sum(prod(M) * count / share for M, count, share in live)
    return h**power * total if power else total


def remainder_bound(n: int, h: Scalar, order: int, bounds: Sequence[Scalar]) -> Scalar:
    """Return the bound of ‖T_word(θ) − expansion to ``order``‖ for a word of n maps (see the module docstring).

    It makes the O(h³) of Lemma C.1 explicit, at every order (row 56).

    Parameters
    ----------
    n, h
        Length of the word; learning rate, at least 0.
    order
        Order p of the expansion, at least 1.
    bounds
        M_0, …, M_p on the ball of radius n·h·M_0 about θ. If V^(p−1) is only Lipschitz, M_p is its Lipschitz constant.

    Raises
    ------
    ValueError
        If h < 0, or bounds are missing or negative.

    Examples
    --------
    >>> from contraction.expansions import remainder_bound
    >>> [f"{remainder_bound(10, h, 2, [1.0, 1.0, 1.0]):.2e}" for h in (0.01, 0.001)]  # falls as h³
    ['2.63e-04', '2.63e-07']
    """
    check_not_negative("the learning rate h", h)
    _check_bounds(check_order_of_expansion(order) + 1, bounds)
    return _scaled_sum(n, h, order + 1, order + 1, bounds)


def difference_remainder_bound(n: int, h: Scalar, order: int, bounds: Sequence[Scalar]) -> Scalar:
    """Return the bound for the difference of two words of n maps (Theorem C.2): twice `remainder_bound`.

    Examples
    --------
    >>> from contraction.expansions import difference_remainder_bound
    >>> f"{difference_remainder_bound(10, 0.001, 2, [1.0, 1.0, 1.0]):.2e}"  # ten maps, all bounds equal to 1
    '5.25e-07'
    """
    return 2 * remainder_bound(n, h, order, bounds)


def observed_orders(error: Callable[[Scalar], Scalar], steps: Sequence[Scalar]) -> list[Scalar]:
    """Return the slopes of log error against log h between consecutive steps.

    Parameters
    ----------
    error
        h → non-negative error, with the precision of h (use mpmath numbers to avoid rounding at small h).
    steps
        Strictly decreasing positive learning rates.

    Returns
    -------
    list of mpmath numbers
        One for each consecutive pair; ``inf`` where the later error is 0.

    Raises
    ------
    TypeError
        If ``error`` is not a function, or the steps are not a list.
    ValueError
        If the steps are not numbers that strictly decrease and stay positive, or are fewer than two, or if an error is
        not a number of at least 0.

    Examples
    --------
    >>> from contraction import expansions as ex
    >>> [round(slope, 6) for slope in ex.observed_orders(lambda h: 5 * h**3, [0.1, 0.05, 0.025])]
    [3.0, 3.0]
    """
    import mpmath

    check_function("error", error, "of a learning rate h")
    if isinstance(steps, str | bytes) or not isinstance(steps, Sized):
        raise TypeError(f"steps must be a list of learning rates, got {steps!r}")
    for step in steps:
        check_not_text("each of the steps", step)
    if len(steps) < 2 or any(not a > b > 0 for a, b in pairwise(steps)):
        raise ValueError(f"steps must strictly decrease and stay positive, got {list(steps)!r}")
    errors = [error(h) for h in steps]
    for value in errors:
        check_not_negative("an error", value)
    return [
        mpmath.inf if not b else mpmath.log(a / b) / mpmath.log(s / t)
        for (a, b), (s, t) in zip(pairwise(errors), pairwise(steps), strict=True)
    ]
