"""Certificates refuse functions that are not metrics, starts at which maps are NaN, and wrong moments."""

from __future__ import annotations

import numpy as np
import pytest

import contraction as ct
from contraction.certificates.moments import search_second_moments
from contraction.maps.second_moments import SecondMoments


def halves(space):
    return ct.RandomOperator(
        lambda rng: rng.choice([-1.0, 1.0]), lambda x, u: x / 2 + u, space=space, contraction=0.51, displacement=1.0
    )


NO_METRICS = {
    "squares": (lambda x, y: ((x - y) ** 2)[..., 0], r"d\(x, z\) ≤ d\(x, y\)"),
    "one side": (lambda x, y: np.maximum(x - y, 0)[..., 0], r"d\(x, y\) = d\(y, x\)"),
    "signed": (lambda x, y: (x - y)[..., 0], "≥ 0|d\\(y, x\\)"),
    "never zero": (lambda x, y: 1 + np.abs(x - y)[..., 0], r"d\(x, x\) = 0"),
}


@pytest.mark.parametrize("name", NO_METRICS)
@pytest.mark.parametrize("call", ["certify", "iterates"])
def test_what_is_no_metric_is_refused(name, call):
    space, axiom = NO_METRICS[name]
    family = halves(space)
    run = (
        (lambda: ct.certify(family, [0.0]))
        if call == "certify"
        else (lambda: ct.backward_iterates(family.sample(3), [0.0]))
    )
    with pytest.raises(ct.MapRefused, match=f"must be a metric: .* violates .*{axiom}"):
        run()


@pytest.mark.control
@pytest.mark.parametrize(
    "space", [None, lambda x, y: np.abs(x - y)[..., 0], lambda x, y: np.sqrt(np.abs(x - y))[..., 0]]
)
def test_metrics_are_accepted(space):
    factor = 0.51 if space is None or space(np.zeros(1), np.full(1, 4.0)) == 4 else 0.72
    family = ct.RandomOperator(
        lambda rng: rng.choice([-1.0, 1.0]), lambda x, u: x / 2 + u, space=space, contraction=factor, displacement=1.0
    )
    assert ct.certify(family, [0.0]).k == factor


def root(x, u):
    with np.errstate(all="ignore"):
        return u * np.sqrt(x)


def roots(space=None):
    return ct.RandomOperator(lambda rng: rng.uniform(1, 2), root, space=space, contraction=0.5, displacement=1.0)


def logarithmic(x, y):
    with np.errstate(all="ignore"):
        return np.abs(np.log(x) - np.log(y))[..., 0]


@pytest.mark.parametrize("start", [-1.0, 0.0])
def test_a_start_outside_the_domain_is_refused(start):
    with pytest.raises(ct.MapRefused, match="start inside the domain"):
        ct.certify(roots(logarithmic), [start])
    assert ct.certify(roots(logarithmic), [1.0]).k == 0.5


def test_a_start_at_which_the_map_gives_no_number_is_refused():
    family = ct.RandomOperator(
        lambda rng: rng.uniform(), lambda x, u: u + root(x, 0.25), contraction=0.25, displacement=2.0
    )
    with pytest.raises(ct.MapRefused, match=r"is nan at theta0 = \[-1"):
        ct.certify(family, [-1.0])


def kesten(**changes):
    true = {"EA": [[0.65]], "Eb": [0.0], "EAA": [[1.3**2 / 3]], "EAb": [[0.0]], "EbA": [[0.0]], "Ebb": [1.0]}
    moments = SecondMoments(**{name: np.array(value) for name, value in (true | changes).items()})
    return ct.families.AffineLaw(lambda rng: (rng.uniform(0, 1.3), rng.standard_normal(1)), dim=1, moments=moments)


WRONG = {
    "E A²": {"EAA": [[0.43]]},
    "E b²": {"Ebb": [0.5]},
    "E A": {"EA": [[0.4]]},
    "E b": {"Eb": [0.4]},
    "E A b": {"EAb": [[0.3]], "EbA": [[0.3]]},
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_moments_are_refuted(name):
    with pytest.raises(ct.DeclarationRefuted, match="the given moments= of AffineLaw"):
        ct.certify(kesten(**WRONG[name]), [0.0], moment=2)


@pytest.mark.control
def test_right_moments_are_declared_and_pass_on_many_seeds():
    """The false alarm rate is below 1e-9 a seed."""
    certificate = ct.certify(kesten(), [0.0], moment=2)
    assert {c.origin for c in certificate.constants.values()} == {"declared"}
    for seed in range(10):
        search_second_moments(kesten(), np.zeros(1), kesten().moments, seed)


def test_a_bound_in_mean_square_is_never_zero_by_underflow():
    bound = ct.certify(ct.families.RandomAffine([0.3, 0.7], [1.0, -1.0]), [0.0], moment=2).bound
    exact = lambda n: 0.29 ** (n / 2) * bound(0)  # noqa: E731  E A² = (0.09 + 0.49)/2
    assert bound(100) == pytest.approx(exact(100), rel=1e-6, abs=0)
    for n in (590, 600, 1000, 10**5):
        assert bound(n) > 0
        assert bound(n) >= exact(n)


def test_pictures_refuse_bounds_in_another_metric():
    family = ct.families.FiniteFamily([([[0.5, 0.0], [0.0, 0.5]], [1.0, 0.0]), ([[0.5, 0.0], [0.0, 0.5]], [0.0, 1.0])])
    other = ct.certify(family, [0.0, 0.0], space=ct.SupNorm())
    with pytest.raises(ValueError, match="must be in the family's metric"):
        ct.plots.rates(family, [0.0, 0.0], bounds=other)
    ct.plots.rates(family, [0.0, 0.0], bounds=ct.certify(family, [0.0, 0.0])).figure.clear()


@pytest.mark.parametrize("scale", [0.0, 1e30])
def test_starts_in_single_precision_warn_of_nothing(scale):
    """Warnings are errors in the tests; a cast to float32 in the search for violations used to overflow."""
    start = np.full(2, scale, dtype=np.float32)
    family = ct.RandomOperator(
        lambda rng: rng.uniform(-1, 1, 2), lambda x, u: x / 2 + u, contraction=0.5, displacement=2.0 + scale
    )
    assert ct.certify(family, start).k == 0.5
    assert ct.backward_iterates(family.sample(5, seed=0), start).shape == (6, 2)
