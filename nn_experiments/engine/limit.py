"""The limit of the backward path by doubling the horizon, with O(n) maps in total instead of O(n²)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Real

import torch

from contraction.arguments import check_integer, check_positive
from contraction.limits.settled import Settling, lengths
from contraction.values import Value, plain
from nn_experiments.engine.checking import check_step, checked_kernel, describe
from nn_experiments.engine.gpu import repeatable
from nn_experiments.engine.purity import check_first_batches, probe
from nn_experiments.training.batches import Batches, check_batches
from nn_experiments.training.metrics import parameter_distance
from nn_experiments.training.signatures import check_is_step, check_takes
from nn_experiments.training.states import State, check_state
from nn_experiments.training.step import Step
from nn_experiments.training.trees import tensors_of

__all__ = ["Limit", "limit"]


@dataclass(frozen=True, eq=False)
class Limit(Value):
    """The result of doubling the horizon.

    Attributes
    ----------
    value
        Backward iterate n from θ_0.
    n
        The last horizon.
    settled
        Whether, at two successive horizons, the second start and three fresh ones came within eps of θ_0 under the same
        maps, and nearer than half as far as they were (the rule of `contraction.limits.settled`). A fresh start is
        θ_0 trained by m further maps, m = 16, 17 and 33, so that iterate n + m is compared with iterate n. This is an
        estimate, never a certificate, and with so few starts one without an error rate.
    horizons, coupling, increments, fresh
        The horizons n = 1, 2, 4, …; the distance of the two starts under the same maps at each; the distance of
        iterates n/2 and n (NaN for the first); and the largest of iterates n and n + m.
    applications
        How many maps were applied.
    metadata
        The engine, the result of the self-check, and a kernel that was not used, with the reason.

    Examples
    --------
    >>> import torch
    >>> import nn_experiments as nne
    >>> model, loss = torch.nn.Linear(1, 1, bias=False), torch.nn.functional.mse_loss
    >>> step, _ = nne.from_torch(model, loss, torch.optim.SGD(model.parameters(), lr=0.2))
    >>> targets = torch.tensor([1.0, -1.0]).repeat(10)[:, None]
    >>> batches = nne.ArrayBatches(torch.ones(20, 1), targets, batch_size=2, seed=0)
    >>> state, start = (nne.initial_state(model, {"weight": torch.tensor([[w]])}) for w in (0.0, 5.0))
    >>> result = nne.limit(step, batches, state, start, eps=1e-3)
    >>> result.settled, result.n
    (True, 64)
    >>> result.horizons, result.applications
    ((1, 2, 4, 8, 16, 32, 64), 1097)
    >>> [round(distance, 2) for distance in result.coupling[:4]]  # of the two starts, under the same maps
    [3.0, 1.8, 0.65, 0.08]
    >>> round(result.value["parameters"]["weight"].item(), 2)
    -0.18
    >>> result.to_dict()["n"]  # everything as data for JSON
    64
    """

    value: State = field(compare=False)
    n: int
    settled: bool
    horizons: tuple[int, ...]
    coupling: tuple[float, ...]
    increments: tuple[float, ...]
    fresh: tuple[float, ...]
    applications: int
    metadata: Mapping[str, object] = field(default_factory=dict, compare=False)

    def __eq__(self, other: object) -> bool:
        """Whether ``other`` is a `Limit` with equal numbers and a bitwise equal state; metadata is not compared."""
        if not isinstance(other, Limit):
            return NotImplemented
        ours, others = tensors_of(self.value), tensors_of(other.value)
        states = ours.keys() == others.keys() and all(torch.equal(ours[key], others[key]) for key in ours)
        return states and super().__eq__(other)

    __hash__ = Value.__hash__

    def to_dict(self) -> dict[str, object]:
        """Return the fields as JSON-ready data; the state's tensors are nested lists."""
        tensors = {name: tensor.tolist() for name, tensor in tensors_of(self.value).items()}
        return super().to_dict() | {"value": plain(tensors)}

    def __repr__(self) -> str:
        """Return one line: the horizon, whether it settled, and the cost."""
        return (
            f"Limit(n={self.n}, settled={self.settled}, coupling {self.coupling[-1]:.3g} at n, "
            f"{self.applications:,} maps applied)"
        )


