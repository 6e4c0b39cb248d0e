"""What the ensemble takes of a device: memory that is counted and runs out, and nothing on any other device."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from contraction.maps.orders import Backward  # noqa: E402
from nn_experiments.engine import gpu, iterates  # noqa: E402
from nn_experiments.engine.ensemble import graphs, sweep  # noqa: E402
from nn_experiments.engine.ensemble import wavefront as engine  # noqa: E402
from nn_experiments.engine.ensemble.convolutions import WAYS  # noqa: E402
from nn_experiments.engine.ensemble.memory import activation_bytes, chain_bytes  # noqa: E402
from nn_experiments.engine.ensemble.stacked_module import Wide  # noqa: E402
from nn_experiments.engine.ensemble.wavefront import TOGETHER, Ensemble, wavefront  # noqa: E402
from nn_experiments.engine.loop import double_loop  # noqa: E402
from nn_experiments.runs import autotune  # noqa: E402
from nn_experiments.training.batches import Batch  # noqa: E402
from nn_experiments.training.metrics import Evaluation  # noqa: E402
from nn_experiments.training.step import LOSSES, TrainingStep, initial_state  # noqa: E402
from tests.nn.conv_problems import SLOW, conv_bound, conv_problem, whole  # noqa: E402
from tests.nn.engine.test_stacked_module import OPTIMIZERS, oracle, ratios  # noqa: E402
from tests.nn.problems import ORDERS, N  # noqa: E402


@pytest.mark.parametrize(("way", "more"), [("products", True), ("grouped", False)])
def test_the_chunk_is_counted_for_the_ways_that_were_chosen(way: str, more: bool, monkeypatch) -> None:
    """Columns are kept for the backward pass; what gathers patches anew keeps the images only."""
    step, batches, state0 = conv_problem("basic-batch", SLOW)
    counted = []

    def fitting(step, state, activations):
        counted.append(activations)
        return len(counted)

    monkeypatch.setattr(engine, "choose_convolution", lambda *_: way)
    monkeypatch.setattr(engine, "fitting", fitting)
    own = Ensemble()
    own.prepare(step, batches, state0, 1)
    images = batches(1)[0]
    plain, chosen = (
        activation_bytes(step, Wide(step.model, way=lambda *_, kept=kept: kept), state0, images)
        for kept in ("grouped", "products" if more else "grouped")
    )
    assert (counted, own.chunk) == ([plain, chosen], 2)
    assert (chosen > plain) == more
    given = Ensemble(chunk=5)
    given.prepare(step, batches, state0, 1)
    assert (len(counted), given.chunk) == (2, 5)


@pytest.mark.parametrize("optimizer", ["slow", "adam", "scheduled"])
@pytest.mark.parametrize("order", ["backward", "late", "shuffled"])
def test_padding_changes_nothing(order: str, optimizer: str, monkeypatch) -> None:
    """Chains swept along before their time start over when it comes, the optimizer's state and buffers too."""
    step, batches, state0 = conv_problem("basic-batch", OPTIMIZERS.get(optimizer, SLOW))
    right = double_loop(step, batches, state0, ORDERS[order], range(N + 1))
    true, sizes = graphs.sweep, []

    def noted(form, step, batches, state, now, wide):
        sizes.append(now.live)
        true(form, step, batches, state, now, wide)

    monkeypatch.setattr(graphs, "sweep", noted)
    own = Ensemble(chunk=7, pad=3)
    path = wavefront(step, batches, ORDERS[order], range(N + 1), state0, ensemble=own)
    assert max(ratios(path, right, state0).values()) <= 1
    if order == "backward":  # chunks of 7 and 5: multiples of three, within what there is
        assert set(sizes) == {3, 6, 7, 5}
    assert own.metadata()["pad"] == 3
    monkeypatch.setattr(engine, "_start_over", lambda *_: None)
    wrong = wavefront(step, batches, ORDERS[order], range(N + 1), state0, ensemble=Ensemble(chunk=7, pad=3))
    if order == "backward":
        with pytest.raises(AssertionError):  # counts of batches, or parameters, give it away
            assert max(ratios(wrong, right, state0).values()) <= 1


