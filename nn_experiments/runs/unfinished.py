"""Where an unfinished path stands: kept in a file, so that a stopped run goes on from there."""

from __future__ import annotations

import io
import pickle
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from contraction.files import UNREADABLE, replacing
from nn_experiments.engine.measuring import Measured
from nn_experiments.training.states import State, check_state

__all__ = ["Keeper", "Reached", "Rows", "unfinished_path"]

#: Iterate -> metric -> number.
Rows = dict[int, dict[str, float]]
#: Writing takes at most this fraction of the time.
FRACTION = 0.05


def unfinished_path(block: Path) -> Path:
    """Return the file of a block's unfinished path: beside the block, named by its last iterate.

    How long a path is cut into blocks depends on the speed of the machine, so that a later run may begin the block that
    ends there at another iterate.
    """
    return block.with_name(f"unfinished-{block.stem.rpartition('-')[2]}.pt")


@dataclass(frozen=True)
class Reached:
    """How far a path has come: the last iterate, its number, what has been measured up to it, and the seconds."""

    n: int
    state: State
    rows: Rows
    seconds: float


@dataclass(frozen=True)
class Keeper:
    """Keeps the state of an unfinished path in a file.

    Attributes
    ----------
    file
        The file; it is replaced atomically.
    every
        Seconds between two writings, unless these would take more than `FRACTION` of the time.
    maker
        What else the last bits of the numbers depend on, as plain data: a path goes on only where it is the same.
    """

    file: Path
    every: float
    maker: Mapping[str, str]

    def read(self, at: Sequence[int], passages: set[int], device: str) -> Reached | None:
        """Return the stored progress of a path, or None if no file exists or it was written for another computation.

        Parameters
        ----------
        at
            The iterates of the path.
        passages
            Those from which the later ones can be computed (see `nn_experiments.engine.plan.bottlenecks`).
        device
            Where the state is needed.
        """
        try:
            kept = torch.load(self.file, map_location=device, weights_only=True)
            reached = Reached(kept["n"], check_state("state", kept["state"]), kept["rows"], float(kept["seconds"]))
            fits = kept["maker"] == dict(self.maker) and reached.n in passages
            return reached if fits and set(reached.rows) >= {n for n in at if n <= reached.n} else None
        except (*UNREADABLE, pickle.UnpicklingError):
            return None  # there is none, or it was truncated or altered: the path begins at its start

    def write(self, reached: Reached) -> None:
        """Write the file."""
        kept = {"n": reached.n, "state": reached.state, "rows": reached.rows, "seconds": reached.seconds}
        whole = io.BytesIO()  # what torch writes to a full disk itself ends in an error without the file's name
        torch.save({**kept, "maker": dict(self.maker)}, whole)
        with replacing(self.file) as temporary:
            temporary.write_bytes(whole.getbuffer())

    def watch(
        self,
        measured: Iterator[Measured],
        state: Callable[[], State],
        passages: set[int],
        before: Reached | None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> Rows:
        """Return all rows of a path, and write how far it has come every now and then.

        Parameters
        ----------
        measured
            Measures one iterate after the other.
        state
            Returns the iterate that was measured last.
        passages
            The iterates at which the file may be written.
        before
            What an earlier run has reached, or None.
        clock
            Seconds since any moment.
        """
        rows: Rows = dict(before.rows) if before else {}
        earlier = before.seconds if before else 0.0
        begin = clock()
        due = begin + self.every
        for row in measured:
            rows[row.n] = {name: value.item() for name, value in row.values.items()}
            if (now := clock()) >= due and row.n in passages:
                self.write(Reached(row.n, state(), rows, earlier + now - begin))
                due = clock() + max(self.every, (clock() - now) / FRACTION)
        return rows
