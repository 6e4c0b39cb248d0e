"""When two runs of a user's network are the same run: what decides the numbers, and fingerprints."""

from __future__ import annotations

import io
import json
import logging
import random
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import contraction as ct  # noqa: E402
import nn_experiments as nne  # noqa: E402
from nn_experiments.runs import own  # noqa: E402
from nn_experiments.runs.fingerprint import fingerprint  # noqa: E402
from nn_experiments.training.metrics import check_measurement  # noqa: E402
from tests.nn.runs.small_network import MSE, Small, X, Y  # noqa: E402


def roots(out: Path) -> set[str]:
    return {path.parent.name for path in out.glob("*/experiment.json")}


def test_an_identity_is_what_decides_the_numbers(tmp_path: Path) -> None:
    """The same again is the same run; another name, start, step, data, sampling or metric is another one."""
    own = Small()
    own.run(tmp_path, [ct.Forward()])
    again = Small()
    again.run(tmp_path, [ct.Forward()])
    assert len(roots(tmp_path)) == 1
    doubled = {"test_loss": lambda state: 2 * own.measure["test_loss"](state)}
    others = [
        (own, {"name": "other"}),
        (Small(seed=1), {}),
        (Small(lr=0.2), {}),
        (own, {"batches": nne.ArrayBatches(X, -Y, batch_size=4, seed=0)}),
        (own, {"batches": nne.ArrayBatches(X, Y, batch_size=4, seed=0, sampling="reshuffle")}),
        (own, {"measure": doubled}),
        (own, {"step": lambda state, batch, t: own.step(state, batch, t)}),
    ]
    for network, more in others:
        network.run(tmp_path, [ct.Forward()], **more)
    assert len(roots(tmp_path)) == 1 + len(others)
    own.run(tmp_path, [ct.Forward()], batches=nne.ArrayBatches(X, Y, batch_size=4, seed=5))  # another seed of the run
    assert len(roots(tmp_path)) == 1 + len(others)


def of_hook(most: float) -> tuple:
    """Return a step whose gradients are clamped, which their size decides: the first steps may not show it."""
    small = Small()
    small.model[0].weight.register_hook(lambda slope: slope.clamp(-most, most))
    return nne.from_torch(small.model, MSE, torch.optim.SGD(small.model.parameters(), lr=0.1), form="loop")


def of_groups(swapped: float) -> tuple:
    small = Small()
    weights, biases = ([p for p in small.model.parameters() if p.ndim == axes] for axes in (2, 1))
    first, second = (biases, weights) if swapped else (weights, biases)
    optimizer = torch.optim.SGD([{"params": first, "lr": 0.1}, {"params": second, "lr": 0.2}])
    return nne.from_torch(small.model, MSE, optimizer, form="loop")


def of_hook_of_all(most: float) -> tuple:
    small = Small()
    return nne.from_torch(small.model, MSE, torch.optim.SGD(small.model.parameters(), lr=0.1), form="loop")


class Kept(torch.optim.SGD):
    """An optimizer with something in its state before the first step."""

    def __init__(self, parameters: list, at_first: float) -> None:
        super().__init__(parameters, lr=0.1)
        self.state[parameters[0]]["least"] = torch.tensor(at_first)


def of_state(at_first: float) -> tuple:
    small = Small()
    return nne.from_torch(small.model, MSE, Kept(list(small.model.parameters()), at_first), form="loop")


@pytest.mark.parametrize("make", [of_hook, of_groups, of_state, of_hook_of_all])
def test_what_an_own_loop_uses_besides_the_module_is_a_part_of_the_identity(make) -> None:
    small, found = Small(), []
    for value in (0.0, 0.0, 100.0):
        step, state = make(value)
        hook = torch.nn.modules.module.register_module_forward_hook(lambda module, inputs, outputs, v=value: None)
        if make is not of_hook_of_all:
            hook.remove()
        network = own.Network(step, small.batches, state, check_measurement("measure", small.measure))
        found.append(network.decides({}))
        hook.remove()
    assert found[0] == found[1] != found[2]


