"""What a card can do, what a sweep takes on it, and where its time goes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.card.problems import problem
from nn_experiments.engine import gpu
from nn_experiments.engine.ensemble.graphs import EAGER, Sweeper
from nn_experiments.engine.ensemble.sweep import Sweep
from nn_experiments.engine.ensemble.wavefront import Ensemble, stack

__all__ = ["FLOORS", "ceilings", "profile", "sweep_times"]

#: Operations and bytes of one step of one chain: weights read twice and written once, activations written and read.
FLOORS = {"mlp": (60.8e6, 16.8e6), "resnet18": (26.6e9, 412e6), "vgg19": (19.1e9, 366e6), "resnet50": (125e9, 3.4e9)}


def seconds(call: Callable[[], object], device: str, *, repeats: int = 5) -> float:
    """Return the median of the seconds that a call takes; it has run once before."""
    call()
    times = []
    for _ in range(repeats):
        gpu.wait(device)
        begin = time.perf_counter()
        call()
        gpu.wait(device)
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def ceilings(device: str, *, small: bool) -> dict[str, float]:
    """Return GB/s of a copy (read and written) and Tflop/s of matrix products on random numbers."""
    count, size = (2**20, 256) if small else (2**30, 8192)
    source = torch.empty(count, device=device)
    target = torch.empty_like(source)
    found = {"copy GB/s": 8e-9 * count / seconds(lambda: target.copy_(source), device)}
    for name, dtype, rounded in (
        ("float32", torch.float32, False),
        ("tf32", torch.float32, True),
        ("bf16", torch.bfloat16, False),
    ):
        torch.backends.cuda.matmul.allow_tf32 = rounded
        factor = torch.randn(size, size, device=device, dtype=dtype)
        taken = seconds(lambda factor=factor: factor @ factor, device, repeats=3)
        found[f"{name} Tflop/s"] = 2e-12 * size**3 / taken
    return found


def _sweeper(network: str, device: str, chains: int) -> tuple[Sweeper, Callable[[], None]]:
    step, batches, start = problem(network, device, slower=1000.0)
    ensemble = Ensemble(chunk=chains)
    wide = ensemble.prepare(step, batches, start, 1)
    apply = Sweeper(ensemble.form or "vmap", step, stack(start, chains), wide)
    now = Sweep([1] * chains, [1] * chains, step.optimizer.rate(1, 1))
    return apply, lambda: apply(batches, now)


@gpu.repeatable()
def sweep_times(network: str, device: str, chains: int, *, rates: dict[str, float] | None = None) -> dict[str, Any]:
    """Return what one map on so many chains takes, from Python and replayed, and the multiple of its floor.

    Parameters
    ----------
    rates
        As from `ceilings`: the floor is the larger of operations over the TF32 rate (float32 for MLPs, as they are
        trained) and bytes over the copy's.
    """
    free = torch.device(device).type == "cuda"
    if free:
        torch.cuda.reset_peak_memory_stats()
    rounded = network not in ("mlp", "regression")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = rounded
    apply, call = _sweeper(network, device, chains)
    call()
    eager = seconds(call, device, repeats=3)
    for _ in range(EAGER):
        call()
    found = {"network": network, "chains": chains, "eager ms": 1e3 * eager, "graphs": apply.refused or apply.recorded}
    found["ms"] = 1e3 * seconds(call, device)
    found["us a chain"] = 1e3 * found["ms"] / chains
    if rates and network in FLOORS:
        operations, moved = FLOORS[network]
        of = rates["tf32 Tflop/s" if rounded else "float32 Tflop/s"]
        floor = 1e6 * max(operations / (1e12 * of), moved / (1e9 * rates["copy GB/s"]))
        found |= {"floor us": floor, "times the floor": found["us a chain"] / floor}
    if free:
        found["peak GB"] = 1e-9 * torch.cuda.max_memory_allocated()
    return found


#: Words in the names of kernels, and what they do.
_KINDS = (
    ("convolutions and products", ("gemm", "fprop", "wgrad", "dgrad", "conv", "cutlass", "gemv", "bmm", "magma")),
    ("columns", ("_gather_kernel", "_scatter_kernel", "im2col", "col2im")),
    ("batch norm", ("batchnorm", "bn_fw", "bn_bw", "batch_norm")),
    ("layout", ("nchwToNhwc", "nhwcToNchw", "ranspose", "convertTensor", "direct_copy", "Memcpy")),
    ("pooling", ("pool",)),
)


def _kind(kernel: str) -> str:
    for kind, words in _KINDS:
        if any(word in kernel for word in words):
            return kind
    return "elementwise and updates"


@gpu.repeatable()
def profile(network: str, device: str, chains: int) -> tuple[dict[str, Any], str]:
    """Return the milliseconds of one sweep by kind of kernel, and a table of its kernels."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = network not in ("mlp", "regression")
    _apply, call = _sweeper(network, device, chains)
    call(), call()
    on_card = torch.device(device).type == "cuda"
    kinds = [torch.profiler.ProfilerActivity.CPU] + [torch.profiler.ProfilerActivity.CUDA] * on_card
    with torch.profiler.profile(activities=kinds) as record:
        call()
        gpu.wait(device)
    rows = []
    for event in record.key_averages():
        spent = event.self_device_time_total if on_card else event.self_cpu_time_total
        if spent > 0 and (not on_card or str(event.device_type).endswith("CUDA")):
            rows.append((1e-3 * spent, event.count, event.key))
    by_kind: dict[str, float] = {}
    for spent, _, key in rows:
        by_kind[_kind(key)] = by_kind.get(_kind(key), 0.0) + spent
    launches = sum(count for _, count, _ in rows)
    table = "\n".join(
        f"{spent:9.3f} ms {count:5d} x {key[:120]}" for spent, count, key in sorted(rows, reverse=True)[:40]
    )
    return {"network": network, "chains": chains, "kernels": launches, "ms": by_kind}, table
