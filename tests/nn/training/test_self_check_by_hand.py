"""Parts of the self-check alone: which batches it takes, what it remembers and restores, and the words of a refusal."""

from __future__ import annotations

import contextlib
import copy
import random
import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from nn_experiments.training import self_check  # noqa: E402
from nn_experiments.training.calls import Broadcasts  # noqa: E402
from nn_experiments.training.errors import CannotReplay, CannotRun  # noqa: E402
from nn_experiments.training.from_torch import from_torch  # noqa: E402
from nn_experiments.training.optimizers import Optimizer, as_schedule  # noqa: E402
from nn_experiments.training.self_check import SelfCheck, Unchecked, word  # noqa: E402
from nn_experiments.training.step import TrainingStep  # noqa: E402
from nn_experiments.training.torch_randomness import GENERATORS, generator_states  # noqa: E402

MSE = nn.functional.mse_loss
PURE = TrainingStep(nn.Linear(1, 1), MSE, Optimizer(learning_rate=0.1))


def loop_of(model: nn.Module | None = None, **more: Any) -> Any:
    """Return what stands for the user's own loop, which calls the model."""
    model = model or nn.Identity()
    parts = {
        "model": model,
        "loss": MSE,
        "transform": None,
        "schedule": None,
        "optimizer": None,
        "trained": {"w": None},
        "buffers": [],
        "put": lambda start: None,
        "once": lambda batch, t: model(torch.ones(2)),
        "check_options": lambda: None,
    }
    return SimpleNamespace(**(parts | more))


# --- batches --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [IndexError, KeyError, ValueError])
@pytest.mark.parametrize("count", [2, 3, 4])
def test_the_second_batch_is_applied_first_then_the_first_and_the_third(count: int, error: type[Exception]) -> None:
    """Where there is no third, the second once more; and no other batch is asked for."""
    asked: list[int] = []

    def batches(i: int) -> str:
        asked.append(i)
        if i > count:
            raise error
        return f"B{i}"

    if count == 2:
        assert word(batches) == ((2, 1, 2), ["B2", "B1", "B2"])  # type: ignore[arg-type]
    else:
        assert word(batches) == ((2, 1, 3), ["B2", "B1", "B3"])  # type: ignore[arg-type]
    assert asked == [2, 1, 3]


def test_a_source_that_fails_otherwise_is_not_taken_for_one_of_two_batches() -> None:
    def batches(i: int) -> str:
        if i > 2:
            raise RuntimeError("mine")
        return "x"

    with pytest.raises(RuntimeError, match="mine"):
        word(batches)  # type: ignore[arg-type]


# --- what is remembered ---------------------------------------------------------------------------------------------


def test_results_are_of_one_source_of_batches_and_one_thing_that_was_compared() -> None:
    check = SelfCheck(loop_of())
    one, other = [1], [1]  # equal, and not the same
    assert check.recall(one, "step") is None  # type: ignore[arg-type]
    check.remember(one, "step", "passed")  # type: ignore[arg-type]
    check.remember(one, "mlp", None)  # type: ignore[arg-type]
    check.remember(other, "mlp", "differs")  # type: ignore[arg-type]
    found = [check.recall(source, what) for source in (one, other) for what in ("step", "mlp", "x")]  # type: ignore[arg-type]
    assert found == [("passed",), (None,), None, None, ("differs",), None]
    copied = copy.copy(check)
    assert (copied.known, copied.references) == ([], [])
    assert (copied.loop, copied.maker, copied.called) == (check.loop, "from_torch", "the loss")
    assert len(check.known) == 3


@pytest.mark.parametrize(("maker", "looked"), [("from_torch", 1), ("from_loop", 0)])
def test_options_are_looked_at_again_and_everything_else_once(maker: str, looked: int) -> None:
    """The functions of `from_loop` may change options themselves."""
    counts = {"options": 0, "vet": 0}

    def count(what: str) -> Any:
        return lambda: counts.__setitem__(what, counts[what] + 1)

    check = SelfCheck(loop_of(check_options=count("options")), vet=count("vet"), maker=maker)
    check.remember(word, "step", "known")  # type: ignore[arg-type]
    assert check(PURE, word, {}) == "known"  # type: ignore[arg-type]
    assert counts == {"options": looked, "vet": 0}
    assert Unchecked(loop_of(check_options=count("options")))(PURE, word, {}) == "switched off"  # type: ignore[arg-type]
    assert counts["options"] == looked + 1


# --- words ----------------------------------------------------------------------------------------------------------


def test_only_torchs_generators_can_be_frozen() -> None:
    """A draw of NumPy beside one of torch would still differ from call to call."""
    start, batch, draws = {}, None, nn.Dropout(0.5)
    torch_alone = [list(GENERATORS[:1]), list(GENERATORS[:2]), list(GENERATORS[1:2])]
    others = [list(GENERATORS[2:3]), [GENERATORS[0], GENERATORS[2]], [GENERATORS[0], GENERATORS[3]], list(GENERATORS)]
    for model, transform, where in (
        (nn.Sequential(nn.Identity(), draws), None, "1 (Dropout) draws from "),
        (nn.Identity(), None, "the rule or the optimizer draws from "),
        (nn.Identity(), print, "the loss, the transform or the optimizer draws from "),
    ):
        check = SelfCheck(loop_of(model, transform=transform), maker="from_there", called="the rule")
        for drawn in torch_alone + others:
            text = check._random(drawn, start, batch)  # type: ignore[arg-type]
            assert text.startswith(where + " and ".join(drawn) + " in a training step")
            remedy = "Pass randomness='frozen' to from_there" if drawn in torch_alone else "Draw with torch instead"
            assert f"each time. {remedy}" in text


