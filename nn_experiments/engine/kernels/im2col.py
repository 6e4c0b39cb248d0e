"""Convolutions on small images as matrix products, which are faster there than a CPU's convolution routines.

Measured on one core (batch 8 and 16, forward and backward): a 3×3 convolution of 512 channels on 1×1, 2×2 and 4×4
images takes 29, 39 and 67 ms through ``conv2d`` with channels last, 5, 11 and 24 ms as a product; a 1×1 convolution
of 1024 channels on 2×2 images 33 ms and 6 ms. Taps that only ever see padding are left out: nothing changes them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from contraction.maps.errors import TrainingInReverseError
from nn_experiments.training.own_loop_reasons import hook_of

__all__ = ["OtherUse", "ProductConvolution", "fits", "product_pays", "replace_small"]


class OtherUse(TrainingInReverseError, RuntimeError):
    """A replaced convolution is called twice, or on images of another size than those that it was replaced for."""


def fits(convolution: nn.Conv2d, height: int, width: int) -> bool:
    """Return whether a convolution on images of this size is computed as a product (see `product_pays`)."""
    plain = convolution.groups == 1 and convolution.dilation == (1, 1) and convolution.padding_mode == "zeros"
    if not plain or isinstance(convolution.padding, str):
        return False
    reaches = [_reach(convolution, size, axis) for axis, size in enumerate((height, width))]
    if not all(last for _, last, _ in reaches):
        return False  # no tap ever overlaps the image
    rows, columns = (result for _, _, result in reaches)
    pointwise = convolution.kernel_size == (1, 1) and convolution.padding == (0, 0)
    return product_pays(rows * columns, convolution.in_channels, pointwise=pointwise)


def product_pays(pixels: int, inputs: int, *, pointwise: bool) -> bool:
    """Return whether a convolution is faster as a product on a CPU, by a fixed rule, so that reruns agree.

    Parameters
    ----------
    pixels
        Number of pixels of an output image.
    inputs
        Number of input channels.
    pointwise
        Whether it is a 1×1 convolution without padding.
    """
    return pointwise or pixels <= 4 or (pixels <= 16 and inputs >= 256)


def _reach(convolution: nn.Conv2d, size: int, axis: int) -> tuple[int, int, int]:
    """Return the first tap that overlaps the image, the one after the last, and the output's size along an axis.

    Both taps are 0 if none overlaps it.
    """
    stride, padding, taps = (int(pair[axis]) for pair in _shape(convolution))
    result = (size + 2 * padding - taps) // stride + 1
    met = [t for t in range(taps) if any(0 <= i * stride - padding + t < size for i in range(result))]
    return (met[0], met[-1] + 1, result) if met else (0, 0, result)


def _shape(convolution: nn.Conv2d) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    assert not isinstance(convolution.padding, str)
    return convolution.stride, convolution.padding, convolution.kernel_size


class ProductConvolution(nn.Module):
    """A convolution on images of one size as one matrix product.

    Parameters
    ----------
    convolution
        The convolution that this module replaces; it shares the bias.
    height, width
        Size of the images.

    Attributes
    ----------
    taps
        (outputs, rows, columns, inputs): the used part of the weights, a view of them; set before every run.
    """

    def __init__(self, convolution: nn.Conv2d, height: int, width: int) -> None:
        super().__init__()
        self.weight, self.bias = convolution.weight, convolution.bias
        self.size, self.calls = (height, width), 0
        self.stride = convolution.stride
        (a, b, rows), (c, d, columns) = (_reach(convolution, s, k) for k, s in enumerate((height, width)))
        self.rows, self.columns = slice(a, b), slice(c, d)
        self.pads: list[int] = [0, 0]
        pairs = ((width, c, d, columns), (height, a, b, rows))
        for axis, (size, first, last, result) in zip((1, 0), pairs, strict=True):
            before = int(_shape(convolution)[1][axis]) - first
            after = (result - 1) * self.stride[axis] + last - first - size - before
            self.pads += [before, max(after, 0)]
        self.taps = self.used(self.weight)

    def used(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the used part of weights (outputs, inputs, rows, columns), a view with the inputs last."""
        return weight.detach().permute(0, 2, 3, 1)[:, self.rows, self.columns]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map (B, C, H, W) to (B, outputs, …), channels last in memory.

        Raises
        ------
        OtherUse
            If the images have another size, or this is the second call since ``calls`` was set to 0.
        """
        self.calls += 1
        if self.calls > 1 or tuple(images.shape[2:]) != self.size or images.dim() != 4:
            raise OtherUse(f"a convolution of images of {self.size} is used again, or on {tuple(images.shape[2:])}")
        x, taps = images.permute(0, 2, 3, 1), self.taps
        down, right = self.stride
        if any(self.pads):
            x = nn.functional.pad(x, self.pads)
        if taps.shape[1:3] == (1, 1):
            x = x[:, ::down, ::right]
        else:
            x = x.unfold(1, taps.shape[1], down).unfold(2, taps.shape[2], right).permute(0, 1, 2, 4, 5, 3).flatten(3)
        return nn.functional.linear(x, taps.flatten(1), self.bias).permute(0, 3, 1, 2)


def replace_small(
    model: nn.Module, images: torch.Tensor, *, finish: Callable[[torch.Tensor], torch.Tensor] | None = None
) -> dict[str, ProductConvolution]:
    """Replace the convolutions of a module for which `fits` holds, in place.

    Only a plain ``nn.Conv2d`` is replaced (no subclass, no parametrisation, no hook) that is a part of the module under
    one name, is called once in a forward pass, and whose weights no other operation reads.

    Parameters
    ----------
    model
        The module; it is called once, on ``images``.
    images
        A batch. On images of another size the new modules raise `OtherUse`.
    finish
        Outputs -> loss, which may read weights too (default: None, the outputs).

    Returns
    -------
    dict of str to ProductConvolution
        Name of a weight -> the module that now has it.
    """
    occurrences = [id(module) for _, module in model.named_modules(remove_duplicate=False)]
    owners = [id(p) for _, p in model.named_parameters(remove_duplicate=False)]
    candidates = {
        name: module
        for name, module in model.named_modules()
        if name  # the module itself has no owner, in which another one could take its place
        and type(module) is nn.Conv2d
        and "forward" not in vars(module)
        and occurrences.count(id(module)) == 1
        and owners.count(id(module.weight)) == 1
        and (module.bias is None or owners.count(id(module.bias)) == 1)
        and hook_of(module) is None
    }
    sizes: dict[str, list[tuple[int, ...]]] = {name: [] for name in candidates}

    def watch(name: str) -> Callable[[nn.Module, tuple[torch.Tensor, ...]], None]:
        def seen(_: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
            sizes[name].append(tuple(given[0].shape[2:]) if given[0].dim() == 4 else ())

        return seen

    hooks = [module.register_forward_pre_hook(watch(name)) for name, module in candidates.items()]
    try:
        with torch.enable_grad():
            outputs = model(images)
            outputs = outputs if finish is None else finish(outputs)
    finally:
        for hook in hooks:
            hook.remove()
    readers = _readers(outputs)
    new: dict[str, ProductConvolution] = {}
    for name, convolution in candidates.items():
        if len(sizes[name]) != 1 or len(sizes[name][0]) != 2 or readers.get(id(convolution.weight), 0) > 1:
            continue
        height, width = sizes[name][0]
        if fits(convolution, height, width):
            new[f"{name}.weight"] = ProductConvolution(convolution, height, width)
            parent, _, key = name.rpartition(".")
            setattr(model.get_submodule(parent), key, new[f"{name}.weight"])
    return new


def _readers(outputs: object) -> Counter[int]:
    """Return ``id`` of a parameter -> number of operations that read it on the way to the outputs."""
    tensors = [leaf for leaf in tree_leaves(outputs) if isinstance(leaf, torch.Tensor)]
    todo = [tensor.grad_fn for tensor in tensors if tensor.grad_fn is not None]
    seen = set(todo)
    count: Counter[int] = Counter()
    while todo:
        for node, _ in todo.pop().next_functions:
            if node is None:
                continue
            leaf = getattr(node, "variable", None)
            if leaf is not None:
                count[id(leaf)] += 1
            elif node not in seen:
                seen.add(node)
                todo.append(node)
    return count
