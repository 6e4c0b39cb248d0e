"""Convergence to a point: one finding per question and space, with the evidence of every seed and order (no torch)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nn_experiments.analysis.finding import FEWEST, POINT, Finding
from nn_experiments.analysis.pairing import Pairing
from nn_experiments.analysis.settling import (
    DOES_NOT_SETTLE,
    FORGETS,
    NOT_MEASURED,
    REMEMBERS,
    SETTLES,
    SPACES,
    Evidence,
    evidence,
)

__all__ = ["points"]

_ANY_START = (
    "Theorem 2.2",
    "Then for any θ ∈ Ω the backward iterates θ_n = T_1 T_2 ⋯ T_n(θ) converge to a point θ^* as n → ∞.",
)
_WHERE = {"parameter": "parameters", "function": "predictions on the test set"}
_TESTS = {
    "path": (
        "settles: increments and tail at most 0.1 of two independent runs' distance in the second half; does not "
        "settle: an increment, or movement beyond a steady drift, of at least 0.5 of it; still training: both at most "
        "0.1, and a longer tail"
    ),
    "start": (
        "forgets: at most 0.1 of two independent runs' distance in the second half, and of what they began with; does "
        "not forget: at least 0.5 of that distance, or no nearer than they began"
    ),
}


def points(pair: Pairing) -> list[Finding]:
    """Return the findings on (a), (b) and (c) of `nn_experiments.analysis.settling`, in both spaces."""
    rows = []
    for space in SPACES:
        table = {
            order: [
                evidence(pair.curves, space, seed=seed, order=order, start=start, last=pair.last, other=other)
                for seed in pair.curves.seeds
            ]
            for order, start, other in (
                (pair.reference, pair.start, pair.other),
                (pair.other, pair.start, pair.reference),
            )
        }
        rows += [_path(pair, space, table), _near(pair, space, table), _far(pair, space, table)]
    return rows


def _path(pair: Pairing, space: str, table: dict[str, list[Evidence]]) -> Finding:
    texts = []
    for order, rows in table.items():
        names = ("increment", "tail", "moved")
        ratios = ", ".join(
            f"{text} {_middle([row.ratio(name) for row in rows])}"
            for name, text in zip(names, ("increment", "tail", "movement beyond drift"), strict=True)
        )
        texts.append(f"{order}: {_counts([row.verdict for row in rows])}; {ratios}")
    verdict = _verdict([row.verdict for row in table[pair.other]], SETTLES, DOES_NOT_SETTLE)
    measured = f"N = {pair.last}, in units of two independent runs' distance, median over seeds. {'. '.join(texts)}."
    rows = tuple(row for of_order in table.values() for row in of_order)
    return Finding(f"Convergence to a point: {_WHERE[space]}", *POINT, measured, verdict, _TESTS["path"], evidence=rows)


def _near(pair: Pairing, space: str, table: dict[str, list[Evidence]]) -> Finding:
    rows = table[pair.other]
    began = [row.near / row.near_start for row in rows if row.near is not None and row.near_start]
    measured = (
        f"the distance of {pair.other} iterates n and n + 1, which is that of θ_0 and Tθ_0 under the same maps, the "
        f"same in law for every order: {_counts([row.near_verdict for row in rows])}; at most "
        f"{_middle([row.ratio('near') for row in rows])} of two independent runs' distance, {_middle(began)} of what "
        "they began with (medians over seeds)."
    )
    verdict = _verdict([row.near_verdict for row in rows], FORGETS, REMEMBERS)
    return Finding(f"Forgets a near start: {_WHERE[space]}", *_ANY_START, measured, verdict, _TESTS["start"])


def _far(pair: Pairing, space: str, table: dict[str, list[Evidence]]) -> Finding:
    rows = table[pair.other]
    began = [row.coupling / row.coupling_start for row in rows if row.coupling is not None and row.coupling_start]
    measured = (
        f"two independent starts under the same maps, {pair.other}: {_counts([row.far_verdict for row in rows])}; "
        f"{_middle([row.ratio('coupling') for row in rows])} of two independent runs' distance from one start, "
        f"{_middle(began)} of what they began with (medians over seeds)."
    )
    verdict = _verdict([row.far_verdict for row in rows], FORGETS, REMEMBERS)
    return Finding(f"Forgets an independent start: {_WHERE[space]}", *_ANY_START, measured, verdict, _TESTS["start"])


def _verdict(verdicts: Sequence[str], yes: str, no: str) -> str:
    """Return one verdict for several seeds; seeds without a measurement do not count."""
    measured = [verdict for verdict in verdicts if verdict != NOT_MEASURED]
    if not measured:
        return NOT_MEASURED
    kinds = set(measured)
    n = len(measured)
    if n < FEWEST:
        return f"{_counts(measured)}: too few to tell"
    if kinds == {yes}:
        return "agrees"
    if kinds == {no}:
        return "disagrees"
    return measured[0] if len(kinds) == 1 else f"mixed: {_counts(measured)}"


def _counts(verdicts: Sequence[str]) -> str:
    kinds = dict.fromkeys(verdicts)
    return ", ".join(f"{kind} ({verdicts.count(kind)} of {len(verdicts)})" for kind in kinds)


def _middle(rows: Sequence[float | None]) -> str:
    kept = [row for row in rows if row is not None]
    if kept and not np.isfinite(kept).all():
        return "not finite"
    return f"{np.median(kept):.3g}" if kept else "not measured"
