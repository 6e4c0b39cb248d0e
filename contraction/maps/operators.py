"""Random operators and the replayable maps T_1 … T_N drawn from them.

A random operator is a law of maps of a metric space. One draw from it, fixed by (seed, i), is the map T_i; sampling
N maps gives an `Operators` sequence that can be applied in any order, any number of times. What certificates, samplers
and closed forms use of a family are the methods under "what is known of it"; attributes of other names are never read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from inspect import signature
from numbers import Real
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_integer, check_seed
from contraction.maps.affine import AffineMaps, as_matrix, linear, stack_affine
from contraction.maps.balls import AffineEnclosure
from contraction.maps.constants import Constant, Origin
from contraction.maps.errors import changes_argument
from contraction.maps.known import Known
from contraction.maps.second_moments import SecondMoments
from contraction.maps.spaces import Euclidean, Space, as_space

__all__ = ["AffineMaps", "Operator", "Operators", "RandomOperator", "as_point", "check_seed", "drawn", "map_generator"]

CACHED_BYTES = 256 * 2**20


def map_generator(seed: int, i: int) -> np.random.Generator:
    """Return the generator that draws map i (0-based): a pure function of (seed, i)."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, i))))


def drawn(family: RandomOperator, n: int, seed: int, replicas: int | None = None) -> Operators:
    """T_1 … T_n of a seed that was derived from another one and may have 64 bits; `RandomOperator.sample` otherwise."""
    return Operators(family, family.draws(n, seed, replicas), seed=seed, replicas=replicas)


def as_point(theta0: ArrayLike, dim: int | None = None) -> NDArray:
    """Return a start as an array with at least one axis; numbers become one coordinate, exact types stay exact.

    Raises
    ------
    ValueError
        If an entry is NaN, or the last axis does not have ``dim`` coordinates.
    """
    try:
        point = np.asarray(theta0)
    except ValueError as error:
        raise ValueError(f"a start must be an array of one shape, got {theta0!r}") from error
    if point.ndim == 0:
        point = point.reshape(1)
        if dim is not None and dim > 1:
            point = np.repeat(point, dim)
    if point.dtype.kind not in "fiubO" or (point.dtype.kind == "O" and any(x is None for x in point.flat)):
        raise ValueError(f"a start must be made of real numbers, got {theta0!r}")
    if point.dtype.kind == "f" and np.isnan(point).any():
        raise ValueError("a start must not contain NaN")
    if dim is not None and point.shape[-1] != dim:
        raise ValueError(f"this family acts on points with {dim} coordinates, got a start of shape {point.shape}")
    return point


def apply_read_only(family: RandomOperator, theta: ArrayLike, draw: Any, name: str) -> NDArray:
    """T(theta) of one draw with theta passed read-only, so that no map can change what others are applied to.

    Raises
    ------
    MapRefused
        If the map writes into its argument.
    """
    point = np.asarray(theta).view()
    point.flags.writeable = False
    try:
        return family.apply(point, draw)
    except ValueError as error:
        if "read-only" in str(error):
            raise changes_argument(name) from error
        raise


def each_point(function: Callable[[NDArray], ArrayLike], theta: NDArray, event_ndim: int) -> NDArray:
    """A function of one point applied to points with any leading axes, one at a time."""
    lead = theta.shape[: theta.ndim - event_ndim]
    if not lead:
        return np.asarray(function(theta))
    if 0 in lead:
        return theta.copy()
    images = [np.array(function(theta[index])) for index in np.ndindex(*lead)]  # copies, of a buffer too
    return np.stack(images).reshape(*lead, *images[0].shape)


def takes_size(draw: Callable) -> bool:
    """Whether a function that draws has an argument named ``size``."""
    try:
        return "size" in signature(draw).parameters
    except (TypeError, ValueError):  # builtins without a signature
        return False


