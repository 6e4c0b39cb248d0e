"""Run the tests of every mutant, one line of JSON each, and go on where a run was stopped."""

from __future__ import annotations

import ast
import dataclasses
import itertools
import json
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

from tests.mutation.coverage_of_tests import Test
from tests.mutation.mutate import Mutant
from tests.mutation.tree import KERNELS, Job, start

#: File, first and last edited character, new text.
Key = tuple[str, int, int, str]
#: The tests that a mutant meets first: so many, from so many files.
QUICKEST = 40
FEW_FILES = 5
#: Tests that read the text of the program, which no line that runs tells: edits outside of functions meet them, too.
READERS = ("tests/test_documented_defaults.py", "tests/test_frozen_dataclasses.py")


class Chosen:
    """A plugin of pytest that keeps the chosen tests, in the chosen order.

    A test with another name than on the true code, because the edit changed a parameter of it, is kept if its function
    has a chosen test.
    """

    def __init__(self, names: Sequence[str], known: Collection[str], begins: Callable[[str], None]):
        self._place = {name: k for k, name in enumerate(names)}
        self._functions = {name.partition("[")[0] for name in names}
        self._known, self._begins = known, begins

    def pytest_collection_modifyitems(self, items: list) -> None:
        kept = [item for item in items if self._keeps(item.nodeid)]
        items[:] = sorted(kept, key=lambda item: self._place.get(item.nodeid, -1))

    def _keeps(self, name: str) -> bool:
        return name in self._place or (name not in self._known and name.partition("[")[0] in self._functions)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._begins(nodeid)


@dataclasses.dataclass(frozen=True)
class Choice:
    """The tests that a mutant meets, and how many others run it that its budget has no room for."""

    tests: list[Test]
    left: int


class Selection:
    """The tests that run a mutant.

    Parameters
    ----------
    tests : iterable of Test
        Every test that passes on the true code, with its lines.
    root : Path
        A copy of the project, to see which module imports which.
    most : float, optional
        Of each mutant's tests the first that take so many seconds together (default: all).
    """

    def __init__(self, tests: Iterable[Test], root: Path, most: float = float("inf")):
        self._most = most
        self._by_line: dict[tuple[str, int], list[Test]] = defaultdict(list)
        self._by_file: dict[str, list[Test]] = defaultdict(list)
        self.tests = {test.name: test for test in tests}
        for test in self.tests.values():
            for file, lines in test.lines.items():
                if lines:
                    self._by_file[file].append(test)
                for line in lines:
                    self._by_line[file, line].append(test)
        self._importers = _importers(root)
        self._size = {test.name: 1 + sum(map(len, test.lines.values())) for test in self.tests.values()}

    def tests_of(self, mutant: Mutant) -> Choice:
        """Return the tests that run the edited statement, those that cost least for what they look at first.

        A test that runs few lines beside those of the edited file is about that file: its seconds count less, in
        proportion to the share of its lines that are there.

        What runs at import: the tests that run any line of the file, or else of the files that import it, and those
        that read its text. What no test is known to run, such as what numba compiles: all of these.
        """
        first, last = mutant.lines
        found = [t for line in range(first, last + 1) for t in self._by_line[mutant.file, line]]
        unseen = not found
        if not mutant.in_function or unseen:
            found = list(self._by_file[mutant.file])
        if unseen or not found:
            found += [t for file in self._importers[mutant.file] for t in self._by_file[file]]
        if not mutant.in_function:
            found += [t for t in self.tests.values() if t.file in READERS]
        ordered = sorted({test.name: test for test in found}.values(), key=lambda t: self._price(t, mutant.file))
        total = itertools.accumulate(test.seconds for test in ordered)
        room = [test for test, seconds in zip(ordered, total, strict=True) if seconds <= self._most] or ordered[:1]
        return Choice(room, len(ordered) - len(room))

    def _price(self, test: Test, file: str) -> tuple[bool, float]:
        here = len(test.lines.get(file, ()))
        return here == 0, test.seconds * self._size[test.name] / max(here, 1)


