"""What runs choose by the clock, with a clock that a test moves: states at once, lengths of words, and what is kept."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from nn_experiments.engine.ensemble.wavefront import Ensemble  # noqa: E402
from nn_experiments.runs import autotune, rates  # noqa: E402

STATE: Any = {"parameters": {"w": torch.zeros(1)}}
MANY = autotune.TOGETHER


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    made = Clock()
    for module in (autotune, rates):
        monkeypatch.setattr(module, "time", made)
    monkeypatch.setattr(autotune, "wait", lambda device: None)
    monkeypatch.setattr(autotune, "free", lambda: None)
    return made


def measuring(clock: Clock, monkeypatch, *, alone: float, together: float | str | None) -> list[int]:
    """Make a measurement of one and of many states take so long, the first of each 1000 s more; note how many."""
    asked: list[int] = []

    def takes(seconds: float, count: int) -> None:
        clock.now += seconds + 1000.0 * (count not in asked)
        asked.append(count)

    def several(evaluation: object, states: list, batches: object) -> object:
        if isinstance(together, str):
            raise RuntimeError(together)
        takes(together or 0.0, len(states))
        return None if together is None else {}

    monkeypatch.setattr(autotune, "measure", lambda *given: takes(alone, 1))
    monkeypatch.setattr(autotune, "measure_together", several)
    return asked


@pytest.mark.parametrize(
    ("alone", "together", "kept", "chosen", "seconds"),
    [
        (3.0, 2.0 * MANY, None, MANY, 2.0),
        (2.0, 2.0 * MANY, None, 1, 2.0),  # not faster
        (2.0, 3.0 * MANY, None, 1, 2.0),
        (2.0, None, None, 1, 2.0),  # it cannot be batched
        (2.0, "CUDA out of memory", None, 1, 2.0),
        (3.0, 2.0 * MANY, 1, 1, 3.0),  # an earlier choice
        (2.0, 3.0 * MANY, MANY, MANY, 3.0),
        (2.0, "CUDA out of memory", MANY, MANY, 2.0),
    ],
)
def test_states_are_measured_together_where_that_is_faster(
    alone: float, together: Any, kept: int | None, chosen: int, seconds: float, clock: Clock, monkeypatch
) -> None:
    """Per state, and the second time counts, since libraries load in the first."""
    asked = measuring(clock, monkeypatch, alone=alone, together=together)
    ensemble = Ensemble()
    ensemble.together = kept
    found = autotune.rehearse_evaluation(None, None, STATE, ensemble)  # type: ignore[arg-type]
    assert (found, ensemble.together) == (pytest.approx(seconds, rel=1e-12), chosen)
    assert asked[:2] == [1, 1]
    assert set(asked[2:]) <= {MANY}


def test_other_errors_of_a_measurement_are_raised(clock: Clock, monkeypatch) -> None:
    measuring(clock, monkeypatch, alone=1.0, together="shapes differ")
    with pytest.raises(RuntimeError, match="shapes differ"):
        autotune.rehearse_evaluation(None, None, STATE, Ensemble())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("each", "last", "lengths", "seconds"),
    [
        (1.0, 5000, [2, 8], 1.0),  # 8 s are long enough
        (0.1, 5000, [2, 8, 32, 128], 0.1),
        (0.1, 30, [2, 8, 30], 0.1),  # no batch beyond the last one
        (0.1, 2, [2], None),  # nothing was timed
        (1e-6, 5000, [2, 8, 32, 128, 512, 2048], 1e-6),  # a thousand maps or more are enough
        (1e-6, 1000, [2, 8, 32, 128, 512, 1000], 1e-6),
    ],
)
def test_maps_are_timed_in_longer_and_longer_words(
    each: float, last: int, lengths: list[int], seconds: float | None, clock: Clock, monkeypatch
) -> None:
    """Until a word takes eight seconds. The first word counts for nothing; without another, a single step counts.

    A batch takes three times as long as a step when it is drawn, and every word is timed when its batches are drawn.
    """
    words: list[list[int]] = []

    def apply(state: object, word: range, done: int) -> None:
        assert done == 0
        drawn = max((len(one) for one in words), default=0)
        words.append(list(word))
        clock.now += each * len(word) + 3 * each * max(0, len(word) - drawn)

    monkeypatch.setattr(rates, "LONG_ENOUGH", 8.0)
    monkeypatch.setattr(rates, "probe", lambda *given: 77.0)
    monkeypatch.setattr(rates, "_seconds", lambda setup: 5.0)
    kernels: list[str] = []
    setup: Any = SimpleNamespace(
        step=None,
        batches=None,
        state0=None,
        measurement=None,
        kernel=lambda curve, engine: kernels.append(engine) or SimpleNamespace(apply=apply),
    )
    found = rates.measure_rates(setup, "cpu", Ensemble(), engine="mlp", chains=1, last=last)
    assert found == (pytest.approx(77.0 if seconds is None else seconds, rel=1e-9), 5.0)
    timed = [lengths[0], *(n for n in lengths[1:] for _ in range(2))]
    assert words == [list(range(n, 0, -1)) for n in timed]
    assert rates.measure_rates(setup, "cpu", Ensemble(), engine="step", chains=1, last=last) == (77.0, 5.0)
    rates.measure_rates(setup, "cpu", Ensemble(), engine="ensemble", chains=1, last=last)
    assert kernels == ["mlp", "auto"]  # an ensemble is no kernel of a single chain


def test_choices_for_a_device_are_kept_beside_those_for_others(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(autotune.torch.cuda, "get_device_name", lambda device: f"card {device}")
    one, two = Ensemble(chunk=3, convolutions={"a": "grouped"}), Ensemble(chunk=5)
    one.together = 8
    assert autotune.pinned(tmp_path, "cpu").chunk is None
    assert autotune.pinned(tmp_path, "cpu", chunk=7).chunk == 7
    autotune.write_pins(tmp_path, "cuda:1", one)
    autotune.write_pins(tmp_path, "cpu", two)
    (path,) = tmp_path.iterdir()
    assert set(json.loads(path.read_text())) == {"cpu", "card cuda:1"}
    back = autotune.pinned(tmp_path, "cuda:1")
    assert (back.chunk, back.convolutions, back.together) == (3, {"a": "grouped"}, 8)
    back = autotune.pinned(tmp_path, "cuda:1", chunk=7)
    assert (back.chunk, back.convolutions, back.together) == (7, {"a": "grouped"}, 8)
    assert (autotune.pinned(tmp_path, "cpu").chunk, autotune.pinned(tmp_path, "cpu").together) == (5, None)
    assert autotune.pinned(tmp_path, "cuda:0").chunk is None
    for text in ("[]", "{", '{"cpu": {"convolutions": 3}}'):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"cannot be read .* delete it to choose again"):
            autotune.pinned(tmp_path, "cpu")
