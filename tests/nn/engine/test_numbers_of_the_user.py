"""Numbers that functions of the user return: distances of `limit`, and the metric of a policy of `state_at`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import contraction as ct  # noqa: E402
import nn_experiments as nne  # noqa: E402


def number(x: float) -> dict[str, Any]:
    return {"parameters": {"x": torch.tensor([x], dtype=torch.float64)}}


def halves(state: dict, batch: Any, t: int) -> dict:
    """θ ← θ/2 + i."""
    return {"parameters": {"x": state["parameters"]["x"] / 2 + batch[0]}}


def numbered(i: int) -> tuple[Any, Any]:
    return torch.tensor([float(i)], dtype=torch.float64), torch.zeros(1)


def value(state: Any) -> Any:
    return state["parameters"]["x"]


def gap(one: Any, other: Any) -> float:
    return float((value(one) - value(other)).abs())


def limit(distance: Callable[[Any, Any], Any]) -> Any:
    return nne.limit(halves, numbered, number(0.0), number(8.0), eps=1e-9, max_maps=4, distance=distance)


KINDS: dict[str, Callable[[float], Any]] = {
    "a float": float,
    "a number of NumPy": np.float64,
    "a tensor": torch.tensor,
    "a tensor with an axis": lambda x: torch.tensor([x]),
    "a tensor with a gradient": lambda x: torch.tensor(x, requires_grad=True),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_distance_is_kept_as_a_float(kind: str) -> None:
    """The two starts are 8/2ⁿ apart under the same maps; in the data for JSON a tensor would be a text."""
    found = limit(lambda one, other: KINDS[kind](gap(one, other)))
    assert found.coupling == (4.0, 2.0, 0.5)
    assert {type(x) for x in (*found.coupling, *found.increments, *found.fresh)} == {float}
    assert found.to_dict()["coupling"] == [4.0, 2.0, 0.5]


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        (None, TypeError, "distance must return a number, got None"),
        ("1", TypeError, "distance must return a number, got '1'"),
        (torch.ones(2), TypeError, r"distance must return a number, got tensor\(\[1\., 1\.\]\)"),
        (torch.tensor(1j), TypeError, r"distance must return a number, got tensor\(0\.\+1\.j\)"),
        (1j, TypeError, "distance must return a number, got 1j"),
        (-1.0, ValueError, r"distance must return a number of at least 0, got -1\.0"),
        (torch.tensor(-0.5), ValueError, r"distance must return a number of at least 0, got -0\.5"),
    ],
    ids=["nothing", "a text", "two numbers", "a complex tensor", "a complex number", "below 0", "a tensor below 0"],
)
@pytest.mark.parametrize("call", [1, 2, 3, 4, 5])
def test_what_is_no_distance_is_refused_at_every_call(
    wrong: Any, error: type[Exception], words: str, call: int
) -> None:
    calls = iter(range(1, 100))
    with pytest.raises(error, match=words):
        limit(lambda one, other: wrong if next(calls) == call else gap(one, other))


def test_a_distance_that_is_not_a_number_ends_the_search() -> None:
    found = limit(lambda one, other: math.nan)
    assert (found.n, found.settled) == (1, False)
    assert math.isnan(found.coupling[0])


def at(n: int, measure: Any, curve: Any = None) -> float:
    curve = nne.ResetIfBetter("x", every=2, better="higher") if curve is None else curve
    return float(value(nne.state_at(halves, numbered, number(0.0), curve, n, measure=measure)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_metric_is_one_number(kind: str) -> None:
    """Backward iterate 2 of 0 is T_1 T_2 0 = 2/2 + 1 = 2, above 0: the run begins again there, T_3 2 = 4."""
    assert at(3, {"x": lambda state: KINDS[kind](float(value(state)))}) == 4.0
    assert at(3, {"x": lambda state: KINDS[kind](-float(value(state)))}) == 1 + (2 + 3 / 2) / 2  # never better
    assert at(3, None, ct.Backward()) == 1 + (2 + 3 / 2) / 2


@pytest.mark.parametrize(
    ("measure", "error", "words"),
    [
        (3, TypeError, "measure must be a dictionary, name -> function of one state, got 3"),
        ([abs], TypeError, "measure must be a dictionary, name -> function of one state, got "),
        (None, ValueError, "looks at a metric: pass measure={'x': …}"),
        ({"y": value}, ValueError, "looks at a metric: pass measure={'x': …}"),
        ({"x": 3}, TypeError, r"measure\['x'\] must be a function \(state\); got int"),
        (
            {"x": lambda: 1.0},
            TypeError,
            r"measure\['x'\] must be a function \(state\); got one with the arguments \(\)",
        ),
        ({"x": lambda state: None}, TypeError, "the metric 'x' must return a number or a small tensor of numbers"),
        ({"x": lambda state: "a"}, TypeError, "the metric 'x' must return a number or a small tensor of numbers"),
        (
            {"x": lambda state: torch.tensor(1j)},
            TypeError,
            "the metric 'x' must return real numbers, got torch.complex",
        ),
        (
            {"x": lambda state: [1.0, 2.0]},
            TypeError,
            r"the metric 'x' must return one number to be compared, got \(2,\)",
        ),
    ],
    ids=[
        "a number",
        "a list",
        "nothing",
        "another metric",
        "no function",
        "no state",
        "None",
        "text",
        "complex",
        "two",
    ],
)
def test_what_a_policy_cannot_look_at_is_refused(measure: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        at(3, measure)


def test_a_dictionary_is_asked_for_where_it_is_not_used() -> None:
    with pytest.raises(TypeError, match="measure must be a dictionary"):
        at(3, 3, ct.Backward())
    assert at(0, {}, ct.Backward()) == 0.0
