"""Statements from a user's folder: loaded, run, refused with the name of the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contraction.__main__ import main
from contraction.statements import find, statements_from

EXAMPLE = Path(__file__).parents[3] / "docs" / "how-to" / "statements_of_another_paper"
TEXT = """
from contraction.statements import Row, Statement, Verdict
from ._factor import FACTOR

def check(n=3):
    return Verdict.tight("{name}", ({row},), 2.0**n, FACTOR**n, rounding=0.0)

STATEMENT = Statement(
    name="{name}", paper=("Lemma {row}",), claim="2^n = 2^n", hypotheses="", rows=(Row({row}, "Lemma {row}", "OK"),),
    check=check, cases=lambda rng, tier: [{{"n": n}} for n in range(4)],
)
"""


def write(folder: Path, name: str, row: int, factor: float = 2.0) -> None:
    (folder / "_factor.py").write_text(f"FACTOR = {factor}")
    (folder / f"{name}.py").write_text(TEXT.format(name=name, row=row))


def test_the_bias_of_constant_step_sgd_and_its_wrong_form(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--from", str(EXAMPLE)]) == 0
    printed = capsys.readouterr().out
    assert "constant_step_bias" in printed
    assert "refuted" in printed
    assert "equality_of_laws" not in printed
    assert "library" not in printed
    assert main(["errata", "--from", str(EXAMPLE)]) == 0
    letter = capsys.readouterr().out
    assert "4 in place of 2." in letter
    assert "Dherin" not in letter


def test_the_report_of_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    assert main(["report", "--from", str(EXAMPLE), "--page", str(page)]) == 0
    assert capsys.readouterr().out == f"{page}\n"
    text = page.read_text(encoding="utf-8")
    assert "refuted, as expected" in text
    assert "4 in place of 2." in text
    assert f"verify --from {EXAMPLE} constant_step_bias" in text
    assert "The paper applies the random maps" not in text
    assert "http" not in text
    write(tmp_path, "power", 1, factor=3.25)
    assert main(["report", "--from", str(tmp_path), "--page", str(page)]) == 1
    assert '<td class="FAIL">FAIL</td>' in page.read_text(encoding="utf-8")
    assert main(["report", "--from", str(tmp_path / "missing"), "--page", str(page)]) == 2


@pytest.mark.control
def test_a_report_says_which_wrong_claim_its_check_does_not_detect(tmp_path: Path) -> None:
    write(tmp_path, "power", 1)
    text = (tmp_path / "power.py").read_text().replace("import Row", "import Control, Row")
    control = """controls=(Control("2 < 2", lambda seed: check(1)),),\n)"""
    (tmp_path / "power.py").write_text(text.rstrip().removesuffix(")") + control)
    page = tmp_path / "page.html"
    assert main(["report", "--from", str(tmp_path), "--page", str(page)]) == 1
    assert "The check holds with the wrong claim “power: 2 &lt; 2”." in page.read_text(encoding="utf-8")


@pytest.mark.control
def test_a_wrong_coefficient_in_the_claim_fails() -> None:
    (statement,) = statements_from(EXAMPLE)
    assert statement.check()
    for factor in (3.9, 4.1, -4.0):
        assert not statement.check(factor=factor)


def test_names_and_order(tmp_path: Path) -> None:
    write(tmp_path, "second", 2)
    write(tmp_path, "first", 1)
    statements = statements_from(tmp_path)
    assert [s.name for s in statements] == ["first", "second"]
    assert find("Lemma 2", statements) == (statements[1],)
    with pytest.raises(KeyError, match="equality_of_laws"):
        find("equality_of_laws", statements)
    assert main(["verify", "--from", str(tmp_path), "second"]) == 0
    assert main(["verify", "--from", str(tmp_path), "certify"]) == 2


@pytest.mark.control
def test_an_edited_helper_is_read_again_and_a_failure_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "power", 1)
    assert main(["verify", "--from", str(tmp_path)]) == 0
    write(tmp_path, "power", 1, factor=3.25)
    assert main(["verify", "--from", str(tmp_path)]) == 1
    assert "FAILED power" in capsys.readouterr().err


def test_what_is_no_statement_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no folder"):
        statements_from(tmp_path / "missing")
    with pytest.raises(FileNotFoundError, match="no file"):
        statements_from(tmp_path)
    (tmp_path / "empty.py").write_text("")
    with pytest.raises(ValueError, match=r"empty\.py must define STATEMENT"):
        statements_from(tmp_path)
    (tmp_path / "empty.py").write_text("1 / 0")
    with pytest.raises(ImportError, match=r"empty\.py cannot be loaded: ZeroDivisionError"):
        statements_from(tmp_path)
    (tmp_path / "empty.py").write_text("raise SystemExit(0)")
    with pytest.raises(ImportError, match=r"empty\.py cannot be loaded: SystemExit: 0"):
        statements_from(tmp_path)
    (tmp_path / "empty.py").unlink()
    write(tmp_path, "one", 1)
    (tmp_path / "other.py").write_text((tmp_path / "one.py").read_text())
    with pytest.raises(ValueError, match="must be called 'other'"):
        statements_from(tmp_path)
    write(tmp_path, "other", 1)
    with pytest.raises(ValueError, match="row 1 belongs to two statements"):
        statements_from(tmp_path)


BAD: dict[str, tuple[str, str, str]] = {
    "a verdict under another name": (
        '"{name}"',
        '"other"',
        "must give its verdict this name, as in Verdict.upper('one'",
    ),
    "no verdict": ("return Verdict", "return True or Verdict", "'one' must return a Verdict, got True"),
    "no cases": ("for n in range(4)", "for n in range(0)", "the statement 'one' checks nothing: its cases"),
    "any rounding": ("rounding=0.0", 'rounding=float("inf")', "rounding of a verdict must be finite, got inf"),
}


@pytest.mark.control
@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("command", ["verify", "errata", "report"])
def test_a_check_that_can_say_nothing_is_refused(
    command: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The right file passes; with one change it is refused by every command, with the name of the statement."""
    words = [
        command,
        "--from",
        str(tmp_path),
        *(["--page", str(tmp_path / "page.html")] if command == "report" else []),
    ]
    write(tmp_path, "one", 1)
    assert main(words) == 0
    old, new, message = BAD[name]
    text = TEXT.format(name="one", row=1)
    old = old.format(name="one")
    assert old in text
    (tmp_path / "one.py").write_text(text.replace(old, new, 1))
    capsys.readouterr()
    assert main(words) == 2
    assert message in capsys.readouterr().err


