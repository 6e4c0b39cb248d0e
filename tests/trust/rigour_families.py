"""`certify` from family to bound, against distances of the very maps in balls.

The distance that a certificate bounds is at least that of one admissible sequence of maps. Where all maps are the same
affine map i, the limit is its fixed point and the distance is ‖A_i^n (start - fixed point)‖, which needs none of the
formulas of the toolkit. Moments of scalar maps have closed forms.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import flint
import numpy as np
from flint import arb, arb_mat

import contraction as ct
from contraction.certificates.certify import certify
from contraction.certificates.norms import lyapunov_norm
from contraction.families import FiniteFamily, OwnLossSteps, Reshuffled
from contraction.limits.backward import backward_limit
from tests.trust.rigour import BITS, Case
from tests.trust.rigour_formulas import draw_factor, draw_horizon, draw_scale, power, root

__all__ = [
    "at_limit",
    "column",
    "common_factor",
    "common_norm",
    "drawn",
    "epochs",
    "length",
    "mean_square",
    "p_mean",
    "region",
    "rigorous",
    "rows",
    "words",
]

Certify = Callable[..., Any]


def rows(A: Any) -> arb_mat:
    """A matrix of floats as balls."""
    return arb_mat([[arb(float(x)) for x in row] for row in np.atleast_2d(A)])


def column(x: Any) -> arb_mat:
    """A vector of floats as a column of balls."""
    return arb_mat([[arb(float(v))] for v in np.atleast_1d(x)])


def length(v: arb_mat) -> Any:
    """The Euclidean norm of a column."""
    square = sum((v[i, 0] * v[i, 0] for i in range(v.nrows())), arb(0))
    return arb(0) if square.contains(0) else square.sqrt()


def _certified(call: Certify, *arguments: Any, **options: Any) -> Any:
    """Return the certificate, or None if the toolkit refuses the constants by name."""
    try:
        return call(*arguments, **options)
    except (ct.NotCertified, ct.MapRefused):
        return None


def _worst(maps: list[tuple[np.ndarray, np.ndarray]], start: np.ndarray, n: int) -> Any:
    """The largest ‖A_i^n (start - fixed point of map i)‖ over the maps."""
    flint.ctx.prec = BITS
    d, largest = len(start), arb(0)
    one = arb_mat([[arb(int(i == j)) for j in range(d)] for i in range(d)])
    for A, b in maps:
        fixed = (one - rows(A)).solve(column(b))
        gap = length(((rows(A) ** n) if n else one) * (column(start) - fixed))
        largest = gap if gap > largest else largest
    return largest


def _scalars(rng: np.random.Generator, count: int) -> tuple[list[float], list[float], float, float]:
    """Factors, offsets, reference and start of scalar maps, of one scale."""
    scale = draw_scale(rng, 0.0)
    factors = [draw_factor(rng) * float(rng.choice([-1, 1])) for _ in range(count)]
    offsets, theta, start = (scale * rng.uniform(-1, 1, size) for size in (count, 1, 1))
    return factors, offsets.tolist(), float(theta[0]), float(start[0])


def _uniform(rng: np.random.Generator, exact: bool) -> Case | None:
    factors, offsets, theta, start = _scalars(rng, int(rng.integers(1, 4)))
    family = FiniteFamily(list(zip(factors, offsets, strict=True)))
    certificate = _certified(certify, family, theta, start=start, rigorous=exact)
    if certificate is None:
        return None
    n = draw_horizon(rng, max(map(abs, factors)))
    claimed = certificate.bound(n)
    maps = [(np.array([[a]]), np.array([b])) for a, b in zip(factors, offsets, strict=True)]
    worst = _worst(maps, np.array([start]), n)
    return Case(claimed, worst, f"maps={maps}, theta0={theta!r}, start={start!r}, n={n}")


def common_factor(rng: np.random.Generator) -> Case | None:
    """One to three scalar maps."""
    return _uniform(rng, False)


def rigorous(rng: np.random.Generator) -> Case | None:
    """The same, with constants in balls."""
    return _uniform(rng, True)


def common_norm(rng: np.random.Generator) -> Case | None:
    """A matrix that is not a Euclidean contraction."""
    a, scale, theta = float(rng.uniform(0.1, 0.999)), draw_scale(rng, 0.0), np.zeros(2)
    A = np.array([[a, 10.0 ** rng.uniform(-2, 2)], [0.0, float(rng.uniform(0.05, 0.95)) * a]])
    b = [scale * rng.uniform(-1, 1, 2) for _ in range(2)]
    family = FiniteFamily([(A, x) for x in b])
    own = rng.random() < 0.5
    certificate = _certified(certify, family, theta, **({"space": lyapunov_norm(A), "rigorous": True} if own else {}))
    if certificate is None:
        return None
    n = draw_horizon(rng, a, 200)
    if own:  # in its own norm, that of the factor of P
        space = lyapunov_norm(A)
        claimed, worst = certificate.bound(n), _worst_in(rows(space.P), [(A, x) for x in b], n)
    else:
        claimed, worst = certificate.bound(n), _worst([(A, x) for x in b], theta, n)
    return Case(claimed, worst, f"A={A.tolist()}, b={b}, n={n}, own norm: {own}")


def _worst_in(P: arb_mat, maps: list[tuple[np.ndarray, np.ndarray]], n: int) -> Any:
    """The largest sqrt(v^T P v), v = A^n (fixed point), from the start 0."""
    flint.ctx.prec = BITS
    largest = arb(0)
    for A, b in maps:
        one = arb_mat([[arb(int(i == j)) for j in range(len(b))] for i in range(len(b))])
        v = (rows(A) ** n if n else one) * (one - rows(A)).solve(column(b))
        gap = (v.transpose() * P * v)[0, 0].sqrt()
        largest = gap if gap > largest else largest
    return largest


def words(rng: np.random.Generator) -> Case | None:
    """Matrices of which no single one contracts, but every product of two."""
    scale = draw_scale(rng, 0.0)
    k = float(1 - 10.0 ** rng.uniform(-12, -0.3))
    wide = float(10.0 ** rng.uniform(0.1, 3))
    A = np.array([[0.0, wide], [k / wide, 0.0]])  # A^2 = k I
    b = [scale * rng.uniform(-1, 1, 2) for _ in range(2)]
    theta, start = (scale * rng.uniform(-1, 1, 2) for _ in range(2))
    family = FiniteFamily([(A, x) for x in b])
    certificate = _certified(certify, family, theta, start=start, q=2)
    if certificate is None:
        return None
    n = min(2 * draw_horizon(rng, k) + int(rng.integers(2)), 2**50)
    return Case(certificate.bound(n), _worst([(A, x) for x in b], start, n), f"A={A.tolist()}, b={b}, n={n}")


def p_mean(rng: np.random.Generator) -> Case | None:
    """Scalar maps that contract in p-mean; p = 2 exactly, other p by the formula for exact constants."""
    count, scale = int(rng.integers(2, 5)), draw_scale(rng, 0.0)
    p = float(rng.choice([0.25, 1 / 3, 0.5, 1.0, 1.5, 3.0, 4.0]))
    a = [float(x) for x in np.exp(rng.uniform(-3, 1, count))]
    over = sum(x**p for x in a) / count
    target = float(1 - 10.0 ** rng.uniform(-9, -0.1))
    a = [float(x * (target / over) ** (1 / p)) for x in a]
    b = (scale * rng.uniform(-1, 1, count)).tolist()
    theta = float(scale * rng.uniform(-1, 1))
    family = FiniteFamily(list(zip(a, b, strict=True)), [1 / count] * count if count in (2, 4) else None)
    certificate = _certified(certify, family, theta, moment=p)
    if certificate is None:
        return None
    n = draw_horizon(rng, target, 300 * min(p, 1))
    claimed = certificate.bound(n)
    flint.ctx.prec = BITS
    weight = arb(1) / count
    rho = sum((arb(x) ** arb(p) for x in a), arb(0)) * weight
    moves = [abs(arb(y) + (arb(x) - 1) * arb(theta)) for x, y in zip(a, b, strict=True)]
    moved = sum((m ** arb(p) for m in moves), arb(0)) * weight
    if p >= 1:
        factor = root(rho, p)
        exact = root(moved, p) / (1 - factor) * power(factor, n)
    else:
        exact = root(moved / (1 - rho) * power(rho, n), p)
    if max(a) < 1:  # the toolkit may then use the largest factor, which gives another bound
        k = arb(max(a))
        other = root(moved, p) / (1 - k) * power(k, n) if p >= 1 else root(moved / (1 - k ** arb(p)), p) * power(k, n)
        exact = other if other < exact else exact
    return Case(claimed, exact, f"a={a}, b={b}, p={p!r}, theta0={theta!r}, n={n}")


def mean_square(rng: np.random.Generator) -> Case | None:
    """Scalar maps in mean square: E a² and the stationary law's first two moments in closed form."""
    count, scale = int(rng.choice([2, 4])), draw_scale(rng, 0.0)
    a = rng.standard_normal(count)
    a *= math.sqrt((1 - 10.0 ** rng.uniform(-8, -0.1)) / np.mean(a**2))
    a = [float(x) for x in a]
    b = (scale * rng.uniform(-1, 1, count)).tolist()
    theta = float(scale * rng.uniform(-1, 1))
    certificate = _certified(certify, FiniteFamily(list(zip(a, b, strict=True))), theta, moment=2)
    if certificate is None:
        return None
    rho = float(np.mean(np.square(a)))
    n = draw_horizon(rng, min(rho, 1 - 1e-9), 200)
    claimed = certificate.bound(n)
    flint.ctx.prec = BITS
    A, c = [arb(x) for x in a], [arb(y) + (arb(x) - 1) * arb(theta) for x, y in zip(a, b, strict=True)]
    mean = (sum(c, arb(0)) / count) / (1 - sum(A, arb(0)) / count)
    squares, cross, own = (
        sum(xs, arb(0)) / count for xs in zip(*((x * x, x * y, y * y) for x, y in zip(A, c, strict=True)), strict=True)
    )
    second = (own + 2 * mean * cross) / (1 - squares)
    return Case(claimed, (power(squares, n) * second).sqrt(), f"a={a}, b={b}, theta0={theta!r}, n={n}")


