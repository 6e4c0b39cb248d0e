"""What can be wrong with data."""

from __future__ import annotations

__all__ = ["DataError", "MissingData"]


class DataError(ValueError):
    """A data file is truncated, altered, or does not fit; replace it."""


class MissingData(FileNotFoundError):
    """A data set is not on this machine; download it or pass the folder that has it."""
