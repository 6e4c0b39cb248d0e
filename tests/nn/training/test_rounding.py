"""How far two evaluations may differ by rounding: every number by hand, on tensors of a few entries."""

from __future__ import annotations

import itertools
import math

import pytest

torch = pytest.importorskip("torch")

from nn_experiments.training import rounding  # noqa: E402
from nn_experiments.training.batches import Batch  # noqa: E402
from nn_experiments.training.rounding import (  # noqa: E402
    FACTOR,
    FLOOR,
    TRIALS,
    UNITS,
    allowances,
    as_double,
    first_difference,
    floor_of,
    moved,
)

EPS = 2.0**-52
INF, NAN = math.inf, math.nan


def state(*values: float, **buffers: float) -> dict:
    return {
        "parameters": {"w": torch.tensor(values, dtype=torch.float64)},
        "buffers": {name: torch.tensor([value], dtype=torch.float64) for name, value in buffers.items()},
    }


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_starts_are_moved_by_up_to_eight_units(dtype: torch.dtype) -> None:
    value = torch.linspace(-3, 3, 1001, dtype=dtype)
    start = {"parameters": {"w": value, "n": torch.arange(3)}, "buffers": {"b": value}, "optimizer": {}}
    one, again, other = moved(start, 0), moved(start, 0), moved(start, 1)
    unit = torch.finfo(dtype).eps
    change = ((one["parameters"]["w"].double() - value.double()) / value.double()).nan_to_num()
    assert one["parameters"]["w"].dtype == dtype
    assert float(change.abs().max()) <= (UNITS + 1) * unit  # one unit more by rounding the result
    assert float(change.max()) > 0.8 * UNITS * unit
    assert float(change.min()) < -0.8 * UNITS * unit
    assert torch.equal(one["parameters"]["w"], again["parameters"]["w"])
    assert not torch.equal(one["parameters"]["w"], other["parameters"]["w"])
    assert one["parameters"]["n"] is start["parameters"]["n"]
    assert one["buffers"] is start["buffers"]


@pytest.mark.parametrize(
    ("first", "second", "distance"),
    [
        ([1.0, -2.0], [1.0, -2.0], 0.0),
        ([1.0, -2.0], [1.5, -2.25], 0.5),
        ([1.0, -2.0], [1.5, -3.0], 1.0),
        ([1.0], [1.0, 2.0], INF),
        ([], [], 0.0),
        ([NAN, 1.0], [NAN, 1.25], 0.25),
        ([NAN, 1.0], [2.0, 1.0], INF),
        ([INF, 1.0], [INF, 3.0], 2.0),
        ([INF], [-INF], 0.0),  # neither is finite
        ([INF], [1.0], INF),
    ],
)
def test_distances_of_tensors(first: list[float], second: list[float], distance: float) -> None:
    one, two = (torch.tensor(v, dtype=torch.float64) for v in (first, second))
    assert rounding._distance(one, two) == rounding._distance(two, one) == distance
    assert rounding._distance(one.to(torch.complex128), two.to(torch.complex128)) == distance
    assert rounding._distance(one.float(), two) == distance  # in another precision, the numbers are compared


@pytest.mark.parametrize(
    ("values", "floor"),
    [([1.0, -4.0], 4.0), ([3.0, -2.0], 3.0), ([INF, -2.0, 1.0], 2.0), ([NAN, 1.0], 1.0), ([], 0.0), ([0.0], 0.0)],
)
def test_a_thousand_units_of_the_largest_entry_are_allowed(values: list[float], floor: float) -> None:
    value = torch.tensor(values, dtype=torch.float64)
    assert floor_of(value) == FLOOR * EPS * floor
    assert floor_of(value.float()) == FLOOR * 2.0**-23 * floor
    assert floor_of(torch.tensor([7])) == 0.0
    assert floor_of(torch.tensor([3.0 + 4.0j], dtype=torch.complex128)) == FLOOR * EPS * 5.0


def test_what_is_allowed_is_a_hundred_times_what_moved_starts_make() -> None:
    """Two trials, whose ends differ by 0.25 and 0.5 in w and by 1 and 0 in b; the larger one counts, tensor by
    tensor. Entries are at most 2 and 8."""
    ends = [state(1.0, -2.0, b=8.0)]
    others = iter([[state(1.25, -2.0, b=7.0)], [state(1.0, -1.5, b=8.0)]])
    assert TRIALS == 2
    (found,) = allowances(ends, lambda start: next(others), state(1.0, -2.0))  # type: ignore[arg-type]
    assert found == {"w": FLOOR * EPS * 2 + FACTOR * 0.5, "b": FLOOR * EPS * 8 + FACTOR * 1.0}


@pytest.mark.parametrize(("most", "trials"), [(1, 1), (2, 2), (3, 2)])
def test_large_networks_have_one_trial(most: int, trials: int, monkeypatch) -> None:
    """Of more than so many parameters; here there are two."""
    monkeypatch.setattr(rounding, "MANY", most)
    asked: list[dict] = []
    allowances([state(1.0, 2.0)], lambda start: asked.append(start) or [state(1.0, 2.0)], state(1.0, 2.0))
    assert len(asked) == trials
    assert len({tuple(one["parameters"]["w"].tolist()) for one in asked}) == trials


