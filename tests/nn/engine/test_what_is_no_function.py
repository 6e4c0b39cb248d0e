"""Steps, batches and metrics that are no functions of their arguments, each beside one like it that is."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import nn_experiments as nne  # noqa: E402
from contraction.maps.errors import NotDeterministic  # noqa: E402
from nn_experiments.engine.purity import check_first_batches, probe, probe_measurement  # noqa: E402
from nn_experiments.training.torch_randomness import restored_generators  # noqa: E402

DRAWS: dict[str, tuple[Callable[[], float], Callable[[], object]]] = {
    "torch's generator": (lambda: float(torch.rand(())), lambda: torch.manual_seed(1)),
    "NumPy's global generator": (lambda: float(np.random.rand()), lambda: np.random.seed(1)),  # noqa: NPY002
    "Python's random module": (random.random, lambda: random.seed(1)),
}


def number(x: float) -> dict[str, Any]:
    return {"parameters": {"x": torch.tensor([x], dtype=torch.float64)}}


def numbered(i: int) -> tuple[Any, Any]:
    return torch.tensor([float(i)], dtype=torch.float64), torch.zeros(1)


def add(state: dict, batch: Any, t: int, more: float = 0.0) -> dict:
    return {"parameters": {"x": state["parameters"]["x"] + t * batch[0] + more}}


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("used", [True, False])
def test_a_step_that_draws_is_refused_by_the_name_of_the_generator(name: str, used: bool) -> None:
    """Where the draw is not used, the results agree, and only the generator's state tells."""
    draw, seed = DRAWS[name]
    said = "gives different results: parameters/x by up to" if used else f"the step draws from {name}, so that"
    with pytest.raises(NotDeterministic, match=said):
        probe(lambda state, batch, t: add(state, batch, t, used * draw()), numbered, number(1.0))

    def seeded(state: dict, batch: Any, t: int) -> dict:
        seed()
        return add(state, batch, t, draw())

    assert probe(seeded, numbered, number(1.0)) >= 0


def test_all_generators_that_a_step_draws_from_are_named() -> None:
    def draws(state: dict, batch: Any, t: int) -> dict:
        for draw, _ in DRAWS.values():
            draw()
        return add(state, batch, t)

    names = " and ".join(DRAWS)
    with pytest.raises(NotDeterministic, match=f"the step draws from {names}, so that the same batch gives another"):
        probe(draws, numbered, number(1.0))


@pytest.mark.parametrize("name", DRAWS)
def test_a_step_that_puts_the_generator_back_after_a_draw_is_refused(name: str) -> None:
    """Its state is as before, and the map depends on it all the same."""
    draw, _ = DRAWS[name]

    def step(state: dict, batch: Any, t: int) -> dict:
        with restored_generators():
            return add(state, batch, t, draw())

    with pytest.raises(NotDeterministic, match="gives different results: parameters/x by up to"):
        probe(step, numbered, number(1.0))


@pytest.mark.parametrize("name", DRAWS)
def test_generators_are_as_before_a_probe(name: str) -> None:
    draw, seed = DRAWS[name]
    seed()
    expected = [draw(), draw()]
    seed()
    first = draw()

    def seeded(state: dict, batch: Any, t: int) -> dict:
        seed()
        draw()
        return add(state, batch, t)

    probe(seeded, numbered, number(1.0))
    assert [first, draw()] == expected


def test_two_maps_are_applied_twice_the_later_one_first() -> None:
    applied: list[tuple[float, int, float]] = []

    def step(state: dict, batch: Any, t: int) -> dict:
        applied.append((float(batch[0]), t, float(state["parameters"]["x"])))
        return add(state, batch, t)

    probe(step, numbered, number(1.0))
    assert applied == [(2.0, 1, 1.0), (1.0, 2, 3.0)] * 2


@pytest.mark.parametrize("which", [1, 2])
@pytest.mark.parametrize("part", [0, 1])
def test_a_batch_that_is_another_one_the_next_time_is_named(which: int, part: int) -> None:
    asked: list[int] = []

    def batches(i: int) -> tuple[Any, Any]:
        asked.append(i)
        made = [*numbered(i)]
        if i == which:
            made[part] = made[part] + 0.25 * asked.count(i)
        return made[0], made[1]

    with pytest.raises(
        NotDeterministic, match=f"batch {which} is not the same when asked for again: {part} by up to 0"
    ):
        probe(add, batches, number(1.0))


@pytest.mark.parametrize("when", [1, 2])
def test_a_step_that_alters_its_state_is_refused(when: int) -> None:
    calls = iter(range(1, 100))

    def step(state: dict, batch: Any, t: int) -> dict:
        end = add(state, batch, t)
        if t == 1 and next(calls) == when:
            state["parameters"]["x"] += 0.5
        return end

    with pytest.raises(NotDeterministic, match=r"the step alters the state it is given: parameters/x by up to 0\.5"):
        probe(step, numbered, number(1.0))


def test_a_tensor_that_a_step_exchanges_is_named_with_both_shapes() -> None:
    """What it was first, then what it has become."""

    def step(state: dict, batch: Any, t: int) -> dict:
        end = add(state, batch, t)
        state["parameters"]["x"] = torch.zeros(2)
        return end

    said = r"alters the state it is given: parameters/x is \(1,\) torch.float64, then \(2,\) torch.float32"
    with pytest.raises(NotDeterministic, match=said):
        probe(step, numbered, number(1.0))


