"""One map on many chains at once: MLPs by hand, modules in wide form, and any other module by ``torch.vmap``.

All of them change the first ``live`` chains of the stacked state in place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import nn

from contraction.maps.errors import TrainingInReverseError
from nn_experiments.engine.ensemble.stacked_module import CannotWiden, Wide
from nn_experiments.engine.kernels.layers import layers, why_not_mlp_kernel
from nn_experiments.engine.kernels.mlp import IGNORED
from nn_experiments.training.batches import Batches, BatchLike
from nn_experiments.training.own_loop_reasons import hook_of
from nn_experiments.training.step import State, TrainingStep
from nn_experiments.training.trees import stack_trees, tensors_of

__all__ = ["FORMS", "Source", "Sweep", "Uneven", "apply", "form_of", "sweep"]

FORMS = ("mlp", "wide", "vmap")
#: The index of a map: an integer, or (draw, i) if chains of several draws run together.
Index = TypeVar("Index")
#: Index of a map -> its batch.
Source = Callable[[Index], BatchLike]


class Uneven(TrainingInReverseError, ValueError):
    """The batches of some chains cannot be stacked, since they differ in shape or type."""


def _alike(first: object, other: object) -> bool:
    """Whether two inputs, or two targets, have the same shapes and types; at once for single tensors."""
    if isinstance(first, torch.Tensor) and isinstance(other, torch.Tensor):
        return first.shape == other.shape and first.dtype == other.dtype
    one, two = tensors_of(first), tensors_of(other)
    return one.keys() == two.keys() and all(_alike(value, two[name]) for name, value in one.items())


@dataclass(frozen=True)
class Sweep(Generic[Index]):
    """The maps that the active chains apply.

    Attributes
    ----------
    indices, positions
        Index of the map (and of its batch) and position t in the run, for each live chain.
    rate
        The learning rate: a number, or (live,) if it differs between chains.
    """

    indices: Sequence[Index]
    positions: Sequence[int]
    rate: float | torch.Tensor

    @property
    def live(self) -> int:
        """How many chains take part."""
        return len(self.indices)

    @property
    def shared(self) -> bool:
        """Whether all of them apply the same map."""
        return len(set(self.indices)) == 1

    def data(self, batches: Source[Index]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return inputs and targets, (B, …) each if ``shared``, else (live, B, …).

        Raises
        ------
        Uneven
            If batches of different chains differ in the shape or the type of their tensors.
        """
        if self.shared:
            batch = batches(self.indices[0])
            return batch[0], batch[1]
        several = [batches(i) for i in self.indices]
        first = several[0]
        for index, batch in zip(self.indices, several, strict=True):
            if not (_alike(first[0], batch[0]) and _alike(first[1], batch[1])):
                raise Uneven(f"batches {self.indices[0]} and {index} differ in the shape or the type of their tensors")
        return stack_trees([b[0] for b in several]), stack_trees([b[1] for b in several])


def form_of(step: TrainingStep, batches: Batches, *, form: str | None = None) -> tuple[str, str]:
    """Return the form in which chains of a step are batched, and why each earlier form of `FORMS` cannot run it.

    Parameters
    ----------
    step, batches
        As in `nn_experiments.engine.ensemble.wavefront.wavefront`.
    form
        One of `FORMS` (default: None, the first that can run the step).

    Raises
    ------
    TypeError
        If the requested form, or no form, can run the step; the message has the reasons.
    """
    reasons: list[str] = []
    device = next(iter(step.model.parameters())).device.type
    by_hand = why_not_mlp_kernel(step, batches)
    if by_hand is None and torch.is_autocast_enabled(device):
        by_hand = "products are rounded by autocast"
    if form in (None, "mlp") and by_hand is None:
        return "mlp", ""
    if by_hand is not None:  # otherwise another form is asked for
        reasons.append(f"not by hand, {by_hand}")
    if form in (None, "wide") and not step.gradients.seeded:
        not_wide = _why_not_wide(step)
        if not_wide is None:
            return "wide", "; ".join(reasons)
        reasons.append(f"not in wide form, {not_wide}")
    if form in (None, "vmap"):
        if hook := hook_of(step.model):
            raise TypeError(f"the ensemble engine cannot run this step: {hook}; use engine='step'")
        if step.gradients.seeded:
            what = "torch's generator is seeded for one chain"
            raise TypeError(f"the ensemble engine cannot run this step: {what}; use engine='step'")
        norm = any(isinstance(module, nn.modules.batchnorm._NormBase) for module in step.model.modules())
        if not (norm and torch.is_autocast_enabled(device)):
            return "vmap", "; ".join(reasons)
        reasons.append("not by vmap, which has no batch norm of bfloat16 images with float32 statistics")
    raise TypeError(f"the ensemble engine cannot run this step: {'; '.join(reasons)}; use engine='step'")


def _why_not_wide(step: TrainingStep) -> str | None:
    """Return why the step's module has no wide form, or None if it has one."""
    try:
        unused = Wide(step.model).unused
    except CannotWiden as error:
        return str(error)
    if unused and not step.optimizer.is_plain_sgd:
        return f"its parameter {unused[0]} is not used, and would decay or move with others"
    return None


def sweep(
    form: str, step: TrainingStep, batches: Source[Index], state: State, now: Sweep[Index], wide: Wide | None
) -> None:
    """Apply one map to the live chains of a stacked state, in place."""
    if step.optimizer.slots and not state["optimizer"]:
        state["optimizer"].update(_empty_memory(step, state["parameters"]))
    if form == "vmap":
        _vmap(step, batches, state, now)
    else:
        apply(form, step, state, now, *now.data(batches), wide)


