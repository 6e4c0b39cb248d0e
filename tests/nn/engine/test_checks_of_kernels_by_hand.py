"""Which programs are compared with the user's own loop before they are used, on what, and what becomes of the result.

The kernels here are made of plain steps, and differ from them where a test says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import contraction as ct  # noqa: E402
import nn_experiments as nne  # noqa: E402
from nn_experiments.engine import checking  # noqa: E402
from nn_experiments.engine.ensemble import wavefront as waves  # noqa: E402
from nn_experiments.engine.kernels.mlp import StepKernel  # noqa: E402
from nn_experiments.training.self_check import SelfCheck  # noqa: E402

X = torch.tensor([[1.0, 2.0], [-1.0, 0.5], [0.25, -2.0], [3.0, 1.0]], dtype=torch.float64)


def problem() -> tuple[Any, nne.ArrayBatches, Any]:
    """Return a step with its self-check, batches and θ_0."""
    model = nn.Linear(2, 1).double()
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.5, -1.0]]))
        model.bias.fill_(0.25)
    step, state = nne.from_torch(model, nn.functional.mse_loss, torch.optim.SGD(model.parameters(), lr=0.1))
    return step, nne.ArrayBatches(X, X.sum(1, keepdim=True), batch_size=2, seed=0), state


class Program:
    """A kernel that takes the step's own steps, and moves a result by ``wrong`` for each map where it is told to."""

    refused = None

    def __init__(self, step: Any, batches: Any, name: str, wrong: Callable[[Sequence[int]], float]) -> None:
        self.step, self.batches, self.name, self.wrong = step, batches, name, wrong
        self.applied: list[tuple[list[int], int]] = []

    def apply(self, state: Any, indices: Sequence[int], before: int) -> Any:
        self.applied.append((list(indices), before))
        for t, i in enumerate(indices, before + 1):
            state = self.step(state, self.batches(i), t)
        moved = {name: value + self.wrong(indices) for name, value in state["parameters"].items()}
        return {**state, "parameters": moved}


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put programs in the place of kernels; ``made`` has them all, the one to use and those that are compared."""
    found = SimpleNamespace(made=[], wrong=lambda indices: 0.0, asked=[])

    def make(step: Any, batches: Any, name: str = "auto") -> Any:
        found.asked.append(name)
        found.made.append(Program(step, batches, "fast", lambda indices: found.wrong(indices)))
        return found.made[-1]

    monkeypatch.setattr(checking, "make_kernel", make)
    return found


def test_a_program_that_agrees_is_used_and_compared_once(programs: Any) -> None:
    """Over the three maps of the check, and then over the first one from the same start, at the positions 1, 2, 3."""
    step, batches, state = problem()
    checking.check_step(step, batches, state)
    (reference,) = step.self_check.references
    kernel, notes = checking.checked_kernel(step, batches, state, "auto")
    assert (kernel, notes) == (programs.made[0], {})
    assert programs.asked == ["auto", "fast"]  # what is compared is the kernel that was chosen
    assert programs.made[1].applied == [([2, 1, 3], 0), ([2], 0)]
    assert reference.indices == (2, 1, 3)
    assert step.self_check.references == []  # they may be large
    assert checking.checked_kernel(step, batches, state, "auto") == (programs.made[2], {})
    assert len(programs.made) == 3  # it has been compared


@pytest.mark.parametrize("count", [3, 1])
def test_a_program_that_differs_is_not_used(programs: Any, count: int) -> None:
    """On the three maps, or on the single one after them alone."""
    step, batches, state = problem()
    programs.wrong = lambda indices: 0.5 * (len(indices) == count)
    for _ in range(2):
        kernel, notes = checking.checked_kernel(step, batches, state, "auto")
        assert type(kernel) is StepKernel
        assert (kernel.step, kernel.batches) == (step, batches)
        assert list(notes) == ["not used"]
        assert notes["not used"].startswith("fast: it differs from your own training loop in weight by 0.5, where ")
        with pytest.raises(ValueError, match=r"the kernel fast cannot be used for this step: it differs .* use engine"):
            checking.checked_kernel(step, batches, state, "fast")
    assert sum(len(made.applied) for made in programs.made) == (1 if count == 3 else 2)


def test_batches_are_compared_in_the_precision_of_the_comparison(programs: Any) -> None:
    """The comparison is in float64 although the state and the data are float32."""
    step, _, state = problem()
    single = nne.ArrayBatches(X.float(), X.float().sum(1, keepdim=True), batch_size=2, seed=0)
    low = {part: {name: value.float() for name, value in values.items()} for part, values in state.items()}
    assert checking.checked_kernel(step, single, low, "auto")[1] == {}
    seen = programs.made[1].batches
    assert seen(2).inputs.dtype == seen.draw(2).targets.dtype == torch.float64
    assert seen(2).inputs.tolist() == single(2).inputs.tolist()
    assert seen.sampler is single.sampler
    assert seen.describe() == {"converted": single}
    assert checking._Converted(lambda i: (X, X), lambda batch: batch)(1) == (X, X)  # type: ignore[arg-type]


def test_the_loop_runs_again_if_its_states_are_those_of_other_batches(programs: Any) -> None:
    """Only the result of the step on these batches is forgotten."""
    step, batches, state = problem()
    other = nne.ArrayBatches(2 * X, X.sum(1, keepdim=True), batch_size=2, seed=1)
    check = step.self_check
    for source in (other, batches):
        checking.check_step(step, source, state)
    check.remember(batches, "channels_last", "a reason")
    check.references = []
    calls: list[object] = []
    run = check._at
    check._at = lambda *given, **more: calls.append(given) or run(*given, **more)
    assert checking.checked_kernel(step, batches, state, "auto")[1] == {}
    assert len(calls) == 1
    assert [(source is batches, what) for source, what, _ in check.known] == [
        (False, "step"),
        (True, "channels_last"),
        (True, "step"),
        (True, "fast"),
    ]


@dataclass
class Sliced:
    """Batches of the user's own, whose sources compare their tensors with ``==``, which has no truth value."""

    x: torch.Tensor

    def __call__(self, i: int) -> nne.Batch:
        rows = self.x.roll(i, 0)[:2]
        return nne.Batch(rows, rows.sum(1, keepdim=True), i)


