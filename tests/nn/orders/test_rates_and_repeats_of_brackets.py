"""The learning rate of the second of two exchanged steps, and steps that are no functions, in `brackets`."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import nn_experiments as nne  # noqa: E402


def data(i: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(i)
    return torch.from_numpy(rng.standard_normal((3, 2))), torch.from_numpy(rng.standard_normal((3, 1)))


@pytest.mark.parametrize(
    ("index", "numbered"),
    [("position", False), ("position", True), ("batch", True)],
    ids=["no number", "position", "batch"],
)
@pytest.mark.parametrize("t", [1, 4])
def test_the_second_step_has_the_rate_of_its_position_or_of_its_batch(index: str, numbered: bool, t: int) -> None:
    """For a quadratic loss the prediction is exact whatever the rates are.

    θ' = (1 - h A)θ + h b twice, in either order: steps at positions t and t + 1, of batches 2 and 5.
    """
    model = torch.nn.Linear(2, 1, bias=False).double()
    schedule = nne.Schedule(kind="inverse", horizon=2, index=index)
    step = nne.TrainingStep(model, torch.nn.functional.mse_loss, nne.Optimizer(learning_rate=0.1, schedule=schedule))
    state = nne.initial_state(model)

    def batches(i: int) -> Any:
        return nne.Batch(*data(i), i) if numbered else data(i)

    found = nne.brackets(step, batches, state, [(2, 5)], t=t, vectors=True)

    def path(order: tuple[int, int]) -> np.ndarray:
        theta = model.weight.detach().numpy()[0]
        for place, i in enumerate(order):
            x, y = (part.numpy() for part in data(i))
            rate = 0.1 * schedule.factor(i if index == "batch" else t + place)
            theta = theta - rate * 2 / 3 * x.T @ (x @ theta - y[:, 0])
        return theta

    expected = path((5, 2)) - path((2, 5))
    assert found.measured_vectors is not None
    assert found.predicted_vectors is not None
    for vectors in (found.measured_vectors, found.predicted_vectors):
        assert vectors[0] == pytest.approx(expected, abs=1e-13)


class Counting(torch.nn.Module):
    """Two parameters; the gradient of each is the number of passes so far if it is counted, and 1 otherwise."""

    def __init__(self, counted: str) -> None:
        super().__init__()
        self.a, self.b = torch.nn.Parameter(torch.ones(1).double()), torch.nn.Parameter(torch.ones(1).double())
        self.counted, self.passes = counted, itertools.count(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        number = float(next(self.passes))
        return sum(value * (number if name in self.counted else 1.0) for name, value in self.named_parameters())  # type: ignore[return-value]


@pytest.mark.parametrize("counted", ["", "a", "b", "ab"])
def test_one_number_that_is_another_the_second_time_is_enough(counted: str) -> None:
    model = Counting(counted)
    step = nne.TrainingStep(model, lambda outputs, targets: outputs.sum(), nne.Optimizer(learning_rate=0.1))
    state = nne.initial_state(model)

    def run() -> Any:
        return nne.brackets(step, data, state, [(1, 2)])

    if not counted:
        assert run().measured[0] == 0
        return
    with pytest.raises(nne.NotDeterministic, match="the same two steps gave another result the second time"):
        run()
