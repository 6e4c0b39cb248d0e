"""The wavefront engine: many chains at once, on a GPU or wherever that is faster.

Segments that start at the same anchor are aligned at their ends. Chain n of the backward order joins when the sweep
reaches j = n, and from then on every live chain applies the same T_j.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch

from contraction.maps.orders import Order
from nn_experiments.engine.ensemble.conv_shape import ConvolutionShape
from nn_experiments.engine.ensemble.convolutions import WAYS, choose_convolution, laid_out
from nn_experiments.engine.ensemble.graphs import Sweeper
from nn_experiments.engine.ensemble.memory import activation_bytes, fitting
from nn_experiments.engine.ensemble.stacked_module import CannotWiden, Wide
from nn_experiments.engine.ensemble.sweep import Sweep, Uneven, form_of
from nn_experiments.engine.gpu import attempt, free
from nn_experiments.engine.kernels.mlp import StepKernel
from nn_experiments.engine.plan import Segment, plan
from nn_experiments.training.batches import Batches
from nn_experiments.training.step import State, Step, TrainingStep

__all__ = ["Ensemble", "Stacked", "split", "stack", "wavefront"]

Stacked = State

#: How many states of an ensemble are measured at once.
TOGETHER = 16
#: On a GPU, the number of active chains is padded to a multiple of this.
ON_A_GPU = 16
#: Ways to convolve are measured with at most this many chains; beyond, the time per chain hardly changes.
MEASURED = 128


@dataclass
class Ensemble:
    """How chains of a step are batched; its choices are stored here, so that they can be recorded and repeated.

    Attributes
    ----------
    chunk
        How many chains run together; halved if memory runs out (default: as many as the free memory of a GPU holds at
        the first use; 32 on the CPU).
    form
        ``mlp``, ``wide`` or ``vmap``, see `nn_experiments.engine.ensemble.sweep` (default: the first that can run the
        step).
    convolutions
        Shape, as text -> way to convolve (see `nn_experiments.engine.ensemble.convolutions`). On a GPU, other shapes
        are measured and added; on the CPU a rule decides.
    pad
        The number of active chains is padded to a multiple of this number, within the chunk, so that cuDNN, CUDA graphs
        and the caching allocator see few sizes (default: 16 on a GPU, 1 on the CPU). Padding chains are reset before
        they become active.
    together
        How many states are measured at once (default: `TOGETHER`).
    halved
        The chunks that did not fit into memory.
    reason
        Why the forms before ``form`` cannot run the step.
    graphs
        Number of CUDA graphs that the last chunk's sweeps were replayed from, or why there is none (see
        `nn_experiments.engine.ensemble.graphs`).
    uneven
        Which batches could not be stacked, because of which chains run one at a time from there on.
    """

    chunk: int | None = None
    form: str | None = None
    convolutions: dict[str, str] = field(default_factory=dict)
    pad: int | None = None
    together: int | None = None
    halved: list[int] = field(default_factory=list)
    reason: str = ""
    graphs: int | str = 0
    uneven: str = ""

    def __post_init__(self) -> None:
        """Check the ways to convolve."""
        unknown = set(self.convolutions.values()) - set(WAYS)
        if unknown:
            raise ValueError(f"unknown way to convolve {min(unknown)!r}; the known ones are {', '.join(WAYS)}")

    def metadata(self) -> dict[str, object]:
        """Return the choices that the last bits of results depend on, to be recorded."""
        choices: dict[str, object] = {"chunk": self.chunk, "form": self.form}
        if self.convolutions:
            choices["convolutions"] = dict(self.convolutions)
        if (self.pad or 1) > 1:
            choices["pad"] = self.pad
        if self.halved:
            choices["halved"] = self.halved
        if self.uneven:
            choices["one chain at a time"] = self.uneven
        return choices

    def prepare(self, step: TrainingStep, batches: Batches, state: State, first: int) -> Wide | None:
        """Choose the settings that are not given; return the wide form of the step's module if that is the form.

        Parameters
        ----------
        step, batches
            As in `wavefront`.
        state
            θ_0.
        first
            Index of some batch.

        Returns
        -------
        Wide or None
            None for the other forms.

        Raises
        ------
        TypeError
            If the step cannot be batched, with the reason.
        CannotWiden
            If ``form`` is "wide" and the module has no wide form; it is a TypeError.
        """
        given = self.form
        if self.pad is None:
            self.pad = ON_A_GPU if next(iter(state["parameters"].values())).is_cuda else 1
        self.form, self.reason = form_of(step, batches, form=given)
        if self.form == "wide":
            try:
                return self._widened(step, state, batches(first)[0])
            except CannotWiden as error:
                if given == "wide":
                    raise
                self.form, self.reason = "vmap", f"{self.reason}; not in wide form, {error}"
        if self.chunk is None:  # the hand-written form keeps almost no activations
            self.chunk = fitting(step, state, 0 if self.form == "mlp" else None)
        return None

    def _widened(self, step: TrainingStep, state: State, inputs: torch.Tensor) -> Wide:
        """Choose chunk and convolutions; return the wide form.

        The ways to convolve are chosen first, for the chunk that fits (at most `MEASURED`) if they save nothing but the
        images. ``products`` save their columns as well, so the chunk is then computed again.
        """
        shapes: dict[ConvolutionShape, None] = {}

        def note(shape: ConvolutionShape, chains: int) -> str:
            shapes[shape] = None
            return "grouped"

        activations = activation_bytes(step, Wide(step.model, way=note), state, inputs)
        if self.chunk is None:
            self.chunk = fitting(step, state, activations)
            ways = {shape: self._way(shape, state) for shape in shapes}
            activations = activation_bytes(step, Wide(step.model, way=lambda shape, chains: ways[shape]), state, inputs)
            self.chunk = fitting(step, state, activations)
            free()  # the largest tensors of a run were those that convolutions were measured with
        return Wide(step.model, way=lambda shape, live: self._way(shape, state))

    def _way(self, shape: ConvolutionShape, state: State) -> str:
        key = str(shape)
        if key in self.convolutions:
            return self.convolutions[key]
        like = next(iter(state["parameters"].values()))
        way = choose_convolution(shape, min(self.chunk or 1, MEASURED), like.device, like.dtype)
        if like.device.type != "cpu":
            self.convolutions[key] = way
        return way


def wavefront(
    step: Step,
    batches: Batches,
    order: Order,
    at: Sequence[int],
    state0: State,
    *,
    chunk: int | None = None,
    ensemble: Ensemble | None = None,
) -> Iterator[tuple[int, State, Segment | None]]:
    """Yield (n, iterate n, its segment) for n in increasing order, as `walk` does, with chains batched.

    If memory runs out (``torch.OutOfMemoryError``), a line is printed on standard error, the chunk is halved, and the
    chains that did not fit start again.

    Parameters
    ----------
    step, batches, order, at, state0
        As in `nn_experiments.iterates`.
    chunk
        How many chains run together; see `Ensemble`. The numbers depend on it in the last bits: record it.
    ensemble
        All choices, in place of ``chunk``; choices that are made here are stored in it.

    Yields
    ------
    n, state, segment
        For every n of ``at``; iterate 0 comes with None.

    Raises
    ------
    TypeError
        If the step cannot be batched, with the reason.
    torch.OutOfMemoryError
        If not even one chain fits.
    """
    ensemble = ensemble or Ensemble(chunk=chunk)
    segments = plan(order, at)
    first = next((segment.indices[0] for segment in segments if len(segment.indices)), None)
    step = _batchable(step, batches, state0, first)
    wide = None if first is None else ensemble.prepare(step, batches, state0, first)
    chains = _Chains(ensemble, step, batches, wide)
    groups: dict[int, list[Segment]] = {}
    for segment in segments:
        groups.setdefault(segment.anchor, []).append(segment)
    wanted = set(at)
    if 0 in wanted:
        yield 0, state0, None
    states: dict[int, State] = {0: state0}
    ready: dict[int, tuple[State, Segment]] = {}
    todo = deque(segment.n for segment in segments if segment.n in wanted)
    for anchor in sorted(groups):
        for part, ends in _chunks(chains, groups[anchor], states.pop(anchor)):
            while ends:  # taken out one by one, so that nothing is kept while the next chunk runs
                segment = part[len(ends) - 1]
                if segment.n in groups:
                    states[segment.n] = ends[-1]
                if segment.n in wanted:
                    ready[segment.n] = ends[-1], segment
                ends.pop()
            while todo and todo[0] in ready:
                n = todo.popleft()
                yield n, *ready.pop(n)


def _batchable(step: Step, batches: Batches, state0: State, first: int | None) -> TrainingStep:
    """Return a step that chains can share.

    Raises
    ------
    TypeError
        If it is not a `TrainingStep`, or its optimizer would move parameters that the loss does not depend on.
    """
    what = ""
    if not isinstance(step, TrainingStep):
        what = f"{type(step).__name__} is not a TrainingStep"
    elif first is not None and not step.optimizer.is_plain_sgd:
        slopes, _ = step.gradients(state0, batches(first))
        idle = next((name for name, slope in slopes.items() if slope is None), None)
        if idle is not None:
            what = f"the loss does not depend on {idle}, which {step.optimizer.method} would move all the same"
    if what or not isinstance(step, TrainingStep):
        raise TypeError(f"the ensemble engine cannot run this step: {what}; use engine='step'")
    return step


def _chunks(chains: _Chains, group: Sequence[Segment], start: State) -> Iterator[tuple[list[Segment], list[State]]]:
    """Yield segments that start at one state, as many as fit together, with the states that they end in."""
    while group:
        part = sorted(group[: chains.ensemble.chunk], key=lambda segment: -len(segment.indices))
        ends = _fitted(chains, part, start)
        if ends is not None:
            group = group[len(part) :]
            yield part, ends


def _fitted(chains: _Chains, part: Sequence[Segment], start: State) -> list[State] | None:
    """Return the ends of some segments, or None after halving the chunk because they did not fit into memory."""
    if len(part) == 1:
        return split(_ends(chains, part, start), 1)
    fits = attempt(lambda: split(_ends(chains, part, start), len(part)))
    if fits is not None:
        return fits[0]
    ensemble = chains.ensemble
    ensemble.halved.append(len(part))
    ensemble.chunk = (len(part) + 1) // 2
    print(
        f"out of memory with {len(part)} chains together: going on with {ensemble.chunk} from the start of the chunk",
        file=sys.stderr,
    )
    return None


def split(stacked: Stacked, count: int) -> list[State]:
    """Return the members of an ensemble as separate states (copies)."""
    return [
        {part: {key: value[c].clone() for key, value in values.items()} for part, values in stacked.items()}
        for c in range(count)
    ]


def stack(start: State, count: int) -> Stacked:
    """Return an ensemble of ``count`` copies of a state, in the memory layout of the device."""

    def stacked(value: torch.Tensor) -> torch.Tensor:
        copies = value.expand(count, *value.shape)
        if value.dim() != 4:
            return copies.clone(memory_format=torch.contiguous_format)
        return laid_out(copies.new_empty(copies.shape)).copy_(copies)

    return {part: {key: stacked(value) for key, value in values.items()} for part, values in start.items()}


class _Chains:
    """What the chunks of a wavefront share: settings and, on a GPU, the state of a single chain with its graphs.

    A forward path consists of many segments of one chain each, which use that state one after the other.
    """

    def __init__(self, ensemble: Ensemble, step: TrainingStep, batches: Batches, wide: Wide | None) -> None:
        self.ensemble, self.step, self.batches, self.wide = ensemble, step, batches, wide
        self.single: Sweeper | None = None

    def begin(self, start: State, count: int) -> Sweeper | None:
        """Return a `Sweeper` for ``count`` chains at ``start``, or None if a single chain is to use the step itself."""
        if count == 1 and self.single is not None:
            _start_over(self.single.state, start, 0, 1)
            return self.single
        sweeper = Sweeper(self.ensemble.form or "vmap", self.step, stack(start, count), self.wide)
        if count > 1:
            return sweeper
        if sweeper.refused is not None:
            return None
        self.single = sweeper
        return sweeper


def _ends(chains: _Chains, segments: Sequence[Segment], start: State) -> Stacked:
    """Apply segments, the longest first, all to the state ``start``; return the states that they end in, stacked."""
    if not chains.ensemble.uneven:
        try:
            return _swept(chains, segments, start)
        except Uneven as reason:
            chains.ensemble.uneven = str(reason)
    return _one_by_one(chains, segments, start)


def _one_by_one(chains: _Chains, segments: Sequence[Segment], start: State) -> Stacked:
    kernel = StepKernel(chains.step, chains.batches)
    ends = [kernel.apply(start, segment.indices, segment.before) for segment in segments]
    keys = {part: dict.fromkeys(key for end in ends for key in end[part]) for part in ends[0]}
    return {part: {key: torch.stack([end[part][key] for end in ends]) for key in known} for part, known in keys.items()}


def _swept(chains: _Chains, segments: Sequence[Segment], start: State) -> Stacked:
    """Apply segments, aligned at their ends: a chain becomes active when as many maps are left as it has.

    Raises
    ------
    Uneven
        If batches of different chains cannot be stacked.
    """
    sweeper = chains.begin(start, len(segments))
    if sweeper is None:
        return _one_by_one(chains, segments[:1], start)
    pad = chains.ensemble.pad or 1
    active = swept = 0
    for left in range(len(segments[0].indices), 0, -1):
        joined = sum(len(segment.indices) >= left for segment in segments)
        if active < joined and active < swept:  # the chains that join now were used as padding before
            _start_over(sweeper.state, start, active, joined)
        active, swept = joined, min(len(segments), -(-joined // pad) * pad)
        sweeper(chains.batches, _sweep(segments[:active], left, swept - active, chains.step, start))
    chains.ensemble.graphs = sweeper.refused or sweeper.recorded
    return sweeper.state


def _sweep(segments: Sequence[Segment], left: int, padding: int, step: TrainingStep, start: State) -> Sweep[int]:
    """Return the next maps of chains that have ``left`` maps to go; padding chains apply the map of the first one."""
    done = [len(segment.indices) - left for segment in segments]
    indices = [segment.indices[k] for segment, k in zip(segments, done, strict=True)]
    positions = [segment.before + k + 1 for segment, k in zip(segments, done, strict=True)]
    indices, positions = indices + indices[:1] * padding, positions + positions[:1] * padding
    rates = [step.optimizer.rate(t, i) for t, i in zip(positions, indices, strict=True)]
    if len(set(rates)) == 1:
        return Sweep(indices, positions, rates[0])
    like = next(iter(start["parameters"].values()))
    return Sweep(indices, positions, torch.tensor(rates, dtype=like.dtype, device=like.device))


def _start_over(state: Stacked, start: State, begin: int, end: int) -> None:
    """Set chains back to the state ``start``; entries that it lacks are set to zero."""
    for part, values in state.items():
        for key, value in values.items():
            value[begin:end] = start.get(part, {}).get(key, 0)
