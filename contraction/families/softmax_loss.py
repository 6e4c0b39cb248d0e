"""Softmax regression with weight decay: the multi-class loss of data rows, convex in its weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from contraction.arguments import check_integer
from contraction.families.losses import DataLoss
from contraction.maps.intervals import Intervals
from contraction.types import Scalar, override

__all__ = ["RidgeSoftmaxLoss"]


class RidgeSoftmaxLoss(DataLoss):
    """Cross-entropy of C classes with weight decay: log Σ_c e^(z_c) - z_y + ρ|θ|²/2 with z = W x.

    θ holds the rows of W, shape (C, p), one after the other: d = C p. The Hessian of a batch B is
    (1/|B|) Σ (diag(q) - q q^T) ⊗ x x^T + ρ I with q = softmax(W x), and 0 <= diag(q) - q q^T <= I/2. So m_B = ρ, which
    is attained since adding one vector to all rows of W changes no q, and M_B <= ρ + s_max/2, s_max the largest
    eigenvalue of X_B^T X_B / |B|.

    They are the m and M of Lemma 2.5, with the sharp factor of row 29.

    Parameters
    ----------
    X
        Data rows, shape (n, p). A bias is a column of ones.
    y
        Labels, integers 0 … C - 1, shape (n,).
    ridge
        ρ >= 0.
    classes
        The number of classes C >= 2 (default: the largest label plus one, at least 2).

    Raises
    ------
    ValueError
        If an array has the wrong shape, a label is not one of 0 … C - 1, or ρ < 0.

    Examples
    --------
    >>> import numpy as np
    >>> import contraction as ct
    >>> from contraction.families import GradientSteps, RidgeSoftmaxLoss
    >>> loss = RidgeSoftmaxLoss(np.eye(3), [0, 1, 2], ridge=0.1)
    >>> family = GradientSteps(loss, h=1.0, batches=[[0, 1], [1, 2]])
    >>> family.dim, round(ct.certify(family, np.zeros(9)).k, 6)
    (9, 0.9)
    """

    low, high = 0.0, 0.5

    def __init__(self, X: ArrayLike, y: ArrayLike, ridge: float = 0.0, classes: int | None = None) -> None:
        super().__init__(X, y, ridge)
        largest = float(np.max(self.y))
        self.classes = max(2, int(largest) + 1) if classes is None else check_integer("classes", classes, 2)
        wrong = (self.y != np.floor(self.y)) | (self.y < 0) | (self.y >= self.classes)
        if np.any(wrong):
            raise ValueError(f"labels must be integers 0 … {self.classes - 1}, got {float(self.y[wrong][0])!r}")
        self.targets = np.eye(self.classes)[self.y.astype(int)]

    @property
    @override
    def dim(self) -> int:
        return self.classes * self.X.shape[1]

    @override
    def value(self, z: NDArray, y: NDArray) -> NDArray:
        """Log-sum-exp of scores z (..., C) minus the score of the target y (..., C), one-hot."""
        return special.logsumexp(z, axis=-1) - np.sum(z * y, axis=-1)

    @override
    def slope(self, z: NDArray, y: NDArray) -> NDArray:
        """softmax(z) - y of scores z (..., C) and targets y (..., C), one-hot."""
        return special.softmax(z, axis=-1) - y

    def _weights(self, theta: NDArray) -> NDArray:
        """W^T, shape (..., p, C)."""
        return np.swapaxes(theta.reshape(*theta.shape[:-1], self.classes, -1), -1, -2)

    @override
    def loss(self, theta: NDArray, rows: NDArray) -> NDArray:
        z = self.X[rows] @ self._weights(theta)
        return self.value(z, self.targets[rows]).mean(axis=-1) + self.ridge / 2 * np.sum(theta * theta, axis=-1)

    @override
    def gradient(self, theta: NDArray, rows: NDArray) -> NDArray:
        X = self.X[rows]
        slopes = self.slope(X @ self._weights(theta), self.targets[rows])
        gradient = np.swapaxes(slopes, -1, -2) @ X / rows.shape[-1]
        return gradient.reshape(*gradient.shape[:-2], -1) + self.ridge * theta

    @override
    def hessian_product(self, theta: NDArray, directions: NDArray, rows: NDArray) -> NDArray:
        X = self.X[rows]
        q, along = special.softmax(X @ self._weights(theta), axis=-1), X @ self._weights(directions)
        slopes = q * (along - np.sum(q * along, axis=-1, keepdims=True))
        product = np.swapaxes(slopes, -1, -2) @ X / rows.shape[-1]
        return product.reshape(*product.shape[:-2], -1) + self.ridge * directions

    @override
    def curvature_on_ball(self, rows: NDArray, center: NDArray, radius: float) -> tuple[NDArray, NDArray]:
        """Return the bounds of `curvature`, which hold everywhere; m_B = ρ is attained on every ball."""
        return self.curvature(rows)

    @override
    def of_row(self, theta: NDArray, x: NDArray, y: NDArray) -> Scalar:
        z = theta.reshape(self.classes, -1) @ x
        return np.log(np.sum(np.exp(z))) - y @ z

    @override
    def gradient_enclosure(self, theta: NDArray, rows: NDArray) -> Intervals:
        X = Intervals(self.X[rows])
        z = X @ self._weights(theta)
        e = np.exp(z - np.max(z.mid, axis=-1, keepdims=True))
        slopes = e / e.sum(axis=-1)[:, None] - self.targets[rows]
        gradient = (slopes.T @ X) / float(len(rows))
        return Intervals(gradient.mid.ravel(), gradient.rad.ravel()) + Intervals(self.ridge) * theta
