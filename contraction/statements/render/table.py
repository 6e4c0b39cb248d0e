"""The table of verdicts as text, one row per verdict."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from contraction.statements.records import Verdict

__all__ = ["format_ratio", "library_table", "ratio_text", "table", "verdict_text"]

HEADER = ("statement", "rows", "kind", "checks", "worst ratio", "verdict", "hypotheses", "claim")
LIBRARY_HEADER = ("function", "kind", "worst ratio", "verdict", "compared with")


def format_ratio(ratio: float | None) -> str:
    """Return a ratio in a few characters; near one, the distance from it."""
    if ratio is None:
        return "–"
    if not math.isfinite(ratio):
        return str(ratio)
    if ratio != 1 and abs(ratio - 1) < 1e-6:
        return f"1{ratio - 1:+.0e}"
    return f"{ratio:.6g}"


def ratio_text(verdict: Verdict) -> str:
    """Return the worst ratio of a verdict for a table; a dash for a printed form that was refuted, which has none."""
    return "–" if verdict.kind == "refuted" else format_ratio(verdict.ratio)


def verdict_text(verdict: Verdict) -> str:
    """Return "pass" or "FAIL", or "refuted, as expected" for a printed form that was run and failed."""
    if not verdict.holds:
        return "FAIL"
    return "refuted, as expected" if verdict.kind == "refuted" else "pass"


def table(verdicts: Iterable[Verdict], claims: Mapping[str, str], header: Sequence[str] = HEADER) -> str:
    """Return verdicts as aligned columns.

    Parameters
    ----------
    verdicts : iterable of Verdict
        One verdict per line.
    claims : mapping of str to str
        Statement -> what it claims; shown in the line of its first verdict.
    header : sequence of str
        The names of the eight columns.
    """
    lines = [tuple(header)]
    shown: set[str] = set()
    for v in verdicts:
        claim = "" if v.statement in shown else claims.get(v.statement, "")
        shown.add(v.statement)
        numbers = (",".join(map(str, v.rows)), v.kind, str(v.cases), ratio_text(v), verdict_text(v))
        lines.append((v.statement, *numbers, v.hypotheses, claim))
    return _aligned(lines)


def library_table(verdicts: Iterable[Verdict]) -> str:
    """Verdicts on functions of the library as aligned columns."""
    lines: list[tuple[str, ...]] = [LIBRARY_HEADER]
    for v in verdicts:
        lines.append((v.statement, v.kind, ratio_text(v), verdict_text(v), v.hypotheses))
    return _aligned(lines)


def _aligned(lines: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    text = ["  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines]
    text.insert(1, "  ".join("-" * w for w in widths))
    return "\n".join(text)
