"""Parts of training on a few numbers: starts, masks, slots of optimizers, arguments of modules, what a step changes."""

from __future__ import annotations

import contextlib
import math
import random
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import nn_experiments as nne  # noqa: E402
from nn_experiments.training import hidden_state  # noqa: E402
from nn_experiments.training.dropout import FrozenDropout, freeze_dropout, frozen_randomness, restart_masks  # noqa: E402
from nn_experiments.training.hidden_state import changed  # noqa: E402
from nn_experiments.training.initialisation import initialise  # noqa: E402
from nn_experiments.training.inputs import arguments  # noqa: E402
from nn_experiments.training.kept_attributes import kept_attributes, kept_entries  # noqa: E402
from nn_experiments.training.optimizer_slots import read_slots, write_slots  # noqa: E402
from nn_experiments.training.optimizers import Optimizer  # noqa: E402
from nn_experiments.training.policies import ResetIfBetter, StopWhenSettled  # noqa: E402
from nn_experiments.training.refusals import overlapping  # noqa: E402
from nn_experiments.training.rng import generator  # noqa: E402
from nn_experiments.training.states import check_state  # noqa: E402
from nn_experiments.training.step import TrainingStep  # noqa: E402

# --- starts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "fan_in", "fan_out"), [(nn.Linear(200, 50), 200, 50), (nn.Conv2d(20, 40, (2, 5)), 200, 400)]
)
def test_starts_have_the_spread_of_their_rule(layer: nn.Module, fan_in: int, fan_out: int) -> None:
    """Uniform draws fill their range to a hundredth; 8,000 normal ones have its deviation within 6/√16,000 = 5 %."""
    uniform, normal, glorot = (
        initialise(layer, 3, initialisation=rule, dtype=torch.float64)
        for rule in ("torch", "he_normal", "glorot_uniform")
    )
    bound = 1 / math.sqrt(fan_in)
    for name, least in (("weight", 0.99), ("bias", 0.8)):
        assert least * bound < float(uniform[name].max()) <= bound
        assert -bound <= float(uniform[name].min()) < -least * bound
    assert float(normal["weight"].std()) == pytest.approx(math.sqrt(2 / fan_in), rel=0.05)
    assert abs(float(normal["weight"].mean())) < 6 * math.sqrt(2 / fan_in / 8000)
    limit = math.sqrt(6 / (fan_in + fan_out))
    assert 0.99 * limit < float(glorot["weight"].max()) <= limit
    assert float(glorot["weight"].min()) < -0.99 * limit
    assert not normal["bias"].any()
    assert not glorot["bias"].any()


def test_layers_purposes_and_seeds_have_draws_of_their_own() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 3), nn.GroupNorm(1, 3), nn.LayerNorm(3))
    one = initialise(model, 0)
    assert list(one) == [name for name, _ in model.named_parameters()]
    assert not torch.equal(one["0.weight"], one["2.weight"])
    for k in (1, 3, 4):
        assert one[f"{k}.weight"].tolist() == [1.0] * 3
        assert one[f"{k}.bias"].tolist() == [0.0] * 3
    for other in (initialise(model, 1), initialise(model, 0, purpose="second start")):
        assert not torch.equal(one["0.weight"], other["0.weight"])
        assert not torch.equal(one["2.weight"], other["2.weight"])
    alone = initialise(nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3)), 0)  # layers without draws are not counted
    assert torch.equal(one["2.weight"], alone["1.weight"])
    assert one["0.weight"].dtype == torch.float32
    assert initialise(model.double(), 0)["0.weight"].dtype == torch.float64
    with pytest.raises(ValueError, match=r"no rule to initialise Bilinear \(the model itself\)"):
        initialise(nn.Bilinear(1, 1, 1), 0)


# --- dropout --------------------------------------------------------------------------------------------------------


