"""Losses and accuracies of a model of one number: slices of rows, data of any form, and what is refused by how much."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from nn_experiments.training import measures as module  # noqa: E402
from nn_experiments.training.measures import _as_tensors, measures  # noqa: E402


class Shift(nn.Module):
    """x + b."""

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.b = nn.Parameter(torch.zeros((), dtype=dtype))
        self.seen: list[int] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.append(len(x))
        return x + self.b


def gap(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return (outputs - targets).mean()


def state(b: float, dtype: torch.dtype = torch.float32) -> Any:
    return {"parameters": {"b": torch.tensor(b, dtype=dtype)}}


@pytest.mark.parametrize(
    ("rows", "slices"), [(1, [1] * 5), (2, [2, 2, 1]), (3, [3, 2]), (4, [4, 1]), (5, [5]), (6, [5]), (1000, [5])]
)
def test_a_mean_over_slices_weighs_each_by_its_rows(rows: int, slices: list[int]) -> None:
    """The inputs 1, 2, 4, 8 and 16 and b = 1 have the mean 36/5, to the last bit in double precision."""
    x = torch.tensor([1.0, 2.0, 4.0, 8.0, 16.0])
    measure = measures(Shift(), gap, test=(x, torch.zeros(5)), rows=rows)["test_loss"]
    measure.model.seen.clear()  # type: ignore[attr-defined]
    found = measure(state(1.0))
    assert found.dtype == torch.float64
    assert found.shape == ()
    assert float(found) == pytest.approx(36 / 5, rel=1e-7)  # means of float32
    assert measure.model.seen == slices  # type: ignore[attr-defined]


def test_rows_are_1000_where_none_are_named() -> None:
    x = torch.zeros(2001)
    measure = measures(Shift(), gap, test=(x, x))["test_loss"]
    measure.model.seen.clear()  # type: ignore[attr-defined]
    measure(state(0.0))
    assert measure.model.seen == [1000, 1000, 1]  # type: ignore[attr-defined]


@pytest.mark.parametrize("rows", [1, 2, 3, 4])
def test_an_accuracy_is_the_fraction_of_rows_that_are_right(rows: int) -> None:
    """Three of four rows have the largest output at their class; b moves all outputs alike."""
    x = torch.tensor([[0.0, 1.0], [2.0, 1.0], [0.0, 3.0], [5.0, 4.0]])
    both = measures(
        Shift(), nn.functional.cross_entropy, train=(x, torch.tensor([1, 0, 1, 1])), accuracy=True, rows=rows
    )
    assert list(both) == ["train_loss", "train_accuracy"]
    for b in (0.0, 7.0):
        found = both["train_accuracy"](state(b))
        assert (found.dtype, float(found)) == (torch.float64, 0.75)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("level", [0.0, 1.0, 16.0], ids=["mean 0", "mean 1", "mean 16"])
@pytest.mark.parametrize("count", [2, 5])
def test_a_loss_of_slices_may_differ_by_rounding(count: int, level: float, dtype: torch.dtype) -> None:
    """By 64 units in the last place for each row, of 1 and of the loss itself; and not by a hundredth more."""
    x = torch.full((count + 1,), level, dtype=dtype)
    allowed = 64 * count * torch.finfo(dtype).eps * (1 + level)

    def refusal(by: float) -> str:
        def loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            return gap(outputs, targets) + (by if len(outputs) == count else 0.0)

        try:
            measures(Shift(dtype), loss, test=(x, 0 * x), rows=count)
        except ValueError as error:
            return str(error)
        return ""

    assert refusal(0.0) == ""
    for sign in (1, -1):
        assert refusal(0.99 * sign * allowed) == ""
        text = refusal(1.01 * sign * allowed)
        assert f"on {count} rows it is" in text
        assert f"give rows={count + 1} or more" in text


def test_a_loss_is_looked_at_in_slices_only_where_there_will_be_some() -> None:
    """A sum over rows: taken for data that are evaluated at once, and refused for a row more."""
    calls: list[int] = []

    def total(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        calls.append(len(outputs))
        return (outputs - targets).sum()

    x = torch.arange(1.0, 41.0)
    assert float(measures(Shift(), total, test=(x, 0 * x), rows=40)["test_loss"](state(0.0))) == 820.0
    assert module.MOST == 32
    assert calls == [7, 40]  # some rows over all the data to see whether it runs, and the measurement
    calls.clear()
    with pytest.raises(ValueError, match=r"on 7 rows .* give rows=40 or more"):
        measures(Shift(), total, test=(x, 0 * x), rows=39)
    assert calls == [7, 1, 6]
    classes = torch.arange(40)
    calls.clear()
    with pytest.raises(ValueError, match="on 32 rows"):
        measures(Shift(), total, test=(x, classes), rows=39)
    assert calls == [32, 1, 31]
    measures(Shift(), total, test=(x[:1], x[:1]), rows=1)
    assert float(measures(Shift(), total, test=(x[:2], 0 * x[:2]), rows=1)["test_loss"](state(0.0))) == 1.5


PAIR = np.zeros((3, 2), np.float32), np.zeros(3, np.int64)


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (PAIR[0], TypeError, "data must be a pair .*; got ndarray$"),
        ((*PAIR, 1), TypeError, "data must be a pair .*; got tuple of length 3$"),
        (list(PAIR[:1]), TypeError, "data must be a pair .*; got list of length 1$"),
        ({"x": 1, "y": 2}, TypeError, "data must be a pair .*; got dict$"),
        ((PAIR[0], None), TypeError, r"data must be two tensors or arrays, got \['ndarray', 'NoneType'\]"),
        (([PAIR[0], 1.0], PAIR[1]), TypeError, r"data must be two tensors or arrays, got \['list', 'ndarray'\]"),
        ((PAIR[0], torch.tensor(1)), ValueError, "data needs a row for each example, got a tensor without an axis"),
        ((torch.tensor(1), PAIR[1]), ValueError, "data needs a row for each example, got a tensor without an axis"),
        ((PAIR[0], PAIR[1][:2]), ValueError, "as many inputs as targets and at least one, got 3, 2$"),
        (((PAIR[0], PAIR[0][:2]), PAIR[1]), ValueError, "as many inputs as targets and at least one, got 2 or 3, 3$"),
        ((PAIR[0], (PAIR[1], PAIR[1][:1])), ValueError, "as many inputs as targets and at least one, got 3, 1 or 3$"),
        ((PAIR[0][:0], PAIR[1][:0]), ValueError, "as many inputs as targets and at least one, got 0, 0$"),
        (((), ()), ValueError, "as many inputs as targets and at least one, got none, none$"),
    ],
    ids=[
        "alone",
        "three",
        "one",
        "names",
        "no targets",
        "a number",
        "scalar targets",
        "scalar inputs",
        "fewer targets",
        "unequal inputs",
        "unequal targets",
        "no rows",
        "nothing",
    ],
)
def test_data_are_a_pair_with_as_many_rows(data: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        _as_tensors("data", data)


def test_data_of_several_parts_are_taken_with_their_arrays_as_tensors() -> None:
    x, y = _as_tensors("data", [{"a": PAIR[0], "b": torch.ones(3, 1)}, PAIR[1]])
    assert isinstance(x, dict)
    assert torch.equal(x["a"], torch.zeros(3, 2))
    assert torch.equal(x["b"], torch.ones(3, 1))
    assert torch.equal(y, torch.zeros(3, dtype=torch.int64))
    assert module._length(x) == module._length(y) == 3


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (
            torch.zeros(3, 2),
            torch.zeros(3),
            r"targets that are integer classes.*outputs \(1, 2\); got torch.float32 of",
        ),
        (torch.zeros(3, 2), torch.zeros(3, 2).long(), r"outputs \(1, 2\); got torch.int64 of shape \(3, 2\)"),
        (torch.zeros(3), torch.zeros(3).long(), r"outputs \(1,\); got torch.int64 of shape \(3,\)"),
        (torch.zeros(3, 4, 2), torch.zeros(3).long(), r"outputs \(1, 4, 2\); got torch.int64 of shape \(3,\)"),
        (torch.zeros(3, 4, 2), torch.zeros(3, 4).long(), None),
        (torch.zeros(3, 2), torch.zeros(3).long(), None),
        (torch.zeros(3, 2), torch.zeros(3, dtype=torch.int32), None),
        (torch.zeros(3, 2), torch.zeros(3, dtype=torch.complex64), "integer classes"),
    ],
    ids=["numbers", "one-hot", "no axis of classes", "many rows", "many classes", "classes", "int32", "complex"],
)
def test_classes_are_integers_for_all_axes_of_the_outputs_but_the_last(x, y, words: str | None) -> None:
    if words is None:
        module._check_classes("test", Shift(), x, y)
        return
    with pytest.raises(TypeError, match=words):
        module._check_classes("test", Shift(), x, y)
