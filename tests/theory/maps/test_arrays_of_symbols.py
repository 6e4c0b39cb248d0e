"""Arrays of numbers that depend on theta, beside symbols on either side: the loss is that of its entries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from contraction.maps.domains import RotatedBox
from contraction.maps.errors import MapRefused
from contraction.maps.step_enclosures import enclose_step
from contraction.maps.taylor import Tape, as_floats, differentiate

ROWS = (np.array([[1.0, 2.0], [-0.5, 1.5]]), np.array([1.0, -2.0]))
REGION = RotatedBox(np.array([0.5, -0.25]), np.full(2, 1e-3), np.array([[0.6, -0.8], [0.8, 0.6]]))


def pair(a: Any, b: Any) -> np.ndarray:
    return np.array([a, b], dtype=object)


#: The array of two numbers, and its first and its second entry.
ARRAYS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "a symbol times an array": (lambda t, y: t[0] * pair(t[0], t[1] * y), lambda t, y, a: t[0] * a),
    "an array times a symbol": (lambda t, y: pair(t[0], t[1] * y) * t[1], lambda t, y, a: a * t[1]),
    "a symbol plus an array": (lambda t, y: t[0] + pair(t[0], t[1] * y), lambda t, y, a: t[0] + a),
    "an array plus a symbol": (lambda t, y: pair(t[0], t[1] * y) + t[0], lambda t, y, a: a + t[0]),
    "a symbol minus an array": (lambda t, y: t[0] - pair(t[0], t[1] * y), lambda t, y, a: t[0] - a),
    "an array minus a symbol": (lambda t, y: pair(t[0], t[1] * y) - t[0], lambda t, y, a: a - t[0]),
    "a function times an array": (lambda t, y: np.exp(t[0]) * pair(t[0], t[1] * y), lambda t, y, a: np.exp(t[0]) * a),
    "a function plus an array": (lambda t, y: np.sin(t[1]) + pair(t[0], t[1] * y), lambda t, y, a: np.sin(t[1]) + a),
    "a function minus an array": (lambda t, y: np.sin(t[1]) - pair(t[0], t[1] * y), lambda t, y, a: np.sin(t[1]) - a),
    "an array minus a function": (lambda t, y: pair(t[0], t[1] * y) - np.cos(t[1]), lambda t, y, a: a - np.cos(t[1])),
    "an array over a function": (lambda t, y: pair(t[0], t[1] * y) / np.exp(t[1]), lambda t, y, a: a / np.exp(t[1])),
    "np.add": (lambda t, y: np.add(pair(t[0], t[1] * y), t[0]), lambda t, y, a: a + t[0]),
    "np.subtract": (lambda t, y: np.subtract(t[0], pair(t[0], t[1] * y)), lambda t, y, a: t[0] - a),
}


def enclosed(loss: Callable[..., Any]) -> Any:
    return enclose_step(loss, ROWS, REGION, 0.1, 0.0)


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_beside_a_symbol_is_taken_entry_by_entry(name: str) -> None:
    array, entry = ARRAYS[name]

    def at_once(t: Any, x: Any, y: Any) -> Any:
        first, second = array(t, y)
        return first**2 + 3 * second

    def by_hand(t: Any, x: Any, y: Any) -> Any:
        return entry(t, y, t[0]) ** 2 + 3 * entry(t, y, t[1] * y)

    for a, b in zip(enclosed(at_once)[1:], enclosed(by_hand)[1:], strict=True):
        np.testing.assert_allclose(a.mid, b.mid, rtol=1e-13, atol=1e-15)
        np.testing.assert_allclose(a.rad, b.rad, rtol=1e-6, atol=1e-14)
    other = enclosed(lambda t, x, y: by_hand(t, x, y) + 1e-3 * t[0] ** 2)
    assert np.any(np.abs(other[1].mid - enclosed(at_once)[1].mid) > 1e-5)


def test_the_gradient_of_a_sum_over_an_array_by_hand() -> None:
    """(θ_0 (θ_0, y θ_1)) summed is θ_0² + y θ_0 θ_1, at (0.5, -0.25)."""
    tape = Tape([0.5, -0.25], 1)
    terms = differentiate(lambda t, y: np.sum(t[0] * pair(t[0], y * t[1])), tape, ([1.0, -2.0],))
    assert as_floats(terms[()]).tolist() == [0.25 - 0.125, 0.25 + 0.25]
    by_parameter = np.zeros((2, 2))
    for (feature,), value in ((key, value) for key, value in terms.items() if key):
        for m, c in tape.rows[feature].items():
            by_parameter[m] += as_floats(value) * as_floats(c)
    assert by_parameter.tolist() == [[1 - 0.25, 1 + 0.5], [0.5, -1.0]]


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda t, y: np.add.reduce(t[:1]) ** 0.5, r"a power 0\.5: only integers of at least 0"),
        (lambda t, y: t[0] ** t[1], "a power that depends on theta"),
        (lambda t, y: t[0] ** -1, "a power -1: only integers"),
        (lambda t, y: np.arctan(t[0]), "arctan, which has no enclosure"),
        (lambda t, y: np.add(t[0], y, where=True), "uses add.__call__, which has no enclosure"),
        (lambda t, y: t[0] if t[0] > 0 else -t[0], "must not branch on the parameters"),
        (lambda t, y: t * y, r"one number for one row of data, got an array of shape \(2,\)"),
        (lambda t, y: 3.0, "one number for one row that depends on theta, got float"),
        (lambda t, y: t[2] * y, "must be a function of theta and one row of data"),
    ],
    ids=[
        "a root",
        "a power of a symbol",
        "a negative power",
        "arctan",
        "where",
        "branch",
        "array",
        "no theta",
        "index",
    ],
)
def test_what_has_no_enclosure(loss: Callable[..., Any], message: str) -> None:
    with pytest.raises(MapRefused, match=message):
        differentiate(loss, Tape([0.5, -0.25], 1), ([1.0, -2.0],))
