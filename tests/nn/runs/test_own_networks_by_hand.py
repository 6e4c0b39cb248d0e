"""A user's network as a run, with parts of a few numbers: what is recorded and measured, and what may differ."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from nn_experiments.runs import own  # noqa: E402
from nn_experiments.runs.own import GivenNetwork, Network, NetworkProblem  # noqa: E402
from nn_experiments.training.batches import Batch  # noqa: E402
from nn_experiments.training.optimizers import Optimizer  # noqa: E402
from nn_experiments.training.step import TrainingStep, initial_state  # noqa: E402

MSE = nn.functional.mse_loss
STATE: Any = {"parameters": {"a": torch.tensor([3.0, 0.0]), "b": torch.tensor([[1.0]])}, "buffers": {}, "optimizer": {}}


class Halves:
    """Halves b, and adds the input to a."""

    def __call__(self, state: Any, batch: Batch, t: int) -> Any:
        a, b = state["parameters"]["a"], state["parameters"]["b"]
        return {**state, "parameters": {"a": a + batch.inputs, "b": b / 2}}


class Measurement:
    """Measures the sum of a."""

    def __init__(self, *names: str, on_batches: bool = False) -> None:
        self.names, self.on_batches = names, on_batches

    def __call__(self, state: Any, newest: Any, outermost: Any) -> dict[str, torch.Tensor]:
        return {"sum": state["parameters"]["a"].sum()}


def batches(i: int) -> Batch:
    return Batch(torch.tensor([0.0, float(i)]), torch.zeros(1), i)


def network(**changes: Any) -> Network:
    return Network(
        **({"step": Halves(), "batches": batches, "state": STATE, "measurement": Measurement("sum")} | changes)
    )


def problem(of: Network | None = None, name: str = "n", **more: Any) -> NetworkProblem:
    return NetworkProblem(of or network(), name, **({"described": {}, "seed": 0, "notes": {}} | more))


def test_the_behaviour_is_how_far_two_steps_move_each_tensor() -> None:
    """T_1 T_2: B_2 and then B_1 are added to a, which moves by (0, 3); b goes from 1 to a quarter."""
    assert problem().behaviour(5) == {"seed": 5, "moved": {"a": 3.0, "b": 0.75}, "measured": {"sum": 6.0}}


@pytest.mark.parametrize("on_batches", [True, False])
def test_iterate_0_has_no_losses_of_batches(on_batches: bool) -> None:
    names = ("sum", "newest_batch_loss", "loss")
    one = problem(network(measurement=Measurement(*names, on_batches=on_batches)))
    assert one.metric_names("curves", 1, 9) == names
    assert one.metric_names("curves", 0, 9) == (("sum", "loss") if on_batches else names)


def test_the_identity_is_of_name_and_parts_and_notes_are_beside_it() -> None:
    parts = {name: f"version 1 of {name}" for name in ("step", "batches", "state", "measure")}
    one = problem(described=parts, notes={"self-check": "passed"})
    settings = one.settings()
    assert settings["decides"] == {"name": "n", **parts}
    assert settings["self-check"] == "passed"  # type: ignore[typeddict-item]
    assert settings["own"] is True
    assert settings["unknown"] == []
    assert settings["identity"] == one.key
    assert settings["behaviour"]["moved"] == {"a": 3.0, "b": 0.75}
    assert settings["experiment"] == {"name": "n", "parameters": 3, "dtype": "float32"}
    assert len(one.key) == 16
    json.dumps(settings)
    same = [problem(described=parts, seed=1), problem(described=parts, notes={"x": 1})]
    others = [problem(described=parts, name="m"), problem(described=parts | {"step": "2"}), problem()]
    assert all(one == other and hash(one) == hash(other) and one.key == other.key for other in same)
    assert all(one != other and one.key != other.key for other in others)
    assert one != one.key
    with pytest.raises(ValueError, match=r"describe has \['data', 'x'\]; the parts are step, batches, state, measure"):
        network().decides({"x": 1, "step": 2, "data": 3})


class Described:
    """Batches that say what they depend on."""

    def describe(self) -> object:
        return "mine"

    def __call__(self, i: int) -> Batch:
        return batches(i)


def test_first_batches_decide_where_nothing_else_says_what_they_are() -> None:
    found, unknown = network().decides({})
    assert set(found) == {"step", "batches", "state", "measure", "first batches"}
    assert unknown == []
    ones = found["first batches"]
    assert isinstance(ones, list)
    assert len(set(ones)) == 2
    assert network().decides({})[0] == found
    for i, equal in ((1, False), (2, False), (3, True)):  # the first two are read, and no others

        def moved(k: int, i: int = i) -> Batch:
            return batches(k + 10 * (k == i))

        other = network(batches=moved).decides({"step": 0})[0]["first batches"]
        assert (other == ones) == equal
    for given, described in ((Described(), {}), (batches, {"batches": "mine"})):
        assert "first batches" not in network(batches=given).decides(described)[0]
    by_seed = network(state=lambda seed: {**STATE, "seed": seed}).decides({})[0]
    assert set(by_seed) == set(found) | {"state of seed 0"}
    assert by_seed["state of seed 0"] != network(state=lambda seed: STATE).decides({})[0]["state of seed 0"]


def test_a_kind_of_device_decides_what_is_drawn_there() -> None:
    """On a device without memory, here: only a step that seeds torch's generators draws other numbers elsewhere."""
    described = dict.fromkeys(("step", "batches", "state", "measure"), 1)
    elsewhere = {"parameters": {"a": torch.ones(1, device="meta")}}
    for frozen in (True, False):
        step = TrainingStep(nn.Linear(1, 1), MSE, Optimizer(learning_rate=0.1), frozen=frozen)
        assert network(step=step).decides(described)[0] == described
        found = network(step=step, state=lambda seed: elsewhere).decides(described)[0]
        assert found == described | ({"device": "meta"} if frozen else {})
    assert network(state=elsewhere).decides(described)[0] == described


