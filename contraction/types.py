"""Type aliases that type checkers cannot express in detail: numbers of any exact type, and draws of a family."""

from __future__ import annotations

from typing import Any, TypeAlias

__all__ = ["Draw", "Number", "Numbers"]

#: One draw of a family: what `RandomOperator.draw_block` returns and `RandomOperator.apply` takes.
Draw: TypeAlias = Any
#: An int, a Fraction or a float; results that depend only on rational numbers are exact.
Number: TypeAlias = Any
#: A `Number`, or an array of them (object arrays hold Fractions).
Numbers: TypeAlias = Any
