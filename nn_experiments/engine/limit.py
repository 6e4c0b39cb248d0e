"""Only the end point of the backward path, by doubling the horizon: O(n) maps in all, not O(n²)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from nn_experiments.engine.checking import check_step, checked_kernel
from nn_experiments.engine.gpu import repeatable
from nn_experiments.engine.purity import probe
from nn_experiments.training.batches import check_batches
from nn_experiments.training.metrics import parameter_distance
from nn_experiments.training.step import State

__all__ = ["Limit", "limit"]


@dataclass(frozen=True)
class Limit:
    """What the doubling found.

    Attributes
    ----------
    state
        Backward iterate n from the first start.
    n
        The last horizon.
    settled
        Whether the coupling distance went below eps. This is an estimate, never a certificate: no contraction
        factor is known for a network.
    horizons, coupling, increments
        The horizons n = 1, 2, 4, …; the distance of the two starts under the same maps at each; and the distance
        of iterates n/2 and n (NaN for the first).
    applications
        How many maps were applied.
    about
        The engine, the result of the self-check, and a kernel that was not used, with the reason.
    """

    state: State
    n: int
    settled: bool
    horizons: tuple[int, ...]
    coupling: tuple[float, ...]
    increments: tuple[float, ...]
    applications: int
    about: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return (
            f"Limit(n={self.n}, settled={self.settled}, coupling {self.coupling[-1]:.3g} at n, "
            f"{self.applications:,} maps applied)"
        )


@repeatable()
def limit(
    step: Callable[[State, Any, int], State],
    batches: Callable[[int], Any],
    state0: State,
    other: State,
    *,
    eps: float,
    largest: int = 4096,
    distance: Callable[[State, State], float] = parameter_distance,
    engine: str = "auto",
) -> Limit:
    """Double the horizon of the backward path until two starts under the same maps agree to ``eps``.

    Parameters
    ----------
    state0, other
        θ0 and an independent second start.
    eps
        Distance below which the path counts as settled.
    largest
        Horizon at which to give up.
    distance
        Of two states; Euclidean in the parameters unless given (in predictions may be what matters).

    Raises
    ------
    ValueError
        If eps or ``largest`` is not positive, or if the self-check of a step made by `from_torch` finds a difference
        from the user's own training loop.
    NotReplayable
        If the step is not a pure function.
    """
    if not eps > 0 or largest < 1:
        raise ValueError(f"eps and largest must be positive, got {eps} and {largest}")
    batches = check_batches(batches)
    about: dict[str, Any] = dict(check_step(step, batches, state0))
    probe(step, batches, state0)
    kernel, more = checked_kernel(step, batches, state0, engine)
    about |= more
    horizons: list[int] = []
    coupling: list[float] = []
    increments: list[float] = []
    before: State | None = None
    n, applied = 1, 0
    while True:
        state = kernel.apply(state0, range(n, 0, -1), 0)
        twin = kernel.apply(other, range(n, 0, -1), 0)
        applied += 2 * n
        horizons.append(n)
        coupling.append(distance(state, twin))
        increments.append(float("nan") if before is None else distance(state, before))
        settled = coupling[-1] < eps
        if settled or n == largest:
            about["engine"] = kernel.name
            if refused := getattr(kernel, "refused", None):
                about |= {"engine": "step", "not used": f"{kernel.name}: {refused}"}
            return Limit(state, n, settled, tuple(horizons), tuple(coupling), tuple(increments), applied, about)
        before, n = state, min(2 * n, largest)
