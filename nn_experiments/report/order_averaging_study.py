"""The picture of the study of the order-averaging regulariser (matplotlib)."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from contraction.plots.style import CLAIM, figure, style
from nn_experiments.analysis.order_averaging_study import CHANCE, COST, STEPS, TEST, TRAIN, stability
from nn_experiments.paper import curve_names
from nn_experiments.report.panels import sparse_ticks
from nn_experiments.results.studies import Study

__all__ = ["draw_order_averaging_study", "draw_order_stability"]

#: Colour and mark of each curve: many lie on each other.
LOOKS = (
    ("#000000", "o"),
    ("#009E73", "s"),
    ("#56B4E9", "^"),
    ("#D55E00", "v"),
    ("#F0E442", "D"),
    ("#E69F00", "p"),
    ("#CC79A7", "*"),
    ("#0072B2", "x"),
    ("#999999", "+"),
)
#: A test loss above this is a path that has diverged, and is not shown.
WORST = 10


def draw_order_averaging_study(study: Study) -> Picture:
    """Return the figure: a row per c. Left, the test loss of every curve against its rate, at equal cost; right, λ.

    On the right every regularised path is a dot at (hΛ, λ/h²), filled where it ended above chance; the line is where
    the factor of the top eigenvector is 1.
    """
    parts, curves, rates = study.about["parts"], list(study.about["curves"]), study.about["rates"]
    with style():
        fig, axes = figure(len(parts), 2, width=9.4, height=0.9 + 2.9 * len(parts), squeeze=False)
        for a, c in enumerate(parts):
            axis = axes[a][0]
            for k, name in enumerate(curves):
                values = study["ends"][a, :, k, :, COST, TEST]
                median = np.median(np.where(values < WORST, values, np.inf), axis=1)
                shown = np.isfinite(median)
                colour, mark = LOOKS[k % len(LOOKS)]
                look = {"color": colour, "marker": mark, "ms": 9 - 0.8 * k, "mfc": "none", "lw": 0.9}
                axis.plot(np.array(rates)[shown], median[shown], label=curve_names.step_label_of(name), **look)
            axis.set(xscale="log", yscale="log", ylabel=f"c = {c}\ntest loss, equal cost", xlabel="learning rate h")
            sparse_ticks(axis.xaxis)
            sparse_ticks(axis.yaxis)
            _draw_stability(axes[a][1], study, c)
        handles, labels = axes[0][0].get_legend_handles_labels()
        more, also = axes[0][1].get_legend_handles_labels()
        fig.legend([*handles, *more], [*labels, *also], loc="outside lower center", ncols=3)
    return fig


def draw_order_stability(study: Study) -> Picture:
    """Return the figure: left, the training loss at the end of every path against its rate; right, λ as above.

    Paths that ended above twice chance, or diverged, are drawn at the upper edge.
    """
    (c,), curves, rates = study.about["parts"], list(study.about["curves"]), np.array(study.about["rates"])
    most = 2 * CHANCE
    with style():
        fig, (left, right) = figure(1, 2, width=9.4, height=3.8)
        for k, name in enumerate(curves):
            values = study["ends"][0, :, k, :, STEPS, TRAIN]
            values = np.where(values < most, values, most)  # NaN as well
            colour, mark = LOOKS[k % len(LOOKS)]
            shift = 1.06 ** (k - (len(curves) - 1) / 2)  # curves side by side
            left.plot(rates * shift, np.median(values, axis=1), color=colour, lw=0.9)
            x = np.repeat(rates * shift, values.shape[1])
            left.plot(x, values.ravel(), mark, ms=5, mfc="none", mec=colour, label=curve_names.step_label_of(name))
        left.axhline(CHANCE, color="#999999", lw=0.8, ls=":", label="a network that knows nothing, log 10")
        title = f"training loss after {study.about['steps']} steps"
        left.set(xscale="log", ylim=(0, 1.03 * most), xlabel="learning rate h", ylabel=title)
        left.set_xticks(rates, [f"{h:g}" for h in rates], minor=False)
        left.set_xticks([], minor=True)
        _draw_stability(right, study, c)
        handles, labels = left.get_legend_handles_labels()
        more, also = right.get_legend_handles_labels()
        fig.legend([*handles, *more], [*labels, *also], loc="outside lower center", ncols=3)
    return fig


def _draw_stability(axis: Axes, study: Study, c: int) -> None:
    cases = [case for case in stability(study) if case.c == c]
    for seen, text in ((False, "trains"), (True, "ends above chance, or diverges")):
        points = [(case.reach, case.multiple) for case in cases if case.unstable == seen]
        if points:
            x, y = np.array(points).T
            axis.plot(x, y, "o", ms=4, mfc=CLAIM if seen else "none", mec=CLAIM, mew=0.7, ls="none", label=text)
    grid = np.geomspace(0.02, 20, 100)
    axis.plot(grid, 1 / (c * (c - 1) * grid), color="#0072B2", lw=1.2, label="1 − hΛ + λc(c − 1)Λ² = 1")
    axis.set(xscale="log", yscale="log", xlabel="hΛ", ylabel="λ/h²", ylim=(0.02, 40))
