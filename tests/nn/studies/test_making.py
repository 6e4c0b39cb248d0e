"""The processor time of a study is that of all its parts, however often the study was stopped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nn_experiments import cli
from nn_experiments.results.studies import Study, load_study
from nn_experiments.studies import made
from nn_experiments.studies import run as studies
from nn_experiments.studies.made import Making


class Clock:
    """A processor time that passes only where it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def working(self, seconds: float) -> dict[str, np.ndarray]:
        self.now += seconds
        return {"x": np.array([seconds])}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(made.time, "process_time", clock)
    return clock


def test_a_study_in_one_run_takes_what_the_process_took(clock: Clock, tmp_path: Path) -> None:
    making = Making()
    for k in range(3):
        part = making.part(tmp_path / f"{k}.npz", {"seed": k}, lambda k=k: clock.working(10.0 * (k + 1)))
        assert list(part.arrays) == ["x"]  # the part's own arrays alone
        assert part.about == {"seed": k}
    clock.now += 0.26  # between and after parts
    assert making.about()["processor_seconds"] == 60.3


@pytest.mark.parametrize("finished", [0, 1, 2, 3])
def test_a_stopped_study_counts_the_parts_that_it_finds(clock: Clock, tmp_path: Path, finished: int) -> None:
    first = Making()
    for k in range(finished):
        first.part(tmp_path / f"{k}.npz", {"seed": k}, lambda k=k: clock.working(10.0 * (k + 1)))
    clock.now += 1000.0  # another process, and not this study
    second = Making()
    for k in range(3):
        part = second.part(tmp_path / f"{k}.npz", {"seed": k}, lambda k=k: clock.working(10.0 * (k + 1)))
        assert part["x"] == [10.0 * (k + 1)]
        assert list(part.arrays) == ["x"]
    assert second.about()["processor_seconds"] == 60.0


def test_a_part_that_is_computed_again_is_counted_once(clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "0.npz"
    Making().part(path, {"seed": 0}, lambda: clock.working(10.0))
    making = Making()
    making.part(path, {"seed": 1}, lambda: clock.working(4.0))  # other settings
    assert making.about()["processor_seconds"] == 4.0


def test_parts_that_do_not_say_leave_the_time_unknown(clock: Clock, tmp_path: Path) -> None:
    """A guess would be wrong: such a part was written by an earlier version."""
    Study("0", {"x": np.array([1.0])}, {"seed": 0}).save(tmp_path / "0.npz")
    making = Making()
    assert making.part(tmp_path / "0.npz", {"seed": 0}, lambda: clock.working(10.0))["x"] == [1.0]
    making.part(tmp_path / "1.npz", {"seed": 1}, lambda: clock.working(10.0))
    assert making.about()["processor_seconds"] is None


@pytest.mark.parametrize(("seconds", "said"), [(90.0, True), (None, False)])
def test_the_command_says_what_a_study_took(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    seconds: float | None,
    said: bool,
) -> None:
    def run(out: Path, **_: object) -> Study:
        return Study("small", {"x": np.zeros(2)}, {"processor_seconds": seconds})

    monkeypatch.setitem(studies.STUDIES, "small", ("a study", run))
    assert cli.main(["study", "small", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr()
    assert load_study(Path(printed.out.strip()))["x"].tolist() == [0, 0]
    assert ("small took 1.5 minutes of processor time in all" in printed.err) is said


def test_every_study_says_what_it_took(tmp_path: Path) -> None:
    """The shortest study, for real."""
    assert 0 < studies.STUDIES["quadratics"][1](tmp_path, seeds=2).about["processor_seconds"] < 600
