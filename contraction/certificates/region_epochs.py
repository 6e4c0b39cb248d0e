"""Certified regions for epochs: each of N gradient steps is taken once per epoch, in any order.

A single step may leave the box B = {|u_j| <= r_j} because its batch pulls aside, while an epoch returns: what the
batches pull aside adds up to what their mean does. Along an epoch from u in B all points stay in
B' = {|u_j| <= r_j + s_j} if

    s_j >= h (P_j + Σ_i (A_i r')_j),   P_j = the largest |Σ_{i in S} G_ij(0)| over sets S of batches, r' = r + s,

with A_i >= |dG_i/du| in the mean between 0 and any u of B'. The end of the epoch is u - h N Gbar(u) + e with
|e_j| <= h Σ_m (max_i |a_i| s_m)_j, s_m the same bound for the first m steps. So B is invariant under every epoch if the
mean step of rate hN sends it into itself with room for e. In the Euclidean norm an epoch has at most the product of the
steps' factors over B', or that of the mean step and the rest of the product. All numbers are rounded outwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contraction.certificates.step_bounds import StepBounds, curvature_bounds, step_bounds, step_factor
from contraction.maps.domains import RotatedBox
from contraction.maps.errors import NotCertified
from contraction.maps.intervals import Intervals, above
from contraction.maps.operators import RandomOperator
from contraction.maps.step_enclosures import StepEnclosure, mean_step

__all__ = ["EpochBounds", "drift", "epoch_bounds"]

WIDENINGS = 6  # of the box in which the steps of an epoch stay
WIDEST = 1e3  # radii of that box, in units of the largest coordinate of its center


@dataclass(frozen=True, eq=False)
class EpochBounds:
    """An epoch of N steps from a box B.

    Attributes
    ----------
    wide : RotatedBox
        B', which no step leaves.
    enclosures : list of StepEnclosure
        Each step over B'.
    drift : ndarray
        s (d,): how far the steps of an epoch may lead from its start.
    aside : ndarray
        h times bounds on |e_j|, shape (d,).
    mean : StepBounds
        The step of rate hN on the mean loss, over B.
    """

    wide: RotatedBox
    enclosures: list[StepEnclosure]
    drift: NDArray
    aside: NDArray
    mean: StepBounds

    @property
    def rate(self) -> float:
        """H N, rounded."""
        return self.enclosures[0].h * len(self.enclosures)

    def image(self, r: NDArray) -> NDArray:
        """Bounds on the coordinates |u_j| of the image of B under every epoch, shape (d,)."""
        return above(self.mean.image(r) + self.aside, 2)

    def factor(self) -> float:
        """Return the factor of an epoch over B' in the Euclidean norm, rounded up: the smaller of two bounds.

        The product of the steps' factors; and, from Π(1 - h H_i) = 1 - h Σ H_i + R, that of a step of rate hN on the
        mean Hessian, plus |R| <= Π(1 + h|H_i|) - 1 - h Σ|H_i|.
        """
        h, product, total, rest = self.enclosures[0].h, 1.0, 0.0, 0.0
        for one in self.enclosures:
            m, M = curvature_bounds(one, self.wide)
            product = float(above(product * step_factor(h, m, M), 1))
            size = float(above(h * max(abs(m), abs(M)), 1))
            total, rest = float(above(total + size, 1)), float(above(rest + size * (total + rest), 3))
        mean = mean_step(self.enclosures, h)
        spread = above(np.mean([one.third.magnitude for one in self.enclosures], axis=0), len(self.enclosures) + 2)
        mean = mean._replace(third=Intervals(np.zeros(spread.shape), spread))
        rate = Intervals(h) * float(len(self.enclosures))
        ends = (float((1 - rate * end).magnitude) for end in curvature_bounds(mean, self.wide))
        return min(product, float(above(max(ends) + rest, 1)))


def drift(maps: Sequence[StepBounds], h: float, wide: NDArray) -> tuple[NDArray, NDArray]:
    """(s, h|e|): bounds on how far an epoch leads from its start, and aside of the mean step; each of shape (d,)."""
    N, d = len(maps), len(wide)
    pulls = np.stack([one.pull.mid for one in maps])
    slack = np.stack([one.pull.rad for one in maps])
    ways = [-np.sort(-np.maximum(side * pulls + slack, 0.0), axis=0) for side in (1, -1)]
    prefix = np.maximum(*(np.cumsum(way, axis=0) for way in ways))  # the largest sum of m + 1 pulls
    turn = np.stack([above(one.slope.magnitude + one.variation / 2, 2) @ wide for one in maps])
    largest = np.cumsum(-np.sort(-turn, axis=0), axis=0)
    steps = above(h * (prefix + largest), 2 * N + 2 * d)
    bends = np.max([above(one.slope.magnitude + one.variation, 2) for one in maps], axis=0)
    before = np.sum(steps[:-1], axis=0) if N > 1 else np.zeros(d)
    return steps[-1], above(h * (bends @ before), N + 2 * d)


def epoch_bounds(family: RandomOperator, region: RotatedBox) -> EpochBounds:
    """Enclose the steps over a box that no epoch from ``region`` leaves, which is found by widening.

    Raises
    ------
    NotCertified
        If the steps lead ever further from the box, because h N is too large.
    """
    r = region.radii
    wide = RotatedBox(region.center, r * 1.25, region.basis)
    for _ in range(WIDENINGS):
        enclosures = family.step_enclosures(wide)
        if enclosures is None or family.epoch != len(enclosures):
            raise NotCertified(f"{family!r} has no epochs: its word does not go through all maps in turn")
        h = enclosures[0].h
        s, aside = drift(step_bounds(enclosures, wide), h, wide.radii)
        if np.all(above(r + s, 1) <= wide.radii):
            rate = Intervals(h) * float(len(enclosures))
            mean = step_bounds([mean_step(enclosures, h)], region)[0]
            return EpochBounds(wide, enclosures, s, aside, StepBounds(rate, mean.pull, mean.slope, mean.variation))
        if not np.all(r + s <= WIDEST * (1 + np.max(np.abs(region.center)))):
            break  # infinite or NaN, too
        wide = RotatedBox(region.center, (r + s) * 1.1, region.basis)
    raise NotCertified(
        f"the steps of an epoch may lead further and further: out of {np.max(wide.radii / r):.3g} times the box",
        ("a smaller learning rate",),
    )
