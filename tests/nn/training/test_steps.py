"""Steps are pure maps with torch.optim's numbers; from_torch takes a user's module and refuses what it can't replay."""

from __future__ import annotations

import contextlib
import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import nn_experiments as nne  # noqa: E402
from contraction.maps.errors import NotDeterministic  # noqa: E402
from contraction.maps.orders import Backward, Forward  # noqa: E402
from nn_experiments.engine.loop import double_loop  # noqa: E402
from nn_experiments.engine.purity import probe  # noqa: E402
from nn_experiments.training.optimizers import Optimizer, Schedule  # noqa: E402
from nn_experiments.training.step import TorchOptimizerStep  # noqa: E402
from tests.nn.problems import flat  # noqa: E402

LOSS = nn.functional.cross_entropy
EPS = np.finfo(float).eps

OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.05),
    "sgd with decay": lambda p: torch.optim.SGD(p, lr=0.05, weight_decay=0.1),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.9),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "adam with decay": lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.8, 0.95), weight_decay=0.1),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.001, momentum=0.5),
    "amsgrad": lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.01),
}

#: Those that go through torch's own step.
SLOW = ("rmsprop", "amsgrad", "adagrad")


def says_that_it_is_slow(name: str) -> contextlib.AbstractContextManager:
    """A warning is an error in these tests, so the fast ones say nothing."""
    return pytest.warns(UserWarning, match="a slower path") if name in SLOW else contextlib.nullcontext()


def module() -> nn.Module:
    """Return a small float64 network with fixed parameters."""
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 4)).double()
    rng = np.random.default_rng(0)
    with torch.no_grad():
        for value in model.parameters():
            value.copy_(torch.from_numpy(rng.standard_normal(tuple(value.shape))))
    return model


def batches(seed: int = 0) -> nne.ArrayBatches:
    rng = np.random.default_rng(1)
    inputs = torch.from_numpy(rng.standard_normal((30, 3)))
    return nne.ArrayBatches(inputs, torch.from_numpy(rng.integers(4, size=30)), batch_size=5, seed=seed)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_forward_steps_are_those_of_torch_optim(name: str) -> None:
    """Ten steps of the usual training loop, and ten of ours.

    Both do the same operations in another order; each of ten steps rounds at most ten times relative to ‖θ‖, and
    the maps here expand distances by less than 2 a step (Adam divides by |g| >= 1e-6 or so: 1e4 more).
    """
    model, data = module(), batches()
    optimizer = OPTIMIZERS[name](model.parameters())
    with says_that_it_is_slow(name):
        step, state = nne.from_torch(model, LOSS, optimizer)
    for i in range(1, 11):
        batch = data(i)
        optimizer.zero_grad()
        LOSS(model(batch.inputs), batch.targets).backward()
        optimizer.step()
        state = step(state, batch, i)
    difference = float((flat(state["parameters"]) - flat(dict(model.named_parameters()))).norm())
    assert difference <= 10 * EPS * 2**10 * 1e4 * float(flat(state["parameters"]).norm())
    assert isinstance(step, TorchOptimizerStep) == (name in SLOW)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_backward_iterates_replay_the_optimizers_state(name: str) -> None:
    """T_1 … T_n by hand: the training loop on the reversed list of batches, from scratch for every n."""
    start = module()
    with says_that_it_is_slow(name):
        step, state0 = nne.from_torch(start, LOSS, OPTIMIZERS[name](start.parameters()))
    found = double_loop(step, batches(), state0, Backward(), [1, 4])
    for n in (1, 4):
        model = module()
        optimizer = OPTIMIZERS[name](model.parameters())
        for i in range(n, 0, -1):
            optimizer.zero_grad()
            LOSS(model(batches()(i).inputs), batches()(i).targets).backward()
            optimizer.step()
        right = flat(dict(model.named_parameters()))
        assert float((flat(found[n]["parameters"]) - right).norm()) <= 1e-9 * float(right.norm())
    forward = double_loop(step, batches(), state0, Forward(), [4])[4]
    assert float((flat(forward["parameters"]) - right).norm()) > 1e-6 * float(right.norm())


def test_a_schedule_by_position_and_one_by_batch() -> None:
    """The same word of maps: by position the first step has factor 1, by batch the map T_i carries its own rate."""
    for index in ("position", "batch"):
        schedule = Schedule(kind="inverse", horizon=1, index=index)
        optimizer = Optimizer(learning_rate=0.1, schedule=schedule)
        step, state = nne.from_torch(module(), LOSS, optimizer)
        model = module()
        for t, i in enumerate((3, 2, 1), 1):
            state = step(state, batches()(i), t)
            model.zero_grad()
            LOSS(model(batches()(i).inputs), batches()(i).targets).backward()
            rate = 0.1 / (t if index == "position" else i)
            with torch.no_grad():
                for value in model.parameters():
                    value -= rate * value.grad
        difference = (flat(state["parameters"]) - flat(dict(model.named_parameters()))).norm()
        assert float(difference) < 1e-12, index


