"""A training step as a map of the whole state: ``step(state, batch, t) -> state``, a pure function.

A state is a nested dictionary of tensors, ``{"parameters": {name: …}, "optimizer": {key: …}, "buffers": {…}}``.
t is the position of the map in the run; the map that is applied first has t = 1. At another position the same map T_i
differs only through learning-rate schedules and the bias correction of Adam.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import nn
from torch.func import functional_call, grad

from contraction.arguments import check_integer
from nn_experiments.training import choices
from nn_experiments.training.batches import Batch, BatchLike
from nn_experiments.training.calls import loss_of
from nn_experiments.training.dropout import FrozenDropout, frozen_randomness
from nn_experiments.training.optimizers import FunctionSchedule, Optimizer, Schedule
from nn_experiments.training.refusals import check_is_module, check_requires_grad
from nn_experiments.training.scalar_loss import Criterion, check_loss, trainable
from nn_experiments.training.signatures import check_takes
from nn_experiments.training.states import Fits, State
from nn_experiments.training.structure import structure
from nn_experiments.training.torch_randomness import seeded

__all__ = ["LOSSES", "State", "Step", "TorchOptimizerStep", "TrainingStep", "initial_state", "mse"]

#: (state, batch, position t in the run, counted from 1) -> next state.
Step = Callable[[State, BatchLike, int], State]
#: Gradients by the names of parameters; None where the loss does not depend on the parameter.
Gradients = dict[str, torch.Tensor | None]


def mse(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the mean over all entries of (f(x) − y)²."""
    return ((outputs - targets) ** 2).mean()


#: Name -> function of outputs and targets.
LOSSES: dict[str, Criterion] = dict(zip(choices.LOSSES, (mse, nn.functional.cross_entropy), strict=True))


def initial_state(model: nn.Module, parameters: Mapping[str, torch.Tensor] | None = None) -> State:
    """Return the state before the first step: copies of parameters (default: the model's) and of the model's buffers.

    The optimizer's state is empty; missing entries count as zero.

    Raises
    ------
    TypeError
        If ``model`` is not a module, or ``parameters`` does not map names to tensors of floating point numbers.
    ValueError
        If the names and shapes of ``parameters`` are not those of the model. Parameters that do not require gradients
        may be left out.

    Examples
    --------
    >>> import torch
    >>> from nn_experiments import initial_state
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    >>> state = initial_state(model)
    >>> list(state["parameters"]), list(state["buffers"])
    (['0.weight', '0.bias', '1.weight', '1.bias'], ['1.running_mean', '1.running_var', '1.num_batches_tracked'])
    """
    check_is_module(model)
    buffers = {name: value.detach().clone() for name, value in model.named_buffers()}
    if parameters is None:
        values = {name: value.detach().clone() for name, value in model.named_parameters()}
        return {"parameters": values, "buffers": buffers, "optimizer": {}}
    if not isinstance(parameters, Mapping):
        raise TypeError(f"parameters must be a dictionary {{name: tensor}}, got {type(parameters).__name__}")
    for name, value in parameters.items():
        if not isinstance(value, torch.Tensor):
            raise TypeError(f"parameters[{name!r}] must be a tensor, got {type(value).__name__}")
    values = {name: value.detach().clone() for name, value in parameters.items()}
    state: State = {"parameters": values, "buffers": buffers, "optimizer": {}}
    Fits(model)("parameters", state)
    return state


class _Objective(nn.Module):
    """A module followed by its loss, differentiated while the module has the tensors of a state."""

    def __init__(self, model: nn.Module, loss: Criterion) -> None:
        super().__init__()
        self.model = model
        self._loss = (loss,)  # in a tuple, so that a loss that is a module is not a submodule of this one
        self.buffered = any(True for _ in model.buffers())

    def forward(
        self, inputs: torch.Tensor, targets: torch.Tensor, leaves: list[torch.Tensor] | None
    ) -> tuple[torch.Tensor | tuple[torch.Tensor | None, ...], dict[str, torch.Tensor]]:
        """Return the gradients of the leaves (the loss, if None) and the buffers after the forward pass.

        The backward pass is part of it, since activation checkpoints compute the forward pass once more, with the
        tensors that the module then has. Buffers are read from the module, since a forward pass may replace them.
        """
        value = loss_of(self.model, self._loss[0], inputs, targets)
        result = value if leaves is None else torch.autograd.grad(trainable(value), leaves, allow_unused=True)
        return result, dict(self.model.named_buffers()) if self.buffered else {}


