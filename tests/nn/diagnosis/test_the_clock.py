"""What the clock decides in a diagnosis: how many replicates are run, what they cost, and which exponents they have.

The clock is one that tests move.
"""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from nn_experiments.diagnosis import coupled, diagnose  # noqa: E402
from nn_experiments.diagnosis.budget import Cost, Plan  # noqa: E402
from nn_experiments.diagnosis.coupled import Coupled, grid  # noqa: E402
from tests.nn.diagnosis.subjects import Maps  # noqa: E402


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(diagnose, "time", made)
    return made


def outcome(diverged: int = -1, tiny: float = 0.25) -> Coupled:
    points = len(grid(50))
    far = np.ones((points, 5))
    state = {"parameters": {"w": torch.zeros(1)}}
    return Coupled(far, far, diverged, 0.5, tiny, np.zeros(coupled.EXAMINED), None if diverged >= 0 else state)


def measured(
    clock: Clock, monkeypatch, *, until: float = math.inf, diverged: int = -1, no_derivative: str | None = "no", **more
) -> tuple[Any, str, list[str], list[int]]:
    """Return what is measured of up to 20 replicates of 50 steps, each of which takes a second."""
    asked: list[int] = []
    said: list[str] = []

    class Subject:
        law = SimpleNamespace(independent=True, homogeneous=True)
        outputs = None

        def replicate(self, r: int) -> Any:
            asked.append(r)
            return SimpleNamespace(seed=r, batches=more.get("batches"), step=None)

    def coupled_runs(*_: object, **__: object) -> Coupled:
        clock.now += 1.0
        return outcome(diverged if asked[-1] == 2 else -1)

    monkeypatch.setattr(coupled, "run_coupled", coupled_runs)
    found, note = diagnose._measured(
        Subject(),  # type: ignore[arg-type]
        Plan(50, 20, ""),
        "step",
        0.05,
        no_derivative,
        more.get("tiny", False),
        until,
        said.append,
    )
    return found, note, said, asked


@pytest.mark.parametrize(("until", "done"), [(math.inf, 20), (13.0, 13), (13.5, 13), (11.0, 11), (2.0, 11), (20.0, 20)])
def test_replicates_end_with_the_time_but_not_before_there_are_eleven(until, done, clock, monkeypatch) -> None:
    found, note, said, asked = measured(clock, monkeypatch, until=until)
    assert found.replicates == done
    assert asked == list(range(done))
    assert note == ("" if done == 20 else f"{done} replicates of 50 steps: the time was up before 20")
    assert said == [f"  replicate {r} of 20, {r} s" for r in range(1, done + (done == 20))]
    assert found.jumps.shape == (done, coupled.EXAMINED)
    assert (found.steps, found.lag, found.eps, found.homogeneous) == (50, 25, 0.05, True)


def test_exponents_are_those_of_the_derivative_or_of_tiny_pairs_or_none(clock, monkeypatch) -> None:
    """Of the derivative if the step has one, else of tiny pairs if there are any; none where a run has diverged."""
    monkeypatch.setattr(diagnose, "_exponents", lambda halves, steps: np.arange(len(halves)) + steps)
    monkeypatch.setattr(coupled, "kept_numbers", lambda batches, used: 0)
    found, *_ = measured(clock, monkeypatch, no_derivative=None)
    assert (found.derivative.tolist(), found.derivative_by) == ([50 + r for r in range(20)], "derivatives")
    found, *_ = measured(clock, monkeypatch, tiny=True)
    assert (found.derivative.tolist(), found.derivative_by) == ([0.25] * 20, "pairs held 1e-08(1 + ‖θ‖) apart")
    found, *_ = measured(clock, monkeypatch)
    assert (found.derivative.size, found.derivative_by) == (0, "no")
    for options in ({"no_derivative": None}, {"tiny": True}):
        found, *_ = measured(clock, monkeypatch, diverged=7, **options)
        assert found.derivative.size == 0
        assert found.diverged.tolist() == [-1, -1, 7] + [-1] * 17

    def fails(halves, steps):
        raise RuntimeError("not differentiable\nmore")

    monkeypatch.setattr(diagnose, "_exponents", fails)
    found, *_ = measured(clock, monkeypatch, no_derivative=None)
    assert (found.derivative.size, found.derivative_by) == (0, "the step has no derivative here: not differentiable")
    monkeypatch.setattr(diagnose, "_exponents", lambda halves, steps: np.array([1.0, math.nan]))
    assert measured(clock, monkeypatch, no_derivative=None)[0].derivative.size == 0


