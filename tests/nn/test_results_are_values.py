"""Results of analyses, diagnoses and audits cannot be changed, and are compared by what they hold."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil

import pytest

pytest.importorskip("torch")

import nn_experiments.analysis
import nn_experiments.diagnosis
import nn_experiments.orders
from contraction.values import Value

PACKAGES = (nn_experiments.analysis, nn_experiments.diagnosis, nn_experiments.orders)
#: What is filled in while a replicate runs, and no result.
WORKING = {"Coupled", "_Chain"}


def classes() -> dict[str, type]:
    """Every dataclass that is defined in one of these packages."""
    found = {}
    for package in PACKAGES:
        for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
            for name, one in vars(importlib.import_module(module.name)).items():
                if isinstance(one, type) and dataclasses.is_dataclass(one) and one.__module__ == module.name:
                    found[name] = one
    return found


CLASSES = classes()


def test_they_are_found() -> None:
    known = {"Evidence", "Comparison", "Judgement", "Measured", "Diagnosis", "OrderAudit", "Recording", "Brackets"}
    assert known | WORKING <= CLASSES.keys()


@pytest.mark.parametrize("name", sorted(set(CLASSES) - WORKING))
def test_a_result_is_frozen_and_its_arrays_are_compared(name: str) -> None:
    """`Value` compares arrays by their entries; the comparison that dataclasses make fails for them."""
    one = CLASSES[name]
    assert one.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert one.__dataclass_params__.eq != issubclass(one, Value)  # type: ignore[attr-defined]
    assert not issubclass(one, Value) or one.__eq__ is Value.__eq__
