"""Modules that work in float32 alone are compared by gradients: right ones pass, and broken ones are seen."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch.utils.hooks import RemovableHandle  # noqa: E402

import nn_experiments as nne  # noqa: E402
from contraction.maps.orders import Backward  # noqa: E402
from nn_experiments.engine.kernels.im2col import ProductConvolution  # noqa: E402
from nn_experiments.training import from_torch as adapter  # noqa: E402
from nn_experiments.training.by_gradients import _beyond  # noqa: E402
from nn_experiments.training.reference import Reference  # noqa: E402
from nn_experiments.training.rounding import FLOOR, UNITS, allowances, first_difference  # noqa: E402
from nn_experiments.training.step import TrainingStep, _Gradients  # noqa: E402
from tests.nn.training.zoo.case import classes  # noqa: E402

PASSED = "passed in float32, by gradients"
DIFFERS = "differs from your own training loop"


class Single(nn.Module):
    """A module whose code has a tensor in float32, so that it fails on anything else."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(F.linear(x, torch.eye(x.shape[-1], dtype=torch.float32)))


class Attention(nn.Module):
    """The gradient of the bias of the keys is zero but for rounding."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.head = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.attention(x, x, x, need_weights=False)[0].mean(1))


def dense(width: int = 6) -> nn.Module:
    """Return a network with a bias before a batch norm."""
    return nn.Sequential(nn.Linear(3, width), nn.BatchNorm1d(width), nn.Tanh(), nn.Linear(width, 4))


def convolutions() -> nn.Module:
    """Return a network with a bias before a batch norm, and a convolution that the kernel replaces."""
    layers = (nn.Conv2d(2, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Conv2d(5, 4, 1), nn.BatchNorm2d(4))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(1), nn.Linear(4, 4))


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "dense": (dense, (3,)),
    "one bias": (lambda: dense(1), (3,)),
    "convolutions": (convolutions, (2, 4, 4)),
    "attention": (Attention, (5, 4)),
}
OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=1e-2),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, foreach=True),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01),
}


def setup(network: str, optimizer: str, *, seed: int = 0, loss: Any = F.cross_entropy, inner: nn.Module | None = None):
    """Return the step, the batches and the state of a network in float32."""
    make, shape = NETWORKS[network]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Single(inner or make())
    inputs, labels = classes(*shape)
    step, state = nne.from_torch(model, loss, OPTIMIZERS[optimizer](model.parameters()))
    return step, nne.ArrayBatches(inputs.float(), labels, batch_size=5, seed=seed), state


def run(*arguments: Any, engine: str = "auto", **options: Any) -> dict[str, Any]:
    """Train a little; return what was recorded."""
    step, batches, state = setup(*arguments, **options)
    metrics = {"zero": lambda s: torch.zeros(())}
    return dict(nne.iterates(step, batches, state, Backward(), [1, 3], metrics, engine=engine).metadata)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("network", NETWORKS)
def test_right_networks_pass_with_every_engine(network: str, optimizer: str) -> None:
    for seed in range(3):
        about = run(network, optimizer, seed=seed)
        assert about["self-check"] == PASSED
        assert "not used" not in about
        assert about["engine"] == ("channels_last" if network == "convolutions" else "step")
        if network != "attention":  # torch warns that its batching is slow
            assert run(network, optimizer, seed=seed, engine="ensemble")["self-check"] == PASSED


@pytest.mark.control
def test_an_optimizer_may_change_gradients_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the hook before its step, the gradients that are read afterwards have the velocities in them."""
    assert run("dense", "nesterov")["self-check"] == PASSED
    monkeypatch.setattr(torch.optim.SGD, "register_step_pre_hook", lambda self, hook: RemovableHandle(OrderedDict()))
    with pytest.raises(ValueError, match=rf"{DIFFERS}: the gradient of inner\.0\.weight at step 1"):
        run("dense", "nesterov")


def test_no_hook_is_left_behind() -> None:
    step, batches, state = setup("dense", "nesterov")
    optimizer = step.self_check.loop.optimizer
    step.self_check(step, batches, state)
    assert not optimizer._optimizer_step_pre_hooks


class Bare(torch.optim.Optimizer):
    """An optimizer around another one, without what torch's class sets up, such as hooks."""

    def __init__(self, inner: torch.optim.Optimizer) -> None:
        self.inner, self.defaults = inner, inner.defaults
        self.param_groups, self.state = inner.param_groups, inner.state

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.inner.zero_grad(set_to_none)

    def step(self, closure: Any = None) -> None:
        self.inner.step()


@pytest.mark.filterwarnings("ignore:the optimizer is Bare")
def test_an_optimizer_without_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OPTIMIZERS, "bare", lambda p: Bare(torch.optim.SGD(p, lr=0.1)))
    step, batches, state = setup("dense", "bare")
    with pytest.raises(AttributeError):
        step.self_check.loop.optimizer.register_step_pre_hook(print)
    assert step.self_check(step, batches, state) == "passed in float32"


