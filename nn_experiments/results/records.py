"""Files of record: all results of one experiment in one ``.npz``, and a check before one is overwritten (no torch)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np

from nn_experiments.paper.catalogue import EXPERIMENTS
from nn_experiments.results.archives import read_archive
from nn_experiments.results.curves import Curves
from nn_experiments.results.run_folders import describe_runs, runs_of, unreadable_runs
from nn_experiments.results.settings import flat_settings

__all__ = [
    "check_beside_runs",
    "check_keeps",
    "check_tag",
    "joined",
    "load_record",
    "missing_after",
    "record_path",
    "records_of",
]

#: The largest number of curves that a message names one by one.
_NAMED = 3


def record_path(experiment: str, folder: Path, tag: str | None = None) -> Path:
    """Return the file of record of an experiment, ``EXPERIMENT.npz``, or of other settings, ``EXPERIMENT--TAG.npz``.

    Parameters
    ----------
    experiment : str
        Name in the catalogue.
    folder : Path
        Folder of records, such as ``results``.
    tag : str or None
        Name of the other settings (default: None, those of the catalogue).

    Returns
    -------
    Path
        The file need not exist.

    Raises
    ------
    ValueError
        If the tag has other characters than letters, digits, dots, underscores and single dashes.
    """
    if tag is None:
        return folder / f"{experiment}.npz"
    if not re.fullmatch(r"[A-Za-z0-9._]+(-[A-Za-z0-9._]+)*", tag):
        raise ValueError(f"a tag consists of letters, digits, '.', '_' and single '-', got {tag!r}")
    return folder / f"{experiment}--{tag}.npz"


def records_of(experiment: str, folder: Path) -> dict[str | None, Path]:
    """Return tag -> file for an experiment's records in a folder; the record of its own settings has the tag None."""
    untagged = record_path(experiment, folder)
    tagged = sorted(folder.glob(f"{experiment}--*.npz"))
    return ({None: untagged} if untagged.is_file() else {}) | {path.stem.partition("--")[2]: path for path in tagged}