def test_sources_of_batches_are_told_apart_as_objects_and_never_compared() -> None:
    """Two sources on one step, and each again with another engine, for which the loop runs once more."""
    step, _, state = problem()
    first, second = Sliced(X), Sliced(2 * X)
    with pytest.raises(RuntimeError, match="ambiguous"):
        bool(first == second)
    metrics = {"weight": lambda one: one["parameters"]["weight"]}
    runs = [(first, "step"), (second, "step"), (first, "ensemble"), (second, "ensemble")]
    paths = [nne.iterates(step, source, state, ct.Forward(), range(4), metrics, engine=name) for source, name in runs]
    for one, other in ((0, 2), (1, 3)):
        assert abs(paths[one]["weight"] - paths[other]["weight"]).max() < 1e-12
    assert abs(paths[0]["weight"] - paths[1]["weight"]).max() > 1e-3


def test_the_step_itself_is_no_other_program() -> None:
    """It was compared by the check of the step; the states of the loop are let go."""
    step, batches, state = problem()
    checking.check_step(step, batches, state)
    assert len(step.self_check.references) == 1
    kernel, notes = checking.checked_kernel(step, batches, state, "step")
    assert (type(kernel), notes, step.self_check.references) == (StepKernel, {}, [])


def test_steps_without_a_self_check_have_nothing_to_be_compared_with(programs: Any) -> None:
    step, batches, state = problem()
    programs.wrong = lambda indices: 0.5
    assert checking.check_step(step, batches, state) == {"self-check": "passed in float64"}
    step.self_check = None
    assert checking.check_step(step, batches, state) == {}
    assert checking.checked_kernel(step, batches, state, "auto") == (programs.made[0], {})
    assert programs.made[0].applied == []
    assert checking.why_not_ensemble(step, batches, state) is None


# --- errors, and several devices --------------------------------------------------------------------------------------


def failing(error: Exception) -> Callable[[Any], str | None]:
    def compare(reference: Any) -> str | None:
        if reference.fails:
            raise error
        return reference.reason

    return compare


def place(reason: str | None = None, *, fails: bool = False, optional: bool = False) -> Any:
    return SimpleNamespace(reason=reason, fails=fails, optional=optional)


@pytest.mark.parametrize(
    ("places", "found"),
    [
        ([], None),
        ([place()], None),
        ([place("one"), place("two")], "one"),
        ([place(), place("two")], "two"),
        ([place(fails=True), place("two")], "it fails with KeyError: 'first"),
        ([place(fails=True, optional=True), place("two")], "two"),
        ([place(fails=True, optional=True)], None),
        ([place("one", optional=True), place(fails=True)], "one"),
    ],
    ids=["none", "agrees", "first", "second", "fails", "fails where it may", "fails where it may alone", "before"],
)
def test_the_first_device_on_which_a_program_differs_or_fails(places: list, found: str | None) -> None:
    reason = checking._first_reason(places, failing(KeyError("first\nsecond")))
    assert reason == found if found is None or "fails" not in found else str(reason).startswith(found)
    assert reason is None or "\n" not in reason


