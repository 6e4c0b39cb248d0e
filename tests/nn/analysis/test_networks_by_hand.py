"""The table and the findings of the study of networks, cell by cell, from distances written by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("torch")

from nn_experiments.analysis.networks import increments, judged, measured_of, network_findings, network_table
from nn_experiments.diagnosis.intervals import Interval, mean_interval
from nn_experiments.diagnosis.measured import Measured
from nn_experiments.diagnosis.rules import RULES
from nn_experiments.results.studies import Study
from tests.nn.diagnosis.test_rules import STEPS, changed, made

ARRAYS = ("n", "parameter", "function", "diverged", "derivative", "pairs", "jumps")


def study(*measured: Measured) -> Study:
    """A study with a setting for each measurement, named s0, s1, …"""
    arrays = {f"{name} {k}": getattr(one, name) for k, one in enumerate(measured) for name in ARRAYS}
    more = {"steps": STEPS, "lag": STEPS // 2, "eps": 0.05, "derivative_by": "derivatives"}
    settings = [{"name": f"s{k}", "replicates": one.replicates, **more} for k, one in enumerate(measured)]
    return Study("networks", arrays, {"settings": settings})


def apart(rate: float = 0.0) -> Measured:
    """Distances at N that differ between lags and spaces: 20 draws between 1 and 2, times 1, 2, 3 and 4."""
    measured = made(rate=rate, derivative=-0.003, pairs=-0.002)
    draws = np.linspace(1, 2, 20)
    parameter, function = (np.array(values) for values in (measured.parameter, measured.function))
    for k in (0, 1):
        parameter[:, 1:, k], function[:, 1:, k] = (1 + k) * draws[:, None], (3 + k) * draws[:, None]
    return changed(measured, parameter=parameter, function=function)


def middle(factor: float) -> str:
    """Of 20 draws the interval of the median ends at the sixth from either side."""
    draws = factor * np.linspace(1, 2, 20)
    return f"{np.median(draws):.2g} ({draws[5]:.2g} to {draws[14]:.2g})"


def told(interval: Interval) -> str:
    return "{:.2g} ({:.2g} to {:.2g})".format(*interval)


def test_a_setting_is_the_measurement_that_it_was_made_of() -> None:
    one, other = apart(), made()
    both = study(one, other)
    for k, measured in enumerate((one, other)):
        found = measured_of(both, k)
        for name in Measured.__dataclass_fields__:
            assert np.array_equal(getattr(found, name), getattr(measured, name), equal_nan=name in ARRAYS), name
    assert measured_of(both, 0).homogeneous is True


def test_each_cell_of_the_table() -> None:
    jumps = np.zeros((20, 2))
    jumps[3], jumps[4, 0] = (0.25, 0.5), math.nan
    without = changed(apart(), derivative=np.empty(0), pairs=np.full(20, math.nan), jumps=np.full((20, 2), math.nan))
    header, rows = network_table(study(apart(), changed(apart(), jumps=jumps), without, made(diverged=True)))
    one = apart()
    exponents = [told(mean_interval(values, 0.95)) for values in (one.derivative, one.pairs)]
    distances = [middle(factor) for factor in (1, 2, 3, 4)]
    assert header[6:10] == (
        "n and n + 1: parameters",
        "n and n + N/2: parameters",
        "n and n + 1: predictions",
        "n and n + N/2: predictions",
    )
    assert rows == [
        ("s0", "400", "20", *exponents, "0 of 80", *distances, "undecided"),
        ("s1", "400", "20", *exponents, "2 of 39, up to 0.5", *distances, "undecided"),
        ("s2", "400", "20", "–", "–", "–", *distances, "undecided"),
        ("s3", "400", "20", "–", "–", "0 of 80", *["–"] * 4, "diverged"),
    ]


def test_a_finding_has_the_distances_of_both_spaces() -> None:
    whole = study(apart(), made(diverged=True), made(), made(rate=-0.001))
    first, gone, settled, early = network_findings(whole)
    assert first.topic == "Does backward settle? s0"
    assert first.measured == (
        f"n = 400, 20 replicates: {judged(whole, 0).reason}. "
        + "".join(
            f"In the {space} backward iterates n and n + 1 are {middle(near)} of two independent runs' distance apart, "
            f"n and n + 200 {middle(near + 1)}. "
            for space, near in (("parameters", 1), ("predictions", 3))
        )
        + "Maps that jump at a kink between two close states: 0 of 80."
    )
    assert "In the" not in gone.measured
    verdicts = ["undecided", "diverged: not by N", "agrees", "too early: not by N"]
    assert [row.verdict for row in (first, gone, settled, early)] == verdicts
    for row, word in ((first, "undecided"), (settled, "contracting")):
        assert row.test.endswith(f" at 95 % each, in law by row 77. The rule: {RULES[word]}")


@pytest.mark.parametrize("far", [False, True])
@pytest.mark.parametrize(("space", "factor"), [("parameters", 1), ("predictions", 3)])
def test_increments_after_the_first_iterate(space: str, factor: int, far: bool) -> None:
    n, median, low, high = increments(study(made(), apart()), 1, space, far=far)
    draws = (factor + far) * np.linspace(1, 2, 20)
    assert n.tolist() == apart().n[1:].tolist()
    for values, expected in ((median, np.median(draws)), (low, draws[5]), (high, draws[14])):
        assert values == pytest.approx(np.full(len(n), expected))
    assert np.array_equal(increments(study(apart()), 0, space)[1], increments(study(apart()), 0, space, far=False)[1])
