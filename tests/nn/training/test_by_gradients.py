"""Comparing steps by gradients: what is compared with what, what is allowed and what is named, on a few numbers."""

from __future__ import annotations

import math
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from nn_experiments.training.batches import Batch  # noqa: E402
from nn_experiments.training.by_gradients import GRADIENT, Slopes, _beyond, _revealed, _slots  # noqa: E402
from nn_experiments.training.optimizers import Optimizer, Schedule  # noqa: E402
from nn_experiments.training.rounding import FLOOR, UNITS  # noqa: E402
from nn_experiments.training.step import State, TrainingStep  # noqa: E402

EPS = 2.0**-52
INF, NAN = math.inf, math.nan
RULES = {
    "sgd": Optimizer(learning_rate=0.5),
    "sgd with decay": Optimizer(learning_rate=0.5, weight_decay=0.25),
    "momentum": Optimizer(method="momentum", momentum=0.75, learning_rate=0.5),
    "adam": Optimizer(method="adam", learning_rate=0.5, betas=(0.75, 0.5)),
    "adamw": Optimizer(method="adamw", learning_rate=0.5, weight_decay=0.25),
}


def vector(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


# --- one tensor -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "named"),
    [
        (0, 0, None),
        (1016, 0, None),  # what is allowed is allowed
        (1018, 0, 0),
        (-1018, 0, 0),
        (0, 1504, None),
        (0, 1536, 1),
        (1018, 1536, 1),  # 2 and 24 beyond what is allowed
        (1046, 1536, 0),  # 30 and 24: the one farther beyond, not the larger one
    ],
)
def test_an_entry_may_differ_by_units_of_its_own_and_a_share_of_the_largest_update(first, second, named) -> None:
    """From (1, −64) to (2, −63), in units of 2⁻⁵²: 8 times 2 and 8 times 64, and 1000 times the update of 1."""
    old, new = vector(1.0, -64.0), vector(2.0, -63.0)
    allowed = (UNITS * 2 + FLOOR, UNITS * 64 + FLOOR)
    assert allowed == (1016, 1512)
    found = _beyond(old, new, new + EPS * vector(first, second))
    assert found == (None if named is None else (abs((first, second)[named]) * EPS, allowed[named] * EPS))


@pytest.mark.parametrize("dtype", [torch.float32, torch.complex128], ids=["single", "complex"])
def test_units_are_those_of_the_loops_own_type(dtype: torch.dtype) -> None:
    """From 1 to 2 in one step: 8 units of 2 and 1000 units of the update, of 2⁻²³ or 2⁻⁵² each."""
    unit = torch.finfo(dtype).eps
    old, new = torch.ones(1, dtype=dtype), 2 * torch.ones(1, dtype=dtype)
    assert _beyond(old, new, new + 1016 * unit) is None
    assert _beyond(old, new, new + 1018 * unit) == (1018 * unit, 1016 * unit)


def test_the_same_numbers_in_another_precision_are_the_same() -> None:
    """Also where nothing is allowed: an entry that is 0 and stays there."""
    zero = torch.zeros(3)
    assert _beyond(zero, zero, zero.double()) is None
    assert _beyond(zero, zero, zero.double() + 1e-300) == (1e-300, 0.0)


@pytest.mark.parametrize(
    ("new", "other", "far"),
    [
        (NAN, NAN, False),
        (INF, INF, False),
        (INF, -INF, False),  # neither is a number
        (INF, NAN, False),
        (1.0, NAN, True),
        (NAN, 1.0, True),
        (1.0, INF, True),
    ],
)
def test_what_is_not_finite_differs_from_what_is(new: float, other: float, far: bool) -> None:
    found = _beyond(vector(1.0, 3.0), vector(new, 3.0), vector(other, 3.0))
    assert (found is not None) == far
    if found is not None:
        assert found[0] == INF
        assert math.isfinite(found[1])
    beside = _beyond(vector(1.0, 3.0), vector(new, 3.0), vector(new, 3.5))  # the other entry still counts
    assert beside == (0.5, 3 * UNITS * EPS)


