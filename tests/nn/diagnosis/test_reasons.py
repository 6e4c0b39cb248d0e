"""The sentence behind each verdict, number by number, and what it leaves out where something was not measured."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("torch")

from nn_experiments.diagnosis.rules import judge
from tests.nn.diagnosis.test_rule_edges import with_distances
from tests.nn.diagnosis.test_rules import STEPS, changed, made

#: Half of the 95 % interval of the mean of 20 values with the spread that `made` gives them: t = 2.093024 (19 degrees).
HALF = 2.093024054408263 * np.std(np.linspace(-1, 1, 20) * 1e-5, ddof=1) / math.sqrt(20)


def told(mean: float) -> str:
    return f"{mean:+.2g} [{mean - HALF:+.2g}, {mean + HALF:+.2g}]"


@pytest.mark.parametrize("pairs", [True, False])
@pytest.mark.parametrize("derivative", [True, False])
def test_an_open_question_names_the_exponents_that_were_measured(derivative: bool, pairs: bool) -> None:
    """A distance that grows by 1e-4 a step, and exponents below 0."""
    measured = made(rate=1e-4, derivative=-0.001, pairs=-0.002)
    measured = changed(
        measured,
        derivative=measured.derivative if derivative else np.empty(0),
        pairs=measured.pairs if pairs else np.full(20, math.nan),
    )
    found = judge(measured)
    parts = [f"the distance changes by {told(1e-4)} a step from N/2 to N"]
    parts += [f"the exponent of the derivative is {told(-0.001)}"] if derivative else []
    if pairs:
        parts.append(f"{'that' if derivative else 'the exponent'} of pairs is {told(-0.002)}")
    assert found.verdict == "undecided"
    assert found.reason == "not settled, and nothing shows that it will or will not: " + ", ".join(parts)
    assert (found.derivative is None, found.pairs is None) == (not derivative, not pairs)
    assert (found.excess is None) == (not (derivative and pairs))


def test_an_open_question_says_what_is_beyond_reach() -> None:
    """exp(−1e-4 n): the upper quartile of 20 slopes is the sixteenth, −1e-4 + 11/19e-5, and 0.05 is far away."""
    to_go = math.log(20) + STEPS * (-1e-4 + 11 / 19 * 1e-5)
    reached = math.ceil(STEPS + to_go / 1e-4)
    reason = judge(made(rate=-1e-4)).reason
    assert reason.endswith(f", so that eps would be reached by n = {reached:,}, beyond the 10 N that are predicted")
    assert "beyond" not in judge(made(rate=1e-4, derivative=-0.001, pairs=-0.002)).reason
    other = judge(made(rate=-0.001, pairs=0.01)).reason  # within reach, and pairs grow
    assert other.endswith(f"that of pairs is {told(0.01)}")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"replicates": 10}, "10 replicates are too few: 11 are needed even if none is above eps"),
        (
            {"replicates": 11, "above": 1},
            "1 of 11 draws are above eps in the parameters: a share of 0% to 36%, which neither shows nor excludes "
            "that more than 25% are",
        ),
        (
            {"above": 2},
            "2 of 20 draws are above eps in the parameters: a share of 2% to 28%, which neither shows nor excludes "
            "that more than 25% are",
        ),
        (
            {"rate": 0.0, "homogeneous": False},
            "not settled within these steps, and the law of the maps changes beyond them, so nothing can be predicted",
        ),
    ],
)
def test_what_leaves_the_question_open(change: dict, reason: str) -> None:
    """Clopper and Pearson: one of 11 has the bounds 0.5 % and 36.4 %, two of 20 have 1.8 % and 28.3 %."""
    found = judge(made(**change))
    assert (found.verdict, found.reason) == ("undecided", reason)


def test_ten_replicates_that_all_stay_apart_are_enough() -> None:
    assert judge(made(rate=0.0, replicates=10)).reason.startswith("not settled, and nothing shows that it will")


@pytest.mark.parametrize(("above", "share"), [(0, 14), (1, 22)])
def test_contracting_says_from_where_and_for_how_many(above: int, share: int) -> None:
    """exp(−0.05 n) ≤ 0.05 from 60 on. None of 20: at most 1 − 0.05^(1/20) = 13.9 %; one of them: 21.6 %."""
    assert judge(made(above=above)).reason == (
        f"settles to 0.05 units by n = 60 (60 to 60), for the median draw of batches; at 400 at most {share}% of the "
        "draws are above"
    )


@pytest.mark.parametrize("swapped", [False, True])
def test_too_early_counts_the_draws_of_the_lag_with_more(swapped: bool) -> None:
    """14 of 20 draws are above eps at one lag and 20 at the other. Slopes are −0.001, give or take 1e-5; those of the
    14 are flatter on average, and so their lag is the later one. t = 2.160369 (13 degrees)."""
    measured = made(rate=-0.001)
    some = np.array(measured.parameter[..., 0])
    some[:6, 1:] = 1e-3
    all_of_them = np.array(measured.parameter[..., 1])
    one, other = (all_of_them, some) if swapped else (some, all_of_them)
    found = judge(with_distances(measured, next=one, ahead=other))
    to_go = math.log(20) + STEPS * (-0.001 + 11 / 19 * 1e-5)
    slopes = np.linspace(-1, 1, 20)[6:] * 1e-5 - 0.001
    half = 2.160368656461013 * np.std(slopes, ddof=1) / math.sqrt(14)
    n, early, late = (f"{math.ceil(STEPS - to_go / (slopes.mean() + more)):,}" for more in (0.0, -half, half))
    assert found.verdict == "too early"
    assert found.reason == (
        "not settled by 400 steps (20 of 20 draws are above eps), and the distance falls: at this rate three quarters "
        f"count as at most eps by n = {n} ({early} to {late})"
    )


@pytest.mark.parametrize("swapped", [False, True])
def test_flat_directions_are_as_long_as_the_median_of_the_draws(swapped: bool) -> None:
    """From 1 to 5 units with a median of 3 at one lag, and 2 units in every draw at the other."""
    measured = made(rate=0.0, outputs=-0.05)
    far = np.array(measured.parameter)
    far[..., int(not swapped)], far[..., int(swapped)] = np.linspace(1, 5, 20)[:, None], 2.0
    assert judge(changed(measured, parameter=far)).reason == (
        "predictions have settled to 0.05 units, and parameters are 3 units apart"
    )


@pytest.mark.parametrize("swapped", [False, True])
def test_flat_directions_are_as_long_as_the_lag_that_is_further_apart(swapped: bool) -> None:
    measured = made(rate=0.0, outputs=-0.05)
    far = np.array(measured.parameter)
    far[..., 0], far[..., 1] = (3.0, 2.0) if swapped else (2.0, 3.0)
    assert judge(changed(measured, parameter=far)).reason == (
        "predictions have settled to 0.05 units, and parameters are 3 units apart"
    )


def test_expansion_is_that_of_the_derivative_or_else_of_pairs() -> None:
    grow = "small differences grow by {} a step, so that runs under the same batches do not meet"
    measured = made(rate=0.001, derivative=0.002, pairs=0.003)
    assert judge(measured).reason == grow.format(told(0.002))
    assert judge(changed(measured, derivative=np.empty(0))).reason == grow.format(told(0.003))


def test_jumps_are_counted_among_the_maps_that_were_examined() -> None:
    """20 · 4 maps, of which five were not examined; two jumped, by half and by a quarter."""
    measured = made(rate=0.0, derivative=-0.01, pairs=0.01, jumps=0.5)
    jumps = np.array(measured.jumps)
    jumps[4, :], jumps[5, 2], jumps[6, 0] = math.nan, math.nan, 0.25
    found = judge(changed(measured, jumps=jumps))
    assert found.jumps == (75, 2, 0.5)
    assert found.reason == (
        "2 of 75 maps that were examined jump at a kink between two states that are close, by up to 0.5 of their "
        "distance, and such pairs do not come together"
    )
    none = judge(changed(measured, jumps=np.full((20, 4), math.nan)))
    assert (none.jumps, none.verdict) == ((0, 0, 0.0), "undecided")