@pytest.mark.parametrize(
    ("error", "memory", "broken"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), True, False),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True, False),
        (RuntimeError("GET was unable to find an engine to execute this computation"), True, False),
        (RuntimeError("shapes do not match"), False, False),
        (ValueError("out of memory"), False, False),
        (getattr(torch, "AcceleratorError", RuntimeError)("CUDA error: out of memory"), True, False),
        (getattr(torch, "AcceleratorError", RuntimeError)("CUDA error: an illegal memory access"), False, True),
    ],
    ids=lambda value: str(value)[:20],
)
def test_errors_that_mean_memory_and_errors_that_mean_the_end(error, memory: bool, broken: bool) -> None:
    assert (gpu.out_of_memory(error), gpu.device_is_lost(error)) == (memory, broken)


def test_algorithms_are_deterministic_within_and_as_before_after() -> None:
    flags = torch.backends.cudnn
    before = flags.deterministic, flags.benchmark
    with gpu.repeatable():
        assert (flags.deterministic, flags.benchmark) == (True, False)
    assert (flags.deterministic, flags.benchmark) == before
    seen = []
    metrics = {"flag": lambda state: seen.append(flags.deterministic) or torch.zeros(())}
    step, batches, state0 = conv_problem("plain-none", SLOW)
    iterates(step, batches, state0, Backward(), [1], metrics)
    assert set(seen) == {True}
    assert (flags.deterministic, flags.benchmark) == before


@pytest.mark.parametrize(
    ("slow", "together", "seconds"),
    [("alone", TOGETHER, 1 / TOGETHER), ("together", 1, 1.0), ("memory", 1, 1.0), ("neither", TOGETHER, 1 / TOGETHER)],
)
def test_how_many_states_are_measured_at_once_is_measured(
    slow: str, together: int, seconds: float, monkeypatch
) -> None:
    step, batches, state0 = conv_problem("basic-batch", SLOW)
    x, y = batches(20)[:2]
    evaluation = Evaluation(step.model, step.loss, (x, y), (x[:2], y[:2]), classes=3)
    now, cold = [0.0], {"alone", "together"}
    monkeypatch.setattr(autotune.time, "perf_counter", lambda: now[0])

    def spending(name, function):
        def timed(*arguments):
            if (slow, name) == ("memory", "together"):
                raise torch.OutOfMemoryError("injected")
            now[0] += 1e6 if name in cold else 100.0 if name == slow else 1.0
            cold.discard(name)  # the first time says nothing
            return function(*arguments)

        return timed

    monkeypatch.setattr(autotune, "measure", spending("alone", autotune.measure))
    monkeypatch.setattr(autotune, "measure_together", spending("together", autotune.measure_together))
    own = Ensemble()
    assert autotune.rehearse_evaluation(evaluation, batches, state0, own) == seconds
    assert own.together == together
    kept = Ensemble(together=1)  # what is pinned stays
    assert autotune.rehearse_evaluation(evaluation, batches, state0, kept) == (100.0 if slow == "alone" else 1.0)
    assert kept.together == 1


@pytest.mark.parametrize("fails", [1, 2])
def test_out_of_memory_halves_the_chunk_and_goes_on(fails: int, monkeypatch, capsys) -> None:
    step, batches, state0 = conv_problem("basic-batch", SLOW)
    true, calls = graphs.sweep, []

    def scarce(form, step, batches, state, now, wide):
        if now.live > 12 // 2**fails:  # found out in the middle, when that many chains live
            calls.append(now.live)
            raise torch.OutOfMemoryError("injected")
        true(form, step, batches, state, now, wide)

    monkeypatch.setattr(graphs, "sweep", scarce)
    own = Ensemble(chunk=12)
    path = list(wavefront(step, batches, Backward(), range(N + 1), state0, ensemble=own))
    assert max(ratios(path, oracle("basic-batch", "backward"), state0).values()) <= 1
    assert (own.chunk, own.halved) == ((6, [12]), (3, [12, 6]))[fails - 1]
    assert own.metadata() == {"chunk": own.chunk, "form": "wide", "halved": own.halved}
    assert len(calls) == fails
    said = capsys.readouterr().err
    assert said.count("out of memory") == fails
    assert "with 12 chains together: going on with 6" in said
    monkeypatch.setattr(graphs, "sweep", true)
    again = wavefront(step, batches, Backward(), range(N + 1), state0, chunk=own.chunk)
    for (_, one, _), (_, two, _) in zip(path, again, strict=True):
        assert torch.equal(whole(one), whole(two))  # the recorded chunk repeats the bits


