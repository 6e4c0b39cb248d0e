"""Coupling from the past (Propp and Wilson 1996): exact draws from the stationary law of a finite chain.

T_1 … T_n is the composition of updates from time -n to 0 with T_i at time -i. Once it is constant, further innermost
maps do not change it: its value is the backward limit, an exact draw. The same maps are reused when n grows. The
forward composition T_n … T_1, stopped when it is constant for the first time, would be biased.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_flag, check_integer, check_seed
from contraction.limits.result import NotSettled
from contraction.maps.draws import sub_sequence
from contraction.maps.operators import RandomOperator, drawn
from contraction.maps.points import as_point
from contraction.maps.probe import probe_family
from contraction.values import Value

__all__ = ["ExactSample", "coupling_from_the_past"]


@dataclass(frozen=True, eq=False)
class ExactSample(Value):
    """An exact draw from the stationary law.

    Attributes
    ----------
    value : ndarray
        The state, shape (d,), or (size, d).
    maps : int or ndarray
        The horizon n (a power of two) at which T_1 … T_n was constant, one per draw.
    applications : int
        Total number of applications of a map to a state.

    Examples
    --------
    >>> import contraction as ct
    >>> walk = ct.RandomOperator(lambda rng: rng.choice([-1, 1]), lambda x, u: (x + u).clip(0, 3))
    >>> draw = ct.coupling_from_the_past(walk, seed=0, states=[0, 1, 2, 3])
    >>> draw
    ExactSample(value=array([3]), maps=4, applications=16)
    >>> draw.value in [0, 1, 2, 3]  # T_1 … T_n is constant at n = draw.maps, and its value is the draw
    True
    """

    value: NDArray
    maps: int | NDArray
    applications: int


def coupling_from_the_past(
    family: RandomOperator,
    seed: int = 0,
    states: ArrayLike | None = None,
    *,
    size: int | None = None,
    monotone: bool = False,
    max_maps: int = 2**20,
) -> ExactSample:
    """Draw exactly from the stationary law of a family whose maps send a finite set of states into itself.

    Parameters
    ----------
    family
        A family of independent maps with one law.
    seed
        Seed of the draws.
    states
        All states, shape (S, d) or (S,) (default: ``family.states``). With ``monotone``, the least and the greatest.
    size
        Number of independent draws along a leading axis; None for a single draw without that axis.
    monotone
        True if every map is monotone for an order in which the two given states are least and greatest. Only two chains
        are then followed instead of all. Monotonicity is not checked.
    max_maps
        The largest number of maps to try.

    Raises
    ------
    NotSettled
        If T_1 … T_n is not constant at the largest power of two up to ``max_maps``.
    ValueError
        If a map leaves the set of states, or an argument is invalid.
    MapRefused, NotDeterministic, DeclarationRefuted
        If a map breaks a rule of `RandomOperator` (`contraction.maps.probe`), tried on the states alone.

    References
    ----------
    Propp, J. G., and Wilson, D. B. (1996). Exact sampling with coupled Markov chains and applications to
    statistical mechanics. Random Structures and Algorithms 9, 223-252.

    Examples
    --------
    >>> import contraction as ct
    >>> walk = ct.RandomOperator(lambda rng: rng.choice([-1, 1]), lambda x, u: (x + u).clip(0, 3))  # on 0, 1, 2, 3
    >>> draws = ct.coupling_from_the_past(walk, seed=0, states=[0, 1, 2, 3], size=1000)
    >>> draws.value.shape, bool(draws.value.max() <= 3)
    ((1000, 1), True)
    """
    if not family.is_iid:
        raise ValueError("coupling from the past needs independent maps with one law")
    check_seed(seed)
    check_integer("max_maps", max_maps, 1)
    check_flag("monotone", monotone)
    points = _states(family, states)
    probe_family(family, points, seed=seed, inside=True)
    if monotone and len(points) != 2:
        raise ValueError(f"monotone=True takes two states, the least and the greatest, got {len(points)}")
    if size is None:
        value, n, cost = _draw(family, seed, points, monotone, max_maps)
        return ExactSample(value, n, cost)
    check_integer("size", size, 1)
    seeds = sub_sequence(seed, "coupling from the past").generate_state(size, np.uint64)
    draws = [_draw(family, int(s), points, monotone, max_maps) for s in seeds]
    return ExactSample(np.stack([d[0] for d in draws]), np.array([d[1] for d in draws]), sum(d[2] for d in draws))


def _states(family: RandomOperator, states: ArrayLike | None) -> NDArray:
    if states is None:
        states = family.states
        if states is None:
            raise ValueError(f"{family!r} defines no states: pass states=, a finite set that its maps send into itself")
    given = np.asarray(states)
    points = as_point(given[:, None] if given.ndim == 1 else given, family.dim)
    if points.ndim != 2 or not len(points):
        raise ValueError(f"states have shape (S, d) with S >= 1, got {np.shape(states)}")
    if len({_key(x) for x in points}) != len(points):
        raise ValueError("states must be different from one another")
    return points


def _key(x: NDArray) -> Hashable:
    return tuple(x.tolist())


def _draw(
    family: RandomOperator, seed: int, points: NDArray, monotone: bool, max_maps: int
) -> tuple[NDArray, int, int]:
    """One exact draw; unless ``monotone``, T_1 … T_2n is composed from the stored T_1 … T_n and the n new maps."""
    n, cost, known = 1, 0, 0
    number = {_key(x): i for i, x in enumerate(points)}
    outer = np.arange(len(points))  # T_1 … T_known as a table of state numbers
    while n <= max_maps:
        operators = drawn(family, n, seed)
        images = points
        for i in range(n, (0 if monotone else known), -1):
            images = operators.apply(i, images)
            cost += len(points)
        if monotone:
            if _key(images[0]) == _key(images[1]):
                return images[0], n, cost
        else:
            inner = _numbers(images, number, n)
            outer, known = outer[inner], n
            if np.all(outer == outer[0]):
                return points[outer[0]], n, cost
        n *= 2
    raise NotSettled(
        f"the maps have not coalesced by n = {n // 2} (max_maps = {max_maps}): "
        f"{len(np.unique(outer)) if not monotone else 2} states remain"
    )


def _numbers(images: NDArray, number: dict[Hashable, int], n: int) -> NDArray:
    out = np.empty(len(images), dtype=int)
    for row, x in enumerate(images):
        key = _key(x)
        if key not in number:
            raise ValueError(f"a map among T_1 … T_{n} sends a state to {x!r}, which is not among the states")
        out[row] = number[key]
    return out
