"""Backward limits: certified where constants allow, an estimate by coupling where they don't, an error otherwise."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import contraction as ct
from contraction.certificates.certify import certify
from contraction.families import (
    BernoulliConvolution,
    ConstantMaps,
    FiniteFamily,
    Gaussian,
    LeastSquares,
    QuadraticSGD,
    Reshuffled,
    Uniform,
)
from contraction.limits.backward import apply_backward, backward_limit, coupling_distance
from contraction.limits.result import NotSettled
from contraction.maps.rounding import iterate_rounding


@given(h=st.floats(0.05, 1.95), eps=st.sampled_from([1e-3, 1e-9]), seed=st.integers(0, 2**31))
def test_certified_limit_is_within_eps_of_a_much_later_iterate(h, eps, seed):
    family = QuadraticSGD(h, Uniform(-1, 1), dim=2)
    found = backward_limit(family, [3.0, -1.0], eps, seed)
    assert found.certified
    assert found.error <= eps
    later = ct.backward_iterates(family.sample(found.maps + 400, seed), [3.0, -1.0], at=[found.maps, found.maps + 400])
    rounding = 2 * iterate_rounding(abs(1 - h), found.maps + 400, 8.0, 80)
    assert np.linalg.norm(later[1] - found.value) <= eps + rounding
    assert np.linalg.norm(later[0] - found.value) <= rounding
    assert found.applications == found.maps  # each map is applied once


def test_exact_numbers_pass_through():
    """Bernoulli convolution at h = 1/2 in Fractions: iterate n lies within exactly 2^-n of the limit."""
    family = BernoulliConvolution(Fraction(1, 2))
    found = backward_limit(family, np.array([Fraction(0)], dtype=object), 1e-12, 3)
    assert isinstance(found.value[0], Fraction)
    assert found.rounding == 0
    assert found.error == found.truncation > 0
    assert found.maps == 40  # 2^-40 < 1e-12 < 2^-39
    bits = [family.sample(40, 3)[i](np.array([0.0]))[0] for i in range(40)]
    assert found.value[0] == sum(Fraction(b) * Fraction(1, 2**i) for i, b in enumerate(bits))
    constant = backward_limit(ConstantMaps([1, 2, 5]), 0, 1e-300, 0)
    assert (constant.maps, constant.error) == (1, 0.0)


@pytest.mark.parametrize("asked", [{}, {"moment": 2}, {"ball": 1.0}, {"moment": 2, "ball": 1.0}], ids=str)
def test_a_start_that_no_map_moves_is_its_limit_whatever_was_asked_for(asked):
    """Isometries with a common fixed point; a moment or a ball is not dropped silently at a start that they move."""
    family = FiniteFamily([(1.0, 0.0), (-1.0, 0.0)])
    found = backward_limit(family, 0.0, 1e-9, 0, **asked)
    assert (found.certified, found.value.tolist(), found.error) == (True, [0.0], 0.0)
    if asked:
        with pytest.raises(ct.NotCertified):
            backward_limit(family, 1.0, 1e-9, 0, **asked)


def test_own_factors_stop_earlier_than_the_common_one():
    """Factors 0.9 and 0: the first constant map fixes the limit exactly, the common k asks for hundreds of maps."""
    family = FiniteFamily([(0.9, 1.0), (0.0, 0.3)])
    certificate = certify(family, 0.0)
    found = backward_limit(family, 0.0, 1e-9, 1)
    first_zero = next(i for i in range(1, 200) if family.sample(200, 1)[i - 1].draw == 1)
    assert found.maps == first_zero < certificate.steps(1e-9)
    assert found.truncation == 0
    assert found.error == found.rounding > 0  # 0 only in exact arithmetic


def test_unbounded_noise_makes_an_estimate_or_a_moment():
    family = QuadraticSGD(0.1, Gaussian())
    found = backward_limit(family, 0.0, 1e-9, 5)
    assert not found.certified
    assert found.certificate.word == "estimate"
    assert found.certificate.origin == "measured"
    assert found.certificate.bound(1) == np.inf  # it says nothing of smaller n
    assert found.maps & (found.maps - 1) == 0
    assert (found.alpha, found.delta, found.lengths) == (0.01, 0.05, (found.maps, found.maps + 1, 2 * found.maps + 1))
    # O(n) by doubling: a look at every horizon, and at most two tests of 3 · 104 and 3 · 139 fresh starts
    assert found.applications <= 5 * found.maps * (3 * 2 + 3 * (104 + 139))
    truth = ct.backward_iterates(family.sample(4096, 5), 0.0, at=[4096])[0]
    assert abs(found.value - truth) <= 1e-9
    moment = backward_limit(family, 0.0, 1e-9, 5, moment=2)
    assert moment.certified
    assert moment.certificate.p == 2


def test_another_start_is_reported_apart():
    """Rank-deficient least squares: the path settles, and keeps the part of its start that no row touches."""
    family = LeastSquares([[1.0, 0.0], [0.5, 0.0]], [1.0, 0.0], 0.3)
    found = backward_limit(family, [0.0, 0.0], 1e-9, 2, start=[0.0, 3.0])
    assert not found.certified
    assert found.far == pytest.approx(3.0, abs=1e-8)
    same = backward_limit(family, [0.0, 0.0], 1e-9, 2, start=[0.0, 0.0])
    assert same.far == 0
    assert same.maps == found.maps  # it does not count for the limit


@pytest.mark.parametrize(
    ("maps", "words"),
    [
        ([(1.0, 1.0), (1.0, 2.0)], "no start comes nearer"),  # sums of ones and twos
        ([(1.5, 1.0), (2.0, -1.0)], "no start comes nearer"),
        ([(-1.0, 1.0), (-1.0, 0.0)], "no start comes nearer"),  # isometries
        ([(0.999, 1.0), (1.0005, 0.0)], "not settled within eps = 1e-06 by 1024 maps"),
    ],
)
def test_what_does_not_settle_is_an_error(maps, words):
    with pytest.raises(NotSettled, match=words):
        backward_limit(FiniteFamily(maps), 0.0, 1e-6, 0, max_maps=2**11 - 1, patience=2**9)


def test_iterates_that_overflow_have_no_limit():
    family = ct.RandomOperator(lambda rng: rng.uniform(1, 2), lambda x, u: 1e200 * x + u)
    with pytest.raises(NotSettled, match="at n = 4, T_1 … T_n of theta0 or of a fresh start is not finite"):
        backward_limit(family, 0.0, 1e-6)


def test_nothing_moved_is_undecided_unless_a_displacement_of_zero_is_known():
    own = ct.RandomOperator(lambda rng: 0.0, lambda theta, u: theta + u)
    with pytest.raises(NotSettled, match=r"undecided: at n = 64, no fresh start .* declare displacement=0\.0"):
        backward_limit(own, 1.0, 1e-6, patience=64)
    for family in (
        ct.RandomOperator(lambda rng: 0.0, lambda theta, u: theta + u, displacement=0.0),
        FiniteFamily([(1.0, 0.0)]),
    ):
        found = backward_limit(family, 1.0, 1e-6)
        assert (found.certified, found.maps, found.value.tolist()) == (True, 0, [1.0])
    with pytest.raises(ct.DeclarationRefuted):
        backward_limit(ct.RandomOperator(lambda rng: 1.0, lambda theta, u: theta + u, displacement=0.0), 1.0, 1e-6)


def test_a_constant_on_a_ball_certifies():
    """x - h (x³ + x - u), u in [-0.1, 0.1], contracts on [-1, 1] only."""
    family = ct.RandomOperator(
        lambda rng: rng.uniform(-0.1, 0.1), lambda x, u: x - 0.1 * (x**3 + x - u), contraction=0.9, displacement=0.01
    )
    with pytest.raises(ct.DeclarationRefuted):
        backward_limit(family, 0.0, 1e-6)
    found = backward_limit(family, 0.0, 1e-6, ball=1.0)
    assert found.certified
    assert "on the ball" in found.certificate.hypotheses[0]


def test_progress_is_told_at_every_horizon():
    seen = []
    backward_limit(QuadraticSGD(0.1, Gaussian()), 0.0, 1e-6, progress=lambda n, d: seen.append((n, d)))
    assert [n for n, _ in seen] == [1, 2, 4, 8, 16, 32, 64, 128, 256]  # 512 settles
    assert seen[-1][1] <= 1e-6 < seen[0][1]


def test_an_estimate_needs_independent_maps():
    shuffled = FiniteFamily([(1.0, 1.0), (0.5, 0.0)], law=Reshuffled(2))
    with pytest.raises(ValueError, match="an estimate of the limit needs independent maps"):
        backward_limit(shuffled, 0.0, 1e-6)


def test_horizon_of_a_certificate():
    with pytest.raises(NotSettled, match="needs 132 maps for eps = 1e-06, max_maps is 100"):
        backward_limit(QuadraticSGD(0.1, Uniform(-1, 1)), 0.0, 1e-6, 0, max_maps=100)


def late_maps(total):
    """STATEMENTS 2.2: T_i = x/2 for i <= 10, x/2 + 1 for i > 10."""
    shifts = [0.0] * 10 + [1.0] * (total - 10)
    return ct.Operators.from_maps(
        [lambda x, b=b: x / 2 + b for b in shifts], lipschitz=[0.5] * total, affine=[(0.5, b) for b in shifts]
    )


@pytest.mark.control
def test_increments_alone_certify_nothing():
    """Ten increments are exactly zero, and theta* = 2^-9: Banach's k/(1-k) d(x_n, x_{n-1}) would claim 0."""
    operators = late_maps(60)
    rows = ct.backward_iterates(operators, 0.0)[:, 0]
    increments = np.abs(np.diff(rows))
    assert np.all(increments[:10] == 0)
    limit = rows[-1]
    assert limit == pytest.approx(2.0**-9)
    assert 0.5 / (1 - 0.5) * increments[9] == 0 < limit  # the invalid bound
    assert np.all(np.abs(rows - limit) <= certify(operators, 0.0).bound(np.arange(61)))
    # the maps drawn so far cannot see it, and a certificate of ten of them says so: it speaks of theta_10 only
    assert certify(operators[:10], 0.0).bound(0) == 0
    assert certify(operators[:10], 0.0).target == "T_1…T_10 θ_0"
    # two coupled starts do see that iterate 5 is not settled
    n, apart = coupling_distance(operators, 0.0, 1.0, at=[5, 10])
    assert apart.tolist() == [2.0**-5, 2.0**-10]
    assert n.tolist() == [5, 10]


