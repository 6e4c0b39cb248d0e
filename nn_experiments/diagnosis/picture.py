"""One page of plots of a diagnosis (matplotlib)."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from contraction.files import check_writable_folder, write_atomically
from contraction.plots.style import BACKWARD, CLAIM, FORWARD, OTHER, SHADE, figure, positive, style
from nn_experiments.diagnosis.intervals import median_interval
from nn_experiments.diagnosis.measured import AHEAD, INDEPENDENT, NEAR, NEXT, START, Measured
from nn_experiments.diagnosis.rules import CONFIDENCE, Judgement

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw"]

#: Formats that matplotlib writes here.
ENDINGS = (".png", ".svg", ".pdf")


def draw(name: str, judgement: Judgement, advice: tuple[str, ...], measured: Measured, path: Path) -> Path:
    """Draw a diagnosis into a file and return its path.

    Raises
    ------
    ValueError
        If the file's name does not end in .png, .svg or .pdf.
    """
    if path.suffix.lower() not in ENDINGS:
        raise ValueError(f"a picture's name ends in {', '.join(ENDINGS)}, got {path.name!r}")
    check_writable_folder(path.parent)
    with style():
        fig, axes = figure(2, 2, width=9.0, height=7.6)
        reason = textwrap.fill(f"{judgement.reason[0].upper()}{judgement.reason[1:]}.", 118)
        fig.suptitle(f"{name}: {judgement.verdict}\n{reason}", fontsize=10)
        for axis, space in zip(axes[0], ("parameters", "predictions"), strict=True):
            _draw_ratios(axis, measured, space)
        _draw_distances(axes[1][0], measured)
        _draw_exponents(axes[1][1], measured, judgement)
        units = (
            "Unit: the distance of two runs from the same start under independent batches. "
            f"{measured.replicates} replicates; bands and bars: {CONFIDENCE:.0%} intervals."
        )
        below = "\n".join([units, *(textwrap.fill(text, 132) for text in advice)])
        fig.supxlabel(below, fontsize=8, x=0.01, ha="left")
        return write_atomically(path, lambda temporary: fig.savefig(temporary, format=path.suffix[1:].lower()))


def _draw_ratios(axis: Axes, measured: Measured, space: str) -> None:
    """Draw distances in units against n, medians with bands."""
    n = measured.n[1:]
    curves = [
        (AHEAD, f"iterates n and n + {measured.lag:,}", BACKWARD, "-"),
        (NEXT, "iterates n and n + 1", OTHER, "--"),
    ]
    if np.isfinite(measured.parameter[:, 0, START]).all():
        curves.append((START, "two starts, iterate n", FORWARD, "-."))
    smallest = np.inf
    for column, label, colour, dashes in curves:
        ratio = measured.ratio(space, column)[:, 1:]
        if not np.isfinite(ratio).any():
            continue
        middle, low, high = median_interval(ratio, CONFIDENCE)
        axis.plot(n, positive(middle), color=colour, ls=dashes, label=label)
        lower = np.where(low > 0, low, middle / 1e3)
        shown = (middle > 0) & np.isfinite(high)
        axis.fill_between(
            n, lower, np.where(np.isfinite(high), high, middle), where=shown, color=colour, alpha=0.2, lw=0
        )
        smallest = min(smallest, float(np.nanmin(np.where(middle > 0, middle, np.nan), initial=np.inf)))
    axis.axhline(1, color=SHADE, lw=0.9, ls=":")
    axis.axhline(measured.eps, color=CLAIM, lw=0.9, ls="--")
    axis.text(n[0], measured.eps / 1.15, f"settled below eps = {measured.eps:g}", fontsize=7.5, va="top")
    axis.set(
        xscale="log",
        yscale="log",
        xlabel="n",
        title=f"Distance of backward iterates, {space}",
        ylabel="distance, in units",
    )
    top = axis.get_ylim()[1]
    bottom = min(max(smallest / 2, 1e-9) if np.isfinite(smallest) else 1e-3, measured.eps / 4)
    axis.set_ylim(bottom, max(top, 2) * (max(top, 2) / bottom) ** 0.3)  # room for the legend
    axis.legend(loc="upper right")


def _draw_distances(axis: Axes, measured: Measured) -> None:
    """Draw the distances in the parameters of all replicates, without units."""
    n = measured.n
    for column, label, colour, width in (
        (INDEPENDENT, "two independent runs", FORWARD, 0.8),
        (AHEAD, f"same batches, {measured.lag:,} steps ahead", BACKWARD, 0.8),
    ):
        for r, row in enumerate(measured.parameter[..., column]):
            axis.plot(n, positive(row), color=colour, lw=width, alpha=0.6, label=label if r == 0 else None)
    axis.set(yscale="log", xlabel="n", ylabel="distance in the parameters", title="Every replicate, without units")
    axis.legend(loc="best")


def _draw_exponents(axis: Axes, measured: Measured, judgement: Judgement) -> None:
    """Draw the exponents of all replicates with the intervals of their means."""
    rows = [
        ("derivative", measured.derivative, judgement.derivative, BACKWARD),
        (f"pairs\n{NEAR * measured.eps:g}\nunits\napart", measured.pairs, judgement.pairs, FORWARD),
    ]
    shown = [
        (name, values, interval, colour)
        for name, values, interval, colour in rows
        if interval is not None and len(values)
    ]
    for k, (_, values, interval, colour) in enumerate(shown):
        spread = np.linspace(-0.18, 0.18, len(values)) if len(values) > 1 else np.zeros(1)
        axis.plot(values, k + spread, "o", color=colour, ms=3.5, alpha=0.5, mew=0)
        axis.plot(interval[1:], [k, k], color=CLAIM, lw=2.2)
        axis.plot(interval[0], k, "|", color=CLAIM, ms=14, mew=2)
    axis.axvline(0, color=SHADE, lw=0.9)
    axis.set_yticks(range(len(shown)), [row[0] for row in shown])
    axis.set_ylim(-0.8, len(shown) - 0.4 if shown else 0.6)
    axis.set(
        xlabel="growth of a small difference per step (exponent)", title="Do close runs come together (left of 0)?"
    )
    examined, hit, largest = judgement.jumps
    text = f"jumps between the two states of a pair: in {hit} of {examined} maps"
    text += f",\nthe largest {largest:.2g} of their distance" if hit else ""
    if not shown:
        text = "not measured"
    axis.text(0.5, 0.02, text, transform=axis.transAxes, fontsize=7.5, ha="center", va="bottom")
    axis.locator_params(axis="x", nbins=5)
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:.2g}")  # no common factor beside the axis