def test_masks_are_functions_of_seed_batch_and_call() -> None:
    """Entries are dropped with probability p, 0.25 within 6 deviations of 10,000 draws, and others are over 1 − p."""
    layer, x = FrozenDropout(0.25), torch.ones(10_000)
    with frozen_randomness(1, 2):
        first, second = layer(x), layer(x)
    with frozen_randomness(1, 2):
        again = layer(x)
    assert torch.equal(first, again)
    assert set(first.unique().tolist()) == {0.0, float(torch.tensor(1.0) / 0.75)}
    assert abs(float((first == 0).double().mean()) - 0.25) < 6 * math.sqrt(0.25 * 0.75 / 10_000)
    assert not torch.equal(first, second)
    for seed, index in ((2, 2), (1, 3)):
        with frozen_randomness(seed, index):
            assert not torch.equal(layer(x), first)
    assert layer(x) is x  # outside of a step
    with frozen_randomness(1, 2):
        assert layer.eval()(x) is x
        assert FrozenDropout(0.0)(x) is x
        assert torch.equal(layer.train()(x), first)  # what drops nothing has not counted


def test_calls_are_counted_from_0_in_each_batch() -> None:
    """The masks of three calls are those of the draws of these numbers, and begin again with the next batch."""
    layer, x = FrozenDropout(0.5), torch.ones(20)
    with frozen_randomness(7, 3):
        found = [layer(x) for _ in range(3)]
        restart_masks(7, 4)
        found += [layer(x) for _ in range(2)]
    for mask, (index, call) in zip(found, ((3, 0), (3, 1), (3, 2), (4, 0), (4, 1)), strict=True):
        kept = generator(7, "dropout", index, call).random(20) >= 0.5
        assert ((mask > 0).numpy() == kept).all()
    restart_masks(7, 4)  # outside of a step there are none to begin
    assert layer(x) is x


@pytest.mark.parametrize("place", [None, 0, 1])
def test_a_step_with_frozen_masks_needs_the_index_of_a_batch(place: int | None) -> None:
    """Wherever the layer is; the masks are those of that index and of the step's seed."""
    layers: list[nn.Module] = [nn.Linear(3, 3), nn.Linear(3, 1)]
    if place is not None:
        layers.insert(place, FrozenDropout(0.5))
    model = nn.Sequential(*layers)
    step, state = TrainingStep(model, nn.functional.mse_loss, Optimizer(learning_rate=0.1)), nne.initial_state(model)
    x, y = torch.ones(4, 3), torch.zeros(4, 1)
    assert step.gradients.random == (place is not None)
    if place is None:
        step(state, (x, y), 1)
        return
    with pytest.raises(TypeError, match="a model with FrozenDropout needs batches that carry their index"):
        step(state, (x, y), 1)
    ends = [
        one(state, nne.Batch(x, y, i), 1)["parameters"]
        for one, i in ((step, 1), (step, 1), (step, 2), (step.with_seed(1), 1))
    ]
    same = [all(torch.equal(end[name], value) for name, value in ends[0].items()) for end in ends]
    assert same == [True, True, False, False]


def test_a_probability_of_dropout_is_below_1() -> None:
    for p in (0.0, 0.5, math.nextafter(1.0, 0.0)):
        assert FrozenDropout(p).p == p
    for p in (1.0, 1.5, -1e-9):
        with pytest.raises(ValueError, match=r"the dropout probability must be in \[0, 1\), got"):
            FrozenDropout(p)


def test_an_entry_whose_draw_is_the_probability_is_kept() -> None:
    """Draws are in [0, 1), so that p = 0 drops nothing; a draw below p drops its entry."""
    draws = generator(1, "dropout", 2, 0).random(50)
    p = float(draws[7])
    with frozen_randomness(1, 2):
        found = FrozenDropout(p)(torch.ones(50, dtype=torch.float64))
    assert found[7] > 0
    assert ((found == 0).numpy() == (draws < p)).all()
    assert torch.equal(found[found > 0], torch.full((int((draws >= p).sum()),), 1 / (1 - p), dtype=torch.float64))


