"""How recorded indices and passes over samplers become epochs, on sequences that can be counted by hand (no torch)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nn_experiments.orders.recording import Recording, read_indices, record


def of(order: object, **options: Any) -> Recording:
    given = {"epochs": 2, "before_epoch": None, "population": None, "epoch_length": None, "rows": "epochs"} | options
    return record(order, **given)


def epochs(order: object, **options: Any) -> list[list[int]]:
    return [epoch.tolist() for epoch in of(order, **options).epochs]


@pytest.mark.parametrize(
    ("sequence", "expected"),
    [
        ([3, 1, 2, 3, 1, 2, 3], [[3, 1, 2], [3, 1, 2], [3]]),
        ([3, 1, 2, 2, 1, 3], [[3, 1, 2], [2, 1, 3]]),
        ([3, 1, 2, 3, 1], [[3, 1, 2], [3, 1]]),
        ([3, 1, 2, 3, 1, 1], [[3, 1, 2], [3, 1, 1]]),
        ([0, 1, 1, 0, 1, 1], [[0, 1], [1, 0], [1, 1]]),
        ([0, 1, 2, 3], [[0, 1, 2, 3]]),
        ([5, 5, 5], [[5], [5], [5]]),
        ([0, 1, 0, 1, 2, 0, 1, 0, 1, 2], [[0, 1, 0], [1, 2, 0], [1, 0, 1], [2]]),
        ([7], [[7]]),
    ],
    ids=str,
)
def test_one_sequence_is_cut_by_the_number_of_its_different_indices(sequence: list, expected: list) -> None:
    for order in (sequence, np.array(sequence), [sequence], tuple(sequence)):
        assert epochs(order) == expected
    assert of(sequence).population == max(sequence) + 1
    assert of(sequence, population=100).population == 100
    assert of(sequence).source == "recorded indices"
    assert not of(sequence).set_epoch


@pytest.mark.parametrize(
    ("order", "options", "expected"),
    [
        ([[0, 1, 2], [3, 4]], {}, [[0, 1, 2], [3, 4]]),
        ([[0, 1, 2], [3, 4]], {"epoch_length": 2}, [[0, 1], [2, 3], [4]]),
        ([[0, 1, 2], [3, 4]], {"rows": "batches"}, [[0, 1, 2, 3, 4]]),
        ([[0, 1], [2, 0], [1, 2]], {"rows": "batches"}, [[0, 1, 2], [0, 1, 2]]),
        ([[0, 1, 0, 1], [1, 0, 0]], {"population": 2}, [[0, 1], [0, 1], [1, 0], [0]]),  # no epoch is longer than M
        ([[0, 1, 0, 1], [1, 0, 0]], {}, [[0, 1], [0, 1], [1, 0], [0]]),
        ([[0, 1, 0], []], {"population": 9}, [[0, 1, 0]]),
        ([[[0, 1], [2]], [[2, 1], [0]]], {}, [[0, 1, 2], [2, 1, 0]]),  # batches of unlike lengths
        (np.arange(12).reshape(2, 3, 2), {}, [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]),
        (np.arange(6), {"epoch_length": 4}, [[0, 1, 2, 3], [4, 5]]),
        ([np.arange(3), [2, 1, 0]], {}, [[0, 1, 2], [2, 1, 0]]),
    ],
    ids=str,
)
def test_rows_are_epochs_or_batches(order: object, options: dict, expected: list) -> None:
    assert epochs(order, **options) == expected


class Sampler:
    """A sampler of one's own: pass k begins with k, and counts on."""

    def __init__(self, length: int | None = 3, **more: Any) -> None:
        self.length, self.passes = length, 0
        vars(self).update(more)

    def __iter__(self) -> Iterator[int]:
        first, self.passes = self.passes, self.passes + 1
        return itertools.islice((i % 4 for i in itertools.count(first)), self.length)


class Nested:
    """Batches of two from another sampler."""

    def __init__(self, sampler: object) -> None:
        self.sampler = sampler

    def __iter__(self) -> Iterator[list[int]]:
        one = iter(self.sampler)  # type: ignore[call-overload]
        while batch := list(itertools.islice(one, 2)):
            yield batch


@pytest.mark.parametrize("wrap", [lambda one: one, Nested], ids=["indices", "batches"])
def test_every_pass_is_an_epoch(wrap: Callable[[object], object]) -> None:
    sampler = Sampler(data_source=range(9))
    order = wrap(sampler)
    found = of(order, epochs=3)
    assert [epoch.tolist() for epoch in found.epochs] == [[0, 1, 2], [1, 2, 3], [2, 3, 0]]
    assert (found.population, found.set_epoch) == (9, False)
    assert found.source == f"3 passes over {type(order).__name__}"
    assert sampler.passes == 0  # put back
    assert of(order, population=5).population == 5