@pytest.mark.parametrize(("entry", "part"), [(0, "inputs"), (1, "targets"), (2, "entries")])
@pytest.mark.parametrize("i", [1, 2])
def test_a_batch_that_a_step_changes_is_named_with_its_part(entry: int, part: str, i: int) -> None:
    """Batch i is changed, which changes the next result."""
    kept = {k: [torch.tensor([float(k)], dtype=torch.float64) for _ in range(3)] for k in (1, 2)}

    def step(state: dict, batch: Any, t: int) -> dict:
        end = {"parameters": {"x": state["parameters"]["x"] + sum(batch)}}
        if batch is kept[i]:
            batch[entry].mul_(0.5)
        return end

    with pytest.raises(NotDeterministic, match=f"the step changes the {part} of batch {i} in place"):
        probe(step, lambda k: kept[k], number(1.0))  # type: ignore[arg-type,return-value]


def test_what_a_step_returns_is_compared_as_it_was_returned() -> None:
    """A step that returns its own tensor, and adds to it: the first result is 1, the second 2, in one memory."""
    own = torch.zeros(1, dtype=torch.float64)
    with pytest.raises(NotDeterministic, match="the same step on the same state and batch gives different results"):
        probe(lambda state, batch, t: {"parameters": {"x": own.add_(1)}}, numbered, number(1.0))
    with pytest.raises(TypeError, match="what the step returns must be a state"):
        probe(lambda state, batch, t: None, numbered, number(1.0))  # type: ignore[arg-type,return-value]


# --- batches --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [1, 2, 3])
@pytest.mark.parametrize("error", [IndexError, KeyError, TypeError, AttributeError, ZeroDivisionError])
def test_the_first_two_batches_are_needed(missing: int, error: type[Exception]) -> None:
    def batches(i: int) -> tuple[Any, Any]:
        if i == missing:
            raise error("gone")
        return numbered(i)

    if missing == 3:
        check_first_batches(add, batches)
        return
    words = rf"batches\({missing}\) raises {error.__name__}: .*gone.*\. B_1 and B_2 are needed at least"
    with pytest.raises(ValueError, match=words) as caught:
        check_first_batches(add, batches)
    assert isinstance(caught.value.__cause__, error)


@pytest.mark.parametrize("wrong", [None, (1,), "xy"], ids=["nothing", "one entry", "text"])
@pytest.mark.parametrize("i", [1, 2])
def test_a_step_on_a_model_needs_inputs_and_targets_and_ones_own_step_what_it_likes(wrong: Any, i: int) -> None:
    model = torch.nn.Linear(1, 1)
    step, _ = nne.from_torch(model, torch.nn.functional.mse_loss, torch.optim.SGD(model.parameters(), lr=0.1))

    def batches(k: int) -> Any:
        return wrong if k == i else numbered(k)

    with pytest.raises(TypeError, match=rf"batches\({i}\) returned"):
        check_first_batches(step, batches)
    check_first_batches(add, batches)
    check_first_batches(step, numbered)


# --- metrics --------------------------------------------------------------------------------------------------------


def test_a_metric_that_is_a_function_is_taken_and_asked_twice() -> None:
    asked: list[float] = []
    state = number(2.0)

    def measure(of: dict) -> dict[str, Any]:
        asked.append(float(of["parameters"]["x"]))
        assert of is not state
        return {"a": torch.tensor(asked[-1]), "b": np.array([1.0, np.nan])}

    probe_measurement(measure, state)
    assert asked == [2.0, 2.0]


@pytest.mark.parametrize("when", [1, 2])
def test_a_metric_that_alters_the_state_is_refused_and_leaves_the_users_alone(when: int) -> None:
    calls, state = iter(range(1, 10)), number(2.0)
    before = copy.deepcopy(state)

    def measure(of: dict) -> dict[str, Any]:
        if next(calls) == when:
            of["parameters"]["x"] *= 2
        return {"a": torch.ones(())}

    with pytest.raises(
        NotDeterministic, match=r"a metric alters the state it is given: parameters/x by up to 2 differ"
    ):
        probe_measurement(measure, state)
    assert torch.equal(state["parameters"]["x"], before["parameters"]["x"])


def test_a_metric_that_draws_or_counts_is_refused() -> None:
    calls = iter(range(10))
    for value in (lambda: torch.rand(()), lambda: torch.tensor(float(next(calls)))):
        with pytest.raises(
            NotDeterministic, match=r"a metric is not the same when asked for again: a by up to .* differ"
        ):
            probe_measurement(lambda of, value=value: {"a": value()}, number(1.0))


@pytest.mark.parametrize("before", [False, True])
def test_a_metric_may_not_make_the_state_require_gradients(before: bool) -> None:
    """Where the state did before, nothing has changed."""
    state = number(1.0)
    state["parameters"]["x"].requires_grad_(before)

    def measure(of: dict) -> dict[str, Any]:
        of["parameters"]["x"].requires_grad_()
        return {"a": torch.ones(())}

    if before:
        probe_measurement(measure, state)
        return
    with pytest.raises(NotDeterministic, match="parameters/x requires gradients afterwards"):
        probe_measurement(measure, state)
