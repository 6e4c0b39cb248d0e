"""The command line ``python -m nn_experiments``; only the commands that train import torch."""

from __future__ import annotations

import argparse
import functools
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from contraction.command_line import DONE, INTERRUPTED, UNFINISHED, run_command
from contraction.files import check_writable_folder
from nn_experiments.paper import catalogue, curve_names
from nn_experiments.paper.curve_kinds import KINDS
from nn_experiments.paper.experiment import changes_of
from nn_experiments.results.curves import DEFAULT_OUT
from nn_experiments.training.choices import DTYPES

__all__ = ["main"]

#: Command -> the module that parses its arguments; those of plots import matplotlib.
OWN_ARGUMENTS = {
    "diagnose": "nn_experiments.runs.diagnose",
    "order-test": "nn_experiments.orders.command",
    "plot": "nn_experiments.report.plotting",
    "report": "nn_experiments.report.page",
}
#: All figures, for help texts.
ALL = catalogue.in_words(catalogue.FIGURES)
#: What `argparse.ArgumentParser.add_subparsers` returns.
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _command(commands: Commands, name: str, summary: str) -> argparse.ArgumentParser:
    """Add a command and return its parser; ``summary`` is its line in the list of commands and its own description."""
    return commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m nn_experiments",
        description="Reproduce the paper's network experiments: list, run, resume, plot and report.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    listing = _command(commands, "list", "list all figures with their settings and cost, or show one figure in detail")
    listing.add_argument("figure", nargs="?", help=f"{ALL} (default: all)")
    listing.add_argument("--out", type=Path, help="list the runs in this folder instead, with their dates and run IDs")

    _run_arguments(_command(commands, "run", "compute what a figure still lacks; a stopped run resumes"))
    _increments_arguments(
        _command(commands, "increments", "estimate, from forward runs, how far apart backward iterates n and n + k are")
    )

    _study_arguments(_command(commands, "study", "run a study of small networks; a stopped study resumes"))

    commands.add_parser("diagnose", help="say whether backward iterates of an experiment settle", add_help=False)
    commands.add_parser("order-test", help="tell which law the order of recorded indices has", add_help=False)
    commands.add_parser("plot", help="draw a figure", add_help=False)
    commands.add_parser("report", help="write one HTML page with all results", add_help=False)

    record = _command(commands, "record", "pack the results of a figure's experiment into one file")
    record.add_argument("figure", help=ALL)
    record.add_argument("--out", type=Path, default=DEFAULT_OUT, help=f"folder of the runs (default: {DEFAULT_OUT})")
    record.add_argument("--results", type=Path, default=Path("results"), help="folder of records (default: results)")
    record.add_argument(
        "--run-id", help="prefix of the run ID (default: the only run, or the only one with the catalogue's settings)"
    )
    record.add_argument(
        "--tag", help="write EXPERIMENT--TAG.npz, for other settings than the catalogue's (default: EXPERIMENT.npz)"
    )
    written = record.add_mutually_exclusive_group()
    written.add_argument(
        "--add", action="store_true", help="add to what the existing file has; values that both have stay as they are"
    )
    written.add_argument(
        "--replace", action="store_true", help="overwrite the existing file even if recorded data would be lost"
    )

    merge = _command(commands, "merge", "combine the results of several machines in one folder")
    merge.add_argument(
        "sources", type=Path, nargs="+", help="folders of runs; all are checked before anything is copied"
    )
    merge.add_argument(
        "--out", type=Path, default=DEFAULT_OUT, help=f"folder of runs to copy into (default: {DEFAULT_OUT})"
    )

    _subset_arguments(_command(commands, "data", "load a data set and describe it, or export the part that runs need"))
    return parser


