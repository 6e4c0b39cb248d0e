"""Both command lines end with the same exit status for the same kind of end, and with one line about it."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import contraction.__main__ as theory
from contraction.command_line import run_command, status_of
from contraction.files import check_writable_folder, write_text
from nn_experiments import cli as networks


def ending(error: BaseException) -> int:
    """Return the exit status of a command that raises an error."""

    def command() -> int:
        raise error

    return run_command(command, name="here", interrupted="stopped")


#: What a command raises, its exit status, and the line on standard error.
ENDS = [
    (ValueError("a seed must not be negative"), 2, "here: a seed must not be negative"),
    (TypeError("a number, please"), 2, "here: a number, please"),
    (KeyError("no plot has this name"), 2, "here: no plot has this name"),
    (FileNotFoundError("file x does not exist"), 2, "here: file x does not exist"),
    (NotADirectoryError(errno.ENOTDIR, "Not a directory", "x"), 2, "here: [Errno 20] Not a directory: 'x'"),
    (PermissionError("x cannot be written"), 2, "here: x cannot be written"),
    (OSError(errno.EROFS, "Read-only file system", "x"), 2, "here: [Errno 30] Read-only file system: 'x'"),
    (
        OSError(errno.ENAMETOOLONG, "Too long", "x"),
        2,
        f"here: [Errno {errno.ENAMETOOLONG}] Too long: 'x'",
    ),
    (OSError(errno.ELOOP, "Too many levels", "x"), 2, f"here: [Errno {errno.ELOOP}] Too many levels: 'x'"),
    (OSError(errno.ENOSPC, "No space left", "x"), 1, "here: [Errno 28] No space left: 'x'"),
    (MemoryError("7 TiB"), 1, "here: there is not enough memory for this: 7 TiB"),
    (RuntimeError("a worker died"), 1, "here: a worker died"),
    (ModuleNotFoundError("No module named 'torch'"), 1, "here: No module named 'torch'"),
    (KeyboardInterrupt(), 130, "stopped"),
]


@pytest.mark.parametrize(("error", "status", "line"), ENDS, ids=[f"{type(e).__name__}-{s}" for e, s, _ in ENDS])
def test_an_error_has_a_status_and_a_line(error: BaseException, status: int, line: str, capsys) -> None:
    assert ending(error) == status
    assert capsys.readouterr() == ("", line + "\n")


@pytest.mark.control
def test_a_mistake_of_ours_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        ending(ZeroDivisionError())


def test_a_command_returns_its_own_status() -> None:
    assert [run_command(lambda k=k: k, name="here", interrupted="stopped") for k in (0, 1, 3)] == [0, 1, 3]


@pytest.mark.parametrize("status", [0, 1, 3])
def test_output_that_the_shell_has_closed_changes_no_status(status: int, monkeypatch) -> None:
    """With ``>&-`` Python has no ``sys.stdout``, and `print` writes nothing."""

    def command() -> int:
        print("nobody reads this")
        return status

    monkeypatch.setattr(sys, "stdout", None)
    assert run_command(command, name="here", interrupted="stopped") == status


def test_a_warning_is_a_line_without_a_place_in_our_code(capsys) -> None:
    def command() -> int:
        warnings.warn("a run is left out", stacklevel=1)
        return 0

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert run_command(command, name="here", interrupted="stopped") == 0
    assert capsys.readouterr() == ("", "warning: a run is left out\n")


#: Words for both command lines that ask for what is not there.
REFUSED = {
    "an unknown command": (["nothing"], ["nothing"]),
    "an unknown option": (["rates", "--nothing"], ["list", "--nothing"]),
    "an unknown name": (["verify", "Theorem 9.9"], ["list", "fig99"]),
    "a folder that is not there": (["verify", "--from", "nowhere"], ["merge", "nowhere"]),
    "an output below a file": (["report", "--out", "file/below"], ["merge", "runs", "--out", "file/below"]),
}


@pytest.mark.parametrize("words", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("k", [0, 1], ids=["theory", "networks"])
def test_what_is_refused_has_the_status_of_argparse(words, k: int, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("contraction.report.html.theory_sections", lambda seed: ([], True))
    (tmp_path / "file").write_text("not a folder")
    run = tmp_path / "runs" / "abc"
    write_text(run / "experiment.json", '{"decides": {}, "experiment": {"name": "a"}}')
    before = sorted(tmp_path.rglob("*"))
    try:
        status = (theory, networks)[k].main(list(words[k]))
    except SystemExit as stop:  # argparse
        status = stop.code
    assert status == 2
    said, errors = capsys.readouterr()
    assert said == ""
    assert ("error: " if k == 1 else "contraction: ") in errors.splitlines()[-1]
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("module", ["contraction", "nn_experiments", "training_in_reverse"])
def test_help_for_a_reader_that_has_gone_is_no_error(module: str) -> None:
    """As in ``… --help | head -0``: Python would print a warning when it ends, and its status would be 120."""
    reading, writing = os.pipe()
    os.close(reading)
    gone = subprocess.run([sys.executable, "-m", module, "--help"], stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (gone.returncode, gone.stderr) == (0, "")


def test_a_reader_that_has_gone_does_not_hide_that_a_statement_fails() -> None:
    """The table of a statement fits into what Python holds back, so that the pipe is met at the end."""
    code = "import sys; from contraction.command_line import run_command\n"
    code += "sys.exit(run_command(lambda: print('FAIL') or 1, name='here', interrupted='stopped'))"
    reading, writing = os.pipe()
    os.close(reading)
    held_back = {**os.environ, "PYTHONUNBUFFERED": ""}
    command = [sys.executable, "-c", code]
    gone = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, env=held_back)
    os.close(writing)
    assert (gone.returncode, gone.stderr) == (1, "")


@pytest.mark.parametrize("closed", [False, True], ids=["read", "gone"])
def test_a_broken_pipe_that_is_not_of_the_output_is_a_failure(closed: bool) -> None:
    """A worker or a socket that has gone is none of the reader's doing; if the reader has gone as well, all is well."""
    code = "import os, sys; from contraction.command_line import run_command\n"
    code += "def command():\n    a, b = os.pipe(); os.close(a); os.write(b, b'x')\n"
    code += "sys.exit(run_command(command, name='here', interrupted='stopped'))"
    reading, writing = os.pipe()
    if closed:
        os.close(reading)
    gone = subprocess.run([sys.executable, "-c", code], stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    if not closed:
        os.close(reading)
    assert gone.returncode == (0 if closed else 1)
    assert gone.stderr == ("" if closed else "here: [Errno 32] Broken pipe\n")


def test_the_error_of_a_folder_says_what_kind_it_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(NotADirectoryError, match=r"^the output folder '.*below' cannot be written: ") as refused:
        check_writable_folder(tmp_path / "file" / "below")
    assert refused.value.errno == errno.ENOTDIR
    assert status_of(refused.value) == 2
    with pytest.raises(FileExistsError, match="cannot be written"):
        check_writable_folder(tmp_path / "file")
