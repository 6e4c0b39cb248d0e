"""Initial parameters, drawn by NumPy generators that are determined by (seed, purpose, layer)."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from contraction.arguments import check_choice
from nn_experiments.training.choices import INITIALISATIONS
from nn_experiments.training.rng import generator

__all__ = ["initialise"]


def initialise(
    model: nn.Module,
    seed: int,
    *,
    initialisation: str = "torch",
    purpose: str = "initial",
    dtype: torch.dtype | None = None,
) -> dict[str, torch.Tensor]:
    """Return initial parameters by name; the module itself is not changed.

    Parameters
    ----------
    model
        A module of linear layers, convolutions and normalisation layers.
    seed
        An integer of at least 0.
    initialisation
        ``torch``: U(−1/√fan_in, 1/√fan_in) for weights and biases (what ``nn.Linear`` and ``nn.Conv2d`` do).
        ``he_normal``: N(0, 2/fan_in), ``glorot_uniform``: U(±√(6/(fan_in + fan_out))); both with zero biases.
        Normalisation layers get weight 1 and bias 0.
    purpose
        ``"initial"``, or ``"second start"`` for the independent start of the coupling diagnostics.
    dtype
        Type of the parameters (default: the module's).

    Returns
    -------
    dict of str to Tensor
        Name -> initial value, in the module's order.

    Raises
    ------
    ValueError
        If the initialisation is unknown, or a layer of another kind has parameters.
    """
    check_choice("initialisation", initialisation, INITIALISATIONS)
    parameters: dict[str, torch.Tensor] = {}
    drawn = 0
    for prefix, module in model.named_modules():
        named = dict(module.named_parameters(recurse=False))
        if not named:
            continue
        if isinstance(module, nn.Linear | nn.Conv2d):
            values = _layer(tuple(module.weight.shape), initialisation, generator(seed, purpose, drawn))
            drawn += 1
        elif isinstance(module, nn.modules.batchnorm._NormBase | nn.GroupNorm | nn.LayerNorm):
            values = {key: np.full(tuple(p.shape), float(key == "weight")) for key, p in named.items()}
        else:
            raise ValueError(f"no rule to initialise {type(module).__name__} ({prefix or 'the model itself'})")
        for key, parameter in named.items():
            tensor = torch.from_numpy(np.ascontiguousarray(values[key]))
            parameters[f"{prefix}.{key}" if prefix else key] = tensor.to(dtype or parameter.dtype)
    return parameters


def _layer(shape: tuple[int, ...], initialisation: str, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return weight and bias of a linear layer or a convolution whose weight has this shape."""
    fan_in, fan_out = math.prod(shape[1:]), shape[0] * math.prod(shape[2:])
    if initialisation == "torch":
        bound = 1 / math.sqrt(fan_in)
        return {"weight": rng.uniform(-bound, bound, shape), "bias": rng.uniform(-bound, bound, shape[0])}
    if initialisation == "he_normal":
        return {"weight": rng.normal(0, math.sqrt(2 / fan_in), shape), "bias": np.zeros(shape[0])}
    bound = math.sqrt(6 / (fan_in + fan_out))
    return {"weight": rng.uniform(-bound, bound, shape), "bias": np.zeros(shape[0])}
