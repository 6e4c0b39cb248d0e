"""Pictures and a section of the report for runs of a user's own network (matplotlib, no torch)."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure as Picture

from contraction.plots.style import figure, style
from contraction.report.html import Section, figure_html, table_html
from nn_experiments.analysis.run_summary import recorded_grid
from nn_experiments.paper import curve_names
from nn_experiments.report.panels import draw_panel, logarithmic
from nn_experiments.results.curves import Curves
from nn_experiments.results.load import load
from nn_experiments.results.run_folders import settings_of_runs

__all__ = ["own_results", "own_section", "plot"]


def own_results(
    folder: Path, name: str | None = None, *, unreadable: dict[Path, Exception] | None = None
) -> list[Curves]:
    """Return the runs of users' networks in a folder that have a finished block, or those of one name.

    Runs whose settings cannot be read are left out. With ``unreadable`` those with a broken block are left out as well,
    and added there with the reasons.

    Raises
    ------
    ValueError
        If a block is broken and ``unreadable`` is not given.
    OSError
        As for ValueError.
    """
    runs = []
    for root, settings in settings_of_runs(folder).items():
        called = settings.get("experiment", {}).get("name")
        wanted = settings.get("own") and (isinstance(called, str) if name is None else called == name)
        if wanted and any(root.glob("*/*/*.npz")):
            try:
                runs.append(load(root))
            except (ValueError, OSError) as error:
                if unreadable is None:
                    raise
                unreadable[root] = error
    return runs


def _label(curves: Curves) -> str:
    """Return one line that describes the run."""
    about, n = curves.experiment.get("experiment", {}), curves.iterates
    seeds = f"{len(curves.seeds)} seed{'s' if len(curves.seeds) > 1 else ''}"
    parts = [f"N = {n[-1]:,}, {recorded_grid(n)} recorded, {seeds}"]
    if about.get("parameters"):
        parts.append(f"{about['parameters']:,} parameters")
    if about.get("batch_size"):
        parts.append(f"batch {about['batch_size']}")
    return ", ".join(parts)


def plot(curves: Curves, metrics: str | Sequence[str] | None = None, *, scale: str = "auto") -> Picture:
    """Return a figure of a run: one row per seed, one column per metric, all curves in the same axes.

    Parameters
    ----------
    curves
        From `nn_experiments.run` or `nn_experiments.load`.
    metrics
        A name, or several (default: all but the decisions of policies).
    scale
        ``linear``, ``log`` (not for accuracies), or ``auto``.

    Raises
    ------
    TypeError
        If ``curves`` is not a `Curves`.
    ValueError
        If nothing was recorded.
    KeyError
        If a metric was not measured.

    Examples
    --------
    >>> import numpy as np
    >>> import nn_experiments as nne
    >>> losses = np.array([[[1.0, 0.5, 0.25], [1.0, 0.4, 0.3]]])  # one seed, two orders, three iterates
    >>> recorded = np.ones(losses.shape, bool)
    >>> curves = nne.Curves((0,), ("forward", "backward"), np.arange(3), {"loss": losses}, {"loss": recorded}, {})
    >>> figure = nne.plot(curves, "loss", scale="log")
    >>> figure.axes[0].get_yscale()
    'log'
    >>> figure.savefig("loss.png")  # doctest: +SKIP
    """
    if not isinstance(curves, Curves):
        raise TypeError(f"curves must be what nn_experiments.run or load returns, got {type(curves).__name__}")
    if isinstance(metrics, str):
        metrics = [metrics]
    decided = [curve for name in curves.orders if isinstance(curve := curve_names.parse(name), curve_names.Decided)]
    decisions = {curve.policy.records for curve in decided}
    names = [name for name in sorted(curves.metrics) if name not in decisions] if metrics is None else list(metrics)
    if not names or not len(curves.iterates):
        raise ValueError("there is nothing to draw: no metric has been recorded yet")
    rows, wide = len(curves.seeds), max(3.1 * len(names), 6.4)
    with style():
        fig, axes = figure(rows, len(names), width=wide, height=1.4 + max(1.6 * rows, 2.2), sharex=True, squeeze=False)
        fig.suptitle(f"{curves.experiment.get('experiment', {}).get('name', '')}: {_label(curves)}", fontsize=9.5)
        for k, metric in enumerate(names):
            log = logarithmic(curves, metric, curves.orders, scale)
            axes[0][k].set_title(metric.replace("_", " "))
            axes[-1][k].set_xlabel("n: number of maps in iterate n")
            for row, seed in enumerate(curves.seeds):
                draw_panel(axes[row][k], curves, metric, seed, curves.orders, log=log)
                if k == 0:
                    axes[row][k].set_ylabel(f"seed {seed}")
        handles, labels = axes[0][0].get_legend_handles_labels()
        fig.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 2), handlelength=3.2)
    return fig


def _last_values(curves: Curves) -> list[tuple[str, ...]]:
    """Return one row per curve: its last iterate, the gradients that it costs, and all metrics by seed."""
    rows = []
    for order in curves.orders:
        cells, last = [], 0
        for metric in sorted(curves.metrics):
            ends = []
            for seed in curves.seeds:
                n, values = curves.path(metric, seed=seed, order=order)
                if len(n):
                    ends.append(f"{values[-1]:.4g}")
                    last = max(last, int(n[-1]))
            cells.append(", ".join(ends) or "–")
        cost = curves.gradients(order)[np.searchsorted(curves.iterates, last)]
        rows.append((curve_names.label_of(order), f"{last:,}", f"{cost:,}", *cells))
    return rows


def own_section(curves: Curves, folder: Path) -> Section:
    """Return the section of the report on a run of a user's own network."""
    about = curves.experiment["experiment"]
    name = str(about["name"])
    body = f"<p>{html.escape(_label(curves))}. From the folder {html.escape(str(folder))}.</p>"
    diverged = [
        f"seed {seed}, {order}, from n = {n}"
        for seed in curves.seeds
        for order in curves.orders
        if (n := curves.diverged(seed=seed, order=order)) is not None
    ]
    if diverged:
        body += f"<p><strong>Diverged:</strong> {html.escape('; '.join(diverged))}.</p>"
    body += figure_html(plot(curves), f"{name}: every curve, one row per seed.")
    header = ("curve", "last iterate", "gradients that it costs", *(f"{m}, per seed" for m in sorted(curves.metrics)))
    body += table_html(header, _last_values(curves))
    settings = list({**about, **curves.experiment["decides"]}.items())
    makers = [(", ".join(f"{key}: {value}" for key, value in maker.items()),) for maker in curves.provenance]
    body += "<details><summary>Settings, and what made these numbers</summary>"
    body += table_html(("setting", "value"), settings) + table_html(("made by",), makers) + "</details>"
    return Section(f"own-{curves.experiment['identity']}", name, body)
