"""Profiles for every test, chosen by HYPOTHESIS_PROFILE.

default: seconds; ci: default, derandomised; thorough: random and as long as one gives it.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

slow_is_fine = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("default", max_examples=40, **slow_is_fine)
settings.register_profile("ci", max_examples=40, derandomize=True, **slow_is_fine)
settings.register_profile("thorough", max_examples=2000, print_blob=True, **slow_is_fine)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default"))
