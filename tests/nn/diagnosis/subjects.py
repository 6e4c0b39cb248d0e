"""Trainings written by hand as maps of a few numbers, whose behaviour is known, and a short way to diagnose them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from nn_experiments.diagnosis.diagnose import diagnose_subject
from nn_experiments.diagnosis.diagnosis import Diagnosis
from nn_experiments.diagnosis.law import Law
from nn_experiments.diagnosis.subject import Replicate

LAW = Law(independent=True, constant=True)
Map = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass
class Maps:
    """θ ← T(θ, draw): a vector in float64, with draws made of a generator of the seed and the index.

    Attributes
    ----------
    apply
        (θ, draw) -> θ.
    draw
        Generator -> the draw, an array.
    theta0
        The start.
    start
        Another start, or None.
    predict
        θ -> predictions (inputs, outputs) (default: θ itself).
    """

    apply: Map
    draw: Callable[[np.random.Generator], Any]
    theta0: list[float]
    start: list[float] | None = None
    predict: Callable[[torch.Tensor], torch.Tensor] | None = None

    @property
    def law(self) -> Law:
        """The law of the draws."""
        return LAW

    def replicate(self, r: int) -> Replicate:
        """Return replicate r."""

        def batches(i: int) -> tuple[torch.Tensor, torch.Tensor]:
            value = torch.from_numpy(np.atleast_1d(self.draw(np.random.default_rng([r, i]))).astype(float))
            return value, value

        def step(state: dict, batch: Any, t: int) -> dict:
            return {"parameters": {"w": self.apply(state["parameters"]["w"], batch[0])}}

        start = None if self.start is None else _state(self.start)
        return Replicate(step, batches, _state(self.theta0), start=start, seed=r)

    def outputs(self, state: dict) -> torch.Tensor:
        """Return predictions."""
        theta = state["parameters"]["w"]
        return theta[None] if self.predict is None else self.predict(theta)

    def diagnose(self, steps: int = 200, replicates: int = 20, **options: object) -> Diagnosis:
        """Return the diagnosis."""
        return diagnose_subject(self, "maps", steps=steps, replicates=replicates, **options)  # type: ignore[arg-type]


def _state(values: list[float]) -> dict:
    return {"parameters": {"w": torch.tensor(values, dtype=torch.float64)}}
