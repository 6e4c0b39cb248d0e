"""Affine maps, and their backward iterates without replay: q += P b, P = P A.

T_1 … T_n θ = P_n θ + q_n with P_n = A_1 … A_n and q_{n+1} = q_n + P_n b_{n+1}. If the linear parts are numbers
or diagonals, P_n and q_n are cumulative products and sums. A common symmetric A is diagonal in its eigenbasis. Matrices
that differ from map to map cost O(d^3) per step.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: If P_n exceeds this size, P_n theta + q_n may lose 10 or more of its 53 bits; maps are then applied one by one
GROWTH = 2.0**10

__all__ = [
    "GROWTH",
    "AffineMaps",
    "as_matrix",
    "backward_affine",
    "backward_matrices",
    "elementwise",
    "forward_affine",
    "is_symmetric",
    "linear",
    "stack_affine",
    "stacked",
    "worth_it",
]


class AffineMaps(NamedTuple):
    """Maps θ -> A θ + b. ``A`` is a number, a diagonal (d,), or a matrix (d, d); ``kind`` says which.

    If ``common`` is true, all maps share one A; otherwise A and b have the same leading axes (maps, replicas).

    Examples
    --------
    >>> import contraction as ct
    >>> import numpy as np
    >>> maps = ct.families.QuadraticSGD(h=0.5).sample(3, seed=0).affine()  # θ -> (1 - h) θ + h Z_i
    >>> maps.kind, float(maps.A), maps.common, maps.b.shape
    ('scalar', 0.5, True, (3, 1))
    >>> bool(np.allclose(maps(np.array([2.0])), 1.0 + maps.b))  # all three maps at one point
    True
    """

    A: NDArray
    b: NDArray
    kind: str
    common: bool = False

    def __call__(self, theta: NDArray) -> NDArray:
        """Apply the maps to points (..., d)."""
        return linear(self.A, theta, self.kind) + self.b


def linear(A: NDArray, theta: NDArray, kind: str) -> NDArray:
    """Apply a linear part of the given kind ("scalar", "diagonal" or "matrix") to points (..., d)."""
    if kind == "matrix":
        return theta @ A.T if A.ndim == 2 else (A @ theta[..., None])[..., 0]
    return (A[..., None] if kind == "scalar" and np.ndim(A) else A) * theta


def as_matrix(maps: AffineMaps, d: int | None = None) -> NDArray:
    """Return the linear part of one affine map as a float array of shape (d, d) (default d: the length of b)."""
    A = np.asarray(maps.A, dtype=float)
    return A if maps.kind == "matrix" else np.diag(np.broadcast_to(A, (maps.b.shape[-1] if d is None else d,)))


def stack_affine(maps: Sequence[AffineMaps | None]) -> AffineMaps:
    """Stack single affine maps along a new leading axis, widening their kinds to the widest."""
    known = [m for m in maps if m is not None]
    if len(known) != len(maps) or not known:
        raise ValueError("every map must be affine, and there must be at least one")
    kinds = ("scalar", "diagonal", "matrix")
    kind = max((m.kind for m in known), key=kinds.index)
    b = np.stack([m.b for m in known])
    d = max(b.shape[-1], *(m.A.shape[-1] for m in known if m.kind != "scalar"), 1)
    return AffineMaps(np.stack([_widened(m, kind, d) for m in known]), b, kind)


def _widened(maps: AffineMaps, kind: str, d: int) -> NDArray:
    """Return the linear part of one map (or one per replica) as a number, a diagonal or a matrix of d coordinates."""
    if maps.kind == kind:
        return maps.A
    A = maps.A[..., None] if maps.kind == "scalar" else maps.A
    diagonal = np.broadcast_to(A, (*A.shape[:-1], d))
    if kind == "diagonal":
        return diagonal
    full = np.zeros((*diagonal.shape, d), dtype=diagonal.dtype)
    full[..., np.arange(d), np.arange(d)] = diagonal
    return full


def elementwise(maps: AffineMaps) -> NDArray:
    """Numbers or diagonals as arrays that multiply points coordinate by coordinate."""
    return maps.A[..., None] if maps.kind == "scalar" and np.ndim(maps.A) else np.asarray(maps.A)


def _beside(values: NDArray, ndim: int) -> NDArray:
    """Values (N, ..., d) of N maps with axes inserted for batches of starts: (N, 1, ..., d), ``ndim`` axes in total."""
    return values.reshape(len(values), *(1,) * (ndim - values.ndim), *values.shape[1:])


def stacked(arrays: Sequence[NDArray]) -> NDArray:
    """Stack arrays of one shape (at least one axis) along a new leading axis; a few times faster than `numpy.stack`."""
    return np.concatenate(arrays).reshape(len(arrays), *arrays[0].shape)


def worth_it(kind: str, common_symmetric: bool, horizon: int, dim: int) -> bool:
    """Whether the affine path is cheaper than restarts: always, but matrices without a common A need N > 2 d."""
    return kind != "matrix" or common_symmetric or horizon > 2 * dim


def is_symmetric(A: NDArray) -> bool:
    """Whether a matrix equals its transpose exactly."""
    return bool(np.array_equal(A, A.T))


def backward_affine(maps: AffineMaps, theta0: NDArray) -> NDArray | None:
    """All backward iterates 0 … N: maps with a leading axis of N, θ_0 (..., d) -> (N+1, ..., d).

    None if a product of linear parts grows beyond `GROWTH`, as it does for expanding maps: P_n θ and q_n are then
    large and may cancel, for example at a common fixed point of the maps.
    """
    if maps.common and maps.kind == "matrix" and is_symmetric(maps.A):
        eigenvalues, vectors = np.linalg.eigh(maps.A)
        rotated = AffineMaps(eigenvalues, maps.b @ vectors, "diagonal", common=True)
        turned = backward_affine(rotated, theta0 @ vectors)
        if turned is None:
            return None
        rows = turned @ vectors.T
        rows[0] = theta0
        return rows
    if maps.kind == "matrix":
        one_by_one = (AffineMaps(maps.A if maps.common else maps.A[i], b, "matrix") for i, b in enumerate(maps.b))
        return backward_matrices(one_by_one, len(maps.b), theta0)
    n, A = len(maps.b), elementwise(maps)
    b = _beside(maps.b, max(maps.b.ndim, theta0.ndim + 1))
    if maps.common:
        products = _beside(_powers(A, n), b.ndim)
    else:
        products = np.ones((n + 1, *A.shape[1:]))
        products[1:] = A
        np.multiply.accumulate(products, axis=0, out=products)
        products = _beside(products, b.ndim)
    if not -GROWTH <= products.min() <= products.max() <= GROWTH:
        return None
    rows = np.empty((n + 1, *np.broadcast_shapes(products.shape[1:], b.shape[1:], theta0.shape)))
    rows[0] = 0
    np.multiply(products[:-1], b, out=rows[1:])
    np.add.accumulate(rows, axis=0, out=rows)
    if products.shape == rows.shape:
        products *= theta0  # in place: this is faster than allocating another array
    else:
        products = products * theta0
    rows += products
    rows[0] = theta0
    return rows


def _powers(A: NDArray, n: int) -> NDArray:
    """A^0 … A^n of a number or a diagonal, by doubling: log2(n) products of whole blocks."""
    powers = np.ones((n + 1, *A.shape))
    factor, k = np.array(A, dtype=float), 1
    while k <= n:
        block = powers[k : 2 * k]
        np.multiply(powers[: len(block)], factor, out=block)
        factor, k = factor * factor, 2 * k
    return powers


def backward_matrices(maps: Iterable[AffineMaps], n: int, theta0: NDArray) -> NDArray | None:
    """Backward iterates 0 … n of maps with different matrices, read one at a time; None as in `backward_affine`."""
    d = theta0.shape[-1]
    P, q, rows = np.eye(d), np.zeros(d), np.empty((n + 1, *theta0.shape))
    rows[0] = theta0
    for i, (A, b, kind, _) in enumerate(maps, start=1):
        q = q + linear(P, b, "matrix")
        P = P @ A if kind == "matrix" else P * (A[..., None, None] if kind == "scalar" else A[..., None, :])
        rows[i] = q + linear(P, theta0, "matrix")
        if not np.max(np.abs(P)) <= GROWTH:
            return None
    return rows


def forward_affine(maps: AffineMaps, theta0: NDArray) -> NDArray:
    """All forward iterates 0 … N: maps with a leading axis of N, θ_0 (..., d) -> (N+1, ..., d)."""
    n = len(maps.b)
    rows = np.empty((n + 1, *np.broadcast_shapes(maps.b.shape[1:], theta0.shape)))
    rows[0] = theta0
    for i in range(n):
        A = maps.A if maps.common else maps.A[i]
        np.add(linear(A, rows[i], maps.kind), maps.b[i], out=rows[i + 1])
    return rows
