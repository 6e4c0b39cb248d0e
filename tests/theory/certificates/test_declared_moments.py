"""Declared moments, domains and displacements that are wrong: refused by name; right ones pass."""

from __future__ import annotations

import numpy as np
import pytest

import contraction as ct
from contraction import Known, RandomOperator, certify, families


def ar1(**known: object) -> RandomOperator:
    """x -> 0.9 x + e with a standard normal e: E K^2 = .81, E d(0, T0)^2 = 1."""
    return RandomOperator(lambda rng: rng.normal(), lambda x, e: 0.9 * x + e, known=Known(**known))


def scaled(moment: float) -> RandomOperator:
    """x -> u x + 1 with u = .2 or 1.1: E u^2 = .625."""
    return RandomOperator(
        lambda rng: rng.choice([0.2, 1.1]),
        lambda x, u: u * x + 1,
        known=Known(lipschitz_moment=lambda p: moment, displacement_moment=lambda p, x: 1.0),
    )


def unit(p: float, theta0: np.ndarray) -> float:
    """Return the second moment of a standard normal displacement, as theta0 is an array: of shape (1,)."""
    return np.ones(1)  # pyright: ignore[reportReturnType]


def test_right_declarations_pass_and_bound_the_distance() -> None:
    found = certify(ar1(lipschitz_moment=lambda p: 0.9**p, displacement_moment=unit), 0.0, moment=2)
    assert found.certified
    assert found.p == 2
    assert 0.9 <= found.k < 0.9 + 1e-9
    assert certify(scaled(0.625), 0.0, moment=2).certified


