"""Averages and policies of a user's network, against plain loops over the maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import contraction as ct  # noqa: E402
import nn_experiments as nne  # noqa: E402
from nn_experiments.engine.loop import double_loop  # noqa: E402
from tests.nn.runs.small_network import MSE, Small, X, Y  # noqa: E402


def test_a_reset_where_the_metric_is_better_by_hand(tmp_path: Path) -> None:
    """Each start again from the definition, with plain loops over the maps; a start better than θ_0 alone is none."""
    own = Small()
    name = "reset_if_better-test_loss-3"
    whole = own.run(tmp_path, [name], at=range(31))
    first = best = float(own.measure["test_loss"](own.state))
    start, anchor, passed_over = 0, own.state, 0
    found, starts = [best], [0]
    for n in range(1, 31):
        state = anchor
        for t, i in enumerate(range(n, start, -1), start + 1):
            state = own.step(state, own.batches(i), t)
        loss = float(own.measure["test_loss"](state))
        found.append(loss)
        starts.append(start)
        if n % 3 == 0 and loss < best:
            start, anchor, best = n, state, loss
        elif n % 3 == 0:
            passed_over += loss < first
    assert len(set(starts)) > 2  # it does reset, more than once
    assert passed_over > 0
    assert whole.path("reset_at", seed=0, order=name)[1].tolist() == starts
    assert np.allclose(whole.path("test_loss", seed=0, order=name)[1], found, rtol=1e-10)


def test_averages_by_sums(tmp_path: Path) -> None:
    own = Small()
    curves = [nne.Polyak(), nne.SuffixMean(4), nne.SWA(3, every=2, refresh=2), nne.EMA(0.8)]
    weight = {"weight": lambda state: state["parameters"]["0.weight"].sum()}
    found = own.run(tmp_path, curves, measure=weight, at=[2, 4, 9])["weight"][0]
    states = double_loop(own.step, own.batches, own.state, ct.Forward(), range(10))
    w = np.array([float(states[n]["parameters"]["0.weight"].sum()) for n in range(10)])
    ema = [0.8**n * w[0] + sum(0.2 * 0.8 ** (n - i) * w[i] for i in range(1, n + 1)) for n in (2, 4, 9)]
    right = {
        "polyak": [w[1:3].mean(), w[1:5].mean(), w[1:10].mean()],
        "suffix_mean-4": [w[2], w[4], w[5:10].mean()],
        "swa-3-2-2": [w[2], w[3], w[[3, 5, 7, 9]].mean()],
        "ema-0.8": ema,
    }
    orders = ("polyak", "suffix_mean-4", "swa-3-2-2", "ema-0.8")
    assert np.allclose(found, [right[name] for name in orders], rtol=1e-12)


def test_swa_refreshes_batch_norm_as_torch_does() -> None:
    own = Small(norm=True)
    swa = nne.SWA(2, every=2, refresh=5)
    state = nne.state_at(own.step, own.batches, own.state, swa, 6)
    states = double_loop(own.step, own.batches, own.state, ct.Forward(), [2, 4, 6])
    averaged = torch.optim.swa_utils.AveragedModel(own.model)
    for n in (2, 4, 6):
        own.model.load_state_dict(nne.state_dict(own.model, states[n]))
        averaged.update_parameters(own.model)
    torch.optim.swa_utils.update_bn([(own.batches(i).inputs,) for i in range(1, 6)], averaged)
    for name, value in averaged.module.state_dict().items():
        if value.is_floating_point():
            assert torch.allclose(nne.state_dict(own.model, state)[name], value, rtol=1e-10), name
    stale = nne.state_at(own.step, own.batches, own.state, nne.SuffixMean(1), 6)["buffers"]["1.running_mean"]
    assert not torch.allclose(stale, state["buffers"]["1.running_mean"], rtol=1e-3)


class Noisy(torch.nn.Module):
    """Draws from torch's generator."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Drop entries."""
        return torch.nn.functional.dropout(x, 0.5, self.training)


@pytest.mark.parametrize("layer", [torch.nn.Dropout(0.5), Noisy()])
def test_refreshed_statistics_have_the_frozen_masks_of_the_batches(layer: torch.nn.Module) -> None:
    """The same twice, and the same whether the step is a pure function or the user's own loop; other seeds differ."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(1, 4), layer, torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 1)).double()
    batches, found = Small().batches, []
    for form, seed in (("auto", 0), ("loop", 0), ("loop", 0), ("loop", 1)):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        step, state = nne.from_torch(model, MSE, optimizer, form=form, seed=seed, randomness="frozen")
        end = nne.state_at(step, batches, {**state}, nne.SWA(1, refresh=3), 1)
        found.append(end["buffers"]["2.running_mean"])
    assert torch.allclose(found[0], found[1], rtol=1e-10)
    assert torch.equal(found[1], found[2])
    assert not torch.allclose(found[1], found[3], rtol=1e-3)


def test_a_step_of_ones_own_has_no_module_to_refresh(tmp_path: Path) -> None:
    own = Small(norm=True)
    with pytest.raises(Exception, match="a step that you have written yourself has none"):
        own.run(tmp_path, [nne.SWA(1, refresh=2)], step=lambda state, batch, t: own.step(state, batch, t))


def contracting(state: dict, batch: nne.Batch, t: int) -> dict:
    return {"parameters": {"w": 0.25 * state["parameters"]["w"] + batch.inputs.mean()}}


def growing(state: dict, batch: nne.Batch, t: int) -> dict:
    return {"parameters": {"w": state["parameters"]["w"].abs() + 1}}


@pytest.mark.parametrize(("step", "stops"), [(contracting, True), (growing, False)])
def test_stop_when_settled(tmp_path: Path, step, stops: bool) -> None:
    """θ ↦ θ/4 + b settles to 1e-3 once 4⁻ⁿ·4 is below it, at two horizons: n = 16 after n = 8; |θ| + 1 never does."""
    batches = nne.ArrayBatches(X, Y, batch_size=4, seed=0)
    state = {"parameters": {"w": torch.ones(1, dtype=torch.float64)}}
    value = {"w": lambda state: state["parameters"]["w"][0]}
    curves = [nne.StopWhenSettled(1e-3), ct.Backward()]
    found = nne.run(step, batches, state, curves, at=range(41), measure=value, out=tmp_path, progress=False, workers=0)
    at = found.path("stopped_at", seed=0, order="stop_when_settled-0.001")[1]
    stopped, backward = (found["w"][0, found.orders.index(name)] for name in ("stop_when_settled-0.001", "backward"))
    if stops:
        assert at.tolist() == [*range(17), *[16] * 24]
        assert np.array_equal(stopped[:17], backward[:17])
        assert set(stopped[16:]) == {backward[16]}
    else:
        assert at.tolist() == list(range(41))
        assert np.array_equal(stopped, backward)


def test_swa_is_the_forward_path_before_its_start(tmp_path: Path) -> None:
    """Its statistics too; from the start on they are collected anew."""
    own = Small(norm=True)
    mean = {"mean": lambda state: state["buffers"]["1.running_mean"].sum()}
    found = own.run(tmp_path, [ct.Forward(), nne.SWA(6, refresh=3)], measure=mean)["mean"][0]
    assert np.array_equal(found[0, :2], found[1, :2])
    assert not np.isclose(found[0, 2:], found[1, 2:], rtol=1e-6).any()
    for n in (3, 6):
        one, other = (
            nne.state_at(own.step, own.batches, own.state, curve, n)["buffers"]["1.running_mean"]
            for curve in (ct.Forward(), nne.SWA(6, refresh=3))
        )
        assert torch.equal(one, other) == (n < 6)
