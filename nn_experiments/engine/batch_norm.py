"""Batch-norm statistics for weights that no training run has visited, such as averages of iterates."""

from __future__ import annotations

import contextlib
import copy

import torch
from torch import nn
from torch.func import functional_call

from nn_experiments.training.batches import Batches
from nn_experiments.training.dropout import freeze_dropout
from nn_experiments.training.inputs import arguments
from nn_experiments.training.loop_step import OwnLoopStep
from nn_experiments.training.step import State, Step, TrainingStep

__all__ = ["StatisticsRefresh"]


class StatisticsRefresh:
    """Recompute the running statistics of a module's batch norm for the weights of a state.

    As in ``torch.optim.swa_utils.update_bn``, each statistic is reset, and becomes the mean over the batches of its
    values in training mode.

    Parameters
    ----------
    step
        A step of `from_torch`, whose module has the batch norm.
    batches
        i -> B_i.
    count
        The statistics are collected on B_1 … B_count.

    Raises
    ------
    TypeError
        If the step has no module but the state has buffers, which might be statistics.
    """

    def __init__(self, step: Step, batches: Batches, count: int) -> None:
        self.batches, self.count = batches, count
        model = getattr(step, "model", None)
        self.model = copy.deepcopy(model).train() if isinstance(model, nn.Module) else None
        self.random = step.gradients.frozen if isinstance(step, TrainingStep) else None
        if self.model is not None and isinstance(step, OwnLoopStep):
            freeze_dropout(self.model, others=True)
            self.random = step.loop.randomness
        self.names: list[str] = []
        for name, module in self.model.named_modules() if self.model is not None else ():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.track_running_stats:
                module.momentum = None  # the plain mean over the batches
                self.names.append(name)

    def __call__(self, state: State) -> State:
        """Return the state with new statistics, or the state itself if the module has no batch norm."""
        buffers = state.get("buffers", {})
        if self.model is None:
            if buffers:
                raise TypeError(
                    "SWA refreshes batch-norm statistics through the module of the step, and a step that you have "
                    "written yourself has none; make the step with from_torch, or average with SuffixMean"
                )
            return state
        if not self.names:
            return state
        fresh = {name: value.clone() for name, value in buffers.items()}
        for name in self.names:
            for key, value in (("running_mean", 0), ("running_var", 1), ("num_batches_tracked", 0)):
                fresh[f"{name}.{key}" if name else key].fill_(value)
        with torch.no_grad():
            for i in range(1, self.count + 1):
                batch = self.batches(i)
                with contextlib.nullcontext() if self.random is None else self.random(batch):
                    functional_call(self.model, (state["parameters"], fresh), *arguments(self.model, batch[0]))
        return {**state, "buffers": fresh}