@pytest.mark.parametrize("training", [True, False])
def test_dropout_is_replaced_where_it_drops(training: bool) -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = nn.Dropout(0.5)
            self.two, self.none, self.all = self.one, nn.Dropout(0.0), nn.Dropout(1.0)

    model = Twice().train(training)
    assert freeze_dropout(model) == 1
    assert model.one is model.two
    assert isinstance(model.one, FrozenDropout)
    assert model.one.training is training
    assert type(model.all) is nn.Dropout  # drops everything, which is not random
    model = Twice().train(training)
    assert freeze_dropout(model, others=True) == 1
    assert type(model.all) is type(model.none) is nn.Dropout
    rows = nn.Sequential(nn.Dropout2d(0.5)).train(training)
    if training:
        with pytest.raises(ValueError, match="0 is a Dropout2d"):
            freeze_dropout(rows)
    assert freeze_dropout(rows, others=True) == 0
    assert freeze_dropout(nn.Sequential(nn.Dropout2d(1.0)).train(training)) == 0


def test_a_step_takes_dropout_of_everything_as_it_is() -> None:
    """Its outputs are zeros; with p = 0.5 the step would need another layer, or randomness='frozen'."""
    sgd = nne.Optimizer(learning_rate=0.1)
    for p, draws in ((1.0, False), (0.5, True)):
        model = nn.Sequential(nn.Dropout2d(p), nn.Flatten(), nn.Linear(4, 1))
        if draws:
            with pytest.raises(ValueError, match="randomness='frozen'"):
                nne.from_torch(model, nn.functional.mse_loss, sgd)
            continue
        step, state = nne.from_torch(model, nn.functional.mse_loss, sgd)
        generator = torch.get_rng_state()
        after = step(state, (torch.ones(2, 1, 2, 2), torch.ones(2, 1)), 1)["parameters"]
        assert torch.equal(after["2.weight"], state["parameters"]["2.weight"])
        assert not torch.equal(after["2.bias"], state["parameters"]["2.bias"])
        assert torch.equal(generator, torch.get_rng_state())


# --- optimizers -----------------------------------------------------------------------------------------------------


def test_slots_of_an_optimizer_come_back_with_their_types() -> None:
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.5)
    names, options = {id(p): n for n, p in model.named_parameters()}, [dict(optimizer.param_groups[0])]
    del options[0]["params"]
    assert read_slots(optimizer, names, options) == {}
    kept = {"count": 3, "rate": 0.1, "flag": True, "nothing": None, "mean": torch.ones(1, 2)}
    optimizer.state[model.weight] = dict(kept)
    optimizer.state["shared"] = 7  # type: ignore[index]
    optimizer.param_groups[0]["lr"] = 0.25
    optimizer.param_groups[0]["new"] = 1
    found = read_slots(optimizer, names, options)
    assert set(found) == {
        "count[int]:weight",
        "rate[float]:weight",
        "flag[bool]:weight",
        "nothing[none]:weight",
        "mean:weight",
        "shared[int]:",
        "group 0 lr[float]:",
        "group 0 new[int]:",
    }
    assert found["rate[float]:weight"].dtype == torch.float64
    named = dict(model.named_parameters())
    write_slots(optimizer, named, {}, options, {})
    assert (dict(optimizer.state), optimizer.param_groups[0]["lr"]) == ({}, 0.5)
    assert "new" not in optimizer.param_groups[0]
    write_slots(optimizer, named, {model.bias: {"mean": torch.zeros(1).double(), "count": 2}}, options, found)
    back = optimizer.state[model.weight]
    assert {k: (type(v), v) for k, v in back.items() if k != "mean"} == {
        k: (type(v), v) for k, v in kept.items() if k != "mean"
    }
    assert torch.equal(back["mean"], kept["mean"])  # type: ignore[arg-type]
    assert optimizer.state["shared"] == 7  # type: ignore[index]
    assert (optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["new"]) == (0.25, 1)
    assert optimizer.state[model.bias]["mean"].dtype == torch.float32  # of the parameter's shape: in its precision
    assert optimizer.state[model.bias]["count"] == 2
    optimizer.state[model.weight] = {"x": [1]}
    with pytest.raises(TypeError, match="SGD keeps x as list: not supported"):
        read_slots(optimizer, names, options)


