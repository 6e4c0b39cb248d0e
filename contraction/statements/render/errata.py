"""The errata, a letter to the authors: what stands, errata, hypotheses to add, and what goes beyond the paper."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict

from contraction.statements.records import Row, Section, Statement, Verdict

__all__ = ["VERSION", "entries", "errata_items", "errata_markdown", "errata_of", "slips"]

VERSION = "arXiv 2502.01557v1 of 4 February 2025"
_ORDER = ("changes a conclusion", "repairable", "typo")
_HEADINGS = {
    "changes a conclusion": "Changes a conclusion",
    "repairable": "Lines and formulas",
    "typo": "Typos and wording",
}

_QUESTION = "We have a question"

_OPENING = f"""\
Dear Benoit Dherin, Benny Avelin, Anders Karlsson, Hanna Mazzawi, Javier Gonzalvo and Michael Munn,

Thank you for “Training in reverse”. We read it line by line, re-derived its statements and checked each of them with
code, and we learned much from it. This page collects what we would tell you as colleagues: first what stands, then
the errata, then hypotheses that we would add, and last what goes beyond the paper. Each entry can be run; the command
stands with it. Where we have misread you, we are glad to be corrected.

We read {VERSION}. The paper also exists as arXiv v2 and v3, and in TMLR 2025 as “How iteration composition influences
convergence and stability in deep learning”. We have not compared these versions, so an entry may be settled there.
Sections and numbers are those of v1. Quotations are whole sentences, verbatim, with their formulas in plain characters.
"""

_STANDS = """\
The main theorems stand. Maps with a common contraction factor k < 1 and bounded displacement D have backward iterates
that converge to a point, at rate D kⁿ/(1 − k), and the point is the same for every start (Theorem 2.2). For i.i.d. maps
the forward and the backward iterate have one law at every n, so where the backward iterates converge almost surely, the
forward iterates converge in law to the law of the limit (Theorem 2.6). The expansions of Appendix C stand as well, and
so does the distinction that the paper is about: points in the backward order, a law in the forward one.
"""

_ERRATA = "Typos, lines of proofs, formulas and words that we would change, each with its correction."

_HYPOTHESES = """\
These statements are true under a hypothesis that the text does not state. Most of these hypotheses hold in the cases
that the paper has in mind; a reader who uses a statement elsewhere needs to know them."""

_BEYOND = """\
Nothing in this section is counted against the paper. It holds sharper constants, the scope of a statement, what a
statement does not say, and questions to the authors. Where a sentence is quoted, it stands as printed."""


def slips(statements: Sequence[Statement]) -> list[tuple[Row, Statement]]:
    """Every row that does not stand as printed, most serious first, then in the order of the text."""
    rows = [(row, s) for s in statements for row in s.rows if row.severity is not None]
    return sorted(rows, key=lambda pair: (_ORDER.index(pair[0].severity or "typo"), pair[0].id))


def entries(statements: Sequence[Statement], section: Section) -> list[tuple[Row, Statement]]:
    """Return the rows of one section: the errata by severity, the others in the order of the text.

    A slip that has something to say beyond its correction is entered under "beyond" too.
    """
    if section == "beyond":
        rows = [(row, s) for s in statements for row in s.rows if row.beyond]
        return sorted(rows, key=lambda pair: (pair[0].id, not pair[0].in_paper, pair[1].name))
    return [pair for pair in slips(statements) if pair[0].section == section]


def errata_markdown(statements: Sequence[Statement], refutations: dict[tuple[str, int], Verdict] | None = None) -> str:
    """Return the letter as Markdown; ``refutations`` ((statement, row) -> verdict) adds the results of running it."""
    lines = ["# Errata of “Training in reverse”", "", *_OPENING.splitlines(), "", "## What stands", ""]
    lines += [*_STANDS.splitlines(), "", *_counts(statements).splitlines(), ""]
    return escaped(_joined([*lines, *_sections(statements, refutations)]))


def errata_of(
    statements: Sequence[Statement],
    refutations: dict[tuple[str, int], Verdict] | None,
    folder: str | None = None,
    failed: Sequence[Verdict] = (),
) -> str:
    """Return the sections for some statements, or those of a folder, without the letter to the authors of the paper.

    The statements whose checks ``failed`` come first; none of their rows is said to stand.
    """
    wrong = {v.statement for v in failed}
    head = ["# Errata", ""]
    if failed:
        head += ["## What fails", "", *(f"- The check of `{v.statement}` fails: {v.failure}" for v in failed), ""]
    sections = _sections([s for s in statements if s.name not in wrong], refutations)
    text = escaped(_joined([*head, "## What stands", "", *sections]))
    command = "`python -m contraction verify "
    return text if folder is None else text.replace(command, f"{command}--from {folder} ")


def errata_items(
    statements: Sequence[Statement], refutations: dict[tuple[str, int], Verdict]
) -> list[dict[str, object]]:
    """Return one dictionary per row: statement, fields, section, and the result of running the printed text."""
    items: list[dict[str, object]] = []
    for s in statements:
        for row in s.rows:
            verdict = refutations.get((s.name, row.id))
            run = None if verdict is None else {"confirmed": verdict.holds, "kind": verdict.kind, "note": verdict.note}
            items.append({"statement": s.name, **asdict(row), "section": row.section, "run": run})
    return items


def _sections(statements: Sequence[Statement], refutations: dict[tuple[str, int], Verdict] | None) -> list[str]:
    """Return what stands, the errata, the hypotheses to add, and what goes beyond the paper, if there are any."""
    stands = sorted(((row, s) for s in statements for row in s.rows if row.stands), key=lambda pair: pair[0].id)
    labels = dict.fromkeys(f"- {row.place} (row {row.id}, `{s.name}`)" for row, s in stands)
    lines = list(labels) or ["Nothing that is recorded stands as printed."]
    headed = None
    for k, (row, s) in enumerate(entries(statements, "errata")):
        lines += ["", "## Errata", "", _ERRATA] if k == 0 else []
        if row.severity != headed:
            headed = row.severity
            lines += ["", f"### {_HEADINGS[str(headed)]}"]
        lines += _slip(row, s, refutations)
    for k, (row, s) in enumerate(entries(statements, "hypotheses")):
        lines += ["", "## Hypotheses to add", "", *_HYPOTHESES.splitlines()] if k == 0 else []
        lines += _slip(row, s, refutations)
    for k, (row, s) in enumerate(entries(statements, "beyond")):
        lines += ["", "## Beyond the paper", "", *_BEYOND.splitlines()] if k == 0 else []
        lines += _remark(row, s, refutations)
    return lines


def escaped(text: str) -> str:
    """Formulas kept from being read as Markdown: [V, W](θ) is not a link, and an underscore does not begin emphasis."""
    text = re.sub(r"\[(?=[^\[\]]*\]\()", r"\\[", text)
    text = re.sub(r"(?<![\w\u0303])_", r"\\_", text)
    return re.sub(r"(?<=_)\*", r"\\*", text)


def _joined(lines: list[str]) -> str:
    """Paragraphs on one line each, whatever the width of their source."""
    out: list[str] = []
    for line in lines:
        if line and out and out[-1] and out[-1][0] not in "#-*" and line[0] not in "#-*":
            out[-1] += " " + line
        elif line or (out and out[-1]):
            out.append(line)
    return "\n".join(out) + "\n"


def _counts(statements: Sequence[Statement]) -> str:
    """How many of the paper's statements stand; a number of the audit counts once, and only if it is in the paper."""
    in_paper = {row.id for s in statements for row in s.rows if row.in_paper}
    ids = {
        section: {row.id for row, _ in entries(statements, section)} for section in ("errata", "hypotheses", "beyond")
    }
    stand = in_paper - ids["errata"] - ids["hypotheses"]
    serious = [row for row, _ in slips(statements) if row.severity == "changes a conclusion"]
    conclusion = (
        "No entry changes a conclusion of the paper."
        if not serious
        else f"The entries under “Changes a conclusion” ({len(serious)}) change one."
    )
    asked = sum(row.beyond.startswith(_QUESTION) for s in statements for row in s.rows)
    questions = f", {asked} of these with a question to you" if asked else ""
    return (
        f"We checked {len(in_paper)} statements and lines of the paper, and {len(stand)} of them stand as printed"
        f"{questions}. "
        f"{len(ids['errata'])} have an erratum, and {len(ids['hypotheses'])} need a hypothesis that is not stated. "
        f"{conclusion} These stand:"
    )


