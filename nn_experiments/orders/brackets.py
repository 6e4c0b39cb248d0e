"""What exchanging two batches changes: the bracket of their vector fields, the predicted and the measured difference.

With T_i(θ) = θ + h V_i(θ) and V_i = −∇L_i, Lemma C.1 gives T_i T_j θ − T_j T_i θ = h² [V_i, V_j](θ) + O(h³), where
[V_i, V_j] = V_i'V_j − V_j'V_i. T_i T_j applies T_j first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from torch.utils._pytree import tree_map

from contraction.arguments import check_flag, check_integer
from contraction.maps.errors import NotDeterministic
from nn_experiments.orders.bracket_table import Brackets
from nn_experiments.training.batches import Batch, Batches, BatchLike, check_batch, check_batches
from nn_experiments.training.scalar_loss import trainable
from nn_experiments.training.states import State, check_state
from nn_experiments.training.step import TrainingStep
from nn_experiments.training.trees import flatten

__all__ = ["brackets"]

Tensors = dict[str, torch.Tensor]


def brackets(
    step: TrainingStep,
    batches: Batches,
    state: State,
    pairs: Iterable[tuple[int, int]],
    *,
    t: int | None = None,
    dtype: torch.dtype | None = torch.float64,
    vectors: bool = False,
) -> Brackets:
    """Return, for pairs of batches, their bracket and what exchanging them changes, predicted and measured.

    Parameters
    ----------
    step
        The step of `from_torch` for SGD, momentum, Adam or AdamW, or a `TrainingStep`.
    batches
        i ↦ B_i, as for `nn_experiments.iterates`. For examples, a function that returns batches of one:
        ``lambda i: nne.Batch(x[i - 1 : i], y[i - 1 : i], i)``.
    state
        Parameters θ, the optimizer's memory and buffers, such as `nn_experiments.state_at` returns: the point.
    pairs
        (i, j), numbers of batches, i ≠ j. Differences are T_i T_j minus T_j T_i: T_i last, minus T_j last.
    t
        Position in the run of the first of the two steps, from 1: one more than the number of maps behind the state.
        Schedules and Adam's bias correction read it. (default: 1; required if the state has an optimizer's memory, and
        the step depends on its position)
    dtype
        In which numbers the state and the inputs are converted before anything is computed. The differences are of size
        h², and float32 would lose them in rounding. None leaves everything as it is.
    vectors
        Whether the result keeps the differences of the parameters themselves, (pairs, d) each.

    Returns
    -------
    Brackets
        A row for each pair.

    Raises
    ------
    TypeError
        If the step is not one of those named, or ``batches`` is not a function.
    ValueError
        If ``pairs`` is empty, a pair does not consist of two different integers of at least 1, the state has no
        parameters, or ``t`` is missing where it is required.
    NotDeterministic
        If a second evaluation of the same two steps gives another result.

    Notes
    -----
    The prediction takes both steps with the gradient of the second one replaced by its linearisation at θ,
    ∇L_i(θ) + ∇²L_i(θ)(θ_j − θ), where θ_j are the parameters after the first step: one Jacobian-vector product for each
    order, whatever the number of parameters. For SGD this is h² [V_i, V_j] exactly, with the weight decay as a part of
    V; for momentum and Adam it is the commutator of the maps of the whole state, in which the memory is not linearised.
    Buffers, such as running statistics, are those of the steps, and are not compared.
    The error is of order h³ in the parameters for a loss that is smooth near θ, and zero for a quadratic loss. Lemma
    C.1 and Theorem C.2 have the signs; the minus signs of V = −∇L cancel: [V_i, V_j] = ∇²L_i ∇L_j − ∇²L_j ∇L_i.

    Examples
    --------
    Losses (w x − y)²/2 with (x, y) = (1, 0) and (2, 4), at w = 1: gradients 1 and −4, second derivatives 1 and 4.

    >>> import torch
    >>> import nn_experiments as nne
    >>> model = torch.nn.Linear(1, 1, bias=False)
    >>> _ = torch.nn.init.ones_(model.weight)
    >>> half = lambda outputs, targets: ((outputs - targets) ** 2).mean() / 2
    >>> step, state = nne.from_torch(model, half, torch.optim.SGD(model.parameters(), lr=0.1))
    >>> data = {1: (torch.tensor([[1.0]]), torch.tensor([[0.0]])), 2: (torch.tensor([[2.0]]), torch.tensor([[4.0]]))}
    >>> result = nne.brackets(step, data.__getitem__, state, [(1, 2)], vectors=True)
    >>> result.predicted_vectors.round(12)  # h² (1·(−4) − 4·1)
    array([[-0.08]])
    """
    if not isinstance(step, TrainingStep):
        raise TypeError(
            "brackets need the step of nn_experiments.from_torch for SGD, momentum, Adam or AdamW (without hooks), or "
            f"a TrainingStep, whose gradients can be differentiated; got {type(step).__name__}"
        )
    batches, state = check_batches(batches), check_state("state", state, step)
    check_flag("vectors", vectors)
    if dtype is not None and not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        raise TypeError(f"dtype must be a floating point type of torch, such as torch.float64, or None; got {dtype!r}")
    t = _position(step, state, t)
    chosen = _pairs(pairs)
    start = {part: {name: _as(value, dtype) for name, value in values.items()} for part, values in state.items()}
    for i in {i for pair in chosen for i in pair}:
        check_batch(i, batches(i))
    swaps = [_Swap(step, _converted(batches(i), dtype), _converted(batches(j), dtype), start, t) for i, j in chosen]
    rows = [swap.row() for swap in swaps]
    used = next(iter(start["parameters"].values())).dtype
    predicted, measured = (
        np.stack([flatten(getattr(swap, name).values()).numpy(force=True).astype(float) for swap in swaps])
        if vectors
        else None
        for name in ("predicted", "measured")
    )
    return Brackets(
        pairs=np.array(chosen),
        **{name: np.array([row[name] for row in rows]) for name in rows[0]},
        method=step.optimizer.method,
        dimension=sum(value.numel() for value in start["parameters"].values()),
        t=t,
        dtype=str(used).removeprefix("torch."),
        predicted_vectors=predicted,
        measured_vectors=measured,
    )


def _position(step: TrainingStep, state: State, t: int | None) -> int:
    """Return the position of the first step, which a state with an optimizer's memory does not know."""
    if t is not None:
        return check_integer("the position t", t, 1)
    adam = step.optimizer.method in ("adam", "adamw")
    if state.get("optimizer") and (adam or not step.optimizer.schedule.constant):
        what = "Adam's bias correction" if adam else "the schedule"
        raise ValueError(
            f"the state has taken steps, as the optimizer's memory in it shows, but not how many, which {what} needs: "
            "give t=, one more than the number of maps behind the state (t=n + 1 for iterate n)"
        )
    return 1


