"""The command line of the deliberate mistakes: what only prints runs nothing, and ``--only`` makes a part of them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import mistakes


@pytest.fixture
def runs(monkeypatch) -> list[list[str]]:
    """Return the list of the pytest commands that are asked for: the first, on the true code, passes; others fail."""
    asked: list[list[str]] = []

    def run(command: list[str], **_: object) -> SimpleNamespace:
        asked.append(command)
        return SimpleNamespace(returncode=0 if len(asked) == 1 else 1, stdout="", stderr="")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(mistakes, "COPIED", ("contraction",))  # the edited file is there
    return asked


def test_help_explains_the_options_and_runs_nothing(runs: list[list[str]], capsys) -> None:
    with pytest.raises(SystemExit) as stopped:
        mistakes.main(["--help"])
    assert stopped.value.code == 0
    said = capsys.readouterr().out
    assert f"Make {len(mistakes.MISTAKES)} deliberate mistakes" in said
    assert "--only TEXT" in said
    assert "--list" in said
    assert runs == []


def test_a_list_names_every_mistake_and_runs_nothing(runs: list[list[str]], capsys) -> None:
    assert mistakes.main(["--list"]) == 0
    said = capsys.readouterr().out
    assert all(f"{one.name}\n    in {one.file}\n    by {one.test}\n" in said for one in mistakes.MISTAKES)
    assert runs == []


@pytest.mark.control
def test_a_chosen_mistake_is_made(runs: list[list[str]], capsys) -> None:
    """Its test runs once on the true code and once on the mistake, and no other does."""
    one = mistakes.MISTAKES[0]
    assert mistakes.main(["--only", one.name]) == 0
    assert capsys.readouterr().out.endswith("1 of 1 mistakes caught\n")
    assert [command[-1] for command in runs] == [one.test, one.test]


def test_a_text_that_no_mistake_has_is_refused(runs: list[list[str]], capsys) -> None:
    with pytest.raises(SystemExit) as stopped:
        mistakes.main(["--only", "no such text"])
    assert stopped.value.code == 2
    assert "no mistake has 'no such text' in its name, file or test" in capsys.readouterr().err
    assert runs == []


def test_every_edit_is_of_one_place_of_its_file() -> None:
    """Otherwise the command would say so only after minutes."""
    for one in mistakes.MISTAKES:
        text = (Path(mistakes.ROOT) / one.file).read_text(encoding="utf-8")
        assert text.count(one.old) == 1, one.name
