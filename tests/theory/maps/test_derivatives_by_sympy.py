"""Gradients, Hessians and third derivatives of losses in the coordinates of a box, against those that SymPy derives."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
import sympy
from scipy import special

from contraction.maps.domains import RotatedBox
from contraction.maps.step_enclosures import enclose_step
from contraction.maps.taylor import Tape, as_floats, differentiate

LOSSES: dict[str, tuple[Callable[..., Any], str]] = {
    "network": (lambda t, x, y: (y - t[1] * np.tanh(t[0] * x)) ** 2, "(y - b*tanh(a*x))**2"),
    "logistic": (lambda t, x, y: np.log1p(np.exp(-y * (t[0] * x + t[1]))), "log(1 + exp(-y*(a*x + b)))"),
    "logaddexp": (lambda t, x, y: np.logaddexp(t[0] * x, t[1] * y), "log(exp(a*x) + exp(b*y))"),
    "three exponentials": (
        lambda t, x, y: np.log(np.exp(t[0] * x) + np.exp(t[1]) + 1) - y * t[0],
        "log(exp(a*x) + exp(b) + 1) - y*a",
    ),
    "roots and waves": (
        lambda t, x, y: np.sqrt(1 + t[0] ** 2 * x**2) * np.cos(t[1] * y),
        "sqrt(1 + a**2*x**2)*cos(b*y)",
    ),
    "expit": (lambda t, x, y: special.expit(t[0] * x) * t[1] + np.exp(t[1] * y / 4), "b/(1 + exp(-a*x)) + exp(b*y/4)"),
    "logarithms": (
        lambda t, x, y: np.log1p((t[0] * x) ** 2) + np.log(3 + t[1] * y),
        "log(1 + (a*x)**2) + log(3 + b*y)",
    ),
    "negative": (lambda t, x, y: -(t[0] - x) * (-t[1] + y) + np.negative(t[0]) ** 2, "-(a - x)*(y - b) + a**2"),
    "numbers of a row": (
        lambda t, x, y: x * (t[0] + t[1]) ** 2 + (y - x) * t[0] - x / 3,
        "x*(a + b)**2 + (y - x)*a - x/3",
    ),
}
DATA = np.array([0.5, -1.0, 1.5]), np.array([1.0, -1.0, 0.25])
CENTER = np.array([0.3, -0.4])
FRAMES = {"identity": np.eye(2), "oblique": np.array([[2.0, 0.5], [-1.0, 1.0]])}


@functools.cache
def exact(name: str) -> list[Callable[[float, float], np.ndarray]]:
    """The first, second and third derivatives of the mean loss, as functions of the two parameters."""
    a, b, x, y = sympy.symbols("a b x y")
    symbols, parse = {"a": a, "b": b, "x": x, "y": y}, cast(Any, sympy.sympify)
    loss = parse(LOSSES[name][1], locals=symbols)
    out = []
    for order in (1, 2, 3):
        places = ["".join(place) for place in itertools.product("ab", repeat=order)]
        known = {
            word: sympy.lambdify((a, b, x, y), sympy.diff(loss, *({"a": a, "b": b}[c] for c in word)), "math")
            for word in {"".join(sorted(place)) for place in places}
        }
        terms = [known["".join(sorted(place))] for place in places]

        def at(s: float, t: float, terms: list = terms, order: int = order) -> np.ndarray:
            rows = [[f(s, t, u, v) for f in terms] for u, v in zip(*(one.tolist() for one in DATA), strict=True)]
            return np.mean(rows, axis=0).reshape((2,) * order)

        out.append(at)
    return out


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("name", LOSSES)
def test_derivatives_on_a_small_box_are_those_at_its_center(name: str, frame: str) -> None:
    Q, ridge = FRAMES[frame], 0.25
    region = RotatedBox(CENTER, np.array([1e-9, 2e-9]), Q)
    found = enclose_step(LOSSES[name][0], DATA, region, 0.1, ridge)
    first, second, third = (one(*CENTER.tolist()) for one in exact(name))
    assert found.h == 0.1
    for interval, value, tolerance in (
        (found.gradient, Q.T @ (first + ridge * CENTER), 1e-12),
        (found.curvature, Q.T @ (second + ridge * np.eye(2)) @ Q, 1e-12),
        (found.third, np.einsum("abc,ai,bj,ck->ijk", third, Q, Q, Q), 1e-4),
    ):
        assert np.all(interval.low <= value + 1e-13)
        assert np.all(value - 1e-13 <= interval.high)
        assert np.all(interval.rad <= tolerance)


@pytest.mark.parametrize("name", LOSSES)
def test_third_derivatives_on_a_box_contain_those_at_all_its_points(name: str) -> None:
    Q, r = FRAMES["oblique"], np.array([0.1, 0.2])
    found = enclose_step(LOSSES[name][0], DATA, RotatedBox(CENTER, r, Q), 0.1, 0.0)
    for share in itertools.product((-1.0, 0.5, 1.0), repeat=2):
        point = CENTER + Q @ (r * share)
        value = np.einsum("abc,ai,bj,ck->ijk", exact(name)[2](*point.tolist()), Q, Q, Q)
        assert np.all(found.third.low <= value + 1e-13)
        assert np.all(value - 1e-13 <= found.third.high)
    V = found.variation(r)
    np.testing.assert_allclose(V, found.third.magnitude @ r, rtol=1e-12, atol=1e-290)
    assert np.all(found.third.magnitude @ r <= V)


@pytest.mark.parametrize("name", LOSSES)
def test_slopes_in_floats_are_the_first_derivatives(name: str) -> None:
    """The tape of order 1 at points: Σ over features of its slope times the feature's row."""
    tape = Tape(CENTER.tolist(), 1)
    terms = differentiate(LOSSES[name][0], tape, DATA)
    total = np.zeros((3, 2))
    for key, value in terms.items():
        if key:
            (k,) = key
            for m, coefficient in tape.rows[k].items():
                total[:, m] += as_floats(value) * as_floats(coefficient)
    np.testing.assert_allclose(total.mean(axis=0), exact(name)[0](*CENTER.tolist()), rtol=1e-12, atol=1e-14)
