"""The paper's figures from recorded curves: one row per seed, both orders in the same axes (matplotlib, no torch).

``python -m nn_experiments plot fig4`` writes up to four pictures, each as PNG and SVG: ``fig4`` in the paper's layout,
``fig4-residuals`` with the last steps as differences from the mean of both orders, if the curves coincide otherwise,
``fig4-cost`` with the gradients that each path costs on the horizontal axis, and ``fig4-settling`` with increments and
with distances to the last iterate, of two starts, and of two independent runs. If a run is shorter, sparser or has
fewer seeds than in the paper, the plot says so; a curve that diverged ends in a cross with its iterate.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D

from contraction.plots.style import CLAIM, figure, style
from nn_experiments.analysis.run_summary import circumstances, recorded_grid
from nn_experiments.paper import curve_names
from nn_experiments.paper.catalogue import Figure
from nn_experiments.report.panels import (
    LineStyle,
    curve_style,
    draw_panel,
    logarithmic,
    name_diverged,
    sparse_ticks,
)
from nn_experiments.results.curves import Curves

__all__ = [
    "coincide",
    "curve_style",
    "draw_cost",
    "draw_figure",
    "draw_overview",
    "draw_residuals",
    "draw_settling",
    "frame",
    "has_distances",
    "legend",
]

#: Axes by row and column.
Panels = np.ndarray

#: Space -> title of its column, and the unit of its distances.
SPACES = (
    ("parameter", "parameters", "Euclidean distance"),
    ("function", "test predictions", "r.m.s. distance of outputs"),
)
#: The paper's "training loss at each update", and its counterpart, by what they are.
TITLES = {
    "newest_batch_loss": "loss on the newest batch $B_n$",
    "outermost_batch_loss": "loss on the batch applied last",
}
#: The dashes of one order fill the gaps of the other, so that both are visible where they coincide; the points of the
#: lower curve are larger.
DISTANCES = (
    ("increment", ("-", "-"), "from iterate n to n + 1"),
    ("to_last", ((4, (4, 4)), (0, (4, 4))), "from iterate n to the last"),
)
#: What is measured, by its mark, where points are shown.
MARKS = {"increment": ".", "to_last": "x", "coupling": "s", "independent": "*"}
#: A curve with fewer points than this shows each of them, since the line between them is not measured.
FEW = 10
APART = (
    ("coupling", "#777777", "-.", "two independent starts under the same maps"),
    ("independent", CLAIM, ":", "two independent runs"),
)


def frame(
    curves: Curves, entry: Figure, columns: Sequence[str], *, what: str = "", distances: str = ""
) -> tuple[Picture, Panels]:
    """Return a picture of a figure's title and circumstances, and its empty panels: a row per seed, a column per name.

    ``what`` is added to the title; ``distances`` says at which iterates distances were recorded.
    """
    rows = len(curves.seeds)
    wide = 3.1 * len(columns) if len(columns) > 1 else 6.4
    fig, axes = figure(rows, len(columns), width=wide, height=1.2 + max(1.5 * rows, 2.2), sharex=True, squeeze=False)
    number = entry.name.removeprefix("fig")
    title = f"Figure {number}: {entry.title}" if number != entry.name else entry.title
    width = int(wide * 13)
    heads = [title + what] if len(title + what) <= width else [*_wrapped(title, width), what.removeprefix(", ")]
    lines = [
        *heads,
        *_wrapped(circumstances(curves, entry).label(distances=distances), width),
    ]
    fig.suptitle("\n".join(lines), fontsize=9.5)
    for k, metric in enumerate(columns):
        axes[0][k].set_title(TITLES.get(metric, metric.replace("_", " ")))
        for row, seed in enumerate(curves.seeds):
            axes[row][k].locator_params(axis="x", nbins=5)
            if k == 0:
                axes[row][k].set_ylabel(f"seed {seed}")
    return fig, axes


def _label(orders: Sequence[str]) -> Callable[[str], str]:
    """Return how a legend reads curves: where steps are compared, each with its learning rate."""
    return curve_names.step_label_of if curve_names.compares_steps(orders) else curve_names.label_of


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(width, 40))


def _shown(curves: Curves, entry: Figure) -> tuple[list[str], list[str]]:
    orders = [name for name in entry.all_orders if name in curves.orders]
    metrics = [name for name in entry.metrics if name in curves.metrics]
    return orders, metrics


def _span(curves: Curves) -> tuple[float, float]:
    """Return the limits of an axis of iterates, which is that of the whole run, even if a curve ends earlier."""
    last = float(curves.iterates[-1])
    return -0.04 * last, 1.04 * last


def legend(fig: Picture, axis: Axes, columns: int) -> None:
    """Draw one legend below the panels, for the curves of all of them, in as many columns as fit."""
    names: dict[str, Artist] = {}
    for panel in (axis, *fig.axes):
        handles, labels = panel.get_legend_handles_labels()
        names |= {label: handle for label, handle in zip(labels, handles, strict=True) if label not in names}
    fits = max(1, int(fig.get_figwidth() * 14 / (8 + max(map(len, names), default=0))))
    columns = max(1, min(len(names), columns, fits))
    fig.legend(names.values(), names.keys(), loc="outside lower center", ncols=columns, handlelength=3.2)


def draw_figure(curves: Curves, entry: Figure, *, scale: str = "auto") -> Picture:
    """Draw the paper's layout: one row per seed, one column per metric, all orders and baselines in the same axes.

    ``scale``: ``linear``, ``log`` (losses only), or ``auto``.
    """
    orders, metrics = _shown(curves, entry)
    with style():
        fig, axes = frame(curves, entry, metrics)
        for k, metric in enumerate(metrics):
            log = logarithmic(curves, metric, orders, scale)
            for row, seed in enumerate(curves.seeds):
                draw_panel(axes[row][k], curves, metric, seed, orders, log=log, label=_label(orders))
            axes[-1][k].set_xlabel("n")
        axes[0][0].set_xlim(*_span(curves))  # all panels share it
        legend(fig, axes[0][0], 3 if len(metrics) > 1 else 2)
    return fig


def coincide(curves: Curves, entry: Figure) -> bool:
    """Whether the first curves of the two orders differ by at most 3 % of the panel's height on most of the last half.

    The height is that of all curves that are drawn, including baselines.
    """
    orders, metrics = _shown(curves, entry)
    if len([name for name in entry.orders if name in orders]) < 2 or curve_names.compares_steps(orders):
        return False
    near = []
    for seed in curves.seeds:
        paths = [curves.path(metrics[0], seed=seed, order=name) for name in orders]
        values = np.concatenate([v[np.isfinite(v)] for _, v in paths])
        common, a, b = np.intersect1d(paths[0][0], paths[1][0], return_indices=True)
        half = common >= common[-1] / 2
        gap = np.abs(paths[0][1][a] - paths[1][1][b])[half]
        near.append(np.median(gap) <= 0.03 * np.ptp(values) if np.isfinite(gap).all() else False)
    return sum(near) > len(near) / 2


def draw_residuals(curves: Curves, entry: Figure) -> Picture:
    """Draw the last steps of the orders after subtracting their common trend.

    The trend of a panel is one cubic polynomial, the least-squares fit to all its curves. The pictures show four times
    the window on which variability is judged, which begins at the dotted line. Baselines are left out.
    """
    _, metrics = _shown(curves, entry)
    orders = [name for name in entry.all_orders if name in curves.orders and not curve_names.parse(name).baseline]
    with style():
        fig, axes = frame(curves, entry, metrics, what=", less the orders' common trend")
        for k, metric in enumerate(metrics):
            for row, seed in enumerate(curves.seeds):
                axis = axes[row][k]
                paths = {name: curves.path(metric, seed=seed, order=name) for name in orders}
                last = max(n[-1] for n, _ in paths.values())
                shown = {name: (n > last - 4 * entry.window) & np.isfinite(v) for name, (n, v) in paths.items()}
                x = np.concatenate([n[shown[name]] for name, (n, _) in paths.items()])
                y = np.concatenate([v[shown[name]] for name, (_, v) in paths.items()])
                trend = np.polynomial.Polynomial.fit(x, y, min(3, len(np.unique(x)) - 1))
                for name, (n, v) in paths.items():
                    kept = shown[name]
                    look = curve_style(name, orders)
                    axis.plot(n[kept], v[kept] - trend(n[kept]), label=curve_names.label_of(name), **look)
                axis.axvline(last - entry.window, color=CLAIM, lw=0.6, ls=":")
            axes[-1][k].set_xlabel("n")
        legend(fig, axes[0][0], 3)
    return fig


def draw_cost(curves: Curves, entry: Figure, *, scale: str = "auto") -> Picture:
    """Draw the curves against their cost, the gradients of all recorded iterates so far, on a logarithmic axis."""
    orders, metrics = _shown(curves, entry)
    metrics = metrics[:2]
    with style():
        fig, axes = frame(curves, entry, metrics, what=", at its cost")
        costs = {name: curves.gradients(name, path=True) * curve_names.parse(name).price for name in orders}
        for k, metric in enumerate(metrics):
            log = logarithmic(curves, metric, orders, scale)
            for row, seed in enumerate(curves.seeds):
                draw_panel(axes[row][k], curves, metric, seed, orders, log=log, costs=costs, label=_label(orders))
            steps = curve_names.compares_steps(orders)
            axes[-1][k].set_xlabel("cost in plain steps" if steps else "gradients for all recorded\niterates so far")
        sparse_ticks(axes[-1][0].xaxis)  # which all panels share
        legend(fig, axes[0][0], 2)
    return fig


def has_distances(curves: Curves, entry: Figure) -> bool:
    """Return whether increments of one of the figure's compared orders were recorded, which `draw_settling` draws."""
    orders = [o for o in entry.orders[:2] if o in curves.orders and not curve_names.parse(o).baseline]
    if "parameter_increment" not in curves.metrics or curve_names.compares_steps(entry.orders):
        return False
    return any(len(curves.path("parameter_increment", seed=s, order=o)[0]) for s in curves.seeds for o in orders)