def _run_arguments(run: argparse.ArgumentParser) -> None:
    run.add_argument("figure", help=f"{ALL} (see list)")
    run.add_argument("--seeds", type=int, nargs="+", help="seeds of the runs (default: the figure's)")
    run.add_argument(
        "--reduced",
        action="store_true",
        help="run a smaller form that a laptop can compute; plots say so (fig2, fig8, fig9, fig12)",
    )
    forms = ", ".join(kind.form for kind in KINDS.values())
    run.add_argument(
        "--orders", nargs="+", help=f"names of the forms {forms} (default: the figure's, with its baselines)"
    )
    run.add_argument("--no-baselines", action="store_true", help="leave out polyak, ema and decayed")
    run.add_argument("--steps", type=int, help="number of steps of each curve (default: the figure's)")
    run.add_argument("--every", type=int, help="record every EVERY-th iterate (default: the figure's)")
    run.add_argument(
        "--diagnostics-every",
        type=int,
        metavar="N",
        help="measure increments and couplings at every N-th iterate; 0 for none (default: the figure's)",
    )
    run.add_argument(
        "--device", default="auto", help="cpu, cuda, cuda:1, or auto for a GPU if there is one (default: auto)"
    )
    run.add_argument("--dtype", choices=DTYPES, help="type of parameters and inputs (default: the experiment's)")
    run.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="change a setting of the experiment; list FIGURE shows them (default: no change)",
    )
    run.add_argument(
        "--engine",
        default="auto",
        choices=("auto", "step", "mlp", "compiled", "channels_last", "ensemble"),
        help="how steps are computed; auto uses the fastest engine that can run the step (default: auto)",
    )
    run.add_argument(
        "--chunk",
        type=int,
        help="number of chains that the ensemble engine runs together (default: what fits a GPU; all on a CPU)",
    )
    run.add_argument(
        "--workers",
        type=int,
        help="number of worker processes; 0 for this process (default: one per core; 0 for short runs and on a GPU)",
    )
    run.add_argument(
        "--dask", metavar="ADDRESS", help="address of a dask.distributed scheduler (default: this machine only)"
    )
    run.add_argument(
        "--time-limit",
        type=float,
        metavar="MINUTES",
        help="do not start new blocks after this many minutes (default: no limit)",
    )
    run.add_argument(
        "--block-seconds",
        type=float,
        default=15.0,
        metavar="SECONDS",
        help="an interrupted worker loses about this much work, or, on a GPU, with Dask and for baselines, the block "
        "that it was computing (default: 15)",
    )
    run.add_argument("--out", type=Path, default=DEFAULT_OUT, help=f"folder of the runs (default: {DEFAULT_OUT})")
    run.add_argument("--dry-run", action="store_true", help="print what would be done and how long it would take")
    _data_arguments(run)


def _increments_arguments(increments: argparse.ArgumentParser) -> None:
    orders = catalogue.in_words(catalogue.COMPARE_ORDERS)
    increments.add_argument("figure", help=f"the figure whose experiment is trained: {orders} (see list)")
    increments.add_argument(
        "--draws", type=int, default=8, help="number of draws, the seeds 0 … DRAWS - 1 (default: 8)"
    )
    increments.add_argument("--steps", type=int, help="the last n (default: the figure's)")
    increments.add_argument("--every", type=int, default=50, help="measure at every EVERY-th step (default: 50)")
    increments.add_argument(
        "--ahead",
        type=int,
        nargs="+",
        default=[1, 10, 100, 300, 1000],
        metavar="K",
        help="the values of k (default: 1 10 100 300 1000)",
    )
    increments.add_argument("--device", default="auto", help="as in run (default: auto)")
    increments.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", help="as in run (default: no change)"
    )
    increments.add_argument(
        "--tag",
        help="write increments-EXPERIMENT--TAG.npz, for other settings than the catalogue's "
        "(default: increments-EXPERIMENT.npz)",
    )
    increments.add_argument("--out", type=Path, default=DEFAULT_OUT, help=f"folder of runs (default: {DEFAULT_OUT})")
    _data_arguments(increments)


def _study_arguments(study: argparse.ArgumentParser) -> None:
    study.add_argument("name", nargs="?", help="name of a study (default: list the studies)")
    study.add_argument("--seeds", type=int, help="number of seeds or replicates (default: the study's)")
    study.add_argument("--out", type=Path, default=DEFAULT_OUT, help=f"folder of runs (default: {DEFAULT_OUT})")
    study.add_argument("--data-dir", help="folder with Fashion-MNIST's files (default: as in run)")


def _subset_arguments(data: argparse.ArgumentParser) -> None:
    data.add_argument("name", nargs="?", help="digits, fashion_mnist, cifar10, cifar100, square, cosine or cube")
    subset = data.add_argument_group("data subset", "write only the images that these runs read")
    subset.add_argument("--for", dest="figures", nargs="+", metavar="FIGURE", help="the figures that will be run")
    subset.add_argument("--reduced", action="store_true", help="for the figures' reduced forms")
    subset.add_argument("--into", type=Path, metavar="DIR", help="output folder; an existing subset is extended")
    subset.add_argument("--seeds", type=int, nargs="+", help="seeds of the runs (default: the figures')")
    subset.add_argument("--steps", type=int, help="last iterate of the runs (default: the figures')")
    subset.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", help="as in run (default: no change)"
    )
    subset.add_argument(
        "--no-diagnostics", action="store_true", help="for runs with --diagnostics-every 0, which need fewer images"
    )
    _data_arguments(data)


