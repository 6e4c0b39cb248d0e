"""Copies of one revision of the project, and tests run in them by a process that has imported numpy and torch."""

from __future__ import annotations

import compileall
import contextlib
import gc
import importlib
import os
import py_compile
import resource
import select
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: A test may take so many times its limit of processor time on the clock, since other programs may run beside it.
WAITING = 10
#: Bytes of data that the process of a mutant may hold: an edit may ask for any number.
MOST_MEMORY = 10 * 2**30
#: Imported once, before the processes that run tests are forked. Nothing of the project may be among them.
PRELOADED = (
    "numpy",
    "scipy.stats",
    "scipy.optimize",
    "scipy.sparse.linalg",
    "sympy",
    "flint",
    "torch",
    "torch.func",
    "numba",
    "matplotlib.pyplot",
    "sklearn.datasets",
    "hypothesis.strategies",
    "hypothesis.extra.numpy",
    "pytest",
)
#: Where functions are compiled and kept on disk. Edits elsewhere use what the true code has compiled.
KERNELS = "nn_experiments/engine/kernels/"
PROJECT = ("contraction", "nn_experiments", "tests", "proofs", "benchmarks")


def git(root: Path, *arguments: str) -> str:
    """Return what git prints in a checkout."""
    return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True).stdout.strip()


def unpack(root: Path, revision: str, folder: Path) -> None:
    """Write every file of a checkout's revision into a folder, which is made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", revision], cwd=root, capture_output=True, check=True).stdout
    with tempfile.TemporaryFile() as file:
        file.write(archive)
        file.seek(0)
        with tarfile.open(fileobj=file) as tar:
            tar.extractall(folder, filter="data")
    compile_sources(folder)


def compile_sources(folder: Path) -> None:
    """Compile the modules of a copy of the project, once for all processes that import them.

    A compiled file carries the hash of its source, so that it can never stand for an edited one.
    """
    mode = py_compile.PycInvalidationMode.CHECKED_HASH
    for name in PROJECT:
        if (folder / name).is_dir():
            compileall.compile_dir(folder / name, quiet=2, invalidation_mode=mode)


def preload() -> None:
    """Import the large libraries that are installed."""
    os.environ["MPLBACKEND"] = "Agg"
    for name in PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
    gc.freeze()


@dataclass
class Job:
    """A forked process that runs tests in a folder and tells through a pipe which test it has begun.

    Attributes
    ----------
    seconds_for : callable
        Seconds of the processor that a test may take. The process is ended by the system when it has used them, so that
        other programs on the machine do not matter.
    deadline : float
        On `time.monotonic`: when the process is stopped although its test has not used its time.
    returncode : int or None
        pytest's; negative for a signal, None while it runs.
    stopped : bool
        Whether it was stopped at its deadline: it waited, for another process or for the machine, and says nothing of
        the tests.
    """

    pid: int
    pipe: int
    scratch: Path
    seconds_for: Callable[[str], float]
    deadline: float
    test: str = ""
    stopped: bool = False
    returncode: int | None = None
    _text: bytes = field(default=b"", repr=False)

    @property
    def hung(self) -> bool:
        """Whether its last test has used all the processor time that it may take."""
        return self.returncode == -signal.SIGPROF

    def look(self) -> bool:
        """Read what there is, stop the process at its deadline, and return whether it has ended."""
        readable, _, _ = select.select([self.pipe], [], [], 0)
        if readable:
            chunk = os.read(self.pipe, 65536)
            self._text += chunk
            *lines, self._text = self._text.split(b"\n")
            if lines:
                self.test = lines[-1].decode()
                self.deadline = time.monotonic() + WAITING * self.seconds_for(self.test)
            if not chunk:
                self._end(os.waitpid(self.pid, 0)[1])
                return True
        if time.monotonic() > self.deadline:
            self.stopped = True
            self.stop()
            return True
        return False

    def stop(self) -> None:
        """End the process and those that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._end(os.waitpid(self.pid, 0)[1])

    def _end(self, status: int) -> None:
        self.returncode = os.waitstatus_to_exitcode(status)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)  # what the tests have left running
        os.close(self.pipe)

    @property
    def output(self) -> str:
        return (self.scratch / "output").read_text(errors="replace")

    def forget(self) -> None:
        """Delete the process's own folder."""
        shutil.rmtree(self.scratch, ignore_errors=True)


def start(
    folder: Path,
    arguments: list[str],
    plugins: Callable[[Callable[[str], None]], list[object]],
    seconds_for: Callable[[str], float],
    seconds_to_begin: float = 300.0,
    *,
    compile_anew: bool = False,
) -> Job:
    """Fork a process that runs pytest in a folder.

    Parameters
    ----------
    folder : Path
        A copy of the project.
    arguments : list of str
        pytest's.
    plugins : callable
        Called in the new process with the function that says which test begins; returns pytest's plugins.
    seconds_for : callable
        Seconds of the processor that a test may take.
    seconds_to_begin : float, optional
        Those that it may take until the first test begins.
    compile_anew : bool, optional
        Whether compiled kernels are kept for this process alone, because it runs edited ones; others share them.
    """
    scratch = Path(tempfile.mkdtemp(prefix="mutant-"))
    reads, writes = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writes)
        return Job(pid, reads, scratch, seconds_for, time.monotonic() + WAITING * seconds_to_begin)
    code = 70
    try:
        os.setpgid(0, 0)
        os.close(reads)
        with open(scratch / "output", "wb") as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, resource.getrlimit(resource.RLIMIT_DATA)[1]))
        _end_after(seconds_to_begin)
        kernels = (scratch if compile_anew else folder) / "numba-cache"
        code = _run(folder, scratch, kernels, arguments, plugins(lambda test: _begin(writes, test, seconds_for(test))))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _end_after(seconds: float) -> None:
    """Have the system end this process by SIGPROF once it has used so much more processor time."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, seconds)


class Unshrunk:
    """A plugin of pytest that keeps Hypothesis from looking for a smaller example once a test has failed."""

    def pytest_sessionstart(self) -> None:
        from hypothesis import Phase, settings

        settings.register_profile("unshrunk", phases=[Phase.explicit, Phase.reuse, Phase.generate])
        settings.load_profile("unshrunk")


def _begin(pipe: int, test: str, seconds: float) -> None:
    _end_after(seconds)
    os.write(pipe, test.encode() + b"\n")


def _run(folder: Path, scratch: Path, kernels: Path, arguments: list[str], plugins: list[object]) -> int:
    import pytest

    for name in [name for name in sys.modules if name.partition(".")[0] in PROJECT]:
        del sys.modules[name]
    os.chdir(folder)
    sys.path[:] = [str(folder), *(p for p in sys.path if p and Path(p).resolve() != ROOT)]
    sys.argv[:] = ["pytest"]
    tempfile.tempdir = None
    os.environ |= {
        "PYTHONPATH": str(folder),
        "HYPOTHESIS_PROFILE": "ci",
        "TMPDIR": str(scratch),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(scratch / "hypothesis"),
        "NUMBA_CACHE_DIR": str(kernels),
    }
    for variable in ("PYTEST_XDIST_WORKER", "PYTEST_CURRENT_TEST", "PYTHONDONTWRITEBYTECODE"):
        os.environ.pop(variable, None)
    sys.dont_write_bytecode = False
    options = ["-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    return int(pytest.main([*options, f"--basetemp={scratch / 'pytest'}", *arguments], [*plugins, Unshrunk()]))
