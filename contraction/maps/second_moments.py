"""First and second moments of random affine maps T(θ) = A θ + b, which determine mean squares of iterates.

vec stacks the rows of a matrix, so that vec(A X A^T) = (A⊗A) vec X.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["SecondMoments", "moved_offsets"]

EXACT_ENTRIES = 2_000  # products up to which offsets are moved in rational arithmetic


def moved_offsets(A: NDArray, b: NDArray, center: NDArray) -> NDArray:
    """Return A c + b - c for maps A (M, d, d), b (M, d): the offsets in the coordinates θ - c.

    Each is the nearest float, up to `EXACT_ENTRIES` products; beyond that it has some roundings of |A| |c| + |b| + |c|.

    Examples
    --------
    >>> moved_offsets(np.array([[[0.5]]]), np.array([[1e12 + 1]]), np.array([2e12])).tolist()
    [[1.0]]
    """
    if A.size > EXACT_ENTRIES or not all(np.all(np.isfinite(x)) for x in (A, b, center)):
        return A @ center + b - center
    c, out = [Fraction(float(x)) for x in center], np.empty(b.shape)
    for m, i in np.ndindex(b.shape):
        row = A[m, i]
        shifted = sum((Fraction(float(a)) * x for a, x in zip(row, c, strict=True) if a), Fraction(float(b[m, i])))
        out[m, i] = float(shifted - c[i])
    return out


@dataclass(frozen=True, eq=False)
class SecondMoments:
    """E A, E b, E A⊗A, E A⊗b, E b⊗A and E b⊗b of one random affine map of R^d.

    Attributes
    ----------
    EA, Eb : ndarray
        Shapes (d, d) and (d,).
    EAA, EAb, EbA, Ebb : ndarray
        Shapes (d², d²), (d², d), (d², d) and (d²,).
    terms : int
        The largest number of rounded terms that were summed for one entry.
    """

    EA: NDArray
    Eb: NDArray
    EAA: NDArray
    EAb: NDArray
    EbA: NDArray
    Ebb: NDArray
    terms: int = 1

    @classmethod
    def from_maps(cls, A: ArrayLike, b: ArrayLike, weights: ArrayLike) -> SecondMoments:
        """Moments of finitely many maps: A (M, d, d), b (M, d), probabilities (M,)."""
        A, b, w = (np.asarray(x, dtype=float) for x in (A, b, weights))
        M, d = b.shape
        return cls(
            np.tensordot(w, A, 1),
            w @ b,
            np.einsum("m,mij,mkl->ikjl", w, A, A).reshape(d * d, d * d),
            np.einsum("m,mij,mk->ikj", w, A, b).reshape(d * d, d),
            np.einsum("m,mi,mkj->ikj", w, b, A).reshape(d * d, d),
            np.einsum("m,mi,mj->ij", w, b, b).ravel(),
            M + 2,
        )

    @classmethod
    def of_common(cls, A: ArrayLike, mean: ArrayLike, covariance: ArrayLike) -> SecondMoments:
        """Moments of A θ + b with one A (d, d), and b of a mean (d,) and a covariance (d, d)."""
        one = cls.from_maps(np.asarray(A)[None], np.asarray(mean)[None], [1.0])
        return one.with_noise(covariance)

    @classmethod
    def of_batches(cls, A: ArrayLike, b: ArrayLike, size: int) -> SecondMoments:
        """Moments of the mean of ``size`` of N maps, A (N, d, d) and b (N, d), drawn without replacement.

        With z_i the entries of map i, E z_B⊗z_B = [s/N Σ z_i⊗z_i + s(s-1)/(N(N-1)) Σ_{i≠j} z_i⊗z_j] / s².
        """
        A, b = np.asarray(A, dtype=float), np.asarray(b, dtype=float)
        N = len(b)
        alone = cls.from_maps(A, b, np.full(N, 1 / N))
        mean = cls.from_maps(alone.EA[None], alone.Eb[None], [1.0])
        both = 0.0 if N == 1 else N * (size - 1) / (size * (N - 1))  # weight of E z ⊗ E z; the rest is that of one row
        one = 1 / size - (0.0 if N == 1 else (size - 1) / (size * (N - 1)))
        return cls(
            alone.EA,
            alone.Eb,
            one * alone.EAA + both * mean.EAA,
            one * alone.EAb + both * mean.EAb,
            one * alone.EbA + both * mean.EbA,
            one * alone.Ebb + both * mean.Ebb,
            alone.terms + 6,
        )

    def with_noise(self, covariance: ArrayLike) -> SecondMoments:
        """Return the moments with b + e in place of b, e centred, independent of (A, b), of covariance (d, d)."""
        Ebb = self.Ebb + np.asarray(covariance, dtype=float).ravel()
        return SecondMoments(self.EA, self.Eb, self.EAA, self.EAb, self.EbA, Ebb, self.terms + 1)

    def about(self, theta: NDArray) -> SecondMoments:
        """Return the moments in the coordinates θ' - θ, in which b becomes A θ + b - θ."""
        d = len(self.Eb)
        eye, x = np.eye(d), np.asarray(theta, dtype=float)
        column = x[:, None]
        right, left = np.kron(eye, column), np.kron(column, eye)  # (A⊗A)(I⊗x) = A⊗Ax
        EAb = self.EAb + self.EAA @ right - np.kron(self.EA, column)
        EbA = self.EbA + self.EAA @ left - np.kron(column, self.EA)
        drift = self.EA @ x + self.Eb
        Ebb = self.EAA @ np.kron(x, x) + self.EAb @ x + self.EbA @ x + self.Ebb
        Ebb = Ebb - np.kron(x, drift) - np.kron(drift, x) + np.kron(x, x)
        return SecondMoments(self.EA, drift - x, self.EAA, EAb, EbA, Ebb, self.terms + 8 + 3 * d)

    @property
    def radius(self) -> float:
        """Spectral radius of E A⊗A, the square of the rate in mean square."""
        return float(np.max(np.abs(np.linalg.eigvals(self.EAA))))

    def stationary_mean(self) -> NDArray:
        """E θ (d,) of the stationary law, which may exist where E θ⊗θ does not.

        Raises
        ------
        ValueError
            If the spectral radius of E A is not below one.
        """
        radius = float(np.max(np.abs(np.linalg.eigvals(self.EA))))
        if not radius < 1:
            raise ValueError(f"no stationary mean: the spectral radius of E A must be below one, got {radius!r}")
        return np.linalg.solve(np.eye(len(self.Eb)) - self.EA, self.Eb)

    def stationary(self) -> tuple[NDArray, NDArray]:
        """E θ (d,) and E θ⊗θ (d²,) of the stationary law.

        Raises
        ------
        ValueError
            If the spectral radius of E A⊗A is not below one.
        """
        if not self.radius < 1:
            raise ValueError(
                f"no stationary law with a second moment: the spectral radius of E A⊗A must be below one, "
                f"got {self.radius!r}"
            )
        d = len(self.Eb)
        mean = self.stationary_mean()
        return mean, np.linalg.solve(np.eye(d * d) - self.EAA, (self.EAb + self.EbA) @ mean + self.Ebb)
