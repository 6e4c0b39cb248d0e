"""How a run differs from the figure of the paper: reduced, incomplete, diverged, other settings (no torch)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from contraction.maps.orders import Late, Reset
from contraction.values import Value
from nn_experiments.analysis.paths import best_so_far
from nn_experiments.paper import curve_names
from nn_experiments.paper.catalogue import EXPERIMENTS, Figure, plain_fields
from nn_experiments.results.blocks import Settings
from nn_experiments.results.curves import Curves

__all__ = ["Circumstances", "circumstances", "path_start", "recorded_grid", "spacing"]

#: Steps between the recorded iterates of a figure, if the paper says that they are more than one.
PAPER_EVERY = {"fig11": 100}
#: A path whose training loss never fell by this part of its first value has not trained.
TRAINED = 0.1


def path_start(order: str, last: int) -> int:
    """Return the iterate from which the path to iterate ``last`` starts: the last reset or switch point, or 0."""
    match curve_names.parse(order).order:
        case Reset(points=points):
            return max((point for point in points if point < last), default=0)
        case Late(s=s):
            return s if s < last else 0
    return 0


def spacing(n: np.ndarray) -> int:
    """Return the gap between iterates if it is one and the same, the last gap aside, which may be smaller; else 0.

    Parameters
    ----------
    n
        (K,) increasing integers. One iterate alone has the gap 1.

    Examples
    --------
    >>> spacing(np.array([0, 3, 6, 7])), spacing(np.array([0, 1, 2, 4, 8]))
    (3, 0)
    """
    gaps = np.diff(n)
    if not len(gaps):
        return 1
    even = np.all(gaps[:-1] == gaps[0]) and gaps[-1] <= gaps[0]
    return int(gaps[0]) if even else 0


def recorded_grid(n: np.ndarray) -> str:
    """Return in words which iterates were recorded.

    Examples
    --------
    >>> recorded_grid(np.arange(5)), recorded_grid(np.arange(0, 9, 3)), recorded_grid(2 ** np.arange(8))
    ('every iterate', 'every 3rd iterate', '8 iterates 1 to 64 apart')
    """
    every = spacing(n)
    if not every:
        return f"{len(n):,} iterates {np.diff(n).min():,} to {np.diff(n).max():,} apart"
    return curve_names.every_iterate(every)


@dataclass(frozen=True, eq=False)
class Circumstances(Value):
    """How results relate to the figure of the paper.

    Attributes
    ----------
    steps, every, grid
        Last iterate that every drawn curve reaches, the gap between recorded ones (0 if it is not one and the
        same), and the recorded ones in words.
    seeds
        Number of seeds.
    reductions
        Descriptions of what is less than in the paper (steps, grid, seeds).
    changes
        Fields of the experiment that differ from the catalogue's, and the subsets that losses are computed on.
    incomplete
        Descriptions of the seeds and orders with fewer iterates than the others.
    diverged
        (seed, order, first iterate with a value that is not finite).
    untrained
        A sentence, if no curve's training loss ever fell by `TRAINED` of its first value, so that comparisons of
        orders are about the first steps of training only; otherwise empty.
    """

    steps: int
    every: int
    seeds: int
    reductions: tuple[str, ...]
    changes: tuple[str, ...]
    incomplete: tuple[str, ...]
    diverged: tuple[tuple[int, str, int], ...]
    untrained: str = ""
    grid: str = "every iterate"

    def brief(self) -> str:
        """Return the last iterate and the seeds, and what is less than in the paper: for a cell of a table."""
        text = f"N = {self.steps:,}, {self.seeds} seed{'s' if self.seeds > 1 else ''}"
        return f"{text}. REDUCED: {'; '.join(self.reductions)}" if self.reductions else text

    def label(self, *, distances: str = "") -> str:
        """Return one line for the plot: what was run, and REDUCED if that is less than in the paper.

        For a plot of distances, pass their recorded iterates in words; the text then has these in place of the curves'.
        """
        grid, reductions, changes = f"{self.grid} recorded", self.reductions, self.changes
        if distances:
            grid = f"distances recorded at {distances}"
            reductions = tuple(text for text in reductions if not text.startswith(self.grid))
            changes = tuple(text for text in changes if " = " in text)
        text = f"N = {self.steps:,}, {grid}, {self.seeds} seed{'s' if self.seeds > 1 else ''}"
        if reductions:
            text += f". REDUCED: {'; '.join(reductions)}"
        if self.incomplete:
            text += ". INCOMPLETE: " + (
                "; ".join(self.incomplete)
                if len(self.incomplete) < 3
                else f"{len(self.incomplete)} curves lack iterates"
            )
        return ". ".join((text, *([self.untrained] if self.untrained else []), *changes))


def _differences(settings: Settings, name: str) -> list[str]:
    """Return the fields that the numbers depend on and that differ from the catalogue's, as ``field = value``."""
    if name not in EXPERIMENTS:
        return []
    usual = plain_fields(json.loads(json.dumps(EXPERIMENTS[name].decides())))
    actual = plain_fields(settings.get("experiment", {}))
    compared = (key for key in usual if key in actual and not key.endswith("_evaluation"))
    return [f"{key} = {actual[key]} (not {usual[key]})" for key in compared if actual[key] != usual[key]]


