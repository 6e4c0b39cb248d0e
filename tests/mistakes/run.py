"""Make deliberate mistakes in copies of the project, and see whether their tests notice."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.mistakes.table import Mistake
from tests.mutation import tree

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("contraction", "nn_experiments", "tests", "proofs", "pyproject.toml")
#: Seconds of the processor that one test may take; a test that computes for ever with a mistake has caught it.
SECONDS = 1800.0


def copy(folder: Path) -> None:
    """Write what the tests need into a folder."""
    for name in COPIED:
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(
                source, target, ignore=shutil.ignore_patterns("__pycache__", "*.vo*", "*.glob", ".hypothesis")
            )
        elif source.exists():
            shutil.copy2(source, target)
    tree.compile_sources(folder)


def _pytest(folder: Path, tests: list[str], *, compile_anew: bool = False) -> tree.Job:
    """Start some tests in a copy, in a process of their own."""
    return tree.start(folder, tests, lambda _: [], lambda _: SECONDS, SECONDS, compile_anew=compile_anew)


def _said(job: tree.Job, tests: list[str]) -> tuple[bool, str]:
    """Return whether the tests of a job that has ended passed, and what they printed; raise if they could not run."""
    output, status = job.output, job.returncode
    job.forget()
    if status not in (0, 1):
        raise RuntimeError(f"{' '.join(tests)} could not be run (pytest's status is {status}):\n{output}")
    return status == 0, output


def failures(tests: Sequence[str], folders: Sequence[Path]) -> list[str]:
    """Run tests on the true code, a part of them in each copy, and return what is printed by each part that fails."""
    parts = [part for k in range(len(folders)) if (part := list(tests[k :: len(folders)]))]
    jobs = [(_pytest(folder, part), part) for folder, part in zip(folders, parts, strict=False)]
    waiting = list(jobs)
    try:
        while waiting:
            waiting = [one for one in waiting if not one[0].look()]
            time.sleep(0.02)
    finally:
        for job, _ in waiting:
            job.stop()
    said = [_said(job, part) for job, part in jobs]
    return [output for passed, output in said if not passed]


class _Trial:
    """A mistake in a copy, and its test, which runs in a process of its own; the copy is as before at the end."""

    def __init__(self, mistake: Mistake, folder: Path) -> None:
        self.mistake, self.folder, self._path = mistake, folder, folder / mistake.file
        self._text = self._path.read_text(encoding="utf-8")
        if self._text.count(mistake.old) != 1:
            raise ValueError(
                f"{mistake.file} has the text of {mistake.name!r} {self._text.count(mistake.old)} times, and it must "
                "have it once: tests/mistakes/table.py needs an update"
            )
        self._path.write_text(self._text.replace(mistake.old, mistake.new), encoding="utf-8")
        self._job = _pytest(folder, [mistake.test], compile_anew=mistake.file.startswith(tree.KERNELS))

    def look(self) -> bool | None:
        """Return whether the mistake was caught, or None while its test runs."""
        if not self._job.look():
            return None
        self._path.write_text(self._text, encoding="utf-8")
        if self._job.hung:
            self._job.forget()
            return True
        return not _said(self._job, [self.mistake.test])[0]

    def stop(self) -> None:
        """End the test of a mistake that nobody waits for any more."""
        self._job.stop()
        self._job.forget()


def caught(chosen: Sequence[Mistake], folders: Sequence[Path], say: Callable[[str], None] = print) -> int:
    """Make every mistake in one of the copies, say which are caught as their tests end, and return their number."""
    waiting, free, running = list(chosen), list(folders), []
    count = 0
    try:
        while waiting or running:
            while waiting and free:
                running.append(_Trial(waiting.pop(0), free.pop()))
            for trial in list(running):
                if (found := trial.look()) is not None:
                    running.remove(trial)
                    free.append(trial.folder)
                    count += found
                    result = "caught" if found else "NOT CAUGHT"
                    say(f"{result:<12} {trial.mistake.name}\n{'':<12} by {trial.mistake.test}")
            time.sleep(0.02)
    finally:
        for trial in running:
            trial.stop()
    return count
