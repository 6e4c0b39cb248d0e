"""Measurements of several states at once: in wide form if the module has one, otherwise by ``torch.vmap``."""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakKeyDictionary

import numpy as np
import torch

from nn_experiments.engine.ensemble.stacked_module import CannotWiden, Wide
from nn_experiments.engine.gpu import device_is_lost, out_of_memory
from nn_experiments.engine.plan import Segment
from nn_experiments.training.batches import Batches
from nn_experiments.training.metrics import Evaluation, Measurement
from nn_experiments.training.step import State
from nn_experiments.training.trees import stack_trees

__all__ = ["measure_together"]

Pair = tuple[torch.Tensor, torch.Tensor]
_WIDE: WeakKeyDictionary[Evaluation, Wide | None] = WeakKeyDictionary()


def measure_together(
    measurement: Measurement, iterates: Sequence[tuple[int, State, Segment | None]], batches: Batches
) -> list[dict[str, np.ndarray]] | None:
    """Return a measurement of several iterates, or None if it cannot be batched.

    Parameters
    ----------
    measurement
        What is measured.
    iterates
        (n, state, segment) for every iterate; iterate 0, which has no batches, is not among them.
    batches
        i ↦ B_i.

    Returns
    -------
    list of dict or None
        One dictionary per iterate, name -> value in float64.

    Raises
    ------
    RuntimeError
        If the states do not fit into memory together (see `nn_experiments.engine.gpu.out_of_memory`), or the GPU is
        lost. A measurement that fails for another reason is not batched.
    """
    states = [state for _, state, _ in iterates]
    stacked = {
        part: {key: torch.stack([state[part][key] for state in states]) for key in values}
        for part, values in states[0].items()
    }
    pairs: list[Pair] | None = None
    if measurement.on_batches:
        numbers = (
            [n for n, _, _ in iterates],
            [segment.outermost if segment else 0 for _, _, segment in iterates],
        )
        newest, outermost = (
            (stack_trees([batches(i)[0] for i in row]), stack_trees([batches(i)[1] for i in row])) for row in numbers
        )
        pairs = [newest, outermost]
    values = _in_wide_form(measurement, stacked, pairs) if isinstance(measurement, Evaluation) else None
    if values is None:
        try:
            if pairs is None:
                values = torch.vmap(lambda state: measurement(state, None, None))(stacked)
            else:
                values = torch.vmap(measurement)(stacked, *pairs)
        except RuntimeError as error:
            if out_of_memory(error) or device_is_lost(error):
                raise
            return None
        except (ValueError, TypeError):  # its control flow depends on the data, or it uses more than tensors
            return None
    if any(value.is_complex() for value in values.values()):
        return None  # which a measurement of one state refuses
    arrays = {name: value.detach().cpu().double().numpy() for name, value in values.items()}
    return [{name: value[c] for name, value in arrays.items()} for c in range(len(iterates))]


def _in_wide_form(evaluation: Evaluation, stacked: State, pairs: list[Pair] | None) -> dict[str, torch.Tensor] | None:
    """Return what `Evaluation` returns, one row per chain, or None if the module has no wide form."""
    if evaluation not in _WIDE:
        training = evaluation.model.training
        evaluation.model.eval()
        try:
            _WIDE[evaluation] = Wide(evaluation.model)
        except CannotWiden:
            _WIDE[evaluation] = None
        finally:
            evaluation.model.train(training)
    wide = _WIDE[evaluation]
    if wide is None:
        return None
    on_sets, on_batches = (torch.vmap(evaluation.loss, in_dims=(0, axis)) for axis in (None, 0))
    parameters, buffers = stacked["parameters"], stacked.get("buffers", {})

    def outputs_of(inputs: torch.Tensor, shared: bool) -> torch.Tensor:
        return wide(parameters, buffers, inputs, shared=shared)

    with torch.no_grad():
        try:
            return evaluation.from_outputs(outputs_of, pairs or (None, None), loss=on_sets, batch_loss=on_batches)
        except CannotWiden:  # the wide form does not take inputs of these shapes
            return None