@pytest.mark.control
def test_a_row_whose_check_fails_is_not_said_to_stand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "one", 1)
    write(tmp_path, "two", 2)
    assert main(["errata", "--from", str(tmp_path)]) == 0
    letter = capsys.readouterr().out
    assert "- Lemma 1 (row 1, `one`)\n- Lemma 2 (row 2, `two`)" in letter
    assert "What fails" not in letter
    (tmp_path / "one.py").write_text(TEXT.format(name="one", row=1).replace("2.0**n", "3.0**n"))
    assert main(["errata", "--from", str(tmp_path)]) == 1
    printed = capsys.readouterr()
    fails, stands = printed.out.split("## What stands")
    assert "The check of `one` fails: one: measured 27.0, claimed 8.0" in fails
    assert "FAILED one: measured 27.0, claimed 8.0" in printed.err
    assert "Lemma 1" not in stands
    assert "Lemma 2" in stands
    page = tmp_path / "page.html"
    assert main(["report", "--from", str(tmp_path), "--page", str(page)]) == 1
    assert "fails: one: measured 27.0" in page.read_text(encoding="utf-8")


def test_a_report_says_that_it_made_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "one", 1)
    words = ["report", "--from", str(tmp_path), "--page", str(tmp_path / "new" / "page.html")]
    assert main(words) == 0
    assert capsys.readouterr().err == f"contraction: made the folder {tmp_path / 'new'}\n"
    assert main(words) == 0
    assert capsys.readouterr().err == ""


