"""Figures 3 and 13 in particular, and what a cheaper average of forward iterates gives (no torch)."""

from __future__ import annotations

import numpy as np

from nn_experiments.analysis.claims import Finding
from nn_experiments.analysis.pairing import Pairing, label_of, smaller_is_better, unit_of
from nn_experiments.analysis.paths import summarise
from nn_experiments.analysis.seeds import compare
from nn_experiments.paper import curve_names

__all__ = ["baseline_costs", "baselines", "other_point"]

SCHEDULES = (
    "Section 1",
    "Consequently, learning rate schedules have become essential as an attempt to encourage proper convergence of the "
    "loss during training.",
)


def other_point(pair: Pairing, sentence: str) -> Finding:
    """Did the path go to another point after its reset, and does forward cross both levels?

    The two levels are means over the window before the reset and the last window. They are called different if they
    are more than twice the larger deviation inside a window apart. Forward "oscillates between them" on a seed if,
    after the reset, it is at or below the lower one and at or above the upper one at least once each. A seed with a
    value that is not finite is left out by name, and keeps the claim from being called ``agrees``.
    """
    metric = "test_accuracy" if "test_accuracy" in pair.metrics else pair.figure.metrics[0]
    reset, different, crossing, both, gaps, out = pair.start, 0, 0, 0, [], []
    for seed in pair.curves.seeds:
        n, a, b = pair.values(metric, seed)
        before = summarise(n[n <= reset], b[n <= reset], pair.window)
        after = summarise(n, b, pair.window)
        gap, spread = after.mean - before.mean, max(before.sd, after.sd)
        if not (np.isfinite(gap) and np.isfinite(a).all()):
            out.append(f"seed {seed}: not finite")
            continue
        gaps.append(f"{gap:+.3g} (deviation {spread:.2g})")
        low, high = sorted((before.mean, after.mean))
        late = a[n > reset]
        apart, visited = abs(gap) > 2 * spread, (late <= low).any() and (late >= high).any()
        different, crossing, both = different + apart, crossing + visited, both + (apart and visited)
    count = len(gaps)
    measured = (
        f"{label_of(metric)}, last {pair.window} steps before the reset at {reset} against the last {pair.window} of "
        f"{pair.last}: change by seed {', '.join(gaps) or 'none'}; more than two deviations on {different} of {count} "
        f"seeds. {pair.reference} visits both levels after the reset on {crossing} of {count}. A path that is still "
        "training changes its level without a reset as well."
    ) + (f" Left out, and shown: {'; '.join(out)}." if out else "")
    verdict = "undecided" if not count else "disagrees" if not both else "mixed" if both < count or out else "agrees"
    test = f"n = {count} seeds, no test; limits of two windows are independent up to what the reset point still matters"
    return Finding("Another point after the reset", "Section 4", sentence, measured, verdict, test)


def baseline_costs(pair: Pairing) -> list[tuple[str, int, int, float, float]]:
    """Return, for each order and baseline: name, gradients of its last iterate alone and of the recorded path, and
    the medians over seeds of the window's mean and detrended deviation of the first metric (NaN if one diverged)."""
    metric = pair.figure.metrics[0]
    rows = []
    for order in pair.curves.orders:
        summaries = []
        n = np.empty(0, int)
        for seed in pair.curves.seeds:
            n, v = pair.curves.path(metric, seed=seed, order=order)
            if n.size == 0 or n[-1] < pair.last:
                break
            kept = n <= pair.last
            n = n[kept]
            summaries.append(summarise(n, smaller_is_better(metric, v[kept]), pair.window))
        if len(summaries) < len(pair.curves.seeds):
            continue
        variant = curve_names.parse(order)
        middle = [float(np.median([getattr(s, name) for s in summaries])) for name in ("mean", "sd_detrended")]
        rows.append((order, variant.depth(pair.last), variant.path_cost(n.tolist()), *middle))
    return rows


def baselines(pair: Pairing) -> list[Finding]:
    """Compare the other order's last value with every baseline's, at the baselines' cost."""
    found = []
    metric = pair.figure.metrics[0]
    cost = {row[0]: row for row in baseline_costs(pair)}
    for name in pair.curves.orders:
        if not curve_names.parse(name).baseline or name not in cost or pair.other not in cost:
            continue
        values = Pairing(pair.curves, pair.figure, name, pair.other).at(metric, pair.last)
        if values is None:
            continue
        row = compare(f"{label_of(metric)} at n = {pair.last}", pair.curves.seeds, *values, unit=unit_of(metric))
        compared = (name, pair.other)
        ours, theirs = cost[pair.other], cost[name]
        if not row.seeds:
            text = f"no seed has a finite {label_of(metric)} at n = {pair.last} under both"
            found.append(Finding(f"Baseline: {name}", *SCHEDULES, text, "undecided", "", (row,), compared=compared))
            continue
        measured = (
            f"at n = {pair.last} the {label_of(metric)} of {name} is lower than {pair.other}'s on {row.smaller} of "
            f"{len(row.seeds)} seeds (medians {np.median(values[0]):.3g} and {np.median(values[1]):.3g}); deviation "
            f"over the last {pair.window} steps {theirs[4]:.2g} and {ours[4]:.2g}; cost of the recorded path "
            f"{theirs[2]:,} and {ours[2]:,} gradients"
        )
        verdict = "baseline lower" if 2 * row.smaller > len(row.seeds) else f"{pair.other} lower"
        test = "" if row.p_value is None else f"sign-flip p = {row.p_value:.3g}, smallest possible {row.smallest_p:.3g}"
        found.append(Finding(f"Baseline: {name}", *SCHEDULES, measured, verdict, test, (row,), compared=compared))
    return found
