"""The command ``training-in-reverse``: both packages' commands under one name.

``training-in-reverse theory …`` is ``python -m contraction …``, and ``training-in-reverse networks …`` is
``python -m nn_experiments …``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from contraction.files import write_what_the_terminal_lacks

__all__ = ["main"]

USAGE = """usage: training-in-reverse theory | networks …

  theory    verify, rates, errata, report: the same as python -m contraction
  networks  list, run, plot, report, diagnose, …: the same as python -m nn_experiments

training-in-reverse theory --help and training-in-reverse networks --help say more."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one of the two command lines.

    Parameters
    ----------
    argv
        The words of the command line after its name (default: those of this process).

    Returns
    -------
    int
        The exit status of the command: 0 for success, 1 if something fails, 2 for invalid input, 3 for a run that a
        time limit stopped, 130 if it was interrupted. Where ``networks`` refuses the value of an option, it is 1.

    Examples
    --------
    >>> main(["--version"])
    training-in-reverse 0.2.0
    0
    """
    write_what_the_terminal_lacks()
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["theory"]:
        from contraction.__main__ import main as theory

        return theory(words[1:])
    if words[:1] == ["networks"]:
        from nn_experiments.cli import main as networks

        return networks(words[1:])
    if words[:1] == ["--version"]:
        from contraction import __version__

        _say(f"training-in-reverse {__version__}")
        return 0
    if words[:1] in (["--help"], ["-h"]):
        _say(USAGE)
        return 0
    found = f"\n\nunknown command {words[0]!r}; the known ones are theory and networks" if words else ""
    print(USAGE + found, file=sys.stderr)
    return 2


def _say(text: str) -> None:
    """Print a text, unless the reader has closed the pipe, as ``… | head`` does."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    raise SystemExit(main())
