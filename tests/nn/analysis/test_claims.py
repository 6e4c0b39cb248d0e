"""A whole figure's verdicts, from synthetic AR(1) results whose answers are known, and what was run."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from nn_experiments import load
from nn_experiments.analysis import Pairing, findings
from nn_experiments.analysis.run_summary import circumstances
from nn_experiments.analysis.settling import evidence
from nn_experiments.analysis.values import detectable
from nn_experiments.paper import catalogue
from nn_experiments.report.figures import draw_settling
from nn_experiments.results.curves import Curves
from tests.nn.synthetic_results import write_synthetic


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory) -> Curves:
    out = tmp_path_factory.mktemp("synthetic")
    write_synthetic(out, "fig4", steps=400)
    return load("fig4", out=out)


def verdicts(curves: Curves, name: str = "fig4", **changes) -> dict[str, str]:
    figure = dataclasses.replace(catalogue.find(name), **changes)
    return {row.topic: row.verdict for row in findings(curves, figure)}


def test_verdicts_of_ar1(synthetic):
    found = verdicts(synthetic, compared_at=(100, 400))
    assert found["Variability along a path: train loss"] == "agrees"
    assert found["Settling times"] == "agrees"
    assert found["Value at a fixed step"] == "equal in law (proved); too few seeds to test"
    # backward may never be as low as forward is in passing; forward does not stay there
    assert found["Converges faster: first passage"].startswith(("mixed", "disagrees"))
    assert found["Best so far"].startswith(("mixed", "disagrees"))
    for question in ("Convergence to a point", "Forgets a near start", "Forgets an independent start"):
        assert found[f"{question}: parameters"] == "agrees"


def test_exchanged_orders_change_every_verdict(synthetic):
    found = verdicts(synthetic, orders=("backward", "forward"), compared_at=(100, 400))
    assert found["Variability along a path: train loss"] == "disagrees"
    assert found["Settling times"] == "disagrees"
    assert found["Convergence to a point: parameters"] != "agrees"
    assert found["Value at a fixed step"].startswith("equal in law (proved)")


def test_seeds_without_diagnostics_are_counted_and_say_nothing(synthetic):
    recorded = {name: mask.copy() for name, mask in synthetic.recorded.items()}
    for name, mask in recorded.items():
        if name.startswith(("parameter", "function", "gradient")):
            mask[3:] = False
    part = dataclasses.replace(synthetic, recorded=recorded)
    [row] = [f for f in findings(part, catalogue.find("fig4")) if f.topic == "Convergence to a point: parameters"]
    assert row.verdict == "settles (3 of 3): too few to tell"
    assert "not measured (2 of 5)" in row.measured
    assert len(draw_settling(part, catalogue.find("fig4")).axes) == 2 * 3


def test_five_seeds_are_said_to_be_too_few(synthetic):
    figure = dataclasses.replace(catalogue.find("fig4"), compared_at=(100, 400))
    row = next(row for row in findings(synthetic, figure) if row.topic == "Value at a fixed step")
    assert len(row.comparisons) == 4
    assert "smallest possible 0.0625" in row.test
    assert "Power 0: with 5 seeds no rejection is possible" in row.test


def test_a_shifted_law_is_rejected_with_enough_seeds(tmp_path):
    write_synthetic(tmp_path, "fig4", seeds=range(10), orders=("forward", "backward"), steps=60)
    curves = load("fig4", out=tmp_path)
    row = next(
        row
        for row in findings(curves, dataclasses.replace(catalogue.find("fig4"), compared_at=(60,)))
        if row.topic == "Value at a fixed step"
    )
    assert row.verdict == "equal in law (proved); not contradicted"
    shift = detectable(10, 0.05 / 2)
    assert f"Power 0.8 for a mean difference of {shift:.2g} deviations" in row.test
    assert shift == pytest.approx((2.2414 + 0.8416) / math.sqrt(10), rel=1e-3)  # quantiles of 1 − 0.025/2 and of 0.8
    curves["train_loss"][:, 1] += 5.0
    assert verdicts(curves, compared_at=(60,))["Value at a fixed step"].startswith("rejected")


def test_a_step_that_was_not_recorded_is_not_replaced(synthetic):
    assert verdicts(synthetic, compared_at=(700, 1400))["Value at a fixed step"] == "not measured"


RESET = ("forward", "reset-200")


def reset_curves(out: Path, **more) -> Curves:
    """Return synthetic results of Figure 13: forward, a reset path, and the same path without the reset."""
    return load(write_synthetic(out, "fig13", orders=(*RESET, "backward"), steps=400, **more))


def test_reset_goes_to_another_point(tmp_path):
    found = verdicts(reset_curves(tmp_path), "fig13", orders=RESET, window=50)
    assert found["Another point after the reset"] == "agrees"
    assert found["Variability along a path: test error"] == "agrees"


def test_a_seed_that_diverged_is_no_evidence_on_the_reset(tmp_path):
    broken: dict[tuple[int, str], int] = {(1, "reset-200"): 300, (2, "forward"): 390, (3, "backward"): 390}
    figure = dataclasses.replace(catalogue.find("fig13"), orders=RESET, window=50)
    for seeds, verdict in (((0, 1, 2, 3), "1 of 1 seed: too few to tell"), ((1, 2, 3), "undecided")):
        curves = reset_curves(tmp_path / verdict[:4], seeds=seeds, diverges_at=broken)
        row = findings(curves, figure)[0]
        assert (row.topic, row.verdict) == ("Another point after the reset", verdict)
        assert "Left out, and shown: seed 1: not finite; seed 2: not finite; seed 3: not finite" in row.measured
        assert "nan" not in row.measured


def test_without_a_reset_there_is_no_other_point(tmp_path):
    """The path without a reset in place of the one with: it trains, so its level changes, and yet it is elsewhere on no
    seed."""
    curves = reset_curves(tmp_path)
    same = {name: value.copy() for name, value in curves.metrics.items()}
    for value in same.values():
        value[:, curves.orders.index("reset-200")] = value[:, curves.orders.index("backward")]
    found = {row.topic: row for row in findings(dataclasses.replace(curves, metrics=same), reset_figure())}
    assert found["Another point after the reset"].verdict == "disagrees"
    assert "Elsewhere on 0 of 5 seeds" in found["Another point after the reset"].measured


def reset_figure():
    return dataclasses.replace(catalogue.find("fig13"), orders=RESET, window=50)


def test_forward_that_stays_on_one_side_does_not_visit_both_places(tmp_path):
    curves = reset_curves(tmp_path)
    place = curves.orders.index("forward")
    moved = {name: value.copy() for name, value in curves.metrics.items()}
    moved["test_accuracy"][:, place] = 2.0  # better than both everywhere
    row = findings(dataclasses.replace(curves, metrics=moved), reset_figure())[0]
    assert row.verdict == "disagrees"
    assert "forward visits both places on 0 of 5" in row.measured


def test_a_reset_path_alone_says_nothing_of_another_point(tmp_path):
    """Levels of one path at two n differ because it is still training; the path without a reset is needed."""
    curves = load(write_synthetic(tmp_path, "fig13", orders=RESET, steps=400))
    row = findings(curves, reset_figure())[0]
    assert row.verdict == "undecided"
    assert "was not recorded" in row.measured


def test_one_diverged_seed_keeps_a_claim_from_agreeing(tmp_path):
    write_synthetic(tmp_path, "fig4", steps=400, diverges_at={(2, "backward"): 300})
    curves, figure = load("fig4", out=tmp_path), catalogue.find("fig4")
    rows = {row.topic: row for row in findings(curves, figure)}
    row = rows["Variability along a path: train loss"]
    assert row.verdict == "4 of 4 seeds: too few to tell"
    assert "seed 2: not finite" in row.measured
    assert len(row.comparisons[0].seeds) == 4
    assert "diverged (1 of 5)" in rows["Convergence to a point: parameters"].measured
    assert circumstances(curves, figure).diverged == ((2, "backward", 300),)


def test_where_every_seed_diverged_nothing_is_said_of_medians(tmp_path):
    seeds = (0, 1)
    broken = {(seed, "backward"): 300 for seed in seeds}
    write_synthetic(tmp_path, "fig4", steps=400, seeds=seeds, diverges_at=broken)
    rows = {row.topic: row for row in findings(load("fig4", out=tmp_path), catalogue.find("fig4"))}
    row = rows["Variability along a path: train loss"]
    assert row.verdict == "undecided"
    assert "no seed is finite under both orders. Left out, and shown: seed 0: not finite; seed 1" in row.measured
    assert rows["Baseline: polyak"].verdict == "undecided"
    assert "no seed has a finite train loss at n = 400 under both" in rows["Baseline: polyak"].measured
    assert not [row.topic for row in rows.values() if "nan" in row.measured + row.test]


def test_accuracies_count_as_error_rates(tmp_path):
    write_synthetic(tmp_path, "fig7", steps=60, seeds=(0, 1), orders=("forward", "backward"))
    curves, figure = load("fig7", out=tmp_path), catalogue.find("fig7")
    pair = Pairing(curves, figure, "forward", "backward")
    found = pair.at("test_accuracy", 60)
    assert found is not None
    at = int(np.searchsorted(curves.iterates, 60))
    assert np.array_equal(found[0], 1 - curves["test_accuracy"][:, 0, at])
    assert "test error ≤ 0.5 of its start" in next(r.measured for r in findings(curves, figure) if "first" in r.topic)


def test_a_path_that_diverged_between_diagnostics_has_diverged(synthetic):
    curves = dataclasses.replace(synthetic, metrics={k: v.copy() for k, v in synthetic.metrics.items()})
    assert evidence(curves, "function", seed=0, order="backward", last=400).verdict == "settles"
    curves["test_loss"][0, 1, 399] = math.inf
    assert evidence(curves, "function", seed=0, order="backward", last=400).verdict == "diverged"


# --- what was run ---------------------------------------------------------------------------------------------------


def test_reduced_runs_say_what_is_less(tmp_path: Path):
    write_synthetic(tmp_path, "fig4", seeds=(0, 1), steps=200, every=10)
    about = circumstances(load("fig4", out=tmp_path), catalogue.find("fig4"))
    assert (about.steps, about.every, about.seeds) == (200, 10, 2)
    assert len(about.reductions) == 3
    for part in ("200 of 1,400 steps", "every 10th iterate", "2 of 5 seeds"):
        assert part in about.label()


def test_a_full_run_is_not_called_reduced(synthetic):
    about = circumstances(synthetic, dataclasses.replace(catalogue.find("fig4"), steps=400, compared_at=()))
    assert about.label() == "N = 400, every iterate recorded, 5 seeds"


def test_a_run_that_did_not_train_says_so(synthetic):
    figure = catalogue.find("fig4")
    assert "HARDLY TRAINED" not in circumstances(synthetic, figure).label()  # 5 to 0.5
    flat = {**synthetic.metrics, "train_loss": 2.3 - 1e-3 * synthetic["train_loss"][:, :, ::-1]}
    label = circumstances(dataclasses.replace(synthetic, metrics=flat), figure).label()
    assert "HARDLY TRAINED: the training loss fell by 0.2% of its start at most" in label


def test_changed_settings_and_gaps_are_named(synthetic):
    curves = dataclasses.replace(
        synthetic,
        experiment={
            "experiment": {**synthetic.experiment["experiment"], "sampling": "reshuffle", "train_evaluation": 7}
        },
        recorded={name: mask.copy() for name, mask in synthetic.recorded.items()},
    )
    curves.recorded["train_loss"][3, 1, 50:60] = False
    label = circumstances(curves, catalogue.find("fig4")).label()
    for part in ("sampling = reshuffle (not iid)", "first 7 train items", "seed 3 backward has 391 of 401 iterates"):
        assert part in label