def one_of(many: Any, r: int, size: int) -> Any:
    """Draw r of draws that were made together: of each array of a tuple or a dictionary.

    Raises
    ------
    ValueError
        If an array does not have ``size`` draws along its first axis.
    """
    if isinstance(many, dict):
        return {key: one_of(value, r, size) for key, value in many.items()}
    if isinstance(many, tuple):
        return tuple(one_of(value, r, size) for value in many)
    if np.ndim(many) == 0 or len(many) != size:
        raise ValueError(f"draw(rng, size) must give size = {size} draws along the first axis, got {np.shape(many)}")
    return many[r]


def _at_least_zero(value: Any) -> bool:
    return isinstance(value, Real) and float(value) >= 0


class _ReplicaBlock(list):
    """Draws of one map for every replica, when a user's ``apply`` takes one draw at a time."""


class RandomOperator:
    """A law of maps of a complete metric space.

    Parameters
    ----------
    draw
        ``draw(rng)`` returns one draw from a `numpy.random.Generator`; all randomness belongs here. Many replicas are
        drawn at once by a function with a second argument named ``size``: ``draw(rng, size)`` returns ``size`` draws
        along a leading axis, as one array, a tuple or a dictionary of arrays.
    apply
        ``apply(theta, draw)`` returns T(theta), for points with any leading batch axes: theta (..., d) -> (..., d).
        It must be deterministic, treat each point by itself (``theta @ A.T``, ``axis=-1``), leave theta as it is and
        return a new array: `contraction.maps.probe` tries that before any result.
    contraction
        Declared bound on every map's Lipschitz constant (the k of Theorem 2.2).
    displacement
        Declared supremum over the support of d(theta0, T theta0) (the D of condition (2)): a number for the start that
        is used, or a function of the start.
    lipschitz
        ``draw -> `` that map's Lipschitz constant.
    affine
        ``draw -> (A, b)`` with T(theta) = A theta + b; A is a number, a diagonal (d,) or a matrix (d, d).
    space
        The metric space (default: `Euclidean`), or a metric as a function ``distance(x, y)`` of batches of points.
    known
        What else is known of the maps: moments, contraction in mean square, their domain (`Known`).
    vectorized
        True if ``apply`` also takes draws stacked along a leading replica axis, (R, …) against theta (..., R, d). It
        is checked against one replica at a time when used.
    batched
        False if ``apply`` is written for one point of shape (d,), such as ``A @ theta + b``: a Python loop then
        calls it once per point and map.
    name
        Used in messages.

    Raises
    ------
    TypeError
        If draw, apply, lipschitz or affine is not a function, or the space is not a metric space.
    ValueError
        If a declared constant is negative or not a number, or both ``vectorized=True`` and ``batched=False`` are given.

    Examples
    --------
    The formula as on paper, for one vector at a time:

    >>> import numpy as np
    >>> from contraction import RandomOperator, backward_iterates
    >>> A = np.array([[0.5, 0.2], [0.0, 0.5]])
    >>> one = RandomOperator(lambda rng: rng.uniform(-1, 1, 2), lambda t, u: A @ t + u, batched=False)
    >>> many = RandomOperator(lambda rng: rng.uniform(-1, 1, 2), lambda t, u: t @ A.T + u)
    >>> rows = [backward_iterates(family.sample(9), [0.0, 0.0]) for family in (one, many)]
    >>> bool(np.allclose(*rows))
    True
    """

    dim: int | None = None
    vectorized: bool = True
    batched: bool = True
    name: str = "RandomOperator"
    known: Known = Known()
    _draws_many: bool = False
    _lipschitz: Callable[[Any], float] | None = None
    _affine: Callable[[Any], tuple[ArrayLike, ArrayLike]] | None = None
    _contraction: float | None = None
    _displacement: float | Callable[[NDArray], float] | None = None

    def __init__(
        self,
        draw: Callable[..., Any],
        apply: Callable[[NDArray, Any], ArrayLike],
        *,
        contraction: float | None = None,
        displacement: float | Callable[[NDArray], float] | None = None,
        lipschitz: Callable[[Any], float] | None = None,
        affine: Callable[[Any], tuple[ArrayLike, ArrayLike]] | None = None,
        space: Space | Callable[[NDArray, NDArray], ArrayLike] | None = None,
        known: Known | None = None,
        vectorized: bool = False,
        batched: bool = True,
        name: str = "RandomOperator",
    ) -> None:
        for label, function in (("draw", draw), ("apply", apply), ("lipschitz", lipschitz), ("affine", affine)):
            if function is not None and not callable(function):
                raise TypeError(f"{label} must be a function, got {function!r}")
        if contraction is not None and not (_at_least_zero(contraction) and contraction < np.inf):
            raise ValueError(f"a declared contraction factor must be a finite number >= 0, got {contraction!r}")
        declared = displacement is None or callable(displacement)
        if not (declared or _at_least_zero(displacement)):
            raise ValueError(f"a declared displacement must be a number >= 0, got {displacement!r}")
        if vectorized and not batched:
            raise ValueError(
                "vectorized=True takes draws of many replicas at once, batched=False one point: choose one"
            )
        self.space: Space = as_space(space)
        self.vectorized, self.batched, self.name = vectorized, batched, name
        self._draw, self._apply, self._lipschitz, self._affine = draw, apply, lipschitz, affine
        self._contraction, self._displacement = contraction, displacement
        if known is not None and not isinstance(known, Known):
            raise TypeError(f"known is a Known(...), got {known!r}")
        self.known = Known() if known is None else known
        self._draws_many = takes_size(draw)

    def __repr__(self) -> str:
        return f"{self.name}()"

    # --- what a family is -------------------------------------------------------------------------------------

    def draw_block(self, rng: np.random.Generator, replicas: int | None) -> Any:
        """Draw one map, or with ``replicas`` the same-index map of each replica along a leading axis."""
        if self._draws_many:
            many = self._draw(rng, 1 if replicas is None else replicas)
            if replicas is None:
                return one_of(many, 0, 1)
            return many if self.vectorized else _ReplicaBlock(one_of(many, r, replicas) for r in range(replicas))
        if replicas is None:
            return self._draw(rng)
        draws = [self._draw(rng) for _ in range(replicas)]
        return np.stack([np.asarray(d) for d in draws]) if self.vectorized else _ReplicaBlock(draws)

    def apply(self, theta: NDArray, draw: Any) -> NDArray:
        """Return T(theta) for points with any leading axes; with replicas the last batch axis is the replica."""
        if not isinstance(draw, _ReplicaBlock):
            return self._of_points(theta, draw)
        axis = -1 - self.space.event_ndim
        columns = [np.array(self._of_points(np.take(theta, r, axis=axis), one)) for r, one in enumerate(draw)]
        return np.stack(columns, axis=axis)

    def _of_points(self, theta: NDArray, draw: Any) -> NDArray:
        """One draw on points (..., d): at once, or one at a time where ``apply`` is for one point (batched=False)."""
        if self.batched:
            return np.asarray(self._apply(theta, draw))
        return each_point(lambda point: self._apply(point, draw), theta, self.space.event_ndim)

    # --- what is known of it ----------------------------------------------------------------------------------
    #
    # A family answers for itself: certificates, samplers, limits and closed forms ask the methods below and nothing
    # else. None means "unknown", and what needs the answer is then refused. Override a method only with what is proved.

    #: Finite set of states that every map keeps, (S, d) or (S,), for `coupling_from_the_past`; None if unknown.
    states: ArrayLike | None = None

    @property
    def contraction(self) -> Constant | None:
        """A bound on every map's Lipschitz constant with its origin, None if nothing is known."""
        return None if self._contraction is None else Constant(float(self._contraction), "declared", "contraction=")

    def displacement(self, theta0: NDArray) -> Constant | None:
        """Supremum over the support of d(theta0, T theta0) with its origin, None if nothing is known."""
        if self._displacement is None:
            return None
        value = self._displacement(theta0) if callable(self._displacement) else self._displacement
        return Constant(float(value), "declared", "displacement=")

    def displacement_moment(self, theta0: NDArray, p: float) -> Constant | None:
        """‖d(theta0, T theta0)‖_p = (E d^p)^(1/p), or an upper bound, with its origin; None if nothing is known."""
        if self.known.displacement_moment is not None:
            return Constant(float(self.known.displacement_moment(p, theta0)), "declared", "known.displacement_moment")
        return self.displacement(theta0)

    def lipschitz(self, draw: Any) -> Any:
        """Lipschitz constant of the map of a draw (an array over leading axes), None if unknown."""
        if self._lipschitz is not None:
            if isinstance(draw, _ReplicaBlock):
                return np.array([float(self._lipschitz(d)) for d in draw])
            return self._lipschitz(draw)
        maps, space = self.affine(draw), as_space(self.space)
        if maps is None or not space.is_normed:
            return None
        if maps.kind == "matrix":
            return space.operator_norm(maps.A)
        return np.abs(maps.A) if maps.kind == "scalar" else space.diagonal_norm(maps.A)

    @property
    def moment_origin(self) -> Origin:
        """Where `factor_moment` comes from: "declared" for what a user gave, "proved" for derived moments."""
        return "proved" if self.known.lipschitz_moment is None else "declared"

    @property
    def lipschitz_origin(self) -> Origin:
        """Where `lipschitz` comes from: "declared" for numbers that a user gave, "proved" for derived constants."""
        return "proved" if self._lipschitz is None else "declared"

    def affine(self, draw: Any) -> AffineMaps | None:
        """The map of a draw (or of stacked draws) as an affine map, None if it is not known to be one."""
        if self._affine is None:
            return None
        if isinstance(draw, _ReplicaBlock):
            return stack_affine([self.affine(d) for d in draw])
        A, b = (np.asarray(x) for x in self._affine(draw))
        kinds = ("scalar", "diagonal", "matrix")
        if A.ndim > 2:
            raise ValueError(f"affine(draw) must give A as a number, a diagonal or a matrix, got shape {A.shape}")
        return AffineMaps(A, np.atleast_1d(b), kinds[A.ndim])

    def jvp(self, theta: NDArray, directions: NDArray, draw: Any) -> NDArray | None:
        """The derivative of the map of a draw at theta (..., d) in directions (r, ..., d); None if it is unknown.

        Used by `contraction.lyapunov_exponents`. With replicas the last batch axis of theta is the replica.
        """
        maps = self.affine(draw) if self.is_affine else None
        return None if maps is None else linear(maps.A, directions, maps.kind)

    def random_points(self, rng: np.random.Generator, near: NDArray, count: int) -> NDArray | None:
        """Points of the domain, or of the space, around one point, shape (count, *event); None if all are points."""
        if (region := self.known.region) is not None:
            return region.points(rng, near, count)
        return self.space.random_points(rng, near, count)

    def contraction_on_ball(self, theta0: NDArray, radius: float) -> Constant | None:
        """A bound on every map's Lipschitz constant on the closed ball B(theta0, radius), None if nothing is known.

        Used by ``certify(ball=radius)``. The default is `contraction`, which may be declared for that ball only.
        """
        return self.contraction

    @property
    def is_constant(self) -> bool:
        """True if every map is known to be exactly constant, so that a proved factor 0 is 0 and not rounded to it."""
        return False

    @property
    def is_iid(self) -> bool:
        """True if T_1, T_2, … are known to be independent with one law.

        This holds if every map is drawn by `draw_block` from its own generator. A family that overrides `draws` must
        override this as well where its maps are independent.
        """
        return type(self).draws is RandomOperator.draws

    @property
    def index_law(self) -> Any:
        """Law (`contraction.families.IndexLaw`) of the word of finitely many maps; None if unknown or there is none.

        It says which words are reversible in law where the maps are not independent.
        """
        return None

    @property
    def is_affine(self) -> bool:
        """True if every map is known in affine form."""
        return self._affine is not None

    @property
    def linear_part(self) -> NDArray | None:
        """The common linear part A, shape (d, d), of affine maps A theta + b; None if they have none or it is unknown.

        It is used only if `is_affine` is true.
        """
        return None

    @property
    def offset_mean(self) -> NDArray | None:
        """E b, shape (d,), of affine maps A theta + b with a common A; None if unknown (Section 3)."""
        return None

    @property
    def offset_covariance(self) -> NDArray | None:
        """Cov b, shape (d, d), of affine maps A theta + b with a common A, ``inf`` where infinite; None if unknown."""
        return None

    def finite_support(self) -> list[tuple[Any, Any]] | None:
        """(probability, draw) of every map of positive probability, if they are finitely many; None if unknown.

        Each draw is one that `apply`, `lipschitz` and `affine` take. The probabilities sum to one; they are None where
        the law of T_i depends on i.
        """
        return None

    def linear_support(self) -> list[tuple[Any, NDArray]] | None:
        """(probability, linear part (d, d)) of every affine map of the support; None unless all are known.

        One pair is enough where all maps share their linear part. Probabilities are None where the law of T_i depends
        on i. The default combines `is_affine`, `linear_part`, `finite_support` and `affine`.
        """
        if not self.is_affine:
            return None
        if (common := self.linear_part) is not None:
            return [(1, np.asarray(common, dtype=float))]
        if (support := self.finite_support()) is None:
            return None
        forms = [(w, self.affine(draw)) for w, draw in support]
        return None if any(f is None for _, f in forms) else [(w, as_matrix(f, self.dim)) for w, f in forms if f]

    def affine_enclosures(self) -> list[AffineEnclosure] | None:
        """Affine maps in ball arithmetic that contain every map of the support, for ``certify(rigorous=True)``.

        Every map of the support must be one of the maps of one `contraction.maps.balls.AffineEnclosure`; build its
        entries with `contraction.maps.balls.ball` from the exact numbers of the family, not from rounded ones. None if
        unknown.
        """
        return None

    def factor_moment(self, p: float) -> float | None:
        """Return E[Lip(T)**p] for p > 0, exact up to floating-point rounding; None if it is unknown (Section 2.4)."""
        return None if self.known.lipschitz_moment is None else float(self.known.lipschitz_moment(p))

    def second_moments(self) -> SecondMoments | None:
        """Moments of (A, b) of independent affine maps A theta + b; None if they are unknown or infinite.

        Used by ``certify(moment=2)`` and by the closed forms of laws. The default combines `linear_part`,
        `offset_mean` and `offset_covariance`, or `finite_support` and `affine`.
        """
        if not (self.is_affine and self.is_iid):
            return None
        A, covariance = self.linear_part, self.offset_covariance
        if A is not None and covariance is not None:
            mean = self.offset_mean if np.all(np.isfinite(covariance)) else None
            return None if mean is None else SecondMoments.of_common(A, mean, covariance)
        if (support := self.finite_support()) is None or any(w is None for w, _ in support):
            return None
        forms = [(float(w), form) for w, draw in support if (form := self.affine(draw)) is not None]
        if len(forms) < len(support):
            return None
        d = self.dim or max(form.b.shape[-1] for _, form in forms)
        b = [np.broadcast_to(np.asarray(form.b, dtype=float), (d,)) for _, form in forms]
        return SecondMoments.from_maps([as_matrix(form, d) for _, form in forms], b, [w for w, _ in forms])

    @property
    def mean_square_factor(self) -> Constant | None:
        """A rho with (E d(Tx, Ty)^2)^(1/2) <= rho d(x, y) for all x and y, of independent maps; None if unknown.

        The default is what is declared, or the root of the largest eigenvalue of E A^T A over listed linear parts.
        """
        if self.known.mean_square is not None:
            return Constant(float(self.known.mean_square), "declared", "known.mean_square")
        if not (self.is_iid and isinstance(self.space, Euclidean)):
            return None
        listed = self.linear_support()
        if listed is None or any(w is None for w, _ in listed):
            return None
        gram = np.sum([float(w) * (A.T @ A) for w, A in listed], axis=0)
        return Constant(float(np.sqrt(np.linalg.eigvalsh(gram)[-1])), "proved", "√λ_max(E AᵀA) over the listed maps")

    @property
    def log_mean(self) -> float | None:
        """E[log Lip(T)]; ``-inf`` if a constant map has positive probability; None if it is unknown (Section 2.4)."""
        return None

    @property
    def leaf_basis(self) -> NDArray | None:
        """Basis (d, r) of directions V such that every map takes theta + V into theta + V, for ``certify(leaf=True)``.

        It is checked against the linear parts before it is used. None if unknown.
        """
        return None

    def why_not_contracting(self, k: Constant) -> str | None:
        """One sentence on why the factor ``k`` of the family is at least 1, for `NotCertified`; None if unknown."""
        return None

    def stacked_affine(self, draws: Sequence[Any]) -> AffineMaps:
        """The maps of a sequence of draws as one `AffineMaps` with a leading axis of maps."""
        return stack_affine([self.affine(d) for d in draws])

    # --- what is drawn from it --------------------------------------------------------------------------------

    def sample(self, n: int, seed: int = 0, replicas: int | None = None) -> Operators:
        """Draw T_1 … T_n, replayable.

        Parameters
        ----------
        n
            Number of maps, at least 0. Map i does not depend on n: ``sample(500)[i]`` equals ``sample(1000)[i]``.
        seed
            Integer, 0 … 2^32 - 1.
        replicas
            Number of independent copies along the leading axis; None for one without that axis.

        Raises
        ------
        ValueError
            If n or seed is negative or not an integer, the seed is 2^32 or more, or replicas is not positive.
        """
        check_integer("the number of maps n", n)
        check_seed(seed)
        if replicas is not None:
            check_integer("replicas", replicas, 1)
        return drawn(self, n, seed, replicas)

    def draws(self, n: int, seed: int, replicas: int | None) -> Sequence[Any]:
        """The draws of T_1 … T_n; families whose maps are not independent override this."""
        return _LazyDraws(self, n, seed, replicas)