def test_the_first_tensor_that_differs_by_more_is_named() -> None:
    """Step by step; what is allowed itself is allowed, and the next number is not."""
    expected = [state(1.0, b=1.0), state(2.0, b=2.0)]
    assert first_difference(expected, expected) is None
    limits = [{"w": 0.5, "b": 0.25}, {"w": 0.0, "b": 1.0}]
    assert first_difference(expected, [state(1.5, b=1.25), state(2.0, b=3.0)], limits) is None
    just = math.nextafter(1.25, 2)
    assert first_difference(expected, [state(1.5, b=just), state(2.0, b=3.0)], limits) == (1, "b", just - 1, 0.25)
    assert first_difference(expected, [state(1.0, b=1.0), state(2.5, b=2.0)], limits) == (2, "w", 0.5, 0.0)
    floor = FLOOR * EPS
    assert first_difference(expected[:1], [state(1 + floor, b=1.0)]) is None
    assert first_difference(expected[:1], [state(1 + 2 * floor, b=1.0)]) == (1, "w", 2 * floor, floor)
    assert first_difference(expected[:1], [state(1.0)]) == (1, "b", INF, floor)  # one is missing
    assert first_difference(expected[:1], [state(1.0, b=1.0, a=3.0, c=1.0)]) == (1, "a", INF, 0.0)  # two are new
    with pytest.raises(ValueError, match="zip"):
        first_difference(expected, expected[:1])


def test_floating_point_numbers_alone_are_made_double() -> None:
    one, whole = torch.ones(2), torch.arange(2)
    found = as_double({"a": [one, whole], "b": (one, "text"), "c": Batch(one, whole, 7)})
    assert found["a"][0].dtype == found["b"][0].dtype == found["c"].inputs.dtype == torch.float64
    assert found["a"][1] is whole
    assert found["b"][1] == "text"
    assert (type(found["a"]), type(found["b"]), found["c"].index) == (list, tuple, 7)


@pytest.mark.parametrize(
    ("limit", "within"),
    [(5.1, True), (5.0, False), (4.0, False), (1e-100, False), (1e99, True), (1e100, False), (NAN, False)],
)
def test_what_is_surely_within_a_limit_has_its_whole_length_there(limit: float, within: bool) -> None:
    """Differences of 3 and 4, whose length is 5. The largest, 4, is within 4 all the same: False says nothing.

    A limit beyond 1e±100 says nothing either, because its square may overflow or be rounded to 0.
    """
    one, two = torch.zeros(2, 1, dtype=torch.float64), torch.tensor([[3.0], [4.0]], dtype=torch.float64)
    assert rounding._surely_within(one, two, limit) == within
    assert rounding._surely_within(one, 0 * two, limit) == (1e-100 < limit < 1e100)


def test_only_full_float64_tensors_of_one_shape_are_surely_within_a_limit() -> None:
    """One tensor of each pair, or both, is something else, though no entry differs by more than the limit."""
    one, two = torch.zeros(2, 1, dtype=torch.float64), torch.tensor([[3.0], [4.0]], dtype=torch.float64)
    assert rounding._surely_within(one, two, 5.1)
    assert not rounding._surely_within(one, two.float(), 5.1)
    assert not rounding._surely_within(two.float(), one, 5.1)
    assert not rounding._surely_within(one, two[:1], 5.1)
    assert not rounding._surely_within(one, two * NAN, 5.1)
    for strange in (one.float(), one[:0], one.to_sparse(), torch.zeros((), dtype=torch.float64)):
        assert not rounding._surely_within(strange, strange, 5.1)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=["rows", "channels last"])
@pytest.mark.parametrize("chunk", [1, 5, 12, 100])
def test_lengths_are_taken_in_parts(chunk: int, layout: torch.memory_format, monkeypatch) -> None:
    """A row at a time, or several. A difference that is too long is seen wherever it is, and so is what is not finite.

    The 12 differences of 0.1 have the length √0.12 < 0.35, and one of 0.5 is longer. Sums of numbers below 16 are
    rounded by at most 4 EPS, three times, which is less than 40 EPS times the gap of 0.5.
    """
    monkeypatch.setattr(rounding, "CHUNK", chunk)
    one = torch.arange(12.0, dtype=torch.float64).reshape(3, 2, 2, 1)
    near = (one + 0.1).contiguous(memory_format=layout)
    assert rounding._surely_within(one, near, 0.35)
    assert first_difference([_alone(one)], [_alone(near)], [{"w": 0.35}]) is None
    for place in itertools.product(range(3), range(2), range(2), [0]):
        for more, gap in ((0.4, 0.5), (NAN, INF), (-INF, INF)):
            other = near.clone(memory_format=torch.preserve_format)
            other[place] += more
            assert not rounding._surely_within(one, other, 0.35)
            assert not rounding._surely_within(one.permute(1, 0, 2, 3), other.permute(1, 0, 2, 3), 0.35)
            found = first_difference([_alone(one)], [_alone(other)], [{"w": 0.35}])
            assert found == (1, "w", pytest.approx(gap, rel=40 * EPS), 0.35)


def _alone(value: torch.Tensor) -> dict:
    return {"parameters": {"w": value}}
