"""Parts of the engine on their own: policies, batch norm anew, what is measured of a step, and layouts on a card."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from nn_experiments.engine import purity  # noqa: E402
from nn_experiments.engine.batch_norm import StatisticsRefresh  # noqa: E402
from nn_experiments.engine.ensemble import memory, wavefront  # noqa: E402
from nn_experiments.engine.ensemble.conv_shape import ConvolutionShape  # noqa: E402
from nn_experiments.engine.ensemble.convolutions import laid_out  # noqa: E402
from nn_experiments.engine.kernels.layers import layers  # noqa: E402
from nn_experiments.engine.policies import reset_if_better, stop_when_settled  # noqa: E402
from nn_experiments.training.models.mlp import MLP  # noqa: E402
from nn_experiments.training.optimizers import Optimizer  # noqa: E402
from nn_experiments.training.policies import ResetIfBetter, StopWhenSettled  # noqa: E402
from nn_experiments.training.step import LOSSES, TrainingStep, initial_state  # noqa: E402


class Kernel:
    """Maps on numbers: T_i(x) = x/2 + i, or those given."""

    def __init__(self, of=lambda i, x: x / 2 + i):
        self.of = of

    def apply(self, state, indices, before):
        x = state["parameters"]["x"]
        for i in indices:
            x = self.of(i, x)
        return {"parameters": {"x": x}}


def number(x: float):
    return {"parameters": {"x": torch.tensor(float(x), dtype=torch.float64)}}


@pytest.mark.parametrize("at", [(0, 1, 4, 5, 11), (2, 12), (11,), (6, 7, 13)])
def test_resets_where_it_is_better_are_those_of_a_plain_loop(at):
    """Looked at every third iterate up to the last one asked for, whether it is asked for or not."""
    policy, target = ResetIfBetter("test_loss", 3), 7.0

    def judge(state):
        return abs(float(state["parameters"]["x"]) - target)

    start, anchor, best, right = 0, 1.0, abs(1.0 - target), {}
    for n in range(max(at) + 1):
        x = anchor
        for i in range(n, start, -1):
            x = x / 2 + i
        right[n] = (x, start)
        if n and n % 3 == 0 and abs(x - target) < best:
            start, anchor, best = n, x, abs(x - target)
    found = list(reset_if_better(Kernel(), at, number(1.0), policy, judge))
    assert [(n, float(state["parameters"]["x"]), m) for n, state, _, m in found] == [(n, *right[n]) for n in at]
    assert right[max(max(at), 7)][1] > 0 if max(at) > 6 else True
    assert [run and (list(run.indices), run.anchor) for _, _, run, _ in found] == [
        None if n == 0 else (list(range(n, right[n][1], -1)), right[n][1]) for n in at
    ]


def test_it_stops_at_the_second_settled_horizon():
    """T_i(x) = x/2: iterates n and n + m are below 2^−n apart. At eps = 0.05 horizons 8 and 16 are the first two in a
    row that are settled (at 4 it is 0.06), and what is asked for later is the iterate of 16."""
    maps = Kernel(lambda i, x: x / 2)
    at = (0, 3, 8, 15, 17, 40)
    found = list(stop_when_settled(maps, at, number(1.0), StopWhenSettled(0.05)))
    assert [n for n, *_ in found] == list(at)
    values = [float(state["parameters"]["x"]) for _, state, _, _ in found]
    assert values == [1.0, 0.5**3, 0.5**8, 0.5**15, 0.5**16, 0.5**16]
    assert [stopped for *_, stopped in found] == [0, 3, 8, 15, 16, 16]


def test_batch_norm_anew_is_that_of_torch():
    """On the batches 1 … count, as `torch.optim.swa_utils.update_bn`."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 1)).double()
    state = initial_state(model, {name: value.detach().clone() for name, value in model.named_parameters()})
    batches = {
        i: (torch.randn(4, 2, dtype=torch.float64) + i, torch.zeros(4, 1, dtype=torch.float64)) for i in (1, 2, 3)
    }
    step = TrainingStep(model, LOSSES["mse"], Optimizer(learning_rate=0.1))
    asked = []

    def of(i: int):
        asked.append(i)
        return batches[i]

    found = StatisticsRefresh(step, of, 3)(state)["buffers"]
    assert asked == [1, 2, 3]
    torch.optim.swa_utils.update_bn([batches[i][0] for i in (1, 2, 3)], model)
    for name, value in model.named_buffers():
        assert torch.allclose(found[name].double(), value.double(), rtol=1e-12), name
    plain = StatisticsRefresh(lambda state, batch, t: state, of, 3)  # a step without a module has nothing to refresh
    assert plain(number(1.0)) == number(1.0)


def test_the_seconds_of_one_map_are_half_of_those_of_two(monkeypatch):
    """A clock that a step moves by three seconds."""
    clock = [0.0]
    monkeypatch.setattr(purity.time, "perf_counter", lambda: clock[0])

    def step(state, batch, t):
        clock[0] += 3.0
        return {"parameters": {"x": state["parameters"]["x"] / 2}}

    assert purity.probe(step, lambda i: torch.zeros(1), number(1.0)) == 3.0


@pytest.mark.parametrize(("chunk", "measured"), [(None, 1), (5, 5), (10**6, wavefront.MEASURED)])
def test_convolutions_are_measured_with_the_chains_that_run(chunk, measured, monkeypatch):
    asked = []
    monkeypatch.setattr(wavefront, "choose_convolution", lambda shape, chains, *_: asked.append(chains) or "grouped")
    shape = ConvolutionShape(2, 4, 6, (5, 4), (3, 3), (1, 1), (1, 1))
    found = wavefront.Ensemble(chunk=chunk)
    assert found._way(shape, number(1.0)) == "grouped"
    assert asked == [measured]
    assert found.convolutions == {}  # on a CPU the choice is not kept
    pinned = wavefront.Ensemble(chunk=chunk, convolutions={str(shape): "products"})
    assert pinned._way(shape, number(1.0)) == "products"
    assert asked == [measured]