def _data_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data-dir", help="folder with data files (default: the environment variable TRAINING_IN_REVERSE_DATA)"
    )
    parser.add_argument("--any-data", action="store_true", help="accept files that are not the official data")


def _list(args: argparse.Namespace) -> int:
    from nn_experiments.paper.cost import figure_rows, settings_lines
    from nn_experiments.results.run_folders import run_rows

    if args.out and args.figure:
        raise ValueError("list takes either a figure or --out")
    if args.out:
        print(*run_rows(args.out), sep="\n")
        return DONE
    for row in settings_lines(catalogue.find(args.figure)) if args.figure else figure_rows():
        print(row)
    return DONE


def _data(args: argparse.Namespace) -> int:
    from nn_experiments.datasets import load_dataset
    from nn_experiments.datasets.subset import DataSubset

    exporting = args.into or args.reduced or args.seeds or args.steps is not None or args.set or args.no_diagnostics
    if bool(args.name) == bool(args.figures) or bool(exporting) != bool(args.figures) or (exporting and not args.into):
        raise ValueError("data takes either the name of a data set, or --for FIGURE … --into DIR (with --seeds, …)")
    if args.figures:
        return _export(args)
    data = load_dataset(args.name, data_dir=args.data_dir, official=not args.any_data)
    print(
        f"{data.name}: {len(data.train_inputs)} training and {len(data.test_inputs)} test items of shape "
        f"{data.shape}, {data.classes or 'no'} classes, fingerprint {data.fingerprint}"
    )
    if isinstance(data, DataSubset):
        held = data.held
        runs = "; ".join(data.purposes)
        print(f"  a subset: only {held[0]} training and {held[1]} test items are in this folder, for {runs}")
    return DONE


def _export(args: argparse.Namespace) -> int:
    from nn_experiments.runs.data_subset import export_subsets

    written = export_subsets(
        args.figures,
        args.into,
        seeds=args.seeds,
        steps=args.steps,
        changes=changes_of(args.set),
        diagnostics=not args.no_diagnostics,
        reduced=args.reduced,
        data_dir=args.data_dir,
        official=not args.any_data,
    )
    for path, data in written:
        print(
            f"{path}: {data.held[0]} of {len(data.train_inputs)} training and {data.held[1]} of "
            f"{len(data.test_inputs)} test images of {data.name}, {path.stat().st_size / 1e6:.1f} MB, for "
            f"{'; '.join(data.purposes)}"
        )
    print(f"run these with --data-dir {args.into}")
    return DONE


def _merge(args: argparse.Namespace) -> int:
    from nn_experiments.results.merge import merge

    for source, merged in zip(args.sources, merge(args.sources, args.out), strict=True):
        print(f"{source}: {merged}")
    return DONE


def _record(args: argparse.Namespace) -> int:
    from nn_experiments.results.load import load
    from nn_experiments.results.records import (
        check_beside_runs,
        check_keeps,
        check_tag,
        joined,
        load_record,
        record_path,
    )

    figure = catalogue.find(args.figure)
    path = record_path(figure.experiment, args.results, args.tag)
    check_beside_runs(path, figure.experiment)
    curves = load(figure.experiment, out=args.out, run_id=args.run_id)
    if args.tag is None:
        check_tag(path, curves, args.out)
    if args.add and path.exists():
        curves, differing = joined(load_record(path), curves)
        if differing:
            print(f"{differing} values differ from those of {path}, which were kept")
    if not args.replace:
        check_keeps(path, curves)
    curves.save(path)
    print(f"{path}: seeds {curves.seeds}, orders {', '.join(curves.orders)}, {path.stat().st_size / 1e6:.2f} MB")
    return DONE


def _progress(draw: int, n: int | None, steps: object) -> str:
    return f"draw {draw}: measured before" if n is None else f"draw {draw}: n = {n} of {steps}"