def _slip(row: Row, s: Statement, refutations: dict[tuple[str, int], Verdict] | None) -> list[str]:
    label = "Hypothesis to add" if row.section == "hypotheses" else "Correction"
    lines = ["", f"**{row.place}** (row {row.id})", "", f"- Printed: “{row.quote}”", f"- {label}: {row.correct}"]
    lines += [f"- Why: {row.why}"] if row.why else []
    run = _run(row, s, refutations) or ("- Run: nothing; the slip is one of notation." if refutations else "")
    return [*lines, *([run] if run else []), _command(s)]


def _remark(row: Row, s: Statement, refutations: dict[tuple[str, int], Verdict] | None) -> list[str]:
    lines = ["", f"**{row.place}** (row {row.id})", ""]
    if row.severity is not None:
        return [*lines, f"- {row.beyond}", _command(s)]
    lines += [f"- Printed: “{row.quote}”"] if row.quote else []
    label = "" if row.beyond.startswith(_QUESTION) else "We add: " if row.quote else "Remark: "
    run = _run(row, s, refutations)
    return [*lines, f"- {label}{row.beyond}", *([run] if run else []), _command(s)]


def _command(s: Statement) -> str:
    return f"- Shown by: `python -m contraction verify {s.name}`"


def _run(row: Row, s: Statement, refutations: dict[tuple[str, int], Verdict] | None) -> str:
    """Return the result of running the text, in words that fit the kind of the verdict; "" where nothing ran."""
    verdict = (refutations or {}).get((s.name, row.id))
    if verdict is None:
        return ""
    if not verdict.holds:
        return f"- Run: THIS ENTRY WAS NOT CONFIRMED ({verdict.note})"
    numbers = ""
    if None not in (verdict.measured, verdict.claimed):
        measured, claimed = f"{verdict.measured:.6g}", f"{verdict.claimed:.6g}"
        said = {measured, claimed} <= set(re.findall(r"-?\d[\d.]*(?:e[+-]?\d+)?", verdict.note))
        if verdict.kind == "refuted" and measured != claimed and not said:
            numbers = f"measured {measured}; the printed form gives {claimed}"
        if verdict.kind == "loose":
            numbers = f"the printed bound holds: measured {measured}; the bound is {claimed}"
    if numbers and verdict.note:
        return f"- Run: {numbers} ({verdict.note})."
    return f"- Run: {numbers or verdict.note}."
