"""Many convolutions with different weights at once: the ways to do them, and the choice between them.

E chains are side by side in the channels: images are (B, E·C, H, W), or (B, C, H, W) where all chains see the same;
weights are (E, O, C / groups, height, width). Every way gives (B, E·O, …), the same to rounding.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec

import torch
from torch.nn import functional as F

from nn_experiments.engine import card

__all__ = ["WAYS", "ConvolutionShape", "choose_convolution", "convolve", "keeps_as", "seconds_of", "ways_on"]

Pair = tuple[int, int]


@dataclass(frozen=True)
class ConvolutionShape:
    """What decides the cost of E convolutions.

    Attributes
    ----------
    batch, inputs, outputs
        Images a batch, channels in and out.
    size
        (height, width) of the images.
    taps, stride, padding, dilation
        Of the convolution, in both directions.
    groups
        Groups within one chain.
    shared
        Whether all chains see the same images.
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
        """(height, width) of the images that come out."""
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


def _grouped(
    images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, shape: ConvolutionShape
) -> torch.Tensor:
    """One grouped convolution; an ordinary one with E·O outputs where the chains share the images."""
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
    """Patches as columns (im2col), then one batched matrix product."""
    if shape.groups > 1:
        return _grouped(images, weight, bias, shape)
    chains, outputs = weight.shape[:2]
    if shape.taps == (1, 1) and shape.padding == (0, 0):
        columns = images[:, :, :: shape.stride[0], :: shape.stride[1]].flatten(2)
    else:
        columns = F.unfold(images, shape.taps, shape.dilation, shape.padding, shape.stride)
    batch, places = len(images), columns.shape[2]
    if shape.shared:  # (B, C·k·k, L): the chains' weights are the rows of one matrix
        rows = columns.transpose(0, 1).reshape(-1, batch * places)
        found = (weight.flatten(0, 1).flatten(1) @ rows).view(chains, outputs, batch, places)
    else:
        rows = columns.unflatten(1, (chains, -1)).permute(1, 2, 0, 3).reshape(chains, -1, batch * places)
        found = torch.bmm(weight.flatten(2), rows).view(chains, outputs, batch, places)
    if bias is not None:
        found = found + bias[:, :, None, None]
    return found.permute(2, 0, 1, 3).reshape(batch, chains * outputs, *shape.result)


def _separate(
    images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, shape: ConvolutionShape
) -> torch.Tensor:
    """One ungrouped convolution a chain, channels last, one after the other."""
    own = [images] * len(weight) if shape.shared else images.chunk(len(weight), 1)
    last = torch.channels_last
    found = [
        F.conv2d(
            one.contiguous(memory_format=last),
            weight[c].contiguous(memory_format=last),
            None if bias is None else bias[c],
            shape.stride,
            shape.padding,
            shape.dilation,
            shape.groups,
        )
        for c, one in enumerate(own)
    ]
    return torch.cat(found, 1)


def _implicit(
    images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, shape: ConvolutionShape, *, name: str
) -> torch.Tensor:
    """Patches gathered while the product is computed (Triton), in tiles of the size in the name."""
    if shape.groups > 1:
        return _grouped(images, weight, bias, shape)
    from nn_experiments.engine.implicit import implicit

    return implicit(name, images, weight, bias, shape)


Way = Callable[[torch.Tensor, torch.Tensor, torch.Tensor | None, ConvolutionShape], torch.Tensor]
WAYS: Mapping[str, Way] = {
    "grouped": _grouped,
    "products": _products,
    "separate": _separate,
    **{name: partial(_implicit, name=name) for name in ("implicit-64", "implicit-128")},
}


def ways_on(device: torch.device, dtype: torch.dtype) -> tuple[str, ...]:
    """Return the ways that work there: the implicit ones need Triton, a GPU that it knows, and not float64."""
    triton = device.type == "cuda" and dtype != torch.float64 and find_spec("triton") is not None
    triton = triton and torch.cuda.get_device_capability(device) >= (8, 0)
    return tuple(way for way in WAYS if triton or not way.startswith("implicit"))


