"""The global random generators of torch, NumPy and Python: detecting draws from them, and making draws repeatable."""

from __future__ import annotations

import contextlib
import pickle
import random
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from nn_experiments.training.rng import generator

__all__ = [
    "GENERATORS",
    "GeneratorStates",
    "changed_generators",
    "first_to_draw",
    "generator_states",
    "restored_generators",
    "seed_torch",
    "seeded",
]

#: Names of the global generators in messages.
GENERATORS = ("torch's generator", "torch's CUDA generator", "NumPy's global generator", "Python's random module")


#: States of the generators in `GENERATORS`, which can only be compared.
GeneratorStates = tuple[object, ...]


def generator_states() -> GeneratorStates:
    """Return the states of the global generators, in the order of `GENERATORS`, as values that can be compared."""
    cuda = b""
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        cuda = b"".join(state.numpy().tobytes() for state in torch.cuda.get_rng_state_all())
    return (
        torch.get_rng_state().numpy().tobytes(),
        cuda,
        pickle.dumps(np.random.get_state()),  # noqa: NPY002 - the user's code may use it
        random.getstate(),
    )


def changed_generators(before: GeneratorStates, after: GeneratorStates) -> list[str]:
    """Return the names of the generators whose states differ."""
    return [name for name, first, second in zip(GENERATORS, before, after, strict=True) if first != second]


@contextlib.contextmanager
def restored_generators() -> Iterator[None]:
    """Restore the states of the global generators after the body."""
    cpu, numpy, python = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() and torch.cuda.is_initialized() else None
    try:
        yield
    finally:
        torch.set_rng_state(cpu)
        np.random.set_state(numpy)  # noqa: NPY002
        random.setstate(python)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)


def seed_torch(seed: int, index: int) -> None:
    """Seed torch's generators by (seed, index of the batch)."""
    number = int(generator(seed, "torch", index).integers(2**63 - 1))
    torch.default_generator.manual_seed(number)
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(number)


@contextlib.contextmanager
def seeded(seed: int, index: int) -> Iterator[None]:
    """Seed torch's generators by (seed, index of the batch) in the body, and restore them after it.

    Parameters
    ----------
    seed
        The seed of the training step.
    index
        The index i of the batch B_i.
    """
    cpu = torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() and torch.cuda.is_initialized() else None
    try:
        seed_torch(seed, index)
        yield
    finally:
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)


@contextlib.contextmanager
def first_to_draw(model: nn.Module) -> Iterator[list[str]]:
    """Collect, in the list that the context manager returns, the innermost submodules that draw random numbers.

    Each entry is the name of the submodule with its class, such as ``encoder.self_attn (MultiheadAttention)``.
    """
    drawing: list[str] = []
    entered: list[tuple[nn.Module, GeneratorStates, int]] = []
    names = {id(module): name for name, module in model.named_modules()}

    def enter(module: nn.Module, inputs: object) -> None:
        entered.append((module, generator_states(), len(drawing)))

    def leave(module: nn.Module, inputs: object, output: object) -> None:
        while entered:
            opened, before, count = entered.pop()
            if opened is module:
                if len(drawing) == count and before != generator_states():
                    drawing.append(f"{names.get(id(module)) or 'the module itself'} ({type(module).__name__})")
                return

    handles = [
        nn.modules.module.register_module_forward_pre_hook(enter),
        nn.modules.module.register_module_forward_hook(leave),
    ]
    try:
        yield drawing
    finally:
        for handle in handles:
            handle.remove()
