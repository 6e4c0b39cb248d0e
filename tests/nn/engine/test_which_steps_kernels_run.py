"""Which steps, batches and labels the hand-written kernels take, and the reason why not for every other kind."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from nn_experiments.engine.kernels import mlp  # noqa: E402
from nn_experiments.engine.kernels.layers import Layers, layers_of, why_not_mlp_kernel  # noqa: E402
from nn_experiments.training.batches import ArrayBatches  # noqa: E402
from nn_experiments.training.models.mlp import MLP  # noqa: E402
from nn_experiments.training.optimizers import Optimizer  # noqa: E402
from nn_experiments.training.step import LOSSES, TrainingStep  # noqa: E402

F32, F64, I64 = torch.float32, torch.float64, torch.int64


def sequence(*more: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2), *more)


def changed(model: nn.Module, change: Callable[[Any], Any]) -> nn.Module:
    change(model)
    return model


def shared() -> nn.Module:
    model = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 2))
    model[2].bias = model[0].bias
    return model


def batches(x: torch.Tensor, y: torch.Tensor) -> ArrayBatches:
    return ArrayBatches(x, y, batch_size=2, seed=0)


def numbers(*shape: int, dtype: torch.dtype = F32) -> torch.Tensor:
    return torch.zeros((8, *shape), dtype=dtype)


class Other(TrainingStep):
    """A subclass, which may compute anything."""


SQUARES, LABELS = batches(numbers(3), numbers(2)), batches(numbers(3), numbers(dtype=I64))
UNKNOWN = "it is not a module of linear layers with ReLU or tanh between them, with mse or cross_entropy as loss"


@pytest.mark.parametrize(
    ("model", "loss", "source", "names", "relu", "flattens"),
    [
        (lambda: nn.Linear(3, 2), "mse", SQUARES, [""], True, False),
        (sequence, "mse", SQUARES, ["0.", "2."], True, False),
        (sequence, "cross_entropy", LABELS, ["0.", "2."], True, False),
        (
            lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)),
            "mse",
            SQUARES,
            ["0.", "2."],
            False,
            False,
        ),
        (
            lambda: nn.Sequential(nn.Flatten(), nn.Linear(3, 2)),
            "cross_entropy",
            batches(numbers(3, 1), numbers(dtype=I64)),
            ["1."],
            True,
            True,
        ),
        (lambda: MLP((3, 4, 2)), "mse", batches(numbers(1, 3), numbers(2)), ["layers.0.", "layers.1."], True, True),
        (lambda: MLP((3, 4, 2), activation="tanh"), "mse", SQUARES, ["layers.0.", "layers.1."], False, True),
        (
            lambda: nn.Linear(3, 2).double(),
            "mse",
            batches(numbers(3, dtype=F64), numbers(2, dtype=F64)),
            [""],
            True,
            False,
        ),
    ],
    ids=["layer", "layers", "labels", "tanh", "flattened", "MLP", "MLP with tanh", "double"],
)
def test_steps_that_kernels_run(model: Any, loss: str, source: Any, names: list, relu: bool, flattens: bool) -> None:
    step = TrainingStep(model(), LOSSES[loss], Optimizer(learning_rate=0.1))
    pairs = tuple((f"{name}weight", f"{name}bias") for name in names)
    assert layers_of(step, source) == Layers(pairs, relu, loss == "mse", flattens)
    assert why_not_mlp_kernel(step, source) is None
    momentum = TrainingStep(model(), LOSSES[loss], Optimizer(method="momentum", momentum=0.5, learning_rate=0.1))
    assert why_not_mlp_kernel(momentum, source) == "its optimizer is momentum, not plain SGD"
    assert why_not_mlp_kernel(momentum, source, plain=False) is None


@pytest.mark.parametrize(
    ("model", "loss", "source", "reason"),
    [
        (lambda: sequence(nn.ReLU()), "mse", SQUARES, UNKNOWN),
        (lambda: nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2)), "mse", SQUARES, UNKNOWN),
        (lambda: nn.Sequential(nn.Linear(3, 4), nn.GELU(), nn.Linear(4, 2)), "mse", SQUARES, UNKNOWN),
        (lambda: nn.Sequential(nn.Flatten(2), nn.Linear(3, 2)), "mse", SQUARES, UNKNOWN),
        (lambda: nn.Sequential(nn.Flatten(1, 2), nn.Linear(3, 2)), "mse", SQUARES, UNKNOWN),
        (
            lambda: nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 2)),
            "mse",
            SQUARES,
            UNKNOWN,
        ),
        (lambda: nn.Sequential(), "mse", SQUARES, UNKNOWN),
        (
            lambda: changed(sequence(), lambda m: m[1].register_forward_hook(lambda *given: None)),
            "mse",
            SQUARES,
            "its module has hooks",
        ),
        (
            lambda: nn.Sequential(nn.Linear(3, 4, bias=False), nn.ReLU(), nn.Linear(4, 2)),
            "mse",
            SQUARES,
            "its module has layers without bias or with shared parameters",
        ),
        (shared, "mse", SQUARES, "its module has layers without bias or with shared parameters"),
        (
            lambda: changed(sequence(), lambda m: m[0].bias.requires_grad_(False)),
            "mse",
            SQUARES,
            "its module has parameters that do not require gradients",
        ),
        (lambda: sequence().half(), "mse", SQUARES, "its parameters are of the type torch.float16"),
        (
            lambda: changed(sequence(), lambda m: m[2].double()),
            "mse",
            SQUARES,
            "its parameters are of the type torch.float32, torch.float64",
        ),
        (sequence, "mse", batches(numbers(5, 3), numbers(5, 2)), "its inputs are torch.float32 of 3 axes"),
        (sequence, "mse", batches(numbers(3, dtype=I64), numbers(2)), "its inputs are torch.int64 of 2 axes"),
        (
            sequence,
            "mse",
            batches(numbers(3), numbers(1)),
            "its targets have the shape (2, 1), and its outputs (2, 2)",
        ),
        (
            sequence,
            "mse",
            batches(numbers(3), numbers(2, dtype=F64)),
            "its targets have the shape (2, 2), and its outputs (2, 2)",
        ),
        (
            sequence,
            "cross_entropy",
            batches(numbers(3), numbers(2)),
            "its targets are torch.float32 of 2 axes, and not one label per input",
        ),
        (
            sequence,
            "cross_entropy",
            batches(numbers(3), numbers(1, dtype=I64)),
            "its targets are torch.int64 of 2 axes, and not one label per input",
        ),
        (
            sequence,
            "mse",
            lambda i: (numbers(3), numbers(2)),
            "its batches are neither ArrayBatches nor DatasetBatches",
        ),
    ],
    ids=[
        "activation at the end",
        "no activation",
        "another activation",
        "flattened from axis 2",
        "flattened to axis 2",
        "two activations",
        "nothing",
        "hook",
        "no bias",
        "shared",
        "frozen",
        "half",
        "two types",
        "sequences",
        "integers",
        "other targets",
        "double targets",
        "numbers for labels",
        "labels in a column",
        "function",
    ],
)
def test_the_reason_why_not(model: Any, loss: str, source: Any, reason: str) -> None:
    step = TrainingStep(model(), LOSSES[loss], Optimizer(learning_rate=0.1))
    assert layers_of(step, source) == reason
    assert why_not_mlp_kernel(step, source) == reason


@pytest.mark.parametrize("low", [False, True])
def test_other_steps_and_rounded_products_are_not_theirs(low: bool) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16) if low else contextlib.nullcontext():
        step = TrainingStep(sequence(), LOSSES["mse"], Optimizer(learning_rate=0.1))
        found = layers_of(step, SQUARES)
        assert (isinstance(found, str) and "autocast is on" in found) == low
        for other in (print, Other(sequence(), LOSSES["mse"], Optimizer(learning_rate=0.1))):
            assert layers_of(other, SQUARES) == "it is not a TrainingStep"  # type: ignore[arg-type]


# --- labels -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "error", "words"),
    [
        ([0, 2], None, ""),
        ([2, 2], None, ""),
        ([0, 3], ValueError, "labels must be 0 … 2, got 3"),
        ([-1, 0], ValueError, "labels must be 0 … 2, got -1"),
        ([-1, 3], ValueError, "labels must be 0 … 2, got -1"),
        ([-100, 0], mlp._NotByHand, "a label is -100, and it knows no rows that the loss leaves out"),
        ([-100, 2], mlp._NotByHand, "a label is -100"),
        ([-100, -100], mlp._NotByHand, "a label is -100"),
        ([-100, 3], ValueError, "labels must be 0 … 2, got -100"),
        ([-100, -1], ValueError, "labels must be 0 … 2, got -100"),
        ([-101, 0], ValueError, "labels must be 0 … 2, got -101"),
    ],
    ids=repr,
)
def test_labels_of_three_outputs(labels: list[int], error: type[Exception] | None, words: str) -> None:
    """A row whose label is -100 is left out by torch's cross entropy; any other label beyond the outputs is wrong."""
    inputs, targets = torch.zeros(2, 1), torch.tensor(labels)
    if error is None:
        mlp._check(inputs, targets, F32, 3)
        return
    with pytest.raises(error, match=f"^{re.escape(words)}") as found:
        mlp._check(inputs, targets, F32, 3)
    assert type(found.value) is error


def test_targets_that_are_numbers_are_no_labels_and_inputs_have_the_type_of_the_parameters() -> None:
    mlp._check(torch.zeros(2, 1), torch.tensor([-5.0, 99.0]), F32, 1)
    for given, wanted in ((F32, F64), (F64, F32)):
        with pytest.raises(TypeError, match=f"the inputs are {given}, and the parameters {wanted}"):
            mlp._check(torch.zeros(2, 1, dtype=given), torch.zeros(2, 1), wanted, 1)
