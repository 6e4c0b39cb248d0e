"""From existing training code of two shapes to a step, batches and a state: a plain loop, or a function of one step."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

import torch
from torch import nn
from torch.utils._pytree import tree_flatten, tree_map

from contraction.arguments import check_integer
from contraction.maps.errors import NotDeterministic
from nn_experiments.training.batches import Batch, BatchLike
from nn_experiments.training.from_torch import check_optimizer
from nn_experiments.training.loop_step import OwnLoopStep
from nn_experiments.training.own_loop import OwnLoop
from nn_experiments.training.self_check import SelfCheck
from nn_experiments.training.step import State
from nn_experiments.training.structure import structure
from nn_experiments.training.torch_randomness import restored_generators

__all__ = ["LoopStep", "RecordedBatches", "from_loop"]

#: How many bytes of batches are recorded at most.
LARGEST = 2**32


class RecordedBatches:
    """The batches that a loader has yielded, in memory: B_i is the i-th.

    Parameters
    ----------
    recorded
        Each as the loader yields it. Of a pair (inputs, targets), B_i has the two; of another batch, it has the whole
        as its inputs, and no targets.
    """

    def __init__(self, recorded: list[Any]) -> None:
        self.recorded = recorded

    def __len__(self) -> int:
        """Return how many batches have been recorded."""
        return len(self.recorded)

    def __call__(self, i: int) -> Batch:
        """Return B_i.

        Raises
        ------
        IndexError
            If fewer batches have been recorded.
        """
        check_integer("the index of a batch", i, 1)
        if i > len(self.recorded):
            raise IndexError(f"batch {i} was not recorded: pass steps={i} to from_loop")
        one = self.recorded[i - 1]
        if isinstance(one, (list, tuple)) and len(one) == 2:
            return Batch(one[0], one[1], i)
        return Batch(one, None, i)  # type: ignore[arg-type]

    def describe(self) -> list[Any]:
        """Return what decides the batches: all of them."""
        return self.recorded


class _FunctionLoop(OwnLoop):
    """A user's own function of one batch in place of forward, backward and step."""

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        function: Callable,
        *,
        whole: bool,
        seed: int,
        frozen: bool,
    ) -> None:
        super().__init__(model, function, optimizer, seed=seed, frozen=frozen)
        self.function, self.whole = function, whole

    def call(self, batches: list[Batch]) -> None:
        """Call the user's function with batches that are taken one after the other."""
        data = [[one.inputs, one.targets] if one.targets is not None else one.inputs for one in batches]
        with torch.enable_grad():
            if self.whole:
                self.function(self.model, self.optimizer, data)
            else:
                for one in data:
                    self.function(self.model, self.optimizer, one)

    def has_gradients(self) -> str | None:
        """Return the name of a parameter whose gradient is not zero now, or None."""
        grads = {name: p.grad for name, p in self.trained.items() if p.grad is not None}
        return next((name for name, slope in grads.items() if slope.is_sparse or bool(slope.any())), None)

    def once(self, batch: BatchLike) -> None:
        """Take one step on what is held now."""
        if not isinstance(batch, Batch):
            raise TypeError(f"a step of from_loop takes nn_experiments.Batch, got {type(batch).__name__}")
        with self.randomness(batch):
            self.call([cast(Batch, batch)])


class LoopStep(OwnLoopStep):
    """A step that calls the user's own training function on one batch; made by `from_loop`."""

    slow = "a slower path: your own function takes every step, without the fast kernels and the ensemble"

    def __init__(self, loop: _FunctionLoop) -> None:
        self.model, self.loss, self.loop = loop.model, loop.loss, loop

    def describe(self) -> dict[str, Any]:
        """Return what decides the step, whatever the seed of its frozen randomness."""
        return {
            "model": structure(self.model),
            "function": self.loop.loss,
            "optimizer": self.loop.optimizer,
            "randomness": self.loop.frozen,
        }


