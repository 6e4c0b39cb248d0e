"""The command line: its table, its JSON, its exit statuses and its errors; files are whole or absent."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import pytest

import training_in_reverse
from contraction import __main__ as command_line
from contraction.files import check_writable_folder, write_atomically, write_text
from contraction.report.formulas import text_html
from contraction.report.html import theory_report
from contraction.statements import all_statements, find, records
from contraction.statements.records import Row, Verdict, combine, ratio_of


def run(capsys, *argv: str) -> tuple[int, str, str]:
    status = command_line.main(list(argv))
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_verify_prints_a_row_a_statement(capsys):
    status, out, _ = run(capsys, "verify", "quadratic_sgd")
    assert status == 0
    assert "quadratic_sgd" in out
    assert "0 failed" in out


@pytest.mark.parametrize(("encoding", "written"), [("ascii", "networks \\u2026"), ("utf-8", "networks …")])
def test_a_character_that_the_output_lacks_is_written_as_its_number(monkeypatch, encoding: str, written: str):
    """Python refuses to write it, which would end a command before or after hours of work."""
    held = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(held, encoding=encoding))
    assert training_in_reverse.main(["--help"]) == 0
    sys.stdout.flush()
    assert f"usage: training-in-reverse theory | {written}\n" in held.getvalue().decode(encoding)


@pytest.mark.parametrize(("words", "written"), [(["--help"], "usage: "), (["--version"], "training-in-reverse ")])
def test_a_reader_that_has_gone_ends_the_command_without_an_error(words: list[str], written: str):
    """As in ``training-in-reverse --help | head -0``."""
    command = [sys.executable, "-m", "training_in_reverse", *words]
    reading, writing = os.pipe()
    os.close(reading)
    gone = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (gone.returncode, gone.stderr) == (0, "")
    there = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    assert there.stdout.startswith(written)


def test_an_interruption_is_one_line(capsys, monkeypatch):
    def interrupted(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(command_line, "_errata", interrupted)
    assert run(capsys, "errata") == (130, "", "contraction: interrupted\n")


def test_too_little_memory_is_one_line(capsys, monkeypatch):
    def too_large(arguments):
        raise MemoryError("Unable to allocate 7.28 TiB")

    monkeypatch.setattr(command_line, "_errata", too_large)
    said = "contraction: there is not enough memory for this: Unable to allocate 7.28 TiB\n"
    assert run(capsys, "errata") == (1, "", said)


def test_verify_takes_the_papers_numbers(capsys):
    assert run(capsys, "verify", "section 3.1")[0] == 0
    assert find("row 46") == find("quadratic_sgd")


def test_json_has_an_item_for_each_row(capsys):
    status, out, _ = run(capsys, "verify", "--json", "quadratic_sgd")
    found = json.loads(out)
    assert status == 0
    assert {"id", "statement", "kind", "verdict", "ratio", "cases", "seed", "printed"} <= set(found[0])
    assert {i["verdict"] for i in found} == {"pass"}


@pytest.mark.control
def test_a_failing_statement_gives_status_one(capsys, monkeypatch):
    statement = find("quadratic_sgd")[0]
    broken = records.replace(statement, check=lambda **_: Verdict("quadratic_sgd", (44,), "exact", False, 1, 2))
    monkeypatch.setattr("contraction.statements.find", lambda name: (broken,))
    status, out, err = run(capsys, "verify", "quadratic_sgd")
    assert status == 1
    assert "FAIL" in out
    assert "measured 1.0, claimed 2.0" in err


def test_unknown_names_list_the_known(capsys):
    status, _, err = run(capsys, "verify", "Theorem 9.9")
    assert status == 2
    assert "no statement is called 'Theorem 9.9'; did you mean" in err
    assert len(err.splitlines()) == 1
    assert "docs/audit.md lists all" in err
    assert "by row (1 to 87)" in err
    status, _, err = run(capsys, "rates", "no-such-plot")
    assert status == 2
    assert "Known:" in err


def test_bad_seeds_are_refused(capsys):
    with pytest.raises(SystemExit) as stop:
        command_line.main(["verify", "--seed", "-1"])
    assert stop.value.code == 2
    assert "non-negative integer" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written(capsys, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    for command in ("rates", "report"):
        status, _, err = run(capsys, command, "--out", str(blocked / "below"))
        assert status == 2
        assert "cannot be written" in err
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_report_named_like_a_folder_is_refused(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("contraction.report.html.theory_sections", lambda seed: ([], True))
    status, _, err = run(capsys, "report", "--page", str(tmp_path))
    assert status == 2
    assert "is a folder: give the name of a file in it" in err
    assert list(tmp_path.iterdir()) == []


def test_out_is_the_folder_of_the_report_and_page_its_file(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("contraction.report.html.theory_sections", lambda seed: ([], True))
    folder = tmp_path / "new"
    assert run(capsys, "report", "--out", str(folder))[:2] == (0, f"{folder / 'report.html'}\n")
    assert run(capsys, "report", "--out", str(folder), "--page", str(folder / "a.html"))[1] == f"{folder / 'a.html'}\n"
    assert {path.name for path in folder.iterdir()} == {"report.html", "a.html"}
    status, _, err = run(capsys, "report", "--out", str(tmp_path / "page.html"))
    assert status == 2
    assert "--out is a folder, got" in err
    assert "name the file with --page" in err
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_the_report_is_one_page_and_quotes_what_it_refutes(monkeypatch, tmp_path):
    chosen = find("geometric_sum")
    monkeypatch.setattr("contraction.statements.all_statements", lambda: chosen)
    monkeypatch.setattr("contraction.plots.PLOTS", {})
    path, holds = theory_report(tmp_path / "report.html")
    page = path.read_text(encoding="utf-8")
    assert holds
    assert "printed: At this point, we can use the condition in (2)" in page
    formula = "A ≤ k^n (D + D · k + ⋯ + D · k^{m−n+1}) ≤ D · k^n · ((1 − k^{n−m+2})/(1 − k)) ≤ (D · k^n)/(1 − k)"
    assert text_html(formula) in page
    assert "<math>" in page
    assert '<td class="refuted">refuted, as expected</td>' in page
    assert "http" not in page
    assert page.count("<script") == page.count("<script>") == 1  # the page to play with, whose script is in the page


def test_files_are_whole_or_absent(tmp_path):
    def fails(path):
        path.write_text("half")
        raise RuntimeError

    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(RuntimeError):
        write_atomically(tmp_path / "a.txt", fails)
    assert (tmp_path / "a.txt").read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]
    assert check_writable_folder(tmp_path / "new" / "deep").is_dir()


def test_the_registry_is_whole():
    """Every row of the audit is reached; only row 73, which has a verdict for each of its claims, by several files."""
    owners: dict[int, list[str]] = {}
    for statement in all_statements():
        for row in statement.rows:
            owners.setdefault(row.id, []).append(statement.name)
    assert sorted(owners) == [*range(1, 83), 84, 85, 86, 87]
    assert [row for row, names in owners.items() if len(names) > 1] == [73]


@pytest.mark.control
def test_ratio_conventions():
    assert ratio_of(0, 0) == 1
    assert ratio_of(1, 0) == float("inf")
    assert ratio_of(None, 1) is None
    worst = combine([Verdict.upper("s", (1,), 1, 2), Verdict.upper("s", (2,), 3, 4)])
    assert (worst.ratio, worst.cases, worst.rows) == (0.75, 2, (1, 2))


@pytest.mark.control
def test_verdicts_can_fail():
    assert not Verdict.upper("s", (1,), 2.0, 1.0)
    assert not Verdict.upper("s", (1,), float("nan"), 1.0)
    assert not Verdict.tight("s", (1,), 0.5, 1.0, rounding=0.1)
    assert not combine([Verdict.upper("s", (1,), 0, 1), Verdict.upper("s", (1,), 2, 1)])
    with pytest.raises(ValueError, match="a severity belongs to every slip"):
        Row(1, "somewhere", "WRONG")


def test_errata_of_some_statements_and_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["errata", "row 36", "geometric_sum"]) == 0
    page = capsys.readouterr().out
    assert "equality_of_laws" in page
    assert "geometric_sum" in page
    assert "Dear" not in page
    assert "quadratic_sgd" not in page
    assert command_line.main(["errata", "geometric_sum", "--json"]) == 0
    (row, *_) = json.loads(capsys.readouterr().out)
    assert row["statement"] == "geometric_sum"
    assert row["quote"]
    assert row["run"]["confirmed"] is True
    assert command_line.main(["errata", "no such statement"]) == 2


def test_the_table_says_what_each_statement_claims(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["verify", "geometric_sum"]) == 0
    first, *others = (line for line in capsys.readouterr().out.splitlines() if line.startswith("geometric_sum "))
    assert find("geometric_sum")[0].claim in first
    assert others
    assert not any(find("geometric_sum")[0].claim in line for line in others)
