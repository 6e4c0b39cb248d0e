"""Section 2.1: gradient steps on the losses of random batches, with constants proved for every batch."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_finite, check_integer
from contraction.families._reasons import why_not_curvature
from contraction.families.losses import DataLoss, RidgeLoss
from contraction.maps.balls import AffineEnclosure, ball, matrix, product, times, transpose, vector
from contraction.maps.constants import Constant
from contraction.maps.operators import AffineMaps, RandomOperator
from contraction.maps.spaces import Euclidean

__all__ = ["GradientSteps"]

BATCHES_LIMIT = 4096  # so many batches are enumerated for exact constants; beyond, bounds over all of them are used


class GradientSteps(RandomOperator):
    """T_B(theta) = theta - h grad L_B(theta) for a random batch B (Example 2.1, Lemma 2.5).

    For an m_B-strongly convex loss with M_B-Lipschitz gradient the step has Lipschitz constant
    max(|1 - h m_B|, |1 - h M_B|) for every real h; Lemma 2.5 prints sqrt(1 - 2 h m + h^2 M^2), which is larger and
    needs h >= 0. Which constants are equalities is said by the loss (`contraction.families.losses`).

    Parameters
    ----------
    loss
        A `RidgeLoss`, `RidgeLogisticLoss`, `SoftplusLoss` or another `DataLoss`.
    h
        Learning rate, any finite number.
    batch_size
        Rows of a batch, drawn uniformly without replacement; or give
    batches
        the batches themselves, shape (count, b), one of which is drawn uniformly.
    """

    vectorized = True
    dim: int

    def __init__(
        self, loss: DataLoss, h: float, batch_size: int | None = None, *, batches: Iterable[ArrayLike] | None = None
    ) -> None:
        if not isinstance(loss, DataLoss):
            raise TypeError(f"loss must be a DataLoss such as RidgeLoss(X, y, ridge), got {loss!r}")
        self.loss, self.h = loss, check_finite("the learning rate h", h)
        self.rows, self.dim = loss.X.shape
        self.space, self.name = Euclidean(), "GradientSteps"
        self.batches: NDArray | None = None
        if batches is not None:
            if batch_size is not None:
                raise ValueError("give batch_size or batches, not both")
            self.batches = _check_batches(batches, self.rows)
            self.batch_size = self.batches.shape[1]
        else:
            self.batch_size = check_integer("batch_size", 1 if batch_size is None else batch_size, 1)
            if self.batch_size > self.rows:
                raise ValueError(f"a batch without replacement has at most {self.rows} rows, got {self.batch_size}")
            if math.comb(self.rows, self.batch_size) <= BATCHES_LIMIT:
                every = itertools.combinations(range(self.rows), self.batch_size)
                self.batches = np.array(list(every), dtype=np.int64)

    def __repr__(self) -> str:
        return f"GradientSteps({self.loss!r}, h={self.h!r}, batch_size={self.batch_size})"

    def draw_block(self, rng: np.random.Generator, replicas: int | None) -> NDArray:
        """Rows of the batch, integers, shape (b,) or (R, b)."""
        if self.batches is not None:
            return self.batches[rng.integers(len(self.batches), size=replicas)]
        if replicas is None:
            return np.sort(rng.choice(self.rows, self.batch_size, replace=False))
        keys = rng.random((replicas, self.rows))
        return np.sort(np.argpartition(keys, self.batch_size - 1, axis=-1)[:, : self.batch_size], axis=-1)

    def apply(self, theta: NDArray, draw: NDArray) -> NDArray:
        return theta - self.h * self.loss.gradient(theta, draw)

    def jvp(self, theta: NDArray, directions: NDArray, draw: NDArray) -> NDArray | None:
        product = self.loss.hessian_product(theta, directions, draw)
        return None if product is None else directions - self.h * product

    # --- constants ------------------------------------------------------------------------------------------------

    @cached_property
    def curvature(self) -> tuple[float, float]:
        """(m, M) over all batches: the smallest m_B and largest M_B, or bounds on them if there are too many."""
        if self.batches is not None:
            m, M = self.loss.curvature(self.batches)
            return float(np.min(m)), float(np.max(M))
        largest = np.sort(np.sum(self.loss.X**2, axis=1))[-self.batch_size :].mean()
        whole = np.linalg.norm(self.loss.X, 2) ** 2 / self.batch_size
        return self.loss.ridge, float(self.loss.ridge + self.loss.high * min(largest, whole))

    @property
    def contraction(self) -> Constant:
        m, M = self.curvature
        over = "every batch" if self.batches is not None else "bounds over all batches"
        return Constant(sharp_factor(self.h, m, M), "proved", f"max(|1 - h m|, |1 - h M|), m and M from {over}")

    @property
    def printed_contraction(self) -> Constant:
        """The constant of Lemma 2.5, sqrt(1 - 2 h m + h^2 M^2).

        Raises
        ------
        ValueError
            If h < 0: the lemma's proof uses h >= 0.
        """
        if self.h < 0:
            raise ValueError(f"Lemma 2.5 needs h >= 0, got h = {self.h!r}")
        m, M = self.curvature
        radicand = (1 - self.h * m) ** 2 + self.h**2 * (M - m) * (M + m)
        return Constant(math.sqrt(radicand), "proved", "sqrt(1 - 2 h m + h^2 M^2) (Lemma 2.5)")

    def lipschitz(self, draw: NDArray) -> NDArray:
        m, M = self.loss.curvature(draw)
        return np.maximum(np.abs(1 - self.h * m), np.abs(1 - self.h * M))

    def why_not_contracting(self, k: Constant) -> str:
        return why_not_curvature(self.h, *self.curvature, k)

    def displacement(self, theta0: NDArray) -> Constant:
        """h sup_B |grad L_B(theta0)|: an equality over enumerated batches, else a bound by the largest single rows."""
        theta = np.asarray(theta0, dtype=float).reshape(-1, self.dim)
        if self.batches is not None:
            value = max(np.max(np.linalg.norm(self._gradients(t), axis=-1)) for t in theta)
            return Constant(float(abs(self.h) * value), "proved", "h max |grad L_B(theta0)| over every batch")
        singles = np.arange(self.rows)[:, None]
        norms = [
            np.linalg.norm(self.loss.gradient(np.broadcast_to(t, (self.rows, self.dim)), singles), axis=-1)
            for t in theta
        ]
        value = max(np.sort(n)[-self.batch_size :].mean() for n in norms)
        return Constant(float(abs(self.h) * value), "proved", "h times the mean of the largest row gradients")

    def displacement_moment(self, theta0: NDArray, p: float) -> Constant:
        """(E d^p)^(1/p): an equality over enumerated batches, else the supremum's bound."""
        if self.batches is None or math.isinf(p):
            return self.displacement(theta0)
        theta = np.asarray(theta0, dtype=float).reshape(-1, self.dim)
        moves = np.stack([np.linalg.norm(self._gradients(t), axis=-1) for t in theta]) * abs(self.h)
        scale = max(float(np.max(moves)), np.finfo(float).tiny)
        value = scale * float(np.max(np.mean((moves / scale) ** p, axis=-1) ** (1 / p)))
        return Constant(value, "proved", f"(E d^p)^(1/p) over every batch at p = {p:g}")

    def _gradients(self, theta: NDArray) -> NDArray:
        assert self.batches is not None
        return self.loss.gradient(np.broadcast_to(theta, (len(self.batches), self.dim)), self.batches)

    # --- affine form ------------------------------------------------------------------------------------------------

    @property
    def is_affine(self) -> bool:
        return self.loss.quadratic

    def affine(self, draw: NDArray) -> AffineMaps | None:
        """A = I - h (phi'' X_B^T X_B / b + rho I), b = -h X_B^T phi'(0, y_B) / b, for quadratic losses."""
        if not self.loss.quadratic:
            return None
        X, y = self.loss.X[draw], self.loss.y[draw]
        b = draw.shape[-1]
        gram = self.loss.high * (np.swapaxes(X, -1, -2) @ X) / b + self.loss.ridge * np.eye(self.dim)
        pull = np.einsum("...bd,...b->...d", X, -self.loss.slope(np.zeros(y.shape), y))
        return AffineMaps(np.eye(self.dim) - self.h * gram, self.h * pull / b, "matrix")

    def stacked_affine(self, draws: Any) -> AffineMaps:
        maps = self.affine(np.stack(draws))
        if maps is None:
            raise ValueError(f"gradient steps on {self.loss!r} are not affine")
        return maps

    def affine_enclosures(self) -> list[AffineEnclosure] | None:
        """I - h (X_B^T X_B / b + rho I) and h X_B^T y_B / b of every batch of a `RidgeLoss`; None for others."""
        if self.batches is None or type(self.loss) is not RidgeLoss:
            return None
        return [self._enclosure(rows) for rows in self.batches]

    def _enclosure(self, rows: NDArray) -> AffineEnclosure:
        X, y = matrix(self.loss.X[rows]), vector(self.loss.y[rows])
        h, b, rho, d = ball(self.h), len(rows), ball(self.loss.ridge), self.dim
        Xt = transpose(X)
        gram = product(Xt, X)
        A = [[(1 - h * rho if i == j else 0) - h * gram[i][j] / b for j in range(d)] for i in range(d)]
        offset = [h * v / b for v in times(Xt, y)]
        return AffineEnclosure(A, vector(np.zeros(d)), offset, offset)

    def finite_support(self) -> list[tuple[Fraction, NDArray]] | None:
        """(probability, rows) of every batch; None if there are too many to enumerate."""
        if self.batches is None:
            return None
        return [(Fraction(1, len(self.batches)), rows) for rows in self.batches]

    def support(self) -> list[tuple[Fraction, Any]]:
        """(probability, map) of every batch: affine maps for quadratic losses, functions otherwise.

        Raises
        ------
        ValueError
            If there are more batches than are enumerated.
        """
        listed = self.finite_support()
        if listed is None:
            raise ValueError(f"there are more than {BATCHES_LIMIT} batches, too many to enumerate")
        return [(w, self.affine(b) or (lambda theta, rows=b: self.apply(theta, rows))) for w, b in listed]


def sharp_factor(h: float, m: float, M: float) -> float:
    """max(|1 - h m|, |1 - h M|): the Lipschitz constant of gradient steps with curvature in [m, M]."""
    return max(abs(1 - h * m), abs(1 - h * M))


def _check_batches(batches: Iterable[ArrayLike], rows: int) -> NDArray:
    listed = [np.asarray(b) for b in batches]
    if not listed:
        raise ValueError("there must be at least one batch, got none")
    sizes = {b.shape for b in listed}
    if len(sizes) != 1 or len(next(iter(sizes))) != 1 or next(iter(sizes)) == (0,):
        raise ValueError(f"batches must be non-empty lists of rows of equal length, got shapes {sorted(sizes)}")
    stacked = np.stack(listed)
    if stacked.dtype.kind not in "iu" or stacked.min() < 0 or stacked.max() >= rows:
        raise ValueError(f"batches hold row numbers 0 … {rows - 1}, got {stacked.min()} … {stacked.max()}")
    return stacked
