"""The parts of a study: computed once, kept in files, with what they cost and what made them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch

from nn_experiments.results.studies import Study, resumed
from nn_experiments.runs.job import revision

__all__ = ["Making"]

#: The name under which a part keeps the seconds of the processor that it took.
SECONDS = "processor_seconds"


class Making:
    """A study in the making: its parts, and the processor time of all of them.

    A stopped study goes on after its last finished part. Each part therefore keeps the time that it took, so that the
    time of the whole study is known in the end, however often it was stopped.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> making = Making()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     part = making.part(Path(folder) / "0.npz", {"seed": 0}, lambda: {"x": np.arange(3)})
    >>> part["x"]
    array([0, 1, 2])
    >>> sorted(making.about())
    ['numpy', 'processor_seconds', 'revision', 'torch']
    """

    def __init__(self) -> None:
        self._begin = time.process_time()
        self._earlier = 0.0

    def part(self, path: Path, settings: Mapping[str, object], make: Callable[[], Mapping[str, np.ndarray]]) -> Study:
        """Return a part from its file, or compute it with ``make`` and write the file (see `resumed`).

        Parameters
        ----------
        path
            The part's file, an ``.npz``.
        settings
            Plain JSON: what the part depends on.
        make
            Computes the part's arrays; called only if the file has no part with these settings.
        """
        computed = False

        def timed() -> dict[str, np.ndarray]:
            nonlocal computed
            computed, begin = True, time.process_time()
            arrays = dict(make())
            return arrays | {SECONDS: np.array(time.process_time() - begin)}

        part = resumed(path, settings, timed)
        if not computed:
            self._earlier += float(part.arrays.get(SECONDS, np.nan))  # NaN: an older version of this package wrote it
        return Study(part.name, {key: array for key, array in part.arrays.items() if key != SECONDS}, part.about)

    def about(self) -> dict[str, object]:
        """Return versions, the commit, and the seconds of the processor that all parts took together.

        The seconds count every thread of this process, and what the parts in files took when they were computed. They
        are None where a part's file does not say.
        """
        seconds = self._earlier + time.process_time() - self._begin
        return {
            "numpy": np.__version__,
            "torch": torch.__version__,
            "revision": revision(),
            SECONDS: None if np.isnan(seconds) else round(seconds, 1),
        }
