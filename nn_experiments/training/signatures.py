"""Whether a function of the user takes the arguments that it will be given."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from torch import nn

__all__ = ["check_is_step", "check_takes"]


def check_takes(name: str, function: object, arguments: Sequence[str]) -> None:
    """Check that a function takes these positional arguments.

    Parameters
    ----------
    name
        What the function is called in the error message.
    function
        The function of the user. One whose signature Python does not know passes.
    arguments
        Names of the arguments, for the message.

    Raises
    ------
    TypeError
        If it cannot be called, or takes another number of arguments.

    Examples
    --------
    >>> check_takes("state", lambda seed: {}, ["seed"])
    >>> check_takes("state", lambda: {}, ["seed"])
    Traceback (most recent call last):
    ...
    TypeError: state must be a function (seed); got one with the arguments ()
    """
    rule = f"{name} must be a function ({', '.join(arguments)}); got"
    if not callable(function):
        raise TypeError(f"{rule} {type(function).__name__}")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # a function of a compiled module
        return
    try:
        signature.bind(*arguments)
    except TypeError:
        raise TypeError(f"{rule} one with the arguments {signature}") from None


def check_is_step(step: object) -> None:
    """Check that a step is a function of state, batch and position.

    Raises
    ------
    TypeError
        If it is a module, a class, or no function of three arguments.
    """
    if isinstance(step, nn.Module | type):
        kind = f"the class {step.__name__}" if isinstance(step, type) else f"the module {type(step).__name__}"
        raise TypeError(
            "step must be a function (state, batch, t), such as the first value of from_torch(model, loss, optimizer); "
            f"got {kind}"
        )
    check_takes("step", step, ("state", "batch", "t"))
