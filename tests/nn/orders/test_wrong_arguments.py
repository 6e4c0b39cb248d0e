"""Wrong arguments of `audit_order`, `brackets` and `limit` are refused, with the rule and the value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import nn_experiments as nne  # noqa: E402
from tests.nn.refusals import assert_refused  # noqa: E402

MODEL, LOSS = torch.nn.Linear(2, 1), torch.nn.functional.mse_loss
STEP, STATE = nne.from_torch(MODEL, LOSS, torch.optim.SGD(MODEL.parameters(), lr=0.1))
OTHER = {**STATE, "parameters": {name: value + 1 for name, value in STATE["parameters"].items()}}
SAMPLER = torch.utils.data.RandomSampler(range(10))


def batch(i: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.full((2, 2), float(i)), torch.ones(2, 1)


def brackets(**changes: Any) -> Any:
    given = {"batches": batch, "state": STATE, "pairs": [(1, 2)]} | changes
    return nne.brackets(STEP, **given)


def limit(**changes: Any) -> Any:
    return nne.limit(STEP, batch, STATE, OTHER, **({"eps": 1.0, "max_maps": 1} | changes))


Row = tuple[Callable[[Any], Any], Any, Any, type[Exception], str]
PAIRS = "pairs must be a list of pairs of numbers of batches, such as .*, got "
ROWS: dict[str, Row] = {
    "text as an order": (nne.audit_order, [0, 1], "01", TypeError, "recorded indices must be an array or .*, got '01'"),
    "rows of text": (nne.audit_order, [[0, 1]], [["0", "1"]], TypeError, "indices must be integers, got '0'"),
    "a number before an epoch": (
        lambda f: nne.audit_order(SAMPLER, before_epoch=f),
        lambda epoch: None,
        3,
        TypeError,
        "before_epoch must be a function of the number of the epoch, got 3",
    ),
    "a number as pairs": (lambda p: brackets(pairs=p), [(1, 2)], 3, TypeError, PAIRS + "3"),
    "no pairs": (lambda p: brackets(pairs=p), [(1, 2)], None, TypeError, PAIRS + "None"),
    "a number as a dtype": (
        lambda d: brackets(dtype=d),
        torch.float32,
        3,
        TypeError,
        "dtype must be a floating .*got 3",
    ),
    "integers as a dtype": (
        lambda d: brackets(dtype=d),
        None,
        torch.int64,
        TypeError,
        "dtype must be a floating point type of torch, such as torch.float64, or None; got torch.int64",
    ),
    "vectors in words": (lambda v: brackets(vectors=v), True, "x", TypeError, "vectors must be True or False, got 'x'"),
    "batches of nothing": (
        lambda b: brackets(batches=b),
        batch,
        lambda i: None,
        TypeError,
        r"batches\(i\) must return a pair \(inputs, targets\) .*; batches\(\d\) returned NoneType",
    ),
    "eps in words": (lambda x: limit(eps=x), 1, "a", ValueError, "eps must be a finite number > 0, got 'a'"),
    "half a horizon": (
        lambda n: limit(max_maps=n),
        1,
        1.5,
        ValueError,
        "max_maps must be an integer of at least 1, got",
    ),
    "a number as a distance": (
        lambda d: limit(distance=d),
        lambda one, other: 1.0,
        3,
        TypeError,
        r"distance must be a function \(state, state\); got int",
    ),
    "a distance without a value": (
        lambda d: limit(distance=d),
        lambda one, other: 1.0,
        lambda one, other: None,
        TypeError,
        "distance must return a number, got None",
    ),
}


@pytest.mark.parametrize("what", ROWS)
def test_the_wrong_value_is_refused_and_the_right_one_is_taken(what: str) -> None:
    assert_refused(ROWS[what])
