"""Random affine maps A theta + b: finitely many pairs (A, b), or pairs drawn from a user's law."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_integer
from contraction.families.finite import FiniteFamily
from contraction.families.index_laws import IndexLaw
from contraction.maps.affine import AffineMaps, linear
from contraction.maps.draws import one_of
from contraction.maps.known import Known
from contraction.maps.operators import RandomOperator
from contraction.maps.second_moments import SecondMoments
from contraction.maps.spaces import Space

__all__ = ["AffineLaw", "RandomAffine"]


class RandomAffine(FiniteFamily):
    """T(theta) = A theta + b for one of finitely many pairs (A, b), with the exact second moments of Section 2.4.

    Parameters
    ----------
    A
        The linear parts: numbers (M,), diagonals (M, d) or matrices (M, d, d).
    b
        The offsets, shape (M, d), or (M,) for d = 1.
    weights, law, space
        As in `FiniteFamily`; `RandomAffine.from_law` draws pairs from any law.
    """

    def __init__(
        self,
        A: Sequence[Any],
        b: Sequence[Any],
        weights: Iterable[Any] | None = None,
        *,
        law: IndexLaw | None = None,
        space: Space | None = None,
    ) -> None:
        if len(A) != len(b):
            raise ValueError(f"A and b must have one entry per map, got {len(A)} linear parts and {len(b)} offsets")
        super().__init__(list(zip(A, b, strict=True)), weights, law=law, space=space, name="RandomAffine")

    @staticmethod
    def from_law(draw: Callable[..., tuple[ArrayLike, ArrayLike]], dim: int, **declared: Any) -> AffineLaw:
        """A family whose (A, b) is drawn by ``draw(rng)``; see `AffineLaw`."""
        return AffineLaw(draw, dim, **declared)

    def _pairs(self) -> list[tuple[float, NDArray, NDArray]]:
        """(weight, A (d, d), b (d,)) of the maps of positive probability."""
        if self.weights is None or not self.law.is_iid:
            raise ValueError(f"moments of iterates need independent indices, got {self.law!r}")
        assert self._table is not None
        assert self.dim is not None
        A = (
            self._table.A
            if self._table.kind == "matrix"
            else self._table.A.reshape(len(self.maps), -1, 1) * np.eye(self.dim)
        )
        return [(float(self.weights[i]), A[i], self._table.b[i]) for i in self._live()]

    @property
    def mean_part(self) -> NDArray:
        """E A, shape (d, d)."""
        return np.sum([w * A for w, A, _ in self._pairs()], axis=0)

    @property
    def second_moment_operator(self) -> NDArray:
        """E A ⊗ A, shape (d^2, d^2): the operator X -> E (A X A^T) on matrices flattened row by row."""
        return np.sum([w * np.kron(A, A) for w, A, _ in self._pairs()], axis=0)

    @property
    def mean_square_rate(self) -> float:
        """rho(E A ⊗ A)^(1/2), the exact rate of (E |theta* - theta_n|^2)^(1/2)."""
        return float(np.sqrt(np.max(np.abs(np.linalg.eigvals(self.second_moment_operator)))))

    @property
    def stationary_mean(self) -> NDArray:
        """(I - E A)^-1 E b.

        Raises
        ------
        ValueError
            Unless rho(E A) < 1 (the mean may diverge although the law converges).
        """
        radius = float(np.max(np.abs(np.linalg.eigvals(self.mean_part))))
        if not radius < 1:
            raise ValueError(f"the stationary mean needs rho(E A) < 1, got {radius:.6g}")
        mean_b = np.sum([w * b for w, _, b in self._pairs()], axis=0)
        return np.linalg.solve(np.eye(len(mean_b)) - self.mean_part, mean_b)

    @property
    def stationary_covariance(self) -> NDArray:
        """Covariance of the stationary law from M = E (A theta + b)(A theta + b)^T.

        Raises
        ------
        ValueError
            Unless rho(E A ⊗ A) < 1.
        """
        if not self.mean_square_rate < 1:
            raise ValueError(f"the stationary covariance needs rho(E A ⊗ A) < 1, got {self.mean_square_rate**2:.6g}")
        m = self.stationary_mean
        d = len(m)
        # centred: theta' - m = A (theta - m) + (A m + b - m); the second term has mean zero and is correlated with A
        noise = np.sum([w * np.outer(A @ m + b - m, A @ m + b - m) for w, A, b in self._pairs()], axis=0)
        S = np.linalg.solve(np.eye(d * d) - self.second_moment_operator, noise.reshape(-1)).reshape(d, d)
        return (S + S.T) / 2


class AffineLaw(RandomOperator):
    """T(theta) = A theta + b with (A, b) from an arbitrary law.

    Parameters
    ----------
    draw
        ``draw(rng) -> (A, b)``, where A is always a number, always a diagonal (d,) or always a matrix (d, d). With a
        second argument named ``size`` it returns that many pairs at once, as arrays with a leading axis.
    dim
        Number of coordinates d.
    contraction, displacement
        Declared constants, as in `RandomOperator`.
    space
        The metric space (default: `Euclidean`).
    known
        Further declared properties, as in `RandomOperator`.
    moments
        `contraction.maps.second_moments.SecondMoments` of (A, b), for ``certify(moment=2)``; None if unknown.

    Examples
    --------
    A Kesten recursion x ↦ A x + b with A uniform on [0, 1.5], which may expand, and b standard normal:

    >>> import numpy as np
    >>> from contraction import certify
    >>> from contraction.families import AffineLaw
    >>> from contraction.maps.second_moments import SecondMoments
    >>> one, square = np.eye(1) * 0.75, np.eye(1) * 0.75  # E A, and E A² = 1.5²/3
    >>> zero, var = np.zeros((1, 1)), np.ones(1)
    >>> known = SecondMoments(one, np.zeros(1), square, zero, zero, var)
    >>> kesten = AffineLaw(lambda rng: (rng.uniform(0, 1.5), rng.standard_normal(1)), dim=1, moments=known)
    >>> round(certify(kesten, 0.0, moment=2).bound(10), 4)  # exact: [0.75^10 · 1/(1 - 0.75)]^(1/2)
    0.4746
    """

    vectorized = True

    def __init__(
        self,
        draw: Callable[..., tuple[ArrayLike, ArrayLike]],
        dim: int,
        *,
        contraction: float | None = None,
        displacement: float | Callable[[NDArray], float] | None = None,
        space: Space | None = None,
        known: Known | None = None,
        moments: SecondMoments | None = None,
    ) -> None:
        super().__init__(
            draw,
            self.apply,
            contraction=contraction,
            displacement=displacement,
            space=space,
            known=known,
            name="AffineLaw",
        )
        self.moments = moments
        self.dim = check_integer("dim", dim, 1)

    def _pair(self, drawn: tuple[ArrayLike, ArrayLike]) -> tuple[NDArray, NDArray]:
        """One pair (A, b) as arrays of floats, b of shape (d,)."""
        A, b = (np.asarray(x, dtype=float) for x in drawn)
        d = self.dim
        assert d is not None
        if A.shape not in ((), (d,), (d, d)) or b.shape not in ((), (d,)):
            raise ValueError(
                f"draw(rng) gives A of shape (), ({d},) or ({d}, {d}) and b ({d},), got {A.shape} and {b.shape}"
            )
        return A, np.broadcast_to(b, (d,))

    def draw_block(self, rng: np.random.Generator, replicas: int | None) -> tuple[NDArray, NDArray]:
        """(A, b), each with a leading replica axis if there are replicas."""
        size = 1 if replicas is None else replicas
        many = self._draw(rng, size) if self._draws_many else None
        if replicas is None:
            return self._pair(self._draw(rng) if many is None else one_of(many, 0, 1))
        if many is not None:
            self._pair(one_of(many, 0, size))
            A, b = (np.asarray(x, dtype=float) for x in many)
            return A, np.broadcast_to(b if b.ndim > 1 else b[:, None], (size, self.dim or 1))
        pairs = [self._pair(self._draw(rng)) for _ in range(replicas)]
        if len({A.shape for A, _ in pairs}) != 1:
            raise ValueError("draw(rng) must always give A of one kind: a number, a diagonal or a matrix")
        return np.stack([A for A, _ in pairs]), np.stack([b for _, b in pairs])

    def affine(self, draw: tuple[NDArray, NDArray]) -> AffineMaps:
        A, b = draw
        return AffineMaps(A, b, ("scalar", "diagonal", "matrix")[A.ndim - b.ndim + 1])

    def apply(self, theta: NDArray, draw: tuple[NDArray, NDArray]) -> NDArray:
        maps = self.affine(draw)
        return linear(maps.A, theta, maps.kind) + maps.b

    @property
    def is_affine(self) -> bool:
        return True

    def second_moments(self) -> SecondMoments | None:
        """The given moments of (A, b)."""
        return self.moments

    def stacked_affine(self, draws: Sequence[Any]) -> AffineMaps:
        return self.affine((np.stack([A for A, _ in draws]), np.stack([b for _, b in draws])))
