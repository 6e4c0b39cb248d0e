"""A run that is stopped within a path goes on from where the path was, bit by bit, and otherwise begins it again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import contraction as ct  # noqa: E402
from nn_experiments.engine.chain import walk  # noqa: E402
from nn_experiments.engine.measuring import Measured  # noqa: E402
from nn_experiments.engine.plan import bottlenecks, plan  # noqa: E402
from nn_experiments.paper.catalogue import EXPERIMENTS  # noqa: E402
from nn_experiments.results import blocks  # noqa: E402
from nn_experiments.runs import job as jobs  # noqa: E402
from nn_experiments.runs.job import Job, run_job  # noqa: E402
from nn_experiments.runs.request import Request  # noqa: E402
from nn_experiments.runs.run import Options, run  # noqa: E402
from nn_experiments.runs.setup import ExperimentProblem  # noqa: E402
from nn_experiments.runs.unfinished import FRACTION, Keeper, Reached, unfinished_path  # noqa: E402

SMALL = EXPERIMENTS["regression-square"].override({"model": "mlp-2x12"})
AT = tuple(range(3, 25, 3))
ORDERS = {
    "forward": ct.Forward(),
    "backward": ct.Backward(),
    "reset-10": ct.Reset([10]),
    "late-10": ct.Late(10),
    "windowed-4": ct.Windowed(4),
}


class Stop(Exception):
    """What ends a run before its end."""


def stopping_after(count: int) -> Callable[..., Iterator[Measured]]:
    def measured(*args: object, **more: object) -> Iterator[Measured]:
        for k, row in enumerate(whole(*args, **more)):
            yield row
            if k + 1 == count:
                raise Stop

    whole = jobs.measure_path
    return measured


def job(file: Path, curve: str = "forward", **more: object) -> Job:
    """Return a job that keeps the path at every iterate at which it can."""
    return Job(ExperimentProblem(SMALL), 0, curve, "curves", AT, last=24, unfinished=file, every=1e-9, **more)


def stopped(file: Path, monkeypatch: pytest.MonkeyPatch, count: int, curve: str = "forward") -> None:
    with monkeypatch.context() as patch:
        patch.setattr(jobs, "measure_path", stopping_after(count))
        with pytest.raises(Stop):
            run_job(job(file, curve))


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The iterates that paths begin at."""
    begun: list[int] = []

    def noting(*args: object, reached: tuple[int, object] | None = None) -> object:
        begun.append(reached[0] if reached else 0)
        return walk(*args, reached=reached)

    monkeypatch.setattr(jobs, "walk", noting)
    return begun


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let writing take any part of the time, since these paths take less time than the file."""
    monkeypatch.setattr("nn_experiments.runs.unfinished.FRACTION", float("inf"))


@pytest.mark.parametrize("name", ORDERS)
def test_all_later_iterates_lead_through_a_bottleneck(name: str) -> None:
    """The maps of every later iterate begin with its own."""
    order, last = ORDERS[name], AT[-1]
    found = bottlenecks(plan(order, AT))
    for n in found:
        word = order_of(order, n)
        assert all(order_of(order, m)[: len(word)] == word for m in AT if m > n)
    if name == "forward":
        assert found == set(AT) - {last}
    if name == "backward":
        assert found == set()
    assert bool(found) is (name != "backward")
    assert last not in found


def order_of(order: ct.orders.Order, n: int) -> list[int]:
    """Return the numbers of the maps of an iterate, in the order in which they are applied."""
    if n == 0:
        return []
    return [*order_of(order, order.anchor(n)), *(int(i) for i in reversed(order.word(n)))]


@pytest.mark.parametrize("count", [1, 4, 7])
def test_a_stopped_path_goes_on_bit_by_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reached: list[int], count: int
) -> None:
    file = tmp_path / "unfinished-24.pt"
    whole = run_job(replace(job(file), unfinished=None))
    stopped(file, monkeypatch, count)
    reached.clear()
    again = run_job(job(file))
    # the file is written before the iterate is handed on, and the last one is no place to go on from
    assert reached == [AT[count - 1]]
    assert again.iterate.tolist() == list(AT)
    assert set(again.values) == set(whole.values)
    for name, value in whole.values.items():
        assert again.values[name].tobytes() == value.tobytes(), name


def test_the_seconds_of_a_stopped_run_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "unfinished-24.pt"
    stopped(file, monkeypatch, 4)
    kept = torch.load(file, weights_only=True)
    torch.save({**kept, "seconds": 1e6}, file)
    assert 1e6 < run_job(job(file)).meta["seconds"] < 1e6 + 600


@pytest.mark.parametrize(
    "change",
    [
        "truncated",
        "altered",
        "pickled",
        "another program",
        "other metrics",
        "no way on",
        "earlier iterates lack",
        "not a state",
    ],
)
def test_a_file_that_does_not_fit_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reached: list[int], change: str
) -> None:
    file = tmp_path / "unfinished-24.pt"
    whole = run_job(replace(job(file), unfinished=None))
    stopped(file, monkeypatch, 4)
    kept = torch.load(file, weights_only=True)
    if change == "truncated":
        file.write_bytes(file.read_bytes()[:-40])
    elif change == "altered":
        file.write_bytes(b"half a file")
    elif change == "pickled":  # what could run a program when it is read
        torch.save({**kept, "state": Path("x")}, file)
    elif change == "another program":
        torch.save({**kept, "maker": {**kept["maker"], "revision": "0123456789ab"}}, file)
    elif change == "other metrics":
        torch.save({**kept, "maker": {**kept["maker"], "metrics": "train_loss"}}, file)
    elif change == "no way on":
        torch.save({**kept, "n": 13}, file)
    elif change == "earlier iterates lack":
        del kept["rows"][6]
        torch.save(kept, file)
    else:
        torch.save({**kept, "state": {}}, file)
    reached.clear()
    again = run_job(job(file))
    assert reached == [0]
    assert all(again.values[name].tobytes() == value.tobytes() for name, value in whole.values.items())


def test_later_iterates_go_on_from_a_path_that_began_earlier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reached: list[int]
) -> None:
    """A later run may cut the path elsewhere, and then needs fewer of the rows; one that needs more begins again."""
    file = tmp_path / "unfinished-24.pt"
    stopped(file, monkeypatch, 4)  # at iterate 12
    whole = run_job(replace(job(file), unfinished=None))
    for at, begins in ((AT[1:], 12), (AT[3:], 12), ((1, *AT), 0), ((18, 24), 0)):
        reached.clear()
        part = run_job(replace(job(file), at=at, every=1e9))
        assert reached == [begins if begins in bottlenecks(plan(ct.Forward(), at)) else 0]
        for n in set(at) & set(AT):
            assert part.values["train_loss"][at.index(n)] == whole.values["train_loss"][AT.index(n)]


@pytest.mark.parametrize("curve", ["backward", "polyak", "ema-0.9"])
def test_what_does_not_lead_through_its_iterates_keeps_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, curve: str
) -> None:
    file = tmp_path / "unfinished-24.pt"
    stopped(file, monkeypatch, 5, curve)
    assert not file.exists()


def test_a_run_goes_on_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reached: list[int]) -> None:
    """The whole run: stopped in the forward path, then as if nothing had happened."""
    request = Request(experiment=SMALL, seeds=(0,), orders=("forward", "late-10"), steps=24, every=3)
    run(request, Options(out=tmp_path / "whole", workers=0, block_seconds=1e9))
    options = Options(out=tmp_path / "stopped", workers=0, block_seconds=1e9)
    monkeypatch.setattr("nn_experiments.runs.run.Runner.job", with_every(1e-9))
    with monkeypatch.context() as patch:
        patch.setattr(jobs, "measure_path", stopping_after(3))
        with pytest.raises(Exception, match="Stop"):
            run(request, options)
    files = list(tmp_path.rglob("unfinished-*.pt"))
    assert len(files) == 1
    reached.clear()
    assert run(request, options).missing == 0
    assert sorted(reached, reverse=True)[0] > 0
    assert list(tmp_path.rglob("unfinished-*.pt")) == []
    roots = [next(iter((tmp_path / name).iterdir())) for name in ("whole", "stopped")]
    for name in request.orders:
        ones, others = (blocks.blocks(root, 0, name) for root in roots)
        for one, other in zip(ones, others, strict=True):
            assert all(one.values[key].tobytes() == other.values[key].tobytes() for key in one.values)


def with_every(seconds: float) -> Callable[..., Job]:
    from nn_experiments.runs.run import Runner

    plain = Runner.job
    return lambda self, piece: replace(plain(self, piece), every=seconds)


def test_workers_elsewhere_keep_no_file(tmp_path: Path) -> None:
    """Workers of a Dask cluster need not see this folder."""
    from nn_experiments.runs.request import Piece
    from nn_experiments.runs.run import Runner

    grid = Request(experiment=SMALL, seeds=(0,), orders=("forward",), steps=24).grid
    piece = Piece(0, "forward", "curves", AT, 24, 1.0)
    for dask, kept in ((None, True), ("tcp://127.0.0.1:1", False)):
        runner = Runner(ExperimentProblem(SMALL), grid, Options(out=tmp_path, dask=dask, block_seconds=7.0))
        made = runner.job(piece)
        assert made.every == 7.0
        assert (made.unfinished is not None) is kept
        if kept:
            assert made.unfinished == runner.root / "0" / "forward" / "unfinished-24.pt"


class Clock:
    """Seconds that pass in steps and in writing."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("every", "writing", "written"),
    [
        (10.0, 0.0, [10, 20, 30]),
        (9.5, 0.0, [10, 20, 30]),
        (12.0, 0.0, [12, 24]),
        (10.0, 0.5, [10, 20, 30]),  # a twentieth of the time
        (10.0, 0.75, [10, 25]),  # 0.75 s are a twentieth of 15 s
        (100.0, 0.0, []),
    ],
)
def test_when_the_file_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: float, writing: float, written: list[int]
) -> None:
    """A second for each iterate, and for each file what writing takes."""
    monkeypatch.setattr("nn_experiments.runs.unfinished.FRACTION", 0.05)
    clock, found = Clock(), []

    def write(self: Keeper, reached: Reached) -> None:
        clock.now += writing
        found.append((reached.n, sorted(reached.rows), reached.seconds))

    def measured() -> Iterator[Measured]:
        for n in range(1, 35):
            clock.now += 1.0
            yield Measured(n, None, {"x": np.array(n / 2)}, False)

    monkeypatch.setattr(Keeper, "write", write)
    keeper = Keeper(tmp_path / "x.pt", every, {})
    rows = keeper.watch(measured(), dict, set(range(40)) - {11}, None, clock)
    assert rows == {n: {"x": n / 2} for n in range(1, 35)}
    assert [n for n, _, _ in found] == written
    assert all(known == list(range(1, n + 1)) for n, known, _ in found)
    earlier = 0.0
    for n, _, seconds in found:
        assert seconds == pytest.approx(n + earlier, abs=1e-12)  # exact up to the rounding of a sum of 34 numbers
        earlier += writing


