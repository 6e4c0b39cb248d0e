"""Checks of a module: before anything runs, and that a step has not frozen or unfrozen a parameter."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from nn_experiments.training.errors import CannotReplay

__all__ = ["check_dense", "check_is_module", "check_module", "check_requires_grad", "overlapping"]

_SPARSE = (torch.sparse_coo, torch.sparse_csr, torch.sparse_csc, torch.sparse_bsr, torch.sparse_bsc)


def check_is_module(model: object) -> None:
    """Check that a model is a module; raise TypeError otherwise."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"the model must be a torch.nn.Module, got {type(model).__name__}")


def check_module(model: nn.Module) -> None:
    """Check that the tensors of a module can be replaced by those of a state.

    Raises
    ------
    TypeError
        If the module is scripted or traced.
    ValueError
        If a parameter has no shape yet, a parameter or buffer is sparse, two different tensors share memory, or no
        parameter requires gradients.

    Examples
    --------
    >>> check_module(nn.Linear(2, 1))
    >>> check_module(nn.LazyLinear(1))
    Traceback (most recent call last):
    ...
    ValueError: weight has no shape yet: run the module once on a batch before from_torch
    """
    for name, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            raise TypeError(
                f"{name or 'the model'} is a scripted or traced module, whose tensors cannot be exchanged; pass the "
                "nn.Module that it was made of"
            )
    lazy = [name for name, p in model.named_parameters() if isinstance(p, nn.parameter.UninitializedParameter)]
    if lazy:
        raise ValueError(f"{lazy[0]} has no shape yet: run the module once on a batch before from_torch")
    check_dense(model)
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError("the module has no parameters that require gradients, so there is nothing to train")
    pair = overlapping(model)
    if pair:
        raise ValueError(
            f"{pair[0]} and {pair[1]} are two tensors in the same memory, so that a change of one changes the other. "
            "Share the parameter itself (a.weight = b.weight), or give each its own memory with clone()"
        )


def check_dense(model: nn.Module) -> None:
    """Refuse sparse parameters and buffers, since the tensors of a state are dense.

    Raises
    ------
    ValueError
        If there is one; the message has its name.

    Examples
    --------
    >>> model = nn.Linear(2, 1)
    >>> model.register_buffer("graph", torch.eye(2).to_sparse())
    >>> try:
    ...     check_dense(model)
    ... except ValueError as error:
    ...     print(str(error).partition(",")[0])
    graph is a sparse tensor (sparse_coo)
    """
    for name, value in [*model.named_parameters(), *model.named_buffers()]:
        if value.layout in _SPARSE:
            raise ValueError(
                f"{name} is a sparse tensor ({str(value.layout).removeprefix('torch.')}), and a state has dense ones "
                f"alone. If training does not change it, make it a plain attribute in place of a buffer, "
                f"self.{name.rpartition('.')[2]} = …; otherwise make it dense with to_dense()"
            )


def overlapping(model: nn.Module) -> tuple[str, str] | None:
    """Return the names of two parameters or buffers that are different tensors in the same memory, or None.

    Only contiguous tensors are compared; the self-check detects other shared memory.
    """
    ranges = sorted(
        (value.data_ptr(), value.data_ptr() + value.numel() * value.element_size(), name)
        for name, value in [*model.named_parameters(), *model.named_buffers()]
        if value.layout is torch.strided and value.numel() and value.is_contiguous() and not value.is_meta
    )
    reach, owner = 0, ""
    for begin, end, name in ranges:
        if begin < reach:
            return owner, name
        if end > reach:
            reach, owner = end, name
    return None


def check_requires_grad(tensors: Iterable[tuple[str, torch.Tensor, bool]]) -> None:
    """Refuse a step that has frozen or unfrozen a parameter.

    Parameters
    ----------
    tensors
        (name, tensor, whether it required gradients before the step). A tensor that the step has computed, as an
        update in place makes of a buffer, is left out.

    Raises
    ------
    CannotReplay
        If one of them has changed; the message has its name and both values.

    Examples
    --------
    >>> weight = torch.ones(2)
    >>> check_requires_grad([("weight", weight, False)])
    >>> try:
    ...     check_requires_grad([("weight", weight.requires_grad_(), False)])
    ... except CannotReplay as error:
    ...     print(str(error).partition(",")[0])
    requires_grad of weight was False before a training step and is True after it
    """
    for name, tensor, before in tensors:
        if tensor.requires_grad != before and tensor.is_leaf:
            raise CannotReplay(
                f"requires_grad of {name} was {before} before a training step and is {tensor.requires_grad} after it, "
                "and it is not part of the state, so that T_i would not be a fixed map. Decide before the first step "
                "which parameters are trained; to stop the training of one at some batches, set its gradient to zero"
            )
