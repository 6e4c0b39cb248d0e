"""Answers of families in numbers that are worked out by hand or by enumeration, the limits of their ranges included."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

from contraction.families import (
    IID,
    Cauchy,
    Gaussian,
    GradientSteps,
    HeavyBall,
    Laplace,
    LeastSquares,
    Noise,
    Reshuffled,
    RidgeLogisticLoss,
    RidgeLoss,
    Student,
    TwoPoint,
    Uniform,
)
from contraction.families._letters import choose, cumulative_of, dtype_of, same
from contraction.families._reasons import why_not_curvature, why_not_hessian
from contraction.families.noise import _exponent
from contraction.families.own_noise import MANY, ROOM, ScipyNoise
from contraction.maps.constants import Constant
from contraction.maps.rounding import EPS, UNIT

K = Constant(1.25, "proved", "a formula")
X, Y = np.array([[1.0, 0.0], [3.0, 1.0], [0.5, -2.0]]), np.array([1.0, -1.0, 1.0])


@pytest.mark.parametrize(("h", "beta"), [(0.1, 0.9), (0.5, 0.25), (0.3, 0.0), (2.5, 0.5), (-0.2, 0.4)])
def test_the_spectral_radius_of_the_heavy_ball_is_that_of_its_matrix(h: float, beta: float) -> None:
    H = np.array([[2.0, 1.0], [1.0, 4.0]])
    family = HeavyBall(H, h, beta, Uniform(-1, 1))
    M = np.block([[(1 + beta) * np.eye(2) - h * H, -beta * np.eye(2)], [np.eye(2), np.zeros((2, 2))]])
    np.testing.assert_array_equal(family.linear_part, M)
    assert family.spectral_radius == pytest.approx(np.max(np.abs(np.linalg.eigvals(M))), rel=1e-7)
    assert family.contraction.value == pytest.approx(np.linalg.norm(M, 2), rel=1e-14)


def test_what_the_heavy_ball_moves_by_hand() -> None:
    """T z - z = (h ε - h H x + β (x - y), x - y): at (3, -1), (1, 2) with noise on [-1/4, 3/4]."""
    H, h, beta = np.diag([2.0, 4.0]), 0.1, 0.5
    noise = Uniform(-0.25, 0.75)
    family = HeavyBall(H, h, beta, noise)
    starts = np.array([[3.0, -1.0, 1.0, 2.0], [0.0, 0.0, 0.0, 0.0]])
    sup, square = [], []
    for x, y in ((s[:2], s[2:]) for s in starts):
        rest, r = -h * H @ x + beta * (x - y), np.linalg.norm(x - y)
        corners = [np.linalg.norm([*(h * np.array(e) + rest), r]) for e in itertools.product((-0.25, 0.75), repeat=2)]
        sup.append(max(corners))
        mean = h * 0.25 + rest
        square.append(math.sqrt(float(mean @ mean) + 2 * h**2 / 12 + r**2))
    for start, a, b in zip(starts, sup, square, strict=True):
        assert family.displacement(start).value == pytest.approx(a, rel=1e-12)
        assert family.displacement_moment(start, 2.0).value == pytest.approx(b, rel=1e-12)
        one = family.displacement_moment(start, 1.0).value
        assert one <= b * (1 + 1e-12)
    assert family.displacement(starts).value == pytest.approx(max(sup), rel=1e-12)
    assert family.displacement_moment(starts, 2.0).value == pytest.approx(max(square), rel=1e-12)
    assert family.offset_mean.tolist() == pytest.approx([0.025, 0.025, 0.0, 0.0])
    np.testing.assert_allclose(family.offset_covariance, np.diag([h**2 / 12] * 2 + [0.0, 0.0]), rtol=1e-12)
    still = HeavyBall(H, 0.0, beta, noise)
    assert still.displacement(starts[0]).value == pytest.approx(np.linalg.norm([1.0, -1.5, 2.0, -3.0]), rel=1e-14)
    assert still.displacement_moment(starts[0], 1.0).value == still.displacement(starts[0]).value
    wild = HeavyBall(H, h, beta, Gaussian(1.0))
    assert wild.displacement(starts[0]).value == math.inf
    assert math.isfinite(wild.displacement_moment(starts[0], 3.0).value)


@pytest.mark.parametrize("h", [0.0, 0.1, 0.4, 1.0])
def test_the_printed_constant_of_gradient_steps(h: float) -> None:
    """√(1 - 2 h m + h² M²) with m = 2 and M = 8."""
    family = GradientSteps(RidgeLoss(np.sqrt(2) * np.diag([1.0, np.sqrt(7.0)]), np.zeros(2), 1.0), h, 2)
    m, M = family.curvature
    assert (m, M) == pytest.approx((2.0, 8.0), rel=1e-12)
    assert family.printed_contraction.value == pytest.approx(math.sqrt(1 - 4 * h + 64 * h**2), rel=1e-12)
    assert family.contraction.value == pytest.approx(max(abs(1 - 2 * h), abs(1 - 8 * h)), rel=1e-12)
    with pytest.raises(ValueError, match="needs h >= 0"):
        _ = GradientSteps(RidgeLoss(X, Y), -0.1).printed_contraction


@pytest.mark.parametrize(
    ("h", "m", "M", "text"),
    [
        (0.1, 0.0, 2.0, "k ≥ 1: a loss is not strongly convex: m = 0, so"),
        (0.1, -1.0, 2.0, "k ≥ 1: a loss is not strongly convex: m = -1, so"),
        (0.1, 1.0, 2.0, "k ≥ 1: with h = 0.1, k = 1.25 (a formula)"),
        (1.0, 1.0, 2.0, "k ≥ 1: h = 1 is outside (0, 2/M) = (0, 1); k = 1.25 (a formula)"),
        (0.0, 1.0, 4.0, "k ≥ 1: h = 0 is outside (0, 2/M) = (0, 0.5); k = 1.25 (a formula)"),
        (-0.5, 1.0, 4.0, "k ≥ 1: h = -0.5 is outside (0, 2/M) = (0, 0.5); k = 1.25 (a formula)"),
    ],
)
def test_why_losses_of_a_curvature_do_not_contract(h: float, m: float, M: float, text: str) -> None:
    assert why_not_curvature(h, m, M, K).startswith(text)


@pytest.mark.parametrize(
    ("h", "eigenvalues", "text"),
    [
        (0.1, [8 * EPS, 1.0], "k ≥ 1: H is singular: λ_min = 1.78e-15, so"),
        (0.1, [-8 * EPS, 1.0], "k ≥ 1: H is singular: λ_min = -1.78e-15, so"),
        (0.1, [9 * EPS, 1.0], "k ≥ 1: with h = 0.1, k = 1.25 (a formula)"),
        (0.1, [-9 * EPS, 1.0], "k ≥ 1: H is indefinite: λ_min = -1.9984e-15, λ_max = 1, so"),
        (0.1, [-24 * EPS, 0.0, 1.0, 2.0], "k ≥ 1: H is singular"),
        (0.1, [-2.0, 1.0], "k ≥ 1: H is indefinite: λ_min = -2, λ_max = 1, so"),
        (0.1, [-2.0, 0.0], "k ≥ 1: H is negative definite: λ_max = 0, ‖I−hH‖ = 1.25"),
        (0.1, [-2.0, -1.0], "k ≥ 1: H is negative definite: λ_max = -1, ‖I−hH‖ = 1.25"),
        (0.0, [0.0, 0.0], "k ≥ 1: H is singular: λ_min = 0, so"),
        (0.1, [1.0, 4.0], "k ≥ 1: with h = 0.1, k = 1.25 (a formula)"),
        (0.5, [1.0, 4.0], "k ≥ 1: h = 0.5 is outside (0, 2/λ_max) = (0, 0.5); ‖I−hH‖ = 1.25"),
        (0.0, [1.0, 4.0], "k ≥ 1: h = 0 is outside (0, 2/λ_max) = (0, 0.5); ‖I−hH‖ = 1.25"),
    ],
)
def test_why_a_hessian_does_not_contract(h: float, eigenvalues: list[float], text: str) -> None:
    assert why_not_hessian(h, np.array(eigenvalues), K).startswith(text)


def test_letters_without_probability_are_never_drawn() -> None:
    for weights, expected in (
        ([F(1, 2), F(1, 2), F(0)], [0.5, math.inf, math.inf]),
        ([0.0, 1.0], [0.0, math.inf]),
        ([0.25, 0.0, 0.75, 0.0, 0.0], [0.25, 0.25, math.inf, math.inf, math.inf]),
        ([1.0], [math.inf]),
    ):
        total = cumulative_of(weights)
        assert total.tolist() == expected
        drawn = choose(total, np.array([0.0, 0.1, 0.25, 0.5, 0.75, 1 - UNIT]))
        assert all(weights[i] > 0 for i in drawn.tolist())
    assert choose(np.array([0.25, 0.5, math.inf]), np.array([0.0, 0.2, 0.25, 0.4, 0.5, 0.9])).tolist() == [
        0,
        0,
        1,
        1,
        2,
        2,
    ]
    assert (dtype_of(256), dtype_of(257)) == (np.uint8, np.int64)


@pytest.mark.parametrize("n", [0, 1, 5])
def test_probabilities_in_floats_are_equal_up_to_four_roundings_a_letter(n: int) -> None:
    """γ(4 n + 4) of the larger one: 2 n + 2 units of 2^-53 beside 1/2."""
    for units, equal in ((0, True), (2 * n + 2, True), (2 * n + 3, False)):
        other = 0.5 + units * 2.0**-53 if units % 2 == 0 else 0.5 - units * 2.0**-53
        assert same(0.5, other, n) is equal
        assert same(other, 0.5, n) is equal
    assert same(F(1, 3), F(1, 3), n)
    assert not same(F(1, 3), F(1, 3) + F(1, 10**30), n)
    assert same(F(1), 1, n)


@pytest.mark.parametrize("p", [1.0, 3.0])
def test_moments_of_what_gradient_steps_move_by_enumeration(p: float) -> None:
    """Of two starts the larger mean over the batches, by their probabilities."""
    law = IID([F(1, 2), F(1, 3), F(1, 6)])
    loss, h = RidgeLogisticLoss(X, Y, 0.5), -0.3
    starts = np.array([[0.5, -1.0], [2.0, 0.25]])
    for options, weights in (({"batches": [[0], [1], [2]], "law": law}, [1 / 2, 1 / 3, 1 / 6]), ({}, [1 / 3] * 3)):
        family = GradientSteps(loss, h, **options)  # type: ignore[arg-type]
        means = []
        for theta in starts:
            slopes = [0.5 * theta - y * x / (1 + math.exp(y * x @ theta)) for x, y in zip(X, Y, strict=True)]
            moves = [abs(h) * float(np.linalg.norm(g)) for g in slopes]
            means.append(sum(w * m**p for w, m in zip(weights, moves, strict=True)) ** (1 / p))
            assert family.displacement(theta).value == pytest.approx(max(moves), rel=1e-12)
            assert family.displacement_moment(theta, p).value == pytest.approx(means[-1], rel=1e-12)
        assert family.displacement_moment(starts, p).value == pytest.approx(max(means), rel=1e-12)


@pytest.mark.parametrize("replicas", [None, 5])
def test_label_noise_of_a_shuffled_epoch_is_drawn_for_every_row_of_every_map(replicas: int | None) -> None:
    family = LeastSquares(np.eye(4), np.zeros(4), 0.1, 2, label_noise=Uniform(-1, 1), law=Reshuffled)
    operators = family.sample(4, 3, replicas)
    draws = np.stack([np.asarray(draw) for draw in operators.draws])
    lead = () if replicas is None else (replicas,)
    assert draws.shape == (4, *lead, 2, 2)
    rows, noise = draws[..., 0, :], draws[..., 1, :]
    assert len(np.unique(noise)) == noise.size
    for epoch in (rows[:2], rows[2:]):
        for r in range(replicas or 1):
            one = epoch if replicas is None else epoch[:, r]
            assert sorted(one.ravel().tolist()) == [0, 1, 2, 3]
    np.testing.assert_array_equal(np.stack([np.asarray(d) for d in family.sample(2, 3, replicas).draws]), draws[:2])
    theta = np.ones((*lead, 4))
    image = operators.apply(1, theta)
    one = draws[0] if replicas is None else draws[0, 1]
    x = np.ones(4)
    for i, e in zip(one[0].astype(int).tolist(), one[1].tolist(), strict=True):
        x[i] += 0.1 / 2 * (0.0 + e - 1.0)
    np.testing.assert_allclose(image if replicas is None else image[1], x, rtol=1e-14)


def test_what_label_noise_moves_by_hand() -> None:
    """h |x_i| |residual - noise| for single rows; for batches the steps' own and the mean of the longest rows."""
    noise, h, theta = Uniform(-0.5, 1.0), 0.1, np.array([1.0, 2.0])
    residuals, lengths = X @ theta - Y, np.linalg.norm(X, axis=1)
    single = LeastSquares(X, Y, h, label_noise=noise)
    exact = h * max(x * max(abs(r - e) for e in (-0.5, 1.0)) for r, x in zip(residuals, lengths, strict=True))
    assert single.displacement(theta).value == pytest.approx(exact, rel=1e-12)
    p = 2.0
    means = [x**2 * ((0.25 - r) ** 2 + 1.5**2 / 12) for r, x in zip(residuals, lengths, strict=True)]
    assert single.displacement_moment(theta, p).value == pytest.approx(h * math.sqrt(np.mean(means)), rel=1e-12)
    pairs = LeastSquares(X, Y, h, 2, label_noise=noise)
    longest = float(np.mean(np.sort(lengths)[1:]))
    steps = h * max(np.linalg.norm(residuals[list(b)] @ X[list(b)] / 2) for b in itertools.combinations(range(3), 2))
    assert pairs.displacement(theta).value == pytest.approx(steps + h * longest * 1.0, rel=1e-12)
    for q in (0.5, 1.0, 2.0):
        own = pairs.steps.displacement_moment(theta, max(q, 1.0)).value
        push = h * longest * noise.absolute_norm(max(q, 1.0))
        assert pairs.displacement_moment(theta, q).value == pytest.approx(own + push, rel=1e-12)


