"""Constants with their origin, which decides whether they support a certificate or only an estimate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from contraction.arguments import check_choice, check_real
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

    Examples
    --------
    >>> import contraction as ct
    >>> ct.families.QuadraticSGD(h=0.1).contraction
    Constant(value=0.9, origin='proved', source='|1 - h|, an equality (Section 3.1)')
    >>> mine = ct.RandomOperator(lambda rng: rng.normal(), lambda x, u: 0.5 * x + u, contraction=0.5)
    >>> mine.contraction.origin
    'declared'
    """

    value: float
    origin: Origin
    source: str

    def __post_init__(self) -> None:
        check_choice("the origin of a constant", self.origin, get_args(Origin))
        try:
            check_real("a constant", self.value)
        except ValueError as error:
            seen = "NaN" if isinstance(self.value, float) else repr(self.value)
            raise ValueError(f"a constant must be a number, got {seen} from {self.source}") from error

    def __float__(self) -> float:
        return float(self.value)
