"""Profiles for every test, chosen by HYPOTHESIS_PROFILE.

default: seconds; ci: default, derandomised; thorough: random and as long as one gives it.

Compiled kernels are cached in a folder of this run's own. Each worker of pytest-xdist computes in one thread: with
as many workers as cores, the threads of OpenMP would wait for each other, and some tests would take ten times as long.
`pytest.approx` with ``rel=`` refuses numbers below 1e-12 without ``abs=``: its own 1e-12 would let 0 pass for them.
Figures that a test, or the example of a docstring, opens through pyplot are closed after it: matplotlib warns when more
than 20 are open.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from contextlib import suppress

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when NumPy and torch are imported, so before that

import numpy as np

from contraction.strategies import load_profile

# Kernels are compiled anew in every run of the tests: a cache on disk could hold those of an older text. The workers of
# pytest-xdist, and the processes that tests start, inherit the folder of the first process.
if "PYTEST_XDIST_WORKER" not in os.environ:
    os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp(prefix="numba-")
    atexit.register(shutil.rmtree, os.environ["NUMBA_CACHE_DIR"], ignore_errors=True)

load_profile()
_approx = pytest.approx


def _approx_of_numbers_that_count(expected, rel=None, abs=None, nan_ok=False):
    """Return `pytest.approx`, unless ``rel`` is given and its absolute tolerance of 1e-12 would let 0 pass for all."""
    if rel is not None and abs is None and not isinstance(expected, dict):
        with suppress(TypeError, ValueError):  # not an array of numbers
            numbers = np.abs(np.asarray(expected, dtype=float))
            small = bool(np.any(numbers > 0) and np.all(numbers < 1e-12))
            assert not small, f"approx({expected!r}) is also true of 0, as its absolute tolerance is 1e-12: pass abs="
    return _approx(expected, rel=rel, abs=abs, nan_ok=nan_ok)


pytest.approx = _approx_of_numbers_that_count


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