def test_what_is_said_of_a_network() -> None:
    """Numbers of all tensors, the precision of the first, the model, the rule or the optimizer, and the sampling."""
    model = nn.Linear(2, 3).double()
    rule = Optimizer(learning_rate=0.5)
    sampled = SimpleNamespace(sampler=SimpleNamespace(batch_size=4, sampling="iid"))
    state = initial_state(model)
    found = own._readable(network(step=TrainingStep(model, MSE, rule), batches=sampled, state=lambda seed: state), 0)
    assert found == {
        "parameters": 9,
        "dtype": "float64",
        "model": "Linear",
        "optimizer": rule.to_json(),
        "batch_size": 4,
        "sampling": "iid",
    }
    loop = SimpleNamespace(loop=SimpleNamespace(optimizer=torch.optim.RMSprop(model.parameters())), model="no module")
    assert own._readable(network(step=loop, state=state), 0) == {
        "parameters": 9,
        "dtype": "float64",
        "method": "RMSprop",
    }


def test_modules_that_a_step_trains_are_its_own_and_the_users() -> None:
    users, copied = nn.Sequential(nn.Linear(1, 1)), nn.Sequential(nn.Linear(1, 1), nn.Tanh())
    loop = SimpleNamespace(model=users)
    for step, models in (
        (SimpleNamespace(model=copied, self_check=SimpleNamespace(loop=loop)), (copied, users)),
        (SimpleNamespace(model=users, loop=loop, self_check=None), (users, users)),
        (SimpleNamespace(loop=loop), (users,)),
        (SimpleNamespace(model=copied), (copied,)),
        (SimpleNamespace(model=3), ()),
        (print, ()),
    ):
        assert own._modules(step) == [part for model in models for part in model.modules()]  # type: ignore[arg-type]