def draw_settling(curves: Curves, entry: Figure) -> Picture:
    """Draw the distances by which settling is judged, in parameters and in predictions.

    They are the distances of iterates n and n + 1, of iterate n and the last one, of two starts, and of two independent
    runs.

    Raises
    ------
    ValueError
        If no diagnostics were recorded.
    """
    orders = [name for name in entry.orders[:2] if name in curves.orders]
    spaces = [space for space in SPACES if f"{space[0]}_increment" in curves.metrics]
    if not spaces or not has_distances(curves, entry):
        raise ValueError(f"{entry.name}: no increments were recorded; run it with --diagnostics-every")
    increments = curves.recorded[f"{spaces[0][0]}_increment"]
    curves = curves.select(seeds=[seed for s, seed in enumerate(curves.seeds) if increments[s].any()])
    with style():
        n, _ = curves.path(f"{spaces[0][0]}_increment", seed=curves.seeds[0], order=orders[-1])
        last = f" at n ≤ {n[-1]:,}" if len(n) and n[-1] < curves.iterates[-1] else ""
        titles = [f"{title}\n({unit})" for _, title, unit in spaces]
        fig, axes = frame(curves, entry, titles, what=f", distances{last}", distances=recorded_grid(n))
        for k, (space, _, _) in enumerate(spaces):
            for row, seed in enumerate(curves.seeds):
                axis = axes[row][k]
                axis.set_yscale("log")
                for k_order, name in enumerate(orders):
                    for metric, dashes, text in DISTANCES:
                        look = curve_style(name, orders) | {"lw": 1.2, "ls": dashes[k_order], "ms": (9, 6)[k_order]}
                        _draw_distance(
                            axis, curves, f"{space}_{metric}", seed, name, look, f"{curve_names.label_of(name)}: {text}"
                        )
                for metric, color, dash, text in APART:  # their laws are those of every order
                    look = {"color": color, "ls": dash, "lw": 1.3, "zorder": 5}
                    if metric != "coupling" or not _far_above(axis, curves, space, seed, orders[-1]):
                        _draw_distance(axis, curves, f"{space}_{metric}", seed, orders[-1], look, text)
                sparse_ticks(axis.yaxis)
                name_diverged(axis, curves, seed, orders)
            axes[-1][k].set_xlabel("n")
        axes[0][0].set_xlim(*_span(curves))  # all panels share it
        legend(fig, axes[0][0], 2)
    return fig


