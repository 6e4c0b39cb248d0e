"""Variances of laws far from 0 are those of the same maps in coordinates about the fixed points."""

from __future__ import annotations

import pytest

from contraction.families import AffineLaw, FiniteFamily, MarkovModulated
from contraction.laws import affine_moments, modulated_moments, moment_bracket
from contraction.maps.second_moments import SecondMoments

FAR = [0.0, 1e8, -1e12]


@pytest.mark.parametrize("far", FAR, ids=str)
def test_modulated_variances_do_not_depend_on_the_place(far):
    """θ/2 + far + a, a a sticky bit: mean 2 far + 1, variance 7/9 (in closed form at far = 0)."""
    sticky = MarkovModulated([[0.9, 0.1], [0.1, 0.9]])
    moments = modulated_moments(FiniteFamily([(0.5, far), (0.5, far + 1)], law=sticky))
    assert moments.stationary_mean[0] == pytest.approx(2 * far + 1, rel=1e-14)
    assert moments.stationary_covariance[0, 0] == pytest.approx(7 / 9, rel=1e-9)
    assert moments.means[:, 0] - 2 * far == pytest.approx(
        [1 / 6, 11 / 6], abs=2**-11
    )  # half a last place of 2e12, twice


def _moments(far, start):
    """θ/2 and θ/4 + 1 in coordinates about ``far``."""
    return affine_moments(_pair(far), [far + start])


def _pair(far):
    return FiniteFamily([(0.5, [0.5 * far]), (0.25, [0.75 * far + 1])])


@pytest.mark.parametrize("far", FAR, ids=str)
def test_moments_of_two_maps_do_not_depend_on_the_place(far):
    """Mean 4/5 and second moment (1/2 + 1/4 · 4/5) / (1 - 5/32) = 112/135 about ``far``: the variance is 128/675."""
    moments = _moments(far, 0.0)
    room = 2.0**-50 * abs(far) + 1e-12  # the mean itself is rounded, to 2^-53 of it by each of a few operations
    variance, square = 128 / 675, 112 / 135
    assert moments.stationary_mean[0] - far == pytest.approx(0.8, abs=room)
    assert moments.stationary_covariance[0, 0] == pytest.approx(variance, abs=room)
    assert moments.covariance(1)[0, 0] == pytest.approx(1 / 4, abs=room)
    assert moments.covariance(200)[0, 0] == pytest.approx(variance, abs=room)
    assert moments.backward_covariance(1, 1)[0, 0] == pytest.approx(1 / 4, abs=room)
    assert moments.limit_distance(3) == pytest.approx(square * (5 / 32) ** 3, abs=4 * room)
    assert moments.backward_increment(2) == pytest.approx((5 / 32) ** 2 / 2, rel=1e-12)
    near = _moments(0.0, 0.0)
    assert moments.forward_increment(5) == pytest.approx(near.forward_increment(5), abs=4 * room)
    assert moments.forward_increment_limit == pytest.approx(near.forward_increment_limit, abs=4 * room)


def test_a_bracket_far_from_zero_contains_the_distance():
    """W_2 of iterate 3 to the limit is at most (112/135 (5/32)^3)^(1/2) = 0.0563, at least the distance of means."""
    bracket = moment_bracket(_pair(1e9), 3, [1e9])
    room = 1e-5  # 2^-50 · 1e9, and a variance that is the difference of two of them
    assert 0.8 * (3 / 8) ** 3 - room <= bracket.lower <= bracket.upper <= (112 / 135 * (5 / 32) ** 3) ** 0.5 + room


def test_moments_alone_that_do_not_determine_the_variance_are_refused():
    for far, refused in ((0.0, False), (1e9, True)):
        A, b = [[[0.5]], [[0.25]]], [[0.5 * far], [0.75 * far + 1]]
        known = SecondMoments.from_maps(A, b, [0.5, 0.5])
        family = AffineLaw(lambda rng, far=far: (0.5, [0.5 * far]), dim=1, moments=known)
        moments = affine_moments(family, [far])
        if refused:
            with pytest.raises(ValueError, match="do not determine a variance in double precision"):
                _ = moments.stationary_covariance
            with pytest.raises(ValueError, match="do not determine a variance in double precision"):
                moments.covariance(3)
        else:
            assert moments.stationary_covariance[0, 0] == pytest.approx(128 / 675, abs=1e-12)
