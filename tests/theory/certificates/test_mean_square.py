"""Contraction in mean square: the bounds against distances that are measured, exact ones, and refuted neighbours."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import contraction as ct
from contraction.certificates.blocks import after_blocks
from contraction.certificates.mean_square import mean_square_norm
from contraction.families import (
    AffineLaw,
    FiniteFamily,
    FunctionNoise,
    Gaussian,
    GradientSteps,
    LeastSquares,
    QuadraticSGD,
    RandomAffine,
    Reshuffled,
    RidgeLogisticLoss,
    RidgeLoss,
    SoftplusLoss,
    Uniform,
)
from contraction.maps.second_moments import SecondMoments

RNG = np.random.default_rng(0)
X = RNG.standard_normal((20, 3))
Y = X @ np.array([1.0, -1.0, 2.0])
AT = [0, 20, 50, 100, 200]


def least_squares(batch_size=1):
    return LeastSquares(X, Y, 0.05, batch_size, Gaussian(0.5))


def measured(family, theta0, at, far, replicas, seed=3):
    """Root mean squares of d(theta_n, theta_far) over replicas, and lower confidence limits (99.9 %, by CLT)."""
    rows = ct.backward_iterates(family.sample(far, seed, replicas=replicas), theta0, at=[*at, far])
    squares = np.sum((rows[:, :-1] - rows[:, -1:]) ** 2, axis=-1)
    mean, error = squares.mean(axis=0), squares.std(axis=0, ddof=1) / math.sqrt(replicas)
    return np.sqrt(mean), np.sqrt(np.maximum(mean - stats.norm.isf(1e-3) * error, 0))


def test_least_squares_with_label_noise_is_bounded_by_what_is_measured():
    """n = 20 rows, d = 3: E ‖A‖² > 1 refused it; now within 3 times the distance over 10^4 replicates, not below it."""
    family = least_squares()
    assert ct.average_contraction(family, np.zeros(3)).exponent > -0.1  # each map alone hardly contracts
    certificate = ct.certify(family, np.zeros(3), moment=2)
    bound = certificate.bound(np.array(AT))
    seen, low = measured(family, np.zeros(3), AT, 500, 10_000)
    assert np.all(low <= bound)
    assert np.all(bound <= 3 * seen)
    assert np.all(bound <= 1.1 * seen)  # it is the exact value
    assert certificate.steps(1e-3) < 400  # a bound from words of length 4 asks for 2068


@pytest.mark.control
def test_a_rate_from_the_mean_map_alone_is_no_bound():
    """Factors 0 and .8: |E A| = .4 is smaller than the rate in mean square, .57, and its bound is violated."""
    family = RandomAffine([0.0, 0.8], [[1.0], [-1.0]])
    certificate = ct.certify(family, 0.0, moment=2)
    _, low = measured(family, [0.0], [8], 120, 20_000)
    assert certificate.D * 0.4**8 / 0.6 < low[0] <= certificate.bound(8)


@given(seed=st.integers(0, 10**6), maps=st.integers(1, 4), dim=st.integers(1, 3))
def test_the_exact_bound_is_the_closed_form_from_above(seed, maps, dim):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(maps, dim, dim))
    moments = SecondMoments.from_maps(A, np.zeros((maps, dim)), np.full(maps, 1 / maps))
    A *= 0.95 / math.sqrt(moments.radius)
    family = RandomAffine(A, rng.normal(size=(maps, dim)))
    start = rng.normal(size=dim)
    certificate = ct.certify(family, start, moment=2)
    closed = ct.laws.affine_moments(family, start)
    if certificate.statement != "mean-square contraction, exact moments":
        assert certificate.k <= 0.95 * (1 + 1e-6)
        return
    for n in (0, 1, 7, 60):
        exact = math.sqrt(closed.limit_distance(n))
        assert exact * (1 - 1e-9) <= certificate.bound(n)
    other = start + rng.normal(size=dim)
    from_other = ct.certify(family, start, start=other, moment=2)
    assert from_other.bound(5) == pytest.approx(ct.certify(family, other, moment=2).bound(5), rel=1e-9)


@pytest.mark.parametrize("size", [1, 2, 3, 20])
def test_moments_of_batches_are_those_of_all_batches(size):
    rows = X[:6] if size < 20 else X
    y = Y[: len(rows)]
    size = min(size, len(rows))
    closed = GradientSteps(RidgeLoss(rows, y, 0.1), 0.2, size)
    listed = GradientSteps(RidgeLoss(rows, y, 0.1), 0.2, batches=closed.batches)
    for name in ("EA", "Eb", "EAA", "EAb", "EbA", "Ebb"):
        assert getattr(closed.second_moments(), name) == pytest.approx(
            getattr(listed.second_moments(), name), abs=1e-13
        )
    assert closed.mean_square_factor.value == pytest.approx(listed.mean_square_factor.value, rel=1e-12)
    noisy = LeastSquares(rows, y, 0.2, size, Uniform(-1, 2))
    draws = np.stack([noisy.sample(4000, s).draws[i] for s in range(1) for i in range(4000)])
    maps = noisy.affine(draws)
    for exact, values in (
        (noisy.second_moments().Eb, maps.b),
        (noisy.second_moments().Ebb, np.einsum("ki,kj->kij", maps.b, maps.b).reshape(len(maps.b), -1)),
        (noisy.second_moments().EAb, np.einsum("kij,kl->kilj", maps.A, maps.b).reshape(len(maps.b), -1, 3)),
    ):
        error = values.std(axis=0) / math.sqrt(len(values))
        assert np.all(np.abs(values.mean(axis=0) - exact) <= 6 * error + 1e-12)


def test_exact_moments_of_ridge_and_least_squares():
    """The stationary covariance against the mean of 10^4 far iterates."""
    for family in (least_squares(2), GradientSteps(RidgeLoss(X, Y + 1, 0.3), 0.1, 2)):
        closed = ct.laws.affine_moments(family, np.zeros(3))
        ends = ct.backward_iterates(family.sample(250, 1, replicas=4000), np.zeros(3), at=[250])[:, 0]
        spread = np.cov(ends.T)
        size = np.trace(closed.stationary_covariance)
        assert np.max(np.abs(spread - closed.stationary_covariance)) <= 0.15 * size
        assert np.linalg.norm(ends.mean(axis=0) - closed.stationary_mean) <= 6 * math.sqrt(size / 4000)


@pytest.mark.parametrize("loss", [SoftplusLoss(X, Y, 0.2), RidgeLogisticLoss(X, np.sign(Y), 0.2)])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_co_coercivity_holds_for_drawn_pairs(loss, batch_size):
    """E |Tx - Ty|² over all batches against rho² |x - y|²: the exact mean where the batches are listed."""
    M = GradientSteps(loss, 0.1, batch_size).curvature[1]
    for h in (0.1, 1.0 / M, 1.9 / M):
        family = GradientSteps(loss, h, batch_size)
        if family.batches is None:
            family = GradientSteps(loss, h, batches=RNG.integers(20, size=(30, batch_size)))
        rho = family.mean_square_factor.value
        x, y = RNG.normal(size=(2, 50, 3)) * 3
        images = [np.stack([family.apply(z, rows) for rows in family.batches]) for z in (x, y)]
        squares = np.sum((images[0] - images[1]) ** 2, axis=-1).mean(axis=0) / np.sum((x - y) ** 2, axis=-1)
        assert np.all(squares <= rho**2 * (1 + 1e-12))
    assert GradientSteps(loss, 2.1 / M, batch_size).mean_square_factor is None


def test_the_mean_loss_contracts_where_its_batches_do_not():
    family = GradientSteps(RidgeLoss(X, Y), 0.1)  # single rows in three dimensions: every map has norm 1
    assert family.contraction.value >= 1
    assert family.mean_square_factor.value < 1
    with pytest.raises(ct.NotCertified):
        ct.certify(family, np.zeros(3))
    assert ct.certify(family, np.zeros(3), moment=2).bound(500) < 1e-3


def test_a_norm_for_contraction_in_mean_square():
    A = np.array([[0.5, 10.0], [0.0, 0.5]])
    assert np.linalg.eigvalsh(A.T @ A)[-1] > 1
    space, factor = mean_square_norm([A], [1.0], slack=0.1)
    assert 0.25 < factor <= 0.25 + 0.1 * 0.75 + 1e-9  # r = 1/4 is not attained: A is defective
    assert space.operator_norm(A) ** 2 <= factor
    matrices, weights = RNG.normal(size=(3, 2, 2)) * 0.6, [0.2, 0.3, 0.5]
    space, factor = mean_square_norm(matrices, weights)
    r = SecondMoments.from_maps(matrices, np.zeros((3, 2)), weights).radius
    assert r <= factor <= r + 0.01 * (1 - r) + 1e-9
    with pytest.raises(ct.NotCertified, match="no norm contracts in mean square"):
        mean_square_norm([2 * np.eye(2)], [1.0])


@pytest.mark.control
def test_exchangeable_maps_get_no_bound_in_mean_square():
    """One draw for ever from {0, 1.2 x + 1} has rho² = .72, and E d² grows: independence is a hypothesis."""
    for law in (ct.families.ExchangeableMixture([[1, 0], [0, 1]]), Reshuffled(2)):
        family = FiniteFamily([(0.0, 0.0), (1.2, 1.0)], law=law)
        with pytest.raises(ct.NotCertified):
            ct.certify(family, 0.0, moment=2)
    independent = FiniteFamily([(0.0, 0.0), (1.2, 1.0)])
    assert ct.certify(independent, 0.0, moment=2).k == pytest.approx(math.sqrt(0.72))


@given(q=st.integers(1, 5), kappa=st.floats(0, 0.9), n=st.integers(0, 30), seed=st.integers(0, 1000))
def test_bounds_from_blocks_are_sums_over_all_later_words(q, kappa, n, seed):
    """D Σ_(m ≥ n) kappa^⌊m/q⌋ L_(m mod q), summed until its terms vanish."""
    L = [1.0, *np.random.default_rng(seed).uniform(0.1, 5, q - 1)]
    terms = [2.0 * kappa ** (m // q) * L[m % q] for m in range(n, n + 400 * q)]
    plain = math.fsum(terms) + 3.0 * kappa ** (n // q) * L[n % q]
    bound = float(after_blocks(L, kappa, 2.0, n, 3.0))
    assert plain * (1 - 1e-14) <= bound <= plain * (1 + 1e-12) + 1e-300


# --- declared by the user -----------------------------------------------------------------------------------------


def ula(h, d, moment):
    """Unadjusted Langevin for U = |x|²/2 + sum log cosh x: strongly convex with m = 1, M = 2."""
    return ct.RandomOperator(
        lambda rng, size: rng.standard_normal((size, d)),
        lambda x, z: x - h * (x + np.tanh(x)) + math.sqrt(2 * h) * z,
        vectorized=True,
        contraction=1 - h,
        known=ct.Known(displacement_moment=moment),
    )


def test_ula_arch_and_ar1_without_a_subclass():
    h, d = 0.1, 2
    exact = lambda p, x: math.sqrt(h**2 * float(np.sum((x + np.tanh(x)) ** 2)) + 2 * h * d)  # noqa: E731
    certificate = ct.certify(ula(h, d, exact), np.ones(d), moment=2)
    _, low = measured(ula(h, d, exact), np.ones(d), [0, 10, 50], 300, 2000)
    assert np.all(low <= certificate.bound(np.array([0, 10, 50])))
    # ARCH: x ↦ (a + b x²)^(1/2) z, with |Tx - Ty| <= b^(1/2) |z| |x - y|, standard normal z
    arch = ct.RandomOperator(
        lambda rng, size: rng.standard_normal(size),
        lambda x, z: np.sqrt(1 + 0.5 * x**2) * z[..., None],
        vectorized=True,
        known=ct.Known(mean_square=math.sqrt(0.5), displacement_moment=lambda p, x: 1.0),
    )
    certificate = ct.certify(arch, 0.0, moment=2)
    assert (certificate.statement, certificate.origin) == ("mean-square contraction", "declared")
    _, low = measured(arch, np.zeros(1), [0, 5, 20], 100, 2000)
    assert np.all(low <= certificate.bound(np.array([0, 5, 20])))
    by_moment = ct.RandomOperator(
        lambda rng, size: rng.standard_normal(size),
        lambda x, z: np.sqrt(1 + 0.5 * x**2) * z[..., None],
        vectorized=True,
        known=ct.Known(
            lipschitz_moment=lambda p: 0.5 ** (p / 2) * Gaussian().moment(p), displacement_moment=lambda p, x: 1.0
        ),
    )
    assert ct.certify(by_moment, 0.0, moment=2).bound(5) == pytest.approx(certificate.bound(5), rel=1e-6)
    found = ct.backward_limit(by_moment, 0.0, 1e-3, moment=1.0, certificate=certificate)
    assert found.certified
    assert found.error <= 1e-3


@pytest.mark.control
@pytest.mark.parametrize(
    ("known", "what"),
    [
        ({"mean_square": 0.6}, "mean_square = 0.6"),
        ({"mean_square": 0.72, "displacement_moment": lambda p, x: 0.7}, "displacement_moment"),
    ],
)
def test_declared_moments_that_draws_contradict_are_refused(known, what):
    arch = ct.RandomOperator(
        lambda rng, size: rng.standard_normal(size),
        lambda x, z: np.sqrt(1 + 0.5 * x**2) * z[..., None],
        vectorized=True,
        known=ct.Known(**({"displacement_moment": lambda p, x: 1.0} | known)),
    )
    with pytest.raises(ct.DeclarationRefuted, match=what):
        ct.certify(arch, 0.0, moment=2)


def test_kesten_from_its_second_moments():
    square, zero = np.array([[0.75]]), np.zeros((1, 1))
    moments = SecondMoments(square, np.zeros(1), square, zero, zero, np.ones(1))
    kesten = AffineLaw(lambda rng: (rng.uniform(0, 1.5), rng.standard_normal(1)), 1, moments=moments)
    certificate = ct.certify(kesten, 0.0, moment=2)
    assert certificate.bound(10) == pytest.approx(math.sqrt(0.75**10 / 0.25), rel=1e-9)


def test_bad_declarations():
    draw, apply = (lambda rng: 0.0), (lambda x, u: x / 2)
    for bad, rule in (
        ({"mean_square": -1.0}, "finite number >= 0"),
        ({"mean_square": float("nan")}, "finite number >= 0"),
        ({"lipschitz_moment": 0.5}, "must be a function"),
        ({"domain": "box"}, "a domain is Box"),
    ):
        with pytest.raises((ValueError, TypeError), match=rule):
            ct.Known(**bad)
    with pytest.raises(TypeError, match="known must be a Known"):
        ct.RandomOperator(draw, apply, known={"mean_square": 0.5})


# --- noise from outside -------------------------------------------------------------------------------------------


def test_frozen_laws_of_scipy_and_functions_are_noise():
    for law, own in ((stats.norm(1, 2), Gaussian(2, center=1)), (stats.uniform(-1, 3), Uniform(-1, 2))):
        a, b = QuadraticSGD(0.2, law), QuadraticSGD(0.2, own)
        assert ct.certify(a, 0.5, moment=2).bound(7) == pytest.approx(ct.certify(b, 0.5, moment=2).bound(7), rel=1e-7)
        assert a.noise.moment(4, 0.3) == pytest.approx(own.moment(4, 0.3), rel=1e-6)
        assert a.noise.moment(3, 0.3) >= own.moment(3, 0.3)
        assert a.noise.moment(1, 0.3) >= own.moment(1, 0.3)
    assert math.isinf(QuadraticSGD(0.2, stats.t(3)).noise.moment(4))
    with pytest.raises(ct.NotCertified, match="infinite"):
        ct.certify(QuadraticSGD(0.2, stats.cauchy()), 0.0, moment=2)
    draws = np.array([QuadraticSGD(0.2, stats.t(5)).sample(400, 1).draws[i][0] for i in range(400)])
    assert stats.kstest(draws, stats.t(5).cdf).pvalue > 1e-6
    coin = FunctionNoise(lambda rng, size: rng.choice([-1.0, 1.0], size), mean=0.0, variance=1.0, interval=(-1, 1))
    assert pytest.approx(0.2) == ct.certify(QuadraticSGD(0.2, coin), 0.0).D
    assert ct.backward_iterates(
        QuadraticSGD(0.2, lambda rng, size: rng.gamma(2.0, size=size)).sample(5), 0.0
    ).shape == (6, 1)
    assert LeastSquares(X, Y, 0.05, label_noise=stats.t(3)).second_moments() is not None
    for bad in ("norm", stats.norm, 3.0):
        with pytest.raises(TypeError, match="noise must be a Noise, a frozen law"):
            QuadraticSGD(0.2, bad)
