"""Tables and sentences on end values and on quadratics, number by number, on random results."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from nn_experiments.analysis.end_values import end_value_findings, end_value_table
from nn_experiments.analysis.quadratics import THRESHOLD, quadratic_findings, quadratic_table
from nn_experiments.results.studies import Study

WAYS = ["the last iterate", "an average", "a decay", "another"]


def text(values: Any) -> str:
    low, middle, high = (f"{float(f(values)):.3g}" for f in (np.min, np.median, np.max))
    return f"{middle} ({low} to {high})"


def ends() -> Study:
    """Return arrays of two figures, five seeds, four methods and four columns, and one array of another kind."""
    rng = np.random.default_rng(1)
    arrays = {name: 1 + rng.random((5, 4, 4)) for name in ("fig4", "fig11")}
    arrays["fig4"][:, 2, 1] -= 1.0  # the decay ends lower in the test loss
    arrays["fig11"][:4, 3, 1] += 5.0
    return Study("baselines", arrays | {"steps": np.arange(3)}, {"ways": WAYS})


def test_the_table_of_end_values_has_a_row_for_each_figure_and_way() -> None:
    study = ends()
    study["fig11"][2, 1, 3] = math.nan  # one seed without a test error
    header, lines = end_value_table(study)
    expected = [
        (label, way, *(text(study[name][:, k, c]) for c in range(4)))
        for name, label in (("fig4", "Figure 4"), ("fig11", "Figure 11"))
        for k, way in enumerate(WAYS)
    ]
    expected[5] = (*expected[5][:5], "–")
    assert lines == expected
    assert len(header) == 6


def test_a_finding_on_end_values_counts_seeds_below_and_above_the_last_iterate() -> None:
    study = ends()
    rows = end_value_findings(study)
    assert [row.topic for row in rows] == ["One end value: Figure 4", "One end value: Figure 11"]
    for row, name in zip(rows, ("fig4", "fig11"), strict=True):
        loss = study[name][..., 1]
        assert f"test loss at the end, 5 seeds: the last forward iterate {text(loss[:, 0])}; " in row.measured
        for k in (1, 2, 3):
            lower = sum(loss[s, k] < loss[s, 0] for s in range(5))
            assert f"{WAYS[k]} {text(loss[:, k])}, lower than the last iterate on {lower}" in row.measured
        best = min((1, 2, 3), key=lambda k: np.median(loss[:, k]))
        wins, losses = sum(loss[:, best] < loss[:, 0]), sum(loss[:, best] > loss[:, 0])
        verdict = "agrees" if wins == 5 else "disagrees" if losses == 5 else f"mixed: {wins} of 5"
        assert row.verdict == f"{WAYS[best]} lower than the last iterate: {verdict}"
    assert rows[0].verdict.startswith("a decay lower than the last iterate: agrees")


def test_a_best_way_that_is_higher_on_every_seed_disagrees() -> None:
    values = np.ones((5, 3, 4))
    values[:, 1:, 1] = [[2.0, 3.0]] * 5
    row = end_value_findings(Study("baselines", {"fig4": values}, {"ways": WAYS[:3]}))[0]
    assert row.verdict == "an average lower than the last iterate: disagrees"


def quadratics(**changes: Any) -> Study:
    arrays = {
        "heavy_ball": np.array([1.876, 0.949, 0.96788]),
        "kappa": np.array([4.0, 9.5, 16.0]),
        "radius": np.array([0.25, 0.75, 0.5]),
        "exponent": np.array([-0.5, 0.125, 0.0625]),
        "exponent_error": np.array([0.01, 0.02, 0.03]),
        "eps": np.array([1e-4, 2e-5]),
        "amplitude": np.array([1e-14, 3e-3]),
        "sign_gap": np.array(1.0),
    }
    return Study("quadratics", arrays | changes, {"seeds": 7})


def test_the_table_of_quadratics() -> None:
    header, lines = quadratic_table(quadratics())
    assert header == ("optimizer", "measured", "verdict")
    assert [line[1] for line in lines] == [
        "‖M‖ = 1.88, ρ(M) = 0.949, ‖M‖_P = 0.9679",
        "each map ρ = 0.25; top exponent -0.500 ± 0.01",
        "each map ρ = 0.75; top exponent +0.125 ± 0.02",
        "each map ρ = 0.5; top exponent +0.062 ± 0.03",
        f"amplitude 1e-14 (stable for ε > {THRESHOLD:.3g})",
        f"amplitude 0.003 (stable for ε > {THRESHOLD:.3g})",
        "backward iterates n and n + 1 at least 1 h apart",
    ]
    assert [line[0] for line in lines[1:6]] == [
        *(f"heavy ball, curvature 1 or {k} by batch, Polyak's tuning" for k in ("4", "9.5", "16")),
        "Adam, θ²/2 without noise, h = 0.001, ε = 0.0001",
        "Adam, θ²/2 without noise, h = 0.001, ε = 2e-05",
    ]
    assert [line[2] for line in lines[1:6]] == [
        "both forget their start",
        "both orders diverge",
        "undecided",
        "converges",
        "oscillates",
    ]


def test_the_findings_on_quadratics() -> None:
    norm, curvature, adam, sign = quadratic_findings(quadratics())
    assert "(‖M‖ = 1.88)" in norm.measured
    assert "(‖M‖_P = 0.9679, ρ = 0.949)" in norm.measured
    assert "largest radius 0.75)" in curvature.measured
    assert "products: κ = 4: -0.500, κ = 9.5: +0.125, κ = 16: +0.062. " in curvature.measured
    assert curvature.verdict == "diverges in 1 of 3: contraction of each map is not enough"
    assert curvature.test == "7 products of 20,000 matrices each; errors at most 0.03"
    assert adam.measured.endswith("oscillates below: ε = 0.0001: 1e-14, ε = 2e-05: 0.003")
    assert f"h(1 − β₁)/(2(1 + β₁)) = {1e-3 * 0.1 / 3.8:.3g} and" in adam.measured
    assert "at least 1 h apart for ever" in sign.measured


@pytest.mark.parametrize("name", ["kappa", "radius", "exponent", "exponent_error", "eps", "amplitude"])
def test_results_of_unlike_lengths_are_no_table(name: str) -> None:
    """A number that is left over belongs to no setting; a shorter array is refused in the same way."""
    study = quadratics()
    short = quadratics(**{name: study[name][:-1]})
    with pytest.raises(ValueError, match=r"shorter|longer"):
        quadratic_table(short)
    if name in ("kappa", "eps", "amplitude"):  # the others differ in an array operation before
        with pytest.raises(ValueError, match=r"shorter|longer"):
            quadratic_findings(short)
