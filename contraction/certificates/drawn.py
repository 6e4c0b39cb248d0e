"""Certificates of drawn maps: bounds on d(θ_N, θ_n) from the factors of the maps that were drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from contraction.certificates import bounds
from contraction.certificates.change_of_metric import condition
from contraction.certificates.error_bound import ErrorBound, certificate_or_estimate
from contraction.certificates.hypotheses import search_declared_drawn, start_distance
from contraction.certificates.majorants import DrawnTail
from contraction.maps.constants import Constant, Origin
from contraction.maps.errors import NotCertified
from contraction.maps.operators import AffineMaps, Operators, how_to_state
from contraction.maps.rounding import EPS, TINY, products_up, round_up
from contraction.maps.spaces import Space, as_space

__all__ = ["certify_drawn", "displacements", "prefix_lipschitz"]


def displacements(operators: Operators, theta: NDArray, space: Space | None = None) -> NDArray:
    """d(θ, T_i θ) for i = 1 … N, shape (N,), or (N, R) with replicas."""
    space = space or operators.family.space
    if operators.replicas is not None:
        event = theta.shape[theta.ndim - space.event_ndim :]
        theta = np.broadcast_to(theta, (operators.replicas, *event))
    values = [np.asarray(space.distance(theta, operators.apply(i, theta))) for i in range(1, len(operators) + 1)]
    return np.array(values).reshape(len(operators), *(() if operators.replicas is None else (operators.replicas,)))


def prefix_lipschitz(operators: Operators, space: Space | None = None) -> tuple[NDArray, str, Origin] | None:
    """Bounds on Lip(T_1 … T_n) for n = 0 … N, with their formula and origin; None if nothing is known.

    ‖A_1 … A_n‖ for affine maps if the space has an operator norm, products of single factors otherwise.

    Raises
    ------
    ValueError
        If a Lipschitz constant is negative or NaN.
    """
    family = operators.family
    metric, n = as_space(space or family.space), len(operators)
    if family.is_affine and metric.is_normed and n:
        return _affine_prefixes(operators.affine(), n, metric), "‖A_1…A_n‖", "drawn"
    if space is not None and space != family.space:
        return None
    lead = () if operators.replicas is None else (operators.replicas,)
    factors = np.ones((n + 1, *lead))
    origin: Origin = "drawn"
    for i in range(n):
        K, common = family.lipschitz(operators.draws[i]), family.contraction
        if K is None and common is None:
            return None
        factors[i + 1] = common.value if K is None and common is not None else K
        if K is None and common is not None:
            origin = common.origin
        elif family.lipschitz_origin == "declared":
            origin = "declared"
    if np.any(np.isnan(factors)) or np.any(factors < 0):
        raise ValueError("Lipschitz constants must be numbers >= 0")
    return products_up(factors[1:]), "K_1…K_n", origin


def _affine_prefixes(maps: AffineMaps, n: int, space: Space) -> NDArray:
    """‖A_1 … A_n‖ for n = 0 … N, shape (N+1,) or (N+1, R), plus bounds on the rounding of the matrix products."""
    d, A, lead = maps.b.shape[-1], np.asarray(maps.A), maps.b.shape[1:-1]
    out = np.ones((n + 1, *lead))
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        if maps.kind == "matrix":
            A, powers = _near_one(A)
            P = np.broadcast_to(np.eye(d), (*(() if maps.common else A.shape[1:-2]), d, d))
            size, scale = np.ones(P.shape[:-2]), np.zeros(P.shape[:-2], dtype=int)  # P times 2^scale is the product
            for i in range(n):
                factor = A if maps.common else A[i]
                P, size = P @ factor, size * np.linalg.norm(factor, axis=(-2, -1))
                P, more = _near_one(P)
                size, scale = np.ldexp(size, -more), scale + more + (powers if maps.common else powers[i])
                spread = space.operator_norm(np.eye(d)) * condition(space)
                norms = space.operator_norm(P) + 2 * d * (i + 2) * EPS * spread * size
                out[i + 1] = np.where(norms > 0, np.maximum(np.ldexp(norms, scale), TINY), 0.0)
            return out
        factors = np.broadcast_to(A, (n, *(A.shape if maps.common else A.shape[1:])))
        products = products_up(np.abs(factors))
        if maps.kind == "diagonal":
            products[1:] *= np.multiply.accumulate(np.sign(factors), axis=0)  # which matter where P is not diagonal
            zero = np.all(products == 0, axis=-1)
            products = np.where(zero, 0.0, np.maximum(np.asarray(space.diagonal_norm(products)), TINY))
        out[:] = products.reshape(*products.shape, *[1] * (out.ndim - products.ndim))
    return out


def _near_one(A: NDArray) -> tuple[NDArray, NDArray]:
    """Divide matrices (..., d, d) by powers of two, so that the largest entry is in [1/2, 1); also the exponents."""
    powers = np.frexp(np.max(np.abs(A), axis=(-2, -1)))[1]
    return np.ldexp(A, -powers[..., None, None]), powers


def certify_drawn(
    operators: Operators, theta: NDArray, start: NDArray | None, space: Space | None, seed: int
) -> ErrorBound:
    """Sum over i > n of Lip(T_1 … T_(i-1)) d(θ, T_i θ): a bound on d(θ_N, θ_n).

    First the drawn maps are searched, with ``seed``, for a violation of declared constants.

    Raises
    ------
    NotCertified
        If no Lipschitz constants are known, or their products overflow.
    """
    family = operators.family
    search_declared_drawn(operators, theta, seed)
    known = prefix_lipschitz(operators, space)
    if known is None:
        raise NotCertified(
            f"k unknown: no Lipschitz constants are stated for the drawn maps of {family!r}",
            (how_to_state(family), "coupling_distance of two starts, a measurement"),
        )
    L, name, origin = known
    N = len(operators)
    d = displacements(operators, theta, space)
    size = float(np.max(np.abs(theta.astype(float)), initial=0.0)) if theta.dtype != object else 0.0
    moved = d.astype(float)
    slack = (theta.shape[-1] + 4) * EPS * (moved + np.sqrt(theta.shape[-1]) * size)
    moved = np.where(slack == 0, 0.0, round_up(moved + slack))
    L = round_up(L, (4 + 16 * theta.shape[-1]) * N + 4)  # each factor may be a computed spectral norm
    L = np.where(np.arange(N + 1).reshape(-1, *[1] * (L.ndim - 1)) == 0, 1.0, L)
    tail = bounds.prefix_tail(L, moved)
    r = start_distance(family, theta, start, space)
    if r is not None:
        tail = round_up(tail + L * r.value, 4)
    if not np.all(np.isfinite(tail)):
        raise NotCertified(f"the products {name} overflow: the bound is infinite", ("fewer maps", "another norm"))
    ratios = L[1:] / np.where(L[:-1] > 0, L[:-1], 1.0)
    k = Constant(float(np.max(ratios, initial=0.0)), origin, f"largest of {name} / {name.replace('n', '(n−1)')}")
    D = Constant(float(np.max(moved, initial=0.0)), "drawn", f"largest d(θ_0, T_iθ_0), i ≤ {N}")
    return certificate_or_estimate(
        {"k": k, "D": D, "r": r},
        statement="Theorem 2.2, drawn maps",
        k=k.value,
        D=D.value,
        target=f"T_1…T_{N} θ_0",
        majorant=DrawnTail(np.moveaxis(tail, 0, -1), name, None if r is None else r.value),
        distance=repr(space or family.space),
        hypotheses=(f"T_1 … T_{N} only, and says nothing about θ*",),
        horizon=N,
    )
