"""As much of Triton as the kernels for columns use, in PyTorch on a CPU: one program after the other.

Every address that a program reads or writes must lie in its tensor, and blocks have a power of two of entries.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

import torch


@dataclass(frozen=True)
class Pointer:
    """Addresses in a contiguous tensor."""

    memory: torch.Tensor
    at: torch.Tensor | int = 0

    @property
    def dtype(self) -> SimpleNamespace:
        return SimpleNamespace(element_ty=self.memory.dtype)

    def __add__(self, offset: torch.Tensor | int) -> Pointer:
        return Pointer(self.memory, self.at + offset)

    def known(self, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the addresses that a mask lets through, and the mask in their shape."""
        at, mask = torch.broadcast_tensors(torch.as_tensor(self.at), mask)
        known = at[mask]
        if len(known) and not (known.min() >= 0 and known.max() < self.memory.numel()):
            raise IndexError(f"addresses {int(known.min())} … {int(known.max())} of {self.memory.numel()}")
        return known, mask


def load(pointer: Pointer, *, mask: torch.Tensor, other: float) -> torch.Tensor:
    known, mask = pointer.known(mask)
    values = torch.full(mask.shape, other, dtype=pointer.memory.dtype)
    values[mask] = pointer.memory.view(-1)[known]
    return values


def store(pointer: Pointer, values: torch.Tensor, *, mask: torch.Tensor) -> None:
    known, mask = pointer.known(mask)
    if len(known.unique()) < len(known):
        raise ValueError("one program writes twice to one address")
    pointer.memory.view(-1)[known] = values[mask].to(pointer.memory.dtype)


def arange(begin: int, end: int) -> torch.Tensor:
    if (end - begin) & (end - begin - 1):
        raise ValueError(f"a block has a power of two of entries, not {end - begin}")
    return torch.arange(begin, end)


class Kernel:
    """A kernel that runs for every program of a grid of three axes."""

    def __init__(self, body: Callable[..., None], language: ModuleType) -> None:
        self.body, self.language = body, language

    def __getitem__(self, grid: Sequence[int]) -> Callable[..., None]:
        def run(*given: Any, **constants: Any) -> None:
            arguments = [Pointer(value) if isinstance(value, torch.Tensor) else value for value in given]
            for number in torch.cartesian_prod(*(torch.arange(size) for size in grid)):
                vars(self.language)["program_id"] = lambda axis, number=number: number[axis]
                self.body(*arguments, **constants)

        return run


def kernels(file: Path) -> ModuleType:
    """Return a module of kernels, imported with this Triton and under a name of its own."""
    language = ModuleType("triton.language")
    known = {"load": load, "store": store, "arange": arange, "static_range": range}
    known |= {"full": lambda shape, value, dtype: torch.full(shape, value, dtype=dtype)}
    vars(language).update(known, constexpr=int, int64=torch.int64, float32=torch.float32, float64=torch.float64)
    triton = ModuleType("triton")
    more = {"jit": lambda **_: lambda body: Kernel(body, language), "cdiv": lambda a, b: -(-a // b)}
    vars(triton).update(more, language=language)
    spec = importlib.util.spec_from_file_location(f"interpreted_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with mock.patch.dict(sys.modules, {"triton": triton, "triton.language": language}):
        spec.loader.exec_module(module)
    return module
