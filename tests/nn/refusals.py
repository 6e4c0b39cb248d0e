"""One row of a table of refused arguments: a call, a right value, a wrong value, and the error of the wrong one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Row = tuple[Callable[[Any], Any], Any, Any, type[Exception], str]


def assert_refused(row: Row) -> None:
    """Assert that the right value is taken, and that the wrong one raises the error with these words."""
    call, right, wrong, error, words = row
    call(right)
    with pytest.raises(error, match=words):
        call(wrong)
