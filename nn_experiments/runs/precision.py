"""How products are rounded: float32, TF32 or bfloat16, as an experiment says."""

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
    """Give the context in which steps and evaluations of an experiment are computed; set what is global.

    ``tf32`` is a setting of CUDA's libraries (float32 products, rounded inputs). ``precision="bf16"`` is torch's
    autocast: parameters, their updates, losses and statistics stay in float32, convolutions and matrix products are
    done in bfloat16. Parameters change in place, so autocast may not keep rounded copies of them.
    cuDNN's algorithms are the deterministic ones.
    """
    torch.backends.cuda.matmul.allow_tf32 = experiment.tf32
    torch.backends.cudnn.allow_tf32 = experiment.tf32
    kind, rounded = torch.device(device).type, experiment.precision is not None
    with repeatable(), torch.autocast(kind, torch.bfloat16, enabled=rounded, cache_enabled=False):
        yield


def by_autograd(step: Step, kernel: str, experiment: Experiment) -> str:
    """Return the kernel to choose: autocast reaches only what goes through autograd, not kernels written by hand.

    Raises
    ------
    ValueError
        If a kernel written by hand is asked for by name.
    """
    if experiment.precision is None:
        return kernel
    if kernel in ("mlp", "compiled"):
        raise ValueError(f"the kernel {kernel} knows no precision={experiment.precision}; use engine=auto")
    if kernel != "auto":
        return kernel
    return "channels_last" if convolutional(step) and not on_gpu(step) else "step"
