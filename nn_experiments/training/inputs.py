"""How a module is called with the inputs of a batch: as one argument, or as several."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

from torch import nn

__all__ = ["arguments", "call"]


def arguments(model: nn.Module, inputs: object) -> tuple[tuple[object, ...], dict[str, object]]:
    """Return the positional and keyword arguments with which a module is called on the inputs of a batch.

    A tuple or list is spread over the arguments of a forward pass that requires several. A dictionary whose keys are
    names of arguments is passed by keywords, if the forward pass has several arguments. Everything else, and inputs
    of a forward pass whose arguments are not known, is one argument.

    Parameters
    ----------
    model
        The user's module.
    inputs
        The first entry of a batch.

    Examples
    --------
    >>> arguments(nn.Bilinear(2, 3, 1), ("x", "z"))
    (('x', 'z'), {})
    >>> arguments(nn.Bilinear(2, 3, 1), {"input1": "x", "input2": "z"})
    ((), {'input1': 'x', 'input2': 'z'})
    >>> arguments(nn.Linear(2, 1), ("x", "z"))
    ((('x', 'z'),), {})
    """
    if isinstance(inputs, Mapping):
        known = _parameters(model)
        if len(known) > 1 and inputs.keys() <= known.keys() and _required(known) <= inputs.keys():
            return (), {str(key): value for key, value in inputs.items()}
    elif type(inputs) in (tuple, list) and len(_required(_parameters(model))) > 1:
        return tuple(inputs), {}  # type: ignore[arg-type]  # a tuple or list, which type checkers do not see
    return (inputs,), {}


def call(model: nn.Module, inputs: object) -> object:
    """Return the outputs of a module on the inputs of a batch; see `arguments`."""
    positional, named = arguments(model, inputs)
    return model(*positional, **named)


def _parameters(model: nn.Module) -> dict[str, inspect.Parameter]:
    """Return the named arguments of a module's forward pass; none if it takes any number of them."""
    model = getattr(model, "_orig_mod", model)  # what torch.compile was given
    if isinstance(model, nn.DataParallel):
        model = model.module
    try:
        known = dict(inspect.signature(model.forward).parameters)
    except (TypeError, ValueError):  # a forward pass that is not a Python function
        return {}
    if any(p.kind in (p.VAR_POSITIONAL, p.POSITIONAL_ONLY) for p in known.values()):
        return {}
    return {name: p for name, p in known.items() if p.kind is not p.VAR_KEYWORD}


def _required(known: Mapping[str, inspect.Parameter]) -> set[str]:
    return {name for name, p in known.items() if p.default is p.empty}
