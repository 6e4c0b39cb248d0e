"""What the self-check of a training step raises."""

from __future__ import annotations

from contraction.maps.errors import TrainingInReverseError

__all__ = ["CannotReplay", "CannotRun"]


class CannotReplay(TrainingInReverseError, ValueError):
    """A training step cannot be replayed: its result depends on something that is not in its arguments.

    The message names what differs: a tensor, a random generator that is drawn from, or an attribute that steps change.

    Examples
    --------
    >>> import torch
    >>> import contraction as ct
    >>> import nn_experiments as nne
    >>> class Warm(torch.nn.Linear):
    ...     calls = 0
    ...     def forward(self, x):  # counts its calls, so that no step can be taken twice
    ...         self.calls += 1
    ...         return super().forward(x) / self.calls
    >>> model, loss = Warm(1, 1), torch.nn.functional.mse_loss
    >>> step, state = nne.from_torch(model, loss, torch.optim.SGD(model.parameters(), lr=0.1))
    >>> batches = nne.ArrayBatches(torch.ones(8, 1), torch.ones(8, 1), batch_size=4, seed=0)
    >>> try:
    ...     nne.iterates(step, batches, state, ct.Backward(), range(3), {})
    ... except nne.CannotReplay as error:
    ...     print(str(error).partition(":")[0])
    the module's calls is not part of the state
    """


class CannotRun(TrainingInReverseError, ValueError):
    """The step made by `from_torch` raises an error on batches on which the user's own training loop does not.

    Examples
    --------
    >>> import torch
    >>> import contraction as ct
    >>> import nn_experiments as nne
    >>> class Strict(torch.nn.Linear):
    ...     def forward(self, x):
    ...         assert isinstance(self.weight, torch.nn.Parameter)  # in a step it is a tensor of the state
    ...         return super().forward(x)
    >>> model, loss = Strict(1, 1), torch.nn.functional.mse_loss
    >>> batches = nne.ArrayBatches(torch.ones(8, 1), torch.ones(8, 1), batch_size=4, seed=0)
    >>> step, state = nne.from_torch(model, loss, torch.optim.SGD(model.parameters(), lr=0.1))
    >>> try:
    ...     nne.iterates(step, batches, state, ct.Backward(), range(3), {})
    ... except nne.CannotRun as error:
    ...     print(str(error).partition(" (")[0])
    at step 1, your own training loop runs and the training step made of it does not
    >>> sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> step, state = nne.from_torch(model, loss, sgd, form="loop")  # the remedy
    >>> nne.iterates(step, batches, state, ct.Backward(), range(3), {}).applications
    3
    """
