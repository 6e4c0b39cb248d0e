"""A certified region (row 85): a box that every map provably sends into itself and on which all contract in one norm.

T_i(θ) = θ - h grad L_i(θ) on B = {c + Q u: |u_j| <= r_j}. With G_i(u) = Q^-1 grad L_i(c + Q u), enclosures
a^i of its derivative over B, and abar^i of the mean of that derivative between 0 and any u of B:

- B is invariant if h |G_ij(0)| + max|1 - h abar^i_jj| r_j + h Σ_{l≠j} max|abar^i_jl| r_l <= r_j for all i and j.
- Every T_i is a k-contraction in max_j |u_j|/w_j, any weights w, if k = max_ij (max|1 - h a^i_jj| + h Σ_{l≠j}
  max|a^i_jl| w_l/w_j) < 1, and in the Euclidean norm with k = max(|1 - h m|, |1 - h M|) if m <= d²L_i <= M over B.

Neither implies the other, and Theorem 2.2 on B needs both, in one norm for all maps. Then, from any θ in B,
d(θ*, θ_n) <= k^n min(sup_B d(θ, ·), D/(1 - k)). Q is a matrix of floats and not orthogonal: (Q^T Q)^-1 is
enclosed. All numbers are rounded outwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contraction.certificates.error_bound import Certificate
from contraction.certificates.majorants import InRegion
from contraction.certificates.region_epochs import epoch_bounds
from contraction.certificates.step_bounds import (
    StepBounds,
    best_weights,
    curvature_bounds,
    gram_inverse,
    step_bounds,
    step_factor,
    sup_factor,
)
from contraction.maps.constants import Constant
from contraction.maps.domains import RotatedBox
from contraction.maps.errors import NotCertified
from contraction.maps.intervals import Intervals, above
from contraction.maps.operators import RandomOperator
from contraction.maps.spaces import BoxNorm, Euclidean, Space, SupNorm
from contraction.maps.step_enclosures import StepEnclosure

__all__ = ["SMALLER_STEPS", "RegionCertificate", "certify_region"]

SMALLER_STEPS = "reshuffled batches (law=Reshuffled) and a smaller learning rate"  # what helps first


@dataclass(frozen=True, eq=False)
class RegionCertificate(Certificate):
    """A `Certificate` on a region.

    Attributes
    ----------
    region : RotatedBox
        The box that every map sends into itself; the bound holds from ``theta0``, and θ* lies in the box.
    space : Space
        The norm in which all maps contract on the box, and in which distances are bounded.
    """

    region: RotatedBox = None  # pyright: ignore[reportAssignmentType]
    space: Space = None  # pyright: ignore[reportAssignmentType]


def certify_region(
    family: RandomOperator, theta: NDArray, region: RotatedBox, space: Space | None = None
) -> RegionCertificate:
    """Prove that every map, or every epoch, sends the box into itself and contracts on it in one norm.

    ``space`` is `Euclidean` for the Euclidean norm, `SupNorm` for a weighted maximum norm in the box's coordinates, or
    None for the one with the smaller factor. Epochs are tried if single maps fail and the family has them.

    Raises
    ------
    NotCertified
        If the box is not invariant, k >= 1 on it, or no enclosures are known; it names the map and the coordinate.
    ValueError
        If ``theta0`` does not lie in the region, or the space is another one.
    TypeError
        If the region is not a `RotatedBox`.
    """
    if not isinstance(region, RotatedBox):
        raise TypeError(f"region must be a RotatedBox(center, radii, basis), got {region!r}")
    if space is not None and type(space) not in (Euclidean, SupNorm):
        raise ValueError(
            f"with region=, space must be Euclidean() or SupNorm() in the box's coordinates, got {space!r}"
        )
    d = len(region.radii)
    if theta.shape != (d,):
        raise ValueError(f"theta0 must have the shape ({d},) of the region's center, got {theta.shape}")
    enclosures = family.step_enclosures(region)
    if enclosures is None:
        raise NotCertified(
            f"no enclosures over a box are known for {family!r}: its step_enclosures(region) is None",
            ("families.OwnLossSteps for gradient steps on a smooth loss", "ball="),
        )
    frame, r = Intervals(region.basis), region.radii
    u0 = gram_inverse(region) @ (frame.T @ (Intervals(theta) - region.center))
    place = u0.magnitude
    if not np.all(place <= r):
        j = int(np.argmax(place / r))
        raise ValueError(
            f"theta0 must lie in the region: coordinate {j} of Q⁻¹(theta0 − center) has the absolute value "
            f"{place[j]:.6g} > r_{j} = {r[j]:.6g}"
        )
    try:
        return _of_maps(enclosures, region, u0, space)
    except NotCertified as failure:
        if family.epoch is None or isinstance(space, SupNorm):
            raise
        return _of_epochs(family, region, u0, failure)


def _of_maps(
    enclosures: Sequence[StepEnclosure], region: RotatedBox, u0: Intervals, space: Space | None
) -> RegionCertificate:
    """Every map sends the box into itself and contracts on it."""
    maps, r, d, size = step_bounds(enclosures, region), region.radii, len(region.radii), u0.magnitude
    _check_invariance(maps, r)
    factors: list[tuple[float, NDArray | None, str]] = []
    if not isinstance(space, Euclidean):
        w = best_weights(maps, r)
        factors.append((sup_factor(maps, w), w, "max_ij (max|1 − h a_jj| + h Σ max|a_jl| w_l/w_j) over the box"))
    if not isinstance(space, SupNorm):
        ends = [curvature_bounds(one, region) for one in enclosures]
        m, M = min(low for low, _ in ends), max(high for _, high in ends)
        k = step_factor(enclosures[0].h, m, M)
        factors.append((k, None, f"max(|1 − hm|, |1 − hM|), m = {m:.6g}, M = {M:.6g} over the box"))
    k, w, source = min(factors, key=lambda one: one[0])
    if not k < 1:
        raise NotCertified(
            f"k ≥ 1 on the region: k = {k:.6g} ({source}); the box is invariant",
            (SMALLER_STEPS, "more weight decay", "fewer and larger batches"),
        )
    moves = []
    for enclosed, one in zip(enclosures, maps, strict=True):
        if w is not None:
            G = (one.pull + one.slope @ u0).widened(above(one.variation @ size / 2, d + 2))
            moves.append(float(np.max(above((one.h * G).magnitude / w, 2))))
        else:
            half = above(enclosed.variation(r) @ size / 2, d + 2)
            slope = (enclosed.gradient + enclosed.curvature @ u0).widened(half).magnitude
            moves.append(float(above(abs(enclosed.h) * np.sqrt(slope @ gram_inverse(region).magnitude @ slope), 4 * d)))
    edge = above(r + size, 1)
    if w is not None:
        reach, metric = float(np.max(above(edge / w, 2))), BoxNorm(np.linalg.inv(region.basis) / w[:, None])
        norm = "one weighted maximum norm of the box's coordinates"
    else:
        reach, metric, norm = _length(edge, region), Euclidean(), "the Euclidean norm"
    largest = max(float(np.max(one.image(r) / r)) for one in maps)
    return _certificate(
        region,
        metric,
        InRegion(k, max(moves), reach),
        source,
        "max_i d(θ_0, T_iθ_0)",
        f"each of {len(maps)} maps sends the box of {d} coordinates into itself (at most {largest:.6g} r_j)",
        f"all contract on it in {norm}",
    )


def _length(edge: NDArray, region: RotatedBox) -> float:
    """Return a bound on |Q u| for |u_j| <= edge_j."""
    frame = Intervals(region.basis)
    return float(above(np.sqrt(edge @ (frame.T @ frame).magnitude @ edge), 4 * len(edge)))


def _of_epochs(family: RandomOperator, region: RotatedBox, u0: Intervals, failure: NotCertified) -> RegionCertificate:
    """Every epoch sends the box into itself and contracts on it in the Euclidean norm."""
    r, single = region.radii, f"every single map ({failure.hypothesis})"
    try:
        epoch = epoch_bounds(family, region)
    except NotCertified as error:
        raise NotCertified(error.hypothesis, error.alternatives, (single,)) from None
    image, count = epoch.image(r), len(epoch.enclosures)
    if not np.all(image <= r):
        j = int(np.argmax(np.where(np.isnan(image), np.inf, image / r)))
        raise NotCertified(
            f"region not invariant: an epoch may send coordinate {j} of the box to {image[j] / r[j]:.8g} r_{j}, of "
            f"which {epoch.aside[j] / r[j]:.3g} r_{j} because single batches pull aside",
            ("find_region(family, theta0)", "a smaller learning rate", "more weight decay"),
            (single,),
        )
    if not np.all(above(u0.magnitude + epoch.drift, 1) <= r):
        j = int(np.argmax((u0.magnitude + epoch.drift) / r))
        raise NotCertified(
            f"an unfinished epoch from theta0 may leave the box: coordinate {j} may reach "
            f"{(u0.magnitude + epoch.drift)[j] / r[j]:.6g} r_{j}",
            ("theta0 nearer to the centre", "a smaller learning rate", "a larger box"),
            (single,),
        )
    k = epoch.factor()
    if not k < 1:
        raise NotCertified(
            f"k ≥ 1 on the region: an epoch has at most the factor {k:.6g} there; the box is invariant",
            ("a smaller learning rate", "more weight decay"),
            (single,),
        )
    D, reach = _length(epoch.drift, region), _length(above(r + u0.magnitude, 1), region)
    return _certificate(
        region,
        Euclidean(),
        InRegion(k, D, reach, count),
        f"factor of {count} maps over the box that no epoch leaves",
        "sup of d(θ_0, T_1…T_m θ_0) over the first m maps of an epoch",
        f"every epoch of {count} maps, in any order, sends the box into itself (at most {np.max(image / r):.6g} r_j)",
        "every epoch contracts on it in the Euclidean norm",
    )


def _certificate(
    region: RotatedBox, space: Space, majorant: InRegion, k_from: str, D_from: str, *hypotheses: str
) -> RegionCertificate:
    return RegionCertificate(
        statement="Theorem 2.2 on a certified region (row 85)",
        k=majorant.k,
        D=majorant.D,
        target="θ*",
        majorant=majorant,
        distance=repr(space),
        hypotheses=(*hypotheses, "enclosures over all of the box, rounded outwards; (QᵀQ)⁻¹ enclosed"),
        constants={
            "k": Constant(majorant.k, "proved", k_from),
            "D": Constant(majorant.D, "proved", D_from),
            "reach": Constant(majorant.reach, "proved", "sup of d(θ_0, ·) over the box"),
        },
        region=region,
        space=space,
    )


def _check_invariance(maps: Sequence[StepBounds], r: NDArray) -> None:
    images = np.stack([one.image(r) for one in maps])
    inside, ratios = images <= r, images / r
    if np.all(inside):
        return
    worst = np.where(inside, -np.inf, np.where(np.isnan(ratios), np.inf, ratios))
    i, j = (int(x) for x in np.unravel_index(int(np.argmax(worst)), worst.shape))
    pull = float((maps[i].h * maps[i].pull).magnitude[j])
    raise NotCertified(
        f"region not invariant: map {i} may send coordinate {j} of the box to {ratios[i, j]:.8g} r_{j} (r_{j} = "
        f"{r[j]:.6g}, h|G_j(0)| = {pull:.3g}, a_jj = {maps[i].slope.mid[j, j]:.3g} at the center); "
        f"{int(np.sum(~inside))} of {inside.size} coordinates of all maps fail",
        ("find_region(family, theta0)", SMALLER_STEPS, "more weight decay", "fewer and larger batches"),
    )
