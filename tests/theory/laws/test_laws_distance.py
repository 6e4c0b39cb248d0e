"""Distances of laws to the limit (2.3) and Bernoulli convolutions (2.6): exact where known, brackets that must hold."""

from __future__ import annotations

import math
from fractions import Fraction as F
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from contraction.families import Gaussian, QuadraticSGD, Uniform
from contraction.families.bernoulli import BernoulliConvolution
from contraction.families.finite import FiniteFamily
from contraction.laws import ExactLaw, exact_law, merged_law
from contraction.laws.bernoulli import bernoulli_law, cantor_cdf, golden_law, golden_value
from contraction.laws.brackets import (
    Bracket,
    coupling_bound,
    exact_bracket,
    lipschitz_lower_bound,
    moment_bracket,
    rate_bracket,
)
from contraction.laws.quantiles import wasserstein, wasserstein_to_uniform
from contraction.maps.errors import NotCertified
from contraction.maps.iterates import backward_iterates
from contraction.maps.orders import Backward
from contraction.maps.rounding import gamma

HALF = F(1, 2)
BERNOULLI = [(HALF, 0), (HALF, HALF)]
#: Squared distances are added up below 2^-1022 with an absolute error of up to 8 units of 2^-1074: their root is off by
SQUARES_UNDERFLOW = math.sqrt(8 * 2.0**-1074)
fractions = st.fractions(min_value=-4, max_value=4, max_denominator=9)


@st.composite
def laws(draw):
    points = draw(st.lists(fractions, min_size=1, max_size=5, unique=True))
    parts = [draw(st.integers(1, 6)) for _ in points]
    return ExactLaw({p: F(m, sum(parts)) for p, m in zip(points, parts, strict=True)})


# --- the formula on the line ------------------------------------------------------------------------------------------


@given(laws(), laws())
def test_wasserstein_against_scipy_and_the_area_between_distribution_functions(a, b):
    w1 = wasserstein(a, b, 1)
    points = sorted({*a, *b})
    assert w1 == sum(abs(a.cdf(x) - b.cdf(x)) * (y - x) for x, y in pairwise(points))
    (x, mx), (y, my) = a.floats(), b.floats()
    assert abs(float(w1) - wasserstein_distance(x, y, mx, my)) <= gamma(200) * 16
    w2, w_inf = wasserstein(a, b, 2), wasserstein(a, b, math.inf)
    assert w1 <= w2 * (1 + 1e-15)
    assert w2 <= float(w_inf) * (1 + 1e-15)
    assert (w1 == 0) == (a == b) == (w_inf == 0)


@given(laws(), fractions, st.sampled_from([1, 2, 3, math.inf]))
def test_translations_cost_their_length(law, shift, p):
    """W_p of a law and its translate is |shift|; a coupling that is not monotone would cost more."""
    moved = law.image(lambda x: x + shift)
    assert math.isclose(float(wasserstein(law, moved, p)), abs(float(shift)), rel_tol=1e-15, abs_tol=1e-300)


@given(laws(), fractions, st.fractions(min_value=F(1, 9), max_value=5, max_denominator=9))
def test_uniform_target_is_the_limit_of_fine_grids(law, low, width):
    """A grid of N midpoints is within width / 2N of the uniform law in W_inf, so in every W_p."""
    N = 16
    grid = ExactLaw({low + width * F(2 * j + 1, 2 * N): F(1, N) for j in range(N)})
    for p in (1, 2, 2.5, math.inf):
        exact, near = wasserstein_to_uniform(law, low, low + width, p), wasserstein(law, grid, p)
        assert abs(float(exact) - float(near)) <= float(width) / (2 * N) * (1 + 1e-12)
    assert wasserstein_to_uniform(grid, low, low + width, math.inf) == width / (2 * N)
    assert wasserstein_to_uniform(grid, low, low + width, 1) == width / (4 * N)
    assert math.isclose(wasserstein_to_uniform(grid, low, low + width, 2), float(width) / (2 * N) / 3**0.5)


