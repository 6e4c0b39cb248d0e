"""The fully connected network of Figures 3 to 7, 10 and 13."""

from __future__ import annotations

import itertools
import math
import re

import torch
from torch import nn

from contraction.arguments import check_choice
from nn_experiments.training.choices import ACTIVATIONS

__all__ = ["MLP", "build"]

_APPLY = {"relu": torch.relu, "tanh": torch.tanh, "gelu": nn.functional.gelu}


class MLP(nn.Module):
    """Linear layers with ReLU, tanh or GELU between them; inputs are flattened.

    Parameters
    ----------
    sizes
        (inputs, hidden, …, outputs): one Linear layer between neighbours.
    activation
        ``"relu"``, ``"tanh"`` or ``"gelu"``.
    """

    def __init__(self, sizes: tuple[int, ...], *, activation: str = "relu") -> None:
        super().__init__()
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(f"an MLP needs at least an input and an output size, all positive, got {sizes}")
        check_choice("the activation", activation, ACTIVATIONS)
        self.sizes = tuple(sizes)
        self.activation = activation
        layers = [nn.utils.skip_init(nn.Linear, a, b) for a, b in itertools.pairwise(sizes)]
        self.layers = nn.ModuleList(layers)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map (B, …) to (B, outputs)."""
        hidden = inputs.flatten(1)
        for layer in self.layers[:-1]:
            hidden = layer(hidden)
            hidden = _APPLY[self.activation](hidden)
        return self.layers[-1](hidden)


def build(name: str, shape: tuple[int, ...], outputs: int, *, activation: str = "relu") -> MLP:
    """Return ``mlp-LxW``: L hidden layers of W units."""
    match = re.fullmatch(r"mlp-(\d+)x(\d+)", name)
    if match is None:
        raise ValueError(f"the name of an MLP is mlp-LxW, got {name!r}")
    depth, width = int(match[1]), int(match[2])
    return MLP((math.prod(shape), *[width] * depth, outputs), activation=activation)
