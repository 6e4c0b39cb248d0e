"""How products are rounded: float32, TF32 or bfloat16, as an experiment says."""

from __future__ import annotations

import contextlib
from typing import Any

import torch

from nn_experiments.catalogue import Experiment
from nn_experiments.engine.channels_last import convolutional

__all__ = ["by_autograd", "products"]


def products(experiment: Experiment, device: str) -> contextlib.AbstractContextManager[object]:
    """Return the context in which steps and evaluations of an experiment are computed; set what is global.

    ``tf32`` is a setting of CUDA's libraries (float32 products, rounded inputs). ``precision="bf16"`` is torch's
    autocast: parameters, their updates, losses and statistics stay in float32, convolutions and matrix products are
    done in bfloat16. Parameters change in place, so autocast may not keep rounded copies of them.
    """
    torch.backends.cuda.matmul.allow_tf32 = experiment.tf32
    torch.backends.cudnn.allow_tf32 = experiment.tf32
    if experiment.precision is None:
        return contextlib.nullcontext()
    return torch.autocast(torch.device(device).type, torch.bfloat16, cache_enabled=False)


def by_autograd(step: Any, kernel: str, experiment: Experiment) -> str:
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
    return "channels_last" if kernel == "auto" and convolutional(step) else "step" if kernel == "auto" else kernel