def _far_above(axis: Axes, curves: Curves, space: str, seed: int, order: str) -> bool:
    """Whether two starts stay five times further apart than all else; a text in the panel then replaces their line."""
    if f"{space}_coupling" not in curves.metrics:
        return False
    _, apart = curves.path(f"{space}_coupling", seed=seed, order=order)
    drawn = np.concatenate([np.asarray(line.get_ydata(), float) for line in axis.get_lines()] or [np.empty(0)])
    if not (apart.size and drawn.size and np.isfinite(apart).all()) or apart.min() < 5 * np.nanmax(drawn):
        return False
    text = f"two independent starts: {apart.min():.3g} to {apart.max():.3g}"
    low, high = axis.get_ylim()
    axis.set_ylim(low, high * (high / low) ** 0.2)  # the words stand above all curves
    axis.text(0.98, 0.97, text, transform=axis.transAxes, fontsize=6.5, color="#777777", ha="right", va="top")
    return True


def _draw_distance(axis: Axes, curves: Curves, metric: str, seed: int, order: str, look: LineStyle, label: str) -> None:
    if metric in curves.metrics:
        n, values = curves.path(metric, seed=seed, order=order)
        finite = np.isfinite(values)
        shown = finite & (values > 0)  # the distance of iterate N to itself has no logarithm
        n, values = n[shown], values[shown]
        if not len(n):  # no curve, and no entry of the legend
            return
        few = finite.sum() < FEW or len(n) == 1
        if len(n) < 3:  # a line through one or two measurements would say nothing
            look = look | {"ls": "none"}
        axis.plot(n, values, label=label, marker=MARKS[metric.partition("_")[2]] if few else None, **look)
        if isinstance(look["ls"], tuple) and look["ls"][0] and not few:  # its dashes begin with a gap
            dot = {"ms": look["lw"], "mew": 0, "color": look["color"], "zorder": look["zorder"]}
            axis.plot(n[:1], values[:1], "o", **dot)


