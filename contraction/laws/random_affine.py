"""Exact second moments of random affine maps whose matrices differ: the closed forms follow from E A⊗A.

Let T = A θ + b be drawn i.i.d. If the same map moves two points (x, y), E[T x ⊗ T y] is linear in E[x ⊗ y], E x and
E y. Iterating this gives covariances. The backward limit satisfies θ_inf - θ_n^B = A_1 … A_n (Θ - θ_0)
with Θ an independent copy of the limit, so E ‖θ_inf - θ_n^B‖^2 = tr mat((E A⊗A)^n vec X) for
X = E (Θ - θ_0)(Θ - θ_0)^T, and the L^2 rate is the square root of the spectral radius of E A⊗A.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_integer
from contraction.maps.arrays import numbers
from contraction.maps.rounding import EPS
from contraction.maps.second_moments import SecondMoments, moved_offsets
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
    maps : tuple of ndarray, or None
        For finitely many maps: A (M, d, d), b (M, d) and the weights (M,). Covariances and mean squares are then sums
        about the means. From moments alone they are differences, and refused where these lose their digits.

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
    maps: tuple[NDArray, NDArray, NDArray] | None = None

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
        A, b = numbers("A", A), numbers("b", b)
        if b.ndim != 2 or A.shape not in ((len(b),), b.shape, (*b.shape, b.shape[1])) or not len(b):
            raise ValueError(f"A must be (M,), (M, d) or (M, d, d) for b (M, d), got {A.shape} and {b.shape}")
        M, d = b.shape
        if A.ndim < 3:
            A = (A[:, None] if A.ndim == 1 else A)[..., None] * np.eye(d)
        w = np.full(M, 1 / M) if weights is None else np.array([float(x) for x in np.asarray(weights).ravel()])
        if w.shape != (M,) or np.any(w < 0) or abs(w.sum() - 1) > 4 * M * EPS:
            raise ValueError(f"weights must be {M} numbers >= 0 with sum one, got {w}")
        return replace(cls.from_moments(SecondMoments.from_maps(A, b, w), theta0), maps=(A, b, w))

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
        start = np.broadcast_to(numbers("theta0", theta0), known.Eb.shape).copy()
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
        return self._covariance(n, self.theta0, self.theta0)

    def _covariance(self, n: int | np.integer, x: NDArray, y: NDArray) -> NDArray:
        """E (x' - E x')(y' - E y')^T after n common maps from independent points of means x and y."""
        if self.maps is None and n:
            if x is not y:  # the covariance of θ_n is asked first, because it is refused where rounding hides it
                self._covariance(n, x, x)
            a, b, ab = self.coupled(n, x, y, np.outer(x, y))
            return self._determined(ab - np.outer(a, b), ab) if x is y else ab - np.outer(a, b)
        d = len(self.Eb)
        C = np.zeros((d, d))
        for _ in range(check_integer("the index of an iterate", n)):
            C = (self.EAA @ C.ravel()).reshape(d, d) + self._spread(x, y)
            after = self.EA @ x + self.Eb
            x, y = after, after if x is y else self.EA @ y + self.Eb
        return C

    def _spread(self, x: NDArray, y: NDArray) -> NDArray:
        """Cov(T x, T y) of one of finitely many maps at two points, from the deviations of T x and T y."""
        first = self._moves(x)
        sides = first, first if x is y else self._moves(y)
        left, right = (side - self._weights @ side for side in sides)
        return np.einsum("m,mi,mj->ij", self._weights, left, right)

    def _moves(self, x: NDArray) -> NDArray:
        """T x - x for each of finitely many maps, shape (M, d)."""
        assert self.maps is not None
        return moved_offsets(self.maps[0], self.maps[1], x)

    @property
    def _weights(self) -> NDArray:
        assert self.maps is not None
        return self.maps[2]

    def _determined(self, found: NDArray, second: NDArray, room: float = 1.0) -> NDArray:
        """Return a covariance, or a mean square, of which the rounding of second moments leaves some digits.

        Raises
        ------
        ValueError
            If it leaves none.
        """
        d = len(self.Eb)
        size, variance = float(np.max(np.abs(second), initial=0.0)), float(np.trace(found))
        if size and not variance > 64 * d * d * EPS * room * size:
            raise ValueError(
                f"second moments of size {size:.3g} do not determine a variance in double precision (the difference is "
                f"{variance:.3g}): state the maps in coordinates about a nearer point, or one by one"
            )
        return found

    def backward_covariance(self, n: int | np.integer, m: int | np.integer) -> NDArray:
        """Cov(θ_n^B, θ_m^B): for m >= n, T_1 … T_n acts on θ_0 and on an independent iterate m - n."""
        if n > m:
            return self.backward_covariance(m, n).T
        return self._covariance(n, self.theta0, self.theta0 if n == m else self.mean(m - n))

    def forward_covariance(self, n: int | np.integer, m: int | np.integer) -> NDArray:
        """Cov(θ_n^F, θ_m^F) = (E A)^(n-m) Cov θ_m for n >= m."""
        if n < m:
            return self.forward_covariance(m, n).T
        return np.linalg.matrix_power(self.EA, n - m) @ self.covariance(m)

    def backward_increment(self, n: int | np.integer) -> float:
        """E ‖θ_{n+1}^B - θ_n^B‖^2 = tr mat((E A⊗A)^n vec E (T θ_0 - θ_0)(T θ_0 - θ_0)^T)."""
        x0 = self.theta0
        if self.maps is not None:
            moves = self._moves(x0)
            return self._shrunk(n, np.einsum("m,mi,mj->ij", self._weights, moves, moves))
        _, _, after = self.coupled(1, x0, x0, np.outer(x0, x0))
        x1 = self.mean(1)
        step = after - np.outer(x1, x0) - np.outer(x0, x1) + np.outer(x0, x0)
        return self._shrunk(n, self._determined(step, after))

    def forward_increment(self, n: int | np.integer) -> float:
        """E ‖θ_{n+1}^F - θ_n^F‖^2 with θ_n independent of T_{n+1}."""
        return self._moved(self.mean(n), self.covariance(n))

    def _moved(self, x: NDArray, C: NDArray) -> float:
        """E ‖T X - X‖^2 for X of mean x and covariance C, independent of T."""
        d = len(self.Eb)
        wandering = float(np.trace((self.EAA @ C.ravel()).reshape(d, d) - 2 * self.EA @ C + C))
        if self.maps is not None:
            return wandering + float(self._weights @ np.sum(self._moves(x) ** 2, axis=-1))
        _, _, after = self.coupled(1, x, x, np.outer(x, x))
        step = after - 2 * np.outer(self.EA @ x + self.Eb, x) + np.outer(x, x)
        return wandering + float(np.trace(self._determined(step, after)))

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

    @property
    def stationary_mean(self) -> NDArray:
        """E θ_inf, shape (d,); the spectral radius of E A must be below one."""
        return self._moments.stationary_mean()

    @property
    def stationary_covariance(self) -> NDArray:
        """Cov θ_inf, shape (d, d)."""
        d = len(self.Eb)
        mean, second = self._moments.stationary()
        if self.maps is not None:
            return np.linalg.solve(np.eye(d * d) - self.EAA, self._spread(mean, mean).ravel()).reshape(d, d)
        second = second.reshape(d, d)
        return self._determined(second - np.outer(mean, mean), second, 1 / max(1 - self.radius, EPS))

    def limit_distance(self, n: int | np.integer) -> float:
        """E ‖θ_inf - θ_n^B‖^2 = tr mat((E A⊗A)^n vec X), X = E (Θ - θ_0)(Θ - θ_0)^T."""
        gap = self.stationary_mean - self.theta0
        return self._shrunk(n, self.stationary_covariance + np.outer(gap, gap))

    @property
    def forward_increment_limit(self) -> float:
        """The limit of E ‖θ_{n+1}^F - θ_n^F‖^2 = E ‖T X - X‖^2, X stationary and independent of T (row 76)."""
        return self._moved(self.stationary_mean, self.stationary_covariance)

    def _shrunk(self, n: int | np.integer, X: NDArray) -> float:
        d = len(self.Eb)
        for _ in range(check_integer("the index of an iterate", n)):
            X = (self.EAA @ X.ravel()).reshape(d, d)
        return float(np.trace(X))
