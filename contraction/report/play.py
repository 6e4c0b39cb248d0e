"""A page to play with: one draw of the maps in several orders, composed in the browser from draws made here.

`play_html` returns a fragment that needs no network and no other file; the report has it as a section, the site as a
page. The files ``play.html``, ``play.css`` and ``play.js`` beside this one are its parts.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from contraction.families import ConstantMaps, FiniteFamily, QuadraticSGD, Reshuffled, Uniform
from contraction.maps.operators import RandomOperator

__all__ = ["DRAWS", "LENGTHS", "draws", "epochs", "fern", "network", "play_html"]

#: Seeds of the draws that the page offers.
DRAWS = (0, 1, 2)
#: Name of a choice -> (number of maps that are shown at most, number of maps that are drawn). The last iterate of the
#: drawn maps stands for the backward limit, which the network need not have.
LENGTHS = {
    "constant": (60, 120),
    "quadratic": (200, 1000),
    "fern": (3000, 3200),
    "epochs": (200, 1000),
    "network": (200, 200),
}

#: What is random in one map: the number of a map, a number, or several.
Drawn: TypeAlias = int | float | list[float]

_CURVATURES, _TARGETS = (0.75, 1.25, 1.0, 0.75, 1.25, 1.0), (-1.0, 0.8, -0.4, 1.0, 0.2, -0.6)
_FERN = (
    (0.01, [[0.0, 0.0], [0.0, 0.16]], [0.0, 0.0]),
    (0.85, [[0.85, 0.04], [-0.04, 0.85]], [0.0, 1.6]),
    (0.07, [[0.2, -0.26], [0.23, 0.22]], [0.0, 1.6]),
    (0.07, [[-0.15, 0.28], [0.26, 0.24]], [0.0, 0.44]),
)
_NETWORK_START = (0.9, -1.3, 0.6, 0.2, 0.5, -0.4, 0.7, -0.8, 1.1, 0.0)


def fern() -> FiniteFamily:
    """Barnsley's fern: four affine maps of the plane with probabilities 0.01, 0.85, 0.07 and 0.07."""
    return FiniteFamily([(A, b) for _, A, b in _FERN], weights=[p for p, _, _ in _FERN], name="fern")


def epochs(h: float, noise: float) -> FiniteFamily:
    """Gradient steps x - h a (x - noise y) on six points, in a new order in every epoch.

    Parameters
    ----------
    h
        Learning rate.
    noise
        Factor of the six targets y; the curvatures a are 0.75, 1 and 1.25.
    """
    pairs = [(1 - h * a, h * a * noise * y) for a, y in zip(_CURVATURES, _TARGETS, strict=True)]
    return FiniteFamily(pairs, law=Reshuffled(len(pairs)), name="reshuffled epochs")


def network(h: float, noise: float, decay: float) -> RandomOperator:
    """Return steps of SGD on a network with three tanh units, with one new data point per step.

    The loss is (f(x) - sin 3x - noise e)²/2 + decay |θ|²/2 with f(x) = Σ_j v_j tanh(w_j x + b_j) + c.

    Parameters
    ----------
    h
        Learning rate.
    noise
        Factor of the label's error e.
    decay
        Weight decay.

    Returns
    -------
    RandomOperator
        Points have shape (..., 10): w, b and v, three each, then c. A draw has shape (2,): x and e, uniform on [-1, 1].
    """

    def step(theta: NDArray, draw: NDArray) -> NDArray:
        x, e = draw[..., :1], draw[..., 1:]
        b, v, c = theta[..., 3:6], theta[..., 6:9], theta[..., 9:]
        u = np.tanh(theta[..., :3] * x + b)
        residual = (u * v).sum(axis=-1, keepdims=True) + c - np.sin(3 * x) - noise * e
        inner = residual * v * (1 - u * u)
        gradient = np.concatenate([inner * x, inner, residual * u, residual], axis=-1)
        return theta - h * (gradient + decay * theta)

    return RandomOperator(lambda rng: rng.uniform(-1, 1, 2), step, name="small network")


def draws(name: str, seed: int) -> list[Drawn]:
    """Return what is random in the maps T_1, T_2, … of one choice, for ``h`` and ``noise`` to be set later.

    Parameters
    ----------
    name
        "constant" and "fern" (the number of a map), "epochs" (the number of a data point), "quadratic" (epsilon for
        noise 1) or "network" (x and e).
    seed
        The seed of the draw.

    Raises
    ------
    KeyError
        If ``name`` is not one of these names.

    Examples
    --------
    >>> draws("constant", 0)[:6]
    [1, 1, 0, 1, 1, 0]
    """
    families: dict[str, RandomOperator] = {
        "constant": ConstantMaps([0, 1]),
        "quadratic": QuadraticSGD(1.0, Uniform(-1, 1)),
        "fern": fern(),
        "epochs": epochs(1.0, 1.0),
        "network": network(1.0, 1.0, 0.0),
    }
    if name not in families:
        raise KeyError(f"no choice is called {name!r}. Known: {', '.join(families)}")
    drawn = families[name].draws(LENGTHS[name][1], seed, None)
    rows = [np.asarray(drawn[i]).tolist() for i in range(len(drawn))]
    return [row[0] if isinstance(row, list) and len(row) == 1 else row for row in rows]


def play_html() -> str:
    """Return the page as a fragment of HTML: controls, style, draws and script.

    Examples
    --------
    >>> page = play_html()
    >>> page.count("<script>"), "http" in page
    (1, False)
    """
    data = {
        "draws": {name: [draws(name, seed) for seed in DRAWS] for name in LENGTHS},
        "shown": {name: shown for name, (shown, _) in LENGTHS.items()},
        "fern": [{"A": A, "b": b} for _, A, b in _FERN],
        "curvatures": list(_CURVATURES),
        "targets": list(_TARGETS),
        "networkStart": list(_NETWORK_START),
    }
    html, css, js = (
        files("contraction.report").joinpath(f"play.{kind}").read_text("utf-8") for kind in ("html", "css", "js")
    )
    text = json.dumps(data, separators=(",", ":"))
    return (
        f'<style>{css}</style>{html}<script>(function () {{\n"use strict";\nconst DATA = {text};\n{js}}})();</script>'
    )
