"""The user's own module, loss and optimizer, used with the tensors of a state for a few steps.

Hooks, closures, parameter groups, shared layers and every feature of the optimizer's class work as in the user's own
training loop, since it is that loop. Afterwards the objects have the user's tensors again, which are never written to.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator

import torch
from torch import nn

from contraction.arguments import check_integer
from nn_experiments.training.batches import Batch, BatchLike
from nn_experiments.training.calls import loss_of
from nn_experiments.training.dropout import FrozenDropout, frozen_randomness, restart_masks
from nn_experiments.training.kept_attributes import kept_attributes
from nn_experiments.training.optimizer_slots import read_slots, write_slots
from nn_experiments.training.optimizers import Schedule
from nn_experiments.training.own_loop_reasons import hooks_of_all
from nn_experiments.training.refusals import check_requires_grad
from nn_experiments.training.scalar_loss import Criterion, trainable
from nn_experiments.training.step import State
from nn_experiments.training.torch_randomness import seed_torch, seeded
from nn_experiments.training.transforms import GradientTransform, apply_transform

__all__ = ["OwnLoop"]

#: Options of optimizers that say how a step is computed, and not which.
WITHOUT_EFFECT = ("foreach", "fused", "capturable", "differentiable")


def _index(batch: BatchLike) -> int:
    if not isinstance(batch, Batch):
        raise TypeError("a schedule with index='batch' needs batches that carry their index")
    return batch.index


def _same(one: object, other: object) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return torch.equal(one, other)
    return type(one) is type(other) and bool(one == other)


class OwnLoop:
    """A user's training loop on states: ``zero_grad``, forward, backward, the transform of gradients, ``step``.

    Parameters
    ----------
    model, loss, optimizer
        The user's own objects. Training mode of every submodule, options of every parameter group and state of the
        optimizer are those at the time of this call.
    seed
        Seed of the dropout masks, and of torch's generators if ``frozen``.
    frozen
        Whether torch's generators are seeded by (seed, index of the batch) for each step.
    schedule
        Factors on the learning rate of every parameter group (default: constant).
    transform
        What replaces the gradients before ``step`` (default: nothing does).
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Criterion,
        optimizer: torch.optim.Optimizer,
        *,
        seed: int,
        frozen: bool,
        schedule: Schedule | None = None,
        transform: GradientTransform | None = None,
    ) -> None:
        self.model, self.loss, self.optimizer, self.frozen = model, loss, optimizer, frozen
        self.seed = check_integer("the seed", seed)
        self.schedule, self.transform = schedule or Schedule(), transform
        self.parameters = dict(model.named_parameters())
        self.requires = {name: p.requires_grad for name, p in self.parameters.items()}
        self.trained = {name: p for name, p in self.parameters.items() if p.requires_grad}
        self.modules = list(model.modules())
        self.modes = [module.training for module in self.modules]
        known = {id(value): name for name, value in model.named_buffers()}
        self.buffers = [
            (module, key, known[id(value)])
            for module in self.modules
            for key, value in module._buffers.items()
            if value is not None
        ]
        self.options = [
            {key: copy.deepcopy(value) for key, value in group.items() if key != "params"}
            for group in optimizer.param_groups
        ]
        self.first = {
            key: copy.deepcopy(slots) if isinstance(slots, dict) else copy.copy(slots)
            for key, slots in optimizer.state.items()
        }
        self.masks = [(m, FrozenDropout(m.p)) for m in self.modules if type(m) is nn.Dropout and 0 < m.p < 1]
        torch_s = type(optimizer).zero_grad is torch.optim.Optimizer.zero_grad and "zero_grad" not in vars(optimizer)
        trained = {id(p) for group in optimizer.param_groups for p in group["params"]}
        self.own_zero_grad = not torch_s or any(id(p) not in trained for p in self.trained.values())
        self.random = frozen or bool(self.masks) or any(isinstance(m, FrozenDropout) for m in self.modules)

    def __getstate__(self) -> dict[str, object]:
        """Return what is copied or pickled.

        Raises
        ------
        TypeError
            If a parameter has a hook, since copies of parameters have no hooks.
        """
        for name, p in self.parameters.items():
            if p._backward_hooks or getattr(p, "_post_accumulate_grad_hooks", None):
                raise TypeError(
                    f"a step with a hook on the parameter {name} cannot be copied or pickled: it would be lost"
                )
        return self.__dict__

    def check_options(self) -> None:
        """Refuse an optimizer whose options were changed since this loop was made, which has the former ones.

        Raises
        ------
        ValueError
            If a learning rate, say, is another one now, with both values.
        """
        for k, (group, kept) in enumerate(zip(self.optimizer.param_groups, self.options, strict=False)):
            for key, before in kept.items():
                now = group.get(key)
                if key not in WITHOUT_EFFECT and not _same(now, before):
                    where = f" of parameter group {k}" if len(self.options) > 1 else ""
                    raise ValueError(
                        f"the optimizer's {key}{where} was {before} when the training step was made of it, and is "
                        f"{now} now, which the step does not know. Call from_torch again for {now}, or set it back"
                    )

    def describe(self) -> dict[str, object]:
        """Return what a step depends on besides module, loss and transform, for the identity of a run."""
        names = {id(p): name for name, p in self.parameters.items()}
        described: dict[str, object] = {"optimizer": self.optimizer, "randomness": self.frozen}
        if len(self.options) > 1:
            groups = self.optimizer.param_groups
            described["groups"] = [[names.get(id(p), "") for p in group["params"]] for group in groups]
        if self.first:
            described["state"] = {names.get(id(key), str(key)): slots for key, slots in self.first.items()}
        if hooks := hooks_of_all():
            described["hooks"] = hooks
        return described

    def start(self) -> State:
        """Return the state before the first step, a copy of the module's current tensors."""
        copies = {name: p.detach().clone() for name, p in self.parameters.items()}
        return {
            "parameters": {name: copies[name] for name in self.trained},
            "buffers": {name: value.detach().clone() for name, value in self.model.named_buffers()}
            | {name: value for name, value in copies.items() if name not in self.trained},
            "optimizer": {},
        }

    @contextlib.contextmanager
    def holding(self, state: State) -> Iterator[None]:
        """Give the module and the optimizer the tensors of a state in the body, and their own tensors after it."""
        tensors = [(p, p.data, p.grad, p.requires_grad) for p in self.parameters.values()]
        buffers = [(module, dict(module._buffers)) for module in self.modules]
        slots = dict(self.optimizer.state)
        options = [dict(group) for group in self.optimizer.param_groups]
        try:
            with kept_attributes((*self.modules, self.optimizer)):
                self.put(state)
                yield
        finally:
            for module, before in buffers:
                module._buffers.clear()
                module._buffers.update(before)
            for p, data, grad, required in tensors:
                p.grad = None
                p.data = data
                p.grad = grad
                if p.requires_grad != required and p.is_leaf:
                    p.requires_grad_(required)
            self.optimizer.state.clear()
            self.optimizer.state.update(slots)
            for group, before in zip(self.optimizer.param_groups, options, strict=True):
                group.clear()
                group.update(before)

    def put(self, state: State) -> None:
        """Give the module and the optimizer copies of a state's tensors; call it only in the body of `holding`."""
        values = state.get("buffers", {}) | state["parameters"]
        for name, p in self.parameters.items():
            p.grad = None
            p.data = values[name].detach().clone()
            if p.requires_grad != self.requires[name] and p.is_leaf:
                p.requires_grad_(self.requires[name])
        fresh: dict[str, torch.Tensor] = {}
        for module, key, name in self.buffers:
            if name not in fresh:
                fresh[name] = values[name].detach().clone()
            module._buffers[key] = fresh[name]
        for module, mode in zip(self.modules, self.modes, strict=True):
            module.training = mode
        for module, mask in self.masks:
            mask.training = module.training
            module.__dict__["forward"] = mask.forward
        write_slots(self.optimizer, self.parameters, self.first, self.options, state.get("optimizer", {}))

    def read(self) -> State:
        """Return the current state. It shares its tensors with the module: read it after the last step, or copy it.

        Raises
        ------
        ValueError
            If the module has other buffers than at the start; the message has their names.
        TypeError
            If the optimizer's state has an entry that is neither a tensor nor a number.
        """
        buffers = {name: value.detach() for name, value in self.model.named_buffers()}
        known = {name for _, _, name in self.buffers}
        if buffers.keys() != known:
            other = ", ".join(sorted(buffers.keys() ^ known))
            raise ValueError(
                f"the step adds or removes buffers of the module: {other}. The state must have the same names at every "
                "step: register all buffers, with their final shapes, before the first step"
            )
        names = {id(p): name for name, p in self.parameters.items()}
        return {
            "parameters": {name: p.data for name, p in self.trained.items()},
            "buffers": buffers | {name: p.data for name, p in self.parameters.items() if name not in self.trained},
            "optimizer": read_slots(self.optimizer, names, self.options),
        }

    def once(self, batch: BatchLike, t: int) -> None:
        """Take one step at position t, as the user's training loop does, on the current tensors.

        Raises
        ------
        CallFailed
            If the model, the loss or the transform raises an error.
        TypeError
            If the loss is not a scalar tensor, or the transform does not return gradients.
        ValueError
            If gradients are left after ``optimizer.zero_grad()``.
        CannotReplay
            If the step freezes or unfreezes a parameter.
        """
        if self.schedule.constant:
            self._once(batch)
            return
        groups = list(zip(self.optimizer.param_groups, self.options, strict=True))
        factor = self.schedule.factor(t if self.schedule.index == "position" else _index(batch))
        for group, at_start in groups:
            group["lr"] = at_start["lr"] * factor  # type: ignore[operator]  # a number or a tensor
        self._once(batch)
        for group, at_start in groups:  # it is a function of the position, and not part of the state
            group["lr"] = copy.deepcopy(at_start["lr"])

    def _once(self, batch: BatchLike) -> None:
        self._zero_grad()
        for name, p in self.parameters.items() if self.own_zero_grad else ():
            if p.grad is not None and not p.grad.is_sparse and bool(p.grad.any()):
                raise ValueError(
                    f"the gradient of {name} is not zero after optimizer.zero_grad(): gradients accumulated over "
                    "several steps are not in the state. Let one batch hold all that is accumulated, and step once"
                )
        with torch.enable_grad(), self.randomness(batch):
            index = batch.index if isinstance(batch, Batch) else None
            trainable(loss_of(self.model, self.loss, batch[0], batch[1], index)).backward()
            if self.transform is not None:
                apply_transform(self.transform, self.trained)
            self._update()
        self.check_requires_grad()

    def _update(self) -> None:
        """Call ``optimizer.step()``.

        Raises
        ------
        TypeError
            If it calls the closure that it is not given.
        """
        try:
            self.optimizer.step()
        except TypeError as error:
            if "'NoneType' object is not callable" not in str(error):
                raise
            raise TypeError(
                f"{type(self.optimizer).__name__}.step calls its closure, and training steps have none; it must be a "
                "function of the gradients alone"
            ) from error

    def check_requires_grad(self) -> None:
        """Refuse a step that has frozen or unfrozen a parameter; see `refusals.check_requires_grad`."""
        check_requires_grad((name, p, self.requires[name]) for name, p in self.parameters.items())

    def _zero_grad(self) -> None:
        """Call ``optimizer.zero_grad()``; where it is torch's own, do what it does without its entry for a profiler."""
        if self.own_zero_grad:
            self.optimizer.zero_grad()
            return
        for group in self.optimizer.param_groups:
            for p in group["params"]:
                p.grad = None

    def randomness(self, batch: BatchLike) -> contextlib.AbstractContextManager[None]:
        """Return a context that makes the random numbers of a step a function of the index of its batch.

        Raises
        ------
        TypeError
            If the step draws random numbers and the batch has no index.
        """
        if not self.random:
            return contextlib.nullcontext()
        if not isinstance(batch, Batch):
            raise TypeError("a model with frozen randomness needs batches that carry their index: nn_experiments.Batch")
        return self._frozen(batch.index)

    def restart(self, batch: Batch) -> None:
        """Begin the random numbers of a batch in the body of `randomness`."""
        if self.random:
            restart_masks(self.seed, batch.index)
        if self.frozen:
            seed_torch(self.seed, batch.index)

    @contextlib.contextmanager
    def _frozen(self, index: int) -> Iterator[None]:
        with frozen_randomness(self.seed, index), seeded(self.seed, index) if self.frozen else contextlib.nullcontext():
            yield
