"""What ``verify --json`` prints: an item for each row of the audit, from the verdicts of its statement."""

from __future__ import annotations

import math
from collections.abc import Iterable

from contraction.statements.library.oracle import Oracle
from contraction.statements.machine_checked import proof_of
from contraction.statements.records import Statement, Verdict

__all__ = ["items", "library_items"]


def items(statement: Statement, verdicts: Iterable[Verdict]) -> list[dict[str, object]]:
    """One JSON-ready dictionary for each row of a statement.

    Keys: section ("statements"), id (the row), statement, paper, kind, verdict ("pass" or "fail": every check that
    covers the row), ratio, cases (checks), failed (how many of them failed), case (the call that gave the first verdict
    that fails; "" where none does), paths (simulated paths, counted separately), part (of the check, where the
    worst has a name), seed (null where nothing is drawn), printed (verdict on the printed text), refuted (whether
    the printed form was run and seen to fail; null where there is none to run), claim, hypotheses, error_rates,
    proof (the machine-checked theorems, each as "file:name"), proof_covers ("whole", "part", or null where there is
    no theorem), proof_leaves (what a part leaves), derivation, test.

    Raises
    ------
    ValueError
        If no verdict covers one of the rows.
    """
    verdicts = list(verdicts)
    entries = []
    for row in statement.rows:
        about = [v for v in verdicts if row.id in v.rows]
        if not about:
            raise ValueError(f"no check of {statement.name} covers row {row.id}")
        positive = [v for v in about if v.kind != "refuted"]
        refutations = [v for v in about if v.kind == "refuted"]
        shown = (positive or refutations)[0]
        proof = proof_of(statement, row.id)
        entries.append(
            {
                "section": "statements",
                "id": row.id,
                "statement": statement.name,
                "paper": list(statement.paper),
                "place": row.place,
                "kind": shown.kind,
                "verdict": "pass" if all(v.holds for v in about) else "fail",
                "ratio": shown.ratio if shown.ratio is not None and math.isfinite(shown.ratio) else None,
                "cases": sum(v.cases for v in about),
                "failed": sum(v.failed for v in about),
                "case": next((v.case for v in about if not v.holds), ""),
                "paths": sum(v.paths for v in about),
                "part": shown.part,
                "seed": shown.seed,
                "printed": row.printed,
                "refuted": all(v.holds for v in refutations) if refutations else None,
                "claim": statement.claim,
                "hypotheses": statement.hypotheses,
                "error_rates": shown.error_rates,
                "proof": [f"proofs/coq/{theorem}" for theorem in proof.theorems] if proof else [],
                "proof_covers": proof.covers if proof else None,
                "proof_leaves": proof.leaves if proof else "",
                "derivation": statement.derivation,
                "test": statement.test,
            }
        )
    return entries


def library_items(results: Iterable[tuple[Oracle, Verdict]]) -> list[dict[str, object]]:
    """One JSON-ready dictionary for each function of the library.

    Keys: section ("library"), id (null), statement (the function's name), function (its full name), kind, verdict,
    ratio, cases, failed, paths, part, seed, hypotheses (what it is compared with), control (the fault of its faulty
    version).
    """
    return [
        {
            "section": "library",
            "id": None,
            "statement": oracle.name,
            "function": oracle.function,
            "kind": v.kind,
            "verdict": "pass" if v.holds else "fail",
            "ratio": v.ratio if v.ratio is not None and math.isfinite(v.ratio) else None,
            "cases": v.cases,
            "failed": v.failed,
            "paths": v.paths,
            "part": v.part,
            "seed": v.seed,
            "hypotheses": v.hypotheses,
            "control": oracle.wrong,
        }
        for oracle, v in results
    ]
