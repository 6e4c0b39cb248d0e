"""The reference order of a figure and another order, seed by seed, on their common iterates (NumPy only)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nn_experiments.analysis.paths import PathSummary, summarise
from nn_experiments.analysis.run_summary import path_start
from nn_experiments.paper.catalogue import Figure
from nn_experiments.results.curves import Curves

__all__ = ["Pairing", "label_of", "smaller_is_better", "unit_of"]


def smaller_is_better(metric: str, values: NDArray) -> NDArray:
    """Return the values of a metric; accuracies are converted to error rates."""
    return 1 - values if metric.endswith("_accuracy") else values


def label_of(metric: str) -> str:
    """Return the label of the compared quantity of a metric: ``train loss``, ``test error`` (1 − accuracy)."""
    return metric.replace("_accuracy", "_error").replace("_", " ")


def unit_of(metric: str) -> str:
    """Return the unit that a metric is compared in."""
    return "error rate" if metric.endswith("_accuracy") else "loss"


@dataclass(frozen=True)
class Pairing:
    """The results of a figure for two orders.

    Attributes
    ----------
    curves, figure
        The results and the figure.
    reference, other
        Names of the two orders, the first usually ``forward``.
    """

    curves: Curves
    figure: Figure
    reference: str
    other: str

    @property
    def orders(self) -> tuple[str, str]:
        """The two orders' names."""
        return self.reference, self.other

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """The figure's metrics that were recorded, followed by the paper's loss on the newest batch."""
        wanted = (*self.figure.metrics, "newest_batch_loss")
        return tuple(name for name in wanted if name in self.curves.metrics)

    @property
    def start(self) -> int:
        """The iterate from which the other order's last path starts: its last reset or switch point, or 0."""
        return path_start(self.other, self.last)

    @cached_property
    def last(self) -> int:
        """The last iterate that every seed of both orders has."""
        ends = [
            int(self.curves.path(self.figure.metrics[0], seed=s, order=o)[0].max(initial=0))
            for s in self.curves.seeds
            for o in (self.reference, self.other)
        ]
        return min(ends)

    @property
    def window(self) -> int:
        """Length of the window for variability: the figure's, but at most half of the other order's last path."""
        return min(self.figure.window, (self.last - self.start) // 2)

    def values(self, metric: str, seed: int) -> tuple[NDArray, NDArray, NDArray]:
        """Return the iterates n <= last that both orders have, and both orders' values (smaller is better)."""
        n, a = self.curves.path(metric, seed=seed, order=self.reference)
        m, b = self.curves.path(metric, seed=seed, order=self.other)
        common = np.intersect1d(n, m)
        common = common[common <= self.last]
        if common.size == 0:
            raise ValueError(f"{self.figure.name}, seed {seed}: {self.reference} and {self.other} share no iterate")
        a, b = a[np.isin(n, common)], b[np.isin(m, common)]
        return common, smaller_is_better(metric, a), smaller_is_better(metric, b)

    def summaries(self, metric: str) -> list[tuple[PathSummary, PathSummary]]:
        """Return a pair of path summaries for each seed."""
        pairs = []
        for seed in self.curves.seeds:
            n, *values = self.values(metric, seed)
            first, second = (summarise(n, v, self.window, start=self.start) for v in values)
            pairs.append((first, second))
        return pairs

    def at(self, metric: str, n: int) -> tuple[NDArray, NDArray] | None:
        """Return the values (S,) of both orders at iterate n, or None if a seed lacks one of them."""
        rows = [self.values(metric, seed) for seed in self.curves.seeds]
        if not all(n in grid for grid, _, _ in rows):
            return None
        picked = [(a[grid == n][0], b[grid == n][0]) for grid, a, b in rows]
        return np.array([a for a, _ in picked]), np.array([b for _, b in picked])