class _LazyDraws(Sequence):
    """Draw i from its own generator when asked; kept while all of them fit in a fixed memory."""

    def __init__(self, family: RandomOperator, n: int, seed: int, replicas: int | None) -> None:
        self.family, self.n, self.seed, self.replicas = family, n, seed, replicas
        self._kept: dict[int, Any] = {}
        self._keep: bool | None = None

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, i: Any) -> Any:
        if i in self._kept:
            return self._kept[i]
        if not 0 <= i < self.n:
            raise IndexError(i)
        draw = self.family.draw_block(map_generator(self.seed, i), self.replicas)
        if self._keep is None:
            self._keep = _nbytes(draw) * self.n <= CACHED_BYTES
        if self._keep:
            self._kept[i] = draw
        return draw


def _nbytes(draw: Any) -> int:
    if isinstance(draw, np.ndarray):
        return draw.nbytes
    if isinstance(draw, dict):
        draw = list(draw.values())
    return sum(map(_nbytes, draw)) if isinstance(draw, list | tuple) else 64


class Operator:
    """One map T_i: call it on a point; ``index`` is the paper's 1-based i."""

    def __init__(self, family: RandomOperator, draw: Any, index: int) -> None:
        self.family, self.draw, self.index = family, draw, index

    def __call__(self, theta: ArrayLike) -> NDArray:
        return apply_read_only(self.family, theta, self.draw, f"T_{self.index}")

    @property
    def lipschitz(self) -> Any:
        """Its Lipschitz constant, None if unknown."""
        return self.family.lipschitz(self.draw)

    @property
    def affine(self) -> AffineMaps | None:
        """Its affine form, None if not known to be affine."""
        return self.family.affine(self.draw)

    def __repr__(self) -> str:
        return f"<T_{self.index} of {self.family!r}>"


