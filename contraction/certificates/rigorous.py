"""Certificates whose constants are computed in ball arithmetic (python-flint's ``arb``) and rounded outwards.

Every float parameter of a family is taken as an exact number. Each operation from there to k, D and the bound encloses
the exact result, and bounds are upper endpoints. A bound on a matrix norm is proved: ‖A‖_P <= s holds because the
pivots of s^2 P - A^T P A are positive balls.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from contraction.certificates.error_bound import ErrorBound, certificate_or_estimate
from contraction.certificates.falsify import check_enclosures, search_violation
from contraction.certificates.hypotheses import no_contraction, search_declared
from contraction.certificates.majorants import PRECISION, GeometricBalls
from contraction.maps.balls import (
    AffineEnclosure,
    Ball,
    Matrix,
    Vector,
    ball,
    load_flint,
    matrix,
    product,
    times,
    transpose,
    upper,
    upper_end,
    vector,
)
from contraction.maps.constants import Constant, Origin
from contraction.maps.errors import NotCertified
from contraction.maps.operators import RandomOperator
from contraction.maps.spaces import Euclidean, L1Simplex, Space, SupNorm, WeightedEuclidean

SEARCHED = 4  # drawn maps that are compared with bounds on k and D

__all__ = ["Ball", "ball", "certify_rigorous", "load_flint", "operator_norm_ball", "positive_definite", "upper"]


def _dot(x: Vector, y: Vector) -> Ball:
    return abs(sum((a * b for a, b in zip(x, y, strict=True)), ball(0)))


def _largest(values: Sequence[Ball]) -> Ball:
    out = values[0]
    for v in values[1:]:
        out = out.max(v)
    return out


def positive_definite(A: Matrix) -> bool:
    """Whether every symmetric matrix in the balls is positive definite: all pivots of elimination are positive."""
    work = [list(row) for row in A]
    n = len(work)
    for i in range(n):
        pivot = work[i][i]
        if not pivot > 0:
            return False
        for r in range(i + 1, n):
            factor = work[r][i] / pivot
            for c in range(i + 1, n):
                work[r][c] = work[r][c] - factor * work[i][c]
    return True


def vector_norm_ball(space: Space | None, v: Vector) -> Ball:
    """‖v‖ in the space, as a ball."""
    if type(space) is SupNorm:
        return _largest([abs(x) for x in v])
    if type(space) is L1Simplex:
        return sum((abs(x) for x in v), ball(0))
    if type(space) is WeightedEuclidean:
        Pv = times(matrix(space.P), v)
        return _dot(v, Pv).sqrt()
    if type(space) is Euclidean:
        return _dot(v, v).sqrt()
    raise NotCertified(f"no norm in ball arithmetic for {space!r}", ("rigorous=False",))


def operator_norm_ball(space: Space | None, A: Matrix) -> Ball:
    """Return an upper bound on the operator norm of every matrix in the balls (close if P is well conditioned)."""
    d = len(A)
    if type(space) in (SupNorm, L1Simplex):
        rows = A if isinstance(space, SupNorm) else transpose(A)
        return _largest([sum((abs(x) for x in row), ball(0)) for row in rows])
    if not isinstance(space, Euclidean | WeightedEuclidean) or type(space) not in (Euclidean, WeightedEuclidean):
        raise NotCertified(f"no operator norm in ball arithmetic for {space!r}", ("rigorous=False",))
    if all(A[i][j] == 0 for i in range(d) for j in range(d) if i != j) and isinstance(space, Euclidean):
        return _largest([abs(A[i][i]) for i in range(d)])
    P = matrix(space.P) if isinstance(space, WeightedEuclidean) else matrix(np.eye(d))
    S = product(transpose(A), product(P, A))
    guess = float(space.operator_norm(np.array([[float(x.mid()) for x in row] for row in A])))
    for power in range(-48, 8, 4):
        s = ball(guess * (1 + 2.0**power) + 2.0 ** (power - 60))
        if positive_definite([[s * s * P[i][j] - S[i][j] for j in range(d)] for i in range(d)]):
            return s
    raise NotCertified(f"no operator norm near {guess!r} could be proved: P is too badly conditioned")


# --- constants of a family ----------------------------------------------------------------------------------------


class _Constants(NamedTuple):
    """k, D (None if it is infinite), the declared factor or None, where both come from, and how they are enclosed."""

    k: Ball
    D: Ball | None
    declared: Constant | None
    k_from: str
    D_from: str
    arithmetic: str = "ball arithmetic"
    rounding: str = f"constants enclosed to {PRECISION} bits, upper endpoints"


def _constants(
    family: RandomOperator, theta: NDArray, space: Space | None, radius: float | None, seed: int
) -> _Constants:
    maps = family.affine_enclosures()
    if maps is not None:
        check_enclosures(family, theta, maps, seed)
        factor = _largest([operator_norm_ball(space, A) for A, *_ in maps])
        moves = [_displacement(space, one, vector(theta)) for one in maps]
        reach = None if any(move is None for move in moves) else _largest(moves)
        source = "ball arithmetic" + ("" if len(maps) == 1 else f" over {len(maps)} affine maps")
        return _Constants(factor, reach, None, source, source)
    bounds = family.constant_bounds(theta) if space == family.space else None
    if bounds is not None:
        k, D = bounds
        search_violation(family, theta, seed, maps=SEARCHED, factor=k)
        how = ("outward rounding", "constants rounded outwards in floating point")
        return _Constants(ball(k.value), ball(D.value), None, k.source, D.source, *how)
    k = family.contraction if radius is None else family.contraction_on_ball(theta, radius)
    if k is None or k.origin != "declared" or space != family.space:
        raise NotCertified(
            f"no formula in ball arithmetic for {family!r} in {type(space).__name__}: its affine_enclosures() is None "
            "and its constants are not declared for this metric",
            ("rigorous=False", "override affine_enclosures()", "declared constants", "a finite affine family"),
        )
    D = family.displacement(theta)
    if D is None or D.origin != "declared":
        raise NotCertified(
            "D unknown: nothing is stated about sup d(θ_0, Tθ_0)"
            if D is None
            else f"D unknown in ball arithmetic: {D.value:.6g} is {D.origin} in floating point ({D.source})",
            ("declare displacement=", "rigorous=False"),
        )
    reach = None if math.isinf(D.value) else ball(D.value)
    return _Constants(ball(k.value), reach, k, "as declared", "as declared")


def _displacement(space: Space | None, maps: AffineEnclosure, theta: Vector) -> Ball | None:
    """Return the largest ‖T(θ) - θ‖ over maps c + A (θ - c) + e with e in a box.

    None if the box is unbounded.
    """
    if maps.low is None or maps.high is None:
        return None
    gap = [a - b for a, b in zip(theta, maps.center, strict=True)]
    drift = [a - b for a, b in zip(times(maps.A, gap), gap, strict=True)]
    low, high = ([a + b for a, b in zip(drift, end, strict=True)] for end in (maps.low, maps.high))
    if maps.low is maps.high:
        return vector_norm_ball(space, low)
    reach = [abs(a).max(abs(b)) for a, b in zip(low, high, strict=True)]
    if isinstance(space, WeightedEuclidean):
        # corners of the box: ‖v‖_P <= sqrt(largest eigenvalue of P) ‖v‖_2, the eigenvalue bounded by the proved norm
        root = operator_norm_ball(Euclidean(), matrix(space.P)).sqrt()
        return root * vector_norm_ball(Euclidean(), reach)
    return vector_norm_ball(space, reach)


def certify_rigorous(
    family: RandomOperator, theta: NDArray, start: NDArray | None, space: Space | None, radius: float | None, seed: int
) -> ErrorBound:
    """Theorem 2.2 with constants in ball arithmetic: bounds are upper endpoints, hypotheses are compared as balls."""
    flint = load_flint()
    metric = family.space if space is None else space
    with flint.ctx.workprec(PRECISION):
        k, D, declared, k_from, D_from, arithmetic, rounding = _constants(family, theta, metric, radius, seed)
        origin: Origin = "proved" if declared is None else "declared"
        if declared is not None:
            search_declared(family, theta, declared, radius, seed)
        constant = Constant(upper(k), origin, k_from)
        if not k < 1:
            raise no_contraction(family, constant, (), None, "space=lyapunov_norm(A), where A has spectral radius < 1")
        if D is None:
            raise NotCertified("D infinite: the noise is unbounded", ("moment=2 without rigorous",))
        gap = None
        if start is not None:
            gap = vector_norm_ball(metric, [a - b for a, b in zip(vector(theta), vector(start), strict=True)])
        if radius is not None and not (1 - k) * ball(radius) >= D:
            raise NotCertified(f"the ball B(θ_0, {radius:g}) is not invariant: D = {upper(D):.6g} > (1−k)r (in balls)")
        if radius is not None and gap is not None and not gap <= ball(radius):
            raise NotCertified(f"the start lies outside the ball: d(θ_0, start) = {upper(gap):.6g} > r = {radius:g}")
    constants = {"k": constant, "D": Constant(upper(D), origin, D_from)}
    if gap is not None:
        constants["r"] = Constant(upper(gap), "proved", "d(θ_0, start), ball arithmetic")
    on = "" if radius is None else f" on the ball B(θ_0, {radius:g}), which is invariant"
    return certificate_or_estimate(
        constants,
        statement=f"Theorem 2.2, {arithmetic}",
        k=constant.value,
        D=constants["D"].value,
        target="θ*",
        majorant=GeometricBalls(upper_end(k), upper_end(D), None if gap is None else upper_end(gap)),
        distance=repr(metric),
        hypotheses=(
            f"every map has factor at most k{on}",
            "d(θ_0, Tθ_0) ≤ D over the support",
            rounding,
        ),
    )