@pytest.mark.parametrize("method", ["sgd", "momentum", "nesterov", "adam", "adamw"])
def test_updates_are_their_formulas(method: str) -> None:
    """Three steps of one number with the gradients 1, −2 and 0.5, a decay of 0.1 and other rates, in plain Python."""
    more = {"momentum": 0.5, "method": "momentum"} if method in ("momentum", "nesterov") else {"method": method}
    rule = Optimizer(learning_rate=1.0, weight_decay=0.1, nesterov=method == "nesterov", betas=(0.8, 0.9), **more)
    step = TrainingStep(nn.Linear(1, 1), nn.functional.mse_loss, rule)
    x, v, m, s = 2.0, 0.0, 0.0, 0.0
    state: Any = {"parameters": {"w": torch.tensor(2.0).double()}, "buffers": {}, "optimizer": {}}
    for t, (slope, h) in enumerate(((1.0, 0.1), (-2.0, 0.2), (0.5, 0.3)), 1):
        state = step.update(state, {"w": torch.tensor(slope).double()}, {"b": torch.ones(1)}, h, t)
        g = slope if method == "adamw" else slope + 0.1 * x
        if method == "sgd":
            x -= h * g
        elif method in ("momentum", "nesterov"):
            v = 0.5 * v + g
            x -= h * (g + 0.5 * v if method == "nesterov" else v)
        else:
            x *= 1 - h * 0.1 if method == "adamw" else 1
            m, s = 0.8 * m + 0.2 * g, 0.9 * s + 0.1 * g * g
            x -= h * (m / (1 - 0.8**t)) / (math.sqrt(s / (1 - 0.9**t)) + 1e-8)
        assert float(state["parameters"]["w"]) == pytest.approx(x, rel=1e-12)
        assert list(state["buffers"]) == ["b"]
    still = step.update(state, {"w": None}, {}, 0.1, 4)
    assert float(still["parameters"]["w"]) == pytest.approx(x, rel=1e-12)  # no gradient: not even decay
    missed = still["optimizer"].pop("missed:w", None)
    assert still["optimizer"] == state["optimizer"]
    assert missed is None or int(missed) == 1
    assert (missed is not None) == method.startswith("adam")
    if missed is not None:  # the next gradient is the fourth, at position 5
        still["optimizer"]["missed:w"] = missed
        moved = step.update(still, {"w": torch.tensor(1.0).double()}, {}, 0.1, 5)
        plain = step.update(state, {"w": torch.tensor(1.0).double()}, {}, 0.1, 4)
        assert torch.equal(moved["parameters"]["w"], plain["parameters"]["w"])


# --- policies, states, arguments ------------------------------------------------------------------------------------


@pytest.mark.parametrize("better", ["lower", "higher"])
def test_equal_metrics_and_what_is_no_number_are_not_better(better: str) -> None:
    policy = ResetIfBetter("loss", 3, better)
    assert policy.improves(1.0, 2.0) == (better == "lower")
    assert policy.improves(2.0, 1.0) == (better == "higher")
    assert not policy.improves(1.0, 1.0)
    assert not policy.improves(math.nan, 1.0)
    assert policy.improves(1.0, math.nan)
    assert not policy.improves(math.nan, math.nan)
    assert (policy.looks_at(8), policy.looks_at(9), policy.looks_at(2)) == ([3, 6], [3, 6, 9], [])
    settled = StopWhenSettled(0.5)
    assert (settled.looks_at(1), settled.looks_at(7), settled.looks_at(8)) == ([1], [1, 2, 4], [1, 2, 4, 8])


def test_what_is_a_state() -> None:
    for wrong in ({}, {"parameters": 3}, [], None, nn.Linear(1, 1)):
        with pytest.raises(TypeError, match="start must be a state"):
            check_state("start", wrong)
    state = {"parameters": {"x": torch.ones(1)}}
    assert check_state("start", state) is state


