"""What `diagnose` makes of its arguments: the inputs of predictions, another start, batches to compare."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import nn_experiments as nne  # noqa: E402
from nn_experiments.diagnosis import diagnose  # noqa: E402
from nn_experiments.diagnosis.law import NotDiagnosable  # noqa: E402
from nn_experiments.training.step import initial_state  # noqa: E402


@pytest.mark.parametrize(
    ("rows", "count"), [(1, 256), (100, 2), (127, 2), (128, 2), (129, 1), (256, 1), (257, 1), (0, 256)]
)
@pytest.mark.parametrize("form", ["tensor", "pair", "dictionary"])
def test_predictions_are_on_the_first_256_rows_at_most(rows: int, count: int, form: str) -> None:
    asked: list[int] = []

    def batches(i: int) -> Any:
        asked.append(i)
        x = torch.full((rows, 2), float(i))
        return {"tensor": x, "pair": (x, 2 * x), "dictionary": {"a": x, "b": -x}}[form], None

    found = diagnose._first_inputs(batches)
    whole = found if form == "tensor" else found[0] if form == "pair" else found["a"]  # type: ignore[index]
    assert torch.equal(whole, torch.arange(1.0, count + 1).repeat_interleave(rows)[:, None].expand(-1, 2))
    assert sorted(set(asked)) == list(range(1, count + 1))


@pytest.mark.parametrize(
    "first",
    [
        torch.tensor(1.0),
        (torch.ones(2, 1), torch.ones(3, 1)),
        (torch.ones(2, 1), "name"),
        "text",
        (torch.ones(2, 1), torch.tensor(2.0)),
    ],
    ids=["a number", "two lengths", "with a text", "a text", "with a number"],
)
def test_inputs_that_have_no_rows_are_taken_as_they_are(first: object) -> None:
    assert diagnose._first_inputs(lambda i: (first, None)) is first


def test_inputs_of_unlike_shapes_are_those_of_the_first_batch() -> None:
    batches = {i: (torch.ones(100, 2 + (i == 2)), None) for i in (1, 2)}
    assert diagnose._first_inputs(batches.__getitem__) is batches[1][0]


def test_another_start_is_one_of_the_same_module_and_another_one() -> None:
    model, same, wide = nn.Linear(2, 1), nn.Linear(2, 1), nn.Linear(3, 1)
    state = initial_state(model)
    assert diagnose._other_start(model, state, None) is None
    found = diagnose._other_start(model, state, same)
    assert found is not None
    assert torch.equal(found["parameters"]["weight"], same.weight)
    with pytest.raises(ValueError, match="start has other parameters than the model"):
        diagnose._other_start(model, state, wide)
    with pytest.raises(TypeError, match="start must be another Linear, got Bilinear"):
        diagnose._other_start(model, state, nn.Bilinear(2, 1, 1))
    same.load_state_dict(model.state_dict())
    with pytest.raises(ValueError, match="start equals the model"):
        diagnose._other_start(model, state, same)
    with torch.no_grad():
        same.bias += 1  # one parameter of two is enough
    assert diagnose._other_start(model, state, same) is not None
    frozen = nn.Linear(2, 1)
    frozen.weight.requires_grad_(False)
    kept = initial_state(frozen)
    kept["buffers"]["weight"] = kept["parameters"].pop("weight")
    found = diagnose._other_start(frozen, kept, nn.Linear(2, 1))
    assert found is not None
    assert (sorted(found["parameters"]), sorted(found["buffers"])) == (["bias"], ["weight"])


@pytest.mark.parametrize("differs", [None, 1, 2, 3, 64, 65])
def test_replicates_are_compared_on_64_batches(differs: int | None) -> None:
    class Subject:
        def replicate(self, r: int) -> Any:
            values = {i: torch.tensor([float(r and i == differs)]) for i in range(1, 66)}
            return SimpleNamespace(batches=lambda i: (values[i], torch.zeros(1)))

    if differs in (1, 2, 3, 64):
        diagnose._check_draws(Subject(), True)  # type: ignore[arg-type]
        return
    with pytest.raises(NotDiagnosable, match="the same batches"):
        diagnose._check_draws(Subject(), True)  # type: ignore[arg-type]


def test_an_unknown_argument_is_named_with_those_that_are_taken() -> None:
    model = torch.nn.Linear(1, 1)
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    batches = nne.ArrayBatches(torch.ones(4, 1), torch.ones(4, 1), batch_size=2, seed=0)
    message = r"diagnose\(\) has no argument 'dtype'; those of from_torch that it takes are schedule, transform, random"
    with pytest.raises(TypeError, match=message):
        nne.diagnose(model, torch.nn.functional.mse_loss, sgd, batches, dtype="float32")  # type: ignore[call-arg]