def test_a_family_that_sleeps_is_not_settled_by_its_increments():
    """Maps 0.9 x + b with b = 1 once in a hundred: increments vanish for long, the limit is still within eps."""
    quiet = FiniteFamily([(0.9, 0.0), (0.9, 1.0)], [Fraction(99, 100), Fraction(1, 100)])
    first = lambda s: next(i for i, u in enumerate(quiet.sample(1000, s).draws) if u == 1)  # noqa: E731
    seed = next(s for s in range(50) if 64 <= first(s) < 128)
    rows = ct.backward_iterates(quiet.sample(64, seed), 0.0)
    assert np.all(rows == 0)
    found = backward_limit(quiet, 0.0, 1e-6, seed, start=[10.0], delta=0.3)  # an estimate: no certificate is used
    assert not found.certified
    truth = backward_limit(quiet, 0.0, 1e-9, seed)
    assert truth.certified
    assert truth.value > 0
    assert abs(found.value - truth.value) <= 1e-5


def test_coupling_distance_shapes_and_values():
    family = QuadraticSGD(0.5, Gaussian(), dim=2)
    n, d = coupling_distance(family.sample(20), [0.0, 0.0], [3.0, 4.0])
    assert n.tolist() == [0, 1, 2, 4, 8, 16, 20]
    assert d == pytest.approx(5 * 0.5**n, rel=1e-6)
    n, d = coupling_distance(family.sample(20, replicas=7), [0.0, 0.0], [3.0, 4.0])
    assert d.shape == (7, 7)
    with pytest.raises(ValueError, match="iterate 21 was asked for, but there are 20 maps"):
        coupling_distance(family.sample(20), [0.0, 0.0], [3.0, 4.0], at=[21])


