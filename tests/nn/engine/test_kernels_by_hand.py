"""Kernels against single steps and plain loops, in the cases that whole networks seldom meet."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from contraction.maps.orders import Backward, CustomOrder, Forward, Reset  # noqa: E402
from nn_experiments.engine.ensemble.conv_shape import ConvolutionShape  # noqa: E402
from nn_experiments.engine.ensemble.sweep import Sweep, sweep  # noqa: E402
from nn_experiments.engine.ensemble.wavefront import Ensemble, split, stack  # noqa: E402
from nn_experiments.engine.kernels.mlp import Table  # noqa: E402
from nn_experiments.engine.kernels.own_loop import OwnLoopKernel  # noqa: E402
from nn_experiments.engine.recorded import _largest  # noqa: E402
from nn_experiments.training.averages import EMA, SWA  # noqa: E402
from nn_experiments.training.batches import ArrayBatches  # noqa: E402
from nn_experiments.training.policies import ResetIfBetter, StopWhenSettled  # noqa: E402
from tests.nn.conv_problems import check_way  # noqa: E402
from tests.nn.problems import SGD, bound, flat, problem  # noqa: E402


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("kind", ["regression", "classification"])
@pytest.mark.parametrize("rates", ["one", "several"])
def test_one_sweep_by_hand_is_one_step_of_every_chain(kind, activation, shared, rates) -> None:
    """Three live chains of four at different states: each is that of the step, and the fourth is not touched."""
    step, batches, state0 = problem(kind, SGD, activation=activation)
    starts, state = [], state0
    for t in range(1, 5):
        state = step(state, batches(10 + t), t)
        starts.append(state)
    stacked = stack(state0, 4)
    for c, start in enumerate(starts):
        for name, value in start["parameters"].items():
            stacked["parameters"][name][c] = value
    indices = [2, 2, 2] if shared else [2, 5, 3]
    rate = torch.tensor([0.05, 0.05, 0.05], dtype=torch.float64) if rates == "several" else 0.05
    sweep("mlp", step, batches, stacked, Sweep(indices, [1, 1, 1], rate), None)
    for c, found in enumerate(split(stacked, 4)):
        right = starts[c] if c == 3 else step(starts[c], batches(indices[c]), 1)
        difference = float((flat(found["parameters"]) - flat(right["parameters"])).norm())
        assert difference <= (0 if c == 3 else bound(1, starts[c]))
        if c < 3:
            moved = float((flat(found["parameters"]) - flat(starts[c]["parameters"])).norm())
            assert moved > 1e6 * bound(1, starts[c])


def test_rates_of_a_sweep_are_those_of_its_chains() -> None:
    """With the rates 0.05 and 0.1 of one gradient the second chain moves twice as far."""
    step, batches, state0 = problem("regression", SGD)
    stacked = stack(state0, 2)
    sweep("mlp", step, batches, stacked, Sweep([1, 1], [1, 1], torch.tensor([0.05, 0.1]).double()), None)
    one, two = (flat(found["parameters"]) - flat(state0["parameters"]) for found in split(stacked, 2))
    assert torch.allclose(2 * one, two, rtol=1e-12, atol=1e-15)
    assert float(one.norm()) > 1e-3


@pytest.mark.parametrize("shared", [False, True])
def test_a_pointwise_convolution_needs_no_columns(shared: bool) -> None:
    """1 × 1, without stride and padding, on more channels than one."""
    check_way("products", ConvolutionShape(2, 3, 4, (5, 4), (1, 1), shared=shared))


@pytest.mark.parametrize(
    ("asked", "rows"),
    [([1], [1]), ([4, 4, 3], [4, 4, 4]), ([4, 5], [4, 8]), ([4, 9], [4, 9]), ([600, 601], [600, 1101])],
)
def test_a_table_of_batches_doubles_up_to_500_more(asked: list[int], rows: list[int]) -> None:
    """Rows are reserved: as many as are asked for, or twice as many as there were, at most 500 beyond what is asked."""
    x = torch.arange(40.0).reshape(20, 2)
    batches = ArrayBatches(x, x[:, :1], batch_size=2, seed=0)
    table = Table(batches, outputs=1)
    for largest, count in zip(asked, rows, strict=True):
        table.grow(largest, torch.float32)
        assert len(table.inputs) == len(table.targets) == count
        assert table.size == max(asked[: asked.index(largest) + 1])
        for i in (1, largest):
            assert torch.equal(table.inputs[i - 1], batches(i).inputs)
            assert torch.equal(table.targets[i - 1], batches(i).targets)


def test_maps_in_the_users_own_loop_have_the_positions_of_the_run() -> None:
    """Three maps behind an anchor at 4: t = 5, 6, 7; without maps the state itself comes back."""
    seen: list[tuple] = []
    loop = SimpleNamespace(
        holding=lambda state: contextlib.nullcontext(),
        once=lambda batch, t: seen.append((batch, t)),
        read=lambda: "the end",
    )
    kernel = OwnLoopKernel.__new__(OwnLoopKernel)
    kernel.loop, kernel.batches = loop, lambda i: -i  # type: ignore[assignment]
    state: Any = {"parameters": {}}
    assert kernel.apply(state, [3, 1, 2], 4) == "the end"
    assert seen == [(-3, 5), (-1, 6), (-2, 7)]
    assert kernel.apply(state, [], 4) is state
    assert len(seen) == 3


@pytest.mark.parametrize(
    ("curve", "at", "largest"),
    [
        (Forward(), [2, 5], 5),
        (Backward(), [2, 5], 5),
        (Forward(), [0], 0),
        (Reset([3]), [5], 5),
        (CustomOrder(lambda n: [9 if k == 1 else k for k in range(1, n + 1)]), [2], 9),
        (EMA(0.5), [2, 5], 5),
        (ResetIfBetter("x", 2), [2, 5], 5),
        (SWA(2, refresh=9), [2, 5], 5),  # a step without a module has no statistics to refresh
        (StopWhenSettled(0.1), [2, 5], 4 + 33),
        (StopWhenSettled(0.1), [40], 40 if 32 + 33 < 40 else 65),
    ],
    ids=lambda one: type(one).__name__ if not isinstance(one, list | int) else str(one),
)
def test_the_largest_batch_that_a_curve_needs(curve: Any, at: list[int], largest: int) -> None:
    assert _largest(lambda state, batch, t: state, lambda i: (i, i), curve, at) == largest


def test_an_ensemble_that_has_not_run_has_chosen_nothing() -> None:
    fresh = Ensemble()
    assert (fresh.chunk, fresh.form, fresh.pad, fresh.together) == (None, None, None, None)
    assert (fresh.convolutions, fresh.halved, fresh.reason, fresh.graphs) == ({}, [], "", 0)
    assert fresh.metadata() == {"chunk": None, "form": None}
    assert Ensemble(chunk=3, pad=1).metadata() == {"chunk": 3, "form": None}
    assert Ensemble(pad=2, halved=[4], convolutions={"x": "grouped"}).metadata() == {
        "chunk": None,
        "form": None,
        "convolutions": {"x": "grouped"},
        "pad": 2,
        "halved": [4],
    }
