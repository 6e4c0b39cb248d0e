"""Parts of the convolutional networks: uninitialised convolutions, normalisation, and options in the models' names."""

from __future__ import annotations

from functools import partial

from torch import nn

from contraction.arguments import check_choice
from nn_experiments.training.choices import ACTIVATIONS

__all__ = ["NORMALISATIONS", "activation_of", "convolution", "normalisation", "options"]

NORMALISATIONS = ("batch", "group", "none")
GROUPS = 32


def convolution(inputs: int, outputs: int, size: int, *, stride: int = 1, bias: bool = False) -> nn.Conv2d:
    """Return an uninitialised convolution that, but for its stride, keeps the size of the image."""
    padding = (size - 1) // 2
    layer = nn.utils.skip_init(nn.Conv2d, inputs, outputs, size, stride=stride, padding=padding, bias=bias)
    assert isinstance(layer, nn.Conv2d)
    return layer


def activation_of(kind: str) -> nn.Module:
    """Return ReLU, in place, tanh or GELU."""
    check_choice("the activation", kind, ACTIVATIONS)
    return {"relu": partial(nn.ReLU, inplace=True), "tanh": nn.Tanh, "gelu": nn.GELU}[kind]()


def normalisation(kind: str, channels: int) -> nn.Module:
    """Return batch norm (running statistics with momentum 0.1), group norm (32 groups), or nothing."""
    check_choice("the normalisation", kind, NORMALISATIONS)
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    if kind == "group":
        return nn.GroupNorm(GROUPS, channels)
    return nn.Identity()


def options(name: str, base: str, *groups: tuple[str, ...]) -> list[str]:
    """Return the option that a name like ``resnet18-7x7-group`` chooses in each group (default: the group's first).

    Raises
    ------
    ValueError
        If the name has an unknown or repeated option, options in another order, or the default option of a group: a
        model has only one name.
    """
    words = name.removeprefix(base).split("-")[1:]
    chosen = [group[0] for group in groups]
    for k, group in enumerate(groups):
        if words and words[0] in group[1:]:
            chosen[k] = words.pop(0)
    if words or not name.startswith(base) or (name != base and name[len(base)] != "-"):
        known = "".join(f"[-{'|-'.join(group[1:])}]" for group in groups)
        raise ValueError(f"unknown model {name!r}; the form is {base}{known}")
    return chosen