def _increments(args: argparse.Namespace) -> int:
    from nn_experiments.results.increments import summary
    from nn_experiments.results.records import record_path
    from nn_experiments.runs.increments import check_replaceable, increments_by_draw, measure_increments
    from nn_experiments.runs.run import Options, device_of

    figure = catalogue.find(args.figure)
    experiment = catalogue.EXPERIMENTS[figure.experiment].override(changes_of(args.set))
    path = record_path(f"increments-{figure.experiment}", args.out, args.tag)
    device, seeds = device_of(Options(out=args.out, device=args.device)), range(args.draws)
    settings = {"steps": figure.steps if args.steps is None else args.steps, "every": args.every, "ahead": args.ahead}
    check_replaceable(path, experiment, seeds, **settings)
    check_writable_folder(path.parent)  # before the work is done
    settings |= {"data_dir": args.data_dir, "official": not args.any_data}
    if device == "cpu":
        parts = path.with_suffix(".parts")
        increments = increments_by_draw(
            experiment,
            seeds,
            parts,
            **settings,
            report=lambda draw, n: print(_progress(draw, n, settings["steps"]), file=sys.stderr),
        )
    else:
        try:
            increments = measure_increments(
                experiment, seeds, **settings, device=device, report=lambda n: print(f"n = {n}", file=sys.stderr)
            )
        except KeyboardInterrupt:
            print("interrupted; a GPU runs all draws at once, and nothing of them is kept", file=sys.stderr)
            return INTERRUPTED
    increments.save(path)
    print(*summary(increments, args.tag), path, sep="\n")
    return DONE


def _study(args: argparse.Namespace) -> int:
    from nn_experiments.results.studies import load_study
    from nn_experiments.studies.run import STUDIES, run_study

    if args.name is None:
        for name, (what, _) in STUDIES.items():
            print(f"{name}: {what}")
        return DONE
    say = functools.partial(print, file=sys.stderr)
    path = run_study(args.name, args.out, seeds=args.seeds, data_dir=args.data_dir, report=say)
    if seconds := load_study(path).about["processor_seconds"]:
        say(f"{args.name} took {seconds / 60:.1f} minutes of processor time in all")
    print(path)
    return DONE


def _run(args: argparse.Namespace) -> int:
    figure = catalogue.find(args.figure)
    changes: dict[str, str] = {}
    if args.reduced:
        figure, changes = figure.smaller()
    given = changes_of(args.set)
    if args.dtype and given.setdefault("dtype", args.dtype) != args.dtype:
        raise ValueError(f"--dtype {args.dtype} contradicts --set dtype={given['dtype']}")
    changes |= given
    experiment = catalogue.EXPERIMENTS[figure.experiment].override(changes)
    from nn_experiments.runs import run
    from nn_experiments.runs.progress import show
    from nn_experiments.runs.request import Request

    orders = args.orders
    if orders is None and args.no_baselines:
        orders = figure.orders
    elif args.no_baselines and (averages := [name for name in orders or () if curve_names.parse(name).baseline]):
        raise ValueError(f"--no-baselines leaves out what --orders asks for: {', '.join(averages)}")
    request = Request.of(
        figure,
        experiment,
        seeds=args.seeds,
        orders=orders,
        steps=args.steps,
        every=args.every,
        diagnostics_every=args.diagnostics_every,
    )
    options = run.Options(
        out=args.out,
        workers=args.workers,
        engine=args.engine,
        device=args.device,
        chunk=args.chunk,
        data_dir=args.data_dir,
        official=not args.any_data,
        time_limit=None if args.time_limit is None else 60 * args.time_limit,
        dask=args.dask,
        block_seconds=args.block_seconds,
    )
    if args.dry_run:
        print(run.foresee(request, options))
        return DONE
    outcome = run.run(request, options, report=show())
    state = "complete" if not outcome.missing else f"{outcome.missing} blocks are still missing: run it again"
    print(f"{figure.name} in {outcome.root}: {outcome.made} blocks in {outcome.seconds:.0f} s; {state}")
    return DONE if not outcome.missing else UNFINISHED


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status: 0 done, 1 failed, 2 refused, 3 stopped with work left, 130 interrupted."""
    words = list(sys.argv[1:] if argv is None else argv)
    resumes = words[:1] in (["run"], ["increments"], ["study"])
    kept = "the same command goes on from here" if resumes else "nothing of this command is kept"
    return run_command(functools.partial(_command_of, words), name="error", interrupted=f"interrupted; {kept}")


def _command_of(words: Sequence[str]) -> int:
    if words[:2] == ["plot", "increments"]:
        return int(importlib.import_module("nn_experiments.report.increments").main(words[2:]) or 0)
    if words and words[0] in OWN_ARGUMENTS:
        return int(importlib.import_module(OWN_ARGUMENTS[words[0]]).main(words[1:]) or 0)
    args = _arguments().parse_args(words)
    commands = {"list": _list, "run": _run, "merge": _merge, "data": _data, "record": _record}
    commands |= {"increments": _increments, "study": _study}
    return commands[args.command](args)
