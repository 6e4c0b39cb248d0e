"""Loading results by the name of a figure or experiment, from a run's folder, or from a file of record (no torch)."""

from __future__ import annotations

import difflib
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

from nn_experiments.paper import catalogue
from nn_experiments.results.curves import DEFAULT_OUT, Curves
from nn_experiments.results.records import load_record, records_of
from nn_experiments.results.run_folders import (
    describe_runs,
    load_run,
    names_of,
    runs_of,
    unreadable_runs,
    warn_of_unreadable_runs,
    with_usual_settings,
)

__all__ = ["load"]


def load(
    source: str | Path,
    *,
    out: str | Path | None = None,
    run_id: str | None = None,
    tag: str | None = None,
    seeds: Sequence[int] | None = None,
    orders: Sequence[str] | None = None,
) -> Curves:
    """Load results by the name of a figure or experiment, from a run's folder, or from a file of record.

    Parameters
    ----------
    source : str or Path
        A name from the catalogue (``"fig4"``, ``"4"``, ``"regression-square"``), looked up below ``out``; or a folder
        that holds ``experiment.json``; or a ``.npz`` written by `Curves.save`.
    out : str or Path or None
        The output folder of the runs (default: ``out`` in the working directory), or a folder of records such as
        ``results``, with one file ``EXPERIMENT.npz`` per experiment and ``EXPERIMENT--TAG.npz`` for other settings.
    run_id : str or None
        Prefix of the run ID (default: the only run; of several the only one with the catalogue's settings, with a
        warning that lists the others; or the record without a tag).
    tag : str or None
        Tag of a record with other settings (default: None, the settings of the experiment).
    seeds, orders : sequence or None
        The part to load (default: everything; for a figure, its orders and baselines, as far as they were recorded).

    Returns
    -------
    Curves
        One array (seed, order, iterate) per metric.

    Raises
    ------
    FileNotFoundError
        If the folder ``out`` does not exist, or has no results of this name; the message has the command to compute
        them.
    TypeError
        If ``source`` is neither text nor a path.
    KeyError
        If a seed or an order was not recorded; the message lists the recorded ones.
    ValueError
        If the name is unknown; if no run fits ``run_id`` and ``tag``, or several do; or if a file is truncated or
        altered. The message lists the known names, or the runs with their differences. A run in ``out`` whose settings
        cannot be read is passed over with a warning, unless no other fits.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import nn_experiments as nne
    >>> curves = nne.load("fig4", out="results")  # in a checkout of the repository  # doctest: +SKIP
    >>> losses = np.array([[[1.0, 0.5, 0.25]]])  # a record of your own: one seed, one order, three iterates
    >>> own = nne.Curves((0,), ("forward",), np.arange(3), {"loss": losses}, {"loss": np.isfinite(losses)}, {})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     own.save(Path(folder) / "mine.npz")
    ...     print(nne.load(Path(folder) / "mine.npz", orders=["forward"]))
    Curves(seeds 0; orders forward; 3 iterates from 0 to 2; metrics loss)
    """
    if not isinstance(source, str | os.PathLike):
        raise TypeError(f"source must be a name, such as 'fig4', or a folder or file of results, got {source!r}")
    path = Path(source)
    if path.suffix == ".npz":
        return _part(load_record(path), seeds, orders)
    if (path / "experiment.json").is_file():
        return _part(load_run(path), seeds, orders)
    name = str(source)
    figure = catalogue.find(name) if name.isdigit() or name in catalogue.FIGURES else None
    folder = DEFAULT_OUT if out is None else Path(out)
    experiment = figure.experiment if figure else name
    curves = _by_name(experiment, folder, run_id, tag)
    if curves is None:
        known = figure.name if figure else next(f.name for f in catalogue.FIGURES.values() if f.experiment == name)
        command = f"python -m nn_experiments run {known} --out {folder}"
        raise FileNotFoundError(f"no results of {experiment!r} in {folder}; to compute them: {command}")
    if figure and orders is None:
        orders = [order for order in figure.all_orders if order in curves.orders]
        if not orders:
            there = ", ".join(curves.orders)
            raise ValueError(
                f"{folder} has none of the curves of {figure.name}, but {there}; choose some of these by orders= "
                "(on the command line --orders)"
            )
    return _part(curves, seeds, orders)