def test_running_statistics_are_state_and_are_carried_in_the_order_of_the_word() -> None:
    model = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 4)).double()
    step, state0 = nne.from_torch(model, LOSS, torch.optim.SGD(model.parameters(), lr=0.1))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    end = double_loop(step, batches(), state0, Backward(), [3])[3]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for i in (3, 2, 1):
        optimizer.zero_grad()
        LOSS(model(batches()(i).inputs), batches()(i).targets).backward()
        optimizer.step()
    for name, value in model.named_buffers():
        assert torch.allclose(end["buffers"][name].double(), value.double(), rtol=1e-12, atol=0), name
    assert int(end["buffers"]["1.num_batches_tracked"]) == 3


def test_dropout_is_replaced_in_a_copy_and_replays() -> None:
    model = nn.Sequential(nn.Linear(3, 64), nn.Dropout(0.5), nn.Linear(64, 4)).double()
    step, state = nne.from_torch(model, LOSS, Optimizer(learning_rate=0.1), seed=3)
    assert isinstance(model[1], nn.Dropout)
    probe(step, batches(), state)
    after = [step(state, batches()(i), 1) for i in (1, 1, 2)]
    assert torch.equal(flat(after[0]["parameters"]), flat(after[1]["parameters"]))
    same = batches()(1)
    masks = [step(state, nne.Batch(same.inputs, same.targets, i), 1) for i in (1, 2)]
    assert not torch.equal(flat(masks[0]["parameters"]), flat(masks[1]["parameters"]))


def test_frozen_parameters_stay() -> None:
    model = module()
    model[0].requires_grad_(False)
    step, state = nne.from_torch(model, LOSS, torch.optim.SGD(model[2].parameters(), lr=0.1))
    after = step(state, batches()(1), 1)
    assert torch.equal(after["buffers"]["0.weight"], model[0].weight)
    assert not torch.equal(after["parameters"]["2.weight"], model[2].weight)


def test_what_from_torch_refuses() -> None:
    model = module()
    used = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    LOSS(model(batches()(1).inputs), batches()(1).targets).backward()
    used.step()
    with pytest.raises(ValueError, match="already taken steps"):
        nne.from_torch(model, LOSS, used)
    scheduled = torch.optim.SGD(model.parameters(), lr=0.1)
    torch.optim.lr_scheduler.StepLR(scheduled, 10)
    with pytest.raises(ValueError, match="scheduler"):
        nne.from_torch(model, LOSS, scheduled)
    with pytest.raises(ValueError, match=r"lacks 0\.weight"):
        nne.from_torch(model, LOSS, torch.optim.SGD(model[2].parameters(), lr=0.1))
    with pytest.raises(ValueError, match="not the model's"):
        nne.from_torch(model[0], LOSS, torch.optim.SGD(model.parameters(), lr=0.1))
    with pytest.raises(TypeError, match="LBFGS"):
        nne.from_torch(model, LOSS, torch.optim.LBFGS(model.parameters()))
    with pytest.raises(ValueError, match="Dropout2d"):
        nne.from_torch(nn.Sequential(nn.Dropout2d(0.2)), LOSS, Optimizer(learning_rate=0.1))
    with pytest.raises(ValueError, match="torch's generator"):
        nne.TrainingStep(nn.Dropout(0.5), LOSS, Optimizer(learning_rate=0.1))


def test_a_data_loader_is_refused_with_the_reason() -> None:
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.zeros(4, 3)), batch_size=2)
    step, state = nne.from_torch(module(), LOSS, Optimizer(learning_rate=0.1))
    with pytest.raises(TypeError, match="DataLoader cannot be used"):
        nne.iterates(step, loader, state, Forward(), [1], {})


def test_the_probe_sees_what_is_no_fixed_map() -> None:
    data = batches()
    step, state = nne.from_torch(module(), LOSS, Optimizer(learning_rate=0.1))
    assert probe(step, data, state) > 0
    rng = np.random.default_rng(0)
    with pytest.raises(NotDeterministic, match="batch 2"):
        probe(step, lambda i: (torch.from_numpy(rng.standard_normal((5, 3))), data(i).targets), state)
    with pytest.raises(NotDeterministic, match="different results"):
        probe(lambda s, b, t: {"parameters": {"x": torch.tensor(rng.random())}}, data, state)

    def in_place(s, b, t):
        s["parameters"]["0.bias"] += 1
        return s

    with pytest.raises(NotDeterministic, match="alters the state"):
        probe(in_place, data, state)


