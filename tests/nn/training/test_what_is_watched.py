"""The user's own loop while the self-check watches it: a line y = w x, in numbers that float32 has exactly."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from nn_experiments.training.batches import Batch  # noqa: E402
from nn_experiments.training.calls import Broadcasts  # noqa: E402
from nn_experiments.training.errors import CannotReplay  # noqa: E402
from nn_experiments.training.optimizers import Optimizer  # noqa: E402
from nn_experiments.training.own_loop import OwnLoop  # noqa: E402
from nn_experiments.training.self_check import SelfCheck  # noqa: E402
from nn_experiments.training.step import TrainingStep  # noqa: E402

MSE = nn.functional.mse_loss
RATE = 0.25


class Line(nn.Module):
    """w x, with another parameter that is not used, and a buffer that counts the calls."""

    def __init__(self, dtype: torch.dtype = torch.float32, other: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.ones(1, dtype=dtype))
        self.unused = nn.Parameter(torch.ones(1, dtype=other))
        self.register_buffer("calls", torch.tensor(0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return self.w * x.to(self.w.dtype)


#: From w = 1: gradients 2 (w x − y) x of 2, 4 and −7, after which w is 0.5, −0.5 and 1.25.
PAIRS = ((1.0, 0.0), (2.0, 0.0), (1.0, 3.0))
SLOPES, ENDS = [2.0, 4.0, -7.0], [0.5, -0.5, 1.25]


def batches(dtype: torch.dtype = torch.float32) -> list[Batch]:
    return [
        Batch(torch.tensor([x], dtype=dtype), torch.tensor([y], dtype=dtype), i) for i, (x, y) in enumerate(PAIRS, 1)
    ]


def loop_of(model: nn.Module) -> OwnLoop:
    return OwnLoop(model, MSE, torch.optim.SGD(model.parameters(), lr=RATE), seed=0, frozen=False)


def watched(model: nn.Module, data: list[Batch] | None = None) -> tuple[list[dict], list[dict]]:
    """Return the states after each step, and the gradients that were found."""
    loop, found = loop_of(model), []
    start = loop.start()
    with loop.holding(start):
        ends = SelfCheck(loop)._watched(start, batches() if data is None else data, found)
    return ends, found  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("dtype", "other", "all_double"),
    [
        (torch.float32, torch.float32, False),
        (torch.float64, torch.float32, False),
        (torch.float32, torch.float64, False),
        (torch.float64, torch.float64, True),
    ],
)
def test_gradients_are_kept_where_not_every_parameter_is_double(dtype, other, all_double: bool) -> None:
    ends, found = watched(Line(dtype, other), batches(dtype))
    assert [float(end["parameters"]["w"]) for end in ends] == ENDS
    assert [int(end["buffers"]["calls"]) for end in ends] == [1, 2, 3]
    if all_double:
        assert found == []
        return
    assert [list(one["parameters"]) for one in found] == [["w"]] * 3  # the other one has none
    assert [float(one["parameters"]["w"]) for one in found] == SLOPES
    assert [int(one["buffers"]["calls"]) for one in found] == [1, 2, 3]


def test_a_step_is_compared_from_the_states_before_each_of_the_users_steps() -> None:
    """In single precision; in double precision it is compared at the ends, and no gradients are kept."""
    for double in (False, True):
        loop = loop_of(Line())
        step = TrainingStep(Line(), MSE, Optimizer(learning_rate=RATE))
        reference = SelfCheck(loop)._compare(
            step, (2, 1, 3), batches(), loop.start(), double=double, place="", device=None
        )
        assert (reference.slopes is None) == double
        if reference.slopes is not None:
            slopes = reference.slopes
            assert [float(one["parameters"]["w"]) for one in slopes.before] == [1.0, *ENDS[:2]]
            assert [one["optimizer"] for one in slopes.before] == [{}] * 3
            assert [float(one["parameters"]["w"]) for one in slopes.after] == ENDS
            assert [float(one["parameters"]["w"]) for one in slopes.found] == SLOPES


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_step_that_differs_is_named_with_its_number(at: int, double: bool) -> None:
    """The step takes half of the rate at one position."""

    class Slower(TrainingStep):
        def update(self, state: Any, gradients: Any, buffers: Any, rate: Any, t: Any) -> Any:
            return super().update(state, gradients, buffers, rate / 2 if t == at else rate, t)

    loop, step = loop_of(Line()), Slower(Line(), MSE, Optimizer(learning_rate=RATE))
    gap = RATE * abs(SLOPES[at - 1]) / 2
    causes = {1: "the loss depends on this parameter on a way", 2: "is carried from one step to the next"}
    words = rf"differs from your own training loop there: w after step {at}, by {gap:.3g} .*{causes[min(at, 2)]}"
    with pytest.raises(CannotReplay, match=words):
        SelfCheck(loop)._compare(step, (2, 1, 3), batches(), loop.start(), double=double, place=" there", device=None)


class Late(Line):
    """Does something in the call of this number."""

    def __init__(self, call: int, action: Any) -> None:
        super().__init__()
        self.call, self.action = call, action

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = super().forward(x)
        if int(self.calls) == self.call:
            self.action(self)
        return y


def keeps_an_iterator(model: Any) -> None:
    model.kept = iter([1, 2])


def adds_a_buffer(model: Any) -> None:
    model.register_buffer("new", torch.zeros(1))


@pytest.mark.parametrize("call", [1, 2, 3])
@pytest.mark.parametrize(
    ("action", "words"),
    [
        (keeps_an_iterator, r"the module's kept is not part of the state: it is an iterator \(list_iterator\)"),
        (adds_a_buffer, "a step adds or removes buffers of the module: new"),
        (
            lambda model: torch.rand(1),
            "the module itself .Late. draws from torch's generator|the loss or the optimizer",
        ),
    ],
    ids=["iterator", "buffer", "draw"],
)
def test_what_is_seen_in_any_of_the_three_steps(action: Any, words: str, call: int) -> None:
    with pytest.raises(CannotReplay, match=words):
        watched(Late(call, action))
    ends, _ = watched(Late(4, action))
    assert len(ends) == 3


def test_an_iterator_from_before_is_seen() -> None:
    model = Late(0, None)
    model.kept = iter([1])  # type: ignore[assignment]
    with pytest.raises(CannotReplay, match=r"it is an iterator \(list_iterator\)"):
        watched(model)


class Keeps(Line):
    """Counts in a way that is asked for, and uses the count or does not."""

    def __init__(self, counts: Any, factor: Any) -> None:
        super().__init__()
        self.count, self.counts, self.factor = 0, counts, factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = super().forward(x) * self.factor(self.count)
        self.count = self.counts(self.count)
        return y


@pytest.mark.parametrize(
    ("counts", "factor", "words"),
    [
        (lambda k: k + 1, lambda k: 1, "the module's count .*: 2 became 3 in a step; every step changes it"),
        (lambda k: 1, lambda k: 1, None),  # the first step alone, and it gives the same once more
        (lambda k: 1, lambda k: 1 + k, "the module's count .*: 0 became 1 in a step; the first step changes it, and"),
        (lambda k: 0, lambda k: 1 + k, None),
        (lambda k: min(k + 1, 2), lambda k: 1, "1 became 2 in a step; every step changes it"),
    ],
    ids=["every step", "first step, not used", "first step, used", "never", "first two steps"],
)
def test_a_number_that_steps_change(counts: Any, factor: Any, words: str | None) -> None:
    model = Keeps(counts, factor)
    if words is None:
        assert len(watched(model)[0]) == 3
    else:
        with pytest.raises(CannotReplay, match=words):
            watched(model)
    assert model.count == 0


def test_targets_that_are_broadcast_are_refused_at_the_first_batch() -> None:
    x, y = torch.ones(3, 1), torch.ones(3)
    with pytest.raises(Broadcasts, match="broadcasts"):
        watched(Line(), [Batch(x, y, 1), *batches()[1:]])
