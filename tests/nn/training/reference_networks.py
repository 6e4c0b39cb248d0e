"""ResNet and VGG in NumPy, from the tables of their papers: what the torch modules are held to (no torch)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

__all__ = ["Reference"]

EPS = 1e-5


class Reference:
    """A forward pass that knows a network's parameters by name and nothing of its modules.

    Parameters
    ----------
    values
        Parameters and running statistics, by name; running statistics are changed by a pass in training.
    norm
        ``batch``, ``group`` or ``none``.
    training
        Whether batch norm takes the batch's statistics and moves the running ones by a tenth.
    """

    def __init__(self, values: Mapping[str, np.ndarray], *, norm: str, training: bool) -> None:
        self.values = {name: np.array(value, float) for name, value in values.items()}
        self.norm, self.training = norm, training

    def convolve(self, x: np.ndarray, name: str, stride: int = 1) -> np.ndarray:
        """Return the convolution with zeros around the image, (k − 1)/2 of them."""
        weight = self.values[f"{name}.weight"]
        size = weight.shape[2]
        edge = (size - 1) // 2
        padded = np.pad(x, ((0, 0), (0, 0), (edge, edge), (edge, edge)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(2, 3))[:, :, ::stride, ::stride]
        result = np.tensordot(windows, weight, axes=((1, 4, 5), (1, 2, 3))).transpose(0, 3, 1, 2)
        bias = self.values.get(f"{name}.bias")
        return result if bias is None else result + bias[:, None, None]

    def normalise(self, x: np.ndarray, name: str) -> np.ndarray:
        """Return the normalised images, times weight plus bias."""
        if self.norm == "none":
            return x
        weight, bias = (self.values[f"{name}.{part}"][:, None, None] for part in ("weight", "bias"))
        if self.norm == "group":
            grouped = x.reshape(len(x), 32, -1)
            grouped = (grouped - grouped.mean(2, keepdims=True)) / np.sqrt(grouped.var(2, keepdims=True) + EPS)
            return grouped.reshape(x.shape) * weight + bias
        if not self.training:
            mean, variance = self.values[f"{name}.running_mean"], self.values[f"{name}.running_var"]
        else:
            mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3))
            count = x.size // x.shape[1]
            for part, value in (("running_mean", mean), ("running_var", variance * count / (count - 1))):
                self.values[f"{name}.{part}"] = 0.9 * self.values[f"{name}.{part}"] + 0.1 * value
        return (x - mean[:, None, None]) / np.sqrt(variance + EPS)[:, None, None] * weight + bias

    def linear(self, x: np.ndarray, name: str) -> np.ndarray:
        """Return W x + b."""
        return x @ self.values[f"{name}.weight"].T + self.values[f"{name}.bias"]

    def resnet(self, x: np.ndarray, depth: int, *, stem: str) -> np.ndarray:
        """Return the outputs of ResNet-18 or ResNet-50 (He et al., 2016, Table 1; stride in the 3×3 convolution)."""
        counts = {18: (2, 2, 2, 2), 50: (3, 4, 6, 3)}[depth]
        x = relu(self.normalise(self.convolve(x, "conv", 2 if stem == "7x7" else 1), "norm"))
        if stem == "7x7":
            x = maximum(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf), 3)
        block = 0
        for stage, count in enumerate(counts):
            for k in range(count):
                stride = 2 if stage > 0 and k == 0 else 1
                name = f"blocks.{block}"
                strides = (stride, 1) if depth == 18 else (1, stride, 1)
                y = x
                for c, s in enumerate(strides, 1):
                    y = self.normalise(self.convolve(y, f"{name}.conv{c}", s), f"{name}.norm{c}")
                    y = relu(y) if c < len(strides) else y
                if y.shape != x.shape:
                    x = self.normalise(self.convolve(x, f"{name}.shortcut.0", stride), f"{name}.shortcut.1")
                x = relu(y + x)
                block += 1
        return self.linear(x.mean((2, 3)), "head")

    def vgg19(self, x: np.ndarray, *, head: str) -> np.ndarray:
        """Return the outputs of VGG-19 (Simonyan and Zisserman, 2015, Table 1, column E), convolutions in order."""
        place = 0
        for count in (2, 2, 4, 4, 4):
            for _ in range(count):
                x = relu(self.normalise(self.convolve(x, f"features.{place}"), f"features.{place + 1}"))
                place += 3
            x = maximum(x, 2)
            place += 1
        x = x.reshape(len(x), -1)
        for layer in (0, 2) if head == "4096" else ():
            x = relu(self.linear(x, f"head.{layer}"))
        return self.linear(x, "head.4" if head == "4096" else "head.0")


def relu(x: np.ndarray) -> np.ndarray:
    """Return the positive part."""
    return np.maximum(x, 0)


def maximum(x: np.ndarray, size: int) -> np.ndarray:
    """Return the maximum over windows, two apart."""
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(2, 3))[:, :, ::2, ::2]
    return windows.max((4, 5))
