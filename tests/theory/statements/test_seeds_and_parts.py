"""The seed reaches every check that draws, checks and simulated paths are counted apart, failures name their part."""

from __future__ import annotations

import json
from inspect import signature

import numpy as np
import pytest

from contraction import __main__ as command_line
from contraction.statements import all_statements, comparisons, find
from contraction.statements.cases.error_rates import statistical
from contraction.statements.library import public_functions
from contraction.statements.records import Row, Statement, Verdict, combine
from contraction.statements.section_2 import backward_contraction, strongly_convex_step
from tests.theory.statements.section_2.test_backward_contraction import understate_displacement

#: Text checks that draw, and whose measured and claimed numbers are the same for every draw.
SAME_NUMBERS = {"correction_cost", "regulariser_settings"}


def numbers(s: Statement, seed: int) -> list[tuple]:
    return [(row, v.measured, v.claimed, v.note) for row, v in sorted(s.refutations(seed).items())]


@pytest.mark.parametrize("statement", [s for s in all_statements() if s.check_printed], ids=lambda s: s.name)
def test_the_seed_reaches_every_check_of_the_text(statement):
    """Where something is drawn the numbers change with the seed and the verdict carries it; else it carries none."""
    found, replay = statement._of_the_text(7, "standard")
    assert all(found)
    assert {v.seed for v in statement.refutations(7).values()} <= {replay}
    if "seed" in signature(statement.check_printed).parameters:
        assert replay == 7
        assert (numbers(statement, 0) == numbers(statement, 7)) == (statement.name in SAME_NUMBERS)
    elif replay is None:
        assert numbers(statement, 0) == numbers(statement, 7)


def recording(seen: list[int]) -> Statement:
    def printed(slip: str, seed: int = 0) -> Verdict:
        seen.append(seed)
        return Verdict("recording", (1,), "refuted", True, seed=seed)

    row = Row(1, "here", "TYPO", quote="Quoted.", correct="Right.", severity="typo")
    return Statement(
        "recording",
        (),
        "",
        "",
        (row,),
        lambda: Verdict("recording", (1,), "exact", True),
        lambda rng, tier: [{}],
        check_printed=printed,
        printed_cases=lambda rng, tier: [{"slip": "a"}, {"slip": "b", "seed": 99}],
    )


def test_a_seed_that_the_cases_set_is_kept():
    seen: list[int] = []
    assert recording(seen).refute(12)
    assert seen == [12, 99]


@pytest.mark.parametrize("name", ["hitting_times", "log_moment", "best_so_far"])
def test_verify_with_another_seed_has_other_refutations(capsys, name):
    """The audit's example: `verify hitting_times --seed 7` gave the numbers of seed 0."""
    outputs = []
    for seed in ("0", "7"):
        assert command_line.main(["verify", name, "--seed", seed, "--json"]) == 0
        outputs.append(json.loads(capsys.readouterr().out))
    assert [item["seed"] for item in outputs[1]] == [7]
    assert find(name)[0].refutations(0) != find(name)[0].refutations(7)


def test_checks_and_paths_are_counted_apart(capsys):
    assert command_line.main(["verify", "log_moment", "geometric_sum"]) == 0
    out = capsys.readouterr().out
    verdicts = [v for name in ("log_moment", "geometric_sum") for v in find(name)[0].run()]
    checks, paths = sum(v.cases for v in verdicts), sum(v.paths for v in verdicts)
    assert f"2 statements, {checks} checks (with {paths} simulated paths), 0 failed" in out
    assert checks < 100 < 4 * 200_000 <= paths
    assert command_line.main(["verify", "geometric_sum"]) == 0
    assert "simulated paths)" not in capsys.readouterr().out


def test_every_row_has_a_json_item(capsys):
    """All statements, as --json prints them; a row of a check that no record names would end it with status 2."""
    assert command_line.main(["verify", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    of_the_text = [i for i in found if i["section"] == "statements"]
    assert {i["id"] for i in of_the_text} == {row.id for s in all_statements() for row in s.rows}
    assert {i["function"] for i in found if i["section"] == "library"} == public_functions()
    assert all(i["cases"] < 1000 for i in found)


@pytest.mark.control
def test_a_failure_names_its_part(capsys, monkeypatch):
    """D too small in `backward_contraction`: the report says which inequality fails."""
    understate_displacement(monkeypatch)
    assert command_line.main(["verify", "backward_contraction"]) == 1
    assert "FAILED backward_contraction (" in capsys.readouterr().err
    parts = {v.part for v in _verdicts(backward_contraction) if not v}
    assert any("from the limit" in part for part in parts)
    assert any("telescope" in part for part in parts)
    assert not any("two starts" in part for part in parts)  # these do not use D


def _verdicts(module) -> list[Verdict]:
    return [module.check(**case) for case in module.cases(np.random.default_rng(0), "standard")]


@pytest.mark.control
@pytest.mark.parametrize(
    ("name", "wrong", "parts"),
    [
        (
            "sharp",
            lambda h, m, M: abs(1 - h * m),
            {"sharp constant attained", "logistic steps below the sharp constant"},
        ),
        ("printed_square", lambda h, m, M: 1 - 2 * h * m, {"printed constant attained", "printed bound"}),
        ("piecewise", lambda m, M, x: 2 * M * x, {"sharp constant attained"}),
        ("rotation", lambda m, s, x: m * x, {"printed constant attained"}),
    ],
)
def test_the_parts_of_the_strongly_convex_step(monkeypatch, name, wrong, parts):
    monkeypatch.setattr(strongly_convex_step, name, wrong)
    failed = [v.part for v in _verdicts(strongly_convex_step) if not v]
    assert all(any(part.startswith(expected) for part in failed) for expected in parts), failed


@pytest.mark.control
def test_every_pair_needs_a_name():
    for compare in (comparisons.equal, comparisons.at_most):
        assert compare("s", (1,), [1, 2], [1, 1], parts=("one", "two")).part == "two"
        with pytest.raises(ValueError, match="2 pairs of numbers are compared, but 1 are named"):
            compare("s", (1,), [1, 2], [1, 1], parts=("one",))
    assert Verdict.upper("s", (1,), [1.0, 3.0], [2.0, 2.0], parts=("one", "two")).part == "two"
    assert Verdict.upper("s", (1,), 1, 2).failure == "s: measured 1.0, claimed 2.0"


@pytest.mark.control
def test_of_several_statistical_verdicts_the_largest_ratio_is_shown():
    first, second = (statistical("s", (1,), [(name, value, 1.0)], paths=10) for name, value in (("a", 0.1), ("b", 0.9)))
    worst = combine([first, second])
    assert (worst.part, worst.ratio, worst.cases, worst.paths) == ("b", 0.9, 2, 20)
