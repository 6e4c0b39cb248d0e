"""Checks of steps, kernels and ensembles against the user's own training loop, before they are used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

from contraction.maps.orders import CustomOrder
from nn_experiments.engine.gpu import device_is_lost, out_of_memory
from nn_experiments.engine.kernels.choose import make_kernel
from nn_experiments.engine.kernels.mlp import Kernel, StepKernel
from nn_experiments.training.batches import Batch, Batches, BatchLike, SampledBatches
from nn_experiments.training.reference import Reference
from nn_experiments.training.rounding import Difference
from nn_experiments.training.self_check import SelfCheck
from nn_experiments.training.step import State, Step, TrainingStep

__all__ = ["check_step", "checked_kernel", "describe", "why_not_ensemble"]


class _Converted(SampledBatches):
    """The batches of another source, in the precision and on the device of a comparison."""

    def __init__(self, inner: Batches, convert: Callable[[BatchLike], BatchLike]) -> None:
        self.inner, self.convert = inner, convert
        if isinstance(inner, SampledBatches):
            super().__init__(inner.sampler)

    def __call__(self, i: int) -> Batch:
        """Return B_i, converted."""
        return self.draw(i)

    def draw(self, i: int) -> Batch:
        """Return B_i, converted, which is not cached."""
        return cast(Batch, self.convert(self.inner(i)))

    def describe(self) -> dict[str, object]:
        """Return what the batches depend on."""
        return {"converted": self.inner}


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
        check.references = []  # they may be large
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


def _references(step: Step, check: SelfCheck, batches: Batches, state0: State) -> list[Reference]:
    """Return the states of the user's own loop; they are computed again if the check of the step used other batches."""
    if not check.references:
        check.known = [one for one in check.known if one[0] is not batches or one[1] != "step"]
        check(step, batches, state0)
    references, check.references = check.references, []  # they may be large
    return references


def _first_reason(references: list[Reference], compare: Callable[[Reference], str | None]) -> str | None:
    """Return how a program differs from the user's own loop on the first device where it does, or how it fails."""
    for reference in references:
        try:
            reason = compare(reference)
        except Exception as error:  # whatever the module's own code raises
            if out_of_memory(error) or device_is_lost(error):
                raise
            if reference.optional:  # it will run elsewhere
                continue
            lines = str(error).splitlines() or ["no message"]
            return f"it fails with {type(error).__name__}: {lines[0]}"
        if reason:
            return reason
    return None


def _kernel_differs(step: Step, check: SelfCheck, batches: Batches, state0: State, name: str) -> str | None:
    """Return how a kernel differs over three maps, or over one after that, or None."""

    def compare(reference: Reference) -> str | None:
        kernel = make_kernel(step, _Converted(batches, reference.converted), name)

        def chain(state: State, indices: Sequence[int]) -> State:
            return kernel.apply(state, indices, 0)

        for count in (len(reference.indices), 1):  # a second chain starts where the first one did
            difference = reference.difference({count: chain(reference.start, reference.indices[:count])})
            if difference:
                return _in_words(difference, reference)
        return _slopes_differ(step, reference, chain)

    with check.kept_caches(step):
        return _first_reason(_references(step, check, batches, state0), compare)


def _slopes_differ(step: Step, reference: Reference, chain: Callable[[State, Sequence[int]], State]) -> str | None:
    """Return how the gradients of a program differ, where the comparison is by gradients, or None."""
    if reference.slopes is None or not isinstance(step, TrainingStep):
        return None
    difference = reference.slopes.of_program(step, lambda state, t: chain(state, reference.indices[t - 1 : t]))
    return _in_words(difference, reference) if difference else None


def _in_words(difference: Difference, reference: Reference) -> str:
    _, name, gap, allowed = difference
    return (
        f"it differs from your own training loop{reference.place} in {name} by {gap:.3g}, where rounding explains "
        f"{allowed:.1g}"
    )


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

    def compare(reference: Reference) -> str | None:
        count, data = len(reference.indices), _Converted(batches, reference.converted)
        ensemble = Ensemble(chunk=2)

        def ends(state: State, words: Mapping[int, Sequence[int]]) -> dict[int, State]:
            order = CustomOrder(lambda n: list(reversed(words[n])))
            return {n: end for n, end, _ in wavefront(step, data, order, list(words), state, ensemble=ensemble)}

        words = {n: reference.indices[:n] for n in (1, count)}
        difference = reference.difference(ends(reference.start, words))
        if difference:
            return _in_words(difference, reference)

        def second(state: State, indices: Sequence[int]) -> State:
            return ends(state, {1: indices, 2: indices})[2]  # a chain by itself would be run by the step

        return _slopes_differ(step, reference, second)

    with check.kept_caches(step):
        return _first_reason(_references(step, check, batches, state0), compare)
