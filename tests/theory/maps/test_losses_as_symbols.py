"""Derivatives of losses written in NumPy, in every form of their arithmetic, against those of SymPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy

from contraction.maps import step_enclosures
from contraction.maps.domains import RotatedBox
from contraction.maps.step_enclosures import StepEnclosure, enclose_step

CENTER = np.array([0.5, -0.25])
ROWS = (np.array([[1.0, 2.0], [-0.5, 1.5], [0.75, -1.0]]), np.array([1.0, -2.0, 0.5]))
BASIS = np.array([[0.6, -0.8], [0.8, 0.6]])
LOSSES: dict[str, Callable[..., Any]] = {
    "a number minus a symbol": lambda f, t, x, y: (y - (t[0] * x[0] + t[1] * x[1])) ** 2,
    "a number over a symbol": lambda f, t, x, y: y / (1 + t[0] ** 2 + t[1] ** 2),
    "a symbol over a number": lambda f, t, x, y: (t[0] * x[0] - t[1]) ** 3 / y,
    "a symbol over a symbol": lambda f, t, x, y: (1 + t[0]) / (2 + t[1] * t[1]),
    "a number times a symbol": lambda f, t, x, y: y * (x[0] * f.exp(t[0] - t[1])),
    "a number plus a symbol": lambda f, t, x, y: f.log(3 + (x[1] + t[0]) ** 2) + y,
    "minus a symbol": lambda f, t, x, y: -f.sin(t[0] * x[0]) * f.cos(-t[1]),
    "roots and powers": lambda f, t, x, y: f.sqrt(2 + t[0] ** 2) * (2 + t[1]) ** 3,
}


def of_mean(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradient and Hessian at the centre and third derivatives there, in the coordinates of the box."""
    u = sympy.symbols("u:2")
    theta = [CENTER[i] + sum(sympy.Float(BASIS[i, j], 30) * u[j] for j in range(2)) for i in range(2)]
    total = sum(LOSSES[name](sympy, theta, x, y) for x, y in zip(*ROWS, strict=True)) / 3
    at = dict.fromkeys(u, 0)

    def derivative(*which: int) -> float:
        return float(sympy.diff(total, *(u[j] for j in which)).subs(at).evalf(25))

    return (
        np.array([derivative(i) for i in range(2)]),
        np.array([[derivative(i, j) for j in range(2)] for i in range(2)]),
        np.array([[[derivative(i, j, k) for k in range(2)] for j in range(2)] for i in range(2)]),
    )


def enclosed(name: str, radius: float) -> StepEnclosure:
    region = RotatedBox(CENTER, np.full(2, radius), BASIS)
    return enclose_step(lambda t, x, y: LOSSES[name](np, t, x, y), ROWS, region, 0.1, 0.0)


@pytest.mark.parametrize("name", LOSSES)
def test_derivatives_lie_in_their_enclosures(name: str) -> None:
    """At the centre within roundings; the third ones, which hold on the whole box, within its size."""
    step = enclosed(name, 1e-9)
    for found, exact, room in zip(step[1:], of_mean(name), (1e-12, 1e-12, 1e-6), strict=True):
        assert isinstance(exact, np.ndarray)
        assert np.all(np.abs(found.mid - exact) <= found.rad + 1e-14)  # SymPy's numbers are rounded once
        assert np.all(found.rad <= room)


def test_an_array_of_symbols_is_taken_entry_by_entry() -> None:
    """The same loss with np.array of symbols, np.square and np.sum, and by hand."""
    region = RotatedBox(CENTER, np.full(2, 1e-3), BASIS)

    def at_once(t: Any, x: Any, y: Any) -> Any:
        return np.sum(np.square(np.array([t[0] * x[0], t[1] * x[1]]) - y))

    def by_hand(t: Any, x: Any, y: Any) -> Any:
        return (t[0] * x[0] - y) ** 2 + (t[1] * x[1] - y) ** 2

    first, second = (enclose_step(loss, ROWS, region, 0.1, 0.5) for loss in (at_once, by_hand))
    for a, b in zip(first[1:], second[1:], strict=True):
        assert isinstance(a, type(b))
        np.testing.assert_allclose(a.mid, b.mid, rtol=1e-13, atol=1e-13)


def test_rows_in_several_chunks_are_added(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = enclosed("a symbol over a symbol", 0.1)
    monkeypatch.setattr(step_enclosures, "CHUNK", 2)
    parts = enclosed("a symbol over a symbol", 0.1)
    for a, b in zip(whole[1:], parts[1:], strict=True):
        assert isinstance(a, type(b))
        np.testing.assert_allclose(a.mid, b.mid, rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose(a.rad, b.rad, rtol=0.1, atol=1e-12)