class OnCard(torch.Tensor):
    """A tensor that says it is on a GPU."""

    is_cuda = True


def test_layouts_on_a_card_keep_the_values_and_put_channels_last():
    images, weights = torch.arange(120.0).reshape(2, 3, 4, 5), torch.arange(720.0).reshape(2, 3, 4, 5, 6)
    for value in (images, weights):
        assert laid_out(value) is value  # on a CPU nothing changes
        found = laid_out(value.as_subclass(OnCard))
        assert torch.equal(found.as_subclass(torch.Tensor), value)
        strides = found.stride()
        channels = 1 if value.dim() == 4 else 2
        assert strides[channels] == 1  # neighbours in memory
        assert [strides[k] for k in range(value.dim()) if k != channels] == sorted(
            (strides[k] for k in range(value.dim()) if k != channels), reverse=True
        )
    line = torch.arange(6.0).as_subclass(OnCard)
    assert laid_out(line) is line


def test_copies_of_a_state_have_the_layout_of_the_card():
    """Weights of convolutions have their input channels last there, and everything else is contiguous."""
    kernels, matrix, line = torch.arange(360.0).reshape(3, 4, 5, 6), torch.arange(6.0).reshape(2, 3).T, torch.ones(3)
    for card in (True, False):
        values = {"kernels": kernels, "matrix": matrix, "line": line}
        state = {"parameters": {name: value.as_subclass(OnCard) if card else value for name, value in values.items()}}
        found = wavefront.stack(state, 3)["parameters"]
        for name, value in values.items():
            assert found[name].shape == (3, *value.shape)
            for copy in found[name].as_subclass(torch.Tensor):
                assert torch.equal(copy, value)
        assert (found["kernels"].stride()[2] == 1) == card
        assert found["kernels"].is_contiguous() != card
        assert found["matrix"].is_contiguous()
        assert found["line"].is_contiguous()


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_network_with_one_other_layer_is_none_of_the_kernels(place):
    model = MLP((2, 3, 3, 1))
    step = TrainingStep(model, LOSSES["mse"], Optimizer(learning_rate=0.1))
    found = layers(step)
    assert found is not None
    assert found.names == tuple((f"layers.{k}.weight", f"layers.{k}.bias") for k in range(3))
    model.layers[place] = nn.Identity()
    assert layers(TrainingStep(model, LOSSES["mse"], Optimizer(learning_rate=0.1))) is None


@pytest.mark.parametrize(
    ("modules", "known"),
    [
        ([nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)], True),
        ([nn.Flatten(), nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)], True),
        ([nn.Linear(2, 1)], True),
        ([nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 1)], False),
        ([nn.Linear(2, 3), nn.GELU(), nn.Linear(3, 1)], False),
        ([nn.Linear(2, 3), nn.ReLU()], False),
        ([nn.Flatten(0), nn.Linear(2, 1)], False),
        ([nn.Flatten(1, 2), nn.Linear(2, 1)], False),
        ([nn.Flatten()], False),
        ([], False),
    ],
)
def test_stacks_of_layers_that_kernels_know(modules, known):
    step = TrainingStep(nn.Sequential(*modules), LOSSES["mse"], Optimizer(learning_rate=0.1))
    found = layers(step)
    assert (found is not None) == known
    if found is not None:
        assert found.flattens == (type(modules[0]) is nn.Flatten)
        assert found.relu == (nn.Tanh not in map(type, modules))


@pytest.mark.parametrize(
    ("rule", "activations", "expected"),
    [
        ({}, None, 72 + 3 * 32),
        ({}, 0, 2 * 72),
        ({}, 24, 2 * 72),  # 72 and 24 and twice the 24 of the weight: as much
        ({}, 25, 145),
        ({}, 100, 72 + 100 + 2 * 24),
        ({"weight_decay": 0.1}, 100, 72 + 100 + 2 * 32),  # no plain SGD: gradients of all layers
        ({"method": "momentum", "momentum": 0.5}, None, 104 + 3 * 32),
        ({"method": "momentum", "momentum": 0.5}, 7, 2 * 104),
        ({"method": "momentum", "momentum": 0.5}, 9, 104 + 9 + 3 * 32),
        ({"method": "adam"}, None, 136 + 3 * 32),
        ({"method": "adam"}, 0, 2 * 136),
        ({"method": "adam"}, 50, 136 + 50 + 4 * 32),
    ],
)
def test_a_chain_takes_so_many_bytes(rule: dict, activations: int | None, expected: int) -> None:
    """A weight of 24 bytes, a bias of 8 and buffers of 40; each slot of the optimizer is as large as the parameters."""
    parameters = {"weight": torch.zeros(2, 3), "bias": torch.zeros(2)}
    buffers = {"a": torch.zeros(4, dtype=torch.float64), "b": torch.zeros(8, dtype=torch.int8)}
    step: Any = SimpleNamespace(optimizer=Optimizer(learning_rate=0.1, **rule))
    state: Any = {"parameters": parameters, "buffers": buffers, "optimizer": {}}
    assert memory.chain_bytes(step, state, activations) == expected
    assert memory.chain_bytes(step, {"parameters": parameters}, 0) <= expected
    assert memory.fitting(step, state, activations) == memory.ON_A_CPU == 32
    assert memory.SHARE == 0.8
