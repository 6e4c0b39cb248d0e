"""Intervals contain exact results: rationals for arithmetic, 60 digits for elementary functions."""

from __future__ import annotations

import builtins
from fractions import Fraction as F

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.maps import intervals
from contraction.maps.errors import NotCertified
from contraction.maps.intervals import Intervals, derivatives

number = st.floats(-1e3, 1e3, allow_subnormal=False).map(lambda x: x if abs(x) > 1e-100 else 0.0)
radius = st.floats(0, 2, allow_subnormal=False).map(lambda x: x if x > 1e-100 else 0.0)
share = st.fractions(-1, 1, max_denominator=64)


def encloses(found: Intervals, exact: F) -> bool:
    return abs(exact - F(float(found.mid))) <= F(float(found.rad))


@given(a=number, b=number, r=radius, s=radius, p=share, q=share)
def test_arithmetic_encloses_every_pair_of_numbers(a, b, r, s, p, q):
    x, y = Intervals(a, r), Intervals(b, s)
    u, v = F(a) + p * F(r), F(b) + q * F(s)
    assert encloses(x + y, u + v)
    assert encloses(x - y, u - v)
    assert encloses(x * y, u * v)
    assert encloses(3.0 - x, 3 - u)
    assert encloses(x**3, u**3)
    assert x.magnitude >= abs(u)
    assert x.low <= u <= x.high
    if abs(b) > 1.5 * s and abs(b) > 1e-6:
        assert encloses(x / y, u / v)


def test_an_interval_with_zero_has_no_reciprocal():
    with pytest.raises(NotCertified, match="contains 0"):
        Intervals([1.0, 0.5], [0.1, 0.5]).reciprocal()
    with pytest.raises(NotCertified, match="logarithm"):
        derivatives("log", Intervals(-2.0, 0.5), 1)


@pytest.mark.parametrize("seed", range(20))
def test_products_and_sums_with_cancellation(seed):
    """Matrices whose products nearly cancel: the exact result is within the radius, which is tiny and not 0."""
    rng = np.random.default_rng(seed)
    A, B = rng.standard_normal((3, 40)), rng.standard_normal((40, 2))
    A, B = np.hstack([A, -A]), np.vstack([B, B * (1 + 2.0**-45)])
    found = Intervals(A) @ B
    for i in range(3):
        for j in range(2):
            exact = sum((F(x) * F(y) for x, y in zip(A[i].tolist(), B[:, j].tolist(), strict=True)), F(0))
            assert encloses(found[i, j], exact)
    assert np.max(found.rad) < 1e-11
    total = Intervals(A).sum()
    assert encloses(total, sum((F(x) for x in A.ravel().tolist()), F(0)))


FUNCTIONS = {
    "tanh": mpmath.tanh,
    "exp": mpmath.exp,
    "expit": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "log": mpmath.log,
    "log1p": mpmath.log1p,
    "sqrt": mpmath.sqrt,
    "reciprocal": lambda x: 1 / x,
}


def largest_misses(name: str, x: Intervals, shares: np.ndarray) -> float:
    """The largest distance of a Taylor coefficient, to 60 digits, to the midpoint of its interval, in radii."""
    rows, worst = derivatives(name, x, 3), 0.0
    with mpmath.workdps(60):
        for place, (mid, rad) in enumerate(zip(x.mid.tolist(), x.rad.tolist(), strict=True)):
            for part in shares.tolist():
                point = mpmath.mpf(mid) + mpmath.mpf(rad) * part
                exact = mpmath.taylor(FUNCTIONS[name], point, 3)
                for row, value in zip(rows, exact, strict=True):
                    gap = abs(value - mpmath.mpf(float(row.mid[place]))) / mpmath.mpf(float(row.rad[place]))
                    worst = max(worst, float(gap))
    return worst


@pytest.mark.parametrize("name", FUNCTIONS)
def test_elementary_functions_contain_their_taylor_coefficients(name):
    """At ends and inside of narrow and wide intervals; what the intervals miss by would show as more than 1 radius."""
    rng = np.random.default_rng(len(name))
    mid = rng.uniform(2.0, 3.0, 6) if name in ("log", "log1p", "sqrt", "reciprocal") else rng.uniform(-4, 4, 6)
    x = Intervals(mid, [0.0, 1e-12, 1e-3, 0.1, 0.5, 1.0])
    assert largest_misses(name, x, np.array([-1, -0.5, 0, 0.75, 1])) <= 1


@pytest.mark.parametrize("name", ["tanh", "exp", "softplus", "log", "sin"])
def test_without_flint_the_values_agree(name, monkeypatch):
    x = np.linspace(0.1, 40, 30)
    with_flint = intervals._at(name, x)
    true_import = builtins.__import__
    monkeypatch.setattr(intervals, "load_flint", lambda: true_import("no_such_module_at_all"))
    found = intervals._at(name, x)
    assert np.all(np.abs(found.mid - with_flint.mid) <= found.rad + with_flint.rad)
    assert np.all(found.rad <= 1e-15 * np.abs(found.mid) + 1e-299)


@pytest.mark.parametrize("seed", range(5))
def test_positive_definite_by_pivots(seed):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((6, 6))
    A = A @ A.T
    least = np.linalg.eigvalsh(A)[0]
    assert (Intervals(A) - (least * (1 - 1e-6)) * np.eye(6)).positive_definite()
    assert not (Intervals(A) - (least * (1 + 1e-6)) * np.eye(6)).positive_definite()
    assert not Intervals(A, np.full((6, 6), least)).positive_definite()


@pytest.mark.control
def test_radii_rounded_inwards_are_noticed(monkeypatch):
    """The same checks with a ten-thousandth of the width, or of the rounding, left out of the radii."""
    x = Intervals(np.array([0.3, 1.2]), np.array([0.1, 0.5]))
    ends = np.array([-1.0, 1.0])
    true = intervals._increasing
    monkeypatch.setattr(
        intervals, "_increasing", lambda name, x: Intervals(true(name, x).mid, true(name, x).rad * (1 - 1e-4))
    )
    assert largest_misses("tanh", x, ends) > 1
    monkeypatch.setattr(intervals, "above", lambda x, operations: np.zeros_like(np.asarray(x, dtype=float)))
    a, b = 1 / 3, 0.7
    assert not encloses(Intervals(a) * b, F(a) * F(b))
