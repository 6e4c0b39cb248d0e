"""The study of what the paper leaves open: a small run against the loop, and verdicts on numbers that are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from nn_experiments.analysis.choices import RECOMPUTED, choice_findings, choice_table, deviations  # noqa: E402
from nn_experiments.engine.batch_norm import StatisticsRefresh  # noqa: E402
from nn_experiments.engine.loop import double_loop  # noqa: E402
from nn_experiments.paper import curve_names  # noqa: E402
from nn_experiments.paper.catalogue import EXPERIMENTS  # noqa: E402
from nn_experiments.report.choices import draw_choices  # noqa: E402
from nn_experiments.results.studies import Study, load_study  # noqa: E402
from nn_experiments.runs.setup import prepare  # noqa: E402
from nn_experiments.studies import choices  # noqa: E402
from nn_experiments.studies.choices import POINTS, SETTINGS, Choice  # noqa: E402


def test_a_small_run_is_both_orders_of_the_maps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At six iterates of each path, in place of twenty."""
    monkeypatch.setattr(choices, "POINTS", 6)
    settings = (
        Choice("mlp-digits", 6, 1, {"model": "convnet", "sampling": "reshuffle"}),
        Choice("mlp-digits", 8, 1, {"initialisation": "he_normal"}),
    )
    lines: list[str] = []
    study = choices.run(tmp_path, seeds=2, settings=settings, report=lines.append)
    assert study["n"].tolist() == [list(range(1, 7)), list(range(3, 9))]
    assert lines[-1] == "mlp-digits, initialisation=he_normal, seed 1"
    for k, setting in enumerate(settings):
        place = prepare(EXPERIMENTS["mlp-digits"].override(setting.changes), 1)
        refresh = StatisticsRefresh(place.step, place.batches, choices.REFRESH)
        for row, name in enumerate(("forward", "backward")):
            at = setting.at[-2:]
            states = double_loop(place.step, place.batches, place.state0, curve_names.parse(name).order, at)
            for point, n in zip((-2, -1), at, strict=True):
                values = place.evaluation(states[n], None, None)
                right = [float(values["train_loss"]), float(values["test_loss"])]
                assert study["paths"][k, row, 1, point, :2] == pytest.approx(right, rel=1e-4)
                again = float(place.evaluation(refresh(states[n]), None, None)["test_loss"])
                assert (study["paths"][0, row, 1, point, RECOMPUTED] == pytest.approx(again, rel=1e-4)) == (k == 0)
    assert np.isnan(study["paths"][1, ..., 2:]).all()  # no batch norm, no statistics
    forward, backward = study["paths"][0, :, 1, -1, 1]
    assert abs(forward - backward) > 1e-4 * forward  # control: the orders differ by more than is allowed above
    assert (study["paths"][0, ..., 1] != study["paths"][0, ..., 3]).all()  # and so do the two kinds of statistics
    again = choices.run(tmp_path, seeds=2, settings=settings)
    assert np.array_equal(again["paths"], study["paths"], equal_nan=True)


def known() -> Study:
    """Return forward paths that vary twice, thrice … as much as backward ones, in log loss; the last one diverges."""
    n = np.arange(1, POINTS + 1)
    paths = np.full((3, 2, 5, POINTS, 4), np.nan)
    noise = (-1.0) ** n * np.where(n % 4 < 2, 1.0, 2.0)
    for seed in range(5):
        slope = np.exp(-0.01 * n * seed)
        for k, factor in enumerate((2 + seed, 1 / (2 + seed))):
            paths[k, 0, seed, :, :2] = (slope * np.exp(0.01 * factor * noise))[:, None]
            paths[k, 1, seed, :, :2] = (slope * np.exp(0.01 * noise))[:, None]
    paths[0, ..., 3] = paths[1, ..., 1]  # with recomputed statistics it is the other way round
    paths[2, ..., :2] = paths[0, ..., :2]
    paths[2, 0, 3, -1, :2] = np.inf
    about = {"settings": [{"name": name, "steps": POINTS} for name in ("a", "b", "c")], "seeds": 5}
    return Study("choices", {"n": np.stack([n] * 3), "paths": paths}, about)


