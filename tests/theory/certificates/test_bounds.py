"""The bounds as pure functions: attained exactly in rationals where they are sharp, upper bounds in floats."""

from __future__ import annotations

import math
from fractions import Fraction as F

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contraction.certificates import bounds
from contraction.certificates.blocks import after_blocks

KS = st.one_of(st.just(F(0)), st.fractions(0, F(99, 100), max_denominator=100), st.just(1 - F(1, 10**6)))
SIZES = st.fractions(0, 1000, max_denominator=50)
FLOAT_KS = st.one_of(st.sampled_from([0.0, 1e-300, 0.5, 1 - 2.0**-40, 1 - 2.0**-53]), st.floats(0, 1, exclude_max=True))


def iterate(k, D, x, n):
    """T_1 … T_n x for T x = k x + D."""
    for _ in range(n):
        x = k * x + D
    return x


@given(k=KS, D=SIZES, r=SIZES, n=st.integers(0, 30))
def test_sharp_bounds_are_attained_by_kx_plus_D(k, D, r, n):
    limit = D / (1 - k)
    assert abs(limit - iterate(k, D, F(0), n)) == bounds.geometric(k, D, n) == bounds.other_start(k, D, 0, n)
    # from the start -r the iterate lies below the limit by exactly (D/(1-k) + r) k^n
    assert abs(limit - iterate(k, D, -r, n)) == bounds.other_start(k, D, r, n)
    assert bounds.printed_other_start(k, D, r, n) - bounds.other_start(k, D, r, n) == 2 * k * r * k**n / (1 - k)


def test_the_audits_numbers():
    assert bounds.other_start(F(9, 10), 1, 5, 0) == 15
    assert bounds.printed_other_start(F(9, 10), 1, 5, 0) == 105
    assert bounds.geometric(0.0, 3.0, [0, 1, 2]).tolist() == [bounds.geometric(0.0, 3.0, 0), 0, 0]  # 0^0 = 1
    assert bounds.geometric(0, 3, 0) == 3


@pytest.mark.control
@given(k=st.fractions(F(1, 100), F(9, 10), max_denominator=100), n=st.integers(0, 20))
def test_a_shifted_exponent_is_below_the_distance(k, n):
    assert abs(1 / (1 - k) - iterate(k, F(1), F(0), n)) > bounds.geometric(k, 1, n + 1)


@pytest.mark.control
def test_the_printed_finite_sum_is_below_the_distance():
    """Row 14: D k^n (1 - k^(n-m+2)) / (1-k) is 0 at m = n+2, while the true distance is not."""
    k, D, n, m = F(1, 2), F(1), 3, 5
    gap = abs(iterate(k, D, F(0), m) - iterate(k, D, F(0), n))
    assert gap > D * k**n * (1 - k ** (n - m + 2)) / (1 - k)
    assert gap == D * k**n * (1 - k ** (m - n)) / (1 - k) <= bounds.geometric(k, D, n)


@example(k=0.15625, D=0.0, r=6.0, n=402)  # k^n underflows, the bound does not
@example(k=0.15625, D=0.0, r=2.3949143365709657e20, n=385)
@given(k=FLOAT_KS, D=st.floats(0, 1e100), r=st.floats(0, 1e100), n=st.integers(0, 1500))
def test_floats_are_rounded_up_and_not_far(k, D, r, n):
    n = min(n, 60) if k < 1e-100 else n
    exact = bounds.other_start(F(k), F(D), F(r), n)
    value = bounds.other_start(k, D, r, n)
    assert math.isinf(value) or F(value) >= exact
    # 1 - k is rounded down by an ulp of 1 - k, k^n and the products by some ulps; 2^-45 covers all but underflow
    if 1e-290 < exact < 1e300 and 1 - k > 2.0**-40:
        assert F(value) <= exact * (1 + F(1, 2**45))


@pytest.mark.parametrize(
    ("C", "k", "n"), [(1e253, 2e-188, 3), (1e300, 1e-300, 2), (1e150, 1e-160, 3), (1.0, 0.5, 1074)]
)
def test_a_power_that_underflows_alone_is_still_bounded(C, k, n):
    """C k^n is a float although k^n, or a part of it, is not; beyond the smallest float the bound is that float."""
    exact = F(C) * F(k) ** n
    assert exact <= F(float(bounds.scaled_power(C, k, np.asarray(n)))) <= exact * (1 + F(1, 2**45)) + 4 * F(5e-324)
    assert F(float(after_blocks([1.0], k, C, n))) >= exact / (1 - F(k))


def test_horizons_beyond_2_to_the_53_are_rounded_towards_fewer_maps():
    k, n = 1 - 2.0**-53, 2**54 + 3
    assert float(np.asarray(n).astype(float)) > n  # to the nearest
    assert F(float(bounds.geometric(k, 2.0**-53, n))) >= 1 / F(math.e) ** 3  # (1 - u)^n = exp(-2 …) > e^-3


