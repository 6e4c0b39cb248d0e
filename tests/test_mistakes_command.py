"""The command line of the deliberate mistakes: what only prints runs nothing, and what is run says what it found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.mistakes import __main__ as command
from tests.mistakes.table import MISTAKES
from tests.mutation import tree

ROOT = Path(__file__).parents[1]
TOY = {
    "contraction/__init__.py": "",
    "tests/__init__.py": "",
    "contraction/toy.py": "def positive(x):\n    return x if x > 0 else 0\n\n\ndef wait(ready=True):\n"
    "    while not ready:\n        pass\n    return ready\n",
    "tests/test_toy.py": "from hypothesis import given, strategies as st\n"
    "from contraction import toy\n\n\n"
    "def test_positive():\n    assert [toy.positive(x) for x in (-1, 2)] == [0, 2]\n\n\n"
    "def test_wait():\n    assert toy.wait()\n\n\n@given(st.integers(-9, 9))\ndef test_any(x):\n"
    "    assert toy.positive(x) >= 0\n",
}
#: Runs the command on the toy project, with so many seconds of the processor for each test as it is told.
PROGRAM = """
import pathlib, sys
from tests.mistakes import __main__ as command, run, table
from tests.mutation import tree
tree.PRELOADED, run.ROOT, run.SECONDS = (), pathlib.Path(sys.argv[1]), float(sys.argv[2])
table.MISTAKES = tuple(table.Mistake(*m) for m in eval(sys.argv[3]))
sys.exit(command.main([]))
"""
FILE, POSITIVE = "contraction/toy.py", "tests/test_toy.py::test_positive"
SEEN = ("a wrong sign", FILE, "return x if", "return -x if", POSITIVE)
BY_HYPOTHESIS = ("a wrong sign again", FILE, "return x if", "return -x if", "tests/test_toy.py::test_any")
UNSEEN = ("the tie", FILE, "x > 0", "x >= 0", POSITIVE)
ENDLESS = ("a loop", FILE, "ready=True", "ready=False", "tests/test_toy.py::test_wait")


@pytest.fixture
def toy(tmp_path: Path):
    """Return a function that makes mistakes in a toy project, and gives the exit status and what is printed."""
    for name, text in TOY.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")

    def run(*chosen: tuple[str, ...], seconds: float = 60.0) -> tuple[int, str]:
        command = [sys.executable, "-c", PROGRAM, str(tmp_path), str(seconds), repr(chosen)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        for name, text in TOY.items():
            assert (tmp_path / name).read_text(encoding="utf-8") == text  # edits are made in copies
        return done.returncode, done.stdout + done.stderr

    return run


def test_caught_mistakes_are_counted(toy) -> None:
    status, said = toy(SEEN, BY_HYPOTHESIS)
    assert status == 0, said
    assert "caught       a wrong sign\n             by tests/test_toy.py::test_positive\n" in said
    assert said.endswith("\n2 of 2 mistakes caught\n")


@pytest.mark.control
def test_one_that_no_test_notices_fails_the_command(toy) -> None:
    """The mistakes after it are made in the true text again: the edit is taken back."""
    status, said = toy(UNSEEN, SEEN, UNSEEN)
    assert status == 1
    assert said.count("NOT CAUGHT   the tie\n") == 2
    assert said.count("caught       a wrong sign\n") == 1
    assert said.endswith("\n1 of 3 mistakes caught\n")


def test_a_test_that_computes_for_ever_has_caught_its_mistake(toy) -> None:
    status, said = toy(ENDLESS, seconds=3.0)
    assert status == 0, said


@pytest.mark.control
@pytest.mark.parametrize(
    ("right", "wrong", "said_of_it"),
    [("[0, 2]", "[0, 3]", "assert [0, 2] == [0, 3]"), (") >= 0", ") > 0", "assert 0 > 0")],
    ids=["one", "the other"],
)
def test_a_test_that_fails_without_a_mistake_is_shown(
    toy, tmp_path: Path, right: str, wrong: str, said_of_it: str
) -> None:
    """Whichever of the named tests it is: they run in several processes."""
    text = TOY["tests/test_toy.py"].replace(right, wrong)
    (tmp_path / "tests/test_toy.py").write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TOY, "tests/test_toy.py", text)
        status, said = toy(SEEN, BY_HYPOTHESIS)
    assert status == 1
    assert "the named tests must pass on the true code:" in said
    assert said_of_it in said
    assert "caught" not in said


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ((*SEEN[:2], "return y", "return 0", POSITIVE), "has the text of 'a wrong sign' 0 times"),
        ((*SEEN[:2], "ready", "x", POSITIVE), "has the text of 'a wrong sign' 3 times"),
        ((*SEEN[:4], "tests/test_toy.py::test_none"), "could not be run (pytest's status is 4)"),
    ],
    ids=["no such text", "a text thrice", "no such test"],
)
def test_a_mistake_that_cannot_be_made_is_named(toy, mistake: tuple[str, ...], message: str) -> None:
    status, said = toy(mistake)
    assert status == 1
    assert message in said


@pytest.fixture
def runs(monkeypatch) -> list:
    """Return the list of the jobs that are started, which stays empty."""
    asked: list = []
    monkeypatch.setattr(tree, "start", lambda *arguments, **_: asked.append(arguments))
    return asked


def test_help_explains_the_options_and_runs_nothing(runs: list, capsys) -> None:
    with pytest.raises(SystemExit) as stopped:
        command.main(["--help"])
    assert stopped.value.code == 0
    said = capsys.readouterr().out
    assert f"Make {len(MISTAKES)} deliberate mistakes" in said
    assert "--only TEXT" in said
    assert "--list" in said
    assert runs == []


def test_a_list_names_every_mistake_and_runs_nothing(runs: list, capsys) -> None:
    assert command.main(["--list"]) == 0
    said = capsys.readouterr().out
    assert all(f"{one.name}\n    in {one.file}\n    by {one.test}\n" in said for one in MISTAKES)
    assert runs == []


def test_only_chooses_by_name_file_and_test(runs: list, capsys) -> None:
    one = MISTAKES[0]
    assert command.main(["--list", "--only", one.name]) == 0
    assert capsys.readouterr().out == f"{one.name}\n    in {one.file}\n    by {one.test}\n"
    assert runs == []


def test_a_text_that_no_mistake_has_is_refused(runs: list, capsys) -> None:
    with pytest.raises(SystemExit) as stopped:
        command.main(["--only", "no such text"])
    assert stopped.value.code == 2
    assert "no mistake has 'no such text' in its name, file or test" in capsys.readouterr().err
    assert runs == []


def test_every_edit_is_of_one_place_of_its_file() -> None:
    """Otherwise the command would say so only after minutes."""
    for one in MISTAKES:
        text = (ROOT / one.file).read_text(encoding="utf-8")
        assert text.count(one.old) == 1, one.name
