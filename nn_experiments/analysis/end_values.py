"""Findings of the study of baselines: end values at the cost of N gradients (no torch)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nn_experiments.analysis.finding import Finding, spread, verdict_of
from nn_experiments.results.studies import Study

__all__ = ["end_value_findings", "end_value_table"]

_SENTENCE = (
    "Section 1",
    "Consequently, learning rate schedules have become essential as an attempt to encourage proper convergence of "
    "the loss during training.",
)
_COLUMNS = ("train loss", "test loss", "train error", "test error")


def _figures(study: Study) -> list[str]:
    return [name for name in study.arrays if name.startswith("fig")]


def end_value_table(study: Study) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    """Return the header and one row per figure and way: losses and errors at the end, medians and ranges over seeds."""
    lines = []
    for name in _figures(study):
        for k, way in enumerate(study.about["ways"]):
            values = study[name][:, k]
            numbers = ["–" if np.isnan(values[:, c]).any() else spread(values[:, c].tolist()) for c in range(4)]
            lines.append((name.replace("fig", "Figure "), way, *numbers))
    return ("experiment of", "forward training, N gradients", *_COLUMNS), lines


def end_value_findings(study: Study) -> list[Finding]:
    """Return one finding per figure: whether an average, or a decay to 0, ends lower than the last iterate.

    In both orders iterate n costs n gradients and has the same law, so "the last iterate" stands for both orders.
    """
    rows = []
    for name in _figures(study):
        ends, ways = study[name], list(study.about["ways"])
        plain = ends[:, 0, 1]
        texts = [
            f"{way} {spread(ends[:, k, 1].tolist())}, lower than the last iterate on "
            f"{int((ends[:, k, 1] < plain).sum())}"
            for k, way in enumerate(ways)
            if k
        ]
        best = int(np.argmin(np.median(ends[:, 1:, 1], 0))) + 1
        wins, losses = int((ends[:, best, 1] < plain).sum()), int((ends[:, best, 1] > plain).sum())
        measured = (
            f"test loss at the end, {len(ends)} seeds: the last forward iterate {spread(plain.tolist())}; "
            f"{'; '.join(texts)}. A backward iterate has the law of the forward one, at the same cost."
        )
        verdict = f"{ways[best]} lower than the last iterate: {verdict_of(wins, losses, len(ends))}"
        topic = f"One end value: {name.replace('fig', 'Figure ')}"
        rows.append(
            Finding(topic, *_SENTENCE, measured, verdict, "the best of three is named after seeing them; no test")
        )
    return rows
