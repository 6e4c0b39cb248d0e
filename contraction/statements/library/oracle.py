"""One public function, what it is held to, and a bent version that the check must refuse."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from contraction.statements.records import Verdict

__all__ = ["Function", "Oracle"]

Function = Callable[..., Any]


@dataclass(frozen=True)
class Oracle:
    """A public function against an independent computation.

    Attributes
    ----------
    function : str
        Its full name, "contraction.certify".
    against : str
        What it is held to, in one line.
    check : callable
        ``check(function, seed)``: the verdict on this function.
    wrong : str
        What the bent version does, in a few words.
    bent : callable
        ``bent(function)``: another function that does one thing wrong.
    """

    function: str
    against: str
    check: Callable[[Function, int], Verdict]
    wrong: str
    bent: Callable[[Function], Function]

    @property
    def name(self) -> str:
        """Its last name, "certify"."""
        return self.function.rpartition(".")[2]

    def load(self) -> Function:
        """The function itself."""
        module, _, name = self.function.rpartition(".")
        return getattr(importlib.import_module(module), name)

    def run(self, seed: int = 0) -> Verdict:
        """The verdict on the function, under its own name."""
        found = self.check(self.load(), seed)
        return replace(found, statement=self.name, rows=(), hypotheses=self.against, seed=seed)

    def detected(self, seed: int = 0) -> bool:
        """Whether the check refuses the bent version."""
        return not self.check(self.bent(self.load()), seed).holds
