"""When two batches count as the same: their tensors, of every type and layout, arrays, and other values in them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from nn_experiments.diagnosis import diagnose  # noqa: E402
from nn_experiments.diagnosis.law import NotDiagnosable, law_of  # noqa: E402


def objects(letters: str) -> Any:
    """Return an array that holds a text of its own, as a Python object."""
    return np.array([" ".join(letters)], dtype=object)


#: Two values of one kind, and a third that equals the first.
KINDS: dict[str, tuple[Any, Any, Any]] = {
    "numbers": (torch.tensor([1.0, 2.0]), torch.tensor([1.0, 3.0]), torch.tensor([1.0, 2.0])),
    "types": (torch.ones(2), torch.ones(2).double(), torch.ones(2)),
    "types of as many bytes": (torch.zeros(2), torch.zeros(2, dtype=torch.int32), torch.zeros(2)),
    "shapes": (torch.ones(2, 3), torch.ones(3, 2), torch.ones(2, 3)),
    "bfloat16": (torch.ones(2).bfloat16(), torch.zeros(2).bfloat16(), torch.ones(2).bfloat16()),
    "one number": (torch.tensor(1.0), torch.tensor(2.0), torch.tensor(1.0)),
    "conjugate views": (torch.tensor([1j]).conj(), torch.tensor([1j]), torch.tensor([complex(0, -1)])),
    "negative views": (torch._neg_view(torch.ones(1)), torch.ones(1), -torch.ones(1)),
    "columns": (torch.eye(3)[:, 1], torch.eye(3)[:, 2], torch.eye(3)[1]),
    "sparse": (torch.eye(2).to_sparse(), torch.ones(2, 2).to_sparse(), torch.eye(2).to_sparse()),
    "gradients": (torch.ones(2, requires_grad=True), torch.zeros(2, requires_grad=True), torch.ones(2)),
    "arrays": (np.array([1, 2]), np.array([1, 3]), np.array([1, 2])),
    "shapes of arrays": (np.ones((2, 3)), np.ones((3, 2)), np.ones((2, 3))),
    "arrays of texts": (objects("ab"), objects("ac"), objects("ab")),
    "texts": ("one text", "another", "one text"),
    "in a dictionary": ({"ids": [1, 2]}, {"ids": [1, 3]}, {"ids": [1, 2]}),
    "keys": ({"a": torch.ones(1)}, {"b": torch.ones(1)}, {"a": torch.ones(1)}),
}


def of(*values: Any) -> Any:
    """Return batches that go through some values for ever."""
    return lambda i: (values[i % len(values)], torch.zeros(1))


@pytest.mark.parametrize("kind", KINDS)
def test_batches_are_told_apart_by_all_that_they_hold(kind: str) -> None:
    """Five values are no period of two; the same five, of which all are equal, are one batch."""
    one, two, same = KINDS[kind]
    order = np.random.default_rng(0).integers(2, size=64)
    law = law_of(lambda i: ((one, two)[order[i - 1]], torch.zeros(1)), 64, sampling="iid", constant=True)
    assert law.independent
    with pytest.raises(NotDiagnosable, match="every batch is the same"):
        law_of(of(one, same), 64, sampling="iid", constant=True)
    with pytest.raises(NotDiagnosable, match="repeat after 2"):
        law_of(of(one, two), 64, sampling="iid", constant=True)


@pytest.mark.parametrize("where", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_replicates_are_told_apart_by_inputs_and_by_targets(kind: str, where: int) -> None:
    one, two, same = KINDS[kind]

    def pair(value: Any) -> Any:
        return lambda i: (value, "y") if where == 0 else ("x", value)

    def check(first: Any, second: Any) -> None:
        subject = SimpleNamespace(replicate=lambda r: SimpleNamespace(batches=pair((first, second)[r])))
        diagnose._check_draws(subject, True)  # type: ignore[arg-type]

    check(one, two)
    with pytest.raises(NotDiagnosable, match="two replicates have the same batches"):
        check(one, same)


@pytest.mark.parametrize(("period", "used"), [(2, 4), (3, 6), (32, 64), (32, 200)])
def test_a_period_is_seen_that_fits_twice_into_what_is_compared(period: int, used: int) -> None:
    """64 batches are compared at most; a period of 33, or one that did not come twice, is not seen."""
    values = [torch.tensor([float(k)]) for k in range(period)]
    with pytest.raises(NotDiagnosable, match=f"repeat after {period},"):
        law_of(of(*values), used, sampling="iid", constant=True)
    assert law_of(of(*values), 2 * period - 1, sampling="iid", constant=True).independent
    more = [torch.tensor([float(k)]) for k in range(33)]
    assert law_of(of(*more), 200, sampling="iid", constant=True).independent
    assert law_of(of(more[0]), 1, sampling="iid", constant=True).independent  # one batch is the same as itself
    with pytest.raises(NotDiagnosable, match="every batch is the same"):
        law_of(of(more[0]), 2, sampling="iid", constant=True)


def test_no_more_batches_are_drawn_than_are_compared() -> None:
    asked: list[int] = []

    def batches(i: int) -> Any:
        asked.append(i)
        return torch.tensor([float(i)]), torch.zeros(1)

    law_of(batches, 1000, sampling="iid", constant=True)
    assert asked == list(range(1, 65))