def drawn(rng: np.random.Generator) -> Case | None:
    """Drawn maps: the distance of two of their own iterates."""
    scale, d = draw_scale(rng, 0.0), int(rng.integers(1, 4))
    N = int(rng.integers(1, 40))
    factor = 10.0 ** rng.uniform(-30, 1) if rng.random() < 0.3 else 10.0 ** rng.uniform(-0.5, 0.1)
    maps = [(factor * rng.standard_normal((d, d)) / d, scale * rng.uniform(-1, 1, d)) for _ in range(3)]
    if d == 1:
        maps = [(float(A[0, 0]), b) for A, b in maps]
    theta = scale * rng.uniform(-1, 1, d)
    operators = FiniteFamily(maps).sample(N, int(rng.integers(2**31)))
    certificate = _certified(certify, operators, theta)
    if certificate is None:
        return None
    n = int(rng.integers(0, N))
    claimed = float(certificate.bound(n))
    flint.ctx.prec = BITS
    ends = []
    for last in (N, n):
        x = column(theta)
        for i in range(last, 0, -1):
            A, b = maps[int(operators.draws[i - 1])]
            x = rows(A) * x + column(b)
        ends.append(x)
    return Case(claimed, length(ends[0] - ends[1]), f"maps={maps}, theta0={theta.tolist()}, N={N}, n={n}")