def circumstances(curves: Curves, figure: Figure, *, orders: Sequence[str] | None = None) -> Circumstances:
    """Return what was run, compared with the figure of the paper.

    Raises
    ------
    ValueError
        If none of the figure's curves was recorded.
    """
    names = orders or figure.orders or figure.all_orders  # a picture of baselines alone compares no orders
    orders = [name for name in names if name in curves.orders]
    metric = figure.metrics[0]
    if metric not in curves.metrics or not orders:
        raise ValueError(f"{figure.name}: nothing was recorded of {metric} for {', '.join(names)}")
    iterates = {(s, o): curves.path(metric, seed=s, order=o)[0] for s in curves.seeds for o in orders}
    full = max(iterates.values(), key=len)
    if not len(full):
        raise ValueError(f"{figure.name}: no iterate recorded yet")
    steps = int(full[-1])
    every = spacing(full)
    usual_gap = every or int(np.median(np.diff(full)))
    grid = full[full % usual_gap == 0]
    incomplete = [
        f"seed {s} {o} has {np.isin(grid, n).sum()} of {len(grid)} iterates"
        for (s, o), n in iterates.items()
        if not np.isin(grid, n).all()
    ]
    reductions = []
    if steps < figure.steps:
        reductions.append(f"{steps:,} of {figure.steps:,} steps")
    usual = PAPER_EVERY.get(figure.name, 1)
    if every != usual and len(full) <= steps // usual and figure.section != "-":  # else no figure of the paper's
        reductions.append(f"{recorded_grid(full)} (the paper: {curve_names.every_iterate(usual)})")
    if len(curves.seeds) < len(figure.seeds):
        reductions.append(f"{len(curves.seeds)} of {len(figure.seeds)} seeds")
    experiment = curves.experiment.get("experiment", {})
    changes = _differences(curves.experiment, figure.experiment)
    parts = [part for part in ("train", "test") if any(name.startswith(part) for name in figure.metrics)]
    subsets = {part: experiment[f"{part}_evaluation"] for part in parts if experiment.get(f"{part}_evaluation")}
    if subsets:
        whose = "" if len(subsets) > 1 else f"{next(iter(subsets))} "
        sizes = " and ".join(f"{size:,} {part}" for part, size in subsets.items())
        changes.append(f"{whose}curves on the first {sizes} items")
    diverged = [
        (s, o, at) for s in curves.seeds for o in curves.orders if (at := curves.diverged(seed=s, order=o)) is not None
    ]
    return Circumstances(
        steps,
        every,
        len(curves.seeds),
        tuple(reductions),
        tuple(changes),
        tuple(incomplete),
        tuple(diverged),
        _untrained(curves, orders),
        recorded_grid(full),
    )


def _untrained(curves: Curves, orders: Sequence[str]) -> str:
    """Return a sentence if no training loss fell by `TRAINED` of its first recorded value, or an empty string."""
    if "train_loss" not in curves.metrics:
        return ""
    paths = [curves.path("train_loss", seed=s, order=o)[1] for s in curves.seeds for o in orders]
    falls = [1 - best_so_far(v)[-1] / v[0] for v in paths if len(v) > 1 and v[0] > 0]
    if not falls or max(falls) >= TRAINED:
        return ""
    return f"HARDLY TRAINED: the training loss fell by {max(falls):.1%} of its start at most"
