"""Wrong arguments of batches, optimizers, averages, measures and steps are refused, with the rule and the value."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import nn_experiments as nne  # noqa: E402
from nn_experiments.training.policies import StopWhenSettled  # noqa: E402
from tests.nn.refusals import assert_refused  # noqa: E402

X, Y = torch.arange(12.0).reshape(6, 2), torch.arange(6) % 3
MODEL, LOSS = torch.nn.Linear(2, 3), torch.nn.functional.cross_entropy
SGD = nne.Optimizer(learning_rate=0.1)
NAN, INF = math.nan, math.inf


class Named(torch.nn.Linear):
    """Outputs in a dictionary."""

    def forward(self, x: torch.Tensor) -> Any:
        return {"logits": super().forward(x)}


class Closes(torch.optim.SGD):
    """An optimizer that calls its closure, without having it required."""

    def step(self, closure: Any = None) -> Any:
        closure()
        return super().step()


class Own(torch.optim.SGD):
    """An optimizer of another class, which the user's own loop takes."""


def arrays(inputs: Any = X, targets: Any = Y, **changes: Any) -> Any:
    return nne.ArrayBatches(inputs, targets, **({"batch_size": 2, "seed": 0} | changes))(1)


def dataset(samples: Any = None, **changes: Any) -> Any:
    given = torch.utils.data.TensorDataset(X, Y) if samples is None else samples
    return nne.DatasetBatches(given, **({"batch_size": 2, "seed": 0} | changes))(1)


def optimizer(**changes: Any) -> nne.Optimizer:
    return nne.Optimizer(**({"learning_rate": 0.1} | changes))


def cosine(**changes: Any) -> nne.Schedule:
    return nne.Schedule(**({"kind": "cosine", "horizon": 10} | changes))


def measures(model: Any = MODEL, loss: Any = LOSS, **changes: Any) -> Any:
    return nne.measures(model, loss, **({"test": (X, Y)} | changes))


def own_step(kind: type[torch.optim.SGD]) -> Any:
    model = torch.nn.Linear(2, 3)
    step, state = nne.from_torch(model, LOSS, kind(model.parameters(), lr=0.1), form="loop")
    return step(state, (X, Y), 1)


def of_dictionaries(outputs: Any, targets: torch.Tensor) -> torch.Tensor:
    return LOSS(outputs["logits"] if isinstance(outputs, dict) else outputs, targets)


def divides_by_zero(sample: Any, rng: Any) -> Any:
    return 1 / 0


def same(sample: Any, rng: Any) -> Any:
    return sample


