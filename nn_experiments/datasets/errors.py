"""Errors about data files."""

from __future__ import annotations

from collections.abc import Sequence

from contraction.maps.errors import TrainingInReverseError

__all__ = ["DataError", "MissingData", "missing_text"]


class DataError(TrainingInReverseError, ValueError):
    """A data file is truncated or altered, or holds other data than is expected; replace it."""


class MissingData(TrainingInReverseError, FileNotFoundError):
    """A data set is not on this machine; download it or pass the folder that has it."""


def missing_text(what: str, searched: Sequence[str], remedy: str) -> str:
    """Return the message for a missing data set: what is missing, one line per place searched, and what to do."""
    return "\n".join([what, *(f"  searched {place}" for place in searched), remedy])
