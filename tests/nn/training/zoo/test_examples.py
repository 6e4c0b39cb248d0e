"""The examples in the docstrings of what from_torch is made of run, and print what they say."""

from __future__ import annotations

import doctest
import importlib

import pytest

pytest.importorskip("torch")


@pytest.mark.parametrize(
    "name",
    [
        "dataset_batches",
        "from_torch",
        "inputs",
        "kept_attributes",
        "loop_step",
        "optimizers",
        "own_loop_reasons",
        "refusals",
        "scalar_loss",
        "transforms",
        "trees",
    ],
)
def test_examples(name: str) -> None:
    module = importlib.import_module(f"nn_experiments.training.{name}")
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0
