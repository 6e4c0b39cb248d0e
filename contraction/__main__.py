"""Command line: ``python -m contraction verify | rates | errata | report``."""

from __future__ import annotations

import argparse
import functools
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from contraction import __version__
from contraction.command_line import DONE, FAILED, run_command

if TYPE_CHECKING:
    from contraction.statements import Statement, Verdict
    from contraction.statements.library import Oracle


def main(argv: list[str] | None = None) -> int:
    """Run the command line.

    Returns
    -------
    int
        0 (success), 1 (a statement fails, or the command cannot end), 2 (it is refused) or 130 (interrupted).
    """
    return run_command(functools.partial(_run, argv), name="contraction", interrupted="contraction: interrupted")


def _run(argv: Sequence[str] | None) -> int:
    arguments = _parser().parse_args(argv)
    return arguments.run(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m contraction", description="Check the statements of the paper.")
    parser.add_argument("--version", action="version", version=f"training-in-reverse {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    verify = commands.add_parser("verify", help="check statements and library, and print the tables")
    verify.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help='"Theorem 2.2", "row 14", the name of a statement or of a function such as "certify", or "library" '
        "(default: everything)",
    )
    _add_folder(verify)
    verify.add_argument("--json", action="store_true", help="print a JSON list with one item per row of docs/audit.md")
    verify.add_argument(
        "--tier", choices=("standard", "thorough"), default="standard", help="number of cases (default: standard)"
    )
    verify.add_argument("--seed", type=_seed, default=0, help="seed of the cases (default: 0)")
    verify.set_defaults(run=_verify)

    rates = commands.add_parser("rates", help="plot the empirical convergence rates of all families")
    rates.add_argument("names", nargs="*", metavar="PLOT", help="names of plots (default: all)")
    rates.add_argument("--out", default="out/rates", help="folder for PNG and SVG files (default: out/rates)")
    rates.set_defaults(run=_rates)

    errata = commands.add_parser(
        "errata", help="print what holds as printed, the errata, the missing hypotheses, and the additions"
    )
    errata.add_argument("names", nargs="*", metavar="NAME", help='statements, as in "verify" (default: all of them)')
    _add_folder(errata)
    errata.add_argument(
        "--json", action="store_true", help="print a JSON list with one item per row of these statements"
    )
    errata.add_argument("--seed", type=_seed, default=0, help="seed of the cases (default: 0)")
    errata.set_defaults(run=_errata)

    report = commands.add_parser("report", help="write one self-contained HTML page")
    _add_folder(report)
    report.add_argument("--out", default="out", help="folder for report.html (default: out)")
    report.add_argument("--page", help="file to write (default: OUT/report.html)")
    report.add_argument("--seed", type=_seed, default=0, help="seed of the cases (default: 0)")
    report.set_defaults(run=_report)
    return parser


def _add_folder(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--from",
        dest="folder",
        metavar="FOLDER",
        help="take the statements of this folder, one file each, in place of the paper's (docs/how-to/own-theorem.md)",
    )


def _seed(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"a seed must be a non-negative integer, got {text!r}")
    return int(text)


def _verify(arguments: argparse.Namespace) -> int:
    from contraction.statements.render.items import items, library_items

    statements, oracles = _chosen(arguments.names, arguments.folder)
    results = [(s, list(s.run(arguments.seed, arguments.tier))) for s in statements]
    library = [(o, o.run(arguments.seed)) for o in oracles]
    undetected = [(s.name, wrong) for s in statements for wrong in s.undetected(arguments.seed)]
    undetected += [(o.name, o.wrong) for o in oracles if not o.detected(arguments.seed)]
    verdicts = [v for _, of_statement in results for v in of_statement]
    if arguments.json:
        entries = [i for s, of_s in results for i in items(s, of_s)] + library_items(library)
        print(json.dumps(entries, indent=1, ensure_ascii=False))
    else:
        if verdicts:
            _print_statements(verdicts, statements, "docs/audit.md" if arguments.folder is None else "the folder")
        if library:
            _print_library([v for _, v in library], apart=bool(verdicts))
        if wrong := sum(len(s.controls) for s in statements) + len(oracles):
            print(f"{wrong} wrong claims put to the checks, {wrong - len(undetected)} refused")
    verdicts += [v for _, v in library]
    for v in verdicts:
        if not v.holds:
            print(f"FAILED {v.failure}", file=sys.stderr)
    for name, wrong in undetected:
        print(f"NOT DETECTED {name}: the check holds with the wrong claim “{wrong}”", file=sys.stderr)
    return DONE if all(v.holds for v in verdicts) and not undetected else FAILED


def _chosen(names: Sequence[str], folder: str | None) -> tuple[Sequence[Statement], Sequence[Oracle]]:
    """Return the statements and library functions to check: all, or those with these names; no library for a folder."""
    from contraction.statements import all_statements, find, statements_from
    from contraction.statements.library import all_oracles

    if folder is not None:
        statements = statements_from(folder)
        return (list(dict.fromkeys(s for name in names for s in find(name, statements))) if names else statements), ()
    return _named(names) if names else (all_statements(), all_oracles())


def _named(names: Sequence[str]) -> tuple[Sequence[Statement], Sequence[Oracle]]:
    """Return the statements and library functions with these names, each once."""
    from contraction.statements import find
    from contraction.statements.library import find_oracles

    statements, oracles = [], []
    for name in names:
        matching = find_oracles(name)
        oracles += matching
        try:
            statements += find(name)
        except KeyError:
            if not matching:
                raise
    return list(dict.fromkeys(statements)), list(dict.fromkeys(oracles))


def _print_statements(verdicts: Sequence[Verdict], statements: Sequence[Statement], listed: str) -> None:
    from contraction.statements.render.table import table

    print(table(verdicts, {s.name: s.claim for s in statements}))
    count = len(statements)
    failed, cases, paths = (sum(x) for x in zip(*((v.failed, v.cases, v.paths) for v in verdicts), strict=True))
    simulated = f" (with {paths} simulated paths)" if paths else ""
    print(f"\n{count} statement{'s' * (count != 1)}, {cases} checks{simulated}, {failed} failed")
    print(
        f"rows: places of the paper, listed in {listed}; checks: simulated paths are not counted; "
        "worst ratio: measured over claimed; "
        "refuted: the printed form was run and failed, as expected, and has no ratio; "
        "loose: the printed bound holds but is not attained; beyond: the text holds, and the check shows more"
    )


def _print_library(verdicts: Sequence[Verdict], apart: bool) -> None:
    from contraction.statements.render.table import library_table

    print(
        ("\n" if apart else "") + "library: each function of the toolkit is compared with an independent computation\n"
    )
    print(library_table(verdicts))
    failed = sum(not v.holds for v in verdicts)
    print(f"\n{len(verdicts)} function{'s' * (len(verdicts) != 1)}, {failed} failed")


def _errata(arguments: argparse.Namespace) -> int:
    from contraction.statements import all_statements, find, statements_from
    from contraction.statements.render.errata import errata_items, errata_markdown, errata_of

    folder = arguments.folder
    known = all_statements() if folder is None else statements_from(folder)
    named = [s for name in arguments.names for s in find(name, known)]
    statements = tuple(dict.fromkeys(named)) if arguments.names else known
    refutations = {(s.name, row): v for s in statements for row, v in s.refutations(arguments.seed).items()}
    failed = [] if folder is None else [v for s in statements for v in s.run(arguments.seed) if not v.holds]
    if arguments.json:
        text = json.dumps(errata_items(statements, refutations), indent=1, ensure_ascii=False) + "\n"
    elif statements is known and folder is None:
        text = errata_markdown(statements, refutations)
    else:
        text = errata_of(statements, refutations, folder, failed)
    print(text, end="")
    for v in failed:
        print(f"FAILED {v.failure}", file=sys.stderr)
    return DONE if all(v.holds for v in refutations.values()) and not failed else FAILED


def _rates(arguments: argparse.Namespace) -> int:
    from contraction.plots import draw_all

    for path in draw_all(arguments.out, arguments.names):
        print(path)
    return DONE


def _report(arguments: argparse.Namespace) -> int:
    from contraction.report.html import theory_report

    if Path(arguments.out).suffix == ".html":
        raise ValueError(f"--out is a folder, got {arguments.out}; name the file with --page")
    page = arguments.page or Path(arguments.out) / "report.html"
    missing = not Path(page).parent.exists()
    path, holds = theory_report(page, arguments.seed, arguments.folder)
    if missing:
        print(f"contraction: made the folder {Path(page).parent}", file=sys.stderr)
    print(path)
    return DONE if holds else FAILED


if __name__ == "__main__":
    sys.exit(main())
