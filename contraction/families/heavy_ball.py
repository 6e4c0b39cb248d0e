"""Heavy ball (momentum) on a quadratic, as a map of the augmented state (θ_t, θ_{t-1})."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_finite
from contraction.families._checks import symmetric_matrix
from contraction.families._linear import CommonLinear
from contraction.families._reasons import why_not_learning_rate
from contraction.families.noise import at_exponent
from contraction.families.own_noise import NoiseLike, as_noise
from contraction.maps.arrays import numbers
from contraction.maps.constants import Constant
from contraction.maps.rounding import euclidean_norm, power_mean
from contraction.maps.spaces import Euclidean
from contraction.types import override

__all__ = ["HeavyBall"]


class HeavyBall(CommonLinear):
    """θ_{t+1} = θ_t - h (H θ_t - epsilon_t) + beta (θ_t - θ_{t-1}), on z = (θ_t, θ_{t-1}).

    The common linear part M = [[(1 + beta) I - hH, -beta I], [I, 0]] is never a Euclidean contraction (its first
    column has norm at least 1), but its spectral radius is below 1 if and only if |beta| < 1 and
    0 < h lambda < 2 (1 + beta) for every eigenvalue lambda of H. It then contracts in a weighted norm.

    Parameters
    ----------
    H
        Hessian: symmetric (d, d), or numbers (d,) for a diagonal, or one number.
    h, beta
        Learning rate and momentum, any finite numbers.
    noise
        Law of epsilon in R^d.

    References
    ----------
    Polyak, B. T. (1964). Some methods of speeding up the convergence of iteration methods. USSR Computational
    Mathematics and Mathematical Physics 4 (5), 1-17.

    Examples
    --------
    >>> import contraction as ct
    >>> import numpy as np
    >>> family = ct.families.HeavyBall(np.eye(1), h=0.5, beta=0.25, noise=ct.families.Uniform(-1, 1))
    >>> certificate = ct.certify(family, np.zeros(2))
    >>> certificate.k < 1
    True
    """

    vectorized = True

    def __init__(self, H: ArrayLike, h: float, beta: float, noise: NoiseLike = None) -> None:
        given = numbers("H", H)
        self.H = symmetric_matrix("H", np.diag(np.atleast_1d(given)) if given.ndim < 2 else given)
        d = len(self.H)
        self.h, self.beta = check_finite("the learning rate h", h), check_finite("the momentum beta", beta)
        self.noise = as_noise(noise)
        if self.noise.dim not in (None, d):
            raise ValueError(f"the noise has {self.noise.dim} coordinates, but H has {d}")
        self.parameters, self.dim = d, 2 * d
        self.space, self.name = Euclidean(), "HeavyBall"
        eye, zero = np.eye(d), np.zeros((d, d))
        self._A = np.block([[(1 + self.beta) * eye - self.h * self.H, -self.beta * eye], [eye, zero]])
        self._kind = "matrix"
        self.eigenvalues = np.linalg.eigvalsh(self.H)

    def __repr__(self) -> str:
        return f"HeavyBall(d={self.parameters}, h={self.h!r}, beta={self.beta!r}, noise={self.noise!r})"

    @property
    @override
    def linear_terms(self) -> int:
        return 4

    def draw_block(self, rng: np.random.Generator, replicas: int | None) -> NDArray:
        """epsilon, shape (d,) or (R, d)."""
        d = self.parameters
        return self.noise.sample(rng, (d,) if replicas is None else (replicas, d))

    @override
    def offset(self, draw: NDArray) -> NDArray:
        return np.concatenate([self.h * draw, np.zeros_like(draw)], axis=-1)

    @property
    def spectral_radius(self) -> float:
        """Largest |eigenvalue| of M; it is not a contraction factor and does not give a certificate."""
        roots = [np.roots([1, -(1 + self.beta - self.h * lam), self.beta]) for lam in self.eigenvalues]
        return float(np.max(np.abs(roots)))

    @property
    @override
    def contraction(self) -> Constant:
        return Constant(self._factor, "proved", "‖M‖, the Euclidean norm of the common linear part, an equality")

    @override
    def why_not_contracting(self, k: Constant) -> str:
        return why_not_learning_rate(self.h, k)

    def _split(self, theta0: NDArray) -> list[tuple[NDArray, float]]:
        """(c, r) for each start: the displacement is the norm of (h epsilon - c, r)."""
        z = np.asarray(theta0, dtype=float).reshape(-1, self.dim)
        now, before = z[:, : self.parameters], z[:, self.parameters :]
        center = self.h * now @ self.H - self.beta * (now - before)
        return list(zip(center, euclidean_norm(now - before).tolist(), strict=True))

    def displacement(self, theta0: NDArray) -> Constant:
        """Return the exact supremum of |Tz - z| over the support."""
        if self.h == 0:
            value = max(math.hypot(euclidean_norm(c), r) for c, r in self._split(theta0))
            return Constant(float(value), "proved", "h = 0: no noise enters")
        if math.isinf(self.noise.bound):
            return Constant(math.inf, "proved", "the noise is unbounded")
        value = max(math.hypot(abs(self.h) * self.noise.reach(c / self.h), r) for c, r in self._split(theta0))
        return Constant(value, self.noise.origin, "sup |T z - z| over the support")

    def displacement_moment(self, theta0: NDArray, p: float) -> Constant:
        """(E |Tz - z|^p)^(1/p): an upper bound, exact for p = 2.

        For p >= 2 it follows from the triangle inequality in L^(p/2) for the squares of the two halves, for p < 2 from
        Jensen's inequality or sub-additivity.
        """
        if math.isinf(p) or self.h == 0:
            return self.displacement(theta0)
        norms = [(abs(self.h) * self.noise.norm_moment(c / self.h, p), r) for c, r in self._split(theta0)]
        if p < 2:
            values = [float(power_mean([a, r], p)) for a, r in norms]
            finite = math.isfinite(self.noise.variance)
            jensen = self.displacement_moment(theta0, 2.0).value if finite else math.inf
            value = min(max(values), jensen)
        else:
            value = max(math.hypot(a, r) for a, r in norms)
        return Constant(value, self.noise.moment_origin(p), f"(E |T z - z|^p)^(1/p) {at_exponent(self.noise, p)}")

    @property
    def offset_mean(self) -> NDArray:
        """E b = (h E epsilon, 0), shape (2d,)."""
        return self.offset(self.noise.mean_vector(self.parameters))

    @property
    def offset_covariance(self) -> NDArray:
        """Cov b: h^2 Cov epsilon in the first block, shape (2d, 2d)."""
        cov = np.zeros((self.dim, self.dim))
        cov[: self.parameters, : self.parameters] = self.h**2 * self.noise.covariance(self.parameters)
        return cov
