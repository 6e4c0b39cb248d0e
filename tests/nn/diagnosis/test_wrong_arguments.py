"""Wrong arguments of `diagnose` are refused with the rule and the value, and right values of all of them are taken.

Every refusal changes one argument of one call. The call itself, with none of them changed, is taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import nn_experiments as nne  # noqa: E402

X = torch.linspace(-1, 1, 100)[:, None]
Y = 2 * X


def drawn(i: int) -> tuple[Any, Any]:
    """Return independent draws of four rows."""
    rows = np.random.default_rng([5, i]).integers(100, size=4)
    return X[rows], Y[rows]


def diagnose(**changes: Any) -> Any:
    """Diagnose a linear model, with every argument given, some of them changed."""
    torch.manual_seed(0)
    model = nn.Linear(1, 1)
    given = {
        "model": model,
        "loss": nn.functional.mse_loss,
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1),
        "batches": nne.ArrayBatches(X, Y, batch_size=4, seed=0),
        "steps": 50,
        "budget": "1 min",
        "replicates": 2,
        "eps": 0.5,
        "start": nn.Linear(1, 1),
        "inputs": torch.ones(3, 1),
        "seed": 3,
        "sampling": "iid",
        "name": "a line",
        "progress": False,
        "schedule": None,
        "transform": None,
        "randomness": "refused",
        "form": "auto",
        "check": True,
    }
    return nne.diagnose(**(given | changes))


class Seeded:
    """Batches whose other seeds are what the function returns."""

    def __init__(self, other: Callable[[int], Any]) -> None:
        self.with_seed = other

    def __call__(self, i: int) -> tuple[Any, Any]:
        return drawn(i)


class Labelled(Seeded):
    """Batches with an attribute that has the name of ours and is something else."""

    sampler = "iid"


def shifted(seed: int) -> Callable[[int], Any]:
    return lambda i: drawn(i + 1000 * seed)


TIME = "budget must be a positive time such as '90 s', '5 min' or '1 h', or seconds; got "
SHARE = "eps is a share of the distance of independent runs, between 0 and 1; got "
SEED = "the seed must be an integer of at least 0, got "
STEPS = "steps must be an integer of at least 50, got "
COUNT = "replicates must be an integer of at least 2, got "
PAIR = r"batches\(i\) must return a pair \(inputs, targets\) or a nn_experiments.Batch; batches\(1\) returned "
FAILS = "predictions are compared, and the model fails on the inputs "
EMPTY = r"module returns none on the inputs \(0, 1\) float32: inputs must have at least one row"

Row = tuple[str, Any, type[Exception], str]
ROWS: list[Row] = [
    ("model", None, TypeError, "the model must be a torch.nn.Module, got NoneType"),
    ("loss", "mse", TypeError, r"the loss must be a function \(outputs, targets\) -> scalar, got str"),
    ("optimizer", "sgd", TypeError, "the optimizer must be of torch.optim or an Optimizer, got str"),
    ("batches", [(X, Y)], TypeError, "batches must be a function i -> B_i .*, got list"),
    ("batches", torch.utils.data.DataLoader([1]), TypeError, "a DataLoader cannot be used"),  # type: ignore[arg-type]
    ("batches", lambda i: None, TypeError, PAIR + "NoneType"),
    ("batches", lambda i: (X,), TypeError, PAIR + "tuple of length 1"),
    ("batches", lambda i: "xy", TypeError, PAIR + "str of length 2"),
    ("batches", Seeded(lambda seed: None), TypeError, r"with_seed\(seed\) of the batches must .*returned NoneType"),
    ("batches", Seeded(lambda seed: drawn), nne.NotDiagnosable, "two replicates have the same batches"),
    ("steps", 49, ValueError, STEPS + "49"),
    ("steps", 50.5, ValueError, STEPS + "50.5"),
    ("steps", "50", ValueError, STEPS + "'50'"),
    ("steps", True, ValueError, STEPS + "True"),
    ("budget", 0, ValueError, TIME + "0"),
    ("budget", -1.0, ValueError, TIME + "-1.0"),
    ("budget", math.inf, ValueError, TIME + "inf"),
    ("budget", math.nan, ValueError, TIME + "nan"),
    ("budget", True, ValueError, TIME + "True"),
    ("budget", None, ValueError, TIME + "None"),
    ("budget", "soon", ValueError, TIME + "'soon'"),
    ("budget", "5 days", ValueError, TIME + "'5 days'"),
    ("budget", "1.2.3 s", ValueError, TIME + "'1.2.3 s'"),
    ("budget", "0 min", ValueError, TIME + "'0 min'"),
    ("replicates", 1, ValueError, COUNT + "1"),
    ("replicates", 2.5, ValueError, COUNT + "2.5"),
    ("replicates", "2", ValueError, COUNT + "'2'"),
    ("eps", 0, ValueError, SHARE + "0"),
    ("eps", 1, ValueError, SHARE + "1"),
    ("eps", -0.1, ValueError, SHARE + "-0.1"),
    ("eps", math.nan, ValueError, "eps must be a finite number, got nan"),
    ("eps", "a", ValueError, "eps must be a finite number, got 'a'"),
    ("eps", None, ValueError, "eps must be a finite number, got None"),
    ("start", 3, TypeError, r"start must be a state, a dictionary .*; got int"),
    ("start", nn.ReLU(), TypeError, "start must be another Linear, got ReLU"),
    ("start", nn.Linear(2, 1), ValueError, "start has other parameters than the model"),
    ("start", {"parameters": {"weight": 1}}, TypeError, r"start\['parameters'\]\['weight'\] must be a tensor, got int"),
    ("inputs", 3, nne.CallFailed, FAILS + "int: TypeError"),
    ("inputs", "x", nne.CallFailed, FAILS + "str: TypeError"),
    ("inputs", np.ones((3, 1)), nne.CallFailed, FAILS + "ndarray: TypeError"),
    ("inputs", torch.ones(2, 3), nne.CallFailed, FAILS + r"\(2, 3\) float32: RuntimeError"),
    ("inputs", torch.ones(2, 1, dtype=torch.int64), nne.CallFailed, FAILS + r"\(2, 1\) int64: RuntimeError"),
    ("inputs", torch.ones(0, 1), ValueError, EMPTY),
    ("inputs", torch.tensor([[1.0], [math.nan]]), ValueError, "inputs must be some on which predictions are finite"),
    ("seed", -1, ValueError, SEED + "-1"),
    ("seed", 0.5, ValueError, SEED + "0.5"),
    ("seed", None, ValueError, SEED + "None"),
    ("seed", 2**32, ValueError, "the seed must be below"),
    ("sampling", "cyclic", ValueError, "sampling must be 'iid', which you then vouch for, or None; got 'cyclic'"),
    ("sampling", True, ValueError, "sampling must be 'iid', which you then vouch for, or None; got True"),
    ("name", 3, TypeError, "name must be text, what the training is called in the report, got 3"),
    ("progress", "yes", TypeError, "progress must be True or False, got 'yes'"),
    ("schedule", 0.1, TypeError, "the schedule must be a nn_experiments.Schedule, or a function .*; got float"),
    ("transform", "clip", TypeError, "the transform must be a function of the gradients, .*; got str"),
    ("randomness", "free", ValueError, "randomness must be one of refused, frozen; got 'free'"),
    ("form", "fast", ValueError, "form must be one of auto, loop; got 'fast'"),
    ("check", 1, TypeError, "check must be True or False, got 1"),
    ("dtype", "float32", TypeError, r"diagnose\(\) has no argument 'dtype'; those of from_torch that it takes are"),
]


@pytest.mark.parametrize("row", ROWS, ids=[f"{k} {row[0]}" for k, row in enumerate(ROWS)])
def test_a_wrong_argument_is_refused_with_its_rule(row: Row) -> None:
    argument, value, error, words = row
    with pytest.raises(error, match=words):
        diagnose(**{argument: value})


@pytest.mark.control
def test_the_call_itself_is_taken_with_every_argument() -> None:
    found = diagnose()
    assert (found.name, found.measured.steps, found.measured.eps) == ("a line", 50, 0.5)
    assert found.settings["seed"] == 3
    assert {row[0] for row in ROWS} - {"dtype"} == {
        *("model", "loss", "optimizer", "batches", "steps", "budget", "replicates", "eps", "start", "inputs", "seed"),
        *("sampling", "name", "progress", "schedule", "transform", "randomness", "form", "check"),
    }


@pytest.mark.parametrize(
    "batches", [Seeded(shifted), Labelled(shifted), drawn], ids=["other seeds", "another sampler", "blocks"]
)
def test_batches_of_ones_own_are_taken(batches: Any) -> None:
    assert diagnose(batches=batches).measured.steps == 50


def test_the_last_seed_is_taken_and_its_replicates_begin_again_at_0() -> None:
    asked = []

    def other(seed: int) -> Callable[[int], Any]:
        asked.append(seed)
        return shifted(seed % 97)

    diagnose(batches=Seeded(other), seed=2**32 - 1, replicates=3)
    assert set(asked) == {2**32 - 1, 0, 1}
