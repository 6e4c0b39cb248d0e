"""Negative controls: a broken adapter, kernel or ensemble is seen by the self-check, with the name of what differs."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

import nn_experiments as nne  # noqa: E402
from contraction.maps.errors import NotDeterministic  # noqa: E402
from contraction.maps.orders import Backward  # noqa: E402
from nn_experiments.engine.ensemble import stacked_module  # noqa: E402
from nn_experiments.engine.kernels.im2col import ProductConvolution  # noqa: E402
from nn_experiments.engine.purity import probe  # noqa: E402
from nn_experiments.training import from_torch as adapter  # noqa: E402
from nn_experiments.training.optimizer_slots import read_slots, write_slots  # noqa: E402
from nn_experiments.training.own_loop import OwnLoop  # noqa: E402
from nn_experiments.training.reference import Reference  # noqa: E402
from nn_experiments.training.rounding import FLOOR, TRIALS  # noqa: E402
from nn_experiments.training.step import TrainingStep, _Gradients  # noqa: E402
from tests.nn.training.zoo.case import CASES, classes, from_torch, images, made, mlp, sgd  # noqa: E402
from tests.nn.training.zoo.test_zoo import RIGHT  # noqa: E402

ZERO: dict[str, Any] = {"zero": lambda s: torch.zeros(())}
DIFFERS = "differs from your own training loop"


def run(name: str, *, engine: str = "auto", **options: Any):
    """Train a set-up of the zoo with an adapter that a test has broken."""
    setup = made(CASES[name])
    step, state = from_torch(setup, **options)
    return nne.iterates(step, setup.source(), state, Backward(), [1, 3], ZERO, engine=engine)


def test_a_dropped_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        _Gradients, "_detached", staticmethod(lambda before, after: {k: v * 0 for k, v in before.items()})
    )
    with pytest.raises(ValueError, match=rf"{DIFFERS}: 2\.running_mean after step 1"):
        run("batch_norm")


def test_a_buffer_that_is_not_carried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Gradients, "_detached", staticmethod(lambda before, after: before))
    with pytest.raises(ValueError, match=f"{DIFFERS}: ema after step 1"):
        run("buffer_by_assignment")


def test_momentum_that_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = TrainingStep.update
    monkeypatch.setattr(
        TrainingStep, "update", lambda self, state, *rest: whole(self, {**state, "optimizer": {}}, *rest)
    )
    with pytest.raises(ValueError, match=rf"{DIFFERS}: 0\.weight after step 2.*carried from one step"):
        run("sgd_momentum")


def test_a_rate_that_is_wrong_by_a_millionth(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = TrainingStep.update
    monkeypatch.setattr(
        TrainingStep,
        "update",
        lambda self, state, slopes, buffers, rate, t: whole(self, state, slopes, buffers, rate * (1 + 1e-6), t),
    )
    with pytest.raises(ValueError, match=f"{DIFFERS}: .* after step 1"):
        run("sgd_plain")


def test_a_missing_gradient_taken_for_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _Gradients.__call__

    def filled(self, state, batch):
        slopes, buffers = whole(self, state, batch)
        return {k: torch.zeros_like(state["parameters"][k]) if v is None else v for k, v in slopes.items()}, buffers

    monkeypatch.setattr(_Gradients, "__call__", filled)
    for name in ("unused_with_decay", "unused_with_adamw", "sometimes_used_with_adam", "sometimes_used_with_momentum"):
        with pytest.raises(ValueError, match=DIFFERS):
            run(name)


#: Set-ups that a pure function of parameters and buffers would train wrongly, or not at all.
NEED_THE_OWN_LOOP = [
    "gradient_hook_that_clips",
    "gradient_hook_with_adam",
    "post_accumulate_hook",
    "optimizer_pre_hook_that_clips",
    "optimizer_post_hook_that_clamps",
    "forward_hook_that_reads_the_model",
    "weight_penalty_in_the_loss",
    "penalty_of_one_layer",
    "loss_module_that_holds_the_model",
    "loss_object_that_holds_a_parameter",
    "exponential_average_in_a_post_hook",
    "forward_replaced_on_the_object",
    "gradient_penalty",
    "parameter_in_a_list",
    "renormalised_embedding",
]


@pytest.mark.parametrize("name", NEED_THE_OWN_LOOP)
def test_a_hook_or_closure_that_is_left_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "why_own_loop", lambda *_: None)
    with pytest.raises(ValueError, match="form='loop'"):
        run(name)


def test_the_remedy_works() -> None:
    """What is refused with form='loop' as its remedy trains with it."""
    with pytest.raises(ValueError, match="form='loop'"):
        run("reentrant_checkpoint")
    assert run("reentrant_checkpoint", form="loop").metadata["self-check"] == "passed in float64"


@pytest.mark.parametrize("case", RIGHT, ids=lambda case: case.name)
def test_everything_that_is_right_is_right_in_the_own_loop(case) -> None:
    assert run(case.name, form="loop").metadata["self-check"].startswith("passed")


def test_an_own_loop_that_drops_the_optimizers_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nn_experiments.training.own_loop.read_slots", lambda *_: {})
    with pytest.raises(ValueError, match=rf"{DIFFERS}: 0\.weight after step 2"):
        run("rmsprop_centered")


def test_an_own_loop_that_drops_a_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = OwnLoop.read

    def without(self):
        state = whole(self)
        return {**state, "buffers": {name: value * 0 for name, value in state["buffers"].items()}}

    monkeypatch.setattr(OwnLoop, "read", without)
    with pytest.raises(ValueError, match=f"{DIFFERS}: average"):
        run("exponential_average_in_a_post_hook")


def test_a_wrong_kernel_is_not_used_and_the_record_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ProductConvolution.forward
    monkeypatch.setattr(ProductConvolution, "forward", lambda self, x: whole(self, x) * (1 + 1e-6))
    about = run("group_norm").metadata
    assert about["engine"] == "step"
    assert "channels_last: it differs from your own training loop in" in about["not used"]
    with pytest.raises(ValueError, match="the kernel channels_last cannot be used"):
        run("group_norm", engine="channels_last")
    monkeypatch.undo()
    assert run("group_norm").metadata["engine"] == "channels_last"


def test_a_wrong_ensemble_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = stacked_module.Wide.__call__
    monkeypatch.setattr(stacked_module.Wide, "__call__", lambda self, *a, **k: whole(self, *a, **k) * (1 + 1e-6))
    with pytest.raises(TypeError, match="ensemble cannot run this step: it differs"):
        run("batch_norm", engine="ensemble")


def test_switched_off_and_recorded() -> None:
    about = run("sgd_plain", check=False).metadata
    assert about["self-check"] == "switched off"


def test_the_check_runs_once_for_a_step_and_its_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    setup = made(CASES["batch_norm"])
    step, state = from_torch(setup)
    calls = []
    whole = OwnLoop.once
    monkeypatch.setattr(OwnLoop, "once", lambda self, batch, t: calls.append(1) or whole(self, batch, t))
    data = setup.source()
    nne.iterates(step, data, state, Backward(), [2], ZERO)
    count = len(calls)
    assert count > 0
    nudged = {**state, "parameters": {name: 1.01 * value for name, value in state["parameters"].items()}}
    found = nne.limit(step, data, state, nudged, eps=1.0, max_maps=4)
    nne.iterates(step, data, state, Backward(), [2], ZERO)
    assert len(calls) == count
    assert found.metadata["self-check"] == "passed in float64"
    nne.iterates(step, setup.source(), state, Backward(), [2], ZERO)
    assert len(calls) == 2 * count


@pytest.mark.parametrize("case", RIGHT, ids=lambda case: case.name)
def test_nothing_of_the_users_is_altered(case) -> None:
    """Parameters, buffers, gradients, optimizer, training mode and generators are as before, to the last bit."""
    setup = made(case)
    model, optimizer = setup.model, setup.optimizer
    for p in model.parameters():
        p.grad = torch.full_like(p, 2.0)
    tensors = {name: value.clone() for name, value in model.state_dict().items()}
    objects = {name: id(value) for name, value in model.named_buffers()}
    modes = [module.training for module in model.modules()]
    slots = pickle.dumps(optimizer.state_dict())
    generator = torch.get_rng_state()
    step, state = from_torch(setup)
    nne.iterates(step, setup.source(), state, Backward(), [1, 2], ZERO)
    assert all(torch.equal(value, tensors[name]) for name, value in model.state_dict().items())
    assert {name: id(value) for name, value in model.named_buffers()} == objects
    assert [module.training for module in model.modules()] == modes
    assert all(bool((p.grad == 2).all()) for p in model.parameters())
    assert torch.equal(torch.get_rng_state(), generator)
    assert pickle.dumps(optimizer.state_dict()) == slots


def test_a_schedule_is_compared_as_well() -> None:
    model = mlp()
    schedule = nne.Schedule(kind="inverse", horizon=2, index="batch")
    step, state = nne.from_torch(model, F.cross_entropy, sgd(model, momentum=0.5), schedule=schedule)
    data = nne.ArrayBatches(*classes(3), batch_size=5, seed=0)
    assert nne.iterates(step, data, state, Backward(), [3], ZERO).metadata["self-check"] == "passed in float64"
    for method in ("sgd", "momentum", "adam", "adamw"):
        own = nne.Optimizer(method=method, learning_rate=0.1, momentum=0.5 if method == "momentum" else 0.0)
        step, state = nne.from_torch(model, F.cross_entropy, own)
        assert nne.iterates(step, data, state, Backward(), [3], ZERO).metadata["self-check"] == "passed in float64"


def test_a_scheduler_attached_later_is_seen() -> None:
    model = mlp()
    optimizer = sgd(model)
    step, state = nne.from_torch(model, F.cross_entropy, optimizer)
    torch.optim.lr_scheduler.StepLR(optimizer, 3)
    data = nne.ArrayBatches(*classes(3), batch_size=5, seed=0)
    with pytest.raises(ValueError, match="learning rate scheduler"):
        nne.iterates(step, data, state, Backward(), [3], ZERO)


def test_evaluation_mode_set_later_does_not_change_the_step() -> None:
    model = mlp(nn.BatchNorm1d(6))
    step, state = nne.from_torch(model, F.cross_entropy, sgd(model), form="loop")
    data = nne.ArrayBatches(*classes(3), batch_size=5, seed=0)
    before = step(state, data(1), 1)
    model.eval()
    after = step(state, data(1), 1)
    assert torch.equal(before["parameters"]["0.weight"], after["parameters"]["0.weight"])
    assert not model.training


def test_a_loop_that_goes_on_from_its_own_tensors_is_refused() -> None:
    """It returns the same tensors each time, so that both results are equal unless they are copied."""
    model = mlp()
    optimizer = sgd(model)
    data = nne.ArrayBatches(*classes(3), batch_size=5, seed=0)
    state = nne.initial_state(model)

    def step(state, batch, t):
        optimizer.zero_grad()
        F.cross_entropy(model(batch[0]), batch[1]).backward()
        optimizer.step()
        return {"parameters": dict(model.named_parameters()), "buffers": {}, "optimizer": {}}

    with pytest.raises(NotDeterministic, match="must compute from the state it is given"):
        probe(step, data, state)


def test_a_step_that_draws_is_seen_by_the_generator_and_one_that_seeds_it_is_pure() -> None:
    state = {"parameters": {"w": torch.zeros(2)}, "buffers": {}, "optimizer": {}}

    def data(i):
        return torch.ones(2), torch.ones(2)

    def draws(state, batch, t):
        torch.rand(())
        return state

    def seeds(state, batch, t):
        torch.manual_seed(t)
        return {**state, "parameters": {"w": torch.rand(2)}}

    with pytest.raises(NotDeterministic, match="draws from torch's generator"):
        probe(draws, data, state)
    before = torch.get_rng_state()
    assert probe(seeds, data, state) >= 0
    assert torch.equal(before, torch.get_rng_state())


def test_numbers_of_an_optimizer_come_back_as_they_were() -> None:
    p = nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([p], lr=0.1)
    optimizer.state[p] = {"n": 3, "x": 0.1, "flag": True, "none": None, "m": torch.tensor([1.0, 2.0])}
    optimizer.state["k"] = 7
    optimizer.param_groups[0]["weight_sum"] = 1.5
    options = [{"lr": 0.1}]
    values = read_slots(optimizer, {id(p): "w"}, options)
    other = torch.optim.SGD([p], lr=0.1)
    write_slots(other, {"w": p}, {}, options, values)
    assert other.state[p]["n"] == 3
    assert type(other.state[p]["n"]) is int
    assert other.state[p]["x"] == 0.1
    assert other.state[p]["flag"] is True
    assert other.state[p]["none"] is None
    assert torch.equal(other.state[p]["m"], torch.tensor([1.0, 2.0]))
    assert other.state["k"] == 7
    assert other.param_groups[0]["weight_sum"] == 1.5
    optimizer.state[p]["bad"] = [1]
    with pytest.raises(TypeError, match="keeps bad as list"):
        read_slots(optimizer, {id(p): "w"}, options)


def test_frozen_randomness_depends_on_seed_and_batch_only() -> None:
    setup = made(CASES["transformer_frozen"])
    step, state = from_torch(setup)
    data = setup.source()
    torch.manual_seed(0)
    one = step(state, data(1), 1)
    torch.rand(5)
    again = step(state, data(1), 2)
    moved = step(state, nne.Batch(data(1).inputs, data(1).targets, 2), 1)
    other, _ = from_torch(setup, seed=6)
    reseeded = other(state, data(1), 1)
    key = "head.weight"
    assert torch.equal(one["parameters"][key], again["parameters"][key])
    assert not torch.equal(one["parameters"][key], moved["parameters"][key])
    assert not torch.equal(one["parameters"][key], reseeded["parameters"][key])


def test_float32_only_modules_are_compared_in_float32() -> None:
    class Single(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = nn.Linear(3, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.one(x) @ torch.eye(4, dtype=torch.float32)

    model = Single()
    x, y = classes(3)
    step, state = nne.from_torch(model, F.cross_entropy, sgd(model))
    data = nne.ArrayBatches(x.float(), y, batch_size=5, seed=0)
    assert (
        nne.iterates(step, data, state, Backward(), [3], ZERO).metadata["self-check"]
        == "passed in float32, by gradients"
    )


def test_a_kernel_that_meets_another_size_goes_on_with_the_step() -> None:
    """Batches 1 to 3 have one size; the fourth, after the check, another."""
    model = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten(1)).double()
    x, y = images(size=2)
    whole = nne.ArrayBatches(x, y, batch_size=5, seed=0)

    def data(i: int) -> nne.Batch:
        batch = whole(i)
        return nne.Batch(batch.inputs if i < 4 else batch.inputs[:, :, :1, :1], batch.targets, i)

    step, state = nne.from_torch(model, F.cross_entropy, sgd(model))
    sums: dict[str, list[float]] = {}
    for engine in ("auto", "step"):
        run = nne.iterates(
            step, data, state, Backward(), [5], {"sum": lambda s: s["parameters"]["0.weight"].sum()}, engine=engine
        )
        sums[engine] = [float(run["sum"][0])]
        assert run.metadata["engine"] == "step"
        assert ("OtherUse" in run.metadata.get("not used", "")) == (engine == "auto")
    assert sums["auto"] == sums["step"]


def test_a_step_that_changes_its_start_does_not_widen_what_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounding is measured from the start as it was: the wrong rate is seen, whatever the step does to its argument."""
    whole = TrainingStep.__call__

    def spoiling(self, state, batch, t):
        after = whole(self, state, batch, t)
        wrong = {
            name: value + 1e-6 * (value - state["parameters"][name]) for name, value in after["parameters"].items()
        }
        for value in state["parameters"].values():
            value.data.mul_(1.5)
        return {**after, "parameters": wrong}

    monkeypatch.setattr(TrainingStep, "__call__", spoiling)
    with pytest.raises(ValueError, match=f"{DIFFERS}: .* after step 1"):
        run("sgd_plain")


