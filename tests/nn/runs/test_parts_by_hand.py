"""Parts of runs on numbers that are known: clocks, directions, distances, images, and results that are merged."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from nn_experiments.paper.catalogue import EXPERIMENTS  # noqa: E402
from nn_experiments.results import blocks, merge, records  # noqa: E402
from nn_experiments.results.blocks import Block  # noqa: E402
from nn_experiments.results.increments import INDEPENDENT, NUDGE, Increments, summary, tag_of  # noqa: E402
from nn_experiments.results.studies import Study, find_studies, resumed, study_path  # noqa: E402
from nn_experiments.runs import autotune, increments, progress, rates  # noqa: E402
from nn_experiments.runs.data_subset import needed_rows  # noqa: E402
from nn_experiments.runs.request import Grid, Piece, Prices, cut, missing_iterates  # noqa: E402
from nn_experiments.training.sampling import Sampler  # noqa: E402
from tests.nn.analysis.hand_made import made  # noqa: E402

# --- progress -------------------------------------------------------------------------------------------------------


def piece(maps: int, seconds: float) -> Piece:
    return Piece(0, "forward", "curves", (1,), maps, seconds)


@pytest.mark.parametrize(
    ("done", "spent", "text"),
    [
        ([(100, 1.0)], 10.0, "|█████···············|  25%  1/4 blocks  10 steps/s  30 s left"),
        ([(99, 1.0)], 10.0, "|█████···············|  25%  1/4 blocks  9.9 steps/s  30 s left"),
        ([(100, 0.0)], 10.0, "|····················|   0%  1/4 blocks  10 steps/s  ? left"),
        ([(100, 3.0)] * 2, 10.0, "|██████████████████████████████| 150%  2/4 blocks  20 steps/s  0 s left"),
        ([(25, 1.0)] * 4, 4.0, "|████████████████████| 100%  4/4 blocks  25 steps/s  done in 4 s"),
    ],
)
def test_the_line_of_a_run(done: list, spent: float, text: str, monkeypatch) -> None:
    """Four blocks of a second each: the share of the work, the pace so far, and the rest at this pace."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    line = progress.Progress(4.0, 400, 4)
    line.workers = 2
    assert line.line() == "|····················| 4 blocks, 400 steps, about 2 s on 2 worker(s)"
    now[0] = spent
    for maps, seconds in done:
        line.add(piece(maps, seconds))
    assert line.line() == text


def test_a_file_gets_a_line_every_ten_seconds_and_the_last_one(monkeypatch) -> None:
    now, written = [100.0], []
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    stream = SimpleNamespace(isatty=lambda: False, write=written.append, flush=lambda: None)
    report, line = progress.show(stream), progress.Progress(3.0, 3, 3)  # type: ignore[arg-type]
    for seconds in (100.0, 105.0, 110.0, 110.1, 111.0):
        now[0] = seconds
        report(line)
    assert len(written) == 2  # at 100, and more than ten seconds later
    for _ in range(3):
        line.add(piece(1, 1.0))
    report(line)
    assert len(written) == 3
    assert all(text.endswith("\n") for text in written)


def test_a_terminal_has_one_line_that_is_written_over_until_the_last() -> None:
    written: list[str] = []
    stream = SimpleNamespace(isatty=lambda: True, write=written.append, flush=lambda: written.append("flush"))
    report, line = progress.show(stream), progress.Progress(2.0, 2, 2)  # type: ignore[arg-type]
    for ending in (" ", " ", "\n"):
        report(line)
        text, flushed = written[-2:]
        assert (text[0], text[-1], flushed) == ("\r", ending, "flush")
        line.add(piece(1, 1.0))
    assert written[0] == f"\r{progress.Progress(2.0, 2, 2).line()} "