def apply(
    form: str,
    step: TrainingStep,
    state: State,
    now: Sweep,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    wide: Wide | None,
) -> None:
    """Apply one map to the live chains of a stacked state, in place, by hand or in wide form; see `Sweep.data`."""
    if form == "mlp":
        _mlp(step, inputs, targets, state, now)
    else:
        assert wide is not None
        _wide(step, inputs, targets, state, now, wide)


def _empty_memory(step: TrainingStep, parameters: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the optimizer's state before the first step, which is zero."""
    slots = step.optimizer.slots
    return {f"{slot}:{name}": torch.zeros_like(value) for name, value in parameters.items() for slot in slots}


def _prefix(state: State, live: int) -> State:
    return {part: {key: value[:live] for key, value in values.items()} for part, values in state.items()}


def _vmap(step: TrainingStep, batches: Source[Index], state: State, now: Sweep[Index]) -> None:
    """Apply one map to every active chain through ``torch.vmap``, buffers included."""
    if step.gradients.random and not now.shared:
        raise TypeError("frozen dropout needs the same batch in all chains: use engine='step' for this order")
    like = next(iter(state["parameters"].values()))
    inputs, targets = now.data(batches)
    rates = torch.as_tensor(now.rate, dtype=like.dtype, device=like.device).expand(now.live)
    t = torch.tensor(now.positions, dtype=like.dtype, device=like.device)

    def once(members: State, x: torch.Tensor, y: torch.Tensor, h: torch.Tensor, position: torch.Tensor) -> State:
        gradients, buffers = step.gradients.functional(members, x, y)
        return step.update(members, gradients, buffers, h, position)

    axis = None if now.shared else 0
    with step.gradients.frozen(batches(now.indices[0])):
        after = torch.vmap(once, in_dims=(0, axis, axis, 0, 0))(_prefix(state, now.live), inputs, targets, rates, t)
    for part, values in after.items():
        for key, value in values.items():
            state[part][key][: now.live] = value


def _wide(
    step: TrainingStep, inputs: torch.Tensor, targets: torch.Tensor, state: State, now: Sweep, wide: Wide
) -> None:
    """Apply one map to every active chain in wide form.

    Plain SGD changes each parameter as soon as its gradient is complete and then drops the gradient, so that there are
    never gradients of more than one layer. Nothing later in the backward pass reads a parameter that has been changed.
    """
    members = _prefix(state, now.live)
    leaves = {name: value.detach().requires_grad_() for name, value in members["parameters"].items()}

    def change(leaf: torch.Tensor) -> None:
        assert leaf.grad is not None
        rate = now.rate
        if isinstance(rate, torch.Tensor):
            leaf.detach().sub_(leaf.grad * rate.view(-1, *[1] * (leaf.dim() - 1)))
        else:
            leaf.detach().sub_(leaf.grad, alpha=rate)
        leaf.grad = None

    with torch.enable_grad():
        outputs = wide(leaves, members["buffers"], inputs, shared=now.shared)
        total = torch.vmap(step.loss, in_dims=(0, None if now.shared else 0))(outputs, targets).sum()
        if step.optimizer.is_plain_sgd:
            for leaf in leaves.values():
                leaf.register_post_accumulate_grad_hook(change)
            total.backward()
            return
        slopes = torch.autograd.grad(total, list(leaves.values()), allow_unused=True, materialize_grads=True)
    like = next(iter(leaves.values()))
    rates = torch.as_tensor(now.rate, dtype=like.dtype, device=like.device).expand(now.live)
    t = torch.tensor(now.positions, dtype=like.dtype, device=like.device)
    gradients = dict(zip(leaves, slopes, strict=True))
    after = torch.vmap(lambda own, slopes, h, position: step.update(own, slopes, {}, h, position))(
        members, gradients, rates, t
    )
    for part in ("parameters", "optimizer"):
        for key, value in after[part].items():
            members[part][key].copy_(value)


def _mlp(step: TrainingStep, x: torch.Tensor, y: torch.Tensor, state: State, now: Sweep) -> None:
    """Take one SGD step of every active MLP: batched products, updates in place, no gradient buffers."""
    live, rate = now.live, now.rate
    x = x.flatten(1).expand(live, *x.flatten(1).shape) if now.shared else x.flatten(2)
    y = y.expand(live, *y.shape) if now.shared else y
    known = layers(step)
    assert known is not None  # otherwise form_of chooses another form
    depth, relu = known.depth, known.relu
    weights = [state["parameters"][name][:live] for name, _ in known.names]
    biases = [state["parameters"][name][:live] for _, name in known.names]
    values = [x]
    for k in range(depth):
        z = torch.baddbmm(biases[k][:, None, :], values[-1], weights[k].transpose(1, 2))
        if k < depth - 1:
            z = z.clamp_(min=0) if relu else z.tanh_()
        values.append(z)
    if known.squares:
        error = (values[-1] - y) * (2 / y[0].numel())
    else:
        error = torch.softmax(values[-1], 2)
        left_out = y == IGNORED
        error.scatter_add_(2, y.masked_fill(left_out, 0)[..., None], torch.full_like(error[..., :1], -1.0))
        error.masked_fill_(left_out[..., None], 0)
        error /= (y.shape[1] - left_out.sum(1)).clamp(min=1).to(error.dtype)[:, None, None]
    factor = rate[:, None, None] if isinstance(rate, torch.Tensor) else rate
    for k in range(depth - 1, -1, -1):
        under = torch.bmm(error, weights[k]) if k else error
        if k:
            under = under * (values[k] > 0) if relu else under * (1 - values[k] ** 2)
        change = error * factor
        weights[k].baddbmm_(change.transpose(1, 2), values[k], alpha=-1)
        biases[k].sub_(change.sum(1))
        error = under
