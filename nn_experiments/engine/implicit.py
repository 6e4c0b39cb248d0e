"""Convolutions of many chains as matrix products whose columns are never written out (Triton, for a GPU).

The patches that ``products`` writes into memory, nine times the images for 3 × 3 taps, are gathered here while the
product is computed. Three products a convolution, each for all chains in one launch (C, O channels in and out, T taps,
P places in all images of a batch):

    outputs    (O × C·T) · (C·T × P)     patches gathered from the images
    images'    (C × O·T) · (O·T × P)     patches gathered from the gradient of the outputs
    weights'   (O × P) · (P × C·T)       patches gathered from the images

Sums are taken in float32 (in float64 for float64, which only Triton's interpreter does).
"""

# Triton comes with torch where there is a GPU; elsewhere this file is not imported.
# pyright: reportMissingImports=false, reportIndexIssue=false

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import triton
import triton.language as tl

from nn_experiments.engine.convolutions import ConvolutionShape

__all__ = ["TILES", "Tile", "implicit"]


@dataclass(frozen=True)
class Tile:
    """How much of a product one program computes: ``rows`` × ``columns``, ``depth`` products a pass, by ``warps``."""

    rows: int
    columns: int
    depth: int
    warps: int
    stages: int


TILES = {"implicit-64": Tile(64, 64, 32, 4, 4), "implicit-128": Tile(128, 128, 32, 8, 3)}

#: Arguments whose values decide nothing that is compiled, so that one kernel serves images of all sizes.
_SIZES = ["inner", "rows", "batch", "height", "width", "out_height", "out_width", "source_chain", "source_image",
          "out_chain", "out_image", "weight_chain", "weight_row", "weight_inner", "gradient_chain",
          "gradient_image"]  # fmt: skip


@triton.jit
def _patch(top, left, down, right, height, width, SH: tl.constexpr, SW: tl.constexpr, TURNED: tl.constexpr):
    """Return row, column and whether they are inside, for places (top, left) and taps (down, right)."""
    if TURNED:
        y, x = top - down, left - right
        inside = (y >= 0) & (x >= 0) & (y % SH == 0) & (x % SW == 0)
        y, x = y // SH, x // SW
    else:
        y, x = top + down, left + right
        inside = (y >= 0) & (x >= 0)
    return y, x, inside & (y < height) & (x < width)


