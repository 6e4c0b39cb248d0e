"""Names for what type checkers cannot say: numbers of any exact type, and whatever a family draws."""

from __future__ import annotations

from typing import Any, TypeAlias

__all__ = ["Draw", "Number", "Numbers"]

#: One draw of a family: what `RandomOperator.draw_block` returns and `RandomOperator.apply` takes.
Draw: TypeAlias = Any
#: An int, a Fraction or a float; what is computed from rational numbers alone is exact.
Number: TypeAlias = Any
#: A `Number`, or an array of them (object arrays hold Fractions).
Numbers: TypeAlias = Any
