"""Convolutions on small images as products, against torch's own for every small geometry; which ones are replaced."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from nn_experiments.engine.kernels import im2col  # noqa: E402
from nn_experiments.engine.kernels.convnet import ChannelsLastKernel  # noqa: E402
from nn_experiments.engine.kernels.im2col import (  # noqa: E402
    OtherUse,
    ProductConvolution,
    fits,
    product_pays,
    replace_small,
)
from nn_experiments.engine.kernels.mlp import StepKernel  # noqa: E402
from nn_experiments.training.batches import ArrayBatches  # noqa: E402
from nn_experiments.training.optimizers import Optimizer  # noqa: E402
from nn_experiments.training.step import TrainingStep, initial_state  # noqa: E402

SGD = Optimizer(learning_rate=0.1)

#: (size, taps, stride, padding) along one axis, with at least one place.
AXES = [
    (size, taps, stride, padding)
    for size, taps, stride, padding in itertools.product((1, 2, 3, 5), (1, 2, 3), (1, 2, 3), (0, 1, 2))
    if size + 2 * padding >= taps
]


def places(size: int, taps: int, stride: int, padding: int) -> list[list[int]]:
    """Return the pixels under the taps of each place, some of which are in the padding."""
    count = (size + 2 * padding - taps) // stride + 1
    return [[i * stride - padding + t for t in range(taps)] for i in range(count)]


@pytest.mark.parametrize("axis", [0, 1])
def test_taps_that_meet_the_image(axis: int) -> None:
    """Return value: first tap, last tap + 1, number of output positions. If no tap overlaps, no product is used."""
    for size, taps, stride, padding in AXES:
        pairs = [(value, 1)[:: 1 if axis == 0 else -1] for value in (taps, stride)]
        convolution = nn.Conv2d(1, 1, pairs[0], pairs[1], (padding, 0)[:: 1 if axis == 0 else -1])
        rows = places(size, taps, stride, padding)
        met = [t for t in range(taps) if any(0 <= row[t] < size for row in rows)]
        expected = (met[0], met[-1] + 1, len(rows)) if met else (0, 0, len(rows))
        assert im2col._reach(convolution, size, axis) == expected
        height, width = (size, 1) if axis == 0 else (1, size)
        assert fits(convolution, height, width) == (bool(met) and (len(rows) <= 4 or (taps == 1 and padding == 0)))


def test_products_are_convolutions() -> None:
    """Two geometries at a time, the second one from the other end of the list: rows and columns differ."""
    draw = torch.Generator().manual_seed(0)
    used = 0
    for high, wide in zip(AXES, reversed(AXES), strict=True):
        height, taps, stride, padding = zip(high, wide, strict=True)
        convolution = nn.Conv2d(2, 3, taps, stride, padding, dtype=torch.float64)
        images = torch.rand(2, 2, *height, generator=draw, dtype=torch.float64)
        if any(im2col._reach(convolution, size, axis)[1] == 0 for axis, size in enumerate(height)):
            continue
        used += 1
        with torch.no_grad():
            found, right = ProductConvolution(convolution, *height)(images), convolution(images)
        assert found.shape == right.shape
        assert torch.allclose(found, right, rtol=1e-13, atol=1e-13)
    assert used > len(AXES) * 0.8


def test_a_convolution_that_never_meets_its_image_is_left_as_it_is() -> None:
    """One tap, at −1 and at 1 of an image that has the pixel 0 alone: the outputs are the bias."""
    model = nn.Sequential(nn.Conv2d(1, 1, 1, stride=2, padding=1), nn.Flatten())
    images = torch.ones(1, 1, 1, 1)
    assert replace_small(model, images) == {}
    assert model(images).tolist() == [model[0].bias.tolist() * 4]


@pytest.mark.parametrize(
    "make",
    [lambda: nn.Conv2d(1, 1, 1), lambda: nn.Sequential(nn.Conv2d(1, 1, 1, stride=2, padding=1), nn.Conv2d(1, 1, 2))],
    ids=["a convolution alone", "one that never meets its image"],
)
def test_the_kernel_for_convolutions_runs_what_it_cannot_replace(make: Callable[[], nn.Module]) -> None:
    """Its steps are those of the plain step."""
    model = make().double()
    step = TrainingStep(model, lambda outputs, targets: (outputs.sum((1, 2, 3)) - targets).square().mean(), SGD)
    x = torch.rand(6, 1, 1, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    batches = ArrayBatches(x, x.flatten(), batch_size=2, seed=0)
    state = initial_state(model)
    kernel = ChannelsLastKernel(step, batches)
    found, right = (one.apply(state, [2, 1, 3], 0)["parameters"] for one in (kernel, StepKernel(step, batches)))
    assert kernel.refused is None
    for name, value in right.items():
        assert torch.allclose(found[name], value, rtol=1e-12, atol=1e-14)
    assert not all(torch.equal(value, state["parameters"][name]) for name, value in right.items())


@pytest.mark.parametrize(
    ("pixels", "inputs", "pointwise", "pays"),
    [
        (1, 1, False, True),
        (4, 1, False, True),
        (5, 255, False, False),
        (5, 256, False, True),
        (16, 256, False, True),
        (16, 255, False, False),
        (17, 256, False, False),
        (17, 10**6, False, False),
        (10**6, 1, True, True),
    ],
)
def test_where_a_product_pays(pixels: int, inputs: int, pointwise: bool, pays: bool) -> None:
    assert product_pays(pixels, inputs, pointwise=pointwise) == pays


@pytest.mark.parametrize(
    ("options", "replaced"),
    [
        ({}, True),
        ({"groups": 2}, False),
        ({"dilation": 2, "padding": 2}, False),
        ({"padding_mode": "circular", "padding": 1}, False),
        ({"padding": "same"}, False),
        ({"padding": 1, "stride": 2}, True),
        ({"padding": 1}, False),  # nine places of two channels
    ],
    ids=["plain", "groups", "dilation", "circular", "padding by name", "padding", "more places"],
)
def test_kinds_of_convolutions_that_are_products(options: dict[str, Any], replaced: bool) -> None:
    assert fits(nn.Conv2d(2, 2, 2, **options), 2, 2) == replaced


class Again(nn.Module):
    """Calls its convolution twice."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(1, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.one(self.one(x))


