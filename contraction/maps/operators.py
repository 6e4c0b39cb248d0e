"""Random operators and the replayable maps T_1 … T_N drawn from them.

A random operator is a law of maps of a metric space. One draw from it, fixed by (seed, i), is the map T_i; sampling
N maps gives an `Operators` sequence that can be applied in any order, any number of times. Certificates, samplers and
closed forms use only the methods of `RandomOperator` and its base class `Answers`, never attributes of other names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from inspect import signature
from numbers import Real
from typing import overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_flag, check_integer, check_seed, check_type
from contraction.maps.affine import AffineMaps, stack_affine
from contraction.maps.answers import Answers
from contraction.maps.constants import Constant, Origin
from contraction.maps.draws import LazyDraws, ReplicaBlock, one_of, takes, takes_size
from contraction.maps.errors import MapRefused, TrainingInReverseError
from contraction.maps.known import Known
from contraction.maps.points import apply_read_only, declared_number, declared_numbers, each_point
from contraction.maps.rounding import float_up
from contraction.maps.spaces import Space, as_space
from contraction.types import Draw, Numbers

__all__ = ["AffineMaps", "Operator", "Operators", "RandomOperator", "drawn", "how_to_state"]


def drawn(family: RandomOperator, n: int, seed: int, replicas: int | None = None) -> Operators:
    """Like `RandomOperator.sample`, for a seed that was derived from another one and may have 64 bits."""
    return Operators(family, family.draws(n, seed, replicas), seed=seed, replicas=replicas)


def _affine_pair(given: object) -> tuple[NDArray, NDArray]:
    """Return A and b from what ``affine(draw)`` gave."""
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise TypeError(f"affine(draw) must give a pair (A, b), got {given!r}")
    A, b = (np.asarray(x) for x in given)
    if any(x.dtype.kind not in "fiubO" for x in (A, b)):
        raise TypeError(f"affine(draw) must give A and b as real numbers, got {given!r}")
    return A, b


def how_to_state(family: RandomOperator, *, one_for_all: bool = False) -> str:
    """Return which arguments state Lipschitz constants for a family, those that its own constructor takes.

    With ``one_for_all`` they must give one bound for all maps of the law.
    """
    if family.is_fixed_sequence:
        return "give from_maps lipschitz=[…], one constant per map, or affine=[(A, b), …]"
    taken = signature(type(family)).parameters
    names = [name for name in ("contraction", "lipschitz", "affine") if name in taken]
    if not names:
        return "ct.RandomOperator(draw, apply, contraction=k) for the same maps, if a factor k is known"
    listed = [f"{name}=" for name in (names[:1] if one_for_all else names)]
    return "declare " + " or ".join(filter(None, (", ".join(listed[:-1]), listed[-1])))


def _listed(label: str, given: Iterable | None, each: str, example: str) -> list | None:
    """Return what is stated for each map as a list; a number or a function is refused in words."""
    if given is None:
        return None
    if not isinstance(given, Iterable):
        raise TypeError(f"{label} must be a list with {each} per map, such as {example}, got {given!r}")
    return list(given)


def _at_least_zero(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and float(value) >= 0


class RandomOperator(Answers):
    """A law of maps of a complete metric space.

    Parameters
    ----------
    draw
        ``draw(rng)`` returns one draw from a `numpy.random.Generator`; all randomness belongs here. A function with a
        second argument named ``size`` draws many replicas at once: ``draw(rng, size)`` returns ``size`` draws along a
        leading axis, as one array, or as a tuple or a dictionary of arrays.
    apply
        ``apply(theta, draw)`` returns T(θ), for points with any leading batch axes: θ (..., d) -> (..., d).
        It must be deterministic, treat each point independently (``theta @ A.T``, ``axis=-1``), leave θ unchanged
        and return a new array; `contraction.maps.probe` checks this before any result is computed.
    contraction
        Declared bound on every map's Lipschitz constant (the k of Theorem 2.2).
    displacement
        Declared supremum over the support of d(θ_0, T θ_0) (the D of condition (2)): a number that holds for the
        start in use, or a function of the start.
    lipschitz
        ``draw -> Lipschitz constant`` of the map of that draw.
    affine
        ``draw -> (A, b)`` with T(θ) = A θ + b; A is a number, a diagonal (d,) or a matrix (d, d).
    space
        The metric space (default: `Euclidean`), or a metric as a function ``distance(x, y)`` of batches of points.
    known
        Further declared properties of the maps: moments, contraction in mean square, their domain (`Known`).
    vectorized
        True if ``apply`` also takes draws stacked along a leading replica axis, (R, …) against θ (..., R, d). The
        results are compared with those of one replica at a time.
    batched
        False if ``apply`` is written for one point of shape (d,), such as ``A @ theta + b``; a Python loop then calls
        it once per point and map.
    name
        The name of the family in messages.

    Raises
    ------
    TypeError
        If draw, apply, lipschitz or affine is not a function, or the space is not a metric space.
    ValueError
        If a declared constant is negative or not a number, or both ``vectorized=True`` and ``batched=False`` are given.

    Examples
    --------
    The same family twice, first with a formula for one vector at a time, then with one for batches:

    >>> import numpy as np
    >>> from contraction import RandomOperator, backward_iterates
    >>> A = np.array([[0.5, 0.2], [0.0, 0.5]])
    >>> one = RandomOperator(lambda rng: rng.uniform(-1, 1, 2), lambda t, u: A @ t + u, batched=False)
    >>> many = RandomOperator(lambda rng: rng.uniform(-1, 1, 2), lambda t, u: t @ A.T + u)
    >>> rows = [backward_iterates(family.sample(9), [0.0, 0.0]) for family in (one, many)]
    >>> bool(np.allclose(*rows))
    True

    A family of numbers, whose methods answer for one draw:

    >>> walk = RandomOperator(lambda rng: rng.uniform(-1, 1), lambda t, u: u * t + 1, lipschitz=abs)
    >>> u = walk.draw_block(np.random.default_rng(0), None)
    >>> walk.apply(np.array([2.0]), u) == 2 * u + 1, walk.lipschitz(u) == abs(u)
    (array([ True]), True)
    >>> len(walk.draws(5, 0, None))  # the draws of T_1 … T_5 under seed 0
    5
    """

    dim: int | None = None
    vectorized: bool = True
    batched: bool = True
    name: str = "RandomOperator"
    known: Known = Known()
    is_fixed_sequence: bool = False  # True for the maps of `Operators.from_maps`
    _draws_many: bool = False
    _lipschitz: Callable[[Draw], float] | None = None
    _affine: Callable[[Draw], tuple[ArrayLike, ArrayLike]] | None = None
    _contraction: float | None = None
    _displacement: float | Callable[[NDArray], float] | None = None

    def __init__(
        self,
        draw: Callable[..., Draw],
        apply: Callable[[NDArray, Draw], ArrayLike],
        *,
        contraction: float | None = None,
        displacement: float | Callable[[NDArray], float] | None = None,
        lipschitz: Callable[[Draw], float] | None = None,
        affine: Callable[[Draw], tuple[ArrayLike, ArrayLike]] | None = None,
        space: Space | Callable[[NDArray, NDArray], ArrayLike] | None = None,
        known: Known | None = None,
        vectorized: bool = False,
        batched: bool = True,
        name: str = "RandomOperator",
    ) -> None:
        for label, function in (("draw", draw), ("apply", apply), ("lipschitz", lipschitz), ("affine", affine)):
            if function is not None and not callable(function):
                raise TypeError(f"{label} must be a function, got {function!r}")
        self._draws_many = takes_size(draw)
        if not takes(draw, 2 if self._draws_many else 1):
            raise TypeError(f"draw must be a function of a generator, draw(rng) or draw(rng, size), got {draw!r}")
        if callable(displacement) and not takes(displacement, 1):
            raise TypeError(f"displacement must be a number or a function of theta0, got {displacement!r}")
        if contraction is not None and not (_at_least_zero(contraction) and contraction < np.inf):
            raise ValueError(f"a declared contraction factor must be a finite number >= 0, got {contraction!r}")
        declared = displacement is None or callable(displacement)
        if not (declared or _at_least_zero(displacement)):
            raise ValueError(f"a declared displacement must be a number >= 0, got {displacement!r}")
        check_flag("vectorized", vectorized)
        check_flag("batched", batched)
        check_type("name", name, str, "text")
        if vectorized and not batched:
            raise ValueError(
                "vectorized=True takes draws of many replicas at once, batched=False takes one point: choose one"
            )
        self.space: Space = as_space(space)
        self.vectorized, self.batched, self.name = vectorized, batched, name
        self._draw, self._apply, self._lipschitz, self._affine = draw, apply, lipschitz, affine
        self._contraction, self._displacement = contraction, displacement
        if known is not None and not isinstance(known, Known):
            raise TypeError(f"known must be a Known(...) object, got {known!r}")
        self.known = Known() if known is None else known

    def __repr__(self) -> str:
        return f"{self.name}()"

    # --- drawing and applying maps ----------------------------------------------------------------------------

    def _one_draw(self, *arguments: object) -> Draw:
        """Call the function ``draw``; an error in it is refused with its name, as one in ``apply`` is."""
        try:
            return self._draw(*arguments)
        except (MemoryError, TrainingInReverseError):
            raise
        except Exception as error:
            raise MapRefused(f"draw of {self!r} cannot be called: {type(error).__name__}: {error}") from error

    def draw_block(self, rng: np.random.Generator, replicas: int | None) -> Draw:
        """Draw one map, or with ``replicas`` the same-index map of each replica along a leading axis."""
        if self._draws_many:
            many = self._one_draw(rng, 1 if replicas is None else replicas)
            if replicas is None:
                return one_of(many, 0, 1)
            return many if self.vectorized else ReplicaBlock(one_of(many, r, replicas) for r in range(replicas))
        if replicas is None:
            return self._one_draw(rng)
        draws = [self._one_draw(rng) for _ in range(replicas)]
        return np.stack([np.asarray(d) for d in draws]) if self.vectorized else ReplicaBlock(draws)

    def apply(self, theta: NDArray, draw: Draw) -> NDArray:
        """Return T(θ) for points with any leading axes; with replicas the last batch axis is the replica."""
        if not isinstance(draw, ReplicaBlock):
            return self._of_points(theta, draw)
        axis = -1 - self.space.event_ndim
        columns = [np.array(self._of_points(np.take(theta, r, axis=axis), one)) for r, one in enumerate(draw)]
        return np.stack(columns, axis=axis)

    def _of_points(self, theta: NDArray, draw: Draw) -> NDArray:
        """Apply one draw to points (..., d), one by one if ``apply`` takes single points (batched=False)."""
        if self.batched:
            return np.asarray(self._apply(theta, draw))
        return each_point(lambda point: self._apply(point, draw), theta, self.space.event_ndim)

    # --- declared properties, in addition to the answers of `Answers` -------------------------------------------

    @property
    def contraction(self) -> Constant | None:
        """A bound on every map's Lipschitz constant with its origin, None if nothing is known."""
        return None if self._contraction is None else Constant(float_up(self._contraction), "declared", "contraction=")

    def displacement(self, theta0: NDArray) -> Constant | None:
        """Supremum over the support of d(θ_0, T θ_0) with its origin, None if nothing is known."""
        if self._displacement is None:
            return None
        value = self._displacement(theta0) if callable(self._displacement) else self._displacement
        return Constant(declared_number("displacement", value), "declared", "displacement=")

    def lipschitz(self, draw: Draw) -> Numbers:
        """Lipschitz constant of the map of a draw (an array over leading axes), None if unknown."""
        if self._lipschitz is not None:
            if isinstance(draw, ReplicaBlock):
                return np.array([declared_number("lipschitz(draw)", self._lipschitz(d)) for d in draw])
            return declared_numbers("lipschitz(draw)", self._lipschitz(draw))
        maps, space = self.affine(draw), as_space(self.space)
        if maps is None or not space.is_normed:
            return None
        if maps.kind == "matrix":
            return space.operator_norm(maps.A)
        return np.abs(maps.A) if maps.kind == "scalar" else space.diagonal_norm(maps.A)

    @property
    def lipschitz_origin(self) -> Origin:
        """Where `lipschitz` comes from: "declared" for constants that a user gave, "proved" for derived ones."""
        return "proved" if self._lipschitz is None else "declared"

    def affine(self, draw: Draw) -> AffineMaps | None:
        """Return the map of a draw (or of stacked draws) as an affine map, None if it is not known to be one."""
        if self._affine is None:
            return None
        if isinstance(draw, ReplicaBlock):
            return stack_affine([self.affine(d) for d in draw])
        A, b = _affine_pair(self._affine(draw))
        kinds = ("scalar", "diagonal", "matrix")
        if A.ndim > 2:
            raise ValueError(f"affine(draw) must give A as a number, a diagonal or a matrix, got shape {A.shape}")
        return AffineMaps(A, np.atleast_1d(b), kinds[A.ndim])

    @property
    def is_iid(self) -> bool:
        """True if T_1, T_2, … are known to be independent with one law.

        This holds if `draw_block` draws every map from a separate generator. A family that overrides `draws` must also
        override this property if its maps are independent.
        """
        return type(self).draws is RandomOperator.draws

    @property
    def is_affine(self) -> bool:
        """True if every map is known in affine form."""
        return self._affine is not None

    # --- sampling ---------------------------------------------------------------------------------------------

    def sample(self, n: int, seed: int = 0, replicas: int | None = None) -> Operators:
        """Draw the maps T_1 … T_n, which can be replayed any number of times.

        Parameters
        ----------
        n
            Number of maps, at least 0. Map i does not depend on n: ``sample(500)[i]`` equals ``sample(1000)[i]``.
        seed
            Integer, 0 … 2^32 - 1.
        replicas
            Number of independent copies along the leading axis; None for a single copy without that axis.

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

    def draws(self, n: int, seed: int, replicas: int | None) -> Sequence[Draw]:
        """Return the draws of T_1 … T_n; families whose maps are not independent override this."""
        return LazyDraws(self, n, seed, replicas)


class Operator:
    """One map T_i: call it on a point; ``index`` is the paper's 1-based i."""

    def __init__(self, family: RandomOperator, draw: Draw, index: int) -> None:
        self.family, self.draw, self.index = family, draw, index

    def __call__(self, theta: ArrayLike) -> NDArray:
        """Return T_i(θ), with θ protected against being written to."""
        return apply_read_only(self.family, theta, self.draw, f"T_{self.index}")

    @property
    def lipschitz(self) -> Numbers:
        """The Lipschitz constant of the map, None if unknown."""
        return self.family.lipschitz(self.draw)

    @property
    def affine(self) -> AffineMaps | None:
        """The affine form of the map, None if it is not known to be affine."""
        return self.family.affine(self.draw)

    def __repr__(self) -> str:
        return f"<T_{self.index} of {self.family!r}>"