class Two(nn.Module):
    """A module of two required arguments and one that has a default."""

    def forward(self, a: Any, b: Any, c: Any = None) -> Any:
        return a


class Any_(nn.Module):
    """A module of any number of arguments."""

    def forward(self, *given: Any) -> Any:
        return given


class Named(nn.Module):
    """A module of one required argument, one with a default, and others by name."""

    def forward(self, a: Any, b: Any = None, **more: Any) -> Any:
        return a


class AtLeastTwo(nn.Module):
    """A module of two required arguments and any number of others."""

    def forward(self, a: Any, b: Any, *more: Any) -> Any:
        return a


class WithoutNames(nn.Module):
    """A module of two required arguments, the first of which cannot be passed by name."""

    def forward(self, a: Any, /, b: Any) -> Any:
        return a


@pytest.mark.parametrize(
    ("module", "inputs", "positional", "named"),
    [
        (Two(), (1, 2), (1, 2), {}),
        (Two(), [1, 2], (1, 2), {}),
        (Two(), {"a": 1, "b": 2}, (), {"a": 1, "b": 2}),
        (Two(), {"a": 1, "b": 2, "c": 3}, (), {"a": 1, "b": 2, "c": 3}),
        (Two(), {"a": 1}, ({"a": 1},), {}),  # one is missing
        (Two(), {"a": 1, "b": 2, "d": 3}, ({"a": 1, "b": 2, "d": 3},), {}),  # one is unknown
        (Two(), 5, (5,), {}),
        (Named(), (1, 2), ((1, 2),), {}),  # one is required
        (Named(), {"a": 1}, (), {"a": 1}),
        (Any_(), (1, 2), ((1, 2),), {}),
        (AtLeastTwo(), (1, 2), ((1, 2),), {}),
        (AtLeastTwo(), {"a": 1, "b": 2}, ({"a": 1, "b": 2},), {}),
        (WithoutNames(), (1, 2), ((1, 2),), {}),
        (WithoutNames(), {"a": 1, "b": 2}, ({"a": 1, "b": 2},), {}),
        (Named(), {}, ({},), {}),  # the required one is missing
        (nn.Linear(1, 1), {"input": 1}, ({"input": 1},), {}),  # a forward pass of one argument
        (nn.DataParallel(Two()), (1, 2), (1, 2), {}),
    ],
)
def test_inputs_are_spread_over_the_arguments_that_a_module_has(module, inputs, positional, named) -> None:
    assert arguments(module, inputs) == (positional, named)


# --- what a step changes --------------------------------------------------------------------------------------------


def test_attributes_come_back_with_their_entries() -> None:
    class Owner:
        def __init__(self) -> None:
            self.number, self.list, self.dict, self.set = 1, [1, 2], {"a": 1}, {1}
            self.state = "kept"  # restored elsewhere

    owner = Owner()
    parts = owner.list, owner.dict, owner.set
    with contextlib.suppress(KeyError), kept_attributes([owner]):
        owner.number, owner.state, owner.more = 2, "other", 3  # type: ignore[attr-defined]
        owner.list.append(3)
        owner.dict["b"] = 2
        owner.set.clear()
        owner.list = []
        raise KeyError
    assert (owner.number, owner.list, owner.dict, owner.set) == (1, [1, 2], {"a": 1}, {1})
    assert (owner.list, owner.dict, owner.set) == parts
    assert owner.list is parts[0]
    assert owner.state == "other"
    assert not hasattr(owner, "more")


def test_entries_that_are_other_objects_are_put_back() -> None:
    """Also equal ones; and nothing is put anew into a container that holds what it held."""

    class Seen(list):
        cleared = 0

        def clear(self) -> None:
            self.cleared += 1
            super().clear()

    old, new = "".join(["a", "b"]), "".join(["a", "b"])
    assert old == new
    assert old is not new
    kept, added, keys, values, members, same = [old], [1], {old: 1}, {"k": old}, {1}, Seen([old])
    containers = [kept, added, keys, values, members, same]
    with contextlib.suppress(KeyError), kept_entries(containers):
        kept[0] = new
        added.append(2)
        keys.pop(old)
        keys[new] = 1
        values["k"] = new
        members.add(2)
        raise KeyError
    assert kept[0] is old
    assert added == [1]
    assert next(iter(keys)) is old
    assert values["k"] is old
    assert members == {1}
    assert (same, same.cleared) == ([old], 0)


