"""One wrong word of many, or a seventh of one atom elsewhere, and statements on exact laws say so.

The functions that list the iterates of all words, or compute a law, give their answer with one entry changed.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from contraction.statements import all_statements
from contraction.statements.cases import exact_words
from contraction.statements.records import Statement
from tests.theory.verdicts import refuses


def one_word_elsewhere(rows: NDArray) -> NDArray:
    """The last row of iterates with one of its words 1/7 away."""
    rows = np.array(rows)
    rows[len(rows) // 2, -1] = rows[len(rows) // 2, -1] + Fraction(1, 7)
    return rows


def share_elsewhere(law: dict) -> dict:
    """A law with a seventh of one atom 1/9 away."""
    law = dict(law)
    at = list(law)[len(law) // 2]
    share = law[at] / 7
    law[at] -= share
    beside = tuple(x + Fraction(1, 9) for x in at)
    law[beside] = law.get(beside, Fraction(0)) + share
    return law


def share_to_the_second_word(law: dict) -> dict:
    """A law of words with a seventh of the weight of 0…00 given to 0…01, so that reversed words have another law."""
    law = dict(law)
    if len(law) > 1:
        first, second = list(law)[:2]
        share = law[first] / 7
        law[first] -= share
        law[second] += share
    return law


SPOILT = {
    "rows": one_word_elsewhere,
    "iterate_law": share_elsewhere,
    "law_of": share_elsewhere,
    "iid": share_to_the_second_word,
    "law_of_words": share_to_the_second_word,
}
#: Where the change cannot be seen: it is the same on both sides of what is compared, the law of words is only a weight
#: of points that are to be equal one by one, or the function is called for the printed text alone.
UNSEEN = {
    *(("law_of_iterates", "rows"), ("law_of_iterates", "law_of")),
    *(("stationarity_needs_continuity", "law_of"), ("stationarity_needs_continuity", "iid")),
    *(("convergence_modes", "iid"), ("windowed_backward", "law_of"), ("increments_from_forward_runs", "iid")),
    *(("synchronisation", "rows"), ("influence", "rows"), ("no_rule_can_tell", "rows")),
    *(("first_and_last_passage", "rows"), ("first_and_last_passage", "iid")),
}


def users() -> list[Any]:
    """The statements in whose module one of these functions is called, with its name."""
    return [
        pytest.param(statement, name, id=f"{statement.name}-{name}")
        for statement in all_statements()
        for name in SPOILT
        if getattr(sys.modules[statement.check.__module__], name, None) is getattr(exact_words, name)
        and (statement.name, name) not in UNSEEN
    ]


@pytest.mark.control
@pytest.mark.parametrize(("statement", "name"), users())
def test_one_wrong_word_or_atom_is_noticed(statement: Statement, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right, spoil = getattr(exact_words, name), SPOILT[name]
    monkeypatch.setattr(
        sys.modules[statement.check.__module__], name, lambda *given, **options: spoil(right(*given, **options))
    )
    assert any(refuses(statement, case) for case in statement.cases(np.random.default_rng(0), "standard"))


def test_most_uses_are_looked_at() -> None:
    assert len(users()) >= 35
    assert {name for name, _ in UNSEEN} <= {statement.name for statement in all_statements()}
