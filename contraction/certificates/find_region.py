"""Search for a box that `contraction.certify` can prove to be a region of Theorem 2.2 (row 85)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

from contraction.arguments import check_flag, check_integer, check_positive
from contraction.certificates.hypotheses import point
from contraction.certificates.region import SMALLER_STEPS, certify_region
from contraction.certificates.region_epochs import epoch_bounds
from contraction.certificates.step_bounds import StepBounds, step_bounds
from contraction.maps.domains import RotatedBox
from contraction.maps.errors import NotCertified
from contraction.maps.operators import RandomOperator
from contraction.maps.step_enclosures import StepEnclosure

__all__ = ["find_region"]

SPECK = 1e-12  # radius of a box that stands for a point


def find_region(
    family: RandomOperator,
    theta0: ArrayLike,
    *,
    grow: bool = False,
    newton: int = 50,
    rounds: int = 40,
    slack: float = 0.01,
) -> RotatedBox:
    """Search for a box around a minimum of the mean loss that every gradient step sends into itself.

    The centre is found by Newton's method from ``theta0``, the basis is that of the eigenvectors of the mean Hessian,
    and radii and centre come from linear programs: the smallest box with a_jj r_j - Σ_{l≠j} |a_jl| r_l >= |G_ij(0)| for
    all maps i, with a enclosed anew over each box until the box is invariant. Radii below 1e-12 are not tried, so that
    maps with a common fixed point have a box too. `certify` proves what is found.

    A box of this kind is what row 85, the local form of Theorem 2.2, asks for.

    Parameters
    ----------
    family
        Gradient steps with `step_enclosures`, such as `families.OwnLossSteps`.
    theta0
        A start near the minimum, shape (d,).
    grow
        If true, enlarge the smallest box as far as it can be certified, to 10 %: more starts, but a larger k.
    newton
        Largest number of steps of Newton's method.
    rounds
        Largest number of boxes tried.
    slack
        The radii are enlarged by this share.

    Raises
    ------
    NotCertified
        If Newton's method does not find a minimum, or if no box satisfies the conditions; the message names the map
        and the coordinate, or says that Newton's method did not converge to a minimum near ``theta0``.
    ValueError
        If an argument is invalid.

    Examples
    --------
    >>> import contraction as ct
    >>> import numpy as np
    >>> def loss(theta, x, y):  # logistic regression with one weight
    ...     return np.log1p(np.exp(-y * theta[0] * x))
    >>> data = (np.array([2.0, -1.0, 1.0, 2.0]), np.array([1.0, 1.0, 1.0, -1.0]))
    >>> family = ct.families.OwnLossSteps(loss, data, dim=1, h=0.1, batches=[[0, 1], [2, 3]], ridge=0.5)
    >>> region = ct.find_region(family, [0.0])
    >>> low, high = region.center - region.radii, region.center + region.radii
    >>> low.round(2).tolist(), high.round(2).tolist()  # every step sends this interval into itself
    ([-0.23], [0.23])
    >>> certificate = ct.certify(family, region.center, region=region)  # proves what the search has found
    >>> certificate.certified, certificate.k < 1
    (True, True)
    """
    theta = point(theta0, family)
    check_flag("grow", grow)
    check_integer("newton", newton, 1)
    check_integer("rounds", rounds, 1)
    check_positive("slack", slack)
    region = _smallest(family, theta.astype(float), newton, rounds, slack)
    return _largest(family, region) if grow else region


def _largest(family: RandomOperator, region: RotatedBox) -> RotatedBox:
    """Return the largest multiple of a box that is certified: by doubling, then by bisection of the exponent."""

    def certified(scale: float) -> bool:
        try:
            certify_region(family, region.center, RotatedBox(region.center, scale * region.radii, region.basis))
        except NotCertified:
            return False
        return True

    low, high = 1.0, 2.0
    while high < 2.0**40 and certified(high):
        low, high = high, 2 * high
    while high > 1.1 * low:
        middle = (low * high) ** 0.5
        low, high = (middle, high) if certified(middle) else (low, middle)
    return RotatedBox(region.center, low * region.radii, region.basis)


def _smallest(family: RandomOperator, theta: NDArray, newton: int, rounds: int, slack: float) -> RotatedBox:
    center, Q = _minimum(family, theta, newton)
    by_epochs = family.epoch is not None
    first = "a smaller learning rate" if by_epochs else SMALLER_STEPS
    r, shift = np.full(len(center), SPECK), np.zeros(len(center))
    for _ in range(rounds):
        center = center + Q @ shift
        region = RotatedBox(center, r, Q)
        if by_epochs:
            epoch = epoch_bounds(family, region)
            if np.all(epoch.image(r) <= r) and np.all(epoch.drift <= r):
                return region
            maps, aside, least = [epoch.mean], epoch.aside / epoch.rate, epoch.drift
        else:
            maps, aside, least = step_bounds(_enclosures(family, region), region), np.zeros(len(r)), np.zeros(len(r))
            if all(np.all(one.image(r) <= r) for one in maps):
                return region
        r, shift = _least_radii(maps, r, aside, np.maximum(least, SPECK), first)
        r = r * (1 + slack)
    raise NotCertified(
        f"no invariant box was found in {rounds} rounds: the radii still change, r = {np.array2string(r, precision=3)}",
        ("more rounds", first, "more weight decay", "fewer and larger batches"),
    )


def _enclosures(family: RandomOperator, region: RotatedBox) -> list[StepEnclosure]:
    enclosures = family.step_enclosures(region)
    if enclosures is None:
        raise NotCertified(f"no enclosures over a box are known for {family!r}: its step_enclosures(region) is None")
    return enclosures


@np.errstate(divide="ignore", invalid="ignore", over="ignore")  # iterates that run away are refused below
def _minimum(family: RandomOperator, theta: NDArray, steps: int) -> tuple[NDArray, NDArray]:
    """Return a minimum of the mean loss and the eigenvectors of its Hessian, by Newton steps with |curvature|."""
    for _ in range(steps):
        speck = RotatedBox(theta, np.full(len(theta), SPECK))
        enclosures = _enclosures(family, speck)
        g, H = (
            np.mean([part.mid for part in parts], axis=0)
            for parts in zip(*((e[1], e[2]) for e in enclosures), strict=True)
        )
        values, Q = np.linalg.eigh((H + H.T) / 2)
        if np.linalg.norm(g) <= 1e-12 * (1 + np.linalg.norm(theta)) * (1 + values[-1]):
            step = np.max(np.abs(Q.T @ g) / np.maximum(np.abs(values), np.finfo(float).tiny))
            if not abs(values[0]) > 1e-12 * values[-1] or step > 1e-3 * (1 + np.linalg.norm(theta)):
                raise NotCertified(
                    *_no_minimum(f"the mean loss is flat where its gradient is 0, with a curvature of {values[0]:.3g}")
                )
            if not values[0] > 0:
                raise NotCertified(
                    f"no minimum of the mean loss: least eigenvalue {values[0]:.3g} of its Hessian; Newton's method "
                    "ended at a saddle or a maximum: start nearer to a minimum"
                )
            return theta, Q
        theta = theta - Q @ (Q.T @ g / np.maximum(np.abs(values), 1e-3 * values[-1]))
        if not np.isfinite(np.linalg.norm(theta)):
            raise NotCertified(*_no_minimum("a step of Newton's method is not finite"))
    raise NotCertified(
        f"Newton's method found no minimum of the mean loss in {steps} steps: |gradient| = {np.linalg.norm(g):.3g}",
        ("a start nearer to a minimum", "add ridge= to the family", "newton= for more steps"),
    )


def _no_minimum(seen: str) -> tuple[str, tuple[str, ...]]:
    """Return the hypothesis that fails and the alternatives where Newton's method finds no minimum."""
    return (
        f"no minimum of the mean loss was found near theta0: {seen}; a loss without a minimum gets one by weight decay",
        ("add ridge= to the family", "a start nearer to a minimum"),
    )


