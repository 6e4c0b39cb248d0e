"""Where jobs run: processes of this machine, or a dask.distributed cluster, behind one interface (no torch)."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any, Generic, TypeVar  # Any: the argument of a job, which may be the item itself

from contraction.maps.errors import TrainingInReverseError

__all__ = ["InlineExecutor", "JobFailed", "dask_executor", "process_executor", "run_all", "stop"]

Item = TypeVar("Item")

Result = TypeVar("Result")
ATTEMPTS = 4


class JobFailed(TrainingInReverseError, RuntimeError):
    """A job ended with an error, or killed its worker several times.

    Examples
    --------
    >>> from nn_experiments import JobFailed
    >>> from nn_experiments.runs.executors import InlineExecutor, run_all
    >>> try:
    ...     list(run_all(InlineExecutor, int, ["1", "two"], at_once=lambda: 1))
    ... except JobFailed as error:
    ...     print(error)
    two failed: ValueError: invalid literal for int() with base 10: 'two'
    """


class InlineExecutor(Executor):
    """Runs every job immediately in this process: for a GPU, for tests and for short runs."""

    def submit(self, fn: Callable[..., Result], /, *args: object, **kwargs: object) -> Future[Result]:
        """Run the job and return its finished future."""
        future: Future[Result] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def _begin(threads: int, setup: Callable[[], object] | None = None) -> None:
    """Set up a worker: one thread; it ignores SIGINT, which the parent handles, and exits with its parent."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    if setup is not None:
        setup()


class _Process(SpawnProcess):
    """A process that does not import the main script again, which may have no ``if __name__ == "__main__"``."""

    @staticmethod
    def _Popen(process_obj: object) -> object:
        main = sys.modules["__main__"]
        hidden = {name: vars(main).pop(name) for name in ("__file__", "__spec__") if name in vars(main)}
        try:
            main.__spec__ = None
            return SpawnProcess._Popen(process_obj)  # type: ignore[attr-defined]
        finally:
            vars(main).update(hidden)


class _Context(SpawnContext):
    Process = _Process  # type: ignore[assignment]


def process_executor(workers: int, setup: Callable[[], object] | None = None) -> ProcessPoolExecutor:
    """Return an executor with one single-threaded process per worker.

    Parameters
    ----------
    workers
        Number of processes.
    setup
        Called once in each process before its first job (default: None). It is pickled, and so are the jobs. Functions
        that are defined in the main script must be sent by value (cloudpickle).
    """
    return ProcessPoolExecutor(workers, mp_context=_Context(), initializer=_begin, initargs=(1, setup))


@contextlib.contextmanager
def dask_executor(
    address: str, setup: Callable[[], object] | None = None
) -> Iterator[tuple[Callable[[], Executor], Callable[[], int]]]:
    """Yield functions that make an executor on a dask.distributed cluster, and that count the jobs that run there now.

    Start workers with one thread each (``dask worker ADDRESS --nthreads 1 --nworkers N``). If a worker dies, Dask runs
    its job again on another one. ``setup`` is called once in every worker, also in those that join later.

    Raises
    ------
    ModuleNotFoundError
        If dask.distributed is not installed.
    """
    try:
        from distributed import Client, WorkerPlugin
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("--dask needs dask.distributed (pip install distributed)") from error
    client: Any = Client(address, set_as_default=False)  # its methods return values or coroutines
    try:
        if setup is not None:
            plugin = WorkerPlugin()
            plugin.setup = lambda worker: setup()  # type: ignore[method-assign]
            client.register_plugin(plugin, name="nn_experiments")
        client.wait_for_workers(1)
        executor = client.get_executor(pure=False, retries=ATTEMPTS)
        yield (lambda: executor), lambda: max(1, sum(client.nthreads().values()))  # asked again: workers come and go
    finally:
        client.close()


def stop(executor: Executor) -> None:
    """End an executor now: unfinished jobs are lost, finished ones are already written."""
    if not isinstance(executor, ProcessPoolExecutor):
        executor.shutdown(wait=False)  # Dask cancels what is in flight
        return
    processes = list((executor._processes or {}).values())  # a pool forgets them when it shuts down
    executor.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.kill()


class _Flight(Generic[Item, Result]):
    """The queue and the jobs in flight; a broken executor is replaced, and its jobs are queued again."""

    def __init__(
        self,
        make: Callable[[], Executor],
        function: Callable[[Any], Result],
        items: Sequence[Item],
        job: Callable[[Item], Any],
    ) -> None:
        self.make, self.function, self.job = make, function, job
        self.queue = deque(items)
        self.tries: dict[int, int] = {}
        self.flying: dict[Future[Result], Item] = {}
        self.executor = make()

    def submit(self) -> None:
        """Submit the next item of the queue."""
        item = self.queue.popleft()
        try:
            self.flying[self.executor.submit(self.function, self.job(item))] = item
        except BrokenProcessPool:
            self.queue.appendleft(item)
            self.restart()

    def landed(self) -> Iterator[tuple[Item, Result]]:
        """Wait until a job has ended, and yield (item, result) for all jobs that have."""
        done, _ = wait(self.flying, return_when=FIRST_COMPLETED)
        for future in done:
            item = self.flying[future]
            try:
                result = future.result()
            except BrokenProcessPool:
                self.restart()
                return
            except Exception as error:
                raise JobFailed(f"{self.job(item)} failed: {type(error).__name__}: {error}") from error
            del self.flying[future]
            yield item, result

    def restart(self) -> None:
        """Make the executor again; what was in flight is queued again."""
        stop(self.executor)
        for item in self.flying.values():
            self.tries[id(item)] = self.tries.get(id(item), 0) + 1
            if self.tries[id(item)] >= ATTEMPTS:
                raise JobFailed(f"the worker of {self.job(item)} died {ATTEMPTS} times (out of memory?)")
            self.queue.appendleft(item)
        self.flying.clear()
        self.executor = self.make()


def run_all(
    make: Callable[[], Executor],
    function: Callable[[Any], Result],
    items: Sequence[Item],
    *,
    at_once: Callable[[], int],
    job: Callable[[Item], Any] = lambda item: item,
    skip: Callable[[Item], bool] = lambda item: False,
    deadline: float | None = None,
) -> Iterable[tuple[Item, Result]]:
    """Yield (item, result) as jobs end.

    Few jobs are in flight at a time, so that little is lost if the run is interrupted, and blocks that other processes
    have written in the meantime are not computed again.

    Parameters
    ----------
    make
        Makes the executor, again if a worker died and broke it; its jobs are run again.
    function
        Computes the result of a job. It is called in a worker, so it is pickled.
    items
        What is to be done, in this order.
    at_once
        Returns the largest number of jobs in flight; asked before each is submitted, since workers may join late.
    job
        Item -> argument of ``function``; called just before the item is submitted (default: the item itself).
    skip
        Asked just before an item is submitted: whether somebody else has done it meanwhile.
    deadline
        ``time.monotonic()`` after which nothing new is submitted.

    Raises
    ------
    JobFailed
        If a job raised, or its worker died four times.
    """
    flight = _Flight(make, function, items, job)
    try:
        while flight.queue or flight.flying:
            late = deadline is not None and time.monotonic() > deadline
            while flight.queue and len(flight.flying) < at_once() and not late:
                if skip(flight.queue[0]):
                    flight.queue.popleft()
                else:
                    flight.submit()
            if flight.flying:
                yield from flight.landed()
            elif late:
                break
    except BaseException:
        stop(flight.executor)
        raise
    flight.executor.shutdown(wait=True)
