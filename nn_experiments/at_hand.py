"""Which figures can be drawn and judged from the results at hand (no torch)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from nn_experiments import catalogue, variants
from nn_experiments.catalogue import Figure
from nn_experiments.curves import Curves
from nn_experiments.loading import load

__all__ = ["load_figure", "results_at_hand"]


def load_figure(entry: Figure, out: Path, *, identity: str | None = None, seeds: Sequence[int] | None = None) -> Curves:
    """Load a figure's seeds and orders, as far as they were recorded.

    Raises
    ------
    FileNotFoundError
        If there is nothing of it, with the command that makes it.
    """
    curves = load(entry.name, out=out, identity=identity, seeds=seeds)
    if seeds is None:
        wanted = [seed for seed in entry.seeds if seed in curves.seeds]
        curves = curves.select(seeds=wanted or curves.seeds)
    return curves


def results_at_hand(folders: Iterable[Path]) -> list[tuple[Curves, Figure]]:
    """Return (curves, figure) for every figure of the catalogue that a folder has all compared orders of.

    The first folder that has a figure wins. A figure of which only a part of its orders was recorded is left
    out, and so is one whose results do not reach its `Figure.at_least` (Figure 11 beside a run of Figure 2).
    """
    found = []
    folders = list(folders)
    for entry in catalogue.FIGURES.values():
        for folder in folders:
            try:
                curves = load_figure(entry, folder)
            except FileNotFoundError:
                continue
            if curves.iterates[-1] < entry.at_least:
                continue
            compared = entry.orders if any(variants.parse(o).rule for o in entry.orders) else entry.orders[:2]
            if set(compared) <= set(curves.orders) and _has_paths(curves, entry, compared):
                found.append((curves, entry))
                break
    return found


def _has_paths(curves: Curves, entry: Figure, orders: Sequence[str]) -> bool:
    """Whether every seed has several iterates of the figure's first curve under every order."""
    metric = entry.metrics[0]
    return metric in curves.metrics and all(
        len(curves.path(metric, seed=s, order=o)[0]) > 2 for s in curves.seeds for o in orders
    )
