"""The step, batches, initial state and metrics of an experiment of the catalogue for one seed, and its identity.

`ExperimentProblem` and `Workplace` implement the protocols of `nn_experiments.runs.problem` for the catalogue.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from torch import nn

from contraction.expansions.regularisers import regularisation_strength
from nn_experiments.datasets import Dataset, load_dataset
from nn_experiments.datasets.stand_in import stand_in
from nn_experiments.engine.ensemble.convolutions import laid_out
from nn_experiments.engine.kernels.choose import make_kernel
from nn_experiments.engine.kernels.mlp import Kernel
from nn_experiments.paper.catalogue import Experiment
from nn_experiments.paper.curve_names import Decayed, OrderCurve, StepRule
from nn_experiments.results.blocks import Settings
from nn_experiments.results.curves import metric_names
from nn_experiments.runs.data_subset import require_rows
from nn_experiments.runs.precision import by_autograd, products
from nn_experiments.training import models
from nn_experiments.training.batches import ArrayBatches, Batch, BatchLike, Inputs
from nn_experiments.training.initialisation import initialise
from nn_experiments.training.metrics import Evaluation, Measurement
from nn_experiments.training.order_averaging import OrderAveragingStep
from nn_experiments.training.order_averaging_measures import SPLIT_METRICS, SplitEvaluation
from nn_experiments.training.sampling import Sampler
from nn_experiments.training.step import LOSSES, State, Step, TrainingStep, initial_state

__all__ = ["ExperimentProblem", "Workplace", "identity", "prepare", "settings"]


def settings(experiment: Experiment, dataset: Dataset) -> Settings:
    """Return the contents of ``experiment.json``; the identity is a hash of everything that the numbers depend on."""
    sampler = Sampler(experiment.sampling, experiment.batch_size, len(dataset.train_inputs), 0)
    decides = experiment.decides() | {"fingerprint": dataset.fingerprint, "batches": sampler.describe()}
    text = json.dumps(decides, sort_keys=True)
    return {
        "identity": hashlib.sha256(text.encode()).hexdigest()[:16],
        "experiment": experiment.to_json(),
        "decides": json.loads(text),
        "data": {
            "name": dataset.name,
            "fingerprint": dataset.fingerprint,
            "train": len(dataset.train_inputs),
            "test": len(dataset.test_inputs),
        },
    }


def identity(experiment: Experiment, dataset: Dataset) -> str:
    """Return the identity of an experiment's runs, 16 hexadecimal digits."""
    return settings(experiment, dataset)["identity"]


@dataclass(frozen=True, eq=False)
class Workplace:
    """All tensors of one experiment and seed.

    Attributes
    ----------
    step, batches, state0
        The arguments of the engines.
    second
        An independent initial state, for the distance of two starts under the same maps.
    other_batches
        Independent batches, for the distance of two runs from the same start.
    evaluation
        Losses and accuracies.
    """

    experiment: Experiment
    seed: int
    dataset: Dataset
    model: nn.Module
    step: TrainingStep
    batches: ArrayBatches
    state0: State
    second: State
    other_batches: ArrayBatches
    evaluation: Evaluation

    @property
    def measurement(self) -> Measurement:
        """The metrics of every recorded iterate; for batches that are split, also those that appendix D compares."""
        parts = self.experiment.parts
        if parts is None:
            return self.evaluation
        return SplitEvaluation(self.evaluation, c=parts, h=self.experiment.optimizer.learning_rate)

    def kernel(self, curve: OrderCurve, engine: str) -> Kernel:
        """Return the kernel that applies the maps of a curve, one chain at a time."""
        step = self.step_of(curve)
        return make_kernel(step, self.batches, by_autograd(step, engine, self.experiment))

    def step_of(self, curve: OrderCurve) -> Step:
        """Return the step of a curve: the experiment's, one with a decaying learning rate, or one of appendix D."""
        optimizer = self.experiment.optimizer
        if isinstance(curve, Decayed):
            return TrainingStep(self.model, self.step.loss, optimizer.decayed(curve.tau), seed=self.seed)
        if not isinstance(curve, StepRule):
            return self.step
        parts = self.experiment.parts
        assert parts is not None  # `Request` checks it
        small = replace(optimizer, learning_rate=optimizer.learning_rate / parts)
        at_small_rate = TrainingStep(self.model, self.step.loss, small, seed=self.seed)
        if curve.rule == "large":
            return at_small_rate
        if curve.multiple is not None:
            return self._averaging(curve, parts)

        def step(state: State, batch: BatchLike, t: int) -> State:
            assert isinstance(batch, Batch)
            pieces = zip(batch.inputs.chunk(parts), batch.targets.chunk(parts), strict=True)
            for x, y in pieces:
                state = at_small_rate(state, Batch(x, y, batch.index), t)
            return state

        return step

    def _averaging(self, curve: StepRule, parts: int) -> OrderAveragingStep:
        """Return the regularised step of a curve, or the step with the term of a single order."""
        optimizer, single_order = self.experiment.optimizer, curve.rule == "single_order"
        h = optimizer.learning_rate
        unit: Literal["h", "h/c", "derived"] = _UNITS[curve.unit]
        if single_order and unit == "derived":
            unit = "h/c"  # T_small has h'² Σ_{i>j} V_i'V_j
        assert curve.multiple is not None  # `step_of` checks it
        lam = regularisation_strength(curve.multiple, h, parts, unit=unit)
        rate = replace(optimizer, learning_rate=h if curve.rate == "h" else h / parts)
        plain = TrainingStep(self.model, self.step.loss, rate, seed=self.seed)
        return OrderAveragingStep(plain, c=parts, lam=lam, single_order=single_order)


