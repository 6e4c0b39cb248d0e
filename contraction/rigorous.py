"""Certificates whose constants are computed in ball arithmetic (python-flint's ``arb``) and rounded outwards.

Every float that a family is given is taken as the number it is; from there to k, D and the bound each operation
encloses its exact value, and bounds are upper endpoints. A matrix norm is proved, not computed: ‖A‖_P <= s holds
because the pivots of s^2 P - A^T P A are positive balls.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction._hypotheses import raise_no_contraction, search_declared
from contraction._support import finite_support
from contraction.constants import Constant, Origin
from contraction.error_bounds import made
from contraction.errors import NotCertified
from contraction.operators import AffineMaps, RandomOperator
from contraction.spaces import Euclidean, L1Simplex, SupNorm, WeightedEuclidean

__all__ = ["Ball", "certify_rigorous", "load_flint", "operator_norm_ball", "upper"]

PRECISION = 192  # bits
Ball = Any  # flint.arb
Vector = list[Any]
Matrix = list[list[Any]]


def load_flint() -> Any:
    """python-flint, or an error that names the extra."""
    try:
        return importlib.import_module("flint")
    except ImportError:
        raise ImportError(
            "rigorous=True needs python-flint: install it with pip install 'training-in-reverse[rigorous]'"
        ) from None


def ball(x: Any) -> Ball:
    """A number as a ball: floats, integers and Fractions are exact (to the working precision)."""
    flint = load_flint()
    if isinstance(x, Fraction):
        return flint.arb(flint.fmpq(x.numerator, x.denominator))
    if isinstance(x, int | np.integer) and not isinstance(x, bool):
        return flint.arb(int(x))
    if isinstance(x, flint.arb):
        return x
    if not math.isfinite(x):
        raise ValueError(f"ball arithmetic needs finite numbers, got {x!r}")
    return flint.arb(float(x))


def upper(x: Ball) -> float:
    """A float that is at least every number of the ball."""
    flint = load_flint()
    top = x.upper()
    value = float(top)
    while not flint.arb(value) >= top:
        value = math.nextafter(value, math.inf)
    return value


def _vector(x: ArrayLike) -> Vector:
    return [ball(v) for v in np.asarray(x, dtype=object).reshape(-1)]


def _matrix(A: ArrayLike) -> Matrix:
    return [[ball(v) for v in row] for row in np.asarray(A, dtype=object)]


def _dot(x: Vector, y: Vector) -> Ball:
    return abs(sum((a * b for a, b in zip(x, y, strict=True)), ball(0)))


def _times(A: Matrix, x: Vector) -> Vector:
    return [sum((a * v for a, v in zip(row, x, strict=True)), ball(0)) for row in A]


def _product(A: Matrix, B: Matrix) -> Matrix:
    flint = load_flint()
    C = flint.arb_mat(A) * flint.arb_mat(B)
    return [[C[i, j] for j in range(len(B[0]))] for i in range(len(A))]


def _transpose(A: Matrix) -> Matrix:
    return [list(row) for row in zip(*A, strict=True)]


def _largest(values: Sequence[Ball]) -> Ball:
    out = values[0]
    for v in values[1:]:
        out = out.max(v)
    return out


def positive_definite(A: Matrix) -> bool:
    """Whether every symmetric matrix of the balls is positive definite: all pivots of elimination are positive."""
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


def vector_norm_ball(space: Any, v: Vector) -> Ball:
    """‖v‖ in the space, as a ball."""
    if isinstance(space, SupNorm):
        return _largest([abs(x) for x in v])
    if isinstance(space, L1Simplex):
        return sum((abs(x) for x in v), ball(0))
    if isinstance(space, WeightedEuclidean):
        Pv = _times(_matrix(space.P), v)
        return _dot(v, Pv).sqrt()
    if isinstance(space, Euclidean):
        return _dot(v, v).sqrt()
    raise NotCertified(f"no norm in ball arithmetic for {space!r}", ("rigorous=False",))


def operator_norm_ball(space: Any, A: Matrix) -> Ball:
    """At least the operator norm of every matrix of the balls (close, for a well-conditioned P)."""
    d = len(A)
    if isinstance(space, SupNorm | L1Simplex):
        rows = A if isinstance(space, SupNorm) else _transpose(A)
        return _largest([sum((abs(x) for x in row), ball(0)) for row in rows])
    if not isinstance(space, Euclidean | WeightedEuclidean):
        raise NotCertified(f"no operator norm in ball arithmetic for {space!r}", ("rigorous=False",))
    if all(A[i][j] == 0 for i in range(d) for j in range(d) if i != j) and isinstance(space, Euclidean):
        return _largest([abs(A[i][i]) for i in range(d)])
    P = _matrix(space.P) if isinstance(space, WeightedEuclidean) else _matrix(np.eye(d))
    S = _product(_transpose(A), _product(P, A))
    guess = float(space.operator_norm(np.array([[float(x.mid()) for x in row] for row in A])))
    for power in range(-48, 8, 4):
        s = ball(guess * (1 + 2.0**power) + 2.0 ** (power - 60))
        if positive_definite([[s * s * P[i][j] - S[i][j] for j in range(d)] for i in range(d)]):
            return s
    raise NotCertified(f"no operator norm near {guess!r} could be proved: P is too badly conditioned")


# --- constants of the families ------------------------------------------------------------------------------------


def _maps(family: RandomOperator) -> list[tuple[Matrix, Vector]] | None:
    """Linear parts and offsets of every map of a finite affine family, exact; None for others."""
    support = finite_support(family)
    if support is None or not family.is_affine:
        return None
    out = []
    for _, draw in support:
        loss = getattr(family, "loss", None)
        if loss is not None:
            out.append(_batch_map(family, loss, draw))
            continue
        table = getattr(family, "_exact_table", None) or getattr(family, "_table", None)
        if table is None:
            return None
        form = AffineMaps(table.A[draw], table.b[draw], table.kind)
        d = len(form.b)
        A = np.asarray(form.A, dtype=object)
        if form.kind != "matrix":
            full = np.full((d, d), 0, dtype=object)
            full[np.arange(d), np.arange(d)] = np.broadcast_to(A, (d,))
            A = full
        out.append((_matrix(A), _vector(form.b)))
    return out


def _batch_map(family: Any, loss: Any, rows: NDArray) -> tuple[Matrix, Vector]:
    """I - h (X^T X / b + rho I) and h X^T y / b of a batch of a quadratic loss."""
    X, y = _matrix(loss.X[rows]), _vector(loss.y[rows])
    h, b, rho, d = ball(family.h), len(rows), ball(loss.ridge), len(X[0])
    Xt = _transpose(X)
    gram = _product(Xt, X)
    A = [[(1 - h * rho if i == j else 0) - h * gram[i][j] / b for j in range(d)] for i in range(d)]
    return A, [h * v / b for v in _times(Xt, y)]


def _common(family: Any) -> tuple[Matrix, Ball, Vector] | None:
    """(A, h, theta*) of T = theta* + A (theta - theta*) + h eps with A = I - hH in balls; None for others."""
    if not hasattr(family, "noise") or not hasattr(family, "h") or hasattr(family, "beta"):
        return None
    d, h = family.dim, ball(family.h)
    H = getattr(family, "H", None)
    curvature = _matrix(np.eye(d) if H is None else H)
    A = [[(1 if i == j else 0) - h * curvature[i][j] for j in range(d)] for i in range(d)]
    center = getattr(family, "theta_star", None)
    if (H is None) != (center is None) or family.linear_part.shape != (d, d):
        return None
    return A, h, _vector(np.zeros(d) if center is None else center)


def _constants(family: RandomOperator, theta: NDArray, space: Any) -> tuple[Ball, Ball | None, Origin, Origin, str]:
    """(k, D, their origins, why); D is None where it is infinite."""
    own = space == family.space
    k, D = family.contraction, family.displacement(theta)
    if k is not None and k.origin == "declared" and own and finite_support(family) is None:
        if D is None:
            raise NotCertified("D unknown: nothing is stated about sup d(θ0, Tθ0)", ("declare displacement=",))
        return ball(k.value), None if math.isinf(D.value) else ball(D.value), "declared", D.origin, "as declared"
    maps = _maps(family)
    if maps is not None:
        factor = _largest([operator_norm_ball(space, A) for A, _ in maps])
        x = _vector(theta)
        moves = [[a + b - c for a, b, c in zip(_times(A, x), b_, x, strict=True)] for A, b_ in maps]
        reach = _largest([vector_norm_ball(space, v) for v in moves])
        return factor, reach, "proved", "proved", f"ball arithmetic over {len(maps)} affine maps"
    common = _common(family)
    if common is None or not isinstance(space, Euclidean | WeightedEuclidean):
        raise NotCertified(
            f"no formula in ball arithmetic for {family!r} in {type(space).__name__}",
            ("rigorous=False", "declared constants", "a finite affine family"),
        )
    A, h, center = common
    factor = operator_norm_ball(space, A)
    interval = getattr(family.noise, "interval", None)  # type: ignore[attr-defined]
    if interval is None or not all(math.isfinite(v) for v in interval):
        return factor, None, "proved", "proved", "ball arithmetic"
    gap = [a - b for a, b in zip(_vector(theta), center, strict=True)]
    drift = [a - b for a, b in zip(_times(A, gap), gap, strict=True)]
    low, high = (h * ball(v) for v in interval)
    reach = [abs(v + low).max(abs(v + high)) for v in drift]
    if isinstance(space, WeightedEuclidean):
        # corners of the box: ‖v‖_P <= sqrt(largest eigenvalue of P) ‖v‖_2, the eigenvalue bounded by the proved norm
        root = operator_norm_ball(Euclidean(), _matrix(space.P)).sqrt()
        return factor, root * vector_norm_ball(Euclidean(), reach), "proved", "proved", "ball arithmetic"
    return factor, vector_norm_ball(space, reach), "proved", "proved", "ball arithmetic"


def certify_rigorous(
    family: RandomOperator, theta: NDArray, start: NDArray | None, space: Any, radius: float | None, seed: int
):
    """Theorem 2.2 with constants in balls: numbers are upper endpoints, hypotheses are comparisons of balls."""
    flint = load_flint()
    metric = family.space if space is None else space
    with flint.ctx.workprec(PRECISION):
        k, D, from_k, from_D, why = _constants(family, theta, metric)
        if "declared" in (from_k, from_D):
            search_declared(family, theta, radius, seed)
        constant = Constant(upper(k), from_k, why)
        if not k < 1:
            raise_no_contraction(family, constant, (), None, "space=lyapunov_norm(A), where A has spectral radius < 1")
        if D is None:
            raise NotCertified("D infinite: the noise is unbounded", ("moment=2 without rigorous",))
        gap = None
        if start is not None:
            gap = vector_norm_ball(metric, [a - b for a, b in zip(_vector(theta), _vector(start), strict=True)])
        if radius is not None and not (1 - k) * ball(radius) >= D:
            raise NotCertified(f"the ball B(θ0, {radius:g}) is not invariant: D = {upper(D):.6g} > (1−k)r (in balls)")
        if radius is not None and gap is not None and not gap <= ball(radius):
            raise NotCertified(f"the start lies outside the ball: d(θ0, start) = {upper(gap):.6g} > r = {radius:g}")
    constants = {"k": constant, "D": Constant(upper(D), from_D, why)}
    if gap is not None:
        constants["r"] = Constant(upper(gap), "proved", "d(θ0, start), ball arithmetic")

    def one(n: int) -> float:
        with flint.ctx.workprec(PRECISION):
            return upper((D / (1 - k) + (0 if gap is None else gap)) * (k**n if n else ball(1)))

    def evaluate(n: NDArray) -> Any:
        values = np.array([one(int(m)) for m in n.flat], dtype=float).reshape(n.shape)
        return values if n.ndim else float(values)

    on = "" if radius is None else f" on the ball B(θ0, {radius:g}), which is invariant"
    return made(
        constants, statement="Theorem 2.2, ball arithmetic", k=constant.value, D=constants["D"].value, target="θ*",
        formula="D kⁿ/(1−k)" if gap is None else "(D/(1−k) + r) kⁿ", distance=repr(metric),
        hypotheses=(f"every map has factor at most k{on}", "d(θ0, Tθ0) ≤ D over the support",
                    f"constants enclosed to {PRECISION} bits, upper endpoints"),
        evaluate=evaluate,
    )  # fmt: skip
