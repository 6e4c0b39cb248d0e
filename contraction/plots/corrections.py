"""How far the corrections of Appendix C reach, and where the second-order one breaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from contraction import expansions as ex
from contraction.families import QuadraticSGD
from contraction.laws import affine_moments
from contraction.plots.style import BACKWARD, CLAIM, FORWARD, OTHER, figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["correction_growth", "correction_reach"]


def correction_reach() -> Figure:
    """Error of forward iterates corrected to order 1 … 5, relative to backward - forward, against n h."""
    rng = np.random.default_rng(0)
    rates, at, width, inputs = np.geomspace(1e-3, 0.3, 19).tolist(), (10, 30), 16, 2
    quadratics = []
    for _ in range(max(at)):
        root = rng.standard_normal((10, 10)) / np.sqrt(10)
        quadratics.append(ex.quadratic_field(root @ root.T, rng.standard_normal(10)))
    networks = []
    for _ in range(max(at)):
        x = rng.standard_normal((4, inputs))
        networks.append(ex.tanh_network_field(x, np.sin(2 * x[:, 0]) * x[:, 1], width))
    d = ex.tanh_network_dimension(inputs, width)
    return ex.plot_correction_reach(
        {
            "quadratic losses, d = 10": ex.correction_reach(quadratics, rng.standard_normal(10), rates, at=at),
            f"tanh network, {d} parameters": ex.correction_reach(networks, 0.5 * rng.standard_normal(d), rates, at=at),
        }
    )


def correction_growth() -> Figure:
    """Section 3.1: the correction's standard deviation grows like n^(3/2) while both iterates stay bounded."""
    h, sigma, draws = 0.05, 1.0, 400
    n = np.unique(np.geomspace(2, 1000, 25).astype(int))
    noise = np.random.default_rng(0).standard_normal((draws, n[-1]))
    measured = [h**2 * np.std([ex.quadratic_correction(row[:m]) for row in noise]) for m in n]
    moments = affine_moments(QuadraticSGD(h), 0.0)
    fig, axis = figure(height=3.1)
    axis.loglog(n, measured, "o", color=FORWARD, ms=4, label=f"correction $h^2C_n$, {draws} draws")
    claim = [ex.quadratic_correction_sd(int(m), h, sigma) for m in n]
    axis.loglog(n, claim, "-", color=CLAIM, lw=1, label="$h^2\\sigma\\sqrt{n(n^2-1)/3}$")
    spread = [float(np.sqrt(moments.covariance(int(m))[0, 0])) for m in n]
    axis.loglog(n, spread, "--", color=BACKWARD, label="iterates, forward and backward alike")
    axis.axvline(1 / h, color=OTHER, lw=0.9, ls=":", label="n h = 1")
    axis.set(xlabel="n", ylabel="standard deviation", title="Section 3.1, h = 0.05, σ = 1")
    axis.legend(loc="lower right")
    return fig
