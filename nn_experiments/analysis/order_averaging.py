"""Figures 14 to 19: the order-averaging regulariser beside plain training, on one seed (no torch)."""

from __future__ import annotations

import numpy as np

from nn_experiments.analysis.finding import FEWEST, Finding
from nn_experiments.analysis.pairing import label_of, smaller_is_better
from nn_experiments.paper.catalogue import Figure
from nn_experiments.results.curves import Curves

__all__ = ["regulariser_findings"]


def regulariser_findings(curves: Curves, figure: Figure) -> list[Finding]:
    """Judge whether a regularised path ends below those of the large and of the small batch."""
    metric = figure.metrics[0]
    shown = [name for name in figure.all_orders if name in curves.orders]
    plain = [name for name in ("large", "small") if name in shown]
    ours = [name for name in shown if name.startswith("regularised")]
    if len(plain) < 2 or not ours:
        raise ValueError(f"{figure.name} compares large, small and regularised-…; recorded are {', '.join(shown)}")
    ends = [curves.path(metric, seed=s, order=o)[0].max(initial=0) for s in curves.seeds for o in shown]
    last = int(min(ends))
    values = {}
    for name in shown:
        rows = [curves.path(metric, seed=s, order=name) for s in curves.seeds]
        values[name] = np.array([smaller_is_better(metric, v[n == last])[0] for n, v in rows])
    numbers = ", ".join(f"{name} {np.median(v):.4g}" for name, v in values.items())
    best = np.min([values[name] for name in ours], axis=0)
    finite = np.isfinite([values[name] for name in [*plain, *ours]]).all()
    wins = int(np.sum(best < np.minimum(values["large"], values["small"])))
    count = len(curves.seeds)
    verdict = "agrees" if wins == count else "disagrees" if wins == 0 else "mixed"
    if count < FEWEST:
        verdict = f"{wins} of {count} seed{'s' if count > 1 else ''}: too few to tell"
    matched = ""
    if "forward" in values:
        lower = int(np.sum(values["forward"] < best))
        matched = (
            " Plain SGD at the learning rate that the rule is derived from (forward) is lower than the best of ours "
            f"on {lower} of {count}."
        )
    measured = (
        f"{label_of(metric)} at n = {last}: {numbers}. Some multiple of λ is below both baselines on {wins} of {count} "
        f"seeds.{matched} The best of {len(ours)} multiples is picked after seeing them, on the same curve."
    )
    if not finite:
        verdict = "undecided"
        measured += " Some path diverged; its value is not finite."
    test = f"n = {count} seed{'s' if count > 1 else ''}: no test"
    return [Finding("Order-averaging regulariser", "Appendix D.2.1", figure.claim, measured, verdict, test)]
