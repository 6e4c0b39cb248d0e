"""Show verdicts to a function without a hook in the package; say whether a check refuses a case."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from contraction.maps.errors import TrainingInReverseError
from contraction.statements import records
from contraction.statements.library import oracle
from contraction.statements.records import Statement, Verdict


@contextmanager
def observed(observer: Callable[[Verdict], Any]) -> Iterator[None]:
    """Call ``observer`` with every verdict that is made, except summaries of others and those of wrong claims.

    A summary (`combine`, `Statement.run`, `Oracle.run`) repeats verdicts that were shown already, and the verdict on a
    wrong claim (`Control.detected`, `Oracle.detected`) is meant to fail.
    """
    make = Verdict.__post_init__
    silent = False

    def shown(verdict: Verdict) -> None:
        make(verdict)
        if not silent:
            observer(verdict)

    def silenced(function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **named: Any) -> Any:
            nonlocal silent
            before, silent = silent, True
            try:
                return function(*arguments, **named)
            finally:
                silent = before

        return run

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Verdict, "__post_init__", shown)
        for owner, name in (
            (records, "replace"),
            (oracle, "replace"),
            (records.Control, "detected"),
            (oracle.Oracle, "detected"),
        ):
            patch.setattr(owner, name, silenced(getattr(owner, name)))
        yield


def refuses(statement: Statement, arguments: dict) -> bool:
    """Whether the check of one case fails, or raises an error about its numbers."""
    try:
        return not statement.check(**arguments)
    except (TrainingInReverseError, ArithmeticError, ValueError):
        return True
