"""The user's own loop: what it holds and gives back, one step by hand, schedules, modes, masks and options."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from nn_experiments.training.batches import Batch  # noqa: E402
from nn_experiments.training.dropout import FrozenDropout  # noqa: E402
from nn_experiments.training.optimizers import Schedule  # noqa: E402
from nn_experiments.training.own_loop import OwnLoop  # noqa: E402

MSE = nn.functional.mse_loss
BATCH = Batch(torch.tensor([[1.0, 2.0], [3.0, -1.0]]), torch.tensor([[1.0], [0.0]]), 3)


class Model(nn.Module):
    """w·x + b, with b frozen, and a buffer that counts forward passes, which two modules share."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([2.0, -1.0]))
        self.b = nn.Parameter(torch.tensor([0.5]), requires_grad=False)
        self.inner = nn.Module()
        self.register_buffer("count", torch.tensor(0))
        self.inner.register_buffer("same", self.count)
        self.inner.register_buffer("absent", None)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.count += 1
        return (x @ self.w + self.b)[:, None]


def loop_of(model: nn.Module, *, optimizer: torch.optim.Optimizer | None = None, **more: Any) -> OwnLoop:
    optimizer = optimizer or torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.25, momentum=0.5)
    return OwnLoop(model, MSE, optimizer, **({"seed": 0, "frozen": False} | more))


def state(w: float, b: float, count: int) -> dict:
    return {
        "parameters": {"w": torch.tensor([w, w])},
        "buffers": {"count": torch.tensor(count), "b": torch.tensor([b])},
        "optimizer": {},
    }


def test_a_start_is_a_copy_with_frozen_parameters_among_the_buffers() -> None:
    model = Model()
    start = loop_of(model).start()
    assert {part: list(values) for part, values in start.items()} == {
        "parameters": ["w"],
        "buffers": ["count", "b"],
        "optimizer": [],
    }
    with torch.no_grad():
        model.w.add_(1)
        model.b.add_(1)
        model.count.add_(1)
    assert start["parameters"]["w"].tolist() == [2.0, -1.0]
    assert (start["buffers"]["b"].tolist(), int(start["buffers"]["count"])) == ([0.5], 0)
    assert not any(value.requires_grad for part in start.values() for value in part.values())


def test_one_step_by_hand() -> None:
    """Gradient 2/2 Σ (w·x + b − y) x. For w = (1, 1) and b = 0: errors 2 and 2, so that the gradient is (8, 2)."""
    loop = loop_of(Model())
    begin = state(1.0, 0.0, 7)
    with loop.holding(begin):
        loop.once(BATCH, 1)
        after = loop.read()
    assert after["parameters"]["w"].tolist() == [1 - 0.25 * 8, 1 - 0.25 * 2]
    assert after["buffers"]["b"].tolist() == [0.0]
    assert int(after["buffers"]["count"]) == 8
    assert after["optimizer"]["momentum_buffer:w"].tolist() == [8.0, 2.0]
    assert begin["parameters"]["w"].tolist() == [1.0, 1.0]
    assert int(begin["buffers"]["count"]) == 7
    with loop.holding(after):  # the velocity is half of the former one and the new gradient
        loop.once(BATCH, 2)
        again = loop.read()
    errors = (BATCH.inputs @ after["parameters"]["w"])[:, None] - BATCH.targets
    velocity = torch.tensor([4.0, 1.0]) + (errors * BATCH.inputs).sum(0)
    assert torch.allclose(again["optimizer"]["momentum_buffer:w"], velocity, rtol=1e-6)
    assert torch.allclose(again["parameters"]["w"], after["parameters"]["w"] - 0.25 * velocity, rtol=1e-6)


