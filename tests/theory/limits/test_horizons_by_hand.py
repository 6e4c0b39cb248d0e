"""The least number of maps for a precision, at the bound itself and one float below it, and what is said of too few."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

import contraction as ct
from contraction.certificates.majorants import AtLimit, Geometric, WithinSeen
from contraction.families import FiniteFamily
from contraction.limits.certified import _one_digit_up, _own_factors, _times, certified_limit

HALVES = FiniteFamily([(F(1, 2), F(0)), (F(1, 2), F(1))])
CERTIFICATES = {
    "Theorem 2.2": lambda: ct.certify(HALVES, 0.0),
    "from another start": lambda: ct.certify(HALVES, 0.0, start=3.0),
    "in mean square": lambda: ct.certify(HALVES, 0.0, moment=2.0),
    "after blocks": lambda: ct.certify(FiniteFamily([([[0.5, 0.9], [0.0, 0.5]], [0.0, 1.0])]), [0.0, 0.0], q=4),
    "of drawn maps": lambda: ct.certify(HALVES.sample(9), 0.0),
    "of replicas": lambda: ct.certify(HALVES.sample(9, replicas=3), 0.0),
}


@pytest.mark.parametrize("name", CERTIFICATES)
def test_the_number_of_steps_is_the_first_whose_bound_is_small_enough(name: str) -> None:
    certificate = CERTIFICATES[name]()
    largest = certificate.horizon or 40
    table = np.asarray(certificate.bound(np.arange(largest + 1)))
    bounds = table.reshape(-1, largest + 1).max(axis=0).tolist()
    for eps in {*bounds, *(math.nextafter(b, 0) for b in bounds), *(math.nextafter(b, 9e9) for b in bounds)}:
        reached = [n for n, bound in enumerate(bounds) if bound <= eps]
        if eps > 0 and reached:
            assert certificate.steps(eps) == reached[0]
    if certificate.horizon is not None and min(bounds) > 0:
        with pytest.raises(ValueError, match="draw more maps"):
            certificate.steps(min(bounds) / 2)


def test_no_number_of_steps_is_enough_where_the_bound_does_not_fall() -> None:
    slow = ct.certify(FiniteFamily([(1 - 2.0**-40, 1.0)]), 0.0)
    assert slow.steps(2.0**39) > 2**38
    for seen, reason in ((1.0, r"k = 0\.99999999999909\d+ is too near 1"), (math.inf, "the bound is infinite")):
        level = dataclasses.replace(slow, majorant=WithinSeen(0, seen))
        assert level.bound(2**60) == seen
        with pytest.raises(ValueError, match=rf"no n <= 2\^60 has a bound of at most 0\.5: {reason}"):
            level.steps(0.5)


def test_bounds_of_negative_and_later_iterates_are_refused() -> None:
    drawn = ct.certify(HALVES.sample(4), 0.0)
    assert np.shape(drawn.bound(4)) == ()
    with pytest.raises(ValueError, match="this certificate holds for n <= 4, got n = 5"):
        drawn.bound([0, 5])
    for n in (-1, [0, -1], 0.5):
        with pytest.raises(ValueError, match="an integer >= 0"):
            drawn.bound(n)
    assert drawn.bound(np.array([], dtype=int)).shape == (0,)  # type: ignore[union-attr]
    assert AtLimit().bound(np.arange(2)).tolist() == [0.0, 0.0]  # type: ignore[union-attr]
    assert WithinSeen(2, 0.5).bound(np.arange(4)).tolist() == [np.inf, np.inf, 0.5, 0.5]  # type: ignore[union-attr]


def test_what_is_printed_of_a_certificate() -> None:
    certificate = ct.certify(HALVES, 0.0)
    assert repr(certificate) == "<certificate by Theorem 2.2: k=0.5, D=1, proved, D kⁿ/(1−k)>"
    lines = str(certificate).splitlines()
    assert lines[0] == "certificate (Theorem 2.2): d(θ*, T_1…T_n θ) ≤ D kⁿ/(1−k)"
    assert lines[1] == "  distance  Euclidean()"
    assert lines[-1] == "  bound     n=0: 2, n=10: 0.00195, n=100: 1.58e-30, n=1000: 1.87e-301"
    assert lines[2].startswith("  k = 0.5          proved    ")
    assert any(line.startswith("  holds if ") for line in lines)
    drawn = str(ct.certify(HALVES.sample(9), 0.0)).splitlines()
    assert any(line.startswith("  holds for ") for line in drawn)
    assert drawn[-1].startswith("  bound     n=0: ")
    assert [part.split(":")[0] for part in drawn[-1][12:].split(", ")] == ["n=0", "n=4", "n=9"]
    assert "(E d(θ*, T_1…T_n θ)^2)^(1/2)" in str(ct.certify(HALVES, 0.0, moment=2.0))
    first = str(ct.certify(FiniteFamily([(0.5, 0.0), (0.25, 1.0)]), 0.0, moment=1.0))
    assert " E d(θ*, T_1…T_n θ) ≤ " in first


@pytest.mark.parametrize("n", [1, 4, 10])
def test_a_limit_is_taken_at_the_bound_itself(n: int) -> None:
    """From an exact start there is no rounding: eps is compared with the truncation D k^n / (1 - k) alone."""
    certificate = ct.certify(HALVES, 0.0)
    start, bound = np.array([F(0)]), float(certificate.bound(n))
    found = certified_limit(HALVES, start, bound, 0, certificate, 100)
    assert (found.maps, found.error, found.rounding) == (n, bound, 0.0)
    x = F(0)
    for i in range(n, 0, -1):
        x = x / 2 + int(HALVES.sample(n, 0).draws[i - 1])
    assert found.value.tolist() == [x]
    below = certified_limit(HALVES, start, math.nextafter(bound, 0), 0, certificate, 100)
    assert below.maps == n + 1
    assert certified_limit(HALVES, start, bound, 0, certificate, n).maps == n
    with pytest.raises(ct.NotSettled, match=rf"the certificate needs {n + 1} maps for eps = .*, max_maps is {n}"):
        certified_limit(HALVES, start, math.nextafter(bound, 0), 0, certificate, n)


@pytest.mark.parametrize("start", [1.0, 1.3, 3.0, 7e5])
def test_an_eps_below_the_rounding_is_refused_with_one_that_is_not(start: float) -> None:
    """The least eps that the message offers has one digit, is accepted, and half of it is not."""
    certificate, theta = ct.certify(HALVES, start), np.array([start])
    with pytest.raises(ValueError, match=r"below the precision of float64 here: .* Use an eps of at least ") as refused:
        certified_limit(HALVES, theta, 1e-17 * start, 0, certificate, 1000)
    enough = float(str(refused.value).split("at least ")[1].split(",")[0])
    found = certified_limit(HALVES, theta, enough, 0, certificate, 1000)
    assert 0 < found.rounding < found.error <= enough
    assert found.error == found.truncation + found.rounding
    with pytest.raises(ValueError, match="below the precision"):
        certified_limit(HALVES, theta, found.rounding, 0, certificate, 1000)


@pytest.mark.parametrize(
    ("x", "up"), [(1.0, 1.0), (1.01, 2.0), (9.2, 10.0), (1.496e-13, 2e-13), (3e-5, 3e-5), (250.0, 300.0)]
)
def test_a_number_is_rounded_up_to_one_digit(x: float, up: float) -> None:
    assert _one_digit_up(x) == pytest.approx(up, rel=1e-12, abs=0)


@pytest.mark.parametrize("slopes", [(0.5, 0.25), (0.9, 0.0)])
def test_factors_of_the_drawn_maps_are_used_where_they_are_smaller(slopes: tuple[float, float]) -> None:
    family = FiniteFamily([(a, 1.0) for a in slopes])
    certificate, operators = ct.certify(family, 0.0), family.sample(30, 4)
    at_zero = F(float(certificate.bound(0)))
    for eps in (1.0, 0.1, 1e-3):
        products = [1.0]
        n, error = _own_factors(operators, certificate, eps, products)
        exact = [at_zero]
        for draw in operators.draws:
            exact.append(exact[-1] * F(slopes[int(draw)]))
        assert n == next(i for i, e in enumerate(exact) if e * (1 + F(2.0**-40)) <= F(eps))
        assert exact[n] <= F(error) <= exact[n] * (1 + F(2.0**-40))
        assert len(products) == n + 1
        assert _own_factors(operators, certificate, eps, products) == (n, error)  # from the products that are there


def test_products_of_numbers_are_rounded_up_and_never_lost() -> None:
    assert _times(0.0, 5.0, 3) == _times(5.0, 0.0, 3) == 0.0
    assert _times(1e-200, 1e-200, 3) == 5e-324
    assert F(_times(0.1, 0.3, 0)) > F(0.1) * F(0.3)


@pytest.mark.parametrize(("most", "used"), [(1, 1), (5, 4), (8, 8)])
def test_a_path_that_does_not_settle_names_the_last_horizon(most: int, used: int) -> None:
    """Horizons are powers of two; a slow contraction is not within eps after so few maps."""
    slow = ct.RandomOperator(lambda rng: rng.uniform(-1, 1), lambda x, u: 0.99 * x + u)
    told: list[int] = []
    with pytest.raises(ct.NotSettled, match=rf"not settled within eps = 1e-06 by {used} maps \(max_maps = {most}\)"):
        ct.backward_limit(slow, 0.0, 1e-6, max_maps=most, progress=lambda n, far: told.append(n))
    assert told == [n for n in (1, 2, 4, 8) if n <= most]


def test_maps_that_fix_the_start_leave_contraction_undecided() -> None:
    still = ct.RandomOperator(lambda rng: rng.uniform(0, 1), lambda x, u: u * x)
    with pytest.raises(ct.NotSettled, match=r"undecided: at n = 4, no fresh start .* differs from theta0"):
        ct.backward_limit(still, 0.0, 1e-6, max_maps=7)
    fixed: Any = ct.backward_limit(ct.RandomOperator(lambda rng: 0.5, lambda x, u: u * x, displacement=0.0), 0.0, 1e-6)
    assert (fixed.value.tolist(), fixed.error) == ([0.0], 0.0)


def test_geometric_bounds_are_those_of_their_formula() -> None:
    for n, value in enumerate(np.asarray(Geometric(0.25, 3.0, None).bound(np.arange(5))).tolist()):
        assert F(4, 4**n) <= F(value) <= F(4, 4**n) * (1 + F(2.0**-45))
    for n, value in enumerate(np.asarray(Geometric(0.25, 3.0, 2.0).bound(np.arange(5))).tolist()):
        assert F(6, 4**n) <= F(value) <= F(6, 4**n) * (1 + F(2.0**-45))
