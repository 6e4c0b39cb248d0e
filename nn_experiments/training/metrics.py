"""Measurements of a state: losses, accuracies and predictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import nn
from torch.func import functional_call, grad

from nn_experiments.training.batches import BatchLike
from nn_experiments.training.calls import metric_failed
from nn_experiments.training.scalar_loss import Criterion
from nn_experiments.training.step import State
from nn_experiments.training.trees import flatten, widened

__all__ = [
    "RESERVED",
    "Evaluation",
    "Functions",
    "Measurement",
    "check_measurement",
    "parameter_distance",
    "parameter_norm",
]

#: Names of columns in the tables of results, and of what policies record; a metric cannot have one of these names.
RESERVED = ("seed", "order", "iterate", "gradients", "reset_at", "stopped_at")


class Measurement(Protocol):
    """Several metrics that are computed together from one state; an engine may batch it over states."""

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics' names, in order."""
        ...

    @property
    def on_batches(self) -> bool:
        """Whether `__call__` needs the newest batch B_n and the outermost one, whose map is applied last."""
        ...

    def __call__(self, state: State, newest: BatchLike | None, outermost: BatchLike | None) -> dict[str, torch.Tensor]:
        """Return one scalar tensor (or a small one) per metric."""
        ...


@dataclass(frozen=True)
class Functions:
    """A measurement from plain functions of a state, each returning a scalar or a small tensor."""

    functions: Mapping[str, Callable[[State], torch.Tensor]]
    on_batches: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the metrics."""
        return tuple(self.functions)

    def __call__(self, state: State, newest: BatchLike | None, outermost: BatchLike | None) -> dict[str, torch.Tensor]:
        """Return every function's value."""
        return {name: _value(name, function, state) for name, function in self.functions.items()}


def _value(name: str, function: Callable[[State], torch.Tensor], state: State) -> torch.Tensor:
    try:
        return function(state)
    except Exception as error:  # whatever the user's function raises
        raise metric_failed(name, error) from error


def check_measurement(argument: str, given: object) -> Measurement:
    """Return a `Measurement` from the value of an argument: a mapping name -> function, or a `Measurement`.

    Raises
    ------
    TypeError
        If the value is neither, or a name is not text.
    ValueError
        If a metric has one of the names in `RESERVED`.
    """
    measurement = Functions(given) if isinstance(given, Mapping) else given
    if not hasattr(measurement, "names") or not hasattr(measurement, "on_batches") or not callable(measurement):
        raise TypeError(
            f"{argument} must map names to functions of one state, such as {{'loss': f}}, or be what "
            f"nn_experiments.measures returns; got {type(given).__name__}"
        )
    measurement = cast(Measurement, measurement)
    for name in measurement.names:
        if not isinstance(name, str):
            raise TypeError(f"names of metrics must be text, such as 'loss', got {name!r}")
        if name in RESERVED:
            raise ValueError(
                f"a metric cannot be called {name!r}: the names {', '.join(RESERVED)} are those of other columns in "
                "the tables of results"
            )
    return measurement


