"""A diagnosis on linear maps, all of whose distances and exponents are known, and on a clock that tests move."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import nn_experiments as nne  # noqa: E402
from nn_experiments.diagnosis import coupled, derivative, diagnose  # noqa: E402
from nn_experiments.diagnosis.budget import Cost, Plan, fitted  # noqa: E402
from nn_experiments.diagnosis.coupled import Coupled, grid, run_coupled  # noqa: E402
from nn_experiments.diagnosis.intervals import mean_interval, median_interval, share_bounds  # noqa: E402
from nn_experiments.diagnosis.measured import AHEAD, INDEPENDENT, NEXT, START, TRAVELLED  # noqa: E402
from nn_experiments.training.step import initial_state  # noqa: E402
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


# --- the time that is left ------------------------------------------------------------------------------------------


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


def test_a_plan_is_as_many_replicates_as_fit_or_eleven_with_fewer_steps() -> None:
    """A replicate of 100 steps costs 100 · (1 + 4/2) + 30 = 330 s."""
    cost = Cost(per_step=1.0, per_replicate=30.0, derivative=4.0)
    assert cost.seconds(100, 2) == 660.0
    assert fitted(100, 330.0 * 20, cost) == Plan(100, 20, "20 replicates of 100 steps fit into 6600 s")
    assert fitted(100, 330.0 * 21, cost).replicates == 20  # never more
    assert fitted(100, 330.0 * 11, cost).replicates == 11
    just = fitted(100, 330.0 * 11 - 1, cost)  # (3629/11 − 30)/3 = 99.97 steps: 98, an even number
    assert just == Plan(98, 11, "11 replicates of 98 steps in place of 100, to fit into 3629 s")
    least = fitted(100, 330.0, cost)
    assert least == Plan(
        50, 11, "11 replicates of 50 steps, the least that says anything, which takes longer than 330 s"
    )
    exact = fitted(100, cost.seconds(50, 11), cost)
    assert exact.note == "11 replicates of 50 steps in place of 100, to fit into 1980 s"
    assert fitted(100, 1.0, Cost(0.0, 0.0, 0.0)).replicates == 20


# --- derivatives ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "last", "burnt"), [(0, 8, 2), (4, 9, 2), (3, 5, 1)])
@pytest.mark.parametrize("together", [2**24, 1, 2])
def test_exponents_are_mean_growth_after_the_first_quarter(first, last, burnt, together, monkeypatch) -> None:
    """w ← w − 0.1 · 2x_i(x_i w − y): derivatives 1 − 0.2 x_i². Three replicates, carried one, two or three at once."""
    monkeypatch.setattr(derivative, "TOGETHER", together)
    model = nn.Linear(1, 1, bias=False).double()
    step, state = nne.from_torch(model, nn.functional.mse_loss, torch.optim.SGD(model.parameters(), lr=0.1))

    def batches(r: int):
        return lambda i: (torch.full((1, 1), float(i + r), dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64))

    found = derivative.exponents(step, [state] * 3, [batches(r) for r in range(3)], [1, 2, 3], first, last)
    expected = [
        np.mean([math.log(abs(1 - 0.2 * (i + r) ** 2)) for i in range(first + burnt + 1, last + 1)]) for r in range(3)
    ]
    assert found.tolist() == pytest.approx(expected, rel=1e-9)


# --- arguments of `diagnose` ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "count"), [(1, 256), (100, 2), (127, 2), (128, 2), (129, 1), (256, 1), (257, 1), (0, 256)]
)
@pytest.mark.parametrize("form", ["tensor", "pair", "dictionary"])
def test_predictions_are_on_the_first_256_rows_at_most(rows: int, count: int, form: str) -> None:
    asked: list[int] = []

    def batches(i: int) -> Any:
        asked.append(i)
        x = torch.full((rows, 2), float(i))
        return {"tensor": x, "pair": (x, 2 * x), "dictionary": {"a": x, "b": -x}}[form], None

    found = diagnose._first_inputs(batches)
    whole = found if form == "tensor" else found[0] if form == "pair" else found["a"]  # type: ignore[index]
    assert torch.equal(whole, torch.arange(1.0, count + 1).repeat_interleave(rows)[:, None].expand(-1, 2))
    assert sorted(set(asked)) == list(range(1, count + 1))


@pytest.mark.parametrize(
    "first",
    [
        torch.tensor(1.0),
        (torch.ones(2, 1), torch.ones(3, 1)),
        (torch.ones(2, 1), "name"),
        "text",
        (torch.ones(2, 1), torch.tensor(2.0)),
    ],
    ids=["a number", "two lengths", "with a text", "a text", "with a number"],
)
def test_inputs_that_have_no_rows_are_taken_as_they_are(first: object) -> None:
    assert diagnose._first_inputs(lambda i: (first, None)) is first


def test_inputs_of_unlike_shapes_are_those_of_the_first_batch() -> None:
    batches = {i: (torch.ones(100, 2 + (i == 2)), None) for i in (1, 2)}
    assert diagnose._first_inputs(batches.__getitem__) is batches[1][0]


def test_another_start_is_one_of_the_same_module_and_another_one() -> None:
    model, same, wide = nn.Linear(2, 1), nn.Linear(2, 1), nn.Linear(3, 1)
    state = initial_state(model)
    assert diagnose._other_start(model, state, None) is None
    found = diagnose._other_start(model, state, same)
    assert found is not None
    assert torch.equal(found["parameters"]["weight"], same.weight)
    with pytest.raises(ValueError, match="start has other parameters than the model"):
        diagnose._other_start(model, state, wide)
    with pytest.raises(TypeError, match="start must be another Linear, got Bilinear"):
        diagnose._other_start(model, state, nn.Bilinear(2, 1, 1))
    same.load_state_dict(model.state_dict())
    with pytest.raises(ValueError, match="start equals the model"):
        diagnose._other_start(model, state, same)
    with torch.no_grad():
        same.bias += 1  # one parameter of two is enough
    assert diagnose._other_start(model, state, same) is not None
    frozen = nn.Linear(2, 1)
    frozen.weight.requires_grad_(False)
    kept = initial_state(frozen)
    kept["buffers"]["weight"] = kept["parameters"].pop("weight")
    found = diagnose._other_start(frozen, kept, nn.Linear(2, 1))
    assert found is not None
    assert (sorted(found["parameters"]), sorted(found["buffers"])) == (["bias"], ["weight"])


@pytest.mark.parametrize("differs", [None, 1, 2, 3, 4])
def test_replicates_are_compared_on_three_batches(differs: int | None) -> None:
    class Subject:
        def replicate(self, r: int) -> Any:
            values = {i: torch.tensor([float(r and i == differs)]) for i in (1, 2, 3, 4)}
            return SimpleNamespace(batches=lambda i: (values[i], torch.zeros(1)))

    if differs in (1, 2, 3):
        diagnose._check_draws(Subject(), True)  # type: ignore[arg-type]
        return
    with pytest.raises(nne.NotDiagnosable if hasattr(nne, "NotDiagnosable") else ValueError, match="the same batches"):
        diagnose._check_draws(Subject(), True)  # type: ignore[arg-type]


# --- intervals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("total", [1, 2, 5, 6, 8, 9, 11, 12, 20])
def test_intervals_of_medians_are_order_statistics(total: int) -> None:
    """The r-th smallest and the r-th largest, r the largest with P(Bin(R, ½) < r) <= 2.5 %, by sums of binomials."""
    values = np.random.default_rng(total).permutation(total).astype(float)
    chances = [math.comb(total, k) / 2**total for k in range(total + 1)]
    rank = max(r for r in range(total) if sum(chances[:r]) <= 0.025 + 1e-15)
    middle, low, high = (float(v) for v in median_interval(values, 0.95))
    assert middle == (total - 1) / 2
    assert (low, high) == ((rank - 1, total - rank) if rank else (-math.inf, math.inf))
    values[values.argmax()] = math.nan  # counts as the largest
    assert float(median_interval(values, 0.95)[2]) == (math.inf if rank <= 1 else high)


@pytest.mark.parametrize(("count", "total"), [(0, 11), (1, 11), (5, 11), (10, 11), (11, 11), (0, 1), (1, 1)])
def test_bounds_of_shares_leave_five_per_cent(count: int, total: int) -> None:
    """At the lower bound so many or more, and at the upper one so many or fewer, have probability 5 %."""

    def tail(p: float, numbers) -> float:
        return sum(math.comb(total, k) * p**k * (1 - p) ** (total - k) for k in numbers)

    lower, upper = share_bounds(count, total, 0.95)
    assert lower == 0 if count == 0 else tail(lower, range(count, total + 1)) == pytest.approx(0.05)
    assert upper == 1 if count == total else tail(upper, range(count + 1)) == pytest.approx(0.05)


def test_intervals_of_means_are_students() -> None:
    """t = 4.302653 for two degrees of freedom and 95 %; one value, or one that is not finite, says nothing."""
    mean, low, high = mean_interval(np.array([1.0, 2.0, 6.0]), 0.95)
    half = 4.302652729911275 * math.sqrt(7.0) / math.sqrt(3)
    assert (mean, low, high) == pytest.approx((3.0, 3.0 - half, 3.0 + half), rel=1e-9)
    assert mean_interval(np.array([2.0]), 0.95) == (2.0, -math.inf, math.inf)
    assert mean_interval(np.array([2.0, 4.0]), 0.95)[1] > -math.inf
    assert mean_interval(np.array([2.0, math.inf]), 0.95) == (math.inf, -math.inf, math.inf)


# --- what is left open ----------------------------------------------------------------------------------------------


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
        diagnose.diagnose_subject(linear(0.5), "x", steps=60, budget=3000)
    assert seen == [3000.0, 100.0 + 3000.0 - 12 * 30 * 4.0]
    with pytest.raises(Stop):
        diagnose.diagnose_subject(linear(0.5), "x", steps=60, replicates=3)
    assert seen[2:] == [math.inf]


class Counting(nn.Module):
    """Outputs are multiplied by a running mean, which every forward pass moves; another buffer counts the passes."""

    mean: torch.Tensor
    count: torch.Tensor

    def __init__(self, reads: bool) -> None:
        super().__init__()
        self.linear, self.reads = nn.Linear(2, 1).double(), reads
        self.register_buffer("mean", torch.ones((), dtype=torch.float64))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            self.mean.mul_(0.9).add_(0.1 * x.mean())
            self.count.add_(1)
        return self.linear(x) * (self.mean.clone() if self.reads else 1.0)


@pytest.mark.parametrize("reads", [True, False])
def test_one_buffer_that_is_read_is_enough_to_have_no_derivative(reads: bool) -> None:
    model = Counting(reads)
    step, state = nne.from_torch(model, nn.functional.mse_loss, torch.optim.SGD(model.parameters(), lr=0.1))
    batch = torch.full((3, 2), 2.0).double(), torch.zeros(3, 1).double()
    why = derivative.why_no_derivative(step, state, batch)
    assert (why is not None) == reads
    assert why is None or "reads buffers that its steps change" in why


def test_an_unknown_argument_is_named_with_those_that_are_taken() -> None:
    model = torch.nn.Linear(1, 1)
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    batches = nne.ArrayBatches(torch.ones(4, 1), torch.ones(4, 1), batch_size=2, seed=0)
    message = r"diagnose\(\) has no argument 'dtype'; those of from_torch that it takes are schedule, transform, random"
    with pytest.raises(TypeError, match=message):
        nne.diagnose(model, torch.nn.functional.mse_loss, sgd, batches, dtype="float32")  # type: ignore[call-arg]
