"""The wavefront: many chains at once, batched over a leading axis, for a GPU and for wherever it wins.

Runs that start at the same anchor are aligned at their ends. Chain n of the backward order then joins when the sweep
reaches j = n, and from there on every live chain applies the same T_j.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn

from contraction.orders import Order
from nn_experiments.engine.kernels import StepKernel, hand_written
from nn_experiments.engine.plan import Run, plan
from nn_experiments.steps import LOSSES, State, TrainingStep

__all__ = ["cannot_batch", "split", "wavefront"]

Stacked = State


def cannot_batch(step: Any) -> str | None:
    """Return None if a step can be batched over chains, else the reason why not."""
    if not isinstance(step, TrainingStep):
        return f"{type(step).__name__} is not a TrainingStep"
    for name, module in step.model.named_modules():
        if isinstance(module, nn.modules.batchnorm._NormBase) and module.track_running_stats:
            return f"{name} updates running statistics in place, which torch.vmap cannot batch"
    return None


def wavefront(
    step: Any, batches: Any, order: Order, at: Sequence[int], state0: State, *, chunk: int | None = None
) -> Iterator[tuple[int, State, Run | None]]:
    """Yield (n, iterate n, its run) for n in increasing order, as `walk` does, with chains batched.

    Parameters
    ----------
    chunk
        How many chains run together; what fits into half of the free memory unless given (on the CPU 32). The
        numbers depend on it in the last bits: record it.

    Raises
    ------
    TypeError
        If the step cannot be batched, with the reason.
    """
    reason = cannot_batch(step)
    if reason:
        raise TypeError(f"the ensemble engine cannot run this step: {reason}; use engine='step'")
    wanted = set(at)
    runs = plan(order, at)
    chunk = chunk or _fitting(state0, len(runs))
    groups: dict[int, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.anchor, []).append(run)
    states: dict[int, State] = {0: state0}
    ready: dict[int, tuple[State, Run]] = {}
    if 0 in wanted:
        yield 0, state0, None
    todo = [run for run in runs if run.n in wanted]
    for anchor in sorted(groups):
        group = groups[anchor]
        for k in range(0, len(group), chunk):
            part = sorted(group[k : k + chunk], key=lambda run: -len(run.indices))
            last = _together(step, batches, part, states[anchor])
            for run, state in zip(part, split(last, len(part)), strict=True):
                if run.n in wanted:
                    ready[run.n] = (state, run)
                if run.n in groups:
                    states[run.n] = state
            while todo and todo[0].n in ready:
                state, run = ready.pop(todo.pop(0).n)
                yield run.n, state, run
        del states[anchor]


def _fitting(state0: State, chains: int) -> int:
    size = sum(value.numel() * value.element_size() for value in state0["parameters"].values())
    some = next(iter(state0["parameters"].values()))
    if not some.is_cuda:
        return min(chains, 32) or 1
    free, _ = torch.cuda.mem_get_info(some.device)
    return max(1, min(chains, int(0.5 * free / (3 * size))))


def split(stacked: Stacked, count: int) -> list[State]:
    """Return the members of an ensemble as states of their own (copies)."""
    return [
        {part: {key: value[c].clone() for key, value in values.items()} for part, values in stacked.items()}
        for c in range(count)
    ]


def _together(step: TrainingStep, batches: Any, runs: Sequence[Run], start: State) -> Stacked:
    """Apply runs, sorted by length from the longest, all to the state ``start``; return their ends, stacked."""
    if len(runs) == 1:
        state = StepKernel(step, batches).apply(start, runs[0].indices, runs[0].before)
        return {part: {key: value[None] for key, value in values.items()} for part, values in state.items()}
    count = len(runs)
    state = {
        part: {key: value.expand(count, *value.shape).clone() for key, value in values.items()}
        for part, values in start.items()
    }
    some = next(iter(start["parameters"].values()))
    optimizer = step.optimizer
    by_hand = hand_written(step, batches) is None
    for left in range(len(runs[0].indices), 0, -1):
        live = sum(len(run.indices) >= left for run in runs)
        indices = [run.indices[len(run.indices) - left] for run in runs[:live]]
        places = [run.before + len(run.indices) - left + 1 for run in runs[:live]]
        shared = len(set(indices)) == 1
        rates = [optimizer.rate(t, i) for t, i in zip(places, indices, strict=True)]
        rate: Any = rates[0] if len(set(rates)) == 1 else torch.tensor(rates, dtype=some.dtype, device=some.device)
        if by_hand:
            _mlp_sweep(step, batches, state, indices, live, shared, rate)
        else:
            _sweep(step, batches, state, indices, places, live, shared, rate)
    return state


def _data(batches: Any, indices: Sequence[int], shared: bool) -> tuple[torch.Tensor, torch.Tensor]:
    if shared:
        batch = batches(indices[0])
        return batch[0], batch[1]
    found = [batches(i) for i in indices]
    return torch.stack([b[0] for b in found]), torch.stack([b[1] for b in found])


def _sweep(
    step: TrainingStep,
    batches: Any,
    state: Stacked,
    indices: Sequence[int],
    places: Sequence[int],
    live: int,
    shared: bool,
    rate: Any,
) -> None:
    """One map on every live chain through ``torch.vmap``."""
    if step.gradients.random and not shared:
        raise TypeError("frozen dropout needs the same batch in all chains: use engine='step' for this order")
    some = next(iter(state["parameters"].values()))
    inputs, targets = _data(batches, indices, shared)
    rates = torch.as_tensor(rate, dtype=some.dtype, device=some.device).expand(live)
    t = torch.tensor(places, dtype=some.dtype, device=some.device)
    memory = state["optimizer"]

    def one(members: State, x: Any, y: Any, h: torch.Tensor, position: torch.Tensor) -> State:
        gradients = step.gradients.functional(members, x, y)
        return step.update(members, gradients, members.get("buffers", {}), h, position)

    if not memory:
        memory.update(_empty_memory(step, state["parameters"]))
    members = {part: {key: value[:live] for key, value in values.items()} for part, values in state.items()}
    axis = None if shared else 0
    with step.gradients.frozen(batches(indices[0])):
        after = torch.vmap(one, in_dims=(0, axis, axis, 0, 0))(members, inputs, targets, rates, t)
    for part in ("parameters", "optimizer"):
        for key, value in after[part].items():
            state[part][key][:live] = value


def _empty_memory(step: TrainingStep, parameters: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the optimizer's state before the first step: zeros, which all rules here start from."""
    slots = {"sgd": (), "momentum": ("velocity",), "adam": ("first", "second"), "adamw": ("first", "second")}
    names = slots[step.optimizer.method]
    return {f"{slot}:{name}": torch.zeros_like(value) for name, value in parameters.items() for slot in names}


