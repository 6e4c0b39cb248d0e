"""The ``plot`` command: which curves are drawn, and what their pictures are called (matplotlib, no torch)."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from contraction.plots.style import save
from nn_experiments.paper import catalogue, curve_names
from nn_experiments.paper.catalogue import Figure
from nn_experiments.report.figures import draw_cost, draw_figure, draw_overview, draw_settling
from nn_experiments.results.at_hand import load_figure, results_at_hand
from nn_experiments.results.curves import DEFAULT_OUT

__all__ = ["main"]

#: Names of pictures stay below what file systems allow (255 bytes), with their ends.
LONGEST = 200


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m nn_experiments plot", description="Draw a figure.")
    parser.add_argument("figure", help="fig2 … fig19, digits, or overview (one seed of every figure at hand)")
    parser.add_argument(
        "--out",
        type=Path,
        default=DEFAULT_OUT,
        help=f"folder of runs or of records (default: {DEFAULT_OUT})",
    )
    parser.add_argument(
        "--identity", help="prefix of the run ID, needed if the folder holds several runs (default: the only one)"
    )
    parser.add_argument("--seeds", type=int, nargs="+", help="rows of the picture (default: the figure's)")
    parser.add_argument("--orders", nargs="+", help="curves (default: the figure's, with its baselines)")
    parser.add_argument(
        "--metrics",
        nargs="+",
        help="columns, such as newest_batch_loss, the paper's minibatch loss (default: the figure's)",
    )
    parser.add_argument(
        "--scale", choices=("auto", "linear", "log"), default="auto", help="scale of the losses' axes (default: auto)"
    )
    parser.add_argument("--pictures", type=Path, help="folder for PNG and SVG files (default: OUT/figures)")
    parser.add_argument(
        "--name",
        help="file name of the pictures (default: the figure's, with what differs from it)",
    )
    return parser


def main(words: Sequence[str]) -> int:
    """Draw what ``plot`` was asked for and print the files written; return the exit status."""
    args = _arguments().parse_args(words)
    folder = args.pictures or args.out / "figures"
    if args.name is not None and (not args.name or Path(args.name).name != args.name):
        raise ValueError(f"--name is a file name without a folder (--pictures), got {args.name!r}")
    if args.figure == "overview":
        given = [name for name in ("identity", "seeds", "orders", "metrics") if getattr(args, name) is not None]
        if given or args.scale != "auto":
            raise ValueError(f"overview draws every figure at hand as it is: it takes no --{(*given, 'scale')[0]}")
        first = {found.entry.name: (found.curves, found.entry) for found in reversed(results_at_hand([args.out]))}
        drawn = [("", draw_overview(list(reversed(first.values()))))]
        name = args.name or "overview"
    else:
        entry = own = catalogue.find(args.figure)
        if args.orders:
            names = [curve_names.parse(name).name for name in args.orders]
            compared = tuple(name for name in names if not curve_names.parse(name).baseline)
            baselines = tuple(name for name in names if name not in compared)
            entry = dataclasses.replace(entry, orders=compared, baselines=baselines)
        curves = load_figure(entry, args.out, identity=args.identity, seeds=args.seeds, orders=args.orders)
        if args.metrics:
            for name in args.metrics:
                if name not in curves.metrics:
                    raise ValueError(f"no metric {name!r} was recorded; there are {', '.join(sorted(curves.metrics))}")
            entry = dataclasses.replace(entry, metrics=tuple(args.metrics))
        name = args.name or _name(own, entry, seeds=args.seeds, scale=args.scale, identity=args.identity)
        drawn = [
            ("", draw_figure(curves, entry, scale=args.scale)),
            ("-cost", draw_cost(curves, entry, scale=args.scale)),
        ]
        if "parameter_increment" in curves.metrics and not any(curve_names.parse(o).rule for o in entry.orders):
            drawn.append(("-settling", draw_settling(curves, entry)))
    for end, fig in drawn:
        for path in save(fig, folder, f"{name}{end}"):
            print(path)
    return 0


def _name(own: Figure, drawn: Figure, *, seeds: Sequence[int] | None, scale: str, identity: str | None) -> str:
    """Return a name for pictures: the figure's, followed by each choice that is not the figure's own.

    Raises
    ------
    ValueError
        If that is too long for a file's name.
    """
    parts = [own.name]
    if drawn.all_orders != own.all_orders:
        parts += drawn.all_orders
    if seeds is not None and tuple(seeds) != own.seeds:
        parts.append("-".join(["seeds", *map(str, seeds)]))
    if drawn.metrics != own.metrics:
        parts += [metric.replace("_", "-") for metric in drawn.metrics]
    if scale != "auto":
        parts.append(scale)
    if identity:
        parts.append(identity)
    name = "_".join(parts)
    if len(name) > LONGEST:
        raise ValueError(f"so many choices make no file name: give one with --name ({name[:60]}…)")
    return name
