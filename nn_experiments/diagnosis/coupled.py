"""One replicate: forward runs under the same maps, measured along the way."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from nn_experiments.diagnosis.measured import AHEAD, FLOOR, INDEPENDENT, NEAR, NEXT, START, TRAVELLED
from nn_experiments.diagnosis.pairs import Pair, difference, jump, norm
from nn_experiments.diagnosis.subject import Replicate, Shifted
from nn_experiments.engine.kernels.choose import make_kernel
from nn_experiments.engine.kernels.mlp import Kernel
from nn_experiments.training.batches import Batches, SampledBatches
from nn_experiments.training.metrics import parameter_distance
from nn_experiments.training.step import State
from nn_experiments.training.trees import numbers_in

__all__ = ["BOUND", "POINTS", "Coupled", "batches_used", "grid", "maps_applied", "run_coupled"]

#: A run has diverged if it is not finite, or if its parameters are so many times as large as at θ_0 (plus 1).
BOUND = 1e6
POINTS = 40
#: Columns of the distances of the runs after the first.
COLUMNS = (NEXT, AHEAD, INDEPENDENT, START)
#: In how many windows of the second half, those in which the pair grew most, a jump is looked for.
EXAMINED = 3
#: The distance of a pair that stands for a derivative, relative to 1 + ‖θ‖ (float64 only).
TINY = 1e-8


def grid(steps: int) -> NDArray:
    """Return the n that are measured: 0, 1, 2, 4, …, then `POINTS` evenly spaced ones, among them N/4, N/2 and N.

    Examples
    --------
    >>> grid(8).tolist()
    [0, 1, 2, 3, 4, 5, 6, 7, 8]
    """
    even = {round(steps * k / POINTS) for k in range(POINTS + 1)}
    doubled = {2**k for k in range(16) if 2**k < steps / POINTS}
    return np.array(sorted(even | doubled | {steps // 4, steps // 2}))


def batches_used(steps: int, lag: int, *, independent: bool) -> int:
    """Return how many batches of one sequence a replicate uses."""
    return 2 * steps if independent else steps + lag


def maps_applied(steps: int, lag: int, *, start: bool, tiny: bool) -> float:
    """Return how many maps a replicate applies, without those for exponents of derivatives."""
    return 4 * steps + lag + 0.75 * steps * (1 + tiny) + steps * start


@dataclass
class Coupled:
    """What one replicate gives; arrays as in `nn_experiments.diagnosis.measured.Measured`, without the first axis."""

    parameter: NDArray
    function: NDArray
    diverged: int
    pairs: float
    tiny: float
    jumps: NDArray
    half: State | None


@dataclass
class _Chain:
    """A run, with the position that its first map has and the index of its first batch."""

    state: State
    kernel: Kernel
    ahead: int = 0
    offset: int = 0

    def advance(self, first: int, last: int) -> None:
        """Apply the maps first + 1 … last."""
        indices = range(self.offset + first + 1, self.offset + last + 1)
        self.state = self.kernel.apply(self.state, indices, self.ahead + first)


def run_coupled(
    replicate: Replicate,
    outputs: Callable[[State], torch.Tensor],
    n: NDArray,
    lag: int,
    *,
    eps: float,
    kernel: str,
    independent: bool,
    tiny: bool,
) -> Coupled:
    """Run the chains of one replicate side by side.

    Parameters
    ----------
    replicate
        Step, batches, θ_0.
    outputs
        State -> predictions (inputs, outputs).
    n
        The steps to measure, from `grid`.
    lag
        How many steps the second run is ahead.
    eps
        The distance that counts as settled, in units.
    kernel
        Name of the kernel that applies maps.
    independent
        Whether batches N + 1, N + 2, … are independent of B_1 … B_N; else ``replicate.others`` are.
    tiny
        Whether a pair at `TINY` stands for the derivative.

    Returns
    -------
    Coupled
        With NaN from the point where the replicate diverged.
    """
    steps = int(n[-1])
    own = make_kernel(replicate.step, replicate.batches, kernel)
    chains = _chains(replicate, own, steps, lag, kernel, independent=independent)
    parameter, function = np.full((2, len(n), 5), np.nan)
    reference = chains[0]
    scale = BOUND * (1 + norm(replicate.state0))
    begin = outputs(replicate.state0)
    pairs = [_Pairs(NEAR * eps, replicate.seed), *([_Pairs(None, replicate.seed)] if tiny else [])]
    half, diverged, before = None, -1, 0
    for k, now in enumerate(int(m) for m in n):
        for chain in chains:
            chain.advance(before, now)
        for pair in pairs:
            pair.advance(own, before, now)
        gone = [now + chain.ahead for chain in chains if not norm(chain.state) <= scale]  # NaN is not
        if gone:
            diverged = min(gone)
            break
        predicted = outputs(reference.state)
        for column, chain in zip(COLUMNS, chains[1:], strict=False):
            parameter[k, column] = parameter_distance(reference.state, chain.state)
            function[k, column] = _apart(predicted, outputs(chain.state))
        parameter[k, TRAVELLED] = parameter_distance(reference.state, replicate.state0)
        function[k, TRAVELLED] = _apart(predicted, begin)
        if now == steps // 2:
            half = reference.state
        if now >= steps // 4:
            unit = max(parameter[k, INDEPENDENT], FLOOR * parameter[k, TRAVELLED])
            for pair in pairs:
                pair.renew(reference.state, unit, now, counted=before >= steps // 2)
        before = now
    over = math.nan if diverged >= 0 else steps - steps // 2
    jumps = [window.jump(replicate, own) for window in pairs[0].fastest] if diverged < 0 else []
    return Coupled(
        parameter,
        function,
        diverged,
        pairs[0].grown / over,
        pairs[-1].grown / over if tiny else math.nan,
        np.array([*jumps, *[math.nan] * EXAMINED][:EXAMINED]),
        half if diverged < 0 else None,
    )


class _Pairs:
    """A pair beside the run at θ_0, held at a share of the unit, or at `TINY` if that is None, and its growth."""

    def __init__(self, share: float | None, seed: int) -> None:
        self.share, self.seed = share, seed
        self.pair: Pair | None = None
        self.grown = 0.0
        self.fastest: list[_Window] = []
        self.opening: tuple[int, State, State] | None = None

    def advance(self, kernel: Kernel, first: int, last: int) -> None:
        """Apply the maps first + 1 … last."""
        if self.pair is not None:
            self.pair.advance(kernel, range(first + 1, last + 1), first)

    def renew(self, near: State, unit: float, n: int, *, counted: bool) -> None:
        """Pull the pair back, or make it; add its growth if that is counted. Without a unit there is no pair."""
        size = TINY * (1 + norm(near)) if self.share is None else self.share * unit
        if not size > 0:
            self.pair, self.opening, self.grown = None, None, math.nan
            return
        if self.pair is None:
            self.pair = Pair(near, size, self.seed)
        else:
            grown = self.pair.renew(near, size)
            if counted and self.opening is not None:
                self.grown += grown
                self.fastest = sorted([*self.fastest, _Window(grown, *self.opening, n)], key=_growth)[:EXAMINED]
        self.opening = n, near, self.pair.state


@dataclass(frozen=True)
class _Window:
    """The maps first + 1 … last, the two states before them, and the logarithm of how far these grew apart."""

    grown: float
    first: int
    near: State
    other: State
    last: int

    def jump(self, replicate: Replicate, kernel: Kernel) -> float:
        """Return the largest jump of the map that drove the two states apart most, in units of their distance."""
        near, other = self.near, self.other
        before, largest = difference(near, other), (-math.inf, near, other, self.first + 1)
        for i in range(self.first + 1, self.last + 1):
            after = kernel.apply(near, range(i, i + 1), i - 1), kernel.apply(other, range(i, i + 1), i - 1)
            apart = difference(*after)
            if before > 0 and apart / before > largest[0]:
                largest = apart / before, near, other, i
            near, other, before = *after, apart
        _, near, other, i = largest
        return jump(replicate.step, replicate.batches(i), i, near, other)


def _growth(window: _Window) -> float:
    """Return what windows are sorted by, fastest first."""
    return -window.grown


def _chains(replicate: Replicate, own: Kernel, steps: int, lag: int, kernel: str, *, independent: bool) -> list[_Chain]:
    """Return the runs at θ_0, one step ahead, ``lag`` steps ahead, the independent one, and that of another start."""
    state0 = replicate.state0
    one = own.apply(state0, range(steps + 1, steps + 2), 0)
    far = own.apply(one, range(steps + 2, steps + lag + 1), 1)
    if independent:
        other = _Chain(state0, own, offset=steps)
    else:
        assert replicate.others is not None
        other = _Chain(state0, make_kernel(replicate.other_step or replicate.step, replicate.others, kernel))
    chains = [_Chain(state0, own), _Chain(one, own, ahead=1), _Chain(far, own, ahead=lag), other]
    if replicate.start is not None:
        chains.append(_Chain(replicate.start, own))
    return chains


def _apart(first: torch.Tensor, second: torch.Tensor) -> float:
    """Return the root mean square over inputs of the distance of outputs."""
    return float((first - second).square().sum(-1).mean().sqrt())


def kept_numbers(batches: Batches, used: int) -> int:
    """Return how many numbers batches hold in memory after they have been drawn once; 0 if they keep none."""
    inner = cast(Shifted, batches).inner if isinstance(batches, Shifted) else batches
    return used * numbers_in(inner(1).inputs) if isinstance(inner, SampledBatches) else 0
