"""Small convolutional networks with every kind of layer, and a rounding bound, for the tests of the engines."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from nn_experiments.engine.ensemble.conv_shape import ConvolutionShape
from nn_experiments.engine.ensemble.convolutions import convolve
from nn_experiments.training.batches import ArrayBatches
from nn_experiments.training.initialisation import initialise
from nn_experiments.training.models.resnet import BasicBlock, Bottleneck
from nn_experiments.training.optimizers import Optimizer
from nn_experiments.training.step import LOSSES, State, TrainingStep, initial_state
from tests.nn.problems import flat

KINDS = ("basic-batch", "bottleneck-batch", "basic-group", "plain-none")
SLOW = Optimizer(learning_rate=0.005)  # batch norm over six values is steep
LIPSCHITZ = 2.0  # of a step of `SLOW`
GROUPED = 32  # channels that group norm's 32 groups need


class SmallResNet(nn.Module):
    """A stem, three residual blocks, a linear layer.

    The last two blocks halve the image, to one pixel in the end (but for group norm, which one pixel would leave
    without a deviation to divide by).
    """

    def __init__(self, block: type[BasicBlock] | type[Bottleneck], norm: str) -> None:
        super().__init__()
        width = GROUPED if norm == "group" else 4
        self.conv, self.norm = nn.Conv2d(2, width, 3, padding=1, bias=False), nn.Identity()
        if norm == "batch":
            self.norm = nn.BatchNorm2d(width)
        wide = block.expansion * width
        self.blocks = nn.Sequential(
            block(width, width, 1, norm=norm, activation="relu"),
            block(wide, width, 2, norm=norm, activation="relu"),
            block(wide, width, 1 if norm == "group" else 2, norm=norm, activation="relu"),
        )
        self.head = nn.Linear(wide, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map (B, 2, H, W) to (B, 3)."""
        return self.head(self.blocks(torch.relu(self.norm(self.conv(images)))).mean((2, 3)))


def network(kind: str) -> nn.Module:
    """Return the module of a problem, float64."""
    layer, norm = kind.split("-")
    if layer == "plain":
        parts = [nn.Conv2d(2, 5, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Conv2d(5, 6, 3, padding=1)]
        return nn.Sequential(*parts, nn.Tanh(), nn.Flatten(1), nn.Linear(12, 3)).double()
    return SmallResNet({"basic": BasicBlock, "bottleneck": Bottleneck}[layer], norm).double()


def conv_problem(kind: str, optimizer: Optimizer) -> tuple[TrainingStep, ArrayBatches, State]:
    """Return (step, batches, θ_0) of a classification of 4×3 images in batches of 6, float64."""
    rng = np.random.default_rng(11)
    inputs = torch.from_numpy(rng.standard_normal((40, 2, 4, 3)))
    targets = torch.from_numpy(rng.integers(3, size=40))
    model = network(kind)
    state0 = initial_state(model, initialise(model, 2, dtype=torch.float64))
    batches = ArrayBatches(inputs, targets, batch_size=6, seed=5)
    return TrainingStep(model, LOSSES["cross_entropy"], optimizer), batches, state0


def whole(state: State) -> torch.Tensor:
    """Return parameters and floating point buffers (the running statistics) as one vector."""
    buffers = {name: value for name, value in state["buffers"].items() if value.is_floating_point()}
    return flat(dict(sorted((state["parameters"] | buffers).items())))


def conv_bound(depth: int, state0: State) -> float:
    """Return the rounding that two evaluation orders of ``depth`` steps may differ by, in `whole`.

    A step sums at most 32 · 9 products a layer in a dozen passes: a relative error of less than 5000 units in the
    last place of the state's norm, carried on by steps whose Lipschitz constant is below `LIPSCHITZ`
    (measured in ``test_the_lipschitz_constant_that_the_bound_assumes``).
    """
    return 5000 * np.finfo(float).eps * sum(LIPSCHITZ**k for k in range(depth)) * float(whole(state0).norm())


def check_way(way: str, shape: ConvolutionShape, dtype: torch.dtype = torch.float64) -> None:
    """Assert that a way gives the values and gradients of one chain after the other, to rounding.

    A sum of K products of standard normal numbers, in any two orders, differs by less than K units in the last place of
    the sum of absolute values, which is below K.
    """
    generator = torch.Generator().manual_seed(0)

    def draw(*sizes: int) -> torch.Tensor:
        return torch.randn(sizes, dtype=dtype, generator=generator).requires_grad_()

    chains = 3
    images = draw(shape.batch, shape.inputs * (1 if shape.shared else chains), *shape.size)
    weight = draw(chains, shape.outputs, shape.inputs // shape.groups, *shape.taps)
    bias = draw(chains, shape.outputs)
    own = [images] * chains if shape.shared else images.chunk(chains, 1)
    options = (shape.stride, shape.padding, shape.dilation, shape.groups)
    right = torch.cat([nn.functional.conv2d(own[c], weight[c], bias[c], *options) for c in range(chains)], 1)
    taps, places = shape.taps[0] * shape.taps[1], shape.batch * shape.result[0] * shape.result[1]
    terms = max(shape.inputs * taps, chains * shape.outputs * taps, places)
    bound = terms**2 * torch.finfo(dtype).eps
    found = convolve(way, images, weight, bias, shape)
    assert found.shape == right.shape
    assert float((found - right).detach().abs().max()) <= bound
    slopes = torch.randn(right.shape, dtype=dtype, generator=generator)
    leaves = (images, weight, bias)
    pairs = zip(torch.autograd.grad(found, leaves, slopes), torch.autograd.grad(right, leaves, slopes), strict=True)
    for ours, theirs in pairs:
        assert ours.shape == theirs.shape
        assert float((ours - theirs).abs().max()) <= bound
    swapped = convolve(way, images, weight.flip(0), bias, shape)  # another chain's weights are seen
    assert float((swapped - right).detach().abs().max()) > 1e3 * bound
