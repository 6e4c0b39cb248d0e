"""Folders of runs: those of an experiment, and their contents as `Curves` (no torch)."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from nn_experiments.paper import curve_names
from nn_experiments.paper.catalogue import EXPERIMENTS, plain_fields
from nn_experiments.results import blocks
from nn_experiments.results.curves import Curves

__all__ = [
    "describe_runs",
    "last_written",
    "load_run",
    "names_of",
    "run_rows",
    "runs_of",
    "settings_of_runs",
    "unreadable_runs",
    "warn_of_unreadable_runs",
    "with_usual_settings",
]

#: (seed, curve) -> its blocks of both kinds.
BlocksOfCurves = dict[tuple[int, str], list[blocks.Block]]


def load_run(root: Path, orders: Sequence[str] = ()) -> Curves:
    """Return the contents of a run's folder.

    Parameters
    ----------
    root
        The folder.
    orders
        Names of curves to return even if all of their iterates are stored with another one (default: none).

    Raises
    ------
    ValueError
        If it has no finished block yet.
    BrokenBlock
        If a block is truncated or altered; the command that made the run computes it again.
    """
    recorded = _blocks_of(root)
    if not recorded:
        raise ValueError(f"{root} holds no finished block yet")
    curves = _assembled(recorded, orders, {"identity": root.name, "experiment": {}, **blocks.read_settings(root)})
    for order in curves.orders:
        _reuse(order, curves)
    stored = {name for _, name in recorded}
    reused = [any(mask[:, k].any() for mask in curves.recorded.values()) for k in range(len(curves.orders))]
    kept = [order for order, any_of_it in zip(curves.orders, reused, strict=True) if any_of_it or order in stored]
    return curves if len(kept) == len(curves.orders) else curves.select(orders=kept)


def _blocks_of(root: Path) -> BlocksOfCurves:
    recorded: BlocksOfCurves = {}
    for folder in (path for path in root.glob("*/*") if path.is_dir() and path.parent.name.isdigit()):
        seed, curve = int(folder.parent.name), folder.name
        pieces = [block for kind in blocks.KINDS for block in blocks.blocks(root, seed, curve, kind=kind, strict=True)]
        if pieces:
            recorded[seed, curve] = pieces
    return recorded


def _assembled(of_curves: BlocksOfCurves, others: Sequence[str], settings: blocks.Settings) -> Curves:
    """Return the numbers of all blocks in one array per metric."""
    every = [block for pieces in of_curves.values() for block in pieces]
    seeds = tuple(sorted({seed for seed, _ in of_curves}))
    orders = tuple(sorted({name for _, name in of_curves} | {*others}, key=curve_names.rank))
    iterates = np.unique(np.concatenate([block.iterate for block in every]))
    names, end = _metrics({name for block in every for name in block.values})
    shape = (len(seeds), len(orders), len(iterates))
    metrics = {name: np.full(shape, np.nan) for name in names.values()}
    recorded = {name: np.zeros(shape, bool) for name in names.values()}
    for (seed, order), pieces in of_curves.items():
        s, o = seeds.index(seed), orders.index(order)
        for block in pieces:
            columns = np.searchsorted(iterates, block.iterate)
            for stored in names.keys() & block.values.keys():
                metrics[names[stored]][s, o, columns] = block.values[stored]
                recorded[names[stored]][s, o, columns] = True
    if end is not None:
        settings = {**settings, "to_last": end}
    return Curves(seeds, orders, iterates, metrics, recorded, settings, _provenance(every))


def _metrics(stored: set[str]) -> tuple[dict[str, str], int | None]:
    """Return name on disk -> name of a metric, and the iterate N that distances ``…_to_last`` are measured to.

    N is the largest one; distances to other iterates, from shorter runs, are left out.
    """
    end = max((int(name.rpartition("_")[2]) for name in stored if name.startswith("parameter_to_")), default=None)
    names = {name: name for name in sorted(stored) if "_to_" not in name}
    if end is not None:
        names |= {
            name: name.replace(f"_to_{end}", "_to_last") for name in sorted(stored) if name.endswith(f"_to_{end}")
        }
    return names, end


def _provenance(every: Sequence[blocks.Block]) -> list[dict[str, object]]:
    """Return each distinct ``meta`` of the blocks once, with the number of blocks that have it."""
    makers = Counter(
        json.dumps({key: value for key, value in block.meta.items() if key != "seconds"}, sort_keys=True)
        for block in every
    )
    return [{**json.loads(maker), "blocks": count} for maker, count in sorted(makers.items())]


def _reuse(order: str, curves: Curves) -> None:
    """Copy the iterates that an order shares with another one: a path reset at 1000 is the backward path until then.

    Of a run of the catalogue these are losses and accuracies, since distances depend on later iterates; of a run of the
    user's own, all metrics.
    """
    homes = [curve_names.home(order, int(n)) for n in curves.iterates]
    for other in set(homes) - {order}:
        if other in curves.orders:
            shared = np.array([name == other for name in homes])
            a, b = curves.orders.index(order), curves.orders.index(other)
            for name in curves.metrics:
                if curves.experiment.get("own") or name.endswith(("_loss", "_accuracy")):
                    for table in (curves.metrics[name], curves.recorded[name]):
                        table[:, a, shared] = table[:, b, shared]


def runs_of(experiment: str, folder: Path) -> list[Path]:
    """Return the folders of an experiment's runs below an output folder, those with the catalogue's settings first."""
    roots: list[tuple[bool, Path]] = []
    for root, settings in settings_of_runs(folder).items():
        about = settings.get("experiment", {})
        if about.get("name") == experiment:
            roots.append((_varied(about), root))
    return [root for _, root in sorted(roots)]


def with_usual_settings(roots: Sequence[Path]) -> list[Path]:
    """Return those of an experiment's runs that have the catalogue's settings."""
    return [root for root in roots if not _varied(blocks.read_settings(root).get("experiment", {}))]


def settings_of_runs(folder: Path) -> dict[Path, blocks.Settings]:
    """Return the folders of all runs below an output folder whose settings can be read, with these, by name."""
    return {root: found for root, found in _every(folder).items() if not isinstance(found, Exception)}


def unreadable_runs(folder: Path) -> dict[Path, Exception]:
    """Return the folders of all runs below an output folder whose settings cannot be read, with the reasons."""
    return {root: found for root, found in _every(folder).items() if isinstance(found, Exception)}


def warn_of_unreadable_runs(folder: Path) -> None:
    """Warn of every run below an output folder whose settings cannot be read: it may be one of any experiment."""
    for root, reason in unreadable_runs(folder).items():
        warnings.warn(f"the run in {root} is left out: {reason}", stacklevel=3)


def _every(folder: Path) -> dict[Path, blocks.Settings | Exception]:
    found: dict[Path, blocks.Settings | Exception] = {}
    for path in sorted(folder.glob("*/experiment.json")):
        try:
            found[path.parent] = blocks.read_settings(path.parent)
        except (ValueError, OSError) as error:
            found[path.parent] = error
    return found


def names_of(folder: Path) -> list[str]:
    """Return the names of the experiments whose runs are below an output folder."""
    every = (settings.get("experiment", {}) for settings in settings_of_runs(folder).values())
    return sorted({str(about["name"]) for about in every if "name" in about})


def _varied(about: Mapping[str, object]) -> bool:
    """Return whether an experiment on disk differs from the catalogue's of the same name in more than its notes."""
    name = str(about.get("name", ""))
    if name not in EXPERIMENTS:
        return True
    usual = json.loads(json.dumps(EXPERIMENTS[name].to_json()))
    return any(about.get(key) != value for key, value in usual.items() if key != "notes")


