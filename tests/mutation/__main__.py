"""The command line: ``python -m tests.mutation --help``."""

from __future__ import annotations

import argparse
import datetime
import sys
import tempfile
from pathlib import Path

from tests.mutation import coverage_of_tests, groups, run, table, tree
from tests.mutation.mutate import Mutant

#: So many given paths of tests are named in the report.
FEW = 8


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--root", type=Path, default=tree.ROOT, help="a checkout (default: this one)")
    parser.add_argument("--revision", default="HEAD", help="the commit whose code and tests run (default: HEAD)")
    parser.add_argument("--group", action="append", choices=list(groups.GROUPS), help="repeatable (default: all)")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="FILE",
        help="edit this file of the checkout alone; repeatable (default: all files of the groups)",
    )
    parser.add_argument("--count", type=int, default=40, help="mutants per group (default: 40)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (default: 0)")
    parser.add_argument("--processes", type=int, choices=(1, 2), default=2, help="(default: 2)")
    parser.add_argument(
        "--limit-seconds", type=float, default=float("inf"), help="begin no mutant after that (default: no limit)"
    )
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path(tempfile.gettempdir()) / "training-in-reverse-mutants",
        help="folder for copies, coverage and journals, outside the tree (default: below the temporary folder)",
    )
    parser.add_argument(
        "--test-seconds",
        type=float,
        default=float("inf"),
        help="of each mutant's tests run the first that take so long together, those about the edited file before "
        "others; what they do not kill is listed as not killed within the budget (default: all)",
    )
    parser.add_argument(
        "--patience", type=float, default=60.0, help="seconds of the processor until a test hangs (default: 60)"
    )
    parser.add_argument(
        "--tests",
        action="append",
        metavar="PATH",
        help="run the tests of this file or folder of the checkout alone; repeatable (default: all tests)",
    )
    parser.add_argument(
        "--equivalent", type=Path, default=table.EQUIVALENT, help="the list of equivalent mutants (default: ours)"
    )
    parser.add_argument(
        "--again", action="store_true", help="run what survived an earlier run of this code, with fewer tests"
    )
    parser.add_argument("--out", type=Path, help="a file for the table and the survivors (default: print only)")
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> int:
    """Draw, run and report; return 0."""
    asked = arguments(given)
    root = asked.root.resolve()
    revision = tree.git(root, "rev-parse", asked.revision)
    place = asked.cache / revision[:12]
    journal = asked.cache / f"{coverage_of_tests.code_of(root, revision)}.jsonl"
    folders = [place / f"copy-{k}" for k in range(asked.processes)]
    for folder in folders:
        tree.unpack(root, revision, folder)
    held = {str(p.relative_to(folders[0])) for v in groups.GROUPS.values() for p in groups.files_of(folders[0], v)}
    if missing := [file for file in asked.only if file not in held]:
        raise ValueError(f"--only must name files of the groups at {revision[:12]}; none holds {missing}")
    sampled: list[tuple[str, Mutant]] = [
        (group, mutant)
        for group in asked.group or groups.GROUPS
        for mutant in groups.sample(folders[0], group, asked.count, asked.seed, asked.only)
    ]
    if root == tree.ROOT:
        tree.preload()
    files = coverage_of_tests.files_of_tests(root, revision, asked.tests)
    tests = coverage_of_tests.collect(root, revision, folders, asked.cache / "coverage", files)
    if asked.again:
        run.forget_survivors(journal)
    selection = run.Selection(tests, folders[0], asked.test_seconds)
    results = run.run(sampled, selection, folders, journal, asked.limit_seconds, asked.patience)
    known = table.equivalents(asked.equivalent)
    limit = "" if asked.test_seconds == float("inf") else f", the first {asked.test_seconds:g} s of them"
    if asked.tests:
        few = len(asked.tests) <= FEW
        limit += f", those below {', '.join(asked.tests) if few else f'{len(asked.tests)} given paths'} alone"
    report = (
        f"Revision {revision[:12]}, seed {asked.seed}, {asked.count} mutants per group, "
        f"{datetime.date.today().isoformat()}; {len(results)} of {len(sampled)} mutants were run, each by the tests "
        f"that run the edited line{limit}.\n\n"
        f"{table.table(results, known)}\n\n{table.survivors(results, known, folders[0])}"
    )
    print(report)
    if asked.out:
        asked.out.write_text(report, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
