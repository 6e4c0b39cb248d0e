"""On a GPU, where there is one: ``pytest -m gpu``. Elsewhere what one has computed is held against this machine."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from benchmarks.card import equality  # noqa: E402
from benchmarks.card.problems import problem  # noqa: E402
from contraction.maps.orders import Backward, CustomOrder, Forward  # noqa: E402
from nn_experiments.engine.ensemble import columns, graphs, starts, sweep, wavefront  # noqa: E402
from nn_experiments.engine.ensemble.conv_shape import ConvolutionShape  # noqa: E402
from nn_experiments.engine.loop import double_loop  # noqa: E402

RECORD = Path(__file__).parents[3] / "results" / "gpu"
NETWORKS = ("regression", "mlp", "resnet18", "vgg19", "resnet50")
on_a_gpu = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")]
with_gpu = lambda test: on_a_gpu[0](on_a_gpu[1](test))  # noqa: E731


@pytest.fixture(autouse=True)
def float32_products():
    """Products that are not rounded to TF32, in these tests alone."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


@with_gpu
@pytest.mark.parametrize("network", NETWORKS)
def test_the_ensemble_is_as_near_to_float64_as_the_plain_loop(network: str) -> None:
    rows, _ = equality.check(network, "cuda")
    assert all(row.equal for row in rows), rows


@with_gpu
@pytest.mark.parametrize("network", ["mlp", "resnet18"])
def test_a_replayed_sweep_is_the_sweep_bitwise(network: str) -> None:
    step, batches, start = problem(network, "cuda", slower=1000.0)
    own = wavefront.Ensemble(chunk=3)
    wide = own.prepare(step, batches, start, 1)
    states = [wavefront.stack(start, 3) for _ in range(2)]
    apply = graphs.Sweeper(own.form, step, states[0], wide)
    for i in range(1, graphs.EAGER + 4):
        now = sweep.Sweep([i] * 3, [i] * 3, step.optimizer.rate(i, i))
        apply(batches, now)
        sweep.sweep(own.form, step, batches, states[1], now, wide)
    assert apply.recorded == 1
    for part, values in states[0].items():
        for name, value in values.items():
            assert torch.equal(value, states[1][part][name]), name


@with_gpu
@pytest.mark.parametrize("network", ["mlp", "resnet18"])
def test_starts_with_batches_of_their_own_are_forward_runs(network: str) -> None:
    """Two draws of two starts: chains that see different images, long enough that sweeps are replayed."""
    step, batches, start = problem(network, "cuda", slower=1000.0)
    moved = {**start, "parameters": {name: 1.01 * value for name, value in start["parameters"].items()}}
    later = lambda i: batches(i + 50)  # noqa: E731
    draws = [starts.Draw(batches, [start, moved]), starts.Draw(later, [start, moved])]
    n, own = graphs.EAGER + 4, wavefront.Ensemble()
    found = next(wavefront.split(state, 4) for _, state in starts.under_the_same_maps(step, draws, [n], ensemble=own))
    assert own.graphs == 1
    exact_step, exact_batches, exact_start = problem(network, "cuda", dtype=torch.float64, slower=1000.0)
    exact_moved = {**exact_start, "parameters": {k: 1.01 * v for k, v in exact_start["parameters"].items()}}
    exact_later = lambda i: exact_batches(i + 50)  # noqa: E731
    for c, (source, exact_source, first, exact_first) in enumerate(
        (
            (batches, exact_batches, start, exact_start),
            (batches, exact_batches, moved, exact_moved),
            (later, exact_later, start, exact_start),
            (later, exact_later, moved, exact_moved),
        )
    ):
        truth = equality.whole(double_loop(exact_step, exact_source, exact_first, Forward(), [n])[n])
        plain = equality.whole(double_loop(step, source, first, Forward(), [n])[n])
        far, allowed = ((one - truth).norm() / truth.norm() for one in (equality.whole(found[c]), plain))
        assert float(far) <= equality.TIMES * float(allowed)


