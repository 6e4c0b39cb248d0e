"""Number of processor cores that this process may use, on every operating system."""

from __future__ import annotations

import os

__all__ = ["available_cores"]


def available_cores() -> int:
    """Return the number of cores this process may use.

    On Linux these are the cores that the process is bound to. Other systems do not tell Python, and there it is the
    number of cores of the machine.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
