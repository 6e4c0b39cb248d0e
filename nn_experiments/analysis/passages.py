"""Does one order converge faster? First and last passage below a value, and settling times (no torch)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nn_experiments.analysis.finding import FASTER, FEWEST, Finding, left_out
from nn_experiments.analysis.finding import verdict_of as count_seeds
from nn_experiments.analysis.pairing import Pairing, label_of
from nn_experiments.analysis.paths import first_below, settling_time, stays_below
from nn_experiments.analysis.seeds import Comparison, compare_times

__all__ = ["THRESHOLDS", "passages", "settling_times"]

#: Passages are below these fractions of the value at iterate 0, which both orders share.
THRESHOLDS = (0.9, 0.5, 0.1, 0.01)
#: What is proved about first and last passages (rows 73 and 84 of the audit), and what is not.
_PROVED = {
    "first": (
        "At any fixed step both orders are below with the same probability. For Section 3.1's model with normal noise "
        "forward is by step N at least as probably below once: its path visits more of the law. Otherwise a tendency."
    ),
    "last": (
        "For Section 3.1's model with normal noise backward is at least as probably below from n to N; under Theorem "
        "2.2, for a value that the limit law straddles, forward leaves again for ever and backward need not. Otherwise "
        "a tendency."
    ),
}


def passages(pair: Pairing) -> list[Finding]:
    """Return two findings: which order is below a value first, and which one stays below it sooner.

    Thresholds are fractions of the common value at iterate 0.
    """
    return [_passage(pair, "first", first_below), _passage(pair, "last", stays_below)]


def _passage(pair: Pairing, which: str, time: Callable[[NDArray, NDArray, float], float]) -> Finding:
    rows, texts = [], []
    for metric in (name for name in pair.figure.metrics if name in pair.metrics):
        data = [pair.values(metric, seed) for seed in pair.curves.seeds]
        for q in THRESHOLDS:
            lowest = np.array([[first_below(n, v, q * v[0]) for v in (a, b)] for n, a, b in data])
            if np.isinf(lowest).all():
                continue
            times = np.array([[time(n, v, q * v[0]) for v in (a, b)] for n, a, b in data])
            what = f"{which} passage, {label_of(metric)} ≤ {q:g} of its start"
            row = compare_times(what, pair.curves.seeds, *times.T)
            rows.append(row)
            never = np.isinf(times).sum(axis=0)
            texts.append(
                f"{label_of(metric)} ≤ {q:g} of its start: {pair.reference} {_time(times[:, 0])} (never {never[0]}), "
                f"{pair.other} {_time(times[:, 1])} (never {never[1]}), sooner on {row.larger}, later on {row.smaller}"
            )
    topic = f"Converges faster: {which} passage"
    if not rows:
        lowest = f"no curve fell to {THRESHOLDS[0]:g} of its start within {pair.last} steps"
        return Finding(topic, *FASTER, lowest, "undecided")
    meaning = {"first": "below a value for the first time", "last": "below it from then on, to the end of the run"}
    total, verdict = _totals(pair, rows)
    measured = f"{meaning[which]}: {pair.other} is {total}. {_PROVED[which]} {'. '.join(texts)}."
    test = f"{len(pair.curves.seeds)} seeds, whose thresholds and curves are not independent: no test"
    return Finding(topic, *FASTER, measured, verdict, test, tuple(rows), compared=pair.orders)


def _totals(pair: Pairing, rows: list[Comparison]) -> tuple[str, str]:
    """Return the counts over curves, thresholds and seeds in words, and the verdict."""
    sooner, later = sum(row.larger for row in rows), sum(row.smaller for row in rows)
    equal = sum(len(row.seeds) for row in rows) - sooner - later
    counts = f"{sooner} sooner, {later} later, {equal} equal"
    text = f"sooner in {sooner} comparisons of a curve, a value and a seed, later in {later}, equal in {equal}"
    if sooner == later == 0:
        return text, "tied" if equal else "undecided"
    if len(pair.curves.seeds) < FEWEST:
        return text, f"{counts}: too few seeds to tell"
    verdict = "agrees" if not later else "disagrees" if not sooner else "mixed"
    return text, f"{verdict}: {counts}"


def _time(times: np.ndarray) -> str:
    times = times[~np.isnan(times)]
    if not times.size:
        return "not measured"
    middle = float(np.median(times))
    return f"median {middle:g}" if np.isfinite(middle) else "median never"


def settling_times(pair: Pairing) -> Finding:
    """Judge whether the other order stays near its last value sooner.

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
            f"{pair.other} settles sooner on {row.larger} of {len(row.seeds)} seeds, later on {row.smaller}"
        )
    measured = ". ".join(texts) + ". Tolerance: half the pooled detrended deviation, the same for both orders."
    measured += left_out(*rows)
    verdict = _over_curves(rows)
    test = "a path that still trains settles late whatever its order; no test"
    return Finding("Settling times", *FASTER, measured, verdict, test, tuple(rows), compared=pair.orders)


def _over_curves(rows: list[Comparison]) -> str:
    """Return one verdict of several curves of the same seeds."""
    favourable, unfavourable = sum(row.larger for row in rows), sum(row.smaller for row in rows)
    n, seeds = sum(len(row.seeds) for row in rows), min(len(row.seeds) for row in rows)
    out = [text for row in rows for text in row.left_out]
    if 0 < seeds < FEWEST:
        return f"{favourable} of {n} comparisons, {seeds} seeds: too few to tell"
    return count_seeds(favourable, unfavourable, n, out, what="comparisons")
