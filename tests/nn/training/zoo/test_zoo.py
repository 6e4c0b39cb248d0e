"""Every set-up of the zoo: right in both orders and with every engine, or refused by name; and nothing else."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

import nn_experiments as nne  # noqa: E402
from contraction.maps.orders import Backward, Forward  # noqa: E402
from tests.nn.training.zoo import (  # noqa: E402, F401
    architectures,
    convolutions,
    data_sets,
    hidden,
    hooks,
    inputs,
    losses,
    objects,
    optimizers,
    parameters,
    randomness,
    schedules,
    transforms,
)
from tests.nn.training.zoo.case import CASES, Case, from_torch, made, oracle  # noqa: E402

#: Both are the user's loop to rounding. Gradients that are zero but for rounding (of the bias of attention's keys) are
#: 1e-17 or so, and Adam divides them by its eps, 1e-8, times a rate of up to 0.05; a margin of ten.
CLOSE = 1e-9
RIGHT = [case for case in CASES.values() if case.match is None]
REFUSED = [case for case in CASES.values() if case.match is not None]


def states(case: Case, order, engine: str):
    """Return iterates 1, 2 and 3, and what was recorded."""
    setup = made(case)
    step, state0 = from_torch(setup)
    found: list = []

    def measure(state):
        float(next(iter(state["parameters"].values())).abs().sum())  # one state after the other: no vmap
        found.append({part: {k: v.clone() for k, v in values.items()} for part, values in state.items()})
        return torch.zeros(())

    run = nne.iterates(step, setup.source(), state0, order, [1, 2, 3], {"kept": measure}, engine=engine)
    return found[-3:], run.metadata


def assert_right(case: Case, order, engine: str) -> None:
    """Compare with the plain double loop."""
    found, about = states(case, order, engine)
    assert about["self-check"].startswith("passed")
    for n, state in enumerate(found, 1):
        word = list(range(1, n + 1)) if isinstance(order, Forward) else list(range(n, 0, -1))
        ours = state["parameters"] | state["buffers"]
        theirs = oracle(case, word)
        assert ours.keys() == theirs.keys()
        for name, value in theirs.items():
            one, two = (v.to(torch.complex128 if v.is_complex() else torch.float64) for v in (ours[name], value))
            scale, gap = (float(v.abs().max()) if v.numel() else 0.0 for v in (two, one - two))
            assert gap <= CLOSE * max(scale, 1e-2), f"{name} of iterate {n}: {gap:.3g}, {about}"


@pytest.mark.parametrize("order", [Forward(), Backward()], ids=["forward", "backward"])
@pytest.mark.parametrize("case", RIGHT, ids=lambda case: case.name)
def test_right(case: Case, order) -> None:
    assert_right(case, order, "auto")


@pytest.mark.parametrize("case", RIGHT, ids=lambda case: case.name)
def test_the_ensemble_is_right_or_refuses(case: Case) -> None:
    refusal = ""
    try:
        assert_right(case, Backward(), "ensemble")
    except (TypeError, ValueError) as error:
        refusal = str(error)
    assert not refusal or "the ensemble" in refusal


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_refused(case: Case) -> None:
    setup = made(case)
    lazy = torch.nn.parameter.is_lazy
    before = {name: value.clone() for name, value in setup.model.state_dict().items() if not lazy(value)}

    def train() -> None:
        step, state0 = from_torch(setup)
        nne.iterates(step, setup.source(), state0, Backward(), [1, 3], {"zero": lambda s: torch.zeros(())})

    with pytest.raises((ValueError, TypeError, nne.CallFailed), match=case.match):
        train()
    for name, value in setup.model.state_dict().items():
        assert lazy(value) or torch.equal(value, before[name]), f"{name} of the user's model was changed"


def test_there_are_at_least_two_hundred() -> None:
    assert len(CASES) >= 200
