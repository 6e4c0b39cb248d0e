"""Results of analyses, diagnoses, audits and engines cannot be changed, and are compared by what they hold."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import pkgutil

import pytest

pytest.importorskip("torch")

import nn_experiments.analysis
import nn_experiments.diagnosis
import nn_experiments.engine.ensemble
import nn_experiments.engine.kernels
import nn_experiments.orders
from contraction.values import Value

PACKAGES = (
    nn_experiments.analysis,
    nn_experiments.diagnosis,
    nn_experiments.engine,
    nn_experiments.engine.ensemble,
    nn_experiments.engine.kernels,
    nn_experiments.orders,
)
#: What is filled in while a replicate or a wave of chains runs, and no result.
WORKING = {"Coupled", "_Chain", "Ensemble"}
#: Limits are compared in a way of their own.
OWN_EQUALITY = {"Limit"}


def classes() -> dict[str, type]:
    """Every dataclass that is defined in one of these packages."""
    found = {}
    for package in PACKAGES:
        for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
            with contextlib.suppress(ModuleNotFoundError):  # kernels for a graphics card import Triton
                for name, one in vars(importlib.import_module(module.name)).items():
                    if isinstance(one, type) and dataclasses.is_dataclass(one) and one.__module__ == module.name:
                        found[name] = one
    return found


CLASSES = classes()


def test_they_are_found() -> None:
    known = {"Evidence", "Comparison", "Judgement", "Measured", "Diagnosis", "OrderAudit", "Recording", "Brackets"}
    engine = {"Trajectory", "Limit", "Segment", "Layers", "Sweep", "Draw", "ConvolutionShape"}
    assert known | engine | WORKING <= CLASSES.keys()


@pytest.mark.parametrize("name", sorted(set(CLASSES) - WORKING))
def test_a_result_is_frozen_and_its_arrays_are_compared(name: str) -> None:
    """`Value` compares arrays by their entries; the comparison that dataclasses make fails for them."""
    one = CLASSES[name]
    assert one.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert one.__dataclass_params__.eq != issubclass(one, Value)  # type: ignore[attr-defined]
    assert not issubclass(one, Value) or (one.__eq__ is Value.__eq__) != (name in OWN_EQUALITY)
