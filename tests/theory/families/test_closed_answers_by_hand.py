"""Answers of families in small numbers: laws that change, unbounded noise, losses without a second derivative."""

from __future__ import annotations

import math
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
from scipy import stats

from contraction import families as fam
from contraction.families.noise_search import search_noise
from contraction.maps.errors import DeclarationRefuted
from contraction.maps.intervals import Intervals

CHANGING = fam.MarkovModulated([[F(1, 2), F(1, 2)], [F(1, 4), F(3, 4)]], [F(1), F(0)])  # begins with letter 0


def test_maps_without_a_law_of_one_letter_are_listed_without_probabilities() -> None:
    family = fam.FiniteFamily([(0.5, 1.0), (-0.75, 3.0)], law=CHANGING)
    assert family.weights is None
    assert family.finite_support() == [(None, 0), (None, 1)]
    assert (family.contraction.value, family.displacement(np.zeros(1)).value) == (0.75, 3.0)  # type: ignore[union-attr]
    assert family.displacement_moment(np.zeros(1), 2.0) == family.displacement(np.zeros(1))
    assert (family.offset_mean, family.offset_covariance, family.second_moments()) == (None, None, None)
    weighted = fam.FiniteFamily([(0.5, 1.0), (-0.75, 3.0), (9.0, 9.0)], [F(1, 4), F(3, 4), F(0)])
    assert weighted.finite_support() == [(F(1, 4), 0), (F(3, 4), 1)]
    assert weighted.contraction.value == 0.75  # type: ignore[union-attr]
    assert weighted.displacement_moment(np.zeros(1), 2.0).value == pytest.approx(math.sqrt(7.0), rel=1e-14)
    assert weighted.offset_mean.tolist() == [2.5]  # type: ignore[union-attr]
    assert weighted.offset_covariance.tolist() == [[0.75]]  # type: ignore[union-attr]


def test_maps_given_as_functions_have_no_affine_answers() -> None:
    family = fam.FiniteFamily([np.sin, np.cos], dim=1)
    assert family.affine(0) is None
    assert (family.linear_part, family.affine_enclosures(), family.offset_mean, family.fixed_point) == (None,) * 4
    assert (family.contraction, family.lipschitz(0)) == (None, None)
    assert not family.is_constant
    stated = fam.FiniteFamily([np.sin, np.cos], lipschitz=[1.0, 0.5], dim=1)
    assert (stated.lipschitz(1), stated.lipschitz_origin, stated.contraction.value) == (0.5, "declared", 1.0)  # type: ignore[union-attr]
    single = fam.FiniteFamily([lambda x: x[::-1] / 2], dim=2, batched=False)  # written for one point
    assert single.apply(np.array([[1.0, 2.0], [3.0, 4.0]]), 0).tolist() == [[1.0, 0.5], [2.0, 1.5]]
    with pytest.raises(ValueError, match="are not known to be affine"):
        family.stacked_affine([0, 1])


def test_constant_maps_have_the_law_of_their_points_if_they_are_independent() -> None:
    points = [[0.0], [1.0]]
    assert fam.ConstantMaps(points, law=CHANGING).stationary_support is None
    for dependent in (fam.Cyclic(2), fam.Reshuffled(2), fam.ExchangeableMixture([[1, 0], [0, 1]])):
        assert fam.ConstantMaps(points, law=dependent).stationary_support is None
    listed = fam.ConstantMaps(points, [F(1, 4), F(3, 4)]).stationary_support
    assert listed is not None
    assert [(w, x.tolist()) for w, x in listed] == [(F(1, 4), [0.0]), (F(3, 4), [1.0])]