def keeps_as(way: str) -> str:
    """Return a way that keeps as much for the backward pass and can be counted on tensors without data."""
    return "grouped" if way.startswith("implicit") else way


def convolve(
    way: str, images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, shape: ConvolutionShape
) -> torch.Tensor:
    """Return the convolutions of all chains, (B, E·O, …).

    Parameters
    ----------
    way
        One of `WAYS` that works on the images' device (see `ways_on`).
    images
        (B, E·C, H, W), or (B, C, H, W) if ``shape.shared``.
    weight, bias
        (E, O, C / groups, height, width) and (E, O) or None.

    Raises
    ------
    ValueError
        If there is no such way.
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
    rounds: int = 3,
    best: float = math.inf,
) -> float:
    """Return the least seconds that a way takes forward and backward on random tensors, the first call not counted.

    A way that takes more than twice ``best`` is measured once only.
    """
    channels = shape.inputs * (1 if shape.shared else chains)
    images = torch.randn(shape.batch, channels, *shape.size, device=device, dtype=dtype)
    images.requires_grad_(not shape.shared)
    weight = torch.randn(
        chains, shape.outputs, shape.inputs // shape.groups, *shape.taps, device=device, dtype=dtype, requires_grad=True
    )
    leaves = [weight] if shape.shared else [weight, images]

    def wait() -> float:
        card.wait(device)
        return time.perf_counter()

    times: list[float] = []
    with torch.enable_grad():
        for _ in range(rounds + 1):
            begin = wait()
            made = convolve(way, images, weight, None, shape)
            torch.autograd.grad(made.sum(), leaves)
            times.append(wait() - begin)
            if len(times) == 2 and times[1] > 2 * best:
                break
    return min(times[1:])


def _by_rule(shape: ConvolutionShape) -> str:
    """Return the way on a CPU: products for 1×1 convolutions and for few pixels, as `products.fits` has it."""
    pixels = shape.result[0] * shape.result[1]
    pointwise = shape.taps == (1, 1) and shape.padding == (0, 0)
    small = pixels <= 4 or (pixels <= 16 and shape.inputs >= 256)
    return "products" if shape.groups == 1 and (pointwise or small) else "grouped"


_CHOSEN: dict[tuple[ConvolutionShape, int, str, torch.dtype, bool, bool], str] = {}


def choose_convolution(
    shape: ConvolutionShape,
    chains: int,
    device: torch.device,
    dtype: torch.dtype,
    *,
    measure: Callable[..., float] | None = None,
) -> str:
    """Return the best way for a shape: on the CPU by a rule, elsewhere measured once and kept.

    The choice decides last bits: record it with the results, and give it again to repeat them.

    Parameters
    ----------
    measure
        As `seconds_of`; on the CPU nothing is measured unless this is given. A way that fails is no candidate, which
        is said on standard error.

    Raises
    ------
    torch.OutOfMemoryError
        If every way fails.
    """
    if device.type == "cpu" and measure is None:
        return _by_rule(shape)
    rounded = torch.is_autocast_enabled(device.type), torch.backends.cudnn.allow_tf32
    key = (shape, chains, str(device), dtype, *rounded)
    if key not in _CHOSEN:
        times: dict[str, float] = {}
        for way in ways_on(device, dtype):
            best = min(times.values(), default=math.inf)
            try:
                times[way] = (measure or seconds_of)(way, shape, chains, device, dtype, best=best)
            except Exception as error:  # compilers, drivers and libraries raise what they like
                if card.lost(error):
                    raise
                print(f"{chains} convolutions {shape} not by {way}: {type(error).__name__}: {error}", file=sys.stderr)
        if not times:
            raise torch.OutOfMemoryError(f"{chains} convolutions {shape} fit in no way")
        _CHOSEN[key] = min(times, key=lambda way: times[way])
    return _CHOSEN[key]
