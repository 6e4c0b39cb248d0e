"""The examples in docstrings, and the blocks of the page on certificates that run without torch, give what they say."""

from __future__ import annotations

import contextlib
import doctest
import importlib
import io
import re
from pathlib import Path

import pytest

import contraction

DOCS = Path(__file__).parents[2] / "docs" / "certified.md"
ROOT = Path(contraction.__file__).parent
MODULES = sorted(
    ".".join(file.relative_to(ROOT.parent).with_suffix("").parts)
    for file in ROOT.rglob("*.py")
    if ">>>" in file.read_text(encoding="utf-8") and file.name != "__main__.py"
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0


def test_the_example_in_mean_square_prints_what_is_shown():
    blocks = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.S)
    block = next(b for b in blocks if "mean_square" in b)
    shown = re.findall(r"#\s*(\S+)$", next(line for line in block.splitlines() if line.startswith("print")))
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(block, {})
    assert printed.getvalue().split() == shown
