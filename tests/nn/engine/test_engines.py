"""Every engine gives the plain double loop's iterates, in float64, for every n, order and step."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from contraction.maps.orders import Backward, CustomOrder, Forward, Late, Reset  # noqa: E402
from nn_experiments.engine import iterates  # noqa: E402
from nn_experiments.engine.chain import walk  # noqa: E402
from nn_experiments.engine.kernels.choose import make_kernel  # noqa: E402
from nn_experiments.engine.loop import double_loop  # noqa: E402
from nn_experiments.engine.plan import plan  # noqa: E402
from nn_experiments.training.batches import Batch  # noqa: E402
from nn_experiments.training.models.mlp import MLP  # noqa: E402
from nn_experiments.training.optimizers import Optimizer, Schedule  # noqa: E402
from nn_experiments.training.step import LOSSES, TrainingStep, initial_state  # noqa: E402
from tests.nn.problems import (  # noqa: E402
    ORDERS,
    SGD,
    N,
    bound,
    flat,
    problem,
)

SCHEDULED = Optimizer(learning_rate=0.05, schedule=Schedule(kind="cosine", horizon=9, warmup=3))
BY_BATCH = Optimizer(learning_rate=0.05, schedule=Schedule(kind="inverse", horizon=4, index="batch"))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kernel", ["step", "mlp", "compiled"])
@pytest.mark.parametrize("kind", ["regression", "classification", "batch of 6"])
def test_kernels_equal_the_double_loop_at_every_iterate(kind: str, kernel: str, order: str) -> None:
    if kernel == "compiled":
        pytest.importorskip("numba")
    step, batches, state0 = problem(kind, SGD)
    at = range(N + 1)
    oracle = double_loop(step, batches, state0, ORDERS[order], at)
    seen = []
    for n, state, run in walk(make_kernel(step, batches, kernel), ORDERS[order], at, state0):
        difference = float((flat(state["parameters"]) - flat(oracle[n]["parameters"])).norm())
        assert difference <= bound(run.depth if run else 0, state0), f"iterate {n} differs by {difference:.3g}"
        seen.append(n)
    assert seen == list(at)


@pytest.mark.parametrize("optimizer", [SCHEDULED, BY_BATCH], ids=["by position", "by batch"])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("kernel", ["mlp", "compiled"])
def test_schedules_and_activations_in_the_hand_written_kernels(kernel: str, activation: str, optimizer) -> None:
    if kernel == "compiled":
        pytest.importorskip("numba")
    step, batches, state0 = problem("batch of 6", optimizer, activation=activation)
    at = [3, 7, N]
    oracle = double_loop(step, batches, state0, Late(5), at)
    for n, state, run in walk(make_kernel(step, batches, kernel), Late(5), at, state0):
        difference = float((flat(state["parameters"]) - flat(oracle[n]["parameters"])).norm())
        assert difference <= bound(run.depth, state0)


def test_networks_with_gelu_are_trained_by_the_step_itself() -> None:
    step, batches, state0 = problem("batch of 6", SGD, activation="gelu")
    model = step.model
    plain = torch.nn.Sequential(*(part for layer in model.layers for part in (layer, torch.nn.GELU())))[:-1]
    model.load_state_dict(state0["parameters"])
    x = torch.linspace(-3, 3, 12, dtype=torch.float64).reshape(6, 2)
    assert torch.equal(model(x), plain(x))
    assert make_kernel(step, batches, "auto").name == "step"
    for kernel in ("mlp", "compiled"):
        with pytest.raises(TypeError, match="ReLU or tanh"):
            make_kernel(step, batches, kernel)
    assert make_kernel(*problem("batch of 6", SGD, activation="tanh")[:2], "auto").name != "step"  # control


@pytest.mark.parametrize(
    "wrong",
    [
        CustomOrder(lambda n: range(n, 0, -1)),
        CustomOrder(lambda n: range(2, n + 2)),
        CustomOrder(lambda n: range(1, n)),
    ],
    ids=["order swapped", "index shifted", "one map missing"],
)
def test_the_bound_separates_wrong_orders(wrong) -> None:
    step, batches, state0 = problem("regression", SGD)
    right = double_loop(step, batches, state0, Backward(), [N])[N]
    other = double_loop(step, batches, state0, wrong, [N])[N]
    difference = float((flat(right["parameters"]) - flat(other["parameters"])).norm())
    assert difference > 1e3 * bound(N, state0)


def test_the_lipschitz_constant_that_the_bound_assumes() -> None:
    """Push two starts that are 1e-9 apart in 50 random directions through every map of the problems."""
    for kind in ("regression", "classification", "batch of 6"):
        step, batches, state0 = problem(kind, SGD)
        generator = torch.Generator().manual_seed(0)
        for i in range(1, N + 1):
            for _ in range(50 // N + 1):
                moved = {
                    name: value + 1e-9 * torch.randn(value.shape, dtype=value.dtype, generator=generator)
                    for name, value in state0["parameters"].items()
                }
                before = (flat(moved) - flat(state0["parameters"])).norm()
                ends = [step({**state0, "parameters": p}, batches(i), 1) for p in (moved, state0["parameters"])]
                assert (flat(ends[0]["parameters"]) - flat(ends[1]["parameters"])).norm() < 1.5 * before


def test_an_unknown_engine_lists_all_that_there_are() -> None:
    step, batches, state0 = problem("regression", SGD)
    metrics = {"norm": lambda state: flat(state["parameters"]).norm()}
    known = "auto, step, mlp, compiled, channels_last, own_loop, loop, ensemble"
    with pytest.raises(ValueError, match=f"^engine must be one of {known}; got 'foo'$"):
        iterates(step, batches, state0, Backward(), [0, 2], metrics, engine="foo")
    for engine in ("step", "mlp", "loop", "ensemble"):  # and these are engines indeed
        assert iterates(step, batches, state0, Backward(), [0, 2], metrics, engine=engine)["norm"].shape == (2,)
    known = "auto, step, mlp, compiled, channels_last, own_loop"
    with pytest.raises(ValueError, match=f"^kernel must be one of {known}; got 'ensemble'$"):
        make_kernel(step, batches, "ensemble")


def test_the_state_given_is_never_altered() -> None:
    for kernel in ("step", "mlp"):
        step, batches, state0 = problem("regression", SGD)
        before = flat(state0["parameters"]).clone()
        make_kernel(step, batches, kernel).apply(state0, range(5, 0, -1), 0)
        assert torch.equal(before, flat(state0["parameters"]))


@pytest.mark.parametrize("order", ORDERS)
def test_a_plan_applies_the_words_it_stands_for(order: str) -> None:
    """Follow the plan with words in place of states: iterate n is the word of n after the word of its anchor."""
    for at in (range(N + 1), [N], [5, N], range(0, N + 1, 3)):
        words: dict[int, list[int]] = {0: []}
        for run in plan(ORDERS[order], at):
            assert run.before == len(words[run.anchor])
            words[run.n] = [*words[run.anchor], *run.indices]
            expected: list[int] = []
            m = run.n
            while m > 0:
                expected += ORDERS[order].word(m)
                m = ORDERS[order].anchor(m)
            assert words[run.n] == expected[::-1]
            assert run.outermost == expected[0]
            assert run.depth == len(expected)
        assert set(at) <= set(words)


def test_a_forward_path_costs_n_maps_and_a_backward_one_n_squared() -> None:
    assert sum(len(run.indices) for run in plan(Forward(), range(N + 1))) == N
    assert sum(len(run.indices) for run in plan(Forward(), [N])) == N
    assert sum(len(run.indices) for run in plan(Backward(), range(N + 1))) == N * (N + 1) // 2
    assert sum(len(run.indices) for run in plan(Reset([6]), [9])) == 9


def test_the_first_step_from_paper_formulas() -> None:
    """One SGD step of a one-layer network by hand: θ ← θ − h ∇ mean (wx + b − y)²."""
    model = MLP((1, 1)).double()
    state0 = initial_state(
        model, {"layers.0.weight": torch.tensor([[2.0]]).double(), "layers.0.bias": torch.zeros(1).double()}
    )
    batch = Batch(torch.tensor([[3.0]]).double(), torch.tensor([[1.0]]).double(), 1)
    after = TrainingStep(model, LOSSES["mse"], Optimizer(learning_rate=0.1))(state0, batch, 1)
    assert math.isclose(float(after["parameters"]["layers.0.weight"]), 2 - 0.1 * 2 * (6 - 1) * 3)
    assert math.isclose(float(after["parameters"]["layers.0.bias"]), -0.1 * 2 * (6 - 1))
