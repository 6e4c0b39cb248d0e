"""The chains of one replicate on linear maps, all of whose distances and exponents are known, and on maps by hand."""

from __future__ import annotations

import math
from collections import Counter
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from nn_experiments.diagnosis import coupled  # noqa: E402
from nn_experiments.diagnosis.coupled import Coupled, grid, run_coupled  # noqa: E402
from nn_experiments.diagnosis.measured import AHEAD, INDEPENDENT, NEXT, START, TRAVELLED  # noqa: E402
from nn_experiments.diagnosis.subject import Replicate  # noqa: E402
from tests.nn.diagnosis.subjects import Maps  # noqa: E402

STEPS, LAG = 12, 5
WEIGHTS = torch.tensor([[1.0, 2.0], [0.0, -1.0], [3.0, 0.5]], dtype=torch.float64)


def predict(theta: torch.Tensor) -> torch.Tensor:
    """Three inputs, two outputs."""
    return torch.stack([WEIGHTS @ theta, 2 * WEIGHTS @ theta - 1], 1)


def linear(factor: float, start: list[float] | None = None) -> Maps:
    return Maps(lambda w, u: factor * w + u, lambda rng: rng.standard_normal(2), [1.0, -2.0], start, predict)


def run(subject: Any, *, tiny: bool = True, steps: int = STEPS, lag: int = LAG, eps: float = 0.05) -> Coupled:
    return run_coupled(
        subject.replicate(0),
        subject.outputs,
        grid(steps),
        lag,
        eps=eps,
        kernel="step",
        independent=True,
        tiny=tiny,
    )


