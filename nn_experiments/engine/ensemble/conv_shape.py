"""The sizes that decide the cost of convolutions, and the key under which an algorithm is recorded."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ConvolutionShape"]

Pair = tuple[int, int]


@dataclass(frozen=True)
class ConvolutionShape:
    """Sizes of E convolutions, one per chain.

    Attributes
    ----------
    batch, inputs, outputs
        Images per batch, input and output channels.
    size
        (height, width) of the images.
    taps, stride, padding, dilation
        (height, width) of the kernel, and its stride, padding and dilation in both directions.
    groups
        Number of groups within one chain.
    shared
        Whether all chains have the same input images.
    """

    batch: int
    inputs: int
    outputs: int
    size: Pair
    taps: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    shared: bool = False

    @property
    def result(self) -> Pair:
        """(height, width) of the output images."""
        rows, columns = (
            (size + 2 * pad - dilation * (taps - 1) - 1) // stride + 1
            for size, taps, stride, pad, dilation in zip(
                self.size, self.taps, self.stride, self.padding, self.dilation, strict=True
            )
        )
        return rows, columns

    def __str__(self) -> str:
        """Return the key under which a choice is recorded, such as ``8x64x32x32-64 3x3/1+1``."""
        h, w = self.size
        text = f"{self.batch}x{self.inputs}x{h}x{w}-{self.outputs} {self.taps[0]}x{self.taps[1]}"
        for sign, pair, usual in (("/", self.stride, ()), ("+", self.padding, ()), ("~", self.dilation, (1, 1))):
            if pair != usual:
                text += sign + (str(pair[0]) if pair[0] == pair[1] else f"{pair[0]},{pair[1]}")
        return text + (f" groups {self.groups}" if self.groups > 1 else "") + (" shared" if self.shared else "")
