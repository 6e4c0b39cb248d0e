"""A step that changes its batch in place is refused with the batch's name, where that changes the next result."""

from __future__ import annotations

from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch")

import contraction as ct  # noqa: E402
import nn_experiments as nne  # noqa: E402

MSE = torch.nn.functional.mse_loss


class Halves(torch.nn.Module):
    """A linear layer of half the inputs."""

    def __init__(self, *, in_place: bool) -> None:
        super().__init__()
        self.layer, self.in_place = torch.nn.Linear(2, 1), in_place

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.mul_(0.5) if self.in_place else x.mul(0.5)
        return self.layer(x)


def smoothed(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return MSE(outputs, targets.mul_(0.8).add_(0.1))


def first(layer: torch.nn.Module) -> torch.nn.Module:
    return torch.nn.Sequential(layer, torch.nn.Linear(2, 1))


def iterate(model: torch.nn.Module, loss: Callable, *, fresh: bool) -> torch.Tensor:
    draw = torch.Generator().manual_seed(1)
    kept = {i: (torch.randn(4, 2, generator=draw), torch.rand(4, 1, generator=draw)) for i in (1, 2, 3)}

    def batches(i: int) -> nne.Batch:
        inputs, targets = kept[i]
        return nne.Batch(inputs.clone(), targets.clone(), i) if fresh else nne.Batch(inputs, targets, i)

    step, state = nne.from_torch(model, loss, torch.optim.SGD(model.parameters(), lr=0.1))
    return nne.state_at(step, batches, state, ct.Backward(), 2)["parameters"]


@pytest.mark.parametrize(
    ("make", "loss", "part"),
    [
        (lambda: Halves(in_place=True), MSE, "inputs"),
        (lambda: first(torch.nn.LeakyReLU(0.1, inplace=True)), MSE, "inputs"),
        (lambda: torch.nn.Linear(2, 1), smoothed, "targets"),
    ],
    ids=["module", "first layer", "loss"],
)
def test_the_batch_is_named(make: Callable, loss: Callable, part: str) -> None:
    with pytest.raises(nne.NotDeterministic, match=f"the step changes the {part} of batch 2 in place"):
        iterate(make(), loss, fresh=False)


@pytest.mark.control
def test_batches_made_afresh_may_be_changed() -> None:
    """And give what the same module gives that changes nothing."""
    ends = []
    for in_place in (True, False):
        torch.manual_seed(0)
        ends.append(iterate(Halves(in_place=in_place), MSE, fresh=in_place))
    assert all(torch.equal(value, ends[1][name]) for name, value in ends[0].items())


@pytest.mark.control
def test_an_operation_in_place_that_does_nothing_the_second_time_is_no_matter() -> None:
    iterate(first(torch.nn.ReLU(inplace=True)), MSE, fresh=False)