#: How names of curves write the units of λ.
_UNITS: dict[str, Literal["h", "h/c", "derived"]] = {"h": "h", "hc": "h/c", "derived": "derived"}


@lru_cache(maxsize=2)
def prepare(
    experiment: Experiment,
    seed: int,
    *,
    data_dir: str | None = None,
    official: bool = True,
    device: str = "cpu",
    random_data: bool = False,
) -> Workplace:
    """Return the tensors of an experiment and seed; those of the last two calls are cached.

    Raises
    ------
    ValueError
        If the model is unknown or cannot take the data.
    MissingData
        If the data set is missing and cannot be downloaded.
    DataError
        If the data is truncated or altered.
    """
    if random_data:
        dataset = stand_in(experiment.data)
    else:
        dataset = load_dataset(experiment.data, data_dir=data_dir, official=official)
    dtype = {"float32": torch.float32, "float64": torch.float64}[experiment.dtype]
    model = models.build(experiment.model, dataset.shape, dataset.outputs, activation=experiment.activation)
    model = model.to(dtype=dtype, device=device)
    inputs = Inputs(dataset, scaling=experiment.scaling, dtype=dtype, device=device)
    sampler = Sampler(experiment.sampling, experiment.batch_size, len(dataset.train_inputs), seed)
    batches, other = (
        ArrayBatches.from_inputs(inputs, replace(sampler, batch_stream=s)) for s in ("batch", "other batch")
    )
    loss = LOSSES[experiment.loss]
    step = TrainingStep(model, loss, experiment.optimizer, seed=seed)
    first, second = (
        initial_state(
            model,
            {k: v.to(device) for k, v in initialise(model, seed, initialisation=rule, purpose=p, dtype=dtype).items()},
        )
        for rule, p in ((experiment.initialisation, "initial"), (experiment.initialisation, "second start"))
    )
    small = device == "cpu" and any(isinstance(module, nn.Conv2d) for module in model.modules())  # images in cache

    def looked_at(part: str, count: int, most: int | None) -> tuple[torch.Tensor, torch.Tensor]:
        images, targets = inputs(part, np.arange(count)[:most])
        return laid_out(images), targets

    evaluation = Evaluation(
        model,
        loss,
        looked_at("train", len(dataset.train_inputs), experiment.train_evaluation),
        looked_at("test", len(dataset.test_inputs), experiment.test_evaluation),
        classes=dataset.classes,
        rows=200 if small else 1000,
    )
    return Workplace(experiment, seed, dataset, model, step, batches, first, second, other, evaluation)


@dataclass(frozen=True)
class ExperimentProblem:
    """An experiment of the catalogue, with the location of its data and the device.

    Attributes
    ----------
    experiment
        What is trained.
    data_dir, official
        As in `nn_experiments.datasets.load_dataset`.
    device
        A torch device, such as ``cpu`` or ``cuda:0``.
    random_data
        Whether to use random images in place of the data set, for timing only.
    """

    experiment: Experiment
    data_dir: str | None = None
    official: bool = True
    device: str = "cpu"
    random_data: bool = False

    @property
    def name(self) -> str:
        """The experiment's name."""
        return self.experiment.name

    @property
    def dataset(self) -> Dataset:
        """The data set; loaded once in each process."""
        if self.random_data:
            return stand_in(self.experiment.data)
        return load_dataset(self.experiment.data, data_dir=self.data_dir, official=self.official)

    def settings(self) -> Settings:
        """Return the contents of ``experiment.json``."""
        return settings(self.experiment, self.dataset)

    def metric_names(self, kind: str, n: int, last: int) -> tuple[str, ...]:
        """Return the metrics of iterate n in a run to ``last``."""
        names = metric_names(kind, self.dataset.classes, n, last)
        return names + SPLIT_METRICS if self.experiment.parts and kind == "curves" and n > 0 else names

    def require(self, kind: str, seeds: Sequence[int], last: int) -> None:
        """Raise DataError if a data subset lacks an image that the missing iterates need."""
        require_rows(self.dataset, self.experiment, seeds, last, diagnostics=kind == "diagnostics")

    def prepare(self, seed: int) -> Workplace:
        """Return the tensors of a seed; those of the last two seeds are cached."""
        return prepare(
            self.experiment,
            seed,
            data_dir=self.data_dir,
            official=self.official,
            device=self.device,
            random_data=self.random_data,
        )

    def arithmetic(self) -> AbstractContextManager[None]:
        """Return the context in which steps and measurements are computed."""
        return products(self.experiment, self.device)