@pytest.mark.parametrize("more", [0, 1])
def test_batches_that_fill_memory_are_drawn_again_for_the_derivatives(more: int, clock, monkeypatch) -> None:
    """20 replicates of 2 · 50 batches, as many numbers in all as are kept, or 20 more."""
    used: list[int] = []
    monkeypatch.setattr(diagnose, "KEPT", 20 * 100)
    monkeypatch.setattr(coupled, "kept_numbers", lambda batches, count: used.append(count) or count + more)
    monkeypatch.setattr(diagnose, "_exponents", lambda halves, steps: np.zeros(len(halves)))
    *_, asked = measured(clock, monkeypatch, no_derivative=None)
    assert set(used) == {100}
    assert asked == [r for r in range(20) for _ in range(1 + more)]


@pytest.mark.parametrize(
    ("per_map", "sizes"), [(2.0**-6, [8, 16, 16]), (2.0**-14, [8, 16, 32, 64, 128, 256, 512, 512])]
)
@pytest.mark.parametrize(("start", "tiny"), [(None, False), (object(), True)])
def test_costs_are_measured_until_a_tenth_of_a_second_or_512_maps(
    per_map, sizes, start, tiny, clock, monkeypatch
) -> None:
    """A kernel whose maps take so long, and as long again whenever a batch is new; predictions take 3 s, and a step of
    the derivative 5 s. The path, the pair and the run that is ahead make 4½ maps a step without a tiny pair."""
    applied: list[int] = []

    class Kernel:
        drawn = 0

        def apply(self, state: dict, indices, before: int) -> dict:
            applied.append(len(indices))
            new = max(0, len(indices) - self.drawn)
            self.drawn += new
            clock.now += per_map * (len(indices) + new)
            return state

    def outputs(state: dict) -> None:
        clock.now += 3.0

    def exponents(*given: Any) -> None:
        assert given[-2:] == (0, 4)
        clock.now += 20.0

    monkeypatch.setattr(coupled, "make_kernel", lambda *_: Kernel())
    monkeypatch.setattr(diagnose, "exponents", exponents)
    first = SimpleNamespace(step=None, batches=None, state0={}, start=start)
    subject = SimpleNamespace(outputs=outputs)
    found = diagnose._cost(subject, first, "step", derivative=True, tiny=tiny)  # type: ignore[arg-type]
    assert applied == sizes
    maps = coupled.maps_applied(2, 1, start=start is not None, tiny=tiny) / 2
    points = len(grid(2000))
    assert found == Cost(pytest.approx((maps + 2) * per_map), points * 6 * 3.0, 5.0 / 4)
    assert diagnose._cost(subject, first, "step", derivative=False, tiny=tiny).derivative == 0.0  # type: ignore[arg-type]


def still() -> Maps:
    """Maps that move nothing."""
    return Maps(lambda w, u: w, lambda rng: np.zeros(1), [1.0])


def test_replicates_end_early_enough_for_the_derivatives(clock, monkeypatch) -> None:
    """From 100 s on for 3,000 s: 12 replicates of 60 steps, of which derivatives take the second half, at 4 s each."""
    seen: list[float] = []

    class Stop(Exception):
        pass

    def measured_until(subject, plan, kernel, eps, reason, tiny, until, say):
        seen.append(until)
        raise Stop

    clock.now = 100.0
    monkeypatch.setattr(diagnose, "_cost", lambda *given, **more: Cost(1.0, 0.0, 4.0))
    monkeypatch.setattr(diagnose, "fitted", lambda steps, seconds, cost: seen.append(seconds) or Plan(60, 12, ""))
    monkeypatch.setattr(diagnose, "_measured", measured_until)
    with pytest.raises(Stop):
        diagnose.diagnose_subject(still(), "x", steps=60, budget=3000)
    assert seen == [3000.0, 100.0 + 3000.0 - 12 * 30 * 4.0]
    with pytest.raises(Stop):
        diagnose.diagnose_subject(still(), "x", steps=60, replicates=3)
    assert seen[2:] == [math.inf]