def _quadratics(rng: np.random.Generator, law: type | None) -> tuple[OwnLossSteps, list, float, np.ndarray]:
    """Gradient steps on two quadratics (x - c)^T H (x - c)/2 with curvatures down to 1e-10."""
    small = float(10.0 ** rng.uniform(-10, 0)) if law is None else float(rng.uniform(0.5, 1))
    H = np.array([1.0, small])
    centers = [np.array([1.0, 1.0]), np.array([-1.0, -1.0])]
    h = float(rng.uniform(0.05, 0.9)) if law is None else float(rng.uniform(0.01, 0.1))

    def loss(t: Any, s: float) -> Any:
        return H[0] * (t[0] - s) ** 2 / 2 + H[1] * (t[1] - s) ** 2 / 2

    return OwnLossSteps(loss, ([1.0, -1.0],), 2, h=h, batches=[[0], [1]], law=law), centers, h, H


@lru_cache(maxsize=32)
def _box(law: type | None, seed: int) -> tuple | None:
    """A certified box, which takes seconds to find, and the gradient steps on it."""
    rng = np.random.default_rng(seed)
    family, centers, h, H = _quadratics(rng, law)
    theta = rng.uniform(-1, 1, 2)
    try:
        box = ct.find_region(family, theta)
        return certify(family, box.center, region=box), box.center, centers, h, H
    except ct.NotCertified:
        return None


