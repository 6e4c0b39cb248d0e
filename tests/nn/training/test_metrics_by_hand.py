"""Metrics of a model without weights, whose outputs are its inputs: accuracies, several states, modes and names."""

from __future__ import annotations

import re
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from nn_experiments.training.metrics import (  # noqa: E402
    RESERVED,
    Evaluation,
    Functions,
    check_measurement,
    parameter_distance,
    parameter_norm,
)

STATE: dict = {"parameters": {}, "buffers": {}}
#: Five rows of three outputs, with their largest entries at 0, 1, 2, 0 and 1.
OUTPUTS = torch.tensor([[3.0, 0, 1], [0, 2, 1], [0, 0, 1], [2, 1, 0], [-2, -1, -3]], dtype=torch.float64)


def mean(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the mean of output 0 less the label, over the last axis of labels."""
    return (outputs[..., 0] - targets).mean(-1)


def evaluation(labels: list[int], *, rows: int, classes: int = 3) -> Evaluation:
    train, test = (OUTPUTS, torch.tensor(labels)), (OUTPUTS[:2], torch.tensor([0, 0]))
    return Evaluation(nn.Identity(), mean, train, test, classes=classes, rows=rows)


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 9])
def test_accuracies_are_shares_of_largest_outputs(rows: int) -> None:
    """Three of five and one of two labels are right; the losses weigh a short last slice by its length."""
    found = evaluation([0, 1, 0, 0, 0], rows=rows)(STATE, None, None)
    assert list(found) == ["train_loss", "test_loss", "train_accuracy", "test_accuracy"]
    assert {name: float(value) for name, value in found.items()} == pytest.approx(
        {"train_loss": (3 - 1 + 0 + 2 - 2) / 5, "test_loss": 1.5, "train_accuracy": 0.6, "test_accuracy": 0.5}
    )
    assert all(value.dtype == torch.float64 for value in found.values())


def test_numbers_have_no_accuracy_and_batches_a_loss() -> None:
    one = evaluation([0] * 5, rows=2, classes=0)
    newest, outermost = (OUTPUTS[:1], torch.tensor([1])), (OUTPUTS[3:], torch.tensor([0, 0]))
    found = one(STATE, newest, outermost)
    assert list(found) == list(one.names) == ["train_loss", "test_loss", "newest_batch_loss", "outermost_batch_loss"]
    assert (float(found["newest_batch_loss"]), float(found["outermost_batch_loss"])) == (2.0, 0.0)
    assert one.on_batches


def test_several_states_have_numbers_of_their_own() -> None:
    """Two states whose outputs are 1 and 2 times the inputs, with a batch each, and other losses for these."""
    one = evaluation([0, 1, 2, 0, 1], rows=2)
    asked = []

    def outputs_of(inputs: torch.Tensor, same: bool) -> torch.Tensor:
        asked.append(same)
        factors = torch.tensor([1.0, -1.0], dtype=torch.float64)[:, None, None]
        return factors * (inputs if inputs.ndim == 3 else inputs[None])

    batch = torch.stack([OUTPUTS[:2], OUTPUTS[2:4]]), torch.zeros(2, 2)
    found = one.from_outputs(
        outputs_of,
        (batch, batch),
        loss=lambda outputs, targets: outputs[..., 0].mean(-1),
        batch_loss=lambda outputs, targets: 10 * outputs[..., 0].mean(-1),
    )
    assert found["train_loss"].tolist() == pytest.approx([3 / 5, -3 / 5])
    assert found["newest_batch_loss"].tolist() == [15.0, -10.0]
    assert found["train_accuracy"].tolist() == [1.0, 0.0]  # the smallest entries are elsewhere
    assert asked == [True] * 4 + [False] * 2  # three slices of five rows and one of two


@pytest.mark.parametrize("training", [True, False])
def test_a_model_is_evaluated_in_its_mode_for_evaluation_and_put_back(training: bool) -> None:
    class Seen(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            modes.append(self.training)
            if x.isnan().any():
                raise RuntimeError
            return x

    modes: list[bool] = []
    model = Seen().train(training)
    one = Evaluation(model, mean, (OUTPUTS, torch.zeros(5)), (OUTPUTS[:1], torch.zeros(1)), classes=0)
    assert torch.equal(one.predictions(STATE), OUTPUTS[:1])  # of the test set, if no part is named
    assert torch.equal(one.predictions(STATE, "train"), OUTPUTS)
    with pytest.raises(RuntimeError):
        one.predict(STATE, OUTPUTS * torch.nan)
    assert modes == [False] * 3
    assert model.training is training


def test_slices_have_a_thousand_rows() -> None:
    sizes = []

    class Seen(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            sizes.append(len(x))
            return x

    rows = torch.zeros(2001, 1), torch.zeros(2001)
    Evaluation(Seen(), mean, rows, rows, classes=0).predictions(STATE)
    assert sizes == [1000, 1000, 1]


def test_norms_and_distances_are_computed_in_double_precision() -> None:
    """In float32 the squares of 1e-30 are 0, and 1 + 2⁻³⁰ is 1."""
    one = {"parameters": {"a": torch.tensor([3e-30]), "b": torch.tensor([[4e-30]])}}
    zero = {"parameters": {"b": torch.zeros(1, 1), "a": torch.zeros(1)}}
    assert float(parameter_norm(one["parameters"])) == pytest.approx(5e-30, rel=1e-6, abs=0)  # of 3e-30 in float32
    assert parameter_distance(one, zero) == pytest.approx(5e-30, rel=1e-6, abs=0)
    exact = {"parameters": {"a": torch.tensor([1 + 2.0**-30], dtype=torch.float64)}}
    assert parameter_distance(exact, {"parameters": {"a": torch.ones(1)}}) == 2.0**-30


def test_both_parts_of_complex_parameters_count() -> None:
    one, zero = ({"parameters": {"z": torch.tensor([z], dtype=torch.complex64)}} for z in (3 + 4j, 0))
    assert float(parameter_norm(one["parameters"])) == parameter_distance(one, zero) == 5


@pytest.mark.parametrize("name", RESERVED)
def test_names_of_other_columns_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"a metric cannot be called {name!r}")):
        check_measurement("metrics", {"loss": float, name: float})


@pytest.mark.parametrize("lacks", ["names", "on_batches", "call", None])
def test_a_measurement_has_names_and_can_be_called(lacks: str | None) -> None:
    about: dict[str, Any] = {"names": ("a",), "on_batches": False, "__call__": lambda *given: {}}
    about.pop("__call__" if lacks == "call" else lacks or "", None)
    given = type("Given", (), about)()
    if lacks is None:
        assert check_measurement("metrics", given) is given
    else:
        with pytest.raises(TypeError, match="metrics must map names to functions of one state"):
            check_measurement("metrics", given)


def test_functions_of_a_state_are_a_measurement() -> None:
    made = check_measurement("metrics", {"one": lambda state: torch.tensor(1.0), "two": lambda state: state["x"]})
    assert isinstance(made, Functions)
    assert (made.names, made.on_batches) == (("one", "two"), False)
    assert made({"x": torch.tensor(5.0)}, None, None) == {"one": torch.tensor(1.0), "two": torch.tensor(5.0)}
