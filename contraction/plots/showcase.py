"""Empirical convergence rates: distance of backward and forward iterates to the backward limit, for every family."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction import families as fam
from contraction.certificates.certify import certify
from contraction.certificates.error_bound import ErrorBound
from contraction.maps.iterates import backward_iterates, forward_iterates
from contraction.maps.operators import RandomOperator
from contraction.maps.rounding import EPS
from contraction.plots.rate_parts import above_rounding, bound_style, fitted_rate, promised_rate, rate_text
from contraction.plots.style import BACKWARD, FORWARD, figure, positive

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["SHOWCASE", "Exhibit", "convergence_rates", "distances"]


class CertifyArguments(TypedDict, total=False):
    """Keyword arguments of `certify` that an exhibit needs."""

    moment: float
    q: int
    leaf: bool


@dataclass(frozen=True)
class Exhibit:
    """One panel: a family, a start, the last iterate, and the arguments of its certificate.

    ``far`` is the iterate that is used as the limit (its error is too small to be visible), ``certificate`` the keyword
    arguments of `certify`.
    """

    title: str
    make: Callable[[], tuple[RandomOperator, ArrayLike]]
    last: int
    certificate: CertifyArguments = field(default_factory=CertifyArguments)
    far: int = 3
    seed: int = 0


def _spd(d: int, low: float, high: float) -> NDArray:
    rng = np.random.default_rng(7)
    Q = np.linalg.qr(rng.normal(size=(d, d)))[0]
    H = Q * np.linspace(low, high, d) @ Q.T
    return (H + H.T) / 2


def _ridge() -> tuple[RandomOperator, ArrayLike]:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(40, 5))
    return fam.GradientSteps(fam.RidgeLoss(X, X @ np.ones(5) + rng.normal(size=40), 0.5), 0.05, 8), np.zeros(5)


def _logistic() -> tuple[RandomOperator, ArrayLike]:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(40, 5))
    return fam.GradientSteps(fam.RidgeLogisticLoss(X, np.sign(X[:, 0]), 0.2), 0.3, 8), np.zeros(5)


def _least_squares() -> tuple[RandomOperator, ArrayLike]:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(3, 6))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    return fam.LeastSquares(X, rng.normal(size=3), 0.9, label_noise=fam.Uniform(-0.5, 0.5)), np.zeros(6)


def _bellman() -> tuple[RandomOperator, ArrayLike]:
    rng = np.random.default_rng(5)
    transitions = rng.dirichlet(np.ones(5), size=(5, 2))
    return fam.BellmanOperators(rng.uniform(0, 1, (5, 2)), transitions, 0.9, fam.Uniform(-0.1, 0.1)), np.zeros(5)


def _pages() -> tuple[RandomOperator, ArrayLike]:
    links = (np.random.default_rng(6).random((8, 8)) < 0.4).astype(float)
    return fam.PageRank(links), np.full(8, 1 / 8)


def _picard() -> tuple[RandomOperator, ArrayLike]:
    return fam.PicardIteration(np.linspace(0, 1, 33), rate=2.0), np.zeros(33)


def _matrices() -> tuple[RandomOperator, ArrayLike]:
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
    Exhibit("least squares (along a leaf)", _least_squares, 120, {"moment": 2, "q": 4, "leaf": True}),
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
    return gaps[0], gaps[1], certify(family, start, **exhibit.certificate)


def convergence_rates() -> Figure:
    """Backward (solid), its bound and forward (dotted) for every family, one panel per family.

    Sure bounds are dashed, bounds on a moment dash-dotted.
    """
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
    entries = [pair for axis in axes.flat for pair in zip(*axis.get_legend_handles_labels(), strict=True)]
    handles = {label: handle for handle, label in reversed(entries)}
    order = sorted(handles, key=lambda label: (label.startswith("bound"), label))
    fig.legend([handles[label] for label in order], order, loc="outside upper center", ncols=2)
    return fig


def _panel(axis: Axes, exhibit: Exhibit) -> None:
    backward, forward, bound = distances(exhibit)
    n = np.arange(len(backward))
    claim = np.asarray(bound.bound(n), dtype=float)
    top = float(np.nanmax([*backward, *forward, claim[0]]))
    size = max(top, 1.0)
    rate = fitted_rate(backward)
    if rate is None:
        axis.set_yscale("symlog", linthresh=1e-3)
        axis.set_ylim(-5e-4, 3)
        axis.set_yticks([0, 1e-2, 1])
        axis.set_xticks(range(0, len(n), 3))
        axis.plot(n, forward, "o", color=FORWARD, ms=3)
        shown, claimed = backward, claim
    else:
        axis.set_yscale("log")
        axis.set_ylim(1e-16 * size, 10 * max(top, 1e-3))
        axis.plot(n, above_rounding(forward, size), ":", color=FORWARD, lw=1.4, label="forward")
        shown, claimed = above_rounding(backward, size), positive(claim)
    axis.plot(n, shown, "-", color=BACKWARD, label="backward")
    sure = math.isinf(bound.p)
    label = "bound that holds for every path" if sure else "bound on a moment: a path may be above"
    axis.plot(n, claimed, label=label, **bound_style(bound))
    seen = np.flatnonzero(np.isfinite(above_rounding(backward, size)))
    if rate is not None and seen[-1] < n[-1] and backward[seen[-1]] > 4e6 * EPS * size:  # at once, not by rate
        axis.text(0.05, 0.4, f"equal from n = {seen[-1] + 1}", transform=axis.transAxes, fontsize=6.5, color=BACKWARD)
    text = "reached at n = 1"
    if rate is not None:
        text = f"fit {rate_text(rate)}, certified {rate_text(promised_rate(claim))}"
    power = "" if sure else f" in $L^{{{bound.p:.2g}}}$"
    axis.set_title(f"{exhibit.title}\n{text}{power}", fontsize=7.2)
    axis.tick_params(labelsize=7)