def test_out_of_memory_with_one_chain_is_an_error(monkeypatch) -> None:
    step, batches, state0 = conv_problem("basic-batch", SLOW)

    def never(*_):
        raise torch.OutOfMemoryError("injected")

    monkeypatch.setattr(engine, "_ends", never)
    with pytest.raises(torch.OutOfMemoryError):
        list(wavefront(step, batches, Backward(), range(4), state0))


def test_what_a_chain_needs_is_counted_from_shapes() -> None:
    """By hand: a convolution keeps its input (given a chain of its own), ReLU in place its output, batch norm both."""
    model = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(inplace=True), nn.Flatten(1), nn.Linear(48, 3))
    state0, inputs = initial_state(model), torch.zeros(6, 2, 4, 3)
    step = TrainingStep(model, LOSSES["cross_entropy"], SLOW)
    kept = 4 * 6 * (2 * 12 + 4 * 12)
    assert activation_bytes(step, Wide(model), state0, inputs) == kept
    weights = 4 * (4 * 2 * 9 + 4 + 48 * 3 + 3)
    assert chain_bytes(step, state0, kept) == max(2 * weights, weights + kept + 2 * 4 * 144)
    assert chain_bytes(step, state0, None) == 4 * weights
    adam = TrainingStep(model, step.loss, OPTIMIZERS["adam"])
    assert chain_bytes(adam, state0, kept) == max(6 * weights, 3 * weights + kept + 4 * weights)


def test_no_gradients_are_held() -> None:
    """While a layer is changed, the gradient of no other layer exists."""
    step, batches, state0 = conv_problem("basic-batch", SLOW)
    wide = Wide(step.model)
    state = engine.stack(state0, 2)
    held, count = [], [0]
    register = torch.Tensor.register_post_accumulate_grad_hook

    def spy(leaf, hook):
        held.append(leaf)

        def both(one):
            count[0] += 1
            assert [other for other in held if other.grad is not None and other is not one] == []
            hook(one)

        return register(leaf, both)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.Tensor, "register_post_accumulate_grad_hook", spy)
        sweep.sweep("wide", step, batches, state, sweep.Sweep([1, 1], [1, 1], 0.005), wide)
    assert count[0] == len(state["parameters"]) == len(held)
    right = step(state0, batches(1), 1)
    assert float((whole(engine.split(state, 2)[1]) - whole(right)).norm()) <= conv_bound(1, state0)


@pytest.mark.parametrize("optimizer", ["adam", "scheduled"])
@pytest.mark.parametrize("way", WAYS)
def test_everything_stays_on_the_device_of_the_state(way: str, optimizer: str, monkeypatch) -> None:
    """On "meta", a device without numbers, which like a GPU refuses to be mixed with the CPU."""
    monkeypatch.setattr(engine, "choose_convolution", lambda *_: way)
    step, on_cpu, state0 = conv_problem("basic-batch", OPTIMIZERS[optimizer])
    step = TrainingStep(step.model.to("meta"), step.loss, step.optimizer)
    there = {part: {name: value.to("meta") for name, value in values.items()} for part, values in state0.items()}

    def batches(i: int) -> Batch:
        batch = on_cpu(i)
        return Batch(batch.inputs.to("meta"), batch.targets.to("meta"), i)

    for order in ("backward", "shuffled"):
        for _, state, _ in wavefront(step, batches, ORDERS[order], range(6), there):
            assert {value.device.type for values in state.values() for value in values.values()} == {"meta"}
    with pytest.raises(RuntimeError, match="meta"):
        list(wavefront(step, on_cpu, ORDERS["backward"], range(6), there))