@triton.jit(do_not_specialize=_SIZES)
def _images_kernel(
    source, weight, out, inner, rows, batch,
    height, width, out_height, out_width,
    source_chain, source_image, out_chain, out_image, weight_chain, weight_row, weight_inner,
    KH: tl.constexpr, KW: tl.constexpr, SH: tl.constexpr, SW: tl.constexpr,
    PH: tl.constexpr, PW: tl.constexpr, DH: tl.constexpr, DW: tl.constexpr,
    TURNED: tl.constexpr, PRECISION: tl.constexpr, SUM: tl.constexpr,
    BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr,
):  # fmt: skip
    """Outputs from images; or, ``TURNED``, the images' gradient from that of the outputs."""
    chain = tl.program_id(1).to(tl.int64)
    tiles = (rows + BM - 1) // BM
    m = tl.program_id(0) % tiles * BM + tl.arange(0, BM)
    p = tl.program_id(0) // tiles * BN + tl.arange(0, BN)
    area = out_height * out_width
    image, place = p // area, p % area
    if TURNED:
        top, left = place // out_width + PH, place % out_width + PW
    else:
        top, left = place // out_width * SH - PH, place % out_width * SW - PW
    sources = source + chain * source_chain + image.to(tl.int64) * source_image
    weights = weight + chain * weight_chain + m * weight_row
    depth = inner * KH * KW
    total = tl.full((BM, BN), 0.0, SUM)
    for first in range(0, depth, BK):
        k = first + tl.arange(0, BK)
        channel, tap = k // (KH * KW), k % (KH * KW)
        down, right = (tap // KW * DH)[:, None], (tap % KW * DW)[:, None]
        y, x, inside = _patch(top[None, :], left[None, :], down, right, height, width, SH, SW, TURNED)
        inside = inside & (k < depth)[:, None] & (image < batch)[None, :]
        places = sources[None, :] + ((channel * height)[:, None] + y) * width + x
        patches = tl.load(places, mask=inside, other=0.0)
        some = (m < rows)[:, None] & (k < depth)[None, :]
        factors = tl.load(weights[:, None] + (channel * weight_inner + tap)[None, :], mask=some, other=0.0)
        total = tl.dot(factors, patches, total, input_precision=PRECISION, out_dtype=SUM)
    targets = out + chain * out_chain + image.to(tl.int64) * out_image + place
    some = (m < rows)[:, None] & (image < batch)[None, :]
    tl.store(targets[None, :] + m[:, None] * area, total.to(out.dtype.element_ty), mask=some)


@triton.jit(do_not_specialize=_SIZES)
def _weights_kernel(
    source, gradient, out, inner, rows, batch,
    height, width, out_height, out_width,
    source_chain, source_image, gradient_chain, gradient_image,
    KH: tl.constexpr, KW: tl.constexpr, SH: tl.constexpr, SW: tl.constexpr,
    PH: tl.constexpr, PW: tl.constexpr, DH: tl.constexpr, DW: tl.constexpr,
    PRECISION: tl.constexpr, SUM: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr,
):  # fmt: skip
    """The weights' gradient, (E, rows, inner, KH, KW), from the images and the gradient of the outputs."""
    chain = tl.program_id(1).to(tl.int64)
    tiles = (rows + BM - 1) // BM
    m = tl.program_id(0) % tiles * BM + tl.arange(0, BM)
    n = tl.program_id(0) // tiles * BN + tl.arange(0, BN)
    columns = inner * KH * KW
    channel, tap = n // (KH * KW), n % (KH * KW)
    down, right = (tap // KW * DH)[None, :], (tap % KW * DW)[None, :]
    area = out_height * out_width
    total = tl.full((BM, BN), 0.0, SUM)
    for first in range(0, batch * area, BK):
        p = first + tl.arange(0, BK)
        image, place = p // area, p % area
        top, left = (place // out_width * SH - PH)[:, None], (place % out_width * SW - PW)[:, None]
        y, x, inside = _patch(top, left, down, right, height, width, SH, SW, False)
        inside = inside & (image < batch)[:, None] & (n < columns)[None, :]
        images = source + chain * source_chain + image.to(tl.int64) * source_image
        patches = tl.load(images[:, None] + ((channel * height)[None, :] + y) * width + x, mask=inside, other=0.0)
        slopes = gradient + chain * gradient_chain + image.to(tl.int64) * gradient_image + place
        some = (m < rows)[:, None] & (image < batch)[None, :]
        factors = tl.load(slopes[None, :] + m[:, None] * area, mask=some, other=0.0)
        total = tl.dot(factors, patches, total, input_precision=PRECISION, out_dtype=SUM)
    some = (m < rows)[:, None] & (n < columns)[None, :]
    tl.store(out + (chain * rows + m[:, None]) * columns + n[None, :], total.to(out.dtype.element_ty), mask=some)


def _grid(rows: int, columns: int, chains: int, tile: Tile) -> tuple[int, int]:
    return triton.cdiv(rows, tile.rows) * triton.cdiv(columns, tile.columns), chains


def _options(shape: ConvolutionShape, tile: Tile, dtype: torch.dtype) -> dict[str, Any]:
    """Return what is compiled into a kernel."""
    rounded = dtype == torch.float32 and torch.backends.cudnn.allow_tf32
    return {
        **dict(zip(("KH", "KW", "SH", "SW"), (*shape.taps, *shape.stride), strict=True)),
        **dict(zip(("PH", "PW", "DH", "DW"), (*shape.padding, *shape.dilation), strict=True)),
        "PRECISION": "tf32" if rounded else "ieee",
        "SUM": tl.float64 if dtype == torch.float64 else tl.float32,
        "BM": tile.rows,
        "BN": tile.columns,
        "BK": tile.depth,
        "num_warps": tile.warps,
        "num_stages": tile.stages,
    }


class _Implicit(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Any, weight: Any, shape: ConvolutionShape, tile: Tile) -> torch.Tensor:  # type: ignore[override]
        images, weight = images.contiguous(), weight.contiguous()
        ctx.save_for_backward(images, weight)
        ctx.shape, ctx.tile, ctx.options = shape, tile, _options(shape, tile, images.dtype)
        chains, outputs, inputs = weight.shape[:3]
        area, out_area = shape.size[0] * shape.size[1], shape.result[0] * shape.result[1]
        made = images.new_empty(len(images), chains * outputs, *shape.result)
        with torch.cuda.device_of(images):  # Triton launches on the current device, whatever its tensors are on
            _images_kernel[_grid(outputs, len(images) * out_area, chains, tile)](
                images, weight, made, inputs, outputs, len(images), *shape.size, *shape.result,
                0 if shape.shared else inputs * area, images.stride(0), outputs * out_area, made.stride(0),
                weight.stride(0), weight.stride(1), weight.stride(2), TURNED=False, **ctx.options,
            )  # fmt: skip
        return made

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[torch.Tensor | None, torch.Tensor | None, None, None]:  # type: ignore[override]
        images, weight = ctx.saved_tensors
        shape, tile, gradient = ctx.shape, ctx.tile, grads[0].contiguous()
        chains, outputs, inputs = weight.shape[:3]
        batch, area, out_area = len(images), shape.size[0] * shape.size[1], shape.result[0] * shape.result[1]
        of_images = of_weights = None
        if ctx.needs_input_grad[0]:
            of_images = images.new_empty(batch, chains * inputs, *shape.size)
            _images_kernel[_grid(inputs, batch * area, chains, tile)](
                gradient, weight, of_images, outputs, inputs, batch, *shape.result, *shape.size,
                outputs * out_area, gradient.stride(0), inputs * area, of_images.stride(0),
                weight.stride(0), weight.stride(2), weight.stride(1), TURNED=True, **ctx.options,
            )  # fmt: skip
            if shape.shared:
                of_images = of_images.unflatten(1, (chains, inputs)).sum(1)
        if ctx.needs_input_grad[1]:
            of_weights = torch.empty_like(weight)
            _weights_kernel[_grid(outputs, inputs * shape.taps[0] * shape.taps[1], chains, tile)](
                images, gradient, of_weights, inputs, outputs, batch, *shape.size, *shape.result,
                0 if shape.shared else inputs * area, images.stride(0), outputs * out_area, gradient.stride(0),
                **ctx.options,
            )  # fmt: skip
        return of_images, of_weights, None, None


def implicit(
    name: str, images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, shape: ConvolutionShape
) -> torch.Tensor:
    """Return the convolutions of all chains, as in `nn_experiments.engine.convolutions.convolve`.

    Parameters
    ----------
    name
        A key of `TILES`.

    Raises
    ------
    ValueError
        If the convolutions have groups within a chain.
    """
    if shape.groups > 1:
        raise ValueError(f"{name} has no groups within a chain, got {shape.groups}")
    kind = images.device.type
    if torch.is_autocast_enabled(kind):
        images, weight = (one.to(torch.get_autocast_dtype(kind)) for one in (images, weight))
    with torch.autocast(kind, enabled=False):
        made = _Implicit.apply(images, weight, shape, TILES[name])
    assert isinstance(made, torch.Tensor)
    return made if bias is None else made + bias.to(made.dtype).flatten()[:, None, None]