def _part(curves: Curves, seeds: Sequence[int] | None, orders: Sequence[str] | None) -> Curves:
    return curves if seeds is None and orders is None else curves.select(seeds=seeds, orders=orders)


def _by_name(experiment: str, folder: Path, run_id: str | None, tag: str | None) -> Curves | None:
    """Return the record of an experiment in a folder, or its run, or None if the folder has neither."""
    known = experiment in catalogue.EXPERIMENTS
    records = records_of(experiment, folder) if known else {}
    if records or tag is not None:
        return _record(experiment, folder, records, run_id, tag)
    runs = runs_of(experiment, folder)
    fitting = [root for root in runs if root.name.startswith(run_id or "")]
    broken = [why for root, why in unreadable_runs(folder).items() if root.name.startswith(run_id or "")]
    if not fitting and broken:
        raise broken[0]
    if runs and not fitting:
        raise ValueError(
            f"no run of {experiment!r} in {folder} has an ID that begins with {run_id}; there are:\n"
            f"{describe_runs(runs)}"
        )
    if not fitting and not known:
        raise _unknown(experiment, folder)
    if not fitting:
        return None
    if len(fitting) > 1 and run_id is None and len(usual := with_usual_settings(fitting)) == 1:
        warnings.warn(
            f"{folder} holds several runs of {experiment!r}; the one with the catalogue's settings is used, others by "
            f"run_id= (on the command line --run-id):\n{describe_runs(fitting)}",
            stacklevel=3,
        )
        fitting = usual
    if len(fitting) > 1:
        raise ValueError(
            f"{folder} holds several runs of {experiment!r}; choose one by run_id= (on the command line --run-id):\n"
            f"{describe_runs(fitting)}"
        )
    if broken:
        warn_of_unreadable_runs(folder)
    return load_run(fitting[0])


def _record(
    experiment: str, folder: Path, records: dict[str | None, Path], run_id: str | None, tag: str | None
) -> Curves:
    """Return the record with a tag or a run ID, or that of the experiment's settings if neither is given."""
    if tag is not None and tag not in records:
        tags = ", ".join(name for name in records if name) or "none"
        raise ValueError(f"{folder} has no record of {experiment!r} with the tag {tag!r}; the tags there are: {tags}")
    if run_id is None and (tag in records):
        return load_record(records[tag])
    loaded = {name: load_record(path) for name, path in records.items() if tag in (None, name)}
    fitting = [curves for curves in loaded.values() if curves.experiment["identity"].startswith(run_id or "")]
    if len(fitting) != 1:
        there = ", ".join(f"{curves.experiment['identity']} ({name or 'no tag'})" for name, curves in loaded.items())
        which = "" if run_id is None else f" with an ID that begins with {run_id}"
        raise ValueError(f"{folder} has {len(fitting)} records of {experiment!r}{which}; there are {there}")
    return fitting[0]


def _unknown(name: str, folder: Path) -> Exception:
    """Return the error for a name that is neither in the catalogue nor that of a run in the folder."""
    if Path(name).is_dir():
        held = names_of(Path(name))
        remedy = f"load({held[0]!r}, out={name!r})" if held else "load a figure by name, with the folder of runs as out"
        holds = f"it holds runs of {', '.join(held)}" if held else "it holds no run"
        return ValueError(f"the folder {name} is not that of one run (no experiment.json), but {holds}: {remedy}")
    there = names_of(folder)
    near = difflib.get_close_matches(name, [*there, *catalogue.FIGURES, *catalogue.EXPERIMENTS], n=1)
    if not folder.is_dir() and not near:
        return FileNotFoundError(f"there is no folder {folder}, in which to look for a run named {name!r}")
    guess = f"did you mean {near[0]}? " if near else ""
    runs = f"{folder} holds runs of {', '.join(there)}" if there else f"{folder} holds no run"
    return ValueError(
        f"there is no figure, experiment or folder {name!r}: {guess}{runs}; "
        f"figures are {', '.join(catalogue.FIGURES)}; experiments {', '.join(catalogue.EXPERIMENTS)}"
    )