DENSITIES: dict[str, tuple[Noise, Callable[[float], float], tuple[float, float]]] = {
    "uniform": (Uniform(-0.5, 2.0), lambda x: 0.4, (-0.5, 2.0)),
    "gaussian": (
        Gaussian(2.0, center=0.5),
        lambda x: math.exp(-((x - 0.5) ** 2) / 8) / math.sqrt(8 * math.pi),
        (-40.0, 41.0),
    ),
    "laplace": (Laplace(2.0, center=0.5), lambda x: math.exp(-abs(x - 0.5) / 2) / 4, (-120.0, 121.0)),
}


@pytest.mark.parametrize("p", [0.5, 1.0, 2.0, 3.0])
@pytest.mark.parametrize("about", [0.5, 0.0, -3.0])
@pytest.mark.parametrize("name", DENSITIES)
def test_moments_of_noise_by_quadrature(name: str, about: float, p: float) -> None:
    """Exact for uniform and normal laws, and for the others about their center or for p = 2; else a bound."""
    noise, density, (low, high) = DENSITIES[name]
    points = [x for x in (about, 0.5) if low < x < high]
    exact = integrate.quad(lambda x: abs(x - about) ** p * density(x), low, high, points=points, limit=400)[0]
    found = noise.moment(p, about)
    if name in ("uniform", "gaussian") or about == 0.5 or p == 2:
        assert found == pytest.approx(exact, rel=1e-6)
    else:
        assert exact <= found * (1 + 1e-9)
        triangle = (noise.moment(p, 0.5) ** (1 / p) + abs(0.5 - about)) ** p
        assert found <= (triangle if p >= 1 else noise.moment(p, 0.5) + abs(0.5 - about) ** p) * (1 + 1e-12)
    assert noise.absolute_norm(p, about) == pytest.approx(found ** (1 / p), rel=1e-9)