def _measured_by(distance: Callable[[State, State], float]) -> Callable[[State, State], float]:
    """Return the user's distance as a function that returns a float; it refuses values that are not distances."""

    def apart_by(one: State, other: State) -> float:
        value: object = distance(one, other)
        if isinstance(value, torch.Tensor) and value.numel() == 1 and not value.is_complex():
            value = float(value.detach())
        if not isinstance(value, Real):
            raise TypeError(f"distance must return a number, got {value!r}")
        if value < 0:
            raise ValueError(f"distance must return a number of at least 0, got {value!r}")
        return float(value)

    return apart_by


@repeatable()
def limit(
    step: Step,
    batches: Batches,
    state0: State,
    start: State,
    *,
    eps: float,
    max_maps: int = 4096,
    distance: Callable[[State, State], float] = parameter_distance,
    engine: str = "auto",
) -> Limit:
    """Double the horizon of the backward path until it settles to ``eps``.

    The result is an estimate: no rule that stops can always tell whether a path has settled (row 87 of the audit).

    Parameters
    ----------
    step, batches
        As in `nn_experiments.iterates`.
    state0
        θ_0.
    start
        A second start, which is trained under the same maps. An independent one asks whether the path forgets its
        start as well; one near θ_0 asks only whether it settles.
    eps
        Distance that counts as settled.
    max_maps
        Largest horizon (default: 4096). Horizons are powers of two.
    distance
        Of two states (default: Euclidean, of the parameters); the distance of predictions may be what matters.
    engine
        As in `nn_experiments.iterates`, but for ``loop`` and ``ensemble`` (default: ``auto``).

    Returns
    -------
    Limit
        Also where the path does not settle, or stops being finite: then ``settled`` is False.

    Raises
    ------
    TypeError
        If ``state0`` or ``start`` is not a state, ``step`` is not a function, or ``distance`` does not return a number.
    ValueError
        If eps or ``max_maps`` is not positive, the two starts are equal, or ``distance`` returns a negative number; or
        if the self-check of a step made by `from_torch` finds a difference from the user's own training loop.
    NotDeterministic
        If the step is not a pure function.

    Examples
    --------
    >>> import torch
    >>> import nn_experiments as nne
    >>> model, loss = torch.nn.Linear(1, 1, bias=False), torch.nn.functional.mse_loss
    >>> step, state = nne.from_torch(model, loss, torch.optim.SGD(model.parameters(), lr=0.2))
    >>> targets = torch.tensor([1.0, -1.0]).repeat(10)[:, None]
    >>> batches = nne.ArrayBatches(torch.ones(20, 1), targets, batch_size=2, seed=0)
    >>> start = nne.initial_state(model, {"weight": torch.tensor([[5.0]])})
    >>> result = nne.limit(step, batches, state, start, eps=1e-3)
    >>> result.settled, round(result.value["parameters"]["weight"].item(), 2)
    (True, -0.18)
    """
    check_is_step(step)
    check_state("state0", state0, step)
    check_state("start", start, step)
    check_positive("eps", eps)
    check_integer("max_maps", max_maps, 1)
    check_takes("distance", distance, ("state", "state"))
    apart_by = _measured_by(distance)
    nudge = apart_by(state0, start)
    if nudge == 0:
        raise ValueError("state0 and start are equal: two starts that agree from the beginning say nothing")
    batches = check_batches(batches)
    check_first_batches(step, batches)
    metadata: dict[str, object] = dict(check_step(step, batches, state0))
    probe(step, batches, state0)
    kernel, more = checked_kernel(step, batches, state0, engine)
    metadata |= more
    horizons: list[int] = []
    coupling: list[float] = []
    increments: list[float] = []
    fresh: list[float] = []
    before: State | None = None
    settling = Settling(eps)
    n, applied = 1, 0
    while True:
        state = kernel.apply(state0, range(n, 0, -1), 0)
        other = kernel.apply(start, range(n, 0, -1), 0)
        applied += 2 * n
        horizons.append(n)
        coupling.append(apart_by(state, other))
        increments.append(math.nan if before is None else apart_by(state, before))
        moved, apart = [nudge], [coupling[-1]]
        for m in lengths(1):
            further = kernel.apply(state0, range(n + m, n, -1), 0)
            moved.append(apart_by(state0, further))
            apart.append(apart_by(state, kernel.apply(further, range(n, 0, -1), m)))
            applied += n + m
        fresh.append(max(apart[1:]))
        settled = settling.after(moved, apart)
        if settled or 2 * n > max_maps or not math.isfinite(coupling[-1]):
            measured = (tuple(horizons), tuple(coupling), tuple(increments), tuple(fresh))
            return Limit(state, n, settled, *measured, applied, metadata | describe(kernel))
        before, n = state, 2 * n
