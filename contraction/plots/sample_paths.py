"""Sample paths side by side: Example 2.4, Section 3.1, and Section 3.2 in the plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from contraction.families import GaussianVector, LinearizedSGD, QuadraticSGD, Uniform
from contraction.maps.iterates import backward_iterates, forward_iterates
from contraction.maps.operators import RandomOperator
from contraction.plots.style import BACKWARD, CLAIM, FORWARD, SHADE, figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["covariance_ellipse", "plane_paths", "sample_paths"]


def sample_paths() -> Figure:
    """Draw Example 2.4 and Section 3.1: one draw of the maps in both orders."""
    jumps = RandomOperator(draw=lambda rng: rng.integers(2), apply=lambda theta, bit: 0 * theta + bit, name="S or U")
    fig, (left, right) = figure(1, 2, height=2.9)
    operators, n = jumps.sample(30, seed=4), np.arange(31)
    left.plot(n[1:], forward_iterates(operators, 0.5)[1:, 0], "o", color=FORWARD, ms=4, label="forward")
    left.plot(n[1:], backward_iterates(operators, 0.5)[1:, 0], "-", color=BACKWARD, label="backward")
    left.set(title="Example 2.4: constant maps", xlabel="n", ylabel="iterate", yticks=[0, 1])
    left.set_yticklabels(["$x_0$", "$y_0$"])
    left.set_ylim(-0.25, 1.45)
    left.legend(loc="upper center", ncols=2)
    family = QuadraticSGD(h=0.1, noise=Uniform(-1, 1))
    for seed, shade in ((0, 1.0), (1, 0.55), (2, 0.3)):
        operators = family.sample(120, seed=seed)
        forward, backward = forward_iterates(operators, 1.0)[:, 0], backward_iterates(operators, 1.0)[:, 0]
        first = seed == 0
        right.plot(forward, "--", color=FORWARD, alpha=shade, lw=1, label="forward, three draws" if first else None)
        right.plot(backward, "-", color=BACKWARD, alpha=shade, label="backward, the same maps" if first else None)
    right.set(title="Section 3.1: $T(\\theta)=(1-h)\\theta+h\\epsilon$, h = 0.1", xlabel="n", ylabel="$\\theta_n$")
    right.legend()
    return fig


def covariance_ellipse(center: NDArray, covariance: NDArray, mass: float = 0.95) -> NDArray:
    """Boundary of the ellipse that holds ``mass`` of a plane normal law: (200, 2) points."""
    values, vectors = np.linalg.eigh(covariance)
    angle = np.linspace(0, 2 * np.pi, 200)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=-1) * np.sqrt(-2 * np.log(1 - mass))
    return center + circle * np.sqrt(values) @ vectors.T


def plane_paths() -> Figure:
    """Section 3.2 in the plane: forward iterates fill the stationary law, backward ones settle at a draw from it."""
    from scipy.linalg import solve_discrete_lyapunov

    H = np.array([[1.0, 0.6], [0.6, 2.0]])
    h, star, start = 0.15, np.array([1.0, -0.5]), np.array([-1.2, 1.6])
    noise = GaussianVector(np.array([[1.0, -0.4], [-0.4, 0.7]]))
    family = LinearizedSGD(theta_star=star, H=H, h=h, noise=noise)
    A = np.eye(2) - h * H
    stationary = solve_discrete_lyapunov(A, family.offset_covariance)
    ellipse = covariance_ellipse(star, stationary)
    fig, axes = figure(1, 2, height=3.4, sharex=True, sharey=True)
    for axis, name, color, iterate in (
        (axes[0], "forward", FORWARD, forward_iterates),
        (axes[1], "backward", BACKWARD, backward_iterates),
    ):
        path = iterate(family.sample(400, seed=1), start)
        axis.fill(*ellipse.T, color=SHADE, alpha=0.25, lw=0, label="95 % of the stationary law")
        axis.plot(*path.T, "-", color=color, lw=0.8, label=f"{name} iterates 0 … 400")
        axis.plot(*star, "+", color=CLAIM, ms=10, mew=1.5, label="minimum $\\theta^*$")
        axis.plot(*path[-1], "o", color=color, mec=CLAIM, ms=5, label="iterate 400")
        axis.set(title=f"Section 3.2: {name}", xlabel="first coordinate")
        axis.set_aspect("equal", adjustable="box")
        axis.legend(loc="upper right", fontsize=7)
    axes[0].set_ylabel("second coordinate")
    return fig
