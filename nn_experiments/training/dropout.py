"""Dropout whose masks are determined by the index of the batch, so that T_i is the same map whenever it is applied."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

import torch
from torch import nn

from contraction.arguments import check_finite
from nn_experiments.training.rng import generator

__all__ = ["FrozenDropout", "freeze_dropout", "frozen_randomness", "restart_masks"]


class _Source:
    def __init__(self, seed: int, index: int) -> None:
        self.seed, self.index, self.calls = seed, index, 0


_SOURCE: ContextVar[_Source | None] = ContextVar("source of frozen randomness", default=None)


@contextlib.contextmanager
def frozen_randomness(seed: int, index: int) -> Iterator[None]:
    """Determine the masks of `FrozenDropout` in the body by (seed, index of the batch, number of the call)."""
    token = _SOURCE.set(_Source(seed, index))
    try:
        yield
    finally:
        _SOURCE.reset(token)


def restart_masks(seed: int, index: int) -> None:
    """Begin the masks of another batch in the body of `frozen_randomness`; elsewhere there are none to begin."""
    source = _SOURCE.get()
    if source is not None:
        source.seed, source.index, source.calls = seed, index, 0


class FrozenDropout(nn.Module):
    """Dropout whose mask is a pure function of (seed, index of the batch, number of the call in the forward pass).

    Parameters
    ----------
    p
        Probability that an entry is zeroed, in [0, 1).

    Examples
    --------
    >>> import torch
    >>> import nn_experiments as nne
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 8), nne.FrozenDropout(0.5), torch.nn.Linear(8, 1))
    >>> step = nne.TrainingStep(model, torch.nn.functional.mse_loss, nne.Optimizer(learning_rate=0.1))
    >>> state, inputs, targets = nne.initial_state(model), torch.ones(2, 4), torch.ones(2, 1)
    >>> seventh, again, eighth = (step(state, nne.Batch(inputs, targets, i), 1)["parameters"] for i in (7, 7, 8))
    >>> torch.equal(seventh["0.weight"], again["0.weight"])  # T_7 has one mask, whenever it is applied
    True
    >>> torch.equal(seventh["0.weight"], eighth["0.weight"])  # T_8 has another
    False
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if not 0 <= check_finite("the dropout probability", p) < 1:
            raise ValueError(f"the dropout probability must be in [0, 1), got {p}")
        self.p = p

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return inputs · mask / (1 − p) inside a training step, the inputs themselves in evaluation."""
        source = _SOURCE.get()
        if self.p == 0 or not self.training or source is None:
            return inputs
        rng = generator(source.seed, "dropout", source.index, source.calls)
        source.calls += 1
        mask = torch.from_numpy(rng.random(tuple(inputs.shape)) >= self.p).to(inputs.device)
        return inputs * mask / (1 - self.p)


def freeze_dropout(model: nn.Module, *, others: bool = False) -> int:
    """Replace every ``nn.Dropout`` of a module by `FrozenDropout`, in place; return how many.

    Parameters
    ----------
    model
        Any module. A layer with several names is replaced by one layer under all of them.
    others
        Whether to leave other kinds of dropout as they are, because torch's generator is seeded around the forward
        pass (default: False).

    Raises
    ------
    ValueError
        For dropout of whole channels and other kinds that have no frozen form, if ``others`` is False.
    """
    new: dict[nn.Module, FrozenDropout] = {}
    for name, module in list(model.named_modules(remove_duplicate=False)):
        if not isinstance(module, nn.modules.dropout._DropoutNd) or module.p in (0, 1):
            continue  # everything is kept, or nothing is: neither is random
        if type(module) is nn.Dropout:
            if module not in new:
                new[module] = FrozenDropout(module.p)
                new[module].train(module.training)
            parent, _, key = name.rpartition(".")
            if name:
                setattr(model.get_submodule(parent), key, new[module])
        elif module.training and not others:
            raise ValueError(
                f"{name} is a {type(module).__name__}, which cannot be frozen by the batch's index; pass "
                "randomness='frozen', which seeds torch's generator by the batch's index"
            )
    return len(new)