OWN = """
from contraction.statements import Control, Row, Statement, Verdict

def check(n, k=0.5):
    {first}
    return Verdict.tight("own", (1,), 2.0**n, {claim}, rounding=0.0)

def cases(rng, tier):
    for n in range(10):
        yield {{"n": n}}
    {last}

STATEMENT = Statement(
    name="own", paper=(), claim="", hypotheses="", rows=(Row(1, "Lemma 1", "OK"),), check=check, cases=cases,
    controls=(Control("3^n", lambda seed: {wrong}),),
)
"""
WRONG_FORM = 'Verdict("own", (1,), "exact", False)'


def own(folder: Path, first: str = "", claim: str = "2.0**n", last: str = "", wrong: str = WRONG_FORM) -> list[str]:
    (folder / "own.py").write_text(OWN.format(first=first or "pass", claim=claim, last=last, wrong=wrong))
    return ["verify", "--from", str(folder)]


@pytest.mark.control
def test_every_case_that_fails_is_counted_and_the_worst_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """2^n = n + 1 holds for n = 0 and n = 1 alone."""
    assert main(own(tmp_path)) == 0
    assert "1 statement, 10 checks, 0 failed" in capsys.readouterr().out
    words = own(tmp_path, claim="n + 1")
    assert main(words) == 1
    printed = capsys.readouterr()
    assert "1 statement, 10 checks, 8 failed" in printed.out
    assert printed.err == "FAILED own: measured 512.0, claimed 10.0; case 10: check(n=9)\n"
    assert main([*words, "--json"]) == 1
    (item,) = json.loads(capsys.readouterr().out)
    assert (item["cases"], item["failed"], item["case"]) == (10, 8, "case 10: check(n=9)")
    assert main([*own(tmp_path), "--json"]) == 0
    (item,) = json.loads(capsys.readouterr().out)
    assert (item["cases"], item["failed"], item["case"]) == (10, 0, "")


RAISED = {
    "a check": ({"first": 'if n == 3: raise ValueError("boo")'}, "the check", "ValueError: boo in case 4: check(n=3)"),
    "an error of no message": ({"first": "assert n < 2"}, "the check", "AssertionError in case 3: check(n=2)"),
    "cases": ({"last": "1 / 0"}, "the cases", "ZeroDivisionError: division by zero"),
    "cases that are no dictionaries": ({"last": "yield 3"}, "the cases", "TypeError: unsupported operand"),
    "a wrong claim": ({"wrong": "check()"}, "the wrong claim “3^n”", "TypeError: check() missing 1 required"),
}


@pytest.mark.control
@pytest.mark.parametrize("name", RAISED)
def test_an_error_of_ones_own_code_fails_and_is_named(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed, where, said = RAISED[name]
    assert main(own(tmp_path, **changed)) == 1
    line = capsys.readouterr().err
    assert line.startswith(f"contraction: {where} of the statement 'own' raised {said}")
    assert line.count("\n") == 1


@pytest.mark.control
def test_too_little_memory_in_a_check_is_said_as_everywhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(own(tmp_path, first="raise MemoryError(n)")) == 1
    assert capsys.readouterr().err == "contraction: there is not enough memory for this: 0\n"


@pytest.mark.control
@pytest.mark.parametrize(
    ("text", "status"),
    [("", 2), ("1 / 0", 2), ("def", 2), ("raise SystemExit(0)", 2), ("import no_such_package_of_anyone", 1)],
)
def test_a_folder_is_refused_unless_a_package_is_missing(
    text: str, status: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own.py").write_text(text)
    assert main(["verify", "--from", str(tmp_path)]) == status
    assert "own.py" in capsys.readouterr().err
