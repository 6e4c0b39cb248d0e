"""ResNet-18 and ResNet-50 (He et al., 2016) of Figures 2, 9, 11 and 12."""

from __future__ import annotations

import re

import torch
from torch import nn

from nn_experiments.training.models import KNOWN
from nn_experiments.training.models.layers import NORMALISATIONS, activation_of, convolution, normalisation, options

__all__ = ["BasicBlock", "Bottleneck", "ResNet", "build"]


class BasicBlock(nn.Module):
    """Two 3×3 convolutions and a shortcut; the shortcut is a 1×1 convolution where the shape changes."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int, *, norm: str, activation: str) -> None:
        super().__init__()
        self.conv1, self.norm1 = convolution(inputs, width, 3, stride=stride), normalisation(norm, width)
        self.conv2, self.norm2 = convolution(width, width, 3), normalisation(norm, width)
        self.shortcut = _shortcut(inputs, width, stride, norm)
        self.activation = activation_of(activation)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, inputs, H, W) to (B, width, H / stride, W / stride)."""
        y = self.activation(self.norm1(self.conv1(x)))
        return self.activation(self.norm2(self.conv2(y)) + self.shortcut(x))


class Bottleneck(nn.Module):
    """1×1, 3×3 (which has the stride) and 1×1 convolutions to four times the width, and a shortcut."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int, *, norm: str, activation: str) -> None:
        super().__init__()
        wide = self.expansion * width
        self.conv1, self.norm1 = convolution(inputs, width, 1), normalisation(norm, width)
        self.conv2, self.norm2 = convolution(width, width, 3, stride=stride), normalisation(norm, width)
        self.conv3, self.norm3 = convolution(width, wide, 1), normalisation(norm, wide)
        self.shortcut = _shortcut(inputs, wide, stride, norm)
        self.activation = activation_of(activation)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, inputs, H, W) to (B, 4·width, H / stride, W / stride)."""
        y = self.activation(self.norm1(self.conv1(x)))
        y = self.activation(self.norm2(self.conv2(y)))
        return self.activation(self.norm3(self.conv3(y)) + self.shortcut(x))


def _shortcut(inputs: int, outputs: int, stride: int, norm: str) -> nn.Module:
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(convolution(inputs, outputs, 1, stride=stride), normalisation(norm, outputs))


class ResNet(nn.Module):
    """Four stages of 64, 128, 256 and 512 channels, global average pooling, one linear layer.

    Parameters
    ----------
    depth
        18 (basic blocks 2, 2, 2, 2) or 50 (bottlenecks 3, 4, 6, 3).
    channels, outputs
        Of the images, and of the linear layer.
    stem
        ``3x3``: a 3×3 convolution at full resolution, for 32×32 images. ``7x7``: the original one for large images,
        a 7×7 convolution of stride 2 and a 3×3 maximum of stride 2; on 32×32 images some 16 times cheaper.
    norm
        ``batch``, ``group`` or ``none``.
    """

    def __init__(
        self,
        depth: int,
        channels: int,
        outputs: int,
        *,
        stem: str = "3x3",
        norm: str = "batch",
        activation: str = "relu",
    ) -> None:
        super().__init__()
        block, counts = {18: (BasicBlock, (2, 2, 2, 2)), 50: (Bottleneck, (3, 4, 6, 3))}[depth]
        size, stride = {"3x3": (3, 1), "7x7": (7, 2)}[stem]
        self.conv, self.norm = convolution(channels, 64, size, stride=stride), normalisation(norm, 64)
        self.activation = activation_of(activation)
        self.pool = nn.Identity() if stem == "3x3" else nn.MaxPool2d(3, stride=2, padding=1)
        blocks: list[nn.Module] = []
        inputs = 64
        for stage, count in enumerate(counts):
            width = 64 * 2**stage
            for k in range(count):
                stride = 2 if stage and not k else 1
                blocks.append(block(inputs, width, stride, norm=norm, activation=activation))
                inputs = block.expansion * width
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.utils.skip_init(nn.Linear, inputs, outputs)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map (B, C, H, W) to (B, outputs)."""
        x = self.pool(self.activation(self.norm(self.conv(images))))
        return self.head(self.blocks(x).mean((2, 3)))


def build(name: str, shape: tuple[int, ...], outputs: int, *, activation: str = "relu") -> ResNet:
    """Return ``resnet18`` or ``resnet50``; ``-7x7`` for the large stem, ``-group`` or ``-none`` for the norm."""
    match = re.match(r"resnet(18|50)(?!\d)", name)
    if match is None:
        raise ValueError(f"unknown model {name!r}; known are {', '.join(KNOWN)}")
    stem, norm = options(name, match[0], ("3x3", "7x7"), NORMALISATIONS)
    if len(shape) != 3:
        raise ValueError(f"{name} needs images of shape (C, H, W), got {shape}")
    return ResNet(int(match[1]), shape[0], outputs, stem=stem, norm=norm, activation=activation)
