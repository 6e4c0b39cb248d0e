"""The queue of jobs, with pools that end each job at once: what is submitted when, again, and not at all."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from nn_experiments.runs import executors
from nn_experiments.runs.executors import ATTEMPTS, InlineExecutor, JobFailed, run_all

Event = tuple[object, ...]


class Pool(Executor):
    """Ends each job as soon as it is submitted, and notes what happens in the log that all pools of a test share."""

    def __init__(self, log: list[Event], *, breaks_on: object = None, refuses: object = None) -> None:
        self.log, self.breaks_on, self.refuses = log, breaks_on, refuses

    def submit(self, fn: Callable[..., Any], /, *args: Any, **more: Any) -> Future[Any]:
        """Run the job; a broken pool gives no result, or takes no job."""
        if args[0] == self.refuses:
            raise BrokenProcessPool
        self.log.append(("submitted", args[0]))
        if args[0] == self.breaks_on:
            future: Future[Any] = Future()
            future.set_exception(BrokenProcessPool())
            return future
        return InlineExecutor().submit(fn, *args, **more)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Note whether the pool is given time to end."""
        self.log.append(("ended", wait))


def noted(log: list[Event], found: Iterator[tuple[object, object]] | Any) -> list[tuple[object, object]]:
    results = []
    for item, result in found:
        log.append(("result", item))
        results.append((item, result))
    return results


def square(x: int) -> int:
    return x * x


def test_items_are_done_in_their_order_and_jobs_are_made_just_before() -> None:
    """The function gets the job of an item; the result is given with the item itself."""
    log: list[Event] = []

    def job(item: int) -> int:
        log.append(("made", item))
        return 10 * item

    found = run_all(lambda: Pool(log), square, [3, 1, 2], at_once=lambda: 1, job=job)
    assert noted(log, found) == [(3, 900), (1, 100), (2, 400)]
    expected: list[Event] = [event for k in (3, 1, 2) for event in (("made", k), ("submitted", 10 * k), ("result", k))]
    assert log == [*expected, ("ended", True)]


@pytest.mark.parametrize("most", [1, 2, 3, 5, 9])
def test_as_many_jobs_are_in_flight_as_allowed(most: int) -> None:
    log: list[Event] = []
    noted(log, run_all(lambda: Pool(log), square, range(5), at_once=lambda: most))
    kinds = [what for what, _ in log]
    groups = [min(most, 5 - k) for k in range(0, 5, most)]
    assert kinds == [what for n in groups for what in ["submitted"] * n + ["result"] * n] + ["ended"]


def test_the_number_in_flight_is_asked_before_each_submission() -> None:
    """Two may fly, and then three: the third is submitted with the first two."""
    log: list[Event] = []
    allowed = iter([1, 2, 3, 3, 1, 1, 1])
    noted(log, run_all(lambda: Pool(log), square, range(4), at_once=lambda: next(allowed)))
    assert [what for what, _ in log] == ["submitted"] * 3 + ["result"] * 3 + ["submitted", "result", "ended"]


def test_what_somebody_else_has_done_is_not_submitted() -> None:
    """That is asked just before: item 4 is done by others while item 1 is computed."""
    done = {0, 3}
    log: list[Event] = []
    found = []
    for item, result in run_all(lambda: Pool(log), square, range(6), at_once=lambda: 1, skip=done.__contains__):
        found.append((item, result))
        done |= {4}
    assert found == [(1, 1), (2, 4), (5, 25)]
    assert [of for what, of in log if what == "submitted"] == [1, 2, 5]
    assert list(run_all(InlineExecutor, square, [0, 3], at_once=lambda: 1, skip=done.__contains__)) == []


