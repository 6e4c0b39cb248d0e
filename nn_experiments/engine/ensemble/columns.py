"""Convolutions of many chains as batched matrix products of columns (im2col).

Everything here is channels last: images are (B, H, W, E·C) in memory, columns (E, B·places, taps·C), weights
(E, O, taps·C). Every product reads and writes its tensors in place, so that nothing is transposed. On a GPU with Triton
two small kernels gather the columns and add up their gradients; elsewhere views of the images are used.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Protocol

import torch
from torch.nn import functional as F

from nn_experiments.engine.ensemble.conv_shape import ConvolutionShape

__all__ = ["by_columns"]


def by_columns(images: torch.Tensor, weight: torch.Tensor, shape: ConvolutionShape) -> torch.Tensor:
    """Return the convolutions of all chains, (B, E·O, …), channels last in memory.

    Parameters
    ----------
    images, weight, shape
        As in `nn_experiments.engine.ensemble.convolutions.convolve`; without groups within a chain.
    """
    kind = images.device.type
    if kind != "meta" and torch.is_autocast_enabled(kind):
        images, weight = (value.to(torch.get_autocast_dtype(kind)) for value in (images, weight))
    with torch.autocast("cpu" if kind == "meta" else kind, enabled=False):
        if shape.shared:  # one chain with the outputs of all
            weight = weight.flatten(0, 1)[None]
        result = _Columns.apply(images, weight, shape)
    assert isinstance(result, torch.Tensor)
    return result.permute(0, 3, 1, 2)  # outside of the autograd function, so that later layers may change it in place


def _last(images: torch.Tensor) -> torch.Tensor:
    """Return (B, C, H, W) as (B, H, W, C), contiguous; a view where memory is channels last already."""
    return images.permute(0, 2, 3, 1).contiguous()


def _pointwise(shape: ConvolutionShape) -> bool:
    return shape.taps == shape.stride == (1, 1) and shape.padding == (0, 0)


def _by_chain(images: torch.Tensor, chains: int) -> torch.Tensor:
    """Return (B, H, W, E·C) as (E, B·H·W, C), a view."""
    return images.flatten(0, 2).unflatten(1, (chains, -1)).transpose(0, 1)


class _Context(Protocol):
    """What torch passes from a forward pass to its backward pass."""

    shape: ConvolutionShape
    saved_tensors: tuple[torch.Tensor, ...]
    needs_input_grad: tuple[bool, ...]

    def save_for_backward(self, *tensors: torch.Tensor) -> None: ...


class _Columns(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[override]
        ctx: _Context,
        images: torch.Tensor,
        weight: torch.Tensor,
        shape: ConvolutionShape,
    ) -> torch.Tensor:
        chains, outputs = weight.shape[:2]
        images = _last(images)
        taps = weight.permute(0, 1, 3, 4, 2).reshape(chains, outputs, -1)
        columns = _by_chain(images, chains) if _pointwise(shape) else _gather(images, shape, chains)
        result = images.new_empty(len(images), *shape.result, chains * outputs)
        torch.bmm(columns, taps.transpose(1, 2), out=_by_chain(result, chains))
        ctx.save_for_backward(columns, taps)
        ctx.shape = shape
        return result

    @staticmethod
    def backward(  # type: ignore[override]
        ctx: _Context,
        *grads: torch.Tensor,
    ) -> tuple[torch.Tensor | None, torch.Tensor | None, None]:
        columns, taps = ctx.saved_tensors
        shape, chains = ctx.shape, len(taps)
        slopes = _by_chain(grads[0].contiguous(), chains)
        of_images = of_weight = None
        if ctx.needs_input_grad[1]:
            products = torch.bmm(slopes.transpose(1, 2), columns)
            of_weight = products.unflatten(2, (*shape.taps, -1)).permute(0, 1, 4, 2, 3)
        if ctx.needs_input_grad[0]:
            batch, inputs = len(grads[0]), chains * shape.inputs
            if _pointwise(shape):
                last = slopes.new_empty(batch, *shape.size, inputs)
                torch.bmm(slopes, taps, out=_by_chain(last, chains))
            else:
                last = _scatter(torch.bmm(slopes, taps), shape, batch)
            of_images = last.permute(0, 3, 1, 2)
        return of_images, of_weight, None


def _in_triton(tensor: torch.Tensor) -> bool:
    return tensor.is_cuda and find_spec("triton") is not None


def _gather(images: torch.Tensor, shape: ConvolutionShape, chains: int) -> torch.Tensor:
    """Return the columns (E, B·places, taps·C) of images (B, H, W, E·C)."""
    if _in_triton(images):
        from nn_experiments.engine.ensemble.column_kernels import gather

        return gather(images, shape, chains)
    (up, left), (down, right), (spread, along) = shape.padding, shape.stride, shape.dilation
    padded = F.pad(images, (0, 0, left, left, up, up))
    batch, rows, row, pixel = len(images), shape.result[0], padded.stride(1), padded.stride(2)
    sizes = (chains, batch, rows, shape.result[1], *shape.taps, shape.inputs)
    strides = (shape.inputs, padded.stride(0), down * row, right * pixel, spread * row, along * pixel, 1)
    return padded.as_strided(sizes, strides).reshape(chains, batch * rows * shape.result[1], -1)


def _scatter(columns: torch.Tensor, shape: ConvolutionShape, batch: int) -> torch.Tensor:
    """Return the sum of the columns' gradients for each pixel of the images, (B, H, W, E·C)."""
    if _in_triton(columns):
        from nn_experiments.engine.ensemble.column_kernels import scatter

        return scatter(columns, shape, batch)
    (height, width), (up, left), (rows, across) = shape.size, shape.padding, shape.result
    chains = len(columns)
    padded = columns.new_zeros(batch, height + 2 * up, width + 2 * left, chains, shape.inputs)
    parts = columns.view(chains, batch, rows, across, *shape.taps, shape.inputs).permute(4, 5, 1, 2, 3, 0, 6)
    for i in range(shape.taps[0]):
        for j in range(shape.taps[1]):
            first = i * shape.dilation[0], j * shape.dilation[1]
            ends = (f + s * (n - 1) + 1 for f, s, n in zip(first, shape.stride, shape.result, strict=True))
            down, right = (slice(f, end, s) for f, end, s in zip(first, ends, shape.stride, strict=True))
            padded[:, down, right] += parts[i, j]
    return padded[:, up : up + height, left : left + width].flatten(3)