def test_shapes_that_differ_are_infinitely_far() -> None:
    assert _beyond(vector(1.0), vector(1.0), vector(1.0, 1.0)) == (INF, 0.0)


def test_slots_of_the_first_order_alone_show_gradients() -> None:
    kept = {"first:a:b": vector(1.0), "second:a:b": vector(2.0), "missed:c": vector(3.0), "velocity:c": vector(4.0)}
    state: State = {"parameters": {"a:b": vector(5.0), "c": vector(6.0)}, "buffers": {"d": vector(7.0)}}
    shown = _slots({**state, "optimizer": kept})
    assert {name: value.tolist() for name, value in shown.items()} == {"a:b": [1.0], "c": [4.0]}
    assert _revealed({**state, "optimizer": kept}) == {"parameters": shown, "buffers": state["buffers"]}
    assert _revealed({**state, "optimizer": {}}) == state


# --- whole steps ----------------------------------------------------------------------------------------------------


def numbers(step: TrainingStep, count: int = 3) -> Slopes:
    """Return the slopes of a loop that does what the step does, for so many steps from weights 1 and −2 and bias 3."""
    state: State = {
        "parameters": {"weight": torch.tensor([[1.0, -2.0]]), "bias": torch.tensor([3.0])},
        "buffers": {},
        "optimizer": {},
    }
    draw = torch.Generator().manual_seed(0)
    batches = [Batch(torch.randn(4, 2, generator=draw), torch.randn(4, 1, generator=draw), i) for i in (2, 1, 3)]
    before, after, found = [], [], []
    for t, batch in enumerate(batches[:count], 1):
        slopes, buffers = step.gradients(state, batch)
        before.append({**state, "optimizer": {}})
        state = step(state, batch, t)
        after.append(state)
        found.append({"parameters": slopes, "buffers": buffers})

    def once(state: State, batch: Any, t: int) -> Any:
        slopes, buffers = step.gradients(state, batch)
        return {"parameters": slopes, "buffers": buffers}

    return Slopes(before, after, list(batches[:count]), found, once)  # type: ignore[arg-type]


def step_of(rule: str) -> TrainingStep:
    return TrainingStep(nn.Linear(2, 1), nn.functional.mse_loss, RULES[rule])


@pytest.mark.parametrize("rule", RULES)
def test_a_step_that_is_the_loops_does_not_differ(rule: str) -> None:
    step = step_of(rule)
    slopes = numbers(step)
    assert list(slopes.of_step(step)) == [None] * 3
    assert slopes.of_program(step, lambda state, t: step(state, slopes.batches[t - 1], 1)) is None


@pytest.mark.control
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("wrong", [1, 3])
def test_a_wrong_gradient_is_named_with_its_step(rule: str, wrong: int) -> None:
    """The loop's gradient of the bias is a hundredth larger in one step; a program starts each from its own state."""
    step = step_of(rule)
    slopes = numbers(step)
    slopes.found[wrong - 1]["parameters"]["bias"] *= 1.01
    slopes.__dict__["limits"] = [{"weight": 1e-5, "bias": 1e-5}] * 3
    each = list(slopes.of_step(step))[:wrong]  # momentum and Adam remember it in the later ones
    assert each[:-1] == [None] * (wrong - 1)
    assert each[wrong - 1][:2] == (wrong, f"{GRADIENT}bias")  # type: ignore[index]
    assert each[wrong - 1][3] == 1e-5  # type: ignore[index]

    def program(state: State, t: int) -> State:
        assert state["optimizer"] == {}
        return step(state, slopes.batches[t - 1], 1)

    t, name, gap, allowed = slopes.of_program(step, program)  # type: ignore[misc]
    slope = abs(float(slopes.found[wrong - 1]["parameters"]["bias"]) * (1 - 1 / 1.01))
    share = {"adam": 0.25, "adamw": 0.1}.get(rule, 0.5 if "sgd" in rule else 1.0)  # of a gradient in what is compared
    assert (t, name) == (wrong, "bias" if "sgd" in rule else f"{GRADIENT}bias")
    assert gap == pytest.approx(share * slope, rel=1e-3)
    assert gap > allowed


