"""Bounds scale with the noise: with noise 2^e ε the distance to the limit is 2^e times that with noise ε.

Squares and higher powers of numbers below 1e-162 are 0 in double precision, and those of numbers above 1e154 infinite.
A bound must be neither 0 nor smaller for that.
"""

import math

import numpy as np
import pytest

import contraction as ct
from contraction import families
from contraction.certificates.words import p_mean_factor
from contraction.families.noise import Noise
from contraction.maps.rounding import euclidean_norm, power_mean

H = np.diag([1.0, 2.0])
NOISES = {
    "uniform": lambda s: families.Uniform(-s, 2 * s),
    "two points": lambda s: families.TwoPoint(-s, 2 * s, 0.25),
    "Gaussian": lambda s: families.Gaussian(s, center=3 * s),
    "Laplace": lambda s: families.Laplace(scale=2 * s, center=s),
    "Student": lambda s: families.Student(df=4.5, scale=s, center=-s),
}
FAMILIES = {
    "quadratic": lambda noise: families.QuadraticSGD(0.25, noise),
    "quadratic in R^3": lambda noise: families.QuadraticSGD(0.25, noise, dim=3),
    "linearized": lambda noise: families.LinearizedSGD([0.0, 0.0], H, 0.25, noise),
    "heavy ball": lambda noise: families.HeavyBall(H, 0.25, 0.25, noise),
    "expanding on average": lambda noise: families.ExpandingOnAverage([0.5, 0.25], [0.5, 0.5], offset=noise),
    "least squares": lambda noise: families.LeastSquares(
        [[1.0, 0.0], [0.5, 1.0]], [0.0, 0.0], h=0.25, batch_size=1, label_noise=noise
    ),
}


@pytest.mark.parametrize("exponent", [-700, -540, 540, 700])
@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_displacement_scales_with_the_noise(family: str, noise: str, exponent: int) -> None:
    unit, scaled = (FAMILIES[family](NOISES[noise](scale)) for scale in (1.0, 2.0**exponent))
    for p in (0.5, 1.0, 2.0, 3.0, math.inf):
        D, far = (f.displacement_moment(np.zeros(f.dim), p).value for f in (unit, scaled))
        if math.isinf(D):
            assert math.isinf(far)
        elif exponent < 0 or p >= 2:
            assert far / 2.0**exponent == pytest.approx(D, rel=1e-12, abs=0)
        else:  # without a finite variance the bound of a vector's moment below 2 is the larger of two
            assert far / 2.0**exponent >= D * (1 - 1e-12)


@pytest.mark.parametrize("moment", [None, 1.0, 2.0, 3.0])
def test_certified_bounds_of_tiny_noise_scale_with_it(moment: float | None) -> None:
    unit, tiny = (
        ct.certify(families.QuadraticSGD(0.25, families.TwoPoint(-s, s)), [0.0], moment=moment) for s in (1, 2.0**-700)
    )
    assert tiny.D == unit.D * 2.0**-700
    assert tiny.bound(5) == unit.bound(5) * 2.0**-700 > 0


def test_mean_squares_of_tiny_noise_do_not_claim_a_displacement_of_zero() -> None:
    certificate = ct.certify(FAMILIES["heavy ball"](families.Gaussian(0, center=2.0**-700)), np.zeros(4), moment=2)
    assert certificate.statement == "mean-square contraction, exact moments"
    assert certificate.p == 2
    assert 0.25 * math.sqrt(2) * 2.0**-700 <= certificate.D


def test_mean_squares_that_overflow_are_left_to_first_powers() -> None:
    certificate = ct.certify(FAMILIES["quadratic"](families.Gaussian(0, center=2.0**700)), [0.0], moment=2)
    assert certificate.statement == "Theorem 2.2"
    assert pytest.approx(0.25 * 2.0**700, rel=1e-12) == certificate.D


class _Coin(Noise):
    """-1e-200 or 1e-200, whose second moment underflows; its variance is not stated."""

    mean, variance, interval = 0.0, math.inf, (-1e-200, 1e-200)

    def moment(self, p: float, about: float = 0.0) -> float:
        return (abs(-1e-200 - about) ** p + abs(1e-200 - about) ** p) / 2

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return rng.choice([-1e-200, 1e-200], shape)


def test_a_moment_of_ones_own_that_underflows_is_bounded_by_the_support() -> None:
    assert _Coin().moment(2) == 0.0
    assert _Coin().absolute_norm(2) == 1e-200
    assert _Coin().absolute_norm(1) == 1e-200
    assert ct.certify(families.QuadraticSGD(0.5, _Coin()), [0.0], moment=2).D >= 0.5e-200


class _Tail(_Coin):
    """The same numbers, whose support nobody states."""

    interval = (-math.inf, math.inf)


def test_without_a_support_it_counts_as_the_smallest_moment_that_is_certain() -> None:
    assert _Tail().absolute_norm(2) == 2.0**-500
    assert _Tail().absolute_norm(4) == 2.0**-250
    assert _Tail().absolute_norm(1) == 1e-200


