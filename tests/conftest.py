"""Profiles for every test, chosen by HYPOTHESIS_PROFILE.

default: seconds; ci: default, derandomised; thorough: random and as long as one gives it.

Compiled kernels are cached in a folder of this run's own.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

from contraction.strategies import load_profile

# Kernels are compiled anew in every run of the tests: a cache on disk could hold those of an older text. The workers of
# pytest-xdist, and the processes that tests start, inherit the folder of the first process.
if "PYTEST_XDIST_WORKER" not in os.environ:
    os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp(prefix="numba-")
    atexit.register(shutil.rmtree, os.environ["NUMBA_CACHE_DIR"], ignore_errors=True)

load_profile()
