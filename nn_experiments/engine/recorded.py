"""A check, before anything is computed, that `from_loop` has recorded enough batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from contraction.limits.settled import lengths
from contraction.maps.orders import Order
from nn_experiments.engine.batch_norm import StatisticsRefresh
from nn_experiments.engine.plan import plan
from nn_experiments.training.averages import EMA, SWA, Average, Polyak, SuffixMean
from nn_experiments.training.batches import Batches
from nn_experiments.training.from_loop import RecordedBatches
from nn_experiments.training.policies import Policy, ResetIfBetter, StopWhenSettled
from nn_experiments.training.step import Step

__all__ = ["check_recorded"]


def check_recorded(
    step: Step, batches: Batches, curves: Sequence[Order | Average | Policy], at: Sequence[int], *, least: int = 0
) -> None:
    """Check that `from_loop` has recorded the batches that the iterates need; other sources have no last batch.

    Parameters
    ----------
    step, batches
        As in `nn_experiments.iterates`.
    curves, at
        What will be computed, and at which iterates.
    least
        The number of batches that are needed for something else (default: 0).

    Raises
    ------
    ValueError
        If fewer batches were recorded than are needed; the message has both numbers.
    """
    if not isinstance(batches, RecordedBatches):
        return
    needed = max(least, *(_largest(step, batches, curve, at) for curve in curves))
    if needed > len(batches):
        raise ValueError(
            f"{needed} batches are needed, and {len(batches)} were recorded: pass steps={needed} to from_loop"
        )


def _largest(step: Step, batches: Batches, curve: Order | Average | Policy, at: Sequence[int]) -> int:
    """Return the largest i such that B_i is needed for iterates of a curve."""
    last = max(at)
    match curve:
        case SWA():
            fresh = any(map(curve.refreshes, at)) and StatisticsRefresh(step, batches, curve.refresh).names
            return max(last, curve.refresh) if fresh else last
        case StopWhenSettled():
            return max(last, max(curve.looks_at(last), default=0) + max(lengths(1)))
        case EMA() | Polyak() | SuffixMean() | ResetIfBetter():
            return last
    return max((max(segment.indices) for segment in plan(cast(Order, curve), at) if len(segment.indices)), default=0)