@pytest.mark.parametrize(("values", "width"), [((-1, 1), 2.0), ((0, 1), 1.0), ((2, 8), 6.0)])
def test_stationary_distributions_are_scaled_to_their_interval(values: tuple[int, int], width: float) -> None:
    uniform = fam.BernoulliConvolution(F(1, 2), values)
    low = float(values[0])
    x = low + width * np.array([-0.1, 0.0, 0.25, 0.5, 1.0, 1.1])
    np.testing.assert_allclose(uniform.stationary_cdf(x), [0, 0, 0.25, 0.5, 1, 1], atol=1e-15)
    cantor = fam.BernoulliConvolution(F(2, 3), values)
    x = low + width * np.array([-0.1, 0.15, 0.5, 0.85, 1.0, 1.1])  # within gaps of Cantor's set
    np.testing.assert_allclose(cantor.stationary_cdf(x), [0, 0.25, 0.5, 0.75, 1, 1], atol=1e-15)
    assert uniform.stationary == ("uniform", *values)
    assert cantor.stationary == ("cantor", *values)


def test_limit_laws_without_a_name() -> None:
    assert fam.BernoulliConvolution(F(1, 2), weights=[F(1, 4), F(3, 4)]).stationary is None
    assert fam.BernoulliConvolution(F(1, 2), (1, 1)).stationary is None
    assert fam.BernoulliConvolution(F(1, 4)).stationary is None
    with pytest.raises(ValueError, match="the limit law has no closed form"):
        fam.BernoulliConvolution(F(1, 4)).stationary_cdf(0.5)
    large = fam.BernoulliConvolution(F(2))
    assert "h = 2" in str(large.why_not_contracting(large.contraction))


def test_offsets_of_linearised_steps_by_hand() -> None:
    """b = h H θ* + h ε with H = diag(2, 1), h = 1/4, θ* = (1, -2) and noise of mean 3 and variance 1/3."""
    family = fam.LinearizedSGD([1.0, -2.0], np.diag([2.0, 1.0]), 0.25, fam.Uniform(2, 4))
    assert family.offset_mean.tolist() == pytest.approx([0.5 + 0.75, -0.5 + 0.75], rel=1e-14)
    np.testing.assert_allclose(family.offset_covariance, np.eye(2) / 48, rtol=1e-12)
    assert family.displacement(np.zeros(2)).value == pytest.approx(0.25 * math.hypot(4 + 2, 4 - 2), rel=1e-12)
    still = fam.LinearizedSGD([1.0, -2.0], np.diag([2.0, 1.0]), 0.0, fam.Uniform(2, 4))
    assert (still.displacement(np.zeros(2)).value, still.displacement_moment(np.zeros(2), 2.0).value) == (0.0, 0.0)


def test_unbounded_rewards_have_no_largest_displacement() -> None:
    wide = fam.BellmanOperators([[1.0, 0.0]], [[[1.0], [1.0]]], 0.5, fam.Gaussian())
    found = wide.displacement(np.zeros(1))
    assert (found.value, found.source) == (math.inf, "the reward noise is unbounded")
    assert math.isfinite(wide.displacement_moment(np.zeros(1), 2.0).value)
    bounded = fam.BellmanOperators([[1.0, 0.0]], [[[1.0], [1.0]]], 0.5, fam.Uniform(-0.25, 0.5))
    assert bounded.displacement(np.array([4.0])).value == pytest.approx(4 - (1 - 0.25 + 2), rel=1e-14)
    assert bounded.displacement(np.array([0.0])).value == pytest.approx(1.5, rel=1e-14)


@pytest.mark.parametrize("shape", ["linear", "sine"])
def test_derivatives_of_expanding_maps(shape: Any) -> None:
    family = fam.ExpandingOnAverage([1.5, 0.25], shape=shape)
    theta, V, draw = np.array([0.4]), np.array([[2.0], [-1.0]]), np.array([1.5, 0.125])
    slope = 1.5 * (1.0 if shape == "linear" else math.cos(0.4))
    assert family.jvp(theta, V, draw).tolist() == [[2 * slope], [-slope]]
    near = (family.apply(theta + 1e-6, draw) - family.apply(theta - 1e-6, draw)) / 2e-6
    assert near[0] == pytest.approx(slope, rel=1e-8)