class Operators(Sequence):
    """Maps T_1 … T_N, fixed and replayable; ``operators[0]`` is the paper's T_1.

    Examples
    --------
    >>> import contraction as ct
    >>> import numpy as np
    >>> maps = ct.families.QuadraticSGD(h=0.5).sample(3, seed=0)
    >>> len(maps)
    3
    >>> bool((ct.backward_iterates(maps, [0.0]) == ct.backward_iterates(maps, [0.0])).all())  # fixed and replayable
    True
    >>> maps[1], maps.affine().kind
    (<T_2 of QuadraticSGD(h=0.5, noise=Gaussian(sd=1.0, center=0.0), dim=1)>, 'scalar')
    >>> maps.apply(2, np.array([1.0])) == maps[1]([1.0])  # T_2 is counted from 1 here, and from 0 in a list
    array([ True])
    """

    def __init__(
        self,
        family: RandomOperator,
        draws: Sequence[Draw],
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
        """Return a fixed sequence of maps, such as T_i(x) = x/2 + 2^i, with their known constants and affine forms.

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
            If the number of constants, or of affine forms, differs from the number of maps.
        TypeError
            If lipschitz or affine is one number, or a function, and not a list with an entry for each map.

        Examples
        --------
        >>> import contraction as ct
        >>> maps = ct.Operators.from_maps([lambda x: x / 2 + 1, lambda x: x / 2 + 3], lipschitz=[0.5, 0.5])
        >>> ct.backward_iterates(maps, [0.0]).ravel().tolist()  # 0, T_1(0), T_1 T_2(0)
        [0.0, 1.0, 2.5]
        >>> ct.forward_iterates(maps, [0.0]).ravel().tolist()  # 0, T_1(0), T_2 T_1(0)
        [0.0, 1.0, 3.5]
        """
        maps = list(maps)
        constants = _listed("lipschitz", lipschitz, "one constant", "[0.5, 0.5]")
        forms = _listed("affine", affine, "one pair (A, b)", "[(0.5, 1.0), (0.5, 3.0)]")
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
        family.is_fixed_sequence = True
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
        """Return T_i(θ), where i is 1-based; θ is passed read-only."""
        if check_integer("the number of a map", i, 1) > len(self.draws):
            raise ValueError(f"there are {len(self.draws)} maps, T_1 … T_{len(self.draws)}; T_{i} was asked for")
        return apply_read_only(self.family, theta, self.draws[i - 1], f"T_{i}")

    def affine(self) -> AffineMaps:
        """All maps in affine form, with a leading axis of maps; a ``common`` linear part does not have this axis."""
        return self.family.stacked_affine([self.draws[i] for i in range(len(self))])

    def __repr__(self) -> str:
        copies = "" if self.replicas is None else f", {self.replicas} replicas"
        return f"<T_{self.first} … T_{self.first + len(self) - 1} of {self.family!r}, seed {self.seed}{copies}>"