#: Samples of unequal length, and of equal length.
RAGGED, EVEN = ([(torch.ones(n), 0) for n in lengths] for lengths in ((1, 2, 3, 4, 5, 6), (1,) * 6))
NUMBERS = "must be tensors or arrays of numbers, with a row for each example; got "
PAIR = r"test must be a pair \(inputs, targets\) of tensors or arrays, such as test=\(x, y\); got "
BATCH_SIZE = "batch_size must be an integer of at least 1, got "
LIST = "the recorded batches must be a list of batches, got "
Row = tuple[Callable[[Any], Any], Any, Any, type[Exception], str]
ROWS: dict[str, Row] = {
    # batches
    **{
        f"batch_size {v!r} of {f.__name__}": (lambda n, f=f: f(batch_size=n), 2, v, ValueError, BATCH_SIZE)
        for f in (arrays, dataset)
        for v in (2.5, NAN, True, "8", None)
    },
    "no data": (arrays, X, None, TypeError, "inputs " + NUMBERS + "NoneType"),
    "data of text": (arrays, X, "abcdef", TypeError, "inputs " + NUMBERS + "str"),
    "an array of text": (arrays, X.numpy(), np.array(["a"] * 6), TypeError, "inputs " + NUMBERS + "an array of <U1"),
    "targets of text": (lambda y: arrays(X, y), Y, ["a"] * 6, TypeError, "targets " + NUMBERS + "list"),
    "a number as data": (
        arrays,
        X,
        3.0,
        ValueError,
        "inputs must have a row for each example, got the single number 3.0",
    ),
    "a tensor without rows": (arrays, X, X[0, 1], ValueError, "row for each example, got the single number 1.0"),
    "an empty dictionary": (arrays, {"a": X}, {}, ValueError, "no inputs but 6 targets"),
    "sparse data": (arrays, X, X.to_sparse(), TypeError, r"dense tensors, got torch.sparse_coo: pass to_dense\(\)"),
    "a transform of one argument": (
        lambda f: dataset(transform=f),
        same,
        lambda sample: sample,
        TypeError,
        r"transform must be a function \(sample, generator\); got one with the arguments \(sample\)",
    ),
    "a transform that returns nothing": (
        lambda f: dataset(transform=f),
        same,
        lambda sample, rng: None,
        TypeError,
        "transform must return a sample, and returned None for sample 0 of batch 1",
    ),
    "a transform that fails": (
        lambda f: dataset(transform=f),
        same,
        divides_by_zero,
        nne.CallFailed,
        "transform fails on sample 0 of batch 1: ZeroDivisionError: division by zero. It is a function of a sample",
    ),
    "samples of unequal size": (
        dataset,
        EVEN,
        RAGGED,
        nne.CallFailed,
        r"collate fails on the samples of batch 1 \(.*\): RuntimeError: stack expects each tensor to be equal size",
    ),
    "no collate": (
        lambda f: dataset(collate=f),
        torch.utils.data.default_collate,
        None,
        TypeError,
        r"collate must be a function \(samples\); got NoneType",
    ),
    "no record": (nne.RecordedBatches, [(X, Y)], None, TypeError, LIST + "NoneType"),
    "a number as a record": (nne.RecordedBatches, [(X, Y)], 3, TypeError, LIST + "int"),
    "text as a record": (nne.RecordedBatches, [(X, Y)], "ab", TypeError, LIST + "str"),
    # optimizers and schedules
    **{
        f"learning_rate {v!r}": (
            lambda x: optimizer(learning_rate=x),
            1,
            v,
            ValueError,
            "the learning rate must be a finite number > 0, got ",
        )
        for v in ("a", None, True, NAN)
    },
    **{
        f"momentum {v!r}": (
            lambda x: optimizer(method="momentum", momentum=x),
            0.5,
            v,
            ValueError,
            "the momentum must be a finite number, got ",
        )
        for v in ("a", None, NAN)
    },
    **{
        f"{name} {v!r}": (
            lambda x, name=name: optimizer(**{name: x}),
            0.5,
            v,
            ValueError,
            f"{name} must be a finite number >= 0, got ",
        )
        for name in ("weight_decay", "eps")
        for v in ("a", None, NAN, INF)
    },
    **{
        f"betas {v!r}": (lambda b: optimizer(method="adam", betas=b), (0.5, 0.5), v, ValueError, words)
        for v, words in (
            (0.9, r"betas must be two numbers in \[0, 1\), got 0.9"),
            (None, r"betas must be two numbers in \[0, 1\), got None"),
            ("ab", r"betas must be two numbers in \[0, 1\), got 'ab'"),
            (("a", 0.5), "each of the betas must be a finite number, got 'a'"),
            ((0.5, NAN), "each of the betas must be a finite number, got nan"),
        )
    },
    "nesterov in words": (
        lambda x: optimizer(method="momentum", momentum=0.5, nesterov=x),
        True,
        "yes",
        TypeError,
        "nesterov must be True or False, got 'yes'",
    ),
    "a horizon in words": (
        lambda x: cosine(horizon=x),
        5,
        "a",
        ValueError,
        "the horizon must be a finite number > 0, ",
    ),
    **{
        f"warmup {v!r}": (lambda x: cosine(warmup=x), 5, v, ValueError, "warmup must be a finite number >= 0, got ")
        for v in ("a", NAN)
    },
    **{
        f"the factor at {v!r}": (cosine().factor, 1, v, ValueError, "the position t must be a finite number, got ")
        for v in (NAN, "a", None)
    },
    # averages, policies, dropout, clipping
    "beta in words": (nne.EMA, 0.5, "a", ValueError, "beta must be a finite number, got 'a'"),
    "no beta": (nne.EMA, 0.5, None, ValueError, "beta must be a finite number, got None"),
    "a number as a metric": (
        lambda m: nne.ResetIfBetter(m, every=2),
        "loss",
        3,
        ValueError,
        "the name of a metric begins with a letter or '_' and has .*, got 3",
    ),
    "eps of a policy in words": (StopWhenSettled, 1.0, "a", ValueError, "eps must be a finite number > 0, got 'a'"),
    "dropout in words": (
        nne.FrozenDropout,
        0.5,
        "a",
        ValueError,
        "the dropout probability must be a finite number, go",
    ),
    "max_norm in words": (nne.clip_norm, 1, "a", ValueError, "max_norm must be a finite number > 0, got 'a'"),
    "norm_type in words": (
        lambda p: nne.clip_norm(1, p),
        INF,
        "inf",
        ValueError,
        "norm_type must be a number > 0, got 'inf'",
    ),
    # measures
    "measures of no model": (measures, MODEL, None, TypeError, "the model must be a torch.nn.Module, got NoneType"),
    **{
        f"test data: {name}": (lambda d: measures(test=d), (X, Y), v, TypeError, PAIR + words)
        for name, v, words in (
            ("a tensor", X, "Tensor"),
            ("a tuple of one", (X,), "tuple of length 1"),
            ("a tuple of three", (X, Y, Y), "tuple of length 3"),
            ("a data set", torch.utils.data.TensorDataset(X, Y), "TensorDataset"),
            ("batches", nne.ArrayBatches(X, Y, batch_size=2, seed=0), "ArrayBatches"),
            ("text", "ab", "str"),
        )
    },
    "test data without rows": (
        lambda d: measures(test=d),
        (X, Y),
        (X[0, 0], Y[0]),
        ValueError,
        "test needs a row for each example, got a tensor without an axis",
    ),
    "accuracy in words": (
        lambda a: measures(accuracy=a),
        True,
        "yes",
        TypeError,
        "accuracy must be True or False, got",
    ),
    "accuracy of dictionaries": (
        lambda m: measures(m, of_dictionaries, accuracy=True),
        MODEL,
        Named(2, 3),
        TypeError,
        r"an accuracy needs outputs that are one tensor \(N, classes\), got dict",
    ),
    # steps
    "a loss of a step": (
        lambda f: nne.TrainingStep(MODEL, f, SGD),
        LOSS,
        "mse",
        TypeError,
        "the loss must be a function",
    ),
    "an optimizer of torch": (
        lambda o: nne.TrainingStep(MODEL, LOSS, o),
        SGD,
        torch.optim.SGD(MODEL.parameters(), lr=0.1),
        TypeError,
        "the optimizer of a TrainingStep must be a nn_experiments.Optimizer, .* got SGD; from_torch takes those",
    ),
    "an optimizer that is made already": (
        lambda o: nne.TorchOptimizerStep(MODEL, LOSS, o),
        torch.optim.SGD,
        torch.optim.SGD(MODEL.parameters(), lr=0.1),
        TypeError,
        r"make must be a function \(parameters\); got SGD",
    ),
    "a function that makes no optimizer": (
        lambda f: nne.TorchOptimizerStep(MODEL, LOSS, f),
        torch.optim.SGD,
        lambda parameters: None,
        TypeError,
        "make must return an optimizer of torch.optim, got NoneType",
    ),
    "an optimizer that calls its closure": (
        own_step,
        Own,
        Closes,
        TypeError,
        "Closes.step calls its closure, and training steps have none",
    ),
}


@pytest.mark.parametrize("what", ROWS)
def test_the_wrong_value_is_refused_and_the_right_one_is_taken(what: str) -> None:
    assert_refused(ROWS[what])
