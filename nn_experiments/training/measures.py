"""Losses and accuracies of a user's model on fixed data, as functions of a training state."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import nn
from torch.func import functional_call
from torch.utils._pytree import tree_map

from contraction.arguments import check_flag, check_integer
from nn_experiments.training.calls import loss_of, no_broadcast
from nn_experiments.training.inputs import arguments, call
from nn_experiments.training.refusals import check_is_module
from nn_experiments.training.scalar_loss import Criterion, check_loss, scalar
from nn_experiments.training.step import State
from nn_experiments.training.trees import leaves, rows_of, tensors_of

__all__ = ["measures"]

#: At most this many rows show whether a loss is a mean over rows.
MOST = 32
Data = tuple[Any, Any]  # inputs and targets: tensors or arrays, or what a module of several inputs takes


@dataclass(frozen=True)
class _OnData:
    """A model in evaluation mode with a set of data. Instances of the subclasses map a state to a number."""

    model: nn.Module
    inputs: torch.Tensor
    targets: torch.Tensor
    rows: int

    def outputs(self, state: State, first: int) -> torch.Tensor:
        """Return the outputs for up to ``rows`` rows, beginning with the row ``first``."""
        inputs = rows_of(self.inputs, slice(first, first + self.rows))
        held = (state["parameters"], state.get("buffers", {}))
        return functional_call(self.model, held, *arguments(self.model, inputs))

    def mean(self, state: State, of_rows: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """Return the mean over all rows, in float64; ``of_rows`` maps outputs and targets of a slice to its mean."""
        total = torch.zeros((), dtype=torch.float64, device=next(iter(state["parameters"].values())).device)
        count = _length(self.inputs)
        with torch.no_grad():
            for first in range(0, count, self.rows):
                targets = rows_of(self.targets, slice(first, first + self.rows))
                total = total + of_rows(self.outputs(state, first), targets).double() * min(self.rows, count - first)
        return total / count


@dataclass(frozen=True)
class _Loss(_OnData):
    """The mean loss of a state."""

    loss: Criterion

    def __call__(self, state: State) -> torch.Tensor:
        """Return the mean loss as a float64 scalar."""
        return self.mean(state, lambda outputs, targets: scalar(self.loss(outputs, targets)).reshape(()))


@dataclass(frozen=True)
class _Accuracy(_OnData):
    """The fraction of rows whose largest output is that of their class."""

    def __call__(self, state: State) -> torch.Tensor:
        """Return the fraction as a float64 scalar."""
        return self.mean(state, lambda outputs, targets: (outputs.argmax(-1) == targets).double().mean())


def measures(
    model: nn.Module,
    loss: Criterion,
    *,
    train: Data | None = None,
    test: Data | None = None,
    accuracy: bool = False,
    rows: int = 1000,
) -> dict[str, Callable[[State], torch.Tensor]]:
    """Return functions of a state that measure loss and accuracy in evaluation mode.

    They work on a copy of the model in evaluation mode, with the parameters and buffers of the state. The model itself
    is never changed, neither its mode nor its running statistics.

    Parameters
    ----------
    model
        The module that `from_torch` was given.
    loss
        (outputs, targets) -> scalar tensor, a mean over rows.
    train, test
        (inputs, targets), tensors or arrays with one row per example, on the device of the state, or tuples and
        dictionaries of them, for modules that take several inputs (default: None, not measured).
    accuracy
        Whether to measure the fraction of rows whose largest output, over the last axis, is that of the row's class
        (default: False). Targets are then integers of shape (N,) for outputs of shape (N, classes).
    rows
        Number of rows that are evaluated at once (default: 1000).

    Returns
    -------
    dict of str to callable
        ``train_loss``, ``test_loss``, ``train_accuracy`` and ``test_accuracy``, as far as they were requested, for
        the argument ``measure=`` of `run` and ``metrics`` of `iterates`. Each returns a float64 scalar tensor.

    Raises
    ------
    CallFailed
        If the model or the loss raises an error on some rows.
    TypeError
        If the loss does not return one scalar tensor, or the targets of an accuracy are not integers.
    ValueError
        If there is no data; if inputs and targets differ in length; or if ``rows`` is less than the number of rows and
        the loss is not a mean over rows, or the outputs for a row depend on the others, so that slices do not do.
    Broadcasts
        If a loss of torch compares outputs and targets of different shapes.

    Examples
    --------
    >>> import torch
    >>> from nn_experiments import measures
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    >>> x, y = torch.randn(8, 2), torch.arange(8) % 3
    >>> measure = measures(model, torch.nn.functional.cross_entropy, test=(x, y), accuracy=True)
    >>> list(measure)
    ['test_loss', 'test_accuracy']
    >>> state = {"parameters": dict(model.named_parameters()), "buffers": dict(model.named_buffers())}
    >>> 0 <= float(measure["test_accuracy"](state)) <= 1, model.training, float(model[1].running_mean.norm())
    (True, True, 0.0)
    """
    check_is_module(model)
    check_loss(loss)
    check_flag("accuracy", accuracy)
    check_integer("rows", rows, 1)
    sets = {name: _as_tensors(name, data) for name, data in (("train", train), ("test", test)) if data is not None}
    if not sets:
        raise ValueError("measures needs data: give train=(inputs, targets), test=(inputs, targets), or both")
    copied = copy.deepcopy(model).eval().requires_grad_(False)
    functions: dict[str, Callable[[State], torch.Tensor]] = {}
    for name, (inputs, targets) in sets.items():
        _check_loss(copied, loss, inputs, targets, rows)
        functions[f"{name}_loss"] = _Loss(copied, inputs, targets, rows, loss)
    for name, (inputs, targets) in sets.items() if accuracy else ():
        _check_classes(name, copied, inputs, targets)
        functions[f"{name}_accuracy"] = _Accuracy(copied, inputs, targets, rows)
    return functions


def _as_tensors(name: str, data: Data) -> tuple[torch.Tensor, torch.Tensor]:
    if not isinstance(data, tuple | list) or len(data) != 2:
        length = f" of length {len(data)}" if isinstance(data, tuple | list) else ""
        raise TypeError(
            f"{name} must be a pair (inputs, targets) of tensors or arrays, such as {name}=(x, y); got "
            f"{type(data).__name__}{length}"
        )
    inputs, targets = tree_map(lambda part: torch.from_numpy(part) if isinstance(part, np.ndarray) else part, data)
    if not all(isinstance(part, torch.Tensor) for _, part in leaves((inputs, targets))):
        raise TypeError(f"{name} must be two tensors or arrays, got {[type(part).__name__ for part in data]}")
    if any(not part.ndim for part in tensors_of((inputs, targets)).values()):
        raise ValueError(f"{name} needs a row for each example, got a tensor without an axis")
    counts = [sorted({len(part) for part in tensors_of(tree).values()}) for tree in (inputs, targets)]
    if len(counts[0]) != 1 or counts[0] != counts[1] or counts[0] == [0]:
        given = ", ".join(" or ".join(map(str, some)) or "none" for some in counts)
        raise ValueError(f"{name} needs as many inputs as targets and at least one, got {given}")
    return inputs, targets


def _length(data: object) -> int:
    """Return the number of rows of the tensors in a tree."""
    return len(next(iter(tensors_of(data).values())))


def _spread(targets: object, count: int, most: int) -> torch.Tensor:
    """Return up to ``most`` rows that differ as far as targets show: one with each label, and some over all the data.

    A loss that weighs classes, or ignores a label, is a mean over rows on those of one class.
    """
    chosen = dict.fromkeys(np.linspace(0, count - 1, min(count, most, 7)).round().astype(int).tolist())
    for part in tensors_of(targets).values():
        if not (part.is_floating_point() or part.is_complex()):
            _, first = np.unique(part.reshape(count, -1).cpu().numpy(), return_index=True)
            chosen |= dict.fromkeys((first // (part.numel() // count)).tolist())
    return torch.tensor(sorted(list(chosen)[:most]))


def _check_loss(model: nn.Module, loss: Criterion, inputs: torch.Tensor, targets: torch.Tensor, rows: int) -> None:
    """Check on some rows that the loss of a slice is the mean over its parts, if slices will be needed."""
    count = _length(inputs)
    chosen = _spread(targets, count, min(count, rows, MOST))
    few = len(chosen)
    x, y = rows_of((inputs, targets), chosen)
    with torch.no_grad():
        with no_broadcast():
            whole = loss_of(model, loss, x, y).double()
        if count <= rows or few < 2:
            return
        outputs = call(model, x)
        parts = [rows_of((cast(torch.Tensor, outputs), y), piece) for piece in (slice(0, 1), slice(1, few))]
        first, others = (scalar(loss(*part)).double() for part in parts)
        of_parts = (first + others * (few - 1)) / few
    kinds = {value.dtype for value in tensors_of(outputs).values() if value.is_floating_point()}
    eps = max(torch.finfo(kind).eps for kind in kinds or {torch.get_default_dtype()})
    if not torch.allclose(of_parts, whole, rtol=64 * few * eps, atol=64 * few * eps):
        raise ValueError(
            f"the loss is not a mean over rows: on {few} rows it is {float(whole):.6g}, and {float(of_parts):.6g} as "
            f"the mean over two parts of them; give rows={count} or more, so that the data are not cut"
        )
    if not _by_rows(model, x, outputs, 64 * few * eps):
        raise ValueError(
            f"the model's outputs for a row depend on the other rows: on {few} rows at once they differ from those on "
            f"two parts of them, as with batch norm that uses the statistics of its batch in evaluation mode, too; "
            f"give rows={count} or more, so that the data are not cut"
        )


def _by_rows(model: nn.Module, inputs: object, outputs: object, share: float) -> bool:
    """Return whether a model gives two halves of some rows the outputs that it gives them together, up to rounding."""
    middle = _length(inputs) // 2
    try:
        with torch.no_grad():
            halves = [call(model, rows_of(inputs, rows)) for rows in (slice(0, middle), slice(middle, None))]
    except Exception:  # such as batch norm that has one row to take the variance of
        return False
    whole, first, second = (tensors_of(tree) for tree in (outputs, *halves))
    if not whole.keys() == first.keys() == second.keys():
        return False
    for name, value in whole.items():
        parts = first[name], second[name]
        if not value.ndim or not all(part.ndim for part in parts) or len(value) != sum(map(len, parts)):
            continue  # not one row for each, as of a penalty, of which the loss makes what it does
        if value.shape[1:] != parts[0].shape[1:] or value.shape[1:] != parts[1].shape[1:]:
            return False
        gap = (torch.cat(parts).to(torch.complex128) - value.to(torch.complex128)).abs()
        if gap.numel() and float(gap.max()) > share * max(1.0, float(value.to(torch.complex128).abs().max())):
            return False
    return True


def _check_classes(name: str, model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> None:
    with torch.no_grad():
        outputs = call(model, rows_of(inputs, slice(1)))
    if not isinstance(outputs, torch.Tensor):
        raise TypeError(
            f"an accuracy needs outputs that are one tensor (N, classes), got {type(outputs).__name__}; measure it by "
            "a function of the state of your own"
        )
    shape = outputs.shape
    if targets.is_floating_point() or targets.is_complex() or targets[:1].shape != shape[:-1]:
        raise TypeError(
            f"an accuracy needs {name} targets that are integer classes, one for each row of outputs {tuple(shape)}; "
            f"got {targets.dtype} of shape {tuple(targets.shape)}"
        )