@pytest.mark.parametrize("p", [0.5, 1.0, 3.0, 8.5])
def test_moments_of_students_law_about_its_center(p: float) -> None:
    """scale^p df^(p/2) Γ((p + 1)/2) Γ((df - p)/2) / (√π Γ(df/2)), and none from df on."""
    gamma = math.gamma
    exact = 2**p * 9 ** (p / 2) * gamma((p + 1) / 2) * gamma((9 - p) / 2) / (math.sqrt(math.pi) * gamma(4.5))
    found = Student(9.0, 2.0, center=0.5).moment(p, 0.5)
    assert exact * (1 - 1e-14) <= found <= exact * (1 + 1e-12)
    assert Student(9.0).moment(9.0) == math.inf
    assert (Student(2.0).variance, Student(4.0, 3.0).variance) == (math.inf, 18.0)
    with pytest.raises(ValueError, match="has no mean: it needs df > 1"):
        _ = Student(1.0).mean
    assert Student(1.5, center=2.0).mean == 2.0
    with pytest.raises(ValueError, match="order of a moment must be positive"):
        Student(9.0).moment(0.0)


@pytest.mark.parametrize("power", [-600, -40, 40, 600])
def test_norms_of_noise_scale_exactly_with_powers_of_two(power: int) -> None:
    s = 2.0**power
    for plain, scaled in (
        (Uniform(-0.5, 2.0), Uniform(-0.5 * s, 2.0 * s)),
        (Gaussian(2.0, center=0.5), Gaussian(2.0 * s, center=0.5 * s)),
        (TwoPoint(-0.5, 2.0, F(1, 4)), TwoPoint(-0.5 * s, 2.0 * s, F(1, 4))),
        (Laplace(2.0, center=0.5), Laplace(2.0 * s, center=0.5 * s)),
        (Student(9.0, 2.0, center=0.5), Student(9.0, 2.0 * s, center=0.5 * s)),
        (Cauchy(2.0, center=0.5), Cauchy(2.0 * s, center=0.5 * s)),
    ):
        for p, about in ((0.5, 0.25), (1.0, 0.25), (2.0, 3.0), (5.0, -1.0)):
            assert scaled.absolute_norm(p, about * s) == plain.absolute_norm(p, about) * s