def test_the_noise_whose_logarithm_has_no_mean() -> None:
    noise = fam.LogHeavy()
    assert noise.interval == (math.e, math.inf)
    assert noise.moment(0.01) == noise.moment(2.0, 5.0) == math.inf
    assert not noise.log_moment
    rng, again = np.random.default_rng(0), np.random.default_rng(0)
    np.testing.assert_allclose(np.log(noise.sample(rng, (20,))), noise.log_sample(again, (20,)), rtol=1e-12)


def test_vectors_of_normal_noise_by_hand() -> None:
    noise = fam.GaussianVector([[4.0, 1.0], [1.0, 2.0]])
    assert (noise.mean, noise.variance) == (0.0, 3.0)
    assert noise.mean_vector(2).tolist() == [0.0, 0.0]
    assert noise.norm_moment(np.array([1.0, 2.0]), 2.0) == pytest.approx(math.sqrt(4 + 2 + 1 + 4), rel=1e-12)
    assert noise.norm_moment(np.array([1.0, 2.0]), 1.0) == pytest.approx(math.sqrt(11), rel=1e-12)
    line = fam.GaussianVector([[4.0]])
    assert line.norm_moment(np.array([0.0]), 1.0) == pytest.approx(2 * math.sqrt(2 / math.pi), rel=1e-9)
    assert line.norm_moment(np.array([3.0]), 2.0) == pytest.approx(math.sqrt(4 + 9), rel=1e-9)
    assert fam.GaussianVector([[0.0]]).interval == (0.0, 0.0)
    assert noise.interval == (-math.inf, math.inf)
    with pytest.raises(ValueError, match="this noise has 2 coordinates, but 3 were requested"):
        noise.sample(np.random.default_rng(0), (5, 3))


@pytest.mark.parametrize("exact", [True, False])
def test_two_points_are_exact_if_all_three_numbers_are(exact: bool) -> None:
    for part in range(3):
        numbers: list[Any] = [F(-1, 3), 2, F(1, 4)]
        if not exact:
            numbers[part] = float(numbers[part])
        assert fam.TwoPoint(*numbers).exact is exact


class Absolute(fam.DataLoss):
    """|z - y| smoothed: a slope alone, and no second derivative."""

    low, high = 0.0, 1.0

    def value(self, z: Any, y: Any) -> Any:
        return np.sqrt(1 + (z - y) ** 2)

    def slope(self, z: Any, y: Any) -> Any:
        return (z - y) / np.sqrt(1 + (z - y) ** 2)


def test_a_loss_without_a_second_derivative_has_its_bounds_alone() -> None:
    loss = Absolute([[1.0, 2.0], [3.0, 4.0]], [0.0, 1.0], 0.5)
    z = np.array([0.0, 1.0])
    assert loss.bend(z, z) is None
    assert loss.hessian_product(np.zeros(2), np.ones((1, 2)), np.array([0])) is None
    low, high = loss.bend_range(z - 1, z + 1, z)
    assert (low.tolist(), high.tolist()) == ([0.0, 0.0], [1.0, 1.0])
    steps = fam.GradientSteps(loss, 0.1, 1)
    assert steps.affine(np.array([0])) is None
    with pytest.raises(ValueError, match="are not affine"):
        steps.stacked_affine([np.array([0])])


def test_batches_of_a_law_that_changes_have_no_probabilities() -> None:
    loss = fam.RidgeLoss([[1.0], [2.0]], [0.0, 1.0], 0.1)
    changing = fam.GradientSteps(loss, 0.1, law=CHANGING, batch_size=1)
    listed = changing.finite_support()
    assert listed is not None
    assert [w for w, _ in listed] == [None, None]
    given = fam.GradientSteps(loss, 0.1, batches=[[0, 0], [0, 1]], law=CHANGING)
    assert [(w, rows.tolist()) for w, rows in given.finite_support() or []] == [(None, [0, 0]), (None, [0, 1])]
    shuffled = fam.GradientSteps(loss, 0.1, 1, law=fam.Reshuffled)
    assert [w for w, _ in shuffled.finite_support() or []] == [F(1, 2), F(1, 2)]


