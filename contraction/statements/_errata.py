"""The errata: what of the printed text stands, and each slip with its correction and the command that shows it."""

from __future__ import annotations

from collections.abc import Sequence

from contraction.statements._base import Row, Statement, Verdict

__all__ = ["VERSION", "errata_markdown", "slips"]

VERSION = "arXiv v1, 4 February 2025; later versions not checked"
_ORDER = ("changes a conclusion", "repairable", "typo")


def slips(statements: Sequence[Statement]) -> list[tuple[Row, Statement]]:
    """Every row that does not stand as printed, most serious first, then in the order of the text."""
    found = [(row, s) for s in statements for row in s.rows if row.severity is not None]
    return sorted(found, key=lambda pair: (_ORDER.index(pair[0].severity or "typo"), pair[0].id))


def errata_markdown(statements: Sequence[Statement], refutations: dict[tuple[str, int], Verdict] | None = None) -> str:
    """The errata as Markdown; ``refutations`` ((statement, row) -> verdict) adds what running them found."""
    stands = [(row, s) for s in statements for row in s.rows if row.severity is None]
    lines = [
        "# Errata of “Training in reverse”",
        "",
        f"Seen in {VERSION}. Every entry can be run; the command stands with it.",
        "",
        "## What stands",
        "",
        "The main theorems hold: under a common contraction factor k < 1 and bounded displacement D the backward "
        "iterates converge to a point, at rate D kⁿ/(1−k), the same from every start (Theorem 2.2); for i.i.d. maps "
        "forward and backward iterates have the same law at every n, so where the backward iterates converge the "
        "forward ones converge in law to the law of that point (Theorem 2.6). "
        f"{len(stands)} of the {len(stands) + len(slips(statements))} places checked stand as printed:",
        "",
    ]
    seen: set[str] = set()
    for row, s in sorted(stands, key=lambda pair: pair[0].id):
        if row.place not in seen:
            seen.add(row.place)
            lines.append(f"- {row.place} (row {row.id}, `{s.name}`)")
    lines += ["", "## What does not stand as printed"]
    severity = None
    for row, s in slips(statements):
        if row.severity != severity:
            severity = row.severity
            heading = {"typo": "Typos", "repairable": "Repairable", "changes a conclusion": "Changes a conclusion"}
            lines += ["", f"### {heading[str(severity)]}"]
        lines += ["", f"**{row.place}** (row {row.id}, {row.printed})", ""]
        lines += [f"- Printed: {row.quote}"] if row.quote else []
        lines += [f"- Why not: {row.why}"] if row.why else []
        lines += [f"- Correct: {row.correct}"] if row.correct else []
        verdict = (refutations or {}).get((s.name, row.id))
        if verdict is not None:
            found = "the printed form fails" if verdict.holds else "THE PRINTED FORM WAS NOT REFUTED"
            numbers = ""
            if None not in (verdict.measured, verdict.claimed):
                measured, claimed = f"{verdict.measured:.6g}", f"{verdict.claimed:.6g}"
                if measured != claimed:
                    numbers = f": measured {measured}, printed form gives {claimed}"
            lines.append(f"- Run: {found}{numbers}" + (f" ({verdict.note})" if verdict.note else ""))
        elif refutations is not None:
            why = (
                "a slip of notation"
                if row.printed == "TYPO"
                else "true, but not the whole: the correction is what runs"
            )
            lines.append(f"- Run: {why}; there is no false number to compute")
        lines.append(f"- Severity: {row.severity}. Shown by: `python -m contraction verify {s.name}`")
    return "\n".join(lines) + "\n"