def wrong_in(name: str, monkeypatch: pytest.MonkeyPatch, by: float = 1e-4) -> None:
    """Add a number to the gradient of one parameter."""
    whole = _Gradients.__call__

    def wrong(self, state, batch):
        slopes, buffers = whole(self, state, batch)
        return {**slopes, name: slopes[name] + by}, buffers

    monkeypatch.setattr(_Gradients, "__call__", wrong)


@pytest.mark.parametrize("name", ["inner.0.bias", "inner.3.bias"])
def test_a_wrong_gradient_is_seen_even_where_adam_magnifies_rounding(name: str, monkeypatch) -> None:
    """The control: states show nothing, since Adam takes the sign, and the first bias moves by rounding alone."""
    step, batches, state = setup("dense", "adam")

    def states(start: Any) -> list[Any]:
        first = step(start, batches(2), 1)
        return [first, step(first, batches(1), 2)]

    ends = states(state)
    limits = allowances(ends, states, state)
    wrong_in(name, monkeypatch)
    others = states(state)
    assert any(
        first_difference([one], [two], [{}.fromkeys(limits[0], 0.0)]) for one, two in zip(ends, others, strict=True)
    )
    assert first_difference(ends, others, limits) is None
    with pytest.raises(ValueError, match=f"{DIFFERS}: the gradient of {name} at step 1"):
        run("dense", "adam")


def test_rounding_that_adam_magnifies_is_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gradient that is zero but for rounding is 1e-7 in size; another rounding moves the bias another way."""
    step, batches, state = setup("dense", "adam")
    before = step(state, batches(2), 1)["parameters"]["inner.0.bias"]
    wrong_in("inner.0.bias", monkeypatch, by=2e-7)
    after = step(state, batches(2), 1)["parameters"]["inner.0.bias"]
    assert float((before - after).abs().max()) > 0.001
    assert run("dense", "adam")["self-check"] == PASSED


def test_a_term_of_the_loss_that_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    inner = dense()

    def loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(outputs, targets) + 0.01 * inner[3].weight.square().sum()

    monkeypatch.setattr(adapter, "why_own_loop", lambda *_: None)
    for optimizer in OPTIMIZERS:
        with pytest.raises(ValueError, match=rf"{DIFFERS}: the gradient of inner\.3\.weight at step 1"):
            run("dense", optimizer, loss=loss, inner=inner)


class Counting(nn.Module):
    """A layer whose factor depends on how often it was called."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return x * (1.0 if self.calls < 1000 else 0.5)


def test_a_hidden_counter() -> None:
    with pytest.raises(
        ValueError, match=r"the module's inner\.1\.calls is not part of the state: .* every step changes it"
    ):
        run("dense", "adam", inner=nn.Sequential(nn.Linear(3, 6), Counting(), nn.Linear(6, 4)))


def test_a_buffer_that_is_not_carried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        _Gradients, "_detached", staticmethod(lambda before, after: {k: v * 0 for k, v in before.items()})
    )
    with pytest.raises(ValueError, match=rf"{DIFFERS}: inner\.1\.running_mean after step 1"):
        run("dense", "adam")


