"""Names on disk are hashes of settings: they stay what they are, for the catalogue and for every recorded result."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from nn_experiments import load
from nn_experiments.paper.catalogue import EXPERIMENTS, Experiment
from nn_experiments.training.optimizers import Optimizer, Schedule
from nn_experiments.training.sampling import Sampler

RECORDS = sorted((Path(__file__).parents[3] / "results").glob("*.npz"))

#: Experiment -> hash of its deciding fields, as of the first recorded results.
CATALOGUE = {
    "mlp-fashion-split-2": "8bf1545bd323c4e7",
    "mlp-fashion-split-3": "9fb10507c0c67b92",
    "mlp-fashion-split-4": "eedd8c250922df97",
    "regression-square": "d40de2572198c1a3",
    "regression-cosine": "06b469de74a98e37",
    "regression-cube": "bcca84af3cc345c1",
    "mlp-fashion": "1fb219f5591cab23",
    "mlp-digits": "3ad04ad89fa53ba1",
    "resnet18-cifar10": "32a9bc21d23c0fac",
    "vgg19-cifar10": "1812791a3f811214",
    "resnet50-cifar100": "684fe14611e3f0e6",
}


def digest(decides: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]


def of_json(fields: dict[str, Any]) -> Experiment:
    """Return the experiment that wrote a record, made by today's classes."""
    optimizer = dict(fields["optimizer"])
    schedule = Schedule(**optimizer.pop("schedule"))
    return Experiment(
        **{
            **fields,
            "optimizer": Optimizer(**{**optimizer, "betas": tuple(optimizer["betas"])}, schedule=schedule),
        }
    )


def test_the_catalogues_deciding_fields_are_those_of_the_first_results() -> None:
    assert {name: digest(experiment.decides()) for name, experiment in EXPERIMENTS.items()} == CATALOGUE


@pytest.mark.control
def test_another_value_of_any_deciding_field_is_another_identity() -> None:
    experiment = EXPERIMENTS["mlp-fashion"]
    changes = {"batch_size": 9, "loss": "mse", "sampling": "reshuffle", "dtype": "float64", "tf32": True, "parts": 2}
    found = {digest(dataclasses.replace(experiment, **{name: value}).decides()) for name, value in changes.items()}
    assert len(found | {CATALOGUE["mlp-fashion"]}) == 1 + len(changes)
    assert digest(dataclasses.replace(experiment, name="other", notes={}).decides()) == CATALOGUE["mlp-fashion"]


@pytest.mark.parametrize("path", RECORDS, ids=[path.stem for path in RECORDS])
def test_every_recorded_result_has_the_identity_that_its_settings_have_today(path: Path) -> None:
    recorded = load(path).experiment
    identity, decides = recorded["identity"], recorded["decides"]
    assert digest(decides) == identity
    experiment = of_json(recorded["experiment"])
    population = recorded["data"]["train"]
    batches = Sampler(experiment.sampling, experiment.batch_size, population, 0).describe()
    assert digest(experiment.decides() | {"fingerprint": decides["fingerprint"], "batches": batches}) == identity
