"""The weights of one iterate, as a state or in the form that ``load_state_dict`` takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

import torch
from torch import nn

from contraction.maps.orders import Forward, Order
from nn_experiments.engine.batch_norm import StatisticsRefresh
from nn_experiments.engine.chain import averages, walk
from nn_experiments.engine.checking import check_step, checked_kernel
from nn_experiments.engine.gpu import repeatable
from nn_experiments.engine.measuring import numbers_of
from nn_experiments.engine.plan import check_iterates
from nn_experiments.engine.policies import reset_if_better, stop_when_settled
from nn_experiments.engine.purity import check_first_batches, probe
from nn_experiments.engine.recorded import check_recorded
from nn_experiments.training.averages import EMA, SWA, Average, Polyak, SuffixMean
from nn_experiments.training.batches import Batches, check_batches
from nn_experiments.training.policies import Policy, ResetIfBetter, StopWhenSettled
from nn_experiments.training.refusals import check_is_module
from nn_experiments.training.signatures import check_is_step, check_takes
from nn_experiments.training.states import State, check_state
from nn_experiments.training.step import Step

__all__ = ["state_at", "state_dict"]


@repeatable()
def state_at(
    step: Step,
    batches: Batches,
    state0: State,
    curve: Order | Average | Policy,
    n: int,
    *,
    measure: Mapping[str, Callable[[State], torch.Tensor | float]] | None = None,
    engine: str = "auto",
) -> State:
    """Return iterate n of an order, an average or a policy.

    Parameters
    ----------
    step, batches, state0
        As in `iterates`.
    curve
        An order (of ``contraction`` or your own), an average of the forward path, or a policy; not a name.
    n
        At least 0.
    measure
        Name -> function of one state; for `ResetIfBetter`, which looks at one of them.
    engine
        As in `iterates`, but for ``loop`` and ``ensemble`` (default: ``auto``).

    Returns
    -------
    State
        Parameters, buffers and the state of the optimizer; `state_dict` converts it for ``load_state_dict``.

    Raises
    ------
    ValueError
        If n is not an integer of at least 0, or ``measure`` lacks the metric of a policy.
    TypeError
        If ``state0`` is not a state, ``curve`` is neither an order, an average nor a policy, or ``measure`` is no
        dictionary of functions of a state that return one number.
    NotDeterministic
        If the step is not a pure function.

    Examples
    --------
    >>> import torch
    >>> from contraction import Backward
    >>> from nn_experiments import ArrayBatches, from_torch, state_at, state_dict
    >>> from torch import nn
    >>> model = nn.Linear(2, 1)
    >>> step, state = from_torch(model, nn.functional.mse_loss, torch.optim.SGD(model.parameters(), lr=0.1))
    >>> batches = ArrayBatches(torch.ones(8, 2), torch.zeros(8, 1), batch_size=2, seed=0)
    >>> model.load_state_dict(state_dict(model, state_at(step, batches, state, Backward(), 10)))
    <All keys matched successfully>
    """
    at = check_iterates([n])
    batches = check_batches(batches)
    check_is_step(step)
    check_state("state0", state0, step)
    if isinstance(curve, str):
        raise TypeError(f"curve must be an order, average or policy, such as contraction.Backward(), got {curve!r}")
    judge = _judge(curve, measure)
    if n == 0:
        return state0
    check_recorded(step, batches, [curve], at)
    check_first_batches(step, batches)
    check_step(step, batches, state0)
    probe(step, batches, state0)
    kernel, _ = checked_kernel(step, batches, state0, engine)
    match curve:
        case EMA() | Polyak() | SuffixMean() | SWA():
            ((_, state, _),) = averages(kernel, Forward(), at, state0, curve)
            if isinstance(curve, SWA) and curve.refreshes(n):
                return StatisticsRefresh(step, batches, curve.refresh)(state)
        case ResetIfBetter():
            assert judge is not None  # of such a policy
            ((_, state, _, _),) = reset_if_better(kernel, at, state0, curve, judge)
        case StopWhenSettled():
            ((_, state, _, _),) = stop_when_settled(kernel, at, state0, curve)
        case _:
            ((_, state, _),) = walk(kernel, cast(Order, curve), at, state0)
    return state


def _judge(
    curve: object, measure: Mapping[str, Callable[[State], torch.Tensor | float]] | None
) -> Callable[[State], float] | None:
    """Return the metric that a policy looks at, as a function that returns a float, or None for other curves."""
    if measure is not None and not isinstance(measure, Mapping):
        raise TypeError(f"measure must be a dictionary, name -> function of one state, got {measure!r}")
    if not isinstance(curve, ResetIfBetter):
        return None
    name, function = curve.metric, (measure or {}).get(curve.metric)
    if function is None:
        raise ValueError(f"{curve.name} looks at a metric: pass measure={{{name!r}: …}}")
    check_takes(f"measure[{name!r}]", function, ("state",))

    def judge(state: State) -> float:
        value = numbers_of(name, function(state))
        if value.size != 1:
            raise TypeError(f"the metric {name!r} must return one number to be compared, got {value.shape} of them")
        return float(value.reshape(()))

    return judge


def state_dict(model: nn.Module, state: State) -> dict[str, object]:
    """Return the weights of a state under the names that ``model.load_state_dict`` expects.

    A parameter that the module has under several names is returned under all of them. Entries of the module's
    ``state_dict`` that are not tensors are those of ``model``.

    Raises
    ------
    TypeError
        If ``model`` is not a module, or ``state`` is not a state.
    KeyError
        If the state lacks a tensor of the model.

    Examples
    --------
    >>> import torch
    >>> import nn_experiments as nne
    >>> model, loss = torch.nn.Linear(1, 1, bias=False), torch.nn.functional.mse_loss
    >>> step, _ = nne.from_torch(model, loss, torch.optim.SGD(model.parameters(), lr=0.1))
    >>> state = nne.initial_state(model, {"weight": torch.tensor([[1.0]])})
    >>> after = step(state, (torch.ones(4, 1), torch.zeros(4, 1)), 1)
    >>> _ = model.load_state_dict(nne.state_dict(model, after))
    >>> round(model(torch.ones(1, 1)).item(), 4)
    0.8
    """
    check_is_module(model)
    check_state("state", state)
    values = state.get("buffers", {}) | state["parameters"]
    names = {id(value): name for name, value in (*model.named_buffers(), *model.named_parameters())}
    weights: dict[str, object] = {}
    for key, entry in model.state_dict(keep_vars=True).items():
        if not isinstance(entry, torch.Tensor):
            weights[key] = entry
            continue
        name = key if key in values else names.get(id(entry), key)
        if name not in values:
            raise KeyError(f"the state lacks {key}: it is of another model")
        weights[key] = values[name].detach().clone()
    return weights
