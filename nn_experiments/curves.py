"""Reading results: ``load`` gives one object with an array (seed, order, iterate) for every metric (no
torch).

This is the contract between what runs experiments and what analyses, plots and reports them.

>>> import nn_experiments as nn
>>> curves = nn.load("fig4", out="out")             # doctest: +SKIP
>>> curves["test_loss"].shape                       # (5 seeds, 2 orders, 1401 iterates)  # doctest: +SKIP
>>> n, loss = curves.path("test_loss", seed=0, order="backward")   # only what was recorded  # doctest: +SKIP

Names of metrics
----------------
Curves: ``train_loss``, ``train_accuracy`` (on the fixed, recorded training subset), ``test_loss``,
``test_accuracy``, ``newest_batch_loss`` (the paper's "training loss at each update": iterate n on batch B_n),
``outermost_batch_loss`` (iterate n on the batch whose map was applied last). Regression has no accuracies.

Diagnostics, on a coarser grid, each in two spaces (``parameter_…``: Euclidean; ``function_…``: root mean square over
the test set of the distance of predictions): ``…_increment`` between iterates n and n+1; ``…_coupling`` between
iterate n and that of a second, independent start under the same maps; ``…_independent`` between iterate n and the
forward iterate n of an independent run (same start, other batches); ``…_to_last`` between iterate n and the last
iterate N of the run (N is ``to_last`` of `Curves.experiment`). And ``parameter_norm``, ``gradient_norm`` (of the loss
on the training subset).
"""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nn_experiments import store, variants

__all__ = ["DEFAULT_OUT", "DIAGNOSTICS", "Curves", "load", "metric_names"]

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


def metric_names(stream: str, classes: int, n: int, last: int) -> tuple[str, ...]:
    """Return the metrics that a block of a stream has at iterate n (no batch losses at 0) in a run to ``last``.

    On disk the distance to the last iterate carries its N (``parameter_to_1400``), since a longer run has another
    one; `load` gives the largest N's as ``parameter_to_last``.
    """
    if stream == "diagnostics":
        return (*DIAGNOSTICS, *(f"{space}_to_{last}" for space in ("parameter", "function")))
    names = ("train_loss", "test_loss")
    if n > 0:
        names += ("newest_batch_loss", "outermost_batch_loss")
    return names + (("train_accuracy", "test_accuracy") if classes else ())


