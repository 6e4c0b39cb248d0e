"""How a study was computed: versions, commit and seconds."""

from __future__ import annotations

import time

import numpy as np
import torch

from nn_experiments.runs.job import revision

__all__ = ["made_by"]


def made_by(begin: float) -> dict[str, object]:
    """Return versions, the commit and the seconds since ``begin`` (of `time.perf_counter`)."""
    return {
        "numpy": np.__version__,
        "torch": torch.__version__,
        "revision": revision(),
        "seconds": round(time.perf_counter() - begin, 1),
    }