def from_loop(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loader: Iterable[Any],
    *,
    loop: Callable[[nn.Module, torch.optim.Optimizer, Iterable[Any]], object] | None = None,
    train_step: Callable[[nn.Module, torch.optim.Optimizer, Any], object] | None = None,
    steps: int,
    seed: int = 0,
    randomness: str = "refused",
) -> tuple[LoopStep, RecordedBatches, State]:
    """Return the step, the batches and θ0 of existing training code, or say why it cannot be replayed.

    Two shapes of code are known, and no other. A plain loop, ``for inputs, targets in loader: …; optimizer.step()``, as
    a function of model, optimizer and loader; T_i is this loop over B_i alone. Or a function of model, optimizer and
    one batch. Both are run on a few batches, and must do the same one batch at a time as all at once.

    Parameters
    ----------
    model, optimizer
        The user's own objects, before the first step. They are used for every step, and left as they are.
    loader
        A DataLoader, or another source of batches. The first ``steps`` batches that it yields, epoch after epoch, are
        recorded: B_1, B_2, … in this order.
    loop
        ``loop(model, optimizer, loader)``, with the plain loop in it.
    train_step
        ``train_step(model, optimizer, batch)``, which takes one step.
    steps
        How many batches are recorded: the largest n of an iterate.
    seed
        Of torch's generators with ``randomness="frozen"``.
    randomness
        As in `from_torch`.

    Returns
    -------
    step, batches, state
        As `iterates` and `run` take them.

    Raises
    ------
    TypeError
        If not exactly one of ``loop`` and ``train_step`` is given, or something is of another type.
    ValueError
        If the code cannot be replayed, with the reason: it keeps something that is not in the state (a scheduler, a
        counter, accumulated gradients), draws random numbers, looks at more than its batch, or takes no step.
    NotDeterministic
        If the loop does something else on several batches than on these one by one.

    Examples
    --------
    >>> def train(model, optimizer, loader):
    ...     for inputs, targets in loader:
    ...         optimizer.zero_grad()
    ...         torch.nn.functional.mse_loss(model(inputs), targets).backward()
    ...         optimizer.step()
    >>> model = torch.nn.Linear(2, 1)
    >>> data = torch.utils.data.TensorDataset(torch.rand(12, 2), torch.rand(12, 1))
    >>> loader = torch.utils.data.DataLoader(data, batch_size=4, shuffle=True)
    >>> step, batches, state = from_loop(model, torch.optim.Adam(model.parameters()), loader, loop=train, steps=6)
    >>> len(batches)
    6
    """
    if (loop is None) == (train_step is None):
        raise TypeError("pass either loop=, a function (model, optimizer, loader), or train_step=, (…, batch)")
    function = train_step if loop is None else loop
    assert function is not None
    if not isinstance(model, nn.Module) or not isinstance(optimizer, torch.optim.Optimizer) or not callable(function):
        kinds = ", ".join(type(one).__name__ for one in (model, optimizer, function))
        raise TypeError(f"a module, an optimizer of torch.optim and a function are needed, got {kinds}")
    if randomness not in ("refused", "frozen"):
        raise ValueError(f"randomness must be 'refused' or 'frozen', got {randomness!r}")
    check_optimizer(model, optimizer)
    batches = RecordedBatches(_record(loader, check_integer("steps", steps, 1)))
    frozen = randomness == "frozen"
    own = _FunctionLoop(model, optimizer, function, whole=loop is not None, seed=seed, frozen=frozen)
    step, state = LoopStep(own), own.start()
    few = [batches(i) for i in range(1, min(3, len(batches)) + 1)]
    _check_takes_a_step(own, state, few[0])
    _check_gradients(own, state, few[0])
    step.self_check = SelfCheck(own, rate=None, maker="from_loop", called="the training function")
    if len(batches) > 1:
        step.self_check(step, batches, state)
    _check_one_by_one(own, step, state, few)
    return step, batches, state


