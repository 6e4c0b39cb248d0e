"""What is recorded of a loader: its first batches, epoch after epoch, as copies, up to a limit of memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from nn_experiments.training import from_loop  # noqa: E402
from nn_experiments.training.batches import Batch  # noqa: E402
from nn_experiments.training.from_loop import RecordedBatches, _differing  # noqa: E402


def batch(k: int) -> list[torch.Tensor]:
    return [torch.full((2,), float(k)), torch.tensor([k])]


def labels(recorded: list[Any]) -> list[int]:
    return [int(one[1]) for one in recorded]


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 6, 7])
def test_a_loader_of_three_batches_is_read_epoch_after_epoch(steps: int) -> None:
    begun = []

    class Loader:
        def __iter__(self) -> Iterator[list[torch.Tensor]]:
            begun.append(0)
            for k in range(3):
                begun[-1] += 1
                yield batch(k)

    assert from_loop.LARGEST == 4 * 2**30
    assert labels(from_loop._record(Loader(), steps)) == [k % 3 for k in range(steps)]
    assert sum(begun) == steps  # no batch more than is needed
    assert len(begun) == -(-steps // 3)


def test_an_iterator_is_read_once() -> None:
    """It has no second epoch, so that as many batches as it has can be recorded."""
    assert labels(from_loop._record(iter([batch(0), batch(1)]), 2)) == [0, 1]
    with pytest.raises(ValueError, match="the loader yields 2 batches, and steps=3 are asked for"):
        from_loop._record(iter([batch(0), batch(1)]), 3)
    with pytest.raises(ValueError, match="the loader yields 0 batches, and steps=1 are asked for"):
        from_loop._record([], 1)


def test_batches_are_copies() -> None:
    """Also of tensors that need gradients, and inside of containers; other things are kept as they are."""
    text, number = "text", torch.ones(2, requires_grad=True)
    inner = torch.zeros(2)
    (recorded,) = from_loop._record([({"a": inner, "b": [number]}, text)], 1)
    inner += 1
    assert recorded[0]["a"].tolist() == [0.0, 0.0]
    assert not recorded[0]["b"][0].requires_grad
    assert recorded[0]["b"][0] is not number
    assert recorded[1] is text


@pytest.mark.parametrize(("limit", "count"), [(31, 1), (32, 2), (63, 3), (64, 4), (1000, None)])
def test_batches_beyond_the_memory_are_refused(limit: int, count: int | None, monkeypatch) -> None:
    """Each batch has two float32 and one int64 number: 16 bytes; so many together are allowed, and no more."""
    monkeypatch.setattr(from_loop, "LARGEST", limit)
    loader = [batch(k) for k in range(5)]
    fitting = limit // 16
    if count is None:
        assert len(from_loop._record(loader, 5)) == 5
        return
    assert len(from_loop._record(loader, fitting)) == fitting == count
    with pytest.raises(ValueError, match=f"{fitting + 1} batches take more than 0 GiB of memory"):
        from_loop._record(loader, 5)


def test_pairs_are_inputs_and_targets_and_anything_else_is_inputs() -> None:
    pair, three, alone = batch(5), (*batch(6), None), torch.ones(2)
    batches = RecordedBatches([pair, tuple(pair), three, alone])
    for i in (1, 2):
        found = batches(i)
        assert found.inputs is pair[0]
        assert found.targets is pair[1]
        assert found.index == i
    for i, whole in ((3, three), (4, alone)):
        assert batches(i).inputs is whole
        assert batches(i).targets is None
        assert batches(i).index == i
    assert len(batches) == 4
    with pytest.raises(IndexError, match="batch 5 was not recorded: pass steps=5 to from_loop"):
        batches(5)
    with pytest.raises(ValueError, match="the index of a batch must be an integer of at least 1"):
        batches(0)


def test_the_first_tensor_that_differs_is_named() -> None:
    """NaN is equal to itself there."""
    one = {"a": torch.tensor([1.0, torch.nan]), "b": torch.zeros(1), "c": torch.zeros(1)}
    assert _differing(one, {name: value.clone() for name, value in one.items()}) is None
    assert _differing(one, one | {"c": torch.ones(1), "b": torch.ones(1)}) == "b"
    assert _differing(one, one | {"a": torch.tensor([2.0, torch.nan])}) == "a"


@pytest.mark.parametrize(
    ("slopes", "named"),
    [
        ([None, None], None),
        ([[0.0, 0.0], None], None),
        ([[0.0, 1.0], None], "weight"),
        ([[0.0, 0.0], [2.0]], "bias"),
        ([None, [torch.nan]], "bias"),
    ],
)
def test_a_gradient_that_is_left_has_an_entry_that_is_not_zero(slopes: list[Any], named: str | None) -> None:
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for p, slope in zip(model.parameters(), slopes, strict=True):
        p.grad = None if slope is None else torch.tensor(slope).reshape(p.shape)
    loop = from_loop._FunctionLoop(model, optimizer, print, whole=True, forms=[None], seed=0, frozen=False)
    assert loop.has_gradients() == named


@dataclass(frozen=True)
class Example:
    """A batch of the user's own."""

    x: torch.Tensor
    parts: dict[str, Any]


