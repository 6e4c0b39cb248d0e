"""Does the ensemble on a card train as the plain loop does? Both in float32, held against the loop in float64.

Of every float32 iterate of the ensemble a sample of its entries is kept, so that iterates of another machine, a CPU's
for instance, can be held against it later.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from benchmarks.card.problems import problem
from contraction.maps.orders import Backward, Forward, Order
from nn_experiments.engine.ensemble.wavefront import Ensemble, wavefront
from nn_experiments.engine.gpu import repeatable
from nn_experiments.engine.loop import double_loop
from nn_experiments.training.step import State
from nn_experiments.training.trees import flatten

__all__ = ["SAMPLE", "SLOWER", "TIMES", "N", "Row", "check", "sampled", "slower_by", "whole"]

#: Iterates up to this one are compared.
N = 3
#: The ensemble may be this many times as far from the float64 iterates as the plain float32 loop is. Both round every
#: operation once, in another order: their errors are draws of the same size, of which a few can fall together.
TIMES = 8.0
#: Deep networks with batch norm amplify rounding a thousandfold within three steps of their figures' rates, which
#: leaves nothing to compare; the same maps with a thousandth of the rate do not.
SLOWER = 1000.0
#: How many entries of a state are kept.
SAMPLE = 2000


@dataclass(frozen=True)
class Row:
    """Distances of parameters and running statistics from the float64 iterate, over its norm.

    Attributes
    ----------
    network, order, n
        Which iterate.
    ensemble, loop
        Of the float32 ensemble and the float32 plain loop, on the device.
    others
        The least distance of two different float64 iterates among those compared: what a mistake in the order or in an
        index would make.
    """

    network: str
    order: str
    n: int
    ensemble: float
    loop: float
    others: float

    @property
    def equal(self) -> bool:
        """Whether the ensemble is within the tolerance, and the tolerance far below what a mistake would make."""
        allowed = TIMES * self.loop
        return self.ensemble <= allowed and allowed < 0.1 * self.others

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain JSON."""
        return asdict(self) | {"equal": self.equal}


def whole(state: State) -> torch.Tensor:
    """Return parameters and floating point buffers as one float64 vector on the CPU."""
    buffers = {key: value for key, value in state["buffers"].items() if value.is_floating_point()}
    return flatten(value.cpu().double() for value in (state["parameters"] | buffers).values())


def slower_by(network: str) -> float:
    """Return what the figure's learning rate is divided by here."""
    return 1.0 if network in ("regression", "mlp") else SLOWER


def sampled(state: State) -> np.ndarray:
    """Return `SAMPLE` entries of `whole`, always the same ones, float64."""
    vector = whole(state)
    rows = np.random.default_rng(0).integers(len(vector), size=SAMPLE)
    return vector[torch.from_numpy(rows)].numpy()


@repeatable()
def check(
    network: str, device: str, *, n: int = N, ensemble: Ensemble | None = None
) -> tuple[list[Row], dict[str, np.ndarray]]:
    """Compare iterates 1 … n of both orders; return the rows and a sample of the ensemble's iterates.

    Parameters
    ----------
    ensemble
        How chains are batched (default: an `Ensemble` that chooses by itself).
    """
    numbers, slower = range(1, n + 1), slower_by(network)
    exact_step, exact_batches, exact_start = problem(network, device, dtype=torch.float64, slower=slower)
    step, batches, start = problem(network, device, slower=slower)
    orders: dict[str, Order] = {"backward": Backward(), "forward": Forward()}
    exact = {
        (name, k): whole(state)
        for name, order in orders.items()
        for k, state in double_loop(exact_step, exact_batches, exact_start, order, numbers).items()
        if (name, k) != ("forward", 1)  # the backward one's
    }
    pairs = [(one, other) for one in exact for other in exact if one < other]
    others = min(float((exact[one] - exact[other]).norm() / exact[one].norm()) for one, other in pairs)
    exact["forward", 1] = exact["backward", 1]
    rows, samples = [], {}
    for name, order in orders.items():
        plain = double_loop(step, batches, start, order, numbers)
        path = wavefront(step, batches, order, numbers, start, ensemble=ensemble or Ensemble(chunk=n))
        for k, state, _ in path:
            truth = exact[name, k]
            far = [float((whole(one) - truth).norm() / truth.norm()) for one in (state, plain[k])]
            rows.append(Row(network, name, k, *far, others))
            samples[f"{network} {name} {k}"] = sampled(state)
    return rows, samples
