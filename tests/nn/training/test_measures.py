"""Losses and accuracies of one's own model: against the model itself in evaluation mode, and nothing of it changed."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import nn_experiments as nne  # noqa: E402
from nn_experiments.training.measures import _spread  # noqa: E402

LOSS = torch.nn.functional.cross_entropy


def classifier() -> tuple[torch.nn.Module, torch.Tensor, torch.Tensor]:
    """Return a model with batch norm and dropout that is in training mode, and 23 rows in three classes."""
    torch.manual_seed(0)
    layers = torch.nn.Linear(4, 6), torch.nn.BatchNorm1d(6), torch.nn.Dropout(0.5), torch.nn.Linear(6, 3)
    return torch.nn.Sequential(*layers).double(), torch.randn(23, 4, dtype=torch.float64), torch.arange(23) % 3


def trained(model: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> dict:
    """Return a state that differs from the model's own in parameters and in running statistics."""
    other = copy.deepcopy(model)
    optimizer = torch.optim.SGD(other.parameters(), lr=0.3)
    for _ in range(4):
        optimizer.zero_grad()
        LOSS(other(x), y).backward()
        optimizer.step()
    return {
        "parameters": {name: p.detach().clone() for name, p in other.named_parameters()},
        "buffers": {name: b.clone() for name, b in other.named_buffers()},
    }


@pytest.mark.parametrize("rows", [1, 5, 22, 23, 1000])
def test_measures_are_those_of_the_model_in_evaluation_mode(rows: int) -> None:
    model, x, y = classifier()
    state = trained(model, x, y)
    measure = nne.measures(model, LOSS, train=(x[:11], y[:11]), test=(x, y), accuracy=True, rows=rows)
    assert list(measure) == ["train_loss", "test_loss", "train_accuracy", "test_accuracy"]
    by_hand = copy.deepcopy(model).eval()
    by_hand.load_state_dict(state["parameters"] | state["buffers"])
    with torch.no_grad():
        outputs = by_hand(x)
    assert float(measure["test_loss"](state)) == pytest.approx(float(LOSS(outputs, y)), rel=1e-12)
    assert float(measure["train_loss"](state)) == pytest.approx(float(LOSS(outputs[:11], y[:11])), rel=1e-12)
    assert float(measure["test_accuracy"](state)) == pytest.approx(float((outputs.argmax(1) == y).double().mean()))
    training = copy.deepcopy(model)
    training.load_state_dict(state["parameters"] | state["buffers"])
    assert float(LOSS(training(x), y).detach()) != pytest.approx(
        float(LOSS(outputs, y)), rel=1e-3
    )  # what it must not be


def test_the_model_stays_as_it_is() -> None:
    model, x, y = classifier()
    before, state = copy.deepcopy(model.state_dict()), trained(model, x, y)
    for function in nne.measures(model, LOSS, test=(x, y), accuracy=True).values():
        function(state)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.training
    assert all(module.training for module in model.modules())
    assert all(p.requires_grad and p.grad is None for p in model.parameters())


def test_arrays_will_do_and_measures_can_be_pickled() -> None:
    model, x, y = classifier()
    state = trained(model, x, y)
    tensors = nne.measures(model, LOSS, test=(x, y))["test_loss"]
    arrays = pickle.loads(pickle.dumps(nne.measures(model, LOSS, test=(x.numpy(), y.numpy()))["test_loss"]))
    assert torch.equal(tensors(state), arrays(state))


@pytest.mark.control
def test_a_loss_that_is_no_mean_over_rows_is_not_cut() -> None:
    """A sum, and class weights: right on whole data, refused in slices."""
    model, x, y = classifier()
    state = trained(model, x, y)
    weighted = torch.nn.CrossEntropyLoss(weight=torch.tensor([1.0, 5.0, 0.1], dtype=torch.float64))
    for loss in (torch.nn.CrossEntropyLoss(reduction="sum"), weighted):
        whole = nne.measures(model, loss, test=(x, y))["test_loss"](state)
        still = copy.deepcopy(model).eval()
        still.load_state_dict(state["parameters"] | state["buffers"])
        assert float(whole) == pytest.approx(float(loss(still(x), y).detach()), rel=1e-12)
        with pytest.raises(ValueError, match=r"not a mean over rows.*give rows=23 or more"):
            nne.measures(model, loss, test=(x, y), rows=10)


