"""One wrong iterate, and every exact statement about iterates says so.

The functions that compute iterates give their answer with one iterate of the sequence changed: the second, one in the
middle, or the last. Statistical statements compare whole samples; they have wrong claims of their own
(`test_wrong_claims.py`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from contraction.maps import iterates
from contraction.statements import all_statements
from contraction.statements.records import Statement
from tests.theory.verdicts import refuses

#: Which iterate of n + 1 is changed.
PLACES: dict[str, Callable[[int], int]] = {
    "second": lambda count: min(1, count - 1),
    "middle": lambda count: count // 2,
    "last": lambda count: count - 1,
}
#: What asks for three iterates at most: there a wrong one of so few counts. Elsewhere it is one of four or more.
FEW = {
    *("two_step_sgd", "geometric_sum", "attained_constant", "necessity_of_common_factor"),
    *("quadratic_sgd", "linearized_sgd"),
}
FUNCTIONS = ("backward_iterates", "forward_iterates", "iterates")
#: What compares samples, or counts maps and does not look at the iterates, or computes them for its printed text alone.
OTHERS = {"time_averages", "log_moment", "unbounded_noise", "settling_times", "cost_of_restarts", "kinks"}


def spoiled(rows: NDArray, place: str) -> NDArray:
    """Return iterates one of which is changed, by far more than rounding and than the bounds in the cases."""
    rows = np.array(rows)
    k = PLACES[place](len(rows))
    exact = rows.dtype == object
    rows[k] = rows[k] + (Fraction(1, 7) if exact else 0.01 * (1 + np.max(np.abs(rows[np.isfinite(rows)]), initial=0)))
    return rows


def users() -> list[Any]:
    """The statements in whose module one of these functions is called, with its name."""
    found = []
    for statement in all_statements():
        module = sys.modules[statement.check.__module__]
        names = [name for name in FUNCTIONS if getattr(module, name, None) is getattr(iterates, name)]
        if statement.name not in OTHERS:
            found += [pytest.param(statement, name, id=f"{statement.name}-{name}") for name in names]
    return found


@pytest.mark.control
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("statement", "name"), users())
def test_one_wrong_iterate_is_noticed(
    statement: Statement, name: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, lengths, least = getattr(iterates, name), [], 1 if statement.name in FEW else 4

    def wrong(*arguments: Any, **options: Any) -> NDArray:
        rows = right(*arguments, **options)
        lengths.append(len(rows))
        return spoiled(rows, place) if len(rows) >= least else rows

    monkeypatch.setattr(sys.modules[statement.check.__module__], name, wrong)
    for arguments in statement.cases(np.random.default_rng(0), "standard"):
        if refuses(statement, arguments):
            return
    pytest.fail(f"no case of {statement.name} sees it; sequences of {sorted(set(lengths))} iterates were given")


def test_the_functions_that_are_changed_are_those_that_are_used() -> None:
    named = {param.values[0].name for param in users()}
    assert len(named) >= 15
    assert named.isdisjoint(OTHERS)
    assert {statement.name for statement in all_statements()} > named | OTHERS
