"""Lyapunov exponents against closed forms, determinants and difference quotients; what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

import contraction as ct
from contraction.families import (
    Cyclic,
    ExchangeableMixture,
    ExpandingOnAverage,
    FiniteFamily,
    GradientSteps,
    MarkovModulated,
    Reshuffled,
    RidgeLogisticLoss,
    RidgeLoss,
    ShuffledOnce,
    SoftplusLoss,
    Uniform,
)
from tests.theory.family_examples import EXAMPLES, LABELS, X, Y

LEVEL = 1 - 1e-7  # asymptotic: a true value outside an interval is one false alarm in 10^7
FIBONACCI = FiniteFamily([([[0, 1], [1, 1]], [0, 0]), ([[0, 1], [1, -1]], [0, 0])])
VISWANATH = 0.1239755988


def _projection(rng):
    a = rng.standard_normal(3)
    return np.eye(3) - np.outer(a, a) / (a @ a), np.zeros(3)


KACZMARZ = ct.RandomOperator(_projection, lambda theta, u: theta @ u[0].T, affine=lambda u: u)


def test_random_fibonacci():
    """Viswanath (2000): |x_n|^(1/n) -> 1.13198824…; the matrices have determinant -1 or 1, so the sum is zero."""
    found = ct.lyapunov_exponents(FIBONACCI, [0, 0], 1500, "all", confidence=LEVEL)
    assert found.lower[0] < VISWANATH < found.upper[0]
    assert found.upper[0] - found.lower[0] < 0.04
    assert sum(found.values) == pytest.approx(0, abs=1e-12)
    assert not found.contracts


def test_kaczmarz_with_gaussian_rows():
    """log 2 - 1 and -log 2: E log |P u| and E log |<n, a>| for uniform directions; floats do not decide λ_3."""
    found = ct.lyapunov_exponents(KACZMARZ, np.zeros(3), 300, "all", confidence=LEVEL, replicas=16)
    for j, truth in enumerate((math.log(2) - 1, -math.log(2))):
        assert found.lower[j] < truth < found.upper[j]
    assert math.isnan(found.values[2])
    assert "λ_3 undecided" in str(found)
    assert found.contracts


def test_triangular_laws():
    """E log of the diagonal entries, and their sum exactly: the mean of log |det| over the maps that were drawn."""
    diagonals, weights = np.array([[0.5, 0.25, 2.0], [1.5, 0.9, 0.1]]), [0.25, 0.75]
    shears = np.random.default_rng(3).standard_normal((2, 3, 3))
    matrices = [np.diag(a) + np.triu(s, 1) for a, s in zip(diagonals, shears, strict=True)]
    family = FiniteFamily([(A, np.zeros(3)) for A in matrices], weights)
    found = ct.lyapunov_exponents(family, np.zeros(3), 1000, "all", confidence=LEVEL, burn_in=100, seed=5)
    truth = sorted(weights @ np.log(diagonals), reverse=True)
    for value, low, high in zip(truth, found.lower, found.upper, strict=True):
        assert low < value < high
        assert high - low < 0.2  # the standard deviation of log |a_ii| is at most 1.3, over 32,000 maps: 0.08
    drawn = np.array(list(family.sample(1100, 5, replicas=32).draws))[100:]
    logs = np.log(diagonals.prod(axis=1))[drawn].mean()
    assert sum(found.values) == pytest.approx(logs, abs=1e-9)


def test_one_coordinate_is_the_mean_of_logarithms():
    family = ExpandingOnAverage([2, 0.25])
    found = ct.lyapunov_exponents(family, [1.0], 500, burn_in=0, seed=2)
    factors = np.stack([family.sample(500, 2, replicas=32).draws[i][..., 0] for i in range(500)])
    assert found.top == pytest.approx(np.log(factors).mean(), abs=1e-12)


def test_a_cyclic_order_has_the_spectral_radius_of_its_product():
    """Polyak tuning at condition number 25: every matrix has radius 2/3, the product of the two 2.590."""
    A, B = (np.array([[13 / 9 - lam / 9, -4 / 9], [1.0, 0.0]]) for lam in (1.0, 25.0))
    family = FiniteFamily([(A, [0, 0]), (B, [0, 0])], law=Cyclic(2))
    found = ct.lyapunov_exponents(family, [0, 0], 100, "all", burn_in=50, replicas=2)
    radii = sorted(np.abs(np.linalg.eigvals(B @ A)), reverse=True)
    assert found.values == pytest.approx(np.log(radii) / 2, abs=1e-9)
    assert found.top == pytest.approx(math.log(4 / 3 * (1 + 2 * 2**0.5 / 3)) / 2, abs=1e-9)


def test_maps_are_followed_forward():
    """Three matrices in cyclic order: the exponent is that of C B A, and C A B has another."""
    A, B, C = (np.array(m, dtype=float) for m in ([[1, 1], [0, 1]], [[1, 0], [2, 1]], [[2, 1], [1, 0]]))
    found = ct.lyapunov_exponents(
        FiniteFamily([(M, [0, 0]) for M in (A, B, C)], law=Cyclic(3)), [0, 0], 60, burn_in=30, replicas=2
    )
    radius, swapped = (np.abs(np.linalg.eigvals(C @ P)).max() for P in (B @ A, A @ B))
    assert found.top == pytest.approx(math.log(radius) / 3, abs=1e-9)
    assert abs(math.log(swapped) - math.log(radius)) > 0.01


@pytest.mark.control
def test_values_that_are_off_are_outside():
    """The interval is narrow enough to refuse the mean of log ‖A‖ over single maps, and .15 for .124."""
    found = ct.lyapunov_exponents(FIBONACCI, [0, 0], 1500, confidence=LEVEL)
    single = ct.average_contraction(FIBONACCI, [0, 0]).exponent
    assert single == pytest.approx(math.log((1 + 5**0.5) / 2))
    assert not found.lower[0] < single < found.upper[0]
    assert not found.lower[0] < 0.15 < found.upper[0]


def test_singular_products_and_small_factors():
    """A factor of 1e-20 in its own coordinate is measured; a nilpotent matrix in a turned basis is undecided."""
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((2, 2)))[0]
    N = np.array([[0.0, 2.0], [0.0, 0.0]])
    undecided = ct.lyapunov_exponents(FiniteFamily([(turn @ N @ turn.T, [0, 0])]), [0, 0], 50, replicas=2)
    assert math.isnan(undecided.top)
    assert not undecided.contracts
    assert ct.lyapunov_exponents(FiniteFamily([(N, [0, 0])]), [0, 0], 50, replicas=2).top == -math.inf
    for small in (1e-12, 1e-20):
        family = FiniteFamily([(np.diag([1.0, small]), [0, 0])])
        found = ct.lyapunov_exponents(family, [0, 0], 50, "all", replicas=2)
        assert found.values == pytest.approx((0, math.log(small)), abs=1e-12)
    sometimes = FiniteFamily([(2.0, 1.0), (0.0, 1.0)], [0.999, 0.001])
    assert ct.lyapunov_exponents(sometimes, 0.0, 1000, replicas=8).top == -math.inf


def test_a_rank_in_rational_arithmetic_makes_a_product_singular():
    """Rows (1, 2) and (2, 4): exponents log 5 and -inf; with 4 + 2^-50 in place of 4 the matrix has an inverse."""
    for corner, second in ((4.0, -math.inf), (4.0 + 2.0**-50, math.nan)):
        family = FiniteFamily([([[1.0, 2.0], [2.0, corner]], [0, 0])])
        found = ct.lyapunov_exponents(family, [0, 0], 50, "all", replicas=2)
        assert found.top == pytest.approx(math.log(5), abs=1e-12)
        assert found.values[1] == pytest.approx(second, nan_ok=True)


@pytest.mark.parametrize("size", [1e4, 1e10, 1e12], ids=str)
@pytest.mark.parametrize("slope", [1.5, 0.3], ids=str)
def test_large_values_of_the_first_map_do_not_decide(slope, size):
    """At 0 the quotient of slope x + size u is lost in rounding for size 1e10; far from 0 it is not."""
    family = ct.RandomOperator(lambda rng: rng.normal(size=1), lambda x, u: slope * x + size * u)
    found = ct.lyapunov_exponents(family, [0.0], 100, replicas=8)
    # quotients near |x| have an error of at most 2^-53 |x| · 2 / (STEP |x|) = 4e-11
    assert found.top == pytest.approx(math.log(slope), abs=1e-9)
    assert found.contracts == (slope < 1)


def test_growth_below_the_resolution_of_quotients_is_undecided():
    """A slope of 5e-17 moves values of size 1 by less than their rounding; the linear parts show it."""
    A = np.diag([0.5, 5e-17])
    own = ct.RandomOperator(lambda rng: rng.standard_normal(2), lambda x, u: x @ A + u)
    found = ct.lyapunov_exponents(own, np.zeros(2), 50, "all", replicas=4)
    assert found.top == pytest.approx(math.log(0.5), abs=1e-9)
    assert math.isnan(found.values[1])
    exact = ct.lyapunov_exponents(FiniteFamily([(A, [0, 0])]), np.zeros(2), 50, "all", replicas=4)
    assert exact.values[1] == pytest.approx(math.log(5e-17), abs=1e-12)


def test_quotients_that_depend_on_their_step_are_undecided():
    """Near 1e6 the step is 6, which jumps over waves of sin(3 x); near 1 it is 6e-6."""
    for far, undecided in ((1e6, True), (1.0, False)):
        family = ct.RandomOperator(lambda rng: rng.uniform(), lambda x, u, far=far: far + np.sin(3 * x) + u)
        found = ct.lyapunov_exponents(family, [0.0], 100, replicas=16)
        assert math.isnan(found.top) == undecided
        assert not (undecided and found.contracts)


@pytest.mark.parametrize(
    "loss",
    [RidgeLogisticLoss(X, LABELS, 0.3), SoftplusLoss(X, Y, 0.3, 2.0), RidgeLoss(X, Y, 0.3)],
    ids=lambda loss: type(loss).__name__,
)
def test_the_families_derivatives_are_those_of_the_maps(loss):
    """family.jvp against difference quotients, one point and with replicas."""
    family, rng = GradientSteps(loss, 0.5, 2), np.random.default_rng(1)
    operators = family.sample(5, 0, replicas=3)
    theta, V = rng.standard_normal((3, 3)), rng.standard_normal((4, 3, 3))
    for i in range(5):
        said = family.jvp(theta, V, operators.draws[i])
        h = 1e-5
        seen = (operators.apply(i + 1, theta + h * V) - operators.apply(i + 1, theta - h * V)) / (2 * h)
        assert said == pytest.approx(seen, abs=1e-8)
        one = family.jvp(theta[0], V[:, 0], operators.draws[i][0])
        assert one == pytest.approx(said[:, 0], abs=1e-14)


def test_derivatives_from_three_places_agree():
    family = ExpandingOnAverage([1.5, 0.2], [0.25, 0.75], Uniform(-1, 1), "sine")
    plain = ct.RandomOperator(lambda rng: family.draw_block(rng, None), family.apply)
    own = ct.lyapunov_exponents(family, [2.0], 300)
    assert own.jacobians == "given by the family"
    differenced = ct.lyapunov_exponents(plain, [2.0], 300, replicas=8)
    assert differenced.jacobians == "central differences of the maps"
    given = ct.lyapunov_exponents(plain, [2.0], 300, replicas=8, jvp=lambda t, v, u: u[0] * np.cos(t) * v)
    assert given.jacobians == "given as jvp="
    assert given.top == pytest.approx(differenced.top, abs=1e-6)
    assert given.lower[0] < own.upper[0]
    assert own.lower[0] < given.upper[0]


@pytest.mark.control
def test_a_wrong_derivative_is_refused():
    """The sign, and the transpose of a Jacobian that is not symmetric."""
    A = np.array([[0.5, 0.4], [0.0, 0.3]])
    family = ct.RandomOperator(lambda rng: rng.standard_normal(2), lambda t, u: np.sin(t @ A.T) + u)
    for wrong in (lambda t, v, u: -np.cos(A @ t) * (A @ v), lambda t, v, u: A.T @ (np.cos(A @ t) * v)):
        with pytest.raises(ct.DeclarationRefuted, match="jvp= is not the derivative of T_1"):
            ct.lyapunov_exponents(family, [0.3, 0.2], 20, jvp=wrong)
    ct.lyapunov_exponents(family, [0.3, 0.2], 20, jvp=lambda t, v, u: np.cos(A @ t) * (A @ v))


def test_kinks_are_not_seen():
    """x -> |x| has slope 1 or -1 beside its kink: exponent 0, as for the jump x -> x + [x > 0]."""
    for apply in (lambda x, u: np.abs(x - u), lambda x, u: x + (x > u) - (x < -u)):
        family = ct.RandomOperator(lambda rng: rng.uniform(1, 2), apply)
        assert ct.lyapunov_exponents(family, 0.7, 100).top == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize(
    ("law", "reason"),
    [
        (ShuffledOnce(3), "one order of the maps for the whole word"),
        (ExchangeableMixture([[1, 0, 0], [0, 1, 0]]), "one component for the whole word"),
        (MarkovModulated([[1, 0, 0], [0, 1, 0], [0, 0, 1]], [1, 0, 0]), "several classes of letters"),
    ],
)
def test_laws_that_are_not_ergodic_are_refused(law, reason):
    maps = [(2.0, 0.0), (0.5, 0.0), (0.1, 0.0)]
    with pytest.raises(ct.NotCertified, match=reason):
        ct.lyapunov_exponents(FiniteFamily(maps, law=law), 0.0, 100)
    for ergodic in (Reshuffled(3), MarkovModulated([[0, 1, 0], [0, 0, 1], [1, 0, 0]])):
        found = ct.lyapunov_exponents(FiniteFamily(maps, law=ergodic), 0.0, 90, burn_in=9, replicas=2)
        assert found.top == pytest.approx(math.log(0.1) / 3, abs=1e-12)


def test_any_norm_of_the_space_will_do():
    """Bellman operators contract by .9 in the sup norm: exponents are at most log .9; prefix maps have none."""
    family, theta0 = EXAMPLES["bellman"]
    found = ct.lyapunov_exponents(family, theta0, 200, replicas=4)
    assert found.jacobians == "central differences of the maps"
    assert found.top <= math.log(0.9) + 1e-9
    words, start = EXAMPLES["prefixes"]
    with pytest.raises(ValueError, match="maps of R\\^d"):
        ct.lyapunov_exponents(words, start, 9)


def test_what_has_no_meaning_is_refused():
    family = FiniteFamily([(0.5, 1.0)])
    for call, rule in (
        (lambda: ct.lyapunov_exponents(family, 0.0, 0), "n must be an integer of at least 1"),
        (lambda: ct.lyapunov_exponents(family, 0.0, 9, replicas=1), "replicas must be an integer of at least 2"),
        (lambda: ct.lyapunov_exponents(family, 0.0, 9, "both"), "must be one of top, all; got 'both'"),
        (lambda: ct.lyapunov_exponents(family, 0.0, 9, confidence=1.0), "between 0 and 1"),
        (lambda: ct.lyapunov_exponents(family, [[0.0]], 9), r"one start \(d,\)"),
    ):
        with pytest.raises(ValueError, match=rule):
            call()
    diverging = ct.RandomOperator(lambda rng: 3.0, lambda x, u: u * x**2)
    with pytest.raises(ArithmeticError, match="not finite at map"):
        ct.lyapunov_exponents(diverging, 2.0, 50)
    with pytest.raises(TypeError, match="takes a random operator"):
        ct.lyapunov_exponents(family.sample(3), 0.0, 9)  # type: ignore[arg-type]
    wrong = ct.RandomOperator(lambda rng: 3.0, lambda x, u: np.sin(x))
    with pytest.raises(ValueError, match=r"must return shape \(1,\)"):
        ct.lyapunov_exponents(wrong, 2.0, 5, jvp=lambda t, v, u: [1.0, 2.0])
