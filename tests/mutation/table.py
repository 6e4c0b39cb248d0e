"""The table of a run, its survivors, and the list of mutants that change nothing."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.mutation.mutate import Mutant
from tests.mutation.run import Outcome

EQUIVALENT = Path(__file__).parent / "equivalent.tsv"

Result = tuple[str, Mutant, Outcome]


def equivalents(path: Path = EQUIVALENT) -> dict[tuple[str, str, str], str]:
    """Return (file, line, edited line) -> why the edit changes nothing that a test could or should notice.

    The lines are compared with single spaces, so that the list holds while code moves within its file.
    """
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        fields = line.split("\t")
        if len(fields) != 4 or not all(fields):
            raise ValueError(f"{path.name}:{number}: four fields with tabs between them are needed: {line!r}")
        file, before, after, reason = fields
        found[file, before, after] = reason
    return found


def is_equivalent(mutant: Mutant, known: dict[tuple[str, str, str], str]) -> bool:
    """Return whether the list holds the mutant."""
    return (mutant.file, mutant.before, mutant.after) in known


def counts(
    results: Sequence[Result], known: dict[tuple[str, str, str], str]
) -> list[tuple[str, int, int, int, int, int]]:
    """Return (group, mutants, equivalent ones, killed, out of budget, survivors) for each group, then for all.

    A mutant that a test kills is not equivalent, whatever the list says of it. One is out of budget if tests that run
    it were left out; it counts against the rate as a survivor does.
    """

    def row(name: str, part: Sequence[Result]) -> tuple[str, int, int, int, int, int]:
        killed = sum(o.status == "killed" for _, _, o in part)
        same = sum(o.status != "killed" and is_equivalent(m, known) for _, m, o in part)
        out = sum(o.status == "unfinished" and not is_equivalent(m, known) for _, m, o in part)
        return name, len(part), same, killed, out, len(part) - same - killed - out

    groups = list(dict.fromkeys(group for group, _, _ in results))
    rows = [row(group, [r for r in results if r[0] == group]) for group in groups]
    others = [r for r in results if r[0] != "analysis"]
    if len(groups) > 1 and "analysis" in groups:
        rows.append(row("all but analysis", others))
    return [*rows, row("all", results)] if len(groups) > 1 else rows


def table(results: Sequence[Result], known: dict[tuple[str, str, str], str]) -> str:
    """Return the table in Markdown; the rate is that of the mutants that are not equivalent."""
    lines = [
        "| group | mutants | equivalent | killed | not killed within the budget | survivors | rate |",
        "| --- | --: | --: | --: | --: | --: | --: |",
    ]
    for name, total, same, killed, out, left in counts(results, known):
        rate = f"{100 * killed / (total - same):.0f} %" if total > same else "–"
        lines.append(f"| {name} | {total} | {same} | {killed} | {out} | {left} | {rate} |")
    return "\n".join(lines)


def difference(mutant: Mutant, text: str) -> str:
    """Return a mutant's edit as a unified diff."""
    lines = difflib.unified_diff(
        text.splitlines(), mutant.apply(text).splitlines(), f"a/{mutant.file}", f"b/{mutant.file}", lineterm="", n=1
    )
    return "\n".join(lines)


def survivors(results: Iterable[Result], known: dict[tuple[str, str, str], str], root: Path) -> str:
    """Return every survivor that is not equivalent, with its diff."""
    parts = []
    for group, mutant, found in results:
        if found.status != "killed" and not is_equivalent(mutant, known):
            note = f"{found.tests} tests run it" if found.tests else "no test runs it"
            note += "; others were left out by the budget" if found.status == "unfinished" else ""
            note += f"; stopped while it waited in {found.by}" if found.status == "stopped" else ""
            diff = difference(mutant, (root / mutant.file).read_text(encoding="utf-8"))
            parts.append(f"{group}, {mutant.kind}, {note}\n\n```diff\n{diff}\n```\n")
    return "\n".join(parts)