def test_the_limit_by_doubling_finds_a_backward_iterate_with_few_maps() -> None:
    """Ridge regression: every map contracts by 1 − h·decay at least, so two starts meet; without decay they don't."""
    model = nn.Linear(3, 1).double()
    rng = np.random.default_rng(2)
    inputs = torch.from_numpy(rng.standard_normal((30, 3)))
    data = nne.ArrayBatches(inputs, inputs.sum(1, keepdim=True) + 1, batch_size=1, seed=0)
    for decay, settles in ((0.5, True), (0.0, False)):
        step, state0 = nne.from_torch(model, nn.functional.mse_loss, Optimizer(learning_rate=0.02, weight_decay=decay))
        other = {**state0, "parameters": {k: v + 1 for k, v in state0["parameters"].items()}}
        found = nne.limit(step, data, state0, other, eps=1e-6, max_maps=256 if not settles else 4096, engine="step")
        assert found.settled == settles
        assert found.applications <= 10 * found.n + 66 * len(found.horizons)  # O(n): five starts, 66 further maps
        assert len(found.fresh) == len(found.horizons)
        again = double_loop(step, data, state0, Backward(), [found.n])[found.n]
        assert torch.equal(flat(found.value["parameters"]), flat(again["parameters"]))
        if settles:
            assert found.coupling[-1] <= 2 * (1 - 0.02 * decay) ** found.n
        text = f"{found}"
        for part in (f"n={found.n}", f"settled={settles}", f"coupling {found.coupling[-1]:.3g}", "maps applied"):
            assert part in text
        assert "tensor" not in text
        assert len(text) < 120


def test_starts_that_meet_do_not_make_a_path_settle() -> None:
    """T(x) = |x| + u: the starts ±1 agree after one map, and the backward iterates go to infinity."""

    def step(state, batch, t):
        return {"parameters": {"w": state["parameters"]["w"].abs() + batch}}

    def batches(i):
        return torch.tensor(np.random.default_rng(i).random(), dtype=torch.float64)

    one = {"parameters": {"w": torch.tensor(1.0, dtype=torch.float64)}}
    other = {"parameters": {"w": torch.tensor(-1.0, dtype=torch.float64)}}
    found = nne.limit(step, batches, one, other, eps=1e-3, max_maps=64, engine="step")
    assert not found.settled
    assert max(found.coupling) == 0  # what a rule on the coupling alone would take for a limit
    assert found.increments[-1] > 1
    with pytest.raises(ValueError, match="state0 and start are equal"):
        nne.limit(step, batches, one, one, eps=1e-3, engine="step")


def test_a_path_of_period_two_does_not_settle() -> None:
    """Sign-SGD on a lattice alternates for ever: iterates 1, 2, 4, 8, … agree, all but the first being even."""

    def step(state, batch, t):
        w = state["parameters"]["w"]
        return {"parameters": {"w": w - 0.1 * torch.sign(w - batch)}}

    def batches(i):
        return torch.tensor(0.01 * np.random.default_rng(i).standard_normal(), dtype=torch.float64)

    one, other = ({"parameters": {"w": torch.tensor(w, dtype=torch.float64)}} for w in (0.0, 1e-9))
    found = nne.limit(step, batches, one, other, eps=1e-3, max_maps=64, engine="step")
    assert not found.settled
    assert found.increments[2:] == (0.0,) * 5  # what a rule on increments and coupling would take for a limit
    assert max(found.coupling[2:]) <= 1e-9
    assert found.fresh[-1] == pytest.approx(0.1)


@pytest.mark.parametrize("max_maps", [64, 65, 127])
def test_horizons_are_powers_of_two_whatever_the_largest_is(max_maps: int) -> None:
    """A last horizon just above the one before would make two iterates agree that are one map apart."""

    def step(state, batch, t):
        return {"parameters": {"w": state["parameters"]["w"] + 0.01}}

    one, other = ({"parameters": {"w": torch.tensor(w, dtype=torch.float64)}} for w in (1.0, 1.001))
    found = nne.limit(step, lambda i: i, one, other, eps=0.009, max_maps=max_maps, engine="step")
    assert found.horizons == (1, 2, 4, 8, 16, 32, 64)
    assert not found.settled


def test_a_path_that_stops_being_finite_has_not_settled() -> None:
    def step(state, batch, t):
        return {"parameters": {"w": state["parameters"]["w"] * 1e200}}

    one, other = ({"parameters": {"w": torch.tensor(w, dtype=torch.float64)}} for w in (1.0, 2.0))
    found = nne.limit(step, lambda i: i, one, other, eps=1.0, max_maps=1024, engine="step")
    assert not found.settled
    assert found.n < 1024


def test_metrics_that_change_the_state_or_draw_are_refused() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 1)).double()
    step, state = nne.from_torch(model, torch.nn.functional.mse_loss, torch.optim.SGD(model.parameters(), lr=0.1))
    inputs = torch.linspace(-1, 1, 40, dtype=torch.float64).reshape(20, 2)
    batches = nne.ArrayBatches(inputs, inputs[:, :1], batch_size=4, seed=0)
    mean = state["buffers"]["1.running_mean"].clone()

    def run(module: torch.nn.Module):
        def loss(s):
            return torch.func.functional_call(module, s["parameters"] | s["buffers"], (inputs,)).mean()

        return nne.iterates(step, batches, state, Backward(), [0, 3], {"loss": loss})

    with pytest.raises(NotDeterministic, match="a metric alters the state"):
        run(model)
    assert torch.equal(state["buffers"]["1.running_mean"], mean)
    assert np.isfinite(run(copy.deepcopy(model).eval())["loss"]).all()
    with pytest.raises(NotDeterministic, match="a metric is not the same"):
        nne.iterates(step, batches, state, Backward(), [0, 3], {"noise": lambda s: torch.rand(())})
