"""One panel of a figure: the curves of one seed and metric, all visible even where they coincide (matplotlib)."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias  # Any: matplotlib's keyword arguments have many types

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.lines import Line2D

from contraction.plots.style import BACKWARD, CLAIM, FORWARD, OTHER
from nn_experiments.paper import curve_names
from nn_experiments.results.curves import Curves

__all__ = ["curve_style", "draw_panel", "logarithmic", "name_diverged", "sparse_ticks"]

#: Okabe and Ito's colours that the two orders do not use, for baselines and multiples of λ.
MORE = ("#CC79A7", OTHER, "#56B4E9", "#D55E00", "#F0E442", "#999999")
#: The narrower of two curves is hidden where their distance is less than this part of a panel's height.
HIDDEN = 0.01


#: Properties of a line as matplotlib's ``plot`` takes them.
LineStyle: TypeAlias = dict[str, Any]


def curve_style(name: str, orders: Sequence[str]) -> LineStyle:
    """Return how an order or baseline is drawn: kinds differ in colour, in grey and in width."""
    if name == "forward" and not curve_names.compares_steps(orders):
        return {"color": FORWARD, "lw": 0.7, "zorder": 2}
    reversing = _reversing(orders)
    if name in reversing[:1]:
        return {"color": BACKWARD, "lw": 1.5, "zorder": 4}
    if name == "backward":  # beside a reset path: the path without the reset
        return {"color": CLAIM, "lw": 0.9, "ls": (0, (4, 2)), "zorder": 3}
    others = [o for o in orders if o not in reversing[:1]]
    dashes = ("--", "-.", ":", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1)), "-")
    k = others.index(name)
    return {"color": (*MORE, CLAIM)[k % 7], "lw": 1.1, "ls": dashes[k % 7], "zorder": 3}


def _reversing(orders: Sequence[str]) -> list[str]:
    """Return the iteration orders other than forward; the first of them is drawn wide."""
    return [o for o in orders if o != "forward" and type(curve_names.parse(o)) is curve_names.OrderCurve]


def logarithmic(curves: Curves, metric: str, orders: Sequence[str], scale: str) -> bool:
    """Return whether an axis is logarithmic: as ``scale`` says, or if a loss spans more than a factor of 30."""
    if scale != "auto" or metric.endswith("accuracy"):
        return scale == "log" and not metric.endswith("accuracy")
    values = np.concatenate([curves.path(metric, seed=s, order=o)[1] for s in curves.seeds for o in orders])
    values = values[np.isfinite(values)]
    return bool(values.size and values.min() > 0 and values.max() > 30 * values.min())


def draw_panel(
    axis: Axes,
    curves: Curves,
    metric: str,
    seed: int,
    orders: Sequence[str],
    *,
    log: bool,
    costs: Mapping[str, np.ndarray] | None = None,
    label: Callable[[str], str] = curve_names.label_of,
) -> None:
    """Draw the curves of a metric for one seed, with the iterates where they diverged.

    With ``log`` the vertical axis is logarithmic. With ``costs``, order -> cost of its path up to each of
    `Curves.iterates`, the horizontal axis is the cost, on a logarithmic scale, in place of n.
    """
    lines = {}
    for name in orders:
        x, values = curves.path(metric, seed=seed, order=name)
        if costs is not None:
            x, values = x[x > 0], values[x > 0]
            x = costs[name][np.searchsorted(curves.iterates, x)]
        lines[name] = _draw_curve(axis, x, values, curve_style(name, orders), label(name))
    if costs is not None:
        axis.set_xscale("log")
    if log and any((line.get_ydata() > 0).any() for line in lines.values()):  # otherwise no value is positive
        axis.set_yscale("log")
        sparse_ticks(axis.yaxis)
    if "forward" in lines:
        for name in _reversing(orders)[:1]:
            _bring_out(axis, lines["forward"], lines[name])
    name_diverged(axis, curves, seed, orders)


def _draw_curve(axis: Axes, x: np.ndarray, values: np.ndarray, look: LineStyle, label: str) -> Line2D:
    """Draw one curve up to its first value that is not finite, mark its end with a cross, and return the line."""
    bad = np.flatnonzero(~np.isfinite(values))
    stop = int(bad[0]) if bad.size else len(values)
    (line,) = axis.plot(x[:stop], values[:stop], label=label, marker="." if stop == 1 else None, **look)
    if bad.size:
        height = values[stop - 1] if stop else 0.5
        where = axis.transData if stop else axis.get_xaxis_transform()
        look = {"ms": 6, "color": line.get_color(), "mec": CLAIM, "zorder": 9, "transform": where}
        axis.plot(x[max(stop - 1, 0)], height, "X", **look)
    return line


def _bring_out(axis: Axes, thin: Line2D, wide: Line2D) -> None:
    """Draw the thin curve in dashes over the wide one, where it is hidden below it for several points."""
    _, first, second = np.intersect1d(thin.get_xdata(), wide.get_xdata(), return_indices=True)
    if not len(first):
        return
    axis.get_ylim()  # makes matplotlib compute the limits that the next line uses
    heights = axis.transScale + axis.transLimits
    a, b = (heights.transform(np.asarray(line.get_xydata())[k])[:, 1] for line, k in ((thin, first), (wide, second)))
    near = np.flatnonzero(np.abs(a - b) <= HIDDEN)
    for points in np.split(near, np.flatnonzero(np.diff(near) > 1) + 1):
        if len(points) > 2:
            x, y = np.asarray(thin.get_xydata())[first[points]].T
            look = {"color": thin.get_color(), "lw": wide.get_linewidth(), "ls": (0, (3, 3))}
            axis.plot(x, y, dash_capstyle="butt", zorder=wide.get_zorder() + 1, **look)


def name_diverged(axis: Axes, curves: Curves, seed: int, orders: Sequence[str]) -> None:
    """Write into the corner which curves of a seed diverged, and at which iterate."""
    diverged: dict[int, list[str]] = {}
    for name in orders:
        n = curves.diverged(seed=seed, order=name)
        if n is not None:
            diverged.setdefault(n, []).append(name)
    if diverged:
        rows = (f"diverged at n = {n}: {', '.join(names)}" for n, names in sorted(diverged.items()))
        text = "\n".join(line for row in rows for line in textwrap.wrap(row, 28))
        box = {"boxstyle": "round,pad=0.2", "fc": "white", "ec": CLAIM, "lw": 0.5, "alpha": 0.85}
        axis.text(0.98, 0.94, text, transform=axis.transAxes, ha="right", va="top", fontsize=6.5, bbox=box, zorder=10)


def sparse_ticks(axis: Axis) -> None:
    """Label a logarithmic axis at decades, or at 1, 2 and 5 of each decade, or evenly, if it spans too few decades.

    Matplotlib labels all minor ticks of a short axis, and the labels overlap. Call this after the limits are final.
    """
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter

    low, high = sorted(axis.get_view_interval())
    axis.set_minor_formatter(NullFormatter())
    if low <= 0:  # nothing is drawn
        return
    first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
    if last > first:
        return
    ticks = [digit * 10.0**k for k in range(first - 1, last + 1) for digit in (1, 2, 5)]
    seen = sum(low <= tick <= high for tick in ticks)
    axis.set_major_locator(FixedLocator(ticks) if seen > 1 else MaxNLocator(2))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
