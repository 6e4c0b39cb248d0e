"""Checks of the value of a loss: one scalar tensor that depends on the parameters."""

from __future__ import annotations

from collections.abc import Callable

import torch

__all__ = ["Criterion", "check_loss", "scalar", "trainable"]

Criterion = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def check_loss(loss: object) -> None:
    """Refuse what is not a function of outputs and targets.

    Raises
    ------
    TypeError
        If it is a class, with the remedy, or cannot be called.
    """
    if isinstance(loss, type):
        raise TypeError(f"the loss is the class {loss.__name__}: give an instance of it, such as {loss.__name__}()")
    if not callable(loss):
        raise TypeError(f"the loss must be a function (outputs, targets) -> scalar, got {type(loss).__name__}")


def scalar(value: object) -> torch.Tensor:
    """Return what the loss returned, a tensor of one entry.

    Raises
    ------
    TypeError
        If it is anything else, with what it is and the remedy.

    Examples
    --------
    >>> scalar(torch.tensor(1.5))
    tensor(1.5000)
    """
    if isinstance(value, torch.Tensor) and value.numel() == 1:
        return value
    if isinstance(value, torch.Tensor):
        raise TypeError(
            f"the loss must return one scalar tensor, got a tensor of shape {tuple(value.shape)}; return its mean"
        )
    remedy = "return a torch tensor, not a number: leave out .item() and float()"
    if isinstance(value, tuple | list | dict):
        remedy = "return the entry that is to be minimised, such as lambda outputs, targets: loss(outputs, targets)[0]"
    raise TypeError(f"the loss must return one scalar tensor, got {type(value).__name__}; {remedy}")


def trainable(value: torch.Tensor) -> torch.Tensor:
    """Return a loss that can be differentiated.

    Raises
    ------
    TypeError
        If it depends on no parameter that requires gradients.
    """
    if not value.requires_grad:
        raise TypeError(
            "the loss depends on no parameter that requires gradients; leave out detach(), .data and torch.no_grad() "
            "in the module and the loss"
        )
    return value