@pytest.mark.parametrize("fails", [False, True])
def test_everything_is_given_back(fails: bool) -> None:
    """Tensors themselves, gradients, buffers, the optimizer's memory and options, attributes; also after an error."""
    model = Model()
    loop = loop_of(model)
    optimizer = loop.optimizer
    model.w.grad = torch.tensor([7.0, 8.0])
    optimizer.state[model.w]["momentum_buffer"] = torch.tensor([5.0, 6.0])
    own = model.w.data, model.w.grad, model.count, optimizer.state[model.w]
    model.note = "before"  # type: ignore[assignment]
    try:
        with loop.holding(state(1.0, 0.0, 3)):
            assert model.w.grad is None
            assert model.count is model.inner.same  # still shared
            assert (int(model.count), model.w.tolist(), model.b.tolist()) == (3, [1.0, 1.0], [0.0])
            assert optimizer.state.get(model.w, {}) == {}
            loop.once(BATCH, 1)
            model.note = "after"  # type: ignore[assignment]
            model.register_buffer("other", torch.zeros(1))
            optimizer.param_groups[0]["lr"] = 7.0
            optimizer.param_groups[0]["new"] = 1
            if fails:
                raise KeyError
    except KeyError:
        assert fails
    assert model.w.data.data_ptr() == own[0].data_ptr()
    assert (model.w.grad is own[1], model.count is own[2], optimizer.state[model.w] is own[3]) == (True,) * 3
    assert (model.w.tolist(), model.w.grad.tolist(), int(model.count)) == ([2.0, -1.0], [7.0, 8.0], 0)
    assert optimizer.state[model.w]["momentum_buffer"].tolist() == [5.0, 6.0]
    assert optimizer.param_groups[0]["lr"] == 0.25
    assert "new" not in optimizer.param_groups[0]
    assert model.note == "before"
    assert dict(model.named_buffers()).keys() == {"count"}


@pytest.mark.parametrize(("index", "factors"), [("position", [1.0, 1 / 2, 1 / 3]), ("batch", [1 / 3, 1 / 3, 1 / 3])])
def test_rates_are_those_of_the_position_or_of_the_batch(index: str, factors: list[float]) -> None:
    """Two groups with rates 0.25 and 0.5; the rates of the options come back after each step."""
    a, b = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    model = nn.Module()
    model.a, model.b = a, b
    seen = []

    class Watched(torch.optim.SGD):
        def step(self, closure: Any = None) -> None:  # type: ignore[override]
            seen.append([group["lr"] for group in self.param_groups])
            super().step(closure)

    optimizer = Watched([{"params": [a], "lr": 0.25}, {"params": [b], "lr": 0.5}])
    model.forward = lambda x: x * a + b  # type: ignore[method-assign]
    schedule = Schedule(kind="inverse", horizon=1, index=index)
    loop = loop_of(model, optimizer=optimizer, schedule=schedule)
    batch = Batch(torch.ones(1), torch.ones(1), 3)
    with loop.holding(loop.start()):
        for t in (1, 2, 3):
            loop.once(batch, t)
            assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.5]
            assert loop.read()["optimizer"] == {}  # a rate by a schedule is no memory
    assert seen == [[0.25 * factor, 0.5 * factor] for factor in factors]
    if index == "batch":
        with loop.holding(loop.start()), pytest.raises(TypeError, match="needs batches that carry their index"):
            loop.once((batch.inputs, batch.targets), 1)


@pytest.mark.parametrize("training", [True, False])
def test_modes_are_those_at_the_beginning_and_masks_replace_dropout(training: bool) -> None:
    """Dropout with 0 < p < 1 alone; what a module has become since does not count."""
    kinds = [nn.Dropout(0.0), nn.Dropout(0.5), nn.Dropout(1.0), FrozenDropout(0.5), nn.Linear(2, 1)]
    model = nn.Sequential(*kinds)
    model.train(training)
    model[4].train(not training)
    loop = loop_of(model)
    assert [module for module, _ in loop.masks] == [model[1]]
    assert loop.masks[0][1].p == 0.5
    assert loop.random
    model.train(not training)
    with loop.holding(loop.start()):
        assert [module.training for module in model] == [training] * 4 + [not training]
        assert loop.masks[0][1].training is training
        assert model[1].forward == loop.masks[0][1].forward
    assert [module.training for module in model] == [not training] * 5
    assert "forward" not in vars(model[1])
    for plain in (nn.Dropout(0.0), nn.Dropout(1.0), nn.Tanh()):
        assert not loop_of(nn.Sequential(plain, nn.Linear(1, 1))).random
    assert loop_of(nn.Linear(1, 1), frozen=True).random
    assert loop_of(nn.Sequential(nn.Linear(1, 1), FrozenDropout(0.5))).random