# --- coupling is sharp for Bernoulli ----------------------------------------------------------------------------------


@pytest.mark.parametrize("n", range(8))
def test_bernoulli_bound_is_the_distance(n):
    """2.3: from 0 bound = W_inf = 2^-n; from 1/2, D = 1/4 and both are 2^-(n+1). Off the middle they must differ."""
    to_limit = lambda law: wasserstein_to_uniform(law, 0, 1, math.inf)  # noqa: E731
    for start, D, claimed in ((F(0), HALF, F(1, 2**n)), (HALF, F(1, 4), F(1, 2 ** (n + 1)))):
        exact = exact_bracket(BERNOULLI, n, start, limit=to_limit)
        assert exact.lower == exact.upper == claimed == coupling_bound(HALF, D, n)
    if n:
        bracket = exact_bracket(BERNOULLI, n, 0)
        assert F(1, 2**n) in bracket
        assert bracket.upper == F(1, 2**n)
        assert bracket.upper - bracket.lower <= F(2, 2 ** (n + 6))
    off = exact_bracket(BERNOULLI, n, F(1, 3), limit=to_limit)
    assert off.upper == F(2, 3) / 2**n == coupling_bound(HALF, F(1, 3), n)
    middle = exact_bracket(BERNOULLI, n, HALF, p=1, limit=lambda law: wasserstein_to_uniform(law, 0, 1, 1))
    assert middle.upper == F(1, 4 * 2**n) == coupling_bound(HALF, F(1, 4), n) / 2


def test_expanded_bernoulli_has_the_uniform_limit_on_minus_one_two():
    """h = 3/2, k = 1/2: U[-1, 2]; W_inf to it from 1/2 halves at every step, and to U[0, 1] it does not."""
    distances = [wasserstein_to_uniform(bernoulli_law(F(3, 2), n, HALF), -1, 2, math.inf) for n in range(8)]
    assert distances == [F(3, 2) / 2**n for n in range(8)]
    assert wasserstein_to_uniform(bernoulli_law(F(3, 2), 8, HALF), 0, 1, math.inf) > HALF


@given(
    maps=st.lists(st.tuples(st.fractions(-F(9, 10), F(9, 10), max_denominator=10), fractions), min_size=1, max_size=3),
    start=fractions,
    n=st.integers(0, 3),
    p=st.sampled_from([1, math.inf]),
)
def test_brackets_nest(maps, start, n, p):
    """A later stand-in narrows the bracket of the same distance: the intervals must meet, and upper <= coupling."""
    coarse, fine = (exact_bracket(maps, n, start, p=p, later=n + m) for m in (1, 4))
    assert max(coarse.lower, fine.lower) <= min(coarse.upper, fine.upper)
    assert isinstance(fine.lower, F)
    assert isinstance(fine.upper, F)


# --- moments ----------------------------------------------------------------------------------------------------------


@given(h=st.floats(0.05, 1.95), n=st.integers(0, 60))
def test_gaussian_bracket_contains_the_closed_form_and_is_not_sharp(h, n):
    """W_2 = s (1 - √(1 - k^{2n})) is the lower end, s k^n the upper one (2.3)."""
    bracket = moment_bracket(QuadraticSGD(h, Gaussian(1.0)), n, 0.0)
    s, k = math.sqrt(h / (2 - h)), abs(1 - h)
    slack = 2 * s * math.sqrt(gamma(64 * (n.bit_length() + 2)) * 4)
    assert abs(bracket.lower - s * (1 - math.sqrt(1 - k ** (2 * n)))) <= slack
    assert math.isclose(bracket.upper, s * k**n, rel_tol=gamma(64 * (n + 4)), abs_tol=SQUARES_UNDERFLOW)


