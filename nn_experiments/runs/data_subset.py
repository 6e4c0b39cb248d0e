"""The images that the runs of a figure read, and data subsets with exactly these images (NumPy only)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np

from nn_experiments.datasets import load_dataset, sources
from nn_experiments.datasets.dataset import Dataset
from nn_experiments.datasets.errors import DataError
from nn_experiments.datasets.subset import DataSubset, Rows, write_subset
from nn_experiments.paper import catalogue
from nn_experiments.paper.catalogue import Experiment, Figure
from nn_experiments.training.sampling import Sampler

__all__ = ["export_subsets", "needed_rows", "require_rows"]


def needed_rows(
    experiment: Experiment, seeds: Sequence[int], steps: int, *, diagnostics: bool, sizes: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the training and test images that runs of an experiment read.

    These are the images of B_1 … B_steps (at least B_2, which the check of determinism uses), those of the independent
    second stream of batches if there are diagnostics (`Workplace.other_batches`), and the fixed subsets on which losses
    are computed.

    Parameters
    ----------
    experiment, seeds
        The runs.
    steps
        Last iterate of the runs.
    diagnostics
        Whether diagnostics are measured as well.
    sizes
        Number of training and of test images in the whole set.

    Raises
    ------
    ValueError
        If there is no seed, or ``steps`` is less than 1.
    """
    if steps < 1 or not seeds:
        raise ValueError(f"a run needs seeds and steps >= 1, got {tuple(seeds)} and {steps}")
    train = [np.arange(sizes[0])[: experiment.train_evaluation]]
    for seed in seeds:
        for stream in ("batch", "other batch") if diagnostics else ("batch",):
            sampler = Sampler(experiment.sampling, experiment.batch_size, sizes[0], seed, stream)
            train += [sampler(i) for i in range(1, max(steps, 2) + 1)]
    return np.unique(np.concatenate(train)), np.arange(sizes[1])[: experiment.test_evaluation]


def require_rows(
    dataset: Dataset, experiment: Experiment, seeds: Sequence[int], steps: int, *, diagnostics: bool
) -> None:
    """Check that a data subset holds all images that runs read (`needed_rows`); a whole set is not checked.

    Raises
    ------
    DataError
        If the subset lacks an image.
    """
    if not isinstance(dataset, DataSubset) or not seeds:
        return
    inputs = cast(Rows, dataset.train_inputs), cast(Rows, dataset.test_inputs)
    sizes = len(inputs[0]), len(inputs[1])
    needed = needed_rows(experiment, seeds, steps, diagnostics=diagnostics, sizes=sizes)
    for held, rows in zip(inputs, needed, strict=True):
        held.require(rows)


def export_subsets(
    figures: Sequence[str],
    into: Path,
    *,
    seeds: Sequence[int] | None = None,
    steps: int | None = None,
    changes: Mapping[str, str] | None = None,
    diagnostics: bool = True,
    reduced: bool = False,
    data_dir: str | Path | None = None,
    official: bool = True,
) -> list[tuple[Path, DataSubset]]:
    """Write the images that the runs of these figures read, one file per data set; an existing subset is extended.

    Parameters
    ----------
    figures
        Names of figures in the catalogue.
    into
        The output folder, which is the ``--data-dir`` of these runs.
    seeds, steps
        As in the runs (default: those of the figures).
    changes
        The ``--set`` options of the runs (default: none). Only fields that the images depend on matter
        (``batch_size``, ``sampling``, …).
    diagnostics
        Whether the runs have diagnostics, which need a second stream of batches (default: True).
    reduced
        Whether the runs are the figures' reduced forms (default: False).
    data_dir, official
        Where the whole data sets are, as in `load_dataset`.

    Raises
    ------
    ValueError
        If a figure needs no files.
    DataError
        If the folder holds the whole set, or a subset of other data.
    """
    plans: dict[str, list[tuple[Figure, Experiment]]] = {}
    for name in figures:
        figure, reductions = catalogue.find(name), {}
        if reduced:
            figure, reductions = figure.smaller()
        experiment = catalogue.EXPERIMENTS[figure.experiment].override({**reductions, **(changes or {})})
        if experiment.data not in sources.SOURCES:
            raise ValueError(f"{figure.name} needs no data folder: {experiment.data} comes with the package")
        if into.is_dir() and sources.find_local(experiment.data, into) is not None:
            raise DataError(f"{into} holds the whole {experiment.data}: a subset in it would never be read")
        plans.setdefault(experiment.data, []).append((figure, experiment))
    written = []
    for data, runs in plans.items():
        dataset = load_dataset(data, data_dir=data_dir, official=official)
        sizes = len(dataset.train_inputs), len(dataset.test_inputs)
        rows, purposes = [], []
        for figure, experiment in runs:
            wanted = figure.seeds if seeds is None else tuple(seeds)
            last = figure.steps if steps is None else steps
            measured = diagnostics and figure.diagnostics_every > 0
            rows.append(needed_rows(experiment, wanted, last, diagnostics=measured, sizes=sizes))
            purposes.append(
                f"{figure.name}, seed{'s' if len(wanted) > 1 else ''} {', '.join(map(str, wanted))}, up to step "
                f"{last:,}, {experiment.sampling} batches of {experiment.batch_size}, "
                f"{'with' if measured else 'without'} diagnostics"
            )
        train, test = (np.concatenate(part) for part in zip(*rows, strict=True))
        written.append(write_subset(dataset, (train, test), purposes, into))
    return written
