"""Shared by the convolutional networks: convolutions without an initial draw, normalisation, and names of options."""

from __future__ import annotations

from torch import nn

from nn_experiments.training.choices import ACTIVATIONS, check_choice

__all__ = ["NORMALISATIONS", "activation_of", "convolution", "normalisation", "options"]

NORMALISATIONS = ("batch", "group", "none")
GROUPS = 32


def convolution(inputs: int, outputs: int, size: int, *, stride: int = 1, bias: bool = False) -> nn.Conv2d:
    """Return a convolution that keeps the size of the image but for its stride; its weights have no meaning yet."""
    padding = (size - 1) // 2
    made = nn.utils.skip_init(nn.Conv2d, inputs, outputs, size, stride=stride, padding=padding, bias=bias)
    assert isinstance(made, nn.Conv2d)
    return made


def activation_of(kind: str) -> nn.Module:
    """Return ReLU, in place, or tanh."""
    check_choice("the activation", kind, ACTIVATIONS)
    return nn.ReLU(inplace=True) if kind == "relu" else nn.Tanh()


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
        If the name is not canonical (unknown, repeated or in another order, or a usual choice spelt out), so that
        one model has one name.
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
