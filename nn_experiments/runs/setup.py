"""From a catalogue entry and a seed to tensors: step, batches, initial state, measurement; and the identity.

`ExperimentProblem` and `Workplace` are the catalogue's form of the runner's protocol (`nn_experiments.runs.problem`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

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
from nn_experiments.results.curves import metric_names
from nn_experiments.runs.data_subset import require_rows
from nn_experiments.runs.precision import by_autograd, products
from nn_experiments.training import models
from nn_experiments.training.batches import ArrayBatches, Batch, Inputs
from nn_experiments.training.initialisation import initialise
from nn_experiments.training.metrics import Evaluation, Measurement
from nn_experiments.training.order_averaging import OrderAveragingStep
from nn_experiments.training.order_averaging_measures import SPLIT_METRICS, SplitEvaluation
from nn_experiments.training.sampling import Sampler
from nn_experiments.training.step import LOSSES, State, TrainingStep, initial_state

__all__ = ["ExperimentProblem", "Workplace", "identity", "prepare", "settings"]


def settings(experiment: Experiment, dataset: Dataset) -> dict[str, Any]:
    """Return what goes into ``experiment.json``, with the identity: a hash of what decides the numbers."""
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
        What the engines take.
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
        """What is measured at every recorded iterate: of split batches also what appendix D compares."""
        parts = self.experiment.parts
        if parts is None:
            return self.evaluation
        return SplitEvaluation(self.evaluation, c=parts, h=self.experiment.optimizer.learning_rate)

    def kernel(self, curve: OrderCurve, engine: str) -> Kernel:
        """Return what applies the maps of a curve, one chain at a time."""
        step = self.step_of(curve)
        return make_kernel(step, self.batches, by_autograd(step, engine, self.experiment))

    def step_of(self, curve: OrderCurve) -> Callable[[State, Any, int], State]:
        """Return the step that a curve takes: the experiment's own, with a decayed rate, or one of appendix D."""
        own = self.experiment.optimizer
        if isinstance(curve, Decayed):
            return TrainingStep(self.model, self.step.loss, own.decayed(curve.tau), seed=self.seed)
        if not isinstance(curve, StepRule):
            return self.step
        parts = self.experiment.parts
        assert parts is not None  # `Request` has seen to it
        small = replace(own, learning_rate=own.learning_rate / parts)
        at_small_rate = TrainingStep(self.model, self.step.loss, small, seed=self.seed)
        if curve.rule == "large":
            return at_small_rate
        if curve.multiple is not None:
            return self._averaging(curve, parts)

        def step(state: State, batch: Batch, t: int) -> State:
            pieces = zip(batch.inputs.chunk(parts), batch.targets.chunk(parts), strict=True)
            for x, y in pieces:
                state = at_small_rate(state, Batch(x, y, batch.index), t)
            return state

        return step

    def _averaging(self, curve: StepRule, parts: int) -> OrderAveragingStep:
        """Return the regularised step of a curve, or that with the term of one order."""
        own, single_order = self.experiment.optimizer, curve.rule == "single_order"
        h = own.learning_rate
        unit: Literal["h", "h/c", "derived"] = _UNITS[curve.unit]
        if single_order and unit == "derived":
            unit = "h/c"  # T_small has h'² Σ_{i>j} V_i'V_j
        assert curve.multiple is not None  # `step_of` has seen to it
        lam = regularisation_strength(curve.multiple, h, parts, unit=unit)
        rate = replace(own, learning_rate=h if curve.rate == "h" else h / parts)
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
    """Return the workplace of an experiment and seed; the last two are kept.

    Raises
    ------
    ValueError
        If the model is unknown or does not fit the data.
    MissingData, DataError
        If the data is not there or not right.
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
    """An experiment of the catalogue, and how a run finds its data and where it computes.

    Attributes
    ----------
    experiment
        What is trained.
    data_dir, official
        As in `nn_experiments.datasets.load_dataset`.
    device
        Such as ``cpu`` or ``cuda:0``.
    random_data
        Whether random images take the place of the data set, to measure rates alone.
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

    def settings(self) -> dict[str, Any]:
        """Return what goes into ``experiment.json``."""
        return settings(self.experiment, self.dataset)

    def metric_names(self, kind: str, n: int, last: int) -> tuple[str, ...]:
        """Return the metrics that iterate n has in a run to ``last``."""
        names = metric_names(kind, self.dataset.classes, n, last)
        return names + SPLIT_METRICS if self.experiment.parts and kind == "curves" and n > 0 else names

    def require(self, kind: str, seeds: Sequence[int], last: int) -> None:
        """Refuse a cut data folder that lacks an image of what is still to do, rather than in the middle of it."""
        require_rows(self.dataset, self.experiment, seeds, last, diagnostics=kind == "diagnostics")

    def prepare(self, seed: int) -> Workplace:
        """Return the tensors of a seed; the last two are kept."""
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
