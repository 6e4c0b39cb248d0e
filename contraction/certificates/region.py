"""A certified region (row 85): a box that every map provably sends into itself and on which all contract in one norm.

T_i(theta) = theta - h grad L_i(theta) on B = {c + Q u: |u_j| <= r_j}. With G_i(u) = Q^-1 grad L_i(c + Q u), enclosures
a^i of its derivative over B, and abar^i of the mean of that derivative between 0 and any u of B:

- B is invariant if h |G_ij(0)| + max|1 - h abar^i_jj| r_j + h Σ_{l≠j} max|abar^i_jl| r_l <= r_j for all i and j.
- Every T_i is a k-contraction in max_j |u_j|/w_j, any weights w, if k = max_ij (max|1 - h a^i_jj| + h Σ_{l≠j} max|a^i_jl|
  w_l/w_j) < 1, and in the Euclidean norm with k = max(|1 - h m|, |1 - h M|) if m <= d²L_i <= M over B.

Neither implies the other, and Theorem 2.2 on B needs both, in one norm for all maps. Then, from any theta in B,
d(theta*, theta_n) <= k^n min(sup_B d(theta, ·), D/(1 - k)). Q is a matrix of floats and not orthogonal: (Q^T Q)^-1 is
enclosed. All numbers are rounded outwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contraction.certificates.error_bound import Certificate
from contraction.certificates.majorants import PRECISION, InRegion
from contraction.certificates.rigorous import positive_definite
from contraction.maps.balls import load_flint
from contraction.maps.constants import Constant
from contraction.maps.domains import RotatedBox
from contraction.maps.errors import NotCertified
from contraction.maps.intervals import Intervals, above
from contraction.maps.operators import RandomOperator
from contraction.maps.spaces import BoxNorm, Euclidean, Space, SupNorm
from contraction.maps.step_enclosures import StepEnclosure

__all__ = ["RegionCertificate", "StepBounds", "certify_region", "euclidean_factor", "step_bounds", "sup_factor"]


@dataclass(frozen=True, eq=False)
class RegionCertificate(Certificate):
    """A `Certificate` on a region.

    Attributes
    ----------
    region : RotatedBox
        The box that every map sends into itself; the bound holds from ``theta0``, and theta* lies in the box.
    space : Space
        The norm in which all maps contract on the box, and in which distances are bounded.
    """

    region: RotatedBox = None  # pyright: ignore[reportAssignmentType]
    space: Space = None  # pyright: ignore[reportAssignmentType]


@dataclass(frozen=True, eq=False)
class StepBounds:
    """One map in the box's coordinates: G(0), dG/du at 0, and how far dG/du is from that over the box.

    Attributes
    ----------
    h : float
        The learning rate.
    pull : Intervals
        G(0) = Q^-1 grad L(c), shape (d,).
    slope : Intervals
        dG/du at u = 0, shape (d, d).
    variation : ndarray
        Bounds on |dG/du(u) - dG/du(0)|, shape (d, d); half of it on the mean between 0 and u.
    """

    h: float
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
    """Change the derivatives in u, Q^T grad L and Q^T H Q, into those of G = Q^-1 grad L(c + Q u)."""
    inverse = gram_inverse(region)
    size, d = inverse.magnitude, len(region.radii)
    return [
        StepBounds(e.h, inverse @ e.gradient, inverse @ e.curvature, above(size @ e.variation, 2 * d)) for e in enclosures
    ]


def sup_factor(maps: Sequence[StepBounds], w: NDArray) -> float:
    """A common factor in max_j |u_j|/w_j over the box, rounded up."""
    return max(float(np.max(above(one.moduli(1.0) @ w / w, len(w) + 3))) for one in maps)


def best_weights(maps: Sequence[StepBounds], r: NDArray, rounds: int = 300) -> NDArray:
    """Weights of a small factor: w <- max_i B_i w, the power iteration of the largest of non-negative matrices."""
    tables, w = np.stack([one.moduli(1.0) for one in maps]), r.copy()
    for _ in range(rounds):
        w = np.max(tables @ w, axis=0)
        w = w / np.max(w)
    return w if sup_factor(maps, w) < sup_factor(maps, r) else r


def euclidean_factor(enclosures: Sequence[StepEnclosure], region: RotatedBox) -> tuple[float, float, float]:
    """(k, m, M): m <= d²L_i/dtheta² <= M over the box for all i, and k = max(|1 - h m|, |1 - h M|), rounded outwards.

    Q^T H Q is within R of its value K at the centre, and x^T E x <= Σ_j x_j² (R w)_j/w_j for every symmetric |E| <= R
    and every w > 0. So H >= m if K - diag(R w/w) - m Q^T Q is positive definite, which its pivots prove.
    """
    frame = Intervals(region.basis)
    S = frame.T @ frame
    low, high = np.inf, -np.inf
    for one in enclosures:
        K = (one.curvature.mid + one.curvature.mid.T) / 2
        R = above(one.variation + one.curvature.rad + np.abs(K - one.curvature.mid), 4)
        w = np.abs(np.linalg.eigh(np.diag(np.diag(K)) - (R + R.T) / 2)[1][:, 0]) + 1e-6
        shift = np.diag(above(np.maximum(R, R.T) @ w / w, len(w) + 4))
        low = min(low, _proved(K - shift, S, -1))
        high = max(high, _proved(K + shift, S, 1))
    h = Intervals(enclosures[0].h)
    k = max(float((1 - h * end).magnitude) for end in (low, high))
    return k, low, high


def _proved(A: NDArray, S: Intervals, side: int) -> float:
    """A number m with A >= m S (side -1) or A <= m S (side 1), near the extreme generalised eigenvalue."""
    flint = load_flint()
    root = np.linalg.inv(np.linalg.cholesky(S.mid))
    values = np.linalg.eigvalsh(root @ A @ root.T)
    extreme, scale = values[0 if side < 0 else -1], float(np.max(np.abs(values)))
    with flint.ctx.workprec(PRECISION):
        for power in range(-44, -8, 4):
            m = float(extreme + side * scale * 2.0**power)
            B = side * m * S + Intervals(-side * A)
            rows = range(len(A))
            if positive_definite([[flint.arb(B.mid[i, j], B.rad[i, j]) for j in rows] for i in rows]):
                return m
    raise NotCertified(f"no bound on the curvature near {extreme:.6g} could be proved: the basis is badly conditioned")


def certify_region(
    family: RandomOperator, theta: NDArray, region: RotatedBox, space: Space | None = None
) -> RegionCertificate:
    """Prove that every map sends the box into itself and contracts on it in one norm, or name what fails.

    ``space`` is `Euclidean` for the Euclidean norm, `SupNorm` for a weighted maximum norm in the box's coordinates, or
    None for the one with the smaller factor.
    """
    if not isinstance(region, RotatedBox):
        raise TypeError(f"region must be a RotatedBox(center, radii, basis), got {region!r}")
    if space is not None and type(space) not in (Euclidean, SupNorm):
        raise ValueError(f"with region=, space must be Euclidean() or SupNorm() in the box's coordinates, got {space!r}")
    d = len(region.radii)
    if theta.shape != (d,):
        raise ValueError(f"theta0 must have the shape ({d},) of the region's center, got {theta.shape}")
    enclosures = family.step_enclosures(region)
    if enclosures is None:
        raise NotCertified(
            f"no enclosures over a box are known for {family!r}: its step_enclosures(region) is None",
            ("families.OwnLossSteps for gradient steps on a smooth loss", "ball="),
        )
    maps, inverse = step_bounds(enclosures, region), gram_inverse(region)
    frame, r = Intervals(region.basis), region.radii
    u0 = inverse @ (frame.T @ (Intervals(theta) - region.center))
    place = u0.magnitude
    if not np.all(place <= r):
        j = int(np.argmax(place / r))
        raise ValueError(f"theta0 must lie in the region: its coordinate {j} is {place[j]:.6g} > r_{j} = {r[j]:.6g}")
    _check_invariance(maps, r)
    found = []
    if space is None or isinstance(space, SupNorm):
        w = best_weights(maps, r)
        found.append((sup_factor(maps, w), w, "max_ij (max|1 − h a_jj| + h Σ max|a_jl| w_l/w_j) over the box"))
    if space is None or isinstance(space, Euclidean):
        k, m, M = euclidean_factor(enclosures, region)
        found.append((k, None, f"max(|1 − hm|, |1 − hM|), m = {m:.6g}, M = {M:.6g} over the box"))
    k, w, source = min(found, key=lambda one: one[0])
    if not k < 1:
        raise NotCertified(
            f"k ≥ 1 on the region: k = {k:.6g} ({source}); the box is invariant",
            ("a smaller learning rate", "more weight decay", "fewer and larger batches"),
        )
    return _certificate(region, enclosures, maps, u0, (k, w, source))


def _check_invariance(maps: Sequence[StepBounds], r: NDArray) -> None:
    ratios = np.stack([one.image(r) / r for one in maps])
    inside = np.stack([one.image(r) <= r for one in maps])
    if not np.all(inside):
        worst = np.where(inside, -np.inf, np.where(np.isnan(ratios), np.inf, ratios))
        i, j = (int(x) for x in np.unravel_index(int(np.argmax(worst)), worst.shape))
        low, rest = maps[i].slope.mid[j, j], r[j] - maps[i].image(r)[j]
        raise NotCertified(
            f"region not invariant: map {i} may send coordinate {j} of the box to {ratios[i, j]:.8g} r_{j} (r_{j} = "
            f"{r[j]:.6g}, h|G_j(0)| = {float((maps[i].h * maps[i].pull).magnitude[j]):.3g}, a_jj = {low:.3g} at the "
            f"center; short by {-rest:.3g}; {int(np.sum(~inside))} of {inside.size} coordinates of all maps fail)",
            ("find_region(family, theta0)", "more weight decay", "fewer and larger batches"),
        )


def _certificate(
    region: RotatedBox,
    enclosures: Sequence[StepEnclosure],
    maps: Sequence[StepBounds],
    u0: Intervals,
    contraction: tuple[float, NDArray | None, str],
) -> RegionCertificate:
    k, w, source = contraction
    r, d, size = region.radii, len(region.radii), u0.magnitude
    edge = above(r + size, 1)
    moves = []
    for enclosed, one in zip(enclosures, maps, strict=True):
        if w is not None:
            G = (one.pull + one.slope @ u0).widened(above(one.variation @ size / 2, d + 2))
            moves.append(float(np.max(above((one.h * G).magnitude / w, 2))))
        else:
            slope = (enclosed.gradient + enclosed.curvature @ u0).widened(above(enclosed.variation @ size / 2, d + 2))
            square = above(slope.magnitude @ gram_inverse(region).magnitude @ slope.magnitude, 4 * d)
            moves.append(float(above(one.h * np.sqrt(square), 4)))
    if w is not None:
        reach, space = float(np.max(above(edge / w, 2))), BoxNorm(np.linalg.inv(region.basis) / w[:, None])
        norm = "one weighted maximum norm of the box's coordinates"
    else:
        frame = Intervals(region.basis)
        reach = float(above(np.sqrt(edge @ (frame.T @ frame).magnitude @ edge), 4 * d))
        space, norm = Euclidean(), "the Euclidean norm"
    constants = {
        "k": Constant(k, "proved", source),
        "D": Constant(max(moves), "proved", "max_i d(θ0, T_iθ0)"),
        "reach": Constant(reach, "proved", "sup of d(θ0, ·) over the box"),
    }
    margin = max(float(np.max(one.image(r) / r)) for one in maps)
    return RegionCertificate(
        statement="Theorem 2.2 on a certified region (row 85)",
        k=k,
        D=constants["D"].value,
        target="θ*",
        majorant=InRegion(k, constants["D"].value, reach),
        distance=repr(space),
        hypotheses=(
            f"each of {len(maps)} maps sends the box of {d} coordinates into itself (at most {margin:.6g} r_j)",
            f"all contract on it in {norm}",
            "enclosures over all of the box, rounded outwards; (QᵀQ)⁻¹ enclosed",
        ),
        constants=constants,
        region=region,
        space=space,
    )