def test_verdicts_on_paths_that_are_known() -> None:
    forward, backward = deviations(known(), 0)
    assert forward / backward == pytest.approx(2 + np.arange(5.0))
    found = {row.topic: row for row in choice_findings(known())}
    assert list(found) == ["Choices: a", "Choices: a, statistics recomputed", "Choices: b", "Choices: c"]
    assert found["Choices: a"].verdict == "agrees"
    assert "4 (2 to 6). Backward is less variable on 5 of 5 seeds." in found["Choices: a"].measured
    assert found["Choices: a"].comparisons[0].pvalue == pytest.approx(2 / 32)
    assert found["Choices: a, statistics recomputed"].verdict == "disagrees"
    assert found["Choices: b"].verdict == "disagrees"
    assert found["Choices: c"].verdict.startswith("4 of 4")  # the seed that diverges is left out, and said
    assert "Left out: seed 3" in found["Choices: c"].measured
    header, rows = choice_table(known())
    assert len(rows) == 4
    assert all(len(row) == len(header) for row in rows)
    assert [row[-1] for row in rows] == ["5 of 5", "0 of 5", "0 of 5", "4 of 5"]
    assert rows[3][2].endswith("; 1 of 5 diverge")
    lost = known()
    lost.arrays["paths"][2, ..., -1, :2] = np.nan  # every path of c
    assert choice_table(lost)[1][-1][2:] == ("5 of 5 diverge", "5 of 5 diverge", "diverges", "0 of 5")
    assert choice_findings(lost)[-1].verdict == "undecided"
    (axis,) = draw_choices(lost).axes
    assert [text.get_text() for text in axis.texts] == ["diverges"]


def test_the_picture_has_a_row_for_each_setting() -> None:
    (axis,) = draw_choices(known()).axes
    assert [text.get_text() for text in axis.get_yticklabels()] == ["a", "a, statistics recomputed", "b", "c"]
    dots = [np.asarray(line.get_xdata()) for line in axis.lines if line.get_marker() == "o"]
    assert [len(x) for x in dots] == [5, 5, 5, 4]
    assert dots[0] == pytest.approx(2 + np.arange(5.0))


def test_every_setting_is_one_that_the_catalogue_has() -> None:
    for setting in SETTINGS:
        EXPERIMENTS[setting.experiment].override(setting.changes)
        assert setting.at[-1] == setting.steps
        assert setting.at[0] > setting.steps // 2
    assert len({setting.name for setting in SETTINGS}) == len(SETTINGS)


def test_what_the_record_says() -> None:
    """The numbers of results/README.md."""
    record = load_study(Path(__file__).parents[3] / "results" / "studies" / "choices.npz")
    assert [setting["name"] for setting in record.about["settings"]] == [setting.name for setting in SETTINGS]
    medians, lost = {}, 0
    for row in choice_findings(record):
        (one,) = row.comparisons
        if "initialisation=he_normal" in row.topic and "regression" in row.topic:
            assert not one.seeds
            continue
        assert row.verdict == "agrees"
        medians[row.topic.removeprefix("Choices: ")] = one.effect
    for k, setting in enumerate(SETTINGS):
        lost += int((~np.isfinite(record["paths"][k, :, :, -1, 1])).sum())
        if "he_normal" in setting.name and "regression" in setting.name:
            assert (~np.isfinite(record["paths"][k, :, :, -1, 1])).sum() >= 9
    assert lost == 29
    regressions = [value for name, value in medians.items() if "regression" in name]
    assert (round(min(regressions), 1), round(max(regressions))) == (3.0, 16)
    assert round(medians["mlp-fashion, initialisation=he_normal, scaling=standard"]) == 10
    names = ("convnet", "convnet, statistics recomputed", "convnet-group")
    assert [round(medians[f"mlp-digits, model={name}"], 1) for name in names] == [3.8, 3.9, 9.0]