@with_gpu
def test_padded_chains_start_over_under_graphs() -> None:
    step, batches, start = problem("mlp", "cuda")
    at = [30, 60, 64]  # one, two and three chains active, padded to four
    own = wavefront.Ensemble(pad=4)
    right = double_loop(step, batches, start, Backward(), at)
    for n, state, _ in wavefront.wavefront(step, batches, Backward(), at, start, ensemble=own):
        far = (equality.whole(state) - equality.whole(right[n])).norm() / equality.whole(right[n]).norm()
        assert float(far) <= 64 * equality.TIMES * torch.finfo(torch.float32).eps
    assert isinstance(own.graphs, int)
    assert own.graphs > 0


@with_gpu
@pytest.mark.parametrize("stride", [1, 2])
def test_the_column_kernels_are_the_views_bitwise(stride: int, monkeypatch) -> None:
    triton = pytest.importorskip("triton")
    from nn_experiments.engine.ensemble import column_kernels

    assert isinstance(column_kernels._gather_kernel, triton.runtime.JITFunction)  # and not the interpreter's
    shape = ConvolutionShape(3, 65, 7, (9, 10), (3, 3), (stride, stride), (1, 1))
    images = torch.randn(3, 9, 10, 4 * 65, device="cuda")
    found = columns._gather(images, shape, 4)
    slopes = torch.randn_like(found)
    added = columns._scatter(slopes, shape, 3)
    monkeypatch.setattr(columns, "_in_triton", lambda tensor: False)
    assert torch.equal(found, columns._gather(images, shape, 4))
    assert torch.equal(added, columns._scatter(slopes, shape, 3))


@pytest.mark.parametrize("network", ["regression", "mlp"])
def test_the_comparison_by_itself(network: str, monkeypatch) -> None:
    """On the CPU: equal; and not, if the ensemble applies the maps in another order."""
    rows, samples = equality.check(network, "cpu:0")
    assert all(row.equal for row in rows)
    assert len(samples) == len(rows) == 2 * equality.N
    right = wavefront.wavefront

    def swapped(step, batches, order, at, state0, **more):
        wrong = CustomOrder(
            lambda n: order.word(n)[::-1] if isinstance(order, Backward) else order.word(n), order.anchor
        )
        return right(step, batches, wrong, at, state0, **more)

    monkeypatch.setattr(equality, "wavefront", swapped)
    rows, _ = equality.check(network, "cpu:0")
    assert [row.equal for row in rows] == [True, False, False, True, True, True]


def test_the_record_of_a_card_says_equal_for_every_network() -> None:
    rows = json.loads((RECORD / "equality.json").read_text())
    assert {row["network"] for row in rows} == set(NETWORKS)
    assert len(rows) == len(NETWORKS) * 2 * equality.N
    assert all(row["equal"] for row in rows)


@pytest.mark.parametrize(("network", "n"), [("regression", 3), ("mlp", 3), ("resnet18", 2)])
def test_the_cards_iterates_are_those_of_this_machine(network: str, n: int) -> None:
    """A sample of the float32 iterates that an H200 computed, against float64 iterates computed here, now.

    The card's own distances from float64 were of the whole state; a sample of 2000 entries has the same relative
    distance but for its scatter, a factor of two being far outside (2000 squares: 3 % each way).
    """
    rows = {
        (row["order"], row["n"]): row
        for row in json.loads((RECORD / "equality.json").read_text())
        if row["network"] == network
    }
    step, batches, start = problem(network, "cpu", dtype=torch.float64, slower=equality.slower_by(network))
    with np.load(RECORD / "equality.npz") as kept:
        for name, order in (("backward", Backward()), ("forward", Forward())):
            here = double_loop(step, batches, start, order, range(1, n + 1))
            for k, state in here.items():
                truth, card = equality.sampled(state), kept[f"{network} {name} {k}"]
                far = np.linalg.norm(card - truth) / np.linalg.norm(truth)
                assert far <= 2 * equality.TIMES * rows[name, k]["loop"]
                if k > 1:  # another iterate is much further away
                    assert np.linalg.norm(card - equality.sampled(here[k - 1])) / np.linalg.norm(truth) > 10 * far