# --- what is measured before a run ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chains", "chunk", "took", "seconds"),
    [
        (8, 4, (9.0, 1.0, 7.0), 6.0 / (2 * 3 * 4)),  # six maps more on four chains take six seconds more
        (3, 4, (9.0, 1.0, 7.0), 6.0 / (2 * 3 * 3)),
        (3, None, (9.0, 1.0, 7.0), 6.0 / (2 * 3 * 1)),
        (8, 4, (9.0, 6.9, 7.0), 0.7 / (2 * 3 * 4)),  # never less than a tenth of the longer time
    ],
)
def test_one_map_takes_the_difference_of_two_runs(chains, chunk, took, seconds, monkeypatch) -> None:
    """Words B_1 B_2 twice, the first of which counts for nothing, and then four times as long."""
    now, words, times = [0.0], [], iter(took)
    monkeypatch.setattr(autotune.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(autotune, "free", lambda: None)
    monkeypatch.setattr(autotune, "wait", lambda device: None)

    def wavefront(step, batches, order, at, state0, *, ensemble):
        words.append((order.word(1), list(at)))
        now[0] += next(times)
        return iter(())

    monkeypatch.setattr(autotune, "wavefront", wavefront)
    ensemble: Any = SimpleNamespace(chunk=chunk, prepare=lambda *given: None)
    state0: Any = {"parameters": {"w": torch.zeros(1)}}
    assert autotune.rehearse(None, None, state0, ensemble, chains=chains) == pytest.approx(seconds)  # type: ignore[arg-type]
    at = list(range(1, max(1, min(chains, chunk or 1)) + 1))
    assert words == [([1, 2], at), ([1, 2], at), ([1, 2] * 4, at)]


@pytest.mark.parametrize(("each", "times"), [(0.5, 10), (1.0, 7), (2.0, 3), (3.0, 2), (9.0, 2)])
def test_evaluations_are_timed_until_they_say_something(each: float, times: int, monkeypatch) -> None:
    """Twice at least, ten times at most, and else until eight seconds have gone; the first one takes twice as long,
    and the fastest counts."""
    now, count = [0.0], [0]
    monkeypatch.setattr(rates.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(rates, "LONG_ENOUGH", 8.0)

    def measure(*given: Any) -> None:
        count[0] += 1
        now[0] += each * (1 + (count[0] == 1))

    monkeypatch.setattr(rates, "measure", measure)
    setup: Any = SimpleNamespace(measurement=None, state0=None, batches=None)
    assert rates._seconds(setup) == each
    assert count[0] == times


# --- several starts under the same maps -----------------------------------------------------------------------------


def test_the_nudge_is_a_thousandth_of_the_norm_in_a_direction_of_the_seed() -> None:
    state = {
        "parameters": {"a": torch.tensor([3.0, 0.0], dtype=torch.float64), "b": torch.tensor([[4.0]]).double()},
        "buffers": {"c": torch.ones(1)},
    }
    moves = []
    for seed in (0, 0, 1):
        found = increments._nudged(state, seed)
        assert found["buffers"] is state["buffers"]
        moves.append(torch.cat([(found["parameters"][k] - v).flatten() for k, v in state["parameters"].items()]))
        assert float(moves[-1].norm()) == pytest.approx(NUDGE * 5.0, rel=1e-9)
        assert int((moves[-1] != 0).sum()) == 3
    assert torch.equal(moves[0], moves[1])
    assert not torch.equal(moves[0], moves[2])


def test_distances_are_from_the_first_run_of_each_draw() -> None:
    """Chains 0, 1, 2 and 3 of a single number and a pair; draws of the chains (0, 1) and (2, 3)."""
    state: Any = {
        "parameters": {
            "a": torch.tensor([[1.0], [4.0], [0.0], [0.0]]).double(),
            "b": torch.tensor([[2.0, 2.0], [2.0, 6.0], [0.0, 1.0], [0.0, 2.0]]).double(),
        }
    }
    far, norms = increments._distances(state, [[0, 1], [2, 3]])
    assert far.tolist() == [[0.0, 5.0], [0.0, 1.0]]
    assert norms.tolist() == [[3.0, math.sqrt(56)], [1.0, 2.0]]
    assert increments._distances(state, [[1, 0]])[0].tolist() == [[0.0, 5.0]]


def test_outputs_are_compared_with_those_of_the_first_run() -> None:
    """One draw, two runs, two images, two outputs: the second run is 3 and 4 away in one output each."""
    outputs = torch.tensor([[[[1.0, 0.0], [0.0, 2.0]], [[4.0, 0.0], [0.0, -2.0]]]])
    place: Any = SimpleNamespace(
        evaluation=SimpleNamespace(loss=lambda run, targets: run.sum()), dataset=SimpleNamespace(classes=2)
    )
    found = increments._judged(place, outputs, torch.tensor([0, 1]))
    assert found["function"].tolist() == [[0.0, math.sqrt((9 + 16) / 2)]]
    assert found["loss"].tolist() == [[3.0, 2.0]]
    assert found["accuracy"].tolist() == [[1.0, 0.5]]
    place.dataset.classes = 0
    assert np.isnan(increments._judged(place, outputs, torch.tensor([0, 1]))["accuracy"]).all()


def test_the_summary_is_of_the_nearest_run_at_the_last_step() -> None:
    far = np.zeros((3, 2, 4))
    far[:, 1] = [[0, 2.0, 1.0, 4.0], [0, 4.0, 1.0, 4.0], [0, 1.0, 1.0, 4.0]]  # 10 ahead, 9 ahead, independent
    names = ("θ0", "10 ahead", "9 ahead", INDEPENDENT)
    zeros = np.zeros((3, 2, 4))
    about = {"experiment": {"name": "e", "model": "m"}}
    found = Increments(np.arange(3), np.array([0, 50]), names, far, 2 * far, zeros, zeros, zeros, about)
    text = "backward iterates 50 and 59 are 0.25 of two independent runs' distance apart (0.25 to 0.25 over 3 draws)"
    assert summary(found) == [f"e, m, parameters: {text}", f"e, m, outputs: {text}"]
    assert summary(found, "7x7") == [f"e, m, tag 7x7, parameters: {text}", f"e, m, tag 7x7, outputs: {text}"]


@pytest.mark.parametrize(
    ("name", "tag"), [("increments-e.npz", None), ("increments-e-2.npz", None), ("increments-e-2--7x7-b.npz", "7x7-b")]
)
def test_the_tag_is_what_follows_two_dashes(name: str, tag: str | None) -> None:
    assert tag_of(Path("folder--with-dashes") / name) == tag


# --- images that runs read ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("diagnostics", [False, True])
@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("held", [None, 3])
def test_runs_read_the_images_of_their_batches_and_of_their_losses(diagnostics, steps, held) -> None:
    """At least two batches, which the check of determinism asks for; with diagnostics those of the other stream."""
    changes = {"batch_size": "2"} | ({} if held is None else {"train_evaluation": "3", "test_evaluation": "4"})
    experiment = EXPERIMENTS["mlp-digits"].override(changes)
    train, test = needed_rows(experiment, (4, 9), steps, diagnostics=diagnostics, sizes=(500, 20))
    expected = set(range(500 if held is None else held))
    for seed in (4, 9):
        for stream in ["batch"] + ["other batch"] * diagnostics:
            sampler = Sampler("iid", 2, 500, seed, stream)
            expected |= {int(k) for i in range(1, max(steps, 2) + 1) for k in sampler(i)}
    assert train.tolist() == sorted(expected)
    assert test.tolist() == list(range(20 if held is None else 4))


# --- pieces ---------------------------------------------------------------------------------------------------------


def test_backward_is_cut_into_pieces_of_about_equal_seconds_from_its_end() -> None:
    """With 1 s per map and 2 s per evaluation, iterates are grouped into blocks that take about 25 s each."""
    pieces = cut({(0, "backward", "curves"): range(11)}, 10, Prices(1.0, 2.0, 25.0))
    assert [(p.at, p.maps, p.seconds) for p in sorted(pieces, key=lambda p: -p.at[-1])] == [
        ((9, 10), 19, 23.0),
        ((7, 8), 15, 19.0),
        ((4, 5, 6), 15, 21.0),
        ((1, 2, 3), 6, 12.0),
        ((0,), 0, 2.0),  # without batch losses, a block of its own
    ]
    assert [p.seconds for p in pieces] == sorted((p.seconds for p in pieces), reverse=True)
    exact = cut({(0, "backward", "curves"): range(1, 11)}, 10, Prices(1.0, 2.0, 23.0))
    assert (9, 10) in [p.at for p in exact]  # exactly as long as a piece may be
    less = cut({(0, "backward", "curves"): range(1, 11)}, 10, Prices(1.0, 2.0, 22.9))
    assert (10,) in [p.at for p in less]


def test_a_piece_within_a_path_is_as_long_as_what_it_repeats() -> None:
    """Forward from 0 to 100, every ten: a piece that begins at 60 makes the 50 maps before it again, so that it may
    take as long as these."""
    pieces = cut({(0, "forward", "curves"): range(10, 101, 10)}, 100, Prices(1.0, 0.0, 15.0))
    assert sum(len(p.at) for p in pieces) == 10
    for p in pieces:
        first = p.at[0] - 10  # the maps before the piece
        assert p.maps == p.at[-1]
        assert p.at[-1] - first <= max(15, first) + 10


def test_iterates_that_two_curves_share_are_wanted_once(tmp_path: Path) -> None:
    grid = Grid(seeds=(0,), orders=("backward", "reset-3"), at=(0, 2, 3, 4), diagnostics_at=(0, 2), last=4)
    found = missing_iterates(grid, None, lambda kind, n: ("x",) if n else ("y",))
    assert found == {
        (0, "backward", "curves"): [0, 2, 3, 4],
        (0, "reset-3", "curves"): [4],  # up to 3 it is the backward path
        (0, "backward", "diagnostics"): [0, 2],
        (0, "reset-3", "diagnostics"): [0, 2],
    }
    blocks.write_block(tmp_path, 0, "backward", Block(np.array([0]), {"y": np.zeros(1)}, {}))
    blocks.write_block(tmp_path, 0, "backward", Block(np.array([2, 3]), {"x": np.zeros(2)}, {}))
    found = missing_iterates(grid, tmp_path, lambda kind, n: ("x",) if n else ("y",))
    assert found[0, "backward", "curves"] == [4]
    found = missing_iterates(grid, tmp_path, lambda kind, n: ("x", "z") if n else ("y",))
    assert found[0, "backward", "curves"] == [2, 3, 4]  # one of two metrics is not enough


# --- results --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "target", "difference"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([1.0, math.nan], [1.0, math.nan], 0.0),
        ([1.0, 3.0], [1.0, 4.0], 0.25),
        ([1.0, 3.0], [-8.0, 4.0], 9 / 8),
        ([1.0, 3.0], [0.0, 0.0], 1.0),  # of the source's largest, where the target has none
        ([1.0, math.nan], [1.0, 2.0], math.inf),
        ([math.inf, 3.0], [math.inf, 4.0], 0.25),  # equal infinities say nothing of the size
    ],
)
def test_differences_are_relative_to_the_targets_largest_number(source, target, difference) -> None:
    assert merge._relative(np.array(source), np.array(target)) == difference


