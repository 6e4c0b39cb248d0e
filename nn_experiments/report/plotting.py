"""The ``plot`` command: the choice of curves, and the file names of the pictures (matplotlib, no torch)."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure as Picture

from contraction.plots.style import save
from nn_experiments.paper import catalogue, curve_names
from nn_experiments.paper.catalogue import Figure
from nn_experiments.report.figures import (
    coincide,
    draw_cost,
    draw_figure,
    draw_overview,
    draw_residuals,
    draw_settling,
    has_distances,
)
from nn_experiments.report.order_averaging import draw_order_averaging, has_order_averaging
from nn_experiments.report.own import own_results, plot
from nn_experiments.report.studies import STUDY_TITLES, draw_study
from nn_experiments.results.curves import DEFAULT_OUT, Curves
from nn_experiments.results.figure_results import find_results, load_figure
from nn_experiments.results.run_folders import describe_runs, warn_of_unreadable_runs
from nn_experiments.results.studies import load_whole_study, study_path

__all__ = ["main"]

#: Names of pictures stay below what file systems allow (255 bytes), with their ends.
LONGEST = 200


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m nn_experiments plot", description="Draw a figure.")
    parser.add_argument(
        "figure",
        help=f"{catalogue.in_words(catalogue.FIGURES)}; a study, the name of a run of your own, overview (one seed per "
        "figure), or increments, which has options of its own (plot increments --help)",
    )
    parser.add_argument(
        "--out", type=Path, default=DEFAULT_OUT, help=f"folder of runs, or of records (default: {DEFAULT_OUT})"
    )
    parser.add_argument(
        "--run-id", help="prefix of the run ID (default: the only run, or the only one with the catalogue's settings)"
    )
    parser.add_argument("--tag", help="tag of a record of other settings (default: the catalogue's settings)")
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
        "--name", help="file name of the pictures (default: the figure's, with every choice that differs from it)"
    )
    return parser


def main(words: Sequence[str]) -> int:
    """Draw the pictures of the ``plot`` command and print the names of the files.

    Parameters
    ----------
    words : sequence of str
        The command line after ``plot``.

    Returns
    -------
    int
        The exit status, 0.

    Raises
    ------
    ValueError
        If an argument has no meaning.
    FileNotFoundError
        If there are no such results.
    """
    args = _arguments().parse_args(words)
    if args.name is not None and (not args.name or Path(args.name).name != args.name):
        raise ValueError(f"--name is a file name without a folder (--pictures), got {args.name!r}")
    if args.figure == "overview":
        name, pictures = _overview(args)
    elif own := _own_network(args):
        name, pictures = own
    else:
        name, pictures = (_study if args.figure in STUDY_TITLES else _figure)(args)
    for end, picture in pictures.items():
        for path in save(picture, args.pictures or args.out / "figures", f"{name}{end}"):
            print(path)
    return 0


def _study(args: argparse.Namespace) -> tuple[str, dict[str, Picture]]:
    """Return the name of a study's pictures, and ending -> picture, with the endings ``""``, ``-2``, ``-3`` etc."""
    _check_no_choices(args, "a study is drawn as it is")
    path = study_path(args.figure, args.out)
    study = load_whole_study(path)
    try:
        pictures = [picture for picture, _ in draw_study(study)]
    except KeyError as error:
        raise ValueError(f"{path} lacks {error.args[0]!r}, which its picture shows") from error
    if not pictures:
        raise ValueError(f"the study {args.figure} has a table and no picture; report shows it")
    return args.name or args.figure, {f"-{k}" if k > 1 else "": picture for k, picture in enumerate(pictures, start=1)}


def _overview(args: argparse.Namespace) -> tuple[str, dict[str, Picture]]:
    """Return the name of the overview and the picture: one seed of every figure, of its own settings if possible."""
    _check_no_choices(args, "overview draws every figure as it is")
    warn_of_unreadable_runs(args.out)
    first: dict[str, tuple[Curves, Figure]] = {}
    for result in find_results([args.out]):
        first.setdefault(result.entry.name, (result.curves, result.entry))
    return args.name or "overview", {"": draw_overview(list(first.values()))}


def _check_no_choices(args: argparse.Namespace, reason: str) -> None:
    """Raise ValueError with the reason if an option chooses a part of the results, or a scale."""
    options = ("run_id", "tag", "seeds", "orders", "metrics")
    given = [name for name in options if getattr(args, name) is not None]
    given += ["scale"] * (args.scale != "auto")
    if given:
        raise ValueError(f"{reason}: it takes no --{given[0].replace('_', '-')}")