def _pairs(pairs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    listed = list(pairs) if isinstance(pairs, Iterable) else [pairs]
    if not all(np.iterable(pair) for pair in listed):
        raise TypeError(f"pairs must be a list of pairs of numbers of batches, such as [(1, 2)], got {pairs!r}")
    chosen = [tuple(pair) for pair in listed]
    for pair in chosen:
        if len(pair) != 2:
            raise ValueError(f"a pair must be two numbers of batches (i, j), got {pair!r}")
        for i in pair:
            check_integer("the number of a batch", i, 1)
        if pair[0] == pair[1]:
            raise ValueError(f"a pair must be of two different batches, got {pair!r}")
    if not chosen:
        raise ValueError("there are no pairs: give [(1, 2)], say")
    return [(int(pair[0]), int(pair[1])) for pair in chosen]


def _as(value: torch.Tensor, dtype: torch.dtype | None) -> torch.Tensor:
    return value if dtype is None or not value.is_floating_point() else value.to(dtype)


def _converted(batch: BatchLike, dtype: torch.dtype | None) -> BatchLike:
    inputs, targets, *more = (
        tree_map(lambda value: _as(value, dtype) if isinstance(value, torch.Tensor) else value, part) for part in batch
    )
    return Batch(inputs, targets, batch.index) if isinstance(batch, Batch) else (inputs, targets, *more)


class _Gradient:
    """The gradient of a batch's loss at a state, with products of the loss's second derivative.

    The second derivative is symmetric, so that a product from the left, by differentiating the gradient's graph once
    more, is the Jacobian-vector product. Every module with a second derivative in torch has that one.
    """

    def __init__(self, step: TrainingStep, batch: BatchLike, state: State) -> None:
        gradients = step.gradients
        self.leaves = {name: value.detach().requires_grad_() for name, value in state["parameters"].items()}
        buffers = {name: value.clone() for name, value in state.get("buffers", {}).items()}
        values = {f"model.{name}": value for part in (self.leaves, buffers) for name, value in part.items()}
        with torch.enable_grad(), gradients.frozen(batch):
            loss, after = torch.func.functional_call(gradients.objective, values, (batch[0], batch[1], None))
            slopes = torch.autograd.grad(
                trainable(loss), list(self.leaves.values()), create_graph=True, allow_unused=True
            )
        self.graph = dict(zip(self.leaves, slopes, strict=True))
        self.buffers = buffers | {name: value.detach() for name, value in after.items() if name in buffers}

    def value(self) -> dict[str, torch.Tensor | None]:
        """Return the gradient by name, None for parameters that the loss does not depend on."""
        return {name: None if slope is None else slope.detach() for name, slope in self.graph.items()}

    def product(self, direction: Tensors) -> Tensors:
        """Return ∇²L applied to a direction."""
        curved = {name: slope for name, slope in self.graph.items() if slope is not None and slope.requires_grad}
        if not curved:  # a linear loss
            return {name: torch.zeros_like(value) for name, value in self.leaves.items()}
        products = torch.autograd.grad(
            list(curved.values()),
            list(self.leaves.values()),
            [direction[name] for name in curved],
            retain_graph=True,
            allow_unused=True,
            materialize_grads=True,
        )
        return dict(zip(self.leaves, products, strict=True))


class _Swap:
    """T_i T_j and T_j T_i at one state: the bracket, and the difference of the two, predicted and measured."""

    def __init__(self, step: TrainingStep, one: BatchLike, other: BatchLike, state: State, t: int) -> None:
        self.step, self.state, self.t = step, state, t
        after = [step(state, batch, t) for batch in (one, other)]
        self.bracket = self._bracket(_Gradient(step, one, state), _Gradient(step, other, state))
        measured = [step(after[1], one, t + 1), step(after[0], other, t + 1)]
        again = step(step(state, other, t), one, t + 1)
        if any(not torch.equal(a, b) for a, b in zip(_values(measured[0]), _values(again), strict=True)):
            raise NotDeterministic("the same two steps gave another result the second time")
        predicted = [self._linearised(one, after[1]), self._linearised(other, after[0])]
        self.measured, self.measured_memory = _difference(*measured)
        self.predicted, self.predicted_memory = _difference(*predicted)
        self.size = float(flatten(measured[0]["parameters"].values()).norm())

    def row(self) -> dict[str, float]:
        """Return the numbers of the table."""
        bracket, measured, predicted = (
            flatten(part.values()) for part in (self.bracket, self.measured, self.predicted)
        )
        both = float(measured.norm() * predicted.norm())
        memory = {"memory_predicted": np.nan, "memory_measured": np.nan, "memory_error": np.nan}
        if self.measured_memory:
            a, b = flatten(self.predicted_memory.values()), flatten(self.measured_memory.values())
            memory = dict(zip(memory, (float(v.norm()) for v in (a, b, b - a)), strict=True))
        return {
            "bracket": float(bracket.norm()),
            "predicted": float(predicted.norm()),
            "measured": float(measured.norm()),
            "error": float((measured - predicted).norm()),
            "cosine": float(measured @ predicted) / both if both else np.nan,
            "rounding": 4 * torch.finfo(measured.dtype).eps * self.size,
            **memory,
        }

    def _bracket(self, one: _Gradient, other: _Gradient) -> Tensors:
        """Return V_i'V_j − V_j'V_i for V = −∇L, minus the weight decay times θ where that is a part of the gradient."""
        decay = 0.0 if self.step.optimizer.method == "adamw" else self.step.optimizer.weight_decay
        here = self.state["parameters"]

        def field(own: _Gradient) -> Tensors:
            return {
                name: torch.zeros_like(here[name]) if slope is None else -(slope + decay * here[name])
                for name, slope in own.value().items()
            }

        def along(own: _Gradient, direction: Tensors) -> Tensors:
            turn = own.product(direction)
            return {
                name: torch.zeros_like(here[name]) if slope is None else -(turn[name] + decay * direction[name])
                for name, slope in own.graph.items()
            }

        return _minus(along(one, field(other)), along(other, field(one)))

    def _linearised(self, batch: BatchLike, after: State) -> State:
        """Return the second step with the gradient linearised at θ."""
        here = _Gradient(self.step, batch, after | {"parameters": self.state["parameters"]})
        turn = here.product(_minus(after["parameters"], self.state["parameters"]))
        slopes = {name: None if slope is None else slope + turn[name] for name, slope in here.value().items()}
        index = batch.index if isinstance(batch, Batch) else self.t + 1
        rate = self.step.optimizer.rate(self.t + 1, index)
        return self.step.update(after, slopes, here.buffers, rate, self.t + 1)


def _minus(a: Mapping[str, torch.Tensor], b: Mapping[str, torch.Tensor]) -> Tensors:
    return {name: a[name] - b[name] for name in a}


def _values(state: State) -> list[torch.Tensor]:
    return [value for part in sorted(state) for value in state[part].values()]


def _difference(one: State, other: State) -> tuple[Tensors, Tensors]:
    """Return the differences of the parameters, and of what the optimizer keeps."""
    kept = one.get("optimizer", {})
    memory = {name: value - other["optimizer"][name] for name, value in kept.items() if value.is_floating_point()}
    return _minus(one["parameters"], other["parameters"]), memory
