"""Every public name is shown in an example that can be copied.

The rule, for the packages of the reference pages:

- An exported function, and an exported class (errors included), has an example (``>>>``) in its own docstring. Names of
  types (``RootedTree``) and constants are exempt: there is nothing to call.
- A public method of such a class is used (``.name``) in an example: its own or that of the class. Exempt are methods
  that override one of a base class, which documents them, and methods without a docstring.
- A property is held to the rule for methods if its docstring has more than one line.
- An example imports every name that it uses, so that it runs where it is copied to.

What the examples print is checked by ``tests/theory/test_examples.py`` and ``tests/nn/test_examples.py``.
"""

from __future__ import annotations

import ast
import builtins
import doctest
import importlib
import re
import types
from collections.abc import Iterator
from functools import cached_property

import pytest

PACKAGES = (
    "contraction",
    "contraction.families",
    "contraction.laws",
    "contraction.expansions",
    "contraction.plots",
    "nn_experiments",
)


def example(doc: str | None) -> str:
    """The code of a docstring's examples."""
    return "".join(part.source for part in doctest.DocTestParser().get_examples(doc or ""))


def members(cls: type) -> Iterator[tuple[str, str]]:
    """The methods of a class that the rule is about, with their docstrings."""
    for name, value in vars(cls).items():
        if name.startswith("_") or any(name in vars(base) for base in cls.__mro__[1:]):
            continue
        plain = value.__func__ if isinstance(value, staticmethod | classmethod) else value
        if isinstance(plain, property | cached_property):
            doc = plain.__doc__ or ""
            if "\n" in doc.strip():
                yield name, doc
        elif callable(plain) and not isinstance(plain, type) and plain.__doc__:
            yield name, plain.__doc__


def not_defined(code: str) -> set[str]:
    """The names that code uses and neither defines nor imports."""
    used: set[str] = set()
    known = set(dir(builtins))
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else known).add(node.id)
        elif isinstance(node, ast.alias):
            known.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.arg):
            known.add(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.ExceptHandler) and node.name:
            known.add(node.name)
    return used - known


def lacking(name: str, value: object) -> list[str]:
    """What of an exported object is in no example, or in one that does not run by itself."""
    shown = example(getattr(value, "__doc__", None))
    docs = {name: shown}
    found = [] if shown else [name]
    if isinstance(value, type):
        for member, doc in members(value):
            docs[f"{name}.{member}"] = own = example(doc)
            if not own and not re.search(rf"\.{member}\b", shown):
                found.append(f"{name}.{member}")
    return found + [f"{place} does not define {free}" for place, code in docs.items() if (free := not_defined(code))]


def exported(package: str) -> dict[str, object]:
    """The callables that a package exports and that this project defines."""
    module = importlib.import_module(package)
    values = {name: getattr(module, name) for name in module.__all__}
    return {
        name: value
        for name, value in values.items()
        if callable(value)
        and not isinstance(value, types.GenericAlias)
        and getattr(value, "__module__", "").partition(".")[0] in ("contraction", "nn_experiments")
    }


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_shown_in_an_example(package: str) -> None:
    if package == "nn_experiments":
        pytest.importorskip("torch")
    names = exported(package)
    assert len(names) >= 6
    assert [fault for name, value in names.items() for fault in lacking(name, value)] == []


class Shown:
    """A class.

    Examples
    --------
    >>> import math
    >>> Shown().half(math.pi)
    """

    def half(self, x: float) -> float:
        """Half of x."""
        return x / 2

    @property
    def short(self) -> int:
        """A property of one line."""
        return 1


class NotShown(Shown):
    """A class without an example."""

    def half(self, x: float) -> float:
        """Override what the base class documents."""
        return x

    def double(self, x: float) -> float:
        """Twice x."""
        return 2 * x

    @property
    def long(self) -> int:
        """A property.

        It needs an explanation.
        """
        return 1


@pytest.mark.control
def test_what_lacks_an_example_is_named() -> None:
    assert lacking("Shown", Shown) == ["Shown does not define {'Shown'}"]
    assert lacking("NotShown", NotShown) == ["NotShown", "NotShown.double", "NotShown.long"]
    assert lacking("half", Shown.half) == ["half"]


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("import numpy as np\nnp.eye(2)", set()),
        ("import a.b\na.b.c(x)", {"x"}),
        ("def f(x):\n    return x + y\nf(1)", {"y"}),
        ("try:\n    f()\nexcept E as error:\n    print(error)", {"f", "E"}),
        ("[k for k in range(3)], lambda t: t * s", {"s"}),
    ],
)
def test_names_that_an_example_does_not_define(code: str, names: set[str]) -> None:
    assert not_defined(code) == names
