"""The picture of one law and two kinds of path."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure as Picture

from contraction.plots.style import BACKWARD, CLAIM, FORWARD, figure, style
from nn_experiments.report.panels import sparse_ticks
from nn_experiments.results.studies import Study

__all__ = ["draw_one_law"]

#: Seeds whose paths are drawn one by one: the first ones, by rule.
SINGLE = 8
ROWS = (("test_loss", "test loss"), ("test_error", "test error"))
ORDERS = (("forward", FORWARD), ("backward", BACKWARD))


def draw_one_law(study: Study) -> Picture:
    """Return the figure: quantiles of both orders on each other, and single paths of both beside them."""
    n, values, metrics = study["n"], study["values"], study.about["metrics"]
    since = n >= n[-1] / 4
    with style():
        fig, axes = figure(2, 3, width=9.6, height=5.4, sharex=True, sharey="row", squeeze=False)
        for row, (name, label) in enumerate(ROWS):
            one = values[:, :, since, metrics.index(name)]
            law = axes[row][0]
            for k, (order, colour) in enumerate(ORDERS):
                low, middle, high = np.quantile(one[:, k], [0.1, 0.5, 0.9], axis=0)
                width, dashes = ((2.6, "-"), (1.4, (0, (4, 3))))[k]
                if k == 0:  # one order as a band, the other as two dotted lines: they lie on each other
                    law.fill_between(n[since], low, high, color=colour, alpha=0.3, lw=0, label=f"{order}: 10 to 90 %")
                else:
                    for edge, text in ((low, f"{order}: 10 and 90 %"), (high, None)):
                        law.plot(n[since], edge, color=colour, lw=1.0, ls=":", label=text)
                law.plot(n[since], middle, color=colour, lw=width, ls=dashes, label=f"{order}: median")
                paths = axes[row][k + 1]
                paths.plot(n[since], one[:SINGLE, k].T, color=colour, lw=0.8)
                if row == 0:
                    paths.set_title(f"{order}: {SINGLE} paths, a seed each")
            if name.endswith("_loss"):
                law.set_yscale("log")
                sparse_ticks(law.yaxis)
            law.set_ylabel(label)
        axes[0][0].set_title(f"both orders: {len(values)} seeds at each n")
        for axis in axes[-1]:
            axis.set_xlabel("n")
        handles, labels = axes[0][0].get_legend_handles_labels()
        fig.legend(handles, labels, loc="outside lower center", ncols=4, handlelength=3)
        fig.suptitle("One law, two kinds of path (digits, MLP)", fontsize=10, color=CLAIM)
    return fig