def test_moment_brackets_of_other_noise_and_other_p():
    family = QuadraticSGD(0.5, Uniform(-1, 1))
    for p in (1, 2, 4, math.inf):
        bracket = moment_bracket(family, 5, 3.0, p=p)
        assert bracket.lower <= bracket.upper
        assert bracket.lower >= 3.0 * 0.5**5 * (1 - 1e-12)  # the gap of means
    assert moment_bracket(family, 5, 3.0, p=math.inf).upper == pytest.approx(0.5**5 * 0.5 * 4 / 0.5)
    least, most = rate_bracket(moment_bracket(family, 5, 3.0), moment_bracket(family, 15, 3.0))
    assert least <= 0.5 <= most
    assert most - least < 0.01
    bernoulli = BernoulliConvolution(HALF)
    exact = [wasserstein_to_uniform(bernoulli_law(HALF, n), 0, 1, 2) for n in range(6)]
    for n, value in enumerate(exact):
        assert value in moment_bracket(bernoulli, n, 0.0)
    random = FiniteFamily([(HALF, 1), (F(-1, 3), 0)])
    law, far = merged_law(random, 4), merged_law(random, 14)
    bracket = moment_bracket(random, 4, 0.0)
    assert bracket.lower - 1e-4 <= wasserstein(law, far, 2) <= bracket.upper + 1e-4  # 2^-14 away from the limit


# --- test functions ---------------------------------------------------------------------------------------------------


def test_lipschitz_lower_bound_is_below_the_distance_and_above_zero():
    """f(x) = x on [0, 1], iterate 2 of Bernoulli from 0 (mean 3/8) against iterate 20: W_1 = 1/8 exactly.

    The radius at 20,000 draws and rate 1e-6 is 2 √(ln(4e6) / 40,000) = .039.
    """
    family = BernoulliConvolution(HALF)
    near = backward_iterates(family.sample(2, seed=0, replicas=20_000), 0.0, at=[2])[:, 0, 0]
    far = backward_iterates(family.sample(20, seed=1, replicas=20_000), 0.0, at=[20])[:, 0, 0]
    W1 = wasserstein_to_uniform(bernoulli_law(HALF, 2), 0, 1, 1)
    assert F(1, 8) == W1
    bound = lipschitz_lower_bound(near, far, lambda x: x, low=0, high=1, false_alarm=1e-6, far_distance=2.0**-20)
    assert 0.04 < bound <= 1 / 8
    with pytest.raises(ValueError, match="must be 1-Lipschitz"):
        lipschitz_lower_bound(near, far, lambda x: 2 * x, low=0, high=2, false_alarm=1e-6)
    assert lipschitz_lower_bound(far, far, lambda x: x, low=0, high=1, false_alarm=1e-6) == 0.0
    by_hand = lipschitz_lower_bound(
        np.zeros(200), np.ones(800), lambda x: x, low=0, high=1, false_alarm=0.04, far_distance=0.1
    )
    assert by_hand == pytest.approx(1 - math.sqrt(math.log(100)) * (1 / 20 + 1 / 40) - 0.1, rel=1e-14)


# --- Bernoulli convolutions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("h", "k"), [(HALF, HALF), (F(2, 3), F(1, 3)), (F(3, 2), HALF), (F(1, 5), F(4, 5))])
def test_finite_n_variances(h, k):
    """h sigma^2 / (2 - h) (1 - k^{2n}): (1 - 4^-n)/12 at h = 1/2, (1 - 9^-n)/8 at h = 2/3, exactly (2.6)."""
    for n in range(9):
        law = bernoulli_law(h, n)
        assert law.variance() == h * F(1, 4) / (2 - h) * (1 - k ** (2 * n)) == BernoulliConvolution(h).variance(n)
        assert law == bernoulli_law(h, n, order=Backward()) == exact_law(BernoulliConvolution(h), n)


def test_grid_and_left_endpoints():
    assert bernoulli_law(HALF, 5).counter() == {F(j, 32): F(1, 32) for j in range(32)}
    cantor = {F(0)}
    for level in range(1, 6):
        cantor = {x for y in cantor for x in (y, y + F(2, 3**level))}
    assert bernoulli_law(F(2, 3), 5).counter() == dict.fromkeys(cantor, F(1, 32))