def load_record(path: Path) -> Curves:
    """Read what `Curves.save` wrote.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If the file is truncated or altered, or is not a file of record.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    with read_archive(path, lambda error: ValueError(f"{path} is not a file of results: {error}")) as file:
        about = json.loads(str(file["about"]))
        metrics = {
            key.removeprefix("metric/"): file[key].astype(np.float64) for key in file.files if key.startswith("metric/")
        }
        recorded = {
            name: np.unpackbits(file[f"recorded/{name}"], count=value.size).reshape(value.shape).astype(bool)
            for name, value in metrics.items()
        }
        seeds = tuple(int(seed) for seed in file["seeds"])
        orders = tuple(about["orders"])
        shape = len(seeds), len(orders), len(file["iterates"])
        if any(value.shape != shape for value in metrics.values()):
            raise ValueError(f"a metric has another shape than its seeds, orders and iterates, {shape}")
        return Curves(seeds, orders, file["iterates"], metrics, recorded, about["experiment"], about["provenance"])


def missing_after(there: Curves, new: Curves) -> list[str]:
    """Return descriptions of what is recorded in ``there`` but not in ``new``; an empty list if nothing is.

    Values are not compared, only what was recorded: seeds, orders and metrics, then the iterates of every curve (seed,
    order, metric). Distances to the last iterate are left out if the two runs end at different iterates, since they
    are different quantities then. If the settings (run IDs) differ, everything in ``there`` is missing in ``new``.
    """
    new_id, old_id = (curves.experiment.get("identity") for curves in (new, there))
    if new_id != old_id:
        return [f"all of it: it has identity {old_id} (other settings), the new results {new_id}"]
    texts = [
        text
        for what, before, after in (
            ("seeds", there.seeds, new.seeds),
            ("orders", there.orders, new.orders),
            ("metrics", sorted(_held(there, new)), sorted(_held(new, there))),
        )
        if (text := _missing(what, before, after))
    ]
    curves = _iterates_lost(there, new)
    texts += [
        f"{len(n)} iterate{'s' * (len(n) > 1)} of {curve} ({_ends(n)})" for curve, n in list(curves.items())[:_NAMED]
    ]
    if len(curves) > _NAMED:
        texts.append(f"iterates of {len(curves) - _NAMED} more curves")
    return texts


def check_keeps(path: Path, new: Curves) -> None:
    """Check that writing ``new`` to a file of record loses no recorded results.

    Raises
    ------
    ValueError
        If the file has results that ``new`` lacks (see `missing_after`), or cannot be read.
    """
    if not path.exists():
        return
    there = load_record(path)
    if texts := missing_after(there, new):
        remedy = "--add adds the new results to those of the file"
        if there.experiment.get("identity") != new.experiment.get("identity"):  # which --add refuses
            remedy = "choose another --tag, or the run of the file with --run-id"
        raise ValueError(
            f"{path} would lose {'; '.join(texts)}. Nothing was written: {remedy}, and --replace writes all the same"
        )


def check_tag(path: Path, curves: Curves, out: Path) -> None:
    """Check that a file of record without a tag is not begun with other settings than the catalogue's.

    It would be read as the record of those. A file that has the same settings (run ID) already may go on.

    Parameters
    ----------
    path : Path
        The file of record that is to be written, without a tag.
    curves : Curves
        What it will hold.
    out : Path
        The folder of runs that this comes from.

    Raises
    ------
    ValueError
        If a setting is not the catalogue's; the message has the runs in the folder. A setting that only one of both
        names, because another version of this package made the run, is not compared.
    """
    about = cast(Mapping[str, object], curves.experiment["experiment"])
    name, identity = str(about["name"]), curves.experiment["identity"]
    there, here = flat_settings(about), flat_settings(EXPERIMENTS[name].to_json())
    differing = [f"{key} = {there[key]}" for key, value in here.items() if there.get(key, value) != value]
    if differing and not (path.exists() and load_record(path).experiment.get("identity") == identity):
        raise ValueError(
            f"{path} is the record of the catalogue's settings, and run {identity} has others: {', '.join(differing)}. "
            f"Give these a name with --tag, or choose another run with --run-id; {out} holds\n"
            f"{describe_runs(runs_of(name, out))}"
        )


def check_beside_runs(path: Path, experiment: str) -> None:
    """Check that a folder of records holds no runs of the experiment, which `nn_experiments.load` would pass over.

    Raises
    ------
    ValueError
        If there are runs beside the file of record, or one whose settings cannot be read.
    """
    for reason in unreadable_runs(path.parent).values():
        raise reason
    if runs_of(experiment, path.parent):
        raise ValueError(
            f"{path.parent} holds runs of {experiment!r}, and a record beside them would be read in their place, "
            "whatever they compute later; give another folder with --results"
        )


def joined(there: Curves, new: Curves) -> tuple[Curves, int]:
    """Return two results of the same settings in one: other seeds, orders, iterates or metrics of one experiment.

    Where both have a value that of ``there`` is kept, as in `nn_experiments.results.merge`.

    Parameters
    ----------
    there, new : Curves
        A file of record and results of a run, in any split of seeds, orders and iterates.

    Returns
    -------
    tuple of Curves and int
        Everything that either has, and how many values of ``new`` differ in float32 from those that were kept.

    Raises
    ------
    ValueError
        If the settings (run IDs) differ, or both have distances to the last iterate, of runs that end at different
        iterates.
    """
    old_id, new_id = (curves.experiment.get("identity") for curves in (there, new))
    if old_id != new_id:
        raise ValueError(f"results of other settings cannot be joined: their identities are {old_id} and {new_id}")
    ends = [curves.experiment.get("to_last") for curves in (there, new)]
    if None not in ends and ends[0] != ends[1]:
        raise ValueError(
            f"distances to the last iterate cannot be joined: it is {ends[0]} in one and {ends[1]} in the other"
        )
    seeds = tuple(sorted({*there.seeds, *new.seeds}))
    orders = tuple(dict.fromkeys([*there.orders, *new.orders]))
    iterates = np.union1d(there.iterates, new.iterates)
    names = sorted({*there.metrics, *new.metrics})
    shape = (len(seeds), len(orders), len(iterates))
    metrics = {name: np.full(shape, np.nan) for name in names}
    recorded = {name: np.zeros(shape, bool) for name in names}
    differing = 0
    for part in (there, new):
        rows = np.searchsorted(seeds, part.seeds)
        columns = np.array([orders.index(order) for order in part.orders], int)
        cells = np.ix_(rows, columns, np.searchsorted(iterates, part.iterates))
        for name, values in part.metrics.items():
            mask, held, kept = part.recorded[name], recorded[name][cells], metrics[name][cells]
            a, b = (side[mask & held].astype(np.float32) for side in (kept, values))
            differing += int((~((a == b) | (np.isnan(a) & np.isnan(b)))).sum())
            metrics[name][cells] = np.where(mask & ~held, values, kept)
            recorded[name][cells] = mask | held
    experiment = new.experiment if ends[0] is None else there.experiment
    provenance = there.provenance + [one for one in new.provenance if one not in there.provenance]
    return Curves(seeds, orders, iterates, metrics, recorded, experiment, provenance), differing


def _held(curves: Curves, other: Curves) -> set[str]:
    """Return the metrics that have a value, except for those that are another quantity in the other results."""
    same_end = curves.experiment.get("to_last") == other.experiment.get("to_last")
    return {
        name for name, mask in curves.recorded.items() if mask.any() and (same_end or not name.endswith("_to_last"))
    }


def _missing(what: str, before: Sequence[object], after: Sequence[object]) -> str:
    gone = [str(name) for name in before if name not in after]
    return f"{what} {', '.join(gone)}" if gone else ""


def _iterates_lost(there: Curves, new: Curves) -> dict[str, np.ndarray]:
    """Return the iterates that each curve loses, for the seeds, orders and metrics that both results have."""
    lost = {}
    for metric in sorted(_held(there, new) & _held(new, there)):
        for seed in (seed for seed in there.seeds if seed in new.seeds):
            for order in (order for order in there.orders if order in new.orders):
                before, after = (curves.path(metric, seed=seed, order=order)[0] for curves in (there, new))
                gone = np.setdiff1d(before, after)
                if len(gone):
                    lost[f"{metric}, seed {seed}, {order}"] = gone
    return lost


def _ends(n: np.ndarray) -> str:
    return f"{n[0]:,}" if len(n) == 1 else f"{n[0]:,} to {n[-1]:,}"
