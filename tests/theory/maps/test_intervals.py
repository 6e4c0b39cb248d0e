"""Intervals contain exact results: rationals for arithmetic, 60 digits for elementary functions."""

from __future__ import annotations

import builtins
from fractions import Fraction as F

import flint
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


def series_of(name: str, x: flint.arb) -> list[flint.arb]:
    """The Taylor coefficients of f at x up to the third, as balls, from series of exponentials and logarithms alone."""
    t, one = flint.arb_series([x, 1], 4), flint.arb_series([1], 4)
    match name:
        case "tanh":
            found = one - 2 / ((2 * t).exp() + 1)
        case "expit":
            found = one / ((-t).exp() + 1)
        case "softplus":
            found = (t.exp() + 1).log()
        case "log1p":
            found = (t + 1).log()
        case "reciprocal":
            found = one / t
        case _:
            found = getattr(t, name)()
    return [found[k] for k in range(4)]


def contradictions(name: str, x: Intervals, share: np.ndarray, shrunk: float = 1.0) -> int:
    """How many of the points mid + share rad have a Taylor coefficient that is surely outside its interval."""
    rows, count = derivatives(name, x, 3), 0
    for place in range(len(share)):
        point = flint.arb(float(x.mid[place])) + flint.arb(float(x.rad[place])) * flint.arb(float(share[place]))
        outside = False
        for row, exact in zip(rows, series_of(name, point), strict=True):
            mid, rad = flint.arb(float(row.mid[place])), flint.arb(float(row.rad[place]) * shrunk)
            outside |= bool(abs(exact - mid) > rad)
        count += outside
    return count


def ten_thousand(name: str) -> tuple[Intervals, np.ndarray]:
    """10^4 intervals of radius 1e-6 to 1 and a point of each: an end of every other one."""
    rng = np.random.default_rng([7, *name.encode()])
    mid = rng.uniform(1.5, 5, 10_000) if name in ("log", "log1p", "sqrt", "reciprocal") else rng.uniform(-8, 8, 10_000)
    share = rng.uniform(-1, 1, 10_000)
    share[::2] = np.sign(share[::2])
    return Intervals(mid, 10 ** rng.uniform(-6, 0, 10_000)), share


@pytest.mark.parametrize("name", FUNCTIONS)
def test_ten_thousand_points_never_contradict_an_enclosure(name):
    x, share = ten_thousand(name)
    assert contradictions(name, x, share) == 0
    few = slice(0, 200)
    if name not in ("sin", "cos"):  # those are widened by the radius of x, so that a shrunk one may still contain them
        assert contradictions(name, x[few], share[few], 1 - 1e-5) > 50


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in ("sin", "cos")])
def test_enclosures_are_tight(name):
    """At most 1 % wider than the range over 401 points of an interval, which misses a turn by (1/800)² of the width."""
    x = ten_thousand(name)[0][:200]
    shares = np.linspace(-1, 1, 401)
    points = Intervals((x.mid[:, None] + x.rad[:, None] * shares).ravel())
    for row, values in zip(derivatives(name, x, 3), derivatives(name, points, 3), strict=True):
        seen = values.mid.reshape(200, 401)
        assert np.all(2 * row.rad <= 1.01 * (np.max(seen, axis=1) - np.min(seen, axis=1)) + 4e-14)


def test_the_second_derivative_of_softplus_is_at_most_a_quarter():
    """σ(1 − σ): 1/4 at 0 and not beyond, positive and small in the tails, and its slope within ±1/(6√3)."""
    x = Intervals([0.0, 0.0, -30.0, 30.0, 1.0], [0.0, 3.0, 1.0, 1.0, 1.5])
    curvature, third = (row * factor for row, factor in zip(derivatives("softplus", x, 3)[2:], (2.0, 6.0), strict=True))
    assert np.all(curvature.high <= 0.25 * (1 + 1e-14))
    assert np.all(curvature.low > 0)
    assert curvature.high[2] == pytest.approx(np.exp(-29), rel=1e-9, abs=0)
    assert np.all(third.magnitude <= 3**-0.5 / 6 * (1 + 1e-14))
    t = np.tanh(1.5)  # what an expansion of 1 - t² around the midpoint of t gives
    assert (1 + t * t) / 4 > 0.45


@pytest.mark.parametrize("name", ["tanh", "sech", "exp", "softplus", "log", "sin"])
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
    true = intervals._hull
    monkeypatch.setattr(intervals, "_hull", lambda *ends: Intervals((found := true(*ends)).mid, found.rad * (1 - 1e-4)))
    assert largest_misses("tanh", x, ends) > 1
    monkeypatch.setattr(intervals, "above", lambda x, operations: np.zeros_like(np.asarray(x, dtype=float)))
    a, b = 1 / 3, 0.7
    assert not encloses(Intervals(a) * b, F(a) * F(b))
