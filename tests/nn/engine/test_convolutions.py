"""The ways to do many convolutions with different weights, and the choice between them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from nn_experiments.engine.ensemble import convolutions  # noqa: E402
from nn_experiments.engine.ensemble import wavefront as engine  # noqa: E402
from nn_experiments.engine.ensemble.conv_shape import ConvolutionShape  # noqa: E402
from nn_experiments.engine.ensemble.convolutions import WAYS, choose_convolution, convolve  # noqa: E402
from nn_experiments.engine.ensemble.wavefront import Ensemble, wavefront  # noqa: E402
from nn_experiments.results import blocks  # noqa: E402
from nn_experiments.runs import autotune  # noqa: E402
from nn_experiments.runs.autotune import pinned, rehearse, write_pins  # noqa: E402
from tests.nn.conv_problems import SLOW, check_way, conv_problem, whole  # noqa: E402
from tests.nn.problems import ORDERS  # noqa: E402

CPU = torch.device("cpu")
SHAPES = [
    ConvolutionShape(2, 4, 6, (5, 4), (3, 3), (1, 1), (1, 1)),
    ConvolutionShape(2, 4, 6, (6, 6), (3, 3), (2, 2), (1, 1)),
    ConvolutionShape(3, 4, 2, (5, 5), (1, 1), (2, 2)),
    ConvolutionShape(2, 3, 4, (8, 7), (7, 7), (2, 2), (3, 3)),
    ConvolutionShape(2, 3, 4, (6, 7), (3, 1), (1, 2), (1, 0)),
    ConvolutionShape(2, 3, 4, (7, 7), (3, 3), (1, 1), (2, 2), (2, 2)),
    ConvolutionShape(2, 4, 6, (5, 5), (3, 3), (1, 1), (1, 1), groups=2),
    ConvolutionShape(1, 5, 3, (1, 1), (3, 3), (1, 1), (1, 1)),
]


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_values_and_gradients_are_those_of_one_chain_after_the_other(shape, way: str, shared: bool) -> None:
    check_way(way, replace(shape, shared=shared))


def test_shapes_as_keys() -> None:
    assert str(SHAPES[0]) == "2x4x5x4-6 3x3/1+1"
    assert str(SHAPES[4]) == "2x3x6x7-4 3x1/1,2+1,0"
    assert [shape.result for shape in SHAPES[:4]] == [(5, 4), (3, 3), (3, 3), (4, 4)]
    assert len({str(shape) for shape in SHAPES}) == len(SHAPES)
    with pytest.raises(ValueError, match="known ones are grouped, products"):
        convolve("faster", torch.zeros(1), torch.zeros(1), None, SHAPES[0])


def test_the_choice(monkeypatch, capsys) -> None:
    monkeypatch.setattr(convolutions, "_CHOSEN", {})
    asked: list[tuple[str, float]] = []
    error: Exception = torch.OutOfMemoryError("injected")

    def measure(way, shape, chains, device, dtype, *, best):
        asked.append((way, best))
        if way == "third":
            raise error
        return {"grouped": 2.0, "products": 1.0}[way]

    monkeypatch.setattr(convolutions, "WAYS", {**WAYS, "third": None})

    by_rule = [choose_convolution(shape, 4, CPU, torch.float64) for shape in SHAPES]  # unmeasured
    assert by_rule == ["grouped", "grouped", "products", *["grouped"] * 4, "products"]
    for _ in range(2):
        assert choose_convolution(SHAPES[0], 4, CPU, torch.float64, measure=measure) == "products"
    assert asked == [("grouped", float("inf")), ("products", 2.0), ("third", 1.0)]  # once a shape
    error = ValueError("no compiler")  # whatever a way fails of, another one is taken, and it is said
    assert choose_convolution(SHAPES[1], 4, CPU, torch.float64, measure=measure) == "products"
    assert "2x4x6x6-6 3x3/2+1 not by third: ValueError: no compiler" in capsys.readouterr().err
    monkeypatch.setattr(torch, "AcceleratorError", ValueError, raising=False)  # but for what breaks the card
    with pytest.raises(ValueError, match="no compiler"):
        choose_convolution(SHAPES[2], 4, CPU, torch.float64, measure=measure)

    def never(*_, best):
        raise torch.OutOfMemoryError("injected")

    with pytest.raises(torch.OutOfMemoryError, match="fit in no way"):
        choose_convolution(SHAPES[3], 4, CPU, torch.float64, measure=never)
    assert convolutions.seconds_of("products", SHAPES[0], 2, CPU, torch.float32, rounds=1) > 0


def test_a_slow_way_is_not_measured_again(monkeypatch) -> None:
    true, calls = convolutions.convolve, []

    def counted(way, *arguments):
        calls.append(way)
        return true(way, *arguments)

    monkeypatch.setattr(convolutions, "convolve", counted)
    convolutions.seconds_of("grouped", SHAPES[0], 2, CPU, torch.float32, best=1e-9)
    assert len(calls) == 2  # one that is not counted, one that is
    convolutions.seconds_of("grouped", SHAPES[0], 2, CPU, torch.float32, best=1e9)
    assert len(calls) == 2 + 4


def test_the_seconds_of_a_way_are_the_fewest_of_its_rounds(monkeypatch) -> None:
    """By a clock that each pass moves: the first pass, which prepares, is not counted, and of the others 2 s are the
    fewest; a pass that takes more than twice the best of another way is the only one."""
    clock = [50.0]
    passes = iter([])

    def pretended(way, images, weight, bias, shape):
        clock[0] += next(passes)
        return weight.sum() + images.sum()

    monkeypatch.setattr(convolutions, "convolve", pretended)
    monkeypatch.setattr(convolutions.time, "perf_counter", lambda: clock[0])
    for seconds, best, found in (
        ([0.5, 4.0, 3.0, 2.0], 10.0, 2.0),
        ([0.5, 2.0, 3.0, 4.0], 10.0, 2.0),
        ([0.5, 4.0, 3.0, 2.0], 2.0, 2.0),
        ([0.5, 4.5], 2.0, 4.5),
    ):
        passes = iter(seconds)
        assert convolutions.seconds_of("grouped", SHAPES[0], 2, CPU, torch.float32, best=best) == found
        assert next(passes, None) is None


@pytest.mark.parametrize("shared", [False, True])
def test_the_tensors_of_a_measurement_have_the_sizes_of_the_shape(shared, monkeypatch) -> None:
    """Three chains of two groups of two channels each; gradients of images that all chains share are not needed."""
    seen = []

    def pretended(way, images, weight, bias, shape):
        seen.append((way, tuple(images.shape), tuple(weight.shape), bias, images.requires_grad, images.dtype))
        return weight.sum() + images.sum()

    monkeypatch.setattr(convolutions, "convolve", pretended)
    shape = replace(SHAPES[6], shared=shared)
    convolutions.seconds_of("products", shape, 3, CPU, torch.float64, rounds=1)
    images = (2, 4, 5, 5) if shared else (2, 12, 5, 5)
    assert seen == [("products", images, (3, 6, 2, 3, 3), None, not shared, torch.float64)] * 3


def test_a_choice_is_pinned_and_repeats_the_bits(monkeypatch, tmp_path) -> None:
    step, batches, state0 = conv_problem("basic-batch", SLOW)
    shapes: list[str] = []

    def way(shape, chains, device, dtype):
        shapes.append(str(shape))
        return "products"

    monkeypatch.setattr(engine, "choose_convolution", way)
    own = Ensemble(chunk=3)
    assert rehearse(step, batches, state0, own, chains=5) > 0
    keys = sorted(set(shapes))
    assert "6x2x4x3-4 3x3/1+1 shared" in keys
    own.convolutions.update(dict.fromkeys(keys, "products"))  # as on a GPU, where what was measured is kept
    write_pins(tmp_path, "cpu", own)
    monkeypatch.setattr(autotune, "device_name", lambda device: "another card")
    write_pins(tmp_path, "cuda", Ensemble(chunk=7))
    assert pinned(tmp_path, "cuda").chunk == 7
    monkeypatch.undo()
    again = pinned(tmp_path, "cpu")
    assert (again.chunk, again.convolutions) == (3, own.convolutions)
    assert pinned(tmp_path, "cpu", chunk=2).chunk == 2
    assert pinned(tmp_path / "nothing", "cpu").chunk is None

    def states(ensemble: Ensemble):
        path = wavefront(step, batches, ORDERS["backward"], range(7), state0, ensemble=ensemble)
        return torch.stack([whole(state) for _, state, _ in path])

    assert torch.equal(states(again), states(Ensemble(chunk=3, convolutions=dict.fromkeys(keys, "products"))))
    assert not torch.equal(states(again), states(Ensemble(chunk=3)))  # another way has other last bits
    assert again.metadata()["convolutions"] == own.convolutions
    for text in ("[1]", "{", json.dumps({"cpu": {"convolutions": {"a": "slower"}}})):
        (tmp_path / blocks.TUNING_FILE).write_text(text)
        with pytest.raises(ValueError, match="delete it to choose again"):
            pinned(tmp_path, "cpu")
