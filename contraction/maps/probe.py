"""The probe that runs before any result: it refuses maps that break a rule of `RandomOperator` and states the remedy.

Every public function that takes maps calls `probe` (for drawn maps) or `probe_family` once. The probe tries the first,
a middle and the last map on copies of the start and of points near and far from it (`probe_checks` for the maps,
`probe_family_checks` for draws and metric),
with about ten applications per map. A passed probe is remembered for the lifetime of the object, so a second call costs
nothing. Maps from `Operators.from_maps` (which have no seed) are tried at every call, because functions can change in
between.

A passed probe is not a proof: it cannot detect a map that breaks a rule only at points or indices that were not tried.
"""

from __future__ import annotations

import weakref
from collections.abc import Hashable

import numpy as np
from numpy.typing import NDArray

from contraction.maps.operators import Operators, RandomOperator, drawn
from contraction.maps.probe_checks import check_map, points_around
from contraction.maps.probe_family_checks import check_distance, check_draws

__all__ = ["probe", "probe_family"]

FAMILY_MAPS = 16  # a family is tried on the first, a middle and the last of this number of draws
FEW_REPLICAS = 8  # with more replicas, stacks are tried on three replicas instead: drawn anew, or three of those given
STAND_IN = 3

_passed: dict[int, tuple[weakref.ref, dict[Hashable, np.dtype]]] = {}


