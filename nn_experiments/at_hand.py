"""Which figures can be drawn and judged from the results at hand (no torch)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from nn_experiments import catalogue, variants
from nn_experiments.catalogue import Figure
from nn_experiments.curves import Curves
from nn_experiments.loading import load, records_of, runs_of

__all__ = ["load_figure", "results_at_hand"]


def load_figure(
    entry: Figure,
    out: Path,
    *,
    identity: str | None = None,
    seeds: Sequence[int] | None = None,
    orders: Sequence[str] | None = None,
) -> Curves:
    """Load a figure's seeds and orders, as far as they were recorded, or those named.

    Raises
    ------
    FileNotFoundError
        If there is nothing of it, with the command that makes it.
    ValueError
        If a named seed or order was not recorded, or several identities fit, with the list of them.
    """
    try:
        curves = load(entry.name, out=out, identity=identity, seeds=seeds, orders=orders)
    except KeyError as error:  # a seed or an order that was asked for by name
        raise ValueError(f"{entry.name} in {out}: {error.args[0]}") from None
    if seeds is None:
        wanted = [seed for seed in entry.seeds if seed in curves.seeds]
        curves = curves.select(seeds=wanted or curves.seeds)
    return curves


def results_at_hand(folders: Iterable[Path]) -> list[tuple[Curves, Figure]]:
    """Return (curves, figure) for every figure of the catalogue that a folder has all compared orders of.

    The first folder that has a figure wins; if it holds several variants of the experiment (``--set``), all of them
    are returned, the catalogue's own first. A figure of which only a part of its orders was recorded is left out.
    """
    found = []
    folders = list(folders)
    for entry in catalogue.FIGURES.values():
        for folder in folders:
            results = [curves for curves in _variants(entry, folder) if _comparable(curves, entry)]
            if results:
                found += [(curves, entry) for curves in results]
                break
    return found


def _variants(entry: Figure, folder: Path) -> list[Curves]:
    """Return everything that a folder has of a figure's experiment; a run without a finished block has nothing."""
    records = records_of(entry.experiment, folder)
    if records:
        names = [path.stem.partition("--")[2] or None for path in records]
        return [load_figure(entry, folder, identity=name) for name in names]
    roots = [root for root in runs_of(entry.experiment, folder) if any(root.glob("*/*/*.npz"))]
    return [load_figure(entry, folder, identity=root.name) for root in roots]


def _comparable(curves: Curves, entry: Figure) -> bool:
    compared = entry.orders if any(variants.parse(o).rule for o in entry.orders) else entry.orders[:2]
    return set(compared) <= set(curves.orders) and _has_paths(curves, entry, compared)


def _has_paths(curves: Curves, entry: Figure, orders: Sequence[str]) -> bool:
    """Whether every seed has several iterates of the figure's first curve under every order."""
    metric = entry.metrics[0]
    return metric in curves.metrics and all(
        len(curves.path(metric, seed=s, order=o)[0]) > 2 for s in curves.seeds for o in orders
    )
