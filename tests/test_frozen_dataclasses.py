"""Results and settings cannot be changed: how every dataclass of both packages is declared.

The text is read, so that no module needs to be imported.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: What is being computed, and changes meanwhile; none of them is a result.
CHANGING = {
    "Settling",
    "_Atom",
    "Reference",
    "Slopes",
    "Ensemble",
    "Chains",
    "Coupled",
    "_Chain",
    "_Experiment",
}
#: Bases whose subclasses say themselves which of them are equal.
COMPARES = {"Value", "_ByContent"}
#: Equal to themselves alone, since they hold arrays, tensors or functions.
THEMSELVES = {
    "contraction/certificates/region_epochs.py:EpochBounds",
    "contraction/certificates/step_bounds.py:StepBounds",
    "contraction/maps/domains.py:Ball",
    "contraction/maps/domains.py:Box",
    "contraction/maps/domains.py:HalfSpace",
    "contraction/maps/second_moments.py:SecondMoments",
    "nn_experiments/datasets/dataset.py:Dataset",
    "nn_experiments/datasets/subset.py:DataSubset",
    "nn_experiments/runs/own.py:Network",
    "nn_experiments/runs/setup.py:Workplace",
}
#: Settings of many fields, which are given by name.
BY_NAME = {
    "Experiment",
    "Figure",
    "FunctionSchedule",
    "Grid",
    "Optimizer",
    "Options",
    "Request",
    "Schedule",
    "Setting",
    "VectorField",
}


@dataclass(frozen=True)
class Declared:
    """A dataclass as its text declares it."""

    file: str
    name: str
    options: tuple[tuple[str, object], ...]
    bases: tuple[str, ...]


def declared(text: str, file: str = "") -> Iterator[Declared]:
    """Yield every dataclass of a text."""
    for node in ast.walk(ast.parse(text)):
        for one in node.decorator_list if isinstance(node, ast.ClassDef) else ():
            called = one.func if isinstance(one, ast.Call) else one
            if ast.unparse(called).rpartition(".")[2] == "dataclass":
                given = one.keywords if isinstance(one, ast.Call) else []
                options = tuple((str(k.arg), ast.literal_eval(k.value)) for k in given)
                bases = tuple(ast.unparse(base).partition("[")[0].rpartition(".")[2] for base in node.bases)
                yield Declared(file, node.name, options, bases)


FOUND = [
    one
    for package in ("contraction", "nn_experiments")
    for path in sorted((ROOT / package).rglob("*.py"))
    for one in declared(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT)))
]
BASES = {
    node.name: [ast.unparse(base).partition("[")[0].rpartition(".")[2] for base in node.bases]
    for package in ("contraction", "nn_experiments")
    for path in sorted((ROOT / package).rglob("*.py"))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(node, ast.ClassDef)
}


def above(bases: Iterable[str]) -> set[str]:
    """Return the names of some classes, and of those that they inherit from, directly or not."""
    return set(bases).union(*(above(BASES[base]) for base in bases if base in BASES))


def wrong(one: Declared) -> list[str]:
    """Return what is not as it should be."""
    options = dict(one.options)
    itself = f"{one.file}:{one.name}" in THEMSELVES or bool(above(one.bases) & COMPARES)
    expected = {
        "frozen": one.name not in CHANGING,
        "eq": not itself,
        "kw_only": one.name in BY_NAME,
        "init": one.name != "Reset",  # its argument is a sequence or a function
    }
    usual = {"frozen": False, "eq": True, "kw_only": False, "init": True}
    return [key for key, value in expected.items() if options.get(key, usual[key]) != value]


def test_there_are_many() -> None:
    assert len(FOUND) > 150
    assert {one.name for one in FOUND} >= CHANGING | BY_NAME | {"Reset"}
    assert {f"{one.file}:{one.name}" for one in FOUND} >= THEMSELVES


@pytest.mark.parametrize("one", FOUND, ids=[f"{one.file}:{one.name}" for one in FOUND])
def test_a_dataclass_cannot_be_changed_and_is_compared_by_its_content(one: Declared) -> None:
    assert wrong(one) == []


@pytest.mark.control
@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("@dataclass(frozen=True)", None),
        ("@dataclass", "frozen"),
        ("@dataclass()", "frozen"),
        ("@dataclasses.dataclass(frozen=False)", "frozen"),
        ("@dataclass(frozen=True, eq=False)", "eq"),
        ("@dataclass(frozen=True, eq=True)", None),
        ("@dataclass(frozen=True, kw_only=True)", "kw_only"),
        ("@dataclass(frozen=True, init=False)", "init"),
    ],
)
def test_another_declaration_is_seen(line: str, key: str | None) -> None:
    (one,) = declared(f"{line}\nclass Toy:\n    x: int\n")
    assert wrong(one) == ([] if key is None else [key])
