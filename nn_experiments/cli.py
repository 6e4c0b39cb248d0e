"""The command line (torch is imported only by the commands that train)."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from nn_experiments.paper import catalogue, curve_names
from nn_experiments.results.curves import DEFAULT_OUT

__all__ = ["main"]


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m nn_experiments", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    listing = commands.add_parser("list", help="all figures with their cost, or one with all its settings")
    listing.add_argument("figure", nargs="?")

    run = commands.add_parser("run", help="compute what a figure still lacks")
    run.add_argument("figure", help="fig2 … fig19, or digits (see list)")
    run.add_argument("--seeds", type=int, nargs="+", help="the figure's own unless given")
    run.add_argument("--reduced", action="store_true", help="a smaller form for a laptop, labelled so (fig2, 8, 9, 12)")
    run.add_argument(
        "--orders",
        nargs="+",
        help=f"of {', '.join(curve_names.KINDS)}; the figure's own and its baselines unless given",
    )
    run.add_argument("--no-baselines", action="store_true", help="leave out polyak, ema and decayed")
    run.add_argument("--steps", type=int, help="length of the curves; the figure's own unless given")
    run.add_argument("--every", type=int, help="record every so many iterates; the figure's own unless given")
    run.add_argument(
        "--diagnostics-every",
        type=int,
        help="grid of increments and couplings, 0 for none; the figure's own unless given",
    )
    run.add_argument(
        "--device", default="auto", help="cpu, cuda, cuda:1, or a GPU if torch finds one (auto); auto unless given"
    )
    run.add_argument(
        "--dtype", choices=catalogue.DTYPES, help="of parameters and inputs; the experiment's own unless given"
    )
    run.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="change the experiment (list FIGURE shows its fields); no change unless given",
    )
    run.add_argument(
        "--engine",
        default="auto",
        choices=("auto", "step", "mlp", "compiled", "channels_last", "ensemble"),
        help="how steps are computed, or the fastest that can (auto); auto unless given",
    )
    run.add_argument(
        "--chunk",
        type=int,
        help="chains run together by the ensemble engine; what fits a GPU, all on a CPU, unless given",
    )
    run.add_argument(
        "--workers",
        type=int,
        help="processes, 0 for none but this one; one a core (none for a short run or on a GPU) unless given",
    )
    run.add_argument(
        "--dask", metavar="ADDRESS", help="run on a dask.distributed cluster; on this machine alone unless given"
    )
    run.add_argument(
        "--time-limit", type=float, metavar="MINUTES", help="start nothing new after that; no limit unless given"
    )
    run.add_argument(
        "--block-seconds",
        type=float,
        default=15.0,
        metavar="SECONDS",
        help="work lost at most a worker; 15 unless given",
    )
    run.add_argument("--out", type=Path, default=DEFAULT_OUT, help=f"folder of the runs; {DEFAULT_OUT} unless given")
    run.add_argument("--dry-run", action="store_true", help="say what would be done and how long it takes")
    _data_arguments(run)

    increments = commands.add_parser(
        "increments", help="how far backward iterates n and n + k are apart, in law, from forward runs (cheap)"
    )
    increments.add_argument("figure", help="whose experiment is trained: fig2 … fig13, or digits (see list)")
    increments.add_argument("--draws", type=int, default=8, help="seeds 0 … DRAWS - 1 (default: 8)")
    increments.add_argument("--steps", type=int, help="the last n (default: the figure's)")
    increments.add_argument("--every", type=int, default=50, help="measure every so many steps (default: 50)")
    increments.add_argument(
        "--ahead", type=int, nargs="+", default=[1, 10, 100, 300, 1000], metavar="K", help="the k (default: 1 to 1000)"
    )
    increments.add_argument("--device", default="auto", help="as in run (default: auto)")
    increments.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="as in run")
    increments.add_argument("--out", type=Path, default=DEFAULT_OUT, help=f"folder (default: {DEFAULT_OUT})")
    _data_arguments(increments)

    commands.add_parser("plot", help="draw a figure", add_help=False)
    commands.add_parser("report", help="one page with all results", add_help=False)

    record = commands.add_parser("record", help="pack the results of a figure's experiment into one file")
    record.add_argument("figure")
    record.add_argument("--out", type=Path, default=DEFAULT_OUT, help=f"folder of the runs; {DEFAULT_OUT} unless given")
    record.add_argument("--into", type=Path, default=Path("results"), help="folder of the file; results unless given")

    record.add_argument(
        "--identity", help="first characters, where the folder holds several variants; the only one unless given"
    )
    record.add_argument(
        "--variant", metavar="NAME", help="EXPERIMENT--NAME.npz, beside EXPERIMENT.npz, which is written unless given"
    )

    record.add_argument(
        "--replace", action="store_true", help="write even if the file that is there holds what the new results lack"
    )

    merge = commands.add_parser("merge", help="copy into one folder what others have computed")
    merge.add_argument("sources", type=Path, nargs="+", help="folders of runs (--out of run); all are checked first")
    merge.add_argument("--into", type=Path, default=DEFAULT_OUT, help=f"folder of runs; {DEFAULT_OUT} unless given")

    data = commands.add_parser(
        "data", help="load a data set (downloading it if need be) and say what it is; or cut it down (--for)"
    )
    data.add_argument("name", nargs="?", help="digits, fashion_mnist, cifar10, cifar100, square, cosine, cube")
    cut = data.add_argument_group("cutting", "a small folder, the --data-dir of exactly these runs")
    cut.add_argument("--for", dest="figures", nargs="+", metavar="FIGURE", help="the figures whose runs it is for")
    cut.add_argument("--reduced", action="store_true", help="for the figures' reduced forms")
    cut.add_argument("--into", type=Path, metavar="DIR", help="the folder; a cut that is there is added to")
    cut.add_argument("--seeds", type=int, nargs="+", help="the figures' own unless given")
    cut.add_argument("--steps", type=int, help="last iterate of the runs; the figures' own unless given")
    cut.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", help="as in run; no change unless given"
    )
    cut.add_argument("--no-diagnostics", action="store_true", help="for runs with --diagnostics-every 0: fewer images")
    _data_arguments(data)
    return parser


def _data_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-dir", help="folder with data files; TRAINING_IN_REVERSE_DATA unless given")
    parser.add_argument("--any-data", action="store_true", help="take files that are not the official data")


def _list(args: argparse.Namespace) -> int:
    from nn_experiments.paper.cost import figure_rows, settings_lines

    for row in settings_lines(catalogue.find(args.figure)) if args.figure else figure_rows():
        print(row)
    return 0


def _data(args: argparse.Namespace) -> int:
    from nn_experiments.datasets import load_dataset
    from nn_experiments.datasets.subset import CutDataset

    cutting = args.into or args.reduced or args.seeds or args.steps is not None or args.set or args.no_diagnostics
    if bool(args.name) == bool(args.figures) or bool(cutting) != bool(args.figures) or (cutting and not args.into):
        raise ValueError("data takes either the name of a data set, or --for FIGURE … --into DIR (with --seeds, …)")
    if args.figures:
        return _cut(args)
    data = load_dataset(args.name, data_dir=args.data_dir, official=not args.any_data)
    print(
        f"{data.name}: {len(data.train_inputs)} training and {len(data.test_inputs)} test items of shape "
        f"{data.shape}, {data.classes or 'no'} classes, fingerprint {data.fingerprint}"
    )
    if isinstance(data, CutDataset):
        held = data.held
        print(f"  a cut: only {held[0]} training and {held[1]} test items are here, for {'; '.join(data.purposes)}")
    return 0


def _cut(args: argparse.Namespace) -> int:
    from nn_experiments.runs.data_subset import cut_for

    made = cut_for(
        args.figures,
        args.into,
        seeds=args.seeds,
        steps=args.steps,
        changes=_changes(args),
        diagnostics=not args.no_diagnostics,
        reduced=args.reduced,
        data_dir=args.data_dir,
        official=not args.any_data,
    )
    for path, data in made:
        print(
            f"{path}: {data.held[0]} of {len(data.train_inputs)} training and {data.held[1]} of "
            f"{len(data.test_inputs)} test images of {data.name}, {path.stat().st_size / 1e6:.1f} MB, for "
            f"{'; '.join(data.purposes)}"
        )
    print(f"run these with --data-dir {args.into}")
    return 0


def _changes(args: argparse.Namespace) -> dict[str, str]:
    return dict(change.split("=", 1) if "=" in change else (change, "") for change in args.set)


def _merge(args: argparse.Namespace) -> int:
    from nn_experiments.results.merge import merge

    for source, merged in zip(args.sources, merge(args.sources, args.into), strict=True):
        print(f"{source}: {merged}")
    return 0


def _record(args: argparse.Namespace) -> int:
    from nn_experiments.results.load import load, record_path
    from nn_experiments.results.records import check_keeps

    figure = catalogue.find(args.figure)
    path = record_path(figure.experiment, args.into, args.variant)
    curves = load(figure.experiment, out=args.out, identity=args.identity)
    if not args.replace:
        check_keeps(path, curves)
    curves.save(path)
    print(f"{path}: seeds {curves.seeds}, orders {', '.join(curves.orders)}, {path.stat().st_size / 1e6:.2f} MB")
    return 0


def _increments(args: argparse.Namespace) -> int:
    from nn_experiments.results.increments import summary
    from nn_experiments.runs.increments import measure_increments
    from nn_experiments.runs.run import Options, device_of

    figure = catalogue.find(args.figure)
    found = measure_increments(
        catalogue.EXPERIMENTS[figure.experiment].override(_changes(args)),
        range(args.draws),
        steps=args.steps or figure.steps,
        every=args.every,
        ahead=args.ahead,
        device=device_of(Options(out=args.out, device=args.device)),
        data_dir=args.data_dir,
        official=not args.any_data,
        report=lambda n: print(f"n = {n}", file=sys.stderr),
    )
    path = args.out / f"increments-{figure.experiment}.npz"
    found.save(path)
    print(*summary(found), path, sep="\n")
    return 0


def _run(args: argparse.Namespace) -> int:
    figure = catalogue.find(args.figure)
    changes: dict[str, str] = {}
    if args.reduced:
        figure, changes = figure.smaller()
    changes |= _changes(args)
    if args.dtype:
        changes["dtype"] = args.dtype
    experiment = catalogue.EXPERIMENTS[figure.experiment].override(changes)
    from nn_experiments.runs import run
    from nn_experiments.runs.progress import show
    from nn_experiments.runs.request import Request

    orders = args.orders
    if orders is None and args.no_baselines:
        orders = figure.orders
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
        return 0
    outcome = run.run(request, options, report=show())
    state = "complete" if not outcome.missing else f"{outcome.missing} blocks are still missing: run it again"
    print(f"{figure.name} in {outcome.root}: {outcome.made} blocks in {outcome.seconds:.0f} s; {state}")
    return 0 if not outcome.missing else 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status (0 done, 1 error, 3 stopped with work left, 130 interrupted)."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        if words[:2] == ["plot", "increments"]:
            return int(importlib.import_module("nn_experiments.report.increments").main(words[2:]) or 0)
        if words[:1] in (["plot"], ["report"]):  # their arguments are theirs, and so is matplotlib
            module = {"plot": "nn_experiments.report.plotting", "report": "nn_experiments.report.page"}[words[0]]
            return int(importlib.import_module(module).main(words[1:]) or 0)
        args = _arguments().parse_args(words)
        commands = {"list": _list, "run": _run, "merge": _merge, "data": _data, "record": _record}
        commands["increments"] = _increments
        status = commands[args.command](args)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output left, as `… | head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (TypeError, ValueError, OSError, ModuleNotFoundError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
