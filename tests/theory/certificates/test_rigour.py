"""A small run of `tests.trust.rigour`: extreme bounds of every kind hold, and wrongly rounded ones are caught."""

from __future__ import annotations

import inspect
import json

import numpy as np
import pytest

pytest.importorskip("flint")

from contraction.certificates import blocks, bounds, majorants
from contraction.maps import rounding
from tests.trust import rigour
from tests.trust.rigour_kinds import KINDS

FORMULAS = [name for name, kind in KINDS.items() if kind.sharp]


@pytest.mark.parametrize("name", KINDS)
def test_no_bound_is_violated(name):
    found = rigour.tally(KINDS[name].draw, 60 if KINDS[name].sharp else 12, 5)
    assert found.violations == []
    assert found.bounds > found.infinite or name.startswith("after")


def test_every_formula_of_a_certificate_is_among_the_kinds():
    formulas = {
        name
        for name, one in vars(majorants).items()
        if inspect.isclass(one) and issubclass(one, majorants.Majorant) and not inspect.isabstract(one)
    }
    listed = " ".join(KINDS)
    # WithinSeen is an estimate; Smaller is the minimum of two bounds whose kinds are listed
    assert {name for name in formulas if f"({name})" not in listed} == {"WithinSeen", "Smaller"}


def _downwards(x, operations=0):
    x = np.asarray(x, dtype=float)
    with np.errstate(over="ignore"):
        return np.where(x == 0, 0.0, np.nextafter(x - np.abs(x) * (operations * rounding.EPS), 0.0))[()]


@pytest.mark.control
@pytest.mark.parametrize("name", [name for name in FORMULAS if "MeanSquare" not in name and "Balls" not in name])
def test_bounds_that_are_rounded_downwards_are_caught(name, monkeypatch):
    def root_down(x, p, operations=0):
        return _downwards(np.power(np.asarray(x, dtype=float), 1 / p), 8)

    def products_down(factors):
        return _downwards(rounding.products_up(factors), len(factors) + 8)

    for module in (bounds, blocks, majorants):
        for wrong, right in ((_downwards, "round_up"), (root_down, "root_up"), (products_down, "products_up")):
            if hasattr(module, right):
                monkeypatch.setattr(module, right, wrong)
    found = rigour.tally(KINDS[name].draw, 60, 5)
    assert found.violations
    assert "claimed" in found.violations[0]


@pytest.mark.control
def test_lower_ends_of_balls_are_caught(monkeypatch):
    monkeypatch.setattr(majorants, "upper", lambda x: np.nextafter(float(x.lower()), 0.0))
    assert rigour.tally(KINDS["Theorem 2.2 in balls (GeometricBalls)"].draw, 60, 5).violations


@pytest.mark.control
def test_moments_without_their_errors_are_caught(monkeypatch):
    whole = majorants.MeanSquareMoments
    monkeypatch.setattr(majorants, "MeanSquareMoments", lambda EAA, a, X, b: whole(EAA, 0.0, X, 0.0))
    assert rigour.tally(KINDS["mean square (MeanSquareMoments)"].draw, 60, 5).violations


@pytest.mark.control
def test_a_bound_that_is_not_a_number_is_caught():
    assert not rigour.check(rigour.Case(float("nan"), 0, ""))
    assert not rigour.check(rigour.Case(float("-inf"), 0, ""))


def test_the_command_writes_a_record(tmp_path, capsys):
    name = "Theorem 2.2 (Geometric)"
    assert rigour.main(["--count", "900", "--kinds", name, "--out", str(tmp_path / "r.json")]) == 0
    record = json.loads((tmp_path / "r.json").read_text())
    count = record["bounds"]  # its share of 900
    assert 10 < count < 100
    assert record["kinds"][name]["violations"] == 0
    assert f"| {name} | {count} | 0 |" in capsys.readouterr().out
    other = "orders that agree on p maps"
    assert rigour.main(["--count", "900", "--kinds", other, "--out", str(tmp_path / "r.json")]) == 0
    both = json.loads((tmp_path / "r.json").read_text())
    assert list(both["kinds"]) == [name, other]
    assert both["kinds"][name] == record["kinds"][name]
