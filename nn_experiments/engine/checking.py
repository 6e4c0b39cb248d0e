"""Checks of steps, kernels and ensembles against the user's own training loop, before they are used."""

from __future__ import annotations

from typing import cast

from contraction.maps.orders import CustomOrder
from nn_experiments.engine.gpu import device_is_lost, out_of_memory
from nn_experiments.engine.kernels.choose import make_kernel
from nn_experiments.engine.kernels.mlp import Kernel, StepKernel
from nn_experiments.training.batches import Batch, Batches, SampledBatches
from nn_experiments.training.rounding import as_double
from nn_experiments.training.self_check import Reference, SelfCheck
from nn_experiments.training.step import State, Step

__all__ = ["check_step", "checked_kernel", "describe", "why_not_ensemble"]


class _Doubled(SampledBatches):
    """The batches of another source, in float64."""

    def __init__(self, inner: Batches) -> None:
        self.inner = inner
        if isinstance(inner, SampledBatches):
            super().__init__(inner.sampler)

    def __call__(self, i: int) -> Batch:
        """Return B_i in float64."""
        return self.draw(i)

    def draw(self, i: int) -> Batch:
        """Return B_i in float64, which is not cached."""
        return cast(Batch, as_double(self.inner(i)))

    def describe(self) -> dict[str, object]:
        """Return what the batches depend on."""
        return {"in float64": self.inner}


def check_step(step: Step, batches: Batches, state0: State) -> dict[str, str]:
    """Compare a step of `from_torch` with the user's own training loop; return what to record.

    Raises
    ------
    CannotReplay
        If the step differs; the message has the tensor, the number of the step and the likely cause.
    """
    check = getattr(step, "self_check", None)
    if check is None:
        return {}
    return {"self-check": check(step, batches, state0)}


def checked_kernel(step: Step, batches: Batches, state0: State, engine: str) -> tuple[Kernel, dict[str, str]]:
    """Return the kernel to run a step with, and what to record.

    If ``engine`` is "auto" and the kernel fails, or differs from the user's own loop over three maps, the step itself
    is used.

    Raises
    ------
    ValueError
        If ``engine`` names a kernel that differs or fails; the message has the tensor or the error.
    """
    kernel = make_kernel(step, batches, engine)
    check = getattr(step, "self_check", None)
    if not isinstance(check, SelfCheck):
        return kernel, {}
    if isinstance(kernel, StepKernel):
        check.reference = None  # it may be large
        return kernel, {}
    before = check.recall(batches, kernel.name)
    if before is None:
        before = (_kernel_differs(step, check, batches, state0, kernel.name),)
        check.remember(batches, kernel.name, *before)
    (reason,) = before
    if reason is None:
        return kernel, {}
    if engine != "auto":
        raise ValueError(f"the kernel {kernel.name} cannot be used for this step: {reason}; use engine='step'")
    return StepKernel(step, batches), {"not used": f"{kernel.name}: {reason}"}


def describe(kernel: Kernel) -> dict[str, str]:
    """Return the name of the kernel that ran, and why the step itself ran in its place, if it did."""
    if kernel.refused is None:
        return {"engine": kernel.name}
    return {"engine": "step", "not used": f"{kernel.name}: {kernel.refused}"}


def _reference(step: Step, check: SelfCheck, batches: Batches, state0: State) -> Reference:
    """Return the states of the user's own loop; they are computed again if the check of the step used other batches."""
    if check.reference is None:
        check.known = [entry for entry in check.known if entry[:2] != (batches, "step")]
        check(step, batches, state0)
    assert check.reference is not None
    reference, check.reference = check.reference, None  # it may be large
    return reference


def _kernel_differs(step: Step, check: SelfCheck, batches: Batches, state0: State, name: str) -> str | None:
    """Return how a kernel differs over three maps, or over one after that, or None."""
    reference = _reference(step, check, batches, state0)
    data = _Doubled(batches) if reference.double else batches
    try:
        kernel = make_kernel(step, data, name)
        for count in (len(reference.indices), 1):  # a second chain starts where the first one did
            end = kernel.apply(reference.start, reference.indices[:count], 0)
            difference = reference.difference({count: end})
            if difference:
                return _in_words(difference)
    except Exception as error:  # whatever the module's own code raises
        if out_of_memory(error) or device_is_lost(error):
            raise
        return f"it fails with {type(error).__name__}: {str(error).splitlines()[0]}"
    return None


def _in_words(difference: tuple[int, str, float, float]) -> str:
    _, name, gap, allowed = difference
    return f"it differs from your own training loop in {name} by {gap:.3g}, where rounding explains {allowed:.1g}"


def why_not_ensemble(step: Step, batches: Batches, state0: State) -> str | None:
    """Return why the ensemble cannot run a step of `from_torch`, or how it differs from the user's loop, or None.

    Two chains are compared: one with all maps of the check, and one with the first map only.
    """
    check = getattr(step, "self_check", None)
    if not isinstance(check, SelfCheck):
        return None
    before = check.recall(batches, "ensemble")
    if before is None:
        before = (_ensemble_differs(step, check, batches, state0),)
        check.remember(batches, "ensemble", *before)
    return before[0]


def _ensemble_differs(step: Step, check: SelfCheck, batches: Batches, state0: State) -> str | None:
    from nn_experiments.engine.ensemble.wavefront import Ensemble, wavefront

    reference = _reference(step, check, batches, state0)
    count = len(reference.indices)
    data = _Doubled(batches) if reference.double else batches
    words = {n: list(reversed(reference.indices[:n])) for n in (1, count)}
    order = CustomOrder(lambda n: words[n])
    try:
        path = wavefront(step, data, order, [1, count], reference.start, ensemble=Ensemble(chunk=2))
        ends = {n: state for n, state, _ in path}
    except Exception as error:
        if out_of_memory(error) or device_is_lost(error):
            raise
        return str(error).splitlines()[0]
    difference = reference.difference({n: ends[n] for n in words})
    return _in_words(difference) if difference else None
