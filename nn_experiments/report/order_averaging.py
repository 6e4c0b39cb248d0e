"""Figures 14 to 19 beyond the paper: what the step does along training, and a table of where curves end (no torch)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from contraction.plots.style import style
from nn_experiments.analysis.order_averaging import distance_to_mean_over_orders, ends, rate_and_parts
from nn_experiments.analysis.pairing import label_of
from nn_experiments.paper import curve_names
from nn_experiments.paper.catalogue import Figure
from nn_experiments.report.figures import frame, legend
from nn_experiments.report.panels import curve_style, sparse_ticks
from nn_experiments.results.curves import Curves

__all__ = ["draw_order_averaging", "ends_table", "has_order_averaging"]

_ENDS = ("train_loss", "test_loss", "train_accuracy", "test_accuracy")


def has_order_averaging(curves: Curves, entry: Figure) -> bool:
    """Return whether the figure compares the steps of appendix D and what `draw_order_averaging` draws was recorded."""
    return curve_names.compares_steps(entry.orders) and "orders_norm" in curves.metrics


def ends_table(curves: Curves, entry: Figure) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return heads and rows: for every curve its cost and the mean over seeds of its last losses and errors.

    With several seeds the standard deviation over them follows after ±.
    """
    names = [name for name in entry.all_orders if name in curves.orders]
    metrics = [metric for metric in _ENDS if metric in curves.metrics]
    by_metric = {metric: ends(curves, names, metric) for metric in metrics}
    rows = []
    for name in names:
        told = [_mean_and_deviation(by_metric[metric].values[name]) for metric in metrics]
        rows.append((curve_names.step_label_of(name), f"{curve_names.parse(name).price:g}", *told))
    return ("curve", "cost of a step", *(label_of(metric) for metric in metrics)), rows


def _mean_and_deviation(values: np.ndarray) -> str:
    if len(values) == 1:
        return f"{values[0]:.4f}"
    return f"{values.mean():.4f} ± {values.std(ddof=1):.4f}"


def draw_order_averaging(curves: Curves, entry: Figure) -> Picture:
    """Draw what the regulariser does along training, one row per seed.

    Columns: the norm of the batch's gradient; the alignment R of its parts' gradients; the distance of the step to the
    mean over all orders, over that of SGD at h (1: no nearer); the part of each regularised curve's advantage over
    ``large`` that SGD at h has by its learning rate alone (1: all of it); and the metric less that of SGD at h, for the
    curves that lie on each other in the figure itself.

    Raises
    ------
    ValueError
        If these were not recorded.
    """
    if not has_order_averaging(curves, entry):
        raise ValueError(f"{entry.name}: what the regulariser does along training was not recorded")
    names = [name for name in entry.all_orders if name in curves.orders]
    ours = [name for name in names if name.startswith("regularised")]
    (h, c), metric = rate_and_parts(curves), entry.metrics[0]
    columns = [
        "batch_gradient_norm",
        "alignment",
        "distance to the mean over orders / SGD's",
        "rate's part",
        "difference",
    ]
    with style():
        fig, axes = frame(curves, entry, columns, what=", along training")
        axes[0][0].set_title("norm of the batch's gradient")
        axes[0][1].set_title("alignment R of the parts")
        axes[0][2].set_title("distance to the mean over orders,\nover that of SGD at h")
        axes[0][3].set_title(f"part of the gain in {label_of(metric)}\nthat SGD at h has")
        axes[0][4].set_title(f"{label_of(metric)}\nless that of SGD at h")
        for row, seed in enumerate(curves.seeds):
            for k, what in enumerate(columns[:2]):
                for name in names:
                    n, value = curves.path(what, seed=seed, order=name)
                    axes[row][k].plot(n, value, label=curve_names.step_label_of(name), **curve_style(name, names))
            for name in ours:
                rule = curve_names.parse(name)
                assert isinstance(rule, curve_names.StepRule)
                n, ratio = distance_to_mean_over_orders(curves, _strength(rule, h, c), seed=seed, order=name)
                axes[row][2].plot(n, ratio, **curve_style(name, names))
                _draw_share(axes[row][3], curves, metric, seed, name, names)
            for name in ("small", *ours):
                _draw_difference(axes[row][4], curves, metric, seed, name, names)
            n, ratio = distance_to_mean_over_orders(curves, (h / c) ** 2 / 2, seed=seed, order=ours[0])
            axes[row][2].plot(
                n, ratio, color="#0072B2", lw=1.2, ls=(0, (7, 1.5)), label="λ = (h/c)²/2, the derived one"
            )
            axes[row][2].axhline(1, color="#999999", lw=0.6)
            axes[row][3].axhline(1, color="#999999", lw=0.6)
            axes[row][4].axhline(0, color="#999999", lw=0.6)
            axes[row][2].set_yscale("log")
            sparse_ticks(axes[row][2].yaxis)
        for axis in axes[-1]:
            axis.set_xlabel("n")
        legend(fig, axes[0][0], 3)
    return fig


def _strength(rule: curve_names.StepRule, h: float, c: int) -> float:
    """Return λ of a curve."""
    assert rule.multiple is not None  # it is a regularised one
    return rule.multiple * {"h": h**2, "hc": (h / c) ** 2, "derived": (h / c) ** 2 / 2}[rule.unit]


def _draw_share(axis: Axes, curves: Curves, metric: str, seed: int, name: str, names: Sequence[str]) -> None:
    """Draw (large − forward) / (large − name) from the fifth of training on, where the differences are not tiny."""
    paths = {one: dict(zip(*curves.path(metric, seed=seed, order=one), strict=True)) for one in names}
    if not {"large", "forward"} <= set(paths):
        return
    common = sorted(set(paths["large"]) & set(paths["forward"]) & set(paths[name]))
    common = [n for n in common if n >= common[-1] / 5]
    large, forward, ours = (np.array([paths[one][n] for n in common]) for one in ("large", "forward", name))
    gains = large != ours
    axis.plot(np.array(common)[gains], (large - forward)[gains] / (large - ours)[gains], **curve_style(name, names))


def _draw_difference(axis: Axes, curves: Curves, metric: str, seed: int, name: str, names: Sequence[str]) -> None:
    """Draw a curve less SGD at h, where both were recorded."""
    if not {"forward", name} <= set(names):
        return
    plain = dict(zip(*curves.path(metric, seed=seed, order="forward"), strict=True))
    path = dict(zip(*curves.path(metric, seed=seed, order=name), strict=True))
    common = sorted(set(plain) & set(path))
    axis.plot(common, [path[n] - plain[n] for n in common], **curve_style(name, names))
