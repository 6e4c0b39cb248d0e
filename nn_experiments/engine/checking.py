"""Is what will run the step that was asked for? Kernels and ensembles against the step, and the step against its source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from contraction.orders import Backward
from nn_experiments.engine.gpu import lost, out_of_memory
from nn_experiments.engine.kernels.choose import choose
from nn_experiments.engine.kernels.mlp import Kernel, StepKernel
from nn_experiments.training.batches import ArrayBatches
from nn_experiments.training.rounding import allowances, as_double, first_difference
from nn_experiments.training.self_check import WORD, word
from nn_experiments.training.step import State

__all__ = ["check_step", "checked_kernel", "why_not_ensemble"]


class _Doubled(ArrayBatches):
    """The batches of another source in float64."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        if isinstance(inner, ArrayBatches):
            self.sampler = inner.sampler

    def __call__(self, i: int) -> Any:
        return as_double(self.inner(i))


def check_step(step: Any, batches: Callable[[int], Any], state0: State) -> dict[str, str]:
    """Compare a step of from_torch with the user's own training loop; return what to record.

    Raises
    ------
    ValueError
        If it differs, with the tensor, the number of the step and the likely cause.
    """
    check = getattr(step, "self_check", None)
    if check is None:
        return {}
    return {"self-check": check if isinstance(check, str) else check(step, batches, state0)}


def checked_kernel(step: Any, batches: Any, state0: State, engine: str) -> tuple[Kernel, dict[str, str]]:
    """Return the kernel to run a step with, and what to record.

    With ``auto``, a kernel that differs from the step in three maps, or fails, is replaced by the step itself.

    Raises
    ------
    ValueError
        If a kernel that was asked for by name differs, with the tensor.
    """
    kernel = choose(step, batches, engine)
    check = getattr(step, "self_check", None)
    if check is None or isinstance(check, str) or isinstance(kernel, StepKernel):
        return kernel, {}
    reason = _why_not(step, batches, state0, lambda data: choose(step, data, kernel.name))
    if reason is None:
        return kernel, {}
    if engine != "auto":
        raise ValueError(f"the kernel {kernel.name} cannot be used for this step: {reason}; use engine='step'")
    return StepKernel(step, batches), {"not used": f"{kernel.name}: {reason}"}


def _why_not(step: Any, batches: Any, state0: State, make: Callable[[Any], Kernel]) -> str | None:
    """Return how a kernel differs from the step over three maps, or None."""
    for data, start in ((_Doubled(batches), as_double(state0)), (batches, state0)):
        indices = WORD if len({id(b) for b in word(data)}) == len(WORD) else (WORD[0], WORD[1], WORD[0])
        try:
            ends, limits = _expected(step, data, start, indices)
        except Exception:  # the module does not allow float64
            continue
        try:
            kernel = make(data)
            found = [kernel.apply(start, indices, 0) for _ in range(2)]
        except Exception as error:  # whatever the module's own code raises
            if out_of_memory(error) or lost(error):
                raise
            return f"it fails with {type(error).__name__}: {str(error).splitlines()[0]}"
        for end in found:
            difference = first_difference(ends[-1:], [end], limits[-1:])
            if difference:
                return f"it differs from the step in {difference[1]} by {difference[2]:.3g}"
        return None
    return "it cannot be compared with the step"


def _expected(
    step: Any, data: Callable[[int], Any], start: State, indices: Sequence[int]
) -> tuple[list[State], list[dict[str, float]]]:
    def run(state: State) -> list[State]:
        ends = []
        for t, i in enumerate(indices, 1):
            state = step(state, data(i), t)
            ends.append(state)
        return ends

    ends = run(start)
    return ends, allowances(ends, run, start)


def why_not_ensemble(step: Any, batches: Any, state0: State) -> str | None:
    """Return why the ensemble cannot run a step of from_torch, or how it differs from the step; None if it is right."""
    check = getattr(step, "self_check", None)
    if check is None or isinstance(check, str):
        return None
    from nn_experiments.engine.ensemble.wavefront import Ensemble, wavefront

    for data, start in ((_Doubled(batches), as_double(state0)), (batches, state0)):
        try:
            ends = [_expected(step, data, start, range(n, 0, -1)) for n in (1, 2)]
        except Exception:  # the module does not allow float64
            continue
        try:
            path = wavefront(step, data, Backward(), [1, 2], start, ensemble=Ensemble(chunk=2))
            found = {n: state for n, state, _ in path}
        except Exception as error:
            if out_of_memory(error) or lost(error):
                raise
            return str(error).splitlines()[0]
        for n, (expected, limits) in enumerate(ends, 1):
            difference = first_difference(expected[-1:], [found[n]], limits[-1:])
            if difference:
                return f"it differs from the step in {difference[1]} by {difference[2]:.3g}"
        return None
    return "it cannot be compared with the step"