def test_no_file_is_written_where_the_path_cannot_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, found = Clock(), []
    monkeypatch.setattr(Keeper, "write", lambda self, reached: found.append(reached.n))

    def measured() -> Iterator[Measured]:
        for n in range(1, 9):
            clock.now += 1.0
            yield Measured(n, None, {"x": np.array(0.0)}, False)

    Keeper(tmp_path / "x.pt", 2.0, {}).watch(measured(), dict, {3, 4, 7}, None, clock)
    assert found == [3, 7]


def test_a_file_is_beside_its_block_and_named_by_the_last_iterate(tmp_path: Path) -> None:
    path = blocks.block_path(tmp_path, 3, "ema-0.9", "curves", 12, 340)
    assert unfinished_path(path) == tmp_path / "3" / "ema-0.9" / "unfinished-340.pt"
    assert FRACTION == 0.05


@pytest.mark.parametrize(
    ("at", "rows", "passages", "maker", "used"),
    [
        ((2, 4, 6), (2, 4), {2, 4}, "one", True),
        ((4, 6), (2, 4), {2, 4}, "one", True),  # more than is needed
        ((6,), (), {4}, "one", True),  # nothing is needed up to there
        ((2, 4, 6), (2,), {2, 4}, "one", False),  # of the iterate itself
        ((2, 4, 6), (4,), {2, 4}, "one", False),
        ((2, 3, 4, 6), (2, 4), {2, 4}, "one", False),
        ((2, 4, 6), (2, 4), {2}, "one", False),
        ((2, 4, 6), (2, 4), {2, 4}, "another", False),
    ],
    ids=["exactly", "more", "none", "its own", "an earlier one", "between", "no passage", "another maker"],
)
def test_what_was_reached_is_used_where_it_has_all_that_is_needed(
    at: tuple[int, ...], rows: tuple[int, ...], passages: set[int], maker: str, used: bool, tmp_path: Path
) -> None:
    """Iterate 4, with the metrics of some iterates up to it."""
    state = {"parameters": {"w": torch.tensor([1.0, 2.0])}}
    reached = Reached(4, state, {n: {"x": n / 2} for n in rows}, 1.5)
    Keeper(tmp_path / "x.pt", 1.0, {"kernel": "one"}).write(reached)
    found = Keeper(tmp_path / "x.pt", 1.0, {"kernel": maker}).read(at, passages, "cpu")
    assert (found is not None) == used
    if found is not None:
        assert (found.n, found.rows, found.seconds) == (4, reached.rows, 1.5)
        assert torch.equal(found.state["parameters"]["w"], state["parameters"]["w"])
    assert Keeper(tmp_path / "y.pt", 1.0, {}).read(at, passages, "cpu") is None