def _own_network(args: argparse.Namespace) -> tuple[str, dict[str, Picture]] | None:
    """Return the picture of a run of a user's network, or None if there is no run of this name.

    Raises
    ------
    ValueError
        If the folder has several runs of this name, and the message lists their identities; or if the run has no such
        seed, curve or metric.
    """
    runs = own_results(args.out, args.figure)
    if args.run_id:
        runs = [curves for curves in runs if curves.experiment["identity"].startswith(args.run_id)]
    if len(runs) > 1:
        roots = [args.out / curves.experiment["identity"] for curves in runs]
        raise ValueError(
            f"{args.out} holds several runs named {args.figure}: choose one by --run-id\n{describe_runs(roots)}"
        )
    if not runs:
        if args.figure not in catalogue.FIGURES:
            warn_of_unreadable_runs(args.out)  # one of them may have the name
        return None
    if args.tag is not None:
        raise ValueError(f"{args.figure} is a run of your own, and a tag is that of a record: choose a run by --run-id")
    warn_of_unreadable_runs(args.out)
    try:
        chosen = runs[0].select(seeds=args.seeds, orders=args.orders)
        picture = plot(chosen, args.metrics, scale=args.scale)
    except KeyError as error:  # a seed, an order or a metric that the user named
        raise ValueError(f"{args.figure} in {args.out}: {error.args[0]}") from None
    name = args.name or _name(
        args.figure,
        orders=chosen.orders if args.orders else None,
        seeds=args.seeds,
        metrics=args.metrics,
        scale=args.scale,
        setting=args.run_id,
    )
    return name, {"": picture}


def _figure(args: argparse.Namespace) -> tuple[str, dict[str, Picture]]:
    """Return the name of a figure's pictures, and ending -> picture."""
    figure = catalogue.find(args.figure)
    drawn = _with_orders(figure, args.orders) if args.orders else figure
    curves = load_figure(drawn, args.out, run_id=args.run_id, tag=args.tag, seeds=args.seeds, orders=args.orders)
    if args.metrics:
        missing = [name for name in args.metrics if name not in curves.metrics]
        if missing:
            raise ValueError(f"no metric {missing[0]!r} was recorded; there are {', '.join(sorted(curves.metrics))}")
        drawn = dataclasses.replace(drawn, metrics=tuple(args.metrics))
    name = args.name or _name(
        figure.name,
        orders=drawn.all_orders if drawn.all_orders != figure.all_orders else None,
        seeds=args.seeds if args.seeds is not None and tuple(args.seeds) != figure.seeds else None,
        metrics=drawn.metrics if drawn.metrics != figure.metrics else None,
        scale=args.scale,
        setting=args.tag or args.run_id,
    )
    pictures = {
        "": draw_figure(curves, drawn, scale=args.scale),
        "-cost": draw_cost(curves, drawn, scale=args.scale),
    }
    if has_order_averaging(curves, drawn):
        pictures["-along"] = draw_order_averaging(curves, drawn)
    if has_distances(curves, drawn):
        pictures["-settling"] = draw_settling(curves, drawn)
    if coincide(curves, drawn):
        pictures["-residuals"] = draw_residuals(curves, drawn)
    return name, pictures


def _with_orders(figure: Figure, names: Sequence[str]) -> Figure:
    """Return the figure with other curves; averages and decaying learning rates are its baselines."""
    curves = [curve_names.parse(name) for name in names]
    compared = tuple(curve.name for curve in curves if not curve.baseline)
    baselines = tuple(curve.name for curve in curves if curve.baseline)
    if not compared:  # baselines alone are drawn as they are
        compared, baselines = baselines, ()
    return dataclasses.replace(figure, orders=compared, baselines=baselines)


def _name(
    figure: str,
    *,
    orders: Sequence[str] | None,
    seeds: Sequence[int] | None,
    metrics: Sequence[str] | None,
    scale: str,
    setting: str | None,
) -> str:
    """Return a name for pictures: the figure's, followed by each choice (None: the figure's own).

    Raises
    ------
    ValueError
        If that is too long for a file's name.
    """
    parts = [figure, *(orders or ())]
    if seeds is not None:
        parts.append("-".join(["seeds", *map(str, seeds)]))
    parts += [metric.replace("_", "-") for metric in metrics or ()]
    if scale != "auto":
        parts.append(scale)
    if setting:
        parts.append(setting)
    name = "_".join(parts)
    if len(name) > LONGEST:
        raise ValueError(f"so many choices make the file name too long: give one with --name ({name[:60]}…)")
    return name