def test_random_numbers_need_the_index_of_the_batch() -> None:
    loop = loop_of(nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.5), nn.Linear(8, 1)))
    start = loop.start()
    ends = []
    for index, seed in ((1, 0), (1, 0), (2, 0), (1, 5)):
        loop.seed = seed
        with loop.holding(start):
            loop.once(Batch(BATCH.inputs, BATCH.targets, index), 1)
            ends.append(copy.deepcopy(loop.read()["parameters"]["0.weight"]))
    assert [torch.equal(ends[0], end) for end in ends] == [True, True, False, False]
    with loop.holding(start), pytest.raises(TypeError, match="needs batches that carry their index"):
        loop.once((BATCH.inputs, BATCH.targets), 1)


@pytest.mark.parametrize("groups", [1, 2])
def test_options_that_were_changed_are_named_with_both_values(groups: int) -> None:
    model = nn.Linear(2, 1)
    params = [model.weight], [model.bias]
    given = [{"params": p} for p in params] if groups == 2 else [{"params": [*params[0], *params[1]]}]
    loop = loop_of(model, optimizer=torch.optim.Adam(given, lr=torch.tensor(0.1), betas=(0.5, 0.75)))
    loop.check_options()
    last = loop.optimizer.param_groups[-1]
    last["foreach"], last["lr"] = True, torch.tensor(0.1)  # another loop over tensors, and an equal number
    loop.check_options()
    where = " of parameter group 1" if groups == 2 else ""
    for name, value, before in (("betas", (0.5, 0.8), (0.5, 0.75)), ("weight_decay", 1, 0)):
        kept, last[name] = last[name], value
        text = f"the optimizer's {name}{where} was {before} when the training step was made of it, and is {value} now"
        with pytest.raises(ValueError, match=re.escape(text)):
            loop.check_options()
        last[name] = kept
    last["lr"] = torch.tensor(0.2)
    with pytest.raises(ValueError, match="the optimizer's lr"):
        loop.check_options()


def test_gradients_that_are_left_by_an_own_zero_grad_are_refused() -> None:
    class Keeps(torch.optim.SGD):
        def zero_grad(self, set_to_none: bool = True) -> None:
            if not self.param_groups[0]["keep"]:
                super().zero_grad(set_to_none)

    model = nn.Linear(2, 1)
    optimizer = Keeps([{"params": model.parameters(), "keep": True}], lr=0.1)
    loop = loop_of(model, optimizer=optimizer)
    assert loop.own_zero_grad
    half = Batch(torch.tensor([[1.0, 0.0]]), torch.tensor([[100.0]]), 1)  # of the gradient, one entry is 0
    with loop.holding(loop.start()):
        loop.once(half, 1)
        with pytest.raises(ValueError, match="the gradient of weight is not zero after optimizer"):
            loop.once(half, 2)
    assert not loop_of(nn.Linear(2, 1)).own_zero_grad
    two = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    assert loop_of(two, optimizer=torch.optim.SGD(two[1].parameters(), lr=0.1)).own_zero_grad  # others keep theirs


def test_other_buffers_after_a_step_are_named() -> None:
    model = Model()
    loop = loop_of(model)
    with loop.holding(loop.start()):
        model.register_buffer("new", torch.zeros(1))
        with pytest.raises(ValueError, match="the step adds or removes buffers of the module: new"):
            loop.read()
    with loop.holding(loop.start()):
        model.count = None  # type: ignore[assignment]
        model.inner.same = None  # type: ignore[assignment]
        with pytest.raises(ValueError, match="buffers of the module: count"):
            loop.read()
    assert int(model.count) == 0
