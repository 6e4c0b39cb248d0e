"""The paper's claims, one by one: the sentence, what was measured, the verdict (no torch).

Each claim about a figure is read as a separate question, because the answers differ: variability along a path, value
at a fixed step, hitting times, settling times, convergence to a point. A verdict says how many seeds bear the sentence
out; the paper speaks of every seed, so ``agrees`` needs all of them and ``disagrees`` none. Tests come with n, their
smallest possible p-value and the level.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nn_experiments.analysis.pairing import Pairing, label_of, unit_of
from nn_experiments.analysis.paths import first_below, settling_time
from nn_experiments.analysis.seeds import Comparison, compare, compare_ratios, compare_times, divided_level
from nn_experiments.analysis.settling import DOES_NOT_SETTLE, NOT_MEASURED, SETTLES, SPACES, Evidence, evidence

__all__ = [
    "BETTER",
    "FASTER",
    "POINT",
    "THRESHOLDS",
    "Finding",
    "best",
    "fixed_steps",
    "hitting",
    "points",
    "settling_times",
    "variability",
]

BETTER = (
    "Section 1",
    "The main contributions of this paper are to show theoretically (Theorem 2.2 and Theorem 2.6) and experimentally "
    "(Figure 2 and Appendix A) that backward optimization has better convergence and stability properties than the "
    "standard forward optimization.",
)
FASTER = (
    "Section 4",
    "We observe that the training loss for the backward trajectory is more stable, converges faster, and has less "
    "variability than the forward trajectory, and similarly for all the other learning curves.",
)
POINT = (
    "Section 4",
    "Note that the increased stability and point convergence is visible in each of the seeds, which are added to the "
    "Appendix B.",
)
#: Hitting times are taken to these fractions of the value at iterate 0, which both orders share.
THRESHOLDS = (0.9, 0.5, 0.1, 0.01)
MEASURES = {
    "sd_detrended": "standard deviation, detrended",
    "sd": "standard deviation",
    "range_detrended": "range, detrended",
    "range": "range",
    "largest_jump": "largest jump",
    "tail_diameter": "tail diameter (second half)",
}


@dataclass(frozen=True)
class Finding:
    """One claim, what was measured, and the verdict.

    Attributes
    ----------
    topic
        Which reading of the claim.
    place, sentence
        Where in the paper, verbatim.
    measured
        What was found, in words and numbers.
    verdict
        ``agrees``, ``disagrees``, ``mixed``, ``undecided``, ``not measured``, or ``equal in law``.
    test
        n, the test and its error rates.
    comparisons, evidence
        The numbers behind it.
    compared
        The two orders that every comparison is of: the reference and the other one.
    """

    topic: str
    place: str
    sentence: str
    measured: str
    verdict: str
    test: str = ""
    comparisons: tuple[Comparison, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    compared: tuple[str, str] = ("", "")


def _count(favourable: int, n: int, out: tuple[str, ...]) -> str:
    if n == 0:
        return "undecided"
    if favourable == n and not out:
        return "agrees"
    return "disagrees" if favourable == 0 else "mixed"


def _about(row: Comparison) -> str:
    if row.p_value is None or row.smallest_p is None:
        return "no seed is left to test"
    text = f"sign-flip p = {row.p_value:.3g} with n = {len(row.seeds)} (smallest possible {row.smallest_p:.3g})"
    return text if row.conclusive else f"{text}: so few seeds cannot reject at 5 %"


def variability(pair: Pairing, place: str, sentence: str) -> list[Finding]:
    """Is the other order less variable along its path? One finding a metric, judged on the detrended deviation."""
    found = []
    for metric in pair.metrics:
        both = pair.summaries(metric)
        rows = []
        for name, text in MEASURES.items():
            a, b = ([getattr(row[k], name) for row in both] for k in (0, 1))
            rows.append(compare_ratios(f"{text}, {label_of(metric)}", pair.curves.seeds, a, b, unit=unit_of(metric)))
        main = rows[0]
        ratios = ", ".join(
            "∞" if b == 0 < a else f"{a / b:.3g}" if b else "1" for a, b in zip(main.reference, main.other, strict=True)
        )
        agreeing = {text: f"{row.larger}/{len(row.seeds)}" for text, row in zip(MEASURES.values(), rows, strict=True)}
        measured = (
            f"{pair.reference} over {pair.other}, {MEASURES['sd_detrended']} of {label_of(metric)} over the last "
            f"{pair.window} steps ({both[0][0].recorded} recorded): "
        )
        if main.seeds:
            measured += (
                f"{ratios} (median {main.effect:.3g}). Seeds where {pair.other} is less variable, by measure: "
                f"{', '.join(f'{text} {count}' for text, count in agreeing.items())}."
            )
        else:
            measured += "no seed is finite under both orders."
        measured += _left_out(main)
        topic = f"Variability along a path: {label_of(metric)}"
        verdict = _count(main.larger, len(main.seeds), main.left_out)
        found.append(
            Finding(topic, place, sentence, measured, verdict, _about(main), tuple(rows), compared=pair.orders)
        )
    return found


def _left_out(row: Comparison) -> str:
    return f" Left out, and shown: {'; '.join(row.left_out)}." if row.left_out else ""


def fixed_steps(pair: Pairing, *, iid: bool) -> Finding:
    """Is the other order's value lower at steps fixed beforehand? Equal in law if batches are i.i.d."""
    rows = []
    for metric in (name for name in pair.metrics if name in pair.figure.metrics):
        for n in (n for n in pair.figure.compared_at if n <= pair.last):
            values = pair.at(metric, n)
            if values is not None:
                rows.append(compare(f"{label_of(metric)} at n = {n}", pair.curves.seeds, *values, unit=unit_of(metric)))
    topic = "Value at a fixed step"
    if not rows:
        steps = ", ".join(map(str, pair.figure.compared_at))
        return Finding(topic, *BETTER, f"none of the steps fixed beforehand ({steps}) was recorded", "not measured")
    lower = sum(row.larger for row in rows)
    pairs = sum(len(row.seeds) for row in rows)
    level = divided_level(len(rows))
    smallest = min((row.p_value for row in rows if row.p_value is not None), default=None)
    rejected = [row.what for row in rows if row.rejects(level)]
    law = (
        "With i.i.d. batches both orders' iterates n have one law at every n, for any network (the identity behind "
        "Theorem 2.6), so no expectation at a fixed step differs; the test asks whether the runs contradict that."
        if iid
        else "With this sampling rule equality of laws is not guaranteed at every n; the test asks whether they differ."
    )
    measured = f"{pair.other} is lower in {lower} of {pairs} comparisons. {law}" + "".join(map(_left_out, rows[:1]))
    n = min(len(row.seeds) for row in rows)
    test = (
        f"exact sign-flip tests, n = {n} seeds, {len(rows)} of them fixed beforehand (steps × curves), each at level "
        f"0.05/{len(rows)}, so that any false alarm has chance at most 0.05; smallest p found "
        f"{'none' if smallest is None else format(smallest, '.3g')}, smallest possible {2 / 2**n:.3g}"
    )
    if 2 / 2**n > level:
        test += f": with {n} seeds no rejection is possible, whatever the runs show"
    verdict = ("rejected: a false alarm or a defect" if iid else "differ") if rejected else "no difference shown"
    if iid and not rejected:
        verdict = "equal in law"
    if rejected:
        measured += f" Rejected: {', '.join(rejected)}."
    return Finding(topic, *BETTER, measured, verdict, test, tuple(rows), compared=pair.orders)


