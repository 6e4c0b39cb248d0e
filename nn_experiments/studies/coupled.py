"""Whether training settles: distances of runs under the same maps, the top exponent, and backward iterates.

By the identity in `nn_experiments.results.increments`, the distance of backward iterates n and n + k has the law of the
distance of two forward runs under the same maps, one of which is k independent steps ahead. `measure` trains these
runs, a second start, and an independent run. `exponents` follows a run that is kept very near the first one, and the
growth of whose distance gives the top exponent.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from nn_experiments.studies.bank import Bank, Chains, join
from nn_experiments.studies.setting import Setting

__all__ = ["RUNS", "exponents", "grid", "measure"]

#: The runs whose distance from the run at θ_0 is measured: the last axis of ``parameter`` and ``function``.
RUNS = ("1 ahead", "half ahead", "other start", "independent", "next", "earlier half")
#: Distance at which the near run is kept, in units of 1 + ‖state‖.
NEAR = 1e-7
POINTS = 24


def grid(steps: int) -> list[int]:
    """Return the n that are measured: 0 and 24 evenly spaced ones, among them steps/2 and steps.

    Raises
    ------
    ValueError
        If ``steps`` is odd or too small.
    """
    if steps < 2 * POINTS or steps % 2:
        raise ValueError(f"steps must be an even number of at least {2 * POINTS}, got {steps}")
    return sorted({steps * k // POINTS for k in range(POINTS + 1)})


def _state(chains: Chains) -> torch.Tensor:
    """Return parameters and optimizer state, concatenated, (R, S, P·(1 + slots))."""
    return torch.cat([chains.theta, *chains.slots], -1)


def _set(chains: Chains, chain: int, state: torch.Tensor) -> None:
    size = chains.theta.shape[-1]
    chains.theta[:, chain] = state[:, :size]
    for k, slot in enumerate(chains.slots, start=1):
        slot[:, chain] = state[:, k * size : (k + 1) * size]


def _near(chains: Chains, bank: Bank, base: int, near: int) -> None:
    """Set one chain to distance `NEAR`·(1 + ‖state‖) from another, in a random direction that the seed determines."""
    state = _state(chains)[:, base]
    rows = [np.random.default_rng([seed, 7]).standard_normal(state.shape[-1]) for seed in bank.seeds]
    direction = torch.from_numpy(np.stack(rows)).to(state)
    if bank.setting.method in ("adam", "adamw"):  # second moments are not changed, since they must be at least 0
        direction[:, -chains.theta.shape[-1] :] = 0
    direction /= direction.norm(dim=-1, keepdim=True)
    _set(chains, near, state + NEAR * (1 + state.norm(dim=-1, keepdim=True)) * direction)


def _renew(chains: Chains, base: int, near: int) -> None:
    """Move the near chain back to distance `NEAR`·(1 + ‖state‖), along its own direction."""
    state = _state(chains)
    apart = state[:, near] - state[:, base]
    size, wanted = apart.norm(dim=-1), NEAR * (1 + state[:, base].norm(dim=-1))
    scale = torch.where(size > 0, wanted / size.clamp(min=1e-300), torch.zeros_like(size))
    moved = state[:, base] + scale[:, None] * apart
    if len(chains.slots) == 2:
        size_of_slot = chains.theta.shape[-1]
        moved[:, -size_of_slot:].clamp_(min=0)
    _set(chains, near, moved)


def _distance(chains: Chains, base: int, near: int) -> torch.Tensor:
    state = _state(chains)
    return (state[:, near] - state[:, base]).norm(dim=-1)


def exponents(setting: Setting, seeds: Sequence[int], steps: int, *, data_dir: str | None = None) -> np.ndarray:
    """Return (R, K): logarithm of the growth of a small difference from 0 to each n of `grid`, per replicate.

    The growth of each step is the distance after it over the distance at which the pair was set before it.
    """
    bank = Bank(setting, seeds, data_dir=data_dir)
    at, chains = grid(steps), join([bank.start(), bank.start()])
    _near(chains, bank, 0, 1)
    set_at, rows = _distance(chains, 0, 1), []
    total = torch.zeros(len(bank.seeds), dtype=bank.dtype)
    for n in bank.forward(chains, range(steps + 1)):
        if n:
            growth = torch.log(_distance(chains, 0, 1) / set_at)
            total = total + torch.where(set_at > 0, growth, -torch.inf)  # two runs that met stay together
            _renew(chains, 0, 1)
            set_at = _distance(chains, 0, 1)
        if n in at:
            rows.append(total.clone())
    return torch.stack(rows, 1).numpy()


def measure(
    setting: Setting, seeds: Sequence[int], steps: int, *, data_dir: str | None = None
) -> dict[str, np.ndarray]:
    """Return the measurements of one setting, as arrays over replicates.

    Returns
    -------
    dict
        ``n`` (K,); ``parameter`` and ``function`` (R, K, run): distances from the run at θ_0 (Euclidean; root mean
        square over test inputs of the distance of outputs), runs as in `RUNS`: one step ahead, ``steps``/2 ahead, a
        second start (all under the same maps), an independent run, the forward path's own next iterate, and its
        iterate ``steps``/2 (NaN before it). ``norm``, ``loss``, ``error`` (R, K) of the run at θ_0 (test set).
        ``backward_parameter``, ``backward_function`` (R, 3): distances of backward iterates N/2 and N, N/2 and N/2 +
        1, N and N + 1, from the backward iterates themselves.
    """
    bank = Bank(setting, seeds, data_dir=data_dir)
    at, half = grid(steps), steps // 2
    ahead = bank.start()
    reached = {}
    for n in bank.forward(ahead, [1, half], stream="ahead"):
        reached[n] = Chains(ahead.theta.clone(), tuple(slot.clone() for slot in ahead.slots), ahead.t.clone())
    same = join([bank.start(), reached[1], reached[half], bank.start("second start")])
    other = bank.start()
    rows: dict[str, list[torch.Tensor]] = {key: [] for key in ("parameter", "function", "norm", "loss", "error")}
    kept = None
    others = bank.forward(other, range(steps + 1), stream="other batch")
    for n in bank.forward(same, range(steps + 1)):
        next(others)
        if n not in at:
            continue
        if n == half:
            kept = same.theta[:, :1].clone()
        following = same.first(1)
        following = Chains(following.theta.clone(), tuple(s.clone() for s in following.slots), following.t.clone())
        bank.step(following, bank.batch(n + 1))
        earlier = torch.full_like(following.theta, torch.nan) if kept is None else kept
        theta = torch.cat([same.theta, other.theta, following.theta, earlier], 1)
        out = bank.outputs(theta)
        loss, accuracy = bank.judge(out[:, :1])
        rows["parameter"].append((theta[:, 1:] - theta[:, :1]).norm(dim=-1))
        rows["function"].append(_apart(out[:, 1:], out[:, :1]))
        rows["norm"].append(theta[:, 0].norm(dim=-1))
        rows["loss"].append(loss[:, 0])
        rows["error"].append(1 - accuracy[:, 0])
    results = {key: torch.stack(value, 1).numpy() for key, value in rows.items()}
    iterates = bank.backward([half, half + 1, steps, steps + 1]).theta
    outputs = bank.outputs(iterates)
    pairs = ((0, 2), (0, 1), (2, 3))
    results["backward_parameter"] = torch.stack(
        [(iterates[:, a] - iterates[:, b]).norm(dim=-1) for a, b in pairs], 1
    ).numpy()
    results["backward_function"] = torch.stack([_apart(outputs[:, a], outputs[:, b]) for a, b in pairs], 1).numpy()
    return {"n": np.array(at), **results}


def _apart(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Return the root mean square over inputs of the distance of outputs."""
    return (first - second).square().sum(-1).mean(-1).sqrt()