def test_apply_backward_is_the_word():
    operators = late_maps(12)
    assert apply_backward(operators, np.array([1.0])) == ct.backward_iterates(operators, 1.0)[-1]
    split = apply_backward(operators, apply_backward(operators, np.array([1.0]), first=6), 5)
    assert split == apply_backward(operators, np.array([1.0]))
    with pytest.raises(ValueError, match="the maps are 1 … 12"):
        apply_backward(operators, np.array([1.0]), 13)


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        (lambda f: backward_limit(f, 0.0, 0.0), "eps must be a finite number > 0"),
        (lambda f: backward_limit(f, 0.0, float("nan")), "eps must be a finite number > 0"),
        (lambda f: backward_limit(f, 0.0, 1e-3, -1), "the seed must be an integer of at least 0"),
        (lambda f: backward_limit(f, 0.0, 1e-3, max_maps=0), "max_maps must be an integer of at least 1"),
        (lambda f: backward_limit(f, 0.0, 1e-3, patience=0), "patience must be an integer of at least 1"),
        (lambda f: backward_limit(f, 0.0, 1e-3, alpha=0.0), "alpha must be between 0 and 1"),
        (lambda f: backward_limit(f, 0.0, 1e-3, 2**32), r"the seed must be below 2\^32"),
        (
            lambda f: backward_limit(f, 0.0, 1e-3, certificate=certify(f, 0.0, space=ct.SupNorm())),
            "the family's metric",
        ),
        (lambda f: backward_limit(f.sample(3), 0.0, 1e-3), "takes a random operator"),
        (
            lambda f: backward_limit(f, 0.0, 1e-3, certificate=certify(f.sample(3), 0.0)),
            "does not bound the distance to the limit",
        ),
    ],
)
def test_bad_input(call, rule):
    with pytest.raises((ValueError, TypeError), match=rule):
        call(QuadraticSGD(0.1, Uniform(-1, 1)))


def test_as_many_maps_as_allowed_are_used():
    """An estimate that settles at n maps settles with max_maps = n, and not with fewer."""
    family = QuadraticSGD(0.1, Gaussian())
    n = backward_limit(family, 0.0, 1e-6).maps
    assert n == 2 ** (n.bit_length() - 1)
    assert backward_limit(family, 0.0, 1e-6, max_maps=n).maps == n
    with pytest.raises(NotSettled, match=f"by {n // 2} maps"):
        backward_limit(family, 0.0, 1e-6, max_maps=n - 1)