def test_the_cause_of_a_difference() -> None:
    check = SelfCheck(loop_of(trained={"w": None}))
    loop = "To mend it, pass form='loop' to from_torch"
    for step, name, t, cause, remedy in (
        (PURE, "w", 1, "the loss depends on this parameter on a way", True),
        (PURE, "w", 2, "something is carried from one step to the next", True),
        (PURE, "running_mean", 1, "a hook changes this buffer", True),
        (PURE, "running_mean", 2, "a hook changes this buffer", True),
        (print, "w", 1, "a step depends on something that it changes", False),
        (print, "running_mean", 2, "a step depends on something that it changes", False),
    ):
        text = check._cause(step, name, t)  # type: ignore[arg-type]
        assert text.startswith("Likely cause: ")
        assert cause in text
        assert (loop in text) == remedy


def test_the_first_of_several_changes_is_named_and_the_others_counted() -> None:
    for count, more in ((1, ""), (2, " (and 1 more)"), (4, " (and 3 more)")):
        changes = {f"path {k}": f"{k} became {k + 1}" for k in range(count)}
        text = SelfCheck._attribute(changes, "why")
        assert text.startswith(f"path 0 is not part of the state{more}: 0 became 1 in a step; why, so that")


def test_errors_that_only_the_step_raises_are_said_to_be_its_own() -> None:
    error = KeyError("mine")
    with pytest.raises(CannotRun, match=r"^at step 3, your own training loop runs and .*\(KeyError: 'mine'\)") as found:
        fail_within(self_check._may_fail(PURE, 3), error)
    assert found.value.__cause__ is error
    with pytest.raises(KeyError) as other:
        fail_within(self_check._may_fail(print, 3), error)  # type: ignore[arg-type]
    assert other.value is error


@pytest.mark.parametrize(
    ("error", "replaced"),
    [
        (TypeError("Net.forward() missing 1 required positional argument: 'y'"), True),
        (TypeError("loss() missing 1 required positional argument: 'y'"), False),
        (TypeError("forward() got 3"), False),
        (ValueError("forward() missing 1 required positional argument: 'y'"), False),
    ],
    ids=["forward pass", "another function", "another error", "another type"],
)
def test_a_forward_pass_of_several_arguments_is_told_how_to_get_them(error: Exception, replaced: bool) -> None:
    with pytest.raises(CannotReplay if replaced else type(error)) as found:
        fail_within(self_check._one_argument(), error)
    assert ("Give the inputs as a tuple or a dictionary" in str(found.value)) == replaced
    assert (found.value.__cause__ if replaced else found.value) is error


def fail_within(context: contextlib.AbstractContextManager[None], error: Exception) -> None:
    with context:
        raise error


# --- comparisons ----------------------------------------------------------------------------------------------------


def test_every_step_is_compared_by_its_gradients_until_one_differs() -> None:
    """Up to the last one, and no step after one that differs is taken."""
    for place in (0, 1, 2, None):
        taken: list[int] = []

        def each(step: object, place: int | None = place, taken: list[int] = taken) -> Any:
            for t in range(3):
                taken.append(t)
                yield ("difference", t) if t == place else None

        slopes: Any = SimpleNamespace(found=[None] * 3, of_step=each)
        found = SelfCheck(loop_of())._slope_difference(PURE, slopes)
        assert found == (None if place is None else ("difference", place))
        assert taken == list(range(3 if place is None else place + 1))


def test_states_are_those_after_each_step_at_its_position() -> None:
    def step(state: Any, batch: Any, t: int) -> Any:
        return [*state, (batch, t)]

    found = SelfCheck(loop_of())._states(step, [], ["x", "y"])  # type: ignore[arg-type]
    assert found == {1: [("x", 1)], 2: [("x", 1), ("y", 2)]}


class Cached(nn.Module):
    """Writes attributes of two kinds, and reads the one that is asked for."""

    def __init__(self, reads: str) -> None:
        super().__init__()
        self.inner = nn.Module()
        self.inner.number, self.inner.count = torch.zeros(2), torch.zeros(2, dtype=torch.int64)
        self.reads = reads

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        read = getattr(self.inner, self.reads) * 1 if self.reads else 0
        self.inner.number, self.inner.count = x + 1, x.long()
        return x + read


