"""Limits and samples against rationals, 60-digit arithmetic and laws that are known exactly."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from fractions import Fraction

import mpmath
import numpy as np

from contraction.families import BernoulliConvolution, FiniteFamily, RandomAffine
from contraction.maps.operators import Operators, RandomOperator
from contraction.statements import comparisons
from contraction.statements.cases.error_rates import FALSE_ALARM, deviation, distance_to, statistical
from contraction.statements.library.oracle import Bend, Function, Oracle
from contraction.statements.records import Verdict
from contraction.types import Scalar


def _maps(seed: int, n: int = 9) -> tuple[list[tuple[Fraction, Fraction]], Operators]:
    """Return pairs (a, b) and the maps x -> a |x| + b, which keep rationals exact."""
    rng = np.random.default_rng([seed, 0])
    pairs: list[tuple[Scalar, Scalar]] = [
        (Fraction(int(a), 8), Fraction(int(b), 5)) for a, b in rng.integers(-9, 10, (n, 2))
    ]
    return pairs, Operators.from_maps([lambda x, a=a, b=b: a * abs(x) + b for a, b in pairs])


def _word(pairs: list[tuple[Fraction, Fraction]], first: int, last: int, x: Fraction) -> Fraction:
    """Return T_first … T_last (x) by a loop over Python numbers."""
    for a, b in reversed(pairs[first - 1 : last]):
        x = a * abs(x) + b
    return x


def _point(x: Fraction) -> np.ndarray:
    return np.array([x], dtype=object)


def apply_backward(f: Function, seed: int) -> Verdict:
    """Compare T_first … T_n (x) with a loop over rationals, for every first and n."""
    pairs, operators = _maps(seed)
    words = [(first, n) for n in range(1, 10) for first in range(1, n + 2)]
    measured = [f(operators, _point(Fraction(2, 3)), n, first)[0] for first, n in words]
    return comparisons.equal(
        "apply_backward", (), measured, [_word(pairs, first, n, Fraction(2, 3)) for first, n in words]
    )


def coupling_distance(f: Function, seed: int) -> Verdict:
    """Compare |T_1 … T_n x - T_1 … T_n y| with rationals that are rounded once, at every n."""
    pairs, operators = _maps(seed)
    x, y = Fraction(2, 3), Fraction(-5)
    _, measured = f(operators, _point(x), _point(y), at=range(10))
    claimed = np.array([float(abs(_word(pairs, 1, n, x) - _word(pairs, 1, n, y))) for n in range(10)])
    return Verdict.tight("coupling_distance", (), np.ravel(measured), claimed, rounding=4e-16 * claimed)


def backward_limit(f: Function, seed: int) -> Verdict:
    """Check that the distance to the limit, in 60 digits, is at most the error, for four affine families.

    |a| is up to 0.95 and the offsets are large.

    The oracle composes 3,000 maps of the same draws: what is left out is below .95^3000 < 10^-66 of the offset.
    """
    measured, claimed = [], []
    for a, offset, eps in ((0.5, 1.0, 1e-9), (0.95, 1.0, 1e-6), (-0.9, 1000.0, 1e-6), (0.95, 1e6, 1e-3)):
        family = FiniteFamily([(a, offset), (a / 2, -offset / 3)])
        result = f(family, np.array([0.25]), eps, seed)
        letters = [int(i) for i in family.sample(3000, seed).draws]
        with mpmath.workdps(60):
            x = mpmath.mpf(0.25)
            for i in reversed(letters):
                x = mpmath.mpf([a, a / 2][i]) * x + mpmath.mpf([offset, -offset / 3][i])
            measured.append(float(abs(mpmath.mpf(float(result.value[0])) - x)))
        claimed.append(float(result.error))
    return Verdict.upper("backward_limit", (), [*measured, *claimed], [*claimed, 1e-9, 1e-6, 1e-6, 1e-3])


def nested_boxes(f: Function, seed: int) -> Verdict:
    """Compare with the ends of T_1 … T_n [low, high] for increasing maps a x + b, in rationals.

    A map that is only known to be monotone may err by 2 · 80 roundings of numbers up to 1 at each end. No factor is
    above 1/2, so all maps together widen an end by at most twice that.
    """
    rng = np.random.default_rng([seed, 1])
    pairs: list[tuple[Scalar, Scalar]] = [
        (Fraction(int(a), 16), Fraction(int(b), 16)) for a, b in rng.integers([1, 0], [9, 8], (8, 2))
    ]
    operators = Operators.from_maps([lambda x, a=a, b=b: float(a) * x + float(b) for a, b in pairs])
    result = f(operators, 0.0, 1.0, at=range(9))
    ends = [[float(_word(pairs, 1, n, Fraction(x))) for n in range(9)] for x in (0, 1)]
    inside = [*(result.low[:, 0]), *ends[1]]
    outside = [*ends[0], *(result.high[:, 0])]
    wide = [*(result.high[:, 0] - result.low[:, 0])]
    widened = 2 * 2 * (2 * 80) * 2.0**-53
    exact = [b - a + widened for a, b in zip(*ends, strict=True)]
    return Verdict.upper("nested_boxes", (), [*inside, *wide], [*outside, *exact], rounding=1e-14)


class _TwoStates(RandomOperator):
    """P(1 -> 1) = P(1 -> 2) = 1/2, P(2 -> 1) = 1: stationary (2/3, 1/3); forward coalescence stops in state 1."""

    states = (1.0, 2.0)

    def __init__(self) -> None:
        super().__init__(lambda rng: rng.integers(2), lambda x, u: np.where((x == 1) & (u == 1), 2.0, 1.0))


def coupling_from_the_past(f: Function, seed: int) -> Verdict:
    """Compare the share of state 1 in 4,000 draws with 2/3, within Hoeffding's deviation at 1e-9."""
    value = np.asarray(f(_TwoStates(), seed, size=4000).value)
    share = float(np.mean(value == 1))
    return Verdict(
        "coupling_from_the_past",
        (),
        "statistical",
        abs(share - 2 / 3) <= deviation(4000),
        abs(share - 2 / 3),
        deviation(4000),
        paths=4000,
        error_rates=(FALSE_ALARM, FALSE_ALARM),
    )