@given(
    q=st.integers(1, 5),
    kappa=KS,
    lip=st.fractions(F(1, 2), 20, max_denominator=20),
    D=SIZES,
    n=st.integers(0, 20),
    r=SIZES,
)
def test_after_q_exceeds_the_sum_it_bounds(q, kappa, lip, D, n, r):
    def prefix(m):  # the largest Lip(T_1 … T_m) that single factors and blocks allow
        return max(F(1), lip) ** (q - 1) * kappa ** (m // q)

    horizon = n + 40 * q
    total = sum((D * prefix(m) for m in range(n, horizon)), r * prefix(n))
    claimed = bounds.after_q(q, kappa, lip, D, n, r)
    assert total <= claimed
    floats = bounds.after_q(q, float(kappa), float(lip), float(D), n, float(r))
    assert F(floats) >= claimed or float(kappa) != kappa or float(lip) != lip or float(D) != D or float(r) != r


def test_after_one_map_is_the_geometric_bound():
    assert bounds.after_q(1, F(1, 3), F(1, 3), F(2), 4) == bounds.geometric(F(1, 3), F(2), 4)


@given(
    rho=st.floats(0, 0.99), D=st.floats(1e-3, 1e3), n=st.integers(0, 50), p=st.sampled_from([0.25, 0.5, 1.0, 2.0, 3.0])
)
def test_p_mean_exceeds_the_sum_it_bounds(rho, D, n, p):
    """Independent factors with E K^p = rho: the p-norm (p >= 1) or the p-th moment (p < 1) sums over i > n."""
    steps = np.arange(n, n + 400)
    with np.errstate(under="ignore"):
        terms = D * rho ** (steps / p) if p >= 1 else D**p * rho**steps
    total = float(np.sum(terms)) ** (1 if p >= 1 else 1 / p)
    assert total <= bounds.p_mean(rho, p, D, n) * (1 + 400 * 2.0**-52)


def test_p_mean_of_the_audit():
    """K in {2, 1/4}: at p = 1/3 the moment is 2^(1/3) 3/4 = .94494, so E d^p decays by it a map."""
    rho = 2 ** (1 / 3) * 0.75
    ratio = bounds.p_mean(rho, 1 / 3, 1.0, 30) / bounds.p_mean(rho, 1 / 3, 1.0, 20)
    assert ratio == pytest.approx(rho**30, rel=1e-9)  # (rho^10)^(1/p)


@given(
    factors=st.lists(st.fractions(0, 3, max_denominator=6), min_size=1, max_size=12),
    moves=st.lists(st.fractions(-5, 5, max_denominator=6), min_size=12, max_size=12),
)
def test_prefix_tail_is_an_upper_bound_and_attained_for_one_sign(factors, moves):
    N = len(factors)
    K = np.array([F(1), *factors], dtype=object)
    L = np.multiply.accumulate(K)

    def backward(b, n):
        x = F(0)
        for i in range(n, 0, -1):
            x = factors[i - 1] * x + b[i - 1]
        return x

    for b, tight in ((moves[:N], False), ([abs(m) for m in moves[:N]], True)):
        tail = bounds.prefix_tail(L, np.array([abs(m) for m in b], dtype=object))
        distances = [abs(backward(b, N) - backward(b, n)) for n in range(N + 1)]
        assert all(d <= t for d, t in zip(distances, tail, strict=True))
        assert not tight or distances == tail.tolist()


def test_product_tail_follows_the_drawn_factors():
    K = np.array([F(1, 2), F(1, 4), F(0)], dtype=object)
    assert bounds.product_tail(K, F(1, 2), F(3)).tolist() == [6, 3, F(3, 4), 0]
    assert np.all(bounds.product_tail([0.5, 0.25, 0.0], 0.5, 3.0) >= [6, 3, 0.75, 0])


def test_orders_that_agree_on_p_maps():
    """Row 71: two words with p common outermost maps of kx +- D, the rest opposite: within twice the limit's bound."""
    k, D, p = F(1, 2), F(1), 4
    one, other = F(0), F(0)
    for _ in range(30):
        one, other = k * one + D, k * other - D
    for _ in range(p):
        one, other = k * one + D, k * other + D
    gap = one - other
    assert gap <= bounds.agreeing_orders(k, D, p)
    assert gap > bounds.agreeing_orders(k, D, p + 1)


@given(k=st.floats(0, 0.999), C=st.floats(1e-6, 1e6), eps=st.floats(1e-12, 1e3))
def test_steps_is_the_least(k, C, eps):
    n = bounds.steps(k, C, eps)
    assert F(C) * F(k) ** n <= F(eps)
    assert n == 0 or C * k ** (n - 1) > eps * (1 - 1e-12)


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        (lambda: bounds.geometric(1.0, 1.0, 0), r"must be in \[0, 1\), got 1.0"),
        (lambda: bounds.geometric(-0.1, 1.0, 0), r"must be in \[0, 1\), got -0.1"),
        (lambda: bounds.geometric(math.nan, 1.0, 0), r"must be in \[0, 1\), got nan"),
        (lambda: bounds.geometric(0.5, math.inf, 0), "D must be a finite number >= 0, got inf"),
        (lambda: bounds.other_start(0.5, 1.0, -1.0, 0), "r must be a finite number >= 0, got -1.0"),
        (lambda: bounds.geometric(0.5, 1.0, -1), "n must be an integer >= 0"),
        (lambda: bounds.geometric(0.5, 1.0, 0.5), "n must be an integer >= 0"),
        (lambda: bounds.after_q(0, 0.5, 1.0, 1.0, 0), "q must be an integer of at least 1, got 0"),
        (lambda: bounds.p_mean(0.5, 0.0, 1.0, 0), "p must be a finite number > 0, got 0.0"),
        (lambda: bounds.p_mean(1.0, 1.0, 1.0, 0), r"rho_p must be in \[0, 1\)"),
        (lambda: bounds.prefix_tail([1.0], [1.0]), "n = 0 … N: got 1 values for N = 1"),
        (lambda: bounds.steps(0.5, 1.0, 0.0), "eps must be a finite number > 0, got 0.0"),
    ],
)
def test_bad_input(call, rule):
    with pytest.raises(ValueError, match=rule):
        call()
