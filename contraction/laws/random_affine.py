"""Exact second moments of random affine maps whose matrices differ: the closed forms follow from E A⊗A.

Let T = A θ + b be drawn i.i.d. If the same map moves two points (x, y), E[T x ⊗ T y] is linear in E[x ⊗ y], E x and
E y. Iterating this gives covariances. The backward limit satisfies θ_inf - θ_n^B = A_1 … A_n (Θ - θ_0)
with Θ an independent copy of the limit, so E ‖θ_inf - θ_n^B‖^2 = tr mat((E A⊗A)^n vec X) for
X = E (Θ - θ_0)(Θ - θ_0)^T, and the L^2 rate is the square root of the spectral radius of E A⊗A.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_integer
from contraction.maps.rounding import EPS
from contraction.maps.second_moments import SecondMoments
from contraction.values import Value

__all__ = ["RandomAffineMoments"]


@dataclass(frozen=True, eq=False)
class RandomAffineMoments(Value):
    """First and second moments of the iterates of T(θ) = A θ + b with (A, b) i.i.d. of a joint law.

    Use `from_maps` for finitely many maps and `from_moments` otherwise. vec stacks the rows of a matrix, so that
    vec(A X A^T) = (A⊗A) vec X.

    Attributes
    ----------
    EA, Eb : ndarray
        E A (d, d) and E b (d,).
    EAA, EAb, EbA, Ebb : ndarray
        E A⊗A (d², d²), E A⊗b and E b⊗A (d², d), E b⊗b (d²,).
    theta0 : ndarray
        The start, shape (d,).

    Examples
    --------
    >>> import numpy as np
    >>> from contraction.laws import RandomAffineMoments
    >>> moments = RandomAffineMoments.from_maps([0.5, 0.75], [[1.0], [0.0]], theta0=[3.0])  # θ/2 + 1 or 3θ/4
    >>> moments.mean(2).round(4), moments.covariance(2).round(4)  # the same for both orders
    (array([1.9844]), array([[0.0476]]))
    >>> moments.stationary_mean.round(4), moments.stationary_covariance.round(4)
    (array([1.3333]), array([[0.1871]]))
    >>> [round(moments.backward_increment(n), 4) for n in (0, 5, 10)]  # falls as (E A²)^n = (13/32)^n
    [0.4062, 0.0045, 0.0]
    >>> [round(moments.forward_increment(n), 4) for n in (0, 5, 10)]  # does not fall to 0
    [0.4062, 0.1232, 0.1382]
    >>> round(moments.limit_distance(10), 6)
    0.000363
    >>> moments.backward_covariance(1, 2).round(4), moments.forward_covariance(1, 2).round(4)
    (array([[0.0254]]), array([[0.0098]]))
    >>> x, y = np.array([3.0]), np.array([6.0])
    >>> moments.coupled(2, x, y, np.outer(x, y))[2].round(4)  # E x' y' after two common maps from x and y
    array([[6.2441]])
    """

    EA: NDArray
    Eb: NDArray
    EAA: NDArray
    EAb: NDArray
    EbA: NDArray
    Ebb: NDArray
    theta0: NDArray

    @classmethod
    def from_maps(
        cls, A: ArrayLike, b: ArrayLike, weights: ArrayLike | None = None, theta0: ArrayLike = 0.0
    ) -> RandomAffineMoments:
        """Moments for finitely many maps.

        Parameters
        ----------
        A
            Linear parts: (M,), diagonals (M, d) or matrices (M, d, d).
        b
            Offsets (M, d).
        weights
            Probabilities (M,) (default: equal).
        theta0
            The start.

        Raises
        ------
        ValueError
            If shapes do not fit or the weights do not sum to one.
        """
        A, b = np.asarray(A, dtype=float), np.asarray(b, dtype=float)
        if b.ndim != 2 or A.shape not in ((len(b),), b.shape, (*b.shape, b.shape[1])) or not len(b):
            raise ValueError(f"A must be (M,), (M, d) or (M, d, d) for b (M, d), got {A.shape} and {b.shape}")
        M, d = b.shape
        if A.ndim < 3:
            A = (A[:, None] if A.ndim == 1 else A)[..., None] * np.eye(d)
        w = np.full(M, 1 / M) if weights is None else np.array([float(x) for x in np.asarray(weights).ravel()])
        if w.shape != (M,) or np.any(w < 0) or abs(w.sum() - 1) > 4 * M * EPS:
            raise ValueError(f"weights must be {M} numbers >= 0 with sum one, got {w}")
        return cls.from_moments(SecondMoments.from_maps(A, b, w), theta0)

    @classmethod
    def from_moments(cls, known: SecondMoments, theta0: ArrayLike = 0.0) -> RandomAffineMoments:
        """Construct from the moments of one map, such as those of `RandomOperator.second_moments`.

        Examples
        --------
        >>> import contraction as ct
        >>> family = ct.families.FiniteFamily([(0.5, [0.0]), (0.25, [1.0])])
        >>> moments = ct.laws.RandomAffineMoments.from_moments(family.second_moments())
        >>> moments.stationary_mean.round(4)
        array([0.8])
        """
        start = np.broadcast_to(np.asarray(theta0, dtype=float), known.Eb.shape).copy()
        return cls(known.EA, known.Eb, known.EAA, known.EAb, known.EbA, known.Ebb, start)

    # --- two points moved by the same maps ------------------------------------------------------------------------

    def coupled(self, n: int | np.integer, x: NDArray, y: NDArray, xy: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        """(E x', E y', E x' y'^T) after n common maps, from (E x, E y, E x y^T)."""
        d = len(self.Eb)
        z = xy.ravel()
        for _ in range(check_integer("the index of an iterate", n)):
            z = self.EAA @ z + self.EAb @ x + self.EbA @ y + self.Ebb
            x, y = self.EA @ x + self.Eb, self.EA @ y + self.Eb
        return x, y, z.reshape(d, d)

    def mean(self, n: int | np.integer) -> NDArray:
        """E θ_n, shape (d,), the same for forward and backward iterates."""
        x = self.theta0
        for _ in range(check_integer("the index of an iterate", n)):
            x = self.EA @ x + self.Eb
        return x

    def covariance(self, n: int | np.integer) -> NDArray:
        """Cov θ_n, shape (d, d), the same for forward and backward iterates."""
        x, _, xx = self.coupled(n, self.theta0, self.theta0, np.outer(self.theta0, self.theta0))
        return xx - np.outer(x, x)

    def backward_covariance(self, n: int | np.integer, m: int | np.integer) -> NDArray:
        """Cov(θ_n^B, θ_m^B): for m >= n, T_1 … T_n acts on θ_0 and on an independent iterate m - n."""
        if n > m:
            return self.backward_covariance(m, n).T
        far = self.mean(m - n)
        x, y, xy = self.coupled(n, self.theta0, far, np.outer(self.theta0, far))
        return xy - np.outer(x, y)

    def forward_covariance(self, n: int | np.integer, m: int | np.integer) -> NDArray:
        """Cov(θ_n^F, θ_m^F) = (E A)^(n-m) Cov θ_m for n >= m."""
        if n < m:
            return self.forward_covariance(m, n).T
        return np.linalg.matrix_power(self.EA, n - m) @ self.covariance(m)

    def backward_increment(self, n: int | np.integer) -> float:
        """E ‖θ_{n+1}^B - θ_n^B‖^2 = tr mat((E A⊗A)^n vec E (T θ_0 - θ_0)(T θ_0 - θ_0)^T)."""
        x0 = self.theta0
        _, _, after = self.coupled(1, x0, x0, np.outer(x0, x0))
        x1 = self.mean(1)
        step = after - np.outer(x1, x0) - np.outer(x0, x1) + np.outer(x0, x0)
        return self._shrunk(n, step)

    def forward_increment(self, n: int | np.integer) -> float:
        """E ‖θ_{n+1}^F - θ_n^F‖^2 with θ_n independent of T_{n+1}."""
        x, _, xx = self.coupled(n, self.theta0, self.theta0, np.outer(self.theta0, self.theta0))
        return self._moved(x, xx)

    def _moved(self, x: NDArray, xx: NDArray) -> float:
        """E ‖T X - X‖^2 for X independent of T."""
        _, _, after = self.coupled(1, x, x, xx)
        cross = self.EA @ xx + np.outer(self.Eb, x)
        return float(np.trace(after) - 2 * np.trace(cross) + np.trace(xx))

    # --- the limit ------------------------------------------------------------------------------------------------

    @property
    def radius(self) -> float:
        """Spectral radius of E A⊗A: backward iterates converge in L^2 for every start if it is below one."""
        return float(np.max(np.abs(np.linalg.eigvals(self.EAA))))

    @property
    def rate(self) -> float:
        """The L^2 rate, radius^(1/2)."""
        return self.radius**0.5

    @property
    def _moments(self) -> SecondMoments:
        return SecondMoments(self.EA, self.Eb, self.EAA, self.EAb, self.EbA, self.Ebb)

    def _limit(self) -> tuple[NDArray, NDArray]:
        d = len(self.Eb)
        mean, second = self._moments.stationary()
        return mean, second.reshape(d, d)

    @property
    def stationary_mean(self) -> NDArray:
        """E θ_inf, shape (d,); the spectral radius of E A must be below one."""
        return self._moments.stationary_mean()

    @property
    def stationary_covariance(self) -> NDArray:
        """Cov θ_inf, shape (d, d)."""
        mean, second = self._limit()
        return second - np.outer(mean, mean)

    def limit_distance(self, n: int | np.integer) -> float:
        """E ‖θ_inf - θ_n^B‖^2 = tr mat((E A⊗A)^n vec X), X = E (Θ - θ_0)(Θ - θ_0)^T."""
        mean, second = self._limit()
        x0 = self.theta0
        return self._shrunk(n, second - np.outer(mean, x0) - np.outer(x0, mean) + np.outer(x0, x0))

    @property
    def forward_increment_limit(self) -> float:
        """The limit of E ‖θ_{n+1}^F - θ_n^F‖^2 = E ‖T X - X‖^2, X stationary and independent of T (row 76)."""
        mean, second = self._limit()
        return self._moved(mean, second)

    def _shrunk(self, n: int | np.integer, X: NDArray) -> float:
        d = len(self.Eb)
        for _ in range(check_integer("the index of an iterate", n)):
            X = (self.EAA @ X.ravel()).reshape(d, d)
        return float(np.trace(X))
