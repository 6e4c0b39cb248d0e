"""The study of the paper's networks: its parts are one diagnosis, and verdicts on distances that are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from nn_experiments.analysis.networks import (  # noqa: E402
    increments,
    judged,
    measured_of,
    network_findings,
    network_table,
)
from nn_experiments.paper.catalogue import EXPERIMENTS  # noqa: E402
from nn_experiments.report.networks import draw_networks  # noqa: E402
from nn_experiments.results.studies import Study, load_study, study_path  # noqa: E402
from nn_experiments.runs.diagnose import diagnose_experiment  # noqa: E402
from nn_experiments.studies import networks  # noqa: E402
from nn_experiments.studies.networks import ARRAYS, SETTINGS, Network  # noqa: E402

SMALL = Network("mlp-digits", 50, 20, {"model": "mlp-1x8", "activation": "gelu"})


def test_the_parts_are_one_diagnosis_and_a_stopped_study_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks, "PART", 2)
    lines: list[str] = []
    study = networks.run(tmp_path, seeds=5, settings=(SMALL,), report=lines.append)
    assert [line.rpartition(": ")[2] for line in lines] == ["replicates 0 to 1", "replicates 2 to 4"]
    experiment = EXPERIMENTS["mlp-digits"].override(SMALL.changes)
    whole = diagnose_experiment(experiment, steps=50, replicates=5)
    measured = measured_of(study, 0)
    for key in ("n", "parameter", "function", "diverged", "jumps"):
        assert np.array_equal(getattr(measured, key), getattr(whole.measured, key), equal_nan=True), key
    for key in ("derivative", "pairs"):  # sums over replicates that are carried together
        assert getattr(measured, key) == pytest.approx(getattr(whole.measured, key), rel=1e-3), key
    assert (measured.steps, measured.lag, measured.eps) == (50, 25, whole.measured.eps)
    assert judged(study, 0).verdict == whole.verdict
    other = diagnose_experiment(experiment, steps=50, replicates=2, seed=1).measured  # control: another seed
    assert not np.array_equal(other.parameter, measured.parameter[:2])
    assert np.array_equal(other.parameter, measured.parameter[1:3])

    def not_again(*_: object, **__: object) -> None:
        raise AssertionError("the parts are there")

    monkeypatch.setattr(networks, "diagnose_experiment", not_again)
    again = networks.run(tmp_path, seeds=5, settings=(SMALL,))
    assert all(np.array_equal(again[key], study[key], equal_nan=True) for key in study.arrays)
    with pytest.raises(AssertionError, match="the parts are there"):
        networks.run(tmp_path, seeds=6, settings=(SMALL,))


def test_a_single_replicate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 2 replicates, got 1"):
        networks.run(tmp_path, seeds=1, settings=(SMALL,))


def known(rates: tuple[float, ...], *, replicates: int = 20, jumps: float = 0.0) -> Study:
    """Return increments that change by a known rate a step, of runs whose independent distance is 2."""
    rng = np.random.default_rng(0)
    n = np.array([0, 50, 100, 150, 200])
    arrays: dict[str, np.ndarray] = {}
    for k, rate in enumerate(rates):
        spread = np.exp(rng.normal(0, 0.1, (replicates, 1)))
        near = spread * np.exp(rate * n)
        columns = [near, 1.5 * near, np.full_like(near, 2.0), np.full_like(near, 1.0), np.full_like(near, np.nan)]
        distances = np.stack(columns, -1)
        noise = rng.normal(0, 1e-4, (2, replicates))
        given = (n, distances, distances / 2, np.full(replicates, -1), rate + noise[0], rate + noise[1])
        arrays |= {f"{key} {k}": value for key, value in zip(ARRAYS, given, strict=False)}
        arrays[f"jumps {k}"] = np.full((replicates, 3), jumps)
    more = {"steps": 200, "lag": 100, "eps": 0.05, "derivative_by": "derivatives", "replicates": replicates}
    return Study("networks", arrays, {"settings": [{"name": f"rate {rate:g}", **more} for rate in rates]})


def test_verdicts_on_increments_that_are_known() -> None:
    study = known((-0.05, -0.01, 0.0, 0.02))
    words = [judged(study, k).verdict for k in range(4)]
    assert words == ["contracting", "too early", "undecided", "expanding"]
    findings = network_findings(study)
    assert [one.verdict for one in findings] == ["agrees", "too early: not by N", "undecided", "expanding: not by N"]
    assert "20 replicates" in findings[3].measured
    assert "0 of 60" in findings[3].measured
    header, rows = network_table(study)
    assert all(len(row) == len(header) for row in rows)
    assert [row[0] for row in rows] == ["rate -0.05", "rate -0.01", "rate 0", "rate 0.02"]
    assert [row[-1] for row in rows] == words
    n, middle, low, high = increments(study, 1, "parameters")
    assert n.tolist() == [50, 100, 150, 200]
    assert np.log(middle[-1] / middle[0]) / 150 == pytest.approx(-0.01)
    assert middle[0] == pytest.approx(np.exp(-0.5) / 2, rel=0.1)
    assert (low < middle).all()
    assert (middle < high).all()
    predicted = increments(study, 1, "predictions", far=True)[1]
    assert predicted == pytest.approx(1.5 * middle)  # both the distance and its unit are halved


def test_jumps_and_lost_replicates_are_said() -> None:
    row = network_table(known((0.02,), jumps=1.5))[1][0]
    assert row[5] == "60 of 60, up to 1.5"
    study = known((-0.05,))
    study.arrays["diverged 0"][3] = 100
    row = network_table(study)[1][0]
    assert row[-1] == "diverged"
    assert set(row[6:10]) == {"–"}
    assert "1 of 20 replicates have diverged" in network_findings(study)[0].measured


def test_the_picture_has_a_panel_for_each_network() -> None:
    picture = draw_networks(known((-0.05, -0.01, 0.0, 0.02)))
    panels = [axis for axis in picture.axes if axis.axison]
    assert [axis.get_title().splitlines()[-1] for axis in panels] == [
        "contracting",
        "too early",
        "undecided",
        "expanding",
    ]
    curve = next(line for line in panels[0].lines if line.get_label() == "parameters, n and n + 1")
    assert np.asarray(curve.get_ydata()) == pytest.approx(increments(known((-0.05,)), 0, "parameters")[1])


def test_every_setting_is_one_that_the_catalogue_has() -> None:
    for setting in SETTINGS:
        experiment = EXPERIMENTS[setting.experiment].override(setting.changes)
        assert experiment.sampling == "iid"
        assert experiment.optimizer.schedule.constant
        assert setting.replicates >= (11 if setting.experiment == "mlp-fashion" and setting.changes else 20)
    assert len({setting.name for setting in SETTINGS}) == len(SETTINGS)


def test_the_record_has_these_settings_and_the_verdicts_of_the_page() -> None:
    results = Path(__file__).parents[3] / "results"
    study = load_study(study_path("networks", results))
    assert [one["name"] for one in study.about["settings"]] == [setting.name for setting in SETTINGS]
    lines = (results / "README.md").read_text(encoding="utf-8").splitlines()
    for k, setting in enumerate(SETTINGS):
        name = f"| {setting.experiment.removeprefix('regression-')}, {setting.changes.get('activation', 'relu')} |"
        (row,) = (line for line in lines if line.startswith(name))
        assert row.split("|")[-2].strip() == judged(study, k).verdict, name
