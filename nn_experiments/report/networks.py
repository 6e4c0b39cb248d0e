"""The picture of the study of the paper's networks: how far apart backward iterates are, in law (matplotlib)."""

from __future__ import annotations

import textwrap

import numpy as np
from matplotlib.figure import Figure as Picture

from contraction.plots.style import BACKWARD, CLAIM, OTHER, figure, style
from nn_experiments.analysis.networks import increments, judged
from nn_experiments.results.studies import Study

__all__ = ["draw_networks"]

COLUMNS = 3


def draw_networks(study: Study) -> Picture:
    """Return a panel a network: distances of backward iterates over that of two independent runs, with intervals."""
    settings = study.about["settings"]
    columns = min(COLUMNS, len(settings))
    lines = -(-len(settings) // columns)
    with style():
        fig, axes = figure(
            lines, columns, width=3.1 * columns, height=2.0 * lines + 0.9, squeeze=False, sharex="row", sharey="row"
        )
        for axis in axes.flat[len(settings) :]:
            axis.set_axis_off()
        for k, (axis, setting) in enumerate(zip(axes.flat, settings, strict=False)):
            axis.axhline(1, color=CLAIM, lw=0.7, ls=":")
            for space, far, colour, dashes, label in (
                ("parameters", True, BACKWARD, "-", "parameters, n and n + N/2"),
                ("parameters", False, BACKWARD, "--", "parameters, n and n + 1"),
                ("predictions", True, OTHER, "-", "predictions, n and n + N/2"),
                ("predictions", False, OTHER, "--", "predictions, n and n + 1"),
            ):
                n, middle, low, high = increments(study, k, space, far=far)
                axis.plot(n, middle, color=colour, ls=dashes, lw=1.2, label=label)
                axis.fill_between(n, low, high, where=np.isfinite(low + high), color=colour, alpha=0.15, lw=0)
            axis.axhline(setting["eps"], color=CLAIM, lw=0.7)
            axis.set_yscale("log")
            title = "\n".join(textwrap.wrap(setting["name"], 40))
            axis.set_title(f"{title}\n{judged(study, k).verdict}", fontsize=7.5)
            axis.tick_params(labelsize=7)
        for axis in axes[-1]:
            axis.set_xlabel("n")
        handles, labels = axes.flat[0].get_legend_handles_labels()
        fig.legend(handles, labels, loc="outside lower center", ncols=2)
        fig.supylabel("distance / that of two independent runs", fontsize=9)
    return fig
