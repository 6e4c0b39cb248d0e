"""What a user states about a noise is declared: it is searched for violations, and refused with what was drawn."""

from __future__ import annotations

import math

import numpy as np
import pytest

import contraction as ct
from contraction.families import (
    BellmanOperators,
    ExpandingOnAverage,
    FunctionNoise,
    LeastSquares,
    LinearizedSGD,
    Noise,
    PicardIteration,
    QuadraticSGD,
    Uniform,
)


def normal(rng, size):
    return rng.normal(size=size)


def coin(rng, size):
    return rng.choice([-1.0, 1.0], size)


def uniform(rng, size):
    return rng.uniform(-1, 1, size)


WRONG = {
    "interval": (normal, {"interval": (-0.001, 0.001)}),
    "interval that some draws leave": (normal, {"interval": (-3.0, 3.0)}),
    "mean": (normal, {"mean": 1.0, "variance": 1.0}),
    "mean, interval right": (coin, {"mean": 0.2, "interval": (-1, 1)}),
    "variance too small": (normal, {"mean": 0.0, "variance": 0.01}),
    "variance too small, mean unknown": (normal, {"variance": 0.5}),
    "variance too large": (uniform, {"mean": 0.0, "variance": 0.5, "interval": (-1, 1)}),
    "variance zero": (coin, {"mean": 0.0, "variance": 0.0}),
    "variance larger than the interval allows": (coin, {"mean": 0.0, "variance": 2.0, "interval": (-1, 1)}),
    "mean outside the interval": (coin, {"mean": 2.0, "interval": (-1, 1)}),
}
RIGHT = {
    "interval": (coin, {"interval": (-1, 1)}),
    "mean and variance": (normal, {"mean": 0.0, "variance": 1.0}),
    "variance": (normal, {"variance": 1.0}),
    "all": (uniform, {"mean": 0.0, "variance": 1 / 3, "interval": (-1, 1)}),
    "constant": (lambda rng, size: np.full(size, 2.0), {"mean": 2.0, "variance": 0.0, "interval": (2, 2)}),
    "heavy tails": (lambda rng, size: rng.standard_t(2.5, size), {"mean": 0.0, "variance": 5.0}),
}


@pytest.mark.parametrize("given", WRONG.values(), ids=WRONG.keys())
def test_wrong_declarations_are_refused(given):
    function, declared = given
    with pytest.raises(ct.DeclarationRefuted, match="states"):
        FunctionNoise(function, **declared)


@pytest.mark.parametrize("given", RIGHT.values(), ids=RIGHT.keys())
def test_right_declarations_are_accepted(given):
    function, declared = given
    assert FunctionNoise(function, **declared).origin == "declared"


@pytest.mark.parametrize("interval", [(-1, 1), [-1.0, 1.0], np.array([-1, 1])], ids=["tuple", "list", "array"])
def test_an_interval_is_a_pair_of_any_kind(interval):
    assert FunctionNoise(coin, interval=interval).interval == (-1.0, 1.0)


def test_an_interval_has_its_ends_in_order():
    with pytest.raises(ValueError, match="low <= high"):
        FunctionNoise(coin, interval=(1, -1))


@pytest.mark.parametrize("interval", [(math.nan, 1), (0, math.nan)], ids=["low", "high"])
def test_the_ends_of_an_interval_are_numbers(interval):
    with pytest.raises(ValueError, match="each end of the interval must be a number, got nan"):
        FunctionNoise(coin, interval=interval)


def test_a_mean_is_a_number():
    with pytest.raises(ValueError, match="finite"):
        FunctionNoise(coin, mean=math.nan)


COIN = FunctionNoise(coin, mean=0.0, variance=1.0, interval=(-1, 1))
FAMILIES = {
    "QuadraticSGD": lambda noise: QuadraticSGD(0.1, noise),
    "LinearizedSGD": lambda noise: LinearizedSGD([1.0], np.eye(1), 0.1, noise),
    "ExpandingOnAverage": lambda noise: ExpandingOnAverage([0.5, 0.25], offset=noise),
    "LeastSquares": lambda noise: LeastSquares([[1.0], [2.0]], [1.0, 1.0], 0.1, label_noise=noise),
    "BellmanOperators": lambda noise: BellmanOperators([[1.0]], [[[1.0]]], 0.5, noise),
}


@pytest.mark.parametrize("build", FAMILIES.values(), ids=FAMILIES.keys())
def test_what_rests_on_a_declared_noise_is_declared(build):
    """D rests on the interval or the moment, the factor does not; the same noise of the package is the control."""
    for moment in (None, 1.0):
        certificate = ct.certify(build(COIN), [0.0], moment=moment)
        assert (certificate.origin, certificate.constants["D"].origin) == ("declared", "declared")
        (factor,) = (certificate.constants[name] for name in ("k", "rho") if name in certificate.constants)
        assert factor.origin == "proved"
        assert ct.certify(build(Uniform(-1, 1)), [0.0], moment=moment).origin == "proved"


def test_a_noise_that_is_a_factor_makes_k_declared():
    grid = [0.0, 0.25, 0.5]
    for slope, forcing, k, D in ((COIN, None, "declared", "declared"), (None, COIN, "proved", "declared")):
        constants = ct.certify(PicardIteration(grid, 0.0, slope, forcing), np.zeros(3)).constants
        assert (constants["k"].origin, constants["D"].origin) == (k, D)
    assert ct.certify(PicardIteration(grid), np.zeros(3)).origin == "proved"


class Own(Noise):
    """Uniform on [-1, 1], with an interval and a variance that tests choose."""

    def __init__(self, reach: float, variance: float) -> None:
        self.ends, self.stated = (-reach, reach), variance

    mean = 0.0

    @property
    def interval(self):
        return self.ends

    @property
    def variance(self):
        return self.stated

    def moment(self, p, about=0.0):
        return (self.stated + about**2) ** (p / 2)

    def sample(self, rng, shape):
        return rng.uniform(-1, 1, shape)


@pytest.mark.parametrize(("reach", "variance"), [(0.5, 1 / 3), (1.0, 0.1)], ids=["interval", "variance"])
def test_noises_of_ones_own_are_searched(reach, variance):
    with pytest.raises(ct.DeclarationRefuted, match="states"):
        QuadraticSGD(0.1, Own(reach, variance))


def test_a_right_noise_of_ones_own_is_declared():
    assert ct.certify(QuadraticSGD(0.1, Own(1.0, 1 / 3)), [0.0]).origin == "declared"


class WrongMoment(Own):
    """The moments of order 1 are a tenth of the true ones, 1/2 about 0 and 1 about 1."""

    def moment(self, p, about=0.0):
        return super().moment(p, about) * (0.1 if p == 1 else 1.0)


def test_single_moments_are_searched():
    with pytest.raises(ct.DeclarationRefuted, match=r"\|ε − 0\|\^1"):
        QuadraticSGD(0.1, WrongMoment(1.0, 1 / 3))