def test_least_squares_that_cannot_be_interpolated_have_no_fixed_point() -> None:
    X, y = np.array([[1.0], [1.0]]), np.array([0.0, 1.0])
    assert fam.LeastSquares(X, y, 0.1).fixed_point is None
    assert fam.LeastSquares(X, np.array([2.0, 2.0]), 0.1).fixed_point.tolist() == pytest.approx([2.0])  # type: ignore[union-attr]
    assert fam.LeastSquares(X, np.array([2.0, 2.0]), 0.1, 1, fam.Uniform(-1, 1)).fixed_point is None
    assert fam.LeastSquares(X, y, 0.1, 1, fam.Student(1.5)).second_moments() is None
    assert fam.LeastSquares(X, y, 0.1, 1, fam.Student(2.5)).second_moments() is not None


def test_the_loss_of_one_row_of_many_classes() -> None:
    """log Σ e^z - z_y of θ x, three classes and two inputs, with a large z that must not overflow."""
    loss = fam.RidgeSoftmaxLoss([[1.0, 2.0], [0.5, -1.0]], [2, 0], 0.1)
    theta = np.array([0.1, 0.2, -0.3, 0.4, 0.5, -0.6])
    z = theta.reshape(3, 2) @ loss.X[1]
    expected = math.log(sum(math.exp(v) for v in z)) - z[0]
    assert float(loss.of_row(theta, loss.X[1], loss.targets[1])) == pytest.approx(expected, rel=1e-13)
    gradient = loss.gradient_enclosure(theta * 1e3, np.array([0, 1]))  # type: ignore[arg-type]
    assert isinstance(gradient, Intervals)
    assert np.all(np.isfinite(gradient.mid))
    assert np.all(gradient.contains(loss.gradient(theta * 1e3, np.array([0, 1]))))


def test_scipy_laws_without_a_mean_have_no_known_logarithm() -> None:
    assert fam.ScipyNoise(stats.norm(1.0, 2.0)).log_moment
    with pytest.raises(ValueError, match="it is not known whether E log⁺ is finite"):
        fam.ScipyNoise(stats.cauchy()).log_moment  # noqa: B018


class Stated(fam.Noise):
    """Uniform numbers of [low, high] whose mean and variance are multiplied by stated factors."""

    def __init__(self, low: float, high: float, mean: float = 1.0, variance: float = 1.0) -> None:
        self.ends, self.wrong = (low, high), (mean, variance)

    @property
    def interval(self) -> tuple[float, float]:
        return self.ends

    @property
    def mean(self) -> float:
        return self.wrong[0] * (self.ends[0] + self.ends[1]) / 2

    @property
    def variance(self) -> float:
        return self.wrong[1] * (self.ends[1] - self.ends[0]) ** 2 / 12

    def moment(self, p: float, about: float = 0.0) -> float:
        a, b = self.ends[0] - about, self.ends[1] - about
        power = lambda x: math.copysign(abs(x) ** (p + 1), x) / (p + 1)  # noqa: E731
        return (power(b) - power(a)) / (b - a)

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return rng.uniform(*self.ends, shape)


@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (-10.0, 0.5), (-0.5, 10.0), (3.0, 4.0), (-400.0, 1.0)])
def test_noise_of_ones_own_is_searched_wherever_its_interval_lies(low: float, high: float) -> None:
    search_noise(Stated(low, high))
    for wrong in ({"variance": 1.5}, {"variance": 0.5}):
        with pytest.raises(DeclarationRefuted, match=r"states the (mean|variance) "):
            search_noise(Stated(low, high, **wrong))
    if low + high != 0 and abs(low + high) > 2:
        with pytest.raises(DeclarationRefuted, match="states the mean "):
            search_noise(Stated(low, high, mean=0.5))