def hitting(pair: Pairing) -> Finding:
    """Does the other order reach a value sooner? Thresholds are fractions of the common value at iterate 0."""
    rows, texts = [], []
    for metric in (name for name in pair.figure.metrics if name in pair.metrics):
        data = [pair.values(metric, seed) for seed in pair.curves.seeds]
        for q in THRESHOLDS:
            times = np.array([[first_below(n, v, q * v[0]) for v in (a, b)] for n, a, b in data])
            if np.isinf(times).all():
                continue
            row = compare_times(f"{label_of(metric)} ≤ {q:g} of its start", pair.curves.seeds, *times.T)
            rows.append(row)
            never = np.isinf(times).sum(axis=0)
            texts.append(
                f"{row.what}: {pair.reference} {_time(times[:, 0])} (never {never[0]}), "
                f"{pair.other} {_time(times[:, 1])} (never {never[1]}), "
                f"{pair.other} sooner on {row.larger}, later on {row.smaller}"
            )
    topic = "Hitting times"
    if not rows:
        lowest = f"no curve fell to {THRESHOLDS[0]:g} of its start within {pair.last} steps"
        return Finding(topic, *FASTER, lowest, "undecided")
    sooner, later = sum(row.larger for row in rows), sum(row.smaller for row in rows)
    equal = sum(len(row.seeds) for row in rows) - sooner - later
    texts.insert(
        0, f"Over all thresholds and seeds {pair.other} is sooner {sooner}, later {later}, equal {equal} times"
    )
    verdict = "undecided" if sooner == later == 0 else "mixed"
    if sooner and not later:
        verdict = "agrees"
    elif later and not sooner:
        verdict = "disagrees"
    test = "; ".join(f"{row.what}: {_about(row)}" for row in rows[:1])
    return Finding(topic, *FASTER, ". ".join(texts) + ".", verdict, test, tuple(rows), compared=pair.orders)


def _time(times: np.ndarray) -> str:
    times = times[~np.isnan(times)]
    if not times.size:
        return "not measured"
    middle = float(np.median(times))
    return f"median {middle:g}" if np.isfinite(middle) else "median never"