class Operators(Sequence):
    """Maps T_1 … T_N, fixed and replayable; ``operators[0]`` is the paper's T_1."""

    def __init__(
        self,
        family: RandomOperator,
        draws: Sequence[Any],
        *,
        seed: int | None = None,
        replicas: int | None = None,
        first: int = 1,
    ) -> None:
        self.family, self.draws, self.seed, self.replicas, self.first = family, draws, seed, replicas, first

    @classmethod
    def from_maps(
        cls,
        maps: Iterable[Callable[[NDArray], ArrayLike]],
        *,
        lipschitz: Iterable[float] | None = None,
        affine: Iterable[tuple[ArrayLike, ArrayLike]] | None = None,
        space: Space | None = None,
        batched: bool = True,
    ) -> Operators:
        """A fixed sequence of maps, such as T_i(x) = x/2 + 2^i, with what is known of each.

        Parameters
        ----------
        maps
            Functions of points (..., d) -> (..., d), T_1 first.
        lipschitz
            Their Lipschitz constants, in the same order.
        affine
            Their affine forms (A, b), in the same order.
        space
            The metric space (default: `Euclidean`).
        batched
            False if the functions are written for one point (d,), as in `RandomOperator`.

        Raises
        ------
        ValueError
            If the number of constants, or of affine forms, is not the number of maps.
        """
        maps = list(maps)
        constants = None if lipschitz is None else list(lipschitz)
        forms = None if affine is None else list(affine)
        for label, values in (("lipschitz", constants), ("affine", forms)):
            if values is not None and len(values) != len(maps):
                raise ValueError(f"{label} must have one entry per map, got {len(values)} for {len(maps)} maps")
        family = RandomOperator(
            draw=lambda rng: rng.integers(len(maps)),
            apply=lambda theta, i: maps[i](theta),
            lipschitz=None if constants is None else lambda i: constants[i],
            affine=None if forms is None else lambda i: forms[i],
            space=space,
            batched=batched,
            name="a fixed sequence of maps",
        )
        return cls(family, range(len(maps)))

    def __len__(self) -> int:
        return len(self.draws)

    @overload
    def __getitem__(self, i: int) -> Operator: ...
    @overload
    def __getitem__(self, i: slice) -> Operators: ...
    def __getitem__(self, i: int | slice) -> Operator | Operators:
        if isinstance(i, slice):
            start, _, step = i.indices(len(self))
            if step != 1:
                raise ValueError("a slice of operators must be contiguous; use an order for other words")
            chosen = [self.draws[j] for j in range(*i.indices(len(self)))]
            return Operators(self.family, chosen, seed=self.seed, replicas=self.replicas, first=self.first + start)
        position = i + len(self) if i < 0 else i
        if not 0 <= position < len(self):
            raise IndexError(f"map index {i} is outside 0 … {len(self) - 1}")
        return Operator(self.family, self.draws[position], self.first + position)

    def apply(self, i: int, theta: NDArray) -> NDArray:
        """Return T_i(theta), i counted from 1; theta is passed read-only."""
        return apply_read_only(self.family, theta, self.draws[i - 1], f"T_{i}")

    def affine(self) -> AffineMaps:
        """All maps in affine form, with a leading axis of maps; ``common`` linear parts keep none."""
        return self.family.stacked_affine([self.draws[i] for i in range(len(self))])

    def __repr__(self) -> str:
        copies = "" if self.replicas is None else f", {self.replicas} replicas"
        return f"<T_{self.first} … T_{self.first + len(self) - 1} of {self.family!r}, seed {self.seed}{copies}>"
