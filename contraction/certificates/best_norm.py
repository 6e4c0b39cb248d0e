"""Contraction in mean square in a norm ‖.‖_P that is searched for by iteration, in any number of dimensions.

For independent affine maps with linear parts A let S(P) = E A^T P A. In every norm ‖x‖_P = (x^T P x)^(1/2),

    (E ‖Tx - Ty‖_P^2)^(1/2) <= rho ‖x - y‖_P,  rho^2 the largest eigenvalue of P^-1 S(P),

so any positive definite P gives a bound, whatever its origin. Here P = sum_{j<=J} S^j(I) / g^j with g near the
spectral radius r of S: its rho^2 tends to r as J grows. One step costs two products of d×d matrices for each map, where
the exact method of `contraction.certificates.mean_square` factors a matrix of d^2 rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from contraction.certificates.change_of_metric import condition, equivalence, named
from contraction.certificates.error_bound import ErrorBound, certificate_or_estimate
from contraction.certificates.hypotheses import displacement_constant, start_distance
from contraction.certificates.majorants import CommonNorm, Geometric
from contraction.maps.constants import Constant
from contraction.maps.errors import NotCertified
from contraction.maps.operators import RandomOperator
from contraction.maps.rounding import EPS, round_up
from contraction.maps.spaces import Euclidean, Space, WeightedEuclidean
from contraction.maps.support import probabilities

__all__ = ["certify_in_norm", "factor_in_norm", "iterated_norm"]

WORK = 2.0**33  # multiplications that a search may take, a few seconds
STEPS = 64  # terms of P at most
FEWEST = 8  # fewer steps do not make a search

Parts = Sequence[tuple[float, NDArray]]


def _map(parts: Parts) -> Callable[[NDArray], NDArray]:
    """P -> S(P) = sum of w A^T P A, symmetric."""

    def S(P: NDArray) -> NDArray:
        image = np.zeros_like(P)
        for w, A in parts:
            image += w * (A.T @ P @ A)
        return (image + image.T) / 2

    return S


@np.errstate(over="ignore", invalid="ignore")
def factor_in_norm(parts: Parts, space: WeightedEuclidean) -> float:
    """rho^2, the largest eigenvalue of P^-1 S(P), rounded up."""
    d = len(space.P)
    inverse = np.linalg.inv(space.root)
    image = inverse.T @ _map(parts)(space.P) @ inverse
    top = float(np.linalg.eigvalsh((image + image.T) / 2)[-1])
    size = sum(w * float(np.linalg.norm(A)) ** 2 for w, A in parts)
    room = 8 * d * d * (len(parts) + 8) * EPS * condition(space) ** 2 * max(1.0, size)
    return float(round_up(max(top, 0.0) + room))


@np.errstate(over="ignore", invalid="ignore")
def iterated_norm(parts: Parts) -> tuple[WeightedEuclidean, float]:
    """Return the best norm ‖.‖_P of the search, and rho^2 there, rounded up.

    Raises
    ------
    NotCertified
        If the search would take more than `WORK` multiplications, or finds no norm with rho < 1.
    """
    d = len(parts[0][1])
    step = 6.0 * len(parts) * d**3
    steps = min(STEPS, int(WORK / step))
    if steps < FEWEST:
        raise NotCertified(
            f"a norm of contraction in mean square is not searched for: {FEWEST} steps with {len(parts)} matrices "
            f"of {d} by {d} numbers take about {FEWEST * step:.1e} multiplications, more than {WORK:.1e}"
        )
    S = _map(parts)
    Q, r = np.eye(d), 0.0
    for _ in range(steps):
        image = S(Q)
        r = float(np.trace(image) / np.trace(Q))
        if not 0 < r < np.inf:
            break
        Q = image / r
    goal = max(r + 0.01 * (1 - r), 1e-8) if r < 1 else r
    best: tuple[WeightedEuclidean, float] | None = None
    P = term = np.eye(d)
    for j in range(1, steps + 1):
        term = S(term) / goal
        P = P + term
        if j == steps or j & (j - 1) == 0:  # 1, 2, 4, … and the last
            try:
                space = WeightedEuclidean(P / np.trace(P) * d)
                factor = factor_in_norm(parts, space)
            except (ValueError, np.linalg.LinAlgError):  # P is not positive definite to rounding
                break
            if best is None or factor < best[1]:
                best = space, factor
    if best is None or not best[1] < 1:
        seen = "" if best is None else f"; the least factor of {steps} steps is {best[1] ** 0.5:.6g}"
        raise NotCertified(
            f"no norm was found in which the maps contract in mean square: E A⊗A has radius about {r:.6g}{seen}"
        )
    return best


def _parts(family: RandomOperator, d: int) -> Parts:
    """Return the listed linear parts with their probabilities."""
    listed = family.linear_support() if family.is_iid else None
    weights = None if listed is None else probabilities(listed)
    if listed is None or weights is None:
        raise NotCertified(
            "contraction in mean square in another norm needs independent affine maps that are listed, as those of "
            "FiniteFamily and RandomAffine"
        )
    pairs = zip(weights.tolist(), (A for _, A in listed), strict=True)
    return [(w, np.asarray(A, dtype=float)) for w, A in pairs if np.shape(A) == (d, d)]


def certify_in_norm(
    family: RandomOperator, theta: NDArray, start: NDArray | None, space: Space | None
) -> tuple[ErrorBound | None, tuple[str, ...]]:
    """Contraction in mean square in the norm ``space``, or, if that is None, in the best ‖·‖_P of a search.

    The bound is on the distance in ``space``, or in the family's metric if it is None.

    Returns
    -------
    bound, reasons
        The bound is None if there is none; the reasons then say why.
    """
    if theta.dtype == object or theta.ndim != 1 or (space is None and type(family.space) is not Euclidean):
        return None, ()
    if space is not None and type(space) not in (WeightedEuclidean, Euclidean):
        return None, (f"in mean square, factors are known in quadratic norms only, not in {named(space)}",)
    d = theta.shape[-1]
    try:
        parts = _parts(family, d)
        if space is None:
            metric, square = iterated_norm(parts)
        else:
            metric = space if isinstance(space, WeightedEuclidean) else WeightedEuclidean(np.eye(d))
            square = factor_in_norm(parts, metric)
    except NotCertified as failed:
        return None, (failed.hypothesis,)
    rho = float(round_up(square**0.5, 2))
    if rho >= 1:
        return None, (f"the factor in mean square in {named(metric)} is {rho:.6g}",)
    k = Constant(rho, "proved", f"√λ_max(P⁻¹ E AᵀPA) in {named(metric)}")
    D = displacement_constant(family, theta, metric, 2.0, k)
    r = start_distance(family, theta, start, metric)
    reach = None if r is None else r.value
    factor = equivalence(metric, family.space, d) if space is None else None
    c = None if factor is None else Constant(factor, "proved", f"‖x‖ ≤ c ‖x‖ in {named(metric)}")
    return certificate_or_estimate(
        {"rho": k, "D": D, "c": c, "r": r},
        statement="mean-square contraction in a quadratic norm",
        k=rho,
        D=D.value,
        target="θ*",
        majorant=Geometric(rho, D.value, reach) if factor is None else CommonNorm(rho, D.value, reach, c=factor),
        distance=repr(family.space if space is None else space),
        hypotheses=("i.i.d. affine maps, E ‖A x‖_P² ≤ rho² ‖x‖_P² for all x; D and r are measured in ‖·‖_P",),
        p=2.0,
    ), ()
