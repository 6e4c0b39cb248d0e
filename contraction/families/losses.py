"""Ridge-regularised losses of data rows: gradients of batches and proved curvature bounds from the data.

L_i(θ) = phi(<x_i, θ>, y_i) + rho |θ|^2 / 2 with phi'' in [low, high]. A batch B has the Hessian
X_B^T diag(phi'') X_B / |B| + rho I, so with eigenvalues s of X_B^T X_B / |B| it is m_B-strongly convex and M_B-smooth
for m_B = rho + low s_min and M_B = rho + high s_max.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from contraction.arguments import check_positive
from contraction.families._checks import finite_array
from contraction.maps.errors import NotCertified
from contraction.maps.intervals import Intervals
from contraction.maps.rounding import EPS
from contraction.types import Scalar, override

__all__ = ["DataLoss", "RidgeLogisticLoss", "RidgeLoss", "SoftplusLoss"]


class DataLoss(ABC):
    """Losses of n data rows, each phi(<x_i, θ>, y_i) + rho |θ|^2 / 2.

    m_B and M_B, the bounds on the Hessian of a batch, are the constants m and M of Lemma 2.5.

    Parameters
    ----------
    X
        Data rows, shape (n, d).
    y
        Targets, shape (n,).
    ridge
        rho >= 0.

    Examples
    --------
    >>> import numpy as np
    >>> from contraction.families import RidgeLogisticLoss
    >>> loss = RidgeLogisticLoss(np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([-1.0, 1.0]), ridge=0.5)
    >>> theta, batches = np.zeros(2), np.array([[0], [1]])  # two batches of one row each
    >>> loss.loss(theta, batches).round(4).tolist()  # log 2 each
    [0.6931, 0.6931]
    >>> loss.gradient(theta, batches).tolist()
    [[0.5, 0.0], [0.0, -1.0]]
    >>> low, high = loss.curvature(batches)  # every batch is low-strongly convex with a high-Lipschitz gradient
    >>> low.tolist(), high.tolist()
    ([0.5, 0.5], [0.75, 1.5])
    >>> loss.hessian_product(theta, np.eye(2)[:, None], batches)[0].tolist()  # first column of each batch's Hessian
    [[0.75, 0.0], [0.5, 0.0]]
    >>> low, high = loss.curvature_on_ball(batches, np.array([9.0, 0.0]), radius=1.0)  # far from the decision boundary
    >>> high.round(4).tolist()
    [0.5003, 1.5]
    >>> enclosed = loss.gradient_enclosure(theta, batches[0])
    >>> bool(np.all(enclosed.low <= [0.5, 0.0]) and np.all([0.5, 0.0] <= enclosed.high))
    True

    All of this comes from one function phi(z, y) of z = <x, θ> and its derivatives:

    >>> z, y = np.array(1.0), np.array(-1.0)
    >>> [round(float(phi(z, y)), 4) for phi in (loss.value, loss.slope, loss.bend)]
    [1.3133, 0.7311, 0.1966]
    >>> [round(float(end), 4) for end in loss.bend_range(np.array(-1.0), z, y)]  # the range of phi'' over [-1, 1]
    [0.1966, 0.25]
    >>> round(float(loss.of_row(theta, loss.X[0], loss.y[0])), 4)  # log 2, the loss of row 0
    0.6931
    """

    #: range of phi'' over all arguments; ``attained`` says whether both ends are reached or approached on every batch
    low: float = 0.0
    high: float = 1.0
    quadratic: bool = False

    def __init__(self, X: ArrayLike, y: ArrayLike, ridge: float = 0.0) -> None:
        self.X = finite_array("X", X, (None, None))
        self.y = finite_array("y", y, (len(self.X),))
        self.ridge = check_positive("the ridge rho", ridge, zero=True)
        self.targets = self.y  # one for each row, as `of_row` takes them

    def __repr__(self) -> str:
        n, d = self.X.shape
        return f"{type(self).__name__}(n={n}, d={d}, ridge={self.ridge:g})"

    @property
    def dim(self) -> int:
        """The number of parameters d."""
        return self.X.shape[1]

    @abstractmethod
    def slope(self, z: NDArray, y: NDArray) -> NDArray:
        """phi'(z, y)."""

    @abstractmethod
    def value(self, z: NDArray, y: NDArray) -> NDArray:
        """phi(z, y)."""

    def loss(self, theta: NDArray, rows: NDArray) -> NDArray:
        """Mean loss of batches: θ (..., d), rows (..., b) of integers -> (...)."""
        z = np.einsum("...bd,...d->...b", self.X[rows], theta)
        return self.value(z, self.y[rows]).mean(axis=-1) + self.ridge / 2 * np.sum(theta * theta, axis=-1)

    def gradient(self, theta: NDArray, rows: NDArray) -> NDArray:
        """Gradient of the mean loss of batches: θ (..., d), rows (..., b) of integers -> (..., d)."""
        X = self.X[rows]
        if X.ndim == 2:
            return self.slope(theta @ X.T, self.y[rows]) @ X / rows.shape[-1] + self.ridge * theta
        slopes = self.slope((X @ theta[..., None])[..., 0], self.y[rows])
        return (slopes[..., None, :] @ X)[..., 0, :] / rows.shape[-1] + self.ridge * theta

    def of_row(self, theta: NDArray, x: NDArray, y: Scalar) -> Scalar:
        """Return the loss of one row without weight decay, written in smooth functions that have enclosures."""
        return self.value(x @ theta, y)

    def gradient_enclosure(self, theta: NDArray, rows: NDArray) -> Intervals:
        """Enclose the gradient of the mean loss of one batch, with outward rounding: θ (d,), rows (b,) -> (d,).

        Raises
        ------
        NotCertified
            If `slope` uses a function that has no enclosure.
        """
        X = Intervals(self.X[rows])
        try:
            slopes = self.slope(X @ theta, self.y[rows])  # pyright: ignore[reportArgumentType]
        except TypeError as error:
            raise NotCertified(f"slope(z, y) of {type(self).__name__} has no enclosure: {error}") from None
        return (X.T @ slopes) / float(len(rows)) + Intervals(self.ridge) * theta

    def bend(self, z: NDArray, y: NDArray) -> NDArray | None:
        """phi''(z, y); None if the loss does not define it."""
        return None

    def hessian_product(self, theta: NDArray, directions: NDArray, rows: NDArray) -> NDArray | None:
        """Return the Hessian of the mean loss of batches at θ (..., d) times directions (r, ..., d).

        It is None without phi''.

        ``rows`` (..., b) are integers.
        """
        X = self.X[rows]
        second = self.bend(np.einsum("...bd,...d->...b", X, theta), self.y[rows])
        if second is None:
            return None
        slopes = second * np.einsum("...bd,r...d->r...b", X, directions)
        return np.einsum("...bd,r...b->r...d", X, slopes) / rows.shape[-1] + self.ridge * directions

    def bend_range(self, low: NDArray, high: NDArray, y: NDArray) -> tuple[NDArray, NDArray]:
        """Bounds on phi''(z, y) for low <= z <= high, entry by entry; over all z where nothing better is known."""
        return np.full(low.shape, self.low), np.full(low.shape, self.high)

    def curvature_on_ball(self, rows: NDArray, center: NDArray, radius: float) -> tuple[NDArray, NDArray]:
        """(m_B, M_B) of batches on the ball B(center, radius): rows (count, b), center (d,) -> two arrays (count,).

        There <x, θ> is within radius |x| of <x, center>, which bounds phi'' of each row from both sides.
        """
        ends = np.empty((len(rows), 2))
        for i, batch in enumerate(rows):
            X, y = self.X[batch], self.y[batch]
            z, reach = X @ center, radius * np.linalg.norm(X, axis=1)
            slack = 4 * len(center) * EPS * (np.abs(X) @ np.abs(center) + reach)
            for side, bend in enumerate(self.bend_range(z - reach - slack, z + reach + slack, y)):
                ends[i, side] = np.linalg.eigvalsh((X.T * bend) @ X / len(batch))[0 if side == 0 else -1]
        return self.ridge + np.maximum(ends[:, 0], 0.0 if self.low >= 0 else -np.inf), self.ridge + ends[:, 1]

    def curvature(self, rows: NDArray) -> tuple[NDArray, NDArray]:
        """(m_B, M_B) of batches: rows (..., b) -> two arrays (...)."""
        X = self.X[rows]
        b, d = X.shape[-2:]
        if self.low == 0:  # only the largest is needed
            gram = np.swapaxes(X, -1, -2) @ X if d <= b else X @ np.swapaxes(X, -1, -2)
            largest = np.linalg.eigvalsh(gram)[..., -1] / b
            return np.full(largest.shape, self.ridge), self.ridge + self.high * largest
        s = np.linalg.svd(X, compute_uv=False) ** 2 / b
        smallest = s[..., -1] if b >= d else np.zeros(s.shape[:-1])
        return self.ridge + self.low * smallest, self.ridge + self.high * s[..., 0]


