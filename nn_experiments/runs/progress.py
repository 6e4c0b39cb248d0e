"""The progress line of a run: how much is done, and the time that remains."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

from nn_experiments.paper.cost import clock
from nn_experiments.runs.request import Piece

__all__ = ["Progress", "one_line", "show"]


class Progress:
    """The progress of a run: maps and blocks done, rate, and the time that remains at this rate."""

    def __init__(self, seconds: float, maps: int, blocks: int) -> None:
        self.seconds, self.maps, self.blocks = seconds, maps, blocks
        self.done_seconds, self.done_maps, self.done_blocks = 0.0, 0, 0
        self.workers = 1
        self.begin = time.monotonic()

    def add(self, piece: Piece) -> None:
        """Count a finished piece."""
        self.done_seconds += piece.seconds
        self.done_maps += piece.maps
        self.done_blocks += 1

    def line(self) -> str:
        """Return one line: bar, percentage, blocks, steps per second, and the time that remains, or that it took."""
        share = self.done_seconds / self.seconds if self.seconds else 1.0
        spent = time.monotonic() - self.begin
        bar = "█" * round(20 * share)
        if not self.done_blocks:
            left = f"about {clock(self.seconds / self.workers)}"
            return f"|{bar:·<20}| {self.blocks} blocks, {self.maps:,} steps, {left} on {self.workers} worker(s)"
        rate = self.done_maps / spent
        pace = f"{rate:,.0f} steps/s" if rate >= 10 else f"{rate:.2g} steps/s"
        blocks = f"{self.done_blocks}/{self.blocks} blocks"
        left = f"{clock(spent * max(1 - share, 0) / share)} left" if share else "? left"
        if self.done_blocks == self.blocks:
            left = f"done in {clock(spent)}"
        return f"|{bar:·<20}| {share:4.0%}  {blocks}  {pace}  {left}"


def one_line(stop: KeyboardInterrupt) -> None:
    """Make Python print one line of an exception, without the traceback, where nothing catches it.

    Parameters
    ----------
    stop
        The exception; every other one is printed as before.
    """
    before = sys.excepthook

    def hook(kind: type[BaseException], value: BaseException, trace: TracebackType | None) -> None:
        if value is stop:
            print(f"\n{value}", file=sys.stderr)
        else:
            before(kind, value, trace)

    sys.excepthook = hook


def show(stream: TextIO | None = None) -> Callable[[Progress], None]:
    """Return a function that writes the progress: one line that is updated on a terminal, else one every ten seconds.

    Parameters
    ----------
    stream
        Where to write (default: standard error).
    """
    last = [0.0]
    file = sys.stderr if stream is None else stream

    def report(progress: Progress) -> None:
        final = progress.done_blocks == progress.blocks
        if file.isatty():
            file.write("\r" + progress.line() + ("\n" if final else " "))
        elif final or time.monotonic() - last[0] > 10:
            last[0] = time.monotonic()
            file.write(progress.line() + "\n")
        file.flush()

    return report
