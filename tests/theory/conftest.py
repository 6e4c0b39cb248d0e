"""Collect every verdict that the theory tests make and end with the table: one row per statement."""

from __future__ import annotations

import dataclasses
from collections import defaultdict

import pytest

from contraction.statements import all_statements, records
from contraction.statements.records import Verdict
from contraction.statements.render.table import table
from tests.theory.verdicts import observed

_WORST: dict[tuple[str, str], Verdict] = {}


def _absorb(verdict: Verdict) -> None:
    key = (verdict.statement, verdict.kind)
    _WORST[key] = records.combine([_WORST[key], verdict]) if key in _WORST else verdict


@pytest.fixture(autouse=True)
def _collect_verdicts(request):
    """Negative controls are marked ``control``: their verdicts are meant to fail and stay out of the table."""
    if request.node.get_closest_marker("control"):
        yield
        return
    with observed(_absorb):
        yield


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["verdicts"] = [dataclasses.asdict(v) for v in _WORST.values()]


@pytest.hookimpl(optionalhook=True)  # pytest-xdist's
def pytest_testnodedown(node, error):
    for fields in getattr(node, "workeroutput", {}).get("verdicts", []):
        fields["rows"] = tuple(fields["rows"])
        _absorb(Verdict(**fields))


def pytest_terminal_summary(terminalreporter):
    if not _WORST:
        return
    terminalreporter.section("statements")
    grouped = defaultdict(list)
    for verdict in _WORST.values():
        grouped[verdict.statement].append(verdict)
    known = {s.name: s.hypotheses for s in all_statements()}
    shown = [
        dataclasses.replace(v, hypotheses=v.hypotheses or known.get(name, ""))
        for name in sorted(grouped)
        for v in grouped[name]
    ]
    terminalreporter.write_line(table(shown, {s.name: s.claim for s in all_statements()}))
