"""Bounds on the largest eigenvalue of second moments of data, rounded outwards."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from contraction.maps.errors import NotCertified
from contraction.maps.intervals import Intervals, above

__all__ = ["largest_second_moment"]


def largest_second_moment(X: NDArray) -> float:
    """Return an upper bound of the largest eigenvalue of X^T X / n, proved and close to it.

    With V the eigenvectors of the smaller of X^T X and X X^T in floating point, A = V^T (X^T X) V and S = V^T V are
    enclosed. Every x is V y, so x^T X^T X x = y^T A y <= a |y|² and |x|² = y^T S y >= (1 - e) |y|², where a and e < 1
    are the largest absolute row sums of A and of I - S. The largest eigenvalue of X^T X is at most a/(1 - e).

    Parameters
    ----------
    X
        n rows of data, shape (n, d); each float counts as an exact number.

    Returns
    -------
    float

    Raises
    ------
    NotCertified
        If the computed eigenvectors are too far from orthogonal.

    Examples
    --------
    >>> import numpy as np
    >>> from contraction.maps.gram import largest_second_moment
    >>> bound = largest_second_moment(np.array([[3.0, 0.0], [0.0, 1.0]]))
    >>> 4.5 <= bound < 4.5 * (1 + 1e-12)
    True
    """
    X = np.asarray(X, dtype=float)
    n = len(X)
    Y = X if X.shape[1] <= n else X.T
    G = Intervals(Y.T) @ Intervals(Y)
    V = Intervals(np.linalg.eigh(G.mid)[1])
    A, S = V.T @ (G @ V), V.T @ V
    rows = len(G.mid)
    a = float(np.max(above(np.sum(A.magnitude, axis=1), rows)))
    e = float(np.max(above(np.sum((np.eye(rows) - S).magnitude, axis=1), rows)))
    if not e < 0.5:
        raise NotCertified(f"the eigenvectors of X^T X are not orthogonal in floating point: error {e:.3g}")
    return float(above(a / (1 - e) / n, 4))
