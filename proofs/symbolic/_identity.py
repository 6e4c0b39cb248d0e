"""Identities that SymPy proves, each with a wrong neighbour that it must not prove."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

__all__ = ["Identity", "is_zero"]


def is_zero(expression: Any) -> bool:
    """Whether SymPy proves that an expression (or every entry of a matrix) is identically zero."""
    if isinstance(expression, sp.MatrixBase):
        return all(is_zero(entry) for entry in expression)
    expression = sp.expand(sp.sympify(expression))
    return expression == 0 or sp.simplify(expression) == 0


@dataclass(frozen=True)
class Identity:
    """left = right, proved by reducing left - right to zero.

    Attributes
    ----------
    name : str
        What is proved, in one line.
    pairs : sequence of (left, right)
        Both sides; an induction gives its base and its step.
    wrong : sequence of (left, right)
        Neighbours that are false (a sign, an index, an h): ``proves_wrong`` must be False.
    reduce : callable
        How a difference is shown to vanish; `is_zero` unless something is to be assumed.
    """

    name: str
    pairs: Sequence[tuple[Any, Any]]
    wrong: Sequence[tuple[Any, Any]]
    reduce: Callable[[Any], bool] = field(default=is_zero, repr=False)

    def holds(self) -> bool:
        """Whether every pair is proved equal."""
        return all(self.reduce(left - right) for left, right in self.pairs)

    def proves_wrong(self) -> bool:
        """Whether any wrong neighbour is proved: a defect of the proof."""
        return any(self.reduce(left - right) for left, right in self.wrong)
