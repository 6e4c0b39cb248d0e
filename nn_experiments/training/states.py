"""What a state is, and whether it has the tensors of a model: their names and shapes."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

__all__ = ["Fits", "State", "check_is_state", "check_state"]

#: Tensors that have no shape yet.
LAZY = (UninitializedParameter, UninitializedBuffer)

State = dict[str, dict[str, torch.Tensor]]
#: Names, shapes and dtypes of tensors.
Kinds = tuple[list[str], list[torch.Size], list[torch.dtype]]


class Fits:
    """The rule that a state has the tensors of a model, under the model's names and with the model's shapes.

    A state without a tensor of the model would be trained with the module's own, and a tensor that the model does not
    have, or one of shape (1,) in place of (3,), without a word.

    Parameters
    ----------
    model
        Its parameters that require gradients, and its buffers, must be in a state.
    every
        Whether its other parameters must be in a state as well (default: False, the module's own are used).

    Examples
    --------
    >>> fits = Fits(nn.Linear(2, 1))
    >>> fits("the state", {"parameters": {"weight": torch.ones(1, 2), "bias": torch.ones(1)}})
    >>> fits("the state", {"parameters": {"weight": torch.ones(1, 2)}})
    Traceback (most recent call last):
    ...
    ValueError: the state lacks bias of the model; nn_experiments.initial_state(model) has all that a state needs
    """

    def __init__(self, model: nn.Module, *, every: bool = False) -> None:
        self.model, self.every = model, every
        self._fitted: tuple[Kinds, Kinds] | None = None

    def __call__(self, argument: str, state: State) -> None:
        """Check a state, the value of the argument with this name. A state like the last one costs a comparison.

        Raises
        ------
        TypeError
            If it is not a state, or its parameters are not floating point numbers.
        ValueError
            If it lacks a tensor of the model, or has others; the message has their names.
        """
        kinds = _kinds(state)
        if kinds is None:
            check_state(argument, state)
        elif kinds != self._fitted:
            self._check(argument, *kinds)
            self._fitted = kinds

    def _check(self, argument: str, parameters: Kinds, buffers: Kinds) -> None:
        given = dict(zip(buffers[0] + parameters[0], buffers[1] + parameters[1], strict=True))
        of_model = dict(self.model.named_parameters(remove_duplicate=False))
        known = dict(self.model.named_buffers(remove_duplicate=False)) | of_model
        there = {id(known[name]) for name in given if name in known}
        free = set() if self.every else {name for name, p in of_model.items() if not p.requires_grad}
        missing = [name for name, value in known.items() if name not in free and id(value) not in there]
        if missing:
            raise ValueError(
                f"{argument} lacks {', '.join(missing[:5])} of the model; nn_experiments.initial_state(model) has all "
                "that a state needs"
            )
        others = [name for name in given if name not in known]
        if others:
            raise ValueError(f"{argument} has {', '.join(others[:5])}, and the model has no tensor of that name")
        for name, shape in given.items():
            own = known[name]
            if not isinstance(own, LAZY) and shape != own.shape:
                raise ValueError(
                    f"{name} has the shape {tuple(shape)} in {argument}, and {tuple(own.shape)} in the model"
                )
        for name, dtype in zip(parameters[0], parameters[2], strict=True):
            if not (dtype.is_floating_point or dtype.is_complex):
                raise TypeError(f"the parameters of {argument} must be floating point numbers; {name} has {dtype}")


def _kinds(state: State) -> tuple[Kinds, Kinds] | None:
    """Return the names, shapes and dtypes of the parameters and of the buffers, or None if it is not a state."""
    try:
        return _kinds_in(state["parameters"]), _kinds_in(state.get("buffers", {}))
    except (AttributeError, KeyError, TypeError):
        return None


def _kinds_in(tensors: dict[str, torch.Tensor]) -> Kinds:
    """Return names, shapes and dtypes, as lists, since every step does this."""
    values = tensors.values()
    return list(tensors), [value.shape for value in values], [value.dtype for value in values]


def check_is_state(argument: str, state: object) -> State:
    """Return ``state``, named ``argument`` in messages, if it has the form of one; raise TypeError otherwise."""
    if not isinstance(state, dict) or not isinstance(state.get("parameters"), Mapping):
        raise TypeError(
            f"{argument} must be a state, a dictionary {{'parameters': {{name: tensor, …}}, …}} such as the second "
            f"value of from_torch(model, loss, optimizer); got {type(state).__name__}"
        )
    return state


def check_state(argument: str, state: object, step: object = None) -> State:
    """Return ``state``, the value of the argument with this name, if it is a state.

    Parameters
    ----------
    argument
        Name of the argument in the error message.
    state
        The value given.
    step
        The step that trains it; one that is made of a model needs a state with the model's tensors (default: none).

    Raises
    ------
    TypeError
        If it is not a state; the message says what a state is.
    ValueError
        If it has no parameters, a tensor is the result of a computation that autograd recorded, or the tensors are not
        those of the step's model.
    """
    state = check_is_state(argument, state)
    for part in ("parameters", "buffers", "optimizer"):
        values = state.get(part, {})
        if not isinstance(values, Mapping):
            raise TypeError(
                f"{argument}[{part!r}] must be a dictionary {{name: tensor}}, {{}} if there is none; got {values!r}"
            )
        for name, value in values.items() if part != "optimizer" else ():
            if not isinstance(value, torch.Tensor):
                raise TypeError(f"{argument}[{part!r}][{name!r}] must be a tensor, got {type(value).__name__}")
            if value.requires_grad and not value.is_leaf:
                raise ValueError(
                    f"{argument}[{part!r}][{name!r}] is the result of a computation that autograd recorded; give its "
                    "value alone, detach()"
                )
    if not state["parameters"]:
        raise ValueError(f"{argument} has no parameters, so there is nothing to train")
    fits = getattr(step, "fits", None)
    if isinstance(fits, Fits):
        fits(argument, state)
    return state