def test_batches_that_are_dataclasses_are_copied_with_their_tensors() -> None:
    """Frozen dataclasses are copied as well, with nested containers of tensors. A class is recorded unchanged."""
    given = Example(torch.zeros(2), {"y": [torch.ones(1)], "name": "first"})
    (recorded,) = from_loop._record([given], 1)
    assert type(recorded) is Example
    given.x.add_(5)
    given.parts["y"][0].add_(5)
    assert recorded.x.tolist() == [0.0, 0.0]
    assert recorded.parts["y"][0].tolist() == [1.0]
    assert recorded.parts["name"] == "first"
    assert from_loop._record([Example], 1) == [Example]


@pytest.mark.parametrize("randomness", ["refused", "frozen"])
@pytest.mark.filterwarnings("ignore:.*a slower path")
def test_generators_are_seeded_where_that_is_asked_for(randomness: str) -> None:
    """As the step itself says."""
    torch.manual_seed(0)
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def train(model: Any, optimizer: Any, one: Any) -> None:
        optimizer.zero_grad()
        model(one[0]).square().mean().backward()
        optimizer.step()

    loader = [(torch.full((3, 2), k + 1.0), torch.zeros(3, 1)) for k in range(3)]
    step, *_ = from_loop.from_loop(model, optimizer, loader, train_step=train, steps=3, randomness=randomness)
    assert step.describe()["randomness"] == step.loop.frozen == (randomness == "frozen")


# --- how they are handed over, and how many are compared --------------------------------------------------------------


@pytest.mark.parametrize(
    ("index", "kind"), [(1, tuple), (2, list), (3, None), (4, tuple), (0, tuple), (-1, tuple), (99, tuple)]
)
def test_a_batch_is_handed_over_in_its_own_form_or_in_that_of_the_first(index: int, kind: type | None) -> None:
    """Batches 1 to 3 were a tuple, a list and a tensor. Any other index gets the form of batch 1."""
    loop = from_loop._FunctionLoop.__new__(from_loop._FunctionLoop)
    loop.forms = [tuple, list, None]
    found = loop._as_recorded(Batch(torch.ones(1), torch.zeros(1), index))
    assert type(found) is (torch.Tensor if kind is None else kind)


@pytest.mark.parametrize(
    ("recorded", "seconds", "counts"),
    [
        (1, 0.0, [1]),
        (2, 0.0, [2]),
        (3, 0.0, [3]),
        (4, 0.75, [3, 4]),
        (10, 0.0, [3, 10]),
        (10, 0.25, [3, 10]),
        (10, 0.5, [3, 6]),
        (10, 0.75, [3, 4]),
        (10, 1.0, [3]),
        (10, 64.0, [3]),
    ],
)
def test_as_many_batches_are_compared_as_three_seconds_allow(
    recorded: int, seconds: float, counts: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three in any case, if there are so many; a clock that moves by so many seconds for each batch."""
    clock, compared = [100.0], []

    def compare(user: Any, step: Any, state: Any, batches: Any, count: int) -> None:
        compared.append(count)
        clock[0] += seconds * count

    monkeypatch.setattr(from_loop, "_compare", compare)
    monkeypatch.setattr(from_loop, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    batches = RecordedBatches([batch(k) for k in range(recorded)])
    assert from_loop._check_one_by_one(None, None, {}, batches) == counts[-1]  # type: ignore[arg-type]
    assert compared == counts
