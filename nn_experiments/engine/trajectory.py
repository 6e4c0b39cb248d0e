"""The result of `nn_experiments.iterates`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["Trajectory"]


@dataclass(frozen=True)
class Trajectory:
    """Metrics along a path of iterates.

    Attributes
    ----------
    at
        (K,) int64: which iterates, increasing.
    values
        Metric name -> (K, …) float64. NaN where an iterate has no such metric (a batch loss at iterate 0).
    gradients
        (K,) int64: the number of maps that make each iterate from θ0.
    applications
        How many maps were applied in all.
    metadata
        Engine, kernel, device, dtype and whatever else made it.
    """

    at: np.ndarray
    values: dict[str, np.ndarray]
    gradients: np.ndarray
    applications: int
    metadata: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Return one line: iterates, metrics, cost and divergence."""
        engine = f", engine {self.metadata['engine']}" if "engine" in self.metadata else ""
        diverged = "" if self.diverged is None else f", diverged at {self.diverged}"
        return (
            f"Trajectory({len(self.at):,} iterates from {self.at[0]:,} to {self.at[-1]:,}, metrics "
            f"{', '.join(self.values) or 'none'}, {self.applications:,} maps applied{engine}{diverged})"
        )

    def __getitem__(self, metric: str) -> np.ndarray:
        """Return the values of a metric, one row per iterate."""
        if metric not in self.values:
            raise KeyError(f"no metric {metric!r}; there are {', '.join(self.values)}")
        return self.values[metric]

    @property
    def diverged(self) -> int | None:
        """The first asked iterate after θ0 at which some metric is not finite, or None."""
        for k, n in enumerate(self.at):
            if n > 0 and not all(np.isfinite(value[k]).all() for value in self.values.values()):
                return int(n)
        return None