def _least_radii(
    maps: Sequence[StepBounds], r: NDArray, aside: NDArray, least: NDArray, first: str
) -> tuple[NDArray, NDArray]:
    """Return the radii and the shift s of the centre of the smallest box, by a linear program in (r, s).

    a_jj r_j - Σ_{l≠j} |a_jl| r_l >= ±(G_ij(0) + Σ_l a_jl s_l) + aside_j + SPECK |a_jj| for all maps i, with a as
    enclosed over the box ``r``; r_j >= least_j.

    Raises
    ------
    NotCertified
        If there is none; the first alternative of the message is ``first``.
    """
    d, rows, right = len(r), [], []
    for one in maps:
        size = np.abs(one.slope.mid) + one.slope.rad + one.variation / 2
        table = -size
        np.fill_diagonal(table, np.diag(one.slope.mid - one.slope.rad - one.variation / 2))
        for side in (1, -1):
            rows.append(np.hstack([-table, side * one.slope.mid]))
            # the last term keeps the image inside of the box, not on its faces, where all maps share their fixed point
            right.append(-side * one.pull.mid - one.pull.rad - aside - SPECK * np.abs(np.diag(one.slope.mid)))
    A, b = np.vstack(rows), np.concatenate(right)
    if not (np.all(np.isfinite(A)) and np.all(np.isfinite(b))):
        raise NotCertified(f"the enclosures overflow over the box of radii up to {float(np.max(r)):.3g}")
    with np.errstate(divide="ignore", invalid="ignore"):
        units = [(np.abs(one.pull.mid) + aside) / np.abs(np.diag(one.slope.mid)) for one in maps]
    if not np.all(np.isfinite(units)):
        i, j = np.argwhere(~np.isfinite(units))[0]
        raise NotCertified(
            f"no box is invariant: coordinate {j} of map {i} has the curvature 0 at the centre",
            (first, "add ridge= to the family", "fewer and larger batches"),
        )
    scale = np.maximum(np.max(units, axis=0) + SPECK, r)
    A = A * np.tile(scale, 2)  # in units of G/a, or of the radii before where those are larger
    norm = np.max(np.abs(A), axis=1)
    solution = optimize.linprog(
        np.r_[np.ones(d), np.zeros(d)],
        A / norm[:, None],
        b / norm,
        bounds=[*((one, None) for one in least / scale), *[(None, None)] * d],
    )
    if solution.status != 0:
        i, j, reason = _outweighed(maps, r)
        raise NotCertified(
            f"no box is invariant at radii up to {float(np.max(r)):.3g}: coordinate {j} of map {i} {reason}",
            (first, "more weight decay", "fewer and larger batches", "a smaller network"),
        )
    return solution.x[:d] * scale, solution.x[d:] * scale


