"""Increments drawn: how far runs under the same maps are apart, over the distance of two independent runs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D
from matplotlib.typing import LineStyleType

from contraction.plots.style import BACKWARD, CLAIM, FORWARD, OTHER, SHADE, figure, save, style
from nn_experiments.paper.catalogue import EXPERIMENTS
from nn_experiments.results.curves import DEFAULT_OUT
from nn_experiments.results.increments import Increments, load_increments, ratios, summary, tag_of

__all__ = ["draw_increments", "main"]

#: Colour, dashes and label of each start; runs that are further ahead are lighter.
_LOOKS: dict[str, tuple[str, LineStyleType, str]] = {
    "1 ahead": (BACKWARD, "-", "backward iterates n and n + 1"),
    "10 ahead": (BACKWARD, (0, (6, 1)), "n and n + 10"),
    "100 ahead": (BACKWARD, (0, (4, 2)), "n and n + 100"),
    "300 ahead": (BACKWARD, (0, (2, 2)), "n and n + 300"),
    "1000 ahead": (BACKWARD, (0, (1, 2)), "n and n + 1000"),
    "other start": (FORWARD, "-", "two starts, same batches"),
    "nudged": (OTHER, "-", "θ_0 and θ_0 nudged by a thousandth"),
}


def draw_increments(every: Sequence[Increments]) -> Picture:
    """Return a figure: a column for each experiment, parameters above, outputs below; medians and ranges over draws."""
    with style():
        fig, axes = figure(
            2, len(every), width=3.3 * len(every) + 0.6, height=5.6, squeeze=False, sharex="col", sharey="row"
        )
        handles: dict[str, Line2D] = {}
        for column, increments in enumerate(every):
            for row, space in enumerate(("parameter", "function")):
                axis = axes[row][column]
                n = increments.at[increments.at > 0]
                axis.axhline(1, color=CLAIM, linewidth=0.8)
                for start in increments.starts:
                    if start not in _LOOKS:
                        continue
                    colour, dashes, label = _LOOKS[start]
                    values = ratios(increments, space, start)
                    (line,) = axis.plot(n, np.median(values, 0), color=colour, linestyle=dashes, label=label)
                    handles.setdefault(label, line)
                    if start in ("1 ahead", "other start"):
                        axis.fill_between(n, values.min(0), values.max(0), color=colour, alpha=0.15, linewidth=0)
                axis.set_yscale("log")
                if row == 0:
                    axis.set_title(_title(increments))
                else:
                    axis.set_xlabel("n (maps applied)")
                if column == 0:
                    axis.set_ylabel(("parameters", "outputs on test data")[row])
        fig.supylabel("distance / that of two independent runs", fontsize=9)
        fig.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3)
        fig.text(0.005, 0.005, "median; bands: all draws", color=SHADE, fontsize=7)
        return fig


def _title(increments: Increments) -> str:
    """Return the experiment's name, or the model where it is another one than the experiment's, and the draws."""
    known = EXPERIMENTS.get(increments.experiment)
    name = increments.experiment
    if known is not None and increments.model != known.model:
        name = f"{increments.model}, {known.data}"
    return f"{name}, {len(increments.draws)} draw{'s' if len(increments.draws) != 1 else ''}"


def main(words: Sequence[str]) -> int:
    """Draw the increments of some files, or all those in a folder, and print what they say; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m nn_experiments plot increments", description="Draw what `increments` has measured."
    )
    parser.add_argument(
        "files",
        type=Path,
        nargs="*",
        metavar="FILE",
        help="files that increments has written; each becomes a column (default: every increments-*.npz in OUT)",
    )
    parser.add_argument(
        "--out", type=Path, default=DEFAULT_OUT, help=f"folder that increments wrote to (default: {DEFAULT_OUT})"
    )
    parser.add_argument("--pictures", type=Path, help="folder for PNG and SVG files (default: OUT/figures)")
    parser.add_argument("--name", default="increments", help="file name of the pictures (default: increments)")
    args = parser.parse_args(words)
    files = args.files or sorted(args.out.glob("increments-*.npz"))
    if not files:
        raise ValueError(
            f"{args.out} has no increments-*.npz: name files, or the folder that holds them with --out; "
            "`python -m nn_experiments increments FIGURE` measures them"
        )
    every = [load_increments(path) for path in files]
    for path, measured in zip(files, every, strict=True):
        print(path, *summary(measured, tag_of(path)), sep="\n")
    for path in save(draw_increments(every), args.pictures or args.out / "figures", args.name):
        print(path)
    return 0
