"""Where a family states a factor of all maps and moments of their factors, the certificate takes the smaller bound."""

from __future__ import annotations

import pytest

import contraction as ct
from contraction import Known, RandomOperator, certify

#: x -> u x + 1 with u = 1/4 or 3/4: E u = 1/2, E u^2 = 5/16.
MOMENTS = {1.0: 0.5, 2.0: 0.3125, 0.5: (0.25**0.5 + 0.75**0.5) / 2}


def scaled(*, k: float | None, moments: dict[float, float] | None) -> RandomOperator:
    known = Known(
        lipschitz_moment=None if moments is None else lambda p: moments[p], displacement_moment=lambda p, x: 1.0
    )
    return RandomOperator(
        lambda rng: rng.choice([0.25, 0.75]), lambda x, u: u * x + 1, contraction=k, displacement=1.0, known=known
    )


@pytest.mark.parametrize("p", MOMENTS)
def test_moments_beside_a_common_factor_are_used(p: float) -> None:
    alone = certify(scaled(k=None, moments=MOMENTS), 0.0, moment=p)
    both = certify(scaled(k=0.75, moments=MOMENTS), 0.0, moment=p)
    factor = certify(scaled(k=0.75, moments=None), 0.0, moment=p)
    assert MOMENTS[p] ** (1 / p) <= both.k <= MOMENTS[p] ** (1 / p) * (1 + 1e-12) < 0.75 <= factor.k
    assert both.statement == alone.statement == "contraction in p-mean"
    for n in (0, 1, 10, 100):
        assert both.bound(n) == alone.bound(n) < factor.bound(n)


@pytest.mark.parametrize("p", [1.0, 2.0])
def test_a_common_factor_beside_larger_moments_is_used(p: float) -> None:
    """A declared moment may be a crude bound: 0.9^p is true, and worse than the factor of all maps."""
    both = certify(scaled(k=0.75, moments={p: 0.9**p}), 0.0, moment=p)
    factor = certify(scaled(k=0.75, moments=None), 0.0, moment=p)
    assert (both.statement, both.k) == ("Theorem 2.2", factor.k)
    assert both.bound(5) == factor.bound(5)


@pytest.mark.control
def test_a_false_moment_is_still_refused() -> None:
    with pytest.raises(ct.DeclarationRefuted, match="lipschitz_moment"):
        certify(scaled(k=0.75, moments={1.0: 0.3}), 0.0, moment=1)


def test_a_ball_and_another_metric_keep_the_factor_that_was_asked_for() -> None:
    family = scaled(k=0.75, moments=MOMENTS)
    assert certify(family, 0.0).k >= 0.75  # a sure bound
    with pytest.raises(ct.NotCertified):
        certify(family, 0.0, moment=1, space=ct.WeightedEuclidean([[4.0]]))
