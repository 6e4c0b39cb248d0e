"""A certificate is for one start, one family and one metric; it is refused for others, by name."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import contraction as ct
from contraction.families import BernoulliConvolution, FiniteFamily

FAMILY = BernoulliConvolution(0.5)
CERTIFICATE = ct.certify(FAMILY, [0.0])
USES = {
    "backward_limit": lambda family, theta, one: ct.backward_limit(family, theta, 1e-3, certificate=one),
    "sample_stationary": lambda family, theta, one: ct.sample_stationary(family, 1e-3, theta0=theta, certificate=one),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
def test_a_certificate_of_another_start_or_family_is_refused(use):
    for certificate in (CERTIFICATE, pickle.loads(pickle.dumps(CERTIFICATE))):
        assert use(FAMILY, [0.0], certificate).error <= 1e-3
        assert use(BernoulliConvolution(0.5), [0.0], certificate).error <= 1e-3  # an equal family
        with pytest.raises(ct.NotCertified, match=r"from \[0\.0\].*, not from theta0 = \[1000000\.0\]"):
            use(FAMILY, [1e6], certificate)
        with pytest.raises(ct.NotCertified, match="another family"):
            use(BernoulliConvolution(0.6), [0.0], certificate)


@pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
def test_the_start_of_the_iterates_counts_not_the_reference(use):
    elsewhere = ct.certify(FAMILY, [0.0], start=[2.0])
    assert use(FAMILY, [2.0], elsewhere).error <= 1e-3
    with pytest.raises(ct.NotCertified, match="the certificate is for iterates from"):
        use(FAMILY, [0.0], elsewhere)


@pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
def test_a_certificate_in_another_metric_is_refused(use):
    with pytest.raises(ValueError, match="the family's metric"):
        use(FAMILY, [0.0], ct.certify(FAMILY, [0.0], space=ct.SupNorm()))


@pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
def test_a_certificate_without_a_start_is_refused(use):
    by_hand = ct.Certificate(
        statement="Theorem 2.2",
        k=CERTIFICATE.k,
        D=CERTIFICATE.D,
        target="θ*",
        majorant=CERTIFICATE.majorant,
        distance=CERTIFICATE.distance,
        hypotheses=CERTIFICATE.hypotheses,
        constants=CERTIFICATE.constants,
    )
    assert by_hand == CERTIFICATE
    with pytest.raises(ct.NotCertified, match="start of the certificate is not known"):
        use(FAMILY, [0.0], by_hand)


def test_a_bound_that_overflows_is_infinite_and_gives_no_number_of_maps():
    """D/(1 − k) = 2·10^308 is above the largest float; with 10^307 nothing overflows."""
    far = FiniteFamily([(0.5, [1e308]), (0.5, [0.0])])
    bound = ct.certify(far, [0.0])
    assert np.all(np.isposinf(bound.bound([0, 10, 1000])))
    with pytest.raises(ValueError, match="infinite"):
        bound.steps(1.0)
    near = ct.certify(FiniteFamily([(0.5, [1e307]), (0.5, [0.0])]), [0.0])
    assert 2e307 <= near.bound(0) < 2.1e307
    assert near.steps(1.1e307) == 1


def test_a_sample_has_an_error_or_none():
    maps = lambda rng: rng.uniform(-1, 1), lambda x, u: x / 2 + u
    assert (
        ct.sample_stationary(ct.RandomOperator(*maps, contraction=0.5, displacement=1.0), 0.1, theta0=[0.0]).error
        <= 0.1
    )
    with pytest.raises(ValueError, match="infinite"):
        ct.sample_stationary(ct.RandomOperator(*maps, contraction=0.5, displacement=1e308), 0.1, theta0=[0.0])
