"""The settings of the studies are those of the results of record: a number that has changed is seen."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from nn_experiments.paper import curve_names  # noqa: E402
from nn_experiments.results.studies import load_study, study_path  # noqa: E402
from nn_experiments.studies import (  # noqa: E402
    baselines,
    choices,
    conjectures,
    influence,
    networks,
    one_law,
    order_averaging,
    quadratics,
    settings,
)

RESULTS = Path(__file__).parents[3] / "results"
#: Study -> its settings, as they are now.
SETTINGS = {
    "atlas": settings.ATLAS,
    "optimizers": settings.OPTIMIZERS,
    "influence": [one for one in settings.ATLAS if one.name in influence.CHOSEN],
    "choices": choices.SETTINGS,
    "networks": networks.SETTINGS,
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_are_those_of_the_record(name: str) -> None:
    """Every field that the record has; a diagnosis adds what it found to the settings of its networks."""
    recorded = load_study(study_path(name, RESULTS)).about["settings"]
    now = [json.loads(json.dumps(setting.to_json())) for setting in SETTINGS[name]]
    assert len(recorded) == len(now)
    for old, new in zip(recorded, now, strict=True):
        assert {key: old[key] for key in new if key in old} == new
    changed = {**now[0], "name": "another"}
    assert {key: recorded[0][key] for key in changed if key in recorded[0]} != changed


@pytest.mark.parametrize("name", ["atlas", "optimizers"])
def test_runs_are_as_long_as_those_of_the_record(name: str) -> None:
    study = load_study(study_path(name, RESULTS))
    steps = [settings.STEPS[setting.group] for setting in SETTINGS[name]]
    assert [int(n[-1]) for n in study["n"]] == steps


def test_the_settings_of_the_conjectures_are_those_of_the_record() -> None:
    about = load_study(study_path("conjectures", RESULTS)).about
    assert about["setting"] == json.loads(json.dumps(conjectures.SETTING.to_json()))
    assert tuple(about["strategies"]) == conjectures.STRATEGIES
    numbers = (about["budget"], about["window"], about["beta"], about["judged_at"], about["runs"])
    assert numbers == (
        conjectures.BUDGET,
        conjectures.WINDOW,
        conjectures.BETA,
        conjectures.JUDGED_AT,
        conjectures.RUNS,
    )
    assert tuple(about["rates"]) == conjectures.RATES


def default(run: Callable[..., object], name: str) -> object:
    return inspect.signature(run).parameters[name].default


@pytest.mark.parametrize(
    "study", [baselines, conjectures, influence, one_law, order_averaging, quadratics], ids=lambda m: m.__name__
)
def test_there_are_as_many_seeds_as_in_the_record(study) -> None:
    name = study.__name__.rpartition(".")[2].replace("_", "-")
    assert load_study(study_path(name, RESULTS)).about["seeds"] == default(study.run, "seeds")


def test_the_iterates_of_one_law_are_those_of_the_record() -> None:
    study = load_study(study_path("one-law", RESULTS))
    assert study.about["setting"] == json.loads(json.dumps(one_law.SETTING.to_json()))
    assert tuple(study.about["metrics"]) == one_law.METRICS
    steps, every = default(one_law.run, "steps"), default(one_law.run, "every")
    assert study["n"].tolist() == list(range(0, steps + 1, every))  # type: ignore[operator, arg-type]
    assert study["logits"].shape == (200, 2, 4, one_law.KEPT, 10)


def test_figures_with_other_averages_are_those_of_the_record() -> None:
    study = load_study(study_path("baselines", RESULTS))
    assert (study.about["beta"], tuple(study.about["ways"])) == (baselines.BETA, baselines.WAYS)
    assert set(study.arrays) == set(baselines.EXPERIMENTS)


def test_rates_and_sizes_of_order_averaging_are_those_of_the_record() -> None:
    about = load_study(study_path("order-averaging", RESULTS)).about
    names = ("rates", "curves", "steps", "batch", "activations", "sizes")
    now = [getattr(order_averaging, name.upper()) for name in names]
    assert [about[name] for name in names] == [list(value) if isinstance(value, tuple) else value for value in now]
    assert set(about["parts"]) <= set(order_averaging.PARTS)
    assert about["prices"] == [curve_names.parse(name).price for name in order_averaging.CURVES]


def test_condition_numbers_and_epsilons_are_those_of_the_record() -> None:
    study = load_study(study_path("quadratics", RESULTS))
    assert study["kappa"].tolist() == list(quadratics.KAPPAS)
    assert study["eps"].tolist() == list(quadratics.EPSILONS)


def test_amplitudes_and_exponents_are_those_of_the_record() -> None:
    """With as many steps and replicas as there were. At ε = 2.5e-5 Adam's amplitude is still on its way.

    20,000 logarithms of numbers near 1 are added up: 1e-9 is more than their rounding.
    """
    study = load_study(study_path("quadratics", RESULTS))
    place = study["eps"].tolist().index(2.5e-5)
    assert quadratics.adam_amplitude(2.5e-5) == pytest.approx(study["amplitude"][place], rel=1e-6)
    pair = np.stack([quadratics.heavy_ball(4 / 9, 1 / 9, curvature) for curvature in (1.0, 4.0)])
    found = quadratics.top_exponent(pair)
    recorded = study["exponent"][0], study["exponent_error"][0]
    assert found == pytest.approx(recorded, rel=0, abs=1e-9)
    assert study["sign_gap"] == quadratics.sign_parity(seeds=20) == 1.0
