"""The command ``training-in-reverse``: both packages' commands under one name.

``training-in-reverse theory …`` is ``python -m contraction …``, and ``training-in-reverse networks …`` is
``python -m nn_experiments …``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from contraction.command_line import DONE, REFUSED, run_command

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
        The exit status of the command: 0 for success, 1 if something fails, 2 if what was asked for is refused, 3 for a
        run that a time limit stopped, 130 if it was interrupted (docs/reference/commands.md).

    Examples
    --------
    >>> main(["--version"])
    training-in-reverse 0.2.0
    0
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["theory"]:
        from contraction.__main__ import main as theory

        return theory(words[1:])
    if words[:1] == ["networks"]:
        from nn_experiments.cli import main as networks

        return networks(words[1:])
    if words[:1] == ["--version"]:
        from contraction import __version__

        return _say(f"training-in-reverse {__version__}")
    if words[:1] in (["--help"], ["-h"]):
        return _say(USAGE)
    found = f"\n\nunknown command {words[0]!r}; the known ones are theory and networks" if words else ""
    print(USAGE + found, file=sys.stderr)
    return REFUSED


def _say(text: str) -> int:
    def say() -> int:
        print(text)
        return DONE

    return run_command(say, name="training-in-reverse", interrupted="interrupted")


if __name__ == "__main__":
    raise SystemExit(main())
