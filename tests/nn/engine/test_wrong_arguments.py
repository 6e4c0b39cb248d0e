"""Wrong arguments of `iterates`, `limit` and of what they call are refused, with the rule and the value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import contraction as ct  # noqa: E402
import nn_experiments as nne  # noqa: E402
from tests.nn.refusals import assert_refused  # noqa: E402

LOSS = torch.nn.functional.mse_loss
BATCH = torch.ones(4, 2), torch.zeros(4, 1)


def model() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Linear(2, 1)


STEP, STATE = nne.from_torch(MODEL := model(), LOSS, torch.optim.SGD(MODEL.parameters(), lr=0.1))


def iterates(**changes: Any) -> Any:
    given = {"step": STEP, "batches": lambda i: BATCH, "state0": STATE, "order": ct.Backward(), "at": [0, 1, 2]}
    given |= {"metrics": {"m": weight}} | changes
    return nne.iterates(**given)


def weight(state: Any) -> torch.Tensor:
    return state["parameters"]["weight"].norm()


def metric(function: Callable[[Any], Any]) -> Any:
    return iterates(metrics={"m": function})


def short(state: Any) -> torch.Tensor:
    """One number at the start, and two later."""
    return torch.zeros(1 if torch.equal(state["parameters"]["weight"], STATE["parameters"]["weight"]) else 2)


def from_torch(**changes: Any) -> Any:
    given = {"model": (own := model()), "loss": LOSS, "optimizer": torch.optim.SGD(own.parameters(), lr=0.1)}
    return nne.from_torch(**(given | changes))


def from_loop(**changes: Any) -> Any:
    def train(model: Any, optimizer: Any, batch: Any) -> None:
        optimizer.zero_grad()
        LOSS(model(batch[0]) + 1, batch[1]).backward()
        optimizer.step()

    own = model()
    given = {"model": own, "optimizer": torch.optim.SGD(own.parameters(), lr=0.1), "loader": [BATCH], "steps": 2}
    return nne.from_loop(**(given | {"train_step": train} | changes))


def batches(function: Callable[..., Any]) -> Any:
    return iterates(batches=function, at=[1])


def seed(value: Any) -> tuple[Any, Any, type[Exception], str]:
    return 3, value, ValueError, "the seed must be an integer of at least 0, got "


def pure(seed: Any) -> Any:
    return nne.TrainingStep(MODEL, LOSS, nne.Optimizer(learning_rate=0.1), seed=seed)


def remade(seed: Any) -> Any:
    return nne.TorchOptimizerStep(MODEL, LOSS, lambda p: torch.optim.SGD(p, lr=0.1), seed=seed)


SEEDS = {"-1": -1, "1.5": 1.5, "text": "a", "None": None, "True": True}
OF_SEEDS: dict[str, Callable[[Any], Any]] = {
    "from_torch": lambda s: from_torch(seed=s),
    "from_loop": lambda s: from_loop(seed=s),
    "TrainingStep": pure,
    "TorchOptimizerStep": remade,
    "TrainingStep.with_seed": lambda s: pure(0).with_seed(s),
    "TorchOptimizerStep.with_seed": lambda s: remade(0).with_seed(s),
    "from_torch, with_seed": lambda s: from_torch(form="loop")[0].with_seed(s),
}
Row = tuple[Callable[[Any], Any], Any, Any, type[Exception], str]
RETURNS = r"batches\(i\) must return a pair \(inputs, targets\) or a nn_experiments.Batch; batches\(2\) returned "
STEP_IS = r"step must be a function \(state, batch, t\)(, such as .*)?; got "
ROWS: dict[str, Row] = {
    # metrics
    "a complex metric": (
        metric,
        weight,
        lambda s: torch.tensor(1j),
        TypeError,
        "'m' must return real numbers",
    ),
    "a metric under a number": (
        lambda name: iterates(metrics={name: weight}),
        "m",
        1,
        TypeError,
        "names of metrics must be text, such as 'loss', got 1",
    ),
    "a metric without a value": (metric, weight, lambda s: None, TypeError, "'m' must return a number or .*, got None"),
    "a metric of text": (metric, weight, lambda s: "a", TypeError, "'m' must return a number or a .*, got 'a'"),
    "a metric of two shapes": (
        metric,
        weight,
        short,
        ValueError,
        r"'m' must have one shape along the path, and has \(1,\) at iterate 0 and \(2,\) at iterate 1",
    ),
    "a metric that asks for gradients": (
        metric,
        lambda s: s["parameters"]["weight"].detach().requires_grad_().norm(),
        lambda s: s["parameters"]["weight"].requires_grad_().norm(),
        nne.NotDeterministic,
        "alters the state it is given: parameters/weight requires gradients afterwards; write value.detach",
    ),
    # chunk
    **{
        f"chunk {value!r}": (
            lambda c: iterates(chunk=c, engine="ensemble"),
            2,
            value,
            ValueError,
            "chunk must be an integer of at least 1, got ",
        )
        for value in (0, -1, 1.5, "a", True)
    },
    # steps
    "no step": (lambda s: iterates(step=s), STEP, None, TypeError, STEP_IS + "NoneType"),
    "a module as the step": (lambda s: iterates(step=s), STEP, MODEL, TypeError, STEP_IS + "the module Linear"),
    "a pair as the step": (lambda s: iterates(step=s), STEP, (STEP, STATE), TypeError, STEP_IS + "tuple"),
    "a class as the step": (
        lambda s: iterates(step=s),
        STEP,
        nne.TrainingStep,
        TypeError,
        STEP_IS + "the class TrainingStep",
    ),
    "a step of two arguments": (
        lambda s: iterates(step=s),
        lambda state, batch, t: state,
        lambda state, batch: state,
        TypeError,
        STEP_IS + r"one with the arguments \(state, batch\)",
    ),
    "a step that returns nothing": (
        lambda s: iterates(step=s),
        lambda state, batch, t: state,
        lambda state, batch, t: None,
        TypeError,
        "what the step returns must be a state, a dictionary .*; got NoneType",
    ),
    # batches
    "batches of nothing": (batches, lambda i: BATCH, lambda i: None, TypeError, RETURNS + "NoneType"),
    "batches of one tensor": (batches, lambda i: BATCH, lambda i: BATCH[0], TypeError, RETURNS + "Tensor"),
    "batches of one entry": (batches, lambda i: BATCH, lambda i: BATCH[:1], TypeError, RETURNS + "tuple of length 1"),
    "batches of text": (batches, lambda i: BATCH, lambda i: "ab", TypeError, RETURNS + "str of length 2"),
    "batches without an index": (
        batches,
        lambda i: BATCH,
        lambda: BATCH,
        TypeError,
        r"batches must be a function \(i\); got one with the arguments \(\)",
    ),
    "batches of one index": (
        batches,
        lambda i: nne.Batch(*BATCH[:2], i),
        lambda i: nne.Batch(*BATCH[:2], 1),
        ValueError,
        r"batches\(2\) returned a nn_experiments.Batch with the index 1: the index of B_i is i, since dropout masks",
    ),
    "one batch alone": (
        batches,
        lambda i: [BATCH, BATCH][i - 1],
        lambda i: [BATCH][i - 1],
        ValueError,
        r"batches\(2\) raises IndexError: list index out of range. B_1 and B_2 are needed at least",
    ),
    # seeds
    **{f"the seed {name} of {of}": (call, *seed(v)) for of, call in OF_SEEDS.items() for name, v in SEEDS.items()},
    "whether from_torch checks": (
        lambda c: from_torch(check=c),
        False,
        "no",
        TypeError,
        "must be True or False",
    ),
    "a loader that yields nothing": (
        lambda x: from_loop(loader=x),
        [BATCH],
        3,
        TypeError,
        "the loader must yield batches, as a DataLoader or a list does; got int",
    ),
}


@pytest.mark.parametrize("what", ROWS)
def test_the_wrong_value_is_refused_and_the_right_one_is_taken(what: str) -> None:
    assert_refused(ROWS[what])
