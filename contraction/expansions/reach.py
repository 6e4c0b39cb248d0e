"""The range of n·h in which a correction is useful, and the growth of the correction in the quadratic example.

A corrected iterate of order p is the forward iterate plus Σ_{q=2}^p D_q h^q, where D_q are the coefficients of backward
minus forward. Its error relative to ‖θ_n^B − θ_n^F‖ is 1 for order 1 (no correction); above 1 it is harmful.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from contraction.arguments import check_finite, check_integer, check_positive
from contraction.expansions.composition import compose, prefix_series
from contraction.expansions.fields import VectorField
from contraction.types import Numbers, Vector
from contraction.values import Value

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "CorrectionReach",
    "correction_reach",
    "plot_correction_reach",
    "quadratic_correction",
    "quadratic_correction_sd",
]


@dataclass(frozen=True, eq=False)
class CorrectionReach(Value):
    """Relative errors of corrected forward iterates.

    Attributes
    ----------
    n : (N,) int array
        Iterates.
    h : (H,) float array
        Learning rates, increasing.
    orders : (P,) int array
        Orders of the correction.
    errors : (P, N, H) float array
        ‖θ_n^F + Σ_{2≤q≤p} D_q h^q − θ_n^B‖ / ‖θ_n^B − θ_n^F‖.

    Examples
    --------
    >>> import numpy as np
    >>> from contraction.expansions import correction_reach, quadratic_field
    >>> rng = np.random.default_rng(0)
    >>> fields = [quadratic_field(np.diag(rng.uniform(0, 2, 2)) + 0.5, rng.normal(size=2)) for _ in range(16)]
    >>> result = correction_reach(fields, np.ones(2), [0.01, 0.02, 0.05], at=[8, 16], orders=[1, 2, 3])
    >>> result.errors.shape  # orders, iterates, learning rates
    (3, 2, 3)
    >>> result.reach(0.5).round(2).tolist()  # the largest h·n up to which the correction halves the distance
    [[0.0, 0.0], [0.4, 0.16], [0.4, 0.32]]
    """

    n: np.ndarray
    h: np.ndarray
    orders: np.ndarray
    errors: np.ndarray

    def reach(self, tolerance: float = 0.5) -> np.ndarray:
        """Return, for each order and n, the largest h·n up to which the error stays within ``tolerance``, (P, N).

        The result is 0 if the error for the smallest h exceeds it. It is at most n times the largest h that was tried.
        """
        within = np.cumprod(self.errors <= tolerance, axis=-1).astype(bool)
        count = within.sum(axis=-1)
        return np.where(count > 0, self.h[np.maximum(count - 1, 0)], 0.0) * self.n


def correction_reach(
    fields: Sequence[VectorField],
    theta0: Vector,
    h: Sequence[float],
    *,
    at: Sequence[int],
    orders: Sequence[int] = (1, 2, 3, 4, 5),
) -> CorrectionReach:
    """Measure how far corrections of the given orders reach, for the iterates ``at`` and learning rates ``h``.

    The correction to order 2 is that of Definition C.3, which helps only while n·h is small (row 58).

    Parameters
    ----------
    fields, theta0
        V_1, …, V_N and the start (d,), in float64.
    h
        Positive learning rates, increasing.
    at
        Iterates n ≥ 2.
    orders
        Orders p ≥ 1.

    Raises
    ------
    ValueError
        If the lists are empty or out of range, or forward and backward iterates coincide (commuting fields).

    Examples
    --------
    >>> import numpy as np
    >>> from contraction.expansions import correction_reach, quadratic_field
    >>> fields = [quadratic_field(np.array([[1.0, 0.5], [0.5, k]]), np.ones(2)) for k in (1.0, 2.0, 3.0)]
    >>> result = correction_reach(fields, np.ones(2), [0.01, 0.1, 1.0], at=[3], orders=[2])
    >>> result.errors[0, 0].round(2).tolist()  # 1 without correction; above 1 the correction is harmful
    [0.01, 0.15, 3.61]
    """
    rates = np.asarray(h, dtype=float)
    if rates.size == 0 or not np.all(rates > 0) or np.any(np.diff(rates) <= 0):
        raise ValueError(f"the learning rates must be positive and increasing, got {list(h)!r}")
    at, orders = list(at), list(orders)
    if not at or min(at) < 2 or not orders or min(orders) < 1:
        raise ValueError(f"iterates must be at least 2 and orders at least 1, got {at!r} and {orders!r}")
    forward, backward = prefix_series(fields, theta0, max(orders), at)
    errors = np.empty((len(orders), len(at), len(rates)))
    for i, n in enumerate(at):
        difference = np.asarray(backward[i]) - np.asarray(forward[i])
        for j, rate in enumerate(rates):
            last = np.asarray(compose(fields, range(n, 0, -1), theta0, float(rate)))
            first = np.asarray(compose(fields, range(1, n + 1), theta0, float(rate)))
            gap = float(np.linalg.norm(first - last))
            if gap == 0:
                raise ValueError(f"forward and backward iterates {n} coincide at h = {rate}: nothing to correct")
            for k, p in enumerate(orders):
                correction = sum(difference[q] * rate**q for q in range(2, p + 1))
                errors[k, i, j] = np.linalg.norm(last + correction - first) / gap
    return CorrectionReach(np.asarray(at), rates, np.asarray(orders), errors)


def plot_correction_reach(reaches: Mapping[str, CorrectionReach]) -> Figure:
    """Return a figure of relative error against n·h, with one panel per name and one colour per order.

    It needs matplotlib. Order 1 means no correction and is the line at 1; above this line a correction is harmful.

    Raises
    ------
    ValueError
        If there is nothing to plot.

    Examples
    --------
    >>> import numpy as np
    >>> from contraction.expansions import correction_reach, plot_correction_reach, quadratic_field
    >>> fields = [quadratic_field(np.array([[1.0, 0.5], [0.5, k]]), np.ones(2)) for k in (1.0, 2.0, 3.0)]
    >>> figure = plot_correction_reach({"three": correction_reach(fields, np.ones(2), [0.01, 0.1, 1.0], at=[3])})
    >>> [panel.get_title() for panel in figure.axes]
    ['three']
    """
    from contraction.plots.style import CLAIM, figure, positive, style

    if not reaches:
        raise ValueError("there is nothing to plot")
    colors = ("#999999", "#0072B2", "#009E73", "#E69F00", "#D55E00", "#CC79A7", "#56B4E9")
    dashes = ("-", "--", ":", "-.")
    with style():
        fig, axes = figure(1, len(reaches), width=2.9 * len(reaches) + 1.4, height=3.4, sharey=True, squeeze=False)
        for axis, (name, reach) in zip(axes[0], reaches.items(), strict=True):
            for k, p in enumerate(reach.orders):
                for i, n in enumerate(reach.n):
                    axis.loglog(
                        n * reach.h,
                        positive(reach.errors[k, i]),
                        dashes[i % 4],
                        color=colors[k % 7],
                        label=f"order {p}" if i == 0 else None,
                    )
            for i, n in enumerate(reach.n):
                axis.plot([], [], dashes[i % 4], color=CLAIM, label=f"n = {n}")
            axis.set(title=name, xlabel="n · h", ylim=(1e-6, 1e4))
            axis.legend(fontsize=7, loc="lower right")
        axes[0, 0].set_ylabel("error of the corrected forward iterate,\nrelative to backward − forward")
    return fig


def quadratic_correction(noise: Numbers) -> Numbers:
    """Return C_n = Σ_i (n + 1 − 2i) ε_i for T_i θ = (1−h)θ + hε_i (Section 3.1), so that θ̃_n = θ_n + h²C_n.

    Parameters
    ----------
    noise
        ε_1, …, ε_n along the last axis, (…, n).

    Raises
    ------
    ValueError
        If the noise is not an array of numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from contraction import expansions as ex
    >>> float(ex.quadratic_correction(np.array([1.0, 2.0, 4.0])))
    -6.0
    """
    noise = np.asarray(noise)
    if noise.ndim == 0 or noise.dtype.kind not in "fiubO":
        raise ValueError(f"the noise must be numbers ε_1 … ε_n along the last axis, got {noise!r}")
    n = noise.shape[-1]
    return noise @ (n + 1 - 2 * np.arange(1, n + 1))


def quadratic_correction_sd(n: int, h: float, sigma: float) -> float:
    """Return the standard deviation of h²C_n in the quadratic example: h²σ√(n(n²−1)/3).

    It grows as n^{3/2}, whereas the variance of forward and backward iterates is at most h σ²/(2−h) (0 < h < 2,
    start 0). So the correction is useful only for n·h well below 1.

    It grows without bound in n, while iterates stay bounded (Section 3.1, row 58).

    Raises
    ------
    ValueError
        If n is below 1 or sigma negative.

    Examples
    --------
    >>> from contraction import expansions as ex
    >>> round(ex.quadratic_correction_sd(10, 0.1, 1.0), 6)
    0.181659
    """
    check_integer("n", n, 1)
    check_positive("sigma", sigma, zero=True)
    check_finite("the learning rate h", h)
    return h * h * sigma * float(np.sqrt(n * (n * n - 1) / 3))
