"""Contraction in mean square: sup E d(Tx, Ty)^2 / d(x, y)^2 < 1, a weaker condition than E Lip(T)^2 < 1.

For independent maps with (E d(Tx, Ty)^2)^(1/2) <= rho d(x, y), rho < 1:
(E d(θ*, θ_n)^2)^(1/2) <= rho^n ‖d(θ_0, T θ_0)‖_2 / (1 - rho).

For affine maps θ* - θ_n = A_1 … A_n (Θ - θ_0), where Θ is independent of A_1 … A_n and has the
distribution of θ*. So the mean square is exactly tr S^n(I) M, with S(P) = E A^T P A and
M = E (Θ - θ_0)(Θ - θ_0)^T. Its rate is the spectral radius r of E A⊗A. For every eps > 0 there is a norm
‖.‖_P with E A^T P A <= (r + eps) P, and r is the infimum of these factors over P.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_positive
from contraction.certificates.best_norm import iterated_norm
from contraction.certificates.error_bound import WEAKEST, ErrorBound, certificate_or_estimate
from contraction.certificates.hypotheses import displacement_constant, start_distance
from contraction.certificates.majorants import Geometric, MeanSquareMoments, Smaller
from contraction.maps.arrays import check_weights, square_matrices
from contraction.maps.constants import Constant, Origin
from contraction.maps.errors import NotCertified
from contraction.maps.operators import RandomOperator
from contraction.maps.rounding import EPS, gamma, norm_of_entries, round_up
from contraction.maps.second_moments import SecondMoments
from contraction.maps.spaces import Euclidean, WeightedEuclidean

__all__ = ["certify_mean_square", "exact_mean_square", "mean_square_norm"]

EXACT_DIM = 20  # E A⊗A has d^4 entries
UNDERFLOW = 2.0**-960  # more than sums of products lose because they are below the least float


def mean_square_norm(
    matrices: Sequence[ArrayLike], weights: Sequence[float], slack: float = 0.01
) -> tuple[WeightedEuclidean, float]:
    """Return a norm ‖.‖_P in which random linear maps contract in mean square at nearly the best possible rate.

    The best possible rate is the root of the spectral radius of E A ⊗ A (row 82).

    Parameters
    ----------
    matrices
        Linear parts, shape (M, d, d).
    weights
        Their probabilities, one per matrix, >= 0 with sum one.
    slack
        The factor is at most r + slack (1 - r), where r is the spectral radius of E A⊗A. The best factor r may not be
        attained, and a small slack makes P badly conditioned; it is above 0 and at most 1. Above 20 dimensions P is
        found by iteration (`contraction.certificates.best_norm`), slack is not used, and the factor need not be near r.

    Returns
    -------
    space, factor
        ‖.‖_P, and rho^2 = the largest eigenvalue of P^-1 E A^T P A, rounded up.

    Raises
    ------
    NotCertified
        If r >= 1, so that the maps do not contract in mean square in any norm; above 20 dimensions also if the
        iteration finds no norm with a factor below 1 or would take too long.
    ValueError
        If the matrices are not finite square matrices of one size, the weights are not their probabilities, or the
        slack is not in (0, 1].

    Examples
    --------
    >>> from contraction import mean_square_norm
    >>> space, factor = mean_square_norm([[[0.5, 1.0], [0.0, 0.5]]], [1.0])
    >>> 0.25 < factor < 0.26
    True
    """
    A = np.stack(square_matrices("matrices", matrices))
    w = np.array([float(p) for p in check_weights(weights, len(A), of="matrix")])
    if check_positive("slack", slack) > 1:
        raise ValueError(f"slack must be at most 1, where the goal is the factor 1, got {slack!r}")
    d = A.shape[-1]
    if d > EXACT_DIM:
        return iterated_norm(list(zip(w.tolist(), A, strict=True)))
    lifted = np.einsum("m,mki,mlj->ijkl", w, A, A).reshape(d * d, d * d)  # P -> E A^T P A
    r = float(np.max(np.abs(np.linalg.eigvals(lifted))))
    if not r < 1:
        raise NotCertified(f"no norm contracts in mean square: E A⊗A has spectral radius {r:.6g} ≥ 1")
    goal = r + slack * (1 - r)
    P = np.linalg.solve(np.eye(d * d) - lifted / goal, np.eye(d).ravel()).reshape(d, d)
    space = WeightedEuclidean((P + P.T) / 2)
    inverse = np.linalg.inv(space.root)
    image = inverse.T @ np.einsum("m,mki,kl,mlj->ij", w, A, space.P, A) @ inverse
    room = 8 * d * d * (len(w) + 8) * EPS * float(np.linalg.cond(space.root)) ** 2
    return space, float(round_up(np.linalg.eigvalsh((image + image.T) / 2)[-1] + room))


def exact_mean_square(moments: SecondMoments, theta: NDArray, *, constant: bool = False) -> MeanSquareMoments:
    """Return n -> (E ‖θ* - θ_n‖^2)^(1/2) for affine maps and a start θ, from their second moments.

    ``constant`` states that the linear parts are 0 in exact arithmetic, too, and not only where they are rounded.

    Raises
    ------
    NotCertified
        If rounding errors may be too large for a useful bound.
    """
    known = moments.about(theta)
    d = len(known.Eb)
    mean, second = known.stationary()
    share, a, moved = _sizes_about(moments, known, theta)
    # entries of A have the error of a difference such as 1 - hλ, so that E A is off by entries * (1 + a)
    entries, solved = gamma(moments.terms + 8 * d), gamma(16 * d**4)
    wrong_A = 0.0 if constant and a == 0 else entries * (1 + a)
    of_squares = wrong_A * (a + wrong_A) + UNDERFLOW
    wrong = share * moved + solved * _size(known.Eb) + UNDERFLOW
    error = _moved(np.eye(d) - known.EA, entries * (1 + a) + UNDERFLOW, mean, wrong, solved)
    length = _size(mean) + error
    wrong = share * moved * moved + 2 * (share * a * moved * length + _size(known.EAb) * error)
    wrong += solved * (2 * _size(known.EAb) * length + _size(known.Ebb)) + UNDERFLOW * (1 + length)
    error = _moved(np.eye(d * d) - known.EAA, of_squares, second, wrong, solved)
    return MeanSquareMoments(known.EAA, of_squares, second, error)


def _moved(L: NDArray, of_matrix: float, X: NDArray, of_right_side: float, solved: float) -> float:
    """Return a bound on the error of the solution X of L X = B that has been computed.

    Let the true L be off by ΔL and the true B by ΔB, and let X solve (L + δL) X = B exactly, where δL is what the
    solver adds. Then X is off by at most κ (‖ΔB‖ + (‖ΔL‖ + ‖δL‖) ‖X‖) / (1 - κ (‖ΔL‖ + ‖δL‖)), where κ = ‖L^-1‖ is
    that of L + δL. If this product with the computed κ is at most 1/16, the computed inverse is off by 1/16 of itself
    at most, κ is at most 16/15 of L's, and so is that of L + δL in turn: (16/15)² / (1 - 1/15) is below 5/4.

    Raises
    ------
    NotCertified
        If L may be nearly singular.
    """
    kappa = float(np.linalg.norm(np.linalg.inv(L), 2))
    changed = of_matrix + solved * _size(L)
    error = 1.25 * kappa * (of_right_side + changed * _size(X))
    if not kappa * changed <= 0.0625 or not math.isfinite(error):
        raise NotCertified(f"the moments are too ill-conditioned for a bound: condition number {kappa:.3g}")
    return error


def _size(x: NDArray) -> float:
    return norm_of_entries(x)


def _sizes_about(moments: SecondMoments, about: SecondMoments, theta: NDArray) -> tuple[float, float, float]:
    """Return what moments about θ may lose to rounding, as a share of the terms that cancel, and the size of these.

    The terms of E (Aθ + b - θ) sum to at most a ‖θ‖ + b + ‖θ‖, where a and b are the norms of A and b in mean square,
    and those of its second moments to at most the square of this. The three numbers are the share, a, and that sum.
    """
    d, size = len(theta), _size(theta)
    squares = np.trace(np.trace(moments.EAA.reshape(d, d, d, d), axis1=0, axis2=1)), np.trace(moments.Ebb.reshape(d, d))
    a, b = (math.sqrt(max(float(x), 0.0)) for x in squares)
    return 2 * gamma(about.terms + 2 * d * d + 8), a, a * size + b + size


def certify_mean_square(
    family: RandomOperator, theta: NDArray, start: NDArray | None, common: Constant | None = None
) -> ErrorBound | None:
    """Return the bound in mean square, p = 2; None if neither second moments nor a factor below 1 are known.

    Parameters
    ----------
    family, theta, start
        As in `contraction.certify`.
    common
        A factor of all maps in the family's metric, if one is known. Where it gives less than the exact second moments
        with their bounds on rounding, the certificate takes the smaller of the two.

    Raises
    ------
    NotCertified
        If second moments that the user has given are too ill-conditioned for a bound.
    """
    if not family.is_iid or theta.dtype == object:
        return None
    if type(family.space) is Euclidean and theta.shape[-1] <= EXACT_DIM:
        moments = family.second_moments()
        if moments is not None and moments.radius < 1 and len(moments.Eb) == theta.shape[-1]:
            return _exact(family, moments, theta, start, common)
    rho = family.mean_square_factor
    if rho is not None and rho.value < 1:
        return _textbook(family, rho, theta, start)
    return None


def _exact(
    family: RandomOperator, moments: SecondMoments, theta: NDArray, start: NDArray | None, common: Constant | None
) -> ErrorBound | None:
    reference = theta if start is None else start
    moments = replace(moments, terms=moments.terms + family.linear_terms)
    with np.errstate(all="ignore"):
        about = moments.about(reference.astype(float))
    if not all(np.all(np.isfinite(x)) for x in (about.Eb, about.EAb, about.EbA, about.Ebb)):
        return None  # squares overflow
    origin, of = ("declared", " (moments=)") if family.given_moments else ("proved", "")
    rate = Constant(float(round_up(math.sqrt(moments.radius), 64)), origin, f"√r, r the radius of E A⊗A{of}")
    try:
        share, _, moved = _sizes_about(moments, about, reference.astype(float))
        lost = share * moved * moved + UNDERFLOW
        D = _displacement(family, about, lost, reference.astype(float), origin, of)
        majorant = exact_mean_square(moments, reference.astype(float), constant=family.is_constant)
    except NotCertified:
        if family.given_moments:
            raise  # the user's own numbers are the reason
        return None
    rho = _factor(family, len(theta), origin, common)
    geometric = None if rho is None else Geometric(rho.value, D.value)
    tiny = geometric is not None and geometric.bound(np.array(0)) < majorant.bound(np.array(0))
    hypotheses = ("i.i.d. affine maps with finite second moments, r < 1",)
    return certificate_or_estimate(
        {"rate": rate, "D": D, "rho": rho if tiny else None},
        statement="mean-square contraction, exact moments",
        k=rate.value,
        D=D.value,
        target="θ*",
        majorant=Smaller(majorant, geometric) if tiny and geometric is not None else majorant,
        distance=repr(family.space),
        hypotheses=(*hypotheses, "E d(Tx, Ty)² ≤ rho² d(x, y)² for all x, y") if tiny else hypotheses,
        p=2.0,
    )


def _factor(family: RandomOperator, d: int, origin: Origin, common: Constant | None) -> Constant | None:
    """Return the smallest factor below 1 in mean square that is known as well as ``origin``, rounded up."""
    known = [c for c in (family.mean_square_factor, common) if c is not None and c.value < 1]
    trusted = [c for c in known if WEAKEST.index(c.origin) <= WEAKEST.index(origin)]
    if not trusted:
        return None
    least = min(trusted, key=lambda c: float(c.value))
    value = float(round_up(float(least.value), 64 * d))
    return Constant(value, least.origin, least.source) if value < 1 else None


def _displacement(
    family: RandomOperator, about: SecondMoments, lost: float, reference: NDArray, origin: Origin, of: str
) -> Constant:
    """‖d(θ, Tθ)‖_2 at the start, the smaller of what second moments and what the family itself say of it.

    Second moments about a point far from 0 are small differences of large numbers, and the squares of very small
    numbers underflow; the bound has an allowance for both. What the family says counts if it is known as well.
    """
    square = max(float(np.trace(about.Ebb.reshape(2 * about.Eb.shape))), 0.0) + lost
    value = float(round_up(math.sqrt(square), 64))
    D = Constant(value, origin, f"‖d(θ, Tθ)‖_2 from second moments{of}, at the start")
    known = family.displacement_moment(reference, 2.0)
    if known is None or not math.isfinite(known.value) or WEAKEST.index(known.origin) > WEAKEST.index(origin):
        return D
    own = displacement_constant(family, reference, None, 2.0, None)
    if own.value == 0 and np.any(reference):  # A θ + b - θ may be 0 because it is rounded
        own = replace(own, value=(len(reference) + 4) * EPS * math.sqrt(len(reference)) * norm_of_entries(reference))
    return min(D, own, key=lambda c: float(c.value))


def _textbook(family: RandomOperator, rho: Constant, theta: NDArray, start: NDArray | None) -> ErrorBound:
    k = float(rho.value)
    if rho.origin == "proved" and k > 0:
        k = float(round_up(k, 64 * max(1, theta.shape[-1])))
    if k >= 1:
        raise NotCertified(f"mean-square factor rho = {rho.value!r} rounds to 1")
    D = displacement_constant(family, theta, None, 2.0, None)
    r = start_distance(family, theta, start, None)
    return certificate_or_estimate(
        {"rho": Constant(k, rho.origin, rho.source), "D": D, "r": r},
        statement="mean-square contraction",
        k=k,
        D=D.value,
        target="θ*",
        majorant=Geometric(k, D.value, None if r is None else r.value),
        distance=repr(family.space),
        hypotheses=("i.i.d. maps, E d(Tx, Ty)² ≤ rho² d(x, y)² for all x, y", "D = ‖d(θ_0, Tθ_0)‖_2"),
        p=2.0,
    )