def test_what_cannot_be_told_apart_is_not_continued(tmp_path: Path) -> None:
    own = Small()
    draws = np.random.default_rng(0)

    def batches(i: int) -> nne.Batch:
        assert draws is not None
        return own.batches(i)

    own.run(tmp_path, [ct.Forward()], batches=batches)
    (root,) = roots(tmp_path)
    assert json.loads((tmp_path / root / "experiment.json").read_text())["unknown"]
    with pytest.raises(ValueError, match=r"cannot be seen of batches \(closure variable draws\).*describe="):
        own.run(tmp_path, [ct.Forward(), ct.Backward()], batches=batches)
    for _ in range(2):
        own.run(tmp_path, [ct.Forward()], batches=batches, describe={"batches": "my batches, version 1"})
    assert len(roots(tmp_path)) == 2


def test_a_step_that_reads_a_file_is_seen_to_behave_differently(tmp_path: Path) -> None:
    own = Small()
    file = tmp_path / "rate.txt"

    def step(state: dict, batch: nne.Batch, t: int) -> dict:
        rate = float(file.read_text())
        slopes = own.step.gradients(state, batch)[0]
        return {**state, "parameters": {k: v - rate * slopes[k] for k, v in state["parameters"].items()}}

    file.write_text("0.1")
    for _ in range(2):
        own.run(tmp_path / "out", [ct.Forward()], step=step)
    file.write_text("0.11")
    with pytest.raises(ValueError, match="which behaves differently: after T_1 T_2"):
        own.run(tmp_path / "out", [ct.Forward(), ct.Backward()], step=step)


def test_fingerprints_tell_code_and_data_apart() -> None:
    """Equal things agree; a constant, a closure, a default value, a buffer, a key or a type tells two apart."""

    def scaled(by: float):
        return lambda value: by * value

    module, moved = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    moved.load_state_dict(module.state_dict())
    assert fingerprint(scaled(2.0), "") == fingerprint(scaled(2.0), "")
    assert fingerprint(module, "") == fingerprint(moved, "")
    moved.weight.data.add_(1)
    different = [
        scaled(2.0),
        scaled(3.0),
        lambda value: 2.0 + value,
        lambda value, by=2.0: value + by,
        lambda value, by=3.0: value + by,
        module,
        moved,
        {"a": 1},
        {"b": 1},
        [1, 2],
        (1, [2]),
        1,
        1.0,
        True,
        torch.zeros(2),
        torch.zeros(2, dtype=torch.float64),
        torch.zeros(1, 2),
        np.zeros(2),
        {1, 2},
    ]
    assert len({fingerprint(one, "") for one in different}) == len(different)


@pytest.mark.parametrize(
    ("make", "known"),
    [
        (lambda path: path.open("w"), False),
        (lambda path: path.open("wb"), False),
        (lambda path: io.StringIO("text"), False),
        (lambda path: random.Random(0), False),
        (lambda path: np.random.default_rng(0), False),
        (lambda path: torch.Generator(), False),
        (lambda path: iter([1, 2]), False),
        (lambda path: torch.utils.data.DataLoader([1, 2]), False),
        (lambda path: logging.getLogger("network"), True),
        (lambda path: path, True),
    ],
)
def test_objects_with_a_position_are_not_identified(make, known: bool, tmp_path: Path) -> None:
    """Open files and generators go on with every use; a logger is known by its name, whatever files it writes to."""
    found: list[str] = []
    one = make(tmp_path / "file")
    fingerprint({"part": one}, "it", unknown=found.append)
    if isinstance(one, io.IOBase):
        one.close()
    assert bool(found) != known
    assert known or found[0].startswith("it['part'] (a ")


@pytest.mark.parametrize("form", ["auto", "loop"])
@pytest.mark.parametrize("randomness", ["frozen", "refused"])
def test_masks_of_torchs_generators_belong_to_a_kind_of_device(
    form: str, randomness: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A card draws other masks than the CPU from the same seed; what draws nothing has one identity everywhere."""
    small = Small()
    optimizer = torch.optim.SGD(small.model.parameters(), lr=0.1)
    step, state = nne.from_torch(small.model, MSE, optimizer, form=form, randomness=randomness)
    network = own.Network(step, small.batches, state, check_measurement("measure", small.measure))
    here, _ = network.decides({})
    monkeypatch.setattr(own, "_device", lambda state: "cuda:1")
    there, _ = network.decides({})
    assert "device" not in here
    assert there == (here | {"device": "cuda"} if randomness == "frozen" else here)
