"""The result of `nn_experiments.iterates`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from contraction.files import replacing
from contraction.values import Value
from nn_experiments.tables import DataFrame, data_frame, write_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Trajectory"]


@dataclass(frozen=True, eq=False)
class Trajectory(Value):
    """Metrics along a path of iterates.

    Attributes
    ----------
    at
        (K,) int64: which iterates, increasing.
    values
        Metric name -> (K, …) float64. NaN where an iterate has no such metric (a batch loss at iterate 0).
    gradients
        (K,) int64: the number of maps that make each iterate from θ_0.
    applications
        Number of maps that were applied in total.
    metadata
        How the path was computed: the engine, the result of the self-check, seconds, and more.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import torch
    >>> import contraction as ct
    >>> import nn_experiments as nne
    >>> model, loss = torch.nn.Linear(1, 1, bias=False), torch.nn.functional.mse_loss
    >>> step, state = nne.from_torch(model, loss, torch.optim.SGD(model.parameters(), lr=0.1))
    >>> batches = nne.ArrayBatches(torch.ones(20, 1), torch.ones(20, 1), batch_size=4, seed=0)
    >>> weight = {"weight": lambda s: s["parameters"]["weight"]}
    >>> path = nne.iterates(step, batches, state, ct.Backward(), [0, 50, 60], weight)
    >>> path.at, path["weight"].shape, path.diverged
    (array([ 0, 50, 60]), (3, 1, 1), None)
    >>> [(row["iterate"], row["gradients"]) for row in path.rows()]
    [(0, 0), (50, 50), (60, 60)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path.to_csv(Path(folder) / "path.csv")
    ...     path.plot("weight").savefig(Path(folder) / "path.png")
    ...     print(sorted(file.name for file in Path(folder).iterdir()))
    ['path.csv', 'path.png']
    >>> path.to_frame()  # doctest: +SKIP
    """

    at: np.ndarray
    values: Mapping[str, np.ndarray]
    gradients: np.ndarray
    applications: int
    metadata: Mapping[str, object] = field(default_factory=dict, compare=False)

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
        """The first iterate in ``at`` after θ_0 at which a metric is not finite, or None."""
        for k, n in enumerate(self.at):
            if n > 0 and not all(np.isfinite(value[k]).all() for value in self.values.values()):
                return int(n)
        return None

    def _columns(self) -> list[str]:
        """Return the columns of the tables; a metric of several numbers has one for each, named ``name[i]``."""
        names = []
        for name, value in self.values.items():
            indices = list(np.ndindex(value.shape[1:]))
            names += [name if index == () else f"{name}[{', '.join(map(str, index))}]" for index in indices]
        return ["iterate", "gradients", *names]

    def rows(self) -> Iterator[dict[str, int | float]]:
        """Yield a row for each iterate: ``iterate``, ``gradients``, and each metric."""
        columns = self._columns()
        for k, n in enumerate(self.at):
            numbers = [float(number) for value in self.values.values() for number in np.ravel(value[k])]
            yield dict(zip(columns, [int(n), int(self.gradients[k]), *numbers], strict=True))

    def to_csv(self, path: str | Path) -> None:
        """Write a line for each iterate: its number, the maps that make it from θ_0, and each metric.

        Raises
        ------
        TypeError
            If ``path`` is not the name of a file.
        """
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"path must be the name of a file, such as 'path.csv', got {path!r}")
        with replacing(Path(path)) as temporary:
            write_csv(temporary, self._columns(), self.rows())

    def to_frame(self) -> DataFrame:
        """Return a pandas data frame with a row for each iterate.

        Raises
        ------
        ModuleNotFoundError
            If pandas is not installed.
        """
        return data_frame(self._columns(), self.rows())

    def plot(self, metrics: str | Sequence[str] | None = None) -> Figure:
        """Return a matplotlib figure of the metrics against n, one panel each.

        Parameters
        ----------
        metrics
            A name, or several (default: all). A metric of several numbers has a line for each.

        Raises
        ------
        TypeError
            If ``metrics`` is not a name or a list of names.
        ValueError
            If ``metrics`` is empty, or the path has no metrics to draw.
        KeyError
            If the metric was not measured.
        """
        from contraction.plots.style import figure, style

        if metrics is not None and not isinstance(metrics, str | Sequence):
            raise TypeError(f"metrics must be a name, or a list of names, got {metrics!r}")
        names = [metrics] if isinstance(metrics, str) else list(self.values if metrics is None else metrics)
        if not names:
            raise ValueError("there is nothing to draw: no metric is named")
        with style():
            fig, axes = figure(1, len(names), width=max(3.1 * len(names), 4.2), height=2.8, squeeze=False)
            for axis, name in zip(axes[0], names, strict=True):
                axis.plot(self.at, self[name].reshape(len(self.at), -1), marker="." if len(self.at) < 10 else None)
                axis.set(xlabel="n", title=name.replace("_", " "))
        return fig