def _record(loader: Iterable[Any], steps: int) -> list[Any]:
    """Return the first batches that a loader yields, epoch after epoch, each a copy of its own."""
    recorded: list[Any] = []
    size = 0
    while len(recorded) < steps:
        before = len(recorded)
        for batch in loader:
            copied = tree_map(lambda one: one.detach().clone() if isinstance(one, torch.Tensor) else one, batch)
            recorded.append(copied)
            size += sum(one.nbytes for one in tree_flatten(copied)[0] if isinstance(one, torch.Tensor))
            if size > LARGEST:
                raise ValueError(
                    f"{len(recorded)} batches take more than {LARGEST / 2**30:.0f} GiB of memory: pass fewer steps, or "
                    "give i -> B_i to from_torch's step"
                )
            if len(recorded) == steps:
                break
        if len(recorded) == before:
            raise ValueError(f"the loader yields {before} batches, and steps={steps} are asked for")
    return recorded


def _after(own: _FunctionLoop, state: State, batches: list[Batch], slopes: float | None = None) -> State:
    """Return the state after the user's function, called once with some batches; gradients may be there before."""
    with own.holding(state):
        if slopes is not None:
            for p in own.trained.values():
                p.grad = torch.full_like(p, slopes)
        with own.randomness(batches[0]):
            own.call(batches)
        return own.read()


def _check_takes_a_step(own: _FunctionLoop, state: State, batch: Batch) -> None:
    with restored_generators():
        try:
            after = _after(own, state, [batch])
        except Exception as error:
            shape = "a list of one batch in place of the loader" if own.whole else "one batch"
            raise ValueError(
                f"the training function cannot run on {shape}: {type(error).__name__}: {error}. It may only take batch "
                "after batch"
            ) from error
    if all(torch.equal(value, state["parameters"][name]) for name, value in after["parameters"].items()):
        raise ValueError(
            "the training function changes no parameter of the model on one batch: it does not call optimizer.step() "
            "for every batch (gradients that are accumulated over several are not supported), or it trains another "
            "model or optimizer than the given ones"
        )


def _check_gradients(own: _FunctionLoop, state: State, batch: Batch) -> None:
    ends = []
    for slopes in (None, None, 1.0):
        with restored_generators():
            ends.append(_after(own, state, [batch], slopes)["parameters"])
    if _differing(*ends[:2]):
        return  # something else is carried from call to call, which the self-check names
    name = _differing(*ends[1:])
    if name is None:
        return
    with restored_generators(), own.holding(state), own.randomness(batch):
        own.call([batch])
        left = own.has_gradients()
    if left is not None:
        raise ValueError(
            f"gradients of earlier steps are added to those of a batch (seen in {name}), and they are not in the "
            "state: call optimizer.zero_grad() before backward()"
        )
    held = own.has_gradients()
    if held is not None:
        raise ValueError(
            f"{held} has a gradient now, which the training function would add to that of the first batch, since it "
            "calls optimizer.zero_grad() only after step(): call optimizer.zero_grad() before from_loop"
        )


def _differing(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> str | None:
    """Return the name of a tensor that two states have differently, or None."""
    return next((key for key, v in one.items() if not torch.equal(v.nan_to_num(), other[key].nan_to_num())), None)


def _check_one_by_one(own: _FunctionLoop, step: LoopStep, state: State, batches: list[Batch]) -> None:
    """Refuse a loop that does not do on several batches what it does on each of them in turn."""
    if own.frozen or not own.whole:
        return  # frozen generators are seeded for each batch; a function of one batch has seen no more
    with restored_generators():
        together = _after(own, state, batches)
        single = state
        for t, batch in enumerate(batches, 1):
            single = step(single, batch, t)
    name = _differing(together["parameters"], single["parameters"])
    if name is not None:
        gap = float((together["parameters"][name].double() - single["parameters"][name].double()).abs().max())
        raise NotDeterministic(
            f"the loop does something else on {len(batches)} batches than on these one by one: {name} differs by "
            f"{gap:.3g}. It goes over its loader several times, or counts its batches, or something happens at the "
            "end of an epoch; leave one plain loop in the function"
        )
