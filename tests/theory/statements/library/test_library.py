"""The library's section of ``verify``: no public function is left out, each check holds and refuses a bent function."""

from __future__ import annotations

import json
from fractions import Fraction
from types import SimpleNamespace

import pytest

import contraction as ct
from contraction import __main__ as command_line
from contraction.statements import find
from contraction.statements.library import all_oracles, find_oracles, public_functions
from contraction.statements.library.oracle import Oracle
from contraction.statements.records import Verdict
from tests.theory.verdicts import observed

ORACLES = all_oracles()
IDS = [o.function for o in ORACLES]


def test_no_public_function_is_left_out():
    """Of what `contraction` exports from certificates, limits and exponents, and all of laws and bounds."""
    assert set(IDS) == public_functions()
    assert len(ORACLES) == len(set(IDS)) >= 55
    assert {"contraction.certify", "contraction.laws.mean_test", "contraction.synchronisation"} <= public_functions()


@pytest.mark.control
def test_a_new_function_is_missed(monkeypatch):
    def novelty():
        """A function that nobody has checked."""

    monkeypatch.setattr("contraction.laws.novelty", novelty, raising=False)
    monkeypatch.setattr("contraction.laws.__all__", [*ct.laws.__all__, "novelty"])
    assert "contraction.laws.novelty" in public_functions() - set(IDS)


@pytest.mark.parametrize("oracle", ORACLES, ids=IDS)
def test_each_function_agrees_with_its_oracle(oracle):
    for seed in range(2):
        verdict = oracle.run(seed)
        assert verdict, verdict
    assert (verdict.statement, verdict.rows, verdict.hypotheses) == (oracle.name, (), oracle.against)


@pytest.mark.control
@pytest.mark.parametrize("oracle", ORACLES, ids=IDS)
def test_each_bent_function_is_refused(oracle):
    assert oracle.detected(1)


@pytest.mark.control
def test_the_bent_exponents_are_off_by_one_part_in_ninety():
    """What the control says of itself, "divided by n + 1", and no gross error, which any check would refuse."""
    (oracle,) = find_oracles("lyapunov_exponents")
    assert oracle.wrong == "divided by n + 1"
    verdict = oracle.check(oracle.bent(oracle.load()), 1)
    assert verdict.measured == pytest.approx(verdict.claimed * 90 / 91, rel=1e-9)


def test_names_on_the_command_line(capsys):
    """A function alone, a name of a function and of a statement, and everything of the library."""
    assert command_line.main(["verify", "check_factor", "contraction.leaf_basis"]) == 0
    out = capsys.readouterr().out
    assert "2 functions, 0 failed" in out
    assert "2 wrong claims put to the checks, 2 refused" in out
    assert "statement " not in out
    assert [o.name for o in find_oracles("Synchronisation")] == ["synchronisation"]
    assert find("synchronisation")[0].name == "synchronisation"
    assert command_line.main(["verify", "synchronisation"]) == 0
    out = capsys.readouterr().out
    assert "1 statement, " in out
    assert "1 function, 0 failed" in out
    assert find_oracles("library") == ORACLES
    assert find_oracles("no such function") == ()


def test_json_items_of_functions(capsys):
    assert command_line.main(["verify", "leaf_basis", "--json"]) == 0
    (item,) = json.loads(capsys.readouterr().out)
    assert (item["section"], item["id"], item["function"]) == ("library", None, "contraction.leaf_basis")
    assert (item["verdict"], item["control"]) == ("pass", "a direction left out")


@pytest.mark.control
def test_verify_fails_if_a_function_is_wrong_or_a_bent_one_passes(capsys, monkeypatch):
    def check(f, seed):
        return Verdict("half", (), "exact", f(2) == Fraction(1), float(f(2)), 1.0)

    failing = Oracle("fractions.Fraction", "nothing", check, "halved", lambda f: lambda x: f(x, 4))
    passing = Oracle("fractions.Fraction", "nothing", check, "not bent", lambda f: lambda x: f(x, 2))
    monkeypatch.setattr("contraction.statements.library.find_oracles", lambda name: (failing, passing))
    monkeypatch.setattr("contraction.statements.find", lambda name: ())
    assert command_line.main(["verify", "Fraction"]) == 1
    captured = capsys.readouterr()
    assert "2 functions, 2 failed" in captured.out
    assert "FAILED Fraction: measured 2.0, claimed 1.0" in captured.err
    assert "NOT DETECTED Fraction: the check holds with the wrong claim “not bent”" in captured.err


def test_the_table_shows_the_verdicts_on_functions_and_none_on_bent_ones():
    (oracle,) = find_oracles("check_factor")
    seen: list[Verdict] = []
    with observed(seen.append):
        assert oracle.detected(0)
        assert seen == []
        verdict = oracle.run(0)
    assert sum(v.cases for v in seen) == verdict.cases


@pytest.mark.control
def test_the_factor_of_gradient_steps_is_pepits():
    """Runs where PEPit is installed; a factor one percent low is refused there."""
    pytest.importorskip("PEPit")
    (certify,) = find_oracles("certify")

    def low(*arguments, **named):
        found = ct.certify(*arguments, **named)
        return SimpleNamespace(bound=found.bound, k=0.99 * found.k)

    assert certify.run(0)
    assert not certify.check(low, 0)


def sharp(m: float, M: float, h: float) -> float:
    """What PEPit finds, by the theorem: Lemma 2.5's sharp constant."""
    return max(abs(1 - h * m), abs(1 - h * M))


@pytest.mark.control
@pytest.mark.parametrize(
    ("error", "holds"), [(0.0, True), (0.9e-4, True), (-0.9e-4, True), (2e-4, False), (-2e-4, False)]
)
def test_the_factor_is_held_against_the_worst_case_from_both_sides(monkeypatch, error, holds):
    """As where PEPit is installed, whose answer may be off by 1e-4 of itself and no more."""
    monkeypatch.setattr("contraction.statements.library.pepit.installed", lambda: True)
    worst = lambda m, M, h: sharp(m, M, h) * (1 + error)  # noqa: E731
    monkeypatch.setattr("contraction.statements.library.pepit.worst_factor", worst)
    (certify,) = find_oracles("certify")
    assert bool(certify.run(0)) == holds
