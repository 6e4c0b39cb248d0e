"""What can be reached from an object, and by which path: containers, functions, objects, modules, optimizers."""

from __future__ import annotations

import functools
import random
import sys
import types
from collections import deque
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from nn_experiments.training import reachable as module  # noqa: E402
from nn_experiments.training.hidden_state import changed, hidden_state  # noqa: E402
from nn_experiments.training.reachable import attributes, imported_modules, methods, reachable, reaches  # noqa: E402

#: What is looked for.
TARGET = SimpleNamespace(name="target")
kept_in_a_global = TARGET


class Slotted:
    """An object without a dictionary."""

    __slots__ = ("empty", "part")

    def __init__(self) -> None:
        self.part = TARGET


class OneSlot:
    """An object with a single slot, whose name is not in a tuple."""

    __slots__ = "part"

    def __init__(self) -> None:
        self.part = TARGET


class Below(Slotted):
    """An object with slots of its own and those of the class above it."""

    __slots__ = ("own",)


class Shared:
    """An object of whose class a list is shared."""

    parts: ClassVar[list] = [TARGET]
    count = 3
    text = "not a value that a step could change"

    def method(self) -> None: ...

    @staticmethod
    def static() -> None: ...

    @classmethod
    def of(cls) -> None: ...


def reads_a_global() -> object:
    def inner() -> object:
        return kept_in_a_global

    return inner


def with_defaults(one: object = 1, two: object = TARGET, *, three: object = None) -> None: ...


def with_named_default(*, key: object = TARGET) -> None: ...


def closing(over: object) -> Any:
    return lambda: over


def unassigned() -> Any:
    def inner() -> object:
        return late

    if random is None:
        late = 1
    return inner


def marked() -> Any:
    def function() -> None: ...

    function.mark = TARGET  # type: ignore[attr-defined]
    return function


def hooked_module() -> nn.Module:
    made = nn.Sequential(nn.Linear(1, 1))
    made[0].note = TARGET  # type: ignore[assignment]
    return made


def optimizer() -> torch.optim.Optimizer:
    made = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    made.param_groups[0]["more"] = TARGET
    return made


PATHS: dict[str, tuple[Any, str | None]] = {
    "itself": (TARGET, "x"),
    "a dictionary": ({"a": {1: TARGET}}, "x['a'][1]"),
    "a key that is an object": ({SimpleNamespace: 1, object(): TARGET}, "x[…]"),
    "a list": ([0, (1, TARGET)], "x[1][1]"),
    "a queue": (deque([0, TARGET]), "x[1]"),
    "an attribute": (SimpleNamespace(a=SimpleNamespace(b=TARGET)), "x.a.b"),
    "a slot": (Slotted(), "x.part"),
    "a single slot": (OneSlot(), "x.part"),
    "a slot of a class above": (Below(), "x.part"),
    "a path's slots": (Path("a"), None),  # caches of Python's own
    "a list of a class": (Shared(), "x.Shared.parts[0]"),
    "a partial's argument": (functools.partial(print, TARGET), "x.args[0]"),
    "a partial's keyword": (functools.partial(print, end=TARGET), "x.keywords['end']"),
    "a partial's function": (functools.partial(closing(TARGET)), "x (closure variable over)"),
    "a method": (Shared().method, "x.Shared.parts[0]"),
    "a closure": (closing(TARGET), "x (closure variable over)"),
    "a default value": (with_defaults, "x (default value 1)"),
    "a default value of a keyword": (with_named_default, "x (default value key)"),
    "an attribute of a function": (marked(), "x.mark"),
    "a global variable": (reads_a_global, "x (global variable kept_in_a_global)"),
    "a variable without a value": (unassigned(), None),
    "a module's module": (hooked_module(), "x.0.note"),
    "an optimizer's option": (optimizer(), "x.param_groups[0]['more']"),
    "an array": (np.array([TARGET], object), None),
    "a class": (Shared, "x.parts[0]"),
    "an iterator": (iter([TARGET]), None),  # its place cannot be read
    "a function of torch": (nn.functional.relu, None),
}


@pytest.mark.parametrize("name", PATHS)
def test_paths_lead_to_what_is_looked_for(name: str) -> None:
    root, path = PATHS[name]
    assert reaches(root, "x", {id(TARGET)}) == path
    assert reaches(root, "x", set()) is None


def test_everything_is_met_once_the_nearest_first() -> None:
    """But for plain values, which are met wherever they are; a circle ends."""
    shared: list[Any] = [1]
    circle: dict[str, Any] = {"deep": [[shared]], "near": shared, "one": 1}
    circle["self"] = circle
    found = [(where, value) for where, value in reachable(circle, "x")]
    assert [where for where, _ in found] == ["x", "x['deep']", "x['near']", "x['one']", "x['deep'][0]", "x['near'][0]"]


