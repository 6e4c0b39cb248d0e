"""Which test runs which lines of the code, collected once for every test file and cached outside the tree.

A record holds as long as the test file, what tests share, and every file of the code that was imported or run are the
same. Programs that a test starts are not recorded, so that a change of what these alone run needs no new record.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.tree import Job, git, start

CODE = ("contraction", "nn_experiments")


@dataclass(frozen=True)
class Test:
    """A test that passes on the true code: its name in pytest, its seconds, and file -> lines that it runs."""

    name: str
    seconds: float
    lines: dict[str, frozenset[int]]

    @property
    def file(self) -> str:
        return self.name.partition("::")[0]


class Recorder:
    """A plugin of pytest that notes the lines and the seconds of every test that passes, and writes them at the end."""

    def __init__(self, folder: Path, target: Path, begins: Callable[[str], None]):
        import coverage

        self._folder, self._target, self._begins = folder, target, begins
        self._coverage = coverage.Coverage(
            data_file=None, source=[str(folder / name) for name in CODE], config_file=False, messages=False
        )
        self._coverage.set_option("run:disable_warnings", ["no-data-collected"])
        self._coverage.start()
        self._seconds: dict[str, float] = defaultdict(float)
        self._passed: dict[str, bool] = {}

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._begins(nodeid)
        self._coverage.switch_context(nodeid)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._coverage.switch_context("")

    def pytest_runtest_logreport(self, report) -> None:
        self._seconds[report.nodeid] += report.duration
        self._passed[report.nodeid] = self._passed.get(report.nodeid, True) and report.passed

    def pytest_unconfigure(self) -> None:
        self._coverage.stop()
        data = self._coverage.get_data()
        lines: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        ran = [path for path in sorted(data.measured_files()) if data.lines(path)]
        for path in ran:
            file = str(Path(path).relative_to(self._folder))
            for line, tests in data.contexts_by_lineno(path).items():
                for test in tests:
                    lines[test][file].append(line)
        found = [[name, self._seconds[name], lines[name]] for name, good in self._passed.items() if good]
        others = [name for name, good in self._passed.items() if not good]
        with gzip.open(self._target.with_suffix(".part"), "wt", encoding="utf-8") as file:
            code = digests(self._folder, [str(Path(path).relative_to(self._folder)) for path in ran])
            json.dump({"tests": found, "not passed": others, "code": code}, file)
        self._target.with_suffix(".part").replace(self._target)


def code_of(root: Path, revision: str) -> str:
    """Return a name for the code of a revision, its tests left out."""
    return hashlib.sha256("".join(git(root, "rev-parse", f"{revision}:{name}") for name in CODE).encode()).hexdigest()[
        :12
    ]


def key_of(root: Path, revision: str, test_file: str) -> str:
    """Return a name for a test file: a hash of it and of what tests share."""
    parts = [git(root, "rev-parse", f"{revision}:{test_file}")]
    shared = git(root, "ls-tree", "-r", revision, "tests").splitlines()
    parts += [line for line in shared if "/test_" not in line and "tests/mutation/" not in line]
    return hashlib.sha256("\n".join([*parts, test_file]).encode()).hexdigest()[:24]


def digests(folder: Path, files: Iterable[str]) -> dict[str, str]:
    """Return file -> a hash of its text and of the names beside it, empty for files that are not in the folder."""

    def digest(path: Path) -> str:
        if not path.exists():
            return ""
        beside = sorted(p.name for p in path.parent.iterdir() if p.name != "__pycache__")
        return hashlib.sha256(path.read_bytes() + "\n".join(["", *beside]).encode()).hexdigest()[:24]

    return {file: digest(folder / file) for file in files}


def files_of_tests(root: Path, revision: str, below: Iterable[str] | None = None) -> list[str]:
    """Return every file of tests of a revision, or those below some paths alone, but the one of this package."""
    paths = ["tests"] if below is None else list(below)
    named = git(root, "ls-tree", "-r", "--name-only", revision, *paths).splitlines()
    if missing := [path for path in paths if not any(f"{n}/".startswith(f"{path.rstrip('/')}/") for n in named)]:
        raise ValueError(f"--tests must name files and folders of {revision[:12]}; it does not hold {missing}")
    return [n for n in named if n.rpartition("/")[2].startswith("test_") and n.endswith(".py") and "mutation" not in n]


def collect(
    root: Path,
    revision: str,
    folders: list[Path],
    cache: Path,
    files: Iterable[str] | None = None,
    say: Callable[[str], None] = print,
) -> list[Test]:
    """Return every test with the lines that it runs, from the cache or by running it.

    Parameters
    ----------
    root, revision : Path, str
        A checkout, and a commit of it.
    folders : list of Path
        Copies of that revision; one process at a time runs in each.
    cache : Path
        A folder for what was found; made if it is missing.
    files : iterable of str, optional
        The files of tests (default: all).
    say : callable, optional
        Told how far it is.
    """
    cache.mkdir(parents=True, exist_ok=True)
    files = files_of_tests(root, revision) if files is None else list(files)
    places = {file: cache / f"{key_of(root, revision, file)}.json.gz" for file in files}
    for place in places.values():
        if place.exists() and (code := _read(place)["code"]) != digests(folders[0], code):
            place.unlink()
    waiting = [file for file in files if not places[file].exists()]
    total, free, running = len(waiting), list(folders), {}
    while waiting or running:
        while waiting and free:
            folder, file = free.pop(), waiting.pop(0)
            running[file] = folder, _record(folder, file, places[file]), time.monotonic()
        for file, (folder, job, begun) in list(running.items()):
            if job.look():
                del running[file]
                free.append(folder)
                if not places[file].exists():
                    raise RuntimeError(f"the tests of {file} could not be run (at {job.test}):\n{job.output}")
                done = total - len(waiting) - len(running)
                say(f"[{done}/{total}] {file} in {time.monotonic() - begun:.0f} s, pytest says {job.returncode}")
                job.forget()
        time.sleep(0.05)
    return [
        Test(name, seconds, {path: frozenset(lines) for path, lines in run.items()})
        for file in files
        for name, seconds, run in _read(places[file])["tests"]
    ]


def _record(folder: Path, file: str, place: Path) -> Job:
    return start(folder, [file], lambda begins: [Recorder(folder, place, begins)], lambda test: 1200.0)


def _read(place: Path) -> dict:
    with gzip.open(place, "rt", encoding="utf-8") as file:
        return json.load(file)
