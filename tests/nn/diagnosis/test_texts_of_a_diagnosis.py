"""What a diagnosis prints of its numbers, line by line, and what it leaves out where something was not measured."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

pytest.importorskip("torch")

from nn_experiments.diagnosis.diagnosis import Diagnosis
from nn_experiments.diagnosis.measured import Measured
from nn_experiments.diagnosis.rules import judge
from tests.nn.diagnosis.test_reasons import HALF
from tests.nn.diagnosis.test_rules import changed, made


def lines(measured: Measured) -> list[str]:
    judgement = judge(measured)
    return repr(Diagnosis("Net", judgement.verdict, judgement.reason, (), judgement, measured)).splitlines()


def exponent(mean: float) -> str:
    return f"{mean:+.3g} [{mean - HALF:+.3g}, {mean + HALF:+.3g}]"


@pytest.mark.parametrize("pairs", [True, False])
@pytest.mark.parametrize("derivative", [True, False])
def test_exponents_are_those_that_were_measured(derivative: bool, pairs: bool) -> None:
    measured = made(derivative=-0.03, pairs=-0.02)
    found = lines(
        changed(
            measured,
            derivative=measured.derivative if derivative else np.empty(0),
            pairs=measured.pairs if pairs else np.full(20, math.nan),
        )
    )
    texts = [f"derivative {exponent(-0.03)}"] * derivative + [f"pairs {exponent(-0.02)}"] * pairs
    expected = [f"  exponents    {';  '.join(texts)} a step"] if texts else []
    assert [line for line in found if "exponents" in line] == expected


@pytest.mark.parametrize(
    ("jumps", "said"),
    [
        ([0.0, 0.0], "in 0 of 2 maps between the two states of a pair"),
        ([0.5, 0.25], "in 2 of 2 maps between the two states of a pair, the largest 0.5 of the pair's distance"),
        ([0.25, math.nan], "in 1 of 1 maps between the two states of a pair, the largest 0.25 of the pair's distance"),
        ([math.nan, math.nan], None),
    ],
)
def test_jumps_are_counted_where_maps_were_examined(jumps: list[float], said: str | None) -> None:
    sizes = np.full((20, 2), math.nan)
    sizes[3] = jumps
    found = [line for line in lines(changed(made(), jumps=sizes)) if line.startswith("  jumps")]
    assert found == ([] if said is None else [f"  jumps        {said}"])


def test_distances_have_a_line_for_each_space_and_the_intervals_of_their_medians() -> None:
    """Of 20 draws between 0.01 and 0.02, the ends of the interval are the sixth from either side."""
    measured = made()
    sizes = np.linspace(0.01, 0.02, 20)
    parameter, function = (np.array(values) for values in (measured.parameter, measured.function))
    parameter[:, -1, 0], function[:, -1, 1] = sizes, 2 * sizes
    found = lines(changed(measured, parameter=parameter, function=function))
    assert found[0] == "Net: contracting (20 replicates of 400 steps)"
    ends = [np.median(sizes), sizes[5], sizes[14]]
    one, two = (f"{factor * ends[0]:.3g} [{factor * ends[1]:.3g}, {factor * ends[2]:.3g}]" for factor in (1, 2))
    (parameters,) = [line for line in found if line.startswith("  parameters")]
    (predictions,) = [line for line in found if line.startswith("  predictions")]
    assert parameters.startswith(f"  parameters   lag 1: {one};  lag 200: ")
    assert predictions.endswith(f";  lag 200: {two}")
    assert not any("other start" in line or "interval" in line for line in found)


@pytest.mark.parametrize(("replicates", "least"), [(2, True), (5, True), (6, False)])
def test_with_few_replicates_medians_have_no_intervals(replicates: int, least: bool) -> None:
    """P(all of r values lie on one side of the median) is 2/2^r, at most 5 % from r = 6 on."""
    found = lines(made(replicates=replicates))
    said = [line for line in found if "too few for 95% intervals" in line]
    plural = f"  ({replicates} replicates are too few for 95% intervals of medians, which need 6)"
    assert said == ([plural] if least else [])
    (parameters,) = [line for line in found if line.startswith("  parameters")]
    assert ("[" not in parameters) == least


@pytest.mark.parametrize(("replicates", "lost"), [(20, 7), (6, 1)])
def test_an_interval_that_ends_at_infinity_says_why(replicates: int, lost: int) -> None:
    """Seven of 20 distances, or one of six, are not finite: the median is, and the upper end of its interval is not."""
    measured = made(replicates=replicates)
    far = np.array(measured.parameter)
    far[:lost, -1, 0] = math.inf
    found = lines(changed(measured, parameter=far))
    assert "  (an interval ends at inf where a distance is not finite)" in found
    assert ", inf];  lag 200: " in "".join(found)


def test_settings_do_not_count_in_comparisons() -> None:
    """Seconds and kernels differ from machine to machine; what was measured does not."""
    judgement = judge(made())
    one = Diagnosis("Net", judgement.verdict, judgement.reason, (), judgement, made(), {"kernel": "step"})
    assert one == dataclasses.replace(one, settings={"kernel": "own_loop"})
    assert one != dataclasses.replace(one, name="Other")
