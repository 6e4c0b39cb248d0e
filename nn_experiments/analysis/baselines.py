"""Baselines at the same cost: averages of forward iterates, and a decaying learning rate (no torch)."""

from __future__ import annotations

import numpy as np

from nn_experiments.analysis.finding import FEWEST, Finding, spread
from nn_experiments.analysis.pairing import Pairing, label_of, smaller_is_better, unit_of
from nn_experiments.analysis.paths import summarise
from nn_experiments.analysis.seeds import compare
from nn_experiments.paper import curve_names

__all__ = ["baseline_costs", "baselines", "weak"]

SCHEDULES = (
    "Section 1",
    "Consequently, learning rate schedules have become essential as an attempt to encourage proper convergence of the "
    "loss during training.",
)


def weak(name: str) -> str:
    """Return why a baseline is a weak one, or an empty string."""
    if name == "polyak":
        return "a weak baseline: it averages from iterate 1 on, the start included"
    if name.startswith("decayed"):
        return "a weak baseline: so fast a decay stops training early; a decay to 0 at the horizon would not"
    return ""


def baseline_costs(pair: Pairing) -> list[tuple[str, int, int, float, float]]:
    """Return one row per order and baseline: its cost, its level and its variability.

    A row consists of the name, the number of gradients for the last iterate alone and for the recorded path, and the
    medians over seeds of the mean and the detrended deviation of the first metric in the window (NaN if one diverged).
    """
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
    """Compare every baseline with the other order, both by its end value and by its whole path."""
    cost = {row[0]: row for row in baseline_costs(pair)}
    names = [name for name in pair.curves.orders if curve_names.parse(name).baseline and name in cost]
    return [_of(pair, name, cost) for name in names if pair.other in cost]


def _of(pair: Pairing, name: str, cost: dict[str, tuple[str, int, int, float, float]]) -> Finding:
    rows, texts, other, baseline = [], [], cost[pair.other], cost[name]
    for metric in (name_of_metric for name_of_metric in pair.figure.metrics if name_of_metric in pair.curves.metrics):
        values = Pairing(pair.curves, pair.figure, name, pair.other).at(metric, pair.last)
        if values is None:
            continue
        row = compare(f"{label_of(metric)} at n = {pair.last}", pair.curves.seeds, *values, unit=unit_of(metric))
        rows.append(row)
        if row.seeds:
            texts.append(
                f"{label_of(metric)} lower on {row.smaller} of {len(row.seeds)} seeds ({spread(row.reference)} against "
                f"{spread(row.other)})"
            )
    topic = f"Baseline: {name}"
    if not any(row.seeds for row in rows):
        text = f"no seed has a finite {label_of(pair.figure.metrics[0])} at n = {pair.last} under both"
        return Finding(topic, *SCHEDULES, text, "undecided", "", tuple(rows), compared=(name, pair.other))
    first = label_of(pair.figure.metrics[0])
    measured = (
        f"End value, {baseline[1]:,} gradients for {name} and {other[1]:,} for {pair.other}: {'; '.join(texts)}. Path: "
        f"deviation of {first} about a line over the last {pair.window} steps {baseline[4]:.2g} against "
        f"{other[4]:.2g}, for {baseline[2]:,} and {other[2]:,} gradients."
    )
    if weak(name):
        measured += f" {weak(name)[0].upper()}{weak(name)[1:]}."
    lower, n = sum(row.smaller for row in rows), sum(len(row.seeds) for row in rows)
    higher = sum(row.larger for row in rows)
    seeds = min(len(row.seeds) for row in rows)
    few = f", {seeds} seeds: too few to tell" if seeds < FEWEST else ""
    verdict = f"baseline lower in {lower} of {n}, {pair.other} in {higher}{few}"
    return Finding(topic, *SCHEDULES, measured, verdict, "no test", tuple(rows), compared=(name, pair.other))