@pytest.mark.control
def test_a_gradient_that_one_of_both_lacks_is_named() -> None:
    """Nothing is allowed where the loop has none; where the step has none, what rounding explains of the loop's."""
    step = step_of("sgd")
    slopes = numbers(step, 1)
    slopes.__dict__["limits"] = [{"weight": 1e-5, "bias": 2e-5}]
    bias = slopes.found[0]["parameters"].pop("bias")
    assert next(slopes.of_step(step)) == (1, f"{GRADIENT}bias", INF, 0.0)
    slopes.found[0]["parameters"]["bias"] = bias
    inner = step.gradients

    def without(state: State, batch: Any) -> Any:
        found, buffers = inner(state, batch)
        return {**found, "bias": None}, buffers

    step.gradients = without  # type: ignore[assignment]
    assert next(slopes.of_step(step)) == (1, f"{GRADIENT}bias", INF, 2e-5)


@pytest.mark.control
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("wrong", [1, 3])
def test_a_wrong_update_is_named_with_its_step(rule: str, wrong: int) -> None:
    """The loop has moved one weight by more than its gradient and the optimizer's memory explain."""
    step = step_of(rule)
    slopes = numbers(step)
    moved = {name: value.clone() for name, value in slopes.after[wrong - 1]["parameters"].items()}
    moved["weight"][0, 1] += 0.01
    slopes.after[wrong - 1] = {**slopes.after[wrong - 1], "parameters": moved}
    each = list(slopes.of_step(step))
    assert [difference is not None for difference in each] == [t == wrong for t in (1, 2, 3)]
    t, name, gap, allowed = each[wrong - 1]  # type: ignore[misc]
    assert (t, name) == (wrong, "weight")
    assert gap == pytest.approx(0.01, rel=1e-4)
    assert allowed < 1e-3


@pytest.mark.control
def test_a_parameter_that_one_of_both_lacks_is_named() -> None:
    """The first name by the alphabet, whichever of the two states lacks it."""
    step = step_of("sgd")
    for missing, more, named in (("bias", "z", "bias"), ("weight", "a", "a")):
        slopes = numbers(step, 1)
        there = dict(slopes.after[0]["parameters"])
        there[more] = there.pop(missing)
        slopes.after[0] = {**slopes.after[0], "parameters": there}
        assert list(slopes.of_step(step)) == [(1, named, INF, 0.0)]


@pytest.mark.control
def test_a_wrong_buffer_is_named_as_it_is() -> None:
    model = nn.Sequential(nn.Linear(2, 1), nn.BatchNorm1d(1))
    step = TrainingStep(model, nn.functional.mse_loss, RULES["sgd"])
    start: State = {
        "parameters": {name: p.detach().clone() for name, p in model.named_parameters()},
        "buffers": {name: value.clone() for name, value in model.named_buffers()},
    }
    batch = Batch(torch.tensor([[1.0, 2.0], [3.0, -1.0]]), torch.tensor([[1.0], [0.0]]), 1)
    slopes, buffers = step.gradients(start, batch)
    found: State = {"parameters": slopes, "buffers": {**buffers, "1.running_mean": buffers["1.running_mean"] + 1}}  # type: ignore[dict-item]
    whole = {**start, "optimizer": {}}
    both = Slopes([start], [step(whole, batch, 1)], [batch], [found], lambda *given: found)
    ((t, name, gap, _),) = both.of_step(step)  # type: ignore[misc]
    assert (t, name) == (1, "1.running_mean")
    assert gap == pytest.approx(1.0, rel=1e-6)
    named = both.of_program(step, lambda state, t: step(state, batch, 1) | {"buffers": found["buffers"]})
    assert named is not None
    assert named[:2] == (1, "1.running_mean")


