"""Section 3.2: SGD on a quadratic with Hessian H around its minimum, with additive gradient noise."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_finite
from contraction.families._checks import finite_array, symmetric_matrix
from contraction.families._linear import CommonLinear, noise_box
from contraction.families._reasons import why_not_hessian
from contraction.families.noise import at_exponent
from contraction.families.own_noise import NoiseLike, as_noise
from contraction.maps.balls import AffineEnclosure, ball, matrix, vector
from contraction.maps.constants import Constant
from contraction.maps.spaces import Euclidean
from contraction.types import override

__all__ = ["LinearizedSGD"]


class LinearizedSGD(CommonLinear):
    """T(θ) = θ* + (I - hH)(θ - θ*) + h epsilon on R^d (Section 3.2; the paper prints θ* - θ).

    The Lipschitz constant is exactly max_i |1 - h lambda_i|, so the maps are contractions if and only if H is positive
    definite and 0 < h < 2 / lambda_max; `certify` checks this.

    Parameters
    ----------
    theta_star
        The minimum, shape (d,).
    H
        The Hessian there: symmetric, shape (d, d), of any signature.
    h
        Learning rate, any finite number.
    noise
        Law of each coordinate of epsilon, or of the vector (`GaussianVector`).

    Raises
    ------
    ValueError
        If a shape is wrong, an entry is not finite, H is not symmetric or the noise has another dimension.

    Examples
    --------
    >>> import contraction as ct
    >>> import numpy as np
    >>> family = ct.families.LinearizedSGD([1.0, 0.0], np.diag([1.0, 2.0]), h=0.5)
    >>> family.contraction.value
    0.5
    """

    vectorized = True

    def __init__(self, theta_star: ArrayLike, H: ArrayLike, h: float, noise: NoiseLike = None) -> None:
        self.theta_star = finite_array("theta_star", np.atleast_1d(np.asarray(theta_star)), (None,))
        self.dim = len(self.theta_star)
        self.H = symmetric_matrix("H", H, self.dim)
        self.h = check_finite("the learning rate h", h)
        self.noise = as_noise(noise)
        if self.noise.dim not in (None, self.dim):
            raise ValueError(f"the noise has {self.noise.dim} coordinates, but theta_star has {self.dim}")
        self.space, self.name = Euclidean(), "LinearizedSGD"
        self._A, self._kind = np.eye(self.dim) - self.h * self.H, "matrix"
        self._drift = self.h * self.H @ self.theta_star
        self.eigenvalues = np.linalg.eigvalsh(self.H)

    def __repr__(self) -> str:
        low, high = self.eigenvalues[0], self.eigenvalues[-1]
        return f"LinearizedSGD(dim={self.dim}, h={self.h!r}, eigenvalues {low:.4g} … {high:.4g}, noise={self.noise!r})"

    def draw_block(self, rng: np.random.Generator, replicas: int | None) -> NDArray:
        """epsilon, shape (d,) or (R, d)."""
        return self.noise.sample(rng, (self.dim,) if replicas is None else (replicas, self.dim))

    @override
    def offset(self, draw: NDArray) -> NDArray:
        b = self.h * draw
        b += self._drift
        return b

    @property
    def _factor(self) -> float:
        return float(np.max(np.abs(1 - self.h * self.eigenvalues)))

    @property
    @override
    def contraction(self) -> Constant:
        return Constant(self._factor, "proved", "max |1 - h lambda_i|, an equality (Example 2.1, Section 3.2)")

    @property
    def is_constant(self) -> bool:
        """Whether hH = I exactly."""
        h = Fraction(self.h)
        return all(h * Fraction(float(x)) == (i == j) for (i, j), x in np.ndenumerate(self.H))

    @property
    @override
    def linear_terms(self) -> int:
        return 0 if self.is_constant else 2

    @override
    def why_not_contracting(self, k: Constant) -> str:
        return why_not_hessian(self.h, self.eigenvalues, k)

    def affine_enclosures(self) -> list[AffineEnclosure]:
        """Return A = I - hH around θ*, plus h epsilon (Section 3.2)."""
        h, d = ball(self.h), self.dim
        A = [[(1 if i == j else 0) - h * x for j, x in enumerate(row)] for i, row in enumerate(matrix(self.H))]
        return [AffineEnclosure(A, vector(self.theta_star), *noise_box(h, self.noise, d))]

    def _centers(self, theta0: NDArray) -> NDArray:
        rows = np.atleast_2d(np.asarray(theta0, dtype=float)).reshape(-1, self.dim)
        return (rows - self.theta_star) @ self.H

    def displacement(self, theta0: NDArray) -> Constant:
        """Return the exact supremum of |h (epsilon - H (θ_0 - θ*))| over the support."""
        if self.h == 0:
            return Constant(0.0, "proved", "h = 0: every map is the identity")
        if math.isinf(self.noise.bound):
            return Constant(math.inf, "proved", "the noise is unbounded")
        value = abs(self.h) * max(self.noise.reach(c) for c in self._centers(theta0))
        return Constant(value, self.noise.origin, "sup h |eps - H (theta0 - theta*)| over the support")

    def displacement_moment(self, theta0: NDArray, p: float) -> Constant:
        """(E |h (epsilon - H (θ_0 - θ*))|^p)^(1/p): exact for d = 1 and p = 2, an upper bound otherwise."""
        if math.isinf(p):
            return self.displacement(theta0)
        value = abs(self.h) * max(self.noise.norm_moment(c, p) for c in self._centers(theta0)) if self.h else 0.0
        return Constant(
            value,
            self.noise.moment_origin(p),
            f"h (E |eps - H (theta0 - theta*)|^p)^(1/p) {at_exponent(self.noise, p)}",
        )

    @property
    def offset_mean(self) -> NDArray:
        """E b = h H θ* + h E epsilon, shape (d,)."""
        return self._drift + self.h * self.noise.mean_vector(self.dim)

    @property
    def offset_covariance(self) -> NDArray:
        """Cov b = h^2 Cov epsilon, shape (d, d)."""
        return self.h**2 * self.noise.covariance(self.dim)

    @property
    def fixed_point(self) -> NDArray | None:
        """The common fixed point of all maps: θ* without noise, None otherwise."""
        return self.theta_star.copy() if self.noise.bound == 0 else None