def probe(
    operators: Operators, *starts: NDArray, inside: bool = False, affine: bool = True, named: bool = False
) -> np.dtype:
    """Try the first, a middle and the last of drawn maps; return the dtype of iterates from the starts.

    Theorem 2.2 applies T_i again at every n >= i, so each map must be a deterministic function of one point.

    Parameters
    ----------
    operators
        Drawn maps T_1 … T_N.
    starts
        One or more arrays of starts, shape (..., d), or (..., R, d) with R replicas; (d,) serves all replicas.
    inside
        True if the maps are defined only on the starts, such as the states of a finite chain: then only the starts and
        their images are tried.
    affine
        False to skip the comparison with ``affine(draw)``.
    named
        True if messages shall name the family and the seed.

    Raises
    ------
    MapRefused
        If a map changes its argument or the shape of a point, mixes the points of a batch (or of replicas), cannot be
        applied, returns an array that a later call overwrites, or returns values that are not real numbers; or if the
        metric of the family does not accept batches of pairs.
    NotDeterministic
        If a map gives two values at one point, or one generator gives two different draws of it.
    DeclarationRefuted
        If ``affine(draw)`` differs from the map.

    Examples
    --------
    >>> import numpy as np
    >>> from contraction import MapRefused, RandomOperator
    >>> from contraction.maps.probe import probe
    >>> shrink = RandomOperator(lambda rng: rng.uniform(-1, 1, 3), lambda t, u: (t + u) / max(1, np.linalg.norm(t)))
    >>> try:
    ...     probe(shrink.sample(5), np.zeros(3))
    ... except MapRefused as refused:
    ...     print("axis=-1" in str(refused))
    True
    """
    dtype = np.result_type(*(start.dtype for start in starts))
    if not len(operators) or not all(start.size for start in starts):
        return dtype
    family, R = operators.family, operators.replicas
    event = starts[0].shape[starts[0].ndim - family.space.event_ndim :]
    shape = event if R is None else (R, *event)
    remembered = {} if operators.seed is None else _memory(operators)
    key = (shape, dtype.str, inside, affine)
    if key in remembered:
        return remembered[key]
    points = _some(starts, shape, dtype)
    if R is not None and operators.seed is not None:  # first without replicas: the messages are then simpler
        probe_family(family, *(p[0] for p in points), seed=operators.seed, inside=inside, affine=affine)
    once = _memory(family)
    if operators.seed is not None and ("draws", R is None) not in once:
        few = min(R, STAND_IN) if R else None
        check_draws(operators, few, points[0] if few is None else points[0][:few])
        once["draws", R is None] = dtype
    first, images = points[0], dtype
    tried, points = (operators, points) if R is None or R <= FEW_REPLICAS else _three_replicas(operators, R, points)
    others = points[1:] if inside else [*points_around(family, points[0], tried.replicas), *points[1:]]
    if R is None and ("distance", event) not in once:
        check_distance(family.space, [points[0], *others])
        once["distance", event] = dtype
    for i in sorted({1, (len(operators) + 1) // 2, len(operators)}):
        if tried is not operators:
            images = np.result_type(images, check_map(operators, i, first, None, named=named))
        images = np.result_type(images, check_map(tried, i, points[0], others, affine=affine, named=named))
    remembered[key] = images
    return images


def probe_family(
    family: RandomOperator, *starts: NDArray, seed: int = 0, inside: bool = False, affine: bool = True
) -> None:
    """Try maps drawn from a family, as `probe` does, once per family, shape and dtype of the starts.

    Parameters
    ----------
    family
        A random operator.
    starts
        One or more arrays of starts, shape (..., d).
    seed
        The seed of the draws.
    inside, affine
        As in `probe`.

    Raises
    ------
    MapRefused, NotDeterministic, DeclarationRefuted
        As in `probe`.

    Examples
    --------
    >>> import numpy as np
    >>> from contraction import families
    >>> from contraction.maps.probe import probe_family
    >>> probe_family(families.QuadraticSGD(0.1, dim=2), np.zeros(2))
    """
    remembered, event = _memory(family), starts[0].shape[starts[0].ndim - family.space.event_ndim :]
    key = (event, np.result_type(*(start.dtype for start in starts)).str, inside, affine)
    if key not in remembered:
        remembered[key] = probe(drawn(family, FAMILY_MAPS, seed), *starts, inside=inside, affine=affine)


def _three_replicas(operators: Operators, R: int, points: list[NDArray]) -> tuple[Operators, list[NDArray]]:
    """Return maps for three replicas with their points: drawn by the seed, or three of the replicas that are given.

    All replicas are returned if neither can be: maps after T_1 of a seed, and given draws that are not arrays (R, …).
    """
    if operators.seed is not None:
        if operators.first != 1:
            return operators, points
        return drawn(operators.family, len(operators), operators.seed, STAND_IN), [p[:STAND_IN] for p in points]
    if type(operators.family).draw_block is not RandomOperator.draw_block:
        return operators, points
    if not all(isinstance(draw, np.ndarray) and draw.shape[:1] == (R,) for draw in operators.draws):
        return operators, points
    chosen = [0, R // 2, R - 1]
    draws = [draw[chosen] for draw in operators.draws]
    return Operators(operators.family, draws, replicas=STAND_IN, first=operators.first), [p[chosen] for p in points]


def _some(starts: tuple[NDArray, ...], shape: tuple[int, ...], dtype: np.dtype) -> list[NDArray]:
    """Return copies of the first, a middle and the last point of every array of starts."""
    points = []
    for start in starts:
        whole = np.broadcast_to(start, np.broadcast_shapes(start.shape, shape))
        lead = whole.shape[: whole.ndim - len(shape)]
        total = int(np.prod(lead))
        for at in sorted({0, total // 2, total - 1}):
            points.append(np.array(whole[np.unravel_index(at, lead)] if lead else whole, dtype=dtype))
    return points


def _memory(thing: object) -> dict[Hashable, np.dtype]:
    """Return the probes that an object has passed, for its lifetime; empty for objects without weak references."""
    known = _passed.get(id(thing))
    if known is not None and known[0]() is thing:
        return known[1]
    key = id(thing)
    try:
        reference = weakref.ref(thing, lambda _: _passed.pop(key, None))
    except TypeError:
        return {}
    _passed[key] = (reference, {})
    return _passed[key][1]
