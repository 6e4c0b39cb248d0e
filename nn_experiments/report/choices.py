"""The picture of the study of what the paper leaves open (matplotlib)."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure as Picture

from contraction.plots.style import BACKWARD, CLAIM, figure, style
from nn_experiments.analysis.choices import RECOMPUTED, TEST, deviations
from nn_experiments.report.panels import sparse_ticks
from nn_experiments.results.studies import Study

__all__ = ["draw_choices"]


def draw_choices(study: Study) -> Picture:
    """Return the figure: a row a setting, the ratio of forward's and backward's variability for each seed."""
    rows = []
    for k, setting in enumerate(study.about["settings"]):
        rows.append((setting["name"], deviations(study, k, TEST)))
        again = deviations(study, k, RECOMPUTED)
        if not np.isnan(again).all():
            rows.append((f"{setting['name']}, statistics recomputed", again))
    with style():
        fig, axis = figure(width=8.2, height=1.1 + 0.24 * len(rows))
        for y, (_, (forward, backward)) in enumerate(rows):
            ratio = forward / backward
            ratio = ratio[np.isfinite(ratio)]
            axis.plot(ratio, np.full(len(ratio), y), "o", ms=3.5, color=BACKWARD, alpha=0.6)
            if len(ratio):
                axis.plot(np.median(ratio), y, "|", ms=11, mew=1.6, color=CLAIM)
            else:
                axis.annotate("diverges", (1, y), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8)
        axis.axvline(1, color=CLAIM, lw=0.6)
        axis.set_yticks(range(len(rows)), [name for name, _ in rows])
        axis.invert_yaxis()
        axis.set_xscale("log")
        sparse_ticks(axis.xaxis)
        axis.set_xlabel("deviation of the log test loss along the path, forward over backward")
    return fig