@pytest.mark.parametrize(("deadline", "count"), [(None, 6), (-0.5, 0), (0.0, 1), (9.5, 2), (10.0, 3), (10.5, 3)])
def test_nothing_is_submitted_after_the_deadline(
    deadline: float | None, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each job takes five seconds: they begin at 0, 5, 10, …, and one that begins at the deadline is not late."""
    now = [0.0]
    monkeypatch.setattr(executors.time, "monotonic", lambda: now[0])

    def takes_five(item: int) -> int:
        now[0] += 5.0
        return item

    log: list[Event] = []
    found = noted(log, run_all(lambda: Pool(log), takes_five, range(6), at_once=lambda: 1, deadline=deadline))
    assert found == [(k, k) for k in range(count)]
    assert log[-1] == ("ended", True)


def test_the_results_of_what_flies_at_the_deadline_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(executors.time, "monotonic", lambda: now[0])

    def late(item: int) -> int:
        now[0] = 99.0
        return item

    assert sorted(run_all(InlineExecutor, late, range(6), at_once=lambda: 3, deadline=1.0)) == [(0, 0), (1, 1), (2, 2)]


def test_a_job_that_fails_ends_the_run_and_is_named() -> None:
    log: list[Event] = []
    found = run_all(lambda: Pool(log), lambda x: 1 / x, [2, 0, 1], at_once=lambda: 1, job=lambda item: item)
    with pytest.raises(JobFailed, match=r"^0 failed: ZeroDivisionError: division by zero$") as caught:
        noted(log, found)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert log == [("submitted", 2), ("result", 2), ("submitted", 0), ("ended", False)]


def test_a_caller_that_stops_ends_the_pool_at_once() -> None:
    log: list[Event] = []
    found = iter(run_all(lambda: Pool(log), square, range(3), at_once=lambda: 1))
    assert next(found) == (0, 0)
    found.close()  # type: ignore[attr-defined]  # a generator
    assert log == [("submitted", 0), ("ended", False)]


def pools(log: list[Event], broken: int, **how: object) -> Callable[[], Executor]:
    """Return a function that makes so many broken pools, and then good ones."""
    made: list[Pool] = []

    def make() -> Executor:
        made.append(Pool(log, **(how if len(made) < broken else {})))  # type: ignore[arg-type]
        log.append(("pool", len(made)))
        return made[-1]

    return make


@pytest.mark.parametrize("broken", range(ATTEMPTS + 1))
def test_the_jobs_of_a_broken_pool_are_run_again(broken: int) -> None:
    """Up to four times, in a new pool, before those that wait."""
    assert ATTEMPTS == 4
    log: list[Event] = []
    found = run_all(pools(log, broken, breaks_on=7), square, [7, 8, 9], at_once=lambda: 1, job=lambda item: item)
    if broken == ATTEMPTS:
        with pytest.raises(JobFailed, match="the worker of 7 died 4 times"):
            noted(log, found)
        assert [event for event in log if event[0] == "pool"] == [("pool", k + 1) for k in range(ATTEMPTS)]
        assert log[-1] == ("ended", False)
        return
    assert noted(log, found) == [(7, 49), (8, 64), (9, 81)]
    expected: list[Event] = [("pool", 1)]
    for k in range(broken):
        expected += [("submitted", 7), ("ended", False), ("pool", k + 2)]
    expected += [event for item in (7, 8, 9) for event in (("submitted", item), ("result", item))]
    assert log == [*expected, ("ended", True)]


def test_a_job_beside_one_that_breaks_its_pool_is_neither_lost_nor_given_twice() -> None:
    """Two jobs at once, one of which breaks three pools."""
    log: list[Event] = []
    found = noted(log, run_all(pools(log, 3, breaks_on=1), square, [0, 1, 2, 3], at_once=lambda: 2))
    assert sorted(found) == [(0, 0), (1, 1), (2, 4), (3, 9)]
    assert [event for event in log if event[0] == "pool"] == [("pool", k) for k in (1, 2, 3, 4)]


@pytest.mark.parametrize("broken", [1, 7])
def test_a_pool_that_takes_no_job_is_replaced(broken: int) -> None:
    """The job that was not taken has not failed, however often."""
    log: list[Event] = []
    found = noted(log, run_all(pools(log, broken, refuses=1), square, [0, 1, 2], at_once=lambda: 1))
    assert found == [(0, 0), (1, 1), (2, 4)]
    assert [of for what, of in log if what == "submitted"] == [0, 1, 2]
    assert sum(event == ("ended", False) for event in log) == broken


def test_a_job_in_this_process_keeps_its_error() -> None:
    pool = InlineExecutor()
    assert pool.submit(lambda x, *, y: x - y, 5, y=3).result() == 2
    future = pool.submit(lambda: [][0])
    assert isinstance(future.exception(), IndexError)
    with pytest.raises(KeyboardInterrupt):  # not an error of the job
        pool.submit(interrupted)


@pytest.mark.parametrize("workers", [1, 3])
def test_each_worker_has_one_thread(workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool of processes begins each with the number of threads and the function of the caller."""
    made: list[dict[str, Any]] = []
    monkeypatch.setattr(executors, "ProcessPoolExecutor", lambda count, **more: made.append({"count": count, **more}))
    executors.process_executor(workers, interrupted)
    executors.process_executor(workers)
    assert [one["count"] for one in made] == [workers] * 2
    assert [one["initargs"] for one in made] == [(1, interrupted), (1, None)]


@pytest.mark.parametrize("threads", [1, 2])
def test_a_worker_begins_with_its_threads_and_leaves_sigint_to_its_parent(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    handled, begun, called = [], [], []
    monkeypatch.setattr(executors.os, "environ", {"OTHER": "x"})
    monkeypatch.setattr(executors.signal, "signal", lambda *given: handled.append(given))
    thread = SimpleNamespace(start=lambda: begun.append("started"))
    monkeypatch.setattr(executors.threading, "Thread", lambda *, target, daemon: begun.append(daemon) or thread)
    executors._begin(threads)
    executors._begin(threads, lambda: called.append("setup"))
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    assert executors.os.environ == {"OTHER": "x"} | dict.fromkeys(names, str(threads))
    assert handled == [(signal.SIGINT, signal.SIG_IGN)] * 2
    assert begun == [True, "started"] * 2
    assert called == ["setup"]


@pytest.mark.parametrize("looks", [0, 1, 3])
def test_a_worker_ends_with_its_parent(looks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice a second it looks whether it still has the parent that started it."""
    parents, slept, targets = iter([7, *[7] * looks, 1]), [], []
    monkeypatch.setattr(executors.os, "environ", {})
    monkeypatch.setattr(executors.os, "getppid", lambda: next(parents))
    monkeypatch.setattr(executors.signal, "signal", lambda *given: None)
    monkeypatch.setattr(executors.time, "sleep", slept.append)
    monkeypatch.setattr(
        executors.threading,
        "Thread",
        lambda *, target, daemon: targets.append(target) or SimpleNamespace(start=lambda: None),
    )

    def ended(status: int) -> None:
        raise SystemExit(status)

    monkeypatch.setattr(executors.os, "_exit", ended)
    executors._begin(1)
    with pytest.raises(SystemExit, match="1"):
        targets[0]()
    assert slept == [0.5] * looks


@pytest.mark.parametrize(
    ("threads", "most"), [({}, 1), ({"a": 1}, 1), ({"a": 1, "b": 1, "c": 1}, 3), ({"a": 2, "b": 3}, 5)]
)
def test_a_cluster_has_as_many_jobs_as_threads(
    threads: dict[str, int], most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At least one, since workers may come; they are counted whenever it is asked."""
    now: dict[str, int] = {}
    done: list[object] = []

    class Client:
        def __init__(self, address: str, *, set_as_default: bool) -> None:
            done.append((address, set_as_default))

        def wait_for_workers(self, count: int) -> None:
            done.append(count)

        def nthreads(self) -> dict[str, int]:
            return now

        def get_executor(self, **options: object) -> str:
            done.append(options)
            return "executor"

        def close(self) -> None:
            done.append("closed")

    module: Any = ModuleType("distributed")
    module.Client, module.WorkerPlugin = Client, object
    monkeypatch.setitem(sys.modules, "distributed", module)
    with executors.dask_executor("tcp://host:1") as (make, at_once):
        assert at_once() == 1
        now |= threads
        assert at_once() == most
        assert make() == "executor"
    assert done == [("tcp://host:1", False), 1, {"pure": False, "retries": ATTEMPTS}, "closed"]


def interrupted() -> None:
    raise KeyboardInterrupt
