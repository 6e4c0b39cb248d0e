"""Gradient steps enclosed on a box in its own coordinates: gradient and Hessian at the centre, third derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from contraction.maps.domains import RotatedBox
from contraction.maps.intervals import Intervals, above
from contraction.maps.rounding import gamma
from contraction.maps.taylor import Monomial, Number, Tape, differentiate, direction
from contraction.types import RowLoss

__all__ = ["StepEnclosure", "enclose_step", "mean_step"]

CHUNK = 500  # rows of data at a time: their tensors take about 100 MB for 25 parameters


class StepEnclosure(NamedTuple):
    """T(θ) = θ - h grad L(θ) on B = {c + Q u: |u_j| <= r_j}, with derivatives in u.

    Attributes
    ----------
    h : float
        The learning rate.
    gradient : Intervals
        Encloses dL/du at u = 0, shape (d,).
    curvature : Intervals
        Encloses d²L/du² at u = 0, shape (d, d).
    third : Intervals
        Encloses d³L/du³ at every point of the box, shape (d, d, d).
    """

    h: float
    gradient: Intervals
    curvature: Intervals
    third: Intervals

    def variation(self, r: NDArray) -> NDArray:
        """V (d, d) with |d²L/du²(t u) - d²L/du²(0)| <= t V for every |u| <= r in the box and 0 <= t <= 1."""
        return above(self.third.magnitude @ r, 2 * len(r))


def enclose_step(loss: RowLoss, data: tuple[NDArray, ...], region: RotatedBox, h: float, ridge: float) -> StepEnclosure:
    """Enclose the step on the mean of ``loss(theta, *row)`` over the rows of ``data``, plus ridge |θ|²/2.

    On a box so wide that numbers overflow, entries are infinite or NaN, of which no hypothesis holds.
    """
    Q, r, count = region.basis, region.radii, len(data[0])
    with np.errstate(over="ignore", invalid="ignore"):
        parts = [
            _sums(loss, tuple(one[i : i + CHUNK] for one in data), region.center, Q, r) for i in range(0, count, CHUNK)
        ]
    slope, bend, third = parts[0]
    for more in parts[1:]:
        slope, bend, third = slope + more[0], bend + more[1], third + more[2]
    whole, center, frame = Intervals(float(count)), Intervals(region.center), Intervals(Q)
    return StepEnclosure(
        h,
        slope / whole + ridge * (frame.T @ center),
        bend / whole + ridge * (frame.T @ frame),
        third / whole,
    )


def mean_step(steps: Sequence[StepEnclosure], h: float) -> StepEnclosure:
    """Return the step of learning rate h on the mean of the losses of several steps, enclosed on the same box."""
    total = steps[0]
    for one in steps[1:]:
        total = StepEnclosure(h, *(a + b for a, b in zip(total[1:], one[1:], strict=True)))
    return StepEnclosure(h, *(part / float(len(steps)) for part in total[1:]))


def _sums(
    loss: RowLoss, data: tuple[NDArray, ...], center: NDArray, Q: NDArray, r: NDArray
) -> tuple[Intervals, Intervals, Intervals]:
    """First and second derivatives at the centre, and third ones over the box, summed over rows."""
    inner = Tape([Intervals(c) for c in center], 2, Q, np.zeros(len(r)))
    point = differentiate(loss, inner, data)
    outer = Tape([Intervals(c) for c in center], 3, Q, r)
    box = differentiate(loss, outer, data)
    n, m, d = len(data[0]), len(outer.rows), len(r)
    A = [direction(row, Q) for row in outer.rows]
    mid = np.stack([np.broadcast_to(a.mid, (n, d)) for a in A], axis=1)
    rad = np.stack([np.broadcast_to(a.rad, (n, d)) for a in A], axis=1)
    one, two, three = _dense(point, n, m, 1), _dense(point, n, m, 2), _dense(box, n, m, 3)
    X = three[0].reshape(n, m * m, m) @ mid
    X = np.swapaxes(mid, 1, 2)[:, None] @ X.reshape(n, m, m, d)
    third = mid.reshape(n * m, d).T @ X.reshape(n * m, d * d)
    size, slack = np.max(np.abs(mid) + rad, axis=(1, 2)), np.max(rad, axis=(1, 2))
    spread = np.abs(mid) + rad
    wide = three[1].reshape(n, m * m, m) @ spread
    wide = np.swapaxes(spread, 1, 2)[:, None] @ wide.reshape(n, m, m, d)
    wide = spread.reshape(n * m, d).T @ wide.reshape(n * m, d * d)
    second = np.swapaxes(mid, 1, 2) @ two[0] @ mid
    second_spread = np.swapaxes(spread, 1, 2) @ two[1] @ spread
    first, first_spread = np.einsum("na,naj->j", one[0], mid), np.einsum("na,naj->j", one[1], spread)
    operations = n * m + 4 * m + 16

    def error(D: tuple[NDArray, NDArray], k: int) -> float:
        """Return rounding of Σ_n D_n A_n … A_n (k factors), and the radii of A, for every entry."""
        total = np.sum(np.abs(D[0]) + D[1], axis=tuple(range(1, k + 1)))
        each = total * (k * slack * size ** (k - 1) + gamma(operations) * size**k)
        return float(above(np.sum(each), n + m**k + 16))

    return (
        Intervals(first, above(first_spread, operations) + error(one, 1)),
        Intervals(np.sum(second, axis=0), above(np.sum(second_spread, axis=0), operations) + error(two, 2)),
        Intervals(third.reshape(d, d, d), above(wide, operations).reshape(d, d, d) + error(three, 3)),
    )


def _dense(terms: dict[Monomial, Number], n: int, m: int, order: int) -> tuple[NDArray, NDArray]:
    """Midpoints and radii of the derivatives of one order in features, shape (n, m, …), from Taylor coefficients."""
    mid, rad = np.zeros((n, *(m,) * order)), np.zeros((n, *(m,) * order))
    for key, value in terms.items():
        if len(key) != order:
            continue
        repeats = np.prod([np.prod(range(1, key.count(a) + 1)) for a in set(key)])
        coefficient = value if isinstance(value, Intervals) else Intervals(value)
        scaled = coefficient * float(repeats)
        for place in set(_orders(key)):
            mid[(slice(None), *place)], rad[(slice(None), *place)] = scaled.mid, scaled.rad
    return mid, rad


def _orders(key: tuple[int, ...]) -> list[tuple[int, ...]]:
    if len(key) < 2:
        return [key]
    return [(key[i], *rest) for i in range(len(key)) for rest in _orders(key[:i] + key[i + 1 :])]