def test_lists_and_dictionaries_of_other_classes_keep_what_has_been_put_in() -> None:
    """A copy of them could be of any kind: the attribute is put back, and its entries are what they are."""

    class Entries(list):
        pass

    class Table(dict):
        pass

    class Owner:
        def __init__(self) -> None:
            self.list, self.table = Entries([1]), Table(a=1)

    owner = Owner()
    entries, table = owner.list, owner.table
    with kept_attributes([owner]):
        entries.append(2)
        table["b"] = 2
        owner.list, owner.table = Entries(), Table()
    assert owner.list is entries
    assert owner.table is table
    assert (entries, table) == ([1, 2], {"a": 1, "b": 2})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (1, 2),
        (1, 1.0),
        (True, False),
        ("a", "b"),
        (b"a", b"b"),
        (None, 1),
        ([1], [1, 2]),
        ({}, {"a": 1}),
        (np.zeros(2), np.ones(2)),
        (np.zeros(2), np.zeros((2, 1))),
        (np.zeros(2), np.zeros(2, np.float32)),
        (np.zeros(5000), np.eye(1, 5000, 2500)[0]),  # NumPy prints the ends of such an array alone
        (np.array([1, "a"], object), np.array([2, "a"], object)),
        (torch.zeros(2), torch.ones(2)),
        (torch.zeros(2), torch.zeros(2, 1)),
        (torch.tensor([1j]).conj(), torch.tensor([1j])),
        (torch.zeros(2), torch.zeros(2, dtype=torch.int32)),
        (np.random.default_rng(0), np.random.default_rng(1)),
        (np.random.RandomState(0), np.random.RandomState(1)),
        (random.Random(0), random.Random(1)),
        (torch.Generator().manual_seed(0), torch.Generator().manual_seed(1)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_that_differ_are_told_apart(before: object, after: object) -> None:
    one, two = hidden_state._frozen(before), hidden_state._frozen(after)
    assert one is not None
    assert one != two
    assert one == hidden_state._frozen(before)
    assert list(changed({"x": one}, {"x": two})) == ["x"]  # type: ignore[dict-item]
    assert changed({"x": one}, {"x": one}) == {}


def test_arrays_of_objects_are_compared_by_what_they_print() -> None:
    """Not by where the objects are: equal ones elsewhere are no change."""
    one, other = ["".join(["a", "b"]) for _ in range(2)]
    assert one is not other
    before, after = (hidden_state._frozen(np.array([text, 1], object)) for text in (one, other))
    assert before == after


@pytest.mark.parametrize("size", [4, 5])
def test_large_tensors_are_told_apart_by_their_version(size: int, monkeypatch) -> None:
    """Of more than four entries, here: an operation in place is seen, equal numbers elsewhere are not compared."""
    assert hidden_state.LARGE == 1_000_000
    monkeypatch.setattr(hidden_state, "LARGE", 4)
    value = torch.zeros(size)
    before = hidden_state._frozen(value)
    value.add_(0.0)  # another version of the same numbers
    assert (hidden_state._frozen(value) == before) == (size == 4)


def test_changes_are_said_in_words() -> None:
    frozen = hidden_state._frozen
    before = {"a": frozen(1), "b": frozen([1]), "c": frozen(np.zeros(1)), "d": ("keys", "x"), "gone": frozen("t" * 50)}
    after = {
        "a": frozen(2),
        "b": frozen([1, 2]),
        "c": frozen(torch.zeros(1)),
        "d": ("keys", "x", "y"),
        "new": frozen(None),
    }
    assert changed(before, after) == {  # type: ignore[arg-type]
        "a": "1 became 2",
        "b": "1 entries became 2 entries",
        "c": "an array became a tensor",
        "d": "x became x, y",
        "gone": f"'{'t' * 39} became nothing",
        "new": "nothing became None",
    }


# --- draws, memory and buffers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("purpose", ["initial", "second start"])
@pytest.mark.parametrize("seed", [0, 5])
def test_layers_are_drawn_one_after_the_other_weights_before_biases(seed: int, purpose: str) -> None:
    """Linear layers and convolutions are counted from 0; what is not drawn is not counted."""
    model = nn.Sequential(nn.Conv2d(1, 2, 2), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3), nn.Linear(3, 1))
    for rule, spread in (("torch", 1.0), ("glorot_uniform", 6.0), ("he_normal", 2.0)):
        found = initialise(model, seed, initialisation=rule, purpose=purpose, dtype=torch.float64)
        for k, (name, fan_in, fan_out) in enumerate((("0", 4, 8), ("3", 8, 3), ("4", 3, 1))):
            rng, shape = generator(seed, purpose, k), tuple(model.get_parameter(f"{name}.weight").shape)
            if rule == "torch":
                bound = 1 / math.sqrt(fan_in)
                right = [rng.uniform(-bound, bound, shape), rng.uniform(-bound, bound, shape[0])]
            elif rule == "glorot_uniform":
                bound = math.sqrt(spread / (fan_in + fan_out))
                right = [rng.uniform(-bound, bound, shape), np.zeros(shape[0])]
            else:
                right = [rng.normal(0, math.sqrt(spread / fan_in), shape), np.zeros(shape[0])]
            assert found[f"{name}.weight"].tolist() == right[0].tolist()
            assert found[f"{name}.bias"].tolist() == right[1].tolist()


