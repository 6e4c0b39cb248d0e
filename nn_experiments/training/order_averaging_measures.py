"""What appendix D.2 compares at one state and one batch: the mean over all orders, the regulariser, the plain step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import factorial

import torch

from contraction.arguments import check_integer
from contraction.expansions.fields import VectorField
from nn_experiments.training.batches import BatchLike
from nn_experiments.training.metrics import Evaluation
from nn_experiments.training.step import State
from nn_experiments.training.vector_fields import Layout, LossOfParameters, loss_fields, module_loss, split_batch

__all__ = ["SPLIT_METRICS", "SplitEvaluation", "order_averaging_measures"]

#: In the notation of D.2, with g_i = −V_i the gradients of the c parts and P = T_perm − T_large at learning rate h.
SPLIT_METRICS = (
    "alignment",  # R = Σ_{i<j} ⟨g_i, g_j⟩
    "batch_gradient_norm",  # ‖mean of the g_i‖
    "part_gradient_norm",  # root of the mean of ‖g_i‖²
    "alignment_gradient_norm",  # ‖∇R‖ = ‖Σ_{i≠j} V_i'V_j‖
    "alignment_gradient_cosine",  # of ∇R and V_B
    "orders_norm",  # ‖P‖
    "orders_cosine",  # of P and V_B
    "orders_alignment_cosine",  # of P and ∇R
    "orders_remainder",  # ‖P − (h'²/2) ∇R‖
)


class SplitEvaluation:
    """An `Evaluation`, and `order_averaging_measures` of the newest batch, in float64.

    Parameters
    ----------
    evaluation
        Losses and accuracies.
    c, h
        Number of parts of a batch; learning rate of the large batch, h' = h/c.
    """

    on_batches = True

    def __init__(self, evaluation: Evaluation, *, c: int, h: float) -> None:
        self.evaluation, self.c, self.h = evaluation, c, h
        self.names = (*evaluation.names, *SPLIT_METRICS)
        self._loss = module_loss(evaluation.model, evaluation.loss)

    def __call__(self, state: State, newest: BatchLike | None, outermost: BatchLike | None) -> dict[str, torch.Tensor]:
        """Return all metrics as scalar tensors; iterate 0 has no batches."""
        measures = self.evaluation(state, newest, outermost)
        if newest is not None:
            more = order_averaging_measures(self._loss, state["parameters"], newest, c=self.c, h=self.h)
            measures |= {name: torch.tensor(value, dtype=torch.float64) for name, value in more.items()}
        return measures


def order_averaging_measures(
    loss: LossOfParameters, parameters: Mapping[str, torch.Tensor], batch: BatchLike, *, c: int, h: float
) -> dict[str, float]:
    """Return what `SPLIT_METRICS` names, of one state and one batch, computed in float64.

    The step θ + hV_B + λΣ_{i≠j}V_i'V_j is at the distance ‖P − λ∇R‖ from the mean over all c! orders, which these
    numbers give for any λ: ‖P‖² − 2λ cos(P, ∇R) ‖P‖ ‖∇R‖ + λ² ‖∇R‖².

    Parameters
    ----------
    loss
        (parameters, batch) ↦ mean loss (see `module_loss`).
    parameters
        Name -> tensor.
    batch
        Inputs and targets, of a number that c divides.
    c, h
        Number of parts, and the learning rate of the large batch; each order takes c steps at h/c.

    Returns
    -------
    dict of str to float
        A cosine is 0 where one of the two vectors is 0.

    Raises
    ------
    ValueError
        If c is below 2, or does not divide the number of examples.

    Notes
    -----
    The gradient at each beginning of an order is computed once: 4, 15 and 64 gradients of a c-th of the batch for
    c = 2, 3, 4, and one Hessian-vector product for each part.
    """
    check_integer("the number of small batches", c, 2)
    double = {name: value.detach().double() for name, value in parameters.items()}
    inputs, targets = (part.double() if part.is_floating_point() else part for part in batch[:2])
    layout = Layout.of(double)
    theta = layout.flatten(double)
    fields = loss_fields(loss, split_batch((inputs, targets), c), layout)
    linear = [field.linearized(theta) for field in fields]
    values = [value for value, _ in linear]
    total = torch.stack(values).sum(0)
    term = torch.zeros_like(theta)
    for value, product in linear:
        term += product(total - value)
    mean = total / c
    orders = _beyond_first_order(fields, theta, values, h / c)
    remainder = orders - (h / c) ** 2 / 2 * term
    squares = torch.stack([value @ value for value in values])
    measures = {
        "alignment": (total @ total - squares.sum()) / 2,
        "batch_gradient_norm": mean.norm(),
        "part_gradient_norm": squares.mean().sqrt(),
        "alignment_gradient_norm": term.norm(),
        "alignment_gradient_cosine": _cosine(term, mean),
        "orders_norm": orders.norm(),
        "orders_cosine": _cosine(orders, mean),
        "orders_alignment_cosine": _cosine(orders, term),
        "orders_remainder": remainder.norm(),
    }
    return {name: float(measures[name]) for name in SPLIT_METRICS}


def _beyond_first_order(
    fields: Sequence[VectorField], theta: torch.Tensor, values: Sequence[torch.Tensor], h: float
) -> torch.Tensor:
    """Return T_perm(θ) − θ − h' Σ V_i(θ): what orders add on average, each beginning of an order computed once.

    A beginning of k maps is that of (c − k)! orders; its last map adds h'(V(point) − V(θ)) beyond the first order.
    """
    c = len(fields)
    total = torch.zeros_like(theta)

    def visit(point: torch.Tensor, left: Sequence[int]) -> None:
        for i in left:
            rest = [j for j in left if j != i]
            value = values[i] if len(left) == c else fields[i](point)
            if len(left) < c:
                total.add_(value - values[i], alpha=h * factorial(len(rest)) / factorial(c))
            if rest:
                visit(point + h * value, rest)

    visit(theta, range(c))
    return total


def _cosine(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    size = a.norm() * b.norm()
    return a @ b / size if size > 0 else torch.zeros_like(size)