def _mlp_sweep(
    step: TrainingStep,
    batches: Any,
    state: Stacked,
    indices: Sequence[int],
    live: int,
    shared: bool,
    rate: Any,
) -> None:
    """One SGD step of every live MLP: batched products, updates in place, no gradient buffers."""
    x, y = _data(batches, indices, shared)
    x = x.flatten(1).expand(live, *x.flatten(1).shape) if shared else x.flatten(2)
    y = y.expand(live, *y.shape) if shared else y
    layers = len(getattr(step.model, "layers"))  # noqa: B009 - hand_written() has seen that it is an MLP
    relu = getattr(step.model, "activation") == "relu"  # noqa: B009
    weights = [state["parameters"][f"layers.{k}.weight"][:live] for k in range(layers)]
    biases = [state["parameters"][f"layers.{k}.bias"][:live] for k in range(layers)]
    values = [x]
    for k in range(layers):
        z = torch.baddbmm(biases[k][:, None, :], values[-1], weights[k].transpose(1, 2))
        if k < layers - 1:
            z = z.clamp_(min=0) if relu else z.tanh_()
        values.append(z)
    if step.loss is LOSSES["mse"]:
        error = (values[-1] - y) * (2 / y[0].numel())
    else:
        error = torch.softmax(values[-1], 2)
        error.scatter_add_(2, y[..., None], torch.full_like(error[..., :1], -1.0))
        error /= y.shape[1]
    factor = rate[:, None, None] if isinstance(rate, torch.Tensor) else rate
    for k in range(layers - 1, -1, -1):
        under = torch.bmm(error, weights[k]) if k else error
        if k:
            under = under * (values[k] > 0) if relu else under * (1 - values[k] ** 2)
        change = error * factor
        weights[k].baddbmm_(change.transpose(1, 2), values[k], alpha=-1)
        biases[k].sub_(change.sum(1))
        error = under