# --- what a program may differ by -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "share"), [("momentum", 1.0), ("adam", 0.25), ("adamw", 0.1)])
def test_a_first_moment_may_differ_by_its_share_of_the_gradient(rule: str, share: float) -> None:
    """At least by a thousand units of its own largest entry; a parameter without a gradient by nothing."""
    slopes = numbers(step_of(rule), 1)
    slopes.__dict__["limits"] = [{"weight": 0.5, "bias": 0.0, "running": 7.0}]
    kind = "velocity" if rule == "momentum" else "first"
    expected = {
        "parameters": {"weight": vector(1.0), "bias": vector(2.0), "unused": vector(3.0)},
        "optimizer": {f"{kind}:weight": vector(1.0, -4.0), f"{kind}:bias": vector(-8.0)},
    }
    found = slopes._revealed_limits(RULES[rule], 1, expected, slopes.batches[0])
    assert found == {
        "weight": pytest.approx(share * 0.5, rel=EPS),  # 1 − 0.9 is not 0.1
        "bias": FLOOR * EPS * 8,
        "unused": 0.0,
        "running": 7.0,
    }


@pytest.mark.parametrize("index", [1, 3])
def test_a_parameter_of_plain_sgd_may_differ_by_the_rate_times_the_gradients_allowance(index: int) -> None:
    """And by eight units of the larger of its largest entries before and after the step, at the batch's own rate."""
    slopes = numbers(step_of("sgd"), 1)
    slopes.__dict__["limits"] = [{"weight": 0.25}]
    slopes.before[0] = {"parameters": {"weight": vector(-16.0, 1.0), "bias": vector(2.0)}}
    expected = {"parameters": {"weight": vector(1.0, 8.0), "bias": vector(-32.0)}, "optimizer": {}}
    rule = Optimizer(learning_rate=0.5, schedule=Schedule(kind="inverse", horizon=2, index="batch"))
    batch = Batch(vector(0.0), vector(0.0), index)
    found = slopes._revealed_limits(rule, 1, expected, batch)
    rate = 0.5 / (1 + (index - 1) / 2)
    assert found == {"weight": rate * 0.25 + UNITS * EPS * 16, "bias": UNITS * EPS * 32}
    assert slopes._revealed_limits(rule, 1, expected, (batch[0], batch[1]))["weight"] == 0.125 + UNITS * EPS * 16


def test_limits_are_those_of_each_step_on_its_own_batch() -> None:
    """A loop whose gradient is 2 w times the number of its batch: what its moved starts make is within 32 units."""
    asked = []

    def once(state: State, batch: Any, t: int) -> State:
        asked.append((batch, t))
        return {"parameters": {"w": 2 * batch * state["parameters"]["w"]}, "buffers": {}}

    before: list[State] = [{"parameters": {"w": vector(1.0)}, "buffers": {}} for _ in range(2)]
    found: list[State] = [{"parameters": {"w": vector(2.0 * k)}, "buffers": {}} for k in (1, 2)]
    limits = Slopes(before, before, [1, 2], found, once).limits  # type: ignore[arg-type, list-item]
    assert asked == [(1, 1), (1, 1), (2, 2), (2, 2)]
    for k, allowed in enumerate(limits, 1):
        least = FLOOR * EPS * 2 * k
        assert allowed.keys() == {"w"}
        assert least < allowed["w"] <= least + 100 * (UNITS + 1) * EPS * 2 * k


def test_a_start_that_is_not_finite_allows_nothing_of_its_own() -> None:
    """From infinity or NaN to 1: neither the entry before the step nor the update says how far 1 may be off."""
    for old in (INF, -INF, NAN):
        assert _beyond(vector(old), vector(1.0), vector(1.5)) == (0.5, 0.0 if old == old else UNITS * 0.0)
        assert _beyond(vector(old), vector(1.0), vector(1.0)) is None
    assert _beyond(vector(1.0), vector(INF), vector(2.0)) == (INF, 0.0)
