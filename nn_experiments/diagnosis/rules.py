"""From what was measured to one word: the written rules of the verdict, with their levels (NumPy).

Every rule is a stated test on independent replicates. `RULES` has each as a sentence; docs/diagnosis.md prints it.
Distances are in units of the distance of two runs from the same θ_0 under independent batches.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from contraction.values import Value
from nn_experiments.diagnosis.intervals import Interval, mean_interval, median_interval, share_bounds
from nn_experiments.diagnosis.measured import AHEAD, NEXT, START, Measured

__all__ = ["CONFIDENCE", "LEAST", "RULES", "SHARE", "Finding", "Judgement", "judge", "tests_of"]

#: Level of every bound and interval, each by itself.
CONFIDENCE = 0.95
#: Settled: at most this share of the draws of batches has a distance above eps.
SHARE = 0.25
#: Fewer replicates cannot show that, even if none is above.
LEAST = 11
#: A distance has to fall to this share of what it was at n = 0, since what has not moved has not settled.
SHRUNK = 0.5
#: Less growth over the whole run, as of rounding, does not count.
GROWTH = 0.01
#: A prediction is made up to this many times the steps.
REACH = 10

#: Word -> when it is given; the first rule that holds decides.
RULES: dict[str, str] = {
    "diverged": (
        "In at least one replicate a run is not finite, or its parameters have grown by more than 10⁶(1 + ‖θ_0‖)."
    ),
    "contracting": (
        "In the parameters, at n = N, for both lags (1 and N/2): the exact upper 95 % bound of the "
        "probability that backward iterates n and n + lag are more than eps units apart is at most 1/4. A "
        "distance that has not fallen to half of what it was at n = 0 counts as more than eps."
    ),
    "too early": (
        "Not settled in the parameters: for at least one lag the exact lower 95 % bound of that probability "
        "is above 1/4. For each such lag the distance falls from N/2 to N in the draws that are above eps "
        "(the 95 % interval of the mean change of its logarithm lies below 0), neither exponent's 95 % "
        "interval lies above 0.01/N, and the prediction, with its interval, lies within 10 N. Only where the "
        "same law goes on."
    ),
    "settled up to symmetry or flat directions": (
        "The rule of contracting holds for the predictions, and the parameters have not settled (see “too early”)."
    ),
    "expanding": (
        "The parameters have not settled (see “too early”), and the 95 % confidence interval of the exponent of the "
        "derivative lies above 0.01/N, which is a growth of 1 % over the run. If a jump was found, the exponent of "
        "pairs must in addition not be significantly larger than twice that of the derivative: the 95 % confidence "
        "interval of the exponent of pairs minus twice the exponent of the derivative has a lower end of at most 0. "
        "If there is no derivative, no jump may have been found, and the interval of the exponent of pairs must lie "
        "above 0.01/N. The rule is used only where the same law goes on."
    ),
    "discontinuous": (
        "Not settled in the parameters (see “too early”); a bisection found a jump in at least one map; pairs held "
        "eps/10 units apart do not come together (the upper end of their exponent's 95 % interval is above "
        "0); and they do so less than the derivative says (the 95 % interval of the difference lies above 0), "
        "or there is no derivative. Only where the same law goes on."
    ),
    "undecided": "None of the above.",
}


@dataclass(frozen=True, eq=False)
class Finding(Value):
    """How far backward iterates n and n + lag are apart in one space, at n = N.

    Attributes
    ----------
    median
        The median over replicates in units, with the two ends of its 95 % interval.
    above
        In how many replicates the distance counts as more than eps.
    lower, upper
        The exact one-sided 95 % bounds of that probability.
    settles
        The first n of the grid from which on the median is at most eps, and the same for the upper and the lower end of
        its interval: (n, earliest, latest); inf where there is none.
    to_go
        The upper quartile over replicates of the logarithm of the factor by which the distance still has to fall, to
        eps units and to half of what it was at n = 0; 0 where it has.
    trend
        The mean change of the logarithm of the distance per step from N/2 to N, with its 95 % interval, over the
        replicates whose distance counts as more than eps (over all, if these are fewer than two).
    """

    median: Interval
    above: int
    lower: float
    upper: float
    settles: Interval
    to_go: float
    trend: Interval

    @property
    def settled(self) -> bool:
        """Whether the upper bound is at most `SHARE`."""
        return self.upper <= SHARE

    @property
    def apart(self) -> bool:
        """Whether the lower bound is above `SHARE`."""
        return self.lower > SHARE


@dataclass(frozen=True, eq=False)
class Judgement(Value):
    """The word, why, and the numbers behind it.

    Attributes
    ----------
    verdict
        One of `RULES`.
    reason
        One sentence with numbers.
    findings
        ``"parameters, lag 1"`` and so on -> `Finding`.
    derivative, pairs
        Exponents per step with 95 % intervals, or None.
    excess
        The exponent of pairs less that of the derivative, with its 95 % interval, or None.
    jumps
        How many maps were examined, in how many a jump was found, and the largest in units of the pair's distance.
    predicted
        (n, earliest, latest) at which three quarters of the draws will count as at most eps, if they go on falling as
        from N/2 to N; or None.
    """

    verdict: str
    reason: str
    findings: Mapping[str, Finding]
    derivative: Interval | None
    pairs: Interval | None
    excess: Interval | None
    jumps: tuple[int, int, float]
    predicted: Interval | None


def tests_of(measured: Measured, space: str, column: int) -> Finding:
    """Return the tests on one distance.

    Parameters
    ----------
    measured
        Without replicates that have diverged.
    space, column
        As in `Measured.ratio`.
    """
    ratio, distance = measured.ratio(space, column), measured.distances(space)[..., column]
    counted = ~(ratio[:, -1] <= measured.eps) | ~(distance[:, -1] <= SHRUNK * distance[:, 0]) | (distance[:, 0] == 0)
    above = int(counted.sum())
    lower, upper = share_bounds(above, len(counted), CONFIDENCE)
    middle, low, high = median_interval(ratio, CONFIDENCE)
    from_where = partial(_from_where, measured.n, eps=measured.eps)
    half = int(np.flatnonzero(measured.n == measured.steps // 2)[0])
    with np.errstate(divide="ignore", invalid="ignore"):
        smallest = np.finfo(float).tiny
        change = np.log(np.maximum(distance[:, -1], smallest)) - np.log(np.maximum(distance[:, half], smallest))
        still = np.log(np.maximum(ratio[:, -1] / measured.eps, distance[:, -1] / (SHRUNK * distance[:, 0])))
    return Finding(
        (float(middle[-1]), float(low[-1]), float(high[-1])),
        above,
        lower,
        upper,
        (from_where(middle), from_where(low), from_where(high)),
        max(0.0, float(np.quantile(np.where(np.isnan(still), np.inf, still), 1 - SHARE, method="higher"))),
        mean_interval(
            change[counted if above > 1 else slice(None)] / (measured.steps - measured.steps // 2), CONFIDENCE
        ),
    )


def _from_where(n: NDArray, curve: NDArray, eps: float) -> float:
    """Return the first n > 0 from which on a curve is at most eps, or inf."""
    above = np.flatnonzero(~(curve[1:] <= eps))
    if not len(above):
        return float(n[1])
    return float(n[1:][above[-1] + 1]) if above[-1] + 1 < len(n) - 1 else math.inf


def judge(measured: Measured) -> Judgement:
    """Return the verdict by `RULES`."""
    gone = measured.diverged >= 0
    examined = measured.jumps[np.isfinite(measured.jumps)]
    jumps = (len(examined), int((examined > 0).sum()), float(examined.max(initial=0.0)))
    if gone.any():
        first = int(measured.diverged[gone].min())
        why = f"{int(gone.sum())} of {len(gone)} replicates have diverged, the first by n = {first:,}"
        return Judgement("diverged", why, {}, None, None, None, jumps, None)
    columns = {"lag 1": NEXT, f"lag {measured.lag}": AHEAD}
    findings = {
        f"{space}, {name}": tests_of(measured, space, column)
        for space in ("parameters", "predictions")
        for name, column in columns.items()
    }
    if np.isfinite(measured.parameter[:, 0, START]).all():
        findings |= {
            f"{space}, other start": tests_of(measured, space, START) for space in ("parameters", "predictions")
        }
    derivative = mean_interval(measured.derivative, CONFIDENCE) if len(measured.derivative) else None
    pairs = mean_interval(measured.pairs, CONFIDENCE) if np.isfinite(measured.pairs).all() else None
    excess = mean_interval(measured.pairs - measured.derivative, CONFIDENCE) if derivative and pairs else None
    lags = [findings[f"parameters, {name}"] for name in columns]
    forgotten = all(findings[f"predictions, {name}"].settled for name in columns)
    numbers = derivative, pairs, excess, jumps
    if all(one.settled for one in lags):
        return Judgement("contracting", _settled(measured, lags[-1]), findings, *numbers, None)
    apart = [one for one in lags if one.apart]
    predicted = _predicted(measured, apart)
    grows = any(one is not None and one[1] > GROWTH / measured.steps for one in (derivative, pairs))
    word, why = "undecided", _open_question(measured, lags, derivative, pairs, predicted)
    if predicted is not None and predicted[2] <= REACH * measured.steps and measured.homogeneous and not grows:
        word, why = "too early", _too_early(measured, apart, predicted)
    elif apart and forgotten:
        word = "settled up to symmetry or flat directions"
        far = max(one.median[0] for one in apart)
        why = f"predictions have settled to {measured.eps:g} units, and parameters are {far:.2g} units apart"
    elif apart and measured.homogeneous and _expands(measured, derivative, pairs, found=jumps[1]):
        word, exponent = "expanding", derivative or pairs
        assert exponent is not None
        why = f"small differences grow by {_exponent(exponent)} a step, so that runs under the same batches do not meet"
    elif apart and measured.homogeneous and _held_apart(*numbers):
        word = "discontinuous"
        why = (
            f"{jumps[1]} of {jumps[0]} maps that were examined jump at a kink between two states that are close, by up "
            f"to {jumps[2]:.2g} of their distance, and such pairs do not come together"
        )
    return Judgement(word, why, findings, *numbers, predicted if word == "too early" else None)


def _settled(measured: Measured, far: Finding) -> str:
    n, early, late = far.settles
    return (
        f"settles to {measured.eps:g} units by n = {_count(n)} ({_count(early)} to {_count(late)}), for the median "
        f"draw of batches; at {measured.steps:,} at most {far.upper:.0%} of the draws are above"
    )


def _too_early(measured: Measured, apart: list[Finding], predicted: Interval) -> str:
    far = max(apart, key=lambda one: one.above)
    return (
        f"not settled by {measured.steps:,} steps ({far.above} of {measured.replicates} draws are above eps), and the "
        f"distance falls: at this rate three quarters count as at most eps by n = {_count(predicted[0])} "
        f"({_count(predicted[1])} to {_count(predicted[2])})"
    )


def _expands(measured: Measured, derivative: Interval | None, pairs: Interval | None, *, found: int) -> bool:
    """Return whether small differences grow, and not for the most part by the jumps that were found."""
    least = GROWTH / measured.steps
    if derivative is None:
        return pairs is not None and pairs[1] > least and not found
    by_jumps = (
        found and pairs is not None and mean_interval(measured.pairs - 2 * measured.derivative, CONFIDENCE)[1] > 0
    )
    return derivative[1] > least and not by_jumps


def _held_apart(
    derivative: Interval | None, pairs: Interval | None, excess: Interval | None, jumps: tuple[int, int, float]
) -> bool:
    if not jumps[1] or pairs is None or not pairs[2] > 0:
        return False
    return derivative is None or (excess is not None and excess[1] > 0)


def _predicted(measured: Measured, apart: list[Finding]) -> Interval | None:
    """Return the n at which three quarters of the draws will count as at most eps, if all go on falling, or None."""
    predictions: list[Interval] = []
    for one in apart:
        slope, steepest, flattest = one.trend
        if not flattest < 0 or not math.isfinite(one.to_go):
            return None
        steps = measured.steps
        predictions.append((steps - one.to_go / slope, steps - one.to_go / steepest, steps - one.to_go / flattest))
    return max(predictions, key=lambda one: one[2]) if predictions else None


def _open_question(
    measured: Measured,
    lags: list[Finding],
    derivative: Interval | None,
    pairs: Interval | None,
    predicted: Interval | None,
) -> str:
    """Return which tests leave the question open."""
    far = max(lags, key=lambda one: one.above)
    if measured.replicates < LEAST and not far.apart:
        return f"{measured.replicates} replicates are too few: {LEAST} are needed even if none is above eps"
    if not far.apart:
        return (
            f"{far.above} of {measured.replicates} draws are above eps in the parameters: a share of "
            f"{far.lower:.0%} to {far.upper:.0%}, which neither shows nor excludes that more than {SHARE:.0%} are"
        )
    if not measured.homogeneous:
        return (
            "not settled within these steps, and the law of the maps changes beyond them, so nothing can be predicted"
        )
    parts = [f"the distance changes by {_exponent(far.trend)} a step from N/2 to N"]
    parts += [f"the exponent of the derivative is {_exponent(derivative)}"] if derivative else []
    parts += [f"{'that' if derivative else 'the exponent'} of pairs is {_exponent(pairs)}"] if pairs else []
    if predicted is not None and predicted[2] > REACH * measured.steps:
        parts.append(
            f"so that eps would be reached by n = {_count(predicted[0])}, beyond the {REACH} N that are predicted"
        )
    return "not settled, and nothing shows that it will or will not: " + ", ".join(parts)


def _count(n: float) -> str:
    return f"{math.ceil(n):,}" if math.isfinite(n) else "never seen"


def _exponent(interval: Interval) -> str:
    return f"{interval[0]:+.2g} [{interval[1]:+.2g}, {interval[2]:+.2g}]"