@pytest.mark.parametrize("optimizer", ["momentum", "adam", "adamw"])
def test_memory_that_is_forgotten(optimizer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = TrainingStep.update
    monkeypatch.setattr(
        TrainingStep, "update", lambda self, state, *rest: whole(self, {**state, "optimizer": {}}, *rest)
    )
    with pytest.raises(ValueError, match=rf"{DIFFERS}: inner\.0\.weight after step 2.*carried from one step"):
        run("dense", optimizer)


def test_a_wrong_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = TrainingStep.update
    monkeypatch.setattr(
        TrainingStep,
        "update",
        lambda self, state, slopes, buffers, rate, t: whole(self, state, slopes, buffers, 1.05 * rate, t),
    )
    for optimizer in OPTIMIZERS:
        with pytest.raises(ValueError, match=f"{DIFFERS}: inner.* after step 1"):
            run("dense", optimizer)


class WithALargeWeight(nn.Module):
    """A linear layer one of whose weights is 20."""

    def __init__(self) -> None:
        super().__init__()
        self.l = nn.Linear(3, 4)
        with torch.no_grad():
            self.l.weight[0, 0] = 20

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.l(x)


def test_a_weight_that_never_moves_beside_a_large_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """An update of 0.001 is less than 1000 units in the last place of 20."""
    monkeypatch.setitem(OPTIMIZERS, "slow adam", lambda p: torch.optim.Adam(p, lr=1e-3))
    assert run("dense", "slow adam", inner=WithALargeWeight())["self-check"] == PASSED
    whole = TrainingStep.update

    def stuck(self, state, *rest):
        after = whole(self, state, *rest)
        name = "inner.l.weight"
        return {**after, "parameters": {**after["parameters"], name: state["parameters"][name]}}

    monkeypatch.setattr(TrainingStep, "update", stuck)
    with pytest.raises(ValueError, match=rf"{DIFFERS}: inner\.l\.weight after step 1, by 0\.001 "):
        run("dense", "slow adam", inner=WithALargeWeight())


def test_every_entry_of_an_update_has_its_own_limit() -> None:
    unit = torch.finfo(torch.float32).eps
    old, new = torch.tensor([20.0, 1.0, 0.0]), torch.tensor([20.0, 1.001, 0.001])
    few, share = UNITS * unit * torch.tensor([20.0, 1.001, 0.001]), FLOOR * unit * 0.001
    assert _beyond(old, new, new) is None
    assert _beyond(old, new, new + 0.9 * few) is None
    for k in range(3):
        wrong = torch.zeros(3)
        wrong[k] = 0.5 * (few[k] + share)
        assert _beyond(old, new, new + wrong) is None
        wrong[k] = 2 * (few[k] + share)
        found = _beyond(old, new, new + wrong)
        assert found == pytest.approx((float(wrong[k]), float(few[k]) + share), rel=0.1)
    assert _beyond(old, new, new[:2]) == (float("inf"), 0.0)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_entries_that_are_finite_in_neither_are_equal(value: float) -> None:
    old, new = torch.tensor([1.0, 1.0]), torch.tensor([1.001, value])
    assert _beyond(old, new, torch.tensor([1.001, float("nan")])) is None
    for other in ([1.001, 1.0], [1.1, value]):
        found = _beyond(old, new, torch.tensor(other))
        assert found is not None
        assert found[0] == (float("inf") if other[1] == 1.0 else pytest.approx(0.099, rel=1e-3))


def blurred(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the gradients of the ensemble wrong by one part in a hundred."""
    whole = _Gradients.functional

    def wrong(self, *arguments: Any):
        slopes, buffers = whole(self, *arguments)
        return {name: 1.01 * value for name, value in slopes.items()}, buffers

    monkeypatch.setattr(_Gradients, "functional", wrong)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_wrong_ensemble(optimizer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By states and gradients, and, with the comparison of states switched off, by what shows the gradients."""
    assert run("convolutions", optimizer, engine="ensemble")["form"] == "vmap"
    blurred(monkeypatch)
    with pytest.raises(TypeError, match="ensemble cannot run this step: it differs from your own training loop in"):
        run("convolutions", optimizer, engine="ensemble")
    monkeypatch.setattr(Reference, "difference", lambda self, states: None)
    what = r"inner\." if optimizer == "sgd" else r"the gradient of inner\."  # SGD alone remembers nothing of them
    with pytest.raises(TypeError, match=rf"it differs from your own training loop in {what}"):
        run("convolutions", optimizer, engine="ensemble")


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_limits_of_another_program_are_those_of_its_gradients(optimizer: str) -> None:
    """A gradient wrong by less than its limit is let through and one by more is seen, whatever shows the gradients."""
    step, batches, state = setup("dense", optimizer)
    step.self_check(step, batches, state)
    slopes, name = step.self_check.references[0].slopes, "inner.3.weight"
    rate = step.optimizer.learning_rate

    def difference(factor: float) -> Any:
        def program(start: Any, t: int) -> Any:
            gradients, buffers = step.gradients(start, slopes.batches[t - 1])
            wrong = gradients[name] + factor * slopes.limits[t - 1][name]
            return step.update(start, {**gradients, name: wrong}, buffers, rate, 1)

        return slopes.of_program(step, program)

    assert difference(0.0) is None
    assert difference(0.5) is None
    found = difference(5.0)
    assert found is not None
    assert found[0] == 1
    assert found[1] == (name if optimizer == "sgd" else f"the gradient of {name}")


def test_a_wrong_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """By states, and, with the comparison of states switched off, by one step from each state."""
    whole = ProductConvolution.forward

    def wrong(self, x: torch.Tensor) -> torch.Tensor:
        value = whole(self, x)
        return value + 0.5 * (value - value.detach())

    assert run("convolutions", "sgd")["engine"] == "channels_last"
    monkeypatch.setattr(ProductConvolution, "forward", wrong)
    for _ in range(2):
        about = run("convolutions", "sgd")
        assert about["engine"] == "step"
        assert "channels_last: it differs from your own training loop in" in about["not used"]
        monkeypatch.setattr(Reference, "difference", lambda self, states: None)
    assert "your own training loop in inner." in about["not used"]