@pytest.mark.parametrize("factor", [0.5, -0.8, 1.25])
def test_distances_and_exponents_of_linear_maps(factor: float) -> None:
    """Against plain loops: the run from θ_0, those one and LAG steps of later maps ahead, one under the maps N + 1,
    …, θ_0 itself and another start. Differences grow by the factor at every step, and no map jumps."""
    found, replicate = run(linear(factor, [3.0, 0.0])), linear(factor).replicate(0)
    draws = {i: replicate.batches(i)[0].numpy() for i in range(1, 2 * STEPS + LAG + 1)}

    def after(theta: np.ndarray, maps) -> np.ndarray:
        for i in maps:
            theta = factor * theta + draws[i]
        return theta

    origin = np.array([1.0, -2.0])
    one = after(origin, [STEPS + 1])
    far = after(origin, range(STEPS + 1, STEPS + LAG + 1))
    for k, n in enumerate(grid(STEPS)):
        maps = range(1, n + 1)
        here = after(origin, maps)
        others = {
            NEXT: after(one, maps),
            AHEAD: after(far, maps),
            INDEPENDENT: after(origin, range(STEPS + 1, STEPS + n + 1)),
            TRAVELLED: origin,
            START: after(np.array([3.0, 0.0]), maps),
        }
        for column, there in others.items():
            assert found.parameter[k, column] == pytest.approx(np.linalg.norm(here - there), abs=1e-12)
            outputs = predict(torch.from_numpy(here - there)) - predict(torch.zeros(2, dtype=torch.float64))
            size = math.sqrt(float((outputs**2).sum()) / 3)  # the mean over the three inputs
            assert found.function[k, column] == pytest.approx(size, abs=1e-12)
    assert found.pairs == pytest.approx(math.log(abs(factor)), rel=1e-9)
    assert found.tiny == pytest.approx(math.log(abs(factor)), rel=1e-6)
    assert found.diverged == -1
    assert found.jumps.tolist() == [0.0] * coupled.EXAMINED
    assert found.half is not None
    assert np.allclose(found.half["parameters"]["w"].numpy(), after(origin, range(1, STEPS // 2 + 1)))


def test_without_a_tiny_pair_and_without_another_start_their_numbers_are_missing() -> None:
    found = run(linear(0.5), tiny=False)
    assert math.isnan(found.tiny)
    assert np.isnan(found.parameter[:, START]).all()
    assert np.isfinite(np.delete(found.parameter, START, 1)).all()


@pytest.mark.parametrize(("size", "gone"), [(coupled.BOUND * 2, False), (math.nextafter(coupled.BOUND * 2, 1e9), True)])
def test_a_run_has_diverged_just_above_its_bound(size: float, gone: bool) -> None:
    """θ_0 = 1, so that 10⁶(1 + ‖θ_0‖) is 2·10⁶: reached at once by the two runs that are ahead, one map later by the
    others. The first of them to be there is the run that is LAG ahead, at n = 0."""
    subject = Maps(lambda w, u: torch.full_like(w, size), lambda rng: np.zeros(1), [1.0])
    found = run(subject)
    assert found.diverged == (1 if gone else -1)  # the run that is one step ahead is at n = 0 where the path is at 1
    assert np.isnan(found.parameter).all() == gone
    assert (found.half is None) == gone


def test_divergence_is_told_by_the_first_run_that_is_gone() -> None:
    """θ → 10θ from 1: 10⁷ is above the bound 2·10⁶. The run that is five steps ahead is there at n = 2, and stands for
    the path at 7."""
    found = run(Maps(lambda w, u: 10 * w, lambda rng: np.zeros(1), [1.0]))
    assert found.diverged == 2 + LAG
    known = [n < 2 for n in grid(STEPS)]
    assert np.isfinite(found.parameter[:, NEXT]).tolist() == known
    assert math.isnan(found.pairs)
    assert math.isnan(found.tiny)
    assert np.isnan(found.jumps).all()


def test_what_has_diverged_from_the_beginning_has_no_exponents() -> None:
    found = run(linear(0.5, [math.inf, 0.0]))
    assert found.diverged == 0
    assert math.isnan(found.pairs)
    assert math.isnan(found.tiny)
    assert np.isnan(found.parameter).all()
    assert found.half is None


def test_of_a_window_the_map_that_grew_most_is_examined(monkeypatch) -> None:
    """Maps 4 … 8 stretch differences by 2, 8, ½, 8 and 4: the first of the two largest is map 5, at position 5."""
    stretch = {4: 2.0, 5: 8.0, 6: 0.5, 7: 8.0, 8: 4.0}
    asked: list[tuple] = []

    class Kernel:
        def apply(self, state: dict, indices, before: int) -> dict:
            (i,) = indices
            assert before == i - 1
            return {"parameters": {"w": state["parameters"]["w"] * stretch[i]}}

    def jump(step, batch, t, near, other) -> float:
        asked.append((batch, t, float(near["parameters"]["w"]), float(other["parameters"]["w"])))
        return 7.0

    monkeypatch.setattr(coupled, "jump", jump)
    near, other = ({"parameters": {"w": torch.tensor([w], dtype=torch.float64)}} for w in (1.0, 1.5))
    window = coupled._Window(0.0, 3, near, other, 8)
    replicate = SimpleNamespace(step=None, batches=lambda i: -i)
    assert window.jump(replicate, Kernel()) == 7.0  # type: ignore[arg-type]
    assert asked == [(-5, 5, 2.0, 3.0)]


def test_the_grid_has_powers_of_two_and_even_parts() -> None:
    for steps in (50, 200, 2000, 10_000):
        found = grid(steps)
        even = {round(steps * k / 40) for k in range(41)}
        doubled = {2**k for k in range(60) if 2**k < steps / 40}
        assert set(found) == even | doubled | {steps // 4, steps // 2}
        assert found.tolist() == sorted(set(found))
    assert (coupled.batches_used(50, 25, independent=True), coupled.batches_used(50, 20, independent=False)) == (
        100,
        70,
    )


def test_every_run_applies_its_own_maps_at_its_own_positions() -> None:
    """(i, t) of every map over four steps. Runs that are ahead by one and by two start at T_5 θ_0 and at T_6 T_5 θ_0,
    and have made so many maps before. The independent run has the batches 5, … 8 from position 1 on."""
    applied: Counter[tuple[int, int]] = Counter()

    def step(state: dict, batch: int, t: int) -> dict:
        applied[batch, t] += 1
        return {"parameters": {"w": 0.5 * state["parameters"]["w"] + math.sin(batch)}}

    start = {"parameters": {"w": torch.tensor([1.0, -2.0], dtype=torch.float64)}}
    replicate = Replicate(step, lambda i: i, start)  # type: ignore[arg-type,return-value]
    run_coupled(
        replicate,
        lambda state: state["parameters"]["w"][None],
        grid(4),
        2,
        eps=0.05,
        kernel="step",
        independent=True,
        tiny=False,
    )
    along = {(i, i) for i in range(1, 5)}  # of the run itself and of the pair beside it, and where jumps are looked for
    assert along <= set(applied)
    starts = Counter({(5, 1): 1, (6, 2): 1})
    ahead = Counter((i, i + lag) for i in range(1, 5) for lag in (1, 2))
    independent = Counter((4 + i, i) for i in range(1, 5))
    assert {key: count for key, count in applied.items() if key not in along} == starts + ahead + independent
