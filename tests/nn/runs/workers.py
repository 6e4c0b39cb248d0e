"""Jobs that kill their worker; apart, so that a worker need not import torch."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def kill_once(item: tuple[int, str]) -> int:
    """Square a number; kill this worker the first time anybody runs number 3."""
    number, marker = item
    if number == 3 and not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number**2


def always_kill(number: int) -> None:
    """Kill this worker."""
    os.kill(os.getpid(), signal.SIGKILL)


def wait_long(marker: str) -> None:
    """Say that the work has begun, and go on for an hour."""
    Path(marker).touch()
    time.sleep(3600)