def _outweighed(maps: Sequence[StepBounds], r: NDArray) -> tuple[int, int, str]:
    """Return the map and the coordinate whose curvature the other coordinates outweigh most, in the best weights."""
    d = len(r)
    sizes = np.stack([np.abs(one.slope.mid) + one.slope.rad + one.variation / 2 for one in maps])
    diagonal = np.stack([np.diag(one.slope.mid - one.slope.rad - one.variation / 2) for one in maps])
    others = sizes * (1 - np.eye(d))
    if np.any(diagonal <= 0):
        i, j = (int(x) for x in np.unravel_index(int(np.argmin(diagonal)), diagonal.shape))
        return i, j, f"is only known to have a curvature of at least {diagonal[i, j]:.3g}"
    w = r.copy()
    for _ in range(200):
        w = np.sqrt(w * np.max(others @ w / diagonal, axis=0))  # the root, since powers alone may go round in a circle
        w = w / np.max(w)
    ratio = others @ w / (diagonal * np.where(w > 0, w, 1.0))  # w_j is 0 where no other coordinate pushes
    i, j = (int(x) for x in np.unravel_index(int(np.argmax(ratio)), ratio.shape))
    outweighed = f"the other coordinates push it by {ratio[i, j]:.4g} times what that pulls back"
    return i, j, f"has a curvature of at least {diagonal[i, j]:.3g}, and {outweighed}"
