"""Metrics of a state against the formulas written out, and batches at the edge of a data set."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

import numpy as np  # noqa: E402

from nn_experiments.engine.ensemble.stacked_module import _image_axes  # noqa: E402
from nn_experiments.engine.trajectory import Trajectory  # noqa: E402
from nn_experiments.training.metrics import Evaluation, parameter_distance  # noqa: E402
from nn_experiments.training.sampling import Sampler  # noqa: E402


def linear() -> tuple[torch.nn.Linear, dict, torch.Tensor, torch.Tensor]:
    """A linear model of two inputs, its state, and seven rows with targets."""
    torch.manual_seed(0)
    model = torch.nn.Linear(2, 1).double()
    state = {"parameters": {name: p.detach().clone() for name, p in model.named_parameters()}, "buffers": {}}
    x = torch.arange(14, dtype=torch.float64).reshape(7, 2) / 7
    return model, state, x, x[:, :1] ** 2 - 1


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 100])
def test_the_gradient_norm_is_that_of_the_whole_training_loss(rows: int) -> None:
    """By hand: mean squares have gradients 2 X^T r/N and 2 mean r, however the rows are sliced; the test set has no
    part in it."""
    model, state, x, y = linear()
    found = Evaluation(model, torch.nn.MSELoss(), (x, y), (x[:2], y[:2]), classes=0, rows=rows).gradient_norm(state)
    W, b = state["parameters"]["weight"], state["parameters"]["bias"]
    residual = x @ W.T + b - y
    by_hand = torch.cat([2 * (residual * x).mean(0), 2 * residual.mean(0)]).norm()
    assert float(found) == pytest.approx(float(by_hand), rel=1e-12)
    assert float(by_hand) > 0.1


@pytest.mark.parametrize("rows", [1, 3, 7, 100])
def test_losses_are_means_over_all_rows(rows: int) -> None:
    model, state, x, y = linear()
    found = Evaluation(model, torch.nn.MSELoss(), (x, y), (x[:2], y[:2]), classes=0, rows=rows)
    values = found(state, (x[3:5], y[3:5]), None)
    squares = (x @ state["parameters"]["weight"].T + state["parameters"]["bias"] - y) ** 2
    expected = {"train_loss": squares.mean(), "test_loss": squares[:2].mean(), "newest_batch_loss": squares[3:5].mean()}
    assert {name: float(v) for name, v in values.items()} == pytest.approx({k: float(v) for k, v in expected.items()})
    assert found.predictions(state, "train").shape == (7, 1)


def test_the_distance_of_states_is_that_of_all_their_parameters() -> None:
    _, state, _, _ = linear()
    other = {"parameters": {"weight": state["parameters"]["weight"] + 3, "bias": state["parameters"]["bias"] - 4}}
    assert parameter_distance(state, other) == pytest.approx(np.sqrt(9 + 9 + 16))


def test_one_metric_that_is_not_finite_is_divergence() -> None:
    """At the first such iterate after 0; what iterate 0 lacks is none."""
    at = np.arange(4)
    fine = np.array([np.nan, 1.0, 2.0, 3.0])
    gone = np.array([0.0, 1.0, np.inf, np.nan])
    assert Trajectory(at, {"one": fine, "other": gone}, at, 4).diverged == 2
    assert Trajectory(at, {"one": gone, "other": fine}, at, 4).diverged == 2
    assert Trajectory(at, {"one": fine}, at, 4).diverged is None


def test_a_mean_over_no_axis_is_no_mean_over_the_image() -> None:
    assert [_image_axes(axes) for axes in ((2, 3), [-1, -2], 3, (), [], (1, 2), None)] == [
        True,
        True,
        True,
        False,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize("rule", ["reshuffle", "shuffle_once"])
def test_a_batch_may_be_the_whole_set(rule: str) -> None:
    whole = Sampler(rule, 5, 5, 0)
    assert [sorted(whole(i).tolist()) for i in (1, 2, 3)] == [[0, 1, 2, 3, 4]] * 3
    with pytest.raises(ValueError, match="a batch of 6 cannot be cut from 5 images"):
        Sampler(rule, 6, 5, 0)
