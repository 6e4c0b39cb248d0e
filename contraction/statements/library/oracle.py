"""A public function, the computation it is compared with, and a faulty version that the check must refuse."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from contraction.statements.records import Verdict
from contraction.types import Scalar

__all__ = ["Bend", "Check", "Function", "Oracle"]

#: A public function of the toolkit, of any signature.
Function: TypeAlias = Callable[..., Scalar]
#: The verdict on a function, for a seed.
Check: TypeAlias = Callable[[Function, int], Verdict]
#: A function with one fault, made from the right one.
Bend: TypeAlias = Callable[[Function], Function]


@dataclass(frozen=True)
class Oracle:
    """A public function against an independent computation.

    Attributes
    ----------
    function : str
        Its full name, such as "contraction.certify".
    against : str
        The independent computation that it is compared with, in one line.
    check : callable
        ``check(function, seed)``: the verdict on this function.
    wrong : str
        The fault of the faulty version, in a few words.
    bent : callable
        ``bent(function)``: the function with this fault.
    """

    function: str
    against: str
    check: Check
    wrong: str
    bent: Bend

    @property
    def name(self) -> str:
        """The name without its module, such as "certify"."""
        return self.function.rpartition(".")[2]

    def load(self) -> Function:
        """Import the function."""
        module, _, name = self.function.rpartition(".")
        return getattr(importlib.import_module(module), name)

    def run(self, seed: int = 0) -> Verdict:
        """Check the function and return the verdict under its name."""
        result = self.check(self.load(), seed)
        return replace(result, statement=self.name, rows=(), hypotheses=self.against, seed=seed)

    def detected(self, seed: int = 0) -> bool:
        """Whether the check refuses the faulty version."""
        return not self.check(self.bent(self.load()), seed).holds
