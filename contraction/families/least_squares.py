"""Least squares with fewer rows per batch than unknowns: no uniform contraction, but invariant leaves (row 26)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.families._reasons import why_not_learning_rate
from contraction.families.gradient_steps import GradientSteps
from contraction.families.index_laws import IndexLaw
from contraction.families.losses import RidgeLoss
from contraction.families.own_noise import NoiseLike, as_noise
from contraction.maps.affine import AffineMaps, linear
from contraction.maps.constants import Constant
from contraction.maps.draws import sub_sequence
from contraction.maps.operators import RandomOperator
from contraction.maps.rounding import EPS, power_mean
from contraction.maps.second_moments import SecondMoments
from contraction.maps.spaces import Euclidean
from contraction.types import Draw, Number, override

__all__ = ["LeastSquares"]


class LeastSquares(RandomOperator):
    """T(θ) = θ - (h/b) X_B^T (X_B θ - y_B - xi), B a random batch of rows, xi fresh label noise.

    A step on a batch of b < d rows does not change the components orthogonal to these rows, so every map has norm at
    least 1. All increments lie in the row space, so θ_0 + row space (a leaf) is invariant. On a leaf the maps
    contract on average for small h, even with label noise.

    Row 26 of the audit, on over-parameterised models in Remark 2.3, is about such maps.

    Parameters
    ----------
    X, y
        Data rows (n, d) and targets (n,).
    h
        Learning rate, any finite number.
    batch_size
        Number of rows per batch, drawn uniformly without replacement.
    label_noise
        Law of the noise xi, which every draw adds anew to the targets; None for no noise.
    law
        Law of the order of the rows, as in `GradientSteps` (default: independent batches).

    Examples
    --------
    >>> import contraction as ct
    >>> import numpy as np
    >>> family = ct.families.LeastSquares(np.eye(2), [1.0, 2.0], h=0.5)
    >>> round(float(ct.backward_limit(family, np.zeros(2), eps=1e-6, seed=0).value[1]), 4)
    2.0
    """

    vectorized = True

    def __init__(
        self,
        X: ArrayLike,
        y: ArrayLike,
        h: float,
        batch_size: int = 1,
        label_noise: NoiseLike = None,
        *,
        law: IndexLaw | type[IndexLaw] | None = None,
    ) -> None:
        self.steps = GradientSteps(RidgeLoss(X, y), h, batch_size, law=law)
        self.X, self.y, self.h, self.batch_size = self.steps.loss.X, self.steps.loss.y, self.steps.h, batch_size
        self.dim: int = self.steps.dim
        self.label_noise = None if label_noise is None else as_noise(label_noise)
        if self.label_noise is not None and self.label_noise.dim is not None:
            raise ValueError(f"label noise must be a law on R, got a law with {self.label_noise.dim} coordinates")
        self.space, self.name = Euclidean(), "LeastSquares"

    def __repr__(self) -> str:
        n, d = self.X.shape
        return (
            f"LeastSquares(n={n}, d={d}, h={self.h!r}, batch_size={self.batch_size}, label_noise={self.label_noise!r})"
        )

    def draw_block(self, rng: np.random.Generator, replicas: int | None) -> NDArray:
        """Rows of the batch and label noise as floats, shape (2, b) or (R, 2, b)."""
        rows = self.steps.draw_block(rng, replicas)
        noise = np.zeros(rows.shape) if self.label_noise is None else self.label_noise.sample(rng, rows.shape)
        return np.stack([rows.astype(float), noise], axis=-2)

    @property
    @override
    def is_iid(self) -> bool:
        return self.steps.is_iid

    @property
    def index_law(self) -> IndexLaw | None:
        """Law of the word of batches, as of `GradientSteps`; label noise is independent of it, map by map."""
        return self.steps.index_law

    def draws(self, n: int, seed: int, replicas: int | None) -> Sequence[Draw]:
        """Draws one by one if independent; otherwise batches of the law, with label noise drawn for each map."""
        if self.steps.law is None:
            return super().draws(n, seed, replicas)
        rows = np.asarray(self.steps.draws(n, seed, replicas)).astype(float)
        noise = np.zeros(rows.shape)
        if self.label_noise is not None:
            for i in range(n):
                # a law may draw letter i from the generator of map i, so that label noise has one of its own
                rng = np.random.Generator(np.random.PCG64(sub_sequence(seed, "label noise", i)))
                noise[i] = self.label_noise.sample(rng, rows.shape[1:])
        return np.stack([rows, noise], axis=-2)  # pyright: ignore[reportReturnType]

    @override
    def apply(self, theta: NDArray, draw: NDArray) -> NDArray:
        rows, noise = draw[..., 0, :].astype(np.int64), draw[..., 1, :]
        return self.steps.apply(theta, rows) + self.h / self.batch_size * np.einsum(
            "...b,...bd->...d", noise, self.X[rows]
        )

    # --- constants ------------------------------------------------------------------------------------------------

    @property
    @override
    def contraction(self) -> Constant:
        return Constant(self.steps.contraction.value, "proved", "max over batches of ‖I - h X_B^T X_B / b‖")

    @override
    def why_not_contracting(self, k: Constant) -> str:
        return why_not_learning_rate(self.h, k)

    def linear_support(self) -> list[tuple[Number | None, NDArray]] | None:
        """Those of the gradient steps: label noise leaves linear parts alone."""
        return self.steps.linear_support()

    @property
    @override
    def linear_terms(self) -> int:
        return self.steps.linear_terms

    @property
    def mean_square_factor(self) -> Constant | None:
        """That of the gradient steps: label noise leaves linear parts alone."""
        return self.steps.mean_square_factor

    def second_moments(self) -> SecondMoments | None:
        """Return the moments of the gradient steps plus those of (h/b) sum_B x_i xi_i; None if E xi² is infinite."""
        noise = self.label_noise
        if noise is None:
            return self.steps.second_moments()
        if not math.isfinite(noise.variance) or not self.is_iid:
            return None
        rows = self.steps.stacked_affine(list(np.arange(len(self.X))[:, None]))
        b, weights = rows.b + self.h * noise.mean * self.X, self._row_weights
        if weights is None:
            return None
        spread = self.h**2 / self.batch_size * noise.variance * (self.X.T * weights) @ self.X
        if self.batch_size == 1:
            return SecondMoments.from_maps(rows.A, b, weights).with_noise(spread)
        return SecondMoments.of_batches(rows.A, b, self.batch_size).with_noise(spread)

    @property
    def _row_weights(self) -> NDArray | None:
        """Probabilities of each row of a batch; None if they depend on the position."""
        if self.steps.law is None or self.batch_size > 1:
            return np.full(len(self.X), 1 / len(self.X))
        return self.steps.probabilities

    @override
    def lipschitz(self, draw: NDArray) -> NDArray:
        return self.steps.lipschitz(draw[..., 0, :].astype(np.int64))

    def displacement(self, theta0: NDArray) -> Constant:
        """Return the supremum: exact for single rows or without label noise, else an upper bound."""
        if self.label_noise is None or self.h == 0:
            return self.steps.displacement(theta0)
        if math.isinf(self.label_noise.bound):
            return Constant(math.inf, "proved", "the label noise is unbounded")
        norms = np.linalg.norm(self.X, axis=1)
        if self.batch_size == 1:
            reach = max(self.label_noise.reach(r) * x for r, x in self._residuals(theta0, norms))
            source = "h max |x_i| |residual - noise| over rows and support"
            return Constant(abs(self.h) * reach, self.label_noise.origin, source)
        extra = np.sort(norms)[-self.batch_size :].mean() * self.label_noise.bound
        value = self.steps.displacement(theta0).value + abs(self.h) * float(extra)
        return Constant(value, self.label_noise.origin, "h max |grad L_B| plus h times the label noise's largest push")

    def displacement_moment(self, theta0: NDArray, p: float) -> Constant:
        """(E d^p)^(1/p): exact for single rows or without label noise, an upper bound otherwise.

        Where the law of a row depends on its position, it is the largest over the rows.
        """
        if math.isinf(p):
            return self.displacement(theta0)
        if self.label_noise is None or self.h == 0:
            return self.steps.displacement_moment(theta0, p)
        norms = np.linalg.norm(self.X, axis=1)
        source = f"(E d^p)^(1/p) at p = {p:g}"
        if self.batch_size == 1:
            starts = np.asarray(theta0, dtype=float).reshape(-1, self.dim)
            values, weights = [], self._row_weights
            for theta in starts:
                pairs = self._residuals(theta, norms)
                sizes = [x * self.label_noise.absolute_norm(p, float(r[0])) for r, x in pairs]
                values.append(float(max(sizes) if weights is None else power_mean(sizes, p, weights)))
            return Constant(abs(self.h) * max(values), self.label_noise.moment_origin(p), source)
        q = max(p, 1.0)
        push = np.sort(norms)[-self.batch_size :].mean() * self.label_noise.absolute_norm(q)
        value = self.steps.displacement_moment(theta0, q).value + abs(self.h) * float(push)
        return Constant(value, self.label_noise.moment_origin(q), source)

    def _residuals(self, theta0: NDArray, norms: NDArray) -> list[tuple[NDArray, float]]:
        starts = np.asarray(theta0, dtype=float).reshape(-1, self.dim)
        residuals = starts @ self.X.T - self.y
        return [(np.array([r]), float(x)) for row in residuals for r, x in zip(row, norms, strict=True)]

    # --- leaves ---------------------------------------------------------------------------------------------------

    @property
    def leaf_basis(self) -> NDArray:
        """Orthonormal basis of the row space, shape (d, rank): T(θ) - θ always lies in its span."""
        _, s, vt = np.linalg.svd(self.X, full_matrices=False)
        rank = int(np.sum(s > s[0] * max(self.X.shape) * EPS)) if s.size and s[0] > 0 else 0
        return vt[:rank].T

    @property
    def step_span(self) -> NDArray:
        """The rows of the data, of which every step is a combination."""
        return self.X

    def interpolator(self, theta0: ArrayLike) -> NDArray:
        """Return the point of θ_0 + row space with X θ = y.

        Without label noise it is the common fixed point on that leaf.

        Raises
        ------
        ValueError
            If no θ interpolates the data.

        Examples
        --------
        >>> import contraction as ct
        >>> import numpy as np
        >>> family = ct.families.LeastSquares([[1.0, 1.0]], [2.0], h=0.1)  # one row, two parameters
        >>> family.interpolator(np.array([1.0, 0.0])).round(4).tolist()  # nearest with θ_1 + θ_2 = 2
        [1.5, 0.5]
        """
        theta = np.asarray(theta0, dtype=float)
        shift = np.linalg.pinv(self.X) @ (self.y - self.X @ theta)
        point = theta + shift
        left = np.max(np.abs(self.X @ point - self.y))
        scale = np.max(np.abs(self.X) @ (np.abs(theta) + np.abs(shift)) + np.abs(self.y))
        if left > 1e4 * EPS * max(self.X.shape) * scale:
            raise ValueError(f"no theta interpolates the data: the least-squares residual is {left:.3g}")
        return point

    @property
    def fixed_point(self) -> NDArray | None:
        """The common fixed point of least norm without label noise, None if there is noise or no interpolation."""
        if self.label_noise is not None:
            return None
        try:
            return self.interpolator(np.zeros(self.dim))
        except ValueError:
            return None

    # --- affine form ------------------------------------------------------------------------------------------------

    @property
    @override
    def is_affine(self) -> bool:
        return True

    @override
    def affine(self, draw: NDArray) -> AffineMaps:
        rows, noise = draw[..., 0, :].astype(np.int64), draw[..., 1, :]
        maps = self.steps.affine(rows)
        assert maps is not None
        push = self.h / self.batch_size * np.einsum("...b,...bd->...d", noise, self.X[rows])
        return AffineMaps(maps.A, maps.b + push, "matrix")

    @override
    def stacked_affine(self, draws: Sequence[Draw]) -> AffineMaps:
        return self.affine(np.stack(draws))

    def on_leaf(self, draw: NDArray, theta0: ArrayLike) -> AffineMaps:
        """Return the map of a draw in the coordinates c of the leaf, θ = θ_0 + leaf_basis c.

        Returns
        -------
        AffineMaps
            c -> A c + b with A of shape (r, r), r the number of columns of ``leaf_basis``.

        Examples
        --------
        One row in the plane: the map contracts along it by 1/2, and leaves the other coordinate alone.

        >>> from contraction.families import LeastSquares
        >>> family = LeastSquares([[1.0, 0.0]], [1.0], 0.5, 1)
        >>> family.on_leaf(family.sample(1).draws[0], [0.0, 3.0]).A
        array([[0.5]])
        """
        maps, Q, theta = self.affine(draw), self.leaf_basis, np.asarray(theta0, dtype=float)
        offset = (linear(maps.A, theta, "matrix") + maps.b - theta) @ Q
        return AffineMaps(Q.T @ maps.A @ Q, offset, "matrix")
