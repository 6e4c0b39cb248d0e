"""Calls of the user's model and loss, whose errors say which call failed, on which data, and what to change."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from contraction.maps.errors import TrainingInReverseError
from nn_experiments.training.inputs import arguments
from nn_experiments.training.scalar_loss import Criterion, scalar
from nn_experiments.training.trees import leaves

__all__ = [
    "Broadcasts",
    "CallFailed",
    "function_failed",
    "kind_of",
    "loss_of",
    "metric_failed",
    "no_broadcast",
    "transform_failed",
]

#: How the warning begins that losses of torch give where outputs and targets have different shapes.
_BROADCAST = "Using a target size"


class CallFailed(TrainingInReverseError, RuntimeError):
    """The user's model, loss, metric or another function raises an error.

    The message says which one, on which data, and what to change.
    The error itself is its ``__cause__``.

    Examples
    --------
    >>> import torch
    >>> import nn_experiments as nne
    >>> model, loss = torch.nn.Linear(3, 1), torch.nn.functional.mse_loss
    >>> step, state = nne.from_torch(model, loss, torch.optim.SGD(model.parameters(), lr=0.1))
    >>> try:
    ...     step(state, (torch.ones(4, 2), torch.zeros(4, 1)), 1)  # two features in place of three
    ... except nne.CallFailed as error:
    ...     print(str(error).partition(":")[0])
    ...     print(type(error.__cause__).__name__)
    the model fails on inputs (4, 2) float32
    RuntimeError
    """


class Broadcasts(TrainingInReverseError, ValueError):
    """A loss of torch compares outputs and targets of different shapes, each with each; the message has the remedy.

    Examples
    --------
    >>> import torch
    >>> import contraction as ct
    >>> import nn_experiments as nne
    >>> model, loss = torch.nn.Linear(3, 1), torch.nn.functional.mse_loss
    >>> step, state = nne.from_torch(model, loss, torch.optim.SGD(model.parameters(), lr=0.1))
    >>> batches = nne.ArrayBatches(torch.ones(8, 3), torch.zeros(8), batch_size=4, seed=0)  # (4, 1) and (4,)
    >>> try:
    ...     nne.iterates(step, batches, state, ct.Backward(), range(3), {})
    ... except nne.Broadcasts as error:
    ...     print(str(error).partition(":")[0])
    the loss broadcasts outputs and targets of different shapes, so that it compares every output with every target
    """


def kind_of(data: object) -> str:
    """Return the shapes and dtypes of the tensors in a tree, for messages.

    Examples
    --------
    >>> kind_of(torch.zeros(8, 3))
    '(8, 3) float32'
    >>> kind_of({"ids": torch.zeros(8, dtype=torch.int64), "name": "x"})
    'ids: (8,) int64, name: str'
    """
    shown = []
    for path, value in leaves(data):
        text = type(value).__name__
        if isinstance(value, torch.Tensor):
            text = f"{tuple(value.shape)} {_dtype(value)}"
        shown.append(": ".join([*path, text]))
    return ", ".join(shown) or f"an empty {type(data).__name__}"


def loss_of(
    model: nn.Module, loss: Criterion, inputs: object, targets: object, index: int | None = None
) -> torch.Tensor:
    """Return the loss of a batch as a scalar tensor.

    Parameters
    ----------
    model, loss
        The user's own.
    inputs, targets
        The batch.
    index
        Its number, for the message (default: unknown).

    Raises
    ------
    CallFailed
        If the model or the loss raises an error.
    TypeError
        If the loss is not a scalar tensor, or the model takes another number of arguments.
    """
    positional, named = ((inputs,), {}) if isinstance(inputs, torch.Tensor) else arguments(model, inputs)
    try:
        outputs = model(*positional, **named)
    except Exception as error:  # whatever the user's code raises
        if _passes(error) or (isinstance(error, TypeError) and "required positional argument" in str(error)):
            raise
        given = f"inputs {kind_of(inputs)}{_of_batch(index)}"
        raise CallFailed(_text("the model", given, error, _on_inputs(model, inputs, str(error)))) from error
    try:
        value = loss(outputs, targets)  # type: ignore[arg-type]  # targets are what the user's loss takes
    except Exception as error:
        if _passes(error):
            raise
        given = f"outputs {kind_of(outputs)} and targets {kind_of(targets)}{_of_batch(index)}"
        raise CallFailed(_text("the loss", given, error, _on_targets(outputs, targets, error))) from error
    return scalar(value)


def transform_failed(error: Exception) -> Exception:
    """Return the error to raise in place of one that a transform of gradients raises."""
    if _passes(error):
        return error
    return CallFailed(
        f"the transform fails: {_first_line(error)}. It is a function of the gradients, a dictionary "
        "{name: gradient}, that returns such a dictionary"
    )


def function_failed(what: str, error: Exception, rule: str) -> Exception:
    """Return the error to raise in place of one that a function of the user raises.

    Parameters
    ----------
    what
        What the function is, and on what it fails.
    error
        What it raises. It is returned itself if it needs no more words.
    rule
        What the function must take and return.
    """
    return error if _passes(error) else CallFailed(f"{what}: {_first_line(error)}. {rule}")


def metric_failed(name: str, error: Exception) -> Exception:
    """Return the error to raise in place of one that a metric raises on a state.

    Parameters
    ----------
    name
        The name of the metric.
    error
        What it raises. It is returned itself if it needs no more words.
    """
    if _passes(error):
        return error
    return CallFailed(
        f"the metric {name!r} cannot be computed of a state: {_first_line(error)}. A metric is a "
        "function of one state, a dictionary with state['parameters'] and state['buffers']; nn_experiments.measures "
        "makes those of a loss"
    )


@contextmanager
def no_broadcast() -> Iterator[None]:
    """Refuse, in the body, losses of torch on outputs and targets that have different shapes.

    Raises
    ------
    Broadcasts
        If a loss such as ``mse_loss`` broadcasts them, which torch only warns of; the message has both shapes.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for one in caught:
        text = str(one.message)
        if text.startswith(_BROADCAST):
            raise Broadcasts(
                f"the loss broadcasts outputs and targets of different shapes, so that it compares every output with "
                f"every target: {text.split('. This')[0].replace('Using a', 'a')}. Give both one shape: targets "
                "y[:, None] for outputs (N, 1), or a loss of outputs.squeeze(1)"
            )
        warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)


