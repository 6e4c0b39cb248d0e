"""SGD with the order-averaging regulariser of D.2: one training step as a map of the state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import nn

from contraction.arguments import check_choice, check_integer
from contraction.expansions.fields import VectorField
from contraction.expansions.regularisers import RATES, regularisation_strength, regularised_step
from nn_experiments.training.batches import BatchLike
from nn_experiments.training.scalar_loss import Criterion
from nn_experiments.training.step import State, TrainingStep
from nn_experiments.training.vector_fields import (
    Examples,
    Layout,
    LossOfParameters,
    batch_coupled_layers,
    loss_fields,
    module_loss,
    split_batch,
)

__all__ = ["OrderAveragingStep", "regularised", "regularised_module_step"]


def regularised(
    loss: LossOfParameters,
    *,
    h: float,
    c: int,
    lam: float | None = None,
    multiple: float | None = None,
    unit: Literal["h", "h/c", "derived"] = "h",
    rate: Literal["h", "h/c"] = "h",
    hold: bool = True,
) -> Callable[[State, Examples, int], State]:
    """Return step(state, batch, t) = θ + rate·V_B(θ) + λ Σ_{i≠j} V_i'V_j(θ) on ``state["parameters"]``.

    The batch is cut into c parts of equal size. The paper's rule is ambiguous (D.2.1, row 68 of the audit):

    - ``rate="h"``, ``unit="h"``: the literal reading, λ = multiple·h² and T_large at h;
    - ``rate="h/c"``: T_large at h' = h/c, as the paper's large-batch baseline;
    - ``unit="h/c"``: the paper's h in λ read as h', λ = multiple·h'²; ``unit="derived"``: λ = multiple·h'²/2, so that
      multiple = 1 is the mean over all orders of the small batches to second order.

    Parameters
    ----------
    loss
        (parameters, batch) ↦ mean loss, a scalar tensor (`nn_experiments.training.vector_fields.module_loss`), with no
        layer that couples the examples of a batch.
    h, c
        Learning rate; number of small batches.
    lam, multiple
        Exactly one of the two: λ itself, or the multiple of the unit.
    unit, rate
        As above.
    hold
        True keeps the c graphs of the first pass (memory of one large-batch graph, and its second derivative); False
        evaluates them again, one small batch in memory at a time.

    Returns
    -------
    callable
        ``step(state, batch, t) -> state``; t is not used, other entries of the state pass through.

    Raises
    ------
    ValueError
        If not exactly one of ``lam`` and ``multiple`` is given, or a setting has no meaning. The step raises if the
        batch cannot be cut into c equal parts.
    """
    if (lam is None) == (multiple is None):
        raise ValueError(f"exactly one of lam and multiple is needed, got lam={lam!r} and multiple={multiple!r}")
    if not h > 0:
        raise ValueError(f"the learning rate must be positive, got {h!r}")
    check_integer("the number of small batches", c, 2)
    strength = lam if lam is not None else regularisation_strength(multiple, h, c, unit=unit)
    if not strength >= 0:
        raise ValueError(f"λ must be at least 0 (it is added: λ > 0 rewards alignment), got {strength!r}")
    check_choice("the rate", rate, RATES)

    def step(state: State, batch: Examples, t: int) -> State:
        layout = Layout.of(state["parameters"])
        with torch.no_grad():
            theta = layout.flatten(state["parameters"])
            fields = loss_fields(loss, split_batch(batch, c), layout)
            moved = regularised_step(fields, theta, h, strength, rate=rate, hold=hold)
        return {**state, "parameters": layout.unflatten(moved)}

    return step


def regularised_module_step(
    module: nn.Module,
    criterion: Criterion,
    *,
    h: float,
    c: int,
    lam: float | None = None,
    multiple: float | None = None,
    unit: Literal["h", "h/c", "derived"] = "h",
    rate: Literal["h", "h/c"] = "h",
    hold: bool = True,
) -> Callable[[State, BatchLike, int], State]:
    """Return `regularised` for a module and a mean loss.

    Parameters
    ----------
    module
        Any module without layers that couple the examples of a batch.
    criterion
        (outputs, targets) ↦ mean loss, a scalar tensor.
    h, c, lam, multiple, unit, rate, hold
        As in `regularised`.

    Returns
    -------
    callable
        ``step(state, batch, t) -> state``.

    Raises
    ------
    ValueError
        If a layer couples the examples of a batch: hV_B = h' Σ V_i, on which the step rests, is then false.
    """
    _refuse_coupled(module)
    loss = module_loss(module, criterion)
    return regularised(loss, h=h, c=c, lam=lam, multiple=multiple, unit=unit, rate=rate, hold=hold)


def _refuse_coupled(module: nn.Module) -> None:
    coupled = batch_coupled_layers(module)
    if coupled:
        raise ValueError(
            f"the regulariser needs gradients that add up over a batch; {', '.join(coupled)} normalises over the batch "
            "(use eval mode with running statistics, or another normalisation)"
        )


class OrderAveragingStep:
    """θ + rate·V_B(θ) + λ Σ V_i'V_j(θ) for a module, with the settings in view, so that a kernel can run it by hand.

    Parameters
    ----------
    plain
        The step of plain SGD, whose module and loss these are; its learning rate is the rate of the large batch.
    c
        The number of parts of equal size that a batch is cut into, at least 2.
    lam
        λ, at least 0.
    single_order
        False: the sum is over all i ≠ j, the ascent of the alignment. True: over i > j, the term of the one order in
        which B_1 comes first (row 67 of the audit: not a gradient).

    Raises
    ------
    ValueError
        If c or λ is too small, the optimizer is not plain SGD at a constant rate, or a layer of the module couples the
        examples of a batch.

    Examples
    --------
    >>> import torch
    >>> from nn_experiments import Optimizer, TrainingStep
    >>> from nn_experiments.training.order_averaging import OrderAveragingStep
    >>> from torch import nn
    >>> module = nn.Linear(2, 1)
    >>> plain = TrainingStep(module, nn.functional.mse_loss, Optimizer(learning_rate=0.1))
    >>> step = OrderAveragingStep(plain, c=2, lam=0.005)
    >>> state = {"parameters": {"weight": torch.ones(1, 2), "bias": torch.zeros(1)}, "buffers": {}, "optimizer": {}}
    >>> batch = torch.eye(2), torch.zeros(2, 1)
    >>> step(state, batch, 1)["parameters"]["weight"]  # 1 - 0.1 · 1 + 0.005 · 4
    tensor([[0.9200, 0.9200]])
    """

    def __init__(self, plain: TrainingStep, *, c: int, lam: float, single_order: bool = False) -> None:
        check_integer("the number of small batches", c, 2)
        if not lam >= 0:
            raise ValueError(f"λ must be at least 0 (it is added: λ > 0 rewards alignment), got {lam!r}")
        if not (plain.optimizer.is_plain_sgd and plain.optimizer.schedule.constant):
            raise ValueError("the regularised step is derived for plain SGD at a constant learning rate")
        _refuse_coupled(plain.model)
        self.plain, self.c, self.lam, self.single_order = plain, c, lam, single_order
        self.rate = plain.optimizer.learning_rate
        self._loss = module_loss(plain.model, plain.loss)

    def __call__(self, state: State, batch: BatchLike, t: int) -> State:
        """Return the next state, by autograd; the given one is left as it was."""
        layout = Layout.of(state["parameters"])
        with torch.no_grad():
            theta = layout.flatten(state["parameters"])
            fields = loss_fields(self._loss, split_batch((batch[0], batch[1]), self.c), layout)
            if self.single_order:
                total, term = _in_order(fields, theta)
                moved = theta + self.rate / self.c * total + self.lam * term
            else:
                moved = regularised_step(fields, theta, self.rate, self.lam, hold=True)
        return {**state, "parameters": layout.unflatten(moved)}


def _in_order(fields: Sequence[VectorField], theta: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return Σ V_i and Σ_{i>j} V_i'V_j, one graph in memory at a time."""
    total, term = torch.zeros_like(theta), torch.zeros_like(theta)
    for i, field in enumerate(fields):
        value, product = field.linearized(theta)
        if i:
            term = term + product(total)
        total = total + value
    return total, term