class RidgeLoss(DataLoss):
    """phi = (z - y)^2 / 2: the loss is quadratic, so m_B and M_B are the extreme eigenvalues of the Hessian.

    They are the m and M of Lemma 2.5, with the sharp factor of row 29.

    Examples
    --------
    >>> import contraction as ct
    >>> import numpy as np
    >>> loss = ct.families.RidgeLoss(np.eye(2), [1.0, 0.0], ridge=0.1)
    >>> round(ct.families.GradientSteps(loss, h=0.5).contraction.value, 6)
    0.95
    """

    low, high, quadratic = 1.0, 1.0, True

    @override
    def slope(self, z: NDArray, y: NDArray) -> NDArray:
        return z - y

    @override
    def value(self, z: NDArray, y: NDArray) -> NDArray:
        return (z - y) ** 2 / 2

    @override
    def bend(self, z: NDArray, y: NDArray) -> NDArray:
        return np.ones(z.shape)


class RidgeLogisticLoss(DataLoss):
    """phi = log(1 + exp(-y z)) with labels y = -1 or 1: phi'' in (0, 1/4], 1/4 at z = 0.

    So M_B is attained at θ = 0, and m_B = rho is the infimum, which is approached as |θ| grows.

    They are the M and m of Lemma 2.5, with the sharp factor of row 29.

    Examples
    --------
    >>> import contraction as ct
    >>> import numpy as np
    >>> loss = ct.families.RidgeLogisticLoss(np.eye(2), [1, -1], ridge=0.1)
    >>> family = ct.families.GradientSteps(loss, h=0.5)
    >>> round(family.contraction.value, 6)
    0.95
    """

    low, high = 0.0, 0.25

    def __init__(self, X: ArrayLike, y: ArrayLike, ridge: float = 0.0) -> None:
        super().__init__(X, y, ridge)
        if not np.all(np.abs(self.y) == 1):
            raise ValueError(f"logistic labels must be -1 or 1, got {float(self.y[np.abs(self.y) != 1][0])!r}")

    @override
    def slope(self, z: NDArray, y: NDArray) -> NDArray:
        return -y * special.expit(-y * z)

    @override
    def value(self, z: NDArray, y: NDArray) -> NDArray:
        return np.logaddexp(0.0, -y * z)

    @override
    def bend(self, z: NDArray, y: NDArray) -> NDArray:
        return special.expit(z) * special.expit(-z)

    def bend_range(self, low: NDArray, high: NDArray, y: NDArray) -> tuple[NDArray, NDArray]:
        """Phi'' decreases with |z|, so its ends are at the largest and the least |z|."""
        return even_range(lambda z: self.bend(z, y), low, high)