def test_noise_without_a_mean_or_a_variance_is_searched_without() -> None:
    class NoMean(Stated):
        @property
        def mean(self) -> float:
            raise ValueError("no mean")

    search_noise(NoMean(-1.0, 1.0))
    with pytest.raises(DeclarationRefuted, match="states the variance "):
        search_noise(NoMean(-1.0, 1.0, variance=0.5))

    class NoMoment(Stated):
        def moment(self, p: float, about: float = 0.0) -> float:
            raise ValueError("unknown")

    search_noise(NoMoment(-1.0, 1.0))

    class Backwards(Stated):
        @property
        def interval(self) -> tuple[float, float]:
            return 1.0, -1.0

    with pytest.raises(DeclarationRefuted, match="its ends must be low <= high"):
        search_noise(Backwards(-1.0, 1.0))

    class Narrow(Stated):
        @property
        def interval(self) -> tuple[float, float]:
            return -1.0, 0.9

    with pytest.raises(DeclarationRefuted, match=r"states that all numbers lie in \[-1\.0, 0\.9\], but 0\.9"):
        search_noise(Narrow(-1.0, 1.0))


def test_rewards_of_several_actions_push_by_the_norm_of_all_of_them() -> None:
    """One state and two actions at γ = 1/2: |T V - V| <= sup without noise + (S A E ε²)^(1/2) = 1 + √2."""
    family = fam.BellmanOperators([[1.0, 0.0]], [[[1.0], [1.0]]], 0.5, fam.Gaussian())
    assert family.displacement_moment(np.zeros(1), 2.0).value == pytest.approx(1 + math.sqrt(2), rel=1e-12)
    assert family.displacement_moment(np.zeros(1), 4.0).value == pytest.approx(1 + (2 * 3) ** 0.25, rel=1e-9)


@pytest.mark.parametrize(("theta", "kind"), [(np.array([F(2)]), "O"), (np.array([2]), "O"), (np.array([2.0]), "f")])
def test_constant_maps_give_exact_numbers_at_exact_points(theta: Any, kind: str) -> None:
    found = fam.ConstantMaps([[F(1, 3)], [F(1)]]).apply(theta, 0)
    assert found.dtype.kind == kind
    assert found.tolist() == [F(1, 3) if kind == "O" else 1 / 3]


@pytest.mark.parametrize("h", [0.0, 0.5, 1.0, 1.5])
def test_constant_noise_leaves_one_fixed_point_unless_nothing_moves(h: float) -> None:
    """(1 - h) x + 3 h = x for x = 3, and for every x if h = 0."""
    family = fam.QuadraticSGD(h, fam.TwoPoint(3, 3), 2)
    if h == 0:
        assert family.fixed_point is None
    else:
        assert family.fixed_point.tolist() == [3.0, 3.0]  # type: ignore[union-attr]
        assert family.apply(np.array([3.0, 3.0]), np.array([3.0, 3.0])).tolist() == [3.0, 3.0]
    assert fam.QuadraticSGD(0.5, fam.TwoPoint(2, 3), 2).fixed_point is None


def test_one_offset_for_all_coordinates_of_a_replica() -> None:
    """A function that draws many maps at once may give one number b for each replica."""
    family = fam.RandomAffine.from_law(
        lambda rng, size: (rng.uniform(0, 0.5, size), rng.uniform(0, 1, size)), 2, contraction=0.5
    )
    A, b = family.sample(1, 0, replicas=3).draws[0]
    assert A.shape == (3,)
    assert b.shape == (3, 2)
    assert np.array_equal(b[:, 0], b[:, 1])
    assert len(set(b[:, 0].tolist())) == 3
    each = fam.RandomAffine.from_law(
        lambda rng, size: (rng.uniform(0, 0.5, size), rng.uniform(0, 1, (size, 2))), 2, contraction=0.5
    )
    assert each.sample(1, 0, replicas=3).draws[0][1].shape == (3, 2)