@pytest.mark.parametrize("reads", ["", "number", "count"])
def test_what_is_written_and_never_read_does_not_matter(reads: str) -> None:
    """Another value in its place changes the result exactly if it is read."""
    model = Cached(reads)
    end: dict[str, Any] = {}

    def once(batch: Any, t: int) -> None:
        end["parameters"] = {"w": model(torch.ones(2))}

    model.inner.number, model.inner.count = torch.zeros(2), torch.zeros(2, dtype=torch.int64)
    once(None, 1)
    before = {"parameters": dict(end["parameters"]), "buffers": {}}
    check = SelfCheck(loop_of(model, once=once))
    check._read = lambda *, last=False: {"parameters": end["parameters"], "buffers": {}}  # type: ignore[method-assign]
    for name in ("number", "count"):
        model.inner.number, model.inner.count = torch.zeros(2), torch.zeros(2, dtype=torch.int64)
        found = check._only_written(f"the module's inner.{name}", {}, None, before)  # type: ignore[arg-type]
        assert found == (name != reads)
    assert not check._only_written("the module's inner.training", {}, None, before)  # type: ignore[arg-type]
    assert not check._only_written("the loss", {}, None, before)  # type: ignore[arg-type]


def test_functions_that_are_watched_have_the_names_that_messages_use() -> None:
    def factor(t: int) -> float:
        return 0.5

    plain = SelfCheck(loop_of(transform=print), called="the rule")._functions()
    assert plain == {"the rule": MSE, "the transform": print}
    scheduled = SelfCheck(loop_of(schedule=as_schedule(factor)))._functions()
    assert scheduled == {"the loss": MSE, "the transform": None, "the schedule": factor}


@pytest.mark.parametrize(("rate", "pure"), [(0.0, False), (1e-300, True), (torch.tensor(0.1), False)])
def test_a_rate_of_0_is_left_to_the_users_own_optimizer(rate: Any, pure: bool) -> None:
    """An `Optimizer` has a positive rate that is a number."""
    model = nn.Linear(1, 1)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        step, state = from_torch(model, MSE, torch.optim.SGD(model.parameters(), lr=rate))
    assert (type(step) is TrainingStep) == pure
    assert ["SGD with lr=" in str(one.message) for one in said] == [True] * (not pure)
    after = step(state, (torch.ones(2, 1), torch.ones(2, 1)), 1)["parameters"]
    assert torch.equal(after["weight"], state["parameters"]["weight"]) == (rate in (0.0, 1e-300))


# --- what is put back -----------------------------------------------------------------------------------------------


def test_generators_and_tensors_that_are_no_parameters_are_put_back() -> None:
    """Those of the module, of the loss and of the transform; parameters and buffers are the loop's to restore."""
    model = nn.Linear(1, 1)
    model.register_buffer("buffer", torch.zeros(1))
    model.note = torch.tensor([1.0, 2.0])  # type: ignore[assignment]
    grown, inner = torch.zeros(2), torch.zeros(2)

    def loss(outputs: Any, targets: Any) -> Any:
        return inner

    check = SelfCheck(loop_of(model, loss=loss, transform=SimpleNamespace(grown=grown)))
    before = generator_states()
    with contextlib.suppress(KeyError), check._kept():
        for tensor in (model.note, inner, grown, model.buffer):
            tensor.add_(5)
        with torch.no_grad():
            model.weight.fill_(9.0)
        torch.rand(1), np.random.rand(), random.random()  # noqa: NPY002
        raise KeyError
    assert generator_states() == before
    assert model.note.tolist() == [1.0, 2.0]
    assert inner.tolist() == grown.tolist() == [0.0, 0.0]
    assert model.buffer.tolist() == [5.0]
    assert model.weight.tolist() == [[9.0]]
    with check._kept():
        grown.resize_(3)
    assert len(grown) == 3  # of another shape: there is nothing to put back


@pytest.mark.parametrize("error", [CannotReplay("no"), Broadcasts("no")], ids=["replay", "broadcasts"])
def test_what_is_wrong_on_the_cpu_is_wrong_elsewhere(error: Exception) -> None:
    check = SelfCheck(loop_of())

    def failing(*given: Any, **more: Any) -> Any:
        raise error

    check._at = failing  # type: ignore[method-assign]
    with pytest.raises(type(error), match="no"):
        check._on_cpu(PURE, (2, 1, 3), [], {})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "text"),
    [(RuntimeError("needs a card\nand more"), "RuntimeError: needs a card"), (KeyError(), "KeyError: no message")],
)
def test_what_runs_elsewhere_alone_is_not_compared_on_the_cpu(error: Exception, text: str) -> None:
    check, given = SelfCheck(loop_of()), []

    def at(step: Any, indices: Any, data: Any, state0: Any, *, place: str, device: str) -> Any:
        given.append((place, device))
        if error is not None:
            raise error
        return ["reference"], "passed in float64"

    check._at = at  # type: ignore[method-assign]
    assert check._on_cpu(PURE, (2, 1, 3), [], {}) == ([], f"not compared on the CPU ({text})")  # type: ignore[arg-type]
    error = None  # type: ignore[assignment]
    assert check._on_cpu(PURE, (2, 1, 3), [], {}) == (["reference"], "passed in float64 on the CPU")  # type: ignore[arg-type]
    assert given == [(" on the CPU", "cpu")] * 2
