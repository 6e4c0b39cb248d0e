"""Find, for each figure, results that are complete enough to be drawn and judged (no torch)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from nn_experiments.paper import catalogue, curve_names
from nn_experiments.paper.catalogue import Figure
from nn_experiments.results.curves import Curves
from nn_experiments.results.load import load
from nn_experiments.results.records import records_of
from nn_experiments.results.run_folders import runs_of

__all__ = ["FigureResults", "find_results", "load_figure"]


class FigureResults(NamedTuple):
    """Results of a figure: the curves, the figure, the folder, and other folders with fewer results of it.

    ``tag`` names settings that differ from those of the experiment (``stem-7x7``, or the beginning of a run ID).
    """

    curves: Curves
    entry: Figure
    folder: Path
    others: tuple[Path, ...] = ()
    tag: str = ""


def load_figure(
    entry: Figure,
    out: Path,
    *,
    run_id: str | None = None,
    tag: str | None = None,
    seeds: Sequence[int] | None = None,
    orders: Sequence[str] | None = None,
) -> Curves:
    """Load a figure's seeds and orders, as far as they were recorded, or those named.

    Parameters
    ----------
    entry : Figure
        The figure.
    out, run_id, tag
        As in `nn_experiments.load`.
    seeds, orders : sequence or None
        The part to load (default: the figure's).

    Returns
    -------
    Curves
        With those of the figure's seeds that were recorded, or with all recorded seeds if none of the figure's was.

    Raises
    ------
    FileNotFoundError
        If there are no results; the message has the command that runs the figure.
    ValueError
        If a named seed or order was not recorded, or several runs fit; the message lists them.
    """
    try:
        curves = load(entry.name, out=out, run_id=run_id, tag=tag, seeds=seeds, orders=orders)
    except KeyError as error:  # a seed or an order that the caller named
        raise ValueError(f"{entry.name} in {out}: {error.args[0]}") from None
    return curves if seeds is not None else curves.select(seeds=_seeds(curves, entry))


def _seeds(curves: Curves, entry: Figure) -> Sequence[int]:
    """Return the figure's seeds that were recorded, or all that were if none of the figure's was."""
    return [seed for seed in entry.seeds if seed in curves.seeds] or curves.seeds


def find_results(folders: Iterable[Path], unreadable: dict[Path, Exception] | None = None) -> list[FigureResults]:
    """Return the results of every figure whose compared orders are complete in one of the folders.

    The folder whose run has the most values of the figure's first metric under the compared orders is used, or the
    first of several such folders. If it has the experiment with several settings (``--set``), all of them are returned,
    those of the catalogue's settings first. A figure is left out if one of its compared orders was not recorded, or if
    its curves end below `Figure.at_least`.

    Parameters
    ----------
    folders
        Output folders or folders of records.
    unreadable
        Runs and records that cannot be read are left out, and added here with the reasons (default: the first one is an
        error).

    Raises
    ------
    ValueError
        If a run or a record cannot be read and ``unreadable`` is not given.
    OSError
        As for ValueError.
    """
    everything: list[FigureResults] = []
    folders = list(dict.fromkeys(folders))
    for entry in catalogue.FIGURES.values():
        results = {folder: usable for folder in folders if (usable := _usable(entry, folder, unreadable))}
        if results:
            best = max(results, key=lambda folder: max(_amount(curves, entry) for curves, _ in results[folder]))
            others = tuple(folder for folder in results if folder != best)
            everything += [FigureResults(curves, entry, best, others, tag) for curves, tag in results[best]]
    return everything


def _usable(entry: Figure, folder: Path, unreadable: dict[Path, Exception] | None) -> list[tuple[Curves, str]]:
    """Return a figure's part of every result of its experiment in a folder that is complete enough, with tags."""
    usable = []
    for curves, tag in _every_setting(entry, folder, unreadable):
        if set(_compared(entry)) <= set(curves.orders):
            part = curves.select(
                seeds=_seeds(curves, entry), orders=[order for order in entry.all_orders if order in curves.orders]
            )
            if _has_paths(part, entry):
                usable.append((part, tag))
    return usable


def _every_setting(entry: Figure, folder: Path, unreadable: dict[Path, Exception] | None) -> list[tuple[Curves, str]]:
    """Return all results of a figure's experiment in a folder with their tags, None for the catalogue's settings.

    Runs without a finished block are left out, and what cannot be read if there is a place for the reasons.

    Raises
    ------
    ValueError
        If a run or a record cannot be read and ``unreadable`` is None.
    OSError
        As for ValueError.
    """
    records = records_of(entry.experiment, folder)
    if records:
        sources = [(path, tag or "") for tag, path in records.items()]
    else:
        roots = [root for root in runs_of(entry.experiment, folder) if any(root.glob("*/*/*.npz"))]
        sources = [(root, root.name[:8] if k else "") for k, root in enumerate(roots)]
    loaded = []
    for path, tag in sources:
        try:
            loaded.append((load(path), tag))
        except (ValueError, OSError) as error:
            if unreadable is None:
                raise
            unreadable[path] = error
    return loaded


def _compared(entry: Figure) -> tuple[str, ...]:
    return entry.orders if curve_names.compares_steps(entry.orders) else entry.orders[:2]


def _has_paths(curves: Curves, entry: Figure) -> bool:
    """Return whether every seed and compared order has enough iterates of the figure's first metric, far enough."""
    metric = entry.metrics[0]
    if metric not in curves.metrics:
        return False
    paths = [curves.path(metric, seed=s, order=o)[0] for s in curves.seeds for o in _compared(entry)]
    return all(len(n) > 2 and n[-1] >= entry.at_least for n in paths)


def _amount(curves: Curves, entry: Figure) -> int:
    """Return how many values of the figure's first curve were recorded under its compared orders, over all seeds."""
    columns = [curves.orders.index(order) for order in _compared(entry)]
    return int(curves.recorded[entry.metrics[0]][:, columns].sum())
