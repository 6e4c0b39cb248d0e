"""Optimizers on quadratics: where the map of the whole state contracts, and where both orders diverge (NumPy).

The state of heavy ball on λθ²/2 is (θ_t, θ_{t−1}); one step multiplies it by M = [[1 + β − hλ, −β], [1, 0]].
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nn_experiments.results.studies import Study
from nn_experiments.studies.made import Making

__all__ = ["adam_amplitude", "heavy_ball", "run", "sign_parity", "top_exponent", "weighted_norm"]

#: Condition numbers of two equally likely curvatures, 1 and κ, with Polyak's tuning for the pair.
KAPPAS = (4.0, 8.0, 12.0, 25.0)
#: Adam's ε on a noise-free quadratic with λ = 1, h = 0.001, default betas.
EPSILONS = (1e-4, 3e-5, 2.5e-5, 1.3e-5, 1e-8)


def heavy_ball(h: float, beta: float, curvature: float) -> NDArray:
    """Return M (2, 2) of heavy ball on λθ²/2."""
    return np.array([[1 + beta - h * curvature, -beta], [1.0, 0.0]])


def weighted_norm(matrix: NDArray, k: float) -> float:
    """Return the operator norm of a matrix in ‖x‖_P, where P = I + (M/k)ᵀP(M/k): less than k if its radius is.

    Raises
    ------
    ValueError
        If k is not above the spectral radius, so that there is no such P.
    """
    if k <= np.abs(np.linalg.eigvals(matrix)).max():
        raise ValueError(f"k must be above the spectral radius, got {k}")
    scaled = matrix / k
    size = len(matrix)
    P = np.linalg.solve(np.eye(size**2) - np.kron(scaled.T, scaled.T), np.eye(size).ravel()).reshape(size, size)
    root = np.linalg.cholesky(P).T
    return float(np.linalg.norm(root @ matrix @ np.linalg.inv(root), 2))


def top_exponent(matrices: NDArray, *, steps: int = 20_000, seed: int = 0, replicas: int = 16) -> tuple[float, float]:
    """Return the top exponent of i.i.d. products of equally likely matrices (M, d, d), with its standard error."""
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((replicas, matrices.shape[-1]))
    grown = np.zeros(replicas)
    for _ in range(steps):
        drawn = matrices[rng.integers(len(matrices), size=replicas)]
        vectors = np.einsum("rij,rj->ri", drawn, vectors)
        size = np.linalg.norm(vectors, axis=1)
        grown += np.log(size)
        vectors /= size[:, None]
    rates = grown / steps
    return float(rates.mean()), float(rates.std(ddof=1) / np.sqrt(replicas))


def adam_amplitude(
    eps: float, *, h: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), steps: int = 40_000
) -> float:
    """Return the largest |θ| over the last 2,000 steps of Adam on θ²/2 without noise, from θ = 0.01."""
    theta, mean, square, largest = 0.01, 0.0, 0.0, 0.0
    for t in range(1, steps + 1):
        mean = betas[0] * mean + (1 - betas[0]) * theta
        square = betas[1] * square + (1 - betas[1]) * theta**2
        theta -= h * mean / (1 - betas[0] ** t) / (np.sqrt(square / (1 - betas[1] ** t)) + eps)
        if t > steps - 2000:
            largest = max(largest, abs(theta))
    return largest


def sign_parity(*, h: float = 1.0, n: int = 60, seeds: int = 200) -> float:
    """Return the smallest distance of backward iterates n and n + 1 of sign-SGD on (θ − e)²/2, e = ±3.5 h, over seeds.

    Every map moves θ by exactly h, so iterates n and n + 1 have different parity on the lattice of θ_0 + hℤ.
    """
    rng, smallest = np.random.default_rng(0), np.inf
    for _ in range(seeds):
        noise = rng.choice([-3.5 * h, 3.5 * h], size=n + 1)
        ends = []
        for length in (n, n + 1):
            theta = 0.0
            for e in noise[:length][::-1]:
                theta -= h * np.sign(theta - e)
            ends.append(theta)
        smallest = min(smallest, abs(ends[0] - ends[1]))
    return float(smallest)


def run(
    out: Path, *, data_dir: str | None = None, report: Callable[[str], object] | None = None, seeds: int = 16
) -> Study:
    """Return the study. It takes seconds, so it is computed in one part and ``out`` stays empty.

    Parameters
    ----------
    out, data_dir
        Not used: there is nothing to resume and no data.
    report
        Called with a line for each part.
    seeds
        Replicates of every product of random matrices.

    Returns
    -------
    Study
        ``kappa``, ``radius`` (largest of the two maps), ``exponent``, ``exponent_error`` (κ,); ``eps``, ``amplitude``
        (ε,); ``heavy_ball``: ‖M‖, ρ(M), the weighted norm, for h = 0.5, β = 0.9, λ = 1; ``sign_gap``: smallest distance
        of backward iterates n and n + 1 of sign-SGD in units of h.
    """
    making = Making()
    rows: list[tuple[float, float, float]] = []
    for kappa in KAPPAS:
        h = (2 / (1 + np.sqrt(kappa))) ** 2
        beta = ((np.sqrt(kappa) - 1) / (np.sqrt(kappa) + 1)) ** 2
        pair = np.stack([heavy_ball(h, beta, curvature) for curvature in (1.0, kappa)])
        radius = float(np.abs(np.linalg.eigvals(pair)).max())
        rows.append((radius, *top_exponent(pair, replicas=seeds)))
        if report:
            report(f"κ = {kappa:g}")
    M = heavy_ball(0.5, 0.9, 1.0)
    radius = float(np.abs(np.linalg.eigvals(M)).max())
    norms = (float(np.linalg.norm(M, 2)), radius, weighted_norm(M, (1 + radius) / 2))
    arrays = {
        "kappa": np.array(KAPPAS),
        "radius": np.array([row[0] for row in rows]),
        "exponent": np.array([row[1] for row in rows]),
        "exponent_error": np.array([row[2] for row in rows]),
        "eps": np.array(EPSILONS),
        "amplitude": np.array([adam_amplitude(eps) for eps in EPSILONS]),
        "heavy_ball": np.array(norms),
        "sign_gap": np.array(sign_parity()),
    }
    return Study("quadratics", arrays, {"seeds": seeds} | making.about())
