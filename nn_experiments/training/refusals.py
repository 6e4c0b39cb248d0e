"""Checks of a module that `from_torch` makes before anything runs."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["check_module", "overlapping"]


def check_module(model: nn.Module) -> None:
    """Check that the tensors of a module can be replaced by those of a state.

    Raises
    ------
    TypeError
        If the module is scripted or traced.
    ValueError
        If a parameter has no shape yet, two different tensors share memory, or no parameter requires gradients.

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
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError("the module has no parameters that require gradients, so there is nothing to train")
    pair = overlapping(model)
    if pair:
        raise ValueError(
            f"{pair[0]} and {pair[1]} are two tensors in the same memory, so that a change of one changes the other. "
            "Share the parameter itself (a.weight = b.weight), or give each its own memory with clone()"
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
