"""The allowed values of settings that are one of a few names (no torch)."""

from __future__ import annotations

__all__ = [
    "ACTIVATIONS",
    "DTYPES",
    "INITIALISATIONS",
    "LOSSES",
    "METHODS",
    "PRECISIONS",
    "RANDOMNESS",
    "SAMPLING",
    "SCALINGS",
    "SCHEDULES",
]

ACTIVATIONS = ("relu", "tanh", "gelu")
DTYPES = ("float32", "float64")
INITIALISATIONS = ("torch", "he_normal", "glorot_uniform")
LOSSES = ("mse", "cross_entropy")
METHODS = ("sgd", "momentum", "adam", "adamw")
PRECISIONS = ("bf16",)
#: How the randomness of the user's code is treated; the random sources that a step may have are in `from_torch`.
RANDOMNESS = ("refused", "frozen")
SAMPLING = ("iid", "reshuffle", "shuffle_once")
SCALINGS = ("unit", "standard")
SCHEDULES = ("constant", "inverse", "cosine", "linear")
