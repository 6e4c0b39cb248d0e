"""Checks of a family for `contraction.maps.probe`: its draws repeat; its metric is one, and takes batches of pairs."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from contraction.maps.comparing import agree, equal, shown
from contraction.maps.draws import map_generator
from contraction.maps.errors import MapRefused, NotDeterministic
from contraction.maps.operators import Operators, RandomOperator
from contraction.maps.points import apply_read_only
from contraction.maps.spaces import Space
from contraction.types import Draw

__all__ = ["check_distance", "check_draws"]

AXIOM_ROUNDING = 1e-6  # of the largest distance; single precision has half of these digits
REDRAWN, REDRAWN_IF_UNUSED = 2, 16  # repetitions of a draw; more if it did not use its generator, or used a global one


def check_draws(operators: Operators, replicas: int | None, x0: NDArray) -> None:
    """Draw the first map again from its generator, and refuse draws that depend on anything else.

    Draws that cannot be compared, such as functions, are compared through their images of the start x0.

    Raises
    ------
    NotDeterministic
        If the draws differ.
    """
    family, seed, first = operators.family, operators.seed, operators.first
    assert seed is not None
    again = functools.partial(family.draws, first, seed, replicas)
    before_any = _global_generators()
    one = again()[first - 1]
    times = REDRAWN if _global_generators() == before_any else REDRAWN_IF_UNUSED
    if times == REDRAWN and type(family).draws is RandomOperator.draws:
        rng = map_generator(seed, first - 1)
        before = rng.bit_generator.state
        family.draw_block(rng, replicas)
        times = REDRAWN_IF_UNUSED if rng.bit_generator.state == before else REDRAWN
    for _ in range(times - 1):
        other = again()[first - 1]
        same = _same(one, other)
        if same is False or (same is None and _maps_differ(family, one, other, x0)):
            raise NotDeterministic(
                f"draw(rng) must depend on rng alone: drawn twice from the generator of seed {seed}, T_{first} of "
                f"{family!r} came out as {shown(one)} and as {shown(other)}. Use only the methods of rng in draw, no "
                "generator of your own, no np.random.…, no counter"
            )


def _global_generators() -> tuple[object, ...]:
    """Return the states of the generators of `random` and of NumPy that all programs share."""
    _, words, position, *gauss = np.random.get_state()  # type: ignore[misc]  # noqa: NPY002 (it is watched, not used)
    return random.getstate(), np.asarray(words).tobytes(), position, *gauss


def _maps_differ(family: RandomOperator, one: Draw, other: Draw, x0: NDArray) -> bool:
    with np.errstate(all="ignore"):
        try:
            a, b = (np.array(apply_read_only(family, x0, draw, "T_1")) for draw in (one, other))
        except MapRefused:
            raise
        except Exception:  # the map cannot be applied there; `check_map` reports that
            return False
    return not equal(a, b)


def _same(a: Draw, b: Draw) -> bool | None:
    """Whether two draws are equal; None if they cannot be compared (functions, objects without an equality)."""
    if isinstance(a, np.ndarray | np.generic | float | int | complex | str):
        try:
            x, y = np.asarray(a), np.asarray(b)
            return bool(x.shape == y.shape and np.array_equal(x, y, equal_nan=x.dtype.kind in "fc"))
        except (TypeError, ValueError):
            return None
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and _every(_same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and _every(_same(x, y) for x, y in zip(a, b, strict=True))
    return None if a is not None else b is None


def _every(answers: Iterable[bool | None]) -> bool | None:
    listed = list(answers)
    return False if False in listed else None if None in listed else True


def check_distance(space: Space, points: Sequence[NDArray]) -> None:
    """Compare distances of a stack of pairs with those of single pairs; refuse a metric that takes only one pair."""
    pairs, alone = [], []
    with np.errstate(all="ignore"):
        for pair in zip(points, [*points[1:], points[0]], strict=True):
            try:
                value = np.asarray(space.distance(*pair))
            except Exception:  # the points may lie outside the metric's domain
                continue
            pairs.append(pair)
            alone.append(value)
        if not pairs:
            return
        x, y = (np.stack([pair[side] for pair in pairs]) for side in (0, 1))
        try:
            together = np.asarray(space.distance(x, y))
        except Exception as error:
            raise MapRefused(
                f"distance(x, y) must take batches of points: {space!r} takes one pair of shape {x.shape[1:]}, but not "
                f"a batch of shape {x.shape} ({type(error).__name__}: {error}). Write axis=-1 in sums, maxima and norms"
            ) from error
        if any(value.shape != () for value in alone) or together.shape != (len(pairs),):
            raise MapRefused(
                f"distance(x, y) must give one number per pair: {space!r} returns shape {together.shape} for points of "
                f"shape {x.shape} instead of {(len(pairs),)}, and shape {alone[0].shape} for one pair. Write axis=-1 "
                "in sums, maxima and norms, or use Metric(distance, event_ndim=…) if a point has more than one axis"
            )
        if not agree(together, np.stack(alone), np.zeros(len(pairs)), 0).all():
            raise MapRefused(
                f"distance(x, y) must treat every pair independently: {space!r} gives {shown(np.stack(alone))} for "
                f"one pair at a time, but {shown(together)} for all at once. Write axis=-1 in sums, maxima and norms"
            )
    _check_axioms(space, points)


def _check_axioms(space: Space, points: Sequence[NDArray]) -> None:
    """Refuse a distance that is negative, not symmetric, not zero at equal points, or without triangle inequality.

    The axioms are tried on three points; pairs whose distance is not finite are skipped.

    Raises
    ------
    MapRefused
        If an axiom of a metric is violated by more than rounding.
    """
    a, b, c = points[0], points[1 % len(points)], points[2 % len(points)]
    with np.errstate(all="ignore"):
        try:
            d = {pair: float(space.distance(*pair_of)) for pair, pair_of in _pairs_of(a, b, c).items()}
        except (TypeError, ValueError, ArithmeticError):  # the points may lie outside the metric's domain
            return
    slack = AXIOM_ROUNDING * max((abs(x) for x in d.values() if np.isfinite(x)), default=0.0)
    for axiom, left, right in (
        ("d(x, x) = 0", abs(d["aa"]), 0.0),
        *(("d(x, y) ≥ 0", -d[pair], 0.0) for pair in ("ab", "ac", "bc")),
        *(("d(x, y) = d(y, x)", abs(d[pair] - d[pair[::-1]]), 0.0) for pair in ("ab", "ac")),
        ("d(x, z) ≤ d(x, y) + d(y, z)", d["ac"], d["ab"] + d["bc"]),
        ("d(x, z) ≤ d(x, y) + d(y, z)", d["ab"], d["ac"] + d["bc"]),
        ("d(x, z) ≤ d(x, y) + d(y, z)", d["bc"], d["ab"] + d["ac"]),
    ):
        if np.isfinite(left) and left > right + slack:
            raise MapRefused(
                f"distance(x, y) must be a metric: {space!r} violates {axiom} at the points {shown(a)}, {shown(b)}, "
                f"{shown(c)}. The square of a norm is not a metric; use its square root"
            )


def _pairs_of(a: NDArray, b: NDArray, c: NDArray) -> dict[str, tuple[NDArray, NDArray]]:
    named = {"a": a, "b": b, "c": c}
    return {pair: (named[pair[0]], named[pair[1]]) for pair in ("aa", "ab", "ba", "ac", "ca", "bc")}
