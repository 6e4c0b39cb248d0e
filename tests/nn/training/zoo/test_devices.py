"""A step that runs on another device is compared on the CPU first and then there; the other device is pretended.

What is pretended is named cuda:0 and computes as the CPU does. The programs of these tests know where they are by `ON`,
and make their mistakes on one device alone. Tests with a real card are marked ``gpu``.
"""

from __future__ import annotations

import copy
from contextvars import ContextVar
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

import nn_experiments as nne  # noqa: E402
from contraction.maps.orders import Backward  # noqa: E402
from nn_experiments.engine.ensemble import stacked_module  # noqa: E402
from nn_experiments.engine.kernels.convnet import ChannelsLastKernel  # noqa: E402
from nn_experiments.training import self_check  # noqa: E402
from nn_experiments.training.batches import Batch  # noqa: E402
from nn_experiments.training.places import ROWS, few, place_of, start_of  # noqa: E402
from nn_experiments.training.rounding import converted  # noqa: E402
from nn_experiments.training.step import _Gradients  # noqa: E402
from tests.nn.training.zoo.case import classes, images, mlp, sgd  # noqa: E402

CPU, CARD = "cpu", "cuda:0"
BOTH = "passed in float64 on the CPU; passed in float64 on cuda:0"
#: Where the pretended state is: what the self-check restores, dictionaries and attributes, does not reach it.
ON = ContextVar("device", default=CPU)


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Pretend that states are on a card; return the devices to which states are brought, in order."""
    places: list[str] = []

    def start(state: Any, *, double: bool, device: str | None = None) -> Any:
        ON.set(device or CARD)
        places.append(ON.get())
        return start_of(state, double=double, device=device)

    def convert(tree: Any, *, double: bool, device: str | None = None) -> Any:
        ON.set(device or CARD)
        return converted(tree, double=double, device=device)

    ON.set(CPU)
    monkeypatch.setattr(self_check, "place_of", lambda state: CARD)
    monkeypatch.setattr(self_check, "start_of", start)
    monkeypatch.setattr(self_check, "converted", convert)
    return places


class Placed(nn.Module):
    """A network that does something else on one device."""

    def __init__(self, where: str, what: str, model: nn.Module | None = None) -> None:
        super().__init__()
        self.model = model or mlp()
        self.where, self.what = where, what

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if ON.get() == self.where and self.what == "fails":
            raise RuntimeError("not made for this device")
        if ON.get() == self.where and self.what == "draws":
            return self.model(x) + 0.1 * torch.rand(())
        return self.model(x)


def run(model: nn.Module, data: Any = None, *, engine: str = "auto") -> dict[str, Any]:
    """Train a little; return what was recorded."""
    step, state = nne.from_torch(model, F.cross_entropy, sgd(model))
    batches = nne.ArrayBatches(*(data or classes(3)), batch_size=12, seed=0)
    metrics = {"zero": lambda s: torch.zeros(())}
    return dict(nne.iterates(step, batches, state, Backward(), [1, 3], metrics, engine=engine).metadata)


def test_first_on_the_cpu_and_then_on_the_device(card: list[str]) -> None:
    assert run(mlp())["self-check"] == BOTH
    assert card == [CPU, CARD]


def test_on_the_cpu_alone_without_a_device() -> None:
    assert run(mlp())["self-check"] == "passed in float64"


@pytest.mark.parametrize(("where", "words"), [(CPU, "on the CPU"), (CARD, "on cuda:0")])
def test_a_mistake_of_the_step_on_one_device_is_seen(where: str, words: str, card: list[str], monkeypatch) -> None:
    whole = _Gradients.__call__

    def wrong(self, state, batch):
        slopes, buffers = whole(self, state, batch)
        return {name: value * (1.001 if ON.get() == where else 1) for name, value in slopes.items()}, buffers

    monkeypatch.setattr(_Gradients, "__call__", wrong)
    with pytest.raises(ValueError, match=rf"differs from your own training loop {words}: 0\.weight after step 1"):
        run(mlp())
    assert list(dict.fromkeys(card)) == ([CPU] if where == CPU else [CPU, CARD])


@pytest.mark.parametrize("where", [CPU, CARD])
def test_random_numbers_on_one_device_are_seen(where: str, card: list[str]) -> None:
    with pytest.raises(ValueError, match="draws from torch's generator in a training step"):
        run(Placed(where, "draws"))
    assert set(card) == ({CPU} if where == CPU else {CPU, CARD})


def test_what_cannot_run_on_the_cpu_is_compared_on_the_device_alone(card: list[str]) -> None:
    found = run(Placed(CPU, "fails"))["self-check"]
    assert found.startswith("not compared on the CPU (CallFailed: the model fails on inputs (8, 3)")
    assert found.endswith("passed in float64 on cuda:0")


def test_what_cannot_run_on_the_device_is_an_error(card: list[str]) -> None:
    with pytest.raises(nne.CallFailed, match="not made for this device"):
        run(Placed(CARD, "fails"))


def wrong_on(where: str, what: str, owner: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a method fail on one device, or return numbers that are wrong by a thousandth."""
    whole = getattr(owner, name)

    def wrong(self, *arguments: Any, **options: Any):
        value = whole(self, *arguments, **options)
        if ON.get() != where:
            return value
        if what == "fails":
            raise RuntimeError("no such instruction")
        return 1.001 * value

    monkeypatch.setattr(owner, name, wrong)


def convolutional() -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(1), nn.Linear(16, 4)).double()


