"""Work in a child process that is forked after all imports: its status, what it says, its death at a given moment."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable

__all__ = ["Work", "child", "kill_after", "outcome", "succeed", "wait"]

#: Returns the status with which the child ends.
Work = Callable[[], int]


def child(work: Work, *, before: Callable[[], object] = lambda: None, errors: int | None = None) -> int:
    """Fork, run ``before`` and ``work`` in the child, and return its process number; ``errors`` is a file number."""
    pid = os.fork()
    if pid:
        return pid
    status = 70
    with contextlib.suppress(BaseException):
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 1)
        os.dup2(sink if errors is None else errors, 2)
        try:
            before()
            status = work()
        except BaseException:
            traceback.print_exc()
        sys.stderr.flush()
    os._exit(status)


def outcome(work: Work, before: Callable[[], object] = lambda: None) -> tuple[int, str]:
    """Run in a child to the end, and return the status and what was written to standard error."""
    end, errors = os.pipe()  # a pipe has no size that a limit could cut
    pid = child(work, before=before, errors=errors)
    os.close(errors)
    with os.fdopen(end) as file:
        said = file.read()
    return wait(pid), said


def succeed(work: Work, what: str) -> None:
    """Run in a child to the end.

    Raises
    ------
    AssertionError
        If the status is not 0; the message begins with ``what`` and has the end of what was written to standard error.
    """
    status, said = outcome(work)
    assert status == 0, f"{what}: status {status}: {said[-2000:]}"


def wait(pid: int) -> int:
    """Wait until a child ends, and return its status; that of a killed child is minus the signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def kill_after(work: Work, seconds: float) -> bool:
    """Kill -9 a child after so many seconds, and return whether it was still at work.

    Raises
    ------
    AssertionError
        If it came to its end by itself, with a status other than 0.
    """
    pid, end = child(work), time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            break
        time.sleep(0.002)
    else:
        os.kill(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, -signal.SIGKILL), f"a command that was not killed yet ended with status {code}"
    return code != 0
