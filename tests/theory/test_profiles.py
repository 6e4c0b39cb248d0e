"""Profiles of Hypothesis are chosen by name or by the environment."""

from __future__ import annotations

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
