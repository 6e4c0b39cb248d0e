"""Which fields of results are equal, how they are hashed, and what JSON is given, one small value at a time."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from contraction.values import HASHED_ENTRIES, ReadOnlyDict, Value, plain

NAN = float("nan")


@dataclass(frozen=True, eq=False)
class One(Value):
    """A result of one field, and two that are not compared, or not shown."""

    value: Any
    unseen: Any = field(default=0, compare=False)
    hidden: Any = field(default=0, repr=False)


def objects(*entries: Any) -> np.ndarray:
    array = np.empty(len(entries), dtype=object)
    array[:] = entries
    return array


EQUAL = {
    "arrays": (np.array([1.0, 2.0]), np.array([1.0, 2.0])),
    "arrays of integers and floats": (np.array([1, 2]), np.array([1.0, 2.0])),
    "arrays of booleans": (np.array([True, False]), np.array([True, False])),
    "arrays with NaN": (np.array([NAN, 1.0]), np.array([NAN, 1.0])),
    "empty arrays": (np.zeros((0, 2)), np.zeros((0, 2))),
    "arrays of fractions": (objects(Fraction(1, 3), 2), objects(Fraction(1, 3), 2)),
    "arrays of objects with NaN": (objects(NAN, Fraction(1, 3)), objects(NAN, Fraction(1, 3))),
    "an array of objects and one of numbers": (objects(1, 2), np.array([1, 2])),
    "arrays of texts": (np.array(["a", "b"]), np.array(["a", "b"])),
    "NaN": (NAN, -NAN),
    "tuples with NaN": ((1, NAN), (1, NAN)),
    "lists of arrays": ([np.array([1.0])], [np.array([1.0])]),
    "mappings of arrays": ({"a": np.array([NAN])}, {"a": np.array([NAN])}),
    "1 and 1.0": (1, 1.0),
}

UNEQUAL = {
    "an entry": (np.array([1.0, 2.0]), np.array([1.0, 3.0])),
    "a shape": (np.array([1.0, 1.0]), np.array([[1.0, 1.0]])),
    "a length": (np.array([1.0]), np.array([1.0, 1.0])),
    "an array and a list": (np.array([1.0]), [1.0]),
    "a list and an array": ([1.0], np.array([1.0])),
    "an array of no dimension and its number": (np.array(1.0), 1.0),
    "NaN and a number in arrays": (np.array([NAN]), np.array([1.0])),
    "a fraction": (objects(Fraction(1, 3)), objects(Fraction(1, 2))),
    "the last of some objects": (objects(1, NAN, 2), objects(1, NAN, 3)),
    "an array of objects and one of numbers": (objects(1, 2), np.array([1, 3])),
    "texts": (np.array(["a", "b"]), np.array(["a", "c"])),
    "NaN and a number": (NAN, 1.0),
    "a number and NaN": (1.0, NAN),
    "tuples": ((1, 2), (1, 3)),
    "lengths of tuples": ((1, 2), (1,)),
    "keys": ({"a": 1}, {"b": 1}),
    "more keys": ({"a": 1}, {"a": 1, "b": 1}),
    "one of two items": ({"a": 1, "b": 2}, {"a": 1, "b": 3}),
    "a tuple and a number": ((1,), 1),
    "a mapping and a list": ({"a": 1}, ["a"]),
}


@pytest.mark.parametrize("what", EQUAL)
def test_equal_values_have_one_hash(what: str) -> None:
    a, b = (One(x) for x in EQUAL[what])
    assert a == b
    assert b == a
    if "list" not in what:
        assert hash(a) == hash(b)


@pytest.mark.parametrize("what", UNEQUAL)
def test_values_that_differ_in(what: str) -> None:
    a, b = (One(x) for x in UNEQUAL[what])
    assert a != b
    assert b != a
    assert a == One(UNEQUAL[what][0])


def test_only_compared_fields_are_compared_and_hashed() -> None:
    assert One(1, unseen=2) == One(1, unseen=3)
    assert hash(One(1, unseen=2)) == hash(One(1, unseen=3))
    assert One(1, hidden=2) != One(1, hidden=3)
    assert hash(One(1, hidden=2)) != hash(One(1, hidden=3))

    class Another(One):
        pass

    assert One(1) != Another(1)
    assert hash(One(1)) != hash(Another(1))


def test_the_hash_of_an_array_is_that_of_its_shape_and_first_entries() -> None:
    entries = np.arange(float(HASHED_ENTRIES + 1))

    def changed(at: int) -> np.ndarray:
        other = entries.copy()
        other[at] = -1.0
        return other

    assert hash(One(entries)) == hash(One(changed(HASHED_ENTRIES)))
    assert hash(One(entries)) != hash(One(changed(HASHED_ENTRIES - 1)))
    assert hash(One(np.ones((2, 3)))) != hash(One(np.ones((3, 2))))
    assert hash(One({"a": [1]})) == hash(One(ReadOnlyDict(a=[1])))


def test_only_shown_fields_are_written() -> None:
    assert One(1, unseen=2, hidden=3).to_dict() == {"type": "One", "value": 1, "unseen": 2}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, None),
        (True, True),
        ("a", "a"),
        (3, 3),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (0.5, 0.5),
        (np.float32(0.5), 0.5),
        (np.inf, "inf"),
        (-np.inf, "-inf"),
        (NAN, "nan"),
        (np.array([1.0, NAN]), [1.0, "nan"]),
        (np.array([[1, 2]]), [[1, 2]]),
        (objects(Fraction(1, 3)), ["1/3"]),
        (Fraction(4, 2), "2"),
        ({1: (Fraction(1, 2),)}, {"1": ["1/2"]}),
        ([(), [2]], [[], [2]]),
        (One([1]), {"type": "One", "value": [1], "unseen": 0}),
        (1j, "1j"),
        (print, "<built-in function print>"),
    ],
    ids=repr,
)
def test_what_json_is_given(value: object, written: object) -> None:
    assert plain(value) == written
    assert type(plain(value)) is type(written)
    json.dumps(plain(value), allow_nan=False)


def test_arrays_and_mappings_are_copied_before_they_are_made_read_only() -> None:
    array, mapping = np.ones(2), {"a": 1}
    one, other = One(array), One(mapping)
    array[0], mapping["a"] = 5.0, 5
    assert one.value.tolist() == [1.0, 1.0]
    assert other.value == {"a": 1}
    assert array.flags.writeable
    assert not one.value.flags.writeable


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.clear(),
        lambda d: d.pop("a"),
        lambda d: d.popitem(),
        lambda d: d.setdefault("b", 1),
        lambda d: d.update(b=1),
        lambda d: d.__ior__({"b": 1}),
        lambda d: d.__delitem__("a"),
        lambda d: d.__setitem__("a", 2),
    ],
    ids=["clear", "pop", "popitem", "setdefault", "update", "|=", "del", "="],
)
def test_no_method_changes_a_mapping_of_a_result(change: Any) -> None:
    mapping = ReadOnlyDict(a=1)
    with pytest.raises(TypeError, match="cannot be changed"):
        change(mapping)
    assert dict(mapping) == {"a": 1}