def _importers(root: Path) -> dict[str, set[str]]:
    paths = {str(p.relative_to(root)) for n in ("contraction", "nn_experiments") for p in (root / n).rglob("*.py")}
    names = {path.removesuffix(".py").removesuffix("/__init__").replace("/", "."): path for path in paths}
    found: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        for node in ast.walk(ast.parse((root / path).read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
                    if name in names:
                        found[names[name]].add(path)
    return found


def batches(tests: Sequence[Test]) -> list[list[Test]]:
    """Return the tests in two runs: the first ones, of a few files, and all others file by file.

    Most mutants are killed by the first run, which collects few files.
    """
    files = list(dict.fromkeys(test.file for test in tests))
    first = [test for test in tests if test.file in files[:FEW_FILES]][:QUICKEST]
    chosen = {test.name for test in first}
    rest = [test for file in files for test in tests if test.file == file and test.name not in chosen]
    return [part for part in (first, rest) if part]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a mutant, by which test, in how long.

    It is "killed", or "survived" (every test that runs it passes), or "unfinished" (every test that its budget had room
    for passes, and others run it), or "untested" (no test runs it), or "stopped": its test waited for so long that
    nothing is known. Only "killed" counts as killed.
    """

    status: str
    by: str
    tests: int
    seconds: float


def begin(
    folder: Path, tests: Sequence[Test], known: dict[str, Test], patience: float, *, compile_anew: bool = False
) -> Job:
    """Start tests in a copy.

    A test hangs if it takes ten times the seconds that it took on the true code, and ``patience`` more, of the
    processor.
    """
    files = list(dict.fromkeys(test.file for test in tests))
    names = [test.name for test in tests]

    def seconds_for(name: str) -> float:
        return patience + 10 * (known[name].seconds if name in known else patience)

    return start(
        folder,
        ["-x", *files],
        lambda begins: [Chosen(names, known, begins)],
        seconds_for,
        compile_anew=compile_anew,
    )


def outcome(job: Job, choice: Choice, seconds: float) -> Outcome:
    """Return what a finished process says of its mutant, which met the tests of a choice.

    Killed: a test fails (1), the project cannot be imported (2, 4), pytest itself stumbles over what the project
    gives it (3), a test hangs, or the process dies. A process that was stopped while it waited, or that the system
    ended for want of memory, says nothing: the cause may be the machine.
    """
    tests = len(choice.tests)
    if job.stopped or job.returncode == -signal.SIGKILL:
        return Outcome("stopped", job.test, tests, seconds)
    if job.hung:
        return Outcome("killed", f"{job.test} (it hung)", tests, seconds)
    if job.returncode in (0, 5):
        return Outcome("unfinished" if choice.left else "survived", "", tests, seconds)
    return Outcome("killed", job.test or "import", tests, seconds)


class _Trial:
    """A mutant in a copy of the project, and its runs of tests one after the other."""

    def __init__(self, mutant: Mutant, folder: Path, choice: Choice, known: dict[str, Test], patience: float) -> None:
        self.mutant, self.folder, self._known, self._patience = mutant, folder, known, patience
        self._path = folder / mutant.file
        self._text = self._path.read_text(encoding="utf-8")
        self._waiting = batches(choice.tests)
        self._choice, self._begun = choice, time.monotonic()
        self._path.write_text(mutant.apply(self._text), encoding="utf-8")
        self._job = self._next()

    def _next(self) -> Job:
        anew = self.mutant.file.startswith(KERNELS)
        return begin(self.folder, self._waiting.pop(0), self._known, self._patience, compile_anew=anew)

    def look(self) -> Outcome | None:
        """Return the outcome once it is known; the copy is as before then."""
        if not self._job.look():
            return None
        found = outcome(self._job, self._choice, round(time.monotonic() - self._begun, 1))
        self._job.forget()
        if found.status in ("survived", "unfinished") and self._waiting:
            self._job = self._next()
            return None
        self._path.write_text(self._text, encoding="utf-8")
        return found

    def stop(self) -> None:
        self._job.stop()
        self._job.forget()
        self._path.write_text(self._text, encoding="utf-8")


def run(
    sampled: Sequence[tuple[str, Mutant]],
    selection: Selection,
    folders: Sequence[Path],
    journal: Path,
    limit: float = float("inf"),
    patience: float = 60.0,
    say: Callable[[str], None] = print,
) -> list[tuple[str, Mutant, Outcome]]:
    """Run every mutant that the journal does not hold yet, and return all of them that it holds then.

    Parameters
    ----------
    sampled : sequence of (str, Mutant)
        Each with its group.
    selection : Selection
        Which tests run it.
    folders : sequence of Path
        Copies of the project; one process runs in each.
    journal : Path
        A file with one line of JSON for each mutant that was run.
    limit : float, optional
        Seconds after which no further mutant is begun.
    patience : float, optional
        Seconds of the processor beyond which a test hangs (default: 60).
    say : callable, optional
        Told of every mutant that was run.
    """
    done = read_journal(journal)
    waiting = [(g, m) for g, m in sampled if key_of(m) not in done]
    free, running = list(folders), []
    begun = time.monotonic()
    try:
        while running or (waiting and time.monotonic() - begun < limit):
            while waiting and free and time.monotonic() - begun < limit:
                group, mutant = waiting.pop(0)
                choice = selection.tests_of(mutant)
                if choice.tests:
                    trial = _Trial(mutant, free.pop(), choice, selection.tests, patience)
                    running.append((group, trial))
                else:
                    _note(journal, done, mutant, Outcome("untested", "", 0, 0.0))
            for group, trial in list(running):
                if (found := trial.look()) is not None:
                    running.remove((group, trial))
                    free.append(trial.folder)
                    mutant = trial.mutant
                    _note(journal, done, mutant, found)
                    say(f"{found.status:<10} {found.seconds:5.0f} s {group}: {mutant.file}:{mutant.line} {mutant.kind}")
            time.sleep(0.02)
    finally:
        for _, trial in running:
            trial.stop()
    return [(g, m, done[key_of(m)]) for g, m in sampled if key_of(m) in done]


def key_of(mutant: Mutant) -> Key:
    """Return what tells a mutant from the others of the same code."""
    return mutant.file, mutant.start, mutant.end, mutant.new


def _note(journal: Path, done: dict[Key, Outcome], mutant: Mutant, found: Outcome) -> None:
    done[key_of(mutant)] = found
    with journal.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"mutant": dataclasses.asdict(mutant), "outcome": dataclasses.asdict(found)}) + "\n")


def read_journal(journal: Path) -> dict[Key, Outcome]:
    """Return the outcome of every mutant that a journal holds; of one that was run twice, the later outcome."""
    done = {}
    for line in journal.read_text(encoding="utf-8").splitlines() if journal.exists() else ():
        entry = json.loads(line)
        mutant = entry["mutant"]
        done[mutant["file"], mutant["start"], mutant["end"], mutant["new"]] = Outcome(**entry["outcome"])
    return done


def forget_survivors(journal: Path) -> None:
    """Take every mutant that was not killed out of a journal, so that it is run again."""
    if not journal.exists():
        return
    kept = [
        line
        for line in journal.read_text(encoding="utf-8").splitlines(keepends=True)
        if json.loads(line)["outcome"]["status"] == "killed"
    ]
    atomic = journal.with_suffix(".part")
    atomic.write_text("".join(kept), encoding="utf-8")
    atomic.replace(journal)