@pytest.mark.parametrize(("numbers", "e"), [([1.0], 1), ([0.5], 0), ([0.75, -3.0], 2), ([-4.0], 3), ([3.99, 0.0], 2)])
def test_exponents_of_the_largest_number(numbers: list[float], e: int) -> None:
    assert _exponent(*numbers) == e
    assert 2.0 ** (e - 1) <= max(map(abs, numbers)) < 2.0**e


@pytest.mark.parametrize(
    "law",
    [stats.norm([0.0, 1.0], 2.0), stats.norm(0.0, [1.0, 2.0]), stats.norm(loc=[0.0, 1.0]), stats.t([3.0, 4.0])],
    ids=["loc", "scale", "by name", "shape"],
)
def test_laws_of_scipy_have_numbers_as_parameters(law: Any) -> None:
    with pytest.raises(TypeError, match="must be numbers: every coordinate has the same law"):
        ScipyNoise(law)


def test_moments_of_laws_of_scipy_by_hand() -> None:
    """Up to p = 2 from mean and variance; above, from the next even moment, or the farthest number."""
    normal = ScipyNoise(stats.norm(1.0, 2.0))
    for p in (0.5, 1.0, 2.0):
        assert normal.moment(p, -1.0) == pytest.approx((4 + 4) ** (p / 2), rel=1e-6)
        assert normal.moment(p, -1.0) >= (4 + 4) ** (p / 2)
        assert normal.bounding_exponent(p) == 2.0
    fourth = 3 * 16 + 6 * 4 * 4 + 16  # E (2 + 2 Z)^4
    for p in (2.5, 3.0, 4.0):
        assert normal.bounding_exponent(p) == 4.0
        assert fourth ** (p / 4) <= normal.moment(p, -1.0) <= fourth ** (p / 4) * (1 + 1e-6)
    assert 3 * 16 <= normal.moment(4.0, 1.0) <= 3 * 16 * (1 + 1e-6)
    far = ScipyNoise(stats.beta(0.001, 0.001))  # nearly all at 0 and 1
    assert far.moment(3.0, -1.0) <= ROOM * 8
    flat = ScipyNoise(stats.uniform(0.0, 2.0))
    assert (16 / 5) ** 0.75 <= flat.moment(3.0) <= (16 / 5) ** 0.75 * (1 + 1e-6)
    p = MANY + 2.0
    assert 2**p / (p + 1) <= flat.moment(p) <= ROOM * 2**p
    cauchy = ScipyNoise(stats.cauchy(1.0, 2.0))
    assert cauchy.moment(0.5, 1.0) == pytest.approx(math.sqrt(2) / math.cos(math.pi / 4), rel=1e-6)
    assert cauchy.moment(1.0) == math.inf
    assert cauchy.bounding_exponent(0.5) == 0.5
    assert (cauchy.moment_origin(0.5), normal.moment_origin(0.5)) == ("proved", "proved")