def test_the_displacement_of_an_integral_is_that_of_its_worst_corner() -> None:
    """At f = 0 only the forcing b in [-2, 1] moves f, by a path of slope b: twice as far as with b in [-1, 1]."""
    grid = np.linspace(0.0, 1.0, 5)
    far = fam.PicardIteration(grid, 2.0, fam.Uniform(-1, 1), fam.Uniform(-2, 1)).displacement(np.zeros(5))
    near = fam.PicardIteration(grid, 2.0, fam.Uniform(-1, 1), fam.Uniform(-1, 1)).displacement(np.zeros(5))
    other = fam.PicardIteration(grid, 2.0, fam.Uniform(-1, 1), fam.Uniform(-1, 2)).displacement(np.zeros(5))
    assert far.value == pytest.approx(2 * near.value, rel=1e-12)
    assert far.value == pytest.approx(other.value, rel=1e-12)
    assert near.value > 0


@pytest.mark.parametrize("wrong", [None, "reach", "mean", "covariance", "moment"])
def test_noise_in_the_plane_is_searched_in_every_coordinate(wrong: str | None) -> None:
    """Uniform numbers of a square: some of them, not all, are further than 1 from its centre."""

    class Square(fam.Noise):
        dim = 2
        mean = variance = 0.0
        interval = (-math.inf, math.inf)

        def reach(self, center: Any) -> float:
            return 1.0 if wrong == "reach" else float(np.linalg.norm(np.abs(center) + 1))

        def mean_vector(self, d: int) -> np.ndarray:
            return np.array([0.0, 0.5 if wrong == "mean" else 0.0])

        def covariance(self, d: int) -> np.ndarray:
            return np.diag([1 / 3, 0.2 if wrong == "covariance" else 1 / 3])

        def norm_moment(self, center: Any, p: float) -> float:
            square = 2 / 3 + float(np.sum(np.square(center)))
            return math.sqrt(square) * (0.5 if wrong == "moment" else 1.0)

        def moment(self, p: float, about: float = 0.0) -> float:
            return math.inf

        def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
            return rng.uniform(-1, 1, shape)

    if wrong is None:
        search_noise(Square())
    else:
        said = {
            "reach": "no number is further than 1",
            "mean": r"states the mean 0\.5",
            "covariance": r"the variance 0\.2",
            "moment": "states E",
        }
        with pytest.raises(DeclarationRefuted, match=said[wrong]):
            search_noise(Square())


@pytest.mark.parametrize(("low", "high", "weight"), [(-10.0, 0.0, 0.9), (0.0, 10.0, 0.1), (-1.0, 1.0, 0.5)])
@pytest.mark.parametrize("wrong", [1.0, 0.5, 2.0])
def test_the_variance_of_a_skew_noise_is_bounded_by_its_farther_end(
    low: float, high: float, weight: float, wrong: float
) -> None:
    """Two values, of which the rarer one lies far from the mean."""

    class Skew(fam.Noise):
        interval = low, high
        mean = low + weight * (high - low)
        variance = wrong * weight * (1 - weight) * (high - low) ** 2

        def moment(self, p: float, about: float = 0.0) -> float:
            return (1 - weight) * abs(low - about) ** p + weight * abs(high - about) ** p

        def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
            return np.where(rng.random(shape) < weight, high, low)

    if wrong == 1:
        search_noise(Skew())
    else:
        with pytest.raises(DeclarationRefuted, match="the variance "):
            search_noise(Skew())


@pytest.mark.parametrize("p", [0.25, 0.5, 2 / 3])
def test_moments_of_cauchys_law_below_one(p: float) -> None:
    """E |X|^p = 1 / cos(π p / 2), and infinite from p = 1 on."""
    assert fam.Cauchy().moment(p) == pytest.approx(1 / math.cos(math.pi * p / 2), rel=1e-12)
    assert fam.Cauchy(3.0).moment(p) == pytest.approx(3**p / math.cos(math.pi * p / 2), rel=1e-12)
    assert fam.Cauchy().moment(1.0) == math.inf


