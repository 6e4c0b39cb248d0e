"""Results in memory: `Curves` has one array (seed, order, iterate) for every metric (no torch).

Runs write blocks that `nn_experiments.load` assembles to `Curves`; analysis, plots and reports use only these.

>>> import nn_experiments as nn
>>> curves = nn.load("fig4", out="out")             # doctest: +SKIP
>>> curves["test_loss"].shape                       # (5 seeds, 2 orders, 1401 iterates)  # doctest: +SKIP
>>> n, loss = curves.path("test_loss", seed=0, order="backward")   # only what was recorded  # doctest: +SKIP

Names of metrics
----------------
Curves: ``train_loss``, ``train_accuracy`` (on the fixed, recorded training subset), ``test_loss``,
``test_accuracy``, ``newest_batch_loss`` (the paper's "training loss at each update": iterate n on batch B_n),
``outermost_batch_loss`` (iterate n on the batch whose map was applied last). Regression has no accuracies. Appendix D's
experiments also have what `nn_experiments.training.order_averaging_measures` computes on the newest batch: the
alignment of its parts' gradients, its gradient, and how far the mean over all orders is from the plain step.

Diagnostics, on a coarser grid, are distances in two spaces (``parameter_…``: Euclidean; ``function_…``: root mean
square over the test set of the distance of predictions): ``…_increment`` between iterates n and n+1; ``…_coupling``
between iterate n and that of a second, independent start under the same maps; ``…_independent`` between iterate n and
the forward iterate n of an independent run (same start, other batches); ``…_to_last`` between iterate n and the last
iterate N of the run (N is ``to_last`` of `Curves.experiment`). There are also ``parameter_norm`` and ``gradient_norm``
(of the loss on the training subset).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from contraction.files import replacing
from contraction.values import Value
from nn_experiments.paper import curve_names
from nn_experiments.results.blocks import Settings
from nn_experiments.tables import DataFrame, data_frame, write_csv

__all__ = ["DEFAULT_OUT", "DIAGNOSTICS", "Curves", "metric_names"]

DEFAULT_OUT = Path("out")
DIAGNOSTICS = (
    "parameter_increment",
    "function_increment",
    "parameter_coupling",
    "function_coupling",
    "parameter_independent",
    "function_independent",
    "parameter_norm",
    "gradient_norm",
)
#: Ends of the names of distances, which depend on another state too.
_DISTANCES = ("_increment", "_coupling", "_independent", "_to_last")


def metric_names(kind: str, classes: int, n: int, last: int) -> tuple[str, ...]:
    """Return the metrics that a block of a kind has at iterate n (no batch losses at 0) in a run to ``last``.

    On disk, the name of the distance to the last iterate contains its N (``parameter_to_1400``), since a longer run has
    another last iterate. `load` returns the one with the largest N as ``parameter_to_last``.
    """
    if kind == "diagnostics":
        return (*DIAGNOSTICS, *(f"{space}_to_{last}" for space in ("parameter", "function")))
    names = ("train_loss", "test_loss")
    if n > 0:
        names += ("newest_batch_loss", "outermost_batch_loss")
    return names + (("train_accuracy", "test_accuracy") if classes else ())


def _some(numbers: tuple[int, ...], most: int = 10) -> str:
    """Return numbers as text: all of them if they are few, otherwise the first two, the last one and their count."""
    if len(numbers) <= most:
        return ", ".join(map(str, numbers)) or "none"
    return f"{numbers[0]}, {numbers[1]} … {numbers[-1]} ({len(numbers)} of them)"


def _name(curve: str | curve_names.Curve) -> str:
    """Return the canonical name of a curve."""
    return curve_names.parse(curve if isinstance(curve, str) else curve_names.name_of(curve)).name


@dataclass(frozen=True, eq=False)
class Curves(Value):
    """All recorded values of one experiment, as arrays over (seed, order, iterate).

    Attributes
    ----------
    seeds
        The seeds, increasing; axis 0.
    orders
        Names of orders and baselines (see `nn_experiments.paper.curve_names`); axis 1.
    iterates
        (I,) int64, increasing: the union of all recorded iterates; axis 2.
    metrics
        Name -> (S, O, I) float64. NaN both where nothing was recorded and where the value was NaN: see
        ``recorded``.
    recorded
        Name -> (S, O, I) bool: where a value was recorded. A recorded value that is not finite is a
        divergence.
    experiment
        The settings of the run (see `nn_experiments.results.blocks.Settings`).
    provenance
        One dictionary per distinct ``meta`` of the blocks (device, versions, kernel, chunk), with their number,
        ``blocks``. More than one entry means that blocks were computed on different machines or with other versions.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import torch
    >>> import contraction as ct
    >>> import nn_experiments as nne
    >>> model, loss = torch.nn.Linear(1, 1, bias=False), torch.nn.functional.mse_loss
    >>> step, state = nne.from_torch(model, loss, torch.optim.SGD(model.parameters(), lr=0.2))
    >>> targets = torch.tensor([1.0, -1.0]).repeat(10)[:, None]
    >>> batches = nne.ArrayBatches(torch.ones(20, 1), targets, batch_size=2, seed=0)
    >>> weight = {"weight": lambda s: s["parameters"]["weight"]}
    >>> folder = tempfile.TemporaryDirectory()
    >>> curves = nne.run(
    ...     step, batches, state, [ct.Forward(), ct.Backward()], at=range(0, 41, 10), measure=weight, seeds=(0, 1),
    ...     out=folder.name, progress=False,
    ... )
    >>> curves["weight"].shape  # seeds, orders, iterates
    (2, 2, 5)
    >>> n, values = curves.path("weight", seed=0, order="backward")
    >>> n.tolist(), values[2:].round(2).tolist()  # the backward path settles
    ([0, 10, 20, 30, 40], [-0.18, -0.18, -0.18])
    >>> curves.path("weight", seed=0, order="forward")[1][2:].round(2).tolist()  # the forward path does not
    [-0.1, 0.12, -0.8]
    >>> curves.diverged(seed=0, order="forward") is None, curves.complete("weight", [0, 10])
    (True, True)
    >>> curves.gradients("backward").tolist(), curves.gradients("backward", path=True).tolist()  # alone, and in total
    ([0, 10, 20, 30, 40], [0, 10, 30, 60, 100])
    >>> part = curves.select(seeds=[1], orders=["backward"], at=[30, 40])
    >>> [(row["seed"], row["iterate"], row["gradients"]) for row in part.rows()]
    [(1, 30, 30), (1, 40, 40)]
    >>> part.to_csv(Path(folder.name) / "table.csv")
    >>> part.save(Path(folder.name) / "part.npz")  # a file of record, in float32
    >>> nne.load(Path(folder.name) / "part.npz").iterates.tolist()
    [30, 40]
    >>> part.to_frame()  # doctest: +SKIP
    >>> folder.cleanup()
    """

    seeds: tuple[int, ...]
    orders: tuple[str, ...]
    iterates: np.ndarray
    metrics: Mapping[str, np.ndarray]
    recorded: Mapping[str, np.ndarray]
    experiment: Settings
    provenance: list[dict[str, object]] = field(default_factory=list)

    def __repr__(self) -> str:
        """Return one line: experiment, seeds, orders, iterates, metrics."""
        name = self.experiment.get("experiment", {}).get("name")
        n = self.iterates
        reach = f"{len(n):,} iterates from {n[0]:,} to {n[-1]:,}" if len(n) else "no iterates"
        return (
            f"Curves({f'{name}: ' if name else ''}seeds {_some(self.seeds)}; orders {', '.join(self.orders)}; {reach}; "
            f"metrics {', '.join(sorted(self.metrics)) or 'none'})"
        )

    def __getitem__(self, metric: str) -> np.ndarray:
        """Return the values of a metric, (S, O, I)."""
        try:
            return self.metrics[metric]
        except KeyError:
            raise KeyError(f"no metric {metric!r}; recorded are {', '.join(sorted(self.metrics))}") from None

    def _row(self, seed: int) -> int:
        if seed not in self.seeds:
            raise KeyError(f"no seed {seed}; recorded are {', '.join(map(str, self.seeds))}")
        return self.seeds.index(seed)

    def _column(self, order: str | curve_names.Curve) -> int:
        order = order if isinstance(order, str) else _name(order)
        if order not in self.orders:
            raise KeyError(f"no order {order!r}; recorded are {', '.join(self.orders)}")
        return self.orders.index(order)

    def path(self, metric: str, *, seed: int, order: str | curve_names.Curve) -> tuple[np.ndarray, np.ndarray]:
        """Return the iterates at which a metric of one curve was recorded, and its values (both may be empty).

        ``order`` is a name, or the order, average or policy itself.
        """
        values = self[metric]
        s, o = self._row(seed), self._column(order)
        mask = self.recorded[metric][s, o]
        return self.iterates[mask], values[s, o, mask]

    def diverged(self, *, seed: int, order: str) -> int | None:
        """Return the first recorded iterate at which a metric other than a distance is not finite, or None.

        Distances do not count, since they depend on another state as well.
        """
        first: list[int] = []
        for metric in (name for name in self.metrics if not name.endswith(_DISTANCES)):
            n, values = self.path(metric, seed=seed, order=order)
            first += [int(n[k]) for k in np.flatnonzero(~np.isfinite(values))[:1]]
        return min(first) if first else None

    def complete(self, metric: str, at: Iterable[int]) -> bool:
        """Return whether every seed and order has the metric at every iterate of ``at``."""
        wanted = np.isin(self.iterates, np.fromiter(at, dtype=np.int64))
        return bool(self.recorded[metric][:, :, wanted].all()) if metric in self.recorded else False

    def gradients(self, order: str, *, path: bool = False) -> np.ndarray:
        """Return the number of gradients that each iterate costs, (I,) int64.

        By default this is the cost of the iterate alone, which is n for forward and backward iterates; with
        ``path=True`` it is the cost of all recorded iterates up to it.

        Raises
        ------
        ValueError
            If ``path`` is True and the curve is that of a policy, whose cost depends on its decisions.
        """
        variant = curve_names.parse(order)
        if path and isinstance(variant, curve_names.Decided):
            raise ValueError(f"what a path under {order} costs depends on its decisions")
        if not path:
            return np.array([variant.depth(int(n)) for n in self.iterates], dtype=np.int64)
        return np.array(variant.path_costs(self.iterates.tolist()), dtype=np.int64)

    def select(
        self,
        *,
        seeds: Iterable[int] | None = None,
        orders: Iterable[str | curve_names.Curve] | None = None,
        at: Iterable[int] | None = None,
        metrics: Iterable[str] | None = None,
    ) -> Curves:
        """Return the part with these seeds, orders, iterates and metrics, in this order."""
        seeds = self.seeds if seeds is None else tuple(seeds)
        chosen: tuple[str, ...] = self.orders if orders is None else tuple(map(_name, orders))
        names = sorted(self.metrics) if metrics is None else list(metrics)
        rows = [self._row(seed) for seed in seeds]
        columns = [self._column(order) for order in chosen]
        kept = np.ones(len(self.iterates), bool) if at is None else np.isin(self.iterates, list(at))
        cells = np.ix_(np.array(rows, int), np.array(columns, int), np.flatnonzero(kept))
        return Curves(
            seeds,
            chosen,
            self.iterates[kept],
            {name: self[name][cells] for name in names},
            {name: self.recorded[name][cells] for name in names},
            self.experiment,
            self.provenance,
        )

    def rows(self) -> Iterator[dict[str, str | int | float | None]]:
        """Yield a row for each recorded (seed, order, iterate): these three, ``gradients``, and all metrics.

        A metric that was not recorded is None; NaN and infinity are recorded values.
        """
        names = sorted(self.metrics)
        for o, order in enumerate(self.orders):
            cost = self.gradients(order)
            for s, seed in enumerate(self.seeds):
                for i, n in enumerate(self.iterates):
                    cells = {
                        name: float(self.metrics[name][s, o, i]) if self.recorded[name][s, o, i] else None
                        for name in names
                    }
                    if any(cell is not None for cell in cells.values()):
                        yield {"seed": seed, "order": order, "iterate": int(n), "gradients": int(cost[i]), **cells}

    def to_csv(self, path: str | Path) -> None:
        """Write a line for each of `rows`; values that were not recorded are empty cells."""
        with replacing(Path(path)) as temporary:
            write_csv(temporary, ["seed", "order", "iterate", "gradients", *sorted(self.metrics)], self.rows())

    def to_frame(self) -> DataFrame:
        """Return a pandas data frame with a row for each of `rows`; values that were not recorded are missing.

        Raises
        ------
        ModuleNotFoundError
            If pandas is not installed.
        """
        columns = ["seed", "order", "iterate", "gradients", *sorted(self.metrics)]
        return data_frame(columns, self.rows())

    def save(self, path: str | Path, *, dtype: str = "float32") -> None:
        """Write everything into one compressed ``.npz``, a file of record, which `load` reads."""
        about = {"experiment": dict(self.experiment), "provenance": self.provenance, "orders": self.orders}
        arrays = {
            "seeds": np.array(self.seeds, np.int64),
            "iterates": self.iterates,
            "about": np.array(json.dumps(about)),
            **{f"metric/{name}": value.astype(dtype) for name, value in self.metrics.items()},
            **{f"recorded/{name}": np.packbits(value) for name, value in self.recorded.items()},
        }
        with replacing(Path(path)) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # no array is called "allow_pickle"