#: Has the name of a layer of `Named`, as a script's own variable often does.
encoder = nn.Linear(4, 3)


class Named(nn.Module):
    """Reads the attribute ``encoder``, and the global variable of that name only if asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.encoder(x)


class ByGlobal(Named):
    """Uses the layer by the global variable."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return encoder(x) + 0 * self.encoder(x)


def test_an_attribute_is_not_taken_for_a_global_variable_of_its_name() -> None:
    def trained_by(model: nn.Module) -> type:
        return type(nne.from_torch(model, F.cross_entropy, torch.optim.SGD(model.parameters(), lr=0.1))[0])

    assert trained_by(Named()) is nne.TrainingStep
    with pytest.warns(UserWarning, match=r"global variable encoder\) .* holds a parameter"):
        assert trained_by(ByGlobal()) is not nne.TrainingStep


def test_comparisons_allow_the_floor_without_another_run() -> None:
    """Rounding is measured only where the floor is exceeded, and then decides."""
    runs = []

    def run(start: dict) -> list[dict]:
        runs.append(start)
        return [{"parameters": {"w": start["parameters"]["w"] * 3}}]

    def start() -> dict:
        return {"parameters": {"w": torch.ones(1000, dtype=torch.float64)}}

    ends = [{"parameters": {"w": 3 * torch.ones(1000, dtype=torch.float64)}}]
    reference = Reference((1,), lambda batch: batch, start(), ends, run, start)
    unit = 3 * FLOOR * torch.finfo(torch.float64).eps

    def off(by: float) -> dict:
        return {1: {"parameters": {"w": torch.full((1000,), 3 + by, dtype=torch.float64)}}}

    assert reference.difference(off(0.9 * unit)) is None
    assert not runs
    assert reference.difference(off(1.5 * unit)) is None  # within what starts moved by 8 units give, times 100
    assert len(runs) == TRIALS
    t, name, gap, allowed = reference.difference(off(1e-6))
    assert (t, name, len(runs)) == (1, "w", TRIALS)
    assert gap == pytest.approx(1e-6)
    assert unit < allowed < 1e-9
    for strange in (float("nan"), float("inf")):
        assert reference.difference(off(strange))[2] == float("inf")