def draw_overview(results: Sequence[tuple[Curves, Figure]]) -> Picture:
    """Draw the first seed of each figure side by side, for the README's gallery; figures with equal curves count once.

    Raises
    ------
    ValueError
        If there is no result.
    """
    if not results:
        raise ValueError("an overview needs the results of at least one figure")
    seen: dict[tuple[str, tuple[str, ...]], tuple[Curves, Figure]] = {}
    for curves, entry in results:  # Figure 13 is all seeds of Figure 3: one panel for both
        seen.setdefault((entry.experiment, entry.orders), (curves, entry))
    results = list(seen.values())
    columns = min(3, len(results))
    rows = -(-len(results) // columns)
    with style():
        fig, axes = figure(rows, columns, width=3.2 * columns, height=0.5 + 2.3 * rows, squeeze=False)
        for axis in axes.flat[len(results) :]:
            axis.set_axis_off()
        names: dict[str, Artist] = {}
        drawn_in: dict[str, list[str]] = {}
        for axis, (curves, entry) in zip(axes.flat, results, strict=False):
            orders = [name for name in entry.orders if name in curves.orders]
            metric = [name for name in entry.metrics if name in curves.metrics][-1]
            seed = curves.seeds[0]
            log = logarithmic(curves, metric, orders, "auto")
            draw_panel(axis, curves, metric, seed, orders, log=log)
            about = circumstances(curves, entry)
            reduced = f"REDUCED: {'; '.join(about.reductions)}" if about.reductions else ""
            less = [reduced, *(text for text in about.changes if " = " in text), about.untrained.partition(":")[0]]
            number = entry.name.replace("fig", "Figure ")
            axis.set_title(
                "\n".join([*_wrapped(f"{number}: {entry.title}", 40), *_wrapped(". ".join(filter(None, less)), 46)]),
                fontsize=8,
            )
            axis.set(xlabel="n", ylabel=f"{metric.replace('_', ' ')}, seed {seed}")
            handles, labels = axis.get_legend_handles_labels()
            names |= dict(zip(labels, handles, strict=True))
            for label in labels:
                drawn_in.setdefault(label, []).append(number.removeprefix("Figure "))
        lines = [handle for handle in names.values() if isinstance(handle, Line2D)]
        looks = [(line.get_color(), line.get_linewidth()) for line in lines]
        labels = [  # the orders that are compared with forward are drawn alike: each says where it is
            label if looks.count(look) == 1 else f"{label} (Figure{'s' * (len(where) > 1)} {', '.join(where)})"
            for look, (label, where) in zip(looks, drawn_in.items(), strict=True)
        ]
        fits = max(1, int(fig.get_figwidth() * 14 / (8 + max(map(len, labels)))))
        fig.legend(names.values(), labels, loc="outside lower center", ncols=min(fits, len(names)))
    return fig
