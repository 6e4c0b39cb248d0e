"""The precision of products, float32, TF32 or bfloat16, as the experiment sets it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from nn_experiments.engine.gpu import on_gpu, repeatable
from nn_experiments.engine.kernels.convnet import convolutional
from nn_experiments.paper.catalogue import Experiment
from nn_experiments.training.step import Step

__all__ = ["by_autograd", "products"]


@contextmanager
def products(experiment: Experiment, device: str) -> Iterator[None]:
    """Set the precision in which steps and evaluations of an experiment are computed in the body.

    ``tf32`` is a global setting of CUDA's libraries (float32 products of rounded inputs). ``precision="bf16"`` is
    torch's autocast: convolutions and matrix products are computed in bfloat16, while parameters, their updates, losses
    and statistics stay in float32. Autocast must not cache rounded copies of parameters, since these change in place.
    cuDNN uses deterministic algorithms.
    """
    torch.backends.cuda.matmul.allow_tf32 = experiment.tf32
    torch.backends.cudnn.allow_tf32 = experiment.tf32
    kind, rounded = torch.device(device).type, experiment.precision is not None
    with repeatable(), torch.autocast(kind, torch.bfloat16, enabled=rounded, cache_enabled=False):
        yield


def by_autograd(step: Step, kernel: str, experiment: Experiment) -> str:
    """Return the kernel to use; autocast has an effect on autograd only, and not on hand-written kernels.

    Raises
    ------
    ValueError
        If ``kernel`` names a hand-written kernel and the experiment has another precision than float32.
    """
    if experiment.precision is None:
        return kernel
    if kernel in ("mlp", "compiled"):
        raise ValueError(f"the kernel {kernel} knows no precision={experiment.precision}; use engine=auto")
    if kernel != "auto":
        return kernel
    return "channels_last" if convolutional(step) and not on_gpu(step) else "step"
