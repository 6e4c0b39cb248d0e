"""The self-check of a training step, which compares three steps with three steps of the user's own training loop.

Where the module works in float32 alone, a step of `from_torch` is compared one step at a time instead, by gradients.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from nn_experiments.training.batches import Batches, BatchLike
from nn_experiments.training.by_gradients import GRADIENT, Slopes
from nn_experiments.training.calls import Broadcasts, no_broadcast
from nn_experiments.training.errors import CannotReplay, CannotRun
from nn_experiments.training.hidden_state import Frozen, changeable, changed, hidden_state, iterators
from nn_experiments.training.kept_attributes import kept_attributes, kept_entries
from nn_experiments.training.optimizers import FunctionSchedule
from nn_experiments.training.own_loop import OwnLoop
from nn_experiments.training.places import few, place_of, start_of
from nn_experiments.training.reachable import reachable
from nn_experiments.training.reference import Reference
from nn_experiments.training.rounding import Difference, converted, first_difference
from nn_experiments.training.step import State, Step, TrainingStep
from nn_experiments.training.torch_randomness import (
    changed_generators,
    first_to_draw,
    generator_states,
    restored_generators,
)

__all__ = ["SelfCheck", "Unchecked", "word"]

#: The batches of the steps that are compared, innermost first.
WORD = (2, 1, 3)
_PARTS = ("parameters", "buffers")
_LOOP = "pass form='loop' to from_torch, which takes every step with your own model and optimizer"


def word(batches: Batches) -> tuple[tuple[int, ...], list[BatchLike]]:
    """Return the indices of the maps that are compared, in the order in which they are applied, and their batches.

    They are 2, 1 and 3; or 2, 1 and 2 if there is no third batch.
    """
    data = [batches(i) for i in WORD[:2]]
    try:
        return WORD, [*data, batches(WORD[2])]
    except (LookupError, ValueError):
        return (*WORD[:2], WORD[0]), [*data, data[0]]


@dataclass(frozen=True)
class Unchecked:
    """What takes the place of a `SelfCheck` that is switched off: it looks at the optimizer's options alone."""

    loop: OwnLoop

    def __call__(self, step: Step, batches: Batches, state0: State) -> str:
        """Return what is recorded; see `OwnLoop.check_options` for what is refused."""
        self.loop.check_options()
        return "switched off"


