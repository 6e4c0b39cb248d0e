"""Constants with their origin, which decides whether they support a certificate or only an estimate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from contraction.values import Value

__all__ = ["Constant", "Origin"]

Origin = Literal["proved", "declared", "drawn", "measured"]


@dataclass(frozen=True, eq=False)
class Constant(Value):
    """A number with its origin and a one-line justification.

    Attributes
    ----------
    value : float
        The constant; ``inf`` where the supremum is infinite.
    origin : {"proved", "declared", "drawn", "measured"}
        Proved for the family, declared by the user, the exact value over the maps that were drawn, or measured. A
        measured constant is only a lower bound, so it supports an estimate but never a certificate.
    source : str
        The formula, statement or call behind the value.
    """

    value: float
    origin: Origin
    source: str

    def __post_init__(self) -> None:
        if math.isnan(self.value):
            raise ValueError(f"a constant must be a number, got NaN from {self.source}")

    def __float__(self) -> float:
        return float(self.value)
