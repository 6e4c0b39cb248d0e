"""Invariant leaves: affine spaces θ_0 + V that every map sends into themselves.

Maps may contract along a leaf although they do not contract in R^d.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.certificates.change_of_metric import linear_parts
from contraction.certificates.hypotheses import point
from contraction.maps.errors import NotCertified
from contraction.maps.operators import RandomOperator
from contraction.maps.points import apply_read_only
from contraction.maps.rounding import EPS

__all__ = ["check_on_leaf", "leaf_basis", "leaf_directions"]


def leaf_directions(family: RandomOperator, leaf: ArrayLike | bool) -> NDArray:
    """Return the given basis, or the family's basis if ``leaf`` is True."""
    if leaf is True:
        basis = family.leaf_basis
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
        A basis of V, shape (d, r), or True for ``family.leaf_basis``.

    Returns
    -------
    ndarray
        Orthonormal columns that span V, shape (d, r), float64.

    Raises
    ------
    NotCertified
        If a linear part or a displacement of the (listed) maps leaves the span by more than rounding, or the linear
        parts are not known.
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
    theta = point(theta0, family)
    V = leaf_directions(family, leaf)
    d = theta.shape[-1]
    if V.ndim != 2 or V.shape[0] != d or not np.all(np.isfinite(V)):
        raise ValueError(f"a leaf is a finite basis of shape ({d}, r), got shape {V.shape}")
    left, singular, _ = np.linalg.svd(V, full_matrices=False)
    Q = left[:, singular > singular.max(initial=0.0) * d * EPS * 8]
    if Q.shape[1] == 0:
        raise ValueError("a leaf needs at least one direction that is not zero")
    parts, support = linear_parts(family), family.finite_support()
    if parts is None:
        raise NotCertified(
            f"region not invariant: the linear parts of {family!r} are not known, so the leaf cannot be checked"
        )
    out = np.eye(d) - Q @ Q.T
    # The factor 8 d^2 covers the rounding of Q and of two products with it.
    for A in parts:
        left_over = float(np.linalg.norm(out @ A @ Q, 2))
        if left_over > 64 * d * d * EPS * (1 + np.linalg.norm(A, 2)):
            raise NotCertified(
                f"region not invariant: a linear part moves the leaf's directions by {left_over:.3g} out of it"
            )
    draws = [draw for _, draw in support] if support is not None else [family.sample(16).draws[i] for i in range(16)]
    for draw in draws:
        step = apply_read_only(family, theta.astype(float), draw, "a map of the support") - theta
        left_over = float(np.linalg.norm(out @ step))
        if left_over > 64 * d * d * EPS * (np.linalg.norm(step) + np.linalg.norm(theta.astype(float)) + 1):
            raise NotCertified(f"region not invariant: T θ_0 − θ_0 leaves the leaf's directions by {left_over:.3g}")
    return Q


def check_on_leaf(theta: NDArray, start: NDArray, V: NDArray) -> None:
    """Raise NotCertified unless ``start`` lies on the leaf through ``theta`` with directions V (d, r)."""
    gap = start.astype(float) - theta
    rest = gap - V @ np.linalg.lstsq(V, gap, rcond=None)[0]
    if np.linalg.norm(rest) > 64 * V.size * EPS * (1 + np.linalg.norm(gap)):
        raise NotCertified(f"region not invariant: the start is off the leaf of θ_0 by {np.linalg.norm(rest):.3g}")
