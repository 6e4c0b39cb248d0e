"""The wavefront: many chains at once, for a GPU and for wherever it wins.

Runs that start at the same anchor are aligned at their ends. Chain n of the backward order then joins when the sweep
reaches j = n, and from there on every live chain applies the same T_j.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from contraction.maps.orders import Order
from nn_experiments.engine.ensemble.conv_shape import ConvolutionShape
from nn_experiments.engine.ensemble.convolutions import WAYS, choose_convolution, laid_out
from nn_experiments.engine.ensemble.graphs import Sweeper
from nn_experiments.engine.ensemble.memory import activation_bytes, fitting
from nn_experiments.engine.ensemble.stacked_module import CannotWiden, Wide
from nn_experiments.engine.ensemble.sweep import Sweep, form_of
from nn_experiments.engine.gpu import free, out_of_memory
from nn_experiments.engine.kernels.mlp import StepKernel
from nn_experiments.engine.plan import Segment, plan
from nn_experiments.training.step import State, TrainingStep

__all__ = ["Ensemble", "Stacked", "split", "stack", "wavefront"]

Stacked = State

#: How many states of an ensemble are measured at once, unless measuring them one by one is found faster.
TOGETHER = 16
#: What the number of live chains is rounded up to on a GPU.
ON_A_GPU = 16
#: Ways to convolve are measured with at most so many chains: what one chain takes hardly changes beyond.
MEASURED = 128


@dataclass
class Ensemble:
    """How chains of a step are batched; what it chooses is kept in it, so that it can be recorded and given again.

    Attributes
    ----------
    chunk
        How many chains run together; halved where memory runs out. (default: what the free memory of a GPU holds when
        it is first needed; 32 on the CPU)
    form
        ``mlp``, ``wide`` or ``vmap`` (see `nn_experiments.engine.ensemble.sweep`); (default: the first that can run
        the step)
    convolutions
        Shape, as text -> way to convolve (see `nn_experiments.engine.ensemble.convolutions`). Shapes that are not in
        it are measured on a GPU, and added; on the CPU there is a rule.
    pad
        The number of active chains is padded to a multiple of this, within the chunk, so that cuDNN, CUDA graphs and
        the caching allocator see few sizes; padding chains are reset before they are used. (default: 16 on a GPU, 1 on
        the CPU)
    together
        How many states are measured at once (default: `TOGETHER`).
    halved
        The chunks that did not fit.
    reason
        Why the form is none of those before it.
    graphs
        How many CUDA graphs the last chunk's sweeps were replayed from, or why none
        (see `nn_experiments.engine.ensemble.graphs`).
    """

    chunk: int | None = None
    form: str | None = None
    convolutions: dict[str, str] = field(default_factory=dict)
    pad: int | None = None
    together: int | None = None
    halved: list[int] = field(default_factory=list)
    reason: str = ""
    graphs: int | str = 0

    def __post_init__(self) -> None:
        unknown = set(self.convolutions.values()) - set(WAYS)
        if unknown:
            raise ValueError(f"unknown way to convolve {min(unknown)!r}; the known ones are {', '.join(WAYS)}")

    def metadata(self) -> dict[str, Any]:
        """Return what decides last bits, for the record."""
        more: dict[str, Any] = {"convolutions": dict(self.convolutions)} if self.convolutions else {}
        more |= {"pad": self.pad} if (self.pad or 1) > 1 else {}
        return {"chunk": self.chunk, "form": self.form} | more | ({"halved": self.halved} if self.halved else {})

    def prepare(self, step: TrainingStep, batches: Any, state: State, first: int) -> Wide | None:
        """Choose what is not given; return the wide form of the step's module if that is the form.

        Parameters
        ----------
        state
            θ0.
        first
            Index of some batch.

        Raises
        ------
        TypeError
            If the step cannot be batched, with the reason.
        """
        asked = self.form
        if self.pad is None:
            self.pad = ON_A_GPU if next(iter(state["parameters"].values())).is_cuda else 1
        self.form, self.reason = form_of(step, batches, form=asked)
        if self.form == "wide":
            try:
                return self._widened(step, state, batches(first)[0])
            except CannotWiden as error:
                if asked == "wide":
                    raise
                self.form, self.reason = "vmap", f"{self.reason}; not in wide form, {error}"
        if self.chunk is None:  # by hand, there is next to nothing to keep
            self.chunk = fitting(step, state, 0 if self.form == "mlp" else None)
        return None

    def _widened(self, step: TrainingStep, state: State, inputs: torch.Tensor) -> Wide:
        """Choose chunk and convolutions; return the wide form.

        The ways to convolve are chosen first, for the chunk that fits if they keep nothing but the images (at most
        `MEASURED`); ``products`` keep their columns too, so the chunk is then counted again.
        """
        shapes: dict[ConvolutionShape, None] = {}

        def note(shape: ConvolutionShape, chains: int) -> str:
            shapes[shape] = None
            return "grouped"

        activations = activation_bytes(step, Wide(step.model, way=note), state, inputs)
        if self.chunk is None:
            self.chunk = fitting(step, state, activations)
            ways = {shape: self._way(shape, state) for shape in shapes}
            kept = activation_bytes(step, Wide(step.model, way=lambda shape, chains: ways[shape]), state, inputs)
            self.chunk = fitting(step, state, kept)
            free()  # the largest tensors of a run were those that convolutions were measured with
        return Wide(step.model, way=lambda shape, live: self._way(shape, state))

    def _way(self, shape: ConvolutionShape, state: State) -> str:
        key = str(shape)
        if key in self.convolutions:
            return self.convolutions[key]
        some = next(iter(state["parameters"].values()))
        way = choose_convolution(shape, min(self.chunk or 1, MEASURED), some.device, some.dtype)
        if some.device.type != "cpu":
            self.convolutions[key] = way
        return way


def wavefront(
    step: Any,
    batches: Any,
    order: Order,
    at: Sequence[int],
    state0: State,
    *,
    chunk: int | None = None,
    ensemble: Ensemble | None = None,
) -> Iterator[tuple[int, State, Segment | None]]:
    """Yield (n, iterate n, its run) for n in increasing order, as `walk` does, with chains batched.

    Where memory runs out (``torch.OutOfMemoryError``), the chunk is halved, with a line on standard error, and the
    chains that did not fit start again.

    Parameters
    ----------
    chunk
        How many chains run together; see `Ensemble`. The numbers depend on it in the last bits: record it.
    ensemble
        All choices, and where those made here are kept; in place of ``chunk``.

    Raises
    ------
    TypeError
        If the step cannot be batched, with the reason.
    torch.OutOfMemoryError
        If not even one chain fits.
    """
    if not isinstance(step, TrainingStep):
        what = f"{type(step).__name__} is not a TrainingStep"
        raise TypeError(f"the ensemble engine cannot run this step: {what}; use engine='step'")
    ensemble = ensemble or Ensemble(chunk=chunk)
    runs = plan(order, at)
    wanted = set(at)
    first = next((run.indices[0] for run in runs if len(run.indices)), None)
    if first is not None and not step.optimizer.is_plain_sgd:
        slopes, _ = step.gradients(state0, batches(first))
        idle = next((name for name, slope in slopes.items() if slope is None), None)
        if idle is not None:
            what = f"the loss does not depend on {idle}, which {step.optimizer.method} would move all the same"
            raise TypeError(f"the ensemble engine cannot run this step: {what}; use engine='step'")
    wide = None if first is None else ensemble.prepare(step, batches, state0, first)
    workplace = _Workplace(ensemble, step, batches, wide)
    groups: dict[int, list[Segment]] = {}
    for run in runs:
        groups.setdefault(run.anchor, []).append(run)
    states: dict[int, State] = {0: state0}
    ready: dict[int, tuple[State, Segment]] = {}
    if 0 in wanted:
        yield 0, state0, None
    todo = [run for run in runs if run.n in wanted]
    for anchor in sorted(groups):
        group = groups[anchor]
        while group:
            part = sorted(group[: ensemble.chunk], key=lambda run: -len(run.indices))
            ends = _fitted(workplace, part, states[anchor])
            if ends is None:
                continue
            group = group[len(part) :]
            for run, state in zip(part, ends, strict=True):
                if run.n in wanted:
                    ready[run.n] = (state, run)
                if run.n in groups:
                    states[run.n] = state
            del ends
            while todo and todo[0].n in ready:
                state, run = ready.pop(todo.pop(0).n)
                yield run.n, state, run
            state = None  # the chunk's last state is not kept while the next one runs
        del states[anchor]


def _fitted(workplace: _Workplace, part: Sequence[Segment], start: State) -> list[State] | None:
    """Return the ends of some runs, or None after halving the chunk because they did not fit into memory."""
    ensemble = workplace.ensemble
    try:
        return split(_together(workplace, part, start), len(part))
    except RuntimeError as error:
        if len(part) == 1 or not out_of_memory(error):
            raise
    # only here, with the exception and the tensors in its frames gone, is their memory free
    ensemble.halved.append(len(part))
    ensemble.chunk = (len(part) + 1) // 2
    print(
        f"out of memory with {len(part)} chains together: going on with {ensemble.chunk} from the start of the chunk",
        file=sys.stderr,
    )
    free()
    return None


def split(stacked: Stacked, count: int) -> list[State]:
    """Return the members of an ensemble as states of their own (copies)."""
    return [
        {part: {key: value[c].clone() for key, value in values.items()} for part, values in stacked.items()}
        for c in range(count)
    ]


def stack(start: State, count: int) -> Stacked:
    """Return an ensemble of ``count`` copies of a state, laid out in memory as the device wants it."""

    def stacked(value: torch.Tensor) -> torch.Tensor:
        copies = value.expand(count, *value.shape)
        if value.dim() != 4:
            return copies.clone(memory_format=torch.contiguous_format)
        return laid_out(copies.new_empty(copies.shape)).copy_(copies)

    return {part: {key: stacked(value) for key, value in values.items()} for part, values in start.items()}


class _Workplace:
    """What a wavefront's chunks have in common; on a GPU also the state that runs of one chain share, and its graphs.

    A forward path is many such runs, one after the other.
    """

    def __init__(self, ensemble: Ensemble, step: TrainingStep, batches: Any, wide: Wide | None) -> None:
        self.ensemble, self.step, self.batches, self.wide = ensemble, step, batches, wide
        self.single: Sweeper | None = None

    def begin(self, start: State, count: int) -> Sweeper | None:
        """Return what sweeps over ``count`` chains at ``start``, or None if a single chain is to go step by step."""
        if count > 1 or self.single is None:
            state = stack(start, count)
            sweeper = Sweeper(self.ensemble.form or "vmap", self.step, state, self.wide)
            if count > 1:
                return sweeper
            if sweeper.refused is not None:
                return None
            self.single = sweeper
        else:
            _start_over(self.single.state, start, 0, 1)
        return self.single


def _together(workplace: _Workplace, runs: Sequence[Segment], start: State) -> Stacked:
    """Apply runs, sorted by length from the longest, all to the state ``start``; return their ends, stacked."""
    step, batches, ensemble = workplace.step, workplace.batches, workplace.ensemble
    apply = workplace.begin(start, len(runs))
    if apply is None:
        alone = StepKernel(step, batches).apply(start, runs[0].indices, runs[0].before)
        return {part: {key: value[None] for key, value in values.items()} for part, values in alone.items()}
    state = apply.state
    some = next(iter(start["parameters"].values()))
    rate_of = step.optimizer.rate
    pad, begun, swept = ensemble.pad or 1, 0, 0
    for left in range(len(runs[0].indices), 0, -1):
        live = sum(len(run.indices) >= left for run in runs)
        if swept > begun < live:  # these were swept along before their time
            _start_over(state, start, begun, live)
        begun, swept = live, min(len(runs), -(-live // pad) * pad)
        indices = [run.indices[len(run.indices) - left] for run in runs[:live]]
        places = [run.before + len(run.indices) - left + 1 for run in runs[:live]]
        indices, places = (numbers + numbers[:1] * (swept - live) for numbers in (indices, places))
        rates = [rate_of(t, i) for t, i in zip(places, indices, strict=True)]
        same = len(set(rates)) == 1
        rate: Any = rates[0] if same else torch.tensor(rates, dtype=some.dtype, device=some.device)
        apply(batches, Sweep(indices, places, rate))
    ensemble.graphs = apply.refused or apply.recorded
    return state


def _start_over(state: Stacked, start: State, begin: int, end: int) -> None:
    """Set chains back to where all start; what the start does not have counts as zero."""
    for part, values in state.items():
        for key, value in values.items():
            if key in start.get(part, {}):
                value[begin:end] = start[part][key]
            else:
                value[begin:end] = 0