@pytest.mark.control
@pytest.mark.parametrize(
    ("family", "named"),
    [
        (ar1(lipschitz_moment=lambda p: 0.01, displacement_moment=unit), r"lipschitz_moment\(2\) = 0.01"),
        (scaled(1e-12), r"lipschitz_moment\(2\)"),
        (scaled(0.425**2), r"lipschitz_moment\(2\)"),
        (
            ar1(lipschitz_moment=lambda p: 0.9**p, displacement_moment=lambda p, x: 0.8),
            r"displacement_moment\(2, theta0\)",
        ),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_declared_moments_that_are_too_small_are_refuted(family: RandomOperator, named: str, seed: int) -> None:
    with pytest.raises(ct.DeclarationRefuted, match=named):
        certify(family, 0.0, moment=2, seed=seed)


@pytest.mark.control
def test_constants_of_single_maps_refute_a_moment() -> None:
    """lipschitz(draw) = u of mean square .625, and .5 declared: seen in the constants, where no pair need be steep."""
    family = RandomOperator(
        lambda rng: rng.choice([0.2, 1.1]),
        lambda x, u: 0.1 * u * x + 1,
        lipschitz=lambda u: u,
        known=Known(lipschitz_moment=lambda p: 0.5, displacement_moment=lambda p, x: 1.0),
    )
    with pytest.raises(ct.DeclarationRefuted, match=r"the mean of lipschitz\(draw\)\^2"):
        certify(family, 0.0, moment=2)


@pytest.mark.control
@pytest.mark.parametrize("seed", range(10))
def test_a_displacement_that_few_draws_exceed_is_refuted(seed: int) -> None:
    """The supremum is √2; 4.9 % of the maps move 0 by more than 1.2, so 256 maps miss it with chance 3e-6."""
    family = RandomOperator(
        lambda rng: rng.uniform(-1, 1, 2), lambda x, u: 0.5 * x + u, contraction=0.5, displacement=1.2
    )
    with pytest.raises(ct.DeclarationRefuted, match=r"displacement 1\.2"):
        certify(family, [0.0, 0.0], seed=seed)


def in_a_box(*ends: object) -> RandomOperator:
    """x -> x²/2 + u, which keeps [0, .9] and contracts by .9 there."""
    return RandomOperator(
        lambda rng: rng.uniform(0, 0.4),
        lambda x, u: 0.5 * x**2 + u,
        contraction=0.9,
        displacement=0.9,
        known=Known(domain=ct.Box(*ends)),
    )


def test_points_outside_the_domain_are_refused() -> None:
    family = in_a_box(0.0, 0.9)
    assert certify(family, 0.5).certified
    for call in (
        lambda: certify(family, 5.0),
        lambda: certify(family, 0.5, start=5.0),
        lambda: ct.backward_limit(family, 5.0, 1e-3),
    ):
        with pytest.raises(ValueError, match=r"\[5.0\] is not in the domain"):
            call()
    with pytest.raises(ValueError, match="is not one of points like"):
        certify(in_a_box([0.0, 0.0], [0.9, 0.9]), 0.5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RandomOperator(lambda: 1.0, lambda x, u: x), "draw must be a function of a generator"),
        (lambda: RandomOperator(lambda rng: 1.0, lambda x, u: x, displacement=lambda: 1.0), "a function of theta0"),
        (lambda: Known(displacement_moment=lambda p: 1.0), r"a function of \(p, theta0\)"),
        (lambda: Known(lipschitz_moment=lambda: 1.0), r"a function of \(p\)"),
        (lambda: families.QuadraticSGD(0.1, lambda rng: 1.0), r"a function noise\(rng, size\)"),
        (lambda: ct.Epochs(3, forth_and_back="no"), "must be True or False"),
    ],
)
def test_functions_of_other_arguments_are_named(make, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        make()


def test_numbers_that_are_none_are_named() -> None:
    for wrong, error in (("a", TypeError), ([1.0, 2.0], TypeError), (-1.0, ValueError)):
        family = ar1(lipschitz_moment=lambda p: 0.9**p, displacement_moment=lambda p, x, wrong=wrong: wrong)
        with pytest.raises(error, match=r"known\.displacement_moment must be"):
            certify(family, 0.0, moment=2)


def refused(family: RandomOperator, **more: object) -> str:
    with pytest.raises(ct.NotCertified) as error:
        certify(family, 0.0, **more)  # pyright: ignore[reportArgumentType]
    return str(error.value)


def test_what_is_missing_is_named() -> None:
    assert "known.mean_square = 1.2 is not below 1" in refused(ar1(mean_square=1.2, displacement_moment=unit), moment=2)
    assert "moment=2, for which known.mean_square= is stated" in refused(ar1(mean_square=0.9, displacement_moment=unit))
    assert "Known(displacement_moment=)" in refused(ar1(mean_square=0.9), moment=2)
    each = RandomOperator(lambda rng: rng.choice([0.2, 0.5]), lambda x, u: u * x + 1, lipschitz=lambda u: u)
    assert "lipschitz= is stated for each map" in refused(each)
    infinite = refused(families.QuadraticSGD(0.1, lambda rng, size: rng.normal(size=size)), moment=2)
    assert "no bound of it is known" in infinite
    assert "noise whose moments are known" in infinite


def test_a_limit_in_mean_square_says_so() -> None:
    X = np.random.default_rng(1).normal(size=(20, 3))
    family = families.LeastSquares(X, X @ [1.0, 2.0, 3.0], 0.05, batch_size=4, label_noise=families.Gaussian(0.5))
    found = ct.backward_limit(family, np.zeros(3), 1e-3, moment=2)
    assert found.p == 2
    assert "in the sense of (E d^2)^(1/2)" in str(found)
    sure = ct.backward_limit(families.BernoulliConvolution(0.5), 0.0, 1e-3)
    assert sure.p == np.inf
    assert "sense" not in str(sure)


@pytest.mark.parametrize("batch_size", [1, 4])
def test_index_laws_of_data_are_known_to_exponents(batch_size: int) -> None:
    """Shuffles of the rows: any number of batches within an epoch, and whole epochs, but nothing between."""
    X = np.random.default_rng(1).normal(size=(8, 2))
    family = families.LeastSquares(X, X @ [1.0, 2.0], 0.05, batch_size=batch_size, law=families.Reshuffled)
    epoch = 8 // batch_size
    assert len(ct.synchronisation(family, np.zeros(2), epoch - 1, replicas=5).distances)
    with pytest.raises(ct.NotCertified, match="law of its reversal"):
        ct.synchronisation(family, np.zeros(2), epoch + 1, replicas=5)
    once = families.LeastSquares(X, X @ [1.0, 2.0], 0.05, batch_size=4, law=families.ShuffledOnce)
    with pytest.raises(ct.NotCertified, match="no index law"):
        ct.lyapunov_exponents(once, np.zeros(2), 50)
