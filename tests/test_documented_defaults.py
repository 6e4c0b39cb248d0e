"""Numbers that a docstring calls the default are the defaults of the signature.

A docstring in NumPy's style names its parameters on lines of their own, and says "(default: 5)" in the text below.
Every function, class and method of both packages is read; texts such as "(default: all)" are left to other tests.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NUMBER = re.compile(r"\(default:\s+`*(-?\d+(?:\.\d+)?(?:e-?\d+)?|True|False)`*\)")


def sections(docstring: str) -> Iterator[tuple[list[str], str]]:
    """Yield (names, text) of each entry below "Parameters"."""
    lines = inspect.cleandoc(docstring).splitlines()
    if "Parameters" not in lines:
        return
    start = lines.index("Parameters") + 2
    names: list[str] = []
    text: list[str] = []
    for i, line in enumerate([*lines[start:], "End", "---"], start):
        if line and not line.startswith(" "):
            if names:
                yield names, " ".join(text)
            below = lines[i + 1] if i + 1 < len(lines) else "---"
            if set(below) == {"-"}:
                return
            names, text = [n.strip(" *") for n in line.partition(" : ")[0].split(",")], [line.partition(" : ")[2]]
        else:
            text.append(line.strip())


def defaults_of(node: ast.FunctionDef) -> dict[str, object]:
    """Return the literal defaults of a signature."""
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    given = dict(zip([a.arg for a in positional][::-1], arguments.defaults[::-1], strict=False))
    given |= {a.arg: d for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if d is not None}
    found = {}
    for name, value in given.items():
        try:
            found[name] = ast.literal_eval(value)
        except ValueError:
            found[name] = ast.unparse(value)
    return found


def documented(tree: ast.Module) -> Iterator[tuple[str, str, str, object]]:
    """Yield (object, parameter, documented default, default of the signature)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            makers = [n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
            fields = {
                n.target.id: ast.unparse(n.value)
                for n in node.body
                if isinstance(n, ast.AnnAssign) and n.value is not None and isinstance(n.target, ast.Name)
            }
            actual = defaults_of(makers[0]) if makers else {k: _literal(v) for k, v in fields.items()}
        elif isinstance(node, ast.FunctionDef):
            actual = defaults_of(node)
        else:
            continue
        for names, text in sections(ast.get_docstring(node) or ""):
            if match := NUMBER.search(text):
                yield from ((node.name, name, match[1], actual.get(name)) for name in names)


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except ValueError:
        return text


FOUND = [
    (path.relative_to(ROOT), f"{name}:{parameter}", stated, actual)
    for package in ("contraction", "nn_experiments")
    for path in sorted((ROOT / package).rglob("*.py"))
    for name, parameter, stated, actual in documented(ast.parse(path.read_text(encoding="utf-8")))
]


def test_many_defaults_are_documented():
    assert len(FOUND) >= 40


@pytest.mark.parametrize(("file", "where", "stated", "actual"), FOUND, ids=[f"{f}:{where}" for f, where, _, _ in FOUND])
def test_a_documented_default_is_that_of_the_signature(file, where, stated, actual):
    if isinstance(actual, str):  # the name of a constant
        actual = getattr(importlib.import_module(".".join(file.with_suffix("").parts)), actual)
    assert actual == ast.literal_eval(stated), where


SEEDS = [
    (path.relative_to(ROOT), node.name, defaults_of(node)["seed"])
    for package in ("contraction", "nn_experiments")
    for path in sorted((ROOT / package).rglob("*.py"))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(node, ast.FunctionDef) and "seed" in defaults_of(node)
]


def test_seeds_that_are_not_given_are_0():
    """Or None, where there is none, and what the function around it is given."""
    assert len([value for _, _, value in SEEDS if value == 0]) > 10
    others = {(str(file), name): value for file, name, value in SEEDS if value != 0 or value is False}
    assert others == {
        ("contraction/maps/operators.py", "__init__"): None,
        ("contraction/statements/records.py", "combine"): None,
        ("nn_experiments/studies/order_stability.py", "part"): "seed",
    }


@pytest.mark.control
def test_another_default_is_seen():
    words = "F.\n\n    Parameters\n    ----------\n    n, m\n        How many (default: 5).\n    "
    text = f'def f(n=5, *, m=2):\n    """{words}"""\n'
    assert list(documented(ast.parse(text))) == [("f", "n", "5", 5), ("f", "m", "5", 2)]
