"""The examples in docstrings of `nn_experiments` give what they say."""

from __future__ import annotations

import doctest
import importlib
import types
from pathlib import Path

import pytest

pytest.importorskip("torch")

import nn_experiments

ROOT = Path(nn_experiments.__file__).parent
MODULES = sorted(
    ".".join(file.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")
    for file in ROOT.rglob("*.py")
    if ">>>" in file.read_text(encoding="utf-8")
)


def test_there_are_examples() -> None:
    assert len(MODULES) > 40


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings(name: str) -> None:
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted > 0
    assert found.failed == 0


@pytest.mark.control
def test_a_wrong_example_fails() -> None:
    module = types.ModuleType("wrong", ">>> 1 + 1\n3\n")
    assert doctest.testmod(module).failed == 1


@pytest.mark.control
def test_an_example_that_is_not_run_counts_as_none() -> None:
    assert doctest.testmod(types.ModuleType("none", "Its example is in a comment.")).attempted == 0
