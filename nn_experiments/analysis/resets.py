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


#: The order that a reset path is compared with: the same maps without the reset.
UNBROKEN = "backward"


def other_point(pair: Pairing, sentence: str) -> Finding:
    """Is the path elsewhere after its reset, and does forward visit both places?

    Everything is compared at the same n, so that training, which moves every path, drops out. The reset path is
    elsewhere on a seed if, over the last window, its mean differs from that of the backward path without a reset by
    more than twice the larger deviation of the two inside the window. Forward visits both places if, in the last nine
    tenths of what follows the reset, it is at least once at or below both curves and at least once at or above both. A
    seed with a value that is not finite is left out by name, and keeps the claim from being called ``agrees``. Without
    a recorded backward path the claim is undecided.
    """
    topic, metric = "Another point after the reset", "test_accuracy"
    metric = metric if metric in pair.metrics else pair.figure.metrics[0]
    if UNBROKEN not in pair.curves.orders:
        why = "levels of one path at two n differ because it is still training"
        measured = f"the path without a reset ({UNBROKEN}) was not recorded; {why}"
        return Finding(topic, "Section 4", sentence, measured, "undecided", "")
    reset, elsewhere, visiting, both, rows, out = pair.start, 0, 0, 0, [], []
    for seed in pair.curves.seeds:
        n, forward, broken = pair.values(metric, seed)
        at, unbroken = pair.curves.path(metric, seed=seed, order=UNBROKEN)
        common = np.intersect1d(n, at)
        forward, broken = (values[np.isin(n, common)] for values in (forward, broken))
        unbroken = smaller_is_better(metric, unbroken[np.isin(at, common)])
        if not (len(common) and all(np.isfinite(values).all() for values in (forward, broken, unbroken))):
            out.append(f"seed {seed}: not finite")
            continue
        ends = [summarise(common, values, pair.window) for values in (broken, unbroken)]
        gap, spread = ends[0].mean - ends[1].mean, max(end.sd_detrended for end in ends)
        late = common > reset + (pair.last - reset) / 10
        low, high = np.minimum(broken, unbroken)[late], np.maximum(broken, unbroken)[late]
        below, above = int((forward[late] <= low).sum()), int((forward[late] >= high).sum())
        jump = _jump(common, broken, unbroken, reset)
        rows.append(
            f"seed {seed}: {gap:+.3g} (deviation {spread:.2g}), jump {jump:+.2g}, forward below both / between / above "
            f"both {below} / {int(late.sum()) - below - above} / {above}"
        )
        apart, visits = abs(gap) > 2 * spread, below > 0 and above > 0
        elsewhere, visiting, both = elsewhere + apart, visiting + visits, both + (apart and visits)
    count = len(rows)
    measured = (
        f"{label_of(metric)} of {pair.other} minus that of {UNBROKEN} at the same n, mean of the last {pair.window} "
        f"steps of {pair.last}; the jump from n = {reset} to the next recorded iterate in root-mean-square changes of "
        f"{UNBROKEN}. {'; '.join(rows) or 'none'}. Elsewhere on {elsewhere} of {count} seeds; {pair.reference} visits "
        f"both places on {visiting} of {count}"
    ) + (f". Left out, and shown: {'; '.join(out)}." if out else ".")
    verdict = "undecided" if not count else "disagrees" if not both else "mixed" if both < count or out else "agrees"
    test = f"{count} seeds, no test" + ("; too few to tell" if count < 5 else "")
    return Finding(topic, "Section 4", sentence, measured, verdict, test)


def _jump(n: np.ndarray, broken: np.ndarray, unbroken: np.ndarray, reset: int) -> float:
    """Return the first change of a path after its reset, in root-mean-square changes of the path without one."""
    place = int(np.searchsorted(n, reset))
    steps = np.diff(unbroken[n <= reset][-min(len(n), 20) :])
    scale = float(np.sqrt(np.mean(steps**2))) if len(steps) else float("nan")
    if place + 1 >= len(n) or not scale > 0:
        return float("nan")
    return float(broken[place + 1] - broken[place]) / scale


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
