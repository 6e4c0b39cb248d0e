"""A small convolutional network, for questions about normalisation that a CPU answers in minutes."""

from __future__ import annotations

import torch
from torch import nn

from nn_experiments.training.models.layers import NORMALISATIONS, activation_of, convolution, normalisation, options

__all__ = ["ConvNet", "build"]


class ConvNet(nn.Module):
    """Two 3×3 convolutions of 32 and 64 channels, the second of stride 2, global average pooling, one linear layer.

    Parameters
    ----------
    channels, outputs
        Of the images, and of the linear layer.
    norm
        ``batch``, ``group`` or ``none``; a convolution has biases only without normalisation.
    """

    def __init__(self, channels: int, outputs: int, *, norm: str = "batch", activation: str = "relu") -> None:
        super().__init__()
        bias = norm == "none"
        self.conv1, self.norm1 = convolution(channels, 32, 3, bias=bias), normalisation(norm, 32)
        self.conv2, self.norm2 = convolution(32, 64, 3, stride=2, bias=bias), normalisation(norm, 64)
        self.activation = activation_of(activation)
        self.head = nn.utils.skip_init(nn.Linear, 64, outputs)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map (B, C, H, W) to (B, outputs)."""
        x = self.activation(self.norm1(self.conv1(images)))
        x = self.activation(self.norm2(self.conv2(x)))
        return self.head(x.mean((2, 3)))


def build(name: str, shape: tuple[int, ...], outputs: int, *, activation: str = "relu") -> ConvNet:
    """Return ``convnet``; ``-group`` or ``-none`` for the normalisation.

    Raises
    ------
    ValueError
        If the name has another form, or the inputs are not images of shape (C, H, W).
    """
    (norm,) = options(name, "convnet", NORMALISATIONS)
    if len(shape) != 3:
        raise ValueError(f"{name} needs images of shape (C, H, W), got {shape}")
    return ConvNet(shape[0], outputs, norm=norm, activation=activation)
