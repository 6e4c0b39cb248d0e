"""A training step that uses the user's own module and optimizer: exact for any of them, but slower."""

from __future__ import annotations

import copy

import torch
from torch import nn

from contraction.arguments import check_integer
from nn_experiments.training.batches import BatchLike
from nn_experiments.training.optimizers import Schedule
from nn_experiments.training.own_loop import OwnLoop
from nn_experiments.training.scalar_loss import Criterion
from nn_experiments.training.states import Fits, State
from nn_experiments.training.step import TorchOptimizerStep
from nn_experiments.training.structure import structure
from nn_experiments.training.transforms import GradientTransform

__all__ = ["OwnLoopStep"]


class OwnLoopStep(TorchOptimizerStep):
    """A step of the user's own module, loss and ``torch.optim`` optimizer, whose tensors are replaced by the state's.

    It returns what the usual training loop gives, to the last bit: ``optimizer.zero_grad()``,
    ``loss(model(x), y).backward()``, the transform of the gradients if there is one, ``optimizer.step()``. After each
    step the user's objects are as they were before. Training mode and options of the optimizer are those at the time
    when the step was made; do not add or remove hooks or layers afterwards.

    Parameters
    ----------
    model, loss, optimizer
        The user's own objects.
    seed
        Seed of the dropout masks, and of torch's generators if ``frozen``.
    frozen
        Whether torch's generators are seeded by (seed, index of the batch) for each step.
    schedule
        Factors on the learning rate of every parameter group (default: constant).
    transform
        Gradients by the names of parameters -> the gradients that the optimizer gets (default: the same).

    Examples
    --------
    >>> model = torch.nn.Linear(2, 1)
    >>> step = OwnLoopStep(model, torch.nn.functional.mse_loss, torch.optim.RMSprop(model.parameters()))
    >>> batch = torch.ones(3, 2), torch.zeros(3, 1)
    >>> sorted(step(step.loop.start(), batch, 1)["parameters"])
    ['bias', 'weight']
    """

    slow = "a slower path: your own model and optimizer take every step, without the fast kernels and the ensemble"

    def __init__(
        self,
        model: nn.Module,
        loss: Criterion,
        optimizer: torch.optim.Optimizer,
        *,
        seed: int = 0,
        frozen: bool = False,
        schedule: Schedule | None = None,
        transform: GradientTransform | None = None,
    ) -> None:
        self.model, self.loss, self.fits = model, loss, Fits(model, every=True)
        self.loop = OwnLoop(model, loss, optimizer, seed=seed, frozen=frozen, schedule=schedule, transform=transform)

    @property
    def schedule(self) -> Schedule:
        """Factors on the learning rate."""
        return self.loop.schedule

    def with_seed(self, seed: int) -> OwnLoopStep:
        """Return the step with another seed of its frozen randomness."""
        other = copy.copy(self)
        other.loop = copy.copy(self.loop)
        other.loop.seed = check_integer("the seed", seed)
        return other

    def describe(self) -> dict[str, object]:
        """Return everything that the step depends on, but for the seed of its frozen randomness."""
        described = {"model": structure(self.model), "loss": self.loss, **self.loop.describe()}
        if not self.loop.schedule.constant:
            described["schedule"] = self.loop.schedule.describe()
        if self.loop.transform is not None:
            described["transform"] = self.loop.transform
        return described

    def __call__(self, state: State, batch: BatchLike, t: int) -> State:
        """Return the next state; ``state`` is not changed.

        Raises
        ------
        TypeError
            If ``state`` is not a state.
        ValueError
            If the tensors of ``state`` are not the model's, or ``t`` is not an integer of at least 1.
        """
        check_integer("the position t of a step", t, 1)
        self.fits("the state", state)
        with self.loop.holding(state):
            self.loop.once(batch, t)
            return self.loop.read()