def best(pair: Pairing) -> Finding:
    """Does the other order's best value so far, at the end, lie lower? A forward path passes by many more values."""
    rows, texts = [], []
    for metric in (name for name in pair.figure.metrics if name in pair.metrics):
        both = pair.summaries(metric)
        values = [
            [row[k].best if row[k].diverged_at is None else math.nan for row in both] for k in (0, 1)
        ]  # a diverged path's best before it broke is no result of the run
        row = compare(f"best {label_of(metric)} by n = {pair.last}", pair.curves.seeds, *values, unit=unit_of(metric))
        rows.append(row)
        middle = [f"{np.median(v):.3g}" if v else "none" for v in (row.reference, row.other)]
        texts.append(
            f"{row.what}: median {middle[0]} {pair.reference}, {middle[1]} {pair.other}; {pair.other} lower on "
            f"{row.larger} of {len(row.seeds)} seeds"
        )
    lower, n = sum(row.larger for row in rows), sum(len(row.seeds) for row in rows)
    out = tuple(text for row in rows for text in row.left_out)
    measured = ". ".join(texts) + "." + _left_out(rows[0])
    return Finding(
        "Best so far", *BETTER, measured, _count(lower, n, out), _about(rows[0]), tuple(rows), compared=pair.orders
    )


def settling_times(pair: Pairing) -> Finding:
    """Does the other order stay near its last value sooner?

    The tolerance of a seed is half the root mean square of both orders' detrended deviations, the same for both.
    """
    rows, texts = [], []
    for metric in (name for name in pair.figure.metrics if name in pair.metrics):
        times = []
        for seed, (a, b) in zip(pair.curves.seeds, pair.summaries(metric), strict=True):
            n, x, y = pair.values(metric, seed)
            since = n >= pair.start
            tolerance = 0.5 * float(np.sqrt((a.sd_detrended**2 + b.sd_detrended**2) / 2))
            diverged = math.isnan(tolerance)
            times.append([math.nan if diverged else settling_time(n[since], v[since], tolerance) for v in (x, y)])
        table = np.array(times)
        row = compare_times(f"settling time, {label_of(metric)}", pair.curves.seeds, *table.T)
        rows.append(row)
        texts.append(
            f"{row.what}: {pair.reference} {_time(table[:, 0])}, {pair.other} {_time(table[:, 1])} of {pair.last}; "
            f"{pair.other} settles sooner on {row.larger} of {len(row.seeds)} seeds"
        )
    sooner, n = sum(row.larger for row in rows), sum(len(row.seeds) for row in rows)
    out = tuple(text for row in rows for text in row.left_out)
    measured = ". ".join(texts) + ". Tolerance: half the pooled detrended deviation, the same for both orders."
    return Finding(
        "Settling times", *FASTER, measured, _count(sooner, n, out), _about(rows[0]), tuple(rows), compared=pair.orders
    )


def points(pair: Pairing) -> list[Finding]:
    """Does each order converge to a point? One finding a space, with the evidence of every seed and order."""
    found = []
    for space in SPACES:
        table = {
            order: [
                evidence(pair.curves, space, seed=seed, order=order, start=start, last=pair.last)
                for seed in pair.curves.seeds
            ]
            for order, start in ((pair.reference, 0), (pair.other, pair.start))
        }
        texts = []
        for order, rows in table.items():
            counts: dict[str, int] = {}
            for row in rows:
                counts[row.verdict] = counts.get(row.verdict, 0) + 1
            # a path that still trains moves by its trend as well: the tail does not tell the two apart
            ratios = ", ".join(
                f"{name} {_middle([row.ratio(name) for row in rows])}" for name in ("increment", "tail", "coupling")
            )
            texts.append(
                f"{order}: {', '.join(f'{verdict} ({count} of {len(rows)})' for verdict, count in counts.items())}; "
                f"in units of two independent runs' distance, median over seeds: {ratios}"
            )
        verdicts = {row.verdict for row in table[pair.other]}
        if len(verdicts) > 1:  # seeds without diagnostics are counted in the text, and say nothing
            verdicts.discard(NOT_MEASURED)
        verdict = "mixed"
        if verdicts == {SETTLES}:
            verdict = "agrees"
        elif verdicts == {DOES_NOT_SETTLE}:
            verdict = "disagrees"
        elif len(verdicts) == 1:
            verdict = verdicts.pop()
        where = "parameters" if space == "parameter" else "predictions on the test set"
        rows = tuple(row for both in table.values() for row in both)
        found.append(
            Finding(
                f"Convergence to a point: {where}",
                *POINT,
                f"N = {pair.last}. " + ". ".join(texts) + ".",
                verdict,
                "settles: increments, tail and coupling all at most 0.1 of two independent runs' distance in the "
                "second half; does not settle: the path itself moves by at least 0.5 of it",
                evidence=rows,
            )
        )
    return found


def _middle(rows: list[float | None]) -> str:
    kept = [row for row in rows if row is not None]
    if kept and not np.isfinite(kept).all():
        return "not finite"
    return f"{np.median(kept):.3g}" if kept else "not measured"