def last_written(root: Path) -> str:
    """Return when a run's folder got its last block, or its settings if it has none, as local date and time."""
    files = list(root.glob("*/*/*.npz")) or [root / "experiment.json"]
    latest = max(path.stat().st_mtime for path in files)
    return datetime.fromtimestamp(latest).astimezone().strftime("%Y-%m-%d %H:%M")


def run_rows(folder: Path) -> Iterator[str]:
    """Yield a line for each run in a folder, the latest first: when it was written, its name, ID, seeds and curves.

    A run whose ``experiment.json`` is not whole is called "(unreadable)".

    Raises
    ------
    FileNotFoundError
        If the folder holds no runs.
    """
    roots = [path.parent for path in folder.glob("*/experiment.json")]
    if not roots:
        raise FileNotFoundError(f"{folder} holds no runs")
    yield f"{'last written':<18}{'experiment':<22}{'run ID':<18}seeds; curves"
    for root in sorted(roots, key=last_written, reverse=True):
        try:
            name = str(blocks.read_settings(root).get("experiment", {}).get("name", "?"))
        except ValueError:  # reading it says what is wrong with it
            name = "(unreadable)"
        parts = {path.parent for path in root.glob("*/*/*.npz") if path.parent.parent.name.isdigit()}
        seeds = sorted({int(path.parent.name) for path in parts})
        curves = sorted({path.name for path in parts}, key=curve_names.rank)
        held = f"{', '.join(map(str, seeds))}; {', '.join(curves)}" if parts else "no finished block yet"
        yield f"{last_written(root):<18}{name:<22}{root.name:<18}{held}"


def describe_runs(roots: Sequence[Path]) -> str:
    """Return a line for each run: its identity, whether its settings are the catalogue's, and how the runs differ.

    The sampler's own description, ``batches``, is left out where other fields differ: it follows from these.
    """
    fields = {}
    for root in roots:
        settings = blocks.read_settings(root)
        about = plain_fields(settings.get("decides", {})) | plain_fields(settings.get("experiment", {}))
        fields[root] = {name: value for name, value in about.items() if name not in ("name", "notes")}
    names = dict.fromkeys(name for about in fields.values() for name in about)
    differ = [name for name in names if len({json.dumps(about.get(name)) for about in fields.values()}) > 1]
    differ = [name for name in differ if name != "batches"] or differ
    usual = with_usual_settings(roots) if len(roots) > 1 else []
    lines = []
    for root, about in fields.items():
        texts = ["the catalogue's settings"] if root in usual and differ else []
        texts += [f"{name} = {about.get(name)}" for name in differ] or ["the same settings"]
        if not any(root.glob("*/*/*.npz")):
            texts.append("no finished block yet")
        lines.append(f"  {root.name} (last written {last_written(root)}): {', '.join(texts)}")
    return "\n".join(lines)
