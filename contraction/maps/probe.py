"""The probe before any result: maps that break a rule of `RandomOperator` are refused, with what to write instead.

Every entry that takes maps calls `probe` (drawn maps) or `probe_family` once: the first, a middle and the last map are
tried on copies of the start and of points near and far from it (`contraction.maps.probe_checks`), about ten
applications each. What passed is remembered for as long as the object lives, so a second call costs nothing. Maps that
were given one by one (`Operators.from_maps`, no seed) are tried at every call: functions can change in between.

Finding nothing proves nothing: a map that misbehaves only at points or indices that were not tried passes.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contraction.maps.operators import Operators, RandomOperator, drawn
from contraction.maps.probe_checks import check_distance, check_draws, check_map, points_around

__all__ = ["probe", "probe_family"]

FAMILY_MAPS = 16  # a family is tried on the first, a middle and the last of so many draws
FEW_REPLICAS = 8  # with more replicas, stacks are tried on as many maps drawn for three
STAND_IN = 3

_passed: dict[int, tuple[weakref.ref, dict[Any, np.dtype]]] = {}


def probe(
    operators: Operators, *starts: NDArray, inside: bool = False, affine: bool = True, named: bool = False
) -> np.dtype:
    """Try the first, a middle and the last of drawn maps; return the dtype that iterates from the starts have.

    Theorem 2.2 applies T_i again at every n >= i, to many points at once: its maps are functions of one point.

    Parameters
    ----------
    operators
        Drawn maps T_1 … T_N.
    starts
        One or more arrays of starts, shape (..., d), or (..., R, d) with R replicas; (d,) serves all replicas.
    inside
        True if the starts are the only points that maps are meant for, such as the states of a finite chain: then no
        other points are tried but images of them.
    affine
        False to leave out the comparison with ``affine(draw)``.
    named
        True to name the family and the seed in messages.

    Raises
    ------
    MapRefused
        If a map changes its argument or the shape of a point, mixes the points of a batch (or of replicas), cannot be
        applied, returns an array that a later call overwrites, or gives anything but real numbers; or if the
        metric of the family does not take batches of pairs.
    NotDeterministic
        If a map gives two values at one point, or one generator gives two different draws of it.
    DeclarationRefuted
        If ``affine(draw)`` is not the map.

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
    if R is not None and operators.seed is not None:  # one copy of the maps first: simpler maps, plainer messages
        probe_family(family, *(p[0] for p in points), seed=operators.seed, inside=inside, affine=affine)
    once = _memory(family)
    if operators.seed is not None and ("draws", R is None) not in once:
        few = min(R, STAND_IN) if R else None
        check_draws(operators, few, points[0] if few is None else points[0][:few])
        once["draws", R is None] = dtype
    tried, first, images = operators, points[0], dtype
    if R is not None and R > FEW_REPLICAS and operators.seed is not None and operators.first == 1:
        tried, points = drawn(family, len(operators), operators.seed, STAND_IN), [p[:STAND_IN] for p in points]
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
    """Try maps drawn from a family, as `probe` does; once for each family, shape and type of point.

    Parameters
    ----------
    family
        A random operator.
    starts
        One or more arrays of starts, shape (..., d).
    seed
        Which draws.
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


def _some(starts: tuple[NDArray, ...], shape: tuple[int, ...], dtype: np.dtype) -> list[NDArray]:
    """The first, a middle and the last point of every array of starts, each a copy of its own."""
    points = []
    for start in starts:
        whole = np.broadcast_to(start, np.broadcast_shapes(start.shape, shape))
        lead = whole.shape[: whole.ndim - len(shape)]
        total = int(np.prod(lead))
        for at in sorted({0, total // 2, total - 1}):
            points.append(np.array(whole[np.unravel_index(at, lead)] if lead else whole, dtype=dtype))
    return points


def _memory(thing: object) -> dict[Any, np.dtype]:
    """What was tried of an object and passed; forgotten with it. Nothing is kept of objects without weak references."""
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
