"""PageRank by random links: contractions of the probability simplex in the l1 distance (mentioned in Section 2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_finite
from contraction.families._checks import finite_array
from contraction.maps.constants import Constant
from contraction.maps.operators import AffineMaps, RandomOperator
from contraction.maps.rounding import EPS
from contraction.maps.spaces import L1Simplex
from contraction.types import Draw, override

__all__ = ["PageRank"]


class PageRank(RandomOperator):
    """T(x) = c S x + (1 - c) e_t on the simplex: every page sends its mass along one random link, t is a random page.

    E T is the PageRank operator x -> c P x + (1 - c) v, so the mean of the stationary law is the PageRank vector. Each
    map has an l1 Lipschitz constant of at most c; c is exact if two pages can link to different pages.

    Parameters
    ----------
    links
        Adjacency matrix, shape (n, n): entry (i, j) > 0 is the weight of the link from page j to page i. A page
        without links counts as linking to all pages.
    damping
        The damping c in [0, 1] (default: 0.85).
    teleport
        Probabilities v of the page t, shape (n,) (default: uniform).

    References
    ----------
    Brin, S., and Page, L. (1998). The anatomy of a large-scale hypertextual Web search engine. Computer Networks
    and ISDN Systems 30, 107-117.

    Examples
    --------
    >>> import contraction as ct
    >>> import numpy as np
    >>> links = np.array([[0, 1, 1], [1, 0, 0], [0, 1, 0]])
    >>> family = ct.families.PageRank(links)
    >>> family.contraction.value
    0.85
    """

    vectorized = True
    dim: int

    def __init__(self, links: ArrayLike, damping: float = 0.85, teleport: ArrayLike | None = None) -> None:
        weights = finite_array("links", links, (None, None))
        n = len(weights)
        if weights.shape != (n, n):
            raise ValueError(f"links must be a square matrix, got shape {weights.shape}")
        if np.any(weights < 0):
            raise ValueError(f"links must be >= 0, got {float(weights.min())!r}")
        self.damping = check_finite("the damping c", damping)
        if not 0 <= self.damping <= 1:
            raise ValueError(f"the damping c must be in [0, 1], got {damping!r}")
        weights[:, weights.sum(axis=0) == 0] = 1.0
        self.link_matrix = weights / weights.sum(axis=0)
        self.teleport = np.full(n, 1 / n) if teleport is None else finite_array("teleport", teleport, (n,))
        if np.any(self.teleport < 0) or abs(self.teleport.sum() - 1) > 4 * n * EPS:
            raise ValueError(f"teleport must be >= 0 and sum to one, got sum {float(self.teleport.sum())!r}")
        self.dim = n
        self.space: L1Simplex = L1Simplex()
        self.name = "PageRank"
        self._thresholds = np.stack([_thresholds(row) for row in (*self.link_matrix.T, self.teleport)])

    def __repr__(self) -> str:
        return f"PageRank({self.dim} pages, damping={self.damping!r})"

    def draw_block(self, rng: np.random.Generator, replicas: int | None) -> NDArray:
        """Target of every page and the teleport page, integers, shape (n+1,) or (R, n+1)."""
        u = rng.random((self.dim + 1,) if replicas is None else (replicas, self.dim + 1))
        return np.sum(u[..., None] >= self._thresholds, axis=-1)

    @override
    def affine(self, draw: NDArray) -> AffineMaps:
        pages = np.arange(self.dim)
        A = self.damping * (draw[..., None, :-1] == pages[:, None])
        return AffineMaps(A, (1 - self.damping) * (draw[..., -1:] == pages), "matrix")

    @override
    def apply(self, theta: NDArray, draw: NDArray) -> NDArray:
        return self.affine(draw)(theta)

    @property
    @override
    def is_affine(self) -> bool:
        return True

    @override
    def stacked_affine(self, draws: Sequence[Draw]) -> AffineMaps:
        return self.affine(np.stack(draws))

    def lipschitz(self, draw: NDArray) -> NDArray:
        """Return the Lipschitz constant on the simplex: c, or 0 if all pages link to the same page."""
        targets = draw[..., :-1]
        return np.where(np.all(targets == targets[..., :1], axis=-1), 0.0, self.damping)

    @property
    def is_constant(self) -> bool:
        """Whether all pages link only to the same page, or c = 0."""
        return bool(np.any(np.all(self.link_matrix == 1.0, axis=1)) or self.dim == 1 or self.damping == 0)

    @property
    @override
    def contraction(self) -> Constant:
        value = 0.0 if self.is_constant else self.damping
        return Constant(value, "proved", "the damping c in the l1 distance, an equality")

    def displacement(self, theta0: NDArray) -> Constant:
        """Return the bound 2, the l1 diameter of the simplex."""
        self.space.validate(theta0)
        return Constant(2.0, "proved", "the l1 diameter of the simplex")

    @property
    def stationary_mean(self) -> NDArray:
        """The PageRank vector x = c P x + (1 - c) v, the mean of the stationary law.

        Returns
        -------
        ndarray
            Shape (n,); the entries sum to one.

        Raises
        ------
        ValueError
            If c = 1, because the teleportation term (1 - c) v is then zero.

        Examples
        --------
        Page 0 links to page 1, page 1 to both:

        >>> from contraction.families import PageRank
        >>> PageRank([[0, 1], [1, 1]], damping=0.5).stationary_mean.round(4)
        array([0.4, 0.6])
        """
        if self.damping == 1:
            raise ValueError("the PageRank vector needs a damping c < 1, got 1")
        system = np.eye(self.dim) - self.damping * self.link_matrix
        return np.linalg.solve(system, (1 - self.damping) * self.teleport)


def _thresholds(weights: NDArray) -> NDArray:
    """Cumulative probabilities without the last; targets of probability zero are never drawn."""
    total = np.cumsum(weights)
    total[np.flatnonzero(weights)[-1] :] = np.inf
    return total[:-1]
