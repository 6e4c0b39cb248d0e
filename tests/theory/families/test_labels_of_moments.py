"""The source of a displacement in p-mean says at which exponent the moment is that bounds it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from contraction.families import (
    BellmanOperators,
    ExpandingOnAverage,
    FunctionNoise,
    Gaussian,
    HeavyBall,
    LinearizedSGD,
    QuadraticSGD,
    ScipyNoise,
)
from contraction.families.noise import Noise

OWN = FunctionNoise(lambda rng, size: rng.standard_normal(size), mean=0.0, variance=1.0)


@pytest.mark.parametrize(
    ("noise", "p", "bound_at"),
    [
        (ScipyNoise(stats.norm()), 1, 2),
        (ScipyNoise(stats.norm()), 0.5, 2),
        (ScipyNoise(stats.norm()), 2, 2),
        (ScipyNoise(stats.norm()), 3, 4),
        (ScipyNoise(stats.norm()), 4, 4),
        (ScipyNoise(stats.norm()), 4.5, 6),
        (ScipyNoise(stats.t(1.5)), 1, 1),  # no variance: by quadrature at p itself
        (OWN, 1, 2),
        (OWN, 2, 2),
        (Gaussian(), 1, 1),
        (Gaussian(), 3, 3),
    ],
    ids=lambda value: repr(value)[:30].partition(" at ")[0],
)
def test_the_exponent_is_that_of_the_moment_used(noise: Noise, p: float, bound_at: float) -> None:
    found = QuadraticSGD(0.5, noise).displacement_moment(np.zeros(1), p)
    said = (
        f"at p = {p:g}"
        if p == bound_at
        else f"at p = {p:g}, bounded by the moment at p = {bound_at:g}, which is at least as large"
    )
    assert found.source == f"h (E |eps - theta0|^p)^(1/p) {said}"
    moment = noise.moment(bound_at) ** (1 / bound_at)
    assert found.value == pytest.approx(0.5 * moment, rel=1e-8)


@pytest.mark.parametrize(
    "family",
    [
        QuadraticSGD(0.5, stats.norm()),
        LinearizedSGD([0.0], [[1.0]], 0.1, stats.norm()),
        HeavyBall([[1.0]], 0.1, 0.5, stats.norm()),
        ExpandingOnAverage(offset=ScipyNoise(stats.norm())),
        BellmanOperators(np.zeros((1, 1)), np.ones((1, 1, 1)), noise=ScipyNoise(stats.norm())),
    ],
    ids=lambda family: type(family).__name__,
)
def test_every_family_with_noise_says_so(family) -> None:
    source = family.displacement_moment(np.zeros(family.dim), 1.0).source
    assert source.endswith("at p = 1, bounded by the moment at p = 2, which is at least as large")