class SoftplusLoss(DataLoss):
    """phi = log(1 + exp(s (z - y))) / s with sharpness s: phi'' in (0, s/4], s/4 at z = y.

    M_B is attained if some θ has <x_i, θ> = y_i for every row of the batch, and an upper bound otherwise.

    M_B, and m_B = rho, are the M and m of Lemma 2.5, with the sharp factor of row 29.

    Examples
    --------
    >>> import contraction as ct
    >>> import numpy as np
    >>> loss = ct.families.SoftplusLoss(np.eye(2), [1.0, 0.0], ridge=0.1)
    >>> ct.families.GradientSteps(loss, h=0.5).contraction.value < 1
    True
    """

    def __init__(self, X: ArrayLike, y: ArrayLike, ridge: float = 0.0, sharpness: float = 1.0) -> None:
        super().__init__(X, y, ridge)
        self.sharpness = check_positive("sharpness", sharpness)
        self.low, self.high = 0.0, self.sharpness / 4

    @override
    def slope(self, z: NDArray, y: NDArray) -> NDArray:
        return special.expit(self.sharpness * (z - y))

    @override
    def value(self, z: NDArray, y: NDArray) -> NDArray:
        return np.logaddexp(0.0, self.sharpness * (z - y)) / self.sharpness

    @override
    def bend(self, z: NDArray, y: NDArray) -> NDArray:
        u = self.sharpness * (z - y)
        return self.sharpness * special.expit(u) * special.expit(-u)

    def bend_range(self, low: NDArray, high: NDArray, y: NDArray) -> tuple[NDArray, NDArray]:
        """Phi'' decreases with |z - y|, so its ends are at the largest and the least |z - y|."""
        return even_range(lambda gap: self.bend(gap, np.zeros(gap.shape)), low - y, high - y)


def even_range(function: Callable[[NDArray], NDArray], low: NDArray, high: NDArray) -> tuple[NDArray, NDArray]:
    """Return the range over [low, high] of a function that is even and decreases with |z|, 16 roundings outwards."""
    far = np.maximum(np.abs(low), np.abs(high))
    near = np.where((low <= 0) & (high >= 0), 0.0, np.minimum(np.abs(low), np.abs(high)))
    return function(far) * (1 - 16 * EPS), function(near) * (1 + 16 * EPS)
