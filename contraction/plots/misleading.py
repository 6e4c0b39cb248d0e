"""Where a quick look misleads: eigenvalues of non-normal maps, and maps that contract only on average."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from contraction.certificates import bounds
from contraction.certificates.blocks import after_blocks
from contraction.maps.iterates import backward_iterates, forward_iterates
from contraction.maps.operators import Operators, RandomOperator
from contraction.plots.style import BACKWARD, CLAIM, FORWARD, OTHER, SHADE, figure, positive

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["contraction_on_average", "non_normal"]


def non_normal() -> Figure:
    """Draw A = [[1/2, 10], [0, 1/2]], which stretches by 10 although its eigenvalues are 1/2, and bounds that hold."""
    A, last = np.array([[0.5, 10.0], [0.0, 0.5]]), 80
    rng = np.random.default_rng(0)
    offsets = rng.uniform(-1, 1, (2 * last, 2))
    offsets /= np.maximum(1, np.linalg.norm(offsets, axis=1, keepdims=True))
    operators = Operators.from_maps([lambda x, b=b: x @ A.T + b for b in offsets], affine=[(A, b) for b in offsets])
    rows = backward_iterates(operators, np.zeros(2))
    n = np.arange(last + 1)
    distance = np.linalg.norm(rows[: last + 1] - rows[-1], axis=-1)
    D = float(np.linalg.norm(offsets, axis=1).max())
    norms = [float(np.linalg.norm(np.linalg.matrix_power(A, m), 2)) for m in range(9)]
    fig, axis = figure(height=3.3)
    axis.semilogy(n, positive(distance), color=BACKWARD, label="backward, $d(\\theta_n,\\theta^*)$")
    axis.semilogy(n, D * 0.5**n / 0.5, ":", color=FORWARD, lw=1.8, label="eigenvalue 1/2 taken for k: not a bound")
    axis.semilogy(
        n,
        after_blocks(norms[:8], norms[8], D, n),
        "--",
        color=CLAIM,
        label=f"after 8 maps: $\\|A^8\\|$ = {norms[8]:.3f} (certificate)",
    )
    P, k = _weighted(A, 0.75)
    root = np.linalg.cholesky(P).T
    widest = float(np.max(np.linalg.norm(offsets @ root.T, axis=1)))
    smallest = float(np.sqrt(np.linalg.eigvalsh(P)[0]))
    axis.semilogy(
        n,
        bounds.geometric(k, widest, n) / smallest,
        "--",
        color=OTHER,
        label="weighted norm $\\|x\\|_P$, k = 0.75 (certificate)",
    )
    axis.set(xlabel="n", ylabel="distance to $\\theta^*$", title="Eigenvalues mislead for non-normal maps")
    axis.set_ylim(1e-24, 1e3)
    axis.legend(loc="lower left")
    return fig


def _weighted(A: NDArray, k: float) -> tuple[NDArray, float]:
    from scipy.linalg import solve_discrete_lyapunov

    return solve_discrete_lyapunov((A / k).T, np.eye(len(A))), k


def contraction_on_average() -> Figure:
    """K in {2, 1/4} equally likely: half of the maps expand, backward iterates still settle, at a random pace."""
    family = RandomOperator(
        draw=lambda rng: rng.choice([2.0, 0.25]), apply=lambda theta, K: K * theta + 1, affine=lambda K: (K, 1.0)
    )
    last = 240
    n = np.arange(last // 2 + 1)
    fig, (left, right) = figure(1, 2, height=3.1)
    for seed in range(12):
        rows = backward_iterates(family.sample(2 * last, seed=seed), 0.0)[:, 0]
        distance = np.abs(rows[: len(n)] - rows[-1])
        left.semilogy(
            n, positive(distance), color=BACKWARD, lw=0.8, alpha=0.7, label="backward, 12 draws" if not seed else None
        )
    slope = (np.log(2) + np.log(0.25)) / 2
    left.semilogy(n, 10 * np.exp(slope * n), "--", color=CLAIM, label="slope E log K = −0.347")
    left.set(xlabel="n", ylabel="$d(\\theta_n,\\theta^*)$", title="Backward: settles, E log K < 0", ylim=(1e-22, 1e6))
    left.legend(loc="lower left")
    forward = forward_iterates(family.sample(600, seed=0), 0.0)[:, 0]
    right.semilogy(np.arange(1, 601), forward[1:], color=FORWARD, lw=0.8, label="forward, one draw, n = 1 … 600")
    right.axhline(1, color=SHADE, lw=0.8, label="lower bound: $\\theta_n\\geq 1$ for $n\\geq 1$")
    right.set(xlabel="n", ylabel="$\\theta_n$", title="Forward: heavy tail, index 0.694", ylim=(0.5, 2e5))
    right.legend(loc="upper left")
    return fig