def test_a_union_has_all_metrics_where_it_has_them() -> None:
    """Two grids with the same ends; the new number counts, and iterates with fewer metrics stand apart."""
    old = Block(np.array([1, 2, 5]), {"a": np.array([1.0, 2.0, 5.0]), "b": np.array([10.0, 20.0, 50.0])}, {"x": 1})
    new = Block(np.array([1, 3, 5]), {"a": np.array([-1.0, -3.0, -5.0])}, {"x": 2, "seconds": 2.0})
    whole, rest = blocks._union(old, new)
    assert whole.iterate.tolist() == [1, 2, 5]
    assert whole.values["a"].tolist() == [-1.0, 2.0, -5.0]
    assert whole.values["b"].tolist() == [10.0, 20.0, 50.0]
    assert dict(whole.meta) == {"x": 2, "seconds": 2.0, "joined": [{"x": 1}]}
    assert (rest.iterate.tolist(), rest.values["a"].tolist()) == ([3], [-3.0])
    assert dict(rest.meta) == {"x": 2, "seconds": 2.0}


def test_what_a_new_record_would_lose_is_told_curve_by_curve() -> None:
    """Four curves lack iterates: three are named, and the fourth is counted."""
    values = np.arange(2 * 2 * 5.0).reshape(2, 2, 5)
    there, kept = made({"m": values}), made({"m": values})
    assert records.missing_after(there, kept) == []
    for s, o, n in ((0, 0, 1), (0, 1, 2), (0, 1, 3), (1, 0, 4), (1, 1, 0)):
        kept.recorded["m"][s, o, n] = False
    told = records.missing_after(there, kept)
    assert len(told) == 4
    assert told[0].startswith("1 iterate of")
    assert told[1].startswith("2 iterates of")
    assert told[3] == "iterates of 1 more curves"
    kept.recorded["m"][1, 1, 0] = True
    assert len(records.missing_after(there, kept)) == 3
    assert records.missing_after(kept, there) == []  # additional results are not reported as missing