@pytest.mark.parametrize(("where", "words"), [(CPU, "on the CPU"), (CARD, "on cuda:0")])
def test_a_wrong_ensemble_on_one_device_is_refused(where: str, words: str, card: list[str], monkeypatch) -> None:
    assert run(convolutional(), images(), engine="ensemble")["engine"] == "ensemble"
    wrong_on(where, "differs", stacked_module.Wide, "__call__", monkeypatch)
    with pytest.raises(TypeError, match=f"it differs from your own training loop {words} in"):
        run(convolutional(), images(), engine="ensemble")


def test_an_ensemble_that_fails_is_refused_only_where_it_will_run(card: list[str], monkeypatch) -> None:
    with monkeypatch.context() as patch:
        wrong_on(CPU, "fails", stacked_module.Wide, "__call__", patch)
        assert run(convolutional(), images(), engine="ensemble")["engine"] == "ensemble"
    wrong_on(CARD, "fails", stacked_module.Wide, "__call__", monkeypatch)
    with pytest.raises(TypeError, match="it fails with RuntimeError: no such instruction"):
        run(convolutional(), images(), engine="ensemble")


@pytest.mark.parametrize(("where", "words"), [(CPU, "on the CPU"), (CARD, "on cuda:0")])
def test_a_wrong_kernel_on_one_device_is_not_used(where: str, words: str, card: list[str], monkeypatch) -> None:
    assert run(convolutional(), images())["engine"] == "channels_last"
    whole = ChannelsLastKernel.apply

    def wrong(self, state, indices, before):
        end = whole(self, state, indices, before)
        factor = 1.001 if ON.get() == where else 1
        return {**end, "parameters": {name: factor * value for name, value in end["parameters"].items()}}

    monkeypatch.setattr(ChannelsLastKernel, "apply", wrong)
    about = run(convolutional(), images())
    assert about["engine"] == "step"
    assert f"it differs from your own training loop {words} in" in about["not used"]


def test_states_and_batches_are_brought_to_a_device() -> None:
    """The device without numbers shows where tensors are."""
    model = mlp(nn.BatchNorm1d(6)).float()
    state = nne.initial_state(model)
    there = start_of(state, double=True, device="meta")
    assert place_of(there) == "meta"
    assert place_of(state) == CPU
    values = [*there["parameters"].values(), *there["buffers"].values()]
    assert all(value.is_meta for value in values)
    assert {value.dtype for value in values} == {torch.float64, torch.int64}
    copied = start_of(state, double=False)["parameters"]["0.weight"]
    assert torch.equal(copied, state["parameters"]["0.weight"])
    assert copied.data_ptr() != state["parameters"]["0.weight"].data_ptr()
    batch = Batch({"a": torch.zeros(3), "b": [torch.zeros(3)]}, (torch.zeros(3, dtype=torch.int64), "x"), 7)  # type: ignore[arg-type]
    moved = converted(batch, double=True, device="meta")
    assert isinstance(moved, Batch)
    assert moved.index == 7
    assert moved.inputs["a"].is_meta
    assert moved.inputs["b"][0].dtype == torch.float64
    assert moved.targets[0].dtype == torch.int64
    assert moved.targets[0].is_meta
    assert moved.targets[1] == "x"


def test_a_few_examples_are_taken_only_where_every_tensor_counts_them() -> None:
    x, y = torch.arange(40.0).reshape(20, 2), torch.arange(20)
    small = few(Batch({"x": x, "more": x + 1}, y, 3))  # type: ignore[arg-type]
    assert isinstance(small, Batch)
    assert small.index == 3
    assert torch.equal(small.inputs["x"], x[:ROWS])
    assert torch.equal(small.inputs["more"], x[:ROWS] + 1)
    assert torch.equal(small.targets, y[:ROWS])
    assert len(few((x[:3], y[:3]))[0]) == 3
    for whole in ((x, y[:10]), (x, torch.tensor(1)), (x, "text"), ({"x": x, "name": "a"}, y)):
        assert few(whole) is whole


def on_a_card(model: nn.Module) -> dict[str, Any]:
    """Train a little on a real card."""
    model = model.cuda()
    step, state = nne.from_torch(model, F.cross_entropy, sgd(model))
    x, y = classes(3)
    batches = nne.ArrayBatches(x.float().cuda(), y.cuda(), batch_size=12, seed=0)
    metrics = {"zero": lambda s: torch.zeros(())}
    return dict(nne.iterates(step, batches, state, Backward(), [1, 3], metrics).metadata)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_real_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """On both devices; on the card alone where the module needs it; and a mistake that only the card makes is seen."""

    class Bound(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) + torch.ones((), device="cuda", dtype=x.dtype).expand(len(x), 4)

    def net(last: type[nn.Linear] = nn.Linear) -> nn.Module:
        return nn.Sequential(nn.Linear(3, 6), nn.BatchNorm1d(6), nn.Tanh(), last(6, 4))

    model = net().cuda()
    before = copy.deepcopy(model.state_dict())
    assert on_a_card(model)["self-check"] == BOTH
    assert all(torch.equal(value, before[name]) and value.is_cuda for name, value in model.state_dict().items())
    assert on_a_card(net(Bound))["self-check"].startswith("not compared on the CPU (CallFailed")
    whole = _Gradients.__call__

    def wrong(self, state, batch):
        slopes, buffers = whole(self, state, batch)
        return {name: value * (1.001 if value.is_cuda else 1) for name, value in slopes.items()}, buffers

    monkeypatch.setattr(_Gradients, "__call__", wrong)
    with pytest.raises(ValueError, match=r"differs from your own training loop on cuda:0: .* after step"):
        on_a_card(net())