def test_parts_of_what_stops_are_not_visited_and_what_was_seen_is_left_out() -> None:
    inner = [TARGET]
    assert [where for where, _ in reachable([inner], "x", stop={id(inner)})] == ["x", "x[0]"]
    seen: dict[int, object] = {}
    assert len(list(reachable(inner, "x", seen=seen))) == 3  # the list, the target and its name
    assert set(seen) == {id(inner), id(TARGET)}
    assert list(reachable([inner, 5], "y", seen=seen))[1:] == [("y[1]", 5)]


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_so_many_objects_are_looked_at(limit: int, monkeypatch) -> None:
    """Beside those that were seen before."""
    monkeypatch.setattr(module, "LIMIT", limit)
    root = [[] for _ in range(9)]
    seen: dict[int, object] = {1: None, 2: None}
    found = [where for where, _ in reachable(root, "x", seen=seen)]
    assert found == ["x", *(f"x[{k}]" for k in range(limit - 1))]


def test_attributes_are_those_that_torch_did_not_set() -> None:
    model = nn.Linear(1, 1)
    model.note = 5  # type: ignore[assignment]
    found = dict(attributes(model))
    hooks = {
        "_backward_pre_hooks",
        "_backward_hooks",
        "_forward_pre_hooks",
        "_forward_hooks",
    }  # the user's may be there
    assert found.keys() == {"in_features", "out_features", "note", *hooks}
    assert (found["in_features"], found["note"]) == (1, 5)
    assert dict(attributes(optimizer())).keys() & {"state", "param_groups", "defaults"} == set()
    assert dict(attributes(SimpleNamespace(state=1))) == {"state": 1}  # of an optimizer alone it is left out
    assert dict(attributes(Slotted())) == dict(attributes(OneSlot())) == {"part": TARGET}  # those that have a value
    one = Shared()
    one.own = 7  # type: ignore[attr-defined]
    assert dict(attributes(one)) == {"own": 7, "Shared.parts": Shared.parts, "Shared.count": 3}


def test_a_step_that_counts_in_a_slot_is_seen() -> None:
    """A loss with a slot that changes with every call: the value before a step and after it."""

    class Counting:
        __slots__ = ("count",)

        def __init__(self) -> None:
            self.count = 0

    loss, model = Counting(), nn.Linear(1, 1)
    before = hidden_state(model, {"the loss": loss}, None)
    loss.count += 1
    after = hidden_state(model, {"the loss": loss}, None)
    assert changed(before, after) == {"the loss.count": "0 became 1"}


def test_methods_are_those_of_the_users_classes() -> None:
    class Below(Shared):
        def __init__(self) -> None: ...

        def more(self) -> None: ...

    assert [name for name, _ in methods(Below())] == ["more", "method", "static", "of"]
    assert list(methods(nn.Linear(1, 1))) == []


def defined(text: str, package: str | None) -> types.FunctionType:
    """Return the function ``f`` of a module's text, as if the module were in a package."""
    names: dict[str, Any] = {} if package is None else {"__package__": package}
    exec(text, names)
    return names["f"]


@pytest.mark.parametrize(
    ("text", "package", "modules"),
    [
        ("import os.path", None, ["os", "os.path"]),
        ("import os.path as path, json", "nn_experiments.training", ["json", "os", "os.path"]),
        ("from . import reachable", "nn_experiments.training", ["nn_experiments", "nn_experiments.training"]),
        (
            "from .hidden_state import changed",
            "nn_experiments.training",
            ["nn_experiments", "nn_experiments.training.hidden_state"],
        ),
        ("from ..training import hidden_state", "nn_experiments.engine", ["nn_experiments", "nn_experiments.training"]),
        ("from .hidden_state import changed", None, []),  # in no package, nothing is beside it
        ("from ... import anything", "nn_experiments.training", []),  # beyond the outermost package
        ("import no_such_module", "nn_experiments", []),
        ("def g():\n        import json\n    return g", None, ["json"]),  # in a function within it
        ("return 1", None, []),
    ],
    ids=["dots", "several", "package", "beside", "above", "alone", "too far", "none", "inner", "nothing"],
)
def test_modules_that_a_function_imports(text: str, package: str | None, modules: list[str]) -> None:
    """Those that are loaded, with the packages that they are in; dots count from the function's own package."""
    function = defined(f"def f():\n    {text}", package)
    found = list(imported_modules(function))
    assert sorted({id(one) for one in found}) == sorted({id(sys.modules[name]) for name in modules})