@dataclass(frozen=True)
class Curves:
    """Everything recorded of one experiment, as arrays over (seed, order, iterate).

    Attributes
    ----------
    seeds
        The seeds, increasing; axis 0.
    orders
        Names of orders and baselines (see `nn_experiments.variants`); axis 1.
    iterates
        (I,) int64, increasing: the union of all recorded iterates; axis 2.
    metrics
        Name -> (S, O, I) float64. NaN where nothing was recorded *and* where the value was NaN: ask
        `recorded`.
    recorded
        Name -> (S, O, I) bool: where a value was recorded. A recorded value that is not finite is a
        divergence.
    experiment
        The settings of the run, as in ``experiment.json`` (plain JSON): keys ``experiment`` (all fields of
        the catalogue entry), ``decides`` (what the identity is a hash of), ``identity``.
    provenance
        One dictionary per kind of block met: device, versions, kernel, chunk, with ``blocks`` (how many).
        More than one entry means that pieces came from different machines or versions.
    """

    seeds: tuple[int, ...]
    orders: tuple[str, ...]
    iterates: np.ndarray
    metrics: dict[str, np.ndarray]
    recorded: dict[str, np.ndarray]
    experiment: dict[str, Any]
    provenance: list[dict[str, Any]] = field(default_factory=list)

    def __getitem__(self, metric: str) -> np.ndarray:
        try:
            return self.metrics[metric]
        except KeyError:
            raise KeyError(f"no metric {metric!r}; recorded are {', '.join(sorted(self.metrics))}") from None

    def _place(self, seed: int, order: str) -> tuple[int, int]:
        if seed not in self.seeds:
            raise KeyError(f"no seed {seed}; recorded are {', '.join(map(str, self.seeds))}")
        if order not in self.orders:
            raise KeyError(f"no order {order!r}; recorded are {', '.join(self.orders)}")
        return self.seeds.index(seed), self.orders.index(order)

    def path(self, metric: str, *, seed: int, order: str) -> tuple[np.ndarray, np.ndarray]:
        """Return iterates and values of one curve, only where the metric was recorded (both may be empty)."""
        values = self[metric]
        s, o = self._place(seed, order)
        mask = self.recorded[metric][s, o]
        return self.iterates[mask], values[s, o, mask]

    def diverged(self, *, seed: int, order: str) -> int | None:
        """Return the first recorded iterate at which some metric is not finite, or None."""
        first: list[int] = []
        for metric in self.metrics:
            n, values = self.path(metric, seed=seed, order=order)
            first += [int(n[k]) for k in np.flatnonzero(~np.isfinite(values))[:1]]
        return min(first) if first else None

    def complete(self, metric: str, at: Iterable[int]) -> bool:
        """Return whether every seed and order has the metric at every iterate of ``at``."""
        wanted = np.isin(self.iterates, np.fromiter(at, dtype=np.int64))
        return bool(self.recorded[metric][:, :, wanted].all()) if metric in self.recorded else False

    def gradients(self, order: str, *, path: bool = False) -> np.ndarray:
        """Return the true cost in gradients of each iterate, (I,) int64.

        Alone (a backward iterate costs n, a forward one too), or with ``path=True`` the cost of all recorded
        iterates up to it.
        """
        variant = variants.parse(order)
        if not path:
            return np.array([variant.depth(int(n)) for n in self.iterates], dtype=np.int64)
        seen: set[int] = set()
        total, costs = 0, []
        for n in map(int, self.iterates):
            while n > 0 and n not in seen:
                seen.add(n)
                total += len(variant.order.word(n))
                n = variant.order.anchor(n)
            costs.append(total)
        return np.array(costs, dtype=np.int64)

    def select(
        self,
        *,
        seeds: Iterable[int] | None = None,
        orders: Iterable[str] | None = None,
        at: Iterable[int] | None = None,
        metrics: Iterable[str] | None = None,
    ) -> Curves:
        """Return the part with the given seeds, orders, iterates and metrics, in the order given."""
        seeds = self.seeds if seeds is None else tuple(seeds)
        orders = self.orders if orders is None else tuple(variants.parse(name).name for name in orders)
        names = sorted(self.metrics) if metrics is None else list(metrics)
        rows = [self._place(seed, self.orders[0])[0] for seed in seeds]
        columns = [self._place(self.seeds[0], order)[1] for order in orders]
        kept = np.ones(len(self.iterates), bool) if at is None else np.isin(self.iterates, list(at))
        place = np.ix_(np.array(rows, int), np.array(columns, int), np.flatnonzero(kept))
        return Curves(
            seeds,
            orders,
            self.iterates[kept],
            {name: self[name][place] for name in names},
            {name: self.recorded[name][place] for name in names},
            self.experiment,
            self.provenance,
        )

    def to_csv(self, path: str | Path) -> None:
        """Write a row per recorded (seed, order, iterate): seed, order, iterate, gradients, one column a
        metric.

        An empty cell was not recorded; ``nan`` and ``inf`` were.
        """
        names = sorted(self.metrics)
        with store.write_atomically(Path(path)) as temporary, temporary.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["seed", "order", "iterate", "gradients", *names])
            for o, order in enumerate(self.orders):
                cost = self.gradients(order)
                for s, seed in enumerate(self.seeds):
                    for i, n in enumerate(self.iterates):
                        cells = [
                            repr(float(self.metrics[m][s, o, i])) if self.recorded[m][s, o, i] else "" for m in names
                        ]
                        if any(cells):
                            writer.writerow([seed, order, int(n), int(cost[i]), *cells])

    def save(self, path: str | Path, *, dtype: str = "float32") -> None:
        """Write everything as one compressed ``.npz`` that `load` reads, for results of record."""
        arrays: dict[str, Any] = {f"metric/{name}": value.astype(dtype) for name, value in self.metrics.items()}
        masks: dict[str, Any] = {f"recorded/{name}": np.packbits(value) for name, value in self.recorded.items()}
        about = {"experiment": self.experiment, "provenance": self.provenance, "orders": self.orders}
        with store.write_atomically(Path(path)) as temporary, temporary.open("wb") as file:
            np.savez_compressed(
                file,
                seeds=np.array(self.seeds, np.int64),
                iterates=self.iterates,
                about=np.array(json.dumps(about)),
                **arrays,
                **masks,
            )


def _load_record(path: Path) -> Curves:
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            metrics = {
                key.removeprefix("metric/"): file[key].astype(np.float64)
                for key in file.files
                if key.startswith("metric/")
            }
            recorded = {
                name: np.unpackbits(file[f"recorded/{name}"], count=value.size).reshape(value.shape).astype(bool)
                for name, value in metrics.items()
            }
            seeds = tuple(int(seed) for seed in file["seeds"])
            orders = tuple(about["orders"])
            return Curves(seeds, orders, file["iterates"], metrics, recorded, about["experiment"], about["provenance"])
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not a file of results: {error}") from error


