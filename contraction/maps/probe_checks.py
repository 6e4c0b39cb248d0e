"""Checks of one map for `contraction.maps.probe`: it is deterministic, treats each point alone and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from contraction.maps.comparing import agree, equal, is_finite, shown
from contraction.maps.errors import DeclarationRefuted, MapRefused, NotDeterministic, argument_changed
from contraction.maps.operators import Operators, RandomOperator
from contraction.maps.rounding import gamma

__all__ = ["check_map", "points_around"]

LARGE = 2**12  # if a point (with its replicas) has more numbers than this, only stacks of two are tried
STACK_OF_DIM = 32  # up to this dimension d a stack of d points is tried as well
OPERATIONS = 64  # roundings per coordinate allowed between a map and its affine form, as in the search for violations
REMEDY = (
    "Write apply for batches of points (..., d): theta @ A.T for A @ theta, axis=-1 in sums, means and norms, "
    "theta[..., j] for theta[j]; or keep it for one vector and pass batched=False, which loops over the points "
    "(RandomOperator, FiniteFamily, Operators.from_maps)"
)


def check_map(
    operators: Operators,
    i: int,
    x0: NDArray,
    others: Sequence[NDArray] | None,
    *,
    affine: bool = True,
    named: bool = False,
) -> np.dtype:
    """Try T_i at a start, twice, and in stacks with other points (None: no stacks); return the dtype of its images."""
    T = _Tried(operators, i, f" of {operators.family!r} (seed {operators.seed})" if named else "")
    with np.errstate(all="ignore"):
        value = T.at_one(x0)
        saved = value.copy()
        T.compare_again(x0, saved)
        if others is None:
            return saved.dtype
        points, values = _points(T, x0, others, saved)
        if not equal(value, saved):
            raise MapRefused(
                f"a map must return a new array: the array that T_{i} returned for theta = {shown(x0)} was "
                f"{shown(saved)}, but is {shown(value)} after other calls. Return a new array, not a buffer that "
                "every call fills again"
            )
        T.compare_again(x0, saved)
        for shape, chosen in _stacks(x0, operators.family.space.event_ndim):
            T.compare_stack(points, values, np.array(chosen).reshape(shape))
        if operators.replicas is not None and operators.replicas > 1:
            T.compare_replicas(points, values)
        if affine and operators.family.is_affine and operators.family.space.event_ndim == 1:
            T.compare_affine(points)
    return saved.dtype


def _points(
    T: _Tried, start: NDArray, others: Sequence[NDArray], saved: NDArray
) -> tuple[list[NDArray], list[NDArray]]:
    """Three points with their images: the start, one near it and one far from it, or points that the maps reach."""
    points, values = [start], [saved]
    reached = [saved.astype(np.result_type(saved, start))] if saved.dtype != object else [saved]
    for point in [*others, *reached]:
        value = T.at_one(point, anywhere=True)
        if value is not None and is_finite(value) and not any(equal(point, known) for known in points):
            points.append(point)
            values.append(value.copy())
        if len(points) == 3:
            break
    while len(points) < 3:
        points.append(points[-1])
        values.append(values[-1])
    return points, values


def points_around(family: RandomOperator, x0: NDArray, replicas: int | None) -> list[NDArray]:
    """Return a point near the start and one far from it, in the space if it can sample points, else in R^d."""
    rng = np.random.default_rng(0x9B0BE)
    one = x0 if replicas is None else x0[0]
    result = family.random_points(rng, one, 2 * (replicas or 1))
    if result is not None:
        result = np.asarray(result).reshape(2, *x0.shape)
        return [result[0], result[1]]
    if x0.dtype.kind in "iubO":
        steps = [rng.integers(1, 4, x0.shape), rng.integers(100, 1000, x0.shape)]
        return [x0 + (step.astype(object) if x0.dtype == object else step) for step in steps]
    center = np.where(np.isfinite(x0), x0, 0)
    scale = 1 + float(np.max(np.abs(center), initial=0.0))
    return [(center + s * scale * rng.standard_normal(x0.shape)).astype(x0.dtype) for s in (0.4, 30.0)]


def _stacks(x0: NDArray, event_ndim: int) -> list[tuple[tuple[int, ...], list[int]]]:
    """Batch shapes, each with the indices of the points (of three) that fill it."""
    if x0.size > LARGE:
        return [((2,), [0, 2]), ((1, 2), [2, 0])]
    result = [((2,), [0, 2]), ((3,), [0, 1, 2]), ((2, 3), [0, 1, 2, 2, 0, 1])]
    if x0.ndim == event_ndim == 1 and 3 < (d := len(x0)) <= STACK_OF_DIM:
        result.append(((d,), [j % 3 for j in range(d)]))
    return result


class _Tried:
    """The map T_i with its checks."""

    def __init__(self, operators: Operators, i: int, owner: str) -> None:
        self.operators, self.i, self.space = operators, i, operators.family.space
        self.name = f"T_{i}{owner}"

    def __call__(self, x: NDArray) -> NDArray:
        """Return T_i(x), after checking that the map left x unchanged and returned a value."""
        before = x.copy()
        value = self.operators.apply(self.i, x)
        if not equal(before, x):
            raise MapRefused(argument_changed(self.name))
        if value is None or (np.ndim(value) == 0 and np.asarray(value).item() is None):
            raise MapRefused(f"maps must return the new point: {self.name} returned None; end apply with return")
        return np.asarray(value)

    @overload
    def at_one(self, x: NDArray) -> NDArray: ...
    @overload
    def at_one(self, x: NDArray, *, anywhere: bool) -> NDArray | None: ...
    def at_one(self, x: NDArray, *, anywhere: bool = False) -> NDArray | None:
        """Return the image of one point (for every replica), after checking its shape and dtype.

        With ``anywhere`` the point may lie outside the domain of the map; None if the map cannot be applied there.

        Raises
        ------
        MapRefused
            If the map cannot be applied, changes the shape, or returns values that are not real numbers.
        MemoryError
            If the map raises it.
        NotDeterministic
            If the map raises it.
        """
        try:
            value = self(x)
        except (MapRefused, NotDeterministic, MemoryError):
            raise
        except Exception as error:
            if anywhere:
                return None
            where = f"{self.name} cannot be applied to points of shape {x.shape}"
            raise MapRefused(f"{where}: {type(error).__name__}: {error}") from error
        if value.shape != x.shape:
            raise MapRefused(f"maps must keep the shape of a point: {self.name} takes {x.shape} to {value.shape}")
        if value.dtype.kind not in ("fiubO" if x.dtype.kind == "b" else "fiuO") or (
            value.dtype == object and any(isinstance(v, complex) for v in value.flat)
        ):
            if anywhere:
                return None
            raise MapRefused(
                f"maps must give real numbers: {self.name} gives {value.dtype} at theta = {shown(x)}. Write a complex "
                "number as two coordinates"
            )
        return value

    def compare_again(self, x: NDArray, saved: NDArray) -> None:
        again = self.at_one(x)
        if not equal(saved, again):
            raise NotDeterministic(
                f"{self.name} gave two values at one point ({saved!r} and {again!r}). Backward iteration applies every "
                "map again at every n, so it is undefined for maps that change: move the randomness into draw(rng), "
                "and keep no state from one call to the next"
            )

    def compare_stack(self, points: list[NDArray], values: list[NDArray], chosen: NDArray) -> None:
        """Compare the images of a stack of points with those of the same points one by one."""
        if (wrong := self._mixed(points, values, chosen)) is None:
            return
        row, alone, together = wrong
        if points[0].dtype.kind == "f" and self._a_jump(points, chosen):
            return
        raise MapRefused(
            f"apply must treat every point independently: {self.name} sends theta = {shown(points[row])} to "
            f"{shown(alone)} alone, but to {shown(together)} in a batch of shape "
            f"{(*chosen.shape, *points[0].shape)}. {REMEDY}"
        )

    def _mixed(
        self, points: list[NDArray], values: list[NDArray], chosen: NDArray
    ) -> tuple[int, NDArray, NDArray] | None:
        batch, alone = np.stack(points)[chosen], np.stack(values)[chosen]
        try:
            images = self(batch)
        except (MapRefused, MemoryError):
            raise
        except Exception as error:
            raise MapRefused(
                f"apply must take points with any leading batch axes: {self.name} takes one point of shape "
                f"{points[0].shape}, but not a batch of shape {batch.shape} ({type(error).__name__}: {error}). {REMEDY}"
            ) from error
        if images.shape != batch.shape:
            raise MapRefused(
                f"maps must keep the shape of a batch of points: {self.name} takes {batch.shape} to {images.shape}. "
                f"{REMEDY}"
            )
        same = agree(images, alone, batch, self.space.event_ndim)
        if same.all():
            return None
        at = tuple(np.argwhere(~same)[0])[: chosen.ndim]
        return int(chosen[at]), alone[at], images[at]

    def _a_jump(self, points: list[NDArray], chosen: NDArray) -> bool:
        """Whether slightly moved points agree: the difference then came from a jump of the map close to a point."""
        rng = np.random.default_rng(1)
        moved = [p + (1e-6 * (1 + np.abs(p)) * rng.standard_normal(p.shape)).astype(p.dtype) for p in points]
        try:
            return self._mixed(moved, [self.at_one(p) for p in moved], chosen) is None
        except MapRefused:
            return False

    def compare_replicas(self, points: list[NDArray], values: list[NDArray]) -> None:
        """Check that replica 0 does not affect the others, and that stacked draws act like single draws."""
        x, family, n = points[0].copy(), self.operators.family, self.space.event_ndim
        x[0] = points[2][0]
        expected = values[0].copy()
        expected[0] = values[2][0]
        image = self.at_one(x)
        wrong = not agree(image, expected, x, n).all()
        draws = self.operators.draws[self.i - 1]
        if type(family).draw_block is RandomOperator.draw_block and family.vectorized:
            alone = [np.asarray(family.apply(x[r], draw)) for r, draw in enumerate(draws)]
            wrong = wrong or any(a.shape != x[0].shape for a in alone)
            wrong = wrong or not agree(np.stack(alone), expected, x, n).all()
        if wrong:
            raise MapRefused(
                f"replicas must not mix: {self.name} of {family!r} gives {shown(image)} for {len(x)} replicas "
                "at once, which differs from one replica at a time. Write apply for draws with a leading replica axis, "
                "(R, …) against theta (..., R, d) (one number per replica needs [..., None]), or omit vectorized=True"
            )

    def compare_affine(self, points: list[NDArray]) -> None:
        """Compare the affine form with the map itself at the points, in floats."""
        if points[0].dtype == object:
            return
        family, x = self.operators.family, np.stack(points).astype(float)
        form = family.affine(self.operators.draws[self.i - 1])
        if form is None:
            raise DeclarationRefuted(
                f"{family!r} says that its maps are affine, but affine(draw) of {self.name} is None"
            )
        image = self(x).astype(float)
        try:
            claimed = form(x)
        except ValueError as error:
            raise DeclarationRefuted(
                f"affine(draw) is not the map: {self.name} has A of shape {form.A.shape} and b of shape "
                f"{form.b.shape}, for points of shape {points[0].shape}: {error}"
            ) from error
        d = x.shape[-1]
        before, after = (np.max(np.abs(v), axis=-1, initial=0.0) for v in (x, image))
        scale = (1 + np.max(np.abs(form.A), initial=0.0) * d) * (1 + before) + after + np.max(np.abs(form.b))
        if claimed.shape != x.shape:
            raise DeclarationRefuted(
                f"affine(draw) is not the map: A x + b of {self.name} has shape {claimed.shape} for points {x.shape}"
            )
        apart = np.max(np.abs(image - claimed), axis=-1, initial=0.0)
        wrong = ~(apart <= gamma(OPERATIONS + 16 * d) * scale)
        wrong &= np.isfinite(image).all(axis=-1)
        if np.any(wrong):
            at = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
            raise DeclarationRefuted(
                f"affine(draw) is not the map: {self.name} of {family!r} sends x = {x[at].tolist()} to "
                f"{image[at].tolist()}, but A x + b = {np.asarray(claimed[at]).tolist()}. Correct affine=, or omit it"
            )
