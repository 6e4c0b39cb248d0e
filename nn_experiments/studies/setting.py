"""The settings of one experiment with small networks: data, network, loss and optimizer, as plain data (no torch)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from contraction.arguments import check_choice

__all__ = ["ACTIVATIONS", "METHODS", "Setting"]

ACTIVATIONS = ("relu", "tanh", "gelu", "identity")
METHODS = ("sgd", "momentum", "adam", "adamw", "sign")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A fully connected network, its data and how it is trained.

    Attributes
    ----------
    name
        Unique within a study.
    data
        A name from `nn_experiments.studies.problems.problem`.
    hidden
        Widths of the hidden layers; none for a linear model.
    activation
        ``relu``, ``tanh``, ``gelu``, or ``identity`` (a linear network).
    loss
        ``cross_entropy``, or ``mse``: mean over the batch of the squared error summed over outputs.
    learning_rate, batch_size
        Learning rate and number of examples of every step; batches are drawn i.i.d.
    weight_decay
        μ: the step is taken on the batch's loss plus μ/2 ‖θ‖², biases included (``adamw``: decoupled from the
        gradient, as in torch).
    method, momentum, betas, eps
        ``sgd``; ``momentum`` (heavy ball); ``adam``, ``adamw`` with bias correction; ``sign``: θ − h sign(gradient).
    initialisation
        ``torch``, ``he_normal``, ``glorot_uniform``, or ``zero``.
    standardise
        Whether inputs are shifted and scaled by the mean and deviation of all training inputs.
    label_noise
        Standard deviation of the normal noise that each draw of a batch adds to its targets (``mse`` only).
    group
        A heading in tables and pictures.
    """

    name: str
    data: str
    hidden: tuple[int, ...] = ()
    activation: str = "relu"
    loss: str = "cross_entropy"
    learning_rate: float = 0.05
    batch_size: int = 8
    weight_decay: float = 0.0
    method: str = "sgd"
    momentum: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    initialisation: str = "torch"
    standardise: bool = False
    label_noise: float = 0.0
    group: str = ""

    def __post_init__(self) -> None:
        """Check every field."""
        for field, known in (
            ("activation", ACTIVATIONS),
            ("loss", ("cross_entropy", "mse")),
            ("method", METHODS),
            ("initialisation", ("torch", "he_normal", "glorot_uniform", "zero")),
        ):
            check_choice(field, getattr(self, field), known)
        if not self.learning_rate > 0 or self.batch_size < 1:
            rate, size = self.learning_rate, self.batch_size
            raise ValueError(f"learning_rate must be positive and batch_size at least 1, got {rate} and {size}")
        if self.weight_decay < 0 or self.label_noise < 0 or not 0 <= self.momentum < 1:
            raise ValueError("weight_decay and label_noise must be at least 0, and momentum in [0, 1)")
        if self.label_noise and self.loss != "mse":
            raise ValueError("label_noise is added to the targets of mse; cross_entropy has classes")

    def to_json(self) -> dict[str, object]:
        """Return all fields as JSON-ready data."""
        return {**dataclasses.asdict(self), "hidden": list(self.hidden), "betas": list(self.betas)}
