"""The choice of a kernel, by name or by speed."""

from __future__ import annotations

from importlib.util import find_spec

from contraction.arguments import check_choice
from nn_experiments.engine.gpu import on_gpu
from nn_experiments.engine.kernels.convnet import ChannelsLastKernel, convolutional
from nn_experiments.engine.kernels.layers import autocast, why_not_mlp_kernel
from nn_experiments.engine.kernels.mlp import Kernel, MLPKernel, StepKernel
from nn_experiments.engine.kernels.order_averaging import OrderAveragingKernel, why_not_order_averaging
from nn_experiments.engine.kernels.own_loop import OwnLoopKernel
from nn_experiments.training.batches import Batches, SampledBatches
from nn_experiments.training.loop_step import OwnLoopStep
from nn_experiments.training.order_averaging import OrderAveragingStep
from nn_experiments.training.step import Step, TrainingStep

__all__ = ["KERNELS", "make_kernel"]

KERNELS = ("auto", "step", "mlp", "compiled", "channels_last", "own_loop")
#: For larger batches, matrix products are faster than compiled loops.
SMALL_BATCH = 16


def make_kernel(step: Step, batches: Batches, kernel: str = "auto") -> Kernel:
    """Return a kernel by name, or the fastest one that can run a step.

    Parameters
    ----------
    step, batches
        As in `nn_experiments.iterates`.
    kernel
        ``step``, ``mlp``, ``compiled``, ``channels_last``, ``own_loop`` (default: ``auto``, the fastest).

    Returns
    -------
    Kernel
        For this step and these batches.

    Raises
    ------
    ValueError
        If there is no kernel of that name, with the names there are.
    TypeError
        If the named kernel cannot run the step, with the reason.
    """
    check_choice("kernel", kernel, KERNELS)
    if kernel == "auto" and isinstance(step, OrderAveragingStep):
        on_cpu = not on_gpu(step.plain)
        if on_cpu and why_not_order_averaging(step, batches) is None:
            return OrderAveragingKernel(step, batches)
    if kernel == "auto":
        kernel = _fastest(step, batches)
    if kernel == "step":
        return StepKernel(step, batches)
    if kernel == "mlp":
        return MLPKernel(step, batches)
    if kernel == "channels_last":
        return ChannelsLastKernel(step, batches)
    if kernel == "own_loop":
        return OwnLoopKernel(step, batches)
    from nn_experiments.engine.kernels.mlp_numba import CompiledKernel  # numba is optional, and slow to import

    return CompiledKernel(step, batches)


def _fastest(step: Step, batches: Batches) -> str:
    """Return the name of the fastest kernel that can run a step."""
    if isinstance(step, OwnLoopStep):
        return "own_loop"
    if not isinstance(step, TrainingStep) or on_gpu(step):
        return "step"
    if autocast(step):
        return "step"  # the same numbers as the user's own, where rounding to bfloat16 is 0.4 %
    if convolutional(step):
        return "channels_last"
    if why_not_mlp_kernel(step, batches, plain=False) or not isinstance(batches, SampledBatches):
        return "step"
    if not step.optimizer.is_plain_sgd or batches.sampler.batch_size > SMALL_BATCH:
        return "mlp"
    return "compiled" if find_spec("numba") else "mlp"  # numba is optional; both give the same to rounding
