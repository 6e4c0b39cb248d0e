"""Finitely many maps with weights or with an arbitrary law of the index word; exact numbers stay exact."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_flag, check_integer
from contraction.families._checks import check_weights, is_exact
from contraction.families.index_laws import IID, IndexLaw, check_independence
from contraction.maps.affine import AffineMaps, linear
from contraction.maps.arrays import objects
from contraction.maps.balls import AffineEnclosure, matrix, vector
from contraction.maps.constants import Constant, Origin
from contraction.maps.operators import RandomOperator
from contraction.maps.points import each_point
from contraction.maps.rounding import EPS, power_mean
from contraction.maps.spaces import Euclidean, Space, as_space
from contraction.types import Draw, Number, Numbers, override

__all__ = ["FiniteFamily"]

KINDS = ("scalar", "diagonal", "matrix")


class FiniteFamily(RandomOperator):
    """T is one of finitely many maps.

    Parameters
    ----------
    maps
        Functions of points (..., d) -> (..., d), or affine maps as pairs (A, b) with A a number, a diagonal (d,) or a
        matrix (d, d). Pairs of integers and Fractions act exactly on exact points, and in floats on float points.
    weights
        Their probabilities, which sum to one, exactly if they are exact (default: equal).
    law
        An `IndexLaw` in place of weights, for indices that are not independent.
    lipschitz
        Declared Lipschitz constants of the maps (default: for affine pairs, the norms of A).
    space, dim, name
        The metric space, the number of coordinates (None: any, for functions) and a name for messages.
    batched
        False if the functions are written for one point (d,), such as ``lambda t: A @ t``; a Python loop then calls
        them once per point, as in `RandomOperator`.

    Raises
    ------
    ValueError
        If there is no map, weights are negative or do not sum to one, or shapes do not fit.

    Examples
    --------
    >>> import contraction as ct
    >>> family = ct.families.FiniteFamily([(0.5, [0.0]), (0.25, [1.0])])
    >>> family.contraction.value, len(family.finite_support())
    (0.5, 2)
    >>> [(probability, float(one.A)) for probability, one in family.support()]
    [(Fraction(1, 2), 0.5), (Fraction(1, 2), 0.25)]
    """

    vectorized = True

    def __init__(
        self,
        maps: Iterable[Callable[[NDArray], ArrayLike] | tuple[Numbers, Numbers]],
        weights: Iterable[Number] | None = None,
        *,
        law: IndexLaw | None = None,
        lipschitz: Iterable[float] | None = None,
        space: Space | None = None,
        dim: int | None = None,
        name: str = "FiniteFamily",
        batched: bool = True,
    ) -> None:
        given = list(maps)
        if not given:
            raise ValueError("a finite family needs at least one map, got none")
        if weights is not None and law is not None:
            raise ValueError("pass weights or law, not both: independent indices are law=IID(weights)")
        self.law = IID(check_weights(weights, len(given))) if law is None else law
        if self.law.size != len(given):
            raise ValueError(f"the law has {self.law.size} letters for {len(given)} maps")
        check_independence(self.law)
        self.space: Space = Euclidean() if space is None else space
        self.name, self.dim = name, None if dim is None else check_integer("dim", dim, 1)
        self._table: AffineMaps | None = None
        self._exact_table: AffineMaps | None = None
        pairs = [(m[0], m[1]) for m in given if isinstance(m, tuple) and len(m) in (2, len(AffineMaps._fields))]
        functions = [m for m in given if not isinstance(m, tuple) and callable(m)]
        if len(pairs) == len(given):
            self._set_affine(pairs)
            functions = [partial(self.apply, draw=i) for i in range(len(given))]
        elif len(functions) != len(given):
            raise ValueError("maps must be either all functions or all pairs (A, b)")
        elif not batched:
            functions = [partial(each_point, m, event_ndim=self.space.event_ndim) for m in functions]
        self.batched = check_flag("batched", batched)
        self.maps: tuple[Callable[[NDArray], ArrayLike], ...] = tuple(functions)
        self._constants = None if lipschitz is None else np.array([float(x) for x in lipschitz])
        if self._constants is not None:
            if len(self._constants) != len(given):
                raise ValueError(f"lipschitz must have one entry per map, got {len(self._constants)} for {len(given)}")
            if not np.all(self._constants >= 0):
                raise ValueError(f"Lipschitz constants must be >= 0, got {self._constants.tolist()}")

    def __repr__(self) -> str:
        return f"{self.name}({len(self.maps)} maps, {self.law!r})"

    # --- affine tables ------------------------------------------------------------------------------------------

    def _set_affine(self, pairs: Sequence[tuple[Numbers, Numbers]]) -> None:
        given = [(objects(A), objects(b)) for A, b in pairs]
        d = max([x.shape[-1] for pair in given for x in pair if x.ndim] + [self.dim or 1])
        for A, b in given:
            if A.shape not in ((), (d,), (d, d)) or b.shape not in ((), (d,)):
                raise ValueError(
                    f"a pair (A, b) on {d} coordinates needs A of shape (), ({d},) or ({d}, {d}) and b a number, the "
                    f"same for all coordinates, or of shape ({d},); got shapes {A.shape} and {b.shape}"
                )
        if self.dim not in (None, d):
            raise ValueError(f"the maps act on {d} coordinates, but dim is {self.dim}")
        self.dim = d
        kind = KINDS[max(A.ndim for A, _ in given)]
        A_all = np.stack([_widen(A, kind, d) for A, _ in given])
        b_all = np.stack([np.broadcast_to(b, (d,)) for _, b in given])
        floats = A_all.astype(float), b_all.astype(float)
        if not all(np.all(np.isfinite(x)) for x in floats):
            raise ValueError("A and b must have finite entries")
        self._table = AffineMaps(*floats, kind)
        if all(is_exact(x) for x in (*A_all.flat, *b_all.flat)):
            self._exact_table = AffineMaps(A_all, b_all, kind)

    def _affine_map(self, i: int) -> AffineMaps:
        table = self._table if self._exact_table is None else self._exact_table
        assert table is not None
        return AffineMaps(np.asarray(table.A[i]), table.b[i], table.kind)

    # --- draws --------------------------------------------------------------------------------------------------

    def draw_block(self, rng: np.random.Generator, replicas: int | None) -> Draw:
        """Return the index of the map, a number or an array (R,); the indices must be independent."""
        if not isinstance(self.law, IID):
            raise ValueError(f"the indices of {self.law!r} are not independent: sample(n) draws them together")
        return self.law.letter(rng, replicas)

    @override
    def draws(self, n: int, seed: int, replicas: int | None) -> Sequence[Draw]:
        if isinstance(self.law, IID):
            return super().draws(n, seed, replicas)
        return _Letters(self.law.letters(n, seed, replicas))

    @override
    def apply(self, theta: NDArray, draw: Draw) -> NDArray:
        if self._table is not None:
            exact = theta.dtype.kind in "iubO" and self._exact_table is not None
            table = self._exact_table if exact else self._table
            assert table is not None
            points = theta.astype(object) if exact else theta
            return linear(table.A[draw], points, table.kind) + table.b[draw]
        if np.ndim(draw) == 0:
            return np.asarray(self.maps[int(draw)](theta))
        axis = theta.ndim - 1 - self.space.event_ndim
        batch = np.broadcast_to(draw, theta.shape[: axis + 1])
        out: NDArray | None = None
        for i in np.unique(batch):
            chosen = batch == i
            values = np.asarray(self.maps[int(i)](theta[chosen]))
            if out is None:
                out = np.empty(theta.shape, dtype=values.dtype)
            elif values.dtype != out.dtype:
                out = out.astype(np.result_type(out.dtype, values.dtype))
            out[chosen] = values
        return theta if out is None else out

    # --- answers ------------------------------------------------------------------------------------------------

    @property
    def weights(self) -> tuple[Number, ...] | None:
        """Probability of each map if it is the same at every index, None otherwise; Fractions if exact."""
        return self.law.marginal

    def support(self) -> list[tuple[Number, Callable[[NDArray], ArrayLike]]]:
        """(probability, map) pairs with positive probability; affine maps are `AffineMaps`, exact if possible.

        Raises
        ------
        ValueError
            If the law of the index changes along the word.
        """
        if self.weights is None:
            raise ValueError(f"under {self.law!r} the law of an index depends on its position, so T has no single law")
        return [(w, m) for w, m in zip(self.weights, self.forms, strict=True) if w > 0]

    @property
    def forms(self) -> tuple[Callable[[NDArray], ArrayLike], ...]:
        """All maps in order; affine ones as `AffineMaps`, with exact numbers if they were given as exact numbers."""
        return self.maps if self._table is None else tuple(self._affine_map(i) for i in range(len(self.maps)))

    def finite_support(self) -> list[tuple[Number | None, Draw]]:
        """(probability, index) of every map of positive probability; (None, index) of all maps if it changes."""
        if self.weights is None:
            return [(None, i) for i in range(len(self.maps))]
        return [(w, i) for i, w in enumerate(self.weights) if w > 0]

    def _live(self) -> NDArray:
        """Return the indices of the maps of positive probability (of all maps if it changes along the word)."""
        if self.weights is None:
            return np.arange(len(self.maps))
        return np.flatnonzero([w > 0 for w in self.weights])

    @property
    @override
    def is_iid(self) -> bool:
        return self.law.is_iid

    @property
    @override
    def index_law(self) -> IndexLaw:
        return self.law

    @property
    @override
    def is_affine(self) -> bool:
        return self._table is not None

    @property
    @override
    def is_constant(self) -> bool:
        table = self._table if self._exact_table is None else self._exact_table
        return table is not None and not np.any(table.A[self._live()] != 0)

    @override
    def affine(self, draw: Draw) -> AffineMaps | None:
        table = self._table
        if table is None:
            return None
        if len(np.unique(table.A.reshape(len(table.A), -1), axis=0)) == 1:
            return AffineMaps(table.A[0], table.b[draw], table.kind, common=True)
        return AffineMaps(table.A[draw], table.b[draw], table.kind)

    @override
    def stacked_affine(self, draws: Sequence[Draw]) -> AffineMaps:
        maps = self.affine(np.asarray(draws))
        if maps is None:
            raise ValueError(f"the maps of {self!r} are not known to be affine")
        return maps

    def _factors(self) -> NDArray | None:
        if self._constants is not None:
            return self._constants
        space = as_space(self.space)
        if self._table is None or not space.is_normed:
            return None
        if self._table.kind == "matrix":
            return np.asarray(space.operator_norm(self._table.A))
        return np.abs(self._table.A) if self._table.kind == "scalar" else np.asarray(space.diagonal_norm(self._table.A))

    @override
    def lipschitz(self, draw: Draw) -> Numbers:
        factors = self._factors()
        return None if factors is None else factors[draw]

    @property
    @override
    def lipschitz_origin(self) -> Origin:
        return "proved" if self._constants is None else "declared"

    @property
    @override
    def contraction(self) -> Constant | None:
        factors = self._factors()
        if factors is None:
            return None
        value = float(np.max(factors[self._live()]))
        return Constant(value, self.lipschitz_origin, f"largest of the {len(self.maps)} maps' constants")

    def displacement(self, theta0: NDArray) -> Constant:
        """Return the exact maximum of d(θ_0, T θ_0) over the maps."""
        return Constant(float(np.max(self._moves(theta0))), "proved", f"largest over the {len(self.maps)} maps")

    def displacement_moment(self, theta0: NDArray, p: float) -> Constant:
        """(sum w_i d(θ_0, T_i θ_0)^p)^(1/p), exact if all indices have the same law."""
        if self.weights is None or np.isinf(p):
            return self.displacement(theta0)
        moves = self._moves(theta0).reshape(len(self._live()), -1)
        w = np.array([float(self.weights[i]) for i in self._live()])
        value = np.max(power_mean(moves, p, w))
        return Constant(float(value), "proved", f"(sum w d^p)^(1/p) over {len(self.maps)} maps at p = {p:g}")

    def _moves(self, theta0: NDArray) -> NDArray:
        theta = np.asarray(theta0)
        rows = [self.space.distance(theta, self.apply(theta, int(i))) for i in self._live()]
        return np.stack([np.asarray(r, dtype=float) for r in rows])

    # --- affine families ----------------------------------------------------------------------------------------

    @property
    def linear_part(self) -> NDArray | None:
        """The common linear part (d, d) of affine maps, None if there is none."""
        maps = self.affine(0)
        if maps is None or not maps.common or self.dim is None:
            return None
        return maps.A if maps.kind == "matrix" else maps.A * np.eye(self.dim)

    def affine_enclosures(self) -> list[AffineEnclosure] | None:
        """One affine map for each index of positive probability, from the exact numbers that were given."""
        table, d = self._table if self._exact_table is None else self._exact_table, self.dim
        if table is None or d is None:
            return None
        wide = (_widen(np.asarray(table.A[i], dtype=object), "matrix", d) for _, i in self.finite_support())
        offsets = (vector(table.b[i]) for _, i in self.finite_support())
        return [AffineEnclosure(matrix(A), vector(np.zeros(d)), b, b) for A, b in zip(wide, offsets, strict=True)]

    @property
    def offset_mean(self) -> NDArray | None:
        """E b of affine maps T = A θ + b, shape (d,); None if unknown."""
        if self._table is None or self.weights is None:
            return None
        return np.array([float(w) for w in self.weights]) @ self._table.b

    @property
    def offset_covariance(self) -> NDArray | None:
        """Cov b of affine maps, shape (d, d); None if unknown."""
        mean = self.offset_mean
        if mean is None or self._table is None or self.weights is None:
            return None
        b = self._table.b - mean
        return (b.T * np.array([float(w) for w in self.weights])) @ b

    @property
    def fixed_point(self) -> NDArray | None:
        """The common fixed point of affine maps, if one exists up to rounding; None otherwise."""
        if self._table is None or self.dim is None:
            return None
        live, d = self._live(), self.dim
        eye = np.eye(d)
        wide = [_widen(self._table.A[i], self._table.kind, d) for i in live]
        A = [a if self._table.kind == "matrix" else a * eye for a in wide]
        system, b = np.vstack([eye - a for a in A]), np.concatenate([self._table.b[i] for i in live])
        x = np.linalg.lstsq(system, b, rcond=None)[0]
        slack = 1e3 * EPS * (np.abs(system) @ np.abs(x) + np.abs(b))
        return x if np.all(np.abs(system @ x - b) <= slack) else None


def _widen(A: NDArray, kind: str, d: int) -> NDArray:
    if kind == "matrix" and A.ndim < 2:
        full = np.zeros((d, d), dtype=A.dtype)
        full[np.arange(d), np.arange(d)] = A
        return full
    return np.broadcast_to(A, (d,)) if kind == "diagonal" and A.ndim == 0 else A


class _Letters(Sequence):
    """Letters that were drawn together, one draw per index."""

    def __init__(self, letters: NDArray) -> None:
        self.array = letters

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, i: int | slice) -> Draw:
        return self.array[i]