class Held(nn.Module):
    """Buffers that are parts of one piece of memory, [first, last) each."""

    def __init__(self, *ranges: tuple[int, int], dtype: Any) -> None:
        super().__init__()
        memory = torch.zeros(12, dtype=dtype)
        for k, (first, last) in enumerate(ranges):
            self.register_buffer(f"b{k}", memory[first:last])


@pytest.mark.parametrize(
    ("ranges", "names"),
    [
        (((0, 4), (4, 8)), None),  # side by side
        (((4, 8), (0, 4)), None),
        (((0, 4), (3, 8)), ("b0", "b1")),
        (((3, 8), (0, 4)), ("b1", "b0")),  # by their place in memory
        (((0, 8), (2, 3)), ("b0", "b1")),
        (((0, 8), (1, 2), (9, 10)), ("b0", "b1")),
        (((0, 1), (1, 9), (8, 10)), ("b1", "b2")),
        (((0, 0), (0, 4), (4, 12)), None),  # one has no entries
        (((0, 4), (0, 4)), ("b0", "b1")),
        (((0, 4), (5, 8), (9, 12)), None),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.int8])
def test_tensors_that_share_memory_are_found(ranges: Any, names: tuple[str, str] | None, dtype: Any) -> None:
    assert overlapping(Held(*ranges, dtype=dtype)) == names


def test_the_names_of_buffers_are_watched_module_by_module() -> None:
    """A module itself has a path without a name; one that gets or loses a buffer differs from before there alone."""
    model = nn.Sequential(nn.BatchNorm1d(1), nn.Sequential(nn.Linear(1, 1)))
    before = hidden_state.hidden_state(model, {}, None)
    batch_norm = ("keys", "running_mean", "running_var", "num_batches_tracked")
    found = {path: value for path, value in before.items() if path.endswith("_buffers")}
    assert found == {
        "the module's _buffers": ("keys",),
        "the module's 0._buffers": batch_norm,
        "the module's 1._buffers": ("keys",),
        "the module's 1.0._buffers": ("keys",),
    }
    model.get_submodule("1.0").register_buffer("more", torch.zeros(1))
    after = hidden_state.hidden_state(model, {}, None)
    assert [path for path in found if after[path] != before[path]] == ["the module's 1.0._buffers"]
