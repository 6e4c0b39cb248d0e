"""Results are values: equal to their copies, unlike anything else, frozen, picklable, and readable as JSON."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import json
import math
import pickle
import pkgutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import nn_experiments as nne  # noqa: E402
from contraction import Backward  # noqa: E402
from contraction.values import Value  # noqa: E402
from nn_experiments import analysis  # noqa: E402
from nn_experiments.analysis.finding import Finding  # noqa: E402
from nn_experiments.analysis.one_law import LawTests  # noqa: E402
from nn_experiments.analysis.order_averaging import Ends  # noqa: E402
from nn_experiments.analysis.paths import summarise  # noqa: E402
from nn_experiments.analysis.run_summary import Circumstances  # noqa: E402
from nn_experiments.analysis.seeds import compare_ratios  # noqa: E402
from nn_experiments.analysis.settling import Evidence  # noqa: E402
from nn_experiments.analysis.settling_studies import Row  # noqa: E402
from nn_experiments.results.blocks import Block  # noqa: E402
from nn_experiments.results.increments import Increments  # noqa: E402
from nn_experiments.results.merge import Merged  # noqa: E402
from tests.nn.problems import SGD, problem  # noqa: E402
from tests.nn.synthetic_results import write_synthetic  # noqa: E402


def trajectory() -> nne.Trajectory:
    step, batches, state0 = problem("regression", SGD)
    metric = {"norm": lambda state: state["parameters"]["layers.0.weight"].norm()}
    return nne.iterates(step, batches, state0, Backward(), [0, 3], metric)


def limit() -> nne.Limit:
    step, batches, state0 = problem("regression", SGD)
    other = {part: {key: value + 1e-3 for key, value in values.items()} for part, values in state0.items()}
    return nne.limit(step, batches, state0, other, eps=1e-12, max_maps=2)


def curves(folder: Path) -> nne.Curves:
    return nne.load(write_synthetic(folder, "fig4", steps=10, seeds=(0, 1), diverges_at={(0, "forward"): 4}))


def increments() -> Increments:
    numbers = np.arange(6.0).reshape(1, 2, 3)
    arrays = dict.fromkeys(("parameter", "function", "norm", "loss"), numbers)
    return Increments(
        np.array([0]),
        np.array([0, 5]),
        ("θ0", "nudged", "independent"),
        **arrays,
        accuracy=numbers * np.nan,
        metadata={},
    )


def of_the_analysis() -> dict[str, Any]:
    comparison = compare_ratios("range", (0, 1, 2), [1.0, 2.0, math.nan], [0.5, 2.0, 1.0], unit="loss")
    distances = dict.fromkeys(("increment", "increment_mean", "tail", "moved", "near", "near_start"), 0.25)
    others = dict.fromkeys(("coupling", "coupling_start", "travelled"), None)
    verdicts = dict.fromkeys(("verdict", "near_verdict", "far_verdict"), "not measured")
    evidence = Evidence("parameter", 10, **distances, **others, scale=math.inf, **verdicts)
    finding = Finding("Variability", "Section 4", "…", "2", "agrees", "", (comparison,), (evidence,), ("a", "b"))
    table = np.array([[0.5, math.nan]])
    return {
        "comparison": comparison,
        "evidence": evidence,
        "finding": finding,
        "law tests": LawTests(np.array([4]), table, table, np.array([0.25]), table, table, 0.01, 8),
        "row": Row("a", "b", "parameter", *[0.5] * 7, {"settles": 2}, {"undecided": 2}, -0.1, math.nan, 0.5),
        "path": summarise(np.arange(20), np.linspace(1.0, 0.0, 20) ** 2, 10),
        "ends": Ends("test_loss", 4, {"large": np.array([0.5])}, {"regularised-1": np.array([0.25])}),
        "circumstances": Circumstances(10, 1, 2, (), ("dtype = float64",), (), ((0, "forward", 4),)),
    }


def swap() -> nne.Brackets:
    step, batches, state0 = problem("regression", SGD)
    return nne.brackets(step, batches, state0, [(1, 2)])


def one_of_each(folder: Path) -> dict[str, Any]:
    block = Block(np.array([1, 2]), {"train_loss": np.array([0.5, np.nan])}, {"kernel": "step", "seconds": 1.5})
    return {
        "trajectory": trajectory(),
        "limit": limit(),
        "curves": curves(folder),
        "increments": increments(),
        "block": block,
        "audit": nne.audit_order([[0, 2, 1], [2, 1, 0]]),
        "brackets": swap(),
        "merged": Merged(folder, copied=2),
    } | of_the_analysis()


def test_a_copy_is_equal_and_frozen_and_json_takes_it(tmp_path: Path) -> None:
    for name, result in one_of_each(tmp_path).items():
        for other in (copy.deepcopy(result), pickle.loads(pickle.dumps(result)), dataclasses.replace(result)):
            assert other == result, name
            assert hash(other) == hash(result), name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(result, dataclasses.fields(result)[0].name, None)
        assert json.loads(json.dumps(result.to_dict(), allow_nan=False))["type"] == type(result).__name__


def test_a_repeated_run_is_equal_though_it_took_another_time() -> None:
    assert trajectory() == trajectory()
    assert limit() == limit()


@pytest.mark.control
def test_one_number_that_differs_is_another_result(tmp_path: Path) -> None:
    made = one_of_each(tmp_path)
    values = {"norm": made["trajectory"]["norm"] + 1e-12}
    assert dataclasses.replace(made["trajectory"], values=values) != made["trajectory"]
    moved = {part: {key: value + 1 for key, value in own.items()} for part, own in made["limit"].value.items()}
    assert dataclasses.replace(made["limit"], value=moved) != made["limit"]
    assert dataclasses.replace(made["limit"], n=3) != made["limit"]
    gaps = {name: mask & False for name, mask in made["curves"].recorded.items()}
    assert dataclasses.replace(made["curves"], recorded=gaps) != made["curves"]
    assert dataclasses.replace(made["block"], meta={}) != made["block"]
    assert dataclasses.replace(made["finding"], verdict="mixed") != made["finding"]
    other = dataclasses.replace(made["comparison"], effect=np.nextafter(made["comparison"].effect, 9))
    assert dataclasses.replace(made["finding"], comparisons=(other,)) != made["finding"]
    assert dataclasses.replace(made["row"], backward={"settles": 1}) != made["row"]
    assert len({type(result) for result in made.values()}) == len(made) == len(set(made.values()))


#: What the analysis is given, in place of what it returns.
INPUTS = {"Claim", "Pairing"}


def test_every_result_of_the_analysis_is_a_value() -> None:
    results = {type(result) for result in of_the_analysis().values()}
    for info in pkgutil.iter_modules(analysis.__path__, f"{analysis.__name__}."):
        for name, kind in vars(importlib.import_module(info.name)).items():
            if dataclasses.is_dataclass(kind) and kind.__module__ == info.name and name not in INPUTS:
                assert isinstance(kind, type)
                assert issubclass(kind, Value), name
                assert kind in results, f"{name} has no instance here"
