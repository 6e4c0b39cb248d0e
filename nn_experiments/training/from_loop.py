"""A step, batches and a state from existing training code: a plain loop over a loader, or a function of one batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar, cast

import torch
from torch import nn
from torch.utils._pytree import tree_flatten

from contraction.arguments import check_choice, check_integer
from contraction.maps.errors import NotDeterministic
from nn_experiments.training.batches import Batch, BatchLike
from nn_experiments.training.choices import RANDOMNESS
from nn_experiments.training.errors import CannotReplay
from nn_experiments.training.from_torch import check_optimizer
from nn_experiments.training.handed_over import HandedOver, copied, in_form, pair_form
from nn_experiments.training.loop_step import OwnLoopStep
from nn_experiments.training.own_loop import OwnLoop
from nn_experiments.training.refusals import check_dense
from nn_experiments.training.scalar_loss import Criterion
from nn_experiments.training.schedulers import remedy, schedulers_made
from nn_experiments.training.self_check import SelfCheck
from nn_experiments.training.states import Fits, State
from nn_experiments.training.structure import structure
from nn_experiments.training.torch_randomness import restored_generators
from nn_experiments.training.trees import widened

__all__ = ["LoopStep", "RecordedBatches", "from_loop"]

#: The largest number of bytes of batches that are recorded.
LARGEST = 2**32
#: How many batches are compared with the same batches one by one in any case, and for how many seconds more are.
FEW, SECONDS = 3, 3.0

#: A batch as the user's loader yields it.
LoaderBatch = TypeVar("LoaderBatch")


class RecordedBatches:
    """The batches that a loader has yielded, in memory: B_i is the i-th.

    Parameters
    ----------
    recorded
        The batches, as the loader yields them. If a batch is a pair, B_i has its entries as inputs and targets;
        otherwise B_i has the whole batch as its inputs, and no targets.

    Examples
    --------
    >>> import torch
    >>> from nn_experiments import RecordedBatches
    >>> loader = [(torch.tensor([float(i)]), torch.tensor([-float(i)])) for i in range(3)]
    >>> batches = RecordedBatches(loader)
    >>> batches(2).inputs, len(batches), len(batches.describe())
    (tensor([1.]), 3, 3)
    """

    def __init__(self, recorded: Sequence[object]) -> None:
        if isinstance(recorded, str) or not isinstance(recorded, Sequence):
            raise TypeError(f"the recorded batches must be a list of batches, got {type(recorded).__name__}")
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
        batch = self.recorded[i - 1]
        if pair_form(batch) is not None:
            inputs, targets = cast(Sequence[torch.Tensor], batch)
            return Batch(inputs, targets, i)
        return Batch(batch, None, i)  # type: ignore[arg-type]

    def describe(self) -> Sequence[object]:
        """Return everything that the batches depend on: all of them."""
        return self.recorded


class _FunctionLoop(OwnLoop):
    """A user's training function in place of forward pass, backward pass and optimizer step."""

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        function: Callable[..., object],
        *,
        whole: bool,
        forms: list[type | None],
        seed: int,
        frozen: bool,
    ) -> None:
        super().__init__(model, cast(Criterion, function), optimizer, seed=seed, frozen=frozen)  # in the loss's place
        self.function, self.whole, self.forms = function, whole, forms

    def call(self, batches: list[Batch]) -> None:
        """Call the user's function with all batches, or once for each batch if it is a function of one batch.

        It gets copies of the batches, which it may change. The random numbers of a batch begin as it is handed over.
        """
        data = HandedOver([self._as_recorded(batch) for batch in batches], lambda k: self.restart(batches[k]))
        with torch.enable_grad():
            if self.whole:
                self.function(self.model, self.optimizer, data)
            else:
                for batch in data:
                    self.function(self.model, self.optimizer, batch)
        self.check_requires_grad()

    def _as_recorded(self, batch: Batch) -> object:
        """Return a batch in the form in which the loader yielded it."""
        form = self.forms[batch.index - 1 if 1 <= batch.index <= len(self.forms) else 0]
        return in_form(form, batch.inputs, batch.targets)

    def has_gradients(self) -> str | None:
        """Return the name of a parameter whose gradient is not zero, or None."""
        grads = {name: p.grad for name, p in self.trained.items() if p.grad is not None}
        return next((name for name, slope in grads.items() if slope.is_sparse or bool(slope.any())), None)

    def once(self, batch: BatchLike, t: int) -> None:
        """Take one step on the tensors that the module now has; its position t does not matter."""
        if not isinstance(batch, Batch):
            raise TypeError(f"a step of from_loop takes nn_experiments.Batch, got {type(batch).__name__}")
        with self.randomness(batch):
            self.call([cast(Batch, batch)])