def _passes(error: Exception) -> bool:
    """Return whether an error needs no more words: one of this package, or memory that ran out."""
    return isinstance(error, TrainingInReverseError | torch.OutOfMemoryError)


def _text(what: str, given: str, error: Exception, remedy: str) -> str:
    return f"{what} fails on {given}: {_first_line(error)}" + (f". {remedy}" if remedy else "")


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or ["no message"]
    return f"{type(error).__name__}: {lines[0].rstrip('.')}"


def _of_batch(index: int | None) -> str:
    return "" if index is None else f" of batch {index}"


def _dtype(value: torch.Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")


def _on_inputs(model: nn.Module, inputs: object, message: str) -> str:
    """Return what to change if a model fails, or an empty text where nothing is seen."""
    first = next(model.parameters(), None)
    if type(inputs) in (tuple, list, dict):
        return _on_several(model, inputs)
    if not isinstance(inputs, torch.Tensor) or first is None:
        return ""
    if inputs.device != first.device:
        return f"The inputs are on {inputs.device} and the parameters on {first.device}: move one of them with .to(…)"
    if inputs.dtype != first.dtype and inputs.is_floating_point():
        return (
            f"The inputs are {_dtype(inputs)} and the parameters {_dtype(first)}: convert the data, "
            f"x.to(torch.{_dtype(first)}), or the model"
        )
    if inputs.dtype != first.dtype and "shape" not in message and "index" not in message:
        return f"Layers on {_dtype(first)} parameters take inputs of that type: x.to(torch.{_dtype(first)})"
    return "The first axis of a batch counts its examples; the others must be what the model's first layer takes"


def _on_several(model: nn.Module, inputs: object) -> str:
    """Return what to change if a model fails that was given a tuple, list or dictionary as one argument."""
    positional, named = arguments(model, inputs)
    if named or len(positional) != 1:
        return ""
    kind = type(inputs).__name__
    stars = "**" if isinstance(inputs, dict) else "*"
    return (
        f"The module was given the {kind} as one argument, since its forward pass does not require several. To pass "
        f"the parts, wrap it in a module whose forward takes one {kind} and returns model({stars}inputs)"
    )


def _on_targets(outputs: object, targets: object, error: Exception) -> str:
    """Return what to change if a loss fails, or an empty text where nothing is seen."""
    if not isinstance(outputs, torch.Tensor) or not isinstance(targets, torch.Tensor):
        return ""
    if outputs.device != targets.device:
        return f"The outputs are on {outputs.device} and the targets on {targets.device}: move one of them with .to(…)"
    if isinstance(error, IndexError) and not targets.is_floating_point():
        return "Classes are integers 0, 1, …, C − 1 for C outputs: renumber them, or give the model more outputs"
    if outputs.shape != targets.shape and outputs.numel() == targets.numel():
        shape = ", ".join(["-1", *map(str, outputs.shape[1:])])
        return f"Give both one shape: targets y.reshape({shape})"
    if outputs.ndim == targets.ndim + 1 and targets.dtype != torch.int64:
        return "A loss of classes takes them as int64: y.long()"
    if targets.dtype == torch.int64 and targets.shape == (*outputs.shape[:-1], 1):
        return "A loss of classes takes them without an axis of their own: y.squeeze(-1)"
    if targets.dtype != outputs.dtype:
        return f"A loss of numbers takes both in one type: y.to(torch.{_dtype(outputs)})"
    return ""
