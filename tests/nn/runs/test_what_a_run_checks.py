"""What `nn_experiments.run` asks of its arguments: names, curves, seeds, and metrics that never look at the state."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import contraction as ct  # noqa: E402
import nn_experiments as nne  # noqa: E402
from nn_experiments.paper import catalogue  # noqa: E402
from nn_experiments.runs import network  # noqa: E402
from nn_experiments.training.batches import Batch  # noqa: E402
from nn_experiments.training.metrics import check_measurement  # noqa: E402
from tests.nn.runs.small_network import Small  # noqa: E402

TAKEN = [next(iter(catalogue.EXPERIMENTS)), next(iter(catalogue.FIGURES)), "overview", "increments"]


@pytest.mark.parametrize("name", ["a", "network", "my-run_2.1", "A1", "_x", "overview2", "x-overview"])
def test_names_of_runs(name: str) -> None:
    network._check_name(name)


@pytest.mark.parametrize("name", [*TAKEN, "", "1", "12", "1a", "a b", "a/b", "-a", ".a", "ä", None, 3, b"a"], ids=repr)
def test_names_that_no_run_may_have(name: Any) -> None:
    """A command would take one that begins with a dash for an option."""
    with pytest.raises(ValueError, match="name must begin with a letter or '_'"):
        network._check_name(name)


def measured(*names: str) -> Any:
    return SimpleNamespace(names=names, on_batches=False)


def test_curves_have_one_name_each_in_the_order_given() -> None:
    given = [ct.Backward(), "forward", nne.EMA(0.5), ct.Forward(), "ema-0.5", nne.ResetIfBetter("loss", 5)]
    found = network._check_curves(given, measured("loss"))
    assert found == ("backward", "forward", "ema-0.5", "reset_if_better-loss-5")
    with pytest.raises(ValueError, match=r"looks at a metric that is not measured; there are test_loss, x$"):
        network._check_curves(given, measured("test_loss", "x"))
    assert network._check_curves(given[:5], measured("x")) == found[:3]
    for wrong in ("forward", [], (), None, {"forward"}, 3):
        with pytest.raises(ValueError, match="curves must be a list of orders, averages and policies"):
            network._check_curves(wrong, measured("loss"))  # type: ignore[arg-type]
    for name in ("a b", "1a", "", "a-b"):
        with pytest.raises(ValueError, match="the name of a metric begins with a letter or '_'"):
            network._check_curves(["forward"], measured("loss", name))
    assert network._check_curves(["forward"], measured("a.b_1", "_c")) == ("forward",)


def test_seeds_are_those_of_the_batches_or_given_once_each() -> None:
    own = nne.ArrayBatches(torch.zeros(4, 1), torch.zeros(4), batch_size=2, seed=6)

    def plain(i: int) -> Any:
        return own(i)

    assert network._check_seeds(None, own) == (6,)
    assert network._check_seeds(None, plain) == (0,)
    assert network._check_seeds([3, 1, 3], own) == (3, 1)
    assert network._check_seeds(range(3), own) == (0, 1, 2)
    assert network._check_seeds([5, 5], plain) == (5,)  # one seed needs nothing of the batches
    with pytest.raises(ValueError, match=r"seeds=\[5, 6\] need batches with a method with_seed"):
        network._check_seeds([5, 6], plain)
    with pytest.raises(ValueError, match="seeds must not be empty"):
        network._check_seeds([], own)
    with pytest.raises(TypeError, match="seeds must be a sequence of integers"):
        network._check_seeds(3, own)  # type: ignore[arg-type]
    for wrong in (-1, 1.0, "a", True):
        with pytest.raises((TypeError, ValueError)):
            network._check_seeds([0, wrong], own)  # type: ignore[list-item]


@pytest.mark.parametrize("out", ["", None, 3, b""], ids=repr)
def test_a_folder_has_a_name(out: Any) -> None:
    with pytest.raises(TypeError, match="out must be the name of a folder"):
        network._check_given([1], {}, out)
    network._check_given([1], {}, "out")
    with pytest.raises(TypeError, match="run needs at="):
        network._check_given(None, {}, "out")
    with pytest.raises(TypeError, match="run needs measure="):
        network._check_given([1], None, "out")


def w(state: Any) -> torch.Tensor:
    return state["parameters"]["w"].sum()


@pytest.mark.parametrize(
    ("metric", "blind"),
    [
        (w, False),
        (lambda state: torch.tensor(3.0), True),
        (lambda state: torch.tensor(float("nan")), True),  # NaN is the same as NaN
        (lambda state: w(state) - w(state), True),
        (lambda state: (w(state) > 100).double(), True),  # of 5, of what two steps give, of 11 and of −9
        (lambda state: (w(state) > 9).double(), False),  # seen at 11
        (lambda state: (w(state) < -7).double(), False),  # seen at −9
        (lambda state: state["buffers"]["b"].sum(), False),  # seen after two steps
    ],
    ids=["weight", "constant", "nan", "difference", "far", "doubled", "reflected", "buffer"],
)
def test_a_metric_that_never_looks_at_the_state_is_named(metric: Any, blind: bool) -> None:
    """w = 5 and b = 0; each step adds 1 to b and changes w by the batch, which is 0; then w = 2·5 + 1 and 1 − 2·5."""

    applied: list[tuple[int, int]] = []

    def step(state: Any, batch: Batch, t: int) -> Any:
        applied.append((batch.index, t))
        parameters = {"w": state["parameters"]["w"] + batch.inputs}
        return {**state, "parameters": parameters, "buffers": {"b": state["buffers"]["b"] + 1}}

    state0: Any = {"parameters": {"w": torch.tensor([5.0])}, "buffers": {"b": torch.tensor([0.0])}, "optimizer": {}}
    measurement = check_measurement("measure", {"seen": w, "asked": metric})
    setup: Any = SimpleNamespace(
        step=step, batches=lambda i: Batch(torch.zeros(1), torch.zeros(1), i), state0=state0, measurement=measurement
    )
    row = network.measure_once(measurement, state0, 0, 0, setup.batches)
    assert network._blind(setup, row) == (["asked"] if blind else [])
    assert applied == [(2, 1), (1, 2)]


def test_engines_that_are_not_known_are_refused() -> None:
    own = Small()
    whole = network.Network(own.step, own.batches, own.state, check_measurement("measure", own.measure))
    with pytest.raises(ValueError, match=r"unknown engine 'loop'; the known ones are .*, ensemble$"):
        network._check_network(whole, 0, "loop")
    wide = {"wide": lambda state: state["parameters"]["0.weight"]}
    many = network.Network(own.step, own.batches, own.state, check_measurement("measure", wide))
    with pytest.raises(ValueError, match="the metric wide must be one number, got an array of shape"):
        network._check_network(many, 0, "step")