class Seeded:
    """A part that knows its seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def with_seed(self, seed: int) -> Seeded:
        return Seeded(seed)


def test_each_seed_has_its_own_parts() -> None:
    made = network(step=Seeded(0), batches=Seeded(1), state=lambda seed: {"seed": seed}).setup(7)
    assert (made.step.seed, made.batches.seed, made.state0) == (7, 7, {"seed": 7})  # type: ignore[attr-defined]
    plain = network()
    one = plain.setup(7)
    assert (one.step, one.batches, one.state0) == (plain.step, plain.batches, plain.state)
    assert one.measurement is plain.measurement


def recorded(**changes: Any) -> Any:
    """Return settings with the behaviour of `problem`, changed."""
    before = {"seed": 3, "moved": {"a": 3.0, "b": 0.75}, "measured": {"sum": 6.0}}
    return {
        "behaviour": {name: value | changes.get(name, {}) for name, value in before.items() if name != "seed"}
        | {"seed": 3}
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, None),
        ({"moved": {"a": 3.02}}, None),  # within a hundredth
        ({"moved": {"a": 3.04}}, r"after T_1 T_2, a moves by 3, and 3\.04 there"),
        ({"moved": {"b": 0.7}}, r"after T_1 T_2, b moves by 0\.75, and 0\.7 there"),
        ({"measured": {"sum": -6.0}}, r"after T_1 T_2, sum is 6, and -6 there"),
        ({"measured": {"more": 1.0}}, "more is only there"),
    ],
    ids=["same", "near", "farther", "second tensor", "metric", "another metric"],
)
def test_a_run_goes_on_if_it_behaves_as_recorded(changes: dict, words: str | None) -> None:
    if words is None:
        problem().check_same(recorded(**changes), "out/x")
        return
    with pytest.raises(ValueError, match=f"^out/x holds a run .*{words}"):
        problem().check_same(recorded(**changes), "out/x")


def test_what_was_not_recorded_is_not_compared_and_what_is_missing_differs() -> None:
    problem().check_same({}, "out/x")  # type: ignore[typeddict-item]
    fewer = recorded()
    del fewer["behaviour"]["moved"]["b"]
    with pytest.raises(ValueError, match="b is only here"):
        problem().check_same(fewer, "out/x")


def test_parts_that_cannot_be_told_apart_are_named_once_each(tmp_path: Any) -> None:
    with (tmp_path / "x").open("w") as file, (tmp_path / "y").open("w") as other:

        def reads(i: int) -> Batch:
            assert file
            assert other
            return batches(i)

        with pytest.raises(
            ValueError, match=r"Pass describe=\{…\} with plain data that stands for batches, or"
        ) as found:
            problem(network(batches=reads)).check_same(recorded(), "out/x")
    assert str(found.value).startswith("out/x holds a run that looks the same, but whether it is cannot be seen of ")
    assert str(found.value).count("closure variable") == 2


def test_a_process_knows_the_networks_that_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """A problem is pickled as its key; what it is asked for then is answered by the network of that key."""
    known: dict[str, NetworkProblem] = {}
    monkeypatch.setattr(own, "_KNOWN", known)
    one = problem()
    make, (key, name, device) = one.__reduce__()  # type: ignore[misc]
    given = make(key, name, device)  # type: ignore[operator]
    assert given == GivenNetwork(one.key, "n", "cpu")
    with pytest.raises(RuntimeError, match=f"was not given the network of the run {one.key}"):
        given.metric_names("curves", 1, 1)
    known[one.key] = one
    assert given.metric_names("curves", 1, 1) == ("sum",)
    assert given.settings() == one.settings()
    first, second, again = (given.prepare(seed) for seed in (4, 5, 4))
    assert first is again  # the tensors of two seeds are kept
    assert first is one.prepare(4)
    given.prepare(6)
    assert one.prepare(4) is first
    assert one.prepare(5) is not second
    own.forget()
    assert one.prepare(4) is not first
