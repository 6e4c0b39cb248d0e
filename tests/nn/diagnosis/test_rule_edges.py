"""Where one part of a rule decides alone: each measurement differs in one thing from one that gets another word."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

pytest.importorskip("torch")

from nn_experiments.diagnosis.measured import AHEAD, INDEPENDENT, NEXT, START, TRAVELLED, Measured
from nn_experiments.diagnosis.rules import REACH, judge
from tests.nn.diagnosis.test_rules import STEPS, changed, made

NOISE = np.linspace(-1, 1, 20)


def with_distances(measured: Measured, *, size: np.ndarray | float = 1.0, **columns: np.ndarray) -> Measured:
    """Return a measurement with other distances from the run at θ_0, in both spaces, in the columns given."""
    places = {"next": NEXT, "ahead": AHEAD}
    parameter, function = measured.parameter.copy(), measured.function.copy()
    for name, values in (columns or {"next": size, "ahead": size}).items():
        for one in (parameter, function):
            one[..., places[name]] = values
    return changed(measured, parameter=parameter, function=function)


def bent(measured: Measured, first: float, second: float, scale: float = 1.0) -> np.ndarray:
    """Return (1, K) distances that change by one slope up to N/2 and by another one from there."""
    n, half = measured.n, STEPS // 2
    return scale * np.exp(first * np.minimum(n, half) + second * np.maximum(n - half, 0))[None]


@pytest.mark.parametrize(("share", "word"), [(0.7, "undecided"), (0.51, "undecided"), (0.49, "contracting")])
def test_a_distance_has_to_fall_to_half(share: float, word: str) -> None:
    """From 0.04 units, all below eps; flat in the second half, so that nothing says that it goes on falling."""
    measured = made(derivative=-0.01, pairs=-0.01)
    path = bent(measured, math.log(share) / (STEPS // 2), 0.0, 0.04)
    assert judge(with_distances(measured, size=path)).verdict == word


def test_runs_that_meet_at_once_or_never_part_are_no_evidence() -> None:
    """A distance of 0 from the beginning has not settled; one that reaches 0 has."""
    measured = made(derivative=-0.01, pairs=-0.01)
    assert judge(with_distances(measured, size=0.0)).verdict == "undecided"
    apart = np.where(measured.n == 0, 1.0, 0.0)[None]
    assert judge(with_distances(measured, size=apart)).verdict == "contracting"


def test_the_prediction_waits_for_half_as_well() -> None:
    """From 0.04 units at −0.001 a step, eps has been reached from the start; half of 0.04 is at 1000 log 2."""
    measured = made(rate=-0.001)
    found = judge(with_distances(measured, size=bent(measured, -0.001, -0.001, 0.04)))
    assert found.verdict == "too early"
    assert found.predicted is not None
    assert found.predicted[0] == pytest.approx(1000 * math.log(2), abs=1)
    far = judge(with_distances(measured, size=bent(measured, -0.001, -0.001, 0.2))).predicted
    assert far is not None
    assert far[0] == pytest.approx(1000 * math.log(4), abs=1)  # to eps units, which is less than half
    assert judge(made()).findings["parameters, lag 1"].to_go == 0  # it has


def test_the_later_of_two_lags_is_predicted() -> None:
    measured = made(rate=-0.001)
    slow, fast = bent(measured, -0.001, -0.001), bent(measured, -0.004, -0.004)
    for one, other in ((slow, fast), (fast, slow)):
        predicted = judge(with_distances(measured, next=one, ahead=other)).predicted
        assert predicted is not None
        assert predicted[0] == pytest.approx(1000 * math.log(20), abs=1)


def test_the_whole_interval_of_a_prediction_lies_within_reach() -> None:
    """Slopes of −0.001 on average: with a spread of 0.0012 their flattest end predicts beyond 10 N, by little."""
    measured = made(rate=-0.001)
    words = []
    for spread in (0.0, 0.0012):
        slopes = (-0.001 + spread * NOISE)[:, None]
        path = np.exp(-0.001 * np.minimum(measured.n, STEPS // 2) + slopes * np.maximum(measured.n - STEPS // 2, 0))
        found = judge(with_distances(measured, size=path))
        words.append(found.verdict)
    assert words == ["too early", "undecided"]
    assert "beyond the 10 N that are predicted" in found.reason
    finding = found.findings[f"parameters, lag {STEPS // 2}"]
    assert STEPS - finding.to_go / finding.trend[0] < REACH * STEPS < STEPS - finding.to_go / finding.trend[2]


def test_the_ends_of_a_prediction_are_those_of_the_trend() -> None:
    """N − (what is to go) / slope, for the mean slope, the steepest one and the flattest one of the interval."""
    measured = made(rate=-0.001)
    slopes = (-0.002 + 0.0005 * NOISE)[:, None]
    path = np.exp(-0.0005 * np.minimum(measured.n, STEPS // 2) + slopes * np.maximum(measured.n - STEPS // 2, 0))
    found = judge(with_distances(measured, size=path))
    finding = found.findings[f"parameters, lag {STEPS // 2}"]
    slope, steepest, flattest = finding.trend
    assert steepest < slope < flattest < 0
    assert found.predicted == tuple(STEPS - finding.to_go / one for one in (slope, steepest, flattest))
    assert STEPS < found.predicted[1] < found.predicted[0] < found.predicted[2]


def test_a_trend_has_to_be_significant() -> None:
    """−0.001 on average with a spread of 0.01: the interval holds 0, and nothing is predicted."""
    measured = made(rate=-0.001)
    path = np.exp((-0.001 + 0.01 * NOISE)[:, None] * np.maximum(measured.n - STEPS // 2, 0))
    found = judge(with_distances(measured, size=path))
    assert found.verdict == "undecided"
    assert found.predicted is None


def test_the_trend_is_that_of_the_second_half() -> None:
    """Fallen up to N/2 and flat since then; and the other way round."""
    measured = made(rate=-0.001)
    assert judge(with_distances(measured, size=bent(measured, -0.002, 0.0))).verdict == "undecided"
    found = judge(with_distances(measured, size=bent(measured, 0.0, -0.002)))
    assert found.verdict == "too early"
    assert found.findings[f"parameters, lag {STEPS // 2}"].trend[0] == pytest.approx(-0.002)


def test_the_trend_is_that_of_the_draws_above() -> None:
    """12 of 20 draws stay at 1, and the other 8 fall fast: on average they fall, those that count do not."""
    measured = made(above=12, derivative=-0.01, pairs=-0.01)
    found = judge(measured)
    assert found.verdict == "undecided"
    assert found.findings["parameters, lag 1"].trend[0] == 0
    assert np.log(measured.parameter[:, -1, NEXT]).mean() < -5


def test_growth_of_pairs_alone_excludes_too_early() -> None:
    assert judge(made(rate=-0.001, pairs=0.01)).verdict == "undecided"
    assert judge(made(rate=-0.001, pairs=-0.01)).verdict == "too early"


def test_an_interval_that_holds_zero_does_not_come_together() -> None:
    """Pairs between −0.01 and 0.01 a step: the upper end of their interval is above 0, its lower end below."""
    measured = made(rate=0.0, derivative=-0.02, jumps=0.5)
    assert judge(changed(measured, pairs=0.01 * NOISE)).verdict == "discontinuous"
    assert judge(changed(measured, pairs=0.01 * NOISE - 0.01)).verdict == "undecided"


def test_pairs_have_to_do_worse_than_the_derivative_says() -> None:
    """The difference is 0.001 on average with a spread of 0.01: its interval holds 0."""
    measured = made(rate=0.0, derivative=0.0, pairs=0.001, jumps=0.5)
    assert judge(changed(measured, pairs=measured.derivative + 0.001)).verdict == "discontinuous"
    assert judge(changed(measured, pairs=measured.derivative + 0.001 + 0.01 * NOISE)).verdict == "undecided"


def test_without_a_derivative_pairs_expand_unless_a_jump_was_found() -> None:
    none = np.empty(0)
    assert judge(changed(made(rate=0.0, pairs=0.01), derivative=none)).verdict == "expanding"
    assert judge(changed(made(rate=0.0, pairs=0.01, jumps=0.5), derivative=none)).verdict == "discontinuous"
    assert judge(changed(made(rate=0.0, pairs=-0.01), derivative=none)).verdict == "undecided"


def test_jumps_that_are_not_shown_to_make_most_of_the_growth_change_no_word() -> None:
    """Pairs grow at 0.0022 ± 0.001 a step, the derivative at 0.001: less than half of it, but not significantly."""
    measured = made(rate=0.001, jumps=0.5)
    assert judge(changed(measured, pairs=0.0022 + 0.0001 * NOISE)).verdict == "discontinuous"
    assert judge(changed(measured, pairs=0.0022 + 0.001 * NOISE)).verdict == "expanding"
    assert judge(changed(measured, pairs=np.full(len(NOISE), np.nan))).verdict == "expanding"


def test_a_share_that_is_not_shown_to_be_large_expands_nothing() -> None:
    """2 of 20 draws are above eps: that more than a quarter are is neither shown nor excluded."""
    assert judge(made(above=2, derivative=0.01)).verdict == "undecided"
    assert judge(made(above=20, derivative=0.01)).verdict == "expanding"


def test_predictions_that_settle_decide_only_if_parameters_have_not() -> None:
    """2 of 20 parameters are above eps, predictions are not: the parameters are not shown to stay apart."""
    some, settled = made(above=2, derivative=-0.05), made()
    measured = changed(some, function=settled.function)
    assert judge(measured).verdict == "undecided"
    measured = changed(made(rate=0.0, derivative=-0.05), function=settled.function)
    assert judge(measured).verdict == "settled up to symmetry or flat directions"


def test_it_says_by_which_n_the_longer_lag_settles() -> None:
    """Lag 1 falls by 0.1 a step and lag N/2 by 0.05: 0.05 is reached by 30 and by 60."""
    measured = made()
    found = judge(with_distances(measured, next=bent(measured, -0.1, -0.1), ahead=bent(measured, -0.05, -0.05)))
    assert found.verdict == "contracting"
    assert "by n = 60 (60 to 60)" in found.reason
    assert found.findings["parameters, lag 1"].settles[0] == 30


def test_a_curve_that_is_above_at_the_end_has_not_settled() -> None:
    """Below eps from 60 on, but for the last step: of 20 draws, 20 are above."""
    measured = made(derivative=-0.01, pairs=-0.01)
    path = bent(measured, -0.05, -0.05)
    path[:, -1] = 1.0
    found = judge(with_distances(measured, size=path))
    assert found.findings["parameters, lag 1"].settles == (math.inf,) * 3
    assert found.findings["parameters, lag 1"].above == 20


def test_some_divergence_is_divergence() -> None:
    gone = np.full(20, -1)
    gone[3], gone[7] = 120, 40
    found = judge(changed(made(), diverged=gone))
    assert found.verdict == "diverged"
    assert found.reason == "2 of 20 replicates have diverged, the first by n = 40"


@pytest.mark.parametrize("swapped", [False, True])
def test_the_lag_that_is_less_settled_is_the_open_question(swapped: bool) -> None:
    """Two of 20 draws are above eps at one lag, and five at the other: neither shows that more than a quarter are."""
    measured = made(derivative=-0.01, pairs=-0.01)
    few, more = (np.full((20, len(measured.n)), 0.01) for _ in range(2))
    few[:, 0] = more[:, 0] = 1.0
    few[:2], more[:5] = 1.0, 1.0
    one, other = (more, few) if swapped else (few, more)
    found = judge(with_distances(measured, next=one, ahead=other))
    assert found.verdict == "undecided"
    assert found.reason.startswith("5 of 20 draws are above eps in the parameters: a share of ")


@pytest.mark.parametrize(("end", "word"), [(0.05, "contracting"), (float(np.nextafter(0.05, 1)), "too early")])
@pytest.mark.parametrize("begin", [0.1, 1.0])
def test_eps_itself_has_settled_and_half_itself_has_fallen(begin: float, end: float, word: str) -> None:
    """From 0.1 units to 0.05 at the last step: eps, and half of what it was."""
    measured = made(derivative=-0.01, pairs=-0.01)
    path = np.where(measured.n == STEPS, end, begin)[None]
    assert judge(with_distances(measured, size=path)).verdict == word


@pytest.mark.parametrize(("rate", "words"), [(-0.001, ("too early", "expanding")), (0.0, ("undecided", "expanding"))])
def test_growth_of_one_per_cent_over_the_run_is_none_yet(rate: float, words: tuple[str, str]) -> None:
    """0.01/N a step in each of 16 replicates, whose mean has no rounding; and the next number above it."""
    least = 0.01 / STEPS
    for slope, word in zip((least, float(np.nextafter(least, 1))), words, strict=True):
        measured = changed(made(rate=rate, pairs=-0.01, replicates=16), derivative=np.full(16, slope))
        assert judge(measured).verdict == word


@pytest.mark.parametrize("missing", [False, True])
def test_another_start_is_reported_where_all_replicates_have_it(missing: bool) -> None:
    measured = made()
    parameter, function = (np.array(values) for values in (measured.parameter, measured.function))
    parameter[..., START] = function[..., START] = 1.0
    if missing:
        parameter[7, :, START] = math.nan
    found = judge(changed(measured, parameter=parameter, function=function)).findings
    assert {name for name in found if "other start" in name} == (
        set() if missing else {"parameters, other start", "predictions, other start"}
    )


def test_growth_of_pairs_alone_has_to_be_above_it_as_well() -> None:
    least = 0.01 / STEPS
    for slope, word in ((least, "undecided"), (float(np.nextafter(least, 1)), "expanding")):
        measured = changed(made(rate=0.0, replicates=16), derivative=np.empty(0), pairs=np.full(16, slope))
        assert judge(measured).verdict == word


@pytest.mark.parametrize(("excess", "word"), [(0.0, "expanding"), (2.0**-40, "discontinuous")])
def test_jumps_that_make_just_half_of_the_growth_change_no_word(excess: float, word: str) -> None:
    measured = made(rate=0.001, jumps=0.5, replicates=16)
    slope = 2.0**-10
    pairs = np.full(16, 2 * slope + excess)
    assert judge(changed(measured, derivative=np.full(16, slope), pairs=pairs)).verdict == word


def test_a_median_of_eps_itself_has_settled() -> None:
    measured = made()
    path = np.where(measured.n >= 100, 0.05, 1.0)[None]
    assert judge(with_distances(measured, size=path)).findings["parameters, lag 1"].settles == (100.0,) * 3


def test_at_the_start_there_is_no_unit() -> None:
    """There, independent runs are where they began, and nothing has been travelled."""
    parameter, function = (np.array(values) for values in (made().parameter, made().function))
    for one in (parameter, function):
        one[:, 0, [INDEPENDENT, TRAVELLED]] = 0.0
    measured = changed(made(), parameter=parameter, function=function)
    for space in ("parameters", "predictions"):
        for column in (NEXT, AHEAD):
            ratio = measured.ratio(space, column)
            assert np.isnan(ratio[:, 0]).all()
            assert np.isfinite(ratio[:, 1:]).all()


@pytest.mark.parametrize(("slope", "word"), [(0.0, "undecided"), (1e-300, "discontinuous")])
def test_pairs_that_neither_grow_nor_shrink_are_not_held_apart(slope: float, word: str) -> None:
    """The upper end of their exponent's interval has to be above 0; here it is the exponent of all 16 replicates."""
    measured = changed(made(rate=0.0, derivative=-0.01, jumps=0.5, replicates=16), pairs=np.full(16, slope))
    assert judge(measured).verdict == word


@pytest.mark.parametrize(("above", "slope"), [(0, -0.05), (1, -0.05 * 19 / 20), (2, 0.0), (3, 0.0)])
def test_a_trend_needs_two_draws(above: int, slope: float) -> None:
    """Of draws that stay where they are, if there are two; of all 20 if there is one, or none."""
    found = judge(made(above=above)).findings["parameters, lag 1"].trend
    assert np.isfinite(found).all()
    assert found[0] == pytest.approx(slope, abs=2e-6)


def test_a_quarter_itself_has_settled_and_is_not_apart() -> None:
    """The upper bound may be a quarter, and the lower one has to be above it."""
    found = judge(made()).findings["parameters, lag 1"]
    above = float(np.nextafter(0.25, 1))
    assert [dataclasses.replace(found, upper=bound).settled for bound in (0.25, above)] == [True, False]
    assert [dataclasses.replace(found, lower=bound).apart for bound in (0.25, above)] == [False, True]
