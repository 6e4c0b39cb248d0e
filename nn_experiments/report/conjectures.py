"""Pictures of the studies of the conclusion's conjectures and of influence."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure as Picture

from contraction.plots.style import BACKWARD, CLAIM, FORWARD, figure, style
from nn_experiments.report.panels import sparse_ticks
from nn_experiments.results.studies import Study

__all__ = ["draw_conjectures", "draw_influence"]


def draw_conjectures(study: Study) -> Picture:
    """Return the figure: test loss and error at the end of every strategy's path, a dot a seed, at equal gradients."""
    names = study.about["strategies"]
    with style():
        fig, axes = figure(1, 2, width=9.0, height=3.6, sharey=True, squeeze=False)
        for axis, place, label in ((axes[0][0], 2, "test loss"), (axes[0][1], 3, "test error")):
            for k, name in enumerate(names):
                values = study["curves"][k, :, -1, place]
                reversing = any(word in name for word in ("backward", "windows", "reset"))
                colour = BACKWARD if reversing else FORWARD
                axis.plot(values, np.full(len(values), k), "o", ms=3, color=colour, alpha=0.5)
                axis.plot(np.median(values), k, "|", ms=14, mew=1.6, color=CLAIM)
            axis.set_xlabel(f"{label} at the end of {study.about['budget']:,} gradients")
            if study["curves"][..., -1, place].max() > 8 * study["curves"][..., -1, place].min() > 0:
                axis.set_xscale("log")
                sparse_ticks(axis.xaxis)
        steps = [f"{name} ({int(n):,} steps)" for name, n in zip(names, study["steps"], strict=True)]
        axes[0][0].set_yticks(range(len(names)), steps)
        axes[0][0].invert_yaxis()
    return fig


def draw_influence(study: Study) -> Picture:
    """Return the figure: how far the exchange of the j-th outermost batch moves the backward iterate."""
    j = study["j"]
    colours = ("#0072B2", "#56B4E9", "#009E73", "#CC79A7", "#D55E00", "#E69F00", "#000000")
    with style():
        fig, axes = figure(1, 2, width=9.4, height=3.8, sharey=True, squeeze=False)
        for axis, key, label in ((axes[0][0], "parameter", "parameters"), (axes[0][1], "function", "outputs")):
            unit = study["independent" if key == "parameter" else "independent_function"]
            for k, setting in enumerate(study.about["settings"]):
                values = np.maximum(study[key][k] / unit[k][:, None], 1e-17)
                axis.plot(j, np.median(values, 0), color=colours[k % len(colours)], lw=1.3, label=setting["name"])
                factor = float(study["factor"][k])
                if key == "parameter" and np.isfinite(factor):
                    bound = np.median(study["step"][k][:, 0] / unit[k]) * factor ** (j - 1.0)
                    axis.plot(j, bound, color=colours[k % len(colours)], lw=0.8, ls=":")
            axis.axhline(1, color=CLAIM, lw=0.5)
            axis.set_xscale("log")
            axis.set_yscale("log")
            axis.set_ylim(1e-12, 3)
            axis.set_xlabel("j: the exchanged batch, 1 the outermost")
            axis.set_title(label)
        axes[0][0].set_ylabel("moves by / two independent iterates")
        handles, labels = axes[0][0].get_legend_handles_labels()
        fig.legend(handles, labels, loc="outside lower center", ncols=2)
    return fig
