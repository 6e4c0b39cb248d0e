"""Errors of the user's own model, loss and metrics: which call fails, on which data, and what to change."""

from __future__ import annotations

import warnings

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

import nn_experiments as nne  # noqa: E402
from contraction.maps.orders import Backward, Forward  # noqa: E402
from nn_experiments.training.calls import loss_of  # noqa: E402

X, Y, CLASSES = torch.linspace(-1, 1, 120).reshape(30, 4), torch.linspace(0, 1, 30), torch.arange(30) % 3


def train(x, y, loss, *, outputs: int = 1, form: str = "auto", check: bool = True) -> None:
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, outputs))
    step, state = nne.from_torch(model, loss, torch.optim.SGD(model.parameters(), lr=0.1), form=form, check=check)
    batches = nne.ArrayBatches(x, y, batch_size=8, seed=0)
    nne.iterates(step, batches, state, Backward(), [2], {"w": lambda s: s["parameters"]["0.weight"].norm()})


@pytest.mark.parametrize("form", ["auto", "loop"])
@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("x", "y", "loss", "outputs", "words"),
    [
        (X.double(), Y[:, None], F.mse_loss, 1, r"the model fails on inputs \(8, 4\) float64.*x\.to\(torch\.float32\)"),
        ((9 * X).long(), Y[:, None], F.mse_loss, 1, r"inputs \(8, 4\) int64.*x\.to\(torch\.float32\)"),
        (X[:, :3], Y[:, None], F.mse_loss, 1, r"inputs \(8, 3\) float32.*shapes cannot be multiplied.*first layer"),
        (X, CLASSES.int(), F.cross_entropy, 3, r"outputs \(8, 3\) float32 and targets \(8,\) int32.*y\.long\(\)"),
        (X, CLASSES + 1, F.cross_entropy, 3, r"the loss fails.*IndexError: Target 3 is out of bounds.*renumber them"),
        (X, CLASSES[:, None], F.cross_entropy, 3, r"targets \(8, 1\) int64.*y\.squeeze\(-1\)"),
        (X, Y, F.binary_cross_entropy_with_logits, 1, r"targets \(8,\) float32.*y\.reshape\(-1, 1\)"),
    ],
)
def test_what_fails_and_what_to_change(x, y, loss, outputs: int, words: str, form: str, check: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch, before it raises the error
        with pytest.raises(nne.CallFailed, match=words) as caught:
            train(x, y, loss, outputs=outputs, form=form, check=check)
    assert isinstance(caught.value.__cause__, Exception)


@pytest.mark.parametrize(
    ("x", "y", "loss", "outputs"), [(X, Y[:, None], F.mse_loss, 1), (X, CLASSES, F.cross_entropy, 3)]
)
def test_right_data_train(x, y, loss, outputs: int) -> None:
    train(x, y, loss, outputs=outputs)


@pytest.mark.parametrize("loss", [F.mse_loss, nn.L1Loss(), lambda outputs, targets: F.huber_loss(outputs, targets)])
def test_broadcast_targets_are_refused(loss) -> None:
    with pytest.raises(nne.Broadcasts, match=r"target size \(torch\.Size\(\[8\]\)\).*y\[:, None\]"):
        train(X, Y, loss)
    with pytest.raises(nne.Broadcasts, match="squeeze"):
        nne.measures(nn.Linear(4, 1), loss, test=(X, Y))


def test_other_warnings_of_the_loss_are_passed_on() -> None:
    def loss(outputs, targets):
        warnings.warn("mind the step", stacklevel=1)
        return F.mse_loss(outputs, targets)

    with pytest.warns(UserWarning, match="mind the step"):
        train(X, Y[:, None], loss)


def test_measures_of_data_in_another_type() -> None:
    with pytest.raises(nne.CallFailed, match=r"the model fails on inputs \(7, 4\) float64"):
        nne.measures(nn.Linear(4, 1), F.mse_loss, test=(X.double(), Y[:, None]))


def test_a_metric_that_fails_is_named() -> None:
    model = nn.Linear(4, 1)
    step, state = nne.from_torch(model, F.mse_loss, torch.optim.SGD(model.parameters(), lr=0.1))
    batches = nne.ArrayBatches(X, Y[:, None], batch_size=8, seed=0)
    with pytest.raises(nne.CallFailed, match="the metric 'slope' cannot be computed of a state: KeyError: 'w'"):
        nne.iterates(step, batches, state, Forward(), [1], {"slope": lambda s: s["parameters"]["w"]})


def test_errors_of_this_package_are_not_wrapped() -> None:
    class Refusing(nn.Module):
        def forward(self, x):
            raise nne.NotDeterministic("mine")

    with pytest.raises(nne.NotDeterministic, match="mine"):
        loss_of(Refusing(), F.mse_loss, X, Y)
