"""The bytes that a fingerprint hashes, written down by hand, since names of folders on disk depend on them."""

from __future__ import annotations

import enum
import functools
import hashlib
import io
import json
import logging
import random
import sys
import types
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from nn_experiments.runs.fingerprint import Fingerprint, fingerprint  # noqa: E402


def digest(*words: str | bytes) -> str:
    """Return 16 digits of SHA-256 of words, each after its length in eight bytes, the smallest first."""
    whole = b""
    for word in words:
        data = word if isinstance(word, bytes) else word.encode()
        whole += bytes([len(data) % 256, len(data) // 256, 0, 0, 0, 0, 0, 0]) + data
    return hashlib.sha256(whole).hexdigest()[:16]


class Colour(enum.Enum):
    RED = 1


class Described:
    """Anything but what it describes is left out."""

    def __init__(self, about: object) -> None:
        self.about, self.other = about, object()

    def describe(self) -> object:
        return self.about


HERE = __name__
SHARED: list = []
ONE, TWO = ("value", "int", "1"), ("value", "int", "2")
#: What is hashed -> the words of it.
WORDS: dict[str, tuple[Any, tuple[str | bytes, ...]]] = {
    "nothing": (None, ("value", "NoneType", "None")),
    "a truth value": (True, ("value", "bool", "True")),
    "a number": (0.1, ("value", "float", "0.1")),
    "a text of 300 letters": ("a" * 300, ("value", "str", repr("a" * 300))),
    "a type of numbers": (torch.float32, ("value", "dtype", "torch.float32")),
    "an enumeration": (Colour.RED, ("enum", "Colour", "RED", *ONE)),
    "a number of NumPy": (np.float32(0.5), ("scalar", "float32", "0.5")),
    "a list": ([1, 2], ("sequence", "2", *ONE, *TWO)),
    "a tuple": ((1, 2), ("sequence", "2", *ONE, *TWO)),
    "a queue": (deque([2]), ("sequence", "1", *TWO)),
    "a list that occurs twice": ([1, SHARED, SHARED], ("sequence", "3", *ONE, "sequence", "0", "again", "1")),
    "a dictionary": (
        {"b": 1, 10: 2, "a": 1},  # by the text of the keys
        ("mapping", "3", "value", "int", "10", *TWO, "value", "str", "'a'", *ONE, "value", "str", "'b'", *ONE),
    ),
    "an ordered dictionary": (OrderedDict(b=1), ("mapping", "1", "value", "str", "'b'", *ONE)),
    "a set": ({1, 2}, ("set", *sorted((digest(*ONE), digest(*TWO))))),
    "an array": (
        np.array([[1, 2]], dtype=np.int16),
        ("array", "int16", "(1, 2)", b"\x01\x00\x02\x00"),
    ),
    "an array across memory": (
        np.array([[1, 2], [3, 4]], dtype=np.int8).T,
        ("array", "int8", "(2, 2)", b"\x01\x03\x02\x04"),
    ),
    "an array of objects": (
        np.array([1, None], object),
        ("array", "object", "(2,)", "sequence", "2", *ONE, "value", "NoneType", "None"),
    ),
    "a tensor": (torch.tensor([1, 2], dtype=torch.int16), ("tensor", "torch.int16", "(2,)", b"\x01\x00\x02\x00")),
    "a tensor without numbers": (torch.zeros(0, 3), ("tensor", "torch.float32", "(0, 3)", b"")),
    "a conjugate view": (
        torch.tensor([1 + 2j], dtype=torch.complex64).conj(),  # 1.0 and -2.0 as the standard of floats writes them
        ("tensor", "torch.complex64", "(1,)", b"\x00\x00\x80\x3f\x00\x00\x00\xc0"),
    ),
    "a tensor of one number": (torch.tensor(True), ("tensor", "torch.bool", "()", b"\x01")),
    "a path": (Path("a/b"), ("path", "a/b")),
    "a logger": (logging.getLogger("a.b"), ("logger", "a.b")),
    "a module of Python": (json, ("module", "json")),
    "a function of a library": (json.dumps, ("function", "json", "dumps")),
    "a function of an installed library": (nn.functional.relu, ("function", "torch.nn.functional", "relu")),
    "a builtin": (len, ("builtin", "builtins", "len")),
    "a class of a library": (Path, ("class", f"{Path.__module__}.Path")),
    "a partial": (
        functools.partial(json.dumps, 1, indent=2),
        (
            "partial",
            "function",
            "json",
            "dumps",
            "sequence",
            "1",
            *ONE,
            "mapping",
            "1",
            "value",
            "str",
            "'indent'",
            *TWO,
        ),
    ),
    "a bound method": (
        [1].append,
        ("builtin", "None", "list.append", "sequence", "1", *ONE),
    ),
    "a described object": (Described([1]), ("described", f"{HERE}.Described", "sequence", "1", *ONE)),
}


@pytest.mark.parametrize("name", WORDS)
def test_what_is_hashed_of_an_object(name: str) -> None:
    thing, words = WORDS[name]
    found: list[str] = []
    assert fingerprint(thing, "it", unknown=found.append) == digest(*words)
    assert found == []


@pytest.mark.control
def test_what_differs_in_anything_has_another_fingerprint() -> None:
    """All of the table, and things that look alike: one list twice or two equal ones, types, shapes, ends of words."""
    more = [
        [[], []],
        [SHARED, SHARED],
        1,
        1.0,
        "1",
        b"1",
        np.int64(1),
        np.array(1),
        np.array([1]),
        torch.tensor([1]),
        ["ab", "c"],
        ["a", "bc"],
        {"a": [1]},
        {"a": 1},
        {1: "a"},
        Described(None),
        [2].append,
        np.array([1.0]).dot,
        np.array([2.0]).dot,
        frozenset(),
        (),
        {},
    ]
    found = [fingerprint(thing, "it") for thing in [*(thing for thing, _ in WORDS.values()), *more]]
    assert found.count(fingerprint((1, 2), "it")) == 2  # the list and the tuple
    assert len(set(found)) == len(found) - 1


class Layer(nn.Module):
    def __init__(self, rate: float = 0.5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))
        self.register_buffer("mean", torch.zeros(2))
        self.inner = nn.Linear(1, 1)
        self.rate = rate


def layer(**changes: Any) -> Layer:
    """Return a layer of which something has been changed."""
    made = Layer()
    with torch.no_grad():
        made.inner.weight.fill_(1)
        made.inner.bias.fill_(2)
        if "weight" in changes:
            made.weight[1] = changes["weight"]
        if "mean" in changes:
            made.mean[0] = changes["mean"]
        if "inner" in changes:
            made.inner.bias.fill_(changes["inner"])
    made.rate = changes.get("rate", 0.5)
    return made.train(changes.get("training", True))


@pytest.mark.parametrize(
    "change", [{"weight": 3.0}, {"mean": 1.0}, {"inner": 3.0}, {"rate": 0.25}, {"training": False}]
)
def test_modules_are_their_tensors_attributes_and_mode(change: dict) -> None:
    """Outlined ones are their structure: the values of their own tensors do not count, but all else does."""
    one, same, other = layer(), layer(), layer(**change)
    assert fingerprint(one, "it") == fingerprint(same, "it") != fingerprint(other, "it")
    of_values = "weight" in change or "mean" in change or "inner" in change
    outlines = [fingerprint(module, "it", outlined=[module]) for module in (one, same, other)]
    assert outlines[0] == outlines[1]
    assert (outlines[2] == outlines[0]) == of_values
    assert outlines[0] != fingerprint(one, "it")
    assert fingerprint(one, "it", outlined=[same]) == fingerprint(one, "it")


@pytest.mark.parametrize(
    "thing",
    [random.Random(0), np.random.default_rng(0), np.random.RandomState(0), io.BytesIO(), iter([])],
    ids=lambda thing: type(thing).__name__,
)
def test_what_has_a_position_is_named_where_it_is(thing: object) -> None:
    found: list[str] = []
    fingerprint({"a": [1, thing]}, "it", unknown=found.append)
    kind = f"{type(thing).__module__}.{type(thing).__qualname__}"
    assert found == [f"it['a'][1] (a {kind})"]


def test_tensors_without_bytes_of_their_own_are_named() -> None:
    found: list[str] = []
    for value in (torch.zeros(2).to_sparse(), torch.zeros(2, device="meta")):
        fingerprint([value], "it", unknown=found.append)
    assert found == ["it[0] (a tensor of layout torch.sparse_coo)", "it[0] (a tensor of layout torch.strided)"]


def test_things_are_added_one_after_the_other() -> None:
    one = Fingerprint().add(1, "first").add([2], "second")
    assert one.digest == digest(*ONE, "sequence", "1", *TWO)
    assert one.digest != Fingerprint().add([2], "second").add(1, "first").digest


class Numbers(list):
    """A list that may have attributes."""


class Rate(float):
    """A number that may have attributes."""


class Bytes(bytearray):
    """Bytes, which no attribute holds."""


def with_attribute(thing: Any, value: int) -> Any:
    thing.scale = value
    return thing


def colour(value: int) -> object:
    class Colour(enum.Enum):
        RED = value

    return Colour.RED


def of_metaclass(value: int) -> type:
    class Meta(type):
        def __call__(cls, *arguments: object) -> object:
            return value

    return Meta("Made", (), {})


def clamped(most: float) -> nn.Parameter:
    weight = nn.Parameter(torch.ones(2))
    weight.register_hook(lambda slope: slope.clamp(-most, most))
    return weight


def function_of(code: str, **variables: object) -> Callable:
    exec(code, variables)
    return variables["f"]  # type: ignore[return-value]


#: What differs -> a function of a number that returns two different things for 2 and 3.
TWO_THINGS: dict[str, Callable[[int], object]] = {
    "the value of an enumeration": colour,
    "the attribute of a list": lambda k: with_attribute(Numbers([1]), k),
    "the attribute of a number": lambda k: with_attribute(Rate(1.0), k),
    "the class of a class": of_metaclass,
    "the hook of a parameter": clamped,
    "the attribute of a tensor": lambda k: with_attribute(torch.ones(1), k),
    "the factory of a dictionary": lambda k: defaultdict(int if k == 2 else list),
    "the length of a queue": lambda k: deque([1], maxlen=k),
    "the arguments of a function": lambda k: function_of(f"def f({'*' * (k - 1)}x): return x"),
}


@pytest.mark.parametrize("name", TWO_THINGS)
def test_things_of_a_users_own_kind_are_told_apart(name: str) -> None:
    make = TWO_THINGS[name]
    assert fingerprint(make(2), "it") == fingerprint(make(2), "it") != fingerprint(make(3), "it")


@pytest.mark.parametrize(
    "code",
    [
        "import own_helpers\ndef f(x): return own_helpers.scale(x)",
        "import own_helpers\ndef f(x): return own_helpers.inner.scale(x)",
        "def f(x):\n    import own_helpers\n    return own_helpers.scale(x)",
        "def f(x):\n    from own_helpers import scale\n    return scale(x)",
        "def outer():\n    import own_helpers\n    return lambda x: own_helpers.scale(x)\nf = outer()",
        "import own_helpers\nclass A: pass\nf = A()\nf.helpers = own_helpers",
    ],
)
def test_what_a_function_reads_in_a_module_of_the_user_counts(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it does not read there does not, unless the module itself is kept somewhere."""

    def of(by: int, other: int) -> str:
        helpers, inner = types.ModuleType("own_helpers"), types.ModuleType("own_helpers.inner")
        for module in (helpers, inner):
            exec(f"def scale(x): return {by} * x\nother = {other}", vars(module))
        helpers.inner = inner  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "own_helpers", helpers)
        return fingerprint(function_of(code), "it")

    assert of(2, 1) == of(2, 1) != of(3, 1)
    assert (of(2, 1) == of(2, 2)) == ("f.helpers" not in code)


def test_an_object_that_is_more_than_its_attributes_is_named() -> None:
    found: list[str] = []
    fingerprint(Bytes(b"a"), "it", unknown=found.append)
    assert found == [f"it (a {HERE}.Bytes, which is a bytearray)"]