class _Gradients:
    """Gradients of a module's loss at a state; parameters, buffers and randomness are all arguments."""

    def __init__(self, model: nn.Module, loss: Criterion, seed: int, *, frozen: bool = False) -> None:
        for name, module in model.named_modules():
            dropout = isinstance(module, nn.modules.dropout._DropoutNd) and 0 < module.p < 1 and module.training
            if dropout and not frozen:
                raise ValueError(
                    f"{name} is a {type(module).__name__}: its masks come from torch's generator and could not be "
                    f"replayed. Use nn_experiments.FrozenDropout({module.p}), or from_torch, which replaces it"
                )
        self.model, self.loss, self.seed, self.seeded = model, loss, check_integer("the seed", seed), frozen
        self.objective = _Objective(model, loss)
        self.random = frozen or any(isinstance(module, FrozenDropout) for module in model.modules())

    def __call__(self, state: State, batch: BatchLike) -> tuple[Gradients, dict[str, torch.Tensor]]:
        """Return the gradients and the buffers after the forward pass."""
        leaves = {name: value.detach().requires_grad_() for name, value in state["parameters"].items()}
        buffers = {name: value.clone() for name, value in state.get("buffers", {}).items()}
        given = leaves | buffers
        values = {f"model.{name}": value for name, value in given.items()}
        try:
            with torch.enable_grad(), self.frozen(batch):
                slopes, after = functional_call(self.objective, values, (batch[0], batch[1], list(leaves.values())))
        finally:  # a parameter that the forward pass has frozen makes the backward pass fail, which says less
            check_requires_grad((name, value, name in leaves) for name, value in given.items())
        return dict(zip(leaves, slopes, strict=True)), self._detached(buffers, after)

    def functional(
        self, state: State, inputs: torch.Tensor, targets: torch.Tensor
    ) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        """Return gradients by name and the buffers after the forward pass, in a form ``torch.vmap`` can batch."""

        def objective(parameters: dict[str, torch.Tensor]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
            buffers = {name: value.clone() for name, value in state.get("buffers", {}).items()}
            values = {f"model.{name}": value for name, value in (parameters | buffers).items()}
            value, after = functional_call(self.objective, values, (inputs, targets, None))
            return value.squeeze(), self._detached(buffers, after)

        return grad(objective, has_aux=True)(state["parameters"])

    @staticmethod
    def _detached(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        if not after:
            return before
        return {name: after[name].detach() if name in after else value for name, value in before.items()}

    @contextlib.contextmanager
    def _fixed(self, batch: BatchLike) -> Iterator[None]:
        if not isinstance(batch, Batch):
            what = "torch's generators seeded by the batch" if self.seeded else "FrozenDropout"
            raise TypeError(f"a model with {what} needs batches that carry their index: nn_experiments.Batch")
        torch_too = seeded(self.seed, batch.index) if self.seeded else contextlib.nullcontext()
        with frozen_randomness(self.seed, batch.index), torch_too:
            yield

    def frozen(self, batch: BatchLike) -> contextlib.AbstractContextManager[None]:
        """Return the context in which the model's frozen randomness is that of the batch."""
        return self._fixed(batch) if self.random else contextlib.nullcontext()


class TrainingStep:
    """A step of SGD, momentum, Adam or AdamW on any module, as a pure function of state, batch and position.

    Parameters
    ----------
    model
        Any module; only its structure is used, parameters and buffers come from the state. Running statistics
        that the forward pass updates in place are carried in the state.
    loss
        (outputs, targets) -> scalar: a mean over the batch.
    optimizer
        See `nn_experiments.training.optimizers.Optimizer`. The conventions, and so the numbers, are those of
        ``torch.optim``.
    seed
        Seed of the frozen randomness (dropout masks), which depends on (seed, index of the batch) only.
    frozen
        Whether torch's generators are seeded by (seed, index of the batch) around the forward pass.

    Notes
    -----
    A parameter on which the loss does not depend is not changed, not even by weight decay or momentum, just as
    ``torch.optim`` skips parameters whose gradient is None. Adam counts such steps in ``missed:name``.

    Examples
    --------
    >>> import torch
    >>> import nn_experiments as nne
    >>> model, loss = torch.nn.Linear(1, 1, bias=False), torch.nn.functional.mse_loss
    >>> step = nne.TrainingStep(model, loss, nne.Optimizer(learning_rate=0.1))
    >>> state = nne.initial_state(model, {"weight": torch.tensor([[1.0]])})
    >>> batch = (torch.ones(4, 1), torch.zeros(4, 1))
    >>> step(state, batch, 1)["parameters"]["weight"]  # 1 - 0.1 · 2
    tensor([[0.8000]])
    >>> state["parameters"]["weight"]  # the state itself is not changed
    tensor([[1.]])
    >>> gradient = {"weight": torch.tensor([[3.0]])}
    >>> step.update(state, gradient, {}, rate=0.1, t=1)["parameters"]["weight"]  # the optimizer's part of a step
    tensor([[0.7000]])
    >>> sorted(step.with_seed(1).describe())
    ['loss', 'model', 'optimizer', 'randomness']
    """

    #: A `SelfCheck` (or `Unchecked`) if `from_torch` made the step, or None.
    self_check: object = None

    def __init__(
        self, model: nn.Module, loss: Criterion, optimizer: Optimizer, *, seed: int = 0, frozen: bool = False
    ) -> None:
        check_is_module(model)
        check_loss(loss)
        if not isinstance(optimizer, Optimizer):
            raise TypeError(
                "the optimizer of a TrainingStep must be a nn_experiments.Optimizer, such as "
                f"Optimizer(learning_rate=0.1), got {type(optimizer).__name__}; from_torch takes those of torch.optim"
            )
        self.model, self.loss, self.optimizer, self.fits = model, loss, optimizer, Fits(model)
        self.gradients = _Gradients(model, loss, seed, frozen=frozen)

    def with_seed(self, seed: int) -> TrainingStep:
        """Return the step with another seed of its frozen randomness."""
        other = copy.copy(self)
        other.gradients = copy.copy(self.gradients)
        other.gradients.seed = check_integer("the seed", seed)
        return other

    @property
    def schedule(self) -> Schedule:
        """Factors on the learning rate."""
        return self.optimizer.schedule

    def describe(self) -> dict[str, object]:
        """Return everything that the step depends on, but for the seed of its frozen randomness."""
        described = {
            "model": structure(self.model),
            "loss": self.loss,
            "optimizer": self.optimizer.to_json(),
            "randomness": self.gradients.seeded,
        }
        if isinstance(self.optimizer.schedule, FunctionSchedule):  # of which the optimizer's data have the name alone
            described["schedule"] = self.optimizer.schedule.describe()
        return described

    def __call__(self, state: State, batch: BatchLike, t: int) -> State:
        """Return the next state; ``state`` is not changed.

        Raises
        ------
        TypeError
            If ``state`` is not a state, or the batch has no index and one is needed.
        ValueError
            If the tensors of ``state`` are not the model's, or ``t`` is not an integer of at least 1.
        """
        if type(t) is not int or t < 1:
            t = check_integer("the position t of a step", t, 1)
        self.fits("the state", state)
        gradients, buffers = self.gradients(state, batch)
        index = batch.index if isinstance(batch, Batch) else t
        if self.optimizer.schedule.index == "batch" and not isinstance(batch, Batch):
            raise TypeError("a schedule with index='batch' needs batches that carry their index")
        return self.update(state, gradients, buffers, self.optimizer.rate(t, index), t)

    def update(
        self,
        state: State,
        gradients: Mapping[str, torch.Tensor | None],
        buffers: dict[str, torch.Tensor],
        rate: float | torch.Tensor,
        t: int | torch.Tensor,
    ) -> State:
        """Return the state after one update; ``rate`` and ``t`` may be tensors with one entry per chain."""
        optimizer = self.optimizer
        old, memory = state["parameters"], state.get("optimizer", {})
        parameters: dict[str, torch.Tensor] = {}
        slots: dict[str, torch.Tensor] = {}
        for name, value in old.items():
            slope, position = gradients[name], t
            if slope is None:
                parameters[name] = value
                slots.update(_unmoved(name, memory, counted=optimizer.method in ("adam", "adamw")))
                continue
            if f"missed:{name}" in memory:
                slots[f"missed:{name}"] = memory[f"missed:{name}"]
                position = t - int(slots[f"missed:{name}"])
            if optimizer.weight_decay and optimizer.method != "adamw":
                slope = slope + optimizer.weight_decay * value
            if optimizer.method == "sgd":
                parameters[name] = value - rate * slope
            elif optimizer.method == "momentum":
                velocity = slope
                if f"velocity:{name}" in memory:
                    velocity = optimizer.momentum * memory[f"velocity:{name}"] + slope
                slots[f"velocity:{name}"] = velocity
                direction = slope + optimizer.momentum * velocity if optimizer.nesterov else velocity
                parameters[name] = value - rate * direction
            else:
                if optimizer.method == "adamw":
                    value = value * (1 - rate * optimizer.weight_decay)
                a, b = optimizer.betas
                first, second = (1 - a) * slope, (1 - b) * slope * slope
                if f"first:{name}" in memory:
                    first = a * memory[f"first:{name}"] + first
                    second = b * memory[f"second:{name}"] + second
                slots[f"first:{name}"], slots[f"second:{name}"] = first, second
                scale = (second / (1 - b**position)) ** 0.5 + optimizer.eps
                parameters[name] = value - rate / (1 - a**position) * first / scale
        return {"parameters": parameters, "buffers": buffers, "optimizer": slots}


def _unmoved(name: str, memory: Mapping[str, torch.Tensor], *, counted: bool) -> dict[str, torch.Tensor]:
    """Return the optimizer's state of a parameter after a step in which the parameter has no gradient."""
    slots = {key: value for key, value in memory.items() if key.split(":", 1)[1] == name}
    if counted:
        slots[f"missed:{name}"] = slots.get(f"missed:{name}", torch.tensor(0)) + 1
    return slots


class TorchOptimizerStep:
    """A step of any ``torch.optim`` optimizer, which is constructed again for every step: exact, but slower.

    Parameters
    ----------
    model, loss, seed
        As in `TrainingStep`.
    make
        parameters -> optimizer, such as ``lambda p: torch.optim.RMSprop(p, lr=1e-3)``; called at every step.

    Notes
    -----
    Optimizers whose step needs a closure (LBFGS) raise a TypeError, and so does optimizer state that consists of
    anything but tensors and numbers.

    Examples
    --------
    >>> import torch
    >>> import nn_experiments as nne
    >>> model, loss = torch.nn.Linear(1, 1), torch.nn.functional.mse_loss
    >>> step = nne.TorchOptimizerStep(model, loss, lambda parameters: torch.optim.RMSprop(parameters, lr=0.01))
    >>> state = nne.initial_state(model)
    >>> after = step(state, (torch.ones(4, 1), torch.ones(4, 1)), 1)
    >>> sorted(after["optimizer"])  # what RMSprop remembers, per parameter
    ['square_avg:bias', 'square_avg:weight', 'step:bias', 'step:weight']
    >>> sorted(step.with_seed(1).describe())
    ['loss', 'model', 'optimizer']
    """

    self_check: object = None
    slow = "a slower path: torch's own optimizer, rebuilt at every step, without the fast kernels and the ensemble"

    def __init__(
        self,
        model: nn.Module,
        loss: Criterion,
        make: Callable[[list[torch.Tensor]], torch.optim.Optimizer],
        *,
        seed: int = 0,
    ) -> None:
        check_is_module(model)
        check_loss(loss)
        check_takes("make", make, ("parameters",))
        self.model, self.loss, self.make, self.fits = model, loss, make, Fits(model)
        self.gradients = _Gradients(model, loss, seed)
        made = make([torch.zeros(1, requires_grad=True)])
        if not isinstance(made, torch.optim.Optimizer):
            raise TypeError(f"make must return an optimizer of torch.optim, got {type(made).__name__}")
        if isinstance(made, torch.optim.LBFGS):
            raise TypeError("LBFGS evaluates the loss several times per step through a closure: not supported")

    def with_seed(self, seed: int) -> TorchOptimizerStep:
        """Return the step with another seed of its frozen randomness."""
        other = copy.copy(self)
        other.gradients = copy.copy(self.gradients)
        other.gradients.seed = check_integer("the seed", seed)
        return other

    def describe(self) -> dict[str, object]:
        """Return everything that the step depends on, but for the seed of its frozen randomness."""
        return {"model": structure(self.model), "loss": self.loss, "optimizer": self.make}

    def __call__(self, state: State, batch: BatchLike, t: int) -> State:
        """Return the next state; ``state`` is not changed.

        Raises
        ------
        TypeError
            If ``state`` is not a state, or the optimizer keeps anything but tensors and numbers.
        ValueError
            If the tensors of ``state`` are not the model's, or ``t`` is not an integer of at least 1.
        """
        check_integer("the position t of a step", t, 1)
        self.fits("the state", state)
        gradients, buffers = self.gradients(state, batch)
        names = list(state["parameters"])
        leaves = [state["parameters"][name].detach().clone() for name in names]
        optimizer = self.make(leaves)
        for key, value in state.get("optimizer", {}).items():
            slot, name = key.split(":", 1)
            optimizer.state[leaves[names.index(name)]][slot] = value.clone()
        for name, leaf in zip(names, leaves, strict=True):
            slope = gradients[name]
            leaf.grad = None if slope is None else slope.detach().clone()
        optimizer.step()
        slots: dict[str, torch.Tensor] = {}
        for name, leaf in zip(names, leaves, strict=True):
            for slot, value in optimizer.state[leaf].items():
                if value is None:
                    continue
                if not isinstance(value, torch.Tensor | int | float):
                    raise TypeError(f"{type(optimizer).__name__} keeps {slot} as {type(value).__name__}: not supported")
                slots[f"{slot}:{name}"] = torch.as_tensor(value).detach().clone()
        return {"parameters": dict(zip(names, leaves, strict=True)), "buffers": buffers, "optimizer": slots}
