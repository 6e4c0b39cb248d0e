"""Checks that a loss returns one scalar tensor that depends on the parameters."""

from __future__ import annotations

from collections.abc import Callable

import torch

__all__ = ["Criterion", "check_loss", "scalar", "trainable"]

Criterion = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def check_loss(loss: object) -> None:
    """Check that a loss is a function.

    Raises
    ------
    TypeError
        If the loss is a class, or cannot be called.
    """
    if isinstance(loss, type):
        raise TypeError(f"the loss is the class {loss.__name__}: give an instance of it, such as {loss.__name__}()")
    if not callable(loss):
        raise TypeError(f"the loss must be a function (outputs, targets) -> scalar, got {type(loss).__name__}")


def scalar(value: object) -> torch.Tensor:
    """Return the value of a loss if it is a tensor with one entry.

    Raises
    ------
    TypeError
        If it is anything else; the message says what to change.

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
    """Return the value of a loss if it can be differentiated.

    Raises
    ------
    TypeError
        If it does not depend on a parameter that requires gradients.
    """
    if not value.requires_grad:
        raise TypeError(
            "the loss depends on no parameter that requires gradients; leave out detach(), .data and torch.no_grad() "
            "in the module and the loss"
        )
    return value
