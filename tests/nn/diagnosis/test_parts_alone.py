"""Parts of a diagnosis by themselves: exponents of derivatives, laws of batches, predictions, pairs and jumps."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import nn_experiments as nne  # noqa: E402
from nn_experiments.diagnosis import derivative  # noqa: E402
from nn_experiments.diagnosis.coupled import BOUND, batches_used, grid, kept_numbers, run_coupled  # noqa: E402
from nn_experiments.diagnosis.derivative import BURN, Tangents, exponents, why_no_derivative  # noqa: E402
from nn_experiments.diagnosis.law import COMPARED, Law, NotDiagnosable, law_of  # noqa: E402
from nn_experiments.diagnosis.pairs import Pair, difference, jump, norm  # noqa: E402
from nn_experiments.diagnosis.subject import Outputs, Replicate, SeededReplicates, Shifted  # noqa: E402
from nn_experiments.engine.kernels.mlp import StepKernel  # noqa: E402


def state(*values: float) -> dict:
    return {"parameters": {"w": torch.tensor(values, dtype=torch.float64)}}


def of(function: Any) -> Any:
    """Return the step w -> function(w, batch, t)."""
    return lambda s, batch, t: {"parameters": {"w": function(s["parameters"]["w"], batch, t)}}


def number(i: int) -> torch.Tensor:
    return torch.tensor(float(i), dtype=torch.float64)


def run(function: Any, start: float, *, steps: int = 40, outputs: Any = None) -> Any:
    """Run the chains of one replicate of a step of one number."""
    replicate = Replicate(of(function), number, state(start))
    predict = outputs or (lambda s: s["parameters"]["w"][None])
    return run_coupled(
        replicate, predict, grid(steps), steps // 2, eps=0.05, kernel="step", independent=True, tiny=False
    )


@dataclasses.dataclass
class Grown:
    """In place of tangents: the growth at map i is i + 1000 times the first seed."""

    step: Any
    states: Any
    batches: Any
    seeds: Any

    def advance(self, i: int, t: int) -> torch.Tensor:
        assert t == i
        return torch.tensor([float(i) + 1000 * seed for seed in self.seeds], dtype=torch.float64)


def test_the_exponent_is_the_mean_over_the_maps_after_the_first_quarter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Maps 11 … 20 are carried, ⌈2.5⌉ of them are not averaged over: the mean of 14, …, 20 is 17."""
    assert BURN == 0.25
    monkeypatch.setattr(derivative, "Tangents", Grown)
    states = [{"parameters": {"w": torch.zeros(4)}}] * 3
    for together in (2**24, 8, 1):  # in one group, in two, and one by one: each replicate has its own seed
        monkeypatch.setattr(derivative, "TOGETHER", together)
        found = exponents(None, states, [number] * 3, [0, 1, 2], 10, 20)  # type: ignore[arg-type]
        assert found.tolist() == [17.0, 1017.0, 2017.0]


