"""The engine on maps of one number, all of whose iterates, distances and costs are known."""

from __future__ import annotations

import math
import sys
import weakref
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import nn_experiments as nne  # noqa: E402
from contraction.maps.errors import NotDeterministic  # noqa: E402
from contraction.maps.orders import Backward, CustomOrder, Forward, Reset  # noqa: E402
from nn_experiments.engine import chain, checking, gpu, iterates, measuring, purity  # noqa: E402
from nn_experiments.engine.state_at import state_at, state_dict  # noqa: E402
from nn_experiments.training.averages import EMA, SWA, Polyak, SuffixMean  # noqa: E402
from nn_experiments.training.metrics import Functions  # noqa: E402
from nn_experiments.training.step import initial_state  # noqa: E402


def number(x: float) -> dict:
    return {"parameters": {"x": torch.tensor(float(x), dtype=torch.float64)}}


def value(state: dict) -> float:
    return float(state["parameters"]["x"])


def halved(state: dict, batch: int, t: int) -> dict:
    return number(value(state) / 2)


def numbered(i: int) -> int:
    return i


# --- the limit by doubling ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("most", "last", "settled"), [(4096, 16, True), (16, 16, True), (15, 8, False), (1, 1, False)])
def test_the_limit_of_halving(most: int, last: int, settled: bool) -> None:
    """T(x) = x/2 from 1, and from 2. Runs that are 16, 17 and 33 maps ahead are 2⁻ⁿ(1 − 2⁻¹⁶), … from iterate n. At
    eps = 0.05 horizons 8 and 16 are the first two in a row that are below it, 4 is at 0.0625."""
    found = nne.limit(halved, numbered, number(1), number(2), eps=0.05, max_maps=most, engine="step")
    n = [2**k for k in range(last.bit_length())]
    assert found.horizons == tuple(n)
    assert (found.n, found.settled, value(found.value)) == (last, settled, 0.5**last)
    assert found.coupling == tuple(0.5**k for k in n)
    assert math.isnan(found.increments[0])
    assert found.increments[1:] == tuple(0.5 ** (k // 2) - 0.5**k for k in n[1:])
    assert found.fresh == tuple(0.5**k * (1 - 0.5**33) for k in n)
    assert found.applications == sum(2 * k + (k + 16) + (k + 17) + (k + 33) for k in n)
    assert found.metadata == {"engine": "step"}


def test_every_start_of_a_limit_applies_the_maps_that_it_should() -> None:
    """(i, t) of every map: two starts, and three that are m maps of later batches ahead when T_n is applied to them."""
    applied: list[tuple[int, int]] = []

    def step(state: dict, batch: int, t: int) -> dict:
        applied.append((batch, t))
        return halved(state, batch, t)

    nne.limit(step, numbered, number(1), number(2), eps=1e-9, max_maps=2, engine="step")
    expected: list[tuple[int, int]] = [(2, 1), (1, 2)] * 2  # the probe
    for n in (1, 2):
        down = range(n, 0, -1)
        expected += [(i, n - i + 1) for i in down] * 2
        for m in (16, 17, 33):
            expected += [(n + m - k, k + 1) for k in range(m)] + [(i, m + n - i + 1) for i in down]
    assert applied == expected


def test_a_limit_is_equal_to_one_with_the_same_numbers_and_the_same_state() -> None:
    one, two = (nne.limit(halved, numbered, number(1), number(2), eps=0.05, engine="step") for _ in range(2))
    other = nne.limit(halved, numbered, number(1), number(2), eps=1e-3, engine="step")
    assert one == two
    assert one != other
    assert one != "a limit"
    assert one.to_dict()["value"] == {"parameters/x": 0.5**16}
    two.value["parameters"]["x"] += 1e-12
    assert one != two


def test_limits_with_one_tensor_of_several_in_common_are_not_equal() -> None:
    """The same numbers; the state has two tensors, and one of them differs."""

    def step(state: dict, batch: int, t: int) -> dict:
        return {"parameters": {name: x / 2 for name, x in state["parameters"].items()}}

    def two(x: float) -> dict:
        return {"parameters": {name: torch.tensor([x], dtype=torch.float64) for name in ("a", "b")}}

    one, other = (nne.limit(step, numbered, two(1), two(2), eps=0.05, engine="step") for _ in range(2))
    assert one == other
    for name in ("a", "b"):
        other.value["parameters"][name] += 1
        assert one != other
        other.value["parameters"][name] -= 1
    assert one == other


# --- one chain after the other --------------------------------------------------------------------------------------


class Kept(dict):
    """A state that can be watched."""


class Watching:
    """A kernel that halves, and knows which of its states are still held by anyone."""

    def __init__(self) -> None:
        self.made: dict[int, weakref.ref] = {}

    def apply(self, state: dict, indices, before: int) -> Kept:
        end = Kept(number(value(state) * 0.5 ** len(indices)))
        self.made[len(self.made)] = weakref.ref(end)
        return end

    def alive(self) -> int:
        return sum(ref() is not None for ref in self.made.values())


@pytest.mark.parametrize(
    ("order", "most"),
    [
        (Forward(), 2),  # iterate n, and that which it was made from
        (Backward(), 1),
        (Reset([4]), 2),
        (CustomOrder(lambda n: [n], lambda n: n // 2), 7),  # 4, 5, 6 and 7 are needed until 8 to 15 are made of them
    ],
    ids=["forward", "backward", "reset", "halves"],
)
def test_no_more_states_are_kept_than_are_needed(order, most: int) -> None:
    kernel, largest = Watching(), 0
    for n, state, _ in chain.walk(kernel, order, range(13), number(1)):  # type: ignore[arg-type]
        assert value(state) == 0.5 ** (n.bit_length() if isinstance(order, CustomOrder) else n)
        largest = max(largest, kernel.alive())
    del state
    assert largest <= most
    assert kernel.alive() == 0


@pytest.mark.parametrize("average", [EMA(0.5), EMA(0.75), Polyak(), SuffixMean(0), SuffixMean(3), SWA(2, every=3)])
def test_averages_are_weighted_sums_of_the_iterates(average) -> None:
    """Exactly, in powers of two or to rounding: maps x + i, whose iterates are 1, 2, 4, 7, 11, …"""

    class Adding:
        def apply(self, state: dict, indices, before: int) -> dict:
            x = state["parameters"]["x"] + sum(indices)
            return {"parameters": {"x": x}, "buffers": {"mean": 2 * x, "count": torch.tensor(len(indices))}}

    iterate = [1.0 + n * (n + 1) / 2 for n in range(10)]

    def by_hand(n: int) -> float:
        match average:
            case EMA(beta=b):
                return b**n * iterate[0] + sum((1 - b) * b ** (n - j) * iterate[j] for j in range(1, n + 1))
            case SWA(start=s, every=e):
                kept = [iterate[j] for j in range(s, n + 1, e)]
                return float(np.mean(kept)) if n > s else iterate[n]
        start = getattr(average, "start", 0)
        return float(np.mean(iterate[start + 1 : n + 1])) if n > start else iterate[n]

    start = number(1) | {"buffers": {"mean": torch.tensor(2.0, dtype=torch.float64), "count": torch.tensor(7)}}
    found = list(chain.averages(Adding(), Forward(), [0, 2, 3, 4, 9], start, average))  # type: ignore[arg-type]
    assert [n for n, *_ in found] == [0, 2, 3, 4, 9]
    for n, state, run in found:
        assert value(state) == pytest.approx(by_hand(n), rel=1e-14), n
        assert float(state["buffers"]["mean"]) == pytest.approx(2 * by_hand(n), rel=1e-14)
        assert int(state["buffers"]["count"]) == (1 if n else 7)  # of iterate n: whole numbers are not averaged
        assert (run is None) == (n == 0)
    assert value(start) == 1.0  # and nothing that was given has changed
    assert [average.weight(n) for n in range(1, 4)] == pytest.approx(
        [
            (by_hand(n) - by_hand(n - 1)) / (iterate[n] - by_hand(n - 1)) if iterate[n] != by_hand(n - 1) else 1
            for n in range(1, 4)
        ]
    )


@pytest.mark.parametrize(("n", "refreshed"), [(1, False), (2, True), (5, True)])
def test_states_of_averages_have_fresh_statistics_from_their_start_on(n: int, refreshed: bool, monkeypatch) -> None:
    """`SWA` with the start 2; other averages are never refreshed, and iterate 0 is θ_0 itself."""
    asked: list[int] = []

    class Fresh:
        def __init__(self, step, batches, count: int) -> None:
            asked.append(count)

        def __call__(self, state: dict) -> dict:
            return number(77)

    monkeypatch.setattr("nn_experiments.engine.state_at.StatisticsRefresh", Fresh)
    start = number(1)
    found = state_at(halved, numbered, start, SWA(2, refresh=3), n, engine="step")
    assert (value(found) == 77) == refreshed
    assert asked == ([3] if refreshed else [])
    assert value(state_at(halved, numbered, start, Polyak(), n, engine="step")) == pytest.approx((1 - 0.5**n) / n)
    assert state_at(halved, numbered, start, Backward(), 0) is start


def test_weights_go_back_under_all_names_that_a_module_has_for_them() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Linear(2, 2), nn.Linear(2, 2)
            self.two.weight = self.one.weight
            self.register_buffer("scale", torch.ones(1))

        def get_extra_state(self) -> dict:
            return {"note": 3}

        def set_extra_state(self, state: dict) -> None:
            self.note = state["note"]

    model = Tied()
    state = initial_state(model)
    state["parameters"]["one.weight"] = torch.full((2, 2), 5.0)
    weights = state_dict(model, state)
    assert set(weights) == {"one.weight", "one.bias", "two.weight", "two.bias", "scale", "_extra_state"}
    assert torch.equal(weights["one.weight"], weights["two.weight"])  # type: ignore[arg-type]
    model.load_state_dict(weights)  # type: ignore[arg-type]
    assert float(model.two.weight.detach().sum()) == 20.0
    assert model.note == 3
    weights["one.weight"].zero_()  # type: ignore[union-attr]
    assert float(state["parameters"]["one.weight"].sum()) == 20.0  # copies
    del state["parameters"]["two.bias"]
    with pytest.raises(KeyError, match=r"the state lacks two\.bias"):
        state_dict(model, state)


# --- what is measured -----------------------------------------------------------------------------------------------


def test_running_out_of_memory_halves_the_number_of_states_that_are_measured_at_once(monkeypatch, capsys) -> None:
    """Two states fit. Five are tried, then three, then two, and two from then on; iterate 0 is measured alone."""
    tried: list[int] = []

    def together(measurement, part, batches):
        tried.append(len(part))
        if len(part) > 2:
            raise torch.OutOfMemoryError("injected")
        return [{"x": np.array(value(state))} for _, state, _ in part]

    monkeypatch.setattr(measuring, "measure_together", together)
    path = [(n, number(n), None) for n in range(10)]
    measurement = Functions({"x": lambda state: state["parameters"]["x"]})
    rows = list(measuring.measure_path(measurement, iter(path), numbered, together=5))  # type: ignore[arg-type]
    assert [row.n for row in rows] == list(range(10))
    assert [float(row.values["x"]) for row in rows] == list(range(10))
    assert tried == [5, 3, 2, 2, 2, 2]
    assert [row.batched for row in rows] == [False, *[True] * 4, False, *[True] * 4]
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "out of memory measuring 5 states: going on with 3",
        "out of memory measuring 3 states: going on with 2",
    ]


def test_one_state_that_does_not_fit_is_an_error_and_not_tried_again() -> None:
    tried: list[float] = []

    def metric(state: dict) -> torch.Tensor:
        tried.append(value(state))
        raise torch.OutOfMemoryError("injected") if len(tried) == 1 else AssertionError("tried again")

    rows = measuring.measure_path(Functions({"x": metric}), iter([(3, number(3), None)]), numbered, together=5)  # type: ignore[arg-type]
    with pytest.raises(torch.OutOfMemoryError, match="injected"):
        list(rows)
    assert tried == [3.0]


def test_batches_of_a_measurement_are_the_newest_and_the_outermost() -> None:
    seen: list[tuple[object, object]] = []

    class OnBatches:
        names, on_batches = ("x",), True

        def __call__(self, state, newest, outermost):
            seen.append((newest, outermost))
            return {"x": state["parameters"]["x"]}

    iterates(halved, numbered, number(1), CustomOrder(lambda n: [1, n] if n > 1 else [1]), [0, 1, 4], OnBatches())
    assert seen[-3:] == [(None, None), (1, 1), (4, 1)]


@pytest.mark.parametrize(("at", "probed"), [([0], 0), ([0, 1], 4), ([1], 4)])
def test_the_start_alone_needs_no_map(at: list[int], probed: int) -> None:
    applied: list[int] = []

    def step(state: dict, batch: int, t: int) -> dict:
        applied.append(batch)
        return halved(state, batch, t)

    found = iterates(step, numbered, number(1), Forward(), at, {"x": lambda s: s["parameters"]["x"]}, engine="step")
    assert len(applied) == probed + (1 if 1 in at else 0)
    assert found.applications == (1 if 1 in at else 0)
    assert found.gradients.tolist() == at


def test_a_metric_that_iterate_0_lacks_is_not_a_number_there() -> None:
    class Late:
        names, on_batches = ("x", "later"), False

        def __call__(self, state, newest, outermost):
            x = state["parameters"]["x"]
            return {"x": x} if x == 1 else {"x": x, "later": torch.stack([x, 2 * x])}

    found = iterates(halved, numbered, number(1), Forward(), [0, 1, 2], Late(), engine="step")
    assert found["x"].tolist() == [1.0, 0.5, 0.25]
    assert np.isnan(found["later"][0]).all()
    assert found["later"][1:].tolist() == [[0.5, 1.0], [0.25, 0.5]]
    assert found.diverged is None or found.diverged > 0


# --- maps that are no functions -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ({"a": [1.0]}, {"b": [1.0]}, r"keys \['a', 'b'\]"),
        ({"a": [1.0]}, {"a": [1.0, 2.0]}, r"a is \(1,\) torch\.float64, then \(2,\) torch\.float64"),
        ({"a": [1.0]}, {"a": [1]}, r"a is \(1,\) torch\.float64, then \(1,\) torch\.int64"),
        ({"a": [1.0, 2.0]}, {"a": [1.5, 1.75]}, r"a by up to 0\.5"),
        ({"a": [1.0], "b": [4.0]}, {"a": [1.0], "b": [1.0]}, r"b by up to 3"),
        ({"a": [math.nan]}, {"a": [math.nan]}, None),
        ({"a": [math.inf, -math.inf]}, {"a": [math.inf, -math.inf]}, None),
        ({"a": [math.nan]}, {"a": [0.0]}, "a by up to nan"),  # no number is as good as NaN
        ({"a": [math.nan, 1.0]}, {"a": [math.nan, 3.0]}, "a by up to 2"),
        ({"a": [math.inf]}, {"a": [sys.float_info.max]}, "a by up to inf"),
        ({"a": [0.0]}, {"a": [-0.0]}, None),
    ],
)
def test_what_differs_between_two_states_is_said(first: dict, second: dict, said: str | None) -> None:
    one, two = (
        {k: torch.tensor(v, dtype=torch.int64 if isinstance(v[0], int) else torch.float64) for k, v in part.items()}
        for part in (first, second)
    )
    answers = iter([one, two])
    if said is None:
        purity.probe_measurement(lambda state: next(answers), number(1))
        return
    with pytest.raises(NotDeterministic, match=f"not the same when asked for again: {said} differ"):
        purity.probe_measurement(lambda state: next(answers), number(1))


# --- kernels that differ, and helpers for cards ---------------------------------------------------------------------


def test_a_kernel_that_failed_is_described_by_the_step_that_ran() -> None:
    class Kernel:
        name, refused = "fast", None

    assert checking.describe(Kernel()) == {"engine": "fast"}  # type: ignore[arg-type]
    Kernel.refused = "it cannot"
    assert checking.describe(Kernel()) == {"engine": "step", "not used": "fast: it cannot"}  # type: ignore[arg-type]


def test_difference_in_words() -> None:
    reference: Any = SimpleNamespace(place=" on the CPU")
    text = checking._in_words((3, "parameters/w", 0.12345, 1.26e-7), reference)
    assert text == (
        "it differs from your own training loop on the CPU in parameters/w by 0.123, where rounding explains 1e-07"
    )


@pytest.mark.parametrize(
    ("device", "limited"), [("cpu", []), ("cuda:1", [(gpu.SHARE, 1)]), ("cuda", [(gpu.SHARE, None)])]
)
def test_memory_is_limited_on_a_card_alone(device: str, limited: list, monkeypatch) -> None:
    calls: list[tuple[float, int | None]] = []
    waited: list[object] = []
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", lambda *given: calls.append(given))
    monkeypatch.setattr(torch.cuda, "synchronize", waited.append)
    gpu.limit_share(device)
    gpu.wait(device)
    assert calls == limited
    assert waited == ([device] if limited else [])


def test_memory_is_given_back_after_running_out_of_it_alone(monkeypatch) -> None:
    freed: list[str] = []
    monkeypatch.setattr(gpu, "free", lambda: freed.append("free"))
    assert gpu.attempt(lambda: None) == (None,)
    assert freed == []

    def fails(error: Exception):
        raise error

    assert gpu.attempt(lambda: fails(torch.OutOfMemoryError("injected"))) is None
    assert freed == ["free"]
    with pytest.raises(RuntimeError, match="another"):
        gpu.attempt(lambda: fails(RuntimeError("another")))
    assert freed == ["free"]


@pytest.mark.parametrize("card", [False, True])
def test_caches_are_emptied_where_there_is_a_card(card: bool, monkeypatch) -> None:
    emptied: list[str] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: card)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append("cache"))
    gpu.free()
    assert emptied == ["cache"] * card


def test_complex_parameters_and_buffers_are_averaged() -> None:
    """Of 1, i, -1 and -i the mean of the last three is -1/3."""

    class Turning:
        def apply(self, state: dict, indices, before: int) -> dict:
            z = 1j * state["parameters"]["z"]
            return {"parameters": {"z": z}, "buffers": {"twice": 2 * z}, "optimizer": {}}

    z = torch.tensor(1 + 0j, dtype=torch.complex128)
    start = {"parameters": {"z": z}, "buffers": {"twice": 2 * z}, "optimizer": {}}
    ((_, state, _),) = chain.averages(Turning(), Forward(), [3], start, Polyak())  # type: ignore[arg-type]
    assert complex(state["parameters"]["z"]) == pytest.approx(-1 / 3)
    assert complex(state["buffers"]["twice"]) == pytest.approx(-2 / 3)