def test_cantor_distribution_function():
    """F(3x) = 2 F(x) on [0, 1/3], F(1 - x) = 1 - F(x), F(1/4) = 1/3, and F at the atoms' right ends counts them."""
    for x in (F(1, 4), F(3, 4), F(1, 13), F(2, 7), F(17, 100), F(1, 3), F(2, 9)):
        assert cantor_cdf(1 - x) == 1 - cantor_cdf(x)
        assert cantor_cdf(x / 3) == cantor_cdf(x) / 2
        assert abs(float(cantor_cdf(x)) - BernoulliConvolution(F(2, 3)).stationary_cdf(float(x))) < 1e-9
    assert cantor_cdf(F(1, 4)) == F(1, 3)
    law = bernoulli_law(F(2, 3), 6)
    for x in law:
        assert cantor_cdf(x + F(1, 3**6)) == law.cdf(x)


def test_characteristic_function_of_the_finite_law():
    """E exp(i t theta_n) = exp(i t theta0 (1-h)^n) prod cos(t h (1-h)^j) for epsilon = ±1, to rounding (2.6)."""
    h, theta0, n = F(2, 5), F(3, 7), 9
    x, m = bernoulli_law(h, n, theta0, values=(-1, 1)).floats()
    t = np.linspace(-20, 20, 41)
    claimed = np.exp(1j * t * float(theta0) * 0.6**n) * np.prod([np.cos(t * 0.4 * 0.6**j) for j in range(n)], axis=0)
    assert np.abs(np.exp(1j * np.outer(t, x)) @ m - claimed).max() < gamma(2**12)
    family = BernoulliConvolution(h, values=(-1, 1))
    assert np.abs(family.characteristic_function(t, n, float(theta0)) - claimed).max() < gamma(2**8)


def test_golden_words_collide_exactly():
    """1/phi = 1/phi^2 + 1/phi^3: from n = 3 on there are F_{n+3} - 1 atoms, not 2^n."""
    counts = [len(golden_law(n)) for n in range(9)]
    assert counts == [1, 2, 4, 7, 12, 20, 33, 54, 88]
    for n in range(8):
        assert golden_law(n) == golden_law(n, order=Backward())
    low, high = (f(map(golden_value, golden_law(8))) for f in (min, max))
    assert low == 0.0
    assert math.isclose(high, 1 - ((5**0.5 - 1) / 2) ** 8, rel_tol=1e-12)


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_refusals():
    with pytest.raises(NotCertified, match="k = 1"):
        exact_bracket([(1, 1)], 3)
    with pytest.raises(NotCertified, match="finite"):
        moment_bracket(QuadraticSGD(0.5, Gaussian()), 3, 0.0, p=math.inf)
    with pytest.raises(ValueError, match="spectral radius"):
        moment_bracket(QuadraticSGD(2.5, Uniform()), 3, 0.0)
    with pytest.raises(ValueError, match="p of W_p must be a number >= 1, got"):
        wasserstein(ExactLaw({0: 1}), ExactLaw({1: 1}), 0.5)
    with pytest.raises(ValueError, match="laws on R"):
        wasserstein(ExactLaw({(0, 0): 1}), ExactLaw({(0, 0): 1}))
    with pytest.raises(ValueError, match="lower <= upper"):
        Bracket(1.0, 0.5, 1, 0, "", "")
    with pytest.raises(ValueError, match="low < high"):
        wasserstein_to_uniform(ExactLaw({0: 1}), 1, 1)
    with pytest.raises(ValueError, match="values must lie"):
        lipschitz_lower_bound([2.0], [0.0], lambda x: x, low=0, high=1, false_alarm=0.1)
    with pytest.raises(ValueError, match="n1 < n2"):
        rate_bracket(*(exact_bracket(BERNOULLI, n, 0) for n in (2, 1)))
