"""Profiles for every test, chosen by HYPOTHESIS_PROFILE.

default: seconds; ci: default, derandomised; thorough: random and as long as one gives it.

Compiled kernels are cached in a folder of this run's own.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

from hypothesis import HealthCheck, settings

# Kernels are compiled anew in every run of the tests: a cache on disk could hold those of an older text. The workers of
# pytest-xdist, and the processes that tests start, inherit the folder of the first process.
if "PYTEST_XDIST_WORKER" not in os.environ:
    os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp(prefix="numba-")
    atexit.register(shutil.rmtree, os.environ["NUMBA_CACHE_DIR"], ignore_errors=True)

slow_is_fine = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("default", max_examples=40, **slow_is_fine)
settings.register_profile("ci", max_examples=40, derandomize=True, **slow_is_fine)
settings.register_profile("thorough", max_examples=2000, print_blob=True, **slow_is_fine)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default"))
