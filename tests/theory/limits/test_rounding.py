"""The error of a certified limit against arithmetic with 60 digits: it includes the rounding of every map."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import contraction as ct
from contraction.families import GradientSteps, QuadraticSGD, RidgeLogisticLoss, Uniform
from contraction.limits.backward import backward_limit
from contraction.limits.composed import composed
from contraction.maps.operators import Operators

mp = mpmath.mp
RNG = np.random.default_rng(11)
X = RNG.standard_normal((12, 3))
Y = np.where(RNG.random(12) < 0.5, -1.0, 1.0)
OFFSET = 1e6


def numbers(x):
    return [mp.mpf(float(v)) for v in np.atleast_1d(x)]


def slow(theta, u):
    return [mp.mpf(0.99) * theta[0] + numbers(u)[0]]


def single(theta, u):
    return [mp.mpf(float(np.float32(0.99))) * theta[0] + numbers(u)[0]]


def tanh(theta, u):
    return [mp.tanh(t / 2) + v for t, v in zip(theta, numbers(u), strict=True)]


def quadratic(theta, u):
    h = mp.mpf(0.1)
    return [(1 - h) * t + h * v for t, v in zip(theta, numbers(u), strict=True)]


def logistic(theta, rows):
    h, total = mp.mpf(0.3), [mp.mpf(0)] * 3
    for i in rows.tolist():
        x, y = numbers(X[i]), mp.mpf(Y[i])
        slope = -y / (1 + mp.exp(y * sum(a * b for a, b in zip(x, theta, strict=True))))
        total = [t + slope * a / len(rows) for t, a in zip(total, x, strict=True)]
    return [t - h * (g + mp.mpf(0.5) * t) for t, g in zip(theta, total, strict=True)]


FAMILIES = {
    "slow, far from 0": (
        ct.RandomOperator(
            lambda rng: OFFSET * 1e-2 + rng.uniform(-1, 1),
            lambda t, u: 0.99 * t + u,
            contraction=0.99,
            displacement=2.0,
        ),
        slow,
        np.array([OFFSET]),
        1e-5,
    ),
    "float32": (
        ct.RandomOperator(
            lambda rng: np.float32(rng.uniform(-1, 1)),
            lambda t, u: np.float32(0.99) * t + u,
            contraction=0.9901,
            displacement=1.2,
        ),
        single,
        np.array([0.25], dtype=np.float32),
        0.3,
    ),
    "tanh": (
        ct.RandomOperator(
            lambda rng: rng.uniform(-1, 1, 2), lambda t, u: np.tanh(t / 2) + u, contraction=0.5, displacement=2.0
        ),
        tanh,
        np.array([0.0, 0.0]),
        1e-11,
    ),
    "quadratic": (QuadraticSGD(0.1, Uniform(-1, 1), dim=2), quadratic, np.array([3.0, -1.0]), 1e-10),
    "logistic": (GradientSteps(RidgeLogisticLoss(X, Y, 0.5), 0.3, 4), logistic, np.zeros(3), 1e-10),
}


def exactly(step, operators, theta0, n):
    """T_1 … T_n theta0 with 60 digits."""
    theta = numbers(theta0)
    for i in range(n, 0, -1):
        theta = step(theta, operators.draws[i - 1])
    return theta


def distance(value, exact):
    return float(mp.sqrt(sum((a - b) ** 2 for a, b in zip(numbers(value), exact, strict=True))))


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_error_holds_in_60_digits(name, seed):
    family, step, theta0, eps = FAMILIES[name]
    with mp.workdps(60):
        found = backward_limit(family, theta0, eps, seed)
        assert found.certified
        n = found.maps
        later = found.certificate.steps(float(found.rounding) * 1e-3)  # so near the limit, for all that is compared
        operators = family.sample(max(later, n), seed)
        here, limit = exactly(step, operators, theta0, n), exactly(step, operators, theta0, max(later, n))
        assert 0 < distance(found.value, here) <= found.rounding
        assert distance(found.value, limit) <= found.error * (1 + 1e-3)
        assert found.error == found.truncation + found.rounding <= eps


@pytest.mark.control
def test_the_bound_on_the_iterates_alone_is_smaller_than_the_distance():
    """What rounding adds is no formality: without it an error far below the true distance would be claimed."""
    family, step, theta0, _ = FAMILIES["slow, far from 0"]
    with mp.workdps(60):
        certificate = ct.certify(family, theta0)
        n = certificate.steps(1e-12)
        operators = family.sample(n, 0)
        value, rounding = composed(operators, theta0, n, 0.99 ** np.arange(n))
        true = distance(value, exactly(step, operators, theta0, n))
        assert certificate.bound(n) <= 1e-12 < true <= rounding


@pytest.mark.parametrize(("name", "eps"), [("slow, far from 0", 1e-12), ("float32", 1e-6), ("tanh", 1e-30)])
def test_an_eps_below_the_rounding_is_refused(name, eps):
    family, _, theta0, _ = FAMILIES[name]
    with pytest.raises(ValueError, match=f"eps = {eps} is below the precision of {theta0.dtype} here: rounding alone"):
        backward_limit(family, theta0, eps)


def test_a_start_in_single_precision_is_named_where_the_maps_are_in_double():
    halves = ct.RandomOperator(
        lambda rng: rng.uniform(-1, 1, 1), lambda t, u: t / 2 + u, contraction=0.5, displacement=4.0
    )
    assert halves.sample(1, 0).apply(1, np.array([3.0], np.float32)).dtype == np.float64
    with pytest.raises(ValueError, match=r"is below the precision of float32 here"):
        backward_limit(halves, np.array([3.0], np.float32), 1e-9)
    assert backward_limit(halves, np.array([3.0]), 1e-9).error <= 1e-9


def test_a_metric_of_ones_own_is_used_for_rounding_too():
    """d(x, y) = 10^6 |x - y|: the same maps, and a million times the rounding."""
    plain, scaled = (
        ct.RandomOperator(
            lambda rng: rng.uniform(-1, 1), lambda t, u: t / 2 + u, contraction=0.5, displacement=c, space=space
        )
        for c, space in ((1.0, None), (1e6, lambda x, y: 1e6 * np.abs(x - y)[..., 0]))
    )
    a, b = (backward_limit(f, 0.0, eps) for f, eps in ((plain, 1e-6), (scaled, 1.0)))
    assert a.maps == b.maps
    assert 0.4e6 <= b.rounding / a.rounding <= 1.2e6


def test_factors_that_expand_at_times_widen_the_rounding():
    """T_1 = 100 x outermost: an error in T_2 is multiplied by it."""
    halves = Operators.from_maps([lambda x: 100 * x, lambda x: x / 2 + 1 / 3], affine=[(100.0, 0.0), (0.5, 1 / 3)])
    _, narrow = composed(halves, np.array([1.0]), 2, np.array([1.0, 1.0]))
    _, wide = composed(halves, np.array([1.0]), 2, np.array([1.0, 100.0]))
    assert wide > 50 * narrow
