"""How many chains fit into memory together, counted from shapes alone."""

from __future__ import annotations

import torch

from nn_experiments.engine.ensemble.stacked_module import Wide
from nn_experiments.training.step import State, TrainingStep

__all__ = ["ON_A_CPU", "SHARE", "activation_bytes", "chain_bytes", "fitting"]

#: Share of the free memory of a GPU that chains may take, by count; the rest is for workspaces and fragments.
SHARE = 0.8
#: Number of chains together on a CPU, where memory does not limit it.
ON_A_CPU = 32


def _bytes(value: torch.Tensor) -> int:
    return value.numel() * value.element_size()


def activation_bytes(step: TrainingStep, wide: Wide, state: State, inputs: torch.Tensor) -> int:
    """Return how many bytes the forward pass of one chain saves for its backward pass.

    The forward pass of two chains is run on tensors without data ("meta"). The storages that autograd saves are added
    up, each once, without those of parameters and buffers.

    Raises
    ------
    CannotWiden
        If the wide form does not take such inputs.
    """

    def blank(value: torch.Tensor) -> torch.Tensor:
        return torch.empty((2, *value.shape), dtype=value.dtype, device="meta")

    parameters = {name: blank(value).requires_grad_() for name, value in state["parameters"].items()}
    buffers = {name: blank(value) for name, value in state.get("buffers", {}).items()}
    given = {id(value.untyped_storage()) for value in (*parameters.values(), *buffers.values())}
    saved: dict[int, torch.UntypedStorage] = {}  # storages are held, so that no id is reused

    def pack(value: torch.Tensor) -> torch.Tensor:
        storage = value.untyped_storage()
        if id(storage) not in given:
            saved[id(storage)] = storage
        return value

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
        wide(parameters, buffers, blank(inputs), shared=False)
    return sum(storage.nbytes() for storage in saved.values()) // 2


def chain_bytes(step: TrainingStep, state: State, activations: int | None) -> int:
    """Return the peak memory of one chain in bytes.

    During training these are the weights, the buffers, the optimizer's state, the activations, and the gradient of the
    largest layer twice (of all layers, if the optimizer is not plain SGD). At the end the state is copied. If
    ``activations`` is None, activations and gradients are estimated as three times the weights.
    """
    sizes = [_bytes(value) for value in state["parameters"].values()]
    slots = len(step.optimizer.slots)
    held = (1 + slots) * sum(sizes) + sum(_bytes(value) for value in state.get("buffers", {}).values())
    if activations is None:
        return held + 3 * sum(sizes)
    gradients = 2 * max(sizes) if step.optimizer.is_plain_sgd else (2 + slots) * sum(sizes)
    return max(2 * held, held + activations + gradients)


def fitting(step: TrainingStep, state: State, activations: int | None) -> int:
    """Return how many chains to run together: as many as fit into the free memory of a GPU, or 32 on a CPU."""
    like = next(iter(state["parameters"].values()))
    if not like.is_cuda:
        return ON_A_CPU
    free, _ = torch.cuda.mem_get_info(like.device)
    free += torch.cuda.memory_reserved(like.device) - torch.cuda.memory_allocated(like.device)
    return max(1, int(SHARE * free / chain_bytes(step, state, activations)))