def test_parts_of_a_study_are_computed_once(tmp_path: Path) -> None:
    made_times: list[int] = []

    def make() -> dict[str, np.ndarray]:
        made_times.append(1)
        return {"x": np.arange(3.0)}

    path = tmp_path / "part.npz"
    for settings, count in (({"a": (1, 2)}, 1), ({"a": [1, 2]}, 1), ({"a": [1, 3]}, 2)):
        assert resumed(path, settings, make)["x"].tolist() == [0, 1, 2]
        assert len(made_times) == count
    path.write_bytes(path.read_bytes()[:-20])
    resumed(path, {"a": [1, 3]}, make)
    assert len(made_times) == 3
    assert json.loads(json.dumps(resumed(path, {"a": [1, 3]}, make).about)) == {"a": [1, 3]}


def test_a_study_in_two_folders_is_that_of_the_first(tmp_path: Path) -> None:
    for folder, names in (("one", "ba"), ("two", "bc")):
        for name in names:
            path = study_path(name, tmp_path / folder)
            path.parent.mkdir(parents=True, exist_ok=True)
            Study(name, {"x": np.array([len(folder) + (folder == "two")])}, {}).save(path)
    found = find_studies([tmp_path / "one", tmp_path / "two", tmp_path / "one"])
    assert [(study.name, int(study["x"][0])) for study in found] == [("a", 3), ("b", 3), ("c", 4)]
