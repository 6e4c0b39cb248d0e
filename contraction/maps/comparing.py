"""How the probe compares values and shows them in messages."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["agree", "equal", "is_finite", "shown"]


def equal(a: NDArray, b: NDArray) -> bool:
    """Whether two arrays have the same shape and values; NaN equals NaN."""
    if a.shape != b.shape:
        return False
    if bool(np.all(a == b)):
        return True
    return a.dtype.kind == b.dtype.kind == "f" and bool(np.all((a == b) | (np.isnan(a) & np.isnan(b))))


def is_finite(x: NDArray) -> bool:
    """Whether an array contains neither NaN nor infinity."""
    return x.dtype.kind != "f" or bool(np.all(np.isfinite(x)))


def agree(images: NDArray, alone: NDArray, points: NDArray, event_ndim: int) -> NDArray:
    """Which points have equal images, shape (...): exactly for exact types, to half of the digits for floats.

    Libraries may sum in a different order for a different batch, and a map may lose digits by cancellation; neither
    loses half of the digits.
    """
    axes = tuple(range(images.ndim - event_ndim, images.ndim))
    same = np.asarray(images == alone, dtype=bool)
    if images.dtype.kind != "f" or alone.dtype.kind != "f" or same.all():
        return np.asarray(same.all(axis=axes))
    digits = max(np.finfo(images.dtype).eps, np.finfo(alone.dtype).eps) ** 0.5
    sizes = [np.where(np.isfinite(v), np.abs(v), 0.0) for v in (alone, points.astype(float))]
    scale = sum(np.max(v, axis=axes, keepdims=True, initial=0.0) for v in sizes)
    same |= np.isnan(images) & np.isnan(alone)
    return np.asarray((same | (np.abs(images - alone) <= digits * scale)).all(axis=axes))


def shown(x: object, most: int = 8) -> str:
    """Text of a value for a message: an array of more than ``most`` numbers is shortened."""
    if isinstance(x, np.ndarray):
        return str(x.tolist()) if x.size <= most else f"an array {x.shape} that starts {x.reshape(-1)[:most].tolist()}"
    text = repr(x)
    return text if len(text) <= 200 else text[:200] + "…"
