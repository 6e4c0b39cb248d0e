"""The settings of the studies are those of the results of record: a number that has changed is seen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from nn_experiments.results.studies import load_study, study_path  # noqa: E402
from nn_experiments.studies import choices, conjectures, influence, networks, settings  # noqa: E402

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
