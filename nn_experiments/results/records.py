"""Check that overwriting a record loses no data (no torch)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nn_experiments.results.curves import Curves
from nn_experiments.results.load import load

__all__ = ["check_keeps", "lost"]

#: So many curves that lose iterates are named one by one.
_NAMED = 3


def lost(there: Curves, new: Curves) -> list[str]:
    """Return, in words, what is recorded in ``there`` but not in ``new``; empty if nothing is.

    Compared is what was recorded, not its values: seeds, orders and metrics, then for every curve (seed, order,
    metric) its iterates. Distances to the last iterate are left out where the two runs end differently, since
    they are other quantities then. Results of another identity (other settings) are lost altogether.
    """
    ours, theirs = (curves.experiment.get("identity") for curves in (new, there))
    if ours != theirs:
        return [f"all of it: it has identity {theirs} (other settings), the new results {ours}"]
    texts = [
        text
        for what, before, after in (
            ("seeds", there.seeds, new.seeds),
            ("orders", there.orders, new.orders),
            ("metrics", sorted(_held(there, new)), sorted(_held(new, there))),
        )
        if (text := _missing(what, before, after))
    ]
    curves = _iterates_lost(there, new)
    texts += [
        f"{len(n)} iterate{'s' * (len(n) > 1)} of {curve} ({_ends(n)})" for curve, n in list(curves.items())[:_NAMED]
    ]
    if len(curves) > _NAMED:
        texts.append(f"iterates of {len(curves) - _NAMED} more curves")
    return texts


def check_keeps(path: Path, new: Curves) -> None:
    """Check that writing ``new`` to a file of record loses nothing that is there.

    Raises
    ------
    ValueError
        If the file holds what the new results lack (see `lost`), with a list of that; or if it cannot be read.
    """
    if path.exists() and (texts := lost(load(path), new)):
        raise ValueError(f"{path} would lose {'; '.join(texts)}. Nothing was written; --replace writes all the same")


def _held(curves: Curves, other: Curves) -> set[str]:
    """Return the metrics that have a value, less those that mean something else in other results."""
    same_end = curves.experiment.get("to_last") == other.experiment.get("to_last")
    return {
        name for name, mask in curves.recorded.items() if mask.any() and (same_end or not name.endswith("_to_last"))
    }


def _missing(what: str, before: Sequence[object], after: Sequence[object]) -> str:
    gone = [str(name) for name in before if name not in after]
    return f"{what} {', '.join(gone)}" if gone else ""


def _iterates_lost(there: Curves, new: Curves) -> dict[str, np.ndarray]:
    """Return the iterates that each curve loses, of the seeds, orders and metrics that both results have."""
    found = {}
    for metric in sorted(_held(there, new) & _held(new, there)):
        for seed in (seed for seed in there.seeds if seed in new.seeds):
            for order in (order for order in there.orders if order in new.orders):
                before, after = (curves.path(metric, seed=seed, order=order)[0] for curves in (there, new))
                gone = np.setdiff1d(before, after)
                if len(gone):
                    found[f"{metric}, seed {seed}, {order}"] = gone
    return found


def _ends(n: np.ndarray) -> str:
    return f"{n[0]:,}" if len(n) == 1 else f"{n[0]:,} to {n[-1]:,}"
