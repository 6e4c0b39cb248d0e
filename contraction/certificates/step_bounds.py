"""Gradient steps over a box, in the box's coordinates: where they send it, and their factors in two kinds of norms.

T(θ) = θ - h grad L(θ), G(u) = Q^-1 grad L(c + Q u) on B = {c + Q u: |u_j| <= r_j}. All numbers are rounded
outwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contraction.maps.domains import RotatedBox
from contraction.maps.errors import NotCertified
from contraction.maps.intervals import Intervals, above
from contraction.maps.step_enclosures import StepEnclosure

__all__ = ["StepBounds", "best_weights", "curvature_bounds", "gram_inverse", "step_bounds", "step_factor", "sup_factor"]


@dataclass(frozen=True, eq=False)
class StepBounds:
    """One map in the box's coordinates: G(0), dG/du at 0, and how far dG/du is from that over the box.

    Attributes
    ----------
    h : float or Intervals
        The learning rate.
    pull : Intervals
        G(0) = Q^-1 grad L(c), shape (d,).
    slope : Intervals
        dG/du at u = 0, shape (d, d).
    variation : ndarray
        Bounds on |dG/du(u) - dG/du(0)|, shape (d, d); half of it on the mean between 0 and u.
    """

    h: float | Intervals
    pull: Intervals
    slope: Intervals
    variation: NDArray

    def moduli(self, share: float) -> NDArray:
        """Bounds on |1 - h a_jj| and h |a_jl|, shape (d, d), with this share of the variation (1, or 1/2 for means)."""
        widened = self.slope.widened(share * self.variation)
        return (np.eye(len(self.variation)) - self.h * widened).magnitude

    def image(self, r: NDArray, share: float = 0.5) -> NDArray:
        """Bounds on the coordinates |u_j| of the image of the box, shape (d,)."""
        return above((self.h * self.pull).magnitude + self.moduli(share) @ r, len(r) + 4)


def gram_inverse(region: RotatedBox) -> Intervals:
    """(Q^T Q)^-1, enclosed: X S = I - E with |E| <= e < 1 in row sums gives S^-1 within e/(1-e) max|X| of X."""
    frame = Intervals(region.basis)
    S = frame.T @ frame
    X = np.linalg.inv(S.mid)
    error = (np.eye(len(X)) - X @ S).magnitude
    e = float(above(np.max(np.sum(error, axis=1)), len(X) + 2))
    if not e < 0.5:
        raise NotCertified(f"the basis of the box is too badly conditioned: Q^-1 is not enclosed (error {e:.3g})")
    return Intervals(X).widened(above(e / (1 - e) * np.max(np.abs(X), axis=0), 8))


def step_bounds(enclosures: Sequence[StepEnclosure], region: RotatedBox) -> list[StepBounds]:
    """Change the derivatives in u, Q^T grad L and Q^T H Q, into those of G = Q^-1 grad L(c + Q u).

    The region may be smaller than the box of the enclosures, with the same centre and basis.
    """
    inverse = gram_inverse(region)
    size, d = inverse.magnitude, len(region.radii)
    return [
        StepBounds(e.h, inverse @ e.gradient, inverse @ e.curvature, above(size @ e.variation(region.radii), 2 * d))
        for e in enclosures
    ]


def sup_factor(maps: Sequence[StepBounds], w: NDArray) -> float:
    """Return a common factor in max_j |u_j|/w_j over the box, rounded up."""
    return max(float(np.max(above(one.moduli(1.0) @ w / w, len(w) + 3))) for one in maps)


def best_weights(maps: Sequence[StepBounds], r: NDArray, rounds: int = 300) -> NDArray:
    """Weights of a small factor: w <- max_i B_i w, the power iteration of the largest of non-negative matrices."""
    tables, w = np.stack([one.moduli(1.0) for one in maps]), r.copy()
    for _ in range(rounds):
        w = np.max(tables @ w, axis=0)
        w = w / np.max(w)
    return w if sup_factor(maps, w) < sup_factor(maps, r) else r


def curvature_bounds(step: StepEnclosure, region: RotatedBox) -> tuple[float, float]:
    """(m, M) with m <= d²L/dtheta² <= M over the box, rounded outwards.

    Q^T H Q is within R of its value K at the centre, and x^T E x <= Σ_j x_j² (R w)_j/w_j for every symmetric |E| <= R
    and every w > 0. So H >= m if K - diag(R w/w) - m Q^T Q is positive definite, which its pivots prove.
    """
    frame = Intervals(region.basis)
    S, K = frame.T @ frame, (step.curvature.mid + step.curvature.mid.T) / 2
    R = above(step.variation(region.radii) + step.curvature.rad + np.abs(K - step.curvature.mid), 4)
    R = np.maximum(R, R.T)
    w = np.abs(np.linalg.eigh(np.diag(np.diag(K)) - R)[1][:, 0]) + 1e-6
    shift = np.diag(above(R @ w / w, len(w) + 4))
    return _proved(Intervals(K) - shift, S, -1), _proved(Intervals(K) + shift, S, 1)


def step_factor(h: float, m: float, M: float) -> float:
    """max(|1 - h m|, |1 - h M|), rounded up: the factor of a gradient step in the Euclidean norm."""
    return max(float((1 - Intervals(h) * end).magnitude) for end in (m, M))


def _proved(A: Intervals, S: Intervals, side: int) -> float:
    """Return a number m with A >= m S (side -1) or A <= m S (side 1), near the extreme generalised eigenvalue."""
    root = np.linalg.inv(np.linalg.cholesky(S.mid))
    values = np.linalg.eigvalsh(root @ A.mid @ root.T)
    extreme, scale = values[0 if side < 0 else -1], float(np.max(np.abs(values)))
    for power in range(-44, -8, 4):
        m = float(extreme + side * scale * 2.0**power)
        if ((m * S - A) * float(side)).positive_definite():
            return m
    raise NotCertified(f"no bound on the curvature near {extreme:.6g} could be proved: the basis is badly conditioned")