def test_an_error_without_words_and_one_that_is_the_machines() -> None:
    assert checking._first_reason([place(fails=True)], failing(ValueError())) == (
        "it fails with ValueError: no message"
    )
    for optional in (False, True):
        with pytest.raises(torch.OutOfMemoryError):
            checking._first_reason([place(fails=True, optional=optional)], failing(torch.OutOfMemoryError("x")))


# --- by gradients -----------------------------------------------------------------------------------------------------


class Asked:
    """In the place of gradients: asks a program for the state after each of three maps, and answers what it is told."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.starts: list[Any] = []
        self.ends: list[Any] = []

    def of_program(self, step: Any, apply: Callable[[Any, int], Any]) -> Any:
        self.ends = [apply(start, t) for t, start in enumerate(self.starts, 1)]
        return self.answer


def by_gradients(step: Any, batches: Any, state: Any, answer: Any) -> tuple[Asked, list[Any]]:
    """Add gradients to what the loop has computed; return them, and the states that one map of each batch ends in."""
    checking.check_step(step, batches, state)
    (reference,) = step.self_check.references
    reference.slopes = Asked(answer)
    scaled = {name: 3 * value for name, value in state["parameters"].items()}
    reference.slopes.starts = [state, *reference.ends[:1], {**state, "parameters": scaled}]
    pairs = zip(reference.slopes.starts, (2, 1, 3), strict=True)
    return reference.slopes, [step(start, batches(i), 1) for start, i in pairs]


DIFFERENCE = (2, "the gradient of weight", 0.25, 1e-7)
IN_WORDS = "it differs from your own training loop in the gradient of weight by 0.25, where rounding explains 1e-07"


@pytest.mark.parametrize("answer", [None, DIFFERENCE], ids=["agrees", "differs"])
@pytest.mark.parametrize("engine", ["kernel", "ensemble"])
def test_gradients_are_those_of_one_map_from_each_start(programs: Any, answer: Any, engine: str) -> None:
    """The t-th map of the check, applied alone at the position 1 to the state that it is asked for."""
    step, batches, state = problem()
    asked, right = by_gradients(step, batches, state, answer)
    if engine == "kernel":
        _, notes = checking.checked_kernel(step, batches, state, "auto")
        assert notes == ({} if answer is None else {"not used": f"fast: {IN_WORDS}"})
        assert programs.made[1].applied[2:] == [([2], 0), ([1], 0), ([3], 0)]
    else:
        assert checking.why_not_ensemble(step, batches, state) == (None if answer is None else IN_WORDS)
    for found, expected in zip(asked.ends, right, strict=True):
        for name, value in expected["parameters"].items():
            assert torch.allclose(found["parameters"][name], value, rtol=1e-12, atol=0)


def test_gradients_that_were_not_kept_are_not_asked_for() -> None:
    step, *_ = problem()
    asked = Asked(DIFFERENCE)
    for one, slopes, found in (
        (step, None, None),
        (step, asked, IN_WORDS),
        (print, asked, None),  # a step of the user's own returns no gradients
        (print, None, None),
    ):
        reference: Any = SimpleNamespace(slopes=slopes, place="", indices=(2, 1, 3))
        assert checking._slopes_differ(one, reference, lambda state, indices: state) == found  # type: ignore[arg-type]


# --- the ensemble -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [None, 1, 3])
def test_the_ensemble_is_compared_with_two_chains(wrong: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """One with all three maps of the check and one with the first; whichever is wrong is seen, once."""
    step, batches, state = problem()
    runs: list[tuple[list[int], int | None, list[list[int]]]] = []
    real = waves.wavefront

    def moved(step: Any, data: Any, order: Any, at: Any, start: Any, *, ensemble: Any) -> Any:
        runs.append((list(at), ensemble.chunk, [list(order.word(n)) for n in at]))
        for n, end, segment in real(step, data, order, at, start, ensemble=ensemble):
            shift = 0.5 * (n == wrong)
            parameters = {name: value + shift for name, value in end["parameters"].items()}
            yield n, {**end, "parameters": parameters}, segment

    monkeypatch.setattr(waves, "wavefront", moved)
    for _ in range(2):
        reason = checking.why_not_ensemble(step, batches, state)
        if wrong is None:
            assert reason is None
        else:
            assert str(reason).startswith("it differs from your own training loop in weight by 0.5, where ")
    assert runs == [([1, 3], 2, [[2], [3, 1, 2]])]
    check: Any = step.self_check
    assert isinstance(check, SelfCheck)
    assert [what for _, what, _ in check.known] == ["step", "ensemble"]
