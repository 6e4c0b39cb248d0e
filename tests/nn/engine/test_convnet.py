"""The channels-last kernel gives the double loop's states: parameters and running statistics, every order."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from contraction.maps.orders import Backward, Forward  # noqa: E402
from nn_experiments.engine.chain import walk  # noqa: E402
from nn_experiments.engine.kernels.choose import make_kernel  # noqa: E402
from nn_experiments.engine.kernels.convnet import ChannelsLastKernel  # noqa: E402
from nn_experiments.engine.kernels.im2col import ProductConvolution, fits, replace_small  # noqa: E402
from nn_experiments.engine.loop import double_loop  # noqa: E402
from nn_experiments.training.batches import ArrayBatches  # noqa: E402
from nn_experiments.training.dropout import FrozenDropout  # noqa: E402
from nn_experiments.training.initialisation import initialise  # noqa: E402
from nn_experiments.training.optimizers import Optimizer, Schedule  # noqa: E402
from nn_experiments.training.step import LOSSES, TrainingStep, initial_state  # noqa: E402
from tests.nn.conv_problems import KINDS, LIPSCHITZ, SLOW, conv_bound, conv_problem, whole  # noqa: E402
from tests.nn.problems import (  # noqa: E402
    ORDERS,
    N,
    flat,
)

OPTIMIZERS = {
    "momentum": Optimizer(method="momentum", learning_rate=0.002, momentum=0.8),
    "decayed weights": Optimizer(learning_rate=0.002, weight_decay=0.1),
    "adam": Optimizer(method="adam", learning_rate=0.001, eps=1e-1),
    "scheduled": Optimizer(learning_rate=0.005, schedule=Schedule(kind="inverse", horizon=4, index="batch")),
}


def distance(first, second) -> float:
    return float((whole(first) - whole(second)).norm())


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_iterate_of_every_order(kind: str, order: str) -> None:
    step, batches, state0 = conv_problem(kind, SLOW)
    oracle = double_loop(step, batches, state0, ORDERS[order], range(N + 1))
    before = whole(state0).clone()
    kernel = make_kernel(step, batches)
    assert kernel.name == "channels_last"
    for n, state, run in walk(kernel, ORDERS[order], range(N + 1), state0):
        assert distance(state, oracle[n]) <= conv_bound(run.depth if run else 0, state0)
        for name, value in state["buffers"].items():
            if name.endswith("num_batches_tracked"):
                assert int(value) == (run.depth if run else 0)
    assert torch.equal(before, whole(state0))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_other_optimizers(optimizer: str) -> None:
    step, batches, state0 = conv_problem("basic-batch", OPTIMIZERS[optimizer])
    oracle = double_loop(step, batches, state0, Backward(), [3, 7])
    for n, state, run in walk(ChannelsLastKernel(step, batches), Backward(), [3, 7], state0):
        assert run is not None
        assert distance(state, oracle[n]) <= conv_bound(run.depth, state0)
        assert state["optimizer"].keys() == oracle[n]["optimizer"].keys()


def test_the_lipschitz_constant_that_the_bound_assumes() -> None:
    """Push two states that are 1e-9 apart in random directions through every map, from along the path."""
    generator = torch.Generator().manual_seed(0)
    for kind in KINDS:
        step, batches, state = conv_problem(kind, SLOW)
        for i in range(1, N + 1):
            for _ in range(3):
                moved = {
                    part: {
                        name: value + 1e-9 * torch.randn(value.shape, dtype=torch.float64, generator=generator)
                        if value.is_floating_point()
                        else value
                        for name, value in values.items()
                    }
                    for part, values in state.items()
                }
                assert distance(step(moved, batches(i), i), step(state, batches(i), i)) < LIPSCHITZ * distance(
                    moved, state
                )
            state = step(state, batches(i), i)


@pytest.mark.parametrize("kind", KINDS)
def test_the_bound_separates_a_wrong_order(kind: str) -> None:
    step, batches, state0 = conv_problem(kind, SLOW)
    ends = [double_loop(step, batches, state0, order, [N])[N] for order in (Forward(), Backward())]
    assert distance(*ends) > 1e3 * conv_bound(N, state0)


def test_running_statistics_are_state_and_differ_between_orders() -> None:
    step, batches, state0 = conv_problem("basic-batch", SLOW)
    ends = [double_loop(step, batches, state0, order, [N])[N]["buffers"] for order in (Forward(), Backward())]
    name = "norm.running_mean"
    assert not torch.allclose(ends[0][name], ends[1][name])
    # momentum 0.1: the batch applied last counts most; at the innermost layer it is the mean of the convolved batch
    weight = state0["parameters"]["conv.weight"]
    one = step(state0, batches(1), 1)["buffers"][name]
    assert torch.allclose(one, 0.1 * nn.functional.conv2d(batches(1).inputs, weight, padding=1).mean((0, 2, 3)))


def test_frozen_dropout_and_constant_parameters() -> None:
    parts = [nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), FrozenDropout(0.5), nn.Conv2d(4, 4, 1), nn.Flatten(1)]
    model = nn.Sequential(*parts, nn.Linear(48, 3)).double()
    state0 = initial_state(model, initialise(model, 0, dtype=torch.float64))
    for name in ("3.weight", "0.bias"):
        model.get_parameter(name).requires_grad_(False)
        state0["buffers"][name] = state0["parameters"].pop(name)
    _, batches, _ = conv_problem("plain-none", SLOW)
    step = TrainingStep(model, LOSSES["cross_entropy"], SLOW, seed=4)
    oracle = double_loop(step, batches, state0, Backward(), [5])[5]
    _, state, _ = next(walk(ChannelsLastKernel(step, batches), Backward(), [5], state0))
    assert distance(state, oracle) <= conv_bound(5, state0)
    assert torch.equal(state["buffers"]["3.weight"], state0["buffers"]["3.weight"])
    assert not torch.equal(state["parameters"]["0.weight"], state0["parameters"]["0.weight"])


def test_a_module_without_convolutions_is_refused() -> None:
    model = nn.Sequential(nn.Linear(2, 3)).double()
    step = TrainingStep(model, LOSSES["mse"], SLOW)
    with pytest.raises(TypeError, match="no module with convolutions"):
        ChannelsLastKernel(step, ArrayBatches(torch.zeros(4, 2), torch.zeros(4, 3), batch_size=2, seed=0))


def pair(value) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (value, value)


GEOMETRIES = [
    (size, kernel, stride, padding)
    for size in ((1, 1), (2, 2), (2, 3), (4, 4), (5, 3))
    for kernel, padding in ((1, 0), (3, 1), (3, 0), (5, 2), ((3, 1), (1, 0)), (7, 3))
    for stride in (1, 2, (2, 1))
    if all(s + 2 * p >= k for s, p, k in zip(size, pair(padding), pair(kernel), strict=True))
]


@pytest.mark.parametrize(("size", "kernel", "stride", "padding"), GEOMETRIES)
def test_a_product_is_the_convolution_and_has_its_gradients(size, kernel, stride, padding) -> None:
    torch.manual_seed(0)
    own = nn.Conv2d(3, 4, kernel, stride=stride, padding=padding).double()
    images = torch.randn(2, 3, *size, dtype=torch.float64, requires_grad=True)
    product = ProductConvolution(own, *size)
    product.taps = product.used(own.weight).requires_grad_()
    expected, found = own(images), product(images)
    assert torch.allclose(expected, found, rtol=0, atol=1e-13)
    weights = torch.randn_like(expected)
    ours = torch.autograd.grad(found, (images, product.taps), weights)
    theirs = torch.autograd.grad(expected, (images, own.weight), weights)
    assert torch.allclose(ours[0], theirs[0], rtol=0, atol=1e-12)
    used = torch.zeros_like(own.weight)
    product.used(used).copy_(ours[1])  # taps that only meet padding have no gradient
    assert torch.allclose(used, theirs[1], rtol=0, atol=1e-12)


def test_which_convolutions_become_products() -> None:
    assert fits(nn.Conv2d(8, 8, 1, stride=2), 32, 32)
    assert fits(nn.Conv2d(8, 8, 3, padding=1), 2, 2)
    assert not fits(nn.Conv2d(8, 8, 3, padding=1), 8, 8)
    assert fits(nn.Conv2d(256, 8, 3, padding=1), 4, 4)
    assert not fits(nn.Conv2d(8, 8, 3, padding=1), 4, 4)
    assert not fits(nn.Conv2d(8, 8, 1, groups=2), 2, 2)
    assert not fits(nn.Conv2d(8, 8, 3, padding=2, dilation=2), 2, 2)
    assert not fits(nn.Conv2d(8, 8, 3, padding=1, padding_mode="circular"), 2, 2)
    inner = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1))
    model = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.MaxPool2d(2), inner)
    assert list(replace_small(model, torch.zeros(1, 2, 4, 4))) == ["2.0.weight"]
    assert isinstance(inner[0], ProductConvolution)


def test_float32_drifts_by_rounding_only() -> None:
    step, batches, state0 = conv_problem("basic-batch", SLOW)
    images, labels = (torch.cat([batches(i)[k] for i in (1, 2, 3)]) for k in (0, 1))
    single = {p: {k: v.float() if v.is_floating_point() else v for k, v in d.items()} for p, d in state0.items()}
    step32 = TrainingStep(step.model.float(), LOSSES["cross_entropy"], SLOW)
    inputs = ArrayBatches(images.float(), labels, batch_size=6, seed=0)
    ours, theirs = (make_kernel(step32, inputs, name).apply(single, [2, 1], 0) for name in ("auto", "step"))
    scale = float(flat(single["parameters"]).norm())
    assert 0 < float((flat(ours["parameters"]) - flat(theirs["parameters"])).norm()) < 1e-4 * scale