class Centred(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x - x.mean(0)


@pytest.mark.control
@pytest.mark.parametrize(
    "layer", [torch.nn.BatchNorm1d(4, track_running_stats=False), Centred()], ids=["batch norm", "centred"]
)
def test_a_model_whose_outputs_depend_on_other_rows_is_not_cut(layer: torch.nn.Module) -> None:
    """Right on whole data; in slices the loss would be another for each number of rows."""
    _, x, y = classifier()
    model = torch.nn.Sequential(layer, torch.nn.Linear(4, 3)).double()
    whole = nne.measures(model, LOSS, test=(x, y))["test_loss"](nne.initial_state(model))
    assert float(whole) == pytest.approx(float(LOSS(model.eval()(x), y).detach()), rel=1e-12)
    for rows in (2, 3, 10):
        with pytest.raises(ValueError, match=r"outputs for a row depend on the other rows.*give rows=23 or more"):
            nne.measures(model, LOSS, test=(x, y), rows=rows)


@pytest.mark.control
@pytest.mark.parametrize("rare", [2, 199, 100])
@pytest.mark.parametrize("what", ["weights", "ignored"])
def test_a_loss_that_is_no_mean_over_rows_is_seen_wherever_its_rows_are(what: str, rare: int) -> None:
    """200 rows sorted by class, one of which alone shows what the loss is: the first ones look like a mean."""
    model, _, _ = classifier()
    x = torch.randn(200, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y = torch.zeros(200, dtype=torch.int64)
    weights = torch.tensor([1.0, 1.0, 5.0], dtype=torch.float64) if what == "weights" else None
    loss = torch.nn.CrossEntropyLoss(weight=weights)
    nne.measures(model, loss, test=(x, y), rows=100)  # of one class, it is a mean
    y[rare] = 2 if what == "weights" else -100
    with pytest.raises(ValueError, match=r"not a mean over rows.*give rows=200 or more"):
        nne.measures(model, loss, test=(x, y), rows=100)
    assert list(nne.measures(model, loss, test=(x, y), rows=200)) == ["test_loss"]


def test_the_rows_that_are_looked_at_have_every_label() -> None:
    """By hand: seven over all the data, and the first of each label, as many as asked for."""
    labels = torch.arange(60) // 3  # 20 classes of three rows
    chosen = _spread(labels, 60, 32)
    assert chosen.tolist() == sorted(set(chosen.tolist()))
    assert {0, 10, 20, 30, 39, 49, 59} <= set(chosen.tolist())  # 59 k / 6, to the even one of two neighbours
    assert set(labels[chosen].tolist()) == set(range(20))
    assert len(_spread(labels, 60, 9)) == 9
    assert _spread(labels.double(), 60, 32).tolist() == [0, 10, 20, 30, 39, 49, 59]  # no labels
    words = torch.zeros(60, 4, dtype=torch.int64)
    words[41, 3] = 1  # a row of words is one row
    assert 41 in _spread(words, 60, 32).tolist()
    assert _spread(labels[:2], 2, 32).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, ValueError, "needs data"),
        ({"test": (torch.ones(3, 4).double(), torch.ones(2).long())}, ValueError, "as many inputs as targets"),
        ({"test": ([1.0], torch.ones(1).long())}, TypeError, "two tensors or arrays"),
        (
            {"test": (torch.ones(3, 4).double(), torch.zeros(3).long()), "rows": 0},
            ValueError,
            "rows must be an integer",
        ),
    ],
)
def test_bad_arguments_are_named(arguments: dict, error: type[Exception], message: str) -> None:
    model, _, _ = classifier()
    with pytest.raises(error, match=message):
        nne.measures(model, LOSS, **arguments)


def test_an_accuracy_needs_classes_and_a_loss_one_number() -> None:
    model = torch.nn.Linear(4, 1)
    x, y = torch.randn(5, 4), torch.randn(5, 1)
    with pytest.raises(TypeError, match="integer classes"):
        nne.measures(model, torch.nn.functional.mse_loss, test=(x, y), accuracy=True)
    with pytest.raises(TypeError, match="one scalar tensor, got a tensor of shape"):
        nne.measures(model, torch.nn.MSELoss(reduction="none"), test=(x, y))


def test_a_run_takes_them_as_they_are(tmp_path) -> None:
    model, x, y = classifier()
    model = torch.nn.Sequential(model[0], model[1], model[3])
    step, state = nne.from_torch(model, LOSS, torch.optim.SGD(model.parameters(), lr=0.1))
    batches = nne.ArrayBatches(x, y, batch_size=4, seed=0)
    measure = nne.measures(model, LOSS, test=(x, y), accuracy=True)
    found = nne.run(
        step, batches, state, ["forward"], at=[0, 6], measure=measure, out=tmp_path, workers=0, progress=False
    )
    last = step_by_step(step, batches, state, 6)
    n, values = found.path("test_loss", seed=0, order="forward")
    assert n.tolist() == [0, 6]
    assert values[1] == pytest.approx(float(measure["test_loss"](last)), rel=1e-12)
    assert np.isfinite(found.path("test_accuracy", seed=0, order="forward")[1]).all()


def step_by_step(step, batches, state: dict, n: int) -> dict:
    """Return forward iterate n, one step after the other."""
    for t in range(1, n + 1):
        state = step(state, batches(t), t)
    return state