def test_what_is_called_before_each_pass() -> None:
    called: list[int] = []
    sampler = Sampler(data_source=range(4), set_epoch=called.append)
    assert of(sampler).set_epoch  # it has one, which was not called
    assert of(Nested(sampler)).set_epoch
    assert not of(sampler, epochs=3, before_epoch=called.append).set_epoch
    assert called == [0, 1, 2]


@pytest.mark.parametrize(
    ("number", "expected"), [(1, [[0, 1, 2, 3]]), (2, [[0, 1, 2, 3]] * 2), (3, [[0, 1, 2, 3]] * 3)]
)
def test_an_endless_sampler_is_cut_after_so_many_epochs_of_the_population(number: int, expected: list) -> None:
    """All of them in one pass."""
    found = of(Sampler(None, data_source=range(4)), epochs=number)
    assert [epoch.tolist() for epoch in found.epochs] == expected
    assert found.source == "1 passes over Sampler"


def test_the_first_source_that_has_a_length_is_the_population() -> None:
    for name in ("data_source", "dataset", "weights"):
        assert of(Sampler(**{name: range(6)})).population == 6
    assert of(Sampler(data_source=iter(range(6)), weights=range(8))).population == 8
    assert of(Sampler(data_source=range(5), weights=range(8))).population == 5
    assert of(Nested(Sampler(dataset=range(7)))).population == 7
    assert of(Sampler()).population == 4  # none: the largest index and one


class Rule:
    """Batch i of a rule holds i, i + 1, … modulo M."""

    def __init__(self, batch_size: int, population: int) -> None:
        self.sampling, self.batch_size, self.population = "iid", batch_size, population

    def __call__(self, i: int, /) -> np.ndarray:
        return (i + np.arange(self.batch_size)) % self.population


@pytest.mark.parametrize(
    ("size", "population", "expected"),
    [
        (2, 5, [[1, 2, 2, 3], [3, 4, 4, 0], [0, 1, 1, 2]]),  # two batches an epoch
        (5, 5, [[1, 2, 3, 4, 0], [2, 3, 4, 0, 1], [3, 4, 0, 1, 2]]),
        (3, 2, [[1, 0], [1], [0, 1], [0], [1, 0], [1]]),  # one at least, cut where it is longer than the population
    ],
)
def test_an_epoch_of_a_rule_has_the_whole_batches_that_fit(size: int, population: int, expected: list) -> None:
    rule = Rule(size, population)
    assert epochs(rule, epochs=3) == expected
    holder = type("Batches", (), {"sampler": rule})()
    assert epochs(holder, epochs=3) == expected
    assert of(rule).population == population


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1\n2\n3\n", [1, 2, 3]),
        ("1 2\n3 4\n", [[1, 2], [3, 4]]),
        ("1,2;3\n\n4\t5 # 6\n# 7\n", [[1, 2, 3], [4, 5]]),
        ("1\n2 3\n", [[1], [2, 3]]),
        ("1 2 3", [[1, 2, 3]]),
        ("", []),
    ],
)
def test_text_has_an_index_or_an_epoch_on_each_line(text: str, expected: list, tmp_path: Path) -> None:
    path = tmp_path / "indices.txt"
    path.write_text(text, encoding="utf-8")
    assert read_indices(path) == expected
    path.write_text(f"{text}\n 8 # 9\n1 two\n", encoding="utf-8")
    line = len(f"{text}\n 8 # 9\n".splitlines()) + 1
    with pytest.raises(ValueError, match=rf"indices.txt, line {line}: expected integers .*, got '1 two'"):
        read_indices(path)


def test_a_file_that_holds_no_indices_is_named(tmp_path: Path) -> None:
    path = tmp_path / "indices.txt"
    path.write_bytes(b"1\n\xff\n")
    with pytest.raises(ValueError, match=r"indices\.txt is neither text in UTF-8 nor a file whose name ends in \.npy"):
        read_indices(path)
    path.write_bytes(b"1\n2\n")
    assert read_indices(path) == [1, 2]


def test_the_largest_index_is_one_of_64_bits() -> None:
    assert of([2**63 - 1], epoch_length=1).population == 2**63
    with pytest.raises(ValueError, match=f"indices must be below 2.63, got {10**23}"):
        of([10**23, 1])
    for beyond in ([0, 2**64], np.array([0, 2**63], dtype=np.uint64)):
        with pytest.raises(ValueError, match=f"indices must be below 2.63, got {max(map(int, beyond))}"):
            of(beyond)
    with pytest.raises(ValueError, match=r"indices must be integers of at least 0, got 0\.5"):
        of([0.5, 1])
