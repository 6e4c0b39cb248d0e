"""Several states that are measured at once give the numbers that each gives alone, or are not measured at once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from nn_experiments.engine.ensemble import stacked_metrics  # noqa: E402
from nn_experiments.engine.ensemble.stacked_metrics import measure_together  # noqa: E402
from nn_experiments.training.batches import ArrayBatches  # noqa: E402
from nn_experiments.training.metrics import Evaluation, Functions  # noqa: E402
from nn_experiments.training.step import initial_state  # noqa: E402

RNG = np.random.default_rng(0)
X, Y = torch.from_numpy(RNG.standard_normal((7, 3))), torch.from_numpy(RNG.integers(4, size=7))
BATCHES = ArrayBatches(X, Y, batch_size=2, seed=0)


class Sums(nn.Module):
    """Running sums, of which no wide form is known."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.cumsum(1)


def network(*more: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Tanh(), *more, nn.Linear(5, 4)).double()


def states(model: nn.Module, count: int) -> list[tuple[int, Any, Any]]:
    """Return so many iterates 2, 3, …, whose parameters and buffers are drawn; the outermost map of n is n // 2."""
    rng, made = np.random.default_rng(1), []
    for n in range(2, 2 + count):
        state = initial_state(model)
        for part in ("parameters", "buffers"):
            for name, value in state[part].items():
                if value.is_floating_point():
                    state[part][name] = torch.from_numpy(rng.uniform(0.5, 1.5, value.shape))
        made.append((n, state, SimpleNamespace(outermost=n // 2)))
    return made


@pytest.mark.parametrize("form", ["wide", "vmap"])
@pytest.mark.parametrize("rows", [3, 7])
@pytest.mark.parametrize("training", [True, False])
def test_losses_and_accuracies_of_several_states(form: str, rows: int, training: bool) -> None:
    """On the sets in slices, on the newest batches and on the outermost ones, with the statistics of each state."""
    model = network(*([Sums()] if form == "vmap" else [])).train(training)
    evaluation = Evaluation(model, nn.functional.cross_entropy, (X, Y), (X[:5], Y[:5]), classes=4, rows=rows)
    iterates = states(model, 4)
    together = measure_together(evaluation, iterates, BATCHES)
    assert together is not None
    assert (stacked_metrics._WIDE[evaluation] is None) == (form == "vmap")
    assert model.training is training
    seen = set()
    for row, (n, state, segment) in zip(together, iterates, strict=True):
        alone = evaluation(state, BATCHES(n), BATCHES(segment.outermost))
        assert list(row) == list(alone) == list(evaluation.names)
        for name, value in alone.items():
            assert row[name].dtype == np.float64
            assert row[name].shape == ()
            assert float(row[name]) == pytest.approx(float(value), rel=1e-12), name
            seen.add((name, float(value)))
    losses = [name for name in evaluation.names if name.endswith("loss")]
    assert all(len({value for one, value in seen if one == name}) == 4 for name in losses)


def test_batches_are_drawn_where_they_are_needed() -> None:
    """Functions of a state need none, and get none."""
    given: list[Any] = []

    class OfState(Functions):
        def __call__(self, state: Any, newest: Any, outermost: Any) -> Any:
            given.append((newest, outermost))
            return super().__call__(state, newest, outermost)

    def never(i: int) -> Any:
        raise AssertionError("no batch is needed")

    model = network()
    iterates = states(model, 3)
    metric = {"norm": lambda state: state["parameters"]["0.weight"].norm(), "row": lambda s: s["parameters"]["0.bias"]}
    found = measure_together(OfState(metric), iterates, never)
    assert found is not None
    assert given == [(None, None)]  # all at once
    for row, (_, state, _) in zip(found, iterates, strict=True):
        assert float(row["norm"]) == pytest.approx(float(state["parameters"]["0.weight"].norm()), rel=1e-12)
        assert row["row"].tolist() == state["parameters"]["0.bias"].tolist()


@pytest.mark.parametrize(
    "metric",
    [
        lambda state: torch.tensor(1.0 if float(state["parameters"]["0.bias"].sum()) > 0 else 0.0),
        lambda state: torch.from_numpy(np.asarray(state["parameters"]["0.bias"].tolist())).sum(),
        lambda state: state["parameters"]["0.bias"].sum() * 1j,
    ],
    ids=["depends on the data", "lists", "complex"],
)
def test_what_cannot_be_measured_at_once_is_measured_one_by_one(metric: Any) -> None:
    """Whether it is the only metric or one of two."""
    iterates = states(network(), 2)
    plain = {"plain": lambda state: state["parameters"]["0.bias"].sum()}
    for functions in ({"odd": metric}, plain | {"odd": metric}, {"odd": metric} | plain):
        assert measure_together(Functions(functions), iterates, BATCHES) is None
    assert measure_together(Functions(plain), iterates, BATCHES) is not None


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("full"), RuntimeError("CUDA out of memory")], ids=repr)
def test_memory_that_has_run_out_is_no_reason_to_measure_one_by_one(error: RuntimeError) -> None:
    """Fewer states are tried then."""

    class Full(Functions):
        def __call__(self, state: Any, newest: Any, outermost: Any) -> Any:
            raise error

    with pytest.raises(RuntimeError) as found:
        measure_together(Full({"x": print}), states(network(), 2), BATCHES)  # type: ignore[dict-item]
    assert found.value is error


def test_inputs_that_the_wide_form_does_not_take_are_measured_otherwise() -> None:
    """A linear layer on sequences, whose wide form takes rows of numbers alone."""
    model = nn.Sequential(nn.Linear(3, 4)).double()
    x, y = torch.from_numpy(RNG.standard_normal((6, 2, 3))), torch.from_numpy(RNG.standard_normal((6, 2, 4)))
    evaluation = Evaluation(model, nn.functional.mse_loss, (x, y), (x[:2], y[:2]), classes=0)
    iterates = states(model, 3)
    batches = ArrayBatches(x, y, batch_size=2, seed=0)
    found = measure_together(evaluation, iterates, batches)
    assert found is not None
    for row, (n, state, segment) in zip(found, iterates, strict=True):
        alone = evaluation(state, batches(n), batches(segment.outermost))
        assert {name: float(v) for name, v in row.items()} == pytest.approx({k: float(v) for k, v in alone.items()})
