"""VGG-19 (Simonyan and Zisserman, 2015) of Figure 8."""

from __future__ import annotations

import itertools
import re

import torch
from torch import nn

from nn_experiments.training.models import KNOWN
from nn_experiments.training.models.layers import NORMALISATIONS, activation_of, convolution, normalisation, options

__all__ = ["VGG", "build"]

#: Number of convolutions per stage and their channels; each stage ends in a 2×2 maximum.
STAGES = ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512))


class VGG(nn.Module):
    """Sixteen 3×3 convolutions in five stages, then one linear layer, or three (VGG-19 as published).

    Parameters
    ----------
    shape, outputs
        (C, H, W) of the images, H and W multiples of 32; number of outputs.
    head
        ``linear``: one linear layer, as usual for 32×32 images. ``4096``: two hidden layers of 4096 (and no
        dropout: the paper trains without regularisation).
    norm
        ``batch``, ``group`` or ``none``, after every convolution.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        outputs: int,
        *,
        head: str = "linear",
        norm: str = "batch",
        activation: str = "relu",
    ) -> None:
        super().__init__()
        channels, height, width = shape
        if height % 32 or width % 32:
            raise ValueError(f"VGG-19 halves images five times: height and width must be multiples of 32, got {shape}")
        layers: list[nn.Module] = []
        for count, wide in STAGES:
            for _ in range(count):
                layers += [
                    convolution(channels, wide, 3, bias=True),
                    normalisation(norm, wide),
                    activation_of(activation),
                ]
                channels = wide
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        sizes = [channels * (height // 32) * (width // 32), *([4096, 4096] if head == "4096" else []), outputs]
        linear = [nn.utils.skip_init(nn.Linear, a, b) for a, b in itertools.pairwise(sizes)]
        between = [layer for one in linear[:-1] for layer in (one, activation_of(activation))]
        self.head = nn.Sequential(*between, linear[-1])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map (B, C, H, W) to (B, outputs)."""
        return self.head(self.features(images).flatten(1))


def build(name: str, shape: tuple[int, ...], outputs: int, *, activation: str = "relu") -> VGG:
    """Return ``vgg19``, with ``-4096`` for the large head and ``-group`` or ``-none`` for the norm."""
    if not re.match(r"vgg19(?!\d)", name):
        raise ValueError(f"unknown model {name!r}; known are {', '.join(KNOWN)}")
    head, norm = options(name, "vgg19", ("linear", "4096"), NORMALISATIONS)
    if len(shape) != 3:
        raise ValueError(f"{name} needs images of shape (C, H, W), got {shape}")
    channels, height, width = shape
    return VGG((channels, height, width), outputs, head=head, norm=norm, activation=activation)
