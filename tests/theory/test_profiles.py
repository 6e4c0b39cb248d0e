"""Profiles of Hypothesis are chosen by name or by the environment."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import settings

from contraction.strategies import load_profile


@pytest.fixture(autouse=True)
def own_profile():
    yield
    load_profile()


def test_the_environment_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.delenv("CI", raising=False)
        patch.delenv("HYPOTHESIS_PROFILE", raising=False)
        assert load_profile() == "default"
        assert (settings.default.max_examples, settings.default.derandomize) == (40, False)
        patch.setenv("CI", "true")
        assert load_profile() == "ci"
        assert settings.default.derandomize
        patch.setenv("HYPOTHESIS_PROFILE", "thorough")
        assert load_profile() == "thorough"
        assert (settings.default.max_examples, settings.default.deadline) == (2000, None)
        assert load_profile("default") == "default"


def test_an_unknown_profile_is_refused_and_the_known_ones_are_listed() -> None:
    with pytest.raises(ValueError, match="profile must be one of default, ci, thorough; got 'through'"):
        load_profile("through")


_PRINT_PROFILES = """
from hypothesis import settings
from contraction.strategies import load_profile

for name in ("default", "ci", "thorough", "default"):
    load_profile(name)
    print(name, settings.default.max_examples, settings.default.derandomize, settings.default.print_blob)
"""


@pytest.mark.parametrize("ci", [None, "true"])
def test_a_named_profile_is_the_same_where_hypothesis_sees_a_ci_server_and_after_another_profile(
    ci: str | None,
) -> None:
    environment = {key: value for key, value in os.environ.items() if key not in ("CI", "HYPOTHESIS_PROFILE")}
    if ci is not None:
        environment["CI"] = ci
    printed = subprocess.run(
        [sys.executable, "-c", _PRINT_PROFILES], env=environment, capture_output=True, text=True, check=True
    ).stdout
    default = "default 40 False False"
    assert printed.splitlines() == [default, "ci 40 True True", "thorough 2000 False True", default]
