"""The study of the order-averaging regulariser: a small run, and verdicts on numbers that are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from nn_experiments.analysis.order_averaging_study import (  # noqa: E402
    best_rates,
    order_averaging_study_findings,
    order_averaging_study_table,
    order_stability_findings,
    order_stability_table,
    stability,
)
from nn_experiments.engine.loop import double_loop  # noqa: E402
from nn_experiments.paper import curve_names  # noqa: E402
from nn_experiments.paper.catalogue import EXPERIMENTS  # noqa: E402
from nn_experiments.report.order_averaging_study import draw_order_averaging_study, draw_order_stability  # noqa: E402
from nn_experiments.results.studies import Study, load_study  # noqa: E402
from nn_experiments.runs.setup import prepare  # noqa: E402
from nn_experiments.studies import order_averaging, order_stability  # noqa: E402
from nn_experiments.training.vector_fields import Layout, loss_fields, module_loss  # noqa: E402


def test_a_small_run_is_the_steps_one_after_the_other(tmp_path: Path) -> None:
    curves = ("forward", "small", "regularised-0.5")
    study = order_averaging.run(tmp_path, seeds=1, rates=(0.05,), curves=curves, parts=(2,), steps=9)
    assert study["ends"].shape == (1, 1, 3, 1, 2, 4)
    changes = {"batch_size": "256", "parts": "2", "learning_rate": "0.05", "initialisation": "he_normal"}
    place = prepare(EXPERIMENTS["mlp-digits"].override(changes), 0)
    for k, (name, cheaper) in enumerate(zip(curves, (9, 9, 3), strict=True)):  # 9 plain steps cost 3 of 2.8
        curve = curve_names.parse(name)
        states = double_loop(place.step_of(curve), place.batches, place.state0, curve.order, [cheaper, 9])
        for column, n in enumerate((9, cheaper)):
            values = place.evaluation(states[n], None, None)
            right = [float(values["train_loss"]), float(values["test_loss"])]
            assert study["ends"][0, 0, k, 0, column, :2] == pytest.approx(right, rel=1e-4)
    smooth, kinked = study["expansion"][1, :, 0, 0], study["expansion"][0, :, 0, 0]
    assert smooth[1:] == pytest.approx(np.ones(4), abs=1e-3)  # tanh: second order alone, from h = 0.01 down
    assert kinked.min() < 0.9  # ReLU: units switch, and what they change is no second order
    again = order_averaging.run(tmp_path, seeds=1, rates=(0.05,), curves=curves, parts=(2,), steps=9)
    assert np.array_equal(again["ends"], study["ends"])


def test_the_top_eigenvalue_is_that_of_the_whole_hessian() -> None:
    changes = {"batch_size": "64", "model": "mlp-1x3", "dtype": "float64"}
    place = prepare(EXPERIMENTS["mlp-digits"].override(changes), 0)
    found = order_averaging.top_eigenvalue(place, place.state0, iterations=400)
    layout = Layout.of(place.state0["parameters"])
    batch = tuple(place.batches(1)[:2])
    (field,) = loss_fields(module_loss(place.model, place.step.loss), [batch], layout)
    _, product = field.linearized(layout.flatten(place.state0["parameters"]))
    values = torch.linalg.eigvalsh(-torch.stack([product(row) for row in torch.eye(layout.dimension).double()]))
    assert found == pytest.approx(float(values[values.abs().argmax()]), rel=1e-6)


CURVES = ("forward", "small", "regularised-1-derived", "regularised-0.5", "regularised-1", "regularised-4")
RATES = (0.01, 0.1)


def study() -> Study:
    """Λ = 10: λ = m h² is unstable for m > 1/(2·10 h), 5 at h = 0.01 and 0.5 at 0.1, and so are the paths."""
    ends = np.full((1, 2, len(CURVES), 5, 2, 4), 1.0)
    for b, h in enumerate(RATES):
        for k, name in enumerate(CURVES):
            multiple = {"regularised-1-derived": 0.125}.get(name) or (float(name[12:]) if name[:3] == "reg" else 0)
            ends[0, b, k] = 1 - 2 * h - 0.01 * multiple + 0.001 * np.arange(5)[:, None, None]
            ends[0, b, k, :, 1] += 0.1 * (multiple > 0)
            if multiple * 2 * h * 10 > 1:
                ends[0, b, k] = np.nan
    expansion = np.array([np.full((2, 5, 2), 0.2), np.full((2, 5, 2), 0.999)])
    about = {"activations": ["relu", "tanh"], "sizes": [0.01, 0.001]}
    about |= {"parts": [2], "rates": list(RATES), "curves": list(CURVES), "seeds": 5, "steps": 300}
    arrays = {"ends": ends, "eigenvalue": np.full((1, 2, 5, 2), 10.0), "expansion": expansion}
    return Study("order-averaging", arrays, about)


def test_every_curve_is_judged_at_its_own_best_rate() -> None:
    best = best_rates(study(), 2, budget=0)
    assert best["forward"][0] == 0.1
    assert best["regularised-4"][0] == 0.01  # at 0.1 it diverges
    assert best["regularised-4"][1] == pytest.approx(1 - 0.02 - 0.04 + 0.001 * np.arange(5))
    verdicts = {row.topic: row.verdict for row in order_averaging_study_findings(study())}
    assert verdicts["Order-averaging, every rate tuned: c = 2, equal cost"] == "disagrees"
    assert verdicts["Order-averaging, every rate tuned: c = 2, equal steps"] == "agrees"  # λ = h²/2 at 0.1
    assert verdicts["Larger λ, rate by rate: c = 2"] == "5 of 10 seeds and rates, by test loss"
    header, rows = order_averaging_study_table(study())
    assert len(rows) == len(CURVES)
    assert all(len(row) == len(header) for row in rows)


@pytest.mark.parametrize("better", ["forward", "small"])
@pytest.mark.parametrize("ours", ["regularised-0.5", "regularised-1"])
def test_the_best_of_ours_is_compared_with_the_better_baseline(better: str, ours: str) -> None:
    """Whichever these are, at equal steps and at equal cost: named, with the losses of both, and judged by them."""
    one = study()
    one.arrays["ends"][:, :, CURVES.index(better)] -= 0.4
    one.arrays["ends"][:, :, CURVES.index(ours)] -= 0.3
    rows = [row for row in order_averaging_study_findings(one) if "every rate tuned" in row.topic]
    assert len(rows) == 2
    for row in rows:
        assert row.measured.endswith(f"The best λ of those printed is {ours}, the better baseline {better}.")
        (comparison,) = row.comparisons
        assert f"{better} at " in comparison.what
        assert f"{ours} at " in comparison.what
        assert row.verdict == "disagrees"


@pytest.mark.parametrize("c", [2, 3, 4])
def test_lambda_has_the_unit_that_its_name_says(c: int) -> None:
    """As printed a multiple of h², with hc of (h/c)², and derived of half of that: for every c, not for 2 alone."""
    units = {"3": 3.0, "3-h": 3.0, "3-hc": 3 / c**2, "3-derived": 3 / (2 * c**2)}
    about = {"parts": [c], "rates": [0.1], "curves": [f"regularised-{unit}" for unit in units]}
    arrays = {"ends": np.ones((1, 1, len(units), 5, 2, 4)), "eigenvalue": np.full((1, 1, 5, 2), 10.0)}
    cases = stability(Study("order-averaging", arrays, about))
    found = {case.curve.removeprefix("regularised-"): case.multiple for case in cases}
    assert found == pytest.approx(units)
    assert {case.c for case in cases} == {c}


def test_larger_lambdas_are_judged_by_the_test_loss_and_the_training_loss_is_counted_beside_it() -> None:
    apart = study()
    apart.arrays["ends"][0, 0, 3:, :2, 0, 1] *= -1  # h = 0.01, two seeds: the test loss now rises with λ
    (row,) = [row for row in order_averaging_study_findings(apart) if row.topic.startswith("Larger λ")]
    assert row.verdict == "3 of 10 seeds and rates, by test loss"
    assert row.measured.endswith("h = 0.01: 3; h = 0.1: 0. The training loss: h = 0.01: 5; h = 0.1: 0.")


def test_stability_is_foretold_by_the_factor() -> None:
    cases = stability(study())
    assert len(cases) == 2 * 4 * 5
    one = next(case for case in cases if (case.rate, case.curve) == (0.1, "regularised-4"))
    assert (one.reach, one.multiple, one.unstable) == (1.0, 4.0, True)
    assert one.factor == pytest.approx(1 - 1 + 8)
    assert [case.multiple for case in cases if case.curve == "regularised-1-derived"] == [0.125] * 10
    row = order_averaging_study_findings(study())[-2]
    assert row.verdict == "foretold: 40 of 40; with Λ at the end as well: 40"
    assert row.measured.endswith(
        "plain SGD beside them 0 end above chance, where the factor at λ = 0 is outside [−1, 1] for 0."
    )
    early = study()
    early.arrays["eigenvalue"][..., 0] = 0.1  # at the start no path would be unstable; 10 are
    row = order_averaging_study_findings(early)[-2]
    assert row.verdict == "foretold: 30 of 40; with Λ at the end as well: 40"
    wrong = study()
    wrong.arrays["eigenvalue"][:] = 100.0  # control: another curvature foretells something else
    row = order_averaging_study_findings(wrong)[-2]
    assert row.verdict == "foretold: 20 of 40; with Λ at the end as well: 20"
    assert row.measured.endswith("outside [−1, 1] for 5.")  # hΛ = 10 at h = 0.1
    assert order_averaging_study_findings(wrong)[-1].verdict == "relu: smallest cosine 0.2; tanh: smallest cosine 1"


def test_the_picture_has_a_row_for_each_c() -> None:
    fig = draw_order_averaging_study(study())
    assert len(fig.axes) == 2
    dots = [line for line in fig.axes[1].lines if line.get_marker() == "o"]
    assert sorted(len(np.asarray(line.get_xdata())) for line in dots) == [10, 30]


def test_stability_is_asked_of_the_network_of_figure_14(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def small(experiment, seed, *, data_dir):  # the same question to a network that a test can train
        asked.append((experiment.name, experiment.optimizer.learning_rate, seed, data_dir))
        changes = {"batch_size": "64", "parts": "2", "learning_rate": str(experiment.optimizer.learning_rate)}
        return prepare(EXPERIMENTS["mlp-digits"].override(changes | {"initialisation": "glorot_uniform"}), seed)

    monkeypatch.setattr(order_stability, "prepare", small)
    lines: list[str] = []
    settings = {"seeds": 2, "rates": (0.03, 1.0), "steps": 40, "iterations": 8}
    found = order_stability.run(tmp_path, **settings, data_dir="somewhere", report=lines.append)
    assert asked == [("mlp-fashion-split-2", h, seed, "somewhere") for h in (0.03, 1.0) for seed in (0, 1)]
    assert lines == ["h = 0.03, seed 0", "h = 0.03, seed 1", "h = 1, seed 0", "h = 1, seed 1"]
    assert found["ends"].shape == (1, 2, 3, 2, 2, 4)
    (row,) = order_stability_findings(found)
    assert row.verdict == "foretold: 8 of 8; with Λ at the end as well: 8"  # hΛ near 0.08 and 4: all train, or none
    assert "Of the 4 paths of plain SGD beside them" in row.measured
    header, rows = order_stability_table(found)
    assert [line[0] for line in rows] == ["0.03", "1"]
    assert len(header) == len(rows[0])
    left, _ = draw_order_stability(found).axes
    drawn = [np.asarray(line.get_ydata()) for line in left.lines if line.get_linestyle() == "None"]
    assert [len(y) for y in drawn] == [4, 4, 4]
    assert drawn[2].max() == pytest.approx(2 * np.log(10))  # diverged: at the edge
    again = order_stability.run(tmp_path, **settings, data_dir="somewhere")
    assert len(asked) == 4  # the parts were read from their files
    assert np.array_equal(again["ends"], found["ends"], equal_nan=True)


def test_what_the_record_says() -> None:
    """The numbers of results/README.md."""
    record = load_study(Path(__file__).parents[3] / "results" / "studies" / "order-averaging.npz")
    found = {row.topic: row for row in order_averaging_study_findings(record)}
    for what in ("equal cost", "equal steps"):
        row = found[f"Order-averaging, every rate tuned: c = 2, {what}"]
        assert row.verdict == "disagrees"
        assert row.comparisons[0].pvalue == pytest.approx(2 / 64)
    row = found["Larger λ, rate by rate: c = 2"]
    assert "h = 0.003125: 4; h = 0.0125: 2; h = 0.025: 0" in row.measured
    assert "The training loss: h = 0.003125: 6; h = 0.0125: 2; h = 0.025: 0" in row.measured
    cases = [case for case in stability(record) if case.c == 2]
    assert sum(case.foretold == case.unstable for case in cases) == 281
    assert len(cases) == 288
    rate, values = best_rates(record, 2)["forward"]
    assert (rate, round(float(np.median(values)), 3)) == (0.4, 0.084)
