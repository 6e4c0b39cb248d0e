"""Squared increments of forward and backward iterates, measured over replicas, against their closed forms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from contraction.families import GaussianVector, LinearizedSGD, QuadraticSGD
from contraction.laws import affine_moments
from contraction.maps.iterates import paired_iterates
from contraction.plots.style import BACKWARD, CLAIM, FORWARD, figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["increments"]

REPLICAS = 2000


def increments() -> Figure:
    """E ‖θ_{n+1} - θ_n‖^2 for Sections 3.1 and 3.2: mean over replicas with its 95 % interval, and theory."""
    H = np.array([[1.0, 0.4, 0.0], [0.4, 1.5, 0.3], [0.0, 0.3, 0.7]])
    linearized = LinearizedSGD(np.zeros(3), H, 0.2, GaussianVector(np.diag([1.0, 0.5, 2.0])))
    cases = (
        ("Section 3.1: h = 0.1, $\\theta_0$ = 2", QuadraticSGD(0.1), np.array([2.0])),
        ("Section 3.2: d = 3, h = 0.2", linearized, np.array([2.0, -1.0, 1.0])),
    )
    last = 60
    n = np.arange(last)
    fig, axes = figure(2, 2, height=5.0, sharex=True)
    for (above, below), (title, family, start) in zip(axes.T, cases, strict=True):
        pair = paired_iterates(family.sample(last, seed=0, replicas=REPLICAS), start)
        moments = affine_moments(family, start)
        for rows, name, color, claim, shift in (
            (pair[0], "forward", FORWARD, [moments.forward_increment(m) for m in n], 0.35),
            (pair[1], "backward", BACKWARD, [moments.backward_increment(m) for m in n], -0.35),
        ):
            squares = np.sum(np.diff(rows, axis=1) ** 2, axis=-1)
            mean, half = squares.mean(axis=0), 1.96 * squares.std(axis=0, ddof=1) / np.sqrt(REPLICAS)
            marker = "s" if name == "forward" else "o"
            above.plot(n[::3], mean[::3], marker, ms=3, color=color, label=f"{name}, {REPLICAS} replicas")
            above.plot(n, claim, "-" if name == "backward" else "--", color=CLAIM, lw=0.9, label=f"{name}, closed form")
            below.errorbar(
                n[::3] + shift,
                (mean / claim)[::3],
                yerr=(half / claim)[::3],
                fmt=marker,
                ms=2.5,
                lw=0.9,
                color=color,
                label=f"{name}, 95 % interval",
            )
        above.axhline(moments.forward_increment_limit, color=FORWARD, lw=0.7, ls=":", label="forward limit")
        above.set_yscale("log")
        above.set(title=title)
        below.axhline(1, color=CLAIM, lw=0.9)
        below.set(xlabel="n", ylim=(0.8, 1.3))
    axes[0, 0].set_ylabel("E ‖$\\theta_{n+1}-\\theta_n$‖²")
    axes[1, 0].set_ylabel("measured / closed form")
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    axes[1, 0].legend(fontsize=7, loc="upper left")
    return fig
