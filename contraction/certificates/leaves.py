"""Invariant leaves: affine spaces θ_0 + V that every map sends into themselves.

Maps may contract along a leaf although they do not contract in R^d. A leaf that the maps keep only to rounding is none:
what leaves it by 1e-16 may grow across it. So invariance is checked in rational arithmetic, in which the numbers of the
maps and of the basis are exact, unless the family knows that its steps lie in the leaf (`step_span`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.certificates.change_of_metric import linear_parts
from contraction.certificates.hypotheses import point
from contraction.maps.affine import as_matrix
from contraction.maps.errors import NotCertified
from contraction.maps.operators import RandomOperator
from contraction.maps.points import apply_read_only
from contraction.maps.rounding import EPS

__all__ = ["Leaf", "check_on_leaf", "invariant_leaf", "leaf_basis", "leaf_directions"]

EXACT = 2**20  # at most so many products of Fractions are taken for one leaf

Row = list[Fraction]


class Leaf(NamedTuple):
    """An orthonormal basis Q (d, r) of an invariant space, and the maps' linear parts along it.

    The exact restrictions, in suitable orthonormal coordinates, have products that are at most as large as those of
    matrices within ``error`` of ``parts``, in the spectral norm.
    """

    Q: NDArray
    parts: list[NDArray]
    error: float


def leaf_directions(family: RandomOperator, leaf: ArrayLike | bool) -> NDArray:
    """Return the given basis, or if ``leaf`` is True vectors that the family knows to span its leaf; shape (d, r)."""
    if leaf is True:
        rows = family.step_span
        basis = family.leaf_basis if rows is None else np.asarray(rows, dtype=float).T
        if basis is None:
            raise ValueError(f"leaf=True needs the family's leaf_basis, which {family!r} does not define: pass a basis")
        return np.asarray(basis, dtype=float)
    return np.atleast_2d(np.asarray(leaf, dtype=float))


def leaf_basis(family: RandomOperator, theta0: ArrayLike, leaf: ArrayLike | bool) -> NDArray:
    """Return an orthonormal basis of a space V after checking that T(θ_0 + V) lies in θ_0 + V for all maps T.

    Theorem 2.2 then holds along the leaf θ_0 + V, where maps of over-parameterised models can contract although they
    do not contract in the whole space (row 26).

    Parameters
    ----------
    family : RandomOperator
        A family whose linear parts are known.
    theta0 : array_like
        A point of the leaf, shape (d,).
    leaf : array_like or True
        A basis of V, shape (d, r), whose numbers are taken as exact, or True for the leaf that the family knows.

    Returns
    -------
    ndarray
        Orthonormal columns that span V to rounding, shape (d, r), float64.

    Raises
    ------
    NotCertified
        If a linear part or a displacement of the listed maps leaves the span, in rational arithmetic; if the maps
        cannot be listed; or if the linear parts are not known.
    ValueError
        If the basis is not finite, has a wrong number of rows, or contains only zero vectors.

    Examples
    --------
    >>> import contraction as ct
    >>> import numpy as np
    >>> family = ct.families.LeastSquares(np.eye(3)[:2], [1.0, 2.0], h=0.5)  # two equations, three unknowns
    >>> ct.leaf_basis(family, np.zeros(3), True).shape
    (3, 2)
    """
    return invariant_leaf(family, theta0, leaf).Q


def invariant_leaf(family: RandomOperator, theta0: ArrayLike, leaf: ArrayLike | bool) -> Leaf:
    """Return the leaf with the linear parts along it, after the checks of `leaf_basis`, which it raises like that."""
    theta = point(theta0, family)
    V = leaf_directions(family, leaf)
    d = theta.shape[-1]
    if V.ndim != 2 or V.shape[0] != d or not np.all(np.isfinite(V)):
        raise ValueError(f"a leaf is a finite basis of shape ({d}, r), got shape {V.shape}")
    if not np.any(V):
        raise ValueError("a leaf needs at least one direction that is not zero")
    parts = linear_parts(family)
    if parts is None:
        raise NotCertified(
            f"region not invariant: the linear parts of {family!r} are not known, so the leaf cannot be checked"
        )
    rows = family.step_span
    if leaf is True and rows is not None:
        return _of_steps(family, theta, *_singular_basis(V), parts)
    _check_size(d * min(V.shape) ** 2)
    span = _Span(_rows(V.T))
    basis, coordinates, deviation = span.nearly_orthonormal(d)
    if rows is not None and all(span.contains(row) for row in _rows(np.asarray(rows, dtype=float))):
        return _of_steps(family, theta, basis, deviation + basis.size * EPS, parts)
    r = basis.shape[1]
    _check_size(len(parts) * d * d * r + r**3)
    inverse = _inverse(coordinates)
    along = []
    for A in parts:
        exact = _rows(A)
        images = [_times(exact, row) for row in span.rows]
        _check_kept(span, images, coordinates, A, basis)
        M = [[image[p] for image in images] for p in span.pivots]
        inner = _product(inverse, _product(M, coordinates))
        # Coordinates whose Gram matrix is within e of 1 change norms of products by a factor (1 + e)/(1 - e) at most.
        scale = 1 + 4 * deviation + r * EPS
        along.append(np.array([[float(x) for x in row] for row in inner]) * scale)
    if r < d:
        _check_steps(family, theta, span)
    return Leaf(basis, along, 0.0)


def _check_size(products: int) -> None:
    if products > EXACT:
        raise NotCertified(
            f"the leaf is too large to be checked in rational arithmetic ({products} products)",
            ("leaf=True, for families that know their leaf", "fewer directions"),
        )


def _check_kept(span: _Span, images: Sequence[Row], coordinates: Sequence[Row], A: NDArray, basis: NDArray) -> None:
    rests = [span.rest(image) for image in images]
    if not any(x for rest in rests for x in rest):
        return
    moved = np.array(
        [[float(x) for x in row] for row in _product(list(map(list, zip(*rests, strict=True))), coordinates)]
    )
    out = np.eye(len(A)) - basis @ basis.T
    raise NotCertified(
        f"region not invariant: a linear part moves the leaf's directions by {np.linalg.norm(moved, 2):.3g} out of it, "
        f"in rational arithmetic, and has the factor {np.linalg.norm(out @ A @ out, 2):.3g} across it",
        ("a basis that the maps keep exactly", "leave out leaf=, if the maps contract across it too"),
    )


def _check_steps(family: RandomOperator, theta: NDArray, span: _Span) -> None:
    """Refuse unless T θ_0 - θ_0 lies in the span for every map, in rational arithmetic."""
    support = family.finite_support()
    if support is None:
        raise NotCertified(
            f"region not invariant as far as is known: the maps of {family!r} cannot be listed, so a map may lead "
            "out of the leaf",
            ("leaf=True, for families that know their leaf", "a family with finitely many maps"),
        )
    d = theta.shape[-1]
    _check_size(len(support) * d * d)
    start = _rows(theta[None])[0]
    for _, draw in support:
        form = family.affine(draw)
        assert form is not None  # the linear parts are known
        image = _times(_rows(as_matrix(form, d)), start)
        shift = _rows(np.broadcast_to(form.b, (1, d)))[0]
        rest = span.rest([x + b - t for x, b, t in zip(image, shift, start, strict=True)])
        if any(rest):
            gap = math.hypot(*map(float, rest))
            raise NotCertified(f"region not invariant: T θ_0 − θ_0 leaves the leaf's directions by {gap:.3g}")


def _of_steps(family: RandomOperator, theta: NDArray, Q: NDArray, turned: float, parts: Sequence[NDArray]) -> Leaf:
    """Return the leaf of a family that knows that all its steps lie in it; Q spans it to an angle ``turned``.

    The maps are compared with that statement, to rounding, as a class may override some of them.

    Raises
    ------
    NotCertified
        If a map leads out of the leaf by more than rounding.
    """
    d, support = theta.shape[-1], family.finite_support()
    out = np.eye(d) - Q @ Q.T
    room = 64 * d * d * EPS + 4 * turned
    for A in parts:
        left_over = float(np.linalg.norm(out @ A @ Q, 2))
        if left_over > room * (1 + np.linalg.norm(A, 2)):
            raise NotCertified(
                f"region not invariant: a linear part moves the leaf's directions by {left_over:.3g} out of it"
            )
    draws = [draw for _, draw in support] if support is not None else [family.sample(16).draws[i] for i in range(16)]
    for draw in draws:
        step = apply_read_only(family, theta.astype(float), draw, "a map of the support") - theta
        left_over = float(np.linalg.norm(out @ step))
        if left_over > room * (np.linalg.norm(step) + np.linalg.norm(theta.astype(float)) + 1):
            raise NotCertified(f"region not invariant: T θ_0 − θ_0 leaves the leaf's directions by {left_over:.3g}")
    largest = max(float(np.linalg.norm(A, 2)) for A in parts)
    return Leaf(Q, [Q.T @ A @ Q for A in parts], (3 * turned * (1 + turned) + 8 * d * d * EPS) * largest)


def _singular_basis(V: NDArray) -> tuple[NDArray, float]:
    """Return an orthonormal basis of the span of the columns, by singular values, and a bound on its angle to it.

    Singular vectors turn by at most the rounding of V over the least of the singular values that are not zero.

    Raises
    ------
    NotCertified
        If some columns are dependent to rounding only.
    """
    left, singular, _ = np.linalg.svd(V, full_matrices=False)
    rank = int(np.sum(singular > singular.max() * max(V.shape) * EPS * 8))
    if rank < len(singular):
        _check_size(V.size * min(V.shape))
        if len(_Span(_rows(V.T)).rows) != rank:
            raise NotCertified(f"the directions of the leaf are too nearly dependent: {rank} of them to rounding")
    return left[:, :rank], float(64 * max(V.shape) * EPS * singular[0] / singular[rank - 1])


def check_on_leaf(theta: NDArray, start: NDArray, V: NDArray) -> None:
    """Raise NotCertified unless ``start`` lies on the leaf through ``theta`` with directions V (d, r), exactly.

    Raises
    ------
    NotCertified
        If it does not, or the check is too large.
    """
    _check_size(V.size * min(V.shape))
    gap = [a - b for a, b in zip(*_rows(np.stack([start.astype(object), theta.astype(object)])), strict=True)]
    rest = _Span(_rows(V.T)).rest(gap)
    if any(rest):
        size = math.hypot(*map(float, rest))
        raise NotCertified(
            f"region not invariant: the start is off the leaf of θ_0 by {size:.3g}, in rational arithmetic",
            ("leave out start=, for iterates from θ_0",),
        )


# --- rational arithmetic ------------------------------------------------------------------------------------------


def _rows(A: NDArray) -> list[Row]:
    """Return the rows of an array as Fractions of its numbers."""
    return [[Fraction(x) for x in row] for row in np.asarray(A).tolist()]


def _times(A: Sequence[Row], x: Row) -> Row:
    return [sum((a * b for a, b in zip(row, x, strict=True) if a and b), Fraction(0)) for row in A]


def _product(A: Sequence[Row], B: Sequence[Row]) -> list[Row]:
    columns = list(zip(*B, strict=True))
    return [[sum((a * b for a, b in zip(row, c, strict=True) if a and b), Fraction(0)) for c in columns] for row in A]


def _less(x: Row, c: Fraction, y: Row) -> Row:
    return [a - c * b if b else a for a, b in zip(x, y, strict=True)] if c else x


class _Span:
    """The span of vectors of Fractions, with a basis whose i-th vector is 1 at pivot i and 0 at the others."""

    def __init__(self, vectors: Iterable[Row]) -> None:
        self.rows: list[Row] = []
        self.pivots: list[int] = []
        for vector in vectors:
            rest = self.rest(vector)
            pivot = max(range(len(rest)), key=lambda j: abs(rest[j]))
            if not rest[pivot]:
                continue
            one = [x / rest[pivot] for x in rest]
            self.rows = [*(_less(row, row[pivot], one) for row in self.rows), one]
            self.pivots.append(pivot)

    def rest(self, x: Row) -> Row:
        """Return x less its combination of the basis that agrees with it at the pivots: 0 if x is in the span."""
        rest = x
        for row, pivot in zip(self.rows, self.pivots, strict=True):
            rest = _less(rest, x[pivot], row)
        return rest

    def contains(self, x: Row) -> bool:
        return not any(self.rest(x))

    def nearly_orthonormal(self, d: int) -> tuple[NDArray, list[Row], float]:
        """Return vectors of the span as columns, in floats, their exact coordinates, and |Gram matrix - 1|."""
        floats = np.array([[float(x) for x in row] for row in self.rows]).reshape(-1, d)
        C = np.linalg.inv(np.linalg.qr(floats.T)[1])
        coordinates = _rows(C)
        exact = _product(list(map(list, zip(*self.rows, strict=True))), coordinates)  # (d, r)
        gram = _product(list(map(list, zip(*exact, strict=True))), exact)
        deviation = math.hypot(*(float(x - (i == j)) for i, row in enumerate(gram) for j, x in enumerate(row)))
        if not deviation < 2.0**-10:
            raise NotCertified("the directions of the leaf are too nearly dependent")
        return np.array([[float(x) for x in row] for row in exact]), coordinates, deviation * (1 + 2.0**-20)


def _inverse(A: Sequence[Row]) -> list[Row]:
    """Return the inverse of an invertible upper triangular matrix, or of any with pivots on its diagonal."""
    n = len(A)
    work = [[*row, *(Fraction(int(i == j)) for j in range(n))] for i, row in enumerate(A)]
    for i in reversed(range(n)):
        work[i] = [x / work[i][i] for x in work[i]]
        for k in range(n):
            if k != i:
                work[k] = _less(work[k], work[k][i], work[i])
    return [row[n:] for row in work]
