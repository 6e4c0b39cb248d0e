"""A search for violations of what a user's `DataLoss` states: the range [low, high] of phi'', and `bend`."""

from __future__ import annotations

import numpy as np

from contraction.families.losses import DataLoss
from contraction.maps.draws import sub_sequence
from contraction.maps.errors import DeclarationRefuted
from contraction.maps.rounding import gamma

__all__ = ["search_loss"]

PAIRS = 4096
OPERATIONS = 64  # phi' is assumed to be accurate to this many roundings of its argument and value


def search_loss(loss: DataLoss) -> None:
    """Refuse a loss whose phi' grows, between two numbers z, faster or slower than phi'' in [low, high] allows.

    The pairs of z lie around 0 and around the targets, on scales from 1e-3 to 1e3.

    Raises
    ------
    DeclarationRefuted
        If it does; the message states the pair.
    """
    rng = np.random.default_rng(sub_sequence(0, "loss"))
    y = rng.choice(loss.y, PAIRS)
    wide, narrow = (np.exp2(rng.uniform(-10, 10, PAIRS)) * rng.choice([-1.0, 1.0], PAIRS) for _ in range(2))
    a = np.where(rng.random(PAIRS) < 0.5, y, 0.0) + wide
    b = a + narrow
    with np.errstate(all="ignore"):
        at_a, at_b = (np.asarray(loss.slope(z, y), dtype=float) for z in (a, b))
        rise, gap = (at_b - at_a) * np.sign(b - a), np.abs(b - a)
        largest = max(abs(loss.low), abs(loss.high))
        room = gamma(OPERATIONS) * (np.abs(at_a) + np.abs(at_b) + largest * (np.abs(a) + np.abs(b) + np.abs(y)))
        broken = (rise > loss.high * gap + room) | (rise < loss.low * gap - room)
    if np.any(broken):
        i = int(np.argmax(np.where(broken, np.maximum(rise - loss.high * gap, loss.low * gap - rise) / gap, -np.inf)))
        raise DeclarationRefuted(
            f"{loss!r} states phi'' in [{loss.low!r}, {loss.high!r}], but the slope of phi' is "
            f"{float(rise[i] / gap[i]):.6g} between z = {float(a[i])!r} and {float(b[i])!r} at y = {float(y[i])!r}"
        )