def _load_identity(root: Path) -> Curves:
    settings = store.read_settings(root)
    found: dict[tuple[int, str], list[store.Block]] = {}
    for seed_folder in root.iterdir():
        if not (seed_folder.is_dir() and seed_folder.name.isdigit()):
            continue
        for folder in seed_folder.iterdir():
            seed = int(seed_folder.name)
            pieces = [b for stream in store.STREAMS for b in store.blocks(root, seed, folder.name, stream=stream)]
            if pieces:
                found[seed, folder.name] = pieces
    if not found:
        raise ValueError(f"{root} holds no finished block yet")
    seeds = tuple(sorted({seed for seed, _ in found}))
    orders = tuple(sorted({name for _, name in found}, key=_rank))
    iterates = np.unique(np.concatenate([b.iterate for pieces in found.values() for b in pieces]))
    names = sorted({name for pieces in found.values() for b in pieces for name in b.values})
    ends = sorted(int(name.rpartition("_")[2]) for name in names if name.startswith("parameter_to_"))
    names = [name for name in names if "_to_" not in name or name.endswith(f"_to_{ends[-1]}")]
    shape = (len(seeds), len(orders), len(iterates))
    metrics = {name: np.full(shape, np.nan) for name in names}
    recorded = {name: np.zeros(shape, bool) for name in names}
    makers: dict[str, int] = {}
    for (seed, order), pieces in found.items():
        s, o = seeds.index(seed), orders.index(order)
        for block in pieces:
            place = np.searchsorted(iterates, block.iterate)
            for name in metrics.keys() & block.values.keys():
                metrics[name][s, o, place] = block.values[name]
                recorded[name][s, o, place] = True
            maker = {key: value for key, value in block.meta.items() if key != "seconds"}
            key = json.dumps(maker, sort_keys=True)
            makers[key] = makers.get(key, 0) + 1
    for order in orders:
        _reuse(order, orders, iterates, metrics, recorded)
    if ends:
        settings = settings | {"to_last": ends[-1]}
        for table in (metrics, recorded):
            for space in ("parameter", "function"):
                table[f"{space}_to_last"] = table.pop(f"{space}_to_{ends[-1]}")
    provenance = [{**json.loads(key), "blocks": count} for key, count in sorted(makers.items())]
    return Curves(seeds, orders, iterates, metrics, recorded, settings, provenance)


def _reuse(
    order: str,
    orders: tuple[str, ...],
    iterates: np.ndarray,
    metrics: dict[str, np.ndarray],
    recorded: dict[str, np.ndarray],
) -> None:
    """Fill in what an order shares with another one: a path reset at 1000 is the backward path until then."""
    homes = [variants.home(order, int(n)) for n in iterates]
    for other in set(homes) - {order}:
        if other in orders:
            shared = np.array([name == other for name in homes])
            a, b = orders.index(order), orders.index(other)
            for name, value in metrics.items():
                if name.endswith(("_loss", "_accuracy")):
                    value[:, a, shared] = value[:, b, shared]
                    recorded[name][:, a, shared] = recorded[name][:, b, shared]


def _rank(name: str) -> tuple[int, str]:
    kinds = ("forward", "backward", "reset", "late", "windowed", "polyak", "ema", "decayed", *variants.PARTS)
    kind = name.split("-")[0]
    return (kinds.index(kind) if kind in kinds else len(kinds), name)


def load(
    source: str | Path,
    *,
    out: str | Path | None = None,
    identity: str | None = None,
    seeds: Sequence[int] | None = None,
    orders: Sequence[str] | None = None,
) -> Curves:
    """Load results: of a figure or experiment by name, of a run's folder, or of a file of record.

    Parameters
    ----------
    source
        A name from the catalogue (``"fig4"``, ``"regression-square"``), looked up below ``out``; or a folder
        that holds ``experiment.json``; or a ``.npz`` written by `Curves.save`.
    out
        The output folder of the runs; ``out`` in the working directory unless given. A folder of results of
        record (``results``), with a file ``EXPERIMENT.npz`` an experiment, will do as well.
    identity
        First characters of the wanted identity, where ``out`` holds several variants of one experiment.
    seeds, orders
        The part wanted; everything recorded unless given. For a figure, its own orders and baselines that
        were recorded, unless given.

    Raises
    ------
    FileNotFoundError
        If nothing of that name was run into ``out``.
    ValueError
        If several identities fit, with the list of them, or a file is broken.
    """
    path = Path(source)
    wanted_orders = None
    if path.suffix == ".npz":
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {path}")
        curves = _load_record(path)
    elif (path / "experiment.json").is_file():
        curves = _load_identity(path)
    else:
        from nn_experiments import catalogue

        name = str(source)
        if name in catalogue.FIGURES:
            figure = catalogue.FIGURES[name]
            name, wanted_orders = figure.experiment, figure.all_orders
        folder = DEFAULT_OUT if out is None else Path(out)
        if (folder / f"{name}.npz").is_file():
            return _part(_load_record(folder / f"{name}.npz"), seeds, orders, wanted_orders)
        roots = [
            root.parent
            for root in sorted(folder.glob("*/experiment.json"))
            if root.parent.name.startswith(identity or "")
            and store.read_settings(root.parent).get("experiment", {}).get("name") == name
        ]
        if not roots:
            raise FileNotFoundError(f"no results of {name!r} in {folder}; `run {source} --out {folder}` makes them")
        if len(roots) > 1:
            found = ", ".join(root.name for root in roots)
            raise ValueError(f"{folder} holds several runs of {name!r}: {found}; pass identity=")
        curves = _load_identity(roots[0])
    return _part(curves, seeds, orders, wanted_orders)


def _part(
    curves: Curves, seeds: Sequence[int] | None, orders: Sequence[str] | None, figure_orders: Sequence[str] | None
) -> Curves:
    if orders is None and figure_orders is not None:
        orders = [name for name in figure_orders if name in curves.orders]
    if seeds is not None or orders is not None:
        curves = curves.select(seeds=seeds, orders=orders)
    return curves
