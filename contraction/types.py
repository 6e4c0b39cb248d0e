"""Type aliases for what Python's types cannot express: numbers that may be exact, arrays of them, points and draws."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

if TYPE_CHECKING:
    from typing_extensions import override
else:  # Python 3.12 has it in `typing`
    _Method = TypeVar("_Method")

    def override(method: _Method) -> _Method:
        """Mark a method that overrides one of a base class, whose docstring it shares; type checkers verify this."""
        return method


__all__ = ["Atom", "Draw", "Exact", "Number", "Numbers", "RowLoss", "Scalar", "Vector", "override"]

# Each `Any` below stands for values that share operations but not a base class: numbers of Python, NumPy, mpmath, SymPy
# and torch, arrays of them, and whatever a user's family draws. A union of them does not help: type checkers accept an
# operation on a union only if every pair of its members supports it.

#: A point of an exact law: a Fraction, a tuple of Fractions, or another hashable value of the maps.
Atom: TypeAlias = Any
#: One draw of a family: what `RandomOperator.draw_block` returns and `RandomOperator.apply` takes.
Draw: TypeAlias = Any
#: An exact number.
Exact: TypeAlias = int | Fraction
#: A number; results that depend only on exact numbers are exact.
Number: TypeAlias = int | Fraction | float
#: A `Number`, or an array or nested sequence of them (an object array holds Fractions).
Numbers: TypeAlias = Any
#: A number of any kind, those of mpmath and SymPy and tensors of one element included.
Scalar: TypeAlias = Any
#: ``loss(theta, *row)`` -> number, written for one row of data.
RowLoss: TypeAlias = Callable[..., Scalar]
#: A point or a direction: an array of floats, an object array (Fractions, SymPy expressions), a torch tensor or a
#: `contraction.expansions.Series`: whatever can be added, and multiplied by numbers.
Vector: TypeAlias = Any
