"""The regularised step by hand against autograd, in float64, and against a step that is wrong."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from contraction.expansions.regularisers import fixed_order_term, large_batch_step  # noqa: E402
from nn_experiments.engine.kernels.choose import make_kernel  # noqa: E402
from nn_experiments.engine.kernels.mlp import STACKED, MLPKernel, StepKernel  # noqa: E402
from nn_experiments.engine.kernels.order_averaging import OrderAveragingKernel  # noqa: E402
from nn_experiments.training.batches import ArrayBatches  # noqa: E402
from nn_experiments.training.models.mlp import MLP  # noqa: E402
from nn_experiments.training.optimizers import Optimizer  # noqa: E402
from nn_experiments.training.order_averaging import OrderAveragingStep  # noqa: E402
from nn_experiments.training.step import LOSSES, TrainingStep, initial_state  # noqa: E402
from nn_experiments.training.vector_fields import Layout, loss_fields, module_loss, split_batch  # noqa: E402
from tests.nn.problems import flat  # noqa: E402

H = 0.05


def problem(activation: str, loss: str, rows: int = 12) -> tuple[TrainingStep, ArrayBatches, dict]:
    rng = np.random.default_rng(3)
    model = MLP((5, 7, 6, 4), activation=activation).double()
    values = {name: torch.from_numpy(0.7 * rng.standard_normal(p.shape)) for name, p in model.named_parameters()}
    inputs = rng.standard_normal((60, 5))
    targets = rng.integers(4, size=60) if loss == "cross_entropy" else rng.standard_normal((60, 4))
    batches = ArrayBatches(inputs, targets, batch_size=rows, seed=1)
    return TrainingStep(model, LOSSES[loss], Optimizer(learning_rate=H)), batches, initial_state(model, values)


CASES = list(itertools.product(("relu", "tanh"), ("cross_entropy", "mse"), (2, 3, 4), (False, True)))


@pytest.mark.parametrize(("activation", "loss", "c", "single_order"), CASES)
def test_by_hand_is_autograd_to_rounding(activation: str, loss: str, c: int, single_order: bool) -> None:
    """Three steps with λ so large that the term moves the parameters as far as the gradient does."""
    plain, batches, state = problem(activation, loss)
    lam = 0.04 if loss == "cross_entropy" else 2e-4  # the squares of these targets have a hundred times the curvature
    step = OrderAveragingStep(plain, c=c, lam=lam, single_order=single_order)
    kernel = make_kernel(step, batches)
    assert isinstance(kernel, OrderAveragingKernel)
    found, right = (one.apply(state, [2, 5, 1], 0) for one in (kernel, StepKernel(step, batches)))
    assert list(found["parameters"]) == list(right["parameters"])
    got, wanted = flat(found["parameters"]), flat(right["parameters"])
    assert (got - wanted).norm() <= 1e-13 * wanted.norm()
    bare = MLPKernel(plain, batches).apply(state, [2, 5, 1], 0)
    assert (wanted - flat(bare["parameters"])).norm() > 1e-4 * wanted.norm()  # control: the term is not small
    other = flat(
        OrderAveragingStep(plain, c=c, lam=lam, single_order=not single_order)(state, batches(2), 1)["parameters"]
    )
    assert (other - flat(step(state, batches(2), 1)["parameters"])).norm() > 1e-4 * wanted.norm()


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_the_term_of_one_order_is_that_of_the_theory() -> None:
    plain, batches, state = problem("tanh", "cross_entropy")
    layout = Layout.of(state["parameters"])
    theta = layout.flatten(state["parameters"])
    parts = split_batch(tuple(batches(1)[:2]), 3)
    fields = loss_fields(module_loss(plain.model, plain.loss), parts, layout)
    moved = OrderAveragingStep(plain, c=3, lam=0.04, single_order=True)(state, batches(1), 1)
    right = large_batch_step(fields, theta, H) + 0.04 * fixed_order_term(fields, theta)
    assert torch.allclose(layout.flatten(moved["parameters"]), right, rtol=1e-12, atol=1e-14)
    backwards = large_batch_step(fields, theta, H) + 0.04 * fixed_order_term(fields, theta, (1, 2, 3))
    assert (right - backwards).norm() > 1e-4 * right.norm()


def test_without_the_term_it_is_plain_sgd() -> None:
    plain, batches, state = problem("relu", "cross_entropy")
    kernel = OrderAveragingKernel(OrderAveragingStep(plain, c=3, lam=0.0), batches)
    found, right = (one.apply(state, [1, 2], 0) for one in (kernel, MLPKernel(plain, batches)))
    assert torch.allclose(flat(found["parameters"]), flat(right["parameters"]), rtol=1e-13, atol=1e-15)
    assert kernel.apply(state, [], 0) is state


def test_large_batches_are_not_stacked_and_give_the_same() -> None:
    """A batch of more numbers than `STACKED` goes through the plain kernel as a small one does."""
    rng = np.random.default_rng(0)
    model = MLP((70, 5, 3)).double()
    values = {name: torch.from_numpy(0.3 * rng.standard_normal(p.shape)) for name, p in model.named_parameters()}
    rows = STACKED // 70 + 1
    batches = ArrayBatches(rng.standard_normal((rows, 70)), rng.integers(3, size=rows), batch_size=rows, seed=1)
    step, state = TrainingStep(model, LOSSES["cross_entropy"], Optimizer(learning_rate=H)), initial_state(model, values)
    kernel = MLPKernel(step, batches)
    found, right = (one.apply(state, [2, 1], 0) for one in (kernel, StepKernel(step, batches)))
    assert kernel.table.size == 0
    assert torch.allclose(flat(found["parameters"]), flat(right["parameters"]), rtol=1e-12, atol=1e-14)


def test_refusals() -> None:
    plain, batches, _ = problem("relu", "cross_entropy")
    with pytest.raises(TypeError, match="batch of 12 cannot be cut into 5 equal parts"):
        OrderAveragingKernel(OrderAveragingStep(plain, c=5, lam=0.1), batches)
    other = TrainingStep(torch.nn.Bilinear(2, 2, 2), plain.loss, plain.optimizer)
    with pytest.raises(TypeError, match="not a module of linear layers"):
        OrderAveragingKernel(OrderAveragingStep(other, c=2, lam=0.1), batches)
    assert isinstance(make_kernel(OrderAveragingStep(plain, c=5, lam=0.1), batches), StepKernel)
    for c, lam, message in ((1, 0.1, "at least 2"), (2, -0.1, "at least 0")):
        with pytest.raises(ValueError, match=message):
            OrderAveragingStep(plain, c=c, lam=lam)
    momentum = TrainingStep(plain.model, plain.loss, Optimizer(method="momentum", momentum=0.9, learning_rate=0.1))
    with pytest.raises(ValueError, match="plain SGD"):
        OrderAveragingStep(momentum, c=2, lam=0.1)
    coupled = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4)).train()
    with pytest.raises(ValueError, match="normalises over the batch"):
        OrderAveragingStep(TrainingStep(coupled, plain.loss, plain.optimizer), c=2, lam=0.1)
