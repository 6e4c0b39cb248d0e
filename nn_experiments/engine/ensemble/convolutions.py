"""Many convolutions with different weights at once: the algorithms, and the choice between them.

The channels of E chains are concatenated: images are (B, E·C, H, W), or (B, C, H, W) if all chains have the same ones;
weights are (E, O, C / groups, height, width). All ways return (B, E·O, …) and agree to rounding.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping

import torch
from torch.nn import functional as F

from nn_experiments.engine import gpu
from nn_experiments.engine.ensemble.columns import by_columns
from nn_experiments.engine.ensemble.conv_shape import ConvolutionShape
from nn_experiments.engine.kernels.im2col import product_pays

__all__ = ["WAYS", "ConvolutionShape", "choose_convolution", "convolve", "laid_out", "seconds_of"]


def _grouped(
    images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, shape: ConvolutionShape
) -> torch.Tensor:
    """Convolve by one grouped convolution, or an ordinary one with E·O outputs if the chains share the images."""
    chains, groups = len(weight), shape.groups
    if shape.shared and groups > 1:
        images, shared = images.repeat(1, chains, 1, 1), False
    else:
        shared = shape.shared
    flat = None if bias is None else bias.flatten()
    groups = 1 if shared else chains * groups
    return F.conv2d(images, weight.flatten(0, 1), flat, shape.stride, shape.padding, shape.dilation, groups)


def _products(
    images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, shape: ConvolutionShape
) -> torch.Tensor:
    """Convolve by patches as columns (im2col) and one batched matrix product."""
    if shape.groups > 1:
        return _grouped(images, weight, bias, shape)
    result = by_columns(images, weight, shape)
    return result if bias is None else result + bias.to(result.dtype).flatten()[:, None, None]


Way = Callable[[torch.Tensor, torch.Tensor, torch.Tensor | None, ConvolutionShape], torch.Tensor]
WAYS: Mapping[str, Way] = {"grouped": _grouped, "products": _products}


def laid_out(value: torch.Tensor) -> torch.Tensor:
    """Return images (B, C, H, W) or stacked weights (E, O, C, h, w) with channels last in memory, on a GPU only.

    There, convolutions, batch norm and everything between them are then done without a transposition.
    """
    if value.is_cuda and value.dim() == 4:
        return value.contiguous(memory_format=torch.channels_last)
    if value.is_cuda and value.dim() == 5:
        return value.permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3)
    return value


def convolve(
    way: str, images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, shape: ConvolutionShape
) -> torch.Tensor:
    """Return the convolutions of all chains, (B, E·O, …).

    Parameters
    ----------
    way
        One of `WAYS`.
    images
        (B, E·C, H, W), or (B, C, H, W) if ``shape.shared``.
    weight, bias
        (E, O, C / groups, height, width) and (E, O) or None.
    shape
        Sizes, stride, padding, dilation and groups of the convolution of one chain.

    Raises
    ------
    ValueError
        If ``way`` is unknown.
    """
    if way not in WAYS:
        raise ValueError(f"unknown way {way!r} to convolve; the known ones are {', '.join(WAYS)}")
    return WAYS[way](images, weight, bias, shape)


def seconds_of(
    way: str,
    shape: ConvolutionShape,
    chains: int,
    device: torch.device,
    dtype: torch.dtype,
    *,
    rounds: int = 2,
    best: float = math.inf,
) -> float:
    """Return the fewest seconds of a forward and backward pass on random tensors; the first call is not counted.

    A way that takes more than twice ``best`` is measured only once. On a GPU the passes are replayed from a CUDA graph,
    as sweeps are, so that the time that Python takes to start kernels is not counted.
    """
    channels = shape.inputs * (1 if shape.shared else chains)
    sizes = shape.outputs, shape.inputs // shape.groups, *shape.taps
    images = laid_out(torch.randn(shape.batch, channels, *shape.size, device=device, dtype=dtype))
    images.requires_grad_(not shape.shared)
    weight = laid_out(torch.randn(chains, *sizes, device=device, dtype=dtype)).requires_grad_()
    leaves = [weight] if shape.shared else [weight, images]
    slopes = torch.empty(0)

    def once() -> None:
        nonlocal slopes
        with torch.enable_grad():
            outputs = convolve(way, images, weight, None, shape)
            slopes = slopes if slopes.numel() else torch.ones_like(outputs)
            torch.autograd.grad(outputs, leaves, slopes)

    def seconds(call: Callable[[], object]) -> float:
        gpu.wait(device)
        begin = time.perf_counter()
        call()
        gpu.wait(device)
        return time.perf_counter() - begin

    once()
    call = gpu.recorded(once, device) if device.type == "cuda" else once
    first = seconds(call)
    if first > 2 * best:
        return first
    return min([first, *(seconds(call) for _ in range(rounds))])


def _by_rule(shape: ConvolutionShape) -> str:
    """Return the way on a CPU, by the rule of `product_pays`."""
    pointwise = shape.taps == (1, 1) and shape.padding == (0, 0)
    pays = product_pays(shape.result[0] * shape.result[1], shape.inputs, pointwise=pointwise)
    return "products" if shape.groups == 1 and pays else "grouped"


_CHOSEN: dict[tuple[ConvolutionShape, int, str, torch.dtype, bool, bool, bool], str] = {}


def choose_convolution(
    shape: ConvolutionShape,
    chains: int,
    device: torch.device,
    dtype: torch.dtype,
    *,
    measure: Callable[..., float] | None = None,
) -> str:
    """Return the fastest way for a shape: by a rule on the CPU; on a GPU it is measured once and remembered.

    The last bits of results depend on the choice: record it with them, and pass it again to repeat them.

    Parameters
    ----------
    shape
        The convolution of one chain.
    chains
        How many chains are computed together.
    device, dtype
        Where, and in which precision.
    measure
        A function such as `seconds_of` (default: `seconds_of` on a GPU, and the rule on a CPU). A way that fails is
        left out, and a line on standard error says so.

    Raises
    ------
    torch.OutOfMemoryError
        If every way fails.
    """
    if device.type == "cpu" and measure is None:
        return _by_rule(shape)
    rounded = (
        torch.is_autocast_enabled(device.type),
        bool(torch.backends.cudnn.allow_tf32),
        bool(torch.backends.cuda.matmul.allow_tf32),
    )
    key = (shape, chains, str(device), dtype, *rounded)
    if key not in _CHOSEN:
        times: dict[str, float] = {}
        for way in WAYS:
            best = min(times.values(), default=math.inf)
            try:
                times[way] = (measure or seconds_of)(way, shape, chains, device, dtype, best=best)
            except Exception as error:  # compilers, drivers and libraries raise errors of any class
                if gpu.device_is_lost(error):
                    raise
                print(f"{chains} convolutions {shape} not by {way}: {type(error).__name__}: {error}", file=sys.stderr)
        if not times:
            raise torch.OutOfMemoryError(f"{chains} convolutions {shape} fit in no way")
        _CHOSEN[key] = min(times, key=lambda way: times[way])
    return _CHOSEN[key]
