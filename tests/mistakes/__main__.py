"""Deliberate mistakes, each caught by a named test: ``python -m tests.mistakes``.

Every mistake is one edit of one file in a copy of the packages; the named test must pass on the true code and fail on
the edited one. A mistake that no test catches makes this script fail. ``--help`` says how to run only some of them.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.mistakes import run, table
from tests.mutation import tree


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.mistakes",
        description=f"Make {len(table.MISTAKES)} deliberate mistakes, one at a time, each in a copy of the project, "
        "and run the named test that must catch it. Without options all of them are made, which takes many minutes. "
        "The exit status is 0 if every mistake is caught.",
    )
    parser.add_argument(
        "--only", metavar="TEXT", help="make only mistakes whose name, file or test contains TEXT (default: all)"
    )
    parser.add_argument("--list", action="store_true", help="print the mistakes with their tests, and run nothing")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the named tests on the true code, then each on its mistake; return 0 if all are caught."""
    parser = _arguments()
    asked = parser.parse_args(argv)
    chosen = [
        m for m in table.MISTAKES if asked.only is None or any(asked.only in text for text in (m.name, m.file, m.test))
    ]
    if not chosen:
        parser.error(f"no mistake has {asked.only!r} in its name, file or test; --list prints them all")
    if asked.list:
        for mistake in chosen:
            print(f"{mistake.name}\n    in {mistake.file}\n    by {mistake.test}")
        return 0
    tree.preload()
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / f"copy-{k}" for k in range(min(os.cpu_count() or 1, len(chosen)))]
        for folder in folders:
            run.copy(folder)
        failed = run.failures(sorted({m.test for m in chosen}), folders)
        if failed:
            print("the named tests must pass on the true code:\n" + "\n".join(failed))
            return 1
        count = run.caught(chosen, folders)
    print(f"\n{count} of {len(chosen)} mistakes caught")
    return 0 if count == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
