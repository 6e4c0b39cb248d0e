"""Random affine maps A θ + b: finitely many pairs (A, b), or pairs drawn from a user's law."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypedDict, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_integer
from contraction.families.finite import FiniteFamily
from contraction.families.index_laws import IndexLaw
from contraction.maps.affine import AffineMaps, linear
from contraction.maps.arrays import numbers
from contraction.maps.draws import one_of
from contraction.maps.known import Known
from contraction.maps.operators import RandomOperator
from contraction.maps.second_moments import SecondMoments
from contraction.maps.spaces import Space
from contraction.types import Draw, Number, Numbers, override

__all__ = ["AffineLaw", "RandomAffine"]


class _Declared(TypedDict, total=False):
    """What `AffineLaw` takes beside the law."""

    contraction: float | None
    displacement: float | Callable[[NDArray], float] | None
    space: Space | None
    known: Known | None
    moments: SecondMoments | None


class RandomAffine(FiniteFamily):
    """T(θ) = A θ + b for one of finitely many pairs (A, b), with the exact second moments of Section 2.4.

    Parameters
    ----------
    A
        The linear parts: numbers (M,), diagonals (M, d) or matrices (M, d, d).
    b
        The offsets, shape (M, d), or (M,) for d = 1.
    weights, law, space
        As in `FiniteFamily`; `RandomAffine.from_law` draws pairs from any law.

    Examples
    --------
    >>> import contraction as ct
    >>> family = ct.families.RandomAffine([0.5, 1.5], [0.0, 1.0])  # expands half of the time
    >>> round(family.mean_square_factor.value, 4)
    1.118
    """

    def __init__(
        self,
        A: Sequence[Numbers],
        b: Sequence[Numbers],
        weights: Iterable[Number] | None = None,
        *,
        law: IndexLaw | None = None,
        space: Space | None = None,
    ) -> None:
        if len(A) != len(b):
            raise ValueError(f"A and b must have one entry per map, got {len(A)} linear parts and {len(b)} offsets")
        super().__init__(list(zip(A, b, strict=True)), weights, law=law, space=space, name="RandomAffine")

    @staticmethod
    def from_law(
        draw: Callable[..., tuple[ArrayLike, ArrayLike]], dim: int, **declared: Unpack[_Declared]
    ) -> AffineLaw:
        """Return a family whose (A, b) is drawn by ``draw(rng)``; see `AffineLaw`.

        Examples
        --------
        >>> from contraction.families import RandomAffine
        >>> family = RandomAffine.from_law(lambda rng: (rng.uniform(), rng.normal(size=1)), dim=1, contraction=1.0)
        >>> family.is_affine, family.contraction.origin
        (True, 'declared')
        """
        return AffineLaw(draw, dim, **declared)


class AffineLaw(RandomOperator):
    """T(θ) = A θ + b with (A, b) from an arbitrary law.

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
        A, b = (numbers(f"{name} of draw(rng)", x) for name, x in zip("Ab", drawn, strict=True))
        d = self.dim
        assert d is not None
        if A.shape not in ((), (d,), (d, d)) or b.shape not in ((), (d,)):
            raise ValueError(
                f"draw(rng) gives A of shape (), ({d},) or ({d}, {d}) and b ({d},), got {A.shape} and {b.shape}"
            )
        return A, np.broadcast_to(b, (d,))

    def draw_block(self, rng: np.random.Generator, replicas: int | None) -> tuple[NDArray, NDArray]:
        """Return (A, b), each with a leading replica axis if there are replicas."""
        size = 1 if replicas is None else replicas
        many = self._draw(rng, size) if self._draws_many else None
        if replicas is None:
            return self._pair(self._draw(rng) if many is None else one_of(many, 0, 1))
        if many is not None:
            self._pair(one_of(many, 0, size))
            A, b = (numbers(f"{name} of draw(rng, size)", x) for name, x in zip("Ab", many, strict=True))
            return A, np.broadcast_to(b if b.ndim > 1 else b[:, None], (size, self.dim or 1))
        pairs = [self._pair(self._draw(rng)) for _ in range(replicas)]
        if len({A.shape for A, _ in pairs}) != 1:
            raise ValueError("draw(rng) must always give A of one kind: a number, a diagonal or a matrix")
        return np.stack([A for A, _ in pairs]), np.stack([b for _, b in pairs])

    @override
    def affine(self, draw: tuple[NDArray, NDArray]) -> AffineMaps:
        A, b = draw
        return AffineMaps(A, b, ("scalar", "diagonal", "matrix")[A.ndim - b.ndim + 1])

    @override
    def apply(self, theta: NDArray, draw: tuple[NDArray, NDArray]) -> NDArray:
        maps = self.affine(draw)
        return linear(maps.A, theta, maps.kind) + maps.b

    @property
    @override
    def is_affine(self) -> bool:
        return True

    @property
    @override
    def given_moments(self) -> bool:
        return self.moments is not None

    @override
    def second_moments(self) -> SecondMoments | None:
        """Return the given moments of (A, b)."""
        return self.moments

    @override
    def stacked_affine(self, draws: Sequence[Draw]) -> AffineMaps:
        return self.affine((np.stack([A for A, _ in draws]), np.stack([b for _, b in draws])))
