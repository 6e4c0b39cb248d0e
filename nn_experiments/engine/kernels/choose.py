"""The choice of a kernel: by name, or the fastest that can run the step."""

from __future__ import annotations

from typing import Any

from nn_experiments.engine.gpu import on_gpu
from nn_experiments.engine.kernels.convnet import ChannelsLastKernel, convolutional
from nn_experiments.engine.kernels.mlp import Kernel, MLPKernel, StepKernel, why_not_mlp_kernel

__all__ = ["KERNELS", "make_kernel"]

KERNELS = ("auto", "step", "mlp", "compiled", "channels_last")


def make_kernel(step: Any, batches: Any, kernel: str = "auto") -> Kernel:
    """Return a kernel by name (``step``, ``mlp``, ``compiled``, ``channels_last``), or with ``auto`` the fastest one.

    Raises
    ------
    ValueError
        If there is no kernel of that name, with the names there are.
    TypeError
        If the named kernel cannot run the step, with the reason.
    """
    if kernel not in KERNELS:
        raise ValueError(f"unknown kernel {kernel!r}; the known ones are {', '.join(KERNELS)}")
    if kernel == "step":
        return StepKernel(step, batches)
    if kernel == "mlp":
        return MLPKernel(step, batches)
    if kernel == "channels_last" or (kernel == "auto" and convolutional(step) and not on_gpu(step)):
        return ChannelsLastKernel(step, batches)
    if kernel == "compiled":
        from nn_experiments.engine.kernels.mlp_numba import CompiledKernel  # numba is optional, and slow to import

        return CompiledKernel(step, batches)
    if why_not_mlp_kernel(step, batches) or on_gpu(step):
        return StepKernel(step, batches)
    if batches.sampler.batch_size <= 16:  # larger batches are what matrix products are made for
        try:
            from nn_experiments.engine.kernels.mlp_numba import CompiledKernel
        except ModuleNotFoundError:  # numba is optional; the torch kernel gives the same to rounding
            return MLPKernel(step, batches)
        return CompiledKernel(step, batches)
    return MLPKernel(step, batches)