@pytest.mark.parametrize(("df", "loc", "scale"), [(1.5, 0.0, 1.0), (1.25, 2.0, 3.0)])
def test_students_law_of_scipy_has_the_moments_of_ours(df: float, loc: float, scale: float) -> None:
    theirs, ours = fam.ScipyNoise(stats.t(df, loc, scale)), fam.Student(df, scale, center=loc)
    assert theirs.moment(1.0, 0.5) == pytest.approx(ours.moment(1.0, 0.5), rel=1e-6)
    assert theirs.moment(1.0, 0.5) >= ours.moment(1.0, 0.5)
    cauchy = fam.ScipyNoise(stats.cauchy(loc, scale))
    assert cauchy.moment(0.5, loc) == pytest.approx(fam.Cauchy(scale, center=loc).moment(0.5, loc), rel=1e-6)
    assert theirs.moment_origin(1.0) == "proved"


def test_prefixes_without_probability_are_not_listed() -> None:
    family = fam.PrefixMaps([(0,), (1, 2), (2,)], [F(1, 2), F(1, 2), F(0)], base=3)
    listed = family.support()
    assert [w for w, _ in listed] == [F(1, 2), F(1, 2)]
    word = np.array([5], dtype=object)
    assert [np.asarray(m(word)).tolist() for _, m in listed] == [family.apply(word, i).tolist() for i in (0, 1)]  # type: ignore[operator]
    assert family.contraction.value == 1 / 3


def test_prefixes_without_probability_change_no_constant() -> None:
    """The shorter prefix is never drawn: the factor is 1/9, and the word 0 0 … moves by the other prefix alone."""
    family = fam.PrefixMaps([(1, 2), (0,)], [F(1), F(0)], base=3)
    assert family.contraction.value == pytest.approx(1 / 9, rel=1e-15)
    alone = fam.PrefixMaps([(1, 2)], [F(1)], base=3)
    zero = np.array([0], dtype=object)
    assert family.displacement(zero).value == alone.displacement(zero).value > 0
    assert family.displacement_moment(zero, 2.0).value == alone.displacement_moment(zero, 2.0).value


@pytest.mark.parametrize(("least", "good"), [(0.0, True), (-1e-17, True), (-1e-10, False), (-1.0, False)])
def test_a_covariance_may_be_negative_by_roundings_of_its_largest_number(least: float, good: bool) -> None:
    if good:
        assert fam.GaussianVector(np.diag([1.0, least])).cov[1, 1] == least
    else:
        with pytest.raises(ValueError, match="cov must be positive semidefinite, its smallest eigenvalue is"):
            fam.GaussianVector(np.diag([1.0, least]))


@pytest.mark.parametrize("bad", [[1.0], [], 2.0, [[1.0], [2.0]]], ids=str)
@pytest.mark.parametrize("place", [0, 1])
def test_one_array_of_data_with_another_number_of_rows_is_refused(bad: Any, place: int) -> None:
    data: list[Any] = [[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]]
    data[place] = bad
    with pytest.raises(ValueError, match="data must be arrays with the same number of rows along the first axis"):
        fam.OwnLossSteps(lambda t, x, y: (t[0] * x - y) ** 2, data, 1, h=0.1, batches=[[0]])


@pytest.mark.parametrize(("possible", "moved"), [([0.5, 0.5, 0.0], 1.0), ([0.0, 0.5, 0.5], 9.0)])
def test_successors_that_are_never_drawn_move_no_value(possible: list[float], moved: float) -> None:
    """With discount 1/2 and no reward the value 2 goes to half of 2, 4 or 22: by 1, 0 or 9 if that is possible."""
    transitions = np.zeros((3, 1, 3))
    transitions[0, 0], transitions[1, 0, 1], transitions[2, 0, 2] = possible, 1.0, 1.0
    family = fam.BellmanOperators([[0.0], [2.0], [11.0]], transitions, 0.5)
    assert family.displacement(np.array([2.0, 4.0, 22.0])).value == moved


def test_batches_without_a_law_of_one_batch_are_listed_without_probabilities() -> None:
    loss = lambda theta, x: (theta[0] - x) ** 2  # noqa: E731
    family = fam.OwnLossSteps(loss, ([1.0, 3.0],), 1, h=0.1, batches=[[0], [1]], law=CHANGING)
    assert [(weight, rows.tolist()) for weight, rows in family.finite_support()] == [(None, [0]), (None, [1])]