def sample_stationary(f: Function, seed: int) -> Verdict:
    """Compare 2,000 draws of the Bernoulli convolution at h = 1/2 with the uniform law on [0, 1].

    The sup distance must be within the DKW bound and 2 eps.
    """
    result = f(BernoulliConvolution(0.5), 1e-3, seed, size=2000)
    statistic = distance_to(result.value, lambda x: np.clip(x, 0, 1))
    threshold = deviation(2000) + 2 * 1e-3
    return Verdict(
        "sample_stationary",
        (),
        "statistical",
        statistic <= threshold and result.error <= 1e-3,
        statistic,
        threshold,
        paths=2000,
        error_rates=(FALSE_ALARM, FALSE_ALARM),
    )


def unbiased_expectation(f: Function, seed: int) -> Verdict:
    """Compare with E θ² = 1/3 and E θ = (I - E A)^-1 E b, within seven standard errors.

    The errors are nearly normal, so a false alarm has probability about 10^-11.
    """
    square = f(BernoulliConvolution(0.5), lambda x: x[..., 0] ** 2, [0.0], copies=3000, seed=seed)
    affine = RandomAffine([0.5, -0.2], [[1.0], [3.0]])
    mean = f(affine, lambda x: x[..., 0], [0.0], copies=3000, seed=seed)
    gaps = [abs(square.estimate - 1 / 3), abs(mean.estimate - 2.0 / 0.85)]
    return statistical(
        "unbiased_expectation",
        (),
        [("E θ²", gaps[0], 7 * square.standard_error), ("E θ", gaps[1], 7 * mean.standard_error)],
        paths=6000,
        error_rates=(3e-12, FALSE_ALARM),
    )


def _replaced(**changes: Callable[..., object]) -> Bend:
    """Return a fault that replaces some fields of a result by functions of them."""

    def bend(f: Function) -> Function:
        def bent(*arguments: object, **named: object) -> object:
            result = f(*arguments, **named)
            return dataclasses.replace(result, **{k: change(getattr(result, k)) for k, change in changes.items()})

        return bent

    return bend


ORACLES = [
    Oracle(
        "contraction.apply_backward",
        "a loop over Python's rationals",
        apply_backward,
        "the outermost map left out",
        lambda f: lambda operators, x, n, first: f(operators, x, n, min(first + 1, n + 1)),
    ),
    Oracle(
        "contraction.coupling_distance",
        "two loops over Python's rationals",
        coupling_distance,
        "the same start twice",
        lambda f: lambda operators, x, y, at: f(operators, x, x, at=at),
    ),
    Oracle(
        "contraction.backward_limit",
        "the limit to 60 digits, rounding included",
        backward_limit,
        "an error without its rounding",
        _replaced(error=lambda e: e / 10**6),
    ),
    Oracle(
        "contraction.nested_boxes",
        "images of both ends in rationals",
        nested_boxes,
        "a box too small",
        _replaced(high=lambda high: high - 0.01),
    ),
    Oracle(
        "contraction.coupling_from_the_past",
        "the stationary law (2/3, 1/3) of two states",
        coupling_from_the_past,
        "the state at forward coalescence",
        _replaced(value=np.ones_like),
    ),
    Oracle(
        "contraction.sample_stationary",
        "the uniform law",
        sample_stationary,
        "ten percent larger",
        _replaced(value=lambda value: 1.1 * value),
    ),
    Oracle(
        "contraction.unbiased_expectation",
        "moments in closed form",
        unbiased_expectation,
        "ten percent larger",
        _replaced(estimate=lambda x: 1.1 * x),
    ),
]