class LoopStep(OwnLoopStep):
    """A step that calls the user's training function on one batch; made by `from_loop`.

    Attributes
    ----------
    compared
        How many of the recorded batches `from_loop` has given to ``loop`` at once, to compare the result with the loop
        over each of them in turn; 0 for a function of one batch.
    """

    compared: int = 0
    slow = "a slower path: your own function takes every step, without the fast kernels and the ensemble"

    def __init__(self, loop: _FunctionLoop) -> None:
        self.model, self.loss, self.loop, self.fits = loop.model, loop.loss, loop, Fits(loop.model, every=True)

    def describe(self) -> dict[str, object]:
        """Return everything that the step depends on, but for the seed of its frozen randomness."""
        return {"model": structure(self.model), "function": self.loop.loss, **self.loop.describe()}


def from_loop(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loader: Iterable[LoaderBatch],
    *,
    loop: Callable[[nn.Module, torch.optim.Optimizer, Iterable[LoaderBatch]], object] | None = None,
    train_step: Callable[[nn.Module, torch.optim.Optimizer, LoaderBatch], object] | None = None,
    steps: int,
    seed: int = 0,
    randomness: str = "refused",
) -> tuple[LoopStep, RecordedBatches, State]:
    """Return a step, batches and θ_0 for existing training code, or raise an error that says why it cannot be replayed.

    The code must have one of two forms. Either it is a function of model, optimizer and loader with a plain loop,
    ``for inputs, targets in loader: …; optimizer.step()``; T_i is then this loop over B_i alone. Or it is a function of
    model, optimizer and one batch. A loop must give the same weights and buffers for several batches at once as for one
    batch at a time. That is tried with the first three batches, and then with as many of the recorded ones as three
    seconds allow, a number that ``step.compared`` keeps. What happens in a longer loop alone is not seen.

    Parameters
    ----------
    model, optimizer
        The user's own objects, before the first step. They are used for every step; afterwards they are unchanged.
    loader
        A DataLoader, or another source of batches. The first ``steps`` batches that it yields, epoch after epoch, are
        recorded as B_1, B_2, …
    loop
        ``loop(model, optimizer, loader)``, which contains the plain loop.
    train_step
        ``train_step(model, optimizer, batch)``, which takes one step.
    steps
        The number of batches to record, which is the largest n of an iterate.
    seed
        Seed of torch's generators if ``randomness`` is "frozen".
    randomness
        As in `from_torch`.

    Returns
    -------
    step, batches, state
        The arguments of `iterates` and `run`.

    Raises
    ------
    TypeError
        If not exactly one of ``loop`` and ``train_step`` is given, or an argument has another type.
    ValueError
        If the code cannot be replayed; the message has the reason: it changes something that is not in the state (a
        scheduler, a counter, accumulated gradients), draws random numbers, uses more than its batch, or takes no step.
    CannotReplay
        If the code changes a counter, say, or which parameters require gradients.
    NotDeterministic
        If the loop over several batches gives other weights or buffers than the loop over each batch in turn.

    Examples
    --------
    >>> import torch
    >>> from nn_experiments import from_loop
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
        kinds = ", ".join(type(argument).__name__ for argument in (model, optimizer, function))
        raise TypeError(f"a module, an optimizer of torch.optim and a function are needed, got {kinds}")
    check_choice("randomness", randomness, RANDOMNESS)
    check_integer("the seed", seed)
    if not isinstance(loader, Iterable):
        raise TypeError(f"the loader must yield batches, as a DataLoader or a list does; got {type(loader).__name__}")
    check_optimizer(model, optimizer)
    check_dense(model)
    batches = RecordedBatches(_record(loader, check_integer("steps", steps, 1)))
    frozen = randomness == "frozen"
    forms = [pair_form(batch) for batch in batches.recorded]
    user = _FunctionLoop(model, optimizer, function, whole=loop is not None, forms=forms, seed=seed, frozen=frozen)
    step, state = LoopStep(user), user.start()
    _check_takes_a_step(user, state, batches(1))
    _check_gradients(user, state, batches(1))
    step.self_check = SelfCheck(user, maker="from_loop", called="the training function")
    if len(batches) > 1:
        step.self_check(step, batches, state)
    if user.whole:  # a function of one batch never gets several
        step.compared = _check_one_by_one(user, step, state, batches)
    return step, batches, state


def _record(loader: Iterable[object], steps: int) -> list[object]:
    """Return copies of the first batches that a loader yields, epoch after epoch."""
    recorded: list[object] = []
    size = 0
    while len(recorded) < steps:
        before = len(recorded)
        for batch in loader:
            recorded.append(copied(batch))
            size += sum(leaf.nbytes for leaf in tree_flatten(recorded[-1])[0] if isinstance(leaf, torch.Tensor))
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


def _after(user: _FunctionLoop, state: State, batches: list[Batch], slopes: float | None = None) -> State:
    """Return the state after one call of the user's function; gradients are set to ``slopes`` before it, if given."""
    with user.holding(state):
        if slopes is not None:
            for p in user.trained.values():
                p.grad = torch.full_like(p, slopes)
        with user.randomness(batches[0]):
            user.call(batches)
        return user.read()