class SelfCheck:
    """The check that a step made of the user's module, loss and optimizer does the same as the user's training loop.

    Parameters
    ----------
    loop
        The user's own loop.
    vet
        Raises ValueError if the optimizer has been used since the step was made (default: None, no check).
    maker, called
        The names, in messages, of the function that has made the step (default: ``from_torch``) and of the user's
        function in the loop (default: the loss).
    """

    def __init__(
        self,
        loop: OwnLoop,
        *,
        vet: Callable[[], None] | None = None,
        maker: str = "from_torch",
        called: str = "the loss",
    ) -> None:
        self.loop, self.vet = loop, vet
        self.maker, self.called = maker, called
        self.known: list[tuple[Batches, str, str | None]] = []
        self.references: list[Reference] = []

    def __getstate__(self) -> dict[str, object]:
        """Return what is copied or pickled; earlier results are left out, since batches may not be picklable."""
        return {**self.__dict__, "known": [], "references": []}

    def __call__(self, step: Step, batches: Batches, state0: State) -> str:
        """Compare three steps with three steps of the user's own loop, once per source of batches.

        A state that is not on the CPU is compared there first, with a few examples of each batch, if the user's own
        loop runs there, and then where it is. Afterwards the user's objects and the random generators are as they were
        before.

        Returns
        -------
        str
            The result, to be recorded.

        Raises
        ------
        CannotReplay
            If the step differs, with the tensor, the number of the step and the likely cause; if the module draws from
            a global generator; or if a step changes an attribute that is not in the state, with its name.
        CannotRun
            If the step fails where the user's own loop does not.
        CallFailed
            If the model or the loss raises an error on a batch.
        Broadcasts
            If a loss of torch compares outputs and targets of different shapes.
        ValueError
            If the optimizer has become unusable, for example because it has taken steps.
        """
        if self.maker == "from_torch":  # a function given to from_loop may change them
            self.loop.check_options()
        before = self.recall(batches, "step")
        if before is not None and before[0] is not None:
            return before[0]
        if self.vet is not None:
            self.vet()
        indices, data = word(batches)
        place = place_of(state0)
        with self._kept():
            if place == "cpu":
                self.references, result = self._at(step, indices, data, state0)
            else:
                elsewhere, first = self._on_cpu(step, indices, data, state0)
                references, second = self._at(step, indices, data, state0, place=f" on {place}")
                self.references, result = [*elsewhere, *references], f"{first}; {second} on {place}"
        self.remember(batches, "step", result)
        return result

    def recall(self, batches: Batches, what: str) -> tuple[str | None] | None:
        """Return (the result,) for a step, kernel or engine on a source of batches, or None if it was not checked."""
        return next(((result,) for source, name, result in self.known if source is batches and name == what), None)

    def remember(self, batches: Batches, what: str, result: str | None) -> None:
        """Store a result, so that the check is not repeated."""
        self.known.append((batches, what, result))

    @contextlib.contextmanager
    def _kept(self) -> Iterator[None]:
        """Restore the random generators, and tensors that are not parameters or buffers, such as attributes."""
        registered = {id(value) for value in (*self.loop.model.parameters(), *self.loop.model.buffers())}
        tensors = []
        for root in (self.loop.model, self.loop.optimizer, self.loop.loss, self.loop.transform):
            for _, part in reachable(root, "", stop=registered):
                if isinstance(part, torch.Tensor) and id(part) not in registered and part.is_leaf:
                    tensors.append((part, part._version, part.detach().clone()))
        try:
            with restored_generators():
                yield
        finally:
            with torch.no_grad():
                for tensor, version, value in tensors:
                    if tensor._version != version and tensor.shape == value.shape:
                        tensor.copy_(value)

    @contextlib.contextmanager
    def kept_caches(self, step: Step) -> Iterator[None]:
        """Restore what the user's code has kept in the body, in attributes, lists and dictionaries.

        In the comparison it may be in float64, and would be used in float32 afterwards.
        """
        models = {id(model): model for model in (self.loop.model, getattr(step, "model", None))}
        with contextlib.ExitStack() as stack:
            for model in models.values():
                if isinstance(model, torch.nn.Module):
                    owners, containers = changeable(model, self._functions(), self.loop.optimizer)
                    stack.enter_context(kept_entries(containers))
                    stack.enter_context(kept_attributes(owners))
            yield

    def _on_cpu(
        self, step: Step, indices: tuple[int, ...], data: Sequence[BatchLike], state0: State
    ) -> tuple[list[Reference], str]:
        """Compare on the CPU, if it runs there, what will run elsewhere; return references and the result."""
        try:
            references, result = self._at(step, indices, data, state0, place=" on the CPU", device="cpu")
        except (CannotReplay, Broadcasts):
            raise
        except Exception as error:  # whatever needs the other device
            lines = str(error).splitlines() or ["no message"]
            return [], f"not compared on the CPU ({type(error).__name__}: {lines[0]})"
        return references, f"{result} on the CPU"

    def _at(
        self,
        step: Step,
        indices: tuple[int, ...],
        data: Sequence[BatchLike],
        state0: State,
        *,
        place: str = "",
        device: str | None = None,
    ) -> tuple[list[Reference], str]:
        """Compare on one device, in float64 where the module allows it; return the reference and the result."""

        def compare(*, double: bool) -> Reference:
            with self.kept_caches(step):
                return self._compare(step, indices, data, state0, double=double, place=place, device=device)

        try:
            return [compare(double=True)], "passed in float64"
        except (CannotReplay, Broadcasts):
            raise
        except Exception:  # the module does not allow float64, or the step fails in any precision
            reference = compare(double=False)
        kind = next((str(v.dtype) for v in state0["parameters"].values() if v.is_floating_point()), "")
        how = ", by gradients" if reference.slopes else ""
        return [reference], f"passed in {kind.removeprefix('torch.')}{how}"

    def _compare(
        self,
        step: Step,
        indices: tuple[int, ...],
        batches: Sequence[BatchLike],
        state0: State,
        *,
        double: bool,
        place: str,
        device: str | None,
    ) -> Reference:
        """Return what the user's own loop computes, after the step has been compared with it."""

        def again() -> State:
            return start_of(state0, double=double, device=device)

        def convert(batch: BatchLike) -> BatchLike:
            return converted(batch if device is None else few(batch), double=double, device=device)

        def run(other: State) -> list[State]:
            with self._kept(), self.loop.holding(other):
                return self._run(other, data)

        data = [convert(batch) for batch in batches]
        start = again()
        found: list[State] = []
        with self.loop.holding(start):
            ends = self._watched(start, data, found if isinstance(step, TrainingStep) else None)
        reference = Reference(indices, convert, start, ends, run, again, place=place, optional=device is not None)
        if isinstance(step, TrainingStep) and found:  # not everything is in float64
            before = [{**state, "optimizer": {}} for state in (start, *ends[:-1])]
            reference.slopes = Slopes(before, ends, data, found, self._slopes_of)
            difference = self._slope_difference(step, reference.slopes)
        else:
            difference = reference.difference(self._states(step, start, data))
        if difference:
            t, name, gap, allowed = difference
            bare = name.removeprefix(GRADIENT)
            raise CannotReplay(
                f"the training step differs from your own training loop{place}: {name} "
                f"{'after' if bare == name else 'at'} step {t}, by {gap:.3g} where rounding explains {allowed:.1g}. "
                f"{self._cause(step, bare, t)}"
            )
        return reference

    def _states(self, step: Step, start: State, data: Sequence[BatchLike]) -> dict[int, State]:
        """Return the states after each step; they are compared after all steps, one of which may change another's."""
        states, state = {}, start
        for t, batch in enumerate(data, 1):
            with _may_fail(step, t):
                state = step(state, batch, t)
            states[t] = state
        return states

    def _slope_difference(self, step: TrainingStep, slopes: Slopes) -> Difference | None:
        each = slopes.of_step(step)
        for t in range(1, len(slopes.found) + 1):
            with _may_fail(step, t):
                difference = next(each)
            if difference:
                return difference
        return None

    def _slopes_of(self, state: State, batch: BatchLike, t: int) -> State:
        """Return gradients and buffers of one step of the user's own loop from a state."""
        with self._kept(), self.loop.holding(state):
            slopes = self._once(batch, t)
            return {"parameters": slopes, "buffers": self._read()["buffers"]}

    def _once(self, batch: BatchLike, t: int) -> dict[str, torch.Tensor]:
        """Take one step of the user's own loop; return the gradients that the optimizer is given.

        They are read before the optimizer's step, which may change them: SGD with ``nesterov`` and ``foreach`` adds the
        velocities to them. Where the loop does not call that step just once, they are those after the loop's step.
        """
        given: list[dict[str, torch.Tensor]] = []
        handle = self.loop.optimizer.register_step_pre_hook(lambda *_: given.append(self._gradients()))
        try:
            self.loop.once(batch, t)
        finally:
            handle.remove()
        return given[0] if len(given) == 1 else self._gradients()

    def _gradients(self) -> dict[str, torch.Tensor]:
        """Return the gradients that the module has."""
        return {
            name: p.grad.to_dense() if p.grad.is_sparse else p.grad.clone()
            for name, p in self.loop.trained.items()
            if p.grad is not None
        }

    def _cause(self, step: Step, name: str, t: int) -> str:
        if not isinstance(step, TrainingStep):
            return (
                "Likely cause: a step depends on something that it changes and that is neither a parameter, a buffer "
                "nor state of the optimizer. Register it as a buffer, or keep it in optimizer.state[parameter]"
            )
        if name not in self.loop.trained:
            cause = "the forward pass or a hook changes this buffer in a way that the step does not carry"
        elif t == 1:
            cause = (
                "the loss depends on this parameter on a way that does not go through the module's registered "
                "parameters, such as a copy kept in a list, or the optimizer treats it in its own way"
            )
        else:
            cause = "something is carried from one step to the next that is not in the state"
        return f"Likely cause: {cause}. To mend it, {_LOOP}"

    def _run(self, start: State, data: Sequence[BatchLike]) -> list[State]:
        """Return the states after each step of the user's own loop, read from the module."""
        self.loop.put(start)
        ends: list[State] = []
        for t, batch in enumerate(data, 1):
            self.loop.once(batch, t)
            ends.append(self._read(last=t == len(data)))
        return ends

    def _read(self, *, last: bool = False) -> State:
        """Return the current parameters and buffers: copies, unless no step follows that would change them."""
        model = self.loop.model
        new = {name for name, _ in model.named_buffers()} ^ {name for _, _, name in self.loop.buffers}
        if new:
            raise CannotReplay(
                f"a step adds or removes buffers of the module: {', '.join(sorted(new))}. The state must have the same "
                "names at every step: register all buffers, with their final shapes, before from_torch"
            )

        def kept(value: torch.Tensor) -> torch.Tensor:
            return value.data if last else value.detach().clone()

        others = {name: kept(p) for name, p in model.named_parameters()}
        return {
            "parameters": {name: others.pop(name) for name in self.loop.trained},
            "buffers": {name: kept(value) for name, value in model.named_buffers()} | others,
        }

    def _noted(self) -> dict[str, Frozen]:
        """Return what a step could change outside of the training state."""
        return hidden_state(self.loop.model, self._functions(), self.loop.optimizer)

    def _functions(self) -> dict[str, object]:
        """Return the user's functions that a step calls, by their names in messages."""
        functions = {self.called: self.loop.loss, "the transform": self.loop.transform}
        if isinstance(self.loop.schedule, FunctionSchedule):
            functions["the schedule"] = self.loop.schedule.function
        return functions

    def _watched(self, start: State, data: Sequence[BatchLike], found: list[State] | None) -> list[State]:
        """Run the user's own loop, which holds ``start``, and watch what it draws and changes.

        The gradients of each step are added to ``found``, unless it is None or everything is in float64.

        Raises
        ------
        CannotReplay
            If it draws random numbers, or changes anything but the state.
        TypeError
            As the user's code does.
        """
        loop = self.loop
        notes, ends = [self._noted()], []
        if all(v.dtype == torch.float64 or not v.is_floating_point() for v in start["parameters"].values()):
            found = None
        once = loop.once if found is None else self._once
        for t, batch in enumerate(data, 1):
            before = generator_states()
            with _one_argument(), no_broadcast() if t == 1 else contextlib.nullcontext():
                slopes = once(batch, t)
            drawn = changed_generators(before, generator_states())
            if drawn:
                raise CannotReplay(self._random(drawn, start, batch))
            notes.append(self._noted())
            ends.append(self._read(last=t == len(data)))
            if found is not None and slopes is not None:
                found.append({"parameters": slopes, "buffers": self._read()["buffers"]})
        _without_iterators(iterators(notes[0]) | iterators(notes[-1]))
        always = {}
        for earlier, later in itertools.pairwise(notes[1:]):
            always |= changed(earlier, later)
        first = {path: how for path, how in changed(notes[0], notes[1]).items() if path not in always}
        for path in list(always):
            if self._only_written(path, start, data[0], ends[0]):
                del always[path]
        if always:
            raise CannotReplay(self._attribute(always, "every step changes it, and it is not in the state"))
        if first and first_difference(self._run(start, data[:1]), ends[:1], [_exact(ends[0])]):
            raise CannotReplay(
                self._attribute(first, "the first step changes it, and the same step then gives something else")
            )
        return ends

    def _random(self, drawn: Sequence[str], start: State, batch: BatchLike) -> str:
        self.loop.put(start)
        with first_to_draw(self.loop.model) as names:
            self.loop.once(batch, 1)
        others = (
            [self.called, "the optimizer"]
            if self.loop.transform is None
            else ["the loss, the transform", "the optimizer"]
        )
        where = f"{names[0]} draws" if names else f"{' or '.join(others)} draws"
        what = (
            f"{where} from {' and '.join(drawn)} in a training step, so that the same batch gives another map each time"
        )
        if all(name.startswith("torch") for name in drawn):
            return f"{what}. Pass randomness='frozen' to {self.maker}, which seeds the generator by the batch's index"
        return f"{what}. Draw with torch instead, and pass randomness='frozen' to {self.maker}"

    def _only_written(self, path: str, start: State, batch: BatchLike, end: State) -> bool:
        """Return whether a step writes a tensor attribute of a module but never reads it, as for logging."""
        for name, module in self.loop.model.named_modules():
            key = path.removeprefix(f"the module's {name}." if name else "the module's ")
            value = module.__dict__.get(key) if key != path else None
            if isinstance(value, torch.Tensor):
                poison = torch.full_like(value.detach(), float("nan") if value.is_floating_point() else 1)
                self.loop.put(start)
                module.__dict__[key] = poison
                try:
                    self.loop.once(batch, 1)
                except Exception:  # the poison was read
                    return False
                return first_difference([end], [self._read()], [_exact(end)]) is None
        return False

    @staticmethod
    def _attribute(changes: dict[str, str], why: str) -> str:
        path, how = next(iter(changes.items()))
        more = f" (and {len(changes) - 1} more)" if len(changes) > 1 else ""
        return (
            f"{path} is not part of the state{more}: {how} in a step; {why}, so that T_i would not be a fixed map. "
            "Make it a tensor registered with register_buffer, or remove it from the training step"
        )


