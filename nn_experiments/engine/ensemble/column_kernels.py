"""Triton kernels for `nn_experiments.engine.ensemble.columns`: columns copied in one pass, added up in one pass.

Sums are taken in float32 (in float64 for float64), tap by tap in a fixed order.
"""

# Triton comes with torch where there is a GPU; elsewhere this file is not imported.
# pyright: reportMissingImports=false, reportIndexIssue=false, reportGeneralTypeIssues=false, reportArgumentType=false

from __future__ import annotations

import torch
import triton
import triton.language as tl

from nn_experiments.engine.ensemble.conv_shape import ConvolutionShape

__all__ = ["gather", "scatter"]

#: Places and channels that one program copies.
PLACES, CHANNELS = 32, 64


@triton.jit(do_not_specialize=["places"])
def _gather_kernel(
    images,
    columns,
    places,
    channels,
    width_of_all,
    HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr,
    ROWS: tl.constexpr,
    ACROSS: tl.constexpr,
    KH: tl.constexpr,
    KW: tl.constexpr,
    SH: tl.constexpr,
    SW: tl.constexpr,
    PH: tl.constexpr,
    PW: tl.constexpr,
    DH: tl.constexpr,
    DW: tl.constexpr,
    PLACES: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """Copy the channels under every tap of a block of places of one chain."""
    chain = tl.program_id(1).to(tl.int64)
    m = tl.program_id(0) * PLACES + tl.arange(0, PLACES)
    c = tl.program_id(2) * CHANNELS + tl.arange(0, CHANNELS)
    image, place = m // (ROWS * ACROSS), m % (ROWS * ACROSS)
    top, left = place // ACROSS * SH - PH, place % ACROSS * SW - PW
    target = columns + (chain * places + m)[:, None] * (KH * KW * channels) + c[None, :]
    known = (m < places)[:, None] & (c < channels)[None, :]
    for i in tl.static_range(KH):
        for j in tl.static_range(KW):
            y, x = top + i * DH, left + j * DW
            inside = (y >= 0) & (y < HEIGHT) & (x >= 0) & (x < WIDTH)
            source = images + ((image * HEIGHT + y) * WIDTH + x).to(tl.int64)[:, None] * width_of_all
            patch = tl.load(source + (chain * channels + c)[None, :], mask=known & inside[:, None], other=0.0)
            tl.store(target + (i * KW + j) * channels, patch, mask=known)


@triton.jit(do_not_specialize=["pixels", "places"])
def _scatter_kernel(
    columns,
    images,
    pixels,
    places,
    channels,
    width_of_all,
    HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr,
    ROWS: tl.constexpr,
    ACROSS: tl.constexpr,
    KH: tl.constexpr,
    KW: tl.constexpr,
    SH: tl.constexpr,
    SW: tl.constexpr,
    PH: tl.constexpr,
    PW: tl.constexpr,
    DH: tl.constexpr,
    DW: tl.constexpr,
    SUM: tl.constexpr,
    PLACES: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """Add up the contributions of all taps to a block of pixels of one chain."""
    chain = tl.program_id(1).to(tl.int64)
    p = tl.program_id(0) * PLACES + tl.arange(0, PLACES)
    c = tl.program_id(2) * CHANNELS + tl.arange(0, CHANNELS)
    image, pixel = p // (HEIGHT * WIDTH), p % (HEIGHT * WIDTH)
    known = (p < pixels)[:, None] & (c < channels)[None, :]
    total = tl.full((PLACES, CHANNELS), 0.0, SUM)
    for i in tl.static_range(KH):
        for j in tl.static_range(KW):
            y, x = pixel // WIDTH + PH - i * DH, pixel % WIDTH + PW - j * DW
            met = (y >= 0) & (x >= 0) & (y % SH == 0) & (x % SW == 0) & (y // SH < ROWS) & (x // SW < ACROSS)
            place = (image * ROWS + y // SH) * ACROSS + x // SW
            source = columns + (chain * places + place)[:, None] * (KH * KW * channels) + c[None, :]
            total += tl.load(source + (i * KW + j) * channels, mask=known & met[:, None], other=0.0).to(SUM)
    target = images + p.to(tl.int64)[:, None] * width_of_all + (chain * channels + c)[None, :]
    tl.store(target, total.to(images.dtype.element_ty), mask=known)


def _constants(shape: ConvolutionShape) -> dict[str, int]:
    names = ("HEIGHT", "WIDTH", "ROWS", "ACROSS", "KH", "KW", "SH", "SW", "PH", "PW", "DH", "DW")
    values = (*shape.size, *shape.result, *shape.taps, *shape.stride, *shape.padding, *shape.dilation)
    return {**dict(zip(names, values, strict=True)), "PLACES": PLACES, "CHANNELS": CHANNELS}


def _grid(places: int, chains: int, channels: int) -> tuple[int, int, int]:
    return triton.cdiv(places, PLACES), chains, triton.cdiv(channels, CHANNELS)


def gather(images: torch.Tensor, shape: ConvolutionShape, chains: int) -> torch.Tensor:
    """Return the columns (E, B·places, taps·C) of contiguous images (B, H, W, E·C)."""
    places, channels = len(images) * shape.result[0] * shape.result[1], shape.inputs
    columns = images.new_empty(chains, places, shape.taps[0] * shape.taps[1] * channels)
    with torch.cuda.device_of(images):  # Triton launches on the current device, whatever its tensors are on
        _gather_kernel[_grid(places, chains, channels)](
            images, columns, places, channels, images.shape[3], **_constants(shape)
        )
    return columns


def scatter(columns: torch.Tensor, shape: ConvolutionShape, batch: int) -> torch.Tensor:
    """Return the sums (B, H, W, E·C) of contiguous columns' gradients (E, B·places, taps·C)."""
    chains, places = columns.shape[:2]
    images = columns.new_empty(batch, *shape.size, chains * shape.inputs)
    pixels = batch * shape.size[0] * shape.size[1]
    with torch.cuda.device_of(columns):
        _scatter_kernel[_grid(pixels, chains, shape.inputs)](
            columns,
            images,
            pixels,
            places,
            shape.inputs,
            images.shape[3],
            SUM=tl.float64 if columns.dtype == torch.float64 else tl.float32,
            **_constants(shape),
        )
    return images
