"""What every command line here does about refusals, failures, Ctrl-C and closed pipes, and its exit statuses."""

from __future__ import annotations

import errno
import io
import os
import select
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

__all__ = ["DONE", "FAILED", "INTERRUPTED", "REFUSED", "UNFINISHED", "run_command", "status_of"]

#: The command has done what it was asked for.
DONE = 0
#: A statement does not hold, or the command could not end: no memory, a full disk, a package that is missing.
FAILED = 1
#: Words, values, files or folders on the command line are not what the command takes; argparse has this number too.
REFUSED = 2
#: A time limit stopped the command, and the same command goes on.
UNFINISHED = 3
#: Ctrl-C, as shells have it: 128 and the number of the signal.
INTERRUPTED = 130

_OF_VALUES = (TypeError, ValueError, KeyError)
_OF_PATHS = (FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError, PermissionError)
#: A read-only file system, too long a name, links that go round in a circle: Python has no classes for these.
_OF_PATHS_BY_NUMBER = (errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP)


def status_of(error: Exception) -> int:
    """Return the exit status after an error: `REFUSED` for values and paths that were given, `FAILED` for the rest.

    Examples
    --------
    >>> status_of(ValueError("a seed must not be negative")), status_of(MemoryError())
    (2, 1)
    """
    of_path = isinstance(error, OSError) and error.errno in _OF_PATHS_BY_NUMBER
    return REFUSED if of_path or isinstance(error, (*_OF_VALUES, *_OF_PATHS)) else FAILED


def run_command(command: Callable[[], int], *, name: str, interrupted: str) -> int:
    """Run a command and return its exit status; an error is one line on standard error, and no traceback.

    Parameters
    ----------
    command
        Returns its exit status, or raises `SystemExit`, as argparse does.
    name
        What the line of an error begins with.
    interrupted
        The line after Ctrl-C.

    Returns
    -------
    int
        What ``command`` returns, `REFUSED`, `FAILED` or `INTERRUPTED`; `DONE` if the reader of the output has gone
        before the command has ended, as in ``… | head``.

    Raises
    ------
    SystemExit
        If ``command`` does.

    Examples
    --------
    >>> run_command(lambda: print("done") or 0, name="example", interrupted="stopped")
    done
    0
    """
    _write_what_the_terminal_lacks()
    try:
        with _warnings_as_lines():
            status = command()
        _flush()
        return status
    except SystemExit:
        _flush()
        raise
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError as error:
        if _reader_has_gone():
            _discard_output()
            return DONE
        with suppress(BrokenPipeError):  # it may be that of standard error
            print(f"{name}: {error}", file=sys.stderr)
        return FAILED
    except MemoryError as error:
        print(f"{name}: there is not enough memory for this: {error}", file=sys.stderr)
        return FAILED
    except (*_OF_VALUES, OSError, ImportError, RuntimeError) as error:
        message = error.args[0] if isinstance(error, KeyError) and error.args else error
        print(f"{name}: {message}", file=sys.stderr)
        return status_of(error)


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    """Print a warning as one line on standard error, without the place in our code that Python adds."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *place: print(f"warning: {message}", file=sys.stderr)
        yield


def _write_what_the_terminal_lacks() -> None:
    """Make standard output write a character that its encoding lacks by its number, in place of an error.

    Standard error does so from the start. Output that is not a terminal has the encoding of the system, which need not
    know Greek letters.
    """
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def _flush() -> None:
    """Write what is still held back; a reader that has gone does not change the exit status."""
    if sys.stdout is None:  # the shell has closed it: `… >&-`
        return
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()


def _reader_has_gone() -> bool:
    """Return whether standard output is a pipe whose reader has gone; true where the system cannot tell."""
    if sys.stdout is None:
        return False
    try:
        file = sys.stdout.fileno()
    except (OSError, ValueError):  # closed, or not a file
        return False
    if sys.platform == "win32":  # which has no poll
        return True
    poll = select.poll()
    poll.register(file, 0)
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))


def _discard_output() -> None:
    """Send the rest of the output nowhere, since Python writes it once more when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