def _without_iterators(found: dict[str, str]) -> None:
    """Refuse a step that can reach iterators, given as path -> class."""
    for path, kind in found.items():
        raise CannotReplay(
            f"{path} is not part of the state: it is an iterator ({kind}), which gives another value each time and "
            "does not say how many it has given, so that T_i would not be a fixed map. Count in a buffer "
            "(register_buffer), or make what is needed of the batch"
        )


@contextlib.contextmanager
def _one_argument() -> Iterator[None]:
    """Say what to do where a forward pass takes more arguments than one."""
    try:
        yield
    except TypeError as error:
        if "required positional argument" in str(error) and "forward" in str(error):
            raise CannotReplay(
                f"the module's forward pass takes more than one argument ({error}), but is given batch[0]. "
                "Give the inputs as a tuple or a dictionary of all arguments, such as "
                "ArrayBatches((first, second), targets, …)"
            ) from error
        raise


@contextlib.contextmanager
def _may_fail(step: Step, t: int) -> Iterator[None]:
    """Say of an error that a training step raises, and the user's own loop does not, where it comes from."""
    try:
        yield
    except Exception as error:
        if isinstance(step, TrainingStep):
            what = f"at step {t}, your own training loop runs and the training step made of it does not"
            raise CannotRun(f"{what} ({type(error).__name__}: {error}). To mend it, {_LOOP}") from error
        raise


def _exact(end: State) -> dict[str, float]:
    return {name: 0.0 for part in _PARTS for name in end.get(part, {})}
