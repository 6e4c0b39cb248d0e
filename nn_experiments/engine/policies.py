"""Iterates under a policy: computed in sequence, since each decision needs the iterates before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from contraction.limits.settled import Settling, lengths
from nn_experiments.engine.kernels.mlp import Kernel
from nn_experiments.engine.plan import Segment
from nn_experiments.training.metrics import parameter_distance
from nn_experiments.training.policies import ResetIfBetter, StopWhenSettled
from nn_experiments.training.step import State

__all__ = ["reset_if_better", "stop_when_settled"]

#: n, iterate n, its segment, and the policy's decision: the start of the word, or the iterate at which it stopped.
Decided = Iterator[tuple[int, State, Segment | None, int]]


def reset_if_better(
    kernel: Kernel, at: Sequence[int], state0: State, policy: ResetIfBetter, judge: Callable[[State], float]
) -> Decided:
    """Yield the iterates under `ResetIfBetter`.

    Parameters
    ----------
    kernel
        Applies the maps.
    at
        The iterates that are wanted.
    state0
        θ_0.
    policy
        When to look at the metric, and what is better.
    judge
        State -> the policy's metric.
    """
    start, anchor, best = 0, state0, judge(state0)
    wanted = set(at)
    if 0 in wanted:
        yield 0, state0, None, 0
    for n in sorted({*wanted, *policy.looks_at(max(at))} - {0}):
        segment = Segment(n, start, range(n, start, -1), start, start + 1)
        state = kernel.apply(anchor, segment.indices, segment.before)
        if n in wanted:
            yield n, state, segment, start
        if n % policy.every == 0 and policy.improves(value := judge(state), best):
            start, anchor, best = n, state, value


def stop_when_settled(kernel: Kernel, at: Sequence[int], state0: State, policy: StopWhenSettled) -> Decided:
    """Yield the iterates under `StopWhenSettled`."""
    rule = Settling(policy.eps)
    wanted, horizons = set(at), set(policy.looks_at(max(at)))
    if 0 in wanted:
        yield 0, state0, None, 0
    stopped: tuple[int, State, Segment] | None = None
    for n in sorted({*wanted, *horizons} - {0}):
        if stopped is not None:
            if n in wanted:
                yield n, stopped[1], stopped[2], stopped[0]
            continue
        segment = Segment(n, 0, range(n, 0, -1), 0, 1)
        state = kernel.apply(state0, segment.indices, 0)
        if n in wanted:
            yield n, state, segment, n
        if n in horizons:
            further = [(m, kernel.apply(state0, range(n + m, n, -1), 0)) for m in lengths(1)]
            moved = [parameter_distance(state0, fresh) for _, fresh in further]
            apart = [parameter_distance(state, kernel.apply(fresh, segment.indices, m)) for m, fresh in further]
            if rule.after(moved, apart):
                stopped = (n, state, segment)