def test_norms_and_power_means_by_hand() -> None:
    for scale in (2.0**-1000, 2.0**-600, 1.0, 2.0**600, 2.0**1000):
        assert euclidean_norm(scale * np.array([3.0, -4.0, 12.0])) == 13 * scale
        assert power_mean(scale * np.array([3.0, 4.0]), 2) == 5 * scale
        assert power_mean(scale * np.array([1.0, 8.0]), 1, [0.5, 0.25]) == 2.5 * scale
        assert power_mean(scale * np.array([1.0, 4.0]), 0.5) == 9 * scale
    assert power_mean([7.0, 2.0], 3, [0.0, 1.0]) == 2.0
    assert power_mean([math.inf, 2.0], 3, [0.0, 1.0]) == 2.0
    assert power_mean([math.inf, 2.0], 3) == math.inf
    assert power_mean([0.0, 0.0], 2) == 0.0
    assert power_mean([[3.0, 5.0], [4.0, 12.0]], 2).tolist() == [5.0, 13.0]


@pytest.mark.parametrize("p", [2.0, 60.0, 130.0, 1100.0, 5000.0])
@pytest.mark.parametrize("sd", [0.0, 1e-9, 1e-6, 1e-4, 1e-3, 0.01, 0.1])
def test_norms_of_high_moments_are_not_below_the_center(sd: float, p: float) -> None:
    """(E |ε|^p)^(1/p) >= |E ε|, here 0.5: powers of what is small beside that, or of a half itself, may be 0."""
    laws: list[Noise] = [families.Gaussian(sd, center=0.5), families.Uniform(0.5 - sd, 0.5 + sd)]
    laws += [families.Laplace(sd, center=0.5), families.Student(1e4, sd, center=0.5)] if sd else []
    for law in laws:
        assert law.absolute_norm(p) >= 0.5 * (1 - 1e-12), law
    assert families.TwoPoint(-0.5, 0.5).absolute_norm(p) == 0.5


@pytest.mark.parametrize("p", [60.0, 110.0, 130.0])
def test_norms_of_high_moments_against_exact_arithmetic(p: float) -> None:
    """Where a power of the standard deviation underflows, the norm of a Gaussian is that of the triangle inequality."""
    import mpmath

    with mpmath.workdps(60):
        for sd in 10.0 ** np.arange(-9, -0.5, 0.25):
            front = (sd * mpmath.sqrt(2)) ** p * mpmath.gamma((p + 1) / 2) / mpmath.sqrt(mpmath.pi)
            exact = (front * mpmath.hyp1f1(-p / 2, 0.5, -((0.5 / mpmath.mpf(sd)) ** 2) / 2)) ** (1 / mpmath.mpf(p))
            root = (mpmath.mpf(2) ** (p / 2) * mpmath.gamma((p + 1) / 2) / mpmath.sqrt(mpmath.pi)) ** (
                1 / mpmath.mpf(p)
            )
            norm = families.Gaussian(float(sd), center=0.5).absolute_norm(p)
            assert exact * (1 - 1e-12) <= norm
            assert math.isinf(norm) or norm <= (0.5 + sd * root) * (1 + 1e-12)


def test_the_spread_of_a_symmetric_law_does_not_underflow_beside_its_center() -> None:
    """Laplace's (E |ε − 0.9|^110)^(1/110) is (110!)^(1/110) times the scale."""
    spread = 1e-3 * math.exp(math.lgamma(111) / 110)
    assert families.Laplace(1e-3, center=0.9).absolute_norm(110) == pytest.approx(0.9 + spread, rel=1e-12)


def test_a_certificate_of_a_high_moment_is_a_bound() -> None:
    for noise in (families.TwoPoint(-1, 1), families.Uniform(-1, 1)):
        certificate = ct.certify(families.QuadraticSGD(0.5, noise), [0.0], moment=1100.0)
        assert pytest.approx(0.5, rel=1e-12) == certificate.D


def test_noise_further_from_the_start_than_the_largest_number_has_no_bound() -> None:
    laws = [families.Gaussian(1.0, center=1e308), families.Laplace(1.0, center=1e308)]
    laws += [families.Uniform(0.0, 1e308), families.TwoPoint(0.0, 1e308)]
    assert [law.absolute_norm(2, -1e308) for law in laws] == [math.inf] * 4


def test_a_moment_of_ones_own_that_is_no_number_bounds_nothing() -> None:
    class Unknown(_Tail):
        def moment(self, p: float, about: float = 0.0) -> float:
            return math.nan

    assert Unknown().absolute_norm(2) == math.inf


def test_norms_of_single_precision_and_integers_are_those_of_their_numbers() -> None:
    for size in (1e-30, 1e30):
        v = np.array([3 * size, 4 * size], dtype=np.float32)
        assert euclidean_norm(v) == pytest.approx(5 * size, rel=1e-6, abs=0)
    assert euclidean_norm(np.array([3 * 10**9, 4 * 10**9])) == 5e9


@pytest.mark.parametrize("p", [2.0, 1100.0, 3000.0])
def test_a_certificate_of_products_in_a_high_moment_is_a_bound(p: float) -> None:
    """All maps have one linear part A, so that its moments are powers of its norms, which underflow from some p on."""
    A = np.array([[0.5, 0.9], [0.0, 0.5]])
    family = families.FiniteFamily([(A, [1.0, 0.0]), (A, [-1.0, 0.0])])
    of_four = float(np.linalg.norm(np.linalg.matrix_power(A, 4), 2))
    certificate = ct.certify(family, [0.0, 0.0], moment=p, q=4)
    assert certificate.k ** (1 / p) >= of_four
    assert certificate.bound(8) >= of_four**2 * certificate.D
    for size, least in ((0.4, max(0.4**p, 2.0**-1000)), (0.0, 0.0)):
        factor = p_mean_factor(families.FiniteFamily([(size * np.eye(2), [0.0, 0.0])]), p)
        assert factor is not None
        assert least <= factor.value <= least * (1 + 1e-12)
