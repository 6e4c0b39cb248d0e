"""Known properties of the law of T_1, T_2, …: whether it is ergodic, and whether words of n maps are reversible.

The answers come from rules for each class of laws. `IndexLaw.is_reversible` enumerates all words; tests compare the
rules with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import cast

from contraction.families.index_laws import (
    IID,
    Cyclic,
    ExchangeableMixture,
    IndexLaw,
    Reshuffled,
    ShuffledOnce,
)
from contraction.families.markov_modulated import MarkovModulated
from contraction.maps.operators import RandomOperator
from contraction.maps.rounding import EPS
from contraction.types import Number

__all__ = ["index_law", "is_reversible_chain", "why_not_ergodic", "why_not_reversible"]


def index_law(family: RandomOperator) -> IndexLaw | None:
    """Return the law of the word of maps; None if the maps are not independent and no such law is known."""
    law = cast("IndexLaw | None", family.index_law)
    if law is None and family.is_iid:
        return IID(1)
    return law


def why_not_ergodic(law: IndexLaw | None) -> str | None:
    """Why averages along one word need not be averages over the law; None if they are."""
    if law is None:
        return "the law of its maps is not known: they are not declared independent and have no index law"
    if isinstance(law, IID | Reshuffled | Cyclic):
        return None
    if isinstance(law, MarkovModulated):
        return None if _recurs_to_one_class(law.P) else f"{law!r} has several classes of letters that it never leaves"
    if isinstance(law, ExchangeableMixture):
        return None if len(set(law.components)) == 1 else f"{law!r} draws one component for the whole word"
    if isinstance(law, ShuffledOnce):
        return None if law.size <= 2 else f"{law!r} draws one order of the maps for the whole word"
    return f"whether {law!r} is ergodic is not known"


def why_not_reversible(law: IndexLaw | None, n: int) -> str | None:
    """Why (T_1 … T_n) and (T_n … T_1) need not have the same law; None if they have (row 39).

    For user-defined laws the words are enumerated, if that is possible.
    """
    if law is None:
        return "the law of its maps is not known: they are not declared independent and have no index law"
    if n <= 1 or law.size == 1 or isinstance(law, IID | ExchangeableMixture | ShuffledOnce):
        return None
    if isinstance(law, Reshuffled):
        if n <= law.size or n % law.size == 0:
            return None
        N = law.size
        return f"fresh shuffles of {N} maps have the law of their reversal only for n ≤ {N} and where {N} divides n"
    if isinstance(law, Cyclic):
        if law.size == 2 and n % 2:
            return None
        return f"a cyclic order of {law.size} maps is one fixed word, which differs from its reversal"
    if isinstance(law, MarkovModulated):
        return None if is_reversible_chain(law) else f"{law!r} is not a stationary reversible chain"
    try:
        reversible = law.is_reversible(n)
    except (TypeError, ValueError) as error:
        return f"whether {law!r} is reversible at n = {n} cannot be enumerated ({error})"
    return None if reversible else f"words of {law!r} are not reversible in law at n = {n}"


def is_reversible_chain(law: MarkovModulated) -> bool:
    """Whether p_a P_ab = p_b P_ba for the first letter's law p (detailed balance), exactly or up to rounding."""
    letters = range(law.size)
    for a in letters:
        for b in letters:
            there, back = law.initial[a] * law.P[a][b], law.initial[b] * law.P[b][a]
            exact = isinstance(there, Fraction) and isinstance(back, Fraction)
            if there != back and (exact or abs(there - back) > 4 * EPS * max(there, back)):
                return False
    return True


def _recurs_to_one_class(P: Sequence[Sequence[Number]]) -> bool:
    """Whether a chain has a single recurrent class, that is, all letters lead to a common letter."""
    size = len(P)
    reach = [{a} | {b for b in range(size) if P[a][b] > 0} for a in range(size)]
    for _ in range(size):
        reach = [set().union(*(reach[b] for b in reached)) for reached in reach]
    return bool(set.intersection(*reach))