def _check_takes_a_step(user: _FunctionLoop, state: State, batch: Batch) -> None:
    with restored_generators(), schedulers_made(user.optimizer) as made:
        try:
            after = _after(user, state, [batch])
        except CannotReplay:
            raise
        except Exception as error:
            shape = "a list of one batch in place of the loader" if user.whole else "one batch"
            raise ValueError(
                f"the training function cannot run on {shape}: {type(error).__name__}: {error}. It may only take batch "
                "after batch"
            ) from error
    if made:
        raise ValueError(
            f"the training function makes a learning rate scheduler ({', '.join(made)}), which begins anew whenever it "
            f"is called on one batch: the iterates would be those of a constant rate. {remedy(made)}"
        )
    if all(torch.equal(value, state["parameters"][name]) for name, value in after["parameters"].items()):
        raise ValueError(
            "the training function changes no parameter of the model on one batch: it does not call optimizer.step() "
            "for every batch (gradients that are accumulated over several are not supported), or it trains another "
            "model or optimizer than the given ones"
        )


def _check_gradients(user: _FunctionLoop, state: State, batch: Batch) -> None:
    ends = []
    for slopes in (None, None, 1.0):
        with restored_generators():
            ends.append(_after(user, state, [batch], slopes)["parameters"])
    if _differing(*ends[:2]):
        return  # something else is carried over from call to call, which the self-check names
    name = _differing(*ends[1:])
    if name is None:
        return
    with restored_generators(), user.holding(state), user.randomness(batch):
        user.call([batch])
        left = user.has_gradients()
    if left is not None:
        raise ValueError(
            f"gradients of earlier steps are added to those of a batch (seen in {name}), and they are not in the "
            "state: call optimizer.zero_grad() before backward()"
        )
    held = user.has_gradients()
    if held is not None:
        raise ValueError(
            f"{held} has a gradient now, which the training function would add to that of the first batch, since it "
            "calls optimizer.zero_grad() only after step(): call optimizer.zero_grad() before from_loop"
        )


def _differing(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> str | None:
    """Return the name of a tensor that differs, or None."""
    return next((key for key, v in first.items() if not torch.equal(v.nan_to_num(), second[key].nan_to_num())), None)


def _check_one_by_one(user: _FunctionLoop, step: LoopStep, state: State, batches: RecordedBatches) -> int:
    """Check that the loop over several batches gives the weights that it gives for each batch in turn.

    Returns
    -------
    int
        The number of batches that were compared: `FEW`, or as many as `SECONDS` are enough for, if there are so many.
    """
    few = min(FEW, len(batches))
    begin = time.perf_counter()
    _compare(user, step, state, batches, few)
    seconds = (time.perf_counter() - begin) / few
    most = min(len(batches), int(SECONDS / max(seconds, 1e-6)))
    if most > few:
        _compare(user, step, state, batches, most)
    return max(few, most)


def _compare(user: _FunctionLoop, step: LoopStep, state: State, batches: RecordedBatches, count: int) -> None:
    data = [batches(i) for i in range(1, count + 1)]
    with restored_generators():
        together = _after(user, state, data)
        single = state
        for t, batch in enumerate(data, 1):
            single = step(single, batch, t)
    ends = [end["parameters"] | end["buffers"] for end in (together, single)]
    name = _differing(*ends)
    if name is not None:
        gap = float((widened(ends[0][name]) - widened(ends[1][name])).abs().max())
        raise NotDeterministic(
            f"the loop does something else on {count} batches than on these one by one: {name} differs by "
            f"{gap:.3g}. It goes over its loader several times, or counts its batches, or something happens at the "
            "end of an epoch; leave one plain loop in the function"
        )
