"""Which orders have convergent iterates, whatever the contractions (Section 5).

Assume that the maps have a common factor k < 1 and that d(θ_0, T_i θ_0) <= D. If the words of two iterates,
written out from θ_0, agree on their p outermost maps, the distance of the iterates is at most 2 k^p D/(1-k). So the
iterates converge if, for each p, the p outermost maps no longer change from some iterate on. In the backward order the
p outermost maps never change from iterate p on, but it is not the only order that converges. If the outermost map never
stops changing, the iterates need not converge; those of constant maps with different values do not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from contraction.arguments import check_integer
from contraction.maps.errors import DeclarationRefuted
from contraction.maps.orders import (
    Backward,
    CustomOrder,
    Epochs,
    Forward,
    Late,
    Order,
    PairedReversal,
    Repeated,
    Reset,
    Windowed,
    check_order,
    full_word,
)
from contraction.maps.rounding import geometric_tail
from contraction.types import Number
from contraction.values import Value

__all__ = ["OrderConvergence", "order_convergence"]

Answer = Literal["converges", "does not converge", "unknown"]


@dataclass(frozen=True, eq=False)
class OrderConvergence(Value):
    """Whether the iterates of an order converge for all maps that satisfy the hypotheses of Theorem 2.2.

    Attributes
    ----------
    verdict : {"converges", "does not converge", "unknown"}
        "does not converge" means that for some such maps, for example constant ones, the iterates have no limit.
    reason : str
        The reason for the verdict.
    agreement : tuple of int
        Entry n (from 0 to ``horizon``): the number of outermost maps that iterate n shares with every later iterate up
        to ``horizon``.
    horizon : int
        The last iterate whose word was examined.

    Examples
    --------
    >>> import contraction as ct
    >>> answer = ct.order_convergence(ct.Backward(), horizon=5)
    >>> answer.verdict, answer.agreement
    ('converges', (0, 1, 2, 3, 4, 5))
    >>> answer.bound(5, k=0.5, D=1.0)  # 2 · 0.5⁵ · 1/(1 - 0.5)
    0.125
    >>> answer = ct.order_convergence(ct.Forward(), horizon=5)
    >>> answer.verdict, answer.reason
    ('does not converge', 'its outermost map changes at every iterate')
    """

    verdict: Answer
    reason: str
    agreement: tuple[int, ...]
    horizon: int

    def bound(self, n: int, k: Number, D: Number) -> Number:
        """2 k^p D/(1-k), p = agreement[n]: bounds the distance from iterate n to each later one up to ``horizon``.

        Exact for Fractions, else rounded up.

        Parameters
        ----------
        n
            Index of an iterate, 0 … horizon.
        k, D
            The common factor, 0 <= k < 1, and the bound on d(θ_0, T_i θ_0).

        Raises
        ------
        ValueError
            If n is beyond the horizon, or a constant is not in its range.
        """
        if check_integer("n", n) > self.horizon:
            raise ValueError(f"n must be at most the horizon {self.horizon}, got {n}")
        if not (0 <= k < 1 and D >= 0 and math.isfinite(D)):
            raise ValueError(f"needs 0 <= k < 1 and a finite D >= 0, got k = {k!r} and D = {D!r}")
        return 2 * geometric_tail(k, self.agreement[n], D)

    def __str__(self) -> str:
        half = self.horizon // 2
        shared = self.agreement[half]
        its = {0: "no outermost map", 1: "its outermost map"}.get(shared, f"its {shared} outermost maps")
        return f"{self.verdict}: {self.reason}; iterate {half} shares {its} with all later ones up to {self.horizon}"


def order_convergence(order: Order, horizon: int = 64) -> OrderConvergence:
    """Decide whether the iterates of an order converge under the hypotheses of Theorem 2.2.

    The answer is known for the orders of `contraction.maps.orders`. For other orders no finite number of words decides,
    and the verdict is "unknown" unless a `CustomOrder` declares with ``settles`` when its outermost maps stop changing.
    Row 71 of the audit proves that iterates converge if they do.

    Parameters
    ----------
    order
        Any object with ``anchor(n)`` and ``word(n)``.
    horizon
        The function examines the words of iterates 0 … horizon; at least 1 (default: 64).

    Returns
    -------
    OrderConvergence

    Raises
    ------
    DeclarationRefuted
        If ``settles`` is violated by a word up to the horizon.
    ValueError, TypeError
        If the order is malformed, or the horizon is not an integer of at least 1.

    References
    ----------
    Dherin, B., et al. (2025). Training in reverse. arXiv:2502.01557v1, Theorem 2.2.

    Examples
    --------
    >>> from contraction.maps.orders import CustomOrder, Windowed
    >>> from contraction import order_convergence
    >>> order_convergence(Windowed(5)).verdict
    'does not converge'
    >>> swapped = lambda n: (1,) if n == 1 else (2, 1, *range(3, n + 1))
    >>> order_convergence(CustomOrder(swapped)).verdict
    'unknown'
    >>> order_convergence(CustomOrder(swapped, settles=lambda p: max(p, 2))).verdict
    'converges'
    """
    check_integer("the horizon", horizon, 1)
    check_order(order, range(horizon + 1))
    words = [full_word(order, n) for n in range(horizon + 1)]
    agreement = tuple(min(_common(words[n], words[m]) for m in range(n, horizon + 1)) for n in range(horizon + 1))
    verdict, reason = _decided(order, words, agreement)
    return OrderConvergence(verdict, reason, agreement, horizon)


def _common(first: list[int], second: list[int]) -> int:
    """Return how many outermost maps two words share."""
    for p, (a, b) in enumerate(zip(first, second, strict=False)):
        if a != b:
            return p
    return min(len(first), len(second))


def _decided(order: Order, words: list[list[int]], agreement: tuple[int, ...]) -> tuple[Answer, str]:
    if type(order) in (Backward, PairedReversal, Repeated):
        return "converges", "its j-th outermost map is T_j from iterate j on"
    if type(order) is Reset:
        last = max(order.points, default=0)
        return "converges", f"it is backward from iterate {last} on, and is reset no more"
    if type(order) is Late:
        return "converges", f"it is backward from iterate {order.s} on"
    if type(order) is Forward:
        return "does not converge", "its outermost map changes at every iterate"
    if type(order) is Windowed:
        return "does not converge", "its outermost map changes at every window"
    if type(order) is Epochs:
        if order.N == 1:
            return "converges", "it applies one map again and again, as Banach's theorem does"
        return "does not converge", "its outermost map goes on changing in every epoch"
    if type(order) is CustomOrder and order.settles is not None:
        return _declared(order, words, agreement)
    return "unknown", "no finite number of words tells whether its outermost maps stop changing"


def _declared(order: CustomOrder, words: list[list[int]], agreement: tuple[int, ...]) -> tuple[Answer, str]:
    """Check the declaration p -> n against every word up to the horizon."""
    assert order.settles is not None
    p, horizon = 1, len(words) - 1
    while p <= len(words[-1]):
        n = check_integer(f"settles({p})", order.settles(p))
        if n > horizon:
            break
        if agreement[n] < p:
            m = next(m for m in range(n, horizon + 1) if _common(words[n], words[m]) < p)
            maps, they = ("outermost map is", "it is") if p == 1 else (f"{p} outermost maps are", "they are")
            raise DeclarationRefuted(
                f"settles({p}) = {n} declares that the {maps} the same from iterate {n} on, but {they} "
                f"{words[n][:p]} at iterate {n} and {words[m][:p]} at iterate {m}"
            )
        p += 1
    if p == 1:
        return "unknown", f"settles(1) = {order.settles(1)} is beyond the words that were looked at"
    seen = "outermost one" if p == 2 else f"{p - 1} outermost"
    return "converges", f"its outermost maps stop changing, as declared and as seen for the {seen}"
