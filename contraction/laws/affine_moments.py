"""Closed forms for affine maps with one linear part: means, covariances, increments and the distance to the limit.

T_i(θ) = A θ + b_i, b_i i.i.d. with mean m and covariance V (SGD on a quadratic: A = I - hH, V = h^2 Sigma).
With S_n = sum_{j<n} A^j V A^jT and mu_n = A^n θ_0 + sum_{j<n} A^j m, forward and backward iterate n both have mean
mu_n and covariance S_n. Pairs of iterates differ: backward increments are distributed as A^n (T θ_0 - θ_0) and
are independent, whereas the mean square of forward increments tends to tr V + tr((A-I) S (A-I)^T) (Section 3.2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_integer, check_type
from contraction.laws.random_affine import RandomAffineMoments
from contraction.maps.affine import as_matrix
from contraction.maps.arrays import finite_array, numbers
from contraction.maps.operators import RandomOperator
from contraction.maps.rounding import euclidean_norm, norm_of_entries
from contraction.values import Value

__all__ = ["AffineMoments", "affine_moments", "gelbrich_distance"]


@dataclass(frozen=True, eq=False)
class AffineMoments(Value):
    """First and second moments of the iterates of T(θ) = A θ + b, b i.i.d. with mean m and covariance V.

    Mean and covariance follow from the sums of Section 3.2 (row 52); both orders have the same (Theorem 2.6).

    Parameters
    ----------
    A
        Linear part, shape (d, d).
    m, V
        Mean (d,) and covariance (d, d) of b.
    theta0
        The start, shape (d,).

    Raises
    ------
    ValueError
        If shapes do not fit, an entry is not finite, or V is not symmetric.

    Examples
    --------
    >>> from contraction.laws import AffineMoments
    >>> moments = AffineMoments(A=[[0.5]], m=[0.0], V=[[0.75]], theta0=[2.0])  # θ -> θ/2 + b
    >>> moments.power(3), moments.mean(3), moments.covariance(3)  # the same for both orders
    (array([[0.125]]), array([0.25]), array([[0.984375]]))
    >>> moments.stationary_covariance.round(4)
    array([[1.]])
    >>> [round(moments.backward_increment(n), 4) for n in (0, 5, 10)]  # falls as 4^-n
    [1.75, 0.0017, 0.0]
    >>> [round(moments.forward_increment(n), 4) for n in (0, 5, 10)]  # does not fall to 0
    [1.75, 1.0007, 1.0]
    >>> moments.backward_covariance(3, 10).round(4), moments.forward_covariance(3, 10).round(4)
    (array([[0.9844]]), array([[0.0077]]))
    >>> round(moments.limit_distance(10), 8), round(moments.gaussian_distance(10), 4)
    (4.77e-06, 0.002)
    """

    A: NDArray
    m: NDArray
    V: NDArray
    theta0: NDArray

    def __post_init__(self) -> None:
        A, m, V = (numbers(name, x) for name, x in (("A", self.A), ("m", self.m), ("V", self.V)))
        d = A.shape[0] if A.ndim == 2 else 0
        if A.shape != (d, d) or m.shape != (d,) or V.shape != (d, d) or d == 0:
            raise ValueError(f"A, m, V must have shapes (d, d), (d,), (d, d), got {A.shape}, {m.shape}, {V.shape}")
        theta0 = numbers("theta0", self.theta0)
        if theta0.shape not in ((), (1,), (d,)):
            raise ValueError(f"the start must be a number or have {d} coordinates, got shape {theta0.shape}")
        for name, x in (("A", A), ("m", m), ("V", V), ("theta0", theta0)):
            if not np.all(np.isfinite(x)):
                raise ValueError(f"{name} must have finite entries, got {x}")
        if not np.allclose(V, V.T, rtol=1e-12, atol=1e-12 * np.abs(V).max()):
            raise ValueError(f"the covariance V must be symmetric, got {V}")
        for name, x in (("A", A), ("m", m), ("V", V), ("theta0", np.broadcast_to(theta0, (d,)).copy())):
            object.__setattr__(self, name, x)
        super().__post_init__()

    # --- one iterate --------------------------------------------------------------------------------------------

    def power(self, n: int | np.integer) -> NDArray:
        """Return A^n."""
        return np.linalg.matrix_power(self.A, check_integer("the index of an iterate", n))

    def mean(self, n: int | np.integer) -> NDArray:
        """E θ_n, shape (d,), the same for forward and backward iterates."""
        return self._doubled(n)[0] + self.power(n) @ self.theta0

    def covariance(self, n: int | np.integer) -> NDArray:
        """S_n = Cov θ_n, shape (d, d), the same forward and backward; computed with O(log n) products."""
        return self._doubled(n)[1]

    def _doubled(self, n: int | np.integer) -> tuple[NDArray, NDArray]:
        """(sum_{j<n} A^j m, S_n) by doubling: S_{2n} = S_n + A^n S_n A^nT."""
        d = len(self.m)
        mean, S, P = np.zeros(d), np.zeros((d, d)), np.eye(d)
        for bit in bin(check_integer("the index of an iterate", n))[2:]:
            mean, S, P = mean + P @ mean, S + P @ S @ P.T, P @ P
            if bit == "1":
                mean, S, P = self.m + self.A @ mean, self.V + self.A @ S @ self.A.T, self.A @ P
        return mean, S

    @property
    def radius(self) -> float:
        """Spectral radius of A; if it is below 1, forward and backward iterates converge in law."""
        return float(np.max(np.abs(np.linalg.eigvals(self.A))))

    @property
    def stationary_mean(self) -> NDArray:
        """(I - A)^{-1} m."""
        self._settles()
        return np.linalg.solve(np.eye(len(self.m)) - self.A, self.m)

    @property
    def stationary_covariance(self) -> NDArray:
        """S with S = A S A^T + V, the discrete Lyapunov equation.

        Raises
        ------
        ValueError
            If the spectral radius of A is not below one.
        """
        from scipy.linalg import solve_discrete_lyapunov

        self._settles()
        S = np.asarray(solve_discrete_lyapunov(self.A, self.V))
        return (S + S.T) / 2

    def _settles(self) -> None:
        if not self.radius < 1:
            raise ValueError(f"no stationary law: the spectral radius of A must be below one, got {self.radius!r}")

    # --- pairs of iterates --------------------------------------------------------------------------------------

    def backward_covariance(self, n: int | np.integer, m: int | np.integer) -> NDArray:
        """Cov(θ_n^B, θ_m^B) = S_{min(n, m)}: backward increments are independent."""
        return self.covariance(min(check_integer("the index of an iterate", i) for i in (n, m)))

    def forward_covariance(self, n: int | np.integer, m: int | np.integer) -> NDArray:
        """Cov(θ_n^F, θ_m^F) = A^(n-m) S_m for n >= m, its transpose otherwise."""
        if n < m:
            return self.forward_covariance(m, n).T
        return self.power(n - m) @ self.covariance(m)

    def backward_increment(self, n: int | np.integer) -> float:
        """E ‖θ_{n+1}^B - θ_n^B‖^2 = ‖A^n (A θ_0 + m - θ_0)‖^2 + tr(A^n V A^nT) -> 0."""
        P = self.power(n)
        return _square(P @ self._first_step) + _trace(P, self.V)

    def forward_increment(self, n: int | np.integer) -> float:
        """E ‖θ_{n+1}^F - θ_n^F‖^2 = tr V + tr(K S_n K^T) + ‖K mu_n + m‖^2 with K = A - I."""
        K = self.A - np.eye(len(self.m))
        return float(np.trace(self.V)) + _trace(K, self.covariance(n)) + _square(K @ self.mean(n) + self.m)

    @property
    def forward_increment_limit(self) -> float:
        """Limit tr V + tr(K S K^T) of `forward_increment`, zero iff V = 0; 2h tr(H S) for symmetric A = I - hH."""
        K = self.A - np.eye(len(self.m))
        return float(np.trace(self.V)) + _trace(K, self.stationary_covariance)

    @property
    def _first_step(self) -> NDArray:
        return self.A @ self.theta0 + self.m - self.theta0

    # --- the limit ----------------------------------------------------------------------------------------------

    def limit_distance(self, n: int | np.integer) -> float:
        """E ‖θ_inf - θ_n^B‖^2 = tr(A^n S A^nT) + ‖A^n (θ_0 - θ*)‖^2, θ_inf the backward limit."""
        P = self.power(n)
        return _trace(P, self.stationary_covariance) + _square(P @ (self.theta0 - self.stationary_mean))

    @property
    def rate(self) -> float:
        """The L^2 rate: E ‖θ_inf - θ_n^B‖^2 decays like rate^{2n} (times powers of n if A is defective)."""
        return self.radius

    def gaussian_distance(self, n: int | np.integer) -> float:
        """W_2 between the law of θ_n and the stationary law for Gaussian b; a lower bound for every other b.

        See `gelbrich_distance`. In one dimension, with the stationary mean as start, it is s (1 - √(1 - k^{2n})), where
        s is the stationary standard deviation.
        """
        return gelbrich_distance(self.mean(n), self.covariance(n), self.stationary_mean, self.stationary_covariance)


def gelbrich_distance(mean: NDArray, covariance: NDArray, other_mean: NDArray, other_covariance: NDArray) -> float:
    """W_2 of two Gaussian laws, and a lower bound on W_2 of any two laws with these moments (Gelbrich, 1990).

    W_2^2 >= ‖mu - nu‖^2 + tr(S + R - 2 (R^{1/2} S R^{1/2})^{1/2}), an equality for Gaussian laws.

    References
    ----------
    Gelbrich, M. (1990). On a formula for the L2 Wasserstein metric between measures on Euclidean and Hilbert
    spaces. Mathematische Nachrichten 147, 185-203.

    Examples
    --------
    >>> import numpy as np
    >>> from contraction import laws
    >>> zero, one = np.zeros(1), np.eye(1)
    >>> float(laws.gelbrich_distance(zero, one, zero, 4 * one))
    1.0
    """
    mean, other_mean = (np.atleast_1d(numbers("a mean", x)) for x in (mean, other_mean))
    d = len(mean)
    for x in (mean, other_mean):
        finite_array("a mean", x, (d,))
    covariance, other_covariance = (
        finite_array("a covariance", numbers("a covariance", S).reshape(d, d) if d == 1 == np.size(S) else S, (d, d))
        for S in (covariance, other_covariance)
    )
    return math.hypot(root_distance(covariance, other_covariance), float(euclidean_norm(mean - other_mean)))


def root_distance(covariance: NDArray, other: NDArray) -> float:
    """Return tr(S + R - 2 (R^{1/2} S R^{1/2})^{1/2})^{1/2}, without differences of the covariances S and R.

    It is the least Frobenius norm of S^{1/2} - R^{1/2} U over orthogonal U, attained where U = W V^T for the singular
    value decomposition W Σ V^T of R^{1/2} S^{1/2}.
    """
    first, second = covariance_root(covariance), covariance_root(other)
    left, _, right = np.linalg.svd(second @ first)
    return norm_of_entries(first - second @ left @ right)


def affine_moments(family: RandomOperator, theta0: ArrayLike = 0.0) -> AffineMoments | RandomAffineMoments:
    """Moments of a family's iterates: `AffineMoments` for a common linear part, else `RandomAffineMoments`.

    For a common linear part the closed forms are those of the sums in Section 3.2 (row 52).

    Parameters
    ----------
    family
        Independent affine maps (``is_affine`` and ``is_iid``) that either state ``linear_part``, ``offset_mean`` and
        ``offset_covariance``, or know their `second_moments`, as finitely many maps with probabilities do.
    theta0
        The start.

    Raises
    ------
    ValueError
        If the maps are not affine, not i.i.d., or b has no variance.

    Examples
    --------
    >>> import contraction as ct
    >>> moments = ct.laws.affine_moments(ct.families.QuadraticSGD(h=0.5))
    >>> moments.stationary_covariance.round(6)
    array([[0.333333]])
    """
    check_type("the family", family, RandomOperator, "a family of maps, such as QuadraticSGD(h)")
    if not family.is_iid:
        raise ValueError(
            f"these closed forms need i.i.d. maps, got {family!r}; stationary moments under a Markov chain of letters "
            "are those of modulated_moments"
        )
    A, m, V = family.linear_part, family.offset_mean, family.offset_covariance
    if V is not None and not np.all(np.isfinite(V)):
        raise ValueError(f"the offsets of {family!r} have infinite variance, so their iterates have no covariance")
    if family.is_affine and A is not None and m is not None and V is not None:
        return AffineMoments(A, m, V, numbers("theta0", theta0))
    known = family.second_moments()
    if known is not None:
        moments = RandomAffineMoments.from_moments(known, theta0)
        return replace(moments, maps=_listed(family, len(moments.Eb)))
    raise ValueError(f"no closed moments are known for {family!r}: it needs affine i.i.d. maps")


def _listed(family: RandomOperator, d: int) -> tuple[NDArray, NDArray, NDArray] | None:
    """Return A (M, d, d), b (M, d) and the weights (M,) of finitely many maps with known weights; None otherwise."""
    support = family.finite_support() if family.is_affine else None
    if not support or any(weight is None for weight, _ in support):
        return None
    forms = [family.affine(draw) for _, draw in support]
    if any(form is None for form in forms):
        return None
    A = np.stack([as_matrix(form, d) for form in forms if form is not None])
    b = np.stack([np.broadcast_to(np.asarray(form.b, dtype=float), (d,)) for form in forms if form is not None])
    return A, b, np.array([float(weight) for weight, _ in support if weight is not None])


def _square(x: NDArray) -> float:
    return float(x @ x)


def _trace(P: NDArray, S: NDArray) -> float:
    """tr(P S P^T)."""
    return float(np.einsum("ij,jk,ik->", P, S, P, optimize=True))


def covariance_root(S: NDArray) -> NDArray:
    """Return the symmetric root of a covariance."""
    values, vectors = np.linalg.eigh((S + S.T) / 2)
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
