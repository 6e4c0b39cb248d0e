"""The bound of Theorem 2.2 for settings whose maps provably contract: linear models with weight decay."""

from __future__ import annotations

import numpy as np
import torch

from nn_experiments.studies.bank import Bank
from nn_experiments.studies.setting import Setting

__all__ = ["certificate"]


def certificate(setting: Setting, seeds: range, *, data_dir: str | None = None) -> tuple[float, np.ndarray] | None:
    """Return k and, per replicate, D with d(θ*, θ_n^B) <= D kⁿ/(1 − k), or None if nothing is certified.

    Notes
    -----
    For a linear model on inputs x̃ = (x, 1), the Hessian of the loss of one example is between 0 and c‖x̃‖², with
    c = 1/2 for softmax cross-entropy and c = 2 for squared error. With weight decay μ every batch's map is a
    contraction with factor k = max(|1 − hμ|, |1 − h(μ + M)|), where M is the largest c‖x̃‖² in the training set. D is
    the largest step from θ_0 over single examples, which bounds the steps over batches. All numbers are computed in
    floating point, so the bound holds up to rounding.
    """
    if setting.hidden or setting.method != "sgd" or not setting.weight_decay or setting.label_noise:
        return None
    bank = Bank(setting, seeds, data_dir=data_dir)
    squares = 1 + bank.inputs.square().sum(1)
    smooth = float(squares.max()) * (0.5 if setting.loss == "cross_entropy" else 2.0)
    h, mu = setting.learning_rate, setting.weight_decay
    k = max(abs(1 - h * mu), abs(1 - h * (mu + smooth)))
    if k >= 1:
        return None
    theta = bank.start().theta
    largest = torch.zeros(len(bank.seeds), dtype=bank.dtype)
    for first in range(0, len(bank.inputs), 500):
        x, y = bank.inputs[first : first + 500], bank.targets[first : first + 500]
        out = bank.outputs(theta, x)[:, 0]
        if setting.loss == "mse":
            if y.dim() == 1:
                y = torch.nn.functional.one_hot(y, bank.widths[-1]).to(bank.dtype)
            error = 2 * (out - y)
        else:
            error = torch.softmax(out, -1) - torch.nn.functional.one_hot(y, out.shape[-1]).to(out)
        # the gradient of one datum is error ⊗ x̃; its norm after adding μθ by ‖a + b‖² = ‖a‖² + 2ab + ‖b‖²
        cross = (error * out).sum(-1)  # ⟨error ⊗ x̃, θ⟩ = error · (W x + b)
        norm = (
            error.square().sum(-1) * (1 + x.square().sum(1))
            + 2 * mu * cross
            + mu**2 * theta[:, 0].square().sum(-1, keepdim=True)
        )
        largest = torch.maximum(largest, norm.clamp(min=0).sqrt().amax(1))
    return k, (h * largest).numpy()
