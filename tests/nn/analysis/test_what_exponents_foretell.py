"""What is said of exponents and of where an optimizer settles, on three settings written by hand."""

from __future__ import annotations

import numpy as np
import pytest

from nn_experiments.analysis.finding import Finding
from nn_experiments.analysis.settling_studies import atlas_findings, optimizer_findings
from tests.nn.analysis.test_study_edges import settings


def exponents(slopes: list[float], rates: list[float] | None = None, errors: float = 0.25) -> Finding:
    """The finding on settings s0, which does not settle, and s1 and s2, which do, with exponents a step."""
    n = np.arange(5)
    changes = {"exponent": np.tile(np.array(slopes)[:, None, None] * n, (1, 2, 1)), "error": np.full((3, 2, 5), errors)}
    if rates is not None:
        one = np.array(settings()["parameter"])
        one[..., 0] = np.array([0.9, 0.01, 0.01])[:, None, None] * np.exp(np.array(rates)[:, None, None] * (n - 4))
        changes["parameter"] = one
    *_, last = atlas_findings(settings(**changes))
    assert last.topic == "The exponent foretells settling"
    return last


@pytest.mark.parametrize(
    ("slope", "named"), [(-1e-3, False), (-0.99e-3, True), (-1.9e-3, False), (0.0, True), (2e-3, True)]
)
def test_exponents_above_minus_a_thousandth_are_not_clearly_negative(slope: float, named: bool) -> None:
    measured = exponents([-0.5, slope, -0.4]).measured
    said = " Settled without a clearly negative one: s1 (test error 0.25), where data leave directions flat"
    assert (said in measured) == ("Settled without" in measured) == named
    assert f"in 2; their exponents are {min(slope, -0.4):.2g} to {max(slope, -0.4):.2g} a step" in measured
    assert ", those of the others -0.5 to -0.5." in measured
    both = exponents([-0.5, 0.0, 0.0], errors=float("nan")).measured  # regressions have no test error
    assert "negative one: s1; s2, where" in both


@pytest.mark.parametrize(
    ("slopes", "rates", "same", "growing", "rank"),
    [
        ([0.3, -0.1, -0.2], [0.03, -0.01, -0.02], 3, 0, "1.00"),
        ([0.3, -0.1, -0.2], [-0.03, 0.01, 0.02], 0, 2, "-1.00"),
        ([-0.3, -0.1, -0.2], [0.01, -0.01, -0.02], 2, 1, "-0.50"),  # ranks 1, 3, 2 and 3, 2, 1
        ([-0.3, -0.2, -0.2], [-0.01, 0.01, 0.01], 1, 2, "1.00"),  # ties share their rank
        ([-0.3, -0.1, -0.2], [-0.02, -0.01, -0.01], 3, 0, "0.87"),  # 1, 3, 2 and 1, 2.5, 2.5: √3/2
    ],
)
def test_signs_and_ranks_of_exponents_and_rates(
    slopes: list[float], rates: list[float], same: int, growing: int, rank: str
) -> None:
    row = exponents(slopes, rates)
    assert row.verdict == f"same sign in {same} of 3; a negative exponent and growing increments in {growing}"
    assert row.measured.startswith("3 settings: the exponent, estimated on other seeds, has the ")
    assert f"sign of the measured rate in {same}; rank correlation {rank}." in row.measured


def test_an_optimizer_settles_where_a_training_does() -> None:
    one, other = settings(), optimizer_findings(settings())
    assert [row.topic for row in other] == [
        "Where an optimizer settles: parameters",
        "Where an optimizer settles: outputs",
        "The exponent foretells settling",
    ]
    assert {row.place for row in other[:2]} == {"Section 1"}
    assert other[0].sentence.startswith("Note that backward optimization can theoretically be applied to any")
    for row, same in zip(other, atlas_findings(one)[1:], strict=True):
        assert (row.measured, row.verdict, row.test) == (same.measured, same.verdict, same.test)
    assert "parameters. Backward settles on every replicate in 2: s1 (test error 0.25); s2" in other[0].measured
    assert "outputs. Backward settles on every replicate in 2: " in other[1].measured
