"""Numbers that we chose: limits, sizes, seconds and defaults that no result of record would show, in one table.

A number here says how much is looked at, kept or waited for. Whoever changes one on purpose changes this table, too.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from typing import Any

import pytest

pytest.importorskip("torch")

#: Module -> name -> number.
NUMBERS: dict[str, dict[str, object]] = {
    "results.blocks": {"SAME": 0.01},
    "results.increments": {"NUDGE": 1e-3},
    "results.records": {"_NAMED": 3},
    "runs.autotune": {"LONGER": 4},
    "runs.diagnose": {"IMAGES": 256},
    "runs.executors": {"ATTEMPTS": 4},
    "runs.rates": {"LONG_ENOUGH": 0.05},
    "runs.run": {"SHORT": 20.0},
    "runs.unfinished": {"FRACTION": 0.05},
    "studies.choices": {"POINTS": 20, "REFRESH": 50},
    "studies.conjectures": {"POINTS": 40},
    "studies.coupled": {"NEAR": 1e-7, "POINTS": 24},
    "studies.baselines": {"SUBSET": 2000},
    "studies.networks": {"PART": 4},
    "studies.one_law": {"TOGETHER": 20, "IMAGES": 500, "KEPT": 10},
    "studies.order_averaging": {"ITERATIONS": 60},
    "studies.problems": {"MOST": 500},
    "training.from_loop": {"LARGEST": 4 * 1024**3, "FEW": 3, "SECONDS": 3.0},
    "training.hidden_state": {"LARGE": 1_000_000},
    "training.measures": {"MOST": 32},
    "training.models.layers": {"GROUPS": 32},
    "training.places": {"ROWS": 8},
    "training.reachable": {"LIMIT": 20_000},
    "training.rounding": {
        "UNITS": 8,
        "TRIALS": 2,
        "FACTOR": 100,
        "FLOOR": 1000,
        "MANY": 1_000_000,
        "CHUNK": 2**15,
    },
    "training.self_check": {"WORD": (2, 1, 3)},
}

#: Module -> function, method or dataclass -> its defaults, where they are a number or a choice of two.
DEFAULTS: dict[str, dict[str, dict[str, object]]] = {
    "paper.experiment": {"Experiment": {"tf32": False}},
    "results.blocks": {"blocks": {"strict": False}},
    "results.curves": {"_some": {"most": 10}, "Curves.gradients": {"path": False}},
    "results.merge": {"Merged": {"copied": 0, "there": 0, "partly": 0, "differing": 0, "difference": 0.0}},
    "runs.data_subset": {"export_subsets": {"diagnostics": True, "reduced": False, "official": True}},
    "runs.diagnose": {"diagnose_experiment": {"steps": 2000, "seed": 0, "eps": 0.05, "official": True}},
    "runs.increments": {
        "_check": {"images": 1},
        "measure_increments": {"ahead": (1, 10, 100, 1000), "others": True, "images": 500, "official": True},
        "increments_by_draw": {"official": True},
    },
    "runs.job": {"Job": {"last": 0, "every": 15.0}},
    "runs.network": {"run": {"block_seconds": 15.0, "progress": True, "dry_run": False}},
    "runs.request": {"Request": {"every": 1, "diagnostics_every": 0}, "Prices": {"block": 15.0}},
    "runs.run": {
        "Options": {"official": True, "block_seconds": 15.0},
        "Runner._block_seconds": {"evaluation": 0.0},
    },
    "runs.setup": {
        "prepare": {"official": True, "random_data": False},
        "ExperimentProblem": {"official": True, "random_data": False},
    },
    "studies.bank": {"Bank.forward": {"first": 1}, "Bank.backward": {"offset": 0}},
    "studies.quadratics": {
        "top_exponent": {"steps": 20_000, "seed": 0, "replicas": 16},
        "adam_amplitude": {"h": 1e-3, "betas": (0.9, 0.999), "steps": 40_000},
        "sign_parity": {"h": 1.0, "n": 60, "seeds": 200},
    },
    "training.averages": {"SWA": {"every": 1, "refresh": 100}},
    "training.dropout": {"FrozenDropout.__init__": {"p": 0.5}, "freeze_dropout": {"others": False}},
    "training.from_torch": {"from_torch": {"seed": 0, "check": True}},
    "training.loop_step": {"OwnLoopStep.__init__": {"seed": 0, "frozen": False}},
    "training.measures": {"measures": {"accuracy": False, "rows": 1000}},
    "training.metrics": {"Evaluation.__init__": {"rows": 1000}},
    "training.models.layers": {"convolution": {"stride": 1, "bias": False}},
    "training.optimizers": {
        "Schedule": {"warmup": 0},
        "Optimizer": {
            "momentum": 0.0,
            "nesterov": False,
            "betas": (0.9, 0.999),
            "eps": 1e-8,
            "weight_decay": 0.0,
        },
    },
    "training.order_averaging": {
        "OrderAveragingStep.__init__": {"single_order": False},
        "regularised": {"hold": True},
        "regularised_module_step": {"hold": True},
    },
    "training.reachable": {"_named": {"depth": 3}},
    "training.reference": {"Reference": {"optional": False}},
    "training.self_check": {"SelfCheck._read": {"last": False}},
    "training.states": {"Fits.__init__": {"every": False}},
    "training.step": {
        "TrainingStep.__init__": {"seed": 0, "frozen": False},
        "TorchOptimizerStep.__init__": {"seed": 0},
        "_Gradients.__init__": {"frozen": False},
    },
    "training.transforms": {"clip_norm": {"norm_type": 2.0}},
    "training.trees": {"leaves": {"sequences": True}},
}

#: Module -> function with a cache -> how many of its values are kept. Each value of the first ones holds all the data.
KEPT: dict[str, dict[str, int]] = {
    "datasets": {"_load": 4},
    "datasets.stand_in": {"stand_in": 1},
    "runs.own": {"_prepare": 2},
    "runs.setup": {"prepare": 2},
    "studies.problems": {"problem": 4},
    "training.reachable": {"_is_own": 4096, "attribute_names": 4096, "global_names": 4096, "_imports": 4096},
    "training.sampling": {"_permutation": 16},
}


def found(module: str, path: str) -> Any:
    value: Any = importlib.import_module(f"nn_experiments.{module}")
    for name in path.split("."):
        value = getattr(value, name)
    return value


@pytest.mark.parametrize("module", NUMBERS)
def test_numbers_are_those_of_the_table(module: str) -> None:
    assert {name: found(module, name) for name in NUMBERS[module]} == NUMBERS[module]


@pytest.mark.parametrize("module", DEFAULTS)
def test_defaults_are_those_of_the_table(module: str) -> None:
    for path, defaults in DEFAULTS[module].items():
        what = found(module, path)
        if dataclasses.is_dataclass(what):
            held = {field.name: field.default for field in dataclasses.fields(what)}
        else:
            held = {name: one.default for name, one in inspect.signature(what).parameters.items()}
        assert {name: held[name] for name in defaults} == defaults, path
        assert [type(held[name]) for name in defaults] == [type(value) for value in defaults.values()], path


@pytest.mark.parametrize("module", KEPT)
def test_caches_keep_so_many_values(module: str) -> None:
    assert {name: found(module, name).cache_parameters()["maxsize"] for name in KEPT[module]} == KEPT[module]
