"""Helpers for GPUs: determinism, memory limits, synchronisation, CUDA graphs and versions."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, TypeVar

import torch

from nn_experiments.training.step import TrainingStep

if TYPE_CHECKING:
    from torch.cuda import _POOL_HANDLE

__all__ = [
    "SHARE",
    "attempt",
    "device_is_lost",
    "free",
    "limit_share",
    "on_gpu",
    "out_of_memory",
    "recorded",
    "repeatable",
    "versions",
    "wait",
]

Result = TypeVar("Result")

#: Share of a GPU's memory that torch may take; the rest is for what libraries and kernels allocate themselves.
SHARE = 0.93


@contextmanager
def repeatable() -> Iterator[None]:
    """Make cuDNN use deterministic algorithms in the body; otherwise T_i would not be a fixed map."""
    flags = torch.backends.cudnn
    before = flags.deterministic, flags.benchmark
    flags.deterministic, flags.benchmark = True, False
    try:
        yield
    finally:
        flags.deterministic, flags.benchmark = before


def out_of_memory(error: BaseException) -> bool:
    """Return whether an error of torch, or of a library below it, says that memory ran out."""
    words = ("out of memory", "ALLOC_FAILED", "unable to find an engine")  # the last is cuDNN's, without a workspace
    return isinstance(error, torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and any(text in str(error) for text in words)
    )


def limit_share(device: str) -> None:
    """Limit torch to its share of a GPU's memory, so that torch itself raises the error when memory runs out."""
    if torch.device(device).type == "cuda":
        torch.cuda.set_per_process_memory_fraction(SHARE, torch.device(device).index)


def device_is_lost(error: BaseException) -> bool:
    """Return whether nothing can be computed on the GPU after this error."""
    kind = getattr(torch, "AcceleratorError", None)
    return kind is not None and isinstance(error, kind) and not out_of_memory(error)


def attempt(call: Callable[[], Result]) -> tuple[Result] | None:
    """Return (what a call returned,), or None if memory ran out, which is then free again.

    Parameters
    ----------
    call : callable
        What to try. Nothing else may hold its tensors if their memory is to become free.

    Returns
    -------
    tuple or None
        A tuple of one, since a call may return None.

    Raises
    ------
    RuntimeError
        What the call raised, if it was not that memory ran out.
    """
    try:
        return (call(),)
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
    free()  # only here, with the exception and the tensors in its frames gone
    return None


def free() -> None:
    """Release the GPU memory that torch caches; call it outside of the ``except`` that caught running out of it."""
    if torch.cuda.is_available():
        gc.collect()
        torch.cuda.empty_cache()


def on_gpu(step: TrainingStep) -> bool:
    """Return whether a step's module is on a GPU."""
    return next(step.model.parameters()).is_cuda


def recorded(
    call: Callable[[], object], device: torch.device, *, pool: _POOL_HANDLE | None = None
) -> Callable[[], None]:
    """Record what a call does on a GPU as a CUDA graph; return a function that replays it.

    Parameters
    ----------
    call
        It must have run before, so that libraries have made their plans. Recording does not execute it.
    device
        The GPU that all its tensors are on. A graph records only what is started there.
    pool
        Memory pool that graphs share if they are never replayed at the same time (see
        `torch.cuda.graph_pool_handle`).

    Raises
    ------
    RuntimeError
        If the call cannot be recorded, or memory runs out. The current stream is then what it was before.
    """
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.device(device):
        before = torch.cuda.current_stream()
        try:
            with torch.cuda.graph(graph, pool=pool):
                call()
        except BaseException:  # torch leaves its capturing stream current if ending the capture fails as well
            torch.cuda.set_stream(before)
            raise

    def replay() -> None:
        with torch.cuda.device(device):
            graph.replay()

    return replay


def wait(device: torch.device | str) -> None:
    """Wait until a GPU has finished its queued work; do nothing on a CPU."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def versions() -> dict[str, str | int | None]:
    """Return the versions of the GPU libraries."""
    known: dict[str, str | int | None] = {"cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}
    with contextlib.suppress(PackageNotFoundError):
        known["triton"] = version("triton")
    return known