class Evaluation:
    """Loss and accuracy on fixed training and test sets, and the loss on the newest and the outermost batch.

    Parameters
    ----------
    model, loss
        The module and the training loss. The module is evaluated in evaluation mode; afterwards its mode is restored.
    train, test
        (inputs, targets) tensors, evaluated in slices of ``rows``.
    classes
        Number of classes; with 0, accuracies are not measured.
    rows
        Length of the slices (default: 1000).
    """

    on_batches = True

    def __init__(
        self,
        model: nn.Module,
        loss: Criterion,
        train: tuple[torch.Tensor, torch.Tensor],
        test: tuple[torch.Tensor, torch.Tensor],
        *,
        classes: int,
        rows: int = 1000,
    ) -> None:
        self.model, self.loss, self.classes, self.rows = model, loss, classes, rows
        self.sets = {"train": train, "test": test}
        losses = ("train_loss", "test_loss", "newest_batch_loss", "outermost_batch_loss")
        self.names = losses + (("train_accuracy", "test_accuracy") if classes else ())

    def predict(self, state: State, inputs: torch.Tensor) -> torch.Tensor:
        """Return the model's outputs in evaluation mode, (rows, outputs)."""
        training = self.model.training
        self.model.eval()
        try:
            return functional_call(self.model, (state["parameters"], state.get("buffers", {})), (inputs,))
        finally:
            self.model.train(training)

    def predictions(self, state: State, part: str = "test") -> torch.Tensor:
        """Return the outputs on a whole set, (N, outputs)."""
        inputs = self.sets[part][0]
        pieces = [self.predict(state, inputs[k : k + self.rows]) for k in range(0, len(inputs), self.rows)]
        return torch.cat(pieces)

    def __call__(self, state: State, newest: BatchLike | None, outermost: BatchLike | None) -> dict[str, torch.Tensor]:
        """Return all metrics of a state as scalar tensors; iterate 0 has no batch losses."""
        with torch.no_grad():
            return self.from_outputs(lambda inputs, _: self.predict(state, inputs), (newest, outermost))

    def from_outputs(
        self,
        outputs_of: Callable[[torch.Tensor, bool], torch.Tensor],
        batches: Sequence[BatchLike | None],
        *,
        loss: Criterion | None = None,
        batch_loss: Criterion | None = None,
    ) -> dict[str, torch.Tensor]:
        """Return all metrics of one state, or of several states at once, from their outputs.

        Parameters
        ----------
        outputs_of
            (inputs, whether they are the same for all states) -> outputs, (B, …), or (E, B, …) for E states.
        batches
            The newest and the outermost batch, with a leading axis of length E for several states; None at iterate 0.
        loss, batch_loss
            The losses of outputs on the sets and of outputs on the batches (default: the loss of one state).

        Returns
        -------
        dict of str to Tensor
            Name -> scalar, or (E,), in the order of ``names``.
        """
        loss, batch_loss = loss or self.loss, batch_loss or self.loss
        values: dict[str, torch.Tensor] = {}
        for part, (inputs, targets) in self.sets.items():
            total, correct, count = 0.0, 0.0, len(inputs)
            for k in range(0, count, self.rows):
                x, y = inputs[k : k + self.rows], targets[k : k + self.rows]
                outputs = outputs_of(x, True)
                total = total + loss(outputs, y).double() * len(x)
                if self.classes:
                    correct = correct + (outputs.argmax(-1) == y).sum(-1)
            values[f"{part}_loss"] = torch.as_tensor(total / count)
            if self.classes:
                values[f"{part}_accuracy"] = torch.as_tensor(correct).double() / count
        for name, batch in zip(("newest", "outermost"), batches, strict=True):
            if batch is not None:
                values[f"{name}_batch_loss"] = batch_loss(outputs_of(batch[0], False), batch[1]).double()
        return {name: values[name] for name in self.names if name in values}

    def gradient_norm(self, state: State) -> torch.Tensor:
        """Return the norm of the gradient of the loss on the training set, in evaluation mode."""
        inputs, targets = self.sets["train"]
        total: dict[str, torch.Tensor] = {}
        for k in range(0, len(inputs), self.rows):
            x, y = inputs[k : k + self.rows], targets[k : k + self.rows]

            def objective(
                parameters: dict[str, torch.Tensor], x: torch.Tensor = x, y: torch.Tensor = y
            ) -> torch.Tensor:
                outputs = self.predict({**state, "parameters": parameters}, x)
                return self.loss(outputs, y) * (len(x) / len(inputs))

            for name, slope in grad(objective)(state["parameters"]).items():
                total[name] = total[name] + slope if name in total else slope
        return parameter_norm(total)


def parameter_norm(parameters: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Return the Euclidean norm of all parameters together, computed in float64."""
    return flatten(widened(value) for value in parameters.values()).norm()


def parameter_distance(first: State, second: State) -> float:
    """Return the Euclidean distance of the parameters of two states."""
    other = second["parameters"]
    parts = [(widened(value) - widened(other[name])).norm() for name, value in first["parameters"].items()]
    return float(torch.stack(parts).norm())
