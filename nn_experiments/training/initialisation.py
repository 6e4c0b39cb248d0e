"""Initial states, drawn with NumPy by (seed, purpose, layer); the rule is a field of the experiment."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from nn_experiments.training.rng import generator

__all__ = ["initialise"]


def initialise(
    model: nn.Module, seed: int, *, rule: str = "torch", purpose: str = "initial", dtype: torch.dtype | None = None
) -> dict[str, torch.Tensor]:
    """Return initial parameters by name; the module itself is not touched.

    Parameters
    ----------
    rule
        ``torch``: U(−1/√fan_in, 1/√fan_in) for weights and biases (what ``nn.Linear`` and ``nn.Conv2d`` do).
        ``he_normal``: N(0, 2/fan_in), ``glorot_uniform``: U(±√(6/(fan_in + fan_out))); both with zero biases.
        Normalisation layers get weight 1 and bias 0.
    purpose
        ``"initial"``, or ``"second start"`` for the independent start of the coupling diagnostics.

    Raises
    ------
    ValueError
        For a layer of another kind that has parameters of its own.
    """
    parameters: dict[str, torch.Tensor] = {}
    place = 0
    for prefix, module in model.named_modules():
        own = dict(module.named_parameters(recurse=False))
        if not own:
            continue
        name = f"{prefix}." if prefix else ""
        if isinstance(module, nn.Linear | nn.Conv2d):
            rng = generator(seed, purpose, place)
            place += 1
            shape = tuple(module.weight.shape)
            fan_in, fan_out = math.prod(shape[1:]), shape[0] * math.prod(shape[2:])
            if rule == "torch":
                bound = 1 / math.sqrt(fan_in)
                weight = rng.uniform(-bound, bound, shape)
                bias = rng.uniform(-bound, bound, shape[0])
            elif rule == "he_normal":
                weight, bias = rng.normal(0, math.sqrt(2 / fan_in), shape), np.zeros(shape[0])
            elif rule == "glorot_uniform":
                bound = math.sqrt(6 / (fan_in + fan_out))
                weight, bias = rng.uniform(-bound, bound, shape), np.zeros(shape[0])
            else:
                raise ValueError(f"unknown initialisation {rule!r}")
            values = {"weight": weight, "bias": bias}
        elif isinstance(module, nn.modules.batchnorm._NormBase | nn.GroupNorm | nn.LayerNorm):
            values = {key: np.full(tuple(p.shape), float(key == "weight")) for key, p in own.items()}
        else:
            raise ValueError(f"no rule to initialise {type(module).__name__} ({prefix or 'the model itself'})")
        for key, parameter in own.items():
            tensor = torch.from_numpy(np.ascontiguousarray(values[key]))
            parameters[name + key] = tensor.to(dtype or parameter.dtype)
    return parameters
