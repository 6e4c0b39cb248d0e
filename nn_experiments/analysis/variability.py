"""Whether one order's path is less variable than the other's (no torch).

It is judged by several measures, over several windows, and relative to the width of the law.
"""

from __future__ import annotations

import numpy as np

from nn_experiments.analysis.finding import Finding, by_chance, left_out, spread, verdict_of
from nn_experiments.analysis.pairing import Pairing, label_of, unit_of
from nn_experiments.analysis.paths import PathSummary, detrended, summarise, window_of
from nn_experiments.analysis.seeds import Comparison, compare_ratios

__all__ = ["MEASURES", "law_shares", "variability"]

#: The first one that applies decides the verdict: the deviation of the logarithm for losses, so that a path at a higher
#: level does not count as more variable.
MEASURES = {
    "sd_log": "deviation of the logarithm about a line",
    "sd_detrended": "deviation about a line",
    "rms_change": "root-mean-square change between recorded iterates",
    "range_detrended": "range about a line",
    "largest_jump": "largest change",
    "tail_diameter": "tail diameter (second half)",
}
#: Windows that the deciding measure is shown on, as parts of the figure's.
WINDOWS = (0.25, 1, 2, 3.5)


def variability(pair: Pairing, place: str, sentence: str) -> list[Finding]:
    """Return one finding per metric: whether the other order is less variable along its path."""
    return [_of_metric(pair, metric, place, sentence) for metric in pair.metrics]


def _of_metric(pair: Pairing, metric: str, place: str, sentence: str) -> Finding:
    summaries = pair.summaries(metric)
    names = [name for name in MEASURES if name != "sd_log" or _has_logarithm(pair, metric)]
    rows = [_row(pair, metric, summaries, name) for name in names]
    main, seeds = rows[0], len(rows[0].seeds)
    agreeing = ", ".join(
        f"{MEASURES[name]} {row.larger}/{len(row.seeds)}" for name, row in zip(names, rows, strict=True)
    )
    measured = (
        f"{pair.reference} over {pair.other}, {MEASURES[names[0]]}, {label_of(metric)}, last {pair.window} steps "
        f"({summaries[0][0].recorded} recorded), median and range over seeds: "
    )
    if seeds:
        measured += spread(_ratios(main), digits=2)
        for name, row in zip(names[1:3], rows[1:3], strict=True):
            measured += f"; {MEASURES[name]} {spread(_ratios(row), digits=2)}"
        windows = _windows(pair, metric, names[0])
        measured += f". By window: {windows}" if windows else ""
        shares = law_shares(pair, metric)
        if shares:
            measured += (
                f". Deviation within a path over that between seeds at the same n (pooled over both orders, which have "
                f"one law): {shares[0]:.2g} {pair.reference}, {shares[1]:.2g} {pair.other}"
            )
        measured += f". Seeds where {pair.other} is less variable: {agreeing}."
    else:
        measured += "no seed is finite under both orders."
    measured += left_out(main)
    verdict = verdict_of(main.larger, main.smaller, seeds, main.left_out)
    topic = f"Variability along a path: {label_of(metric)}"
    test = by_chance(main.larger, seeds)
    return Finding(topic, place, sentence, measured, verdict, test, tuple(rows), compared=pair.orders)


def _row(pair: Pairing, metric: str, summaries: list[tuple[PathSummary, PathSummary]], name: str) -> Comparison:
    a, b = ([getattr(row[k], name) for row in summaries] for k in (0, 1))
    unit = f"log {unit_of(metric)}" if name == "sd_log" else unit_of(metric)
    return compare_ratios(f"{MEASURES[name]}, {label_of(metric)}", pair.curves.seeds, a, b, unit=unit)


def _ratios(row: Comparison) -> list[float]:
    pairs = zip(row.reference, row.other, strict=True)
    return [1.0 if a == b else float("inf") if b == 0 else a / b for a, b in pairs]


def _has_logarithm(pair: Pairing, metric: str) -> bool:
    """Whether a metric is a loss whose finite values are above 0 in the window of every seed."""
    if not metric.endswith("_loss"):
        return False
    for seed in pair.curves.seeds:
        n, a, b = pair.values(metric, seed)
        kept = window_of(n, pair.window)
        if any((v[kept][np.isfinite(v[kept])] <= 0).any() for v in (a, b)):
            return False
    return True


def _windows(pair: Pairing, metric: str, measure: str) -> str:
    """Return the median ratio of the deciding measure on shorter and longer windows."""
    texts = []
    for part in WINDOWS:
        window = int(part * pair.window)
        ratios = []
        for seed in pair.curves.seeds:
            n, a, b = pair.values(metric, seed)
            if (n > n[-1] - window).sum() < 5 or window > n[-1] - pair.start:
                break
            x, y = (getattr(summarise(n, v, window, start=pair.start), measure) for v in (a, b))
            if np.isfinite(x) and np.isfinite(y) and y > 0:
                ratios.append(x / y)
        else:
            if ratios:
                texts.append(f"{np.median(ratios):.2g} on the last {window}")
    return ", ".join(texts)


def law_shares(pair: Pairing, metric: str) -> tuple[float, float] | None:
    """Return, for both orders, the deviation within a path over the deviation between seeds at the same n.

    At each n both orders have one law, so they share the denominator, the square root of the variance between seeds,
    averaged over the window's iterates and both orders. The numerator is the square root of the squared deviation about
    a line, averaged over seeds. If the metric is a loss above 0, both are of logarithms. For contractions and windows
    of growing length the limits are 1 for forward and 0 for backward (row 83 of the audit); for networks these numbers
    are measurements. The result is None with fewer than three finite seeds, or if all seeds agree.
    """
    logarithm = _has_logarithm(pair, metric)
    within: tuple[list[float], list[float]] = ([], [])
    paths: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for seed in pair.curves.seeds:
        n, *values = pair.values(metric, seed)
        kept = window_of(n, pair.window)
        pieces = [np.log(v[kept]) if logarithm and (v[kept] > 0).all() else v[kept] for v in values]
        if not all(np.isfinite(piece).all() for piece in pieces):
            continue
        for k, piece in enumerate(pieces):
            residual = detrended(n[kept], piece)
            within[k].append(float(residual @ residual) / (len(piece) - 2))
            paths[k].append(piece)
    if len(within[0]) < 3 or len({len(piece) for piece in paths[0]}) > 1:
        return None
    stacked = [np.stack(rows) for rows in paths]
    between = np.mean([np.var(rows, axis=0, ddof=1) for rows in stacked])
    if all((rows == rows[0]).all() for rows in stacked) or not between > 0:  # the variance of equal numbers is rounded
        return None
    return float(np.sqrt(np.mean(within[0]) / between)), float(np.sqrt(np.mean(within[1]) / between))
