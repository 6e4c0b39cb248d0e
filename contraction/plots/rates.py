"""Empirical convergence rates: distance of backward and forward iterates to the backward limit, for every family."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contraction import families as fam
from contraction.certificates.certify import certify
from contraction.certificates.error_bound import ErrorBound
from contraction.maps.iterates import backward_iterates, forward_iterates
from contraction.maps.operators import RandomOperator
from contraction.maps.rounding import EPS
from contraction.plots.style import BACKWARD, CLAIM, FORWARD, figure, positive

__all__ = ["SHOWCASE", "Exhibit", "convergence_rates", "distances", "fitted_rate"]


@dataclass(frozen=True)
class Exhibit:
    """One panel: a family, a start, the last iterate, and the arguments of its certificate.

    ``far`` is the iterate that is used as the limit (its error is too small to be visible), ``certificate`` the keyword
    arguments of `certify`.
    """

    title: str
    make: Callable[[], tuple[RandomOperator, Any]]
    last: int
    certificate: dict[str, Any] = field(default_factory=dict)
    far: int = 3
    seed: int = 0


def _spd(d: int, low: float, high: float) -> NDArray:
    rng = np.random.default_rng(7)
    Q = np.linalg.qr(rng.normal(size=(d, d)))[0]
    H = Q * np.linspace(low, high, d) @ Q.T
    return (H + H.T) / 2


def _ridge() -> tuple[RandomOperator, Any]:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(40, 5))
    return fam.GradientSteps(fam.RidgeLoss(X, X @ np.ones(5) + rng.normal(size=40), 0.5), 0.05, 8), np.zeros(5)


def _logistic() -> tuple[RandomOperator, Any]:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(40, 5))
    return fam.GradientSteps(fam.RidgeLogisticLoss(X, np.sign(X[:, 0]), 0.2), 0.3, 8), np.zeros(5)


def _least_squares() -> tuple[RandomOperator, Any]:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(3, 6))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    return fam.LeastSquares(X, rng.normal(size=3), 0.9, label_noise=fam.Uniform(-0.5, 0.5)), np.zeros(6)


def _bellman() -> tuple[RandomOperator, Any]:
    rng = np.random.default_rng(5)
    transitions = rng.dirichlet(np.ones(5), size=(5, 2))
    return fam.BellmanOperators(rng.uniform(0, 1, (5, 2)), transitions, 0.9, fam.Uniform(-0.1, 0.1)), np.zeros(5)


def _pages() -> tuple[RandomOperator, Any]:
    links = (np.random.default_rng(6).random((8, 8)) < 0.4).astype(float)
    return fam.PageRank(links), np.full(8, 1 / 8)


def _picard() -> tuple[RandomOperator, Any]:
    return fam.PicardIteration(np.linspace(0, 1, 33), rate=2.0), np.zeros(33)


def _matrices() -> tuple[RandomOperator, Any]:
    rng = np.random.default_rng(4)
    A = rng.normal(size=(4, 3, 3))
    A *= 0.8 / np.linalg.norm(A, 2, axis=(1, 2))[:, None, None]
    return fam.RandomAffine(list(A), list(rng.uniform(-1, 1, (4, 3)))), np.zeros(3)


SHOWCASE: tuple[Exhibit, ...] = (
    Exhibit("Example 2.4: constant maps", lambda: (fam.ConstantMaps([0, 1]), 0.5), 12),
    Exhibit("3.1: quadratic, h = 0.1", lambda: (fam.QuadraticSGD(0.1, fam.Uniform(-1, 1)), 1.0), 250),
    Exhibit(
        "3.2: linearised, d = 5",
        lambda: (fam.LinearizedSGD(np.ones(5), _spd(5, 0.5, 2.0), 0.3, fam.Uniform(-1, 1)), np.zeros(5)),
        160,
    ),
    Exhibit("2.1: ridge regression", _ridge, 350),
    Exhibit("2.1: ridge-logistic", _logistic, 350),
    Exhibit("random matrices", _matrices, 60),
    Exhibit(
        "finite family, sines",
        lambda: (
            fam.FiniteFamily([lambda x: 0.7 * np.sin(x), lambda x: 0.7 * np.cos(x) + 1], lipschitz=[0.7, 0.7]),
            0.0,
        ),
        90,
    ),
    Exhibit("Bernoulli convolution, Cantor", lambda: (fam.BernoulliConvolution(Fraction(2, 3)), 0.0), 30),
    Exhibit("heavy ball (weighted norm)", lambda: (fam.HeavyBall(1.0, 0.5, 0.6, fam.Uniform(-1, 1)), np.zeros(2)), 130),
    Exhibit("least squares (along a leaf)", _least_squares, 120, {"moment": 2, "q": 4, "leaf": "row space"}),
    Exhibit("infinite words (ultrametric, exact)", lambda: (fam.PrefixMaps(), 0), 40),
    Exhibit("Bellman operators (sup norm)", _bellman, 330),
    Exhibit("PageRank (ℓ1 on the simplex)", _pages, 200),
    Exhibit("Picard iteration (functions)", _picard, 40),
    Exhibit("expanding on half of the draws", lambda: (fam.ExpandingOnAverage(), 0.0), 110, {"moment": 1 / 3}, seed=3),
)


def distances(exhibit: Exhibit) -> tuple[NDArray, NDArray, ErrorBound]:
    """Distances of backward and forward iterates 0 … last to the backward limit, and the certificate."""
    family, start = exhibit.make()
    last, far = exhibit.last, exhibit.far * exhibit.last
    operators = family.sample(far, seed=exhibit.seed)
    backward = backward_iterates(operators, start, at=[*range(last + 1), far])
    forward = forward_iterates(operators, start, at=range(last + 1))
    limit = backward[-1]
    gaps = [np.asarray(family.space.distance(rows, limit), dtype=float) for rows in (backward[:-1], forward)]
    keywords = dict(exhibit.certificate)
    if keywords.get("leaf") == "row space":
        keywords["leaf"] = np.linalg.qr(family.X.T)[0]  # type: ignore[attr-defined]
    return gaps[0], gaps[1], certify(family, start, **keywords)


def fitted_rate(gaps: Sequence[float] | NDArray) -> float | None:
    """Rate r of the least-squares line through log d(θ*, θ_n), over the n with d between 1e-12 and 1/2 of d_0.

    None if fewer than three such n exist.
    """
    gaps = np.asarray(gaps, dtype=float)
    n = np.flatnonzero((gaps > 1e-12 * gaps[0]) & (gaps < 0.5 * gaps[0]))
    if n.size < 3:
        return None
    return float(np.exp(np.polyfit(n, np.log(gaps[n]), 1)[0]))


def convergence_rates():
    """Backward (solid), its certificate (dashed) and forward (dotted) for every family, one panel per family."""
    columns, rows = 3, -(-len(SHOWCASE) // 3)
    fig, axes = figure(rows, columns, height=1.95 * rows)
    for axis, exhibit in zip(axes.flat, SHOWCASE, strict=False):
        _panel(axis, exhibit)
    for axis in list(axes.flat)[len(SHOWCASE) :]:
        axis.set_visible(False)
    for axis in axes[-1]:
        axis.set_xlabel("n")
    for axis in axes[:, 0]:
        axis.set_ylabel("$d(\\theta_n,\\theta^*)$")
    handles, labels = axes.flat[1].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=3)
    return fig


def _panel(axis: Any, exhibit: Exhibit) -> None:
    backward, forward, certificate = distances(exhibit)
    n, claim = np.arange(len(backward)), np.asarray(certificate.bound(np.arange(len(backward))))
    top = float(np.nanmax([*backward, *forward, claim[0]]))
    floor = 4 * EPS * max(top, 1.0)  # below it only rounding is seen
    rate = fitted_rate(backward)
    if rate is None:
        axis.set_yscale("symlog", linthresh=1e-3)
        axis.set_ylim(-5e-4, 3)
        axis.set_yticks([0, 1e-2, 1])
        axis.set_xticks(range(0, len(n), 3))
        forward_style, shown = "o", (forward, backward, claim)
    else:
        axis.set_yscale("log")
        axis.set_ylim(1e-16 * max(top, 1), 10 * max(top, 1e-3))
        forward_style, shown = ":", tuple(positive(np.where(v < floor, 0, v)) for v in (forward, backward))
        shown = (*shown, positive(claim))
    axis.plot(n, shown[0], forward_style, color=FORWARD, lw=1.4, ms=3, label="forward")
    axis.plot(n, shown[1], "-", color=BACKWARD, label="backward")
    axis.plot(n, shown[2], "--", color=CLAIM, lw=1.0, label="certificate")
    seen = np.flatnonzero(backward >= floor)
    if rate is not None and len(seen) and seen[-1] < n[-1] and backward[seen[-1]] > 1e6 * floor:  # at once, not by rate
        axis.text(0.05, 0.4, f"equal from n = {seen[-1] + 1}", transform=axis.transAxes, fontsize=6.5, color=BACKWARD)
    fit = "reached at n = 1" if rate is None else f"fit {rate:.3f}ⁿ, "
    promised = "" if rate is None else f"certified {_promised_rate(claim):.3f}ⁿ"
    power = f" in $L^{{{certificate.p:.2g}}}$" if np.isfinite(certificate.p) else ""
    axis.set_title(f"{exhibit.title}\n{fit}{promised}{power}", fontsize=7.2)
    axis.tick_params(labelsize=7)


def _promised_rate(claim: NDArray) -> float:
    """The rate of a bound per map, over the second half of the plotted range."""
    half = len(claim) // 2
    return float((claim[-1] / claim[half]) ** (1 / (len(claim) - 1 - half)))
