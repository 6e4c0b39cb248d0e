"""Pairs of states: how they are pulled back and how their growth counts; jumps against steep maps; divergence."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from nn_experiments.diagnosis.coupled import _Window, grid, run_coupled
from nn_experiments.diagnosis.law import Law
from nn_experiments.diagnosis.measured import FLOOR, INDEPENDENT, TRAVELLED
from nn_experiments.diagnosis.pairs import Pair, _between, difference, jump, norm
from nn_experiments.diagnosis.subject import Replicate, SeededReplicates
from nn_experiments.engine.kernels.mlp import StepKernel

STEPS = 40


def state(*values: float, **memory: list[float]) -> dict:
    """Return a state of one vector, with memory of an optimizer."""
    slots = {f"{name}:w": torch.tensor(value, dtype=torch.float64) for name, value in memory.items()}
    return {"parameters": {"w": torch.tensor(values, dtype=torch.float64)}, "optimizer": slots}


def of(function: Any) -> Any:
    """Return the step w -> function(w, batch, t)."""
    return lambda s, batch, t: {**s, "parameters": {"w": function(s["parameters"]["w"], batch, t)}}


def batches(i: int) -> torch.Tensor:
    """Return a batch that is a number."""
    return torch.tensor(float(i), dtype=torch.float64)


def run(function: Any, *start: float, **options: Any) -> Any:
    """Run the chains of one replicate of a step of few numbers; predictions are the numbers themselves."""
    replicate = Replicate(of(function), batches, state(*start), **options)
    outputs = lambda s: s["parameters"]["w"][None]  # noqa: E731
    return run_coupled(
        replicate, outputs, grid(STEPS), STEPS // 2, eps=0.05, kernel="step", independent=True, tiny=False
    )


def test_memory_that_is_never_negative_stays_so() -> None:
    """Beyond the second state a second moment would become negative; a velocity, which has both signs, may."""
    first, second = (
        state(1.0, 2.0, second=[4.0, 0.0], velocity=[1.0, -1.0]),
        state(2.0, 4.0, second=[1.0, 0.0], velocity=[0.0, 0.0]),
    )
    moved = _between(first, second, 3.0)
    assert moved["parameters"]["w"].tolist() == [4.0, 8.0]
    assert moved["optimizer"]["second:w"].tolist() == [0.0, 0.0]
    assert moved["optimizer"]["velocity:w"].tolist() == [-2.0, 2.0]
    half = _between(first, second, 0.5)
    assert half["optimizer"]["second:w"].tolist() == [2.5, 0.0]


def test_a_pair_is_pulled_back_along_its_line_and_its_growth_is_in_units_of_what_it_was_held_at() -> None:
    near = state(1.0, 1.0)
    pair = Pair(near, 0.1, 0)
    assert difference(near, pair.state) == pytest.approx(0.1)
    direction = (pair.state["parameters"]["w"] - 1) / 0.1
    double = StepKernel(of(lambda w, batch, t: 1 + 2 * (w - 1)), batches)
    for size, before in ((0.3, 0.1), (0.01, 0.3), (0.01, 0.01)):
        pair.advance(double, range(1, 3), 0)
        assert pair.renew(near, size) == pytest.approx(math.log(4))  # two maps, whatever the sizes are
        assert difference(near, pair.state) == pytest.approx(size)
        assert torch.allclose((pair.state["parameters"]["w"] - 1) / size, direction)
        assert pair.held == size != before or before == size


def test_a_pair_that_has_met_begins_anew_in_another_direction() -> None:
    near = state(1.0, 1.0)
    pair = Pair(near, 0.1, 0)
    first = pair.state["parameters"]["w"].clone()
    pair.advance(StepKernel(of(lambda w, batch, t: torch.ones(2, dtype=torch.float64)), batches), range(1, 2), 0)
    unit = torch.finfo(torch.float64).eps * norm(near)
    assert pair.renew(near, 0.1) == pytest.approx(math.log(unit / 0.1))
    assert difference(near, pair.state) == pytest.approx(0.1)
    assert not torch.allclose(pair.state["parameters"]["w"], first)


def test_pairs_of_complex_numbers_have_both_parts() -> None:
    """A pair lies beside its state in both parts, at the given distance, and is pulled back along the line."""
    near = {"parameters": {"z": torch.tensor([1 + 1j, 2 - 1j], dtype=torch.complex128)}, "optimizer": {}}
    assert norm(near) == pytest.approx(math.sqrt(7))
    pair = Pair(near, 1e-3, 0)
    away = pair.state["parameters"]["z"] - near["parameters"]["z"]
    assert float(away.imag.abs().min()) > 0
    assert float(away.abs().square().sum().sqrt()) == pytest.approx(difference(near, pair.state)) == pytest.approx(1e-3)
    doubled = {"parameters": {"z": near["parameters"]["z"] + 2 * away}, "optimizer": {}}
    pair.state = doubled
    assert pair.renew(near, 1e-3) == pytest.approx(math.log(2))
    assert torch.allclose(pair.state["parameters"]["z"] - near["parameters"]["z"], away, rtol=1e-9)


@pytest.mark.parametrize(("slope", "found"), [(1e2, 0), (3e3, 0), (math.inf, 1)])
def test_a_steep_map_is_no_jump(slope: float, found: int) -> None:
    """Between −1 and 1 the map rises by 1 over a distance of 1/slope; at a slope of 1e2 the two ends are 2 apart."""
    step = of(lambda w, batch, t: w + (torch.clamp(w * slope, 0, 1) if slope < math.inf else (w > 0).double()))
    assert jump(step, batches(1), 1, state(-0.3), state(0.7)) == pytest.approx(found)


def test_the_larger_of_two_jumps_is_found_and_small_ones_do_not_count() -> None:
    """Steps of 0.2 at −0.21 and of 0.7 at 0.33; and of 0.0009, below 1/1000 of the distance."""
    both = of(lambda w, batch, t: w + 0.2 * (w > -0.21) + 0.7 * (w > 0.33))
    assert jump(both, batches(1), 1, state(-1.0), state(1.0)) == pytest.approx(0.7 / 2, rel=1e-6)
    small = of(lambda w, batch, t: w + 0.0009 * (w > 0.33))
    assert jump(small, batches(1), 1, state(0.0), state(1.0)) == 0
    assert jump(of(lambda w, batch, t: w + 0.0011 * (w > 0.33)), batches(1), 1, state(0.0), state(1.0)) > 0.001


@pytest.mark.parametrize("place", [-0.05, 1.05])
def test_jumps_beyond_the_two_states_are_not_between_them(place: float) -> None:
    """Between 0 and 1 nothing jumps; a pair that reaches as far as the jump sees it."""
    step = of(lambda w, batch, t: w + 0.7 * (w > place))
    assert jump(step, batches(1), 1, state(0.0), state(1.0)) == 0
    assert jump(step, batches(1), 1, state(-0.2), state(1.2)) == pytest.approx(0.5, rel=1e-6)


@pytest.mark.parametrize(("share", "found"), [(0.003, 0), (0.01, 0.01)])
def test_a_jump_has_to_exceed_what_rounding_makes_of_two_close_states(share: float, found: float) -> None:
    """The states are 4.4e-4 apart at 1e6, where eps is 5e-7 of their distance: a jump counts above 10^4 of that."""
    step = of(lambda w, batch, t: w + share * 4.4e-4 * (w > 1e6))
    value = jump(step, batches(1), 1, state(1e6 - 2.2e-4), state(1e6 + 2.2e-4))
    assert value == pytest.approx(found, rel=1e-2)


def test_two_states_nearer_than_rounding_can_tell_are_not_examined() -> None:
    step = of(lambda w, batch, t: w + (w > 1e6).double())
    for gap, known in ((1e-9, False), (1e-3, True)):
        value = jump(step, batches(1), 1, state(1e6 - gap), state(1e6 + gap))
        assert math.isfinite(value) == known
    assert math.isnan(jump(step, batches(1), 1, state(1.0), state(1.0)))


@pytest.mark.parametrize(("units", "known"), [(1_000_000, True), (999_999, False)])
def test_a_tenth_of_what_counts_may_be_rounding(units: int, known: bool) -> None:
    """Of numbers near 1 a hundred units in the last place are 1e-4 of a distance of a million such units."""
    eps = float(np.finfo(float).eps)
    value = jump(of(lambda w, batch, t: w), batches(1), 1, state(1.0), state(1.0 + units * eps))
    assert math.isfinite(value) == known


def test_the_map_that_throws_a_pair_apart_is_found() -> None:
    """Of six maps that double a pair, the third one jumps at 0: it multiplies the distance by 500, no other by more.

    After it the distance is largest at the last map, which has no jump.
    """

    def function(w: torch.Tensor, batch: torch.Tensor, t: int) -> torch.Tensor:
        return 2 * w + (1.0 if int(batch) == 3 else 0.0) * (w > 0)

    step = of(function)
    window = _Window(0.0, 0, state(-1e-3), state(1e-3), 6)
    replicate = Replicate(step, batches, state(0.0))
    assert window.jump(replicate, StepKernel(step, batches)) == pytest.approx(1 / 8e-3, rel=1e-6)
    other = dataclasses.replace(window, first=3)
    assert other.jump(replicate, StepKernel(step, batches)) == 0


def test_the_growth_of_pairs_is_that_of_the_second_half() -> None:
    """Differences are multiplied by 1.2 up to N/2 and by 0.9 after it; the position counts, and the noise does not."""
    found = run(lambda w, batch, t: (1.2 if t <= STEPS // 2 else 0.9) * w + torch.sin(batch), 1.0, 2.0)
    assert found.pairs == pytest.approx(math.log(0.9), rel=1e-6)
    other = run(lambda w, batch, t: (0.9 if t <= STEPS // 2 else 1.2) * w + torch.sin(batch), 1.0, 2.0)
    assert other.pairs == pytest.approx(math.log(1.2), rel=1e-6)


def test_jumps_are_looked_for_where_the_pair_grew_most() -> None:
    """Maps 30 and later flip what lies above 0 and only they do; elsewhere the pair shrinks slowly."""

    def function(w: torch.Tensor, batch: torch.Tensor, t: int) -> torch.Tensor:
        return 0.99 * w + (0.5 * torch.sign(w) if t in (30, 31, 33) else 0.0)

    found = run(function, 1.0, 1e-9)  # the second number is next to the kink, and pairs lie on both sides of it
    assert np.isfinite(found.jumps).all()
    assert found.jumps.max() > 0
    calm = run(lambda w, batch, t: 0.99 * w, 1.0, 1e-9)
    assert calm.jumps.max() == 0


def test_training_without_noise_has_pairs_at_the_floor_of_the_unit() -> None:
    """Independent runs are the same one; the unit is a hundredth of the way from θ_0."""
    found = run(lambda w, batch, t: w - 0.1 * (w - 3), 1.0)
    assert (found.parameter[:, INDEPENDENT] == 0).all()
    assert found.pairs == pytest.approx(math.log(0.9), rel=1e-6)
    way = found.parameter[-1, TRAVELLED]
    assert way == pytest.approx(2 * (1 - 0.9**STEPS))
    assert FLOOR * way > 0


def test_divergence_says_by_which_n_of_a_backward_iterate() -> None:
    """Every run exceeds 10^6 (1 + 1) at the map 21 = log2(2·10^6): the run that is N/2 ahead has done 20 before."""
    found = run(lambda w, batch, t: 2 * w, 1.0)
    points = grid(STEPS)
    first = int(points[points >= 1][0])  # 2^21 > 2·10^6 > 2^20: the run ahead has made lag + first maps
    assert found.diverged == first + STEPS // 2
    assert np.isnan(found.parameter[points >= first]).all()
    assert math.isnan(found.pairs)
    assert np.isnan(found.jumps).all()
    assert found.half is None


def test_dependent_batches_have_an_independent_run_of_another_seed() -> None:
    """Shuffled data: the other run has batches and frozen randomness of a seed that no replicate has."""

    class Seeded:
        def __init__(self, seed: int = 0) -> None:
            self.seed = seed

        def with_seed(self, seed: int) -> Seeded:
            return type(self)(seed)

    class Batches(Seeded):
        def __call__(self, i: int) -> torch.Tensor:
            return torch.tensor(float(self.seed % 97 + i))

    class Step(Seeded):
        def __call__(self, s: dict, batch: torch.Tensor, t: int) -> dict:
            return {"parameters": {"w": s["parameters"]["w"] + batch + 1000 * (self.seed % 89)}}

    law = Law(independent=False, constant=True)
    subject = SeededReplicates(Step(), Batches(), state(0.0), None, law, 5, 60, lambda s: s["parameters"]["w"][None])
    one, two = subject.replicate(0), subject.replicate(1)
    seeds = [(r.step.seed, r.batches.seed, r.other_step.seed, r.others.seed) for r in (one, two)]  # type: ignore[attr-defined,union-attr]
    assert [s[0] for s in seeds] == [s[1] for s in seeds] == [5, 6]
    assert all(s[2] == s[3] > 2**30 for s in seeds)
    assert seeds[0][2] != seeds[1][2]
    found = run_coupled(one, subject.outputs, grid(8), 4, eps=0.05, kernel="step", independent=False, tiny=False)
    ends = [8 * 1000 * (s % 89) + sum(s % 97 + i for i in range(1, 9)) for s in (seeds[0][0], seeds[0][2])]
    assert found.parameter[-1, INDEPENDENT] == abs(ends[0] - ends[1])
    free = dataclasses.replace(subject, law=Law(independent=True, constant=True))
    assert free.replicate(1).others is None
    plain = dataclasses.replace(free, batches=batches)
    assert [float(plain.replicate(r).batches(1)) for r in (0, 1, 2)] == [1, 61, 121]  # blocks of the one sequence