class Moving(nn.Module):
    """Multiplies by a running mean, which is moved after it has been read."""

    mean: torch.Tensor

    def __init__(self, start: float = 1.0) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 1).double()
        self.register_buffer("mean", torch.tensor(start, dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        value = self.linear(x) * self.mean.clone()
        with torch.no_grad():
            self.mean.mul_(0.9).add_(0.1 * x.mean())
        return value


def made(model: nn.Module, **options: Any) -> tuple[Any, Any, Any]:
    x = torch.randn(20, 2, dtype=next(model.parameters()).dtype, generator=torch.Generator().manual_seed(0))
    step, start = nne.from_torch(model, nn.functional.mse_loss, torch.optim.SGD(model.parameters(), lr=0.1), **options)
    return step, start, nne.ArrayBatches(x, x[:, :1], batch_size=4, seed=0)


def test_more_that_has_no_derivative() -> None:
    step, start, batches = made(Moving())
    assert "reads buffers that its steps change" in str(why_no_derivative(step, start, batches(1)))
    step, start, batches = made(nn.Sequential(nn.Linear(2, 4), nn.Dropout(0.5), nn.Linear(4, 1)))
    assert "frozen randomness" in str(why_no_derivative(step, start, batches(1)))
    step, start, batches = made(nn.Linear(2, 1))
    half = {**start, "parameters": {name: value.half() for name, value in start["parameters"].items()}}
    assert why_no_derivative(step, start, batches(1)) is None
    assert why_no_derivative(step, half, batches(1)) == "parameters are torch.float16"


def test_a_tangent_knows_the_steps_that_adam_has_missed() -> None:
    """A parameter that had no gradient once is one step behind in Adam's bias correction."""
    model = nn.Linear(2, 1).double()
    x = torch.randn(20, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    step, start = nne.from_torch(model, nn.functional.mse_loss, torch.optim.Adam(model.parameters(), lr=0.1))
    batches = nne.ArrayBatches(x, x[:, :1], batch_size=4, seed=0)
    first = step(start, batches(1), 1)
    missed = {**first, "optimizer": first["optimizer"] | {"missed:weight": torch.tensor(1)}}
    tangents = Tangents(step, [missed], [batches], [4])  # type: ignore[arg-type]
    tangents.advance(3, 3)
    for other, same in ((missed, True), (first, False)):
        after = step(other, batches(3), 3)["parameters"]["weight"]
        assert torch.allclose(tangents.state["parameters"]["weight"][0], after, rtol=1e-12) == same


def test_only_a_law_without_schedule_or_epoch_goes_on() -> None:
    found = {(i, c): Law(i, c).homogeneous for i in (False, True) for c in (False, True)}
    assert found == {(False, False): False, (False, True): False, (True, False): False, (True, True): True}


def test_one_example_is_one_batch() -> None:
    x = torch.zeros(1, 1)
    with pytest.raises(NotDiagnosable, match="there is one example only"):
        law_of(nne.ArrayBatches(x, x, batch_size=1, seed=0), 50, sampling=None, constant=True)
    law_of(
        nne.ArrayBatches(torch.zeros(2, 1), torch.zeros(2, 1), batch_size=1, seed=0), 50, sampling=None, constant=True
    )


@pytest.mark.parametrize("as_tensor", [True, False])
def test_the_longest_period_that_can_be_seen(as_tensor: bool) -> None:
    """A period of half of what is compared; batches are NumPy arrays or tensors, and no more are asked for."""
    asked: list[int] = []

    def cycle(period: int) -> Any:
        def batches(i: int) -> Any:
            asked.append(i)
            value = np.full(2, float(i % period))
            return (torch.from_numpy(value),) * 2 if as_tensor else (value, value)

        return batches

    for period in (2, COMPARED // 2):
        with pytest.raises(NotDiagnosable, match=f"repeat after {period}"):
            law_of(cycle(period), 10 * COMPARED, sampling="iid", constant=True)
    assert law_of(cycle(10**6), 10 * COMPARED, sampling="iid", constant=True).homogeneous
    assert max(asked) == COMPARED
    asked.clear()
    law_of(cycle(10**6), 5, sampling="iid", constant=True)
    assert asked == [1, 2, 3, 4, 5]


def test_one_batch_is_no_order_and_one_that_comes_twice_is_no_cycle() -> None:
    assert law_of(lambda i: (number(1), number(1)), 1, sampling="iid", constant=True).homogeneous
    assert law_of(lambda i: (number(1 if i == 3 else i),) * 2, 50, sampling="iid", constant=True).homogeneous
    with pytest.raises(NotDiagnosable, match="every batch is the same"):
        law_of(lambda i: (number(1), number(1)), 2, sampling="iid", constant=True)


@pytest.mark.parametrize("epoch", [1, 2, 3, 30, 31, 32])
@pytest.mark.parametrize("sampling", ["reshuffle", "shuffle_once"])
def test_the_steps_that_the_message_allows_are_the_most_that_fit_into_an_epoch(epoch: int, sampling: str) -> None:
    """N steps and N/2 more, rounded down, of the run ahead: 20 and 10 fit into 30 batches, 21 and 10 into 31."""
    x = torch.arange(2.0 * epoch)[:, None]
    batches = nne.ArrayBatches(x, x, batch_size=2, seed=0, sampling=sampling)
    with pytest.raises(NotDiagnosable) as refused:
        law_of(batches, epoch + 1, sampling=None, constant=True)
    (most,) = map(int, re.findall(r"Take fewer steps \(at most (\d+)\)", str(refused.value)))
    assert batches_used(most, most // 2, independent=False) <= epoch
    assert batches_used(most + 1, (most + 1) // 2, independent=False) > epoch
    assert batches_used(most, most // 2, independent=True) == 2 * most
    assert not law_of(batches, epoch, sampling=None, constant=True).independent


def test_predictions_are_those_of_evaluation() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Dropout(0.5)).double()
    x = torch.randn(5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = Outputs(model, x)(nne.initial_state(model))
    assert torch.allclose(found, model[0](x) / math.sqrt(1 + 1e-5), rtol=1e-12)
    assert model.training


class Several(nn.Module):
    """Returns a number for each input, one for all, and labels."""

    def __init__(self, alone: bool) -> None:
        super().__init__()
        self.alone = alone
        self.w = nn.Parameter(torch.ones(2, dtype=torch.float32))

    def forward(self, x: torch.Tensor) -> Any:
        each = x @ self.w
        return {"sum": each.sum()} if self.alone else (each, each.sum(), each > 0)


def test_predictions_of_several_parts_become_one_matrix() -> None:
    x = torch.arange(6.0).reshape(3, 2)
    several = Several(alone=False)
    found = Outputs(several, x)(nne.initial_state(several))
    assert found.dtype == torch.float64
    assert found.tolist() == [[1.0, 5.0, 9.0, 15.0]]
    assert Outputs(Several(alone=True), x)(nne.initial_state(several)).tolist() == [[15.0]]


def test_shifted_batches_keep_their_own_index() -> None:
    """Masks of dropout depend on it: two blocks of one sequence have masks of their own."""
    source = Shifted(lambda i: nne.Batch(number(i), number(-i), i), 100)
    assert source(3).index == 103  # type: ignore[attr-defined]
    assert [float(value) for value in source(3)[:2]] == [103.0, -103.0]
    assert Shifted(lambda i: (i, i), 100)(3) == (103, 103)


@pytest.mark.parametrize("independent", [True, False])
def test_every_replicate_has_the_other_start(independent: bool) -> None:
    class Seeded:
        def with_seed(self, seed: int) -> Seeded:
            return self

    other = state(5.0)
    subject = SeededReplicates(of(lambda w, b, t: w), Seeded(), state(0.0), other, Law(independent, True), 0, 4, norm)  # type: ignore[arg-type]
    assert [subject.replicate(r).start for r in range(3)] == [other] * 3


def test_a_pair_that_meets_counts_as_one_unit_of_its_place() -> None:
    """One unit in the last place of numbers near 10^6 is 10^6 times as large as one near 1."""
    grown = []
    for size in (1.0, 1e6):
        near = state(size)
        pair = Pair(near, 0.1, 0)
        pair.advance(StepKernel(of(lambda w, b, t: 0 * w + size), number), range(1, 2), 0)  # noqa: B023
        grown.append(pair.renew(near, 0.1))
    assert grown[1] - grown[0] == pytest.approx(math.log(1e6))


def test_at_the_origin_there_is_no_unit_in_the_last_place() -> None:
    """A pair that meets at 0 counts as 1e-300 apart; every new beginning is counted, and has a direction of its own."""
    near = state(0.0, 0.0)
    pair = Pair(near, 0.1, 0)
    beginnings = [pair.state["parameters"]["w"]]
    for count in (1, 2, 3):
        pair.advance(StepKernel(of(lambda w, b, t: 0 * w), number), range(1, 2), 0)
        assert pair.renew(near, 0.1) == math.log(1e-300 / 0.1)
        assert pair.restarts == count
        assert difference(near, pair.state) == pytest.approx(0.1)
        beginnings.append(pair.state["parameters"]["w"])
    assert len({tuple(one.tolist()) for one in beginnings}) == 4


def test_a_pair_that_has_left_for_infinity_begins_anew() -> None:
    near = state(1.0, 1.0)
    pair = Pair(near, 0.1, 0)
    pair.advance(StepKernel(of(lambda w, b, t: math.inf * w), number), range(1, 2), 0)
    assert pair.renew(near, 0.1) == math.inf
    assert torch.isfinite(pair.state["parameters"]["w"]).all()
    assert float((pair.state["parameters"]["w"] - 1).norm()) == pytest.approx(0.1)


def test_a_jump_of_a_step_that_works_in_float32_alone() -> None:
    """The step multiplies by a matrix in float32; it jumps by 1/2 between two states that are 1 apart."""
    matrix = torch.eye(1, dtype=torch.float32)
    step = of(lambda w, batch, t: w @ matrix + 0.5 * (w > 0.33))
    ends = [{"parameters": {"w": torch.tensor([value], dtype=torch.float32)}} for value in (0.0, 1.0)]
    assert jump(step, number(1), 1, *ends) == pytest.approx(0.5, rel=1e-3)
    calm = of(lambda w, batch, t: w @ matrix)
    assert jump(calm, number(1), 1, *ends) == 0


@pytest.mark.parametrize(("gap", "known"), [(3e-4, True), (1e-4, False)])
def test_two_states_have_to_be_ten_thousand_units_apart(gap: float, known: bool) -> None:
    """At 10^6 a hundred units in the last place are 2.2e-8: 1/10 of what counts as a jump is 1e-4 of 2.2e-4."""
    value = jump(of(lambda w, b, t: w + (w > 1e6).double()), number(1), 1, state(1e6 - gap / 2), state(1e6 + gap / 2))
    assert math.isfinite(value) == known


def test_training_that_never_moves_has_no_pairs() -> None:
    """If the unit is 0 the pair has no prescribed distance: its exponent is missing (NaN), and not 0."""
    found = run(lambda w, batch, t: w, 1.0)
    assert math.isnan(found.pairs)
    assert np.isnan(found.jumps).all()


def test_predictions_are_apart_by_the_root_mean_square_over_inputs() -> None:
    """Two inputs of three equal outputs: the distance of one input's outputs is the root of 3 times that of w."""
    found = run(lambda w, b, t: 0.9 * w + torch.sin(b), 1.0, outputs=lambda s: s["parameters"]["w"].expand(2, 3))
    assert np.allclose(found.function, math.sqrt(3) * found.parameter, equal_nan=True)


def test_the_state_at_half_is_kept() -> None:
    """The path is n, at n."""
    assert float(run(lambda w, b, t: w + 1, 0.0).half["parameters"]["w"]) == 20.0


def test_the_bound_of_divergence_counts_from_a_start_at_zero_as_well() -> None:
    """At θ_0 = 0 a run may reach 10^6: the one that is 20 ahead makes 60 maps."""
    assert run(lambda w, b, t: w + BOUND / 61, 0.0).diverged == -1
    assert run(lambda w, b, t: w + BOUND / 58.5, 0.0).diverged == 59


def test_what_batches_keep_in_memory_is_counted() -> None:
    x = torch.zeros(30, 3)
    batches = nne.ArrayBatches(x, x[:, :1], batch_size=5, seed=0)
    assert kept_numbers(batches, 7) == 7 * 15
    assert kept_numbers(Shifted(batches, 100), 7) == 7 * 15
    assert kept_numbers(lambda i: (x, x), 7) == 0
