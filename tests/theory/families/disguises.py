"""Families of a user whose attributes have the names of those of other families and mean something else."""

from __future__ import annotations

from fractions import Fraction as F

import numpy as np

import contraction as ct
from contraction.families import (
    GradientSteps,
    QuadraticSGD,
    RidgeLoss,
    Uniform,
)


class Own(ct.RandomOperator):
    """A user's family on R^d: T x = f(x) + scale eps, with eps uniform on [-1, 1]^d and a stated factor."""

    dim, scale, factor, name = 1, 0.5, 0.9, "Own"

    def __init__(self) -> None:
        self.space = ct.Euclidean()

    def draw_block(self, rng, replicas):
        return Uniform(-1, 1).sample(rng, (self.dim,) if replicas is None else (replicas, self.dim))

    def inner(self, theta):
        return self.factor * theta

    def apply(self, theta, draw):
        return self.inner(theta) + self.scale * draw

    @property
    def contraction(self):
        return ct.Constant(self.factor, "proved", "by hand")

    def displacement(self, theta0):
        moved = float(np.linalg.norm(self.inner(theta0) - theta0))
        return ct.Constant(moved + self.scale * self.dim**0.5, "proved", "by hand")


def largest_excess(family, certificate, theta0, maps=400, seeds=4, space=None):
    """Largest d(theta_N, theta_n) - bound(n) - rounding over n and some draws: positive if the bound is violated."""
    worst = -np.inf
    for seed in range(seeds):
        rows = ct.backward_iterates(family.sample(maps, seed), theta0)
        gap = np.asarray((space or family.space).distance(rows, rows[-1:]), dtype=float)
        worst = max(worst, float(np.max(gap - certificate.bound(np.arange(maps + 1)) - 1e-12 * (1 + gap[0]))))
    return worst


def refused_or_right(family, theta0, factor, **asked):
    """The certificate is refused, or its factor is at least the true one and its bound holds for simulated draws."""
    try:
        certificate = ct.certify(family, theta0, **asked)
    except ct.NotCertified as refused:
        return str(refused)
    assert certificate.k >= factor
    assert largest_excess(family, certificate, theta0, space=asked.get("space")) <= 0
    return None


class Damped(Own):
    """T x = 0.9 x + h eps, which has h and noise but is no step on the quadratic of Section 3.1."""

    h, noise, linear_part = 0.5, Uniform(-1, 1), np.array([[0.9]])  # type: ignore[assignment]


class EnclosedDamped(Damped):
    """The same family, which states its affine form in ball arithmetic."""

    def affine_enclosures(self):
        from contraction.maps.balls import AffineEnclosure, ball, matrix, vector

        h = ball(self.h)
        return [AffineEnclosure(matrix([[F(9, 10)]]), vector([0]), [-h], [h])]


class Relaxed(Own):
    """T x = x - h/10 H (x - theta*) + h eps: the attributes of Section 3.2 with a relaxed step."""

    dim, h, noise = 2, 0.4, Uniform(-1, 1)
    H, theta_star, scale, factor = np.diag([1.0, 2.0]), np.array([1.0, -1.0]), 0.4, 0.96

    linear_part = np.eye(2) - 0.04 * H  # type: ignore[assignment]

    def inner(self, theta):
        return theta - self.h / 10 * (theta - self.theta_star) @ self.H


class Tempered(QuadraticSGD):
    """Section 3.1 at an inverse temperature ``beta``, which is no momentum."""

    beta = 2.0


class Mixture(Own):
    """T x = x/2 + 10 u with u uniform on [-1, 1]: ``maps`` and ``weights`` are features, no list of the maps."""

    maps, weights, scale, factor = (np.sin, np.cos), (0.5, 0.5), 10.0, 0.5

    @property
    def is_affine(self):
        return True

    def affine(self, draw):
        from contraction.maps.operators import AffineMaps

        return AffineMaps(np.asarray(0.5), self.scale * np.atleast_1d(draw), "scalar")


class SlowSteps(Own):
    """T_B x = x - h/10 grad L_B(x), written by hand: it has ``h``, ``loss`` and ``batches``."""

    dim, h, factor = 2, 0.2, 1 - 0.02 * 0.5

    def __init__(self):
        super().__init__()
        self.inner_steps = GradientSteps(RidgeLoss([[1.0, 0.0], [0.0, 2.0]], [1.0, 1.0], 0.5), self.h / 10)
        self.loss, self.batches = self.inner_steps.loss, self.inner_steps.batches

    def draw_block(self, rng, replicas):
        return self.inner_steps.draw_block(rng, replicas)

    def apply(self, theta, draw):
        return self.inner_steps.apply(theta, draw)

    @property
    def is_affine(self):
        return True

    def affine(self, draw):
        return self.inner_steps.affine(draw)

    def displacement(self, theta0):
        return self.inner_steps.displacement(theta0)


class LookAhead(Own):
    """T x = x + (S x - x)/4 for a step S of ``steps``: its linear part is not that of the steps."""

    dim, factor = 2, 1 - 0.25 * 0.5

    def __init__(self):
        super().__init__()
        self.steps = QuadraticSGD(0.5, Uniform(-1, 1), 2)

    def apply(self, theta, draw):
        return theta + (self.steps.apply(theta, draw) - theta) / 4

    def displacement(self, theta0):
        return ct.Constant(self.steps.displacement(theta0).value / 4, "proved", "by hand")


class Bent(Own):
    """T x = 0.2 x + 0.7 sin(x) + eps/2: ``linear_part`` is a part of the formula, and the maps are not affine."""

    linear_part, offset_mean, offset_covariance = np.array([[0.2]]), np.zeros(1), np.eye(1) / 12  # type: ignore[assignment]

    def inner(self, theta):
        return 0.2 * theta + 0.7 * np.sin(theta)


class Clipped(QuadraticSGD):
    """Section 3.1 with another ``apply``: what it inherits from `QuadraticSGD` is no longer true of it."""

    def apply(self, theta, draw):
        return 0.99 * theta + self.h * draw


class Named(Own):
    """A family whose ``law`` is the name of a distribution."""

    law = "uniform"


class Persistent(Own):
    """The same noise in every map of a sequence: identically distributed, not independent."""

    def draws(self, n, seed, replicas):
        return [self.draw_block(np.random.default_rng(seed), replicas)] * n