def two_names() -> nn.Module:
    layer = nn.Conv2d(1, 1, 1)
    return nn.Sequential(layer, nn.Tanh(), layer)


def one_weight() -> nn.Module:
    model = nn.Sequential(nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1))
    model[1].weight = model[0].weight
    return model


def hooked() -> nn.Module:
    model = nn.Sequential(nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1))
    model[0].register_forward_hook(lambda *given: None)
    return model


@pytest.mark.parametrize(
    ("make", "finish", "names"),
    [
        (lambda: nn.Sequential(nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1)), None, ["0.weight", "1.weight"]),
        (lambda: nn.Conv2d(1, 1, 1), None, []),  # nothing owns it
        (lambda: nn.Sequential(nn.Conv2d(1, 1, 2, padding=2)), None, []),  # 7 × 7 places of few channels
        (Again, None, []),
        (two_names, None, []),
        (one_weight, None, []),
        (hooked, None, ["1.weight"]),
        (
            lambda: nn.Sequential(nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1)),
            lambda model: lambda outputs: outputs.sum() + model[0].weight.sum(),
            ["1.weight"],
        ),
        (
            lambda: nn.Sequential(nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1)),
            lambda model: lambda outputs: {"loss": [outputs.sum() * model[1].weight.sum()]},
            ["0.weight"],
        ),
    ],
    ids=["two", "itself", "large", "called twice", "two names", "one weight", "hook", "read by the loss", "in a tree"],
)
def test_convolutions_that_are_replaced(make: Any, finish: Callable | None, names: list[str]) -> None:
    """Called once on images, of one name, and with a weight that nothing else reads."""
    model, images = make(), torch.rand(2, 1, 4, 4)
    before = model(images)
    found = replace_small(model, images, finish=None if finish is None else finish(model))
    assert list(found) == names
    assert all(isinstance(one, ProductConvolution) for one in found.values())
    assert torch.allclose(model(images), before, rtol=1e-6)
    for one in found.values():
        one.calls = 1
        with pytest.raises(OtherUse, match="is used again, or on"):
            one(images)
        one.calls = 0
        with pytest.raises(OtherUse, match=r"images of \(4, 4\) is used again, or on \(4, 3\)"):
            one(images[..., :3])


def test_readers_of_a_parameter_are_counted() -> None:
    """Every operation on the way to the outputs once, whatever leads there, and none for what is not read."""
    one, two, none = (nn.Parameter(torch.ones(2)) for _ in range(3))
    doubled = one * 2
    outputs = {"a": doubled + two, "b": [doubled.exp(), one.sum(), torch.ones(1), 3]}
    found = im2col._readers(outputs)
    assert found == {id(one): 2, id(two): 1}
    assert id(none) not in found
