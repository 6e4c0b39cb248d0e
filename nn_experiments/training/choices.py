"""The allowed values of settings that are one of a few names (no torch)."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "ACTIVATIONS",
    "DTYPES",
    "INITIALISATIONS",
    "LOSSES",
    "METHODS",
    "PRECISIONS",
    "SAMPLING",
    "SCALINGS",
    "SCHEDULES",
    "check_choice",
]

ACTIVATIONS = ("relu", "tanh")
DTYPES = ("float32", "float64")
INITIALISATIONS = ("torch", "he_normal", "glorot_uniform")
LOSSES = ("mse", "cross_entropy")
METHODS = ("sgd", "momentum", "adam", "adamw")
PRECISIONS = ("bf16",)
SAMPLING = ("iid", "reshuffle", "shuffle_once")
SCALINGS = ("unit", "standard")
SCHEDULES = ("constant", "inverse", "cosine", "linear")


def check_choice(name: str, value: str, choices: Sequence[str]) -> str:
    """Return a value that is one of a few names.

    Parameters
    ----------
    name : str
        The name of the setting in the error message.
    value : str
        The value given.
    choices : sequence of str
        The values that are allowed.

    Returns
    -------
    str
        The same value.

    Raises
    ------
    ValueError
        If the value is not one of them; the message lists them.

    Examples
    --------
    >>> check_choice("loss", "hinge", LOSSES)
    Traceback (most recent call last):
    ...
    ValueError: loss must be one of mse, cross_entropy; got 'hinge'
    """
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}; got {value!r}")
    return value