def _in_box(rng: np.random.Generator, law: type | None) -> Case | None:
    """One of ten boxes: their certificates are proofs of seconds each, and n is what is drawn."""
    found = _box(law, int(rng.integers(10)))
    if found is None:
        return None
    certificate, start, centers, h, H = found
    q = certificate.majorant.q
    n = draw_horizon(rng, max(certificate.k, 0.5), 30) * q + int(rng.integers(q))
    claimed = certificate.bound(n)
    flint.ctx.prec = BITS
    factors = [1 - arb(h) * arb(float(x)) for x in H]
    if law is None:
        largest = arb(0)
        for c in centers:  # the same map at every step
            v = [power(f, n) * (arb(float(x)) - arb(float(y))) for f, x, y in zip(factors, start, c, strict=True)]
            gap = length(arb_mat([[x] for x in v]))
            # a weighted maximum norm of the box's coordinates is compared in its own metric
            largest = gap if gap > largest else largest
        worst = (
            largest
            if isinstance(certificate.space, ct.Euclidean)
            else _in_metric(certificate, factors, start, centers, n)
        )
    else:
        worst = _cycle(factors, start, centers, n)
    return Case(claimed, worst, f"h={h!r}, H={H.tolist()}, start={start.tolist()}, n={n}, q={q}")


def _in_metric(certificate: Any, factors: list, start: np.ndarray, centers: list, n: int) -> Any:
    M, largest = rows(certificate.space.R), arb(0)
    for c in centers:
        v = M * arb_mat(
            [[power(f, n) * (arb(float(x)) - arb(float(y)))] for f, x, y in zip(factors, start, c, strict=True)]
        )
        for i in range(v.nrows()):
            largest = abs(v[i, 0]) if abs(v[i, 0]) > largest else largest
    return largest


def _cycle(factors: list, start: np.ndarray, centers: list, n: int) -> Any:
    """Epochs in one fixed order, T_1 T_2 T_1 T_2 …: the distance to the limit, in closed form for each coordinate."""
    out = []
    for f, x, first, second in zip(factors, start, centers[0], centers[1], strict=True):
        c1, c2, y = arb(float(first)), arb(float(second)), arb(float(x))
        # T_i y = c_i + f (y - c_i); the limit is the fixed point of T_1 T_2, and T_2 of it that of T_2 T_1
        fixed = (c1 * (1 - f) + f * c2 * (1 - f)) / (1 - f * f)
        inner = fixed if n % 2 == 0 else (c2 * (1 - f) + f * c1 * (1 - f)) / (1 - f * f)
        out.append([power(f, n) * (y - inner)])
    return length(arb_mat(out))


def region(rng: np.random.Generator) -> Case | None:
    """A certified box for independent gradient steps."""
    return _in_box(rng, None)


def epochs(rng: np.random.Generator) -> Case | None:
    """A certified box for epochs of two steps."""
    return _in_box(rng, Reshuffled)


def at_limit(rng: np.random.Generator) -> Case | None:
    """Maps that do not move the start: the bound is 0, and so is the distance."""
    theta = draw_scale(rng)
    family = FiniteFamily([(1.0, 0.0), (1.0, 0.0)])
    limit = backward_limit(family, theta, 1.0)
    flint.ctx.prec = BITS
    return Case(limit.certificate.bound(int(rng.integers(0, 1000))), arb(0), f"theta0={theta!r}")
